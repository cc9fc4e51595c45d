/* train: the network that a recipe describes, with its first weights.
 *
 * SPDX-License-Identifier: MIT
 */
#pragma once

#include "train/recipe.h"

G_BEGIN_DECLS

/* A luma network: convolution, recipe->layers more, one to scale^2 channels,
 * all 3x3, then pixel shuffle, plus the enlarged input. Weights are drawn from
 * recipe->seed, uniform within 1 / sqrt (inputs of a neuron), slopes 0.25. */
SRGAN_API
SrganNetwork *srgan_design_network (const SrganRecipe *recipe, GError **error);

G_END_DECLS
