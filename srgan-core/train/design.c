/* train: the network that a recipe describes, with its first weights.
 *
 * SPDX-License-Identifier: MIT
 */
#include "train/design.h"

#include "train/random.h"

#define KERNEL 3

/* The stream of random numbers for the weights; steps take lower ones. */
#define WEIGHT_STREAM (G_MAXUINT64 - 1)

static gint
add_conv (SrganNetwork *network, const SrganRecipe *recipe, const gchar *name,
    gint input, guint in_channels, guint out_channels,
    SrganActivation activation, GError **error)
{
  guint fan_in = KERNEL * KERNEL * in_channels;
  g_autofree gfloat *weight = g_new (gfloat, (gsize) fan_in * out_channels);
  g_autofree gfloat *bias = g_new (gfloat, out_channels);
  g_autofree gfloat *slope = g_new (gfloat, out_channels);
  gdouble bound = 1 / sqrt (fan_in);
  SrganRandom random = srgan_random_init (
      recipe->seed, WEIGHT_STREAM, srgan_network_get_n_layers (network));
  SrganLayer layer = {
      .name = (gchar *) name,
      .operation = SRGAN_OPERATION_CONV,
      .n_inputs = 1,
      .inputs = {input},
      .out_channels = out_channels,
      .kernel_width = KERNEL,
      .kernel_height = KERNEL,
      .stride = 1,
      .groups = 1,
      .padding = SRGAN_PADDING_ZERO,
      .activation = activation,
      .activation_low = activation == SRGAN_ACTIVATION_LEAKY_RELU ? .1f : 0,
      .weight = weight,
      .bias = bias,
      .slope = activation == SRGAN_ACTIVATION_PRELU ? slope : NULL,
  };

  for (gsize i = 0; i < (gsize) fan_in * out_channels; i++)
    weight[i] = (gfloat) srgan_random_between (&random, -bound, bound);
  for (guint i = 0; i < out_channels; i++) {
    bias[i] = (gfloat) srgan_random_between (&random, -bound, bound);
    slope[i] = .25f;
  }
  return srgan_network_add_layer (network, &layer, error);
}

SrganNetwork *
srgan_design_network (const SrganRecipe *recipe, GError **error)
{
  static const SrganActivation activations[] = {SRGAN_ACTIVATION_RELU,
      SRGAN_ACTIVATION_LEAKY_RELU, SRGAN_ACTIVATION_PRELU};
  SrganActivation activation = activations[recipe->activation];
  g_autoptr (SrganNetwork) network =
      srgan_network_new (recipe->name, SRGAN_COLOUR_Y, recipe->scale);
  SrganLayer layer = {
      .n_inputs = 1,
      .stride = 1,
      .groups = 1,
      .factor = recipe->scale,
  };
  gint last;

  last = add_conv (network, recipe, "first", SRGAN_INPUT_NETWORK, 1,
      recipe->channels, activation, error);
  if (last < 0)
    return NULL;
  for (guint i = 0; i < recipe->layers; i++) {
    g_autofree gchar *name = g_strdup_printf ("body%u", i + 1);

    last = add_conv (network, recipe, name, last, recipe->channels,
        recipe->channels, activation, error);
    if (last < 0)
      return NULL;
  }
  last = add_conv (network, recipe, "last", last, recipe->channels,
      recipe->scale * recipe->scale, SRGAN_ACTIVATION_NONE, error);
  if (last < 0)
    return NULL;

  layer.name = (gchar *) "shuffle";
  layer.operation = SRGAN_OPERATION_PIXEL_SHUFFLE;
  layer.inputs[0] = last;
  last = srgan_network_add_layer (network, &layer, error);
  if (last < 0)
    return NULL;

  if (recipe->skip != SRGAN_SKIP_NONE) {
    layer.name = (gchar *) "base";
    layer.operation = SRGAN_OPERATION_RESIZE;
    layer.filter = recipe->skip;
    layer.inputs[0] = SRGAN_INPUT_NETWORK;
    if (srgan_network_add_layer (network, &layer, error) < 0)
      return NULL;
    layer.name = (gchar *) "sum";
    layer.operation = SRGAN_OPERATION_ADD;
    layer.n_inputs = 2;
    layer.inputs[0] = last;
    layer.inputs[1] = last + 1;
    layer.factor = 0;
    layer.filter = SRGAN_FILTER_NEAREST;
    if (srgan_network_add_layer (network, &layer, error) < 0)
      return NULL;
  }
  if (!srgan_network_finish (network, error))
    return NULL;
  return g_steal_pointer (&network);
}
