/* The kernel for every x86-64 CPU: 16 bytes at a time (RFC 6455 sections 5.3 and 8.1). SSE2 cannot
 * look bytes up in a table, so the text is judged by comparisons. */
#if defined(__x86_64__)

#include "wire/mask_kernel.h"

#include <emmintrin.h>
#include <string.h>

#define VEC __m128i
#define TARGET
#define NARROWER weir__mask_portable

static bool supported(void)
{
  return true;
}

static inline VEC splat(uint32_t key)
{
  return _mm_set1_epi32((int)key);
}

static inline VEC bytes(int byte)
{
  return _mm_set1_epi8((char)byte);
}

static inline bool is_ascii(VEC v)
{
  return _mm_movemask_epi8(v) == 0;
}

static inline bool is_zero(VEC v)
{
  return _mm_movemask_epi8(_mm_cmpeq_epi8(v, _mm_setzero_si128())) == 0xFFFF;
}

/* Where before is the byte, and v is neither below low nor above high. */
static inline VEC after(VEC before, int byte, VEC v, int low, int high)
{
  VEC outside = _mm_subs_epu8(bytes(low), v) | _mm_subs_epu8(v, bytes(high));
  return _mm_cmpeq_epi8(before, bytes(byte)) & _mm_cmpeq_epi8(outside, _mm_setzero_si128());
}

static inline VEC errors_at(VEC v, VEC one, VEC two, VEC three)
{
  /* The high bit of each byte that must continue a character, by the one, two, three before. */
  VEC due = _mm_subs_epu8(one, bytes(0xC0 - 0x80)) | _mm_subs_epu8(two, bytes(0xE0 - 0x80)) |
            _mm_subs_epu8(three, bytes(0xF0 - 0x80));
  VEC is_continuation = _mm_cmplt_epi8(v, bytes(0xC0));
  VEC misplaced = (due ^ is_continuation) & bytes(0x80);
  VEC never = _mm_cmpeq_epi8(v & bytes(0xFE), bytes(0xC0)) | _mm_subs_epu8(v, bytes(0xF4));
  VEC second = after(one, 0xE0, v, 0x80, 0x9F) | after(one, 0xED, v, 0xA0, 0xBF) |
               after(one, 0xF0, v, 0x80, 0x8F) | after(one, 0xF4, v, 0x90, 0xBF);
  return misplaced | never | second;
}

static inline VEC errors(VEC v, VEC before)
{
  VEC one = _mm_slli_si128(v, 1) | _mm_srli_si128(before, 15);
  VEC two = _mm_slli_si128(v, 2) | _mm_srli_si128(before, 14);
  VEC three = _mm_slli_si128(v, 3) | _mm_srli_si128(before, 13);
  return errors_at(v, one, two, three);
}

static inline VEC above(VEC v, VEC low, VEC span)
{
  return _mm_subs_epu8(_mm_sub_epi8(v, low), span);
}

static inline VEC equal(VEC v, VEC w)
{
  return _mm_cmpeq_epi8(v, w);
}

#include "wire/mask_vector.inc"

const struct weir__mask_kernel weir__mask_sse2 = {"sse2", supported, unmask, unmask_text};

#endif
