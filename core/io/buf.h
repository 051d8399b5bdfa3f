/* Counted bytes that any thread may share: immutable once shared, freed by the last reference. The
 * bytes stand behind the structure, in the same block. Knows nothing of frames. */
#ifndef WEIR_IO_BUF_H
#define WEIR_IO_BUF_H

#include "base/pool.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct weir__buf {
  const struct weir__sys *sys;   /* where the block comes from */
  uint32_t refs;                 /* atomic */
  uint32_t begin;                /* offset of the first byte that is used */
  size_t end;                    /* offset behind the last byte that is used */
  size_t capacity;               /* bytes behind the structure */
  struct weir__account *account; /* atomic: the first one that it was charged to, for ever, with a
                                    reference; NULL: none yet */
  uint32_t holders;              /* atomic: who charge it */
};

/* A buffer with one reference and begin and end at room, so that a header can be put in front
 * later; NULL when there is no memory or room + capacity does not fit. */
struct weir__buf *weir__buf_new(const struct weir__sys *sys, uint32_t room, size_t capacity);

/* The same on a loop, where large blocks stay for a while: gives one reference back, the last of
 * them leaving the block with the loop, and takes a buffer of at least the capacity. */
struct weir__buf *weir__buf_take(struct weir__pool *pool, uint32_t room, size_t capacity);
void weir__buf_give(struct weir__pool *pool, struct weir__buf *buf);

/* The same with the field capacity raised to this, its bytes kept, for the sole owner of the only
 * reference; NULL, the old one kept, when there is no memory. */
struct weir__buf *weir__buf_grow(struct weir__buf *buf, size_t capacity);

/* One more reference; one less, NULL is allowed. Any thread. */
struct weir__buf *weir__buf_ref(struct weir__buf *buf);
void weir__buf_unref(struct weir__buf *buf);

/* Somebody holds it whom an account counts: the first one charges the account with it, once for
 * all. And lets go of it; the last one takes it off. Any thread, with a reference. */
void weir__buf_charge(struct weir__buf *buf, struct weir__account *account);
void weir__buf_discharge(struct weir__buf *buf);

static inline unsigned char *weir__buf_bytes(const struct weir__buf *buf)
{
  return (unsigned char *)(buf + 1);
}

#ifdef __cplusplus
}
#endif

#endif
