// Responses that begin before the request's body has come: what they hold back, and what breaks
// them off.
#include "http_stream_fixture.hpp"

using namespace http_later_test;

namespace
{

class http_early : public http_stream
{
protected:
  std::string came;

  http_early()
  {
    later.request = [this](weir_request *r) {
      keep(r);
      EXPECT_EQ(begin(kept.back()), 0);
      return WEIR_LATER;
    };
    later.body = [this](weir_request *r, std::string_view piece, bool last) {
      came += piece;
      int error = write(r, piece);
      EXPECT_EQ(error, 0);
      if (last && error == 0) {
        EXPECT_EQ(weir_request_end(r), 0);
      }
    };
  }
  void start_early()
  {
    at.http("POST", "/early", later, options);
    start();
  }
  static std::string head(const std::string &more)
  {
    return "POST /early HTTP/1.1\r\nHost: x\r\n" + more + "\r\n";
  }
};

/* A slow reader of its own echo is not read from: no write is refused, and nothing is lost. */
TEST_F(http_early, EchoIsHeldBackByItsReader)
{
  options.max_body_bytes = WEIR_OFF;
  start_early();
  std::string large;
  for (size_t i = 0; i < 8 << 20; i++)
    large += static_cast<char>('a' + i * i % 23);
  peer &client = at.connect(4096);
  client.stall(true);
  client.send(head("Content-Length: " + std::to_string(large.size()) + "\r\n") + large);
  at.settle();
  EXPECT_LT(came.size(), large.size()) << "this was to be too much for the kernel's buffers";
  EXPECT_LT(at.counters().memory_bytes, 4u << 20);
  client.stall(false);
  EXPECT_TRUE(at.ends(client));
  response answer = at.answer(client);
  EXPECT_EQ(answer.field("Connection"), "close") << "its body had not come";
  EXPECT_TRUE(answer.body == large) << answer.body.size();
}

/* A second response cannot stand in the middle of the first. */
TEST_F(http_early, BodyThatBreaksARule)
{
  options.max_body_bytes = 100;
  options.body_timeout_ms = 3000;
  start_early();
  for (const std::string &bad :
       {std::string("zz\r\n"), std::string("200\r\n") + std::string(200, 'x'), std::string()}) {
    peer &client = at.connect();
    client.send(head("Transfer-Encoding: chunked\r\n") + "2\r\nok\r\n");
    ASSERT_TRUE(at.until([&] { return client.input().find("ok\r\n") != std::string::npos; }));
    client.send(bad);
    at.settle();
    at.pass(bad.empty() ? 4000 : 0);
    ASSERT_TRUE(at.ends(client)) << bad;
    EXPECT_EQ(client.input().find("HTTP/1.1 4"), std::string::npos) << client.input();
    EXPECT_EQ(client.input().find("\r\n0\r\n"), std::string::npos) << "it is not whole";
    EXPECT_EQ(gone.size(), 1u);
    gone.clear();
    let_go();
  }
}

TEST_F(http_early, EndedBeforeTheBodyHasCome)
{
  later.body = [this](weir_request *r, std::string_view piece, bool) {
    came += piece;
    EXPECT_EQ(write(r, "enough"), 0);
    EXPECT_EQ(weir_request_end(r), 0);
  };
  start_early();
  peer &client = at.connect();
  client.send(head("Content-Length: 100\r\n") + "some");
  response answer = at.answer(client);
  EXPECT_EQ(answer.body, "enough");
  client.send(std::string(96, 'x') + get("/now/1"));
  EXPECT_TRUE(at.ends(client));
  EXPECT_FALSE(client.was_reset());
  EXPECT_EQ(client.input(), "");
  EXPECT_EQ(came, "some");
}

} // namespace
