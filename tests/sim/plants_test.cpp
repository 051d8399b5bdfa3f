// The detectors themselves: a kernel that loses one wake-up, or a server that stops reading or
// sending too early, must be found, and by its name.
#include "story.hpp"

#include <gtest/gtest.h>

namespace
{

using sim::plant;

struct planting {
  const char *name;
  plant bug;
};

const planting plantings[] = {
    {"lost_in_edge", plant::lost_in_edge},
    {"lost_out_edge", plant::lost_out_edge},
    {"silent_short_read", plant::silent_short_read},
    {"silent_short_send", plant::silent_short_send},
};

class planted : public testing::TestWithParam<planting>
{
};

bool found(const sim::world &w)
{
  return !w.failures.empty() && w.failures[0].find("a wake-up was lost") != std::string::npos;
}

// One client, one large echo through a small send buffer.
void echo(sim::world &w, plant bug)
{
  ASSERT_EQ(w.set_up(), 0);
  sim::client &c = w.add_client(
      {.max_packet = 1 << 30, .veil = {.on = w.options.secure}}); // else the next packet heals
  c.connect("/whole");
  w.run_until([&] { return c.open; });
  w.k.bug = bug;
  w.command(c, 'e', '0', WEIR_BINARY, 100000);
  w.run_until([&] { return w.settled(c); });
}

void expect_found_in_one_echo(plant bug, bool secure)
{
  sim::world_options options;
  options.sndbuf = 5000;
  options.rcvbuf = 200000;
  options.secure = secure;
  sim::world good(1, options);
  echo(good, plant::none);
  EXPECT_TRUE(good.failures.empty()) << good.report();
  sim::world bad(1, options);
  echo(bad, bug);
  EXPECT_TRUE(found(bad)) << bad.report();
}

TEST_P(planted, is_found_in_one_echo)
{
  expect_found_in_one_echo(GetParam().bug, false);
}

TEST_P(planted, is_found_in_one_echo_under_tls)
{
  expect_found_in_one_echo(GetParam().bug, true);
}

// At a random place of a random story, the next edge often heals what was lost; but not always.
TEST_P(planted, is_found_in_stories)
{
  const sim::flavour calm = {"calm", false, false, false, false};
  unsigned struck = 0;
  for (uint64_t seed = 1; seed <= 60; ++seed)
    sim::tell(seed, calm, GetParam().bug, [&](const sim::world &w) {
      struck += found(w);
      EXPECT_TRUE(w.failures.empty() || found(w)) << w.report();
    });
  EXPECT_GE(struck, 5u);
  RecordProperty("found", static_cast<int>(struck));
}

INSTANTIATE_TEST_SUITE_P(plants, planted, testing::ValuesIn(plantings),
                         [](const auto &info) { return std::string(info.param.name); });

} // namespace
