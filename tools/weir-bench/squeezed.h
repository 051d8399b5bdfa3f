/* Messages of the payload, compressed once (RFC 7692 section 7.2.1). None refers to another, as a
 * sender may always do: so they fit connections with and without context takeover, and the cost of
 * compressing is not the generator's. */
#ifndef WEIR_BENCH_SQUEEZED_H
#define WEIR_BENCH_SQUEEZED_H

#include "payload.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Messages by their number: where each ends is where the next begins. */
struct squeezed {
  size_t *ends;
  unsigned char *bytes;
};

/* Compresses all messages for an LZ77 window of 8 to 15 bits. NULL: no memory. */
struct squeezed *squeezed_new(const struct payload *payload, uint8_t bits);
void squeezed_free(struct squeezed *squeezed);

/* The window that a message's size asks for: bits, or 15 when a message fits into it as a whole. */
uint8_t squeezed_bits(const struct payload *payload, uint8_t bits);

/* A message's bytes, without the tail 00 00 FF FF. */
static inline const unsigned char *squeezed_at(const struct squeezed *squeezed, uint64_t number,
                                               size_t *len)
{
  size_t begin = number > 0 ? squeezed->ends[number - 1] : 0;
  *len = squeezed->ends[number] - begin;
  return squeezed->bytes + begin;
}

#ifdef __cplusplus
}
#endif

#endif
