// Whatever ways messages to a connection go, and whoever sends them (its own handler, another
// one's, or nobody's), they arrive in the order of the calls, each whole, and none that was
// refused.
#include "support/stage.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <random>

using namespace support;

namespace
{

class order : public testing::TestWithParam<unsigned>
{
protected:
  std::mt19937 dice{GetParam()};
  stage at;
  weir_conn *mine = nullptr;
  std::vector<frame> expected;
  std::string key = "t";

  size_t roll(size_t sides)
  {
    return dice() % sides;
  }
  std::string data()
  {
    const size_t most[] = {10, 130, 5000, 15000, 60000};
    return std::string(roll(most[roll(5)]), static_cast<char>('a' + roll(26)));
  }
  void note(int error, unsigned first, const std::string &payload)
  {
    EXPECT_TRUE(error == 0 || error == -ENOBUFS) << error;
    if (error == 0)
      expected.push_back({first, payload});
  }

  /* One call of some kind for the connection. */
  void act()
  {
    std::string payload = data(), control = payload.substr(0, 100);
    held_frame shared(payload);
    uint64_t dropped = at.counters().dropped;
    weir_server *server = at.server();
    switch (roll(8)) {
    case 0:
      note(weir_conn_send_frame(mine, shared), fin | text, payload);
      break;
    case 1:
      EXPECT_EQ(weir_server_broadcast(server, shared, 0), 0);
      note(at.counters().dropped > dropped ? -ENOBUFS : 0, fin | text, payload);
      break;
    case 2:
      EXPECT_EQ(weir_server_publish(server, key.data(), key.size(), shared, 0), 0);
      note(at.counters().dropped > dropped ? -ENOBUFS : 0, fin | text, payload);
      break;
    case 3:
      note(weir_conn_ping(mine, control.data(), control.size()), fin | ping, control);
      break;
    default:
      note(weir_conn_send(mine, WEIR_BINARY, payload.data(), payload.size()), fin | binary,
           payload);
    }
    EXPECT_LE(weir_conn_buffered(mine).messages, 40u);
    EXPECT_LE(weir_conn_buffered(mine).bytes, 200000u);
  }
  void act_often()
  {
    for (size_t count = roll(12); count > 0; count--)
      act();
  }
};

INSTANTIATE_TEST_SUITE_P(seeds, order, testing::Range(1u, 11u));

TEST_P(order, IsThatOfTheCalls)
{
  at.options.queue_policy = WEIR_QUEUE_DROP_NEWEST;
  at.options.max_queued_bytes = 200000;
  at.options.max_queued_messages = 40;
  hooks elsewhere;
  elsewhere.message = at.on.message = [this](weir_conn *, const weir_message *) { act_often(); };
  weir_route_options apart = at.options;
  apart.no_broadcast = true;
  at.route("/other", elsewhere, apart);
  at.start();
  peer &other = at.open("/other");
  peer &client = at.open("/", "", 4096);
  mine = at.last();
  ASSERT_EQ(weir_conn_subscribe(mine, key.data(), key.size()), 0);
  size_t seen = 0;
  for (int round = 0; round < 40; round++) {
    client.stall(roll(3) != 0);
    for (size_t count = roll(4); count > 0; count--)
      (roll(3) == 0 ? other : client).say("go");
    if (roll(4) == 0)
      act_often();
    at.settle();
    if (roll(4) != 0)
      continue;
    client.stall(false);
    for (; seen < expected.size(); seen++) {
      frame got = at.next(client);
      ASSERT_EQ(got.first, expected[seen].first) << seen;
      ASSERT_TRUE(got.payload == expected[seen].payload) << seen;
    }
  }
  EXPECT_EQ(at.counters().failed, 0u);
}

} // namespace
