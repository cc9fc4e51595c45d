/* train: what a feature network sees in a picture: perceptual losses, and the
 * distance by which pictures are judged.
 *
 * SPDX-License-Identifier: MIT
 */
#pragma once

#include <srgan/srgan-network.h>

G_BEGIN_DECLS

/* How the maps of a layer are compared. */
typedef enum {
  SRGAN_FEATURES_ENERGY,    /* squared difference over the target's square */
  SRGAN_FEATURES_DIRECTION, /* that of features scaled to length 1 at each
                             * place, nearly: as srgan_features_distance() */
} SrganFeaturesForm;

typedef struct _SrganFeatures SrganFeatures;
typedef struct _SrganFeaturesState SrganFeaturesState;

/**
 * srgan_features_new:
 * @network: (nullable): in colour; NULL: one of 3x3 convolutions in three
 *   resolutions with random weights (which do for super-resolution about as
 *   well as trained ones: arXiv 2103.10571)
 * @layers: names of the layers whose maps are compared, with ; between; "": the
 *   network's note "features", and where it has none those whose map the next
 *   layer makes smaller, and the last
 * @channels: of the random ones: maps of its first two layers; the next two
 *   have twice as many, the last two four times
 * @seed: of the random weights
 * @colour: %SRGAN_COLOUR_Y or _RGB: of the pictures that will be compared; luma
 *   is shown as grey
 */
SRGAN_API
SrganFeatures *srgan_features_new (SrganNetwork *network, const gchar *layers,
    guint channels, guint seed, SrganColour colour, GError **error);
SRGAN_API
void srgan_features_free (SrganFeatures *features);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SrganFeatures, srgan_features_free)

/* One thread's memory for pictures of one size; without @backward for distances
 * only. NULL with @error set where the network gives nothing for pictures as
 * small as these, or memory is out. */
SRGAN_API
SrganFeaturesState *srgan_features_state_new (const SrganFeatures *features,
    guint width, guint height, gboolean backward, GError **error);
SRGAN_API
void srgan_features_state_free (SrganFeaturesState *state);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SrganFeaturesState, srgan_features_state_free)

/* From now on both pictures are shown with their first @x columns and @y rows
 * moved to the far side. A network that halves pictures sees only every second
 * place, every fourth, and so on: shown always the same ones, a generator
 * learns a grid of that size, which others see. */
SRGAN_API
void srgan_features_shift (SrganFeaturesState *state, guint x, guint y);

/* The mean over the layers of the difference of their maps, as @form says, of
 * pictures [height][width][channels]. Adds @weight times its derivative by
 * @output to @gradient. */
SRGAN_API
gdouble srgan_features_loss (SrganFeaturesState *state, SrganFeaturesForm form,
    const gfloat *output, const gfloat *target, gfloat weight,
    gfloat *gradient);

/* Looks at the picture from which srgan_features_distance() will measure, any
 * number of times. */
SRGAN_API
void srgan_features_set_target (
    SrganFeaturesState *state, const gfloat *target);

/* The distance of @output from the target, of LPIPS's form (Zhang et al. 2018)
 * with uniform weights: each pixel's features scaled to length 1, their squared
 * differences summed over channels, averaged over the map, summed over layers.
 * LPIPS proper weighs channels by what people said; this is not that. */
SRGAN_API
gdouble srgan_features_distance (
    SrganFeaturesState *state, const gfloat *output);

G_END_DECLS
