/* train: training pictures and the patches that are cut from them.
 *
 * Patch @index of step @step is a function of those two numbers, the recipe
 * and the pictures alone: a run can be resumed, and patches made on any
 * thread, without a random generator's state to carry.
 *
 * SPDX-License-Identifier: MIT
 */
#pragma once

#include "train/recipe.h"

G_BEGIN_DECLS

typedef struct _SrganDataset SrganDataset;

/* Told of each file that is left out, and why. */
typedef void (*SrganDatasetMessageFunc) (
    const gchar *message, gpointer user_data);

/* Reads all pictures, pairs and video frames of @recipe into memory (2 bytes a
 * sample). Unreadable ones and those smaller than a patch are named and left
 * out; that none is left is an error. */
SRGAN_API
SrganDataset *srgan_dataset_new (const SrganRecipe *recipe,
    GCancellable *cancellable, SrganDatasetMessageFunc message,
    gpointer user_data, GError **error);
SRGAN_API
void srgan_dataset_free (SrganDataset *dataset);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SrganDataset, srgan_dataset_free)

SRGAN_API
guint srgan_dataset_get_n_training (const SrganDataset *dataset);
SRGAN_API
guint srgan_dataset_get_n_validation (const SrganDataset *dataset);
SRGAN_API
guint srgan_dataset_get_n_left_out (const SrganDataset *dataset);

/* Makes one patch, of luma over 255, or of R'G'B' over 255, pixel by pixel:
 * @input, recipe->patch squared, and @target, scale times larger. Any number of
 * threads may call it. */
SRGAN_API
void srgan_dataset_make_patch (SrganDataset *dataset, guint step, guint index,
    gfloat *input, gfloat *target);

/* FALSE, with @error set, once a codec failed on a patch: that patch, and what
 * was learnt since, is not what the recipe asks for. */
SRGAN_API
gboolean srgan_dataset_check (SrganDataset *dataset, GError **error);

/* The side of the patches that validation uses, in input pixels. */
SRGAN_API
guint srgan_dataset_get_validation_patch (const SrganDataset *dataset);
/* One patch of picture @index of those held back; always the same. */
SRGAN_API
void srgan_dataset_make_validation_patch (
    SrganDataset *dataset, guint index, gfloat *input, gfloat *target);

/* --- Ready ahead ------------------------------------------------------- */

typedef struct _SrganPrefetch SrganPrefetch;

/* Starts threads that make the batches of @first_step and later; of the patches
 * of a step those of the process @rank. */
SRGAN_API
SrganPrefetch *srgan_prefetch_new (SrganDataset *dataset,
    const SrganRecipe *recipe, guint first_step, guint rank);
SRGAN_API
void srgan_prefetch_free (SrganPrefetch *prefetch);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SrganPrefetch, srgan_prefetch_free)
/* The next step's batch: patches one after the other, valid until the next
 * call. */
SRGAN_API
void srgan_prefetch_next (
    SrganPrefetch *prefetch, const gfloat **inputs, const gfloat **targets);

G_END_DECLS
