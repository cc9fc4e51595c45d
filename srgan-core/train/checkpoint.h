/* train: where a run stands, on disk.
 *
 * SPDX-License-Identifier: MIT
 */
#pragma once

#include <srgan/srgan-train.h>

G_BEGIN_DECLS

/* The caller owns all arrays, and says how long they are when it reads. */
typedef struct _SrganCheckpoint {
  const SrganRecipe *recipe;
  guint step;      /* steps done */
  guint stale;     /* validations since the best */
  guint n_patches; /* in a step, all processes together */
  gdouble best;    /* best validation PSNR so far, dB */
  gfloat *parameters;
  gfloat *average;
  gsize n_parameters;
  gfloat *state; /* the optimizer's */
  gsize n_state;
  gfloat *rival; /* the discriminator's parameters; NULL: there is none */
  gsize n_rival;
  gfloat *rival_state;
  gsize n_rival_state;
  /* Reading: called when step is known, to set the arrays that there are then;
   * may be NULL. */
  gboolean (*prepare) (
      struct _SrganCheckpoint *checkpoint, gpointer data, GError **error);
  gpointer data;
} SrganCheckpoint;

/* Replaces @path in one go: after a crash it holds the old or the new one. */
SRGAN_API
gboolean srgan_checkpoint_save (
    const SrganCheckpoint *checkpoint, const gchar *path, GError **error);

/* Fills @checkpoint's step, best and arrays. A file that is cut short, of
 * a recipe with a setting that would give another result is an error that says
 * so. */
SRGAN_API
gboolean srgan_checkpoint_load (
    SrganCheckpoint *checkpoint, const gchar *path, GError **error);

G_END_DECLS
