/* Twins: the compressed bytes of a shared frame, made once a loop for all receivers that may have
 * them (RFC 7692 section 7.2). They refer to nothing before them and end in a flush, so that every
 * receiver may have them whose window is no smaller than theirs: that of a short message is small,
 * whatever was agreed, and one twin serves nearly everybody. A receiver with takeover may, too, if
 * what we compress for it next starts afresh, since its window has moved on. */
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
