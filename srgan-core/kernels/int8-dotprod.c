/* kernels: the int8 set for AArch64's NEON with dot products (FEAT_DotProd).
 *
 * Its instruction takes signed bytes: codes are bytes less 128.
 *
 * SPDX-License-Identifier: MIT
 */
#include <arm_neon.h>

#define SET srgan_int8_kernels_dotprod
#define SET_NAME "dotprod"
#define NEEDS (SRGAN_CPU_NEON | SRGAN_CPU_DOTPROD)
#define IS_FASTER TRUE
#define PAIRED 0
#define load_group(p)      \
  ((IntVector) veorq_u32 ( \
      vld1q_dup_u32 ((const void *) (p)), vdupq_n_u32 (0x80808080)))
#define load_pixels(p) ((IntVector) veorq_u8 (vld1q_u8 (p), vdupq_n_u8 (128)))
#define dot_bytes(in, weight, sum) ((IntVector) dot_in_place (in, weight, sum))

/* As vdotq_s32(), around which GCC 12 copies and spills sums. */
static inline __attribute__ ((always_inline)) int32x4_t
dot_in_place (int32x4_t in, int32x4_t weight, int32x4_t sum)
{
  __asm__("sdot %0.4s, %1.16b, %2.16b" : "+w"(sum) : "w"(in), "w"(weight));
  return sum;
}

#include "kernels/int8-128.h"
