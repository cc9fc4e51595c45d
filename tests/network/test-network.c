/* tests: networks built in memory: shapes, checks, batch norm, sums.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test-networks.h"

#include "network/network-private.h"

#include <math.h>
#include <pthread.h>
#include <string.h>

/* --- What is worked out -------------------------------------------------- */

static void
test_chain (void)
{
  TestChain chain = {
      .channels = 16, .n_middle = 4, .activation = SRGAN_ACTIVATION_PRELU};
  g_autoptr (SrganNetwork) network = test_network_new_chain (&chain);
  const SrganLayer *layer;

  g_assert_cmpstr (srgan_network_get_name (network), ==, "chain");
  g_assert_cmpuint (srgan_network_get_scale (network), ==, 2);
  g_assert_cmpint (srgan_network_get_colour (network), ==, SRGAN_COLOUR_Y);
  g_assert_cmpuint (srgan_network_get_n_layers (network), ==, 9);
  /* 9 * 16 + 4 * 9 * 256 + 9 * 64 */
  g_assert_cmpfloat (srgan_network_get_multiply_adds (network), ==, 9936.);
  /* and 84 biases, 80 slopes */
  g_assert_cmpuint (srgan_network_get_n_parameters (network), ==, 10100);
  g_assert_cmpuint (srgan_network_get_reach (network), ==, 6);

  g_assert_cmpint (srgan_network_find_layer (network, "nothing"), ==, -1);
  g_assert_cmpint (srgan_network_find_layer (network, "shuffle"), ==, 6);
  layer = srgan_network_get_layer (network, 6);
  g_assert_cmpuint (layer->in_channels, ==, 4);
  g_assert_cmpuint (layer->out_channels, ==, 1);
  g_assert_cmpuint (layer->scale_up, ==, 2);
  g_assert_cmpuint (layer->scale_down, ==, 1);
  layer = srgan_network_get_layer (network, 1);
  g_assert_cmpuint (layer->stride, ==, 1);
  g_assert_cmpuint (layer->groups, ==, 1);
  g_assert_nonnull (layer->weight);
  g_assert_nonnull (layer->bias);
  g_assert_nonnull (layer->slope);
  g_assert_cmpuint ((gsize) layer->weight % 64, ==, 0);
}

static void
test_residual (void)
{
  g_autoptr (SrganNetwork) network =
      test_network_new_residual (SRGAN_COLOUR_RGB, 4, 64, 16, 1);

  /* Ledig et al. 2017: about 1.5 M parameters; at x4, multiply-adds of an input
   * pixel: 9^2 3 64, 33 times 9 64^2, 9 64 256 (1 + 4), 9^2 64 3 16 */
  g_assert_cmpuint (srgan_network_get_n_parameters (network), ==,
      81 * 3 * 64 + 64 + 64 + 33 * (9 * 64 * 64 + 64) + 16 * 64 +
          2 * (9 * 64 * 256 + 256 + 64) + 81 * 64 * 3 + 3);
  g_assert_cmpfloat (srgan_network_get_multiply_adds (network), ==,
      81. * 3 * 64 + 33. * 9 * 64 * 64 + 9. * 64 * 256 * 5 + 81. * 64 * 3 * 16);
  /* 4 from the first, 33 3x3, then 1 at x1, 1 at x2, 4 at x4: the last gives
   * 4 / 4 = 1 at x1, with the one at x2: ceil ((2 + 1) / 2) = 2 */
  g_assert_cmpuint (srgan_network_get_reach (network), ==, 4 + 33 + 1 + 2);
}

/* By hand, for each operation that changes the size. */
static void
test_reach (void)
{
  static const struct {
    SrganLayer layers[4];
    guint expected;
  } cases[] = {
      {{{.operation = SRGAN_OPERATION_CONV,
           .kernel_width = 5,
           .kernel_height = 3,
           .out_channels = 1}},
          2},
      {{{.operation = SRGAN_OPERATION_PIXEL_UNSHUFFLE, .factor = 2},
           {.operation = SRGAN_OPERATION_CONV,
               .kernel_width = 3,
               .kernel_height = 3,
               .out_channels = 4},
           {.operation = SRGAN_OPERATION_PIXEL_SHUFFLE, .factor = 2}},
          3},
      /* FSRCNN's last layer: 9x9, stride 2 */
      {{{.operation = SRGAN_OPERATION_TRANSPOSED_CONV,
           .kernel_width = 9,
           .kernel_height = 9,
           .stride = 2,
           .out_channels = 1}},
          2},
      {{{.operation = SRGAN_OPERATION_TRANSPOSED_CONV,
           .kernel_width = 2,
           .kernel_height = 2,
           .stride = 2,
           .out_channels = 1}},
          0},
      {{{.operation = SRGAN_OPERATION_RESIZE,
           .factor = 3,
           .filter = SRGAN_FILTER_NEAREST}},
          0},
      {{{.operation = SRGAN_OPERATION_RESIZE,
           .factor = 3,
           .filter = SRGAN_FILTER_BILINEAR}},
          1},
      {{{.operation = SRGAN_OPERATION_RESIZE,
           .factor = 2,
           .filter = SRGAN_FILTER_BICUBIC}},
          2},
      {{{.operation = SRGAN_OPERATION_RESIZE,
            .factor = 2,
            .filter = SRGAN_FILTER_NEAREST},
           {.operation = SRGAN_OPERATION_CONV,
               .kernel_width = 3,
               .kernel_height = 3,
               .out_channels = 1}},
          1},
      {{{.operation = SRGAN_OPERATION_CONV,
            .kernel_width = 3,
            .kernel_height = 3,
            .stride = 2,
            .out_channels = 4},
           {.operation = SRGAN_OPERATION_PIXEL_SHUFFLE, .factor = 2}},
          2},
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    SrganNetwork *network;
    GRand *rand = g_rand_new_with_seed (i);
    guint n = 0;
    g_autoptr (GError) error = NULL;
    guint scale = 1;

    while (n < 4 && (cases[i].layers[n].factor > 0 ||
                        cases[i].layers[n].out_channels > 0))
      n++;
    if (cases[i].layers[0].operation == SRGAN_OPERATION_RESIZE ||
        cases[i].layers[0].operation == SRGAN_OPERATION_TRANSPOSED_CONV)
      scale = MAX (cases[i].layers[0].factor, cases[i].layers[0].stride);
    network = srgan_network_new ("reach", SRGAN_COLOUR_Y, scale);
    for (guint j = 0; j < n; j++) {
      SrganLayer layer = cases[i].layers[j];
      gchar name[8];

      g_snprintf (name, sizeof name, "l%u", j);
      layer.name = name;
      layer.n_inputs = 1;
      layer.inputs[0] = (gint) j - 1;
      test_network_add_random_layer (network, &layer, 1., rand);
    }
    g_test_message ("case %u: %u layers", i, n);
    srgan_network_finish (network, &error);
    g_assert_no_error (error);
    g_assert_cmpuint (srgan_network_get_reach (network), ==, cases[i].expected);
    srgan_network_unref (network);
    g_rand_free (rand);
  }
}

/* A U-shaped network with valid convolutions, as waifu2x's: maps that lose
 * pixels are cropped to one another. */
static void
test_lost_pixels (void)
{
  SrganNetwork *network = srgan_network_new ("u", SRGAN_COLOUR_RGB, 1);
  GRand *rand = g_rand_new_with_seed (1);
  const SrganLayer conv = {.operation = SRGAN_OPERATION_CONV,
      .n_inputs = 1,
      .kernel_width = 3,
      .kernel_height = 3,
      .out_channels = 8,
      .padding = SRGAN_PADDING_NONE};
  SrganLayer layer;
  gint conv0, conv1, down, inner, up, crop;
  g_autoptr (GError) error = NULL;

  layer = conv;
  layer.name = (gchar *) "conv0";
  layer.inputs[0] = SRGAN_INPUT_NETWORK;
  conv0 = test_network_add_random_layer (network, &layer, 1., rand);
  layer.name = (gchar *) "conv1";
  layer.inputs[0] = conv0;
  conv1 = test_network_add_random_layer (network, &layer, 1., rand);
  g_assert_cmpuint (
      srgan_network_get_layer (network, conv1)->lost_width, ==, 4);

  layer.name = (gchar *) "down";
  layer.inputs[0] = conv1;
  layer.kernel_width = layer.kernel_height = layer.stride = 2;
  down = test_network_add_random_layer (network, &layer, 1., rand);
  g_assert_cmpuint (srgan_network_get_layer (network, down)->lost_width, ==, 2);
  g_assert_cmpuint (srgan_network_get_layer (network, down)->scale_down, ==, 2);

  layer = conv;
  layer.name = (gchar *) "inner";
  layer.inputs[0] = down;
  inner = test_network_add_random_layer (network, &layer, 1., rand);

  layer.name = (gchar *) "up";
  layer.operation = SRGAN_OPERATION_TRANSPOSED_CONV;
  layer.inputs[0] = inner;
  layer.kernel_width = layer.kernel_height = layer.stride = 2;
  up = test_network_add_random_layer (network, &layer, 1., rand);
  g_assert_cmpuint (srgan_network_get_layer (network, up)->lost_height, ==, 8);
  g_assert_cmpuint (srgan_network_get_layer (network, up)->scale_down, ==, 1);

  memset (&layer, 0, sizeof layer);
  layer.name = (gchar *) "sum";
  layer.operation = SRGAN_OPERATION_ADD;
  layer.n_inputs = 2;
  layer.inputs[0] = up;
  layer.inputs[1] = conv1;
  g_assert_cmpint (srgan_network_add_layer (network, &layer, &error), ==, -1);
  g_assert_error (error, SRGAN_ERROR, SRGAN_ERROR_INVALID);
  g_assert_nonnull (strstr (error->message, "layer 'sum': inputs"));
  g_clear_error (&error);

  layer.name = (gchar *) "crop";
  layer.operation = SRGAN_OPERATION_CROP;
  layer.n_inputs = 1;
  layer.inputs[0] = conv1;
  layer.crop = 2;
  crop = test_network_add_random_layer (network, &layer, 1., rand);
  layer.name = (gchar *) "sum";
  layer.operation = SRGAN_OPERATION_ADD;
  layer.n_inputs = 2;
  layer.inputs[0] = up;
  layer.inputs[1] = crop;
  layer.inputs[0] = test_network_add_random_layer (network, &layer, 1., rand);

  layer = conv;
  layer.name = (gchar *) "last";
  layer.out_channels = 3;
  layer.inputs[0] = srgan_network_find_layer (network, "sum");
  test_network_add_random_layer (network, &layer, 1., rand);
  srgan_network_finish (network, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (srgan_network_get_layer (
                        network, srgan_network_get_n_layers (network) - 1)
                        ->lost_width,
      ==, 10);
  srgan_network_unref (network);
  g_rand_free (rand);
}

/* Attention from a map that no whole factor brings back (RFDN, Liu et al.
 * 2020): a resize to the size of another map. */
static void
test_resize_to_map (void)
{
  SrganNetwork *network = srgan_network_new ("attention", SRGAN_COLOUR_Y, 1);
  GRand *rand = g_rand_new_with_seed (1);
  SrganLayer layer = {.name = (gchar *) "small",
      .operation = SRGAN_OPERATION_CONV,
      .n_inputs = 1,
      .inputs = {-1},
      .kernel_width = 3,
      .kernel_height = 3,
      .stride = 2,
      .padding = SRGAN_PADDING_NONE,
      .out_channels = 1};
  SrganLayer resize = {.name = (gchar *) "back",
      .operation = SRGAN_OPERATION_RESIZE,
      .filter = SRGAN_FILTER_BILINEAR,
      .n_inputs = 2,
      .inputs = {1, -1},
      .factor = 3};
  const SrganLayer *back;
  SrganLayer product = {.name = (gchar *) "product",
      .operation = SRGAN_OPERATION_MULTIPLY,
      .n_inputs = 2,
      .inputs = {-1, 2}};
  g_autoptr (GError) error = NULL;

  test_network_add_random_layer (network, &layer, 1., rand);
  layer.name = (gchar *) "pool";
  layer.operation = SRGAN_OPERATION_MAX_POOL;
  layer.inputs[0] = 0;
  layer.kernel_width = layer.kernel_height = 7;
  layer.stride = 3;
  test_network_add_random_layer (network, &layer, 1., rand);
  test_network_add_random_layer (network, &resize, 1., rand);
  test_network_add_random_layer (network, &product, 1., rand);
  srgan_network_finish (network, &error);
  g_assert_no_error (error);
  back = srgan_network_get_layer (network, 2);
  g_assert_cmpuint (back->in_channels, ==, 1);
  g_assert_cmpuint (back->scale_up, ==, 1);
  g_assert_cmpuint (back->scale_down, ==, 1);
  g_assert_cmpuint (back->lost_width, ==, 0);
  g_assert_cmpuint (back->factor, ==, 0);
  /* bilinear, and a sixth of the width less 2 stretched over all of it:
   * 1 + 1 + 2 at a sixth; 7 - 1 beside each third of the half; then 3x3 */
  g_assert_cmpuint (
      srgan_network_get_reach (network), ==, 2 * (3 * 4 + 6) + 1 + 1);
  srgan_network_unref (network);
  g_rand_free (rand);
}

/* A gate by the frame's mean, as squeeze and excitation. */
static void
test_global_mean (void)
{
  SrganNetwork *network = srgan_network_new ("gate", SRGAN_COLOUR_Y, 1);
  GRand *rand = g_rand_new_with_seed (1);
  SrganLayer layer = {.name = (gchar *) "features",
      .operation = SRGAN_OPERATION_CONV,
      .n_inputs = 1,
      .inputs = {-1},
      .kernel_width = 3,
      .kernel_height = 3,
      .out_channels = 8};
  gint features, mean, gate;
  g_autoptr (GError) error = NULL;

  features = test_network_add_random_layer (network, &layer, 1., rand);

  layer.name = (gchar *) "gate";
  layer.operation = SRGAN_OPERATION_LINEAR;
  layer.inputs[0] = features;
  g_assert_cmpint (srgan_network_add_layer (network, &layer, &error), ==, -1);
  g_assert_nonnull (strstr (error->message, "layer 'gate': inputs: a 1x1 map"));
  g_clear_error (&error);

  layer.name = (gchar *) "mean";
  layer.operation = SRGAN_OPERATION_GLOBAL_MEAN;
  mean = test_network_add_random_layer (network, &layer, 1., rand);
  g_assert_cmpuint (srgan_network_get_layer (network, mean)->scale_up, ==, 0);
  layer.name = (gchar *) "gate";
  layer.operation = SRGAN_OPERATION_LINEAR;
  layer.inputs[0] = mean;
  layer.activation = SRGAN_ACTIVATION_SPLINE;
  gate = test_network_add_random_layer (network, &layer, 1., rand);
  g_assert_nonnull (srgan_network_get_layer (network, gate)->slope);

  layer.name = (gchar *) "product";
  layer.operation = SRGAN_OPERATION_MULTIPLY;
  layer.activation = SRGAN_ACTIVATION_NONE;
  layer.n_inputs = 2;
  layer.inputs[0] = gate;
  layer.inputs[1] = features;
  layer.inputs[0] = test_network_add_random_layer (network, &layer, 1., rand);
  g_assert_cmpuint (
      srgan_network_get_layer (network, layer.inputs[0])->scale_up, ==, 1);
  layer.name = (gchar *) "output";
  layer.operation = SRGAN_OPERATION_CONV;
  layer.n_inputs = 1;
  layer.out_channels = 1;
  test_network_add_random_layer (network, &layer, 1., rand);
  srgan_network_finish (network, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (srgan_network_get_reach (network), ==, G_MAXUINT);
  srgan_network_unref (network);
  g_rand_free (rand);
}

/* --- What is refused ----------------------------------------------------- */

static gfloat numbers[1024];

#define CONV                                                               \
  .name = (gchar *) "x", .n_inputs = 1, .inputs = {-1}, .out_channels = 1, \
  .kernel_width = 3, .kernel_height = 3, .weight = numbers

/* A good layer, spoiled in one field. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Woverride-init"

static void
test_refused_layers (void)
{
  static const gfloat wrong[16] = {1.f, NAN};
  static const gfloat endless[16] = {1.f, 1.f, -INFINITY};
  const struct {
    SrganLayer layer;
    const gchar *message;
  } cases[] = {
      {{CONV, .operation = 77}, "operation"},
      {{CONV, .operation = -1}, "operation"},
      {{CONV, .name = NULL}, "name"},
      {{CONV, .name = (gchar *) ""}, "name"},
      {{CONV, .name = (gchar *) "input"}, "name"},
      {{CONV, .name = (gchar *) "a.b"}, "name"},
      {{CONV, .name = (gchar *) "a\nb"}, "name"},
      {{CONV, .name = (gchar *) "there"}, "name"},
      {{CONV, .n_inputs = 0}, "inputs"},
      {{CONV, .n_inputs = 2}, "inputs"},
      {{CONV, .n_inputs = 99}, "inputs"},
      {{CONV, .inputs = {1}}, "inputs"},
      {{CONV, .inputs = {-2}}, "inputs"},
      {{CONV, .inputs = {G_MAXINT}}, "inputs"},
      {{CONV, .out_channels = 0}, "out_channels"},
      {{CONV, .out_channels = G_MAXUINT}, "out_channels"},
      {{CONV, .kernel_width = 0}, "kernel_width"},
      {{CONV, .kernel_height = 64}, "kernel_height"},
      {{CONV, .stride = 17}, "stride"},
      {{CONV, .groups = 2}, "groups"},
      {{CONV, .groups = G_MAXUINT}, "groups"},
      {{CONV, .padding = SRGAN_N_PADDINGS}, "padding"},
      {{CONV, .activation = SRGAN_N_ACTIVATIONS}, "activation"},
      {{CONV, .activation = -1}, "activation"},
      {{CONV, .activation = SRGAN_ACTIVATION_LEAKY_RELU, .activation_low = NAN},
          "activation_low"},
      {{CONV, .activation = SRGAN_ACTIVATION_CLIP, .activation_low = 1.f},
          "activation_low"},
      {{CONV, .activation = SRGAN_ACTIVATION_CLIP, .activation_high = INFINITY},
          "activation_high"},
      {{CONV, .activation = SRGAN_ACTIVATION_PRELU}, "slope: is missing"},
      {{CONV, .activation = SRGAN_ACTIVATION_SPLINE, .slope = wrong},
          "slope: number 1 is not a number"},
      {{CONV, .weight = NULL}, "weight: is missing"},
      {{CONV, .weight = wrong}, "weight: number 1 is not a number"},
      {{CONV, .weight = endless}, "weight: number 2 is infinite"},
      {{CONV, .bias = wrong, .out_channels = 2}, "bias: number 1"},
      {{CONV, .operation = SRGAN_OPERATION_PIXEL_SHUFFLE, .factor = 2},
          "factor"},
      {{CONV, .operation = SRGAN_OPERATION_PIXEL_SHUFFLE}, "factor"},
      {{CONV, .operation = SRGAN_OPERATION_RESIZE, .factor = 17}, "factor"},
      {{CONV, .operation = SRGAN_OPERATION_RESIZE, .factor = 2, .filter = 9},
          "filter"},
      {{CONV, .operation = SRGAN_OPERATION_SLICE, .first = 1}, "first"},
      {{CONV, .operation = SRGAN_OPERATION_SLICE, .first = G_MAXUINT}, "first"},
      {{CONV, .operation = SRGAN_OPERATION_CROP}, "crop"},
      {{CONV, .operation = SRGAN_OPERATION_TRANSPOSED_CONV, .stride = 4},
          "stride"},
      {{CONV, .operation = SRGAN_OPERATION_MAX_POOL, .stride = 4,
           .ceil_mode = 1},
          "ceil_mode"},
      {{CONV, .operation = SRGAN_OPERATION_MAX_POOL, .ceil_mode = 2},
          "ceil_mode"},
      {{CONV, .operation = SRGAN_OPERATION_ACTIVATION}, "activation"},
      {{CONV, .operation = SRGAN_OPERATION_ADD}, "inputs"},
      {{CONV, .operation = SRGAN_OPERATION_CONCAT, .n_inputs = 17}, "inputs"},
      {{CONV, .operation = SRGAN_OPERATION_BATCH_NORM, .activation_low = 2.f},
          "epsilon"},
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autoptr (SrganNetwork) network =
        srgan_network_new ("refused", SRGAN_COLOUR_Y, 1);
    SrganLayer there = {CONV, .name = (gchar *) "there"};
    g_autoptr (GError) error = NULL;

    g_assert_cmpint (srgan_network_add_layer (network, &there, NULL), ==, 0);
    g_test_message ("case %u, %s", i, cases[i].message);
    g_assert_cmpint (
        srgan_network_add_layer (network, &cases[i].layer, &error), ==, -1);
    g_assert_error (error, SRGAN_ERROR, SRGAN_ERROR_INVALID);
    g_test_message ("%s", error->message);
    g_assert_nonnull (strstr (error->message, cases[i].message));
    /* and nothing has happened */
    g_assert_cmpuint (srgan_network_get_n_layers (network), ==, 1);
  }
}

static void
test_refused_networks (void)
{
  const struct {
    const gchar *name;
    SrganColour colour;
    guint scale;
    guint n_layers;
    SrganLayer layers[2];
    const gchar *message;
  } cases[] = {
      {"", 0, 1, 1, {{CONV}}, "name"},
      {"a\nb", 0, 1, 1, {{CONV}}, "name"},
      {"\xff", 0, 1, 1, {{CONV}}, "name"},
      {"n", SRGAN_N_COLOURS, 1, 1, {{CONV}}, "colour"},
      {"n", 0, 0, 1, {{CONV}}, "scale"},
      {"n", 0, 5, 1, {{CONV}}, "scale"},
      {"n", 0, 1, 0, {{0}}, "layers"},
      {"n", 0, 2, 1, {{CONV}}, "layer 'x': gives 1/1"},
      {"n", SRGAN_COLOUR_RGB, 1, 1, {{CONV}}, "layer 'x': gives 1 chan"},
      {"n", 0, 1, 2, {{CONV}, {CONV, .name = (gchar *) "y"}},
          "layer 'x': the output does not depend"},
      {"n", 0, 1, 1, {{CONV, .operation = SRGAN_OPERATION_GLOBAL_MEAN}},
          "layer 'x': gives 0/1"},
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autoptr (SrganNetwork) network =
        srgan_network_new (cases[i].name, cases[i].colour, cases[i].scale);
    g_autoptr (GError) error = NULL;

    for (guint j = 0; j < cases[i].n_layers; j++) {
      srgan_network_add_layer (network, &cases[i].layers[j], &error);
      g_assert_no_error (error);
    }
    g_test_message ("case %u, %s", i, cases[i].message);
    g_assert_false (srgan_network_finish (network, &error));
    g_assert_error (error, SRGAN_ERROR, SRGAN_ERROR_INVALID);
    g_test_message ("%s", error->message);
    g_assert_nonnull (strstr (error->message, cases[i].message));
  }
}

#pragma GCC diagnostic pop

/* --- Batch norm ---------------------------------------------------------- */

/* What follows from a 1x1 input of @values, for networks of pointwise layers:
 * enough to see that folding keeps what a network computes. */
static void
compute_pixel (SrganNetwork *network, const gfloat *input, gdouble *output)
{
  gdouble maps[8][16];
  guint n_layers = srgan_network_get_n_layers (network);

  for (guint i = 0; i < n_layers; i++) {
    const SrganLayer *layer = srgan_network_get_layer (network, i);
    gdouble sources[2][16];

    for (guint j = 0; j < layer->n_inputs; j++)
      for (guint c = 0; c < 16; c++)
        sources[j][c] = layer->inputs[j] < 0 ? (c < 3 ? input[c] : 0.)
                                             : maps[layer->inputs[j]][c];
    for (guint o = 0; o < layer->out_channels; o++) {
      gdouble sum = layer->bias != NULL ? layer->bias[o] : 0.;
      guint in_each = layer->in_channels / layer->groups;
      guint out_each = layer->out_channels / layer->groups;

      switch (layer->operation) {
      case SRGAN_OPERATION_CONV:
        for (guint c = 0; c < in_each; c++)
          sum += layer->weight[o * in_each + c] *
                 sources[0][o / out_each * in_each + c];
        break;
      case SRGAN_OPERATION_TRANSPOSED_CONV:
        for (guint c = 0; c < in_each; c++) {
          guint in = o / out_each * in_each + c;

          sum += layer->weight[in * out_each + o % out_each] * sources[0][in];
        }
        break;
      case SRGAN_OPERATION_ADD:
        sum = sources[0][o] + sources[1][o];
        break;
      case SRGAN_OPERATION_BATCH_NORM: {
        guint n = layer->in_channels;

        sum = (sources[0][o] - layer->weight[2 * n + o]) /
                  sqrt (layer->weight[3 * n + o] + layer->activation_low) *
                  layer->weight[o] +
              layer->weight[n + o];
      } break;
      default:
        g_assert_not_reached ();
      }
      if (layer->activation == SRGAN_ACTIVATION_RELU)
        sum = MAX (sum, 0.);
      maps[i][o] = sum;
    }
  }
  memcpy (output, maps[n_layers - 1], 3 * sizeof *output);
}

static void
test_batch_norm (void)
{
  /* where the batch-norm reads: after a plain conv, a transposed one, an
   * activation, the network's input, and a conv that others read too */
  for (guint kind = 0; kind < 6; kind++) {
    SrganNetwork *network = srgan_network_new ("bn", SRGAN_COLOUR_RGB, 1);
    GRand *rand = g_rand_new_with_seed (kind);
    const gfloat input[3] = {.2f, .7f, -.4f};
    gdouble before[3], after[3];
    SrganLayer conv = {.name = (gchar *) "conv",
        .n_inputs = 1,
        .inputs = {-1},
        .operation = SRGAN_OPERATION_CONV,
        .kernel_width = 1,
        .kernel_height = 1,
        .out_channels = 6};
    SrganLayer norm = {.name = (gchar *) "norm",
        .n_inputs = 1,
        .operation = SRGAN_OPERATION_BATCH_NORM,
        .activation_low = 1e-3f};
    SrganLayer last = conv;
    gint of_conv, of_norm;
    g_autoptr (GError) error = NULL;
    guint expected = 2;

    if (kind == 1)
      conv.operation = SRGAN_OPERATION_TRANSPOSED_CONV;
    if (kind == 1 || kind == 5)
      conv.groups = 3;
    if (kind == 2)
      conv.activation = SRGAN_ACTIVATION_RELU;
    last.name = (gchar *) "last";
    last.out_channels = 3;
    of_conv = kind == 3
                  ? SRGAN_INPUT_NETWORK
                  : test_network_add_random_layer (network, &conv, 1., rand);
    norm.inputs[0] = of_conv;
    of_norm = test_network_add_random_layer (network, &norm, 1., rand);
    if (kind == 4) {
      SrganLayer sum = {.name = (gchar *) "sum",
          .n_inputs = 2,
          .operation = SRGAN_OPERATION_ADD,
          .inputs = {of_conv, of_norm}};

      of_norm = test_network_add_random_layer (network, &sum, 1., rand);
    }
    last.inputs[0] = of_norm;
    test_network_add_random_layer (network, &last, 1., rand);

    compute_pixel (network, input, before);
    srgan_network_finish (network, &error);
    g_assert_no_error (error);
    compute_pixel (network, input, after);
    for (guint i = 0; i < 3; i++)
      g_assert_cmpfloat_with_epsilon (before[i], after[i], 1e-5);

    if (kind == 2)
      expected = 3;
    if (kind == 4)
      expected = 4;
    g_assert_cmpuint (srgan_network_get_n_layers (network), ==, expected);
    for (guint i = 0; i < expected; i++)
      g_assert_cmpint (srgan_network_get_layer (network, i)->operation, !=,
          SRGAN_OPERATION_BATCH_NORM);
    g_assert_cmpint (srgan_network_find_layer (network, "norm"), ==,
        kind == 3                ? 0
        : kind == 2 || kind == 4 ? 1
                                 : -1);
    g_assert_cmpint (
        srgan_network_find_layer (network, "last"), ==, (gint) expected - 1);
    srgan_network_unref (network);
    g_rand_free (rand);
  }
}

static void
test_batch_norm_refused (void)
{
  const gfloat weight[1] = {1e30f};
  const gfloat negative[4] = {1.f, 0.f, 0.f, -1.f};
  const gfloat huge[4] = {1e30f, 0.f, 0.f, 1.f};
  const gfloat *norms[] = {negative, huge};
  const gchar *messages[] = {"layer 'norm': weight: the variance",
      "layer 'conv': weight: number 0 is infinite"};

  for (guint i = 0; i < 2; i++) {
    SrganNetwork *network = srgan_network_new ("bn", SRGAN_COLOUR_Y, 1);
    SrganLayer conv = {.name = (gchar *) "conv",
        .n_inputs = 1,
        .inputs = {-1},
        .kernel_width = 1,
        .kernel_height = 1,
        .out_channels = 1,
        .weight = weight};
    SrganLayer norm = {.name = (gchar *) "norm",
        .n_inputs = 1,
        .operation = SRGAN_OPERATION_BATCH_NORM,
        .activation_low = 0.f,
        .weight = norms[i]};
    g_autoptr (GError) error = NULL;

    g_assert_cmpint (srgan_network_add_layer (network, &conv, NULL), ==, 0);
    g_assert_cmpint (srgan_network_add_layer (network, &norm, NULL), ==, 1);
    g_assert_false (srgan_network_finish (network, &error));
    g_assert_error (error, SRGAN_ERROR, SRGAN_ERROR_INVALID);
    g_test_message ("%s", error->message);
    g_assert_nonnull (strstr (error->message, messages[i]));
    srgan_network_unref (network);
  }
}

/* --- Quantisation -------------------------------------------------------- */

static void
test_quantisation (void)
{
  TestChain chain = {.channels = 4, .n_middle = 2};
  SrganNetwork *network = test_network_new_chain (&chain);
  SrganNetwork *quantised = test_network_new_quantised (network, 3);
  const SrganLayer *layer = srgan_network_get_layer (quantised, 1);
  const gfloat *step = srgan_network_get_layer (quantised, 0)->output_step;
  gint8 code[4 * 4 * 9];
  gfloat weight_step[4];

  g_assert_cmpint (
      srgan_network_get_precision (network), ==, SRGAN_PRECISION_FP32);
  g_assert_cmpint (
      srgan_network_get_precision (quantised), ==, SRGAN_PRECISION_INT8);
  /* what is for int8 is no parameter */
  g_assert_cmpuint (srgan_network_get_n_parameters (network), ==,
      srgan_network_get_n_parameters (quantised));

  /* codes that nobody gave: the nearest, the largest of a channel 127 */
  g_assert_null (layer->weight_code);
  srgan_layer_quantise_weight (layer, step, code, weight_step);
  for (guint out = 0; out < 4; out++) {
    gint largest = 0;

    for (guint in = 0; in < 4; in++)
      for (guint k = 0; k < 9; k++) {
        guint i = (out * 4 + in) * 9 + k;

        largest = MAX (largest, ABS (code[i]));
        g_assert_cmpfloat (
            fabs (code[i] * (gdouble) weight_step[out] / step[in] -
                  layer->weight[i]),
            <=, .5001 * weight_step[out] / step[in]);
      }
    g_assert_cmpint (largest, ==, 127);
  }
  srgan_network_unref (network);
  srgan_network_unref (quantised);
}

static void
test_loss (void)
{
  static const struct {
    const gchar *note;
    gboolean known;
    gdouble loss;
  } cases[] = {
      {NULL, FALSE, 0.},
      {"0.04", TRUE, .04},
      {"0.04 dB on 24 pictures", TRUE, .04},
      {"-0.01", TRUE, -.01},
      {"", FALSE, 0.},
      {"little", FALSE, 0.},
      {"nan", FALSE, 0.},
      {"inf", FALSE, 0.},
      {"0.1x", FALSE, 0.},
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    SrganNetwork *network = srgan_network_new ("n", SRGAN_COLOUR_Y, 1);
    gdouble loss;

    if (cases[i].note != NULL)
      srgan_network_set_note (network, "int8-loss", cases[i].note);
    g_assert_cmpint (
        srgan_network_get_loss (network, SRGAN_PRECISION_INT8, &loss), ==,
        cases[i].known);
    if (cases[i].known)
      g_assert_cmpfloat (loss, ==, cases[i].loss);
    g_assert_true (
        srgan_network_get_loss (network, SRGAN_PRECISION_FP32, &loss));
    g_assert_cmpfloat (loss, ==, 0.);
    srgan_network_unref (network);
  }
}

/* A network is refused whose parts for int8 contradict each other. */
static void
test_refused_quantisation (void)
{
  static const gfloat ones[9] = {1, 1, 1, 1, 1, 1, 1, 1, 1};
  static const gfloat steps[4] = {.1f, .1f, .1f, .2f};
  static const gfloat zero_steps[4];
  SrganNetwork *network = srgan_network_new ("n", SRGAN_COLOUR_Y, 2);
  const SrganLayer conv = {.name = (gchar *) "conv",
      .operation = SRGAN_OPERATION_CONV,
      .n_inputs = 1,
      .inputs = {SRGAN_INPUT_NETWORK},
      .out_channels = 1,
      .kernel_width = 3,
      .kernel_height = 3,
      .weight = ones};
  SrganLayer layer;
  GError *error = NULL;

#define REFUSED(assignment, text)                                              \
  layer = conv;                                                                \
  assignment;                                                                  \
  g_assert_cmpint (srgan_network_add_layer (network, &layer, &error), ==, -1); \
  g_assert_error (error, SRGAN_ERROR, SRGAN_ERROR_INVALID);                    \
  g_assert_nonnull (strstr (error->message, text));                            \
  g_clear_error (&error)

  REFUSED (layer.output_zero = 5, "output_zero: is given without");
  REFUSED (layer.output_step = zero_steps, "output_step: number 0 is no step");
  REFUSED (layer.weight_code = ones, "weight_code: is given without");
  REFUSED (layer.weight_step = ones, "weight_step: the map that it reads");
#undef REFUSED

  layer = conv;
  layer.out_channels = 4;
  layer.kernel_width = layer.kernel_height = 1;
  layer.weight = ones;
  layer.output_step = steps;
  g_assert_cmpint (srgan_network_add_layer (network, &layer, NULL), ==, 0);
  layer = (SrganLayer){.name = (gchar *) "shuffle",
      .operation = SRGAN_OPERATION_PIXEL_SHUFFLE,
      .n_inputs = 1,
      .inputs = {0},
      .factor = 2};
  g_assert_cmpint (srgan_network_add_layer (network, &layer, NULL), ==, 1);
  g_assert_false (srgan_network_finish (network, &error));
  g_assert_error (error, SRGAN_ERROR, SRGAN_ERROR_INVALID);
  g_assert_nonnull (
      strstr (error->message, "output_step: is not the same for all"));
  g_clear_error (&error);
  srgan_network_unref (network);
}

/* --- Notes, references, names -------------------------------------------- */

static void
test_notes (void)
{
  SrganNetwork *network = srgan_network_new ("n", SRGAN_COLOUR_Y, 1);
  g_auto (GStrv) keys = NULL;

  srgan_network_set_note (network, "recipe", "soap");
  srgan_network_set_note (network, "licence", "GPL");
  srgan_network_set_note (network, "licence", "MIT");
  srgan_network_set_note (network, "gone", "x");
  srgan_network_set_note (network, "gone", NULL);
  g_assert_cmpstr (srgan_network_get_note (network, "licence"), ==, "MIT");
  g_assert_null (srgan_network_get_note (network, "gone"));
  keys = srgan_network_list_notes (network);
  g_assert_cmpuint (g_strv_length (keys), ==, 2);
  g_assert_cmpstr (keys[0], ==, "licence");
  g_assert_cmpstr (keys[1], ==, "recipe");
  srgan_network_unref (network);
}

static gpointer
share (gpointer data)
{
  SrganNetwork *network = data;

  for (guint i = 0; i < 10000; i++) {
    srgan_network_ref (network);
    srgan_network_unref (network);
  }
  srgan_network_unref (network);
  return NULL;
}

static void
test_references (void)
{
  TestChain chain = {.channels = 4};
  SrganNetwork *network = test_network_new_chain (&chain);
  GValue value = G_VALUE_INIT;
  pthread_t threads[4];

  for (guint i = 0; i < 4; i++)
    g_assert_cmpint (
        pthread_create (&threads[i], NULL, share, srgan_network_ref (network)),
        ==, 0);
  g_value_init (&value, SRGAN_TYPE_NETWORK);
  g_value_set_boxed (&value, network);
  srgan_network_unref (network);
  for (guint i = 0; i < 4; i++)
    pthread_join (threads[i], NULL);
  g_assert_cmpuint (
      srgan_network_get_scale (g_value_get_boxed (&value)), ==, 2);
  g_value_unset (&value);
}

static void
test_names (void)
{
  /* each has one, all differ, none needs escaping */
  for (guint i = 0; i < SRGAN_N_OPERATIONS; i++) {
    const gchar *name = srgan_operation_to_string (i);

    g_assert_true (name != NULL && *name != '\0');
    for (guint j = 0; j < i; j++)
      g_assert_cmpstr (name, !=, srgan_operation_to_string (j));
  }
  for (guint i = 0; i < SRGAN_N_ACTIVATIONS; i++)
    for (guint j = 0; j < i; j++)
      g_assert_cmpstr (
          srgan_activation_to_string (i), !=, srgan_activation_to_string (j));
  g_assert_cmpstr (srgan_padding_to_string (SRGAN_PADDING_NONE), ==, "none");
  g_assert_cmpstr (
      srgan_filter_to_string (SRGAN_FILTER_BICUBIC), ==, "bicubic");
  g_assert_cmpstr (srgan_colour_to_string (SRGAN_COLOUR_RGB), ==, "rgb");
  for (guint i = 0; i < SRGAN_N_ATTRIBUTES; i++)
    g_assert_nonnull (srgan_attribute_get_info (i)->name);
}

gint
main (gint argc, gchar **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/network/chain", test_chain);
  g_test_add_func ("/network/residual", test_residual);
  g_test_add_func ("/network/reach", test_reach);
  g_test_add_func ("/network/resize-to-map", test_resize_to_map);
  g_test_add_func ("/network/lost-pixels", test_lost_pixels);
  g_test_add_func ("/network/global-mean", test_global_mean);
  g_test_add_func ("/network/refused-layers", test_refused_layers);
  g_test_add_func ("/network/refused-networks", test_refused_networks);
  g_test_add_func ("/network/batch-norm", test_batch_norm);
  g_test_add_func ("/network/batch-norm-refused", test_batch_norm_refused);
  g_test_add_func ("/network/quantisation", test_quantisation);
  g_test_add_func ("/network/loss", test_loss);
  g_test_add_func ("/network/refused-quantisation", test_refused_quantisation);
  g_test_add_func ("/network/notes", test_notes);
  g_test_add_func ("/network/references", test_references);
  g_test_add_func ("/network/names", test_names);
  return g_test_run ();
}
