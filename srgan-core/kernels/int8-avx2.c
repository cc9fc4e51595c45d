/* kernels: the int8 set for AVX2 with FMA.
 *
 * Bytes are made words, a row at a time, and multiplied by vpmaddwd, whose sums
 * of two products fit: vpmaddubsw, which takes bytes, would saturate, and the
 * detour around that (of weights' magnitudes and codes with the weights' signs)
 * takes as many instructions a product.
 *
 * SPDX-License-Identifier: MIT
 */
#include <immintrin.h>

#define SET srgan_int8_kernels_avx2
#define SET_NAME "avx2"
#define NEEDS SRGAN_CPU_AVX2
#define IS_FASTER FALSE
#define SUMS 8
#define GROUP 2
#define WIDE 1
#define load_group(p) repeat_group (p)
#define dot_bytes(in, weight, sum) dot_words (in, weight, sum)
#define dot_words(in, weight, sum)                \
  ((IntVector) _mm256_add_epi32 ((__m256i) (sum), \
      _mm256_madd_epi16 ((__m256i) (in), (__m256i) (weight))))

#include "kernels/int8-256.h"
