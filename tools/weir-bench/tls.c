#include "tls.h"

#include "worker.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>

enum {
  RECORD = 17 << 10, /* that a connection may hold in parts: what is received on top has room */
  RECEIVED_BYTES = WEIR__RECEIVE_BYTES - RECORD,
  WIRE_OUT_BYTES = OUT_BYTES + (32 << 10) /* a fill of messages with its records' overhead */
};

static struct client *client_of(struct weir__stream *stream)
{
  return WEIR__CONTAINER(stream, struct client, stream);
}

/* ---- the BIO: between OpenSSL and a thread's wire */

static int wire_read(BIO *bio, char *data, int len)
{
  struct tls_wire *wire = BIO_get_data(bio);
  size_t n = wire->in_len < (size_t)len ? wire->in_len : (size_t)len;
  BIO_clear_retry_flags(bio);
  if (n == 0) {
    BIO_set_retry_read(bio);
    return -1;
  }
  memcpy(data, wire->in, n);
  wire->in += n;
  wire->in_len -= n;
  return (int)n;
}

static int wire_write(BIO *bio, const char *data, int len)
{
  struct tls_wire *wire = BIO_get_data(bio);
  BIO_clear_retry_flags(bio);
  if ((size_t)len > WIRE_OUT_BYTES - wire->out_len)
    return -1;
  memcpy(wire->out + wire->out_len, data, (size_t)len);
  wire->out_len += (size_t)len;
  return len;
}

static long wire_control(BIO *bio, int command, long number, void *pointer)
{
  (void)bio;
  (void)number;
  (void)pointer;
  return command == BIO_CTRL_FLUSH;
}

/* ---- what a run and its threads have */

static int any_certificate(X509_STORE_CTX *store, void *arg)
{
  X509_STORE_CTX_set_error(store, X509_V_OK);
  (void)arg;
  return 1;
}

/* A session that can be resumed came: the thread's next connections try. */
static int on_session(SSL *ssl, SSL_SESSION *session)
{
  const struct client *client = SSL_get_app_data(ssl);
  struct tls_wire *wire = client->worker->wire;
  SSL_SESSION_free(wire->session);
  wire->session = session;
  return 1;
}

/* Returns what is wrong, or NULL. */
static const char *configure(SSL_CTX *ssl, const struct settings *settings)
{
  static const unsigned char alpn[] = "\x08http/1.1";
  SSL_CTX_set_mode(ssl, SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_min_proto_version(ssl, settings->tls_version == 13 ? TLS1_3_VERSION : TLS1_2_VERSION);
  SSL_CTX_set_max_proto_version(ssl, settings->tls_version == 12 ? TLS1_2_VERSION : TLS1_3_VERSION);
  SSL_CTX_set_alpn_protos(ssl, alpn, sizeof alpn - 1);
  SSL_CTX_set_session_cache_mode(ssl, settings->resume
                                          ? SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL
                                          : SSL_SESS_CACHE_OFF);
  if (settings->resume)
    SSL_CTX_sess_set_new_cb(ssl, on_session);
  if (settings->ca == NULL) {
    SSL_CTX_set_cert_verify_callback(ssl, any_certificate, NULL);
    return NULL;
  }
  SSL_CTX_set_verify(ssl, SSL_VERIFY_PEER, NULL);
  if (SSL_CTX_load_verify_file(ssl, settings->ca) != 1)
    return "the file of --ca holds no certificates in PEM that can be read";
  return NULL;
}

struct tls_context *tls_context_new(const struct settings *settings, const char **wrong)
{
  struct tls_context *context = calloc(1, sizeof *context);
  *wrong = "OpenSSL has no memory";
  if (context == NULL)
    return NULL;
  context->settings = settings;
  context->ssl = SSL_CTX_new(TLS_client_method());
  context->wire = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "wire");
  if (context->ssl != NULL && context->wire != NULL) {
    BIO_meth_set_read(context->wire, wire_read);
    BIO_meth_set_write(context->wire, wire_write);
    BIO_meth_set_ctrl(context->wire, wire_control);
    *wrong = configure(context->ssl, settings);
  }
  if (*wrong == NULL)
    return context;
  tls_context_free(context);
  return NULL;
}

void tls_context_free(struct tls_context *context)
{
  if (context == NULL)
    return;
  SSL_CTX_free(context->ssl);
  BIO_meth_free(context->wire);
  free(context);
}

static struct tls_wire *wire_new(void)
{
  struct tls_wire *wire = calloc(1, sizeof *wire);
  if (wire == NULL)
    return NULL;
  wire->received = malloc(RECEIVED_BYTES);
  wire->out = malloc(WIRE_OUT_BYTES);
  if (wire->received != NULL && wire->out != NULL)
    return wire;
  tls_wire_free(wire);
  return NULL;
}

void tls_wire_free(struct tls_wire *wire)
{
  if (wire == NULL)
    return;
  SSL_SESSION_free(wire->session);
  free(wire->received);
  free(wire->out);
  free(wire);
}

/* ---- ciphertext to and from the socket */

/* Keeps what the socket did not take. */
static int keep(struct tls *tls, const unsigned char *data, size_t len)
{
  unsigned char *grown = realloc(tls->late, tls->late_len + len);
  if (grown == NULL)
    return -ENOMEM;
  memcpy(grown + tls->late_len, data, len);
  tls->late = grown;
  tls->late_len += len;
  return 0;
}

/* Sends what OpenSSL has written. Returns 0 or -errno. */
static int push(struct client *client)
{
  struct tls_wire *wire = client->worker->wire;
  size_t len = wire->out_len;
  ssize_t n = 0;
  wire->out_len = 0;
  if (len == 0)
    return 0;
  if (client->tls->late_len == 0)
    n = weir__stream_tcp.send(&client->stream, &weir__sys_linux, wire->out, len);
  if (n < 0 && n != -EAGAIN)
    return (int)n;
  size_t taken = n > 0 ? (size_t)n : 0;
  return taken < len ? keep(client->tls, wire->out + taken, len - taken) : 0;
}

/* Sends what the socket did not take before. Returns 0 or -errno. */
static int push_late(struct client *client)
{
  struct tls *tls = client->tls;
  ssize_t n = weir__stream_tcp.send(&client->stream, &weir__sys_linux, tls->late, tls->late_len);
  if (n < 0)
    return n == -EAGAIN ? 0 : (int)n;
  tls->late_len -= (size_t)n;
  memmove(tls->late, tls->late + n, tls->late_len);
  if (tls->late_len == 0) {
    free(tls->late);
    tls->late = NULL;
  }
  return 0;
}

/* Why OpenSSL has failed. */
static int fail(struct tls *tls)
{
  long verified = SSL_get_verify_result(tls->ssl);
  const char *reason = ERR_reason_error_string(ERR_peek_last_error());
  if (verified != X509_V_OK)
    reason = X509_verify_cert_error_string(verified);
  tls->failure = reason != NULL ? reason : "OpenSSL gives no reason";
  ERR_clear_error();
  return -EPROTO;
}

/* Takes all that came out of OpenSSL; there is room for it. Returns how much it was, -EAGAIN when
 * nothing came, 0 at the end of the stream or -EPROTO. */
static ssize_t decrypt(struct tls *tls, unsigned char *data, size_t len)
{
  size_t got = 0;
  for (;;) {
    ERR_clear_error();
    int n = SSL_read(tls->ssl, data + got, (int)(len - got));
    int why = n > 0 ? SSL_ERROR_NONE : SSL_get_error(tls->ssl, n);
    if (n > 0)
      got += (size_t)n;
    else if (why == SSL_ERROR_WANT_READ)
      return got > 0 ? (ssize_t)got : -EAGAIN;
    else if (why == SSL_ERROR_ZERO_RETURN)
      return (ssize_t)got;
    else
      return fail(tls);
  }
}

/* Receives ciphertext for OpenSSL. */
static ssize_t receive(struct client *client)
{
  struct tls_wire *wire = client->worker->wire;
  ssize_t n =
      weir__stream_tcp.recv(&client->stream, &weir__sys_linux, wire->received, RECEIVED_BYTES);
  wire->in = wire->received;
  wire->in_len = n > 0 ? (size_t)n : 0;
  return n;
}

/* ---- the stream */

static ssize_t tls_recv(struct weir__stream *stream, const struct weir__sys *sys, void *data,
                        size_t len)
{
  struct client *client = client_of(stream);
  ssize_t n;
  (void)sys;
  if ((SSL_get_shutdown(client->tls->ssl) & SSL_RECEIVED_SHUTDOWN) != 0)
    return 0;
  do {
    n = receive(client);
    if (n <= 0)
      return n;
    n = decrypt(client->tls, data, len);
    int error = push(client);
    if (error < 0 && n == -EAGAIN)
      return error;
  } while (n == -EAGAIN && stream->source.readable);
  if ((SSL_get_shutdown(client->tls->ssl) & SSL_RECEIVED_SHUTDOWN) != 0)
    stream->source.readable = 1; /* the end is still to be told */
  return n;
}

/* Takes all, as long as the socket has taken what was sent before. */
static ssize_t tls_send(struct weir__stream *stream, const struct weir__sys *sys, const void *data,
                        size_t len)
{
  struct client *client = client_of(stream);
  (void)sys;
  if (client->tls->late_len > 0) {
    stream->source.writable = 0;
    return -EAGAIN;
  }
  ERR_clear_error();
  if (SSL_write(client->tls->ssl, data, (int)len) != (int)len)
    return fail(client->tls);
  int error = push(client);
  return error < 0 ? error : (ssize_t)len;
}

const struct weir__stream_ops tls_stream = {.recv = tls_recv, .send = tls_send};

static void ready(struct weir__source *source)
{
  struct client *client = WEIR__CONTAINER(source, struct client, stream.source);
  if (client->tls != NULL && client->tls->late_len > 0 && source->writable) {
    int error = push_late(client);
    if (error < 0) {
      client_hung_up(client, error);
      return;
    }
  }
  client_ops.ready(source);
}

static void work(struct weir__source *source)
{
  client_ops.work(source);
}

static void reclaim(struct weir__source *source)
{
  client_ops.reclaim(source);
}

const struct weir__source_ops tls_client_ops = {.ready = ready, .work = work, .reclaim = reclaim};

/* ---- handshakes */

/* The name that the server's certificate is asked for, which an address is not; and what a
 * certificate must say where it counts. */
static bool name_server(SSL *ssl, const struct settings *settings)
{
  unsigned char address[sizeof(struct in6_addr)];
  bool is_address = inet_pton(AF_INET, settings->host, address) == 1 ||
                    inet_pton(AF_INET6, settings->host, address) == 1;
  if (is_address)
    return settings->ca == NULL ||
           X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), settings->host) == 1;
  return SSL_set_tlsext_host_name(ssl, settings->host) == 1 &&
         (settings->ca == NULL || SSL_set1_host(ssl, settings->host) == 1);
}

/* A copy, as OpenSSL lets no session of TLS 1.3 be resumed twice. */
static void resume(SSL *ssl, SSL_SESSION *session)
{
  SSL_SESSION *copy = session != NULL ? SSL_SESSION_dup(session) : NULL;
  if (copy != NULL)
    SSL_set_session(ssl, copy);
  SSL_SESSION_free(copy);
}

static bool set_up(struct client *client, struct tls *tls)
{
  const struct tls_context *context = client->worker->load->tls;
  tls->ssl = SSL_new(context->ssl);
  BIO *bio = BIO_new(context->wire);
  if (tls->ssl == NULL || bio == NULL) {
    BIO_free(bio);
    return false;
  }
  BIO_set_data(bio, client->worker->wire);
  BIO_set_init(bio, 1);
  SSL_set_bio(tls->ssl, bio, bio);
  SSL_set_app_data(tls->ssl, client);
  SSL_set_connect_state(tls->ssl);
  resume(tls->ssl, client->worker->wire->session);
  return name_server(tls->ssl, context->settings);
}

static enum tls_step gone(struct client *client, int error)
{
  client_hung_up(client, error);
  return TLS_GONE;
}

/* The server has nothing to say before it is asked but what TLS itself says. */
static int take_rest(struct client *client)
{
  ssize_t n = decrypt(client->tls, client->worker->loop->receive, WEIR__RECEIVE_BYTES);
  if (n > 0)
    client->tls->failure = "the server spoke before it was asked";
  return n == -EAGAIN ? 0 : n > 0 ? -EPROTO : (int)n;
}

static enum tls_step step(struct client *client)
{
  struct tls *tls = client->tls;
  ERR_clear_error();
  int done = SSL_do_handshake(tls->ssl);
  int error = 0;
  if (done != 1 && SSL_get_error(tls->ssl, done) != SSL_ERROR_WANT_READ)
    error = fail(tls);
  int pushed = push(client);
  if (error == 0)
    error = pushed;
  if (error == 0 && done == 1 && client->worker->wire->in_len > 0)
    error = take_rest(client);
  if (error < 0)
    return gone(client, error);
  if (done != 1)
    return TLS_WAITS;
  load_agreed_tls(client->worker->load, SSL_get_version(tls->ssl), SSL_get_cipher_name(tls->ssl));
  return TLS_DONE;
}

enum tls_step tls_begin(struct client *client)
{
  struct worker *worker = client->worker;
  client->tls = calloc(1, sizeof *client->tls);
  if (worker->wire == NULL)
    worker->wire = wire_new();
  if (client->tls == NULL || worker->wire == NULL || !set_up(client, client->tls))
    return gone(client, -ENOMEM);
  worker->wire->in_len = worker->wire->out_len = 0;
  return step(client);
}

enum tls_step tls_handshake(struct client *client)
{
  while (client->stream.source.readable) {
    ssize_t n = receive(client);
    if (n == -EAGAIN)
      return TLS_WAITS;
    if (n <= 0)
      return gone(client, (int)n);
    enum tls_step came = step(client);
    if (came != TLS_WAITS)
      return came;
  }
  return TLS_WAITS;
}

bool tls_is_resumed(const struct client *client)
{
  return client->tls != NULL && SSL_session_reused(client->tls->ssl) == 1;
}

void tls_end(struct client *client)
{
  struct tls *tls = client->tls;
  if (tls == NULL)
    return;
  client->tls = NULL;
  if (tls->ssl != NULL) /* else OpenSSL would not resume its session */
    SSL_set_shutdown(tls->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
  SSL_free(tls->ssl);
  free(tls->late);
  free(tls);
}
