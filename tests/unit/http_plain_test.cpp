// Routes of plain requests: which of them answers a method on a path, and which cannot be.
#include "support/stage.hpp"

#include <gtest/gtest.h>

#include <cerrno>

using namespace support;

namespace
{

std::string_view view(weir_slice slice)
{
  return {slice.data, slice.len};
}

int answer_with(weir_request *r, std::string_view body)
{
  return weir_request_respond_body(r, "text/plain", body.data(), body.size());
}

class http_plain : public testing::Test
{
protected:
  stage at;
  page get, other, any;
  std::string took;

  page named(const std::string &name)
  {
    page made;
    made.request = [this, name](weir_request *r) {
      took = name + " " + std::string(view(weir_request_method(r)));
      return answer_with(r, took);
    };
    return made;
  }
  response do_it(const std::string &method, const std::string &target, bool with_body = true)
  {
    peer &client = at.connect();
    client.send(method + " " + target + " HTTP/1.1\r\nHost: x\r\n\r\n");
    return at.answer(client, with_body);
  }
};

TEST_F(http_plain, EachHasItsRoute)
{
  get = named("get");
  other = named("put");
  any = named("any");
  at.http("GET", "/doc", get);
  at.http("PUT", "/doc", other);
  at.http(nullptr, "/any", any);
  at.http("GET", "/any", get);
  at.start();
  EXPECT_EQ(do_it("GET", "/doc").body, "get GET");
  EXPECT_EQ(do_it("PUT", "/doc").body, "put PUT");
  response head = do_it("HEAD", "/doc", false);
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.field("Content-Length"), "8") << "GET stands for HEAD too";
  EXPECT_EQ(took, "get HEAD");
  for (const char *method : {"DELETE", "OPTIONS", "POST", "PATCH"}) {
    response answer = do_it(method, "/doc");
    EXPECT_EQ(answer.status, 405);
    EXPECT_EQ(answer.field("Allow"), "GET, HEAD, PUT");
    EXPECT_EQ(do_it(method, "/any").body, std::string("any ") + method);
  }
  EXPECT_EQ(do_it("GET", "/any").body, "get GET");
  EXPECT_EQ(do_it("get", "/doc").status, 501) << "methods are told by their case";
}

TEST_F(http_plain, TheirOwnRouteGoesBeforeOneForAll)
{
  get = named("get");
  other = named("options");
  any = named("all");
  at.http(nullptr, "/*", any);
  at.http("GET", "/a", get);
  at.http("OPTIONS", "/a", other);
  at.start();
  EXPECT_EQ(do_it("GET", "/a").body, "get GET");
  EXPECT_EQ(do_it("OPTIONS", "/a").body, "options OPTIONS");
  EXPECT_EQ(do_it("DELETE", "/a").body, "all DELETE");
  EXPECT_EQ(do_it("GET", "/b/c").body, "all GET");
}

TEST_F(http_plain, WebSocketBesideThem)
{
  other = named("post");
  at.http("POST", "/", other);
  at.start();
  EXPECT_EQ(do_it("POST", "/").body, "post POST");
  EXPECT_EQ(do_it("GET", "/").status, 405);
  peer &client = at.connect();
  client.send(upgrade_request("/"));
  EXPECT_EQ(at.answer(client, false).status, 101);
}

TEST_F(http_plain, RoutesThatCannotBe)
{
  get = named("get");
  weir_http_route route = route_of(get);
  weir_server *server = at.server();
  EXPECT_EQ(weir_server_http(server, "GET", "/a", nullptr, &get), -EINVAL);
  for (const char *method : {"", "G T", "GET\r\n", "a/b"})
    EXPECT_EQ(weir_server_http(server, method, "/a", &route, &get), -EINVAL) << method;
  for (const char *path : {"", "a", "/a/*/b"})
    EXPECT_EQ(weir_server_http(server, "GET", path, &route, &get), -EINVAL) << path;
  EXPECT_EQ(weir_server_http(server, "GET", "/a", &route, &get), 0);
  EXPECT_EQ(weir_server_http(server, "GET", "/a", &route, &get), -EEXIST);
  EXPECT_EQ(weir_server_http(server, nullptr, "/a", &route, &get), 0);
  EXPECT_EQ(weir_server_http(server, nullptr, "/a", &route, &get), -EEXIST);
  route.on_request = nullptr;
  EXPECT_EQ(weir_server_http(server, "PUT", "/a", &route, &get), -EINVAL);
  route = route_of(get);
  route.size = sizeof route + 1;
  EXPECT_EQ(weir_server_http(server, "PUT", "/a", &route, &get), -EINVAL);
  route.size = offsetof(weir_http_route, on_body);
  EXPECT_EQ(weir_server_http(server, "PUT", "/a", &route, &get), 0) << "an older caller's";
  at.start();
  route = route_of(get);
  EXPECT_EQ(weir_server_http(server, "PUT", "/b", &route, &get), -EBUSY);
}

} // namespace
