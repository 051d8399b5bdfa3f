/* Units gathered at the front of a block, their ends noted from its back. A block whose queues have
 * all sent theirs is used again from its beginning, while it still is in the processor's cache. */
#include "io/run.h"

#include "base/debug.h"

#include <errno.h>
#include <string.h>

enum {
  KEPT_ENTRIES = 4, /* of a queue that are looked at for what it has of the blocks that it keeps */
  KEPT_FOR = 8      /* bytes of a block to one that the queue has */
};

static size_t room(const struct weir__share *share)
{
  return share->size - share->units * sizeof(uint32_t) - share->used;
}

/* A block for at least need bytes, twice as large as one that the same queues have filled. */
static struct weir__share *block_after(const struct weir__share *full, struct weir__pool *pool,
                                       size_t need)
{
  size_t want = sizeof *full + need, size;
  if (full != NULL && 2 * full->size > want)
    want = 2 * full->size < WEIR__RUN_BYTES ? 2 * full->size : WEIR__RUN_BYTES;
  struct weir__share *share = weir__pool_get(pool, want, &size);
  if (share != NULL)
    *share = (struct weir__share){.refs = 1, .used = sizeof *share, .size = size};
  weir__pool_count_queued(pool, share == NULL ? 0 : size, 0);
  return share;
}

void weir__run_drop(struct weir__run *run, struct weir__pool *pool)
{
  if (run->share != NULL)
    weir__share_unref(pool, run->share);
  run->share = NULL;
}

/* Sees to it that the run's block has room for need bytes. */
static int reserve(struct weir__run *run, struct weir__pool *pool, const void *key, size_t need)
{
  if (run->key != key)
    weir__run_drop(run, pool);
  run->key = key;
  struct weir__share *share = run->share;
  if (share != NULL && share->refs == 1) {
    share->used = sizeof *share;
    share->units = 0;
  }
  if (share != NULL && room(share) >= need)
    return 0;
  struct weir__share *fresh = block_after(share, pool, need);
  if (fresh == NULL)
    return -ENOMEM;
  weir__run_drop(run, pool);
  run->share = fresh;
  return 0;
}

int weir__run_add(struct weir__run *run, struct weir__pool *pool, const void *key,
                  struct iovec header, struct iovec data, struct weir__part *part)
{
  size_t len = header.iov_len + data.iov_len;
  WEIR__ASSERT(len > 0 && len <= WEIR__RUN_UNIT);
  if (reserve(run, pool, key, len + sizeof(uint32_t)) < 0)
    return -ENOMEM;
  struct weir__share *share = run->share;
  unsigned char *to = (unsigned char *)share + share->used;
  if (header.iov_len > 0)
    memcpy(to, header.iov_base, header.iov_len);
  if (data.iov_len > 0)
    memcpy(to + header.iov_len, data.iov_base, data.iov_len);
  *part = (struct weir__part){share, share->used, len};
  share->used += len;
  *weir__share_end(share, share->units++) = (uint32_t)share->used;
  return 0;
}

/* Whether a queue that may stand still has enough of what it keeps. One that gets all of a run has,
 * however small the units are; one that misses most of it does not. */
static bool may_keep(const struct weir__outq *q, const struct weir__part *part)
{
  const struct weir__share *share = part->share;
  if (share->units == 0 || q->count < WEIR__OUTQ_INLINE || weir__outq_last(q)->share == share)
    return true;
  size_t bytes = part->len;
  for (uint32_t i = 1; i <= KEPT_ENTRIES && i <= q->count; i++)
    bytes += q->ring[(q->head + q->count - i) & (q->capacity - 1)].len;
  return share->size / KEPT_FOR <= bytes;
}

int weir__run_push(struct weir__outq *q, struct weir__pool *pool, const struct weir__part *part,
                   uint32_t flags)
{
  if (may_keep(q, part))
    return weir__outq_push(q, pool, part->share, part->offset, part->len, flags);
  return weir__outq_copy(q, pool, NULL, 0, weir__share_bytes(part->share) + part->offset, part->len,
                         flags);
}
