/* Messages that the application sends in fragments (RFC 6455 section 5.4): whole messages queue
 * behind the one begun, control frames go between its fragments. */
#include "ws/conn_out.h"

#include <errno.h>
#include <string.h>

/* Queues one fragment; refused without a policy, because a message begun must be ended. */
static int queue_fragment(struct weir_conn *c, uint8_t first, const void *data, size_t len)
{
  if (data == NULL && len > 0)
    return -EINVAL;
  unsigned char header[WEIR__SERVER_HEADER_MAX];
  size_t header_len = weir__header_encode(header, first, len);
  if (len > PTRDIFF_MAX || len > weir__conn_route(c)->options.max_queued_bytes)
    return -EMSGSIZE;
  if (!weir__out_make_room(c, header_len + len, weir__out_before_fragment)) {
    c->drain_due = 1;
    return -ENOBUFS;
  }
  if (!weir__out_may_send(c))
    return -EPIPE;
  struct weir__outbox *out = weir__conn_outbox(c);
  if (out == NULL)
    return -ENOMEM;
  uint32_t flags = (first & WEIR__FIN) != 0 ? WEIR__OUT_MESSAGE : 0;
  int error =
      weir__outq_copy(&out->queue, weir__conn_pool(c), header, header_len, data, len, flags);
  if (error == 0)
    weir__out_schedule(c);
  return error;
}

int weir_conn_send_begin(struct weir_conn *c, enum weir_opcode opcode, const void *data, size_t len)
{
  if (!weir__out_is_message(opcode, data, len))
    return -EINVAL;
  if (!weir__out_may_send(c))
    return -EPIPE;
  if (c->outbox != NULL && c->outbox->held != NULL)
    return -EBUSY;
  struct weir__outbox *out = weir__conn_outbox(c);
  size_t got;
  struct weir__outq *held = weir__pool_get(weir__conn_pool(c), sizeof *held, &got);
  if (out == NULL || held == NULL) {
    weir__pool_put(weir__conn_pool(c), held, sizeof *held);
    return -ENOMEM;
  }
  memset(held, 0, sizeof *held);
  out->held = held; /* first, so that a flush that makes room keeps the outbox */
  int error = queue_fragment(c, (uint8_t)opcode, data, len);
  if (error != 0 && c->outbox != NULL)
    weir__conn_drop_held(c);
  return error;
}

static bool has_begun(const struct weir_conn *c)
{
  return c->outbox != NULL && c->outbox->held != NULL;
}

int weir_conn_send_more(struct weir_conn *c, const void *data, size_t len)
{
  if (!weir__out_may_send(c))
    return -EPIPE;
  return has_begun(c) ? queue_fragment(c, WEIR__CONTINUATION, data, len) : -EINVAL;
}

int weir_conn_send_end(struct weir_conn *c, const void *data, size_t len)
{
  if (!weir__out_may_send(c))
    return -EPIPE;
  if (!has_begun(c))
    return -EINVAL;
  struct weir__outbox *out = c->outbox;
  int error = queue_fragment(c, WEIR__FIN | WEIR__CONTINUATION, data, len);
  if (error != 0)
    return error;
  weir__count(&c->shard->counters.messages_sent, 1);
  error = weir__outq_splice(&out->queue, out->held, weir__conn_pool(c));
  if (error != 0) /* what waited behind is lost, and the peer must not go on without it */
    weir_conn_abort(c);
  else
    weir__conn_drop_held(c);
  return error;
}
