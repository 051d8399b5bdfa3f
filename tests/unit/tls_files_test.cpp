// weir_tls_new and weir_tls_reload: options out of range, and every wrong file with the sentence
// that says so.
#include <weir/tls.h>

#include "support/certificates.hpp"

#include <gtest/gtest.h>
#include <openssl/err.h>

#include <cerrno>
#include <string>

using namespace support;

namespace
{

struct outcome {
  int code;
  std::string sentence;
};

class TlsFiles : public testing::Test
{
protected:
  localhost made;
  issued other = made.authority.issue();
  weir_tls_options options = {};

  TlsFiles()
  {
    options.size = sizeof options;
    options.identity = {made.certificate.c_str(), made.key.c_str()};
  }

  std::string name(const std::string &file) const
  {
    return made.files.path(file);
  }

  /* What weir_tls_new says; whatever it is, OpenSSL's queue of errors keeps what was in it. */
  outcome try_options() const
  {
    weir_tls *tls = reinterpret_cast<weir_tls *>(1);
    weir_tls_error error = {};
    ERR_clear_error();
    ERR_raise(ERR_LIB_USER, 77);
    int code = weir_tls_new(&tls, &options, &error);
    EXPECT_EQ(ERR_GET_REASON(ERR_get_error()), 77);
    EXPECT_EQ(ERR_get_error(), 0u);
    EXPECT_EQ(tls == nullptr, code != 0);
    weir_tls_free(tls);
    EXPECT_EQ(weir_tls_new(&tls, &options, nullptr), code);
    weir_tls_free(tls);
    return {code, error.text};
  }

  void expect(int code, const std::string &sentence) const
  {
    outcome got = try_options();
    EXPECT_EQ(got.code, code) << got.sentence;
    EXPECT_EQ(got.sentence, sentence);
  }
};

TEST_F(TlsFiles, GoodFilesOfAllKinds)
{
  expect(0, "");
  wish rsa;
  rsa.key = key_kind::rsa;
  issued with_rsa = made.authority.issue(rsa);
  made.files.write("key.pem", with_rsa.key);
  made.files.write("cert.pem", with_rsa.certificate + made.authority.certificate());
  expect(0, "");
  made.files.write("cert.pem", with_rsa.key + with_rsa.certificate);
  options.identity.key_file = nullptr;
  expect(0, "");
  options.client_ca_file = made.ca.c_str();
  expect(0, "");
}

TEST_F(TlsFiles, AnExpiredCertificateIsTaken)
{
  wish expired;
  expired.expired = true;
  issued old = made.authority.issue(expired);
  made.files.write("cert.pem", old.certificate);
  made.files.write("key.pem", old.key);
  expect(0, "");
}

TEST_F(TlsFiles, CertificatesThatAreNone)
{
  const std::string cert = name("cert.pem");
  made.files.write("cert.pem", "");
  expect(-EBADMSG, cert + ": no PEM certificate in it");
  made.files.write("cert.pem", other.key);
  expect(-EBADMSG, cert + ": no PEM certificate in it");
  made.files.write("cert.pem", std::string("\0\x30\x82", 3) + "text\n");
  expect(-EBADMSG, cert + ": not a text file");
  made.files.write("cert.pem", other.certificate + std::string("\0\n", 2));
  expect(-EBADMSG, cert + ": not a text file");
  const std::string broken = "-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n";
  made.files.write("cert.pem", broken);
  expect(-EBADMSG, cert + ": a certificate that cannot be read: bad base64 decode");
  made.files.write("cert.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
  EXPECT_EQ(try_options().code, -EBADMSG);
  made.files.write("cert.pem", other.certificate.substr(0, 300));
  EXPECT_EQ(try_options().code, -EBADMSG);
  made.files.write("cert.pem", other.certificate + broken);
  expect(-EBADMSG, cert + ": a certificate that cannot be read: bad base64 decode");
}

TEST_F(TlsFiles, FilesThatAreNotThere)
{
  const std::string missing = name("missing.pem"), directory = name("");
  options.identity.certificate_file = missing.c_str();
  expect(-ENOENT, missing + ": No such file or directory");
  options.identity.certificate_file = directory.c_str();
  expect(-EISDIR, directory + ": Is a directory");
  options.identity.certificate_file = made.certificate.c_str();
  options.identity.key_file = missing.c_str();
  expect(-ENOENT, missing + ": No such file or directory");
  options.identity.key_file = directory.c_str();
  expect(-EISDIR, directory + ": Is a directory");
  options.identity.key_file = made.key.c_str();
  options.client_ca_file = missing.c_str();
  expect(-ENOENT, missing + ": No such file or directory");
  const std::string below = name("cert.pem/below");
  options.client_ca_file = below.c_str();
  expect(-ENOTDIR, below + ": Not a directory");
}

TEST_F(TlsFiles, KeysThatAreNone)
{
  const std::string key = name("key.pem");
  made.files.write("key.pem", other.key);
  expect(-EBADMSG, key + ": the key does not belong to the certificate in " + made.certificate);
  wish rsa;
  rsa.key = key_kind::rsa;
  made.files.write("key.pem", made.authority.issue(rsa).key);
  expect(-EBADMSG, key + ": the key does not belong to the certificate in " + made.certificate);
  made.files.write("key.pem", "");
  expect(-EBADMSG, key + ": no PEM private key in it");
  made.files.write("key.pem", other.certificate);
  expect(-EBADMSG, key + ": no PEM private key in it");
  options.identity.key_file = nullptr;
  expect(-EBADMSG, made.certificate + ": no PEM private key in it");
  options.identity.key_file = key.c_str();
  made.files.write("key.pem", "-----BEGIN PRIVATE KEY-----\n!!!!\n-----END PRIVATE KEY-----\n");
  EXPECT_EQ(try_options().code, -EBADMSG);
  made.files.write("key.pem", other.key.substr(0, 100));
  EXPECT_EQ(try_options().code, -EBADMSG);
}

TEST_F(TlsFiles, AnEncryptedKeyIsRefusedWithoutAPrompt)
{
  const std::string key = made.files.write("key.pem", encrypted(other.key, "sesame"));
  expect(-EBADMSG, key + ": the key is encrypted, and there is nobody to ask for a passphrase");
}

TEST_F(TlsFiles, AnEncryptedCertificateIsRefusedWithoutAPrompt)
{
  std::string certificate = other.certificate;
  certificate.insert(certificate.find('\n') + 1,
                     "Proc-Type: 4,ENCRYPTED\n"
                     "DEK-Info: AES-128-CBC,00112233445566778899AABBCCDDEEFF\n\n");
  const std::string file = made.files.write("encrypted.pem", certificate);
  const std::string why = " is encrypted, and there is nobody to ask for a passphrase";
  options.identity.certificate_file = file.c_str();
  expect(-EBADMSG, file + ": a certificate" + why);
}

TEST_F(TlsFiles, AuthoritiesThatAreNone)
{
  const std::string ca = made.files.write("none.pem", "no PEM\n");
  options.client_ca_file = ca.c_str();
  expect(-EBADMSG, ca + ": no PEM certificate in it");
  made.files.write("none.pem", made.authority.certificate() + made.authority.certificate());
  expect(0, "");
}

TEST_F(TlsFiles, AFurtherIdentityIsNamedToo)
{
  const std::string missing = name("more.pem");
  const weir_tls_identity more[] = {{made.certificate.c_str(), made.key.c_str()},
                                    {missing.c_str(), nullptr}};
  options.more = more;
  options.more_count = 2;
  expect(-ENOENT, missing + ": No such file or directory");
  options.more_count = 1;
  expect(0, "");
}

TEST_F(TlsFiles, ALongNameIsCutAndStaysOneString)
{
  const std::string missing = name(std::string(250, 'x'));
  options.identity.certificate_file = missing.c_str();
  outcome got = try_options();
  EXPECT_EQ(got.code, -ENOENT);
  EXPECT_EQ(got.sentence, missing.substr(0, 255));
}

TEST_F(TlsFiles, CiphersThatOpensslDoesNotKnow)
{
  options.ciphers = "WATER";
  expect(-EBADMSG, "ciphers: OpenSSL does not know \"WATER\"");
  options.ciphers = "ECDHE-ECDSA-AES128-GCM-SHA256";
  options.cipher_suites = "TLS_WATER";
  expect(-EBADMSG, "cipher_suites: OpenSSL does not know \"TLS_WATER\"");
  options.cipher_suites = "TLS_CHACHA20_POLY1305_SHA256";
  expect(0, "");
}

TEST_F(TlsFiles, OptionsOutOfTheirRange)
{
  weir_tls *tls;
  EXPECT_EQ(weir_tls_new(nullptr, &options, nullptr), -EINVAL);
  EXPECT_EQ(weir_tls_new(&tls, nullptr, nullptr), -EINVAL);
  for (size_t size : {size_t{0}, size_t{7}, sizeof options + 1}) {
    options.size = size;
    expect(-EINVAL, "options: a size that no version has");
  }
  options.size = sizeof options;
  options.min_version = 11;
  expect(-EINVAL, "min_version: neither 12 nor 13");
  options.min_version = 0;
  options.client_certificates = WEIR_TLS_CLIENTS_OPTIONAL;
  expect(-EINVAL, "client_certificates: only with client_ca_file");
  options.client_ca_file = made.ca.c_str();
  expect(0, "");
  options.client_certificates = 2;
  expect(-EINVAL, "client_certificates: no value of enum weir_tls_clients");
  options.client_certificates = 0;
  options.more_count = 1;
  expect(-EINVAL, "more: NULL, but more_count is not 0");
  const weir_tls_identity empty = {};
  options.more = &empty;
  expect(-EINVAL, "more: an identity without certificate_file");
  options.more_count = 65537;
  expect(-EINVAL, "more_count: over 65,536");
  options.more_count = 0;
  options.identity.certificate_file = nullptr;
  expect(-EINVAL, "identity: no certificate_file");
}

TEST_F(TlsFiles, ProtocolsOutOfTheirRange)
{
  const std::string most(255, 'a'), longer(256, 'a');
  const char *alpn[] = {nullptr, nullptr};
  options.alpn = alpn;
  expect(-EINVAL, "alpn: no protocol in the list");
  alpn[0] = "";
  expect(-EINVAL, "alpn: a protocol's name has 1 to 255 bytes");
  alpn[0] = longer.c_str();
  expect(-EINVAL, "alpn: a protocol's name has 1 to 255 bytes");
  alpn[0] = most.c_str();
  expect(0, "");
}

TEST_F(TlsFiles, AnEarlierVersionsStructureIsUnderstood)
{
  options.min_version = 99; // behind the size given: not there
  options.size = offsetof(weir_tls_options, min_version);
  expect(0, "");
}

TEST_F(TlsFiles, AReloadSaysTheSame)
{
  weir_tls *tls;
  weir_tls_error error = {};
  ASSERT_EQ(weir_tls_new(&tls, &options, &error), 0) << error.text;
  made.files.write("key.pem", other.key);
  EXPECT_EQ(weir_tls_reload(tls, &error), -EBADMSG);
  EXPECT_EQ(error.text,
            made.key + ": the key does not belong to the certificate in " + made.certificate);
  EXPECT_EQ(weir_tls_reload(tls, nullptr), -EBADMSG);
  made.files.write("cert.pem", other.certificate);
  EXPECT_EQ(weir_tls_reload(tls, &error), 0) << error.text;
  EXPECT_EQ(weir_tls_reload(nullptr, &error), -EINVAL);
  weir_tls_free(tls);
  weir_tls_free(nullptr);
}

} // namespace
