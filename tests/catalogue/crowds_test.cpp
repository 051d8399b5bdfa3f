/* Rows 62, 63 and 71: more connections, handshakes, subscriptions and topics than there may be (RFC
 * 6455 section 10.4, RFC 9110 sections 15.6.4, 10.2.3). */
#include "catalogue/harness.hpp"

#include <arpa/inet.h>
#include <cerrno>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

using namespace catalogue;

namespace
{

/* As many as that beside the bystander. */
setup with_connections(size_t most)
{
  setup out;
  out.options.max_connections = most + 1;
  return out;
}

/* How many of some clients the server closes without a word. */
size_t count_closed(std::vector<client> &attackers)
{
  size_t closed = 0;
  for (client &attacker : attackers) {
    ending end = attacker.wait_end(std::chrono::milliseconds(0));
    closed += end != ending::silence;
  }
  return closed;
}

} // namespace

TEST(Row62, ConnectionsOverTheCap)
{
  server at(with_connections(2));
  client first = at.open(), second = at.open();
  response answer = expect_refused(at, request{}.str(), 503, "full");
  EXPECT_EQ(answer.value("retry-after"), "5");
  expect_refused(at, request{}.with_line("GET /nowhere HTTP/1.1").str(), 503, "full");
  EXPECT_EQ(at.counters().turned_away, 6u);
  for (client *each : {&first, &second})
    expect_echo(*each, "not touched");
  first.reset();
  client third = at.connect();
  at.poll("a place", [&] {
    third = at.connect();
    third.send(request{}.str());
    return third.read_response(false).value_or(response{}).status == 101;
  });
}

TEST(Row62, ManyOverTheCapAreClosedAtOnce)
{
  server at(with_connections(1));
  client inside = at.open();
  uint64_t memory = at.counters().memory_bytes;
  std::vector<client> attackers;
  for (int i = 0; i < 300; i++)
    attackers.emplace_back(at.port(), 0, transport::tcp);
  at.poll("all of them", [&] { return at.counters().turned_away == 300; });
  at.expect_undisturbed();
  EXPECT_EQ(count_closed(attackers), 300u - 64u) << "64 at a time are told why";
  EXPECT_LT(at.counters().memory_bytes, memory + (256 << 10));
  expect_echo(inside, "not touched");
  for (client &attacker : attackers)
    attacker.reset();
  expect_refused(at, request{}.str(), 503, "full");
}

namespace
{

/* A socket of another address of this machine, connected. */
class stranger
{
public:
  stranger(const char *from, uint16_t port) : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0))
  {
    sockaddr_in own = address(from, 0), to = address("127.0.0.1", port);
    EXPECT_EQ(bind(fd_, reinterpret_cast<sockaddr *>(&own), sizeof own), 0);
    EXPECT_EQ(connect(fd_, reinterpret_cast<sockaddr *>(&to), sizeof to), 0);
  }
  ~stranger()
  {
    close(fd_);
  }
  stranger(const stranger &) = delete;

private:
  static sockaddr_in address(const char *text, uint16_t port)
  {
    sockaddr_in out = {};
    out.sin_family = AF_INET;
    out.sin_port = htons(port);
    EXPECT_EQ(inet_pton(AF_INET, text, &out.sin_addr), 1);
    return out;
  }

  int fd_;
};

} // namespace

TEST(Row62, ConnectionsOfAnAddressOverTheCap)
{
  setup two;
  two.options.max_connections_per_address = 3; /* with the bystander's */
  server at(two);
  client first = at.open(), second = at.open();
  response answer = expect_refused(at, request{}.str(), 429, "address");
  EXPECT_EQ(answer.value("retry-after"), "5");
  EXPECT_EQ(at.counters().turned_away, 3u);
  weir_counters before = at.counters();
  stranger one("127.0.0.2", at.port()), other("127.0.0.3", at.port());
  at.poll("others", [&] { return at.counters().accepted == before.accepted + 2; });
  EXPECT_EQ(at.counters().turned_away, before.turned_away);
  for (client *each : {&first, &second})
    expect_echo(*each, "not touched");
  first.reset();
  client third = at.connect();
  at.poll("a place", [&] {
    third = at.connect();
    third.send(request{}.str());
    return third.read_response(false).value_or(response{}).status == 101;
  });
}

TEST(Row62, ClientsOfATrustedProxyAreMany)
{
  static const char *const trusted[] = {"127.0.0.1", nullptr};
  setup one;
  one.options.max_connections_per_address = 1;
  one.options.trusted_proxies = trusted;
  server at(one);
  client first = at.open(), second = at.open();
  stranger alone("127.0.0.2", at.port());
  at.poll("it", [&] { return at.counters().accepted == 4; });
  EXPECT_EQ(at.counters().turned_away, 0u);
  stranger again("127.0.0.2", at.port());
  at.poll("the next one", [&] { return at.counters().turned_away == 1; });
  expect_echo(first, "not touched");
}

TEST(Row63, HalfOpenOverTheCap)
{
  setup few;
  few.options.max_handshakes = 20;
  server at(few);
  client inside = at.open();
  std::vector<client> attackers;
  for (int i = 0; i < 300; i++) {
    attackers.emplace_back(at.port(), 0, transport::tcp);
    if (at.over() == transport::tcp && i % 2 == 0)
      attackers.back().send("GET / HTTP/1.1\r\nHost: localhost\r\n");
  }
  at.poll("all of them", [&] { return at.counters().turned_away == 280; });
  EXPECT_EQ(count_closed(attackers), 300u - 20u - 64u);
  at.expect_undisturbed();
  expect_echo(inside, "not touched");
  for (client &attacker : attackers)
    attacker.reset();
  client late = at.connect();
  at.poll("a place", [&] {
    late = at.connect();
    late.send(request{}.str());
    return late.read_response(false).value_or(response{}).status == 101;
  });
}

/* Those that are open, or were answered once, are no handshakes. */
TEST(Row63, OpenConnectionsCountForNothing)
{
  setup one;
  one.options.max_handshakes = 1;
  server at(one);
  std::vector<client> peers;
  for (int i = 0; i < 50; i++)
    peers.push_back(at.open());
  for (client &peer : peers)
    expect_echo(peer, "open");
  EXPECT_EQ(at.counters().turned_away, 0u);
  client silent = at.connect();
  if (at.over() == transport::tcp)
    silent.send("G");
  else
    silent.send_raw(silent.hello().substr(0, 5));
  at.poll("it", [&] { return at.counters().accepted == 52; });
  expect_refused(at, request{}.str(), 503, "full");
}

TEST(Row63, HalfOpenOnesAreSmall)
{
  server at;
  std::vector<client> attackers;
  auto crowd = [&](size_t count) {
    while (attackers.size() < count)
      attackers.emplace_back(at.port(), 0, transport::tcp);
    at.poll("all of them", [&] { return at.counters().accepted == count + 1; });
  };
  crowd(50);
  uint64_t memory = at.counters().memory_bytes;
  crowd(350);
  EXPECT_LT((at.counters().memory_bytes - memory) / 300, 1024u);
}

namespace
{

/* Every message names a topic to subscribe to, and is answered with what came of it. */
setup subscribing(size_t subscriptions, size_t topics = 0)
{
  setup out;
  out.route.max_subscriptions = subscriptions;
  out.options.max_topics = topics;
  out.on.message = [](weir_conn *conn, const weir_message *message) {
    int error = weir_conn_subscribe(conn, static_cast<const char *>(message->data), message->len);
    std::string answer = error == 0          ? "subscribed"
                         : error == -ENOBUFS ? "refused"
                                             : weir_strerror(error);
    weir_conn_send(conn, WEIR_TEXT, answer.data(), answer.size());
  };
  return out;
}

/* Asks for topics from the number first on, and counts those that it got; the others must have been
 * refused. */
size_t subscribe(server &at, client &attacker, size_t first, size_t count, delivery how)
{
  std::string attack;
  for (size_t i = 0; i < count; i++)
    attack += masked(fin | text, "topic " + std::to_string(first + i));
  deliver(at, attacker, attack, how);
  at.expect_undisturbed();
  size_t got = 0;
  for (size_t i = 0; i < count; i++) {
    std::optional<frame> answer = attacker.read_frame();
    if (!answer)
      break;
    got += answer->payload == "subscribed";
    EXPECT_TRUE(answer->payload == "subscribed" || answer->payload == "refused") << answer->payload;
  }
  return got;
}

} // namespace

TEST(Row71, SubscriptionsOfAConnection)
{
  server at(subscribing(5));
  for (delivery how : {delivery::whole, delivery::bytes}) {
    SCOPED_TRACE(name(how));
    client attacker = at.open();
    EXPECT_EQ(subscribe(at, attacker, 0, 5, how), 5u);
    EXPECT_EQ(subscribe(at, attacker, 5, 20, how), 0u);
    client other = at.open();
    EXPECT_EQ(subscribe(at, other, 5, 5, how), 5u);
    attacker.reset();
    at.wait_closed(attacker);
    EXPECT_EQ(weir_server_subscribers(at.get(), "topic 0", 7), 0u);
  }
}

TEST(Row71, SubscriptionsOverTheDefaultLimit)
{
  server at(subscribing(0));
  client attacker = at.open();
  for (size_t first = 0; first < 20000; first += 1000) {
    size_t expected = first < 16000 ? 1000 : first < 17000 ? 384 : 0;
    ASSERT_EQ(subscribe(at, attacker, first, 1000, delivery::whole), expected) << first;
  }
}

TEST(Row71, TopicsOfALoop)
{
  server at(subscribing(0, 30));
  for (int round = 0; round < 2; round++) { /* what they leave is there for others */
    client one = at.open(), two = at.open();
    EXPECT_EQ(subscribe(at, one, 0, 20, delivery::whole), 20u);
    EXPECT_EQ(subscribe(at, two, 100, 20, delivery::bytes), 10u);
    EXPECT_EQ(subscribe(at, two, 0, 20, delivery::whole), 20u) << "these are there already";
    for (client *each : {&one, &two}) {
      each->reset();
      at.wait_closed(*each);
    }
  }
}

TEST(Row71, RefusalsLeaveNothingBehind)
{
  server at(subscribing(5));
  client attacker = at.open();
  subscribe(at, attacker, 0, 10, delivery::whole);
  uint64_t memory = at.counters().memory_bytes;
  for (size_t first = 10; first < 5000; first += 500)
    EXPECT_EQ(subscribe(at, attacker, first, 500, delivery::whole), 0u);
  EXPECT_LT(at.counters().memory_bytes, memory + 65536);
}
