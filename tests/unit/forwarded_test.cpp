// The client's address behind trusted proxies. Trusted here: 10.0.0.0/8, fd00::/8, unix sockets.
#include "wire/forwarded.h"

#include <gtest/gtest.h>

#include <cstring>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <strings.h>
#include <utility>
#include <vector>

namespace
{

using namespace std::string_literals;

using fields = std::vector<std::pair<std::string, std::string>>;

weir_slice slice(std::string_view text)
{
  return {text.data(), text.size()};
}

weir__ip ip(std::string_view text)
{
  weir__ip parsed = {};
  if (text == "unix")
    parsed.family = WEIR__IP_UNIX;
  else
    EXPECT_TRUE(weir__ip_parse(slice(text), &parsed)) << text;
  return parsed;
}

std::string text(const weir__ip &address)
{
  char out[WEIR__IP_TEXT];
  weir__ip_format(&address, out);
  return out + (address.port != 0 ? " " + std::to_string(address.port) : ""s);
}

std::vector<weir__network> networks(std::initializer_list<const char *> texts)
{
  std::vector<weir__network> all;
  for (const char *text : texts)
    EXPECT_TRUE(weir__network_parse(slice(text), &all.emplace_back())) << text;
  return all;
}

const std::vector<weir__network> TRUSTED = networks({"10.0.0.0/8", "fd00::/8", "unix"});

// Each value in memory of its own size, so that a sanitizer sees a byte too far.
std::string client_by(weir__forwarded_field field, const fields &given,
                      std::string_view peer = "10.0.0.1",
                      const std::vector<weir__network> &trusted = TRUSTED)
{
  auto head = std::make_unique<weir__http_head>();
  std::vector<std::vector<char>> values;
  for (const auto &[name, value] : given)
    values.emplace_back(value.begin(), value.end()).reserve(1); // for data to be not NULL
  for (const auto &[name, value] : given) {
    const std::vector<char> &copy = values[head->field_count];
    head->fields[head->field_count++] = {slice(name), {copy.data(), copy.size()}};
  }
  return text(weir__forwarded_client(head.get(), field, trusted.data(), trusted.size(), ip(peer)));
}

// By the field that is there.
std::string client(const fields &given, std::string_view peer = "10.0.0.1",
                   const std::vector<weir__network> &trusted = TRUSTED)
{
  bool is_forwarded = false;
  for (const auto &[name, value] : given)
    is_forwarded |= strcasecmp(name.c_str(), "forwarded") == 0;
  return client_by(is_forwarded ? WEIR__FORWARDED : WEIR__X_FORWARDED_FOR, given, peer, trusted);
}

std::string forwarded(const std::string &value)
{
  return client({{"Forwarded", value}});
}

std::string x_forwarded_for(const std::string &value)
{
  return client({{"X-Forwarded-For", value}});
}

TEST(ForwardedClient, IsAPeerThatIsNotTrusted)
{
  for (const char *name : {"Forwarded", "X-Forwarded-For"}) {
    const std::string value = name == "Forwarded"s ? "for=192.0.2.1" : "192.0.2.1";
    EXPECT_EQ(client({{name, value}}, "198.51.100.1"), "198.51.100.1");
    EXPECT_EQ(client({{name, value}}, "fe80::1"), "fe80::1");
    EXPECT_EQ(client({{name, value}}, "10.0.0.1", {}), "10.0.0.1");
    EXPECT_EQ(client({{name, value}}, "unix", networks({"0.0.0.0/0", "::/0"})), "unix");
  }
}

TEST(ForwardedClient, IsTheTrustedPeerWhenNothingIsTold)
{
  EXPECT_EQ(client({}), "10.0.0.1");
  EXPECT_EQ(client({{"Host", "192.0.2.1"}, {"X-Real-IP", "192.0.2.1"}}), "10.0.0.1");
  EXPECT_EQ(forwarded(""), "10.0.0.1");
  EXPECT_EQ(forwarded(" , ,"), "10.0.0.1");
  EXPECT_EQ(x_forwarded_for(""), "10.0.0.1");
  EXPECT_EQ(x_forwarded_for(", ,"), "10.0.0.1");
}

TEST(ForwardedClient, IsBehindAnyTrustedPeer)
{
  for (const char *peer : {"10.0.0.1", "10.255.255.255", "::ffff:10.0.0.1", "fd12::1", "unix"}) {
    EXPECT_EQ(client({{"Forwarded", "for=192.0.2.1"}}, peer), "192.0.2.1") << peer;
    EXPECT_EQ(client({{"X-Forwarded-For", "192.0.2.1"}}, peer), "192.0.2.1") << peer;
  }
}

TEST(ForwardedClient, IsReadOfForwarded)
{
  const std::pair<const char *, const char *> cases[] = {
      {"for=192.0.2.1", "192.0.2.1"},
      {"For=192.0.2.1", "192.0.2.1"},
      {"FOR=192.0.2.1", "192.0.2.1"},
      {"for=\"192.0.2.1\"", "192.0.2.1"},
      {"for=\"192.0.2.1:8080\"", "192.0.2.1 8080"},
      {"for=\"192.0.2.1:0\"", "192.0.2.1"},
      {"for=\"192.0.2.1:_port-1.a\"", "192.0.2.1"},
      {"for=\"[2001:db8::1]\"", "2001:db8::1"},
      {"for=\"[2001:DB8::1]:4711\"", "2001:db8::1 4711"},
      {"for=\"[::ffff:192.0.2.1]:1\"", "192.0.2.1 1"},
      {"for=\"\\1\\9\\2.0.2.1\\:80\"", "192.0.2.1 80"}, // any byte may be escaped
      {"for=\"ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255\"",
       "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
      // without the quotes or brackets that it should have
      {"for=192.0.2.1:8080", "192.0.2.1 8080"},
      {"for=[2001:db8::1]:80", "2001:db8::1 80"},
      {"for=2001:db8::1", "2001:db8::1"},
      // beside other parameters
      {"proto=https;for=192.0.2.1;by=203.0.113.1", "192.0.2.1"},
      {"for=192.0.2.1; proto=http; by=203.0.113.1", "192.0.2.1"},
      {"by=198.51.100.1\t;\tFoR=192.0.2.1 ", "192.0.2.1"},
      {";;for=192.0.2.1;", "192.0.2.1"},
      {"host=example.org:8080;for=192.0.2.1;proto=", "192.0.2.1"},
      {"host=\"a,for=198.51.100.1;b\";for=192.0.2.1", "192.0.2.1"},
      {"for=192.0.2.1;host=\"a;for=198.51.100.1\"", "192.0.2.1"},
      {"for=192.0.2.1;secret=\"\\\",for=198.51.100.1\\\\\"", "192.0.2.1"},
      {"for=192.0.2.1;x=\"\"", "192.0.2.1"},
      {"forx=198.51.100.1;xfor=198.51.100.2;for=192.0.2.1", "192.0.2.1"},
  };
  for (const auto &[value, address] : cases)
    EXPECT_EQ(forwarded(value), address) << value;
  EXPECT_EQ(forwarded("x=\"" + std::string(5000, ',') + "\";for=192.0.2.1"), "192.0.2.1");
}

TEST(ForwardedClient, IsReadOfXForwardedFor)
{
  const std::pair<const char *, const char *> cases[] = {
      {"192.0.2.1", "192.0.2.1"},
      {" \t192.0.2.1 ", "192.0.2.1"},
      {"192.0.2.1:8080", "192.0.2.1 8080"},
      {"2001:db8::1", "2001:db8::1"},
      {"[2001:db8::1]", "2001:db8::1"},
      {"[2001:db8::1]:8080", "2001:db8::1 8080"},
      {"::ffff:192.0.2.1", "192.0.2.1"},
      {",192.0.2.1,, ,", "192.0.2.1"},
      {"198.51.100.1,192.0.2.1", "192.0.2.1"},
      {"198.51.100.1, 192.0.2.1, 10.0.0.2", "192.0.2.1"},
      {"192.0.2.1, fd00::1, [fd00::2]:80, 10.0.0.2:80", "192.0.2.1"},
  };
  for (const auto &[value, address] : cases) {
    EXPECT_EQ(x_forwarded_for(value), address) << value;
    EXPECT_EQ(client({{"x-forwarded-FOR", value}}), address) << value;
  }
}

// What is none ends the walk at the peer, and at a trusted proxy in between.
TEST(ForwardedClient, IsNotFoundBehindWhatIsNoAddress)
{
  for (const char *node : {"unknown",
                           "_hidden",
                           "_SEVKISEK:80",
                           "unix",
                           "localhost",
                           "example.org",
                           "192.0.2",
                           "192.0.2.1:",
                           "192.0.2.1:x",
                           "192.0.2.1:65536",
                           "192.0.2.1:080",
                           "192.0.2.1:_",
                           "192.0.2.1:_a!",
                           "192.0.2.1:80:80",
                           "192.0.2.1 80",
                           "[192.0.2.1]",
                           "[192.0.2.1]:80",
                           "[2001:db8::1",
                           "2001:db8::1]",
                           "[2001:db8::1]80",
                           "[2001:db8::1]:",
                           "[2001:db8::1]x80",
                           "[[2001:db8::1]]",
                           "[]",
                           "[]:80",
                           ":80",
                           ":",
                           "::1:",
                           "[2001:db8::1%eth0]",
                           "192.0.2.1/32",
                           "192.0.2.1x80",
                           "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.2555"}) {
    for (const std::string &element : {"for="s + node, "for=\""s + node + "\""}) {
      EXPECT_EQ(forwarded("for=198.51.100.1," + element), "10.0.0.1") << element;
      EXPECT_EQ(forwarded("for=198.51.100.1," + element + ",for=10.0.0.2"), "10.0.0.2") << element;
    }
    EXPECT_EQ(x_forwarded_for("198.51.100.1, "s + node), "10.0.0.1") << node;
    EXPECT_EQ(x_forwarded_for("198.51.100.1, "s + node + ", fd00::2"), "fd00::2") << node;
  }
  for (const std::string &element : {"proto=https"s,
                                     "for"s,
                                     "192.0.2.1"s,
                                     "=192.0.2.1"s,
                                     "for="s,
                                     "for=\"\""s,
                                     ";"s,
                                     "\""s,
                                     "for =192.0.2.1"s,
                                     "for= 192.0.2.1"s,
                                     "for=192.0.2.1;for=192.0.2.1"s,
                                     "for=192.0.2.1;FOR=192.0.2.2"s,
                                     "for=192.0.2.1;x"s,
                                     "x;for=192.0.2.1"s,
                                     "for=192.0.2.1;a b=c"s,
                                     "for=192.0.2.1;(=c"s,
                                     "for=192.0.2.1;=c"s,
                                     "for=192.0.2.1;x=a\"b\""s,
                                     "for=\"192.0.2.1\"x"s,
                                     "for=\"192.0.2.1\";x=\"a\"b"s,
                                     "for=\"192.0.2.1\"\"\""s,
                                     "for=\"192.0.2.1:_" + std::string(64, 'a') + "\""}) {
    EXPECT_EQ(forwarded("for=198.51.100.1," + element), "10.0.0.1") << element;
    EXPECT_EQ(forwarded("for=198.51.100.1," + element + ",for=10.0.0.2"),
              element == "\"" ? "10.0.0.1" : "10.0.0.2")
        << element;
  }
}

TEST(ForwardedClient, LeavesQuotesOpenInVain)
{
  for (const char *open : {"\"", "for=198.51.100.1;x=\"", "for=198.51.100.1,\"", "x=\"\\",
                           "for=198.51.100.1;x=\"\\\"", "x=\"a\",for=198.51.100.1,for=\""})
    for (const char *added :
         {",for=192.0.2.1", ",for=\"192.0.2.1\"", ", for=\"[2001:db8::1]:80\";proto=https",
          ", for=192.0.2.1;host=\",for=198.51.100.1,\"", ",for=192.0.2.1, for=\"10.0.0.2:80\""}) {
      std::string address = forwarded(open + std::string(added));
      EXPECT_TRUE(address == "10.0.0.1" || address == "10.0.0.2 80") << open << added;
    }
  // a proxy that writes a line of its own is safe from it
  EXPECT_EQ(client({{"Forwarded", "for=198.51.100.1;x=\""}, {"Forwarded", "for=192.0.2.1"}}),
            "192.0.2.1");
}

TEST(ForwardedClient, IsOfTheFieldThatProxiesWrite)
{
  const fields both = {{"X-Forwarded-For", "198.51.100.1"}, {"Forwarded", "for=192.0.2.1"}};
  EXPECT_EQ(client_by(WEIR__FORWARDED, both), "192.0.2.1");
  EXPECT_EQ(client_by(WEIR__X_FORWARDED_FOR, both), "198.51.100.1");
  EXPECT_EQ(client_by(WEIR__FORWARDED, {{"X-Forwarded-For", "198.51.100.1"}}), "10.0.0.1");
  EXPECT_EQ(client_by(WEIR__X_FORWARDED_FOR, {{"Forwarded", "for=192.0.2.1"}}), "10.0.0.1");
  EXPECT_EQ(client({{"forwarded", "for=unknown"}, {"X-Forwarded-For", "198.51.100.1"}}),
            "10.0.0.1");
  EXPECT_EQ(client({{"FORWARDED", ""}, {"X-Forwarded-For", "198.51.100.1"}}), "10.0.0.1");
}

// ---- every short list, in lines cut anywhere, against the walk as it is told

struct sort {
  const char *address; // nullptr: none
  bool trusted;
};

const sort SORTS[] = {{"192.0.2.1", false},
                      {"2001:db8::1", false},
                      {"10.0.0.2", true},
                      {"fd00::3", true},
                      {nullptr, false}};

std::string walk(const std::vector<sort> &list)
{
  std::string known = "10.0.0.1";
  for (size_t i = list.size(); i > 0; i--) {
    if (list[i - 1].address == nullptr)
      return known;
    known = list[i - 1].address;
    if (!list[i - 1].trusted)
      return known;
  }
  return known;
}

std::string node(const sort &one, bool is_forwarded)
{
  if (!is_forwarded)
    return one.address == nullptr ? "unknown" : one.address;
  if (one.address == nullptr)
    return "for=_hidden";
  return strchr(one.address, ':') != nullptr ? "for=\"["s + one.address + "]\""
                                             : "for="s + one.address;
}

fields write(const std::vector<sort> &list, size_t cuts, bool is_forwarded)
{
  const std::string name = is_forwarded ? "Forwarded" : "X-Forwarded-For";
  fields lines = {{name, ""}};
  for (size_t i = 0; i < list.size(); i++) {
    if (i > 0 && (cuts >> (i - 1) & 1) != 0)
      lines.insert(lines.end(), {{"Host", "a"}, {name, ""}});
    std::string &line = lines.back().second;
    line += (line.empty() ? "" : ", ") + node(list[i], is_forwarded);
  }
  return lines;
}

TEST(ForwardedClient, IsTheSameAsByWalking)
{
  for (size_t len = 1, lists = std::size(SORTS); len <= 4; len++, lists *= std::size(SORTS))
    for (size_t which = 0; which < lists; which++) {
      std::vector<sort> list;
      for (size_t rest = which; list.size() < len; rest /= std::size(SORTS))
        list.push_back(SORTS[rest % std::size(SORTS)]);
      for (size_t cuts = 0; cuts < size_t{1} << (len - 1); cuts++)
        for (bool is_forwarded : {false, true})
          ASSERT_EQ(client(write(list, cuts, is_forwarded)), walk(list))
              << which << " of " << len << ", cut " << cuts;
    }
}

} // namespace
