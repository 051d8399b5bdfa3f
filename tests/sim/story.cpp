#include "story.hpp"

#include <csignal>
#include <cstdio>
#include <cstdlib>

namespace sim
{

namespace
{

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
    world_.k.after(roll_.below(most), [this] { next(); });
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

  void act()
  {
    static const char tame[] = "eeeemmffaaoottTTssugPpn";
    static const char wild[] = "eeeemmffaaoottTTssugPpnxXkK";
    unsigned what = static_cast<unsigned>(roll_.below(100));
    if (what < 75)
      say(flavour_.breaks ? wild[roll_.below(sizeof wild - 1)]
                          : tame[roll_.below(sizeof tame - 1)]);
    else if (what < 80)
      client_.send_frame(true, 9, std::string(roll_.below(126), 'p'));
    else if (what < 83 && flavour_.faults)
      client_.send_urgent('!');
    else if (what < 88)
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
      return client_.send_fin();
    if (how == 4)
      return break_a_rule();
    bool bare = roll_.chance(200);
    client_.send_close(bare ? 1005 : 1000 + static_cast<int>(roll_.below(4)), bare ? "" : "bye");
    if (how == 3)
      client_.send_fin();
  }

  void break_a_rule()
  {
    static const struct {
      std::string_view bytes;
      int code;
    } offences[] = {
        {std::string_view("\x81\x05hello", 7), 1002},               // not masked
        {std::string_view("\xC1\x80\0\0\0\0", 6), 1002},            // RSV1
        {std::string_view("\x83\x80\0\0\0\0", 6), 1002},            // a reserved opcode
        {std::string_view("\x80\x80\0\0\0\0", 6), 1002},            // continues nothing
        {std::string_view("\x89\xFE\0\x7E", 4), 1002},              // a long ping
        {std::string_view("\x82\xFF\x80\0\0\0\0\0\0\0", 10), 1002}, // the top bit
        {std::string_view("\x82\xFF\0\0\0\0\x7F\0\0\0", 10), 1009}, // too large
        {std::string_view("\x81\x81\0\0\0\0\xFF", 7), 1007},        // no UTF-8
    };
    auto &offence = offences[roll_.below(std::size(offences))];
    client_.offence = offence.code;
    client_.send_raw(offence.bytes);
  }

  world &world_;
  const flavour &flavour_;
  dice roll_;
  unsigned steps_;
  bool waiting_ = false, over_ = false;
  client &client_;
};

unsigned rate(dice &roll, unsigned most)
{
  return roll.chance(500) ? static_cast<unsigned>(roll.below(most)) : 0;
}

fault_rates faults_of(dice &roll, const flavour &f)
{
  fault_rates r;
  if (f.faults) {
    r.short_read = rate(roll, 500);
    r.again_read = rate(roll, 200);
    r.short_send = rate(roll, 400);
    r.again_send = rate(roll, 200);
    r.interrupt = rate(roll, 200);
    r.shuffle = rate(roll, 500);
    r.duplicate = rate(roll, 300);
    r.spurious = rate(roll, 200);
    r.late_reset = rate(roll, 1000);
  }
  if (f.starved)
    r.accept_error = rate(roll, 300);
  return r;
}

world_options options_of(dice &roll, const flavour &f)
{
  world_options o;
  o.faults = faults_of(roll, f);
  o.sndbuf = roll.chance(400) ? roll.between(64, 5000) : roll.between(5000, 300000);
  o.rcvbuf = roll.chance(300) ? roll.between(64, 5000) : roll.between(5000, 300000);
  o.route.max_queued_bytes = o.route.max_queued_messages = WEIR_OFF;
  if (f.starved)
    o.max_files = 9 + roll.below(4);
  if (f.overflows) {
    o.lossy = true;
    o.route.max_queued_bytes = roll.between(300, 300000);
    o.route.max_queued_messages = roll.between(1, 50);
    o.route.queue_policy = roll.chance(600) ? WEIR_QUEUE_DROP_NEWEST : WEIR_QUEUE_CLOSE;
  }
  o.foreign = roll.chance(250);
  o.mischief = f.breaks;
  if (roll.chance(200))
    o.server.busy_poll_us = roll.between(1, 100);
  return o;
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

// Whether a rule that a client broke brought the Close frame that it should.
bool answered(world &w, client &c)
{
  session *s = w.session_of(c);
  return c.close_got == c.offence || s->closing || w.stopped || w.options.lossy ||
         !w.failures.empty();
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
  dice roll(seed * 2654435761u + 1);
  world w(seed, options_of(roll, f));
  present = &w;
  listen_for_death();
  w.k.bug = bug;
  w.k.planted_at = static_cast<unsigned>(roll.between(1, 40));
  if (int error = w.set_up(); error != 0)
    w.fail("set-up: " + std::string(weir_strerror(error)));
  std::deque<player> players;
  size_t count = f.starved ? roll.between(4, 16) : roll.between(1, 7);
  for (size_t i = 0; i < count && w.failures.empty(); ++i)
    players.emplace_back(w, f, static_cast<unsigned>(roll.between(1, 30)), manners_of(roll));
  if (f.breaks && roll.chance(100))
    w.k.after(roll.below(200 * NS_PER_MS), [&] { w.stop(); });
  w.run_until([&] { return w.all_over(); });
  if (w.failures.empty() && roll.chance(500))
    w.run_for(6000);
  for (client &c : w.clients)
    if (c.offence != 0 && c.open && !answered(w, c))
      w.fail("no Close " + std::to_string(c.offence) + " for " + c.describe());
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
