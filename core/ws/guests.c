/* The table of addresses: an entry lives as long as its address has a connection, so there are no
 * more of them than connections. */
#include "ws/guests.h"

#include "base/debug.h"
#include "base/hash.h"

#include <errno.h>
#include <string.h>

enum { FIRST_BUCKETS = 64 };

void weir__guests_init(struct weir__guests *g, const struct weir__sys *sys,
                       const uint64_t hash_key[2])
{
  memset(g, 0, sizeof *g);
  g->mem.sys = sys;
  memcpy(g->hash_key, hash_key, sizeof g->hash_key);
  pthread_mutex_init(&g->lock, NULL);
}

void weir__guests_fini(struct weir__guests *g)
{
  WEIR__ASSERT(g->count == 0);
  weir__mem_free(&g->mem, g->buckets, g->bucket_count * sizeof *g->buckets);
  pthread_mutex_destroy(&g->lock);
}

static struct weir__guest **bucket_of(const struct weir__guests *g, const unsigned char *key)
{
  return &g->buckets[weir__hash(g->hash_key, key, WEIR__IP_KEY) & (g->bucket_count - 1)];
}

static struct weir__guest *find(const struct weir__guests *g, const unsigned char *key)
{
  struct weir__guest *guest = g->bucket_count == 0 ? NULL : *bucket_of(g, key);
  while (guest != NULL && memcmp(guest->key, key, WEIR__IP_KEY) != 0)
    guest = guest->next;
  return guest;
}

static void push(struct weir__guests *g, struct weir__guest *guest)
{
  struct weir__guest **bucket = bucket_of(g, guest->key);
  guest->next = *bucket;
  *bucket = guest;
}

/* Doubles the buckets when there are as many addresses. */
static int grow(struct weir__guests *g)
{
  if (g->count < g->bucket_count)
    return 0;
  struct weir__guest **old = g->buckets;
  size_t old_count = g->bucket_count, wanted = old_count == 0 ? FIRST_BUCKETS : 2 * old_count;
  struct weir__guest **fresh = weir__mem_zalloc(&g->mem, wanted * sizeof(struct weir__guest *));
  if (fresh == NULL)
    return -ENOMEM;
  g->buckets = fresh;
  g->bucket_count = wanted;
  for (size_t i = 0; i < old_count; i++) {
    for (struct weir__guest *guest = old[i], *next; guest != NULL; guest = next) {
      next = guest->next;
      push(g, guest);
    }
  }
  weir__mem_free(&g->mem, old, old_count * sizeof(struct weir__guest *));
  return 0;
}

static struct weir__guest *add(struct weir__guests *g, const unsigned char *key)
{
  if (grow(g) != 0)
    return NULL;
  struct weir__guest *guest = weir__mem_zalloc(&g->mem, sizeof *guest);
  if (guest == NULL)
    return NULL;
  memcpy(guest->key, key, WEIR__IP_KEY);
  push(g, guest);
  g->count++;
  return guest;
}

static int take(struct weir__guests *g, const unsigned char *key, size_t most,
                struct weir__guest **out)
{
  struct weir__guest *guest = find(g, key);
  if (guest != NULL && guest->count >= most)
    return -ENOBUFS;
  if (guest == NULL)
    guest = add(g, key);
  if (guest == NULL)
    return -ENOMEM;
  guest->count++;
  *out = guest;
  return 0;
}

int weir__guests_take(struct weir__guests *g, const struct weir__ip *ip, size_t most,
                      struct weir__guest **out)
{
  unsigned char key[WEIR__IP_KEY];
  weir__ip_key(ip, key);
  pthread_mutex_lock(&g->lock);
  int error = take(g, key, most, out);
  pthread_mutex_unlock(&g->lock);
  return error;
}

static void drop(struct weir__guests *g, struct weir__guest *guest)
{
  struct weir__guest **at = bucket_of(g, guest->key);
  while (*at != guest)
    at = &(*at)->next;
  *at = guest->next;
  g->count--;
  weir__mem_free(&g->mem, guest, sizeof *guest);
}

void weir__guests_give(struct weir__guests *g, struct weir__guest *guest)
{
  pthread_mutex_lock(&g->lock);
  WEIR__ASSERT(guest->count > 0);
  if (--guest->count == 0)
    drop(g, guest);
  pthread_mutex_unlock(&g->lock);
}
