// Topics against a naive model: random subscribing, unsubscribing and leaving by seed.
#include "ws/topic.h"

#include "base/hash.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
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
    weir__topics_init(&topics, &mem, key, SIZE_MAX);
  }

  void TearDown() override
  {
    for (auto &list : lists)
      weir__topics_leave(&topics, &list);
    EXPECT_EQ(topics.count, 0u);
    weir__topics_fini(&topics);
    EXPECT_EQ(mem.bytes, 0u);
  }

  int subscribe(size_t i, const std::string &name, size_t most = SIZE_MAX)
  {
    const struct weir__subscriber who = {conn(i), &lists[i], most};
    return weir__topics_subscribe(&topics, &who, name.data(), name.size());
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

TEST_F(Topics, OfOneConnectionAreLimited)
{
  for (size_t most : {size_t{1}, size_t{8}, size_t{9}, size_t{100}}) {
    for (size_t i = 0; i < most; i++)
      ASSERT_EQ(subscribe(0, std::to_string(i), most), 0);
    size_t count = topics.count;
    EXPECT_EQ(subscribe(0, "more", most), -ENOBUFS);
    EXPECT_EQ(topics.count, count) << "a topic without members is left";
    EXPECT_EQ(subscribe(0, "0", most), -EALREADY);
    EXPECT_EQ(subscribe(1, "0", 1), 0) << "each has its own";
    EXPECT_EQ(unsubscribe(0, "0"), 0);
    EXPECT_EQ(subscribe(0, "more", most), 0);
    EXPECT_EQ(subscribe(0, "0", most), -ENOBUFS);
    weir__topics_leave(&topics, &lists[0]);
    EXPECT_EQ(subscribe(0, "again", most), 0);
    weir__topics_leave(&topics, &lists[0]);
    weir__topics_leave(&topics, &lists[1]);
  }
}

TEST_F(Topics, OfALoopAreLimited)
{
  topics.most = 100;
  for (size_t i = 0; i < 100; i++)
    ASSERT_EQ(subscribe(i % 64, std::to_string(i)), 0);
  EXPECT_EQ(subscribe(0, "more"), -ENOBUFS);
  EXPECT_EQ(weir__topics_find(&topics, "more", 4), nullptr);
  EXPECT_EQ(subscribe(0, "1"), 0) << "one that is there takes further members";
  EXPECT_EQ(unsubscribe(0, "0"), 0);
  EXPECT_EQ(subscribe(0, "more"), 0);
  EXPECT_EQ(subscribe(0, "0"), -ENOBUFS);
}

/* Names that all fall into one bucket under a key. */
std::vector<std::string> colliding(const uint64_t guessed[2], size_t count, size_t buckets)
{
  std::vector<std::string> out;
  for (uint64_t i = 0; out.size() < count; i++) {
    std::string name = "room-" + std::to_string(i);
    if (weir__hash(guessed, name.data(), name.size()) % buckets == 0)
      out.push_back(name);
  }
  return out;
}

size_t longest_chain(const struct weir__topics &of)
{
  size_t longest = 0;
  for (size_t i = 0; i < of.bucket_count; i++) {
    size_t length = 0;
    for (const struct weir__topic *topic = of.buckets[i]; topic != nullptr; topic = topic->next)
      length++;
    longest = std::max(longest, length);
  }
  return longest;
}

// Who chooses names without the key cannot choose where they stand.
TEST_F(Topics, HashFloodWithoutTheKeyIsNone)
{
  constexpr size_t count = 512;
  const uint64_t guesses[][2] = {{0, 0}, {1, 3}, {2, 1}, {1, 2}};
  for (const auto &guess : guesses) {
    for (const std::string &name : colliding(guess, count, count))
      ASSERT_EQ(subscribe(0, name), 0);
    ASSERT_EQ(topics.bucket_count, count);
    if (guess[0] == key[0] && guess[1] == key[1])
      EXPECT_EQ(longest_chain(topics), count) << "with the key it is one";
    else
      EXPECT_LE(longest_chain(topics), 10u);
    weir__topics_leave(&topics, &lists[0]);
  }
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
    weir__topics_init(&starved, &counted, key, SIZE_MAX);
    const struct weir__subscriber who = {conn(0), &list, SIZE_MAX};
    int failures = 0;
    for (int i = 0; i < 100; i++) {
      std::string name = std::to_string(i);
      int error = weir__topics_subscribe(&starved, &who, name.data(), name.size());
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
