/* The coarse wheel: one round of slots, each a list; a bit says which hold anything. Every turn of
 * a loop asks for the next one, so that it is kept while it is known. */
#include "io/wheel.h"

#include "base/debug.h"

#include <stddef.h>

enum { WORD_BITS = 64, WORDS = WEIR__WHEEL_SLOTS / WORD_BITS };

void weir__wheel_init(struct weir__wheel *wheel, uint64_t now_ms)
{
  *wheel = (struct weir__wheel){.tick = now_ms / WEIR__WHEEL_TICK_MS, .next = UINT64_MAX};
  for (unsigned slot = 0; slot < WEIR__WHEEL_SLOTS; slot++)
    weir__list_init(&wheel->slots[slot]);
}

/* The tick in hand has partly passed, so that the next one begins the delay. */
void weir__wheel_add(struct weir__wheel *wheel, struct weir__link *node, uint64_t delay_ms)
{
  WEIR__ASSERT(!weir__link_on_list(node));
  uint64_t ticks = 1 + delay_ms / WEIR__WHEEL_TICK_MS + (delay_ms % WEIR__WHEEL_TICK_MS != 0);
  if (ticks > WEIR__WHEEL_SLOTS)
    ticks = WEIR__WHEEL_SLOTS;
  unsigned slot = (unsigned)((wheel->tick + ticks) % WEIR__WHEEL_SLOTS);
  weir__list_push_back(&wheel->slots[slot], node);
  wheel->occupied[slot / WORD_BITS] |= UINT64_C(1) << slot % WORD_BITS;
  if (wheel->tick + ticks < wheel->next)
    wheel->next = wheel->tick + ticks;
}

void weir__wheel_remove(struct weir__wheel *wheel, struct weir__link *node)
{
  if (!weir__link_on_list(node))
    return;
  struct weir__link *next = node->next;
  weir__list_remove(node);
  uintptr_t offset = (uintptr_t)next - (uintptr_t)wheel->slots;
  if (!weir__list_empty(next) || offset >= sizeof wheel->slots)
    return;
  size_t slot = offset / sizeof *next;
  wheel->occupied[slot / WORD_BITS] &= ~(UINT64_C(1) << slot % WORD_BITS);
  if (slot == wheel->next % WEIR__WHEEL_SLOTS)
    wheel->next = 0;
}

static void open_slot(struct weir__wheel *wheel, unsigned slot, struct weir__link *due)
{
  uint64_t bit = UINT64_C(1) << slot % WORD_BITS;
  if ((wheel->occupied[slot / WORD_BITS] & bit) == 0)
    return;
  wheel->occupied[slot / WORD_BITS] &= ~bit;
  weir__list_splice(due, &wheel->slots[slot]);
}

void weir__wheel_turn(struct weir__wheel *wheel, uint64_t tick, struct weir__link *due)
{
  uint64_t ticks = tick - wheel->tick;
  if (ticks > WEIR__WHEEL_SLOTS)
    ticks = WEIR__WHEEL_SLOTS;
  for (uint64_t passed = 1; passed <= ticks; passed++)
    open_slot(wheel, (unsigned)((wheel->tick + passed) % WEIR__WHEEL_SLOTS), due);
  wheel->tick = tick;
  if (wheel->next <= tick)
    wheel->next = 0;
}

void weir__wheel_look(struct weir__wheel *wheel)
{
  unsigned first = (unsigned)((wheel->tick + 1) % WEIR__WHEEL_SLOTS);
  uint64_t ahead =
      ~UINT64_C(0) << first % WORD_BITS; /* of the first word: slots not behind first */
  for (unsigned i = 0; i <= WORDS; i++) {
    unsigned word = (first / WORD_BITS + i) % WORDS;
    uint64_t bits = wheel->occupied[word] & (i == 0 ? ahead : i == WORDS ? ~ahead : ~UINT64_C(0));
    if (bits == 0)
      continue;
    unsigned slot = word * WORD_BITS + (unsigned)__builtin_ctzll(bits);
    uint64_t distance = 1 + (slot + WEIR__WHEEL_SLOTS - first) % WEIR__WHEEL_SLOTS;
    wheel->next = wheel->tick + distance;
    return;
  }
  wheel->next = UINT64_MAX;
}
