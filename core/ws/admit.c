/* Counts over all loops, which change with each connection: relaxed atomics, for nothing else is
 * told by them. Who finds no place left counts for nothing (RFC 6455 section 10.4: limits protect a
 * server from exhaustion; RFC 9110 section 15.6.4). */
#include "ws/admit.h"

#include "ws/client.h"
#include "ws/drain.h"
#include "ws/extra.h"
#include "ws/request.h"

#include <errno.h>

enum { SPARE = 64 }; /* descriptors for all but connections */

static const char crowded[] = "there are too many connections from this address";

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
  size_t before = __atomic_fetch_sub(count, 1, __ATOMIC_SEQ_CST); /* see weir__drain_left */
  WEIR__ASSERT(before > 0);
  (void)before;
}

static void give_place(struct weir_server *server)
{
  give(&server->connections);
  weir__drain_left(server);
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

static void leave_place(struct weir_server *server)
{
  give(&server->handshakes);
  give_place(server);
}

/* Whether addresses are limited, and this one is a client's, not a proxy's of many. */
static bool counts(const struct weir_server *server, const struct weir__ip *ip)
{
  return server->options.max_connections_per_address != WEIR_OFF &&
         (ip->family == WEIR__IP_V4 || ip->family == WEIR__IP_V6) &&
         !weir__server_trusts(server, ip);
}

static int take_guest(struct weir_server *server, const struct weir__ip *ip,
                      struct weir__guest **out)
{
  if (!counts(server, ip))
    return 0;
  return weir__guests_take(&server->guests, ip, server->options.max_connections_per_address, out);
}

/* Of a peer that is gone there is no address: it is not counted. */
static int take_peer(struct weir_server *server, int fd, struct weir__guest **out)
{
  struct weir__address address;
  if (server->options.max_connections_per_address == WEIR_OFF ||
      server->sys->getpeername(server->sys, fd, &address) != 0)
    return 0;
  struct weir__ip ip = weir__ip_of_sockaddr(&address.storage);
  return take_guest(server, &ip, out);
}

/* Takes one of the few places of those that are told; without one, fd is closed. */
static bool turn_away(struct weir__shard *shard, int fd, enum weir__reject reason)
{
  const struct weir__sys *sys = shard->loop->mem.sys;
  weir__count(&shard->counters.turned_away, 1);
  weir__count_rejected(shard, reason);
  if (shard->turned_away == WEIR__TURNED_MOST) {
    sys->close(sys, fd);
    return false;
  }
  shard->turned_away++;
  return true;
}

bool weir__admit(struct weir__shard *shard, int fd, struct weir__admission *out)
{
  *out = (struct weir__admission){.turned = WEIR__TURNED_FULL};
  if (!find_place(shard->server))
    return turn_away(shard, fd, WEIR__REJECT_FULL);
  int error = take_peer(shard->server, fd, &out->guest);
  out->turned = error == 0 ? WEIR__TURNED_NOT : WEIR__TURNED_ADDRESS;
  if (error == 0)
    return true;
  leave_place(shard->server);
  if (error == -ENOBUFS)
    return turn_away(shard, fd, WEIR__REJECT_ADDRESS);
  weir__shard_turn_away(shard, fd);
  return false;
}

void weir__admit_undo(struct weir__shard *shard, const struct weir__admission *admission)
{
  if (admission->turned != WEIR__TURNED_NOT)
    shard->turned_away--;
  else
    leave_place(shard->server);
  if (admission->guest != NULL)
    weir__guests_give(&shard->server->guests, admission->guest);
}

void weir__admit_conn(struct weir_conn *c, const struct weir__admission *admission)
{
  c->turned_away = admission->turned & 3;
  c->greeting = admission->turned == WEIR__TURNED_NOT;
  if (admission->guest != NULL)
    weir__conn_extra(c)->guest = admission->guest;
}

int weir__conn_admit_client(struct weir_conn *c, const struct weir__ip *client)
{
  struct weir__extra *extra = weir__conn_extra(c);
  if (extra == NULL || extra->guest != NULL)
    return 0;
  int error = take_guest(c->shard->server, client, &extra->guest);
  if (error == -ENOBUFS)
    weir__count(&c->shard->counters.turned_away, 1);
  return error == 0 ? 0 : error == -ENOBUFS ? -429 : -503;
}

int weir__admit_request(const struct weir_request *request, const char **reason)
{
  struct weir_conn *c = request->conn;
  struct weir__ip client;
  bool limited = c->shard->server->options.max_connections_per_address != WEIR_OFF;
  if (!limited || weir__conn_extra(c)->guest != NULL ||
      weir__request_client(c, request->head, &client) != 0)
    return 0;
  int verdict = weir__conn_admit_client(c, &client);
  if (verdict != 0)
    *reason = verdict == -429 ? crowded : "out of memory";
  return verdict;
}

void weir__admit_greeted(struct weir_conn *c)
{
  if (c->greeting)
    give(&c->shard->server->handshakes);
  c->greeting = 0;
}

void weir__admit_leave(struct weir_conn *c)
{
  struct weir__extra *extra = weir__conn_extra(c);
  weir__admit_greeted(c);
  if (extra != NULL && extra->guest != NULL)
    weir__guests_give(&c->shard->server->guests, extra->guest);
  if (c->turned_away != WEIR__TURNED_NOT)
    c->shard->turned_away--;
  else
    give_place(c->shard->server);
}

void weir__admit_lost(struct weir_server *server, bool greeting, struct weir__guest *guest)
{
  if (guest != NULL)
    weir__guests_give(&server->guests, guest);
  if (greeting)
    give(&server->handshakes);
  give_place(server);
}

int weir__admit_status(const struct weir_conn *c, const char **reason)
{
  bool full = c->turned_away == WEIR__TURNED_FULL;
  *reason = full ? "the server is full" : crowded;
  return full ? 503 : 429;
}
