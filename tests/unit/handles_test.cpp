// Connections as other threads have them: visited, chosen and counted; and what waking their loops
// costs.
#include "support/stage.hpp"

#include "io/loop.h"
#include "ws/server.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <mutex>
#include <set>
#include <thread>

using namespace support;

namespace
{

constexpr size_t loops = 4;

std::atomic<size_t> wakings{0};

struct visitor;

class handles : public testing::Test
{
protected:
  hooks on;
  weir__sys sys = weir__sys_linux;
  weir_server *server = nullptr;
  std::mutex lock;
  std::condition_variable changed;
  std::vector<weir_conn_id> order;
  std::thread runner;
  visitor *guest_ = nullptr;

  handles()
  {
    weir_options options = {};
    options.size = sizeof options;
    options.loops = loops;
    sys.eventfd_add = [](const weir__sys *, int fd) {
      wakings++;
      return weir__sys_linux.eventfd_add(&weir__sys_linux, fd);
    };
    EXPECT_EQ(weir__server_new(&server, &options, &sys), 0);
    on.open = [this](weir_conn *c) {
      std::lock_guard<std::mutex> hold(lock);
      order.push_back(weir_conn_id_of(c));
      changed.notify_all();
    };
  }
  ~handles() override
  {
    end();
  }
  void start()
  {
    weir_route route = route_of(on);
    route.user_bytes = sizeof(size_t);
    ASSERT_EQ(weir_server_route(server, "/", &route, &on), 0);
    ASSERT_EQ(weir_server_listen(server, "127.0.0.1", 0), 0);
    runner = std::thread([this] { EXPECT_EQ(weir_server_run(server), 0); });
  }
  void stop()
  {
    weir_server_stop(server);
    if (runner.joinable())
      runner.join();
  }
  void end()
  {
    if (server == nullptr)
      return;
    stop();
    weir_server_free(server);
    server = nullptr;
  }
  bool wait(const std::function<bool()> &holds)
  {
    std::unique_lock<std::mutex> hold(lock);
    return changed.wait_for(hold, patience, holds);
  }
  std::vector<peer> connect(size_t count)
  {
    std::vector<peer> made;
    for (size_t i = 0; i < count; i++) {
      peer &client = made.emplace_back(weir_server_port(server));
      client.send(upgrade_request());
      EXPECT_TRUE(client.await([&] { return client.take_response(false).has_value(); }));
      EXPECT_TRUE(wait([&] { return order.size() == i + 1; }));
    }
    return made;
  }
};

/* What a visit found; and a place to wait for it. */
struct visitor {
  std::mutex *lock;
  std::condition_variable *changed;
  size_t visits = 0, gone = 0;
  std::set<weir_conn_id> ids;

  static void come(weir_conn *c, void *arg)
  {
    auto *self = static_cast<visitor *>(arg);
    std::lock_guard<std::mutex> hold(*self->lock);
    self->visits++;
    if (c == nullptr) {
      self->gone++;
    } else {
      EXPECT_TRUE(weir__loop_is_here(weir_conn_loop(c)));
      self->ids.insert(weir_conn_id_of(c));
      ++*static_cast<size_t *>(weir_conn_user(c));
    }
    self->changed->notify_all();
  }
};

TEST_F(handles, VisitConnectionsWhereTheyLive)
{
  start();
  std::vector<peer> clients = connect(12);
  visitor guest{&lock, &changed, 0, 0, {}};
  for (weir_conn_id id : order)
    EXPECT_EQ(weir_server_with(server, id, visitor::come, &guest), 0);
  EXPECT_TRUE(wait([&] { return guest.visits == 12; }));
  EXPECT_EQ(guest.gone, 0u);
  EXPECT_EQ(guest.ids, std::set<weir_conn_id>(order.begin(), order.end()));
}

TEST_F(handles, OfClosedConnectionsAreToldSo)
{
  std::atomic<size_t> closed{0};
  on.close = [&](weir_conn *c, int, std::string_view) {
    /* not even those that close are visited any more */
    weir_conn_id id = weir_conn_id_of(c);
    EXPECT_EQ(weir_server_with(server, id, visitor::come, guest_), 0);
    closed++;
  };
  start();
  visitor guest{&lock, &changed, 0, 0, {}};
  guest_ = &guest;
  std::vector<peer> clients = connect(2);
  clients[0].reset();
  EXPECT_TRUE(wait([&] { return guest.visits == 1; }));
  EXPECT_EQ(weir_server_with(server, order[0], visitor::come, &guest), 0);
  EXPECT_TRUE(wait([&] { return guest.visits == 2; }));
  EXPECT_EQ(guest.gone, 2u);
  EXPECT_EQ(weir_server_with(server, order[1], nullptr, &guest), -EINVAL);
  EXPECT_EQ(weir_server_with(server, 0, visitor::come, &guest), -ESTALE);
  EXPECT_EQ(weir_server_with(server, order[1] | 0xFFu << 24, visitor::come, &guest), -ESTALE);
  end();
  EXPECT_EQ(guest.visits, 3u) << "once for the other one's on_close";
}

/* Never inside the call, and in the order of calls; what is left when the server ends runs too. */
TEST_F(handles, VisitsComeLaterInOrderAndOnce)
{
  static std::vector<int> came;
  static int called;
  came.clear();
  called = 0;
  on.message = [this](weir_conn *c, const weir_message *) {
    for (int i = 0; i < 3; i++) {
      auto fn = [](weir_conn *, void *arg) { came.push_back(*static_cast<int *>(arg)); };
      static int numbers[] = {0, 1, 2};
      EXPECT_EQ(weir_server_with(server, weir_conn_id_of(c), fn, &numbers[i]), 0);
      EXPECT_TRUE(came.empty());
    }
    called++;
    weir_server_stop(server);
  };
  start();
  std::vector<peer> clients = connect(1);
  clients[0].say("go");
  runner.join();
  end();
  EXPECT_EQ(called, 1);
  EXPECT_EQ(came, (std::vector<int>{0, 1, 2}));
}

TEST_F(handles, ChooseWhoGetsABroadcast)
{
  struct choice {
    std::set<weir_conn_id> who;
    std::atomic<size_t> asked{0}, done{0};
  };
  start();
  std::vector<peer> clients = connect(16);
  choice odd;
  for (size_t i = 1; i < order.size(); i += 2)
    odd.who.insert(order[i]);
  auto filter = [](weir_conn *c, void *arg) {
    auto *self = static_cast<choice *>(arg);
    EXPECT_EQ(self->done, 0u);
    self->asked++;
    return self->who.count(weir_conn_id_of(c)) == 1;
  };
  auto done = [](void *arg) { static_cast<choice *>(arg)->done++; };
  held_frame few("for few"), many("for all");
  EXPECT_EQ(weir_server_broadcast_if(server, few, filter, done, &odd), 0);
  EXPECT_EQ(weir_server_broadcast(server, many, 0), 0);
  for (size_t i = 0; i < clients.size(); i++) {
    if (i % 2 == 1) {
      EXPECT_EQ(clients[i].await_frame().payload, "for few");
    }
    EXPECT_EQ(clients[i].await_frame().payload, "for all");
  }
  stop();
  EXPECT_EQ(odd.asked, 16u);
  EXPECT_EQ(odd.done, 1u);
  EXPECT_EQ(weir_server_broadcast_if(server, nullptr, filter, done, &odd), -EINVAL);
  EXPECT_EQ(weir_server_broadcast_if(server, few, nullptr, done, &odd), -EINVAL);
  EXPECT_EQ(odd.done, 1u);
}

TEST_F(handles, AreCounted)
{
  EXPECT_EQ(weir_server_connections(server), 0u);
  start();
  std::vector<peer> clients = connect(9);
  EXPECT_EQ(weir_server_connections(server), 9u);
  peer plain(weir_server_port(server)); /* no WebSocket */
  clients[0].reset();
  auto end = std::chrono::steady_clock::now() + patience;
  while (weir_server_connections(server) != 8 && std::chrono::steady_clock::now() < end)
    std::this_thread::yield();
  EXPECT_EQ(weir_server_connections(server), 8u);
  stop();
  EXPECT_EQ(weir_server_connections(server), 0u);
}

/* While a loop is busy, whatever is sent to its connections wakes it once. */
TEST_F(handles, ABurstOfSendsWakesALoopOnce)
{
  constexpr size_t burst = 1000;
  static std::atomic<int> stage;
  stage = 0;
  on.message = [](weir_conn *, const weir_message *) {
    stage = 1;
    while (stage != 2)
      std::this_thread::yield();
  };
  start();
  std::vector<peer> clients = connect(1);
  clients[0].say("be busy");
  while (stage != 1)
    std::this_thread::yield();
  size_t before = wakings;
  held_frame frame("x");
  for (size_t i = 0; i < burst; i++)
    EXPECT_EQ(weir_server_send(server, order[0], frame), 0);
  EXPECT_EQ(wakings - before, 1u);
  stage = 2;
  for (size_t i = 0; i < burst; i++)
    ASSERT_EQ(clients[0].await_frame().payload, "x");
  EXPECT_EQ(wakings - before, 1u);
}

} // namespace
