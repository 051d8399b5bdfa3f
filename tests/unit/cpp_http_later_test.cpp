/* Requests that are kept by the C++ layer: answered by another thread, streamed with backpressure,
 * taken in pieces, given up by the peer, decided later, moved between loops. */
#include "unit/cpp_support.hpp"

#include <array>
#include <atomic>
#include <mutex>

using namespace cpp_test;
using namespace std::literals;

namespace
{

/* Keeps the one request that it is to get, and promises it to the test. */
struct keeping {
  std::promise<weir::kept_request> kept;

  auto handler()
  {
    return [this](weir::request &req) {
      kept.set_value(req.keep());
      return weir::later;
    };
  }
};

TEST(CppHttpLater, AnotherThreadAnswers)
{
  keeping waiting;
  weir::server app;
  app.post("/:name", waiting.handler());
  running server(app);
  client one(app.port());
  ASSERT_TRUE(one.send(running::plain("POST /poll?since=1", "body", {"X-One: 1"})));
  std::thread answering([&] {
    weir::kept_request kept = await(waiting.kept), other = kept, none;
    EXPECT_TRUE(kept);
    EXPECT_FALSE(none);
    EXPECT_EQ(kept, other);
    EXPECT_NE(kept, none);
    EXPECT_EQ(kept.method(), "POST");
    EXPECT_EQ(kept.path(), "/poll");
    EXPECT_EQ(kept.parameter("name"), "poll");
    EXPECT_EQ(kept.query("since"), "1");
    EXPECT_EQ(kept.find_header("X-One"), "1");
    EXPECT_EQ(kept.body(), "body");
    EXPECT_EQ(kept.peer().address, "127.0.0.1");
    EXPECT_EQ(kept.peer().port, one.port());
    EXPECT_EQ(kept.loop(), 0u);
    none = std::move(other);
    EXPECT_FALSE(none.respond({.status = 201, .body = "answered", .headers = {{"X-Two", "2"}}}));
  });
  answering.join();
  auto answer = one.read_response();
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 201);
  EXPECT_EQ(answer->value("x-two"), "2");
  EXPECT_EQ(answer->body, "answered");
}

/* The first answer is the one that leaves, whatever is said after it. */
TEST(CppHttpLater, AnswersOnce)
{
  weir::server app;
  app.get("/", [](weir::request &req) {
    weir::kept_request kept = req.keep();
    EXPECT_TRUE(req.kept());
    EXPECT_EQ(kept.write("early"), std::errc::invalid_argument);
    EXPECT_EQ(kept.accept(), std::errc::invalid_argument);
    EXPECT_EQ(kept.respond(99), std::errc::invalid_argument);
    EXPECT_FALSE(kept.respond({.body = "first"}));
    auto already = std::errc::connection_already_in_progress;
    EXPECT_EQ(kept.respond({.body = "second"}), already);
    EXPECT_EQ(kept.respond_header("X-Second", "2"), already);
    EXPECT_EQ(kept.begin(200), already);
    return weir::later;
  });
  running server(app);
  auto answer = server.get("/");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, "first");
  EXPECT_TRUE(answer.values("x-second").empty());
}

/* What the handler set before it kept the request is the beginning of the response. */
TEST(CppHttpLater, WhatWasSetIsKept)
{
  keeping waiting;
  weir::server app;
  app.get("/", [&](weir::request &req) {
    EXPECT_FALSE(req.respond_header("X-Before", "1"));
    EXPECT_FALSE(req.respond_body("text/plain", "before"));
    waiting.kept.set_value(req.keep());
    return weir::later;
  });
  running server(app);
  client one(app.port());
  ASSERT_TRUE(one.send(running::plain("GET /")));
  EXPECT_FALSE(await(waiting.kept).respond(203));
  auto answer = one.read_response();
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 203);
  EXPECT_EQ(answer->value("x-before"), "1");
  EXPECT_EQ(answer->body, "before");
}

/* A response that is written as far as it is taken, until drain says to go on. */
struct download {
  static constexpr std::size_t total = 12 << 20, piece = 32 << 10;
  std::atomic<std::size_t> written = 0, refused = 0, most = 0;

  void pump(weir::kept_request &to)
  {
    std::string bytes(piece, 'x');
    while (written < total) {
      std::error_code error = to.write(bytes);
      most = std::max(most.load(), to.buffered());
      if (error) {
        EXPECT_EQ(error, std::errc::no_buffer_space);
        refused++;
        return;
      }
      written += piece;
    }
    EXPECT_FALSE(to.end());
  }
};

TEST(CppHttpLater, StreamsAsFastAsThePeerReads)
{
  download down;
  std::promise<void> full;
  weir::server app;
  app.http("GET", "/",
           {.request =
                [&](weir::request &req) {
                  weir::kept_request kept = req.keep();
                  kept.set_user(&down);
                  EXPECT_FALSE(kept.begin({.type = "application/x"}, download::total));
                  kept.user<download>()->pump(kept);
                  full.set_value();
                  return weir::later;
                },
            .drain = [](weir::kept_request &kept) { kept.user<download>()->pump(kept); },
            .options = {.max_queued_bytes = 256 << 10}});
  running server(app);
  client one(app.port(), 16 << 10);
  ASSERT_TRUE(one.send(running::plain("GET /")));
  await_done(full);
  EXPECT_GT(down.refused, 0u);
  EXPECT_LT(down.written, download::total);
  auto answer = one.read_response();
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->value("content-type"), "application/x");
  EXPECT_EQ(answer->body, std::string(download::total, 'x'));
  EXPECT_LE(down.most, 256u << 10);
}

/* So many bytes, in whatever pieces they come. */
std::string read_bytes(client &from, std::size_t count)
{
  std::string all, more = "?";
  while (all.size() < count && !more.empty())
    all += more = from.read_some(count - all.size());
  return all;
}

TEST(CppHttpLater, StreamsOfUnknownLengthFromAnotherThread)
{
  keeping waiting;
  weir::server app;
  app.get("/", waiting.handler());
  running server(app);
  client one(app.port());
  ASSERT_TRUE(one.send(running::plain("GET /")));
  weir::kept_request kept = await(waiting.kept);
  EXPECT_FALSE(kept.begin({.type = "text/event-stream"}));
  EXPECT_EQ(kept.respond(200), std::errc::connection_already_in_progress);
  auto head = one.read_response(false);
  ASSERT_TRUE(head);
  EXPECT_EQ(head->value("transfer-encoding"), "chunked");
  EXPECT_EQ(head->value("content-type"), "text/event-stream");
  EXPECT_FALSE(kept.write("data: 1\n\n"));
  EXPECT_EQ(read_bytes(one, 14), "9\r\ndata: 1\n\n\r\n");
  EXPECT_FALSE(kept.write(std::as_bytes(std::span("22", 2))));
  EXPECT_FALSE(kept.end());
  EXPECT_EQ(kept.end(), std::errc::invalid_argument);
  EXPECT_EQ(read_bytes(one, 12), "2\r\n22\r\n0\r\n\r\n");
}

TEST(CppHttpLater, GoneOnce)
{
  keeping waiting;
  std::promise<weir::kept_request> gone;
  weir::server app;
  app.get("/", {.request = waiting.handler(),
                .gone = [&](weir::kept_request &kept) { gone.set_value(std::move(kept)); }});
  running server(app);
  client one(app.port());
  ASSERT_TRUE(one.send(running::plain("GET /")));
  weir::kept_request kept = await(waiting.kept);
  one.reset();
  EXPECT_EQ(await(gone), kept);
  EXPECT_EQ(kept.respond({.body = "late"}).value(), -ESTALE);
  EXPECT_EQ(kept.begin(200).value(), -ESTALE);
}

TEST(CppHttpLater, GoneAndDrainMayThrow)
{
  std::promise<void> drained, gone;
  std::vector<std::string> lines;
  weir::server app({.log = [&](weir::log_level level, std::string_view line) {
    if (level == weir::log_level::error)
      lines.emplace_back(line); // one loop, and read once it is stopped
  }});
  app.get("/", {.request =
                    [](weir::request &req) {
                      weir::kept_request kept = req.keep();
                      EXPECT_FALSE(kept.begin(200, 16 << 20));
                      while (!kept.write(std::string(32 << 10, 'x')))
                        continue;
                      return weir::later;
                    },
                .drain =
                    [&](weir::kept_request &) {
                      drained.set_value();
                      throw std::runtime_error("in drain");
                    },
                .gone =
                    [&](weir::kept_request &) {
                      gone.set_value();
                      throw std::runtime_error("in gone");
                    },
                .options = {.max_queued_bytes = 64 << 10}});
  app.get("/echo", [](weir::request &) { return weir::response{.body = "still here"}; });
  running server(app);
  client one(app.port());
  ASSERT_TRUE(one.send(running::plain("GET /")));
  await_done(drained);
  one.reset();
  await_done(gone);
  EXPECT_EQ(server.get("/echo").body, "still here");
  server.stop();
  EXPECT_EQ(lines, (std::vector<std::string>{"exception in drain: in drain",
                                             "exception in gone: in gone"}));
}

/* An upload, whose pieces find what they belong to by the request's user. */
struct upload {
  static inline std::atomic<int> alive = 0;
  std::string bytes;
  upload()
  {
    ++alive;
  }
  upload(const upload &) = delete;
  ~upload()
  {
    --alive;
  }
};

TEST(CppHttpLater, BodiesInPieces)
{
  std::promise<void> begun, gone;
  weir::server app;
  app.http("PUT", "/:name",
           {.request =
                [&](weir::request &req) {
                  EXPECT_EQ(req.body(), "");
                  req.keep().set_user(new upload);
                  if (req.parameter("name") == "cut")
                    begun.set_value();
                  return weir::later;
                },
            .body =
                [](weir::kept_request &req, std::string_view piece, bool last) {
                  upload *up = req.user<upload>();
                  up->bytes += piece;
                  if (!last)
                    return;
                  std::unique_ptr<upload> done(up);
                  EXPECT_FALSE(req.respond({.body = done->bytes}));
                },
            .gone =
                [&](weir::kept_request &req) {
                  delete req.user<upload>();
                  gone.set_value();
                },
            .options = {.max_body_bytes = weir::off}});
  running server(app);
  std::string body(300000, 'a');
  EXPECT_EQ(server.ask("PUT /whole", body).body, body);
  client chunked(app.port());
  ASSERT_TRUE(chunked.send("PUT /chunked HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                           "3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n"));
  EXPECT_EQ(chunked.read_response().value_or(catalogue::response{}).body, "onetwo");
  client cut(app.port());
  std::string bytes = running::plain("PUT /cut", body);
  ASSERT_TRUE(cut.send(bytes.substr(0, bytes.size() / 2)));
  await_done(begun);
  cut.reset();
  await_done(gone);
  EXPECT_EQ(upload::alive, 0);
}

TEST(CppHttpLater, UpgradesAreDecidedLater)
{
  struct session {
    std::shared_ptr<std::string> name = std::make_shared<std::string>();
  };
  std::promise<std::pair<weir::kept_request, std::shared_ptr<std::string>>> first, second;
  std::atomic<int> asked = 0;
  weir::server app;
  app.route<session>("/:who",
                     {.upgrade =
                          [&](weir::request &req, session &s) {
                            (asked++ == 0 ? first : second).set_value({req.keep(), s.name});
                            return weir::later;
                          },
                      .open = [](weir::conn<session> ws) { ws.send("hello " + *ws->name); }});
  running server(app);
  client one(app.port());
  ASSERT_TRUE(one.send(catalogue::request{}.with_line("GET /ann HTTP/1.1").str()));
  auto [kept, name] = await(first);
  *name = "ann, whom a thread knows";
  EXPECT_EQ(kept.parameter("who"), "ann");
  EXPECT_EQ(kept.respond(200), std::errc::invalid_argument);
  EXPECT_FALSE(kept.accept());
  EXPECT_EQ(one.read_response(false).value_or(catalogue::response{}).status, 101);
  EXPECT_EQ(read_text(one), "hello ann, whom a thread knows");
  client two(app.port());
  ASSERT_TRUE(two.send(catalogue::request{}.with_line("GET /eve HTTP/1.1").str()));
  EXPECT_FALSE(await(second).first.respond({.status = 403, .body = "not you"}));
  auto refused = two.read_response();
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->status, 403);
  EXPECT_EQ(refused->body, "not you");
}

/* A thread's own mark tells on which loop a handler runs. */
TEST(CppHttpLater, RequestsMoveBetweenLoops)
{
  weir::server app{{.loops = 2}};
  std::array<std::thread::id, 2> threads;
  std::mutex lock;
  auto here = [&](std::size_t loop) { // each loop has one thread
    std::lock_guard held(lock);
    if (threads[loop] == std::thread::id())
      threads[loop] = std::this_thread::get_id();
    EXPECT_EQ(threads[loop], std::this_thread::get_id());
  };
  app.post("/:loop", [&](weir::request &req) {
    here(req.loop());
    std::size_t wanted = std::stoul(req.parameter("loop"));
    if (req.loop() != wanted)
      return req.move(wanted);
    return req.respond({.body = std::to_string(req.loop()) + " " + std::string(req.body())});
  });
  running server(app);
  client one(app.port());
  for (const char *loop : {"0", "1", "1", "0"}) {
    ASSERT_TRUE(one.send(running::plain("POST /"s + loop, "body")));
    EXPECT_EQ(one.read_response().value_or(catalogue::response{}).body, loop + " body"s);
  }
  EXPECT_NE(threads[0], threads[1]);
  EXPECT_EQ(server.ask("POST /2").status, 500);
}

struct counted {
  static inline std::atomic<int> made = 0, alive = 0;
  counted()
  {
    ++made, ++alive;
  }
  counted(const counted &) = delete;
  ~counted()
  {
    --alive;
  }
  std::size_t loop = 0;
};

TEST(CppHttpLater, UpgradesMoveBetweenLoops)
{
  counted::made = 0;
  std::atomic<int> asked = 0;
  std::atomic<std::size_t> wanted = 0;
  weir::server app{{.loops = 2}};
  app.route<counted>("/",
                     {.upgrade =
                          [&](weir::request &req, counted &user) {
                            user.loop = req.loop();
                            if (asked++ % 2 != 0)
                              return 0;
                            wanted = 1 - req.loop();
                            return req.move(wanted);
                          },
                      .open = [](weir::conn<counted> ws) { ws.send(std::to_string(ws->loop)); },
                      .message = [](weir::conn<> ws, weir::message m) { ws.send(m); }});
  app.route("/nowhere", {.upgrade = [](weir::request &req) { return req.move(2); }});
  {
    running server(app);
    for (int i = 0; i < 4; i++) {
      client one = server.open();
      EXPECT_EQ(read_text(one), std::to_string(wanted));
      say(one, "on the loop");
      EXPECT_EQ(read_text(one), "on the loop");
    }
    EXPECT_EQ(server.status_of("/nowhere"), 500);
  }
  EXPECT_EQ(counted::made, 8) << "on each loop one";
  EXPECT_EQ(counted::alive, 0);
}

} // namespace
