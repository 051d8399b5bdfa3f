/* Requests that are answered later, by any thread (RFC 9110 section 15; RFC 9112 section 7.1).
 *
 * Whoever answers moves the request's state by one atomic step, which the loop, when the peer goes
 * or a deadline passes, does too: one of them is first. The rest happens on the loop: an answer is
 * taken by the connection's own turn (weir__http_resume_kept), so that no handler runs inside
 * another's call; pieces of a streamed response go straight to its queue, or by a post. */
#include "ws/http_conn.h"

#include "wire/text.h"

#include <errno.h>
#include <string.h>

/* A piece of a response on its way to the loop. */
struct piece {
  struct weir__post post;
  struct weir__kept *kept;
  size_t len;
  char bytes[];
};

static bool advance(struct weir__kept *kept, uint32_t from, enum weir__kept_state to)
{
  return __atomic_compare_exchange_n(&kept->state, &from, to, false, __ATOMIC_SEQ_CST,
                                     __ATOMIC_SEQ_CST);
}

bool weir__kept_detach(struct weir__kept *kept)
{
  kept->request.conn = NULL;
  __atomic_store_n(&kept->queued, 0, __ATOMIC_SEQ_CST);
  return advance(kept, WEIR__KEPT_OPEN, WEIR__KEPT_GONE) ||
         advance(kept, WEIR__KEPT_BEGUN, WEIR__KEPT_GONE);
}

bool weir__kept_claim(struct weir__kept *kept)
{
  return advance(kept, WEIR__KEPT_OPEN, WEIR__KEPT_ANSWERED);
}

int weir__kept_why_not(const struct weir__kept *kept)
{
  enum weir__kept_state state = weir__kept_state(kept);
  if (state == WEIR__KEPT_OPEN)
    return 0;
  return state == WEIR__KEPT_GONE ? -ESTALE : -EALREADY;
}

static bool is_here(const struct weir__kept *kept)
{
  return weir__loop_is_here(kept->shard->loop);
}

/* ---- the loop's side */

/* The connection takes up the request in its own turn. */
static void wake(const struct weir__kept *kept)
{
  struct weir_conn *c = kept->request.conn;
  if (c != NULL)
    weir__loop_again(weir__conn_loop(c), &c->stream.source);
}

/* There is no memory for the middle of a response: the connection can only be cut. */
static void cut(struct weir_conn *c)
{
  weir__conn_drop_outbox(c);
  c->broken = 1;
  weir__loop_again(weir__conn_loop(c), &c->stream.source);
}

static void note_queued(struct weir__kept *kept, const struct weir_conn *c)
{
  size_t bytes = c->outbox == NULL ? 0 : c->outbox->queue.bytes;
  __atomic_store_n(&kept->queued, bytes, __ATOMIC_SEQ_CST);
}

/* How long what is queued may take counts from now. */
static void await_progress(struct weir_conn *c)
{
  weir__loop_freshen(weir__conn_loop(c));
  c->since_tick = weir__conn_tick(c);
  weir__conn_arm(c);
}

static void queue_piece(struct weir__kept *kept, const char *data, size_t len)
{
  struct weir_conn *c = kept->request.conn;
  char size[WEIR__CHUNKED_HEADER_MAX];
  if (c == NULL || c->broken)
    return;
  bool first = c->outbox == NULL;
  size_t size_len = kept->chunked ? weir__chunked_header(size, len) : 0;
  int error = size_len > 0 ? weir__conn_queue_bytes(c, size, size_len, data, len)
                           : weir__conn_queue_bytes(c, data, len, NULL, 0);
  if (error == 0 && kept->chunked)
    error = weir__conn_queue_bytes(c, "\r\n", 2, NULL, 0);
  if (error != 0)
    cut(c);
  note_queued(kept, c);
  if (first) /* the peer's time begins, not that of whoever was slow to write */
    await_progress(c);
}

static void queue_head(struct weir__kept *kept)
{
  struct weir_conn *c = kept->request.conn;
  const struct weir__http_head *head = kept->request.head;
  if (c == NULL || c->broken)
    return;
  bool unknown = kept->announced == WEIR__UNANNOUNCED;
  bool early = c->http != NULL && c->http->phase == WEIR__HTTP_BODY;
  kept->last = early || !head->keep_alive || (unknown && head->minor == 0 && !kept->bodiless) ||
               c->shard->draining;
  const struct weir__response response = {.fields = weir__builder_slice(&kept->request.fields),
                                          .type = weir__builder_slice(&kept->request.type),
                                          .length = kept->announced,
                                          .chunked = kept->chunked,
                                          .unframed = unknown && !kept->chunked,
                                          .head_only = true,
                                          .last = kept->last,
                                          .old = head->minor == 0};
  weir__count(&c->shard->counters.requests, 1);
  kept->headed = true;
  if (weir__http_respond(c, kept->status, &response) != 0)
    cut(c);
  note_queued(kept, c);
  await_progress(c);
}

static void queue_end(struct weir__kept *kept)
{
  struct weir_conn *c = kept->request.conn;
  if (c == NULL)
    return;
  bool chunked = kept->chunked && !kept->bodiless && !c->broken, first = c->outbox == NULL;
  if (chunked && weir__conn_queue_bytes(c, "0\r\n\r\n", 5, NULL, 0) != 0)
    cut(c);
  if (!kept->bodiless && kept->announced != WEIR__UNANNOUNCED && kept->left > 0)
    kept->last = true; /* an end that comes too early tells the client */
  if (first)
    await_progress(c);
  kept->whole = true;
  wake(kept);
}

static void landed(struct weir__kept *kept, size_t bytes)
{
  __atomic_sub_fetch(&kept->in_flight, bytes, __ATOMIC_SEQ_CST);
  __atomic_sub_fetch(&kept->pieces, 1, __ATOMIC_SEQ_CST);
}

/* What other threads said, in their order. */
static void answer_came(void *arg)
{
  struct weir__kept *kept = arg;
  wake(kept);
  weir_request_unref(&kept->request);
}

static void head_came(void *arg)
{
  struct weir__kept *kept = arg;
  queue_head(kept);
  landed(kept, 0);
  weir_request_unref(&kept->request);
}

static void end_came(void *arg)
{
  struct weir__kept *kept = arg;
  landed(kept, 0);
  queue_end(kept);
  weir_request_unref(&kept->request);
}

static void piece_came(void *arg)
{
  struct piece *piece = arg;
  struct weir__kept *kept = piece->kept;
  const struct weir__sys *sys = kept->mem.sys;
  queue_piece(kept, piece->bytes, piece->len);
  landed(kept, piece->len);
  sys->free(sys, piece);
  weir_request_unref(&kept->request);
}

/* The answer is whole; the connection lets go of the request. */
static void let_go(struct weir_conn *c, struct weir__kept *kept)
{
  c->http->request = NULL;
  weir__kept_detach(kept);
}

struct weir__kept *weir__http_take_request(struct weir_conn *c)
{
  struct weir__kept *kept = c->http == NULL ? NULL : c->http->request;
  if (kept != NULL)
    let_go(c, kept);
  return kept;
}

static void send_answer(struct weir_conn *c, struct weir__kept *kept)
{
  bool last = c->http->phase == WEIR__HTTP_BODY;
  let_go(c, kept);
  if (kept->request.route->plain)
    weir__http_answer(c, &kept->request, kept->status, last);
  else
    weir__http_decided(c, kept);
  weir_request_unref(&kept->request);
}

static void finish_stream(struct weir_conn *c, struct weir__kept *kept)
{
  bool last = kept->last || c->http->phase == WEIR__HTTP_BODY;
  let_go(c, kept);
  weir_request_unref(&kept->request);
  weir__http_next(c, last);
}

/* A request came from another loop: all begins anew, but for what has come of its body. */
static void welcome(struct weir_conn *c, struct weir__kept *kept)
{
  struct weir_request *r = &kept->request;
  kept->fresh = false;
  r->fields.len = r->type.len = r->body.len = 0;
  if (!r->route->plain) {
    weir__http_ask_upgrade(c, kept);
    return;
  }
  weir_request_ref(r);
  weir__http_ask(c, kept);
  weir__http_await_body(c, kept);
  weir_request_unref(r);
}

bool weir__http_is_due(const struct weir_conn *c)
{
  const struct weir__kept *kept = c->http == NULL ? NULL : c->http->request;
  if (kept == NULL)
    return false;
  enum weir__kept_state state = weir__kept_state(kept);
  return kept->moving ? weir__http_may_depart(c)
                      : kept->fresh || state == WEIR__KEPT_ANSWERED ||
                            (state == WEIR__KEPT_ENDED && kept->whole);
}

void weir__http_resume_kept(struct weir_conn *c)
{
  struct weir__kept *kept = c->http->request;
  if (!weir__http_is_due(c))
    return;
  if (kept->moving)
    weir__http_depart(c);
  else if (kept->fresh)
    welcome(c, kept);
  else if (weir__kept_state(kept) == WEIR__KEPT_ANSWERED)
    send_answer(c, kept);
  else
    finish_stream(c, kept);
}

void weir__http_note_sent(struct weir_conn *c)
{
  struct weir__kept *kept = c->http->request;
  const struct weir__route *route = kept->request.route;
  if (weir__kept_state(kept) != WEIR__KEPT_BEGUN)
    return;
  note_queued(kept, c);
  if (c->outbox != NULL)
    __atomic_store_n(&kept->drain_due, 1, __ATOMIC_SEQ_CST);
  else if (__atomic_load_n(&kept->in_flight, __ATOMIC_SEQ_CST) == 0 &&
           __atomic_exchange_n(&kept->drain_due, 0, __ATOMIC_SEQ_CST) != 0 &&
           route->http.on_drain != NULL)
    route->http.on_drain(&kept->request, route->arg);
}

void weir__http_forget(struct weir_conn *c)
{
  struct weir__kept *kept = c->http->request;
  const struct weir__route *route = kept->request.route;
  c->http->request = NULL;
  c->http->phase = WEIR__HTTP_HEAD;
  bool open = weir__kept_detach(kept);
  if (open && kept->asked && route->plain && route->http.on_gone != NULL)
    route->http.on_gone(&kept->request, route->arg);
  weir_request_unref(&kept->request);
}

int weir__http_wait(struct weir_conn *c, struct weir_request *request, const char **reason)
{
  struct weir__kept *kept = request->kept;
  bool taken = kept != NULL && kept->taken;
  *reason = "out of memory";
  if (request->move_to != 0 && !taken)
    return weir__http_move(c, request);
  if (!taken) {
    *reason = "the application promised an answer and kept no request";
    return -500;
  }
  struct weir__http_conn *http = weir__http_need(c);
  if (http == NULL)
    return -503;
  if (http->request == NULL) {
    weir_request_ref(&kept->request);
    http->request = kept;
  }
  kept->asked = true;
  if (http->phase == WEIR__HTTP_HEAD && (c->served || request->route->plain))
    c->since_tick = weir__conn_tick(c);
  if (http->phase == WEIR__HTTP_HEAD)
    http->phase = WEIR__HTTP_WAIT;
  weir__conn_arm(c);
  if (weir__kept_state(kept) != WEIR__KEPT_OPEN)
    wake(kept);
  return 0;
}

/* ---- the application's side */

static bool is_kept(const struct weir_request *r)
{
  return r->kept != NULL && r->kept->taken;
}

/* Why a request cannot be answered by a call. */
static int why_not(const struct weir_request *r)
{
  return is_kept(r) ? weir__kept_why_not(r->kept) : -EINVAL;
}

/* Says how a kept request is answered, and hands it to the loop. */
static int answer(struct weir_request *r, int status)
{
  struct weir__kept *kept = r->kept;
  kept->status = status;
  if (!weir__kept_claim(kept))
    return weir__kept_why_not(kept);
  if (is_here(kept)) {
    wake(kept);
    return 0;
  }
  weir_request_ref(&kept->request);
  weir__loop_post(kept->shard->loop, &kept->post, answer_came, kept);
  return 0;
}

int weir_request_respond(struct weir_request *r, int status)
{
  int error = why_not(r);
  if (error != 0)
    return error;
  if (status < (r->route->plain ? 200 : 400) || status > 599)
    return -EINVAL;
  return answer(r, status);
}

int weir_request_accept(struct weir_request *r)
{
  int error = why_not(r);
  if (error != 0)
    return error;
  return r->route->plain ? -EINVAL : answer(r, WEIR__STATUS_ACCEPT);
}

/* Whether the caller may do on the loop what others post, without overtaking a post. */
static bool is_direct(const struct weir__kept *kept)
{
  return is_here(kept) && __atomic_load_n(&kept->pieces, __ATOMIC_SEQ_CST) == 0;
}

static void post(struct weir__kept *kept, struct weir__post *node, void (*fn)(void *arg), void *arg)
{
  weir_request_ref(&kept->request);
  __atomic_add_fetch(&kept->pieces, 1, __ATOMIC_SEQ_CST);
  weir__loop_post(kept->shard->loop, node, fn, arg);
}

int weir_request_begin(struct weir_request *r, int status, size_t body_bytes)
{
  struct weir__kept *kept = r->kept;
  int error = why_not(r);
  if (error != 0)
    return error;
  if (!r->route->plain || status < 200 || status > 599)
    return -EINVAL;
  kept->status = status;
  kept->announced = body_bytes == WEIR_OFF ? WEIR__UNANNOUNCED : body_bytes;
  kept->left = kept->announced;
  kept->bodiless = weir__http_is_bodiless(status) || weir__text_equal(r->head->method, "HEAD");
  kept->chunked = body_bytes == WEIR_OFF && r->head->minor > 0;
  if (!advance(kept, WEIR__KEPT_OPEN, WEIR__KEPT_BEGUN))
    return weir__kept_why_not(kept);
  if (is_direct(kept))
    queue_head(kept);
  else
    post(kept, &kept->post, head_came, kept);
  return 0;
}

size_t weir_request_buffered(const struct weir_request *r)
{
  const struct weir__kept *kept = r->kept;
  if (kept == NULL)
    return 0;
  return __atomic_load_n(&kept->queued, __ATOMIC_SEQ_CST) +
         __atomic_load_n(&kept->in_flight, __ATOMIC_SEQ_CST);
}

static bool has_room(const struct weir_request *r, size_t len)
{
  size_t most = r->route->http.max_queued_bytes, there = weir_request_buffered(r);
  return there == 0 || (there <= most && len <= most - there);
}

/* Whether a piece may be queued; where not, on_drain is due, unless all has left meanwhile. */
static bool admit(struct weir__kept *kept, size_t len)
{
  if (has_room(&kept->request, len))
    return true;
  __atomic_store_n(&kept->drain_due, 1, __ATOMIC_SEQ_CST);
  return has_room(&kept->request, len);
}

static int post_piece(struct weir__kept *kept, const void *data, size_t len)
{
  const struct weir__sys *sys = kept->mem.sys;
  struct piece *piece = sys->alloc(sys, sizeof *piece + len);
  if (piece == NULL)
    return -ENOMEM;
  piece->kept = kept;
  piece->len = len;
  memcpy(piece->bytes, data, len);
  __atomic_add_fetch(&kept->in_flight, len, __ATOMIC_SEQ_CST);
  post(kept, &piece->post, piece_came, piece);
  return 0;
}

static int take_piece(struct weir__kept *kept, const void *data, size_t len)
{
  if (!admit(kept, len))
    return -ENOBUFS;
  if (!is_direct(kept))
    return post_piece(kept, data, len);
  queue_piece(kept, data, len);
  return 0;
}

int weir_request_write(struct weir_request *r, const void *data, size_t len)
{
  struct weir__kept *kept = r->kept;
  if (!is_kept(r) || (data == NULL && len > 0))
    return -EINVAL;
  enum weir__kept_state state = weir__kept_state(kept);
  if (state != WEIR__KEPT_BEGUN)
    return state == WEIR__KEPT_GONE ? -ESTALE : -EINVAL;
  bool announced = kept->announced != WEIR__UNANNOUNCED;
  if (announced && len > kept->left)
    return -EMSGSIZE;
  int error = len == 0 || kept->bodiless ? 0 : take_piece(kept, data, len);
  if (error == 0 && announced)
    kept->left -= len;
  return error;
}

int weir_request_end(struct weir_request *r)
{
  struct weir__kept *kept = r->kept;
  if (!is_kept(r))
    return -EINVAL;
  if (!advance(kept, WEIR__KEPT_BEGUN, WEIR__KEPT_ENDED))
    return weir__kept_state(kept) == WEIR__KEPT_GONE ? -ESTALE : -EINVAL;
  if (is_direct(kept))
    queue_end(kept);
  else
    post(kept, &kept->end, end_came, kept);
  return 0;
}
