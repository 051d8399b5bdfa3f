/* Compressed messages to handlers (RFC 7692 section 7.2.2), in pieces of at most 16 KiB, each of
 * which is judged before the next is made. Where context is taken over, the connection's own stream
 * inflates what comes when it comes. Elsewhere a message is collected until it is whole, and the
 * loop's stream inflates it and keeps nothing. */
#include "ws/conn_deflate.h"

#include "wire/close.h"
#include "ws/conn_out.h"
#include "ws/frame.h"

#include <string.h>

enum {
  PIECE_BYTES = 16 << 10,
  WHOLE_BYTES = 4 << 20 /* of messages that a turn may well inflate to their end */
};

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

/* Inflates what came, until the turn's budget is spent or the handler pauses where the stream can
 * go on later. Whether that was all. */
static bool run(struct weir_conn *c, struct inflation *inflation, size_t *frames)
{
  struct weir__pool *pool = weir__conn_pool(c);
  size_t got;
  struct piece piece = {.data = weir__pool_get(pool, PIECE_BYTES, &got)};
  bool more = piece.data != NULL;
  if (!more)
    weir__conn_no_memory(c);
  while (more) {
    more = take_piece(c, inflation, &piece);
    if (inflation->context != NULL && (c->paused || inflation->made >= WEIR__READ_BUDGET))
      break;
  }
  weir__pool_put(pool, piece.data, got);
  size_t worth = inflation->made / (WEIR__READ_BUDGET / WEIR__FRAME_BUDGET);
  *frames -= worth < *frames ? worth : *frames;
  return !more;
}

void weir__conn_drop_rest(struct weir_conn *c)
{
  struct weir__inbox *in = c->inbox;
  weir__pool_put(weir__conn_pool(c), in->rest, in->rest_size);
  in->rest = NULL;
}

static void keep_rest(struct weir_conn *c, const struct inflation *inflation)
{
  struct weir__inbox *in = weir__conn_inbox(c);
  size_t len = inflation->in.len;
  if (in != NULL)
    in->rest = weir__pool_get(weir__conn_pool(c), len + 1, &in->rest_size);
  if (in == NULL || in->rest == NULL) {
    weir__conn_no_memory(c);
    return;
  }
  memcpy(in->rest, inflation->in.at, len);
  in->rest_at = 0;
  in->rest_end = len;
  in->rest_last = inflation->event->last;
  in->rest_opcode = inflation->event->opcode;
}

bool weir__conn_inflate_rest(struct weir_conn *c, size_t *frames)
{
  struct weir__inbox *in = c->inbox;
  const struct weir__event event = {.opcode = in->rest_opcode, .last = in->rest_last};
  struct weir__context *context = c->context;
  struct inflation inflation = {.event = &event,
                                .stream = context->inflater,
                                .message = &context->message,
                                .context = context,
                                .in = {in->rest + in->rest_at, in->rest_end - in->rest_at}};
  bool done = run(c, &inflation, frames);
  if (!weir__conn_is_live(c)) /* the inbox is gone with it, or goes */
    return false;
  if (done)
    weir__conn_drop_rest(c);
  else
    in->rest_at = in->rest_end - inflation.in.len;
  return done;
}

/* Has the connection's own stream do it, which may be interrupted; false when there is no memory
 * for one, or no room in the budget. */
static bool take_context(struct weir_conn *c, struct inflation *inflation)
{
  struct weir__context *context = weir__context_of(c);
  struct weir__inflate *stream = context == NULL ? NULL : weir__context_inflater(c, context);
  if (stream == NULL)
    return false;
  if (inflation->event->first)
    weir__context_begin(context);
  inflation->stream = stream;
  inflation->context = context;
  inflation->message = &context->message;
  return true;
}

/* The compressed bytes of a message are collected, and inflated when it is whole. */
static void collect(struct weir_conn *c, const struct weir__event *event, size_t *frames)
{
  if (weir__conn_assemble(c, event) != 0) {
    weir__conn_no_memory(c);
  } else if (event->last) {
    struct weir_frame *frame = c->inbox->message;
    const struct weir__event all = {.data = weir__frame_data(frame),
                                    .len = weir__frame_len(frame),
                                    .opcode = event->opcode,
                                    .first = true,
                                    .last = true};
    c->inbox->message = NULL;
    weir__conn_take_compressed(c, &all, frames);
    weir__buf_give(weir__conn_pool(c), &frame->buf);
  }
}

/* Whether the stream that began the message, or the messages before, must go on. */
static bool is_bound(const struct weir_conn *c)
{
  return c->client_takeover || (c->has_context && c->context->inside);
}

/* Whether a stream is worth making for this message alone: where its pieces are handed out as they
 * come, or where the loop would be held up for long. */
static bool is_worth(const struct weir_conn *c, const struct weir__event *event)
{
  const struct weir__route *route = weir__conn_route(c);
  bool collecting = c->inbox != NULL && c->inbox->message != NULL;
  bool whole = event->first && event->last;
  return !collecting && (route->handlers.on_fragment != NULL ||
                         (whole && route->limits.max_message_bytes > WHOLE_BYTES));
}

void weir__conn_take_compressed(struct weir_conn *c, const struct weir__event *event,
                                size_t *frames)
{
  struct weir__inflating whole = {0};
  struct inflation inflation = {.event = event, .message = &whole, .in = {event->data, event->len}};
  bool bound = is_bound(c);
  bool own = (bound || is_worth(c, event)) && take_context(c, &inflation);
  if (!bound && !own && !(event->first && event->last)) {
    collect(c, event, frames);
    return;
  }
  if (!bound && !own)
    inflation.stream = weir__deflates_inflater(c->shard);
  if (inflation.stream == NULL)
    weir__conn_no_memory(c);
  else if (!run(c, &inflation, frames) && weir__conn_is_live(c))
    keep_rest(c, &inflation);
}
