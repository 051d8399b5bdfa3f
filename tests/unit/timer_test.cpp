#include "io/timer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <random>
#include <vector>

namespace
{

struct item {
  weir__timer node{};
  uint64_t order = 0; // when it was added
};

item *item_of(weir__timer *timer)
{
  return reinterpret_cast<item *>(timer);
}

std::vector<uint64_t> take_all(weir__timers &timers)
{
  std::vector<uint64_t> times;
  while (weir__timer *timer = weir__timers_take(&timers))
    times.push_back(timer->at_ms);
  return times;
}

TEST(timer, comes_when_due_and_not_before)
{
  for (uint64_t start : {uint64_t{0}, uint64_t{63}, uint64_t{4095}, uint64_t{123456789}}) {
    for (uint64_t after : {uint64_t{1}, uint64_t{2}, uint64_t{63}, uint64_t{64}, uint64_t{65},
                           uint64_t{4096}, uint64_t{1} << 30, uint64_t{1} << 50}) {
      SCOPED_TRACE(testing::Message() << start << " + " << after);
      weir__timers timers;
      weir__timer timer{};
      weir__timers_init(&timers, start);
      weir__timers_add(&timers, &timer, start + after);
      weir__timers_advance(&timers, start + after - 1);
      EXPECT_EQ(weir__timers_take(&timers), nullptr);
      EXPECT_EQ(timers.count, 1u);
      weir__timers_advance(&timers, start + after);
      EXPECT_EQ(weir__timers_take(&timers), &timer);
      EXPECT_EQ(weir__timers_take(&timers), nullptr);
      EXPECT_EQ(timers.count, 0u);
    }
  }
}

TEST(timer, that_is_due_already_comes_next)
{
  weir__timers timers;
  weir__timer timer{};
  weir__timers_init(&timers, 100);
  weir__timers_add(&timers, &timer, 99);
  EXPECT_EQ(weir__timers_next(&timers), 100u);
  EXPECT_EQ(weir__timers_take(&timers), &timer);
}

TEST(timer, may_be_as_far_as_time_goes)
{
  weir__timers timers;
  weir__timer last{}, half{};
  weir__timers_init(&timers, 1);
  weir__timers_add(&timers, &last, UINT64_MAX);
  weir__timers_add(&timers, &half, UINT64_MAX / 2);
  weir__timers_advance(&timers, UINT64_MAX / 2);
  EXPECT_EQ(weir__timers_take(&timers), &half);
  weir__timers_advance(&timers, UINT64_MAX - 1);
  EXPECT_EQ(weir__timers_take(&timers), nullptr);
  weir__timers_advance(&timers, UINT64_MAX);
  EXPECT_EQ(weir__timers_take(&timers), &last);
}

TEST(timer, removed_never_comes)
{
  weir__timers timers;
  weir__timer a{}, b{}, never{};
  weir__timers_init(&timers, 0);
  weir__timers_add(&timers, &a, 10);
  weir__timers_add(&timers, &b, 10);
  weir__timers_remove(&timers, &a);
  weir__timers_remove(&timers, &a);
  weir__timers_remove(&timers, &never);
  EXPECT_EQ(timers.count, 1u);
  weir__timers_advance(&timers, 10);
  weir__timers_remove(&timers, &b); // due, not taken yet
  EXPECT_EQ(weir__timers_take(&timers), nullptr);
  EXPECT_EQ(weir__timers_next(&timers), UINT64_MAX);
}

TEST(timer, time_does_not_go_back)
{
  weir__timers timers;
  weir__timers_init(&timers, 100);
  weir__timers_advance(&timers, 50);
  EXPECT_EQ(timers.now_ms, 100u);
}

// Waking when next says takes a timer down at most once a level before it comes.
TEST(timer, is_reached_by_sleeping_until_next)
{
  std::mt19937_64 random(1);
  for (int round = 0; round < 2000; round++) {
    weir__timers timers;
    weir__timer timer{};
    uint64_t start = random() >> random() % 64, after = 1 + (random() >> random() % 64) / 2;
    if (after > UINT64_MAX - start)
      continue;
    weir__timers_init(&timers, start);
    weir__timers_add(&timers, &timer, start + after);
    int woken = 0;
    for (weir__timer *taken = nullptr; taken == nullptr; woken++) {
      uint64_t next = weir__timers_next(&timers);
      ASSERT_GT(next, timers.now_ms);
      ASSERT_LE(next, start + after);
      weir__timers_advance(&timers, next);
      taken = weir__timers_take(&timers);
    }
    EXPECT_LE(woken, WEIR__TIMER_LEVELS);
  }
}

class model : public testing::TestWithParam<unsigned>
{
protected:
  std::mt19937_64 random{GetParam()};
  weir__timers timers;
  std::multimap<std::pair<uint64_t, uint64_t>, std::unique_ptr<item>> added;
  uint64_t now = random() >> random() % 64 >> 1, orders = 0;

  uint64_t span()
  {
    return random() >> 20 >> random() % 44;
  }

  void add()
  {
    auto fresh = std::make_unique<item>();
    uint64_t at = now + 1 + span();
    fresh->order = orders++;
    weir__timers_add(&timers, &fresh->node, at);
    added.emplace(std::make_pair(at, fresh->order), std::move(fresh));
  }

  void remove_one()
  {
    auto at = added.begin();
    std::advance(at, static_cast<long>(random() % added.size()));
    weir__timers_remove(&timers, &at->second->node);
    added.erase(at);
  }

  // Those due come in order of time, and of being added where the time is the same.
  void advance()
  {
    now += random() % 3 == 0 ? random() % 3 : span();
    weir__timers_advance(&timers, now);
    while (!added.empty() && added.begin()->first.first <= now) {
      weir__timer *timer = weir__timers_take(&timers);
      ASSERT_EQ(timer, &added.begin()->second->node) << item_of(timer)->order;
      added.erase(added.begin());
    }
    ASSERT_EQ(weir__timers_take(&timers), nullptr);
  }

  void check_next()
  {
    uint64_t next = weir__timers_next(&timers);
    ASSERT_EQ(timers.count, added.size());
    if (added.empty()) {
      ASSERT_EQ(next, UINT64_MAX);
      return;
    }
    uint64_t first = added.begin()->first.first;
    ASSERT_GT(next, now);
    ASSERT_LE(next, first);
    if (first / (WEIR__TIMER_SLOTS / 2) == now / (WEIR__TIMER_SLOTS / 2)) {
      ASSERT_EQ(next, first);
    }
  }
};

INSTANTIATE_TEST_SUITE_P(seeds, model, testing::Range(1u, 21u));

TEST_P(model, agrees_with_a_sorted_map)
{
  weir__timers_init(&timers, now);
  for (int step = 0; step < 3000 && now < UINT64_MAX / 4 * 3; step++) {
    unsigned dice = static_cast<unsigned>(random() % 8);
    if (dice < 4)
      add();
    else if (dice < 6 && !added.empty())
      remove_one();
    else
      advance();
    ASSERT_NO_FATAL_FAILURE(check_next());
  }
}

// On which level each of all timers lies; WEIR__TIMER_LEVELS: it is due.
std::vector<unsigned> levels_of(const weir__timers &timers, const std::vector<weir__timer> &all)
{
  std::vector<unsigned> levels(all.size(), WEIR__TIMER_LEVELS);
  for (unsigned level = 0; level < WEIR__TIMER_LEVELS; level++)
    for (const weir__link &head : timers.slots[level])
      for (const weir__link *at = head.next; at != &head; at = at->next)
        levels[static_cast<size_t>(reinterpret_cast<const weir__timer *>(at) - all.data())] = level;
  return levels;
}

// 8,000 timers within a second, five minutes ahead: from when they are first touched until they
// are due, no millisecond moves more of them than a batch a level, whatever slots they share.
TEST(timer, crowd_moves_down_in_batches)
{
  constexpr uint64_t first = 300 * 1024, span = 1024;
  constexpr size_t bound = 2 * 1024;
  weir__timers timers;
  std::vector<weir__timer> all(8000);
  size_t most = 0, taken = 0;
  weir__timers_init(&timers, 5);
  for (size_t i = 0; i < all.size(); i++)
    weir__timers_add(&timers, &all[i], first + i * 7919 % span);
  std::vector<unsigned> before = levels_of(timers, all);
  while (timers.count > 0) {
    uint64_t next = weir__timers_next(&timers);
    ASSERT_GT(next, timers.now_ms);
    weir__timers_advance(&timers, next);
    std::vector<unsigned> after = levels_of(timers, all);
    size_t moved = 0;
    for (size_t i = 0; i < all.size(); i++)
      moved += after[i] != before[i] && after[i] != WEIR__TIMER_LEVELS;
    most = std::max(most, moved);
    before = std::move(after);
    for (uint64_t at : take_all(timers)) {
      ASSERT_EQ(at, next);
      taken++;
    }
  }
  EXPECT_EQ(taken, all.size());
  EXPECT_LE(most, bound);
  EXPECT_GT(most, 0u);
}

// Timers of few times, added while a slot that they share is being moved: those of one time come
// in the order in which they were added.
TEST(timer, order_holds_while_a_slot_is_moved)
{
  for (unsigned seed = 1; seed <= 4; seed++) {
    constexpr uint64_t first = 64 * 1024, times = 7;
    std::mt19937 random(seed);
    weir__timers timers;
    std::vector<item> all(60000);
    std::vector<uint64_t> last(times);
    size_t added = 0, taken = 0, removed = 0;
    weir__timers_init(&timers, first - 5000);
    auto add = [&](size_t count) {
      for (; count > 0 && added < all.size(); count--) {
        item &fresh = all[added];
        fresh.order = ++added;
        weir__timers_add(&timers, &fresh.node, first + 150 * (random() % times));
      }
    };
    add(30000);
    for (uint64_t now = first - 4999; now <= first + 150 * times; now++) {
      weir__timers_advance(&timers, now);
      while (weir__timer *timer = weir__timers_take(&timers)) {
        ASSERT_EQ(timer->at_ms, now);
        uint64_t &before = last[(now - first) / 150];
        ASSERT_GT(item_of(timer)->order, before);
        before = item_of(timer)->order;
        taken++;
      }
      if (now >= first)
        continue;
      add(random() % 13);
      weir__timer &gone = all[random() % added].node;
      removed += weir__link_on_list(&gone.link);
      weir__timers_remove(&timers, &gone);
    }
    EXPECT_EQ(taken + removed, added);
    EXPECT_EQ(timers.count, 0u);
  }
}

TEST(timer, order_holds_across_levels)
{
  weir__timers timers;
  std::vector<weir__timer> all(3000);
  weir__timers_init(&timers, 60);
  for (size_t i = 0; i < all.size(); i++)
    weir__timers_add(&timers, &all[i], 61 + i * 7919 % all.size());
  weir__timers_advance(&timers, 100000);
  std::vector<uint64_t> times = take_all(timers);
  ASSERT_EQ(times.size(), all.size());
  for (size_t i = 0; i < times.size(); i++)
    EXPECT_EQ(times[i], 61 + i);
}

} // namespace
