/* srgan-train: training networks on the CPU.
 *
 * The second library of the project, for programs that make networks; what
 * plays video needs srgan-core alone. Fill a recipe (from a key file, from
 * strings), then srgan_train().
 *
 * SPDX-License-Identifier: MIT
 */
#pragma once

#include <gio/gio.h>
#include <srgan/srgan-error.h>

G_BEGIN_DECLS

/* --- Recipe ------------------------------------------------------------ */

/**
 * SrganRecipe:
 *
 * All settings of a training run: groups "network", "data", "training" and
 * "output" of a key file. srgan_recipe_to_string() prints every key with its
 * meaning.
 */
typedef struct _SrganRecipe SrganRecipe;

/* Every key at its default. (transfer full) */
SRGAN_API
SrganRecipe *srgan_recipe_new (void);
SRGAN_API
void srgan_recipe_free (SrganRecipe *recipe);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SrganRecipe, srgan_recipe_free)

/* Sets the keys that the key file at @path holds. A key that does not exist,
 * or a value outside its range, is %SRGAN_ERROR_INVALID naming it; the recipe
 * is then half changed and should be freed. */
SRGAN_API
gboolean srgan_recipe_load (
    SrganRecipe *recipe, const gchar *path, GError **error);

/* Sets one key from @value as the key file spells it. */
SRGAN_API
gboolean srgan_recipe_set (SrganRecipe *recipe, const gchar *group,
    const gchar *key, const gchar *value, GError **error);

/* The value of a key, spelt as in a key file, or %NULL where there is no such
 * key. (transfer full) */
SRGAN_API
gchar *srgan_recipe_get (
    const SrganRecipe *recipe, const gchar *group, const gchar *key);

/* A key file with every key; with a comment above each if @explained.
 * (transfer full) */
SRGAN_API
gchar *srgan_recipe_to_string (const SrganRecipe *recipe, gboolean explained);

/* --- Training ---------------------------------------------------------- */

/**
 * SrganTrainProgress:
 *
 * Where a run is. Reported after every step; @message is set instead of a
 * step's numbers where there is something to tell (a picture skipped, a
 * checkpoint continued).
 */
typedef struct {
  const gchar *message;      /* one line for the user, or %NULL */
  guint step;                /* steps done */
  guint n_steps;             /* steps in all */
  gdouble loss;              /* mean over the last 100 steps */
  gdouble learning_rate;     /* of this step */
  gdouble images_per_second; /* patches, since this process started */
  gdouble seconds_left;      /* -1 while unknown */
  gboolean validated;        /* TRUE: the next four are of this step */
  gdouble psnr;              /* dB, luma, on the pictures held back */
  gdouble ssim;
  gdouble distance; /* perceptual, likewise; NAN: nothing measures it */
  gboolean best;    /* the best PSNR so far, or, in the adversarial phase, the
                       latest: the output was written */
  gboolean adversarial; /* the adversarial phase: the next two are of this
                           step */
  gdouble generator_loss;
  gdouble discriminator_loss;
} SrganTrainProgress;

typedef void (*SrganTrainFunc) (
    const SrganTrainProgress *progress, gpointer user_data);

/**
 * srgan_train:
 * @recipe: what to do; read only
 * @cancellable: (nullable): stops the run after the step under way, with a
 *   checkpoint written, and makes it return %FALSE with
 *   %SRGAN_ERROR_CANCELLED
 * @progress: (nullable) (scope call): called from the calling thread
 *
 * Trains a network and writes it to the recipe's output: always the weights
 * that scored best on the pictures held back; with an adversarial phase, those
 * go to the output's name with -fidelity, and its latest to the output.
 * Continues from the recipe's checkpoint if that exists: step for step, bit for
 * bit what an uninterrupted run would have done. The result does not depend on
 * the number of threads.
 *
 * Returns: %FALSE with @error set on failure; a loss that is not a number
 *   (%SRGAN_ERROR_INVALID) leaves the last good checkpoint and output alone
 */
SRGAN_API
gboolean srgan_train (const SrganRecipe *recipe, GCancellable *cancellable,
    SrganTrainFunc progress, gpointer user_data, GError **error);

G_END_DECLS
