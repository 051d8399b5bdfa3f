/* Compressed messages to handlers (RFC 7692 section 7.2.2). A message that came whole and refers to
 * none before it is inflated at once by libdeflate; every other one by the connection's stream, in
 * pieces of 16 KiB, each of which is judged before the next is made. */
#include "ws/conn_deflate.h"

#include "wire/close.h"
#include "ws/conn_out.h"

enum {
  AT_ONCE_BYTES = 64 << 10, /* of room for a message that is inflated at once */
  PIECE_BYTES = 16 << 10    /* of room for a piece of any other */
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

static void hand_out(struct weir_conn *c, const struct weir_message *message)
{
  if (message->last)
    weir__count(&c->shard->counters.messages_inflated, 1);
  weir__conn_deliver(c, weir__conn_route(c), message);
}

/* Inflates a whole message at once; false when that is not the way. */
static bool take_at_once(struct weir_conn *c, const struct weir__event *event)
{
  struct weir__pool *pool = weir__conn_pool(c);
  struct libdeflate_decompressor *decompressor = weir__decompressor_of(c->shard);
  size_t most = weir__conn_route(c)->limits.max_message_bytes, got, made;
  unsigned char *out = weir__pool_get(pool, AT_ONCE_BYTES, &got);
  bool done =
      out != NULL && decompressor != NULL &&
      weir__inflate_whole(decompressor, event->data, event->len, out, AT_ONCE_BYTES, &made) &&
      made <= most;
  if (done) {
    struct weir__utf8 utf8 = {0};
    const struct weir_message message = {
        .data = out, .len = made, .opcode = event->opcode, .first = 1, .last = 1};
    if (event->opcode != WEIR__TEXT || is_text(c, &utf8, out, made, true))
      hand_out(c, &message);
  }
  weir__pool_put(pool, out, got);
  return done;
}

/* What a message in pieces has come to. */
struct piece {
  const struct weir__event *event;
  unsigned char *data;
  size_t len;
  bool first, last;
};

/* Keeps or hands out a piece that was made. */
static void give(struct weir_conn *c, const struct piece *piece)
{
  const struct weir__route *route = weir__conn_route(c);
  uint8_t opcode = piece->event->opcode;
  struct weir_message message = {.data = piece->data,
                                 .len = piece->len,
                                 .opcode = opcode,
                                 .first = piece->first,
                                 .last = piece->last};
  if (route->handlers.on_fragment != NULL || (piece->first && piece->last)) {
    hand_out(c, &message);
    return;
  }
  const struct weir__event made = {.data = piece->data, .len = piece->len};
  if (weir__conn_assemble(c, &made) != 0) {
    weir__conn_no_memory(c);
  } else if (piece->last) {
    weir__count(&c->shard->counters.messages_inflated, 1);
    weir__conn_deliver_assembled(c, route, opcode);
  }
}

/* Judges what was made; whether to go on. */
static bool judge(struct weir_conn *c, struct weir__context *context, const struct piece *piece)
{
  if (piece->len > weir__conn_route(c)->limits.max_message_bytes - context->inflated) {
    fail(c, WEIR__CLOSE_TOO_BIG, "message is too big once it is inflated");
    return false;
  }
  context->inflated += piece->len;
  return piece->event->opcode != WEIR__TEXT ||
         is_text(c, &context->utf8, piece->data, piece->len, piece->last);
}

/* Inflates what came into a piece of room, over and over; whether the room is needed again. */
static bool take_piece(struct weir_conn *c, struct weir__inflate *inflater,
                       struct weir__bytes_in *in, struct piece *piece)
{
  struct weir__context *context = c->context;
  const char *reason;
  int state = weir__inflate_next(inflater, in, piece->event->last, piece->data, PIECE_BYTES,
                                 &piece->len, &reason);
  if (state < 0) {
    weir__conn_fail(c, state, reason);
    return false;
  }
  piece->first = !context->begun;
  piece->last = state == WEIR__INFLATE_DONE && piece->event->last;
  if (!judge(c, context, piece))
    return false;
  if (piece->last)
    weir__context_rest(c, context);
  else if (piece->len == 0)
    return false;
  else
    context->begun = true;
  give(c, piece);
  return state == WEIR__INFLATE_MORE && weir__conn_is_live(c);
}

static void take_in_pieces(struct weir_conn *c, const struct weir__event *event)
{
  struct weir__context *context = weir__context_of(c);
  struct weir__inflate *inflater = context == NULL ? NULL : weir__context_inflater(c, context);
  struct weir__bytes_in in = {event->data, event->len};
  size_t got;
  struct piece piece = {.event = event,
                        .data = weir__pool_get(weir__conn_pool(c), PIECE_BYTES, &got)};
  if (inflater == NULL || piece.data == NULL) {
    weir__conn_no_memory(c);
  } else {
    if (event->first)
      weir__context_begin(context);
    while (take_piece(c, inflater, &in, &piece))
      continue;
  }
  weir__pool_put(weir__conn_pool(c), piece.data, got);
}

void weir__conn_take_compressed(struct weir_conn *c, const struct weir__event *event)
{
  bool whole = event->first && event->last && !c->client_takeover;
  if (!whole || !take_at_once(c, event))
    take_in_pieces(c, event);
}
