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

} // namespace
