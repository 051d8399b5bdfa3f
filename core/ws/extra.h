/* What only some servers need of each connection: it stands behind the connection in memory, in
 * front of the user's, and others have none of it. */
#ifndef WEIR_WS_EXTRA_H
#define WEIR_WS_EXTRA_H

#include "wire/address.h"
#include "ws/conn.h"

#ifdef __cplusplus
extern "C" {
#endif

struct weir__guest;

struct weir__extra {
  struct weir__guest *guest; /* what its client's address has in all; NULL: not counted */
  uint64_t meter_messages;   /* thousandths of messages that may still come */
  uint64_t meter_bytes;      /* and of bytes */
  uint32_t meter_tick;       /* of the wheel: when the allowances were last topped up */
  uint32_t opened_tick;      /* and when it opened */
  struct weir__ip client;    /* whom trusted proxies name; unknown: the socket's peer */
};

/* Bytes that a connection has in front of its user memory: a multiple of 16. */
enum { WEIR__EXTRA_BYTES = (sizeof(struct weir__extra) + 15) / 16 * 16 };

/* NULL where the server needs none. */
static inline struct weir__extra *weir__conn_extra(struct weir_conn *c)
{
  return c->shard->server->extra_bytes == 0 ? NULL : (struct weir__extra *)(c + 1);
}

/* What server->extra_bytes is to be, from its options and routes. */
size_t weir__server_extra_bytes(const struct weir_server *server);

/* conn_life.c: the connection opens, where its route may limit how long for. */
void weir__life_begin(struct weir_conn *c);

/* meter.c: the connection opens: its allowances are full, where its route has rates. And it reads a
 * turn's worth, where it is metered. */
void weir__meter_begin(struct weir_conn *c);
void weir__meter_read(struct weir_conn *c);

/* weir__conn_input of what came behind the request that opened the connection. */
void weir__meter_input(struct weir_conn *c, unsigned char *data, size_t len, size_t *frames);

/* What came while it was paused came in that time, though it is read in a burst. */
void weir__meter_pause(struct weir_conn *c);
void weir__meter_resume(struct weir_conn *c);

#ifdef __cplusplus
}
#endif

#endif
