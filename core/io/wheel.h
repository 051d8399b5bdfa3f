/* The coarse wheel of connection deadlines: one round of slots of 64 ms each. A node keeps no time;
 * when its slot comes up, its owner looks at its own clocks and says how long to wait again.
 * Activity therefore costs the wheel nothing, and a deadline past the round is simply asked for
 * more than once. Fires late by up to two ticks, never early. */
#ifndef WEIR_IO_WHEEL_H
#define WEIR_IO_WHEEL_H

#include "base/list.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { WEIR__WHEEL_SLOTS = 512, WEIR__WHEEL_TICK_MS = 64 };

struct weir__wheel {
  uint64_t tick; /* the one that has been handled last, of now_ms / WEIR__WHEEL_TICK_MS */
  struct weir__link slots[WEIR__WHEEL_SLOTS];
  uint64_t occupied[WEIR__WHEEL_SLOTS / 64];
};

void weir__wheel_init(struct weir__wheel *wheel, uint64_t now_ms);

/* Adds a node that is on no list, to come up after delay_ms at the earliest, or after a whole round
 * if that is sooner. */
void weir__wheel_add(struct weir__wheel *wheel, struct weir__link *node, uint64_t delay_ms);

/* Removes a node; nothing happens when it is not added. */
void weir__wheel_remove(struct weir__wheel *wheel, struct weir__link *node);

/* Moves all nodes whose slot has come up by now_ms to the end of the list due. */
void weir__wheel_advance(struct weir__wheel *wheel, uint64_t now_ms, struct weir__link *due);

/* When the next occupied slot comes up, in ms of the same clock; UINT64_MAX when all are empty. */
uint64_t weir__wheel_next(const struct weir__wheel *wheel);

#ifdef __cplusplus
}
#endif

#endif
