/* From accept to on_open, and the small things that an open connection is asked. */
#include "ws/client.h"
#include "ws/extra.h"

#include "io/tls_stream.h"
#include "ws/admit.h"
#include "ws/fanout.h"
#include "ws/request.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>

_Static_assert(offsetof(struct weir_conn, protocol) <= 128, "hot fields fill two cache lines");
_Static_assert(sizeof(struct weir__outbox) == 128, "an outbox fills a block of the pool");
_Static_assert(sizeof(struct weir_conn) % 16 == 0, "user memory behind it is aligned to 16");

static struct weir_conn *conn_of(struct weir__source *source)
{
  return (struct weir_conn *)source;
}

/* Both sides have said all and ended: there is nothing to read but the end itself. */
static bool is_over(const struct weir_conn *c)
{
  return c->stream.source.hung && c->heard_all && c->fin_sent;
}

void weir__conn_ready(struct weir__source *source)
{
  struct weir_conn *c = conn_of(source);
  if (is_over(c))
    weir__conn_end(c);
  else if (!c->close_due && !c->metered)
    weir__conn_read(c);
  else if (!c->close_due)
    weir__meter_read(c);
}

/* Everything is flushed and nothing more will be: the sending direction ends. */
static void finish_lingering(struct weir_conn *c)
{
  if (c->state != WEIR__CONN_LINGER || c->outbox != NULL || c->fin_sent)
    return;
  c->fin_sent = 1;
  if (c->broken || c->input_done ||
      c->stream.ops->shutdown(&c->stream, weir__conn_loop(c)->mem.sys) != 0)
    weir__conn_end(c);
  else
    weir__conn_arm(c);
}

/* Whether the connection is as idle as it looks from here: what most have come to, once their input
 * was read and the reply has left. */
static inline bool rests(const struct weir_conn *c)
{
  return c->outbox == NULL && c->inbox == NULL && c->state == WEIR__CONN_OPEN && !c->close_due &&
         !c->drain_due && !c->stream.source.readable;
}

void weir__conn_work(struct weir__source *source)
{
  struct weir_conn *c = conn_of(source);
  if (rests(c))
    return;
  weir__conn_settle(c);
  if (c->state == WEIR__CONN_DEAD)
    return;
  weir__conn_tell_dropped(c);
  weir__conn_flush(c);
  weir__conn_tell_drained(c);
  weir__conn_settle(c);
  finish_lingering(c);
  if (c->state == WEIR__CONN_DEAD)
    return;
  if (weir__conn_has_input(c))
    weir__loop_again(weir__conn_loop(c), source);
  else if (weir__conn_can_flush(c) || weir__conn_has_notice(c))
    weir__loop_later(weir__conn_loop(c), source);
}

static void conn_reclaim(struct weir__source *source)
{
  struct weir_conn *c = conn_of(source);
  weir__slab_put(&c->shard->conns, c);
}

const struct weir__source_ops weir__conn_ops = {weir__conn_ready, weir__conn_work, conn_reclaim};

int weir__conn_place(struct weir_conn *c, struct weir__shard *shard,
                     const struct weir__source_ops *ops, const struct weir__stream_ops *stream_ops,
                     int fd)
{
  memset(c, 0, sizeof *c + shard->server->extra_bytes);
  c->stream.source.ops = ops;
  c->stream.ops = stream_ops;
  c->shard = shard;
  uint32_t writing = stream_ops->quiet ? 0 : EPOLLOUT;
  int error = weir__loop_watch(shard->loop, &c->stream.source, fd,
                               EPOLLIN | EPOLLRDHUP | EPOLLPRI | writing);
  if (error != 0)
    return error;
  c->since_tick = weir__conn_tick(c);
  c->received_tick = c->since_tick;
  weir__conn_arm(c);
  return 0;
}

int weir__conn_begin(struct weir_conn *c, struct weir__listener *listener,
                     const struct weir__source_ops *ops, const struct weir__stream_ops *stream_ops,
                     int fd)
{
  struct weir__shard *shard = listener->arg;
  int error = weir__conn_place(c, shard, ops, stream_ops, fd);
  if (error != 0)
    return error;
  c->listener = weir__shard_listener(shard, listener);
  c->accepted_ns = shard->loop->now_ns;
  if (weir__endpoint_is_unix(weir__conn_endpoint(c)) && stream_ops == &weir__stream_tls)
    c->stream.source.exhaust = 1; /* passed descriptors shorten a read, and no edge follows */
  if (weir__conn_endpoint(c)->proxy)
    weir__proxied_begin(c);
  weir__count(&shard->counters.accepted, 1);
  return 0;
}

void weir__conn_accepted(struct weir__listener *listener, int fd)
{
  struct weir__shard *shard = listener->arg;
  uint16_t index = weir__shard_listener(shard, listener);
  bool local = weir__endpoint_is_unix(&shard->server->endpoints[index]);
  const struct weir__stream_ops *ops = local ? &weir__stream_unix : &weir__stream_tcp;
  struct weir__admission admission;
  if (!weir__admit(shard, fd, &admission))
    return;
  struct weir_conn *c = weir__slab_get(&shard->conns);
  if (c != NULL && weir__conn_begin(c, listener, &weir__conn_ops, ops, fd) == 0) {
    weir__admit_conn(c, &admission);
    return;
  }
  if (c != NULL)
    weir__slab_put(&shard->conns, c);
  weir__admit_undo(shard, &admission);
  weir__shard_turn_away(shard, fd);
}

void weir__conn_open(struct weir_conn *c)
{
  const struct weir__route *route = weir__conn_route(c);
  c->state = WEIR__CONN_OPEN;
  c->opened = 1;
  c->policy = route->options.queue_policy & 3;
  c->since_tick = weir__conn_tick(c);
  c->received_tick = c->since_tick; /* the decision may have taken longer than pings may */
  weir__parser_init(&c->parser, WEIR__RSV2 | WEIR__RSV3 | (c->deflate ? 0 : WEIR__RSV1));
  if (c->greeting)
    weir__durations_add(&c->shard->tally.handshakes, weir__conn_loop(c)->now_ns - c->accepted_ns);
  c->subscriptions = NULL;
  weir__admit_greeted(c);
  weir__count(&c->shard->counters.opened, 1);
  weir__life_begin(c);
  weir__conn_arm(c);
  weir__meter_begin(c);
  if (route->handlers.on_open != NULL)
    route->handlers.on_open(c, route->arg);
}

void weir_conn_pause(struct weir_conn *c)
{
  if (c->paused || !weir__conn_is_live(c))
    return;
  c->paused = 1;
  weir__meter_pause(c);
}

void weir_conn_resume(struct weir_conn *c)
{
  if (!c->paused)
    return;
  c->paused = 0;
  weir__conn_excuse(c);
  weir__meter_resume(c);
  weir__loop_again(weir__conn_loop(c), &c->stream.source);
}

weir_conn_id weir_conn_id_of(const struct weir_conn *c)
{
  const struct weir__source *source = &c->stream.source;
  if (c->state == WEIR__CONN_DEAD)
    return 0;
  uint64_t generation = weir__slot_at(&weir__conn_loop(c)->slots, source->slot)->generation;
  return generation << 32 | (uint64_t)c->shard->index << 24 | source->slot;
}

struct weir_loop *weir_conn_loop(const struct weir_conn *c)
{
  return weir__conn_loop(c);
}

struct weir_server *weir_conn_server(const struct weir_conn *c)
{
  return c->shard->server;
}

struct weir_conn *weir_conn_find(struct weir_server *server, struct weir_loop *loop,
                                 weir_conn_id id)
{
  struct weir__shard *shard = weir__server_shard(server, id);
  if (shard == NULL || shard->loop != loop)
    return NULL;
  return weir__shard_find(shard, id);
}

void *weir_conn_user(const struct weir_conn *c)
{
  return c->user;
}

int weir_conn_set_user(struct weir_conn *c, void *user)
{
  if (weir__conn_route(c)->user_bytes > 0)
    return -EINVAL;
  c->user = user;
  return 0;
}

struct weir_slice weir_conn_protocol(const struct weir_conn *c)
{
  const char *protocol = c->has_context ? c->context->protocol : c->protocol;
  return (struct weir_slice){protocol, protocol == NULL ? 0 : strlen(protocol)};
}
