/* Rows 40-43: the closing handshake (RFC 6455 sections 5.5.1, 7.1, 7.4). */
#include "catalogue/harness.hpp"

#include <gtest/gtest.h>

using namespace catalogue;

TEST(Row40, ClosePayloadOfOneByte)
{
  server at;
  for (const char *byte : {"\x03", "x", "\xff"})
    expect_failed(at, masked(fin | close_frame, byte), 1002);
  expect_failed(at, masked(fin | close_frame, std::string(1, '\0')), 1002);
}

TEST(Row41, CodesThatMayNotBeSent)
{
  server at;
  for (int code : {0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 6000, 65535}) {
    SCOPED_TRACE(code);
    expect_failed(at, closing(code), 1002);
    expect_failed(at, closing(code, "a reason"), 1002);
  }
}

TEST(Row41, CodesThatMayBeSentAreAnswered)
{
  server at;
  for (int code : {1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000,
                   3999, 4000, 4999}) {
    for (delivery how : deliveries) {
      SCOPED_TRACE(code);
      client peer = at.open();
      deliver(at, peer, closing(code, "a reason"), how);
      expect_close(at, peer, code);
      EXPECT_EQ(at.seen(peer).reason, "a reason");
    }
  }
}

TEST(Row41, NoCodeAtAll)
{
  server at;
  client peer = at.open();
  peer.send(masked(fin | close_frame));
  expect_close(at, peer, 1005);
}

TEST(Row42, ReasonThatIsNotUtf8)
{
  server at;
  for (const char *reason : {"\xff", "fine until \xed\xa0\x80 here", "\xc0\xaf", "cut \xe2\x82",
                             "\xf4\x90\x80\x80", "\x80"}) {
    expect_failed(at, closing(1000, reason), 1007);
  }
  client peer = at.open();
  peer.send(closing(1000, "\xe2\x82\xac"));
  expect_close(at, peer, 1000);
  EXPECT_EQ(at.seen(peer).reason, "\xe2\x82\xac");
}

TEST(Row43, WhatFollowsACloseIsIgnored)
{
  server at;
  const std::string first = closing(1000, "first");
  for (const std::string &behind :
       {masked(fin | text, "late"), closing(3000, "second"), masked(fin | ping, "late"), closing(0),
        masked(fin | rsv1 | 0x7, "garbage"), std::string(1 << 20, '\xff')}) {
    for (delivery how : {delivery::whole, delivery::bytes}) {
      if (how == delivery::bytes && behind.size() > 1000)
        continue;
      SCOPED_TRACE(name(how));
      client peer = at.open();
      deliver(at, peer, first + behind, how);
      at.expect_undisturbed();
      expect_close(at, peer, 1000);
      record r = at.seen(peer);
      EXPECT_EQ(r.reason, "first");
      EXPECT_EQ(r.messages.size() + r.pings.size(), 0u);
    }
  }
}

TEST(Row43, CloseBehindMessagesAnswersThemFirst)
{
  server at;
  for (delivery how : {delivery::whole, delivery::bytes}) {
    client peer = at.open();
    deliver(at, peer, masked(fin | text, "last words") + closing(1000), how);
    EXPECT_EQ(peer.read_frame()->payload, "last words");
    expect_close(at, peer, 1000);
  }
}

TEST(Row43, MessagesThatCrossOurCloseAreStillHeard)
{
  setup closing_first;
  closing_first.on.message = [](weir_conn *conn, const weir_message *) {
    weir_conn_close(conn, 4000, "enough");
  };
  server at(closing_first);
  for (delivery how : {delivery::whole, delivery::bytes}) {
    client peer = at.open();
    deliver(at, peer, masked(fin | text, "one") + masked(fin | text, "two") + closing(4001), how);
    std::optional<frame> got = peer.read_frame();
    ASSERT_TRUE(got);
    EXPECT_EQ(got->close_code(), 4000);
    EXPECT_EQ(static_cast<int>(peer.wait_end()), static_cast<int>(ending::finished));
    EXPECT_EQ(peer.discarded(), 0u);
    ASSERT_TRUE(at.wait_closed(peer));
    EXPECT_EQ(at.seen(peer).closes, std::vector<int>{4001});
    EXPECT_EQ(at.seen(peer).messages, (std::vector<std::string>{"one", "two"}));
  }
}

namespace
{

/* Sends for ever, until the server has had enough. */
bool cut_off_while_sending(client &peer, const std::string &flood)
{
  auto until = std::chrono::steady_clock::now() + patience;
  while (std::chrono::steady_clock::now() < until)
    if (!peer.send(flood))
      return true;
  return false;
}

} // namespace

TEST(Row43, TheDrainIsBounded)
{
  setup quick;
  quick.route.close_timeout_ms = 200;
  server at(quick);
  const std::string flood = masked(fin | binary, std::string(60000, 'x'));
  for (const std::string &end : {closing(1000), masked(fin | 0x7, "fault")}) {
    client peer = at.open();
    uint64_t memory = at.counters().memory_bytes;
    peer.send(end);
    EXPECT_TRUE(cut_off_while_sending(peer, flood)) << "the server reads for ever";
    at.expect_undisturbed();
    EXPECT_LT(at.counters().memory_bytes, memory + 65536);
    EXPECT_TRUE(at.wait_closed(peer));
  }
}

TEST(Row43, OurCloseThatIsNeverAnsweredIsBoundedToo)
{
  setup quick;
  quick.route.close_timeout_ms = 200;
  quick.on.open = [](weir_conn *conn) { weir_conn_close(conn, 1000, nullptr); };
  server at(quick);
  client silent = at.open();
  client chatty = at.open();
  EXPECT_EQ(silent.read_frame()->close_code(), 1000);
  ASSERT_TRUE(at.wait_closed(silent));
  EXPECT_EQ(at.seen(silent).closes, std::vector<int>{1006});
  EXPECT_NE(static_cast<int>(silent.wait_end()), static_cast<int>(ending::silence));
  EXPECT_TRUE(cut_off_while_sending(chatty, masked(fin | binary, std::string(60000, 'x'))));
  ASSERT_TRUE(at.wait_closed(chatty));
  EXPECT_EQ(at.seen(chatty).closes, std::vector<int>{1006});
}
