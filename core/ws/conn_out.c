/* Messages to bytes. HOT. The street, in order:
 *
 *   weir_conn_send -> weir__reply_add (small, to the one whose handler runs), or
 *   weir_conn_send -> admit (the queue's limits) -> at once (large) | weir__outq_copy (small) |
 * weir__outq_push (shared)
 *   -> schedule -> weir__conn_flush, once a turn -> weir__outq_pieces -> stream.send
 *
 * Messages are whole or not there at all: what does not fit is refused before its first byte is
 * queued (RFC 6455 section 5.4). */
#include "ws/conn_out.h"

#include "wire/close.h"
#include "ws/cap.h"
#include "ws/conn_deflate.h"
#include "ws/frame.h"

#include <errno.h>
#include <string.h>

enum { PIECES = 64 };

struct weir__outbox *weir__conn_outbox(struct weir_conn *c)
{
  if (weir__reply_move(c) != 0)
    return NULL;
  if (c->outbox == NULL) {
    size_t got;
    c->outbox = weir__pool_get(weir__conn_pool(c), sizeof *c->outbox, &got);
    if (c->outbox != NULL)
      memset(c->outbox, 0, sizeof *c->outbox);
  }
  return c->outbox;
}

struct weir__aside *weir__conn_aside(struct weir_conn *c)
{
  struct weir__outbox *out = c->outbox;
  size_t size;
  if (out->aside != NULL)
    return out->aside;
  out->aside = weir__pool_get(weir__conn_pool(c), sizeof *out->aside, &size);
  if (out->aside != NULL)
    *out->aside = (struct weir__aside){.size = size};
  return out->aside;
}

void weir__conn_drop_held(struct weir_conn *c)
{
  struct weir__outbox *out = c->outbox;
  if (out == NULL || out->held == NULL)
    return;
  weir__outq_clear(out->held, weir__conn_pool(c));
  weir__pool_put(weir__conn_pool(c), out->held, sizeof *out->held);
  out->held = NULL;
}

void weir__conn_drop_outbox(struct weir_conn *c)
{
  weir__reply_drop(c);
  if (c->outbox == NULL)
    return;
  weir__conn_drop_held(c);
  if (c->outbox->aside != NULL)
    weir__pool_put(weir__conn_pool(c), c->outbox->aside, c->outbox->aside->size);
  weir__outq_clear(&c->outbox->queue, weir__conn_pool(c));
  weir__pool_put(weir__conn_pool(c), c->outbox, sizeof *c->outbox);
  c->outbox = NULL;
}

void weir__conn_drop_unsent(struct weir_conn *c)
{
  weir__reply_drop(c);
  if (c->outbox == NULL)
    return;
  weir__conn_drop_held(c);
  weir__outq_cut(&c->outbox->queue, weir__conn_pool(c), weir__stream_committed(&c->stream));
}

struct weir_buffered weir__out_before_fragment(const struct weir_conn *c)
{
  const struct weir__outbox *out = c->outbox;
  if (out != NULL)
    return (struct weir_buffered){out->queue.bytes, out->queue.messages};
  const struct weir__reply *reply = &c->shard->reply;
  size_t bytes = weir__reply_bytes(c);
  return (struct weir_buffered){bytes, bytes == 0 ? 0 : reply->most - reply->left};
}

struct weir_buffered weir__out_before_message(const struct weir_conn *c)
{
  struct weir_buffered there = weir__out_before_fragment(c);
  if (c->outbox != NULL && c->outbox->held != NULL) {
    there.bytes += c->outbox->held->bytes;
    there.messages += c->outbox->held->messages;
  }
  return there;
}

bool weir__out_fits(const struct weir_conn *c, struct weir_buffered there, size_t size)
{
  const struct weir_route_options *options = &weir__conn_route(c)->options;
  return there.bytes == 0 || (there.bytes <= options->max_queued_bytes &&
                              size <= options->max_queued_bytes - there.bytes &&
                              there.messages < options->max_queued_messages);
}

bool weir__out_make_room(struct weir_conn *c, size_t size,
                         struct weir_buffered (*before)(const struct weir_conn *c))
{
  if (c->shard->server->account != NULL)
    weir__cap_note(c, size);
  if (weir__out_fits(c, before(c), size))
    return true;
  if (!c->stream.source.writable)
    return false;
  weir__conn_flush(c);
  return weir__out_fits(c, before(c), size);
}

/* A message of size bytes, header and all, does not fit: applies the policy. */
static __attribute__((noinline)) int overflow(struct weir_conn *c, size_t size, unsigned policy)
{
  if (policy != WEIR_QUEUE_DROP_NEWEST && weir__out_shed(c, size))
    return 0;
  c->drain_due = 1;
  if (policy == WEIR_QUEUE_CLOSE) {
    weir__count(&c->shard->counters.dropped, 1);
    weir__count(&c->shard->tally.slow_closes, 1);
    weir__conn_fail_later(c, WEIR__CLOSE_POLICY);
  } else {
    weir__out_note_dropped(c);
  }
  return -ENOBUFS;
}

/* Judges a whole message of len bytes against the limits. */
static inline __attribute__((always_inline)) int admit(struct weir_conn *c, size_t header_len,
                                                       size_t len, unsigned policy)
{
  if (len > weir__conn_route(c)->options.max_queued_bytes)
    return -EMSGSIZE;
  if (weir__out_make_room(c, header_len + len, weir__out_before_message))
    return weir__out_may_send(c) ? 0 : -EPIPE;
  return overflow(c, header_len + len, policy);
}

/* Where a whole message goes: behind the one begun, if one is. */
static struct weir__outq *queue_for_message(struct weir_conn *c)
{
  struct weir__outbox *out = weir__conn_outbox(c);
  if (out == NULL)
    return NULL;
  return out->held != NULL ? out->held : &out->queue;
}

static int copy_message(struct weir_conn *c, const unsigned char *header, size_t header_len,
                        const void *data, size_t len)
{
  struct weir__outq *q = queue_for_message(c);
  int error = q == NULL ? -ENOMEM
                        : weir__outq_copy(q, weir__conn_pool(c), header, header_len, data, len,
                                          weir__out_flags(c, header[0]));
  if (error == 0)
    weir__out_schedule(c);
  return error;
}

/* Queues a message to a connection whose handler does not run: perhaps one of many that get it. */
static int copy_to_other(struct weir_conn *c, const unsigned char *header, size_t header_len,
                         const void *data, size_t len)
{
  struct weir__outq *q = queue_for_message(c);
  const struct iovec head = {(void *)(uintptr_t)header, header_len};
  const struct iovec body = {(void *)(uintptr_t)data, len};
  if (q == NULL)
    return -ENOMEM;
  const struct weir__part *part =
      weir__repeat_of(&c->shard->repeat, weir__conn_pool(c), q, head, body);
  if (part == NULL)
    return copy_message(c, header, header_len, data, len);
  int error = weir__outq_push(q, weir__conn_pool(c), part->share, part->offset, part->len,
                              weir__out_flags(c, header[0]));
  if (error == 0)
    weir__out_schedule(c);
  return error;
}

static int queue_copy(struct weir_conn *c, const unsigned char *header, size_t header_len,
                      const void *data, size_t len)
{
  bool other = weir__conn_loop(c)->current != &c->stream.source;
  if (other && len > 0 && len <= WEIR__RUN_UNIT - WEIR__SERVER_HEADER_MAX)
    return copy_to_other(c, header, header_len, data, len);
  return copy_message(c, header, header_len, data, len);
}

/* Nothing can be sent any more. What the peer sent before it went is still read; the end of that
 * ends the connection. */
void weir__conn_send_failed(struct weir_conn *c)
{
  if (c->paused && weir__conn_is_live(c)) {
    weir_conn_abort(c);
    return;
  }
  c->paused = 0;
  c->broken = 1;
  weir__conn_drop_outbox(c);
  c->stream.source.readable = 1;
  c->stream.source.exhaust = 1;
  weir__loop_again(weir__conn_loop(c), &c->stream.source);
}

/* All that was queued has left. What on_dropped is still to tell keeps the outbox. */
static void drop_empty_outbox(struct weir_conn *c)
{
  if (c->outbox != NULL && !weir__conn_has_notice(c))
    weir__conn_drop_outbox(c);
}

static ssize_t send_pieces(struct weir_conn *c, struct iovec *pieces, int count)
{
  const struct weir__sys *sys = weir__conn_loop(c)->mem.sys;
  ssize_t n = count == 1 ? c->stream.ops->send(&c->stream, sys, pieces->iov_base, pieces->iov_len)
                         : c->stream.ops->send_pieces(&c->stream, sys, pieces, count);
  if (n > 0)
    weir__count(&c->shard->counters.bytes_sent, (uint64_t)n);
  weir__out_await(c);
  return n;
}

/* Queues what is left of a message of which sent bytes are on their way. */
static int queue_tail(struct weir_conn *c, const unsigned char *header, size_t header_len,
                      const void *data, size_t len, size_t sent)
{
  uint32_t flags = sent > 0 ? WEIR__OUT_MESSAGE | WEIR__OUT_BEGUN : weir__out_flags(c, header[0]);
  struct weir__outbox *out = weir__conn_outbox(c);
  if (out == NULL)
    return -ENOMEM;
  size_t of_header = sent < header_len ? sent : header_len;
  size_t of_data = sent - of_header;
  return weir__outq_copy(&out->queue, weir__conn_pool(c), header + of_header,
                         header_len - of_header, (const unsigned char *)data + of_data,
                         len - of_data, flags);
}

/* Writes what is queued, a header and its data in one call, and keeps the part that was not taken.
 */
static int send_at_once(struct weir_conn *c, const unsigned char *header, size_t header_len,
                        const void *data, size_t len)
{
  struct iovec pieces[PIECES];
  size_t queued = 0;
  int count = 0;
  if (weir__reply_bytes(c) > 0 && weir__reply_move(c) != 0)
    return -ENOMEM;
  if (c->outbox != NULL)
    count = weir__outq_pieces(&c->outbox->queue, weir__conn_loop(c)->scratch, pieces, PIECES - 2,
                              SIZE_MAX, &queued);
  if (c->outbox != NULL && queued < c->outbox->queue.bytes)
    return copy_message(c, header, header_len, data, len);
  pieces[count++] = (struct iovec){(void *)(uintptr_t)header, header_len};
  pieces[count++] = (struct iovec){(void *)(uintptr_t)data, len};
  ssize_t n = send_pieces(c, pieces, count);
  if (n < 0 && n != -EAGAIN) {
    weir__conn_send_failed(c);
    return -EPIPE;
  }
  size_t sent = n < 0 ? 0 : (size_t)n;
  if (c->outbox != NULL)
    weir__outq_consume(&c->outbox->queue, weir__conn_pool(c), sent < queued ? sent : queued);
  size_t mine = sent > queued ? sent - queued : 0;
  if (mine == header_len + len) {
    drop_empty_outbox(c);
    return 0;
  }
  c->drain_due = 1;
  int error = queue_tail(c, header, header_len, data, len, mine);
  if (error != 0 && (mine > 0 || weir__stream_committed(&c->stream) > 0))
    /* half a message can neither be finished nor taken back */
    weir_conn_abort(c);
  return error;
}

static bool has_pong(const struct weir_conn *c)
{
  return c->outbox->aside != NULL && c->outbox->aside->has_pong;
}

static bool goes_at_once(const struct weir_conn *c, size_t len)
{
  return len >= WEIR__AT_ONCE_BYTES && c->stream.source.writable &&
         (c->outbox == NULL || (c->outbox->held == NULL && !has_pong(c)));
}

/* Appends to an open reply; one that is full leaves and takes more. NULL when it does not. */
static unsigned char *add_to_reply(struct weir_conn *c, uint8_t first, size_t len)
{
  if (c->shard->reply.conn != c || len >= WEIR__AT_ONCE_BYTES)
    return NULL;
  unsigned char *to = weir__reply_add(c, first, len, WEIR__AT_ONCE_BYTES);
  if (to != NULL)
    return to;
  weir__reply_send(c);
  return weir__reply_add(c, first, len, WEIR__AT_ONCE_BYTES);
}

int weir__conn_send_encoded(struct weir_conn *c, uint8_t first, const void *data, size_t len)
{
  unsigned char *to = add_to_reply(c, first, len);
  if (to != NULL)
    return weir__reply_copy(to, data, len);
  unsigned char header[WEIR__SERVER_HEADER_MAX];
  size_t header_len = weir__header_encode(header, first, len);
  if (len > PTRDIFF_MAX)
    return -EMSGSIZE;
  int error = admit(c, header_len, len, c->policy);
  if (error != 0)
    return error;
  error = goes_at_once(c, len) ? send_at_once(c, header, header_len, data, len)
                               : queue_copy(c, header, header_len, data, len);
  if (error == 0)
    weir__count(&c->shard->counters.messages_sent, 1);
  return error;
}

/* By way of the queue, or past it; compressed where that was agreed. */
static __attribute__((noinline)) int send_queued(struct weir_conn *c, uint8_t opcode,
                                                 const void *data, size_t len)
{
  if (weir__conn_compresses(c, len))
    return weir__conn_send_compressed(c, opcode, data, len);
  return weir__conn_send_encoded(c, WEIR__FIN | opcode, data, len);
}

/* What is marked as not to be compressed, or no message at all. */
static __attribute__((noinline)) int send_marked(struct weir_conn *c, enum weir_opcode opcode,
                                                 const void *data, size_t len)
{
  if (!weir__opcode_valid(opcode) || (data == NULL && len > 0))
    return -EINVAL;
  if (!weir__out_may_send(c))
    return -EPIPE;
  return weir__conn_send_encoded(c, WEIR__FIN | ((uint8_t)opcode & WEIR__OPCODE), data, len);
}

static inline __attribute__((always_inline)) int
send_message(struct weir_conn *c, enum weir_opcode opcode, const void *data, size_t len)
{
  WEIR__ASSERT(weir__loop_is_here(weir__conn_loop(c)));
  if (!weir__out_is_message(opcode, data, len))
    return send_marked(c, opcode, data, len);
  if (!weir__out_may_send(c))
    return -EPIPE;
  unsigned char *to = weir__reply_add(c, (uint8_t)(WEIR__FIN | opcode), len, c->shard->reply.below);
  if (to == NULL)
    return send_queued(c, (uint8_t)opcode, data, len);
  if (!weir__copy_is_short(len))
    return weir__reply_copy(to, data, len);
  weir__copy_short(to, data, len);
  return 0;
}

int weir_conn_send(struct weir_conn *c, enum weir_opcode opcode, const void *data, size_t len)
{
  return send_message(c, opcode, data, len);
}

/* Queues it behind what is there. The last two policies are those whose messages may be dropped. */
static inline __attribute__((always_inline)) int append_part(struct weir_conn *c,
                                                             const struct weir__part *part,
                                                             size_t header_len, unsigned policy,
                                                             uint32_t key)
{
  int error = admit(c, header_len, part->len - header_len, policy);
  if (error != 0)
    return error;
  struct weir__outq *q = queue_for_message(c);
  if (q == NULL)
    return -ENOMEM;
  uint32_t droppable = policy / WEIR_QUEUE_DROP_OLDEST * WEIR__OUT_DROPPABLE;
  error = weir__run_push(q, weir__conn_pool(c), part,
                         WEIR__OUT_MESSAGE | droppable | key << WEIR__OUT_KEY_SHIFT);
  if (error != 0)
    return error;
  weir__count(&c->shard->counters.messages_sent, 1);
  weir__out_schedule(c);
  return 0;
}

/* In the place of an earlier message of its topic, or behind all others. */
static __attribute__((noinline)) int
queue_latest(struct weir_conn *c, const struct weir__part *part, size_t header_len, uint32_t key)
{
  if (!weir__out_replace_earlier(c, part, header_len, key))
    return append_part(c, part, header_len, WEIR_QUEUE_KEEP_LATEST, key);
  weir__count(&c->shard->counters.messages_sent, 1);
  return 0;
}

int weir__conn_queue_part(struct weir_conn *c, const struct weir__part *part, size_t header_len,
                          const struct weir__topic *topic)
{
  if (!weir__out_may_send(c))
    return -EPIPE;
  unsigned policy = weir__topic_policy(topic, c->policy);
  if (policy == WEIR_QUEUE_KEEP_LATEST && topic != NULL)
    return queue_latest(c, part, header_len, topic->id);
  return append_part(c, part, header_len, policy, 0);
}

__attribute__((noinline)) int weir_conn_send_frame(struct weir_conn *c, struct weir_frame *frame)
{
  WEIR__ASSERT(weir__loop_is_here(weir__conn_loop(c)));
  if (frame == NULL)
    return -EINVAL;
  const struct weir__twin *twin = weir__twin_of(c, c->shard, frame);
  if (twin != NULL)
    return weir__conn_queue_twin(c, twin, NULL);
  struct weir__share *share = weir__share_new(weir__conn_pool(c), &frame->buf);
  if (share == NULL)
    return -ENOMEM;
  const struct weir__part part = {share, frame->buf.begin, frame->buf.end - frame->buf.begin};
  int error = weir__conn_queue_part(c, &part, weir__frame_header(frame), NULL);
  weir__share_unref(weir__conn_pool(c), share);
  return error;
}

int weir_conn_send_message(struct weir_conn *c, const struct weir_message *message)
{
  if (message == NULL || !message->first || !message->last)
    return -EINVAL;
  if (__builtin_expect(message->frame != NULL && !c->deflate, 0))
    return weir_conn_send_frame(c, message->frame);
  return send_message(c, (enum weir_opcode)message->opcode, message->data, message->len);
}

int weir__conn_queue_bytes(struct weir_conn *c, const void *head, size_t head_len, const void *data,
                           size_t len)
{
  struct weir__outbox *out = weir__conn_outbox(c);
  int error = out == NULL ? -ENOMEM
                          : weir__outq_copy(&out->queue, weir__conn_pool(c), NULL, 0, head,
                                            head_len, WEIR__OUT_BEGUN);
  if (error == 0 && len > 0)
    error = weir__outq_copy(&out->queue, weir__conn_pool(c), NULL, 0, data, len, WEIR__OUT_BEGUN);
  if (error == 0)
    weir__out_schedule(c);
  return error;
}

/* Who reads a long response is not idle, however slowly it reads. The end of a WebSocket connection
 * is waited for from its beginning on. */
static void note_progress(struct weir_conn *c)
{
  if (c->state == WEIR__CONN_HTTP || (c->state == WEIR__CONN_LINGER && !c->routed))
    c->since_tick = weir__conn_tick(c);
}

/* Sends until the queue is empty, the socket is full or the budget is spent. */
static void push_out(struct weir_conn *c)
{
  size_t budget = WEIR__WRITE_BUDGET;
  while (c->outbox != NULL && c->outbox->queue.bytes > 0 && c->stream.source.writable &&
         budget > 0) {
    struct iovec pieces[PIECES];
    size_t total;
    int count = weir__outq_pieces(&c->outbox->queue, weir__conn_loop(c)->scratch, pieces, PIECES,
                                  budget, &total);
    ssize_t n = send_pieces(c, pieces, count);
    if (n == -EAGAIN)
      return;
    if (n < 0) {
      weir__conn_send_failed(c);
      return;
    }
    weir__outq_consume(&c->outbox->queue, weir__conn_pool(c), (size_t)n);
    note_progress(c);
    budget -= (size_t)n;
  }
}

void weir__conn_flush(struct weir_conn *c)
{
  if (c->outbox == NULL) {
    weir__reply_send(c);
    return;
  }
  if (has_pong(c) && c->stream.source.writable)
    weir__conn_queue_pong(c);
  push_out(c);
  if (c->outbox == NULL)
    return;
  if (c->outbox->queue.bytes > 0)
    c->drain_due = 1;
  else if (c->outbox->held == NULL)
    drop_empty_outbox(c);
}

void weir__conn_tell_drained(struct weir_conn *c)
{
  if (c->state == WEIR__CONN_HTTP)
    weir__http_flushed(c);
  if (!c->drain_due || c->state != WEIR__CONN_OPEN || weir__out_before_fragment(c).bytes > 0)
    return;
  const struct weir__route *route = weir__conn_route(c);
  c->drain_due = 0;
  if (route->handlers.on_drain != NULL)
    route->handlers.on_drain(c, route->arg);
}

struct weir_buffered weir_conn_buffered(const struct weir_conn *c)
{
  return weir__out_before_message(c);
}
