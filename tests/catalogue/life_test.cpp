/* Rows 21, 24, 26 and 64-66: peers that are silent, slow, or gone (RFC 6455 sections 5.5.2, 7.1).
 */
#include "catalogue/harness.hpp"

#include <csignal>
#include <gtest/gtest.h>

using namespace catalogue;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

namespace
{

setup with_handshake_deadline(size_t ms)
{
  setup out;
  out.options.handshake_timeout_ms = ms;
  return out;
}

/* Lateness that no load explains. */
constexpr milliseconds late{5000};

/* The loop's thread did next to nothing during some time, whatever the machine was busy with. */
template <typename During> void expect_no_spin(server &at, During during)
{
  auto wall = steady_clock::now();
  auto before = at.cpu_time();
  during();
  auto used = at.cpu_time() - before;
  EXPECT_LT(used, (steady_clock::now() - wall) / 4) << "the loop spins";
}

} // namespace

TEST(Row21, ConnectsAndSendsNothing)
{
  server at(with_handshake_deadline(300));
  auto start = steady_clock::now();
  client attacker(at.port());
  expect_no_spin(at, [&] { EXPECT_FALSE(attacker.readable(milliseconds(250))); });
  at.expect_undisturbed();
  EXPECT_EQ(static_cast<int>(attacker.wait_end(late)), static_cast<int>(ending::finished));
  EXPECT_GE(steady_clock::now() - start, milliseconds(300));
}

TEST(Row21, ManyOfThemLeaveNothingBehind)
{
  server at(with_handshake_deadline(300));
  uint64_t memory = at.counters().memory_bytes;
  std::vector<client> attackers;
  for (int i = 0; i < 200; i++)
    attackers.emplace_back(at.port());
  for (client &attacker : attackers)
    EXPECT_EQ(static_cast<int>(attacker.wait_end(late)), static_cast<int>(ending::finished));
  at.expect_undisturbed();
  at.poll("the memory of before", [&] { return at.counters().memory_bytes < memory + 65536; });
}

namespace
{

/* Sends the next byte whenever the server has been silent for a while; true once it has answered.
 */
bool drip_until_answered(client &attacker, const std::string &bytes, milliseconds pause)
{
  auto until = steady_clock::now() + late;
  for (size_t i = 0; steady_clock::now() < until; i++) {
    attacker.send({&bytes[i % bytes.size()], 1});
    if (attacker.readable(pause))
      return true;
  }
  return false;
}

} // namespace

TEST(Row24, DripsHeaders)
{
  server at(with_handshake_deadline(300));
  const std::string endless = "GET / HTTP/1.1\r\nHost: localhost\r\nX-A: " + std::string(5000, 'a');
  auto start = steady_clock::now();
  client attacker(at.port());
  EXPECT_TRUE(drip_until_answered(attacker, endless, milliseconds(10)))
      << "each byte puts the deadline off";
  EXPECT_GE(steady_clock::now() - start, milliseconds(300));
  at.expect_undisturbed();
  response answer = attacker.read_response().value_or(response{});
  EXPECT_EQ(answer.status, 408);
  EXPECT_TRUE(answer.has_token("Connection", "close"));
  EXPECT_NE(answer.body, "");
  attacker.send("more");
  EXPECT_EQ(static_cast<int>(attacker.wait_end(late)), static_cast<int>(ending::finished));
}

TEST(Row24, SendsHalfARequestAtOnce)
{
  server at(with_handshake_deadline(300));
  client attacker(at.port());
  attacker.send("GET / HTTP/1.1\r\nHost: localhost\r\n");
  at.expect_undisturbed();
  response answer = attacker.read_response().value_or(response{});
  EXPECT_EQ(answer.status, 408);
  EXPECT_EQ(static_cast<int>(attacker.wait_end(late)), static_cast<int>(ending::finished));
}

TEST(Row24, TheDeadlineEndsWithTheHandshake)
{
  server at(with_handshake_deadline(300));
  client peer = at.open();
  EXPECT_FALSE(peer.readable(milliseconds(600)));
  expect_echo(peer, "still open");
}

namespace
{

setup with_pings(size_t interval_ms, size_t timeout_ms)
{
  setup out;
  out.route.ping_interval_ms = interval_ms;
  out.route.pong_timeout_ms = timeout_ms;
  return out;
}

} // namespace

TEST(Row26, NeverAnswersPing)
{
  server at(with_pings(100, 300));
  auto start = steady_clock::now();
  client attacker = at.open();
  std::optional<frame> got = attacker.read_frame();
  ASSERT_TRUE(got);
  EXPECT_EQ(got->first, fin | ping);
  EXPECT_LE(got->payload.size(), 125u);
  EXPECT_EQ(at.seen(attacker).closes.size(), 0u);
  ASSERT_TRUE(at.wait_closed(attacker));
  EXPECT_GE(steady_clock::now() - start, milliseconds(400));
  EXPECT_EQ(at.seen(attacker).closes, std::vector<int>{1006});
  EXPECT_NE(static_cast<int>(attacker.wait_end(late)), static_cast<int>(ending::silence));
}

TEST(Row26, AnswersEveryPing)
{
  server at(with_pings(100, 300));
  client peer = at.open();
  for (int i = 0; i < 6; i++) {
    std::optional<frame> got = peer.read_frame();
    ASSERT_TRUE(got);
    ASSERT_EQ(got->first, fin | ping);
    peer.send(masked(fin | pong, got->payload));
  }
  EXPECT_EQ(at.seen(peer).closes.size(), 0u);
  expect_echo(peer, "alive");
}

namespace
{

/* In a process of its own, SIGPIPE at its default: a peer goes away while two large messages are
 * sent in one turn. Exits with 0 when the server outlives it. */
[[noreturn]] void outlive_a_peer_that_is_gone(bool fin_first, size_t bytes)
{
  signal(SIGPIPE, SIG_DFL);
  {
    const std::string large(bytes, 'x');
    setup large_queue;
    large_queue.route.max_queued_bytes = WEIR_OFF;
    server at(large_queue);
    client victim = at.open();
    at.on_loop([&] {
      weir_conn *conn = at.find(victim);
      if (fin_first)
        victim.half_close();
      victim.reset();
      weir_conn_send(conn, WEIR_BINARY, large.data(), large.size());
      weir_conn_send(conn, WEIR_BINARY, large.data(), large.size());
    });
    at.wait_closed(victim);
    at.expect_undisturbed();
  }
  exit(testing::Test::HasFailure() ? 2 : 0);
}

} // namespace

TEST(Row64, SigpipeKillsNobody)
{
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  for (bool fin_first : {true, false})
    for (size_t bytes : {size_t{100}, size_t{1} << 20})
      EXPECT_EXIT(outlive_a_peer_that_is_gone(fin_first, bytes), testing::ExitedWithCode(0), "");
}

namespace
{

constexpr size_t much = 32 << 20;

/* Every message is answered with much more than the kernel holds. */
setup answering_much()
{
  setup out;
  out.route.max_queued_bytes = WEIR_OFF;
  out.on.message = [](weir_conn *conn, const weir_message *) {
    static const std::string large(much, 'x');
    weir_conn_send(conn, WEIR_BINARY, large.data(), large.size());
  };
  return out;
}

size_t queued(server &at, const client &of)
{
  size_t bytes = 0;
  at.on_loop([&] {
    weir_conn *conn = at.find(of);
    bytes = conn == nullptr ? 0 : weir_conn_buffered(conn).bytes;
  });
  return bytes;
}

client in_the_middle_of_a_write(server &at)
{
  client out = at.open({}, 4096);
  out.send(masked(fin | text, "go"));
  at.wait(out, "the message", [](const record &r) { return r.messages.size() == 1; });
  out.read_some(1);
  EXPECT_GT(queued(at, out), much / 2);
  return out;
}

} // namespace

TEST(Row65, ResetInTheMiddleOfAWrite)
{
  server at(answering_much());
  uint64_t memory = 0;
  for (int i = 0; i < 4; i++) {
    if (i == 1) /* what a loop keeps for the next one is there */
      memory = at.counters().memory_bytes;
    client attacker = in_the_middle_of_a_write(at);
    at.expect_undisturbed();
    attacker.reset();
    ASSERT_TRUE(at.wait_closed(attacker));
    at.expect_undisturbed();
    record r = at.seen(attacker);
    EXPECT_EQ(r.closes, std::vector<int>{1006});
    EXPECT_EQ(r.errors, std::vector<int>{});
  }
  at.poll("the memory of before", [&] { return at.counters().memory_bytes < memory + 65536; });
}

TEST(Row66, FinInTheMiddleOfAFrame)
{
  server at;
  const std::string payload(200, 'x'), begun = masked(text, "begun");
  const std::string alone = masked(fin | text, payload);
  const std::string inside = begun + masked(fin | continuation, payload);
  for (size_t cut = 0; cut < alone.size(); cut += cut < 10 ? 1 : 37) {
    SCOPED_TRACE(cut);
    for (const std::string &sent : {alone.substr(0, cut), inside.substr(0, begun.size() + cut)}) {
      client attacker = at.open();
      attacker.send(sent);
      attacker.half_close();
      ASSERT_TRUE(at.wait_closed(attacker));
      at.expect_undisturbed();
      record r = at.seen(attacker);
      EXPECT_EQ(r.closes, std::vector<int>{1006});
      EXPECT_EQ(r.errors, std::vector<int>{});
      EXPECT_EQ(r.messages, std::vector<std::string>{});
      EXPECT_EQ(static_cast<int>(attacker.wait_end()), static_cast<int>(ending::finished));
    }
  }
}

TEST(Row66, WhatCameAheadOfTheFinIsHeard)
{
  server at;
  for (int i = 0; i < 20; i++) {
    client peer = at.open();
    peer.send(masked(fin | text, "one") + masked(fin | text, "two"));
    peer.half_close();
    ASSERT_TRUE(at.wait_closed(peer));
    EXPECT_EQ(at.seen(peer).messages, (std::vector<std::string>{"one", "two"}));
    EXPECT_EQ(at.seen(peer).closes, std::vector<int>{1006});
  }
}

TEST(Row66, CloseAndFinInOneSegment)
{
  server at;
  for (int i = 0; i < 20; i++) {
    client peer = at.open();
    peer.send(closing(1000, "bye"));
    peer.half_close();
    expect_close(at, peer, 1000);
  }
}

TEST(Row66, HalfCloseInTheHandshake)
{
  server at;
  for (const std::string &sent : {std::string(), std::string("GET / HT"), request{}.str()}) {
    client attacker(at.port());
    attacker.send(sent);
    attacker.half_close();
    EXPECT_EQ(static_cast<int>(attacker.wait_end(late)), static_cast<int>(ending::finished));
    at.expect_undisturbed();
  }
}

TEST(Row66, HalfCloseBehindARefusedRequest)
{
  server at;
  for (int i = 0; i < 20; i++) {
    client attacker(at.port());
    attacker.send(request{}.without("Host").str());
    attacker.half_close();
    response answer = attacker.read_response().value_or(response{});
    EXPECT_EQ(answer.status, 400);
    EXPECT_NE(answer.body, "");
    EXPECT_EQ(static_cast<int>(attacker.wait_end(late)), static_cast<int>(ending::finished));
  }
}

TEST(Row66, HalfCloseOfAPeerThatDoesNotRead)
{
  server at(answering_much());
  client attacker = in_the_middle_of_a_write(at);
  attacker.half_close();
  at.expect_undisturbed(); /* the loop has seen it, and let go of what it must */
  expect_no_spin(at, [] { std::this_thread::sleep_for(milliseconds(200)); });
  at.expect_undisturbed();
  attacker.reset();
  ASSERT_TRUE(at.wait_closed(attacker));
  EXPECT_EQ(at.seen(attacker).closes, std::vector<int>{1006});
}

TEST(Row66, HalfCloseWhilePaused)
{
  setup pausing;
  pausing.on.message = [](weir_conn *conn, const weir_message *) { weir_conn_pause(conn); };
  server at(pausing);
  client attacker = at.open();
  attacker.send(masked(fin | text, "pause"));
  at.wait(attacker, "the message", [](const record &r) { return r.messages.size() == 1; });
  attacker.send(masked(fin | text, "unheard") + std::string(100000, 'x'));
  attacker.half_close();
  at.expect_undisturbed(); /* the loop has seen it, and let go of what it must */
  expect_no_spin(at, [] { std::this_thread::sleep_for(milliseconds(200)); });
  at.expect_undisturbed();
}
