// What the tests of certificates share: handshakes in memory between a session of
// core/io/tls_context.h and a client's, and files that are changed while they go on.
#ifndef WEIR_UNIT_TLS_FIXTURE_HPP
#define WEIR_UNIT_TLS_FIXTURE_HPP

#include "io/tls_context.h"

#include "support/certificates.hpp"
#include "support/tls_peer.hpp"

#include <gtest/gtest.h>
#include <openssl/err.h>

#include <string>
#include <vector>

namespace tls_test
{

using namespace support;

/* The server's side of one connection, its bytes in memory. */
class session
{
public:
  explicit session(weir_tls *tls)
      : context_(weir__tls_take(tls)), ssl_(weir__tls_context_ssl(context_)),
        in_(BIO_new(BIO_s_mem())), out_(BIO_new(BIO_s_mem()))
  {
    SSL_set_bio(ssl_, in_, out_);
  }
  ~session()
  {
    SSL_free(ssl_);
    weir__tls_peer_free(peer_);
    weir__tls_context_unref(context_);
  }
  session(const session &) = delete;

  /* Takes bytes, goes on, gives bytes. */
  std::string turn(const std::string &input)
  {
    ERR_clear_error();
    if (!input.empty())
      BIO_write(in_, input.data(), static_cast<int>(input.size()));
    SSL_do_handshake(ssl_);
    char byte;
    if (SSL_is_init_finished(ssl_) == 1)
      SSL_read(ssl_, &byte, 1); // a refused renegotiation among others
    std::string output(BIO_ctrl_pending(out_), '\0');
    if (!output.empty())
      BIO_read(out_, output.data(), static_cast<int>(output.size()));
    return output;
  }

  weir_tls_info info()
  {
    weir_tls_info out;
    EXPECT_EQ(weir__tls_describe(ssl_, &peer_, &out), 0);
    return out;
  }
  SSL *ssl() const
  {
    return ssl_;
  }

private:
  weir__tls_context *context_;
  SSL *ssl_;
  BIO *in_, *out_;
  weir__tls_peer *peer_ = nullptr;
};

/* Moves bytes until there are none, the tickets too; whether both sides are done. */
inline bool talk(tls_peer &client, session &server)
{
  for (;;) {
    if (client.handshake())
      client.read();
    std::string there = client.take_output();
    std::string back = server.turn(there);
    if (there.empty() && back.empty())
      return client.handshake() && SSL_is_init_finished(server.ssl()) == 1;
    client.got(back);
  }
}

inline long serial_of(X509 *certificate)
{
  return certificate == nullptr ? 0 : ASN1_INTEGER_get(X509_get0_serialNumber(certificate));
}

inline std::string text(weir_slice slice)
{
  return slice.data == nullptr ? "none" : std::string(slice.data, slice.len);
}

inline wish named(long serial, const std::string &name, std::vector<std::string> names)
{
  wish wanted;
  wanted.serial = serial;
  wanted.name = name;
  wanted.names = std::move(names);
  return wanted;
}

class TlsContext : public testing::Test
{
protected:
  localhost made{named(1, "localhost", {"localhost"})};
  weir_tls_options options = {};
  weir_tls *tls = nullptr;
  std::vector<std::string> names; // of files; a deque's worth of them
  std::vector<weir_tls_identity> more;

  TlsContext()
  {
    names.reserve(64);
    options.size = sizeof options;
    options.identity = {made.certificate.c_str(), made.key.c_str()};
  }
  ~TlsContext() override
  {
    weir_tls_free(tls);
  }

  /* Writes a certificate and its key as one file. */
  const char *file(const issued &pair)
  {
    const std::string name = "identity" + std::to_string(names.size()) + ".pem";
    return names.emplace_back(made.files.write(name, pair.certificate + pair.key)).c_str();
  }

  void add(const wish &wanted)
  {
    more.push_back({file(made.authority.issue(wanted)), nullptr});
    options.more = more.data();
    options.more_count = more.size();
  }

  void start()
  {
    weir_tls_error error = {};
    ASSERT_EQ(weir_tls_new(&tls, &options, &error), 0) << error.text;
  }

  void reload()
  {
    weir_tls_error error = {};
    ASSERT_EQ(weir_tls_reload(tls, &error), 0) << error.text;
  }

  /* Puts another certificate for localhost in place of the default one. */
  void replace(long serial)
  {
    issued next = made.authority.issue(named(serial, "localhost", {"localhost"}));
    made.files.write("cert.pem", next.certificate);
    made.files.write("key.pem", next.key);
  }

  /* The serial of what the server shows to a client that asks for a name; 0: no handshake. */
  long serial_for(const std::string &name)
  {
    tls_peer_options wanted;
    wanted.server_name = name;
    return serial_shown(wanted);
  }
  long serial_shown(const tls_peer_options &wanted)
  {
    session server(tls);
    tls_peer client(wanted);
    bool done = talk(client, server);
    return done ? serial_of(SSL_get0_peer_certificate(client.ssl())) : 0;
  }

  /* A client with a certificate of an authority's, and the server's view of it. */
  bool serves_client(authority &issuer, std::string *subject = nullptr)
  {
    tls_peer_options wanted;
    wanted.certificate_file = file(issuer.issue(named(77, "a client", {})));
    session server(tls);
    tls_peer client(wanted);
    if (!talk(client, server))
      return false;
    weir_tls_info info = server.info();
    EXPECT_TRUE(info.peer_verified);
    if (subject != nullptr && info.peer_subject != nullptr)
      *subject = info.peer_subject;
    return true;
  }
};

} // namespace tls_test

#endif
