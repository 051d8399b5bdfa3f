/* Memory of one loop, counted: all but counted frames, which cross loops. The caller knows each
 * block's size. */
#ifndef WEIR_BASE_MEM_H
#define WEIR_BASE_MEM_H

#include "base/sys.h"

#ifdef __cplusplus
extern "C" {
#endif

struct weir__mem {
  const struct weir__sys *sys;
  size_t bytes; /* held now; other threads read it relaxed */
};

/* A block of size bytes, NULL when there is none; zalloc's is zeroed. */
void *weir__mem_alloc(struct weir__mem *mem, size_t size);
void *weir__mem_zalloc(struct weir__mem *mem, size_t size);

/* Gives a block back, with the size it was asked for; NULL is allowed. */
void weir__mem_free(struct weir__mem *mem, void *memory, size_t size);

/* A block that was not counted, or is not to be any more, joins and leaves the count. */
void weir__mem_adopt(struct weir__mem *mem, size_t size);
void weir__mem_disown(struct weir__mem *mem, size_t size);

/* Pages that the system has back as soon as they are not needed any more, which the C library does
 * not promise of a block; NULL when there are none. */
void *weir__mem_map(struct weir__mem *mem, size_t size);
void weir__mem_unmap(struct weir__mem *mem, void *memory, size_t size);

/* A block of new_size that begins with the old one's bytes, which is freed; NULL, the old one kept,
 * when there is none. Grows only. */
void *weir__mem_grow(struct weir__mem *mem, void *memory, size_t old_size, size_t new_size);

#ifdef __cplusplus
}
#endif

#endif
