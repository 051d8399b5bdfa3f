/* Negotiation of permessage-deflate (RFC 7692 section 7.1). In: the fields that offer extensions,
 * read by the grammar of RFC 6455 section 9.1, all of them, whichever offer is taken; out: the
 * parameters, and the answer's words. Must not know what they do to a message. */
#include "wire/extension.h"
#include "wire/text.h"

#include <string.h>

enum parameter {
  SERVER_NO_CONTEXT_TAKEOVER,
  CLIENT_NO_CONTEXT_TAKEOVER,
  SERVER_MAX_WINDOW_BITS,
  CLIENT_MAX_WINDOW_BITS,
  PARAMETERS
};

static const char extension_name[] = "permessage-deflate";
static const char *const parameter_names[PARAMETERS] = {
    "server_no_context_takeover", "client_no_context_takeover", "server_max_window_bits",
    "client_max_window_bits"};

/* An offer of permessage-deflate, as far as it has been read. */
struct offer {
  bool declined;
  bool has[PARAMETERS];
  uint8_t bits[PARAMETERS]; /* 0: no value was given */
};

/* A parameter's value, its quotes and backslashes taken off; more than two bytes are no window. */
struct value {
  bool given;
  size_t len;
  char start[2];
};

/* ---- the grammar */

struct cursor {
  const char *at, *end;
};

static void skip_blanks(struct cursor *cursor)
{
  while (cursor->at < cursor->end && (*cursor->at == ' ' || *cursor->at == '\t'))
    cursor->at++;
}

/* Takes a separator and the blanks behind it, when it is the next. */
static bool take(struct cursor *cursor, char separator)
{
  if (cursor->at == cursor->end || *cursor->at != separator)
    return false;
  cursor->at++;
  skip_blanks(cursor);
  return true;
}

static bool at_token(const struct cursor *cursor)
{
  return cursor->at < cursor->end && weir__text_in((unsigned char)*cursor->at, WEIR__TEXT_TOKEN);
}

/* Takes a token and the blanks behind it; an empty one when none is next. */
static struct weir_slice take_token(struct cursor *cursor)
{
  const char *start = cursor->at;
  while (at_token(cursor))
    cursor->at++;
  struct weir_slice token = {start, (size_t)(cursor->at - start)};
  skip_blanks(cursor);
  return token;
}

static void append(struct value *value, char c)
{
  if (value->len < sizeof value->start)
    value->start[value->len] = c;
  value->len++;
}

/* Takes what stands behind a quote, which must be a token once its backslashes are taken off, and
 * the closing quote. */
static bool take_quoted(struct cursor *cursor, struct value *value)
{
  for (;;) {
    if (cursor->at < cursor->end && *cursor->at == '\\')
      cursor->at++;
    else if (value->len > 0 && take(cursor, '"'))
      return true;
    if (!at_token(cursor))
      return false;
    append(value, *cursor->at++);
  }
}

/* Takes "=" and a value, when they are next; false when the value is none. */
static bool take_value(struct cursor *cursor, struct value *value)
{
  *value = (struct value){0};
  if (cursor->at == cursor->end || *cursor->at != '=')
    return true;
  take(cursor, '=');
  value->given = true;
  if (cursor->at < cursor->end && *cursor->at == '"') {
    cursor->at++;
    return take_quoted(cursor, value);
  }
  for (; at_token(cursor); cursor->at++)
    append(value, *cursor->at);
  skip_blanks(cursor);
  return value->len > 0;
}

/* ---- one offer */

/* Window bits as they are written, 8 to 15 (RFC 7692 section 7.1.2.1); 0 for anything else. */
static uint8_t window_bits(const struct value *value)
{
  const char *digits = value->start;
  if (value->len == 1 && (digits[0] == '8' || digits[0] == '9'))
    return (uint8_t)(digits[0] - '0');
  if (value->len == 2 && digits[0] == '1' && digits[1] >= '0' && digits[1] <= '5')
    return (uint8_t)(10 + digits[1] - '0');
  return 0;
}

static bool is_allowed(enum parameter parameter, const struct value *value, uint8_t bits)
{
  switch (parameter) {
  case SERVER_MAX_WINDOW_BITS:
    return bits >= 9;
  case CLIENT_MAX_WINDOW_BITS:
    return !value->given || bits >= 8;
  default:
    return !value->given;
  }
}

static void add_parameter(struct offer *offer, struct weir_slice name, const struct value *value)
{
  size_t i = 0;
  while (i < PARAMETERS && !weir__text_equal(name, parameter_names[i]))
    i++;
  if (i == PARAMETERS || offer->has[i]) {
    offer->declined = true;
    return;
  }
  offer->has[i] = true;
  offer->bits[i] = window_bits(value);
  if (!is_allowed((enum parameter)i, value, offer->bits[i]))
    offer->declined = true;
}

/* Reads one extension and its parameters. Returns NULL, or a sentence that says what is wrong. */
static const char *read_offer(struct cursor *cursor, struct offer *offer)
{
  *offer = (struct offer){0};
  struct weir_slice name = take_token(cursor);
  if (name.len == 0)
    return "Sec-WebSocket-Extensions holds what is not an extension's name";
  offer->declined = !weir__text_equal(name, extension_name);
  for (size_t count = 0; take(cursor, ';'); count++) {
    struct value value;
    struct weir_slice parameter = take_token(cursor);
    if (parameter.len == 0)
      return "Sec-WebSocket-Extensions holds what is not a parameter's name";
    if (!take_value(cursor, &value))
      return "Sec-WebSocket-Extensions holds a parameter whose value is not a token";
    if (count == WEIR__EXTENSION_PARAMETERS)
      return "Sec-WebSocket-Extensions names too many parameters";
    add_parameter(offer, parameter, &value);
  }
  return NULL;
}

static uint8_t smaller(uint8_t ours, uint8_t theirs)
{
  return theirs != 0 && theirs < ours ? theirs : ours;
}

/* Agrees to an offer when the wish allows it. */
static void consider(const struct offer *offer, const struct weir__deflate_wish *wish,
                     struct weir__deflate_params *out)
{
  if (offer->declined || (wish->client_bits < 15 && !offer->has[CLIENT_MAX_WINDOW_BITS]))
    return;
  out->agreed = true;
  out->server_takeover = wish->takeover && !offer->has[SERVER_NO_CONTEXT_TAKEOVER];
  out->client_takeover = wish->takeover && !offer->has[CLIENT_NO_CONTEXT_TAKEOVER];
  out->server_bits = smaller(wish->server_bits, offer->bits[SERVER_MAX_WINDOW_BITS]);
  out->client_bits = smaller(wish->client_bits, offer->bits[CLIENT_MAX_WINDOW_BITS]);
  out->name_server_bits = out->server_bits < 15 || offer->has[SERVER_MAX_WINDOW_BITS];
  out->name_client_bits = out->client_bits < 15 || offer->bits[CLIENT_MAX_WINDOW_BITS] != 0;
}

/* ---- the fields */

struct negotiation {
  const struct weir__deflate_wish *wish;
  struct weir__deflate_params *out;
  size_t fields, offers;
};

/* Reads one field's list; empty elements are skipped, as RFC 9110 section 5.6.1 wants it. */
static const char *read_field(struct negotiation *negotiation, struct weir_slice field)
{
  if (field.len == 0)
    return NULL;
  struct cursor cursor = {field.data, field.data + field.len};
  skip_blanks(&cursor);
  do {
    if (cursor.at == cursor.end || *cursor.at == ',')
      continue;
    struct offer offer;
    const char *wrong = read_offer(&cursor, &offer);
    if (wrong != NULL)
      return wrong;
    if (negotiation->offers++ == WEIR__EXTENSION_OFFERS)
      return "Sec-WebSocket-Extensions names too many extensions";
    if (!negotiation->out->agreed)
      consider(&offer, negotiation->wish, negotiation->out);
  } while (take(&cursor, ','));
  return cursor.at == cursor.end ? NULL : "Sec-WebSocket-Extensions holds what is not an extension";
}

int weir__extension_negotiate(const struct weir__http_head *head,
                              const struct weir__deflate_wish *wish,
                              struct weir__deflate_params *out, const char **reason)
{
  static const struct weir_slice name = {"sec-websocket-extensions", 24};
  struct negotiation negotiation = {.wish = wish, .out = out};
  *out = (struct weir__deflate_params){0};
  const char *wrong = NULL;
  for (size_t i = 0; wrong == NULL && i < head->field_count; i++)
    if (weir__text_equal_nocase(head->fields[i].name, name)) {
      negotiation.fields++;
      wrong = read_field(&negotiation, head->fields[i].value);
    }
  if (wrong == NULL && negotiation.fields > 0 && negotiation.offers == 0)
    wrong = "Sec-WebSocket-Extensions is empty";
  if (wrong == NULL)
    return 0;
  out->agreed = false;
  *reason = wrong;
  return -400;
}

/* ---- the answer */

static char *put(char *to, const char *text)
{
  size_t len = strlen(text);
  memcpy(to, text, len);
  return to + len;
}

static char *put_parameter(char *to, enum parameter parameter)
{
  return put(put(to, "; "), parameter_names[parameter]);
}

static char *put_bits(char *to, enum parameter parameter, uint8_t bits)
{
  to = put(put_parameter(to, parameter), "=");
  if (bits >= 10)
    *to++ = '1';
  *to++ = (char)('0' + bits % 10);
  return to;
}

size_t weir__extension_response(const struct weir__deflate_params *params,
                                char out[WEIR__EXTENSION_MAX])
{
  char *to = put(out, extension_name);
  if (!params->server_takeover)
    to = put_parameter(to, SERVER_NO_CONTEXT_TAKEOVER);
  if (!params->client_takeover)
    to = put_parameter(to, CLIENT_NO_CONTEXT_TAKEOVER);
  if (params->name_server_bits)
    to = put_bits(to, SERVER_MAX_WINDOW_BITS, params->server_bits);
  if (params->name_client_bits)
    to = put_bits(to, CLIENT_MAX_WINDOW_BITS, params->client_bits);
  return (size_t)(to - out);
}
