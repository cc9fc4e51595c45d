/* kernels: the set for AArch64's NEON.
 *
 * SPDX-License-Identifier: MIT
 */
#include <arm_neon.h>

#define SET srgan_kernels_neon
#define SET_NAME "neon"
#define LANES 4
#define SUMS 24
#define NARROW_PIXELS 4
#define multiply_add_vector(a, b, c) ((Vector) vfmaq_f32 (c, a, b))
#define activate_vector(x, slope) \
  ((Vector) vbslq_f32 (vcgtzq_f32 (x), x, vmulq_f32 (x, slope)))
#define repeat_quad(p) ((Vector) vld1q_f32 (p))

#include "kernels/kernels-vector.h"
