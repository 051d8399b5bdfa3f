/* A slab: objects of one size, cut from chunks, each aligned to 64 bytes where the size is a
 * multiple of that, to 16 otherwise. A chunk whose objects are all free goes back to the system,
 * but for one. */
#ifndef WEIR_BASE_SLAB_H
#define WEIR_BASE_SLAB_H

#include "base/list.h"
#include "base/mem.h"

#ifdef __cplusplus
extern "C" {
#endif

struct weir__slab_chunk;

struct weir__slab {
  struct weir__mem *mem;
  size_t stride;                 /* bytes of an object, rounded up */
  size_t chunk_objects;          /* objects of a chunk */
  struct weir__link partial;     /* chunks with free objects, an unused one last */
  struct weir__slab_chunk *idle; /* the one kept whose objects are all free, or NULL */
  struct weir__slab_chunk **all; /* all chunks, by address */
  size_t count, capacity;        /* of all */
  size_t live;                   /* objects handed out */
};

void weir__slab_init(struct weir__slab *slab, struct weir__mem *mem, size_t size);

/* Frees all chunks; no object may be live. */
void weir__slab_fini(struct weir__slab *slab);

/* An object, not zeroed; NULL when there is no memory. */
void *weir__slab_get(struct weir__slab *slab);
void weir__slab_put(struct weir__slab *slab, void *object);

#ifdef __cplusplus
}
#endif

#endif
