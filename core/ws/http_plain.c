/* Plain requests: a route by path and method, and what its handler says (RFC 9110 sections 9,
 * 15.5.6). Must not know of WebSocket, but that a path may speak it. */
#include "ws/http_conn.h"

#include "wire/text.h"

/* What follows from a handler's verdict on a request, lent or kept. */
static void conclude(struct weir_conn *c, struct weir_request *request, int verdict)
{
  const char *reason = "the application gave no valid status";
  struct weir__kept *kept = request->kept;
  if (verdict == WEIR_LATER || (kept != NULL && !weir__kept_claim(kept))) {
    verdict = weir__http_wait(c, request, &reason);
    if (verdict == 0)
      return;
  }
  bool last = c->http != NULL && c->http->phase == WEIR__HTTP_BODY;
  struct weir__kept *held = weir__http_take_request(c);
  if (kept != NULL)
    weir__kept_detach(kept);
  if (verdict == 0)
    verdict = 200;
  struct weir_request *at = weir__request_at(request);
  if (verdict >= 200 && verdict <= 599) {
    weir__http_answer(c, at, verdict, last);
  } else {
    at->fields.len = at->type.len = 0; /* what was set was for another answer */
    weir__http_refuse(c, verdict <= -400 && verdict >= -599 ? -verdict : 500, reason, at);
  }
  weir_request_unref(held == NULL ? NULL : &held->request);
}

static void ask(struct weir_conn *c, struct weir_request *request)
{
  const struct weir__route *route = request->route;
  conclude(c, request, route->http.on_request(request, route->arg));
}

void weir__http_ask(struct weir_conn *c, struct weir__kept *kept)
{
  weir_request_ref(&kept->request);
  ask(c, &kept->request);
  weir_request_unref(&kept->request);
}

/* A chunked body is the line of its last chunk at least. */
static bool is_too_large(const struct weir__http_head *head, size_t most)
{
  return head->chunked ? most < sizeof "0\r\n\r\n" - 1 : head->content_length > most;
}

static void with_body(struct weir_conn *c, struct weir_request *request)
{
  if (is_too_large(request->head, request->route->http.max_body_bytes)) {
    weir__http_refuse(c, 413, "the body is too large", request);
    return;
  }
  struct weir__kept *kept = weir__request_copy(request);
  if (kept == NULL || weir__http_need(c) == NULL) {
    weir_request_unref(kept == NULL ? NULL : &kept->request);
    weir__http_refuse(c, 503, "out of memory", request);
    return;
  }
  weir__http_begin_body(c, kept);
}

/* Nothing answers this method on this path. */
static void no_route(struct weir_conn *c, const struct weir_request *request, const char *allow)
{
  const struct weir__http_head *head = request->head;
  uint16_t index;
  uint16_t name = weir__conn_endpoint(c)->name;
  bool speaks = weir__server_match(c->shard->server, name, head->path, &index) != NULL;
  bool gets = weir__text_equal(head->method, "GET") || weir__text_equal(head->method, "HEAD");
  if (allow[0] != '\0')
    weir__http_refuse_method(c, allow, request);
  else if (!speaks)
    weir__http_refuse(c, 404, "there is nothing on this path", request);
  else if (!gets)
    weir__http_refuse_method(c, "GET", request);
  else
    weir__http_refuse(c, 426, "this path speaks WebSocket only", request);
}

void weir__http_plain(struct weir_conn *c, struct weir_request *request)
{
  const struct weir__http_head *head = request->head;
  char allow[WEIR__ALLOW_BYTES];
  request->route = weir__server_match_http(c->shard->server, weir__conn_endpoint(c)->name,
                                           head->path, head->method, allow);
  if (request->route == NULL)
    no_route(c, request, allow);
  else if (head->has_body || request->route->http.on_body != NULL)
    with_body(c, request);
  else
    ask(c, request);
}
