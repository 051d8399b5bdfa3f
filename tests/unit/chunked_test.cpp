// The decoder of chunked bodies, whole, byte by byte and cut in two; and the lines that frame
// chunks.
#include "wire/chunked.h"

#include <gtest/gtest.h>

#include <cstring>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace
{

using namespace std::string_literals;

struct verdict {
  int status;
  size_t used; // of a whole body
  std::string body;
  std::string reason;
  bool operator==(const verdict &) const = default;
};

void PrintTo(const verdict &v, std::ostream *out)
{
  *out << v.status << " after " << v.used << " with " << v.body << ": " << v.reason;
}

bool at_start(const weir__chunked &state)
{
  return state.left == 0 && state.digits == 0 && state.state == 0;
}

// Feeds the decoder one piece, in a buffer of its own so that ASan sees a read beyond; returns its
// last verdict, with used counted on.
void feed(weir__chunked &state, std::string_view bytes, verdict &v)
{
  const std::vector<char> piece(bytes.begin(), bytes.end());
  size_t done = 0;
  while (done < piece.size() && v.status == 0) {
    size_t used = 0;
    weir_slice run = {};
    const char *reason = nullptr;
    v.status =
        weir__chunked_next(&state, piece.data() + done, piece.size() - done, &used, &run, &reason);
    ASSERT_LE(used, piece.size() - done);
    ASSERT_EQ(v.status < 0, reason != nullptr);
    done += used;
    if (run.len > 0) {
      ASSERT_EQ(v.status, 0);
      ASSERT_EQ(run.data + run.len, piece.data() + done);
      ASSERT_LE(run.len, used);
      v.body.append(run.data, run.len);
    } else if (v.status == 0) {
      ASSERT_EQ(done, piece.size());
    }
    if (v.status < 0)
      v.reason = reason;
  }
  v.used += done;
}

verdict decode(std::string_view bytes, const std::function<size_t()> &next_size)
{
  weir__chunked state = {};
  verdict v = {};
  size_t done = 0;
  while (done < bytes.size() && v.status == 0) {
    size_t size = std::min(next_size(), bytes.size() - done);
    feed(state, bytes.substr(done, size), v);
    done += size;
  }
  EXPECT_TRUE(v.status != 1 || at_start(state));
  if (v.status != 1)
    v.used = 0;
  return v;
}

// The verdict on the whole, having checked that byte by byte and cut in two anywhere it is the
// same.
verdict decode(std::string_view bytes)
{
  verdict whole = decode(bytes, [&] { return bytes.size(); });
  EXPECT_EQ(decode(bytes, [] { return 1; }), whole) << "byte by byte";
  for (size_t cut = 1; cut < bytes.size(); cut++) {
    bool first = true;
    auto size = [&] { return std::exchange(first, false) ? cut : bytes.size() - cut; };
    EXPECT_EQ(decode(bytes, size), whole) << "cut at " << cut;
  }
  return whole;
}

TEST(Chunked, DecodesBodies)
{
  const std::pair<std::string, std::string> cases[] = {
      {"0\r\n\r\n", ""},
      {"00000\r\n\r\n", ""},
      {"0000000000000000\r\n\r\n", ""},
      {"5\r\nhello\r\n0\r\n\r\n", "hello"},
      {"0000000000000005\r\nhello\r\n0\r\n\r\n", "hello"},
      {"5\r\nhello\r\n1\r\n,\r\n06\r\n world\r\n0\r\n\r\n", "hello, world"},
      {"a\r\n0123456789\r\nA\r\nabcdefghij\r\n0\r\n\r\n", "0123456789abcdefghij"},
      {"1F\r\n" + std::string(31, 'x') + "\r\n2e\r\n" + std::string(46, 'y') + "\r\n0\r\n\r\n",
       std::string(31, 'x') + std::string(46, 'y')},
      {"7\r\n\r\n0\r\n\r\n\r\n0\r\n\r\n", "\r\n0\r\n\r\n"},
      {"4\r\n\0\xFF\x7F\n\r\n0\r\n\r\n"s, "\0\xFF\x7F\n"s},
      {"0\r\nA: b\r\n\r\n", ""},
      {"1\r\nx\r\n0\r\nA:\r\nB: \t c d\t\xC3\xA9\"\\ \r\nContent-Length: 5\r\n\r\n", "x"},
  };
  for (const auto &[bytes, body] : cases) {
    SCOPED_TRACE(bytes);
    EXPECT_EQ(decode(bytes), (verdict{1, bytes.size(), body, ""}));
    EXPECT_EQ(decode(bytes + "0\r\n\r\n"), (verdict{1, bytes.size(), body, ""}));
    EXPECT_EQ(decode(bytes.substr(0, bytes.size() - 1)).status, 0);
  }
}

TEST(Chunked, PassesOverExtensions)
{
  const char *const extensions[] = {";a",
                                    ";a=b",
                                    ";a=\"\"",
                                    ";a=\"b\"",
                                    ";a;b=c;d",
                                    ";a=b;c=\"d\";e",
                                    " ;a",
                                    "\t \t;a",
                                    "; a",
                                    ";\t a",
                                    ";a =b",
                                    ";a= b",
                                    ";a \t=\t b",
                                    ";a=b ;c",
                                    ";a=b\t; c",
                                    ";a ;b",
                                    ";a=\"b\" ;c",
                                    ";a=\"b\";c",
                                    ";a= \"b\"",
                                    ";a=\"b \t,;=:/[]{}\xC3\xA9'\"",
                                    ";a=\"\\\"\"",
                                    ";a=\"\\\\\"",
                                    ";a=\"b\\\tc\\ d\\e\\\xFF\"",
                                    ";!#$%&'*+-.^_`|~09azAZ=~",
                                    ";a=\"5;\""};
  for (const char *extension : extensions) {
    SCOPED_TRACE(extension);
    const std::string bytes = "3"s + extension + "\r\nfoo\r\n0" + extension + "\r\nA: b\r\n\r\n";
    EXPECT_EQ(decode(bytes), (verdict{1, bytes.size(), "foo", ""}));
  }
}

// What stands between a size and its CRLF, and a part of the reason.
void expect_refused_extension(const std::string &extension, const char *reason)
{
  SCOPED_TRACE(extension);
  for (const std::string before : {"3", "0"}) {
    verdict v = decode(before + extension + "\r\nfoo\r\n0\r\n\r\n");
    EXPECT_EQ(v.status, -400);
    EXPECT_NE(v.reason.find(reason), std::string::npos) << v.reason;
    EXPECT_EQ(v.body, "");
  }
}

TEST(Chunked, RefusesMalformedExtensions)
{
  const std::string extensions[] = {" ",
                                    "\t",
                                    " a",
                                    " 3",
                                    " =b",
                                    ";",
                                    "; ",
                                    ";;",
                                    ";;a",
                                    ";=",
                                    ";=b",
                                    ";\"a\"",
                                    ";a ",
                                    ";a b",
                                    ";a,b",
                                    ";a:b",
                                    ";a/b",
                                    ";a=",
                                    ";a= ",
                                    ";a=;",
                                    ";a==b",
                                    ";a =",
                                    ";a=b ",
                                    ";a=b c",
                                    ";a=b=c",
                                    ";a=b,",
                                    ";a=b\"c\"",
                                    ";a=\"b\" ",
                                    ";a=\"b\"c",
                                    ";a=\"b\"\"c\"",
                                    ";a=\"b\"=c",
                                    ";a=\"b",
                                    ";a=\"b\\",
                                    ";a=\"b\\\"",
                                    ";a=\"\x7F\"",
                                    ";a=\"\x01\"",
                                    ";a=\"\0\""s,
                                    ";a=\"\\\x01\"",
                                    ";a=\"\\\0\""s,
                                    ";\0"s,
                                    ";a\0"s,
                                    ";a=b\0"s,
                                    ";a\x7F",
                                    ";a\xC3\xA9",
                                    ";a=\xC3\xA9",
                                    ";a=\"\r\n\"",
                                    ";a=\"\\\r\n\""};
  for (const std::string &extension : extensions)
    expect_refused_extension(extension, "extension");
}

TEST(Chunked, RefusesBareLineEndsInExtensions)
{
  const std::pair<std::string, const char *> cases[] = {
      {"\n", "line feed"},          {"\r3\r\n", "carriage return"}, {"\r\r\n", "carriage return"},
      {" \n", "line feed"},         {" ;\n", "line feed"},          {";a\n", "line feed"},
      {";a\rb", "carriage return"}, {";a \n", "line feed"},         {";a=\n", "line feed"},
      {";a=b\n", "line feed"},      {";a=b\rc", "carriage return"}, {";a=\"\n\"", "line feed"},
      {";a=\"\\\n\"", "line feed"}, {";a=\"\"\n", "line feed"},
  };
  for (const auto &[extension, reason] : cases)
    expect_refused_extension(extension, reason);
}

struct refused_case {
  std::string bytes;
  const char *reason; // a part of it
  std::string body = "";
};

void expect_refused(const std::vector<refused_case> &cases)
{
  for (const refused_case &c : cases) {
    SCOPED_TRACE(c.bytes);
    verdict v = decode(c.bytes);
    EXPECT_EQ(v.status, -400);
    EXPECT_NE(v.reason.find(c.reason), std::string::npos) << v.reason;
    EXPECT_EQ(v.body, c.body);
  }
}

TEST(Chunked, RefusesSizesThatAreNone)
{
  expect_refused({
      {"\r\n", "hexadecimal"},
      {"\n", "line feed"},
      {" 3\r\nfoo", "hexadecimal"},
      {"\t3\r\nfoo", "hexadecimal"},
      {";a\r\n", "hexadecimal"},
      {"g\r\n", "hexadecimal"},
      {"G\r\n", "hexadecimal"},
      {"@\r\n", "hexadecimal"},
      {"`\r\n", "hexadecimal"},
      {"/\r\n", "hexadecimal"},
      {":\r\n", "hexadecimal"},
      {"-1\r\n", "hexadecimal"},
      {"+1\r\n", "hexadecimal"},
      {"0x3\r\nfoo", "hexadecimal"},
      {"3h\r\nfoo", "hexadecimal"},
      {"3,\r\nfoo", "hexadecimal"},
      {"3.0\r\nfoo", "hexadecimal"},
      {"3_0\r\nfoo", "hexadecimal"},
      {"\0003\r\nfoo"s, "hexadecimal"},
      {"3\0\r\nfoo"s, "hexadecimal"},
      {"3\x0B\r\nfoo", "hexadecimal"},
      {"\xEF\xBC\x93\r\nfoo", "hexadecimal"},
      {"3\nfoo\r\n0\r\n\r\n", "line feed"},
      {"3\rfoo", "carriage return"},
  });
}

TEST(Chunked, RefusesSizesThatAreTooLarge)
{
  expect_refused({
      {"8000000000000000\r\n", "too large"},
      {"FFFFFFFFFFFFFFFF\r\n", "too large"},
      {"10000000000000000\r\n", "too large"},
      {"00000000000000003\r\nfoo", "too large"},
      {"00000000000000000\r\n\r\n", "too large"},
      {std::string(1000, '0'), "too large"},
      {"3\r\nfoo\r\nffffffffffffffff1", "too large", "foo"},
  });
  EXPECT_EQ(decode("7fffffffffffffff\r\nfoo"), (verdict{0, 0, "foo", ""}));
}

TEST(Chunked, RefusesDataThatDoNotFit)
{
  expect_refused({
      {"3\r\nfooo\r\n0\r\n\r\n", "does not end", "foo"},
      {"3\r\nfoo0\r\n\r\n", "does not end", "foo"},
      {"3\r\nfoo\n0\r\n\r\n", "does not end", "foo"},
      {"3\r\nfoo\r0\r\n\r\n", "carriage return", "foo"},
      {"3\r\nfoo\r\r\n0\r\n\r\n", "carriage return", "foo"},
      {"3\r\nfoo\r\n\r\n0\r\n\r\n", "hexadecimal", "foo"},
      {"3\r\nfo\r\n0\r\n\r\n", "does not end", "fo\r"},
      {"3\r\nfoo\r\n 0\r\n\r\n", "hexadecimal", "foo"},
      {"3\r\nfoo \r\n0\r\n\r\n", "does not end", "foo"},
  });
}

TEST(Chunked, RefusesMalformedTrailers)
{
  expect_refused({
      {"0\r\n\n", "line feed"},
      {"0\r\n\rA: b\r\n\r\n", "carriage return"},
      {"0\r\nA: b\n\r\n", "line feed"},
      {"0\r\nA: b\rB: c\r\n\r\n", "carriage return"},
      {"0\r\nA: b\r\n\n", "line feed"},
      {"0\r\nA: b\r\n\rx", "carriage return"},
      {"0\r\n A: b\r\n\r\n", "folded"},
      {"0\r\nA: b\r\n c\r\n\r\n", "folded"},
      {"0\r\nA: b\r\n\tc\r\n\r\n", "folded"},
      {"0\r\n: b\r\n\r\n", "no name"},
      {"0\r\nA : b\r\n\r\n", "before a trailer field's colon"},
      {"0\r\nA\t: b\r\n\r\n", "before a trailer field's colon"},
      {"0\r\nA\r\n\r\n", "name"},
      {"0\r\nA\n: b\r\n\r\n", "line feed"},
      {"0\r\nA\0: b\r\n\r\n"s, "name"},
      {"0\r\n\0A: b\r\n\r\n"s, "name"},
      {"0\r\nA(b): b\r\n\r\n", "name"},
      {"0\r\n\"A\": b\r\n\r\n", "name"},
      {"0\r\n\xC3\xA9: b\r\n\r\n", "name"},
      {"0\r\nA: \0\r\n\r\n"s, "value"},
      {"0\r\nA: \x7F\r\n\r\n", "value"},
      {"0\r\nA: \x1B[m\r\n\r\n", "value"},
      {"0\r\n3\r\nfoo\r\n", "name"},
  });
}

TEST(Chunked, LendsLongDataWithoutLooking)
{
  const std::string data(100000, '\n');
  const std::string bytes = "186a0\r\n" + data + "\r\n0\r\n\r\n";
  for (size_t size : {bytes.size(), (size_t)4096, (size_t)99999})
    EXPECT_EQ(decode(bytes, [=] { return size; }), (verdict{1, bytes.size(), data, ""}));
  weir__chunked state = {};
  size_t used;
  weir_slice piece;
  const char *reason;
  EXPECT_EQ(weir__chunked_next(&state, bytes.data(), bytes.size(), &used, &piece, &reason), 0);
  EXPECT_EQ(piece.data, bytes.data() + 7);
  EXPECT_EQ(piece.len, data.size());
  EXPECT_EQ(used, 7 + data.size());
}

TEST(Chunked, WritesTheLineInFrontOfAChunk)
{
  const std::pair<size_t, std::string> cases[] = {
      {0, "0\r\n"},
      {1, "1\r\n"},
      {0xF, "f\r\n"},
      {0x10, "10\r\n"},
      {0xABCDEF, "abcdef\r\n"},
      {0x1234567890, "1234567890\r\n"},
      {SIZE_MAX / 16, "fffffffffffffff\r\n"},
      {SIZE_MAX / 16 + 1, "1000000000000000\r\n"},
      {SIZE_MAX, "ffffffffffffffff\r\n"},
  };
  for (const auto &[len, line] : cases) {
    char out[WEIR__CHUNKED_HEADER_MAX + 1];
    memset(out, '?', sizeof out);
    size_t written = weir__chunked_header(out, len);
    ASSERT_LE(written, (size_t)WEIR__CHUNKED_HEADER_MAX);
    EXPECT_EQ(std::string(out, written), line);
    EXPECT_EQ(out[written], '?');
  }
}

TEST(Chunked, ReadsWhatItWrites)
{
  std::string bytes, body;
  for (size_t len = 1; len < 600; len += 37) {
    char line[WEIR__CHUNKED_HEADER_MAX];
    const std::string data(len, (char)len);
    bytes += std::string(line, weir__chunked_header(line, len)) + data + "\r\n";
    body += data;
  }
  bytes += "0\r\n\r\n";
  EXPECT_EQ(decode(bytes, [] { return 61; }), (verdict{1, bytes.size(), body, ""}));
}

} // namespace
