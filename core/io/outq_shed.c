/* What is taken back from a queue: all that no byte has left of, when a connection is closed, or
 * messages that are dropped or replaced for newer ones. A message partly sent, or on its way
 * already, stays. */
#include "io/outq.h"

#include "base/debug.h"

/* Leaves an entry of a run only the units that its first n bytes touch. */
static void keep_first(struct weir__outq *q, struct weir__out *out, size_t n)
{
  struct weir__share *share = out->share;
  size_t begin = (size_t)(out->bytes - weir__share_bytes(share));
  uint32_t first = weir__share_units_up_to(share, begin),
           last = weir__share_units_up_to(share, begin + n - 1);
  size_t len = *weir__share_end(share, last) - begin;
  q->bytes -= out->len - len;
  q->messages -= out->messages - (last - first + 1);
  out->len = len;
  out->messages = last - first + 1;
}

/* How many of the last entry's bytes, those that have left among them, forbid to take it back. */
static size_t touched(const struct weir__outq *q, size_t committed)
{
  const struct weir__out *last = weir__outq_last(q);
  size_t sent = q->count == 1 ? q->sent : 0;
  size_t before = q->bytes - (last->len - sent);
  if (committed > before)
    return sent + (committed - before);
  return sent > 0 || (last->flags & WEIR__OUT_BEGUN) != 0 ? sent + 1 : 0;
}

void weir__outq_cut(struct weir__outq *q, struct weir__pool *pool, size_t committed)
{
  WEIR__ASSERT(committed <= q->bytes);
  while (q->count > 0) {
    struct weir__out *last = weir__outq_at(q, q->count - 1);
    size_t kept = touched(q, committed);
    if (kept > 0) {
      if (last->messages > 1)
        keep_first(q, last, kept);
      break;
    }
    q->bytes -= last->len;
    q->messages -= last->messages;
    weir__share_unref(pool, last->share);
    q->count--;
  }
  q->open = NULL;
}

void weir__outq_take_out(struct weir__outq *q, struct weir__pool *pool, uint32_t i)
{
  struct weir__out *out = weir__outq_at(q, i);
  if (out->share == q->open)
    q->open = NULL;
  q->bytes -= out->len;
  q->messages -= out->messages;
  weir__share_unref(pool, out->share);
  for (; i > 0; i--)
    *weir__outq_at(q, i) = *weir__outq_at(q, i - 1);
  q->head++;
  q->count--;
}

uint32_t weir__outq_untouched(const struct weir__outq *q, size_t committed)
{
  size_t end = q->sent + committed; /* of what is touched, counted from the first entry's start */
  uint32_t i = 0;
  for (; i < q->count && end > 0; i++) {
    size_t len = weir__outq_at(q, i)->len;
    end -= len < end ? len : end;
  }
  return i;
}

bool weir__outq_drop_oldest(struct weir__outq *q, struct weir__pool *pool, size_t committed)
{
  for (uint32_t i = weir__outq_untouched(q, committed); i < q->count; i++) {
    if ((weir__outq_at(q, i)->flags & WEIR__OUT_DROPPABLE) == 0)
      continue;
    weir__outq_take_out(q, pool, i);
    return true;
  }
  return false;
}

bool weir__outq_find(const struct weir__outq *q, uint32_t key, size_t committed, uint32_t *index)
{
  for (uint32_t i = weir__outq_untouched(q, committed); i < q->count; i++) {
    if (weir__outq_at(q, i)->flags >> WEIR__OUT_KEY_SHIFT == key) {
      *index = i;
      return true;
    }
  }
  return false;
}

void weir__outq_replace(struct weir__outq *q, struct weir__pool *pool, uint32_t index,
                        struct weir__share *share, size_t offset, size_t len)
{
  struct weir__out *out = weir__outq_at(q, index);
  struct weir__share *old = out->share;
  WEIR__ASSERT(len > 0 && out->messages == 1);
  if (old == q->open)
    q->open = NULL;
  share->refs++;
  q->bytes += len - out->len;
  out->bytes = weir__share_bytes(share) + offset;
  out->len = len;
  out->share = share;
  weir__share_unref(pool, old);
}
