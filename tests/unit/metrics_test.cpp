// What a server says of itself: every reason and close code is counted once, times by a clock that
// the test puts forward, over all loops; and the routes by which it is asked.
#include "support/stage.hpp"

#include "ws/server.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>
#include <set>
#include <thread>

using namespace support;

namespace
{

std::string text_of(const weir_server *server)
{
  std::string text(WEIR_METRICS_BYTES, '\0');
  size_t len = weir_server_metrics(server, text.data(), text.size());
  EXPECT_LE(len, text.size());
  text.resize(len);
  return text;
}

/* The value of a sample; -1: there is none. */
double value(const std::string &text, const std::string &sample)
{
  size_t at = ("\n" + text).find("\n" + sample + " ");
  return at == std::string::npos ? -1 : std::stod(text.substr(at + sample.size() + 1));
}

/* All samples of a family that are not zero, as "label=value ...". */
std::string nonzero(const std::string &text, const std::string &family)
{
  std::string found;
  for (size_t at = 0, end; (end = text.find('\n', at)) != std::string::npos; at = end + 1) {
    std::string line = text.substr(at, end - at);
    if (line.rfind(family + "{", 0) == 0 && !line.ends_with(" 0"))
      found += (found.empty() ? "" : " ") + line.substr(family.size());
  }
  return found;
}

std::string rejected(const std::string &reason, int count = 1)
{
  return "{reason=\"" + reason + "\"} " + std::to_string(count);
}

std::string closed(int code, const std::string &initiator)
{
  return "{code=\"" + std::to_string(code) + "\",initiator=\"" + initiator + "\"} 1";
}

class metrics : public testing::Test
{
protected:
  std::unique_ptr<stage> made = std::make_unique<stage>();

  stage &at() const
  {
    return *made;
  }
  void with(weir_options options)
  {
    options.size = sizeof options;
    made = std::make_unique<stage>(options);
  }
  std::string text() const
  {
    return text_of(at().server());
  }
  std::string rejects() const
  {
    return nonzero(text(), "ws_connections_rejected_total");
  }
  std::string closes() const
  {
    return nonzero(text(), "ws_closes_total");
  }
  double of(const std::string &sample) const
  {
    return value(text(), sample);
  }
};

TEST_F(metrics, EveryFamilyIsThereFromTheStart)
{
  at().start();
  for (const char *sample :
       {"ws_connections{state=\"open\"}", "ws_connections_rejected_total{reason=\"no_memory\"}",
        "ws_closes_total{code=\"4xxx\",initiator=\"us\"}", "ws_handshake_seconds_count",
        "ws_loop_lag_seconds_count", "ws_messages_total{direction=\"in\"}",
        "ws_slow_consumer_total{action=\"close\"}", "ws_slow_consumer_total{action=\"shed\"}",
        "ws_queue_bytes", "ws_tls_failures_total"})
    EXPECT_EQ(of(sample), 0) << sample;
  EXPECT_EQ(of("ws_none"), -1);
}

/* The whole length is told, whatever the room; nothing behind it is touched. */
TEST_F(metrics, ShortBuffer)
{
  at().start();
  const std::string whole = text();
  char some[16] = "~~~~~~~~~~~~~~~";
  EXPECT_EQ(weir_server_metrics(at().server(), some, 8), whole.size());
  EXPECT_EQ(std::string(some), whole.substr(0, 8) + "~~~~~~~");
  EXPECT_EQ(weir_server_metrics(at().server(), nullptr, 0), whole.size());
}

TEST_F(metrics, RequestsRefusedByTheLibrary)
{
  at().start();
  const std::string host = " HTTP/1.1\r\nHost: x\r\n";
  const std::pair<std::string, const char *> requests[] = {
      {"GET / HTTP/1.1\r\n\r\n", "bad_request"},
      {"GET /none" + host + "\r\n", "not_found"},
      {"POST /" + host + "\r\n", "method_not_allowed"},
      {"GET /" + std::string(9000, 'x') + host + "\r\n", "uri_too_long"},
      {"GET /" + host + "\r\n", "upgrade_required"},
      {"GET /" + host + "X: " + std::string(17000, 'x') + "\r\n\r\n", "header_too_large"},
  };
  for (const auto &[request, reason] : requests) {
    peer &client = at().connect();
    client.send(request);
    EXPECT_GE(at().answer(client).status, 400) << reason;
    EXPECT_EQ(of("ws_connections_rejected_total{reason=\"" + std::string(reason) + "\"}"), 1);
  }
  EXPECT_EQ(at().counters().refused, std::size(requests));
}

TEST_F(metrics, RequestsRefusedByTheApplication)
{
  int verdict = 0;
  at().on.upgrade = [&](weir_request *, void *) { return verdict; };
  at().start();
  const std::pair<int, const char *> verdicts[] = {
      {-401, "unauthorized"},      {-403, "forbidden"},
      {-408, "timeout"},           {-413, "body_too_large"},
      {-429, "too_many_requests"}, {-500, "internal_error"},
      {-503, "unavailable"},       {-418, "other"},
  };
  for (const auto &[status, reason] : verdicts) {
    verdict = status;
    peer &client = at().connect();
    client.send(upgrade_request());
    EXPECT_EQ(at().answer(client).status, -status);
    EXPECT_EQ(of("ws_connections_rejected_total{reason=\"" + std::string(reason) + "\"}"), 1);
  }
  EXPECT_EQ(of("ws_handshake_seconds_count"), 0);
}

/* Once: not again with the 503 that the connection is told. */
TEST_F(metrics, ServerIsFull)
{
  weir_options options = {};
  options.max_connections = 1;
  with(options);
  at().start();
  at().open();
  peer &client = at().connect();
  client.send(upgrade_request());
  EXPECT_EQ(at().answer(client).status, 503);
  EXPECT_EQ(rejects(), rejected("server_full"));
}

TEST_F(metrics, TooManyOfAnAddress)
{
  weir_options options = {};
  options.max_connections_per_address = 1;
  with(options);
  at().start();
  at().open();
  peer &client = at().connect();
  client.send(upgrade_request());
  EXPECT_EQ(at().answer(client).status, 429);
  EXPECT_EQ(rejects(), rejected("address_limit"));
}

TEST_F(metrics, BrokenProxyProtocol)
{
  const char *const trusted[] = {"127.0.0.1", nullptr};
  weir_options options = {};
  options.trusted_proxies = trusted;
  with(options);
  weir_listen_options where = {};
  where.size = sizeof where;
  where.host = "127.0.0.1";
  where.proxy_protocol = 1;
  at().listen(where);
  at().start();
  peer &client = at().connect();
  client.send("GET / HTTP/1.1\r\n\r\n");
  EXPECT_TRUE(at().ends(client));
  EXPECT_EQ(rejects(), rejected("proxy_protocol"));
}

TEST_F(metrics, NoMemoryForAConnection)
{
  at().start();
  at().fail_allocation(1);
  peer &client = at().connect();
  EXPECT_TRUE(at().ends(client));
  EXPECT_EQ(rejects(), rejected("no_memory"));
}

TEST_F(metrics, ClosesThatThePeerBegins)
{
  at().start();
  peer &with_code = at().open(), &with_none = at().open(), &of_its_own = at().open();
  with_code.say(close_payload(1000), fin | closing);
  with_none.say("", fin | closing);
  of_its_own.say(close_payload(4321), fin | closing);
  peer &silent = at().open();
  silent.half_close();
  at().settle();
  EXPECT_EQ(closes(), closed(1000, "peer") + " " + closed(1005, "peer") + " " +
                          closed(1006, "peer") + " {code=\"4xxx\",initiator=\"peer\"} 1");
}

TEST_F(metrics, ClosesThatTheServerBegins)
{
  at().on.message = [](weir_conn *c, const weir_message *) { weir_conn_close(c, 1001, "bye"); };
  at().start();
  peer &asked = at().open();
  asked.say("close");
  EXPECT_EQ(at().next(asked).code(), 1001);
  EXPECT_EQ(closes(), ""); /* not before the answer */
  asked.say(close_payload(1001), fin | closing);
  peer &wrong = at().open();
  wrong.send(masked(fin | 3, ""));
  peer &dumb = at().open();
  dumb.say("\xFF");
  at().settle();
  EXPECT_EQ(closes(), closed(1001, "us") + " " + closed(1002, "us") + " " + closed(1007, "us"));
  at().open();
  weir_conn_abort(at().last());
  at().settle();
  EXPECT_EQ(of("ws_closes_total{code=\"1006\",initiator=\"us\"}"), 1);
}

/* The peer that was sent Close went without an answer: it was us who ended it. */
TEST_F(metrics, CloseWithoutAnAnswer)
{
  at().start();
  peer &client = at().open();
  weir_conn_close(at().last(), 1000, nullptr);
  at().settle();
  client.half_close();
  at().settle();
  EXPECT_EQ(closes(), closed(1006, "us"));
}

TEST_F(metrics, PeerThatAnswersNoPing)
{
  at().freeze();
  at().options.ping_interval_ms = 1000;
  at().options.pong_timeout_ms = 1000;
  at().start();
  at().open();
  for (int i = 0; i < 60; i++)
    at().pass(64);
  at().settle();
  EXPECT_EQ(closes(), closed(1006, "us"));
}

TEST_F(metrics, StoppingServer)
{
  at().start();
  at().open();
  weir_server_stop(at().server());
  at().settle();
  EXPECT_EQ(closes(), closed(1001, "us"));
}

/* What is refused for a full queue is dropped, or ends the connection, by the route's policy. */
TEST_F(metrics, SlowConsumers)
{
  for (size_t policy : {size_t{WEIR_QUEUE_CLOSE}, size_t{WEIR_QUEUE_DROP_NEWEST}}) {
    made = std::make_unique<stage>();
    at().options.queue_policy = policy;
    at().options.max_queued_bytes = 1 << 20;
    at().start();
    at().open("/", "", 4096).stall(true);
    const std::string much(512 << 10, 'x');
    weir_conn *c = at().last();
    int error = 0;
    for (int i = 0; error == 0 && i < 100; i++) {
      error = weir_conn_send(c, WEIR_BINARY, much.data(), much.size());
      if (error == 0)
        at().turn_once();
    }
    bool ends = policy == WEIR_QUEUE_CLOSE;
    EXPECT_EQ(error, -ENOBUFS);
    EXPECT_EQ(nonzero(text(), "ws_slow_consumer_total"),
              ends ? "{action=\"close\"} 1" : "{action=\"drop\"} 1");
    at().settle();
    EXPECT_EQ(closes(), ends ? closed(1008, "us") : "");
  }
}

/* From accept to the 101: what passes between the two. */
TEST_F(metrics, Handshakes)
{
  at().freeze();
  at().start();
  peer &client = at().connect();
  at().settle();
  EXPECT_EQ(of("ws_connections{state=\"handshake\"}"), 1);
  at().pass(64);
  client.send(upgrade_request());
  EXPECT_EQ(at().answer(client, false).status, 101);
  EXPECT_EQ(of("ws_handshake_seconds_bucket{le=\"0.05\"}"), 0);
  EXPECT_EQ(of("ws_handshake_seconds_bucket{le=\"0.1\"}"), 1);
  EXPECT_EQ(of("ws_handshake_seconds_sum"), 0.064);
  EXPECT_EQ(of("ws_connections{state=\"handshake\"}"), 0);
  EXPECT_EQ(of("ws_connections{state=\"open\"}"), 1);
  EXPECT_EQ(of("ws_connections{state=\"other\"}"), 0);
}

TEST_F(metrics, TrafficByDirection)
{
  at().on.message = [](weir_conn *c, const weir_message *m) {
    weir_conn_send_message(c, m);
    weir_conn_send_message(c, m);
  };
  at().start();
  peer &client = at().open();
  double in = of("ws_bytes_total{direction=\"in\"}"), out = of("ws_bytes_total{direction=\"out\"}");
  client.say("four");
  EXPECT_EQ(at().next(client).payload, "four");
  EXPECT_EQ(at().next(client).payload, "four");
  EXPECT_EQ(of("ws_messages_total{direction=\"in\"}"), 1);
  EXPECT_EQ(of("ws_messages_total{direction=\"out\"}"), 2);
  EXPECT_EQ(of("ws_bytes_total{direction=\"in\"}") - in, 10);
  EXPECT_EQ(of("ws_bytes_total{direction=\"out\"}") - out, 12);
}

/* ---- the routes */

class observed : public metrics
{
protected:
  uint16_t apart = 0;

  /* Listens for the public, and under a name for whoever watches. */
  void observe()
  {
    weir_listen_options for_all = {}, named = {};
    for_all.size = named.size = sizeof named;
    for_all.host = named.host = "127.0.0.1";
    named.name = "watchers";
    EXPECT_EQ(weir_server_observe(at().server(), "watchers"), 0);
    at().listen(for_all);
    at().listen(named);
    at().start();
    apart = weir_server_port_of(at().server(), "watchers");
  }
  response get(uint16_t port, const char *path)
  {
    peer &client = at().connect(peer(port));
    client.send("GET " + std::string(path) + " HTTP/1.1\r\nHost: x\r\n\r\n");
    return at().answer(client);
  }
};

TEST_F(observed, PagesOfTheNamedListenerAlone)
{
  observe();
  const response shown = get(apart, "/metrics");
  EXPECT_EQ(shown.status, 200);
  EXPECT_EQ(shown.field("Content-Type"), "text/plain; version=0.0.4; charset=utf-8");
  EXPECT_EQ(value(shown.body, "ws_connections_accepted_total"), 1);
  EXPECT_EQ(shown.body.back(), '\n');
  for (const char *path : {"/livez", "/readyz"}) {
    const response said = get(apart, path);
    EXPECT_EQ(said.status, 200);
    EXPECT_EQ(said.body, "ok\n");
  }
  for (const char *path : {"/metrics", "/livez", "/readyz"})
    EXPECT_EQ(get(weir_server_port_of(at().server(), nullptr), path).status, 404);
}

/* Who is about to stop takes nobody new, but lives. */
TEST_F(observed, NotReadyWhileItStops)
{
  observe();
  at().server()->stopping = 1;
  const response said = get(apart, "/readyz");
  EXPECT_EQ(said.status, 503);
  EXPECT_EQ(said.body, "the server stops\n");
  EXPECT_EQ(get(apart, "/livez").status, 200);
  at().server()->stopping = 0;
  EXPECT_EQ(get(apart, "/readyz").status, 200);
}

TEST_F(observed, PathsMayBeTaken)
{
  page any;
  any.request = [](weir_request *) { return 200; };
  at().http("GET", "/livez", any);
  EXPECT_EQ(weir_server_observe(at().server(), nullptr), -EEXIST);
}

/* The probe comes every 100 ms; a loop that is held up comes late to it. */
TEST_F(observed, LagOfTheLoop)
{
  at().freeze();
  observe();
  EXPECT_EQ(of("ws_loop_lag_seconds_count"), 0);
  for (int i = 0; i < 11; i++)
    at().pass(10);
  EXPECT_EQ(of("ws_loop_lag_seconds_count"), 1);
  EXPECT_EQ(of("ws_loop_lag_seconds_bucket{le=\"0.01\"}"), 1);
  at().pass(1100);
  EXPECT_EQ(of("ws_loop_lag_seconds_count"), 2);
  EXPECT_EQ(of("ws_loop_lag_seconds_bucket{le=\"0.5\"}"), 1);
  EXPECT_EQ(of("ws_loop_lag_seconds_bucket{le=\"2.5\"}"), 2);
}

TEST_F(metrics, NobodyObservesSoNothingWakesTheLoop)
{
  at().freeze();
  at().start();
  at().pass(1000);
  EXPECT_EQ(of("ws_loop_lag_seconds_count"), 0);
  EXPECT_EQ(at().server()->shards[0].lag_probe, nullptr);
}

/* ---- over several loops, while they run */

TEST(metrics_of_loops, AreSummedOnAnyThread)
{
  std::mutex lock;
  std::condition_variable changed;
  std::set<weir_loop *> met;
  size_t opened = 0;
  hooks on;
  on.open = [&](weir_conn *c) {
    std::lock_guard<std::mutex> hold(lock);
    met.insert(weir_conn_loop(c));
    opened++;
    changed.notify_all();
  };
  weir_options options = {};
  options.size = sizeof options;
  options.loops = 2;
  weir_server *server = nullptr;
  ASSERT_EQ(weir_server_new(&server, &options), 0);
  weir_route route = route_of(on);
  ASSERT_EQ(weir_server_route(server, "/", &route, &on), 0);
  ASSERT_EQ(weir_server_observe(server, "none"), 0);
  ASSERT_EQ(weir_server_listen(server, "127.0.0.1", 0), 0);
  std::thread runner([&] { EXPECT_EQ(weir_server_run(server), 0); });
  std::vector<peer> clients;
  std::unique_lock<std::mutex> hold(lock);
  while (clients.size() < 200 && met.size() < 2) {
    clients.emplace_back(weir_server_port(server));
    clients.back().send(upgrade_request());
    ASSERT_TRUE(changed.wait_for(hold, patience, [&] { return opened == clients.size(); }));
  }
  hold.unlock();
  EXPECT_EQ(met.size(), 2u);
  const auto count = static_cast<double>(clients.size());
  EXPECT_EQ(value(text_of(server), "ws_connections{state=\"open\"}"), count);
  EXPECT_EQ(value(text_of(server), "ws_handshake_seconds_count"), count);
  weir_server_stop(server);
  runner.join();
  EXPECT_EQ(value(text_of(server), "ws_closes_total{code=\"1001\",initiator=\"us\"}"), count);
  weir_server_free(server);
}

} // namespace
