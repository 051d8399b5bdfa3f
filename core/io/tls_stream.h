/* TLS as a stream (RFC 8446, RFC 5246): OpenSSL between a connection and its TCP.
 *
 * Reading: ciphertext goes through a buffer of the loop's, and each recv decrypts all of it, so
 * that nothing is ever left behind and `readable` keeps TCP's meaning. Writing: what TCP does not
 * take of the records in flight stays here; their plaintext is held: reported only once TCP has
 * taken the whole record, so that queues, limits and drains see what they see of TCP.
 *
 * The part of a stream that is TLS's own stands directly in front of it in memory: plain
 * connections know nothing of it. */
#ifndef WEIR_IO_TLS_STREAM_H
#define WEIR_IO_TLS_STREAM_H

#include "io/stream.h"
#include "io/tls_context.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
  WEIR__TLS_RECORD = 16 << 10,  /* plaintext bytes of a record at most (RFC 8446 section 5.1) */
  WEIR__TLS_HELLO = 16 << 10,   /* bytes of a ClientHello at most; clients send 2 KiB */
  WEIR__TLS_TAIL = 1 << 10,     /* what is left behind one goes along with it up to this */
  WEIR__TLS_PENDING = 64 << 10, /* ciphertext that waits for TCP at most: past it the peer makes us
                                   talk and does not listen */
  WEIR__TLS_TURN_NS = 1000 * 1000, /* handshakes begin no further step in a turn after this */
  WEIR__TLS_REKEY_RECORDS =
      16 << 20, /* sent under one key; RFC 8446 section 5.5 allows 24 million */
};

struct weir__tls {
  struct weir_loop *loop;
  SSL *ssl;                          /* NULL until a whole ClientHello has come */
  struct weir__tls_context *context; /* that the session is of */
  struct weir__tls_peer *peer; /* the client's certificate, once somebody asked for it; or NULL */
  unsigned char *out; /* a block of the pool, or NULL: ciphertext that TCP did not take; without a
                         session, what came of the ClientHello */
  uint32_t out_at, out_end, out_size;
  uint32_t held;         /* plaintext bytes that are encrypted and not reported */
  uint32_t error;        /* OpenSSL's code, or one of our own; failed says when */
  uint32_t records : 26; /* sent since the keys were changed */
  uint32_t open : 1;     /* the handshake is done */
  uint32_t failed : 1;   /* nothing is encrypted or decrypted any more */
  uint32_t told : 1;     /* recv has said so: from now on it gives raw bytes */
  uint32_t ended : 1;    /* close_notify came */
  uint32_t fin_due : 1;  /* the sending direction ends once out has left */
  uint32_t waits : 1;    /* for its turn to go on with the handshake */
};

static inline struct weir__tls *weir__tls_of(const struct weir__stream *stream)
{
  return (struct weir__tls *)(uintptr_t)stream - 1;
}

/* TLS, the server's side. recv fails with -EPROTO once, and gives raw bytes after it; send fails
 * with -EPROTO or, before the handshake is done, with -EPIPE. */
extern const struct weir__stream_ops weir__stream_tls;

/* Readies the part in front of a stream that a loop watches. The reference on the context is the
 * stream's from now on. Returns 0 or -ENOMEM: then it still is the caller's. */
int weir__tls_init(struct weir__stream *stream, struct weir_loop *loop,
                   struct weir__tls_context *context);

/* Frees what it holds; after close. */
void weir__tls_fini(struct weir__stream *stream);

/* A stream moves to another loop: whether it can, having nothing in flight; takes what it knows off
 * it, and its descriptor may be watched elsewhere; and gives that to a stream there. Returns 0 or
 * -ENOMEM: then it still is the caller's, who frees it by abandoning it. */
bool weir__tls_may_leave(const struct weir__stream *stream);
void weir__tls_leave(struct weir__stream *stream, struct weir__tls *out);
int weir__tls_arrive(struct weir__stream *stream, struct weir_loop *loop, struct weir__tls *from);
void weir__tls_abandon(struct weir__tls *tls);

/* Sends ciphertext that waits. Returns 0 when none does any more, -EAGAIN, or another -errno. */
int weir__tls_flush(struct weir__stream *stream, const struct weir__sys *sys);

/* After a failure: what it was, a sentence that is good until this is called for another stream of
 * the loop; whether the peer spoke plain HTTP; and bytes for it that go as they are. */
const char *weir__tls_reason(const struct weir__stream *stream);
bool weir__tls_met_http(const struct weir__stream *stream);
void weir__tls_send_raw(struct weir__stream *stream, const struct weir__sys *sys, const void *data,
                        size_t len);

/* Frees what the streams of a loop shared. */
void weir__tls_loop_free(struct weir_loop *loop);

#ifdef __cplusplus
}
#endif

#endif
