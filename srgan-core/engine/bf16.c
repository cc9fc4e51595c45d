/* engine: plans in bfloat16: which layers, their weights and their rows.
 *
 * A plain convolution of 16 channels and more is run by the bfloat16 kernels;
 * with fewer, as of the network's input, tiles would be empty for the most
 * part.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/plan.h"

#include "network/operations.h"

#define MIN_CHANNELS 16

/* --- Choosing ------------------------------------------------------------ */

static gboolean
is_suitable (const SrganLayer *layer)
{
  return srgan_layer_is_plain (layer) && layer->in_channels >= MIN_CHANNELS;
}

static gboolean
is_read (const SrganPlan *plan, guint index)
{
  guint i;

  for (i = index + 1; i < srgan_network_get_n_layers (plan->network); i++) {
    const SrganLayer *reader = srgan_network_get_layer (plan->network, i);

    if (reader->inputs[0] == (gint) index && is_suitable (reader))
      return TRUE;
  }
  return FALSE;
}

void
srgan_plan_init_bf16 (SrganPlan *plan)
{
  guint i;

  for (i = 0; i < srgan_network_get_n_layers (plan->network); i++) {
    const SrganLayer *layer = srgan_network_get_layer (plan->network, i);
    SrganStage *stage = &plan->stages[i + 1];

    stage->is_bf16 = is_suitable (layer) && layer->inputs[0] >= 0;
    if (is_read (plan, i)) {
      stage->code_type = SRGAN_MAP_BF16;
      stage->code_stride = (layer->out_channels + 3) / 4 * 4;
      stage->code_bytes = sizeof (guint16);
    }
    stage->makes_codes = stage->is_bf16 && srgan_layer_is_fused (layer) &&
                         stage->code_type == SRGAN_MAP_BF16;
  }
}

/* --- Packing ------------------------------------------------------------- */

gboolean
srgan_bf16_pack_layer (
    SrganBf16Convolution *convolution, const SrganPlan *plan, guint index)
{
  const SrganStage *stage = &plan->stages[index + 1];
  const SrganStage *input = &plan->stages[stage->inputs[0]];
  const SrganLayer *layer = srgan_network_get_layer (plan->network, index);
  g_autofree gfloat *slopes = srgan_layer_get_slopes (layer);
  const SrganBf16Layer bf16 = {.in_channels = layer->in_channels,
      .in_stride = input->code_stride,
      .out_channels = layer->out_channels,
      .out_stride = stage->makes_codes ? stage->code_stride : stage->stride,
      .kernel_width = layer->kernel_width,
      .kernel_height = layer->kernel_height,
      .weight = layer->weight,
      .bias = layer->bias,
      .slope = slopes,
      .to_floats = !stage->makes_codes};

  return plan->bf16_kernels->pack (convolution, &bf16);
}

/* --- Running ------------------------------------------------------------- */

void
srgan_stage_run_bf16 (const SrganStage *stage, SrganTile *tile, gint row)
{
  const void *rows[SRGAN_KERNEL_MAX_SIDE];
  guint width;
  gpointer output = srgan_stage_find_codes (stage, tile, row, rows, &width);

  tile->plan->bf16_kernels->convolve_row (
      stage->bf16_convolution, rows, output, width);
}
