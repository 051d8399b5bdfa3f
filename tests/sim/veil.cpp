#define OPENSSL_SUPPRESS_DEPRECATED // RAND_set_rand_method has no successor that is as short
#include "veil.hpp"

#include "support/certificates.hpp"

#include <algorithm>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <weir/tls.h>

namespace sim
{

namespace
{

dice openssl_dice(0);

int random_bytes(unsigned char *out, int len)
{
  for (int i = 0; i < len; ++i)
    out[i] = static_cast<unsigned char>(openssl_dice.next());
  return 1;
}

int random_status()
{
  return 1;
}

const RAND_METHOD by_dice = {nullptr, random_bytes, nullptr, nullptr, random_bytes, random_status};

// Bytes of the signature in a certificate.
int signature_length(const std::string &pem)
{
  BIO *bio = BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()));
  X509 *certificate = PEM_read_bio_X509(bio, nullptr, nullptr, nullptr);
  const ASN1_BIT_STRING *signature = nullptr;
  X509_get0_signature(&signature, nullptr, certificate);
  int len = signature->length;
  X509_free(certificate);
  BIO_free(bio);
  return len;
}

// Made once a process. An ECDSA signature has 70 to 72 bytes, rarely fewer.
struct identity {
  support::authority authority;
  support::folder folder;
  std::string ca, certificate, key;

  identity()
  {
    support::issued made;
    do
      made = authority.issue({.key = support::key_kind::rsa});
    while (signature_length(made.certificate) != 71);
    ca = folder.write("ca.pem", authority.certificate());
    certificate = folder.write("cert.pem", made.certificate);
    key = folder.write("key.pem", made.key);
  }
};

const identity &files()
{
  static const identity made;
  return made;
}

support::tls_peer_options options_of(const veil_manners &how, SSL_SESSION *resumed)
{
  support::tls_peer_options o;
  o.max_version = how.older ? TLS1_2_VERSION : 0;
  o.server_name = "localhost";
  o.trust_file = how.trusts ? files().ca : "";
  o.session = resumed;
  return o;
}

} // namespace

void seed_tls(uint64_t seed)
{
  files(); // its bytes are not of this seed
  RAND_set_rand_method(&by_dice);
  openssl_dice = dice(seed);
}

struct weir_tls *server_tls(std::string *why)
{
  struct weir_tls_options o = {};
  struct weir_tls_error error = {};
  struct weir_tls *made = nullptr;
  o.size = sizeof o;
  o.identity = {files().certificate.c_str(), files().key.c_str()};
  if (weir_tls_new(&made, &o, &error) != 0)
    *why = error.text;
  return made;
}

veil::veil(const veil_manners &how, SSL_SESSION *resumed, dice &whims)
    : whims_(whims), peer_(options_of(how, resumed))
{
  peer_.handshake();
}

void veil::write(std::string_view plaintext)
{
  waiting_ += plaintext;
  encrypt();
}

// Mostly the largest records, sometimes the smallest.
void veil::encrypt()
{
  if (waiting_.empty() || !peer_.handshake())
    return;
  std::string_view left = waiting_;
  while (!left.empty() && peer_.error().empty()) {
    size_t most = whims_.chance(300) ? 1 + whims_.below(600) : 16384;
    size_t n = std::min(left.size(), most);
    peer_.write(left.substr(0, n));
    left.remove_prefix(n);
  }
  waiting_.clear();
}

std::string veil::got(std::string_view ciphertext)
{
  peer_.got(ciphertext);
  std::string plaintext = peer_.handshake() ? peer_.read() : "";
  encrypt();
  return plaintext;
}

std::string veil::due()
{
  return peer_.take_output();
}

void veil::change_keys()
{
  if (SSL_version(peer_.ssl()) == TLS1_3_VERSION && peer_.handshake())
    peer_.update_keys(whims_.chance(500));
}

} // namespace sim
