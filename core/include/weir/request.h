/* The HTTP request of an opening handshake (RFC 6455 section 4.2.1) or of a GET handler, and its
 * response.
 *
 * A request is lent for the length of the callback that gets it; so are all slices that it gives.
 */
#ifndef WEIR_REQUEST_H
#define WEIR_REQUEST_H

#include <weir/attributes.h>

struct weir_request;

/* The address of a peer. */
struct weir_peer {
  char address[64]; /* numeric, NUL-terminated; an IPv4 peer of a dual-stack listener stands as
                       plain IPv4 */
  uint16_t port;    /* 0 where the transport has none */
};

/* The method, as sent. */
WEIR_LOOP_THREAD struct weir_slice weir_request_method(const struct weir_request *request);

/* The path: the target up to "?", as sent (RFC 3986 section 3.3). */
WEIR_LOOP_THREAD struct weir_slice weir_request_path(const struct weir_request *request);

/* The part of the path that the route's "/:name" matched, percent-decoded; data is NULL when the
 * route has no such parameter. */
WEIR_LOOP_THREAD struct weir_slice weir_request_parameter(struct weir_request *request,
                                                          const char *name);

/* The first value of a name in the query, with "+" as space and percent-decoded; data is NULL when
 * it is absent. */
WEIR_LOOP_THREAD struct weir_slice weir_request_query(struct weir_request *request,
                                                      const char *name);

/* The first value of a header field, by its name in any case, without surrounding blanks; data is
 * NULL when it is absent. */
WEIR_LOOP_THREAD struct weir_slice weir_request_header(const struct weir_request *request,
                                                       const char *name);

/* The peer's address. Returns 0 or -errno (getpeername(2)). */
WEIR_LOOP_THREAD int weir_request_peer(const struct weir_request *request, struct weir_peer *peer);

/* Selects the subprotocol that an accepting response names (RFC 6455 section 4.2.2), over the
 * route's own list. Only in on_upgrade. Returns 0, -EINVAL (name is no token) or -ENOENT (the
 * client did not offer it). */
WEIR_LOOP_THREAD int weir_request_select_protocol(struct weir_request *request, const char *name);

/* Adds a header field to the response, accepting or refusing. The strings are copied. Returns 0,
 * -EINVAL (name is no token, value holds CR, LF or NUL, or the field is one that the library writes
 * itself: Connection, Upgrade, Content-Length, Transfer-Encoding, Sec-WebSocket-Accept, -Protocol,
 * -Extensions), -ENOBUFS (over 8 KiB of fields) or -ENOMEM (RFC 9110 section 5.5). */
WEIR_LOOP_THREAD int weir_request_respond_header(struct weir_request *request, const char *name,
                                                 const char *value);

/* Sets the body of the response: of a refusal in on_upgrade, where a sentence with the status is
 * the default, or of a GET handler's answer, where the default is empty. The bytes are copied; type
 * is a media type such as "text/html; charset=utf-8". Returns 0, -EINVAL (as for a header field's
 * value) or -ENOMEM. */
WEIR_LOOP_THREAD int weir_request_respond_body(struct weir_request *request, const char *type,
                                               const void *data, size_t len);

#endif
