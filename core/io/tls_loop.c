/* The BIO between OpenSSL and the buffers of a loop: sessions read the ciphertext in hand and write
 * into the loop's buffer, and never wait for anything but more input. */
#include "io/tls_loop.h"

#include <string.h>

/* Ciphertext from the buffer in hand; once that is dry, the session has to wait for more. */
static int bio_read(BIO *bio, char *data, size_t len, size_t *got)
{
  struct weir__tls_loop *shared = BIO_get_data(bio);
  BIO_clear_retry_flags(bio);
  *got = shared->in_len < len ? shared->in_len : len;
  if (*got == 0) {
    BIO_set_retry_read(bio);
    return -1;
  }
  memcpy(data, shared->in, *got);
  shared->in += *got;
  shared->in_len -= *got;
  return 1;
}

/* All of it, or the session fails. */
static int bio_write(BIO *bio, const char *data, size_t len, size_t *written)
{
  struct weir__tls_loop *shared = BIO_get_data(bio);
  struct weir__tls *tls = shared->current;
  BIO_clear_retry_flags(bio);
  *written = len;
  if (tls->out == NULL && len <= WEIR__TLS_OUT_BYTES - shared->out_len) {
    memcpy(shared->out + shared->out_len, data, len);
    shared->out_len += len;
    return 1;
  }
  size_t before = shared->out_len;
  shared->out_len = 0;
  bool kept = weir__tls_keep(tls, shared->out, before) && weir__tls_keep(tls, data, len);
  return kept ? 1 : -1;
}

static long bio_ctrl(BIO *bio, int command, long number, void *pointer)
{
  (void)bio;
  (void)number;
  (void)pointer;
  return command == BIO_CTRL_FLUSH;
}

static BIO_METHOD *make_method(void)
{
  BIO_METHOD *method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "weir");
  if (method == NULL)
    return NULL;
  BIO_meth_set_read_ex(method, bio_read);
  BIO_meth_set_write_ex(method, bio_write);
  BIO_meth_set_ctrl(method, bio_ctrl);
  return method;
}

struct weir__tls_loop *weir__tls_loop_of(struct weir_loop *loop)
{
  if (loop->tls != NULL)
    return loop->tls;
  struct weir__tls_loop *shared = weir__mem_alloc(&loop->mem, sizeof *shared);
  if (shared == NULL)
    return NULL;
  memset(shared, 0, offsetof(struct weir__tls_loop, received));
  loop->tls = shared;
  shared->method = make_method();
  if (shared->method != NULL)
    shared->bio = BIO_new(shared->method);
  if (shared->bio == NULL) {
    weir__tls_loop_free(loop);
    return NULL;
  }
  BIO_set_data(shared->bio, shared);
  BIO_set_init(shared->bio, 1);
  return shared;
}

void weir__tls_loop_free(struct weir_loop *loop)
{
  struct weir__tls_loop *shared = loop->tls;
  if (shared == NULL)
    return;
  BIO_free(shared->bio);
  BIO_meth_free(shared->method);
  weir__mem_free(&loop->mem, shared, sizeof *shared);
  loop->tls = NULL;
}

/* A block for so many bytes, with what waits at its beginning. */
static bool make_room(struct weir__tls *tls, size_t len)
{
  struct weir__pool *pool = &tls->loop->pool;
  size_t size, have = tls->out_end - tls->out_at;
  unsigned char *block = weir__pool_get(pool, len, &size);
  if (block == NULL)
    return false;
  if (have > 0)
    memcpy(block, tls->out + tls->out_at, have);
  weir__pool_put(pool, tls->out, tls->out_size);
  tls->out = block;
  tls->out_size = (uint32_t)size;
  tls->out_at = 0;
  tls->out_end = (uint32_t)have;
  return true;
}

bool weir__tls_keep(struct weir__tls *tls, const void *data, size_t len)
{
  size_t have = tls->out_end - tls->out_at;
  if (len == 0)
    return true;
  if (have + len > WEIR__TLS_PENDING) {
    tls->error = WEIR__TLS_DEAF;
    return false;
  }
  if (tls->out_size - tls->out_end < len && !make_room(tls, have + len)) {
    tls->error = WEIR__TLS_NO_MEMORY;
    return false;
  }
  memcpy(tls->out + tls->out_end, data, len);
  tls->out_end += (uint32_t)len;
  return true;
}
