/* A hash table of topics, each with an array of its members; a connection's subscriptions are a
 * list. Both ends are unlinked in O(1), but for the walk along the connection's own list. */
#include "ws/topic.h"

#include "base/hash.h"

#include <errno.h>
#include <string.h>

enum { FIRST_BUCKETS = 64, FIRST_MEMBERS = 4 };

void weir__topics_init(struct weir__topics *t, struct weir__mem *mem, const uint64_t key[2])
{
  memset(t, 0, sizeof *t);
  t->mem = mem;
  memcpy(t->key, key, sizeof t->key);
  weir__slab_init(&t->subscriptions, mem, sizeof(struct weir__subscription));
  pthread_mutex_init(&t->lock, NULL);
}

void weir__topics_fini(struct weir__topics *t)
{
  weir__mem_free(t->mem, t->buckets, t->bucket_count * sizeof *t->buckets);
  weir__slab_fini(&t->subscriptions);
  pthread_mutex_destroy(&t->lock);
}

static struct weir__topic **bucket_of(const struct weir__topics *t, uint64_t hash)
{
  return &t->buckets[hash & (t->bucket_count - 1)];
}

static struct weir__topic *find(const struct weir__topics *t, uint64_t hash, const char *name,
                                size_t len)
{
  if (t->bucket_count == 0)
    return NULL;
  struct weir__topic *topic = *bucket_of(t, hash);
  while (topic != NULL &&
         (topic->hash != hash || topic->name_len != len || memcmp(topic->name, name, len) != 0))
    topic = topic->next;
  return topic;
}

struct weir__topic *weir__topics_find(const struct weir__topics *t, const char *name, size_t len)
{
  return find(t, weir__hash(t->key, name, len), name, len);
}

/* Doubles the buckets when there are as many topics. */
static int grow(struct weir__topics *t)
{
  if (t->count < t->bucket_count)
    return 0;
  size_t wanted = t->bucket_count == 0 ? FIRST_BUCKETS : t->bucket_count * 2;
  struct weir__topic **old = t->buckets;
  size_t old_count = t->bucket_count;
  struct weir__topic **fresh = weir__mem_zalloc(t->mem, wanted * sizeof(struct weir__topic *));
  if (fresh == NULL)
    return -ENOMEM;
  t->buckets = fresh;
  t->bucket_count = wanted;
  for (size_t i = 0; i < old_count; i++) {
    for (struct weir__topic *topic = old[i], *next; topic != NULL; topic = next) {
      struct weir__topic **bucket = bucket_of(t, topic->hash);
      next = topic->next;
      topic->next = *bucket;
      *bucket = topic;
    }
  }
  weir__mem_free(t->mem, old, old_count * sizeof(struct weir__topic *));
  return 0;
}

static struct weir__topic *add_topic(struct weir__topics *t, uint64_t hash, const char *name,
                                     size_t len)
{
  if (grow(t) != 0)
    return NULL;
  struct weir__topic *topic = weir__mem_zalloc(t->mem, sizeof *topic + len);
  if (topic == NULL)
    return NULL;
  topic->hash = hash;
  topic->name_len = (uint32_t)len;
  memcpy(topic->name, name, len);
  topic->next = *bucket_of(t, hash);
  *bucket_of(t, hash) = topic;
  t->count++;
  return topic;
}

/* A topic without members goes. */
static void drop_if_empty(struct weir__topics *t, struct weir__topic *topic)
{
  if (topic->count > 0)
    return;
  struct weir__topic **at = bucket_of(t, topic->hash);
  while (*at != topic)
    at = &(*at)->next;
  *at = topic->next;
  t->count--;
  weir__mem_free(t->mem, topic->members, topic->capacity * sizeof(struct weir__subscription *));
  weir__mem_free(t->mem, topic, sizeof *topic + topic->name_len);
}

static int make_place(struct weir__topics *t, struct weir__topic *topic)
{
  if (topic->count < topic->capacity)
    return 0;
  uint32_t wanted = topic->capacity == 0 ? FIRST_MEMBERS : topic->capacity * 2;
  struct weir__subscription **grown =
      weir__mem_grow(t->mem, topic->members, topic->capacity * sizeof(struct weir__subscription *),
                     wanted * sizeof(struct weir__subscription *));
  if (grown == NULL)
    return -ENOMEM;
  topic->members = grown;
  topic->capacity = wanted;
  return 0;
}

static struct weir__subscription *in_list(const struct weir__topic *topic,
                                          struct weir__subscription *list)
{
  while (list != NULL && list->topic != topic)
    list = list->next;
  return list;
}

struct weir__subscription *weir__topics_in(const struct weir__topics *t,
                                           struct weir__subscription *list, const char *name,
                                           size_t len)
{
  const struct weir__topic *topic = weir__topics_find(t, name, len);
  return topic == NULL ? NULL : in_list(topic, list);
}

static int subscribe(struct weir__topics *t, struct weir_conn *conn,
                     struct weir__subscription **list, const char *name, size_t len)
{
  uint64_t hash = weir__hash(t->key, name, len);
  struct weir__topic *topic = find(t, hash, name, len);
  if (topic == NULL)
    topic = add_topic(t, hash, name, len);
  else if (in_list(topic, *list) != NULL)
    return -EALREADY;
  if (topic == NULL)
    return -ENOMEM;
  struct weir__subscription *subscription = NULL;
  if (make_place(t, topic) == 0)
    subscription = weir__slab_get(&t->subscriptions);
  if (subscription == NULL) {
    drop_if_empty(t, topic);
    return -ENOMEM;
  }
  *subscription = (struct weir__subscription){topic, conn, *list, topic->count};
  topic->members[topic->count++] = subscription;
  *list = subscription;
  return 0;
}

int weir__topics_subscribe(struct weir__topics *t, struct weir_conn *conn,
                           struct weir__subscription **list, const char *name, size_t len)
{
  pthread_mutex_lock(&t->lock);
  int error = subscribe(t, conn, list, name, len);
  pthread_mutex_unlock(&t->lock);
  return error;
}

/* Takes the subscription that *at points to out of its list and its topic. */
static void remove_at(struct weir__topics *t, struct weir__subscription **at)
{
  struct weir__subscription *gone = *at;
  struct weir__topic *topic = gone->topic;
  struct weir__subscription *last = topic->members[--topic->count];
  topic->members[gone->index] = last;
  last->index = gone->index;
  *at = gone->next;
  weir__slab_put(&t->subscriptions, gone);
  drop_if_empty(t, topic);
}

int weir__topics_unsubscribe(struct weir__topics *t, struct weir__subscription **list,
                             const char *name, size_t len)
{
  const struct weir__subscription *wanted = weir__topics_in(t, *list, name, len);
  if (wanted == NULL)
    return -ENOENT;
  while (*list != wanted)
    list = &(*list)->next;
  pthread_mutex_lock(&t->lock);
  remove_at(t, list);
  pthread_mutex_unlock(&t->lock);
  return 0;
}

void weir__topics_leave(struct weir__topics *t, struct weir__subscription **list)
{
  if (*list == NULL)
    return;
  pthread_mutex_lock(&t->lock);
  while (*list != NULL)
    remove_at(t, list);
  pthread_mutex_unlock(&t->lock);
}

size_t weir__topics_count(struct weir__topics *t, const char *name, size_t len)
{
  pthread_mutex_lock(&t->lock);
  const struct weir__topic *topic = weir__topics_find(t, name, len);
  size_t count = topic == NULL ? 0 : topic->count;
  pthread_mutex_unlock(&t->lock);
  return count;
}
