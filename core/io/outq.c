/* The queue of what is to be sent. HOT: sixteen echoes in one turn are sixteen calls of copy, one
 * of pieces and one of consume. Copied entries stand one behind the other in a gathered share, so
 * that they leave as one piece without being copied again. */
#include "io/outq.h"

#include "base/debug.h"

#include <errno.h>
#include <string.h>

enum {
  RING_FIRST = 16,        /* entries of the first ring */
  GATHER_FIRST = 512,     /* bytes of the first gathered share: one small message */
  GATHER_NEXT = 4 << 10,  /* of the next */
  GATHER_MOST = 16 << 10, /* and of those after it; a larger entry gets a share for itself */
  SMALL_PIECE = 1 << 10   /* below it, copying wins over one more iovec */
};

struct weir__share *weir__share_new(struct weir__pool *pool, struct weir__buf *buf)
{
  size_t size;
  struct weir__share *share = weir__pool_get(pool, sizeof *share, &size);
  if (share == NULL)
    return NULL;
  *share = (struct weir__share){.refs = 1, .size = size, .buf = weir__buf_ref(buf)};
  return share;
}

static void share_free(struct weir__pool *pool, struct weir__share *share)
{
  weir__buf_unref(share->buf);
  weir__pool_put(pool, share, share->size);
}

void weir__share_unref(struct weir__pool *pool, struct weir__share *share)
{
  if (--share->refs == 0)
    share_free(pool, share);
}

static inline unsigned char *share_bytes(struct weir__share *share)
{
  return share->buf != NULL ? weir__buf_bytes(share->buf) : (unsigned char *)(share + 1);
}

/* The ring and the mask of its indices. */
struct ring {
  struct weir__out *entries;
  uint32_t mask;
};

static inline struct ring ring_of(const struct weir__outq *q)
{
  if (q->ring != NULL)
    return (struct ring){q->ring, q->capacity - 1};
  return (struct ring){(struct weir__out *)q->inline_ring, WEIR__OUTQ_INLINE - 1};
}

/* Makes the ring hold at least want entries, moved to its start. */
static int ring_grow(struct weir__outq *q, struct weir__pool *pool, uint32_t want)
{
  struct ring old = ring_of(q);
  size_t capacity = RING_FIRST, size;
  while (capacity < want)
    capacity *= 2;
  struct weir__out *grown = weir__pool_get(pool, capacity * sizeof *grown, &size);
  if (grown == NULL)
    return -ENOMEM;
  for (uint32_t i = 0; i < q->count; i++)
    grown[i] = old.entries[(q->head + i) & old.mask];
  weir__pool_put(pool, q->ring, q->capacity * sizeof *grown);
  q->ring = grown;
  q->capacity = (uint32_t)capacity;
  q->head = 0;
  return 0;
}

/* Room for one more entry. */
static inline int ring_reserve(struct weir__outq *q, struct weir__pool *pool)
{
  uint32_t capacity = q->ring != NULL ? q->capacity : WEIR__OUTQ_INLINE;
  return q->count < capacity ? 0 : ring_grow(q, pool, q->count + 1);
}

/* Appends an entry, whose share the caller has referenced; there is room. */
static inline void append(struct weir__outq *q, struct weir__share *share, size_t offset,
                          size_t len, uint32_t flags)
{
  struct ring ring = ring_of(q);
  ring.entries[(q->head + q->count) & ring.mask] =
      (struct weir__out){.share = share, .offset = offset, .len = len, .flags = flags};
  q->count++;
  q->bytes += len;
  q->messages += flags & WEIR__OUT_MESSAGE;
}

int weir__outq_push(struct weir__outq *q, struct weir__pool *pool, struct weir__share *share,
                    size_t offset, size_t len, uint32_t flags)
{
  WEIR__ASSERT(len > 0);
  if (ring_reserve(q, pool) < 0)
    return -ENOMEM;
  share->refs++;
  append(q, share, offset, len, flags);
  return 0;
}

/* The last entry's share where it has room for len more bytes, else NULL. */
static inline struct weir__share *tail_with_room(const struct weir__outq *q, size_t len)
{
  if (q->count == 0)
    return NULL;
  struct ring ring = ring_of(q);
  struct weir__share *share = ring.entries[(q->head + q->count - 1) & ring.mask].share;
  if (share->buf != NULL || share->size - sizeof *share - share->used < len)
    return NULL;
  return share;
}

/* A new gathered share with room for len bytes and, where more came before, for more to come. */
static struct weir__share *gather_new(const struct weir__outq *q, struct weir__pool *pool,
                                      size_t len)
{
  size_t want = q->count == 0 ? GATHER_FIRST : q->bytes < GATHER_NEXT ? GATHER_NEXT : GATHER_MOST;
  size_t size;
  if (want < sizeof(struct weir__share) + len)
    want = sizeof(struct weir__share) + len;
  struct weir__share *share = weir__pool_get(pool, want, &size);
  if (share != NULL)
    *share = (struct weir__share){.size = size};
  return share;
}

/* Copies up to 16 bytes without a call: headers are 2, 4 or 10. */
static inline void copy_header(unsigned char *to, const unsigned char *from, size_t len)
{
  if (len >= 8) {
    memcpy(to, from, 8);
    memcpy(to + len - 8, from + len - 8, 8);
  } else if (len >= 4) {
    memcpy(to, from, 4);
    memcpy(to + len - 4, from + len - 4, 4);
  } else if (len >= 2) {
    memcpy(to, from, 2);
    memcpy(to + len - 2, from + len - 2, 2);
  } else if (len == 1) {
    *to = *from;
  }
}

int weir__outq_copy(struct weir__outq *q, struct weir__pool *pool, const void *header,
                    size_t header_len, const void *data, size_t len, uint32_t flags)
{
  size_t total = header_len + len;
  WEIR__ASSERT(total > 0 && header_len <= 16);
  if (ring_reserve(q, pool) < 0)
    return -ENOMEM;
  struct weir__share *share = tail_with_room(q, total);
  if (share == NULL)
    share = gather_new(q, pool, total);
  if (share == NULL)
    return -ENOMEM;
  size_t offset = share->used;
  unsigned char *to = (unsigned char *)(share + 1) + offset;
  copy_header(to, header, header_len);
  if (len > 0)
    memcpy(to + header_len, data, len);
  share->used = offset + total;
  share->refs++;
  append(q, share, offset, total, flags);
  return 0;
}

int weir__outq_splice(struct weir__outq *q, struct weir__outq *from, struct weir__pool *pool)
{
  uint32_t count = q->count + from->count;
  WEIR__ASSERT(from->sent == 0 || q->count == 0);
  if (count > (q->ring != NULL ? q->capacity : WEIR__OUTQ_INLINE) && ring_grow(q, pool, count) < 0)
    return -ENOMEM;
  if (q->count == 0)
    q->sent = from->sent;
  struct ring to = ring_of(q), ring = ring_of(from);
  for (uint32_t i = 0; i < from->count; i++)
    to.entries[(q->head + q->count + i) & to.mask] = ring.entries[(from->head + i) & ring.mask];
  q->count = count;
  q->bytes += from->bytes;
  q->messages += from->messages;
  from->count = 0;
  weir__outq_clear(from, pool);
  return 0;
}

/* The pieces that are being collected. */
struct pieces {
  struct iovec *iov;
  int count, max;
  struct weir__scratch free; /* what is left of the scratch */
};

static inline unsigned char *iov_end(const struct iovec *iov)
{
  return (unsigned char *)iov->iov_base + iov->iov_len;
}

/* Appends a small piece to the last one in scratch, which that one is moved to when it is small as
 * well. False where it must stand alone. */
static bool gather(struct pieces *p, const unsigned char *bytes, size_t len)
{
  struct iovec *last = &p->iov[p->count - 1];
  bool in_scratch = iov_end(last) == p->free.bytes;
  size_t moved = in_scratch ? 0 : last->iov_len;
  if (moved >= SMALL_PIECE || moved + len > p->free.size)
    return false;
  if (!in_scratch) {
    memcpy(p->free.bytes, last->iov_base, moved);
    last->iov_base = p->free.bytes;
  }
  memcpy(p->free.bytes + moved, bytes, len);
  last->iov_len += len;
  p->free.bytes += moved + len;
  p->free.size -= moved + len;
  return true;
}

/* Adds bytes to the pieces; false when there is no room for another piece. */
static inline bool add_piece(struct pieces *p, unsigned char *bytes, size_t len)
{
  if (p->count > 0) {
    struct iovec *last = &p->iov[p->count - 1];
    if (iov_end(last) == bytes) {
      last->iov_len += len;
      return true;
    }
    if (len < SMALL_PIECE && gather(p, bytes, len))
      return true;
  }
  if (p->count == p->max)
    return false;
  p->iov[p->count++] = (struct iovec){.iov_base = bytes, .iov_len = len};
  return true;
}

int weir__outq_pieces(const struct weir__outq *q, struct weir__scratch scratch, struct iovec *iov,
                      int max, size_t budget, size_t *total)
{
  struct pieces p = {.iov = iov, .max = max, .free = scratch};
  struct ring ring = ring_of(q);
  size_t skip = q->sent, left = budget;
  for (uint32_t i = 0; i < q->count && left > 0; i++) {
    const struct weir__out *out = &ring.entries[(q->head + i) & ring.mask];
    size_t len = out->len - skip;
    if (len > left)
      len = left;
    if (!add_piece(&p, share_bytes(out->share) + out->offset + skip, len))
      break;
    left -= len;
    skip = 0;
  }
  *total = budget - left;
  return p.count;
}

void weir__outq_consume(struct weir__outq *q, struct weir__pool *pool, size_t n)
{
  struct ring ring = ring_of(q);
  WEIR__ASSERT(n <= q->bytes);
  q->bytes -= n;
  n += q->sent; /* now counted from the first entry's start */
  while (q->count > 0) {
    const struct weir__out *out = &ring.entries[q->head & ring.mask];
    if (n < out->len)
      break;
    n -= out->len;
    q->messages -= out->flags & WEIR__OUT_MESSAGE;
    weir__share_unref(pool, out->share);
    q->head++;
    q->count--;
  }
  q->sent = n;
}

void weir__outq_cut(struct weir__outq *q, struct weir__pool *pool)
{
  struct ring ring = ring_of(q);
  while (q->count > 0) {
    const struct weir__out *last = &ring.entries[(q->head + q->count - 1) & ring.mask];
    if (q->count == 1 && (q->sent > 0 || last->flags & WEIR__OUT_BEGUN))
      return;
    q->bytes -= last->len;
    q->messages -= last->flags & WEIR__OUT_MESSAGE;
    weir__share_unref(pool, last->share);
    q->count--;
  }
}

void weir__outq_clear(struct weir__outq *q, struct weir__pool *pool)
{
  struct ring ring = ring_of(q);
  for (uint32_t i = 0; i < q->count; i++)
    weir__share_unref(pool, ring.entries[(q->head + i) & ring.mask].share);
  weir__pool_put(pool, q->ring, q->capacity * sizeof *q->ring);
  *q = (struct weir__outq){0};
}
