/* train: what a network is trained by.
 *
 * SPDX-License-Identifier: MIT
 */
#include "train/criterion.h"

#include "train/similarity.h"

/* MS-SSIM's, where the patch is large enough. */
#define SCALES 5

struct _SrganCriterionState {
  const SrganCriterion *criterion;
  SrganFeaturesState *features;
  guint width;
  guint height;
  guint channels;
};

SrganCriterionState *
srgan_criterion_state_new (const SrganCriterion *criterion,
    const SrganFeatures *features, guint width, guint height, guint channels,
    GError **error)
{
  g_autoptr (SrganCriterionState) state = g_new0 (SrganCriterionState, 1);

  state->criterion = criterion;
  state->width = width;
  state->height = height;
  state->channels = channels;
  if ((criterion->ssim > 0 || criterion->ms_ssim > 0) &&
      MIN (width, height) < SRGAN_SSIM_WINDOW) {
    g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_INVALID,
        "patches of %ux%u are too small for SSIM, whose window is %ux%u: raise "
        "data.patch",
        width, height, SRGAN_SSIM_WINDOW, SRGAN_SSIM_WINDOW);
    return NULL;
  }
  if (criterion->perceptual > 0) {
    state->features =
        srgan_features_state_new (features, width, height, TRUE, error);
    if (state->features == NULL)
      return NULL;
  }
  return g_steal_pointer (&state);
}

void
srgan_criterion_state_free (SrganCriterionState *state)
{
  if (state == NULL)
    return;
  srgan_features_state_free (state->features);
  g_free (state);
}

void
srgan_criterion_state_shift (SrganCriterionState *state, guint x, guint y)
{
  if (state->features != NULL)
    srgan_features_shift (state->features, x, y);
}

gdouble
srgan_criterion_evaluate (SrganCriterionState *state, const gfloat *output,
    const gfloat *target, gfloat weight, gfloat *gradient)
{
  const SrganCriterion *criterion = state->criterion;
  guint channels = state->channels;
  gdouble loss;

  /* sets the gradient; the others add to it */
  loss = criterion->pixel * srgan_loss (criterion->kind, criterion->epsilon,
                                output, target,
                                state->width * state->height * channels,
                                (gfloat) (weight * criterion->pixel), gradient);
  for (guint c = 0; c < channels; c++) {
    if (criterion->ssim > 0)
      loss += criterion->ssim / channels *
              srgan_ssim_loss (output + c, target + c, state->width,
                  state->height, channels, 1,
                  (gfloat) (weight * criterion->ssim / channels), gradient + c);
    if (criterion->ms_ssim > 0)
      loss +=
          criterion->ms_ssim / channels *
          srgan_ssim_loss (output + c, target + c, state->width, state->height,
              channels, SCALES,
              (gfloat) (weight * criterion->ms_ssim / channels), gradient + c);
    if (criterion->fourier > 0)
      loss +=
          criterion->fourier / channels *
          srgan_fourier_loss (output + c, target + c, state->width,
              state->height, channels,
              (gfloat) (weight * criterion->fourier / channels), gradient + c);
  }
  if (criterion->perceptual > 0)
    loss += criterion->perceptual *
            srgan_features_loss (state->features, criterion->features, output,
                target, (gfloat) (weight * criterion->perceptual), gradient);
  return loss;
}
