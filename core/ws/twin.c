/* Twins of frames; see twin.h for who may have which. */
#include "ws/twin.h"

#include "ws/conn.h"
#include "ws/conn_deflate.h"
#include "ws/frame.h"

#include <string.h>

static void forget(struct weir__twin *twin, struct weir__pool *pool)
{
  if (twin->made && twin->worth)
    weir__share_unref(pool, twin->part.share);
  twin->made = false;
}

void weir__twins_drop(struct weir__twins *twins, struct weir__pool *pool)
{
  for (size_t i = 0; i < WEIR__TWINS; i++) {
    forget(&twins->twins[i], pool);
    weir__run_drop(&twins->twins[i].run, pool);
    twins->twins[i].kind.level = 0;
  }
  weir_frame_unref(twins->frame);
  twins->frame = NULL;
}

/* From here on they are this frame's. */
static void turn_to(struct weir__twins *twins, struct weir__pool *pool, struct weir_frame *frame)
{
  if (twins->frame == frame)
    return;
  for (size_t i = 0; i < WEIR__TWINS; i++)
    forget(&twins->twins[i], pool);
  weir_frame_unref(twins->frame);
  twins->frame = weir_frame_ref(frame);
}

/* The place of a kind, perhaps taken from another one. */
static struct weir__twin *place_of(struct weir__twins *twins, struct weir__pool *pool,
                                   struct weir__deflate_kind kind)
{
  for (size_t i = 0; i < WEIR__TWINS; i++) {
    const struct weir__deflate_kind *k = &twins->twins[i].kind;
    if (k->window_bits == kind.window_bits && k->level == kind.level)
      return &twins->twins[i];
  }
  struct weir__twin *twin = &twins->twins[twins->next++ % WEIR__TWINS];
  forget(twin, pool);
  weir__run_drop(&twin->run, pool);
  twin->kind = kind;
  return twin;
}

/* Short ones are gathered in the run, long ones have a buffer. The twin gets a reference. */
static int keep(struct weir__twin *twin, struct weir__pool *pool, const void *key,
                struct iovec header, struct iovec data)
{
  size_t len = header.iov_len + data.iov_len;
  if (len <= WEIR__RUN_UNIT) {
    int error = weir__run_add(&twin->run, pool, key, header, data, &twin->part);
    if (error == 0)
      twin->part.share->refs++;
    return error;
  }
  struct weir__buf *buf = weir__buf_new(pool->mem->sys, 0, len);
  if (buf == NULL)
    return -1;
  memcpy(weir__buf_bytes(buf), header.iov_base, header.iov_len);
  memcpy(weir__buf_bytes(buf) + header.iov_len, data.iov_base, data.iov_len);
  buf->end = len;
  twin->part = (struct weir__part){weir__share_new(pool, buf), 0, len};
  weir__buf_unref(buf);
  return twin->part.share == NULL ? -1 : 0;
}

static void make(struct weir__twin *twin, struct weir__shard *shard, const void *key,
                 const struct weir_frame *frame)
{
  struct weir__pool *pool = &shard->loop->pool;
  struct weir_slice payload = weir_frame_payload(frame);
  unsigned char header[WEIR__SERVER_HEADER_MAX];
  size_t got;
  unsigned char *out = weir__pool_get(pool, payload.len, &got);
  twin->made = true;
  twin->worth = false;
  if (out == NULL)
    return;
  size_t made =
      weir__deflate_alone(shard, twin->kind, payload.data, payload.len, out, payload.len - 1);
  if (made > 0) {
    uint8_t first = (uint8_t)(WEIR__FIN | WEIR__RSV1 | (uint8_t)weir_frame_opcode(frame));
    twin->header_len = weir__header_encode(header, first, made);
    twin->worth = keep(twin, pool, key, (struct iovec){header, twin->header_len},
                       (struct iovec){out, made}) == 0;
    weir__count(&shard->counters.twins_compressed, 1);
  }
  weir__pool_put(pool, out, got);
}

const struct weir__twin *weir__twin_of(struct weir_conn *c, const void *key,
                                       struct weir_frame *frame)
{
  struct weir__shard *shard = c->shard;
  struct weir__pool *pool = &shard->loop->pool;
  size_t len = weir__frame_len(frame);
  if (!weir__conn_compresses(c, len) || !weir__frame_compressible(frame) ||
      weir__deflates_watch(shard) != 0)
    return NULL;
  turn_to(&shard->deflates.twins, pool, frame);
  shard->deflates.twins.used_ms = shard->loop->now_ms;
  struct weir__twin *twin = place_of(&shard->deflates.twins, pool, weir__conn_deflate_kind(c, len));
  if (!twin->made)
    make(twin, shard, key, frame);
  return twin->worth ? twin : NULL;
}
