// What a server listens on: several listeners at once, each with its routes, plain and TLS.
#include "support/stage.hpp"

#include <gtest/gtest.h>

#include "io/tls_stream.h"
#include "sys_fake.hpp"
#include "ws/conn.h"

#include <arpa/inet.h>
#include <cerrno>
#include <netinet/in.h>
#include <thread>

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

TEST(loops, AreToldByTheirIndexWhileTheServerRuns)
{
  weir_server *server = new_server(3);
  EXPECT_EQ(weir_server_loop_count(server), 3u);
  EXPECT_EQ(weir_server_loop(server, 0), nullptr) << "it does not run yet";
  weir_listen_options a = loopback("a"), b = loopback("b");
  ASSERT_EQ(weir_server_listen_on(server, &a), 0);
  ASSERT_EQ(weir_server_listen_on(server, &b), 0);
  std::thread runner([&] { EXPECT_EQ(weir_server_run(server), 0); });
  while (weir_server_loop(server, 0) == nullptr)
    std::this_thread::yield();
  std::atomic<size_t> ran{0};
  for (size_t i = 0; i < 3; i++)
    EXPECT_EQ(weir_loop_post(
                  weir_server_loop(server, i),
                  [](void *arg) { ++*static_cast<std::atomic<size_t> *>(arg); }, &ran),
              0);
  EXPECT_EQ(weir_server_loop(server, 3), nullptr);
  while (ran < 3)
    std::this_thread::yield();
  weir_server_stop(server);
  runner.join();
  EXPECT_EQ(weir_server_loop(server, 0), nullptr) << "it runs no more";
  weir_server_free(server);
}

} // namespace
