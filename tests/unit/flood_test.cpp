// What a hostile peer can make a server spend on it: copies and memory.
#include "support/stage.hpp"

#include <gtest/gtest.h>

using namespace support;

namespace
{

// A buffer that grew to fit each fragment would copy the message once for each of them.
TEST(Flood, ManySmallFragmentsCostAFewAllocations)
{
  constexpr size_t fragments = 4096;
  stage at;
  std::string message;
  at.on.message = [&](weir_conn *, const weir_message *m) {
    message.assign(static_cast<const char *>(m->data), m->len);
  };
  at.start();
  peer &p = at.open();
  std::string bytes = masked(binary, std::string(100, 'x'));
  for (size_t i = 2; i < fragments; i++)
    bytes += masked(continuation, std::string(100, 'x'));
  bytes += masked(fin | continuation, std::string(100, 'x'));
  size_t before = at.allocations();
  p.send(bytes);
  ASSERT_TRUE(at.until([&] { return !message.empty(); }));
  EXPECT_EQ(message, std::string(100 * fragments, 'x'));
  EXPECT_LT(at.allocations() - before, 64u);
}

// A peer that pings and does not read gets the newest answered, and costs no memory (RFC 6455
// section 5.5.3).
TEST(Flood, PingsAreAnsweredForTheNewest)
{
  constexpr size_t pings = 1000000;
  stage at;
  size_t heard = 0;
  at.on.ping = [&](weir_conn *, std::string_view) { heard++; };
  at.start();
  peer &p = at.open("/", {}, 4096);
  p.stall(true);
  std::string flood;
  for (size_t i = 0; i < pings / 100; i++)
    flood += masked(fin | ping, "");
  for (size_t i = 0; i < 100; i++)
    p.send(flood);
  p.say("the newest", fin | ping);
  ASSERT_TRUE(at.until([&] { return heard == pings + 1; }));
  EXPECT_LT(at.counters().memory_bytes, 4u << 20);
  p.stall(false);
  frame pong;
  do
    pong = at.next(p);
  while (pong.opcode() == support::pong && pong.payload.empty());
  EXPECT_EQ(pong.payload, "the newest");
}

} // namespace
