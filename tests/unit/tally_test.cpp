// Reasons, codes and durations find their counters, and every counter has a name of its own.
#include "ws/tally.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace
{

TEST(tally, EveryReasonHasAName)
{
  std::set<std::string> names;
  for (int i = 0; i < WEIR__REJECTS; i++)
    EXPECT_TRUE(names.insert(weir__reject_name(static_cast<weir__reject>(i))).second) << i;
}

TEST(tally, StatusesHaveReasons)
{
  EXPECT_EQ(weir__reject_of(400), WEIR__REJECT_BAD_REQUEST);
  EXPECT_EQ(weir__reject_of(426), WEIR__REJECT_UPGRADE_REQUIRED);
  EXPECT_EQ(weir__reject_of(503), WEIR__REJECT_UNAVAILABLE);
  EXPECT_EQ(weir__reject_of(418), WEIR__REJECT_OTHER);
  EXPECT_EQ(weir__reject_of(599), WEIR__REJECT_OTHER);
}

TEST(tally, EveryCodeHasAPlace)
{
  const std::pair<int, const char *> codes[] = {
      {1000, "1000"}, {1006, "1006"}, {1015, "1015"}, {3000, "3xxx"},
      {3999, "3xxx"}, {4000, "4xxx"}, {4999, "4xxx"},
  };
  for (const auto &[code, expected] : codes) {
    char name[8];
    size_t index = weir__close_index(code);
    ASSERT_LT(index, static_cast<size_t>(WEIR__CLOSES)) << code;
    weir__close_name(name, index);
    EXPECT_STREQ(name, expected);
  }
}

TEST(tally, DurationsUpToABoundAreInItsBucket)
{
  weir__durations durations = {};
  uint64_t sum_us = 0;
  for (int i = 0; i < WEIR__BUCKETS; i++) {
    weir__durations_add(&durations, weir__bucket_us[i] * 1000);
    EXPECT_EQ(durations.counts[i], i == 0 ? 1u : 2u);
    weir__durations_add(&durations, (weir__bucket_us[i] + 1) * 1000);
    EXPECT_EQ(durations.counts[i + 1], 1u);
    sum_us += 2 * weir__bucket_us[i] + 1;
  }
  EXPECT_EQ(durations.sum_us, sum_us);
}

TEST(tally, EveryCounterIsSummed)
{
  weir__tally sum = {}, one = {};
  uint64_t *words = reinterpret_cast<uint64_t *>(&one);
  for (size_t i = 0; i < sizeof one / sizeof *words; i++)
    words[i] = i + 1;
  weir__tally_sum(&sum, &one);
  weir__tally_sum(&sum, &one);
  words = reinterpret_cast<uint64_t *>(&sum);
  for (size_t i = 0; i < sizeof sum / sizeof *words; i++)
    EXPECT_EQ(words[i], 2 * (i + 1));
}

} // namespace
