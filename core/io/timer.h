/* User timers, exact to 1 ms: a hierarchical timing wheel of intrusive nodes. Pure but for its
 * caller's clock: advanced by hand, so it runs as well in a test. Adding, removing and firing are
 * O(1), and timers move from coarse slots to fine ones in bounded batches. */
#ifndef WEIR_IO_TIMER_H
#define WEIR_IO_TIMER_H

#include "base/list.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
  WEIR__TIMER_LEVELS = 13, /* of 5 bits: any 64-bit time */
  WEIR__TIMER_SLOTS = 64,
  WEIR__TIMER_BATCH = 1024, /* moved at a time, a level: the most that each ms may cost */
};

struct weir__timer {
  struct weir__link link;
  uint64_t at_ms; /* when it is due */
};

struct weir__timers {
  uint64_t now_ms; /* all timers due up to and at this time have been taken */
  size_t count;
  uint64_t occupied[WEIR__TIMER_LEVELS]; /* a bit a slot that is not empty */
  struct weir__link slots[WEIR__TIMER_LEVELS][WEIR__TIMER_SLOTS];
  struct weir__link due; /* expired, not yet taken */
};

void weir__timers_init(struct weir__timers *timers, uint64_t now_ms);

/* Adds a timer that is on no list; one that is due already is taken by the next call of
 * weir__timers_take. */
void weir__timers_add(struct weir__timers *timers, struct weir__timer *timer, uint64_t at_ms);

/* Removes a timer; nothing happens when it is not added. */
void weir__timers_remove(struct weir__timers *timers, struct weir__timer *timer);

/* Moves time on to now_ms. Timers that are due by then are handed out by weir__timers_take in order
 * of time. */
void weir__timers_advance(struct weir__timers *timers, uint64_t now_ms);

/* The next timer that is due, removed; NULL when there is none. */
struct weir__timer *weir__timers_take(struct weir__timers *timers);

/* How long to sleep: a time after now_ms and at most the earliest timer's; UINT64_MAX without
 * timers, now_ms when one is due already. It may be early, once per level that the timer has still
 * to come down and for each batch that moves with it: the caller then advances and asks again. */
uint64_t weir__timers_next(const struct weir__timers *timers);

#ifdef __cplusplus
}
#endif

#endif
