// What is dropped from a queue, or replaced in it: the queue against a list of strings, by seed.
#include "io/outq.h"
#include "sys_fake.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <random>
#include <string>
#include <vector>

namespace
{

class shedding : public testing::TestWithParam<unsigned>
{
protected:
  struct entry {
    std::string bytes;
    uint32_t flags;
  };

  sys_fake fake;
  weir__mem mem{&fake.sys, 0};
  weir__pool pool;
  weir__outq q{};
  std::mt19937 random{GetParam()};
  std::vector<entry> entries;
  size_t sent = 0; // of the first one
  size_t drops = 0, replacements = 0, kept = 0;

  shedding()
  {
    weir__pool_init(&pool, &mem);
  }
  ~shedding() override
  {
    weir__outq_clear(&q, &pool);
    weir__pool_fini(&pool);
    EXPECT_EQ(mem.bytes, 0u);
  }

  size_t roll(size_t below)
  {
    return random() % below;
  }

  std::string noise()
  {
    std::string bytes(1 + roll(size_t{1} << roll(14)), ' ');
    for (char &c : bytes)
      c = static_cast<char>(random());
    return bytes;
  }

  weir__share *share(const std::string &bytes)
  {
    weir__buf *buf = weir__buf_new(&weir__sys_linux, 0, bytes.size());
    std::memcpy(weir__buf_bytes(buf), bytes.data(), bytes.size());
    weir__share *made = weir__share_new(&pool, buf);
    weir__buf_unref(buf);
    return made;
  }

  // A control frame, a message that stays, one that may be dropped, or one that has a key.
  uint32_t any_flags()
  {
    switch (roll(4)) {
    case 0:
      return 0;
    case 1:
      return WEIR__OUT_MESSAGE;
    case 2:
      return WEIR__OUT_MESSAGE | WEIR__OUT_DROPPABLE;
    default:
      return WEIR__OUT_MESSAGE | WEIR__OUT_DROPPABLE |
             static_cast<uint32_t>(1 + roll(4)) << WEIR__OUT_KEY_SHIFT;
    }
  }

  void add()
  {
    entry e{noise(), any_flags()};
    if (roll(2) == 0) {
      ASSERT_EQ(weir__outq_copy(&q, &pool, nullptr, 0, e.bytes.data(), e.bytes.size(), e.flags), 0);
    } else {
      weir__share *made = share(e.bytes);
      ASSERT_EQ(weir__outq_push(&q, &pool, made, 0, e.bytes.size(), e.flags), 0);
      weir__share_unref(&pool, made);
    }
    entries.push_back(e);
  }

  void send()
  {
    size_t n = roll(q.bytes + 1) / (1 + roll(20));
    weir__outq_consume(&q, &pool, n);
    for (sent += n; !entries.empty() && sent >= entries.front().bytes.size();) {
      sent -= entries.front().bytes.size();
      entries.erase(entries.begin());
    }
  }

  // The first entry that is not touched.
  size_t untouched(size_t committed) const
  {
    size_t end = sent + committed, begin = 0;
    for (size_t i = 0; i < entries.size(); i++) {
      if (begin >= end)
        return i;
      begin += entries[i].bytes.size();
    }
    return entries.size();
  }

  auto first_that(size_t committed, auto holds)
  {
    return std::find_if(entries.begin() + static_cast<ptrdiff_t>(untouched(committed)),
                        entries.end(), holds);
  }

  void drop()
  {
    size_t committed = roll(4) == 0 ? roll(q.bytes + 1) : 0;
    auto it =
        first_that(committed, [](const entry &e) { return (e.flags & WEIR__OUT_DROPPABLE) != 0; });
    ASSERT_EQ(weir__outq_drop_oldest(&q, &pool, committed), it != entries.end());
    kept += it == entries.end();
    if (it == entries.end())
      return;
    entries.erase(it);
    drops++;
  }

  void replace()
  {
    auto key = static_cast<uint32_t>(1 + roll(4));
    size_t committed = roll(4) == 0 ? roll(q.bytes + 1) : 0;
    auto it = first_that(committed,
                         [&](const entry &e) { return e.flags >> WEIR__OUT_KEY_SHIFT == key; });
    uint32_t index = 0;
    ASSERT_EQ(weir__outq_find(&q, key, committed, &index), it != entries.end());
    if (it == entries.end())
      return;
    ASSERT_EQ(index, static_cast<size_t>(it - entries.begin()));
    it->bytes = noise();
    weir__share *made = share(it->bytes);
    weir__outq_replace(&q, &pool, index, made, 0, it->bytes.size());
    weir__share_unref(&pool, made);
    replacements++;
  }

  void check()
  {
    std::string all;
    size_t messages = 0;
    for (const entry &e : entries) {
      all += e.bytes;
      messages += e.flags & WEIR__OUT_MESSAGE;
    }
    ASSERT_EQ(q.count, entries.size());
    ASSERT_EQ(q.messages, messages);
    ASSERT_EQ(q.bytes, all.size() - sent);
    std::string got;
    for (uint32_t i = 0; i < q.count; i++) {
      const weir__out *out = weir__outq_at(&q, i);
      got.append(reinterpret_cast<char *>(out->bytes), out->len);
    }
    ASSERT_TRUE(got == all);
  }
};

INSTANTIATE_TEST_SUITE_P(seeds, shedding, testing::Range(1u, 16u));

TEST_P(shedding, agrees_with_a_list_of_strings)
{
  for (int step = 0; step < 1000 && !HasFatalFailure(); step++) {
    switch (roll(6)) {
    case 0:
      send();
      break;
    case 1:
      drop();
      break;
    case 2:
      replace();
      break;
    default:
      add();
    }
    check();
  }
  EXPECT_GT(drops, 20u);
  EXPECT_GT(replacements, 20u);
  EXPECT_GT(kept, 0u);
}

} // namespace
