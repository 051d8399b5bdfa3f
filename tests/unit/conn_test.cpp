// What conn.h says of a connection beside sending: closing, aborting, pausing, limits of what comes
// in, fragments as they come, topics, and the small things that it knows.
#include "support/stage.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>

using namespace support;

namespace
{

struct ending {
  int code;
  std::string reason;

  bool operator==(const ending &) const = default;
};

class conn : public testing::Test
{
protected:
  std::vector<std::string> messages, pings, pongs;
  std::vector<int> errors;
  std::vector<ending> endings;
  stage at;

  conn()
  {
    at.on.message = [this](weir_conn *, const weir_message *m) {
      messages.emplace_back(static_cast<const char *>(m->data), m->len);
    };
    at.on.ping = [this](weir_conn *, std::string_view data) { pings.emplace_back(data); };
    at.on.pong = [this](weir_conn *, std::string_view data) { pongs.emplace_back(data); };
    at.on.error = [this](weir_conn *, int error, std::string_view) { errors.push_back(error); };
    at.on.close = [this](weir_conn *, int code, std::string_view reason) {
      endings.push_back({code, std::string(reason)});
    };
  }
  weir_conn *c() const
  {
    return at.last();
  }
  bool closed(size_t count = 1)
  {
    return at.until([&] { return endings.size() == count; });
  }
  bool heard(size_t count)
  {
    return at.until([&] { return messages.size() == count; });
  }
};

TEST_F(conn, CloseCodesThatTheApplicationMaySend)
{
  at.start();
  at.open();
  for (int code : {-1, 1, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 70000})
    EXPECT_EQ(weir_conn_close(c(), code, nullptr), -EINVAL) << code;
  EXPECT_EQ(weir_conn_close(c(), 0, "a reason"), -EINVAL) << "no code, no reason";
  EXPECT_EQ(weir_conn_close(c(), 1000, std::string(124, 'r').c_str()), -EINVAL);
  EXPECT_EQ(weir_conn_close(c(), 1000, "\xC3"), -EINVAL) << "cut in a character";
  EXPECT_TRUE(endings.empty());
  std::string longest(123, 'r');
  const std::pair<int, const char *> cases[] = {
      {0, nullptr},          {0, ""},         {1000, nullptr}, {1001, "going"},        {1003, ""},
      {1007, "caf\xC3\xA9"}, {1014, nullptr}, {3000, "x"},     {4999, longest.c_str()}};
  for (const auto &[code, reason] : cases) {
    peer &client = at.open();
    size_t before = endings.size();
    ASSERT_EQ(weir_conn_close(c(), code, reason), 0) << code;
    EXPECT_EQ(weir_conn_close(c(), code, reason), -EALREADY);
    frame got = at.next(client);
    EXPECT_EQ(got.first, fin | closing);
    EXPECT_EQ(got.code(), code == 0 ? 1005 : code);
    EXPECT_EQ(got.reason(), reason == nullptr ? "" : reason);
    client.say(got.payload, fin | closing);
    EXPECT_TRUE(closed(before + 1));
    EXPECT_EQ(endings.back().code, code == 0 ? 1005 : code);
    EXPECT_TRUE(at.ends(client));
    EXPECT_FALSE(client.was_reset());
  }
  EXPECT_TRUE(errors.empty());
}

TEST_F(conn, PeerCloses)
{
  at.start();
  const std::pair<std::string, ending> cases[] = {{"", {1005, ""}},
                                                  {close_payload(1000), {1000, ""}},
                                                  {close_payload(4321, "why"), {4321, "why"}}};
  for (const auto &[payload, wanted] : cases) {
    peer &client = at.open();
    client.say(payload, fin | closing);
    frame answer = at.next(client);
    EXPECT_EQ(answer.first, fin | closing);
    EXPECT_EQ(answer.payload, payload.substr(0, 2)) << "the code is echoed";
    EXPECT_TRUE(at.ends(client));
    EXPECT_EQ(endings.back(), wanted);
  }
}

/* The answer is the peer's: what it sent before is handed out, and its code is told. */
TEST_F(conn, MessagesThatCrossTheCloseFrame)
{
  at.start();
  peer &client = at.open();
  ASSERT_EQ(weir_conn_close(c(), 1000, "done"), 0);
  client.say("on its way");
  client.say("", fin | ping);
  client.say(close_payload(4000, "me too"), fin | closing);
  EXPECT_TRUE(closed());
  EXPECT_EQ(messages, std::vector<std::string>{"on its way"});
  EXPECT_EQ(endings, (std::vector<ending>{{4000, "me too"}}));
  EXPECT_EQ(at.next(client).first, fin | closing);
  EXPECT_TRUE(at.ends(client));
  EXPECT_EQ(client.input(), "") << "nothing is sent behind the Close frame";
}

TEST_F(conn, PeerThatAnswersNoCloseFrame)
{
  at.start();
  at.open();
  ASSERT_EQ(weir_conn_close(c(), 1000, nullptr), 0);
  at.settle();
  at.pass(4900);
  at.settle();
  EXPECT_TRUE(endings.empty());
  at.pass(400);
  EXPECT_TRUE(closed());
  EXPECT_EQ(endings[0].code, 1006);
}

TEST_F(conn, PeerThatGoesAway)
{
  at.start();
  at.open().half_close();
  EXPECT_TRUE(closed());
  at.open().reset();
  EXPECT_TRUE(closed(2));
  peer &client = at.open();
  client.send(masked(fin | text, "cut short").substr(0, 9));
  client.half_close();
  EXPECT_TRUE(closed(3));
  EXPECT_TRUE(messages.empty());
  EXPECT_TRUE(errors.empty());
  for (const ending &each : endings)
    EXPECT_EQ(each, (ending{1006, ""}));
}

TEST_F(conn, Abort)
{
  at.start();
  peer &client = at.open();
  ASSERT_EQ(weir_conn_send(c(), WEIR_TEXT, "never sent", 10), 0);
  weir_conn_abort(c());
  EXPECT_TRUE(endings.empty()) << "a handler was called inside the call";
  weir_conn_abort(c());
  EXPECT_EQ(weir_conn_send(c(), WEIR_TEXT, "x", 1), -EPIPE);
  EXPECT_EQ(weir_conn_close(c(), 1000, nullptr), -EALREADY);
  EXPECT_TRUE(closed());
  EXPECT_EQ(endings[0], (ending{1006, ""}));
  EXPECT_TRUE(at.ends(client));
  EXPECT_EQ(client.input(), "");
}

TEST_F(conn, AbortInAHandlerHandsOutNothingMore)
{
  at.on.message = [this](weir_conn *conn, const weir_message *) {
    messages.emplace_back();
    weir_conn_abort(conn);
  };
  at.start();
  peer &client = at.open();
  client.send(masked(fin | text, "one") + masked(fin | text, "two") + masked(fin | ping, ""));
  EXPECT_TRUE(closed());
  at.settle();
  EXPECT_EQ(messages.size(), 1u);
  EXPECT_TRUE(pings.empty());
}

TEST_F(conn, PausedUntilResumed)
{
  at.on.message = [this](weir_conn *conn, const weir_message *m) {
    messages.emplace_back(static_cast<const char *>(m->data), m->len);
    if (m->len == 1)
      weir_conn_pause(conn);
  };
  at.start();
  peer &client = at.open();
  std::string large(200 << 10, 'L');
  client.send(masked(fin | text, "1") + masked(fin | text, "two") + masked(fin | ping, "three"));
  client.send(masked(fin | binary, large) + masked(fin | text, "4") + masked(fin | text, "five"));
  EXPECT_TRUE(heard(1));
  at.settle();
  EXPECT_EQ(messages.size(), 1u);
  EXPECT_TRUE(pings.empty());
  EXPECT_FALSE(client.take()) << "pings are not answered meanwhile";
  weir_conn_pause(c());
  weir_conn_resume(c());
  EXPECT_EQ(messages.size(), 1u) << "a handler was called inside the call";
  EXPECT_TRUE(heard(4));
  at.settle();
  EXPECT_EQ(messages, (std::vector<std::string>{"1", "two", large, "4"}));
  EXPECT_EQ(at.next(client).payload, "three");
  weir_conn_resume(c());
  weir_conn_resume(c());
  EXPECT_TRUE(heard(5));
  EXPECT_EQ(messages.back(), "five");
}

TEST_F(conn, PausedAtOpenHoldsBackWhatCameWithTheRequest)
{
  at.on.open = [](weir_conn *conn) { weir_conn_pause(conn); };
  at.start();
  peer &client = at.connect();
  client.send(upgrade_request() + masked(fin | text, "early"));
  client.half_close();
  EXPECT_EQ(at.answer(client, false).status, 101);
  at.settle();
  EXPECT_TRUE(messages.empty());
  EXPECT_TRUE(endings.empty());
  weir_conn_resume(c());
  EXPECT_TRUE(closed());
  EXPECT_EQ(messages, std::vector<std::string>{"early"});
}

TEST_F(conn, SendsWhilePaused)
{
  at.start();
  peer &client = at.open();
  weir_conn_pause(c());
  ASSERT_EQ(weir_conn_send(c(), WEIR_TEXT, "still", 5), 0);
  EXPECT_EQ(at.next(client).payload, "still");
  weir_conn_abort(c());
  weir_conn_resume(c());
  EXPECT_TRUE(closed());
}

/* The silence of a peer that is not read from is not held against it, nor what went before. */
TEST_F(conn, PausedPeersAreNotTimedOut)
{
  at.options.idle_timeout_ms = 10000;
  at.options.ping_interval_ms = 3000;
  at.options.pong_timeout_ms = 1000;
  at.start();
  peer &client = at.open();
  at.pass(9000); /* a ping is out */
  weir_conn_pause(c());
  for (int i = 0; i < 20; i++) {
    at.pass(2000);
    at.settle();
  }
  EXPECT_TRUE(endings.empty());
  EXPECT_EQ(at.next(client).first, fin | ping) << "the one from before";
  weir_conn_resume(c());
  at.pass(2500);
  at.settle();
  EXPECT_TRUE(endings.empty());
  at.pass(1000);
  EXPECT_EQ(at.next(client).first, fin | ping);
  at.pass(1300);
  EXPECT_TRUE(closed());
  EXPECT_EQ(errors, std::vector<int>{-ETIMEDOUT});
}

TEST_F(conn, PingsAndThePongTimeout)
{
  at.options.ping_interval_ms = 1000;
  at.options.pong_timeout_ms = 500;
  at.start();
  peer &client = at.open();
  for (int i = 0; i < 3; i++) {
    at.pass(1300); /* with the jitter and the coarse ticks */
    frame got = at.next(client);
    ASSERT_EQ(got.first, fin | ping);
    client.say(got.payload, fin | pong);
    EXPECT_TRUE(at.until([&] { return pongs.size() == size_t(i) + 1; }));
  }
  at.pass(1300);
  EXPECT_EQ(at.next(client).first, fin | ping);
  at.pass(700);
  EXPECT_TRUE(closed());
  EXPECT_EQ(endings[0].code, 1006);
  EXPECT_EQ(errors, std::vector<int>{-ETIMEDOUT});
}

TEST_F(conn, IdleTimeoutCountsMessagesOnly)
{
  at.options.idle_timeout_ms = 1000;
  at.options.ping_interval_ms = WEIR_OFF;
  at.start();
  peer &client = at.open();
  for (size_t i = 1; i <= 3; i++) {
    at.pass(900);
    client.say("here");
    EXPECT_TRUE(heard(i));
  }
  at.pass(900);
  client.say("", fin | ping);
  EXPECT_EQ(at.next(client).first, fin | pong);
  at.pass(300);
  frame last = at.next(client);
  EXPECT_EQ(last.code(), 1001);
  client.say(last.payload, fin | closing);
  EXPECT_TRUE(closed());
  EXPECT_EQ(endings[0].code, 1001);
}

TEST_F(conn, LongestMessage)
{
  at.options.max_message_bytes = 1000;
  at.start();
  std::string longest(1000, 'm');
  peer &client = at.open();
  client.say(longest);
  client.say(longest.substr(600), text);
  client.say(longest.substr(400), fin | continuation);
  EXPECT_TRUE(heard(2));
  EXPECT_EQ(messages[1], longest);
  client.say(longest.substr(600), text);
  client.say(longest.substr(399), fin | continuation);
  EXPECT_EQ(at.next(client).code(), 1009);
  EXPECT_TRUE(closed());
  at.open().send(masked(fin | text, longest + "+").substr(0, 4)); /* the header is enough */
  EXPECT_TRUE(closed(2));
  EXPECT_EQ(endings[0].code, 1009);
  EXPECT_EQ(endings[1].code, 1009);
  EXPECT_EQ(errors, (std::vector<int>{-1009, -1009}));
  EXPECT_EQ(at.counters().failed, 2u);
}

TEST_F(conn, MostFragments)
{
  at.options.max_fragments = 3;
  at.start();
  peer &client = at.open();
  client.send(masked(text, "a") + masked(0, "") + masked(fin, "c"));
  EXPECT_TRUE(heard(1));
  EXPECT_EQ(messages[0], "ac");
  client.send(masked(text, "a") + masked(0, "") + masked(0, "") + masked(fin, "d"));
  EXPECT_EQ(at.next(client).code(), 1008);
  EXPECT_TRUE(closed());
  EXPECT_EQ(messages.size(), 1u);
}

TEST_F(conn, FragmentsAsTheyCome)
{
  struct piece {
    std::string data;
    bool first, last;
  };
  std::vector<piece> pieces;
  at.options.max_message_bytes = 4 << 20;
  at.on.fragment = [&](weir_conn *, const weir_message *m) {
    EXPECT_EQ(m->opcode, WEIR_BINARY);
    pieces.push_back(
        {std::string(static_cast<const char *>(m->data), m->len), m->first != 0, m->last != 0});
  };
  at.start();
  peer &client = at.open();
  std::string large(2 << 20, 0);
  for (size_t i = 0; i < large.size(); i++)
    large[i] = static_cast<char>(i * 2654435761u >> 24);
  for (int round = 0; round < 2; round++) {
    pieces.clear();
    client.send(masked(binary, large.substr(0, 1500000)) + masked(fin | ping, "between") +
                masked(fin | continuation, large.substr(1500000)));
    EXPECT_TRUE(at.until([&] { return !pieces.empty() && pieces.back().last; }));
    std::string all;
    for (size_t i = 0; i < pieces.size(); i++) {
      EXPECT_EQ(pieces[i].first, i == 0);
      EXPECT_EQ(pieces[i].last, i == pieces.size() - 1);
      all += pieces[i].data;
    }
    EXPECT_TRUE(all == large);
    EXPECT_GT(pieces.size(), 4u) << "something was assembled";
  }
  EXPECT_TRUE(messages.empty()) << "on_message is not called as well";
  EXPECT_EQ(at.counters().messages_received, 2u);
}

TEST_F(conn, Topics)
{
  at.start();
  peer &first = at.open();
  weir_conn *one = c();
  peer &second = at.open();
  weir_conn *two = c();
  std::string longest(255, 't');
  EXPECT_EQ(weir_conn_subscribe(one, "", 0), -EINVAL);
  EXPECT_EQ(weir_conn_subscribe(one, (longest + "t").data(), 256), -EINVAL);
  EXPECT_EQ(weir_conn_subscribe(one, nullptr, 1), -EINVAL);
  EXPECT_EQ(weir_conn_subscribe(one, longest.data(), 255), 0);
  EXPECT_EQ(weir_conn_subscribe(one, "a\0b", 3), 0);
  EXPECT_EQ(weir_conn_subscribe(one, "a\0b", 3), -EALREADY);
  EXPECT_EQ(weir_conn_subscribe(two, "a\0b", 3), 0);
  EXPECT_TRUE(weir_conn_is_subscribed(one, "a\0b", 3));
  EXPECT_FALSE(weir_conn_is_subscribed(one, "a", 1));
  EXPECT_FALSE(weir_conn_is_subscribed(two, longest.data(), 255));
  EXPECT_EQ(weir_server_subscribers(at.server(), "a\0b", 3), 2u);
  held_frame news("news"), more("more");
  EXPECT_EQ(weir_conn_publish(one, "a\0b", 3, news), 0);
  EXPECT_EQ(weir_conn_publish(one, "a\0b", 3, nullptr), -EINVAL);
  EXPECT_EQ(weir_conn_publish(one, "", 0, news), -EINVAL);
  EXPECT_EQ(weir_conn_publish(two, "a\0b", 3, more), 0);
  EXPECT_EQ(at.next(first).payload, "more") << "a publisher does not get its own";
  EXPECT_EQ(at.next(second).payload, "news");
  EXPECT_EQ(weir_conn_unsubscribe(two, "a\0b", 3), 0);
  EXPECT_EQ(weir_conn_unsubscribe(two, "a\0b", 3), -ENOENT);
  EXPECT_EQ(weir_conn_unsubscribe(two, "", 0), -ENOENT);
  EXPECT_FALSE(weir_conn_is_subscribed(two, "a\0b", 3));
  first.reset();
  EXPECT_TRUE(closed());
  EXPECT_EQ(weir_server_subscribers(at.server(), "a\0b", 3), 0u);
  EXPECT_EQ(weir_server_subscribers(at.server(), longest.data(), 255), 0u);
}

TEST_F(conn, RoutesThatTakeNoPartInBroadcasts)
{
  hooks quiet;
  weir_route_options options = {};
  options.no_broadcast = 1;
  at.route("/quiet", quiet, options);
  at.start();
  peer &in = at.open("/"), &out = at.open("/quiet");
  held_frame frame("to all");
  EXPECT_EQ(weir_server_broadcast(at.server(), frame, 0), 0);
  EXPECT_EQ(at.next(in).payload, "to all");
  at.settle();
  EXPECT_EQ(out.input(), "");
}

TEST_F(conn, WhatItKnows)
{
  at.start();
  peer &client = at.open();
  int mine = 0;
  EXPECT_EQ(weir_conn_loop(c()), at.loop());
  EXPECT_EQ(weir_conn_server(c()), at.server());
  EXPECT_EQ(weir_conn_user(c()), nullptr);
  EXPECT_EQ(weir_conn_set_user(c(), &mine), 0);
  EXPECT_EQ(weir_conn_user(c()), &mine);
  EXPECT_EQ(weir_conn_protocol(c()).data, nullptr);
  weir_peer who;
  EXPECT_EQ(weir_conn_peer(c(), &who), 0);
  EXPECT_STREQ(who.address, "127.0.0.1");
  EXPECT_EQ(who.port, client.port());
  weir_conn_id id = weir_conn_id_of(c());
  EXPECT_NE(id, 0u);
  EXPECT_EQ(weir_conn_find(at.server(), at.loop(), id), c());
  EXPECT_EQ(weir_conn_find(at.server(), at.loop(), id + (uint64_t{1} << 32)), nullptr);
  EXPECT_EQ(weir_conn_find(at.server(), at.loop(), 0), nullptr);
  EXPECT_EQ(weir_conn_find(at.server(), nullptr, id), nullptr);
  client.reset();
  EXPECT_TRUE(closed());
  EXPECT_EQ(weir_conn_find(at.server(), at.loop(), id), nullptr);
}

} // namespace
