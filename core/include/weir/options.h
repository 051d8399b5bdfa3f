/* Options of a server and of a route.
 *
 * Every structure starts with its own size, which the caller sets to sizeof, so that later versions
 * may append fields. Zero in a field means the documented default; WEIR_OFF means off or unlimited
 * where the field says so. */
#ifndef WEIR_OPTIONS_H
#define WEIR_OPTIONS_H

#include <weir/attributes.h>

/* What becomes of a message that does not fit a connection's queue, and of those in it. Only whole
 * messages are ever dropped: none that is partly sent, or was sent in fragments, and no control
 * frame. Each message is queued under one policy, and only messages that were queued under the last
 * two are dropped for later ones, whatever the policy of those may be but
 * WEIR_QUEUE_DROP_NEWEST. */
enum weir_queue_policy {
  WEIR_QUEUE_CLOSE = 0, /* the connection is closed with code 1008: what is partly sent is finished,
                           the rest is discarded; the default */
  WEIR_QUEUE_DROP_NEWEST =
      1, /* the message is dropped for this connection, the call returns -ENOBUFS */
  WEIR_QUEUE_DROP_OLDEST = 2, /* the oldest messages are dropped until it fits; where none can be,
                                 the message is, with -ENOBUFS */
  WEIR_QUEUE_KEEP_LATEST = 3, /* the same, and a message published to a topic takes the place of
                                 an unsent one of that topic, as soon as the socket is full */
};

/* What a route does with permessage-deflate (RFC 7692), which clients offer. */
enum weir_compression {
  WEIR_COMPRESSION_OFF = 0,      /* it is not agreed; the default */
  WEIR_COMPRESSION_SHARED = 1,   /* agreed without context takeover: each message is compressed by
                                    itself, and an idle connection holds nothing for it */
  WEIR_COMPRESSION_DEDICATED = 2 /* with context takeover where the client and
                                    max_compression_bytes allow it: better for similar messages,
                                    for memory on each connection that uses it */
};

/* How loud a line of the log is. */
enum weir_log_level { WEIR_LOG_ERROR = 0, WEIR_LOG_WARNING = 1, WEIR_LOG_INFO = 2 };

/* Receives a line of the log: text without a line end, lent for the call. Called on the loop's
 * thread where the line arose; must not call back into the library. */
typedef void weir_log_fn(enum weir_log_level level, const char *text, void *arg);

/* Options of a server. */
struct weir_options {
  size_t size; /* sizeof(struct weir_options) */

  size_t loops;   /* event loops, each on a thread of its own; default 1, at most 255 */
  size_t backlog; /* listen(2)'s backlog, in connections; default 4,096 */
  size_t handshake_timeout_ms; /* from accept to the end of the opening handshake; default 10,000;
                                  may be off */
  size_t keep_alive_ms; /* how long a connection may idle between HTTP requests; default 5,000 */
  size_t
      max_header_bytes; /* a request's head, raw bytes; default 16,384; more is refused with 431 */
  size_t max_header_fields; /* a request's header fields; default 64, at most 128; more is refused
                               with 431 */
  size_t max_uri_bytes;     /* a request's target; default 8,192; more is refused with 414 */
  size_t busy_poll_us; /* how long a loop spins before it blocks, microseconds; default 0: it does
                          not */

  weir_log_fn *log; /* where lines of the log go; default NULL: nowhere */
  void *log_arg;    /* handed to log */

  size_t max_compression_bytes; /* what the compression contexts of all connections may hold;
                                   default 256 MiB; may be off. Past it further connections are
                                   agreed without takeover of the client's context, and messages to
                                   those that have no compressor yet are compressed by themselves;
                                   neither needs any */

  size_t max_connections; /* open sockets, over all loops; default what the process may open
                             (RLIMIT_NOFILE) less 64, half of it where it is 128 or less; may be
                             off; more get 503 with Retry-After */
  size_t max_connections_per_address; /* of one client's address, of IPv6 one /64; default off, for
                                         all clients of a proxy may have one; more get 429. Where
                                         trusted_proxies tells the client's address, that counts */
  size_t max_handshakes; /* connections whose first request is not answered yet; default 16,384; may
                            be off; more get 503 with Retry-After */
  size_t max_topics;     /* that have subscribers on one loop; default 1,048,576; may be off; more
                            are refused to weir_conn_subscribe */

  const char *const *trusted_proxies; /* peers that are believed what they say of the client's
                                         address, by PROXY, Forwarded (RFC 7239) or X-Forwarded-For:
                                         addresses and networks ("10.0.0.0/8", "::1"), and "unix"
                                         for all peers of unix sockets; NULL-terminated; default
                                         none */
  size_t trust_forwarded; /* 1: they write Forwarded; default 0: X-Forwarded-For. The other field is
                             not looked at, for proxies pass on what a client wrote there */

  size_t max_queue_memory; /* bytes that the queues of all connections may hold together, a shared
                              frame counted once; default off. Past it the longest queue drops what
                              its policies let it drop, or else its connection is closed with 1008,
                              then the next one. What is unsent counts, not what is received */
};

/* Options of a route: of each of its connections. */
struct weir_route_options {
  size_t size; /* sizeof(struct weir_route_options) */

  size_t max_message_bytes;   /* one message, all its fragments; default 1 MiB; may be off; more is
                                 F1009 */
  size_t max_fragments;       /* frames of one message; default 16,384; may be off; more is F1008 */
  size_t max_queued_bytes;    /* unsent bytes of one connection, headers too; default 1 MiB; may be
                                 off; an empty queue takes any message of that length */
  size_t max_queued_messages; /* unsent messages of one connection; default 4,096; may be off */
  size_t queue_policy; /* enum weir_queue_policy; default WEIR_QUEUE_CLOSE. Where messages are
                          dropped that were taken, permessage-deflate is agreed without
                          takeover of the server's context */

  size_t ping_interval_ms; /* silence after which a ping is sent, plus a jitter of at most 1/16;
                              default 30,000; may be off */
  size_t pong_timeout_ms;  /* further silence after that ping until the peer counts as gone; default
                              20,000; may be off */
  size_t idle_timeout_ms;  /* time without a data message, then close 1001; default off */
  size_t close_timeout_ms; /* how long the peer may take to answer a Close frame; default 5,000;
                              cannot be off */

  size_t no_broadcast; /* 1: weir_server_broadcast passes this route by; default 0: it takes part */

  const char *const *protocols; /* subprotocols by name, NULL-terminated; the first one that the
                                   client offers and this list holds is selected; default none */
  const char *const *origins;   /* exact values of Origin that may connect, NULL-terminated;
                                   default: every one */
  size_t origin_required;       /* 1: a request without Origin is refused with 403 too */

  size_t compression;           /* enum weir_compression; default WEIR_COMPRESSION_OFF */
  size_t compression_threshold; /* payload bytes from which a message is compressed; default 1,024;
                                   off: none is, but the client's are inflated */
  size_t compression_level;     /* 1 (fast) .. 9 (small), zlib's; default 1 */
  size_t server_window_bits;    /* logarithm of the window that we compress with, 9 .. 15; default
                                   15 (RFC 7692 section 7.1.2.1). With takeover a compressor holds
                                   2^(bits + 3) bytes while it is used: 12 is a sensible choice for
                                   many connections with short messages */
  size_t client_window_bits;    /* of the one that we let clients use, 8 .. 15; default 15; below
                                   that, offers that do not let us choose are declined (section
                                   7.1.2.2) */

  size_t message_timeout_ms; /* from a message's first byte to its last; default 60,000; may be off;
                                more is F1008. Control frames count too */
  size_t max_messages_per_s; /* of one connection, control frames too; default off; a burst of twice
                                as many passes; more is F1008 */
  size_t max_bytes_per_s;    /* from one connection, of frames with their headers; default off; a
                                burst of twice as many passes; more is F1008 */
  size_t max_subscriptions;  /* topics of one connection; default 16,384; may be off; more are
                                refused to weir_conn_subscribe */

  const char *listener; /* the name of the listeners that serve this route (weir_listen_options);
                           default: those without a name */

  size_t max_lifetime_ms; /* from on_open on, plus a jitter of at most 1/16, then close 1001, so
                             that connections find their way to other servers; default off */
};

#endif
