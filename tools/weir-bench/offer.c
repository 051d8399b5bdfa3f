#include "offer.h"

#include "wire/text.h"

#include <stdio.h>
#include <string.h>

/* The parameters of an answer. */
enum parameter {
  SERVER_NO_CONTEXT_TAKEOVER,
  CLIENT_NO_CONTEXT_TAKEOVER,
  SERVER_MAX_WINDOW_BITS,
  CLIENT_MAX_WINDOW_BITS,
  PARAMETERS
};

static const char *const names[PARAMETERS] = {"server_no_context_takeover",
                                              "client_no_context_takeover",
                                              "server_max_window_bits", "client_max_window_bits"};

const char *offer_fields(bool no_takeover)
{
  return no_takeover ? "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits; "
                       "server_no_context_takeover; client_no_context_takeover\r\n"
                     : "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n";
}

/* Cuts off what stands before the next ";", trimmed. */
static struct weir_slice cut(struct weir_slice *rest)
{
  const char *end = memchr(rest->data, ';', rest->len);
  size_t len = end != NULL ? (size_t)(end - rest->data) : rest->len;
  struct weir_slice first = {rest->data, len};
  size_t used = len + (end != NULL);
  *rest = (struct weir_slice){rest->data + used, rest->len - used};
  return weir__text_trim(first);
}

/* Splits "name=value"; the value without its quotes, its data NULL when there is none. */
static struct weir_slice split(struct weir_slice *name)
{
  struct weir_slice value = {NULL, 0};
  const char *equals = memchr(name->data, '=', name->len);
  if (equals == NULL)
    return value;
  value.data = equals + 1;
  value.len = name->len - (size_t)(equals + 1 - name->data);
  name->len = (size_t)(equals - name->data);
  *name = weir__text_trim(*name);
  value = weir__text_trim(value);
  if (value.len >= 2 && value.data[0] == '"' && value.data[value.len - 1] == '"')
    value = (struct weir_slice){value.data + 1, value.len - 2};
  return value;
}

/* 8 to 15 without a leading zero; 0: it is none of these. */
static uint8_t window_bits(struct weir_slice value)
{
  if (value.len == 1 && (value.data[0] == '8' || value.data[0] == '9'))
    return (uint8_t)(value.data[0] - '0');
  if (value.len == 2 && value.data[0] == '1' && value.data[1] >= '0' && value.data[1] <= '5')
    return (uint8_t)(10 + value.data[1] - '0');
  return 0;
}

static enum parameter find(struct weir_slice name)
{
  enum parameter which = 0;
  while (which < PARAMETERS &&
         !weir__text_equal_nocase(name, (struct weir_slice){names[which], strlen(names[which])}))
    which++;
  return which;
}

static const char *take(struct offer *offer, enum parameter which, struct weir_slice value)
{
  bool is_window = which == SERVER_MAX_WINDOW_BITS || which == CLIENT_MAX_WINDOW_BITS;
  uint8_t bits = is_window ? window_bits(value) : 0;
  if (is_window && bits == 0)
    return "The server's window bits are no number from 8 to 15";
  if (!is_window && value.data != NULL)
    return "The server gives a value to a parameter that has none";
  if (which == SERVER_NO_CONTEXT_TAKEOVER)
    offer->server_takeover = false;
  else if (which == CLIENT_NO_CONTEXT_TAKEOVER)
    offer->client_takeover = false;
  else if (which == SERVER_MAX_WINDOW_BITS)
    offer->server_bits = bits;
  else
    offer->client_bits = bits;
  return NULL;
}

static const char *take_all(struct offer *offer, struct weir_slice rest)
{
  bool seen[PARAMETERS] = {false};
  while (rest.len > 0) {
    struct weir_slice name = cut(&rest);
    struct weir_slice value = split(&name);
    enum parameter which = find(name);
    if (which == PARAMETERS)
      return "The server answers permessage-deflate with a parameter that there is not";
    if (seen[which])
      return "The server answers permessage-deflate with a parameter twice";
    seen[which] = true;
    const char *wrong = take(offer, which, value);
    if (wrong != NULL)
      return wrong;
  }
  return NULL;
}

const char *offer_read(struct offer *offer, const struct weir__http_head *head, bool no_takeover)
{
  static const struct weir_slice deflate = {"permessage-deflate", 18};
  struct weir__http_list list = weir__http_list_begin(head, "sec-websocket-extensions");
  struct weir_slice answer, more;
  *offer = (struct offer){true, true, 15, 15};
  if (!weir__http_list_next(&list, &answer))
    return "The server did not agree to permessage-deflate";
  if (!weir__text_equal_nocase(cut(&answer), deflate))
    return "The 101 names an extension that was not asked for";
  if (weir__http_list_next(&list, &more))
    return "The 101 names more than one extension";
  const char *wrong = take_all(offer, answer);
  if (wrong == NULL && no_takeover && offer->server_takeover)
    wrong = "The server does not promise server_no_context_takeover, which was asked for";
  offer->client_takeover = offer->client_takeover && !no_takeover;
  return wrong;
}

const char *offer_text(const struct offer *offer, char *text, size_t size)
{
  snprintf(text, size, "server %u bits %s, client %u bits %s", offer->server_bits,
           offer->server_takeover ? "takeover" : "no takeover", offer->client_bits,
           offer->client_takeover ? "takeover" : "no takeover");
  return text;
}
