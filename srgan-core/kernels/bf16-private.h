/* kernels: what the files of the bfloat16 sets share.
 *
 * SPDX-License-Identifier: MIT
 */
#pragma once

#include <string.h>

#include "kernels/bf16.h"
#include "kernels/chunks.h"
#include "kernels/kernels.h"

G_BEGIN_DECLS

/* Outputs whose weights lie side by side, in every set. */
#define SRGAN_BF16_LANES 16

/* How a kernel row is cut: groups of two numbers. Weights are
 * [out / 16][ky][chunk][group of chunk][out % 16][2], zero where there is no
 * such input or output. */
static inline SrganChunks
srgan_bf16_get_chunks (const SrganBf16Convolution *convolution)
{
  return srgan_chunks_cut (
      convolution->kernel_width * convolution->in_stride / 2);
}

static inline gfloat
srgan_bf16_widen (guint16 number)
{
  guint32 bits = (guint32) number << 16;
  gfloat value;

  memcpy (&value, &bits, sizeof value);
  return value;
}

/* To nearest even; a NaN stays one. */
static inline guint16
srgan_bf16_round (gfloat value)
{
  guint32 bits;

  memcpy (&bits, &value, sizeof bits);
  if ((bits & 0x7fffffff) > 0x7f800000)
    return (guint16) (bits >> 16 | 0x40);
  return (guint16) ((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

/* How tiles see a derivative. Products are added up over SRGAN_BF16_STEP pixels
 * of the run at a time, strip by strip; what the taps read of one strip should
 * stay in the first-level cache.
 *
 *   outputs  [n_out][steps of the strip][16][SRGAN_BF16_STEP], one strip's
 *   inputs   [2][n_in][n_pairs][16][2]: pairs of pixels side by side, first
 *            those that begin with an even pixel, then the others: so a tile is
 *            one piece of memory, whatever the tap
 *   sums     [n_out][n_in][ky][kx][16 outputs][16 inputs] of floats */
typedef struct {
  gsize reach; /* from the first tap to the last, in pixels */
  gsize n_steps;
  gsize n_pairs;
  guint n_in, n_out; /* tiles */
  gsize n_sums;
} SrganBf16Tiling;

#define SRGAN_BF16_STEP 32
#define SRGAN_BF16_STRIP 256

static inline SrganBf16Tiling
srgan_bf16_get_tiling (const SrganBf16Derivative *derivative)
{
  const guint taps = derivative->kernel_width * derivative->kernel_height;
  SrganBf16Tiling tiling;

  tiling.reach = (derivative->kernel_height - 1) * derivative->pitch +
                 derivative->kernel_width - 1;
  tiling.n_steps =
      (derivative->n_pixels + SRGAN_BF16_STEP - 1) / SRGAN_BF16_STEP;
  tiling.n_pairs = (tiling.n_steps * SRGAN_BF16_STEP + tiling.reach) / 2 + 2;
  tiling.n_in =
      (derivative->in_channels + SRGAN_BF16_LANES - 1) / SRGAN_BF16_LANES;
  tiling.n_out =
      (derivative->out_channels + SRGAN_BF16_LANES - 1) / SRGAN_BF16_LANES;
  tiling.n_sums = (gsize) tiling.n_in * tiling.n_out * taps * SRGAN_BF16_LANES *
                  SRGAN_BF16_LANES;
  return tiling;
}

/* The pack() of every set. */
gboolean srgan_bf16_convolution_pack (
    SrganBf16Convolution *convolution, const SrganBf16Layer *layer);

extern const SrganBf16Kernels srgan_bf16_kernels_c;
extern const SrganBf16Kernels srgan_bf16_kernels_amx;

G_END_DECLS
