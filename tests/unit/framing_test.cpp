// The codec of frame headers (RFC 6455 section 5.2).
#include "wire/framing.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

namespace
{

constexpr std::uint64_t LENGTHS[] = {0,
                                     1,
                                     124,
                                     125,
                                     126,
                                     127,
                                     128,
                                     255,
                                     256,
                                     65534,
                                     65535,
                                     65536,
                                     65537,
                                     0xFFFFFFFF,
                                     0x100000000,
                                     0x0123456789ABCDEF,
                                     0x7FFFFFFFFFFFFFFF};

struct decoded {
  int result;
  weir__header header;
  const char *reason;
};

// Decodes what have bytes of a header say; those behind them are noise.
decoded decode(const std::string &bytes, std::size_t have, std::uint8_t reserved)
{
  unsigned char data[WEIR__HEADER_MAX];
  std::memset(data, 0xA5, sizeof data);
  std::memcpy(data, bytes.data(), std::min(have, bytes.size()));
  decoded out = {0, {}, nullptr};
  out.result = weir__header_decode(data, have, reserved, &out.header, &out.reason);
  return out;
}

// The client's header for what the server's encoder wrote.
std::string as_client(const std::string &server, const std::string &key)
{
  std::string out = server;
  out[1] = static_cast<char>(out[1] | 0x80);
  return out + key;
}

std::string encode(std::uint8_t first, std::uint64_t length)
{
  unsigned char out[WEIR__SERVER_HEADER_MAX];
  std::size_t size = weir__header_encode(out, first, length);
  return {reinterpret_cast<char *>(out), size};
}

TEST(Framing, EncodesTheBytesOfTheStandard)
{
  using namespace std::string_literals;
  EXPECT_EQ(encode(0x81, 5), "\x81\x05");
  EXPECT_EQ(encode(0x82, 0), "\x82\0"s);
  EXPECT_EQ(encode(0x02, 125), "\x02\x7D");
  EXPECT_EQ(encode(0x82, 126), "\x82\x7E\0\x7E"s);
  EXPECT_EQ(encode(0x82, 256), "\x82\x7E\x01\0"s);
  EXPECT_EQ(encode(0x82, 65535), "\x82\x7E\xFF\xFF");
  EXPECT_EQ(encode(0x82, 65536), "\x82\x7F\0\0\0\0\0\1\0\0"s);
  EXPECT_EQ(encode(0xC1, 0x0123456789ABCDEF), "\xC1\x7F\x01\x23\x45\x67\x89\xAB\xCD\xEF");
}

TEST(Framing, DecodesWhatItEncodes)
{
  const std::string key = "\x01\x02\x03\x04";
  for (std::uint64_t length : LENGTHS)
    for (int first : {0x81, 0x82, 0x01, 0x00, 0x80, 0xC2}) {
      SCOPED_TRACE(length);
      std::string server = encode(static_cast<std::uint8_t>(first), length);
      ASSERT_EQ(server.size(), weir__header_size(length));
      std::string client = as_client(server, key);
      decoded got = decode(client, client.size(), 0);
      ASSERT_EQ(got.result, static_cast<int>(client.size()));
      EXPECT_EQ(got.header.first, first);
      EXPECT_EQ(got.header.length, length);
      EXPECT_EQ(std::memcmp(&got.header.key, key.data(), 4), 0);
    }
}

TEST(Framing, SaysTheSizeAsSoonAsTheLengthIsThere)
{
  for (std::uint64_t length : LENGTHS) {
    std::string server = encode(0x82, length);
    std::string client = as_client(server, "key.");
    for (std::size_t have = 1; have <= client.size(); have++) {
      SCOPED_TRACE(std::to_string(length) + " have " + std::to_string(have));
      decoded got = decode(client, have, 0x70);
      ASSERT_EQ(got.result, have < server.size() ? 0 : static_cast<int>(client.size()));
      if (got.result > 0) {
        EXPECT_EQ(got.header.length, length);
      }
    }
  }
}

// The rules for a header's first two bytes, from the words of section 5.2 and RFC 7692 section 6.1;
// how many of them it takes to see one broken, or 0.
std::size_t broken_at(unsigned int first, unsigned int second, unsigned int reserved)
{
  unsigned int opcode = first % 16;
  bool message = opcode == 1 || opcode == 2, control = opcode == 8 || opcode == 9 || opcode == 10;
  if (!message && !control && opcode != 0)
    return 1;
  if ((first & reserved) != 0 || ((first & 0x40) != 0 && !message))
    return 1;
  if (control && first < 128)
    return 1;
  if (second < 128 || (control && second - 128 > 125))
    return 2;
  return 0;
}

TEST(Framing, JudgesEveryPairOfFirstBytes)
{
  for (unsigned int reserved = 0; reserved <= 0x70; reserved += 0x10)
    for (unsigned int word = 0; word < 65536; word++) {
      unsigned int first = word >> 8, second = word & 255;
      std::string bytes = {static_cast<char>(first), static_cast<char>(second)};
      std::size_t broken = broken_at(first, second, reserved);
      for (std::size_t have : {1, 2}) {
        decoded got = decode(bytes, have, static_cast<std::uint8_t>(reserved));
        bool refused = broken != 0 && broken <= have;
        ASSERT_EQ(got.result < 0, refused)
            << std::hex << word << " of " << reserved << ", " << have;
        ASSERT_EQ(got.reason != nullptr, refused);
        ASSERT_EQ(got.result, refused ? -1002 : have == 1 || second % 128 > 125 ? 0 : 6);
      }
    }
}

TEST(Framing, DecodesPlainHeadersAsAllHeaders)
{
  int plain = 0;
  for (unsigned int word = 0; word < 65536; word++)
    for (unsigned int length : {0, 125, 126, 65535}) {
      const unsigned char data[WEIR__HEADER_MAX] = {static_cast<unsigned char>(word >> 8),
                                                    static_cast<unsigned char>(word),
                                                    static_cast<unsigned char>(length >> 8),
                                                    static_cast<unsigned char>(length),
                                                    5,
                                                    6,
                                                    7,
                                                    8};
      weir__header quick, full;
      const char *reason;
      int size = weir__header_decode(data, sizeof data, 0x70, &full, &reason);
      bool message = word >> 8 == 0x81 || word >> 8 == 0x82;
      bool expected = message && (size == 6 || size == 8);
      ASSERT_EQ(weir__header_decode_plain(data, &quick), expected ? size : 0) << std::hex << word;
      if (expected) {
        ASSERT_EQ(quick.length, full.length);
        ASSERT_EQ(quick.key, full.key);
        ASSERT_EQ(quick.first, full.first);
        plain++;
      }
    }
  EXPECT_EQ(plain, 2 * (126 * 4 + 2));
}

TEST(Framing, RefusesLengthsThatAreNotMinimal)
{
  for (unsigned int length = 0; length < 65536; length++) {
    unsigned char data[WEIR__HEADER_MAX] = {0x82, 0xFE, static_cast<unsigned char>(length >> 8),
                                            static_cast<unsigned char>(length)};
    weir__header header;
    const char *reason;
    ASSERT_EQ(weir__header_decode(data, 4, 0x70, &header, &reason), length < 126 ? -1002 : 8);
    unsigned char wide[WEIR__HEADER_MAX] = {0x82, 0xFF, 0, 0, 0, 0, 0, 0, data[2], data[3]};
    ASSERT_EQ(weir__header_decode(wide, 9, 0x70, &header, &reason), 0);
    ASSERT_EQ(weir__header_decode(wide, 10, 0x70, &header, &reason), -1002);
    wide[2 + length % 6] = 1;
    ASSERT_EQ(weir__header_decode(wide, 10, 0x70, &header, &reason), 14);
    wide[2] |= 0x80;
    ASSERT_EQ(weir__header_decode(wide, 10, 0x70, &header, &reason), -1002);
  }
}

} // namespace
