/* What a session agreed on, for the application. */
#include "io/tls_context.h"

#include "base/sys.h"

#include <errno.h>
#include <openssl/x509.h>
#include <string.h>

struct weir__tls_peer {
  size_t subject_len, der_len;
  char bytes[]; /* the subject, NUL, the certificate */
};

static const struct weir__sys *const sys = &weir__sys_linux;

static struct weir__tls_peer *make_peer(X509 *certificate, BIO *subject, int der_len)
{
  char *text;
  long len = BIO_get_mem_data(subject, &text);
  struct weir__tls_peer *peer = sys->alloc(sys, sizeof *peer + (size_t)len + 1 + (size_t)der_len);
  if (peer == NULL)
    return NULL;
  *peer = (struct weir__tls_peer){.subject_len = (size_t)len, .der_len = (size_t)der_len};
  memcpy(peer->bytes, text, (size_t)len);
  peer->bytes[len] = '\0';
  unsigned char *der = (unsigned char *)peer->bytes + len + 1;
  i2d_X509(certificate, &der);
  return peer;
}

static struct weir__tls_peer *peer_of(X509 *certificate)
{
  struct weir__tls_peer *peer = NULL;
  int der_len = i2d_X509(certificate, NULL);
  BIO *subject = BIO_new(BIO_s_mem());
  if (subject != NULL && der_len > 0 &&
      X509_NAME_print_ex(subject, X509_get_subject_name(certificate), 0, XN_FLAG_RFC2253) >= 0)
    peer = make_peer(certificate, subject, der_len);
  BIO_free(subject);
  return peer;
}

static struct weir_slice text_of(const char *text)
{
  return (struct weir_slice){text, text == NULL ? 0 : strlen(text)};
}

static void fill(SSL *ssl, struct weir_tls_info *out)
{
  const unsigned char *alpn;
  unsigned int alpn_len;
  SSL_get0_alpn_selected(ssl, &alpn, &alpn_len);
  *out = (struct weir_tls_info){
      .version = SSL_get_version(ssl),
      .cipher = SSL_get_cipher_name(ssl),
      .server_name = text_of(SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name)),
      .alpn = {(const char *)alpn, alpn_len},
      .resumed = SSL_session_reused(ssl) == 1,
  };
}

int weir__tls_describe(SSL *ssl, struct weir__tls_peer **peer, struct weir_tls_info *out)
{
  X509 *certificate = SSL_get0_peer_certificate(ssl);
  fill(ssl, out);
  if (certificate == NULL)
    return 0;
  if (*peer == NULL)
    *peer = peer_of(certificate);
  if (*peer == NULL)
    return -ENOMEM;
  out->peer_verified = SSL_get_verify_result(ssl) == X509_V_OK;
  out->peer_subject = (*peer)->bytes;
  out->peer_certificate =
      (struct weir_slice){(*peer)->bytes + (*peer)->subject_len + 1, (*peer)->der_len};
  return 0;
}

void weir__tls_peer_free(struct weir__tls_peer *peer)
{
  sys->free(sys, peer);
}
