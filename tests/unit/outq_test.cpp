#include "io/outq.h"
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

// A pool, a scratch, and what must be left of them at the end.
struct bench {
  weir__mem mem;
  weir__pool pool;
  std::vector<unsigned char> room;
  weir__scratch scratch;

  explicit bench(sys_fake &fake, size_t scratch_size = 64 << 10)
      : mem{&fake.sys, 0}, room(scratch_size), scratch{room.data(), room.size()}
  {
    weir__pool_init(&pool, &mem);
  }
  ~bench()
  {
    weir__pool_fini(&pool);
    EXPECT_EQ(mem.bytes, 0u);
  }
};

class outq : public testing::Test
{
protected:
  sys_fake fake;
  bench b{fake};
  weir__outq q{};

  ~outq() override
  {
    weir__outq_clear(&q, &b.pool);
  }

  int copy(const std::string &header, const std::string &data, uint32_t flags = WEIR__OUT_MESSAGE)
  {
    return weir__outq_copy(&q, &b.pool, header.data(), header.size(), data.data(), data.size(),
                           flags);
  }

  // A share of a buffer that holds these bytes; the caller's.
  weir__share *share(const std::string &bytes)
  {
    weir__buf *buf = weir__buf_new(&weir__sys_linux, 0, bytes.size());
    std::memcpy(weir__buf_bytes(buf), bytes.data(), bytes.size());
    weir__share *made = weir__share_new(&b.pool, buf);
    weir__buf_unref(buf);
    return made;
  }

  void push(const std::string &bytes, uint32_t flags = WEIR__OUT_MESSAGE)
  {
    weir__share *made = share(bytes);
    ASSERT_EQ(weir__outq_push(&q, &b.pool, made, 0, bytes.size(), flags), 0);
    weir__share_unref(&b.pool, made);
  }

  std::vector<std::string> pieces(int max = 64, size_t budget = SIZE_MAX)
  {
    iovec iov[64];
    size_t total = 0, sum = 0;
    int count = weir__outq_pieces(&q, b.scratch, iov, max, budget, &total);
    std::vector<std::string> all;
    for (int i = 0; i < count; i++) {
      all.emplace_back(static_cast<char *>(iov[i].iov_base), iov[i].iov_len);
      sum += iov[i].iov_len;
    }
    EXPECT_EQ(sum, total);
    return all;
  }

  using strings = std::vector<std::string>;
};

TEST_F(outq, is_empty_at_first)
{
  EXPECT_EQ(pieces(), strings{});
  weir__outq_consume(&q, &b.pool, 0);
  EXPECT_EQ(q.count, 0u);
}

TEST_F(outq, joins_what_was_copied_one_after_the_other)
{
  std::string all;
  for (int i = 0; i < 16; i++) {
    ASSERT_EQ(copy("hd", "data" + std::to_string(i)), 0);
    all += "hddata" + std::to_string(i);
  }
  EXPECT_EQ(pieces(), strings{all});
  EXPECT_EQ(q.messages, 16u);
  EXPECT_EQ(q.bytes, all.size());
  weir__outq_consume(&q, &b.pool, all.size());
  EXPECT_EQ(q.messages, 0u);
  EXPECT_EQ(q.bytes, 0u);
  EXPECT_EQ(q.count, 0u);
}

TEST_F(outq, copies_headers_of_any_length)
{
  const std::string header = "0123456789abcdef";
  std::string all;
  for (size_t len = 0; len <= header.size(); len++) {
    ASSERT_EQ(copy(header.substr(0, len), "x"), 0);
    all += header.substr(0, len) + "x";
  }
  ASSERT_EQ(copy("only a header", ""), 0);
  EXPECT_EQ(pieces(), strings{all + "only a header"});
}

TEST_F(outq, copies_sixteen_small_messages_into_three_blocks)
{
  size_t before = fake.allocations;
  for (int i = 0; i < 16; i++)
    ASSERT_EQ(copy("hd", std::string(64, 'x')), 0);
  EXPECT_EQ(fake.allocations - before, 3u); // 512 bytes, 4 KiB, the ring
  EXPECT_EQ(b.mem.bytes, 512u + 4096 + 512);
}

TEST_F(outq, gives_a_large_message_a_block_of_its_own)
{
  std::string large(100000, 'x');
  ASSERT_EQ(copy("h", large), 0);
  EXPECT_EQ(b.mem.bytes, 131072u);
  ASSERT_EQ(copy("h", "small"), 0);
  EXPECT_EQ(pieces(), strings{"h" + large + "hsmall"});
}

TEST_F(outq, gathers_small_pieces_and_leaves_large_ones)
{
  std::string large(1024, 'L'), almost(1023, 'a');
  push("one");
  push("two");
  push(large);
  push("three");
  push(large);
  push(almost);
  push("four");
  EXPECT_EQ(pieces(), (strings{"onetwo", large, "three", large, almost + "four"}));
}

TEST_F(outq, leaves_one_small_piece_where_it_is)
{
  push("alone");
  iovec iov[1];
  size_t total;
  ASSERT_EQ(weir__outq_pieces(&q, b.scratch, iov, 1, 100, &total), 1);
  EXPECT_NE(iov[0].iov_base, b.scratch.bytes);
}

TEST_F(outq, gathers_no_more_than_the_scratch_holds)
{
  b.scratch.size = 10;
  for (int i = 0; i < 4; i++)
    push("four");
  EXPECT_EQ(pieces(), (strings{"fourfour", "four", "four"}));
}

TEST_F(outq, gives_at_most_so_many_pieces_and_bytes)
{
  std::string large(2000, 'L');
  for (int i = 0; i < 5; i++)
    push(large);
  EXPECT_EQ(pieces(3).size(), 3u);
  EXPECT_EQ(pieces(64, 4500), (strings{large, large, std::string(500, 'L')}));
  EXPECT_EQ(pieces(64, 4000), (strings{large, large}));
  EXPECT_EQ(pieces(64, 0), strings{});
}

TEST_F(outq, remembers_what_was_sent_of_an_entry)
{
  push("message", WEIR__OUT_MESSAGE);
  push("control", 0);
  weir__outq_consume(&q, &b.pool, 3);
  EXPECT_EQ(q.sent, 3u);
  EXPECT_EQ(q.messages, 1u);
  EXPECT_EQ(pieces(), strings{"sagecontrol"});
  weir__outq_consume(&q, &b.pool, 4);
  EXPECT_EQ(q.sent, 0u);
  EXPECT_EQ(q.messages, 0u);
  EXPECT_EQ(q.count, 1u);
  weir__outq_consume(&q, &b.pool, 6);
  EXPECT_EQ(pieces(), strings{"l"});
}

TEST_F(outq, references_a_shared_frame)
{
  weir__share *made = share("0123456789");
  ASSERT_EQ(weir__outq_push(&q, &b.pool, made, 2, 3, 0), 0);
  ASSERT_EQ(weir__outq_push(&q, &b.pool, made, 5, 3, 0), 0);
  EXPECT_EQ(made->refs, 3u);
  EXPECT_EQ(made->buf->refs, 1u);
  EXPECT_EQ(pieces(), strings{"234567"}); // adjacent in the frame: joined without a copy
  weir__outq_consume(&q, &b.pool, 4);
  EXPECT_EQ(made->refs, 2u);
  weir__outq_clear(&q, &b.pool);
  EXPECT_EQ(made->refs, 1u);
  weir__share_unref(&b.pool, made);
}

TEST_F(outq, never_appends_to_a_shared_frame)
{
  push("frame");
  ASSERT_EQ(copy("h", "copied"), 0);
  EXPECT_EQ(pieces(), strings{"framehcopied"});
}

TEST_F(outq, splices_behind_what_is_queued)
{
  weir__outq other{};
  for (int i = 0; i < 40; i++)
    ASSERT_EQ(weir__outq_copy(&other, &b.pool, "o", 1, "ther", 4, WEIR__OUT_MESSAGE), 0);
  ASSERT_EQ(copy("", "mine"), 0);
  weir__outq_consume(&q, &b.pool, 1);
  ASSERT_EQ(weir__outq_splice(&q, &other, &b.pool), 0);
  EXPECT_EQ(other.count, 0u);
  EXPECT_EQ(other.bytes, 0u);
  EXPECT_EQ(q.messages, 41u);
  EXPECT_EQ(q.bytes, 3u + 200);
  std::string all = "ine";
  for (int i = 0; i < 40; i++)
    all += "other";
  EXPECT_EQ(pieces(), strings{all});
}

TEST_F(outq, splices_a_message_partly_sent_into_an_empty_queue)
{
  weir__outq other{};
  ASSERT_EQ(weir__outq_copy(&other, &b.pool, "", 0, "partly", 6, 0), 0);
  weir__outq_consume(&other, &b.pool, 2);
  ASSERT_EQ(weir__outq_splice(&q, &other, &b.pool), 0);
  EXPECT_EQ(q.bytes, 4u);
  EXPECT_EQ(pieces(), strings{"rtly"});
}

TEST_F(outq, cut_leaves_only_what_has_begun_to_leave)
{
  push("one");
  push("two");
  push("control", 0);
  weir__outq_consume(&q, &b.pool, 1);
  weir__outq_cut(&q, &b.pool, 0);
  EXPECT_EQ(pieces(), strings{"ne"});
  EXPECT_EQ(q.messages, 1u);
  EXPECT_EQ(q.bytes, 2u);
  weir__outq_consume(&q, &b.pool, 2);
  ASSERT_EQ(copy("h", "three"), 0);
  weir__outq_cut(&q, &b.pool, 0);
  EXPECT_EQ(q.count, 0u);
  EXPECT_EQ(q.bytes, 0u);
  EXPECT_EQ(q.messages, 0u);
}

TEST_F(outq, cut_leaves_the_tail_of_what_was_begun_elsewhere)
{
  ASSERT_EQ(copy("", "tail", WEIR__OUT_MESSAGE | WEIR__OUT_BEGUN), 0);
  ASSERT_EQ(copy("h", "message"), 0);
  EXPECT_EQ(q.messages, 2u);
  weir__outq_cut(&q, &b.pool, 0);
  EXPECT_EQ(pieces(), strings{"tail"});
  EXPECT_EQ(q.messages, 1u);
  ASSERT_EQ(copy("h", "close", 0), 0);
  EXPECT_EQ(pieces(), strings{"tailhclose"});
}

TEST_F(outq, cut_leaves_all_in_front_of_what_is_never_taken_back)
{
  ASSERT_EQ(copy("", "an answer", 0), 0);
  ASSERT_EQ(copy("", "the 101", WEIR__OUT_BEGUN), 0);
  ASSERT_EQ(copy("h", "message"), 0);
  weir__outq_cut(&q, &b.pool, 0);
  EXPECT_EQ(pieces(), strings{"an answerthe 101"});
}

TEST_F(outq, cut_leaves_what_is_on_its_way)
{
  const std::tuple<size_t, std::string, uint32_t> cases[] = {
      {1, "ne", 1},    {2, "ne", 1},           {3, "netwo", 2},
      {5, "netwo", 2}, {6, "netwocontrol", 2}, {12, "netwocontrol", 2}};
  for (const auto &[committed, kept, messages] : cases) {
    weir__outq_clear(&q, &b.pool);
    push("one");
    push("two");
    push("control", 0);
    weir__outq_consume(&q, &b.pool, 1);
    weir__outq_cut(&q, &b.pool, committed);
    EXPECT_EQ(pieces(), strings{kept}) << committed;
    EXPECT_EQ(q.messages, messages) << committed;
  }
}

TEST_F(outq, cut_leaves_what_is_on_its_way_of_entries_that_were_copied)
{
  ASSERT_EQ(copy("", "tail", WEIR__OUT_MESSAGE | WEIR__OUT_BEGUN), 0);
  ASSERT_EQ(copy("h", "message"), 0);
  ASSERT_EQ(copy("h", "another"), 0);
  weir__outq_cut(&q, &b.pool, 5);
  EXPECT_EQ(pieces(), strings{"tailhmessage"});
  EXPECT_EQ(q.messages, 2u);
  EXPECT_EQ(q.bytes, 12u);
}

TEST_F(outq, changes_nothing_without_memory)
{
  ASSERT_EQ(copy("h", std::string(478, 'x')), 0);
  fake.fail_at = fake.allocations + 1; // the share; the queue's own entries have room
  EXPECT_EQ(copy("h", "more"), -ENOMEM);
  EXPECT_EQ(q.count, 1u);
  EXPECT_EQ(q.bytes, 479u);
  ASSERT_EQ(copy("h", "second"), 0);
  for (size_t nth = 1; nth <= 2; nth++) { // the ring, and the share
    fake.fail_at = fake.allocations + nth;
    EXPECT_EQ(copy("h", std::string(5000, 'x')), -ENOMEM) << nth;
    EXPECT_EQ(q.count, 2u);
    EXPECT_EQ(q.bytes, 486u);
  }
  EXPECT_EQ(pieces(), strings{"h" + std::string(478, 'x') + "hsecond"});
}

TEST_F(outq, splice_and_push_change_nothing_without_memory)
{
  weir__outq other{};
  push("one");
  push("two");
  ASSERT_EQ(weir__outq_copy(&other, &b.pool, "o", 1, "ther", 4, 0), 0);
  weir__share *made = share("three");
  fake.fail_at = fake.allocations + 1;
  EXPECT_EQ(weir__outq_push(&q, &b.pool, made, 0, 5, 0), -ENOMEM);
  EXPECT_EQ(made->refs, 1u);
  fake.fail_at = fake.allocations + 1;
  EXPECT_EQ(weir__outq_splice(&q, &other, &b.pool), -ENOMEM);
  EXPECT_EQ(q.count, 2u);
  EXPECT_EQ(other.bytes, 5u);
  weir__outq_clear(&other, &b.pool);
  weir__share_unref(&b.pool, made);
  weir__buf *buf = weir__buf_new(&weir__sys_linux, 0, 1);
  weir__pool_fini(&b.pool);
  fake.fail_at = fake.allocations + 1;
  EXPECT_EQ(weir__share_new(&b.pool, buf), nullptr);
  EXPECT_EQ(buf->refs, 1u);
  weir__buf_unref(buf);
}

// The queue against a list of strings.
class model : public outq, public testing::WithParamInterface<unsigned>
{
protected:
  struct entry {
    std::string bytes;
    bool message;
  };
  std::mt19937 random{GetParam()};
  std::deque<entry> entries;
  size_t sent = 0;

  std::string noise()
  {
    std::string bytes(1 + random() % (1u << random() % 15), ' ');
    for (char &c : bytes)
      c = static_cast<char>(random());
    return bytes;
  }

  void fill(weir__outq &into, std::deque<entry> &expected)
  {
    std::string bytes = noise();
    bool message = random() % 2 == 0;
    if (random() % 3 != 0) {
      size_t header = std::min<size_t>(bytes.size(), random() % 17);
      ASSERT_EQ(weir__outq_copy(&into, &b.pool, bytes.data(), header, bytes.data() + header,
                                bytes.size() - header, message),
                0);
      expected.push_back({bytes, message});
      return;
    }
    size_t offset = random() % bytes.size(), len = 1 + random() % (bytes.size() - offset);
    weir__share *made = share(bytes);
    ASSERT_EQ(weir__outq_push(&into, &b.pool, made, offset, len, message), 0);
    weir__share_unref(&b.pool, made);
    expected.push_back({bytes.substr(offset, len), message});
  }

  void splice()
  {
    weir__outq other{};
    for (unsigned n = random() % 5; n > 0; n--)
      fill(other, entries);
    ASSERT_EQ(weir__outq_splice(&q, &other, &b.pool), 0);
  }

  std::string unsent() const
  {
    std::string all;
    for (const entry &e : entries)
      all += e.bytes;
    return all.substr(sent);
  }

  // Sends part of what the pieces hold.
  void send()
  {
    int max = 1 + static_cast<int>(random() % 20);
    size_t budget = random() % (1u << random() % 20), n = 0;
    std::string gathered, all = unsent();
    for (const std::string &piece : pieces(max, budget))
      gathered += piece;
    ASSERT_LE(gathered.size(), budget);
    ASSERT_EQ(gathered, all.substr(0, gathered.size()));
    ASSERT_EQ(gathered.empty(), budget == 0 || all.empty());
    if (!gathered.empty())
      n = random() % 2 == 0 ? gathered.size() : random() % gathered.size();
    weir__outq_consume(&q, &b.pool, n);
    for (sent += n; !entries.empty() && sent >= entries.front().bytes.size();) {
      sent -= entries.front().bytes.size();
      entries.pop_front();
    }
  }

  void check()
  {
    size_t messages = 0, bytes = 0;
    for (const entry &e : entries) {
      messages += e.message;
      bytes += e.bytes.size();
    }
    ASSERT_EQ(q.count, entries.size());
    ASSERT_EQ(q.messages, messages);
    ASSERT_EQ(q.bytes, bytes - sent);
    ASSERT_EQ(q.sent, sent);
  }
};

INSTANTIATE_TEST_SUITE_P(seeds, model, testing::Range(1u, 16u));

TEST_P(model, agrees_with_a_list_of_strings)
{
  b.scratch.size = random() % b.room.size();
  for (int step = 0; step < 600; step++) {
    unsigned dice = random() % 10;
    if (dice < 5)
      fill(q, entries);
    else if (dice < 6)
      splice();
    else
      send();
    ASSERT_NO_FATAL_FAILURE(check());
    if (random() % 200 == 0) {
      weir__outq_clear(&q, &b.pool);
      entries.clear();
      sent = 0;
    }
  }
  weir__outq_clear(&q, &b.pool);
}

} // namespace
