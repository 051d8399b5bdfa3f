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

/* What came of it for one that was accepted. */
struct weir__admission {
  enum weir__turned turned;
  struct weir__guest *guest; /* NULL: its address is not counted */
};

/* Decides about a connection: one that is not turned away has its places, others have one of the
 * few of those that are told. False: fd was closed. */
bool weir__admit(struct weir__shard *shard, int fd, struct weir__admission *out);

/* There was no memory for it after all: its places are free again. */
void weir__admit_undo(struct weir__shard *shard, const struct weir__admission *admission);

/* The connection has the places. */
void weir__admit_conn(struct weir_conn *c, const struct weir__admission *admission);

/* A request asks for an upgrade: counts its client, if it came through a trusted proxy. Returns 0,
 * -429 or -503, with the sentence. And the same with the client's address. */
int weir__admit_request(const struct weir_request *request, const char **reason);
int weir__conn_admit_client(struct weir_conn *c, const struct weir__ip *client);

/* Its first request was answered, or upgraded; may be called again. And it ends. */
void weir__admit_greeted(struct weir_conn *c);
void weir__admit_leave(struct weir_conn *c);

/* The same for one that ends between two loops. */
void weir__admit_lost(struct weir_server *server, bool greeting, struct weir__guest *guest);

/* What one that was turned away is told: a status and a sentence. */
int weir__admit_status(const struct weir_conn *c, const char **reason);

#ifdef __cplusplus
}
#endif

#endif
