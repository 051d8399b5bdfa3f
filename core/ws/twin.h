/* Twins: the compressed bytes of a shared frame, made once a loop for all receivers that may have
 * them (RFC 7692 section 7.2). What they may have differs by the window that was agreed and by
 * whether context is taken over:
 *
 * - A twin that ends in a final block is libdeflate's. It goes only where no context is taken over,
 *   and, since libdeflate's window is 15 bits, where the window is that or holds the whole message.
 * - A twin that ends in a flush is zlib's, with the receiver's window. It refers to nothing before
 *   it, so a receiver with takeover may have it; what we compress for that one next must then start
 *   afresh, since its window has moved on. */
#ifndef WEIR_WS_TWIN_H
#define WEIR_WS_TWIN_H

#include "io/run.h"

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

struct weir_conn;
struct weir_frame;
struct weir__shard;

/* What tells compressed bytes apart. */
struct weir__deflate_kind {
  uint8_t window_bits; /* 9..15 */
  uint8_t level;       /* 1..9 */
  bool final;          /* ends in a final block */
};

struct weir__twin {
  struct weir__deflate_kind kind; /* level 0: the place is free */
  bool made;                      /* part is the frame's, or it was found not to be worth it */
  bool worth;                     /* it is smaller than the frame */
  size_t header_len;
  struct weir__part part; /* with a reference on its share where it is worth it */
  struct weir__run run;   /* short ones, gathered for those who get several */
};

enum { WEIR__TWINS = 8 }; /* kinds at a time: all that the clients of one level can ask for */

/* All zero: empty. */
struct weir__twins {
  struct weir_frame *frame; /* whose twins they are, with a reference; NULL: none is kept */
  uint64_t used_ms;
  uint32_t next; /* the place that gives way to another kind */
  struct weir__twin twins[WEIR__TWINS];
};

/* The twin of a frame that a connection may have, made where there is none; key says who gets it,
 * as with runs. NULL when the frame itself is to be sent: compression was not agreed, or is not
 * wanted or worth it, or there is no memory. Valid until the next call. */
const struct weir__twin *weir__twin_of(struct weir_conn *c, const void *key,
                                       struct weir_frame *frame);

/* Gives back the frame and all that was made of it. */
void weir__twins_drop(struct weir__twins *twins, struct weir__pool *pool);

#ifdef __cplusplus
}
#endif

#endif
