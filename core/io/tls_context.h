/* Certificates for TLS: struct weir_tls keeps what was asked for, and the current generation of
 * what its files held, which a reload replaces. A connection keeps the generation that it began
 * with. */
#ifndef WEIR_IO_TLS_CONTEXT_H
#define WEIR_IO_TLS_CONTEXT_H

#include <openssl/ssl.h>
#include <weir/tls.h>

#ifdef __cplusplus
extern "C" {
#endif

/* One generation, counted atomically, immutable. */
struct weir__tls_context;

/* One more reference, for the caller; returns tls. Any thread. */
struct weir_tls *weir__tls_ref(struct weir_tls *tls);

/* The current generation, with a reference for the caller. Any thread. */
struct weir__tls_context *weir__tls_take(struct weir_tls *tls);
void weir__tls_context_unref(struct weir__tls_context *context);

/* A session of a server that waits for a handshake, without a BIO; NULL when there is no memory.
 * The caller keeps its reference to the generation until the session is freed. */
SSL *weir__tls_context_ssl(struct weir__tls_context *context);

/* ---- of a session whose handshake is done (tls_info.c) */

/* A client's certificate as the application sees it: made when somebody asks, one block. */
struct weir__tls_peer;

/* Fills *out, lent as long as the session and *peer, which is made where the client has a
 * certificate and it is NULL. Returns 0 or -ENOMEM. */
int weir__tls_describe(SSL *ssl, struct weir__tls_peer **peer, struct weir_tls_info *out);

/* NULL is allowed. */
void weir__tls_peer_free(struct weir__tls_peer *peer);

/* ---- how a generation is made (private to tls_*.c) */

/* Writes the sentence of a failure; error may be NULL. Returns the code. */
int weir__tls_fail(struct weir_tls_error *error, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Reads an identity's files into a context. Returns 0, -errno or -EBADMSG with a sentence. */
int weir__tls_read_identity(SSL_CTX *ssl, const struct weir_tls_identity *identity,
                            struct weir_tls_error *error);

/* What tells one set of client authorities from another. */
enum { WEIR__TLS_SET_BYTES = 32 };

/* Reads a file of authorities, whose clients' certificates a context accepts and asks for. Returns
 * as weir__tls_read_identity does. */
int weir__tls_read_authorities(SSL_CTX *ssl, const char *file,
                               unsigned char set[WEIR__TLS_SET_BYTES],
                               struct weir_tls_error *error);

/* One more reference, for the caller; returns context. */
struct weir__tls_context *weir__tls_context_ref(struct weir__tls_context *context);

/* What all contexts of all generations agree on. */
struct weir__tls_wish {
  struct weir_tls_options options; /* copies, defaults filled in but for alpn */
  unsigned char *alpn;             /* as RFC 7301 section 3.1 lists protocols */
  unsigned int alpn_len;
  unsigned char ticket_keys[80]; /* OpenSSL's: a name and two keys */
};

/* Makes a generation from what the files hold now; new_keys: wish gets ticket keys, else they are
 * used. *made has one reference. Returns as weir_tls_new does. */
int weir__tls_context_new(struct weir__tls_context **made, struct weir__tls_wish *wish,
                          bool new_keys, struct weir_tls_error *error);

#ifdef __cplusplus
}
#endif

#endif
