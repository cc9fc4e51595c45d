/* kernels: what the int8 sets of 512-bit vectors share.
 *
 * SPDX-License-Identifier: MIT
 */
#define LANES 16
#define SUMS 24
#define GROUP 4
#define WIDE 0
#define PAIRED 0
#define NARROW_VECTORS 4
#define OFFSET 0
#define load_group(p) repeat_group (p)
#define load_pixels(p) load_integers (p)
#define dot_bytes(in, weight, sum)   \
  ((IntVector) _mm512_dpbusd_epi32 ( \
      (__m512i) (sum), (__m512i) (in), (__m512i) (weight)))
#define dot_words(in, weight, sum)   \
  ((IntVector) _mm512_dpwssd_epi32 ( \
      (__m512i) (sum), (__m512i) (in), (__m512i) (weight)))
#define multiply_add_vector(a, b, c) ((Vector) _mm512_fmadd_ps (a, b, c))
#define select_factor(sum, negative, positive) \
  ((Vector) _mm512_mask_blend_ps (             \
      _mm512_movepi32_mask ((__m512i) (sum)), positive, negative))
#define round_vector(y) ((IntVector) _mm512_cvtps_epi32 (y))
#define pack_quad(a, b, c, d)                                                 \
  ((Quad) _mm512_permutexvar_epi32 (_mm512_setr_epi32 (0, 4, 8, 12, 1, 5, 9,  \
                                        13, 2, 6, 10, 14, 3, 7, 11, 15),      \
      _mm512_packus_epi16 (_mm512_packs_epi32 ((__m512i) (a), (__m512i) (b)), \
          _mm512_packs_epi32 ((__m512i) (c), (__m512i) (d)))))
#define store_part(p, quad, i) \
  _mm_storeu_si128 (           \
      (__m128i *) (p), _mm512_extracti32x4_epi32 ((__m512i) (quad), i))
#define store_some_lanes(p, quad, i, n)                   \
  _mm_mask_storeu_epi8 (p, (__mmask16) ((1u << (n)) - 1), \
      _mm512_extracti32x4_epi32 ((__m512i) (quad), i))
#define hide_vector(v) __asm__ volatile("" : "+v"(v))

#include "kernels/int8-vector.h"
