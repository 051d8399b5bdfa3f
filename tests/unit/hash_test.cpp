// SipHash-2-4 against its authors' published vectors: key 00..0f, messages of 0, 1, 2, ... bytes
// 00, 01, 02, ...
#include "base/hash.h"

#include <gtest/gtest.h>

#include <array>

namespace
{

constexpr uint64_t key[2] = {0x0706050403020100u, 0x0f0e0d0c0b0a0908u};

TEST(Hash, MatchesThePublishedVectors)
{
  constexpr std::array<uint64_t, 9> expected = {
      0x726fdb47dd0e0e31u, 0x74f839c593dc67fdu, 0x0d6c8009d9a94f5au,
      0x85676696d7fb7e2du, 0xcf2794e0277187b7u, 0x18765564cd99a68du,
      0xcbc9466e58fee3ceu, 0xab0200f58b01d137u, 0x93f5f5799a932462u};
  unsigned char message[16];
  for (size_t i = 0; i < sizeof message; i++)
    message[i] = static_cast<unsigned char>(i);
  for (size_t len = 0; len < expected.size(); len++)
    EXPECT_EQ(weir__hash(key, message, len), expected[len]) << len;
}

TEST(Hash, DependsOnTheKey)
{
  const uint64_t other[2] = {key[0], key[1] ^ 1};
  EXPECT_NE(weir__hash(key, "topic", 5), weir__hash(other, "topic", 5));
}

} // namespace
