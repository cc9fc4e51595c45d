/* kernels: convolution by AMX's tiles, a part of int8-vector.h.
 *
 * SPDX-License-Identifier: MIT
 */

#define multiply_tiles(sum, a, b) _tile_dpbusd (sum, a, b)

#include "kernels/tiles.h"

INLINE void
scale_tiles (const SrganInt8Convolution *convolution, void *output,
    const TileBlock *block, gboolean is_linear)
{
  const guint n_pixels = block->n_pixels;

  for (guint tile = 0; tile < block->n_tiles; tile++)
    for (guint i = 0; i < block->n_vectors; i++) {
      const gint32 *sums = block->sum[tile * block->n_vectors + i];
      const guint v = block->v + i, x = block->x[tile];
      guint p = 0;

      for (; p + 4 <= n_pixels; p += 4) {
        IntVector sum[4];

        UNROLL
        for (guint j = 0; j < 4; j++)
          sum[j] = load_integers (sums + (p + j) * LANES);
        store_sums (convolution, output, sum, v, x + p, 4, is_linear);
      }
      for (; p < n_pixels; p++) {
        IntVector sum = load_integers (sums + p * LANES);

        store_sums (convolution, output, &sum, v, x + p, 1, is_linear);
      }
    }
}

NOINLINE void
store_block (gconstpointer data, void *output, const TileBlock *block)
{
  const SrganInt8Convolution *convolution = data;

  if (convolution->variant & SRGAN_INT8_LINEAR)
    scale_tiles (convolution, output, block, TRUE);
  else
    scale_tiles (convolution, output, block, FALSE);
}

static void
convolve_by_tiles (const SrganInt8Convolution *convolution,
    const guint8 *const *rows, void *output, guint width)
{
  const TileConvolution tiles = {.chunks = srgan_int8_get_chunks (convolution),
      .in_stride = convolution->in_stride,
      .kernel_height = convolution->kernel_height,
      .n_vectors = (convolution->out_stride + LANES - 1) / LANES,
      .weight = convolution->weight,
      .bias = convolution->bias};

  convolve_tiles (
      &tiles, (const void *const *) rows, width, convolution, output);
}

/* Whether tiles serve @layer better than vectors: kernel rows that fill half a
 * chunk. */
static gboolean
suits_tiles (const SrganInt8Layer *layer)
{
  return layer->input_type == SRGAN_MAP_BYTES &&
         layer->kernel_width * layer->in_stride >= 32;
}

static gdouble
multiply_add (guint64 n)
{
  return multiply_tiles_for_long (n, 2 * 4);
}
