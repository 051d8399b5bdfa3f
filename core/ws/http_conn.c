/* A connection while it speaks HTTP: heads are found and parsed, requests that ask for WebSocket
 * are upgraded, plain GETs answered, everything else refused with a status and a sentence (RFC
 * 9112; RFC 6455 section 4.2). A head that comes in one read is parsed where it stands. */
#include "ws/conn.h"

#include "wire/handshake.h"
#include "wire/text.h"
#include "ws/conn_deflate.h"
#include "ws/request.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Unsent bytes of responses past which a connection is not kept alive: what is pipelined is
 * bounded. */
enum { PIPELINE_BYTES = 256 << 10 };

/* A head that spans reads. */
struct weir__http_conn {
  struct weir__http_guard guard;
  struct weir__builder head;
};

static struct weir__pool *pool_of(const struct weir_conn *c)
{
  return &weir__conn_loop(c)->pool;
}

bool weir__http_has_begun(const struct weir_conn *c)
{
  return c->http != NULL;
}

static void free_http(struct weir_conn *c, struct weir__http_conn *http)
{
  if (http == NULL)
    return;
  weir__builder_drop(&http->head, pool_of(c));
  weir__pool_put(pool_of(c), http, sizeof *http);
}

void weir__http_drop(struct weir_conn *c)
{
  free_http(c, c->http);
  c->http = NULL;
}

/* What a response consists of beside the status. */
struct response {
  const char *extra; /* whole header lines */
  struct weir_slice fields, type, body;
  bool head_only;
};

static struct weir_slice slice_of(const struct weir__builder *text)
{
  return (struct weir_slice){text->data, text->len};
}

/* A line of the response, where the value is not empty. */
static int add_field(struct weir__builder *head, struct weir__pool *pool, const char *name,
                     struct weir_slice value)
{
  if (value.len == 0)
    return 0;
  int error = weir__builder_add(head, pool, name, strlen(name));
  if (error == 0)
    error = weir__builder_add(head, pool, value.data, value.len);
  return error == 0 ? weir__builder_add(head, pool, "\r\n", 2) : error;
}

static int respond(struct weir_conn *c, int status, const struct response *response)
{
  struct weir__builder head = {0};
  char line[160], length[48] = "";
  bool bodiless = status == 204 || status == 304; /* RFC 9110 sections 15.3.5, 15.4.5 */
  if (!bodiless)
    snprintf(length, sizeof length, "Content-Length: %zu\r\n", response->body.len);
  int n = snprintf(line, sizeof line, "HTTP/1.1 %d %s\r\n%s%s", status, weir__http_phrase(status),
                   length, response->extra);
  int error = weir__builder_add(&head, pool_of(c), line, (size_t)n);
  if (error == 0)
    error = add_field(&head, pool_of(c), "Content-Type: ", response->type);
  if (error == 0)
    error = weir__builder_add(&head, pool_of(c), response->fields.data, response->fields.len);
  if (error == 0)
    error = weir__builder_add(&head, pool_of(c), "\r\n", 2);
  if (error == 0)
    error = weir__conn_queue_bytes(c, head.data, head.len, response->body.data,
                                   response->head_only || bodiless ? 0 : response->body.len);
  weir__builder_drop(&head, pool_of(c));
  return error;
}

/* Header lines that a refusal needs. */
static const char *refusal_fields(int status)
{
  if (status == 426)
    return "Connection: close, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n";
  if (status == 405)
    return "Connection: close\r\nAllow: GET, HEAD\r\n";
  return "Connection: close\r\n";
}

static void log_refusal(struct weir_conn *c, int status, const char *reason)
{
  char line[256];
  if (c->shard->server->options.log == NULL)
    return;
  snprintf(line, sizeof line, "refused a request with %d: %s", status, reason);
  weir__server_log(c->shard->server, WEIR_LOG_INFO, line);
}

/* Refuses with a sentence, or with the body that the hook gave, and closes after a linger. */
static void refuse(struct weir_conn *c, int status, const char *reason,
                   const struct weir_request *request)
{
  struct response response = {.extra = refusal_fields(status)};
  char text[256];
  int len = snprintf(text, sizeof text, "%s\n", reason);
  response.type = (struct weir_slice){"text/plain; charset=utf-8", 25};
  response.body = (struct weir_slice){text, (size_t)len};
  if (request != NULL) {
    response.fields = slice_of(&request->fields);
    response.head_only = weir__text_equal(request->head->method, "HEAD");
    if (request->type.len > 0) {
      response.type = slice_of(&request->type);
      response.body = slice_of(&request->body);
    }
  }
  weir__count(&c->shard->counters.refused, 1);
  log_refusal(c, status, reason);
  if (respond(c, status, &response) != 0)
    weir__conn_drop_outbox(c);
  weir__http_drop(c);
  weir__conn_linger(c);
}

void weir__http_timeout(struct weir_conn *c)
{
  if (weir__http_has_begun(c))
    refuse(c, 408, "the request did not arrive in time", NULL);
  else
    weir__conn_end(c);
}

/* Sets up the connection's user memory; the route is known. */
static int init_user(struct weir_conn *c, const struct weir__route *route)
{
  if (route->user_bytes > 0) {
    c->user = (char *)(c + 1) + c->shard->server->extra_bytes;
    memset(c->user, 0, route->user_bytes);
  }
  if (route->handlers.user_init != NULL) {
    int error = route->handlers.user_init(c->user, route->arg);
    if (error != 0)
      return error;
  }
  c->user_init = 1;
  return 0;
}

/* The subprotocol's name for the connection's life: the route's own string, or a block of the pool.
 */
static int keep_protocol(struct weir_conn *c, const struct weir_request *request)
{
  c->protocol = (char *)(uintptr_t)request->protocol;
  if (request->protocol == NULL || request->protocol != request->selected.data)
    return 0;
  size_t got;
  c->protocol = weir__pool_get(pool_of(c), request->selected.len, &got);
  if (c->protocol == NULL)
    return -ENOMEM;
  memcpy(c->protocol, request->selected.data, request->selected.len);
  c->own_protocol = 1;
  return 0;
}

static int queue_101(struct weir_conn *c, const struct weir_request *request,
                     const struct weir__deflate_params *params)
{
  static const char lines[] = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                              "Connection: Upgrade\r\nSec-WebSocket-Accept: ";
  char accept[WEIR__ACCEPT_KEY_LEN + 2];
  struct weir__builder head = {0};
  struct weir__pool *pool = pool_of(c);
  weir__handshake_accept(weir__http_field(request->head, "Sec-WebSocket-Key"), accept);
  memcpy(accept + WEIR__ACCEPT_KEY_LEN, "\r\n", 2);
  int error = weir__builder_add(&head, pool, lines, sizeof lines - 1);
  if (error == 0)
    error = weir__builder_add(&head, pool, accept, sizeof accept);
  if (error == 0 && request->protocol != NULL)
    error = add_field(&head, pool, "Sec-WebSocket-Protocol: ",
                      (struct weir_slice){request->protocol, strlen(request->protocol)});
  if (error == 0 && params->agreed) {
    char value[WEIR__EXTENSION_MAX];
    size_t len = weir__extension_response(params, value);
    error = add_field(&head, pool, "Sec-WebSocket-Extensions: ", (struct weir_slice){value, len});
  }
  if (error == 0)
    error = weir__builder_add(&head, pool, request->fields.data, request->fields.len);
  if (error == 0)
    error = weir__builder_add(&head, pool, "\r\n", 2);
  if (error == 0) /* all of it or nothing, for a refusal may follow */
    error = weir__conn_queue_bytes(c, head.data, head.len, NULL, 0);
  weir__builder_drop(&head, pool);
  return error;
}

/* What the hook says: 0, or a negative HTTP status. */
static int decide(struct weir_conn *c, struct weir_request *request, const char **reason)
{
  const struct weir__route *route = request->route;
  *reason = "the application refused the connection";
  int verdict = init_user(c, route);
  if (verdict == 0 && route->handlers.on_upgrade != NULL)
    verdict = route->handlers.on_upgrade(request, c->user, route->arg);
  if (verdict != 0 && (verdict > -400 || verdict < -599))
    return -500;
  return verdict;
}

static void upgrade(struct weir_conn *c, const struct weir__http_head *head)
{
  const struct weir_server *server = c->shard->server;
  const char *reason = "nothing speaks WebSocket on this path";
  uint16_t index = 0;
  struct weir_request request = {.conn = c, .head = head, .pool = pool_of(c)};
  struct weir__deflate_params params = {0};
  request.route = weir__server_match(server, head->path, false, &index);
  int verdict = request.route == NULL ? -404 : weir__handshake_check(head, &reason);
  if (verdict == 0) {
    const struct weir_route_options *options = &request.route->options;
    verdict = weir__handshake_origin(head, options->origins, options->origin_required, &reason);
    request.protocol = weir__handshake_protocol(head, options->protocols);
  }
  if (verdict == 0)
    verdict = weir__conn_negotiate(request.route, head, &params, &reason);
  if (verdict == 0) {
    c->route = index;
    c->routed = 1;
    verdict = decide(c, &request, &reason);
  }
  if (verdict == 0)
    weir__conn_agree(c, &params);
  if (verdict == 0 && (keep_protocol(c, &request) != 0 || queue_101(c, &request, &params) != 0)) {
    verdict = -503;
    reason = "out of memory";
  }
  if (verdict == 0)
    weir__conn_open(c);
  else
    refuse(c, -verdict, reason, &request);
  weir__request_drop(&request);
}

/* Answers a plain request by its handler; the connection lives on if both sides want it to. */
static void answer(struct weir_conn *c, struct weir_request *request, bool head_only)
{
  const struct weir__route *route = request->route;
  int status = route->get(request, route->arg);
  if (status == 0)
    status = 200;
  if (status < 200 || status > 599) {
    refuse(c, 500, "the application gave no valid status", NULL);
    return;
  }
  bool keep = request->head->keep_alive && weir_conn_buffered(c).bytes < PIPELINE_BYTES;
  const struct response response = {.extra = keep ? "" : "Connection: close\r\n",
                                    .fields = slice_of(&request->fields),
                                    .type = slice_of(&request->type),
                                    .body = slice_of(&request->body),
                                    .head_only = head_only};
  weir__count(&c->shard->counters.requests, 1);
  c->served = 1;
  c->since_tick = weir__conn_tick(c);
  weir__conn_arm(c);
  if (respond(c, status, &response) != 0)
    weir__conn_drop_outbox(c);
  else if (keep)
    return;
  weir__http_drop(c);
  weir__conn_linger(c);
}

static void plain(struct weir_conn *c, const struct weir__http_head *head)
{
  const struct weir_server *server = c->shard->server;
  bool is_head = weir__text_equal(head->method, "HEAD");
  bool is_get = weir__text_equal(head->method, "GET");
  uint16_t index;
  struct weir_request request = {.conn = c, .head = head, .pool = pool_of(c)};
  request.route = weir__server_match(server, head->path, true, &index);
  bool speaks = weir__server_match(server, head->path, false, &index) != NULL;
  if (request.route == NULL && !speaks)
    refuse(c, 404, "there is nothing on this path", &request);
  else if (!is_get && !is_head)
    refuse(c, 405, "only GET and HEAD are allowed on this path", &request);
  else if (request.route == NULL)
    refuse(c, 426, "this path speaks WebSocket only", &request);
  else if (head->has_body)
    refuse(c, 413, "this request may not have a body", &request);
  else
    answer(c, &request, is_head);
  weir__request_drop(&request);
}

static void serve(struct weir_conn *c, const char *data, size_t len)
{
  struct weir__http_head head;
  const char *reason;
  int error = weir__http_parse(&head, data, len, &reason);
  if (error != 0)
    refuse(c, -error, reason, NULL);
  else if (weir__handshake_asked(&head))
    upgrade(c, &head);
  else
    plain(c, &head);
}

/* Keeps the part of a head that has come. */
static int keep(struct weir_conn *c, const struct weir__http_guard *guard, const void *data,
                size_t len)
{
  if (c->http == NULL) {
    size_t got;
    c->http = weir__pool_get(pool_of(c), sizeof *c->http, &got);
    if (c->http == NULL)
      return -ENOMEM;
    memset(c->http, 0, sizeof *c->http);
    c->since_tick = c->served ? weir__conn_tick(c) : c->since_tick;
    weir__conn_arm(c);
  }
  c->http->guard = *guard;
  return weir__builder_add(&c->http->head, pool_of(c), data, len);
}

/* Serves the request whose head ends after used bytes of data. */
static int whole(struct weir_conn *c, const char *data, size_t used)
{
  struct weir__http_conn *http = c->http;
  if (http == NULL) {
    serve(c, data, used);
    return 0;
  }
  int error = weir__builder_add(&http->head, pool_of(c), data, used);
  c->http = NULL;
  if (error == 0)
    serve(c, http->head.data, http->head.len);
  free_http(c, http);
  return error;
}

void weir__http_input(struct weir_conn *c, unsigned char *data, size_t len, size_t *frames)
{
  const struct weir__http_limits *limits = &c->shard->server->http_limits;
  while (len > 0 && c->state == WEIR__CONN_HTTP) {
    struct weir__http_guard guard = {0};
    const char *reason;
    size_t used;
    if (c->http != NULL)
      guard = c->http->guard;
    int found = weir__http_guard(&guard, limits, (const char *)data, len, &used, &reason);
    if (found < 0) {
      refuse(c, -found, reason, NULL);
      return;
    }
    int error = found == 0 ? keep(c, &guard, data, len) : whole(c, (const char *)data, used);
    if (error != 0) {
      refuse(c, 503, "out of memory", NULL);
      return;
    }
    if (found == 0)
      return;
    data += used;
    len -= used;
  }
  if (len > 0 && weir__conn_is_live(c))
    weir__conn_input(c, data, len, frames);
}
