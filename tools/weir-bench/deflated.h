/* permessage-deflate on a connection (RFC 7692): what is sent was compressed before, what comes is
 * inflated and compared as if it had come plain. Where the server keeps no context, the same bytes
 * are the same message: those of a message that was right are kept, and inflated only when others
 * come for it. */
#ifndef WEIR_BENCH_DEFLATED_H
#define WEIR_BENCH_DEFLATED_H

#include "client.h"
#include "offer.h"
#include "squeezed.h"

#include <zlib.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Bytes of a message that were right once. */
struct known {
  unsigned char *bytes;
  size_t len;
};

/* A thread's. */
struct inflater {
  z_stream stream;     /* for servers that keep no context */
  unsigned char *room; /* for a piece of a message */
  struct known *known; /* by the message's number */
  size_t count;        /* of them */
};

/* A connection's. */
struct deflated {
  const struct squeezed *out;
  z_stream own; /* where the server keeps its context */
  bool takeover;
  uint8_t bits;
  bool flooded;        /* the message that is coming is longer than any right one */
  unsigned char *held; /* of a message that came in parts */
  size_t held_len, held_room;
};

/* Begins what was agreed. False: no memory. */
bool deflated_open(struct client *client, const struct offer *offer);
void deflated_close(struct client *client);

/* Takes a piece of a compressed message. */
void deflated_take(struct client *client, const struct weir__event *event);

void inflater_free(struct inflater *inflater);

#ifdef __cplusplus
}
#endif

#endif
