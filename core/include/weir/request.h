/* The HTTP request of an opening handshake (RFC 6455 section 4.2.1) or of a plain one
 * (weir/http.h), and its response.
 *
 * A request is lent for the length of the callback that gets it; so are all slices that it gives.
 * One that is to be answered later is kept: a counted copy, which any thread may read and answer,
 * one at a time. */
#ifndef WEIR_REQUEST_H
#define WEIR_REQUEST_H

#include <weir/attributes.h>

struct weir_request;

/* What on_upgrade and on_request return when the answer comes later. */
enum { WEIR_LATER = 1 };

/* Keeps a request: a counted reference to a copy of it, with a copy of the response set so far; of
 * a request that is kept already, one more reference to the same. Inside a callback; it is the
 * loop's to answer until the callback returns WEIR_LATER or another thread has answered it. NULL
 * when there is no memory. It may outlive its server, and then be read and given back; but no
 * thread may be answering while the server is being freed. */
WEIR_LOOP_THREAD struct weir_request *weir_request_keep(struct weir_request *request);

/* One more reference; returns request. And gives one back: the last one frees it. NULL is allowed.
 * Only of kept requests. */
WEIR_ANY_THREAD struct weir_request *weir_request_ref(struct weir_request *request);
WEIR_ANY_THREAD void weir_request_unref(struct weir_request *request);

/* The application's pointer with a kept request; at first NULL. */
WEIR_ANY_THREAD void *weir_request_user(const struct weir_request *request);
WEIR_ANY_THREAD void weir_request_set_user(struct weir_request *request, void *user);

/* The index of the loop that the request's connection is on. */
WEIR_ANY_THREAD size_t weir_request_loop(const struct weir_request *request);

/* Moves the request with its connection, what was not read of it included, to another loop of the
 * server's by its index: there its handler is called again, after user_fini here and user_init
 * there and with nothing set of its response. Only inside that handler, which returns the result:
 * WEIR_LATER, or -500 (there is no such loop, or the request was kept), which refuses it. */
WEIR_LOOP_THREAD int weir_request_move(struct weir_request *request, size_t loop);

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

/* The client's address: the peer's, or what trusted_proxies say of it. Of a unix socket's peer it
 * is "unix". Returns 0 or -errno (getpeername(2)). */
WEIR_LOOP_THREAD int weir_request_peer(const struct weir_request *request, struct weir_peer *peer);

/* Selects the subprotocol that an accepting response names (RFC 6455 section 4.2.2), over the
 * route's own list. Returns 0, -EINVAL (name is no token), -ENOENT (the client did not offer it),
 * -ENOMEM, or of a kept one -EALREADY or -ESTALE. */
WEIR_LOOP_THREAD int weir_request_select_protocol(struct weir_request *request, const char *name);

/* Adds a header field to the response, accepting or refusing. The strings are copied. Returns 0,
 * -EINVAL (name is no token, value holds CR, LF or NUL, or the field is one that the library writes
 * itself: Connection, Upgrade, Content-Length, Transfer-Encoding, Date, Sec-WebSocket-Accept,
 * -Protocol, -Extensions), -ENOBUFS (over 8 KiB of fields), -ENOMEM (RFC 9110 section 5.5), or of a
 * kept one -EALREADY or -ESTALE as weir_request_respond. */
WEIR_LOOP_THREAD int weir_request_respond_header(struct weir_request *request, const char *name,
                                                 const char *value);

/* Sets the body of the response: of a refusal in on_upgrade, where a sentence with the status is
 * the default, or of a plain request's answer, where the default is empty. The bytes are copied;
 * type is a media type such as "text/html; charset=utf-8". Returns 0, -EINVAL (as for a header
 * field's value), -ENOMEM, or of a kept one -EALREADY or -ESTALE. */
WEIR_LOOP_THREAD int weir_request_respond_body(struct weir_request *request, const char *type,
                                               const void *data, size_t len);

#endif
