/* convert: a network's two ends: from our values to a model's and back.
 *
 * SPDX-License-Identifier: MIT
 */
#include "convert/ends.h"

void
srgan_end_init (SrganEnd *end, gdouble black, gdouble white)
{
  for (guint i = 0; i < 3; i++) {
    end->scale[i] = white - black;
    end->offset[i] = black;
  }
  end->swapped = FALSE;
}

static gboolean
is_ours (const SrganEnd *end, guint n_channels)
{
  for (guint i = 0; i < n_channels; i++)
    if (end->scale[i] != 1. || end->offset[i] != 0.)
      return FALSE;
  return !end->swapped || n_channels == 1;
}

/* Channel c of the result is channel @from[c] of layer @index, times
 * @scale[c], plus @offset[c]. */
static gboolean
add_map (SrganNetwork *network, const gchar *name, const SrganEnd *end,
    const gdouble *scale, const gdouble *offset, gint *index, GError **error)
{
  guint n = srgan_network_get_colour (network) == SRGAN_COLOUR_Y ? 1 : 3;
  gboolean swapped = end->swapped && n == 3;
  gfloat weight[9] = {0}, bias[3];
  SrganLayer layer = {
      .name = (gchar *) name,
      .operation = SRGAN_OPERATION_CONV,
      .n_inputs = 1,
      .inputs = {*index},
      .out_channels = n,
      .kernel_width = 1,
      .kernel_height = 1,
      .weight = weight,
      .bias = bias,
  };

  for (guint i = 0; i < n; i++) {
    weight[i * n + (swapped ? n - 1 - i : i)] = (gfloat) scale[i];
    bias[i] = (gfloat) offset[i];
  }
  *index = srgan_network_add_layer (network, &layer, error);
  return *index >= 0;
}

gboolean
srgan_end_add_input (
    SrganNetwork *network, const SrganEnd *end, gint *index, GError **error)
{
  guint n = srgan_network_get_colour (network) == SRGAN_COLOUR_Y ? 1 : 3;

  *index = SRGAN_INPUT_NETWORK;
  if (is_ours (end, n))
    return TRUE;
  return add_map (
      network, "to-model", end, end->scale, end->offset, index, error);
}

gboolean
srgan_end_add_output (
    SrganNetwork *network, const SrganEnd *end, gint *index, GError **error)
{
  guint n = srgan_network_get_colour (network) == SRGAN_COLOUR_Y ? 1 : 3;
  gboolean swapped = end->swapped && n == 3;
  gdouble scale[3] = {0}, offset[3] = {0};

  if (is_ours (end, n))
    return TRUE;
  for (guint i = 0; i < n; i++) {
    guint from = swapped ? n - 1 - i : i;

    scale[i] = 1. / end->scale[from];
    offset[i] = -end->offset[from] / end->scale[from];
  }
  return add_map (network, "from-model", end, scale, offset, index, error);
}
