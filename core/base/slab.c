/* Objects of one size without a header each: an object's chunk is found by binary search over the
 * chunks' addresses, which only giving back has to pay. */
#include "base/slab.h"

#include "base/debug.h"

#include <string.h>

enum { CHUNK_BYTES = 64 << 10, CHUNK_OBJECTS_MIN = 8, LINE = 64, FIRST_CAPACITY = 16 };

/* The first word of a free object. */
struct vacant {
  struct vacant *next;
};

struct weir__slab_chunk {
  struct weir__link link; /* on the list partial while an object is free */
  unsigned char *objects;
  struct vacant *vacant; /* given back */
  size_t fresh;          /* objects never handed out yet: those at the end */
  size_t live;
};

void weir__slab_init(struct weir__slab *slab, struct weir__mem *mem, size_t size)
{
  size_t stride = (size + 15) & ~(size_t)15;
  size_t objects = (CHUNK_BYTES - sizeof(struct weir__slab_chunk) - LINE) / stride;
  *slab = (struct weir__slab){
      .mem = mem,
      .stride = stride,
      .chunk_objects = objects > CHUNK_OBJECTS_MIN ? objects : CHUNK_OBJECTS_MIN,
  };
  weir__list_init(&slab->partial);
}

static size_t chunk_bytes(const struct weir__slab *slab)
{
  return sizeof(struct weir__slab_chunk) + LINE + slab->chunk_objects * slab->stride;
}

/* The number of chunks that begin at or before an address. */
static size_t chunks_up_to(const struct weir__slab *slab, const void *address)
{
  size_t low = 0, high = slab->count;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if ((uintptr_t)slab->all[middle] <= (uintptr_t)address)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

static int make_room(struct weir__slab *slab)
{
  size_t capacity = slab->capacity > 0 ? 2 * slab->capacity : FIRST_CAPACITY;
  if (slab->count < slab->capacity)
    return 0;
  struct weir__slab_chunk **all =
      weir__mem_grow(slab->mem, slab->all, slab->capacity * sizeof(struct weir__slab_chunk *),
                     capacity * sizeof(struct weir__slab_chunk *));
  if (all == NULL)
    return -1;
  slab->all = all;
  slab->capacity = capacity;
  return 0;
}

static struct weir__slab_chunk *add_chunk(struct weir__slab *slab)
{
  if (make_room(slab) < 0)
    return NULL;
  struct weir__slab_chunk *chunk = weir__mem_alloc(slab->mem, chunk_bytes(slab));
  if (chunk == NULL)
    return NULL;
  size_t at = chunks_up_to(slab, chunk);
  memmove(&slab->all[at + 1], &slab->all[at], (slab->count - at) * sizeof *slab->all);
  slab->all[at] = chunk;
  slab->count++;
  uintptr_t behind = (uintptr_t)(chunk + 1);
  *chunk = (struct weir__slab_chunk){
      .objects = (unsigned char *)((behind + LINE - 1) & ~(uintptr_t)(LINE - 1)),
      .fresh = slab->chunk_objects,
  };
  weir__list_push_back(&slab->partial, &chunk->link);
  return chunk;
}

static void free_chunk(struct weir__slab *slab, struct weir__slab_chunk *chunk)
{
  size_t behind = chunks_up_to(slab, chunk);
  memmove(&slab->all[behind - 1], &slab->all[behind], (slab->count - behind) * sizeof *slab->all);
  slab->count--;
  weir__list_remove(&chunk->link);
  weir__mem_free(slab->mem, chunk, chunk_bytes(slab));
}

void weir__slab_fini(struct weir__slab *slab)
{
  WEIR__ASSERT(slab->live == 0);
  while (slab->count > 0)
    free_chunk(slab, slab->all[slab->count - 1]);
  weir__mem_free(slab->mem, slab->all, slab->capacity * sizeof *slab->all);
  slab->all = NULL;
  slab->capacity = 0;
  slab->idle = NULL;
}

void *weir__slab_get(struct weir__slab *slab)
{
  struct weir__slab_chunk *chunk;
  if (weir__list_empty(&slab->partial))
    chunk = add_chunk(slab);
  else
    chunk = WEIR__CONTAINER(slab->partial.next, struct weir__slab_chunk, link);
  if (chunk == NULL)
    return NULL;
  void *object = chunk->vacant;
  if (object != NULL)
    chunk->vacant = chunk->vacant->next;
  else
    object = chunk->objects + (slab->chunk_objects - chunk->fresh--) * slab->stride;
  chunk->live++;
  slab->live++;
  if (slab->idle == chunk)
    slab->idle = NULL;
  if (chunk->live == slab->chunk_objects)
    weir__list_remove(&chunk->link);
  return object;
}

/* Of chunks that are all free one is kept, at the end, so that the others empty first. */
static void retire(struct weir__slab *slab, struct weir__slab_chunk *chunk)
{
  if (slab->idle != NULL) {
    free_chunk(slab, chunk);
    return;
  }
  slab->idle = chunk;
  weir__list_remove(&chunk->link);
  weir__list_push_back(&slab->partial, &chunk->link);
}

void weir__slab_put(struct weir__slab *slab, void *object)
{
  struct weir__slab_chunk *chunk = slab->all[chunks_up_to(slab, object) - 1];
  struct vacant *vacant = object;
  vacant->next = chunk->vacant;
  chunk->vacant = vacant;
  slab->live--;
  if (chunk->live-- == slab->chunk_objects)
    weir__list_push_front(&slab->partial, &chunk->link);
  if (chunk->live == 0)
    retire(slab, chunk);
}
