/* Counted memory of a loop: the seam's allocator, and how much it has given. */
#include "base/mem.h"

#include <string.h>

/* Only the loop's thread writes, so that a load and a store do without a locked instruction. */
static void count(struct weir__mem *mem, size_t change)
{
  size_t bytes = __atomic_load_n(&mem->bytes, __ATOMIC_RELAXED);
  __atomic_store_n(&mem->bytes, bytes + change, __ATOMIC_RELAXED);
}

void *weir__mem_alloc(struct weir__mem *mem, size_t size)
{
  void *memory = mem->sys->alloc(mem->sys, size);
  if (memory != NULL)
    count(mem, size);
  return memory;
}

void weir__mem_adopt(struct weir__mem *mem, size_t size)
{
  count(mem, size);
}

void weir__mem_disown(struct weir__mem *mem, size_t size)
{
  count(mem, (size_t)0 - size);
}

void *weir__mem_zalloc(struct weir__mem *mem, size_t size)
{
  void *memory = weir__mem_alloc(mem, size);
  if (memory != NULL)
    memset(memory, 0, size);
  return memory;
}

void weir__mem_free(struct weir__mem *mem, void *memory, size_t size)
{
  if (memory == NULL)
    return;
  count(mem, (size_t)0 - size);
  mem->sys->free(mem->sys, memory);
}

void *weir__mem_map(struct weir__mem *mem, size_t size)
{
  void *memory = mem->sys->map(mem->sys, size);
  if (memory != NULL)
    count(mem, size);
  return memory;
}

void weir__mem_unmap(struct weir__mem *mem, void *memory, size_t size)
{
  count(mem, (size_t)0 - size);
  mem->sys->unmap(mem->sys, memory, size);
}

void *weir__mem_grow(struct weir__mem *mem, void *memory, size_t old_size, size_t new_size)
{
  void *grown = weir__mem_alloc(mem, new_size);
  if (grown == NULL)
    return NULL;
  if (memory != NULL)
    memcpy(grown, memory, old_size);
  weir__mem_free(mem, memory, old_size);
  return grown;
}
