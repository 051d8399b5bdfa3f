/* PEM files in, a context's certificates and keys out; each failure is a sentence that names the
 * file. OpenSSL reads the files: this is the one place of the core that does not go through sys. */
#include "io/tls_context.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <weir/error.h>

int weir__tls_fail(struct weir_tls_error *error, int code, const char *format, ...)
{
  va_list arguments;
  if (error == NULL)
    return code;
  va_start(arguments, format);
  vsnprintf(error->text, sizeof error->text, format, arguments);
  va_end(arguments);
  return code;
}

/* A file that is open, and where its failures go. */
struct file {
  const char *name;
  BIO *bio;
  struct weir_tls_error *error;
};

static int fail_errno(const struct file *file, int number)
{
  int code = number == 0 ? -EIO : -number;
  return weir__tls_fail(file->error, code, "%s: %s", file->name, weir_strerror(code));
}

static int open_file(struct file *file, const char *name, struct weir_tls_error *error)
{
  *file = (struct file){.name = name, .error = error};
  errno = 0;
  file->bio = BIO_new_file(name, "r");
  return file->bio != NULL ? 0 : fail_errno(file, errno);
}

/* OpenSSL's last error as a code and a sentence; what says what the file was wanted for. */
static int fail_openssl(const struct file *file, const char *what)
{
  unsigned long last = ERR_peek_last_error();
  const char *why = ERR_reason_error_string(last);
  if (ERR_GET_REASON(last) == ERR_R_MALLOC_FAILURE)
    return fail_errno(file, ENOMEM);
  return weir__tls_fail(file->error, -EBADMSG, "%s: %s: %s", file->name, what,
                        why != NULL ? why : "unknown error");
}

/* Whether a PEM_read that gave nothing found nothing. */
static bool found_none(void)
{
  unsigned long last = ERR_peek_last_error();
  return ERR_GET_LIB(last) == ERR_LIB_PEM && ERR_GET_REASON(last) == PEM_R_NO_START_LINE;
}

/* Then: whether that is because the file had ended. A NUL that begins a line ends OpenSSL's reading
 * too. Returns 0 or an error with its sentence. */
static int check_end(const struct file *file, int number)
{
  if (BIO_eof(file->bio) != 0)
    return 0;
  if (number != 0)
    return fail_errno(file, number);
  return weir__tls_fail(file->error, -EBADMSG, "%s: not a text file", file->name);
}

/* In place of a prompt on the terminal. */
static int refuse_passphrase(char *out, int size, int writing, void *asked)
{
  (void)out;
  (void)size;
  (void)writing;
  *(bool *)asked = true;
  return -1;
}

static int fail_encrypted(const struct file *file, const char *what)
{
  return weir__tls_fail(file->error, -EBADMSG,
                        "%s: %s is encrypted, and there is nobody to ask for a passphrase",
                        file->name, what);
}

/* The next certificate; NULL with *code 0 behind the last one. */
static X509 *next_certificate(const struct file *file, int *code)
{
  bool encrypted = false;
  errno = 0;
  X509 *certificate = PEM_read_bio_X509_AUX(file->bio, NULL, refuse_passphrase, &encrypted);
  if (certificate != NULL)
    *code = 0;
  else if (encrypted)
    *code = fail_encrypted(file, "a certificate");
  else if (found_none())
    *code = check_end(file, errno);
  else
    *code = fail_openssl(file, "a certificate that cannot be read");
  return certificate;
}

static int fail_empty(const struct file *file)
{
  return weir__tls_fail(file->error, -EBADMSG, "%s: no PEM certificate in it", file->name);
}

/* The certificate itself, and behind it what issued it. */
static int read_chain(SSL_CTX *ssl, const struct file *file)
{
  int code;
  X509 *certificate = next_certificate(file, &code);
  if (certificate == NULL)
    return code != 0 ? code : fail_empty(file);
  bool taken = SSL_CTX_use_certificate(ssl, certificate) == 1;
  X509_free(certificate);
  if (!taken)
    return fail_openssl(file, "the certificate is not usable");
  while ((certificate = next_certificate(file, &code)) != NULL) {
    if (SSL_CTX_add0_chain_cert(ssl, certificate) != 1) {
      X509_free(certificate);
      return fail_openssl(file, "a certificate of the chain is not usable");
    }
  }
  return code;
}

/* Why there is no key: the decoders that looked for one do not tell none from a broken one. */
static int fail_key(const struct file *file, bool encrypted)
{
  unsigned char *data = NULL;
  long len;
  if (encrypted)
    return fail_encrypted(file, "the key");
  int code = fail_openssl(file, "a private key that cannot be read");
  BIO_reset(file->bio);
  errno = 0;
  if (PEM_bytes_read_bio(&data, &len, NULL, PEM_STRING_EVP_PKEY, file->bio, refuse_passphrase,
                         &encrypted) == 1)
    OPENSSL_clear_free(data, (size_t)len);
  else if (found_none() && (code = check_end(file, errno)) == 0)
    code = weir__tls_fail(file->error, -EBADMSG, "%s: no PEM private key in it", file->name);
  return code;
}

static int use_key(SSL_CTX *ssl, const struct file *file, EVP_PKEY *key,
                   const char *certificate_file)
{
  if (X509_check_private_key(SSL_CTX_get0_certificate(ssl), key) != 1)
    return weir__tls_fail(file->error, -EBADMSG,
                          "%s: the key does not belong to the certificate in %s", file->name,
                          certificate_file);
  return SSL_CTX_use_PrivateKey(ssl, key) == 1 ? 0 : fail_openssl(file, "the key is not usable");
}

static int read_key(SSL_CTX *ssl, const struct file *file, const char *certificate_file)
{
  bool encrypted = false;
  EVP_PKEY *key = PEM_read_bio_PrivateKey(file->bio, NULL, refuse_passphrase, &encrypted);
  if (key == NULL)
    return fail_key(file, encrypted);
  int code = use_key(ssl, file, key, certificate_file);
  EVP_PKEY_free(key);
  return code;
}

int weir__tls_read_identity(SSL_CTX *ssl, const struct weir_tls_identity *identity,
                            struct weir_tls_error *error)
{
  const char *certificate = identity->certificate_file;
  struct file file;
  int code = open_file(&file, certificate, error);
  if (code == 0)
    code = read_chain(ssl, &file);
  BIO_free(file.bio);
  if (code != 0)
    return code;
  code = open_file(&file, identity->key_file != NULL ? identity->key_file : certificate, error);
  if (code == 0)
    code = read_key(ssl, &file, certificate);
  BIO_free(file.bio);
  return code;
}

/* set = SHA-256(set, certificate's SHA-256). */
static bool add_to_set(unsigned char set[WEIR__TLS_SET_BYTES], const X509 *certificate)
{
  unsigned char both[2 * WEIR__TLS_SET_BYTES];
  memcpy(both, set, WEIR__TLS_SET_BYTES);
  return X509_digest(certificate, EVP_sha256(), both + WEIR__TLS_SET_BYTES, NULL) == 1 &&
         EVP_Digest(both, sizeof both, set, NULL, EVP_sha256(), NULL) == 1;
}

static int read_all(SSL_CTX *ssl, const struct file *file, unsigned char set[WEIR__TLS_SET_BYTES])
{
  X509_STORE *store = SSL_CTX_get_cert_store(ssl);
  X509 *certificate;
  int count = 0, code;
  while ((certificate = next_certificate(file, &code)) != NULL) {
    bool taken = X509_STORE_add_cert(store, certificate) == 1 &&
                 SSL_CTX_add_client_CA(ssl, certificate) == 1 && add_to_set(set, certificate);
    X509_free(certificate);
    if (!taken)
      return fail_openssl(file, "an authority is not usable");
    count++;
  }
  return code != 0 || count > 0 ? code : fail_empty(file);
}

int weir__tls_read_authorities(SSL_CTX *ssl, const char *file,
                               unsigned char set[WEIR__TLS_SET_BYTES], struct weir_tls_error *error)
{
  struct file opened;
  memset(set, 0, WEIR__TLS_SET_BYTES);
  int code = open_file(&opened, file, error);
  if (code == 0)
    code = read_all(ssl, &opened, set);
  BIO_free(opened.bio);
  return code;
}
