/* The opening handshake seen from a client (RFC 6455 sections 4.1 and 4.2.2): its request, and what
 * it asks of the answer. Pure; for the tools, which are clients. */
#ifndef WEIR_WIRE_CLIENT_HANDSHAKE_H
#define WEIR_WIRE_CLIENT_HANDSHAKE_H

#include "wire/http.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { WEIR__CLIENT_KEY_LEN = 24 };

/* Writes the value of Sec-WebSocket-Key for 16 random bytes, without a NUL. */
void weir__client_key(const unsigned char random[16], char out[WEIR__CLIENT_KEY_LEN]);

/* Writes the request into out, of size bytes, and returns its length, or 0 when it does not fit.
 * host is as the Host field has it; extra is whole field lines, each with its CRLF, or "". */
size_t weir__client_request(char *out, size_t size, const char *host, const char *path,
                            const char key[WEIR__CLIENT_KEY_LEN], const char *extra);

/* The length of the response head at the beginning of data, with its empty line; 0 when its end has
 * not come. */
size_t weir__client_head_length(const char *data, size_t len);

/* Judges a whole head. Returns 101 when the server has agreed, its answer to the key is right, and
 * no extension or subprotocol stands there that was not asked for; else the response's status, or
 * -1 when it is not HTTP or a 101 that breaks a rule, with *reason set to a sentence (static
 * storage). */
int weir__client_check(const char *data, size_t len, const char key[WEIR__CLIENT_KEY_LEN],
                       const char **reason);

/* The same for who has offered extensions: which of them the answer names is the caller's to judge,
 * from the fields that *head holds, which lie in data. */
int weir__client_check_offer(struct weir__http_head *head, const char *data, size_t len,
                             const char key[WEIR__CLIENT_KEY_LEN], const char **reason);

#ifdef __cplusplus
}
#endif

#endif
