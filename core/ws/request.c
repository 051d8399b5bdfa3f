/* What a callback asks of a request and says in its response: slices of the head, decoded on
 * demand, and text that is gathered for http_response.c to send (RFC 9110 sections 5 and 8.3). */
#include "ws/request.h"

#include "wire/handshake.h"
#include "wire/text.h"
#include "wire/uri.h"
#include "ws/conn.h"

#include <errno.h>
#include <string.h>

struct decoded {
  struct decoded *next;
  size_t size; /* of the block */
  char text[];
};

void weir__request_drop(struct weir_request *r)
{
  struct weir__kept *copy = weir__request_own(r) == NULL ? r->kept : NULL;
  weir_request_unref(copy == NULL ? NULL : &copy->request);
  weir__builder_drop(&r->selected, r->pool);
  weir__builder_drop(&r->fields, r->pool);
  weir__builder_drop(&r->type, r->pool);
  weir__builder_drop(&r->body, r->pool);
  for (struct decoded *block = r->decoded; block != NULL;) {
    struct decoded *next = block->next;
    weir__pool_put(r->pool, block, block->size);
    block = next;
  }
  r->decoded = NULL;
}

/* The text itself where decoding changes nothing, else a decoded copy that lives as long as the
 * request. */
static struct weir_slice decode(struct weir_request *r, struct weir_slice text, bool plus)
{
  if (text.data == NULL || !weir__uri_encoded(text, plus))
    return text;
  size_t size;
  struct decoded *block = weir__pool_get(r->pool, sizeof *block + text.len, &size);
  if (block == NULL)
    return (struct weir_slice){NULL, 0};
  block->next = r->decoded;
  block->size = size;
  r->decoded = block;
  return (struct weir_slice){block->text, weir__uri_decode(text, plus, block->text)};
}

struct weir_slice weir_request_method(const struct weir_request *r)
{
  return r->head->method;
}

struct weir_slice weir_request_path(const struct weir_request *r)
{
  return r->head->path;
}

struct weir_slice weir_request_parameter(struct weir_request *r, const char *name)
{
  const struct weir__kept *kept = weir__request_own(r);
  const char *pattern = kept == NULL ? r->route->pattern : kept->pattern;
  return decode(r, weir__uri_parameter(pattern, r->head->path, name), false);
}

struct weir_slice weir_request_query(struct weir_request *r, const char *name)
{
  return decode(r, weir__uri_query(r->head->query, name), true);
}

struct weir_slice weir_request_header(const struct weir_request *r, const char *name)
{
  return weir__http_field(r->head, name);
}

static struct weir_slice slice(const char *text)
{
  return (struct weir_slice){text, text == NULL ? 0 : strlen(text)};
}

int weir_request_select_protocol(struct weir_request *r, const char *name)
{
  r = weir__request_at(r);
  if (name == NULL || !weir__http_is_token(slice(name)))
    return -EINVAL;
  if (!weir__handshake_offers(r->head, name))
    return -ENOENT;
  if (r->kept != NULL && weir__kept_why_not(r->kept) != 0)
    return weir__kept_why_not(r->kept);
  weir__builder_drop(&r->selected, r->pool);
  if (weir__builder_add(&r->selected, r->pool, name, strlen(name) + 1) != 0)
    return -ENOMEM;
  r->protocol = r->selected.data;
  return 0;
}

/* Fields that the library writes itself. */
static bool is_ours(const char *name)
{
  static const char *const ours[] = {"Connection",
                                     "Upgrade",
                                     "Content-Length",
                                     "Transfer-Encoding",
                                     "Date",
                                     "Sec-WebSocket-Accept",
                                     "Sec-WebSocket-Protocol",
                                     "Sec-WebSocket-Extensions"};
  for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++) {
    if (weir__text_equal_nocase(slice(name), slice(ours[i])))
      return true;
  }
  return false;
}

int weir_request_respond_header(struct weir_request *r, const char *name, const char *value)
{
  if (name == NULL || value == NULL || !weir__http_is_token(slice(name)) ||
      !weir__http_is_value(slice(value)) || is_ours(name))
    return -EINVAL;
  r = weir__request_at(r);
  if (r->kept != NULL && weir__kept_why_not(r->kept) != 0)
    return weir__kept_why_not(r->kept);
  size_t len = strlen(name) + strlen(value) + 4;
  if (len > WEIR__RESPONSE_FIELDS_MAX || r->fields.len > WEIR__RESPONSE_FIELDS_MAX - len)
    return -ENOBUFS;
  size_t before = r->fields.len;
  if (weir__builder_add(&r->fields, r->pool, name, strlen(name)) != 0 ||
      weir__builder_add(&r->fields, r->pool, ": ", 2) != 0 ||
      weir__builder_add(&r->fields, r->pool, value, strlen(value)) != 0 ||
      weir__builder_add(&r->fields, r->pool, "\r\n", 2) != 0) {
    r->fields.len = before;
    return -ENOMEM;
  }
  return 0;
}

int weir_request_respond_body(struct weir_request *r, const char *type, const void *data,
                              size_t len)
{
  if (type == NULL || !weir__http_is_value(slice(type)) || (data == NULL && len > 0))
    return -EINVAL;
  r = weir__request_at(r);
  if (r->kept != NULL && weir__kept_why_not(r->kept) != 0)
    return weir__kept_why_not(r->kept);
  r->type.len = 0;
  r->body.len = 0;
  if (weir__builder_add(&r->type, r->pool, type, strlen(type)) != 0 ||
      weir__builder_add(&r->body, r->pool, data, len) != 0) {
    r->type.len = 0;
    return -ENOMEM;
  }
  return 0;
}
