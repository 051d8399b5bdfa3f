/* A request moves with its connection to another loop of the server, where its handler is called
 * again: the descriptor, what TLS knows, and what was not read yet. It leaves once nothing is
 * queued or half encrypted, so that only the descriptor's owner changes. */
#include "ws/http_conn.h"

#include "io/tls_stream.h"
#include "ws/admit.h"
#include "ws/extra.h"

#include <errno.h>
#include <string.h>

/* A connection between two loops. */
struct journey {
  struct weir__post post;
  struct weir__kept *kept;
  struct weir__shard *to;
  int fd;
  uint16_t listener, route;
  const struct weir__stream_ops *stream;
  bool served, secure, routed, greeting;
  bool readable, exhaust;    /* what only the stream knows: the kernel tells the rest anew */
  struct weir__tls tls;      /* where it is secure */
  struct weir__extra extra;  /* where the server has it */
  struct weir__http_conn at; /* phase, and what of a body has come */
  uint64_t accepted_ns;
  size_t unread;
  char bytes[];
};

int weir__http_move(struct weir_conn *c, struct weir_request *request)
{
  struct weir__kept *kept = weir__request_own(request);
  struct weir__http_conn *http = weir__http_need(c);
  if (http == NULL)
    return -503;
  if (kept == NULL) {
    kept = weir__request_copy(request);
    if (kept == NULL)
      return -503;
    http->request = kept;
    http->phase = WEIR__HTTP_WAIT;
  }
  kept->moving = true;
  kept->request.move_to = request->move_to;
  weir__conn_arm(c);
  weir__loop_again(weir__conn_loop(c), &c->stream.source);
  return 0;
}

static bool is_secure(const struct weir_conn *c)
{
  return c->stream.ops == &weir__stream_tls;
}

static struct journey *pack(struct weir_conn *c, struct weir__kept *kept)
{
  const struct weir__sys *sys = c->shard->server->sys;
  const struct weir__http_conn *http = c->http;
  size_t unread = http->rest.len - http->rest_at;
  struct journey *j = sys->alloc(sys, sizeof *j + unread);
  if (j == NULL)
    return NULL;
  memset(j, 0, sizeof *j);
  j->kept = kept;
  j->to = &c->shard->server->shards[kept->request.move_to - 1];
  j->listener = kept->request.listener;
  j->route = c->route;
  j->routed = c->routed;
  j->served = c->served;
  j->greeting = c->greeting;
  j->accepted_ns = c->accepted_ns;
  j->stream = c->stream.ops;
  j->secure = is_secure(c);
  j->readable = c->stream.source.readable;
  j->exhaust = c->stream.source.exhaust;
  j->at = *http;
  j->unread = unread;
  if (unread > 0)
    memcpy(j->bytes, http->rest.data + http->rest_at, unread);
  return j;
}

/* The connection is none of this loop's any more. */
static void leave(struct weir_conn *c, struct journey *j)
{
  struct weir_loop *loop = weir__conn_loop(c);
  struct weir__extra *extra = weir__conn_extra(c);
  if (c->user_init) {
    const struct weir__route *route = j->kept->request.route;
    c->user_init = 0;
    if (route->handlers.user_fini != NULL)
      route->handlers.user_fini(c->user, route->arg);
  }
  if (j->secure)
    weir__tls_leave(&c->stream, &j->tls);
  if (extra != NULL)
    j->extra = *extra;
  c->http->request = NULL;
  j->kept->request.conn = NULL;
  weir__http_drop(c);
  c->state = WEIR__CONN_DEAD;
  weir__wheel_remove(&loop->wheel, &c->deadline);
  j->fd = weir__loop_release(loop, &c->stream.source);
  weir__loop_bury(loop, &c->stream.source);
}

/* It could not be taken in. */
static void give_up(struct journey *j)
{
  const struct weir__sys *sys = j->to->server->sys;
  if (j->secure)
    weir__tls_abandon(&j->tls);
  weir__admit_lost(j->to->server, j->greeting, j->extra.guest);
  sys->close(sys, j->fd);
  weir__kept_detach(j->kept);
  weir_request_unref(&j->kept->request);
}

/* A connection as it was, on this loop. */
static struct weir_conn *take_in(struct journey *j)
{
  struct weir__shard *shard = j->to;
  char *block = shard->stopped ? NULL : weir__slab_get(weir__shard_slab(shard, j->secure));
  if (block == NULL)
    return NULL;
  struct weir_conn *c = (struct weir_conn *)(block + (j->secure ? sizeof(struct weir__tls) : 0));
  bool ready = !j->secure || weir__tls_arrive(&c->stream, shard->loop, &j->tls) == 0;
  const struct weir__source_ops *ops = j->secure ? &weir__conn_tls_ops : &weir__conn_ops;
  if (ready && weir__conn_place(c, shard, ops, j->stream, j->fd) == 0)
    return c;
  if (ready && j->secure)
    weir__tls_leave(&c->stream, &j->tls);
  weir__slab_put(weir__shard_slab(shard, j->secure), block);
  return NULL;
}

static void restore(struct weir_conn *c, const struct journey *j)
{
  struct weir__extra *extra = weir__conn_extra(c);
  if (extra != NULL)
    *extra = j->extra;
  c->stream.source.readable = j->readable;
  c->stream.source.exhaust = j->exhaust;
  c->listener = j->listener;
  if (j->routed)
    c->route = j->route;
  c->routed = j->routed;
  c->served = j->served;
  c->greeting = j->greeting;
  c->accepted_ns = j->accepted_ns;
}

/* The request goes on where it stood. */
static void settle(struct weir_conn *c, struct weir__http_conn *http, struct journey *j)
{
  http->phase = j->at.phase;
  http->chunked = j->at.chunked;
  http->chunks = j->at.chunks;
  http->body_left = j->at.body_left;
  http->body_seen = j->at.body_seen;
  http->request = j->kept;
  j->kept->shard = c->shard;
  j->kept->loop = c->shard->index;
  j->kept->request.conn = c;
  j->kept->request.move_to = 0;
  j->kept->moving = false;
  j->kept->fresh = true;
  weir__conn_arm(c);
  weir__loop_again(weir__conn_loop(c), &c->stream.source);
  if (j->unread > 0 && weir__http_keep_unread(c, j->bytes, j->unread) != 0)
    weir__http_refuse(c, 503, "out of memory", NULL);
}

static void arrive(void *arg)
{
  struct journey *j = arg;
  const struct weir__sys *sys = j->to->server->sys;
  struct weir_conn *c = take_in(j);
  if (c == NULL) {
    give_up(j);
    sys->free(sys, j);
    return;
  }
  restore(c, j);
  struct weir__http_conn *http = weir__http_need(c);
  if (http != NULL) {
    settle(c, http, j);
  } else {
    weir__kept_detach(j->kept);
    weir_request_unref(&j->kept->request);
    weir__http_refuse(c, 503, "out of memory", NULL);
  }
  sys->free(sys, j);
}

bool weir__http_may_depart(const struct weir_conn *c)
{
  return c->outbox == NULL && (!is_secure(c) || weir__tls_may_leave(&c->stream));
}

void weir__http_depart(struct weir_conn *c)
{
  struct weir__kept *kept = c->http->request;
  struct journey *j = pack(c, kept);
  if (j == NULL) {
    kept->moving = false;
    weir__http_refuse(c, 503, "out of memory", NULL);
    return;
  }
  leave(c, j);
  weir__loop_post(j->to->loop, &j->post, arrive, j);
}
