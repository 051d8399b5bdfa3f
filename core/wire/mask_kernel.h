/* What the files mask*.c share: the kernels, and how any of them takes up and lays down the state
 * of a text that comes in pieces. For those files only. */
#ifndef WEIR_WIRE_MASK_KERNEL_H
#define WEIR_WIRE_MASK_KERNEL_H

#include "wire/mask.h"

#ifdef __cplusplus
extern "C" {
#endif

extern const struct weir__mask_kernel weir__mask_portable;
extern const struct weir__mask_kernel weir__mask_sse2;
extern const struct weir__mask_kernel weir__mask_avx2;
extern const struct weir__mask_kernel weir__mask_avx512;
extern const struct weir__mask_kernel weir__mask_neon;

/* Unmasks the rest of the character that state is amid, and returns how many bytes that took. When
 * bytes are still due then, the data ended, or its next byte is at fault; either way this is what
 * unmask_text must return. */
size_t weir__mask_text_resume(unsigned char *data, size_t len, uint32_t key,
                              struct weir__utf8 *state);

/* data begins with a character, and the first `sound` bytes are unmasked and well-formed but for a
 * last character that may be cut or may be a lone byte that begins none. Behind them either the
 * data ends or what cannot be UTF-8 follows, unmasked. Returns what unmask_text must return, and
 * leaves the state for the next piece. */
size_t weir__mask_text_settle(const unsigned char *data, size_t len, size_t sound,
                              struct weir__utf8 *state);

/* Text of three-byte characters alone: what is least at each byte (of the leads, E0 is left out),
 * and by how much a byte may be more. To be read from any of the first three on. */
extern const unsigned char weir__run_low[72], weir__run_span[72];

/* How much the last bytes of a text may be for no character to be cut. */
extern const unsigned char weir__text_ends[64];

#ifdef __cplusplus
}
#endif

#endif
