/* A server's part on one loop: its listeners, its connections, its topics, and how they end. */
#include "ws/conn.h"

#include "io/tls_stream.h"

#include "wire/close.h"
#include "ws/cap.h"
#include "ws/drain.h"

#include <errno.h>
#include <string.h>

static void on_stop(struct weir__interrupt *interrupt)
{
  struct weir__shard *shard = WEIR__CONTAINER(interrupt, struct weir__shard, stop);
  weir__shard_stop(shard, WEIR__CLOSE_GOING_AWAY);
}

static int start_listeners(struct weir__shard *shard, int *fds)
{
  const struct weir_server *server = shard->server;
  for (size_t i = 0; i < server->endpoint_count; i++) {
    struct weir__listener *listener = &shard->listeners[i];
    listener->shared = server->endpoints[i].shared;
    bool plain = server->endpoints[i].tls == NULL;
    listener->accepted = plain ? weir__conn_accepted : weir__conn_accepted_tls;
    listener->arg = shard;
    int error = weir__listener_start(listener, shard->loop, fds[i]);
    if (error != 0)
      return error;
    fds[i] = -1;
    shard->listener_count++;
  }
  return 0;
}

static void stop_listeners(struct weir__shard *shard)
{
  for (size_t i = 0; i < shard->listener_count; i++)
    weir__listener_stop(&shard->listeners[i]);
}

void weir__shard_turn_away(struct weir__shard *shard, int fd)
{
  const struct weir__sys *sys = shard->loop->mem.sys;
  weir__count_rejected(shard, WEIR__REJECT_MEMORY);
  weir__server_log(shard->server, WEIR_LOG_ERROR, "no memory for a connection");
  sys->close(sys, fd);
}

/* What a connection has behind it stands in the same place with TLS in front and without. */
static void init_slabs(struct weir__shard *shard)
{
  const struct weir_server *server = shard->server;
  size_t size = sizeof(struct weir_conn) + server->extra_bytes + server->user_bytes;
  weir__slab_init(&shard->conns, &shard->loop->mem, size);
  weir__slab_init(&shard->tls_conns, &shard->loop->mem, sizeof(struct weir__tls) + size);
}

int weir__shard_start(struct weir__shard *shard, int *fds)
{
  struct weir_loop *loop = shard->loop;
  uint64_t key[2];
  int error = loop->mem.sys->random(loop->mem.sys, key, sizeof key);
  if (error != 0)
    return error;
  init_slabs(shard);
  weir__cap_begin(shard);
  weir__topics_init(&shard->topics, &loop->mem, key, shard->server->options.max_topics);
  shard->reply.block = weir__mem_alloc(&loop->mem, WEIR__REPLY_BYTES);
  shard->reply.end = shard->reply.block;
  weir__deflates_init(&shard->deflates);
  loop->deadline = weir__conn_deadline;
  if (shard->own_loop)
    loop->busy_poll_ns = shard->server->options.busy_poll_us * 1000;
  shard->stop.fn = on_stop;
  weir__loop_add_interrupt(loop, &shard->stop);
  error = weir__drain_init(shard);
  if (error == 0)
    error = shard->reply.block == NULL ? -ENOMEM : weir__shard_observe(shard);
  if (error == 0)
    error = start_listeners(shard, fds);
  if (error != 0) {
    weir__shard_stop(shard, WEIR__CLOSE_ABNORMAL);
    weir__shard_fini(shard);
  }
  return error;
}

/* Ends every connection. Those that handlers end meanwhile are passed by; none are accepted any
 * more. */
static void stop_connections(struct weir__shard *shard, int code)
{
  struct weir_conn *c;
  for (uint32_t slot = 0; (c = weir__shard_next(shard, &slot)) != NULL;)
    weir__conn_stop(c, code);
}

void weir__shard_stop(struct weir__shard *shard, int code)
{
  if (shard->stopped)
    return;
  shard->stopped = true;
  weir_timer_free(shard->lag_probe);
  if (shard->index == 0)
    weir__server_unlink_files(shard->server);
  stop_listeners(shard);
  stop_connections(shard, code);
}

void weir__shard_fini(struct weir__shard *shard)
{
  weir__loop_settle(shard->loop);
  weir__loop_remove_interrupt(shard->loop, &shard->stop);
  weir__drain_fini(shard);
  weir__topics_fini(&shard->topics);
  weir__run_drop(&shard->fanned, &shard->loop->pool);
  weir__run_drop(&shard->repeat.run, &shard->loop->pool);
  weir__deflates_fini(shard);
  weir__cap_end(shard);
  weir__slab_fini(&shard->conns);
  weir__slab_fini(&shard->tls_conns);
  weir__mem_free(&shard->loop->mem, shard->reply.block, WEIR__REPLY_BYTES);
}
