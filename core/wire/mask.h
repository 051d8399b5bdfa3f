/* Unmasking: payload bytes XOR the masking key, in place (RFC 6455 section 5.3), and the same with
 * UTF-8 validation in one pass (section 8.1). Pure: knows nothing of frames. Kernels are picked at
 * first use, by CPU.
 *
 * A key is the four bytes as they stand in memory, so that byte i of the data is XORed with byte i
 * % 4 of the key. */
#ifndef WEIR_WIRE_MASK_H
#define WEIR_WIRE_MASK_H

#include "wire/utf8.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* One way of doing both, as fast as a kind of CPU can. */
struct weir__mask_kernel {
  const char *name;
  bool (*supported)(void);

  /* XORs len bytes at data with key. */
  void (*unmask)(unsigned char *data, size_t len, uint32_t key);

  /* The same, and validates what comes out as a continuation of the text that state has seen.
   * Returns len when all is well so far, else the index of the byte at which the text cannot be
   * UTF-8 any more (bytes behind it may be unmasked or not). */
  size_t (*unmask_text)(unsigned char *data, size_t len, uint32_t key, struct weir__utf8 *state);
};

/* All kernels of this architecture, slowest first; the CPU may lack some. */
const struct weir__mask_kernel *const *weir__mask_kernels(size_t *count);

/* The best kernel that this CPU supports. */
const struct weir__mask_kernel *weir__mask_kernel(void);

/* The functions of the best kernel; short data is handled without a dispatch. */
void weir__unmask(unsigned char *data, size_t len, uint32_t key);
size_t weir__unmask_text(unsigned char *data, size_t len, uint32_t key, struct weir__utf8 *state);

/* The key for the byte that is n bytes further on. */
static inline uint32_t weir__mask_rotate(uint32_t key, size_t n)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
  unsigned int bits = 8u * (unsigned int)(n & 3u);
  return bits == 0 ? key : (key >> bits) | (key << (32u - bits));
#else
  unsigned int bits = 8u * (unsigned int)(n & 3u);
  return bits == 0 ? key : (key << bits) | (key >> (32u - bits));
#endif
}

#ifdef __cplusplus
}
#endif

#endif
