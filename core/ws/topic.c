/* A hash table of topics, each with an array of its members; a connection's subscriptions are a
 * list, a connection's with many a table of short lists. Both ends are unlinked in O(1). */
#include "ws/topic.h"

#include "base/hash.h"

#include <errno.h>
#include <string.h>

enum { FIRST_BUCKETS = 64, FIRST_MEMBERS = 4, FEW = 8 };

void weir__topics_init(struct weir__topics *t, struct weir__mem *mem, const uint64_t key[2],
                       size_t most)
{
  memset(t, 0, sizeof *t);
  t->mem = mem;
  t->most = most;
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
  t->last_id = t->last_id % WEIR__TOPIC_ID_MAX + 1;
  topic->id = t->last_id;
  topic->policy = WEIR__TOPIC_UNKNOWN;
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

/* Stands first on the list of a connection with more than a few subscriptions, and is the only one
 * there. */
struct many {
  struct weir__subscription mark; /* of no topic; its index is how many there are */
  uint32_t bucket_count;          /* a power of two */
  struct weir__subscription *buckets[];
};

static struct many *many_of(struct weir__subscription *list)
{
  if (list == NULL || list->topic != NULL)
    return NULL;
  return WEIR__CONTAINER(list, struct many, mark);
}

static size_t many_size(size_t bucket_count)
{
  return sizeof(struct many) + bucket_count * sizeof(struct weir__subscription *);
}

/* The list that a connection's subscription to a topic is on. */
static struct weir__subscription **list_for(const struct weir__topic *topic,
                                            struct weir__subscription **list)
{
  struct many *many = many_of(*list);
  return many == NULL ? list : &many->buckets[topic->hash & (many->bucket_count - 1)];
}

/* What points to a connection's subscription to a topic; to NULL: there is none. */
static struct weir__subscription **find_own(const struct weir__topic *topic,
                                            struct weir__subscription **list)
{
  struct weir__subscription **at = list_for(topic, list);
  while (*at != NULL && (*at)->topic != topic)
    at = &(*at)->next;
  return at;
}

static void push_own(struct weir__subscription *subscription, struct weir__subscription **list)
{
  struct weir__subscription **at = list_for(subscription->topic, list);
  struct many *many = many_of(*list);
  subscription->next = *at;
  *at = subscription;
  if (many != NULL)
    many->mark.index++;
}

static void move_own(struct weir__subscription **from, struct weir__subscription **to)
{
  while (*from != NULL) {
    struct weir__subscription *moved = *from;
    *from = moved->next;
    push_own(moved, to);
  }
}

/* How many a connection has: a table knows, and without one they are few. */
static size_t count_own(struct weir__subscription *list)
{
  const struct many *many = many_of(list);
  size_t count = 0;
  if (many != NULL)
    return many->mark.index;
  for (; list != NULL; list = list->next)
    count++;
  return count;
}

/* Keeps the lists of a connection short; without memory they stay as they are. */
static void spread(struct weir__topics *t, struct weir__subscription **list)
{
  struct many *old = many_of(*list);
  uint32_t old_count = old == NULL ? FEW : old->bucket_count;
  if (count_own(*list) <= old_count)
    return;
  struct many *fresh = weir__mem_zalloc(t->mem, many_size(2 * (size_t)old_count));
  if (fresh == NULL)
    return;
  fresh->bucket_count = 2 * old_count;
  struct weir__subscription *spread_list = &fresh->mark;
  if (old == NULL) {
    move_own(list, &spread_list);
  } else {
    for (uint32_t i = 0; i < old_count; i++)
      move_own(&old->buckets[i], &spread_list);
    weir__mem_free(t->mem, old, many_size(old_count));
  }
  *list = spread_list;
}

static void drop_many(struct weir__topics *t, struct weir__subscription **list)
{
  struct many *many = many_of(*list);
  weir__mem_free(t->mem, many, many_size(many->bucket_count));
  *list = NULL;
}

struct weir__subscription *weir__topics_in(const struct weir__topics *t,
                                           struct weir__subscription *list, const char *name,
                                           size_t len)
{
  const struct weir__topic *topic = weir__topics_find(t, name, len);
  return topic == NULL ? NULL : *find_own(topic, &list);
}

static int subscribe(struct weir__topics *t, const struct weir__subscriber *who, const char *name,
                     size_t len)
{
  uint64_t hash = weir__hash(t->key, name, len);
  struct weir__topic *topic = find(t, hash, name, len);
  if (topic != NULL && *find_own(topic, who->list) != NULL)
    return -EALREADY;
  if (count_own(*who->list) >= who->most || (topic == NULL && t->count >= t->most))
    return -ENOBUFS;
  if (topic == NULL)
    topic = add_topic(t, hash, name, len);
  if (topic == NULL)
    return -ENOMEM;
  struct weir__subscription *subscription = NULL;
  if (make_place(t, topic) == 0)
    subscription = weir__slab_get(&t->subscriptions);
  if (subscription == NULL) {
    drop_if_empty(t, topic);
    return -ENOMEM;
  }
  *subscription = (struct weir__subscription){topic, who->conn, NULL, topic->count};
  topic->members[topic->count++] = subscription;
  push_own(subscription, who->list);
  spread(t, who->list);
  return 0;
}

int weir__topics_subscribe(struct weir__topics *t, const struct weir__subscriber *who,
                           const char *name, size_t len)
{
  pthread_mutex_lock(&t->lock);
  int error = subscribe(t, who, name, len);
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
  const struct weir__topic *topic = weir__topics_find(t, name, len);
  struct weir__subscription **at = topic == NULL ? NULL : find_own(topic, list);
  if (at == NULL || *at == NULL)
    return -ENOENT;
  pthread_mutex_lock(&t->lock);
  remove_at(t, at);
  pthread_mutex_unlock(&t->lock);
  struct many *many = many_of(*list);
  if (many != NULL && --many->mark.index == 0)
    drop_many(t, list);
  return 0;
}

void weir__topics_leave(struct weir__topics *t, struct weir__subscription **list)
{
  struct many *many = many_of(*list);
  uint32_t count = many == NULL ? 1 : many->bucket_count;
  if (*list == NULL)
    return;
  pthread_mutex_lock(&t->lock);
  for (uint32_t i = 0; i < count; i++) {
    struct weir__subscription **at = many == NULL ? list : &many->buckets[i];
    while (*at != NULL)
      remove_at(t, at);
  }
  pthread_mutex_unlock(&t->lock);
  if (many != NULL)
    drop_many(t, list);
}

size_t weir__topics_count(struct weir__topics *t, const char *name, size_t len)
{
  pthread_mutex_lock(&t->lock);
  const struct weir__topic *topic = weir__topics_find(t, name, len);
  size_t count = topic == NULL ? 0 : topic->count;
  pthread_mutex_unlock(&t->lock);
  return count;
}
