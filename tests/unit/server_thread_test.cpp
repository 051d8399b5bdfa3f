// A server on loops of its own, used from other threads while connections come and go.
#include "support/stage.hpp"

#include <gtest/gtest.h>

#include <arpa/inet.h>
#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <csignal>
#include <fcntl.h>
#include <map>
#include <mutex>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <set>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

using namespace support;

namespace
{

constexpr size_t loops = 4;

weir_options with_loops(size_t count)
{
  weir_options options = {};
  options.size = sizeof options;
  options.loops = count;
  return options;
}

/* A server with a route that counts what happens, and a thread that runs it. */
class server_thread : public testing::Test
{
protected:
  hooks on;
  weir_server *server = nullptr;
  std::mutex lock;
  std::condition_variable changed;
  /* With the lock held: who is open, how the others closed, and all in the order of opening. */
  std::set<weir_conn_id> open;
  std::map<weir_conn_id, std::vector<int>> closes;
  std::vector<weir_conn_id> order;
  std::thread runner;
  int result = -1;

  server_thread()
  {
    weir_options options = with_loops(loops);
    EXPECT_EQ(weir_server_new(&server, &options), 0);
    on.open = [this](weir_conn *c) {
      EXPECT_EQ(weir_conn_subscribe(c, "all", 3), 0);
      std::lock_guard<std::mutex> hold(lock);
      EXPECT_TRUE(open.insert(weir_conn_id_of(c)).second) << "an id came twice";
      order.push_back(weir_conn_id_of(c));
      changed.notify_all();
    };
    on.message = [](weir_conn *c, const weir_message *m) { weir_conn_send_message(c, m); };
    on.close = [this](weir_conn *c, int code, std::string_view) {
      std::lock_guard<std::mutex> hold(lock);
      open.erase(weir_conn_id_of(c));
      closes[weir_conn_id_of(c)].push_back(code);
      changed.notify_all();
    };
  }
  ~server_thread() override
  {
    end();
  }

  void start()
  {
    weir_route route = route_of(on);
    ASSERT_EQ(weir_server_route(server, "/", &route, &on), 0);
    ASSERT_EQ(weir_server_listen(server, nullptr, 0), 0);
    runner = std::thread([this] { result = weir_server_run(server); });
  }
  void stop()
  {
    weir_server_stop(server);
    join();
  }
  void end()
  {
    if (server != nullptr)
      stop();
    weir_server_free(server);
    server = nullptr;
  }
  void join()
  {
    if (runner.joinable())
      runner.join();
  }

  peer connect()
  {
    peer made(weir_server_port(server));
    made.send(upgrade_request());
    std::optional<response> answer;
    EXPECT_TRUE(made.await([&] { return (answer = made.take_response(false)).has_value(); }));
    return made;
  }
  std::vector<peer> connect(size_t count)
  {
    std::vector<peer> made;
    for (size_t i = 0; i < count; i++)
      made.push_back(connect());
    EXPECT_TRUE(wait([&] { return open.size() == count; }));
    return made;
  }

  /* Waits for what handlers change; the lock is held while it is judged. */
  bool wait(const std::function<bool()> &holds)
  {
    std::unique_lock<std::mutex> hold(lock);
    return changed.wait_for(hold, patience, holds);
  }
  std::vector<weir_conn_id> opened()
  {
    std::lock_guard<std::mutex> hold(lock);
    return order;
  }
  weir_counters counters() const
  {
    weir_counters out;
    EXPECT_EQ(weir_server_counters(server, &out), 0);
    return out;
  }
};

int listen_on(int family, uint16_t port, bool shared, uint16_t *got)
{
  sockaddr_in6 address = {};
  socklen_t len = family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
  address.sin6_family = static_cast<sa_family_t>(family);
  address.sin6_port = htons(port);
  int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
  if (shared)
    setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one);
  EXPECT_EQ(bind(fd, reinterpret_cast<sockaddr *>(&address), len), 0);
  EXPECT_EQ(listen(fd, 1), 0);
  EXPECT_EQ(getsockname(fd, reinterpret_cast<sockaddr *>(&address), &len), 0);
  *got = ntohs(address.sin6_port);
  return fd;
}

/* Another listener's port is taken, with SO_REUSEPORT too. */
TEST(ServerListen, BusyPort)
{
  for (int family : {AF_INET, AF_INET6}) {
    for (bool shared : {false, true}) {
      uint16_t port;
      int fd = listen_on(family, 0, shared, &port);
      for (size_t count : {size_t{1}, loops}) {
        weir_options options = with_loops(count);
        weir_server *server;
        ASSERT_EQ(weir_server_new(&server, &options), 0);
        EXPECT_EQ(weir_server_listen(server, nullptr, port), -EADDRINUSE);
        EXPECT_EQ(weir_server_port(server), 0);
        EXPECT_EQ(weir_server_run(server), -EINVAL) << "it does not listen";
        EXPECT_EQ(weir_server_listen(server, nullptr, 0), 0) << "another port will do";
        EXPECT_NE(weir_server_port(server), 0);
        EXPECT_EQ(weir_server_listen(server, nullptr, weir_server_port(server)), -EADDRINUSE);
        weir_server_free(server);
      }
      close(fd);
    }
  }
}

TEST(ServerListen, TwoServersDoNotShareAPort)
{
  weir_options options = with_loops(loops);
  weir_server *first, *second;
  ASSERT_EQ(weir_server_new(&first, &options), 0);
  ASSERT_EQ(weir_server_new(&second, &options), 0);
  ASSERT_EQ(weir_server_listen(first, "127.0.0.1", 0), 0);
  EXPECT_EQ(weir_server_listen(second, "127.0.0.1", weir_server_port(first)), -EADDRINUSE);
  EXPECT_EQ(weir_server_listen(second, "no such host.invalid", 0), -ENOENT);
  weir_server_free(first);
  weir_server_free(second);
}

TEST(ServerListen, AfterListeningNoRoutes)
{
  weir_server *server;
  hooks none;
  weir_route route = route_of(none);
  auto get = [](weir_request *, void *) { return 0; };
  ASSERT_EQ(weir_server_new(&server, nullptr), 0);
  EXPECT_EQ(weir_server_route(server, "/a", &route, &none), 0);
  EXPECT_EQ(weir_server_route(server, "/a", &route, &none), -EEXIST);
  EXPECT_EQ(weir_server_get(server, "/a", get, nullptr), 0);
  EXPECT_EQ(weir_server_get(server, "/a", get, nullptr), -EEXIST);
  EXPECT_EQ(weir_server_get(server, "/b", nullptr, nullptr), -EINVAL);
  ASSERT_EQ(weir_server_listen(server, "127.0.0.1", 0), 0);
  EXPECT_EQ(weir_server_route(server, "/b", &route, &none), -EBUSY);
  EXPECT_EQ(weir_server_get(server, "/b", get, nullptr), -EBUSY);
  weir_server_free(server);
}

TEST_F(server_thread, BothAddressFamiliesOnOnePort)
{
  std::mutex guard;
  std::set<std::string> addresses;
  on.upgrade = [&](weir_request *request, void *) {
    weir_peer who;
    EXPECT_EQ(weir_request_peer(request, &who), 0);
    std::lock_guard<std::mutex> hold(guard);
    addresses.insert(who.address);
    return 0;
  };
  start();
  for (const char *address : {"127.0.0.1", "::1"}) {
    peer client(weir_server_port(server), address);
    client.send(upgrade_request());
    ASSERT_TRUE(client.await([&] { return client.take_response(false).has_value(); })) << address;
    client.say("over");
    EXPECT_EQ(client.await_frame().payload, "over");
  }
  stop();
  EXPECT_EQ(addresses, (std::set<std::string>{"127.0.0.1", "::1"}));
}

/* The server's end of a connection is among this process' descriptors: the one whose peer is the
 * client's port. */
int other_end(uint16_t port)
{
  for (int fd = 3; fd < 1024; fd++) {
    sockaddr_in6 address = {};
    socklen_t len = sizeof address;
    if (getpeername(fd, reinterpret_cast<sockaddr *>(&address), &len) == 0 &&
        ntohs(address.sin6_port) == port)
      return fd;
  }
  return -1;
}

TEST_F(server_thread, AcceptedSocketsAreSetUp)
{
  start();
  peer client = connect();
  int fd = other_end(client.port()), value = 0;
  ASSERT_GE(fd, 0);
  socklen_t len = sizeof value;
  EXPECT_EQ(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &value, &len), 0);
  EXPECT_EQ(value, 1);
  EXPECT_EQ(getsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &value, &len), 0);
  EXPECT_EQ(value, 128 << 10);
  EXPECT_TRUE(fcntl(fd, F_GETFD) & FD_CLOEXEC);
  EXPECT_TRUE(fcntl(fd, F_GETFL) & O_NONBLOCK);
}

TEST_F(server_thread, BroadcastAndPublishReachAllLoops)
{
  start();
  std::vector<peer> clients = connect(40);
  std::set<uint64_t> used;
  for (weir_conn_id id : opened())
    used.insert(id >> 24 & 0xFF);
  EXPECT_GT(used.size(), 1u) << "all connections came to one loop";
  held_frame first("first"), second("second");
  weir_conn_id except = opened().front();
  EXPECT_EQ(weir_server_subscribers(server, "all", 3), 40u);
  EXPECT_EQ(weir_server_subscribers(server, "none", 4), 0u);
  EXPECT_EQ(weir_server_broadcast(server, first, except), 0);
  EXPECT_EQ(weir_server_publish(server, "all", 3, second, 0), 0);
  EXPECT_EQ(weir_server_publish(server, "none", 4, first, 0), 0);
  EXPECT_EQ(weir_server_broadcast(server, nullptr, 0), -EINVAL);
  EXPECT_EQ(weir_server_publish(server, "all", 3, nullptr, 0), -EINVAL);
  EXPECT_EQ(weir_server_publish(server, "", 0, first, 0), -EINVAL);
  EXPECT_EQ(weir_server_publish(server, std::string(256, 't').data(), 256, first, 0), -EINVAL);
  EXPECT_EQ(weir_server_counters(server, nullptr), -EINVAL);
  for (size_t i = 0; i < clients.size(); i++) {
    if (i != 0) {
      EXPECT_EQ(clients[i].await_frame().payload, "first");
    }
    EXPECT_EQ(clients[i].await_frame().payload, "second");
  }
}

TEST_F(server_thread, SendAndCloseById)
{
  start();
  std::vector<peer> clients = connect(12);
  std::vector<weir_conn_id> ids = opened();
  for (size_t i = 0; i < ids.size(); i++) {
    held_frame own(std::to_string(i));
    EXPECT_EQ(weir_server_send(server, ids[i], own), 0);
  }
  for (size_t i = 0; i < ids.size(); i++)
    EXPECT_EQ(clients[i].await_frame().payload, std::to_string(i));
  EXPECT_EQ(weir_server_close_id(server, ids[0], 1005, nullptr), -EINVAL);
  EXPECT_EQ(weir_server_close_id(server, ids[0], 1000, "\xFF"), -EINVAL);
  EXPECT_EQ(weir_server_close_id(server, ids[0], 4001, "enough"), 0);
  frame last = clients[0].await_frame();
  EXPECT_EQ(last.code(), 4001);
  EXPECT_EQ(last.reason(), "enough");
  clients[0].say(last.payload, fin | closing);
  EXPECT_TRUE(wait([&] { return closes.count(ids[0]) == 1; }));
  EXPECT_EQ(closes[ids[0]], std::vector<int>{4001});
  held_frame frame("x");
  EXPECT_EQ(weir_server_send(server, 0, frame), -ESTALE);
  EXPECT_EQ(weir_server_send(server, ids[1] | 0xFFu << 24, frame), -ESTALE) << "no such loop";
  EXPECT_EQ(weir_server_close_id(server, 0, 1000, nullptr), -ESTALE);
  EXPECT_EQ(weir_server_send(server, ids[1], nullptr), -EINVAL);
}

/* What the calls by id return on the connection's own loop. */
TEST_F(server_thread, StaleIdsOnTheirOwnLoop)
{
  std::vector<int> results;
  weir_conn_id gone = 0;
  on.close = [&](weir_conn *c, int, std::string_view) {
    held_frame frame("x");
    weir_conn_id id = weir_conn_id_of(c);
    std::lock_guard<std::mutex> hold(lock);
    gone = id;
    results.push_back(weir_server_send(server, id, frame));
    results.push_back(weir_server_close_id(server, id, 1000, nullptr));
    results.push_back(weir_conn_find(server, weir_conn_loop(c), id) == nullptr ? 0 : 1);
    changed.notify_all();
  };
  start();
  connect();
  EXPECT_TRUE(wait([&] { return gone != 0; }));
  EXPECT_EQ(results, (std::vector<int>{-ESTALE, -ESTALE, 0}));
}

/* A connection in the slot of a closed one never gets what was meant for that. */
TEST_F(server_thread, IdsDoNotPassToTheNextInTheSlot)
{
  start();
  std::set<uint32_t> slots;
  std::vector<weir_conn_id> old;
  held_frame stale("stale"), good("good");
  for (int i = 0; i < 60; i++) {
    size_t closed;
    {
      peer client = connect();
      ASSERT_TRUE(wait([&] { return order.size() == old.size() + 1; }));
      weir_conn_id mine = opened().back();
      for (weir_conn_id id : old) {
        int error = weir_server_send(server, id, stale);
        EXPECT_TRUE(error == 0 || error == -ESTALE);
        EXPECT_EQ(weir_server_close_id(server, id, 1000, nullptr), error);
      }
      EXPECT_EQ(weir_server_send(server, mine, good), 0);
      EXPECT_EQ(client.await_frame().payload, "good");
      old.push_back(mine);
      slots.insert(static_cast<uint32_t>(mine));
      closed = old.size();
    }
    ASSERT_TRUE(wait([&] { return closes.size() == closed; }));
  }
  EXPECT_LT(slots.size(), old.size()) << "no slot was used again: the test shows nothing";
}

TEST_F(server_thread, EachThreadsOrderIsKept)
{
  constexpr int senders = 3, each = 300;
  start();
  std::vector<peer> clients = connect(8);
  std::vector<std::thread> threads;
  for (int s = 0; s < senders; s++) {
    threads.emplace_back([&, s] {
      std::vector<weir_conn_id> ids = opened();
      for (int i = 0; i < each; i++) {
        held_frame frame(std::to_string(s) + " " + std::to_string(i));
        if (i % 3 == 0) {
          EXPECT_EQ(weir_server_broadcast(server, frame, 0), 0);
        } else if (i % 3 == 1) {
          EXPECT_EQ(weir_server_publish(server, "all", 3, frame, 0), 0);
        } else {
          for (weir_conn_id id : ids)
            EXPECT_EQ(weir_server_send(server, id, frame), 0);
        }
      }
    });
  }
  for (peer &client : clients) {
    std::vector<int> next(senders);
    for (int i = 0; i < senders * each; i++) {
      frame got = client.await_frame();
      ASSERT_EQ(got.opcode(), text);
      int sender = got.payload[0] - '0';
      EXPECT_EQ(got.payload.substr(2), std::to_string(next[static_cast<size_t>(sender)]++));
    }
  }
  for (std::thread &thread : threads)
    thread.join();
}

/* Everything at once: nothing breaks, and whoever stays gets all of it. */
TEST_F(server_thread, UseWhileConnectionsComeAndGo)
{
  constexpr int messages = 400;
  start();
  std::vector<peer> stays = connect(4);
  std::atomic<bool> done{false};
  std::vector<std::thread> threads;
  for (int t = 0; t < 2; t++) {
    threads.emplace_back([&, t] {
      for (int i = 0; !done; i++) {
        peer client = connect();
        client.say("hello");
        if (i % 3 == 0)
          client.reset();
        else if (i % 3 == 1)
          client.say(close_payload(1000 + t), fin | closing);
      }
    });
  }
  threads.emplace_back([&] {
    uint64_t counted = 0;
    while (!done) {
      held_frame frame("by id");
      std::vector<weir_conn_id> ids = opened();
      for (size_t i = ids.size(); i > stays.size() && i + 10 > ids.size(); i--) {
        weir_server_send(server, ids[i - 1], frame);
        weir_server_close_id(server, ids[i - 1], 3000, nullptr);
      }
      EXPECT_GE(weir_server_subscribers(server, "all", 3), 3u);
      uint64_t now = counters().opened;
      EXPECT_GE(now, counted);
      counted = now;
    }
  });
  for (int i = 0; i < messages; i++) {
    held_frame frame(std::to_string(i));
    EXPECT_EQ(weir_server_publish(server, "all", 3, frame, 0), 0);
    for (peer &client : stays)
      EXPECT_EQ(client.await_frame().payload, std::to_string(i));
  }
  done = true;
  for (std::thread &thread : threads)
    thread.join();
  stop();
  EXPECT_EQ(result, 0);
  EXPECT_TRUE(open.empty());
  EXPECT_EQ(closes.size(), order.size());
  for (const auto &[id, codes] : closes)
    EXPECT_EQ(codes.size(), 1u);
  EXPECT_EQ(counters().opened, order.size());
  EXPECT_EQ(counters().closed, order.size());
}

class server_stop : public server_thread
{
protected:
  void expect_stopped(std::vector<peer> &clients)
  {
    join();
    EXPECT_EQ(result, 0);
    EXPECT_EQ(closes.size(), clients.size());
    for (const auto &[id, codes] : closes)
      EXPECT_EQ(codes, std::vector<int>{1001});
    for (peer &client : clients) {
      EXPECT_EQ(client.await_frame().code(), 1001);
      EXPECT_TRUE(client.await([&] { return client.ended(); }));
    }
    EXPECT_EQ(weir_server_run(server), -EBUSY);
  }
};

TEST_F(server_stop, FromAnotherThread)
{
  start();
  std::vector<peer> clients = connect(20);
  weir_server_stop(server);
  expect_stopped(clients);
}

TEST_F(server_stop, FromAHandler)
{
  on.message = [&](weir_conn *, const weir_message *) { weir_server_stop(server); };
  start();
  std::vector<peer> clients = connect(20);
  clients[7].say("stop");
  expect_stopped(clients);
}

weir_server *to_be_stopped;

TEST_F(server_stop, FromASignalHandler)
{
  to_be_stopped = server;
  struct sigaction action = {}, before;
  action.sa_handler = [](int) { weir_server_stop(to_be_stopped); };
  ASSERT_EQ(sigaction(SIGUSR1, &action, &before), 0);
  start();
  std::vector<peer> clients = connect(20);
  EXPECT_EQ(pthread_kill(runner.native_handle(), SIGUSR1), 0);
  expect_stopped(clients);
  sigaction(SIGUSR1, &before, nullptr);
}

TEST_F(server_stop, BeforeItRuns)
{
  weir_server_stop(server);
  start();
  join();
  EXPECT_EQ(result, 0);
}

/* Stopping at any moment of the start is not lost. */
TEST(ServerStop, WhileItStarts)
{
  for (int i = 0; i < 100; i++) {
    weir_options options = with_loops(2);
    weir_server *server;
    ASSERT_EQ(weir_server_new(&server, &options), 0);
    ASSERT_EQ(weir_server_listen(server, "127.0.0.1", 0), 0);
    std::thread runner([&] { EXPECT_EQ(weir_server_run(server), 0); });
    for (int spin = 0; spin < i * 20; spin++)
      std::atomic_signal_fence(std::memory_order_seq_cst);
    weir_server_stop(server);
    runner.join();
    weir_server_free(server);
  }
}

/* A post that is left when the loops have ended runs in weir_server_free, and may use the server,
 * whichever loop it was left on. */
TEST_F(server_stop, PostsLeftBehindMayStillSend)
{
  static std::atomic<int> ran;
  ran = 0;
  on.close = [this](weir_conn *c, int, std::string_view) {
    auto fn = [](void *arg) {
      held_frame frame("too late");
      auto *to = static_cast<weir_server *>(arg);
      EXPECT_EQ(weir_server_broadcast(to, frame, 0), 0);
      EXPECT_EQ(weir_server_publish(to, "all", 3, frame, 0), 0);
      ran++;
    };
    EXPECT_EQ(weir_loop_post(weir_conn_loop(c), fn, server), 0);
  };
  start();
  std::vector<peer> clients = connect(20);
  end();
  EXPECT_EQ(ran, 20);
}

} // namespace
