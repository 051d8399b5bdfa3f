// What pages of other origins are told (the Fetch Standard's CORS protocol).
#include "support/stage.hpp"

#include <gtest/gtest.h>

using namespace support;

namespace
{

class cors : public testing::Test
{
protected:
  weir_cors rules = {};
  const char *origins[3] = {"https://a.example", "https://b.example", nullptr};
  stage at;

  cors()
  {
    rules.size = sizeof rules;
  }

  void start()
  {
    weir_http_route route = {};
    route.size = sizeof route;
    route.on_request = [](weir_request *r, void *arg) {
      int status = weir_request_cors(r, static_cast<weir_cors *>(arg));
      return status == 0 ? 200 : status;
    };
    ASSERT_EQ(weir_server_http(at.server(), nullptr, "/", &route, &rules), 0);
    at.start();
  }

  response ask(const std::string &more, const std::string &method = "GET")
  {
    peer &client = at.connect();
    client.send(method + " / HTTP/1.1\r\nHost: localhost\r\n" + more + "\r\n");
    return at.answer(client);
  }
};

TEST_F(cors, EveryOriginByDefault)
{
  rules.exposed = "X-Count";
  start();
  response answer = ask("Origin: https://anybody.example\r\n");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.field("Access-Control-Allow-Origin"), "*");
  EXPECT_EQ(answer.field("Access-Control-Expose-Headers"), "X-Count");
  EXPECT_EQ(answer.field("Vary"), "");
  EXPECT_EQ(answer.field("Access-Control-Allow-Credentials"), "");
}

TEST_F(cors, ListedOriginsExactly)
{
  rules.origins = origins;
  rules.credentials = 1;
  start();
  response answer = ask("Origin: https://b.example\r\n");
  EXPECT_EQ(answer.field("Access-Control-Allow-Origin"), "https://b.example");
  EXPECT_EQ(answer.field("Access-Control-Allow-Credentials"), "true");
  EXPECT_EQ(answer.field("Vary"), "Origin");
  for (const char *foreign :
       {"Origin: https://B.example\r\n", "Origin: null\r\n", "",
        "Origin: https://b.example.evil\r\n", "Origin: http://b.example\r\n"}) {
    SCOPED_TRACE(foreign);
    answer = ask(foreign);
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer.field("Access-Control-Allow-Origin"), "");
    EXPECT_EQ(answer.field("Access-Control-Allow-Credentials"), "");
    EXPECT_EQ(answer.field("Vary"), "Origin");
  }
}

TEST_F(cors, Preflights)
{
  rules.max_age_s = 600;
  start();
  const std::string asks = "Origin: https://a.example\r\nAccess-Control-Request-Method: PUT\r\n";
  response answer = ask(asks + "Access-Control-Request-Headers: x-one, x-two\r\n", "OPTIONS");
  EXPECT_EQ(answer.status, 204);
  EXPECT_EQ(answer.field("Access-Control-Allow-Methods"), "GET, HEAD, PUT, PATCH, POST, DELETE");
  EXPECT_EQ(answer.field("Access-Control-Allow-Headers"), "x-one, x-two");
  EXPECT_EQ(answer.field("Access-Control-Max-Age"), "600");
  EXPECT_EQ(answer.field("Vary"), "Access-Control-Request-Headers");
  EXPECT_EQ(ask("Origin: https://a.example\r\n", "OPTIONS").status, 200) << "is none";
  EXPECT_EQ(ask(asks).status, 200) << "is none";
}

TEST_F(cors, RulesOfTheirOwn)
{
  rules.methods = "GET";
  rules.headers = "X-Mine";
  start();
  response answer = ask("Origin: https://a.example\r\nAccess-Control-Request-Method: PUT\r\n"
                        "Access-Control-Request-Headers: x-one\r\n",
                        "OPTIONS");
  EXPECT_EQ(answer.field("Access-Control-Allow-Methods"), "GET");
  EXPECT_EQ(answer.field("Access-Control-Allow-Headers"), "X-Mine");
}

TEST_F(cors, CredentialsNeedOrigins)
{
  rules.credentials = 1;
  start();
  EXPECT_EQ(ask("Origin: https://a.example\r\n").status, 500);
}

TEST_F(cors, ValuesThatAreNone)
{
  rules.exposed = "X\r\nSet-Cookie: a=b";
  start();
  response answer = ask("Origin: https://a.example\r\n");
  EXPECT_EQ(answer.status, 500);
  EXPECT_EQ(answer.field("Set-Cookie"), "");
}

} // namespace
