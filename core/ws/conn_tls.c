/* What a connection under TLS does beside what all do: TLS has its place in front of it, its
 * ciphertext goes out before its messages, and when TLS fails (RFC 8446 section 6.2) the peer has
 * the alert, or plain words where it spoke plain HTTP, and the time to read them. */
#include "ws/conn.h"

#include "io/tls_stream.h"
#include "ws/admit.h"
#include "ws/request.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static struct weir_conn *conn_of(struct weir__source *source)
{
  return (struct weir_conn *)source;
}

static void tls_ready(struct weir__source *source)
{
  struct weir_conn *c = conn_of(source);
  struct weir__tls *tls = weir__tls_of(&c->stream);
  bool was_open = tls->open;
  if (tls->out != NULL && source->writable)
    weir__tls_flush(&c->stream, tls->loop->mem.sys); /* recv or send finds the same error */
  weir__conn_ready(source);
  if (!was_open && tls->open)
    weir__count(&c->shard->counters.tls_handshakes, 1);
}

/* The session goes after the descriptor: until then nothing calls it any more. */
static void tls_reclaim(struct weir__source *source)
{
  struct weir_conn *c = conn_of(source);
  weir__tls_fini(&c->stream);
  weir__slab_put(&c->shard->tls_conns, weir__tls_of(&c->stream));
}

const struct weir__source_ops weir__conn_tls_ops = {tls_ready, weir__conn_work, tls_reclaim};

/* A connection in a block of the slab's; false: fd still is the caller's. */
static bool begin(struct weir__listener *listener, struct weir_conn *c, int fd)
{
  const struct weir__shard *shard = listener->arg;
  uint16_t index = weir__shard_listener(shard, listener);
  struct weir__tls_context *context = weir__tls_take(shard->server->endpoints[index].tls);
  int error = weir__tls_init(&c->stream, shard->loop, context);
  if (error != 0) {
    weir__tls_context_unref(context);
    return false;
  }
  error = weir__conn_begin(c, listener, &weir__conn_tls_ops, &weir__stream_tls, fd);
  if (error != 0)
    weir__tls_fini(&c->stream);
  return error == 0;
}

void weir__conn_accepted_tls(struct weir__listener *listener, int fd)
{
  struct weir__shard *shard = listener->arg;
  struct weir__admission admission;
  if (!weir__admit(shard, fd, &admission))
    return;
  struct weir__tls *block = weir__slab_get(&shard->tls_conns);
  if (block != NULL && begin(listener, (struct weir_conn *)(block + 1), fd)) {
    weir__admit_conn((struct weir_conn *)(block + 1), &admission);
    return;
  }
  if (block != NULL)
    weir__slab_put(&shard->tls_conns, block);
  weir__admit_undo(shard, &admission);
  weir__shard_turn_away(shard, fd);
}

static void log_failure(const struct weir_conn *c, const char *what)
{
  char line[256];
  if (c->shard->server->options.log == NULL)
    return;
  snprintf(line, sizeof line, "TLS failed: %s", what);
  weir__server_log(c->shard->server, WEIR_LOG_INFO, line);
}

static void answer_http(struct weir_conn *c)
{
  static const char text[] = "HTTP/1.1 400 Bad Request\r\nContent-Length: 48\r\n"
                             "Connection: close\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
                             "this port speaks TLS; ask it by https:// or wss\n";
  weir__tls_send_raw(&c->stream, weir__conn_loop(c)->mem.sys, text, sizeof text - 1);
}

void weir__conn_tls_failed(struct weir_conn *c)
{
  const char *what = weir__tls_reason(&c->stream);
  weir__count(&c->shard->counters.tls_failed, 1);
  log_failure(c, what);
  if (weir__tls_met_http(&c->stream))
    answer_http(c);
  if (c->state == WEIR__CONN_HTTP)
    weir__http_drop(c);
  weir__conn_tell_lost(c, -EPROTO, what);
  if (c->state == WEIR__CONN_DEAD)
    return;
  weir__conn_drop_outbox(c);
  weir__conn_linger(c);
}

int weir_conn_tls(const struct weir_conn *c, struct weir_tls_info *out)
{
  if (out == NULL)
    return -EINVAL;
  if (c->stream.ops != &weir__stream_tls)
    return -ENOTCONN;
  struct weir__tls *tls = weir__tls_of(&c->stream);
  return weir__tls_describe(tls->ssl, &tls->peer, out);
}

int weir_request_tls(const struct weir_request *request, struct weir_tls_info *out)
{
  if (out == NULL)
    return -EINVAL;
  return request->conn == NULL ? -ENOTCONN : weir_conn_tls(request->conn, out);
}
