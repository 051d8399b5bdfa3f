/* Topics of one loop: a name to the connections subscribed to it. The loop's thread alone changes
 * them, under a lock that other threads take to count. Names are hashed with a key of the loop's
 * own, so that nobody can choose collisions. */
#ifndef WEIR_WS_TOPIC_H
#define WEIR_WS_TOPIC_H

#include <weir/attributes.h>

#include "base/slab.h"

#include <pthread.h>
#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

struct weir_conn;

enum {
  WEIR__TOPIC_MAX = 255, /* bytes of a name */
  WEIR__TOPIC_ID_MAX = (1 << 29) - 1,
  WEIR__TOPIC_UNKNOWN = 0xFF,
  WEIR__TOPIC_NO_POLICY = 0xFE,
};

struct weir__topic {
  struct weir__topic *next; /* of its bucket */
  uint64_t hash;
  struct weir__subscription **members; /* in no order */
  uint32_t count, capacity;
  uint32_t id;    /* its key in queues; of a topic that is gone it may come again after very many */
  uint8_t policy; /* enum weir_queue_policy of what is published to it; WEIR__TOPIC_NO_POLICY: that
                     of the connection; WEIR__TOPIC_UNKNOWN: not looked up yet */
  uint32_t name_len;
  char name[];
};

struct weir__subscription {
  struct weir__topic *topic;
  struct weir_conn *conn;
  struct weir__subscription *next; /* of its connection, or of its part of a table */
  uint32_t index;                  /* among the topic's members */
};

struct weir__topics {
  struct weir__mem *mem;
  struct weir__slab subscriptions;
  struct weir__topic **buckets;
  size_t bucket_count; /* a power of two, or 0 */
  size_t count, most;  /* topics, and how many there may be */
  uint32_t last_id;
  uint64_t key[2];
  pthread_mutex_t lock;
};

void weir__topics_init(struct weir__topics *topics, struct weir__mem *mem, const uint64_t key[2],
                       size_t most);

/* No connection may be subscribed any more. */
void weir__topics_fini(struct weir__topics *topics);

/* The topic of a name; NULL when nobody is subscribed. The loop's thread. */
struct weir__topic *weir__topics_find(const struct weir__topics *topics, const char *name,
                                      size_t len);

/* Whose list of subscriptions starts at *list: NULL at first, and known to these functions alone.
 */
struct weir__subscriber {
  struct weir_conn *conn;
  struct weir__subscription **list;
  size_t most; /* how many there may be */
};

/* Subscribes a connection. Returns 0, -EALREADY, -ENOBUFS (too many subscriptions, or topics) or
 * -ENOMEM. */
int weir__topics_subscribe(struct weir__topics *topics, const struct weir__subscriber *who,
                           const char *name, size_t len);

/* Ends one subscription: 0 or -ENOENT; or all of them. */
int weir__topics_unsubscribe(struct weir__topics *topics, struct weir__subscription **list,
                             const char *name, size_t len);
void weir__topics_leave(struct weir__topics *topics, struct weir__subscription **list);

/* The subscription to a name in a list; NULL: none. */
struct weir__subscription *weir__topics_in(const struct weir__topics *topics,
                                           struct weir__subscription *list, const char *name,
                                           size_t len);

/* How many are subscribed, from any thread. */
size_t weir__topics_count(struct weir__topics *topics, const char *name, size_t len);

#ifdef __cplusplus
}
#endif

#endif
