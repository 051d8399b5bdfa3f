// A server that drains: whom it still serves, when it tells whom to go, and its end, on a clock
// that the test puts forward; and on loops of its own, asked from anywhere.
#include "http_later_fixture.hpp"

#include "ws/server.h"

#include <algorithm>
#include <csignal>
#include <mutex>
#include <netinet/in.h>

using namespace http_later_test;

namespace
{

constexpr uint64_t tick = WEIR__WHEEL_TICK_MS, late = 2 * tick;

class drain : public http_later
{
protected:
  std::vector<int> codes; /* of on_close */

  drain()
  {
    at.freeze();
    at.options.ping_interval_ms = WEIR_OFF;
    at.on.close = [this](weir_conn *, int code, std::string_view) { codes.push_back(code); };
  }
  ~drain() override
  {
    at.end_server(); /* what is open closes while codes is there */
  }

  void begin(size_t deadline_ms)
  {
    EXPECT_EQ(weir_server_drain(at.server(), deadline_ms), 0);
    at.settle();
  }
  bool runs() const
  {
    return weir_server_loop(at.server(), 0) != nullptr;
  }
  void pass(uint64_t ms)
  {
    for (; ms > 0; ms -= std::min(ms, tick))
      at.pass(std::min(ms, tick));
    at.settle();
  }
  std::vector<peer *> open(size_t count)
  {
    std::vector<peer *> made;
    for (size_t i = 0; i < count; i++)
      made.push_back(&at.open());
    return made;
  }

  /* Lets time pass until all were told to go; when each was, in the order of times. */
  std::vector<uint64_t> goodbyes(std::vector<peer *> clients, uint64_t most_ms)
  {
    std::vector<uint64_t> times;
    for (uint64_t now = 0; now <= most_ms && !clients.empty(); now += tick) {
      std::erase_if(clients, [&](peer *client) {
        std::optional<frame> got = client->take();
        if (!got)
          return false;
        EXPECT_EQ(got->first, fin | closing);
        EXPECT_EQ(got->code(), 1001);
        EXPECT_NE(got->reason(), "");
        client->say(got->payload, fin | closing);
        client->half_close();
        times.push_back(now);
        return true;
      });
      pass(tick);
    }
    EXPECT_TRUE(clients.empty()) << clients.size() << " were not told to go";
    return times;
  }
};

TEST_F(drain, TellsConnectionsToGoOneByOne)
{
  constexpr uint64_t window = 8000;
  constexpr size_t count = 40;
  start();
  std::vector<peer *> clients = open(count);
  EXPECT_EQ(weir__server_not_ready(at.server()), nullptr);
  begin(window);
  EXPECT_NE(weir__server_not_ready(at.server()), nullptr);
  std::vector<uint64_t> times = goodbyes(clients, window / 2 + late);
  ASSERT_EQ(times.size(), count);
  for (size_t quarter = 0; quarter < 4; quarter++) {
    uint64_t from = quarter * window / 8, to = from + window / 8;
    auto here = std::count_if(times.begin(), times.end(),
                              [&](uint64_t t) { return t >= from + late && t < to + late; });
    EXPECT_GE(here, static_cast<long>(count / 4 - 4)) << "in quarter " << quarter;
    EXPECT_LE(here, static_cast<long>(count / 4 + 4)) << "in quarter " << quarter;
  }
  EXPECT_EQ(codes, std::vector<int>(count, 1001));
  for (peer *client : clients)
    EXPECT_TRUE(at.ends(*client));
  at.settle();
  EXPECT_FALSE(runs()) << "nobody is left";
}

TEST_F(drain, ServesUntilItIsTheirTurn)
{
  at.on.message = [](weir_conn *c, const weir_message *m) { weir_conn_send_message(c, m); };
  start();
  open(8);
  peer &client = *open(1).front();
  begin(60000);
  client.say("still there?");
  EXPECT_EQ(at.next(client).payload, "still there?");
  EXPECT_TRUE(runs());
}

TEST_F(drain, EndsHardAtTheDeadline)
{
  start();
  std::vector<peer *> clients = open(3); /* none of which answers a Close frame */
  begin(4000);
  pass(4000 - tick);
  EXPECT_TRUE(codes.empty());
  EXPECT_TRUE(runs());
  pass(2 * tick);
  EXPECT_EQ(codes, std::vector<int>(3, 1001));
  EXPECT_FALSE(runs());
  for (peer *client : clients) {
    EXPECT_EQ(at.next(*client).code(), 1001);
    EXPECT_TRUE(at.ends(*client));
  }
}

/* Who answers no Close frame is waited for as after any other. */
TEST_F(drain, ClosingHandshakesHaveTheirTimeout)
{
  at.options.close_timeout_ms = 1000;
  start();
  open(1);
  begin(20000);
  pass(10000 + 1000 + 2 * late + tick);
  EXPECT_EQ(codes, std::vector<int>{1006});
  EXPECT_FALSE(runs());
}

TEST_F(drain, EndsAtOnceWhereNobodyIsLeft)
{
  start();
  begin(60000);
  EXPECT_FALSE(runs());
}

TEST_F(drain, StopsListening)
{
  start();
  open(1);
  uint16_t port = at.port();
  begin(60000);
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(connect(fd, reinterpret_cast<sockaddr *>(&address), sizeof address), -1);
  EXPECT_EQ(errno, ECONNREFUSED);
  close(fd);
}

/* The kernel had completed their handshakes; the loop had not accepted them. */
TEST_F(drain, ServesWhoWaitsInLine)
{
  start();
  peer &client = at.connect(), &upgrading = at.connect();
  client.send(get("/now/1") + get("/now/2"));
  upgrading.send(upgrade_request());
  begin(60000);
  response got = at.answer(client);
  EXPECT_EQ(got.status, 200);
  EXPECT_EQ(got.body, "1");
  EXPECT_EQ(got.field("Connection"), "close");
  EXPECT_TRUE(at.ends(client));
  EXPECT_FALSE(client.was_reset());
  EXPECT_EQ(client.input(), "") << "nothing follows the last response";
  got = at.answer(upgrading);
  EXPECT_EQ(got.status, 503);
  EXPECT_NE(got.field("Retry-After"), "");
  EXPECT_TRUE(at.ends(upgrading));
}

TEST_F(drain, ClosesConnectionsBetweenRequests)
{
  start();
  peer &client = at.connect();
  client.send(get("/now/1"));
  EXPECT_EQ(at.answer(client).field("Connection"), "");
  begin(60000);
  EXPECT_TRUE(at.ends(client));
  EXPECT_FALSE(client.was_reset());
}

/* Who has asked for nothing may do so for half the time. */
TEST_F(drain, WaitsForFirstRequestsForHalfTheTime)
{
  start();
  peer &first = at.connect(), &second = at.connect();
  at.settle();
  begin(4000);
  pass(2000 - late);
  EXPECT_FALSE(first.ended());
  first.send(get("/now/1"));
  EXPECT_EQ(at.answer(first).body, "1");
  pass(2 * late + tick);
  EXPECT_TRUE(at.ends(second));
}

TEST_F(drain, FinishesTheRequestInHand)
{
  start();
  peer &client = ask(get("/later"));
  begin(60000);
  pass(30000);
  EXPECT_TRUE(runs());
  EXPECT_EQ(answer_with(kept[0], "at last"), 0);
  response got = at.answer(client);
  EXPECT_EQ(got.body, "at last");
  EXPECT_EQ(got.field("Connection"), "close");
  EXPECT_TRUE(at.ends(client));
  client.half_close();
  at.settle();
  EXPECT_FALSE(runs());
}

TEST_F(drain, FinishesAResponseThatHasBegun)
{
  start();
  peer &before = ask(get("/later"), 1), &after = ask(get("/later"), 2);
  EXPECT_EQ(weir_request_begin(kept[0], 200, WEIR_OFF), 0);
  begin(60000);
  EXPECT_EQ(weir_request_begin(kept[1], 200, WEIR_OFF), 0);
  for (weir_request *r : kept) {
    EXPECT_EQ(weir_request_write(r, "rest", 4), 0);
    EXPECT_EQ(weir_request_end(r), 0);
  }
  EXPECT_TRUE(at.ends(before));
  EXPECT_TRUE(at.ends(after));
  EXPECT_NE(before.input().find("4\r\nrest\r\n0\r\n\r\n"), std::string::npos);
  EXPECT_EQ(before.input().find("Connection: close"), std::string::npos);
  EXPECT_NE(after.input().find("Connection: close"), std::string::npos);
}

TEST_F(drain, EndsRequestsThatAreNotAnsweredAtTheDeadline)
{
  start();
  peer &client = ask(get("/later"));
  begin(1000);
  pass(1000 + tick);
  EXPECT_FALSE(runs());
  EXPECT_TRUE(at.ends(client));
  EXPECT_EQ(gone, kept);
}

TEST_F(drain, TheEarlierDeadlineCounts)
{
  start();
  std::vector<peer *> clients = open(4);
  begin(2000);
  begin(60000);
  EXPECT_EQ(goodbyes(clients, 1000 + late).size(), 4u);
  pass(2000);
  EXPECT_FALSE(runs());
}

TEST_F(drain, AnEarlierDeadlineReplacesALaterOne)
{
  start();
  std::vector<peer *> clients = open(4);
  begin(60000);
  begin(2000);
  EXPECT_EQ(goodbyes(clients, 1000 + late).size(), 4u);
}

TEST_F(drain, StopEndsItAtOnce)
{
  start();
  open(2);
  begin(60000);
  weir_server_stop(at.server());
  at.settle();
  EXPECT_EQ(codes, std::vector<int>(2, 1001));
  EXPECT_FALSE(runs());
}

TEST_F(drain, NoTimeAtAllIsStopping)
{
  start();
  open(2);
  begin(0);
  pass(tick);
  EXPECT_EQ(codes, std::vector<int>(2, 1001));
  EXPECT_FALSE(runs());
}

TEST_F(drain, TakesADayAtMost)
{
  constexpr size_t day_ms = 24 * 60 * 60 * 1000;
  start();
  EXPECT_EQ(weir_server_drain(at.server(), day_ms + 1), -EINVAL);
  EXPECT_EQ(weir_server_drain(at.server(), WEIR_OFF), -EINVAL);
  EXPECT_EQ(weir__server_not_ready(at.server()), nullptr);
  EXPECT_EQ(weir_server_drain(at.server(), day_ms), 0);
}

TEST_F(drain, PausedConnectionsGoToo)
{
  at.on.open = [](weir_conn *c) { weir_conn_pause(c); };
  start();
  peer &client = at.open();
  begin(2000);
  pass(1000 + late);
  EXPECT_EQ(at.next(client).code(), 1001);
}

TEST_F(drain, FromAHandler)
{
  at.on.message = [this](weir_conn *, const weir_message *) {
    EXPECT_EQ(weir_server_drain(at.server(), 2000), 0);
  };
  start();
  std::vector<peer *> clients = open(3);
  clients[1]->say("go");
  at.settle();
  EXPECT_EQ(goodbyes(clients, 1000 + late).size(), 3u);
  at.settle();
  EXPECT_FALSE(runs());
}

/* ---- on loops of its own */

class drain_thread : public testing::Test
{
protected:
  hooks on;
  weir_server *server = nullptr;
  std::thread runner;
  int result = -1;
  std::atomic<size_t> opened{0}, closed{0};

  drain_thread()
  {
    weir_options options = {};
    options.size = sizeof options;
    options.loops = 4;
    EXPECT_EQ(weir_server_new(&server, &options), 0);
    on.open = [this](weir_conn *) { opened++; };
    on.close = [this](weir_conn *, int, std::string_view) { closed++; };
  }
  ~drain_thread() override
  {
    if (runner.joinable())
      runner.join();
    weir_server_free(server);
  }
  void start()
  {
    weir_route route = route_of(on);
    ASSERT_EQ(weir_server_route(server, "/", &route, &on), 0);
    ASSERT_EQ(weir_server_listen(server, "127.0.0.1", 0), 0);
    runner = std::thread([this] { result = weir_server_run(server); });
  }
  std::vector<peer> connect(size_t count)
  {
    std::vector<peer> made;
    for (size_t i = 0; i < count; i++) {
      peer &client = made.emplace_back(weir_server_port(server));
      client.send(upgrade_request());
      EXPECT_TRUE(client.await([&] { return client.take_response(false).has_value(); }));
    }
    return made;
  }
  void expect_drained(std::vector<peer> &clients)
  {
    for (peer &client : clients) {
      frame got = client.await_frame();
      EXPECT_EQ(got.code(), 1001);
      client.say(got.payload, fin | closing);
      client.half_close();
    }
    runner.join();
    EXPECT_EQ(result, 0);
    EXPECT_EQ(opened, clients.size());
    EXPECT_EQ(closed, clients.size());
  }
};

TEST_F(drain_thread, EndsWhenTheLastOneLeaves)
{
  start();
  std::vector<peer> clients = connect(24);
  std::vector<std::thread> askers;
  for (size_t i = 0; i < 3; i++)
    askers.emplace_back([&, i] { EXPECT_EQ(weir_server_drain(server, 400 + i), 0); });
  for (std::thread &asker : askers)
    asker.join();
  expect_drained(clients);
}

TEST_F(drain_thread, EndsWithoutConnections)
{
  start();
  EXPECT_EQ(weir_server_drain(server, 60000), 0);
  runner.join();
  EXPECT_EQ(result, 0);
}

TEST_F(drain_thread, BeforeItRuns)
{
  EXPECT_EQ(weir_server_drain(server, 60000), 0);
  start();
  runner.join();
  EXPECT_EQ(result, 0);
}

weir_server *to_be_drained;

TEST_F(drain_thread, FromASignalHandler)
{
  to_be_drained = server;
  struct sigaction action = {}, before;
  action.sa_handler = [](int) { weir_server_drain(to_be_drained, 400); };
  ASSERT_EQ(sigaction(SIGUSR1, &action, &before), 0);
  start();
  std::vector<peer> clients = connect(8);
  EXPECT_EQ(pthread_kill(runner.native_handle(), SIGUSR1), 0);
  expect_drained(clients);
  sigaction(SIGUSR1, &before, nullptr);
}

/* The last connections go on all loops at once, and some while others are still let in. */
TEST(DrainRace, LastOnesLeaveWhileItBegins)
{
  for (int i = 0; i < 40; i++) {
    weir_options options = {};
    options.size = sizeof options;
    options.loops = 3;
    weir_server *server;
    hooks on;
    weir_route route = route_of(on);
    ASSERT_EQ(weir_server_new(&server, &options), 0);
    ASSERT_EQ(weir_server_route(server, "/", &route, &on), 0);
    ASSERT_EQ(weir_server_listen(server, "127.0.0.1", 0), 0);
    std::thread runner([&] { EXPECT_EQ(weir_server_run(server), 0); });
    {
      std::vector<peer> clients;
      for (int n = 0; n < 12; n++)
        clients.emplace_back(weir_server_port(server)).send(upgrade_request());
      EXPECT_EQ(weir_server_drain(server, 3600000), 0);
    }
    runner.join(); /* at once, though nothing is late for an hour */
    weir_server_free(server);
  }
}

} // namespace
