// What request.h says: what a hook is told of a request, what it may answer, and how plain requests
// are served on a connection that lives on.
#include "support/stage.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <map>

using namespace support;

namespace
{

std::string str(weir_slice slice)
{
  return slice.data == nullptr ? "(none)" : std::string(slice.data, slice.len);
}

class request : public testing::Test
{
protected:
  int inits = 0, finis = 0, opens = 0;
  std::function<int(weir_request *)> get = [](weir_request *) { return 0; };
  std::function<int(weir_request *)> hook = [](weir_request *) { return 0; };
  std::map<std::string, hooks> routes;
  std::string selected; /* the subprotocol of the last connection */
  stage at;

  request() : request(weir_options{}) {}
  explicit request(weir_options options) : at(options)
  {
    at.on.upgrade = [this](weir_request *r, void *) { return hook(r); };
    at.on.user_init = [this](void *) { return inits++, 0; };
    at.on.user_fini = [this](void *) { finis++; };
    at.on.open = [this](weir_conn *c) {
      opens++;
      selected = str(weir_conn_protocol(c));
    };
  }

  void start(const char *page = "/page")
  {
    auto handler = [](weir_request *r, void *arg) { return static_cast<request *>(arg)->get(r); };
    ASSERT_EQ(weir_server_get(at.server(), page, handler, this), 0);
    at.start();
  }

  /* Asks on a connection of its own. */
  response ask(const std::string &head, bool with_body = true)
  {
    peer &client = at.connect();
    client.send(head);
    return at.answer(client, with_body);
  }
  static std::string page(const std::string &target = "/page", const std::string &more = "")
  {
    return "GET " + target + " HTTP/1.1\r\nHost: localhost\r\n" + more + "\r\n";
  }
};

TEST_F(request, IsToldToTheHook)
{
  std::map<std::string, std::string> told;
  hooks on;
  on.upgrade = [&](weir_request *r, void *) {
    told["method"] = str(weir_request_method(r));
    told["path"] = str(weir_request_path(r));
    told["room"] = str(weir_request_parameter(r, "room"));
    told["no parameter"] = str(weir_request_parameter(r, "roo"));
    told["name"] = str(weir_request_query(r, "name"));
    told["empty"] = str(weir_request_query(r, "empty"));
    told["no query"] = str(weir_request_query(r, "nam"));
    told["header"] = str(weir_request_header(r, "x-thing"));
    told["no header"] = str(weir_request_header(r, "X-Thin"));
    weir_peer who;
    EXPECT_EQ(weir_request_peer(r, &who), 0);
    told["peer"] = std::string(who.address) + " " + std::to_string(who.port);
    return 0;
  };
  at.route("/chat/:room", on);
  start();
  peer &client = at.open("/chat/caf%C3%A9%20x?a=b&name=J%2Bo+e&empty=&name=second",
                         "X-Thing:  a value \t\r\nx-thing: another\r\n");
  EXPECT_EQ(told["method"], "GET");
  EXPECT_EQ(told["path"], "/chat/caf%C3%A9%20x");
  EXPECT_EQ(told["room"], "caf\xC3\xA9 x");
  EXPECT_EQ(told["no parameter"], "(none)");
  EXPECT_EQ(told["name"], "J+o e");
  EXPECT_EQ(told["empty"], "");
  EXPECT_EQ(told["no query"], "(none)");
  EXPECT_EQ(told["header"], "a value");
  EXPECT_EQ(told["no header"], "(none)");
  EXPECT_EQ(told["peer"], "127.0.0.1 " + std::to_string(client.port()));
}

TEST_F(request, RoutesAreTriedInOrderOfPrecedence)
{
  std::string took;
  for (const char *path : {"/a/*", "/a/:b", "/a/b", "/*"}) {
    hooks &on = routes[path];
    on.upgrade = [&took, path](weir_request *, void *) { return took = path, 0; };
    at.route(path, on);
  }
  start();
  const std::pair<const char *, const char *> cases[] = {
      {"/a/b", "/a/b"}, {"/a/c", "/a/:b"}, {"/a/b/c", "/a/*"}, {"/b", "/*"}};
  for (const auto &[target, path] : cases) {
    at.open(target);
    EXPECT_EQ(took, path) << target;
  }
}

TEST_F(request, SubprotocolOfTheRoute)
{
  const char *const known[] = {"chat.v2", "chat.v1", nullptr};
  at.options.protocols = known;
  start();
  const std::pair<const char *, const char *> cases[] = {
      {"", "(none)"},
      {"Sec-WebSocket-Protocol: chat.v1\r\n", "chat.v1"},
      {"Sec-WebSocket-Protocol: chat.v1, chat.v2\r\n", "chat.v1"},
      {"Sec-WebSocket-Protocol: x\r\nSec-WebSocket-Protocol: chat.v2\r\n", "chat.v2"},
      {"Sec-WebSocket-Protocol: chat.v3\r\n", "(none)"}};
  for (const auto &[fields, wanted] : cases) {
    response answer = ask(upgrade_request("/", fields), false);
    EXPECT_EQ(answer.status, 101);
    EXPECT_EQ(selected, wanted) << fields;
    std::string named = answer.field("Sec-WebSocket-Protocol");
    EXPECT_EQ(named.empty() ? "(none)" : named, wanted) << fields;
  }
}

TEST_F(request, SubprotocolOfTheHook)
{
  const char *const known[] = {"first", nullptr};
  at.options.protocols = known;
  hook = [](weir_request *r) {
    EXPECT_EQ(weir_request_select_protocol(r, nullptr), -EINVAL);
    EXPECT_EQ(weir_request_select_protocol(r, ""), -EINVAL);
    EXPECT_EQ(weir_request_select_protocol(r, "no token"), -EINVAL);
    EXPECT_EQ(weir_request_select_protocol(r, "third"), -ENOENT);
    EXPECT_EQ(weir_request_select_protocol(r, "first"), 0);
    std::string name = "second"; /* it is copied */
    EXPECT_EQ(weir_request_select_protocol(r, name.c_str()), 0);
    name = "xxxxxx";
    return 0;
  };
  start();
  std::string offer = "Sec-WebSocket-Protocol: first, second\r\n";
  response answer = ask(upgrade_request("/", offer), false);
  EXPECT_EQ(answer.field("Sec-WebSocket-Protocol"), "second");
  EXPECT_EQ(selected, "second");
}

TEST_F(request, FieldsOfTheResponse)
{
  hook = [](weir_request *r) {
    EXPECT_EQ(weir_request_respond_header(r, "X-One", "1"), 0);
    EXPECT_EQ(weir_request_respond_header(r, "Set-Cookie", "a=b; Path=/"), 0);
    for (const char *name :
         {"", "a b", "a:b", "a\r", "Connection", "upgrade", "Content-Length", "transfer-encoding",
          "Sec-WebSocket-Accept", "Sec-WebSocket-Protocol", "sec-websocket-extensions"})
      EXPECT_EQ(weir_request_respond_header(r, name, "v"), -EINVAL) << name;
    for (const char *value : {"a\rb", "a\nb", "a\r\nX-Two: 2"})
      EXPECT_EQ(weir_request_respond_header(r, "X-Bad", value), -EINVAL);
    EXPECT_EQ(weir_request_respond_header(r, nullptr, "v"), -EINVAL);
    EXPECT_EQ(weir_request_respond_header(r, "X-Bad", nullptr), -EINVAL);
    return 0;
  };
  start();
  response answer = ask(upgrade_request(), false);
  EXPECT_EQ(answer.status, 101);
  EXPECT_EQ(answer.field("X-One"), "1");
  EXPECT_EQ(answer.field("Set-Cookie"), "a=b; Path=/");
  EXPECT_EQ(answer.field("X-Bad"), "");
  EXPECT_EQ(answer.field("X-Two"), "");
}

TEST_F(request, AtMost8KiBOfFields)
{
  hook = [](weir_request *r) {
    std::string half(4096 - 4 - 1, 'h');
    EXPECT_EQ(weir_request_respond_header(r, "A", half.c_str()), 0);
    EXPECT_EQ(weir_request_respond_header(r, "B", (half + "x").c_str()), -ENOBUFS);
    EXPECT_EQ(weir_request_respond_header(r, "B", half.c_str()), 0);
    EXPECT_EQ(weir_request_respond_header(r, "C", ""), -ENOBUFS);
    EXPECT_EQ(weir_request_respond_header(r, "D", std::string(10000, 'd').c_str()), -ENOBUFS);
    return 0;
  };
  start();
  response answer = ask(upgrade_request(), false);
  EXPECT_EQ(answer.field("B").size(), 4091u);
  EXPECT_EQ(answer.field("C"), "");
}

TEST_F(request, RefusedByTheHook)
{
  start();
  const std::pair<int, int> cases[] = {{-400, 400}, {-403, 403}, {-599, 599}, {-399, 500},
                                       {-600, 500}, {-1, 500},   {1, 500},    {200, 500}};
  int asked = 0;
  for (const auto &[verdict, status] : cases) {
    hook = [&, with = verdict](weir_request *) { return with; };
    peer &client = at.connect();
    client.send(upgrade_request());
    response answer = at.answer(client);
    EXPECT_EQ(answer.status, status) << verdict;
    EXPECT_FALSE(answer.body.empty());
    EXPECT_EQ(answer.field("Connection"), "close");
    EXPECT_TRUE(at.ends(client));
    client.half_close();
    asked++;
    EXPECT_TRUE(at.until([&] { return finis == asked; }));
    EXPECT_EQ(inits, asked);
  }
  EXPECT_EQ(opens, 0);
  EXPECT_EQ(at.counters().refused, std::size(cases));
}

TEST_F(request, RefusedWithABodyOfTheHooks)
{
  hook = [](weir_request *r) {
    EXPECT_EQ(weir_request_respond_body(r, nullptr, "x", 1), -EINVAL);
    EXPECT_EQ(weir_request_respond_body(r, "a\nb", "x", 1), -EINVAL);
    EXPECT_EQ(weir_request_respond_body(r, "text/plain", nullptr, 1), -EINVAL);
    EXPECT_EQ(weir_request_respond_body(r, "text/plain", "first", 5), 0);
    std::string body = "{\"why\":\"full\"}";
    EXPECT_EQ(weir_request_respond_body(r, "application/json", body.data(), body.size()), 0);
    body.assign(body.size(), '!');
    EXPECT_EQ(weir_request_respond_header(r, "Retry-After", "9"), 0);
    return -503;
  };
  start();
  response answer = ask(upgrade_request());
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(answer.field("Content-Type"), "application/json");
  EXPECT_EQ(answer.field("Retry-After"), "9");
  EXPECT_EQ(answer.body, "{\"why\":\"full\"}");
}

/* user_init runs for those whom the hook is asked about, and user_fini for each that it took. */
TEST_F(request, UserMemoryIsSetUpAndCleanedUpInPairs)
{
  at.user_bytes = 24;
  at.on.user_init = [&](void *user) {
    EXPECT_EQ(*static_cast<uint64_t *>(user), 0u) << "it was not zeroed";
    *static_cast<uint64_t *>(user) = 42;
    return inits++ == 2 ? -507 : 0;
  };
  at.on.user_fini = [&](void *user) {
    EXPECT_EQ(*static_cast<uint64_t *>(user), 42u);
    finis++;
  };
  start();
  for (int i = 0; i < 2; i++) { /* the second one in the memory of the first */
    peer &client = at.open();
    EXPECT_EQ(*static_cast<uint64_t *>(weir_conn_user(at.last())), 42u);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(weir_conn_user(at.last())) % 16, 0u);
    EXPECT_EQ(weir_conn_set_user(at.last(), this), -EINVAL) << "the route has memory";
    client.reset();
    EXPECT_TRUE(at.until([&] { return finis == i + 1; }));
  }
  EXPECT_EQ(ask(upgrade_request()).status, 507);
  EXPECT_EQ(inits, 3);
  EXPECT_EQ(ask(upgrade_request("/nowhere")).status, 404);
  EXPECT_EQ(ask("GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                "Sec-WebSocket-Version: 13\r\n\r\n")
                .status,
            400);
  EXPECT_EQ(inits, 3);
  at.end_server();
  EXPECT_EQ(finis, 2) << "of those that user_init refused, too";
}

TEST_F(request, PageWithItsFieldsAndBody)
{
  get = [](weir_request *r) {
    EXPECT_EQ(str(weir_request_query(r, "q")), "a b");
    EXPECT_EQ(weir_request_select_protocol(r, "x"), -ENOENT);
    EXPECT_EQ(weir_request_respond_header(r, "Cache-Control", "no-store"), 0);
    EXPECT_EQ(weir_request_respond_body(r, "text/html; charset=utf-8", "<p>hi</p>", 9), 0);
    return 0;
  };
  start();
  response answer = ask(page("/page?q=a+b"));
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, "<p>hi</p>");
  EXPECT_EQ(answer.field("Content-Type"), "text/html; charset=utf-8");
  EXPECT_EQ(answer.field("Cache-Control"), "no-store");
  EXPECT_EQ(answer.field("Content-Length"), "9");
  EXPECT_EQ(at.counters().requests, 1u);
}

TEST_F(request, HeadIsAnsweredWithoutTheBody)
{
  get = [](weir_request *r) { return weir_request_respond_body(r, "text/plain", "body", 4); };
  start();
  peer &client = at.connect();
  client.send("HEAD /page HTTP/1.1\r\nHost: x\r\n\r\n" + page());
  response head = at.answer(client, false), whole = at.answer(client);
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.field("Content-Length"), "4");
  EXPECT_EQ(whole.status, 200) << "the connection lives on, in step";
  EXPECT_EQ(whole.body, "body");
}

TEST_F(request, PipelinedAndKeptAliveInOrder)
{
  int count = 0;
  get = [&](weir_request *r) {
    std::string body = std::to_string(count++);
    return weir_request_respond_body(r, "text/plain", body.data(), body.size());
  };
  start();
  peer &client = at.connect();
  std::string many;
  for (int i = 0; i < 50; i++)
    many += page();
  client.send(many + "GET /page HT");
  for (int i = 0; i < 50; i++)
    EXPECT_EQ(at.answer(client).body, std::to_string(i));
  client.send("TP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  response last = at.answer(client);
  EXPECT_EQ(last.body, "50");
  EXPECT_EQ(last.field("Connection"), "close");
  EXPECT_TRUE(at.ends(client));
  EXPECT_FALSE(client.was_reset());
}

TEST_F(request, UpgradeBehindPagesOnOneConnection)
{
  at.on.message = [](weir_conn *c, const weir_message *m) { weir_conn_send_message(c, m); };
  start();
  peer &client = at.connect();
  client.send(page() + upgrade_request() + masked(fin | text, "early"));
  EXPECT_EQ(at.answer(client).status, 200);
  EXPECT_EQ(at.answer(client, false).status, 101);
  EXPECT_EQ(at.next(client).payload, "early");
}

/* A response without a body must not be followed by one (RFC 9110 section 6.4.1). */
TEST_F(request, StatusesThatHaveNoBody)
{
  int status = 0;
  get = [&](weir_request *r) {
    EXPECT_EQ(weir_request_respond_body(r, "text/plain", "body", 4), 0);
    return status;
  };
  start();
  for (int bodiless : {204, 304}) {
    status = bodiless;
    peer &client = at.connect();
    client.send(page());
    response answer = at.answer(client, false);
    EXPECT_EQ(answer.status, bodiless);
    EXPECT_EQ(answer.field("Content-Length"), "");
    status = 201;
    client.send(page());
    answer = at.answer(client);
    EXPECT_EQ(answer.status, 201) << answer.head;
    EXPECT_EQ(answer.body, "body");
  }
}

TEST_F(request, HandlerWithoutAStatus)
{
  start();
  for (int status : {-1, 100, 199, 600}) {
    get = [&](weir_request *) { return status; };
    EXPECT_EQ(ask(page()).status, 500) << status;
  }
  for (int status : {200, 404, 599}) {
    get = [&](weir_request *) { return status; };
    EXPECT_EQ(ask(page()).status, status);
  }
}

TEST_F(request, WhatIsNoPage)
{
  start();
  EXPECT_EQ(ask(page("/")).status, 426) << "it speaks WebSocket only";
  EXPECT_EQ(ask(page("/nowhere")).status, 404);
  EXPECT_EQ(ask(upgrade_request("/page")).status, 404) << "it does not speak WebSocket";
  response wrong = ask("DELETE /page HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(wrong.status, 405);
  EXPECT_EQ(wrong.field("Allow"), "GET, HEAD");
  EXPECT_EQ(ask(page("/page", "Content-Length: 1\r\n") + "x").status, 413);
}

TEST_F(request, PageAndWebSocketOnOnePath)
{
  get = [](weir_request *) { return 203; };
  start("/");
  EXPECT_EQ(ask(page("/")).status, 203);
  EXPECT_EQ(ask(upgrade_request("/"), false).status, 101);
}

TEST_F(request, KeptAliveForItsTimeOnly)
{
  start();
  peer &client = at.connect(), &silent = at.connect();
  client.send(page());
  EXPECT_EQ(at.answer(client).status, 200);
  at.pass(4900);
  at.settle();
  EXPECT_FALSE(client.ended());
  client.send(page());
  EXPECT_EQ(at.answer(client).status, 200);
  at.pass(4900);
  at.settle();
  EXPECT_FALSE(client.ended()) << "a request begins the time anew";
  at.pass(300);
  EXPECT_TRUE(at.ends(client));
  EXPECT_EQ(client.input(), "");
  EXPECT_TRUE(at.ends(silent)) << "the handshake's time is over";
}

/* Who reads a long response slowly is not idle; who stops reading is. */
TEST_F(request, LongResponseToASlowReader)
{
  std::string body(12 << 20, 'b');
  get = [&](weir_request *r) {
    return weir_request_respond_body(r, "text/plain", body.data(), body.size());
  };
  start();
  for (const char *more : {"", "Connection: close\r\n"}) {
    peer &slow = at.connect(4096);
    slow.stall(true);
    slow.send(page("/page", more));
    for (size_t wanted = 2 << 20; wanted <= 8 << 20; wanted += 2 << 20) {
      at.settle();
      at.pass(3000);
      slow.stall(false);
      ASSERT_TRUE(at.until([&] { return slow.input().size() > wanted || slow.ended(); }));
      slow.stall(true);
    }
    EXPECT_FALSE(slow.ended()) << more;
    at.settle();
    at.pass(61000);
    slow.stall(false);
    EXPECT_TRUE(at.ends(slow));
    EXPECT_LT(slow.input().size(), body.size()) << "it was waited for too long";
  }
}

TEST_F(request, HeadThatDoesNotArriveInTime)
{
  start();
  peer &client = at.connect();
  client.send("GET / HTTP/1.1\r\nHo");
  at.settle();
  for (int i = 0; i < 9; i++) {
    at.pass(1000);
    client.send("s"); /* an absolute deadline, not an idle one */
    at.settle();
  }
  EXPECT_FALSE(client.ended());
  at.pass(1200);
  EXPECT_EQ(at.answer(client).status, 408);
  EXPECT_TRUE(at.ends(client));
}

} // namespace
