// Stories by seed: whole servers among clients, in fair and foul weather. WEIR_SIM_SEED=n tells
// the story of one seed again, WEIR_SIM_RUNS=n those of the first n.
#include "story.hpp"

#include <gtest/gtest.h>

namespace
{

const sim::flavour flavours[] = {
    {"calm", false, false, false, false},
    {"faulty", true, false, false, false},
    {"broken_off", true, true, false, false},
    {"starved", true, true, true, false},
    {"overflowing", true, true, false, true},
    {.name = "deflated", .deflates = true},
    {.name = "deflated_foul", .faults = true, .breaks = true, .deflates = true},
    {.name = "deflated_overflowing",
     .faults = true,
     .breaks = true,
     .overflows = true,
     .deflates = true},
    {.name = "secure", .faults = true, .secure = true},
    {.name = "secure_foul", .faults = true, .breaks = true, .secure = true},
    {.name = "secure_starved", .faults = true, .breaks = true, .starved = true, .secure = true},
    {.name = "secure_overflowing",
     .faults = true,
     .breaks = true,
     .overflows = true,
     .secure = true},
    {.name = "local", .faults = true, .breaks = true, .secure = true, .local = true},
    {.name = "proxied", .faults = true, .breaks = true, .secure = true, .proxied = true},
    {.name = "proxied_drip",
     .faults = true,
     .breaks = true,
     .drips = true,
     .proxied = true,
     .local = true},
    {.name = "secure_drip",
     .faults = true,
     .breaks = true,
     .deflates = true,
     .secure = true,
     .drips = true},
    {.name = "secure_deflated", .faults = true, .breaks = true, .deflates = true, .secure = true},
    {.name = "secure_deflated_overflowing",
     .faults = true,
     .breaks = true,
     .overflows = true,
     .deflates = true,
     .secure = true},
    {.name = "crowded", .faults = true, .breaks = true, .crowds = true},
    {.name = "draining", .faults = true, .drains = true},
    {.name = "draining_foul", .faults = true, .breaks = true, .secure = true, .drains = true},
    {.name = "drip", .faults = true, .breaks = true, .deflates = true, .drips = true},
};

class stories : public testing::TestWithParam<sim::flavour>
{
};

// What the flavour is about has happened.
void expect_all_kinds(const struct weir_counters &sum, const sim::flavour &f, uint64_t count)
{
  uint64_t due = count < 50 ? 0 : count;
  EXPECT_GE(sum.tls_handshakes, f.secure ? due : 0);
  EXPECT_GE(sum.messages_compressed, f.deflates ? due : 0);
  EXPECT_GE(sum.messages_inflated, f.deflates ? due : 0);
  EXPECT_GE(sum.twins_compressed, f.deflates ? due : 0);
  EXPECT_GE(sum.turned_away, f.crowds ? due : 0);
  testing::Test::RecordProperty("handshakes", static_cast<int>(sum.tls_handshakes));
  testing::Test::RecordProperty("compressed", static_cast<int>(sum.messages_compressed));
  testing::Test::RecordProperty("inflated", static_cast<int>(sum.messages_inflated));
  testing::Test::RecordProperty("twins", static_cast<int>(sum.twins_compressed));
}

TEST_P(stories, ends_well)
{
  auto [first, count] = sim::seeds_to_run(GetParam().secure || GetParam().deflates ? 60 : 100);
  struct weir_counters sum = {};
  for (uint64_t seed = first; seed < first + count; ++seed) {
    bool good = true;
    sim::tell(seed, GetParam(), sim::plant::none, [&](const sim::world &w) {
      good = w.failures.empty();
      EXPECT_TRUE(good) << w.report();
      sum.tls_handshakes += w.counters.tls_handshakes;
      sum.messages_compressed += w.counters.messages_compressed;
      sum.messages_inflated += w.counters.messages_inflated;
      sum.twins_compressed += w.counters.twins_compressed;
      sum.turned_away += w.counters.turned_away;
    });
    if (!good)
      return;
  }
  expect_all_kinds(sum, GetParam(), count);
}

// A seed is a run for ever, TLS included: the same events at the same times, the same lengths.
TEST(story, is_told_alike_again)
{
  sim::flavour f{.name = "all", .faults = true, .breaks = true, .deflates = true, .secure = true};
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    std::string first;
    sim::tell(seed, f, sim::plant::none, [&](const sim::world &w) { first = w.k.trace(); });
    sim::tell(seed, f, sim::plant::none,
              [&](const sim::world &w) { EXPECT_EQ(w.k.trace(), first); });
  }
}

INSTANTIATE_TEST_SUITE_P(flavours, stories, testing::ValuesIn(flavours),
                         [](const auto &info) { return std::string(info.param.name); });

} // namespace
