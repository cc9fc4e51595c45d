/* train: what generator and discriminator are told.
 *
 * SPDX-License-Identifier: MIT
 */
#include "train/adversarial.h"

#include <math.h>

static gdouble
logistic (gdouble x)
{
  return 1 / (1 + exp (-x));
}

/* -log (logistic (-x)) */
static gdouble
softplus (gdouble x)
{
  return MAX (x, 0) + log1p (exp (-fabs (x)));
}

SrganAdversarialLoss
srgan_adversarial_loss (SrganAdversarialForm form, SrganRanks *ranks,
    const gfloat *real, const gfloat *made, gsize n, gfloat *real_gradient,
    gfloat *made_gradient, gfloat *generator_gradient)
{
  gboolean relative = form == SRGAN_ADVERSARIAL_RELATIVISTIC;
  gdouble everywhere = (gdouble) n * srgan_ranks_get_n (ranks);
  gdouble means[2] = {0}, sums[5] = {0};

  if (relative) {
    for (gsize i = 0; i < n; i++) {
      means[0] += real[i];
      means[1] += made[i];
    }
    srgan_ranks_sum (ranks, means, 2);
    means[0] /= everywhere;
    means[1] /= everywhere;
  }
  for (gsize i = 0; i < n; i++) {
    gdouble r = real[i] - means[1], m = made[i] - means[0];

    sums[0] += softplus (-r) + softplus (m);
    sums[1] += softplus (-m) + (relative ? softplus (r) : 0);
    sums[2] += logistic (m);
    sums[3] += logistic (-r);
    sums[4] += logistic (r);
  }
  srgan_ranks_sum (ranks, sums, G_N_ELEMENTS (sums));
  for (guint i = 0; i < G_N_ELEMENTS (sums); i++)
    sums[i] /= everywhere;

  for (gsize i = 0; i < n; i++) {
    gdouble r = real[i] - means[1], m = made[i] - means[0];

    /* the second terms go through the means */
    real_gradient[i] =
        (gfloat) ((-logistic (-r) - (relative ? sums[2] : 0)) / n);
    made_gradient[i] = (gfloat) ((logistic (m) + (relative ? sums[3] : 0)) / n);
    generator_gradient[i] =
        (gfloat) ((-logistic (-m) - (relative ? sums[4] : 0)) / n);
  }
  return (SrganAdversarialLoss){sums[0], sums[1]};
}
