/* train: what a network is trained by: a weighted sum of losses on one patch.
 *
 * SPDX-License-Identifier: MIT
 */
#pragma once

#include "train/feature-network.h"
#include "train/loss.h"

G_BEGIN_DECLS

/* Weights of 0 cost nothing. */
typedef struct {
  SrganLossKind kind; /* of the pixels */
  gdouble epsilon;    /* charbonnier's */
  gdouble pixel;
  gdouble ssim;
  gdouble ms_ssim;
  gdouble fourier;
  gdouble perceptual;
  SrganFeaturesForm features;
} SrganCriterion;

typedef struct _SrganCriterionState SrganCriterionState;

/* One thread's memory for patches of @width x @height; @features may be NULL
 * where criterion->perceptual is 0. Both must stay. */
SRGAN_API
SrganCriterionState *srgan_criterion_state_new (const SrganCriterion *criterion,
    const SrganFeatures *features, guint width, guint height, guint channels,
    GError **error);
SRGAN_API
void srgan_criterion_state_free (SrganCriterionState *state);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SrganCriterionState, srgan_criterion_state_free)

/* How far the pictures are shifted that the feature network is shown. */
SRGAN_API
void srgan_criterion_state_shift (SrganCriterionState *state, guint x, guint y);

/* The loss of one patch, [height][width][channels]. @gradient receives its
 * derivative by each of @output, times @weight. */
SRGAN_API
gdouble srgan_criterion_evaluate (SrganCriterionState *state,
    const gfloat *output, const gfloat *target, gfloat weight,
    gfloat *gradient);

G_END_DECLS
