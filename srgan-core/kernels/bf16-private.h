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

/* The pack() of every set. */
gboolean srgan_bf16_convolution_pack (
    SrganBf16Convolution *convolution, const SrganBf16Layer *layer);

extern const SrganBf16Kernels srgan_bf16_kernels_c;
extern const SrganBf16Kernels srgan_bf16_kernels_amx;

G_END_DECLS
