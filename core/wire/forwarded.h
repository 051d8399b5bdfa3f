/* The client's address behind proxies that are trusted: Forwarded (RFC 7239), or X-Forwarded-For.
 * Pure: a request head, the peer and the networks of the proxies to an address. Each proxy adds, at
 * the right, whom it got the request from; what stands further to the left than a trusted proxy
 * wrote is the client's own invention. */
#ifndef WEIR_WIRE_FORWARDED_H
#define WEIR_WIRE_FORWARDED_H

#include "wire/address.h"
#include "wire/http.h"

#ifdef __cplusplus
extern "C" {
#endif

enum weir__forwarded_field { WEIR__X_FORWARDED_FOR = 0, WEIR__FORWARDED = 1 };

/* The address nearest to the client that only trusted proxies vouch for: from the peer leftwards,
 * as long as an address is trusted, up to the first that is not. What is no address ("unknown",
 * "_hidden", a malformed element) ends the walk at the last one known. A peer that is not trusted
 * is the client, whatever it writes. Of the two fields only the one is read that the proxies write:
 * the other may be the client's own. The port is 0 where none is told. In time linear in the
 * fields, for each network. */
struct weir__ip weir__forwarded_client(const struct weir__http_head *head,
                                       enum weir__forwarded_field field,
                                       const struct weir__network *trusted, size_t count,
                                       struct weir__ip peer);

#ifdef __cplusplus
}
#endif

#endif
