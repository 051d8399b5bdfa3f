/* Rows 69 and 70: what TLS holds back, and connections that end at every point of its life (RFC
 * 8446, RFC 5246). Over TLS 1.3 where the catalogue runs over TCP. */
#include "catalogue/harness.hpp"

#include <atomic>
#include <gtest/gtest.h>

using namespace catalogue;
using std::chrono::milliseconds;

namespace
{

setup secure()
{
  setup out;
  out.over = chosen() == transport::tcp ? transport::tls13 : chosen();
  return out;
}

std::string numbered(int n)
{
  return "message " + std::to_string(n);
}

void expect_numbered(client &from, int count)
{
  for (int i = 0; i < count && !testing::Test::HasFailure(); i++) {
    std::optional<frame> got = from.read_frame();
    ASSERT_TRUE(got) << "the rest was left inside TLS: " << i;
    ASSERT_EQ(got->payload, numbered(i));
  }
}

} // namespace

/* Many messages in one record, and many records in one segment, with silence behind them. */
TEST(Row69, NothingIsLeftInsideTls)
{
  server at(secure());
  for (bool one_record : {true, false}) {
    SCOPED_TRACE(one_record);
    client peer = at.open();
    std::string plain, sealed;
    constexpr int count = 400;
    for (int i = 0; i < count; i++) {
      std::string frame = masked(fin | text, numbered(i));
      plain += frame;
      sealed += one_record ? "" : peer.sealed(frame);
    }
    peer.send_raw(one_record ? peer.sealed(plain) : sealed);
    expect_numbered(peer, count);
  }
}

/* More than a turn's budget at once, and more than the buffers hold. */
TEST(Row69, NorBehindATurnsBudget)
{
  setup large = secure();
  large.route.max_queued_bytes = large.route.max_queued_messages = WEIR_OFF;
  server at(large);
  client peer = at.open();
  std::string sealed;
  constexpr int count = 40000;
  for (int i = 0; i < count;) {
    std::string plain;
    for (int end = i + 500; i < end; i++)
      plain += masked(fin | text, numbered(i));
    sealed += peer.sealed(plain);
  }
  std::thread sender([&] { EXPECT_TRUE(peer.send_raw(sealed)); });
  sender.join();
  expect_numbered(peer, count);
  peer.send(masked(fin | binary, std::string(900000, 'x')));
  EXPECT_EQ(peer.read_frame().value_or(frame{}).payload.size(), 900000u);
}

TEST(Row69, NorWhileItIsPaused)
{
  setup pausing = secure();
  pausing.on.message = [](weir_conn *conn, const weir_message *message) {
    weir_conn_send_message(conn, message);
    weir_conn_pause(conn);
  };
  server at(pausing);
  for (bool one_record : {true, false}) {
    SCOPED_TRACE(one_record);
    client peer = at.open();
    std::string all;
    for (int i = 0; i < 5; i++)
      all += one_record ? masked(fin | text, numbered(i))
                        : peer.sealed(masked(fin | text, numbered(i)));
    peer.send_raw(one_record ? peer.sealed(all) : all);
    for (int i = 0; i < 5; i++) {
      EXPECT_EQ(peer.read_frame().value_or(frame{}).payload, numbered(i));
      at.expect_undisturbed();
      EXPECT_EQ(at.seen(peer).messages.size(), i + 1u) << "paused, and goes on";
      at.on_loop([&] { weir_conn_resume(at.find(peer)); });
    }
  }
}

namespace
{

constexpr size_t much = 8 << 20;

setup answering_much()
{
  setup out = secure();
  out.route.max_queued_bytes = WEIR_OFF;
  out.on.message = [](weir_conn *conn, const weir_message *message) {
    static const std::string large(much, 'x');
    if (message->len == 2)
      weir_conn_send(conn, WEIR_BINARY, large.data(), large.size());
    else
      weir_conn_send_message(conn, message);
  };
  return out;
}

/* A client that does not read, and a server in the middle of writing to it. */
client in_the_middle_of_a_write(server &at)
{
  client out = at.open({}, 4096);
  out.send(masked(fin | text, "go"));
  at.wait(out, "the message", [](const record &r) { return r.messages.size() == 1; });
  return out;
}

} // namespace

/* Writing waits for the peer; what it sends meanwhile is heard, and all arrives in order. */
TEST(Row69, WritingWaitsWhileReadingGoesOn)
{
  server at(answering_much());
  client peer = in_the_middle_of_a_write(at);
  bool update = peer.tls()->update_keys(true); /* an answer that must be written */
  EXPECT_EQ(update, at.over() == transport::tls13);
  peer.send_raw(peer.tls()->take_output());
  for (int i = 0; i < 20; i++)
    peer.send(masked(fin | text, numbered(i)));
  at.wait(peer, "what was said meanwhile", [](const record &r) { return r.messages.size() == 21; });
  at.expect_undisturbed();
  EXPECT_EQ(peer.read_frame().value_or(frame{}).payload.size(), much);
  expect_numbered(peer, 20);
  expect_echo(peer, "under new keys");
}

TEST(Row69, CloseWhileWritingWaits)
{
  server at(answering_much());
  client peer = in_the_middle_of_a_write(at);
  at.on_loop([&] { weir_conn_close(at.find(peer), 1001, "enough"); });
  at.expect_undisturbed();
  EXPECT_EQ(peer.read_frame().value_or(frame{}).payload.size(), much);
  EXPECT_EQ(peer.read_frame().value_or(frame{}).close_code(), 1001);
  peer.send(closing(1001));
  EXPECT_EQ(static_cast<int>(peer.wait_end()), static_cast<int>(ending::finished));
  EXPECT_TRUE(at.wait_closed(peer));
}

/* Attacks of other rows, their ciphertext byte by byte. */
TEST(Row69, CiphertextByteByByte)
{
  server at(secure());
  shape bare_shape;
  bare_shape.mask = false;
  const std::pair<std::string, int> attacks[] = {
      {encode(bare_shape, "unmasked"), 1002},
      {masked(fin | rsv1 | text, "RSV1"), 1002},
      {masked(fin | continuation, "no start"), 1002},
      {masked(text, "begun") + masked(fin | text, "new"), 1002},
      {masked(fin | text, "caf\xff"), 1007},
      {closing(999), 1002},
      {header_only(fin | binary, 1 << 30), 1009}};
  for (const auto &[bytes, code] : attacks) {
    SCOPED_TRACE(code);
    client attacker = at.open();
    expect_echo(attacker, "sound");
    EXPECT_TRUE(at.drip_raw(attacker, attacker.sealed(bytes)));
    expect_failure(at, attacker, code);
    at.expect_undisturbed();
  }
  client peer = at.open();
  EXPECT_TRUE(at.drip_raw(peer, peer.sealed(masked(text, "Hel") + masked(fin | ping, "p") +
                                            masked(fin | continuation, "lo"))));
  EXPECT_EQ(peer.read_frame().value_or(frame{}).payload, "p");
  EXPECT_EQ(peer.read_frame().value_or(frame{}).payload, "Hello");
}

/* ---- connections that end at every point of TLS's life */

TEST(Row70, GoneInTheMiddleOfAHandshake)
{
  server at(secure());
  uint64_t memory = at.counters().memory_bytes;
  for (int i = 0; i < 20; i++) {
    client attacker = at.connect();
    attacker.send_raw(attacker.hello());
    if (i % 3 > 0)
      attacker.readable(milliseconds(0));
    if (i % 2 == 0)
      attacker.reset();
    else
      attacker.cut();
  }
  at.expect_undisturbed();
  at.poll("the memory of before", [&] { return at.counters().memory_bytes < memory + 65536; });
}

/* Aborted and closed inside every handler, with bytes waiting on both sides. */
TEST(Row70, EndedInsideAHandler)
{
  for (bool abort : {true, false}) {
    setup ending_itself = secure();
    ending_itself.on.message = [abort](weir_conn *conn, const weir_message *) {
      static const std::string large(1 << 20, 'x');
      weir_conn_send(conn, WEIR_BINARY, large.data(), large.size());
      if (abort)
        weir_conn_abort(conn);
      else
        weir_conn_close(conn, 1000, "");
      weir_conn_send(conn, WEIR_BINARY, large.data(), large.size());
    };
    server at(ending_itself);
    for (int i = 0; i < 10; i++) {
      client peer = at.open({}, i % 2 == 0 ? 4096 : 0);
      std::string all;
      for (int n = 0; n < 10; n++)
        all += peer.sealed(masked(fin | text, numbered(n)));
      peer.send_raw(all);
      if (abort)
        EXPECT_TRUE(at.wait_closed(peer));
      else
        peer.send(closing(1000));
      EXPECT_NE(static_cast<int>(peer.wait_end()), static_cast<int>(ending::silence));
      EXPECT_TRUE(at.wait_closed(peer));
    }
  }
}

/* In one batch of events: bytes of a connection, and its end by the one before it. */
TEST(Row70, EndedByAnotherWhileItsBytesWait)
{
  std::atomic<const client *> victim = nullptr;
  server *self = nullptr;
  setup dropping = secure();
  dropping.on.message = [&](weir_conn *conn, const weir_message *message) {
    if (const client *doomed = victim.exchange(nullptr))
      weir_conn_abort(self->find(*doomed));
    else
      weir_conn_send_message(conn, message);
  };
  server at(dropping);
  self = &at;
  client killer = at.open();
  for (int i = 0; i < 20; i++) {
    client second = at.open();
    victim = &second;
    const std::string kill = killer.sealed(masked(fin | text, "kill"));
    const std::string bytes = second.sealed(masked(fin | text, "unheard"));
    at.on_loop([&] {
      killer.send_raw(kill);
      second.send_raw(bytes.substr(0, i % 2 == 0 ? bytes.size() : bytes.size() / 2));
      if (i % 3 == 0)
        second.cut();
    });
    EXPECT_TRUE(at.wait_closed(second));
    EXPECT_EQ(at.seen(second).messages, std::vector<std::string>{});
    expect_echo(killer, "unharmed");
  }
}

/* The server stops with handshakes begun, connections open, and writing that waits. */
TEST(Row70, TheServerStopsInTheMiddle)
{
  for (int round = 0; round < 3; round++) {
    auto at = std::make_unique<server>(answering_much());
    at->dismiss_bystander();
    std::vector<client> all;
    for (int i = 0; i < 5; i++) {
      all.push_back(in_the_middle_of_a_write(*at));
      all.push_back(at->open());
      all.push_back(at->connect());
      all.back().send_raw(all.back().hello().substr(0, 100));
      all.push_back(at->connect());
      EXPECT_TRUE(all.back().shake_hands());
    }
    at.reset();
    for (client &each : all)
      EXPECT_NE(static_cast<int>(each.wait_end()), static_cast<int>(ending::silence));
  }
}
