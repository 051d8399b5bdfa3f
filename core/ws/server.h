/* The server's structures: routes, and a shard for each loop, which owns all that its connections
 * share. */
#ifndef WEIR_WS_SERVER_H
#define WEIR_WS_SERVER_H

#include <weir/server.h>

#include <weir/http.h>

#include "base/slab.h"
#include "io/listener.h"
#include "io/loop.h"
#include "io/unix_socket.h"
#include "wire/address.h"
#include "wire/http.h"
#include "wire/parser.h"
#include "ws/deflate.h"
#include "ws/guests.h"
#include "ws/repeat.h"
#include "ws/tally.h"
#include "ws/topic_policy.h"

#include <pthread.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
  WEIR__LOOPS_MAX = 255,
  WEIR__ROUTES_MAX = 4096,
  WEIR__ADDRESSES_MAX = 8, /* of a host */
  WEIR__ENDPOINTS_MAX = 16,
};

/* A route, with every default filled in. */
struct weir__route {
  char *pattern;
  void *arg;
  uint16_t name;               /* of the endpoints that serve it; weir__server_name */
  bool plain;                  /* it answers plain requests; else it speaks WebSocket */
  char *method;                /* plain: that it answers; NULL: any */
  struct weir_http_route http; /* plain: its handlers and options */

  struct weir_handlers handlers;
  struct weir_route_options options; /* protocols, origins and listener are copies */
  struct weir__parser_limits limits;
  size_t user_bytes;
  bool metered;           /* a rate is limited */
  size_t reply_bytes;     /* of a reply, but for the last header */
  uint16_t compress_from; /* bytes from which a message goes past a reply to be compressed */
};

enum {
  WEIR__AT_ONCE_BYTES = 16 << 10, /* lent data from this size on is written at once */
  WEIR__REPLY_BYTES = 64 << 10    /* the block of a reply */
};

/* What handlers send to the connection whose input is worked off; ws/reply.h. */
struct weir__reply {
  struct weir_conn *conn; /* NULL: no reply is open */
  unsigned char *block;   /* WEIR__REPLY_BYTES */
  unsigned char *end;     /* of what it holds; block when none is open */
  unsigned char *limit;   /* where a payload must end, put where its header begins */
  size_t most, left;      /* messages that it may hold in all, and further ones */
  uint16_t below; /* bytes of a message that it does not take; so the compiler sees that those
                     that it takes have short headers */
};

/* A socket that a server listens on. */
struct weir__endpoint {
  int fd;        /* the first loop's */
  bool taken;    /* that loop's shard closes it */
  uint16_t name; /* weir__server_name */
  bool proxy;    /* connections begin with a header of the PROXY protocol */
  bool shared;   /* each loop has a duplicate of the descriptor, not a socket of its own */
  struct weir__address address;
  struct weir__socket_file file; /* of a unix socket, to be removed */
  struct weir_tls *tls;          /* with a reference; NULL: plain */
};

static inline bool weir__endpoint_is_unix(const struct weir__endpoint *endpoint)
{
  return endpoint->address.storage.ss_family == AF_UNIX;
}

/* A loop's part in keeping max_queue_memory; ws/cap.h. */
struct weir__cap {
  size_t unseen;  /* bytes that were queued since the sum was last looked at */
  size_t longest; /* atomic: as long as the longest queue was when it was last looked for, or has
                           become since */
  uint32_t asked; /* atomic: post is on its way */
  struct weir__post post;
};

/* A server's part on one loop. */
struct weir__shard {
  struct weir_server *server;
  struct weir_loop *loop;
  uint32_t index;
  bool own_loop, stopped;
  struct weir__reply reply;
  char date[32]; /* of responses, and when it was read; 0: never */
  uint64_t date_ms;
  struct weir__slab conns, tls_conns; /* those under TLS with a struct weir__tls in front */
  struct weir__topics topics;
  struct weir__run fanned;    /* short broadcasts */
  struct weir__repeat repeat; /* what the application sends to each of many */
  struct weir__deflates deflates;
  struct weir__listener listeners[WEIR__ENDPOINTS_MAX]; /* of the server's endpoints, in order */
  size_t listener_count;
  struct weir__interrupt stop;
  struct weir_counters counters; /* written by the loop, read relaxed by others */
  uint64_t controls_received;    /* control frames */
  uint32_t turned_away;          /* connections that are told so now */
  struct weir__cap cap;
  pthread_t thread;
  struct weir__tally tally;     /* likewise */
  struct weir_timer *lag_probe; /* NULL: nobody observes the server */

  /* drain.c */
  struct weir__interrupt drain;
  struct weir_timer *deadline;
  uint32_t drain_tick, drain_ticks; /* of the wheel: when it began, and in how many all are told */
  bool draining;
};

struct weir_server {
  const struct weir__sys *sys;
  struct weir_options options; /* with every default filled in */
  struct weir__http_limits http_limits;
  struct weir__network *trusted; /* options.trusted_proxies */
  size_t trusted_count;

  struct weir__route **routes; /* in order of precedence once listening */
  size_t route_count;
  struct weir__folder *folders; /* that files are served of */
  size_t user_bytes;            /* the most that a route wants */
  size_t extra_bytes; /* of each connection, in front of those; 0 or WEIR__EXTRA_BYTES, known once
                         it runs */

  struct weir__endpoint endpoints[WEIR__ENDPOINTS_MAX];
  size_t endpoint_count;
  struct weir__topic_rule *topic_rules;
  size_t topic_rule_count;
  char **names; /* that endpoints and routes have */
  size_t name_count;

  struct weir__shard *shards;
  uint32_t shard_count;     /* atomic: set once all shards are there */
  uint32_t stopping;        /* atomic */
  size_t compression_bytes; /* atomic: of the budget, held or reserved */
  size_t connections;       /* atomic: that have a place; ws/admit.h */
  size_t handshakes;        /* atomic: of those, that wait for the answer to their first request */
  struct weir__guests guests;    /* where max_connections_per_address is on */
  struct weir__account *account; /* of shared frames in queues, where max_queue_memory is on; else
                                    NULL */
  bool attached, running;
  pthread_mutex_t gate;    /* held while threads are being started */
  uint64_t drain_until_ms; /* atomic, of the clock; 0: it does not drain */
  uint32_t drained;        /* atomic: shards that listen no more for that reason */
  bool observed;           /* weir_server_observe was called */
};

/* weir_server_new on a seam of one's own. */
int weir__server_new(struct weir_server **server, const struct weir_options *options,
                     const struct weir__sys *sys);

/* Fills in defaults. Returns 0 or -EINVAL. */
int weir__options_resolve(struct weir_options *out, const struct weir_options *in);
int weir__route_options_resolve(struct weir_route_options *out,
                                const struct weir_route_options *in);
int weir__http_route_resolve(struct weir_http_route *out, const struct weir_http_route *in);

/* The first route, for endpoints of a name, that speaks WebSocket on a path; *index is its place.
 * NULL: none. */
struct weir__route *weir__server_match(const struct weir_server *server, uint16_t name,
                                       struct weir_slice path, uint16_t *index);

enum { WEIR__ALLOW_BYTES = 128 };

/* The first route that answers a method on a path; NULL: none, and allow holds the methods that the
 * path has, as the field Allow does, or nothing. */
const struct weir__route *weir__server_match_http(const struct weir_server *server, uint16_t name,
                                                  struct weir_slice path, struct weir_slice method,
                                                  char allow[WEIR__ALLOW_BYTES]);

/* listen.c: a number for a name that endpoints and routes share, 0 for NULL; or -ENOMEM. */
int weir__server_name(struct weir_server *server, const char *name);

/* The sockets of a loop, by its index: the endpoints' own for the first one, others on the same
 * addresses for each further one. Returns 0, or -errno: then none is open. Afterwards, those that
 * its shard took being -1: settles what becomes of the rest. */
int weir__server_sockets(struct weir_server *server, uint32_t index, int *fds);
void weir__server_settle_sockets(struct weir_server *server, uint32_t index, const int *fds);

/* Removes the files of unix sockets: before the sockets are closed. */
void weir__server_unlink_files(struct weir_server *server);

/* Frees the endpoints and the names. */
void weir__server_free_endpoints(struct weir_server *server);

/* Frees the routes; and, of static.c, the folders that they serve. */
void weir__server_free_routes(struct weir_server *server);
void weir__server_free_folders(struct weir_server *server);

/* Sets a shard up on its loop, accepting from a descriptor for each endpoint, which becomes -1 as
 * it is taken over; on an error nothing is left of it. Stopping ends its connections with
 * on_close(code); fini, outside a step, gives back the rest. */
int weir__shard_start(struct weir__shard *shard, int *fds);
void weir__shard_stop(struct weir__shard *shard, int code);

/* The index of a listener of its own, and of its endpoint. */
static inline uint16_t weir__shard_listener(const struct weir__shard *shard,
                                            const struct weir__listener *listener)
{
  return (uint16_t)(listener - shard->listeners);
}

/* There is no memory for a connection that was accepted. */
void weir__shard_turn_away(struct weir__shard *shard, int fd);
void weir__shard_fini(struct weir__shard *shard);

/* Where connections of a listener with TLS, or without, have their memory. */
static inline struct weir__slab *weir__shard_slab(struct weir__shard *shard, bool secure)
{
  return secure ? &shard->tls_conns : &shard->conns;
}

/* drain.c: why new work should go to another server, a sentence; NULL: it need not. Any thread. */
const char *weir__server_not_ready(const struct weir_server *server);

/* Hands a line to the log hook. */
void weir__server_log(const struct weir_server *server, enum weir_log_level level,
                      const char *text);

/* Adds to a counter of the shard's, on its loop; and reads one from anywhere. */
static inline void weir__count(uint64_t *counter, uint64_t n)
{
  __atomic_store_n(counter, *counter + n, __ATOMIC_RELAXED);
}

/* Counts a connection or a request that is rejected, on its loop. */
static inline void weir__count_rejected(struct weir__shard *shard, enum weir__reject reason)
{
  weir__count(&shard->tally.rejected[reason], 1);
}

/* observe.c: the probe of a loop's lag, where the server is observed. Returns 0 or -ENOMEM. */
int weir__shard_observe(struct weir__shard *shard);

#ifdef __cplusplus
}
#endif

#endif
