/* Bytes to handlers. HOT. The street, in order:
 *
 *   weir__conn_read -> receive (stream.recv into the loop's buffer, or straight into a message that
 * spans reads)
 *   -> weir__conn_input -> weir__parser_next -> take_data | take_control -> the route's handler
 *
 * What a turn may not or must not handle any more (budget, pause) is stashed, and while there is a
 * stash, the socket is not read (RFC 6455 section 5). */
#include "ws/conn.h"

#include "wire/close.h"
#include "ws/conn_deflate.h"
#include "ws/frame.h"
#include "ws/reply.h"

#include <errno.h>
#include <string.h>

struct weir__inbox *weir__conn_inbox(struct weir_conn *c)
{
  if (c->inbox == NULL) {
    size_t got;
    struct weir__inbox *in = weir__pool_get(&weir__conn_loop(c)->pool, sizeof *in, &got);
    if (in != NULL)
      memset(in, 0, offsetof(struct weir__inbox, control));
    c->inbox = in;
  }
  return c->inbox;
}

static void drop_stash(struct weir_conn *c)
{
  struct weir__inbox *in = c->inbox;
  weir__pool_put(&weir__conn_loop(c)->pool, in->stash, in->stash_size);
  in->stash = NULL;
}

void weir__conn_drop_inbox(struct weir_conn *c)
{
  if (c->inbox == NULL)
    return;
  drop_stash(c);
  weir__conn_drop_rest(c);
  if (c->inbox->message != NULL)
    weir__buf_give(&weir__conn_loop(c)->pool, &c->inbox->message->buf);
  weir__pool_put(&weir__conn_loop(c)->pool, c->inbox, sizeof *c->inbox);
  c->inbox = NULL;
}

/* An inbox that holds nothing goes back to the pool: idle connections have none. */
static void shed_inbox(struct weir_conn *c)
{
  const struct weir__inbox *in = c->inbox;
  if (in->message == NULL && in->stash == NULL && in->rest == NULL && in->control_len == 0 &&
      !in->begun)
    weir__conn_drop_inbox(c);
}

void weir__conn_no_memory(struct weir_conn *c)
{
  weir__conn_fail(c, -WEIR__CLOSE_INTERNAL_ERROR, "no memory for the message");
}

/* Keeps bytes for later. They may stand in the stash already. */
static void stash(struct weir_conn *c, const struct weir__input *rest)
{
  struct weir__inbox *in = weir__conn_inbox(c);
  size_t len = (size_t)(rest->end - rest->at);
  if (in == NULL) {
    weir__conn_no_memory(c);
    return;
  }
  if (in->stash != NULL) {
    in->stash_at = (size_t)(rest->at - in->stash);
    return;
  }
  size_t got;
  in->stash = weir__pool_get(&weir__conn_loop(c)->pool, len + WEIR__PARSER_SLACK, &got);
  if (in->stash == NULL) {
    weir__conn_no_memory(c);
    return;
  }
  memcpy(in->stash, rest->at, len);
  in->stash_size = got;
  in->stash_at = 0;
  in->stash_end = len;
}

static inline void hand_out(struct weir_conn *c, const struct weir__route *route,
                            const struct weir_message *message)
{
  if (route->handlers.on_fragment != NULL)
    route->handlers.on_fragment(c, message, route->arg);
  else if (route->handlers.on_message != NULL)
    route->handlers.on_message(c, message, route->arg);
}

void weir__conn_deliver(struct weir_conn *c, const struct weir__route *route,
                        const struct weir_message *message)
{
  if (message->last)
    weir__count(&c->shard->counters.messages_received, 1);
  hand_out(c, route, message);
}

/* How much to make room for: what is known to come of this frame, but no more than 1 MiB at first
 * and twice what has come then; and as much again as has come, so that a message of many small
 * fragments is not copied once for each. Memory that is not written to is not there, so a declared
 * length costs its sender as much as it costs us. */
static size_t room_for(size_t have, const struct weir__event *event)
{
  size_t need = have + event->len;
  size_t most = need < WEIR__TRUST_BYTES ? WEIR__TRUST_BYTES : need;
  size_t more = event->remaining < most ? (size_t)event->remaining : most;
  return need + (more < have ? have : more);
}

/* Appends a piece to the message that spans reads; a piece that was received straight into it
 * stands there already. */
int weir__conn_assemble(struct weir_conn *c, const struct weir__event *event)
{
  struct weir__inbox *in = weir__conn_inbox(c);
  if (in == NULL)
    return -ENOMEM;
  if (in->message == NULL) {
    size_t room = room_for(0, event) + WEIR__PARSER_SLACK;
    in->message =
        (struct weir_frame *)weir__buf_take(&weir__conn_loop(c)->pool, WEIR__FRAME_ROOM, room);
    if (in->message == NULL)
      return -ENOMEM;
  }
  struct weir__buf *buf = &in->message->buf;
  if (event->data != weir__buf_bytes(buf) + buf->end) {
    if (buf->capacity - buf->end < event->len + WEIR__PARSER_SLACK) {
      size_t room = WEIR__FRAME_ROOM + room_for(weir__frame_len(in->message), event);
      buf = weir__buf_grow(buf, room + WEIR__PARSER_SLACK);
      if (buf == NULL)
        return -ENOMEM;
      in->message = (struct weir_frame *)buf;
    }
    memcpy(weir__buf_bytes(buf) + buf->end, event->data, event->len);
  }
  buf->end += event->len;
  return 0;
}

/* The message that spans reads is whole. */
void weir__conn_deliver_assembled(struct weir_conn *c, const struct weir__route *route,
                                  uint8_t opcode)
{
  struct weir_frame *frame = c->inbox->message;
  c->inbox->message = NULL;
  weir__frame_seal(frame, opcode);
  const struct weir_message message = {.data = weir__frame_data(frame),
                                       .len = weir__frame_len(frame),
                                       .opcode = opcode,
                                       .first = 1,
                                       .last = 1,
                                       .frame = frame};
  weir__conn_deliver(c, route, &message);
  weir__buf_give(&weir__conn_loop(c)->pool, &frame->buf);
}

static void take_data(struct weir_conn *c, const struct weir__route *route,
                      const struct weir__event *event)
{
  if ((event->first && event->last) || route->handlers.on_fragment != NULL) {
    const struct weir_message message = {.data = event->data,
                                         .len = event->len,
                                         .opcode = event->opcode,
                                         .first = event->first,
                                         .last = event->last};
    weir__conn_deliver(c, route, &message);
    return;
  }
  if (weir__conn_assemble(c, event) != 0)
    weir__conn_no_memory(c);
  else if (event->last)
    weir__conn_deliver_assembled(c, route, event->opcode);
}

static void act_on_control(struct weir_conn *c, uint8_t opcode, unsigned char *data, size_t len)
{
  const struct weir__route *route = weir__conn_route(c);
  const struct weir_slice payload = {(const char *)data, len};
  c->shard->controls_received++;
  if (opcode == WEIR__CLOSE) {
    weir__conn_peer_closed(c, data, len);
  } else if (opcode == WEIR__PING) {
    weir__conn_answer_ping(c, data, len);
    if (route->handlers.on_ping != NULL)
      route->handlers.on_ping(c, payload, route->arg);
  } else if (route->handlers.on_pong != NULL) {
    route->handlers.on_pong(c, payload, route->arg);
  }
}

static void take_control(struct weir_conn *c, const struct weir__event *event)
{
  if (event->first && event->last) {
    act_on_control(c, event->opcode, event->data, event->len);
    return;
  }
  struct weir__inbox *in = weir__conn_inbox(c);
  if (in == NULL) {
    weir__conn_no_memory(c);
    return;
  }
  memcpy(in->control + in->control_len, event->data, event->len);
  in->control_len = (uint8_t)(in->control_len + event->len);
  if (event->last) {
    unsigned char payload[WEIR__CONTROL_MAX];
    size_t len = in->control_len;
    memcpy(payload, in->control, len);
    in->control_len = 0;
    act_on_control(c, event->opcode, payload, len);
  }
}

/* Whatever stands at the input's head; the input is moved behind it. */
static __attribute__((noinline)) void take_next(struct weir_conn *c,
                                                const struct weir__route *route,
                                                struct weir__input *input, size_t *frames)
{
  struct weir__event event;
  int kind = weir__parser_next(&c->parser, &route->limits, input, &event);
  --*frames;
  if (kind == WEIR__EVENT_DATA && c->state == WEIR__CONN_OPEN)
    c->since_tick = c->received_tick;
  if (kind < 0)
    weir__conn_fail(c, kind, event.reason);
  else if (kind == WEIR__EVENT_DATA && event.rsv1)
    weir__conn_take_compressed(c, &event, frames);
  else if (kind == WEIR__EVENT_DATA)
    take_data(c, route, &event);
  else if (kind == WEIR__EVENT_CONTROL)
    take_control(c, &event);
  if (c->inbox != NULL && !weir__parser_is_inside(&c->parser))
    c->inbox->begun = false;
}

static inline bool goes_on(const struct weir_conn *c)
{
  return weir__conn_is_live(c) && !c->paused;
}

/* What whole messages leave behind, handed out or not. */
static inline void note_messages(struct weir_conn *c, size_t count)
{
  weir__count(&c->shard->counters.messages_received, count);
  if (c->state == WEIR__CONN_OPEN)
    c->since_tick = c->received_tick;
}

/* Hands out messages that have come whole, as nearly all do, for as long as nothing else stands at
 * the input's head. */
static inline void take_whole(struct weir_conn *c, const struct weir__route *route,
                              struct weir__input *input, size_t *frames)
{
  struct weir__input rest = *input;
  struct weir_message message = {.first = 1, .last = 1};
  size_t left = *frames;
  const char *reason;
  int error = 0;
  while (left > 0 && goes_on(c)) {
    struct weir__header header;
    unsigned char *data;
    if (!weir__parser_take_whole(&c->parser, &route->limits, &rest, &header, &data))
      break;
    message.data = data;
    message.len = header.length;
    message.opcode = header.first & WEIR__OPCODE;
    error = weir__parser_open_whole(&c->parser, header, data, &reason);
    if (error < 0)
      break;
    left--;
    hand_out(c, route, &message);
  }
  if (*frames != left)
    note_messages(c, *frames - left);
  *frames = left;
  *input = rest;
  if (error < 0)
    weir__conn_fail(c, error, reason);
}

/* Parses until the input is used up or must wait; *frames is what the turn may still handle. */
static inline void parse(struct weir_conn *c, struct weir__input *input, size_t *frames)
{
  const struct weir__route *route = weir__conn_route(c);
  for (;;) {
    take_whole(c, route, input, frames);
    if (input->at == input->end || *frames == 0 || !goes_on(c))
      return;
    take_next(c, route, input, frames);
  }
}

/* The time that a message may take begins, with the read that brought its first byte. Without
 * memory for that, another read begins it. */
static void begin_timing(struct weir_conn *c)
{
  struct weir__inbox *in;
  if (c->state != WEIR__CONN_OPEN || weir__conn_route(c)->options.message_timeout_ms == WEIR_OFF)
    return;
  in = weir__conn_inbox(c);
  if (in == NULL || in->begun)
    return;
  in->begun = true;
  in->begun_tick = weir__conn_tick(c);
  weir__conn_arm(c);
}

/* Keeps what parsing left of the input, and what it has to remember. */
static __attribute__((noinline)) void keep(struct weir_conn *c, const struct weir__input *input)
{
  if (!weir__conn_is_live(c))
    return;
  if (input->at < input->end)
    stash(c, input);
  else if (c->inbox != NULL && c->inbox->stash != NULL)
    drop_stash(c);
  if (weir__parser_is_inside(&c->parser))
    begin_timing(c);
}

void weir__conn_input(struct weir_conn *c, unsigned char *data, size_t len, size_t *frames)
{
  struct weir__input input = {data, data + len};
  parse(c, &input, frames);
  if (input.at != input.end || c->inbox != NULL || weir__parser_is_inside(&c->parser))
    keep(c, &input);
}

/* Goes on with what was kept; whether the socket may be read now. */
static __attribute__((noinline)) bool stash_done(struct weir_conn *c, size_t *frames)
{
  if (c->inbox->rest != NULL && !weir__conn_inflate_rest(c, frames))
    return false;
  struct weir__inbox *in = c->inbox;
  if (in == NULL || in->stash == NULL)
    return true;
  size_t at = in->stash_at, len = in->stash_end - at;
  weir__conn_input(c, in->stash + at, len, frames);
  return c->inbox == NULL || (c->inbox->stash == NULL && c->inbox->rest == NULL);
}

/* Where the next bytes should go: behind a message that spans reads when much of its frame is still
 * to come, unless they may have to be inflated first. */
static __attribute__((noinline)) unsigned char *place_for(struct weir_conn *c, size_t *room)
{
  struct weir_loop *loop = weir__conn_loop(c);
  if (!weir__conn_is_live(c) || c->inbox->message == NULL || !c->stream.ops->direct ||
      c->has_context)
    return loop->receive;
  uint64_t due = weir__parser_due(&c->parser);
  struct weir__buf *buf = &c->inbox->message->buf;
  if (due < WEIR__STRAIGHT_BYTES)
    return loop->receive;
  size_t free = buf->capacity - WEIR__PARSER_SLACK - buf->end;
  if (free < WEIR__STRAIGHT_BYTES && free < due) {
    const struct weir__event coming = {.len = 0, .remaining = due};
    size_t room_wanted = WEIR__FRAME_ROOM + room_for(weir__frame_len(c->inbox->message), &coming);
    struct weir__buf *grown = weir__buf_grow(buf, room_wanted + WEIR__PARSER_SLACK);
    if (grown == NULL)
      return loop->receive;
    buf = grown;
    c->inbox->message = (struct weir_frame *)buf;
    free = buf->capacity - WEIR__PARSER_SLACK - buf->end;
  }
  *room = free < due ? free : (size_t)due;
  return weir__buf_bytes(buf) + buf->end;
}

/* Whatever still comes is thrown away, within a bound. */
static void discard(struct weir_conn *c, size_t len)
{
  c->discarded += len;
  if (c->discarded > WEIR__DISCARD_BYTES)
    weir__conn_end(c);
}

static inline void dispatch(struct weir_conn *c, unsigned char *data, size_t len, size_t *frames)
{
  c->received_tick = weir__conn_tick(c);
  if (__builtin_expect(c->pinged, 0)) { /* the next is due before the answer to the last was */
    c->pinged = 0;
    weir__conn_arm(c);
  }
  weir__count(&c->shard->counters.bytes_received, len);
  if (weir__conn_is_live(c))
    weir__conn_input(c, data, len, frames);
  else if (c->state == WEIR__CONN_HTTP)
    weir__http_input(c, data, len, frames);
  else
    discard(c, len);
}

/* A read gave nothing: none is there now, or none will be any more. */
static __attribute__((noinline)) void nothing_came(struct weir_conn *c, int error)
{
  if (error == 0)
    weir__conn_input_ended(c);
  else if (error == -EPROTO && !c->stream.ops->direct)
    weir__conn_tls_failed(c);
  else if (error != -EAGAIN)
    weir__conn_lost(c, error, "the connection was lost");
}

/* One read and what follows from it; whether there may be another one now. */
static inline bool receive(struct weir_conn *c, size_t *bytes, size_t *frames)
{
  struct weir_loop *loop = weir__conn_loop(c);
  size_t room = WEIR__RECEIVE_BYTES;
  unsigned char *at = c->inbox == NULL ? loop->receive : place_for(c, &room);
  ssize_t n = c->stream.ops->recv(&c->stream, loop->mem.sys, at, room);
  if (n <= 0) {
    nothing_came(c, (int)n);
    return false;
  }
  *bytes -= (size_t)n < *bytes ? (size_t)n : *bytes;
  dispatch(c, at, (size_t)n, frames);
  return c->state != WEIR__CONN_DEAD && !c->paused;
}

void weir__conn_read(struct weir_conn *c)
{
  size_t bytes = WEIR__READ_BUDGET, frames = WEIR__FRAME_BUDGET;
  bool open = c->state != WEIR__CONN_HTTP;
  if (open ? c->paused || c->state == WEIR__CONN_DEAD : !weir__http_resume(c, &frames))
    return;
  if (c->state == WEIR__CONN_OPEN)
    weir__reply_open(c, weir__conn_route(c));
  if ((c->inbox == NULL || stash_done(c, &frames)) && c->state != WEIR__CONN_DEAD && !c->paused) {
    while (c->stream.source.readable && bytes > 0 && frames > 0) {
      if (!receive(c, &bytes, &frames))
        break;
    }
  }
  weir__reply_close(c);
  if (c->inbox != NULL && c->state != WEIR__CONN_DEAD)
    shed_inbox(c);
}

bool weir__conn_has_input(const struct weir_conn *c)
{
  bool stashed = c->inbox != NULL && (c->inbox->stash != NULL || c->inbox->rest != NULL);
  if (c->state == WEIR__CONN_HTTP && weir__http_has_input(c))
    return true;
  return !c->paused && (c->stream.source.readable || stashed);
}
