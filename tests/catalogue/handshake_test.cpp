/* Rows 1-9 and 17-20: the opening handshake (RFC 6455 sections 4.1, 4.2; RFC 9112). */
#include "catalogue/harness.hpp"

#include <cerrno>
#include <gtest/gtest.h>

using namespace catalogue;

namespace
{

struct refusal {
  const char *name;
  request head;
  int status;
  const char *speaks_of;
};

void expect_all_refused(server &at, const std::vector<refusal> &cases)
{
  for (const refusal &c : cases) {
    SCOPED_TRACE(c.name);
    expect_refused(at, c.head.str(), c.status, c.speaks_of);
  }
}

struct acceptance {
  const char *name;
  request head;
};

/* The handshake succeeds and the connection works, whole and byte by byte. */
void expect_accepted(server &at, const request &head)
{
  for (delivery how : {delivery::whole, delivery::bytes}) {
    SCOPED_TRACE(name(how));
    client peer(at.port());
    deliver(at, peer, head.str(), how);
    std::optional<response> answer = peer.read_response();
    ASSERT_TRUE(answer);
    ASSERT_EQ(answer->status, 101) << answer->body;
    EXPECT_EQ(answer->values("Sec-WebSocket-Accept").size(), 1u);
    expect_echo(peer, "accepted");
  }
  at.expect_undisturbed();
}

void expect_all_accepted(server &at, const std::vector<acceptance> &cases)
{
  for (const acceptance &c : cases) {
    if (testing::Test::HasFailure())
      return;
    SCOPED_TRACE(c.name);
    expect_accepted(at, c.head);
  }
}

request key(const std::string &value)
{
  return request{}.replacing("Sec-WebSocket-Key", "Sec-WebSocket-Key: " + value);
}

request version(const std::string &value)
{
  return request{}.replacing("Sec-WebSocket-Version", "Sec-WebSocket-Version: " + value);
}

request upgrading(const std::string &value)
{
  return request{}.replacing("Upgrade", "Upgrade: " + value);
}

request connecting(const std::string &value)
{
  return request{}.replacing("Connection", "Connection: " + value);
}

request line(const std::string &text)
{
  return request{}.with_line(text);
}

} // namespace

TEST(Row01, KeyThatIsNotSixteenBytesOnce)
{
  server at;
  expect_all_refused(
      at, {{"missing", request{}.without("Sec-WebSocket-Key"), 400, "key"},
           {"twice", request{}.with("Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="), 400, "key"},
           {"the same twice", request{}.with("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="), 400,
            "key"},
           {"empty", key(""), 400, "key"},
           {"15 bytes", key("dGhlIHNhbXBsZSBub25j"), 400, "key"},
           {"17 bytes", key("dGhlIHNhbXBsZSBub25jZWU="), 400, "key"},
           {"32 bytes", key("dGhlIHNhbXBsZSBub25jZXRoZSBzYW1wbGUgbm9uY2U="), 400, "key"},
           {"without padding", key("dGhlIHNhbXBsZSBub25jZQ"), 400, "key"},
           {"no base64", key("dGhlIHNhbXBsZSBub2*jZQ=="), 400, "key"},
           {"padding within", key("dGhlIHNhbXBsZSBub2=jZQ=="), 400, "key"}});
}

TEST(Row01, AnyKeyOfSixteenBytesIsRight)
{
  server at;
  expect_all_accepted(
      at, {{"zeros", key("AAAAAAAAAAAAAAAAAAAAAA==")}, {"ones", key("/////////////////////w==")}});
}

TEST(Row02, VersionMissingOrNotThirteen)
{
  server at;
  for (const request &head :
       {request{}.without("Sec-WebSocket-Version"), version("12"), version("14"), version("8"),
        version("0"), version("1"), version("130"), version("13, 8"), version("")}) {
    SCOPED_TRACE(head.fields.back());
    response answer = expect_refused(at, head.str(), 426, "version");
    EXPECT_EQ(answer.values("Sec-WebSocket-Version"), std::vector<std::string>{"13"});
    EXPECT_TRUE(answer.has_token("Upgrade", "websocket"));
  }
}

TEST(Row02, VersionTwice)
{
  server at;
  expect_all_refused(at, {{"the same", request{}.with("Sec-WebSocket-Version: 13"), 400, "version"},
                          {"another", request{}.with("Sec-WebSocket-Version: 8"), 400, "version"}});
}

TEST(Row03, WithoutTheUpgradeTokenItIsAnOrdinaryRequest)
{
  server at;
  for (const request &head : {request{}.without("Upgrade"), upgrading("h2c"),
                              upgrading("websockets"), upgrading("web socket"), upgrading("")}) {
    SCOPED_TRACE(head.fields.back());
    response answer = expect_refused(at, head.str(), 426, "websocket");
    EXPECT_TRUE(answer.has_token("Upgrade", "websocket"));
  }
  request plain;
  plain.fields = {"Host: localhost"};
  expect_refused(at, plain.str(), 426, "websocket");
}

TEST(Row03, UpgradeWithoutConnection)
{
  server at;
  expect_all_refused(at, {{"missing", request{}.without("Connection"), 400, "connection"},
                          {"another token", connecting("keep-alive"), 400, "connection"},
                          {"a longer token", connecting("upgrades"), 400, "connection"},
                          {"empty", connecting(""), 400, "connection"}});
}

TEST(Row03, OddCaseAndListsAreRight)
{
  server at;
  expect_all_accepted(
      at,
      {{"case of values", upgrading("WebSocket")},
       {"upper case", upgrading("WEBSOCKET")},
       {"a list", connecting("keep-alive, Upgrade")},
       {"without blanks", connecting("keep-alive,upgrade,x")},
       {"odd blanks", connecting(" \t keep-alive\t ,\t UPGRADE ,")},
       {"over two lines",
        request{}.replacing("Connection", "Connection: keep-alive").with("connection: upgrade")},
       {"case of names", request{}
                             .replacing("Upgrade", "UPGRADE: websocket")
                             .replacing("Host", "hOST: localhost")}});
}

TEST(Row04, AnotherMethodThanGet)
{
  server at;
  for (const char *method : {"POST", "PUT", "DELETE", "OPTIONS", "PATCH"}) {
    SCOPED_TRACE(method);
    for (const request &head : {request{}, request{}.without("Upgrade")}) {
      response answer = expect_refused(
          at, head.with_line(std::string(method) + " / HTTP/1.1").str(), 405, "method|GET");
      EXPECT_TRUE(answer.has_token("Allow", "GET"));
    }
  }
}

TEST(Row05, UpgradeByHttp10)
{
  server at;
  expect_all_refused(at, {{"1.0", line("GET / HTTP/1.0"), 400, "HTTP/1.0"}});
}

TEST(Row05, OtherVersionsAndProtocols)
{
  server at;
  expect_all_refused(at, {{"0.9", line("GET / HTTP/0.9"), 505, "version"},
                          {"2.0", line("GET / HTTP/2.0"), 505, "version"},
                          {"3.0", line("GET / HTTP/3.0"), 505, "version"},
                          {"RTSP", line("GET / RTSP/1.0"), 505, "version|HTTP"},
                          {"ICE", line("GET / ICE/1.0"), 505, "version|HTTP"},
                          {"ICE with its method", line("SOURCE / ICE/1.0"), 505, "version|HTTP"}});
}

TEST(Row05, RequestOfHttp09)
{
  server at;
  expect_refused(at, "GET /\r\n\r\n", 505, "version|HTTP");
}

TEST(Row06, HostMissingOrTwice)
{
  server at;
  expect_all_refused(at, {{"missing", request{}.without("Host"), 400, "host"},
                          {"another", request{}.with("Host: example.org"), 400, "host"},
                          {"the same", request{}.with("Host: localhost"), 400, "host"},
                          {"another case", request{}.with("hOsT: localhost"), 400, "host"}});
}

TEST(Row07, AbsoluteFormOfTheHost)
{
  server at;
  expect_all_accepted(
      at, {{"the same", line("GET http://localhost/ HTTP/1.1")},
           {"with a port",
            line("GET http://localhost:80/?q HTTP/1.1").replacing("Host", "Host: localhost:80")}});
}

TEST(Row07, AbsoluteFormOfAnotherHost)
{
  server at;
  expect_all_refused(at, {{"another", line("GET http://example.org/ HTTP/1.1"), 400, "host"},
                          {"longer", line("GET http://localhost.example/ HTTP/1.1"), 400, "host"},
                          {"shorter", line("GET http://local/ HTTP/1.1"), 400, "host"},
                          {"a port more", line("GET http://localhost:81/ HTTP/1.1"), 400, "host"}});
}

TEST(Row07, OtherForms)
{
  server at;
  expect_all_refused(
      at, {{"fragment", line("GET /#top HTTP/1.1"), 400, "target|fragment"},
           {"asterisk", line("GET * HTTP/1.1"), 400, "target"},
           {"OPTIONS *", line("OPTIONS * HTTP/1.1"), 400, "target"},
           {"CONNECT", line("CONNECT localhost:80 HTTP/1.1"), 400, "target|method|CONNECT|proxy"},
           {"no slash", line("GET chat HTTP/1.1"), 400, "target"}});
}

TEST(Row08, TargetOverTheCap)
{
  setup small;
  small.options.max_uri_bytes = 100;
  server at(small);
  std::string longest = "/?" + std::string(98, 'q');
  expect_accepted(at, line("GET " + longest + " HTTP/1.1"));
  expect_all_refused(at, {{"one over", line("GET " + longest + "q HTTP/1.1"), 414, "target|URI"}});
}

TEST(Row08, TargetOverTheDefaultCapThatNeverEnds)
{
  server at;
  expect_refused(at, "GET /" + std::string(8192, 'q'), 414, "target|URI");
}

TEST(Row09, HeaderFieldsOverTheCap)
{
  setup small;
  small.options.max_header_fields = 8;
  server at(small);
  request full = request{}.with("A: 1").with("B: 2").with("C: 3");
  expect_accepted(at, full);
  expect_all_refused(at, {{"one over", full.with("D: 4"), 431, "fields"}});
}

TEST(Row09, HeaderFieldsOverTheDefaultCap)
{
  server at;
  request full;
  for (size_t i = full.fields.size(); i < 64; i++)
    full = full.with("X" + std::to_string(i) + ": y");
  expect_accepted(at, full);
  expect_all_refused(at, {{"one over", full.with("Last: one"), 431, "fields"}});
}

TEST(Row09, HeaderBytesOverTheCap)
{
  setup small;
  small.options.max_header_bytes = 512;
  server at(small);
  request full;
  size_t used = full.with("Padding: ").str().size();
  request longest = full.with("Padding: " + std::string(512 - used, 'p'));
  expect_accepted(at, longest);
  longest.fields.back() += "p";
  expect_all_refused(at, {{"one over", longest, 431, "header|head|large"}});
  expect_refused(at, "GET / HTTP/1.1\r\nA: " + std::string(600, 'a'), 431, "header|head|large");
}

TEST(Row17, NoSubprotocolInCommon)
{
  static const char *const ours[] = {"chat.v2", "chat.v1", nullptr};
  setup with_protocols;
  with_protocols.route.protocols = ours;
  server at(with_protocols);
  for (const char *offered : {"", "Sec-WebSocket-Protocol: soap", "Sec-WebSocket-Protocol: CHAT.v1",
                              "Sec-WebSocket-Protocol: chat, chat.v", "Origin: http://x"}) {
    for (delivery how : {delivery::whole, delivery::bytes}) {
      SCOPED_TRACE(offered);
      client peer(at.port());
      deliver(at, peer, (*offered ? request{}.with(offered) : request{}).str(), how);
      std::optional<response> answer = peer.read_response();
      ASSERT_TRUE(answer);
      EXPECT_EQ(answer->status, 101);
      EXPECT_EQ(answer->values("Sec-WebSocket-Protocol"), std::vector<std::string>{});
      expect_echo(peer, "without a subprotocol");
    }
  }
}

TEST(Row17, OneInCommonIsNamedOnce)
{
  static const char *const ours[] = {"chat.v2", "chat.v1", nullptr};
  setup with_protocols;
  with_protocols.route.protocols = ours;
  server at(with_protocols);
  client peer(at.port());
  peer.send(request{}.with("Sec-WebSocket-Protocol: soap, chat.v1, chat.v2").str());
  std::optional<response> answer = peer.read_response();
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->values("Sec-WebSocket-Protocol"), std::vector<std::string>{"chat.v1"});
}

TEST(Row18, HeadersThatTheApplicationSets)
{
  std::vector<int> results;
  setup injecting;
  injecting.on.upgrade = [&](weir_request *r) {
    results = {weir_request_respond_header(r, "X-A", "a\r\nX-Evil: 1"),
               weir_request_respond_header(r, "X-A", "a\nX-Evil: 1"),
               weir_request_respond_header(r, "X-A", "a\rX-Evil: 1"),
               weir_request_respond_header(r, "X-A: 1\r\nX-Evil", "1"),
               weir_request_respond_header(r, "X-A\n", "1"),
               weir_request_respond_header(r, "", "1"),
               weir_request_respond_body(r, "text/plain\r\nX-Evil: 1", "body", 4),
               weir_request_select_protocol(r, "chat\r\nX-Evil: 1")};
    return weir_request_respond_header(r, "X-Fine", "yes");
  };
  server at(injecting);
  for (delivery how : {delivery::whole, delivery::bytes}) {
    client peer(at.port());
    deliver(at, peer, request{}.with("Sec-WebSocket-Protocol: chat").str(), how);
    std::optional<response> answer = peer.read_response();
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->status, 101);
    EXPECT_EQ(answer->value("X-Fine"), "yes");
    EXPECT_EQ(answer->values("X-Evil").size() + answer->values("X-A").size(), 0u);
    EXPECT_EQ(results, std::vector<int>(8, -EINVAL));
    expect_echo(peer, "no evil");
  }
}

TEST(Row18, HeadersThatTheApplicationEchoes)
{
  int result = 0;
  setup echoing;
  echoing.on.upgrade = [&](weir_request *r) {
    weir_slice name = weir_request_query(r, "name");
    result = weir_request_respond_header(r, "X-Name", std::string(name.data, name.len).c_str());
    return result == 0 ? 0 : -400;
  };
  server at(echoing);
  for (const char *name :
       {"a%0d%0aX-Evil:+1", "a%0aX-Evil:1", "a%0dX-Evil:1", "%0D%0A%0D%0Abody"}) {
    SCOPED_TRACE(name);
    response answer = expect_refused(
        at, line("GET /?name=" + std::string(name) + " HTTP/1.1").str(), 400, "refused");
    EXPECT_EQ(result, -EINVAL);
    EXPECT_EQ(answer.values("X-Evil").size() + answer.values("X-Name").size(), 0u);
  }
  client peer = at.open(line("GET /?name=fine HTTP/1.1"));
  EXPECT_EQ(result, 0);
}

TEST(Row19, SubprotocolsOfferedTwice)
{
  static const char *const ours[] = {"chat", nullptr};
  setup with_protocols;
  with_protocols.route.protocols = ours;
  for (const setup &s : {setup{}, with_protocols}) {
    server at(s);
    expect_all_refused(
        at,
        {{"in a line", request{}.with("Sec-WebSocket-Protocol: chat, soap, chat"), 400, "protocol"},
         {"adjacent", request{}.with("Sec-WebSocket-Protocol: chat,chat"), 400, "protocol"},
         {"over two lines",
          request{}.with("Sec-WebSocket-Protocol: soap, chat").with("Sec-WebSocket-Protocol: chat"),
          400, "protocol"}});
  }
}

TEST(Row19, TokensThatDifferInCaseAreDifferent)
{
  server at;
  expect_all_accepted(at, {{"case", request{}.with("Sec-WebSocket-Protocol: chat, Chat")},
                           {"prefix", request{}.with("Sec-WebSocket-Protocol: chat, chat2")}});
}

namespace
{

const char *const our_origins[] = {"https://example.org", "https://example.org:8443", nullptr};

setup with_origins(size_t required)
{
  setup out;
  out.route.origins = our_origins;
  out.route.origin_required = required;
  return out;
}

request from_origin(const std::string &origin)
{
  return request{}.with("Origin: " + origin);
}

} // namespace

TEST(Row20, ForeignOrigin)
{
  server at(with_origins(0));
  for (const char *origin :
       {"https://evil.example", "http://example.org", "https://example.org.evil.example",
        "https://example.or", "https://example.org:443", "https://example.org/",
        "https://www.example.org", "HTTPS://EXAMPLE.ORG", "null", "",
        "https://example.org https://evil.example"}) {
    SCOPED_TRACE(origin);
    expect_refused(at, from_origin(origin).str(), 403, "origin");
  }
}

TEST(Row20, OriginOfTheList)
{
  server at(with_origins(1));
  expect_all_accepted(at, {{"the first", from_origin("https://example.org")},
                           {"the second", from_origin("https://example.org:8443")}});
}

TEST(Row20, NoOrigin)
{
  {
    server at(with_origins(0));
    expect_accepted(at, request{});
  }
  server at(with_origins(1));
  expect_refused(at, request{}.str(), 403, "origin");
}
