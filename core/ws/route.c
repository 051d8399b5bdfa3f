/* The table of routes: patterns to handlers, in order of precedence. */
#include "wire/text.h"
#include "wire/uri.h"
#include "ws/server.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { USER_BYTES_MAX = 64 << 10 };

static void *zalloc(const struct weir__sys *sys, size_t size)
{
  void *memory = sys->alloc(sys, size);
  if (memory != NULL)
    memset(memory, 0, size);
  return memory;
}

static char *copy_string(const struct weir__sys *sys, const char *text)
{
  size_t size = strlen(text) + 1;
  char *copy = sys->alloc(sys, size);
  if (copy != NULL)
    memcpy(copy, text, size);
  return copy;
}

static void free_list(const struct weir__sys *sys, const char *const *list)
{
  for (size_t i = 0; list != NULL && list[i] != NULL; i++)
    sys->free(sys, (void *)(uintptr_t)list[i]);
  sys->free(sys, (void *)(uintptr_t)list);
}

/* A copy of a NULL-terminated list of strings. */
static int copy_list(const struct weir__sys *sys, const char *const **list)
{
  const char *const *from = *list;
  size_t count = 0;
  if (from == NULL)
    return 0;
  while (from[count] != NULL)
    count++;
  const char **copy = zalloc(sys, (count + 1) * sizeof *copy);
  *list = copy;
  for (size_t i = 0; copy != NULL && i < count; i++) {
    copy[i] = copy_string(sys, from[i]);
    if (copy[i] == NULL) {
      free_list(sys, copy);
      copy = NULL;
      *list = NULL;
    }
  }
  return copy == NULL ? -ENOMEM : 0;
}

static void free_route(const struct weir__sys *sys, struct weir__route *route)
{
  free_list(sys, route->options.protocols);
  free_list(sys, route->options.origins);
  sys->free(sys, route->pattern);
  sys->free(sys, route->method);
  sys->free(sys, route);
}

void weir__server_free_routes(struct weir_server *server)
{
  for (size_t i = 0; i < server->route_count; i++)
    free_route(server->sys, server->routes[i]);
  server->sys->free(server->sys, server->routes);
}

static int may_add(const struct weir_server *server, const char *pattern)
{
  if (pattern == NULL || !weir__uri_pattern_valid(pattern))
    return -EINVAL;
  if (server->endpoint_count > 0)
    return -EBUSY;
  return server->route_count == WEIR__ROUTES_MAX ? -ENOMEM : 0;
}

static bool is_same(const char *a, const char *b)
{
  return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool is_taken(const struct weir_server *server, const struct weir__route *by)
{
  for (size_t i = 0; i < server->route_count; i++) {
    const struct weir__route *route = server->routes[i];
    if (route->plain == by->plain && route->name == by->name &&
        is_same(route->method, by->method) &&
        weir__uri_pattern_order(route->pattern, by->pattern) == 0)
      return true;
  }
  return false;
}

/* Gives a route the number of its listeners' name, and the copy of it. */
static int name_route(struct weir_server *server, struct weir__route *route)
{
  int name = weir__server_name(server, route->options.listener);
  if (name < 0)
    return name;
  route->name = (uint16_t)name;
  route->options.listener = name == 0 ? NULL : server->names[name - 1];
  return 0;
}

/* Whether a goes before b: of one pattern, those with a method go first. */
static bool goes_first(const struct weir__route *a, const struct weir__route *b)
{
  int order = weir__uri_pattern_order(a->pattern, b->pattern);
  return order < 0 || (order == 0 && (a->method != NULL || b->method == NULL));
}

/* Puts a route in its place and takes it over. */
static int insert(struct weir_server *server, struct weir__route *route)
{
  const struct weir__sys *sys = server->sys;
  size_t count = server->route_count;
  if (is_taken(server, route))
    return -EEXIST;
  struct weir__route **grown = sys->alloc(sys, (count + 1) * sizeof(struct weir__route *));
  if (grown == NULL)
    return -ENOMEM;
  size_t at = 0;
  while (at < count && goes_first(server->routes[at], route))
    at++;
  for (size_t i = 0; i < count; i++)
    grown[i < at ? i : i + 1] = server->routes[i];
  grown[at] = route;
  sys->free(sys, server->routes);
  server->routes = grown;
  server->route_count = count + 1;
  return 0;
}

/* Noise, at its worst through a small window or with little memory: what zlib's deflateBound allows
 * for; and the ends of fragments. */
static uint64_t compressed_bytes(uint64_t message)
{
  uint64_t more = message / 8 + message / 64 + 1024;
  return message > UINT64_MAX - more ? UINT64_MAX : message + more;
}

static uint32_t up_to_32_bits(size_t value)
{
  return value > UINT32_MAX ? UINT32_MAX : (uint32_t)value;
}

/* Of a queue's bytes, those that a reply may hold, its last header apart. */
static size_t reply_bytes(size_t queued)
{
  size_t bytes = queued < WEIR__REPLY_BYTES ? queued : WEIR__REPLY_BYTES;
  return bytes < WEIR__SERVER_HEADER_MAX ? 0 : bytes - WEIR__SERVER_HEADER_MAX;
}

/* Fills a route from what the caller gave; what is copied so far is freed with it. */
static int fill(const struct weir__sys *sys, struct weir__route *out, const char *pattern,
                const struct weir_route *in)
{
  int error = weir__route_options_resolve(&out->options, &in->options);
  if (error != 0)
    return error;
  const char *const *origins = out->options.origins;
  out->options.origins = NULL;
  error = copy_list(sys, &out->options.protocols);
  if (error != 0)
    return error;
  out->options.origins = origins;
  error = copy_list(sys, &out->options.origins);
  if (error != 0)
    return error;
  out->pattern = copy_string(sys, pattern);
  out->handlers = in->handlers;
  out->user_bytes = (in->user_bytes + 15) / 16 * 16;
  out->limits.max_message_bytes = out->options.max_message_bytes;
  out->limits.max_compressed_bytes = compressed_bytes(out->limits.max_message_bytes);
  out->limits.max_fragments = up_to_32_bits(out->options.max_fragments);
  out->metered =
      out->options.max_messages_per_s != WEIR_OFF || out->options.max_bytes_per_s != WEIR_OFF;
  out->reply_bytes = reply_bytes(out->options.max_queued_bytes);
  out->compress_from = WEIR__AT_ONCE_BYTES;
  if (out->options.compression_threshold < WEIR__AT_ONCE_BYTES)
    out->compress_from = (uint16_t)out->options.compression_threshold;
  return out->pattern == NULL ? -ENOMEM : 0;
}

static int add(struct weir_server *server, struct weir__route *route)
{
  int error = name_route(server, route);
  if (error == 0)
    error = insert(server, route);
  if (error != 0)
    free_route(server->sys, route);
  return error;
}

/* A route with a pattern and options. */
static int make(const struct weir__sys *sys, const char *pattern, const struct weir_route *in,
                struct weir__route **out)
{
  struct weir__route *route = zalloc(sys, sizeof *route);
  if (route == NULL)
    return -ENOMEM;
  int error = fill(sys, route, pattern, in);
  if (error != 0)
    free_route(sys, route);
  *out = route;
  return error;
}

int weir_server_route(struct weir_server *server, const char *path, const struct weir_route *in,
                      void *arg)
{
  struct weir_route given = {0};
  struct weir__route *route;
  int error = may_add(server, path);
  if (error != 0)
    return error;
  if (in == NULL || in->size < sizeof(size_t) || in->size > sizeof given)
    return -EINVAL;
  memcpy(&given, in, in->size);
  if (given.user_bytes > USER_BYTES_MAX)
    return -EINVAL;
  error = make(server->sys, path, &given, &route);
  if (error != 0)
    return error;
  route->arg = arg;
  size_t user_bytes = route->user_bytes;
  error = add(server, route);
  if (error == 0 && user_bytes > server->user_bytes)
    server->user_bytes = user_bytes;
  return error;
}

/* A route of plain requests, with every default filled in. */
static int add_plain(struct weir_server *server, const char *method, const char *path,
                     const struct weir_http_route *http, void *arg)
{
  struct weir_route plain = {.size = sizeof plain};
  struct weir__route *route;
  plain.options.size = sizeof plain.options;
  plain.options.listener = http->listener;
  int error = make(server->sys, path, &plain, &route);
  if (error != 0)
    return error;
  route->plain = true;
  route->http = *http;
  route->arg = arg;
  if (method != NULL && (route->method = copy_string(server->sys, method)) == NULL) {
    free_route(server->sys, route);
    return -ENOMEM;
  }
  return add(server, route);
}

int weir_server_http(struct weir_server *server, const char *method, const char *path,
                     const struct weir_http_route *in, void *arg)
{
  struct weir_http_route http;
  struct weir_slice name = {method, method == NULL ? 0 : strlen(method)};
  if (in == NULL || (method != NULL && !weir__http_is_token(name)))
    return -EINVAL;
  int error = may_add(server, path);
  if (error == 0)
    error = weir__http_route_resolve(&http, in);
  return error == 0 ? add_plain(server, method, path, &http, arg) : error;
}

int weir_server_get(struct weir_server *server, const char *path,
                    int (*handler)(struct weir_request *request, void *arg), void *arg)
{
  const struct weir_http_route in = {.size = sizeof in, .on_request = handler};
  struct weir_http_route http;
  int error = handler == NULL ? -EINVAL : may_add(server, path);
  if (error == 0)
    error = weir__http_route_resolve(&http, &in);
  http.max_body_bytes = 0;
  return error == 0 ? add_plain(server, "GET", path, &http, arg) : error;
}

struct weir__route *weir__server_match(const struct weir_server *server, uint16_t name,
                                       struct weir_slice path, uint16_t *index)
{
  for (size_t i = 0; i < server->route_count; i++) {
    struct weir__route *route = server->routes[i];
    if (!route->plain && route->name == name && weir__uri_match(route->pattern, path)) {
      *index = (uint16_t)i;
      return route;
    }
  }
  return NULL;
}

/* GET answers HEAD too (RFC 9110 section 9.3.2). */
static bool answers(const struct weir__route *route, struct weir_slice method)
{
  return route->method == NULL || weir__text_equal(method, route->method) ||
         (strcmp(route->method, "GET") == 0 && weir__text_equal(method, "HEAD"));
}

/* Adds a method to a list, if it has room for it. */
static void allow_method(char allow[WEIR__ALLOW_BYTES], const char *method)
{
  size_t len = strlen(allow);
  const char *more = strcmp(method, "GET") == 0 ? ", HEAD" : "";
  if (len + strlen(method) + strlen(more) + 2 < WEIR__ALLOW_BYTES)
    snprintf(allow + len, WEIR__ALLOW_BYTES - len, "%s%s%s", len > 0 ? ", " : "", method, more);
}

const struct weir__route *weir__server_match_http(const struct weir_server *server, uint16_t name,
                                                  struct weir_slice path, struct weir_slice method,
                                                  char allow[WEIR__ALLOW_BYTES])
{
  allow[0] = '\0';
  for (size_t i = 0; i < server->route_count; i++) {
    const struct weir__route *route = server->routes[i];
    if (!route->plain || route->name != name || !weir__uri_match(route->pattern, path))
      continue;
    if (answers(route, method))
      return route;
    allow_method(allow, route->method);
  }
  return NULL;
}
