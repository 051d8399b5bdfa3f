// Limits in time of what a connection sends: how long a message may take to come, and how many of
// them in a second, on a clock that the test puts forward.
#include "support/stage.hpp"

#include "ws/extra.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

using namespace support;

namespace
{

class limits : public testing::Test
{
protected:
  std::vector<std::string> messages, whats;
  std::vector<int> errors, codes;
  stage at;

  limits()
  {
    at.freeze();
    at.options.ping_interval_ms = WEIR_OFF; /* nothing else is timed */
    at.on.message = [this](weir_conn *, const weir_message *m) {
      messages.emplace_back(static_cast<const char *>(m->data), m->len);
    };
    at.on.error = [this](weir_conn *, int error, std::string_view what) {
      errors.push_back(error);
      whats.emplace_back(what);
    };
    at.on.close = [this](weir_conn *, int code, std::string_view) { codes.push_back(code); };
  }

  weir_conn *c() const
  {
    return at.last();
  }
  bool heard(size_t count)
  {
    return at.until([&] { return messages.size() == count; });
  }

  /* What is sent arrives, and then time passes, in steps of what its clock tells apart. */
  void say_and_pass(peer &client, std::string_view bytes, uint64_t ms)
  {
    client.send(bytes);
    at.settle();
    for (; ms > 0; ms -= std::min<uint64_t>(ms, 64))
      at.pass(std::min<uint64_t>(ms, 64));
    at.settle();
  }

  void expect_failed(peer &client, size_t nth = 1)
  {
    ASSERT_EQ(codes, std::vector<int>(nth, 1008));
    EXPECT_EQ(errors, std::vector<int>(nth, -1008));
    EXPECT_NE(whats.back(), "");
    frame got = at.next(client);
    while (got.opcode() == pong)
      got = at.next(client);
    EXPECT_EQ(got.first, fin | closing);
    EXPECT_EQ(got.code(), 1008);
    EXPECT_NE(got.reason(), "");
    EXPECT_TRUE(at.ends(client));
    EXPECT_FALSE(client.was_reset());
  }
};

const std::string frame_of_six = masked(fin | text, "sixsix");

TEST_F(limits, MessageThatDoesNotEndInTime)
{
  at.options.message_timeout_ms = 1000;
  at.start();
  const std::string begun = masked(text, "begun");
  const std::string starts[] = {frame_of_six.substr(0, 1),
                                frame_of_six.substr(0, 5),
                                frame_of_six.substr(0, 6),
                                frame_of_six.substr(0, 8),
                                begun,
                                begun + masked(continuation, "more"),
                                begun + "\x89",
                                masked(fin | ping, "ping").substr(0, 8)};
  size_t nth = 0;
  for (const std::string &start : starts) {
    SCOPED_TRACE(nth);
    peer &client = at.open();
    say_and_pass(client, start, 990);
    ASSERT_EQ(codes.size(), nth);
    say_and_pass(client, "", 200);
    expect_failed(client, ++nth);
  }
  EXPECT_TRUE(messages.empty());
  EXPECT_EQ(at.counters().failed, nth);
}

/* No byte puts it off: not of the frame, not further fragments, not what stands between them. */
TEST_F(limits, MessageThatDrips)
{
  at.options.message_timeout_ms = 1000;
  at.start();
  const std::string longer = masked(fin | binary, std::string(100, 'x'));
  const std::vector<std::string> drips[] = {
      std::vector<std::string>(50, "x"),
      std::vector<std::string>(50, masked(continuation, "")),
      std::vector<std::string>(50, masked(fin | ping, "")),
  };
  size_t nth = 0;
  for (const auto &drip : drips) {
    SCOPED_TRACE(nth);
    peer &client = at.open();
    client.send(nth == 0 ? longer.substr(0, 6) : masked(text, "begun"));
    uint64_t passed = 0;
    for (size_t i = 0; i < drip.size() && codes.size() == nth; i++, passed += 50)
      say_and_pass(client, drip[i], 50);
    EXPECT_GE(passed, 1000u);
    EXPECT_LE(passed, 1200u);
    expect_failed(client, ++nth);
  }
}

/* Each is in time, though the connection is never between two of them at the end of a read. */
TEST_F(limits, EveryMessageHasTheTimeForItself)
{
  at.options.message_timeout_ms = 1000;
  at.start();
  peer &client = at.open();
  const std::string two = masked(text, "be") + masked(fin | continuation, "gun");
  const std::string flights[] = {frame_of_six, two, masked(fin | ping, "ping")};
  client.send(frame_of_six.substr(0, 3));
  std::string rest = frame_of_six.substr(3);
  for (int i = 0; i < 9; i++) {
    const std::string &next = flights[i % 3];
    say_and_pass(client, "", 700);
    say_and_pass(client, rest + next.substr(0, 9), 0);
    rest = next.substr(9);
  }
  EXPECT_EQ(messages.size(), 7u);
  say_and_pass(client, rest, 60000);
  EXPECT_TRUE(codes.empty());
  client.say("still open");
  EXPECT_TRUE(heard(8));
}

TEST_F(limits, MessageInPiecesIsTimedToo)
{
  size_t pieces = 0;
  at.options.message_timeout_ms = 1000;
  at.on.fragment = [&](weir_conn *, const weir_message *) { pieces++; };
  at.start();
  peer &client = at.open();
  for (int i = 0; i < 3; i++) /* idle time between messages is nobody's */
    say_and_pass(client, frame_of_six, 3000);
  EXPECT_EQ(pieces, 3u);
  say_and_pass(client, frame_of_six.substr(0, 8), 900);
  EXPECT_EQ(pieces, 4u);
  EXPECT_TRUE(codes.empty());
  say_and_pass(client, "", 300);
  expect_failed(client);
}

TEST_F(limits, MessageHasAMinuteUnlessToldOtherwise)
{
  at.start();
  peer &client = at.open();
  say_and_pass(client, frame_of_six.substr(0, 7), 59900);
  EXPECT_TRUE(codes.empty());
  say_and_pass(client, "", 300);
  expect_failed(client);
}

TEST_F(limits, MessageHasForEverWhereTheTimeIsOff)
{
  at.options.message_timeout_ms = WEIR_OFF;
  at.start();
  peer &client = at.open();
  const std::string ping_frame = masked(fin | ping, "ping");
  say_and_pass(client, ping_frame.substr(0, 8), 200000);
  say_and_pass(client, ping_frame.substr(8) + frame_of_six.substr(0, 7), 200000);
  EXPECT_TRUE(codes.empty());
  client.send(frame_of_six.substr(7));
  EXPECT_TRUE(heard(1));
  EXPECT_EQ(at.next(client).payload, "ping");
}

/* Time in which the application does not read is not the peer's; after it all of it begins anew. */
TEST_F(limits, PausedPeersMayTakeLonger)
{
  at.options.message_timeout_ms = 1000;
  at.start();
  peer &client = at.open();
  say_and_pass(client, frame_of_six.substr(0, 7), 500);
  weir_conn_pause(c());
  say_and_pass(client, frame_of_six.substr(7), 5000);
  EXPECT_TRUE(codes.empty());
  weir_conn_resume(c());
  EXPECT_TRUE(heard(1));
  say_and_pass(client, frame_of_six.substr(0, 7), 500);
  weir_conn_pause(c());
  say_and_pass(client, "", 5000);
  weir_conn_resume(c());
  say_and_pass(client, "", 900);
  EXPECT_TRUE(codes.empty());
  say_and_pass(client, "", 300);
  expect_failed(client);
}

TEST_F(limits, ClosingConnectionsHaveTheirOwnTime)
{
  at.options.message_timeout_ms = 1000;
  at.start();
  peer &client = at.open();
  ASSERT_EQ(weir_conn_close(c(), 1000, nullptr), 0);
  say_and_pass(client, frame_of_six.substr(0, 7), 3000);
  EXPECT_TRUE(codes.empty());
  client.send(frame_of_six.substr(7) + masked(fin | closing, close_payload(1000)));
  EXPECT_TRUE(at.until([&] { return codes.size() == 1; }));
  EXPECT_EQ(codes, std::vector<int>{1000});
  EXPECT_EQ(messages, std::vector<std::string>{"sixsix"});
}

/* Only a message that has begun costs memory, on either kind of route. */
TEST_F(limits, IdleConnectionsHaveNoInbox)
{
  hooks piecewise;
  piecewise.open = [this](weir_conn *conn) { at.on.open(conn); };
  piecewise.fragment = [](weir_conn *, const weir_message *) {};
  at.route("/pieces", piecewise);
  at.start();
  for (const char *path : {"/", "/pieces"}) {
    peer &client = at.open(path);
    const std::string stream = masked(text, "be") + masked(fin | ping, "ping") +
                               masked(fin | continuation, "gun") + frame_of_six;
    for (size_t i = 0; i < stream.size(); i++) {
      say_and_pass(client, stream.substr(i, 1), 0);
      bool between = i + 1 == stream.size() || i + 1 == stream.size() - frame_of_six.size();
      ASSERT_EQ(c()->inbox == nullptr, between) << i;
      ASSERT_TRUE(between || c()->inbox->begun) << i;
    }
    say_and_pass(client, stream, 0);
    EXPECT_EQ(c()->inbox, nullptr);
  }
}

/* So many frames of 12 bytes. */
std::string frames(size_t count, unsigned first = fin | text)
{
  std::string out;
  for (size_t i = 0; i < count; i++)
    out += masked(first, "sixsix");
  return out;
}

TEST_F(limits, MessagesInASecond)
{
  at.options.max_messages_per_s = 10;
  at.start();
  peer &client = at.open();
  say_and_pass(client, frames(20), 0);
  EXPECT_EQ(messages.size(), 20u) << "a burst of two seconds' worth";
  EXPECT_TRUE(codes.empty());
  say_and_pass(client, frames(1), 0);
  expect_failed(client);
  EXPECT_EQ(at.counters().failed, 1u);
}

TEST_F(limits, BytesInASecond)
{
  at.options.max_bytes_per_s = 120;
  at.start();
  peer &client = at.open();
  say_and_pass(client, frames(20), 0);
  EXPECT_EQ(messages.size(), 20u) << "headers are counted, but what else is?";
  EXPECT_TRUE(codes.empty());
  say_and_pass(client, std::string(1, '\x81'), 0);
  expect_failed(client);
}

TEST_F(limits, ControlFramesAreMessagesAndFragmentsAreNone)
{
  at.options.max_messages_per_s = 10;
  at.start();
  for (unsigned opcode : {ping, pong}) {
    size_t nth = codes.size();
    peer &client = at.open();
    say_and_pass(client, frames(10, fin | opcode) + frames(9), 0);
    say_and_pass(client, frames(1, text), 0);
    say_and_pass(client, frames(50, continuation), 0);
    say_and_pass(client, frames(1, fin | continuation), 0);
    EXPECT_EQ(codes.size(), nth);
    EXPECT_EQ(messages.size(), 10 * nth + 10);
    say_and_pass(client, frames(1, fin | opcode), 0);
    expect_failed(client, nth + 1);
  }
}

/* An allowance fills up at its rate, exactly, and to no more than the burst. */
TEST_F(limits, RatesAreHeldOverTime)
{
  at.options.max_messages_per_s = 10;
  at.options.max_bytes_per_s = 120;
  at.start();
  peer &client = at.open();
  for (int i = 0; i < 300; i++)
    say_and_pass(client, frames(1), 100);
  EXPECT_TRUE(codes.empty());
  say_and_pass(client, "", 100000);
  say_and_pass(client, frames(20), 1000);
  EXPECT_TRUE(codes.empty()) << "a second after a burst";
  say_and_pass(client, frames(9), 300);
  say_and_pass(client, frames(3), 0);
  EXPECT_TRUE(codes.empty());
  EXPECT_EQ(messages.size(), 332u);
  say_and_pass(client, frames(3), 0);
  expect_failed(client);
}

TEST_F(limits, SomewhatTooFastFailsAfterAWhile)
{
  at.options.max_messages_per_s = 10;
  at.start();
  peer &client = at.open();
  size_t sent = 0;
  for (; codes.empty() && sent < 1000; sent++)
    say_and_pass(client, frames(1), 80); /* 12.5 a second */
  EXPECT_GE(sent, 94u);
  EXPECT_LE(sent, 98u);
  expect_failed(client);
}

/* What comes along with the request is counted, the request is not. */
TEST_F(limits, RatesHoldFromTheFirstByteOn)
{
  at.options.max_bytes_per_s = 120;
  at.start();
  for (size_t count : {20, 21}) {
    peer &client = at.connect();
    client.send(upgrade_request() + frames(count));
    EXPECT_EQ(at.answer(client, false).status, 101);
    at.settle();
    ASSERT_EQ(codes.size(), count - 20);
    if (count == 21)
      expect_failed(client);
  }
}

/* The turn in which a flood goes too far is its last one. */
TEST_F(limits, FloodIsStoppedWithinATurn)
{
  at.options.max_messages_per_s = 100;
  at.start();
  for (bool early : {true, false}) {
    messages.clear();
    peer &client = early ? at.connect() : at.open();
    client.send((early ? upgrade_request() : "") + frames(100000));
    if (early) {
      EXPECT_EQ(at.answer(client, false).status, 101);
    }
    at.until([&] { return codes.size() == (early ? 1 : 2); });
    EXPECT_LE(messages.size(), 200u + WEIR__FRAME_BUDGET);
    expect_failed(client, early ? 1 : 2);
  }
}

/* What piles up while the application does not read was sent in that time. What was read before and
 * waits in the stash is not counted again. */
TEST_F(limits, PausedPeersAreNotTooFastAfterwards)
{
  at.options.max_messages_per_s = 10;
  at.options.max_bytes_per_s = 120;
  at.on.message = [this](weir_conn *conn, const weir_message *m) {
    messages.emplace_back(static_cast<const char *>(m->data), m->len);
    if (messages.size() == 1)
      weir_conn_pause(conn);
  };
  at.start();
  peer &client = at.open();
  say_and_pass(client, "", 10000); /* idle time is worth nothing */
  say_and_pass(client, frames(20), 2000);
  EXPECT_EQ(messages.size(), 1u);
  weir_conn_pause(c());
  for (int i = 0; i < 5; i++)
    say_and_pass(client, frames(10), 1000);
  weir_conn_resume(c());
  EXPECT_TRUE(heard(70));
  at.settle();
  EXPECT_TRUE(codes.empty());
  say_and_pass(client, frames(19), 0);
  EXPECT_TRUE(codes.empty());
  say_and_pass(client, frames(2), 0);
  expect_failed(client);
}

/* Rates are a route's, and user memory is where it was. */
TEST_F(limits, OnlyTheRouteWithARateIsHeldToIt)
{
  hooks slow, fast;
  std::vector<void *> users;
  slow.message = [&](weir_conn *conn, const weir_message *) {
    users.push_back(weir_conn_user(conn));
  };
  fast.open = [&](weir_conn *conn) {
    users.push_back(weir_conn_user(conn));
    memset(weir_conn_user(conn), 0xAB, 48);
  };
  fast.error = [](weir_conn *, int, std::string_view) { ADD_FAILURE(); };
  weir_route_options limited = {};
  limited.max_messages_per_s = 1;
  limited.size = sizeof limited;
  weir_route with_memory = route_of(fast, {}, 48);
  at.route("/slow", slow, limited);
  ASSERT_EQ(weir_server_route(at.server(), "/fast", &with_memory, &fast), 0);
  at.start();
  EXPECT_EQ(at.server()->extra_bytes, size_t{WEIR__EXTRA_BYTES});
  peer &quick = at.open("/fast"), &throttled = at.open("/slow");
  say_and_pass(quick, frames(5000), 0);
  say_and_pass(throttled, frames(3), 0);
  EXPECT_EQ(at.next(throttled).code(), 1008);
  ASSERT_EQ(users.size(), 4u);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(users[0]) % 16, 0u);
  EXPECT_EQ(static_cast<unsigned char *>(users[0])[47], 0xAB);
  EXPECT_EQ(users[1], nullptr);
}

TEST_F(limits, WithoutRatesConnectionsAreAsSmallAsEver)
{
  at.start();
  EXPECT_EQ(at.server()->extra_bytes, 0u);
}

/* The highest rates that can be said do not wrap. */
TEST_F(limits, HighestRates)
{
  at.options.max_messages_per_s = WEIR_OFF - 1;
  at.options.max_bytes_per_s = WEIR_OFF - 1;
  at.start();
  peer &client = at.open();
  for (int i = 0; i < 5; i++) {
    weir_conn_pause(c());
    say_and_pass(client, frames(1000), 64);
    at.pass(uint64_t{100} * 24 * 3600 * 1000);
    weir_conn_resume(c());
    EXPECT_TRUE(heard(size_t(i + 1) * 1000));
  }
  EXPECT_TRUE(codes.empty());
}

TEST_F(limits, Subscriptions)
{
  at.options.max_subscriptions = 3;
  at.start();
  at.open();
  weir_conn *one = c();
  at.open();
  weir_conn *two = c();
  for (const char *topic : {"a", "b", "c"}) {
    EXPECT_EQ(weir_conn_subscribe(one, topic, 1), 0);
    EXPECT_EQ(weir_conn_subscribe(two, topic, 1), 0);
  }
  EXPECT_EQ(weir_conn_subscribe(one, "d", 1), -ENOBUFS);
  EXPECT_EQ(weir_conn_subscribe(one, "c", 1), -EALREADY);
  EXPECT_FALSE(weir_conn_is_subscribed(one, "d", 1));
  EXPECT_EQ(weir_conn_unsubscribe(one, "a", 1), 0);
  EXPECT_EQ(weir_conn_subscribe(one, "d", 1), 0);
  EXPECT_TRUE(codes.empty()) << "the connection stays";
}

TEST(topics_of_a_loop, AreLimited)
{
  weir_options few = {};
  few.max_topics = 2;
  stage at(few);
  at.start();
  at.open();
  weir_conn *one = at.last();
  at.open();
  EXPECT_EQ(weir_conn_subscribe(one, "a", 1), 0);
  EXPECT_EQ(weir_conn_subscribe(at.last(), "b", 1), 0);
  EXPECT_EQ(weir_conn_subscribe(at.last(), "c", 1), -ENOBUFS);
  EXPECT_EQ(weir_conn_subscribe(at.last(), "a", 1), 0);
  EXPECT_EQ(weir_conn_unsubscribe(one, "a", 1), 0);
  EXPECT_EQ(weir_conn_subscribe(one, "c", 1), -ENOBUFS) << "it has a member left";
  EXPECT_EQ(weir_conn_unsubscribe(at.last(), "a", 1), 0);
  EXPECT_EQ(weir_conn_subscribe(one, "c", 1), 0);
}

/* Each loop hashes by a key of its own, that nobody knows. */
TEST(topics_of_a_loop, HaveAKeyOfTheirOwn)
{
  stage one, two;
  one.start();
  two.start();
  const uint64_t *a = one.server()->shards[0].topics.key, *b = two.server()->shards[0].topics.key;
  EXPECT_NE(a[0], b[0]);
  EXPECT_NE(a[1], b[1]);
}

} // namespace
