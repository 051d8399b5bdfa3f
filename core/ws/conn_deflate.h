/* Compressed messages of one connection, out and in (RFC 7692 section 7.2). */
#ifndef WEIR_WS_CONN_DEFLATE_H
#define WEIR_WS_CONN_DEFLATE_H

#include "wire/extension.h"
#include "ws/conn.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Whether a message of so many bytes is to be compressed for the connection. */
static inline bool weir__conn_compresses(const struct weir_conn *c, size_t len)
{
  return c->deflate && len >= weir__conn_route(c)->options.compression_threshold && len > 1;
}

/* What a message that refers to no other may be compressed as for the connection. */
struct weir__deflate_kind weir__conn_deflate_kind(const struct weir_conn *c, size_t len);

/* Compresses a message and sends it, as it is when it becomes no smaller. Returns as weir_conn_send
 * does. */
int weir__conn_send_compressed(struct weir_conn *c, uint8_t opcode, const void *data, size_t len);

/* Queues a twin. Returns as weir_conn_send_frame does. */
int weir__conn_queue_twin(struct weir_conn *c, const struct weir__twin *twin,
                          const struct weir__topic *topic);

/* Takes a piece of a compressed message: hands it out inflated, or fails the connection. What is
 * inflated counts against the budget as if it had come so. */
void weir__conn_take_compressed(struct weir_conn *c, const struct weir__event *event,
                                size_t *frames);

/* Goes on with what is left of such a piece, because the turn's budget was spent or the handler
 * paused; whether all of it is inflated. And frees it. */
bool weir__conn_inflate_rest(struct weir_conn *c, size_t *frames);
void weir__conn_drop_rest(struct weir_conn *c);

/* What a route and a client's offers come to. Returns 0, or -400 with *reason set. */
int weir__conn_negotiate(const struct weir__route *route, const struct weir__http_head *head,
                         struct weir__deflate_params *params, const char **reason);

/* The connection is accepted with this, but for a context that is past the budget. Before the 101
 * is written. */
void weir__conn_agree(struct weir_conn *c, struct weir__deflate_params *params);

/* The connection ends: gives back what it held. */
void weir__conn_deflate_end(struct weir_conn *c);

#ifdef __cplusplus
}
#endif

#endif
