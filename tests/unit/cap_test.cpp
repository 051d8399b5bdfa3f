// max_queue_memory: what all queues may hold together, and who gives way.
#include "support/stage.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <chrono>
#include <functional>
#include <map>
#include <mutex>
#include <thread>

using namespace support;

namespace
{

constexpr size_t mebibyte = 1 << 20;

weir_options capped(size_t bytes)
{
  weir_options options = {};
  options.size = sizeof options;
  options.max_queue_memory = bytes;
  return options;
}

class cap : public testing::Test
{
protected:
  std::map<weir_conn *, int> closes;
  size_t dropped = 0;
  std::unique_ptr<stage> at;
  std::vector<weir_conn *> conns;

  void start(size_t bytes)
  {
    at = std::make_unique<stage>(capped(bytes));
    at->on.close = [this](weir_conn *c, int code, std::string_view) { closes[c] = code; };
    at->options.max_queued_bytes = WEIR_OFF;
    hooks dropping = at->on;
    dropping.open = [this](weir_conn *c) { opened_ = c; };
    dropping.dropped = [this](weir_conn *, size_t messages) { dropped += messages; };
    dropping_ = dropping;
    weir_route_options other = at->options;
    other.queue_policy = WEIR_QUEUE_DROP_OLDEST;
    at->route("/drops", dropping_, other);
    at->start();
  }

  /* A client that does not read, its socket full. */
  weir_conn *stuck(const char *path = "/")
  {
    peer &client = at->open(path, {}, 4096);
    client.stall(true);
    weir_conn *c = std::string_view(path) == "/" ? at->last() : opened_;
    conns.push_back(c);
    std::string block(16 << 10, 'f');
    while (weir_conn_buffered(c).bytes == 0) {
      EXPECT_EQ(weir_conn_send(c, WEIR_BINARY, block.data(), block.size()), 0);
      at->turn_once();
    }
    return c;
  }

  int send(weir_conn *c, size_t bytes)
  {
    std::string block(bytes, 'q');
    return weir_conn_send(c, WEIR_BINARY, block.data(), block.size());
  }

private:
  hooks dropping_;
  weir_conn *opened_ = nullptr; /* on "/drops" */
};

TEST_F(cap, TheLongestQueueGoesFirst)
{
  start(4 * mebibyte);
  weir_conn *one = stuck(), *two = stuck(), *three = stuck();
  EXPECT_EQ(send(one, mebibyte), 0);
  EXPECT_EQ(send(two, 2 * mebibyte), 0);
  EXPECT_EQ(send(three, mebibyte / 2), 0);
  EXPECT_EQ(send(three, mebibyte), 0);
  EXPECT_GT(at->counters().queue_bytes, 4 * mebibyte) << "looked at before, not behind";
  EXPECT_EQ(send(one, mebibyte / 2), 0);
  at->settle();
  EXPECT_EQ(closes, (std::map<weir_conn *, int>{{two, 1008}}));
  EXPECT_EQ(at->counters().shed, 1u);
  EXPECT_LT(at->counters().queue_bytes, 4 * mebibyte);
  EXPECT_EQ(at->counters().failed, 1u);
}

TEST_F(cap, TheOneThatIsQueuedToMayBeIt)
{
  start(2 * mebibyte);
  weir_conn *one = stuck();
  EXPECT_EQ(send(one, 2 * mebibyte), 0);
  EXPECT_EQ(send(one, mebibyte), -EPIPE);
  at->settle();
  EXPECT_EQ(closes, (std::map<weir_conn *, int>{{one, 1008}}));
  one = stuck();
  EXPECT_EQ(send(one, 2 * mebibyte), 0);
  EXPECT_EQ(weir_conn_send_begin(one, WEIR_TEXT, std::string(mebibyte, 'b').data(), mebibyte),
            -EPIPE);
  one = stuck();
  EXPECT_EQ(send(one, 2 * mebibyte + (64 << 10)), 0);
  int error = 0;
  for (int i = 0; i < 1000 && error == 0; i++)
    error = weir_conn_ping(one, std::string(125, 'p').data(), 125);
  EXPECT_EQ(error, -EPIPE);
}

TEST_F(cap, WhatMayBeDroppedGoesBeforeTheConnection)
{
  start(3 * mebibyte);
  weir_conn *drops = stuck("/drops"), *one = stuck();
  for (int i = 0; i < 20; i++)
    EXPECT_EQ(send(drops, 100 << 10), 0);
  EXPECT_EQ(send(one, mebibyte), 0);
  EXPECT_EQ(send(one, 100 << 10), 0);
  at->settle();
  EXPECT_TRUE(closes.empty());
  EXPECT_EQ(dropped, 20u);
  EXPECT_EQ(at->counters().shed, 1u);
  EXPECT_LT(at->counters().queue_bytes, 2 * mebibyte);
}

TEST_F(cap, ASharedFrameCountsOnce)
{
  start(10 * mebibyte);
  for (int i = 0; i < 20; i++)
    stuck();
  uint64_t before = at->counters().queue_bytes;
  {
    held_frame large(std::string(8 * mebibyte, 'l'), WEIR_BINARY);
    EXPECT_EQ(weir_server_broadcast(at->server(), large, 0), 0);
  }
  at->settle();
  EXPECT_TRUE(closes.empty());
  EXPECT_GE(at->counters().queue_bytes, before + 8 * mebibyte);
  EXPECT_LT(at->counters().queue_bytes, before + 9 * mebibyte);
  for (weir_conn *c : conns)
    weir_conn_abort(c);
  at->settle();
  EXPECT_LT(at->counters().queue_bytes, mebibyte);
}

/* Rings of entries count, though what they refer to is shared. */
TEST_F(cap, ManySmallMessagesCount)
{
  start(WEIR_OFF);
  weir_conn *one = stuck();
  uint64_t before = at->counters().queue_bytes;
  held_frame shared(std::string(20000, 's'));
  for (int i = 0; i < 4000; i++)
    EXPECT_EQ(weir_conn_send_frame(one, shared), 0);
  EXPECT_GE(at->counters().queue_bytes, before + 4000 * 32);
  weir_conn_abort(one);
  at->settle();
  EXPECT_LE(at->counters().queue_bytes, before);
}

/* Two loops, with a connection on each that does not read. */
class cap_of_loops : public testing::Test
{
protected:
  hooks on;
  weir_server *server = nullptr;
  std::mutex lock;
  std::map<weir_conn_id, int> closes; /* with the lock held, as ids */
  std::vector<weir_conn_id> ids;
  std::vector<peer> peers;
  std::thread runner;

  cap_of_loops()
  {
    weir_options options = capped(40 * mebibyte);
    options.loops = 2;
    EXPECT_EQ(weir_server_new(&server, &options), 0);
    on.open = [this](weir_conn *c) {
      std::lock_guard<std::mutex> hold(lock);
      ids.push_back(weir_conn_id_of(c));
    };
    on.close = [this](weir_conn *c, int code, std::string_view) {
      std::lock_guard<std::mutex> hold(lock);
      closes[weir_conn_id_of(c)] = code;
    };
    weir_route_options unlimited = {};
    unlimited.size = sizeof unlimited;
    unlimited.max_queued_bytes = WEIR_OFF;
    weir_route route = route_of(on, unlimited);
    EXPECT_EQ(weir_server_route(server, "/", &route, &on), 0);
    EXPECT_EQ(weir_server_listen(server, "127.0.0.1", 0), 0);
    runner = std::thread([this] { weir_server_run(server); });
  }
  ~cap_of_loops() override
  {
    weir_server_stop(server);
    runner.join();
    weir_server_free(server);
  }

  void connect()
  {
    peer &made = peers.emplace_back(weir_server_port(server), "127.0.0.1", 4096);
    made.send(upgrade_request());
    std::optional<response> answer;
    ASSERT_TRUE(made.await([&] { return (answer = made.take_response(false)).has_value(); }));
  }
  bool on_both_loops()
  {
    std::lock_guard<std::mutex> hold(lock);
    return !ids.empty() && (ids.front() >> 24 & 0xFF) != (ids.back() >> 24 & 0xFF);
  }
  void fill(weir_conn_id id, size_t bytes)
  {
    held_frame frame(std::string(bytes, 'x'), WEIR_BINARY);
    EXPECT_EQ(weir_server_send(server, id, frame), 0);
  }
  static bool soon(const std::function<bool()> &holds)
  {
    auto until = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!holds() && std::chrono::steady_clock::now() < until)
      std::this_thread::yield();
    return holds();
  }
  bool queued(size_t bytes)
  {
    weir_counters counters;
    weir_server_counters(server, &counters);
    return counters.queue_bytes >= bytes;
  }
  bool closed(weir_conn_id id)
  {
    std::lock_guard<std::mutex> hold(lock);
    return closes.count(id) > 0;
  }
};

TEST_F(cap_of_loops, TheLongestQueueMayBeElsewhere)
{
  while (!on_both_loops() && !HasFatalFailure())
    connect();
  weir_conn_id longest = ids.front(), other = ids.back();
  fill(longest, 24 * mebibyte);
  ASSERT_TRUE(soon([&] { return queued(24 * mebibyte); }));
  fill(other, 20 * mebibyte);
  ASSERT_TRUE(soon([&] { return queued(44 * mebibyte); }));
  fill(other, 100 << 10);
  ASSERT_TRUE(soon([&] { return closed(longest); }));
  EXPECT_FALSE(closed(other));
  EXPECT_EQ(closes[longest], 1008);
}

} // namespace
