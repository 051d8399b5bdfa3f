// Stories by seed: whole servers among clients, in fair and foul weather. WEIR_SIM_SEED=n tells
// the story of one seed again, WEIR_SIM_RUNS=n those of the first n.
#include "story.hpp"

#include <gtest/gtest.h>

namespace
{

const sim::flavour flavours[] = {
    {"calm", false, false, false, false},     {"faulty", true, false, false, false},
    {"broken_off", true, true, false, false}, {"starved", true, true, true, false},
    {"overflowing", true, true, false, true},
};

class story : public testing::TestWithParam<sim::flavour>
{
};

TEST_P(story, ends_well)
{
  auto [first, count] = sim::seeds_to_run(100);
  for (uint64_t seed = first; seed < first + count; ++seed) {
    bool good = true;
    sim::tell(seed, GetParam(), sim::plant::none, [&](const sim::world &w) {
      good = w.failures.empty();
      EXPECT_TRUE(good) << w.report();
    });
    if (!good)
      break;
  }
}

INSTANTIATE_TEST_SUITE_P(flavours, story, testing::ValuesIn(flavours),
                         [](const auto &info) { return std::string(info.param.name); });

} // namespace
