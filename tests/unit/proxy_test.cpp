// The PROXY protocol, both versions, at every length of every header.
#include "wire/proxy.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

namespace
{

using namespace std::string_literals;

struct verdict {
  int status = 0;
  size_t used = 0;
  std::string reason; // or, of a whole header, what it tells
  bool operator==(const verdict &) const = default;
};

void PrintTo(const verdict &v, std::ostream *out)
{
  *out << v.status << " after " << v.used << ": " << v.reason;
}

std::string text(const weir__ip &ip)
{
  char out[WEIR__IP_TEXT];
  weir__ip_format(&ip, out);
  return std::string(out) + " " + std::to_string(ip.port);
}

// "local", or "SOURCE PORT > DESTINATION PORT", and what is told beside.
std::string told(const weir__proxy &proxy)
{
  std::string all = proxy.local ? "local" : text(proxy.source) + " > " + text(proxy.destination);
  if (proxy.authority.data != nullptr)
    all += " for " + std::string(proxy.authority.data, proxy.authority.len);
  if (proxy.tls != 0)
    all += " tls " + std::to_string(proxy.tls);
  return all + (proxy.certificate_verified ? " verified" : "");
}

// In memory of its own size, so that a sanitizer sees a byte too far.
verdict parse(std::string_view bytes)
{
  std::vector<unsigned char> copy(bytes.begin(), bytes.end());
  weir__proxy proxy;
  memset(&proxy, 0xA5, sizeof proxy);
  size_t used = 0;
  const char *reason = nullptr;
  int status = weir__proxy_parse(copy.data(), copy.size(), &proxy, &used, &reason);
  EXPECT_EQ(status < 0, reason != nullptr);
  if (status == 1)
    return {1, used, told(proxy)};
  return {status, 0, reason != nullptr ? reason : ""};
}

// The verdict on the whole and what follows it, having checked that each length agrees: nothing is
// judged twice, and a header is whole at its last byte.
verdict parse_all(const std::string &bytes)
{
  verdict last;
  for (size_t len = 0; len <= bytes.size(); len++) {
    verdict now = parse(std::string_view(bytes).substr(0, len));
    if (last.status != 0) {
      EXPECT_EQ(now, last) << "at " << len;
    }
    EXPECT_TRUE(last.status != 0 || now.status != 1 || now.used == len);
    last = now;
  }
  for (const char *more : {"", "\r", "\n", " ", "GET / HTTP/1.1\r\n", "PROXY"}) {
    EXPECT_EQ(parse(bytes + more), last) << more;
  }
  return last;
}

// How many bytes it took to refuse.
size_t refused_at(const std::string &bytes)
{
  for (size_t len = 0; len <= bytes.size(); len++)
    if (parse(std::string_view(bytes).substr(0, len)).status < 0)
      return len;
  ADD_FAILURE() << "not refused: " << bytes;
  return 0;
}

const char *const NONE = "This is no header of the PROXY protocol";

// ---- version 1

TEST(ProxyV1, IsRead)
{
  const std::pair<std::string, const char *> cases[] = {
      {"TCP4 192.0.2.1 198.51.100.2 56324 443", "192.0.2.1 56324 > 198.51.100.2 443"},
      {"TCP4 255.255.255.255 255.255.255.255 65535 65535",
       "255.255.255.255 65535 > 255.255.255.255 65535"},
      {"TCP4 0.0.0.0 0.0.0.0 0 0", "0.0.0.0 0 > 0.0.0.0 0"},
      {"TCP6 2001:db8::1 2001:DB8::2 1 2", "2001:db8::1 1 > 2001:db8::2 2"},
      {"TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
       "65535 65535",
       "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 > ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
       "65535"},
      {"TCP6 ::ffff:192.0.2.1 :: 1 2", "192.0.2.1 1 > :: 2"},
      {"UNKNOWN", "local"},
      {"UNKNOWN ", "local"},
      {"UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
       "65535 65535", // 107 bytes: as long as a line may be
       "local"},
      {"UNKNOWN anything \x01\xFF\0 at all"s, "local"},
  };
  for (const auto &[line, tells] : cases) {
    std::string bytes = "PROXY " + line + "\r\n";
    EXPECT_EQ(parse_all(bytes), (verdict{1, bytes.size(), tells})) << line;
  }
}

TEST(ProxyV1, RefusesItsFields)
{
  const char *const address = "The PROXY line holds no address of its family where one must be";
  const char *const ports = "The PROXY line does not end with two ports";
  const std::pair<std::string, const char *> cases[] = {
      {"TCP4 ", address},
      {"TCP4  192.0.2.1 192.0.2.2 1 2", address},
      {"TCP4 192.0.2.1  192.0.2.2 1 2", address},
      {"TCP4 192.0.2.1\t192.0.2.2 1 2", address},
      {"TCP4 192.0.2.1", address},
      {"TCP4 192.0.2.01 192.0.2.2 1 2", address},
      {"TCP4 192.0.2.256 192.0.2.2 1 2", address},
      {"TCP4 192.0.2 192.0.2.2 1 2", address},
      {"TCP4 192.0.2.1\0 192.0.2.2 1 2"s, address},
      {"TCP4 ::1 192.0.2.2 1 2", address},
      {"TCP4 192.0.2.1 ::1 1 2", address},
      {"TCP4 ::ffff:192.0.2.1 192.0.2.2 1 2", address},
      {"TCP6 192.0.2.1 ::1 1 2", address},
      {"TCP6 ::1 192.0.2.1 1 2", address},
      {"TCP6 [::1] ::1 1 2", address},
      {"TCP6 1::2::3 ::1 1 2", address},
      {"TCP6 fe80::1%lo ::1 1 2", address},
      {"TCP4 192.0.2.1 192.0.2.2", ports},
      {"TCP4 192.0.2.1 192.0.2.2 ", ports},
      {"TCP4 192.0.2.1 192.0.2.2 1", ports},
      {"TCP4 192.0.2.1 192.0.2.2 1 ", ports},
      {"TCP4 192.0.2.1 192.0.2.2  1 2", ports},
      {"TCP4 192.0.2.1 192.0.2.2 1  2", ports},
      {"TCP4 192.0.2.1 192.0.2.2 1 2 ", ports},
      {"TCP4 192.0.2.1 192.0.2.2 1 2 3", ports},
      {"TCP4 192.0.2.1 192.0.2.2 01 2", ports},
      {"TCP4 192.0.2.1 192.0.2.2 1 00", ports},
      {"TCP4 192.0.2.1 192.0.2.2 1 65536", ports},
      {"TCP4 192.0.2.1 192.0.2.2 -1 2", ports},
      {"TCP4 192.0.2.1 192.0.2.2 +1 2", ports},
      {"TCP4 192.0.2.1 192.0.2.2 1 2x", ports},
  };
  for (const auto &[line, reason] : cases)
    EXPECT_EQ(parse_all("PROXY " + line + "\r\n"), (verdict{-400, 0, reason})) << line;
}

TEST(ProxyV1, IsRefusedByTheFirstByteThatIsWrong)
{
  const std::tuple<std::string, size_t, const char *> cases[] = {
      {"GET / HTTP/1.1\r\n", 1, NONE},
      {" PROXY", 1, NONE},
      {"\nPROXY", 1, NONE},
      {"proxy TCP4", 1, NONE},
      {"PRI * HTTP/2.0\r\n", 3, NONE},
      {"PROXY\r\n", 6, NONE},
      {"PROXY\tTCP4", 6, NONE},
      {"PROXY  TCP4", 7, "The PROXY line names no protocol that is known"},
      {"PROXY tcp4", 7, "The PROXY line names no protocol that is known"},
      {"PROXY \r\n", 7, "The PROXY line names no protocol that is known"},
      {"PROXY TCP5 ", 10, "The PROXY line names no protocol that is known"},
      {"PROXY TCP4\r\n", 11, "The PROXY line names no protocol that is known"},
      {"PROXY TCP44 ", 11, "The PROXY line names no protocol that is known"},
      {"PROXY UDP4 ", 8, "The PROXY line names no protocol that is known"},
      {"PROXY UNKNOWNS", 14, "The PROXY line names no protocol that is known"},
      {"PROXY UNKNOWN\n", 14, "The PROXY line names no protocol that is known"},
      {"PROXY UNKNOWN\rx", 15, "The PROXY line does not end with CR LF"},
      {"PROXY UNKNOWN x\n", 16, "The PROXY line does not end with CR LF"},
      {"PROXY UNKNOWN x\r\r\n", 17, "The PROXY line does not end with CR LF"},
      {"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\n", 35, "The PROXY line does not end with CR LF"},
      {"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\rG", 36, "The PROXY line does not end with CR LF"},
      {"PROXY UNKNOWN " + std::string(93, 'x'), 107, "The PROXY line is too long"},
      {"PROXY UNKNOWN " + std::string(92, 'x') + "\r\n", 107, "The PROXY line is too long"},
      {"PROXY TCP4 " + std::string(500, '1'), 107, "The PROXY line is too long"},
  };
  for (const auto &[bytes, at, reason] : cases) {
    EXPECT_EQ(parse_all(bytes), (verdict{-400, 0, reason})) << bytes;
    EXPECT_EQ(refused_at(bytes), at) << bytes;
  }
}

TEST(ProxyV1, LeavesWhatFollows)
{
  const std::string line = "PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n";
  EXPECT_EQ(parse(line + line), (verdict{1, line.size(), "192.0.2.1 56324 > 198.51.100.2 443"}));
}

// ---- version 2

std::string big_endian(size_t n, int bytes)
{
  std::string out;
  while (bytes-- > 0)
    out += static_cast<char>(n >> 8 * bytes);
  return out;
}

std::string binary(int command, int family, const std::string &rest)
{
  return "\r\n\r\n\0\r\nQUIT\n"s + static_cast<char>(command) + static_cast<char>(family) +
         big_endian(rest.size(), 2) + rest;
}

std::string tlv(int type, const std::string &value)
{
  return static_cast<char>(type) + big_endian(value.size(), 2) + value;
}

const std::string FOUR = "\xC0\x00\x02\x01\xC6\x33\x64\x02\xDC\x04\x01\xBB"s;
const char *const FOUR_TELLS = "192.0.2.1 56324 > 198.51.100.2 443";
const std::string SIX = "\x20\x01\x0D\xB8"s + std::string(11, '\0') + "\x01\x20\x01\x0D\xB8"s +
                        std::string(11, '\0') + "\x02\x00\x01\xFF\xFF"s;
const std::string MAPPED = std::string(10, '\0') + "\xFF\xFF\xC0\x00\x02\x01"s +
                           std::string(15, '\0') + "\x01\x00\x01\x00\x02"s;

TEST(ProxyV2, IsRead)
{
  const std::tuple<int, int, std::string, const char *> cases[] = {
      // command, family and transport, the rest, what it tells
      {0x21, 0x11, FOUR, FOUR_TELLS},
      {0x21, 0x21, SIX, "2001:db8::1 1 > 2001:db8::2 65535"},
      {0x21, 0x21, MAPPED, "192.0.2.1 1 > ::1 2"},
      {0x21, 0x31, "/run/client" + std::string(205, '\0'), "unix 0 > unix 0"},
      {0x20, 0x00, "", "local"},
      {0x20, 0x11, FOUR, "local"},
      {0x20, 0x11, "short", "local"},
      {0x20, 0xF7, "whatever it is", "local"}, // the family does not count
      {0x21, 0x00, "", "local"},
      {0x21, 0x00, "an address of another kind", "local"},
      {0x21, 0x01, FOUR, "local"},
      {0x21, 0x10, FOUR, "local"},
      {0x21, 0x20, "", "local"},
      {0x21, 0x11, FOUR + tlv(0x04, std::string(4081, '\0')), FOUR_TELLS}, // 4 KiB
      {0x20, 0x00, std::string(4096, '\xFF'), "local"},
  };
  for (const auto &[command, family, rest, tells] : cases) {
    std::string bytes = binary(command, family, rest);
    EXPECT_EQ(parse_all(bytes), (verdict{1, bytes.size(), tells})) << command << " " << family;
  }
}

TEST(ProxyV2, IsRefusedByTheFirstByteThatIsWrong)
{
  const std::string start = binary(0x21, 0x11, FOUR);
  for (size_t i = 1; i < 12; i++) {
    std::string bytes = start;
    bytes[i] ^= 0x20;
    EXPECT_EQ(parse_all(bytes), (verdict{-400, 0, NONE})) << i;
    EXPECT_EQ(refused_at(bytes), i + 1);
  }
  const char *const family = "The PROXY header's connection is no stream of a known family";
  const char *const shorter = "The PROXY header is too short for its addresses";
  const std::tuple<std::string, size_t, const char *> cases[] = {
      {binary(0x11, 0x11, FOUR), 13, "The PROXY header's version is not known"},
      {binary(0x31, 0x11, FOUR), 13, "The PROXY header's version is not known"},
      {binary(0x01, 0x11, FOUR), 13, "The PROXY header's version is not known"},
      {binary(0x22, 0x11, FOUR), 13, "The PROXY header's command is not known"},
      {binary(0x2F, 0x11, FOUR), 13, "The PROXY header's command is not known"},
      {binary(0x21, 0x12, FOUR), 14, family},
      {binary(0x21, 0x22, SIX), 14, family},
      {binary(0x21, 0x32, std::string(216, '\0')), 14, family},
      {binary(0x21, 0x02, ""), 14, family},
      {binary(0x21, 0x13, FOUR), 14, family},
      {binary(0x21, 0x41, FOUR), 14, family},
      {binary(0x21, 0xF1, FOUR), 14, family},
      {binary(0x21, 0x40, FOUR), 14, family},
      {binary(0x21, 0x11, FOUR.substr(0, 11)), 16, shorter},
      {binary(0x21, 0x11, ""), 16, shorter},
      {binary(0x21, 0x21, SIX.substr(0, 35)), 16, shorter},
      {binary(0x21, 0x31, std::string(215, '\0')), 16, shorter},
      {binary(0x21, 0x11, FOUR + tlv(0x04, std::string(4082, '\0'))), 16,
       "The PROXY header is too long"},
      {binary(0x20, 0x00, std::string(65535, '\0')), 16, "The PROXY header is too long"},
  };
  for (const auto &[bytes, at, reason] : cases) {
    EXPECT_EQ(parse_all(bytes.substr(0, 5000)), (verdict{-400, 0, reason})) << reason;
    EXPECT_EQ(refused_at(bytes), at) << reason;
  }
}

TEST(ProxyV2, TellsWhatFieldsTell)
{
  const std::string verified = "\0\0\0\0"s, other = "\0\0\0\x0A"s;
  const std::pair<std::string, std::string> cases[] = {
      {tlv(0x01, "http/1.1"), ""},
      {tlv(0x02, "example.org"), " for example.org"},
      {tlv(0x02, ""), " for "},
      {tlv(0x04, "") + tlv(0xE0, "x") + tlv(0x02, "a"), " for a"},
      {tlv(0x05, std::string(128, 'u')) + tlv(0xFF, "") + tlv(0x30, "net"), ""},
      {tlv(0x20, "\x01"s + other), " tls 1"},
      {tlv(0x20, "\x01"s + verified), " tls 1"}, // there was no certificate to verify
      {tlv(0x20, "\x03"s + verified), " tls 3 verified"},
      {tlv(0x20, "\x05"s + verified), " tls 5 verified"},
      {tlv(0x20, "\x03"s + other), " tls 3"},
      {tlv(0x20, "\0"s + verified), ""},
      {tlv(0x20, "\x07"s + verified + tlv(0x21, "TLSv1.3") + tlv(0x22, "a client")) +
           tlv(0x02, "b"),
       " for b tls 7 verified"},
  };
  for (const auto &[fields, tells] : cases) {
    std::string bytes = binary(0x21, 0x11, FOUR + fields);
    EXPECT_EQ(parse_all(bytes), (verdict{1, bytes.size(), FOUR_TELLS + tells})) << tells;
    bytes = binary(0x20, 0x11, FOUR + fields); // all of it is the proxy's own
    EXPECT_EQ(parse_all(bytes), (verdict{1, bytes.size(), "local"}));
  }
}

TEST(ProxyV2, RefusesFieldsThatReachBeyond)
{
  const char *const beyond = "A field of the PROXY header reaches beyond its end";
  const char *const about_tls = "The PROXY header's field about TLS is malformed";
  const std::pair<std::string, const char *> cases[] = {
      {"\x04"s, beyond},
      {"\x04\0"s, beyond},
      {"\x04\0\x01"s, beyond},
      {"\x02\0\x05"s + "four", beyond},
      {"\x02\xFF\xFFx"s, beyond},
      {tlv(0x04, "") + "\x01"s, beyond},
      {tlv(0x20, ""), about_tls},
      {tlv(0x20, "\x01\0\0\0"s), about_tls},
      {tlv(0x20, "\x01\0\0\0\0\x21"s), about_tls},
      {tlv(0x20, "\x01\0\0\0\0\x21\0\x01"s) + "TLSv1", about_tls},
      {tlv(0x20, "\x01\0\0\0\0\x21\xFF\xFFx"s), about_tls},
  };
  for (const auto &[fields, reason] : cases)
    EXPECT_EQ(parse_all(binary(0x21, 0x11, FOUR + fields)), (verdict{-400, 0, reason}));
}

const char *const WRONG_CHECKSUM = "The PROXY header's checksum is wrong";

// Bit by bit, as RFC 4960 appendix B defines it.
uint32_t plain_crc32c(const std::string &bytes)
{
  uint32_t crc = ~UINT32_C(0);
  for (unsigned char byte : bytes) {
    crc ^= byte;
    for (int bit = 0; bit < 8; bit++)
      crc = crc >> 1 ^ ((crc & 1) != 0 ? 0x82F63B78 : 0);
  }
  return ~crc;
}

// A header with its checksum between other fields.
std::string checked(const std::string &before, const std::string &after)
{
  std::string bytes = binary(0x21, 0x11, FOUR + before + tlv(0x03, "\0\0\0\0"s) + after);
  return bytes.replace(bytes.size() - after.size() - 4, 4, big_endian(plain_crc32c(bytes), 4));
}

TEST(ProxyV2, VerifiesItsChecksum)
{
  ASSERT_EQ(plain_crc32c("123456789"), 0xE3069283);
  EXPECT_EQ(checked("", "").substr(31), "\x20\xEC\x95\x49"s);
  for (const char *before : {"", "x", "a longer one"})
    for (const char *after : {"", "y", "another that is long"}) {
      const std::string bytes = checked(tlv(0x04, before), tlv(0x02, after));
      const verdict good = {1, bytes.size(), FOUR_TELLS + " for "s + after};
      EXPECT_EQ(parse_all(bytes), good);
    }

  const std::string bytes = checked(tlv(0x04, "pad"), tlv(0xE0, "more"));
  const std::pair<size_t, size_t> values[] = {{16, 28}, {31, 34}, {37, 41}, {44, 48}};
  for (const auto &[from, to] : values)
    for (size_t bit = from * 8; bit < to * 8; bit++) {
      std::string bad = bytes;
      bad[bit / 8] ^= static_cast<char>(1 << bit % 8);
      EXPECT_EQ(parse(bad), (verdict{-400, 0, WRONG_CHECKSUM})) << bit;
    }
}

TEST(ProxyV2, RefusesChecksumsOfAnotherSizeOrNumber)
{
  const verdict wrong = {-400, 0, WRONG_CHECKSUM};
  EXPECT_EQ(parse_all(binary(0x21, 0x11, FOUR + tlv(0x03, ""))), wrong);
  EXPECT_EQ(parse_all(binary(0x21, 0x11, FOUR + tlv(0x03, "abc"))), wrong);
  EXPECT_EQ(parse_all(binary(0x21, 0x11, FOUR + tlv(0x03, "abcde"))), wrong);

  // two that both hold, each with the other in its place
  const std::string one = "\x7D\x76\x31\xCA"s, two = "\x59\x57\x85\x3A"s, zeros(4, '\0');
  auto with = [](const std::string &first, const std::string &second) {
    return binary(0x21, 0x11, FOUR + tlv(0x03, first) + tlv(0x03, second));
  };
  ASSERT_EQ(big_endian(plain_crc32c(with(zeros, two)), 4), one);
  ASSERT_EQ(big_endian(plain_crc32c(with(one, zeros)), 4), two);
  EXPECT_EQ(parse_all(with(one, two)), wrong);
}

} // namespace
