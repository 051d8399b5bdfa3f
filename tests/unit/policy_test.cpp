// Slow consumers: what each policy does with a queue that is full, and what it leaves alone.
#include "support/stage.hpp"

#include <gtest/gtest.h>

#include <cerrno>

using namespace support;

namespace
{

class policy : public testing::Test
{
protected:
  std::vector<size_t> notices; /* what on_dropped said */
  std::vector<int> closes;
  int drains = 0, filled = 0;
  stage at;

  policy()
  {
    at.on.dropped = [this](weir_conn *, size_t messages) { notices.push_back(messages); };
    at.on.drain = [this](weir_conn *) { drains++; };
    at.on.close = [this](weir_conn *, int code, std::string_view) { closes.push_back(code); };
  }

  void set(weir_queue_policy which, size_t messages, size_t bytes = WEIR_OFF)
  {
    at.options.queue_policy = which;
    at.options.max_queued_messages = messages;
    at.options.max_queued_bytes = bytes;
  }

  weir_conn *c() const
  {
    return at.last();
  }
  int send(std::string_view data)
  {
    return weir_conn_send(c(), WEIR_TEXT, data.data(), data.size());
  }
  int publish(std::string_view topic, std::string_view data)
  {
    held_frame frame(data);
    return weir_server_publish(at.server(), topic.data(), topic.size(), frame, 0);
  }
  void subscribe(std::string_view topic)
  {
    ASSERT_EQ(weir_conn_subscribe(c(), topic.data(), topic.size()), 0);
  }
  size_t told() const
  {
    size_t sum = 0;
    for (size_t n : notices)
      sum += n;
    return sum;
  }

  /* A client whose socket is full: one message is partly sent, and is all that is queued. */
  peer &stuck(std::string_view more = {})
  {
    peer &client = at.open("/", more, 4096);
    client.stall(true);
    std::string block(64 << 10, 'f');
    while (weir_conn_buffered(c()).bytes == 0) {
      EXPECT_EQ(weir_conn_send(c(), WEIR_BINARY, block.data(), block.size()), 0);
      filled++;
      at.turn_once();
    }
    return client;
  }

  void expect(peer &from, std::initializer_list<std::string_view> payloads)
  {
    for (std::string_view payload : payloads) {
      frame got = at.next(from);
      ASSERT_EQ(got.payload, payload);
    }
  }

  /* It reads again: what filled the socket, then these, and nothing else. */
  void expect_rest(peer &client, std::initializer_list<std::string_view> payloads)
  {
    client.stall(false);
    for (; filled > 0; filled--)
      ASSERT_EQ(at.next(client).payload.size(), size_t{64} << 10);
    expect(client, payloads);
    ASSERT_EQ(send("the end"), 0);
    expect(client, {"the end"});
  }
};

TEST_F(policy, DropOldestKeepsTheNewest)
{
  set(WEIR_QUEUE_DROP_OLDEST, 4);
  at.start();
  peer &client = stuck();
  for (const char *text : {"1", "2", "3", "4", "5", "6"})
    EXPECT_EQ(send(text), 0);
  EXPECT_EQ(weir_conn_buffered(c()).messages, 4u);
  EXPECT_TRUE(notices.empty()) << "told inside the call that sent";
  at.settle();
  EXPECT_EQ(notices, std::vector<size_t>{3});
  EXPECT_EQ(at.counters().dropped, 3u);
  expect_rest(client, {"4", "5", "6"});
  EXPECT_EQ(drains, 1);
  EXPECT_TRUE(closes.empty());
}

TEST_F(policy, DropOldestCountsBytes)
{
  set(WEIR_QUEUE_DROP_OLDEST, WEIR_OFF, 80 << 10);
  at.start();
  peer &client = stuck();
  std::string large(5000, 'l');
  EXPECT_EQ(send("small"), 0);
  for (int i = 0; i < 40; i++)
    EXPECT_EQ(send(large), 0);
  EXPECT_EQ(send("last"), 0);
  EXPECT_LE(weir_conn_buffered(c()).bytes, size_t{80} << 10);
  at.settle();
  EXPECT_EQ(told(), at.counters().dropped);
  EXPECT_GT(told(), 20u);
  client.stall(false);
  for (; filled > 0; filled--)
    at.next(client);
  size_t left = 0;
  frame got;
  for (got = at.next(client); got.payload == large; got = at.next(client))
    left++;
  EXPECT_EQ(got.payload, "last");
  EXPECT_EQ(left + told(), 41u);
}

/* What is partly sent stays, and so does what could not make room all the same. */
TEST_F(policy, NothingIsDroppedInVain)
{
  set(WEIR_QUEUE_DROP_OLDEST, WEIR_OFF, 70 << 10);
  at.start();
  peer &client = stuck();
  ASSERT_GT(weir_conn_buffered(c()).bytes, 1000u);
  EXPECT_EQ(send("old"), 0);
  EXPECT_EQ(send(std::string(70 << 10, 'x')), -ENOBUFS) << "it fits an empty queue alone";
  EXPECT_EQ(send(std::string((70 << 10) + 1, 'x')), -EMSGSIZE);
  at.settle();
  EXPECT_EQ(notices, std::vector<size_t>{1}) << "the one that was refused";
  expect_rest(client, {"old"});
}

TEST_F(policy, FragmentsAndControlFramesStay)
{
  set(WEIR_QUEUE_DROP_OLDEST, 4);
  at.start();
  peer &client = stuck();
  ASSERT_EQ(weir_conn_ping(c(), "p", 1), 0);
  ASSERT_EQ(weir_conn_send_begin(c(), WEIR_TEXT, "be", 2), 0);
  ASSERT_EQ(weir_conn_send_more(c(), "gu", 2), 0);
  ASSERT_EQ(send("held back"), 0);
  ASSERT_EQ(weir_conn_send_end(c(), "n", 1), 0);
  EXPECT_EQ(send("1"), 0);
  EXPECT_EQ(send("2"), 0);
  EXPECT_EQ(send("3"), 0);
  at.settle();
  EXPECT_EQ(told(), 2u);
  expect_rest(client, {"p", "be", "gu", "n", "2", "3"});
}

TEST_F(policy, WhatWaitsBehindAMessageBegunGoesToo)
{
  set(WEIR_QUEUE_DROP_OLDEST, 3);
  at.start();
  peer &client = stuck();
  ASSERT_EQ(weir_conn_send_begin(c(), WEIR_TEXT, "be", 2), 0);
  for (const char *text : {"1", "2", "3"})
    EXPECT_EQ(send(text), 0);
  ASSERT_EQ(weir_conn_send_end(c(), "gun", 3), 0);
  expect_rest(client, {"be", "gun", "2", "3"});
}

TEST_F(policy, CloseTakesWhatMayBeDroppedFirst)
{
  set(WEIR_QUEUE_CLOSE, 4);
  ASSERT_EQ(weir_server_topic_policy(at.server(), "price/", 6, WEIR_QUEUE_DROP_OLDEST), 0);
  at.start();
  peer &client = stuck();
  subscribe("price/a");
  subscribe("order");
  EXPECT_EQ(publish("price/a", "p1"), 0);
  EXPECT_EQ(publish("order", "o1"), 0);
  EXPECT_EQ(publish("price/a", "p2"), 0);
  EXPECT_EQ(publish("order", "o2"), 0);
  EXPECT_EQ(send("mine"), 0);
  at.settle();
  EXPECT_EQ(told(), 2u);
  EXPECT_TRUE(closes.empty());
  EXPECT_EQ(publish("order", "o3"), 0);
  at.settle();
  EXPECT_EQ(closes, std::vector<int>{1008});
  client.stall(false);
  for (; filled > 0; filled--)
    at.next(client);
  EXPECT_EQ(at.next(client).payload.substr(0, 2), "\x03\xF0"); /* 1008 */
}

TEST_F(policy, KeepLatestReplacesInPlace)
{
  set(WEIR_QUEUE_KEEP_LATEST, WEIR_OFF);
  at.start();
  peer &client = stuck();
  subscribe("a");
  subscribe("b");
  EXPECT_EQ(publish("a", "a1"), 0);
  EXPECT_EQ(send("between"), 0);
  EXPECT_EQ(publish("b", "b1"), 0);
  for (int i = 2; i < 100; i++) {
    EXPECT_EQ(publish("a", "a" + std::to_string(i)), 0);
    EXPECT_EQ(publish("b", "longer than it was, b" + std::to_string(i)), 0);
  }
  EXPECT_EQ(weir_conn_buffered(c()).messages, 4u);
  at.settle();
  EXPECT_EQ(told(), 2u * 98);
  expect_rest(client, {"a99", "between", "longer than it was, b99"});
}

/* Who reads gets all of them. */
TEST_F(policy, KeepLatestLeavesLivelyOnesAlone)
{
  set(WEIR_QUEUE_KEEP_LATEST, WEIR_OFF);
  at.start();
  peer &client = at.open();
  subscribe("a");
  for (const char *text : {"1", "2", "3"})
    EXPECT_EQ(publish("a", text), 0);
  expect(client, {"1", "2", "3"});
  EXPECT_EQ(at.counters().dropped, 0u);
}

/* One that is larger than what it is later than may not fit where that was. */
TEST_F(policy, KeepLatestHoldsTheLimit)
{
  set(WEIR_QUEUE_KEEP_LATEST, WEIR_OFF, 70 << 10);
  at.start();
  peer &client = stuck();
  subscribe("a");
  size_t room = (size_t{70} << 10) - weir_conn_buffered(c()).bytes;
  EXPECT_EQ(publish("a", "a1"), 0);
  EXPECT_EQ(send(std::string(room - 1000, 'x')), 0);
  std::string large(1500, 'a');
  EXPECT_EQ(publish("a", large), 0);
  EXPECT_LE(weir_conn_buffered(c()).bytes, size_t{70} << 10);
  at.settle();
  EXPECT_EQ(told(), 2u);
  EXPECT_EQ(publish("a", std::string((70 << 10) + 1, 'a')), 0); /* too long for any queue */
  at.settle();
  EXPECT_EQ(told(), 2u);
  expect_rest(client, {large});
}

TEST_F(policy, LongestPrefixCounts)
{
  weir_server *server = at.server();
  EXPECT_EQ(weir_server_topic_policy(server, "", 0, WEIR_QUEUE_CLOSE), -EINVAL);
  EXPECT_EQ(weir_server_topic_policy(server, nullptr, 1, WEIR_QUEUE_CLOSE), -EINVAL);
  EXPECT_EQ(weir_server_topic_policy(server, std::string(256, 'x').c_str(), 256, WEIR_QUEUE_CLOSE),
            -EINVAL);
  EXPECT_EQ(weir_server_topic_policy(server, "a", 1, static_cast<weir_queue_policy>(4)), -EINVAL);
  ASSERT_EQ(weir_server_topic_policy(server, "a", 1, WEIR_QUEUE_KEEP_LATEST), 0);
  ASSERT_EQ(weir_server_topic_policy(server, "a/b", 3, WEIR_QUEUE_DROP_NEWEST), 0);
  EXPECT_EQ(weir_server_topic_policy(server, "a", 1, WEIR_QUEUE_CLOSE), -EEXIST);
  set(WEIR_QUEUE_CLOSE, 3);
  at.start();
  EXPECT_EQ(weir_server_topic_policy(server, "b", 1, WEIR_QUEUE_CLOSE), -EBUSY);
  peer &client = stuck();
  subscribe("a/c");
  subscribe("a/b");
  EXPECT_EQ(publish("a/c", "c1"), 0);
  EXPECT_EQ(publish("a/c", "c2"), 0);
  EXPECT_EQ(publish("a/b", "b1"), 0);
  EXPECT_EQ(publish("a/b", "b2"), 0);
  at.settle();
  EXPECT_EQ(told(), 2u);
  expect_rest(client, {"c2", "b1"});
}

TEST_F(policy, AConnectionMayHaveItsOwn)
{
  set(WEIR_QUEUE_CLOSE, 3);
  at.start();
  peer &client = stuck();
  EXPECT_EQ(weir_conn_set_queue_policy(c(), static_cast<weir_queue_policy>(4)), -EINVAL);
  EXPECT_EQ(send("stays"), 0);
  ASSERT_EQ(weir_conn_set_queue_policy(c(), WEIR_QUEUE_DROP_OLDEST), 0);
  EXPECT_EQ(send("1"), 0);
  EXPECT_EQ(send("2"), 0);
  EXPECT_TRUE(closes.empty());
  expect_rest(client, {"stays", "2"});
}

/* Messages that later ones refer to must arrive. */
TEST_F(policy, DroppingDeclinesContextTakeover)
{
  set(WEIR_QUEUE_DROP_OLDEST, 10);
  at.options.compression = WEIR_COMPRESSION_DEDICATED;
  at.start();
  at.open("/", "Sec-WebSocket-Extensions: permessage-deflate\r\n");
  weir_compression_state state;
  ASSERT_EQ(weir_conn_compression(c(), &state), 0);
  EXPECT_EQ(state.agreed, 1);
  EXPECT_EQ(state.server_takeover, 0);
  EXPECT_EQ(state.client_takeover, 1);
}

TEST_F(policy, WhatWasCompressedWithAContextStays)
{
  set(WEIR_QUEUE_CLOSE, 4);
  at.options.compression = WEIR_COMPRESSION_DEDICATED;
  at.options.compression_threshold = 1;
  at.start();
  stuck("Sec-WebSocket-Extensions: permessage-deflate\r\n");
  ASSERT_EQ(weir_conn_set_queue_policy(c(), WEIR_QUEUE_DROP_OLDEST), 0);
  std::string text(100, 't');
  while (weir_conn_buffered(c()).messages < 4)
    EXPECT_EQ(send(text), 0);
  EXPECT_EQ(send(text), -ENOBUFS);
  EXPECT_TRUE(closes.empty());
}

/* The notice is given once the connection is not inside a send, whatever it does then. */
TEST_F(policy, TheHandlerMayDoAnything)
{
  set(WEIR_QUEUE_DROP_OLDEST, 3);
  at.on.dropped = [&](weir_conn *conn, size_t messages) {
    notices.push_back(messages);
    weir_conn_send(conn, WEIR_TEXT, "x", 1);
    if (notices.size() == 3)
      weir_conn_abort(conn);
  };
  at.start();
  stuck();
  for (const char *text : {"1", "2", "3"})
    EXPECT_EQ(send(text), 0);
  at.settle();
  EXPECT_EQ(notices, (std::vector<size_t>{1, 1, 1}));
  EXPECT_EQ(closes, std::vector<int>{1006});
}

} // namespace
