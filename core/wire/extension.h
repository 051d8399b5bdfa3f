/* Negotiation of permessage-deflate (RFC 7692 sections 5 and 7.1, RFC 6455 section 9.1). Pure: a
 * request head and what the route wants, to the parameters of the connection and their words. */
#ifndef WEIR_WIRE_EXTENSION_H
#define WEIR_WIRE_EXTENSION_H

#include "wire/http.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
  WEIR__EXTENSION_OFFERS = 16,     /* extensions that a request may name, known or not */
  WEIR__EXTENSION_PARAMETERS = 16, /* that each of them may have */
};

/* What the route wants. */
struct weir__deflate_wish {
  bool takeover;       /* may context be taken over from message to message, in both directions */
  uint8_t server_bits; /* 9..15: the largest LZ77 window that we compress with */
  uint8_t client_bits; /* 8..15: the largest that we let clients use; below 15, an offer without
                          client_max_window_bits is declined (RFC 7692 section 7.1.2.2) */
};

/* What was agreed. The caller may take a takeover away before it has the response written. */
struct weir__deflate_params {
  bool agreed; /* when false, nothing else holds */
  bool server_takeover, client_takeover;
  bool name_server_bits, name_client_bits; /* which windows the response names */
  uint8_t server_bits;                     /* 9..15 */
  uint8_t client_bits;                     /* 8..15 */
};

/* Judges the Sec-WebSocket-Extensions fields of a request, in time linear in their length. The
 * first offer of permessage-deflate that the wish allows is agreed; extensions that are not known
 * are passed over. An offer is declined that has a parameter unknown or twice, with a value where
 * there must be none or without one, window bits that are not 8 to 15 in plain digits, or
 * server_max_window_bits=8, which zlib cannot do. Names are compared with their case. Returns 0,
 * with out->agreed telling whether; or -400 with *reason set to a sentence (static storage), when
 * a field breaks its grammar, or names too many extensions or parameters. */
int weir__extension_negotiate(const struct weir__http_head *head,
                              const struct weir__deflate_wish *wish,
                              struct weir__deflate_params *out, const char **reason);

/* Bytes that the longest response has. */
enum {
  WEIR__EXTENSION_MAX =
      sizeof "permessage-deflate; server_no_context_takeover; client_no_context_takeover; "
             "server_max_window_bits=15; client_max_window_bits=15" -
      1
};

/* Writes the value of the response's Sec-WebSocket-Extensions for what was agreed, without a NUL,
 * and returns its length. */
size_t weir__extension_response(const struct weir__deflate_params *params,
                                char out[WEIR__EXTENSION_MAX]);

#ifdef __cplusplus
}
#endif

#endif
