/* A server's life up to listening, and its counts. */
#include "ws/server.h"

#include "io/tls_context.h"
#include "ws/conn.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

int weir__server_new(struct weir_server **out, const struct weir_options *options,
                     const struct weir__sys *sys)
{
  if (out == NULL)
    return -EINVAL;
  *out = NULL;
  struct weir_server *server = sys->alloc(sys, sizeof *server);
  if (server == NULL)
    return -ENOMEM;
  memset(server, 0, sizeof *server);
  server->sys = sys;
  if (weir__options_resolve(&server->options, options) != 0) {
    sys->free(sys, server);
    return -EINVAL;
  }
  server->http_limits.max_header_bytes = server->options.max_header_bytes;
  server->http_limits.max_header_fields = server->options.max_header_fields;
  server->http_limits.max_uri_bytes = server->options.max_uri_bytes;
  pthread_mutex_init(&server->gate, NULL);
  *out = server;
  return 0;
}

int weir_server_new(struct weir_server **server, const struct weir_options *options)
{
  return weir__server_new(server, options, &weir__sys_linux);
}

void weir__server_log(const struct weir_server *server, enum weir_log_level level, const char *text)
{
  if (server->options.log != NULL)
    server->options.log(level, text, server->options.log_arg);
}

static void set_port(struct weir__address *address, uint16_t port)
{
  if (address->storage.ss_family == AF_INET6)
    ((struct sockaddr_in6 *)&address->storage)->sin6_port = htons(port);
  else
    ((struct sockaddr_in *)&address->storage)->sin_port = htons(port);
}

static uint16_t get_port(const struct weir__address *address)
{
  if (address->storage.ss_family == AF_INET6)
    return ntohs(((const struct sockaddr_in6 *)&address->storage)->sin6_port);
  return ntohs(((const struct sockaddr_in *)&address->storage)->sin_port);
}

/* Opens the next address; the first one that gets a free port decides the port for all. */
static int listen_on(struct weir_server *server, struct weir__address *address)
{
  const struct weir__sys *sys = server->sys;
  if (server->port != 0)
    set_port(address, server->port);
  int fd = weir__listener_open(sys, address, (int)server->options.backlog,
                               server->options.loops > 1, false);
  if (fd < 0)
    return fd;
  int error = sys->getsockname(sys, fd, address);
  if (error != 0) {
    sys->close(sys, fd);
    return error;
  }
  server->port = get_port(address);
  server->fds[server->address_count] = fd;
  server->addresses[server->address_count++] = *address;
  return 0;
}

/* An address family that this machine lacks is no failure while another one serves. */
static bool is_missing(int error)
{
  return error == -EAFNOSUPPORT || error == -EADDRNOTAVAIL;
}

void weir__server_close_listeners(struct weir_server *server)
{
  for (size_t i = 0; i < server->address_count; i++) {
    if (server->fds[i] >= 0)
      server->sys->close(server->sys, server->fds[i]);
    server->fds[i] = -1;
  }
}

int weir_server_listen(struct weir_server *server, const char *host, uint16_t port)
{
  struct weir__address addresses[WEIR__ADDRESSES_MAX];
  if (server->address_count > 0)
    return -EBUSY;
  int count = server->sys->resolve(server->sys, host, port, addresses, WEIR__ADDRESSES_MAX);
  if (count < 0)
    return count;
  int error = -ENOENT;
  server->port = 0;
  for (int i = 0; i < count; i++) {
    int result = listen_on(server, &addresses[i]);
    if (result == 0 && host == NULL)
      return 0; /* one wildcard serves both families */
    if (result == 0 || (is_missing(result) && server->address_count > 0))
      error = 0;
    else if (!is_missing(result)) {
      weir__server_close_listeners(server);
      server->address_count = 0;
      server->port = 0;
      return result;
    } else
      error = result;
  }
  return error;
}

int weir_server_listen_tls(struct weir_server *server, struct weir_tls *tls, const char *host,
                           uint16_t port)
{
  if (tls == NULL)
    return -EINVAL;
  int error = weir_server_listen(server, host, port);
  if (error == 0)
    server->tls = weir__tls_ref(tls);
  return error;
}

uint16_t weir_server_port(const struct weir_server *server)
{
  return server->port;
}

static uint64_t read_count(const uint64_t *counter)
{
  return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

static void add_shard(struct weir_counters *sum, const struct weir__shard *shard)
{
  const struct weir_counters *counters = &shard->counters;
  sum->accepted += read_count(&counters->accepted);
  sum->opened += read_count(&counters->opened);
  sum->closed += read_count(&counters->closed);
  sum->refused += read_count(&counters->refused);
  sum->requests += read_count(&counters->requests);
  sum->messages_received += read_count(&counters->messages_received);
  sum->messages_sent += read_count(&counters->messages_sent);
  sum->bytes_received += read_count(&counters->bytes_received);
  sum->bytes_sent += read_count(&counters->bytes_sent);
  sum->dropped += read_count(&counters->dropped);
  sum->failed += read_count(&counters->failed);
  sum->tls_handshakes += read_count(&counters->tls_handshakes);
  sum->tls_failed += read_count(&counters->tls_failed);
  sum->messages_compressed += read_count(&counters->messages_compressed);
  sum->messages_inflated += read_count(&counters->messages_inflated);
  sum->twins_compressed += read_count(&counters->twins_compressed);
  for (size_t i = 0; i < shard->listener_count; i++)
    sum->accept_paused += read_count(&shard->listeners[i].paused);
  sum->memory_bytes += __atomic_load_n(&shard->loop->mem.bytes, __ATOMIC_RELAXED);
}

int weir_server_counters(const struct weir_server *server, struct weir_counters *out)
{
  if (out == NULL)
    return -EINVAL;
  memset(out, 0, sizeof *out);
  uint32_t count = __atomic_load_n(&server->shard_count, __ATOMIC_ACQUIRE);
  for (uint32_t i = 0; i < count; i++)
    add_shard(out, &server->shards[i]);
  out->compression_bytes = __atomic_load_n(&server->compression_bytes, __ATOMIC_RELAXED);
  return 0;
}
