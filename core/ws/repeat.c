/* The address of lent data says that it may be the same as last time; only its bytes say that it
 * is, because an application may fill one buffer for each client anew. */
#include "ws/repeat.h"

#include <string.h>

/* A queue that stands still keeps whole blocks, so it may reference few. */
static bool takes(const struct weir__outq *q, const struct weir__share *share)
{
  return q->count < WEIR__OUTQ_INLINE || weir__outq_last(q)->share == share;
}

static bool is_same(const struct weir__part *part, struct iovec header, struct iovec data)
{
  const unsigned char *bytes = weir__share_bytes(part->share) + part->offset;
  return memcmp(bytes, header.iov_base, header.iov_len) == 0 &&
         memcmp(bytes + header.iov_len, data.iov_base, data.iov_len) == 0;
}

const struct weir__part *weir__repeat_of(struct weir__repeat *repeat, struct weir__pool *pool,
                                         const struct weir__outq *q, struct iovec header,
                                         struct iovec data)
{
  struct weir__part *part = &repeat->part;
  if (repeat->data != data.iov_base || repeat->len != data.iov_len) {
    repeat->data = data.iov_base;
    repeat->len = data.iov_len;
    part->len = 0;
    return NULL;
  }
  if (part->len == 0) {
    if (weir__run_add(&repeat->run, pool, repeat, header, data, part) < 0)
      return NULL;
  } else if (!is_same(part, header, data)) {
    part->len = 0;
    return NULL;
  }
  return takes(q, part->share) ? part : NULL;
}
