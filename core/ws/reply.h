/* What a connection's handlers send to it while its input is worked off: whole messages, one behind
 * the other in a block of the shard's, for as long as nothing is queued. They leave in one send
 * when the input in hand is done, before the next connection has its turn. What the socket does not
 * take then, and what must share a queue with anything else, moves to the outbox. HOT. */
#ifndef WEIR_WS_REPLY_H
#define WEIR_WS_REPLY_H

#include "base/copy.h"
#include "ws/conn.h"

/* A reply is open from here on, if all that is sent to the open connection may go there. */
static inline void weir__reply_open(struct weir_conn *c, const struct weir__route *route)
{
  struct weir__reply *reply = &c->shard->reply;
  if (c->outbox != NULL || !c->stream.source.writable || route->reply_bytes == 0)
    return;
  reply->conn = c;
  reply->limit = reply->block + route->reply_bytes;
  reply->below = WEIR__AT_ONCE_BYTES;
  if (__builtin_expect(c->deflate, 0))
    reply->below = route->compress_from;
  reply->most = reply->left = route->options.max_queued_messages;
}

/* Bytes of the open reply; 0 when none is open for the connection. */
static inline size_t weir__reply_bytes(const struct weir_conn *c)
{
  const struct weir__reply *reply = &c->shard->reply;
  return reply->conn == c ? (size_t)(reply->end - reply->block) : 0;
}

/* Appends a message of less than below bytes, but for its payload, and says where that goes. NULL
 * when no reply is open for the connection, or there is no room in it. */
static inline unsigned char *weir__reply_add(struct weir_conn *c, uint8_t first, size_t len,
                                             uint16_t below)
{
  struct weir__reply *reply = &c->shard->reply;
  unsigned char *to = reply->end;
  if (reply->conn != c || len >= below || to + len > reply->limit || reply->left == 0)
    return NULL;
  reply->left--;
  to += weir__header_encode(to, first, len);
  reply->end = to + len;
  return to;
}

/* Copies a payload of any length there, and returns 0: apart, so that a short message is sent
 * without saving registers for a call. */
int weir__reply_copy(unsigned char *to, const void *data, size_t len);

/* Sends what the reply holds, where there is anything; it stays open if all of it was taken. */
void weir__reply_send(struct weir_conn *c);

/* Closes the reply and moves what it holds to the outbox. Returns 0 or -ENOMEM: then the connection
 * was aborted. */
int weir__reply_move(struct weir_conn *c);

/* Closes the reply; what it holds is lost. */
void weir__reply_drop(struct weir_conn *c);

/* The input in hand is done. */
static inline void weir__reply_close(struct weir_conn *c)
{
  struct weir__reply *reply = &c->shard->reply;
  if (reply->end != reply->block)
    weir__reply_send(c);
  reply->conn = NULL;
}

#endif
