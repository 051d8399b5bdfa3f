/* How a server begins, its log and its counts. */
#include "ws/server.h"

#include "ws/admit.h"
#include "ws/client.h"

#include <errno.h>
#include <string.h>

/* Whatever else the options ask for. */
static int set_up(struct weir_server *server)
{
  const struct weir__sys *sys = server->sys;
  struct weir_options *options = &server->options;
  uint64_t key[2] = {0};
  int error = 0;
  if (options->max_connections == 0)
    options->max_connections = weir__admit_default(sys->descriptor_limit(sys));
  server->http_limits.max_header_bytes = options->max_header_bytes;
  server->http_limits.max_header_fields = options->max_header_fields;
  server->http_limits.max_uri_bytes = options->max_uri_bytes;
  if (options->max_connections_per_address != WEIR_OFF)
    error = sys->random(sys, key, sizeof key);
  if (error != 0)
    return error;
  if (options->max_queue_memory != WEIR_OFF) {
    server->account = weir__account_new(sys);
    if (server->account == NULL)
      return -ENOMEM;
  }
  weir__guests_init(&server->guests, sys, key);
  pthread_mutex_init(&server->gate, NULL);
  return 0;
}

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
  int error = weir__options_resolve(&server->options, options);
  if (error == 0)
    error = weir__server_trust(server);
  if (error == 0)
    error = set_up(server);
  if (error != 0) {
    weir__server_trust_nobody(server);
    sys->free(sys, server);
    return error;
  }
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
  sum->turned_away += read_count(&counters->turned_away);
  for (size_t i = 0; i < shard->listener_count; i++)
    sum->accept_paused += read_count(&shard->listeners[i].paused);
  sum->shed += read_count(&counters->shed);
  sum->queue_bytes += __atomic_load_n(&shard->loop->pool.queued, __ATOMIC_RELAXED);
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
  out->memory_bytes += __atomic_load_n(&server->guests.mem.bytes, __ATOMIC_RELAXED);
  if (server->account != NULL)
    out->queue_bytes += __atomic_load_n(&server->account->bytes, __ATOMIC_RELAXED);
  out->compression_bytes = __atomic_load_n(&server->compression_bytes, __ATOMIC_RELAXED);
  return 0;
}
