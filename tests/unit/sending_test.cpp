// What conn.h says of sending: whole messages, fragments, pings, limits, on_drain.
#include "support/stage.hpp"

#include <gtest/gtest.h>

#include <cerrno>

using namespace support;

namespace
{

constexpr auto no_opcode = static_cast<weir_opcode>(3);

class sending : public testing::Test
{
protected:
  int drains = 0, filled = 0;
  std::vector<int> errors, closes;
  stage at;

  sending()
  {
    at.on.drain = [this](weir_conn *) { drains++; };
    at.on.error = [this](weir_conn *, int error, std::string_view) { errors.push_back(error); };
    at.on.close = [this](weir_conn *, int code, std::string_view) { closes.push_back(code); };
  }

  weir_conn *c() const
  {
    return at.last();
  }
  int send(std::string_view data, weir_opcode opcode = WEIR_TEXT)
  {
    return weir_conn_send(c(), opcode, data.data(), data.size());
  }
  int begin(std::string_view data, weir_opcode opcode = WEIR_TEXT)
  {
    return weir_conn_send_begin(c(), opcode, data.data(), data.size());
  }
  int more(std::string_view data)
  {
    return weir_conn_send_more(c(), data.data(), data.size());
  }
  int end(std::string_view data)
  {
    return weir_conn_send_end(c(), data.data(), data.size());
  }

  void expect_frame(peer &from, unsigned first, std::string_view payload)
  {
    frame got = at.next(from);
    EXPECT_EQ(got.first, first);
    EXPECT_EQ(got.payload, payload);
  }

  /* Sends to a stalled peer until its socket takes no more and something stays in the queue. */
  void fill_socket()
  {
    std::string block(64 << 10, 'f');
    while (weir_conn_buffered(c()).bytes == 0) {
      ASSERT_EQ(send(block, WEIR_BINARY), 0);
      filled++;
      weir_loop_step(at.loop(), 0);
    }
  }
  void expect_filling(peer &from)
  {
    std::string block(64 << 10, 'f');
    for (; filled > 0; filled--)
      expect_frame(from, fin | binary, block);
  }
};

TEST_F(sending, WholeMessagesOfEveryLengthClass)
{
  at.start();
  peer &client = at.open();
  for (size_t len : {0u, 1u, 125u, 126u, 127u, 65535u, 65536u, 100000u}) {
    std::string data(len, 'x');
    EXPECT_EQ(send(data), 0);
    expect_frame(client, fin | text, data);
    EXPECT_EQ(send(data, WEIR_BINARY), 0);
    expect_frame(client, fin | binary, data);
  }
  EXPECT_EQ(weir_conn_send(c(), WEIR_TEXT, nullptr, 0), 0);
  expect_frame(client, fin | text, "");
  EXPECT_EQ(at.counters().messages_sent, 17u);
}

TEST_F(sending, RefusesWhatIsNoMessage)
{
  at.start();
  peer &client = at.open();
  EXPECT_EQ(send("x", no_opcode), -EINVAL);
  EXPECT_EQ(weir_conn_send(c(), WEIR_TEXT, nullptr, 1), -EINVAL);
  EXPECT_EQ(weir_conn_send_frame(c(), nullptr), -EINVAL);
  EXPECT_EQ(weir_conn_send_message(c(), nullptr), -EINVAL);
  const weir_message piece = {"x", 1, WEIR_TEXT, 1, 0, nullptr};
  EXPECT_EQ(weir_conn_send_message(c(), &piece), -EINVAL);
  EXPECT_EQ(begin("x", no_opcode), -EINVAL);
  EXPECT_EQ(weir_conn_send_begin(c(), WEIR_TEXT, nullptr, 1), -EINVAL);
  EXPECT_EQ(more("x"), -EINVAL) << "none is begun";
  EXPECT_EQ(end("x"), -EINVAL);
  EXPECT_EQ(weir_conn_buffered(c()).bytes, 0u);
  ASSERT_EQ(begin("a"), 0);
  EXPECT_EQ(weir_conn_send_more(c(), nullptr, 1), -EINVAL);
  EXPECT_EQ(weir_conn_send_end(c(), nullptr, 1), -EINVAL);
  EXPECT_EQ(begin("b"), -EBUSY);
  EXPECT_EQ(end("c"), 0);
  expect_frame(client, text, "a");
  expect_frame(client, fin | continuation, "c");
}

TEST_F(sending, NothingAfterClose)
{
  at.options.max_queued_bytes = 100;
  at.start();
  peer &client = at.open();
  held_frame shared("shared");
  auto expect_epipe = [&] {
    EXPECT_EQ(send("x"), -EPIPE);
    EXPECT_EQ(weir_conn_send_frame(c(), shared), -EPIPE);
    const weir_message whole = {"x", 1, WEIR_TEXT, 1, 1, nullptr};
    EXPECT_EQ(weir_conn_send_message(c(), &whole), -EPIPE);
    EXPECT_EQ(begin("x"), -EPIPE);
    EXPECT_EQ(more("x"), -EPIPE);
    EXPECT_EQ(end("x"), -EPIPE);
    EXPECT_EQ(weir_conn_ping(c(), "p", 1), -EPIPE);
    EXPECT_EQ(weir_conn_pong(c(), "p", 1), -EPIPE);
    EXPECT_EQ(weir_conn_subscribe(c(), "t", 1), -EPIPE);
    EXPECT_EQ(weir_conn_close(c(), 1000, nullptr), -EALREADY);
  };
  bool closed = false;
  at.on.close = [&](weir_conn *, int, std::string_view) {
    expect_epipe();
    closed = true;
  };
  ASSERT_EQ(weir_conn_close(c(), 1000, "bye"), 0);
  expect_epipe();
  frame close = at.next(client);
  EXPECT_EQ(close.first, fin | closing);
  client.say(close.payload, fin | closing);
  EXPECT_TRUE(at.until([&] { return closed; }));
  EXPECT_TRUE(at.ends(client));
}

TEST_F(sending, MessagesAndBroadcastsQueueBehindTheEnd)
{
  at.start();
  peer &client = at.open();
  held_frame shared("to all");
  ASSERT_EQ(begin("one ", WEIR_BINARY), 0);
  ASSERT_EQ(weir_server_broadcast(at.server(), shared, 0), 0);
  ASSERT_EQ(send("whole"), 0);
  ASSERT_EQ(more("two "), 0);
  EXPECT_EQ(weir_conn_buffered(c()).messages, 2u);
  expect_frame(client, binary, "one ");
  expect_frame(client, continuation, "two ");
  at.settle();
  EXPECT_FALSE(client.take()) << "a message went ahead of the end";
  ASSERT_EQ(send(std::string(20000, 'L')), 0) << "large ones wait as well";
  ASSERT_EQ(end("three"), 0);
  ASSERT_EQ(send("last"), 0);
  expect_frame(client, fin | continuation, "three");
  expect_frame(client, fin | text, "to all");
  expect_frame(client, fin | text, "whole");
  expect_frame(client, fin | text, std::string(20000, 'L'));
  expect_frame(client, fin | text, "last");
  EXPECT_EQ(weir_conn_buffered(c()).bytes, 0u);
  EXPECT_EQ(weir_conn_buffered(c()).messages, 0u);
}

/* One buffer, filled anew for each message and for some of the clients. */
TEST_F(sending, OneBufferToEachOfMany)
{
  at.start();
  std::vector<peer *> clients;
  std::vector<weir_conn *> conns;
  for (int i = 0; i < 4; i++) {
    clients.push_back(&at.open());
    conns.push_back(c());
  }
  std::string buffer;
  for (int round = 0; round < 3; round++) {
    for (size_t i = 0; i < conns.size(); i++) {
      buffer = "to all " + std::to_string(round);
      EXPECT_EQ(weir_conn_send(conns[i], WEIR_TEXT, buffer.data(), buffer.size()), 0);
      if (i == 1) {
        EXPECT_EQ(weir_conn_send(conns[i], WEIR_BINARY, buffer.data(), buffer.size()), 0);
      }
      buffer = "to one " + std::to_string(i);
      if (i >= 2) {
        EXPECT_EQ(weir_conn_send(conns[i], WEIR_TEXT, buffer.data(), buffer.size()), 0);
      }
    }
  }
  for (size_t i = 0; i < conns.size(); i++) {
    for (int round = 0; round < 3; round++) {
      std::string all = "to all " + std::to_string(round);
      expect_frame(*clients[i], fin | text, all);
      if (i == 1) {
        expect_frame(*clients[i], fin | binary, all);
      }
      if (i >= 2) {
        expect_frame(*clients[i], fin | text, "to one " + std::to_string(i));
      }
    }
  }
}

TEST_F(sending, ControlFramesGoBetweenFragments)
{
  at.start();
  peer &client = at.open();
  ASSERT_EQ(begin("one"), 0);
  ASSERT_EQ(weir_conn_ping(c(), "ping", 4), 0);
  client.say("asked", fin | ping);
  expect_frame(client, text, "one");
  expect_frame(client, fin | ping, "ping");
  expect_frame(client, fin | pong, "asked");
  ASSERT_EQ(weir_conn_pong(c(), nullptr, 0), 0);
  ASSERT_EQ(more(""), 0);
  ASSERT_EQ(weir_conn_close(c(), 3000, nullptr), 0);
  expect_frame(client, fin | pong, "");
  expect_frame(client, continuation, "");
  expect_frame(client, fin | closing, close_payload(3000));
  client.say(close_payload(3000), fin | closing);
  EXPECT_TRUE(at.ends(client));
  EXPECT_EQ(closes, std::vector<int>{3000});
}

TEST_F(sending, PingsAndPongsHaveAtMost125Bytes)
{
  at.start();
  peer &client = at.open();
  std::string data(126, 'p');
  for (auto call : {weir_conn_ping, weir_conn_pong}) {
    EXPECT_EQ(call(c(), data.data(), 126), -EINVAL);
    EXPECT_EQ(call(c(), nullptr, 1), -EINVAL);
    EXPECT_EQ(call(c(), data.data(), 125), 0);
  }
  expect_frame(client, fin | ping, data.substr(1));
  expect_frame(client, fin | pong, data.substr(1));
}

TEST_F(sending, MessageOverTheLimitByItself)
{
  at.options.max_queued_bytes = 1000;
  at.start();
  peer &client = at.open();
  std::string over(1001, 'o');
  held_frame frame(over);
  EXPECT_EQ(send(over), -EMSGSIZE);
  EXPECT_EQ(weir_conn_send_frame(c(), frame), -EMSGSIZE);
  EXPECT_EQ(begin(over), -EMSGSIZE);
  ASSERT_EQ(begin("a"), 0) << "the refused one is not begun";
  EXPECT_EQ(more(over), -EMSGSIZE);
  EXPECT_EQ(end(over), -EMSGSIZE);
  EXPECT_EQ(end("b"), 0);
  expect_frame(client, text, "a");
  expect_frame(client, fin | continuation, "b");
  EXPECT_EQ(send(over.substr(1)), 0) << "an empty queue takes a message of the limit's length";
  expect_frame(client, fin | text, over.substr(1));
  EXPECT_EQ(at.counters().dropped, 0u);
  EXPECT_TRUE(closes.empty());
}

TEST_F(sending, FullQueueDropsTheNewest)
{
  at.options.max_queued_bytes = 1 << 20;
  at.options.queue_policy = WEIR_QUEUE_DROP_NEWEST;
  at.start();
  peer &client = at.open("/", "", 4096);
  client.stall(true);
  fill_socket();
  size_t taken = 0;
  std::string block(100 << 10, 'q');
  while (send(block) == 0)
    taken++;
  EXPECT_EQ(send(block), -ENOBUFS);
  held_frame shared(block);
  EXPECT_EQ(weir_conn_send_frame(c(), shared), -ENOBUFS);
  EXPECT_EQ(weir_server_broadcast(at.server(), shared, 0), 0);
  EXPECT_EQ(at.counters().dropped, 4u);
  EXPECT_LE(weir_conn_buffered(c()).bytes, size_t{1} << 20);
  EXPECT_EQ(drains, 0);
  client.stall(false);
  expect_filling(client);
  for (; taken > 0; taken--)
    expect_frame(client, fin | text, block);
  EXPECT_TRUE(at.until([&] { return drains == 1; }));
  EXPECT_EQ(weir_conn_buffered(c()).bytes, 0u);
  ASSERT_EQ(send("on"), 0);
  expect_frame(client, fin | text, "on");
  EXPECT_TRUE(closes.empty());
  EXPECT_EQ(drains, 1);
}

/* Short broadcasts are gathered in blocks; one that a receiver misses most of is not kept for it.
 */
TEST_F(sending, AFullQueueKeepsLittleOfWhatItMisses)
{
  at.options.max_queued_bytes = 64 << 10;
  at.options.queue_policy = WEIR_QUEUE_DROP_NEWEST;
  at.start();
  peer &client = at.open("/", "", 4096);
  client.stall(true);
  fill_socket();
  size_t full = at.options.max_queued_bytes - 2000;
  ASSERT_EQ(send(std::string(full - weir_conn_buffered(c()).bytes, 'q')), 0);
  held_frame missed(std::string(4000, 'm')), taken("t");
  uint64_t memory = at.counters().memory_bytes;
  for (int round = 0; round < 200; round++) {
    for (int i = 0; i < 16; i++)
      ASSERT_EQ(weir_server_broadcast(at.server(), missed, 0), 0);
    ASSERT_EQ(weir_server_broadcast(at.server(), taken, 0), 0);
  }
  EXPECT_EQ(at.counters().dropped, 200u * 16);
  EXPECT_LT(at.counters().memory_bytes, memory + (size_t{1} << 20));
  client.stall(false);
  expect_filling(client);
  EXPECT_EQ(at.next(client).payload[0], 'q');
  for (int round = 0; round < 200; round++)
    expect_frame(client, fin | text, "t");
}

TEST_F(sending, FullQueueCloses)
{
  at.options.max_queued_bytes = 256 << 10;
  at.start();
  peer &client = at.open("/", "", 4096);
  client.stall(true);
  fill_socket();
  std::string block(100 << 10, 'q');
  int error = 0;
  while (error == 0)
    error = send(block);
  EXPECT_EQ(error, -ENOBUFS);
  EXPECT_TRUE(closes.empty()) << "a handler was called inside the call";
  EXPECT_EQ(send("x"), -EPIPE);
  EXPECT_TRUE(at.until([&] { return !closes.empty(); }));
  EXPECT_EQ(errors, std::vector<int>{-ENOBUFS});
  EXPECT_EQ(closes, std::vector<int>{1008});
  EXPECT_EQ(at.counters().failed, 1u);
  client.stall(false);
  expect_filling(client); /* what was begun is whole, and nothing else comes but the Close frame */
  frame last = at.next(client);
  EXPECT_EQ(last.first, fin | closing);
  EXPECT_EQ(last.code(), 1008);
  EXPECT_TRUE(at.ends(client));
  EXPECT_EQ(drains, 0);
}

TEST_F(sending, LimitOfMessages)
{
  at.options.max_queued_messages = 3;
  at.options.queue_policy = WEIR_QUEUE_DROP_NEWEST;
  at.start();
  peer &client = at.open("/", "", 4096);
  client.stall(true);
  fill_socket();
  while (weir_conn_buffered(c()).messages < 3)
    ASSERT_EQ(send("m"), 0);
  EXPECT_EQ(send("n"), -ENOBUFS);
  EXPECT_EQ(weir_conn_buffered(c()).messages, 3u);
}

TEST_F(sending, FlushesBeforeItJudges)
{
  at.options.max_queued_bytes = 1000;
  at.start();
  peer &client = at.open();
  std::string data(900, 'd');
  for (int i = 0; i < 20; i++)
    ASSERT_EQ(send(data), 0) << "the socket takes what is queued";
  for (int i = 0; i < 20; i++)
    expect_frame(client, fin | text, data);
  EXPECT_EQ(at.counters().dropped, 0u);
}

TEST_F(sending, FragmentsThatDoNotFitMayBeTriedAgain)
{
  at.options.max_queued_bytes = 256 << 10;
  at.start();
  peer &client = at.open("/", "", 4096);
  client.stall(true);
  ASSERT_EQ(begin("begun "), 0);
  std::string block(60 << 10, 'b'), all = "begun ";
  int error;
  while ((error = more(block)) == 0) {
    all += block;
    weir_loop_step(at.loop(), 0);
  }
  EXPECT_EQ(error, -ENOBUFS);
  EXPECT_EQ(end(block), -ENOBUFS);
  at.settle();
  EXPECT_TRUE(closes.empty()) << "no policy runs for a fragment";
  EXPECT_EQ(drains, 0);
  client.stall(false);
  EXPECT_TRUE(at.until([&] { return drains == 1; }));
  EXPECT_EQ(end(block), 0);
  std::string got;
  frame piece;
  do {
    piece = at.next(client);
    got += piece.payload;
  } while (piece.first != nothing && !piece.last());
  EXPECT_EQ(got.size(), all.size() + block.size());
  EXPECT_TRUE(got == all + block);
}

/* Broadcasts that wait behind a message begun must not keep that message from ending. */
TEST_F(sending, WhatWaitsBehindAMessageDoesNotHoldItUp)
{
  at.options.max_queued_bytes = 1000;
  at.options.queue_policy = WEIR_QUEUE_DROP_NEWEST;
  at.start();
  peer &client = at.open();
  held_frame shared(std::string(900, 's'));
  ASSERT_EQ(begin("a"), 0);
  expect_frame(client, text, "a");
  ASSERT_EQ(weir_conn_send_frame(c(), shared), 0);
  EXPECT_EQ(weir_conn_send_frame(c(), shared), -ENOBUFS) << "the limit counts what waits";
  EXPECT_EQ(weir_conn_ping(c(), std::string(100, 'p').data(), 100), 0);
  EXPECT_EQ(more(std::string(200, 'm')), 0);
  expect_frame(client, fin | ping, std::string(100, 'p'));
  expect_frame(client, continuation, std::string(200, 'm'));
  EXPECT_EQ(end(std::string(200, 'e')), 0);
  expect_frame(client, fin | continuation, std::string(200, 'e'));
  expect_frame(client, fin | text, std::string(900, 's'));
}

TEST_F(sending, LargeLentDataLeavesAtOnceAndItsTailIsExact)
{
  at.options.max_queued_bytes = WEIR_OFF;
  at.start();
  peer &client = at.open("/", "", 4096);
  client.stall(true);
  std::string small = "small", large(8 << 20, 0);
  for (size_t i = 0; i < large.size(); i++)
    large[i] = static_cast<char>(i * 2654435761u >> 24);
  uint64_t before = at.counters().bytes_sent;
  ASSERT_EQ(send(small), 0);
  EXPECT_EQ(at.counters().bytes_sent, before) << "small data waits for the turn's end";
  ASSERT_EQ(send(large, WEIR_BINARY), 0);
  uint64_t sent = at.counters().bytes_sent - before;
  EXPECT_GT(sent, 7u + 16384u);
  EXPECT_EQ(weir_conn_buffered(c()).bytes, 7 + 10 + large.size() - sent);
  EXPECT_EQ(weir_conn_buffered(c()).messages, 1u) << "the one partly sent";
  ASSERT_EQ(send("behind"), 0);
  std::string expected = large;
  std::fill(large.begin(), large.end(), '!'); /* it was lent for the call alone */
  client.stall(false);
  expect_frame(client, fin | text, small);
  frame got = at.next(client);
  EXPECT_EQ(got.first, fin | binary);
  EXPECT_TRUE(got.payload == expected);
  expect_frame(client, fin | text, "behind");
  EXPECT_TRUE(at.until([&] { return drains == 1; }));
}

TEST_F(sending, OnDrainMaySendALargeMessageEachTime)
{
  std::string large(600 << 10, 'd');
  int left = 5;
  at.on.drain = [&](weir_conn *conn) {
    if (left-- > 0) {
      EXPECT_EQ(weir_conn_send(conn, WEIR_BINARY, large.data(), large.size()), 0);
    }
  };
  at.start();
  peer &client = at.open("/", "", 4096);
  ASSERT_EQ(send(large, WEIR_BINARY), 0);
  for (int i = 0; i < 6; i++)
    expect_frame(client, fin | binary, large);
}

TEST_F(sending, EchoByReferenceOfAMessageThatSpansReads)
{
  weir_frame *kept = nullptr;
  at.on.message = [&](weir_conn *conn, const weir_message *message) {
    EXPECT_EQ(weir_conn_send_message(conn, message), 0);
    EXPECT_EQ(weir_frame_of_message(&kept, message), 0);
  };
  at.start();
  peer &client = at.open();
  std::string data(700 << 10, 'e');
  client.say(data, fin | binary);
  expect_frame(client, fin | binary, data);
  ASSERT_NE(kept, nullptr);
  weir_slice payload = weir_frame_payload(kept);
  EXPECT_EQ(std::string_view(payload.data, payload.len), data);
  EXPECT_EQ(weir_frame_opcode(kept), WEIR_BINARY);
  weir_frame_unref(kept);
}

TEST_F(sending, PeerGoneWhileSending)
{
  at.start();
  peer &client = at.open();
  client.reset();
  std::string large(500 << 10, 'x');
  int error = 0;
  at.until([&] {
    if (closes.empty() && error == 0)
      error = send(large);
    return !closes.empty();
  });
  EXPECT_EQ(closes, std::vector<int>{1006});
  EXPECT_TRUE(errors.empty()) << "a peer that goes away is no error";
}

} // namespace
