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
  guint16 *input; /* of a pair: the same picture reduced, by others, to
                     width / scale x height / scale; else NULL */
} SrganOriginal;

/* Reads the picture at @path; smaller than @smallest squared is an error. */
gboolean srgan_original_read (SrganOriginal *original, const gchar *path,
    guint channels, guint smallest, GError **error);
/* And the input that goes with it, which has to be @scale times smaller; what
 * the original has over a multiple of @scale is cut off. */
gboolean srgan_original_read_pair (SrganOriginal *original, const gchar *path,
    const gchar *input_path, guint channels, guint scale, guint smallest,
    GError **error);
/* A place of @frame, @side squared or, at sides where the frame has less, all
 * of it: drawn from @random. @frame: @width x @height, R'G'B' pixel by pixel
 * or, of one channel, luma alone, with black at 0 if @full_range. */
void srgan_original_take (SrganOriginal *original, const guint8 *frame,
    guint width, guint height, guint channels, gboolean full_range, guint side,
    SrganRandom *random);
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

/* The same of the input of a pair, within it. */
void srgan_original_cut_input (const SrganOriginal *original, guint channel,
    guint scale, guint left, guint top, guint side, gfloat *output);

/* Light is added up in linear light: a channel's codes there and back, those of
 * luma or of R', G' or B'. */
void srgan_codes_to_linear (gfloat *samples, gsize n, gboolean luma);
void srgan_codes_from_linear (gfloat *samples, gsize n, gboolean luma);

G_END_DECLS
