/* Rows 22 and 23: TLS that begins badly, or twice (RFC 8446, RFC 5246). Over TLS 1.3 where the
 * catalogue runs over TCP. */
#include "catalogue/harness.hpp"

#include <gtest/gtest.h>

using namespace catalogue;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

namespace
{

/* Lateness that no load explains. */
constexpr milliseconds late{5000};

setup secure(size_t handshake_timeout_ms = 0)
{
  setup out;
  out.over = chosen() == transport::tcp ? transport::tls13 : chosen();
  out.options.handshake_timeout_ms = handshake_timeout_ms;
  return out;
}

/* A connection that speaks no TLS. */
client bare(server &at)
{
  return client(at.port(), 0, transport::tcp);
}

/* The ClientHello that a client of the server's would send. */
std::string hello(server &at)
{
  return at.connect().hello();
}

/* The server ends the connection of its own accord, in order, and nobody else notices. */
void expect_ended(server &at, client &attacker)
{
  ending end = attacker.wait_end(late);
  EXPECT_TRUE(end == ending::finished || end == ending::cut)
      << "0: FIN, 1: RST, 2: nothing, 3: without close_notify: " << static_cast<int>(end);
  at.expect_undisturbed();
}

} // namespace

TEST(Row22, DripsAClientHello)
{
  server at(secure(300));
  const std::string bytes = hello(at);
  client attacker = bare(at);
  auto start = steady_clock::now();
  bool answered = false;
  for (size_t i = 0; i + 1 < bytes.size() && !answered; i++) {
    attacker.send({&bytes[i], 1});
    answered = attacker.readable(milliseconds(10));
  }
  EXPECT_TRUE(answered) << "each byte puts the deadline off";
  expect_ended(at, attacker);
  EXPECT_GE(steady_clock::now() - start, milliseconds(300));
}

TEST(Row22, StopsAnywhereInTheHandshake)
{
  server at(secure(300));
  uint64_t memory = at.counters().memory_bytes;
  const std::string bytes = hello(at);
  std::vector<client> attackers;
  for (size_t cut : {size_t{0}, size_t{1}, size_t{4}, size_t{5}, size_t{6}, size_t{9},
                     bytes.size() / 2, bytes.size() - 1, bytes.size()}) {
    attackers.push_back(bare(at));
    attackers.back().send(bytes.substr(0, cut));
  }
  attackers.push_back(at.connect()); /* the handshake is done, and nothing follows */
  EXPECT_TRUE(attackers.back().shake_hands());
  attackers.push_back(at.connect()); /* half a request follows */
  attackers.back().send("GET / HTTP/1.1\r\n");
  at.expect_undisturbed();
  for (client &attacker : attackers)
    expect_ended(at, attacker);
  at.poll("the memory of before", [&] { return at.counters().memory_bytes < memory + 65536; });
}

TEST(Row22, ByteByByteItIsAHandshakeLikeAnyOther)
{
  server at(secure());
  client peer = at.connect();
  while (!peer.tls()->handshake()) {
    ASSERT_TRUE(at.drip_raw(peer, peer.tls()->take_output()));
    std::string answer = peer.read_raw();
    ASSERT_NE(answer, "") << "the handshake stands still";
    peer.tls()->got(answer);
  }
  EXPECT_TRUE(at.drip_raw(peer, peer.tls()->take_output()));
  EXPECT_TRUE(peer.shake_hands());
  EXPECT_TRUE(at.drip_raw(peer, peer.sealed(request{}.str())));
  EXPECT_EQ(peer.read_response(false).value_or(response{}).status, 101);
  expect_echo(peer, "through the eye of a needle");
}

TEST(Row22, FinAnywhereInTheHandshake)
{
  server at(secure());
  uint64_t memory = at.counters().memory_bytes;
  const std::string bytes = hello(at);
  for (size_t cut = 0; cut <= bytes.size(); cut += cut < 12 ? 1 : 29) {
    SCOPED_TRACE(cut);
    client attacker = bare(at);
    attacker.send(bytes.substr(0, cut));
    attacker.half_close();
    expect_ended(at, attacker);
    client rude = bare(at);
    rude.send(bytes.substr(0, cut));
    rude.reset();
  }
  at.poll("the memory of before", [&] { return at.counters().memory_bytes < memory + 65536; });
}

TEST(Row22, HttpOnTheTlsPort)
{
  server at(secure());
  for (const char *line :
       {"GET / HTTP/1.1", "POST / HTTP/1.1", "HEAD / HTTP/1.1", "PUT /a HTTP/1.0"}) {
    for (delivery how : deliveries) {
      SCOPED_TRACE(std::string(line) + ", " + name(how));
      client attacker = bare(at);
      deliver(at, attacker, request{}.with_line(line).str(), how);
      at.expect_undisturbed();
      response answer = attacker.read_response().value_or(response{});
      EXPECT_EQ(answer.status, 400);
      EXPECT_TRUE(answer.has_token("Connection", "close"));
      EXPECT_NE(answer.body.find("TLS"), std::string::npos) << answer.body;
      EXPECT_EQ(static_cast<int>(attacker.wait_end()), static_cast<int>(ending::finished));
    }
  }
}

namespace
{

struct opening {
  const char *name;
  std::string bytes;
};

/* A hello of a version that is no more: the record's and the message's. */
std::string old_hello(server &at, unsigned minor)
{
  std::string out = hello(at);
  out[2] = static_cast<char>(minor);
  out[10] = static_cast<char>(minor);
  size_t supported = out.find(std::string("\x00\x2b\x00", 3)); /* the extension that says 1.3 */
  if (supported != std::string::npos)
    out[supported + 1] = '\x7f';
  return out;
}

std::vector<opening> wrong_openings(server &at)
{
  const std::string good = hello(at);
  auto record = [](const char *head, size_t bytes) {
    return std::string(head, 5) + std::string(bytes, 'x');
  };
  return {{"random bytes", "\xc3\x1f\x90\x08\x77\xfe\x01\x22 and so on"},
          {"zeros", std::string(100, '\0')},
          {"a frame", masked(fin | text, "hello")},
          {"SSH", "SSH-2.0-OpenSSH_9.2p1\r\n"},
          {"a hello of SSL 2",
           std::string("\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10\x07\x00\xc0", 14) +
               std::string(34, 'x')},
          {"a hello of SSL 3", old_hello(at, 0)},
          {"a hello of TLS 1.0", old_hello(at, 1)},
          {"a hello of TLS 1.1", old_hello(at, 2)},
          {"a record of 64 KiB", record("\x16\x03\x01\xff\xff", 70000)},
          {"a hello of 16 MiB",
           std::string("\x16\x03\x01\x40\x00\x01\xff\xff\xff", 9) + std::string(16380, 'x')},
          {"a flood of empty records",
           [] {
             std::string out;
             for (int i = 0; i < 1000; i++)
               out += std::string("\x16\x03\x01\x00\x00", 5);
             return out;
           }()},
          {"a flood of warnings",
           [] {
             std::string out;
             for (int i = 0; i < 1000; i++)
               out += std::string("\x15\x03\x01\x00\x02\x01\x5a", 7);
             return out;
           }()},
          {"a fatal alert", std::string("\x15\x03\x01\x00\x02\x02\x28", 7)},
          {"application data", record("\x17\x03\x03\x00\x10", 16)},
          {"ChangeCipherSpec", std::string("\x14\x03\x03\x00\x01\x01", 6)},
          {"a type that is none", record("\x63\x03\x01\x00\x10", 16)},
          {"a hello cut by application data", good.substr(0, 3) + std::string("\x00\x10", 2) +
                                                  good.substr(5, 16) +
                                                  record("\x17\x03\x03\x00\x10", 16)},
          {"a hello without a cipher",
           std::string("\x16\x03\x01\x00\x2b\x01\x00\x00\x27\x03\x03", 11) + std::string(32, 'r') +
               std::string("\x00\x00\x00\x01\x00", 5)},
          {"HTTP in a hello", std::string("\x16\x03\x01\x00\x12", 5) + "GET / HTTP/1.1\r\n\r\n"}};
}

} // namespace

TEST(Row22, WhatIsNoClientHello)
{
  server at(secure());
  uint64_t opened = at.counters().opened;
  for (const opening &each : wrong_openings(at)) {
    for (delivery how : deliveries) {
      if (how == delivery::bytes && each.bytes.size() > 2000)
        continue;
      SCOPED_TRACE(std::string(each.name) + ", " + name(how));
      client attacker = bare(at);
      EXPECT_TRUE(how == delivery::bytes ? at.drip_raw(attacker, each.bytes)
                                         : attacker.send(each.bytes))
          << "reset";
      if (how == delivery::trailed)
        attacker.send(std::string(1 << 20, 'x'));
      expect_ended(at, attacker);
      EXPECT_LT(attacker.discarded(), 2000u) << "more than an alert";
    }
  }
  EXPECT_EQ(at.counters().opened, opened);
}

TEST(Row22, AHelloInRecordsOfOneByteIsSound)
{
  server at(secure());
  client peer = at.connect();
  const std::string whole = peer.hello();
  std::string cut;
  for (char byte : whole.substr(5))
    cut += std::string("\x16\x03\x01\x00\x01", 5) + byte;
  peer.send_raw(cut);
  EXPECT_TRUE(peer.upgrade());
  expect_echo(peer, "put together again");
}

/* Hundreds of handshakes in one turn: whoever is open already is served in between. */
TEST(Row22, AStormOfHandshakes)
{
  server at(secure());
  std::vector<client> storm;
  for (int i = 0; i < 200; i++)
    storm.push_back(at.connect());
  at.on_loop([&] {
    for (client &each : storm) {
      each.send_raw(each.hello());
    }
  });
  at.expect_undisturbed();
  for (client &each : storm)
    EXPECT_TRUE(each.upgrade());
  expect_echo(storm.front(), "the first");
  expect_echo(storm.back(), "the last");
}

namespace
{

setup at_tls_1_2()
{
  setup out = secure();
  out.over = transport::tls12;
  return out;
}

/* A client that may ask for renegotiation. */
client open_to_renegotiate(server &at)
{
  client out(at.port(), 0, transport::tcp);
  support::tls_peer_options options;
  options.allow_renegotiation = true;
  out.begin_tls(transport::tls12, options);
  EXPECT_TRUE(out.upgrade());
  at.wait(out, "on_open", [](const record &r) { return r.opens == 1; });
  return out;
}

} // namespace

TEST(Row23, RenegotiationIsRefused)
{
  server at(at_tls_1_2());
  for (int i = 0; i < 5; i++) {
    client attacker = open_to_renegotiate(at);
    expect_echo(attacker, "sound so far");
    uint64_t handshakes = at.counters().tls_handshakes;
    attacker.tls()->renegotiate();
    std::string again = attacker.tls()->take_output();
    ASSERT_FALSE(again.empty()) << "the test's client did not ask";
    attacker.send_raw(again);
    EXPECT_EQ(attacker.read_some(100, milliseconds(2000)), "");
    EXPECT_TRUE(attacker.tls()->failed()) << "the server took part";
    at.expect_undisturbed();
    EXPECT_EQ(at.counters().tls_handshakes, handshakes);
    attacker.cut();
    EXPECT_TRUE(at.wait_closed(attacker));
    EXPECT_EQ(at.seen(attacker).closes, std::vector<int>{1006});
  }
}

TEST(Row23, InTheMiddleOfAMessageToo)
{
  server at(at_tls_1_2());
  client attacker = open_to_renegotiate(at);
  const std::string message = masked(fin | text, std::string(1000, 'x'));
  attacker.send(message.substr(0, 500));
  uint64_t handshakes = at.counters().tls_handshakes;
  attacker.tls()->renegotiate();
  attacker.send_raw(attacker.tls()->take_output());
  attacker.read_some(100, milliseconds(2000));
  EXPECT_TRUE(attacker.tls()->failed());
  EXPECT_EQ(at.counters().tls_handshakes, handshakes);
  at.expect_undisturbed();
}
