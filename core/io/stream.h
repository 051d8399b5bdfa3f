/* A stream of bytes over a descriptor: one interface, whatever carries it. It keeps the source's
 * sticky bits true, and retries EINTR. */
#ifndef WEIR_IO_STREAM_H
#define WEIR_IO_STREAM_H

#include "io/loop.h"

#ifdef __cplusplus
extern "C" {
#endif

struct weir__stream;

struct weir__stream_ops {
  /* Whether any room will do for recv, as small as it is, so that bytes may be received where they
   * belong; else it takes WEIR__RECEIVE_BYTES and no less. */
  bool direct;

  /* Whether the descriptor begins without edges of writing (weir__loop_hear). */
  bool quiet;

  /* Reads up to len bytes. Returns how many, 0 at the end of the stream, -EAGAIN when none are
   * there now (readable is cleared), or another -errno. A short read clears readable unless exhaust
   * is set. */
  ssize_t (*recv)(struct weir__stream *stream, const struct weir__sys *sys, void *data, size_t len);

  /* Sends bytes. Returns how many were taken, -EAGAIN, or another -errno; clears writable when it
   * was not all. Never raises SIGPIPE. */
  ssize_t (*send)(struct weir__stream *stream, const struct weir__sys *sys, const void *data,
                  size_t len);

  /* The same of pieces. */
  ssize_t (*send_pieces)(struct weir__stream *stream, const struct weir__sys *sys,
                         struct iovec *pieces, int count);

  /* How many of the bytes that the next send begins with are on their way already, though no send
   * has reported them: they can neither be taken back nor changed. NULL: none ever. */
  size_t (*committed)(const struct weir__stream *stream);

  /* Ends the sending direction. Returns 0 or -errno. */
  int (*shutdown)(struct weir__stream *stream, const struct weir__sys *sys);

  /* weir__loop_close, with what has to be said to the peer before. */
  void (*close)(struct weir__stream *stream, struct weir_loop *loop);
};

struct weir__stream {
  struct weir__source source;
  const struct weir__stream_ops *ops;
};

static inline size_t weir__stream_committed(const struct weir__stream *stream)
{
  return stream->ops->committed == NULL ? 0 : stream->ops->committed(stream);
}

/* TCP. */
extern const struct weir__stream_ops weir__stream_tcp;

/* A unix socket (unix(7)). Descriptors that a peer passes along are closed by the kernel: they cut
 * a read short, and no edge tells of what is behind them. Each read of the peer's would be an edge
 * of writing, a fifth of an echo's cost. */
extern const struct weir__stream_ops weir__stream_unix;

#ifdef __cplusplus
}
#endif

#endif
