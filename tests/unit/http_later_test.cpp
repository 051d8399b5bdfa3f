// Plain requests that are answered after their handler has returned, by the loop or by another
// thread: in time, too late, and never.
#include "http_later_fixture.hpp"

using namespace http_later_test;

namespace
{

TEST_F(http_later, FromTheLoop)
{
  start();
  peer &client = ask(get("/later"));
  at.pass(50000);
  at.settle();
  EXPECT_EQ(client.input(), "");
  weir_timer *timer;
  auto fire = [](weir_timer *, void *arg) {
    EXPECT_EQ(answer_with(static_cast<weir_request *>(arg), "in time"), 0);
  };
  ASSERT_EQ(weir_timer_new(&timer, at.loop(), fire, kept[0]), 0);
  weir_timer_start(timer, 1000, 0);
  at.pass(1001);
  response answer = at.answer(client);
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, "in time");
  EXPECT_EQ(answer.field("Connection"), "");
  client.send(get("/now/1"));
  EXPECT_EQ(at.answer(client).body, "1") << "the connection lives on";
  EXPECT_EQ(at.counters().requests, 2u);
  EXPECT_EQ(gone.size(), 0u);
  weir_timer_free(timer);
}

TEST_F(http_later, FromOutsideAStep)
{
  start();
  peer &client = ask(get("/later"));
  EXPECT_EQ(answer_with(kept[0], "outside"), 0);
  EXPECT_EQ(at.answer(client).body, "outside");
}

TEST_F(http_later, FromAnotherConnectionsHandler)
{
  now.request = [&](weir_request *) {
    EXPECT_EQ(answer_with(kept[0], "relayed"), 0);
    return 202;
  };
  start();
  peer &first = ask(get("/later")), &second = at.connect();
  second.send(get("/now/0"));
  EXPECT_EQ(at.answer(second).status, 202);
  EXPECT_EQ(at.answer(first).body, "relayed");
}

TEST_F(http_later, FromAnotherThread)
{
  start();
  peer &client = ask(get("/later/r%20m?q=a+b", "X-Thing: value\r\n"));
  weir_request *r = kept[0];
  EXPECT_EQ(weir_request_user(r), nullptr);
  int result = elsewhere([&] {
    weir_request_set_user(r, &client);
    EXPECT_EQ(str(weir_request_method(r)), "GET");
    EXPECT_EQ(str(weir_request_path(r)), "/later/r%20m");
    EXPECT_EQ(str(weir_request_parameter(r, "room")), "r m");
    EXPECT_EQ(str(weir_request_query(r, "q")), "a b");
    EXPECT_EQ(str(weir_request_header(r, "x-thing")), "value");
    EXPECT_EQ(weir_request_loop(r), 0u);
    weir_peer who;
    EXPECT_EQ(weir_request_peer(r, &who), 0);
    EXPECT_EQ(who.port, client.port());
    EXPECT_EQ(weir_request_respond_header(r, "X-From", "afar"), 0);
    EXPECT_EQ(weir_request_respond_body(r, "text/css", "p{}", 3), 0);
    return weir_request_respond(r, 201);
  });
  EXPECT_EQ(result, 0);
  EXPECT_EQ(weir_request_user(r), &client);
  response answer = at.answer(client);
  EXPECT_EQ(answer.status, 201);
  EXPECT_EQ(answer.field("X-From"), "afar");
  EXPECT_EQ(answer.field("Content-Type"), "text/css");
  EXPECT_EQ(answer.body, "p{}");
}

/* What was set before it was kept is kept along, and stays with it. */
TEST_F(http_later, WithWhatWasSetBefore)
{
  later.request = [&](weir_request *r) {
    EXPECT_EQ(weir_request_respond_header(r, "X-Before", "1"), 0);
    EXPECT_EQ(weir_request_respond_body(r, "text/plain", "before", 6), 0);
    int result = keep(r);
    EXPECT_EQ(weir_request_keep(r), kept[0]) << "it is one";
    EXPECT_EQ(weir_request_keep(kept[0]), kept[0]);
    weir_request_unref(kept[0]);
    weir_request_unref(kept[0]);
    EXPECT_EQ(weir_request_respond_header(r, "X-Behind", "2"), 0);
    return result;
  };
  start();
  peer &client = ask(get("/later"));
  EXPECT_EQ(weir_request_respond_header(kept[0], "X-Later", "3"), 0);
  EXPECT_EQ(weir_request_respond(kept[0], 200), 0);
  response answer = at.answer(client);
  EXPECT_EQ(answer.body, "before");
  EXPECT_EQ(answer.field("X-Before"), "1");
  EXPECT_EQ(answer.field("X-Behind"), "2");
  EXPECT_EQ(answer.field("X-Later"), "3");
}

TEST_F(http_later, BeforeItsHandlerReturned)
{
  int verdict = WEIR_LATER;
  bool afar = false;
  later.request = [&](weir_request *r) {
    keep(r);
    auto answer = [&] { return answer_with(kept.back(), "early"); };
    EXPECT_EQ(afar ? elsewhere(answer) : answer(), 0);
    return verdict;
  };
  start();
  for (int v : {static_cast<int>(WEIR_LATER), 500, -1}) {
    for (bool thread : {false, true}) {
      verdict = v;
      afar = thread;
      peer &client = at.connect();
      client.send(get("/later") + get("/now/2"));
      response answer = at.answer(client);
      EXPECT_EQ(answer.status, 200) << "who answers first has answered; " << v;
      EXPECT_EQ(answer.body, "early");
      EXPECT_EQ(at.answer(client).body, "2");
    }
  }
  EXPECT_EQ(gone.size(), 0u);
}

TEST_F(http_later, OnlyOnce)
{
  start();
  peer &client = ask(get("/later"));
  for (int status : {0, 100, 199, 600})
    EXPECT_EQ(weir_request_respond(kept[0], status), -EINVAL) << status;
  EXPECT_EQ(weir_request_accept(kept[0]), -EINVAL) << "it asks for no upgrade";
  EXPECT_EQ(weir_request_respond(kept[0], 204), 0);
  for (int i = 0; i < 2; i++) { /* before it left, and after */
    EXPECT_EQ(weir_request_respond(kept[0], 200), -EALREADY);
    EXPECT_EQ(weir_request_begin(kept[0], 200, 1), -EALREADY);
    EXPECT_EQ(weir_request_write(kept[0], "x", 1), -EINVAL);
    EXPECT_EQ(weir_request_end(kept[0]), -EINVAL);
    EXPECT_EQ(weir_request_respond_header(kept[0], "X", "y"), -EALREADY);
    EXPECT_EQ(weir_request_respond_body(kept[0], "text/plain", "y", 1), -EALREADY);
    if (i == 0) {
      EXPECT_EQ(at.answer(client, false).status, 204);
    }
  }
  client.half_close();
  EXPECT_TRUE(at.ends(client));
  EXPECT_EQ(weir_request_respond(kept[0], 200), -EALREADY) << "whatever came after";
  EXPECT_EQ(gone.size(), 0u);
}

TEST_F(http_later, PeerThatIsGone)
{
  start();
  for (bool reset : {false, true}) {
    peer &client = ask(get("/later"));
    reset ? client.reset() : client.half_close();
    ASSERT_TRUE(at.until([&] { return gone.size() == 1; }));
    at.settle();
    EXPECT_EQ(gone, std::vector<weir_request *>{kept[0]}) << "once";
    EXPECT_EQ(weir_request_respond(kept[0], 200), -ESTALE);
    EXPECT_EQ(weir_request_begin(kept[0], 200, 1), -ESTALE);
    EXPECT_EQ(weir_request_write(kept[0], "x", 1), -ESTALE);
    EXPECT_EQ(weir_request_end(kept[0]), -ESTALE);
    EXPECT_EQ(weir_request_respond_header(kept[0], "X", "y"), -ESTALE);
    EXPECT_EQ(str(weir_request_path(kept[0])), "/later");
    let_go();
    gone.clear();
  }
}

/* The answer of a thread, and the end of the connection before it has come to the loop. */
TEST_F(http_later, PeerThatIsGoneMeanwhile)
{
  start();
  peer &client = ask(get("/later"));
  client.reset();
  EXPECT_EQ(elsewhere([&] { return weir_request_respond(kept[0], 200); }), 0);
  at.settle();
  EXPECT_EQ(gone.size(), 0u) << "it was answered";
}

TEST_F(http_later, TooLate)
{
  start();
  peer &client = ask(get("/later"));
  at.pass(59000);
  at.settle();
  EXPECT_EQ(client.input(), "");
  at.pass(1500);
  response answer = at.answer(client);
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(answer.field("Retry-After"), "5");
  EXPECT_TRUE(at.ends(client));
  EXPECT_EQ(gone, std::vector<weir_request *>{kept[0]});
  EXPECT_EQ(weir_request_respond(kept[0], 200), -ESTALE);
  client.half_close();
  at.settle();
  EXPECT_EQ(gone.size(), 1u);
}

TEST_F(http_later, TimeOfTheRoute)
{
  options.response_timeout_ms = 500;
  start();
  peer &client = at.connect();
  at.settle();
  at.pass(9000); /* the request's time is over soon, the answer's has not begun */
  client.send(get("/later"));
  ASSERT_TRUE(at.until([&] { return kept.size() == 1; }));
  at.pass(200);
  at.settle();
  EXPECT_EQ(client.input(), "");
  at.pass(800);
  EXPECT_EQ(at.answer(client).status, 503);
}

TEST_F(http_later, TimeThatIsOff)
{
  options.response_timeout_ms = WEIR_OFF;
  start();
  peer &client = ask(get("/later"));
  at.pass(24 * 3600 * 1000);
  at.settle();
  EXPECT_EQ(weir_request_respond(kept[0], 203), 0);
  EXPECT_EQ(at.answer(client).status, 203);
}

/* The deadline passes while the answer is on its way. */
TEST_F(http_later, AtTheLastMoment)
{
  start();
  for (bool afar : {false, true}) {
    peer &client = ask(get("/later"));
    at.settle();
    auto answer = [&] { return weir_request_respond(kept[0], 200); };
    at.advance(70000);
    EXPECT_EQ(afar ? elsewhere(answer) : answer(), 0);
    EXPECT_EQ(at.answer(client).status, 200);
    client.send(get("/now/3"));
    EXPECT_EQ(at.answer(client).body, "3");
    let_go();
  }
  EXPECT_EQ(gone.size(), 0u);
}

TEST_F(http_later, PromisedAndNotKept)
{
  later.request = [](weir_request *) { return static_cast<int>(WEIR_LATER); };
  start();
  peer &client = at.connect();
  client.send(get("/later"));
  EXPECT_EQ(at.answer(client).status, 500);
  EXPECT_TRUE(at.ends(client));
  EXPECT_EQ(gone.size(), 0u);
}

TEST_F(http_later, KeptAndAnsweredByItsHandler)
{
  later.request = [&](weir_request *r) {
    keep(r);
    EXPECT_EQ(weir_request_respond_header(kept.back(), "X-Set", "there"), 0);
    return 206;
  };
  start();
  peer &client = ask(get("/later") + get("/now/4"));
  response answer = at.answer(client);
  EXPECT_EQ(answer.status, 206);
  EXPECT_EQ(answer.field("X-Set"), "there");
  EXPECT_EQ(at.answer(client).body, "4");
  EXPECT_EQ(weir_request_respond(kept[0], 200), -EALREADY);
  EXPECT_EQ(gone.size(), 0u);
}

TEST_F(http_later, WhatItsHandlerKeptAndRefused)
{
  later.request = [&](weir_request *r) {
    keep(r);
    return -1;
  };
  start();
  peer &client = ask(get("/later"));
  EXPECT_EQ(at.answer(client).status, 500);
  EXPECT_EQ(weir_request_respond(kept[0], 200), -EALREADY);
  EXPECT_EQ(gone.size(), 0u);
}

TEST_F(http_later, LentRequestsAreNoneToAnswer)
{
  now.request = [](weir_request *r) {
    EXPECT_EQ(weir_request_respond(r, 200), -EINVAL);
    EXPECT_EQ(weir_request_begin(r, 200, 0), -EINVAL);
    EXPECT_EQ(weir_request_write(r, "x", 1), -EINVAL);
    EXPECT_EQ(weir_request_end(r), -EINVAL);
    EXPECT_EQ(weir_request_user(r), nullptr);
    EXPECT_EQ(weir_request_buffered(r), 0u);
    EXPECT_EQ(weir_request_loop(r), 0u);
    return 200;
  };
  start();
  peer &client = at.connect();
  client.send(get("/now/5"));
  EXPECT_EQ(at.answer(client).status, 200);
}

TEST_F(http_later, AsTheRequestWants)
{
  start();
  const struct {
    const char *request, *connection;
  } cases[] = {{"HEAD /later HTTP/1.1\r\nHost: x\r\n\r\n", ""},
               {"GET /later HTTP/1.0\r\n\r\n", "close"},
               {"GET /later HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "keep-alive"},
               {"GET http://x/later HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "close"}};
  for (const auto &[request, connection] : cases) {
    peer &client = ask(request);
    EXPECT_EQ(answer_with(kept[0], "body"), 0);
    response answer = at.answer(client, request[0] != 'H');
    EXPECT_EQ(answer.field("Content-Length"), "4");
    EXPECT_EQ(answer.field("Connection"), connection) << request;
    EXPECT_TRUE(std::string(connection) != "close" || at.ends(client));
    EXPECT_EQ(client.input(), "");
    let_go();
  }
}

/* ---- what a client sends ahead */

TEST_F(http_later, OthersBehindItWaitInOrder)
{
  start();
  peer &client = ask(get("/later") + get("/now/1") + get("/later") + get("/now/2"));
  at.settle();
  EXPECT_EQ(client.input(), "");
  EXPECT_EQ(kept.size(), 1u);
  EXPECT_EQ(answer_with(kept[0], "first"), 0);
  EXPECT_EQ(at.answer(client).body, "first");
  EXPECT_EQ(at.answer(client).body, "1");
  ASSERT_TRUE(at.until([&] { return kept.size() == 2; }));
  client.send(get("/now/3"));
  at.settle();
  EXPECT_EQ(client.input(), "");
  EXPECT_EQ(elsewhere([&] { return answer_with(kept[1], "second"); }), 0);
  EXPECT_EQ(at.answer(client).body, "second");
  EXPECT_EQ(at.answer(client).body, "2");
  EXPECT_EQ(at.answer(client).body, "3");
}

TEST_F(http_later, FarAheadIsNotRead)
{
  start();
  std::string ahead;
  size_t count = 0;
  while (ahead.size() < 2 << 20)
    ahead += get("/now/" + std::to_string(count++), "X: " + std::string(200, 'x') + "\r\n");
  peer &client = ask(get("/later"));
  client.send(ahead);
  at.settle();
  uint64_t most = (64 << 10) + (128 << 10) + 100; /* what is kept, and the read that went past */
  EXPECT_LE(at.counters().bytes_received, most);
  at.settle();
  EXPECT_LE(at.counters().bytes_received, most);
  EXPECT_EQ(answer_with(kept[0], "go"), 0);
  EXPECT_EQ(at.answer(client).body, "go");
  for (size_t i = 0; i < count; i++)
    ASSERT_EQ(at.answer(client).body, std::to_string(i));
}

/* Each answer gives way to the next request only, however often. */
TEST_F(http_later, FarAheadStaysBounded)
{
  start();
  std::string ahead;
  const size_t count = 4000;
  for (size_t i = 0; i < count; i++)
    ahead += get("/later", "X: " + std::string(700, 'x') + "\r\n");
  peer &client = ask(ahead);
  at.settle();
  uint64_t most = 0, before = at.counters().memory_bytes;
  for (size_t i = 0; i < count; i++) {
    ASSERT_TRUE(at.until([&] { return !kept.empty(); }));
    ASSERT_EQ(answer_with(kept[0], std::to_string(i)), 0);
    let_go();
    ASSERT_EQ(at.answer(client).body, std::to_string(i));
    most = std::max(most, at.counters().memory_bytes);
  }
  EXPECT_LT(most, before + (512 << 10));
}

/* A peer that goes is seen while its request waits, what it sent ahead notwithstanding. */
TEST_F(http_later, GoneBehindWhatItSentAhead)
{
  start();
  peer &client = ask(get("/later") + get("/now/1"));
  client.half_close();
  EXPECT_TRUE(at.until([&] { return gone.size() == 1; }));
}

/* A connection whose output waits for its turn takes up the answer nevertheless. */
TEST_F(http_later, WhileAnotherResponseIsLeaving)
{
  std::string large(3 << 20, 'l');
  now.request = [&](weir_request *r) {
    return weir_request_respond_body(r, "text/plain", large.data(), large.size());
  };
  start();
  peer &client = at.connect(4096);
  client.stall(true);
  client.send(get("/now/0") + get("/later"));
  at.settle();
  EXPECT_EQ(kept.size(), 0u) << "too much is unsent to serve it yet";
  client.stall(false);
  ASSERT_TRUE(at.until([&] { return kept.size() == 1; }));
  EXPECT_EQ(answer_with(kept[0], "behind"), 0);
  EXPECT_EQ(at.answer(client).body, large);
  EXPECT_EQ(at.answer(client).body, "behind");
}

/* ---- the server's end */

TEST_F(http_later, ServerThatStops)
{
  start();
  ask(get("/later"));
  weir_server_stop(at.server());
  ASSERT_TRUE(at.until([&] { return gone.size() == 1; }));
  EXPECT_EQ(weir_request_respond(kept[0], 200), -ESTALE);
  at.end_server();
  EXPECT_EQ(gone.size(), 1u);
}

TEST_F(http_later, OutlivesItsServer)
{
  start();
  ask(get("/later/r%C3%A9?q=1") + get("/now/1"));
  at.end_server();
  EXPECT_EQ(gone, std::vector<weir_request *>{kept[0]});
  weir_request *r = kept[0];
  int result = elsewhere([&] {
    EXPECT_EQ(str(weir_request_parameter(r, "room")), "r\xC3\xA9");
    EXPECT_EQ(str(weir_request_query(r, "q")), "1");
    EXPECT_EQ(weir_request_loop(r), 0u);
    EXPECT_EQ(weir_request_begin(r, 200, 1), -ESTALE);
    EXPECT_EQ(weir_request_accept(r), -ESTALE);
    weir_tls_info info;
    EXPECT_EQ(weir_request_tls(r, &info), -ENOTCONN);
    weir_request_unref(weir_request_ref(r));
    return weir_request_respond(r, 200);
  });
  EXPECT_EQ(result, -ESTALE);
}

TEST_F(http_later, AnsweredAsTheServerEnds)
{
  start();
  ask(get("/later"));
  EXPECT_EQ(elsewhere([&] { return weir_request_respond(kept[0], 200); }), 0);
  at.end_server();
  EXPECT_EQ(gone.size(), 0u);
}

} // namespace
