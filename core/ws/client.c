/* Who a connection's client is (RFC 7239). What a peer says of others counts only where it is
 * trusted, and then as far back as all those are whom it names. */
#include "ws/client.h"

#include "wire/forwarded.h"
#include "ws/extra.h"
#include "ws/request.h"

#include <errno.h>
#include <string.h>

_Static_assert(sizeof((struct weir_peer *)0)->address >= WEIR__IP_TEXT, "any address has room");

int weir__server_trust(struct weir_server *server)
{
  const char *const *list = server->options.trusted_proxies;
  size_t count = 0;
  while (list != NULL && list[count] != NULL)
    count++;
  server->options.trusted_proxies = NULL; /* lent for the call */
  if (count == 0)
    return 0;
  server->trusted = server->sys->alloc(server->sys, count * sizeof *server->trusted);
  if (server->trusted == NULL)
    return -ENOMEM;
  server->trusted_count = count;
  for (size_t i = 0; i < count; i++) {
    const struct weir_slice text = {list[i], strlen(list[i])};
    if (!weir__network_parse(text, &server->trusted[i]))
      return -EINVAL;
  }
  return 0;
}

void weir__server_trust_nobody(struct weir_server *server)
{
  server->sys->free(server->sys, server->trusted);
  server->trusted = NULL;
  server->trusted_count = 0;
}

bool weir__server_trusts(const struct weir_server *server, const struct weir__ip *ip)
{
  for (size_t i = 0; i < server->trusted_count; i++) {
    if (weir__network_holds(&server->trusted[i], ip))
      return true;
  }
  return false;
}

int weir__conn_socket_peer(const struct weir_conn *c, struct weir__ip *ip)
{
  const struct weir__sys *sys = weir__conn_loop(c)->mem.sys;
  struct weir__address address;
  int error = sys->getpeername(sys, c->stream.source.fd, &address);
  if (error == 0)
    *ip = weir__ip_of_sockaddr(&address.storage);
  return error;
}

int weir__conn_client(const struct weir_conn *c, struct weir__ip *ip)
{
  const struct weir__extra *extra = weir__conn_extra((struct weir_conn *)(uintptr_t)c);
  if (extra == NULL || extra->client.family == WEIR__IP_UNKNOWN)
    return weir__conn_socket_peer(c, ip);
  *ip = extra->client;
  return 0;
}

int weir__request_client(const struct weir_conn *c, const struct weir__http_head *head,
                         struct weir__ip *ip)
{
  const struct weir_server *server = c->shard->server;
  enum weir__forwarded_field field =
      server->options.trust_forwarded ? WEIR__FORWARDED : WEIR__X_FORWARDED_FOR;
  int error = weir__conn_client(c, ip);
  if (error == 0 && server->trusted_count > 0)
    *ip = weir__forwarded_client(head, field, server->trusted, server->trusted_count, *ip);
  return error;
}

void weir__client_settle(struct weir_conn *c, const struct weir__http_head *head)
{
  struct weir__ip ip;
  if (c->shard->server->trusted_count > 0 && weir__request_client(c, head, &ip) == 0)
    weir__conn_extra(c)->client = ip;
}

/* ---- the public functions */

static int tell(struct weir_peer *peer, const struct weir__ip *ip, int error)
{
  memset(peer, 0, sizeof *peer);
  if (error != 0)
    return error;
  weir__ip_format(ip, peer->address);
  peer->port = ip->port;
  return 0;
}

int weir_conn_peer(const struct weir_conn *c, struct weir_peer *peer)
{
  struct weir__ip ip;
  int error = weir__conn_client(c, &ip);
  return tell(peer, &ip, error);
}

int weir_request_peer(const struct weir_request *r, struct weir_peer *peer)
{
  struct weir__ip ip;
  if (weir__request_own(r) != NULL) {
    *peer = r->kept->peer;
    return r->kept->peer_error;
  }
  int error = weir__request_client(r->conn, r->head, &ip);
  return tell(peer, &ip, error);
}
