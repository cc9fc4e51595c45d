/* engine: the operations on maps that are no convolutions.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/plan.h"

#include <string.h>

static const SrganStage *
get_input (const SrganStage *stage, const SrganPlan *plan, guint index)
{
  return &plan->stages[stage->inputs[index]];
}

/* Floats from pixel to pixel of a map of any operation. */
static guint
get_stride (const SrganStage *stage, const SrganPlan *plan)
{
  return plan->kernels->get_channel_stride (stage->channels);
}

/* Zeros in the padding channels. */
static void
clear_padding (const SrganStage *stage, SrganTile *tile, gint row)
{
  const SrganPlan *plan = tile->plan;
  const SrganRegion *region = &tile->states[stage - plan->stages].region;

  if (stage->channels < stage->stride)
    plan->kernels->copy_channels_row (
        srgan_tile_get_pixel (tile, stage, row, region->x0) + stage->channels,
        stage->stride, plan->zeros, 0, stage->stride - stage->channels,
        (guint) (region->x1 - region->x0));
}

/* --- add, multiply ------------------------------------------------------- */

static void
run_elementwise (const SrganStage *stage, SrganTile *tile, gint row)
{
  const SrganPlan *plan = tile->plan;
  const SrganKernels *kernels = plan->kernels;
  const SrganRegion *region = &tile->states[stage - plan->stages].region;
  const gboolean adds = stage->layer->operation == SRGAN_OPERATION_ADD;
  const guint width = (guint) (region->x1 - region->x0);
  gfloat *output = srgan_tile_get_pixel (tile, stage, row, region->x0);
  const gfloat *result = NULL;
  guint i, first = 0;

  /* The first map of the stage's own size is what others are added to; it has
   * the stage's stride, so that tile->restride is free for the rest. */
  while (get_input (stage, plan, first)->is_single && !stage->is_single)
    first++;
  result = srgan_tile_get_elements (stage, tile, first, row);
  for (i = 0; i < stage->n_inputs; i++) {
    const SrganStage *input = get_input (stage, plan, i);

    if (i == first)
      continue;
    if (input->is_single && !stage->is_single)
      (adds ? kernels->add_channels_row : kernels->multiply_channels_row) (
          output, result, srgan_tile_get_pixel (tile, input, 0, 0),
          stage->stride, width);
    else
      (adds ? kernels->add_row : kernels->multiply_row) (output, result,
          srgan_tile_get_elements (stage, tile, i, row), width * stage->stride);
    result = output;
  }
}

gboolean
srgan_stage_init_elementwise (
    SrganStage *stage, SrganPlan *plan, GError **error)
{
  guint i = 0;

  while (get_input (stage, plan, i)->is_single && !stage->is_single)
    i++;
  stage->stride = get_input (stage, plan, i)->stride;
  stage->run = run_elementwise;
  return TRUE;
}

/* --- concat, slice, crop -------------------------------------------------- */

static void
run_concat (const SrganStage *stage, SrganTile *tile, gint row)
{
  const SrganPlan *plan = tile->plan;
  const SrganRegion *region = &tile->states[stage - plan->stages].region;
  gfloat *output = srgan_tile_get_pixel (tile, stage, row, region->x0);
  guint i;

  for (i = 0; i < stage->n_inputs; i++) {
    const SrganStage *input = get_input (stage, plan, i);

    plan->kernels->copy_channels_row (output, stage->stride,
        srgan_tile_get_pixel (tile, input, row, region->x0), input->stride,
        input->channels, (guint) (region->x1 - region->x0));
    output += input->channels;
  }
  clear_padding (stage, tile, row);
}

gboolean
srgan_stage_init_concat (SrganStage *stage, SrganPlan *plan, GError **error)
{
  stage->stride = get_stride (stage, plan);
  stage->run = run_concat;
  return TRUE;
}

static void
run_slice (const SrganStage *stage, SrganTile *tile, gint row)
{
  const SrganPlan *plan = tile->plan;
  const SrganStage *input = get_input (stage, plan, 0);
  const SrganRegion *region = &tile->states[stage - plan->stages].region;

  plan->kernels->copy_channels_row (
      srgan_tile_get_pixel (tile, stage, row, region->x0), stage->stride,
      srgan_tile_get_pixel (
          tile, input, row + stage->offset_y, region->x0 + stage->offset_x) +
          stage->layer->first,
      input->stride, stage->channels, (guint) (region->x1 - region->x0));
  clear_padding (stage, tile, row);
}

gboolean
srgan_stage_init_slice (SrganStage *stage, SrganPlan *plan, GError **error)
{
  stage->stride = get_stride (stage, plan);
  stage->run = run_slice;
  return TRUE;
}

/* All channels, of fewer pixels. */
gboolean
srgan_stage_init_crop (SrganStage *stage, SrganPlan *plan, GError **error)
{
  stage->offset_x = stage->offset_y = (gint) stage->layer->crop;
  return srgan_stage_init_slice (stage, plan, error);
}

/* --- max-pool ------------------------------------------------------------- */

static void
run_max_pool (const SrganStage *stage, SrganTile *tile, gint row)
{
  const SrganPlan *plan = tile->plan;
  const SrganLayer *layer = stage->layer;
  const SrganStage *input = get_input (stage, plan, 0);
  const SrganRegion *region = &tile->states[stage - plan->stages].region;
  const gint step = stage->input_step;
  const gint n_rows =
      MIN ((gint) layer->kernel_height, input->height - row * step);
  const gfloat *rows[SRGAN_KERNEL_MAX_SIDE];
  gint last = region->x1, i;

  /* In ceil mode the last window of a row may be narrower. */
  if ((last - 1) * step + (gint) layer->kernel_width > input->width)
    last--;
  for (i = 0; i < n_rows; i++)
    rows[i] =
        srgan_tile_get_pixel (tile, input, row * step + i, region->x0 * step);
  if (last > region->x0)
    plan->kernels->pool_row (
        srgan_tile_get_pixel (tile, stage, row, region->x0), rows,
        (guint) n_rows, layer->kernel_width, layer->stride, stage->stride,
        (guint) (last - region->x0));
  if (last == region->x1)
    return;
  for (i = 0; i < n_rows; i++)
    rows[i] = srgan_tile_get_pixel (tile, input, row * step + i, last * step);
  plan->kernels->pool_row (srgan_tile_get_pixel (tile, stage, row, last), rows,
      (guint) n_rows, (guint) (input->width - last * step), layer->stride,
      stage->stride, 1);
}

gboolean
srgan_stage_init_max_pool (SrganStage *stage, SrganPlan *plan, GError **error)
{
  const SrganLayer *layer = stage->layer;

  stage->input_step = (gint) layer->stride;
  stage->reach_after_x = (gint) layer->kernel_width - 1;
  stage->reach_after_y = (gint) layer->kernel_height - 1;
  stage->stride = get_input (stage, plan, 0)->stride;
  stage->run = run_max_pool;
  return TRUE;
}

/* --- pixel-unshuffle ------------------------------------------------------ */

static void
run_pixel_unshuffle (const SrganStage *stage, SrganTile *tile, gint row)
{
  const SrganPlan *plan = tile->plan;
  const SrganStage *input = get_input (stage, plan, 0);
  const SrganRegion *region = &tile->states[stage - plan->stages].region;
  const gint factor = stage->input_step;
  const gfloat *rows[SRGAN_KERNEL_MAX_SIDE];
  gint i;

  for (i = 0; i < factor; i++)
    rows[i] = srgan_tile_get_pixel (
        tile, input, row * factor + i, region->x0 * factor);
  plan->kernels->unshuffle_row (
      srgan_tile_get_pixel (tile, stage, row, region->x0), stage->stride, rows,
      input->stride, (guint) factor, input->channels,
      (guint) (region->x1 - region->x0));
}

gboolean
srgan_stage_init_pixel_unshuffle (
    SrganStage *stage, SrganPlan *plan, GError **error)
{
  stage->input_step = (gint) stage->layer->factor;
  stage->reach_after_x = stage->reach_after_y = stage->input_step - 1;
  stage->stride = get_stride (stage, plan);
  stage->run = run_pixel_unshuffle;
  return TRUE;
}

/* --- resize to a map's size ----------------------------------------------- */

static void
run_fitting (const SrganStage *stage, SrganTile *tile, gint row)
{
  const SrganPlan *plan = tile->plan;
  const SrganStage *input = get_input (stage, plan, 0);
  const SrganRegion *region = &tile->states[stage - plan->stages].region;
  const SrganRegion needed =
      srgan_stage_get_input_region (plan, stage, 0, region);
  const SrganGather *x = &stage->gather_x, *y = &stage->gather_y;
  const gfloat *rows[SRGAN_KERNEL_MAX_TAPS];
  guint tap;

  for (tap = 0; tap < y->n_taps; tap++)
    rows[tap] = srgan_tile_get_pixel (
        tile, input, y->first[row] + (gint) tap, needed.x0);
  plan->kernels->blend_rows (tile->blend, rows,
      y->weight + (gsize) row * y->n_taps, y->n_taps,
      (guint) (needed.x1 - needed.x0) * stage->stride);
  plan->kernels->gather_row (
      srgan_tile_get_pixel (tile, stage, row, region->x0), tile->blend,
      needed.x0, x->first + region->x0,
      x->weight + (gsize) region->x0 * x->n_taps, x->n_taps, stage->stride,
      (guint) (region->x1 - region->x0));
}

/* Taps beyond the pixel that an output pixel's left or upper edge lies in. */
static void
get_fitting_reach (
    const SrganGather *gather, gint in, gint out, gint *before, gint *after)
{
  gint i;

  *before = *after = 0;
  for (i = 0; i < out; i++) {
    gint at = (gint) ((gint64) i * in / out);

    *before = MAX (*before, at - gather->first[i]);
    *after = MAX (*after, gather->first[i] + (gint) gather->n_taps - 1 - at);
  }
}

gboolean
srgan_stage_init_fitting (SrganStage *stage, SrganPlan *plan, GError **error)
{
  const SrganStage *input = get_input (stage, plan, 0);
  const SrganFilter filter = stage->layer->filter;

  /* The other input only says how large. */
  stage->n_inputs = 1;
  stage->fits = TRUE;
  stage->stride = input->stride;
  stage->run = run_fitting;
  if (!srgan_gather_init (
          &stage->gather_x, input->width, stage->width, filter) ||
      !srgan_gather_init (
          &stage->gather_y, input->height, stage->height, filter)) {
    g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_TOO_LARGE,
        "Layer \"%s\": out of memory", stage->layer->name);
    return FALSE;
  }
  get_fitting_reach (&stage->gather_x, input->width, stage->width,
      &stage->reach_before_x, &stage->reach_after_x);
  get_fitting_reach (&stage->gather_y, input->height, stage->height,
      &stage->reach_before_y, &stage->reach_after_y);
  return TRUE;
}
