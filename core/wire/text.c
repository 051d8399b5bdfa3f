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

static unsigned char lower(char c)
{
  return c >= 'A' && c <= 'Z' ? (unsigned char)(c + ('a' - 'A')) : (unsigned char)c;
}

bool weir__text_equal_nocase(struct weir_slice text, struct weir_slice other)
{
  if (text.len != other.len)
    return false;
  for (size_t i = 0; i < text.len; i++)
    if (lower(text.data[i]) != lower(other.data[i]))
      return false;
  return true;
}
