/* Rows 25 and 48: messages that come too slowly, and too many of them (RFC 6455 section 10.4). */
#include "catalogue/harness.hpp"

#include <gtest/gtest.h>

using namespace catalogue;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

namespace
{

constexpr milliseconds due{300};

setup with_message_timeout(bool piecewise = false, milliseconds timeout = due)
{
  setup out;
  out.route.message_timeout_ms = static_cast<size_t>(timeout.count());
  if (piecewise)
    out.on.fragment = [](weir_conn *, const weir_message *) {};
  return out;
}

/* Sends the next of some bytes or frames whenever a while has passed, until it is failed for that:
 * in time, and not before. */
void expect_too_slow(server &at, const std::string &begin, const std::string &drop)
{
  auto start = steady_clock::now();
  client attacker = at.open();
  attacker.send(begin);
  for (int i = 0; i < 200 && at.seen(attacker).closes.empty(); i++) {
    attacker.send(drop);
    std::this_thread::sleep_for(milliseconds(10));
  }
  at.expect_undisturbed();
  expect_failure(at, attacker, 1008);
  EXPECT_GE(steady_clock::now() - start, due);
}

} // namespace

TEST(Row25, DripsAFrame)
{
  const std::string frame = masked(fin | binary, std::string(100, 'x'));
  for (bool piecewise : {false, true}) {
    server at(with_message_timeout(piecewise));
    expect_too_slow(at, frame.substr(0, 1), "");
    expect_too_slow(at, frame.substr(0, 6), "x");
    expect_too_slow(at, header_only(fin | binary, 1 << 20), "x");
  }
}

TEST(Row25, DripsAFragmentedMessage)
{
  for (bool piecewise : {false, true}) {
    server at(with_message_timeout(piecewise));
    for (const std::string &drop :
         {masked(continuation), masked(continuation, "x"), masked(fin | ping, "p")})
      expect_too_slow(at, masked(binary, "begun"), drop);
  }
}

TEST(Row25, DripsAControlFrame)
{
  server at(with_message_timeout());
  for (unsigned opcode : {ping, pong, close_frame}) {
    const std::string frame = masked(fin | opcode, "\x03\xE8" + std::string(100, 'x'));
    expect_too_slow(at, frame.substr(0, 8), "x");
    expect_too_slow(at, masked(text, "begun") + frame.substr(0, 1), "");
  }
}

TEST(Row25, ManyOfThemLeaveNothingBehind)
{
  server at(with_message_timeout());
  const std::string begun = masked(fin | binary, std::string(1000, 'x')).substr(0, 500);
  uint64_t memory = 0;
  for (int round = 0; round < 2; round++) {
    std::vector<client> attackers;
    for (int i = 0; i < 40; i++) {
      attackers.push_back(at.open());
      attackers.back().send(begun);
    }
    for (client &attacker : attackers)
      expect_failure(at, attacker, 1008);
    at.expect_undisturbed();
    if (round == 0)
      memory = at.counters().memory_bytes;
  }
  at.poll("the memory of before", [&] { return at.counters().memory_bytes < memory + 65536; });
}

/* Each message is in time, and none of the connection's reads ends between two of them. */
TEST(Row25, SlowButNotTooSlowIsAccepted)
{
  constexpr milliseconds enough{600};
  server at(with_message_timeout(false, enough));
  client peer = at.open();
  const std::string frame = masked(fin | text, "in time");
  peer.send(frame.substr(0, 5));
  auto start = steady_clock::now();
  while (steady_clock::now() - start < 2 * enough) {
    std::this_thread::sleep_for(milliseconds(20));
    peer.send(frame.substr(5) + frame.substr(0, 5));
    std::optional<catalogue::frame> got = peer.read_frame();
    ASSERT_TRUE(got);
    ASSERT_EQ(got->payload, "in time");
  }
  peer.send(frame.substr(5));
  EXPECT_EQ(peer.read_frame()->payload, "in time");
  EXPECT_FALSE(peer.readable(2 * enough)) << "idle is not slow";
  expect_echo(peer, "still open");
}

namespace
{

std::string repeated(const std::string &frame, size_t count)
{
  std::string out;
  for (size_t i = 0; i < count; i++)
    out += frame;
  return out;
}

/* A server that takes so much a second; no clock makes this a flaky amount, because what fails is
 * far more than a second brings, and what passes is the burst. */
setup with_rates(size_t messages, size_t bytes, bool piecewise = false)
{
  setup out;
  out.route.max_messages_per_s = messages;
  out.route.max_bytes_per_s = bytes;
  if (piecewise)
    out.on.fragment = [](weir_conn *, const weir_message *) {};
  return out;
}

constexpr size_t rate = 4;
const std::string small = masked(fin | text, "flood");

/* Many of a frame fail the connection: in one send, byte by byte, and with as many more behind them
 * that the answer is not read before all are sent. */
void expect_flood_failed(server &at, const std::string &frame, size_t count,
                         const std::string &before = {})
{
  for (delivery how : deliveries) {
    if (testing::Test::HasFailure())
      return;
    SCOPED_TRACE(name(how));
    client attacker = at.open();
    attacker.send(before);
    size_t more = how == delivery::trailed ? (1 << 20) / frame.size() : 0;
    deliver(at, attacker, repeated(frame, count + more),
            how == delivery::bytes ? how : delivery::whole);
    at.expect_undisturbed();
    expect_failure(at, attacker, 1008);
    at.expect_undisturbed();
  }
}

} // namespace

TEST(Row48, FloodOfMessages)
{
  for (bool piecewise : {false, true}) {
    server at(with_rates(rate, 0, piecewise));
    for (const std::string &frame : {small, masked(fin | binary), masked(text) + masked(fin, "")})
      expect_flood_failed(at, frame, 8 * rate);
  }
}

TEST(Row48, FloodOfControlFrames)
{
  server at(with_rates(rate, 0));
  for (unsigned opcode : {ping, pong})
    for (size_t payload : {0, 125})
      expect_flood_failed(at, masked(fin | opcode, std::string(payload, 'p')), 8 * rate,
                          masked(text, "begun"));
}

TEST(Row48, FloodOfBytes)
{
  for (bool piecewise : {false, true}) {
    server at(with_rates(0, 50, piecewise));
    expect_flood_failed(at, masked(fin | binary, std::string(600, 'x')), 1);
    expect_flood_failed(at, masked(continuation), 100, masked(binary));
  }
}

TEST(Row48, AsFastAsTheServerReads)
{
  size_t messages = 0;
  setup limited = with_rates(1000, 0);
  limited.on.message = [&](weir_conn *, const weir_message *) { messages++; };
  server at(limited);
  client attacker = at.open();
  attacker.send(repeated(small, 200000));
  at.expect_undisturbed();
  expect_failure(at, attacker, 1008);
  EXPECT_LT(messages, 20000u);
}

TEST(Row48, TheBurstIsAccepted)
{
  server at(with_rates(rate, 2 * rate * small.size()));
  for (delivery how : {delivery::whole, delivery::bytes}) {
    client peer = at.open();
    deliver(at, peer, repeated(small, 2 * rate), how);
    for (size_t i = 0; i < 2 * rate; i++)
      ASSERT_EQ(peer.read_frame()->payload, "flood");
    at.poll("another second's worth", [&] { return !peer.readable(milliseconds(1200)); });
    expect_echo(peer, "still open");
  }
}
