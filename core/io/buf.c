/* Counted bytes: allocation and the atomic count. They cross loops, so they come from the system
 * and not from a loop's seam. */
#include "io/buf.h"

#include "base/sys.h"

#include <string.h>

static void *get(size_t size)
{
  return weir__sys_linux.alloc(&weir__sys_linux, size);
}

struct weir__buf *weir__buf_new(uint32_t room, size_t capacity)
{
  if (capacity > PTRDIFF_MAX - sizeof(struct weir__buf) - room)
    return NULL;
  struct weir__buf *buf = get(sizeof *buf + room + capacity);
  if (buf == NULL)
    return NULL;
  *buf = (struct weir__buf){.refs = 1, .begin = room, .end = room, .capacity = room + capacity};
  return buf;
}

struct weir__buf *weir__buf_grow(struct weir__buf *buf, size_t capacity)
{
  if (capacity > PTRDIFF_MAX - sizeof(struct weir__buf))
    return NULL;
  struct weir__buf *grown = get(sizeof *buf + capacity);
  if (grown == NULL)
    return NULL;
  *grown = *buf;
  grown->capacity = capacity;
  memcpy(weir__buf_bytes(grown) + buf->begin, weir__buf_bytes(buf) + buf->begin,
         buf->end - buf->begin);
  weir__buf_unref(buf);
  return grown;
}

struct weir__buf *weir__buf_ref(struct weir__buf *buf)
{
  __atomic_fetch_add(&buf->refs, 1, __ATOMIC_RELAXED);
  return buf;
}

void weir__buf_unref(struct weir__buf *buf)
{
  if (buf != NULL && __atomic_fetch_sub(&buf->refs, 1, __ATOMIC_ACQ_REL) == 1)
    weir__sys_linux.free(&weir__sys_linux, buf);
}
