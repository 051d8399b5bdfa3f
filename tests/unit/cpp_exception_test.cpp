/* Exceptions that leave a handler: each is caught before it enters C, written to the log, handed to
 * the error handler, and costs that connection alone its life, with 1011; 500 before it is open. */
#include "unit/cpp_support.hpp"

#include <mutex>

using namespace cpp_test;

namespace
{

/* What the log and the error handler were told. */
struct record {
  std::mutex lock;
  std::vector<std::string> lines, errors;
  std::promise<int> closed;

  auto log()
  {
    return [this](weir::log_level level, std::string_view line) {
      std::lock_guard held(lock);
      if (level == weir::log_level::error)
        lines.emplace_back(line);
    };
  }
  auto error()
  {
    return [this](weir::conn<>, std::error_code code, std::string_view what) {
      std::lock_guard held(lock);
      errors.push_back(std::to_string(code.value()) + " " + std::string(what));
    };
  }
  auto close()
  {
    return [this](weir::conn<>, int code, std::string_view) { closed.set_value(code); };
  }
  bool logged(std::string_view line)
  {
    std::lock_guard held(lock);
    return std::find(lines.begin(), lines.end(), line) != lines.end();
  }
};

[[noreturn]] void fail(const char *what = "boom")
{
  throw std::runtime_error(what);
}

/* A case: a route whose one handler throws, and what makes a client have it called. */
struct thrower {
  const char *name;
  void (*arm)(weir::route<> &);
  unsigned first; /* of the frame that sets it off; 0: none is needed */
};

const thrower throwers[] = {
    {"open", [](weir::route<> &to) { to.open = [](weir::conn<>) { fail(); }; }, 0},
    {"message", [](weir::route<> &to) { to.message = [](weir::conn<>, weir::message) { fail(); }; },
     catalogue::fin | catalogue::text},
    {"fragment",
     [](weir::route<> &to) { to.fragment = [](weir::conn<>, weir::message) { fail(); }; },
     catalogue::fin | catalogue::binary},
    {"ping", [](weir::route<> &to) { to.ping = [](weir::conn<>, auto) { fail(); }; },
     catalogue::fin | catalogue::ping},
    {"pong", [](weir::route<> &to) { to.pong = [](weir::conn<>, auto) { fail(); }; },
     catalogue::fin | catalogue::pong},
};

class CppException : public testing::TestWithParam<thrower>
{
};

TEST_P(CppException, ClosesTheConnectionWith1011)
{
  record seen;
  weir::server app({.log = seen.log()});
  weir::route<> route = {.error = seen.error(), .close = seen.close()};
  GetParam().arm(route);
  app.route("/", std::move(route));
  app.route("/echo", {.message = [](weir::conn<> ws, weir::message m) { ws.send(m); }});
  running server(app);

  client bystander = server.open("/echo"), one = server.open("/");
  if (GetParam().first != 0) {
    EXPECT_TRUE(one.send(catalogue::masked(GetParam().first, "x")));
  }
  auto frame = one.read_frame();
  if (frame && frame->opcode() == catalogue::pong) // the ping was answered first
    frame = one.read_frame();
  ASSERT_TRUE(frame);
  EXPECT_EQ(frame->close_code(), 1011);
  ASSERT_TRUE(one.send(catalogue::closing(1011)));
  EXPECT_EQ(await(seen.closed), 1011);
  say(bystander, "still here");
  EXPECT_EQ(read_text(bystander), "still here");
  server.stop();
  EXPECT_EQ(seen.errors, std::vector<std::string>{"-1011 boom"});
  EXPECT_TRUE(seen.logged("exception in " + std::string(GetParam().name) + ": boom"));
}

INSTANTIATE_TEST_SUITE_P(Handlers, CppException, testing::ValuesIn(throwers),
                         [](const auto &info) { return std::string(info.param.name); });

TEST(CppExceptions, AnythingMayBeThrown)
{
  record seen;
  weir::server app({.log = seen.log()});
  app.route("/", {.open = [](weir::conn<>) { throw 42; }});
  running server(app);
  client one = server.open("/");
  EXPECT_EQ(read_close(one), 1011);
  EXPECT_TRUE(seen.logged("exception in open: not a std::exception"));
}

/* What the peer sent before it saw the Close frame still comes to the handler. */
TEST(CppExceptions, TheErrorHandlerIsToldOnce)
{
  record seen;
  weir::server app({.log = seen.log()});
  app.route("/", {.message = [](weir::conn<>, weir::message) { fail(); },
                  .error = seen.error(),
                  .close = seen.close()});
  running server(app);
  client one = server.open("/");
  std::string message = catalogue::masked(catalogue::fin | catalogue::text, "x");
  ASSERT_TRUE(one.send(message + message + catalogue::closing(1000)));
  EXPECT_EQ(await(seen.closed), 1000);
  server.stop();
  EXPECT_EQ(seen.errors.size(), 1u);
}

TEST(CppExceptions, TheErrorHandlerMayThrow)
{
  record seen;
  weir::server app({.log = seen.log()});
  app.route("/", {.message = [](weir::conn<>, weir::message) { fail("first"); },
                  .error = [](weir::conn<>, std::error_code) { fail("second"); },
                  .close = seen.close()});
  running server(app);
  client one = server.open("/");
  say(one, "x");
  EXPECT_EQ(read_close(one), 1011);
  ASSERT_TRUE(one.send(catalogue::closing(1011)));
  EXPECT_EQ(await(seen.closed), 1011);
  EXPECT_TRUE(seen.logged("exception in message: first"));
  EXPECT_TRUE(seen.logged("exception in error: second"));
}

TEST(CppExceptions, TheCloseHandlerMayThrow)
{
  record seen;
  weir::server app({.log = seen.log()});
  app.route("/", {.error = seen.error(),
                  .close = [](weir::conn<>, int, std::string_view) { fail("at the end"); }});
  running server(app);
  client one = server.open("/");
  ASSERT_TRUE(one.send(catalogue::closing(1000)));
  EXPECT_EQ(read_close(one), 1000);
  EXPECT_EQ(one.wait_end(), catalogue::ending::finished);
  server.stop();
  EXPECT_TRUE(seen.logged("exception in close: at the end"));
  EXPECT_TRUE(seen.errors.empty());
}

struct throwing_user {
  throwing_user()
  {
    fail("constructor");
  }
};

TEST(CppExceptions, BeforeItIsOpenThereIs500)
{
  record seen;
  bool opened = false;
  weir::server app({.log = seen.log()});
  app.route("/upgrade", {.upgrade = [](weir::request &) -> int { fail("upgrade"); },
                         .open = [&](weir::conn<>) { opened = true; }});
  app.route<int>("/user-upgrade", {.upgrade = [](weir::request &, int &) -> int { throw 1; }});
  app.route<throwing_user>("/user", {.open = [&](weir::conn<>) { opened = true; }});
  app.get("/get", [](weir::request &req) -> int {
    req.respond_body("text/plain", "a secret");
    fail("get");
  });
  running server(app);
  EXPECT_EQ(server.status_of("/upgrade"), 500);
  EXPECT_EQ(server.status_of("/user-upgrade"), 500);
  EXPECT_EQ(server.status_of("/user"), 500);
  auto response = server.get("/get");
  EXPECT_EQ(response.status, 500);
  EXPECT_EQ(response.body, "internal server error\n");
  server.stop();
  EXPECT_FALSE(opened);
  EXPECT_TRUE(seen.logged("exception in upgrade: upgrade"));
  EXPECT_TRUE(seen.logged("exception in upgrade: not a std::exception"));
  EXPECT_TRUE(seen.logged("exception in the user's constructor: constructor"));
  EXPECT_TRUE(seen.logged("exception in request: get"));
}

TEST(CppExceptions, TheLogMayThrow)
{
  weir::server app({.log = [](weir::log_level, std::string_view) { fail(); }});
  app.route("/", {.open = [](weir::conn<>) { fail(); }});
  running server(app);
  client one = server.open("/");
  EXPECT_EQ(read_close(one), 1011);
}

/* A route whose queue overflows at the first message, and drops what it cannot hold. */
weir::route<> overflowing(record &seen)
{
  return {.message =
              [](weir::conn<> ws, weir::message) {
                while (!ws.send(std::string(60000, 'x')))
                  continue;
              },
          .close = seen.close(),
          .options = {.queue_policy = weir::queue_policy::drop_newest}};
}

/* The client reads all that came, and is told 1011 in the end. */
void expect_overflow_fails(weir::server &app)
{
  running server(app);
  client one = server.open("/");
  say(one, "fill");
  auto frame = one.read_frame();
  while (frame && frame->opcode() == catalogue::text)
    frame = one.read_frame();
  ASSERT_TRUE(frame);
  EXPECT_EQ(frame->close_code(), 1011);
}

/* It is told once the queue is empty. */
TEST(CppExceptions, TheDrainHandlerMayThrow)
{
  record seen;
  weir::server app({.log = seen.log()});
  weir::route<> route = overflowing(seen);
  route.drain = [](weir::conn<>) { fail("drain"); };
  app.route("/", std::move(route));
  expect_overflow_fails(app);
  EXPECT_TRUE(seen.logged("exception in drain: drain"));
}

TEST(CppExceptions, TheDroppedHandlerMayThrow)
{
  record seen;
  weir::server app({.log = seen.log()});
  weir::route<> route = overflowing(seen);
  route.dropped = [](weir::conn<>, std::size_t) { fail("dropped"); };
  app.route("/", std::move(route));
  expect_overflow_fails(app);
  EXPECT_TRUE(seen.logged("exception in dropped: dropped"));
}

} // namespace
