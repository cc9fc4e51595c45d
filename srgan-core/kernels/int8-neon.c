/* kernels: the int8 set for AArch64's NEON without dot products.
 *
 * Codes are bytes less 128 here, so that two products fit in 16 bits: those of
 * the channels 0 and 2 of a group are added, and those of 1 and 3, then both.
 *
 * SPDX-License-Identifier: MIT
 */
#include <arm_neon.h>

#define SET srgan_int8_kernels_neon
#define SET_NAME "neon"
#define NEEDS SRGAN_CPU_NEON
#define IS_FASTER FALSE
#define PAIRED 1
#define load_group(p) load_pairs (p)
#define load_pixels(p) load_fours (p)
#define dot_bytes(in, weight, sum) ((IntVector) add_products (in, weight, sum))

/* The bytes at @p, a b c d, as a b a b a b a b c d c d c d c d. */
static inline __attribute__ ((always_inline)) int32x4_t
load_pairs (const void *p)
{
  static const uint8_t order[] = {
      0, 1, 0, 1, 0, 1, 0, 1, 2, 3, 2, 3, 2, 3, 2, 3};
  uint8x16_t bytes = vreinterpretq_u8_u32 (vld1q_dup_u32 (p));

  return vreinterpretq_s32_u8 (
      veorq_u8 (vqtbl1q_u8 (bytes, vld1q_u8 (order)), vdupq_n_u8 (128)));
}

/* The 16 bytes at @p: 0 and 1 of each four, then 2 and 3 of each. */
static inline __attribute__ ((always_inline)) int32x4_t
load_fours (const void *p)
{
  static const uint8_t order[] = {
      0, 1, 4, 5, 8, 9, 12, 13, 2, 3, 6, 7, 10, 11, 14, 15};

  return vreinterpretq_s32_u8 (
      veorq_u8 (vqtbl1q_u8 (vld1q_u8 (p), vld1q_u8 (order)), vdupq_n_u8 (128)));
}

static inline __attribute__ ((always_inline)) int32x4_t
add_products (int32x4_t in, int32x4_t weight, int32x4_t sum)
{
  int8x16_t codes = vreinterpretq_s8_s32 (in);
  int8x16_t weights = vreinterpretq_s8_s32 (weight);
  int16x8_t products = vmull_s8 (vget_low_s8 (codes), vget_low_s8 (weights));

  products = vmlal_high_s8 (products, codes, weights);
  /* in place: GCC 12 copies and spills sums around the intrinsic */
  __asm__("sadalp %0.4s, %1.8h" : "+w"(sum) : "w"(products));
  return sum;
}

#include "kernels/int8-128.h"
