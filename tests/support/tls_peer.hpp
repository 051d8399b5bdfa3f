// The client's side of TLS for tests, without a socket: ciphertext in, ciphertext out, so that
// whoever moves the bytes may cut, hold back or drop them as the test wants.
#ifndef WEIR_TESTS_TLS_PEER_HPP
#define WEIR_TESTS_TLS_PEER_HPP

#include <openssl/ssl.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace support
{

struct tls_peer_options {
  int min_version = 0, max_version = 0; /* TLS1_2_VERSION, TLS1_3_VERSION; 0: whatever goes */
  std::string server_name = {};         /* SNI, and what a trusted certificate must be for */
  std::vector<std::string> alpn = {};
  std::string trust_file = {};       /* PEM; "": whatever certificate comes is taken */
  std::string certificate_file = {}; /* PEM, the client's own with its chain; "": none */
  std::string key_file = {};         /* "": it stands in certificate_file */
  std::string ciphers = {};          /* OpenSSL's list for TLS 1.2 */
  std::string cipher_suites = {};    /* and for TLS 1.3 */
  SSL_SESSION *session = nullptr;    /* to be resumed; the caller's own reference */
  bool allow_renegotiation = false;  /* this side may begin one (TLS 1.2) */
};

class tls_peer
{
public:
  explicit tls_peer(const tls_peer_options &options = {});
  ~tls_peer();
  tls_peer(const tls_peer &) = delete;

  /* Ciphertext that came from the server, and what is due to it by now. */
  void got(std::string_view ciphertext);
  std::string take_output();

  /* Goes on with the handshake; true once it is done. */
  bool handshake();

  /* Encrypts, one record for each 16 KiB; false before the handshake is done or after a failure. */
  bool write(std::string_view plaintext);

  /* All plaintext that is there. */
  std::string read();

  /* close_notify to the server; and whether the server's came. */
  void shutdown();
  bool closed() const
  {
    return closed_;
  }

  /* Whether TLS failed, on this side or by the server's alert; and what OpenSSL says of it. */
  bool failed() const
  {
    return !error_.empty();
  }
  const std::string &error() const
  {
    return error_;
  }

  /* Changes this side's keys, and has the server change its own too (RFC 8446 section 4.6.3). */
  bool update_keys(bool both);

  /* Asks for a new handshake (RFC 5246 section 7.4.1.1). */
  bool renegotiate();

  /* The session that the server gave last, to be resumed by another peer; NULL: none that can be.
   * Lives as long as this object. */
  SSL_SESSION *session() const;

  SSL *ssl() const
  {
    return ssl_;
  }

private:
  void note(int result);

  SSL_CTX *context_;
  SSL *ssl_;
  BIO *in_, *out_; /* the session's */
  SSL_SESSION *session_ = nullptr;
  bool closed_ = false;
  std::string error_;
};

} // namespace support

#endif
