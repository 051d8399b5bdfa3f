/* Options with their defaults filled in. */
#include "ws/server.h"

#include <errno.h>
#include <string.h>

/* Copies what the caller's version of a structure has; later fields are zero: their defaults. */
static int take(void *out, const void *in, size_t size, size_t in_size)
{
  if (in_size < sizeof(size_t) || in_size > size)
    return -EINVAL;
  memset(out, 0, size);
  memcpy(out, in, in_size);
  return 0;
}

static void fill(size_t *option, size_t value)
{
  if (*option == 0)
    *option = value;
}

int weir__options_resolve(struct weir_options *out, const struct weir_options *in)
{
  memset(out, 0, sizeof *out);
  if (in != NULL && take(out, in, sizeof *out, in->size) != 0)
    return -EINVAL;
  out->size = sizeof *out;
  fill(&out->loops, 1);
  fill(&out->backlog, 4096);
  fill(&out->handshake_timeout_ms, 10000);
  fill(&out->keep_alive_ms, 5000);
  fill(&out->max_header_bytes, 16384);
  fill(&out->max_header_fields, 64);
  fill(&out->max_uri_bytes, 8192);
  fill(&out->max_compression_bytes, 256 << 20);
  fill(&out->max_connections_per_address, WEIR_OFF);
  fill(&out->max_handshakes, 16384);
  fill(&out->max_topics, 1 << 20);
  fill(&out->max_queue_memory, WEIR_OFF);
  bool valid = out->loops <= WEIR__LOOPS_MAX && out->backlog <= INT32_MAX &&
               out->max_header_bytes <= UINT32_MAX / 2 && out->max_uri_bytes <= UINT32_MAX / 2 &&
               out->max_header_fields <= WEIR__HTTP_FIELDS && out->busy_poll_us <= 1000000 &&
               out->trust_forwarded <= 1;
  return valid ? 0 : -EINVAL;
}

static bool compression_valid(const struct weir_route_options *o)
{
  return o->compression <= WEIR_COMPRESSION_DEDICATED && o->compression_level <= 9 &&
         o->server_window_bits >= 9 && o->server_window_bits <= 15 && o->client_window_bits >= 8 &&
         o->client_window_bits <= 15;
}

int weir__http_route_resolve(struct weir_http_route *out, const struct weir_http_route *in)
{
  if (take(out, in, sizeof *out, in->size) != 0 || out->on_request == NULL)
    return -EINVAL;
  out->size = sizeof *out;
  fill(&out->max_body_bytes, 1 << 20);
  fill(&out->body_timeout_ms, 30000);
  fill(&out->response_timeout_ms, 60000);
  fill(&out->max_queued_bytes, 1 << 20);
  return 0;
}

int weir__route_options_resolve(struct weir_route_options *out, const struct weir_route_options *in)
{
  memset(out, 0, sizeof *out);
  if (in->size != 0 && take(out, in, sizeof *out, in->size) != 0)
    return -EINVAL;
  out->size = sizeof *out;
  fill(&out->max_message_bytes, 1 << 20);
  fill(&out->max_fragments, 16384);
  fill(&out->max_queued_bytes, 1 << 20);
  fill(&out->max_queued_messages, 4096);
  fill(&out->ping_interval_ms, 30000);
  fill(&out->pong_timeout_ms, 20000);
  fill(&out->idle_timeout_ms, WEIR_OFF);
  fill(&out->close_timeout_ms, 5000);
  fill(&out->compression_threshold, 1024);
  fill(&out->compression_level, 1);
  fill(&out->server_window_bits, 15);
  fill(&out->client_window_bits, 15);
  fill(&out->message_timeout_ms, 60000);
  fill(&out->max_messages_per_s, WEIR_OFF);
  fill(&out->max_bytes_per_s, WEIR_OFF);
  fill(&out->max_subscriptions, 16384);
  fill(&out->max_lifetime_ms, WEIR_OFF);
  bool valid = out->queue_policy <= WEIR_QUEUE_KEEP_LATEST && out->no_broadcast <= 1 &&
               out->origin_required <= 1 && out->close_timeout_ms != WEIR_OFF &&
               compression_valid(out);
  return valid ? 0 : -EINVAL;
}
