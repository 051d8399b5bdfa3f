/* A loop's pool of buffers in powers of two from 64 B to 256 KiB: what a connection needs for part
 * of a turn or of a message, and gives back. Idle memory is kept up to a bound, so that it returns
 * to the system after a peak. */
#ifndef WEIR_BASE_POOL_H
#define WEIR_BASE_POOL_H

#include "base/mem.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
  WEIR__POOL_MIN = 64,
  WEIR__POOL_CLASSES = 13, /* 64 B .. 256 KiB */
  WEIR__POOL_MAX = WEIR__POOL_MIN << (WEIR__POOL_CLASSES - 1),
  WEIR__POOL_KEEP = 1 << 20 /* bytes kept per class at most */
};

struct weir__pool {
  struct weir__mem *mem;
  void *free[WEIR__POOL_CLASSES];  /* singly linked through their first word */
  size_t kept[WEIR__POOL_CLASSES]; /* bytes on each list */
};

void weir__pool_init(struct weir__pool *pool, struct weir__mem *mem);
void weir__pool_fini(struct weir__pool *pool);

/* A buffer of at least want bytes, with *got set to its true size; sizes over WEIR__POOL_MAX come
 * from the system as they are. NULL when there is no memory. */
void *weir__pool_get(struct weir__pool *pool, size_t want, size_t *got);

/* Gives a buffer back with the size that got said or the one that was wanted; NULL is allowed. */
void weir__pool_put(struct weir__pool *pool, void *buffer, size_t size);

#ifdef __cplusplus
}
#endif

#endif
