/* Row 49: pings from a peer that does not read (RFC 6455 section 5.5.3: the newest alone need be
 * answered). */
#include "catalogue/harness.hpp"

#include <gtest/gtest.h>

using namespace catalogue;

namespace
{

constexpr size_t pings = 200000, mebibyte = 1 << 20;

/* Pings with the longest payload, each with its number. */
std::string numbered(size_t n)
{
  std::string out = std::to_string(n);
  out.resize(125, '.');
  return out;
}

std::vector<std::string> pongs_of(client &from)
{
  std::vector<std::string> out;
  while (out.empty() || out.back() != numbered(pings - 1)) {
    std::optional<frame> got = from.read_frame();
    EXPECT_TRUE(got);
    if (!got)
      return out;
    EXPECT_EQ(got->first, fin | pong);
    out.push_back(got->payload);
  }
  return out;
}

} // namespace

TEST(Row49, TheNewestIsAnsweredAndNoneIsKept)
{
  server at;
  client attacker = at.open({}, 4096);
  uint64_t memory = at.counters().memory_bytes;
  std::string flood;
  for (size_t n = 0; n < pings; n++) {
    flood += masked(fin | ping, numbered(n));
    if (n % 1000 != 999)
      continue;
    ASSERT_TRUE(attacker.send(flood));
    flood.clear();
  }
  at.wait(attacker, "the last ping", [](const record &r) { return r.pings.size() == pings; });
  EXPECT_LT(at.counters().memory_bytes, memory + mebibyte);
  at.expect_undisturbed();
  std::vector<std::string> answers = pongs_of(attacker);
  EXPECT_LT(answers.size(), pings / 2) << "it was read by the kernel: nothing was held back";
  EXPECT_EQ(answers.back(), numbered(pings - 1));
  size_t at_ping = 0;
  for (const std::string &answer : answers) { /* in order, whichever were left out */
    while (at_ping < pings && answer != numbered(at_ping))
      at_ping++;
    ASSERT_LT(at_ping, pings) << "not a ping's payload, or out of order";
  }
  expect_echo(attacker, "still here");
}

/* The answer waits for the end of what is partly sent, and goes in front of messages that come
 * later. */
TEST(Row49, MessagesAreNotHeldUpByIt)
{
  setup few;
  few.route.max_queued_messages = 4;
  few.route.queue_policy = WEIR_QUEUE_DROP_NEWEST;
  server at(few);
  client attacker = at.open({}, 4096);
  for (int i = 0; i < 100; i++)
    ASSERT_TRUE(
        attacker.send(masked(fin | text, std::string(60000, 'x')) + masked(fin | ping, "p")));
  at.wait(attacker, "the last ping", [](const record &r) { return r.pings.size() == 100; });
  EXPECT_GT(at.counters().dropped, 0u);
  size_t messages = 0, answers = 0;
  while (messages < 100 - at.counters().dropped || answers == 0) {
    std::optional<frame> got = attacker.read_frame();
    ASSERT_TRUE(got);
    (got->opcode() == pong ? answers : messages)++;
  }
  ASSERT_TRUE(attacker.send(masked(fin | text, "still here")));
  std::optional<frame> got = attacker.read_frame();
  while (got && got->opcode() == pong)
    got = attacker.read_frame();
  ASSERT_TRUE(got);
  EXPECT_EQ(got->payload, "still here");
}
