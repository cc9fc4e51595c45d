/* kernels: the set for AVX-512 (F, BW, DQ, VL).
 *
 * SPDX-License-Identifier: MIT
 */
#include <immintrin.h>

#define SET srgan_kernels_avx512
#define SET_NAME "avx512"
#define LANES 16
#define SUMS 24
#define NARROW_PIXELS 4
#define multiply_add_vector(a, b, c) ((Vector) _mm512_fmadd_ps (a, b, c))
#define activate_vector(x, slope) \
  ((Vector) _mm512_mask_mul_ps (  \
      x, _mm512_cmp_ps_mask (x, _mm512_setzero_ps (), _CMP_NGT_UQ), x, slope))
#define repeat_quad(p) ((Vector) _mm512_broadcast_f32x4 (_mm_loadu_ps (p)))

#include "kernels/kernels-vector.h"
