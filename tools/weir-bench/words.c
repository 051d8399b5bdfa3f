/* Writes figures with separators and units. */
#include "words.h"

#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

struct word word_count(uint64_t count)
{
  char digits[24];
  struct word word;
  size_t at = 0, len = (size_t)snprintf(digits, sizeof digits, "%" PRIu64, count);
  for (size_t i = 0; i < len; i++) {
    if (i > 0 && (len - i) % 3 == 0)
      word.text[at++] = ',';
    word.text[at++] = digits[i];
  }
  word.text[at] = '\0';
  return word;
}

struct word word_number(double number)
{
  struct word word;
  bool minus = number < 0;
  double size = fabs(number);
  if (size < 99.95 && size != floor(size))
    snprintf(word.text, sizeof word.text, "%.*f", size < 9.995 ? 2 : 1, number);
  else
    snprintf(word.text, sizeof word.text, "%s%.28s", minus ? "-" : "",
             word_count((uint64_t)(size + 0.5)).text);
  return word;
}

/* Three digits of a value in the greatest unit that leaves one before the point. */
static struct word scaled(double value, const char *const *units, bool whole)
{
  struct word word;
  bool minus = value < 0;
  double size = fabs(value);
  for (; size >= 999.5 && units[1] != NULL; units++) {
    size /= 1000;
    whole = false;
  }
  int digits = whole || size >= 99.95 ? 0 : size >= 9.995 ? 1 : 2;
  snprintf(word.text, sizeof word.text, "%s%.*f %s", minus ? "-" : "", digits, size, *units);
  return word;
}

struct word word_time(double ns)
{
  static const char *const units[] = {"ns", "us", "ms", "s", NULL};
  return scaled(ns, units, true);
}

struct word word_bytes(double bytes)
{
  static const char *const units[] = {"B", "kB", "MB", "GB", "TB", NULL};
  return scaled(bytes, units, true);
}
