/* The queue of what one connection has still to send: entries of {bytes, offset, length} in order,
 * each one a unit that its owner counts (a message, a control frame). Bytes are shared frames,
 * referenced, or small lent data, gathered. Ignorant of WebSocket; sends nothing itself: it gives
 * iovecs and is told what was sent. */
#ifndef WEIR_IO_OUTQ_H
#define WEIR_IO_OUTQ_H

#include "base/pool.h"
#include "io/buf.h"

#include <stdbool.h>
#include <sys/uio.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A loop's own count of bytes that queues of the loop hold: of a buffer that loops share (one
 * reference of it serves a whole fan-out), or of bytes gathered behind this structure: of one queue
 * alone, or a run of units for many. */
struct weir__share {
  uint32_t refs;         /* plain: one loop only */
  uint32_t units : 31;   /* of a run; else 0 */
  uint32_t charged : 1;  /* buf is charged to an account */
  size_t used;           /* of this block: the structure and what was gathered behind it */
  size_t size;           /* of this block; what is free may be appended to */
  struct weir__buf *buf; /* NULL: the bytes stand behind this structure */
};

/* A share of a buffer, with one reference; takes a reference of its own on buf. NULL when there is
 * no memory. */
struct weir__share *weir__share_new(struct weir__pool *pool, struct weir__buf *buf);
void weir__share_unref(struct weir__pool *pool, struct weir__share *share);

/* What offsets into a share count from. */
static inline unsigned char *weir__share_bytes(struct weir__share *share)
{
  return share->buf == NULL ? (unsigned char *)share : weir__buf_bytes(share->buf);
}

/* The offset at which a unit of a run ends; these stand at the end of its block, the first one
 * last. */
static inline uint32_t *weir__share_end(struct weir__share *share, uint32_t unit)
{
  return (uint32_t *)((unsigned char *)share + share->size) - 1 - unit;
}

/* The number of a run's units that end at or before an offset. */
uint32_t weir__share_units_up_to(struct weir__share *share, size_t offset);

enum weir__out_flags {
  WEIR__OUT_MESSAGE = 1, /* counts as a message */
  WEIR__OUT_BEGUN = 2,   /* bytes in front of the entry have left already, or what follows makes no
                            sense without it: it is never taken back */
  WEIR__OUT_DROPPABLE = 4, /* a message that newer ones may be preferred to */
  WEIR__OUT_KEY_SHIFT =
      3, /* flags from this bit on: what the message is the latest of; 0: nothing */
};

struct weir__out {
  unsigned char *bytes; /* within the share's */
  size_t len;           /* over 0 */
  struct weir__share *share;
  uint32_t messages; /* over 1: units of a run that stand one behind the other */
  uint32_t flags;    /* all but WEIR__OUT_MESSAGE */
};

enum { WEIR__OUTQ_INLINE = 2 };

/* All zero: empty. Lives in a block of the loop's pool while a connection has something queued, and
 * is not moved meanwhile. */
struct weir__outq {
  struct weir__out *ring;   /* the inline ones, or a block of the pool; NULL before the first */
  uint32_t capacity;        /* of the ring, a power of two; 0 before the first */
  uint32_t head, count;     /* entries */
  uint32_t messages;        /* one partly sent among them */
  size_t sent;              /* bytes of the first entry that have left already */
  size_t bytes;             /* unsent, of all entries */
  struct weir__share *open; /* the last entry's share, where it is a gathered one; else NULL */
  struct weir__out inline_ring[WEIR__OUTQ_INLINE];
};

/* The entry at a place, counted from the first one; and the last one of a queue that is not empty.
 */
static inline struct weir__out *weir__outq_at(const struct weir__outq *q, uint32_t i)
{
  return &q->ring[(q->head + i) & (q->capacity - 1)];
}

static inline const struct weir__out *weir__outq_last(const struct weir__outq *q)
{
  return weir__outq_at(q, q->count - 1);
}

/* outq_shed.c: frees all entries of which no byte has left, nor is among the first committed ones
 * of those that are unsent: they are on their way already. */
void weir__outq_cut(struct weir__outq *q, struct weir__pool *pool, size_t committed);

/* The index of the first entry of which no byte has left, nor is among the first committed unsent
 * ones. */
uint32_t weir__outq_untouched(const struct weir__outq *q, size_t committed);

/* Drops the oldest droppable one of those; whether there was one. */
bool weir__outq_drop_oldest(struct weir__outq *q, struct weir__pool *pool, size_t committed);

/* Whether one of those has a key, and its index. Takes it out, those in front of it moving up; or
 * puts len bytes at offset of a share, which it references, in its place. */
bool weir__outq_find(const struct weir__outq *q, uint32_t key, size_t committed, uint32_t *index);
void weir__outq_take_out(struct weir__outq *q, struct weir__pool *pool, uint32_t index);
void weir__outq_replace(struct weir__outq *q, struct weir__pool *pool, uint32_t index,
                        struct weir__share *share, size_t offset, size_t len);

/* Frees all that is queued and the ring. */
void weir__outq_clear(struct weir__outq *q, struct weir__pool *pool);

/* Appends len bytes at offset of a share, which it references; of a run it is one whole unit.
 * Returns 0 or -ENOMEM: then nothing changed. */
int weir__outq_push(struct weir__outq *q, struct weir__pool *pool, struct weir__share *share,
                    size_t offset, size_t len, uint32_t flags);

/* Appends one entry of header and data, copied: behind the bytes gathered last where they fit, so
 * that adjacent entries leave as one piece. The sum of the lengths is over 0, a header has at most
 * 16 bytes. Returns as weir__outq_push does. */
int weir__outq_copy(struct weir__outq *q, struct weir__pool *pool, const void *header,
                    size_t header_len, const void *data, size_t len, uint32_t flags);

/* Moves all entries of from behind those of q; from is empty then. Nothing of from has been sent
 * yet, unless q is empty. Returns 0 or -ENOMEM: then nothing changed. */
int weir__outq_splice(struct weir__outq *q, struct weir__outq *from, struct weir__pool *pool);

/* Room in which small pieces from different places are gathered for one sendmsg. */
struct weir__scratch {
  unsigned char *bytes;
  size_t size;
};

/* Fills iov with up to max pieces and at most budget bytes from the front of the queue (the last
 * piece is cut to fit); adjacent bytes are joined, pieces under 1 KiB are gathered in scratch.
 * Returns the number of pieces; *total is the sum of their lengths. The queue does not change. */
int weir__outq_pieces(const struct weir__outq *q, struct weir__scratch scratch, struct iovec *iov,
                      int max, size_t budget, size_t *total);

/* Takes n bytes off the front, which have been sent; n is at most q->bytes. */
void weir__outq_consume(struct weir__outq *q, struct weir__pool *pool, size_t n);

#ifdef __cplusplus
}
#endif

#endif
