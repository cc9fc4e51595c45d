/* The derivatives of every operation that can be trained, against finite
 * differences.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <string.h>

#include "train/graph.h"
#include "train/random.h"

#define WIDTH 9
#define HEIGHT 7

/* The sum of the output, weighted by random numbers: linear, so that its
 * second derivatives by any one number are none and a central difference is
 * exact but for rounding. */
typedef struct {
  SrganGraph *graph;
  SrganGraphState *state;
  guint n_in, n_out, n_parameters;
  gfloat *input, *output, *weight, *parameters, *gradient, *input_gradient;
} Check;

static gdouble
evaluate (Check *check)
{
  gdouble sum = 0;

  srgan_graph_set_parameters (check->graph, check->parameters);
  srgan_graph_forward (check->state, check->input, check->output);
  for (guint i = 0; i < check->n_out; i++)
    sum += (gdouble) check->output[i] * check->weight[i];
  return sum;
}

static void
compare (Check *check, const gchar *what, gfloat *numbers,
    const gfloat *gradient, guint n)
{
  /* wide, for the rounding of sums of large numbers */
  const gfloat step = 1 / 8.f;
  gdouble length = 0;

  for (guint i = 0; i < n; i++)
    length += (gdouble) gradient[i] * gradient[i];
  length = sqrt (length / MAX (n, 1));
  for (guint i = 0; i < n; i++) {
    gfloat value = numbers[i];
    gdouble above, below, difference;

    numbers[i] = value + step;
    above = evaluate (check);
    numbers[i] = value - step;
    below = evaluate (check);
    numbers[i] = value;
    difference = (above - below) / (2 * step);
    if (!(fabs (difference - gradient[i]) <= 2e-3 * length + 1e-4))
      g_error ("%s %u: gradient %g, finite difference %g", what, i, gradient[i],
          difference);
  }
}

/* Checks @network, which is consumed. */
static void
check_network (SrganNetwork *network, guint in_channels, guint out_channels)
{
  GError *error = NULL;
  Check check = {0};
  guint scale = srgan_network_get_scale (network);
  SrganRandom random = srgan_random_init (7, 0, 0);

  g_assert_true (srgan_network_finish (network, &error));
  g_assert_no_error (error);
  check.graph = srgan_graph_new (network, &error);
  g_assert_no_error (error);
  srgan_graph_want_input_gradient (check.graph);
  check.state = srgan_graph_state_new (check.graph, WIDTH, HEIGHT, TRUE);
  g_assert_nonnull (check.state);
  check.n_parameters = srgan_graph_get_n_parameters (check.graph);
  check.n_in = WIDTH * HEIGHT * in_channels;
  check.n_out = WIDTH * HEIGHT * out_channels * scale * scale;
  check.input = g_new (gfloat, check.n_in);
  check.input_gradient = g_new (gfloat, check.n_in);
  check.output = g_new (gfloat, check.n_out);
  check.weight = g_new (gfloat, check.n_out);
  check.parameters = g_new (gfloat, check.n_parameters + 1);
  check.gradient = g_new (gfloat, check.n_parameters + 1);
  srgan_graph_get_parameters (check.graph, check.parameters);
  for (guint i = 0; i < check.n_in; i++)
    check.input[i] = (gfloat) srgan_random_between (&random, -1, 1);
  for (guint i = 0; i < check.n_out; i++)
    check.weight[i] = (gfloat) srgan_random_between (&random, -1, 1);

  /* twice: the second must not see what the first left behind */
  for (guint i = 0; i < 2; i++) {
    evaluate (&check);
    srgan_graph_backward (check.state, check.weight, check.gradient);
  }
  srgan_graph_get_input_gradient (check.state, check.input_gradient);

  compare (&check, "parameter", check.parameters, check.gradient,
      check.n_parameters);
  compare (&check, "input", check.input, check.input_gradient, check.n_in);

  srgan_graph_state_free (check.state);
  srgan_graph_free (check.graph);
  g_free (check.input);
  g_free (check.input_gradient);
  g_free (check.output);
  g_free (check.weight);
  g_free (check.parameters);
  g_free (check.gradient);
  srgan_network_unref (network);
}

static gfloat *
random_numbers (guint n, gdouble low, gdouble high)
{
  static guint stream;
  SrganRandom random = srgan_random_init (3, stream++, 0);
  gfloat *numbers = g_new (gfloat, n);

  for (guint i = 0; i < n; i++)
    numbers[i] = (gfloat) srgan_random_between (&random, low, high);
  return numbers;
}

static gint
add (SrganNetwork *network, const SrganLayer *layer)
{
  GError *error = NULL;
  gint index = srgan_network_add_layer (network, layer, &error);

  g_assert_no_error (error);
  return index;
}

/* A convolution. With an activation its biases are +-1 and its weights small,
 * so that no value comes near the kink at 0, where there is no derivative. */
static gint
add_conv (SrganNetwork *network, const gchar *name, gint input, guint in,
    guint out, guint kernel, SrganActivation activation, gboolean with_bias)
{
  gboolean active = activation != SRGAN_ACTIVATION_NONE;
  guint n = out * in * kernel * kernel;
  gdouble bound = active ? .5 / (in * kernel * kernel) : 1;
  g_autofree gfloat *weight = random_numbers (n, -bound, bound);
  g_autofree gfloat *bias = random_numbers (out, -1, 1);
  g_autofree gfloat *slope = random_numbers (out, -.5, .5);
  SrganLayer layer = {
      .name = (gchar *) name,
      .operation = SRGAN_OPERATION_CONV,
      .n_inputs = 1,
      .inputs = {input},
      .out_channels = out,
      .kernel_width = kernel,
      .kernel_height = kernel,
      .stride = 1,
      .groups = 1,
      .activation = activation,
      .activation_low = activation == SRGAN_ACTIVATION_LEAKY_RELU ? .2f : 0,
      .weight = weight,
      .bias = with_bias || active ? bias : NULL,
      .slope = activation == SRGAN_ACTIVATION_PRELU ? slope : NULL,
  };

  if (active)
    for (guint i = 0; i < out; i++)
      bias[i] = i % 2 ? 1 : -1;
  return add (network, &layer);
}

static void
test_conv (void)
{
  static const guint shapes[][3] = {/* in, out, kernel; 3 in: RGB */
      {1, 1, 3}, {1, 3, 1}, {1, 16, 3}, {1, 5, 5}, {3, 3, 3}, {3, 20, 3}};

  for (guint i = 0; i < G_N_ELEMENTS (shapes); i++) {
    guint in = shapes[i][0], out = shapes[i][1];
    SrganNetwork *network = srgan_network_new (
        "conv", in == 1 ? SRGAN_COLOUR_Y : SRGAN_COLOUR_RGB, 1);
    gint last = add_conv (network, "a", SRGAN_INPUT_NETWORK, in, out,
        shapes[i][2], SRGAN_ACTIVATION_NONE, i % 2);

    if (out != in)
      add_conv (network, "b", last, out, in, 3, SRGAN_ACTIVATION_NONE, TRUE);
    check_network (network, in, in);
  }
}

static void
test_activation (void)
{
  static const SrganActivation activations[] = {SRGAN_ACTIVATION_RELU,
      SRGAN_ACTIVATION_LEAKY_RELU, SRGAN_ACTIVATION_PRELU};

  for (guint i = 0; i < G_N_ELEMENTS (activations); i++)
    for (guint channels = 1; channels <= 18; channels += 17) {
      SrganNetwork *network =
          srgan_network_new ("activation", SRGAN_COLOUR_Y, 1);
      gint last = add_conv (network, "a", SRGAN_INPUT_NETWORK, 1, channels, 3,
          activations[i], TRUE);

      last = add_conv (
          network, "b", last, channels, 2, 3, SRGAN_ACTIVATION_NONE, TRUE);
      add_conv (network, "c", last, 2, 1, 3, SRGAN_ACTIVATION_NONE, TRUE);
      check_network (network, 1, 1);
    }
}

/* An activation that is a layer of its own. */
static void
test_lone_activation (void)
{
  SrganNetwork *network = srgan_network_new ("lone", SRGAN_COLOUR_Y, 1);
  gfloat slope[] = {.3f, -.2f};
  SrganLayer layer = {
      .name = (gchar *) "act",
      .operation = SRGAN_OPERATION_ACTIVATION,
      .n_inputs = 1,
      .stride = 1,
      .groups = 1,
      .activation = SRGAN_ACTIVATION_PRELU,
      .slope = slope,
  };
  /* its values stay away from 0 by what the biases of a ReLU's branch are */
  gint last = add_conv (network, "a", SRGAN_INPUT_NETWORK, 1, 2, 3,
      SRGAN_ACTIVATION_LEAKY_RELU, TRUE);

  layer.inputs[0] = last;
  last = add (network, &layer);
  add_conv (network, "b", last, 2, 1, 3, SRGAN_ACTIVATION_NONE, TRUE);
  check_network (network, 1, 1);
}

/* A layer with several users, and an add of three. */
static void
test_add (void)
{
  SrganNetwork *network = srgan_network_new ("add", SRGAN_COLOUR_Y, 1);
  SrganLayer layer = {
      .name = (gchar *) "sum",
      .operation = SRGAN_OPERATION_ADD,
      .n_inputs = 3,
      .stride = 1,
      .groups = 1,
  };
  gint a = add_conv (
      network, "a", SRGAN_INPUT_NETWORK, 1, 6, 3, SRGAN_ACTIVATION_PRELU, TRUE);
  gint b = add_conv (network, "b", a, 6, 6, 3, SRGAN_ACTIVATION_NONE, TRUE);
  gint c = add_conv (network, "c", a, 6, 6, 3, SRGAN_ACTIVATION_NONE, FALSE);
  gint sum;

  layer.inputs[0] = b;
  layer.inputs[1] = a;
  layer.inputs[2] = c;
  sum = add (network, &layer);
  sum = add_conv (network, "d", sum, 6, 1, 1, SRGAN_ACTIVATION_NONE, TRUE);
  layer.name = (gchar *) "with-input";
  layer.n_inputs = 2;
  layer.inputs[0] = SRGAN_INPUT_NETWORK;
  layer.inputs[1] = sum;
  add (network, &layer);
  check_network (network, 1, 1);
}

static void
test_pixel_shuffle (void)
{
  for (guint channels = 1; channels <= 3; channels += 2)
    for (guint scale = 2; scale <= 4; scale++) {
      SrganNetwork *network = srgan_network_new (
          "shuffle", channels == 1 ? SRGAN_COLOUR_Y : SRGAN_COLOUR_RGB, scale);
      SrganLayer layer = {
          .name = (gchar *) "shuffle",
          .operation = SRGAN_OPERATION_PIXEL_SHUFFLE,
          .n_inputs = 1,
          .stride = 1,
          .groups = 1,
          .factor = scale,
      };

      layer.inputs[0] = add_conv (network, "a", SRGAN_INPUT_NETWORK, channels,
          channels * scale * scale, 1, SRGAN_ACTIVATION_NONE, FALSE);
      add (network, &layer);
      check_network (network, channels, channels);
    }
}

static void
test_resize (void)
{
  for (guint filter = 0; filter < SRGAN_N_FILTERS; filter++)
    for (guint scale = 2; scale <= 4; scale++) {
      SrganNetwork *network =
          srgan_network_new ("resize", SRGAN_COLOUR_Y, scale);
      SrganLayer layer = {
          .name = (gchar *) "resize",
          .operation = SRGAN_OPERATION_RESIZE,
          .n_inputs = 1,
          .stride = 1,
          .groups = 1,
          .factor = scale,
          .filter = filter,
      };

      layer.inputs[0] = add_conv (network, "a", SRGAN_INPUT_NETWORK, 1, 2, 3,
          SRGAN_ACTIVATION_NONE, TRUE);
      layer.inputs[0] = add (network, &layer);
      add_conv (
          network, "b", layer.inputs[0], 2, 1, 3, SRGAN_ACTIVATION_NONE, TRUE);
      check_network (network, 1, 1);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/train/graph/conv", test_conv);
  g_test_add_func ("/train/graph/activation", test_activation);
  g_test_add_func ("/train/graph/lone-activation", test_lone_activation);
  g_test_add_func ("/train/graph/add", test_add);
  g_test_add_func ("/train/graph/pixel-shuffle", test_pixel_shuffle);
  g_test_add_func ("/train/graph/resize", test_resize);
  return g_test_run ();
}
