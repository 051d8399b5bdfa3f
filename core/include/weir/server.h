/* The server: routes, listeners, loops, and everything that reaches all connections. */
#ifndef WEIR_SERVER_H
#define WEIR_SERVER_H

#include <weir/conn.h>
#include <weir/http.h>
#include <weir/loop.h>
#include <weir/options.h>
#include <weir/tls.h>

struct weir_server;

/* The handlers of a route, each of which may be NULL. All run on the connection's loop; each may
 * use any connection of that loop and any WEIR_ANY_THREAD function. arg is the one given to
 * weir_server_route. */
struct weir_handlers {
  /* Decides an opening handshake that is correct (RFC 6455 section 4.2.2). Returns 0 to accept, a
   * negative HTTP status (-400 .. -599) to refuse, WEIR_LATER when a request that was kept is
   * decided later (weir_request_keep), or what weir_request_move returned; any other value refuses
   * with 500. user is the connection's user memory, after user_init. Default: accepts. */
  int (*on_upgrade)(struct weir_request *request, void *user, void *arg);

  /* The connection is open; the 101 is queued in front of whatever is sent here. */
  void (*on_open)(struct weir_conn *conn, void *arg);

  /* A whole message. The bytes are lent until it returns, and may be written to until they are
   * shared (weir_conn_send_message, weir_frame_of_message). */
  void (*on_message)(struct weir_conn *conn, const struct weir_message *message, void *arg);

  /* Where it is set, it gets messages in pieces as their bytes arrive, and on_message is not
   * called: nothing is assembled. Pieces are not the peer's frames, and a piece of text may end
   * inside a character. */
  void (*on_fragment)(struct weir_conn *conn, const struct weir_message *piece, void *arg);

  /* A ping came, and was answered; a pong came (RFC 6455 sections 5.5.2, 5.5.3). At most 125 bytes,
   * lent. */
  void (*on_ping)(struct weir_conn *conn, struct weir_slice payload, void *arg);
  void (*on_pong)(struct weir_conn *conn, struct weir_slice payload, void *arg);

  /* The queue became empty after it had been too long to leave at once, or a message was refused
   * for its sake. */
  void (*on_drain)(struct weir_conn *conn, void *arg);

  /* Something went wrong on this connection, which will close: a value for weir_strerror, and a
   * sentence. Comes before on_close, at most once. A peer that goes away without a closing
   * handshake is no error. */
  void (*on_error)(struct weir_conn *conn, int error, const char *what, void *arg);

  /* The connection is closed: exactly once for every on_open. code is that of the peer's Close
   * frame (RFC 6455 section 7.1.5), 1005 when it held none, 1006 when there was no Close frame, or
   * the code with which this side failed the connection. reason is lent. Sends return -EPIPE. */
  void (*on_close)(struct weir_conn *conn, int code, struct weir_slice reason, void *arg);

  /* Called on the zeroed user memory before on_upgrade, and once when the connection (or the
   * refused request) is done with it, after on_close. user_init returns 0, or a negative HTTP
   * status as on_upgrade does; user_fini follows only a user_init that returned 0. */
  int (*user_init)(void *user, void *arg);
  void (*user_fini)(void *user, void *arg);

  /* Messages were dropped for this connection by its queue's policy, so many since the last call;
   * one that was replaced by a later one counts. Soon after, never inside the call that sent; not
   * once the connection closes. */
  void (*on_dropped)(struct weir_conn *conn, size_t messages, void *arg);
};

/* What a route does: its handlers, its options, and the memory that its connections carry. */
struct weir_route {
  size_t size;       /* sizeof(struct weir_route) */
  size_t user_bytes; /* memory inside each connection for the application, aligned to 16; default 0;
                        at most 64 KiB */
  struct weir_handlers handlers;
  struct weir_route_options options;
};

/* Makes a server, owned by the caller; options may be NULL. Returns 0, -EINVAL (a value out of its
 * range, or a size that no version has) or -ENOMEM; on an error *server is NULL. */
WEIR_ANY_THREAD int weir_server_new(struct weir_server **server,
                                    const struct weir_options *options);

/* Frees a server that does not run: connections that are left are dropped, with on_close(1006).
 * NULL is allowed. Where it was attached to a loop, on that loop's thread, outside a
 * step. */
WEIR_ANY_THREAD void weir_server_free(struct weir_server *server);

/* Serves WebSocket connections on a path: "/chat" exactly, "/:name" one segment as a parameter, "*"
 * at the end for whatever follows. An exact segment goes before a parameter, a parameter before
 * "*". All is copied; arg is lent for the server's life. Before listening. Returns 0, -EINVAL (the
 * pattern, or an option out of its range), -EEXIST (the pattern is taken), -EBUSY (listening
 * already) or -ENOMEM. */
WEIR_ANY_THREAD int weir_server_route(struct weir_server *server, const char *path,
                                      const struct weir_route *route, void *arg);

/* Gives what is published to topics whose name begins with prefix (1 to 255 bytes) a policy of its
 * own, on every connection, instead of the connection's: enum weir_queue_policy. The longest prefix
 * counts. The prefix is copied. Before listening. Returns 0, -EINVAL (length or policy), -EEXIST
 * (the prefix has one), -EBUSY (listening already) or -ENOMEM. */
WEIR_ANY_THREAD int weir_server_topic_policy(struct weir_server *server, const char *prefix,
                                             size_t len, enum weir_queue_policy policy);

/* weir_server_http for GET alone, answered at once (weir/http.h). */
WEIR_ANY_THREAD int weir_server_get(struct weir_server *server, const char *path,
                                    int (*handler)(struct weir_request *request, void *arg),
                                    void *arg);

/* What a server listens on: a host and a port, or a unix socket, or a descriptor that listens
 * already. */
struct weir_listen_options {
  size_t size; /* sizeof(struct weir_listen_options) */

  const char *host; /* a numeric address or a name; default all addresses, IPv6 and IPv4 */
  size_t port;      /* at most 65,535; default any free one */

  const char *path; /* a unix socket's path instead, or "@name" for one without a file (unix(7));
                       a file that a server left behind who is gone is replaced, and the file goes
                       when this server stops */
  size_t mode;      /* permissions of that file, as chmod(2) takes them; default 0666 less the
                       umask */

  int fd; /* a listening stream socket instead, which the server takes over: one that was inherited
             (weir_listen_fds); default 0: none */

  struct weir_tls *tls;  /* connections are those of wss and https; the server takes a reference of
                            its own; default plain */
  size_t proxy_protocol; /* 1: each connection begins with a header of the PROXY protocol, version 1
                            or 2, from one of options.trusted_proxies, which tells the client's
                            address; others are closed; default 0 */

  const char *name; /* it serves the routes whose option listener is this name; default those that
                       have none. Copied */
};

/* Listens; may be called several times, for 16 sockets in all. Connections are accepted once the
 * server runs. Returns 0, -EINVAL (options; proxy_protocol where nobody is trusted), -EADDRINUSE
 * (also where another listener would share the port, or serves the path), -EBUSY (the server runs),
 * -ENOSPC (too many), -ENOENT (no such host), -ENOTSOCK (fd does not listen), -ENAMETOOLONG (path)
 * or another -errno; on an error, what it listens on is as before, and fd still is the caller's. */
WEIR_ANY_THREAD int weir_server_listen_on(struct weir_server *server,
                                          const struct weir_listen_options *options);

/* The same on a host (NULL: all addresses) and a port (0: any free one). */
WEIR_ANY_THREAD int weir_server_listen(struct weir_server *server, const char *host, uint16_t port);

/* The same for TLS (RFC 8446, RFC 5246): every connection is one of wss or https; a client that
 * speaks plain HTTP is told so with 400. The server takes a reference of its own on tls, until it
 * is freed. Returns as weir_server_listen does, and -EINVAL (tls is NULL). */
WEIR_ANY_THREAD int weir_server_listen_tls(struct weir_server *server, struct weir_tls *tls,
                                           const char *host, uint16_t port);

/* The descriptors that a service manager handed to this process (sd_listen_fds(3)): how many there
 * are, *first being the first one, each close-on-exec from now on; 0 when there are none, or they
 * are for another process. Before threads are started. Returns a count or -errno. */
WEIR_ANY_THREAD int weir_listen_fds(int *first);

/* The port of the first listener that has one, of all or of a name (NULL: those without); 0 when
 * there is none. */
WEIR_ANY_THREAD uint16_t weir_server_port(const struct weir_server *server);
WEIR_ANY_THREAD uint16_t weir_server_port_of(const struct weir_server *server, const char *name);

/* How many loops it has; and one of them, 0 .. count - 1, for weir_loop_post: NULL while the server
 * does not run. */
WEIR_ANY_THREAD size_t weir_server_loop_count(const struct weir_server *server);
WEIR_ANY_THREAD struct weir_loop *weir_server_loop(const struct weir_server *server, size_t index);

/* Serves until weir_server_stop: the first loop on the calling thread, the others on threads of
 * their own. Returns 0 once stopped, -EINVAL (not listening), -EBUSY (it runs or ran, or is
 * attached to a loop), or -errno of a thread or a loop that could not be made. */
WEIR_ANY_THREAD int weir_server_run(struct weir_server *server);

/* Serves on a loop of the caller's instead of weir_server_run, from now on until weir_server_stop
 * or weir_server_free. Only with options.loops 1. Returns 0, -EINVAL, -EBUSY or -errno. */
WEIR_LOOP_THREAD int weir_server_attach(struct weir_server *server, struct weir_loop *loop);

/* Stops the server: listeners close, every connection is sent Close 1001 as far as it can be sent
 * at once and is closed, on_close(1001) is called, and weir_server_run returns. Async-signal-safe;
 * further calls do nothing. */
WEIR_ANY_THREAD void weir_server_stop(struct weir_server *server);

/* Ends the server gracefully within deadline_ms milliseconds, at most a day. From now on it listens
 * no more, but serves whoever has connected; requests in hand are answered with "Connection: close"
 * (RFC 9112 section 9.6), connections between requests are closed, and upgrades are refused with
 * 503. Each open connection is sent Close 1001 at a moment of its own, these being spread evenly
 * over the first half of the time, so that clients do not come back all at once somewhere else; the
 * closing handshake follows as after weir_conn_close. As soon as nobody is left, and at the
 * deadline at the latest, the server stops as by weir_server_stop, which may be called before that.
 * Where it was called already, the earlier deadline counts. With weir_server_attach the end shows
 * in weir_server_loop, which then gives NULL. Async-signal-safe. Returns 0 or -EINVAL. */
WEIR_ANY_THREAD int weir_server_drain(struct weir_server *server, size_t deadline_ms);

/* Sends a frame to every open connection of the routes that take part, on all loops, but to the one
 * with the id except (0: to all). What the calling loop's own connections get is queued before it
 * returns; other loops get it in the order of calls. Slow receivers get their route's policy. The
 * caller keeps its reference. Returns 0, -EINVAL (frame is NULL) or -ENOMEM: then some loops may
 * have been left out. */
WEIR_ANY_THREAD int weir_server_broadcast(struct weir_server *server, struct weir_frame *frame,
                                          weir_conn_id except);

/* The same to the subscribers of a topic (1 to 255 bytes), but to the one with the id except.
 * Returns as weir_server_broadcast does, and -EINVAL for the topic's length. */
WEIR_ANY_THREAD int weir_server_publish(struct weir_server *server, const char *topic, size_t len,
                                        struct weir_frame *frame, weir_conn_id except);

/* How many connections are subscribed to a topic, over all loops, as of now. */
WEIR_ANY_THREAD size_t weir_server_subscribers(const struct weir_server *server, const char *topic,
                                               size_t len);

/* Sends a frame to one connection by its id; the caller keeps its reference. On the connection's
 * own loop it returns as weir_conn_send_frame does; from elsewhere 0 when it was handed over (what
 * follows is up to the connection's policy), -ESTALE (the id can name no connection) or -ENOMEM. On
 * its own loop -ESTALE also when it is closed. */
WEIR_ANY_THREAD int weir_server_send(struct weir_server *server, weir_conn_id id,
                                     struct weir_frame *frame);

/* weir_conn_close by id. Returns as weir_server_send does, and -EINVAL (code or reason); on the
 * connection's own loop also -EALREADY. */
WEIR_ANY_THREAD int weir_server_close_id(struct weir_server *server, weir_conn_id id, int code,
                                         const char *reason);

/* Has fn(conn, arg) called once on the loop of a connection, or fn(NULL, arg) when that is closed
 * by then: for what a loop's thread alone may do, as to look at user memory. Never inside this
 * call; calls of one thread for connections of one loop keep their order, among sends and posts
 * too. Returns 0, -EINVAL (fn is NULL), -ESTALE (the id can name no connection) or -ENOMEM: then fn
 * is never called. */
WEIR_ANY_THREAD int weir_server_with(struct weir_server *server, weir_conn_id id,
                                     void (*fn)(struct weir_conn *conn, void *arg), void *arg);

/* weir_server_broadcast to those connections for which filter(conn, arg) returns true: called on
 * each loop for its own connections, on several at once, and on the calling loop before this
 * returns. A filter only looks: it must not send, close or publish. done(arg), which may be NULL,
 * is called once after the last of these calls, on whichever loop that was. Returns 0, -EINVAL
 * (frame or filter is NULL) or -ENOMEM: then neither is ever called. */
WEIR_ANY_THREAD int weir_server_broadcast_if(struct weir_server *server, struct weir_frame *frame,
                                             bool (*filter)(struct weir_conn *conn, void *arg),
                                             void (*done)(void *arg), void *arg);

/* How many WebSocket connections are open, over all loops, as of now. */
WEIR_ANY_THREAD size_t weir_server_connections(const struct weir_server *server);

/* Counts since the server was made, summed over its loops; each a moment's reading. */
struct weir_counters {
  uint64_t accepted;          /* connections */
  uint64_t opened;            /* WebSocket connections */
  uint64_t closed;            /* of those opened */
  uint64_t refused;           /* requests answered with 400 and more */
  uint64_t requests;          /* plain requests answered by a handler */
  uint64_t messages_received; /* whole messages */
  uint64_t messages_sent;     /* taken into a queue, once per receiver */
  uint64_t bytes_received;    /* from sockets; under TLS what that carried */
  uint64_t bytes_sent;        /* to sockets, likewise */
  uint64_t dropped;           /* messages that met a full queue, or went for later ones */
  uint64_t failed;            /* connections failed for breaking the protocol or a limit */
  uint64_t accept_paused;     /* times that accepting paused for want of descriptors */
  uint64_t memory_bytes;   /* held by the loops and their connections now, without shared frames and
                              what OpenSSL holds */
  uint64_t tls_handshakes; /* completed */
  uint64_t tls_failed;     /* connections that ended because TLS failed, most in the handshake */

  uint64_t messages_compressed; /* of those sent, once per receiver */
  uint64_t messages_inflated;   /* of those received */
  uint64_t twins_compressed;    /* frames compressed once for all receivers of a loop and kind */
  uint64_t compression_bytes;   /* held or reserved for compression contexts now; see
                                   max_compression_bytes */

  uint64_t turned_away; /* connections over max_connections, max_connections_per_address or
                           max_handshakes, and those that broke the PROXY protocol */

  uint64_t queue_bytes; /* held by all queues now, shared frames once where max_queue_memory is on,
                           else not at all */
  uint64_t shed;        /* times that a queue gave way to max_queue_memory */
};

/* Fills *out. Returns 0 or -EINVAL (out is NULL). */
WEIR_ANY_THREAD int weir_server_counters(const struct weir_server *server,
                                         struct weir_counters *out);

#endif
