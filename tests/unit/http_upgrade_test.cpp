// Opening handshakes that are decided after their hook has returned, by the loop or by another
// thread: in time, too late, and never; and the frames that a client sends ahead of that.
#include "http_later_fixture.hpp"

using namespace http_later_test;

namespace
{

class http_upgrade : public http_later
{
protected:
  int inits = 0, finis = 0, opens = 0, closes = 0;
  std::string heard, protocol;

  http_upgrade()
  {
    at.user_bytes = 16;
    at.on.user_init = [this](void *) { return inits++, 0; };
    at.on.user_fini = [this](void *) { finis++; };
    at.on.upgrade = [this](weir_request *r, void *) { return keep(r); };
    at.on.open = [this](weir_conn *c) {
      opens++;
      protocol = str(weir_conn_protocol(c));
    };
    at.on.message = [this](weir_conn *c, const weir_message *m) {
      heard.append(static_cast<const char *>(m->data), m->len);
      weir_conn_send_message(c, m);
    };
    at.on.close = [this](weir_conn *, int, std::string_view) { closes++; };
  }
  ~http_upgrade() override
  {
    at.end_server();
  }
  /* All that a handshake had is given back, once. */
  void expect_over(int opened)
  {
    EXPECT_TRUE(at.until([&] { return finis == inits; }));
    at.settle();
    EXPECT_EQ(finis, inits);
    EXPECT_EQ(opens, opened);
    EXPECT_EQ(closes, opened);
    EXPECT_EQ(gone.size(), 0u) << "it is the plain routes'";
  }
};

TEST_F(http_upgrade, Accepted)
{
  start();
  for (bool afar : {false, true}) {
    peer &client = ask(upgrade_request("/?q=1", "Sec-WebSocket-Protocol: a, b\r\n"));
    weir_request *r = kept[0];
    EXPECT_EQ(weir_request_respond(r, 200), -EINVAL);
    EXPECT_EQ(weir_request_begin(r, 200, 0), -EINVAL);
    auto accept = [&] {
      EXPECT_EQ(weir_request_select_protocol(r, "c"), -ENOENT);
      EXPECT_EQ(weir_request_select_protocol(r, "b"), 0);
      EXPECT_EQ(weir_request_respond_header(r, "X-Who", "me"), 0);
      return weir_request_accept(r);
    };
    EXPECT_EQ(afar ? elsewhere(accept) : accept(), 0);
    EXPECT_EQ(weir_request_accept(r), -EALREADY);
    EXPECT_EQ(weir_request_select_protocol(r, "a"), -EALREADY);
    let_go();
    response answer = at.answer(client, false);
    EXPECT_EQ(answer.status, 101);
    EXPECT_EQ(answer.field("Sec-WebSocket-Protocol"), "b");
    EXPECT_EQ(answer.field("X-Who"), "me");
    EXPECT_EQ(protocol, "b");
    client.say("hello");
    EXPECT_EQ(at.next(client).payload, "hello");
    client.reset();
  }
  expect_over(2);
}

TEST_F(http_upgrade, ByAnotherMethodThanGet)
{
  start();
  peer &client = at.connect();
  client.send("POST" + upgrade_request().substr(3));
  response answer = at.answer(client);
  EXPECT_EQ(answer.status, 405);
  EXPECT_EQ(answer.field("Allow"), "GET");
}

TEST_F(http_upgrade, ProtocolOfTheRoute)
{
  const char *const known[] = {"chat", nullptr};
  at.options.protocols = known;
  start();
  peer &client = ask(upgrade_request("/", "Sec-WebSocket-Protocol: x, chat\r\n"));
  EXPECT_EQ(elsewhere([&] { return weir_request_accept(kept[0]); }), 0);
  EXPECT_EQ(at.answer(client, false).field("Sec-WebSocket-Protocol"), "chat");
  EXPECT_EQ(protocol, "chat");
}

TEST_F(http_upgrade, Refused)
{
  start();
  for (bool afar : {false, true}) {
    peer &client = ask(upgrade_request() + masked(fin | text, "early"));
    weir_request *r = kept[0];
    auto refuse = [&] {
      EXPECT_EQ(weir_request_respond_header(r, "X-Why", "full"), 0);
      EXPECT_EQ(weir_request_respond_body(r, "text/plain", "no room", 7), 0);
      return weir_request_respond(r, 403);
    };
    EXPECT_EQ(afar ? elsewhere(refuse) : refuse(), 0);
    let_go();
    response answer = at.answer(client);
    EXPECT_EQ(answer.status, 403);
    EXPECT_EQ(answer.field("X-Why"), "full");
    EXPECT_EQ(answer.body, "no room");
    EXPECT_TRUE(at.ends(client));
    EXPECT_FALSE(client.was_reset());
    client.half_close();
  }
  expect_over(0);
  EXPECT_EQ(heard, "") << "frames sent early are dropped";
  EXPECT_EQ(at.counters().refused, 2u);
}

TEST_F(http_upgrade, FramesSentEarlyAreHandledThen)
{
  start();
  peer &client = ask(upgrade_request() + masked(fin | text, "one,"));
  std::string large(100000, 'l');
  client.say("two,");
  client.say(large);
  at.settle();
  client.say("three,");
  std::string split = masked(fin | text, "four");
  client.send(split.substr(0, 5));
  at.settle();
  EXPECT_EQ(opens, 0);
  EXPECT_EQ(heard, "");
  EXPECT_EQ(elsewhere([&] { return weir_request_accept(kept[0]); }), 0);
  client.send(split.substr(5));
  EXPECT_EQ(at.answer(client, false).status, 101);
  for (const std::string &payload : {std::string("one,"), std::string("two,"), large,
                                     std::string("three,"), std::string("four")})
    EXPECT_EQ(at.next(client).payload, payload);
  EXPECT_EQ(heard, "one,two," + large + "three,four");
}

TEST_F(http_upgrade, ManyFramesAndAPauseAtOpening)
{
  at.on.open = [](weir_conn *c) { weir_conn_pause(c); };
  start();
  std::string frames, all;
  for (int i = 0; i < 20000; i++) {
    frames += masked(fin | binary, std::string(1, static_cast<char>(i)));
    all += static_cast<char>(i);
  }
  peer &client = ask(upgrade_request() + frames);
  EXPECT_EQ(weir_request_accept(kept[0]), 0);
  EXPECT_EQ(at.answer(client, false).status, 101);
  at.settle();
  EXPECT_EQ(heard, "");
  weir_conn_resume(at.last());
  EXPECT_TRUE(at.until([&] { return heard.size() == all.size(); }));
  EXPECT_EQ(heard, all);
}

TEST_F(http_upgrade, NotDecidedInTime)
{
  start();
  peer &client = ask(upgrade_request());
  at.pass(9500);
  at.settle();
  EXPECT_EQ(client.input(), "");
  at.pass(1000);
  EXPECT_EQ(at.answer(client).status, 503);
  EXPECT_TRUE(at.ends(client));
  EXPECT_EQ(weir_request_accept(kept[0]), -ESTALE);
  client.half_close();
  expect_over(0);
}

/* A decision may take longer than a ping may. */
TEST_F(http_upgrade, DecidedLateAndAlive)
{
  at.options.ping_interval_ms = 1000;
  at.options.pong_timeout_ms = 1000;
  start();
  peer &client = ask(upgrade_request());
  at.pass(9000);
  EXPECT_EQ(weir_request_accept(kept[0]), 0);
  EXPECT_EQ(at.answer(client, false).status, 101);
  at.pass(500);
  at.settle();
  EXPECT_EQ(client.input(), "") << "not even a ping is due";
  at.pass(800);
  EXPECT_EQ(at.next(client).opcode(), ping);
  EXPECT_EQ(closes, 0);
}

TEST_F(http_upgrade, PeerThatIsGone)
{
  start();
  for (bool reset : {false, true}) {
    peer &client = ask(upgrade_request() + masked(fin | text, "early"));
    reset ? client.reset() : client.half_close();
    expect_over(0);
    EXPECT_EQ(weir_request_accept(kept[0]), -ESTALE);
    EXPECT_EQ(weir_request_respond(kept[0], 400), -ESTALE);
    let_go();
  }
  EXPECT_EQ(heard, "");
}

TEST_F(http_upgrade, BeforeItsHookReturned)
{
  int verdict = WEIR_LATER;
  at.on.upgrade = [&](weir_request *r, void *) {
    keep(r);
    EXPECT_EQ(elsewhere([&] { return weir_request_accept(kept.back()); }), 0);
    return verdict;
  };
  start();
  for (int v : {static_cast<int>(WEIR_LATER), -403, 0}) {
    verdict = v;
    peer &client = at.connect();
    client.send(upgrade_request() + masked(fin | text, "early"));
    EXPECT_EQ(at.answer(client, false).status, 101) << "who decides first has decided; " << v;
    EXPECT_EQ(at.next(client).payload, "early");
    client.reset();
  }
  expect_over(3);
}

TEST_F(http_upgrade, KeptAndDecidedByItsHook)
{
  int verdict = 0;
  at.on.upgrade = [&](weir_request *r, void *) {
    keep(r);
    EXPECT_EQ(weir_request_select_protocol(kept.back(), "b"), 0);
    return verdict;
  };
  start();
  for (int v : {0, -418, 7}) {
    verdict = v;
    peer &client = at.connect();
    client.send(upgrade_request("/", "Sec-WebSocket-Protocol: a, b\r\n"));
    response answer = at.answer(client, false);
    EXPECT_EQ(answer.status, v == 0 ? 101 : v == 7 ? 500 : 418);
    EXPECT_EQ(weir_request_accept(kept.back()), -EALREADY);
    client.reset();
  }
  EXPECT_EQ(protocol, "b");
  expect_over(1);
}

TEST_F(http_upgrade, PromisedAndNotKept)
{
  at.on.upgrade = [](weir_request *, void *) { return static_cast<int>(WEIR_LATER); };
  start();
  peer &client = at.connect();
  client.send(upgrade_request());
  EXPECT_EQ(at.answer(client).status, 500);
  client.half_close();
  expect_over(0);
}

/* The 101 comes behind the responses to what was asked before. */
TEST_F(http_upgrade, BehindRequestsThatWait)
{
  start();
  peer &client =
      ask(get("/later") + get("/now/1") + upgrade_request() + masked(fin | text, "early"));
  at.settle();
  EXPECT_EQ(kept.size(), 1u);
  EXPECT_EQ(elsewhere([&] { return answer_with(kept[0], "first"); }), 0);
  EXPECT_EQ(at.answer(client).body, "first");
  EXPECT_EQ(at.answer(client).body, "1");
  ASSERT_TRUE(at.until([&] { return kept.size() == 2; }));
  at.settle();
  EXPECT_EQ(client.input(), "");
  EXPECT_EQ(elsewhere([&] { return weir_request_accept(kept[1]); }), 0);
  EXPECT_EQ(at.answer(client, false).status, 101);
  EXPECT_EQ(at.next(client).payload, "early");
  client.reset();
  expect_over(1);
}

TEST_F(http_upgrade, AcceptedAtOnceBehindARequestThatWaits)
{
  at.on.upgrade = {};
  start();
  std::string many;
  for (int i = 0; i < 5000; i++)
    many += masked(fin | text, "m");
  peer &client = ask(get("/later") + upgrade_request() + many);
  EXPECT_EQ(answer_with(kept[0], "first"), 0);
  EXPECT_EQ(at.answer(client).body, "first");
  EXPECT_EQ(at.answer(client, false).status, 101);
  EXPECT_TRUE(at.until([&] { return heard.size() == 5000; }));
}

TEST_F(http_upgrade, ServerThatEnds)
{
  for (bool answered : {false, true}) {
    SCOPED_TRACE(answered);
    if (!answered)
      start();
    ask(upgrade_request(), answered ? 2 : 1);
    if (answered) {
      EXPECT_EQ(elsewhere([&] { return weir_request_accept(kept[1]); }), 0);
      at.end_server();
    }
  }
  EXPECT_EQ(inits, 2);
  EXPECT_EQ(finis, 2);
  EXPECT_EQ(opens, 0);
  EXPECT_EQ(weir_request_accept(kept[0]), -ESTALE);
  EXPECT_EQ(weir_request_accept(kept[1]), -EALREADY);
}

} // namespace
