/* Incremental validation of UTF-8 (RFC 3629 section 4), for text that comes in pieces (RFC 6455
 * section 8.1). Pure. */
#ifndef WEIR_WIRE_UTF8_H
#define WEIR_WIRE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What must come next for the text to stay valid. All zero: a character may begin. */
struct weir__utf8 {
  uint8_t due; /* continuation bytes still due */
  uint8_t low; /* bounds of the next continuation byte; meaningful when due > 0 */
  uint8_t high;
};

/* Validates len bytes as a continuation of the text that state has seen. Returns len when all is
 * well so far, else the index of the byte at which the text cannot be UTF-8 any more. */
size_t weir__utf8_validate(struct weir__utf8 *state, const unsigned char *data, size_t len);

/* Whether the text may end here: no character is cut. */
static inline bool weir__utf8_complete(const struct weir__utf8 *state)
{
  return state->due == 0;
}

#ifdef __cplusplus
}
#endif

#endif
