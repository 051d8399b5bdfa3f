/* The memory that zlib works in, by callbacks of the caller's: wire allocates nothing of its own.
 * Pure. */
#ifndef WEIR_WIRE_ZMEM_H
#define WEIR_WIRE_ZMEM_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Where a stream's memory comes from and goes back to. alloc gives size bytes, in any state, or
 * NULL; free must know a block's size by itself. Both are called by the functions of the stream
 * alone, on their caller's thread; arg is the first argument of both. */
struct weir__zmem {
  void *(*alloc)(void *arg, size_t size);
  void (*free)(void *arg, void *memory);
  void *arg;
};

/* The same as zlib calls it: memory is a struct weir__zmem. */
static inline void *weir__zmem_alloc(void *memory, unsigned items, unsigned size)
{
  const struct weir__zmem *zmem = (const struct weir__zmem *)memory;
  return zmem->alloc(zmem->arg, (size_t)items * size);
}

static inline void weir__zmem_free(void *memory, void *block)
{
  const struct weir__zmem *zmem = (const struct weir__zmem *)memory;
  zmem->free(zmem->arg, block);
}

#ifdef __cplusplus
}
#endif

#endif
