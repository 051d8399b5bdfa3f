#include "crowd.hpp"

#include <poll.h>
#include <stdexcept>
#include <unistd.h>

namespace soak
{

namespace
{
constexpr size_t LIVELY = 8, PASSING = 12, STUCK = 8;
constexpr std::chrono::seconds PATIENCE{30}; // for an answer
} // namespace

crowd::~crowd()
{
  SSL_SESSION_free(session_);
}

void crowd::live(std::chrono::seconds time, bool jam)
{
  std::vector<place> places;
  now_ = std::chrono::steady_clock::now();
  moment end = now_ + time;
  for (size_t i = 0; i < LIVELY + PASSING + STUCK; ++i) {
    role is = i < LIVELY ? role::lively : i < LIVELY + PASSING ? role::passing : role::stuck;
    places.push_back({.is = jam ? role::stuck : is, .next = now_ + up_to(100)});
  }
  for (bool anybody = true; anybody; now_ = std::chrono::steady_clock::now()) {
    anybody = now_ < end;
    for (place &p : places) {
      step(p, now_ < end);
      anybody |= p.who != nullptr;
    }
    wait(places);
  }
}

void crowd::wait(const std::vector<place> &places)
{
  std::vector<pollfd> all;
  for (const place &p : places)
    if (p.who != nullptr && p.who->peer().fd() >= 0)
      all.push_back({p.who->peer().fd(), p.who->peer().interest(), 0});
  poll(all.data(), all.size(), 1);
}

void crowd::step(place &p, bool staying)
{
  if (p.who != nullptr) {
    uint64_t before = p.who->heard;
    p.who->step();
    heard += p.who->heard - before;
    if (p.who->over())
      return vanish(p, p.leaving ? "ended in order" : "ended by the server");
  }
  if (now_ < p.next)
    return;
  if (p.who != nullptr)
    return act(p, staying);
  if (staying)
    come(p);
}

void crowd::come(place &p)
{
  static const char *const paths[] = {"/whole", "/close", "/drop"};
  size_t path = p.is == role::stuck ? 1 + roll_.below(2) : 0;
  SSL_SESSION *resumed = roll_.chance(300) ? session_ : nullptr;
  p.who = std::make_unique<guest>(port_, paths[path], p.is == role::stuck, resumed);
  p.left = static_cast<unsigned>(roll_.below(p.is == role::stuck ? 10 : 6));
  p.stalled = p.leaving = false;
  ++guests;
  if (p.is == role::passing && roll_.chance(80))
    vanish(p, "in the handshake");
}

void crowd::act(place &p, bool staying)
{
  guest &g = *p.who;
  bool owed = !g.quiet() && p.is != role::stuck;
  if (p.leaving || !g.open() || owed) {
    if (now_ > p.next + PATIENCE)
      throw std::runtime_error(p.leaving ? "no answer to a Close frame"
                               : owed    ? "an echo does not come"
                                         : "no answer to a request");
    return;
  }
  if (p.is == role::lively && staying)
    return talk(p);
  if (p.is == role::stuck && !p.stalled && p.left > 0 && staying)
    return stick(p);
  if (p.is == role::passing && p.left > 0 && staying) {
    --p.left;
    return talk(p);
  }
  leave(p);
}

// Reads no more, and is owed more than the kernel takes.
void crowd::stick(place &p)
{
  p.who->peer().stall(true);
  for (uint64_t n = roll_.below(80); n > 0; --n)
    p.who->say(message('n', ++number_, roll_.below(60000)));
  p.left = 0;
  p.stalled = true;
  p.next = now_ + up_to(8000);
}

void crowd::talk(place &p)
{
  static const size_t sizes[] = {20, 150, 500, 2000, 8000, 20000, 60000};
  bool all = p.is == role::lively && roll_.chance(30);
  char verb = all ? 'b' : roll_.chance(500) ? 'c' : 'e';
  size_t size = roll_.below(sizes[roll_.below(all ? 5 : std::size(sizes))]);
  p.who->say(message(verb, ++number_, size));
  p.next = now_ + up_to(20);
}

void crowd::keep_session(guest &g)
{
  SSL_SESSION *session = g.peer().tls()->session();
  if (session == nullptr || !roll_.chance(100))
    return;
  SSL_SESSION_up_ref(session);
  SSL_SESSION_free(session_);
  session_ = session;
}

void crowd::leave(place &p)
{
  guest &g = *p.who;
  keep_session(g);
  if (p.stalled && roll_.chance(500)) { // reads on: what was queued must be whole
    g.peer().stall(false);
    p.stalled = false;
    p.next = now_ + span(500);
    return;
  }
  g.peer().stall(false);
  switch (p.is == role::lively ? 0 : roll_.below(6)) {
  case 3:
    g.peer().reset();
    return vanish(p, "by RST");
  case 4:
    g.say_half(message('e', ++number_, 3000));
    g.peer().half_close();
    break;
  case 5:
    g.say(message('e', ++number_, 3000));
    return vanish(p, "by close(2)");
  default:
    g.close();
  }
  p.leaving = true;
}

void crowd::vanish(place &p, const char *how)
{
  ++ends[how];
  p.who.reset();
  p.next = now_ + up_to(p.is == role::stuck ? 500 : 20);
}

} // namespace soak
