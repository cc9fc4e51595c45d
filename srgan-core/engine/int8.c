/* engine: plans in integers: which layers, their weights and their rows.
 *
 * A convolution of a map that has steps (or, as 16-bit codes, of the network's
 * input) is run by the int8 kernels. All other operations, and convolutions of
 * kinds that those kernels do not know, run on floats as ever. A stage keeps
 * its rows as whoever reads them wants them: as codes, as floats or, converted
 * once when the row is made, as both. The skip around a network's layers so
 * stays exact, outside of all this.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/int8.h"

#include <string.h>

#include "base/memory.h"
#include "engine/plan.h"
#include "network/operations.h"

/* --- Choosing ------------------------------------------------------------ */

/* Most that "auto" gives up, in dB. */
#define MAX_LOSS .1

static gboolean
has_mean (SrganNetwork *network)
{
  guint i;

  for (i = 0; i < srgan_network_get_n_layers (network); i++)
    if (srgan_network_get_layer (network, i)->operation ==
        SRGAN_OPERATION_GLOBAL_MEAN)
      return TRUE;
  return FALSE;
}

gboolean
srgan_plan_choose_precision (SrganPlan *plan, GError **error)
{
  const SrganInt8Kernels *int8 =
      srgan_int8_kernels_get (srgan_cpu_get_flags ());
  SrganNetwork *network = plan->network;
  const gchar *name = srgan_network_get_name (network);
  gboolean can = srgan_network_get_precision (network) == SRGAN_PRECISION_INT8;
  gdouble loss;

  switch (plan->settings.precision) {
  case SRGAN_PRECISION_FP32:
    return TRUE;
  case SRGAN_PRECISION_AUTO:
    plan->settings.precision = SRGAN_PRECISION_FP32;
    if (!can || !int8->is_faster || has_mean (network) ||
        !srgan_network_get_loss (network, SRGAN_PRECISION_INT8, &loss) ||
        loss > MAX_LOSS)
      return TRUE;
    break;
  case SRGAN_PRECISION_INT8:
    if (!can) {
      g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_UNSUPPORTED,
          "precision: the network \"%s\" has not been quantised; "
          "srgan-convert --int8 --calibrate FOLDER makes a file of it that has",
          name);
      return FALSE;
    }
    if (has_mean (network)) {
      g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_UNSUPPORTED,
          "precision: the network \"%s\" has a mean of the whole frame, which "
          "is not run in int8",
          name);
      return FALSE;
    }
    break;
  default:
    g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_INVALID,
        "precision: %u is no such thing", plan->settings.precision);
    return FALSE;
  }
  plan->settings.precision = SRGAN_PRECISION_INT8;
  plan->int8_kernels = int8;
  return TRUE;
}

/* A kind of convolution that the int8 kernels know. */
static gboolean
is_suitable (const SrganLayer *layer)
{
  return layer->operation == SRGAN_OPERATION_CONV && layer->stride == 1 &&
         layer->groups == 1 && layer->scale_up > 0 &&
         (layer->padding == SRGAN_PADDING_ZERO ||
             layer->padding == SRGAN_PADDING_NONE);
}

static gboolean
is_uniform (const SrganLayer *layer)
{
  guint c;

  for (c = 1; c < layer->out_channels; c++)
    if (layer->output_step[c] != layer->output_step[0])
      return FALSE;
  return TRUE;
}

/* Whether the kernels' factors can stand for the activation. */
static gboolean
is_fused (const SrganLayer *layer)
{
  return layer->activation == SRGAN_ACTIVATION_NONE ||
         layer->activation == SRGAN_ACTIVATION_RELU ||
         layer->activation == SRGAN_ACTIVATION_LEAKY_RELU ||
         layer->activation == SRGAN_ACTIVATION_PRELU;
}

/* Whether layer @index keeps its map in codes; those before it are decided. */
static gboolean
keeps_codes (const SrganPlan *plan, guint index)
{
  const SrganStage *stage = &plan->stages[index + 1];
  const SrganLayer *layer = srgan_network_get_layer (plan->network, index);
  gboolean is_read = FALSE, only = TRUE;
  guint i, j;

  if (!layer->output_step)
    return FALSE;
  for (i = index + 1; i < srgan_network_get_n_layers (plan->network); i++) {
    const SrganLayer *reader = srgan_network_get_layer (plan->network, i);

    for (j = 0; j < reader->n_inputs; j++)
      if (reader->inputs[j] == (gint) index) {
        is_read = is_read || is_suitable (reader);
        only = only && is_suitable (reader);
      }
  }
  /* Codes are converted by one step for all channels. */
  return is_read &&
         (is_uniform (layer) || (only && stage->is_int8 && is_fused (layer)));
}

void
srgan_plan_init_codes (SrganPlan *plan)
{
  const guint n_layers = srgan_network_get_n_layers (plan->network);
  SrganStage *source = &plan->stages[SRGAN_STAGE_SOURCE];
  guint i;

  if (!plan->int8_kernels)
    return;
  for (i = 0; i < n_layers; i++) {
    const SrganLayer *layer = srgan_network_get_layer (plan->network, i);
    SrganStage *stage = &plan->stages[i + 1];
    SrganStage *input = &plan->stages[layer->inputs[0] + 1];

    stage->is_int8 = is_suitable (layer) &&
                     (input == source ? layer->output_step != NULL
                                      : input->code_type == SRGAN_MAP_BYTES);
    if (stage->is_int8 && input == source) {
      source->code_type = SRGAN_MAP_WORDS;
      source->code_stride = source->channels;
      source->code_bytes = sizeof (gint16);
    }
    if (keeps_codes (plan, i)) {
      stage->code_type = SRGAN_MAP_BYTES;
      stage->code_stride =
          plan->int8_kernels->get_channel_stride (layer->out_channels);
      stage->code_bytes = 1;
      stage->code_zero = (guint8) layer->output_zero;
    }
    stage->makes_codes = stage->is_int8 && is_fused (layer) &&
                         stage->code_type == SRGAN_MAP_BYTES;
  }
}

void
srgan_plan_init_floats (SrganPlan *plan)
{
  guint i, j;

  /* What makes floats keeps them: rows are converted from there. */
  for (i = 0; i < plan->n_stages; i++)
    plan->stages[i].has_floats = !plan->stages[i].makes_codes;
  for (i = 1; i < plan->n_stages; i++)
    for (j = 0; j < plan->stages[i].n_inputs && !plan->stages[i].is_int8; j++)
      plan->stages[plan->stages[i].inputs[j]].has_floats = TRUE;
}

/* --- Packing ------------------------------------------------------------- */

gboolean
srgan_int8_pack (SrganInt8Convolution *convolution,
    const SrganInt8Kernels *kernels, const SrganLayer *layer,
    const SrganInt8Maps *maps, const gfloat *slopes)
{
  const gboolean to_codes = maps->output_type == SRGAN_MAP_BYTES;
  const guint out = layer->out_channels;
  const gsize n_each =
      (gsize) layer->in_channels * layer->kernel_width * layer->kernel_height;
  const gfloat *given = layer->int8_bias ? layer->int8_bias : layer->bias;
  g_autofree gfloat *weight = NULL, *bias = g_new0 (gfloat, out);
  g_autofree gfloat *weight_step = g_new (gfloat, out);
  g_autofree gint8 *code = NULL;
  SrganInt8Layer int8 = {.in_channels = layer->in_channels,
      .in_stride = maps->input_stride,
      .out_channels = out,
      .out_stride = maps->output_stride,
      .kernel_width = layer->kernel_width,
      .kernel_height = layer->kernel_height,
      .input_type = maps->input_type,
      .input_step =
          maps->input_type == SRGAN_MAP_WORDS ? SRGAN_INT8_INPUT_STEP : 1,
      .input_zero = maps->input_zero,
      .bias = bias,
      .slope = slopes,
      .output_type = maps->output_type,
      .output_step = 1,
      .output_zero = to_codes ? (guint8) layer->output_zero : 0};
  gsize i;
  guint o;

  /* A channel's own step for the output is one for its weights and bias; the
   * inputs' own are in the weights' codes. */
  if (maps->input_type == SRGAN_MAP_BYTES) {
    code = g_try_new (gint8, out * n_each);
    if (!code)
      return FALSE;
    srgan_layer_quantise_weight (layer, maps->input_step, code, weight_step);
    int8.weight_code = code;
    int8.weight_step = weight_step;
  } else {
    weight = g_try_new (gfloat, out * n_each);
    if (!weight)
      return FALSE;
    memcpy (weight, layer->weight, out * n_each * sizeof *weight);
    int8.weight = weight;
  }
  for (o = 0; o < out; o++) {
    gfloat step = to_codes ? layer->output_step[o] : 1;

    bias[o] = given ? given[o] / step : 0;
    if (code)
      weight_step[o] /= step;
    for (i = 0; weight && i < n_each; i++)
      weight[o * n_each + i] /= step;
  }
  return kernels->pack (convolution, &int8);
}

gboolean
srgan_int8_pack_layer (
    SrganInt8Convolution *convolution, const SrganPlan *plan, guint index)
{
  const SrganStage *stage = &plan->stages[index + 1];
  const SrganStage *input = &plan->stages[stage->inputs[0]];
  const SrganLayer *layer = srgan_network_get_layer (plan->network, index);
  g_autofree gfloat *slopes = srgan_layer_get_slopes (layer);
  const SrganInt8Maps maps = {.input_type = input->code_type,
      .input_stride = input->code_stride,
      .input_step = input->layer ? input->layer->output_step : NULL,
      .input_zero = input->code_zero,
      .output_type = stage->makes_codes ? SRGAN_MAP_BYTES : SRGAN_MAP_FLOATS,
      .output_stride = stage->makes_codes ? stage->code_stride : stage->stride};

  return srgan_int8_pack (
      convolution, plan->int8_kernels, layer, &maps, slopes);
}

/* --- Running ------------------------------------------------------------- */

guint8 *
srgan_tile_get_code (SrganTile *tile, const SrganStage *stage, gint row, gint x)
{
  const SrganStageState *state = &tile->states[stage - tile->plan->stages];
  /* Behind the ring lies a row that is never written. */
  gsize line = row < 0 || row >= stage->height
                   ? stage->ring_rows
                   : (gsize) (row % (gint) stage->ring_rows);

  return state->codes + line * stage->code_row_bytes +
         (gsize) (x - state->region.x0 + (gint) stage->margin) *
             stage->code_stride * stage->code_bytes;
}

void
srgan_stage_run_int8 (const SrganStage *stage, SrganTile *tile, gint row)
{
  const SrganPlan *plan = tile->plan;
  const SrganInt8Convolution *convolution = stage->int8_convolution;
  const SrganStage *input = &plan->stages[stage->inputs[0]];
  const SrganRegion *region = &tile->states[stage - plan->stages].region;
  const void *rows[SRGAN_KERNEL_MAX_SIDE];
  gpointer output;
  guint ky;

  for (ky = 0; ky < convolution->kernel_height; ky++)
    rows[ky] = srgan_tile_get_code (tile, input,
        row + stage->first_tap_y + (gint) ky, region->x0 + stage->first_tap_x);
  if (stage->makes_codes)
    output = srgan_tile_get_code (tile, stage, row, region->x0);
  else
    output = srgan_tile_get_pixel (tile, stage, row, region->x0);
  plan->int8_kernels->convolve_row (
      convolution, rows, output, (guint) (region->x1 - region->x0));
}

void
srgan_stage_make_floats (const SrganStage *stage, SrganTile *tile, gint row)
{
  const SrganPlan *plan = tile->plan;
  const SrganRegion *region = &tile->states[stage - plan->stages].region;
  const guint width = (guint) (region->x1 - region->x0);
  gfloat *pixels = srgan_tile_get_pixel (tile, stage, row, region->x0);
  const guint8 *codes = srgan_tile_get_code (tile, stage, row, region->x0);
  const gfloat step = stage->layer->output_step[0];

  if (stage->stride == stage->code_stride) {
    plan->int8_kernels->dequantise_bytes (
        pixels, codes, step, stage->code_zero, width * stage->stride);
    return;
  }
  plan->int8_kernels->dequantise_bytes (tile->restride, codes, step,
      stage->code_zero, width * stage->code_stride);
  plan->kernels->shuffle_row (pixels, stage->stride, tile->restride,
      stage->code_stride, 1, 0, stage->channels, width);
}

void
srgan_stage_make_codes (const SrganStage *stage, SrganTile *tile, gint row)
{
  const SrganPlan *plan = tile->plan;
  const SrganRegion *region = &tile->states[stage - plan->stages].region;
  const gint end = MIN (region->x1, stage->width);
  const gint first = MAX (region->x0, 0);
  const guint width = (guint) (end - first);
  const gfloat *pixels = srgan_tile_get_pixel (tile, stage, row, first);
  guint8 *codes = srgan_tile_get_code (tile, stage, row, first);

  if (stage->stride != stage->code_stride) {
    plan->kernels->shuffle_row (tile->restride, stage->code_stride, pixels,
        stage->stride, 1, 0, stage->channels, width);
    pixels = tile->restride;
  }
  if (stage->code_type == SRGAN_MAP_WORDS)
    plan->int8_kernels->quantise_words ((gint16 *) (gpointer) codes, pixels,
        1 / SRGAN_INT8_INPUT_STEP, width * stage->code_stride);
  else
    plan->int8_kernels->quantise_bytes (codes, pixels,
        1 / stage->layer->output_step[0], stage->code_zero,
        width * stage->code_stride);
}

void
srgan_stage_end_codes (const SrganStage *stage, SrganTile *tile, gint row)
{
  const SrganRegion *region = &tile->states[stage - tile->plan->stages].region;
  const gsize pixel = (gsize) stage->code_stride * stage->code_bytes;
  gint end = MIN (region->x1, stage->width);

  if (region->x0 < 0)
    memset (srgan_tile_get_code (tile, stage, row, region->x0),
        stage->code_zero, (gsize) -region->x0 * pixel);
  memset (srgan_tile_get_code (tile, stage, row, end), stage->code_zero,
      (gsize) (region->x1 - end + (gint) stage->margin) * pixel);
}
