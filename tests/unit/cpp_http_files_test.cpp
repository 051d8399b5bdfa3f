/* Files of a folder and CORS by the C++ layer. */
#include "unit/cpp_support.hpp"

#include <filesystem>
#include <fstream>

using namespace cpp_test;

namespace
{

/* A folder that goes with the scope. */
class folder
{
public:
  folder()
  {
    std::string name = (std::filesystem::temp_directory_path() / "weir-XXXXXX").string();
    path_ = mkdtemp(name.data());
  }
  ~folder()
  {
    std::filesystem::remove_all(path_);
  }
  folder(const folder &) = delete;

  void write(const std::string &name, const std::string &text) const
  {
    std::ofstream(path_ / name) << text;
  }
  std::string path() const
  {
    return path_.string();
  }

private:
  std::filesystem::path path_;
};

TEST(CppHttpFiles, AreServed)
{
  folder files;
  files.write("page.html", "<p>a page");
  files.write("index.html", "<p>the index");
  files.write("start.txt", "the start");
  files.write(".hidden", "a secret");
  std::string large(1 << 20, 'x');
  files.write("large.bin", large);
  weir::server app;
  app.files("/*", files.path());
  app.files("/kept/*", files.path(), {.max_age_s = 60, .index = "start.txt"});
  running server(app);

  auto page = server.get("/page.html");
  EXPECT_EQ(page.status, 200);
  EXPECT_TRUE(page.value("content-type").starts_with("text/html"));
  EXPECT_EQ(page.body, "<p>a page");
  EXPECT_EQ(page.value("cache-control"), "no-cache");
  EXPECT_EQ(server.get("/").body, "<p>the index");
  EXPECT_EQ(server.get("/large.bin").body, large);
  EXPECT_EQ(server.get("/.hidden").status, 404);
  EXPECT_EQ(server.get("/../etc/passwd").status, 404);
  auto kept = server.get("/kept/");
  EXPECT_EQ(kept.value("cache-control"), "max-age=60");
  EXPECT_EQ(kept.body, "the start");
  auto again = server.ask("GET /page.html", {}, {"If-None-Match: " + page.value("etag")});
  EXPECT_EQ(again.status, 304);
  EXPECT_EQ(server.ask("GET /page.html", {}, {"Range: bytes=3-5"}).body, "a p");
}

TEST(CppHttpFiles, ThatAreWrongThrow)
{
  folder files;
  weir::server app;
  EXPECT_THROW(app.files("/no-star", files.path()), std::system_error);
  try {
    app.files("/*", files.path() + "/nowhere");
    ADD_FAILURE() << "a folder that is not there";
  } catch (const std::system_error &error) {
    EXPECT_EQ(error.code(), std::errc::no_such_file_or_directory);
    EXPECT_NE(std::string(error.what()).find("nowhere"), std::string::npos);
  }
}

/* A route that CORS is asked about, and its preflight. */
void route(weir::server &app, const char *path, const weir::cors &allowed)
{
  auto handler = [allowed](weir::request &req) {
    if (int status = req.cors(allowed))
      return status;
    return req.respond({.body = "data"});
  };
  app.get(path, handler).options(path, handler);
}

TEST(CppHttpFiles, Cors)
{
  weir::server app;
  { // a route keeps what it needs
    weir::cors listed({.origins = {"https://a.example", "https://b.example"},
                       .credentials = true,
                       .methods = "GET, PUT",
                       .headers = "X-One",
                       .exposed = "X-Two",
                       .max_age_s = 600});
    route(app, "/listed", listed);
    route(app, "/all", weir::cors());
    weir::cors moved(std::move(listed));
    EXPECT_EQ(listed.native(), nullptr);
    EXPECT_EQ(moved.native()->credentials, 1u);
  }
  app.get("/broken", [broken = weir::cors({.exposed = "a\r\nb"})](weir::request &req) {
    return req.cors(broken);
  });
  running server(app);

  auto plain = server.ask("GET /listed", {}, {"Origin: https://b.example"});
  EXPECT_EQ(plain.status, 200);
  EXPECT_EQ(plain.body, "data");
  EXPECT_EQ(plain.value("access-control-allow-origin"), "https://b.example");
  EXPECT_EQ(plain.value("access-control-allow-credentials"), "true");
  EXPECT_EQ(plain.value("access-control-expose-headers"), "X-Two");
  EXPECT_EQ(plain.value("vary"), "Origin");
  auto other = server.ask("GET /listed", {}, {"Origin: https://evil.example"});
  EXPECT_TRUE(other.values("access-control-allow-origin").empty());
  auto preflight = server.ask("OPTIONS /listed", {},
                              {"Origin: https://a.example", "Access-Control-Request-Method: PUT"});
  EXPECT_EQ(preflight.status, 204);
  EXPECT_EQ(preflight.value("access-control-allow-methods"), "GET, PUT");
  EXPECT_EQ(preflight.value("access-control-allow-headers"), "X-One");
  EXPECT_EQ(preflight.value("access-control-max-age"), "600");
  EXPECT_EQ(server.ask("GET /all", {}, {"Origin: https://any.example"})
                .value("access-control-allow-origin"),
            "*");
  EXPECT_EQ(server.get("/broken").status, 500);
}

TEST(CppHttpFiles, CorsWithCredentialsNeedsOrigins)
{
  EXPECT_THROW(weir::cors({.credentials = true}), std::system_error);
}

} // namespace
