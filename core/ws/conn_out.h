/* What the files that put bytes into a connection's queue share: conn_out.c (messages),
 * conn_fragment.c, conn_control.c, conn_deflate.c. */
#ifndef WEIR_WS_CONN_OUT_H
#define WEIR_WS_CONN_OUT_H

#include "ws/reply.h"

static inline struct weir__pool *weir__conn_pool(const struct weir_conn *c)
{
  return &weir__conn_loop(c)->pool;
}

static inline bool weir__out_may_send(const struct weir_conn *c)
{
  return c->state == WEIR__CONN_OPEN && !c->broken;
}

static inline bool weir__out_is_message(enum weir_opcode opcode, const void *data, size_t len)
{
  return (opcode == WEIR_TEXT || opcode == WEIR_BINARY) && (data != NULL || len == 0);
}

/* Sees to it that what was queued leaves: by the work that follows the connection's own handler, or
 * on the queue of those that somebody else sent to. */
static inline void weir__out_schedule(struct weir_conn *c)
{
  struct weir_loop *loop = weir__conn_loop(c);
  if (loop->current != &c->stream.source)
    weir__loop_later(loop, &c->stream.source);
}

/* After a send: where it was short, an edge must come once there is room. */
static inline void weir__out_await(struct weir_conn *c)
{
  if (__builtin_expect(!c->stream.source.writable && c->stream.source.quiet, 0))
    weir__loop_hear(weir__conn_loop(c), &c->stream.source);
}

/* The flags of a whole message with this first byte of its header in the queue. What was compressed
 * with a context that later messages refer to is not dropped. */
static inline uint32_t weir__out_flags(const struct weir_conn *c, uint8_t first)
{
  bool referred_to = c->server_takeover && (first & WEIR__RSV1) != 0;
  bool droppable = c->policy >= WEIR_QUEUE_DROP_OLDEST && !referred_to;
  return WEIR__OUT_MESSAGE | (droppable ? (uint32_t)WEIR__OUT_DROPPABLE : 0);
}

/* Sends a whole message with this first byte of its header: its limits have not been looked at, and
 * its payload is what leaves. Returns as weir_conn_send does. */
int weir__conn_send_encoded(struct weir_conn *c, uint8_t first, const void *data, size_t len);

/* What stands in front of a fragment, or of a control frame; and in front of a message, which waits
 * for the end of one begun. */
struct weir_buffered weir__out_before_fragment(const struct weir_conn *c);
struct weir_buffered weir__out_before_message(const struct weir_conn *c);

/* Whether size more bytes, header and all, may be queued behind what is there. An empty queue takes
 * whatever is not too long by itself. */
bool weir__out_fits(const struct weir_conn *c, struct weir_buffered there, size_t size);

/* Whether size more bytes, header and all, fit behind what before says, after a flush where that
 * can help. */
bool weir__out_make_room(struct weir_conn *c, size_t size,
                         struct weir_buffered (*before)(const struct weir_conn *c));

/* conn_policy.c: a message was dropped, and on_dropped is to say so. */
void weir__out_note_dropped(struct weir_conn *c);

/* Drops old messages that may be dropped until size more bytes fit; whether they do. */
bool weir__out_shed(struct weir_conn *c, size_t size);

/* Drops all that may be dropped of an outbox; whether there was any. */
bool weir__out_drop_all(struct weir_conn *c);

/* Where the peer is behind: puts a message in the place of the unsent one with its key; whether it
 * did. Key 0: of none. */
bool weir__out_replace_earlier(struct weir_conn *c, const struct weir__part *part,
                               size_t header_len, uint32_t key);

#endif
