/* engine: the operations of a network as stages that make one row at a time.
 *
 * `operations` is the engine's one table: to run another operation, add its
 * row. Where each operation reads is described by numbers in the stage
 * (input_factor, reach_*), so that regions, rings and schedules follow by
 * themselves.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/plan.h"

#include <string.h>

#include "base/memory.h"

/* --- geometry ------------------------------------------------------------ */

static gint
divide_up (gint a, gint b)
{
  return a >= 0 ? (a + b - 1) / b : -(-a / b);
}

static gint
divide_down (gint a, gint b)
{
  return a >= 0 ? a / b : -((-a + b - 1) / b);
}

/* Input pixels [first, end) that output pixels [*first, *end) need, clipped
 * to a map of @size. */
static void
get_input_span (
    gint factor, gint before, gint after, gint size, gint *first, gint *end)
{
  gint a = divide_down (*first, factor) - before;
  gint b = divide_up (*end, factor) + after;

  *first = CLAMP (a, 0, size);
  *end = CLAMP (b, *first, size);
}

SrganRegion
srgan_stage_get_input_region (const SrganPlan *plan, const SrganStage *stage,
    guint input, const SrganRegion *region)
{
  const SrganStage *from = &plan->stages[stage->inputs[input]];
  SrganRegion r = *region;

  get_input_span (stage->input_factor[input], stage->reach_before_x,
      stage->reach_after_x, from->width, &r.x0, &r.x1);
  get_input_span (stage->input_factor[input], stage->reach_before_y,
      stage->reach_after_y, from->height, &r.y0, &r.y1);
  return r;
}

void
srgan_stage_get_input_rows (const SrganPlan *plan, const SrganStage *stage,
    guint input, gint row, gint *first, gint *end)
{
  const SrganStage *from = &plan->stages[stage->inputs[input]];

  *first = row;
  *end = row + stage->block;
  get_input_span (stage->input_factor[input], stage->reach_before_y,
      stage->reach_after_y, from->height, first, end);
}

gfloat *
srgan_tile_get_pixel (
    SrganTile *tile, const SrganStage *stage, gint row, gint x)
{
  SrganStageState *state = &tile->states[stage - tile->plan->stages];
  gsize offset =
      (gsize) (x - state->region.x0 + (gint) stage->margin) * stage->stride;

  if (row < 0 || row >= stage->height)
    return tile->plan->zeros + offset;
  return state->ring +
         (gsize) (row % (gint) stage->ring_rows) * stage->row_floats + offset;
}

/* --- running ------------------------------------------------------------- */

static void
run_conv (const SrganStage *stage, SrganTile *tile, gint row)
{
  const SrganPlan *plan = tile->plan;
  const SrganConvolution *convolution = stage->convolution;
  const SrganStage *input = &plan->stages[stage->inputs[0]];
  const SrganRegion *region = &tile->states[stage - plan->stages].region;
  const gfloat *rows[SRGAN_KERNEL_MAX_SIDE];
  guint ky;

  for (ky = 0; ky < convolution->kernel_height; ky++)
    rows[ky] = srgan_tile_get_pixel (tile, input,
        row + (gint) ky - stage->reach_before_y,
        region->x0 - stage->reach_before_x);
  plan->kernels->convolve_row (convolution, rows,
      srgan_tile_get_pixel (tile, stage, row, region->x0),
      region->x1 - region->x0);
}

/* Four rows at once. */
static void
run_winograd (const SrganStage *stage, SrganTile *tile, gint row)
{
  const SrganPlan *plan = tile->plan;
  const SrganStage *input = &plan->stages[stage->inputs[0]];
  const SrganRegion *region = &tile->states[stage - plan->stages].region;
  const gfloat *rows[6];
  gfloat *output[4];
  gint i;

  for (i = 0; i < 6; i++)
    rows[i] = srgan_tile_get_pixel (tile, input,
        row - stage->reach_before_y + i, region->x0 - stage->reach_before_x);
  for (i = 0; i < 4; i++)
    output[i] = row + i >= 0 && row + i < stage->height
                    ? srgan_tile_get_pixel (tile, stage, row + i, region->x0)
                    : tile->restride; /* before or behind the map: forgotten */
  plan->kernels->convolve_winograd (stage->convolution, rows, output,
      (guint) (region->x1 - region->x0) / 4, tile->scratch);
}

/* Input @index of an elementwise stage at its region, with the stage's own
 * stride. */
static const gfloat *
get_elements (const SrganStage *stage, SrganTile *tile, guint index, gint row)
{
  const SrganPlan *plan = tile->plan;
  const SrganStage *input = &plan->stages[stage->inputs[index]];
  const SrganRegion *region = &tile->states[stage - plan->stages].region;
  const gfloat *pixel = srgan_tile_get_pixel (tile, input, row, region->x0);

  if (input->stride == stage->stride)
    return pixel;
  /* Depth to space by 1: only the stride changes. */
  plan->kernels->shuffle_row (tile->restride, stage->stride, pixel,
      input->stride, 1, 0, stage->channels, region->x1 - region->x0);
  return tile->restride;
}

static void
run_add (const SrganStage *stage, SrganTile *tile, gint row)
{
  const SrganPlan *plan = tile->plan;
  const SrganRegion *region = &tile->states[stage - plan->stages].region;
  gfloat *output = srgan_tile_get_pixel (tile, stage, row, region->x0);
  guint i, n = (guint) (region->x1 - region->x0) * stage->stride;
  const gfloat *sum = get_elements (stage, tile, 0, row);

  /* Input 0 has the stage's stride, so that restride is free for the rest. */
  for (i = 1; i < stage->n_inputs; i++) {
    plan->kernels->add_row (output, sum, get_elements (stage, tile, i, row), n);
    sum = output;
  }
  if (stage->n_inputs == 1)
    memcpy (output, sum, n * sizeof (gfloat));
}

static void
run_activation (const SrganStage *stage, SrganTile *tile, gint row)
{
  const SrganRegion *region = &tile->states[stage - tile->plan->stages].region;

  memcpy (srgan_tile_get_pixel (tile, stage, row, region->x0),
      get_elements (stage, tile, 0, row),
      (gsize) (region->x1 - region->x0) * stage->stride * sizeof (gfloat));
}

static void
run_pixel_shuffle (const SrganStage *stage, SrganTile *tile, gint row)
{
  const SrganPlan *plan = tile->plan;
  const SrganStage *input = &plan->stages[stage->inputs[0]];
  const SrganRegion *region = &tile->states[stage - plan->stages].region;
  gint factor = (gint) stage->layer->factor;
  gint x = region->x0 / factor; /* whole: see srgan_tile_place() */

  plan->kernels->shuffle_row (
      srgan_tile_get_pixel (tile, stage, row, region->x0), stage->stride,
      srgan_tile_get_pixel (tile, input, row / factor, x), input->stride,
      factor, row % factor, stage->channels, region->x1 / factor - x);
}

static void
run_resize (const SrganStage *stage, SrganTile *tile, gint row)
{
  const SrganPlan *plan = tile->plan;
  const SrganStage *input = &plan->stages[stage->inputs[0]];
  const SrganRegion *region = &tile->states[stage - plan->stages].region;
  const SrganInterpolation *interpolation = &stage->interpolation;
  gint factor = (gint) interpolation->factor;
  gint x0 = region->x0 / factor, x1 = region->x1 / factor;
  gint y = row / factor, phase = row % factor;
  gfloat *output = srgan_tile_get_pixel (tile, stage, row, region->x0);
  gint from = MAX (x0 - stage->reach_before_x, 0);
  gint to = MIN (x1 + stage->reach_after_x, input->width);
  gfloat *blend = tile->blend + SRGAN_KERNEL_MAX_TAPS * stage->stride;
  const gfloat *rows[SRGAN_KERNEL_MAX_TAPS];
  guint tap;

  for (tap = 0; tap < interpolation->n_taps; tap++)
    rows[tap] = srgan_tile_get_pixel (tile, input,
        CLAMP (
            y + interpolation->first[phase] + (gint) tap, 0, input->height - 1),
        from);
  if (interpolation->n_taps == 1) {
    plan->kernels->interpolate_row (
        output, rows[0], interpolation, stage->stride, x1 - x0);
    return;
  }
  plan->kernels->blend_rows (blend, rows, interpolation->weight[phase],
      interpolation->n_taps, (guint) (to - from) * stage->stride);
  srgan_extend_row (blend, stage->stride, to - from,
      from == 0 ? SRGAN_KERNEL_MAX_TAPS : 0,
      to == input->width ? SRGAN_KERNEL_MAX_TAPS : 0);
  plan->kernels->interpolate_row (output,
      blend + (gsize) (x0 - from) * stage->stride, interpolation, stage->stride,
      x1 - x0);
}

/* --- making -------------------------------------------------------------- */

static gboolean
refuse (const SrganLayer *layer, GError **error, const gchar *what)
{
  g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_UNSUPPORTED,
      "Layer \"%s\" (%s): this version's engine does not run %s", layer->name,
      srgan_operation_to_string (layer->operation), what);
  return FALSE;
}

/* Channels from which on the transforms cost less than they save; below, the
 * direct kernels' blocks fit better. */
#define WINOGRAD_CHANNELS 12

gboolean
srgan_layer_is_winograd (const SrganLayer *layer)
{
  return layer->operation == SRGAN_OPERATION_CONV && layer->kernel_width == 3 &&
         layer->kernel_height == 3 && layer->in_channels >= WINOGRAD_CHANNELS &&
         layer->out_channels >= WINOGRAD_CHANNELS;
}

static gboolean
init_conv (SrganStage *stage, SrganPlan *plan, GError **error)
{
  const SrganLayer *layer = stage->layer;

  if (layer->stride != 1)
    return refuse (layer, error, "a stride other than 1");
  if (layer->groups != 1)
    return refuse (layer, error, "groups other than 1");
  if (layer->padding != SRGAN_PADDING_ZERO)
    return refuse (layer, error, "padding other than zero");
  if (layer->kernel_width > SRGAN_KERNEL_MAX_SIDE ||
      layer->kernel_height > SRGAN_KERNEL_MAX_SIDE)
    return refuse (layer, error, "kernels wider or higher than 9");
  /* Even kernels reach further after than before, as PyTorch's "same". */
  stage->reach_before_x = ((gint) layer->kernel_width - 1) / 2;
  stage->reach_after_x = (gint) layer->kernel_width / 2;
  stage->reach_before_y = ((gint) layer->kernel_height - 1) / 2;
  stage->reach_after_y = (gint) layer->kernel_height / 2;
  stage->stride = plan->kernels->get_channel_stride (layer->out_channels);
  stage->run = run_conv;
  if (srgan_layer_is_winograd (layer)) {
    stage->block = 4;
    stage->run = run_winograd;
  }
  return TRUE;
}

static gboolean
init_add (SrganStage *stage, SrganPlan *plan, GError **error)
{
  const SrganLayer *layer = stage->layer;
  guint i;

  for (i = 0; i < stage->n_inputs; i++)
    if (plan->stages[stage->inputs[i]].channels != stage->channels ||
        plan->stages[stage->inputs[i]].width != stage->width)
      return refuse (layer, error, "maps of different sizes");
  stage->stride = plan->stages[stage->inputs[0]].stride;
  stage->run = run_add;
  return TRUE;
}

static gboolean
init_activation (SrganStage *stage, SrganPlan *plan, GError **error)
{
  stage->stride = plan->stages[stage->inputs[0]].stride;
  stage->run = run_activation;
  return TRUE;
}

static gboolean
init_pixel_shuffle (SrganStage *stage, SrganPlan *plan, GError **error)
{
  stage->input_factor[0] = stage->layer->factor;
  stage->stride = stage->channels <= 3
                      ? stage->channels
                      : plan->kernels->get_channel_stride (stage->channels);
  stage->run = run_pixel_shuffle;
  return TRUE;
}

static gboolean
init_resize (SrganStage *stage, SrganPlan *plan, GError **error)
{
  const SrganLayer *layer = stage->layer;
  gdouble factor = layer->factor;
  gint reach;

  if (layer->factor > SRGAN_KERNEL_MAX_PHASES)
    return refuse (layer, error, "factors above 4");
  srgan_interpolation_init (
      &stage->interpolation, layer->factor, layer->filter, .5 / factor - .5);
  reach = (gint) stage->interpolation.n_taps / 2;
  stage->reach_before_x = stage->reach_after_x = reach;
  stage->reach_before_y = stage->reach_after_y = reach;
  stage->input_factor[0] = layer->factor;
  stage->stride = plan->stages[stage->inputs[0]].stride;
  stage->run = run_resize;
  return TRUE;
}

static gboolean (*const operations[SRGAN_N_OPERATIONS]) (
    SrganStage *stage, SrganPlan *plan, GError **error) = {
    [SRGAN_OPERATION_CONV] = init_conv,
    [SRGAN_OPERATION_ADD] = init_add,
    [SRGAN_OPERATION_ACTIVATION] = init_activation,
    [SRGAN_OPERATION_PIXEL_SHUFFLE] = init_pixel_shuffle,
    [SRGAN_OPERATION_RESIZE] = init_resize,
};

/* Any other stage than a convolution, which has it fused, runs its activation
 * in place. */
static gboolean
init_slope (SrganStage *stage, GError **error)
{
  const SrganLayer *layer = stage->layer;
  guint i;

  switch (layer->activation) {
  case SRGAN_ACTIVATION_NONE:
  case SRGAN_ACTIVATION_RELU:
  case SRGAN_ACTIVATION_LEAKY_RELU:
  case SRGAN_ACTIVATION_PRELU:
    break;
  default:
    g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_UNSUPPORTED,
        "Layer \"%s\": this version's engine does not run the activation %s",
        layer->name, srgan_activation_to_string (layer->activation));
    return FALSE;
  }
  if (layer->activation == SRGAN_ACTIVATION_NONE ||
      layer->operation == SRGAN_OPERATION_CONV)
    return TRUE;
  stage->slope = srgan_aligned_alloc (stage->stride, sizeof (gfloat));
  if (!stage->slope) {
    g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_TOO_LARGE,
        "Layer \"%s\": out of memory", layer->name);
    return FALSE;
  }
  for (i = 0; i < stage->channels; i++)
    stage->slope[i] = layer->activation == SRGAN_ACTIVATION_PRELU
                          ? layer->slope[i]
                      : layer->activation == SRGAN_ACTIVATION_LEAKY_RELU
                          ? layer->activation_low
                          : 0;
  return TRUE;
}

gboolean
srgan_stage_init (
    SrganStage *stage, SrganPlan *plan, guint index, GError **error)
{
  const SrganLayer *layer = srgan_network_get_layer (plan->network, index);
  guint64 width, height;
  guint i;

  stage->layer = layer;
  stage->block = 1;
  stage->n_inputs = layer->n_inputs;
  stage->channels = layer->out_channels;
  for (i = 0; i < layer->n_inputs; i++) {
    /* SRGAN_INPUT_NETWORK is -1, the source is stage 0. */
    stage->inputs[i] = (guint) (layer->inputs[i] + 1);
    stage->input_factor[i] = 1;
  }
  if (!operations[layer->operation])
    return refuse (layer, error, "this operation");
  if (layer->scale_down != 1)
    return refuse (layer, error, "maps smaller than the input");
  width = (guint64) plan->width * layer->scale_up;
  height = (guint64) plan->height * layer->scale_up;
  if (width > G_MAXINT / 4 || height > G_MAXINT / 4) {
    g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_TOO_LARGE,
        "Layer \"%s\": its map would be too large", layer->name);
    return FALSE;
  }
  stage->width = (gint) width;
  stage->height = (gint) height;
  return operations[layer->operation](stage, plan, error) &&
         init_slope (stage, error);
}
