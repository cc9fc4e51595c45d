/* train: the discriminator, and how it learns.
 *
 * SPDX-License-Identifier: MIT
 */
#pragma once

#include "base/workers.h"
#include "train/adversarial.h"
#include "train/recipe.h"

G_BEGIN_DECLS

typedef struct _SrganAdversary SrganAdversary;

/* With its first weights; everything given must stay. */
SRGAN_API
SrganAdversary *srgan_adversary_new (const SrganRecipe *recipe,
    SrganWorkers *workers, SrganRanks *ranks, GError **error);
SRGAN_API
void srgan_adversary_free (SrganAdversary *adversary);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SrganAdversary, srgan_adversary_free)

/* Step @step, from 0, of the adversarial phase. Tells @real from @made, a batch
 * of patches each; adds the derivative of the generator's loss by @made, times
 * the recipe's weight, to @made_gradient; then learns. A loss that is not a
 * number changes nothing. */
SRGAN_API
SrganAdversarialLoss srgan_adversary_step (SrganAdversary *adversary,
    guint step, const gfloat *real, const gfloat *made, gfloat *made_gradient);

/* All that must be kept between steps, for checkpoints: read or overwrite. */
SRGAN_API
gfloat *srgan_adversary_get_parameters (SrganAdversary *adversary, gsize *n);
SRGAN_API
gfloat *srgan_adversary_get_state (SrganAdversary *adversary, gsize *n);

G_END_DECLS
