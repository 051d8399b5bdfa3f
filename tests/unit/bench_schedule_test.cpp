// The bench tool's arithmetic of time and rates.
#include "weir-bench/schedule.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace
{

TEST(BenchSchedule, SpacesAllMessagesEvenly)
{
  const struct schedule schedule = schedule_of(5000, 1e6, 4);
  std::vector<std::uint64_t> due;
  for (unsigned round = 0; round < 3; round++)
    for (unsigned member = 0; member < 4; member++)
      due.push_back(schedule_due(&schedule, round, member));
  for (std::size_t i = 0; i < due.size(); i++)
    EXPECT_EQ(due[i], 5000 + 1000 * i);
}

TEST(BenchSchedule, KeepsTheRateForHours)
{
  const struct schedule schedule = schedule_of(0, 3e6, 7);
  const std::uint64_t rounds = 3600ull * 10 * 3000000 / 7;
  EXPECT_NEAR(static_cast<double>(schedule_due(&schedule, rounds, 0)), 3600e9 * 10, 3000);
}

// The rates that a search tries against a server that sustains so many.
std::vector<double> search(double first, double sustained, struct knee *knee)
{
  std::vector<double> tried;
  *knee = knee_begin(first);
  while (knee->next > 0) {
    tried.push_back(knee->next);
    knee_tell(knee, knee->next <= sustained);
  }
  return tried;
}

TEST(BenchKnee, IsFoundFromBelowAndFromAbove)
{
  for (double sustained : {1000.0, 1500.0, 77777.0, 3.2e6, 300.0, 40.0}) {
    struct knee knee;
    auto tried = search(1000, sustained, &knee);
    EXPECT_LE(knee.good, sustained);
    EXPECT_GT(knee.good, sustained / 1.05) << sustained;
    EXPECT_LE(tried.size(), 22u);
  }
}

TEST(BenchKnee, DoublesAndThenBisects)
{
  struct knee knee;
  auto tried = search(1000, 3100, &knee);
  EXPECT_EQ(tried, (std::vector<double>{1000, 2000, 4000, 3000, 3500, 3250, 3125, 3062.5}));
  EXPECT_EQ(knee.good, 3062.5);
}

TEST(BenchKnee, EndsWhereNothingHoldsAndWhereEverythingDoes)
{
  struct knee knee;
  search(1000, 0, &knee);
  EXPECT_EQ(knee.good, 0);
  auto tried = search(1000, 1e300, &knee);
  EXPECT_EQ(tried.size(), std::size_t{KNEE_TRIES});
}

TEST(BenchKnee, HoldsWithinOnePercentAndTheBound)
{
  EXPECT_TRUE(knee_held(1000, 990, 500, 500));
  EXPECT_FALSE(knee_held(1000, 989, 500, 500));
  EXPECT_FALSE(knee_held(1000, 1000, 501, 500));
}

} // namespace
