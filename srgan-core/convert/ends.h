/* convert: a network's two ends: from our values to a model's and back.
 *
 * Our networks take and give 0 .. 1, R'G'B' in this order, or luma. A model
 * that wants anything else gets a 1x1 convolution at that end: exact, where
 * folding a shift into a zero-padded convolution would not be.
 *
 * SPDX-License-Identifier: MIT
 */
#pragma once

#include <srgan/srgan-convert.h>

G_BEGIN_DECLS

/* What a model means by the values of one end: picture value v (0 .. 1) of
 * channel c is v * scale[c] + offset[c], the model's channel c. */
typedef struct {
  gdouble scale[3];
  gdouble offset[3];
  gboolean swapped; /* B'G'R' */
} SrganEnd;

/* 0 .. 1 (all channels). */
SRGAN_API
void srgan_end_init (SrganEnd *end, gdouble black, gdouble white);

/* Adds what makes the model's input of the network's; sets @index to the layer
 * that stands for it (SRGAN_INPUT_NETWORK where nothing was needed). Call it
 * before the first layer. */
SRGAN_API
gboolean srgan_end_add_input (
    SrganNetwork *network, const SrganEnd *end, gint *index, GError **error);
/* Adds what makes the network's output of layer @index, the model's. Returns
 * the last layer. Call it before srgan_network_finish(). */
SRGAN_API
gboolean srgan_end_add_output (
    SrganNetwork *network, const SrganEnd *end, gint *index, GError **error);

G_END_DECLS
