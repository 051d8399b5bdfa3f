/* Bytes in; out comes where the text stops being UTF-8, or what must follow (RFC 3629 section 4).
 *
 * The automaton's state is the public one: how many continuation bytes are due, and the bounds of
 * the next, which alone tell overlong forms, surrogates and code points above 10FFFF. Whole
 * characters are skipped without it. Must not know of frames or masks. */
#include "wire/utf8.h"

#include <string.h>

static bool is_continuation(unsigned char byte)
{
  return (byte & 0xC0) == 0x80;
}

/* What the byte lets follow when a character begins with it. */
static bool begin(struct weir__utf8 *state, unsigned char byte)
{
  if (byte < 0x80)
    return true;
  if (byte < 0xC2 || byte > 0xF4)
    return false;
  state->due = byte < 0xE0 ? 1 : byte < 0xF0 ? 2 : 3;
  state->low = byte == 0xE0 ? 0xA0 : byte == 0xF0 ? 0x90 : 0x80;
  state->high = byte == 0xED ? 0x9F : byte == 0xF4 ? 0x8F : 0xBF;
  return true;
}

static bool step(struct weir__utf8 *state, unsigned char byte)
{
  if (state->due == 0)
    return begin(state, byte);
  if (byte < state->low || byte > state->high)
    return false;
  state->due--;
  state->low = 0x80;
  state->high = 0xBF;
  return true;
}

/* The length of the character of two to four bytes at p, which has four readable bytes; 0 when it
 * is not well-formed. */
static size_t character(const unsigned char *p)
{
  if (p[0] < 0xE0)
    return p[0] >= 0xC2 && is_continuation(p[1]) ? 2 : 0;
  if (!is_continuation(p[1]) || !is_continuation(p[2]))
    return 0;
  uint32_t code = (p[0] & 0x0Fu) << 12 | (p[1] & 0x3Fu) << 6 | (p[2] & 0x3Fu);
  if (p[0] < 0xF0)
    return code >= 0x800 && (code & 0xF800) != 0xD800 ? 3 : 0;
  /* Of a longer one, code lacks the last six bits: 400 stands for 10000, 4400 for 110000, and the
   * leads from F5 on for more. */
  return code >= 0x400 && code < 0x4400 && is_continuation(p[3]) ? 4 : 0;
}

static bool eight_ascii(const unsigned char *p)
{
  uint64_t word;
  memcpy(&word, p, sizeof word);
  return (word & 0x8080808080808080u) == 0;
}

/* Skips well-formed characters as long as that is quick; what stops it is for the automaton. */
static size_t skip(const unsigned char *data, size_t len)
{
  size_t at = 0;
  for (;;) {
    while (len - at >= 8 && eight_ascii(data + at))
      at += 8;
    while (at < len && data[at] < 0x80)
      at++;
    if (len - at < 4)
      return at;
    size_t length = character(data + at);
    if (length == 0)
      return at;
    at += length;
  }
}

size_t weir__utf8_validate(struct weir__utf8 *state, const unsigned char *data, size_t len)
{
  size_t at = 0;
  while (at < len) {
    if (state->due == 0) {
      at += skip(data + at, len - at);
      if (at == len)
        break;
    }
    if (!step(state, data[at]))
      return at;
    at++;
  }
  return len;
}
