/* Opening handshakes (RFC 6455 section 4.2): judged, decided by the route's hook at once or later,
 * and answered with 101 or a refusal. */
#include "ws/http_conn.h"

#include "wire/handshake.h"
#include "ws/admit.h"
#include "ws/client.h"
#include "ws/conn_deflate.h"
#include "ws/extra.h"

#include <errno.h>
#include <string.h>

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
  c->protocol = weir__pool_get(weir__http_pool(c), request->selected.len, &got);
  if (c->protocol == NULL)
    return -ENOMEM;
  memcpy(c->protocol, request->selected.data, request->selected.len);
  c->own_protocol = 1;
  return 0;
}

static int make_101(struct weir__builder *head, struct weir__pool *pool,
                    const struct weir_request *request, const struct weir__deflate_params *params)
{
  static const char lines[] = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                              "Connection: Upgrade\r\nSec-WebSocket-Accept: ";
  char accept[WEIR__ACCEPT_KEY_LEN + 2];
  weir__handshake_accept(weir__http_field(request->head, "Sec-WebSocket-Key"), accept);
  memcpy(accept + WEIR__ACCEPT_KEY_LEN, "\r\n", 2);
  int error = weir__builder_add(head, pool, lines, sizeof lines - 1);
  if (error == 0)
    error = weir__builder_add(head, pool, accept, sizeof accept);
  if (error == 0 && request->protocol != NULL)
    error = weir__http_add_field(head, pool, "Sec-WebSocket-Protocol: ",
                                 (struct weir_slice){request->protocol, strlen(request->protocol)});
  if (error == 0 && params->agreed) {
    char value[WEIR__EXTENSION_MAX];
    size_t len = weir__extension_response(params, value);
    error = weir__http_add_field(head, pool,
                                 "Sec-WebSocket-Extensions: ", (struct weir_slice){value, len});
  }
  if (error == 0)
    error = weir__builder_add(head, pool, request->fields.data, request->fields.len);
  return error == 0 ? weir__builder_add(head, pool, "\r\n", 2) : error;
}

static int queue_101(struct weir_conn *c, const struct weir_request *request,
                     const struct weir__deflate_params *params)
{
  struct weir__builder head = {0};
  struct weir__pool *pool = weir__http_pool(c);
  int error = make_101(&head, pool, request, params);
  if (error == 0) /* all of it or nothing, for a refusal may follow */
    error = weir__conn_queue_bytes(c, head.data, head.len, NULL, 0);
  weir__builder_drop(&head, pool);
  return error;
}

/* The connection speaks WebSocket from here on; what came behind the request is of that. */
static void open(struct weir_conn *c)
{
  struct weir__builder rest = {0};
  size_t at = 0, frames = WEIR__FRAME_BUDGET;
  if (c->http != NULL) {
    rest = c->http->rest;
    at = c->http->rest_at;
    c->http->rest = (struct weir__builder){0};
    weir__http_drop(c);
  }
  c->paused = 0;
  weir__conn_open(c);
  if (rest.len > at && weir__conn_is_live(c))
    weir__meter_input(c, (unsigned char *)rest.data + at, rest.len - at, &frames);
  weir__builder_drop(&rest, weir__http_pool(c));
}

/* Answers with 101, or with 503 when there is no memory for it. */
static void accept_request(struct weir_conn *c, struct weir_request *request)
{
  struct weir__deflate_params params = {0};
  const char *reason = "out of memory";
  int error = weir__conn_negotiate(request->route, request->head, &params, &reason);
  if (error == 0) {
    weir__conn_agree(c, &params);
    if (keep_protocol(c, request) != 0 || queue_101(c, request, &params) != 0)
      error = -503;
  }
  if (error != 0) {
    weir__http_refuse(c, -error, reason, request);
    return;
  }
  weir__client_settle(c, request->head);
  open(c);
}

void weir__http_decided(struct weir_conn *c, struct weir__kept *kept)
{
  if (kept->status == WEIR__STATUS_ACCEPT)
    accept_request(c, &kept->request);
  else
    weir__http_refuse(c, kept->status, "the application refused the connection", &kept->request);
}

/* Does as the hook says. */
static void conclude(struct weir_conn *c, struct weir_request *request, int verdict)
{
  const char *reason = "the application refused the connection";
  struct weir__kept *kept = request->kept;
  if (verdict == WEIR_LATER || (kept != NULL && !weir__kept_claim(kept))) {
    verdict = weir__http_wait(c, request, &reason);
    if (verdict == 0)
      return;
  }
  if (verdict != 0 && (verdict > -400 || verdict < -599))
    verdict = -500;
  struct weir__kept *held = weir__http_take_request(c);
  if (kept != NULL)
    weir__kept_detach(kept);
  if (verdict == 0)
    accept_request(c, weir__request_at(request));
  else
    weir__http_refuse(c, -verdict, reason, weir__request_at(request));
  weir_request_unref(held == NULL ? NULL : &held->request);
}

static void ask(struct weir_conn *c, struct weir_request *request)
{
  const struct weir__route *route = request->route;
  int verdict = init_user(c, route);
  if (verdict == 0 && route->handlers.on_upgrade != NULL)
    verdict = route->handlers.on_upgrade(request, c->user, route->arg);
  conclude(c, request, verdict);
}

void weir__http_ask_upgrade(struct weir_conn *c, struct weir__kept *kept)
{
  struct weir_request *request = &kept->request;
  request->protocol = weir__handshake_protocol(request->head, request->route->options.protocols);
  weir_request_ref(&kept->request);
  ask(c, &kept->request);
  weir_request_unref(&kept->request);
}

/* What needs no hook. Returns 0 or a negative HTTP status. */
static int judge(struct weir_request *request, const char **reason)
{
  const struct weir__http_head *head = request->head;
  struct weir__deflate_params params = {0};
  int verdict = weir__handshake_check(head, reason);
  if (verdict != 0)
    return verdict;
  if (request->conn->shard->draining) {
    *reason = "the server drains";
    return -503;
  }
  const struct weir_route_options *options = &request->route->options;
  verdict = weir__handshake_origin(head, options->origins, options->origin_required, reason);
  request->protocol = weir__handshake_protocol(head, options->protocols);
  if (verdict == 0)
    verdict = weir__admit_request(request, reason);
  return verdict == 0 ? weir__conn_negotiate(request->route, head, &params, reason) : verdict;
}

void weir__http_upgrade(struct weir_conn *c, struct weir_request *request)
{
  const char *reason = "nothing speaks WebSocket on this path";
  uint16_t index = 0;
  request->route = weir__server_match(c->shard->server, weir__conn_endpoint(c)->name,
                                      request->head->path, &index);
  int verdict = request->route == NULL ? -404 : judge(request, &reason);
  if (verdict == -405)
    weir__http_refuse_method(c, "GET", request);
  else if (verdict != 0)
    weir__http_refuse(c, -verdict, reason, request);
  if (verdict != 0)
    return;
  c->route = index;
  c->routed = 1;
  ask(c, request);
}
