#include "io/loop.h"
#include "sys_fake.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <deque>
#include <random>
#include <vector>

namespace
{

class slots : public testing::Test
{
protected:
  sys_fake fake;
  weir__mem mem{&fake.sys, 0};
  weir__slots s{nullptr, 0, 0, WEIR__SLOTS_MAX};
  std::deque<weir__source> sources;

  ~slots() override
  {
    weir__slots_fini(&s, &mem);
    EXPECT_EQ(mem.bytes, 0u);
  }

  uint32_t take()
  {
    uint32_t slot;
    EXPECT_EQ(weir__slots_find(&s, &mem, &slot), 0);
    weir__slots_take(&s, slot, &sources.emplace_back());
    return slot;
  }
};

TEST_F(slots, gives_numbers_in_order_and_those_given_back_first)
{
  for (uint32_t i = 0; i < 3 * WEIR__SLOTS_CHUNK; i++)
    ASSERT_EQ(take(), i);
  weir__slots_give(&s, 7);
  weir__slots_give(&s, 300);
  EXPECT_EQ(weir__slot_source(weir__slot_at(&s, 7)), nullptr);
  EXPECT_EQ(weir__slot_at(&s, 7)->generation, 2u);
  EXPECT_EQ(take(), 300u);
  EXPECT_EQ(take(), 7u);
  EXPECT_EQ(weir__slot_source(weir__slot_at(&s, 7)), &sources.back());
  EXPECT_EQ(take(), 3u * WEIR__SLOTS_CHUNK);
}

TEST_F(slots, costs_little_more_than_its_slots)
{
  for (int i = 0; i < 10000; i++)
    take();
  EXPECT_LE(mem.bytes, 10000 * (sizeof(uintptr_t) + 4) * 103 / 100);
}

TEST_F(slots, stays_as_it_was_without_memory)
{
  uint32_t slot;
  for (size_t nth = 1; nth <= 2; nth++) { // the array, and the chunk
    fake.fail_at = fake.allocations + nth;
    EXPECT_EQ(weir__slots_find(&s, &mem, &slot), -ENOMEM);
    EXPECT_EQ(s.count, 0u);
  }
  EXPECT_EQ(weir__slots_find(&s, &mem, &slot), 0); // found, but not taken
  EXPECT_EQ(s.count, 0u);
  EXPECT_EQ(take(), 0u);
}

TEST_F(slots, agrees_with_a_list)
{
  std::mt19937 random{1};
  std::vector<uint32_t> taken;
  for (int i = 0; i < 10000; i++) {
    if (taken.empty() || random() % 3 != 0) {
      taken.push_back(take());
      continue;
    }
    size_t at = random() % taken.size();
    uint32_t generation = weir__slot_at(&s, taken[at])->generation;
    weir__slots_give(&s, taken[at]);
    EXPECT_NE(weir__slot_at(&s, taken[at])->generation, generation);
    taken[at] = taken.back();
    taken.pop_back();
  }
  size_t found = 0;
  for (uint32_t i = 0; i < s.count; i++)
    found += weir__slot_source(weir__slot_at(&s, i)) != nullptr;
  EXPECT_EQ(found, taken.size());
}

} // namespace
