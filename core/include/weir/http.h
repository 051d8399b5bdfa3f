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

  /* A piece of the body, lent; last is true with its end, whose piece may be empty: always, where
   * the request has no body. For kept requests until they are answered: a request that is answered
   * before its body has come is the last one of its connection. */
  void (*on_body)(struct weir_request *request, struct weir_slice piece, bool last, void *arg);

  /* A response that is being streamed has left, after weir_request_write said that the queue is
   * full or long. */
  void (*on_drain)(struct weir_request *request, void *arg);

  /* The peer is gone, a deadline passed, or the rest of the body broke a rule, before a kept
   * request was answered to its end: it can be answered no more. Exactly once for each. */
  void (*on_gone)(struct weir_request *request, void *arg);

  size_t max_body_bytes; /* of a request's body as it is sent, chunk framing too; default 1 MiB; may
                            be off; more is 413 */
  size_t body_timeout_ms; /* from the head's end to the body's; default 30,000; may be off; 408 */
  size_t response_timeout_ms; /* from a request's end to the beginning of its answer: 503; and of
                                 one that is streamed, without any progress while some of it is
                                 queued; default 60,000; may be off */
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

/* What is done with a folder of files. */
struct weir_static_options {
  size_t size; /* sizeof(struct weir_static_options) */

  size_t max_age_s;     /* how long clients may use a file without asking again (RFC 9111 section
                           5.2.2.1); default: they ask each time, and are told when it is old */
  const char *index;    /* the file that stands for a path that ends in "/"; default "index.html" */
  const char *listener; /* as in weir_route_options */
};

/* Answers GET and HEAD on a path, whose pattern ends in "*", with the files of a folder: with
 * Content-Type by their names, ETag, Last-Modified, conditions and a range of bytes (RFC 9110
 * sections 8.8, 13, 14). Nothing outside the folder is reached, by links neither, nor names that
 * begin with "."; a folder's name is redirected to end in "/". Files are read by the loop as
 * the client takes them. options may be NULL; all is copied. Before listening. Returns as
 * weir_server_http does, and -EINVAL (the pattern does not end in "*") or -errno of opening the
 * folder. */
WEIR_ANY_THREAD int weir_server_static(struct weir_server *server, const char *path,
                                       const char *folder,
                                       const struct weir_static_options *options);

/* What pages of other origins may do (the Fetch Standard's CORS protocol). */
struct weir_cors {
  size_t size; /* sizeof(struct weir_cors) */

  const char *const *origins; /* exact values of Origin, NULL-terminated; default every one */
  size_t credentials;         /* 1: cookies are sent along; only with origins; default 0 */
  const char *methods;        /* default "GET, HEAD, PUT, PATCH, POST, DELETE" */
  const char *headers;        /* default those that the client asks for */
  const char *exposed;        /* fields of responses that pages may read; default none */
  size_t
      max_age_s; /* how long a preflight's answer may be kept; default: as long as clients like */
};

/* Adds the fields of a response that a request's Origin calls for; the origin is named as it is,
 * with Vary, or as "*" where every one may come. cors is lent. Returns 0 to go on; 204 when this is
 * a preflight, which a handler answers with that; -500 (credentials without origins, or a value
 * that is none), or an error of weir_request_respond_header. */
WEIR_LOOP_THREAD int weir_request_cors(struct weir_request *request, const struct weir_cors *cors);

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

/* Ends the body. One that is shorter than was announced ends the connection too, so that the client
 * sees it. Returns 0, -EINVAL (no response was begun, or it was ended) or -ESTALE. */
WEIR_ANY_THREAD int weir_request_end(struct weir_request *request);

/* Bytes of a streamed response that have not left yet. */
WEIR_ANY_THREAD size_t weir_request_buffered(const struct weir_request *request);

#endif
