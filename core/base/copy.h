/* Copies of a few bytes without a call. */
#ifndef WEIR_BASE_COPY_H
#define WEIR_BASE_COPY_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/* Whether a length is one for weir__copy_short: 16 to 64. */
static inline bool weir__copy_is_short(size_t len)
{
  return len - 16 <= 48;
}

/* Copies so many bytes by vectors that overlap. */
static inline void weir__copy_short(unsigned char *to, const unsigned char *from, size_t len)
{
  memcpy(to, from, 16);
  if (len > 32) {
    memcpy(to + 16, from + 16, 16);
    memcpy(to + len - 32, from + len - 32, 16);
  }
  memcpy(to + len - 16, from + len - 16, 16);
}

/* Copies any number of bytes. */
static inline void weir__copy(unsigned char *to, const unsigned char *from, size_t len)
{
  if (weir__copy_is_short(len))
    weir__copy_short(to, from, len);
  else if (len > 0)
    memcpy(to, from, len);
}

#endif
