/* Connections: one open WebSocket each (RFC 6455).
 *
 * A weir_conn belongs to its loop and its thread. It is valid from on_upgrade's acceptance until
 * its on_close returns, no longer; whatever outlives that, or lives on another thread, holds a
 * weir_conn_id instead. All calls are allowed inside any handler, on this connection and on others.
 */
#ifndef WEIR_CONN_H
#define WEIR_CONN_H

#include <stdbool.h>
#include <weir/frame.h>
#include <weir/options.h>
#include <weir/request.h>

struct weir_conn;
struct weir_loop;
struct weir_server;

/* Names a connection for ever: loop, slot and generation. Never 0, never used again in practice
 * (32-bit generations of a slot). */
typedef uint64_t weir_conn_id;

/* Sends one message, compressed where that was agreed, opcode allows it and it pays
 * (compression_threshold). Small data is copied and leaves at the end of the loop's turn, with all
 * else that is queued; data of 16 KiB and more is written at once and only the unsent tail is
 * copied. Returns 0 when the message was taken; -EINVAL (no data opcode, or no data with a length);
 * -EPIPE (a Close frame was sent, or the peer is gone); -EMSGSIZE (over max_queued_bytes by itself;
 * nothing else happens); -ENOBUFS (the queue is full: the policy was applied); -ENOMEM. Of
 * a message that is compressed, its compressed bytes count. */
WEIR_LOOP_THREAD int weir_conn_send(struct weir_conn *conn, enum weir_opcode opcode,
                                    const void *data, size_t len);

/* Sends a shared frame without copying it, or what it was compressed to once for all receivers of
 * the loop; the caller keeps its reference. Returns as weir_conn_send does. */
WEIR_LOOP_THREAD int weir_conn_send_frame(struct weir_conn *conn, struct weir_frame *frame);

/* Sends a message that a handler was lent, without copying where its bytes are counted
 * (weir_frame_of_message) and compression was not agreed. Returns as weir_conn_send does. */
WEIR_LOOP_THREAD int weir_conn_send_message(struct weir_conn *conn,
                                            const struct weir_message *message);

/* Begins a message that is sent in fragments (RFC 6455 section 5.4), with its first bytes; it is
 * never compressed, and opcode WEIR_TEXT or WEIR_BINARY. Until the message ends, whole messages and
 * broadcasts queue behind it; pings, pongs and Close go between its fragments. Returns as
 * weir_conn_send does, and -EBUSY when a message is begun already. */
WEIR_LOOP_THREAD int weir_conn_send_begin(struct weir_conn *conn, enum weir_opcode opcode,
                                          const void *data, size_t len);

/* Continues the message begun. Returns as weir_conn_send does, and -EINVAL when none is begun. A
 * fragment that does not fit the queue is refused with -ENOBUFS under either policy, and may be
 * tried again after on_drain. */
WEIR_LOOP_THREAD int weir_conn_send_more(struct weir_conn *conn, const void *data, size_t len);

/* Continues and ends the message begun. Returns as weir_conn_send_more does. */
WEIR_LOOP_THREAD int weir_conn_send_end(struct weir_conn *conn, const void *data, size_t len);

/* Sends a ping or an unsolicited pong of at most 125 bytes (RFC 6455 sections 5.5.2, 5.5.3).
 * Returns 0, -EINVAL (over 125 bytes), -EPIPE, -ENOBUFS (the queue is full; no policy runs) or
 * -ENOMEM. */
WEIR_LOOP_THREAD int weir_conn_ping(struct weir_conn *conn, const void *data, size_t len);
WEIR_LOOP_THREAD int weir_conn_pong(struct weir_conn *conn, const void *data, size_t len);

/* Begins the closing handshake (RFC 6455 section 7.1.2): queues a Close frame behind what is
 * queued. Messages that the peer sent before it saw the Close frame still come to the handlers.
 * on_close follows, with the peer's code, when the peer answers, or with 1006 when it does not
 * within close_timeout_ms. code is 1000-1003, 1007-1014 or 3000-4999, or 0 for a Close without
 * payload; reason is UTF-8 of at most 123 bytes, NULL for none. Returns 0, -EINVAL (code or
 * reason), -EALREADY (a Close frame was sent) or -ENOMEM. */
WEIR_LOOP_THREAD int weir_conn_close(struct weir_conn *conn, int code, const char *reason);

/* Drops the connection without a closing handshake: nothing more is sent or handed to a
 * handler; on_close(1006) follows soon, never inside this call. */
WEIR_LOOP_THREAD void weir_conn_abort(struct weir_conn *conn);

/* Stops reading from the peer, so that TCP holds it back; after the message in hand no handler is
 * called for further ones until weir_conn_resume. Pings are not answered meanwhile, and the peer's
 * silence is not held against it; nor is its going noticed before something is sent. A connection
 * that is closed while it is paused does not see the peer's answer either. */
WEIR_LOOP_THREAD void weir_conn_pause(struct weir_conn *conn);
WEIR_LOOP_THREAD void weir_conn_resume(struct weir_conn *conn);

/* Subscribes to a topic (any bytes, 1 to 255 of them): weir_server_publish and weir_conn_publish
 * reach it from now on. Returns 0, -EALREADY (subscribed), -EINVAL (length), -EPIPE (closing),
 * -ENOBUFS (over max_subscriptions or max_topics) or -ENOMEM. */
WEIR_LOOP_THREAD int weir_conn_subscribe(struct weir_conn *conn, const char *topic, size_t len);

/* Ends a subscription. Returns 0 or -ENOENT (there was none). Closing ends all of them. */
WEIR_LOOP_THREAD int weir_conn_unsubscribe(struct weir_conn *conn, const char *topic, size_t len);

/* Whether the connection is subscribed to the topic. */
WEIR_LOOP_THREAD bool weir_conn_is_subscribed(const struct weir_conn *conn, const char *topic,
                                              size_t len);

/* weir_server_publish to all subscribers but this connection. Returns as that does. */
WEIR_LOOP_THREAD int weir_conn_publish(struct weir_conn *conn, const char *topic, size_t len,
                                       struct weir_frame *frame);

/* Gives the connection a policy of its own for what is sent to it from now on, instead of its
 * route's queue_policy. Where the server's context is taken over (weir_conn_compression), messages
 * that were compressed with it are never dropped once they are queued. Returns 0 or -EINVAL. */
WEIR_LOOP_THREAD int weir_conn_set_queue_policy(struct weir_conn *conn,
                                                enum weir_queue_policy policy);

/* What is queued and unsent. */
struct weir_buffered {
  size_t bytes;    /* frames with their headers */
  size_t messages; /* whole messages, the one partly sent among them; control frames do not count */
};
WEIR_LOOP_THREAD struct weir_buffered weir_conn_buffered(const struct weir_conn *conn);

/* The connection's id, its loop and its server. */
WEIR_LOOP_THREAD weir_conn_id weir_conn_id_of(const struct weir_conn *conn);
WEIR_LOOP_THREAD struct weir_loop *weir_conn_loop(const struct weir_conn *conn);
WEIR_LOOP_THREAD struct weir_server *weir_conn_server(const struct weir_conn *conn);

/* The connection of an id. NULL when it is closed, or lives on another loop than the calling
 * thread's. */
WEIR_LOOP_THREAD struct weir_conn *weir_conn_find(struct weir_server *server,
                                                  struct weir_loop *loop, weir_conn_id id);

/* The route's user_bytes of memory inside the connection, zeroed before user_init; on a route
 * without user_bytes, the pointer last set by weir_conn_set_user, at first NULL. */
WEIR_LOOP_THREAD void *weir_conn_user(const struct weir_conn *conn);

/* Keeps a pointer with the connection. Returns 0 or -EINVAL (the route has user_bytes). */
WEIR_LOOP_THREAD int weir_conn_set_user(struct weir_conn *conn, void *user);

/* The client's address, as weir_request_peer gave it. Returns 0 or -errno (getpeername(2)). */
WEIR_LOOP_THREAD int weir_conn_peer(const struct weir_conn *conn, struct weir_peer *peer);

/* What was agreed about compression (RFC 7692 section 7.1). */
struct weir_compression_state {
  uint8_t agreed;             /* 1: permessage-deflate is in use; else all is 0 */
  uint8_t server_takeover;    /* 1: our messages may refer to those before them */
  uint8_t client_takeover;    /* the client's may */
  uint8_t server_window_bits; /* 9 .. 15 */
  uint8_t client_window_bits; /* 8 .. 15 */
};

/* Fills *out. Returns 0 or -EINVAL (out is NULL). */
WEIR_LOOP_THREAD int weir_conn_compression(const struct weir_conn *conn,
                                           struct weir_compression_state *out);

/* The subprotocol that was selected; data is NULL when none was (RFC 6455 section 1.9). */
WEIR_LOOP_THREAD struct weir_slice weir_conn_protocol(const struct weir_conn *conn);

#endif
