/* Bodies of requests (RFC 9112 sections 6, 7.1): gathered whole, or handed on as they come. What is
 * counted against the limit is what is on the wire, so that no framing is free of charge. */
#include "ws/http_conn.h"

static void too_large(struct weir_conn *c)
{
  weir__http_refuse(c, 413, "the body is too large", NULL);
}

/* Whether a request still is the one at hand: no handler has ended it. */
static bool is_at_hand(const struct weir_conn *c, const struct weir__kept *kept)
{
  return c->state == WEIR__CONN_HTTP && c->http != NULL && c->http->request == kept;
}

static void hand_on(struct weir_conn *c, struct weir__kept *kept, struct weir_slice piece,
                    bool last)
{
  const struct weir__route *route = kept->request.route;
  if (route->http.on_body == NULL) {
    if (weir__builder_add(&kept->arrived, &kept->pool, piece.data, piece.len) != 0)
      weir__http_refuse(c, 503, "out of memory", NULL);
    return;
  }
  enum weir__kept_state state = weir__kept_state(kept);
  if (state == WEIR__KEPT_OPEN || state == WEIR__KEPT_BEGUN)
    route->http.on_body(&kept->request, piece, last, route->arg);
}

/* The body's last piece came: before it is handed on, what is answered then is not early. */
static void hand_on_last(struct weir_conn *c, struct weir__kept *kept, struct weir_slice piece)
{
  c->http->phase = WEIR__HTTP_WAIT;
  c->since_tick = weir__conn_tick(c);
  weir__conn_arm(c);
  hand_on(c, kept, piece, true);
  if (is_at_hand(c, kept) && !kept->asked) /* its handler waits for the whole body */
    weir__http_ask(c, kept);
}

static size_t take_counted(struct weir_conn *c, struct weir__kept *kept, const char *data,
                           size_t len)
{
  struct weir__http_conn *http = c->http;
  size_t n = len < http->body_left ? len : (size_t)http->body_left;
  http->body_left -= n;
  if (http->body_left == 0)
    hand_on_last(c, kept, (struct weir_slice){data, n});
  else
    hand_on(c, kept, (struct weir_slice){data, n}, false);
  return n;
}

/* Takes bytes up to the end of a chunk's part. Returns how many. */
static size_t take_chunk(struct weir_conn *c, struct weir__kept *kept, const char *data, size_t len)
{
  struct weir__http_conn *http = c->http;
  struct weir_slice piece = {NULL, 0};
  const char *reason;
  size_t used;
  int end = weir__chunked_next(&http->chunks, data, len, &used, &piece, &reason);
  if (end < 0) {
    weir__http_refuse(c, -end, reason, NULL);
    return len;
  }
  http->body_seen += used;
  if (http->body_seen > kept->request.route->http.max_body_bytes) {
    too_large(c);
    return len;
  }
  if (end > 0)
    hand_on_last(c, kept, piece);
  else if (piece.len > 0)
    hand_on(c, kept, piece, false);
  return used;
}

size_t weir__http_take_body(struct weir_conn *c, const char *data, size_t len)
{
  struct weir__kept *kept = c->http->request;
  weir_request_ref(&kept->request); /* a handler may let go of it */
  size_t used =
      c->http->chunked ? take_chunk(c, kept, data, len) : take_counted(c, kept, data, len);
  weir_request_unref(&kept->request);
  return used;
}

/* A response that has begun says as much. */
static void say_continue(struct weir_conn *c, const struct weir__kept *kept)
{
  static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
  const char *reason;
  if (weir__http_expect(kept->request.head, &reason) > 0 &&
      weir__kept_state(kept) == WEIR__KEPT_OPEN &&
      weir__conn_queue_bytes(c, go_on, sizeof go_on - 1, NULL, 0) != 0)
    weir__http_refuse(c, 503, "out of memory", NULL);
}

void weir__http_begin_body(struct weir_conn *c, struct weir__kept *kept)
{
  const struct weir__http_head *head = kept->request.head;
  struct weir__http_conn *http = c->http;
  http->request = kept;
  http->phase = head->has_body ? WEIR__HTTP_BODY : WEIR__HTTP_WAIT;
  http->chunked = head->chunked;
  http->chunks = (struct weir__chunked){0};
  http->body_left = head->content_length;
  http->body_seen = 0;
  c->since_tick = weir__conn_tick(c);
  weir__conn_arm(c);
  weir_request_ref(&kept->request); /* a handler, or a refusal, may let go of it */
  if (kept->request.route->http.on_body != NULL)
    weir__http_ask(c, kept);
  weir__http_await_body(c, kept);
  weir_request_unref(&kept->request);
}

void weir__http_await_body(struct weir_conn *c, struct weir__kept *kept)
{
  const struct weir_slice nothing = {NULL, 0};
  if (!is_at_hand(c, kept) || kept->moving)
    return;
  if (c->http->phase == WEIR__HTTP_BODY)
    say_continue(c, kept);
  if (!kept->request.head->has_body && kept->request.route->http.on_body != NULL)
    hand_on_last(c, kept, nothing);
}
