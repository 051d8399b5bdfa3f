// Comparison but for the case of ASCII letters, against a loop over bytes.
#include "wire/text.h"

#include <gtest/gtest.h>

#include <string>

namespace
{

bool same(const std::string &a, const std::string &b)
{
  return weir__text_equal_nocase({a.data(), a.size()}, {b.data(), b.size()});
}

unsigned char lower(unsigned char byte)
{
  return byte >= 'A' && byte <= 'Z' ? byte + ('a' - 'A') : byte;
}

std::string sample(size_t len)
{
  std::string text;
  for (size_t i = 0; i < len; i++)
    text += "Sec-WebSocket_Key@[`{"[i % 21];
  return text;
}

TEST(Text, EveryTwoBytesAreTheSameButForTheCaseOfLetters)
{
  for (size_t len : {1, 3, 4, 7, 8, 11, 16, 17})
    for (int a = 0; a < 256; a++)
      for (int b = 0; b < 256; b++) {
        std::string text = sample(len), other = text;
        text[len / 2] = static_cast<char>(a);
        other[len / 2] = static_cast<char>(b);
        ASSERT_EQ(same(text, other), lower(a) == lower(b)) << len << ' ' << a << ' ' << b;
      }
}

TEST(Text, ADifferenceCountsWhereverItIs)
{
  for (size_t len = 0; len <= 40; len++) {
    const std::string text = sample(len);
    std::string upper = text;
    for (char &c : upper)
      c = static_cast<char>(c >= 'a' && c <= 'z' ? c - ('a' - 'A') : c);
    EXPECT_TRUE(same(text, upper)) << len;
    EXPECT_FALSE(same(text, upper + "x")) << len;
    for (size_t at = 0; at < len; at++) {
      std::string other = upper;
      other[at] ^= 0x40;
      EXPECT_FALSE(same(text, other)) << len << ' ' << at;
    }
  }
}

TEST(Text, NothingIsTheSameAsNothing)
{
  EXPECT_TRUE(weir__text_equal_nocase({nullptr, 0}, {"", 0}));
}

} // namespace
