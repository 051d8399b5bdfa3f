#include "support/certificates.hpp"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>

namespace support
{
namespace
{

using key_ptr = std::shared_ptr<EVP_PKEY>;
using x509_ptr = std::shared_ptr<X509>;
using bio_ptr = std::unique_ptr<BIO, int (*)(BIO *)>;

void need(bool good, const char *what)
{
  if (!good)
    throw std::runtime_error(what);
}

bio_ptr memory()
{
  return {BIO_new(BIO_s_mem()), BIO_free};
}

std::string text_of(BIO *bio)
{
  char *data;
  long len = BIO_get_mem_data(bio, &data);
  return {data, static_cast<size_t>(len)};
}

key_ptr make_key(key_kind kind)
{
  EVP_PKEY *made = kind == key_kind::rsa ? EVP_RSA_gen(2048) : EVP_EC_gen("P-256");
  need(made != nullptr, "no key was made");
  return {made, EVP_PKEY_free};
}

std::string pem_of(EVP_PKEY *key)
{
  bio_ptr out = memory();
  need(PEM_write_bio_PrivateKey(out.get(), key, nullptr, nullptr, 0, nullptr, nullptr) == 1, "key");
  return text_of(out.get());
}

std::string pem_of(X509 *certificate)
{
  bio_ptr out = memory();
  need(PEM_write_bio_X509(out.get(), certificate) == 1, "certificate");
  return text_of(out.get());
}

void extend(X509 *certificate, X509 *issuer, int nid, const std::string &value)
{
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION *made = X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str());
  need(made != nullptr, value.c_str());
  X509_add_ext(certificate, made, -1);
  X509_EXTENSION_free(made);
}

/* A version 3 certificate without extensions, unsigned; it began a day ago. */
x509_ptr draft(const std::string &name, EVP_PKEY *key, long serial, bool expired)
{
  x509_ptr made(X509_new(), X509_free);
  X509_set_version(made.get(), X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(made.get()), serial);
  X509_gmtime_adj(X509_getm_notBefore(made.get()), -86400);
  X509_gmtime_adj(X509_getm_notAfter(made.get()), expired ? -3600 : 86400);
  X509_set_pubkey(made.get(), key);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(made.get()), "CN", MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char *>(name.c_str()), -1, -1, 0);
  return made;
}

x509_ptr draft_ca(const std::string &name, EVP_PKEY *key, X509 *issuer, long serial)
{
  x509_ptr made = draft(name, key, serial, false);
  X509 *above = issuer != nullptr ? issuer : made.get();
  X509_set_issuer_name(made.get(), X509_get_subject_name(above));
  extend(made.get(), above, NID_basic_constraints, "critical,CA:TRUE");
  extend(made.get(), above, NID_key_usage, "critical,keyCertSign,cRLSign");
  extend(made.get(), above, NID_subject_key_identifier, "hash");
  return made;
}

void sign(X509 *certificate, EVP_PKEY *key)
{
  need(X509_sign(certificate, key, EVP_sha256()) > 0, "signing");
}

template <class Read> auto parse(const std::string &pem, Read read)
{
  bio_ptr in(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), BIO_free);
  auto *made = read(in.get(), nullptr, nullptr, nullptr);
  need(made != nullptr, "not PEM");
  return made;
}

} // namespace

authority::authority(const std::string &name, authority *above) : key_(make_key(key_kind::p256))
{
  self_ = above != nullptr ? draft_ca(name, key_.get(), above->self_.get(), ++above->last_serial_)
                           : draft_ca(name, key_.get(), nullptr, 1);
  sign(self_.get(), above != nullptr ? above->key_.get() : key_.get());
  pem_ = pem_of(self_.get());
}

authority::authority(const std::string &name) : authority(name, nullptr) {}

authority authority::subordinate(const std::string &name)
{
  return authority(name, this);
}

issued authority::issue(const wish &wanted)
{
  key_ptr key = make_key(wanted.key);
  long serial = wanted.serial != 0 ? wanted.serial : ++last_serial_;
  x509_ptr made = draft(wanted.name, key.get(), serial, wanted.expired);
  X509_set_issuer_name(made.get(), X509_get_subject_name(self_.get()));
  extend(made.get(), self_.get(), NID_basic_constraints, "critical,CA:FALSE");
  std::string names;
  for (const std::string &name : wanted.names)
    names += (names.empty() ? "DNS:" : ",DNS:") + name;
  if (!names.empty())
    extend(made.get(), self_.get(), NID_subject_alt_name, names);
  sign(made.get(), key_.get());
  return {pem_of(made.get()), pem_of(key.get())};
}

std::string encrypted(const std::string &key, const std::string &passphrase)
{
  key_ptr parsed(parse(key, PEM_read_bio_PrivateKey), EVP_PKEY_free);
  bio_ptr out = memory();
  need(PEM_write_bio_PKCS8PrivateKey(out.get(), parsed.get(), EVP_aes_256_cbc(), passphrase.data(),
                                     static_cast<int>(passphrase.size()), nullptr, nullptr) == 1,
       "encrypting");
  return text_of(out.get());
}

std::string der_of(const std::string &certificate)
{
  x509_ptr parsed(parse(certificate, PEM_read_bio_X509), X509_free);
  unsigned char *data = nullptr;
  int len = i2d_X509(parsed.get(), &data);
  need(len > 0, "DER");
  std::string der(reinterpret_cast<char *>(data), static_cast<size_t>(len));
  OPENSSL_free(data);
  return der;
}

folder::folder()
{
  std::string name = std::filesystem::temp_directory_path() / "weir-XXXXXX";
  need(mkdtemp(name.data()) != nullptr, "no temporary directory");
  path_ = name;
}

folder::~folder()
{
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string folder::write(const std::string &name, const std::string &text) const
{
  const std::string final_path = path(name), partial = final_path + ".part";
  std::ofstream(partial, std::ios::binary) << text;
  std::filesystem::rename(partial, final_path);
  return final_path;
}

localhost::localhost(const wish &wanted)
{
  issued made = authority.issue(wanted);
  certificate = files.write("cert.pem", made.certificate);
  key = files.write("key.pem", made.key);
}

} // namespace support
