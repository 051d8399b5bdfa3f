/* Compressed messages to handlers (RFC 7692 section 7.2.2), in pieces of at most 16 KiB, each of
 * which is judged before the next is made. One that came whole and refers to none before it is
 * inflated by the loop's stream and leaves nothing behind; every other one by its connection's. */
#include "ws/conn_deflate.h"

#include "wire/close.h"
#include "ws/conn_out.h"

enum { PIECE_BYTES = 16 << 10 };

/* What comes of an event. */
struct inflation {
  const struct weir__event *event;
  struct weir__inflate *stream;
  struct weir__inflating *message;
  struct weir__context *context; /* NULL: the stream is the loop's */
  struct weir__bytes_in in;
  size_t made; /* bytes */
};

/* A piece that was made. */
struct piece {
  unsigned char *data;
  size_t len;
  bool first, last;
};

static void fail(struct weir_conn *c, int code, const char *reason)
{
  weir__conn_fail(c, -code, reason);
}

/* Whether a piece of a text is UTF-8 so far, or the connection was failed. */
static bool is_text(struct weir_conn *c, struct weir__utf8 *utf8, const unsigned char *data,
                    size_t len, bool last)
{
  if (weir__utf8_validate(utf8, data, len) != len)
    fail(c, WEIR__CLOSE_INVALID_PAYLOAD, "text is not UTF-8");
  else if (last && !weir__utf8_complete(utf8))
    fail(c, WEIR__CLOSE_INVALID_PAYLOAD, "text ends inside a character");
  else
    return true;
  return false;
}

/* Keeps or hands out a piece. */
static void give(struct weir_conn *c, uint8_t opcode, const struct piece *piece)
{
  const struct weir__route *route = weir__conn_route(c);
  const struct weir_message message = {.data = piece->data,
                                       .len = piece->len,
                                       .opcode = opcode,
                                       .first = piece->first,
                                       .last = piece->last};
  const struct weir__event made = {.data = piece->data, .len = piece->len};
  if (piece->last)
    weir__count(&c->shard->counters.messages_inflated, 1);
  if (route->handlers.on_fragment != NULL || (piece->first && piece->last))
    weir__conn_deliver(c, route, &message);
  else if (weir__conn_assemble(c, &made) != 0)
    weir__conn_no_memory(c);
  else if (piece->last)
    weir__conn_deliver_assembled(c, route, opcode);
}

/* Whether a piece may be given, or the connection was failed. */
static bool judge(struct weir_conn *c, uint8_t opcode, struct weir__inflating *message,
                  const struct piece *piece)
{
  if (piece->len > weir__conn_route(c)->limits.max_message_bytes - message->made) {
    fail(c, WEIR__CLOSE_TOO_BIG, "message is too big once it is inflated");
    return false;
  }
  message->made += piece->len;
  return opcode != WEIR__TEXT || is_text(c, &message->utf8, piece->data, piece->len, piece->last);
}

/* Inflates as much as there is room for; whether that may not have been all. */
static bool take_piece(struct weir_conn *c, struct inflation *inflation, struct piece *piece)
{
  struct weir__inflating *message = inflation->message;
  uint8_t opcode = inflation->event->opcode;
  bool last = inflation->event->last;
  const char *reason;
  int state = weir__inflate_next(inflation->stream, &inflation->in, last, piece->data, PIECE_BYTES,
                                 &piece->len, &reason);
  if (state < 0) {
    weir__conn_fail(c, state, reason);
    return false;
  }
  inflation->made += piece->len;
  piece->first = !message->begun;
  piece->last = last && state == WEIR__INFLATE_DONE;
  if ((piece->len == 0 && !piece->last) || !judge(c, opcode, message, piece))
    return false;
  message->begun = true;
  if (piece->last && inflation->context != NULL)
    weir__context_rest(c, inflation->context);
  give(c, opcode, piece);
  return state == WEIR__INFLATE_MORE && weir__conn_is_live(c);
}

/* Inflates all that came. */
static void run(struct weir_conn *c, struct inflation *inflation)
{
  struct weir__pool *pool = weir__conn_pool(c);
  size_t got;
  struct piece piece = {.data = weir__pool_get(pool, PIECE_BYTES, &got)};
  if (inflation->stream == NULL || piece.data == NULL) {
    weir__conn_no_memory(c);
  } else {
    while (take_piece(c, inflation, &piece))
      continue;
  }
  weir__pool_put(pool, piece.data, got);
}

size_t weir__conn_take_compressed(struct weir_conn *c, const struct weir__event *event)
{
  struct weir__inflating whole = {0};
  struct inflation inflation = {.event = event, .message = &whole, .in = {event->data, event->len}};
  if (event->first && event->last && !c->client_takeover) {
    inflation.stream = weir__deflates_inflater(c->shard);
  } else {
    struct weir__context *context = weir__context_of(c);
    if (context != NULL) {
      if (event->first)
        weir__context_begin(context);
      inflation.context = context;
      inflation.message = &context->message;
      inflation.stream = weir__context_inflater(c, context);
    }
  }
  run(c, &inflation);
  return inflation.made;
}
