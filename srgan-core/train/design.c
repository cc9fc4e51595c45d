/* train: the networks that a recipe describes, with their first weights.
 *
 * SPDX-License-Identifier: MIT
 */
#include "train/design.h"

#include "train/random.h"

/* The stream of random numbers for the weights; steps take lower ones. */
#define WEIGHT_STREAM (G_MAXUINT64 - 1)

/* What every layer that is added starts from. */
typedef struct {
  SrganNetwork *network;
  guint64 seed;
  gdouble gain; /* weights are drawn within gain / sqrt (inputs of a neuron) */
  GError **error;
} Draft;

/* A convolution with zero padding, or, with @padding none, one that gives what
 * it can. Returns the layer's index, or -1. */
static gint
add_conv (Draft *draft, const gchar *name, gint input, guint in_channels,
    guint out_channels, guint kernel, guint stride, SrganPadding padding,
    gboolean with_bias, SrganActivation activation, gfloat low)
{
  guint fan_in = kernel * kernel * in_channels;
  g_autofree gfloat *weight = g_new (gfloat, (gsize) fan_in * out_channels);
  g_autofree gfloat *bias = g_new (gfloat, out_channels);
  g_autofree gfloat *slope = g_new (gfloat, out_channels);
  gdouble bound = draft->gain / sqrt (fan_in);
  SrganRandom random = srgan_random_init (
      draft->seed, WEIGHT_STREAM, srgan_network_get_n_layers (draft->network));
  SrganLayer layer = {
      .name = (gchar *) name,
      .operation = SRGAN_OPERATION_CONV,
      .n_inputs = 1,
      .inputs = {input},
      .out_channels = out_channels,
      .kernel_width = kernel,
      .kernel_height = kernel,
      .stride = stride,
      .groups = 1,
      .padding = padding,
      .activation = activation,
      .activation_low = low,
      .weight = weight,
      .bias = with_bias ? bias : NULL,
      .slope = activation == SRGAN_ACTIVATION_PRELU ? slope : NULL,
  };

  for (gsize i = 0; i < (gsize) fan_in * out_channels; i++)
    weight[i] = (gfloat) srgan_random_between (&random, -bound, bound);
  for (guint i = 0; i < out_channels; i++) {
    bias[i] = (gfloat) srgan_random_between (&random, -bound, bound);
    slope[i] = .25f;
  }
  return srgan_network_add_layer (draft->network, &layer, draft->error);
}

/* The case that generators are made of. */
static gint
add_same (Draft *draft, const gchar *name, gint input, guint in_channels,
    guint out_channels, guint kernel, SrganActivation activation)
{
  return add_conv (draft, name, input, in_channels, out_channels, kernel, 1,
      SRGAN_PADDING_ZERO, TRUE, activation,
      activation == SRGAN_ACTIVATION_LEAKY_RELU ? .1f : 0);
}

/* At first the identity of what it normalises; PyTorch's epsilon. */
static gint
add_norm (Draft *draft, const gchar *name, gint input, guint channels)
{
  g_autofree gfloat *weight = g_new0 (gfloat, 4 * channels);
  SrganLayer layer = {
      .name = (gchar *) name,
      .operation = SRGAN_OPERATION_BATCH_NORM,
      .n_inputs = 1,
      .inputs = {input},
      .stride = 1,
      .groups = 1,
      .activation_low = 1e-5f,
      .weight = weight,
  };

  for (guint c = 0; c < channels; c++)
    weight[c] = weight[3 * channels + c] = 1;
  return srgan_network_add_layer (draft->network, &layer, draft->error);
}

static gint
add_activation (Draft *draft, const gchar *name, gint input, guint channels,
    SrganActivation activation, gfloat low)
{
  g_autofree gfloat *slope = g_new (gfloat, channels);
  SrganLayer layer = {
      .name = (gchar *) name,
      .operation = SRGAN_OPERATION_ACTIVATION,
      .n_inputs = 1,
      .inputs = {input},
      .stride = 1,
      .groups = 1,
      .activation = activation,
      .activation_low = low,
      .slope = activation == SRGAN_ACTIVATION_PRELU ? slope : NULL,
  };

  for (guint c = 0; c < channels; c++)
    slope[c] = .25f;
  return srgan_network_add_layer (draft->network, &layer, draft->error);
}

/* add, concat */
static gint
add_meeting (Draft *draft, const gchar *name, SrganOperation operation,
    gint first, gint second)
{
  SrganLayer layer = {
      .name = (gchar *) name,
      .operation = operation,
      .n_inputs = 2,
      .inputs = {first, second},
      .stride = 1,
      .groups = 1,
  };

  return srgan_network_add_layer (draft->network, &layer, draft->error);
}

/* pixel-shuffle, resize */
static gint
add_enlargement (Draft *draft, const gchar *name, SrganOperation operation,
    gint input, guint factor, SrganFilter filter)
{
  SrganLayer layer = {
      .name = (gchar *) name,
      .operation = operation,
      .n_inputs = 1,
      .inputs = {input},
      .stride = 1,
      .groups = 1,
      .factor = factor,
      .filter = filter,
  };

  return srgan_network_add_layer (draft->network, &layer, draft->error);
}

/* Plus the enlarged input. */
static gboolean
add_skip (Draft *draft, const SrganRecipe *recipe, gint last)
{
  gint base;

  if (recipe->skip == SRGAN_SKIP_NONE)
    return TRUE;
  base = add_enlargement (draft, "base", SRGAN_OPERATION_RESIZE,
      SRGAN_INPUT_NETWORK, recipe->scale, recipe->skip);
  return base >= 0 &&
         add_meeting (draft, "sum", SRGAN_OPERATION_ADD, last, base) >= 0;
}

static SrganActivation
get_activation (const SrganRecipe *recipe)
{
  static const SrganActivation activations[] = {SRGAN_ACTIVATION_RELU,
      SRGAN_ACTIVATION_LEAKY_RELU, SRGAN_ACTIVATION_PRELU};

  return activations[recipe->activation];
}

/* --- Generators -------------------------------------------------------- */

static gboolean
add_chain (Draft *draft, const SrganRecipe *recipe)
{
  guint colours = srgan_recipe_get_channels (recipe);
  SrganActivation activation = get_activation (recipe);
  gint last = add_same (draft, "first", SRGAN_INPUT_NETWORK, colours,
      recipe->channels, 3, activation);

  for (guint i = 0; i < recipe->layers && last >= 0; i++) {
    g_autofree gchar *name = g_strdup_printf ("body%u", i + 1);

    last = add_same (
        draft, name, last, recipe->channels, recipe->channels, 3, activation);
  }
  if (last >= 0)
    last = add_same (draft, "last", last, recipe->channels,
        colours * recipe->scale * recipe->scale, 3, SRGAN_ACTIVATION_NONE);
  if (last >= 0)
    last = add_enlargement (draft, "shuffle", SRGAN_OPERATION_PIXEL_SHUFFLE,
        last, recipe->scale, SRGAN_FILTER_NEAREST);
  return last >= 0 && add_skip (draft, recipe, last);
}

/* A convolution and, if the recipe says so, a batch-norm; then without a bias,
 * which the batch-norm would take away again: its gradient would be rounding
 * errors, and Adam would follow them. */
static gint
add_normed (Draft *draft, const SrganRecipe *recipe, const gchar *block,
    const gchar *suffix, gint input)
{
  g_autofree gchar *conv = g_strconcat (block, "-conv", suffix, NULL);
  g_autofree gchar *norm = g_strconcat (block, "-norm", suffix, NULL);
  guint channels = recipe->channels;
  gint last = add_conv (draft, conv, input, channels, channels, 3, 1,
      SRGAN_PADDING_ZERO, !recipe->batch_norm, SRGAN_ACTIVATION_NONE, 0);

  return last >= 0 && recipe->batch_norm
             ? add_norm (draft, norm, last, channels)
             : last;
}

/* SRResNet (Ledig et al. 2017, figure 4): conv 9x9, PReLU; residual blocks of
 * conv, norm, PReLU, conv, norm; conv, norm and a skip around all of them; for
 * each factor of the scale conv, shuffle, PReLU; conv 9x9. The recipe's
 * activation stands for the PReLU, and its skip is added to the end: "none" is
 * as published. */
static gboolean
add_srresnet (Draft *draft, const SrganRecipe *recipe)
{
  guint colours = srgan_recipe_get_channels (recipe);
  guint channels = recipe->channels;
  SrganActivation activation = get_activation (recipe);
  gfloat low = activation == SRGAN_ACTIVATION_LEAKY_RELU ? .1f : 0;
  gint first, last;

  first = last = add_same (
      draft, "first", SRGAN_INPUT_NETWORK, colours, channels, 9, activation);
  for (guint i = 0; i < recipe->layers && last >= 0; i++) {
    g_autofree gchar *block = g_strdup_printf ("block%u", i + 1);
    g_autofree gchar *act = g_strconcat (block, "-act", NULL);
    g_autofree gchar *sum = g_strconcat (block, "-sum", NULL);
    gint input = last;

    last = add_normed (draft, recipe, block, "1", last);
    if (last >= 0)
      last = add_activation (draft, act, last, channels, activation, low);
    if (last >= 0)
      last = add_normed (draft, recipe, block, "2", last);
    if (last >= 0)
      last = add_meeting (draft, sum, SRGAN_OPERATION_ADD, input, last);
  }
  if (last >= 0)
    last = add_normed (draft, recipe, "trunk", "", last);
  if (last >= 0)
    last = add_meeting (draft, "trunk-sum", SRGAN_OPERATION_ADD, first, last);
  for (guint left = recipe->scale, i = 1; left > 1 && last >= 0; i++) {
    guint factor = left % 2 == 0 ? 2 : left;
    g_autofree gchar *conv = g_strdup_printf ("up%u", i);
    g_autofree gchar *shuffle = g_strdup_printf ("up%u-shuffle", i);
    g_autofree gchar *act = g_strdup_printf ("up%u-act", i);

    left /= factor;
    last = add_same (draft, conv, last, channels, channels * factor * factor, 3,
        SRGAN_ACTIVATION_NONE);
    if (last >= 0)
      last = add_enlargement (draft, shuffle, SRGAN_OPERATION_PIXEL_SHUFFLE,
          last, factor, SRGAN_FILTER_NEAREST);
    if (last >= 0)
      last = add_activation (draft, act, last, channels, activation, low);
  }
  if (last >= 0)
    last = add_same (
        draft, "last", last, channels, colours, 9, SRGAN_ACTIVATION_NONE);
  return last >= 0 && add_skip (draft, recipe, last);
}

SrganNetwork *
srgan_design_network (const SrganRecipe *recipe, GError **error)
{
  static gboolean (*const designs[]) (Draft *, const SrganRecipe *) = {
      [SRGAN_DESIGN_CHAIN] = add_chain,
      [SRGAN_DESIGN_SRRESNET] = add_srresnet,
  };
  g_autoptr (SrganNetwork) network =
      srgan_network_new (recipe->name, recipe->colour, recipe->scale);
  Draft draft = {network, recipe->seed, 1, error};

  return designs[recipe->design](&draft, recipe) ? g_steal_pointer (&network)
                                                 : NULL;
}

/* --- Discriminators ---------------------------------------------------- */

/* The negative slope of them all. */
#define LEAK .2f

/* Ledig et al. 2017, figure 4: 3x3 convolutions, channels doubled at each
 * second, stride 2 at the others, batch-norm on all but the first; dense 1024,
 * dense 1. A dense layer is a convolution as large as its map. */
static gboolean
add_srgan_discriminator (
    Draft *draft, guint colours, guint channels, guint side)
{
  guint in = colours;
  gint last = SRGAN_INPUT_NETWORK;

  for (guint i = 0; i < 8; i++) {
    g_autofree gchar *conv = g_strdup_printf ("conv%u", i + 1);
    g_autofree gchar *norm = g_strdup_printf ("norm%u", i + 1);
    g_autofree gchar *act = g_strdup_printf ("act%u", i + 1);
    guint out = channels << i / 2;

    last = add_conv (draft, conv, last, in, out, 3, 1 + i % 2,
        SRGAN_PADDING_ZERO, i == 0,
        i == 0 ? SRGAN_ACTIVATION_LEAKY_RELU : SRGAN_ACTIVATION_NONE,
        i == 0 ? LEAK : 0);
    if (last >= 0 && i > 0) {
      last = add_norm (draft, norm, last, out);
      if (last >= 0)
        last = add_activation (
            draft, act, last, out, SRGAN_ACTIVATION_LEAKY_RELU, LEAK);
    }
    if (last < 0)
      return FALSE;
    side = (side + i % 2) >> i % 2;
    in = out;
  }
  last = add_conv (draft, "dense1", last, in, 16 * channels, side, 1,
      SRGAN_PADDING_NONE, TRUE, SRGAN_ACTIVATION_LEAKY_RELU, LEAK);
  return last >= 0 &&
         add_conv (draft, "dense2", last, 16 * channels, 1, 1, 1,
             SRGAN_PADDING_NONE, TRUE, SRGAN_ACTIVATION_NONE, 0) >= 0;
}

/* Isola et al. 2017: 4x4 convolutions, three of stride 2, then two; each
 * verdict is on 70x70 pixels. */
static gboolean
add_patch_discriminator (
    Draft *draft, guint colours, guint channels, guint side)
{
  guint in = colours;
  gint last = SRGAN_INPUT_NETWORK;

  for (guint i = 0; i < 5 && (i == 0 || last >= 0); i++) {
    g_autofree gchar *conv = g_strdup_printf ("conv%u", i + 1);
    guint out = i == 4 ? 1 : channels << i;

    last = add_conv (draft, conv, last, in, out, 4, i < 3 ? 2 : 1,
        SRGAN_PADDING_ZERO, TRUE,
        i == 4 ? SRGAN_ACTIVATION_NONE : SRGAN_ACTIVATION_LEAKY_RELU,
        i == 4 ? 0 : LEAK);
    in = out;
  }
  return last >= 0;
}

/* Wang et al. 2021 (arXiv 2107.10833): three halvings and, enlarged bilinearly,
 * back, the maps of one size added; two convolutions and the verdicts. */
static gboolean
add_unet_discriminator (Draft *draft, guint colours, guint channels, guint side)
{
  gint levels[4], last;

  last = levels[0] =
      add_conv (draft, "down0", SRGAN_INPUT_NETWORK, colours, channels, 3, 1,
          SRGAN_PADDING_ZERO, TRUE, SRGAN_ACTIVATION_LEAKY_RELU, LEAK);
  for (guint i = 1; i < 4 && last >= 0; i++) {
    g_autofree gchar *name = g_strdup_printf ("down%u", i);

    last = levels[i] =
        add_conv (draft, name, last, channels << (i - 1), channels << i, 4, 2,
            SRGAN_PADDING_ZERO, FALSE, SRGAN_ACTIVATION_LEAKY_RELU, LEAK);
  }
  for (guint i = 3; i-- > 0 && last >= 0;) {
    g_autofree gchar *larger = g_strdup_printf ("larger%u", i);
    g_autofree gchar *up = g_strdup_printf ("up%u", i);
    g_autofree gchar *sum = g_strdup_printf ("sum%u", i);

    last = add_enlargement (
        draft, larger, SRGAN_OPERATION_RESIZE, last, 2, SRGAN_FILTER_BILINEAR);
    if (last >= 0)
      last = add_conv (draft, up, last, channels << (i + 1), channels << i, 3,
          1, SRGAN_PADDING_ZERO, FALSE, SRGAN_ACTIVATION_LEAKY_RELU, LEAK);
    if (last >= 0)
      last = add_meeting (draft, sum, SRGAN_OPERATION_ADD, last, levels[i]);
  }
  for (guint i = 0; i < 2 && last >= 0; i++)
    last = add_conv (draft, i == 0 ? "end1" : "end2", last, channels, channels,
        3, 1, SRGAN_PADDING_ZERO, FALSE, SRGAN_ACTIVATION_LEAKY_RELU, LEAK);
  return last >= 0 &&
         add_conv (draft, "verdict", last, channels, 1, 3, 1,
             SRGAN_PADDING_ZERO, TRUE, SRGAN_ACTIVATION_NONE, 0) >= 0;
}

SrganNetwork *
srgan_design_discriminator (const SrganRecipe *recipe, GError **error)
{
  static gboolean (*const designs[]) (Draft *, guint, guint, guint) = {
      [SRGAN_DISCRIMINATOR_SRGAN] = add_srgan_discriminator,
      [SRGAN_DISCRIMINATOR_PATCH] = add_patch_discriminator,
      [SRGAN_DISCRIMINATOR_UNET] = add_unet_discriminator,
  };
  g_autoptr (SrganNetwork) network =
      srgan_network_new ("discriminator", recipe->colour, 1);
  /* another draw than the generator's */
  Draft draft = {network, ~(guint64) recipe->seed, 1, error};

  return designs[recipe->discriminator](&draft,
             srgan_recipe_get_channels (recipe), recipe->discriminator_channels,
             recipe->patch * recipe->scale)
             ? g_steal_pointer (&network)
             : NULL;
}

gboolean
srgan_design_is_spectral (const SrganRecipe *recipe, const SrganLayer *layer)
{
  if (layer->operation != SRGAN_OPERATION_CONV)
    return FALSE;
  switch (recipe->discriminator) {
  case SRGAN_DISCRIMINATOR_PATCH:
    return TRUE;
  case SRGAN_DISCRIMINATOR_UNET:
    /* all but the ends, which are those with a bias */
    return layer->bias == NULL;
  default:
    return FALSE;
  }
}
