/* train: a network run on a whole batch of patches, layer by layer where a
 * layer looks at all of them (batch-norm), patch by patch between those.
 *
 * The result depends neither on the number of threads nor on which did what.
 *
 * SPDX-License-Identifier: MIT
 */
#pragma once

#include "base/workers.h"
#include "train/graph.h"
#include "train/ranks.h"

G_BEGIN_DECLS

typedef struct _SrganBatch SrganBatch;

/* Memory for @n patches of @width x @height. @graph, @workers and @ranks (NULL:
 * one process) must stay. NULL when memory is out. */
SRGAN_API
SrganBatch *srgan_batch_new (const SrganGraph *graph, guint n, guint width,
    guint height, SrganWorkers *workers, SrganRanks *ranks);
SRGAN_API
void srgan_batch_free (SrganBatch *batch);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SrganBatch, srgan_batch_free)

/* Floats that the last layer gives for one patch. */
SRGAN_API
gsize srgan_batch_get_output_length (const SrganBatch *batch);

/* Runs the network on @n inputs, one after the other, [height][width][channels]
 * each. Batch-norms use the mean and variance of this batch, all processes
 * together. */
SRGAN_API
void srgan_batch_forward (
    SrganBatch *batch, const gfloat *inputs, gfloat *outputs);

/* After srgan_batch_forward(): from the derivatives by each output, the sum
 * over all processes of those by the parameters, which is added to
 * @parameter_gradient (NULL: not wanted), and those by each input, written to
 * @input_gradients (NULL: likewise). May be called again. */
SRGAN_API
void srgan_batch_backward (SrganBatch *batch, const gfloat *output_gradients,
    gfloat *parameter_gradient, gfloat *input_gradients);

/* Moves the running statistics in @parameters a tenth of the way to those of
 * the last forward pass. */
SRGAN_API
void srgan_batch_update_statistics (
    const SrganBatch *batch, gfloat *parameters);

G_END_DECLS
