// Connections under TLS: what they do that plain ones do not, and that all else is as it is there.
#include "support/stage.hpp"

#include <gtest/gtest.h>

#include <cerrno>

using namespace support;

namespace
{

class tls_conn : public testing::Test
{
protected:
  stage at;
  std::vector<std::string> messages, errors;
  std::vector<int> endings;

  tls_conn()
  {
    at.on.message = [this](weir_conn *c, const weir_message *m) {
      messages.emplace_back(static_cast<const char *>(m->data), m->len);
      EXPECT_EQ(weir_conn_send_message(c, m), 0);
    };
    at.on.error = [this](weir_conn *, int error, std::string_view what) {
      EXPECT_EQ(error, -EPROTO);
      errors.emplace_back(what);
    };
    at.on.close = [this](weir_conn *, int code, std::string_view) { endings.push_back(code); };
  }
};

TEST_F(tls_conn, Echoes)
{
  at.secure();
  at.start();
  peer &client = at.open();
  client.say("hello");
  EXPECT_EQ(at.next(client).payload, "hello");
  EXPECT_EQ(at.counters().tls_handshakes, 1u);
  EXPECT_EQ(at.counters().tls_failed, 0u);
  client.say(close_payload(1000), fin | closing);
  EXPECT_EQ(at.next(client).code(), 1000);
  EXPECT_TRUE(at.ends(client));
  EXPECT_FALSE(client.was_reset());
  EXPECT_TRUE(client.tls()->closed());
  EXPECT_EQ(endings, std::vector<int>{1000});
}

} // namespace
