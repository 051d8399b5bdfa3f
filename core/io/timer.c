/* A hierarchical timing wheel. A timer lies on the level of the highest digit (of 6 bits) in which
 * its time differs from now, in the slot of that digit: so all slots of a level that hold anything
 * lie ahead, and all of a level come before all of the next. When a slot's time comes, its timers
 * move to lower levels, or are due. */
#include "io/timer.h"

#include "base/debug.h"

enum { DIGIT_BITS = 6 };

void weir__timers_init(struct weir__timers *timers, uint64_t now_ms)
{
  *timers = (struct weir__timers){.now_ms = now_ms};
  for (unsigned level = 0; level < WEIR__TIMER_LEVELS; level++)
    for (unsigned slot = 0; slot < WEIR__TIMER_SLOTS; slot++)
      weir__list_init(&timers->slots[level][slot]);
  weir__list_init(&timers->due);
}

/* Puts a timer into the slot that its time and now give. */
static void place(struct weir__timers *timers, struct weir__timer *timer)
{
  if (timer->at_ms <= timers->now_ms) {
    weir__list_push_back(&timers->due, &timer->link);
    return;
  }
  unsigned bit = 63u - (unsigned)__builtin_clzll(timer->at_ms ^ timers->now_ms);
  unsigned level = bit / DIGIT_BITS;
  unsigned slot = (timer->at_ms >> (level * DIGIT_BITS)) & (WEIR__TIMER_SLOTS - 1);
  weir__list_push_back(&timers->slots[level][slot], &timer->link);
  timers->occupied[level] |= UINT64_C(1) << slot;
}

void weir__timers_add(struct weir__timers *timers, struct weir__timer *timer, uint64_t at_ms)
{
  WEIR__ASSERT(!weir__link_on_list(&timer->link));
  timer->at_ms = at_ms;
  timers->count++;
  place(timers, timer);
}

/* Clears the bit of a slot, which is found by its address; the list of those due has none. */
static void slot_emptied(struct weir__timers *timers, const struct weir__link *head)
{
  const struct weir__link *first = &timers->slots[0][0];
  uintptr_t offset = (uintptr_t)head - (uintptr_t)first;
  if (offset >= sizeof timers->slots)
    return;
  size_t index = offset / sizeof *head;
  timers->occupied[index / WEIR__TIMER_SLOTS] &= ~(UINT64_C(1) << index % WEIR__TIMER_SLOTS);
}

void weir__timers_remove(struct weir__timers *timers, struct weir__timer *timer)
{
  if (!weir__link_on_list(&timer->link))
    return;
  struct weir__link *next = timer->link.next;
  weir__list_remove(&timer->link);
  timers->count--;
  if (weir__list_empty(next))
    slot_emptied(timers, next);
}

/* The first level that holds anything, WEIR__TIMER_LEVELS when none does. */
static unsigned first_level(const struct weir__timers *timers)
{
  unsigned level = 0;
  while (level < WEIR__TIMER_LEVELS && timers->occupied[level] == 0)
    level++;
  return level;
}

/* When the first occupied slot of a level begins: now's digits above the level, its own digit, and
 * zeros. */
static uint64_t slot_time(const struct weir__timers *timers, unsigned level)
{
  unsigned shift = level * DIGIT_BITS;
  uint64_t slot = (uint64_t)__builtin_ctzll(timers->occupied[level]);
  uint64_t digits = (timers->now_ms >> shift) & ~(uint64_t)(WEIR__TIMER_SLOTS - 1);
  return (digits | slot) << shift;
}

/* Moves on to a slot's time, and its timers to where they belong now. */
static void open_slot(struct weir__timers *timers, unsigned level, uint64_t at_ms)
{
  unsigned slot = (unsigned)__builtin_ctzll(timers->occupied[level]);
  struct weir__link *head = &timers->slots[level][slot];
  timers->now_ms = at_ms;
  timers->occupied[level] &= ~(UINT64_C(1) << slot);
  if (level == 0) {
    weir__list_splice(&timers->due, head);
    return;
  }
  while (!weir__list_empty(head)) {
    struct weir__timer *timer = WEIR__CONTAINER(head->next, struct weir__timer, link);
    weir__list_remove(&timer->link);
    place(timers, timer);
  }
}

void weir__timers_advance(struct weir__timers *timers, uint64_t now_ms)
{
  while (timers->count > 0) {
    unsigned level = first_level(timers);
    if (level == WEIR__TIMER_LEVELS)
      break;
    uint64_t at_ms = slot_time(timers, level);
    if (at_ms > now_ms)
      break;
    open_slot(timers, level, at_ms);
  }
  if (now_ms > timers->now_ms)
    timers->now_ms = now_ms;
}

struct weir__timer *weir__timers_take(struct weir__timers *timers)
{
  if (weir__list_empty(&timers->due))
    return NULL;
  struct weir__timer *timer = WEIR__CONTAINER(timers->due.next, struct weir__timer, link);
  weir__list_remove(&timer->link);
  timers->count--;
  return timer;
}

uint64_t weir__timers_next(const struct weir__timers *timers)
{
  if (timers->count == 0)
    return UINT64_MAX;
  if (!weir__list_empty(&timers->due))
    return timers->now_ms;
  return slot_time(timers, first_level(timers));
}
