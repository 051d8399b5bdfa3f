/* A connection while it speaks HTTP (RFC 9112): bytes in, whole heads and bodies to their handlers.
 * A head that comes in one read is parsed where it stands. What a client sends ahead of an answer
 * is kept unread, and past a bound left to TCP. */
#include "ws/http_conn.h"

#include "wire/handshake.h"
#include "ws/admit.h"
#include "ws/extra.h"

#include <errno.h>
#include <string.h>

static void free_http(struct weir_conn *c, struct weir__http_conn *http)
{
  weir__builder_drop(&http->head, weir__http_pool(c));
  weir__builder_drop(&http->rest, weir__http_pool(c));
  weir__pool_put(weir__http_pool(c), http, sizeof *http);
}

void weir__http_drop(struct weir_conn *c)
{
  struct weir__http_conn *http = c->http;
  if (http == NULL)
    return;
  if (http->request != NULL)
    weir__http_forget(c);
  c->http = NULL;
  free_http(c, http);
}

void weir__http_shed(struct weir_conn *c)
{
  const struct weir__http_conn *http = c->http;
  if (http != NULL && http->request == NULL && http->head.len == 0 && http->rest.len == 0 &&
      http->guard.bytes == 0)
    weir__http_drop(c);
}

struct weir__http_conn *weir__http_need(struct weir_conn *c)
{
  size_t got;
  if (c->http == NULL) {
    c->http = weir__pool_get(weir__http_pool(c), sizeof *c->http, &got);
    if (c->http != NULL)
      memset(c->http, 0, sizeof *c->http);
  }
  return c->http;
}

static void no_memory(struct weir_conn *c)
{
  weir__http_refuse(c, 503, "out of memory", NULL);
}

/* Whether the next request may be served: the one before is answered, and most of that has left. */
static bool may_serve(const struct weir_conn *c)
{
  const struct weir__http_conn *http = c->http;
  bool moving = http != NULL && http->request != NULL && http->request->moving;
  return (http == NULL || http->phase != WEIR__HTTP_WAIT) && !moving &&
         (c->outbox == NULL || c->outbox->queue.bytes < WEIR__HTTP_UNSENT_BYTES);
}

static size_t unread(const struct weir_conn *c)
{
  return c->http == NULL ? 0 : c->http->rest.len - c->http->rest_at;
}

/* What must wait grows to a bound only. */
static void hold_back(struct weir_conn *c)
{
  c->paused = !may_serve(c) && unread(c) >= WEIR__HTTP_AHEAD_BYTES;
}

/* There is no place for the connection, which is told so. */
static void turn_away(struct weir_conn *c, const struct weir_request *request)
{
  const char *reason;
  int status = weir__admit_status(c, &reason);
  weir__http_refuse(c, status, reason, request);
}

static void serve(struct weir_conn *c, const char *data, size_t len)
{
  struct weir__http_head head;
  const char *reason;
  int error = weir__http_parse(&head, data, len, &reason);
  if (error == 0 && weir__http_expect(&head, &reason) < 0)
    error = -417;
  struct weir_request request = {.conn = c,
                                 .head = &head,
                                 .raw = {data, len},
                                 .pool = weir__http_pool(c),
                                 .listener = c->listener};
  if (error != 0)
    weir__http_refuse(c, -error, reason, &request);
  else if (c->turned_away != WEIR__TURNED_NOT)
    turn_away(c, &request);
  else if (weir__handshake_asked(&head))
    weir__http_upgrade(c, &request);
  else
    weir__http_plain(c, &request);
  weir__request_drop(&request);
}

/* Keeps the part of a head that has come. */
static int keep(struct weir_conn *c, const struct weir__http_guard *guard, const void *data,
                size_t len)
{
  bool begins = c->http == NULL || c->http->guard.bytes == 0;
  if (weir__http_need(c) == NULL)
    return -ENOMEM;
  c->http->guard = *guard;
  if (begins) {
    c->since_tick = c->served ? weir__conn_tick(c) : c->since_tick;
    weir__conn_arm(c);
  }
  return weir__builder_add(&c->http->head, weir__http_pool(c), data, len);
}

/* Serves the request whose head ends after used bytes of data. */
static int whole(struct weir_conn *c, const char *data, size_t used)
{
  struct weir__http_conn *http = c->http;
  if (http == NULL || http->head.len == 0) {
    serve(c, data, used);
    return 0;
  }
  int error = weir__builder_add(&http->head, weir__http_pool(c), data, used);
  if (error != 0)
    return error;
  struct weir__builder head = http->head;
  http->head = (struct weir__builder){0};
  http->guard = (struct weir__http_guard){0};
  serve(c, head.data, head.len);
  weir__builder_drop(&head, weir__http_pool(c));
  return 0;
}

/* Takes bytes of a head; how many, when the connection speaks HTTP still. */
static size_t take_head(struct weir_conn *c, const char *data, size_t len)
{
  struct weir__http_guard guard = {0};
  const char *reason;
  size_t used;
  if (c->http != NULL)
    guard = c->http->guard;
  int found = weir__http_guard(&guard, &c->shard->server->http_limits, data, len, &used, &reason);
  if (found < 0) {
    weir__http_refuse(c, -found, reason, NULL);
    return len;
  }
  int error = found == 0 ? keep(c, &guard, data, len) : whole(c, data, used);
  if (error != 0)
    no_memory(c);
  return used;
}

/* Takes requests until the bytes are used up or must wait; how many were taken. */
static size_t take(struct weir_conn *c, const char *data, size_t len, size_t *frames)
{
  size_t done = 0;
  while (done < len && c->state == WEIR__CONN_HTTP && may_serve(c) && *frames > 0) {
    if (c->http != NULL && c->http->phase == WEIR__HTTP_BODY) {
      --*frames;
      done += weir__http_take_body(c, data + done, len - done);
      continue;
    }
    *frames -= *frames < WEIR__HTTP_REQUEST_COST ? *frames : WEIR__HTTP_REQUEST_COST;
    done += take_head(c, data + done, len - done);
  }
  return done;
}

/* Bytes that were served give their room back, before those that follow them are fewer. */
static void close_up(struct weir__http_conn *http)
{
  size_t left = http->rest.len - http->rest_at;
  if (http->rest_at == 0 || http->rest_at < left)
    return;
  memmove(http->rest.data, http->rest.data + http->rest_at, left);
  http->rest.len = left;
  http->rest_at = 0;
}

int weir__http_keep_unread(struct weir_conn *c, const char *data, size_t len)
{
  static const char slack[WEIR__PARSER_SLACK];
  struct weir__http_conn *http = weir__http_need(c);
  if (http == NULL)
    return -ENOMEM;
  close_up(http);
  int error = weir__builder_add(&http->rest, weir__http_pool(c), data, len);
  if (error == 0)
    error = weir__builder_add(&http->rest, weir__http_pool(c), slack, sizeof slack);
  if (error != 0)
    return error;
  http->rest.len -= sizeof slack;
  hold_back(c);
  return 0;
}

void weir__http_input(struct weir_conn *c, unsigned char *data, size_t len, size_t *frames)
{
  if (c->broken)
    return;
  size_t done = unread(c) > 0 ? 0 : take(c, (const char *)data, len, frames);
  if (done == len && c->state == WEIR__CONN_HTTP)
    weir__http_shed(c);
  if (done == len)
    return;
  if (weir__conn_is_live(c))
    weir__meter_input(c, data + done, len - done, frames);
  else if (c->state == WEIR__CONN_HTTP &&
           weir__http_keep_unread(c, (const char *)data + done, len - done) != 0)
    no_memory(c);
}

bool weir__http_has_input(const struct weir_conn *c)
{
  return c->broken || (unread(c) > 0 && may_serve(c)) || weir__http_is_due(c);
}

/* Serves what was kept unread. */
static void serve_unread(struct weir_conn *c, size_t *frames)
{
  struct weir__builder rest = c->http->rest;
  size_t at = c->http->rest_at;
  c->http->rest = (struct weir__builder){0};
  c->http->rest_at = 0;
  at += take(c, rest.data + at, rest.len - at, frames);
  if (c->state == WEIR__CONN_HTTP && at < rest.len) {
    struct weir__http_conn *http = weir__http_need(c);
    if (http != NULL) {
      http->rest = rest;
      http->rest_at = at;
      hold_back(c);
      return;
    }
    no_memory(c);
  } else if (at < rest.len && weir__conn_is_live(c)) {
    weir__meter_input(c, (unsigned char *)rest.data + at, rest.len - at, frames);
  }
  weir__builder_drop(&rest, weir__http_pool(c));
}

bool weir__http_resume(struct weir_conn *c, size_t *frames)
{
  if (c->broken) {
    weir__conn_lost(c, 0, "");
    return false;
  }
  if (c->http != NULL && c->http->request != NULL)
    weir__http_resume_kept(c);
  if (c->state == WEIR__CONN_HTTP && unread(c) > 0 && may_serve(c))
    serve_unread(c, frames);
  if (c->state != WEIR__CONN_HTTP)
    return c->state != WEIR__CONN_DEAD;
  weir__http_shed(c);
  return !c->paused && !weir__http_has_input(c);
}

void weir__http_next(struct weir_conn *c, bool last)
{
  last |= c->shard->draining;
  if (c->http != NULL)
    c->http->phase = WEIR__HTTP_HEAD;
  if (last) {
    weir__http_drop(c);
    weir__conn_linger(c);
    return;
  }
  weir__admit_greeted(c);
  c->served = 1; /* weir__http_flushed arms the deadline */
  c->since_tick = weir__conn_tick(c);
  hold_back(c);
  if (unread(c) > 0)
    weir__loop_again(weir__conn_loop(c), &c->stream.source);
}

void weir__http_flushed(struct weir_conn *c)
{
  hold_back(c);
  if (c->http != NULL && c->http->request != NULL)
    weir__http_note_sent(c);
  else
    weir__conn_arm(c);
}

/* ---- draining */

/* Whether nothing of a request is there. */
static bool is_idle(const struct weir_conn *c)
{
  const struct weir__http_conn *http = c->http;
  return http == NULL || (http->request == NULL && http->phase == WEIR__HTTP_HEAD &&
                          http->guard.bytes == 0 && unread(c) == 0);
}

bool weir__http_is_fresh(const struct weir_conn *c)
{
  return !c->served && is_idle(c);
}

void weir__http_drain(struct weir_conn *c)
{
  if (!c->served || !is_idle(c)) {
    weir__conn_arm(c);
    return;
  }
  weir__http_drop(c);
  weir__conn_linger(c);
}

/* ---- deadlines */

static size_t plain_timeout(const struct weir_conn *c, const struct weir__kept *kept)
{
  const struct weir_http_route *route = &kept->request.route->http;
  if (c->http->phase == WEIR__HTTP_BODY)
    return route->body_timeout_ms;
  if (weir__kept_state(kept) >= WEIR__KEPT_BEGUN && c->outbox == NULL)
    return WEIR_OFF; /* the application's time */
  return route->response_timeout_ms;
}

size_t weir__http_timeout_ms(const struct weir_conn *c)
{
  const struct weir_options *options = &c->shard->server->options;
  const struct weir__http_conn *http = c->http;
  if (http != NULL && http->request != NULL && http->request->request.route->plain)
    return plain_timeout(c, http->request);
  if (http != NULL && (http->request != NULL || http->guard.bytes > 0))
    return options->handshake_timeout_ms;
  if (c->outbox != NULL)
    return WEIR__HTTP_STALL_MS;
  return c->served ? options->keep_alive_ms : options->handshake_timeout_ms;
}

void weir__http_timeout(struct weir_conn *c)
{
  const struct weir__http_conn *http = c->http;
  bool begun = http != NULL && (http->request != NULL || http->guard.bytes > 0);
  enum weir__kept_state state = WEIR__KEPT_OPEN;
  if (begun && http->request != NULL)
    state = weir__kept_state(http->request);
  if (state == WEIR__KEPT_ANSWERED) /* in time: it only has to be sent */
    weir__loop_again(weir__conn_loop(c), &c->stream.source);
  else if (!begun || state >= WEIR__KEPT_BEGUN)
    weir__conn_lost(c, 0, "");
  else if (http->phase == WEIR__HTTP_WAIT)
    weir__http_refuse(c, 503, "the application gave no answer in time", NULL);
  else
    weir__http_refuse(c, 408, "the request did not arrive in time", NULL);
}
