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
