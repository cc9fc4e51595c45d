/* kernels: the set for AVX2 with FMA.
 *
 * SPDX-License-Identifier: MIT
 */
#include <immintrin.h>

#define SET srgan_kernels_avx2
#define SET_NAME "avx2"
#define LANES 8
#define SUMS 12
#define NARROW_PIXELS 2
#define multiply_add_vector(a, b, c) ((Vector) _mm256_fmadd_ps (a, b, c))
#define activate_vector(x, slope)                          \
  ((Vector) _mm256_blendv_ps (_mm256_mul_ps (x, slope), x, \
      _mm256_cmp_ps (x, _mm256_setzero_ps (), _CMP_GT_OQ)))
#define repeat_quad(p) ((Vector) _mm256_broadcast_ps ((const __m128 *) (p)))

#include "kernels/kernels-vector.h"
