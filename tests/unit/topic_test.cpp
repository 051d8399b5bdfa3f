// Topics against a naive model: random subscribing, unsubscribing and leaving by seed.
#include "ws/topic.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

namespace
{

constexpr uint64_t key[2] = {1, 2};

// Connections are only addresses here.
struct weir_conn *conn(size_t i)
{
  static char places[64];
  return reinterpret_cast<struct weir_conn *>(&places[i]);
}

class Topics : public testing::Test
{
protected:
  void SetUp() override
  {
    weir__topics_init(&topics, &mem, key);
  }

  void TearDown() override
  {
    for (auto &list : lists)
      weir__topics_leave(&topics, &list);
    EXPECT_EQ(topics.count, 0u);
    weir__topics_fini(&topics);
    EXPECT_EQ(mem.bytes, 0u);
  }

  int subscribe(size_t i, const std::string &name)
  {
    return weir__topics_subscribe(&topics, conn(i), &lists[i], name.data(), name.size());
  }

  int unsubscribe(size_t i, const std::string &name)
  {
    return weir__topics_unsubscribe(&topics, &lists[i], name.data(), name.size());
  }

  std::multiset<struct weir_conn *> members(const std::string &name)
  {
    std::multiset<struct weir_conn *> found;
    const struct weir__topic *topic = weir__topics_find(&topics, name.data(), name.size());
    for (uint32_t i = 0; topic != nullptr && i < topic->count; i++)
      found.insert(topic->members[i]->conn);
    return found;
  }

  struct weir__mem mem = {&weir__sys_linux, 0};
  struct weir__topics topics;
  std::vector<struct weir__subscription *> lists = std::vector<struct weir__subscription *>(64);
};

TEST_F(Topics, TellWhoIsIn)
{
  EXPECT_EQ(subscribe(0, "news"), 0);
  EXPECT_EQ(subscribe(0, "news"), -EALREADY);
  EXPECT_EQ(subscribe(1, "news"), 0);
  EXPECT_EQ(subscribe(1, std::string("ne\0ws", 5)), 0);
  EXPECT_EQ(weir__topics_count(&topics, "news", 4), 2u);
  EXPECT_NE(weir__topics_in(&topics, lists[0], "news", 4), nullptr);
  EXPECT_EQ(weir__topics_in(&topics, lists[2], "news", 4), nullptr);
  EXPECT_EQ(unsubscribe(0, "news"), 0);
  EXPECT_EQ(unsubscribe(0, "news"), -ENOENT);
  EXPECT_EQ(unsubscribe(0, "other"), -ENOENT);
  EXPECT_EQ(weir__topics_count(&topics, "news", 4), 1u);
}

TEST_F(Topics, ThatNobodyIsInAreGone)
{
  subscribe(0, "a");
  unsubscribe(0, "a");
  EXPECT_EQ(weir__topics_find(&topics, "a", 1), nullptr);
  EXPECT_EQ(topics.count, 0u);
}

// However many a connection has, each is found after few others; what that takes is given back.
TEST_F(Topics, OfOneConnectionAreFoundInFewSteps)
{
  constexpr int own = 4096;
  size_t longest = 0;
  for (int i = 0; i < own; i++)
    ASSERT_EQ(subscribe(0, std::to_string(i)), 0);
  for (int i = 0; i < own; i++) {
    std::string name = std::to_string(i);
    EXPECT_EQ(subscribe(0, name), -EALREADY);
    size_t steps = 0;
    const auto *at = weir__topics_in(&topics, lists[0], name.data(), name.size());
    for (; at != nullptr; at = at->next)
      steps++;
    longest = std::max(longest, steps);
  }
  EXPECT_LE(longest, 16u);
  EXPECT_GE(longest, 1u);
  for (int i = 0; i < own; i++)
    ASSERT_EQ(unsubscribe(0, std::to_string(i)), 0);
  EXPECT_EQ(lists[0], nullptr);
  EXPECT_EQ(sizeof(struct weir__subscription), 32u);
}

TEST_F(Topics, FollowANaiveModel)
{
  for (unsigned seed = 1; seed <= 8; seed++) {
    std::mt19937 random(seed);
    std::map<std::string, std::set<struct weir_conn *>> model;
    for (auto &list : lists)
      weir__topics_leave(&topics, &list);
    for (int step = 0; step < 20000; step++) {
      size_t i = random() % lists.size();
      std::string name = "topic-" + std::to_string(random() % 300);
      switch (random() % 8) {
      case 0: {
        weir__topics_leave(&topics, &lists[i]);
        for (auto &[_, in] : model)
          in.erase(conn(i));
        break;
      }
      case 1:
      case 2:
        ASSERT_EQ(unsubscribe(i, name), model[name].erase(conn(i)) ? 0 : -ENOENT) << seed;
        break;
      default:
        ASSERT_EQ(subscribe(i, name), model[name].insert(conn(i)).second ? 0 : -EALREADY) << seed;
      }
      if (step % 512 == 0) {
        for (const auto &[topic, in] : model)
          ASSERT_EQ(members(topic), std::multiset<struct weir_conn *>(in.begin(), in.end()));
      }
    }
  }
}

// A seam whose nth allocation fails.
struct failing : weir__sys {
  mutable int left;
};

TEST_F(Topics, SurviveTheLackOfMemoryAtEveryCall)
{
  for (int nth = 0;; nth++) {
    failing sys{weir__sys_linux, nth};
    sys.alloc = [](const struct weir__sys *self, size_t size) -> void * {
      auto *fake = static_cast<const failing *>(self);
      return fake->left-- == 0 ? nullptr : weir__sys_linux.alloc(&weir__sys_linux, size);
    };
    struct weir__mem counted = {&sys, 0};
    struct weir__topics starved;
    struct weir__subscription *list = nullptr;
    weir__topics_init(&starved, &counted, key);
    int failures = 0;
    for (int i = 0; i < 100; i++) {
      std::string name = std::to_string(i);
      int error = weir__topics_subscribe(&starved, conn(0), &list, name.data(), name.size());
      EXPECT_TRUE(error == 0 || error == -ENOMEM);
      failures += error != 0;
    }
    EXPECT_LE(failures, 1);
    EXPECT_EQ(starved.count, 100u - static_cast<unsigned>(failures));
    weir__topics_leave(&starved, &list);
    weir__topics_fini(&starved);
    EXPECT_EQ(counted.bytes, 0u);
    if (failures == 0)
      break;
  }
}

} // namespace
