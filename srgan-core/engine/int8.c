/* engine: plans in integers: which layers, their weights and their rows.
 *
 * A convolution of a map that has steps (or, as 16-bit codes, of the network's
 * input) is run by the int8 kernels.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/int8.h"

#include <string.h>

#include "engine/plan.h"
#include "network/operations.h"

/* --- Choosing ------------------------------------------------------------ */

static gboolean
is_uniform (const SrganLayer *layer)
{
  guint c;

  for (c = 1; c < layer->out_channels; c++)
    if (layer->output_step[c] != layer->output_step[0])
      return FALSE;
  return TRUE;
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
        is_read = is_read || srgan_layer_is_plain (reader);
        only = only && srgan_layer_is_plain (reader);
      }
  }
  /* Codes are converted by one step for all channels. */
  return is_read && (is_uniform (layer) || (only && stage->is_int8 &&
                                               srgan_layer_is_fused (layer)));
}

void
srgan_plan_init_int8 (SrganPlan *plan)
{
  const guint n_layers = srgan_network_get_n_layers (plan->network);
  SrganStage *source = &plan->stages[SRGAN_STAGE_SOURCE];
  guint i;

  for (i = 0; i < n_layers; i++) {
    const SrganLayer *layer = srgan_network_get_layer (plan->network, i);
    SrganStage *stage = &plan->stages[i + 1];
    SrganStage *input = &plan->stages[layer->inputs[0] + 1];

    stage->is_int8 = srgan_layer_is_plain (layer) &&
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
    stage->makes_codes = stage->is_int8 && srgan_layer_is_fused (layer) &&
                         stage->code_type == SRGAN_MAP_BYTES;
  }
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

void
srgan_stage_run_int8 (const SrganStage *stage, SrganTile *tile, gint row)
{
  const void *rows[SRGAN_KERNEL_MAX_SIDE];
  guint width;
  gpointer output = srgan_stage_find_codes (stage, tile, row, rows, &width);

  tile->plan->int8_kernels->convolve_row (
      stage->int8_convolution, rows, output, width);
}
