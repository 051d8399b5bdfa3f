/* Buffers in powers of two, kept on a list per size while the loop may need them again. */
#include "base/pool.h"

/* The first word of a buffer that is on a list. */
struct kept {
  struct kept *next;
};

/* The smallest class that holds want bytes, at most WEIR__POOL_MAX. */
static unsigned class_of(size_t want)
{
  if (want <= WEIR__POOL_MIN)
    return 0;
  return 64u - (unsigned)__builtin_clzll(want - 1) - (unsigned)__builtin_ctz(WEIR__POOL_MIN);
}

static size_t class_size(unsigned class)
{
  return (size_t)WEIR__POOL_MIN << class;
}

void weir__pool_init(struct weir__pool *pool, struct weir__mem *mem)
{
  *pool = (struct weir__pool){.mem = mem};
}

static void free_large(struct weir__pool *pool)
{
  while (pool->large_count > 0) {
    const struct weir__large *last = &pool->large[--pool->large_count];
    weir__mem_free(pool->mem, last->block, last->size);
  }
  pool->large_bytes = 0;
}

void weir__pool_fini(struct weir__pool *pool)
{
  free_large(pool);
  for (unsigned class = 0; class < WEIR__POOL_CLASSES; class ++) {
    struct kept *kept = pool->free[class];
    while (kept != NULL) {
      struct kept *next = kept->next;
      weir__mem_free(pool->mem, kept, class_size(class));
      kept = next;
    }
    pool->free[class] = NULL;
    pool->kept[class] = 0;
  }
}

void *weir__pool_get(struct weir__pool *pool, size_t want, size_t *got)
{
  if (want > WEIR__POOL_MAX) {
    *got = want;
    return weir__mem_alloc(pool->mem, want);
  }
  unsigned class = class_of(want);
  struct kept *kept = pool->free[class];
  *got = class_size(class);
  if (kept == NULL)
    return weir__mem_alloc(pool->mem, class_size(class));
  pool->free[class] = kept->next;
  pool->kept[class] -= class_size(class);
  return kept;
}

void weir__pool_put(struct weir__pool *pool, void *buffer, size_t size)
{
  if (buffer == NULL)
    return;
  if (size > WEIR__POOL_MAX) {
    weir__mem_free(pool->mem, buffer, size);
    return;
  }
  unsigned class = class_of(size);
  if (pool->kept[class] + class_size(class) > WEIR__POOL_KEEP) {
    weir__mem_free(pool->mem, buffer, class_size(class));
    return;
  }
  struct kept *kept = buffer;
  kept->next = pool->free[class];
  pool->free[class] = kept;
  pool->kept[class] += class_size(class);
}

void *weir__pool_take_large(struct weir__pool *pool, size_t want, size_t *got)
{
  for (size_t i = pool->large_count; i-- > 0;) {
    const struct weir__large found = pool->large[i];
    if (found.size < want || found.size / 2 > want)
      continue;
    pool->large[i] = pool->large[--pool->large_count];
    pool->large_bytes -= found.size;
    pool->large_used = true;
    weir__mem_disown(pool->mem, found.size);
    *got = found.size;
    return found.block;
  }
  *got = want;
  return pool->mem->sys->alloc(pool->mem->sys, want);
}

bool weir__pool_keep_large(struct weir__pool *pool, void *block, size_t size)
{
  if (size < WEIR__POOL_LARGE || size > WEIR__POOL_LARGE_KEEP - pool->large_bytes ||
      pool->large_count == WEIR__POOL_LARGE_COUNT)
    return false;
  pool->large[pool->large_count++] = (struct weir__large){block, size};
  pool->large_bytes += size;
  pool->large_used = true;
  weir__mem_adopt(pool->mem, size);
  return true;
}

void weir__pool_age(struct weir__pool *pool)
{
  if (!pool->large_used)
    free_large(pool);
  pool->large_used = false;
}
