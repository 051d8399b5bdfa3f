// The parser of request heads that passed the guard: ATTACKS rows 5 to 7, 11 and 18.
#include "wire/http.h"

#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

namespace
{

using namespace std::string_literals;

std::string_view view(weir_slice slice)
{
  return {slice.data, slice.len};
}

weir_slice slice(std::string_view text)
{
  return {text.data(), text.size()};
}

std::string request(const std::string &fields, const std::string &line = "GET / HTTP/1.1")
{
  return line + "\r\n" + fields + "\r\n";
}

// A parsed head, and the bytes that it lies in, in a buffer of exactly their size.
struct parsed {
  std::vector<char> bytes;
  std::unique_ptr<weir__http_head> head = std::make_unique<weir__http_head>();
  int status = 0;
  const char *reason = "no reason";

  explicit parsed(std::string_view text) : bytes(text.begin(), text.end())
  {
    memset(head.get(), 0xA5, sizeof *head);
    status = weir__http_parse(head.get(), bytes.data(), bytes.size(), &reason);
    if (status == 0)
      expect_within();
  }
  void expect_within(weir_slice s) const
  {
    if (s.data == nullptr) {
      EXPECT_EQ(s.len, 0u);
      return;
    }
    EXPECT_GE(s.data, bytes.data());
    EXPECT_LE(s.data + s.len, bytes.data() + bytes.size());
  }
  void expect_within() const
  {
    for (weir_slice s : {head->method, head->target, head->path, head->query})
      expect_within(s);
    for (size_t i = 0; i < head->field_count; i++) {
      expect_within(head->fields[i].name);
      expect_within(head->fields[i].value);
      EXPECT_NE(head->fields[i].value.data, nullptr);
    }
  }
};

TEST(HttpParse, GivesSlicesOfTheHead)
{
  parsed p("\r\nPOST /chat/room?name=a%20b&x HTTP/1.1\r\nHost: example.org:8080\r\n"
           "Empty:\r\nBlank: \t \r\nX-Two: one\r\nx-two: \t two \t\r\n"
           "Upgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n\r\n");
  ASSERT_EQ(p.status, 0) << p.reason;
  EXPECT_EQ(view(p.head->method), "POST");
  EXPECT_EQ(view(p.head->target), "/chat/room?name=a%20b&x");
  EXPECT_EQ(view(p.head->path), "/chat/room");
  EXPECT_EQ(view(p.head->query), "name=a%20b&x");
  EXPECT_EQ(p.head->major, 1);
  EXPECT_EQ(p.head->minor, 1);
  EXPECT_TRUE(p.head->keep_alive);
  EXPECT_FALSE(p.head->has_body);
  ASSERT_EQ(p.head->field_count, 7u);
  EXPECT_EQ(view(p.head->fields[0].name), "Host");
  EXPECT_EQ(view(weir__http_field(p.head.get(), "HOST")), "example.org:8080");
  EXPECT_EQ(view(weir__http_field(p.head.get(), "empty")), "");
  EXPECT_NE(weir__http_field(p.head.get(), "empty").data, nullptr);
  EXPECT_NE(weir__http_field(p.head.get(), "blank").data, nullptr);
  EXPECT_EQ(view(weir__http_field(p.head.get(), "x-Two")), "one");
  EXPECT_EQ(weir__http_field_count(p.head.get(), "X-TWO"), 2u);
  EXPECT_EQ(view(p.head->fields[4].value), "two");
  EXPECT_EQ(weir__http_field(p.head.get(), "x-tw").data, nullptr);
  EXPECT_EQ(weir__http_field_count(p.head.get(), "x-tw"), 0u);
}

TEST(HttpParse, HoldsAsManyFieldsAsThereIsRoomFor)
{
  std::string fields = "Host: a\r\n";
  for (int i = 1; i < WEIR__HTTP_FIELDS; i++)
    fields += "X" + std::to_string(i) + ": " + std::to_string(i) + "\r\n";
  parsed full(request(fields));
  ASSERT_EQ(full.status, 0) << full.reason;
  EXPECT_EQ(full.head->field_count, (size_t)WEIR__HTTP_FIELDS);
  EXPECT_EQ(view(weir__http_field(full.head.get(), "x127")), "127");
  EXPECT_EQ(parsed(request(fields + "Y: 1\r\n")).status, -431);
}

struct target_case {
  const char *target;
  const char *host;
  int status;
  const char *path;
  const char *query; // NULL: none
};

TEST(HttpParse, SplitsTheTarget)
{
  const target_case cases[] = {
      {"/", "a", 0, "/", nullptr},
      {"/?", "a", 0, "/", ""},
      {"/a/b/?c=d?e", "a", 0, "/a/b/", "c=d?e"},
      {"//a/b", "a", 0, "//a/b", nullptr},
      {"/a:b@c", "a", 0, "/a:b@c", nullptr},
      {"http://a/b?c", "a", 0, "/b", "c"},
      {"https://a/b", "a", 0, "/b", nullptr},
      {"ws://a:80/b", "a:80", 0, "/b", nullptr},
      {"wss://A.example/b", "a.EXAMPLE", 0, "/b", nullptr},
      {"WS://[::1]:80/", "[::1]:80", 0, "/", nullptr},
      {"http://a", "a", 0, "/", nullptr},
      {"http://a?b=/c", "a", 0, "/", "b=/c"},
      {"http://a/http://b/", "a", 0, "/http://b/", nullptr},
      {"http://a/b", "b", -400, "", nullptr},
      {"http://a:80/b", "a", -400, "", nullptr},
      {"http://u@a/b", "a", -400, "", nullptr},
      {"http:///b", "a", -400, "", nullptr},
      {"http://", "a", -400, "", nullptr},
      {"http:/a/b", "a", -400, "", nullptr},
      {"ftp://a/b", "a", -400, "", nullptr},
      {"httpx://a/b", "a", -400, "", nullptr},
      {"a", "a", -400, "", nullptr},
      {"a:80", "a", -400, "", nullptr},
      {"?a", "a", -400, "", nullptr},
      {"*", "a", -400, "", nullptr},
      {"*/a", "a", -400, "", nullptr},
      {"/a#b", "a", -400, "", nullptr},
      {"/a?b#", "a", -400, "", nullptr},
      {"http://a/#b", "a", -400, "", nullptr},
      {"#", "a", -400, "", nullptr},
  };
  for (const target_case &c : cases) {
    SCOPED_TRACE(c.target);
    parsed p(request("Host: "s + c.host + "\r\n", "GET "s + c.target + " HTTP/1.1"));
    EXPECT_EQ(p.status, c.status) << p.reason;
    if (p.status == 0) {
      EXPECT_EQ(view(p.head->target), c.target);
      EXPECT_EQ(view(p.head->path), c.path);
      EXPECT_EQ(p.head->query.data == nullptr, c.query == nullptr);
      EXPECT_EQ(view(p.head->query), c.query == nullptr ? "" : c.query);
    }
  }
}

TEST(HttpParse, JudgesTheRequestLine)
{
  const std::tuple<const char *, int> cases[] = {
      {"GET / HTTP/1.1", 0},
      {"GET / HTTP/1.0", 0},
      {"OPTIONS / HTTP/1.1", 0},
      {"PROPFIND / HTTP/1.1", 0},
      {"CONNECT / HTTP/1.1", -400},
      {"CONNECT a:80 HTTP/1.1", -400},
      {"OPTIONS * HTTP/1.1", -400},
      {"PRI * HTTP/1.1", -400},
      {"PRI * HTTP/2.0", -505},
      {"GET / HTTP/0.9", -505},
      {"GET / HTTP/1.2", -505},
      {"GET / HTTP/2.0", -505},
      {"GET / HTTP/3.0", -505},
      {"GET / RTSP/1.0", -505},
      {"DESCRIBE / RTSP/1.1", -505},
      {"SOURCE / ICE/1.0", -505},
      {"GET / http/1.1", -505},
      {"GET / HTTP/1.", -400},
      {"GET / HTTP/1", -400},
      {"GET / HTTP/11", -400},
      {"GET / HTTP/1.1.1", -400},
      {"GET / HTTP/1.1x", -400},
      {"GET / HTTP/x.1", -400},
      {"GET / HTTP/-.1", -400},
      {"GET / HTTP/1.-", -400},
      {"GET / HTTP/1.x", -400},
      {"GET / HTTP/1:1", -400},
      {"GET / HTTP//1.1", -400},
      {"GET / HTTP 1.1", -400},
      {"GET / HTTP", -400},
      {"GET http://a/ HTTP/1.0", 0},
      {"GET http://b/ HTTP/1.0", -400},
      {"GET / ", -400},
      {"GET /", -400},
      {"GET", -400},
      {"", -400},
      {"BREW / HTTP/1.1", -501},
      {"get / HTTP/1.1", -501},
      {"GETX / HTTP/1.1", -501},
      {"DESCRIBE / HTTP/1.1", -501},
      {"SOURCE / HTTP/1.1", -501},
  };
  for (const auto &[line, status] : cases) {
    SCOPED_TRACE(line);
    parsed p(request("Host: a\r\n", line));
    EXPECT_EQ(p.status, status) << p.reason;
  }
}

TEST(HttpParse, WantsOneHost)
{
  const std::tuple<std::string, int> cases[] = {
      {"Host: a\r\n", 0},
      {"Host: a.example:443\r\n", 0},
      {"Host: [2001:db8::1]:443\r\n", 0},
      {"", -400},
      {"Hos: a\r\n", -400},
      {"Host:\r\n", -400},
      {"Host: a\r\nHost: a\r\n", -400},
      {"Host: a\r\nhOST: b\r\n", -400},
      {"Host: a, b\r\n", -400},
      {"Host: a/b\r\n", -400},
      {"Host: a b\r\n", -400},
      {"Host: u@a\r\n", -400},
      {"Host: a:b\r\n", -400},
      {"Host: [::1\r\n", -400},
      {"Host: http://a\r\n", -400},
  };
  for (const auto &[fields, status] : cases) {
    SCOPED_TRACE(fields);
    parsed p(request(fields));
    EXPECT_EQ(p.status, status) << p.reason;
  }
  EXPECT_EQ(parsed(request("", "GET / HTTP/1.0")).status, 0);
  EXPECT_EQ(parsed(request("Host: a\r\nHost: a\r\n", "GET / HTTP/1.0")).status, -400);
  EXPECT_EQ(parsed(request("", "GET http:///a HTTP/1.0")).status, -400);
  EXPECT_EQ(parsed(request("", "GET http:// HTTP/1.0")).status, -400);
}

struct body_case {
  const char *fields;
  int status;
  bool has_body;
};

TEST(HttpParse, JudgesTheFramingOfTheBody)
{
  const body_case cases[] = {
      {"", 0, false},
      {"Content-Length: 0\r\n", 0, false},
      {"Content-Length: 00\r\n", 0, false},
      {"Content-Length: 5\r\n", 0, true},
      {"Content-Length:5  \r\n", 0, true},
      {"Content-Length: 18446744073709551615\r\n", 0, true},
      {"Transfer-Encoding: chunked\r\n", 0, true},
      {"Transfer-Encoding: CHUNKED \r\n", 0, true},
      {"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", -400, false},
      {"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", -400, false},
      {"Transfer-Encoding:\r\nContent-Length: 5\r\n", -400, false},
      {"Content-Length: 0\r\nTransfer-Encoding: chunked\r\n", -400, false},
      {"Content-Length: 5\r\nContent-Length: 5\r\n", -400, false},
      {"Content-Length: 5\r\nContent-Length: 6\r\n", -400, false},
      {"Content-Length: 0\r\nContent-Length: 0\r\n", -400, false},
      {"Content-Length: 5, 5\r\n", -400, false},
      {"Content-Length: 5,5\r\n", -400, false},
      {"Content-Length: +5\r\n", -400, false},
      {"Content-Length: -5\r\n", -400, false},
      {"Content-Length: 0x5\r\n", -400, false},
      {"Content-Length: 5a\r\n", -400, false},
      {"Content-Length: a\r\n", -400, false},
      {"Content-Length: 5 5\r\n", -400, false},
      {"Content-Length: 5;\r\n", -400, false},
      {"Content-Length:\r\n", -400, false},
      {"Content-Length: \t \r\n", -400, false},
      {"Content-Length: 18446744073709551616\r\n", -400, false},
      {"Content-Length: 99999999999999999999999999\r\n", -400, false},
      {"Transfer-Encoding:\r\n", -400, false},
      {"Transfer-Encoding: gzip\r\n", -400, false},
      {"Transfer-Encoding: identity\r\n", -400, false},
      {"Transfer-Encoding: gzip, chunked\r\n", -400, false},
      {"Transfer-Encoding: chunked, gzip\r\n", -400, false},
      {"Transfer-Encoding: chunked, chunked\r\n", -400, false},
      {"Transfer-Encoding: chunked;a=b\r\n", -400, false},
      {"Transfer-Encoding: xchunked\r\n", -400, false},
      {"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", -400, false},
      {"Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n", -400, false},
      {"Transfer-Encoding: \x0B"
       "chunked\r\n",
       -400, false},
  };
  for (const body_case &c : cases) {
    SCOPED_TRACE(c.fields);
    for (const char *line : {"GET / HTTP/1.1", "POST / HTTP/1.1"}) {
      for (const char *more : {"", "Upgrade: websocket\r\nConnection: Upgrade\r\n"}) {
        parsed p(request("Host: a\r\n"s + more + c.fields, line));
        EXPECT_EQ(p.status, c.status) << p.reason;
        EXPECT_TRUE(p.status != 0 || p.head->has_body == c.has_body);
      }
    }
  }
  parsed old(request("Transfer-Encoding: chunked\r\n", "POST / HTTP/1.0"));
  EXPECT_EQ(old.status, -400) << old.reason;
}

TEST(HttpParse, KnowsWhetherTheConnectionStays)
{
  const std::tuple<const char *, const char *, bool> cases[] = {
      {"GET / HTTP/1.1", "", true},
      {"GET / HTTP/1.1", "Connection: keep-alive\r\n", true},
      {"GET / HTTP/1.1", "Connection: close\r\n", false},
      {"GET / HTTP/1.1", "Connection: x,\t CLOSE\t, y\r\n", false},
      {"GET / HTTP/1.1", "Connection: x\r\nConnection: close\r\n", false},
      {"GET / HTTP/1.1", "Connection: closed\r\n", true},
      {"GET / HTTP/1.1", "Proxy-Connection: close\r\n", true},
      {"GET / HTTP/1.0", "", false},
      {"GET / HTTP/1.0", "Connection: Keep-Alive\r\n", true},
      {"GET / HTTP/1.0", "Connection: keep-alive, close\r\n", false},
  };
  for (const auto &[line, fields, stays] : cases) {
    SCOPED_TRACE(std::string(line) + " " + fields);
    parsed p(request("Host: a\r\n"s + fields, line));
    ASSERT_EQ(p.status, 0) << p.reason;
    EXPECT_EQ(p.head->keep_alive, stays);
  }
}

TEST(HttpParse, TellsHowTheBodyIsFramed)
{
  parsed counted(request("Host: a\r\nContent-Length: 1234567890123\r\n", "POST / HTTP/1.1"));
  EXPECT_FALSE(counted.head->chunked);
  EXPECT_EQ(counted.head->content_length, 1234567890123u);
  parsed chunked(request("Host: a\r\nTransfer-Encoding: Chunked\r\n", "POST / HTTP/1.1"));
  EXPECT_TRUE(chunked.head->chunked);
  parsed none(request("Host: a\r\n"));
  EXPECT_FALSE(none.head->chunked);
  EXPECT_EQ(none.head->content_length, 0u);
}

TEST(HttpExpect, IsToGoOnOrNothing)
{
  const std::tuple<const char *, const char *, int> cases[] = {
      {"POST / HTTP/1.1", "Content-Length: 1\r\n", 0},
      {"POST / HTTP/1.1", "Content-Length: 1\r\nExpect: 100-Continue\r\n", 1},
      {"POST / HTTP/1.1", "Expect: 100-continue\r\n", 0}, // there is no body to wait for
      {"POST / HTTP/1.0", "Content-Length: 1\r\nExpect: 100-continue\r\n", 0},
      {"POST / HTTP/1.0", "Expect: more\r\n", 0},
      {"GET / HTTP/1.1", "Expect: 100-continue, more\r\n", -417},
      {"GET / HTTP/1.1", "Expect:\r\n", -417},
      {"GET / HTTP/1.1", "Expect: 100-continue\r\nExpect: 100-continue\r\n", -417},
  };
  for (const auto &[line, fields, expected] : cases) {
    SCOPED_TRACE(std::string(line) + " " + fields);
    parsed p(request("Host: a\r\n"s + fields, line));
    ASSERT_EQ(p.status, 0) << p.reason;
    EXPECT_EQ(weir__http_expect(p.head.get(), &p.reason), expected);
  }
}

TEST(HttpParse, RefusesAHeadThatIsCut)
{
  const std::string head = request("Host: a\r\nX: b\r\n");
  for (size_t len = 1; len < head.size(); len++)
    EXPECT_EQ(parsed(head.substr(0, len)).status, -400) << len;
  EXPECT_EQ(parsed(head).status, 0);
}

TEST(HttpField, WalksLists)
{
  parsed p(request("Host: a\r\nL: one, two\r\nM: none\r\nl: ,\t,three , \r\nL:\r\nL: four\r\n"));
  ASSERT_EQ(p.status, 0) << p.reason;
  std::vector<std::string> elements;
  weir_slice element;
  weir__http_list list = weir__http_list_begin(p.head.get(), "L");
  while (weir__http_list_next(&list, &element))
    elements.emplace_back(view(element));
  EXPECT_EQ(elements, (std::vector<std::string>{"one", "two", "three", "four"}));
  EXPECT_FALSE(weir__http_list_next(&list, &element));
}

TEST(HttpField, FindsTokens)
{
  parsed p(request("Host: a\r\nL: one, Two, AZaz09@[`{\r\nL: three;q=1\r\nL:\r\n"));
  ASSERT_EQ(p.status, 0) << p.reason;
  EXPECT_TRUE(weir__http_has_token(p.head.get(), "l", "ONE"));
  EXPECT_TRUE(weir__http_has_token(p.head.get(), "L", "two"));
  EXPECT_TRUE(weir__http_has_token(p.head.get(), "L", "azAZ09@[`{"));
  EXPECT_FALSE(weir__http_has_token(p.head.get(), "L", "azAZ09`[`{"));
  EXPECT_FALSE(weir__http_has_token(p.head.get(), "L", "azAZ09@{`{"));
  EXPECT_FALSE(weir__http_has_token(p.head.get(), "L", "three"));
  EXPECT_FALSE(weir__http_has_token(p.head.get(), "L", "on"));
  EXPECT_FALSE(weir__http_has_token(p.head.get(), "L", ""));
  EXPECT_FALSE(weir__http_has_token(p.head.get(), "M", "one"));
}

TEST(HttpField, KnowsTokensAndValues)
{
  const std::string separators = "\"(),/:;<=>?@[\\]{} \t";
  for (int byte = 0; byte < 256; byte++) {
    const std::string text = "a"s + (char)byte;
    const bool visible = byte > 0x20 && byte < 0x7F;
    EXPECT_EQ(weir__http_is_token(slice(text)),
              visible && separators.find((char)byte) == std::string::npos)
        << byte;
    EXPECT_EQ(weir__http_is_value(slice(text)),
              visible || byte == ' ' || byte == '\t' || byte >= 0x80)
        << byte;
  }
  EXPECT_FALSE(weir__http_is_token(slice("")));
  EXPECT_TRUE(weir__http_is_value(slice("")));
}

TEST(HttpStatus, HasPhrases)
{
  EXPECT_STREQ(weir__http_phrase(101), "Switching Protocols");
  EXPECT_STREQ(weir__http_phrase(400), "Bad Request");
  EXPECT_STREQ(weir__http_phrase(426), "Upgrade Required");
  EXPECT_STREQ(weir__http_phrase(511), "Network Authentication Required");
  EXPECT_STREQ(weir__http_phrase(299), "Unknown");
  EXPECT_STREQ(weir__http_phrase(-400), "Unknown");
}

} // namespace
