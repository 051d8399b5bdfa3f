#include "io/run.h"
#include "sys_fake.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <cstring>
#include <deque>
#include <random>
#include <string>
#include <vector>

namespace
{

class run : public testing::Test
{
protected:
  static constexpr int HERE = 1, ELSEWHERE = 2;
  sys_fake fake;
  weir__mem mem{&fake.sys, 0};
  weir__pool pool;
  weir__run r{};
  std::vector<weir__outq> queues{4};

  run()
  {
    weir__pool_init(&pool, &mem);
  }
  ~run() override
  {
    for (weir__outq &q : queues)
      weir__outq_clear(&q, &pool);
    weir__run_drop(&r, &pool);
    weir__pool_fini(&pool);
    EXPECT_EQ(mem.bytes, 0u);
  }

  weir__part add(const std::string &bytes, const int *key = &HERE)
  {
    size_t half = bytes.size() / 2;
    auto *data = const_cast<char *>(bytes.data());
    weir__part part{};
    EXPECT_EQ(
        weir__run_add(&r, &pool, key, {data, half}, {data + half, bytes.size() - half}, &part), 0);
    return part;
  }

  void push(weir__outq &q, const weir__part &part)
  {
    ASSERT_EQ(weir__outq_push(&q, &pool, part.share, part.offset, part.len, WEIR__OUT_MESSAGE), 0);
  }

  // What the first count queues get.
  void fan(const std::string &bytes, size_t count, const int *key = &HERE)
  {
    weir__part part = add(bytes, key);
    for (size_t i = 0; i < count; i++)
      push(queues[i], part);
  }

  static std::vector<std::string> pieces(const weir__outq &q)
  {
    iovec iov[64];
    size_t total;
    int count = weir__outq_pieces(&q, weir__scratch{}, iov, 64, SIZE_MAX, &total);
    std::vector<std::string> all;
    for (int i = 0; i < count; i++)
      all.emplace_back(static_cast<char *>(iov[i].iov_base), iov[i].iov_len);
    return all;
  }

  static std::string content(const weir__outq &q)
  {
    std::string all;
    for (const std::string &piece : pieces(q))
      all += piece;
    return all;
  }

  using strings = std::vector<std::string>;
};

constexpr int run::HERE, run::ELSEWHERE;

TEST_F(run, leaves_each_queue_as_one_piece)
{
  for (const char *bytes : {"one", "two", "three"})
    fan(bytes, 3);
  for (size_t i = 0; i < 3; i++) {
    EXPECT_EQ(pieces(queues[i]), strings{"onetwothree"});
    EXPECT_EQ(queues[i].count, 1u);
    EXPECT_EQ(queues[i].messages, 3u);
    EXPECT_EQ(queues[i].bytes, 11u);
  }
  EXPECT_EQ(r.share->refs, 1u + 3);
}

TEST_F(run, goes_around_what_a_queue_did_not_get)
{
  fan("one", 2);
  fan("two", 1);
  fan("three", 2);
  EXPECT_EQ(pieces(queues[0]), strings{"onetwothree"});
  EXPECT_EQ(content(queues[1]), "onethree");
  EXPECT_EQ(queues[1].count, 2u);
  ASSERT_EQ(weir__outq_copy(&queues[0], &pool, "h", 1, "own", 3, 0), 0);
  fan("four", 1);
  EXPECT_EQ(content(queues[0]), "onetwothreehownfour");
  EXPECT_EQ(queues[0].messages, 4u);
}

TEST_F(run, counts_messages_that_left)
{
  for (const char *bytes : {"one", "two", "three"})
    fan(bytes, 1);
  weir__outq &q = queues[0];
  weir__outq_consume(&q, &pool, 2);
  EXPECT_EQ(q.messages, 3u);
  weir__outq_consume(&q, &pool, 1);
  EXPECT_EQ(q.messages, 2u);
  weir__outq_consume(&q, &pool, 4);
  EXPECT_EQ(q.messages, 1u);
  EXPECT_EQ(content(q), "hree");
  fan("four", 1);
  EXPECT_EQ(q.messages, 2u);
  EXPECT_EQ(pieces(q), strings{"hreefour"});
}

TEST_F(run, cut_leaves_the_message_that_has_begun_to_leave)
{
  for (const char *bytes : {"one", "two", "three"})
    fan(bytes, 2);
  weir__outq_consume(&queues[0], &pool, 4);
  weir__outq_cut(&queues[0], &pool, 0);
  EXPECT_EQ(content(queues[0]), "wo");
  EXPECT_EQ(queues[0].messages, 1u);
  EXPECT_EQ(queues[0].bytes, 2u);
  weir__outq_cut(&queues[1], &pool, 0);
  EXPECT_EQ(queues[1].count, 0u);
  EXPECT_EQ(r.share->refs, 2u);
}

TEST_F(run, cut_leaves_the_messages_that_are_on_their_way)
{
  const std::pair<size_t, std::string> cases[] = {
      {1, "wo"}, {2, "wo"}, {3, "wothree"}, {7, "wothree"}, {8, "wothreefour"}};
  for (const auto &[committed, kept] : cases) {
    for (const char *bytes : {"one", "two", "three", "four"})
      fan(bytes, 1);
    weir__outq &q = queues[0];
    weir__outq_consume(&q, &pool, 4);
    weir__outq_cut(&q, &pool, committed);
    EXPECT_EQ(content(q), kept);
    EXPECT_EQ(q.bytes, kept.size());
    EXPECT_EQ(q.messages, kept == "wo" ? 1u : kept == "wothree" ? 2u : 3u);
    weir__outq_clear(&q, &pool);
    weir__run_drop(&r, &pool);
  }
}

TEST_F(run, uses_its_block_again_once_all_have_sent_theirs)
{
  fan("one", 2);
  const weir__share *first = r.share;
  weir__outq_clear(&queues[0], &pool);
  fan("two", 0);
  EXPECT_EQ(content(queues[1]), "one");
  EXPECT_EQ(r.share->units, 2u);
  weir__outq_clear(&queues[1], &pool);
  fan("three", 1);
  EXPECT_EQ(r.share, first);
  EXPECT_EQ(r.share->units, 1u);
  EXPECT_EQ(content(queues[0]), "three");
}

// A block is kept by the slowest queue, so that what others get must not make it large.
TEST_F(run, keeps_apart_what_other_queues_get)
{
  fan(std::string(1000, 'x'), 1);
  size_t before = mem.bytes;
  fan("small", 1, &ELSEWHERE);
  EXPECT_LE(mem.bytes, before + 128);
  fan("y", 1);
  EXPECT_EQ(content(queues[0]), std::string(1000, 'x') + "smally");
  EXPECT_EQ(queues[0].count, 3u);
}

TEST_F(run, doubles_its_blocks_up_to_a_bound)
{
  std::string all;
  size_t largest = 0;
  for (int i = 0; i < 300; i++) {
    std::string bytes(1000, static_cast<char>('a' + i % 26));
    fan(bytes, 1);
    all += bytes;
    largest = std::max(largest, r.share->size);
  }
  EXPECT_EQ(largest, static_cast<size_t>(WEIR__RUN_BYTES));
  EXPECT_EQ(content(queues[0]), all);
  EXPECT_LE(queues[0].count, 12u);
}

TEST_F(run, is_kept_by_a_queue_that_gets_all_of_it)
{
  for (const std::string bytes : {"xy", "xyz", "a unit of some more bytes"}) {
    for (int i = 0; i < 50000; i++) {
      weir__part part = add(bytes);
      ASSERT_EQ(weir__run_push(&queues[0], &pool, &part, WEIR__OUT_MESSAGE), 0);
    }
    EXPECT_LE(queues[0].count, 150u);
    weir__outq_consume(&queues[0], &pool, queues[0].bytes);
    weir__run_drop(&r, &pool);
  }
}

TEST_F(run, is_not_kept_by_a_queue_that_misses_most_of_it)
{
  std::string all;
  for (int i = 0; i < 100; i++) {
    std::string bytes(10, static_cast<char>('a' + i % 26));
    all += bytes;
    weir__part part = add(bytes);
    ASSERT_EQ(weir__run_push(&queues[0], &pool, &part, WEIR__OUT_MESSAGE), 0);
    for (int missed = 0; missed < 20; missed++)
      push(queues[1], add(std::string(4000, 'm')));
    weir__outq_consume(&queues[1], &pool, queues[1].bytes);
  }
  EXPECT_EQ(content(queues[0]), all);
  EXPECT_EQ(queues[0].messages, 100u);
  EXPECT_LE(mem.bytes, 2 * static_cast<size_t>(WEIR__POOL_KEEP));
}

TEST_F(run, changes_nothing_without_memory)
{
  fan(std::string(4000, 'x'), 1);
  weir__share *before = r.share;
  size_t units = before->units;
  char data[WEIR__RUN_UNIT] = {};
  weir__part part{};
  fake.fail_at = fake.allocations + 1;
  EXPECT_EQ(weir__run_add(&r, &pool, &HERE, {nullptr, 0}, {data, sizeof data}, &part), -ENOMEM);
  EXPECT_EQ(r.share, before);
  EXPECT_EQ(before->units, units);
  EXPECT_EQ(weir__run_add(&r, &pool, &HERE, {nullptr, 0}, {data, sizeof data}, &part), 0);
  push(queues[0], part);
  EXPECT_EQ(queues[0].messages, 2u);
}

// Queues fed by a run against lists of strings.
class many : public run, public testing::WithParamInterface<unsigned>
{
protected:
  std::mt19937 random{GetParam()};
  std::vector<std::deque<std::string>> expected{queues.size()};
  std::vector<size_t> sent = std::vector<size_t>(queues.size());

  void feed()
  {
    std::string bytes(1 + random() % (1u << random() % 11), ' ');
    for (char &c : bytes)
      c = static_cast<char>(random());
    weir__part part = add(bytes, random() % 8 == 0 ? &ELSEWHERE : &HERE);
    for (size_t i = 0; i < queues.size(); i++) {
      if (random() % 8 == 0)
        continue;
      push(queues[i], part);
      expected[i].push_back(bytes);
    }
  }

  void send(size_t i)
  {
    size_t n = random() % 2 == 0 ? queues[i].bytes : random() % (queues[i].bytes + 1);
    weir__outq_consume(&queues[i], &pool, n);
    for (sent[i] += n; !expected[i].empty() && sent[i] >= expected[i].front().size();) {
      sent[i] -= expected[i].front().size();
      expected[i].pop_front();
    }
  }

  void cut(size_t i)
  {
    weir__outq_cut(&queues[i], &pool, 0);
    expected[i].resize(sent[i] > 0 ? 1 : 0);
  }

  void check(size_t i)
  {
    size_t bytes = 0;
    for (const std::string &message : expected[i])
      bytes += message.size();
    ASSERT_EQ(queues[i].messages, expected[i].size());
    ASSERT_EQ(queues[i].bytes, bytes - sent[i]);
    ASSERT_EQ(queues[i].sent, sent[i]);
    std::string front = content(queues[i]), all;
    for (const std::string &message : expected[i])
      all += message;
    ASSERT_EQ(front, all.substr(sent[i], front.size()));
  }
};

INSTANTIATE_TEST_SUITE_P(seeds, many, testing::Range(1u, 16u));

TEST_P(many, agree_with_lists_of_strings)
{
  for (int step = 0; step < 1000; step++) {
    size_t i = random() % queues.size();
    unsigned dice = random() % 20;
    if (dice < 10)
      feed();
    else if (dice < 19)
      send(i);
    else
      cut(i);
    ASSERT_NO_FATAL_FAILURE(check(i));
  }
}

} // namespace
