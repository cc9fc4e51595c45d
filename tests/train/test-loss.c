/* Losses: their values, and their derivatives against finite differences.
 *
 * SPDX-License-Identifier: MIT
 */
#include "train/loss.h"

#include <math.h>

#include "train/random.h"

#define N 1037 /* whole vectors, blocks and a rest */

static void
test_values (void)
{
  const gfloat output[] = {1, -2, .5f, 0};
  const gfloat target[] = {0, 0, .5f, .25f};
  gfloat gradient[4];

  g_assert_cmpfloat_with_epsilon (
      srgan_loss (SRGAN_LOSS_L1, 0, output, target, 4, 1, gradient), 3.25 / 4,
      1e-6);
  g_assert_cmpfloat_with_epsilon (
      srgan_loss (SRGAN_LOSS_L2, 0, output, target, 4, 1, gradient),
      (1 + 4 + .0625) / 4, 1e-6);
  g_assert_cmpfloat_with_epsilon (
      srgan_loss (SRGAN_LOSS_CHARBONNIER, .75, output, target, 4, 1, gradient),
      (1.25 + sqrt (4 + .5625) + .75 + sqrt (.0625 + .5625) - 4 * .75) / 4,
      1e-6);
}

static void
test_gradients (void)
{
  g_autofree gfloat *output = g_new (gfloat, N);
  g_autofree gfloat *target = g_new (gfloat, N);
  g_autofree gfloat *gradient = g_new (gfloat, N);
  g_autofree gfloat *unused = g_new (gfloat, N);
  const gfloat step = 1 / 256.f;
  SrganRandom random = srgan_random_init (1, 0, 0);

  for (guint kind = SRGAN_LOSS_L1; kind <= SRGAN_LOSS_L2; kind++) {
    for (guint i = 0; i < N; i++) {
      gdouble difference = srgan_random_between (&random, .02, 1);

      /* away from L1's kink */
      target[i] = (gfloat) srgan_random_between (&random, -1, 1);
      output[i] =
          target[i] +
          (gfloat) (srgan_random_below (&random, 2) ? difference : -difference);
    }
    srgan_loss (kind, .1, output, target, N, 3, gradient);
    for (guint i = 0; i < N; i += i < 16 ? 1 : 97) {
      gfloat value = output[i];
      gdouble above, below;

      output[i] = value + step;
      above = srgan_loss (kind, .1, output, target, N, 1, unused);
      output[i] = value - step;
      below = srgan_loss (kind, .1, output, target, N, 1, unused);
      output[i] = value;
      g_assert_cmpfloat_with_epsilon (
          gradient[i] * N, 3 * (above - below) / (2 * step) * N, .05);
    }
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/train/loss/values", test_values);
  g_test_add_func ("/train/loss/gradients", test_gradients);
  return g_test_run ();
}
