// Addresses: text and socket addresses, both ways, networks, and whom to count together.
#include "wire/address.h"

#include <gtest/gtest.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <cstring>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

namespace
{

using namespace std::string_literals;

weir_slice slice(std::string_view text)
{
  return {text.data(), text.size()};
}

weir__ip ip(std::string_view text, uint16_t port = 0)
{
  weir__ip parsed;
  EXPECT_TRUE(weir__ip_parse(slice(text), &parsed)) << text;
  parsed.port = port;
  return parsed;
}

std::string format(const weir__ip &address)
{
  std::vector<char> out(WEIR__IP_TEXT, '#');
  size_t len = weir__ip_format(&address, out.data());
  EXPECT_EQ(len, strlen(out.data()));
  return out.data();
}

bool same(const weir__ip &a, const weir__ip &b)
{
  return memcmp(a.bytes, b.bytes, sizeof a.bytes) == 0 && a.port == b.port && a.family == b.family;
}

TEST(Address, IsParsedAndFormatted)
{
  const std::tuple<const char *, const char *, int> cases[] = {
      {"0.0.0.0", "0.0.0.0", 4},
      {"192.0.2.7", "192.0.2.7", 4},
      {"255.255.255.255", "255.255.255.255", 4},
      {"::", "::", 6},
      {"::1", "::1", 6},
      {"1::", "1::", 6},
      {"2001:DB8::00Ab", "2001:db8::ab", 6},
      {"2001:db8:0:0:0:0:0:1", "2001:db8::1", 6},
      {"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1", 6}, // one group of zeros stays
      {"2001:0:0:1:0:0:0:1", "2001:0:0:1::1", 6},          // the longest run goes
      {"2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1", 6},    // of two as long, the first
      {"1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8", 6},
      {"64:ff9b::192.0.2.33", "64:ff9b::c000:221", 6},
      {"::ffff:192.0.2.7", "192.0.2.7", 4},
      {"::FFFF:C000:207", "192.0.2.7", 4},
      {"0:0:0:0:0:ffff:255.255.255.255", "255.255.255.255", 4},
      {"ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255", // as long as one may be
       "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 6},
      {"::fffe:1:2", "::fffe:1:2", 6},
  };
  for (const auto &[text, written, family] : cases) {
    std::vector<char> copy(text, text + strlen(text)); // a read beyond it is seen
    weir__ip parsed;
    ASSERT_TRUE(weir__ip_parse({copy.data(), copy.size()}, &parsed)) << text;
    EXPECT_EQ(parsed.family, family) << text;
    EXPECT_EQ(parsed.port, 0) << text;
    EXPECT_EQ(format(parsed), written) << text;
  }
}

TEST(Address, IsRefused)
{
  const std::string cases[] = {"",
                               " ",
                               "1",
                               "1.2.3",
                               "1.2.3.4.5",
                               "1.2.3.",
                               ".1.2.3",
                               "1..2.3",
                               "1.2.3.256",
                               "1.2.3.04",
                               "01.2.3.4",
                               "1.2.3.0x4",
                               "1.2.3.4 ",
                               " 1.2.3.4",
                               "1.2.3.4\0"s,
                               "1.2.3.4\0x"s,
                               "1.2.3.4:80",
                               "1.2.3.4/8",
                               "+1.2.3.4",
                               "-1.2.3.4",
                               "16909060",
                               ":",
                               ":::",
                               "1::2::3",
                               "1:2:3:4:5:6:7",
                               "1:2:3:4:5:6:7:8:9",
                               "1:2:3:4:5:6:7:8::",
                               "12345::",
                               "g::",
                               "::1%lo",
                               "[::1]",
                               "::1.2.3",
                               "::1.2.3.4:5",
                               "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.2555",
                               "unix",
                               "localhost",
                               "unknown",
                               "_hidden",
                               std::string(5000, '1'),
                               std::string(5000, ':')};
  for (const std::string &text : cases) {
    std::vector<char> copy(text.begin(), text.end());
    weir__ip parsed = ip("192.0.2.1");
    EXPECT_FALSE(weir__ip_parse({copy.data(), copy.size()}, &parsed)) << text;
    EXPECT_TRUE(same(parsed, {})) << text;
  }
  weir__ip parsed;
  EXPECT_FALSE(weir__ip_parse({nullptr, 0}, &parsed));
}

TEST(Address, HasAPort)
{
  const std::tuple<const char *, int> cases[] = {
      {"0", 0},   {"1", 1},   {"80", 80},   {"65535", 65535}, {"65536", -1}, {"99999999999999", -1},
      {"", -1},   {"00", -1}, {"080", -1},  {"-1", -1},       {"+1", -1},    {" 1", -1},
      {"1 ", -1}, {"x", -1},  {"0x50", -1}, {"1/", -1},       {"1:", -1}};
  for (const auto &[text, port] : cases)
    EXPECT_EQ(weir__ip_parse_port(slice(text)), port) << text;
}

TEST(Address, OfOtherFamiliesIsFormatted)
{
  EXPECT_EQ(format({}), "");
  EXPECT_EQ(format({{}, 0, WEIR__IP_UNIX}), "unix");
}

TEST(Address, GoesToASocketAddressAndBack)
{
  const std::tuple<weir__ip, int, socklen_t> cases[] = {
      {ip("192.0.2.7", 8080), AF_INET, sizeof(sockaddr_in)},
      {ip("2001:db8::7", 65535), AF_INET6, sizeof(sockaddr_in6)},
      {{{}, 0, WEIR__IP_UNIX}, AF_UNIX, sizeof(sa_family_t)},
      {{}, AF_UNSPEC, 0}};
  for (const auto &[address, family, len] : cases) {
    sockaddr_storage storage;
    memset(&storage, 0xA5, sizeof storage);
    EXPECT_EQ(weir__ip_to_sockaddr(&address, &storage), len) << format(address);
    EXPECT_EQ(storage.ss_family, family) << format(address);
    EXPECT_TRUE(same(weir__ip_of_sockaddr(&storage), address)) << format(address);
  }
}

TEST(Address, OfASocketAddressIsWhatTheKernelGave)
{
  sockaddr_storage storage = {};
  auto *four = reinterpret_cast<sockaddr_in *>(&storage);
  four->sin_family = AF_INET;
  four->sin_port = htons(80);
  inet_pton(AF_INET, "192.0.2.7", &four->sin_addr);
  EXPECT_TRUE(same(weir__ip_of_sockaddr(&storage), ip("192.0.2.7", 80)));

  storage = {};
  auto *six = reinterpret_cast<sockaddr_in6 *>(&storage);
  six->sin6_family = AF_INET6;
  six->sin6_port = htons(443);
  inet_pton(AF_INET6, "2001:db8::7", &six->sin6_addr);
  EXPECT_TRUE(same(weir__ip_of_sockaddr(&storage), ip("2001:db8::7", 443)));
  inet_pton(AF_INET6, "::ffff:192.0.2.7", &six->sin6_addr); // of a dual-stack listener
  EXPECT_TRUE(same(weir__ip_of_sockaddr(&storage), ip("192.0.2.7", 443)));

  storage.ss_family = AF_NETLINK;
  EXPECT_TRUE(same(weir__ip_of_sockaddr(&storage), {}));
}

std::string key(const weir__ip &address)
{
  unsigned char out[WEIR__IP_KEY];
  weir__ip_key(&address, out);
  return {reinterpret_cast<char *>(out), sizeof out};
}

TEST(AddressKey, CountsClientsTogether)
{
  EXPECT_EQ(key(ip("192.0.2.7", 1)), key(ip("192.0.2.7", 2)));
  EXPECT_EQ(key(ip("192.0.2.7")), key(ip("::ffff:192.0.2.7")));
  EXPECT_EQ(key(ip("2001:db8:1:2::1", 1)), key(ip("2001:db8:1:2:ffff:ffff:ffff:ffff", 2)));

  // whom a key must tell apart, among them those whose bytes look like another's key
  const weir__ip different[] = {ip("192.0.2.7"),       ip("192.0.2.8"),  ip("0.0.0.0"),
                                ip("0.0.0.1"),         ip("::"),         ip("2001:db8:1:2::"),
                                ip("2001:db8:1:3::"),  ip("c000:207::"), {},
                                {{}, 0, WEIR__IP_UNIX}};
  std::set<std::string> keys;
  for (const weir__ip &address : different)
    EXPECT_TRUE(keys.insert(key(address)).second) << format(address);
}

TEST(Network, IsParsed)
{
  const std::tuple<const char *, const char *, int> cases[] = {
      // text, its first address, its bits
      {"10.0.0.0/8", "10.0.0.0", 8},
      {"10.1.2.3/8", "10.0.0.0", 8},
      {"192.0.2.255/25", "192.0.2.128", 25},
      {"192.0.2.255/31", "192.0.2.254", 31},
      {"255.255.255.255/0", "0.0.0.0", 0},
      {"192.0.2.7", "192.0.2.7", 32},
      {"192.0.2.7/32", "192.0.2.7", 32},
      {"::/0", "::", 0},
      {"::1", "::1", 128},
      {"::1/128", "::1", 128},
      {"2001:db8::1/32", "2001:db8::", 32},
      {"ffff:ffff::/17", "ffff:8000::", 17},
      {"ffff::ffff/127", "ffff::fffe", 127},
      {"::ffff:10.1.2.3", "10.1.2.3", 32},
      {"::ffff:10.1.2.3/104", "10.0.0.0", 8},
      {"::ffff:0:0/96", "0.0.0.0", 0},
  };
  for (const auto &[text, first, bits] : cases) {
    weir__network network;
    ASSERT_TRUE(weir__network_parse(slice(text), &network)) << text;
    weir__ip wanted = ip(first);
    EXPECT_EQ(memcmp(network.bytes, wanted.bytes, sizeof wanted.bytes), 0) << text;
    EXPECT_EQ(network.family, wanted.family) << text;
    EXPECT_EQ(network.bits, bits) << text;
  }
  for (const char *text : {"",
                           "/",
                           "/8",
                           "10.0.0.0/",
                           "10.0.0.0/33",
                           "10.0.0.0/08",
                           "10.0.0.0/-1",
                           "10.0.0.0/+8",
                           "10.0.0.0/ 8",
                           "10.0.0.0/8 ",
                           "10.0.0.0/8/8",
                           "10.0.0.0/255.0.0.0",
                           "10.0.0/8",
                           "10/8",
                           "::/129",
                           "::/4294967296",
                           "::/",
                           "::ffff:10.0.0.0/95",
                           "::ffff:10.0.0.0/0",
                           "[::1]",
                           "Unix",
                           "unix/0",
                           "unix:",
                           "localhost",
                           "*"}) {
    weir__network network;
    EXPECT_FALSE(weir__network_parse(slice(text), &network)) << text;
  }
  weir__network network;
  EXPECT_FALSE(weir__network_parse({nullptr, 0}, &network));
}

TEST(Network, HoldsAddresses)
{
  const std::tuple<const char *, const char *, bool> cases[] = {
      {"10.0.0.0/8", "10.0.0.0", true},
      {"10.0.0.0/8", "10.255.255.255", true},
      {"10.0.0.0/8", "9.255.255.255", false},
      {"10.0.0.0/8", "11.0.0.0", false},
      {"10.0.0.0/8", "::ffff:10.1.2.3", true},
      {"10.0.0.0/8", "a00::", false},
      {"172.16.0.0/12", "172.31.255.255", true},
      {"172.16.0.0/12", "172.32.0.0", false},
      {"192.0.2.7", "192.0.2.7", true},
      {"192.0.2.7", "192.0.2.6", false},
      {"192.0.2.6/31", "192.0.2.7", true},
      {"192.0.2.6/31", "192.0.2.8", false},
      {"0.0.0.0/0", "255.255.255.255", true},
      {"0.0.0.0/0", "::1", false},
      {"::/0", "ffff::1", true},
      {"::/0", "0.0.0.0", false},
      {"::1", "::1", true},
      {"::1", "::2", false},
      {"2001:db8::/33", "2001:db8:7fff::1", true},
      {"2001:db8::/33", "2001:db8:8000::1", false},
      {"2001:db8::/127", "2001:db8::1", true},
      {"2001:db8::/127", "2001:db8::2", false},
      {"unix", "0.0.0.0", false},
      {"unix", "::", false},
  };
  for (const auto &[text, address, holds] : cases) {
    weir__network network;
    ASSERT_TRUE(weir__network_parse(slice(text), &network)) << text;
    weir__ip wanted = ip(address, 80);
    EXPECT_EQ(weir__network_holds(&network, &wanted), holds) << text << " " << address;
  }
}

TEST(Network, OfOtherFamiliesHoldsTheirs)
{
  const weir__ip of_unix = {{}, 0, WEIR__IP_UNIX}, unknown = {};
  weir__network network;
  ASSERT_TRUE(weir__network_parse(slice("unix"), &network));
  EXPECT_TRUE(weir__network_holds(&network, &of_unix));
  EXPECT_FALSE(weir__network_holds(&network, &unknown));
  for (const char *all : {"0.0.0.0/0", "::/0"}) {
    ASSERT_TRUE(weir__network_parse(slice(all), &network));
    EXPECT_FALSE(weir__network_holds(&network, &of_unix));
    EXPECT_FALSE(weir__network_holds(&network, &unknown));
  }
  const weir__network none = {};
  EXPECT_FALSE(weir__network_holds(&none, &unknown)); // what is unknown is never trusted
}

} // namespace
