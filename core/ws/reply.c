/* Replies leave: in one send, or to the outbox when something is in the way (RFC 6455 section 5.4:
 * whole messages, in order). What the block holds are frames that this side encoded, so that they
 * themselves say where each one ends. */
#include "ws/conn_out.h"

#include <errno.h>

int weir__reply_copy(unsigned char *to, const void *data, size_t len)
{
  if (len > 0)
    memcpy(to, data, len);
  return 0;
}

/* Empties the block. Its messages were taken, whatever becomes of them. */
static void start_over(struct weir_conn *c)
{
  struct weir__reply *reply = &c->shard->reply;
  weir__count(&c->shard->counters.messages_sent, reply->most - reply->left);
  reply->left = reply->most;
  reply->end = reply->block;
}

/* The size of a frame that is one of ours. */
static size_t frame_size(const unsigned char *frame, size_t have)
{
  struct weir__header header;
  const char *reason;
  return (size_t)weir__header_decode_server(frame, have, 0, &header, &reason) + header.length;
}

/* Closes the reply and queues what is left of it behind its first bytes, which have left. */
static int move_rest(struct weir_conn *c, size_t sent)
{
  struct weir__reply *reply = &c->shard->reply;
  const unsigned char *at = reply->block, *end = reply->end;
  start_over(c);
  reply->conn = NULL;
  if (end == at)
    return 0;
  struct weir__outbox *out = weir__conn_outbox(c);
  int error = out == NULL ? -ENOMEM : 0;
  while (error == 0 && at < end) {
    size_t size = frame_size(at, (size_t)(end - at));
    size_t skip = sent < size ? sent : size;
    uint32_t flags = skip > 0 ? WEIR__OUT_MESSAGE | WEIR__OUT_BEGUN : weir__out_flags(c, *at);
    if (skip < size)
      error = weir__outq_copy(&out->queue, &weir__conn_loop(c)->pool, NULL, 0, at + skip,
                              size - skip, flags);
    sent -= skip;
    at += size;
  }
  if (error != 0) /* messages that were taken cannot be sent any more */
    weir_conn_abort(c);
  return error;
}

int weir__reply_move(struct weir_conn *c)
{
  return c->shard->reply.conn == c ? move_rest(c, 0) : 0;
}

void weir__reply_drop(struct weir_conn *c)
{
  if (c->shard->reply.conn != c)
    return;
  start_over(c);
  c->shard->reply.conn = NULL;
}

/* The socket took n bytes, or n is an error. */
static __attribute__((noinline)) void sent_in_part(struct weir_conn *c, ssize_t n)
{
  if (n < 0 && n != -EAGAIN) {
    weir__conn_send_failed(c);
  } else {
    weir__out_await(c);
    c->drain_due = 1;
    move_rest(c, n < 0 ? 0 : (size_t)n);
  }
}

void weir__reply_send(struct weir_conn *c)
{
  size_t len = weir__reply_bytes(c);
  if (len == 0)
    return;
  struct weir__shard *shard = c->shard;
  const unsigned char *block = shard->reply.block;
  ssize_t n = c->stream.ops->send(&c->stream, shard->loop->mem.sys, block, len);
  if (n > 0)
    weir__count(&shard->counters.bytes_sent, (uint64_t)n);
  if (n == (ssize_t)len)
    start_over(c);
  else
    sent_in_part(c, n);
}
