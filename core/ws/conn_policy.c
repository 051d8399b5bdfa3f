/* Slow consumers: what becomes of messages in a queue that is full, or whose peer is behind. Only
 * whole messages go, of which no byte has left; the policy of each one was settled when it was
 * queued. */
#include "ws/cap.h"
#include "ws/conn_out.h"

#include <errno.h>

void weir__out_note_dropped(struct weir_conn *c)
{
  weir__count(&c->shard->counters.dropped, 1);
  if (c->outbox == NULL || weir__conn_route(c)->handlers.on_dropped == NULL)
    return;
  struct weir__aside *aside = weir__conn_aside(c);
  if (aside == NULL)
    return;
  aside->dropped++;
  weir__out_schedule(c);
}

/* Drops the oldest message that may be dropped; whether there was one. */
static bool drop_oldest(struct weir_conn *c)
{
  struct weir__outbox *out = c->outbox;
  size_t committed = weir__stream_committed(&c->stream);
  if (!weir__outq_drop_oldest(&out->queue, weir__conn_pool(c), committed) &&
      (out->held == NULL || !weir__outq_drop_oldest(out->held, weir__conn_pool(c), 0)))
    return false;
  weir__out_note_dropped(c);
  return true;
}

/* Takes the messages that may be dropped off what is there, until size more bytes would fit. */
static bool would_fit(const struct weir_conn *c, const struct weir__outq *q, size_t committed,
                      struct weir_buffered *there, size_t size)
{
  for (uint32_t i = weir__outq_untouched(q, committed); i < q->count; i++) {
    const struct weir__out *out = weir__outq_at(q, i);
    if ((out->flags & WEIR__OUT_DROPPABLE) == 0)
      continue;
    there->bytes -= out->len;
    there->messages--;
    if (weir__out_fits(c, *there, size))
      return true;
  }
  return false;
}

/* Nothing is dropped in vain. */
bool weir__out_shed(struct weir_conn *c, size_t size)
{
  const struct weir__outbox *out = c->outbox;
  struct weir_buffered there = weir__out_before_message(c);
  if (out == NULL ||
      (!would_fit(c, &out->queue, weir__stream_committed(&c->stream), &there, size) &&
       (out->held == NULL || !would_fit(c, out->held, 0, &there, size))))
    return false;
  while (!weir__out_fits(c, weir__out_before_message(c), size))
    drop_oldest(c);
  return true;
}

/* Puts a message in the place of the unsent one that it is later than; whether it did. One that
 * would not fit there is queued as others are, and the earlier one goes. */
static bool take_place(struct weir_conn *c, struct weir__outq *q, size_t committed,
                       const struct weir__part *part, uint32_t key)
{
  uint32_t index;
  if (!weir__outq_find(q, key, committed, &index))
    return false;
  struct weir_buffered there = weir__out_before_message(c);
  there.bytes -= weir__outq_at(q, index)->len;
  there.messages--;
  bool fits_there = weir__out_fits(c, there, part->len);
  if (fits_there)
    weir__outq_replace(q, weir__conn_pool(c), index, part->share, part->offset, part->len);
  else
    weir__outq_take_out(q, weir__conn_pool(c), index);
  weir__out_note_dropped(c);
  return fits_there;
}

/* One that is too long by itself is refused, and nothing goes for it. */
bool weir__out_replace_earlier(struct weir_conn *c, const struct weir__part *part,
                               size_t header_len, uint32_t key)
{
  struct weir__outbox *out = c->outbox;
  if (key == 0 || out == NULL || c->stream.source.writable ||
      part->len - header_len > weir__conn_route(c)->options.max_queued_bytes)
    return false;
  if (!take_place(c, &out->queue, weir__stream_committed(&c->stream), part, key) &&
      (out->held == NULL || !take_place(c, out->held, 0, part, key)))
    return false;
  if (c->shard->server->account != NULL)
    weir__cap_note(c, part->len);
  return true;
}

bool weir__out_drop_all(struct weir_conn *c)
{
  bool dropped = false;
  while (drop_oldest(c))
    dropped = true;
  return dropped;
}

void weir__conn_tell_dropped(struct weir_conn *c)
{
  if (!weir__conn_has_notice(c))
    return;
  size_t messages = c->outbox->aside->dropped;
  c->outbox->aside->dropped = 0;
  const struct weir__route *route = weir__conn_route(c);
  if (c->state == WEIR__CONN_OPEN)
    route->handlers.on_dropped(c, messages, route->arg);
}

int weir_conn_set_queue_policy(struct weir_conn *c, enum weir_queue_policy policy)
{
  WEIR__ASSERT(weir__loop_is_here(weir__conn_loop(c)));
  if ((unsigned)policy > WEIR_QUEUE_KEEP_LATEST)
    return -EINVAL;
  c->policy = (unsigned)policy & 3;
  return 0;
}
