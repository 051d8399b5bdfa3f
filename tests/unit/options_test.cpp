// Options: defaults, bounds, and structures of earlier versions; routes: patterns and their
// precedence.
#include "ws/server.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <cstring>
#include <string>

namespace
{

TEST(Options, ZeroMeansTheDocumentedDefault)
{
  struct weir_options out;
  ASSERT_EQ(weir__options_resolve(&out, nullptr), 0);
  EXPECT_EQ(out.loops, 1u);
  EXPECT_EQ(out.handshake_timeout_ms, 10000u);
  EXPECT_EQ(out.max_header_bytes, 16384u);
  struct weir_route_options route, none = {};
  ASSERT_EQ(weir__route_options_resolve(&route, &none), 0);
  EXPECT_EQ(route.max_message_bytes, 1u << 20);
  EXPECT_EQ(route.max_queued_bytes, 1u << 20);
  EXPECT_EQ(route.max_queued_messages, 4096u);
  EXPECT_EQ(route.ping_interval_ms, 30000u);
  EXPECT_EQ(route.pong_timeout_ms, 20000u);
  EXPECT_EQ(route.idle_timeout_ms, WEIR_OFF);
  EXPECT_EQ(out.max_compression_bytes, 256u << 20);
  EXPECT_EQ(route.compression, size_t{WEIR_COMPRESSION_OFF});
  EXPECT_EQ(route.compression_threshold, 1024u);
  EXPECT_EQ(route.compression_level, 1u);
  EXPECT_EQ(route.server_window_bits, 15u);
  EXPECT_EQ(route.client_window_bits, 15u);
}

TEST(Options, LimitsHaveTheirDefaults)
{
  struct weir_options out;
  ASSERT_EQ(weir__options_resolve(&out, nullptr), 0);
  EXPECT_EQ(out.max_connections, 0u) << "the server asks how many descriptors it may open";
  EXPECT_EQ(out.max_connections_per_address, WEIR_OFF);
  EXPECT_EQ(out.max_handshakes, 16384u);
  EXPECT_EQ(out.max_topics, 1u << 20);
  EXPECT_EQ(out.max_queue_memory, WEIR_OFF);
  EXPECT_EQ(out.trusted_proxies, nullptr);
  struct weir_route_options route, none = {};
  ASSERT_EQ(weir__route_options_resolve(&route, &none), 0);
  EXPECT_EQ(route.message_timeout_ms, 60000u);
  EXPECT_EQ(route.max_messages_per_s, WEIR_OFF);
  EXPECT_EQ(route.max_bytes_per_s, WEIR_OFF);
  EXPECT_EQ(route.max_subscriptions, 16384u);
  EXPECT_EQ(route.max_lifetime_ms, WEIR_OFF);
}

/* Every limit takes the smallest value, the greatest and off as they are. */
TEST(Options, LimitsHaveNoBounds)
{
  for (size_t value : {size_t{1}, WEIR_OFF - 1, WEIR_OFF}) {
    struct weir_options out, in = {};
    in.size = sizeof in;
    in.max_connections = in.max_connections_per_address = in.max_handshakes = in.max_topics = value;
    ASSERT_EQ(weir__options_resolve(&out, &in), 0);
    EXPECT_EQ(out.max_connections, value);
    EXPECT_EQ(out.max_connections_per_address, value);
    EXPECT_EQ(out.max_handshakes, value);
    EXPECT_EQ(out.max_topics, value);
    struct weir_route_options route, given = {};
    given.size = sizeof given;
    given.message_timeout_ms = given.max_messages_per_s = given.max_bytes_per_s =
        given.max_subscriptions = value;
    ASSERT_EQ(weir__route_options_resolve(&route, &given), 0);
    EXPECT_EQ(route.message_timeout_ms, value);
    EXPECT_EQ(route.max_messages_per_s, value);
    EXPECT_EQ(route.max_bytes_per_s, value);
    EXPECT_EQ(route.max_subscriptions, value);
  }
}

TEST(Options, CompressionHasItsBounds)
{
  struct weir_route_options out, in = {};
  in.size = sizeof in;
  const struct {
    size_t weir_route_options::*field;
    size_t least, most;
  } bounds[] = {{&weir_route_options::compression, 0, 2},
                {&weir_route_options::compression_level, 1, 9},
                {&weir_route_options::server_window_bits, 9, 15},
                {&weir_route_options::client_window_bits, 8, 15}};
  for (const auto &bound : bounds) {
    for (size_t value : {bound.least, bound.most}) {
      in.*bound.field = value;
      EXPECT_EQ(weir__route_options_resolve(&out, &in), 0);
    }
    for (size_t value : {bound.least - 1, bound.most + 1, size_t{WEIR_OFF}}) {
      in.*bound.field = value;
      EXPECT_EQ(weir__route_options_resolve(&out, &in), value == 0 ? 0 : -EINVAL) << value;
    }
    in.*bound.field = 0;
  }
}

TEST(Options, AnEarlierVersionsStructureIsUnderstood)
{
  struct weir_options in = {}, out;
  in.loops = 3;
  in.backlog = 7; // behind the size given: not there
  in.size = offsetof(struct weir_options, backlog);
  ASSERT_EQ(weir__options_resolve(&out, &in), 0);
  EXPECT_EQ(out.loops, 3u);
  EXPECT_EQ(out.backlog, 4096u);
}

TEST(Options, OutOfBoundsIsRefused)
{
  struct weir_options out, in = {};
  for (size_t size : {size_t{0}, size_t{7}, sizeof in + 1}) {
    in.size = size;
    EXPECT_EQ(weir__options_resolve(&out, &in), -EINVAL) << size;
  }
  in.size = sizeof in;
  in.loops = 256;
  EXPECT_EQ(weir__options_resolve(&out, &in), -EINVAL);
  in.loops = 0;
  in.max_header_fields = 129;
  EXPECT_EQ(weir__options_resolve(&out, &in), -EINVAL);
  struct weir_route_options route, wrong = {};
  wrong.size = sizeof wrong;
  wrong.queue_policy = WEIR_QUEUE_KEEP_LATEST + 1;
  EXPECT_EQ(weir__route_options_resolve(&route, &wrong), -EINVAL);
  wrong.queue_policy = 0;
  wrong.close_timeout_ms = WEIR_OFF;
  EXPECT_EQ(weir__route_options_resolve(&route, &wrong), -EINVAL);
}

class Routes : public testing::Test
{
protected:
  void SetUp() override
  {
    ASSERT_EQ(weir_server_new(&server, nullptr), 0);
  }
  void TearDown() override
  {
    weir_server_free(server);
  }

  int add(const char *pattern, const char *listener = nullptr)
  {
    struct weir_route route = {};
    route.size = sizeof route;
    route.options.size = sizeof route.options;
    route.options.listener = listener;
    return weir_server_route(server, pattern, &route, nullptr);
  }

  std::string match(const std::string &path)
  {
    return on(nullptr, path);
  }
  std::string on(const char *listener, const std::string &path)
  {
    uint16_t index, name = static_cast<uint16_t>(weir__server_name(server, listener));
    const struct weir__route *route =
        weir__server_match(server, name, {path.data(), path.size()}, &index);
    return route == nullptr ? "" : route->pattern;
  }

  // The pattern that answers a method, or the methods that are allowed instead.
  std::string match(const std::string &path, const std::string &method)
  {
    char allow[WEIR__ALLOW_BYTES];
    const struct weir__route *route = weir__server_match_http(
        server, 0, {path.data(), path.size()}, {method.data(), method.size()}, allow);
    return route == nullptr ? allow : route->pattern;
  }

  int add_http(const char *method, const char *pattern)
  {
    struct weir_http_route route = {};
    route.size = sizeof route;
    route.on_request = [](struct weir_request *, void *) { return 200; };
    return weir_server_http(server, method, pattern, &route, nullptr);
  }

  struct weir_server *server = nullptr;
};

TEST_F(Routes, GoByPrecedenceNotByOrder)
{
  for (const char *pattern : {"*", "/chat/*", "/chat/:room", "/chat/lobby", "/"})
    ASSERT_EQ(add(pattern), 0) << pattern;
  EXPECT_EQ(match("/chat/lobby"), "/chat/lobby");
  EXPECT_EQ(match("/chat/other"), "/chat/:room");
  EXPECT_EQ(match("/chat/other/deep"), "/chat/*");
  EXPECT_EQ(match("/"), "/");
  EXPECT_EQ(match("/else"), "*");
}

TEST_F(Routes, OfTwoKindsShareAPath)
{
  auto get = [](struct weir_request *, void *) { return 200; };
  ASSERT_EQ(add("/both"), 0);
  ASSERT_EQ(weir_server_get(server, "/both", get, nullptr), 0);
  EXPECT_EQ(match("/both", "GET"), "/both");
  EXPECT_EQ(match("/both"), "/both");
  EXPECT_EQ(weir_server_get(server, "/both", get, nullptr), -EEXIST);
}

TEST_F(Routes, GoByMethodToo)
{
  ASSERT_EQ(add_http(nullptr, "/any"), 0);
  ASSERT_EQ(add_http("POST", "/any"), 0);
  ASSERT_EQ(add_http("GET", "/users/:id"), 0);
  ASSERT_EQ(add_http("PUT", "/users/:id"), 0);
  ASSERT_EQ(add_http("DELETE", "/users/*"), 0);
  EXPECT_EQ(add_http("PUT", "/users/:id"), -EEXIST);
  EXPECT_EQ(add_http("PUT IT", "/users/:id"), -EINVAL);
  EXPECT_EQ(match("/any", "POST"), "/any");
  EXPECT_EQ(match("/any", "PATCH"), "/any");
  EXPECT_EQ(match("/users/5", "HEAD"), "/users/:id");
  EXPECT_EQ(match("/users/5", "DELETE"), "/users/*");
  EXPECT_EQ(match("/users/5", "get"), "GET, HEAD, PUT, DELETE");
  EXPECT_EQ(match("/nothing", "GET"), "");
}

TEST_F(Routes, ServeTheListenersOfTheirName)
{
  std::string inside = "inside";
  ASSERT_EQ(add("/both"), 0);
  ASSERT_EQ(add("/both", inside.c_str()), 0);
  ASSERT_EQ(add("/here", "inside"), 0);
  EXPECT_EQ(add("/both", "inside"), -EEXIST);
  EXPECT_EQ(add("/both"), -EEXIST);
  inside = "xxxxxx";
  EXPECT_EQ(on("inside", "/both"), "/both");
  EXPECT_EQ(on("inside", "/here"), "/here");
  EXPECT_EQ(match("/here"), "");
  EXPECT_EQ(on("outside", "/both"), "");
  uint16_t one, other, name = static_cast<uint16_t>(weir__server_name(server, "inside"));
  const struct weir__route *named = weir__server_match(server, name, {"/both", 5}, &one);
  EXPECT_NE(named, weir__server_match(server, 0, {"/both", 5}, &other));
  EXPECT_NE(one, other);
  EXPECT_STREQ(named->options.listener, "inside");
}

TEST_F(Routes, ThatAreWrongAreRefused)
{
  struct weir_route route = {};
  EXPECT_EQ(add("chat"), -EINVAL);
  EXPECT_EQ(add("/*/more"), -EINVAL);
  EXPECT_EQ(add("/a"), 0);
  EXPECT_EQ(add("/a"), -EEXIST);
  EXPECT_EQ(weir_server_route(server, "/b", nullptr, nullptr), -EINVAL);
  EXPECT_EQ(weir_server_route(server, "/b", &route, nullptr), -EINVAL);
  route.size = sizeof route;
  route.user_bytes = (64 << 10) + 1;
  EXPECT_EQ(weir_server_route(server, "/b", &route, nullptr), -EINVAL);
  EXPECT_EQ(weir_server_get(server, "/c", nullptr, nullptr), -EINVAL);
  ASSERT_EQ(weir_server_listen(server, "127.0.0.1", 0), 0);
  EXPECT_EQ(add("/late"), -EBUSY);
}

TEST_F(Routes, CopyTheirLists)
{
  std::string protocol = "chat.v1", origin = "https://example.org";
  const char *protocols[] = {protocol.c_str(), nullptr}, *origins[] = {origin.c_str(), nullptr};
  struct weir_route route = {};
  route.size = sizeof route;
  route.options.size = sizeof route.options;
  route.options.protocols = protocols;
  route.options.origins = origins;
  ASSERT_EQ(weir_server_route(server, "/", &route, nullptr), 0);
  protocol.assign("xxxxxxx");
  origin.assign("xxxxxxxxxxxxxxxxxxx");
  EXPECT_STREQ(server->routes[0]->options.protocols[0], "chat.v1");
  EXPECT_STREQ(server->routes[0]->options.origins[0], "https://example.org");
}

} // namespace
