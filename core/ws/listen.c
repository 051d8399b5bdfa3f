/* What a server listens on: endpoints, opened as the options say, with their names and TLS; and for
 * each further loop sockets on the same addresses, or, of unix and inherited sockets, which cannot
 * be joined, duplicates. */
#include "io/tls_context.h"
#include "ws/server.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

enum { NAMES_MAX = UINT16_MAX };

static void set_port(struct weir__address *address, uint16_t port)
{
  if (address->storage.ss_family == AF_INET6)
    ((struct sockaddr_in6 *)&address->storage)->sin6_port = htons(port);
  else
    ((struct sockaddr_in *)&address->storage)->sin_port = htons(port);
}

/* 0 where there is none. */
static uint16_t get_port(const struct weir__address *address)
{
  if (address->storage.ss_family == AF_INET6)
    return ntohs(((const struct sockaddr_in6 *)&address->storage)->sin6_port);
  if (address->storage.ss_family == AF_INET)
    return ntohs(((const struct sockaddr_in *)&address->storage)->sin_port);
  return 0;
}

/* ---- names */

static int find_name(const struct weir_server *server, const char *name)
{
  for (size_t i = 0; i < server->name_count; i++) {
    if (strcmp(server->names[i], name) == 0)
      return (int)i + 1;
  }
  return 0;
}

static int add_name(struct weir_server *server, const char *name)
{
  const struct weir__sys *sys = server->sys;
  size_t count = server->name_count, size = strlen(name) + 1;
  if (count == NAMES_MAX)
    return -ENOMEM;
  char **grown = sys->alloc(sys, (count + 1) * sizeof *grown);
  char *copy = sys->alloc(sys, size);
  if (grown == NULL || copy == NULL) {
    sys->free(sys, grown);
    sys->free(sys, copy);
    return -ENOMEM;
  }
  memcpy(copy, name, size);
  for (size_t i = 0; i < count; i++)
    grown[i] = server->names[i];
  grown[count] = copy;
  sys->free(sys, server->names);
  server->names = grown;
  server->name_count = count + 1;
  return (int)count + 1;
}

int weir__server_name(struct weir_server *server, const char *name)
{
  int known = name == NULL ? 0 : find_name(server, name);
  return name == NULL || known > 0 ? known : add_name(server, name);
}

/* ---- endpoints */

/* Adds an endpoint, which takes the descriptor over. */
static struct weir__endpoint *add_endpoint(struct weir_server *server, int fd,
                                           const struct weir__address *address)
{
  struct weir__endpoint *endpoint = &server->endpoints[server->endpoint_count++];
  *endpoint = (struct weir__endpoint){.fd = fd, .address = *address};
  return endpoint;
}

static void unlink_file(const struct weir_server *server, struct weir__endpoint *endpoint)
{
  weir__unix_unlink(server->sys, &endpoint->address, &endpoint->file);
}

void weir__server_unlink_files(struct weir_server *server)
{
  for (size_t i = 0; i < server->endpoint_count; i++)
    unlink_file(server, &server->endpoints[i]);
}

/* Takes back the endpoints from a place on. */
static void drop_endpoints(struct weir_server *server, size_t from)
{
  while (server->endpoint_count > from) {
    struct weir__endpoint *endpoint = &server->endpoints[--server->endpoint_count];
    unlink_file(server, endpoint);
    if (!endpoint->taken)
      server->sys->close(server->sys, endpoint->fd);
    weir_tls_free(endpoint->tls);
  }
}

void weir__server_free_endpoints(struct weir_server *server)
{
  const struct weir__sys *sys = server->sys;
  drop_endpoints(server, 0);
  for (size_t i = 0; i < server->name_count; i++)
    sys->free(sys, server->names[i]);
  sys->free(sys, server->names);
}

/* Opens an address; *port is changed from 0 to the one that it got. */
static int open_address(struct weir_server *server, struct weir__address *address, uint16_t *port)
{
  const struct weir__sys *sys = server->sys;
  if (server->endpoint_count == WEIR__ENDPOINTS_MAX)
    return -ENOSPC;
  set_port(address, *port);
  int fd = weir__listener_open(sys, address, (int)server->options.backlog,
                               server->options.loops > 1, false);
  if (fd < 0)
    return fd;
  int error = sys->getsockname(sys, fd, address);
  if (error != 0) {
    sys->close(sys, fd);
    return error;
  }
  *port = get_port(address);
  add_endpoint(server, fd, address);
  return 0;
}

/* An address family that this machine lacks is no failure while another one serves. */
static bool is_missing(int error)
{
  return error == -EAFNOSUPPORT || error == -EADDRNOTAVAIL;
}

/* All addresses of a host; the first one that gets a free port decides the port for all. */
static int open_host(struct weir_server *server, const char *host, uint16_t port)
{
  struct weir__address addresses[WEIR__ADDRESSES_MAX];
  int count = server->sys->resolve(server->sys, host, port, addresses, WEIR__ADDRESSES_MAX);
  int error = count < 0 ? count : -ENOENT;
  bool serves = false;
  for (int i = 0; i < count; i++) {
    int result = open_address(server, &addresses[i], &port);
    if (result == 0 && host == NULL)
      return 0; /* one wildcard serves both families */
    if (result != 0 && !is_missing(result))
      return result;
    serves |= result == 0;
    error = serves ? 0 : result;
  }
  return error;
}

static int open_path(struct weir_server *server, const char *path, mode_t mode)
{
  struct weir__address address;
  struct weir__socket_file file;
  if (server->endpoint_count == WEIR__ENDPOINTS_MAX)
    return -ENOSPC;
  int error = weir__unix_address(&address, path);
  if (error != 0)
    return error;
  int fd = weir__unix_open(server->sys, &address, (int)server->options.backlog, mode, &file);
  if (fd < 0)
    return fd;
  struct weir__endpoint *endpoint = add_endpoint(server, fd, &address);
  endpoint->file = file;
  endpoint->shared = server->options.loops > 1;
  return 0;
}

static bool is_its_own(const struct weir_server *server, int fd)
{
  for (size_t i = 0; i < server->endpoint_count; i++) {
    if (server->endpoints[i].fd == fd)
      return true;
  }
  return false;
}

/* Others may have descriptors of it in other processes. */
static int open_inherited(struct weir_server *server, int fd)
{
  struct weir__address address;
  if (server->endpoint_count == WEIR__ENDPOINTS_MAX)
    return -ENOSPC;
  if (is_its_own(server, fd)) /* it would be closed twice */
    return -EINVAL;
  int error = weir__listener_adopt(server->sys, fd, &address);
  if (error == 0)
    add_endpoint(server, fd, &address)->shared = true;
  return error;
}

static int open_as_told(struct weir_server *server, const struct weir_listen_options *options)
{
  if (options->fd > 0)
    return open_inherited(server, options->fd);
  if (options->path != NULL)
    return open_path(server, options->path, (mode_t)options->mode);
  return open_host(server, options->host, (uint16_t)options->port);
}

/* ---- the public functions */

/* One of a host or port, a path, a descriptor; permissions of a file alone. */
static bool is_valid(const struct weir_listen_options *options)
{
  bool host = options->host != NULL || options->port != 0, path = options->path != NULL;
  bool file = path && options->path[0] != '@';
  return options->port <= UINT16_MAX && options->mode <= 07777 && (file || options->mode == 0) &&
         options->fd >= 0 && host + path + (options->fd > 0) <= 1;
}

/* Whoever may tell a client's address may tell any: there must be somebody who is trusted. */
static bool may_proxy(const struct weir_server *server, const struct weir_listen_options *options)
{
  return options->proxy_protocol == 0 ||
         (options->proxy_protocol == 1 && server->trusted_count > 0);
}

static int take_options(struct weir_listen_options *out, const struct weir_listen_options *in)
{
  memset(out, 0, sizeof *out);
  if (in == NULL || in->size < sizeof in->size || in->size > sizeof *in)
    return -EINVAL;
  memcpy(out, in, in->size);
  return is_valid(out) ? 0 : -EINVAL;
}

int weir_server_listen_on(struct weir_server *server, const struct weir_listen_options *options)
{
  struct weir_listen_options given;
  size_t before = server->endpoint_count;
  int error = take_options(&given, options);
  if (error != 0 || !may_proxy(server, &given))
    return -EINVAL;
  if (server->shards != NULL)
    return -EBUSY;
  int name = weir__server_name(server, given.name);
  error = name < 0 ? name : open_as_told(server, &given);
  if (error != 0) {
    drop_endpoints(server, before);
    return error;
  }
  for (size_t i = before; i < server->endpoint_count; i++) {
    struct weir__endpoint *endpoint = &server->endpoints[i];
    endpoint->name = (uint16_t)name;
    endpoint->proxy = given.proxy_protocol == 1;
    endpoint->tls = given.tls == NULL ? NULL : weir__tls_ref(given.tls);
  }
  return 0;
}

int weir_server_listen(struct weir_server *server, const char *host, uint16_t port)
{
  const struct weir_listen_options options = {.size = sizeof options, .host = host, .port = port};
  return weir_server_listen_on(server, &options);
}

int weir_server_listen_tls(struct weir_server *server, struct weir_tls *tls, const char *host,
                           uint16_t port)
{
  const struct weir_listen_options options = {
      .size = sizeof options, .host = host, .port = port, .tls = tls};
  return tls == NULL ? -EINVAL : weir_server_listen_on(server, &options);
}

/* The first port of all endpoints, or of those of a name. */
static uint16_t first_port(const struct weir_server *server, bool all, int name)
{
  uint16_t port = 0;
  for (size_t i = 0; port == 0 && i < server->endpoint_count; i++) {
    if (all || server->endpoints[i].name == name)
      port = get_port(&server->endpoints[i].address);
  }
  return port;
}

uint16_t weir_server_port(const struct weir_server *server)
{
  return first_port(server, true, 0);
}

uint16_t weir_server_port_of(const struct weir_server *server, const char *name)
{
  int number = name == NULL ? 0 : find_name(server, name);
  return name != NULL && number == 0 ? 0 : first_port(server, false, number);
}

/* ---- the sockets of each loop */

static void close_all(const struct weir_server *server, const int *fds, size_t count)
{
  for (size_t i = 0; i < count; i++) {
    if (fds[i] >= 0)
      server->sys->close(server->sys, fds[i]);
  }
}

/* A further descriptor for an endpoint. */
static int join(const struct weir_server *server, const struct weir__endpoint *endpoint)
{
  if (endpoint->shared)
    return server->sys->duplicate(server->sys, endpoint->fd);
  return weir__listener_open(server->sys, &endpoint->address, (int)server->options.backlog, true,
                             true);
}

int weir__server_sockets(struct weir_server *server, uint32_t index, int *fds)
{
  for (size_t i = 0; i < server->endpoint_count; i++) {
    const struct weir__endpoint *endpoint = &server->endpoints[i];
    if (index == 0)
      fds[i] = endpoint->taken ? -1 : endpoint->fd;
    else
      fds[i] = join(server, endpoint);
    if (index > 0 && fds[i] < 0) {
      close_all(server, fds, i);
      return fds[i];
    }
  }
  return 0;
}

void weir__server_settle_sockets(struct weir_server *server, uint32_t index, const int *fds)
{
  if (index > 0)
    close_all(server, fds, server->endpoint_count);
  for (size_t i = 0; index == 0 && i < server->endpoint_count; i++)
    server->endpoints[i].taken = fds[i] < 0;
}
