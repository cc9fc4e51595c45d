/* train: the run itself, as one of several processes.
 *
 * SPDX-License-Identifier: MIT
 */
#pragma once

#include <srgan/srgan-train.h>

#include "train/ranks.h"

G_BEGIN_DECLS

/* As srgan_train(), which is this without @ranks: every process calls it with
 * the same recipe, and each step has the batches of all: N processes of batch B
 * give what one of N B gives, to rounding. Only the first writes, and calls
 * @progress; all must see the same pictures and the same checkpoint. When it
 * fails on one, the others wait: end them with srgan_ranks_abort(). */
SRGAN_API
gboolean srgan_train_together (const SrganRecipe *recipe, SrganRanks *ranks,
    GCancellable *cancellable, SrganTrainFunc progress, gpointer user_data,
    GError **error);

G_END_DECLS
