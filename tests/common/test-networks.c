/* tests: networks with seeded random weights, of the kinds that we run.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test-networks.h"

#include "network/network-private.h"

#include <math.h>
#include <string.h>

static gfloat *
make_numbers (
    const SrganTensorShape *shape, gdouble mean, gdouble spread, GRand *rand)
{
  guint64 n = srgan_tensor_shape_get_n (shape);
  gfloat *numbers = n > 0 ? g_new (gfloat, n) : NULL;

  for (guint64 i = 0; i < n; i++)
    numbers[i] = (gfloat) (mean + g_rand_double_range (rand, -spread, spread));
  return numbers;
}

gint
test_network_add_random_layer (
    SrganNetwork *network, const SrganLayer *layer, gdouble gain, GRand *rand)
{
  SrganLayer filled = *layer;
  SrganTensorShape shape;
  g_autofree gfloat *weight = NULL, *bias = NULL, *slope = NULL;
  g_autoptr (GError) error = NULL;
  gdouble n_summed;
  gint index;

  srgan_network_infer_layer (network, &filled, &error);
  g_assert_no_error (error);

  srgan_layer_get_tensor_shape (&filled, SRGAN_TENSOR_WEIGHT, &shape);
  if (filled.operation == SRGAN_OPERATION_BATCH_NORM) {
    guint n = filled.in_channels;

    weight = make_numbers (&shape, 0., .5, rand);
    for (guint i = 0; i < n; i++) {
      weight[i] += 1.f;
      weight[3 * n + i] += 1.f;
    }
  } else if (shape.n_dimensions > 0) {
    n_summed =
        (gdouble) srgan_tensor_shape_get_n (&shape) / filled.out_channels;
    /* uniform in +-a has the variance a^2 / 3 */
    weight = make_numbers (&shape, 0., gain * sqrt (3. * 2. / n_summed), rand);
  }
  srgan_layer_get_tensor_shape (&filled, SRGAN_TENSOR_BIAS, &shape);
  bias = make_numbers (&shape, 0., .05, rand);
  srgan_layer_get_tensor_shape (&filled, SRGAN_TENSOR_SLOPE, &shape);
  slope = make_numbers (&shape, .2, .3, rand);

  filled.weight = weight;
  filled.bias = bias;
  filled.slope = slope;
  index = srgan_network_add_layer (network, &filled, &error);
  g_assert_no_error (error);
  g_assert_cmpint (index, >=, 0);
  return index;
}

static gint
add_conv (SrganNetwork *network, const gchar *name, gint input, guint side,
    guint out_channels, SrganActivation activation, SrganPadding padding,
    gdouble gain, GRand *rand)
{
  SrganLayer layer = {
      .name = (gchar *) name,
      .operation = SRGAN_OPERATION_CONV,
      .n_inputs = 1,
      .inputs = {input},
      .out_channels = out_channels,
      .kernel_width = side,
      .kernel_height = side,
      .padding = padding,
      .activation = activation,
      .activation_low = activation == SRGAN_ACTIVATION_LEAKY_RELU ? .1f : 0.f,
      .activation_high = 1.f,
  };

  return test_network_add_random_layer (network, &layer, gain, rand);
}

static gint
add_plain (SrganNetwork *network, const gchar *name, SrganOperation operation,
    gint a, gint b, guint factor, SrganFilter filter,
    SrganActivation activation, GRand *rand)
{
  SrganLayer layer = {
      .name = (gchar *) name,
      .operation = operation,
      .n_inputs = operation == SRGAN_OPERATION_ADD ? 2 : 1,
      .inputs = {a, b},
      .factor = factor,
      .filter = filter,
      .activation = activation,
  };

  return test_network_add_random_layer (network, &layer, 1., rand);
}

static SrganNetwork *
finish (SrganNetwork *network)
{
  g_autoptr (GError) error = NULL;

  srgan_network_finish (network, &error);
  g_assert_no_error (error);
  return network;
}

SrganNetwork *
test_network_new_chain (const TestChain *chain)
{
  guint scale = chain->scale > 0 ? chain->scale : 2;
  guint channels = chain->channels > 0 ? chain->channels : 16;
  guint side = chain->side > 0 ? chain->side : 3;
  guint n_colours = chain->colour == SRGAN_COLOUR_Y ? 1 : 3;
  SrganNetwork *network = srgan_network_new ("chain", chain->colour, scale);
  GRand *rand = g_rand_new_with_seed (chain->seed);
  gint last = SRGAN_INPUT_NETWORK, skip = SRGAN_INPUT_NETWORK;

  for (guint i = 0; i < chain->n_middle + 2; i++) {
    gboolean ends = i == chain->n_middle + 1;
    gchar name[16];

    g_snprintf (name, sizeof name, "conv%u", i);
    last = add_conv (network, name, last, side,
        ends ? n_colours * scale * scale : channels,
        ends ? SRGAN_ACTIVATION_NONE : chain->activation, chain->padding,
        ends ? .1 : 1., rand);
  }
  if (scale > 1) {
    last = add_plain (network, "shuffle", SRGAN_OPERATION_PIXEL_SHUFFLE, last,
        0, scale, 0, SRGAN_ACTIVATION_NONE, rand);
    skip = add_plain (network, "enlarged", SRGAN_OPERATION_RESIZE,
        SRGAN_INPUT_NETWORK, 0, scale, chain->skip, SRGAN_ACTIVATION_NONE,
        rand);
  }
  add_plain (network, "output", SRGAN_OPERATION_ADD, last, skip, 0, 0,
      SRGAN_ACTIVATION_NONE, rand);
  g_rand_free (rand);
  return finish (network);
}

SrganNetwork *
test_network_new_residual (SrganColour colour, guint scale, guint channels,
    guint n_blocks, guint32 seed)
{
  SrganNetwork *network = srgan_network_new ("residual", colour, scale);
  GRand *rand = g_rand_new_with_seed (seed);
  gchar name[24];
  gint first, last;

  g_assert_true (scale == 1 || scale == 2 || scale == 4);
  first = last = add_conv (network, "first", SRGAN_INPUT_NETWORK, 9, channels,
      SRGAN_ACTIVATION_PRELU, SRGAN_PADDING_ZERO, 1., rand);
  for (guint i = 0; i < n_blocks; i++) {
    gint inner;

    g_snprintf (name, sizeof name, "block%u-conv0", i);
    inner = add_conv (network, name, last, 3, channels, SRGAN_ACTIVATION_PRELU,
        SRGAN_PADDING_ZERO, 1., rand);
    g_snprintf (name, sizeof name, "block%u-conv1", i);
    inner = add_conv (network, name, inner, 3, channels, SRGAN_ACTIVATION_NONE,
        SRGAN_PADDING_ZERO, .3, rand);
    g_snprintf (name, sizeof name, "block%u-sum", i);
    last = add_plain (network, name, SRGAN_OPERATION_ADD, inner, last, 0, 0,
        SRGAN_ACTIVATION_NONE, rand);
  }
  last = add_conv (network, "after-blocks", last, 3, channels,
      SRGAN_ACTIVATION_NONE, SRGAN_PADDING_ZERO, .3, rand);
  last = add_plain (network, "skip", SRGAN_OPERATION_ADD, last, first, 0, 0,
      SRGAN_ACTIVATION_NONE, rand);
  for (guint i = 0, s = scale; s > 1; i++, s /= 2) {
    g_snprintf (name, sizeof name, "enlarge%u-conv", i);
    last = add_conv (network, name, last, 3, channels * 4,
        SRGAN_ACTIVATION_NONE, SRGAN_PADDING_ZERO, 1., rand);
    g_snprintf (name, sizeof name, "enlarge%u-shuffle", i);
    last = add_plain (network, name, SRGAN_OPERATION_PIXEL_SHUFFLE, last, 0, 2,
        0, SRGAN_ACTIVATION_PRELU, rand);
  }
  add_conv (network, "last", last, 9, colour == SRGAN_COLOUR_Y ? 1 : 3,
      SRGAN_ACTIVATION_NONE, SRGAN_PADDING_ZERO, .5, rand);
  g_rand_free (rand);
  return finish (network);
}

static gboolean
is_read_by_convolutions_alone (SrganNetwork *network, guint index)
{
  for (guint i = index + 1; i < srgan_network_get_n_layers (network); i++) {
    const SrganLayer *reader = srgan_network_get_layer (network, i);

    for (guint j = 0; j < reader->n_inputs; j++)
      if (reader->inputs[j] == (gint) index &&
          reader->operation != SRGAN_OPERATION_CONV)
        return FALSE;
  }
  return TRUE;
}

static gboolean
is_read_by_convolution (SrganNetwork *network, guint index)
{
  for (guint i = index + 1; i < srgan_network_get_n_layers (network); i++) {
    const SrganLayer *reader = srgan_network_get_layer (network, i);

    for (guint j = 0; j < reader->n_inputs; j++)
      if (reader->inputs[j] == (gint) index &&
          reader->operation == SRGAN_OPERATION_CONV)
        return TRUE;
  }
  return FALSE;
}

static const gfloat *
get_input_step (SrganNetwork *network, const SrganLayer *layer)
{
  if (layer->inputs[0] == SRGAN_INPUT_NETWORK)
    return NULL;
  return srgan_network_get_layer (network, (guint) layer->inputs[0])
      ->output_step;
}

SrganNetwork *
test_network_new_quantised (SrganNetwork *network, guint32 seed)
{
  SrganNetwork *quantised = srgan_network_new_like (network);
  guint n_layers = srgan_network_get_n_layers (network), n_left = 0;
  GRand *rand = g_rand_new_with_seed (seed);
  g_autoptr (GError) error = NULL;

  for (guint i = 0; i < n_layers; i++)
    n_left +=
        srgan_network_get_layer (network, i)->operation == SRGAN_OPERATION_CONV;
  for (guint i = 0; i < n_layers; i++) {
    SrganLayer layer = *srgan_network_get_layer (network, i);
    gboolean is_conv = layer.operation == SRGAN_OPERATION_CONV;
    const gfloat *input_step = get_input_step (quantised, &layer);
    gboolean alone = is_read_by_convolutions_alone (network, i);
    g_autofree gfloat *steps = g_new (gfloat, layer.out_channels);
    g_autofree gfloat *weight_step = NULL, *codes = NULL, *bias = NULL;

    n_left -= is_conv;
    if (((is_conv && n_left > 0) ||
            (layer.operation == SRGAN_OPERATION_ADD && input_step != NULL)) &&
        is_read_by_convolution (network, i)) {
      for (guint c = 0; c < layer.out_channels; c++)
        steps[c] = c > 0 && !alone
                       ? steps[0]
                       : (gfloat) g_rand_double_range (rand, .012, .02);
      layer.output_step = steps;
      layer.output_zero =
          i % 3 == 0 ? 128 : (guint) g_rand_int_range (rand, 80, 140);
    }
    if (is_conv && input_step != NULL && i % 2 == 0) {
      gsize n = (gsize) layer.out_channels * layer.in_channels *
                layer.kernel_width * layer.kernel_height;
      g_autofree gint8 *nearest = g_new (gint8, n);

      weight_step = g_new (gfloat, layer.out_channels);
      codes = g_new (gfloat, n);
      bias = g_new (gfloat, layer.out_channels);
      srgan_layer_quantise_weight (&layer, input_step, nearest, weight_step);
      for (gsize k = 0; k < n; k++) {
        gint code = nearest[k] + g_rand_int_range (rand, -1, 2);

        codes[k] = (gfloat) CLAMP (code, -127, 127);
      }
      for (guint c = 0; c < layer.out_channels; c++)
        bias[c] = (layer.bias != NULL ? layer.bias[c] : 0.f) + .001f;
      layer.weight_step = weight_step;
      layer.weight_code = codes;
      layer.int8_bias = bias;
    }
    srgan_network_add_layer (quantised, &layer, &error);
    g_assert_no_error (error);
  }
  g_rand_free (rand);
  return finish (quantised);
}

static gboolean
layers_equal (const SrganLayer *a, const SrganLayer *b)
{
  if (strcmp (a->name, b->name) != 0 || a->operation != b->operation ||
      a->n_inputs != b->n_inputs || a->in_channels != b->in_channels ||
      a->scale_up != b->scale_up || a->scale_down != b->scale_down ||
      a->lost_width != b->lost_width || a->lost_height != b->lost_height)
    return FALSE;
  for (guint i = 0; i < a->n_inputs; i++)
    if (a->inputs[i] != b->inputs[i])
      return FALSE;
  for (guint i = 0; i < SRGAN_N_ATTRIBUTES; i++)
    if (srgan_layer_get_attribute (a, i) != srgan_layer_get_attribute (b, i))
      return FALSE;
  for (guint i = 0; i < SRGAN_N_TENSORS; i++) {
    const gfloat *in_a = *srgan_layer_get_tensor ((SrganLayer *) a, i);
    const gfloat *in_b = *srgan_layer_get_tensor ((SrganLayer *) b, i);
    SrganTensorShape shape;

    srgan_layer_get_tensor_shape (a, i, &shape);
    if ((in_a == NULL) != (in_b == NULL) ||
        (in_a != NULL &&
            memcmp (in_a, in_b,
                srgan_tensor_shape_get_n (&shape) * sizeof *in_a) != 0))
      return FALSE;
  }
  return TRUE;
}

gboolean
test_networks_equal (SrganNetwork *a, SrganNetwork *b)
{
  g_auto (GStrv) notes_a = srgan_network_list_notes (a);
  g_auto (GStrv) notes_b = srgan_network_list_notes (b);

  if (strcmp (srgan_network_get_name (a), srgan_network_get_name (b)) != 0 ||
      srgan_network_get_colour (a) != srgan_network_get_colour (b) ||
      srgan_network_get_scale (a) != srgan_network_get_scale (b) ||
      srgan_network_get_n_layers (a) != srgan_network_get_n_layers (b)) {
    g_test_message ("name, colour, scale or number of layers differ");
    return FALSE;
  }
  for (guint i = 0; i < srgan_network_get_n_layers (a); i++)
    if (!layers_equal (
            srgan_network_get_layer (a, i), srgan_network_get_layer (b, i))) {
      g_test_message (
          "layer '%s' differs", srgan_network_get_layer (a, i)->name);
      return FALSE;
    }
  if (!g_strv_equal (
          (const gchar *const *) notes_a, (const gchar *const *) notes_b)) {
    g_test_message ("the notes' keys differ");
    return FALSE;
  }
  for (guint i = 0; notes_a[i] != NULL; i++)
    if (strcmp (srgan_network_get_note (a, notes_a[i]),
            srgan_network_get_note (b, notes_a[i])) != 0) {
      g_test_message ("note '%s' differs", notes_a[i]);
      return FALSE;
    }
  return TRUE;
}
