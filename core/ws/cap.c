/* One sum of what all queues hold, shared frames once, against the server's cap. It is looked at
 * after so many bytes were queued on a loop, so that queueing costs no more for it; past the cap
 * the longest queue gives way, on whichever loop it is. */
#include "ws/cap.h"

#include "wire/close.h"
#include "ws/conn_out.h"

enum { LOOK_EVERY = 64 << 10 }; /* bytes */

void weir__cap_begin(struct weir__shard *shard)
{
  struct weir__pool *pool = &shard->loop->pool;
  struct weir__account *account = shard->server->account;
  if (account != NULL && pool->account == NULL)
    pool->account = weir__account_ref(account);
}

void weir__cap_end(struct weir__shard *shard)
{
  struct weir__pool *pool = &shard->loop->pool;
  if (pool->account == NULL || pool->account != shard->server->account)
    return;
  weir__account_unref(pool->account);
  pool->account = NULL;
}

static uint32_t shard_count(const struct weir_server *server)
{
  return __atomic_load_n(&server->shard_count, __ATOMIC_ACQUIRE);
}

static bool is_over(const struct weir_server *server)
{
  size_t sum = __atomic_load_n(&server->account->bytes, __ATOMIC_RELAXED);
  for (uint32_t i = 0; i < shard_count(server); i++)
    sum += __atomic_load_n(&server->shards[i].loop->pool.queued, __ATOMIC_RELAXED);
  return sum > server->options.max_queue_memory;
}

/* The open connection with the longest queue; NULL: all are empty. Says how long it is. */
static struct weir_conn *longest(struct weir__shard *shard)
{
  struct weir_conn *c, *found = NULL;
  size_t most = 0;
  for (uint32_t slot = 0; (c = weir__shard_next(shard, &slot)) != NULL;) {
    bool queues = c->state == WEIR__CONN_OPEN && c->outbox != NULL;
    size_t length = queues ? weir__out_before_message(c).bytes : 0;
    if (length <= most)
      continue;
    most = length;
    found = c;
  }
  __atomic_store_n(&shard->cap.longest, most, __ATOMIC_RELAXED);
  return found;
}

/* What may be dropped goes before the connection does. */
static void give_way(struct weir_conn *c)
{
  weir__count(&c->shard->counters.shed, 1);
  if (!weir__out_drop_all(c))
    weir__conn_fail_later(c, WEIR__CLOSE_POLICY);
}

/* The loop was asked to: its own longest queue goes, though another loop may have a longer one by
 * now. */
static void shed_here(void *arg)
{
  struct weir__shard *shard = arg;
  __atomic_store_n(&shard->cap.asked, 0, __ATOMIC_RELEASE);
  struct weir_conn *c = is_over(shard->server) ? longest(shard) : NULL;
  if (c != NULL)
    give_way(c);
}

/* Another loop that has a longer queue, as far as is known here; NULL: none. */
static struct weir__shard *longer_elsewhere(const struct weir__shard *shard)
{
  const struct weir_server *server = shard->server;
  const struct weir__shard *found = shard;
  for (uint32_t i = 0; i < shard_count(server); i++) {
    const struct weir__shard *other = &server->shards[i];
    if (__atomic_load_n(&other->cap.longest, __ATOMIC_RELAXED) >
        __atomic_load_n(&found->cap.longest, __ATOMIC_RELAXED))
      found = other;
  }
  return found == shard ? NULL : &shard->server->shards[found->index];
}

static void ask(struct weir__shard *other)
{
  if (__atomic_exchange_n(&other->cap.asked, 1, __ATOMIC_ACQUIRE) == 0)
    weir__loop_post(other->loop, &other->cap.post, shed_here, other);
}

static void shed(struct weir__shard *shard)
{
  while (is_over(shard->server)) {
    struct weir_conn *c = longest(shard);
    struct weir__shard *other = longer_elsewhere(shard);
    if (other != NULL)
      ask(other);
    if (c == NULL || other != NULL)
      return;
    give_way(c);
  }
}

void weir__cap_note(struct weir_conn *c, size_t bytes)
{
  struct weir__cap *cap = &c->shard->cap;
  size_t length = weir__out_before_message(c).bytes + bytes;
  if (length > cap->longest)
    __atomic_store_n(&cap->longest, length, __ATOMIC_RELAXED);
  cap->unseen += bytes;
  if (cap->unseen < LOOK_EVERY)
    return;
  cap->unseen = 0;
  shed(c->shard);
}
