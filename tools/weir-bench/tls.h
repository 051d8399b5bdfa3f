/* TLS of the load's connections: OpenSSL between a connection's bytes and its socket, which knows
 * no socket itself. Each connection makes a full handshake, unless sessions are to be resumed. */
#ifndef WEIR_BENCH_TLS_H
#define WEIR_BENCH_TLS_H

#include "client.h"

#include <openssl/ssl.h>

#ifdef __cplusplus
extern "C" {
#endif

struct load;

/* A run's. */
struct tls_context {
  SSL_CTX *ssl;
  BIO_METHOD *wire;
  const struct settings *settings;
};

/* A thread's: ciphertext on its way between OpenSSL and a socket. */
struct tls_wire {
  const unsigned char *in; /* came, and was not taken yet */
  size_t in_len;
  size_t out_len; /* of out: is to go */
  SSL_SESSION *session;
  unsigned char *received;
  unsigned char *out;
};

/* A connection's. */
struct tls {
  SSL *ssl;
  const char *failure; /* a clause; NULL: none */
  unsigned char *late; /* ciphertext that the socket did not take */
  size_t late_len;
};

/* Makes what all threads share. NULL when settings cannot be met, with a sentence in *wrong. */
struct tls_context *tls_context_new(const struct settings *settings, const char **wrong);
void tls_context_free(struct tls_context *context);
void tls_wire_free(struct tls_wire *wire);

extern const struct weir__stream_ops tls_stream;
extern const struct weir__source_ops tls_client_ops;

/* Begins the handshake on a socket that has connected, and takes it on with what came. TLS_DONE:
 * the connection is secured. TLS_GONE: it failed, and the client is gone. */
enum tls_step { TLS_GONE, TLS_WAITS, TLS_DONE };
enum tls_step tls_begin(struct client *client);
enum tls_step tls_handshake(struct client *client);

/* Whether the handshake resumed a session. */
bool tls_is_resumed(const struct client *client);

void tls_end(struct client *client);

#ifdef __cplusplus
}
#endif

#endif
