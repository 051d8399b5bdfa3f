/* TLS between a connection and TCP. HOT: an echo is one recv, SSL_read until the input is dry, one
 * SSL_write and one send. Sessions never wait for output: what they write goes into a buffer of the
 * loop's, from there to TCP, and what TCP does not take stays with the stream. */
#include "io/tls_loop.h"

#include "base/debug.h"

#include <errno.h>
#include <openssl/err.h>
#include <string.h>

/* What may come until the ClientHello is whole: its records have heads too. */
enum { HELLO_BYTES = WEIR__TLS_HELLO + (2 << 10) };

_Static_assert(sizeof(struct weir__tls) % 16 == 0, "the stream behind it is aligned to 16");

/* Readies for a call of the session. OpenSSL's queue of errors is the thread's, so others may have
 * left something there. */
static struct weir__tls_loop *use(struct weir__tls *tls)
{
  struct weir__tls_loop *shared = tls->loop->tls;
  shared->current = tls;
  if (__builtin_expect(ERR_peek_error() != 0, 0))
    ERR_clear_error();
  return shared;
}

/* The session is of no use any more. */
static void fail(struct weir__tls *tls)
{
  if (tls->error == 0)
    tls->error = (uint32_t)ERR_peek_last_error();
  tls->failed = 1;
  ERR_clear_error();
}

int weir__tls_init(struct weir__stream *stream, struct weir_loop *loop,
                   struct weir__tls_context *context)
{
  if (weir__tls_loop_of(loop) == NULL)
    return -ENOMEM;
  *weir__tls_of(stream) = (struct weir__tls){.loop = loop, .context = context};
  return 0;
}

/* ---- writing */

static void drop_out(struct weir__tls *tls)
{
  weir__pool_put(&tls->loop->pool, tls->out, tls->out_size);
  tls->out = NULL;
  tls->out_at = tls->out_end = tls->out_size = 0;
}

/* Whether ciphertext waits for TCP. */
static bool has_out(const struct weir__tls *tls)
{
  return tls->out != NULL && (tls->ssl != NULL || tls->failed);
}

int weir__tls_flush(struct weir__stream *stream, const struct weir__sys *sys)
{
  struct weir__tls *tls = weir__tls_of(stream);
  if (has_out(tls)) {
    size_t len = tls->out_end - tls->out_at;
    ssize_t n = weir__stream_tcp.send(stream, sys, tls->out + tls->out_at, len);
    if (n < 0)
      return (int)n;
    tls->out_at += (uint32_t)n;
    if ((size_t)n < len)
      return -EAGAIN;
    drop_out(tls);
  }
  if (tls->fin_due) {
    tls->fin_due = 0;
    weir__stream_tcp.shutdown(stream, sys);
  }
  return 0;
}

/* Hands what the session has written to TCP, behind what waits. Returns 0, whether TCP took all of
 * it or not, or -errno. */
static int push(struct weir__stream *stream, const struct weir__sys *sys)
{
  struct weir__tls *tls = weir__tls_of(stream);
  struct weir__tls_loop *shared = tls->loop->tls;
  size_t len = shared->out_len;
  shared->out_len = 0;
  if (tls->out != NULL) {
    int error = stream->source.writable ? weir__tls_flush(stream, sys) : 0;
    return error == -EAGAIN ? 0 : error;
  }
  if (len == 0)
    return 0;
  ssize_t n = weir__stream_tcp.send(stream, sys, shared->out, len);
  if (n < 0 && n != -EAGAIN)
    return (int)n;
  size_t taken = n < 0 ? 0 : (size_t)n;
  if (weir__tls_keep(tls, shared->out + taken, len - taken))
    return 0;
  fail(tls);
  return -EPROTO;
}

/* Plaintext that is to be encrypted. */
struct feed {
  const struct iovec *piece;
  int count;      /* pieces left */
  size_t skipped; /* of the first one */
};

static const unsigned char *feed_at(const struct feed *feed, size_t *len)
{
  *len = feed->piece->iov_len - feed->skipped;
  return (const unsigned char *)feed->piece->iov_base + feed->skipped;
}

/* Goes past up to n bytes; how many there were. */
static size_t feed_skip(struct feed *feed, size_t n)
{
  size_t skipped = 0;
  while (feed->count > 0) {
    size_t len = feed->piece->iov_len - feed->skipped, left = n - skipped;
    if (len > left) {
      feed->skipped += left;
      return n;
    }
    skipped += len;
    feed->piece++;
    feed->count--;
    feed->skipped = 0;
  }
  return skipped;
}

/* The plaintext of the next record: where it stands, when one piece has all of it. */
static const unsigned char *next_record(struct feed *feed, unsigned char *room, size_t *len)
{
  const unsigned char *at = feed_at(feed, len);
  if (*len >= WEIR__TLS_RECORD || feed->count == 1) {
    if (*len > WEIR__TLS_RECORD)
      *len = WEIR__TLS_RECORD;
    feed_skip(feed, *len);
    return at;
  }
  size_t gathered = 0;
  while (feed->count > 0 && gathered < WEIR__TLS_RECORD) {
    size_t n;
    at = feed_at(feed, &n);
    if (n > WEIR__TLS_RECORD - gathered)
      n = WEIR__TLS_RECORD - gathered;
    memcpy(room + gathered, at, n);
    gathered += n;
    feed_skip(feed, n);
  }
  *len = gathered;
  return room;
}

/* New keys in time: TLS 1.2 has no such thing (RFC 8446 section 5.5). */
static void count_record(struct weir__tls *tls)
{
  if (++tls->records < WEIR__TLS_REKEY_RECORDS)
    return;
  tls->records = 0;
  if (SSL_version(tls->ssl) == TLS1_3_VERSION)
    SSL_key_update(tls->ssl, SSL_KEY_UPDATE_NOT_REQUESTED);
}

/* Encrypts the next record; how many bytes it holds, 0 when the session failed. */
static size_t seal(struct weir__tls *tls, struct weir__tls_loop *shared, struct feed *feed)
{
  size_t len, written;
  const unsigned char *at = next_record(feed, shared->gathered, &len);
  count_record(tls);
  if (SSL_write_ex(tls->ssl, at, len, &written) == 1)
    return len;
  fail(tls);
  return 0;
}

/* Encrypts a record and sends it, with another one where that is short and the last, as behind a
 * message of 16 KiB with its header: nothing waits. Returns how many bytes of plaintext it was, 0
 * when they are held, or -errno. */
static ssize_t send_record(struct weir__stream *stream, const struct weir__sys *sys,
                           struct feed *feed)
{
  struct weir__tls *tls = weir__tls_of(stream);
  struct weir__tls_loop *shared = use(tls);
  size_t len = seal(tls, shared, feed);
  if (feed->count == 1 && feed->piece->iov_len - feed->skipped <= WEIR__TLS_TAIL && !tls->failed)
    len += seal(tls, shared, feed);
  int error = push(stream, sys);
  if (error != 0 || tls->failed)
    return error != 0 ? error : -EPROTO;
  if (tls->out == NULL)
    return (ssize_t)len;
  tls->held = (uint32_t)len;
  return 0;
}

static ssize_t tls_send_pieces(struct weir__stream *stream, const struct weir__sys *sys,
                               struct iovec *pieces, int count)
{
  struct weir__tls *tls = weir__tls_of(stream);
  if (tls->failed || !tls->open)
    return tls->failed ? -EPROTO : -EPIPE;
  int error = weir__tls_flush(stream, sys);
  if (error != 0)
    return error;
  struct feed feed = {.piece = pieces, .count = count};
  size_t done = feed_skip(&feed, tls->held);
  tls->held -= (uint32_t)done;
  while (feed.count > 0 && tls->held == 0) {
    ssize_t n = send_record(stream, sys, &feed);
    if (n < 0)
      return done > 0 ? (ssize_t)done : n;
    done += (size_t)n;
  }
  return done > 0 ? (ssize_t)done : -EAGAIN;
}

static ssize_t tls_send(struct weir__stream *stream, const struct weir__sys *sys, const void *data,
                        size_t len)
{
  struct iovec piece = {.iov_base = (void *)(uintptr_t)data, .iov_len = len};
  return tls_send_pieces(stream, sys, &piece, 1);
}

static size_t tls_committed(const struct weir__stream *stream)
{
  return weir__tls_of(stream)->held;
}

void weir__tls_send_raw(struct weir__stream *stream, const struct weir__sys *sys, const void *data,
                        size_t len)
{
  struct weir__tls *tls = weir__tls_of(stream);
  WEIR__ASSERT(tls->failed);
  if (weir__tls_keep(tls, data, len) && stream->source.writable)
    weir__tls_flush(stream, sys);
}

/* ---- reading */

/* What the session says of a call that gave nothing. */
static void judge(struct weir__tls *tls, int result)
{
  int error = SSL_get_error(tls->ssl, result);
  if (error == SSL_ERROR_ZERO_RETURN)
    tls->ended = 1;
  else if (error != SSL_ERROR_WANT_READ)
    fail(tls);
}

/* Decrypts all of the ciphertext in hand; how much plaintext it was. Where a record ends with the
 * input, the session is not asked for more: to hear that there is none costs it a buffer. */
static size_t decrypt(struct weir__tls *tls, unsigned char *data, size_t len)
{
  struct weir__tls_loop *shared = use(tls);
  size_t got = 0, n;
  int result;
  shared->updates = 0;
  do {
    result = SSL_read_ex(tls->ssl, data + got, len - got, &n);
    got += result == 1 ? n : 0;
  } while (result == 1 && (shared->in_len > 0 || SSL_has_pending(tls->ssl)));
  if (shared->updates > WEIR__TLS_UPDATES)
    tls->error = WEIR__TLS_RESTLESS;
  if (tls->error != 0)
    fail(tls);
  else if (result != 1)
    judge(tls, result);
  return got;
}

/* The same while the handshake is not done, with the time that it takes. */
static __attribute__((noinline)) size_t shake(struct weir__tls *tls, const struct weir__sys *sys,
                                              unsigned char *data, size_t len)
{
  uint64_t began_ns = sys->now_ns(sys);
  size_t got = decrypt(tls, data, len);
  tls->loop->tls->spent_ns += sys->now_ns(sys) - began_ns;
  tls->open = !tls->failed && SSL_is_init_finished(tls->ssl);
  return got;
}

static void stop_waiting(struct weir__tls *tls)
{
  tls->loop->tls->waiting -= tls->waits;
  tls->waits = 0;
}

/* OpenSSL worked on a handshake, or on a KeyUpdate, which is one small record and has keys derived:
 * past a few in one read, the rest is not looked at (RFC 8446 section 4.6.3). */
static void count_update(const SSL *ssl, int where, int result)
{
  struct weir__tls_loop *shared = BIO_get_data(SSL_get_rbio(ssl));
  (void)result;
  if (where == SSL_CB_ACCEPT_EXIT && ++shared->updates > WEIR__TLS_UPDATES)
    shared->in_len = 0;
}

static bool begin_session(struct weir__tls *tls)
{
  BIO *bio = tls->loop->tls->bio;
  tls->ssl = weir__tls_context_ssl(tls->context);
  if (tls->ssl == NULL)
    return false;
  BIO_up_ref(bio);
  SSL_set_bio(tls->ssl, bio, bio);
  SSL_set_info_callback(tls->ssl, count_update);
  return true;
}

/* Whether a handshake must wait for the next turn: the time of this one is spent, or others wait
 * who came first. */
static bool must_wait(struct weir__tls *tls)
{
  struct weir__tls_loop *shared = tls->loop->tls;
  if (shared->turn != tls->loop->turn) {
    shared->turn = tls->loop->turn;
    shared->spent_ns = 0;
  }
  bool first = tls->waits || shared->waiting == 0;
  stop_waiting(tls);
  if (first && shared->spent_ns < WEIR__TLS_TURN_NS)
    return false;
  tls->waits = 1;
  shared->waiting++;
  return true;
}

/* TLS has failed: that is said once, and then what comes is the caller's to throw away. */
static ssize_t recv_raw(struct weir__stream *stream, const struct weir__sys *sys, void *data,
                        size_t len)
{
  struct weir__tls *tls = weir__tls_of(stream);
  if (tls->told)
    return weir__stream_tcp.recv(stream, sys, data, len);
  tls->told = 1;
  return -EPROTO;
}

static void refuse(struct weir__tls *tls, uint32_t error)
{
  drop_out(tls);
  if (!tls->failed)
    tls->error = error;
  tls->failed = 1;
}

/* The ClientHello in hand is longer than any: decode_error (RFC 8446 section 6.2). */
static void refuse_long(struct weir__tls *tls)
{
  static const unsigned char alert[] = {21, 3, 3, 0, 2, 2, 50};
  struct weir__tls_loop *shared = tls->loop->tls;
  memcpy(shared->out, alert, sizeof alert);
  shared->out_len = sizeof alert;
  refuse(tls, WEIR__TLS_LONG_HELLO);
}

/* What came of a ClientHello so far, behind what was kept of it. */
static enum weir__tls_hello gather(struct weir__tls *tls)
{
  struct weir__tls_loop *shared = tls->loop->tls;
  bool kept = tls->out != NULL;
  if (kept && !weir__tls_keep(tls, shared->in, shared->in_len))
    return WEIR__TLS_HELLO_MORE;
  const unsigned char *at = kept ? tls->out : shared->in;
  size_t len = kept ? tls->out_end : shared->in_len;
  enum weir__tls_hello hello = weir__tls_hello_of(at, len);
  if (hello == WEIR__TLS_HELLO_MORE && len >= HELLO_BYTES)
    return WEIR__TLS_HELLO_LONG;
  if (hello == WEIR__TLS_HELLO_MORE && !kept)
    weir__tls_keep(tls, at, len);
  if (hello == WEIR__TLS_HELLO_MORE || !kept)
    return hello;
  memcpy(shared->received, at, len);
  shared->in_len = len;
  drop_out(tls);
  return hello;
}

/* The first message: a session begins when it is whole. What is none is OpenSSL's to name, but not
 * to wait for. */
static size_t meet(struct weir__tls *tls, const struct weir__sys *sys, unsigned char *data,
                   size_t len)
{
  enum weir__tls_hello hello = gather(tls);
  if (tls->error != 0)
    refuse(tls, tls->error);
  else if (hello == WEIR__TLS_HELLO_LONG)
    refuse_long(tls);
  if (tls->failed || hello == WEIR__TLS_HELLO_MORE)
    return 0;
  if (!begin_session(tls)) {
    refuse(tls, WEIR__TLS_NO_MEMORY);
    return 0;
  }
  size_t got = shake(tls, sys, data, len);
  if (hello == WEIR__TLS_HELLO_NONE)
    refuse(tls, WEIR__TLS_FOREIGN);
  return got;
}

static ssize_t tls_recv(struct weir__stream *stream, const struct weir__sys *sys, void *data,
                        size_t len)
{
  struct weir__tls *tls = weir__tls_of(stream);
  struct weir__tls_loop *shared = tls->loop->tls;
  size_t room = sizeof shared->received, got = 0;
  WEIR__ASSERT(len >= WEIR__RECEIVE_BYTES);
  if (tls->failed)
    return recv_raw(stream, sys, data, len);
  if (tls->ended)
    return 0;
  if (!tls->open && must_wait(tls))
    return -EAGAIN;
  if (tls->ssl == NULL)
    room = HELLO_BYTES - tls->out_end;
  ssize_t n = weir__stream_tcp.recv(stream, sys, shared->received, room);
  if (n <= 0)
    return n;
  shared->in = shared->received;
  shared->in_len = (size_t)n;
  if (tls->open)
    got = decrypt(tls, data, len);
  else if (tls->ssl == NULL)
    got = meet(tls, sys, data, len);
  else
    got = shake(tls, sys, data, len);
  shared->in_len = 0;
  push(stream, sys); /* an error of TCP's comes again with the next call */
  if (got > 0) {
    if (tls->failed || tls->ended)
      stream->source.readable = 1;
    return (ssize_t)got;
  }
  if (tls->failed)
    return recv_raw(stream, sys, data, len);
  return tls->ended ? 0 : -EAGAIN;
}

/* ---- the end */

/* Says close_notify, once. */
static void notify(struct weir__stream *stream, const struct weir__sys *sys)
{
  struct weir__tls *tls = weir__tls_of(stream);
  if (!tls->open || tls->failed || (SSL_get_shutdown(tls->ssl) & SSL_SENT_SHUTDOWN) != 0)
    return;
  use(tls);
  if (SSL_shutdown(tls->ssl) < 0)
    fail(tls);
  push(stream, sys);
}

static int tls_shutdown(struct weir__stream *stream, const struct weir__sys *sys)
{
  struct weir__tls *tls = weir__tls_of(stream);
  notify(stream, sys);
  if (!has_out(tls))
    return weir__stream_tcp.shutdown(stream, sys);
  tls->fin_due = 1;
  return 0;
}

static void tls_close(struct weir__stream *stream, struct weir_loop *loop)
{
  struct weir__tls *tls = weir__tls_of(stream);
  if (stream->source.fd >= 0)
    notify(stream, loop->mem.sys);
  stop_waiting(tls);
  drop_out(tls);
  weir__loop_close(loop, &stream->source);
}

void weir__tls_fini(struct weir__stream *stream)
{
  struct weir__tls *tls = weir__tls_of(stream);
  stop_waiting(tls);
  drop_out(tls);
  SSL_free(tls->ssl);
  weir__tls_context_unref(tls->context);
  weir__tls_peer_free(tls->peer);
}

const struct weir__stream_ops weir__stream_tls = {
    .recv = tls_recv,
    .send = tls_send,
    .send_pieces = tls_send_pieces,
    .committed = tls_committed,
    .shutdown = tls_shutdown,
    .close = tls_close,
};
