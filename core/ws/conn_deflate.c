/* Compressed messages to bytes, and what was agreed about them (RFC 7692 sections 7.1 and 7.2.1).
 */
#include "ws/conn_deflate.h"

#include "ws/conn_out.h"

#include <errno.h>

int weir__conn_negotiate(const struct weir__route *route, const struct weir__http_head *head,
                         struct weir__deflate_params *params, const char **reason)
{
  const struct weir_route_options *options = &route->options;
  params->agreed = false;
  if (options->compression == WEIR_COMPRESSION_OFF)
    return 0;
  const struct weir__deflate_wish wish = {
      .takeover = options->compression == WEIR_COMPRESSION_DEDICATED,
      .server_bits = (uint8_t)options->server_window_bits,
      .client_bits = (uint8_t)options->client_window_bits,
  };
  int error = weir__extension_negotiate(head, &wish, params, reason);
  if (options->queue_policy >= WEIR_QUEUE_DROP_OLDEST) /* what is dropped cannot be referred to */
    params->server_takeover = false;
  return error;
}

void weir__conn_agree(struct weir_conn *c, struct weir__deflate_params *params)
{
  if (!params->agreed)
    return;
  if (params->client_takeover &&
      !weir__deflate_take(c->shard->server, weir__inflate_bytes(params->client_bits)))
    params->client_takeover = false;
  c->deflate = 1;
  c->server_takeover = params->server_takeover;
  c->client_takeover = params->client_takeover;
  c->server_bits = (params->server_bits - 8u) & 7;
  c->client_bits = (params->client_bits - 8u) & 7;
}

void weir__conn_deflate_end(struct weir_conn *c)
{
  weir__context_drop(c);
  if (c->client_takeover)
    weir__deflate_give(c->shard->server, weir__inflate_bytes(weir__conn_client_bits(c)));
  c->client_takeover = 0;
}

int weir_conn_compression(const struct weir_conn *c, struct weir_compression_state *out)
{
  if (out == NULL)
    return -EINVAL;
  *out = (struct weir_compression_state){0};
  if (!c->deflate)
    return 0;
  out->agreed = 1;
  out->server_takeover = c->server_takeover;
  out->client_takeover = c->client_takeover;
  out->server_window_bits = weir__conn_server_bits(c);
  out->client_window_bits = weir__conn_client_bits(c);
  return 0;
}

struct weir__deflate_kind weir__conn_deflate_kind(const struct weir_conn *c, size_t len)
{
  return (struct weir__deflate_kind){
      .window_bits = weir__deflate_bits(len, weir__conn_server_bits(c)),
      .level = (uint8_t)weir__conn_route(c)->options.compression_level,
  };
}

/* Sends what came of a message, or the message itself where that is 0 bytes. What the peer does not
 * get as it was compressed must not be referred to. */
static int send_made(struct weir_conn *c, uint8_t opcode, struct iovec message, struct iovec made)
{
  bool worth = made.iov_len > 0;
  struct iovec bytes = worth ? made : message;
  uint8_t first = (uint8_t)(WEIR__FIN | (worth ? WEIR__RSV1 : 0) | opcode);
  int error = weir__conn_send_encoded(c, first, bytes.iov_base, bytes.iov_len);
  if (!worth || error != 0)
    weir__context_forget(c);
  else
    weir__count(&c->shard->counters.messages_compressed, 1);
  return error;
}

/* Compresses with the connection's own compressor where it has one. Returns how many bytes that
 * made; 0 when they do not fit. */
static size_t make_smaller(struct weir_conn *c, struct weir__deflate_stream *own, const void *data,
                           size_t len, unsigned char *out, size_t room)
{
  size_t made;
  if (own == NULL)
    return weir__deflate_alone(c->shard, weir__conn_deflate_kind(c, len), data, len, out, room);
  return weir__deflate_message(own, data, len, out, room, &made) == 0 ? made : 0;
}

/* To a connection whose handler does not run: perhaps one of many that get it. */
static int send_to_other(struct weir_conn *c, uint8_t opcode, struct iovec message)
{
  const unsigned char *out = NULL;
  struct weir__deflate_kind kind = weir__conn_deflate_kind(c, message.iov_len);
  size_t made = weir__deflate_again(c->shard, kind, message.iov_base, message.iov_len, &out);
  return send_made(c, opcode, message, (struct iovec){(void *)(uintptr_t)out, made});
}

int weir__conn_send_compressed(struct weir_conn *c, uint8_t opcode, const void *data, size_t len)
{
  const struct iovec message = {(void *)(uintptr_t)data, len};
  struct weir__deflate_stream *own = weir__context_compressor(c);
  bool other = weir__conn_loop(c)->current != &c->stream.source;
  if (own == NULL && other && len <= WEIR__COMPRESSED_MAX)
    return send_to_other(c, opcode, message);
  struct weir__pool *pool = weir__conn_pool(c);
  size_t got, made = 0;
  unsigned char *out = weir__pool_get(pool, len, &got);
  if (out != NULL)
    made = make_smaller(c, own, data, len, out, len - 1);
  int error = send_made(c, opcode, message, (struct iovec){out, made});
  weir__pool_put(pool, out, got);
  return error;
}

int weir__conn_queue_twin(struct weir_conn *c, const struct weir__twin *twin,
                          const struct weir__topic *topic)
{
  int error = weir__conn_queue_part(c, &twin->part, twin->header_len, topic);
  if (error != 0)
    return error;
  weir__count(&c->shard->counters.messages_compressed, 1);
  weir__context_forget(c);
  return 0;
}
