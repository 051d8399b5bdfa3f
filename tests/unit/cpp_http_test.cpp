/* Plain HTTP by the C++ layer: routes by method, what a handler may return, bodies, exceptions, and
 * how long a handler's captures live. */
#include "unit/cpp_support.hpp"

#include <mutex>

using namespace cpp_test;
using namespace std::literals;

namespace
{

int teapot(weir::request &)
{
  return 418;
}

TEST(CppHttp, HandlersOfEveryShape)
{
  weir::server app;
  auto owned = std::make_unique<std::string>("owned");
  app.get("/response", [](weir::request &) {
    return weir::response{.status = 201,
                          .type = "text/html",
                          .body = "<p>",
                          .headers = {{"X-One", "1"}, {"X-Two", "2"}}};
  });
  app.get("/status", [](weir::request &req) {
    EXPECT_FALSE(req.respond_body("text/plain", "set before"));
    return 202;
  });
  app.get("/ok", [](weir::request &) { return 0; });
  app.get("/either", [](weir::request &req) {
    return req.query("what") == "body" ? req.respond({.body = "a body"}) : 404;
  });
  app.get("/function", teapot);
  app.get("/owned", [owned = std::move(owned)](auto &) { return weir::response{.body = *owned}; });
  app.get("/counting", [count = 0](weir::request &) mutable { return 200 + ++count; });
  app.get("/none", [](weir::request &) { return weir::response{.status = 204}; });
  running server(app);

  auto made = server.get("/response");
  EXPECT_EQ(made.status, 201);
  EXPECT_EQ(made.value("content-type"), "text/html");
  EXPECT_EQ(made.value("x-one") + made.value("x-two"), "12");
  EXPECT_EQ(made.body, "<p>");
  auto status = server.get("/status");
  EXPECT_EQ(status.status, 202);
  EXPECT_EQ(status.body, "set before");
  EXPECT_EQ(server.get("/ok").status, 200);
  EXPECT_EQ(server.get("/either").status, 404);
  EXPECT_EQ(server.get("/either?what=body").body, "a body");
  EXPECT_EQ(server.get("/function").status, 418);
  EXPECT_EQ(server.get("/owned").body, "owned");
  EXPECT_EQ(server.get("/counting").status, 201);
  EXPECT_EQ(server.get("/counting").status, 202);
  auto none = server.get("/none");
  EXPECT_EQ(none.status, 204);
  EXPECT_TRUE(none.values("content-type").empty());
}

TEST(CppHttp, MethodsShareAPath)
{
  auto name = [](const char *text) {
    return [text](weir::request &req) {
      return weir::response{.body = text + (" " + std::string(req.method()))};
    };
  };
  weir::server app;
  app.get("/", name("get"))
      .post("/", name("post"))
      .put("/", name("put"))
      .patch("/", name("patch"))
      .del("/", name("del"))
      .options("/", name("options"))
      .http("PURGE", "/", name("http"))
      .get("/some", name("get"))
      .any("/some", name("any"))
      .get("/one", name("one"));
  running server(app);
  for (const char *each : {"get GET", "post POST", "put PUT", "patch PATCH", "del DELETE",
                           "options OPTIONS", "http PURGE"})
    EXPECT_EQ(server.ask(std::string(strchr(each, ' ') + 1) + " /").body, each);
  auto head = server.ask("HEAD /");
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.value("content-length"), "8");
  EXPECT_EQ(server.ask("GET /some").body, "get GET");
  EXPECT_EQ(server.ask("PROPFIND /some").body, "any PROPFIND");
  auto refused = server.ask("POST /one");
  EXPECT_EQ(refused.status, 405);
  EXPECT_EQ(refused.value("allow"), "GET, HEAD");
}

TEST(CppHttp, RequestsAreRead)
{
  weir::server app;
  app.post("/users/:id", [](weir::request &req) {
    EXPECT_EQ(req.method(), "POST");
    EXPECT_EQ(req.path(), "/users/a%20b");
    EXPECT_EQ(req.parameter("id"), "a b");
    EXPECT_EQ(req.query("q"), "x y");
    EXPECT_EQ(req.header("content-type"), "text/plain");
    EXPECT_EQ(req.find_header("none"), std::nullopt);
    EXPECT_EQ(req.peer().address, "127.0.0.1");
    EXPECT_EQ(req.loop(), 0u);
    return weir::response{.body = std::string(req.body())};
  });
  running server(app);
  EXPECT_EQ(server.ask("POST /users/a%20b?q=x+y", "b\0dy"sv, {"Content-Type: text/plain"}).body,
            "b\0dy"sv);
  EXPECT_EQ(server.ask("POST /users/a%20b?q=x+y", {}, {"Content-Type: text/plain"}).body, "");
}

TEST(CppHttp, OptionsAreHeldTo)
{
  weir::server app;
  app.http("POST", "/",
           {.request = [](weir::request &) { return 200; }, .options = {.max_body_bytes = 4}});
  running server(app);
  EXPECT_EQ(server.ask("POST /", "four").status, 200);
  EXPECT_EQ(server.ask("POST /", "fives").status, 413);
}

TEST(CppHttp, RoutesThatAreWrongThrow)
{
  weir::server app;
  auto code = [](auto add) -> int {
    try {
      add();
    } catch (const std::system_error &error) {
      return error.code().value();
    }
    return 0;
  };
  app.get("/", teapot);
  EXPECT_EQ(code([&] { app.get("/", teapot); }), -EEXIST);
  EXPECT_EQ(code([&] { app.http("NO TOKEN", "/", teapot); }), -EINVAL);
  EXPECT_EQ(code([&] { app.post("no path", teapot); }), -EINVAL);
  EXPECT_EQ(code([&] { app.post("/", {.options = {.max_body_bytes = 1}}); }), -EINVAL);
}

/* What the log was told. */
class record
{
public:
  auto log()
  {
    return [this](weir::log_level level, std::string_view line) {
      std::lock_guard held(lock_);
      if (level == weir::log_level::error)
        lines_.emplace_back(line);
    };
  }
  std::vector<std::string> lines()
  {
    std::lock_guard held(lock_);
    return lines_;
  }

private:
  std::mutex lock_;
  std::vector<std::string> lines_;
};

[[noreturn]] void fail(const char *what)
{
  throw std::runtime_error(what);
}

TEST(CppHttp, AnExceptionIs500)
{
  record seen;
  weir::server app({.log = seen.log()});
  app.get("/request", [](weir::request &req) -> int {
    req.respond_body("text/plain", "a secret");
    fail("at once");
  });
  app.get("/kept", [](weir::request &req) -> int {
    req.keep().respond_body("text/plain", "a secret");
    fail("kept");
  });
  app.get("/invalid", [](weir::request &) {
    return weir::response{.headers = {{"X-Split", "a\r\nb: c"}}};
  });
  app.get("/no-status", [](weir::request &) { return 700; });
  app.get("/unkept", [](weir::request &) { return weir::later; });
  running server(app);
  auto plain = server.get("/request");
  EXPECT_EQ(plain.status, 500);
  EXPECT_EQ(plain.body, "internal server error\n");
  auto kept = server.get("/kept");
  EXPECT_EQ(kept.status, 500);
  EXPECT_EQ(kept.body.find("secret"), std::string::npos);
  EXPECT_EQ(server.get("/invalid").status, 500);
  EXPECT_EQ(server.get("/no-status").status, 500);
  EXPECT_EQ(server.get("/unkept").status, 500);
  auto lines = seen.lines();
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_EQ(lines[0], "exception in request: at once");
  EXPECT_EQ(lines[1], "exception in request: kept");
  EXPECT_TRUE(lines[2].starts_with("exception in request: weir::response"));
}

TEST(CppHttp, BodyHandlersMayThrow)
{
  record seen;
  weir::server app({.log = seen.log()});
  auto keeping = [](weir::request &req) {
    weir::kept_request kept = req.keep(); // the server has a reference of its own
    return weir::later;
  };
  app.post("/", {.request = keeping,
                 .body = [](weir::kept_request &, std::string_view, bool) { fail("a piece"); }});
  app.post("/answered",
           {.request = keeping, .body = [](weir::kept_request &req, std::string_view, bool) {
              EXPECT_FALSE(req.respond({.status = 409, .body = "mine"}));
              fail("behind it");
            }});
  running server(app);
  EXPECT_EQ(server.ask("POST /", "x").status, 500);
  auto answered = server.ask("POST /answered", "x");
  EXPECT_EQ(answered.status, 409);
  EXPECT_EQ(answered.body, "mine");
  EXPECT_EQ(seen.lines(), (std::vector<std::string>{"exception in body: a piece",
                                                    "exception in body: behind it"}));
}

TEST(CppHttp, CapturesLiveAsLongAsTheServer)
{
  auto captured = std::make_shared<int>(1);
  weir::kept_request held;
  {
    weir::server app;
    app.get("/", [captured](weir::request &) { return 200; });
    app.any("/all", {.request =
                         [captured, &held](weir::request &req) {
                           held = req.keep();
                           return req.respond({.body = std::to_string(*captured)});
                         },
                     .body = [captured](weir::kept_request &, std::string_view, bool) {},
                     .drain = [captured](weir::kept_request &) {},
                     .gone = [captured](weir::kept_request &) {}});
    EXPECT_EQ(captured.use_count(), 6);
    weir::server moved(std::move(app));
    running server(moved);
    EXPECT_EQ(server.get("/all").body, "1");
    EXPECT_EQ(captured.use_count(), 6);
  }
  EXPECT_EQ(captured.use_count(), 1);
  EXPECT_TRUE(held) << "a handle may go after the server";
}

} // namespace
