#include "story.hpp"

#include <csignal>
#include <cstdio>
#include <cstdlib>

namespace sim
{

using namespace std::string_view_literals;

namespace
{

struct offence {
  std::string_view bytes;
  int code;
};

// One client's part, step by step on the agenda.
class player
{
public:
  player(world &w, const flavour &f, unsigned steps, client_manners manners)
      : world_(w), flavour_(f), roll_(w.k.roll.next()), steps_(steps),
        client_(w.add_client(manners))
  {
    world_.k.after(roll_.below(5 * NS_PER_MS), [this] {
      client_.on_open = [this] { soon(); };
      client_.connect(roll_.chance(750) ? "/whole" : "/pieces");
    });
  }

private:
  void soon()
  {
    uint64_t most = roll_.chance(100) ? 40 * NS_PER_MS : NS_PER_MS / 10;
    uint64_t wait = roll_.below(most);
    if (flavour_.deflates && roll_.chance(40))
      wait += roll_.between(1000, 2500) * NS_PER_MS; // what is idle for a second is given back
    world_.k.after(wait, [this] { next(); });
  }

  void next()
  {
    if (client_.ended || over_)
      return;
    if (waiting_ && !world_.settled(client_)) {
      world_.k.after(NS_PER_MS, [this] { next(); });
      return;
    }
    waiting_ = false;
    if (steps_ == 0 || client_.close_sent != 0)
      return last();
    --steps_;
    act();
    soon();
  }

  size_t size()
  {
    if (flavour_.drips)
      return roll_.below(roll_.chance(100) ? 5000 : 300);
    switch (roll_.below(client_.manners.max_packet < 100 ? 30 : 12)) {
    case 0:
      return 0;
    case 1:
      return 120 + roll_.below(12);
    case 2:
      return 65530 + roll_.below(12);
    case 3:
      return roll_.below(200000);
    case 4:
    case 5:
      return roll_.below(20000);
    default:
      return roll_.below(300);
    }
  }

  void say(char verb)
  {
    int opcode = roll_.chance(700) ? 1 : 2;
    world_.command(client_, verb, static_cast<char>('0' + roll_.below(3)), opcode, size(),
                   roll_.chance(300) ? 1 + roll_.below(5) : 1);
  }

  // Verbs of the application.
  char verb()
  {
    static const std::string_view tame = "eeeemmffaaoottTTssugPpn", wild = "xXkK", more = "cAhl";
    std::string all(tame);
    if (flavour_.breaks)
      all += wild;
    if (flavour_.deflates)
      all += more;
    return all[roll_.below(all.size())];
  }

  void act()
  {
    unsigned what = static_cast<unsigned>(roll_.below(100));
    if (what < 75)
      say(verb());
    else if (what < 80)
      client_.send_frame(true, 9, std::string(roll_.below(126), 'p'));
    else if (what < 83 && flavour_.faults)
      client_.send_urgent('!');
    else if (what < 86 && flavour_.secure)
      client_.change_keys();
    else if (what < (flavour_.deflates && flavour_.overflows ? 94 : 88))
      stall();
    else
      waiting_ = true;
  }

  void stall()
  {
    client_.stall(true);
    uint64_t longest = flavour_.overflows ? 1500 * NS_PER_MS : 300 * NS_PER_MS;
    world_.k.after(roll_.below(longest), [this] { client_.stall(false); });
  }

  void last()
  {
    over_ = true;
    unsigned how = flavour_.breaks ? static_cast<unsigned>(roll_.below(8)) : 7;
    if (how == 0)
      return client_.send_reset();
    if (how == 1)
      return client_.send_end();
    if (how == 2)
      return flavour_.secure && client_.manners.whims % 2 == 0 ? client_.send_notify()
                                                               : client_.send_fin();
    if (how == 4)
      return break_a_rule();
    bool bare = roll_.chance(200);
    client_.send_close(bare ? 1005 : 1000 + static_cast<int>(roll_.below(4)), bare ? "" : "bye");
    if (how == 3)
      client_.send_fin();
  }

  void break_a_rule()
  {
    static const offence plain[] = {
        {"\x81\x05hello"sv, 1002},              // not masked
        {"\xC1\x80\0\0\0\0"sv, 1002},           // RSV1
        {"\x83\x80\0\0\0\0"sv, 1002},           // a reserved opcode
        {"\x80\x80\0\0\0\0"sv, 1002},           // continues nothing
        {"\x89\xFE\0\x7E"sv, 1002},             // a long ping
        {"\x82\xFF\x80\0\0\0\0\0\0\0"sv, 1002}, // the top bit
        {"\x82\xFF\0\0\0\0\x7F\0\0\0"sv, 1009}, // too large
        {"\x81\x81\0\0\0\0\xFF"sv, 1007},       // no UTF-8
    };
    if (client_.squeeze != nullptr)
      return break_a_rule_of_deflate();
    auto &what = plain[roll_.below(std::size(plain))];
    client_.offence = what.code;
    client_.send_raw(what.bytes);
  }

  void offend(int code, unsigned first, std::string_view payload)
  {
    client_.offence = code;
    client_.send_frame((first & 0x80) != 0, static_cast<int>(first & 0x7F), payload);
  }

  void break_a_rule_of_deflate()
  {
    using support::bit_writer;
    switch (roll_.below(client_.agreed.client_takeover ? 8 : 9)) {
    case 0:
      return offend(1002, 0xC9, "ping"); // a control frame has RSV1
    case 1:
      offend(1002, 0x42, squeezed("in two"));
      return offend(1002, 0xC0, ""); // a further fragment has RSV1
    case 2:
      return offend(1002, 0xA1, ""); // RSV2
    case 3:
      return offend(1007, 0xC2, "\x07"); // a block of the type that there is none of
    case 4:
      return offend(1007, 0xC2, bit_writer().block(false, 1).literals("no end").str());
    case 5:
      return offend(1007, 0xC1, squeezed("no text \xFF\xFF"));
    case 6:
      return offend(1009, 0xC2, squeezed(std::string((1 << 20) + 1, 'z')));
    case 7:
      return offend(1007, 0xC2, bit_writer().stored("wrong", false, 1).str());
    default: // a distance of 1 with nothing there
      return offend(1007, 0xC2, bit_writer().block(false, 1).match_258(0, 0, 0).symbol(256).str());
    }
  }

  std::string squeezed(std::string_view payload)
  {
    return client_.squeeze->squeeze(payload);
  }

  world &world_;
  const flavour &flavour_;
  dice roll_;
  unsigned steps_;
  bool waiting_ = false, over_ = false;
  client &client_;
};

// Who does not get as far as a WebSocket: plain words or noise on a port that speaks TLS, and
// handshakes that are broken off.
class intruder
{
public:
  intruder(world &w, dice &roll, client_manners manners) : world_(w), kind_(roll.below(6))
  {
    manners.tries_again = false;
    manners.veil.on = kind_ > 2;
    client_ = &w.add_client(manners);
    client_->offence = kind_ == 0 ? 400 : 0;
    size_t noise = 1 + roll.below(400);
    uint64_t begins = roll.below(5 * NS_PER_MS), lasts = roll.below(3 * NS_PER_MS);
    w.k.after(begins, [this, noise] { begin(noise); });
    w.k.after(begins + lasts, [this] { leave(); });
  }

private:
  void begin(size_t noise)
  {
    client_->connect(kind_ == 0 ? "/whole" : "");
    std::string bytes;
    while (kind_ < 3 && kind_ > 0 && bytes.size() < noise)
      bytes += static_cast<char>(world_.k.roll.next());
    if (kind_ == 2)
      bytes[0] = 22; // a record of the handshake's type, at least
    if (!bytes.empty() && !client_->ended)
      client_->send_raw(bytes);
  }

  void leave()
  {
    if (client_->ended || client_->socket == nullptr)
      return;
    if (kind_ == 4)
      client_->send_end();
    else if (kind_ == 5)
      client_->send_reset();
    else if (kind_ != 0)
      client_->send_fin();
  }

  world &world_;
  const uint64_t kind_;
  client *client_;
};

world_options options_of(dice &roll, const flavour &f)
{
  world_options o = draw_options(roll, {f.faults, f.drips, f.starved});
  if (f.starved) {
    o.max_files = 9 + roll.below(4);
    o.server.max_connections = WEIR_OFF;
  }
  if (f.crowds) {
    o.server.max_connections = roll.between(1, 4);
    o.server.max_handshakes = roll.between(1, 4);
    if (roll.chance(500)) // all of them have one address
      o.server.max_connections_per_address = roll.between(1, 4);
  }
  if (f.overflows) {
    o.lossy = true;
    o.route.max_queued_bytes = roll.between(300, 300000);
    o.route.max_queued_messages = roll.between(1, 50);
    o.route.queue_policy = roll.below(4);
  }
  o.foreign = roll.chance(250);
  o.mischief = f.breaks;
  if (roll.chance(200))
    o.server.busy_poll_us = roll.between(1, 100);
  return o;
}

// Of permessage-deflate; in dice of its own, so that the other stories stay what they were.
void compress(dice &roll, const flavour &f, world_options &o)
{
  static const size_t thresholds[] = {0, 1, 1, 16, 200, WEIR_OFF};
  if (!f.deflates)
    return;
  o.patience_ms = 8000;
  weir_route_options &r = o.route;
  r.compression = roll.chance(600) ? WEIR_COMPRESSION_DEDICATED : WEIR_COMPRESSION_SHARED;
  r.compression_threshold = thresholds[roll.below(std::size(thresholds))];
  r.compression_level = roll.below(10);
  r.server_window_bits = roll.chance(500) ? 0 : roll.between(9, 15);
  r.client_window_bits = roll.chance(600) ? 0 : roll.between(8, 15);
  if (roll.chance(200))
    o.server.max_compression_bytes = roll.between(1, 400000);
  if (!f.overflows)
    return;
  // What was compressed must often find a queue full.
  r.max_queued_bytes = size_t{200} << roll.below(9);
  r.queue_policy = roll.chance(150) ? size_t{WEIR_QUEUE_CLOSE} : roll.between(1, 3);
  o.sndbuf = roll.between(64, 3000);
}

client_manners manners_of(dice &roll)
{
  client_manners m;
  m.max_packet = roll.chance(300) ? roll.between(1, 40) : roll.between(100, 100000);
  m.packet_gap_ns = roll.chance(300) ? 0 : roll.below(100000);
  m.max_read = roll.chance(300) ? roll.between(200, 3000) : roll.between(3000, 300000);
  m.read_gap_ns = roll.chance(300) ? 0 : roll.below(200000);
  return m;
}

// Whether a rule that a client broke brought the Close frame that it should; or an answer in plain
// words, where it did not speak TLS.
bool answered(world &w, client &c)
{
  if (c.offence == 400)
    return c.status == 400 || c.was_reset || w.stopped || w.drained_by != 0 ||
           w.options.faults.accept_error != 0 || w.options.max_files < 1024;
  session *s = w.session_of(c);
  return c.close_got == c.offence || s->closing || w.stopped || w.options.lossy ||
         !w.failures.empty();
}

// What a client must have seen of a connection that the server ended in order.
void check_end(world &w, client &c)
{
  session *s = w.session_of(c);
  if (c.offence != 0 && (c.open || c.offence == 400) && !answered(w, c))
    w.fail("no answer " + std::to_string(c.offence) + " for " + c.describe());
  if (s == nullptr || s->close_code == 1006 || c.was_reset || c.broke_off || w.stopped)
    return;
  if (c.close_got == 0)
    w.fail("on_close(" + std::to_string(s->close_code) + ") but no Close for " + c.describe());
  if (c.cut_short && !s->closing)
    w.fail("no close_notify for " + c.describe());
  if (c.unfinished())
    w.fail("half a frame at the end of " + c.describe());
}

// The server ends when nobody is left, and in the turn of its deadline at the latest.
void check_drained(world &w)
{
  constexpr uint64_t turn = 20 * NS_PER_MS; // where the clock is slow
  w.run_until([&] { return weir_server_loop(w.server, 0) == nullptr; });
  for (session &s : w.sessions)
    if (w.drained_by != 0 && s.closed_at > w.drained_by + turn)
      w.fail("on_close came after the deadline");
  if (w.failures.empty() && w.k.now() > w.drained_by + turn && !w.stopped)
    w.fail("the server served on after its deadline");
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

} // namespace

void tell(uint64_t seed, const flavour &f, plant bug,
          const std::function<void(const world &)> &judge)
{
  dice roll(seed * 2654435761u + 1), more(seed * 2654435761u + 2);
  world_options options = options_of(roll, f);
  compress(more, f, options);
  options.secure = f.secure;
  options.local = f.local;
  options.proxied = f.proxied;
  options.faults.slow_clock = f.secure && f.faults ? draw_rate(more, 300) : 0;
  world w(seed, options);
  present = &w;
  listen_for_death();
  w.k.bug = bug;
  w.k.planted_at = static_cast<unsigned>(roll.between(1, 40));
  if (int error = w.set_up(); error != 0)
    w.fail("set-up: " + std::string(weir_strerror(error)));
  std::deque<player> players;
  size_t count = f.starved || f.crowds ? roll.between(4, 16) : roll.between(1, 7);
  for (size_t i = 0; i < count && w.failures.empty(); ++i) {
    unsigned steps = static_cast<unsigned>(roll.between(1, 30));
    client_manners manners = manners_of(roll);
    manners.whims = more.next();
    manners.veil = {f.secure, more.chance(300), more.chance(300)};
    if (f.deflates && more.chance(800))
      manners.asked = offer::of(more);
    players.emplace_back(w, f, steps, manners);
  }
  std::deque<intruder> intruders;
  while (f.secure && f.breaks && w.failures.empty() && more.chance(600))
    intruders.emplace_back(w, more, manners_of(more));
  if (f.breaks && roll.chance(100))
    w.k.after(roll.below(200 * NS_PER_MS), [&] { w.stop(); });
  if (f.drains)
    w.k.after(more.below(30 * NS_PER_MS), [&w, ms = more.below(3000)] { w.drain(ms); });
  w.run_until([&] { return w.all_over() && (!f.drains || w.drained_by != 0 || w.stopped); });
  if (f.drains)
    check_drained(w);
  if (w.failures.empty() && roll.chance(500)) {
    w.run_for(6000);
    struct weir_counters counters;
    weir_server_counters(w.server, &counters);
    if (counters.compression_bytes != 0)
      w.fail("contexts of nobody hold " + std::to_string(counters.compression_bytes) + " bytes");
  }
  for (client &c : w.clients)
    check_end(w, c);
  w.tear_down();
  present = nullptr;
  judge(w);
}

seeds seeds_to_run(uint64_t count)
{
  if (const char *seed = std::getenv("WEIR_SIM_SEED"))
    return {std::strtoull(seed, nullptr, 0), 1};
  if (const char *runs = std::getenv("WEIR_SIM_RUNS"))
    count = std::strtoull(runs, nullptr, 0);
  return {1, count};
}

} // namespace sim
