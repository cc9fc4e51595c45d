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

/* ---- The derivative by the weight ---- */

/* Two pixels of the channels of @lanes, from @pixel on, side by side; from @end
 * on pixels are zero. */
TILE_INLINE __m512i
load_pair (
    const gfloat *map, gsize stride, __mmask16 lanes, gsize pixel, gsize end)
{
  const __m512i side_by_side =
      _mm512_set_epi16 (31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9,
          24, 8, 23, 7, 22, 6, 21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
  const gfloat *first = map + pixel * stride;
  const __m512 a = _mm512_maskz_loadu_ps (pixel < end ? lanes : 0, first);
  const __m512 b =
      _mm512_maskz_loadu_ps (pixel + 1 < end ? lanes : 0, first + stride);

  return _mm512_permutexvar_epi16 (
      side_by_side, (__m512i) _mm512_cvtne2ps_pbh (b, a));
}

/* Of @n_channels those of vector @v. */
TILE_INLINE __mmask16
get_lanes (guint n_channels, guint v)
{
  return (__mmask16) ((1u << MIN (LANES, n_channels - v * LANES)) - 1);
}

/* Exchanges rows and columns. */
TILE_INLINE void
transpose (__m512i row[16])
{
  __m512i t[16];
  guint i;

  for (i = 0; i < 16; i += 2) {
    t[i] = _mm512_unpacklo_epi32 (row[i], row[i + 1]);
    t[i + 1] = _mm512_unpackhi_epi32 (row[i], row[i + 1]);
  }
  for (i = 0; i < 16; i += 4) {
    row[i] = _mm512_unpacklo_epi64 (t[i], t[i + 2]);
    row[i + 1] = _mm512_unpackhi_epi64 (t[i], t[i + 2]);
    row[i + 2] = _mm512_unpacklo_epi64 (t[i + 1], t[i + 3]);
    row[i + 3] = _mm512_unpackhi_epi64 (t[i + 1], t[i + 3]);
  }
  /* now of each four rows columns c, 4 + c, 8 + c, 12 + c lie in row c */
  for (i = 0; i < 4; i++) {
    t[i] = _mm512_shuffle_i32x4 (row[i], row[4 + i], 0x88);
    t[4 + i] = _mm512_shuffle_i32x4 (row[i], row[4 + i], 0xdd);
    t[8 + i] = _mm512_shuffle_i32x4 (row[8 + i], row[12 + i], 0x88);
    t[12 + i] = _mm512_shuffle_i32x4 (row[8 + i], row[12 + i], 0xdd);
  }
  for (i = 0; i < 4; i++) {
    row[i] = _mm512_shuffle_i32x4 (t[i], t[8 + i], 0x88);
    row[8 + i] = _mm512_shuffle_i32x4 (t[i], t[8 + i], 0xdd);
    row[4 + i] = _mm512_shuffle_i32x4 (t[4 + i], t[12 + i], 0x88);
    row[12 + i] = _mm512_shuffle_i32x4 (t[4 + i], t[12 + i], 0xdd);
  }
}

/* The pairs from @first up to @end. */
static __attribute__ ((noinline)) void
lay_out_inputs (const SrganBf16Derivative *derivative,
    const SrganBf16Tiling *tiling, const gfloat *input, gsize first, gsize end,
    guint16 *inputs)
{
  const gsize n_pixels = derivative->n_pixels + tiling->reach;
  const gsize vector = tiling->n_pairs * 2 * LANES;
  guint16 *odd = inputs + tiling->n_in * vector;
  gsize pair;
  guint v;

  for (pair = first; pair < end; pair++)
    for (v = 0; v < tiling->n_in; v++) {
      const gsize at = v * vector + pair * 2 * LANES;
      const __m512i now = load_pair (input + v * LANES, derivative->in_stride,
          get_lanes (derivative->in_channels, v), 2 * pair, n_pixels);

      _mm512_store_si512 (inputs + at, now);
      if (pair > 0) {
        const __m512i before = _mm512_load_si512 (inputs + at - 2 * LANES);

        _mm512_store_si512 (odd + at - 2 * LANES,
            _mm512_or_si512 (
                _mm512_srli_epi32 (before, 16), _mm512_slli_epi32 (now, 16)));
      }
    }
}

/* @n_steps steps from pixel @q on. */
static void
lay_out_outputs (const SrganBf16Derivative *derivative,
    const SrganBf16Tiling *tiling, const gfloat *gradient, gsize q,
    gsize n_steps, guint16 *outputs)
{
  gsize step;
  guint v, i;

  for (step = 0; step < n_steps; step++, q += SRGAN_BF16_STEP)
    for (v = 0; v < tiling->n_out; v++) {
      const __mmask16 lanes = get_lanes (derivative->out_channels, v);
      guint16 *tile = outputs + (v * n_steps + step) * LANES * SRGAN_BF16_STEP;
      __m512i row[LANES];

      for (i = 0; i < LANES; i++)
        row[i] = load_pair (gradient + v * LANES, derivative->out_stride, lanes,
            q + 2 * i, derivative->n_pixels);
      transpose (row);
      for (i = 0; i < LANES; i++)
        _mm512_store_si512 (tile + i * SRGAN_BF16_STEP, row[i]);
    }
}

/* Adds up @n_steps steps of one or two vectors of outputs by as many of inputs,
 * constants to the compiler. @sum: where the sums of each pair of vectors are;
 * @vector: from one of inputs to the next. */
TILE_INLINE void
add_products (gfloat *const sum[4], const guint16 *outputs,
    const guint16 *inputs, gsize vector, gsize n_steps, guint n_out, guint n_in)
{
  const gsize size = LANES * SRGAN_BF16_STEP; /* of a tile */
  const guint16 *more_outputs = outputs + n_steps * size;
  const guint16 *more_inputs = inputs + vector;
  gsize step;

  _tile_loadd (0, sum[0], 4 * LANES);
  if (n_in == 2)
    _tile_loadd (1, sum[1], 4 * LANES);
  if (n_out == 2)
    _tile_loadd (2, sum[2], 4 * LANES);
  if (n_out == 2 && n_in == 2)
    _tile_loadd (3, sum[3], 4 * LANES);
  for (step = 0; step < n_steps; step++) {
    _tile_loadd (6, inputs + step * size, 4 * LANES);
    _tile_loadd (4, outputs + step * size, 4 * LANES);
    multiply_tiles (0, 4, 6);
    if (n_in == 2) {
      _tile_loadd (7, more_inputs + step * size, 4 * LANES);
      multiply_tiles (1, 4, 7);
    }
    if (n_out == 2) {
      _tile_loadd (5, more_outputs + step * size, 4 * LANES);
      multiply_tiles (2, 5, 6);
      if (n_in == 2)
        multiply_tiles (3, 5, 7);
    }
  }
  _tile_stored (0, sum[0], 4 * LANES);
  if (n_in == 2)
    _tile_stored (1, sum[1], 4 * LANES);
  if (n_out == 2)
    _tile_stored (2, sum[2], 4 * LANES);
  if (n_out == 2 && n_in == 2)
    _tile_stored (3, sum[3], 4 * LANES);
}

/* One or two vectors of outputs from @out on by as many of inputs from @in on,
 * all taps, over the strip of @n_steps steps from pixel @q on. */
static __attribute__ ((noinline)) void
add_strip (const SrganBf16Derivative *derivative, const SrganBf16Tiling *tiling,
    const guint16 *outputs, const guint16 *inputs, gfloat *sums, guint out,
    guint in, gsize q, gsize n_steps)
{
  const gsize vector = tiling->n_pairs * 2 * LANES;
  const gsize block =
      (gsize) derivative->kernel_height * derivative->kernel_width * TILE_SUMS;
  const gboolean two_out = out + 1 < tiling->n_out;
  const gboolean two_in = in + 1 < tiling->n_in;
  guint ky, kx;

  sums += (out * tiling->n_in + in) * block;
  outputs += out * n_steps * LANES * SRGAN_BF16_STEP;
  for (ky = 0; ky < derivative->kernel_height; ky++)
    for (kx = 0; kx < derivative->kernel_width; kx++, sums += TILE_SUMS) {
      const gsize pixel = q + ky * derivative->pitch + kx;
      const guint16 *read = inputs + (pixel % 2 * tiling->n_in + in) * vector +
                            pixel / 2 * 2 * LANES;
      gfloat *const sum[] = {sums, sums + block, sums + tiling->n_in * block,
          sums + (tiling->n_in + 1) * block};

      if (two_out && two_in)
        add_products (sum, outputs, read, vector, n_steps, 2, 2);
      else if (two_out)
        add_products (sum, outputs, read, vector, n_steps, 2, 1);
      else if (two_in)
        add_products (sum, outputs, read, vector, n_steps, 1, 2);
      else
        add_products (sum, outputs, read, vector, n_steps, 1, 1);
    }
}

static void
add_derivative (const SrganBf16Derivative *derivative, const gfloat *input,
    const gfloat *gradient, gfloat *weight_gradient, void *scratch)
{
  const SrganBf16Tiling tiling = srgan_bf16_get_tiling (derivative);
  const guint taps = derivative->kernel_width * derivative->kernel_height;
  gfloat *sums = scratch;
  guint16 *inputs = (guint16 *) (sums + tiling.n_sums);
  guint16 *outputs = inputs + 4 * tiling.n_in * tiling.n_pairs * LANES;
  gsize step, n_steps, laid_out = 0;
  guint o, in, out, tap;

  memset (sums, 0, tiling.n_sums * sizeof *sums);
  configure_tiles (TILE_ROWS, 16);
  for (step = 0; step < tiling.n_steps; step += n_steps) {
    const gsize q = step * SRGAN_BF16_STEP;
    gsize end;

    n_steps = MIN (SRGAN_BF16_STRIP / SRGAN_BF16_STEP, tiling.n_steps - step);
    end = (q + n_steps * SRGAN_BF16_STEP + tiling.reach) / 2 + 2;
    lay_out_inputs (derivative, &tiling, input, laid_out, end, inputs);
    laid_out = end;
    lay_out_outputs (derivative, &tiling, gradient, q, n_steps, outputs);
    for (in = 0; in < tiling.n_in; in += 2)
      for (out = 0; out < tiling.n_out; out += 2)
        add_strip (
            derivative, &tiling, outputs, inputs, sums, out, in, q, n_steps);
  }
  _tile_release ();

  for (o = 0; o < derivative->out_channels; o++)
    for (tap = 0; tap < taps; tap++)
      for (in = 0; in < tiling.n_in; in++) {
        const guint n = MIN (LANES, derivative->in_channels - in * LANES);
        const __mmask16 lanes = (__mmask16) ((1u << n) - 1);
        gfloat *target = weight_gradient +
                         ((gsize) o * taps + tap) * derivative->in_channels +
                         in * LANES;
        const gfloat *sum =
            sums +
            (((gsize) o / LANES * tiling.n_in + in) * taps + tap) * TILE_SUMS +
            o % LANES * LANES;

        _mm512_mask_storeu_ps (target, lanes,
            _mm512_add_ps (
                _mm512_maskz_loadu_ps (lanes, target), _mm512_load_ps (sum)));
      }
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
    .add_derivative = add_derivative,
    .multiply_add = multiply_add,
};
