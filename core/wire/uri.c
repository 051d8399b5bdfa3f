/* Paths, queries and hosts (RFC 3986 sections 2.1, 3.2.2, 3.3, 3.4). In: slices of a request target
 * and the patterns of routes; out: whether they match, slices of them, decoded bytes. Must not know
 * of requests.
 *
 * A text that is still to be read begins with the "/" in front of its next segment, so that "/a/"
 * has two segments, the second one empty, and "" has none. */
#include "wire/uri.h"
#include "wire/text.h"

#include <string.h>

static const struct weir_slice NONE = {NULL, 0};

static struct weir_slice text_of(const char *string)
{
  return (struct weir_slice){string, strlen(string)};
}

static bool same(struct weir_slice a, struct weir_slice b)
{
  return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

static struct weir_slice take_segment(struct weir_slice *rest)
{
  const char *begin = rest->data + 1;
  const char *end = rest->data + rest->len;
  const char *slash = memchr(begin, '/', (size_t)(end - begin));
  struct weir_slice segment = {begin, (size_t)((slash != NULL ? slash : end) - begin)};
  *rest = (struct weir_slice){begin + segment.len, (size_t)(end - begin) - segment.len};
  return segment;
}

/* A pattern in the form that is read by segments. */
static struct weir_slice segments_of(const char *pattern)
{
  return text_of(strcmp(pattern, "*") == 0 ? "/*" : pattern);
}

/* Ordered by precedence. */
enum kind { LITERAL, PARAMETER, REST };

static enum kind kind_of(struct weir_slice segment)
{
  if (weir__text_equal(segment, "*"))
    return REST;
  return segment.len > 0 && segment.data[0] == ':' ? PARAMETER : LITERAL;
}

static struct weir_slice name_of(struct weir_slice parameter)
{
  return (struct weir_slice){parameter.data + 1, parameter.len - 1};
}

static size_t count_parameter(struct weir_slice pattern, struct weir_slice name)
{
  size_t count = 0;
  while (pattern.len > 0) {
    struct weir_slice segment = take_segment(&pattern);
    count += kind_of(segment) == PARAMETER && same(name_of(segment), name);
  }
  return count;
}

static bool literal_valid(struct weir_slice segment)
{
  for (size_t i = 0; i < segment.len; i++)
    if (!weir__text_in((unsigned char)segment.data[i], WEIR__TEXT_TARGET) ||
        memchr("*?#", segment.data[i], 3) != NULL)
      return false;
  return true;
}

bool weir__uri_pattern_valid(const char *pattern)
{
  struct weir_slice all = segments_of(pattern), rest = all;
  if (pattern[0] != '/' && strcmp(pattern, "*") != 0)
    return false;
  while (rest.len > 0) {
    struct weir_slice segment = take_segment(&rest);
    enum kind kind = kind_of(segment);
    if (kind == REST && rest.len > 0)
      return false;
    if (kind == LITERAL && !literal_valid(segment))
      return false;
    if (kind == PARAMETER && (!weir__text_all(name_of(segment), WEIR__TEXT_WORD) ||
                              count_parameter(all, name_of(segment)) > 1))
      return false;
  }
  return true;
}

/* Whether a path matches; *found gets what the parameter of a name stands for, where there is one.
 */
static bool match(struct weir_slice pattern, struct weir_slice path, const char *name,
                  struct weir_slice *found)
{
  if (path.len == 0 || path.data[0] != '/')
    return false;
  while (pattern.len > 0 && path.len > 0) {
    struct weir_slice wanted = take_segment(&pattern);
    enum kind kind = kind_of(wanted);
    if (kind == REST)
      return true;
    struct weir_slice segment = take_segment(&path);
    if (kind == PARAMETER ? segment.len == 0 : !same(wanted, segment))
      return false;
    if (kind == PARAMETER && name != NULL && weir__text_equal(name_of(wanted), name))
      *found = segment;
  }
  return pattern.len == 0 && path.len == 0;
}

bool weir__uri_match(const char *pattern, struct weir_slice path)
{
  return match(segments_of(pattern), path, NULL, NULL);
}

struct weir_slice weir__uri_parameter(const char *pattern, struct weir_slice path, const char *name)
{
  struct weir_slice found = NONE;
  return match(segments_of(pattern), path, name, &found) ? found : NONE;
}

struct weir_slice weir__uri_rest(const char *pattern, struct weir_slice path)
{
  struct weir_slice left = segments_of(pattern);
  while (left.len > 0 && path.len > 0) {
    if (kind_of(take_segment(&left)) == REST)
      return (struct weir_slice){path.data + 1, path.len - 1};
    take_segment(&path);
  }
  return NONE;
}

static int order_literals(struct weir_slice a, struct weir_slice b)
{
  int order = memcmp(a.data, b.data, a.len < b.len ? a.len : b.len);
  if (order == 0)
    order = (a.len > b.len) - (a.len < b.len);
  return order;
}

int weir__uri_pattern_order(const char *a, const char *b)
{
  struct weir_slice rest_a = segments_of(a), rest_b = segments_of(b);
  while (rest_a.len > 0 && rest_b.len > 0) {
    struct weir_slice segment_a = take_segment(&rest_a), segment_b = take_segment(&rest_b);
    int order = (int)kind_of(segment_a) - (int)kind_of(segment_b);
    if (order == 0 && kind_of(segment_a) == LITERAL)
      order = order_literals(segment_a, segment_b);
    if (order != 0)
      return order;
  }
  return (rest_a.len > 0) - (rest_b.len > 0);
}

static int hex_digit(char c)
{
  if (!weir__text_in((unsigned char)c, WEIR__TEXT_HEX))
    return -1;
  return c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10;
}

/* Takes the next byte of an encoded text that is not at its end. */
static char take_decoded(struct weir_slice *rest, bool plus)
{
  const char *at = rest->data;
  size_t size = 1;
  char byte = *at == '+' && plus ? ' ' : *at;
  if (*at == '%' && rest->len >= 3 && hex_digit(at[1]) >= 0 && hex_digit(at[2]) >= 0) {
    byte = (char)(hex_digit(at[1]) << 4 | hex_digit(at[2]));
    size = 3;
  }
  *rest = (struct weir_slice){at + size, rest->len - size};
  return byte;
}

static bool decodes_to(struct weir_slice text, const char *name)
{
  for (; text.len > 0; name++)
    if (*name == '\0' || take_decoded(&text, true) != *name)
      return false;
  return *name == '\0';
}

static struct weir_slice take_up_to(struct weir_slice *rest, char mark)
{
  const char *found = rest->len > 0 ? memchr(rest->data, mark, rest->len) : NULL;
  struct weir_slice taken = {rest->data, found != NULL ? (size_t)(found - rest->data) : rest->len};
  size_t size = found != NULL ? taken.len + 1 : taken.len;
  *rest = (struct weir_slice){rest->data + size, rest->len - size};
  return taken;
}

struct weir_slice weir__uri_query(struct weir_slice query, const char *name)
{
  while (query.len > 0) {
    struct weir_slice value = take_up_to(&query, '&');
    if (decodes_to(take_up_to(&value, '='), name))
      return value;
  }
  return NONE;
}

bool weir__uri_encoded(struct weir_slice text, bool plus)
{
  return text.len > 0 && (memchr(text.data, '%', text.len) != NULL ||
                          (plus && memchr(text.data, '+', text.len) != NULL));
}

size_t weir__uri_decode(struct weir_slice text, bool plus, char *out)
{
  size_t len = 0;
  while (text.len > 0)
    out[len++] = take_decoded(&text, plus);
  return len;
}

/* The length of an IP-literal, brackets and all, in front of a host; 0 when it is malformed. */
static size_t literal_length(struct weir_slice host)
{
  const char *close = memchr(host.data, ']', host.len);
  size_t len = close != NULL ? (size_t)(close - host.data) + 1 : 0;
  for (size_t i = 1; i + 1 < len; i++)
    if (host.data[i] != ':' && !weir__text_in((unsigned char)host.data[i], WEIR__TEXT_HOST))
      return 0;
  return len > 2 ? len : 0;
}

/* The length of a reg-name or IPv4 address in front of a host; 0 when there is none. */
static size_t name_length(struct weir_slice host)
{
  size_t len = 0;
  while (len < host.len && weir__text_in((unsigned char)host.data[len], WEIR__TEXT_HOST)) {
    if (host.data[len] == '%' && (host.len - len < 3 || hex_digit(host.data[len + 1]) < 0 ||
                                  hex_digit(host.data[len + 2]) < 0))
      return 0;
    len++;
  }
  return len;
}

bool weir__uri_host_valid(struct weir_slice host)
{
  if (host.len == 0)
    return false;
  size_t len = host.data[0] == '[' ? literal_length(host) : name_length(host);
  if (len == 0 || (len < host.len && host.data[len] != ':'))
    return false;
  for (size_t i = len + 1; i < host.len; i++)
    if (host.data[i] < '0' || host.data[i] > '9')
      return false;
  return true;
}
