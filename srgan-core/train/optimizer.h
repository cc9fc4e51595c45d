/* train: turning gradients into steps.
 *
 * Adam: Kingma, Ba 2015. SOAP: Vyas et al. 2024, arXiv 2409.11321: Adam in the
 * eigenbasis of Shampoo's preconditioner, for weight matrices; vectors stay
 * with Adam.
 *
 * SPDX-License-Identifier: MIT
 */
#pragma once

#include "base/workers.h"
#include "train/graph.h"
#include "train/recipe.h"

G_BEGIN_DECLS

typedef struct _SrganOptimizer SrganOptimizer;

/* @workers share the tensors of a step. All that is given must stay. */
SRGAN_API
SrganOptimizer *srgan_optimizer_new (const SrganRecipe *recipe,
    const SrganParameter *tensors, guint n_tensors, SrganWorkers *workers);
SRGAN_API
void srgan_optimizer_free (SrganOptimizer *optimizer);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SrganOptimizer, srgan_optimizer_free)

/* The rate of step @step (from 0) as a share of the highest: warm-up, then a
 * cosine down to 0 at recipe->steps, or several, one after the other. */
SRGAN_API
gdouble srgan_optimizer_get_rate (const SrganRecipe *recipe, guint step);

/* Step number @step, from 0. @gradient may be overwritten. */
SRGAN_API
void srgan_optimizer_step (SrganOptimizer *optimizer, guint step,
    gfloat *parameters, gfloat *gradient);

/* All that must be kept between steps, for checkpoints: read or overwrite. */
SRGAN_API
gfloat *srgan_optimizer_get_state (SrganOptimizer *optimizer, gsize *n);

G_END_DECLS
