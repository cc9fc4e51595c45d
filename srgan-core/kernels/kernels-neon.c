/* kernels: the set for AArch64's NEON.
 *
 * SPDX-License-Identifier: MIT
 */
#include <arm_neon.h>

#define SET srgan_kernels_neon
#define SET_NAME "neon"
#define LANES 4
#define SUMS 20
#define NARROW_PIXELS 4
#define multiply_add_vector(a, b, c) ((Vector) multiply_add_in_place (a, b, c))
#define activate_vector(x, slope) \
  ((Vector) vbslq_f32 (vcgtzq_f32 (x), x, vmulq_f32 (x, slope)))
#define repeat_quad(p) ((Vector) vld1q_f32 (p))

/* As vfmaq_f32(), around which GCC 12 copies and spills sums. */
static inline __attribute__ ((always_inline)) float32x4_t
multiply_add_in_place (float32x4_t a, float32x4_t b, float32x4_t sum)
{
  __asm__("fmla %0.4s, %1.4s, %2.4s" : "+w"(sum) : "w"(a), "w"(b));
  return sum;
}

#include "kernels/kernels-vector.h"
