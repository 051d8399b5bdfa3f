// Connections counted by address, against a naive model, without memory, and from many threads.
#include "ws/guests.h"

#include "base/hash.h"
#include "unit/sys_fake.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace
{

constexpr uint64_t key[2] = {1, 2};

weir__ip address(const std::string &text)
{
  weir__ip out;
  EXPECT_TRUE(weir__ip_parse({text.data(), text.size()}, &out)) << text;
  return out;
}

class Guests : public testing::Test
{
protected:
  Guests()
  {
    weir__guests_init(&guests, &weir__sys_linux, key);
  }
  ~Guests() override
  {
    for (weir__guest *each : in)
      weir__guests_give(&guests, each);
    EXPECT_EQ(guests.count, 0u);
    weir__guests_fini(&guests);
    EXPECT_EQ(guests.mem.bytes, 0u);
  }

  int take(const std::string &text, size_t most)
  {
    weir__ip ip = address(text);
    weir__guest *guest = nullptr;
    int error = weir__guests_take(&guests, &ip, most, &guest);
    EXPECT_EQ(guest == nullptr, error != 0);
    if (error == 0)
      in.push_back(guest);
    return error;
  }
  void give(size_t index)
  {
    weir__guests_give(&guests, in[index]);
    in.erase(in.begin() + static_cast<ptrdiff_t>(index));
  }

  weir__guests guests;
  std::vector<weir__guest *> in;
};

TEST_F(Guests, AsManyAsThereMayBe)
{
  EXPECT_EQ(take("192.0.2.1", 2), 0);
  EXPECT_EQ(take("192.0.2.1", 2), 0);
  EXPECT_EQ(take("192.0.2.1", 2), -ENOBUFS);
  EXPECT_EQ(take("192.0.2.2", 2), 0);
  EXPECT_EQ(guests.count, 2u);
  give(0);
  EXPECT_EQ(take("192.0.2.1", 2), 0);
  EXPECT_EQ(take("::ffff:192.0.2.1", 2), -ENOBUFS) << "the same client, by IPv6";
  EXPECT_EQ(take("127.0.0.1", 1), 0);
  EXPECT_EQ(take("127.0.0.1", 1), -ENOBUFS);
}

TEST_F(Guests, NetworkOfAnIpv6ClientIsOne)
{
  EXPECT_EQ(take("2001:db8:0:1::1", 2), 0);
  EXPECT_EQ(take("2001:db8:0:1:ffff::2", 2), 0);
  EXPECT_EQ(take("2001:db8:0:1::3", 2), -ENOBUFS);
  EXPECT_EQ(take("2001:db8:0:2::1", 2), 0);
  EXPECT_EQ(take("::1", 2), 0);
}

TEST_F(Guests, WhoIsGoneLeavesNothing)
{
  for (int i = 0; i < 1000; i++)
    EXPECT_EQ(take("10.0." + std::to_string(i / 256) + "." + std::to_string(i % 256), 1), 0);
  EXPECT_EQ(guests.count, 1000u);
  while (!in.empty())
    give(in.size() / 2);
  EXPECT_EQ(guests.count, 0u);
  EXPECT_EQ(guests.mem.bytes, guests.bucket_count * sizeof(void *));
}

TEST_F(Guests, FollowANaiveModel)
{
  std::mt19937 random(1);
  for (int step = 0; step < 20000; step++) {
    if (random() % 2 == 0 && !in.empty()) {
      size_t index = random() % in.size();
      give(index);
      continue;
    }
    std::string text = "10.0.0." + std::to_string(random() % 200);
    weir__ip ip = address(text);
    size_t before = static_cast<size_t>(std::count_if(in.begin(), in.end(), [&](weir__guest *g) {
      return memcmp(g->key + 12, ip.bytes, 4) == 0;
    }));
    ASSERT_EQ(take(text, 3), before < 3 ? 0 : -ENOBUFS);
    if (before < 3) {
      ASSERT_EQ(in.back()->count, before + 1);
    }
  }
}

/* Addresses that fall into one bucket under a guessed key do not under another. */
TEST_F(Guests, AddressesCannotBeChosenToCollide)
{
  constexpr size_t count = 256;
  const uint64_t guess[2] = {0, 0};
  size_t longest = 0;
  for (uint32_t i = 0; in.size() < count; i++) {
    weir__ip ip = address("2001:db8::");
    memcpy(ip.bytes + 4, &i, sizeof i);
    unsigned char bytes[WEIR__IP_KEY];
    weir__ip_key(&ip, bytes);
    if (weir__hash(guess, bytes, sizeof bytes) % count != 0)
      continue;
    weir__guest *guest = nullptr;
    ASSERT_EQ(weir__guests_take(&guests, &ip, 1, &guest), 0);
    in.push_back(guest);
  }
  ASSERT_EQ(guests.bucket_count, count);
  for (size_t i = 0; i < count; i++) {
    size_t length = 0;
    for (const weir__guest *guest = guests.buckets[i]; guest != nullptr; guest = guest->next)
      length++;
    longest = std::max(longest, length);
  }
  EXPECT_LE(longest, 10u);
}

TEST(GuestsWithout, MemoryRefuseAndGoOn)
{
  size_t failures = fail_every_allocation(
      [](sys_fake &fake) {
        weir__guests guests;
        weir__guests_init(&guests, &fake.sys, key);
        std::vector<weir__guest *> in;
        bool all = true;
        for (int i = 0; i < 100; i++) {
          weir__ip ip = address("10.0.0." + std::to_string(i));
          weir__guest *guest = nullptr;
          int error = weir__guests_take(&guests, &ip, 1, &guest);
          EXPECT_TRUE(error == 0 || error == -ENOMEM);
          all &= error == 0;
          if (error == 0)
            in.push_back(guest);
        }
        EXPECT_EQ(guests.count, in.size());
        for (weir__guest *each : in)
          weir__guests_give(&guests, each);
        weir__guests_fini(&guests);
        return all;
      },
      [](size_t nth, const char *what) { ADD_FAILURE() << "allocation " << nth << " " << what; });
  EXPECT_EQ(failures, 102u) << "two tables and a hundred entries";
}

TEST_F(Guests, AreCountedByManyThreads)
{
  std::vector<std::thread> threads;
  const weir__ip ip = address("192.0.2.1"), other = address("192.0.2.2");
  for (int t = 0; t < 4; t++)
    threads.emplace_back([&] {
      for (int i = 0; i < 5000; i++) {
        weir__guest *one = nullptr, *two = nullptr;
        EXPECT_EQ(weir__guests_take(&guests, &ip, 4, &one), 0);
        int error = weir__guests_take(&guests, &other, 2, &two);
        EXPECT_TRUE(error == 0 || error == -ENOBUFS);
        if (error == 0)
          weir__guests_give(&guests, two);
        weir__guests_give(&guests, one);
      }
    });
  for (std::thread &each : threads)
    each.join();
  EXPECT_EQ(guests.count, 0u);
}

} // namespace
