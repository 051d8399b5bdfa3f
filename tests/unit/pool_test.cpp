#include "base/pool.h"
#include "sys_fake.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <vector>

namespace
{

class pool : public testing::Test
{
protected:
  sys_fake fake;
  weir__mem mem{&fake.sys, 0};
  weir__pool p;

  pool()
  {
    weir__pool_init(&p, &mem);
  }
  ~pool() override
  {
    weir__pool_fini(&p);
    EXPECT_EQ(mem.bytes, 0u);
    EXPECT_EQ(fake.live, 0u);
  }
};

TEST_F(pool, gives_the_smallest_power_of_two_that_holds_what_is_wanted)
{
  struct {
    size_t want, got;
  } cases[] = {{0, 64},          {1, 64},          {64, 64},         {65, 128},
               {128, 128},       {129, 256},       {4096, 4096},     {4097, 8192},
               {131073, 262144}, {262144, 262144}, {262145, 262145}, {1000000, 1000000}};
  for (auto &c : cases) {
    size_t got = 0;
    void *buffer = weir__pool_get(&p, c.want, &got);
    ASSERT_NE(buffer, nullptr);
    EXPECT_EQ(got, c.got) << c.want;
    std::memset(buffer, 1, got);
    weir__pool_put(&p, buffer, got);
  }
}

TEST_F(pool, gives_back_what_was_put)
{
  size_t got;
  void *buffer = weir__pool_get(&p, 300, &got);
  weir__pool_put(&p, buffer, got);
  size_t before = fake.allocations;
  EXPECT_EQ(weir__pool_get(&p, 512, &got), buffer);
  EXPECT_EQ(fake.allocations, before);
  weir__pool_put(&p, buffer, got);
}

TEST_F(pool, keeps_a_bounded_amount_of_each_size)
{
  size_t got = 0;
  for (size_t want : {64u, 4096u, 262144u}) {
    std::vector<void *> buffers;
    for (size_t bytes = 0; bytes < 3u * WEIR__POOL_KEEP; bytes += want)
      buffers.push_back(weir__pool_get(&p, want, &got));
    size_t held = mem.bytes;
    for (void *buffer : buffers)
      weir__pool_put(&p, buffer, want);
    EXPECT_EQ(held - mem.bytes, 2u * WEIR__POOL_KEEP);
  }
}

TEST_F(pool, keeps_nothing_over_its_largest_size)
{
  size_t got;
  void *buffer = weir__pool_get(&p, WEIR__POOL_MAX + 1, &got);
  EXPECT_EQ(mem.bytes, size_t{WEIR__POOL_MAX} + 1);
  weir__pool_put(&p, buffer, got);
  EXPECT_EQ(mem.bytes, 0u);
}

TEST_F(pool, takes_null_back)
{
  weir__pool_put(&p, nullptr, 64);
  EXPECT_EQ(mem.bytes, 0u);
}

TEST_F(pool, says_when_there_is_no_memory)
{
  for (size_t want : {size_t{64}, size_t{WEIR__POOL_MAX} + 1}) {
    size_t got;
    fake.fail_at = fake.allocations + 1;
    EXPECT_EQ(weir__pool_get(&p, want, &got), nullptr);
    EXPECT_EQ(mem.bytes, 0u);
  }
}

// Buffers in use never overlap: each holds the pattern that was written into it until it is put.
TEST_F(pool, never_gives_a_buffer_twice)
{
  struct held {
    unsigned char *bytes;
    size_t size;
    unsigned char mark;
  };
  for (unsigned seed = 1; seed <= 5; seed++) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    std::vector<held> all;
    for (int step = 0; step < 4000; step++) {
      if (all.size() < 50 && random() % 2 == 0) {
        size_t want = random() % (1u << random() % 20), got;
        auto *bytes = static_cast<unsigned char *>(weir__pool_get(&p, want, &got));
        ASSERT_GE(got, want);
        all.push_back({bytes, got, static_cast<unsigned char>(random())});
        std::memset(bytes, all.back().mark, got);
      } else if (!all.empty()) {
        std::swap(all[random() % all.size()], all.back());
        held last = all.back();
        all.pop_back();
        for (size_t i = 0; i < last.size; i += last.size / 16)
          ASSERT_EQ(last.bytes[i], last.mark);
        weir__pool_put(&p, last.bytes, last.size);
      }
    }
    for (held &h : all)
      weir__pool_put(&p, h.bytes, h.size);
  }
}

TEST(mem, counts_what_is_held)
{
  sys_fake fake;
  weir__mem mem{&fake.sys, 0};
  auto *bytes = static_cast<unsigned char *>(weir__mem_zalloc(&mem, 10));
  EXPECT_EQ(mem.bytes, 10u);
  for (int i = 0; i < 10; i++)
    EXPECT_EQ(bytes[i], 0);
  bytes[9] = 7;
  fake.fail_at = fake.allocations + 1;
  EXPECT_EQ(weir__mem_grow(&mem, bytes, 10, 100), nullptr);
  EXPECT_EQ(mem.bytes, 10u);
  bytes = static_cast<unsigned char *>(weir__mem_grow(&mem, bytes, 10, 100));
  EXPECT_EQ(mem.bytes, 100u);
  EXPECT_EQ(bytes[9], 7);
  weir__mem_free(&mem, bytes, 100);
  weir__mem_free(&mem, nullptr, 100);
  EXPECT_EQ(mem.bytes, 0u);
  EXPECT_EQ(fake.live, 0u);
}

// Large blocks belong to who has them; the pool only lets them be used again, for a while.
TEST(pool_large, keeps_blocks_for_the_next_of_about_their_size)
{
  sys_fake fake;
  weir__mem mem{&fake.sys, 0};
  weir__pool pool;
  weir__pool_init(&pool, &mem);
  size_t size = 0, again = 0;
  void *block = weir__pool_take_large(&pool, 1 << 20, &size);
  ASSERT_NE(block, nullptr);
  EXPECT_EQ(size, size_t{1} << 20);
  EXPECT_EQ(mem.bytes, 0u) << "the taker's own";
  ASSERT_TRUE(weir__pool_keep_large(&pool, block, size));
  EXPECT_EQ(mem.bytes, size);
  for (size_t want : {(size_t{1} << 20) + 1, (size_t{1} << 19) - 1}) {
    void *other = weir__pool_take_large(&pool, want, &again);
    EXPECT_NE(other, block);
    EXPECT_EQ(again, want);
    fake.sys.free(&fake.sys, other);
  }
  EXPECT_EQ(weir__pool_take_large(&pool, size_t{1} << 19, &again), block);
  EXPECT_EQ(again, size);
  EXPECT_EQ(mem.bytes, 0u);
  EXPECT_TRUE(weir__pool_keep_large(&pool, block, size));
  weir__pool_fini(&pool);
  EXPECT_EQ(mem.bytes, 0u);
  EXPECT_EQ(fake.live, 0u);
}

TEST(pool_large, keeps_no_more_than_its_bounds)
{
  sys_fake fake;
  weir__mem mem{&fake.sys, 0};
  weir__pool pool;
  weir__pool_init(&pool, &mem);
  auto keeps = [&](size_t size) {
    void *block = fake.sys.alloc(&fake.sys, size);
    bool kept = weir__pool_keep_large(&pool, block, size);
    if (!kept)
      fake.sys.free(&fake.sys, block);
    return kept;
  };
  EXPECT_FALSE(keeps(WEIR__POOL_LARGE - 1));
  EXPECT_FALSE(keeps(WEIR__POOL_LARGE_KEEP + 1));
  EXPECT_TRUE(keeps(WEIR__POOL_LARGE_KEEP - WEIR__POOL_LARGE));
  EXPECT_FALSE(keeps(WEIR__POOL_LARGE + 1));
  EXPECT_TRUE(keeps(WEIR__POOL_LARGE));
  weir__pool_age(&pool); // they were kept since the last time
  EXPECT_EQ(mem.bytes, size_t{WEIR__POOL_LARGE_KEEP});
  weir__pool_age(&pool);
  EXPECT_EQ(mem.bytes, 0u);
  for (int i = 0; i < WEIR__POOL_LARGE_COUNT; i++)
    EXPECT_TRUE(keeps(WEIR__POOL_LARGE));
  EXPECT_FALSE(keeps(WEIR__POOL_LARGE));
  weir__pool_fini(&pool);
  EXPECT_EQ(fake.live, 0u);
}

} // namespace
