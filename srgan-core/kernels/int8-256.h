/* kernels: what the int8 sets of 256-bit vectors share.
 *
 * SPDX-License-Identifier: MIT
 */
#define LANES 8
#define PAIRED 0
#define NARROW_VECTORS 2
#define OFFSET 0
#define load_pixels(p) load_integers (p)
#define multiply_add_vector(a, b, c) ((Vector) _mm256_fmadd_ps (a, b, c))
/* by the sign bit */
#define select_factor(sum, negative, positive) \
  ((Vector) _mm256_blendv_ps (positive, negative, (__m256) (sum)))
#define round_vector(y) ((IntVector) _mm256_cvtps_epi32 (y))
#define pack_quad(a, b, c, d)                                                 \
  ((Quad) _mm256_permutevar8x32_epi32 (                                       \
      _mm256_packus_epi16 (_mm256_packs_epi32 ((__m256i) (a), (__m256i) (b)), \
          _mm256_packs_epi32 ((__m256i) (c), (__m256i) (d))),                 \
      _mm256_setr_epi32 (0, 4, 1, 5, 2, 6, 3, 7)))
#define store_part(p, quad, i)                                \
  do {                                                        \
    gint64 part = _mm256_extract_epi64 ((__m256i) (quad), i); \
                                                              \
    memcpy (p, &part, sizeof part);                           \
  } while (0)
/* n is 4 */
#define store_some_lanes(p, quad, i, n)                             \
  do {                                                              \
    gint32 part = _mm256_extract_epi32 ((__m256i) (quad), 2 * (i)); \
                                                                    \
    (void) (n);                                                     \
    memcpy (p, &part, sizeof part);                                 \
  } while (0)
#define hide_vector(v) __asm__ volatile("" : "+x"(v))

#include "kernels/int8-vector.h"
