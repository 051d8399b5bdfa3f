/* Characters and comparisons that HTTP and URIs share (RFC 9110 section 5.6, RFC 3986 section 2).
 * In: bytes; out: their classes, a narrower slice, equal or not. Must not know what they mean. */
#include "wire/text.h"

#include <string.h>

#define VISIBLE (WEIR__TEXT_VALUE | WEIR__TEXT_TARGET)
#define NAME    (VISIBLE | WEIR__TEXT_TOKEN)
#define LETTER  (NAME | WEIR__TEXT_HOST | WEIR__TEXT_WORD)
#define DIGIT   (LETTER | WEIR__TEXT_HEX)

const unsigned char weir__text_classes[256] = {
    ['\t'] = WEIR__TEXT_VALUE,
    [' '] = WEIR__TEXT_VALUE,
    ['0' ... '9'] = DIGIT,
    ['A' ... 'F'] = DIGIT,
    ['G' ... 'Z'] = LETTER,
    ['a' ... 'f'] = DIGIT,
    ['g' ... 'z'] = LETTER,
    ['_'] = LETTER,
    ['!'] = NAME | WEIR__TEXT_HOST,
    ['$' ... '\''] = NAME | WEIR__TEXT_HOST,
    ['*' ... '+'] = NAME | WEIR__TEXT_HOST,
    ['-' ... '.'] = NAME | WEIR__TEXT_HOST,
    ['~'] = NAME | WEIR__TEXT_HOST,
    ['#'] = NAME,
    ['^'] = NAME,
    ['`'] = NAME,
    ['|'] = NAME,
    ['(' ... ')'] = VISIBLE | WEIR__TEXT_HOST,
    [','] = VISIBLE | WEIR__TEXT_HOST,
    [';'] = VISIBLE | WEIR__TEXT_HOST,
    ['='] = VISIBLE | WEIR__TEXT_HOST,
    ['"'] = VISIBLE,
    ['/'] = VISIBLE,
    [':'] = VISIBLE,
    ['<'] = VISIBLE,
    ['>' ... '@'] = VISIBLE,
    ['[' ... ']'] = VISIBLE,
    ['{'] = VISIBLE,
    ['}'] = VISIBLE,
    [0x80 ... 0xFF] = WEIR__TEXT_VALUE,
};

bool weir__text_all(struct weir_slice text, enum weir__text_class of)
{
  for (size_t i = 0; i < text.len; i++)
    if (!weir__text_in((unsigned char)text.data[i], of))
      return false;
  return text.len > 0;
}

static bool is_blank(char c)
{
  return c == ' ' || c == '\t';
}

struct weir_slice weir__text_trim(struct weir_slice text)
{
  while (text.len > 0 && is_blank(text.data[0]))
    text = (struct weir_slice){text.data + 1, text.len - 1};
  while (text.len > 0 && is_blank(text.data[text.len - 1]))
    text.len--;
  return text;
}

bool weir__text_equal(struct weir_slice text, const char *other)
{
  return strlen(other) == text.len && (text.len == 0 || memcmp(text.data, other, text.len) == 0);
}

static uint64_t repeat(unsigned char byte)
{
  return UINT64_C(0x0101010101010101) * byte;
}

/* The high bit of each byte that is an ASCII letter. */
static uint64_t letters(uint64_t bytes)
{
  uint64_t low = (bytes | repeat(0x20)) & repeat(0x7F);
  uint64_t from_a = low + repeat(0x80 - 'a'), past_z = low + repeat(0x7F - 'z');
  return from_a & ~past_z & ~bytes & repeat(0x80);
}

static bool same_letters(uint64_t a, uint64_t b)
{
  uint64_t differ = a ^ b;
  return (differ & ~repeat(0x20)) == 0 && (differ << 2 & ~letters(a)) == 0;
}

/* Up to 8 bytes as a number. */
static uint64_t load(const char *at, size_t len)
{
  uint64_t bytes = 0;
  memcpy(&bytes, at, len);
  return bytes;
}

bool weir__text_same_letters(const char *text, const char *other, size_t len)
{
  size_t at = 0;
  for (; len - at > 8; at += 8)
    if (!same_letters(load(text + at, 8), load(other + at, 8)))
      return false;
  if (len >= 8) /* the last word may overlap the one before */
    return same_letters(load(text + len - 8, 8), load(other + len - 8, 8));
  if (len >= 4)
    return same_letters(load(text, 4), load(other, 4)) &&
           same_letters(load(text + len - 4, 4), load(other + len - 4, 4));
  for (; at < len; at++)
    if (!same_letters((unsigned char)text[at], (unsigned char)other[at]))
      return false;
  return true;
}
