/* train: an input that has been through a codec, made ahead and kept.
 *
 * A codec on each patch would cost more than the step that learns from it: so
 * a whole picture is reduced and coded at once, and patches are cut from that.
 * What comes out is a function of the recipe, the original and the random
 * numbers alone.
 *
 * SPDX-License-Identifier: MIT
 */
#pragma once

#include "train/original.h"

G_BEGIN_DECLS

/* Brightness and contrast: codes become (code - 127.5) factor + 127.5 + offset,
 * within 0 .. 255. */
typedef struct {
  gfloat factor;
  gfloat offset;
} SrganLight;

/* One drawn as @recipe says; none where @varies is FALSE. */
SrganLight srgan_light_draw (
    const SrganRecipe *recipe, gboolean varies, SrganRandom *random);
void srgan_light_apply (SrganLight light, gfloat *samples, gsize n);

/* How much larger than the window it is to give is what @recipe's reductions
 * reach, at each side, in pixels of the original. */
guint srgan_downscale_get_reach (const SrganRecipe *recipe);
/* What @downscale filters with, and whether in linear light. */
SrganResampleFilter srgan_downscale_get_filter (
    SrganDownscale downscale, gboolean *linear);

typedef struct {
  /* the target, of the softened original, scale times as large as the input */
  SrganSoftening softening;
  gint left;
  gint top;
  SrganLight light;
  guint side;    /* of the input */
  guint8 *input; /* codes, [channel][side][side] */
} SrganDegraded;

/* Whether @recipe has anything to do with codecs. */
gboolean srgan_recipe_degrades (const SrganRecipe *recipe);

/* Draws what happens to @original and makes it happen. @degraded is NULL, and
 * that is no failure, where it was drawn to stay clean. @smallest: the least
 * side of the input; @varies: whether brightness and contrast do. */
gboolean srgan_degraded_new (const SrganRecipe *recipe,
    const SrganOriginal *original, guint smallest, gboolean varies,
    SrganRandom *random, SrganDegraded **degraded, GError **error);
void srgan_degraded_free (SrganDegraded *degraded);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SrganDegraded, srgan_degraded_free)

G_END_DECLS
