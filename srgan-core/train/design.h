/* train: the networks that a recipe describes, with their first weights.
 *
 * SPDX-License-Identifier: MIT
 */
#pragma once

#include "train/recipe.h"

G_BEGIN_DECLS

/* The generator: a chain of 3x3 convolutions (recipe->layers between the ends),
 * or an SRResNet, unfinished: it has its batch-norms yet. Weights are drawn
 * from recipe->seed, uniform within 1 / sqrt (inputs of a neuron), slopes 0.25.
 */
SRGAN_API
SrganNetwork *srgan_design_network (const SrganRecipe *recipe, GError **error);

/* The discriminator, unfinished: its last layer gives the verdicts, any number
 * of them. */
SRGAN_API
SrganNetwork *srgan_design_discriminator (
    const SrganRecipe *recipe, GError **error);
/* Whether a layer of it goes under a spectral norm. */
SRGAN_API
gboolean srgan_design_is_spectral (
    const SrganRecipe *recipe, const SrganLayer *layer);

G_END_DECLS
