/* What went wrong with TLS, as a sentence that names the peer's mistake where it is known (RFC 8446
 * section 6). */
#include "io/tls_loop.h"

#include <openssl/err.h>
#include <openssl/sslerr.h>
#include <openssl/x509.h>

#include <stdio.h>

static const struct {
  int reason;
  const char *sentence;
} sentences[] = {
    {SSL_R_HTTP_REQUEST, "the client speaks plain HTTP on a TLS port"},
    {SSL_R_HTTPS_PROXY_REQUEST, "the client speaks plain HTTP on a TLS port"},
    {SSL_R_WRONG_VERSION_NUMBER, "the client speaks no TLS"},
    {SSL_R_UNSUPPORTED_PROTOCOL, "no version of TLS in common"},
    {SSL_R_VERSION_TOO_LOW, "no version of TLS in common"},
    {SSL_R_NO_PROTOCOLS_AVAILABLE, "no version of TLS in common"},
    {SSL_R_NO_SHARED_CIPHER, "no cipher in common"},
    {SSL_R_NO_SUITABLE_KEY_SHARE, "no key exchange in common"},
    {SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS, "no signature algorithm in common"},
    {SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM, "no signature algorithm in common"},
    {SSL_R_NO_APPLICATION_PROTOCOL, "no application protocol in common"},
    {SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE, "the client sent no certificate"},
    {SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC, "a record was changed on its way"},
};

static const char *sentence_of(int reason)
{
  for (size_t i = 0; i < sizeof sentences / sizeof sentences[0]; i++) {
    if (sentences[i].reason == reason)
      return sentences[i].sentence;
  }
  return NULL;
}

static int reason_of(const struct weir__tls *tls)
{
  return ERR_GET_LIB(tls->error) == ERR_LIB_SSL ? ERR_GET_REASON(tls->error) : 0;
}

bool weir__tls_met_http(const struct weir__stream *stream)
{
  int reason = reason_of(weir__tls_of(stream));
  return reason == SSL_R_HTTP_REQUEST || reason == SSL_R_HTTPS_PROXY_REQUEST;
}

/* Puts together what needs more than one piece. */
static const char *compose(struct weir__tls_loop *shared, const char *what, const char *which)
{
  snprintf(shared->sentence, sizeof shared->sentence, "%s: %s", what, which);
  return shared->sentence;
}

const char *weir__tls_reason(const struct weir__stream *stream)
{
  const struct weir__tls *tls = weir__tls_of(stream);
  struct weir__tls_loop *shared = tls->loop->tls;
  if (tls->error == WEIR__TLS_NO_MEMORY)
    return "no memory for TLS";
  if (tls->error == WEIR__TLS_DEAF)
    return "the client has TLS answer and does not read";
  if (tls->error == WEIR__TLS_LONG_HELLO)
    return "the client's first message is too long";
  if (tls->error == WEIR__TLS_FOREIGN)
    return "the client speaks no TLS";
  if (tls->error == WEIR__TLS_RESTLESS)
    return "the client changes its keys too often";
  int reason = reason_of(tls);
  if (reason == SSL_R_CERTIFICATE_VERIFY_FAILED)
    return compose(shared, "the client's certificate was not accepted",
                   X509_verify_cert_error_string(SSL_get_verify_result(tls->ssl)));
  if (reason > SSL_AD_REASON_OFFSET)
    return compose(shared, "the client sent an alert",
                   SSL_alert_desc_string_long(reason - SSL_AD_REASON_OFFSET));
  const char *sentence = sentence_of(reason);
  if (sentence != NULL)
    return sentence;
  const char *theirs = ERR_reason_error_string(tls->error);
  return compose(shared, "TLS failed", theirs == NULL ? "for a reason unknown" : theirs);
}
