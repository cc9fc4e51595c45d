/* kernels: the int8 set for AVX-VNNI: its instructions on AVX2's registers.
 *
 * SPDX-License-Identifier: MIT
 */
#include <immintrin.h>

#define SET srgan_int8_kernels_avxvnni
#define SET_NAME "avxvnni"
#define NEEDS (SRGAN_CPU_AVX2 | SRGAN_CPU_AVX_VNNI)
#define IS_FASTER TRUE
#define SUMS 12
#define GROUP 4
#define WIDE 0
#define load_group(p) repeat_group (p)
#define dot_bytes(in, weight, sum)       \
  ((IntVector) _mm256_dpbusd_avx_epi32 ( \
      (__m256i) (sum), (__m256i) (in), (__m256i) (weight)))
#define dot_words(in, weight, sum)       \
  ((IntVector) _mm256_dpwssd_avx_epi32 ( \
      (__m256i) (sum), (__m256i) (in), (__m256i) (weight)))

#include "kernels/int8-256.h"
