// A server on the caller's own loop, which knows nothing but one descriptor: all is driven by
// poll(2) on weir_loop_fd and weir_loop_step(loop, 0). The poll's own timeout only ends a failing
// test.
#include "support/crowd.hpp"
#include "support/stage.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <poll.h>
#include <thread>

using namespace support;
using clock_type = std::chrono::steady_clock;

namespace
{

/* A service's loop that has but one descriptor. */
class foreign_loop
{
public:
  weir_loop *loop = nullptr;

  foreign_loop()
  {
    EXPECT_EQ(weir_loop_new(&loop), 0);
    fd_ = weir_loop_fd(loop);
    EXPECT_GE(fd_, 0);
  }
  ~foreign_loop()
  {
    weir_loop_free(loop);
  }

  bool until(const std::function<bool()> &holds)
  {
    while (!holds()) {
      pollfd polled = {fd_, POLLIN, 0};
      if (poll(&polled, 1, 20000) != 1)
        return false;
      if (weir_loop_step(loop, 0) < 0)
        return false;
    }
    return true;
  }

private:
  int fd_ = -1;
};

/* A server on such a loop. */
class embedded
{
public:
  hooks on;
  weir_route_options options = {};
  weir_server *server = nullptr;

  explicit embedded(weir_loop *loop) : loop_(loop)
  {
    EXPECT_EQ(weir_server_new(&server, nullptr), 0);
  }
  ~embedded()
  {
    weir_server_free(server);
  }
  void start()
  {
    weir_route route = route_of(on, options);
    ASSERT_EQ(weir_server_route(server, "/", &route, &on), 0);
    ASSERT_EQ(weir_server_listen(server, "127.0.0.1", 0), 0);
    ASSERT_EQ(weir_server_attach(server, loop_), 0);
  }
  uint16_t port() const
  {
    return weir_server_port(server);
  }

private:
  weir_loop *loop_;
};

class embedding : public testing::Test
{
protected:
  std::map<weir_conn *, int> closes; /* by connection, the code */
  int opens = 0;
  foreign_loop foreign;
  embedded at{foreign.loop};

  embedding()
  {
    at.on.open = [this](weir_conn *) { opens++; };
    at.on.message = [](weir_conn *c, const weir_message *m) { weir_conn_send_message(c, m); };
    at.on.close = [this](weir_conn *c, int code, std::string_view) {
      EXPECT_TRUE(closes.emplace(c, code).second) << "on_close came twice";
    };
  }
};

TEST_F(embedding, Echo)
{
  at.start();
  std::thread client([&] {
    peer mine(at.port());
    mine.send(upgrade_request());
    std::optional<response> answer;
    EXPECT_TRUE(mine.await([&] { return (answer = mine.take_response(false)).has_value(); }));
    for (size_t len : {1u, 1000u, 200000u, 3u}) {
      std::string data(len, 'e');
      mine.say(data);
      EXPECT_EQ(mine.await_frame().payload, data);
    }
    mine.say(close_payload(1000), fin | closing);
    EXPECT_EQ(mine.await_frame().code(), 1000);
  });
  EXPECT_TRUE(foreign.until([&] { return closes.size() == 1; }));
  client.join();
}

TEST_F(embedding, PingAndIdleTimeoutComeByTheDescriptorAlone)
{
  at.options.ping_interval_ms = 100;
  at.options.idle_timeout_ms = 400;
  at.start();
  auto start = clock_type::now();
  bool pinged = false;
  std::thread client([&] {
    peer mine(at.port());
    mine.send(upgrade_request());
    std::optional<response> answer;
    EXPECT_TRUE(mine.await([&] { return (answer = mine.take_response(false)).has_value(); }));
    frame next = mine.await_frame();
    pinged = next.first == (fin | ping);
    while (next.first == (fin | ping)) {
      mine.say(next.payload, fin | pong);
      next = mine.await_frame();
    }
    EXPECT_EQ(next.first, fin | closing);
    EXPECT_EQ(next.code(), 1001);
    mine.say(next.payload, fin | closing);
  });
  EXPECT_TRUE(foreign.until([&] { return !closes.empty(); }));
  client.join();
  EXPECT_TRUE(pinged);
  EXPECT_EQ(closes.begin()->second, 1001);
  EXPECT_GE(clock_type::now() - start, std::chrono::milliseconds(400));
}

TEST_F(embedding, PostFromAnotherThread)
{
  std::thread::id ran;
  std::thread other([&] {
    EXPECT_EQ(
        weir_loop_post(
            foreign.loop,
            [](void *arg) { *static_cast<std::thread::id *>(arg) = std::this_thread::get_id(); },
            &ran),
        0);
  });
  EXPECT_TRUE(foreign.until([&] { return ran != std::thread::id(); }));
  EXPECT_EQ(ran, std::this_thread::get_id());
  other.join();
}

struct tick {
  clock_type::time_point due;
  std::chrono::milliseconds every{0};
  int fired = 0, early = 0;

  static void fn(weir_timer *, void *arg)
  {
    auto *self = static_cast<tick *>(arg);
    self->early += clock_type::now() < self->due;
    self->due += self->every;
    self->fired++;
  }
};

TEST_F(embedding, UserTimersAreNeverEarly)
{
  std::vector<tick> ticks(20);
  std::vector<weir_timer *> timers(ticks.size());
  for (size_t i = 0; i < ticks.size(); i++) {
    uint64_t after = 1 + 7 * i;
    ASSERT_EQ(weir_timer_new(&timers[i], foreign.loop, tick::fn, &ticks[i]), 0);
    ticks[i].due = clock_type::now() + std::chrono::milliseconds(after);
    weir_timer_start(timers[i], after, 0);
  }
  EXPECT_TRUE(foreign.until([&] {
    return std::all_of(ticks.begin(), ticks.end(), [](const tick &t) { return t.fired > 0; });
  }));
  for (size_t i = 0; i < ticks.size(); i++) {
    EXPECT_EQ(ticks[i].fired, 1);
    EXPECT_EQ(ticks[i].early, 0) << i;
    weir_timer_free(timers[i]);
  }
}

TEST_F(embedding, RepeatingTimerKeepsToItsGrid)
{
  tick each;
  weir_timer *timer;
  ASSERT_EQ(weir_timer_new(&timer, foreign.loop, tick::fn, &each), 0);
  auto start = clock_type::now();
  weir_timer_start(timer, 5, 5);
  EXPECT_TRUE(foreign.until([&] { return each.fired == 10; }));
  EXPECT_GE(clock_type::now() - start, std::chrono::milliseconds(50));
  weir_timer_free(timer);
}

TEST_F(embedding, PublishOutsideAStepReachesTenThousand)
{
  constexpr size_t receivers = 10000;
  std::string verdict;
  at.on.open = [&](weir_conn *c) {
    ASSERT_EQ(weir_conn_subscribe(c, "topic", 5), 0);
    opens++;
  };
  at.on.message = [&](weir_conn *, const weir_message *m) {
    verdict.assign(static_cast<const char *>(m->data), m->len);
  };
  ASSERT_TRUE(allow_descriptors(receivers + 100));
  at.start();
  std::string payload(3000, 'p');
  crowd clients(at.port(), receivers, [&](std::vector<crowd::member> &members) {
    size_t good = 0;
    for (crowd::member &member : members)
      good += member.receive() == payload;
    members.front().send(good == members.size() ? "all" : std::to_string(good));
  });
  ASSERT_TRUE(foreign.until([&] { return opens == receivers; }));
  EXPECT_EQ(weir_server_subscribers(at.server, "topic", 5), receivers);
  held_frame frame(payload);
  EXPECT_EQ(weir_server_publish(at.server, "topic", 5, frame, 0), 0);
  EXPECT_TRUE(foreign.until([&] { return !verdict.empty(); }));
  EXPECT_EQ(verdict, "all");
  EXPECT_TRUE(foreign.until([&] { return closes.size() == receivers; }));
  EXPECT_TRUE(clients.succeeded());
}

/* More than a turn's budget of frames and bytes from one peer, without another edge. */
TEST_F(embedding, WhatABudgetLeavesIsWorkedOff)
{
  std::string flood;
  constexpr int small = 20000;
  int received = 0;
  uint64_t bytes = 0;
  at.on.message = [&](weir_conn *, const weir_message *m) {
    received++;
    bytes += m->len;
  };
  at.start();
  for (int i = 0; i < small; i++)
    flood += masked(fin | text, "x");
  flood += masked(fin | binary, std::string(900 << 10, 'b'));
  std::thread client([&] {
    peer mine(at.port());
    mine.send(upgrade_request());
    mine.send(flood);
    mine.await([&] { return mine.ended(); });
  });
  EXPECT_TRUE(foreign.until([&] { return received == small + 1; }));
  EXPECT_EQ(bytes, small + (900u << 10));
  weir_server_stop(at.server);
  EXPECT_TRUE(foreign.until([&] { return closes.size() == 1; }));
  client.join();
}

TEST_F(embedding, TwoServersShareALoop)
{
  int other_opens = 0, other_closes = 0, echoes = 0;
  embedded other(foreign.loop);
  other.on.open = [&](weir_conn *) { other_opens++; };
  other.on.message = [&](weir_conn *c, const weir_message *m) {
    weir_conn_send_message(c, m);
    echoes++;
  };
  other.on.close = [&](weir_conn *, int, std::string_view) { other_closes++; };
  at.start();
  other.start();
  peer first(at.port()), second(other.port());
  first.send(upgrade_request());
  second.send(upgrade_request());
  ASSERT_TRUE(foreign.until([&] { return opens == 1 && other_opens == 1; }));
  held_frame frame("to the first server's");
  EXPECT_EQ(weir_server_broadcast(at.server, frame, 0), 0);
  second.say("still here");
  ASSERT_TRUE(foreign.until([&] { return echoes == 1; }));
  weir_server_free(at.server);
  at.server = nullptr;
  ASSERT_EQ(closes.size(), 1u);
  EXPECT_EQ(closes.begin()->second, 1006);
  EXPECT_EQ(other_closes, 0);
  second.say("and now");
  ASSERT_TRUE(foreign.until([&] { return echoes == 2; }));
  ASSERT_TRUE(second.await([&] { return second.take_response(false).has_value(); }));
  EXPECT_EQ(second.await_frame().payload, "still here");
  EXPECT_EQ(second.await_frame().payload, "and now");
}

/* While one server is freed, its handlers and posts may use another one on the same loop, and the
 * foreign loop hears of it. */
class embedding_free : public embedding, public testing::WithParamInterface<bool>
{
};

TEST_P(embedding_free, WakesTheOtherServersWork)
{
  weir_conn *receiver = nullptr;
  embedded other(foreign.loop);
  auto tell = [](void *arg) {
    EXPECT_EQ(weir_conn_send(*static_cast<weir_conn **>(arg), WEIR_TEXT, "gone", 4), 0);
  };
  other.on.open = [&](weir_conn *c) { receiver = c; };
  at.on.close = [&](weir_conn *c, int, std::string_view) {
    closes[c] = 1006;
    if (GetParam()) {
      EXPECT_EQ(weir_loop_post(foreign.loop, tell, &receiver), 0);
    } else {
      tell(&receiver);
    }
  };
  at.start();
  other.start();
  peer first(at.port()), second(other.port());
  first.send(upgrade_request());
  second.send(upgrade_request());
  ASSERT_TRUE(foreign.until([&] { return opens == 1 && receiver != nullptr; }));
  weir_server_free(at.server);
  at.server = nullptr;
  EXPECT_EQ(closes.size(), 1u);
  EXPECT_TRUE(foreign.until([&] { return weir_conn_buffered(receiver).bytes == 0; }));
  ASSERT_TRUE(second.await([&] { return second.take_response(false).has_value(); }));
  EXPECT_EQ(second.await_frame().payload, "gone");
}

INSTANTIATE_TEST_SUITE_P(By, embedding_free, testing::Bool(),
                         [](const auto &info) { return info.param ? "post" : "handler"; });

TEST_F(embedding, FreeWhileAttachedClosesEachOnce)
{
  at.start();
  std::vector<peer> peers;
  for (int i = 0; i < 20; i++) {
    peers.emplace_back(at.port());
    if (i % 5 != 0) /* the others have not even asked */
      peers.back().send(upgrade_request());
  }
  ASSERT_TRUE(foreign.until([&] { return opens == 16; }));
  weir_server_free(at.server);
  at.server = nullptr;
  EXPECT_EQ(closes.size(), 16u);
  for (const auto &[conn, code] : closes)
    EXPECT_EQ(code, 1006);
  for (peer &each : peers)
    EXPECT_TRUE(each.await([&] { return each.ended(); }));
}

TEST_F(embedding, StopWhileAttached)
{
  at.start();
  peer client(at.port());
  client.send(upgrade_request());
  ASSERT_TRUE(foreign.until([&] { return opens == 1; }));
  weir_server_stop(at.server);
  weir_server_stop(at.server);
  ASSERT_TRUE(foreign.until([&] { return closes.size() == 1; }));
  EXPECT_EQ(closes.begin()->second, 1001);
  ASSERT_TRUE(client.await([&] { return client.take_response(false).has_value(); }));
  EXPECT_EQ(client.await_frame().code(), 1001);
  EXPECT_EQ(weir_server_attach(at.server, foreign.loop), -EBUSY);
}

/* A handler may not step its own loop, wherever it was called from. */
TEST_F(embedding, NestedStepIsBusy)
{
  std::vector<int> results;
  auto nested = [&](auto...) { results.push_back(weir_loop_step(foreign.loop, 0)); };
  at.on.open = nested;
  at.on.close = nested;
  at.start();
  peer client(at.port());
  client.send(upgrade_request());
  ASSERT_TRUE(foreign.until([&] { return results.size() == 1; }));
  weir_server_free(at.server);
  at.server = nullptr;
  EXPECT_EQ(results, (std::vector<int>{-EBUSY, -EBUSY}));
}

TEST_F(embedding, AttachSaysWhatItWants)
{
  EXPECT_EQ(weir_server_attach(at.server, foreign.loop), -EINVAL) << "it does not listen";
  at.start();
  EXPECT_EQ(weir_server_attach(at.server, nullptr), -EINVAL);
  EXPECT_EQ(weir_server_attach(at.server, foreign.loop), -EBUSY);
  EXPECT_EQ(weir_server_run(at.server), -EBUSY);
  weir_options several = {};
  several.size = sizeof several;
  several.loops = 2;
  weir_server *server;
  ASSERT_EQ(weir_server_new(&server, &several), 0);
  ASSERT_EQ(weir_server_listen(server, "127.0.0.1", 0), 0);
  EXPECT_EQ(weir_server_attach(server, foreign.loop), -EINVAL);
  weir_server_free(server);
}

/* Attaching says whose loop it is: before its first step, too, another thread does not touch it. */
TEST_F(embedding, BroadcastFromAnotherThreadBeforeTheFirstStep)
{
  at.start();
  held_frame frame("early");
  auto is_readable = [&] {
    pollfd polled = {weir_loop_fd(foreign.loop), POLLIN, 0};
    return poll(&polled, 1, 0) == 1;
  };
  ASSERT_FALSE(is_readable());
  std::thread other([&] { EXPECT_EQ(weir_server_broadcast(at.server, frame, 0), 0); });
  other.join();
  EXPECT_TRUE(is_readable());
}

/* A timeout counts from the call, although the loop's clock is as old as its last turn. */
TEST(Embedding, CloseOutsideAStepLeavesThePeerItsTime)
{
  int code = 0;
  stage at;
  at.options.close_timeout_ms = 1000;
  at.on.close = [&](weir_conn *, int with, std::string_view) { code = with; };
  at.start();
  peer &client = at.open();
  at.advance(20000);
  ASSERT_EQ(weir_conn_close(at.last(), 1000, "bye"), 0);
  frame close = at.next(client);
  EXPECT_EQ(close.first, fin | closing);
  at.settle();
  EXPECT_EQ(code, 0);
  client.say(close.payload, fin | closing);
  EXPECT_TRUE(at.until([&] { return code != 0; }));
  EXPECT_EQ(code, 1000);
}

} // namespace
