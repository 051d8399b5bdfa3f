#include "io/buf.h"

#include <gtest/gtest.h>

#include <cstring>
#include <thread>
#include <vector>

namespace
{

TEST(buf, begins_behind_its_room)
{
  weir__buf *buf = weir__buf_new(&weir__sys_linux, 14, 100);
  ASSERT_NE(buf, nullptr);
  EXPECT_EQ(buf->refs, 1u);
  EXPECT_EQ(buf->begin, 14u);
  EXPECT_EQ(buf->end, 14u);
  EXPECT_EQ(buf->capacity, 114u);
  std::memset(weir__buf_bytes(buf), 1, buf->capacity);
  weir__buf_unref(buf);
}

TEST(buf, refuses_what_does_not_fit)
{
  EXPECT_EQ(weir__buf_new(&weir__sys_linux, 14, SIZE_MAX), nullptr);
  EXPECT_EQ(weir__buf_new(&weir__sys_linux, 14, SIZE_MAX - 14), nullptr);
  EXPECT_EQ(weir__buf_new(&weir__sys_linux, 0, PTRDIFF_MAX), nullptr);
  weir__buf *buf = weir__buf_new(&weir__sys_linux, 0, 1);
  EXPECT_EQ(weir__buf_grow(buf, SIZE_MAX), nullptr);
  EXPECT_EQ(weir__buf_grow(buf, PTRDIFF_MAX), nullptr);
  weir__buf_unref(buf);
}

TEST(buf, keeps_its_bytes_when_it_grows)
{
  weir__buf *buf = weir__buf_new(&weir__sys_linux, 10, 5);
  std::memcpy(weir__buf_bytes(buf) + buf->end, "hello", 5);
  buf->end += 5;
  buf = weir__buf_grow(buf, 100000);
  ASSERT_NE(buf, nullptr);
  EXPECT_EQ(buf->begin, 10u);
  EXPECT_EQ(buf->end, 15u);
  EXPECT_EQ(buf->capacity, 100000u);
  EXPECT_EQ(std::memcmp(weir__buf_bytes(buf) + 10, "hello", 5), 0);
  std::memset(weir__buf_bytes(buf) + buf->end, 1, buf->capacity - buf->end);
  weir__buf_unref(buf);
}

TEST(buf, is_charged_once_for_all_who_hold_it)
{
  weir__account *one = weir__account_new(&weir__sys_linux);
  weir__account *other = weir__account_new(&weir__sys_linux);
  weir__buf *buf = weir__buf_new(&weir__sys_linux, 0, 1000);
  for (int round = 0; round < 2; round++) {
    weir__buf_charge(buf, one);
    weir__buf_charge(buf, other);
    EXPECT_EQ(one->bytes, 1000u);
    EXPECT_EQ(other->bytes, 0u);
    weir__buf_discharge(buf);
    EXPECT_EQ(one->bytes, 1000u);
    weir__buf_discharge(buf);
    EXPECT_EQ(one->bytes, 0u);
  }
  weir__account_unref(one); /* the buffer keeps it */
  weir__buf_charge(buf, other);
  EXPECT_EQ(other->bytes, 0u);
  weir__buf_discharge(buf);
  weir__buf_unref(buf);
  weir__account_unref(other);
}

TEST(buf, is_charged_once_by_many_threads)
{
  weir__account *accounts[] = {weir__account_new(&weir__sys_linux),
                               weir__account_new(&weir__sys_linux)};
  weir__buf *buf = weir__buf_new(&weir__sys_linux, 0, 1000);
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; i++)
    threads.emplace_back([&, mine = accounts[i % 2]] {
      for (int n = 0; n < 10000; n++) {
        weir__buf_charge(buf, mine);
        weir__buf_discharge(buf);
      }
    });
  for (std::thread &each : threads)
    each.join();
  weir__buf_unref(buf);
  for (weir__account *each : accounts) {
    EXPECT_EQ(each->bytes, 0u);
    weir__account_unref(each);
  }
}

// The sanitizers see a count that is wrong.
TEST(buf, lives_until_the_last_of_many_threads_lets_go)
{
  weir__buf *buf = weir__buf_new(&weir__sys_linux, 0, 1);
  *weir__buf_bytes(buf) = 7;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; i++)
    threads.emplace_back([mine = weir__buf_ref(buf)] {
      for (int n = 0; n < 10000; n++) {
        weir__buf *other = weir__buf_ref(mine);
        EXPECT_EQ(*weir__buf_bytes(other), 7);
        weir__buf_unref(other);
      }
      weir__buf_unref(mine);
    });
  weir__buf_unref(buf);
  for (auto &thread : threads)
    thread.join();
}

TEST(buf, null_may_be_let_go)
{
  weir__buf_unref(nullptr);
}

} // namespace
