/* Forwarded (RFC 7239 sections 4 and 6) and X-Forwarded-For. In: a parsed head, the peer, networks;
 * out: the client's address. Must not know what the address is good for.
 *
 * The walk goes from right to left, but quoted strings are only found from left to right. So the
 * elements are read from the left, and each settles what a walk from the right makes of those up to
 * it. A client may leave a quote open, in front of what a proxy adds: that spoils the proxy's
 * element, and the walk ends there; it never makes an element of the client's count. */
#include "wire/forwarded.h"
#include "wire/text.h"

#include <string.h>

enum { NODE_MAX = 64 };

/* ---- the walk */

struct walk {
  const struct weir__network *trusted;
  size_t count;
  struct weir__ip peer, client;
  bool ended; /* the walk ends here, unless there is an address further to the right */
};

static bool is_trusted(const struct walk *walk, const struct weir__ip *ip)
{
  for (size_t i = 0; i < walk->count; i++)
    if (weir__network_holds(&walk->trusted[i], ip))
      return true;
  return false;
}

/* A walk from the right that comes upon a trusted address goes on to what was settled before; it
 * stops at any other, and in front of what is no address. */
static void settle(struct walk *walk, bool is_address, const struct weir__ip *ip)
{
  if (!is_address)
    walk->client = walk->peer;
  else if (walk->ended || !is_trusted(walk, ip))
    walk->client = *ip;
  walk->ended = !is_address;
}

/* ---- one address with or without a port: RFC 7239 section 6, and IPv6 without brackets */

static bool is_obfuscated(struct weir_slice port)
{
  for (size_t i = 1; i < port.len; i++)
    if (!weir__text_in((unsigned char)port.data[i], WEIR__TEXT_WORD) && port.data[i] != '.' &&
        port.data[i] != '-')
      return false;
  return port.len > 1 && port.data[0] == '_';
}

/* Takes the host, without its brackets, from the front; false when they do not fit. */
static bool take_host(struct weir_slice *rest, struct weir_slice *host)
{
  bool bracket = rest->len > 0 && rest->data[0] == '[';
  const char *mark = rest->len > 0 ? memchr(rest->data, bracket ? ']' : ':', rest->len) : NULL;
  const char *end = rest->data + rest->len;
  if (bracket && mark == NULL)
    return false;
  if (mark == NULL || (!bracket && memchr(mark + 1, ':', (size_t)(end - mark - 1)) != NULL))
    mark = end; /* more than one colon: no port */
  *host = (struct weir_slice){rest->data + bracket, (size_t)(mark - rest->data) - bracket};
  mark += bracket;
  *rest = (struct weir_slice){mark, (size_t)(end - mark)};
  return !bracket || memchr(host->data, ':', host->len) != NULL;
}

static bool parse_node(struct weir_slice node, struct weir__ip *ip)
{
  struct weir_slice host;
  if (!take_host(&node, &host) || !weir__ip_parse(host, ip))
    return false;
  if (node.len == 0)
    return true;
  struct weir_slice port = {node.data + 1, node.len - 1};
  int number = is_obfuscated(port) ? 0 : weir__ip_parse_port(port);
  ip->port = (uint16_t)number;
  return node.data[0] == ':' && number >= 0;
}

/* ---- Forwarded */

/* Takes what stands in front of a mark outside of quoted strings, or all when there is none. */
static struct weir_slice take_part(struct weir_slice *rest, char mark)
{
  bool quoted = false;
  size_t i = 0;
  for (; i < rest->len && (quoted || rest->data[i] != mark); i++) {
    if (rest->data[i] == '"')
      quoted = !quoted;
    else if (quoted && rest->data[i] == '\\' && i + 1 < rest->len)
      i++;
  }
  struct weir_slice part = {rest->data, i};
  size_t taken = i < rest->len ? i + 1 : i;
  *rest = (struct weir_slice){rest->data + taken, rest->len - taken};
  return weir__text_trim(part);
}

/* Takes the quotes and backslashes off; into copy if it fits there, else nothing is left: it is too
 * long for an address. False when the quoted string does not end where the value does. */
static bool unquote(struct weir_slice *value, char copy[NODE_MAX])
{
  size_t len = 0, i = 1;
  for (; i < value->len && value->data[i] != '"'; i++, len++) {
    if (value->data[i] == '\\')
      i++;
    if (i < value->len && len < NODE_MAX)
      copy[len] = value->data[i];
  }
  bool whole = i + 1 == value->len;
  *value = (struct weir_slice){copy, len <= NODE_MAX ? len : 0};
  return whole;
}

/* Reads NAME=VALUE. A value without quotes may hold what should stand in them, such as the colon of
 * a port: many proxies forget them. */
static bool read_pair(struct weir_slice pair, struct weir_slice *name, struct weir_slice *value,
                      char copy[NODE_MAX])
{
  const char *equals = memchr(pair.data, '=', pair.len);
  if (equals == NULL)
    return false;
  *name = (struct weir_slice){pair.data, (size_t)(equals - pair.data)};
  *value = (struct weir_slice){equals + 1, pair.len - name->len - 1};
  if (!weir__http_is_token(*name))
    return false;
  if (value->len > 0 && value->data[0] == '"')
    return unquote(value, copy);
  return memchr(value->data, '"', value->len) == NULL;
}

/* Reads the address of an element; false when it has none, two, or is malformed anywhere. */
static bool read_element(struct weir_slice element, struct weir__ip *ip)
{
  static const struct weir_slice wanted = {"for", 3};
  struct weir_slice name, value;
  char copy[NODE_MAX];
  bool found = false;
  while (element.len > 0) {
    struct weir_slice pair = take_part(&element, ';');
    if (pair.len == 0)
      continue;
    if (!read_pair(pair, &name, &value, copy))
      return false;
    if (!weir__text_equal_nocase(name, wanted))
      continue;
    if (found || !parse_node(value, ip))
      return false;
    found = true;
  }
  return found;
}

/* A quoted string ends with its line at the latest: the next line may be another sender's. */
static void walk_forwarded(struct walk *walk, struct weir_slice line)
{
  while (line.len > 0) {
    struct weir_slice element = take_part(&line, ',');
    struct weir__ip ip;
    if (element.len > 0)
      settle(walk, read_element(element, &ip), &ip);
  }
}

/* ---- both */

static void walk_all_forwarded(struct walk *walk, const struct weir__http_head *head)
{
  static const struct weir_slice forwarded = {"forwarded", 9};
  for (size_t i = 0; i < head->field_count; i++)
    if (weir__text_equal_nocase(head->fields[i].name, forwarded))
      walk_forwarded(walk, head->fields[i].value);
}

static void walk_x_forwarded_for(struct walk *walk, const struct weir__http_head *head)
{
  struct weir__http_list list = weir__http_list_begin(head, "x-forwarded-for");
  struct weir_slice element;
  struct weir__ip ip;
  while (weir__http_list_next(&list, &element))
    settle(walk, parse_node(element, &ip), &ip);
}

struct weir__ip weir__forwarded_client(const struct weir__http_head *head,
                                       enum weir__forwarded_field field,
                                       const struct weir__network *trusted, size_t count,
                                       struct weir__ip peer)
{
  struct walk walk = {trusted, count, peer, peer, true};
  if (!is_trusted(&walk, &peer))
    return peer;
  if (field == WEIR__FORWARDED)
    walk_all_forwarded(&walk, head);
  else
    walk_x_forwarded_for(&walk, head);
  return walk.client;
}
