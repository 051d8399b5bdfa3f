/* What only some servers need of each connection: it stands behind the connection in memory, in
 * front of the user's, and others have none of it. */
#ifndef WEIR_WS_EXTRA_H
#define WEIR_WS_EXTRA_H

#include "ws/conn.h"

#ifdef __cplusplus
extern "C" {
#endif

struct weir__guest;

struct weir__extra {
  struct weir__guest *guest; /* what its client's address has in all; NULL: not counted */
  uint32_t meter_tick;       /* of the wheel: when the allowances were last topped up */
  uint32_t meter_messages;   /* that may still come */
  uint64_t meter_bytes;
};

/* Bytes that a connection has in front of its user memory: a multiple of 16. */
enum { WEIR__EXTRA_BYTES = (sizeof(struct weir__extra) + 15) / 16 * 16 };

/* NULL where the server needs none. */
static inline struct weir__extra *weir__conn_extra(struct weir_conn *c)
{
  return c->shard->server->extra_bytes == 0 ? NULL : (struct weir__extra *)(c + 1);
}

#ifdef __cplusplus
}
#endif

#endif
