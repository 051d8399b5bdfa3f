/* A connection, from accept to its last byte, split by concern:
 *
 * - conn_open.c: accepted, upgraded; http_conn.c: while it speaks HTTP; conn_in.c: bytes to
 *   handlers (hot); conn_out.c: messages to bytes (hot), with conn_fragment.c and conn_control.c;
 *   conn_inflate.c, conn_deflate.c: both where they are compressed; conn_tls.c: what TLS adds;
 *   conn_life.c: deadlines; conn_close.c: every way to end.
 *
 * States go only forward: HTTP -> OPEN -> CLOSING (we sent Close, the peer has not) -> LINGER (all
 * is said: flush, FIN, discard input) -> DEAD (descriptor closed). Handlers may run in OPEN and
 * CLOSING; on_close ends that. */
#ifndef WEIR_WS_CONN_H
#define WEIR_WS_CONN_H

#include <weir/conn.h>

#include "base/debug.h"
#include "io/stream.h"
#include "wire/parser.h"
#include "ws/server.h"

#ifdef __cplusplus
extern "C" {
#endif

enum weir__conn_state {
  WEIR__CONN_HTTP = 0,
  WEIR__CONN_OPEN,
  WEIR__CONN_CLOSING,
  WEIR__CONN_LINGER,
  WEIR__CONN_DEAD,
};

/* Why a connection is turned away. */
enum weir__turned {
  WEIR__TURNED_NOT = 0,
  WEIR__TURNED_FULL = 1,    /* too many connections or handshakes: 503 */
  WEIR__TURNED_ADDRESS = 2, /* too many from its address: 429 */
};

enum {
  WEIR__READ_BUDGET = 256 << 10,   /* bytes a connection and turn */
  WEIR__FRAME_BUDGET = 4096,       /* frames a connection and turn */
  WEIR__WRITE_BUDGET = 256 << 10,  /* bytes a connection and turn */
  WEIR__STRAIGHT_BYTES = 16 << 10, /* remainders from this size on are received where they belong */
  WEIR__TRUST_BYTES = 1 << 20,     /* of a declared length, made room for at once */
  WEIR__DISCARD_BYTES = 32 << 20,  /* input thrown away before a lingering close gives up */
  WEIR__LINGER_MS = 5000,          /* after a refused request, until the peer has read why */
};

/* What came of something and cannot be handled yet; lazy, from the pool. */
struct weir__inbox {
  struct weir_frame *message; /* the message that spans reads, so far; room for a header in front */
  unsigned char *stash;       /* bytes not parsed: paused, or the budget was spent; from the pool */
  size_t stash_size;          /* of the block */
  size_t stash_at, stash_end; /* the bytes within it */
  unsigned char *rest; /* of a compressed message, not inflated yet; goes before the stash; from the
                          pool */
  size_t rest_size, rest_at, rest_end;
  bool rest_last; /* the message ends with it */
  bool begun;     /* a message, or a control frame, has begun to come, and is not whole */
  uint8_t rest_opcode;
  uint8_t control_len;
  uint32_t begun_tick;                      /* of the wheel: when its first byte came */
  unsigned char control[WEIR__CONTROL_MAX]; /* a control frame's payload that spans reads, so far */
};

/* What a slow peer has beside its queue; lazy, from the pool. */
struct weir__aside {
  size_t size;    /* of the block */
  size_t dropped; /* messages of which on_dropped is still to tell */
  bool has_pong;  /* the answer to the newest ping is kept, while older ones wait for a peer that
                     does not read (RFC 6455 section 5.5.3) */
  uint8_t pong_len;
  unsigned char pong[WEIR__CONTROL_MAX];
};

/* What is still to send; lazy, from the pool. */
struct weir__outbox {
  struct weir__outq queue;
  struct weir__outq *held; /* whole messages behind the one begun; NULL: none is begun */
  struct weir__aside *aside;
};

struct weir_conn {
  struct weir__stream stream; /* its source comes first */
  struct weir__shard *shard;
  union {
    struct weir__parser parser;   /* OPEN, CLOSING */
    struct weir__http_conn *http; /* HTTP: what is in hand; NULL between requests */
    uint64_t discarded;           /* LINGER */
  };
  struct weir__inbox *inbox;
  struct weir__outbox *outbox;
  union {
    struct weir__subscription *subscriptions; /* OPEN and later */
    uint64_t accepted_ns;                     /* HTTP: when, by the loop's clock */
  };
  struct weir__link deadline;
  uint32_t received_tick; /* of the wheel: when bytes last came */
  uint32_t since_tick;    /* HTTP: when the wait began; OPEN: when a message last came; later: when
                             closing began */
  union {
    uint16_t route;    /* index, once routed is set */
    uint16_t listener; /* index of its endpoint, before */
  };
  uint16_t close_code;    /* what on_close is due to say */
  uint32_t state : 3;     /* enum weir__conn_state */
  uint32_t opened : 1;    /* on_open ran, on_close has not */
  uint32_t close_due : 1; /* on_close is due, from work */
  uint32_t paused : 1;
  uint32_t pinged : 1;     /* a ping was sent since bytes last came */
  uint32_t drain_due : 1;  /* on_drain is due when the queue is empty */
  uint32_t fin_sent : 1;   /* the sending direction is shut down */
  uint32_t input_done : 1; /* LINGER: the peer sent FIN */
  uint32_t broken : 1;     /* nothing can be sent any more */
  uint32_t user_init : 1;  /* user_fini is due */
  uint32_t routed : 1;     /* route is valid */
  uint32_t served : 1;     /* HTTP: a request was answered on it */
  uint32_t own_protocol : 1;
  uint32_t heard_all : 1;   /* the peer's Close frame came */
  uint32_t turned_away : 2; /* enum weir__turned, for which its request is refused */
  uint32_t greeting : 1;    /* HTTP: its first request is not answered yet */
  uint32_t metered : 1;     /* what it sends is held to rates */
  uint32_t policy : 2;      /* enum weir_queue_policy, of what is sent to it */

  /* permessage-deflate, as it was agreed */
  uint32_t deflate : 1;
  uint32_t server_takeover : 1;
  uint32_t client_takeover : 1;
  uint32_t server_bits : 3; /* of the window, but 8 of them */
  uint32_t client_bits : 3;
  uint32_t has_context : 1; /* and protocol moved in there */

  /* cold */
  union {
    char *protocol; /* the route's own string, or with own_protocol a block of the pool */
    struct weir__context *context;
  };
  void *user; /* the memory behind this structure, or what weir_conn_set_user was given */
};

extern const struct weir__source_ops weir__conn_ops, weir__conn_tls_ops, weir__conn_proxied_ops;

/* Whether a source is a connection. */
static inline bool weir__conn_is(const struct weir__source *source)
{
  if (__builtin_expect(source->ops == &weir__conn_ops, 1))
    return true;
  return source->ops == &weir__conn_tls_ops || source->ops == &weir__conn_proxied_ops;
}

static inline struct weir_loop *weir__conn_loop(const struct weir_conn *c)
{
  return c->shard->loop;
}

static inline const struct weir__route *weir__conn_route(const struct weir_conn *c)
{
  return c->shard->server->routes[c->route];
}

/* What it was accepted from; while it is not routed. */
static inline const struct weir__endpoint *weir__conn_endpoint(const struct weir_conn *c)
{
  return &c->shard->server->endpoints[c->listener];
}

static inline uint8_t weir__conn_server_bits(const struct weir_conn *c)
{
  return (uint8_t)(c->server_bits + 8);
}

static inline uint8_t weir__conn_client_bits(const struct weir_conn *c)
{
  return (uint8_t)(c->client_bits + 8);
}

/* The next connection of a shard's from a slot of its loop on, which moves behind it; NULL: there
 * is none any more. Connections may come and go between two calls. */
static inline struct weir_conn *weir__shard_next(const struct weir__shard *shard, uint32_t *slot)
{
  const struct weir_loop *loop = shard->loop;
  while (*slot < loop->slots.count) {
    struct weir__source *source = weir__slot_source(weir__slot_at(&loop->slots, (*slot)++));
    if (source != NULL && weir__conn_is(source) && ((struct weir_conn *)source)->shard == shard)
      return (struct weir_conn *)source;
  }
  return NULL;
}

/* Whether handlers may still run, and whether messages may still be sent. */
static inline bool weir__conn_is_live(const struct weir_conn *c)
{
  return c->state == WEIR__CONN_OPEN || c->state == WEIR__CONN_CLOSING;
}

/* conn_open.c: a connection was accepted; and sets one up on its descriptor, in memory of the
 * shard's. Returns 0 or -errno of weir__loop_watch. */
void weir__conn_accepted(struct weir__listener *listener, int fd);
int weir__conn_begin(struct weir_conn *c, struct weir__listener *listener,
                     const struct weir__source_ops *ops, const struct weir__stream_ops *stream_ops,
                     int fd);

/* The same for one that was accepted by another loop of the server's. */
int weir__conn_place(struct weir_conn *c, struct weir__shard *shard,
                     const struct weir__source_ops *ops, const struct weir__stream_ops *stream_ops,
                     int fd);

/* What a source's ready and work do. */
void weir__conn_ready(struct weir__source *source);
void weir__conn_work(struct weir__source *source);

/* conn_tls.c: a connection was accepted by a server that speaks TLS; and TLS failed on one. */
void weir__conn_accepted_tls(struct weir__listener *listener, int fd);
void weir__conn_tls_failed(struct weir_conn *c);

/* Turns an HTTP connection into an open one; its route is set and the 101 is queued. */
void weir__conn_open(struct weir_conn *c);

/* conn_in.c: reads and parses within the turn's budget. */
void weir__conn_read(struct weir_conn *c);

/* Whether a read would find something to do. */
bool weir__conn_has_input(const struct weir_conn *c);

/* Parses bytes that came in a buffer of the loop's; what cannot be handled now is stashed. */
void weir__conn_input(struct weir_conn *c, unsigned char *data, size_t len, size_t *frames);

/* Frees the inbox and what is in it. */
void weir__conn_drop_inbox(struct weir_conn *c);

/* conn_control.c: queues a control frame, past limits and messages begun. Returns 0 or -ENOMEM. */
int weir__conn_control(struct weir_conn *c, uint8_t opcode, const void *data, size_t len);

/* Answers a ping: at once, or when the peer reads again, and then only the newest. */
void weir__conn_answer_ping(struct weir_conn *c, const void *data, size_t len);

/* The peer reads again: queues the answer that was kept. */
void weir__conn_queue_pong(struct weir_conn *c);

/* conn_out.c: the outbox, made where there is none, behind what an open reply holds; NULL when
 * there is no memory. */
struct weir__outbox *weir__conn_outbox(struct weir_conn *c);

/* A send failed: what the peer sent before it went is still read. */
void weir__conn_send_failed(struct weir_conn *c);

/* Queues raw bytes (HTTP). Returns 0 or -ENOMEM. */
int weir__conn_queue_bytes(struct weir_conn *c, const void *head, size_t head_len, const void *data,
                           size_t len);

/* Queues a whole message with a header of this length, of which the loop holds a share; what a
 * broadcast does for each receiver. topic NULL: it is published to none. */
int weir__conn_queue_part(struct weir_conn *c, const struct weir__part *part, size_t header_len,
                          const struct weir__topic *topic);

/* Sends what is queued, within the turn's budget. Runs no handler. */
void weir__conn_flush(struct weir_conn *c);

/* Runs on_dropped if it is due; and whether it is. */
void weir__conn_tell_dropped(struct weir_conn *c);
static inline bool weir__conn_has_notice(const struct weir_conn *c)
{
  return c->outbox != NULL && c->outbox->aside != NULL && c->outbox->aside->dropped > 0;
}

/* Runs on_drain if it is due; and whether a flush would send something. */
void weir__conn_tell_drained(struct weir_conn *c);
static inline bool weir__conn_can_flush(const struct weir_conn *c)
{
  return c->outbox != NULL && c->outbox->queue.bytes > 0 && c->stream.source.writable;
}

/* What the outbox has aside, made where there is none; NULL when there is no memory. */
struct weir__aside *weir__conn_aside(struct weir_conn *c);

/* Frees the outbox and what is in it; what waits for the end of a message begun; and all that no
 * byte was sent of. */
void weir__conn_drop_outbox(struct weir_conn *c);
void weir__conn_drop_held(struct weir_conn *c);
void weir__conn_drop_unsent(struct weir_conn *c);

/* conn_in.c: appends a piece to the message that spans reads. Returns 0 or -ENOMEM. It is whole:
 * hands it out; and hands out a message, or a piece of one. */
int weir__conn_assemble(struct weir_conn *c, const struct weir__event *event);
void weir__conn_deliver_assembled(struct weir_conn *c, const struct weir__route *route,
                                  uint8_t opcode);
void weir__conn_deliver(struct weir_conn *c, const struct weir__route *route,
                        const struct weir_message *message);

/* The inbox, made where there is none; NULL when there is no memory. */
struct weir__inbox *weir__conn_inbox(struct weir_conn *c);

/* There is no memory for what came: fails the connection. */
void weir__conn_no_memory(struct weir_conn *c);

/* conn_close.c: whether the application may send a Close frame with a code and a reason. */
bool weir__may_close_with(int code, const char *reason);

/* The peer's Close frame came. */
void weir__conn_peer_closed(struct weir_conn *c, const unsigned char *payload, size_t len);

/* The peer broke a rule: Close with -error and the sentence, on_error, on_close. Only where no
 * handler of the connection runs. */
void weir__conn_fail(struct weir_conn *c, int error, const char *what);

/* The same from anywhere: on_close follows from work. */
void weir__conn_fail_later(struct weir_conn *c, int code);

/* The transport ended: on_close(1006) if it is due, then the end. error is 0 for FIN, else -errno.
 */
void weir__conn_lost(struct weir_conn *c, int error, const char *what);

/* The same but for the end: what handlers have to hear. */
void weir__conn_tell_lost(struct weir_conn *c, int error, const char *what);

/* The peer sent FIN: an answer that is still queued is flushed first (RFC 6455 section 7.1.1), else
 * the connection is lost. */
void weir__conn_input_ended(struct weir_conn *c);

/* All is said: flush, FIN, discard, close. */
void weir__conn_linger(struct weir_conn *c);

/* Closes the descriptor and gives everything back; on_close must have run. */
void weir__conn_end(struct weir_conn *c);

/* Runs the on_close that is due. */
void weir__conn_settle(struct weir_conn *c);

/* The server stops or is freed: a last Close frame for 1001, on_close(code), the end. */
void weir__conn_stop(struct weir_conn *c, int code);

/* conn_life.c */
void weir__conn_deadline(struct weir_loop *loop, struct weir__link *node);
void weir__conn_arm(struct weir_conn *c);

/* A connection whose reading the application has stopped cannot be judged by its silence so far. */
void weir__conn_excuse(struct weir_conn *c);
static inline uint32_t weir__conn_tick(const struct weir_conn *c)
{
  return (uint32_t)weir__conn_loop(c)->wheel.tick;
}

/* http_conn.c: bytes of HTTP came. */
void weir__http_input(struct weir_conn *c, unsigned char *data, size_t len, size_t *frames);

/* Before the socket is read: does what is due to a request that was kept, and serves what was kept
 * unread; whether the socket may be read now. */
bool weir__http_resume(struct weir_conn *c, size_t *frames);
bool weir__http_has_input(const struct weir_conn *c);

/* What was queued has left, or some of it. */
void weir__http_flushed(struct weir_conn *c);

/* How long what is waited for may take from since_tick on, in ms; and the deadline passed: 408 or
 * 503 when something has begun, else silence. */
size_t weir__http_timeout_ms(const struct weir_conn *c);
void weir__http_timeout(struct weir_conn *c);

/* The server drains: closes the connection between two requests, else looks at its deadline anew;
 * and whether it still waits for the first byte of its first request, which has its time. */
void weir__http_drain(struct weir_conn *c);
bool weir__http_is_fresh(const struct weir_conn *c);

/* Forgets a request in hand, and frees the HTTP state. */
void weir__http_drop(struct weir_conn *c);

#ifdef __cplusplus
}
#endif

#endif
