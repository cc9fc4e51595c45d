/* train: where originals come from: folders of pictures and of video files, and
 * pairs of folders whose inputs others have made.
 *
 * What is read, and in which order, is a function of the recipe and the files
 * alone: a run can be resumed.
 *
 * SPDX-License-Identifier: MIT
 */
#pragma once

#include <gio/gio.h>

#include "train/dataset.h"
#include "train/original.h"

G_BEGIN_DECLS

/* Reads what recipe->folder, recipe->pairs and recipe->validation_folder name,
 * adding to @training and @validation, arrays of SrganOriginal. What cannot be
 * used is told to @message and counted in @n_left_out; nothing at all to train
 * on, or to validate with, is an error. */
gboolean srgan_sources_read (const SrganRecipe *recipe, GArray *training,
    GArray *validation, guint *n_left_out, GCancellable *cancellable,
    SrganDatasetMessageFunc message, gpointer user_data, GError **error);

G_END_DECLS
