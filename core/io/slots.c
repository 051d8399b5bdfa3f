/* Slots: those never used are at the end, those given back on a list through them. */
#include "io/slots.h"

#include <errno.h>

enum { FIRST_CAPACITY = 16 };

static uint32_t chunk_count(const struct weir__slots *slots)
{
  return (slots->count + WEIR__SLOTS_CHUNK - 1) / WEIR__SLOTS_CHUNK;
}

/* Makes room for one more chunk. */
static int reserve(struct weir__slots *slots, struct weir__mem *mem, uint32_t chunks)
{
  uint32_t capacity = slots->capacity > 0 ? 2 * slots->capacity : FIRST_CAPACITY;
  if (chunks < slots->capacity)
    return 0;
  struct weir__slot **grown =
      weir__mem_grow(mem, slots->chunks, slots->capacity * sizeof(struct weir__slot *),
                     capacity * sizeof(struct weir__slot *));
  if (grown == NULL)
    return -ENOMEM;
  for (uint32_t i = slots->capacity; i < capacity; i++)
    grown[i] = NULL;
  slots->chunks = grown;
  slots->capacity = capacity;
  return 0;
}

int weir__slots_find(struct weir__slots *slots, struct weir__mem *mem, uint32_t *slot)
{
  *slot = slots->free;
  if (slots->free != WEIR__SLOTS_MAX)
    return 0;
  *slot = slots->count;
  uint32_t chunks = chunk_count(slots);
  if (slots->count % WEIR__SLOTS_CHUNK != 0)
    return 0;
  if (slots->count == WEIR__SLOTS_MAX || reserve(slots, mem, chunks) < 0)
    return -ENOMEM;
  if (slots->chunks[chunks] == NULL) /* else it is there, but its first slot was not taken */
    slots->chunks[chunks] = weir__mem_alloc(mem, WEIR__SLOTS_CHUNK * sizeof(struct weir__slot));
  if (slots->chunks[chunks] == NULL)
    return -ENOMEM;
  for (uint32_t i = 0; i < WEIR__SLOTS_CHUNK; i++)
    slots->chunks[chunks][i] = (struct weir__slot){.content = 1, .generation = 1};
  return 0;
}

void weir__slots_take(struct weir__slots *slots, uint32_t slot, struct weir__source *source)
{
  struct weir__slot *taken = weir__slot_at(slots, slot);
  if (slot == slots->count)
    slots->count++;
  else
    slots->free = (uint32_t)(taken->content >> 1);
  taken->content = (uintptr_t)source;
}

void weir__slots_give(struct weir__slots *slots, uint32_t slot)
{
  struct weir__slot *given = weir__slot_at(slots, slot);
  if (++given->generation == 0)
    given->generation = 1;
  given->content = (uintptr_t)slots->free << 1 | 1;
  slots->free = slot;
}

void weir__slots_fini(struct weir__slots *slots, struct weir__mem *mem)
{
  for (uint32_t i = 0; i < slots->capacity; i++)
    weir__mem_free(mem, slots->chunks[i], WEIR__SLOTS_CHUNK * sizeof(struct weir__slot));
  weir__mem_free(mem, slots->chunks, slots->capacity * sizeof(struct weir__slot *));
}
