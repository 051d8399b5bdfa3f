/* Records that no TLS library sends, behind a sound handshake, and floods of those that cost more
 * than they look (RFC 8446 sections 4.6, 5, 6). All over TLS 1.3. */
#include "catalogue/tls_forger.hpp"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <gtest/gtest.h>
#include <openssl/ssl.h>
#include <unistd.h>

using namespace catalogue;
using std::chrono::milliseconds;

namespace
{

setup secure()
{
  setup out;
  out.over = transport::tls13;
  return out;
}

/* TLS fails: an alert to the peer, on_error, on_close(1006), and nobody else notices. */
void expect_tls_failure(server &at, client &attacker, bool says_why = true)
{
  EXPECT_NE(static_cast<int>(attacker.wait_end()), static_cast<int>(ending::silence));
  EXPECT_EQ(attacker.discarded(), 0u);
  EXPECT_TRUE(!says_why || attacker.tls()->failed() || attacker.tls()->closed()) << "no alert";
  ASSERT_TRUE(at.wait_closed(attacker));
  record r = at.seen(attacker);
  EXPECT_EQ(r.errors, std::vector<int>{-EPROTO});
  EXPECT_EQ(r.closes, std::vector<int>{1006});
  at.expect_undisturbed();
}

/* A forged record, whole, byte by byte, and with much behind it. */
void expect_forged_failed(server &at, const std::function<std::string(forger &)> &forge)
{
  for (delivery how : deliveries) {
    if (testing::Test::HasFailure())
      return;
    SCOPED_TRACE(name(how));
    forger attacker(at);
    std::string bytes = forge(attacker);
    if (how == delivery::bytes && bytes.size() > 1000)
      continue;
    if (how == delivery::trailed)
      bytes += std::string(1 << 20, 'x');
    EXPECT_TRUE(how == delivery::bytes ? at.drip_raw(attacker.socket, bytes)
                                       : attacker.socket.send_raw(bytes));
    expect_tls_failure(at, attacker.socket);
  }
}

const std::string hello_frame = masked(fin | text, "hello");

/* A sanitizer keeps what was freed, which says nothing of the server. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool sanitized = true;
#elif defined(__has_feature)
constexpr bool sanitized = __has_feature(address_sanitizer) || __has_feature(thread_sanitizer);
#else
constexpr bool sanitized = false;
#endif

/* Of the process; 0 where it cannot be told. */
size_t resident_bytes()
{
  if (sanitized)
    return 0;
  std::ifstream statm("/proc/self/statm");
  size_t total = 0, resident = 0;
  statm >> total >> resident;
  return resident * static_cast<size_t>(sysconf(_SC_PAGESIZE));
}

} // namespace

TEST(TlsRecords, ForgedOnesThatAreSoundAreHeard)
{
  server at(secure());
  forger peer(at);
  for (size_t padding : {0, 1, 100, 16000}) {
    peer.socket.send_raw(peer.record(application_data, hello_frame, padding));
    EXPECT_EQ(peer.socket.read_frame().value_or(frame{}).payload, "hello");
  }
  peer.socket.send_raw(peer.key_update(false));
  peer.socket.send_raw(peer.record(application_data, hello_frame));
  EXPECT_EQ(peer.socket.read_frame().value_or(frame{}).payload, "hello");
  for (char byte : hello_frame) {
    std::string records = peer.record(application_data, {&byte, 1});
    records += peer.record(application_data, "");
    peer.socket.send_raw(records);
  }
  EXPECT_EQ(peer.socket.read_frame().value_or(frame{}).payload, "hello");
}

TEST(TlsRecords, ThatAreNotGenuine)
{
  server at(secure());
  for (size_t spoilt : {size_t{5}, size_t{10}, size_t{38}}) {
    expect_forged_failed(at, [=](forger &of) {
      std::string out = of.record(application_data, hello_frame);
      out[std::min(spoilt, out.size() - 1)] ^= 1;
      return out;
    });
  }
  expect_forged_failed(at, [](forger &of) { /* twice the same */
                                            std::string out = of.record(application_data,
                                                                        hello_frame.substr(0, 2));
                                            return out + out;
  });
  expect_forged_failed(at, [](forger &of) { /* one left out */
                                            of.record(application_data, "never sent");
                                            return of.record(application_data, hello_frame);
  });
}

TEST(TlsRecords, ThatAreNotEncrypted)
{
  server at(secure());
  for (unsigned type : {application_data + 0u, handshake + 0u, 24u, 99u})
    expect_forged_failed(at, [=](forger &) { return plain_record(type, std::string(40, 'x')); });
  expect_forged_failed(at, [](forger &) { return plain_record(alert, std::string("\2\50", 2)); });
  expect_forged_failed(at, [](forger &) { return plain_record(alert, std::string("\1\0", 2)); });
  expect_forged_failed(at, [](forger &) { return plain_record(change_cipher_spec, "\1"); });
  expect_forged_failed(at, [](forger &) { return request{}.str(); });
}

TEST(TlsRecords, TooLong)
{
  server at(secure());
  expect_forged_failed(
      at, [](forger &of) { return of.record(application_data, std::string(16385, 'x')); });
  expect_forged_failed(at, [](forger &) {
    return std::string("\x17\x03\x03\x41\x01", 5) + std::string(16641, 'x');
  });
  expect_forged_failed(at, [](forger &) { return std::string("\x17\x03\x03\xff\xff", 5); });
}

TEST(TlsRecords, OfAWrongType)
{
  server at(secure());
  for (unsigned type : {0u, change_cipher_spec + 0u, 24u, 25u, 99u, 255u})
    expect_forged_failed(at, [=](forger &of) { return of.record(type, "\1"); });
  expect_forged_failed(at, [](forger &of) { return of.record(0, "", 100); }); /* zeros alone */
}

TEST(TlsRecords, HandshakeMessagesThatMayNotCome)
{
  server at(secure());
  for (unsigned type : {0u, 1u, 2u, 4u, 5u, 8u, 11u, 13u, 15u, 20u, 99u, 254u})
    expect_forged_failed(
        at, [=](forger &of) { return of.record(handshake, handshake_message(type, "body")); });
  for (const std::string &body : {std::string("\2"), std::string("\1\1"), std::string()})
    expect_forged_failed(
        at, [&](forger &of) { return of.record(handshake, handshake_message(24, body)); });
  expect_forged_failed(at, [](forger &of) { return of.record(handshake, ""); });
}

/* A message that claims 16 MiB, or that is cut by data. */
TEST(TlsRecords, HandshakeMessagesThatNeverEnd)
{
  server at(secure());
  for (unsigned type : {1u, 4u, 24u})
    expect_forged_failed(at, [=](forger &of) {
      std::string out =
          of.record(handshake, handshake_message(type, std::string(16000, 'x'), 0xFFFFFF));
      for (int i = 0; i < 100; i++)
        out += of.record(handshake, std::string(16000, 'x'));
      return out;
    });
  expect_forged_failed(at, [](forger &of) {
    std::string message = handshake_message(24, "\1");
    std::string out = of.record(handshake, message.substr(0, 3));
    out += of.record(application_data, hello_frame);
    out += of.record(handshake, message.substr(3));
    return out;
  });
}

TEST(TlsRecords, AlertsEndTheConnection)
{
  server at(secure());
  for (const std::string &text : {std::string("\2\50", 2), std::string("\2\12", 2),
                                  std::string("\1\50", 2), std::string("\2\377", 2)}) {
    forger attacker(at);
    attacker.socket.send_raw(attacker.record(alert, text));
    EXPECT_NE(static_cast<int>(attacker.socket.wait_end()), static_cast<int>(ending::silence));
    ASSERT_TRUE(at.wait_closed(attacker.socket));
    EXPECT_EQ(at.seen(attacker.socket).closes, std::vector<int>{1006});
    at.expect_undisturbed();
  }
  for (const std::string &text :
       {std::string("\2", 1), std::string("\2\50\2\50", 4), std::string()})
    expect_forged_failed(at, [&](forger &of) { return of.record(alert, text); });
}

/* close_notify is the end of what the peer says, whatever stands behind it. */
TEST(TlsRecords, WhatFollowsCloseNotifyIsNotHeard)
{
  server at(secure());
  forger peer(at);
  std::string records = peer.record(application_data, hello_frame);
  records += peer.record(alert, std::string("\1\0", 2));
  records += peer.record(application_data, masked(fin | text, "unheard"));
  peer.socket.send_raw(records + std::string(100, 'x'));
  ASSERT_TRUE(at.wait_closed(peer.socket));
  EXPECT_EQ(at.seen(peer.socket).messages, std::vector<std::string>{"hello"});
  EXPECT_EQ(at.seen(peer.socket).closes, std::vector<int>{1006});
  at.expect_undisturbed();
}

TEST(TlsRecords, FinInTheMiddleOfARecord)
{
  server at(secure());
  forger sample(at);
  const size_t size = sample.record(application_data, hello_frame).size();
  for (size_t cut = 1; cut < size; cut += cut < 8 ? 1 : 7) {
    SCOPED_TRACE(cut);
    forger attacker(at);
    const std::string whole = attacker.record(application_data, hello_frame);
    attacker.socket.send_raw(whole + attacker.record(application_data, hello_frame).substr(0, cut));
    attacker.socket.cut();
    ASSERT_TRUE(at.wait_closed(attacker.socket));
    EXPECT_EQ(at.seen(attacker.socket).messages, std::vector<std::string>{"hello"});
    EXPECT_EQ(at.seen(attacker.socket).closes, std::vector<int>{1006});
  }
  at.expect_undisturbed();
}

namespace
{

/* A flood, sent whole; the loop may not spend more than a second of its time on it, nor memory.
 * Returns whether the connection has outlived it. */
bool outlives(server &at, forger &attacker, const std::string &flood)
{
  auto before = at.cpu_time();
  size_t resident = resident_bytes();
  attacker.socket.send_raw(flood);
  at.expect_undisturbed();
  attacker.socket.send_raw(attacker.record(application_data, hello_frame));
  std::string back = attacker.socket.read_some(100);
  at.expect_undisturbed();
  EXPECT_LT(at.cpu_time() - before, std::chrono::seconds(2));
  EXPECT_LT(resident_bytes(), resident + (8u << 20));
  return !back.empty();
}

} // namespace

TEST(TlsRecords, FloodOfEmptyOnes)
{
  server at(secure());
  forger attacker(at);
  std::string flood;
  for (int i = 0; i < 20000; i++)
    flood += attacker.record(application_data, "", i % 2 == 0 ? 0 : 100);
  if (!outlives(at, attacker, flood))
    expect_tls_failure(at, attacker.socket);
}

TEST(TlsRecords, FloodOfWarnings)
{
  server at(secure());
  forger attacker(at);
  std::string flood;
  for (int i = 0; i < 20000; i++)
    flood += attacker.record(alert, std::string("\1\x5a", 2)); /* user_canceled */
  if (!outlives(at, attacker, flood))
    expect_tls_failure(at, attacker.socket);
}

/* Each asks for an answer. A peer may get all of them, or be dropped for asking too much. */
TEST(TlsRecords, FloodOfKeyUpdates)
{
  server at(secure());
  forger attacker(at);
  std::string flood;
  for (int i = 0; i < 5000; i++)
    flood += attacker.key_update(true);
  if (!outlives(at, attacker, flood))
    expect_tls_failure(at, attacker.socket, false);
}

/* And to one that does not read they may not pile up. */
TEST(TlsRecords, FloodOfKeyUpdatesThatNobodyReads)
{
  setup large = secure();
  large.route.max_queued_bytes = WEIR_OFF;
  large.on.message = [](weir_conn *conn, const weir_message *) {
    static const std::string much(16 << 20, 'x');
    weir_conn_send(conn, WEIR_BINARY, much.data(), much.size());
  };
  server at(large);
  forger attacker(at, 4096);
  attacker.socket.send_raw(attacker.record(application_data, hello_frame));
  at.wait(attacker.socket, "the message", [](const record &r) { return r.messages.size() == 1; });
  at.expect_undisturbed();
  constexpr int updates = 60000; /* 27 bytes each, there and back */
  std::string flood;
  for (int i = 0; i < updates; i++)
    flood += attacker.key_update(true);
  size_t resident = resident_bytes();
  uint64_t memory = at.counters().memory_bytes;
  size_t sent = 0;
  auto until = std::chrono::steady_clock::now() + milliseconds(3000);
  while (sent < flood.size() && std::chrono::steady_clock::now() < until) {
    ssize_t n = write(attacker.socket.fd(), flood.data() + sent, flood.size() - sent);
    if (n < 0 && errno != EAGAIN)
      break;
    sent += static_cast<size_t>(std::max<ssize_t>(n, 0));
    at.expect_undisturbed();
  }
  at.poll("the flood to be read, or not", [&] {
    auto before = at.cpu_time();
    std::this_thread::sleep_for(milliseconds(20));
    return at.cpu_time() - before < milliseconds(2);
  });
  EXPECT_LT(at.counters().memory_bytes, memory + (256u << 10));
  EXPECT_LT(resident_bytes(), resident + (512u << 10)) << "the answers pile up";
  at.expect_undisturbed();
}

namespace
{

/* A client that comes again with a ticket that it was given, spoilt somewhere. */
void expect_full_handshake(server &at, transport over,
                           const std::function<void(std::string &)> &spoil)
{
  client first(at.port(), 0, transport::tcp);
  first.begin_tls(over);
  ASSERT_TRUE(first.upgrade());
  expect_echo(first, "the ticket comes with it");
  SSL_SESSION *session = first.tls()->session();
  ASSERT_NE(session, nullptr) << "the server gives no tickets";
  const unsigned char *ticket = nullptr;
  size_t len = 0;
  SSL_SESSION_get0_ticket(session, &ticket, &len);
  ASSERT_GT(len, 32u);
  std::string text(reinterpret_cast<const char *>(ticket), len);
  spoil(text);
  std::memcpy(const_cast<unsigned char *>(ticket), text.data(), len);
  client again(at.port(), 0, transport::tcp);
  support::tls_peer_options options;
  options.session = session;
  again.begin_tls(over, options);
  EXPECT_TRUE(again.upgrade()) << again.tls()->error();
  EXPECT_EQ(SSL_session_reused(again.tls()->ssl()), 0) << "resumed by garbage";
  expect_echo(again, "as good as new");
}

} // namespace

TEST(TlsTickets, GarbageIsIgnored)
{
  for (transport over : {transport::tls12, transport::tls13}) {
    setup any = secure();
    any.over = over;
    server at(any);
    for (size_t offset : {0, 15, 16, 31, 40, 100})
      expect_full_handshake(at, over, [=](std::string &t) { t[offset % t.size()] ^= 0x20; });
    expect_full_handshake(at, over, [](std::string &t) { t.back() ^= 1; });
    expect_full_handshake(at, over, [](std::string &t) { t.assign(t.size(), 'x'); });
    at.expect_undisturbed();
  }
}
