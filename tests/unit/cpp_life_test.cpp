/* The C++ layer: a server that drains, and connections as other threads have them. */
#include "unit/cpp_support.hpp"

#include <atomic>

using namespace cpp_test;
using namespace std::literals;

namespace
{

struct user {
  int number = 0;
};

/* The client answers the Close frame that comes next. */
void answer_close(client &to)
{
  EXPECT_EQ(read_close(to), 1001);
  EXPECT_TRUE(to.send(catalogue::closing(1001, "")));
}

TEST(CppLife, DrainEndsRun)
{
  std::promise<int> closed;
  weir::server app;
  app.route("/",
            {.close = [&](weir::conn<>, int code, std::string_view) { closed.set_value(code); }});
  app.listen("127.0.0.1", 0);
  std::thread serving([&] { app.run(); });
  {
    client one(app.port());
    EXPECT_TRUE(one.upgrade(catalogue::request{}));
    EXPECT_EQ(app.drain(std::chrono::hours(25)), std::errc::invalid_argument);
    EXPECT_EQ(app.drain(-1ms), std::errc::invalid_argument);
    EXPECT_FALSE(app.drain(300ms));
    answer_close(one);
    EXPECT_EQ(await(closed), 1001);
  }
  serving.join();
}

TEST(CppLife, Lifetime)
{
  weir::server app;
  app.route("/", {.options = {.max_lifetime_ms = 100}});
  running server(app);
  client one = server.open("/");
  answer_close(one);
}

TEST(CppLife, VisitsConnections)
{
  std::promise<weir::conn_id> opened;
  std::promise<void> closed;
  weir::server app;
  app.route<user>("/",
                  {.open =
                       [&](weir::conn<user> ws) {
                         ws->number = 42;
                         opened.set_value(ws.id());
                       },
                   .close = [&](weir::conn<user>, int, std::string_view) { closed.set_value(); }});
  running server(app);
  weir::conn_id id;
  {
    client one = server.open("/");
    id = await(opened);
    EXPECT_EQ(app.connections(), 1u);
    std::promise<int> number;
    EXPECT_FALSE(app.with<user>(id, [&](std::optional<weir::conn<user>> ws) {
      number.set_value(ws ? (*ws)->number : 0);
      throw std::runtime_error("is dropped");
    }));
    EXPECT_EQ(await(number), 42);
  }
  await_done(closed);
  EXPECT_EQ(app.connections(), 0u);
  std::promise<bool> gone;
  auto look = [&](std::optional<weir::conn<>> ws) { gone.set_value(!ws); };
  EXPECT_FALSE(app.with(id, look));
  EXPECT_TRUE(await(gone));
  EXPECT_EQ(app.with(weir::conn_id(), look).value(), -ESTALE);
}

TEST(CppLife, ChoosesReceivers)
{
  std::atomic<int> next{0};
  weir::server app;
  app.route<user>("/", {.open = [&](weir::conn<user> ws) { ws->number = next++; }});
  running server(app);
  client zero = server.open("/"), one = server.open("/"), two = server.open("/");
  auto token = std::make_shared<int>();
  std::weak_ptr<int> watched = token;
  EXPECT_FALSE(app.broadcast_if(weir::frame::text("odd"), [token = std::move(token)](auto ws) {
    int number = static_cast<user *>(weir_conn_user(ws.native()))->number;
    if (number == 2)
      throw std::runtime_error("means no");
    return number % 2 == 1;
  }));
  app.broadcast(weir::frame::text("all"));
  EXPECT_EQ(read_text(one), "odd");
  for (client *each : {&zero, &one, &two})
    EXPECT_EQ(read_text(*each), "all");
  EXPECT_TRUE(watched.expired());
}

} // namespace
