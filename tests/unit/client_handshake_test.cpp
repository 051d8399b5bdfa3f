// The opening handshake as a client makes it, against the server's rules and the example of RFC
// 6455 section 1.3.
#include "wire/client_handshake.h"
#include "wire/handshake.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

namespace
{

const std::string KEY = "dGhlIHNhbXBsZSBub25jZQ==";
const std::string UPGRADE = "Upgrade: websocket\r\n";
const std::string CONNECTION = "Connection: Upgrade\r\n";
const std::string ACCEPT = "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n";
const std::string ALL = UPGRADE + CONNECTION + ACCEPT;

struct verdict {
  int status;
  std::string reason;
};

verdict check(const std::string &fields, const std::string &line = "HTTP/1.1 101 Switching")
{
  const std::string head = line + "\r\n" + fields + "\r\n";
  const char *reason = nullptr;
  int status = weir__client_check(head.data(), head.size(), KEY.data(), &reason);
  return {status, reason ? reason : ""};
}

TEST(ClientHandshake, WritesAKeyOfTheStandard)
{
  char out[WEIR__CLIENT_KEY_LEN];
  weir__client_key(reinterpret_cast<const unsigned char *>("the sample nonce"), out);
  EXPECT_EQ(std::string(out, sizeof out), KEY);
}

TEST(ClientHandshake, AsksAsTheServerWantsIt)
{
  char out[512];
  std::size_t len = weir__client_request(out, sizeof out, "[::1]:80", "/chat?a=b", KEY.data(), "");
  auto head = std::make_unique<weir__http_head>();
  const char *reason = "";
  ASSERT_EQ(weir__http_parse(head.get(), out, len, &reason), 0) << reason;
  EXPECT_EQ(weir__handshake_check(head.get(), &reason), 0) << reason;
  EXPECT_EQ(std::string(head->target.data, head->target.len), "/chat?a=b");
  EXPECT_EQ(weir__client_head_length(out, len), len);
}

TEST(ClientHandshake, WritesNothingThatDoesNotFit)
{
  char out[512];
  std::size_t len = weir__client_request(out, sizeof out, "h", "/", KEY.data(), "A: b\r\n");
  EXPECT_GT(len, 0u);
  EXPECT_EQ(weir__client_request(out, len + 1, "h", "/", KEY.data(), "A: b\r\n"), len);
  EXPECT_EQ(weir__client_request(out, len, "h", "/", KEY.data(), "A: b\r\n"), 0u);
}

TEST(ClientHandshake, FindsTheEndOfTheHead)
{
  const std::string head = "HTTP/1.1 101 x\r\nA: b\r\n\r\n";
  for (std::size_t have = 0; have < head.size(); have++)
    EXPECT_EQ(weir__client_head_length(head.data(), have), 0u);
  const std::string more = head + "\x81\x01\r\n\r\n";
  EXPECT_EQ(weir__client_head_length(more.data(), more.size()), head.size());
}

TEST(ClientHandshake, TakesTheAnswerOfTheStandard)
{
  EXPECT_EQ(check(ALL).status, 101);
  EXPECT_EQ(check("upgrade: WebSocket\r\nCONNECTION: keep-alive, upgrade\r\n" + ACCEPT).status,
            101);
}

TEST(ClientHandshake, SaysWhatIsWrongWithAnAnswer)
{
  EXPECT_EQ(check(CONNECTION + ACCEPT).reason, "The 101 does not name websocket in Upgrade");
  EXPECT_EQ(check(UPGRADE + ACCEPT).reason, "The 101 does not name Upgrade in Connection");
  EXPECT_EQ(check(UPGRADE + CONNECTION).reason, "The 101 does not hold one Sec-WebSocket-Accept");
  EXPECT_EQ(check(ALL + ACCEPT).reason, "The 101 does not hold one Sec-WebSocket-Accept");
  EXPECT_EQ(
      check(UPGRADE + CONNECTION + "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOO=\r\n").reason,
      "The 101's Sec-WebSocket-Accept is not the answer to our key");
  EXPECT_EQ(check(ALL + "Sec-WebSocket-Extensions: x\r\n").reason,
            "The 101 names an extension that was not asked for");
  EXPECT_EQ(check(ALL + "Sec-WebSocket-Protocol: x\r\n").reason,
            "The 101 names a subprotocol that was not asked for");
  EXPECT_EQ(check(ALL, "HTTP/1.0 101 x").reason, "The 101 is not of HTTP/1.1");
  EXPECT_EQ(check(ALL).reason, "");
}

TEST(ClientHandshake, LeavesTheExtensionsToWhoOfferedSome)
{
  const std::string head =
      "HTTP/1.1 101 x\r\n" + ALL + "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n";
  auto found = std::make_unique<weir__http_head>();
  const char *reason = nullptr;
  ASSERT_EQ(weir__client_check_offer(found.get(), head.data(), head.size(), KEY.data(), &reason),
            101);
  weir_slice value = weir__http_field(found.get(), "sec-websocket-extensions");
  EXPECT_EQ(std::string(value.data, value.len), "permessage-deflate");
}

TEST(ClientHandshake, TellsTheStatusOfARefusal)
{
  verdict refused = check("Content-Length: 0\r\n", "HTTP/1.1 503 Service Unavailable");
  EXPECT_EQ(refused.status, 503);
  EXPECT_EQ(refused.reason, "The upgrade was refused");
  EXPECT_EQ(check("", "SSH-2.0-OpenSSH").status, -1);
  EXPECT_EQ(check("", "SSH-2.0-OpenSSH").reason, "The response is not a head of HTTP");
}

} // namespace
