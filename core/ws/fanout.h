/* From an id to its connection. */
#ifndef WEIR_WS_FANOUT_H
#define WEIR_WS_FANOUT_H

#include "ws/server.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The shard that an id names; NULL when there is none. Any thread. */
struct weir__shard *weir__server_shard(const struct weir_server *server, weir_conn_id id);

/* A broadcast's choice of receivers; NULL: all. */
struct weir__choice {
  bool (*filter)(struct weir_conn *conn, void *arg);
  void *arg;
};

/* Queues a frame to a shard's open connections of the routes that take part, or to those of a
 * choice. Returns 0 or -ENOMEM. The loop's thread. */
int weir__shard_broadcast(struct weir__shard *shard, struct weir_frame *frame,
                          const struct weir__choice *choice);

/* The open connection of an id; NULL when it is closed. The loop's thread. */
struct weir_conn *weir__shard_find(const struct weir__shard *shard, weir_conn_id id);

#ifdef __cplusplus
}
#endif

#endif
