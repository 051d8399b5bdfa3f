/* A loop's pool of buffers in powers of two from 64 B to 256 KiB: what a connection needs for part
 * of a turn or of a message, and gives back. Idle memory is kept up to a bound, so that it returns
 * to the system after a peak. */
#ifndef WEIR_BASE_POOL_H
#define WEIR_BASE_POOL_H

#include "base/account.h"
#include "base/mem.h"

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
  WEIR__POOL_MIN = 64,
  WEIR__POOL_CLASSES = 13, /* 64 B .. 256 KiB */
  WEIR__POOL_MAX = WEIR__POOL_MIN << (WEIR__POOL_CLASSES - 1),
  WEIR__POOL_KEEP = 1 << 20, /* bytes kept per class at most */

  WEIR__POOL_LARGE = 64 << 10,     /* what a large block has at least, */
  WEIR__POOL_LARGE_KEEP = 8 << 20, /* bytes of them kept at most */
  WEIR__POOL_LARGE_COUNT = 8       /* and how many */
};

struct weir__large {
  void *block;
  size_t size;
};

struct weir__pool {
  struct weir__mem *mem;
  struct weir__large large[WEIR__POOL_LARGE_COUNT]; /* the first large_count of them */
  size_t large_count, large_bytes;
  bool large_used;                 /* one was taken or kept since weir__pool_age */
  void *free[WEIR__POOL_CLASSES];  /* singly linked through their first word */
  size_t kept[WEIR__POOL_CLASSES]; /* bytes on each list */

  size_t queued; /* bytes of blocks that queues of the loop hold; other threads read it relaxed */
  struct weir__account *account; /* of shared buffers that queues hold; NULL: they are not counted.
                                    With a reference */
};

/* Queues hold so many bytes of blocks more, or less. */
static inline void weir__pool_count_queued(struct weir__pool *pool, size_t more, size_t less)
{
  __atomic_store_n(&pool->queued, pool->queued + more - less, __ATOMIC_RELAXED);
}

void weir__pool_init(struct weir__pool *pool, struct weir__mem *mem);
void weir__pool_fini(struct weir__pool *pool);

/* A buffer of at least want bytes, with *got set to its true size; sizes over WEIR__POOL_MAX come
 * from the system as they are. NULL when there is no memory. */
void *weir__pool_get(struct weir__pool *pool, size_t want, size_t *got);

/* Gives a buffer back with the size that got said or the one that was wanted; NULL is allowed. */
void weir__pool_put(struct weir__pool *pool, void *buffer, size_t size);

/* Large blocks, which belong to whoever has them and count for nobody, stay with a loop for a while
 * after their use: the C library would give them back to the system, and each new one would cost a
 * page fault every 4 KiB. Takes one of at least want bytes and at most twice as many, from the
 * seam when none is kept; NULL when there is no memory. */
void *weir__pool_take_large(struct weir__pool *pool, size_t want, size_t *got);

/* Keeps a block of the pool's seam; false when there is no room: it still is the caller's. */
bool weir__pool_keep_large(struct weir__pool *pool, void *block, size_t size);

/* Gives all of them back, if none was taken or kept since this was called last. */
void weir__pool_age(struct weir__pool *pool);

#ifdef __cplusplus
}
#endif

#endif
