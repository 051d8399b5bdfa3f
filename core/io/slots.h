/* The table of a loop's sources: by a number that is given again, with a generation that tells its
 * users apart. In chunks, so that it grows without copying what is there. */
#ifndef WEIR_IO_SLOTS_H
#define WEIR_IO_SLOTS_H

#include "base/mem.h"

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct weir__source;

enum { WEIR__SLOTS_CHUNK = 256, WEIR__SLOTS_MAX = 1 << 24 };

/* Packed, for 12 bytes instead of 16. */
struct __attribute__((packed, aligned(4))) weir__slot {
  uintptr_t content;   /* the source; of a free slot the next free one << 1 | 1 */
  uint32_t generation; /* never 0; moves on when the slot is given back */
};

/* All zero but free, which is WEIR__SLOTS_MAX: no slots yet. */
struct weir__slots {
  struct weir__slot **chunks;
  uint32_t capacity; /* of the array of chunks */
  uint32_t count;    /* slots ever used, for walking over all */
  uint32_t free;     /* WEIR__SLOTS_MAX: none */
};

static inline struct weir__slot *weir__slot_at(const struct weir__slots *slots, uint32_t slot)
{
  return &slots->chunks[slot / WEIR__SLOTS_CHUNK][slot % WEIR__SLOTS_CHUNK];
}

/* NULL: the slot is free. */
static inline struct weir__source *weir__slot_source(const struct weir__slot *slot)
{
  return (slot->content & 1) != 0 ? NULL : (struct weir__source *)slot->content;
}

/* A free slot, which stays free until it is taken. Returns 0 or -ENOMEM. */
int weir__slots_find(struct weir__slots *slots, struct weir__mem *mem, uint32_t *slot);
void weir__slots_take(struct weir__slots *slots, uint32_t slot, struct weir__source *source);
void weir__slots_give(struct weir__slots *slots, uint32_t slot);

/* Frees the table. */
void weir__slots_fini(struct weir__slots *slots, struct weir__mem *mem);

#ifdef __cplusplus
}
#endif

#endif
