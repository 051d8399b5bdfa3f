// The bench tool's lists of CPUs.
#include "weir-bench/cpus.h"

#include <gtest/gtest.h>

#include <sched.h>

#include <cerrno>
#include <thread>
#include <vector>

namespace
{

TEST(BenchCpus, AreCountedAndFound)
{
  const std::pair<const char *, std::vector<int>> cases[] = {
      {"0", {0}},       {"7", {7}},
      {"1,0", {1, 0}},  {"0-3", {0, 1, 2, 3}},
      {"2-2", {2}},     {"0-1,6,4-5", {0, 1, 6, 4, 5}},
      {"1023", {1023}},
  };
  for (const auto &[list, expected] : cases) {
    ASSERT_EQ(cpus_count(list), int(expected.size())) << list;
    for (unsigned i = 0; i < 2 * expected.size(); i++)
      EXPECT_EQ(cpus_at(list, i), expected[i % expected.size()]) << list << " at " << i;
  }
}

TEST(BenchCpus, AreRefused)
{
  for (const char *list : {"", ",", "0,", ",0", "a", "-1", "0-", "3-1", "0 1", "0x1", "1024", "0,0",
                           "0-2,1", "99999999999999999999"}) {
    EXPECT_EQ(cpus_count(list), -EINVAL) << list;
    EXPECT_EQ(cpus_at(list, 0), -EINVAL) << list;
    EXPECT_EQ(cpus_pin(list, 0), -EINVAL) << list;
  }
}

TEST(BenchCpus, PinTheCallingThreadAlone)
{
  cpu_set_t all, pinned;
  ASSERT_EQ(sched_getaffinity(0, sizeof all, &all), 0);
  int cpu = 0;
  while (!CPU_ISSET(cpu, &all))
    cpu++;
  std::thread([&] {
    EXPECT_EQ(cpus_pin(std::to_string(cpu).c_str(), 5), 0);
    EXPECT_EQ(sched_getaffinity(0, sizeof pinned, &pinned), 0);
  }).join();
  EXPECT_EQ(CPU_COUNT(&pinned), 1);
  EXPECT_TRUE(CPU_ISSET(cpu, &pinned));
  EXPECT_EQ(cpus_pin("1023", 0), -EINVAL) << "this machine has no CPU 1023";
}

} // namespace
