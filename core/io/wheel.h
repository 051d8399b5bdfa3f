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
  uint64_t next; /* of the next occupied slot; UINT64_MAX: none is; 0: to be looked for */
  struct weir__link slots[WEIR__WHEEL_SLOTS];
  uint64_t occupied[WEIR__WHEEL_SLOTS / 64];
};

void weir__wheel_init(struct weir__wheel *wheel, uint64_t now_ms);

/* Adds a node that is on no list, to come up after delay_ms at the earliest, or after a whole round
 * if that is sooner. */
void weir__wheel_add(struct weir__wheel *wheel, struct weir__link *node, uint64_t delay_ms);

/* Removes a node; nothing happens when it is not added. */
void weir__wheel_remove(struct weir__wheel *wheel, struct weir__link *node);

/* Moves all nodes whose slot has come up by tick to the end of the list due. */
void weir__wheel_turn(struct weir__wheel *wheel, uint64_t tick, struct weir__link *due);

/* The same by now_ms; most turns of a loop end within the tick that they began in. */
static inline void weir__wheel_advance(struct weir__wheel *wheel, uint64_t now_ms,
                                       struct weir__link *due)
{
  uint64_t tick = now_ms / WEIR__WHEEL_TICK_MS;
  if (tick > wheel->tick)
    weir__wheel_turn(wheel, tick, due);
}

/* Finds the next occupied slot. */
void weir__wheel_look(struct weir__wheel *wheel);

/* When the next occupied slot comes up, in ms of the same clock; UINT64_MAX when all are empty. */
static inline uint64_t weir__wheel_next(struct weir__wheel *wheel)
{
  if (wheel->next == 0)
    weir__wheel_look(wheel);
  return wheel->next == UINT64_MAX ? UINT64_MAX : wheel->next * WEIR__WHEEL_TICK_MS;
}

#ifdef __cplusplus
}
#endif

#endif
