/* TCP and unix sockets as streams: recv, send and sendmsg, never blocking, never raising SIGPIPE.
 * HOT. */
#include "io/stream.h"

#include <errno.h>

static ssize_t tcp_recv(struct weir__stream *stream, const struct weir__sys *sys, void *data,
                        size_t len)
{
  struct weir__source *source = &stream->source;
  ssize_t n;
  do
    n = sys->recv(sys, source->fd, data, len, MSG_DONTWAIT);
  while (__builtin_expect(n == -EINTR, 0));
  bool dry = n > 0 ? n < (ssize_t)len && !source->exhaust : n == -EAGAIN;
  if (dry)
    source->readable = 0;
  return n;
}

/* A read that was not cut short by passed descriptors has found all that there was, as TCP's. */
static ssize_t unix_recv(struct weir__stream *stream, const struct weir__sys *sys, void *data,
                         size_t len)
{
  struct weir__source *source = &stream->source;
  struct iovec piece = {data, len};
  struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1};
  ssize_t n;
  do
    n = sys->recvmsg(sys, source->fd, &message, MSG_DONTWAIT);
  while (__builtin_expect(n == -EINTR, 0));
  bool cut = source->exhaust || (message.msg_flags & MSG_CTRUNC) != 0;
  if (n > 0 ? n < (ssize_t)len && !cut : n == -EAGAIN)
    source->readable = 0;
  return n;
}

static int send_flags(const struct weir__source *source)
{
  return MSG_NOSIGNAL | MSG_DONTWAIT | (source->ending ? MSG_MORE : 0);
}

/* What came of a send of so many bytes in all. */
static inline ssize_t sent(struct weir__stream *stream, ssize_t n, size_t total)
{
  if (n < (ssize_t)total && (n >= 0 || n == -EAGAIN))
    stream->source.writable = 0;
  return n;
}

/* One piece, as nearly always, spares the kernel the reading of two structures. */
static ssize_t tcp_send(struct weir__stream *stream, const struct weir__sys *sys, const void *data,
                        size_t len)
{
  ssize_t n;
  do
    n = sys->send(sys, stream->source.fd, data, len, send_flags(&stream->source));
  while (n == -EINTR);
  return sent(stream, n, len);
}

static ssize_t tcp_send_pieces(struct weir__stream *stream, const struct weir__sys *sys,
                               struct iovec *pieces, int count)
{
  struct msghdr message = {.msg_iov = pieces, .msg_iovlen = (size_t)count};
  size_t total = 0;
  ssize_t n;
  for (int i = 0; i < count; i++)
    total += pieces[i].iov_len;
  do
    n = sys->sendmsg(sys, stream->source.fd, &message, send_flags(&stream->source));
  while (n == -EINTR);
  return sent(stream, n, total);
}

static int tcp_shutdown(struct weir__stream *stream, const struct weir__sys *sys)
{
  return sys->shutdown(sys, stream->source.fd, SHUT_WR);
}

static void tcp_close(struct weir__stream *stream, struct weir_loop *loop)
{
  weir__loop_close(loop, &stream->source);
}

const struct weir__stream_ops weir__stream_tcp = {
    .direct = true,
    .recv = tcp_recv,
    .send = tcp_send,
    .send_pieces = tcp_send_pieces,
    .shutdown = tcp_shutdown,
    .close = tcp_close,
};

const struct weir__stream_ops weir__stream_unix = {
    .direct = true,
    .quiet = true,
    .recv = unix_recv,
    .send = tcp_send,
    .send_pieces = tcp_send_pieces,
    .shutdown = tcp_shutdown,
    .close = tcp_close,
};
