/* kernels: the set for AVX2 with FMA.
 *
 * SPDX-License-Identifier: MIT
 */
#include <immintrin.h>

#define SET srgan_kernels_avx2
#define SET_NAME "avx2"
#define LANES 8
#define SUMS 10
#define NARROW_PIXELS 2
#define multiply_add_vector(a, b, c) ((Vector) multiply_add_in_place (a, b, c))
#define activate_vector(x, slope)                          \
  ((Vector) _mm256_blendv_ps (_mm256_mul_ps (x, slope), x, \
      _mm256_cmp_ps (x, _mm256_setzero_ps (), _CMP_GT_OQ)))
#define repeat_quad(p) ((Vector) _mm256_broadcast_ps ((const __m128 *) (p)))

/* Of the three forms of the instruction the one that writes to the sum. GCC
 * 12 mixes them where an input dies, and then copies and spills sums: with 16
 * registers, a tenth of the speed. */
static inline __attribute__ ((always_inline)) __m256
multiply_add_in_place (__m256 a, __m256 b, __m256 sum)
{
  __asm__("vfmadd231ps %2, %1, %0" : "+x"(sum) : "x"(a), "x"(b));
  return sum;
}

#include "kernels/kernels-vector.h"
