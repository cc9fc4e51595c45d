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

static gint64
divide_down (gint64 a, gint64 b)
{
  return a >= 0 ? a / b : -((-a + b - 1) / b);
}

/* Input pixels [first, end) that output pixels [*first, *end) need, clipped
 * to a map of @size. */
static void
get_input_span (const SrganStage *stage, guint input, gint size,
    gboolean vertical, gint *first, gint *end)
{
  gint64 factor = stage->input_factor[input], step = stage->input_step;
  const gint offset = vertical ? stage->offset_y : stage->offset_x;
  gint a, b;

  if (stage->fits) {
    factor = vertical ? stage->height : stage->width;
    step = size;
  }
  a = (gint) divide_down ((*first + offset) * step, factor);
  b = (gint) divide_down ((*end - 1 + offset) * step, factor) + 1;
  a -= vertical ? stage->reach_before_y : stage->reach_before_x;
  b += vertical ? stage->reach_after_y : stage->reach_after_x;
  *first = CLAMP (a, 0, size);
  *end = CLAMP (b, *first, size);
}

SrganRegion
srgan_stage_get_input_region (const SrganPlan *plan, const SrganStage *stage,
    guint input, const SrganRegion *region)
{
  const SrganStage *from = &plan->stages[stage->inputs[input]];
  SrganRegion r = *region;

  get_input_span (stage, input, from->width, FALSE, &r.x0, &r.x1);
  get_input_span (stage, input, from->height, TRUE, &r.y0, &r.y1);
  return r;
}

void
srgan_stage_get_input_rows (const SrganPlan *plan, const SrganStage *stage,
    guint input, gint row, gint *first, gint *end)
{
  const SrganStage *from = &plan->stages[stage->inputs[input]];

  *first = row;
  *end = row + stage->block;
  get_input_span (stage, input, from->height, TRUE, first, end);
}

gfloat *
srgan_tile_get_pixel (
    SrganTile *tile, const SrganStage *stage, gint row, gint x)
{
  SrganStageState *state = &tile->states[stage - tile->plan->stages];
  gsize offset =
      (gsize) (x - state->region.x0 + (gint) stage->margin) * stage->stride;

  if (stage->is_single)
    return state->ring;
  if (row < 0 || row >= stage->height)
    return tile->plan->zeros + offset;
  return state->ring +
         (gsize) (row % (gint) stage->ring_rows) * stage->row_floats + offset;
}

/* --- running ------------------------------------------------------------- */

/* Where a convolution finds pixel @i of a map of @size: beyond the map, as its
 * padding has it, and at most @reach beyond, so that what a block computes
 * behind the map needs no more of it. */
static gint
pad_index (const SrganStage *stage, gint i, gint size, gint reach)
{
  gint beyond = i < 0 ? -i : i - (size - 1);

  if (i >= 0 && i < size)
    return i;
  if (stage->layer->padding == SRGAN_PADDING_REFLECT) {
    beyond = MIN (beyond, reach);
    i = i < 0 ? beyond : size - 1 - beyond;
  }
  return CLAMP (i, 0, size - 1);
}

static gboolean
is_padded (const SrganStage *stage)
{
  return stage->layer->padding == SRGAN_PADDING_EDGE ||
         stage->layer->padding == SRGAN_PADDING_REFLECT;
}

/* What a convolution reads of its input from row @row on: @n rows, with the
 * input pixel of the first tap of the first output pixel. */
static void
get_rows (const SrganStage *stage, SrganTile *tile, gint row, guint n,
    const gfloat **rows)
{
  const SrganPlan *plan = tile->plan;
  const SrganStage *input = &plan->stages[stage->inputs[0]];
  const SrganRegion *region = &tile->states[stage - plan->stages].region;
  gint x = region->x0 * stage->input_step + stage->first_tap_x;
  guint i;

  for (i = 0; i < n; i++) {
    gint y = row * stage->input_step + stage->first_tap_y + (gint) i;

    if (is_padded (stage))
      y = pad_index (stage, y, input->height, stage->reach_after_y);
    rows[i] = srgan_tile_get_pixel (tile, input, y, x);
  }
}

/* Pixels [first, end) of row @y of the input, which lie beyond the map. */
static void
pad_pixels (const SrganStage *stage, SrganTile *tile, gint y, gint first,
    gint end, gboolean is_done)
{
  const SrganStage *input = &tile->plan->stages[stage->inputs[0]];
  const gsize bytes = input->stride * sizeof (gfloat);
  gint x;

  for (x = first; x < end; x++) {
    gfloat *pixel = srgan_tile_get_pixel (tile, input, y, x);

    if (is_done)
      memset (pixel, 0, bytes);
    else
      memcpy (pixel,
          srgan_tile_get_pixel (tile, input, y,
              pad_index (stage, x, input->width, stage->reach_after_x)),
          bytes);
  }
}

/* Rows are kept between zeros. For a convolution that pads otherwise, what it
 * reads is put beside those of the @n rows from @row on that reach the map's
 * edge, and zeros again when it is done. */
static void
pad_rows (const SrganStage *stage, SrganTile *tile, gint row, guint n,
    gboolean is_done)
{
  const SrganPlan *plan = tile->plan;
  const SrganStage *input = &plan->stages[stage->inputs[0]];
  const SrganRegion *region = &tile->states[stage - plan->stages].region;
  const gint first = region->x0 * stage->input_step + stage->first_tap_x;
  const gint end =
      (region->x1 - 1) * stage->input_step + stage->reach_after_x + 1;
  guint i;

  if (!is_padded (stage))
    return;
  for (i = 0; i < n; i++) {
    gint y = pad_index (stage,
        row * stage->input_step + stage->first_tap_y + (gint) i, input->height,
        stage->reach_after_y);

    pad_pixels (stage, tile, y, first, MIN (end, 0), is_done);
    pad_pixels (stage, tile, y, MAX (first, input->width), end, is_done);
  }
}

static void
run_conv (const SrganStage *stage, SrganTile *tile, gint row)
{
  const SrganPlan *plan = tile->plan;
  const SrganConvolution *convolution = stage->convolution;
  const SrganRegion *region = &tile->states[stage - plan->stages].region;
  const gfloat *rows[SRGAN_KERNEL_MAX_SIDE];

  pad_rows (stage, tile, row, convolution->kernel_height, FALSE);
  get_rows (stage, tile, row, convolution->kernel_height, rows);
  plan->kernels->convolve_row (convolution, rows,
      srgan_tile_get_pixel (tile, stage, row, region->x0),
      region->x1 - region->x0);
  pad_rows (stage, tile, row, convolution->kernel_height, TRUE);
}

/* Four rows at once. */
static void
run_winograd (const SrganStage *stage, SrganTile *tile, gint row)
{
  const SrganPlan *plan = tile->plan;
  const SrganRegion *region = &tile->states[stage - plan->stages].region;
  const gfloat *rows[6];
  gfloat *output[4];
  gint i;

  pad_rows (stage, tile, row, 6, FALSE);
  get_rows (stage, tile, row, 6, rows);
  for (i = 0; i < 4; i++)
    output[i] = row + i >= 0 && row + i < stage->height
                    ? srgan_tile_get_pixel (tile, stage, row + i, region->x0)
                    : tile->restride; /* before or behind the map: forgotten */
  plan->kernels->convolve_winograd (stage->convolution, rows, output,
      (guint) (region->x1 - region->x0) / 4, tile->scratch);
  pad_rows (stage, tile, row, 6, TRUE);
}

/* The pixels that one pixel makes in this row are a convolution's channels. */
static void
run_transposed_conv (const SrganStage *stage, SrganTile *tile, gint row)
{
  const SrganPlan *plan = tile->plan;
  const SrganKernels *kernels = plan->kernels;
  const SrganLayer *layer = stage->layer;
  const SrganStage *input = &plan->stages[stage->inputs[0]];
  const SrganRegion *region = &tile->states[stage - plan->stages].region;
  const gint factor = (gint) layer->stride;
  const guint phase = (guint) (row % factor);
  const SrganConvolution *convolution = &stage->convolution[phase];
  const gint x = region->x0 / factor; /* whole: see srgan_tile_place() */
  const guint width = (guint) (region->x1 / factor - x);
  const guint pixel = stage->stride;
  gfloat *output = srgan_tile_get_pixel (tile, stage, row, region->x0);
  const gfloat *rows[SRGAN_KERNEL_MAX_SIDE];
  gint before, after, i;

  srgan_transposed_get_reach (
      layer->kernel_height, layer->stride, phase, &before, &after);
  for (i = 0; i < (gint) convolution->kernel_height; i++)
    rows[i] = srgan_tile_get_pixel (
        tile, input, row / factor - before + i, x + stage->first_tap_x);
  kernels->convolve_row (convolution, rows, tile->scratch, width);
  for (i = 0; i < factor; i++)
    kernels->copy_channels_row (output + (gsize) i * pixel,
        (guint) factor * pixel, tile->scratch + (gsize) i * layer->out_channels,
        convolution->out_stride, layer->out_channels, width);
  kernels->copy_channels_row (output + layer->out_channels, pixel, plan->zeros,
      0, pixel - layer->out_channels, width * (guint) factor);
}

const gfloat *
srgan_tile_get_elements (
    const SrganStage *stage, SrganTile *tile, guint index, gint row)
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
run_activation (const SrganStage *stage, SrganTile *tile, gint row)
{
  const SrganRegion *region = &tile->states[stage - tile->plan->stages].region;

  memcpy (srgan_tile_get_pixel (tile, stage, row, region->x0),
      srgan_tile_get_elements (stage, tile, 0, row),
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
init_conv (SrganStage *stage, SrganPlan *plan, GError **error)
{
  const SrganLayer *layer = stage->layer;
  const gint step = (gint) layer->stride;
  const gint width = (gint) layer->kernel_width;
  const gint height = (gint) layer->kernel_height;
  const gboolean pads = layer->padding != SRGAN_PADDING_NONE;

  /* Even kernels reach further after than before, as PyTorch's "same". */
  stage->first_tap_x = pads ? -((width - 1) / 2) : 0;
  stage->first_tap_y = pads ? -((height - 1) / 2) : 0;
  stage->input_step = step;
  stage->reach_before_x = -stage->first_tap_x;
  stage->reach_before_y = -stage->first_tap_y;
  /* Kernels read rows of whole strides. */
  stage->reach_after_x =
      (width + step - 1) / step * step - 1 + stage->first_tap_x;
  stage->reach_after_y = height - 1 + stage->first_tap_y;
  if (layer->padding == SRGAN_PADDING_REFLECT) {
    /* What lies beyond one edge is as far inside of it. */
    stage->reach_before_x = MAX (stage->reach_before_x, stage->reach_after_x);
    stage->reach_before_y = MAX (stage->reach_before_y, stage->reach_after_y);
  }
  stage->stride = plan->kernels->get_channel_stride (layer->out_channels);
  if (srgan_stage_reads_codes (stage)) {
    stage->stride = (stage->stride + 3) / 4 * 4; /* as these kernels want */
    stage->run = stage->is_int8 ? srgan_stage_run_int8 : srgan_stage_run_bf16;
    return TRUE;
  }
  switch (srgan_layer_get_algorithm (layer, plan->kernels->lanes)) {
  case SRGAN_ALGORITHM_WINOGRAD:
    stage->block = 4;
    stage->run = run_winograd;
    break;
  case SRGAN_ALGORITHM_PARTS:
    srgan_stage_init_parts (stage);
    break;
  default:
    stage->run = run_conv;
    break;
  }
  return TRUE;
}

static gboolean
init_transposed_conv (SrganStage *stage, SrganPlan *plan, GError **error)
{
  const SrganLayer *layer = stage->layer;
  guint phase;

  for (phase = 0; phase < layer->stride; phase++) {
    gint before, after;

    srgan_transposed_get_reach (
        layer->kernel_width, layer->stride, phase, &before, &after);
    stage->reach_before_x = MAX (stage->reach_before_x, before);
    stage->reach_after_x = MAX (stage->reach_after_x, after);
    srgan_transposed_get_reach (
        layer->kernel_height, layer->stride, phase, &before, &after);
    stage->reach_before_y = MAX (stage->reach_before_y, before);
    stage->reach_after_y = MAX (stage->reach_after_y, after);
  }
  stage->first_tap_x = -stage->reach_before_x;
  stage->input_factor[0] = layer->stride;
  stage->stride = layer->out_channels <= 3
                      ? layer->out_channels
                      : plan->kernels->get_channel_stride (layer->out_channels);
  /* no more than this for each of the stride pixels of an input pixel */
  stage->scratch =
      plan->kernels->get_channel_stride (layer->out_channels * layer->stride);
  stage->run = run_transposed_conv;
  return TRUE;
}

/* A 1x1 convolution of a 1x1 map. */
static gboolean
init_linear (SrganStage *stage, SrganPlan *plan, GError **error)
{
  stage->stride =
      plan->kernels->get_channel_stride (stage->layer->out_channels);
  stage->run = run_conv;
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

  if (layer->n_inputs == 2)
    return srgan_stage_init_fitting (stage, plan, error);
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
    [SRGAN_OPERATION_TRANSPOSED_CONV] = init_transposed_conv,
    [SRGAN_OPERATION_LINEAR] = init_linear,
    [SRGAN_OPERATION_GLOBAL_MEAN] = srgan_stage_init_global_mean,
    [SRGAN_OPERATION_MAX_POOL] = srgan_stage_init_max_pool,
    [SRGAN_OPERATION_ADD] = srgan_stage_init_elementwise,
    [SRGAN_OPERATION_MULTIPLY] = srgan_stage_init_elementwise,
    [SRGAN_OPERATION_CONCAT] = srgan_stage_init_concat,
    [SRGAN_OPERATION_SLICE] = srgan_stage_init_slice,
    [SRGAN_OPERATION_CROP] = srgan_stage_init_crop,
    [SRGAN_OPERATION_PIXEL_SHUFFLE] = init_pixel_shuffle,
    [SRGAN_OPERATION_PIXEL_UNSHUFFLE] = srgan_stage_init_pixel_unshuffle,
    [SRGAN_OPERATION_RESIZE] = init_resize,
    [SRGAN_OPERATION_ACTIVATION] = init_activation,
};

/* Whether convolutions have the activation fused. */
static gboolean
is_leaky (SrganActivation activation)
{
  return activation == SRGAN_ACTIVATION_RELU ||
         activation == SRGAN_ACTIVATION_LEAKY_RELU ||
         activation == SRGAN_ACTIVATION_PRELU;
}

/* From the slopes at x <= -1, 0 and x >= 1 to SrganCurve's polynomials: a cubic
 * between straight lines, smooth at both ends. */
static void
init_spline (SrganCurve *curve, const SrganStage *stage)
{
  const gsize n = stage->stride;
  guint i;

  for (i = 0; i < stage->channels; i++) {
    const gdouble l = stage->layer->slope[i];
    const gdouble c = stage->layer->slope[i + stage->channels];
    const gdouble r = stage->layer->slope[i + 2 * stage->channels];
    gfloat *coefficient = curve->coefficients + i;

    coefficient[0] = (gfloat) (-2 * (c - .875 * l - .125 * r) / 3);
    coefficient[n] = (gfloat) l;
    coefficient[2 * n] = (gfloat) c;
    coefficient[3 * n] = (gfloat) ((r - l) / 4);
    coefficient[4 * n] = (gfloat) ((l + r) / 6 - c / 3);
    coefficient[5 * n] = (gfloat) (2 * (c - .125 * l - .875 * r) / 3);
    coefficient[6 * n] = (gfloat) r;
  }
}

static gboolean
init_curve (SrganStage *stage)
{
  static const SrganCurveKind kinds[SRGAN_N_ACTIVATIONS] = {
      [SRGAN_ACTIVATION_SILU] = SRGAN_CURVE_SILU,
      [SRGAN_ACTIVATION_CLIP] = SRGAN_CURVE_CLIP,
      [SRGAN_ACTIVATION_TANH] = SRGAN_CURVE_TANH,
      [SRGAN_ACTIVATION_SIGMOID] = SRGAN_CURVE_SIGMOID,
      [SRGAN_ACTIVATION_SPLINE] = SRGAN_CURVE_SPLINE,
      [SRGAN_ACTIVATION_ROOT] = SRGAN_CURVE_ROOT,
      [SRGAN_ACTIVATION_INVERSE_ROOT] = SRGAN_CURVE_INVERSE_ROOT,
  };
  SrganCurve *curve = g_new0 (SrganCurve, 1);

  stage->curve = curve;
  curve->kind = kinds[stage->layer->activation];
  curve->low = stage->layer->activation_low;
  curve->high = stage->layer->activation_high;
  if (curve->kind != SRGAN_CURVE_SPLINE)
    return TRUE;
  curve->coefficients = srgan_aligned_alloc (
      (gsize) SRGAN_CURVE_COEFFICIENTS * stage->stride, sizeof (gfloat));
  if (!curve->coefficients)
    return FALSE;
  init_spline (curve, stage);
  return TRUE;
}

/* What is not fused runs in place. */
static gboolean
init_slope (SrganStage *stage)
{
  const SrganLayer *layer = stage->layer;
  guint i;

  if (layer->operation == SRGAN_OPERATION_CONV ||
      layer->operation == SRGAN_OPERATION_TRANSPOSED_CONV ||
      layer->operation == SRGAN_OPERATION_LINEAR)
    return TRUE;
  stage->slope = srgan_aligned_alloc (stage->stride, sizeof (gfloat));
  if (!stage->slope)
    return FALSE;
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
  guint i;

  stage->layer = layer;
  stage->block = 1;
  stage->input_step = 1;
  stage->n_inputs = layer->n_inputs;
  stage->channels = layer->out_channels;
  stage->is_single = layer->scale_up == 0;
  for (i = 0; i < layer->n_inputs; i++) {
    /* SRGAN_INPUT_NETWORK is -1, the source is stage 0. */
    stage->inputs[i] = (guint) (layer->inputs[i] + 1);
    stage->input_factor[i] = 1;
  }
  if (!operations[layer->operation]) {
    g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_UNSUPPORTED,
        "Layer \"%s\" (%s): this version's engine does not run this operation",
        layer->name, srgan_operation_to_string (layer->operation));
    return FALSE;
  }
  if (!operations[layer->operation](stage, plan, error))
    return FALSE;
  if (layer->activation == SRGAN_ACTIVATION_NONE ||
      (is_leaky (layer->activation) ? init_slope (stage) : init_curve (stage)))
    return TRUE;
  g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_TOO_LARGE,
      "Layer \"%s\": out of memory", layer->name);
  return FALSE;
}

void
srgan_stage_clear (SrganStage *stage)
{
  srgan_aligned_free (stage->slope);
  if (stage->curve)
    srgan_aligned_free (stage->curve->coefficients);
  g_free (stage->curve);
  srgan_gather_clear (&stage->gather_x);
  srgan_gather_clear (&stage->gather_y);
}
