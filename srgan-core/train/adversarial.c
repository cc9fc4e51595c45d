/* train: what generator and discriminator are told.
 *
 * SPDX-License-Identifier: MIT
 */
#include "train/adversarial.h"

#include <math.h>

#include "train/sum.h"

#define N_SUMS 5

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
  gdouble means[2] = {0}, sums[N_SUMS];
  g_autofree gdouble *terms = g_new (gdouble, N_SUMS * n);

  if (relative) {
    for (gsize i = 0; i < n; i++) {
      terms[2 * i] = real[i];
      terms[2 * i + 1] = made[i];
    }
    srgan_sum_doubles (ranks, terms, n, 2, means);
    means[0] /= everywhere;
    means[1] /= everywhere;
  }
  for (gsize i = 0; i < n; i++) {
    gdouble r = real[i] - means[1], m = made[i] - means[0];
    gdouble *term = terms + N_SUMS * i;

    term[0] = softplus (-r) + softplus (m);
    term[1] = softplus (-m) + (relative ? softplus (r) : 0);
    term[2] = logistic (m);
    term[3] = logistic (-r);
    term[4] = logistic (r);
  }
  srgan_sum_doubles (ranks, terms, n, N_SUMS, sums);
  for (guint i = 0; i < N_SUMS; i++)
    sums[i] /= everywhere;

  for (gsize i = 0; i < n; i++) {
    gdouble r = real[i] - means[1], m = made[i] - means[0];

    /* the second terms go through the means */
    real_gradient[i] =
        (gfloat) ((-logistic (-r) - (relative ? sums[2] : 0)) / everywhere);
    made_gradient[i] =
        (gfloat) ((logistic (m) + (relative ? sums[3] : 0)) / everywhere);
    generator_gradient[i] =
        (gfloat) ((-logistic (-m) - (relative ? sums[4] : 0)) / everywhere);
  }
  return (SrganAdversarialLoss){sums[0], sums[1]};
}
