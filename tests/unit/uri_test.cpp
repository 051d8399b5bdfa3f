// Route patterns, queries, percent-decoding and hosts.
#include "wire/uri.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
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

std::optional<std::string> text(weir_slice s)
{
  return s.data == nullptr ? std::nullopt : std::optional(std::string(s.data, s.len));
}

TEST(UriPattern, IsValid)
{
  for (const char *pattern : {"/", "*", "/*", "/a", "/a/", "/a//b", "/a/*", "/:id", "/:id/*",
                              "/a/:b_1/c/:D", "/a:b", "/a/b.c-d~e!$&'()+,;=:@%20"})
    EXPECT_TRUE(weir__uri_pattern_valid(pattern)) << pattern;
  for (const char *pattern :
       {"",     "a",      "a/b",        "**",   "*a",   "/**",   "/a*",   "/*a",   "/*/a",
        "/*/",  "/a*/b",  "/:",         "/:/a", "/::",  "/:a-b", "/:a.b", "/:a:b", "/:*",
        "/:a*", "/:a/:a", "/:a/b/:a/c", "/a?b", "/a#b", "/a b",  "/a\tb", "/\x7F", "/\xC3\xA4"})
    EXPECT_FALSE(weir__uri_pattern_valid(pattern)) << pattern;
}

TEST(UriPattern, Matches)
{
  const std::tuple<const char *, const char *, bool> cases[] = {
      {"/", "/", true},
      {"/", "", false},
      {"/", "/a", false},
      {"/", "//", false},
      {"/a", "/a", true},
      {"/a", "/A", false},
      {"/a", "/a/", false},
      {"/a", "/ab", false},
      {"/ab", "/a", false},
      {"/a", "/%61", false},
      {"/a/", "/a/", true},
      {"/a/", "/a", false},
      {"/a/", "/a/b", false},
      {"/a//b", "/a//b", true},
      {"/a//b", "/a/b", false},
      {"/:id", "/a", true},
      {"/:id", "/%2F", true},
      {"/:id", "/", false},
      {"/:id", "/a/", false},
      {"/:id", "/a/b", false},
      {"/:id/", "/a/", true},
      {"/a/:id/c", "/a/b/c", true},
      {"/a/:id/c", "/a//c", false},
      {"/a/:id/c", "/a/b/d", false},
      {"/a/:id/c", "/a/b", false},
      {"/a/*", "/a/", true},
      {"/a/*", "/a/b", true},
      {"/a/*", "/a/b/c/", true},
      {"/a/*", "/a", false},
      {"/a/*", "/ab", false},
      {"/:id/*", "/a/", true},
      {"/:id/*", "//", false},
      {"/*", "/", true},
      {"/*", "/a/b", true},
      {"*", "/", true},
      {"*", "/a/b", true},
      {"*", "", false},
      {"/*", "a", false},
  };
  for (const auto &[pattern, path, matches] : cases)
    EXPECT_EQ(weir__uri_match(pattern, slice(path)), matches) << pattern << " " << path;
}

TEST(UriPattern, GivesParameters)
{
  EXPECT_EQ(text(weir__uri_parameter("/:a", slice("/x%20y"), "a")), "x%20y");
  EXPECT_EQ(text(weir__uri_parameter("/r/:a/:bc/*", slice("/r/1/2/3"), "a")), "1");
  EXPECT_EQ(text(weir__uri_parameter("/r/:a/:bc/*", slice("/r/1/2/3"), "bc")), "2");
  EXPECT_EQ(text(weir__uri_parameter("/r/:a/:bc/*", slice("/r/1/2/3"), "b")), std::nullopt);
  EXPECT_EQ(text(weir__uri_parameter("/r/:a/:bc/*", slice("/r/1/2/3"), "r")), std::nullopt);
  EXPECT_EQ(text(weir__uri_parameter("/r/:a", slice("/r/1/2"), "a")), std::nullopt);
  EXPECT_EQ(text(weir__uri_parameter("/r/:a", slice("/s/1"), "a")), std::nullopt);
  EXPECT_EQ(text(weir__uri_parameter("*", slice("/1"), "a")), std::nullopt);
}

TEST(UriPattern, GivesTheRest)
{
  EXPECT_EQ(text(weir__uri_rest("*", slice("/a/b"))), "a/b");
  EXPECT_EQ(text(weir__uri_rest("/*", slice("/"))), "");
  EXPECT_EQ(text(weir__uri_rest("/files/*", slice("/files/a%20b/c"))), "a%20b/c");
  EXPECT_EQ(text(weir__uri_rest("/:user/*", slice("/me//x"))), "/x");
  EXPECT_EQ(text(weir__uri_rest("/files/:name", slice("/files/a"))), std::nullopt);
}

int sign(int n)
{
  return (n > 0) - (n < 0);
}

TEST(UriPattern, IsOrderedByPrecedence)
{
  // each goes before the next
  const char *const patterns[] = {"/",       "/a",       "/a/",    "/a/b",  "/a/:x",
                                  "/a/:x/c", "/a/:x/:y", "/a/*",   "/ab",   "/b/*",
                                  "/:x",     "/:x/a",    "/:x/:y", "/:x/*", "/*"};
  const size_t count = std::size(patterns);
  for (size_t i = 0; i < count; i++)
    for (size_t j = 0; j < count; j++)
      EXPECT_EQ(sign(weir__uri_pattern_order(patterns[i], patterns[j])), i < j ? -1 : i > j)
          << patterns[i] << " " << patterns[j];
  EXPECT_EQ(weir__uri_pattern_order("/:a", "/:b"), 0);
  EXPECT_EQ(weir__uri_pattern_order("/a/:a/*", "/a/:bcd/*"), 0);
  EXPECT_EQ(weir__uri_pattern_order("*", "/*"), 0);
}

TEST(UriQuery, GivesTheFirstValue)
{
  const std::tuple<const char *, const char *, std::optional<std::string>> cases[] = {
      {"a=1", "a", "1"},
      {"a=1", "b", std::nullopt},
      {"", "a", std::nullopt},
      {"", "", std::nullopt},
      {"a=1&b=2&a=3", "a", "1"},
      {"a=1&b=2&a=3", "b", "2"},
      {"ab=1&a=2", "a", "2"},
      {"a=1&ab=2", "ab", "2"},
      {"a", "a", ""},
      {"a&b", "b", ""},
      {"a=", "a", ""},
      {"a=b=c", "a", "b=c"},
      {"&&a=1", "a", "1"},
      {"=1", "", "1"},
      {"a=%20+x", "a", "%20+x"},
      {"%61%62=1", "ab", "1"},
      {"a+b=1", "a b", "1"},
      {"a%2Bb=1", "a+b", "1"},
      {"a%=1", "a%", "1"},
      {"a%4=1", "a%4", "1"},
      {"a%00b=1", "a", std::nullopt},
  };
  for (const auto &[query, name, value] : cases)
    EXPECT_EQ(text(weir__uri_query(slice(query), name)), value) << query << " " << name;
  EXPECT_EQ(text(weir__uri_query({nullptr, 0}, "a")), std::nullopt);
}

TEST(UriDecode, DecodesWhatIsEncoded)
{
  const std::tuple<std::string, std::string, std::string> cases[] = {
      // encoded, decoded, decoded with "+" as a space
      {"", "", ""},
      {"abc", "abc", "abc"},
      {"a+b", "a+b", "a b"},
      {"%41%4a%4A", "AJJ", "AJJ"},
      {"%C3%a4", "\xC3\xA4", "\xC3\xA4"},
      {"%00", "\0"s, "\0"s},
      {"%2B+", "++", "+ "},
      {"%2541", "%41", "%41"},
      {"%", "%", "%"},
      {"%4", "%4", "%4"},
      {"%4g", "%4g", "%4g"},
      {"%g4", "%g4", "%g4"},
      {"%%41", "%A", "%A"},
      {"%4%41", "%4A", "%4A"},
  };
  for (const auto &[encoded, plain, plus] : cases) {
    std::vector<char> out(encoded.size() + 1, '#');
    size_t len = weir__uri_decode(slice(encoded), false, out.data());
    EXPECT_EQ(std::string(out.data(), len), plain) << encoded;
    len = weir__uri_decode(slice(encoded), true, out.data());
    EXPECT_EQ(std::string(out.data(), len), plus) << encoded;
    EXPECT_EQ(out.back(), '#');
    EXPECT_EQ(weir__uri_encoded(slice(encoded), false), encoded.find('%') != std::string::npos);
    EXPECT_EQ(weir__uri_encoded(slice(encoded), true),
              encoded.find_first_of("%+") != std::string::npos);
  }
}

TEST(UriHost, IsValid)
{
  for (const char *host :
       {"a", "example.org", "example.org:80",
        "example.org:", "a_b-c~d!$&'()*+,;=", "192.0.2.1:8080", "[::1]", "[::1]:80",
        "[2001:db8::192.0.2.1]:", "[v1.a:b]", "%41b", "xn--bcher-kva.example", "-"})
    EXPECT_TRUE(weir__uri_host_valid(slice(host))) << host;
  for (const char *host :
       {"",     ":",     ":80",    "a b",     "a/b",     "a?b",      "a#b",  "u@a",
        "a:b",  "a:80a", "a:-1",   "a:80:80", "::1",     "[",        "[]",   "[]:80",
        "[::1", "::1]",  "[::1]a", "[::1]80", "[[::1]]", "[::1 ]",   "a[",   "a%",
        "a%4",  "a%4g",  "a\"b",   "a\\b",    "a<b",     "\xC3\xA4", "a\x7F"})
    EXPECT_FALSE(weir__uri_host_valid(slice(host))) << host;
}

} // namespace
