// The bench tool's histogram against values that are known one by one.
#include "weir-bench/histogram.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <random>
#include <vector>

namespace
{

struct Freed {
  void operator()(histogram *held) const
  {
    histogram_free(held);
  }
};
using Histogram = std::unique_ptr<histogram, Freed>;

constexpr uint64_t greatest = (uint64_t{1} << 44) - 1;
constexpr double percents[] = {0.001, 1, 10, 25, 50, 75, 90, 99, 99.9, 99.99, 99.9999};

Histogram of(const std::vector<uint64_t> &values)
{
  Histogram made(histogram_new());
  for (uint64_t value : values)
    histogram_add(made.get(), value);
  return made;
}

// Never below the true value, and above it by less than its 128th.
void expect_close(uint64_t found, uint64_t expected, const std::string &what)
{
  EXPECT_GE(found, expected) << what;
  EXPECT_LE(found, expected + expected / 128) << what;
}

void expect_percentiles(std::vector<uint64_t> values)
{
  const Histogram made = of(values);
  std::sort(values.begin(), values.end());
  for (double percent : percents) {
    const double rank = std::ceil(percent / 100 * double(values.size()) - 1e-6);
    const uint64_t expected = values[size_t(std::max(rank, 1.0)) - 1];
    expect_close(histogram_percentile(made.get(), percent), expected,
                 std::to_string(percent) + " %");
  }
}

TEST(BenchHistogram, IsEmptyAtFirst)
{
  const Histogram made = of({});
  EXPECT_EQ(histogram_count(made.get()), 0u);
  EXPECT_EQ(histogram_min(made.get()), 0u);
  EXPECT_EQ(histogram_max(made.get()), 0u);
  EXPECT_EQ(histogram_mean(made.get()), 0);
  for (double percent : {0.0, 50.0, 100.0})
    EXPECT_EQ(histogram_percentile(made.get(), percent), 0u);
}

TEST(BenchHistogram, KnowsOneValueExactly)
{
  for (uint64_t value : {uint64_t{0}, uint64_t{1}, uint64_t{255}, uint64_t{256}, uint64_t{257},
                         uint64_t{999'999'999}, greatest}) {
    const Histogram made = of({value});
    for (double percent : {0.0, 0.1, 50.0, 99.9999, 100.0})
      EXPECT_EQ(histogram_percentile(made.get(), percent), value);
    EXPECT_EQ(histogram_mean(made.get()), double(value));
  }
}

TEST(BenchHistogram, IsExactBelow256)
{
  std::vector<uint64_t> values;
  for (uint64_t value = 0; value < 256; value++)
    values.push_back(value);
  const Histogram made = of(values);
  for (uint64_t rank = 1; rank <= 256; rank++)
    EXPECT_EQ(histogram_percentile(made.get(), double(rank) * 100 / 256), rank - 1);
  EXPECT_EQ(histogram_mean(made.get()), 127.5);
}

TEST(BenchHistogram, BoundsTheErrorOfEveryLength)
{
  for (unsigned bits = 8; bits < 44; bits++) {
    const uint64_t power = uint64_t{1} << bits;
    for (uint64_t value :
         {power - 1, power, power + 1, power + power / 128 - 1, power + power / 3, 2 * power - 1}) {
      const Histogram made = of({value, greatest});
      expect_close(histogram_percentile(made.get(), 50), value, std::to_string(value));
    }
  }
}

TEST(BenchHistogram, HoldsKnownDistributions)
{
  std::mt19937_64 dice(7);
  std::uniform_int_distribution<uint64_t> uniform(0, 10'000'000);
  std::exponential_distribution<double> exponential(1e-5);
  std::lognormal_distribution<double> lognormal(12, 3);
  std::vector<uint64_t> even, waits, tails;
  for (int i = 0; i < 100'000; i++) {
    even.push_back(uniform(dice));
    waits.push_back(uint64_t(exponential(dice)));
    tails.push_back(std::min(uint64_t(lognormal(dice)), greatest));
  }
  expect_percentiles(even);
  expect_percentiles(waits);
  expect_percentiles(tails);
}

TEST(BenchHistogram, FindsTheOneAmongAThousand)
{
  std::vector<uint64_t> values(999, 100);
  values.push_back(5'000'000);
  const Histogram made = of(values);
  EXPECT_EQ(histogram_percentile(made.get(), 99.9), 100u);
  EXPECT_EQ(histogram_percentile(made.get(), 99.91), 5'000'000u);
  EXPECT_EQ(histogram_percentile(made.get(), 0), 100u);
  EXPECT_EQ(histogram_percentile(made.get(), 100), 5'000'000u);
}

TEST(BenchHistogram, CountsWhatIsTooLongAsTheGreatest)
{
  const Histogram made = of({5, greatest + 1, UINT64_MAX});
  EXPECT_EQ(histogram_count(made.get()), 3u);
  EXPECT_EQ(histogram_max(made.get()), greatest);
  EXPECT_EQ(histogram_percentile(made.get(), 50), greatest);
}

TEST(BenchHistogram, MergesAsIfAllHadBeenAddedToOne)
{
  std::mt19937_64 dice(11);
  std::uniform_int_distribution<uint64_t> length(0, 43);
  std::vector<uint64_t> all, parts[2];
  for (int i = 0; i < 10'000; i++) {
    const uint64_t value = dice() & ((uint64_t{2} << length(dice)) - 1) & greatest;
    all.push_back(value);
    parts[dice() % 2].push_back(value);
  }
  const Histogram whole = of(all), merged = of(parts[0]), other = of(parts[1]);
  histogram_merge(merged.get(), other.get());
  EXPECT_EQ(histogram_count(merged.get()), 10'000u);
  EXPECT_EQ(histogram_min(merged.get()), histogram_min(whole.get()));
  EXPECT_EQ(histogram_max(merged.get()), histogram_max(whole.get()));
  EXPECT_EQ(histogram_mean(merged.get()), histogram_mean(whole.get()));
  for (double percent : percents)
    EXPECT_EQ(histogram_percentile(merged.get(), percent),
              histogram_percentile(whole.get(), percent));
}

TEST(BenchHistogram, MergesWithAnEmptyOne)
{
  const Histogram some = of({7, 9}), none = of({});
  histogram_merge(some.get(), none.get());
  EXPECT_EQ(histogram_min(some.get()), 7u);
  histogram_merge(none.get(), some.get());
  EXPECT_EQ(histogram_min(none.get()), 7u);
  EXPECT_EQ(histogram_max(none.get()), 9u);
}

TEST(BenchHistogram, ForgetsWhenReset)
{
  const Histogram made = of({7, 70'000});
  histogram_reset(made.get());
  EXPECT_EQ(histogram_count(made.get()), 0u);
  EXPECT_EQ(histogram_percentile(made.get(), 50), 0u);
  histogram_add(made.get(), 3);
  EXPECT_EQ(histogram_min(made.get()), 3u);
  EXPECT_EQ(histogram_max(made.get()), 3u);
}

} // namespace
