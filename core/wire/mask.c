/* Masked payload in, plain payload out, in place (RFC 6455 section 5.3): which kernel does it.
 *
 * Most messages are short, and for those a call through a pointer and the set-up of a wide kernel
 * cost more than the work, so up to 128 bytes are unmasked here by vectors of 16 bytes, which all
 * CPUs worth a thought have: as many from the front as from the back, overlapping in the middle,
 * all loaded before the first is stored. Must not know of frames. */
#include "wire/mask_kernel.h"

#include <string.h>

#define LADDER_MAX 128
#define HIGH_BITS  0x8080808080808080u

/* The compiler makes it SSE2 on x86-64 and NEON on aarch64. */
typedef uint64_t vec16 __attribute__((vector_size(16)));

static inline vec16 vec16_splat(uint32_t key)
{
  uint64_t twice = (uint64_t)key << 32 | key;
  return (vec16){twice, twice};
}

static inline vec16 vec16_load(const unsigned char *from)
{
  vec16 v;
  memcpy(&v, from, sizeof v);
  return v;
}

static inline void vec16_store(unsigned char *to, vec16 v)
{
  memcpy(to, &v, sizeof v);
}

/* 2 * rungs vectors, for 16 * rungs <= len <= 32 * rungs. The steps below have this in common: when
 * ascii_only, they leave data that would come out as anything else untouched and return false. */
static inline __attribute__((always_inline)) bool
ladder_vectors(unsigned char *data, size_t len, uint32_t key, size_t rungs, bool ascii_only)
{
  unsigned char *back = data + len - 16 * rungs;
  vec16 front_key = vec16_splat(key);
  vec16 back_key = vec16_splat(weir__mask_rotate(key, len));
  vec16 v[8];
  vec16 all = {0, 0};
#pragma GCC unroll 4 /* or the vectors would be kept in memory */
  for (size_t i = 0; i < rungs; i++) {
    v[2 * i] = vec16_load(data + 16 * i) ^ front_key;
    v[2 * i + 1] = vec16_load(back + 16 * i) ^ back_key;
    all |= v[2 * i] | v[2 * i + 1];
  }
  if (ascii_only && ((all[0] | all[1]) & HIGH_BITS) != 0)
    return false;
#pragma GCC unroll 4
  for (size_t i = 0; i < rungs; i++) {
    vec16_store(data + 16 * i, v[2 * i]);
    vec16_store(back + 16 * i, v[2 * i + 1]);
  }
  return true;
}

/* 8 to 16 bytes. */
static inline bool ladder_words(unsigned char *data, size_t len, uint32_t key, bool ascii_only)
{
  uint32_t back_key = weir__mask_rotate(key, len);
  uint64_t front, back;
  memcpy(&front, data, sizeof front);
  memcpy(&back, data + len - sizeof back, sizeof back);
  front ^= (uint64_t)key << 32 | key;
  back ^= (uint64_t)back_key << 32 | back_key;
  if (ascii_only && ((front | back) & HIGH_BITS) != 0)
    return false;
  memcpy(data, &front, sizeof front);
  memcpy(data + len - sizeof back, &back, sizeof back);
  return true;
}

/* 4 to 8 bytes. */
static inline bool ladder_halves(unsigned char *data, size_t len, uint32_t key, bool ascii_only)
{
  uint32_t front, back;
  memcpy(&front, data, sizeof front);
  memcpy(&back, data + len - sizeof back, sizeof back);
  front ^= key;
  back ^= weir__mask_rotate(key, len);
  if (ascii_only && ((front | back) & (uint32_t)HIGH_BITS) != 0)
    return false;
  memcpy(data, &front, sizeof front);
  memcpy(data + len - sizeof back, &back, sizeof back);
  return true;
}

/* 0 to 3 bytes. */
static inline bool ladder_bytes(unsigned char *data, size_t len, uint32_t key, bool ascii_only)
{
  unsigned char keys[4], plain[3];
  unsigned char all = 0;
  memcpy(keys, &key, sizeof keys);
  for (size_t i = 0; i < len; i++) {
    plain[i] = data[i] ^ keys[i];
    all |= plain[i];
  }
  if (ascii_only && all >= 0x80)
    return false;
  for (size_t i = 0; i < len; i++)
    data[i] = plain[i];
  return true;
}

static inline __attribute__((always_inline)) bool ladder(unsigned char *data, size_t len,
                                                         uint32_t key, bool ascii_only)
{
  if (len > 64)
    return ladder_vectors(data, len, key, 4, ascii_only);
  if (len > 32)
    return ladder_vectors(data, len, key, 2, ascii_only);
  if (len > 16)
    return ladder_vectors(data, len, key, 1, ascii_only);
  if (len >= 8)
    return ladder_words(data, len, key, ascii_only);
  if (len >= 4)
    return ladder_halves(data, len, key, ascii_only);
  return ladder_bytes(data, len, key, ascii_only);
}

const struct weir__mask_kernel *const *weir__mask_kernels(size_t *count)
{
  static const struct weir__mask_kernel *const kernels[] = {
    &weir__mask_portable,
#if defined(__x86_64__)
    &weir__mask_sse2,
    &weir__mask_avx2,
    &weir__mask_avx512,
#elif defined(__aarch64__)
    &weir__mask_neon,
#endif
  };
  *count = sizeof kernels / sizeof *kernels;
  return kernels;
}

static const struct weir__mask_kernel *best_kernel(void)
{
  size_t count;
  const struct weir__mask_kernel *const *kernels = weir__mask_kernels(&count);
  while (count > 1 && !kernels[count - 1]->supported())
    count--;
  return kernels[count - 1];
}

const struct weir__mask_kernel *weir__mask_kernel(void)
{
  /* Threads that race here all store the same. */
  static const struct weir__mask_kernel *chosen;
  const struct weir__mask_kernel *kernel = __atomic_load_n(&chosen, __ATOMIC_RELAXED);
  if (kernel == NULL) {
    kernel = best_kernel();
    __atomic_store_n(&chosen, kernel, __ATOMIC_RELAXED);
  }
  return kernel;
}

/* Apart, so that short data need not save the registers for these calls. */
static __attribute__((noinline)) void unmask_long(unsigned char *data, size_t len, uint32_t key)
{
  weir__mask_kernel()->unmask(data, len, key);
}

static __attribute__((noinline)) size_t unmask_long_text(unsigned char *data, size_t len,
                                                         uint32_t key, struct weir__utf8 *state)
{
  return weir__mask_kernel()->unmask_text(data, len, key, state);
}

/* By the first byte, which saves most texts that are none the attempt. */
static inline bool may_be_ascii(const unsigned char *data, size_t len, uint32_t key)
{
  unsigned char first;
  memcpy(&first, &key, sizeof first);
  return len == 0 || (data[0] ^ first) < 0x80;
}

void weir__unmask(unsigned char *data, size_t len, uint32_t key)
{
  if (len <= LADDER_MAX)
    ladder(data, len, key, false);
  else
    unmask_long(data, len, key);
}

size_t weir__unmask_text(unsigned char *data, size_t len, uint32_t key, struct weir__utf8 *state)
{
  if (len <= LADDER_MAX && state->due == 0 && may_be_ascii(data, len, key) &&
      ladder(data, len, key, true))
    return len;
  return unmask_long_text(data, len, key, state);
}
