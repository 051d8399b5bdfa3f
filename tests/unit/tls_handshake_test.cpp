// Handshakes that fail, what is said of it, and how many have their turn at a time.
#include "tls_stream_fixture.hpp"

namespace
{

TEST_F(tls_stream, gives_what_came_before_a_failure_first)
{
  begin();
  carry();
  client->write("good");
  kernel.in = client->take_output();
  client->write("bad");
  std::string bad = client->take_output();
  bad.back() ^= 1;
  kernel.in += bad + "raw";
  receive(server);
  EXPECT_EQ(heard, "good");
  EXPECT_EQ(last, -EPROTO);
  EXPECT_EQ(reason(), "a record was changed on its way");
  client->got(kernel.out);
  client->read();
  EXPECT_EQ(client->error(), "sslv3 alert bad record mac");
  heard.clear();
  kernel.in = "thrown away";
  receive(server);
  EXPECT_EQ(heard, "thrown away") << "raw bytes, for who throws them away";
  EXPECT_EQ(give("x"), -EPROTO);
  kernel.out.clear();
  EXPECT_EQ(server.s.ops->shutdown(&server.s, &fake.sys), 0);
  EXPECT_EQ(kernel.out, "") << "no word more under keys that failed";
  EXPECT_TRUE(kernel.out_ended);
}

TEST_F(tls_stream, knows_plain_http)
{
  begin();
  for (char c : std::string("GET / HTTP/1.1\r\n\r\n").substr(0, 5)) {
    EXPECT_EQ(last, c == 'G' ? 0 : -EAGAIN);
    kernel.in = c;
    loop->turn++;
    receive(server);
  }
  EXPECT_EQ(last, -EPROTO);
  EXPECT_TRUE(weir__tls_met_http(&server.s));
  EXPECT_EQ(reason(), "the client speaks plain HTTP on a TLS port");
  EXPECT_EQ(kernel.out, "") << "no alert for who could not read it";
  weir__tls_send_raw(&server.s, &fake.sys, "HTTP", 4);
  EXPECT_EQ(kernel.out, "HTTP");
}

TEST_F(tls_stream, knows_that_it_is_no_tls)
{
  begin();
  kernel.in = "SSH-2.0-client\r\n";
  EXPECT_EQ(receive(server), -EPROTO);
  EXPECT_FALSE(weir__tls_met_http(&server.s));
  EXPECT_EQ(reason(), "the client speaks no TLS");
}

/* What a peer costs that never finishes its first message. */
TEST_F(tls_stream, has_no_session_before_a_client_hello_is_whole)
{
  begin();
  client->handshake();
  std::string hello = client->take_output();
  for (size_t i = 0; i + 1 < hello.size(); i++) {
    kernel.in = hello[i];
    loop->turn++;
    ASSERT_EQ(receive(server), -EAGAIN);
    ASSERT_EQ(server.tls.ssl, nullptr);
    ASSERT_LE(server.tls.out_size, std::max<size_t>(64, 2 * (i + 1)));
    writable();
    ASSERT_EQ(kernel.out, "") << "it is not sent back";
  }
  kernel.in = hello.back();
  receive(server);
  EXPECT_NE(server.tls.ssl, nullptr);
  carry();
  EXPECT_TRUE(server.tls.open);
}

/* RFC 8446 section 5.1 */
TEST_F(tls_stream, takes_a_client_hello_in_many_records)
{
  begin();
  client->handshake();
  std::string hello = client->take_output(), cut;
  for (size_t at = 5; at < hello.size(); at += 3) {
    std::string piece = hello.substr(at, 3);
    cut += std::string("\x16\x03\x01\x00", 4) + static_cast<char>(piece.size()) + piece;
  }
  kernel.in = cut.substr(0, 100);
  receive(server);
  EXPECT_EQ(server.tls.ssl, nullptr);
  kernel.in = cut.substr(100);
  receive(server);
  carry();
  EXPECT_TRUE(server.tls.open);
}

TEST_F(tls_stream, refuses_a_client_hello_that_is_too_long)
{
  const std::string record("\x16\x03\x01\x00", 4), longer("\x05\x01\x00\x3F\xFD", 5);
  std::string drip = record + std::string("\x04\x01\x00\x3F\xFC", 5);
  while (drip.size() < 20000)
    drip += record + "\x01x";
  for (const std::string &bytes : {record + longer, drip}) {
    begin();
    kernel = {};
    kernel.in = bytes;
    receive(server);
    EXPECT_EQ(last, -EPROTO);
    EXPECT_EQ(reason(), "the client's first message is too long");
    EXPECT_EQ(kernel.out, std::string("\x15\x03\x03\x00\x02\x02\x32", 7)) << "decode_error";
    EXPECT_EQ(server.tls.ssl, nullptr);
    EXPECT_EQ(server.tls.out, nullptr);
    end_of(server);
  }
  begin();
  kernel = {};
  kernel.in = record + std::string("\x04\x01\x00\x3F\xFC", 5);
  EXPECT_EQ(receive(server), -EAGAIN) << "the longest";
}

/* Records that OpenSSL would wait for the end of. */
TEST_F(tls_stream, waits_for_nothing_but_a_client_hello)
{
  for (std::string bytes :
       {std::string("\x17\x03\x01\x40\x00", 5), std::string("\x80\x40\x01\x03\x01", 5),
        std::string("\x16\x03\x01\x40\x00\x0B", 6)}) {
    begin();
    kernel = {};
    kernel.in = bytes;
    EXPECT_EQ(receive(server), -EPROTO);
    EXPECT_EQ(reason(), "the client speaks no TLS");
    end_of(server);
  }
  begin();
}

TEST_F(tls_stream, knows_that_there_is_nothing_in_common)
{
  begin({.max_version = TLS1_2_VERSION, .ciphers = "ECDHE-RSA-AES128-GCM-SHA256"});
  carry();
  EXPECT_EQ(reason(), "no cipher in common");
  EXPECT_EQ(client->error(), "sslv3 alert handshake failure");
}

TEST_F(tls_stream, knows_that_versions_differ)
{
  weir_tls_options with{};
  with.min_version = 13;
  begin({.max_version = TLS1_2_VERSION}, with);
  carry();
  EXPECT_EQ(reason(), "no version of TLS in common");
}

TEST_F(tls_stream, knows_that_protocols_differ)
{
  begin({.alpn = {"h2"}});
  carry();
  EXPECT_EQ(reason(), "no application protocol in common");
}

TEST_F(tls_stream, knows_what_is_wrong_with_a_certificate)
{
  support::issued old = ids->authority.issue({.name = "client", .expired = true});
  weir_tls_options with{};
  std::string file = ids->files.write("old.pem", old.certificate + old.key);
  with.client_ca_file = ids->ca.c_str();
  begin({}, with);
  carry();
  EXPECT_EQ(reason(), "the client sent no certificate");
  end_of(server);
  kernel = {};
  begin({.certificate_file = file});
  carry();
  EXPECT_EQ(reason(), "the client's certificate was not accepted: certificate has expired");
}

TEST_F(tls_stream, knows_what_the_peer_complained_of)
{
  support::authority other("another authority");
  begin({.trust_file = ids->files.write("other.pem", other.certificate())});
  carry();
  EXPECT_EQ(reason(), "the client sent an alert: unknown CA");
}

TEST_F(tls_stream, keeps_two_failures_apart)
{
  begin();
  kernel.in = "GET / HTTP/1.1\r\n\r\n";
  receive(server);
  end other;
  watch(other);
  kernel.in = "SSH-2.0-client\r\n";
  receive(other);
  EXPECT_STREQ(weir__tls_reason(&other.s), "the client speaks no TLS");
  EXPECT_EQ(reason(), "the client speaks plain HTTP on a TLS port");
  end_of(other);
}

TEST_F(tls_stream, sends_nothing_before_the_handshake_is_done)
{
  begin();
  EXPECT_EQ(give("early"), -EPIPE);
  EXPECT_EQ(server.s.ops->shutdown(&server.s, &fake.sys), 0);
  EXPECT_EQ(kernel.out, "");
  EXPECT_TRUE(kernel.out_ended);
}

/* Each look at the clock is so much later, so that each step of a handshake takes as long. */
class ration : public tls_stream
{
protected:
  std::vector<std::unique_ptr<end>> ends;

  void SetUp() override
  {
    fake.clock_ns = loop->now_ns + MS;
    fake.sys.now_ns = [](const weir__sys *self) {
      return sys_fake::of(self).clock_ns += WEIR__TLS_TURN_NS / 2;
    };
    begin();
    client->handshake();
    hello = client->take_output();
  }
  void TearDown() override
  {
    for (auto &each : ends)
      end_of(*each);
  }
  end &another()
  {
    ends.push_back(std::make_unique<end>());
    watch(*ends.back());
    return *ends.back();
  }
  /* Whether a stream that has a ClientHello to read gets its turn. */
  bool answers(end &e)
  {
    kernel.in = hello;
    kernel.out.clear();
    EXPECT_EQ(receive(e), -EAGAIN);
    EXPECT_EQ(e.s.source.readable, kernel.out.empty()) << "who waits comes again";
    return !kernel.out.empty();
  }
  std::string hello;
};

TEST_F(ration, of_handshakes_in_a_turn)
{
  end &a = another(), &b = another(), &c = another(), &d = another(), &e = another();
  EXPECT_TRUE(answers(a));
  EXPECT_TRUE(answers(b));
  EXPECT_FALSE(answers(c)) << "the time is spent";
  EXPECT_FALSE(answers(d));
  loop->turn++;
  EXPECT_FALSE(answers(e)) << "others were first";
  EXPECT_TRUE(answers(c));
  EXPECT_TRUE(answers(d));
  loop->turn++;
  EXPECT_TRUE(answers(e));
  EXPECT_TRUE(answers(another())) << "nobody waits";
}

TEST_F(ration, who_goes_while_waiting_is_not_waited_for)
{
  end &a = another(), &b = another();
  EXPECT_TRUE(answers(a));
  EXPECT_TRUE(answers(b));
  EXPECT_FALSE(answers(another()));
  EXPECT_FALSE(answers(another()));
  end_of(*ends.back());
  ends.pop_back();
  end_of(*ends.back());
  ends.pop_back();
  loop->turn++;
  EXPECT_TRUE(answers(another()));
}

TEST_F(ration, is_not_for_open_streams)
{
  fake.sys.now_ns = [](const weir__sys *self) { return sys_fake::of(self).clock_ns; };
  kernel.in = hello;
  receive(server);
  carry();
  ASSERT_TRUE(server.tls.open);
  loop->tls->turn = loop->turn;
  loop->tls->spent_ns = WEIR__TLS_TURN_NS;
  EXPECT_FALSE(answers(another()));
  client->write("hello");
  kernel.in = client->take_output();
  receive(server);
  EXPECT_EQ(heard, "hello");
}

} // namespace
