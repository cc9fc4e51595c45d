/* train: a graph whose forward passes are the engine's int8 arithmetic, bit for
 * bit: the same codes by the same kernels. Gradients go straight through the
 * rounding (Bengio et al. 2013; Jacob et al. 2018), and stop where a code is
 * cut off.
 *
 * What is learned is what int8 alone uses: the values that weight codes are
 * rounded from, and int8_bias. Steps stay as they are, and so does all that
 * plans of fp32 compute with, the first layer's weights and the slopes among
 * it.
 *
 * SPDX-License-Identifier: MIT
 */
#pragma once

#include "train/graph.h"

G_BEGIN_DECLS

/* Makes @graph, which is new, compute so. Its network needs to have steps
 * (srgan-convert --int8): %SRGAN_ERROR_UNSUPPORTED, with the layer named, where
 * a convolution has none, or is of a kind that this is not for. */
SRGAN_API
gboolean srgan_graph_quantise (SrganGraph *graph, GError **error);

G_END_DECLS
