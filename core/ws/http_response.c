/* Answers of HTTP to bytes in a connection's queue (RFC 9112 sections 4, 6, 7; RFC 9110 section
 * 15): whole responses, refusals with a sentence, heads of streamed ones. */
#include "ws/http_conn.h"

#include "wire/http_date.h"
#include "wire/text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { NUMBER = 20 }; /* digits of the largest one */

static int add_number(struct weir__builder *head, struct weir__pool *pool, uint64_t value)
{
  char digits[NUMBER];
  size_t at = NUMBER;
  do
    digits[--at] = (char)('0' + value % 10);
  while ((value /= 10) > 0);
  return weir__builder_add(head, pool, digits + at, NUMBER - at);
}

int weir__http_add_field(struct weir__builder *head, struct weir__pool *pool, const char *name,
                         struct weir_slice value)
{
  if (value.len == 0)
    return 0;
  int error = weir__builder_add_text(head, pool, name);
  if (error == 0)
    error = weir__builder_add(head, pool, value.data, value.len);
  return error == 0 ? weir__builder_add(head, pool, "\r\n", 2) : error;
}

static int add_status(struct weir__builder *head, struct weir__pool *pool, int status)
{
  int error = weir__builder_add(head, pool, "HTTP/1.1 ", 9);
  if (error == 0)
    error = add_number(head, pool, (uint64_t)status);
  if (error == 0)
    error = weir__builder_add(head, pool, " ", 1);
  if (error == 0)
    error = weir__builder_add_text(head, pool, weir__http_phrase(status));
  return error == 0 ? weir__builder_add(head, pool, "\r\n", 2) : error;
}

/* RFC 9110 section 6.6.1; written anew once a second. */
static int add_date(struct weir__builder *head, struct weir__pool *pool, struct weir__shard *shard)
{
  const struct weir_loop *loop = shard->loop;
  if (shard->date_ms + 1000 <= loop->now_ms || shard->date_ms == 0) {
    weir__http_date_format(loop->mem.sys->wall_s(loop->mem.sys), shard->date);
    shard->date_ms = loop->now_ms;
  }
  return weir__http_add_field(head, pool,
                              "Date: ", (struct weir_slice){shard->date, strlen(shard->date)});
}

static int add_length(struct weir__builder *head, struct weir__pool *pool,
                      const struct weir__response *response)
{
  if (response->unframed)
    return 0;
  if (response->chunked)
    return weir__builder_add_text(head, pool, "Transfer-Encoding: chunked\r\n");
  int error = weir__builder_add_text(head, pool, "Content-Length: ");
  if (error == 0)
    error = add_number(head, pool, response->length);
  return error == 0 ? weir__builder_add(head, pool, "\r\n", 2) : error;
}

/* The fields of which a refusal needs some (RFC 9110 sections 10.2.1, 10.2.3, 15.5.22). */
static int add_connection(struct weir__builder *head, struct weir__pool *pool, int status,
                          const struct weir__response *response)
{
  int error = 0;
  if (status == 426)
    return weir__builder_add_text(head, pool,
                                  "Connection: close, Upgrade\r\nUpgrade: websocket\r\n"
                                  "Sec-WebSocket-Version: 13\r\n");
  if (response->last)
    error = weir__builder_add_text(head, pool, "Connection: close\r\n");
  else if (response->old)
    error = weir__builder_add_text(head, pool, "Connection: keep-alive\r\n");
  if (error == 0 && response->retry)
    error = weir__builder_add_text(head, pool, "Retry-After: 5\r\n");
  if (error == 0 && response->allow != NULL)
    error = weir__http_add_field(
        head, pool, "Allow: ", (struct weir_slice){response->allow, strlen(response->allow)});
  return error;
}

static int make_head(struct weir__builder *head, struct weir_conn *c, int status,
                     const struct weir__response *response)
{
  struct weir__pool *pool = weir__http_pool(c);
  int error = add_status(head, pool, status);
  if (error == 0)
    error = add_date(head, pool, c->shard);
  if (error == 0 && !weir__http_is_bodiless(status))
    error = add_length(head, pool, response);
  if (error == 0)
    error = add_connection(head, pool, status, response);
  if (error == 0)
    error = weir__http_add_field(head, pool, "Content-Type: ", response->type);
  if (error == 0)
    error = weir__builder_add(head, pool, response->fields.data, response->fields.len);
  return error == 0 ? weir__builder_add(head, pool, "\r\n", 2) : error;
}

bool weir__http_is_bodiless(int status)
{
  return status == 204 || status == 304;
}

int weir__http_respond(struct weir_conn *c, int status, const struct weir__response *response)
{
  struct weir__builder head = {0};
  bool bodiless = response->head_only || weir__http_is_bodiless(status);
  int error = make_head(&head, c, status, response);
  if (error == 0)
    error = weir__conn_queue_bytes(c, head.data, head.len, response->body.data,
                                   bodiless ? 0 : response->body.len);
  weir__builder_drop(&head, weir__http_pool(c));
  return error;
}

void weir__http_answer(struct weir_conn *c, struct weir_request *request, int status, bool last)
{
  const struct weir__http_head *head = request->head;
  last |= !head->keep_alive || c->shard->draining;
  const struct weir__response response = {.fields = weir__builder_slice(&request->fields),
                                          .type = weir__builder_slice(&request->type),
                                          .body = weir__builder_slice(&request->body),
                                          .length = request->body.len,
                                          .head_only = weir__text_equal(head->method, "HEAD"),
                                          .last = last,
                                          .old = head->minor == 0};
  weir__count(&c->shard->counters.requests, 1);
  if (weir__http_respond(c, status, &response) != 0) {
    weir__conn_drop_outbox(c);
    last = true;
  }
  weir__http_next(c, last);
}

static void log_refusal(struct weir_conn *c, int status, const char *reason)
{
  char line[256];
  if (c->shard->server->options.log == NULL)
    return;
  snprintf(line, sizeof line, "refused a request with %d: %s", status, reason);
  weir__server_log(c->shard->server, WEIR_LOG_INFO, line);
}

/* Whether the request at hand has a part of its response already, behind which there can be no
 * other. */
static bool is_half_answered(const struct weir_conn *c)
{
  return c->http != NULL && c->http->request != NULL && c->http->request->headed;
}

/* Ends the connection amid a response. What is queued still leaves, for responses before it may be
 * among that; but not where the response's end is the connection's: it would look like that. */
static void break_off(struct weir_conn *c)
{
  const struct weir__kept *kept = c->http->request;
  if (kept->announced == WEIR__UNANNOUNCED && !kept->chunked && !kept->bodiless) {
    weir__conn_lost(c, 0, "");
    return;
  }
  weir__http_drop(c);
  weir__conn_linger(c);
}

/* Whether the request, or where that is not given the one at hand, asks for a head alone. */
static bool asks_for_head(const struct weir_conn *c, const struct weir_request *request)
{
  if (request == NULL && c->http != NULL && c->http->request != NULL)
    request = &c->http->request->request;
  return request != NULL && weir__text_equal(request->head->method, "HEAD");
}

static void refuse(struct weir_conn *c, int status, const char *reason, const char *allow,
                   const struct weir_request *request)
{
  if (is_half_answered(c)) {
    break_off(c);
    return;
  }
  char text[256];
  int len = snprintf(text, sizeof text, "%s\n", reason);
  struct weir__response response = {.type = {"text/plain; charset=utf-8", 25},
                                    .body = {text, (size_t)len},
                                    .head_only = asks_for_head(c, request),
                                    .last = true,
                                    .retry = status == 503 || status == 429,
                                    .allow = allow};
  if (request != NULL) {
    response.fields = weir__builder_slice(&request->fields);
    if (request->type.len > 0) {
      response.type = weir__builder_slice(&request->type);
      response.body = weir__builder_slice(&request->body);
    }
    response.retry &= request->fields.len == 0; /* an application that adds some says when */
  }
  response.length = response.body.len;
  weir__count(&c->shard->counters.refused, 1);
  if (c->turned_away == WEIR__TURNED_NOT) /* those were counted when they came */
    weir__count_rejected(c->shard, weir__reject_of(status));
  log_refusal(c, status, reason);
  if (weir__http_respond(c, status, &response) != 0)
    weir__conn_drop_outbox(c);
  weir__http_drop(c);
  weir__conn_linger(c);
}

void weir__http_refuse(struct weir_conn *c, int status, const char *reason,
                       const struct weir_request *request)
{
  refuse(c, status, reason, NULL, request);
}

void weir__http_refuse_method(struct weir_conn *c, const char *allow,
                              const struct weir_request *request)
{
  char reason[192];
  snprintf(reason, sizeof reason, "this path allows only %.160s", allow);
  refuse(c, 405, reason, allow, request);
}
