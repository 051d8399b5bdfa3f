/* Certificates for TLS, and what a connection under TLS agreed on (<weir/tls.h>, which documents
 * the options too: names and defaults are the same, an empty string or list is C's NULL). */
#ifndef WEIR_TLS_HPP
#define WEIR_TLS_HPP

#include <memory>
#include <stdexcept>
#include <vector>

#include <weir/error.hpp>
#include <weir/tls.h>
#include <weir/view.hpp>

namespace weir
{

/* struct weir_tls_identity: PEM files; key_file empty: the key stands in the certificate's. */
struct tls_identity {
  std::string certificate_file;
  std::string key_file = {};
};

/* What is asked of clients where client_ca_file is set (enum weir_tls_clients). */
enum class tls_clients : std::size_t {
  required = WEIR_TLS_CLIENTS_REQUIRED,
  optional = WEIR_TLS_CLIENTS_OPTIONAL,
};

/* struct weir_tls_options; meant for designated initialisers. */
struct tls_options {
  tls_identity identity = {};
  std::vector<tls_identity> more = {};
  std::string client_ca_file = {};
  tls_clients client_certificates = tls_clients::required;
  std::vector<std::string> alpn = {};
  std::string ciphers = {};
  std::string cipher_suites = {};
  std::size_t min_version = 0;
};

/* Why certificates were refused: what() is the sentence that names the file or the option, code()
 * the value that the C function returned. */
class tls_error : public std::system_error
{
public:
  tls_error(int returned, const char *sentence)
      : std::system_error(to_error_code(returned)), sentence_(sentence)
  {
  }
  const char *what() const noexcept override
  {
    return sentence_.what();
  }

private:
  std::runtime_error sentence_; // copies without throwing, as an exception must
};

/* What a connection agreed on (struct weir_tls_info); views are lent until the handler returns, and
 * empty where there is nothing. */
struct tls_info {
  std::string_view version;
  std::string_view cipher;
  std::string_view server_name;
  std::string_view alpn;
  bool resumed;
  bool peer_verified;
  std::span<const std::byte> peer_certificate; /* DER */
  std::string_view peer_subject;
};

namespace detail
{

inline weir_tls_identity to_native(const tls_identity &identity) noexcept
{
  return {null_if_empty(identity.certificate_file), null_if_empty(identity.key_file)};
}

inline tls_info info_of(const weir_tls_info &native) noexcept
{
  return {.version = native.version,
          .cipher = native.cipher,
          .server_name = text_of(native.server_name),
          .alpn = text_of(native.alpn),
          .resumed = native.resumed,
          .peer_verified = native.peer_verified,
          .peer_certificate = bytes_of(native.peer_certificate),
          .peer_subject = native.peer_subject != nullptr ? native.peer_subject : ""};
}

} // namespace detail

/* Certificates and what goes with them, shared by any number of servers, which keep references of
 * their own: it may go before them. Move-only. Any thread. */
class tls
{
public:
  /* Reads the files. Throws tls_error as weir_tls_new fails. */
  explicit tls(const tls_options &options)
  {
    std::vector<weir_tls_identity> more;
    for (const tls_identity &identity : options.more)
      more.push_back(detail::to_native(identity));
    auto alpn = detail::c_strings(options.alpn);
    weir_tls_options native = {};
    native.size = sizeof(native);
    native.identity = detail::to_native(options.identity);
    native.more = more.data();
    native.more_count = more.size();
    native.client_ca_file = detail::null_if_empty(options.client_ca_file);
    native.client_certificates = static_cast<std::size_t>(options.client_certificates);
    native.alpn = alpn.empty() ? nullptr : alpn.data();
    native.ciphers = detail::null_if_empty(options.ciphers);
    native.cipher_suites = detail::null_if_empty(options.cipher_suites);
    native.min_version = options.min_version;

    weir_tls *made = nullptr;
    weir_tls_error error = {};
    check(weir_tls_new(&made, &native, &error), error);
    native_.reset(made);
  }

  /* Reads the same files again, for the connections that come from now on. Throws tls_error as
   * weir_tls_reload fails; then everything stays as it was. */
  void reload()
  {
    weir_tls_error error = {};
    check(weir_tls_reload(native_.get(), &error), error);
  }

  /* The C object, still owned here. */
  weir_tls *native() const noexcept
  {
    return native_.get();
  }

private:
  struct release {
    void operator()(weir_tls *native) const noexcept
    {
      weir_tls_free(native);
    }
  };

  static void check(int returned, const weir_tls_error &error)
  {
    if (returned < 0)
      throw tls_error(returned, error.text);
  }

  std::unique_ptr<weir_tls, release> native_;
};

} // namespace weir

#endif
