/* max_queue_memory: what all queues of a server may hold together. */
#ifndef WEIR_WS_CAP_H
#define WEIR_WS_CAP_H

#include "ws/server.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Before the loop's first connection, and behind its last. */
void weir__cap_begin(struct weir__shard *shard);
void weir__cap_end(struct weir__shard *shard);

/* So many bytes are about to be queued for a connection; only where there is a cap. Connections of
 * the loop may be failed for it, this one among them. */
void weir__cap_note(struct weir_conn *c, size_t bytes);

#ifdef __cplusplus
}
#endif

#endif
