/* train: what generator and discriminator are told.
 *
 * SPDX-License-Identifier: MIT
 */
#pragma once

#include "train/ranks.h"

G_BEGIN_DECLS

/* How a discriminator's verdicts, numbers before the logistic function, are
 * judged: by binary cross-entropy, */
typedef enum {
  /* each by itself (Goodfellow et al. 2014; the generator's does not
   * saturate), */
  SRGAN_ADVERSARIAL_STANDARD,
  /* or less the mean of the other kind's (Jolicoeur-Martineau 2018). */
  SRGAN_ADVERSARIAL_RELATIVISTIC,
} SrganAdversarialForm;

typedef struct {
  gdouble discriminator; /* the mean over all processes */
  gdouble generator;
} SrganAdversarialLoss;

/* The losses of @n verdicts on real and @n on made pictures, the means being
 * those of all processes. @real_gradient and @made_gradient receive the
 * derivative of the discriminator's loss by each, @generator_gradient that of
 * the generator's by each on a made one. */
SRGAN_API
SrganAdversarialLoss srgan_adversarial_loss (SrganAdversarialForm form,
    SrganRanks *ranks, const gfloat *real, const gfloat *made, gsize n,
    gfloat *real_gradient, gfloat *made_gradient, gfloat *generator_gradient);

G_END_DECLS
