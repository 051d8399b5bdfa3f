/* The seams of a text that comes in pieces: a wide kernel works from the beginning of a character
 * on and says where the text is sound up to; the exact byte and the state come from the automaton
 * of utf8.c, run over the few bytes around. Must not know which kernel asks. */
#include "wire/mask_kernel.h"

#include <string.h>

#define TWICE(...)           __VA_ARGS__, __VA_ARGS__
#define PERIOD_OF_3(a, b, c) TWICE(TWICE(TWICE(a, b, c, a, b, c, a, b, c)))

const unsigned char weir__run_low[72] = {PERIOD_OF_3(0xE1, 0x80, 0x80)};
const unsigned char weir__run_span[72] = {PERIOD_OF_3(0xEF - 0xE1, 0x3F, 0x3F)};
const unsigned char weir__text_ends[64] = {[0 ... 60] = 0xFF, 0xEF, 0xDF, 0xBF};

size_t weir__mask_text_resume(unsigned char *data, size_t len, uint32_t key,
                              struct weir__utf8 *state)
{
  unsigned char keys[4];
  memcpy(keys, &key, sizeof keys);
  size_t at = 0;
  for (; at < len && state->due > 0; at++) {
    data[at] ^= keys[at % 4];
    if (weir__utf8_validate(state, data + at, 1) == 0)
      break;
  }
  return at;
}

/* Where the character begins that is cut at `at`; `at` when none is. */
static size_t cut_character(const unsigned char *data, size_t at)
{
  for (size_t back = 1; back <= 3 && back <= at; back++) {
    unsigned char byte = data[at - back];
    if (byte >= 0xC0) {
      size_t length = byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
      return back < length ? at - back : at;
    }
    if (byte < 0x80)
      break;
  }
  return at;
}

size_t weir__mask_text_settle(const unsigned char *data, size_t len, size_t sound,
                              struct weir__utf8 *state)
{
  size_t from = cut_character(data, sound);
  return from + weir__utf8_validate(state, data + from, len - from);
}
