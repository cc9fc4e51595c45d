/* engine: how large each map is, and where in the network's input the frame
 * lies.
 *
 * Most networks take a frame as it is. Some need more pixels than it has: where
 * convolutions do not pad, the output would be smaller than scale times the
 * frame; where a map is reduced by a whole factor and brought back, the frame
 * must be a multiple of it, or maps that belong together come out of different
 * sizes. Then the frame's edge pixels are repeated, as many as the network is
 * known to lose on the left and at the top, and on the right and below until
 * all maps fit, and what surrounds the enlarged frame in the output is cut off.
 * A tensor is taken as it is, or refused.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/plan.h"

/* More than the largest reduction there may be, twice. */
#define MOST_PADDING 8192

/* The size of the map of @layer along one axis, from those of its inputs; 0
 * when they do not fit. */
static gint64
get_map_size (const SrganLayer *layer, const gint64 *inputs, gboolean vertical)
{
  const gint64 kernel = vertical ? layer->kernel_height : layer->kernel_width;
  gint64 size = inputs[0];
  guint i;

  switch (layer->operation) {
  case SRGAN_OPERATION_CONV:
    if (layer->padding != SRGAN_PADDING_NONE)
      return (size + layer->stride - 1) / layer->stride;
    return size < kernel ? 0 : (size - kernel) / layer->stride + 1;
  case SRGAN_OPERATION_MAX_POOL:
    if (layer->ceil_mode != 0)
      size += layer->stride - 1;
    return size < kernel ? 0 : (size - kernel) / layer->stride + 1;
  case SRGAN_OPERATION_TRANSPOSED_CONV:
    return size * layer->stride;
  case SRGAN_OPERATION_ADD:
  case SRGAN_OPERATION_MULTIPLY:
  case SRGAN_OPERATION_CONCAT:
    for (i = 1; i < layer->n_inputs; i++)
      if (inputs[i] != size)
        return 0;
    return size;
  case SRGAN_OPERATION_CROP:
    return MAX (size - 2 * (gint64) layer->crop, 0);
  case SRGAN_OPERATION_PIXEL_SHUFFLE:
    return size * layer->factor;
  case SRGAN_OPERATION_PIXEL_UNSHUFFLE:
    return size % layer->factor == 0 ? size / layer->factor : 0;
  case SRGAN_OPERATION_RESIZE:
    return layer->n_inputs == 2 ? inputs[1] : size * layer->factor;
  default:
    return size;
  }
}

/* All maps' sizes along one axis for a network's input of @size: sizes[i + 1]
 * that of layer i. Returns the first layer that does not fit, or NULL. */
static const SrganLayer *
find_misfit (
    SrganNetwork *network, gint64 size, gboolean vertical, gint64 *sizes)
{
  guint i, j, n = srgan_network_get_n_layers (network);

  sizes[0] = size;
  for (i = 0; i < n; i++) {
    const SrganLayer *layer = srgan_network_get_layer (network, i);
    gint64 inputs[SRGAN_LAYER_MAX_INPUTS];
    guint n_inputs = 0;

    if (layer->scale_up == 0) {
      sizes[i + 1] = 1;
      continue;
    }
    /* 1x1 maps spread to any size */
    for (j = 0; j < layer->n_inputs; j++)
      if (layer->inputs[j] == SRGAN_INPUT_NETWORK ||
          srgan_network_get_layer (network, (guint) layer->inputs[j])
                  ->scale_up != 0)
        inputs[n_inputs++] = sizes[layer->inputs[j] + 1];
    for (j = n_inputs; j < layer->n_inputs; j++)
      inputs[j] = inputs[0];
    sizes[i + 1] = get_map_size (layer, inputs, vertical);
    if (sizes[i + 1] < 1)
      return layer;
  }
  return NULL;
}

static gboolean
fit_axis (SrganPlan *plan, gboolean vertical, GError **error)
{
  SrganNetwork *network = plan->network;
  const guint n = srgan_network_get_n_layers (network);
  const SrganLayer *last = srgan_network_get_layer (network, n - 1);
  const gboolean tensor = plan->settings.layout.kind == SRGAN_LAYOUT_TENSOR;
  const gint frame = vertical ? plan->height : plan->width;
  const gint scale = (gint) plan->scale;
  const gint lost =
      (gint) (vertical ? last->lost_height : last->lost_width) / 2;
  const gint before = tensor ? 0 : (lost + scale - 1) / scale;
  const gint offset = tensor ? 0 : before * scale - lost;
  g_autofree gint64 *sizes = g_new (gint64, n + 1);
  const SrganLayer *misfit;
  gint64 size = (gint64) frame + before;
  guint i;

  while ((misfit = find_misfit (network, size, vertical, sizes)) ||
         (!tensor && sizes[n] < offset + (gint64) frame * scale))
    if (tensor || ++size > (gint64) frame + MOST_PADDING) {
      if (!misfit)
        misfit = last;
      g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_UNSUPPORTED,
          "Layer \"%s\" (%s): its maps do not fit each other for an input %d "
          "pixels %s",
          misfit->name, srgan_operation_to_string (misfit->operation), frame,
          vertical ? "high" : "wide");
      return FALSE;
    }

  for (i = 0; i <= n; i++) {
    if (sizes[i] > G_MAXINT / 4) {
      g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_TOO_LARGE,
          "Layer \"%s\": its map would be too large",
          srgan_network_get_layer (network, MAX (i, 1) - 1)->name);
      return FALSE;
    }
    if (vertical)
      plan->stages[i].height = (gint) sizes[i];
    else
      plan->stages[i].width = (gint) sizes[i];
  }
  if (vertical) {
    plan->frame_y = before;
    plan->stages[plan->sink].offset_y = offset;
    plan->out_height = tensor ? (gint) sizes[n] : frame * scale;
    plan->stages[plan->sink].height = plan->out_height;
  } else {
    plan->frame_x = before;
    plan->stages[plan->sink].offset_x = offset;
    plan->out_width = tensor ? (gint) sizes[n] : frame * scale;
    plan->stages[plan->sink].width = plan->out_width;
  }
  return TRUE;
}

gboolean
srgan_plan_fit (SrganPlan *plan, GError **error)
{
  return fit_axis (plan, FALSE, error) && fit_axis (plan, TRUE, error);
}
