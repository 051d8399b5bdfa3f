/* Memory for zlib's streams: pages of their own for those that last, because the C library keeps
 * what is freed between blocks that stay; its blocks for the others, because pages are dear. */
#include "ws/zstream.h"

#include <string.h>

enum {
  SIZE_ROOM = 16, /* in front of memory that zlib gives back without saying how much it was */
  MARGIN = 1024   /* what the alignment of zlib's blocks takes, at most */
};

static void *counted_alloc(void *arg, size_t size)
{
  struct weir__mem *mem = arg;
  unsigned char *block = weir__mem_alloc(mem, size + SIZE_ROOM);
  if (block == NULL)
    return NULL;
  memcpy(block, &size, sizeof size);
  return block + SIZE_ROOM;
}

static void counted_free(void *arg, void *memory)
{
  struct weir__mem *mem = arg;
  unsigned char *block = (unsigned char *)memory - SIZE_ROOM;
  size_t size;
  memcpy(&size, block, sizeof size);
  weir__mem_free(mem, block, size + SIZE_ROOM);
}

/* In front of a stream that has pages of its own for its memory: the system has them back as soon
 * as it goes. What they have no room for, as with a zlib that takes more, are blocks. */
struct pages {
  struct weir__mem *mem;
  size_t used, size; /* bytes, these too */
  size_t mapped;     /* 0: the system had none, this is a block */
};

_Static_assert(sizeof(struct pages) % 16 == 0, "what stands behind is aligned to 16");

static void *page_alloc(void *arg, size_t size)
{
  struct pages *pages = arg;
  unsigned char *block = (unsigned char *)pages + pages->used;
  size_t rounded = (size + 15) / 16 * 16;
  if (rounded > pages->size - pages->used)
    return counted_alloc(pages->mem, size);
  pages->used += rounded;
  return block;
}

/* The pages go all at once. */
static void page_free(void *arg, void *memory)
{
  struct pages *pages = arg;
  uintptr_t at = (uintptr_t)memory, first = (uintptr_t)pages;
  if (at < first || at >= first + pages->size)
    counted_free(pages->mem, memory);
}

/* Room for a stream, and as far as may be for all that zlib takes for it; *memory gives the latter.
 */
static void *new_pages(struct weir_loop *loop, size_t stream, size_t more,
                       struct weir__zmem *memory)
{
  size_t least = sizeof(struct pages) + stream + 15, size = least + more + MARGIN;
  struct pages *pages = weir__mem_map(&loop->mem, size);
  size_t mapped = pages == NULL ? 0 : size;
  if (pages == NULL)
    pages = weir__mem_alloc(&loop->mem, least);
  if (pages == NULL)
    return NULL;
  *pages = (struct pages){.mem = &loop->mem,
                          .used = sizeof *pages,
                          .size = mapped > 0 ? size : least,
                          .mapped = mapped};
  *memory = (struct weir__zmem){page_alloc, page_free, pages};
  return page_alloc(pages, stream);
}

static void free_pages(struct weir_loop *loop, void *stream)
{
  struct pages *pages = (struct pages *)stream - 1;
  if (pages->mapped > 0)
    weir__mem_unmap(&loop->mem, pages, pages->size);
  else
    weir__mem_free(&loop->mem, pages, pages->size);
}

struct weir__deflate_stream *weir__compressor_new(struct weir_loop *loop, uint8_t window_bits,
                                                  uint8_t level)
{
  struct weir__zmem memory;
  struct weir__deflate_stream *stream =
      new_pages(loop, sizeof *stream, weir__deflate_bytes(window_bits), &memory);
  if (stream != NULL && weir__deflate_init(stream, window_bits, level, memory) != 0) {
    free_pages(loop, stream);
    stream = NULL;
  }
  return stream;
}

void weir__compressor_free(struct weir_loop *loop, struct weir__deflate_stream *stream)
{
  weir__deflate_fini(stream);
  free_pages(loop, stream);
}

struct weir__inflate *weir__inflater_new(struct weir_loop *loop, uint8_t window_bits, bool lasting)
{
  struct weir__zmem memory = {counted_alloc, counted_free, &loop->mem};
  struct weir__inflate *inflater =
      lasting ? new_pages(loop, sizeof *inflater, weir__inflate_bytes(window_bits), &memory)
              : counted_alloc(memory.arg, sizeof *inflater);
  if (inflater != NULL && weir__inflate_init(inflater, window_bits, memory) != 0) {
    if (lasting)
      free_pages(loop, inflater);
    else
      counted_free(memory.arg, inflater);
    inflater = NULL;
  }
  return inflater;
}

void weir__inflater_free(struct weir_loop *loop, struct weir__inflate *inflater, bool lasting)
{
  if (inflater == NULL)
    return;
  weir__inflate_fini(inflater);
  if (lasting)
    free_pages(loop, inflater);
  else
    counted_free(&loop->mem, inflater);
}
