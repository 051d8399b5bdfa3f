#include "http_story.hpp"

#include <csignal>
#include <cstdio>

namespace sim
{

namespace
{

// One client's part, step by step on the agenda.
class speaker
{
public:
  speaker(http_world &w, client_manners manners)
      : world_(w), roll_(w.k.roll.next()), rounds_(roll_.below(5)), self_(w.add_speaker(manners))
  {
    self_.c.on_open = [this] { soon(); };
    world_.k.after(roll_.below(5 * NS_PER_MS), [this] {
      self_.connected_at = world_.k.now();
      self_.c.connect("");
      if (self_.c.socket != nullptr)
        next();
    });
    if (w.flavour.breaks && roll_.chance(250))
      world_.k.after(roll_.below(60 * NS_PER_MS), [this] { break_off(); });
  }

private:
  http_limits limits() const
  {
    return world_.limits;
  }

  void soon()
  {
    uint64_t most = roll_.chance(150) ? 40 * NS_PER_MS : NS_PER_MS / 10;
    if (world_.flavour.deadlines && roll_.chance(100))
      most = 2 * limits().keep_alive_ms * NS_PER_MS;
    world_.k.after(roll_.below(most), [this] { next(); });
  }

  void next()
  {
    if (self_.c.ended)
      return;
    if (waits_ && !is_settled()) {
      world_.k.after(NS_PER_MS, [this] { next(); });
      return;
    }
    waits_ = false;
    if (self_.c.open)
      return chat();
    if (self_.over())
      return; // the server ends it
    if (rounds_ == 0)
      return last();
    --rounds_;
    burst();
    soon();
  }

  bool is_settled()
  {
    return self_.c.open ? world_.settled(self_.c) : self_.settled();
  }

  // A pipeline.
  void burst()
  {
    for (size_t n = 1 + roll_.below(roll_.chance(300) ? 12 : 4); n > 0; --n) {
      exchange &e = world_.add_exchange(self_);
      draw(e, roll_, world_.flavour, limits().response_timeout_ms);
      self_.send(e, roll_, roll_.chance(300));
    }
    waits_ = roll_.chance(700);
    if (world_.flavour.slow && roll_.chance(400))
      stall();
  }

  void stall()
  {
    self_.stall(true);
    uint64_t longest = roll_.chance(150) ? 2 * limits().response_timeout_ms : 60;
    world_.k.after(roll_.below(longest * NS_PER_MS), [this] { self_.stall(false); });
  }

  void break_off()
  {
    if (self_.c.ended || self_.c.socket == nullptr || self_.c.open)
      return;
    switch (roll_.below(3)) {
    case 0:
      return self_.c.send_reset();
    case 1:
      return self_.c.send_end();
    default:
      return self_.c.send_fin();
    }
  }

  void last()
  {
    uint64_t how = roll_.below(10);
    if (how < 5)
      return upgrade();
    if (how == 5 && world_.flavour.breaks)
      return break_off();
    if (how == 6) { // the server ends it when it has idled
      waits_ = true;
      return;
    }
    if (how == 7)
      return say_last();
    if (!is_settled()) {
      waits_ = true;
      return soon();
    }
    self_.c.send_end();
  }

  void say_last()
  {
    exchange &e = world_.add_exchange(self_);
    draw(e, roll_, world_.flavour, limits().response_timeout_ms);
    e.closes = true;
    self_.send(e, roll_, false);
  }

  // WebSocket behind the last request, and often frames right behind that.
  void upgrade()
  {
    exchange &e = world_.add_exchange(self_);
    draw_upgrade(e, roll_, world_.flavour, limits().handshake_timeout_ms);
    self_.send(e, roll_, false);
    if (e.dawdles_ms == 0 && roll_.chance(600))
      frames_ = 1 + roll_.below(4);
    say_frames();
    if (world_.flavour.breaks && roll_.chance(500))
      world_.k.after(roll_.below(20 * NS_PER_MS), [this] { break_off(); });
  }

  // Once all before them is on its way.
  void say_frames()
  {
    if (frames_ == 0 || self_.c.ended || self_.over())
      return;
    if (!self_.all_sent()) {
      world_.k.after(NS_PER_MS / 10, [this] { say_frames(); });
      return;
    }
    for (; frames_ > 0; --frames_)
      say();
  }

  void say()
  {
    static const std::string_view verbs = "eeeemfaotpPg";
    size_t size =
        world_.flavour.drips ? roll_.below(100) : roll_.below(roll_.chance(50) ? 90000 : 300);
    world_.command(self_.c, verbs[roll_.below(verbs.size())], '0', roll_.chance(700) ? 1 : 2, size,
                   roll_.chance(200) ? 3 : 1);
  }

  // It was upgraded.
  void chat()
  {
    if (self_.c.close_sent != 0)
      return;
    if (words_ == 0 && frames_ == 0) {
      if (world_.flavour.breaks && roll_.chance(300))
        return roll_.chance(500) ? self_.c.send_reset() : self_.c.send_end();
      return self_.c.send_close(1000, "bye");
    }
    if (words_ > 0) {
      say();
      --words_;
    }
    waits_ = words_ == 0;
    soon();
  }

  http_world &world_;
  dice roll_;
  uint64_t rounds_, words_ = 2, frames_ = 0;
  bool waits_ = false;
  http_client &self_;
};

world_options options_of(dice &roll, const http_flavour &f)
{
  world_options o = draw_options(roll, {f.faults, f.drips, f.starved});
  o.secure = f.secure;
  o.lossy = f.lossy;
  o.foreign = roll.chance(250);
  o.patience_ms = 12000;
  if (f.starved)
    o.max_files = 9 + roll.below(4);
  if (roll.chance(200))
    o.server.busy_poll_us = roll.between(1, 100);
  return o;
}

http_limits limits_of(dice &roll, const http_flavour &f)
{
  http_limits l;
  l.response_timeout_ms = roll.between(300, 3000);
  l.handshake_timeout_ms = 3000;
  l.keep_alive_ms = roll.between(500, 3000);
  l.body_timeout_ms = 5000;
  if (f.deadlines) {
    l.response_timeout_ms = roll.between(100, 800);
    l.handshake_timeout_ms = roll.between(200, 1000);
    l.keep_alive_ms = roll.between(100, 1000);
    l.body_timeout_ms = roll.between(200, 1000);
  }
  if (f.slow)
    l.max_queued_bytes = size_t{1} << roll.between(6, 18);
  return l;
}

client_manners manners_of(dice &roll, const http_flavour &f)
{
  client_manners m;
  m.max_packet = roll.chance(300) ? roll.between(1, 40) : roll.between(100, 100000);
  m.packet_gap_ns = roll.chance(300) ? 0 : roll.below(100000);
  m.max_read = roll.chance(300) ? roll.between(200, 3000) : roll.between(3000, 300000);
  m.read_gap_ns = roll.chance(300) ? 0 : roll.below(200000);
  m.whims = roll.next();
  m.veil = {f.secure, roll.chance(300), roll.chance(300)};
  return m;
}

// Whose story is being told; for a process that dies in the midst of it.
const world *present;

void last_words(int signal)
{
  if (present != nullptr)
    std::fprintf(stderr, "died of signal %d\n%s", signal, present->report().c_str());
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

void listen_for_death()
{
  for (int signal : {SIGABRT, SIGSEGV, SIGBUS, SIGFPE})
    std::signal(signal, last_words);
}

// Until all is over; or the server is stopped, or freed, in the midst of it.
void play(http_world &w, dice &roll)
{
  std::deque<speaker> all;
  size_t count = w.flavour.starved ? roll.between(4, 16) : roll.between(1, 6);
  for (size_t i = 0; i < count; ++i)
    all.emplace_back(w, manners_of(roll, w.flavour));
  if (w.flavour.breaks && roll.chance(60))
    w.k.after(roll.below(100 * NS_PER_MS), [&] { w.stop(); });
  if (w.flavour.breaks && roll.chance(60))
    w.run_for(roll.below(60));
  else
    w.run_until([&] { return w.nobody_left(); });
  if (!w.nobody_left())
    w.stopped = true;
  else if (roll.chance(300))
    w.run_for(200);
}

} // namespace

void tell_http(uint64_t seed, const http_flavour &f, uint64_t fail_alloc,
               const std::function<void(const http_world &)> &judge)
{
  dice roll(seed * 2654435761u + 3);
  world_options options = options_of(roll, f);
  http_world w(seed, options, f, limits_of(roll, f));
  present = &w;
  listen_for_death();
  w.k.fail_alloc = fail_alloc;
  int error = w.set_up();
  if (error == 0) {
    w.k.faults.no_memory = f.lossy && fail_alloc == 0 ? draw_rate(roll, 100) : 0;
    play(w, roll);
    w.tear_down();
    w.check_exchanges();
  } else if (fail_alloc == 0) {
    w.fail("set-up: " + std::string(weir_strerror(error)));
  }
  present = nullptr;
  judge(w);
}

} // namespace sim
