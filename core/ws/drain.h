/* How a server ends gracefully: what drain.c does for each loop, and what the rest asks it. */
#ifndef WEIR_WS_DRAIN_H
#define WEIR_WS_DRAIN_H

#include "ws/server.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Makes what a shard needs to drain, so that it cannot fail then. Returns 0 or -ENOMEM; and gives
 * it back, once the loop is settled. */
int weir__drain_init(struct weir__shard *shard);
void weir__drain_fini(struct weir__shard *shard);

/* The shards are there: they hear of a drain that was asked for before. */
void weir__drain_tell(struct weir_server *server);

/* A connection gave its place back: if it was the last one of a server that drains, that stops. */
void weir__drain_left(struct weir_server *server);

#ifdef __cplusplus
}
#endif

#endif
