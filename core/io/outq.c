/* The queue of what is to be sent. HOT: sixteen echoes in one turn are sixteen calls of copy, one
 * of pieces and one of consume. Copied entries stand one behind the other in a gathered share, so
 * that they leave as one piece without being copied again. */
#include "io/outq.h"

#include "base/copy.h"
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
  if (pool->account != NULL) {
    share->charged = 1;
    weir__buf_charge(buf, pool->account);
  }
  weir__pool_count_queued(pool, size, 0);
  return share;
}

static void share_free(struct weir__pool *pool, struct weir__share *share)
{
  if (share->charged)
    weir__buf_discharge(share->buf);
  weir__buf_give(pool, share->buf);
  weir__pool_count_queued(pool, 0, share->size);
  weir__pool_put(pool, share, share->size);
}

void weir__share_unref(struct weir__pool *pool, struct weir__share *share)
{
  if (--share->refs == 0)
    share_free(pool, share);
}

static void ring_free(struct weir__outq *q, struct weir__pool *pool)
{
  if (q->ring == NULL || q->ring == q->inline_ring)
    return;
  weir__pool_count_queued(pool, 0, q->capacity * sizeof *q->ring);
  weir__pool_put(pool, q->ring, q->capacity * sizeof *q->ring);
}

/* Makes room for count entries in all: the inline ones at first, then rings of the pool. */
static int ring_reserve(struct weir__outq *q, struct weir__pool *pool, uint32_t count)
{
  size_t capacity = RING_FIRST, size;
  if (count <= q->capacity)
    return 0;
  if (q->capacity == 0 && count <= WEIR__OUTQ_INLINE) {
    q->ring = q->inline_ring;
    q->capacity = WEIR__OUTQ_INLINE;
    return 0;
  }
  while (capacity < count)
    capacity *= 2;
  struct weir__out *grown = weir__pool_get(pool, capacity * sizeof *grown, &size);
  if (grown == NULL)
    return -ENOMEM;
  for (uint32_t i = 0; i < q->count; i++)
    grown[i] = *weir__outq_at(q, i);
  ring_free(q, pool);
  weir__pool_count_queued(pool, capacity * sizeof *grown, 0);
  q->ring = grown;
  q->capacity = (uint32_t)capacity;
  q->head = 0;
  return 0;
}

/* Appends an entry and references its share; there is room. */
static inline void append(struct weir__outq *q, struct weir__share *share, unsigned char *bytes,
                          size_t len, uint32_t flags)
{
  uint32_t messages = flags & WEIR__OUT_MESSAGE;
  *weir__outq_at(q, q->count) = (struct weir__out){bytes, len, share, messages, flags - messages};
  share->refs++;
  q->count++;
  q->bytes += len;
  q->messages += messages;
}

/* Lets the last entry have a unit that follows it in the same run; whether it did. */
static inline bool lengthen(struct weir__outq *q, const struct weir__share *share,
                            const unsigned char *bytes, size_t len, uint32_t flags)
{
  if (share->units == 0 || q->count == 0)
    return false;
  struct weir__out *last = weir__outq_at(q, q->count - 1);
  if (last->share != share || last->bytes + last->len != bytes || last->messages == 0 ||
      last->flags != 0 || flags != WEIR__OUT_MESSAGE)
    return false;
  last->len += len;
  last->messages++;
  q->bytes += len;
  q->messages++;
  return true;
}

int weir__outq_push(struct weir__outq *q, struct weir__pool *pool, struct weir__share *share,
                    size_t offset, size_t len, uint32_t flags)
{
  unsigned char *bytes = weir__share_bytes(share) + offset;
  WEIR__ASSERT(len > 0);
  if (lengthen(q, share, bytes, len, flags))
    return 0;
  if (q->count == q->capacity && ring_reserve(q, pool, q->count + 1) < 0)
    return -ENOMEM;
  append(q, share, bytes, len, flags);
  q->open = NULL;
  return 0;
}

/* Up to 16 bytes without a call: headers are 2, 4 or 10. */
static inline void copy_header(unsigned char *to, const unsigned char *from, size_t len)
{
  if (len == 2) {
    memcpy(to, from, 2);
  } else if (len >= 8) {
    memcpy(to, from, 8);
    memcpy(to + len - 8, from + len - 8, 8);
  } else if (len >= 4) {
    memcpy(to, from, 4);
    memcpy(to + len - 4, from + len - 4, 4);
  } else {
    for (size_t i = 0; i < len; i++)
      to[i] = from[i];
  }
}

/* Appends one entry to the open share, which has room, as the ring has. */
static inline int gather_entry(struct weir__outq *q, const void *header, size_t header_len,
                               const void *data, size_t len, uint32_t flags)
{
  struct weir__share *share = q->open;
  unsigned char *to = (unsigned char *)share + share->used;
  share->used += header_len + len;
  append(q, share, to, header_len + len, flags);
  copy_header(to, header, header_len);
  weir__copy(to + header_len, data, len);
  return 0;
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
    *share = (struct weir__share){.used = sizeof *share, .size = size};
  weir__pool_count_queued(pool, share == NULL ? 0 : size, 0);
  return share;
}

static __attribute__((noinline)) int copy_slowly(struct weir__outq *q, struct weir__pool *pool,
                                                 const void *header, size_t header_len,
                                                 const void *data, size_t len, uint32_t flags)
{
  if (ring_reserve(q, pool, q->count + 1) < 0)
    return -ENOMEM;
  if (q->open == NULL || q->open->size - q->open->used < header_len + len) {
    struct weir__share *share = gather_new(q, pool, header_len + len);
    if (share == NULL)
      return -ENOMEM;
    q->open = share;
  }
  return gather_entry(q, header, header_len, data, len, flags);
}

int weir__outq_copy(struct weir__outq *q, struct weir__pool *pool, const void *header,
                    size_t header_len, const void *data, size_t len, uint32_t flags)
{
  const struct weir__share *open = q->open;
  WEIR__ASSERT(header_len + len > 0 && header_len <= 16);
  if (open == NULL || q->count == q->capacity || open->size - open->used < header_len + len)
    return copy_slowly(q, pool, header, header_len, data, len, flags);
  return gather_entry(q, header, header_len, data, len, flags);
}

int weir__outq_splice(struct weir__outq *q, struct weir__outq *from, struct weir__pool *pool)
{
  WEIR__ASSERT(from->sent == 0 || q->count == 0);
  if (from->count > 0) {
    if (ring_reserve(q, pool, q->count + from->count) < 0)
      return -ENOMEM;
    if (q->count == 0)
      q->sent = from->sent;
    for (uint32_t i = 0; i < from->count; i++)
      *weir__outq_at(q, q->count++) = *weir__outq_at(from, i);
    q->bytes += from->bytes;
    q->messages += from->messages;
    q->open = from->open;
    from->count = 0;
  }
  weir__outq_clear(from, pool);
  return 0;
}

/* The pieces that are being collected. */
struct pieces {
  struct iovec *iov;
  int count, max;
  size_t total;
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

/* Adds adjacent bytes, if there are any; false when there is no room for another piece. */
static bool add_run(struct pieces *p, unsigned char *begin, const unsigned char *end)
{
  size_t len = (size_t)(end - begin);
  if (len == 0)
    return true;
  if (p->count == 0 || len >= SMALL_PIECE || !gather(p, begin, len)) {
    if (p->count == p->max)
      return false;
    p->iov[p->count++] = (struct iovec){.iov_base = begin, .iov_len = len};
  }
  p->total += len;
  return true;
}

int weir__outq_pieces(const struct weir__outq *q, struct weir__scratch scratch, struct iovec *iov,
                      int max, size_t budget, size_t *total)
{
  struct pieces p = {.iov = iov, .max = max, .free = scratch};
  unsigned char *run = scratch.bytes, *end = run; /* none yet */
  size_t skip = q->sent, left = budget;
  for (uint32_t i = 0; i < q->count && left > 0; i++) {
    const struct weir__out *out = weir__outq_at(q, i);
    unsigned char *bytes = out->bytes + skip;
    size_t len = out->len - skip;
    skip = 0;
    if (len > left)
      len = left;
    if (bytes != end) {
      if (!add_run(&p, run, end))
        break;
      run = bytes;
    }
    end = bytes + len;
    left -= len;
  }
  add_run(&p, run, end);
  *total = p.total;
  return p.count;
}

/* Takes all entries off. */
static void drop_all(struct weir__outq *q, struct weir__pool *pool)
{
  for (uint32_t i = 0; i < q->count; i++)
    weir__share_unref(pool, weir__outq_at(q, i)->share);
  q->head = q->count = 0;
  q->sent = q->bytes = 0;
  q->messages = 0;
  q->open = NULL;
}

uint32_t weir__share_units_up_to(struct weir__share *share, size_t offset)
{
  uint32_t low = 0, high = share->units;
  while (low < high) {
    uint32_t middle = low + (high - low) / 2;
    if (*weir__share_end(share, middle) <= offset)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

/* Takes those units off the front of an entry of a run that n bytes of it cover; how many bytes
 * they were. */
static size_t shorten(struct weir__outq *q, struct weir__out *out, size_t n)
{
  struct weir__share *share = out->share;
  size_t begin = (size_t)(out->bytes - weir__share_bytes(share));
  uint32_t first = weir__share_units_up_to(share, begin),
           end = weir__share_units_up_to(share, begin + n);
  if (end == first)
    return 0;
  size_t len = *weir__share_end(share, end - 1) - begin;
  out->bytes += len;
  out->len -= len;
  out->messages -= end - first;
  q->messages -= end - first;
  return len;
}

void weir__outq_consume(struct weir__outq *q, struct weir__pool *pool, size_t n)
{
  WEIR__ASSERT(n <= q->bytes);
  if (n == q->bytes) {
    drop_all(q, pool);
    return;
  }
  q->bytes -= n;
  n += q->sent; /* now counted from the first entry's start */
  struct weir__out *out = weir__outq_at(q, 0);
  for (; n >= out->len; out = weir__outq_at(q, 0)) {
    n -= out->len;
    q->messages -= out->messages;
    weir__share_unref(pool, out->share);
    q->head++;
    q->count--;
  }
  if (out->messages > 1)
    n -= shorten(q, out, n);
  q->sent = n;
}

void weir__outq_clear(struct weir__outq *q, struct weir__pool *pool)
{
  drop_all(q, pool);
  ring_free(q, pool);
  q->ring = NULL;
  q->capacity = 0;
}
