/* The kernel for every aarch64 CPU: 16 bytes at a time (RFC 6455 sections 5.3 and 8.1). */
#if defined(__aarch64__)

#include "wire/mask_kernel.h"
#include "wire/mask_tables.h"

#include <arm_neon.h>
#include <string.h>

#define VEC uint8x16_t
#define TARGET
#define NARROWER weir__mask_portable

static bool supported(void)
{
  return true;
}

static inline VEC splat(uint32_t key)
{
  return vreinterpretq_u8_u32(vdupq_n_u32(key));
}

static inline bool is_ascii(VEC v)
{
  return vmaxvq_u8(v) < 0x80;
}

static inline bool is_zero(VEC v)
{
  return vmaxvq_u32(vreinterpretq_u32_u8(v)) == 0;
}

static inline VEC look_up(const unsigned char *table, VEC nibbles)
{
  return vqtbl1q_u8(vld1q_u8(table), nibbles);
}

static inline VEC errors_at(VEC v, VEC one, VEC two, VEC three)
{
  VEC pair = look_up(weir__pair_before_high, vshrq_n_u8(one, 4)) &
             look_up(weir__pair_before_low, one & vdupq_n_u8(0x0F)) &
             look_up(weir__pair_high, vshrq_n_u8(v, 4));
  VEC due = vqsubq_u8(two, vdupq_n_u8(WEIR__PAIR_BELOW_3)) |
            vqsubq_u8(three, vdupq_n_u8(WEIR__PAIR_BELOW_4));
  return pair ^ (due & vdupq_n_u8(WEIR__PAIR_TWO));
}

static inline VEC errors(VEC v, VEC before)
{
  return errors_at(v, vextq_u8(before, v, 15), vextq_u8(before, v, 14), vextq_u8(before, v, 13));
}

static inline VEC above(VEC v, VEC low, VEC span)
{
  return vqsubq_u8(v - low, span);
}

static inline VEC equal(VEC v, VEC w)
{
  return vceqq_u8(v, w);
}

#include "wire/mask_vector.inc"

const struct weir__mask_kernel weir__mask_neon = {"neon", supported, unmask, unmask_text};

#endif
