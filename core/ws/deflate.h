/* What permessage-deflate holds (RFC 7692): a loop's own streams, which serve all connections
 * without context takeover; and the contexts of those that have used it. All of it is made when it
 * is needed and given back when it was idle for a second or two: our own compressors may forget at
 * any time, and of a peer's context only the bytes of its window are kept. */
#ifndef WEIR_WS_DEFLATE_H
#define WEIR_WS_DEFLATE_H

#include "base/list.h"
#include "base/mem.h"
#include "wire/deflate.h"
#include "wire/inflate.h"
#include "wire/utf8.h"
#include "ws/twin.h"

#ifdef __cplusplus
extern "C" {
#endif

struct weir_conn;
struct weir_server;
struct weir_timer;
struct weir__shard;

/* A compressed message from one piece of it to the next. */
struct weir__inflating {
  bool begun; /* some of it was handed out or kept */
  struct weir__utf8 utf8;
  size_t made; /* bytes */
};

/* What a connection holds; its protocol moves in here with it. */
struct weir__context {
  struct weir__link link; /* of the shard's contexts, the one used last at the end */
  struct weir_conn *conn;
  char *protocol;
  uint64_t used_ms;

  struct weir__deflate_stream *compressor; /* with server takeover; NULL: none */
  bool stale;                              /* it is reset before it is used again */
  struct weir__inflate *inflater;          /* NULL: none */
  unsigned char *window;                   /* of an inflater that was given back; NULL: none */
  size_t window_len;

  bool inside; /* a message that comes in pieces: */
  struct weir__inflating message;
};

/* A compressor of the loop's own. */
struct weir__compressor {
  struct weir__deflate_kind kind; /* level 0: the place is free */
  uint64_t used_ms;
  struct weir__deflate_stream *stream;
};

/* Lent data that was compressed for somebody last, and what came of it: a loop over all clients
 * sends it again and again. */
struct weir__compressed {
  const void *data; /* what was lent; only compared. NULL: nothing */
  struct weir__deflate_kind kind;
  size_t len, made;
  uint64_t used_ms;
  unsigned char *block; /* a copy of the data, then what was made of it; from the pool */
  size_t size;
};

enum {
  WEIR__COMPRESSED_MAX = 64 << 10, /* bytes of such data */
  WEIR__COMPRESSORS = 8,           /* a loop's own, of different windows and levels */
  WEIR__DEFLATE_SHED_MS = 1000     /* between two looks at what is idle */
};

/* A shard's part. All zero but for contexts: nothing is held. */
struct weir__deflates {
  struct weir__compressor compressors[WEIR__COMPRESSORS];
  struct weir__inflate *inflater; /* of messages that refer to none before; NULL: none */
  uint64_t inflater_used_ms;
  struct weir__compressed last;
  struct weir__twins twins;
  struct weir__link contexts;
  struct weir_timer *shed; /* runs while anything is held; NULL before the first time */
  bool shedding;
};

void weir__deflates_init(struct weir__deflates *deflates);
void weir__deflates_fini(struct weir__shard *shard);

/* Sees to it that what is made now is given back when it is idle. Returns 0 or -ENOMEM. */
int weir__deflates_watch(struct weir__shard *shard);

/* Compresses a message that refers to no other, into at most room bytes. Returns how many it made;
 * 0 when they do not fit or there is no memory. */
size_t weir__deflate_alone(struct weir__shard *shard, struct weir__deflate_kind kind,
                           const void *data, size_t len, unsigned char *out, size_t room);

/* The same of data that may have been compressed last already, into a block that stands until the
 * next call; *out is where. */
size_t weir__deflate_again(struct weir__shard *shard, struct weir__deflate_kind kind,
                           const void *data, size_t len, const unsigned char **out);

/* The loop's inflater, for a whole message that refers to none before; NULL when there is no
 * memory. Its window is the largest: a peer with a smaller one is forgiven. */
struct weir__inflate *weir__deflates_inflater(struct weir__shard *shard);

/* A connection's context, made where there is none, and marked as used; NULL when there is no
 * memory. */
struct weir__context *weir__context_of(struct weir_conn *c);

/* Its compressor, where the server's context is taken over and the budget allows it; else NULL. Its
 * inflater, as it was after the message before, or for a message in pieces; NULL when there is no
 * memory or the budget does not allow it. */
struct weir__deflate_stream *weir__context_compressor(struct weir_conn *c);
struct weir__inflate *weir__context_inflater(struct weir_conn *c, struct weir__context *context);

/* The connection's compressor starts afresh with the next message, because the peer has seen
 * another one than it thinks, or none. */
void weir__context_forget(struct weir_conn *c);

/* A message in pieces begins. And is over: gives back what its connection does not take over. */
void weir__context_begin(struct weir__context *context);
void weir__context_rest(struct weir_conn *c, struct weir__context *context);

/* Frees a connection's context. */
void weir__context_drop(struct weir_conn *c);

/* The budget over all connections and loops: takes bytes of it, false when they do not fit; and
 * gives them back. Any thread. */
bool weir__deflate_take(struct weir_server *server, size_t bytes);
void weir__deflate_give(struct weir_server *server, size_t bytes);

#ifdef __cplusplus
}
#endif

#endif
