/* Who is let in: a place among the server's connections and handshakes for each connection that is
 * accepted, until it ends. Those for whom there is none are told so, as long as they are few on
 * their loop, and closed at once beyond that. */
#ifndef WEIR_WS_ADMIT_H
#define WEIR_WS_ADMIT_H

#include "ws/conn.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { WEIR__TURNED_MOST = 64 }; /* told at a time, on one loop */

/* What max_connections is where nothing was said, with so many descriptors to open. */
size_t weir__admit_default(size_t descriptors);

/* Decides about a connection that was accepted: WEIR__TURNED_NOT has a place, others have one of
 * the few of those that are turned away. Less than 0: fd was closed. */
int weir__admit(struct weir__shard *shard, int fd);

/* There was no memory for it after all: its place is free again. */
void weir__admit_undo(struct weir__shard *shard, int turned);

/* The connection has the place. */
void weir__admit_conn(struct weir_conn *c, int turned);

/* Its first request was answered, or upgraded; may be called again. And it ends. */
void weir__admit_greeted(struct weir_conn *c);
void weir__admit_leave(struct weir_conn *c);

/* The same for one that ends between two loops. */
void weir__admit_lost(struct weir_server *server, bool greeting);

/* What one that was turned away is told: a status and a sentence. */
int weir__admit_status(const struct weir_conn *c, const char **reason);

#ifdef __cplusplus
}
#endif

#endif
