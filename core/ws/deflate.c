/* A loop's compressors and the contexts of its connections: made when needed, given back when idle.
 * The budget counts what a context takes over (reserved when that is agreed, because a peer may
 * refer to it at any time) and compressors that connections have of their own. */
#include "ws/deflate.h"

#include "ws/conn.h"
#include "ws/zstream.h"

#include <errno.h>
#include <string.h>

bool weir__deflate_take(struct weir_server *server, size_t bytes)
{
  size_t held = __atomic_add_fetch(&server->compression_bytes, bytes, __ATOMIC_RELAXED);
  if (held <= server->options.max_compression_bytes)
    return true;
  weir__deflate_give(server, bytes);
  return false;
}

void weir__deflate_give(struct weir_server *server, size_t bytes)
{
  __atomic_sub_fetch(&server->compression_bytes, bytes, __ATOMIC_RELAXED);
}

/* ---- idle for long enough */

static void shed(struct weir_timer *timer, void *arg);

int weir__deflates_watch(struct weir__shard *shard)
{
  struct weir__deflates *deflates = &shard->deflates;
  if (deflates->shedding)
    return 0;
  if (deflates->shed == NULL) {
    int error = weir_timer_new(&deflates->shed, shard->loop, shed, shard);
    if (error != 0)
      return error;
  }
  weir_timer_start(deflates->shed, WEIR__DEFLATE_SHED_MS, 0);
  deflates->shedding = true;
  return 0;
}

static bool is_idle(const struct weir__shard *shard, uint64_t used_ms)
{
  return shard->loop->now_ms - used_ms >= WEIR__DEFLATE_SHED_MS;
}

static void free_compressor(struct weir__shard *shard, struct weir__compressor *compressor)
{
  if (compressor->kind.level == 0)
    return;
  weir__compressor_free(shard->loop, compressor->stream);
  compressor->kind.level = 0;
}

static void drop_last(struct weir__shard *shard)
{
  struct weir__compressed *last = &shard->deflates.last;
  weir__pool_put(&shard->loop->pool, last->block, last->size);
  *last = (struct weir__compressed){0};
}

/* Gives back what the loop's own have not used lately, or all of it; whether anything is left. */
static bool shed_own(struct weir__shard *shard, bool all)
{
  struct weir__deflates *deflates = &shard->deflates;
  bool left = false;
  for (size_t i = 0; i < WEIR__COMPRESSORS; i++) {
    struct weir__compressor *compressor = &deflates->compressors[i];
    if (all || is_idle(shard, compressor->used_ms))
      free_compressor(shard, compressor);
    left |= compressor->kind.level != 0;
  }
  if (all || is_idle(shard, deflates->last.used_ms))
    drop_last(shard);
  if (all || is_idle(shard, deflates->inflater_used_ms)) {
    weir__inflater_free(shard->loop, deflates->inflater, false);
    deflates->inflater = NULL;
  }
  if (deflates->twins.frame != NULL && (all || is_idle(shard, deflates->twins.used_ms)))
    weir__twins_drop(&deflates->twins, &shard->loop->pool);
  return left || deflates->last.block != NULL || deflates->inflater != NULL ||
         deflates->twins.frame != NULL;
}

static void drop_compressor(struct weir__shard *shard, struct weir__context *context)
{
  if (context->compressor == NULL)
    return;
  weir__compressor_free(shard->loop, context->compressor);
  context->compressor = NULL;
  weir__deflate_give(shard->server, weir__deflate_bytes(weir__conn_server_bits(context->conn)));
}

/* A peer's context is reserved while the peer may refer to it; that of a message in pieces while it
 * lasts. */
static void drop_inflater(struct weir__shard *shard, struct weir__context *context)
{
  const struct weir_conn *c = context->conn;
  if (context->inflater != NULL && !c->client_takeover)
    weir__deflate_give(shard->server, weir__inflate_bytes(weir__conn_client_bits(c)));
  weir__inflater_free(shard->loop, context->inflater, c->client_takeover);
  context->inflater = NULL;
}

static void drop_window(struct weir__shard *shard, struct weir__context *context)
{
  weir__mem_free(&shard->loop->mem, context->window, context->window_len);
  context->window = NULL;
  context->window_len = 0;
}

/* Keeps of a peer's context the bytes of its window alone. */
static void hibernate(struct weir__shard *shard, struct weir__context *context)
{
  struct weir__mem *mem = &shard->loop->mem;
  size_t got;
  unsigned char *whole = weir__pool_get(&shard->loop->pool, WEIR__INFLATE_WINDOW, &got);
  if (whole == NULL)
    return;
  size_t len = weir__inflate_window(context->inflater, whole);
  unsigned char *window = len == 0 ? NULL : weir__mem_alloc(mem, len);
  if (len == 0 || window != NULL) {
    if (len > 0)
      memcpy(window, whole, len);
    context->window = window;
    context->window_len = len;
    drop_inflater(shard, context);
  }
  weir__pool_put(&shard->loop->pool, whole, got);
}

static void drop_if_empty(struct weir__context *context)
{
  if (context->compressor == NULL && context->inflater == NULL && context->window == NULL &&
      !context->inside)
    weir__context_drop(context->conn);
}

/* Contexts stand in the order of their use. Those that hold but a window leave the list. */
static void shed_contexts(struct weir__shard *shard)
{
  struct weir__link *contexts = &shard->deflates.contexts;
  while (!weir__list_empty(contexts)) {
    struct weir__context *context = WEIR__CONTAINER(contexts->next, struct weir__context, link);
    if (!is_idle(shard, context->used_ms))
      return;
    weir__list_remove(&context->link);
    drop_compressor(shard, context);
    if (context->inflater != NULL && !context->inside)
      hibernate(shard, context);
    drop_if_empty(context);
  }
}

static void shed(struct weir_timer *timer, void *arg)
{
  struct weir__shard *shard = arg;
  bool left = shed_own(shard, false);
  shed_contexts(shard);
  shard->deflates.shedding = left || !weir__list_empty(&shard->deflates.contexts);
  if (shard->deflates.shedding)
    weir_timer_start(timer, WEIR__DEFLATE_SHED_MS, 0);
}

void weir__deflates_init(struct weir__deflates *deflates)
{
  weir__list_init(&deflates->contexts);
}

void weir__deflates_fini(struct weir__shard *shard)
{
  shed_own(shard, true);
  weir_timer_free(shard->deflates.shed);
}

/* ---- the loop's own */

static bool same_kind(struct weir__deflate_kind a, struct weir__deflate_kind b)
{
  return a.level == b.level && a.window_bits == b.window_bits;
}

/* The compressor of a kind, perhaps in the place of the one that was not used for longest. */
static struct weir__compressor *compressor_for(struct weir__shard *shard,
                                               struct weir__deflate_kind kind)
{
  struct weir__compressor *compressors = shard->deflates.compressors, *oldest = compressors;
  for (size_t i = 0; i < WEIR__COMPRESSORS; i++) {
    if (same_kind(compressors[i].kind, kind))
      return &compressors[i];
    if (compressors[i].kind.level == 0 ||
        (oldest->kind.level != 0 && compressors[i].used_ms < oldest->used_ms))
      oldest = &compressors[i];
  }
  if (weir__deflates_watch(shard) != 0)
    return NULL;
  free_compressor(shard, oldest);
  oldest->stream = weir__compressor_new(shard->loop, kind.window_bits, kind.level);
  if (oldest->stream == NULL)
    return NULL;
  oldest->kind = kind;
  return oldest;
}

size_t weir__deflate_alone(struct weir__shard *shard, struct weir__deflate_kind kind,
                           const void *data, size_t len, unsigned char *out, size_t room)
{
  struct weir__compressor *compressor = compressor_for(shard, kind);
  size_t made = 0;
  if (compressor == NULL)
    return 0;
  compressor->used_ms = shard->loop->now_ms;
  weir__deflate_reset(compressor->stream);
  return weir__deflate_message(compressor->stream, data, len, out, room, &made) == 0 ? made : 0;
}

/* Sees to a block for the data and what it may become. */
static bool reserve_last(struct weir__shard *shard, size_t len)
{
  struct weir__compressed *last = &shard->deflates.last;
  last->data = NULL;
  if (last->size >= 2 * len)
    return true;
  drop_last(shard);
  size_t size;
  last->block = weir__pool_get(&shard->loop->pool, 2 * len, &size);
  last->size = last->block == NULL ? 0 : size;
  return last->block != NULL && weir__deflates_watch(shard) == 0;
}

size_t weir__deflate_again(struct weir__shard *shard, struct weir__deflate_kind kind,
                           const void *data, size_t len, const unsigned char **out)
{
  struct weir__compressed *last = &shard->deflates.last;
  bool same = last->data == data && last->len == len && same_kind(last->kind, kind) &&
              memcmp(last->block, data, len) == 0;
  if (!same) {
    if (!reserve_last(shard, len))
      return 0;
    memcpy(last->block, data, len);
    last->data = data;
    last->kind = kind;
    last->len = len;
    last->made = weir__deflate_alone(shard, kind, last->block, len, last->block + len, len - 1);
  }
  last->used_ms = shard->loop->now_ms;
  *out = last->block + len;
  return last->made;
}

struct weir__inflate *weir__deflates_inflater(struct weir__shard *shard)
{
  struct weir__deflates *deflates = &shard->deflates;
  if (deflates->inflater == NULL && weir__deflates_watch(shard) == 0)
    deflates->inflater = weir__inflater_new(shard->loop, 15, false);
  deflates->inflater_used_ms = shard->loop->now_ms;
  if (deflates->inflater != NULL)
    weir__inflate_reset(deflates->inflater);
  return deflates->inflater;
}

/* ---- a connection's */

struct weir__context *weir__context_of(struct weir_conn *c)
{
  struct weir__shard *shard = c->shard;
  struct weir__context *context = c->has_context ? c->context : NULL;
  if (weir__deflates_watch(shard) != 0)
    return NULL;
  if (context == NULL) {
    size_t got;
    context = weir__pool_get(&shard->loop->pool, sizeof *context, &got);
    if (context == NULL)
      return NULL;
    *context = (struct weir__context){.conn = c, .protocol = c->protocol};
    c->context = context;
    c->has_context = 1;
  }
  weir__list_remove(&context->link);
  weir__list_push_back(&shard->deflates.contexts, &context->link);
  context->used_ms = shard->loop->now_ms;
  return context;
}

struct weir__deflate_stream *weir__context_compressor(struct weir_conn *c)
{
  struct weir__shard *shard = c->shard;
  size_t bytes = weir__deflate_bytes(weir__conn_server_bits(c));
  struct weir__context *context = c->server_takeover ? weir__context_of(c) : NULL;
  if (context == NULL)
    return NULL;
  if (context->compressor == NULL && weir__deflate_take(shard->server, bytes)) {
    uint8_t level = (uint8_t)weir__conn_route(c)->options.compression_level;
    context->compressor = weir__compressor_new(shard->loop, weir__conn_server_bits(c), level);
    if (context->compressor == NULL)
      weir__deflate_give(shard->server, bytes);
  }
  if (context->compressor != NULL && context->stale)
    weir__deflate_reset(context->compressor);
  context->stale = false;
  return context->compressor;
}

struct weir__inflate *weir__context_inflater(struct weir_conn *c, struct weir__context *context)
{
  size_t bytes = weir__inflate_bytes(weir__conn_client_bits(c));
  if (context->inflater != NULL)
    return context->inflater;
  if (!c->client_takeover && !weir__deflate_take(c->shard->server, bytes))
    return NULL;
  context->inflater =
      weir__inflater_new(c->shard->loop, weir__conn_client_bits(c), c->client_takeover);
  if (context->inflater == NULL && !c->client_takeover)
    weir__deflate_give(c->shard->server, bytes);
  if (context->inflater != NULL && context->window != NULL) {
    weir__inflate_restore(context->inflater, context->window, context->window_len);
    drop_window(c->shard, context);
  }
  return context->inflater;
}

void weir__context_forget(struct weir_conn *c)
{
  if (c->has_context)
    c->context->stale = true;
}

void weir__context_begin(struct weir__context *context)
{
  context->inside = true;
  context->message = (struct weir__inflating){0};
}

void weir__context_rest(struct weir_conn *c, struct weir__context *context)
{
  context->inside = false;
  if (c->client_takeover)
    return;
  drop_inflater(c->shard, context);
  drop_if_empty(context);
}

void weir__context_drop(struct weir_conn *c)
{
  struct weir__context *context = c->context;
  if (!c->has_context)
    return;
  weir__list_remove(&context->link);
  drop_compressor(c->shard, context);
  drop_inflater(c->shard, context);
  drop_window(c->shard, context);
  c->protocol = context->protocol;
  c->has_context = 0;
  weir__pool_put(&c->shard->loop->pool, context, sizeof *context);
}
