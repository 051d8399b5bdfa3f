// Connections under TLS: what they do that plain ones do not, and that all else is as it is there.
#include "io/tls_stream.h"
#include "support/stage.hpp"
#include "ws/conn.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <sys/socket.h>

using namespace support;

namespace
{

weir_options logging(std::vector<std::string> *to)
{
  weir_options options{};
  options.log = [](weir_log_level level, const char *text, void *arg) {
    EXPECT_EQ(level, WEIR_LOG_INFO);
    static_cast<std::vector<std::string> *>(arg)->emplace_back(text);
  };
  options.log_arg = to;
  return options;
}

class tls_conn : public testing::Test
{
protected:
  std::vector<std::string> log, messages, errors;
  std::vector<int> endings, codes;
  bool echo = true;
  stage at{logging(&log)};

  tls_conn()
  {
    at.on.message = [this](weir_conn *c, const weir_message *m) {
      messages.emplace_back(static_cast<const char *>(m->data), m->len);
      if (echo) {
        EXPECT_EQ(weir_conn_send_message(c, m), 0);
      }
    };
    at.on.error = [this](weir_conn *, int error, std::string_view what) {
      codes.push_back(error);
      errors.emplace_back(what);
    };
    at.on.close = [this](weir_conn *, int code, std::string_view) { endings.push_back(code); };
    at.secure();
  }
  weir_conn *c() const
  {
    return at.last();
  }
  bool closed(size_t count = 1)
  {
    return at.until([&] { return endings.size() == count; });
  }
  void fails(peer &client, const std::string &sentence)
  {
    EXPECT_TRUE(at.ends(client));
    EXPECT_FALSE(client.was_reset());
    EXPECT_EQ(log, std::vector<std::string>{"TLS failed: " + sentence});
    EXPECT_EQ(at.counters().tls_failed, 1u);
  }
};

class tls_version : public tls_conn, public testing::WithParamInterface<int>
{
protected:
  tls_version()
  {
    at.client.min_version = at.client.max_version = GetParam();
  }
};

TEST_P(tls_version, EchoesAndCloses)
{
  at.start();
  peer &client = at.open();
  for (size_t len : {0, 1, 125, 16 << 10, 100000, 1 << 20}) {
    std::string text(len, 'x');
    client.say(text);
    EXPECT_EQ(at.next(client).payload, text);
  }
  client.say(close_payload(1000), fin | closing);
  EXPECT_EQ(at.next(client).code(), 1000);
  EXPECT_TRUE(at.ends(client));
  EXPECT_FALSE(client.was_reset());
  EXPECT_TRUE(client.tls()->closed());
  EXPECT_FALSE(client.tls()->failed());
  EXPECT_EQ(endings, std::vector<int>{1000});
  EXPECT_EQ(at.counters().tls_handshakes, 1u);
  EXPECT_EQ(at.counters().tls_failed, 0u);
  EXPECT_EQ(log.size(), 0u);
}

TEST_P(tls_version, KnowsWhatWasAgreed)
{
  weir_tls_info asked{};
  at.client.alpn = {"http/1.1"};
  at.on.upgrade = [&](weir_request *r, void *) { return weir_request_tls(r, &asked); };
  at.start();
  at.open();
  weir_tls_info info{};
  ASSERT_EQ(weir_conn_tls(c(), &info), 0);
  EXPECT_STREQ(info.version, GetParam() == TLS1_2_VERSION ? "TLSv1.2" : "TLSv1.3");
  EXPECT_STREQ(asked.version, info.version);
  EXPECT_EQ(std::string(info.server_name.data, info.server_name.len), "localhost");
  EXPECT_EQ(std::string(info.alpn.data, info.alpn.len), "http/1.1");
  EXPECT_FALSE(info.resumed);
  EXPECT_EQ(info.peer_subject, nullptr);
  EXPECT_EQ(weir_conn_tls(c(), nullptr), -EINVAL);
}

TEST_P(tls_version, ResumesSessions)
{
  bool resumed = false;
  at.on.open = [&](weir_conn *conn) {
    weir_tls_info info{};
    EXPECT_EQ(weir_conn_tls(conn, &info), 0);
    resumed = info.resumed;
  };
  at.start();
  peer &first = at.open();
  EXPECT_FALSE(resumed);
  ASSERT_NE(first.tls()->session(), nullptr);
  at.client.session = first.tls()->session();
  at.open();
  EXPECT_TRUE(resumed);
}

INSTANTIATE_TEST_SUITE_P(tls, tls_version, testing::Values(TLS1_2_VERSION, TLS1_3_VERSION),
                         [](const auto &info) {
                           return info.param == TLS1_2_VERSION ? "v12" : "v13";
                         });

TEST(plain_conn, HasNoTlsToTellOf)
{
  stage at;
  int asked = 0;
  at.on.upgrade = [&](weir_request *r, void *) {
    weir_tls_info info{};
    asked = weir_request_tls(r, &info);
    return 0;
  };
  at.start();
  at.open();
  weir_tls_info info{};
  EXPECT_EQ(asked, -ENOTCONN);
  EXPECT_EQ(weir_conn_tls(at.last(), &info), -ENOTCONN);
}

TEST_F(tls_conn, ListensAsPlainServersDo)
{
  weir_server *server;
  weir_tls *tls;
  weir_tls_options with{};
  with.size = sizeof with;
  with.identity = {at.certificates().certificate.c_str(), at.certificates().key.c_str()};
  ASSERT_EQ(weir_tls_new(&tls, &with, nullptr), 0);
  ASSERT_EQ(weir_server_new(&server, nullptr), 0);
  EXPECT_EQ(weir_server_listen_tls(server, nullptr, "127.0.0.1", 0), -EINVAL);
  EXPECT_EQ(weir_server_listen_tls(server, tls, "not an address", 0), -ENOENT);
  EXPECT_EQ(weir_server_listen_tls(server, tls, "127.0.0.1", 0), 0);
  EXPECT_EQ(weir_server_listen_tls(server, tls, "127.0.0.1", weir_server_port(server)),
            -EADDRINUSE);
  EXPECT_GT(weir_server_port(server), 0);
  weir_tls_free(tls); /* the server has its own reference */
  weir_server_free(server);
}

/* Row 22. */
TEST_F(tls_conn, AnswersPlainHttpInPlainWords)
{
  at.start();
  for (std::string request : {"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "HEAD / HTTP/1.1\r\n"}) {
    log.clear();
    peer client(at.port());
    client.send(request + std::string(100000, 'x'));
    response answer;
    EXPECT_TRUE(at.until([&] {
      client.pump();
      return client.ended();
    }));
    EXPECT_FALSE(client.was_reset());
    std::optional<response> got = client.take_response();
    ASSERT_TRUE(got.has_value());
    EXPECT_EQ(got->status, 400);
    EXPECT_EQ(got->field("Connection"), "close");
    EXPECT_EQ(got->body.back(), '\n');
    EXPECT_EQ(client.input(), "") << "and nothing more";
    EXPECT_EQ(log,
              std::vector<std::string>{"TLS failed: the client speaks plain HTTP on a TLS port"});
  }
  EXPECT_EQ(at.counters().tls_failed, 2u);
}

TEST_F(tls_conn, SaysWhyAHandshakeFailed)
{
  at.client.max_version = TLS1_2_VERSION;
  at.client.ciphers = "ECDHE-RSA-AES128-GCM-SHA256";
  at.start();
  peer &client = at.connect();
  client.send("");
  fails(client, "no cipher in common");
  EXPECT_EQ(client.tls()->error(), "sslv3 alert handshake failure");
  EXPECT_EQ(at.counters().tls_handshakes, 0u);
}

/* Closing with unread input would reset the connection before the peer has read the alert. */
TEST_F(tls_conn, LingersAfterAFailure)
{
  at.start();
  peer &client = at.connect();
  client.send_raw("no TLS at all");
  for (int i = 0; i < 100; i++)
    client.send_raw(std::string(10000, 'x'));
  at.settle();
  EXPECT_FALSE(client.was_reset());
  fails(client, "the client speaks no TLS");
}

TEST_F(tls_conn, FailsARecordThatWasChanged)
{
  at.start();
  peer &client = at.open();
  client.say("good");
  at.settle();
  ASSERT_TRUE(client.tls()->write(masked(fin | text, "bad")));
  std::string record = client.tls()->take_output();
  record.back() ^= 1;
  client.send_raw(record);
  EXPECT_TRUE(closed());
  EXPECT_EQ(endings, std::vector<int>{1006});
  EXPECT_EQ(messages, std::vector<std::string>{"good"});
  EXPECT_EQ(errors, std::vector<std::string>{"a record was changed on its way"});
  EXPECT_EQ(codes, std::vector<int>{-EPROTO});
  fails(client, "a record was changed on its way");
  EXPECT_EQ(client.tls()->error(), "sslv3 alert bad record mac");
}

TEST_F(tls_conn, CutWithoutNotice)
{
  at.start();
  peer &client = at.open();
  client.half_close();
  EXPECT_TRUE(closed());
  EXPECT_EQ(endings, std::vector<int>{1006});
  EXPECT_EQ(errors.size(), 0u) << "who goes is no error";
  EXPECT_TRUE(at.ends(client));
  EXPECT_TRUE(client.tls()->closed()) << "we say that we end";
}

TEST_F(tls_conn, NoticeWithoutACloseFrame)
{
  at.start();
  peer &client = at.open();
  client.say("the last");
  client.send("");
  client.tls()->shutdown();
  client.send("");
  EXPECT_TRUE(closed());
  EXPECT_EQ(messages, std::vector<std::string>{"the last"});
  EXPECT_EQ(endings, std::vector<int>{1006});
  EXPECT_EQ(at.next(client).payload, "the last") << "its answer still leaves";
  EXPECT_TRUE(at.ends(client));
  EXPECT_TRUE(client.tls()->closed());
}

/* Row 22: the deadline counts from accept, whatever drips in. */
TEST_F(tls_conn, DrippedClientHello)
{
  at.start();
  tls_peer hidden(at.client);
  hidden.handshake();
  std::string hello = hidden.take_output();
  peer client(at.port());
  size_t sent = 0;
  for (; sent < hello.size() && !client.ended(); sent++) {
    client.send(hello.substr(sent, 1));
    at.settle();
    at.pass(1000);
    client.pump();
  }
  EXPECT_GE(sent, 10u);
  EXPECT_LE(sent, 12u);
  EXPECT_EQ(client.input(), "");
}

TEST_F(tls_conn, SaysNothing)
{
  at.start();
  peer &client = at.connect();
  at.settle();
  at.pass(11000);
  EXPECT_TRUE(at.ends(client));
}

TEST_F(tls_conn, ServesHttp)
{
  hooks unused;
  ASSERT_EQ(weir_server_get(
                at.server(), "/page",
                [](weir_request *r, void *) {
                  return weir_request_respond_body(r, "text/plain", "a page", 6);
                },
                nullptr),
            0);
  at.start();
  peer &client = at.connect();
  for (int i = 0; i < 2; i++) {
    client.send("GET /page HTTP/1.1\r\nHost: localhost\r\n\r\n");
    EXPECT_EQ(at.answer(client).body, "a page");
  }
  client.send("GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_EQ(at.answer(client).status, 404);
  EXPECT_TRUE(at.ends(client));
  EXPECT_FALSE(client.was_reset());
  EXPECT_TRUE(client.tls()->closed());
}

TEST_F(tls_conn, ReachedByBroadcastsAndIds)
{
  at.start();
  peer &client = at.open();
  held_frame all("to all"), one("to one"), some("to some");
  EXPECT_EQ(weir_conn_subscribe(c(), "topic", 5), 0);
  EXPECT_EQ(weir_server_broadcast(at.server(), all, 0), 0);
  EXPECT_EQ(weir_server_send(at.server(), weir_conn_id_of(c()), one), 0);
  EXPECT_EQ(weir_server_publish(at.server(), "topic", 5, some, 0), 0);
  for (const char *text : {"to all", "to one", "to some"})
    EXPECT_EQ(at.next(client).payload, text);
  EXPECT_EQ(weir_conn_find(at.server(), at.loop(), weir_conn_id_of(c())), c());
}

TEST_F(tls_conn, Stops)
{
  at.start();
  peer &client = at.open();
  peer &shaking = at.connect();
  shaking.send_raw("\x16\x03\x01");
  at.settle();
  weir_server_stop(at.server());
  EXPECT_TRUE(closed());
  EXPECT_EQ(endings, std::vector<int>{1001});
  EXPECT_EQ(at.next(client).code(), 1001);
  EXPECT_TRUE(at.ends(client));
  EXPECT_TRUE(client.tls()->closed());
  EXPECT_TRUE(at.ends(shaking));
}

TEST_F(tls_conn, FreedAsItIs)
{
  at.start();
  peer &client = at.open(), &stuck = at.open("/", {}, 4096);
  stuck.stall(true);
  ASSERT_EQ(weir_conn_send(c(), WEIR_BINARY, std::string(1 << 20, 'x').data(), 1 << 20), 0);
  at.connect().send_raw("\x16\x03\x01");
  at.settle();
  at.end_server();
  EXPECT_EQ(endings, (std::vector<int>{1006, 1006}));
  EXPECT_TRUE(client.await([&] { return client.ended(); }));
}

TEST_F(tls_conn, PausesAndResumes)
{
  echo = false;
  at.on.open = [](weir_conn *conn) { weir_conn_pause(conn); };
  at.start();
  peer &client = at.open();
  for (int i = 0; i < 100; i++)
    client.say(std::string(10000, 'x'));
  at.settle();
  EXPECT_EQ(messages.size(), 0u);
  weir_conn_resume(c());
  EXPECT_TRUE(at.until([&] { return messages.size() == 100; }));
}

/* The whole way: what TCP does not take is held, counted, and drained. */
TEST_F(tls_conn, ReceiverThatStalls)
{
  int drained = 0;
  at.on.drain = [&](weir_conn *) { drained++; };
  at.options.max_queued_bytes = 16 << 20;
  at.start();
  peer &client = at.open("/", {}, 4096);
  client.stall(true);
  std::vector<std::string> sent;
  for (size_t len : {100, 20000, 300000, 50, 4000000, 70000, 1}) {
    sent.emplace_back(len, static_cast<char>('a' + sent.size()));
    ASSERT_EQ(weir_conn_send(c(), WEIR_BINARY, sent.back().data(), len), 0);
    at.settle();
  }
  EXPECT_GT(weir_conn_buffered(c()).bytes, 3000000u);
  EXPECT_EQ(drained, 0);
  client.stall(false);
  for (const std::string &text : sent)
    EXPECT_TRUE(at.next(client).payload == text);
  EXPECT_TRUE(at.until([&] { return drained == 1; }));
  EXPECT_EQ(weir_conn_buffered(c()).bytes, 0u);
}

/* A frame is shared by all its receivers, and of ciphertext each has the one record that TCP did
 * not take. */
TEST_F(tls_conn, ManyReceiversThatStall)
{
  constexpr int count = 100;
  std::vector<weir_conn *> conns;
  at.on.open = [&](weir_conn *conn) { conns.push_back(conn); };
  at.options.max_queued_bytes = 16 << 20;
  at.start();
  for (int i = 0; i < count; i++)
    at.open("/", {}, 4096).stall(true);
  uint64_t before = at.counters().memory_bytes;
  held_frame large(std::string(8 << 20, 'x'), WEIR_BINARY);
  ASSERT_EQ(weir_server_broadcast(at.server(), large, 0), 0);
  at.settle();
  size_t waits = 0;
  for (weir_conn *conn : conns) {
    const weir__tls *tls = weir__tls_of(&conn->stream);
    EXPECT_GT(weir_conn_buffered(conn).bytes, 4u << 20);
    EXPECT_LE(tls->held, size_t{WEIR__TLS_RECORD} + WEIR__TLS_TAIL);
    EXPECT_LE(tls->out_end - tls->out_at, size_t{WEIR__TLS_RECORD} + WEIR__TLS_TAIL + 100);
    waits += tls->out != nullptr;
  }
  EXPECT_GT(waits, size_t{count} / 2) << "or this shows nothing";
  EXPECT_LE(at.counters().memory_bytes - before, size_t{count} * (32 << 10) + (1 << 20));
}

/* The record in flight covers messages that no send has reported: they stay, the others go. */
TEST_F(tls_conn, QueueThatIsFullIsCutBehindWhatIsOnItsWay)
{
  at.options.max_queued_bytes = 100000;
  at.start();
  peer &client = at.open("/", {}, 4096);
  client.stall(true);
  std::vector<std::string> sent;
  int error = 0;
  while (error == 0) {
    sent.emplace_back(1000 + sent.size(), static_cast<char>('a' + sent.size() % 26));
    error = weir_conn_send(c(), WEIR_BINARY, sent.back().data(), sent.back().size());
    at.settle();
  }
  EXPECT_EQ(error, -ENOBUFS);
  EXPECT_EQ(endings, std::vector<int>{1008});
  EXPECT_EQ(codes, std::vector<int>{-ENOBUFS});
  client.stall(false);
  size_t whole = 0;
  frame got;
  while ((got = at.next(client)).opcode() == binary) {
    ASSERT_LT(whole, sent.size());
    EXPECT_EQ(got.payload, sent[whole]);
    whole++;
  }
  EXPECT_EQ(got.opcode(), closing);
  EXPECT_EQ(got.code(), 1008);
  EXPECT_LT(whole + 20, sent.size()) << "what was not on its way is gone";
  EXPECT_TRUE(at.ends(client));
  EXPECT_FALSE(client.was_reset());
  EXPECT_TRUE(client.tls()->closed());
}

/* Row 64: a signal would kill this process. */
TEST_F(tls_conn, TwoLargeSendsToAPeerThatIsGone)
{
  at.start();
  peer &client = at.open("/", {}, 4096);
  client.stall(true);
  std::string large(1 << 20, 'x');
  weir_conn *gone = c();
  at.settle();
  client.reset();
  EXPECT_EQ(weir_conn_send(gone, WEIR_BINARY, large.data(), large.size()), -EPIPE);
  weir_conn_send(gone, WEIR_BINARY, large.data(), large.size());
  EXPECT_TRUE(closed());
  EXPECT_EQ(endings, std::vector<int>{1006});
}

TEST_F(tls_conn, ManyHandshakesAtOnce)
{
  at.start();
  std::vector<peer *> clients;
  for (int i = 0; i < 50; i++) {
    clients.push_back(&at.connect());
    clients.back()->send(upgrade_request());
  }
  for (peer *each : clients)
    EXPECT_EQ(at.answer(*each, false).status, 101);
  EXPECT_EQ(at.counters().tls_handshakes, 50u);
}

} // namespace
