/* Counts over all loops, which change with each connection: relaxed atomics, for nothing else is
 * told by them. Who finds no place left counts for nothing (RFC 6455 section 10.4: limits protect a
 * server from exhaustion; RFC 9110 section 15.6.4). */
#include "ws/admit.h"

enum { SPARE = 64 }; /* descriptors for all but connections */

size_t weir__admit_default(size_t descriptors)
{
  if (descriptors == SIZE_MAX)
    return WEIR_OFF;
  return descriptors > 2 * SPARE ? descriptors - SPARE : (descriptors + 1) / 2;
}

static bool take(size_t *count, size_t most)
{
  if (__atomic_fetch_add(count, 1, __ATOMIC_RELAXED) < most)
    return true;
  __atomic_fetch_sub(count, 1, __ATOMIC_RELAXED);
  return false;
}

static void give(size_t *count)
{
  size_t before = __atomic_fetch_sub(count, 1, __ATOMIC_RELAXED);
  WEIR__ASSERT(before > 0);
  (void)before;
}

static bool find_place(struct weir_server *server)
{
  if (!take(&server->connections, server->options.max_connections))
    return false;
  if (take(&server->handshakes, server->options.max_handshakes))
    return true;
  give(&server->connections);
  return false;
}

/* Takes one of the few places of those that are told; without one, fd is closed. */
static int turn_away(struct weir__shard *shard, int fd, int turned)
{
  const struct weir__sys *sys = shard->loop->mem.sys;
  weir__count(&shard->counters.turned_away, 1);
  if (shard->turned_away < WEIR__TURNED_MOST) {
    shard->turned_away++;
    return turned;
  }
  sys->close(sys, fd);
  return -1;
}

int weir__admit(struct weir__shard *shard, int fd)
{
  return find_place(shard->server) ? WEIR__TURNED_NOT : turn_away(shard, fd, WEIR__TURNED_FULL);
}

void weir__admit_undo(struct weir__shard *shard, int turned)
{
  if (turned != WEIR__TURNED_NOT) {
    shard->turned_away--;
    return;
  }
  give(&shard->server->connections);
  give(&shard->server->handshakes);
}

void weir__admit_conn(struct weir_conn *c, int turned)
{
  c->turned_away = (unsigned)turned & 3;
  c->greeting = turned == WEIR__TURNED_NOT;
}

void weir__admit_greeted(struct weir_conn *c)
{
  if (c->greeting)
    give(&c->shard->server->handshakes);
  c->greeting = 0;
}

void weir__admit_leave(struct weir_conn *c)
{
  weir__admit_greeted(c);
  if (c->turned_away != WEIR__TURNED_NOT)
    c->shard->turned_away--;
  else
    give(&c->shard->server->connections);
}

void weir__admit_lost(struct weir_server *server, bool greeting)
{
  if (greeting)
    give(&server->handshakes);
  give(&server->connections);
}

int weir__admit_status(const struct weir_conn *c, const char **reason)
{
  bool full = c->turned_away == WEIR__TURNED_FULL;
  *reason = full ? "the server is full" : "there are too many connections from this address";
  return full ? 503 : 429;
}
