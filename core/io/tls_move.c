/* A TLS session on its way from one loop to another: all of it is the stream's but the BIO, which
 * is the loop's. */
#include "io/tls_loop.h"

#include <errno.h>

bool weir__tls_may_leave(const struct weir__stream *stream)
{
  const struct weir__tls *tls = weir__tls_of(stream);
  return tls->open && !tls->failed && tls->out == NULL && tls->held == 0;
}

void weir__tls_leave(struct weir__stream *stream, struct weir__tls *out)
{
  struct weir__tls *tls = weir__tls_of(stream);
  *out = *tls;
  *tls = (struct weir__tls){.loop = out->loop};
}

int weir__tls_arrive(struct weir__stream *stream, struct weir_loop *loop, struct weir__tls *from)
{
  struct weir__tls_loop *shared = weir__tls_loop_of(loop);
  if (shared == NULL)
    return -ENOMEM;
  if (SSL_get_rbio(from->ssl) != shared->bio) { /* of the same, no reference would be taken */
    BIO_up_ref(shared->bio);
    SSL_set_bio(from->ssl, shared->bio, shared->bio);
  }
  *weir__tls_of(stream) = *from;
  weir__tls_of(stream)->loop = loop;
  return 0;
}

void weir__tls_abandon(struct weir__tls *tls)
{
  SSL_free(tls->ssl);
  weir__tls_context_unref(tls->context);
  weir__tls_peer_free(tls->peer);
}
