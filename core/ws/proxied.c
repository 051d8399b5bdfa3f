/* Connections that begin with a header of the PROXY protocol, in clear also where TLS follows: so
 * it is taken from the socket, exactly its bytes, before the stream reads any. Until then the
 * connection's source has operations of its own; a header that comes in parts is kept where that of
 * a request would be. Nothing is answered: who does not keep to it is no proxy of ours. */
#include "ws/client.h"

#include "io/tls_stream.h"
#include "wire/proxy.h"
#include "ws/extra.h"
#include "ws/http_conn.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char no_memory[] = "there is no memory for its PROXY header";

static struct weir_conn *conn_of(struct weir__source *source)
{
  return (struct weir_conn *)source;
}

static bool is_secure(const struct weir_conn *c)
{
  return c->stream.ops == &weir__stream_tls;
}

static const struct weir__source_ops *ops_behind(const struct weir_conn *c)
{
  return is_secure(c) ? &weir__conn_tls_ops : &weir__conn_ops;
}

static void turn_away(struct weir_conn *c, const char *why)
{
  char line[256];
  snprintf(line, sizeof line, "turned a connection away: %s", why);
  weir__server_log(c->shard->server, WEIR_LOG_INFO, line);
  weir__count(&c->shard->counters.turned_away, 1);
  weir__count_rejected(c->shard, WEIR__REJECT_PROXY);
  weir__conn_end(c);
}

static ssize_t receive(struct weir_conn *c, unsigned char *data, size_t len, int flags)
{
  const struct weir__sys *sys = weir__conn_loop(c)->mem.sys;
  ssize_t n;
  do
    n = sys->recv(sys, c->stream.source.fd, data, len, flags | MSG_DONTWAIT);
  while (n == -EINTR);
  return n;
}

/* The header is whole: the rest is the stream's. */
static void finish(struct weir_conn *c, const struct weir__proxy *header)
{
  struct weir__source *source = &c->stream.source;
  if (!header->local)
    weir__conn_extra(c)->client = header->source;
  weir__http_drop(c);
  source->ops = ops_behind(c);
  source->ops->ready(source);
}

/* A read gave nothing. */
static void nothing_came(struct weir_conn *c, int error, size_t kept)
{
  if (error == -EAGAIN) {
    c->stream.source.readable = 0;
    weir__http_shed(c);
  } else if (error == 0 && kept > 0) {
    turn_away(c, "its PROXY header is cut off");
  } else {
    weir__conn_end(c);
  }
}

/* Takes what has come of the header. Returns whether there may be more of it. */
static bool take(struct weir_conn *c, struct weir__builder *kept)
{
  unsigned char *data = weir__conn_loop(c)->receive;
  struct weir__proxy header;
  const char *reason;
  size_t before = kept->len, used;
  if (before > 0)
    memcpy(data, kept->data, before);
  ssize_t n = receive(c, data + before, WEIR__PROXY_MAX - before, MSG_PEEK);
  if (n <= 0) {
    nothing_came(c, (int)n, before);
    return false;
  }
  int verdict = weir__proxy_parse(data, before + (size_t)n, &header, &used, &reason);
  if (verdict < 0) {
    turn_away(c, reason);
    return false;
  }
  size_t wanted = (verdict == 1 ? used : before + (size_t)n) - before;
  n = receive(c, data + before, wanted, 0);
  if (n <= 0) {
    nothing_came(c, (int)n, before);
  } else if (verdict == 1 && (size_t)n == wanted) {
    finish(c, &header);
  } else if (weir__builder_add(kept, weir__http_pool(c), data + before, (size_t)n) != 0) {
    turn_away(c, no_memory);
  } else {
    return true;
  }
  return false;
}

static void proxied_ready(struct weir__source *source)
{
  struct weir_conn *c = conn_of(source);
  struct weir__ip ip;
  if (weir__conn_socket_peer(c, &ip) != 0)
    weir__conn_end(c); /* it was reset */
  else if (!weir__server_trusts(c->shard->server, &ip))
    turn_away(c, "it is not from a trusted proxy");
  else if (source->readable && weir__http_need(c) == NULL)
    turn_away(c, no_memory);
  else if (source->readable)
    while (take(c, &c->http->head))
      continue;
}

static void proxied_reclaim(struct weir__source *source)
{
  ops_behind(conn_of(source))->reclaim(source);
}

const struct weir__source_ops weir__conn_proxied_ops = {proxied_ready, weir__conn_work,
                                                        proxied_reclaim};

/* A stranger is turned away even if nothing comes. */
void weir__proxied_begin(struct weir_conn *c)
{
  c->stream.source.ops = &weir__conn_proxied_ops;
  weir__loop_again(weir__conn_loop(c), &c->stream.source);
}

bool weir__proxied_waits(const struct weir_conn *c)
{
  return c->stream.source.ops == &weir__conn_proxied_ops;
}

void weir__proxied_timeout(struct weir_conn *c)
{
  turn_away(c, "its PROXY header did not come in time");
}
