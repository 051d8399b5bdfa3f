/* Counted bytes: allocation and the atomic count. */
#include "io/buf.h"

struct weir__buf *weir__buf_new(const struct weir__sys *sys, uint32_t room, size_t capacity)
{
  if (capacity > PTRDIFF_MAX - sizeof(struct weir__buf) - room)
    return NULL;
  struct weir__buf *buf = sys->alloc(sys, sizeof *buf + room + capacity);
  if (buf == NULL)
    return NULL;
  *buf = (struct weir__buf){
      .sys = sys, .refs = 1, .begin = room, .end = room, .capacity = room + capacity};
  return buf;
}

struct weir__buf *weir__buf_take(struct weir__pool *pool, uint32_t room, size_t capacity)
{
  const size_t most = PTRDIFF_MAX - sizeof(struct weir__buf) - room;
  if (capacity > most || sizeof(struct weir__buf) + room + capacity < WEIR__POOL_LARGE)
    return weir__buf_new(pool->mem->sys, room, capacity);
  size_t size;
  struct weir__buf *buf = weir__pool_take_large(pool, sizeof *buf + room + capacity, &size);
  if (buf != NULL)
    *buf = (struct weir__buf){.sys = pool->mem->sys,
                              .refs = 1,
                              .begin = room,
                              .end = room,
                              .capacity = size - sizeof *buf};
  return buf;
}

void weir__buf_give(struct weir__pool *pool, struct weir__buf *buf)
{
  if (buf == NULL || __atomic_fetch_sub(&buf->refs, 1, __ATOMIC_ACQ_REL) != 1)
    return;
  const struct weir__sys *sys = buf->sys;
  weir__account_unref(buf->account);
  buf->account = NULL;
  if (sys != pool->mem->sys || !weir__pool_keep_large(pool, buf, sizeof *buf + buf->capacity))
    sys->free(sys, buf);
}

struct weir__buf *weir__buf_grow(struct weir__buf *buf, size_t capacity)
{
  if (capacity > PTRDIFF_MAX - sizeof(struct weir__buf))
    return NULL;
  struct weir__buf *grown = buf->sys->resize(buf->sys, buf, sizeof *buf + capacity);
  if (grown != NULL)
    grown->capacity = capacity;
  return grown;
}

struct weir__buf *weir__buf_ref(struct weir__buf *buf)
{
  __atomic_fetch_add(&buf->refs, 1, __ATOMIC_RELAXED);
  return buf;
}

void weir__buf_unref(struct weir__buf *buf)
{
  if (buf == NULL || __atomic_fetch_sub(&buf->refs, 1, __ATOMIC_ACQ_REL) != 1)
    return;
  weir__account_unref(buf->account);
  buf->sys->free(buf->sys, buf);
}

/* The account of a buffer, which is this one if it has none yet. */
static struct weir__account *account_of(struct weir__buf *buf, struct weir__account *account)
{
  struct weir__account *there = __atomic_load_n(&buf->account, __ATOMIC_ACQUIRE);
  if (there != NULL)
    return there;
  if (__atomic_compare_exchange_n(&buf->account, &there, weir__account_ref(account), false,
                                  __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
    return account;
  weir__account_unref(account);
  return there;
}

void weir__buf_charge(struct weir__buf *buf, struct weir__account *account)
{
  account = account_of(buf, account);
  if (__atomic_fetch_add(&buf->holders, 1, __ATOMIC_RELAXED) == 0)
    __atomic_fetch_add(&account->bytes, buf->capacity, __ATOMIC_RELAXED);
}

void weir__buf_discharge(struct weir__buf *buf)
{
  struct weir__account *account = __atomic_load_n(&buf->account, __ATOMIC_ACQUIRE);
  if (__atomic_fetch_sub(&buf->holders, 1, __ATOMIC_RELAXED) == 1)
    __atomic_fetch_sub(&account->bytes, buf->capacity, __ATOMIC_RELAXED);
}
