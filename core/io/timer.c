/* A hierarchical timing wheel. A slot of a level lasts as long as half a turn of the level below,
 * so that its timers can move down ahead of their time, a batch a millisecond. A timer lies on the
 * coarsest level where its slot is at least two ahead of now's. The next slot, where it still holds
 * something, takes what is added to its time, so that timers of one time keep their order; once it
 * is empty, the level below does. */
#include "io/timer.h"

#include "base/debug.h"

enum { DIGIT_BITS = 5 }; /* a level has 1 << (DIGIT_BITS + 1) slots */

void weir__timers_init(struct weir__timers *timers, uint64_t now_ms)
{
  *timers = (struct weir__timers){.now_ms = now_ms};
  for (unsigned level = 0; level < WEIR__TIMER_LEVELS; level++)
    for (unsigned slot = 0; slot < WEIR__TIMER_SLOTS; slot++)
      weir__list_init(&timers->slots[level][slot]);
  weir__list_init(&timers->due);
}

/* How many slots of a level a time lies ahead of now. */
static uint64_t slots_ahead(const struct weir__timers *timers, unsigned level, uint64_t at_ms)
{
  unsigned shift = level * DIGIT_BITS;
  return (at_ms >> shift) - (timers->now_ms >> shift);
}

static unsigned slot_of(unsigned level, uint64_t at_ms)
{
  return (at_ms >> (level * DIGIT_BITS)) & (WEIR__TIMER_SLOTS - 1);
}

/* The level for a time ahead. */
static unsigned level_for(const struct weir__timers *timers, uint64_t at_ms)
{
  unsigned level = (63u - (unsigned)__builtin_clzll(at_ms - timers->now_ms)) / DIGIT_BITS;
  if (level > 0 && slots_ahead(timers, level, at_ms) == 1)
    level--;
  for (unsigned up = level + 1; up < WEIR__TIMER_LEVELS && slots_ahead(timers, up, at_ms) == 1;
       up++)
    if (timers->occupied[up] >> slot_of(up, at_ms) & 1)
      level = up;
  return level;
}

/* Puts a timer into the slot that its time and now give. */
static void place(struct weir__timers *timers, struct weir__timer *timer)
{
  if (timer->at_ms <= timers->now_ms) {
    weir__list_push_back(&timers->due, &timer->link);
    return;
  }
  unsigned level = level_for(timers, timer->at_ms);
  unsigned slot = slot_of(level, timer->at_ms);
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

/* How far ahead of now's the first occupied slot of a level lies that holds anything. */
static unsigned first_ahead(const struct weir__timers *timers, unsigned level)
{
  unsigned now = slot_of(level, timers->now_ms);
  uint64_t occupied = timers->occupied[level];
  return (unsigned)__builtin_ctzll(occupied >> now | occupied << (-now & (WEIR__TIMER_SLOTS - 1)));
}

/* When a slot begins that lies so far ahead of now's. */
static uint64_t slot_time(const struct weir__timers *timers, unsigned level, unsigned ahead)
{
  unsigned shift = level * DIGIT_BITS;
  return ((timers->now_ms >> shift) + ahead) << shift;
}

/* When the first slot of a level must be empty: the finest at its time, another before the level
 * below begins to move the first of those that it is spread over. */
static uint64_t deadline(const struct weir__timers *timers, unsigned level)
{
  uint64_t at_ms = slot_time(timers, level, first_ahead(timers, level));
  return level == 0 ? at_ms : at_ms - (UINT64_C(1) << ((level - 1) * DIGIT_BITS));
}

/* The level whose first slot must be empty first, WEIR__TIMER_LEVELS when there is none by then. */
static unsigned most_urgent(const struct weir__timers *timers, uint64_t *by_ms)
{
  unsigned found = WEIR__TIMER_LEVELS;
  for (unsigned level = 0; level < WEIR__TIMER_LEVELS; level++) {
    if (timers->occupied[level] == 0)
      continue;
    uint64_t at_ms = deadline(timers, level);
    if (at_ms <= *by_ms) {
      *by_ms = at_ms;
      found = level;
    }
  }
  return found;
}

/* Moves timers of a slot, at most so many, to where they belong now. */
static void move_down(struct weir__timers *timers, unsigned level, unsigned slot, size_t most)
{
  struct weir__link *head = &timers->slots[level][slot];
  timers->occupied[level] &= ~(UINT64_C(1) << slot);
  if (level == 0) {
    weir__list_splice(&timers->due, head);
    return;
  }
  for (; most > 0 && !weir__list_empty(head); most--) {
    struct weir__timer *timer = WEIR__CONTAINER(head->next, struct weir__timer, link);
    weir__list_remove(&timer->link);
    place(timers, timer);
  }
  if (!weir__list_empty(head))
    timers->occupied[level] |= UINT64_C(1) << slot;
}

void weir__timers_advance(struct weir__timers *timers, uint64_t now_ms)
{
  unsigned level;
  if (now_ms <= timers->now_ms)
    return;
  for (uint64_t at_ms = now_ms; (level = most_urgent(timers, &at_ms)) < WEIR__TIMER_LEVELS;
       at_ms = now_ms) {
    unsigned slot = slot_of(level, slot_time(timers, level, first_ahead(timers, level)));
    timers->now_ms = at_ms;
    move_down(timers, level, slot, SIZE_MAX);
  }
  timers->now_ms = now_ms;
  for (level = 1; level < WEIR__TIMER_LEVELS; level++)
    if (timers->occupied[level] != 0 && first_ahead(timers, level) == 1)
      move_down(timers, level, slot_of(level, slot_time(timers, level, 1)), WEIR__TIMER_BATCH);
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
  uint64_t next_ms = UINT64_MAX;
  if (!weir__list_empty(&timers->due))
    return timers->now_ms;
  for (unsigned level = 0; level < WEIR__TIMER_LEVELS; level++) {
    if (timers->occupied[level] == 0)
      continue;
    unsigned ahead = first_ahead(timers, level);
    uint64_t at_ms = timers->now_ms + 1; /* the next slot is being moved */
    if (level == 0 || ahead > 1)
      at_ms = slot_time(timers, level, level == 0 ? ahead : ahead - 1);
    next_ms = at_ms < next_ms ? at_ms : next_ms;
  }
  return next_ms;
}
