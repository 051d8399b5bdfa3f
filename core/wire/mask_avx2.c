/* The kernel for x86-64 CPUs since 2013: 32 bytes at a time (RFC 6455 sections 5.3 and 8.1). */
#if defined(__x86_64__)

#include "wire/mask_kernel.h"
#include "wire/mask_tables.h"

#include <immintrin.h>
#include <string.h>

#define VEC      __m256i
#define TARGET   __attribute__((target("avx2")))
#define NARROWER weir__mask_sse2

static bool supported(void)
{
  return __builtin_cpu_supports("avx2");
}

TARGET static inline VEC splat(uint32_t key)
{
  return _mm256_set1_epi32((int)key);
}

TARGET static inline VEC bytes(int byte)
{
  return _mm256_set1_epi8((char)byte);
}

TARGET static inline bool is_ascii(VEC v)
{
  return _mm256_movemask_epi8(v) == 0;
}

TARGET static inline bool is_zero(VEC v)
{
  return _mm256_testz_si256(v, v);
}

TARGET static inline VEC look_up(const unsigned char *table, VEC nibbles)
{
  VEC twice = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)table));
  return _mm256_shuffle_epi8(twice, nibbles);
}

TARGET static inline VEC high_nibbles(VEC v)
{
  return _mm256_srli_epi16(v, 4) & bytes(0x0F);
}

TARGET static inline VEC errors_at(VEC v, VEC one, VEC two, VEC three)
{
  VEC pair = look_up(weir__pair_before_high, high_nibbles(one)) &
             look_up(weir__pair_before_low, one & bytes(0x0F)) &
             look_up(weir__pair_high, high_nibbles(v));
  VEC due = _mm256_subs_epu8(two, bytes(WEIR__PAIR_BELOW_3)) |
            _mm256_subs_epu8(three, bytes(WEIR__PAIR_BELOW_4));
  return pair ^ (due & bytes(WEIR__PAIR_TWO));
}

TARGET static inline VEC errors(VEC v, VEC before)
{
  VEC middle = _mm256_permute2x128_si256(before, v, 0x21);
  return errors_at(v, _mm256_alignr_epi8(v, middle, 15), _mm256_alignr_epi8(v, middle, 14),
                   _mm256_alignr_epi8(v, middle, 13));
}

TARGET static inline VEC above(VEC v, VEC low, VEC span)
{
  return _mm256_subs_epu8(_mm256_sub_epi8(v, low), span);
}

TARGET static inline VEC equal(VEC v, VEC w)
{
  return _mm256_cmpeq_epi8(v, w);
}

#include "wire/mask_vector.inc"

const struct weir__mask_kernel weir__mask_avx2 = {"avx2", supported, unmask, unmask_text};

#endif
