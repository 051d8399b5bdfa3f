// Conditional requests and ranges.
#include "wire/http_range.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

namespace
{

using namespace std::string_literals;

constexpr int64_t MTIME = 784111777; // Sun, 06 Nov 1994 08:49:37 GMT
constexpr int64_t NOW = 1790000000;
constexpr uint64_t SIZE = 1000;
const std::string BEFORE = "Sun, 06 Nov 1994 08:49:36 GMT";
const std::string SAME = "Sun, 06 Nov 1994 08:49:37 GMT";
const std::string AFTER = "Sun, 06 Nov 1994 08:49:38 GMT";

// A parsed head, and the bytes that it lies in, in a buffer of exactly their size.
struct request {
  std::vector<char> bytes;
  std::unique_ptr<weir__http_head> head = std::make_unique<weir__http_head>();

  explicit request(const std::string &fields, const std::string &method = "GET")
  {
    const std::string text = method + " / HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n";
    bytes.assign(text.begin(), text.end());
    const char *reason = "";
    EXPECT_EQ(weir__http_parse(head.get(), bytes.data(), bytes.size(), &reason), 0) << reason;
  }
};

struct answer {
  int status;
  uint64_t first = 0, last = 0;
  bool operator==(const answer &) const = default;
};

void PrintTo(const answer &a, std::ostream *out)
{
  *out << a.status << " " << a.first << "-" << a.last;
}

weir__http_selected selected(std::string_view etag, uint64_t size = SIZE)
{
  return {{etag.empty() ? nullptr : etag.data(), etag.size()}, MTIME, size};
}

answer judge(const std::string &fields, const weir__http_selected &of = selected("\"a\""),
             int64_t now = NOW, const std::string &method = "GET")
{
  request r(fields, method);
  weir__http_part part = {1, 1};
  answer a = {weir__http_range_judge(r.head.get(), &of, now, &part)};
  if (a.status == 206)
    return {a.status, part.first, part.last};
  EXPECT_TRUE(part.first == 1 && part.last == 1);
  return a;
}

bool listed(const std::string &fields, const std::string &etag, bool strong)
{
  request r(fields);
  const std::vector<char> bytes(etag.begin(), etag.end());
  return weir__http_etag_listed(r.head.get(), "L", {bytes.data(), bytes.size()}, strong);
}

struct list_case {
  const char *fields, *etag;
  bool weak, strong; // whether it is held, by that comparison
};

TEST(HttpEtag, IsFoundInLists)
{
  const list_case cases[] = {
      {"L: \"a\"\r\n", "\"a\"", true, true},
      {"L: \"a\"\r\n", "\"b\"", false, false},
      {"L: \"a\"\r\n", "\"A\"", false, false},
      {"L: \"a\"\r\n", "W/\"a\"", true, false},
      {"L: W/\"a\"\r\n", "\"a\"", true, false},
      {"L: W/\"a\"\r\n", "W/\"a\"", true, false},
      {"L: W/\"a\"\r\n", "W/\"b\"", false, false},
      {"L: W/\"a\", \"a\"\r\n", "\"a\"", true, true},
      {"L: \"\"\r\n", "\"\"", true, true},
      {"L: \"ab\"\r\n", "\"a\"", false, false},
      {"L: \"a\"\r\n", "\"ab\"", false, false},
      {"L: \"x\",\"a\" ,\t\"y\"\r\n", "\"a\"", true, true},
      {"L: ,, \"x\",,\"a\",\r\n", "\"a\"", true, true},
      {"L: \"x\"\r\nM: \"a\"\r\nl: \"y\"\r\n", "\"a\"", false, false},
      {"L: \"x\"\r\nM: \"z\"\r\nl: \"a\"\r\n", "\"a\"", true, true},
      {"L: \"x\"\r\nL:\r\nL: \"a\"\r\n", "\"a\"", true, true},
      {"L: \"a,b\"\r\n", "\"a,b\"", true, true},
      {"L: \"x,\", \"a,b\"\r\n", "\"a,b\"", true, true},
      {"L: \"x,a\"\r\n", "\"a\"", false, false},
      {"L: \"x\\\", \"a\"\r\n", "\"a\"", true, true},
      {"L: \"!#'W/\\~\xC3\xA9\"\r\n", "\"!#'W/\\~\xC3\xA9\"", true, true},
      {"L: *\r\n", "\"a\"", true, true},
      {"L: *\r\n", "W/\"a\"", true, true},
      {"L: *\r\n", "", true, true},
      {"L: \"a\"\r\n", "", false, false},
      {"L:\r\n", "\"a\"", false, false},
      {"M: \"a\"\r\n", "\"a\"", false, false},
      {"L: \"*\"\r\n", "\"a\"", false, false},
  };
  for (const list_case &c : cases) {
    SCOPED_TRACE(c.fields + " and "s + c.etag);
    EXPECT_EQ(listed(c.fields, c.etag, false), c.weak);
    EXPECT_EQ(listed(c.fields, c.etag, true), c.strong);
  }
}

TEST(HttpEtag, IsInNoMalformedList)
{
  for (const char *fields : {"L: a\r\n",
                             "L: 'a'\r\n",
                             "L: \"a\r\n",
                             "L: a\"\r\n",
                             "L: w/\"a\"\r\n",
                             "L: W\"a\"\r\n",
                             "L: W/a\r\n",
                             "L: W/\r\n",
                             "L: W/ \"a\"\r\n",
                             "L: \"a\" \"b\"\r\n",
                             "L: \"a\"\"b\"\r\n",
                             "L: \"a\"; \"b\"\r\n",
                             "L: \"a\", b\r\n",
                             "L: \"a\", \"\r\n",
                             "L: \"a\", \"b c\"\r\n",
                             "L: \"a\", \"b\tc\"\r\n",
                             "L: \"a\", *\r\n",
                             "L: *, \"a\"\r\n",
                             "L: *, *\r\n",
                             "L: **\r\n",
                             "L: *\r\nL: \"a\"\r\n",
                             "L: \"a\"\r\nL: *\r\n",
                             "L: \"a\"\r\nL: b\r\n",
                             "L: \"a\", W/\r\n",
                             "L: \"a\"x\r\n"}) {
    EXPECT_FALSE(listed(fields, "\"a\"", false)) << fields;
    EXPECT_FALSE(listed(fields, "\"a\"", true)) << fields;
  }
}

struct condition_case {
  std::string fields;
  int status;
};

TEST(HttpCondition, JudgesEachField)
{
  const condition_case cases[] = {
      {"", 200},
      {"If-Match: \"a\"\r\n", 200},
      {"If-Match: *\r\n", 200},
      {"If-Match: \"b\"\r\n", 412},
      {"If-Match: W/\"a\"\r\n", 412},
      {"If-Match: a\r\n", 412},
      {"If-Match:\r\n", 412},
      {"If-Match: \"b\"\r\nIf-Match: \"a\"\r\n", 200},
      {"If-None-Match: \"a\"\r\n", 304},
      {"If-None-Match: W/\"a\"\r\n", 304},
      {"If-None-Match: *\r\n", 304},
      {"If-None-Match: \"b\"\r\n", 200},
      {"If-None-Match: \"b\"\r\nIf-None-Match: \"a\"\r\n", 304},
      {"If-None-Match: a\r\n", 200},
      {"If-Unmodified-Since: " + BEFORE + "\r\n", 412},
      {"If-Unmodified-Since: " + SAME + "\r\n", 200},
      {"If-Unmodified-Since: " + AFTER + "\r\n", 200},
      {"If-Unmodified-Since: 0\r\n", 200},
      {"If-Unmodified-Since: " + BEFORE + "\r\nIf-Unmodified-Since: " + BEFORE + "\r\n", 200},
      {"If-Modified-Since: " + BEFORE + "\r\n", 200},
      {"If-Modified-Since: " + SAME + "\r\n", 304},
      {"If-Modified-Since: " + AFTER + "\r\n", 304},
      {"If-Modified-Since: Sunday, 06-Nov-94 08:49:37 GMT\r\n", 304},
      {"If-Modified-Since: Sun Nov  6 08:49:37 1994\r\n", 304},
      {"If-Modified-Since: Sun Nov  6 08:49:36 1994\r\n", 200},
      {"If-Modified-Since: tomorrow\r\n", 200},
      {"If-Modified-Since:\r\n", 200},
      {"If-Modified-Since: " + AFTER + "\r\nIf-Modified-Since: " + AFTER + "\r\n", 200},
  };
  for (const condition_case &c : cases) {
    SCOPED_TRACE(c.fields);
    EXPECT_EQ(judge(c.fields), answer{c.status});
    EXPECT_EQ(judge(c.fields, selected("\"a\""), NOW, "HEAD"), answer{c.status});
  }
}

TEST(HttpCondition, KeepsTheOrderOfTheRfc)
{
  const condition_case cases[] = {
      {"If-Match: \"a\"\r\nIf-Unmodified-Since: " + BEFORE + "\r\n", 200},
      {"If-Match: \"b\"\r\nIf-Unmodified-Since: " + AFTER + "\r\n", 412},
      {"If-Match: \"b\"\r\nIf-None-Match: \"a\"\r\n", 412},
      {"If-Match: \"a\"\r\nIf-None-Match: \"a\"\r\n", 304},
      {"If-Unmodified-Since: " + BEFORE + "\r\nIf-None-Match: \"a\"\r\n", 412},
      {"If-Unmodified-Since: " + SAME + "\r\nIf-Modified-Since: " + SAME + "\r\n", 304},
      {"If-None-Match: \"b\"\r\nIf-Modified-Since: " + AFTER + "\r\n", 200},
      {"If-None-Match: b\r\nIf-Modified-Since: " + AFTER + "\r\n", 200},
      {"If-None-Match: \"a\"\r\nIf-Modified-Since: " + BEFORE + "\r\n", 304},
      {"If-None-Match: \"a\"\r\nRange: bytes=0-1\r\n", 304},
      {"If-Match: \"b\"\r\nRange: bytes=5000-\r\n", 412},
      {"If-Modified-Since: " + SAME + "\r\nRange: bytes=5000-\r\n", 304},
      {"If-Modified-Since: " + BEFORE + "\r\nRange: bytes=5000-\r\n", 416},
  };
  for (const condition_case &c : cases)
    EXPECT_EQ(judge(c.fields), answer{c.status}) << c.fields;
}

TEST(HttpCondition, KnowsRepresentationsWithoutATagOrWithAWeakOne)
{
  const std::string since = "If-Modified-Since: " + SAME + "\r\n";
  EXPECT_EQ(judge("If-Match: *\r\n", selected("")), answer{200});
  EXPECT_EQ(judge("If-Match: \"a\"\r\n", selected("")), answer{412});
  EXPECT_EQ(judge("If-None-Match: *\r\n", selected("")), answer{304});
  EXPECT_EQ(judge("If-None-Match: \"a\"\r\n" + since, selected("")), answer{200});
  EXPECT_EQ(judge(since, selected("")), answer{304});
  EXPECT_EQ(judge("If-Match: W/\"a\"\r\n", selected("W/\"a\"")), answer{412});
  EXPECT_EQ(judge("If-None-Match: \"a\"\r\n", selected("W/\"a\"")), answer{304});
}

TEST(HttpCondition, SendsAPartOnlyOfWhatTheClientHas)
{
  const std::string range = "Range: bytes=10-19\r\nIf-Range: ";
  const answer part = {206, 10, 19};
  EXPECT_EQ(judge(range + "\"a\"\r\n"), part);
  EXPECT_EQ(judge(range + "\"b\"\r\n"), answer{200});
  EXPECT_EQ(judge(range + "W/\"a\"\r\n"), answer{200});
  EXPECT_EQ(judge(range + "W/\"a\"\r\n", selected("W/\"a\"")), answer{200});
  EXPECT_EQ(judge(range + "\"a\"\r\n", selected("W/\"a\"")), answer{200});
  EXPECT_EQ(judge(range + "\"a\"\r\n", selected("")), answer{200});
  EXPECT_EQ(judge(range + "\"a\", \"a\"\r\n"), answer{200});
  EXPECT_EQ(judge(range + "\"a\"\r\nIf-Range: \"a\"\r\n"), answer{200});
  EXPECT_EQ(judge(range + "*\r\n"), answer{200});
  EXPECT_EQ(judge(range + "\r\n"), answer{200});
  EXPECT_EQ(judge(range + SAME + "\r\n"), part);
  EXPECT_EQ(judge(range + SAME + "\r\n", selected("")), part);
  EXPECT_EQ(judge(range + SAME + "\r\n", selected("\"a\""), MTIME + 1), part);
  EXPECT_EQ(judge(range + SAME + "\r\n", selected("\"a\""), MTIME), answer{200});
  EXPECT_EQ(judge(range + BEFORE + "\r\n"), answer{200});
  EXPECT_EQ(judge(range + AFTER + "\r\n"), answer{200});
  EXPECT_EQ(judge(range + SAME + "\r\nIf-Range: " + SAME + "\r\n"), answer{200});
  EXPECT_EQ(judge("Range: bytes=5000-\r\nIf-Range: \"a\"\r\n"), answer{416});
  EXPECT_EQ(judge("Range: bytes=5000-\r\nIf-Range: \"b\"\r\n"), answer{200});
  EXPECT_EQ(judge("If-Range: \"b\"\r\n"), answer{200});
}

TEST(HttpRange, CutsOnePart)
{
  const std::pair<const char *, answer> cases[] = {
      {"bytes=0-0", {206, 0, 0}},
      {"bytes=0-999", {206, 0, 999}},
      {"bytes=0-", {206, 0, 999}},
      {"bytes=10-19", {206, 10, 19}},
      {"bytes=999-999", {206, 999, 999}},
      {"bytes=999-", {206, 999, 999}},
      {"bytes=500-1000", {206, 500, 999}},
      {"bytes=500-18446744073709551615", {206, 500, 999}},
      {"bytes=500-18446744073709551616", {206, 500, 999}},
      {"bytes=500-99999999999999999999999999", {206, 500, 999}},
      {"bytes=000000000000000000000000005-000000000000000000000000006", {206, 5, 6}},
      {"BYTES=1-2", {206, 1, 2}},
      {"bYtEs=1-2", {206, 1, 2}},
      {"bytes=-1", {206, 999, 999}},
      {"bytes=-999", {206, 1, 999}},
      {"bytes=-1000", {206, 0, 999}},
      {"bytes=-1001", {206, 0, 999}},
      {"bytes=-99999999999999999999999999", {206, 0, 999}},
      {"bytes=1000-", {416}},
      {"bytes=1000-2000", {416}},
      {"bytes=18446744073709551615-", {416}},
      {"bytes=18446744073709551616-", {416}},
      {"bytes=18446744073709551617-18446744073709551618", {416}},
      {"bytes=99999999999999999999999999-", {416}},
      {"bytes=-0", {416}},
      {"bytes=-000", {416}},
  };
  for (const auto &[range, part] : cases) {
    SCOPED_TRACE(range);
    EXPECT_EQ(judge("Range: "s + range + "\r\n"), part);
    EXPECT_EQ(judge("Range: "s + range + "\r\n", selected("\"a\""), NOW, "HEAD"), answer{200});
  }
}

TEST(HttpRange, IgnoresWhatIsNone)
{
  for (const char *range : {"",
                            "bytes",
                            "bytes=",
                            "bytes=-",
                            "bytes=--1",
                            "bytes=1",
                            "bytes=2-1",
                            "bytes=1000-999",
                            "bytes=0--1",
                            "bytes=0-1-2",
                            "bytes=a-b",
                            "bytes=0x0-1",
                            "bytes=0-a",
                            "bytes=0-1;",
                            "bytes=+0-1",
                            "bytes=0-+1",
                            "bytes =0-1",
                            "bytes= 0-1",
                            "bytes=0 -1",
                            "bytes=0- 1",
                            "bytes:0-1",
                            "bytes 0-1",
                            "byte=0-1",
                            "bytess=0-1",
                            "items=0-1",
                            "=0-1",
                            "0-1",
                            "bytes=0-1,3-4",
                            "bytes=0-1, 3-4",
                            "bytes=0-1,",
                            "bytes=,0-1",
                            "bytes=5000-,6000-",
                            "bytes=-0,0-1",
                            "bytes==0-1",
                            "bytes=\xD9\xA0-1"})
    EXPECT_EQ(judge("Range: "s + range + "\r\n"), answer{200}) << range;
  EXPECT_EQ(judge("Range: bytes=0-1\r\nRange: bytes=0-1\r\n"), answer{200});
  EXPECT_EQ(judge("X-Range: bytes=0-1\r\n"), answer{200});
}

TEST(HttpRange, KnowsVerySmallAndVeryLargeRepresentations)
{
  const weir__http_selected empty = selected("", 0), one = selected("", 1),
                            largest = selected("", UINT64_MAX);
  EXPECT_EQ(judge("Range: bytes=0-\r\n", empty), answer{416});
  EXPECT_EQ(judge("Range: bytes=0-0\r\n", empty), answer{416});
  EXPECT_EQ(judge("Range: bytes=-1\r\n", empty), answer{200});
  EXPECT_EQ(judge("Range: bytes=-0\r\n", empty), answer{416});
  EXPECT_EQ(judge("Range: bytes=0-\r\n", one), (answer{206, 0, 0}));
  EXPECT_EQ(judge("Range: bytes=-5\r\n", one), (answer{206, 0, 0}));
  EXPECT_EQ(judge("Range: bytes=1-\r\n", one), answer{416});
  EXPECT_EQ(judge("Range: bytes=0-99999999999999999999\r\n", largest),
            (answer{206, 0, UINT64_MAX - 1}));
  EXPECT_EQ(judge("Range: bytes=18446744073709551614-\r\n", largest),
            (answer{206, UINT64_MAX - 1, UINT64_MAX - 1}));
  EXPECT_EQ(judge("Range: bytes=18446744073709551615-\r\n", largest), answer{416});
}

} // namespace
