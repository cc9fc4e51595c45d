/* train: learning from a larger network: the teacher's output beside, or in the
 * place of, the picture.
 *
 * SPDX-License-Identifier: MIT
 */
#pragma once

#include "train/recipe.h"

G_BEGIN_DECLS

typedef struct _SrganDistillation SrganDistillation;

/* recipe->teacher, ready for patches of the recipe on @n_threads threads. The
 * teacher enlarges as the recipe's network does, in the same colours. */
SRGAN_API
SrganDistillation *srgan_distillation_new (
    const SrganRecipe *recipe, guint n_threads, GError **error);
SRGAN_API
void srgan_distillation_free (SrganDistillation *distillation);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SrganDistillation, srgan_distillation_free)

/* The loss of one patch, by thread @thread: what the network made of @input,
 * against what the teacher does. Adds @weight times its derivative by @output
 * to @gradient. */
SRGAN_API
gdouble srgan_distillation_evaluate (SrganDistillation *distillation,
    guint thread, const gfloat *input, const gfloat *output, gfloat weight,
    gfloat *gradient);

/* The residual loss by itself: of @n values, sum (output - teacher)^2 over
 * sum (teacher - enlarged)^2, @enlarged being the input that both correct: each
 * patch counts alike, whatever its contrast. */
SRGAN_API
gdouble srgan_residual_loss (const gfloat *output, const gfloat *teacher,
    const gfloat *enlarged, guint n, gfloat weight, gfloat *gradient);

G_END_DECLS
