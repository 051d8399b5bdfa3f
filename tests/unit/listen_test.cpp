// What a server listens on: several listeners at once, each with its routes, plain and TLS, on
// ports, unix sockets and inherited descriptors.
#include "support/stage.hpp"

#include <gtest/gtest.h>

#include "io/tls_stream.h"
#include "sys_fake.hpp"
#include "ws/conn.h"

#include <arpa/inet.h>
#include <cerrno>
#include <fcntl.h>
#include <map>
#include <mutex>
#include <netinet/in.h>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

using namespace support;

namespace
{

weir_listen_options loopback(const char *name = nullptr, weir_tls *tls = nullptr)
{
  weir_listen_options out = {};
  out.size = sizeof out;
  out.host = "127.0.0.1";
  out.name = name;
  out.tls = tls;
  return out;
}

weir_listen_options at_path(const std::string &path, weir_tls *tls = nullptr)
{
  weir_listen_options out = {};
  out.size = sizeof out;
  out.path = path.c_str();
  out.tls = tls;
  return out;
}

weir_listen_options on_descriptor(int fd)
{
  weir_listen_options out = {};
  out.size = sizeof out;
  out.fd = fd;
  return out;
}

bool exists(const std::string &path)
{
  struct stat file = {};
  return lstat(path.c_str(), &file) == 0;
}

weir_server *new_server(size_t loops = 1)
{
  weir_options options = {};
  options.size = sizeof options;
  options.loops = loops;
  weir_server *server = nullptr;
  EXPECT_EQ(weir_server_new(&server, &options), 0);
  return server;
}

/* A server that only listens. */
class listen_on : public testing::Test
{
protected:
  weir_server *server = new_server();

  ~listen_on() override
  {
    weir_server_free(server);
  }
  int listen(const weir_listen_options &where)
  {
    return weir_server_listen_on(server, &where);
  }
};

TEST_F(listen_on, RefusesWhatMeansNothing)
{
  weir_listen_options where = loopback();
  EXPECT_EQ(weir_server_listen_on(server, nullptr), -EINVAL);
  where.size = sizeof where + 1;
  EXPECT_EQ(listen(where), -EINVAL);
  where.size = 1;
  EXPECT_EQ(listen(where), -EINVAL);
  where = loopback();
  where.port = 65536;
  EXPECT_EQ(listen(where), -EINVAL);
  const std::string path = "/tmp/weir", name = "@name";
  where = at_path(path);
  where.host = "127.0.0.1";
  EXPECT_EQ(listen(where), -EINVAL);
  where.host = nullptr;
  where.port = 8080;
  EXPECT_EQ(listen(where), -EINVAL);
  where.port = 0;
  where.fd = 3;
  EXPECT_EQ(listen(where), -EINVAL);
  where.fd = 0;
  where.mode = 010000;
  EXPECT_EQ(listen(where), -EINVAL);
  where = at_path(name);
  where.mode = 0600;
  EXPECT_EQ(listen(where), -EINVAL) << "it has no file";
  EXPECT_EQ(listen(at_path("")), -EINVAL);
  EXPECT_EQ(listen(at_path(std::string(108, 'x'))), -ENAMETOOLONG);
  EXPECT_EQ(listen(on_descriptor(-1)), -EINVAL);
  where = on_descriptor(3);
  where.port = 1;
  EXPECT_EQ(listen(where), -EINVAL);
  where = loopback();
  where.host = "no such host.invalid";
  EXPECT_EQ(listen(where), -ENOENT);
  EXPECT_EQ(weir_server_port(server), 0);
  EXPECT_EQ(weir_server_run(server), -EINVAL) << "it does not listen";
}

TEST_F(listen_on, TellsThePortsByName)
{
  EXPECT_EQ(weir_server_port_of(server, nullptr), 0);
  ASSERT_EQ(listen(loopback("inside")), 0);
  EXPECT_EQ(weir_server_port_of(server, nullptr), 0);
  ASSERT_EQ(listen(loopback()), 0);
  ASSERT_EQ(listen(loopback("inside")), 0);
  uint16_t inside = weir_server_port_of(server, "inside");
  EXPECT_NE(inside, 0);
  EXPECT_EQ(weir_server_port(server), inside);
  EXPECT_NE(weir_server_port_of(server, nullptr), 0);
  EXPECT_NE(weir_server_port_of(server, nullptr), inside);
  EXPECT_EQ(weir_server_port_of(server, "nobody"), 0);
}

TEST_F(listen_on, HasRoomForSixteen)
{
  for (int i = 0; i < 16; i++)
    ASSERT_EQ(listen(loopback()), 0);
  EXPECT_EQ(listen(loopback()), -ENOSPC);
  folder files;
  EXPECT_EQ(listen(at_path(files.path("socket"))), -ENOSPC);
  EXPECT_FALSE(exists(files.path("socket")));
  EXPECT_EQ(listen(on_descriptor(server->endpoints[0].fd)), -ENOSPC);
}

TEST_F(listen_on, GoesAwayWithItsFile)
{
  folder files;
  std::string path = files.path("socket");
  weir_listen_options where = at_path(path);
  where.mode = 0600;
  ASSERT_EQ(listen(where), 0);
  struct stat file = {};
  ASSERT_EQ(lstat(path.c_str(), &file), 0);
  EXPECT_EQ(file.st_mode, mode_t{S_IFSOCK | 0600});
  EXPECT_EQ(listen(where), -EADDRINUSE);
  weir_server *other = new_server();
  EXPECT_EQ(weir_server_listen_on(other, &where), -EADDRINUSE);
  weir_server_free(other);
  EXPECT_TRUE(exists(path)) << "it is not the other one's";
  EXPECT_EQ(weir_server_port(server), 0);
  weir_server_free(server);
  server = nullptr;
  EXPECT_FALSE(exists(path));
}

TEST_F(listen_on, LeavesWhatItDoesNotTakeToTheCaller)
{
  int null = open("/dev/null", O_RDONLY);
  EXPECT_EQ(listen(on_descriptor(null)), -ENOTSOCK);
  EXPECT_EQ(close(null), 0);
  EXPECT_EQ(listen(on_descriptor(null)), -EBADF);
  ASSERT_EQ(listen(loopback()), 0);
  EXPECT_EQ(listen(on_descriptor(server->endpoints[0].fd)), -EINVAL) << "it has that already";
  EXPECT_EQ(server->endpoint_count, 1u);
}

TEST_F(listen_on, RefusesItsOwnPort)
{
  for (size_t loops : {1, 4}) {
    weir_server *several = new_server(loops);
    weir_listen_options where = loopback();
    ASSERT_EQ(weir_server_listen_on(several, &where), 0);
    where.port = weir_server_port(several);
    EXPECT_EQ(weir_server_listen_on(several, &where), -EADDRINUSE);
    EXPECT_EQ(several->endpoint_count, 1u);
    weir_server_free(several);
  }
}

/* Nothing is left behind by a listener that could not be made, and what listened before still does.
 */
TEST_F(listen_on, FailsWithoutATrace)
{
  auto complain = [](size_t nth, const char *what) { ADD_FAILURE() << nth << ": " << what; };
  size_t failed = fail_every_allocation(
      [](sys_fake &fake) {
        weir_server *one = nullptr;
        if (weir__server_new(&one, nullptr, &fake.sys) != 0)
          return false;
        weir_listen_options first = loopback("first"), second = loopback("second");
        int error = weir_server_listen_on(one, &first);
        if (error == 0) {
          error = weir_server_listen_on(one, &second);
          EXPECT_NE(weir_server_port_of(one, "first"), 0);
          EXPECT_EQ(weir_server_port_of(one, "second") != 0, error == 0);
        }
        weir_server_free(one);
        return error == 0;
      },
      complain);
  EXPECT_EQ(failed, 5u) << "the server, and two for each name";
}

/* Which routes a client reaches, by the listener that it comes to. */
TEST(listeners, ServeTheRoutesOfTheirName)
{
  stage at;
  hooks inside, outside;
  std::vector<std::string> opened;
  inside.open = [&](weir_conn *) { opened.push_back("inside"); };
  outside.open = [&](weir_conn *) { opened.push_back("outside"); };
  weir_route_options named = {};
  named.listener = "inside";
  at.route("/chat", inside, named);
  at.route("/chat", outside);
  at.route("/admin", inside, named);
  at.listen(loopback());
  at.listen(loopback("inside"));
  at.start();
  uint16_t outer = weir_server_port_of(at.server(), nullptr);
  uint16_t inner = weir_server_port_of(at.server(), "inside");
  auto status = [&](uint16_t port, const char *path) {
    peer &client = at.connect(peer(port));
    client.send(upgrade_request(path));
    return at.answer(client, false).status;
  };
  EXPECT_EQ(status(inner, "/chat"), 101);
  EXPECT_EQ(status(outer, "/chat"), 101);
  EXPECT_EQ(status(inner, "/admin"), 101);
  EXPECT_EQ(status(outer, "/admin"), 404);
  EXPECT_EQ(status(outer, "/"), 101);
  EXPECT_EQ(status(inner, "/"), 404) << "it belongs to those without a name";
  EXPECT_EQ(opened, (std::vector<std::string>{"inside", "outside", "inside"}));
}

/* Plain requests go by the name too, on a connection that is kept alive. */
TEST(listeners, AnswerPlainRequestsByTheirName)
{
  stage at;
  auto get = [](weir_request *, void *) { return 204; };
  ASSERT_EQ(weir_server_get(at.server(), "/health", get, nullptr), 0);
  at.listen(loopback("inside"));
  at.listen(loopback());
  at.start();
  auto status = [&](const char *name) {
    peer &client = at.connect(peer(weir_server_port_of(at.server(), name)));
    client.send("GET /health HTTP/1.1\r\nHost: a\r\n\r\n");
    return at.answer(client).status;
  };
  EXPECT_EQ(status(nullptr), 204);
  EXPECT_EQ(status("inside"), 404);
}

/* Plain and TLS in one server: each connection is what its listener says, and plain ones carry
 * nothing of TLS. */
TEST(listeners, ArePlainOrSecureEachForItself)
{
  stage at;
  at.secure();
  at.on.message = [](weir_conn *c, const weir_message *m) { weir_conn_send_message(c, m); };
  at.listen(loopback());
  weir_listen_options secure = loopback(nullptr, at.tls());
  at.listen(secure);
  at.start();
  const weir_server *server = at.server();
  auto port = [&](size_t i) {
    return ntohs(reinterpret_cast<const sockaddr_in *>(&server->endpoints[i].address)->sin_port);
  };
  std::vector<peer *> clients;
  for (size_t i : {0, 1, 0, 1}) {
    peer &client = at.connect(peer(port(i)));
    if (i == 1)
      client.secure(at.client);
    client.send(upgrade_request());
    EXPECT_EQ(at.answer(client, false).status, 101);
    weir_tls_info info = {};
    EXPECT_EQ(weir_conn_tls(at.last(), &info), i == 1 ? 0 : -ENOTCONN);
    clients.push_back(&client);
  }
  for (peer *client : clients) {
    client->say("hello");
    EXPECT_EQ(at.next(*client).payload, "hello");
  }
  const weir__shard &shard = server->shards[0];
  EXPECT_EQ(shard.conns.live, 2u);
  EXPECT_EQ(shard.tls_conns.live, 2u);
  EXPECT_EQ(shard.conns.stride, sizeof(weir_conn));
  EXPECT_EQ(shard.tls_conns.stride, sizeof(weir__tls) + sizeof(weir_conn));
  for (peer *client : clients)
    client->reset();
  EXPECT_TRUE(at.until([&] { return at.counters().closed == 4; }));
  at.settle();
  EXPECT_EQ(shard.conns.live + shard.tls_conns.live, 0u);
}

TEST(listeners, AreFixedOnceTheServerRuns)
{
  stage at;
  at.start();
  weir_listen_options where = loopback();
  EXPECT_EQ(weir_server_listen_on(at.server(), &where), -EBUSY);
  EXPECT_EQ(weir_server_listen(at.server(), "127.0.0.1", 0), -EBUSY);
}

TEST(listeners, StopWithTheServer)
{
  stage at;
  at.listen(loopback("a"));
  at.listen(loopback("b"));
  at.start();
  uint16_t ports[] = {weir_server_port_of(at.server(), "a"), weir_server_port_of(at.server(), "b")};
  weir_server_stop(at.server());
  at.settle();
  for (uint16_t port : ports)
    EXPECT_THROW(peer client(port), std::runtime_error) << "refused";
}

/* Waits until each loop has had a turn: those that had something to do are done with it. */
void settle_loops(weir_server *server)
{
  std::atomic<size_t> ran{0};
  for (size_t i = 0; i < weir_server_loop_count(server); i++) {
    weir_loop *loop = nullptr;
    while ((loop = weir_server_loop(server, i)) == nullptr)
      std::this_thread::yield();
    auto count = [](void *arg) { ++*static_cast<std::atomic<size_t> *>(arg); };
    EXPECT_EQ(weir_loop_post(loop, count, &ran), 0);
  }
  while (ran < weir_server_loop_count(server))
    std::this_thread::yield();
}

TEST(loops, AreToldByTheirIndexWhileTheServerRuns)
{
  weir_server *server = new_server(3);
  EXPECT_EQ(weir_server_loop_count(server), 3u);
  EXPECT_EQ(weir_server_loop(server, 0), nullptr) << "it does not run yet";
  weir_listen_options a = loopback("a"), b = loopback("b");
  ASSERT_EQ(weir_server_listen_on(server, &a), 0);
  ASSERT_EQ(weir_server_listen_on(server, &b), 0);
  std::thread runner([&] { EXPECT_EQ(weir_server_run(server), 0); });
  settle_loops(server);
  EXPECT_EQ(weir_server_loop(server, 3), nullptr);
  weir_server_stop(server);
  runner.join();
  EXPECT_EQ(weir_server_loop(server, 0), nullptr) << "it runs no more";
  weir_server_free(server);
}

/* A server that echoes at a unix socket, in plain or under TLS. */
class unix_listener : public testing::TestWithParam<bool>
{
protected:
  folder files;
  stage at;
  std::string path = files.path("socket");
  std::vector<std::string> peers;

  unix_listener()
  {
    at.on.upgrade = [this](weir_request *request, void *) {
      weir_peer who = {"?", 1};
      EXPECT_EQ(weir_request_peer(request, &who), 0);
      peers.push_back(who.address + std::string(" ") + std::to_string(who.port));
      return 0;
    };
    at.on.message = [](weir_conn *c, const weir_message *m) { weir_conn_send_message(c, m); };
  }
  void start(const std::string &where)
  {
    path = where;
    if (GetParam())
      at.secure();
    at.listen(at_path(path, at.tls()));
    at.start();
  }
  peer &open()
  {
    peer &client = at.connect(peer(path));
    if (GetParam())
      client.secure(at.client);
    client.send(upgrade_request());
    EXPECT_EQ(at.answer(client, false).status, 101);
    return client;
  }
};

INSTANTIATE_TEST_SUITE_P(transport, unix_listener, testing::Bool(),
                         [](const auto &info) { return info.param ? "tls" : "plain"; });

TEST_P(unix_listener, ServesAsAPortDoes)
{
  start(path);
  peer &client = open();
  for (size_t size : {0, 1, 1000, 100000, 1000000}) {
    std::string text(size, 'x');
    client.say(text);
    EXPECT_EQ(at.next(client).payload, text);
  }
  EXPECT_EQ(peers, std::vector<std::string>{"unix 0"});
  weir_peer who = {"?", 1};
  EXPECT_EQ(weir_conn_peer(at.last(), &who), 0);
  EXPECT_STREQ(who.address, "unix");
  EXPECT_EQ(who.port, 0);
  client.say(close_payload(1000), fin | closing);
  EXPECT_EQ(at.next(client).code(), 1000);
  EXPECT_TRUE(at.ends(client));
  weir_server_stop(at.server());
  at.settle();
  EXPECT_FALSE(exists(path));
  EXPECT_THROW(peer late(path), std::runtime_error);
}

TEST_P(unix_listener, NeedsNoFile)
{
  start("@weir-test-" + std::to_string(getpid()));
  peer &client = open();
  client.say("hello");
  EXPECT_EQ(at.next(client).payload, "hello");
}

/* Descriptors that come along are closed, and what comes behind them in the same event is read. */
TEST_P(unix_listener, TakesNoDescriptors)
{
  int pipe[2];
  ASSERT_EQ(pipe2(pipe, O_CLOEXEC | O_NONBLOCK), 0);
  start(path);
  peer &client = at.connect(peer(path));
  std::string hello = GetParam() ? std::string("\x16\x03\x01", 3) : upgrade_request();
  client.pass(pipe[1], hello.substr(0, 1));
  client.pass(pipe[1], hello.substr(1, 1));
  client.send(hello.substr(2));
  if (GetParam()) {
    at.settle();
    EXPECT_EQ(at.counters().tls_failed, 0u) << "it waits for the rest of the ClientHello";
  } else {
    EXPECT_EQ(at.answer(client, false).status, 101);
    client.pass(pipe[1], masked(fin | text, "a descriptor"));
    client.send(masked(fin | text, "and more"));
    EXPECT_EQ(at.next(client).payload, "a descriptor");
    EXPECT_EQ(at.next(client).payload, "and more");
  }
  close(pipe[1]);
  char byte;
  EXPECT_EQ(read(pipe[0], &byte, 1), 0) << "the server still has one";
  close(pipe[0]);
}

TEST(inherited_listener, ServesOnIt)
{
  for (int family : {AF_INET, AF_UNIX}) {
    folder files;
    stage at;
    std::string path = files.path("socket");
    weir_server *manager = new_server();
    weir_listen_options where = family == AF_INET ? loopback() : at_path(path);
    ASSERT_EQ(weir_server_listen_on(manager, &where), 0);
    int fd = dup(manager->endpoints[0].fd); /* as a service manager keeps its own */
    at.listen(on_descriptor(fd));
    at.start();
    EXPECT_EQ(weir_server_port(at.server()), weir_server_port(manager));
    for (int i = 0; i < 3; i++) {
      peer &client = at.connect(family == AF_INET ? peer(at.port()) : peer(path));
      client.send(upgrade_request());
      EXPECT_EQ(at.answer(client, false).status, 101);
    }
    at.end_server();
    EXPECT_LT(fcntl(fd, F_GETFD), 0) << "it was the server's";
    EXPECT_EQ(exists(path), family == AF_UNIX) << "it did not bind the file";
    EXPECT_NO_THROW(family == AF_INET ? peer(weir_server_port(manager)) : peer(path));
    weir_server_free(manager);
  }
}

/* Sockets that cannot be joined are shared by all loops, and each gets its part. */
TEST(shared_listener, GivesEachLoopItsPart)
{
  constexpr size_t loops = 3, connections = 60;
  folder files;
  std::string path = files.path("socket");
  weir_server *server = new_server(loops);
  std::mutex lock;
  std::map<weir_loop *, size_t> opened;
  hooks on;
  on.open = [&](weir_conn *c) {
    std::lock_guard<std::mutex> hold(lock);
    opened[weir_conn_loop(c)]++;
  };
  weir_route route = route_of(on);
  ASSERT_EQ(weir_server_route(server, "/", &route, &on), 0);
  weir_listen_options where = at_path(path);
  ASSERT_EQ(weir_server_listen_on(server, &where), 0);
  std::thread runner([&] { EXPECT_EQ(weir_server_run(server), 0); });
  std::vector<peer> clients;
  for (size_t i = 0; i < connections; i++) {
    settle_loops(server);
    peer &client = clients.emplace_back(path);
    client.send(upgrade_request());
    EXPECT_TRUE(client.await([&] { return client.take_response(false).has_value(); }));
  }
  EXPECT_EQ(opened.size(), loops);
  for (auto [loop, count] : opened)
    EXPECT_GE(count, connections / loops / 4) << "a loop got nearly nothing";
  weir_server_stop(server);
  runner.join();
  EXPECT_FALSE(exists(path));
  weir_server_free(server);
}

} // namespace
