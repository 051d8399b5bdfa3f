/* Text that grows: in blocks of a pool, each twice as large as the one before. */
#include "base/builder.h"

#include <errno.h>
#include <string.h>

/* Room for len more bytes. */
static int grow(struct weir__builder *text, struct weir__pool *pool, size_t len)
{
  size_t size, want = text->len + len;
  if (want < text->len)
    return -ENOMEM;
  if (want < text->size * 2)
    want = text->size * 2;
  char *block = weir__pool_get(pool, want, &size);
  if (block == NULL)
    return -ENOMEM;
  if (text->len > 0)
    memcpy(block, text->data, text->len);
  weir__pool_put(pool, text->data, text->size);
  text->data = block;
  text->size = size;
  return 0;
}

int weir__builder_add(struct weir__builder *text, struct weir__pool *pool, const void *data,
                      size_t len)
{
  if (text->size - text->len < len) {
    int error = grow(text, pool, len);
    if (error != 0)
      return error;
  }
  if (len > 0)
    memcpy(text->data + text->len, data, len);
  text->len += len;
  return 0;
}

int weir__builder_add_text(struct weir__builder *text, struct weir__pool *pool, const char *string)
{
  return weir__builder_add(text, pool, string, strlen(string));
}

void weir__builder_drop(struct weir__builder *text, struct weir__pool *pool)
{
  weir__pool_put(pool, text->data, text->size);
  *text = (struct weir__builder){0};
}
