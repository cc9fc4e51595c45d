/* train: an original: a picture in memory to train on, and windows that are cut
 * from it, softened or as it is.
 *
 * SPDX-License-Identifier: MIT
 */
#pragma once

#include "train/random.h"
#include "train/recipe.h"

G_BEGIN_DECLS

/* Where a blurred window's edges are not to be looked at: the Gaussian's
 * cut-off. At sigma 1.5, the largest allowed, what lies beyond is a hundredth.
 */
#define SRGAN_BLUR_RADIUS 4

/* Luma, or R'G'B' plane by plane, in 1/256 of an 8-bit code. */
typedef struct {
  guint width;
  guint height;
  guint channels;
  guint16 *samples;
} SrganOriginal;

/* Reads the picture at @path; smaller than @smallest squared is an error. */
gboolean srgan_original_read (SrganOriginal *original, const gchar *path,
    guint channels, guint smallest, GError **error);
/* A GDestroyNotify of what @original points to. */
void srgan_original_clear (gpointer original);

typedef enum {
  SRGAN_SOFTENING_NONE,
  SRGAN_SOFTENING_BLURRED,
  SRGAN_SOFTENING_REDUCED,
} SrganSofteningKind;

typedef struct {
  SrganSofteningKind kind;
  gdouble sigma; /* of the blur */
  gdouble ratio; /* of the reduction, at most 1 */
  SrganResampleFilter filter;
} SrganSoftening;

/* One of the recipe's choices with their shares, for @original, of which at
 * least @side squared shall be left. */
void srgan_softening_draw (SrganSoftening *softening, const SrganRecipe *recipe,
    const SrganOriginal *original, guint side, SrganRandom *random);
/* What is left of @size pixels, at least @side. */
guint srgan_softening_get_size (
    const SrganSoftening *softening, guint size, guint side);

/* A window, @side squared, of the softened original, in codes: its left upper
 * corner at @left, @top of that; what lies outside is mirrored. A blurred
 * window's outer SRGAN_BLUR_RADIUS pixels know nothing of what is around it. */
void srgan_original_cut (const SrganOriginal *original, guint channel,
    const SrganSoftening *softening, gint left, gint top, guint side,
    gfloat *output);

/* Light is added up in linear light: a channel's codes there and back, those of
 * luma or of R', G' or B'. */
void srgan_codes_to_linear (gfloat *samples, gsize n, gboolean luma);
void srgan_codes_from_linear (gfloat *samples, gsize n, gboolean luma);

G_END_DECLS
