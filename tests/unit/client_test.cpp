// Whom requests and connections come from, where proxies are trusted and where not (RFC 7239; who
// reads the fields is forwarded_test.cpp's business).
#include "support/stage.hpp"

#include "ws/client.h"
#include "ws/extra.h"

#include <gtest/gtest.h>

#include <cerrno>

using namespace support;

namespace
{

const char *const proxies[] = {"127.0.0.1", "unix", "192.0.2.0/24", nullptr};

weir_options trusting(const char *const *trusted, bool forwarded = false)
{
  weir_options options = {};
  options.trust_forwarded = forwarded;
  options.size = sizeof options;
  options.trusted_proxies = trusted;
  return options;
}

TEST(trusted_proxies, AreReadWhenTheServerIsMade)
{
  weir_server *server = nullptr;
  for (const char *wrong : {"", "localhost", "10.0.0.0/33", "::/129", "10.0.0.1:80", " ::1"}) {
    const char *const list[] = {"::1", wrong, nullptr};
    weir_options options = trusting(list);
    EXPECT_EQ(weir_server_new(&server, &options), -EINVAL) << wrong;
    EXPECT_EQ(server, nullptr);
  }
  std::string network = "10.0.0.0/8";
  const char *list[] = {network.c_str(), nullptr};
  weir_options options = trusting(list);
  ASSERT_EQ(weir_server_new(&server, &options), 0);
  network = "xxxxxxxxxx";
  list[0] = nullptr;
  weir__ip in, out;
  ASSERT_TRUE(weir__ip_parse({"10.1.2.3", 8}, &in));
  ASSERT_TRUE(weir__ip_parse({"11.1.2.3", 8}, &out));
  EXPECT_TRUE(weir__server_trusts(server, &in)) << "the list was lent for the call";
  EXPECT_FALSE(weir__server_trusts(server, &out));
  EXPECT_EQ(weir__server_extra_bytes(server), size_t{WEIR__EXTRA_BYTES});
  weir_server_free(server);
  ASSERT_EQ(weir_server_new(&server, nullptr), 0);
  EXPECT_FALSE(weir__server_trusts(server, &in));
  EXPECT_EQ(weir__server_extra_bytes(server), 0u) << "connections pay for nothing";
  weir_server_free(server);
}

/* What the application is told of a client that comes by TCP or by a unix socket. */
struct told {
  std::vector<std::string> requests, connections;
  folder files;
  std::string path = files.path("socket");
  stage at;

  explicit told(const char *const *trusted, bool proxied = false, bool forwarded = false)
      : at(trusting(trusted, forwarded))
  {
    at.on.upgrade = [this](weir_request *request, void *) {
      requests.push_back(name(request, weir_request_peer));
      return 0;
    };
    at.on.open = [this](weir_conn *c) { connections.push_back(name(c, weir_conn_peer)); };
    auto get = [](weir_request *request, void *) {
      std::string from = name(request, weir_request_peer);
      EXPECT_EQ(weir_request_respond_body(request, "text/plain", from.data(), from.size()), 0);
      return 0;
    };
    EXPECT_EQ(weir_server_get(at.server(), "/who", get, nullptr), 0);
    weir_listen_options port = {}, local = {};
    port.host = "127.0.0.1";
    port.proxy_protocol = proxied;
    local.path = path.c_str();
    at.listen(port);
    at.listen(local);
    at.start();
  }
  template <class of, class from> static std::string name(of *object, from ask)
  {
    weir_peer who = {"?", 1};
    EXPECT_EQ(ask(object, &who), 0);
    return who.address + std::string(who.port != 0 ? ":" + std::to_string(who.port) : "");
  }
  void upgrade(peer &client, const std::string &fields, const std::string &in_front = "")
  {
    client.send(in_front + upgrade_request("/", fields));
    EXPECT_EQ(at.answer(client, false).status, 101);
  }
  std::string get(peer &client, const std::string &fields)
  {
    client.send("GET /who HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n");
    return at.answer(client).body;
  }
};

TEST(client, IsThePeerWhereNobodyIsTrusted)
{
  told of(nullptr);
  peer &client = of.at.connect(peer(of.at.port()));
  of.upgrade(client, "X-Forwarded-For: 198.51.100.7\r\nForwarded: for=198.51.100.7\r\n");
  std::string self = "127.0.0.1:" + std::to_string(client.port());
  EXPECT_EQ(of.requests, std::vector<std::string>{self});
  EXPECT_EQ(of.connections, std::vector<std::string>{self});
}

TEST(client, IsWhomATrustedPeerNames)
{
  told of(proxies);
  of.upgrade(of.at.connect(peer(of.at.port())), "X-Forwarded-For: 10.9.9.9, 198.51.100.7\r\n");
  of.upgrade(of.at.connect(peer(of.path)), "X-Forwarded-For: 198.51.100.8, 192.0.2.3\r\n");
  of.upgrade(of.at.connect(peer(of.path)), "");
  of.upgrade(of.at.connect(peer(of.path)), "Forwarded: for=198.51.100.9\r\n");
  std::vector<std::string> all = {"198.51.100.7", "198.51.100.8", "unix", "unix"};
  EXPECT_EQ(of.requests, all);
  EXPECT_EQ(of.connections, all);
}

/* Of the two fields the one is read that the proxies write. */
TEST(client, IsNamedByForwardedWhereThatIsWhatProxiesWrite)
{
  told of(proxies, false, true);
  of.upgrade(of.at.connect(peer(of.path)), "Forwarded: for=\"[2001:db8::7]:4711\"\r\n");
  of.upgrade(of.at.connect(peer(of.path)), "X-Forwarded-For: 198.51.100.9\r\n");
  std::vector<std::string> all = {"2001:db8::7:4711", "unix"};
  EXPECT_EQ(of.requests, all);
  EXPECT_EQ(of.connections, all);
}

/* One proxy's connection carries the requests of many clients. */
TEST(client, IsEachRequestsOwn)
{
  told of(proxies);
  peer &proxy = of.at.connect(peer(of.at.port()));
  EXPECT_EQ(of.get(proxy, "X-Forwarded-For: 198.51.100.1\r\n"), "198.51.100.1");
  EXPECT_EQ(of.get(proxy, ""), "127.0.0.1:" + std::to_string(proxy.port()));
  EXPECT_EQ(of.get(proxy, "X-Forwarded-For: 198.51.100.2\r\n"), "198.51.100.2");
  of.upgrade(proxy, "X-Forwarded-For: 198.51.100.3\r\n");
  EXPECT_EQ(told::name(of.at.last(), weir_conn_peer), "198.51.100.3") << "it stays that way";
}

/* Whom the PROXY protocol names is believed what it says of others only if it is trusted too. */
TEST(client, OfTheProxyProtocolMayBeATrustedProxyItself)
{
  told of(proxies, true);
  auto header = [](const std::string &from) { return "PROXY TCP4 " + from + " 1.1.1.1 5 6\r\n"; };
  const std::string fields = "X-Forwarded-For: 198.51.100.7\r\n";
  of.upgrade(of.at.connect(peer(of.at.port())), fields, header("203.0.113.1"));
  of.upgrade(of.at.connect(peer(of.at.port())), fields, header("192.0.2.1"));
  of.upgrade(of.at.connect(peer(of.at.port())), fields, "PROXY UNKNOWN\r\n");
  std::vector<std::string> all = {"203.0.113.1:5", "198.51.100.7", "198.51.100.7"};
  EXPECT_EQ(of.requests, all);
  EXPECT_EQ(of.connections, all);
}

} // namespace
