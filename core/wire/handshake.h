/* The opening handshake's rules (RFC 6455 sections 4.2.1 and 4.2.2). Pure: a request head to a
 * verdict, and the key to its answer. */
#ifndef WEIR_WIRE_HANDSHAKE_H
#define WEIR_WIRE_HANDSHAKE_H

#include "wire/http.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Whether a request asks for the upgrade to WebSocket at all: its Upgrade field holds the token
 * "websocket". */
bool weir__handshake_asked(const struct weir__http_head *head);

enum { WEIR__HANDSHAKE_PROTOCOLS = 64 }; /* that a client may offer: each is compared with each */

/* Judges a request that asks. Returns 0; -400, -405 (not GET) or -426 (version) with *reason set to
 * a sentence (static storage). */
int weir__handshake_check(const struct weir__http_head *head, const char **reason);

enum { WEIR__ACCEPT_KEY_LEN = 28 };

/* Writes the value of Sec-WebSocket-Accept for a key that passed the check, without a NUL. */
void weir__handshake_accept(struct weir_slice key, char out[WEIR__ACCEPT_KEY_LEN]);

/* Whether the Origin allow-list lets the request pass: -403 with *reason set, or 0. origins is
 * NULL-terminated and compared byte by byte; NULL lets every origin pass. Two Origin fields never
 * pass. */
int weir__handshake_origin(const struct weir__http_head *head, const char *const *origins,
                           bool required, const char **reason);

/* The first subprotocol that the client offers and the NULL-terminated list holds, as the list's
 * own string; NULL when there is none, or no list. */
const char *weir__handshake_protocol(const struct weir__http_head *head,
                                     const char *const *supported);

/* Whether the client offers a subprotocol. */
bool weir__handshake_offers(const struct weir__http_head *head, const char *protocol);

#ifdef __cplusplus
}
#endif

#endif
