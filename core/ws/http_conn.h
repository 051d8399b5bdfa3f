/* What the files of a connection that speaks HTTP share: http_conn.c (bytes to requests),
 * http_plain.c and http_upgrade.c (requests to handlers), http_body.c, http_response.c (answers to
 * bytes), http_later.c (kept requests), http_move.c.
 *
 * One request at a time: while an answer is to come, what follows is kept unread, within a bound,
 * and read on so far only to see the peer go. */
#ifndef WEIR_WS_HTTP_CONN_H
#define WEIR_WS_HTTP_CONN_H

#include "ws/conn.h"
#include "ws/request.h"

#include "wire/chunked.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
  WEIR__HTTP_AHEAD_BYTES = 64 << 10,   /* kept unread; past it the socket is not read */
  WEIR__HTTP_UNSENT_BYTES = 256 << 10, /* of responses; past it no further request is served */
  WEIR__HTTP_REQUEST_COST = 16,        /* frames of a turn's budget that a request is worth */
  WEIR__HTTP_STALL_MS = 60000,         /* how long a response may be sent without progress */
};

enum weir__http_phase {
  WEIR__HTTP_HEAD = 0, /* between requests, or in a head */
  WEIR__HTTP_BODY,     /* a request's body is coming */
  WEIR__HTTP_WAIT,     /* its answer, or the rest of that, is to come */
};

/* Lazy: a connection between requests has none. */
struct weir__http_conn {
  enum weir__http_phase phase;
  struct weir__http_guard guard;
  struct weir__builder head; /* HEAD: of a head that spans reads, so far */
  struct weir__builder rest; /* what came behind the request in hand */
  size_t rest_at;
  struct weir__kept *request;    /* BODY, WAIT: a reference; else NULL */
  uint64_t body_left, body_seen; /* BODY: to come, of Content-Length; came, framing too */
  bool chunked;                  /* BODY: it is */
  struct weir__chunked chunks;
};

static inline struct weir__pool *weir__http_pool(const struct weir_conn *c)
{
  return &weir__conn_loop(c)->pool;
}

/* The HTTP state, made where there is none; NULL when there is no memory. */
struct weir__http_conn *weir__http_need(struct weir_conn *c);

/* Frees it where it holds nothing. */
void weir__http_shed(struct weir_conn *c);

/* Keeps bytes unread, with the slack behind them that frames are parsed with. Returns 0 or -ENOMEM.
 */
int weir__http_keep_unread(struct weir_conn *c, const char *data, size_t len);

/* The connection's request is answered to its end: another may follow, or the connection ends. */
void weir__http_next(struct weir_conn *c, bool last);

/* http_plain.c: a request that asks for no upgrade; and asks the handler of the kept one, whose
 * body has come or is to come in pieces. */
void weir__http_plain(struct weir_conn *c, struct weir_request *request);
void weir__http_ask(struct weir_conn *c, struct weir__kept *kept);

/* http_upgrade.c: a request that asks for WebSocket; asks the hook of a kept one; and does as a
 * kept one was decided. */
void weir__http_upgrade(struct weir_conn *c, struct weir_request *request);
void weir__http_ask_upgrade(struct weir_conn *c, struct weir__kept *kept);
void weir__http_decided(struct weir_conn *c, struct weir__kept *kept);

/* http_body.c: begins to take a kept request's body; goes on with it once the handler that gets it
 * in pieces was asked; and takes some of it. Returns how many bytes were the body's. */
void weir__http_begin_body(struct weir_conn *c, struct weir__kept *kept);
void weir__http_await_body(struct weir_conn *c, struct weir__kept *kept);
size_t weir__http_take_body(struct weir_conn *c, const char *data, size_t len);

/* http_later.c: the callback that had a request returned WEIR_LATER: the answer is waited for, or
 * the request moves. Returns 0, or the negative HTTP status that refuses it with *reason. */
int weir__http_wait(struct weir_conn *c, struct weir_request *request, const char **reason);

/* Does what is due to a kept request: it came from another loop, goes to one, or was answered
 * meanwhile; whether there is any such thing; and says what of a streamed response has left since.
 */
void weir__http_resume_kept(struct weir_conn *c);
bool weir__http_is_due(const struct weir_conn *c);
void weir__http_note_sent(struct weir_conn *c);

/* The request at hand can be answered no more: tells the application, and forgets it. */
void weir__http_forget(struct weir_conn *c);

/* The kept request at hand, with the connection's reference, which lets go of it: an answer is
 * certain. NULL: there is none. */
struct weir__kept *weir__http_take_request(struct weir_conn *c);

/* http_move.c: takes the connection to the loop that the request is to move to. Returns 0, or -503
 * when there is no memory: then it stays. */
int weir__http_move(struct weir_conn *c, struct weir_request *request);

/* Whether nothing is left to be sent here; then it goes there. */
bool weir__http_may_depart(const struct weir_conn *c);
void weir__http_depart(struct weir_conn *c);

/* http_response.c: what a response consists of beside the status. */
struct weir__response {
  struct weir_slice fields, type, body;
  uint64_t length;   /* of the body, if it is not chunked */
  bool chunked;      /* its body follows in chunks */
  bool unframed;     /* its body ends with the connection */
  bool head_only;    /* of a HEAD request */
  bool last;         /* the connection ends with it */
  bool old;          /* the request is one of HTTP/1.0 */
  bool retry;        /* it may be worth another try, later */
  const char *allow; /* 405: the methods; else NULL */
};

/* Adds a line to a head, where the value is not empty; name is "Name: ". Returns 0 or -ENOMEM. */
int weir__http_add_field(struct weir__builder *head, struct weir__pool *pool, const char *name,
                         struct weir_slice value);

/* Queues a response, all of it or nothing. Returns 0 or -ENOMEM. */
int weir__http_respond(struct weir_conn *c, int status, const struct weir__response *response);

/* Whether a response to a request has no body (RFC 9110 sections 9.3.2, 15.3.5, 15.4.5). */
bool weir__http_is_bodiless(int status);

/* Answers a request as a whole with what was set, and goes on or ends. */
void weir__http_answer(struct weir_conn *c, struct weir_request *request, int status, bool last);

/* Refuses with a sentence, or with the body that was set, and closes after a linger. request may be
 * NULL: then nothing was set. */
void weir__http_refuse(struct weir_conn *c, int status, const char *reason,
                       const struct weir_request *request);
void weir__http_refuse_method(struct weir_conn *c, const char *allow,
                              const struct weir_request *request);

static inline struct weir_slice weir__builder_slice(const struct weir__builder *text)
{
  return (struct weir_slice){text->data, text->len};
}

#ifdef __cplusplus
}
#endif

#endif
