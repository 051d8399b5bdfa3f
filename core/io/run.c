/* Units gathered at the front of a block, their ends noted from its back. A block whose queues have
 * all sent theirs is used again from its beginning, while it still is in the processor's cache. */
#include "io/run.h"

#include "base/debug.h"

#include <errno.h>
#include <string.h>

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
