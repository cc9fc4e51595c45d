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

/* Pixels whose tiles of two vectors of either map stay near while all taps pass
 * over them; on a Xeon 256 to 4,096 differ by a tenth. */
#define STRIP 512

/* Two pixels of @n channels, 16 at most, from @pixel on, side by side; from
 * @end on pixels are zero. */
TILE_INLINE __m512i
load_pair (const gfloat *map, gsize stride, guint n, gsize pixel, gsize end)
{
  const __mmask16 lanes = (__mmask16) ((1u << n) - 1);
  const gfloat *first = map + pixel * stride;
  const __m512 a = _mm512_maskz_loadu_ps (pixel < end ? lanes : 0, first);
  const __m512 b =
      _mm512_maskz_loadu_ps (pixel + 1 < end ? lanes : 0, first + stride);

  return _mm512_or_si512 (
      _mm512_cvtepu16_epi32 ((__m256i) _mm512_cvtneps_pbh (a)),
      _mm512_slli_epi32 (
          _mm512_cvtepu16_epi32 ((__m256i) _mm512_cvtneps_pbh (b)), 16));
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

static void
lay_out_inputs (const SrganBf16Derivative *derivative,
    const SrganBf16Tiling *tiling, const gfloat *input, guint16 *inputs)
{
  const gsize end = derivative->n_pixels + tiling->reach;
  guint v;
  gsize q;

  for (v = 0; v < tiling->n_in; v++)
    for (q = 0; q < tiling->n_inputs; q += 2, inputs += 2 * LANES)
      _mm512_store_si512 (inputs,
          load_pair (input + v * LANES, derivative->in_stride,
              MIN (LANES, derivative->in_channels - v * LANES), q, end));
}

static void
lay_out_outputs (const SrganBf16Derivative *derivative,
    const SrganBf16Tiling *tiling, const gfloat *gradient, guint16 *outputs)
{
  guint v, i;
  gsize q;

  for (v = 0; v < tiling->n_out; v++, outputs += LANES * tiling->row) {
    const guint n = MIN (LANES, derivative->out_channels - v * LANES);

    for (i = 0; i < LANES; i++)
      memset (outputs + i * tiling->row, 0, tiling->reach * sizeof *outputs);
    for (q = 0; q < tiling->n_inputs; q += SRGAN_BF16_STEP) {
      __m512i row[LANES];

      for (i = 0; i < LANES; i++)
        row[i] = load_pair (gradient + v * LANES, derivative->out_stride, n,
            q + 2 * i, derivative->n_pixels);
      transpose (row);
      for (i = 0; i < LANES; i++)
        _mm512_storeu_si512 (
            outputs + i * tiling->row + tiling->reach + q, row[i]);
    }
  }
}

/* Adds up @n_steps steps of one or two vectors of outputs by as many of inputs,
 * constants to the compiler. @sum: where the sums of each pair of vectors are.
 */
TILE_INLINE void
add_products (gfloat *const sum[4], const guint16 *outputs, gsize row,
    const guint16 *inputs, gsize vector, gsize n_steps, guint n_out, guint n_in)
{
  const gsize size = row * sizeof *outputs;
  const guint16 *more_outputs = outputs + LANES * row;
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
    _tile_loadd (6, inputs + step * SRGAN_BF16_STEP * LANES, 4 * LANES);
    _tile_loadd (4, outputs + step * SRGAN_BF16_STEP, size);
    multiply_tiles (0, 4, 6);
    if (n_in == 2) {
      _tile_loadd (7, more_inputs + step * SRGAN_BF16_STEP * LANES, 4 * LANES);
      multiply_tiles (1, 4, 7);
    }
    if (n_out == 2) {
      _tile_loadd (5, more_outputs + step * SRGAN_BF16_STEP, size);
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
 * all taps, over the strip from @q on. */
static void
add_strip (const SrganBf16Derivative *derivative, const SrganBf16Tiling *tiling,
    const guint16 *outputs, const guint16 *inputs, gfloat *sums, guint out,
    guint in, gsize q)
{
  const gsize vector = tiling->n_inputs * LANES;
  const gsize n_steps = MIN (STRIP, tiling->n_inputs - q) / SRGAN_BF16_STEP;
  const gsize block =
      (gsize) derivative->kernel_height * derivative->kernel_width * TILE_SUMS;
  const gboolean two_out = out + 1 < tiling->n_out;
  const gboolean two_in = in + 1 < tiling->n_in;
  guint ky, kx;

  sums += (out * tiling->n_in + in) * block;
  inputs += in * vector + q * LANES;
  outputs += out * LANES * tiling->row + tiling->reach + q;
  for (ky = 0; ky < derivative->kernel_height; ky++)
    for (kx = 0; kx < derivative->kernel_width; kx++, sums += TILE_SUMS) {
      const guint16 *shifted = outputs - ky * derivative->pitch - kx;
      gfloat *const sum[] = {sums, sums + block, sums + tiling->n_in * block,
          sums + (tiling->n_in + 1) * block};

      if (two_out && two_in)
        add_products (sum, shifted, tiling->row, inputs, vector, n_steps, 2, 2);
      else if (two_out)
        add_products (sum, shifted, tiling->row, inputs, vector, n_steps, 2, 1);
      else if (two_in)
        add_products (sum, shifted, tiling->row, inputs, vector, n_steps, 1, 2);
      else
        add_products (sum, shifted, tiling->row, inputs, vector, n_steps, 1, 1);
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
  guint16 *outputs = inputs + tiling.n_in * tiling.n_inputs * LANES;
  guint o, in, out, tap;
  gsize q;

  memset (sums, 0, tiling.n_sums * sizeof *sums);
  lay_out_inputs (derivative, &tiling, input, inputs);
  lay_out_outputs (derivative, &tiling, gradient, outputs);
  configure_tiles (TILE_ROWS, 16);
  for (q = 0; q < tiling.n_inputs; q += STRIP)
    for (in = 0; in < tiling.n_in; in += 2)
      for (out = 0; out < tiling.n_out; out += 2)
        add_strip (derivative, &tiling, outputs, inputs, sums, out, in, q);
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
