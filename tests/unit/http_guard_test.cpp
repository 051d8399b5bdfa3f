// The guard in front of llhttp: ATTACKS rows 5, 8, 9, 10 and 24, whole, byte by byte and cut in
// two.
#include "wire/http.h"

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace
{

using namespace std::string_literals;

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

struct refused_case {
  const char *name;
  std::string bytes;
  const char *reason; // a part of it
  int status = -400;
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
  const refused_case cases[] = {
      {"bare LF behind the request line", "GET / HTTP/1.1\nHost: a\r\n\r\n",
       "line feed stands without"},
      {"bare LF behind a field", request("Host: a\nX: b\r\n"), "line feed stands without"},
      {"bare LF behind a long value", request("X: " + long_value + "\nY: b\r\n"),
       "line feed stands without"},
      {"bare LF in front", "\n" + request("Host: a\r\n"), "begin with a method"},
      {"bare LF at the end", "GET / HTTP/1.1\r\nHost: a\r\n\n", "line feed stands without"},
      {"bare CR behind the request line", "GET / HTTP/1.1\rHost: a\r\n\r\n",
       "carriage return stands without"},
      {"bare CR within a value", request("X: a\rb\r\n"), "carriage return stands without"},
      {"bare CR within a long value", request("X: " + long_value + "\r" + long_value + "\r\n"),
       "carriage return stands without"},
      {"bare CR in front of the end", request("X: a\r\r\n"), "carriage return stands without"},
      {"bare CR in front", "\r" + request("Host: a\r\n"), "carriage return stands without"},
      {"bare CR at the end", "GET / HTTP/1.1\r\nHost: a\r\n\rX", "carriage return stands without"},
      {"NUL in a value", request("X: a\0b\r\n"s), "field's value holds"},
      {"NUL in a long value", request("X: " + long_value + "\0\r\n"s), "field's value holds"},
      {"NUL in a name", request("X\0: a\r\n"s), "field's name holds"},
      {"NUL in the target", "GET /\0 HTTP/1.1\r\n\r\n"s, "request target holds"},
      {"NUL in the method", "G\0T / HTTP/1.1\r\n\r\n"s, "by a single space"},
      {"NUL in the version", "GET / HTTP/1\0 1\r\n\r\n"s, "end with its version"},
      {"a control in a value", request("X: a\x01\r\n"), "field's value holds"},
      {"a control in a long value", request("X: 0123456\x1F" + long_value + "\r\n"),
       "field's value holds"},
      {"DEL in a value", request("X: a\x7F\r\n"), "field's value holds"},
      {"DEL in a long value", request("X: 0123456789\x7F" + long_value + "\r\n"),
       "field's value holds"},
      {"DEL in the target", request("", "GET /0123456\x7F HTTP/1.1"), "request target holds"},
      {"a tab in the target", request("", "GET /a\tb HTTP/1.1"), "request target holds"},
      {"UTF-8 in the target", request("", "GET /01234567\xC3\xA4 HTTP/1.1"),
       "request target holds"},
      {"obs-fold with a space", request("X: a\r\n b\r\n"), "folded"},
      {"obs-fold with a tab", request("X: a\r\n\tb\r\n"), "folded"},
      {"obs-fold of an empty value", request("Content-Length:\r\n 5\r\n"), "folded"},
      {"a blank in front of the first field", request(" Host: a\r\n"), "folded"},
      {"a blank line that is not empty", request("Host: a\r\n \r\n"), "folded"},
      {"an empty name", request(": a\r\n"), "no name"},
      {"a space before the colon", request("Host : a\r\n"), "before a header field's colon"},
      {"a tab before the colon", request("Host\t: a\r\n"), "before a header field's colon"},
      {"a space within a name", request("Ho st: a\r\n"), "before a header field's colon"},
      {"a name alone", request("Host\r\n"), "field's name holds"},
      {"a separator in a name", request("Ho(st: a\r\n"), "field's name holds"},
      {"a separator behind a name", request("Host@: a\r\n"), "field's name holds"},
      {"a separator in front of a name", request("@Host: a\r\n"), "field's name holds"},
      {"UTF-8 in a name", request("H\xC3\xB6st: a\r\n"), "field's name holds"},
      {"three leading CRLFs", "\r\n\r\n\r\n" + request("Host: a\r\n"), "empty lines"},
      {"a leading space", " GET / HTTP/1.1\r\n\r\n", "begin with a method"},
      {"a method that is no token", "GE(T / HTTP/1.1\r\n\r\n", "by a single space"},
      {"a method alone", "GET\r\n\r\n", "by a single space"},
      {"two spaces before the target", request("", "GET  / HTTP/1.1"), "target is missing"},
      {"two spaces before the version", request("", "GET /  HTTP/1.1"), "end with its version"},
      {"a tab before the target", request("", "GET\t/ HTTP/1.1"), "by a single space"},
      {"a space behind the version", request("", "GET / HTTP/1.1 "), "end with its version"},
      {"a space within the target", request("", "GET /a b HTTP/1.1"), "end with its version"},
      {"no target", "GET \r\n\r\n", "target is missing"},
      {"HTTP/0.9", "GET /\r\n", "HTTP/0.9", -505},
      {"a TLS ClientHello", "\x16\x03\x01\x02", "begin with a method"},
  };
  for (const refused_case &c : cases) {
    SCOPED_TRACE(c.name);
    verdict v = guard_split(c.bytes);
    EXPECT_EQ(v.status, c.status) << v.reason;
    EXPECT_NE(v.reason.find(c.reason), std::string::npos) << v.reason;
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

} // namespace
