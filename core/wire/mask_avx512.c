/* The kernel for x86-64 CPUs since Ice Lake and Zen 4: 64 bytes at a time (RFC 6455 sections 5.3
 * and 8.1). It asks for VBMI not only for its byte permutation, which ignores the upper bits of an
 * index and so saves masking nibbles off: earlier CPUs that have AVX-512 slow their clock down for
 * vectors this wide and do better with AVX2. */
#if defined(__x86_64__)

#include "wire/mask_kernel.h"
#include "wire/mask_tables.h"

#include <immintrin.h>
#include <string.h>

#define VEC      __m512i
#define TARGET   __attribute__((target("avx512f,avx512bw,avx512vbmi,bmi2")))
#define NARROWER weir__mask_avx2

static bool supported(void)
{
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512vbmi") && __builtin_cpu_supports("bmi2");
}

TARGET static inline VEC splat(uint32_t key)
{
  return _mm512_set1_epi32((int)key);
}

TARGET static inline VEC bytes(int byte)
{
  return _mm512_set1_epi8((char)byte);
}

TARGET static inline bool is_ascii(VEC v)
{
  return _mm512_movepi8_mask(v) == 0;
}

TARGET static inline bool is_zero(VEC v)
{
  return _mm512_test_epi8_mask(v, v) == 0;
}

/* Looks up by the low nibble of each byte: the table stands there four times. */
TARGET static inline VEC look_up(const unsigned char *table, VEC v)
{
  VEC tables = _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)table));
  return _mm512_permutexvar_epi8(v, tables);
}

TARGET static inline VEC errors_at(VEC v, VEC one, VEC two, VEC three)
{
  VEC pair = look_up(weir__pair_before_high, _mm512_srli_epi16(one, 4)) &
             look_up(weir__pair_before_low, one) &
             look_up(weir__pair_high, _mm512_srli_epi16(v, 4));
  VEC due = _mm512_subs_epu8(two, bytes(WEIR__PAIR_BELOW_3)) |
            _mm512_subs_epu8(three, bytes(WEIR__PAIR_BELOW_4));
  return pair ^ (due & bytes(WEIR__PAIR_TWO));
}

TARGET static inline VEC errors(VEC v, VEC before)
{
  VEC lanes = _mm512_alignr_epi32(v, before, 12);
  return errors_at(v, _mm512_alignr_epi8(v, lanes, 15), _mm512_alignr_epi8(v, lanes, 14),
                   _mm512_alignr_epi8(v, lanes, 13));
}

TARGET static inline VEC above(VEC v, VEC low, VEC span)
{
  return _mm512_subs_epu8(_mm512_sub_epi8(v, low), span);
}

TARGET static inline VEC equal(VEC v, VEC w)
{
  return _mm512_movm_epi8(_mm512_cmpeq_epi8_mask(v, w));
}

#define UNMASK_SHORT unmask_masked
static bool unmask_masked(unsigned char *data, size_t len, uint32_t key);

#include "wire/mask_vector.inc"

/* The first len bytes, up to a vector, and zeros; every length at the same cost. */
TARGET static inline VEC load_part(const unsigned char *from, __mmask64 part, VEC keys)
{
  return _mm512_maskz_loadu_epi8(part, from) ^ _mm512_maskz_mov_epi8(part, keys);
}

TARGET static inline __mmask64 part_of(size_t len)
{
  return _bzhi_u64(UINT64_MAX, (unsigned int)len);
}

TARGET static bool unmask_masked(unsigned char *data, size_t len, uint32_t key)
{
  if (len > 2 * WIDTH)
    return false;
  VEC keys = splat(key);
  if (len <= WIDTH) {
    __mmask64 part = part_of(len);
    VEC text = load_part(data, part, keys);
    if (!is_zero(errors(text, (VEC){0}) | cut_end(text)))
      return false;
    _mm512_mask_storeu_epi8(data, part, text);
    return true;
  }
  __mmask64 part = part_of(len - WIDTH);
  VEC first = load(data) ^ keys;
  VEC second = load_part(data + WIDTH, part, keys);
  if (!is_zero(errors(first, (VEC){0}) | errors(second, first) | cut_end(second)))
    return false;
  store(data, first);
  _mm512_mask_storeu_epi8(data + WIDTH, part, second);
  return true;
}

const struct weir__mask_kernel weir__mask_avx512 = {"avx512", supported, unmask, unmask_text};

#endif
