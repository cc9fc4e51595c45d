/* kernels: what AArch64's int8 sets share.
 *
 * SPDX-License-Identifier: MIT
 */
#define LANES 4
#define SUMS 20
#define GROUP 4
#define WIDE 0
#define NARROW_VECTORS 4
#define OFFSET 128
#define dot_words(in, weight, sum) \
  ((IntVector) add_word_products (in, weight, sum))
#define multiply_add_vector(a, b, c) ((Vector) vfmaq_f32 (c, a, b))
#define select_factor(sum, negative, positive) \
  ((Vector) vbslq_f32 (vcltzq_s32 (sum), negative, positive))
#define round_vector(y) ((IntVector) vcvtnq_s32_f32 (y))
#define pack_quad(a, b, c, d)                                                  \
  ((Quad) vqmovun_high_s16 (vqmovun_s16 (vqmovn_high_s32 (vqmovn_s32 (a), b)), \
      vqmovn_high_s32 (vqmovn_s32 (c), d)))
#define store_part(p, quad, i)                                     \
  do {                                                             \
    gint32 part = vgetq_lane_s32 (vreinterpretq_s32_u8 (quad), i); \
                                                                   \
    memcpy (p, &part, sizeof part);                                \
  } while (0)
/* never fewer than all lanes */
#define store_some_lanes(p, quad, i, n) (void) 0
#define hide_vector(v) __asm__ volatile("" : "+w"(v))

static inline __attribute__ ((always_inline)) int32x4_t
add_word_products (int32x4_t in, int32x4_t weight, int32x4_t sum)
{
  int16x8_t codes = vreinterpretq_s16_s32 (in);
  int16x8_t weights = vreinterpretq_s16_s32 (weight);

  return vaddq_s32 (
      sum, vpaddq_s32 (vmull_s16 (vget_low_s16 (codes), vget_low_s16 (weights)),
               vmull_high_s16 (codes, weights)));
}

#include "kernels/int8-vector.h"
