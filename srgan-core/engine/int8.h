/* engine: how a layer becomes a convolution in integers: what plans and
 * quantisation-aware training share, so that the two compute the same bits.
 *
 * SPDX-License-Identifier: MIT
 */
#pragma once

#include <srgan/srgan-network.h>

#include "kernels/int8.h"

G_BEGIN_DECLS

/* Of the network's input: codes up to +- 2 of what is 0 to 1 in a picture. 64
 * of them are a step of 8-bit pixels, which thus are exact: rounded, a
 * hundredth of the codes behind the first layer would tip over. */
#define SRGAN_INT8_INPUT_STEP (1.f / (255 * 64))

/* What lies before and behind a convolution. */
typedef struct {
  SrganMapType input_type;  /* words: the network's input */
  guint input_stride;       /* codes from pixel to pixel */
  const gfloat *input_step; /* of bytes: [in], the layer's before it */
  guint8 input_zero;        /* likewise */
  SrganMapType output_type; /* bytes: with the layer's own steps and zero */
  guint output_stride;
} SrganInt8Maps;

/* Packs @layer, a convolution of one group, with @slopes ([out]; NULL: 1) for
 * what is below 0. FALSE when memory is out. */
SRGAN_API
gboolean srgan_int8_pack (SrganInt8Convolution *convolution,
    const SrganInt8Kernels *kernels, const SrganLayer *layer,
    const SrganInt8Maps *maps, const gfloat *slopes);

G_END_DECLS
