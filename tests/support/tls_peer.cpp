#include "support/tls_peer.hpp"

#include <openssl/err.h>

#include <stdexcept>

namespace support
{

namespace
{

void check(bool good, const char *what)
{
  char text[256];
  if (good)
    return;
  ERR_error_string_n(ERR_get_error(), text, sizeof text);
  throw std::runtime_error(std::string(what) + ": " + text);
}

/* A list as it stands in a ClientHello (RFC 7301 section 3.1). */
std::string alpn_list(const std::vector<std::string> &names)
{
  std::string out;
  for (const std::string &name : names)
    out += static_cast<char>(name.size()) + name;
  return out;
}

void identify(SSL_CTX *context, const tls_peer_options &options)
{
  const std::string &key = options.key_file.empty() ? options.certificate_file : options.key_file;
  if (options.certificate_file.empty())
    return;
  check(SSL_CTX_use_certificate_chain_file(context, options.certificate_file.c_str()) == 1,
        "the client's certificate");
  check(SSL_CTX_use_PrivateKey_file(context, key.c_str(), SSL_FILETYPE_PEM) == 1,
        "the client's key");
}

SSL_CTX *context_of(const tls_peer_options &options)
{
  SSL_CTX *context = SSL_CTX_new(TLS_client_method());
  check(context != nullptr, "SSL_CTX_new");
  SSL_CTX_set_min_proto_version(context, options.min_version);
  SSL_CTX_set_max_proto_version(context, options.max_version);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  if (!options.allow_renegotiation)
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION);
  if (!options.ciphers.empty())
    check(SSL_CTX_set_cipher_list(context, options.ciphers.c_str()) == 1, "ciphers");
  if (!options.cipher_suites.empty())
    check(SSL_CTX_set_ciphersuites(context, options.cipher_suites.c_str()) == 1, "cipher suites");
  if (!options.trust_file.empty()) {
    check(SSL_CTX_load_verify_locations(context, options.trust_file.c_str(), nullptr) == 1,
          "the trust file");
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  }
  identify(context, options);
  return context;
}

} // namespace

tls_peer::tls_peer(const tls_peer_options &options)
    : context_(context_of(options)), ssl_(SSL_new(context_)), in_(BIO_new(BIO_s_mem())),
      out_(BIO_new(BIO_s_mem()))
{
  check(ssl_ != nullptr && in_ != nullptr && out_ != nullptr, "SSL_new");
  SSL_set_app_data(ssl_, this);
  SSL_CTX_sess_set_new_cb(context_, [](SSL *ssl, SSL_SESSION *session) {
    auto *self = static_cast<tls_peer *>(SSL_get_app_data(ssl));
    SSL_SESSION_free(self->session_);
    self->session_ = session;
    return 1; /* the reference is taken */
  });
  BIO_set_mem_eof_return(in_, -1);
  SSL_set_bio(ssl_, in_, out_);
  SSL_set_connect_state(ssl_);
  if (!options.server_name.empty()) {
    SSL_set_tlsext_host_name(ssl_, options.server_name.c_str());
    SSL_set1_host(ssl_, options.server_name.c_str());
  }
  std::string names = alpn_list(options.alpn);
  if (!names.empty())
    SSL_set_alpn_protos(ssl_, reinterpret_cast<const unsigned char *>(names.data()),
                        static_cast<unsigned>(names.size()));
  if (options.session != nullptr)
    check(SSL_set_session(ssl_, options.session) == 1, "the session");
}

tls_peer::~tls_peer()
{
  SSL_free(ssl_);
  SSL_SESSION_free(session_);
  SSL_CTX_free(context_);
}

/* Keeps the first failure. */
void tls_peer::note(int result)
{
  int error = SSL_get_error(ssl_, result);
  if (error == SSL_ERROR_ZERO_RETURN)
    closed_ = true;
  if ((error == SSL_ERROR_SSL || error == SSL_ERROR_SYSCALL) && error_.empty()) {
    const char *reason = ERR_reason_error_string(ERR_peek_error());
    error_ = reason == nullptr ? "TLS failed" : reason;
  }
}

void tls_peer::got(std::string_view ciphertext)
{
  if (!ciphertext.empty())
    BIO_write(in_, ciphertext.data(), static_cast<int>(ciphertext.size()));
}

std::string tls_peer::take_output()
{
  std::string out(BIO_ctrl_pending(out_), '\0');
  if (!out.empty())
    BIO_read(out_, out.data(), static_cast<int>(out.size()));
  return out;
}

bool tls_peer::handshake()
{
  ERR_clear_error();
  if (!SSL_is_init_finished(ssl_) && !failed())
    note(SSL_do_handshake(ssl_));
  return SSL_is_init_finished(ssl_) == 1 && !failed();
}

bool tls_peer::write(std::string_view plaintext)
{
  size_t written;
  if (!handshake())
    return false;
  ERR_clear_error();
  int result =
      plaintext.empty() ? 1 : SSL_write_ex(ssl_, plaintext.data(), plaintext.size(), &written);
  if (result != 1)
    note(result);
  return result == 1;
}

std::string tls_peer::read()
{
  std::string out;
  char record[SSL3_RT_MAX_PLAIN_LENGTH];
  if (failed() || closed_)
    return out;
  for (;;) {
    size_t n;
    ERR_clear_error();
    int result = SSL_read_ex(ssl_, record, sizeof record, &n);
    if (result != 1) {
      note(result);
      return out;
    }
    out.append(record, n);
  }
}

void tls_peer::shutdown()
{
  ERR_clear_error();
  if (!failed())
    SSL_shutdown(ssl_);
}

bool tls_peer::update_keys(bool both)
{
  int kind = both ? SSL_KEY_UPDATE_REQUESTED : SSL_KEY_UPDATE_NOT_REQUESTED;
  ERR_clear_error();
  return SSL_key_update(ssl_, kind) == 1 && SSL_do_handshake(ssl_) == 1;
}

bool tls_peer::renegotiate()
{
  ERR_clear_error();
  if (SSL_renegotiate(ssl_) != 1)
    return false;
  note(SSL_do_handshake(ssl_));
  return !failed();
}

SSL_SESSION *tls_peer::session() const
{
  return session_ != nullptr && SSL_SESSION_is_resumable(session_) ? session_ : nullptr;
}

} // namespace support
