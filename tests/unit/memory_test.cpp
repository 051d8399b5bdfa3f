// What an idle connection costs: at most 160 bytes of our own memory, with a subscription 240,
// counted by our allocator and seen in the resident set of the process (kernel memory is not part
// of either). A real server and 10,000 real connections, whose clients live in another process.
#include "support/crowd.hpp"
#include "support/stage.hpp"

#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>

using namespace support;

namespace
{

constexpr size_t few = 1000, many = 10000, allowed = 160, allowed_subscribed = 240;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool resident_counts = false;
#elif defined(__has_feature)
constexpr bool resident_counts =
    !__has_feature(address_sanitizer) && !__has_feature(thread_sanitizer);
#else
constexpr bool resident_counts = true;
#endif

size_t resident_bytes()
{
  std::ifstream status("/proc/self/status");
  std::string word;
  size_t kilobytes = 0;
  while (status >> word && word != "VmRSS:")
    continue;
  status >> kilobytes;
  return kilobytes << 10;
}

struct reading {
  size_t counted, resident;
};

class memory : public testing::Test
{
protected:
  size_t opened = 0, echoed = 0;
  bool subscribing = false;
  stage at;

  memory()
  {
    at.on.open = [this](weir_conn *c) {
      opened++;
      if (subscribing)
        weir_conn_subscribe(c, "all", 3);
    };
    at.on.message = [this](weir_conn *c, const weir_message *m) {
      weir_conn_send_message(c, m);
      echoed++;
    };
  }

  reading read() const
  {
    return {static_cast<size_t>(at.counters().memory_bytes), resident_bytes()};
  }

  /* What each of many connections costs beyond the first few. */
  void expect_at_most(size_t most)
  {
    ASSERT_TRUE(allow_descriptors(many + 100));
    at.start();
    /* Each member says something once, so that idle means idle again, not never used. */
    auto act = [](std::vector<crowd::member> &members) {
      for (crowd::member &member : members) {
        member.send("used");
        member.receive();
      }
      members.front().receive();
    };
    crowd first(at.port(), few, act);
    ASSERT_TRUE(at.until([&] { return echoed == few; }));
    reading before = read();
    crowd rest(at.port(), many - few, act);
    ASSERT_TRUE(at.until([&] { return echoed == many; }));
    reading after = read();
    ASSERT_EQ(opened, many);
    double counted = static_cast<double>(after.counted - before.counted) / (many - few);
    double resident =
        (static_cast<double>(after.resident) - static_cast<double>(before.resident)) / (many - few);
    std::printf("%s connection: %.1f bytes counted, %.1f bytes resident\n",
                subscribing ? "a subscribed" : "an idle", counted, resident);
    RecordProperty("counted", std::to_string(counted));
    RecordProperty("resident", std::to_string(resident));
    EXPECT_LE(counted, most);
    EXPECT_GT(counted, 128) << "the count cannot be right";
    if (resident_counts && !subscribing) { // a second crowd finds pages that the first one left
      EXPECT_LE(resident, most);
    }
    at.end_server();
    EXPECT_TRUE(first.succeeded());
    EXPECT_TRUE(rest.succeeded());
  }
};

TEST_F(memory, OfAnIdleConnection)
{
  expect_at_most(allowed);
}

TEST_F(memory, OfASubscribedConnection)
{
  subscribing = true;
  expect_at_most(allowed_subscribed);
}

/* What connections needed while they were busy goes back when they have closed. */
TEST_F(memory, IsGivenBack)
{
  at.start();
  peer &warm = at.open();
  warm.say(std::string(300 << 10, 'w'));
  at.next(warm);
  warm.reset();
  ASSERT_TRUE(at.until([&] { return at.counters().closed == 1; }));
  size_t before = read().counted;
  for (int round = 0; round < 3; round++) {
    std::vector<peer *> clients;
    for (int i = 0; i < 50; i++)
      clients.push_back(&at.open());
    for (peer *client : clients)
      client->say(std::string(20 << 10, 'x'));
    for (peer *client : clients)
      EXPECT_EQ(at.next(*client).payload.size(), 20u << 10);
    for (peer *client : clients)
      client->reset();
    ASSERT_TRUE(at.until([&] { return at.counters().closed == at.counters().opened; }));
  }
  EXPECT_LE(read().counted, before + (256 << 10)) << "more is kept than a pool of buffers";
}

} // namespace
