// The guard and the parser of request heads: ATTACKS rows 5 to 11 and what every request may do.
#include "wire/http.h"

#include <gtest/gtest.h>

#include <functional>
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

constexpr weir__http_limits LIMITS = {512, 8, 64};

struct verdict {
  int status;
  size_t used; // of a whole head
  std::string reason;
  bool operator==(const verdict &) const = default;
};

void PrintTo(const verdict &v, std::ostream *out)
{
  *out << v.status << " after " << v.used << ": " << v.reason;
}

// Feeds the guard pieces whose lengths next_size gives, each in a buffer of its own so that ASan
// sees a read beyond.
verdict guard(std::string_view bytes, const weir__http_limits &limits,
              const std::function<size_t()> &next_size)
{
  struct weir__http_guard state = {};
  size_t done = 0;
  while (done < bytes.size()) {
    std::vector<char> piece(bytes.begin() + done,
                            bytes.begin() + done + std::min(next_size(), bytes.size() - done));
    size_t used = 0;
    const char *reason = nullptr;
    int status = weir__http_guard(&state, &limits, piece.data(), piece.size(), &used, &reason);
    EXPECT_LE(used, piece.size());
    if (status < 0)
      return {status, 0, reason != nullptr ? reason : "no reason"};
    done += used;
    if (status == 1)
      return {1, done, ""};
    EXPECT_EQ(used, piece.size());
  }
  return {0, 0, ""};
}

verdict guard(std::string_view bytes, const weir__http_limits &limits = LIMITS)
{
  return guard(bytes, limits, [&] { return bytes.size(); });
}

// The verdict on the whole, having checked that byte by byte and cut in two anywhere it is the
// same.
verdict guard_split(std::string_view bytes, const weir__http_limits &limits = LIMITS)
{
  verdict whole = guard(bytes, limits);
  EXPECT_EQ(guard(bytes, limits, [] { return 1; }), whole) << "byte by byte";
  for (size_t cut = 1; cut < bytes.size(); cut++) {
    bool first = true;
    auto size = [&] { return std::exchange(first, false) ? cut : bytes.size() - cut; };
    EXPECT_EQ(guard(bytes, limits, size), whole) << "cut at " << cut;
  }
  return whole;
}

std::string request(const std::string &fields, const std::string &line = "GET / HTTP/1.1")
{
  return line + "\r\n" + fields + "\r\n";
}

struct guard_case {
  const char *name;
  std::string bytes;
  int status;
};

TEST(HttpGuard, FindsTheEndOfTheHead)
{
  for (const std::string &head :
       {request("Host: a\r\n"), request(""), "\r\n" + request("Host: a\r\n"),
        "\r\n\r\n" + request("Host: a\r\n"),
        request("Host: a\r\nX:\r\nY: \r\nZ:\t b\tc \xC3\xA4\xFF\t \r\n"),
        request("!#$%&'*+-.^_`|~09azAZ: \"(),/:;<=>?@[\\]{} \r\n"),
        request("Host: a\r\n", "M-SEARCH /~!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|} HTTP/1.1"),
        request("Host: a\r\n", "GET /0123456789abcdef0123456789abcdef HTTP/1.1"),
        request("Host: a\r\nCookie: 0123456789abcdef\t0123456789abcdef0123456789abcdef\r\n")}) {
    SCOPED_TRACE(head);
    EXPECT_EQ(guard_split(head), (verdict{1, head.size(), ""}));
    EXPECT_EQ(guard_split(head + "\x81\x80 what comes behind, \r\n\r\n too"),
              (verdict{1, head.size(), ""}));
    EXPECT_EQ(guard_split(head.substr(0, head.size() - 1)).status, 0);
  }
}

TEST(HttpGuard, Refuses)
{
  const std::string long_value(40, 'v');
  const guard_case cases[] = {
      {"bare LF behind the request line", "GET / HTTP/1.1\nHost: a\r\n\r\n", -400},
      {"bare LF behind a field", request("Host: a\nX: b\r\n"), -400},
      {"bare LF behind a long value", request("X: " + long_value + "\nY: b\r\n"), -400},
      {"bare LF in front", "\n" + request("Host: a\r\n"), -400},
      {"bare LF at the end", "GET / HTTP/1.1\r\nHost: a\r\n\n", -400},
      {"bare CR behind the request line", "GET / HTTP/1.1\rHost: a\r\n\r\n", -400},
      {"bare CR within a value", request("X: a\rb\r\n"), -400},
      {"bare CR within a long value", request("X: " + long_value + "\r" + long_value + "\r\n"),
       -400},
      {"bare CR in front of the end", request("X: a\r\r\n"), -400},
      {"bare CR in front", "\r" + request("Host: a\r\n"), -400},
      {"bare CR at the end", "GET / HTTP/1.1\r\nHost: a\r\n\rX", -400},
      {"NUL in a value", request("X: a\0b\r\n"s), -400},
      {"NUL in a long value", request("X: " + long_value + "\0\r\n"s), -400},
      {"NUL in a name", request("X\0: a\r\n"s), -400},
      {"NUL in the target", "GET /\0 HTTP/1.1\r\n\r\n"s, -400},
      {"NUL in the method", "G\0T / HTTP/1.1\r\n\r\n"s, -400},
      {"NUL in the version", "GET / HTTP/1\0 1\r\n\r\n"s, -400},
      {"a control in a value", request("X: a\x01\r\n"), -400},
      {"a control in a long value", request("X: 0123456\x1F" + long_value + "\r\n"), -400},
      {"DEL in a value", request("X: a\x7F\r\n"), -400},
      {"DEL in a long value", request("X: 0123456789\x7F" + long_value + "\r\n"), -400},
      {"DEL in the target", request("", "GET /0123456\x7F HTTP/1.1"), -400},
      {"a tab in the target", request("", "GET /a\tb HTTP/1.1"), -400},
      {"UTF-8 in the target", request("", "GET /01234567\xC3\xA4 HTTP/1.1"), -400},
      {"obs-fold with a space", request("X: a\r\n b\r\n"), -400},
      {"obs-fold with a tab", request("X: a\r\n\tb\r\n"), -400},
      {"obs-fold of an empty value", request("Content-Length:\r\n 5\r\n"), -400},
      {"a blank in front of the first field", request(" Host: a\r\n"), -400},
      {"a blank line that is not empty", request("Host: a\r\n \r\n"), -400},
      {"an empty name", request(": a\r\n"), -400},
      {"a space before the colon", request("Host : a\r\n"), -400},
      {"a tab before the colon", request("Host\t: a\r\n"), -400},
      {"a space within a name", request("Ho st: a\r\n"), -400},
      {"a name alone", request("Host\r\n"), -400},
      {"a separator in a name", request("Ho(st: a\r\n"), -400},
      {"a separator in front of a name", request("@Host: a\r\n"), -400},
      {"UTF-8 in a name", request("H\xC3\xB6st: a\r\n"), -400},
      {"three leading CRLFs", "\r\n\r\n\r\n" + request("Host: a\r\n"), -400},
      {"a leading space", " GET / HTTP/1.1\r\n\r\n", -400},
      {"a method that is no token", "GE(T / HTTP/1.1\r\n\r\n", -400},
      {"a method alone", "GET\r\n\r\n", -400},
      {"two spaces before the target", request("", "GET  / HTTP/1.1"), -400},
      {"two spaces before the version", request("", "GET /  HTTP/1.1"), -400},
      {"a tab before the target", request("", "GET\t/ HTTP/1.1"), -400},
      {"a space behind the version", request("", "GET / HTTP/1.1 "), -400},
      {"a space within the target", request("", "GET /a b HTTP/1.1"), -400},
      {"no target", "GET \r\n\r\n", -400},
      {"HTTP/0.9", "GET /\r\n", -505},
      {"a TLS ClientHello", "\x16\x03\x01\x02", -400},
  };
  for (const guard_case &c : cases) {
    SCOPED_TRACE(c.name);
    verdict v = guard_split(c.bytes);
    EXPECT_EQ(v.status, c.status) << v.reason;
    EXPECT_GT(v.reason.size(), 10u);
  }
}

TEST(HttpGuard, RefusesEveryControlInEveryPlace)
{
  for (int byte = 0; byte < 256; byte++) {
    const std::string b(1, (char)byte);
    const bool control = byte < 0x20 || byte == 0x7F;
    for (int pad = 0; pad < 18; pad++) {
      const std::string in(pad, 'x'), out(9, 'x');
      SCOPED_TRACE(std::to_string(byte) + " behind " + std::to_string(pad));
      int value = guard(request("X: " + in + b + out + "\r\n")).status;
      EXPECT_EQ(value, control && byte != '\t' ? -400 : 1);
      int target = guard(request("", "GET /" + in + b + out + " HTTP/1.1")).status;
      if (byte == '\r')
        EXPECT_EQ(target, -505);
      else
        EXPECT_EQ(target, byte <= 0x20 || byte >= 0x7F ? -400 : 1);
    }
  }
}

TEST(HttpGuard, JudgesAtTheOffendingByte)
{
  const std::string begins[] = {"\n",
                                "\r\n\r\n\r",
                                "GET\r",
                                "GET  ",
                                "GET /\x01",
                                "GET /\r",
                                "GET / HTTP/1.1\n",
                                "(",
                                "GET / X\r\r",
                                "GET / X\r\n ",
                                "GET / X\r\n:",
                                "GET / X\r\nA ",
                                "GET / X\r\nA:\n"};
  for (const std::string &begin : begins) {
    SCOPED_TRACE(testing::PrintToString(begin));
    EXPECT_EQ(guard(begin.substr(0, begin.size() - 1)).status, 0);
    EXPECT_LT(guard(begin).status, 0);
  }
}

TEST(HttpGuard, CountsTheTarget)
{
  for (size_t max : {1u, 7u, 8u, 9u, 64u}) {
    weir__http_limits limits = {512, 8, max};
    const std::string fits = "/" + std::string(max - 1, 'a');
    EXPECT_EQ(guard_split(request("Host: a\r\n", "GET " + fits + " HTTP/1.1"), limits).status, 1);
    EXPECT_EQ(guard_split("GET " + fits + "a", limits).status, -414);
    EXPECT_EQ(guard_split("GET " + fits + std::string(30, 'a') + "\x01", limits).status, -414);
    EXPECT_EQ(guard_split("GET " + fits, limits).status, 0);
  }
}

TEST(HttpGuard, CountsFields)
{
  const std::string line = "GET / HTTP/1.1\r\n";
  std::string fields;
  for (int i = 0; i < 8; i++)
    fields += "X: " + std::to_string(i) + "\r\n";
  EXPECT_EQ(guard_split(line + fields + "\r\n").status, 1);
  EXPECT_EQ(guard_split(line + fields).status, 0);
  EXPECT_EQ(guard_split(line + fields + "Y").status, -431);
}

TEST(HttpGuard, CountsRawBytes)
{
  const std::string head = "\r\n\r\n" + request("Host: a\r\nX: b\r\n");
  EXPECT_EQ(guard_split(head, {head.size(), 8, 64}).status, 1);
  EXPECT_EQ(guard_split(head, {head.size() - 1, 8, 64}).status, -431);
  for (size_t max = 1; max < head.size(); max++) {
    SCOPED_TRACE(max);
    EXPECT_EQ(guard_split(head, {max, 8, 64}).status, -431);
    EXPECT_EQ(guard(head.substr(0, max), {max, 8, 64}).status, -431);
    EXPECT_EQ(guard(head.substr(0, max - 1), {max, 8, 64}).status, 0);
  }
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
      {"GET / HTTP 1.1", -400},
      {"GET / HTTP", -400},
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
      {"GET / HTTP/1.0", "Connection: keep-alive\r\n", false},
  };
  for (const auto &[line, fields, stays] : cases) {
    SCOPED_TRACE(std::string(line) + " " + fields);
    parsed p(request("Host: a\r\n"s + fields, line));
    ASSERT_EQ(p.status, 0) << p.reason;
    EXPECT_EQ(p.head->keep_alive, stays);
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
  parsed p(request("Host: a\r\nL: one, Two\r\nL: three;q=1\r\nL:\r\n"));
  ASSERT_EQ(p.status, 0) << p.reason;
  EXPECT_TRUE(weir__http_has_token(p.head.get(), "l", "ONE"));
  EXPECT_TRUE(weir__http_has_token(p.head.get(), "L", "two"));
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
