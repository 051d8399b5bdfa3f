/* How many connections each client's address has, over all loops: a table that a mutex guards,
 * touched when a connection begins and ends, and only where addresses are limited. Hashed with a
 * key that nobody knows, for clients choose their IPv6 addresses. */
#ifndef WEIR_WS_GUESTS_H
#define WEIR_WS_GUESTS_H

#include "base/mem.h"
#include "wire/address.h"

#include <pthread.h>

#ifdef __cplusplus
extern "C" {
#endif

struct weir__guest {
  struct weir__guest *next; /* of its bucket */
  size_t count;
  unsigned char key[WEIR__IP_KEY];
};

struct weir__guests {
  struct weir__mem mem; /* other threads read its bytes relaxed */
  struct weir__guest **buckets;
  size_t bucket_count; /* a power of two, or 0 */
  size_t count;
  uint64_t hash_key[2];
  pthread_mutex_t lock;
};

void weir__guests_init(struct weir__guests *guests, const struct weir__sys *sys,
                       const uint64_t hash_key[2]);

/* Every connection must have been given back. */
void weir__guests_fini(struct weir__guests *guests);

/* Counts one more connection of an address. Returns 0, -ENOBUFS when it has as many as it may, or
 * -ENOMEM. Any thread. */
int weir__guests_take(struct weir__guests *guests, const struct weir__ip *ip, size_t most,
                      struct weir__guest **out);

/* It ended. Any thread. */
void weir__guests_give(struct weir__guests *guests, struct weir__guest *guest);

#ifdef __cplusplus
}
#endif

#endif
