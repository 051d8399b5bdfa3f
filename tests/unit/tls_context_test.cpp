// What handshakes agree on: versions, ciphers, names, protocols, clients' certificates.
#include "tls_fixture.hpp"

using namespace tls_test;

namespace
{

TEST_F(TlsContext, BothVersionsAndTheirDefaults)
{
  start();
  for (int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    tls_peer_options wanted;
    wanted.min_version = wanted.max_version = version;
    wanted.server_name = "localhost";
    wanted.alpn = {"h2", "http/1.1"};
    wanted.trust_file = made.ca;
    session server(tls);
    tls_peer client(wanted);
    ASSERT_TRUE(talk(client, server)) << client.error();
    weir_tls_info info = server.info();
    EXPECT_STREQ(info.version, version == TLS1_2_VERSION ? "TLSv1.2" : "TLSv1.3");
    EXPECT_STREQ(info.cipher, SSL_get_cipher_name(client.ssl()));
    EXPECT_EQ(text(info.server_name), "localhost");
    EXPECT_EQ(text(info.alpn), "http/1.1");
    EXPECT_FALSE(info.resumed);
    EXPECT_FALSE(info.peer_verified);
    EXPECT_EQ(text(info.peer_certificate), "none");
    EXPECT_EQ(info.peer_subject, nullptr);
    EXPECT_EQ(SSL_get_current_compression(server.ssl()), nullptr);
  }
}

TEST_F(TlsContext, EarlierVersionsAreRefused)
{
  start();
  tls_peer_options wanted;
  wanted.min_version = wanted.max_version = TLS1_1_VERSION;
  wanted.ciphers = "DEFAULT:@SECLEVEL=0";
  session server(tls);
  tls_peer client(wanted);
  EXPECT_FALSE(talk(client, server));
  EXPECT_EQ(client.error(), "tlsv1 alert protocol version");
}

TEST_F(TlsContext, TheLeastVersionIsKept)
{
  options.min_version = 13;
  start();
  tls_peer_options wanted;
  EXPECT_EQ(serial_shown(wanted), 1);
  wanted.max_version = TLS1_2_VERSION;
  EXPECT_EQ(serial_shown(wanted), 0);
}

TEST_F(TlsContext, TheServersOrderOfCiphersDecides)
{
  options.ciphers = "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256";
  options.cipher_suites = "TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256";
  start();
  tls_peer_options wanted;
  wanted.ciphers = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384";
  wanted.cipher_suites = "TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256";
  for (int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    wanted.max_version = version;
    session server(tls);
    tls_peer client(wanted);
    ASSERT_TRUE(talk(client, server));
    EXPECT_STREQ(server.info().cipher, version == TLS1_2_VERSION ? "ECDHE-ECDSA-AES256-GCM-SHA384"
                                                                 : "TLS_CHACHA20_POLY1305_SHA256");
  }
}

TEST_F(TlsContext, RenegotiationIsRefusedAndTheConnectionStays)
{
  start();
  tls_peer_options wanted;
  wanted.max_version = TLS1_2_VERSION;
  wanted.allow_renegotiation = true;
  session server(tls);
  tls_peer client(wanted);
  ASSERT_TRUE(talk(client, server));
  client.renegotiate();
  client.got(server.turn(client.take_output()));
  client.read();
  EXPECT_EQ(client.error(), "no renegotiation");
  EXPECT_TRUE(SSL_is_init_finished(server.ssl()));
}

/* ---- names */

TEST_F(TlsContext, ExactNamesGoBeforeWildcardsOfAnyCertificate)
{
  add(named(2, "", {"*.example.org"}));
  add(named(3, "", {"chat.example.org", "example.org"}));
  add(named(4, "", {"*.chat.example.org", "f*.example.net"}));
  add(named(5, "by.common.name", {}));
  start();
  const std::pair<const char *, long> expected[] = {
      {"localhost", 1},          {"", 1},
      {"chat.example.org", 3},   {"CHAT.Example.ORG", 3},
      {"other.example.org", 2},  {"example.org", 3},
      {"a.chat.example.org", 4}, {"a.other.example.org", 1},
      {"by.common.name", 5},     {"unknown.example.com", 1},
      {".example.org", 1},       {"foo.example.net", 1},
      {"*.example.org", 2},
  };
  for (auto &[name, serial] : expected)
    EXPECT_EQ(serial_for(name), serial) << name;
}

TEST_F(TlsContext, ANameMayChooseAnotherKindOfKey)
{
  wish rsa = named(2, "", {"rsa.example"});
  rsa.key = key_kind::rsa;
  add(rsa);
  start();
  for (int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    tls_peer_options wanted;
    wanted.max_version = version;
    wanted.server_name = "rsa.example";
    wanted.trust_file = made.ca;
    EXPECT_EQ(serial_shown(wanted), 2);
    wanted.server_name = "localhost";
    EXPECT_EQ(serial_shown(wanted), 1);
  }
}

TEST_F(TlsContext, TheChainIsSentWithTheCertificate)
{
  authority below = made.authority.subordinate("below");
  issued leaf = below.issue(named(9, "", {"localhost"}));
  made.files.write("cert.pem", leaf.certificate + below.certificate());
  made.files.write("key.pem", leaf.key);
  start();
  tls_peer_options wanted;
  wanted.server_name = "localhost";
  wanted.trust_file = made.ca;
  EXPECT_EQ(serial_shown(wanted), 9);
  made.files.write("cert.pem", leaf.certificate);
  reload();
  EXPECT_EQ(serial_shown(wanted), 0);
}

TEST_F(TlsContext, ClientsAuthoritiesAreNoPartOfTheServersChain)
{
  authority below = made.authority.subordinate("below");
  issued leaf = below.issue(named(9, "", {"localhost"}));
  std::string ca = made.files.write("below.pem", below.certificate());
  made.files.write("cert.pem", leaf.certificate);
  made.files.write("key.pem", leaf.key);
  options.client_ca_file = ca.c_str();
  options.client_certificates = WEIR_TLS_CLIENTS_OPTIONAL;
  start();
  tls_peer_options wanted;
  session server(tls);
  tls_peer client(wanted);
  ASSERT_TRUE(talk(client, server)) << client.error();
  EXPECT_EQ(sk_X509_num(SSL_get_peer_cert_chain(client.ssl())), 1);
}

/* ---- protocols */

TEST_F(TlsContext, TheServersOrderOfProtocolsDecides)
{
  const char *alpn[] = {"second", "first", nullptr};
  options.alpn = alpn;
  add(named(2, "", {"more.example"}));
  start();
  alpn[0] = alpn[1] = nullptr; // what was lent is gone
  for (const char *name : {"localhost", "more.example"}) {
    tls_peer_options wanted;
    wanted.server_name = name;
    wanted.alpn = {"first", "other", "second"};
    session server(tls);
    tls_peer client(wanted);
    ASSERT_TRUE(talk(client, server)) << client.error();
    EXPECT_EQ(text(server.info().alpn), "second");
  }
}

TEST_F(TlsContext, NoCommonProtocolIsRefusedAndNoneAtAllIsServed)
{
  add(named(2, "", {"more.example"}));
  start();
  for (const char *name : {"localhost", "more.example"}) {
    tls_peer_options wanted;
    wanted.server_name = name;
    {
      session server(tls);
      tls_peer client(wanted);
      ASSERT_TRUE(talk(client, server));
      EXPECT_EQ(text(server.info().alpn), "none");
    }
    wanted.alpn = {"h2"};
    session server(tls);
    tls_peer client(wanted);
    EXPECT_FALSE(talk(client, server));
    EXPECT_EQ(client.error(), "tlsv1 alert no application protocol");
  }
}

/* ---- clients' certificates */

TEST_F(TlsContext, ClientsMustHaveACertificate)
{
  options.client_ca_file = made.ca.c_str();
  add(named(2, "", {"more.example"}));
  start();
  authority stranger("a stranger");
  std::string subject;
  EXPECT_TRUE(serves_client(made.authority, &subject));
  EXPECT_EQ(subject, "CN=a client");
  EXPECT_FALSE(serves_client(stranger));
  for (const char *name : {"localhost", "more.example"}) {
    tls_peer_options wanted;
    wanted.max_version = TLS1_2_VERSION; // a client of 1.3 hears of it after its handshake
    wanted.server_name = name;
    EXPECT_EQ(serial_shown(wanted), 0);
    wanted.max_version = 0;
    session server(tls);
    tls_peer client(wanted);
    EXPECT_FALSE(talk(client, server));
    EXPECT_EQ(client.error(), "tlsv13 alert certificate required");
  }
}

TEST_F(TlsContext, ClientsMayHaveACertificate)
{
  options.client_ca_file = made.ca.c_str();
  options.client_certificates = WEIR_TLS_CLIENTS_OPTIONAL;
  start();
  authority stranger("a stranger");
  EXPECT_TRUE(serves_client(made.authority));
  EXPECT_FALSE(serves_client(stranger));
  EXPECT_EQ(serial_for("localhost"), 1);
}

TEST_F(TlsContext, ClientsAreToldWhoseCertificatesCount)
{
  options.client_ca_file = made.ca.c_str();
  add(named(2, "", {"more.example"}));
  start();
  for (const char *name : {"localhost", "more.example"}) {
    tls_peer_options wanted;
    wanted.server_name = name;
    session server(tls);
    tls_peer client(wanted);
    talk(client, server);
    const STACK_OF(X509_NAME) *told = SSL_get0_peer_CA_list(client.ssl());
    ASSERT_EQ(sk_X509_NAME_num(told), 1) << name;
    char common[64] = "";
    X509_NAME_get_text_by_NID(sk_X509_NAME_value(told, 0), NID_commonName, common, sizeof common);
    EXPECT_STREQ(common, "test authority");
  }
}

TEST_F(TlsContext, AnAuthorityNeedNotBeARoot)
{
  authority below = made.authority.subordinate("below");
  std::string ca = made.files.write("below.pem", below.certificate());
  options.client_ca_file = ca.c_str();
  start();
  EXPECT_TRUE(serves_client(below));
  EXPECT_FALSE(serves_client(made.authority));
}

TEST_F(TlsContext, AClientsCertificateIsGivenAsItIs)
{
  options.client_ca_file = made.ca.c_str();
  start();
  issued mine = made.authority.issue(named(77, "Wehr, links", {}));
  tls_peer_options wanted;
  wanted.certificate_file = file(mine);
  session server(tls);
  tls_peer client(wanted);
  ASSERT_TRUE(talk(client, server)) << client.error();
  weir_tls_info first = server.info(), second = server.info();
  EXPECT_EQ(text(first.peer_certificate), der_of(mine.certificate));
  EXPECT_STREQ(first.peer_subject, "CN=Wehr\\, links");
  EXPECT_EQ(first.peer_certificate.data, second.peer_certificate.data); // made once
}

} // namespace
