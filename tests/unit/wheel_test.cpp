#include "io/wheel.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <list>
#include <random>

namespace
{

constexpr uint64_t TICK = WEIR__WHEEL_TICK_MS, ROUND = TICK * WEIR__WHEEL_SLOTS;

size_t length(const weir__link &list)
{
  size_t count = 0;
  for (const weir__link *link = list.next; link != &list; link = link->next)
    count++;
  return count;
}

class wheel : public testing::Test
{
protected:
  weir__wheel w;
  weir__link due;

  wheel()
  {
    weir__list_init(&due);
  }
};

TEST_F(wheel, brings_a_node_up_within_two_ticks_and_never_early)
{
  for (uint64_t now = 0; now < 3 * TICK; now += 7) {
    for (uint64_t delay : {uint64_t{0}, uint64_t{1}, uint64_t{63}, uint64_t{64}, uint64_t{65},
                           uint64_t{1000}, ROUND - 2 * TICK}) {
      SCOPED_TRACE(testing::Message() << now << " + " << delay);
      weir__link node{};
      weir__wheel_init(&w, now);
      weir__wheel_add(&w, &node, delay);
      uint64_t next = weir__wheel_next(&w);
      EXPECT_GE(next, now + delay);
      EXPECT_LE(next, now + delay + 2 * TICK);
      weir__wheel_advance(&w, next - 1, &due);
      EXPECT_TRUE(weir__list_empty(&due));
      weir__wheel_advance(&w, next, &due);
      EXPECT_EQ(due.next, &node);
      EXPECT_EQ(weir__wheel_next(&w), UINT64_MAX);
      weir__wheel_remove(&w, &node);
    }
  }
}

TEST_F(wheel, brings_a_node_past_the_round_up_after_a_round)
{
  for (uint64_t delay : {ROUND, 10 * ROUND, UINT64_MAX}) {
    weir__link node{};
    weir__wheel_init(&w, 12345);
    weir__wheel_add(&w, &node, delay);
    EXPECT_EQ(weir__wheel_next(&w), (12345 / TICK + WEIR__WHEEL_SLOTS) * TICK);
    weir__wheel_advance(&w, weir__wheel_next(&w) - 1, &due);
    EXPECT_TRUE(weir__list_empty(&due));
    weir__wheel_advance(&w, 12345 + ROUND, &due);
    EXPECT_EQ(due.next, &node);
    weir__wheel_remove(&w, &node);
  }
}

TEST_F(wheel, brings_all_up_when_time_jumps)
{
  weir__link nodes[100]{};
  weir__wheel_init(&w, 5);
  for (size_t i = 0; i < 100; i++)
    weir__wheel_add(&w, &nodes[i], i * ROUND / 100);
  weir__wheel_advance(&w, 5 + 1000 * ROUND, &due);
  EXPECT_EQ(length(due), 100u);
  EXPECT_EQ(due.next, &nodes[0]);
  EXPECT_EQ(due.prev, &nodes[99]);
  EXPECT_EQ(w.tick, (5 + 1000 * ROUND) / TICK);
}

TEST_F(wheel, forgets_what_is_removed)
{
  weir__link a{}, b{}, never{};
  weir__wheel_init(&w, 0);
  weir__wheel_add(&w, &a, 100);
  weir__wheel_add(&w, &b, 100);
  weir__wheel_remove(&w, &a);
  weir__wheel_remove(&w, &never);
  EXPECT_NE(weir__wheel_next(&w), UINT64_MAX);
  weir__wheel_remove(&w, &b);
  EXPECT_EQ(weir__wheel_next(&w), UINT64_MAX);
  weir__wheel_add(&w, &a, 100);
  weir__wheel_advance(&w, 1000, &due);
  weir__wheel_remove(&w, &a); // due, not handled yet
  EXPECT_TRUE(weir__list_empty(&due));
}

TEST_F(wheel, does_not_go_back)
{
  weir__wheel_init(&w, 10000);
  weir__wheel_advance(&w, 1, &due);
  EXPECT_EQ(w.tick, 10000 / TICK);
}

struct item {
  weir__link node{};
  uint64_t tick = 0; // at which it comes up
};

TEST_F(wheel, agrees_with_a_list)
{
  for (unsigned seed = 1; seed <= 20; seed++) {
    SCOPED_TRACE(seed);
    std::mt19937_64 random(seed);
    std::list<item> all;
    uint64_t now = random() >> 30;
    weir__wheel_init(&w, now);
    for (int step = 0; step < 2000; step++) {
      if (random() % 2 == 0) {
        uint64_t delay = random() % (2 * ROUND) >> random() % 16;
        item &fresh = all.emplace_back();
        fresh.tick =
            now / TICK + std::min<uint64_t>(1 + (delay + TICK - 1) / TICK, WEIR__WHEEL_SLOTS);
        weir__wheel_add(&w, &fresh.node, delay);
      } else if (random() % 2 == 0 && !all.empty()) {
        weir__wheel_remove(&w, &all.front().node);
        all.pop_front();
      } else {
        now += random() % (2 * ROUND) >> random() % 18;
        weir__wheel_advance(&w, now, &due);
        size_t count = length(due);
        for (; !weir__list_empty(&due); weir__list_remove(due.next))
          ASSERT_LE(reinterpret_cast<item *>(due.next)->tick, now / TICK);
        ASSERT_EQ(count, std::erase_if(all, [&](item &i) { return i.tick <= now / TICK; }));
      }
      uint64_t first = UINT64_MAX;
      for (item &i : all)
        first = std::min(first, i.tick * TICK);
      ASSERT_EQ(weir__wheel_next(&w), first);
    }
  }
}

} // namespace
