/* Request heads (RFC 9112 sections 2 to 7). In: the bytes of one whole head that passed the guard;
 * out: slices of them, or the status that refuses the request. llhttp parses; what it lets pass and
 * the RFC does not is judged here. Must not know of WebSocket, nor of bytes behind the head: llhttp
 * is stopped at the head's end, where it would begin to follow an upgrade or a body. */
#include "wire/http.h"
#include "wire/text.h"
#include "wire/uri.h"

#include <llhttp.h>
#include <string.h>

static const struct weir_slice NONE = {NULL, 0};

static int refuse(const char **reason, int status, const char *sentence)
{
  *reason = sentence;
  return status;
}

/* llhttp may hand out a span in pieces; they lie side by side. */
static void extend(struct weir_slice *slice, const char *at, size_t len)
{
  if (slice->data == NULL)
    slice->data = at;
  slice->len += len;
}

static int on_method(llhttp_t *parser, const char *at, size_t len)
{
  struct weir__http_head *head = parser->data;
  extend(&head->method, at, len);
  return HPE_OK;
}

static int on_url(llhttp_t *parser, const char *at, size_t len)
{
  struct weir__http_head *head = parser->data;
  extend(&head->target, at, len);
  return HPE_OK;
}

static int on_header_field(llhttp_t *parser, const char *at, size_t len)
{
  struct weir__http_head *head = parser->data;
  if (head->field_count == WEIR__HTTP_FIELDS)
    return HPE_USER;
  extend(&head->fields[head->field_count].name, at, len);
  return HPE_OK;
}

static int on_header_value(llhttp_t *parser, const char *at, size_t len)
{
  struct weir__http_head *head = parser->data;
  extend(&head->fields[head->field_count].value, at, len);
  return HPE_OK;
}

static int on_header_value_complete(llhttp_t *parser)
{
  struct weir__http_head *head = parser->data;
  struct weir__http_field *field = &head->fields[head->field_count];
  field->value = weir__text_trim(field->value);
  if (++head->field_count < WEIR__HTTP_FIELDS)
    field[1] = (struct weir__http_field){NONE, NONE};
  return HPE_OK;
}

static int on_headers_complete(llhttp_t *parser)
{
  struct weir__http_head *head = parser->data;
  head->major = parser->http_major;
  head->minor = parser->http_minor;
  head->content_length = parser->content_length;
  head->has_body = parser->content_length > 0;
  return HPE_PAUSED;
}

static const llhttp_settings_t SETTINGS = {
    .on_method = on_method,
    .on_url = on_url,
    .on_header_field = on_header_field,
    .on_header_value = on_header_value,
    .on_header_value_complete = on_header_value_complete,
    .on_headers_complete = on_headers_complete,
};

static int run_llhttp(struct weir__http_head *head, const char *data, size_t len,
                      const char **reason)
{
  llhttp_t parser;
  llhttp_init(&parser, HTTP_REQUEST, &SETTINGS);
  parser.data = head;
  switch (llhttp_execute(&parser, data, len)) {
  case HPE_PAUSED: /* by on_headers_complete */
    return 0;
  case HPE_OK:
    return refuse(reason, -400, "The request's header is not complete");
  case HPE_INVALID_METHOD:
  case HPE_INVALID_CONSTANT: /* a method of RTSP; the protocol's name was judged before */
    return refuse(reason, -501, "The method is not known");
  case HPE_INVALID_URL:
    return refuse(reason, -400, "The request target is malformed");
  case HPE_UNEXPECTED_CONTENT_LENGTH:
    return refuse(reason, -400, "Content-Length stands twice or beside Transfer-Encoding");
  case HPE_INVALID_CONTENT_LENGTH:
    return refuse(reason, -400, "Content-Length is not a number that can be");
  case HPE_INVALID_TRANSFER_ENCODING:
    return refuse(reason, -400, "Transfer-Encoding is not chunked");
  case HPE_USER:
    return refuse(reason, -431, "The request has too many header fields");
  default:
    return refuse(reason, -400, "The request is malformed");
  }
}

/* The text behind the request line's last space; data is NULL when there is no such line. */
static struct weir_slice version_text(const char *data, size_t len)
{
  const char *end = data + len;
  while (data < end && (*data == '\r' || *data == '\n'))
    data++;
  const char *line_end = memchr(data, '\r', (size_t)(end - data));
  if (line_end == NULL)
    return NONE;
  const char *begin = line_end;
  while (begin > data && begin[-1] != ' ')
    begin--;
  return (struct weir_slice){begin, (size_t)(line_end - begin)};
}

/* Before llhttp, which takes RTSP, ICE and HTTP/2.0 and has one error for all that it refuses. */
static int check_version(struct weir_slice text, const char **reason)
{
  const char *slash = text.len == 0 ? NULL : memchr(text.data, '/', text.len);
  if (slash == NULL || text.data + text.len - slash != 4 || slash[1] < '0' || slash[1] > '9' ||
      slash[2] != '.' || slash[3] < '0' || slash[3] > '9')
    return refuse(reason, -400, "The protocol version is malformed");
  text.len = (size_t)(slash - text.data);
  if (!weir__text_equal(text, "HTTP"))
    return refuse(reason, -505, "The protocol is not HTTP");
  if (slash[1] != '1' || slash[3] > '1')
    return refuse(reason, -505, "The version is not HTTP/1.1");
  return 0;
}

/* llhttp takes Icecast's method over HTTP too. */
static int check_method(struct weir__http_head *head, const char **reason)
{
  if (weir__text_equal(head->method, "SOURCE"))
    return refuse(reason, -501, "The method is not known");
  return 0;
}

static int check_host(struct weir__http_head *head, const char **reason)
{
  size_t count = weir__http_field_count(head, "host");
  if (count == 0 && head->minor > 0)
    return refuse(reason, -400, "Host is missing");
  if (count > 1)
    return refuse(reason, -400, "Host stands more than once");
  if (count == 1 && !weir__uri_host_valid(weir__http_field(head, "host")))
    return refuse(reason, -400, "Host is malformed");
  return 0;
}

static void split_target(struct weir__http_head *head, struct weir_slice target)
{
  const char *mark = memchr(target.data, '?', target.len);
  head->path = target;
  if (mark == NULL)
    return;
  head->path.len = (size_t)(mark - target.data);
  head->query = (struct weir_slice){mark + 1, target.len - head->path.len - 1};
}

/* The length of "scheme://" in front of a target, 0 when it has no scheme that can lead here. */
static size_t scheme_length(struct weir_slice target)
{
  static const char *const schemes[] = {"http://", "https://", "ws://", "wss://"};
  for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
    struct weir_slice scheme = {schemes[i], strlen(schemes[i])};
    struct weir_slice front = {target.data, target.len < scheme.len ? target.len : scheme.len};
    if (weir__text_equal_nocase(front, scheme))
      return scheme.len;
  }
  return 0;
}

/* RFC 9112 section 3.2.2. A proxy's client and its server must not disagree on the host. */
static int check_absolute(struct weir__http_head *head, size_t scheme, const char **reason)
{
  struct weir_slice rest = {head->target.data + scheme, head->target.len - scheme};
  struct weir_slice authority = {rest.data, 0};
  while (authority.len < rest.len && rest.data[authority.len] != '/' &&
         rest.data[authority.len] != '?')
    authority.len++;
  if (authority.len == 0 || !weir__text_equal_nocase(authority, weir__http_field(head, "host")))
    return refuse(reason, -400, "The request target and Host differ");
  split_target(head, (struct weir_slice){rest.data + authority.len, rest.len - authority.len});
  if (head->path.len == 0) /* stands for "/" (RFC 9110 section 4.2.3): the scheme ends with one */
    head->path = (struct weir_slice){rest.data - 1, 1};
  return 0;
}

static int check_target(struct weir__http_head *head, const char **reason)
{
  if (weir__text_equal(head->method, "CONNECT"))
    return refuse(reason, -400, "This server is not a proxy");
  if (memchr(head->target.data, '#', head->target.len) != NULL)
    return refuse(reason, -400, "The request target holds a fragment");
  if (head->target.data[0] == '/') {
    split_target(head, head->target);
    return 0;
  }
  size_t scheme = scheme_length(head->target);
  if (scheme == 0)
    return refuse(reason, -400, "The request target is neither a path nor a URL of this server");
  return check_absolute(head, scheme, reason);
}

/* RFC 9112 sections 6.1 and 7: "chunked" is all that may be asked for without having been offered,
 * and only over HTTP/1.1. llhttp has refused it beside Content-Length, unless its value is empty.
 */
static int check_body(struct weir__http_head *head, const char **reason)
{
  static const struct weir_slice chunked = {"chunked", 7};
  size_t count = weir__http_field_count(head, "transfer-encoding");
  if (count == 0)
    return 0;
  if (count > 1 || !weir__text_equal_nocase(weir__http_field(head, "transfer-encoding"), chunked))
    return refuse(reason, -400, "Transfer-Encoding is not chunked");
  if (head->minor == 0)
    return refuse(reason, -400, "HTTP/1.0 has no Transfer-Encoding");
  head->has_body = head->chunked = true;
  return 0;
}

/* RFC 9112 section 9.3: HTTP/1.0 closes unless both sides ask for more. */
static bool keeps_alive(const struct weir__http_head *head)
{
  if (weir__http_has_token(head, "connection", "close"))
    return false;
  return head->minor > 0 || weir__http_has_token(head, "connection", "keep-alive");
}

int weir__http_expect(const struct weir__http_head *head, const char **reason)
{
  static const struct weir_slice go_on = {"100-continue", 12};
  size_t count = weir__http_field_count(head, "expect");
  if (count == 0 || head->minor == 0)
    return 0;
  if (count > 1 || !weir__text_equal_nocase(weir__http_field(head, "expect"), go_on))
    return refuse(reason, -417, "Expect holds something else than 100-continue");
  return head->has_body;
}

int weir__http_parse(struct weir__http_head *head, const char *data, size_t len,
                     const char **reason)
{
  static int (*const checks[])(struct weir__http_head *, const char **) = {
      check_method, check_host, check_target, check_body};
  head->method = head->target = head->path = head->query = NONE;
  head->field_count = 0;
  head->chunked = false;
  head->fields[0] = (struct weir__http_field){NONE, NONE};
  int error = check_version(version_text(data, len), reason);
  if (error == 0)
    error = run_llhttp(head, data, len, reason);
  for (size_t i = 0; error == 0 && i < sizeof checks / sizeof checks[0]; i++)
    error = checks[i](head, reason);
  if (error == 0)
    head->keep_alive = keeps_alive(head);
  return error;
}

int weir__http_parse_response(struct weir__http_head *head, const char *data, size_t len,
                              const char **reason)
{
  llhttp_t parser;
  head->field_count = 0;
  head->fields[0] = (struct weir__http_field){NONE, NONE};
  llhttp_init(&parser, HTTP_RESPONSE, &SETTINGS);
  parser.data = head;
  if (llhttp_execute(&parser, data, len) != HPE_PAUSED) /* by on_headers_complete */
    return refuse(reason, -1, "The response is not a head of HTTP");
  return parser.status_code;
}
