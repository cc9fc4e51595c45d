/* kernels: the bfloat16 set for AMX's tiles. A sum's products are added in the
 * order that TDPBF16PS has (Intel, Software Developer's Manual, volume 2B).
 *
 * tests/kernels/emulated-amx.c compiles this file with tiles made in software.
 *
 * SPDX-License-Identifier: MIT
 */
#include <immintrin.h>

#include "kernels/bf16-private.h"

#ifndef SET
#define SET srgan_bf16_kernels_amx
#define SET_NAME "amx"
#endif
#define LANES SRGAN_BF16_LANES

#define multiply_tiles(sum, a, b) _tile_dpbf16ps (sum, a, b)

#include "kernels/tiles.h"

/* The sums of one pixel, activated; @n of them count. */
TILE_INLINE void
store_pixel (const SrganBf16Convolution *convolution, void *output, gsize at,
    __m512 sum, __m512 slope, __mmask16 lanes)
{
  __mmask16 below = _mm512_cmp_ps_mask (sum, _mm512_setzero_ps (), _CMP_LT_OQ);

  sum = _mm512_mask_mul_ps (sum, below, sum, slope);
  if (convolution->to_floats)
    _mm512_mask_storeu_ps ((gfloat *) output + at, lanes, sum);
  else
    _mm256_mask_storeu_epi16 (
        (guint16 *) output + at, lanes, (__m256i) _mm512_cvtneps_pbh (sum));
}

static __attribute__ ((noinline)) void
store_block (gconstpointer data, void *output, const TileBlock *block)
{
  const SrganBf16Convolution *convolution = data;
  const gsize stride = convolution->out_stride;
  guint tile, i, p;

  for (tile = 0; tile < block->n_tiles; tile++)
    for (i = 0; i < block->n_vectors; i++) {
      const gint32 *sums = block->sum[tile * block->n_vectors + i];
      const guint channel = (block->v + i) * LANES;
      const gsize n = MIN (LANES, stride - channel);
      const __mmask16 lanes = (__mmask16) ((1u << n) - 1);
      const __m512 slope = _mm512_load_ps (convolution->slope + channel);

      for (p = 0; p < block->n_pixels; p++)
        store_pixel (convolution, output,
            (block->x[tile] + p) * stride + channel,
            (__m512) _mm512_load_si512 (sums + p * LANES), slope, lanes);
    }
}

static void
convolve_row (const SrganBf16Convolution *convolution, const void *const *rows,
    void *output, guint width)
{
  const TileConvolution tiles = {.chunks = srgan_bf16_get_chunks (convolution),
      .in_stride = convolution->in_stride * sizeof (guint16),
      .kernel_height = convolution->kernel_height,
      .n_vectors = (convolution->out_stride + LANES - 1) / LANES,
      .weight = (const guint8 *) convolution->weight,
      .bias = convolution->bias};

  convolve_tiles (&tiles, rows, width, convolution, output);
}

static void
round_row (guint16 *output, const gfloat *input, guint n)
{
  guint i;

  for (i = 0; i + LANES <= n; i += LANES)
    _mm256_storeu_si256 ((__m256i *) (output + i),
        (__m256i) _mm512_cvtneps_pbh (_mm512_loadu_ps (input + i)));
  for (; i < n; i++)
    output[i] = srgan_bf16_round (input[i]);
}

static void
widen_row (gfloat *output, const guint16 *input, guint n)
{
  guint i;

  for (i = 0; i + LANES <= n; i += LANES)
    _mm512_storeu_si512 (output + i,
        _mm512_slli_epi32 (_mm512_cvtepu16_epi32 (_mm256_loadu_si256 (
                               (const __m256i *) (input + i))),
            16));
  for (; i < n; i++)
    output[i] = srgan_bf16_widen (input[i]);
}

static gdouble
multiply_add (guint64 n)
{
  return multiply_tiles_for_long (n, 2 * 2);
}

const SrganBf16Kernels SET = {
    .name = SET_NAME,
    .needs = SRGAN_CPU_AVX2 | SRGAN_CPU_AVX512 | SRGAN_CPU_AVX512_VNNI |
             SRGAN_CPU_AMX_INT8 | SRGAN_CPU_AMX_BF16,
    .is_faster = TRUE,
    .pack = srgan_bf16_convolution_pack,
    .convolve_row = convolve_row,
    .round_row = round_row,
    .widen_row = widen_row,
    .multiply_add = multiply_add,
};
