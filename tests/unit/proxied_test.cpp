// Connections behind a proxy that tells who its clients are, over real sockets, plain and under
// TLS: by every split, from those who may and those who may not (the PROXY protocol; who reads
// headers is proxy_test.cpp's business).
#include "support/stage.hpp"

#include "wire/proxy.h"
#include "ws/conn.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <unistd.h>

using namespace support;

namespace
{

const std::string line = "PROXY TCP4 192.0.2.1 192.0.2.9 56324 443\r\n";
const std::string line6 = "PROXY TCP6 2001:db8::1 2001:db8::9 4124 443\r\n";
const std::string signature("\r\n\r\n\0\r\nQUIT\n", 12);

std::string binary(std::string_view command_and_family, std::string_view rest)
{
  std::string out = signature + std::string(command_and_family);
  out += static_cast<char>(rest.size() >> 8);
  out += static_cast<char>(rest.size());
  return out.append(rest);
}

const std::string block("\xC0\0\2\1\xC0\0\2\x09\xDC\x04\1\xBB", 12);
const std::string proxied2 = binary("\x21\x11", block);
const std::string local2 = binary(std::string("\x20\0", 2), "");

/* As long as a header may be, with a field that nobody reads. */
std::string longest()
{
  std::string rest = block + '\xEE';
  size_t size = WEIR__PROXY_MAX - 16 - rest.size() - 2;
  rest += static_cast<char>(size >> 8);
  rest += static_cast<char>(size);
  return binary("\x21\x11", rest.append(size, 'n'));
}

struct transport {
  const char *name;
  bool secure, local;
};

const char *const proxies[] = {"127.0.0.1", "unix", nullptr};

weir_options trusting(const char *const *trusted, std::vector<std::string> &log)
{
  weir_options options = {};
  options.trusted_proxies = trusted;
  options.log = [](weir_log_level, const char *text, void *arg) {
    static_cast<std::vector<std::string> *>(arg)->push_back(text);
  };
  options.log_arg = &log;
  return options;
}

class proxied : public testing::TestWithParam<transport>
{
protected:
  folder files;
  std::vector<std::string> log;
  std::vector<std::string> requests, connections; /* whom they came from */
  stage at;
  std::string path = files.path("socket");

  explicit proxied(const char *const *trusted = proxies) : at(trusting(trusted, log))
  {
    at.on.upgrade = [this](weir_request *request, void *) {
      weir_peer who = {};
      EXPECT_EQ(weir_request_peer(request, &who), 0);
      requests.push_back(who.address + std::string(" ") + std::to_string(who.port));
      return 0;
    };
    at.on.open = [this](weir_conn *c) {
      weir_peer who = {};
      EXPECT_EQ(weir_conn_peer(c, &who), 0);
      connections.push_back(who.address + std::string(" ") + std::to_string(who.port));
    };
    at.on.message = [](weir_conn *c, const weir_message *m) { weir_conn_send_message(c, m); };
    if (GetParam().secure)
      at.secure();
    weir_listen_options where = {};
    where.host = GetParam().local ? nullptr : "127.0.0.1";
    where.path = GetParam().local ? path.c_str() : nullptr;
    where.tls = at.tls();
    where.proxy_protocol = 1;
    at.listen(where);
    at.start();
  }

  peer &connect()
  {
    return at.connect(GetParam().local ? peer(path) : peer(at.port()));
  }
  void speak(peer &client)
  {
    if (GetParam().secure)
      client.secure(at.client);
    client.send(upgrade_request() + masked(fin | text, "hello"));
  }
  void expect_served(peer &client, const std::string &from)
  {
    EXPECT_EQ(at.answer(client, false).status, 101);
    EXPECT_EQ(at.next(client).payload, "hello");
    ASSERT_FALSE(requests.empty());
    EXPECT_EQ(requests.back(), from);
    EXPECT_EQ(connections.back(), from);
  }
  /* It is closed without a word, counted and told. */
  void expect_turned_away(peer &client, const std::string &why, uint64_t times = 1)
  {
    EXPECT_TRUE(at.ends(client)) << why;
    EXPECT_EQ(client.input(), "");
    EXPECT_EQ(at.counters().turned_away, times);
    ASSERT_FALSE(log.empty());
    EXPECT_EQ(log.back(), "turned a connection away: " + why);
  }
};

INSTANTIATE_TEST_SUITE_P(over, proxied,
                         testing::Values(transport{"tcp", false, false},
                                         transport{"tls", true, false},
                                         transport{"unix", false, true},
                                         transport{"unix_tls", true, true}),
                         [](const auto &info) { return std::string(info.param.name); });

TEST_P(proxied, ServesWhomTheHeaderNames)
{
  for (const std::string &header : {line, proxied2, longest()}) {
    peer &client = connect();
    client.send_raw(header);
    speak(client);
    expect_served(client, "192.0.2.1 56324");
  }
  peer &six = connect();
  six.send_raw(line6);
  speak(six);
  expect_served(six, "2001:db8::1 4124");
  EXPECT_EQ(at.counters().turned_away, 0u);
}

/* All at once, which is how most come, or cut at any byte of the header and of what follows. */
TEST_P(proxied, TakesExactlyTheHeaderHoweverItIsCut)
{
  for (const std::string &header : {line, proxied2}) {
    for (size_t cut = 1; cut <= header.size(); cut++) {
      SCOPED_TRACE(cut);
      peer &client = connect();
      client.send_raw(header.substr(0, cut));
      at.settle();
      client.send_raw(header.substr(cut));
      speak(client);
      expect_served(client, "192.0.2.1 56324");
      client.reset();
    }
  }
}

TEST_P(proxied, TakesAHeaderByteByByte)
{
  peer &client = connect();
  for (char byte : proxied2) {
    client.send_raw({&byte, 1});
    at.settle();
  }
  EXPECT_EQ(at.counters().bytes_received, 0u) << "it is none of the client's bytes";
  speak(client);
  expect_served(client, "192.0.2.1 56324");
}

TEST_P(proxied, TakesALongHeaderInParts)
{
  peer &client = connect();
  std::string header = longest();
  for (size_t at_byte = 0; at_byte < header.size(); at_byte += 1000) {
    client.send_raw(header.substr(at_byte, 1000));
    at.settle();
  }
  speak(client);
  expect_served(client, "192.0.2.1 56324");
}

/* A proxy that speaks for itself, or does not know for whom: what the socket says holds. */
TEST_P(proxied, KeepsTheSocketsAddressWhereNoneIsTold)
{
  for (const std::string &header : {local2, std::string("PROXY UNKNOWN\r\n")}) {
    peer &client = connect();
    uint16_t port = GetParam().local ? 0 : client.port();
    client.send_raw(header);
    speak(client);
    expect_served(client, (GetParam().local ? "unix " : "127.0.0.1 ") + std::to_string(port));
  }
}

TEST_P(proxied, TurnsAwayWhoSendsNoHeader)
{
  peer &client = connect();
  speak(client);
  expect_turned_away(client, "This is no header of the PROXY protocol");
  EXPECT_EQ(requests.size(), 0u);
  EXPECT_EQ(at.counters().tls_failed, 0u) << "TLS never saw it";
}

TEST_P(proxied, TurnsAwayAMalformedHeaderAsSoonAsItIsOne)
{
  peer &client = connect();
  client.send_raw("PROXY TCP4 192.0.2.");
  at.settle();
  EXPECT_FALSE(client.ended());
  client.send_raw("1 1.1.1.1 99999 1\r\n");
  expect_turned_away(client, "The PROXY line does not end with two ports");
}

TEST_P(proxied, TurnsAwayAHeaderThatIsCutOff)
{
  peer &client = connect();
  client.send_raw(line.substr(0, 20));
  client.half_close();
  expect_turned_away(client, "its PROXY header is cut off");
}

/* As load balancers do to see whether somebody listens. */
TEST_P(proxied, MindsNobodyWhoOnlyConnects)
{
  peer &client = connect();
  client.half_close();
  EXPECT_TRUE(at.ends(client));
  peer &other = connect();
  at.settle();
  other.reset();
  at.settle();
  EXPECT_EQ(at.counters().turned_away, 0u);
  EXPECT_EQ(log.size(), 0u);
  EXPECT_EQ(at.server()->shards[0].conns.live + at.server()->shards[0].tls_conns.live, 0u);
}

TEST_P(proxied, WaitsForTheHeaderNoLongerThanForTheHandshake)
{
  peer &silent = connect(), &slow = connect(), &good = connect();
  slow.send_raw(line.substr(0, 20));
  good.send_raw(line);
  at.settle();
  at.pass(9000);
  at.settle();
  EXPECT_FALSE(silent.ended());
  EXPECT_FALSE(slow.ended());
  at.pass(1500);
  EXPECT_TRUE(at.ends(silent));
  EXPECT_TRUE(at.ends(good)) << "its handshake is late";
  expect_turned_away(slow, "its PROXY header did not come in time", 2);
}

TEST_P(proxied, IsDroppedWithTheServerWhileItWaits)
{
  peer &client = connect();
  client.send_raw(line.substr(0, 20));
  at.settle();
  weir_server_stop(at.server());
  EXPECT_TRUE(at.ends(client));
  EXPECT_EQ(requests.size(), 0u);
}

/* A second one is the client's, and neither a request nor a ClientHello. */
TEST_P(proxied, TakesOneHeader)
{
  peer &client = connect();
  client.send_raw(line + line);
  response answer = at.answer(client);
  EXPECT_EQ(answer.status, GetParam().secure ? 0 : 400);
  EXPECT_EQ(at.counters().tls_failed, GetParam().secure ? 1u : 0u);
  EXPECT_EQ(at.counters().turned_away, 0u);
}

/* Descriptors that come along, where that is possible, shorten what a look shows; nothing else. */
TEST_P(proxied, TakesAHeaderWithDescriptorsBesideIt)
{
  peer &client = connect();
  for (size_t part : {0, 10}) {
    if (GetParam().local)
      client.pass(STDIN_FILENO, line.substr(part, 10));
    else
      client.send_raw(line.substr(part, 10));
  }
  client.send_raw(line.substr(20));
  speak(client);
  expect_served(client, "192.0.2.1 56324");
}

const char *const others[] = {"192.0.2.0/24", "::1", nullptr};

class proxied_by_strangers : public proxied
{
protected:
  proxied_by_strangers() : proxied(others) {}
};

INSTANTIATE_TEST_SUITE_P(over, proxied_by_strangers,
                         testing::Values(transport{"tcp", false, false},
                                         transport{"tls", true, false},
                                         transport{"unix", false, true}),
                         [](const auto &info) { return std::string(info.param.name); });

TEST_P(proxied_by_strangers, TurnsThemAwayWhateverTheySay)
{
  peer &client = connect();
  client.send_raw(line);
  expect_turned_away(client, "it is not from a trusted proxy");
  peer &silent = connect();
  expect_turned_away(silent, "it is not from a trusted proxy", 2);
  EXPECT_EQ(requests.size(), 0u);
}

TEST(proxy_protocol, IsForWhoTrustsSomebody)
{
  weir_server *server = nullptr;
  weir_listen_options where = {};
  where.size = sizeof where;
  where.host = "127.0.0.1";
  where.proxy_protocol = 1;
  ASSERT_EQ(weir_server_new(&server, nullptr), 0);
  EXPECT_EQ(weir_server_listen_on(server, &where), -EINVAL);
  weir_server_free(server);
  weir_options options = {};
  options.size = sizeof options;
  options.trusted_proxies = proxies;
  ASSERT_EQ(weir_server_new(&server, &options), 0);
  where.proxy_protocol = 2;
  EXPECT_EQ(weir_server_listen_on(server, &where), -EINVAL);
  where.proxy_protocol = 1;
  EXPECT_EQ(weir_server_listen_on(server, &where), 0);
  weir_server_free(server);
}

} // namespace
