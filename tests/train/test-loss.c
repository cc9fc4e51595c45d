/* Losses: their values, and their derivatives against finite differences.
 *
 * SPDX-License-Identifier: MIT
 */
#include "train/loss.h"

#include <math.h>
#include <string.h>

#include "train/adversarial.h"
#include "train/criterion.h"
#include "train/distillation.h"
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

  for (guint kind = SRGAN_LOSS_L1; kind <= SRGAN_LOSS_ORIGINAL_L2; kind++) {
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
      g_assert_cmpfloat_with_epsilon (gradient[i] * N,
          3 * (above - below) / (2 * step) * N,
          kind < SRGAN_LOSS_ORIGINAL_L1 ? .05 : 5e3);
    }
  }
}

/* What the original system's losses are defined as. */
static void
test_original (void)
{
  gfloat output[] = {.5f}, target[] = {.25f}, gradient[1];
  gdouble d = 255 * .25;

  g_assert_cmpfloat_with_epsilon (
      srgan_loss (SRGAN_LOSS_ORIGINAL_L1, 0, output, target, 1, 1, gradient),
      1000. / 255 * (sqrt (d * d + 1) - 1), 1e-2);
  g_assert_cmpfloat_with_epsilon (
      srgan_loss (SRGAN_LOSS_ORIGINAL_L2, 0, output, target, 1, 1, gradient),
      2000. / 255 * d * d / 2, 1e-1);
}

/* It is quadratic: central differences are exact but for rounding. */
static void
test_residual (void)
{
  g_autofree gfloat *output = g_new (gfloat, N);
  g_autofree gfloat *teacher = g_new (gfloat, N);
  g_autofree gfloat *enlarged = g_new (gfloat, N);
  g_autofree gfloat *gradient = g_new0 (gfloat, N);
  g_autofree gfloat *unused = g_new0 (gfloat, N);
  SrganRandom random = srgan_random_init (2, 0, 0);
  const gfloat step = 1 / 16.f;
  gdouble loss, sharper;

  for (guint i = 0; i < N; i++) {
    enlarged[i] = (gfloat) srgan_random_between (&random, 0, 1);
    teacher[i] = enlarged[i] + (gfloat) srgan_random_between (&random, -.1, .1);
    output[i] = enlarged[i] + (gfloat) srgan_random_between (&random, -.1, .1);
  }
  loss = srgan_residual_loss (output, teacher, enlarged, N, 3, gradient);
  for (guint i = 0; i < N; i += 41) {
    gfloat value = output[i];
    gdouble above, below;

    output[i] = value + step;
    above = srgan_residual_loss (output, teacher, enlarged, N, 1, unused);
    output[i] = value - step;
    below = srgan_residual_loss (output, teacher, enlarged, N, 1, unused);
    output[i] = value;
    g_assert_cmpfloat_with_epsilon (
        gradient[i], 3 * (above - below) / (2 * step), 1e-3);
  }
  /* twice the contrast: the same loss, nearly */
  for (guint i = 0; i < N; i++) {
    enlarged[i] *= 2;
    teacher[i] *= 2;
    output[i] *= 2;
  }
  sharper = srgan_residual_loss (output, teacher, enlarged, N, 1, unused);
  g_assert_cmpfloat_with_epsilon (sharper, loss, 1e-2 * loss);
}

/* --- Losses on patches ------------------------------------------------- */

typedef struct {
  SrganCriterionState *state;
  guint n;
  gfloat *output, *target, *gradient, *unused;
} Patch;

/* The derivative along a random direction, against a central difference; for
 * losses that are smooth enough for a step of @step. */
static void
check_direction (Patch *patch, gdouble step, gdouble tolerance)
{
  SrganRandom random = srgan_random_init (11, 0, 0);
  g_autofree gfloat *direction = g_new (gfloat, patch->n);
  g_autofree gfloat *moved = g_new (gfloat, patch->n);

  srgan_criterion_evaluate (
      patch->state, patch->output, patch->target, 2, patch->gradient);
  for (guint round = 0; round < 6; round++) {
    gdouble slope = 0, sides[2];

    /* the first along the gradient itself, where the change is largest */
    for (guint i = 0; i < patch->n; i++) {
      /* then along the parts of it that a lot chooses */
      direction[i] = patch->gradient[i];
      if (round > 0)
        direction[i] *= (gfloat) srgan_random_unit (&random);
      slope += (gdouble) direction[i] * patch->gradient[i];
    }
    for (guint k = 0; k < 2; k++) {
      gdouble length = 0;

      for (guint i = 0; i < patch->n; i++)
        length += (gdouble) direction[i] * direction[i];
      for (guint i = 0; i < patch->n; i++)
        moved[i] = patch->output[i] +
                   (gfloat) ((k == 0 ? step : -step) * direction[i] /
                             sqrt (length / patch->n));
      sides[k] = 2 * srgan_criterion_evaluate (
                         patch->state, moved, patch->target, 1, patch->unused);
      if (k == 1)
        slope /= sqrt (length / patch->n);
    }
    sides[0] = (sides[0] - sides[1]) / (2 * step);
    if (round == 0)
      g_test_message ("slope %g, difference %g", slope, sides[0]);
    if (!(fabs (sides[0] - slope) <= tolerance * fabs (slope)))
      g_error ("round %u: slope %g, difference %g", round, slope, sides[0]);
  }
}

static void
check_criterion (const SrganCriterion *criterion, guint width, guint height,
    guint channels, gdouble step, gdouble tolerance)
{
  SrganRandom random = srgan_random_init (2, width, height);
  Patch patch = {.n = width * height * channels};
  GError *error = NULL;
  g_autoptr (SrganFeatures) features = srgan_features_new (NULL, "", 16, 3,
      channels == 1 ? SRGAN_COLOUR_Y : SRGAN_COLOUR_RGB, &error);

  g_assert_no_error (error);
  patch.state = srgan_criterion_state_new (
      criterion, features, width, height, channels, &error);
  g_assert_no_error (error);
  patch.output = g_new (gfloat, 4 * patch.n);
  patch.target = patch.output + patch.n;
  patch.gradient = patch.output + 2 * patch.n;
  patch.unused = patch.output + 3 * patch.n;
  for (guint i = 0; i < patch.n; i++) {
    /* smooth and rough parts, and no two pixels equal */
    patch.target[i] = (gfloat) (.5 + .3 * sin (i * .05) +
                                .1 * srgan_random_between (&random, -1, 1));
    patch.output[i] =
        patch.target[i] + (gfloat) srgan_random_between (&random, -.1, .1);
  }
  check_direction (&patch, step, tolerance);
  srgan_criterion_state_shift (patch.state, 3, 5);
  check_direction (&patch, step, tolerance);

  /* equal pictures: no loss, and numbers for a gradient */
  g_assert_cmpfloat (srgan_criterion_evaluate (patch.state, patch.target,
                         patch.target, 1, patch.gradient),
      <, 1e-5);
  for (guint i = 0; i < patch.n; i++)
    g_assert_true (isfinite (patch.gradient[i]));
  srgan_criterion_state_free (patch.state);
  g_free (patch.output);
}

static void
test_ssim (void)
{
  SrganCriterion criterion = {.kind = SRGAN_LOSS_L2, .ssim = 1};

  check_criterion (&criterion, 17, 23, 1, 1e-3, 2e-2);
  check_criterion (&criterion, 11, 12, 3, 1e-3, 2e-2);
}

static void
test_ms_ssim (void)
{
  SrganCriterion criterion = {.kind = SRGAN_LOSS_L2, .ms_ssim = 1};

  check_criterion (&criterion, 49, 46, 1, 1e-3, 2e-2);
  check_criterion (&criterion, 24, 31, 3, 1e-3, 2e-2);
}

static void
test_fourier (void)
{
  SrganCriterion criterion = {.kind = SRGAN_LOSS_L2, .fourier = 1};

  check_criterion (&criterion, 16, 24, 1, 1e-4, 3e-2);
  check_criterion (&criterion, 9, 7, 3, 1e-4, 3e-2);
}

static void
test_perceptual (void)
{
  SrganCriterion criterion = {.kind = SRGAN_LOSS_L2, .perceptual = 1};

  check_criterion (&criterion, 24, 20, 1, 1e-4, 3e-2);
  check_criterion (&criterion, 16, 16, 3, 1e-4, 3e-2);
  criterion.features = SRGAN_FEATURES_DIRECTION;
  check_criterion (&criterion, 24, 20, 1, 1e-4, 3e-2);
  check_criterion (&criterion, 16, 16, 3, 1e-4, 3e-2);
}

/* All together, with the weights that they are given. */
static void
test_mixture (void)
{
  SrganCriterion criterion = {.kind = SRGAN_LOSS_CHARBONNIER,
      .epsilon = .1,
      .pixel = .5,
      .ssim = .3,
      .ms_ssim = .2,
      .fourier = .7,
      .perceptual = .1};

  check_criterion (&criterion, 24, 24, 3, 1e-4, 3e-2);
}

/* The distance: none of a picture to itself, more for more noise. */
static void
test_distance (void)
{
  GError *error = NULL;
  g_autoptr (SrganFeatures) features =
      srgan_features_new (NULL, "", 32, 3, SRGAN_COLOUR_RGB, &error);
  g_autoptr (SrganFeaturesState) state =
      srgan_features_state_new (features, 32, 24, FALSE, &error);
  SrganRandom random = srgan_random_init (9, 0, 0);
  g_autofree gfloat *a = g_new (gfloat, 3 * 32 * 24);
  g_autofree gfloat *b = g_new (gfloat, 3 * 32 * 24);
  gdouble last = 0;

  g_assert_no_error (error);
  for (guint i = 0; i < 3 * 32 * 24; i++)
    a[i] = (gfloat) srgan_random_unit (&random);
  srgan_features_set_target (state, a);
  g_assert_cmpfloat (srgan_features_distance (state, a), ==, 0);
  for (guint step = 1; step <= 3; step++) {
    gdouble distance;

    for (guint i = 0; i < 3 * 32 * 24; i++)
      b[i] = a[i] + (gfloat) (step * srgan_random_between (&random, -.1, .1));
    distance = srgan_features_distance (state, b);
    g_assert_cmpfloat (distance, >, last);
    last = distance;
  }

  /* too small for what the network makes of it */
  g_assert_null (srgan_features_state_new (features, 3, 3, FALSE, &error));
  g_assert_error (error, SRGAN_ERROR, SRGAN_ERROR_INVALID);
  g_clear_error (&error);
  g_assert_null (srgan_features_new (
      NULL, "conv0;nothing", 32, 3, SRGAN_COLOUR_RGB, &error));
  g_assert_error (error, SRGAN_ERROR, SRGAN_ERROR_INVALID);
  g_assert_nonnull (strstr (error->message, "nothing"));
  g_clear_error (&error);
}

/* Both forms' gradients, one verdict at a time. */
static void
test_adversarial (void)
{
  gfloat values[10], gradients[3][5], unused[3][5];
  const gfloat step = 1 / 128.f;
  SrganRandom random = srgan_random_init (4, 0, 0);

  for (guint form = 0; form <= SRGAN_ADVERSARIAL_RELATIVISTIC; form++) {
    for (guint i = 0; i < 10; i++)
      values[i] = (gfloat) srgan_random_between (&random, -3, 3);
    srgan_adversarial_loss (form, NULL, values, values + 5, 5, gradients[0],
        gradients[1], gradients[2]);
    for (guint i = 0; i < 10; i++) {
      gfloat value = values[i];
      SrganAdversarialLoss above, below;

      values[i] = value + step;
      above = srgan_adversarial_loss (
          form, NULL, values, values + 5, 5, unused[0], unused[1], unused[2]);
      values[i] = value - step;
      below = srgan_adversarial_loss (
          form, NULL, values, values + 5, 5, unused[0], unused[1], unused[2]);
      values[i] = value;
      g_assert_cmpfloat_with_epsilon (gradients[i / 5][i % 5],
          (above.discriminator - below.discriminator) / (2 * step), 1e-4);
      if (i >= 5)
        g_assert_cmpfloat_with_epsilon (gradients[2][i - 5],
            (above.generator - below.generator) / (2 * step), 1e-4);
    }
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/train/loss/values", test_values);
  g_test_add_func ("/train/loss/gradients", test_gradients);
  g_test_add_func ("/train/loss/original", test_original);
  g_test_add_func ("/train/loss/residual", test_residual);
  g_test_add_func ("/train/loss/ssim", test_ssim);
  g_test_add_func ("/train/loss/ms-ssim", test_ms_ssim);
  g_test_add_func ("/train/loss/fourier", test_fourier);
  g_test_add_func ("/train/loss/perceptual", test_perceptual);
  g_test_add_func ("/train/loss/mixture", test_mixture);
  g_test_add_func ("/train/loss/distance", test_distance);
  g_test_add_func ("/train/loss/adversarial", test_adversarial);
  return g_test_run ();
}
