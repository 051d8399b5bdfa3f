// Fail the Nth, for every N, until nothing fails: each allocation and each call that sets something
// up, in the clear and with TLS and compression (what OpenSSL allocates is outside the seam).
// Nothing may crash, leak or hang; what fails is told.
#include "world.hpp"

#include <gtest/gtest.h>

namespace
{

constexpr uint64_t STEP_NS = 3 * sim::NS_PER_MS;

// What the server speaks.
struct speech {
  const char *name;
  bool secure, deflates, local = false, proxied = false;
};

// Everything once: messages that span reads, fragments both ways, topics, broadcasts, posts, a
// pause, a refusal, a clean close, a reset.
void play(sim::world &w, const speech &spoken)
{
  sim::client_manners manners{
      .max_packet = 3000, .asked = {.made = spoken.deflates}, .veil = {.on = spoken.secure}};
  sim::client &one = w.add_client(manners);
  manners.asked.server_no_takeover = true;
  sim::client &two = w.add_client(manners);
  manners.tries_again = false;
  sim::client &lost = w.add_client(manners);
  one.connect("/whole");
  two.connect("/pieces");
  lost.connect("/nowhere");
  static const char verbs[] = "essefmtTaoPpgu";
  uint64_t at = 0;
  for (char verb : std::string_view(verbs))
    for (sim::client *c : {&one, &two})
      w.k.after(at += STEP_NS, [&w, c, verb] {
        if (!c->open || c->ended)
          return;
        w.command(*c, verb, '0', WEIR_TEXT, 40);
        w.command(*c, verb, '1', WEIR_TEXT, verb == 'm' || verb == 'e' ? 40000 : 200, 3);
        c->send_frame(true, 9, "ping");
      });
  w.k.after(at += STEP_NS, [&] { one.send_close(1000, "bye"); });
  w.k.after(at += STEP_NS, [&] { two.send_reset(); });
  w.run_until([&] { return one.ended && two.ended && lost.ended; });
  w.run_for(100);
}

// Whether it was reached.
bool shortage(const speech &spoken, uint64_t alloc, uint64_t call)
{
  sim::world_options options;
  options.secure = spoken.secure;
  options.local = spoken.local;
  options.proxied = spoken.proxied;
  if (spoken.deflates) {
    options.route.compression = WEIR_COMPRESSION_DEDICATED;
    options.route.compression_threshold = 1;
  }
  options.lossy = true;
  options.patience_ms = 12000;
  options.sndbuf = 3000;
  sim::world w(7, options);
  w.k.fail_alloc = alloc;
  w.k.fail_call = call;
  int error = w.set_up();
  if (error == 0) {
    play(w, spoken);
    w.tear_down();
  } else {
    EXPECT_LT(error, 0);
    EXPECT_EQ(w.loop, nullptr);
    EXPECT_EQ(w.server, nullptr);
  }
  EXPECT_TRUE(w.failures.empty()) << "allocation " << alloc << ", call " << call << "\n"
                                  << w.report();
  return alloc != 0 ? w.k.allocs >= alloc : w.k.calls >= call;
}

class shortages : public testing::TestWithParam<speech>
{
};

INSTANTIATE_TEST_SUITE_P(speeches, shortages,
                         testing::Values(speech{"plain", false, false}, speech{"tls", true, false},
                                         speech{"deflate", false, true}, speech{"both", true, true},
                                         speech{"local", false, false, true},
                                         speech{"proxied", false, false, false, true}),
                         [](const auto &info) { return std::string(info.param.name); });

TEST_P(shortages, of_memory)
{
  uint64_t n = 1;
  while (shortage(GetParam(), n, 0) && !HasFailure())
    ++n;
  EXPECT_GT(n, 20u);
  RecordProperty("allocations", static_cast<int>(n - 1));
}

TEST_P(shortages, of_what_calls_need)
{
  uint64_t n = 1;
  while (shortage(GetParam(), 0, n) && !HasFailure())
    ++n;
  EXPECT_GT(n, 10u);
  RecordProperty("calls", static_cast<int>(n - 1));
}

// The server has too few descriptors for its clients: it refuses, rests and recovers, and does not
// spin.
TEST(shortage, of_descriptors)
{
  sim::world_options options;
  options.max_files = 12;
  options.server.max_connections = WEIR_OFF;
  sim::world w(3, options);
  ASSERT_EQ(w.set_up(), 0);
  for (int i = 0; i < 30; ++i) {
    sim::client &c = w.add_client({});
    c.on_open = [&w, &c] { w.k.after(20 * sim::NS_PER_MS, [&c] { c.send_close(1000, ""); }); };
    c.connect("/whole");
  }
  w.run_until([&] { return w.all_over(); });
  struct weir_counters counters;
  ASSERT_EQ(weir_server_counters(w.server, &counters), 0);
  EXPECT_GT(counters.accept_paused, 0u);
  EXPECT_EQ(counters.opened, 30u);
  w.tear_down();
  EXPECT_TRUE(w.failures.empty()) << w.report();
}

} // namespace
