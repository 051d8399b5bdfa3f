// TLS through the C++ layer: a server of wss, what handlers learn of a connection, and the
// exceptions of wrong files.
#include "cpp_support.hpp"

#include "support/certificates.hpp"
#include "support/peer.hpp"

#include <cerrno>
#include <memory>

using namespace cpp_test;
using support::issued;

namespace
{

/* Clients whose handshake for wss is done, once await_upgrade() says so. */
std::unique_ptr<support::peer> connect(const weir::server &app, support::tls_peer_options wanted)
{
  auto made = std::make_unique<support::peer>(app.port());
  made->secure(wanted);
  made->send(support::upgrade_request());
  return made;
}

bool await_upgrade(support::peer &peer)
{
  std::optional<support::response> answer;
  EXPECT_TRUE(peer.await([&] { return (answer = peer.take_response(false)) || peer.ended(); }));
  return answer && answer->status == 101;
}

class CppTls : public testing::Test
{
protected:
  support::localhost made;
  weir::tls_options options = {.identity = {made.certificate, made.key}};
  support::tls_peer_options client;
  weir::server app;

  CppTls()
  {
    client.server_name = "localhost";
    client.trust_file = made.ca;
    app.route("/", {.message = [](weir::conn<> ws, weir::message m) { ws.send(m); }});
  }
};

TEST_F(CppTls, ServesAsTheReadmeSays)
{
  weir::tls certificates{{.identity = {made.certificate, made.key}}};
  running serving(app, certificates);
  auto peer = connect(app, client);
  ASSERT_TRUE(await_upgrade(*peer));
  peer->say("hello");
  EXPECT_EQ(peer->await_frame().payload, "hello");
}

TEST_F(CppTls, TheServerKeepsTheCertificates)
{
  running serving(app, weir::tls(options)); // gone before the first connection
  auto peer = connect(app, client);
  EXPECT_TRUE(await_upgrade(*peer));
}

TEST_F(CppTls, HandlersLearnWhatWasAgreed)
{
  issued mine = made.authority.issue({.name = "a client", .names = {}});
  client.certificate_file = made.files.write("client.pem", mine.certificate + mine.key);
  client.alpn = {"http/1.1"};
  client.max_version = TLS1_2_VERSION;
  options.client_ca_file = made.ca;
  options.ciphers = "ECDHE-ECDSA-AES128-GCM-SHA256";
  std::promise<void> told;
  auto check = [&](const std::optional<weir::tls_info> &info) {
    ASSERT_TRUE(info);
    EXPECT_EQ(info->version, "TLSv1.2");
    EXPECT_EQ(info->cipher, "ECDHE-ECDSA-AES128-GCM-SHA256");
    EXPECT_EQ(info->server_name, "localhost");
    EXPECT_EQ(info->alpn, "http/1.1");
    EXPECT_FALSE(info->resumed);
    EXPECT_TRUE(info->peer_verified);
    EXPECT_EQ(info->peer_subject, "CN=a client");
    auto der = info->peer_certificate;
    EXPECT_EQ(std::string(reinterpret_cast<const char *>(der.data()), der.size()),
              support::der_of(mine.certificate));
  };
  weir::server other;
  other.route("/", {.upgrade =
                        [&](weir::request &asked) {
                          check(asked.tls());
                          return 0;
                        },
                    .open =
                        [&](weir::conn<> ws) {
                          check(ws.tls());
                          told.set_value();
                        }});
  running serving(other, weir::tls(options));
  auto peer = connect(other, client);
  EXPECT_TRUE(await_upgrade(*peer));
  await(told);
}

TEST_F(CppTls, APlainConnectionHasNone)
{
  std::promise<bool> told;
  weir::server plain;
  plain.route("/", {.upgrade = [](weir::request &asked) { return asked.tls() ? -500 : 0; },
                    .open = [&](weir::conn<> ws) { told.set_value(ws.tls().has_value()); }});
  running serving(plain);
  auto client = serving.open();
  EXPECT_FALSE(await(told));
}

TEST_F(CppTls, ReloadsWhileItServes)
{
  weir::tls certificates(options);
  running serving(app, certificates);
  auto before = connect(app, client);
  ASSERT_TRUE(await_upgrade(*before));
  support::authority other("another authority");
  issued next = other.issue();
  made.files.write("cert.pem", next.certificate);
  try {
    certificates.reload();
    ADD_FAILURE() << "the key is the other certificate's";
  } catch (const std::system_error &error) {
    EXPECT_EQ(error.code(), weir::to_error_code(-EBADMSG));
    EXPECT_EQ(error.what(),
              made.key + ": the key does not belong to the certificate in " + made.certificate);
  }
  made.files.write("key.pem", next.key);
  certificates.reload();
  auto refusing = connect(app, client); // it trusts the first authority only
  EXPECT_FALSE(await_upgrade(*refusing));
  client.trust_file = made.files.write("other.pem", other.certificate());
  auto after = connect(app, client);
  EXPECT_TRUE(await_upgrade(*after));
  before->say("still here");
  EXPECT_EQ(before->await_frame().payload, "still here");
}

TEST_F(CppTls, OptionsAreThoseOfC)
{
  auto sentence_of = [&] {
    try {
      weir::tls refused(options);
    } catch (const weir::tls_error &error) {
      weir::tls_error copy = error;
      return std::string(copy.what());
    }
    return std::string("none");
  };
  auto with = [&](auto member, auto value) {
    weir::tls_options kept = options;
    options.*member = value;
    std::string said = sentence_of();
    options = kept;
    return said;
  };
  using weir::tls_options;
  std::vector<weir::tls_identity> more = {{made.certificate, made.key}, {"more.pem"}};
  EXPECT_EQ(sentence_of(), "none");
  EXPECT_EQ(with(&tls_options::identity, weir::tls_identity{}), "identity: no certificate_file");
  EXPECT_EQ(with(&tls_options::identity, weir::tls_identity{made.certificate}),
            made.certificate + ": no PEM private key in it");
  EXPECT_EQ(with(&tls_options::more, more), "more.pem: No such file or directory");
  EXPECT_EQ(with(&tls_options::client_ca_file, std::string("ca")), "ca: No such file or directory");
  EXPECT_EQ(with(&tls_options::client_certificates, weir::tls_clients::optional),
            "client_certificates: only with client_ca_file");
  EXPECT_EQ(with(&tls_options::alpn, std::vector<std::string>{"a", ""}),
            "alpn: a protocol's name has 1 to 255 bytes");
  EXPECT_EQ(with(&tls_options::ciphers, std::string("X")), "ciphers: OpenSSL does not know \"X\"");
  EXPECT_EQ(with(&tls_options::cipher_suites, std::string("X")),
            "cipher_suites: OpenSSL does not know \"X\"");
  EXPECT_EQ(with(&tls_options::min_version, std::size_t{1}), "min_version: neither 12 nor 13");
}

TEST_F(CppTls, ListeningThrowsWhatCReturns)
{
  weir::tls given(options), taken = std::move(given);
  auto code_of = [&](const weir::tls &with) {
    try {
      app.listen(with, "127.0.0.1", 0);
    } catch (const std::system_error &error) {
      return error.code();
    }
    return std::error_code();
  };
  EXPECT_EQ(code_of(given), std::errc::invalid_argument);
  EXPECT_THROW(given.reload(), weir::tls_error);
  EXPECT_EQ(code_of(taken), std::error_code());
  EXPECT_EQ(code_of(taken), std::error_code()) << "another port";
}

} // namespace
