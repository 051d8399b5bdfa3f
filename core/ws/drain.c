/* A server ends gracefully (RFC 6455 section 7.4.1, code 1001; RFC 9112 section 9.6): each loop
 * stops listening, and its connections go one by one. Their moments are those of conn_life.c. Who
 * takes the last place back, on whichever loop, stops the server; so does each loop's timer at the
 * deadline.
 *
 * It is asked for by an interrupt, which needs no memory. */
#include "ws/drain.h"

#include "ws/conn.h"

#include <errno.h>

enum { LONGEST_MS = 24 * 60 * 60 * 1000 };

/* Not the loop's clock, which may lag behind. */
static uint64_t now_ms(const struct weir_server *server)
{
  return server->sys->now_ns(server->sys) / 1000000;
}

static uint64_t until_ms(const struct weir_server *server)
{
  return __atomic_load_n(&server->drain_until_ms, __ATOMIC_SEQ_CST);
}

const char *weir__server_not_ready(const struct weir_server *server)
{
  if (__atomic_load_n(&server->stopping, __ATOMIC_SEQ_CST) != 0)
    return "the server stops";
  return until_ms(server) != 0 ? "the server drains" : NULL;
}

/* The last place may be given back while another loop still takes in who waited in line: each
 * writes its own count before it reads the other, in one order for all. */
void weir__drain_left(struct weir_server *server)
{
  if (until_ms(server) == 0 || __atomic_load_n(&server->stopping, __ATOMIC_SEQ_CST) != 0)
    return;
  uint32_t count = __atomic_load_n(&server->shard_count, __ATOMIC_SEQ_CST);
  if (count > 0 && __atomic_load_n(&server->drained, __ATOMIC_SEQ_CST) == count &&
      __atomic_load_n(&server->connections, __ATOMIC_SEQ_CST) == 0)
    weir_server_stop(server);
}

static void on_deadline(struct weir_timer *timer, void *arg)
{
  struct weir__shard *shard = arg;
  (void)timer;
  weir_server_stop(shard->server);
}

/* Whose handshakes the kernel has completed is let in still: closing the socket would reset them.
 */
static void stop_listening(struct weir__shard *shard)
{
  if (shard->index == 0)
    weir__server_unlink_files(shard->server);
  for (size_t i = 0; i < shard->listener_count; i++)
    weir__listener_finish(&shard->listeners[i]);
  __atomic_add_fetch(&shard->server->drained, 1, __ATOMIC_SEQ_CST);
}

/* The connections look at their deadlines anew; what has no request in hand is closed. */
static void tell_connections(struct weir__shard *shard)
{
  struct weir_conn *c;
  for (uint32_t slot = 0; (c = weir__shard_next(shard, &slot)) != NULL;) {
    if (c->state == WEIR__CONN_HTTP)
      weir__http_drain(c);
    else if (c->state == WEIR__CONN_OPEN)
      weir__conn_arm(c);
  }
}

static void on_drain(struct weir__interrupt *interrupt)
{
  struct weir__shard *shard = WEIR__CONTAINER(interrupt, struct weir__shard, drain);
  uint64_t until = until_ms(shard->server), now = now_ms(shard->server);
  uint64_t window = until > now ? until - now : 0;
  bool began = shard->draining;
  if (shard->stopped)
    return;
  shard->draining = true;
  shard->drain_tick = (uint32_t)shard->loop->wheel.tick;
  shard->drain_ticks = (uint32_t)(window / 2 / WEIR__WHEEL_TICK_MS);
  weir_timer_start(shard->deadline, window, 0);
  if (!began)
    stop_listening(shard);
  tell_connections(shard);
  weir__drain_left(shard->server);
}

int weir__drain_init(struct weir__shard *shard)
{
  shard->drain.fn = on_drain;
  weir__loop_add_interrupt(shard->loop, &shard->drain);
  return weir_timer_new(&shard->deadline, shard->loop, on_deadline, shard);
}

void weir__drain_fini(struct weir__shard *shard)
{
  weir__loop_remove_interrupt(shard->loop, &shard->drain);
  weir_timer_free(shard->deadline);
  shard->deadline = NULL;
}

void weir__drain_tell(struct weir_server *server)
{
  uint32_t count = __atomic_load_n(&server->shard_count, __ATOMIC_SEQ_CST);
  if (until_ms(server) == 0)
    return;
  for (uint32_t i = 0; i < count; i++)
    weir__loop_interrupt(server->shards[i].loop, &server->shards[i].drain);
}

int weir_server_drain(struct weir_server *server, size_t deadline_ms)
{
  if (deadline_ms > LONGEST_MS)
    return -EINVAL;
  uint64_t to = now_ms(server) + deadline_ms;
  uint64_t before = until_ms(server);
  do {
    if (before != 0 && before <= to)
      return 0;
  } while (!__atomic_compare_exchange_n(&server->drain_until_ms, &before, to, false,
                                        __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST));
  weir__drain_tell(server);
  return 0;
}
