/* One generation: for each identity a context of OpenSSL's, all alike but for their certificates. A
 * session begins with the first one, which holds the ticket keys, and moves to another's
 * certificate when the client asks for its name. */
#include "io/tls_context.h"

#include "base/sys.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <string.h>

struct weir__tls_context {
  size_t refs;
  size_t count; /* contexts */
  unsigned int alpn_len;
  unsigned char *alpn;
  SSL_CTX *ssl[]; /* the default one first; behind them, alpn's bytes */
};

static const struct weir__sys *const sys = &weir__sys_linux;

struct weir__tls_context *weir__tls_context_ref(struct weir__tls_context *context)
{
  __atomic_fetch_add(&context->refs, 1, __ATOMIC_RELAXED);
  return context;
}

void weir__tls_context_unref(struct weir__tls_context *context)
{
  if (context == NULL || __atomic_fetch_sub(&context->refs, 1, __ATOMIC_ACQ_REL) != 1)
    return;
  for (size_t i = 0; i < context->count; i++)
    SSL_CTX_free(context->ssl[i]);
  sys->free(sys, context);
}

SSL *weir__tls_context_ssl(struct weir__tls_context *context)
{
  SSL *ssl = SSL_new(context->ssl[0]);
  if (ssl != NULL)
    SSL_set_accept_state(ssl);
  return ssl;
}

/* ---- while a handshake goes on */

/* The first context whose certificate is for a name, under flags of X509_check_host. */
static SSL_CTX *find(const struct weir__tls_context *context, const char *name, unsigned int flags)
{
  for (size_t i = 0; i < context->count; i++) {
    X509 *certificate = SSL_CTX_get0_certificate(context->ssl[i]);
    if (X509_check_host(certificate, name, 0, flags, NULL) == 1)
      return context->ssl[i];
  }
  return NULL;
}

/* RFC 6066 section 3. A name that no certificate is for is acknowledged too, so that a session that
 * resumes still knows it. A leading dot would match any subdomain. */
static int choose_identity(SSL *ssl, int *alert, void *arg)
{
  const struct weir__tls_context *context = arg;
  const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
  SSL_CTX *found = NULL;
  if (name == NULL || name[0] == '.' || context->count == 1)
    return SSL_TLSEXT_ERR_OK;
  found = find(context, name, X509_CHECK_FLAG_NO_WILDCARDS);
  if (found == NULL)
    found = find(context, name, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  if (found != NULL && SSL_set_SSL_CTX(ssl, found) == NULL) {
    *alert = SSL_AD_INTERNAL_ERROR;
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  }
  return SSL_TLSEXT_ERR_OK;
}

/* RFC 7301 section 3.2: the server's preference, or no_application_protocol. */
static int choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *len,
                           const unsigned char *offered, unsigned int offered_len, void *arg)
{
  const struct weir__tls_context *context = arg;
  unsigned char *chosen;
  (void)ssl;
  if (SSL_select_next_proto(&chosen, len, context->alpn, context->alpn_len, offered, offered_len) !=
      OPENSSL_NPN_NEGOTIATED)
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

/* ---- making one */

static int no_memory(struct weir_tls_error *error)
{
  return weir__tls_fail(error, -ENOMEM, "out of memory");
}

/* What every context has, whatever its certificate. */
static void set_defaults(SSL_CTX *ssl, struct weir__tls_context *context)
{
  SSL_CTX_set_options(ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                               SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_mode(ssl, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                            SSL_MODE_NO_AUTO_CHAIN);
  SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(ssl, 1);
  SSL_CTX_set_tlsext_servername_callback(ssl, choose_identity);
  SSL_CTX_set_tlsext_servername_arg(ssl, context);
  SSL_CTX_set_alpn_select_cb(ssl, choose_protocol, context);
}

static int set_versions(SSL_CTX *ssl, const struct weir_tls_options *options,
                        struct weir_tls_error *error)
{
  int least = options->min_version == 13 ? TLS1_3_VERSION : TLS1_2_VERSION;
  SSL_CTX_set_min_proto_version(ssl, least);
  SSL_CTX_set_max_proto_version(ssl, TLS1_3_VERSION);
  if (options->ciphers != NULL && SSL_CTX_set_cipher_list(ssl, options->ciphers) != 1)
    return weir__tls_fail(error, -EBADMSG, "ciphers: OpenSSL does not know \"%s\"",
                          options->ciphers);
  if (options->cipher_suites != NULL && SSL_CTX_set_ciphersuites(ssl, options->cipher_suites) != 1)
    return weir__tls_fail(error, -EBADMSG, "cipher_suites: OpenSSL does not know \"%s\"",
                          options->cipher_suites);
  return 0;
}

static int ask_clients(SSL_CTX *ssl, const struct weir_tls_options *options,
                       unsigned char set[WEIR__TLS_SET_BYTES], struct weir_tls_error *error)
{
  int verify = SSL_VERIFY_PEER;
  if (options->client_certificates == WEIR_TLS_CLIENTS_REQUIRED)
    verify |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
  SSL_CTX_set_verify(ssl, verify, NULL);
  X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(ssl), X509_V_FLAG_PARTIAL_CHAIN);
  return weir__tls_read_authorities(ssl, options->client_ca_file, set, error);
}

/* The first context's authorities for another. */
static int share_clients(SSL_CTX *ssl, SSL_CTX *first, struct weir_tls_error *error)
{
  STACK_OF(X509_NAME) *names = SSL_dup_CA_list(SSL_CTX_get_client_CA_list(first));
  if (names == NULL)
    return no_memory(error);
  SSL_CTX_set_client_CA_list(ssl, names);
  SSL_CTX_set1_cert_store(ssl, SSL_CTX_get_cert_store(first));
  return 0;
}

/* Sessions of other authorities' clients do not resume: that is what the id is for. */
static int set_clients(struct weir__tls_context *context, const struct weir_tls_options *options,
                       struct weir_tls_error *error)
{
  unsigned char set[WEIR__TLS_SET_BYTES] = "weir";
  SSL_CTX *first = context->ssl[0];
  int code = options->client_ca_file != NULL ? ask_clients(first, options, set, error) : 0;
  for (size_t i = 0; i < context->count && code == 0; i++) {
    SSL_CTX_set_session_id_context(context->ssl[i], set, sizeof set);
    if (i > 0 && options->client_ca_file != NULL)
      code = share_clients(context->ssl[i], first, error);
  }
  return code;
}

static int add_identity(struct weir__tls_context *context, const struct weir_tls_options *options,
                        const struct weir_tls_identity *identity, struct weir_tls_error *error)
{
  SSL_CTX *ssl = SSL_CTX_new(TLS_server_method());
  if (ssl == NULL)
    return no_memory(error);
  context->ssl[context->count++] = ssl;
  set_defaults(ssl, context);
  int code = set_versions(ssl, options, error);
  return code != 0 ? code : weir__tls_read_identity(ssl, identity, error);
}

static int fill(struct weir__tls_context *context, struct weir__tls_wish *wish, bool new_keys,
                struct weir_tls_error *error)
{
  const struct weir_tls_options *options = &wish->options;
  int code = add_identity(context, options, &options->identity, error);
  for (size_t i = 0; i < options->more_count && code == 0; i++)
    code = add_identity(context, options, &options->more[i], error);
  if (code == 0)
    code = set_clients(context, options, error);
  if (code != 0)
    return code;
  SSL_CTX *first = context->ssl[0];
  long done =
      new_keys ? SSL_CTX_get_tlsext_ticket_keys(first, wish->ticket_keys, sizeof wish->ticket_keys)
               : SSL_CTX_set_tlsext_ticket_keys(first, wish->ticket_keys, sizeof wish->ticket_keys);
  return done == 1 ? 0 : no_memory(error);
}

static struct weir__tls_context *allocate(const struct weir__tls_wish *wish)
{
  size_t slots = (1 + wish->options.more_count) * sizeof(SSL_CTX *);
  struct weir__tls_context *context = sys->alloc(sys, sizeof *context + slots + wish->alpn_len);
  if (context == NULL)
    return NULL;
  *context = (struct weir__tls_context){
      .refs = 1, .alpn_len = wish->alpn_len, .alpn = (unsigned char *)context->ssl + slots};
  memcpy(context->alpn, wish->alpn, wish->alpn_len);
  return context;
}

/* What OpenSSL says on the way goes into sentences; the thread's queue of errors is left as it was.
 */
int weir__tls_context_new(struct weir__tls_context **made, struct weir__tls_wish *wish,
                          bool new_keys, struct weir_tls_error *error)
{
  struct weir__tls_context *context = allocate(wish);
  *made = NULL;
  if (context == NULL)
    return no_memory(error);
  ERR_set_mark();
  int code = fill(context, wish, new_keys, error);
  ERR_pop_to_mark();
  if (code == 0)
    *made = context;
  else
    weir__tls_context_unref(context);
  return code;
}
