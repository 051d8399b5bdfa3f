// Media types by extension.
#include "wire/media_type.h"

#include <gtest/gtest.h>

#include <cctype>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace
{

using namespace std::string_literals;

const std::string UNKNOWN = "application/octet-stream";

// The path lies in memory of its own size, so that ASan sees a read beyond.
std::string type_of(std::string_view path)
{
  const std::vector<char> bytes(path.begin(), path.end());
  return weir__media_type({bytes.data(), bytes.size()});
}

TEST(MediaType, HasASortedTableInLowerCase)
{
  for (size_t i = 0; i < WEIR__MEDIA_TYPES; i++) {
    const weir__media_entry &entry = weir__media_entries[i];
    ASSERT_GT(strlen(entry.extension), 0u);
    ASSERT_NE(entry.type, nullptr);
    for (const char *c = entry.extension; *c != 0; c++)
      EXPECT_TRUE(islower((unsigned char)*c) || isdigit((unsigned char)*c)) << entry.extension;
    if (i > 0) {
      EXPECT_LT(strcmp(weir__media_entries[i - 1].extension, entry.extension), 0) << i;
    }
  }
}

TEST(MediaType, FindsEveryEntryInAnyCase)
{
  for (const weir__media_entry &entry : weir__media_entries) {
    std::string upper = entry.extension;
    for (char &c : upper)
      c = (char)toupper((unsigned char)c);
    EXPECT_EQ(type_of("/a."s + entry.extension), entry.type);
    EXPECT_EQ(type_of("/a." + upper), entry.type);
    EXPECT_EQ(type_of("/a."s + entry.extension + "x"), UNKNOWN);
    EXPECT_EQ(type_of("/a."s + entry.extension + "/b"), UNKNOWN);
  }
}

TEST(MediaType, SaysTheCharsetOfTextsAlone)
{
  for (const weir__media_entry &entry : weir__media_entries) {
    const std::string type = entry.type;
    EXPECT_EQ(type.starts_with("text/"), type.ends_with("; charset=utf-8")) << type;
    EXPECT_EQ(type.find(';') != type.npos, type.starts_with("text/")) << type;
  }
}

TEST(MediaType, KnowsWhatBrowsersInsistOn)
{
  const std::pair<const char *, const char *> cases[] = {
      {"/index.html", "text/html; charset=utf-8"},
      {"/app.css", "text/css; charset=utf-8"},
      {"/app.js", "text/javascript; charset=utf-8"},
      {"/app.mjs", "text/javascript; charset=utf-8"},
      {"/app.js.map", "application/json"},
      {"/app.wasm", "application/wasm"},
      {"/data.json", "application/json"},
      {"/logo.svg", "image/svg+xml"},
      {"/a.woff2", "font/woff2"},
      {"/a.mp4", "video/mp4"},
      {"/a.webmanifest", "application/manifest+json"},
      {"/a.txt", "text/plain; charset=utf-8"},
  };
  for (const auto &[path, type] : cases)
    EXPECT_EQ(type_of(path), type) << path;
}

TEST(MediaType, ReadsTheLastExtensionOfTheLastSegment)
{
  const std::string html = "text/html; charset=utf-8";
  for (const char *path : {"a.html", "/a.html", "/a/b.html", "/a.b/c.html", "/a.js.html",
                           "/a..html", "/..html", "/.a.html", "/a.HtMl"})
    EXPECT_EQ(type_of(path), html) << path;
  for (const std::string path : {"",
                                 "/",
                                 ".",
                                 "..",
                                 "/.",
                                 "/..",
                                 "a",
                                 "/a",
                                 "/a.",
                                 "/a.html.",
                                 "/a.html/",
                                 "/a.html/b",
                                 ".html",
                                 "/.html",
                                 "/a/.html",
                                 "html",
                                 "/html",
                                 "/a.html ",
                                 "/a. html",
                                 "/ahtml",
                                 "/a,html",
                                 "/a.h\xC3\xA9",
                                 "/a.webmanifests",
                                 "/a.averylongextension"})
    EXPECT_EQ(type_of(path), UNKNOWN) << path;
  EXPECT_EQ(type_of("/a.html\0"s), UNKNOWN);
  EXPECT_EQ(type_of("/a.html\0.x"s), UNKNOWN);
}

} // namespace
