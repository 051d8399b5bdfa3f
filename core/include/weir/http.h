/* Plain HTTP beside WebSocket (RFC 9110, RFC 9112): health checks, pages, files, long polling.
 *
 * A connection answers one request at a time, in order: what a client sends ahead waits, up to 64
 * KiB, then in TCP. */
#ifndef WEIR_HTTP_H
#define WEIR_HTTP_H

#include <stdbool.h>
#include <weir/request.h>

struct weir_server;

/* A route of plain requests: its handlers, all on the connection's loop, and its options. arg is
 * the one given to weir_server_http. */
struct weir_http_route {
  size_t size; /* sizeof(struct weir_http_route) */

  /* A request came: with its whole body (weir_request_body), or, where on_body is set, with none of
   * it yet. Returns the status, 200 .. 599 (0: 200), which is sent at once with what was set by
   * weir_request_respond_header and _body; or WEIR_LATER when a request that was kept is answered
   * later; or what weir_request_move returned. Any other value is answered with 500. */
  int (*on_request)(struct weir_request *request, void *arg);

  /* A piece of the body, lent; last is true with its end, whose piece may be empty. For kept
   * requests until they are answered: a request that is answered before its body has come is the
   * last one of its connection. */
  void (*on_body)(struct weir_request *request, struct weir_slice piece, bool last, void *arg);

  /* A response that is being streamed has left, after weir_request_write said that the queue is
   * full or long. */
  void (*on_drain)(struct weir_request *request, void *arg);

  /* The peer is gone, or a deadline passed, before a kept request was answered to its end: it can
   * be answered no more. Exactly once for each. */
  void (*on_gone)(struct weir_request *request, void *arg);

  size_t max_body_bytes; /* of a request's body as it is sent, chunk framing too; default 1 MiB; may
                            be off; more is 413 */
  size_t body_timeout_ms; /* from the head's end to the body's; default 30,000; may be off; 408 */
  size_t response_timeout_ms; /* from a request's end to the beginning of its answer, and without
                                 any progress while that is being sent; default 60,000; may be off;
                                 503 */
  size_t max_queued_bytes;    /* unsent bytes of a streamed response; default 1 MiB; may be off */

  const char *listener; /* as in weir_route_options */
};

/* Answers requests of a method ("GET" stands for HEAD too; NULL: every method that no other route
 * of the path has) on a path, patterns as of weir_server_route. A path may have a WebSocket route
 * as well: then GET requests that ask for that upgrade go there. Other methods get 405 with Allow.
 * All is copied; arg is lent for the server's life. Before listening. Returns as weir_server_route
 * does, and -EINVAL (method is no token, on_request is NULL). */
WEIR_ANY_THREAD int weir_server_http(struct weir_server *server, const char *method,
                                     const char *path, const struct weir_http_route *route,
                                     void *arg);

/* The whole body of a plain request, lent as the request is; data is NULL where there is none. */
WEIR_LOOP_THREAD struct weir_slice weir_request_body(const struct weir_request *request);

/* Answers a kept request with a status, 200 .. 599, and what was set; refuses one that asks for an
 * upgrade (400 .. 599). On success the response is on its way, unless the peer goes first. Returns
 * 0, -EINVAL (status; or the request is not kept), -EALREADY (answered already, or a response was
 * begun) or -ESTALE (the peer is gone, or a deadline passed). */
WEIR_ANY_THREAD int weir_request_respond(struct weir_request *request, int status);

/* Accepts a kept request that asks for an upgrade: on_open follows on the connection's loop.
 * Returns as weir_request_respond does. */
WEIR_ANY_THREAD int weir_request_accept(struct weir_request *request);

/* Begins a response whose body follows in pieces: of body_bytes in all, or with WEIR_OFF of unknown
 * length, chunked where the client's version has that (RFC 9112 section 7.1). A body that was set
 * is left out but for its type. Returns as weir_request_respond does. */
WEIR_ANY_THREAD int weir_request_begin(struct weir_request *request, int status, size_t body_bytes);

/* Sends a piece of the body, copied; len 0 does nothing. Pieces keep the order of calls; one thread
 * at a time. Returns 0; -ENOBUFS when it was not taken because what is queued would exceed
 * max_queued_bytes (an empty queue takes every piece): on_drain follows; -EMSGSIZE when it is more
 * than was announced; -EINVAL when no response was begun, -ESTALE or -ENOMEM. */
WEIR_ANY_THREAD int weir_request_write(struct weir_request *request, const void *data, size_t len);

/* Ends the body. One that is shorter than was announced cuts the connection, so that the client
 * sees it. Returns 0, -EINVAL or -ESTALE. */
WEIR_ANY_THREAD int weir_request_end(struct weir_request *request);

/* Bytes of a streamed response that have not left yet. */
WEIR_ANY_THREAD size_t weir_request_buffered(const struct weir_request *request);

#endif
