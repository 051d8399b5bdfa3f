/* The C++ layer against a running server and real sockets: the documentation's two programs, user
 * data, options, GET handlers, fragments, topics, ids, and calls from other threads. */
#include "unit/cpp_support.hpp"

using namespace cpp_test;
using namespace std::literals;

namespace
{

TEST(CppServerRun, Tutorial)
{
  std::promise<std::string> left;
  weir::server app;
  app.route("/", {
                     .open = [](weir::conn<> ws) { ws.send("Welcome to the websocket server"); },
                     .message =
                         [](weir::conn<> ws, weir::message m) {
                           if (m.is_text())
                             ws.send("You sent -> " + std::string(m.text()));
                           else
                             ws.send(m);
                         },
                     .close =
                         [&](weir::conn<>, int code, std::string_view reason) {
                           left.set_value(std::to_string(code) + " " + std::string(reason));
                         },
                 });
  app.route("/all", {.message = [&](weir::conn<>, weir::message m) { app.broadcast(m); }});
  app.route("/others", {.message = [&](weir::conn<> ws, weir::message m) {
              app.broadcast(m, {.except = ws.id()});
            }});
  running server(app);

  client one = server.open("/");
  EXPECT_EQ(read_text(one), "Welcome to the websocket server");
  say(one, "hi");
  EXPECT_EQ(read_text(one), "You sent -> hi");
  say_binary(one, "\0\1"s);
  EXPECT_EQ(read_binary(one), "\0\1"s);

  client two = server.open("/all"), three = server.open("/others");
  say(two, "to all");
  for (client *each : {&one, &two, &three})
    EXPECT_EQ(read_text(*each), "to all");
  say_binary(three, "to others");
  say(two, "again"); // three gets this one next: its own never came
  EXPECT_EQ(read_text(three), "again");
  for (client *each : {&one, &two})
    EXPECT_EQ(read_binary(*each), "to others");

  EXPECT_TRUE(one.send(catalogue::closing(4000, "bye")));
  EXPECT_EQ(await(left), "4000 bye");
}

struct user {
  std::string name, room;
};

TEST(CppServerRun, Chat)
{
  weir::server app{{.loops = 2}};
  app.route<user>(
      "/chat/:room",
      {
          .upgrade =
              [](weir::request &req, user &u) {
                u = {req.query("name"), "chat/" + req.parameter("room")};
                return u.name.empty() ? -403 : 0;
              },
          .open =
              [](weir::conn<user> ws) {
                EXPECT_FALSE(ws.subscribe(ws->room));
                EXPECT_TRUE(ws.is_subscribed(ws->room));
                ws.send("hello " + (*ws).name);
              },
          .message =
              [&](weir::conn<user> ws, weir::message m) {
                app.publish(ws->room, weir::frame::text(ws->name + ": " + std::string(m.text())));
              },
          .options = {.max_message_bytes = 64 << 10, .origins = {"https://example.org"}},
      });
  running server(app);

  EXPECT_EQ(server.status_of("/chat/red"), 403);
  EXPECT_EQ(server.status_of("/chat/red?name=a", {"Origin: https://evil.example"}), 403);
  client ann = server.open("/chat/red?name=ann", {"Origin: https://example.org"});
  client bob = server.open("/chat/red?name=b%C3%B6b");
  client eve = server.open("/chat/blue?name=eve");
  EXPECT_EQ(read_text(ann), "hello ann");
  EXPECT_EQ(read_text(bob), "hello böb");
  EXPECT_EQ(read_text(eve), "hello eve");
  EXPECT_EQ(app.subscribers("chat/red"), 2u);
  say(bob, "hi");
  EXPECT_EQ(read_text(ann), "böb: hi");
  EXPECT_EQ(read_text(bob), "böb: hi");
  say(eve, "alone");
  EXPECT_EQ(read_text(eve), "eve: alone");
  say(ann, std::string((64 << 10) + 1, 'x'));
  EXPECT_EQ(read_close(ann), 1009);
}

/* A slow consumer is told of what it missed, by its topic's policy. */
TEST(CppServerRun, SlowConsumers)
{
  std::promise<std::size_t> told;
  weir::server app;
  app.topic_policy("price/", weir::queue_policy::keep_latest);
  EXPECT_THROW(app.topic_policy("", weir::queue_policy::close), std::system_error);
  app.route("/", {.open = [](weir::conn<> ws) { ws.subscribe("price/a"); },
                  .message =
                      [&](weir::conn<> ws, weir::message) {
                        EXPECT_FALSE(ws.set_queue_policy(weir::queue_policy::drop_newest));
                        while (!ws.send(std::string(60000, 'x')))
                          continue;
                        for (int i = 0; i < 100; i++)
                          app.publish("price/a", weir::frame::text(std::to_string(i)));
                      },
                  .dropped = [&](weir::conn<>, std::size_t messages) { told.set_value(messages); },
                  .options = {.max_queued_bytes = 1 << 20}});
  running server(app);
  client one = server.open("/");
  say(one, "fill");
  EXPECT_EQ(await(told), 1u + 99) << "the send that was refused, and the prices but for the last";
  std::string last = read_text(one);
  while (last.size() == 60000)
    last = read_text(one);
  EXPECT_EQ(last, "99");
}

struct counted {
  static inline std::atomic<int> alive = 0, made = 0;
  std::string text = "fresh";
  counted()
  {
    ++alive, ++made;
  }
  counted(const counted &) = delete;
  ~counted()
  {
    --alive;
  }
};

TEST(CppServerRun, UserLivesFromUpgradeToClose)
{
  std::promise<std::string> closed;
  weir::server app;
  app.route<counted>("/", {
                              .upgrade =
                                  [](weir::request &req, counted &u) {
                                    EXPECT_EQ(u.text, "fresh");
                                    u.text = req.header("X-Text");
                                    return u.text == "no" ? -401 : 0;
                                  },
                              .close = [&](weir::conn<counted> ws, int,
                                           std::string_view) { closed.set_value(ws->text); },
                          });
  {
    running server(app);
    EXPECT_EQ(server.status_of("/", {"X-Text: no"}), 401);
    client one = server.open("/", {"X-Text: a text that is too long for its object"});
    EXPECT_TRUE(one.send(catalogue::closing(1000)));
    EXPECT_EQ(await(closed), "a text that is too long for its object");
  }
  EXPECT_EQ(counted::made, 2);
  EXPECT_EQ(counted::alive, 0);
}

void answer(weir::conn<> ws, weir::message m)
{
  ws.send(m.bytes());
}

TEST(CppServerRun, AnyCallableIsAHandler)
{
  weir::server app;
  auto owned = std::make_unique<std::string>("owned");
  auto kept = [text = "kept"s](weir::conn<> ws) { ws.send(text); };
  app.route("/function", {.message = answer});
  app.route("/kept", {.open = kept});
  app.route("/again", {.open = kept});
  app.route("/owned", {.open = [owned = std::move(owned)](auto ws) { ws.send(*owned); }});
  app.route("/counting", {.message = [count = 0](weir::conn<> ws, weir::message) mutable {
              ws.send(std::to_string(++count));
            }});
  running server(app);

  client function = server.open("/function"), again = server.open("/again");
  say(function, "text");
  EXPECT_EQ(read_binary(function), "text");
  client first = server.open("/kept"), second = server.open("/owned");
  EXPECT_EQ(read_text(first), "kept");
  EXPECT_EQ(read_text(again), "kept");
  EXPECT_EQ(read_text(second), "owned");
  client counting = server.open("/counting");
  say(counting, "");
  say(counting, "");
  EXPECT_EQ(read_text(counting), "1");
  EXPECT_EQ(read_text(counting), "2");
}

TEST(CppServerRun, RequestAndProtocol)
{
  weir::server app;
  app.route("/:a/*", {
                         .upgrade =
                             [](weir::request &req) {
                               EXPECT_EQ(req.method(), "GET");
                               EXPECT_EQ(req.path(), "/b/c%20d");
                               EXPECT_EQ(req.parameter("a"), "b");
                               EXPECT_EQ(req.find_parameter("none"), std::nullopt);
                               EXPECT_EQ(req.find_query("empty"), "");
                               EXPECT_EQ(req.find_query("none"), std::nullopt);
                               EXPECT_EQ(req.query("none"), "");
                               EXPECT_EQ(req.find_header("none"), std::nullopt);
                               EXPECT_EQ(req.peer().address, "127.0.0.1");
                               EXPECT_NE(req.peer().port, 0);
                               EXPECT_FALSE(req.select_protocol("two"));
                               EXPECT_EQ(req.select_protocol("four"),
                                         std::errc::no_such_file_or_directory);
                               EXPECT_FALSE(req.respond_header("X-One", "1"));
                               EXPECT_EQ(req.respond_header("X-One", "1\r\nX-Two: 2"s),
                                         std::errc::invalid_argument);
                               return 0;
                             },
                         .open =
                             [](weir::conn<> ws) {
                               EXPECT_EQ(ws.peer().address, "127.0.0.1");
                               ws.send(ws.protocol());
                             },
                         .options = {.protocols = {"one", "two"}},
                     });
  running server(app);
  client one = server.open("/b/c%20d?empty=&x=y", {"Sec-WebSocket-Protocol: one, two, three"});
  EXPECT_EQ(read_text(one), "two");
}

TEST(CppServerRun, RefusalCarriesItsBody)
{
  weir::server app;
  app.route("/", {.upgrade = [](weir::request &req) {
              req.respond_header("WWW-Authenticate", "Basic");
              req.respond_body("text/plain", "who are you?");
              return -401;
            }});
  running server(app);
  client one(app.port());
  ASSERT_TRUE(one.send(catalogue::request{}.str()));
  auto response = one.read_response();
  ASSERT_TRUE(response);
  EXPECT_EQ(response->status, 401);
  EXPECT_EQ(response->value("www-authenticate"), "Basic");
  EXPECT_EQ(response->body, "who are you?");
}

TEST(CppServerRun, Get)
{
  weir::server app;
  app.get("/page", [](weir::request &) {
    return weir::response{.status = 201, .type = "text/html", .body = "<p>page"};
  });
  app.get("/status", [](weir::request &req) {
    EXPECT_FALSE(req.respond_body("text/plain", req.path()));
    return 404;
  });
  running server(app);
  auto page = server.get("/page");
  EXPECT_EQ(page.status, 201);
  EXPECT_EQ(page.value("content-type"), "text/html");
  EXPECT_EQ(page.body, "<p>page");
  auto status = server.get("/status");
  EXPECT_EQ(status.status, 404);
  EXPECT_EQ(status.body, "/status");
}

TEST(CppServerRun, SendsInFragments)
{
  weir::server app;
  app.route("/", {.open = [](weir::conn<> ws) {
              EXPECT_EQ(ws.send_end(), std::errc::invalid_argument);
              EXPECT_FALSE(ws.send_begin("a"));
              EXPECT_EQ(ws.send_begin("b"), std::errc::device_or_resource_busy);
              EXPECT_FALSE(ws.send("whole"));
              EXPECT_FALSE(ws.send_more("b"s));
              EXPECT_FALSE(ws.send_end(std::as_bytes(std::span("c", 1))));
            }});
  running server(app);
  client one = server.open("/");
  EXPECT_EQ(read(one, catalogue::text), "a");
  EXPECT_EQ(read(one, catalogue::continuation), "b");
  EXPECT_EQ(read(one, catalogue::fin | catalogue::continuation), "c");
  EXPECT_EQ(read_text(one), "whole");
}

TEST(CppServerRun, TakesPieces)
{
  weir::server app;
  auto whole = std::make_shared<std::string>();
  app.route("/", {.fragment = [whole](weir::conn<> ws, weir::message piece) {
              if (piece.first())
                whole->clear();
              *whole += piece.text();
              if (piece.last())
                ws.send(*whole);
            }});
  running server(app);
  client one = server.open("/");
  ASSERT_TRUE(one.send(catalogue::masked(catalogue::text, "one, ")));
  ASSERT_TRUE(one.send(catalogue::masked(catalogue::continuation, "two, ")));
  ASSERT_TRUE(one.send(catalogue::masked(catalogue::fin | catalogue::continuation, "three")));
  EXPECT_EQ(read_text(one), "one, two, three");
}

TEST(CppServerRun, PingsAndPongs)
{
  weir::server app;
  auto text = [](std::span<const std::byte> payload) {
    return std::string(reinterpret_cast<const char *>(payload.data()), payload.size());
  };
  app.route("/",
            {.open = [](weir::conn<> ws) { EXPECT_FALSE(ws.ping("are you there?")); },
             .ping = [=](weir::conn<> ws, auto payload) { ws.send("ping " + text(payload)); },
             .pong = [=](weir::conn<> ws, auto payload) { ws.send("pong " + text(payload)); }});
  running server(app);
  client one = server.open("/");
  EXPECT_EQ(read(one, catalogue::fin | catalogue::ping), "are you there?");
  ASSERT_TRUE(one.send(catalogue::masked(catalogue::fin | catalogue::pong, "yes")));
  EXPECT_EQ(read_text(one), "pong yes");
  ASSERT_TRUE(one.send(catalogue::masked(catalogue::fin | catalogue::ping, "you?")));
  EXPECT_EQ(read(one, catalogue::fin | catalogue::pong), "you?");
  EXPECT_EQ(read_text(one), "ping you?");
}

TEST(CppServerRun, ClosesWithCodeAndReason)
{
  weir::server app;
  app.route("/", {.message = [](weir::conn<> ws, weir::message m) {
              EXPECT_EQ(ws.close(1000, std::string(124, 'x')), std::errc::invalid_argument);
              EXPECT_EQ(ws.close(1000, "a\0b"sv), std::errc::invalid_argument);
              EXPECT_EQ(ws.close(1005), std::errc::invalid_argument);
              if (m.text() == "plain")
                EXPECT_FALSE(ws.close());
              else
                EXPECT_FALSE(ws.close(4321, m.text()));
              EXPECT_EQ(ws.close(), std::errc::connection_already_in_progress);
              EXPECT_EQ(ws.send("late"), std::errc::broken_pipe);
            }});
  running server(app);
  client one = server.open("/"), two = server.open("/");
  say(one, "plain");
  EXPECT_EQ(read_close(one), 1000);
  say(two, std::string(123, 'y'));
  auto frame = two.read_frame();
  ASSERT_TRUE(frame);
  EXPECT_EQ(frame->close_code(), 4321);
  EXPECT_EQ(frame->close_reason(), std::string(123, 'y'));
}

TEST(CppServerRun, TopicsPassTheSenderBy)
{
  weir::server app;
  app.route("/", {.open =
                      [](weir::conn<> ws) {
                        EXPECT_FALSE(ws.subscribe("topic"));
                        EXPECT_EQ(ws.subscribe(""), std::errc::invalid_argument);
                        ws.send("ready");
                      },
                  .message =
                      [&](weir::conn<> ws, weir::message m) {
                        if (m.text() == "leave") {
                          EXPECT_FALSE(ws.unsubscribe("topic"));
                          EXPECT_EQ(ws.unsubscribe("topic"), std::errc::no_such_file_or_directory);
                        } else if (m.text() == "frame") {
                          ws.publish("topic", weir::frame::binary(m.bytes()));
                        } else if (m.text() == "server") {
                          app.publish("topic", m, {.except = ws.id()});
                        } else {
                          ws.publish("topic", m);
                        }
                        ws.send("done");
                      }});
  running server(app);
  client one = server.open("/"), two = server.open("/");
  EXPECT_EQ(read_text(one), "ready");
  EXPECT_EQ(read_text(two), "ready");
  for (const char *text : {"message", "frame", "server"}) {
    say(one, text);
    EXPECT_EQ(read_text(one), "done");
  }
  EXPECT_EQ(read_text(two), "message");
  EXPECT_EQ(read_binary(two), "frame");
  EXPECT_EQ(read_text(two), "server");
  say(two, "leave");
  EXPECT_EQ(read_text(two), "done");
  EXPECT_EQ(app.subscribers("topic"), 1u);
}

TEST(CppServerRun, IdsServeEveryThread)
{
  std::promise<weir::conn_id> opened;
  std::promise<int> closed;
  weir::server app;
  app.route<user>("/", {.open =
                            [&](weir::conn<user> ws) {
                              ws->name = "found";
                              EXPECT_TRUE(app.find(ws.loop(), ws.id()));
                              EXPECT_FALSE(app.find(ws.loop(), weir::conn_id()));
                              opened.set_value(ws.id());
                            },
                        .message =
                            [&](weir::conn<user> ws, weir::message) {
                              auto found = app.find<user>(ws.loop(), ws.id());
                              ASSERT_TRUE(found);
                              EXPECT_EQ(*found, ws);
                              found->send((*found)->name);
                            },
                        .close = [&](weir::conn<user>, int code,
                                     std::string_view) { closed.set_value(code); }});
  running server(app);
  client one = server.open("/");
  weir::conn_id id = await(opened);
  EXPECT_FALSE(app.send(id, weir::frame::text("from elsewhere")));
  EXPECT_EQ(read_text(one), "from elsewhere");
  say(one, "find me");
  EXPECT_EQ(read_text(one), "found");
  EXPECT_FALSE(app.broadcast(weir::frame::text("to all")));
  EXPECT_EQ(read_text(one), "to all");
  EXPECT_EQ(app.broadcast(weir::frame()), std::errc::invalid_argument);
  EXPECT_EQ(app.close(id, 1000, std::string(124, 'x')), std::errc::invalid_argument);
  EXPECT_FALSE(app.close(id, 4001, "go"));
  EXPECT_EQ(read_close(one), 4001);
  ASSERT_TRUE(one.send(catalogue::closing(4001)));
  EXPECT_EQ(await(closed), 4001);
  EXPECT_EQ(app.counters().opened, 1u);
}

struct pausing {
  std::optional<weir::timer> timer; // goes with the connection, and so before its loop
};

TEST(CppServerRun, PausesAndAborts)
{
  weir::server app;
  std::promise<int> closed;
  app.route<pausing>(
      "/", {.message =
                [](weir::conn<pausing> ws, weir::message m) {
                  if (m.text() == "abort")
                    return ws.abort();
                  ws.pause();
                  ws->timer.emplace(ws.loop(), [ws]() mutable {
                    ws.send("resumed");
                    ws.resume();
                  });
                  ws->timer->start(std::chrono::milliseconds(1));
                },
            .close = [&](weir::conn<>, int code, std::string_view) { closed.set_value(code); }});
  running server(app);
  client one = server.open("/");
  say(one, "pause");
  say(one, "abort");
  EXPECT_EQ(read_text(one), "resumed");
  EXPECT_EQ(await(closed), 1006);
}

TEST(CppServerRun, AttachesToALoop)
{
  weir::loop loop;
  weir::server app;
  app.route("/", {.message = [](weir::conn<> ws, weir::message m) { ws.send(m); }});
  app.listen("127.0.0.1", 0).attach(loop);
  EXPECT_THROW(app.run(), std::system_error);
  std::future<std::string> echoed = std::async(std::launch::async, [port = app.port()] {
    client one(port);
    one.upgrade();
    say(one, "attached");
    return read_text(one);
  });
  while (echoed.wait_for(std::chrono::seconds(0)) != std::future_status::ready)
    loop.step(std::chrono::milliseconds(10));
  EXPECT_EQ(echoed.get(), "attached");
}

} // namespace
