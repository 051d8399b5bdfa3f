// Files of a folder: which are found, what is said of them, conditions and ranges, and large ones
// to readers fast and slow.
#include "support/stage.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <filesystem>
#include <fstream>

using namespace support;

namespace
{

namespace fs = std::filesystem;

class folder : public testing::Test
{
protected:
  fs::path top;
  std::string large;
  stage at;

  folder()
  {
    char name[] = "/tmp/weir-static-XXXXXX";
    top = mkdtemp(name);
    fs::create_directories(top / "files" / "sub");
    fs::create_directories(top / "files" / ".well-known");
    for (uint32_t i = 0; large.size() < 3000000; i++)
      large += std::to_string(i * 2654435761u);
    write("files/index.html", "<h1>home</h1>");
    write("files/sub/index.html", "sub");
    write("files/a file.TXT", "text");
    write("files/empty.js", "");
    write("files/large.bin", large);
    write("files/.secret", "secret");
    write("files/.well-known/x", "known");
    write("outside", "outside");
    fs::create_symlink("../outside", top / "files" / "leak");
    fs::create_symlink("index.html", top / "files" / "inner.html");
  }
  ~folder() override
  {
    fs::remove_all(top);
  }

  void write(const std::string &name, const std::string &bytes)
  {
    std::ofstream(top / name, std::ios::binary) << bytes;
  }

  void start(const weir_static_options *options = nullptr)
  {
    ASSERT_EQ(weir_server_static(at.server(), "/files/*", (top / "files").c_str(), options), 0);
    at.start();
  }

  static std::string head(const std::string &target, const std::string &more = "",
                          const std::string &method = "GET")
  {
    return method + " " + target + " HTTP/1.1\r\nHost: localhost\r\n" + more + "\r\n";
  }

  response ask(const std::string &target, const std::string &more = "",
               const std::string &method = "GET")
  {
    peer &client = at.connect();
    client.send(head(target, more, method));
    return at.answer(client, method != "HEAD");
  }
};

TEST_F(folder, IsGivenByName)
{
  start();
  const std::tuple<const char *, int, const char *, const char *> cases[] = {
      {"/files/index.html", 200, "<h1>home</h1>", "text/html; charset=utf-8"},
      {"/files/", 200, "<h1>home</h1>", "text/html; charset=utf-8"},
      {"/files/inner.html", 200, "<h1>home</h1>", "text/html; charset=utf-8"},
      {"/files/sub/", 200, "sub", "text/html; charset=utf-8"},
      {"/files/a%20file.TXT?v=1", 200, "text", "text/plain; charset=utf-8"},
      {"/files/empty.js", 200, "", "text/javascript; charset=utf-8"},
      {"/files/.well-known/x", 200, "known", "application/octet-stream"}};
  for (const auto &[target, status, body, type] : cases) {
    SCOPED_TRACE(target);
    response answer = ask(target);
    EXPECT_EQ(answer.status, status);
    EXPECT_EQ(answer.body, body);
    EXPECT_EQ(answer.field("Content-Type"), type);
    EXPECT_EQ(answer.field("Accept-Ranges"), "bytes");
    EXPECT_EQ(answer.field("Cache-Control"), "no-cache");
    EXPECT_NE(answer.field("ETag"), "");
    EXPECT_NE(answer.field("Last-Modified"), "");
  }
}

TEST_F(folder, HasNothingElse)
{
  start();
  for (const char *target :
       {"/files/nothing", "/files/.secret", "/files/leak", "/files/../outside",
        "/files/%2e%2e/outside", "/files/sub/../../outside", "/files//etc/passwd",
        "/files/%2Fetc/passwd", "/files/index.html%00.js", "/files/index.html/", "/files/sub/..",
        "/files/.", "/files/.well-known/../../outside"}) {
    SCOPED_TRACE(target);
    EXPECT_EQ(ask(target).status, 404);
  }
  EXPECT_EQ(ask("/files/" + std::string(5000, 'a')).status, 404);
  response post = ask("/files/index.html", "Content-Length: 0\r\n", "POST");
  EXPECT_EQ(post.status, 405);
  EXPECT_EQ(post.field("Allow"), "GET, HEAD");
}

TEST_F(folder, RedirectsToFolders)
{
  start();
  response answer = ask("/files/sub?a=b");
  EXPECT_EQ(answer.status, 301);
  EXPECT_EQ(answer.field("Location"), "/files/sub/?a=b");
}

TEST_F(folder, KnowsWhatTheClientHas)
{
  weir_static_options options = {};
  options.size = sizeof options;
  options.max_age_s = 60;
  options.index = "a file.TXT";
  start(&options);
  response first = ask("/files/");
  EXPECT_EQ(first.body, "text");
  EXPECT_EQ(first.field("Cache-Control"), "max-age=60");
  std::string tag = "If-None-Match: " + first.field("ETag") + "\r\n";
  response second = ask("/files/", tag);
  EXPECT_EQ(second.status, 304);
  EXPECT_EQ(second.field("ETag"), first.field("ETag"));
  EXPECT_EQ(ask("/files/", "If-Modified-Since: " + first.field("Last-Modified") + "\r\n").status,
            304);
  EXPECT_EQ(ask("/files/", "If-Match: \"other\"\r\n").status, 412);
  write("files/a file.TXT", "other text");
  EXPECT_EQ(ask("/files/", tag).body, "other text");
}

TEST_F(folder, GivesParts)
{
  start();
  const std::tuple<const char *, int, size_t, size_t> cases[] = {
      {"bytes=0-0", 206, 0, 1},        {"bytes=100-299999", 206, 100, 299900},
      {"bytes=-5", 206, 0, 5},         {"bytes=2999990-", 206, 2999990, 0},
      {"bytes=0-99999999", 206, 0, 0}, {"bytes=99999999-", 416, 0, 0},
      {"bytes=0-1,5-6", 200, 0, 0},    {"lines=0-1", 200, 0, 0}};
  for (auto [range, status, from, len] : cases) {
    SCOPED_TRACE(range);
    response answer = ask("/files/large.bin", std::string("Range: ") + range + "\r\n");
    EXPECT_EQ(answer.status, status);
    const std::string size = std::to_string(large.size());
    if (status == 416) {
      EXPECT_EQ(answer.field("Content-Range"), "bytes */" + size);
      continue;
    }
    if (std::string(range) == "bytes=-5")
      from = large.size() - 5;
    std::string wanted = large.substr(from, len == 0 ? std::string::npos : len);
    EXPECT_TRUE(answer.body == wanted) << answer.body.size() << " bytes of " << wanted.size();
    if (status == 206) {
      EXPECT_EQ(answer.field("Content-Range"), "bytes " + std::to_string(from) + "-" +
                                                   std::to_string(from + wanted.size() - 1) + "/" +
                                                   size);
    }
  }
}

TEST_F(folder, AnswersHeadWithoutTheBody)
{
  start();
  peer &client = at.connect();
  client.send(head("/files/large.bin", "", "HEAD") + head("/files/index.html", "", "HEAD") +
              head("/files/index.html"));
  response answer = at.answer(client, false);
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.field("Content-Length"), std::to_string(large.size()));
  answer = at.answer(client, false);
  EXPECT_EQ(answer.field("Content-Length"), "13");
  EXPECT_EQ(at.answer(client).body, "<h1>home</h1>");
}

/* What is read ahead of a client that does not read is bounded, and all of it arrives in the end.
 */
TEST_F(folder, WaitsForSlowReaders)
{
  start();
  peer &slow = at.connect(4096);
  slow.stall(true);
  slow.send(head("/files/large.bin") + head("/files/sub/"));
  at.settle();
  EXPECT_LT(at.counters().memory_bytes, 1500000u);
  slow.stall(false);
  response answer = at.answer(slow);
  EXPECT_TRUE(answer.body == large);
  EXPECT_EQ(at.answer(slow).body, "sub");
}

TEST_F(folder, LetsGoOfFilesWhoseReadersGo)
{
  start();
  auto descriptors = [] {
    return std::distance(fs::directory_iterator("/proc/self/fd"), fs::directory_iterator());
  };
  at.connect().send(head("/files/index.html"));
  at.settle();
  auto before = descriptors();
  for (int i = 0; i < 10; i++) {
    peer &gone = at.connect(4096);
    gone.stall(true);
    gone.send(head("/files/large.bin"));
    at.settle();
    gone.reset();
    at.settle();
  }
  EXPECT_EQ(descriptors(), before);
}

/* The length was announced: the client must not take less for the whole. */
TEST_F(folder, CutsTheConnectionWhenAFileShrinks)
{
  start();
  peer &slow = at.connect(4096);
  slow.stall(true);
  slow.send(head("/files/large.bin"));
  at.settle();
  fs::resize_file(top / "files" / "large.bin", 1000);
  slow.stall(false);
  EXPECT_TRUE(at.ends(slow));
  EXPECT_LT(slow.input().size(), large.size());
}

TEST_F(folder, MustBeThere)
{
  weir_server *server = at.server();
  EXPECT_EQ(weir_server_static(server, "/a/*", (top / "nowhere").c_str(), nullptr), -ENOENT);
  EXPECT_EQ(weir_server_static(server, "/a/*", (top / "outside").c_str(), nullptr), -ENOTDIR);
  EXPECT_EQ(weir_server_static(server, "/a", top.c_str(), nullptr), -EINVAL);
  EXPECT_EQ(weir_server_static(server, "/a/*", nullptr, nullptr), -EINVAL);
  EXPECT_EQ(weir_server_static(server, "/a/*", top.c_str(), nullptr), 0);
  EXPECT_EQ(weir_server_static(server, "/a/*", top.c_str(), nullptr), -EEXIST);
}

} // namespace
