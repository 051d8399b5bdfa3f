// The opening handshake: ATTACKS rows 1 to 5, 12, 17, 19 and 20.
#include "wire/handshake.h"

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace
{

using namespace std::string_literals;

const std::string KEY = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
const std::string VERSION = "Sec-WebSocket-Version: 13\r\n";
const std::string UPGRADE = "Upgrade: websocket\r\n";
const std::string CONNECTION = "Connection: Upgrade\r\n";
const std::string ALL = UPGRADE + CONNECTION + KEY + VERSION;

struct request {
  std::string bytes;
  std::unique_ptr<weir__http_head> head = std::make_unique<weir__http_head>();

  explicit request(const std::string &fields, const std::string &line = "GET /chat HTTP/1.1")
      : bytes(line + "\r\nHost: server.example.com\r\n" + fields + "\r\n")
  {
    const char *reason = "";
    EXPECT_EQ(weir__http_parse(head.get(), bytes.data(), bytes.size(), &reason), 0) << reason;
  }
};

struct check_case {
  std::string fields;
  int status;
  std::string reason; // a part of it
  std::string line = "GET /chat HTTP/1.1";
};

const check_case ACCEPTED[] = {
    {ALL, 0, ""},
    {CONNECTION + KEY + VERSION + "UPGRADE: WebSocket\r\n", 0, ""},
    {KEY + VERSION + UPGRADE + "Connection: keep-alive, Upgrade\r\n", 0, ""},
    {KEY + VERSION + UPGRADE + "Connection: keep-alive ,\tUPGRADE\t,x\r\n", 0, ""},
    {KEY + VERSION + UPGRADE + "Connection: keep-alive\r\nConnection: upgrade\r\n", 0, ""},
    {KEY + VERSION + CONNECTION + "Upgrade: h2c, websocket\r\n", 0, ""},
    {KEY + VERSION + CONNECTION + "Upgrade: h2c\r\nUpgrade: WEBSOCKET\r\n", 0, ""},
    {UPGRADE + CONNECTION + KEY + "Sec-WebSocket-Version:13 \r\n", 0, ""},
    {UPGRADE + CONNECTION + VERSION + "SEC-WEBSOCKET-KEY:\t/////////////////////w==\t\r\n", 0, ""},
    {UPGRADE + CONNECTION + VERSION + "Sec-WebSocket-Key: +++++++++++++++++++++A==\r\n", 0, ""},
    {ALL + "Content-Length: 0\r\n", 0, ""},
    {ALL + "Sec-WebSocket-Protocol: chat, superchat\r\n", 0, ""},
    {ALL + "Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Protocol: v2.chat\r\n", 0, ""},
    {ALL + "Sec-WebSocket-Protocol: chat,, Chat,\r\n", 0, ""},
    {ALL + "Sec-WebSocket-Protocol: chats, chat, cha\r\n", 0, ""},
    {ALL + "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n", 0, ""},
};

const check_case REFUSED[] = {
    // row 1
    {UPGRADE + CONNECTION + VERSION, -400, "Key is missing"},
    {ALL + KEY, -400, "Key stands more than once"},
    {UPGRADE + CONNECTION + VERSION + "Sec-WebSocket-Key:\r\n", -400, "base64"},
    {UPGRADE + CONNECTION + VERSION + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j\r\n", -400,
     "base64"},
    {UPGRADE + CONNECTION + VERSION + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ\r\n", -400,
     "base64"},
    {UPGRADE + CONNECTION + VERSION + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=\r\n", -400,
     "base64"},
    {UPGRADE + CONNECTION + VERSION + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZWE=\r\n", -400,
     "base64"},
    {UPGRADE + CONNECTION + VERSION + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZWFi\r\n", -400,
     "base64"},
    {UPGRADE + CONNECTION + VERSION + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZR==\r\n", -400,
     "base64"},
    {UPGRADE + CONNECTION + VERSION + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j_Q==\r\n", -400,
     "base64"},
    {UPGRADE + CONNECTION + VERSION + "Sec-WebSocket-Key: dGhlIHNhbXBs SBub25jZQ==\r\n", -400,
     "base64"},
    {UPGRADE + CONNECTION + VERSION + "Sec-WebSocket-Key: dGhlIHNhbXBs=SBub25jZQ==\r\n", -400,
     "base64"},
    {UPGRADE + CONNECTION + VERSION + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=A\r\n", -400,
     "base64"},
    {UPGRADE + CONNECTION + VERSION + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==A\r\n", -400,
     "base64"},
    {UPGRADE + CONNECTION + VERSION + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==, a\r\n", -400,
     "base64"},
    // row 2
    {UPGRADE + CONNECTION + KEY, -426, "Version is missing"},
    {UPGRADE + CONNECTION + KEY + "Sec-WebSocket-Version: 8\r\n", -426, "not 13"},
    {UPGRADE + CONNECTION + KEY + "Sec-WebSocket-Version: 14\r\n", -426, "not 13"},
    {UPGRADE + CONNECTION + KEY + "Sec-WebSocket-Version: 013\r\n", -426, "not 13"},
    {UPGRADE + CONNECTION + KEY + "Sec-WebSocket-Version: 13, 8\r\n", -426, "not 13"},
    {UPGRADE + CONNECTION + KEY + "Sec-WebSocket-Version: 1\r\n", -426, "not 13"},
    {UPGRADE + CONNECTION + KEY + "Sec-WebSocket-Version:\r\n", -426, "not 13"},
    {ALL + VERSION, -400, "Version stands more than once"},
    {ALL + "Sec-WebSocket-Version: 8\r\n", -400, "Version stands more than once"},
    // row 3
    {UPGRADE + KEY + VERSION, -400, "Connection"},
    {UPGRADE + KEY + VERSION + "Connection: keep-alive\r\n", -400, "Connection"},
    {UPGRADE + KEY + VERSION + "Connection: upgraded\r\n", -400, "Connection"},
    {UPGRADE + KEY + VERSION + "Connection: upgrade;\r\n", -400, "Connection"},
    {UPGRADE + KEY + VERSION + "Proxy-Connection: Upgrade\r\n", -400, "Connection"},
    {CONNECTION + KEY + VERSION, -400, "Upgrade does not"},
    // row 4
    {ALL, -405, "not GET", "POST /chat HTTP/1.1"},
    {ALL, -405, "not GET", "HEAD /chat HTTP/1.1"},
    {ALL + "Content-Length: 5\r\n", -405, "not GET", "PUT /chat HTTP/1.1"},
    // row 5
    {ALL, -400, "HTTP/1.0", "GET /chat HTTP/1.0"},
    // row 12
    {ALL + "Content-Length: 1\r\n", -400, "body"},
    {ALL + "Transfer-Encoding: chunked\r\n", -400, "body"},
    // row 19
    {ALL + "Sec-WebSocket-Protocol: chat, chat\r\n", -400, "twice"},
    {ALL + "Sec-WebSocket-Protocol: a, b, c, b\r\n", -400, "twice"},
    {ALL + "Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Protocol: a, chat\r\n", -400, "twice"},
    {ALL + "Sec-WebSocket-Protocol: a b\r\n", -400, "token"},
    {ALL + "Sec-WebSocket-Protocol: a, b/c\r\n", -400, "token"},
    {ALL + "Sec-WebSocket-Protocol: \"a\"\r\n", -400, "token"},
    {ALL + "Sec-WebSocket-Protocol: \xC3\xA4\r\n", -400, "token"},
    {ALL + "Sec-WebSocket-Protocol:\r\n", -400, "empty"},
    {ALL + "Sec-WebSocket-Protocol: ,\r\n", -400, "empty"},
};

TEST(HandshakeCheck, Accepts)
{
  for (const check_case &c : ACCEPTED) {
    SCOPED_TRACE(c.fields);
    request r(c.fields, c.line);
    const char *reason = "";
    EXPECT_TRUE(weir__handshake_asked(r.head.get()));
    EXPECT_EQ(weir__handshake_check(r.head.get(), &reason), 0) << reason;
  }
}

TEST(HandshakeCheck, Refuses)
{
  for (const check_case &c : REFUSED) {
    SCOPED_TRACE(c.line + "\n" + c.fields);
    request r(c.fields, c.line);
    const char *reason = "";
    EXPECT_EQ(weir__handshake_check(r.head.get(), &reason), c.status) << reason;
    EXPECT_NE(std::string(reason).find(c.reason), std::string::npos) << reason;
  }
}

TEST(HandshakeCheck, BoundsTheSubprotocols)
{
  std::string offered = "p0";
  for (int i = 1; i < WEIR__HANDSHAKE_PROTOCOLS; i++)
    offered += ",p" + std::to_string(i);
  const char *reason = "";
  request most(ALL + "Sec-WebSocket-Protocol: " + offered + "\r\n");
  EXPECT_EQ(weir__handshake_check(most.head.get(), &reason), 0) << reason;
  request more(ALL + "Sec-WebSocket-Protocol: " + offered + ",q\r\n");
  EXPECT_EQ(weir__handshake_check(more.head.get(), &reason), -400);
}

TEST(HandshakeAsked, WantsTheTokenItself)
{
  for (const char *fields :
       {"", "Upgrade: h2c\r\n", "Upgrade: websocket/13\r\n", "Upgrade: websockets\r\n",
        "Upgrade: web socket\r\n", "Upgrade:\r\n", "X-Upgrade: websocket\r\n"}) {
    SCOPED_TRACE(fields);
    EXPECT_FALSE(weir__handshake_asked(request(CONNECTION + KEY + VERSION + fields).head.get()));
  }
}

TEST(HandshakeAccept, AnswersTheKeyOfTheRfc)
{
  request r(ALL);
  char accept[WEIR__ACCEPT_KEY_LEN + 1];
  accept[WEIR__ACCEPT_KEY_LEN] = '#'; // must stay
  weir__handshake_accept(weir__http_field(r.head.get(), "sec-websocket-key"), accept);
  EXPECT_EQ(std::string_view(accept, sizeof accept), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=#");
}

struct origin_case {
  const char *fields;
  bool listed; // against the list
  bool free;   // without a list
  bool required_listed;
  bool required_free;
};

TEST(HandshakeOrigin, ComparesExactly)
{
  const char *const origins[] = {"https://example.org", "https://example.com:8443", nullptr};
  const origin_case cases[] = {
      {"", true, true, false, false},
      {"Origin: https://example.org\r\n", true, true, true, true},
      {"ORIGIN:https://example.com:8443 \r\n", true, true, true, true},
      {"Origin: https://example.com\r\n", false, true, false, true},
      {"Origin: http://example.org\r\n", false, true, false, true},
      {"Origin: https://example.org:443\r\n", false, true, false, true},
      {"Origin: https://example.org.evil.example\r\n", false, true, false, true},
      {"Origin: https://Example.org\r\n", false, true, false, true},
      {"Origin: https://example.or\r\n", false, true, false, true},
      {"Origin: null\r\n", false, true, false, true},
      {"Origin:\r\n", false, true, false, true},
      {"Origin: https://example.org\r\nOrigin: https://example.org\r\n", false, false, false,
       false},
      {"Origin: https://example.org, https://example.org\r\n", false, true, false, true},
  };
  for (const origin_case &c : cases) {
    SCOPED_TRACE(c.fields);
    request r(ALL + c.fields);
    auto passes = [&](const char *const *list, bool required) {
      const char *reason = nullptr;
      int status = weir__handshake_origin(r.head.get(), list, required, &reason);
      EXPECT_TRUE(status == 0 || (status == -403 && reason != nullptr)) << status;
      return status == 0;
    };
    EXPECT_EQ(passes(origins, false), c.listed);
    EXPECT_EQ(passes(nullptr, false), c.free);
    EXPECT_EQ(passes(origins, true), c.required_listed);
    EXPECT_EQ(passes(nullptr, true), c.required_free);
  }
  const char *const none[] = {nullptr};
  const char *reason = nullptr;
  request r(ALL + "Origin: https://example.org\r\n");
  EXPECT_EQ(weir__handshake_origin(r.head.get(), none, false, &reason), -403);
}

TEST(HandshakeProtocol, IsTheClientsFirstThatIsSupported)
{
  const char *const supported[] = {"v1.chat", "v2.chat", nullptr};
  const std::pair<std::string, const char *> cases[] = {
      {"", nullptr},
      {"Sec-WebSocket-Protocol: other\r\n", nullptr},
      {"Sec-WebSocket-Protocol: V1.CHAT, v1.cha, v1.chatt\r\n", nullptr},
      {"Sec-WebSocket-Protocol: other, v1.chat\r\n", "v1.chat"},
      {"Sec-WebSocket-Protocol: v2.chat, v1.chat\r\n", "v2.chat"},
      {"Sec-WebSocket-Protocol: other\r\nSec-WebSocket-Protocol: v2.chat\r\n", "v2.chat"},
  };
  for (const auto &[fields, expected] : cases) {
    SCOPED_TRACE(fields);
    request r(ALL + fields);
    const char *selected = weir__handshake_protocol(r.head.get(), supported);
    if (expected == nullptr) {
      EXPECT_EQ(selected, nullptr);
    } else {
      EXPECT_STREQ(selected, expected);
      EXPECT_TRUE(selected == supported[0] || selected == supported[1]);
      EXPECT_TRUE(weir__handshake_offers(r.head.get(), expected));
    }
    EXPECT_EQ(weir__handshake_protocol(r.head.get(), nullptr), nullptr);
    EXPECT_FALSE(weir__handshake_offers(r.head.get(), "absent"));
  }
}

} // namespace
