// Places for connections and handshakes: who has none is told so, each is given back once, and in
// the end none is taken.
#include "support/stage.hpp"

#include "unit/sys_fake.hpp"
#include "ws/admit.h"
#include "ws/extra.h"
#include "ws/request.h"

#include <gtest/gtest.h>

#include <cstring>
#include <thread>

using namespace support;

namespace
{

weir_options with(size_t connections, size_t handshakes)
{
  weir_options out = {};
  out.max_connections = connections;
  out.max_handshakes = handshakes;
  return out;
}

const std::string get = "GET /plain HTTP/1.1\r\nHost: localhost\r\n\r\n";

class admit : public testing::Test
{
protected:
  int upgrades = 0;
  std::unique_ptr<stage> at;

  void begin(weir_options options, bool secure = false)
  {
    at = std::make_unique<stage>(options);
    if (secure)
      at->secure();
    at->on.upgrade = [this](weir_request *request, void *) {
      upgrades++;
      weir_slice path = weir_request_path(request);
      return std::string_view(path.data, path.len) == "/refused" ? -403 : 0;
    };
    at->route("/refused", at->on);
    auto hello = [](weir_request *request, void *) {
      return weir_request_respond_body(request, "text/plain", "hello", 5), 200;
    };
    ASSERT_EQ(weir_server_get(at->server(), "/plain", hello, nullptr), 0);
    at->start();
  }

  size_t connections() const
  {
    return at->server()->connections;
  }
  size_t handshakes() const
  {
    return at->server()->handshakes;
  }

  void expect_turned_away(peer &client)
  {
    client.send(upgrade_request());
    response answer = at->answer(client);
    EXPECT_EQ(answer.status, 503);
    EXPECT_EQ(answer.field("Retry-After"), "5");
    EXPECT_EQ(answer.field("Connection"), "close");
    EXPECT_NE(answer.body, "");
    EXPECT_TRUE(at->ends(client));
    EXPECT_FALSE(client.was_reset());
  }
};

TEST_F(admit, AsManyConnectionsAsThereMayBe)
{
  for (bool secure : {false, true}) {
    begin(with(3, 0), secure);
    peer &first = at->open();
    at->open();
    at->connect().send("GET");
    at->settle();
    EXPECT_EQ(connections(), 3u);
    int before = upgrades;
    expect_turned_away(at->connect());
    expect_turned_away(at->connect());
    EXPECT_EQ(upgrades, before) << "a handler was asked";
    EXPECT_EQ(at->counters().turned_away, 2u);
    EXPECT_EQ(at->counters().refused, 2u);
    EXPECT_EQ(connections(), 3u) << "they count for nothing";
    first.reset();
    EXPECT_TRUE(at->until([&] { return connections() == 2; }));
    at->open();
    expect_turned_away(at->connect());
    first.say("still there");
  }
}

TEST_F(admit, AsManyHandshakesAsThereMayBe)
{
  begin(with(0, 2));
  peer &one = at->connect(), &two = at->connect();
  at->settle();
  EXPECT_EQ(handshakes(), 2u);
  expect_turned_away(at->connect());
  one.send(upgrade_request());
  EXPECT_EQ(at->answer(one, false).status, 101);
  EXPECT_EQ(handshakes(), 1u);
  two.send(get);
  EXPECT_EQ(at->answer(two).status, 200);
  EXPECT_EQ(handshakes(), 0u);
  two.send(get.substr(0, 10)); /* its second request is none */
  at->settle();
  EXPECT_EQ(handshakes(), 0u);
  peer &refused = at->connect();
  refused.send(upgrade_request("/refused"));
  EXPECT_EQ(at->answer(refused).status, 403);
  EXPECT_EQ(handshakes(), 0u);
  EXPECT_EQ(connections(), 3u);
  EXPECT_EQ(at->counters().turned_away, 1u);
}

/* Those that are told are few; others are closed at once. */
TEST_F(admit, TurnedAwayWithoutAWordWhenTheyAreMany)
{
  for (bool secure : {false, true}) {
    begin(with(1, 0), secure);
    at->open();
    std::vector<peer *> told;
    for (int i = 0; i < WEIR__TURNED_MOST; i++)
      told.push_back(&at->connect());
    at->settle();
    uint64_t accepted = at->counters().accepted;
    EXPECT_EQ(accepted, 65u);
    for (int i = 0; i < 100; i++)
      EXPECT_TRUE(at->ends(at->connect()));
    EXPECT_EQ(at->counters().accepted, accepted);
    EXPECT_EQ(at->counters().turned_away, 164u);
    for (peer *each : told)
      expect_turned_away(*each);
    for (peer *each : told)
      each->reset();
    EXPECT_TRUE(at->until([&] { return at->server()->shards[0].turned_away == 0; }));
    expect_turned_away(at->connect());
  }
}

TEST_F(admit, TurnedAwayAndSilent)
{
  begin(with(1, 0));
  at->open();
  peer &silent = at->connect(), &half = at->connect();
  half.send("GET / HT");
  at->settle();
  EXPECT_EQ(at->server()->shards[0].turned_away, 2u);
  at->pass(10200);
  EXPECT_TRUE(at->ends(silent));
  EXPECT_EQ(at->answer(half).status, 408);
  EXPECT_TRUE(at->ends(half));
  half.reset();
  EXPECT_TRUE(at->until([&] { return at->server()->shards[0].turned_away == 0; }));
  EXPECT_EQ(connections(), 1u);
}

TEST_F(admit, TurnedAwayWithHeadOnly)
{
  begin(with(1, 0));
  at->open();
  peer &client = at->connect();
  client.send("HEAD /plain HTTP/1.1\r\nHost: localhost\r\n\r\n");
  response answer = at->answer(client, false);
  EXPECT_EQ(answer.status, 503);
  EXPECT_NE(answer.field("Content-Length"), "0");
  EXPECT_TRUE(at->ends(client));
  EXPECT_EQ(client.input(), "");
}

/* An application that is full itself may say so better. */
TEST_F(admit, ApplicationsTellWhenToComeAgain)
{
  hooks busy;
  busy.upgrade = [](weir_request *request, void *) {
    if (weir_request_query(request, "own").data != nullptr) {
      EXPECT_EQ(weir_request_respond_header(request, "Retry-After", "60"), 0);
    }
    return -503;
  };
  stage own;
  own.route("/busy", busy);
  own.start();
  for (const auto &[path, wanted] : {std::pair{"/busy", "5"}, {"/busy?own=1", "60"}}) {
    peer &client = own.connect();
    client.send(upgrade_request(path));
    response answer = own.answer(client);
    EXPECT_EQ(answer.status, 503);
    EXPECT_EQ(answer.field("Retry-After"), wanted);
    EXPECT_EQ(answer.head.find("Retry-After"), answer.head.rfind("Retry-After")) << "only one";
  }
}

/* However a connection ends, it gives back what it took, once. */
TEST_F(admit, EveryEndGivesThePlaceBack)
{
  const std::function<void(peer &)> ways[] = {
      [](peer &client) { client.reset(); },
      [](peer &client) { client.half_close(); },
      [](peer &client) { client.send("nonsense\r\n\r\n"), client.half_close(); },
      [](peer &client) { client.send(upgrade_request("/refused")), client.half_close(); },
      [](peer &client) { client.send(get + "GET / HT"), client.half_close(); },
      [this](peer &) { at->pass(11000); },
      [](peer &client) { client.send_raw("GET / HTTP/1.1\r\n\r\n"), client.reset(); },
      [](peer &client) { client.send(upgrade_request()), client.half_close(); },
      [](peer &client) { client.send(upgrade_request() + "\xFF\xFF"), client.half_close(); },
      [this](peer &client) {
        client.send(upgrade_request());
        EXPECT_EQ(at->answer(client, false).status, 101);
        weir_conn_abort(at->last());
      },
      [this](peer &client) {
        client.send(upgrade_request());
        EXPECT_EQ(at->answer(client, false).status, 101);
        client.say(close_payload(1000), fin | closing);
        EXPECT_TRUE(at->ends(client));
        client.half_close();
      }};
  for (bool secure : {false, true}) {
    begin(with(0, 0), secure);
    size_t nth = 0;
    for (const auto &end : ways) {
      SCOPED_TRACE(nth++);
      peer &client = at->connect();
      at->settle();
      end(client);
      EXPECT_TRUE(at->until([&] { return connections() == 0; }));
      EXPECT_EQ(handshakes(), 0u);
    }
  }
}

TEST_F(admit, ServerThatStopsGivesAllPlacesBack)
{
  begin(with(3, 2));
  at->open();
  at->connect();
  at->connect();
  for (int i = 0; i < 100; i++)
    at->connect();
  at->settle();
  EXPECT_EQ(connections(), 3u);
  weir_server_stop(at->server());
  EXPECT_TRUE(at->until([&] { return connections() == 0; }));
  EXPECT_EQ(handshakes(), 0u);
  EXPECT_EQ(at->server()->shards[0].turned_away, 0u);
}

/* A place without memory for a connection is free again. */
TEST_F(admit, LackOfMemoryTakesNoPlace)
{
  size_t failures = 0;
  for (size_t nth = 1; nth < 40; nth++) {
    sys_fake fake;
    weir_loop *loop = nullptr;
    weir_server *server = nullptr;
    weir_options options = with(1, 1);
    options.size = sizeof options;
    ASSERT_EQ(weir__loop_new(&loop, &fake.sys), 0);
    ASSERT_EQ(weir__server_new(&server, &options, &fake.sys), 0);
    ASSERT_EQ(weir_server_listen(server, "127.0.0.1", 0), 0);
    ASSERT_EQ(weir_server_attach(server, loop), 0);
    fake.fail_at = fake.allocations + nth;
    {
      peer client(weir_server_port(server));
      for (int i = 0; i < 3; i++)
        weir_loop_step(loop, 10);
      failures += client.pump() && client.ended();
      EXPECT_LE(server->connections, 1u);
      EXPECT_EQ(server->connections, server->handshakes);
      EXPECT_EQ(server->connections, server->shards[0].counters.accepted);
    }
    weir_server_free(server);
    weir_loop_free(loop);
    if (fake.allocations < fake.fail_at)
      break;
  }
  EXPECT_GT(failures, 0u);
}

weir_options with_addresses(size_t most, const char *const *trusted = nullptr)
{
  weir_options out = {};
  out.max_connections_per_address = most;
  out.trusted_proxies = trusted;
  return out;
}

TEST_F(admit, AsManyOfAnAddressAsThereMayBe)
{
  for (bool secure : {false, true}) {
    begin(with_addresses(2), secure);
    EXPECT_EQ(at->server()->extra_bytes, size_t{WEIR__EXTRA_BYTES});
    peer &first = at->open();
    at->open();
    peer &third = at->connect();
    third.send(upgrade_request());
    response answer = at->answer(third);
    EXPECT_EQ(answer.status, 429);
    EXPECT_EQ(answer.field("Retry-After"), "5");
    EXPECT_NE(answer.body.find("address"), std::string::npos);
    EXPECT_TRUE(at->ends(third));
    EXPECT_EQ(at->counters().turned_away, 1u);
    EXPECT_EQ(connections(), 2u);
    EXPECT_EQ(at->server()->guests.count, 1u);
    first.reset();
    EXPECT_TRUE(at->until([&] { return connections() == 1; }));
    at->open();
    weir_server_stop(at->server());
    EXPECT_TRUE(at->until([&] { return connections() == 0; }));
    EXPECT_EQ(at->server()->guests.count, 0u);
  }
}

/* Who is turned away for want of a place is not counted by address, and the other way round. */
TEST_F(admit, RefusedForOneReasonOnly)
{
  weir_options both = with_addresses(1);
  both.max_connections = 1;
  begin(both);
  at->open();
  expect_turned_away(at->connect());
  EXPECT_EQ(at->server()->guests.count, 1u);
  EXPECT_EQ(connections(), 1u);
  EXPECT_EQ(handshakes(), 0u);
}

TEST_F(admit, TrustedProxiesMayHaveAny)
{
  const char *trusted[] = {"10.0.0.0/8", "127.0.0.0/8", nullptr};
  begin(with_addresses(1, trusted));
  for (int i = 0; i < 5; i++)
    at->open();
  EXPECT_EQ(at->server()->guests.count, 0u);
  EXPECT_EQ(at->counters().turned_away, 0u);
}

/* Their clients are counted when they ask for an upgrade, and until they end. */
TEST_F(admit, ClientsBehindTrustedProxies)
{
  const char *trusted[] = {"127.0.0.1", "10.0.0.1", "unix", nullptr};
  weir_options options = with_addresses(2, trusted);
  std::string client = "192.0.2.1";
  std::vector<int> verdicts;
  stage proxied(options);
  proxied.on.upgrade = [&](weir_request *request, void *) {
    weir__ip ip;
    weir__ip_parse({client.data(), client.size()}, &ip);
    int verdict = weir__conn_admit_client(request->conn, &ip);
    EXPECT_EQ(weir__conn_admit_client(request->conn, &ip), verdict) << "it is counted once";
    verdicts.push_back(verdict);
    return verdict;
  };
  proxied.start();
  auto ask = [&](std::string by) {
    client = std::move(by);
    peer &made = proxied.connect();
    made.send(upgrade_request());
    proxied.answer(made, false);
    return verdicts.back();
  };
  EXPECT_EQ(ask("192.0.2.1"), 0);
  EXPECT_EQ(ask("192.0.2.1"), 0);
  EXPECT_EQ(ask("192.0.2.1"), -429);
  EXPECT_EQ(proxied.counters().turned_away, 2u) << "asked twice above";
  EXPECT_EQ(ask("192.0.2.2"), 0);
  EXPECT_EQ(proxied.server()->guests.count, 2u);
  for (int i = 0; i < 3; i++)
    EXPECT_EQ(ask("10.0.0.1"), 0) << "no client, but a proxy's own";
  for (int i = 0; i < 3; i++)
    EXPECT_EQ(ask("unix"), 0) << "of no address";
  EXPECT_EQ(proxied.server()->guests.count, 2u);
  weir_conn_abort(proxied.last());
  weir_server_stop(proxied.server());
  EXPECT_TRUE(proxied.until([&] { return proxied.server()->connections == 0; }));
  EXPECT_EQ(proxied.server()->guests.count, 0u);
}

/* A place without memory for the address is no place. */
TEST_F(admit, LackOfMemoryForAnAddress)
{
  bool failed = false;
  for (size_t nth = 1; nth <= 3; nth++) {
    sys_fake fake;
    weir_loop *loop = nullptr;
    weir_server *server = nullptr;
    weir_options options = with_addresses(1);
    options.size = sizeof options;
    ASSERT_EQ(weir__loop_new(&loop, &fake.sys), 0);
    ASSERT_EQ(weir__server_new(&server, &options, &fake.sys), 0);
    ASSERT_EQ(weir_server_listen(server, "127.0.0.1", 0), 0);
    ASSERT_EQ(weir_server_attach(server, loop), 0);
    fake.fail_at = fake.allocations + nth;
    {
      peer client(weir_server_port(server));
      for (int i = 0; i < 3; i++)
        weir_loop_step(loop, 10);
      EXPECT_EQ(server->guests.count, server->connections);
      failed |= server->guests.mem.bytes > 0 && server->guests.count == 0;
    }
    weir_server_free(server);
    weir_loop_free(loop);
  }
  EXPECT_TRUE(failed);
}

/* The counts are of all loops. */
TEST_F(admit, PlacesAreSharedByTheLoops)
{
  weir_options options = with(5, 0);
  options.size = sizeof options;
  options.loops = 3;
  weir_server *server = nullptr;
  hooks nothing;
  weir_route route = route_of(nothing);
  ASSERT_EQ(weir_server_new(&server, &options), 0);
  ASSERT_EQ(weir_server_route(server, "/", &route, &nothing), 0);
  ASSERT_EQ(weir_server_listen(server, "127.0.0.1", 0), 0);
  std::thread runner([&] { EXPECT_EQ(weir_server_run(server), 0); });
  std::vector<peer> peers;
  size_t open = 0, told = 0;
  for (int i = 0; i < 30; i++) {
    peer &client = peers.emplace_back(weir_server_port(server));
    client.send(upgrade_request());
    std::optional<response> answer;
    EXPECT_TRUE(client.await([&] { return (answer = client.take_response()).has_value(); }));
    open += answer && answer->status == 101;
    told += answer && answer->status == 503;
  }
  EXPECT_EQ(open, 5u);
  EXPECT_EQ(told, 25u);
  weir_server_stop(server);
  runner.join();
  EXPECT_EQ(server->connections, 0u);
  weir_server_free(server);
}

TEST(admit_default, LeavesDescriptorsForAllElse)
{
  EXPECT_EQ(weir__admit_default(1024), 960u);
  EXPECT_EQ(weir__admit_default(129), 65u);
  EXPECT_EQ(weir__admit_default(100), 50u);
  EXPECT_EQ(weir__admit_default(1), 1u);
  EXPECT_EQ(weir__admit_default(SIZE_MAX), WEIR_OFF);
  sys_fake fake;
  fake.sys.descriptor_limit = [](const weir__sys *) { return size_t{20000}; };
  for (size_t given : {size_t{0}, size_t{7}, WEIR_OFF}) {
    weir_options options = with(given, 0);
    options.size = sizeof options;
    weir_server *server = nullptr;
    ASSERT_EQ(weir__server_new(&server, &options, &fake.sys), 0);
    EXPECT_EQ(server->options.max_connections, given == 0 ? 19936u : given);
    EXPECT_EQ(server->options.max_handshakes, 16384u);
    weir_server_free(server);
  }
}

} // namespace
