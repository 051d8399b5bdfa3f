// Certificates made by the test that needs them: an authority, what it issues, and a directory of
// PEM files. Nothing here knows the library.
#ifndef WEIR_TESTS_CERTIFICATES_HPP
#define WEIR_TESTS_CERTIFICATES_HPP

#include <memory>
#include <string>
#include <vector>

struct evp_pkey_st;
struct x509_st;

namespace support
{

enum class key_kind { p256, rsa };

/* What a certificate is to say. */
struct wish {
  std::string name = "localhost";                 /* the common name of its subject */
  std::vector<std::string> names = {"localhost"}; /* DNS names; none: no subjectAltName at all */
  key_kind key = key_kind::p256;
  long serial = 0;      /* 0: the authority's next */
  bool expired = false; /* valid until an hour ago, instead of for a day */
};

/* A certificate with its key, both as PEM. */
struct issued {
  std::string certificate, key;
};

/* A CA with a self-signed certificate. */
class authority
{
public:
  explicit authority(const std::string &name = "test authority");

  const std::string &certificate() const /* PEM */
  {
    return pem_;
  }
  issued issue(const wish &wanted = {});

  /* A CA below this one; a chain is the leaf's PEM and then the CA's. */
  authority subordinate(const std::string &name);

private:
  authority(const std::string &name, authority *above);

  std::shared_ptr<evp_pkey_st> key_;
  std::shared_ptr<x509_st> self_;
  std::string pem_;
  long last_serial_ = 1000;
};

/* A PEM key, encrypted with a passphrase. */
std::string encrypted(const std::string &key, const std::string &passphrase);

/* The DER of a PEM certificate. */
std::string der_of(const std::string &certificate);

/* A temporary directory, gone with all its files at the end. */
class folder
{
public:
  folder();
  ~folder();
  folder(const folder &) = delete;

  std::string path(const std::string &name) const
  {
    return path_ + "/" + name;
  }

  /* Writes a file as a whole: who reads it meanwhile sees the old or the new one. Returns its
   * path. */
  std::string write(const std::string &name, const std::string &text) const;

private:
  std::string path_;
};

/* An authority, localhost's certificate and key, and their files: enough for most tests. */
struct localhost {
  support::authority authority;
  folder files;
  std::string ca = files.write("ca.pem", authority.certificate());
  std::string certificate, key;

  explicit localhost(const wish &wanted = {});
};

} // namespace support

#endif
