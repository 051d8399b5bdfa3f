/* Control frames to bytes (RFC 6455 section 5.5): past limits and messages begun; of the answers to
 * pings only the newest waits for a peer that does not read. */
#include "ws/conn_out.h"

#include <errno.h>
#include <string.h>

int weir__conn_control(struct weir_conn *c, uint8_t opcode, const void *data, size_t len)
{
  struct weir__outbox *out = weir__conn_outbox(c);
  const unsigned char header[2] = {(unsigned char)(WEIR__FIN | opcode), (unsigned char)len};
  if (out == NULL)
    return -ENOMEM;
  int error = weir__outq_copy(&out->queue, weir__conn_pool(c), header, sizeof header, data, len, 0);
  if (error == 0)
    weir__out_schedule(c);
  return error;
}

static int queue_ping_or_pong(struct weir_conn *c, uint8_t opcode, const void *data, size_t len)
{
  if (len > WEIR__CONTROL_MAX || (data == NULL && len > 0))
    return -EINVAL;
  if (!weir__out_may_send(c))
    return -EPIPE;
  if (!weir__out_make_room(c, 2 + len, weir__out_before_fragment))
    return -ENOBUFS;
  return weir__out_may_send(c) ? weir__conn_control(c, opcode, data, len) : -EPIPE;
}

int weir_conn_ping(struct weir_conn *c, const void *data, size_t len)
{
  return queue_ping_or_pong(c, WEIR__PING, data, len);
}

int weir_conn_pong(struct weir_conn *c, const void *data, size_t len)
{
  return queue_ping_or_pong(c, WEIR__PONG, data, len);
}

/* Keeps the answer to a ping in the place of an older one that was kept. */
static void keep_pong(struct weir_conn *c, const void *data, size_t len)
{
  struct weir__aside *aside = weir__conn_aside(c);
  if (aside == NULL)
    return;
  aside->has_pong = true;
  aside->pong_len = (uint8_t)len;
  memcpy(aside->pong, data, len);
}

void weir__conn_answer_ping(struct weir_conn *c, const void *data, size_t len)
{
  if (!weir__out_may_send(c))
    return;
  if (c->outbox != NULL && c->outbox->queue.bytes > 0 && !c->stream.source.writable)
    keep_pong(c, data, len);
  else
    weir__conn_control(c, WEIR__PONG, data, len);
}

void weir__conn_queue_pong(struct weir_conn *c)
{
  struct weir__aside *aside = c->outbox->aside;
  aside->has_pong = false;
  if (weir__out_may_send(c))
    weir__conn_control(c, WEIR__PONG, aside->pong, aside->pong_len);
}
