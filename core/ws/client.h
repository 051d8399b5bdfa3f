/* Who a connection's client is: the socket's peer, or whom trusted proxies name in its place, by
 * the PROXY protocol or by Forwarded and X-Forwarded-For. */
#ifndef WEIR_WS_CLIENT_H
#define WEIR_WS_CLIENT_H

#include "wire/address.h"
#include "wire/http.h"
#include "ws/conn.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Reads options.trusted_proxies. Returns 0, -EINVAL or -ENOMEM; and frees what it made of them. */
int weir__server_trust(struct weir_server *server);
void weir__server_trust_nobody(struct weir_server *server);

bool weir__server_trusts(const struct weir_server *server, const struct weir__ip *ip);

/* The peer behind the connection's socket. Returns 0 or -errno. */
int weir__conn_socket_peer(const struct weir_conn *c, struct weir__ip *ip);

/* Whom the connection comes from, as far as is known without a request; and whom a request on it
 * comes from. Return 0 or -errno. */
int weir__conn_client(const struct weir_conn *c, struct weir__ip *ip);
int weir__request_client(const struct weir_conn *c, const struct weir__http_head *head,
                         struct weir__ip *ip);

/* The request upgrades the connection, whose client is the request's from now on. */
void weir__client_settle(struct weir_conn *c, const struct weir__http_head *head);

/* ---- proxied.c: connections that begin with a header of the PROXY protocol */

/* The connection was accepted where that is so: until its header has come, nothing else is read. */
void weir__proxied_begin(struct weir_conn *c);

/* Whether it has not come yet; and it did not come in time. */
bool weir__proxied_waits(const struct weir_conn *c);
void weir__proxied_timeout(struct weir_conn *c);

#ifdef __cplusplus
}
#endif

#endif
