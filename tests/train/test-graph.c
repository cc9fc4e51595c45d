/* The derivatives of every operation that can be trained, against finite
 * differences.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <string.h>

#include "train/batch.h"
#include "train/design.h"
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

/* Of the numbers drawn next; each test begins anew, so that another before it
 * changes nothing. */
static guint stream;

static gfloat *
random_numbers (guint n, gdouble low, gdouble high)
{
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

/* --- bfloat16 ----------------------------------------------------------- */

/* What a graph makes of an input and of a gradient by its output. */
typedef struct {
  gfloat *output;
  gfloat *gradient;
  gfloat *input_gradient;
} Result;

static void
result_clear (Result *result)
{
  g_free (result->output);
  g_free (result->gradient);
  g_free (result->input_gradient);
}

static Result
run_both_ways (SrganNetwork *network, gboolean bf16, gboolean backward,
    const gfloat *input, const gfloat *output_gradient)
{
  GError *error = NULL;
  g_autoptr (SrganGraph) graph = srgan_graph_new (network, &error);
  g_autoptr (SrganGraphState) state = NULL;
  g_autofree gfloat *parameters = NULL;
  guint n;
  Result result;

  g_assert_no_error (error);
  n = srgan_graph_get_n_parameters (graph);
  srgan_graph_want_input_gradient (graph);
  if (bf16)
    srgan_graph_use_bf16 (graph);
  state = srgan_graph_state_new (graph, WIDTH, HEIGHT, backward);
  parameters = g_new (gfloat, n);
  result.output = g_new (gfloat, WIDTH * HEIGHT);
  result.gradient = g_new0 (gfloat, n);
  result.input_gradient = g_new0 (gfloat, WIDTH * HEIGHT);
  srgan_graph_get_parameters (graph, parameters);
  srgan_graph_set_parameters (graph, parameters);
  srgan_graph_forward (state, input, result.output);
  if (backward) {
    srgan_graph_backward (state, output_gradient, result.gradient);
    srgan_graph_get_input_gradient (state, result.input_gradient);
  }
  return result;
}

/* The length of the difference over that of @a. */
static gdouble
get_distance (const gfloat *a, const gfloat *b, guint n)
{
  gdouble difference = 0, length = 0;

  for (guint i = 0; i < n; i++) {
    difference += ((gdouble) a[i] - b[i]) * (a[i] - b[i]);
    length += (gdouble) a[i] * a[i];
  }
  return sqrt (difference / length);
}

/* Of numbers that bfloat16 holds the results are those of single precision to
 * the bit; of others they are near. A state without gradients has none of it.
 */
static void
test_bf16 (void)
{
  for (guint exact = 0; exact < 2; exact++) {
    g_autoptr (SrganNetwork) network =
        srgan_network_new ("bf16", SRGAN_COLOUR_Y, 1);
    g_autofree gfloat *input = random_numbers (WIDTH * HEIGHT, -1, 1);
    g_autofree gfloat *gradient = random_numbers (WIDTH * HEIGHT, -1, 1);
    SrganLayer sum = {.name = (gchar *) "sum",
        .operation = SRGAN_OPERATION_ADD,
        .n_inputs = 3,
        .stride = 1,
        .groups = 1};
    guint n_weights = 0;
    Result fp32, bf16, forward;
    GError *error = NULL;

    /* two that read a: its gradient is added up */
    sum.inputs[0] = add_conv (network, "a", SRGAN_INPUT_NETWORK, 1, 12, 3,
        SRGAN_ACTIVATION_NONE, TRUE);
    sum.inputs[1] = add_conv (
        network, "b", sum.inputs[0], 12, 12, 3, SRGAN_ACTIVATION_NONE, TRUE);
    sum.inputs[2] = add_conv (
        network, "c", sum.inputs[0], 12, 12, 5, SRGAN_ACTIVATION_NONE, FALSE);
    add_conv (network, "d", add (network, &sum), 12, 1, 3,
        SRGAN_ACTIVATION_NONE, TRUE);
    srgan_network_finish (network, &error);
    g_assert_no_error (error);
    for (guint i = 0; i < srgan_network_get_n_layers (network); i++) {
      const SrganLayer *layer = srgan_network_get_layer (network, i);
      guint n = layer->in_channels * layer->out_channels * layer->kernel_width *
                layer->kernel_height;

      if (layer->weight == NULL)
        continue;
      n_weights += n;
      for (guint k = 0; exact && k < n; k++)
        ((gfloat *) layer->weight)[k] = rintf (layer->weight[k]);
      for (guint k = 0; exact && layer->bias && k < layer->out_channels; k++)
        ((gfloat *) layer->bias)[k] = rintf (layer->bias[k]);
    }
    for (guint i = 0; exact && i < WIDTH * HEIGHT; i++) {
      input[i] = rintf (input[i]);
      gradient[i] = rintf (gradient[i]);
    }

    fp32 = run_both_ways (network, FALSE, TRUE, input, gradient);
    bf16 = run_both_ways (network, TRUE, TRUE, input, gradient);
    forward = run_both_ways (network, TRUE, FALSE, input, gradient);
    for (guint i = 0; i < 3; i++) {
      const gfloat *a[] = {fp32.output, fp32.gradient, fp32.input_gradient};
      const gfloat *b[] = {bf16.output, bf16.gradient, bf16.input_gradient};
      const guint lengths[] = {WIDTH * HEIGHT, n_weights, WIDTH * HEIGHT};
      gdouble distance = get_distance (a[i], b[i], lengths[i]);

      g_test_message ("distance %g", distance);
      if (exact)
        g_assert_cmpfloat (distance, ==, 0);
      else
        g_assert_true (distance > 1e-5 && distance < 1e-2);
    }
    g_assert_cmpfloat (
        get_distance (fp32.output, forward.output, WIDTH * HEIGHT), ==, 0);
    result_clear (&fp32);
    result_clear (&bf16);
    result_clear (&forward);
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

/* --- On a batch -------------------------------------------------------- */

#define PATCHES 3

/* The same for networks whose patches see each other; they need not end in
 * their input's size, so they are left unfinished. @spectral: a layer whose
 * weight is put under a spectral norm, or -1; @branches: how wide
 * those are that 3x3 convolutions are made of, or 0. */
static void
check_batch (SrganNetwork *network, guint in_channels, guint width,
    guint height, gint spectral, guint branches)
{
  GError *error = NULL;
  g_autoptr (SrganGraph) graph = srgan_graph_new (network, &error);
  g_autoptr (SrganBatch) batch = NULL;
  SrganWorkers *workers = srgan_workers_new (2, NULL);
  guint n_in = PATCHES * width * height * in_channels, n_out, n, n_tensors;
  g_autofree gfloat *input = random_numbers (n_in, -1, 1);
  g_autofree gfloat *output = NULL, *weight = NULL, *parameters = NULL;
  g_autofree gfloat *gradient = NULL, *input_gradient = NULL;
  const SrganParameter *tensors;

  g_assert_no_error (error);
  srgan_graph_want_input_gradient (graph);
  if (spectral >= 0)
    srgan_graph_normalise_spectrum (graph, (guint) spectral, 5);
  for (guint i = 0; i < srgan_network_get_n_layers (network); i++)
    if (branches > 0 && srgan_graph_can_branch (graph, i))
      srgan_graph_add_branches (graph, i, branches, 5);
  batch = srgan_batch_new (graph, PATCHES, width, height, workers, NULL);
  g_assert_nonnull (batch);
  n = srgan_graph_get_n_parameters (graph);
  n_out = PATCHES * (guint) srgan_batch_get_output_length (batch);
  parameters = g_new (gfloat, n);
  gradient = g_new (gfloat, n);
  input_gradient = g_new (gfloat, n_in);
  output = g_new (gfloat, n_out);
  weight = random_numbers (n_out, -1, 1);
  srgan_graph_get_parameters (graph, parameters);
  srgan_graph_renew_spectra (graph, parameters);
  /* the edges' scales are next to nothing at first */
  for (guint i = 0; branches > 0 && i < n; i++)
    parameters[i] += .1f * (gfloat) cos (i);

  for (guint i = 0; i < 2; i++) {
    srgan_graph_set_parameters (graph, parameters);
    srgan_batch_forward (batch, input, output);
    memset (gradient, 0, n * sizeof (gfloat));
    srgan_batch_backward (batch, weight, gradient, input_gradient);
  }
  srgan_graph_finish_gradient (graph, gradient);

  tensors = srgan_graph_get_tensors (graph, &n_tensors);
  for (guint t = 0; t <= n_tensors; t++) {
    gfloat *numbers = t < n_tensors ? parameters + tensors[t].offset : input;
    const gfloat *slopes =
        t < n_tensors ? gradient + tensors[t].offset : input_gradient;
    guint length = t < n_tensors ? tensors[t].rows * tensors[t].columns : n_in;
    const gfloat step = 1 / 64.f;
    gdouble size = 0;

    if (t < n_tensors && tensors[t].kind == SRGAN_PARAMETER_STATISTIC)
      continue;
    for (guint i = 0; i < length; i++)
      size += (gdouble) slopes[i] * slopes[i];
    size = sqrt (size / length);
    for (guint i = 0; i < length; i += length < 200 ? 1 : 7) {
      gdouble sides[4] = {0}, difference;
      gfloat value = numbers[i];

      /* batch-norm is curved: the fourth-order rule */
      for (guint k = 0; k < 4; k++) {
        static const gfloat offsets[] = {-2, -1, 1, 2};

        numbers[i] = value + offsets[k] * step;
        srgan_graph_set_parameters (graph, parameters);
        srgan_batch_forward (batch, input, output);
        for (guint j = 0; j < n_out; j++)
          sides[k] += (gdouble) output[j] * weight[j];
      }
      numbers[i] = value;
      difference =
          (sides[0] - 8 * sides[1] + 8 * sides[2] - sides[3]) / (12 * step);
      if (!(fabs (difference - slopes[i]) <= 1e-2 * size + 2e-3))
        g_error ("tensor %u of %u, number %u: gradient %g, finite difference "
                 "%g",
            t, n_tensors, i, slopes[i], difference);
    }
  }
  srgan_workers_free (workers);
  srgan_network_unref (network);
}

static gint
add_norm (SrganNetwork *network, const gchar *name, gint input, guint channels)
{
  g_autofree gfloat *weight = random_numbers (4 * channels, .5, 1.5);
  SrganLayer layer = {
      .name = (gchar *) name,
      .operation = SRGAN_OPERATION_BATCH_NORM,
      .n_inputs = 1,
      .inputs = {input},
      .stride = 1,
      .groups = 1,
      .activation_low = 1e-3f,
      .weight = weight,
  };

  return add (network, &layer);
}

/* Norms first, in the middle and last, one of them used twice. */
static void
test_batch_norm (void)
{
  SrganNetwork *network = srgan_network_new ("norm", SRGAN_COLOUR_RGB, 1);
  SrganLayer sum = {
      .name = (gchar *) "sum",
      .operation = SRGAN_OPERATION_ADD,
      .n_inputs = 2,
      .stride = 1,
      .groups = 1,
  };
  gint first = add_norm (network, "n1", SRGAN_INPUT_NETWORK, 3);
  gint last =
      add_conv (network, "a", first, 3, 5, 3, SRGAN_ACTIVATION_NONE, TRUE);
  gint middle;

  middle = add_norm (network, "n2", last, 5);
  last = add_conv (network, "b", middle, 5, 5, 3, SRGAN_ACTIVATION_NONE, FALSE);
  sum.inputs[0] = middle;
  sum.inputs[1] = last;
  last = add (network, &sum);
  add_norm (network, "n3", last, 5);
  check_batch (network, 3, 6, 5, -1, 0);
}

/* Outside a batch the running statistics are used, as after folding. */
static void
test_folded_norm (void)
{
  SrganNetwork *network = srgan_network_new ("norm", SRGAN_COLOUR_Y, 1);
  GError *error = NULL;
  g_autoptr (SrganGraph) graph = NULL, folded = NULL;
  g_autoptr (SrganGraphState) state = NULL, folded_state = NULL;
  g_autoptr (SrganNetwork) finished = NULL;
  g_autofree gfloat *parameters = NULL, *others = NULL;
  g_autofree gfloat *input = random_numbers (WIDTH * HEIGHT, -1, 1);
  gfloat a[WIDTH * HEIGHT], b[WIDTH * HEIGHT];
  gint last = add_conv (
      network, "a", SRGAN_INPUT_NETWORK, 1, 5, 3, SRGAN_ACTIVATION_NONE, FALSE);

  last = add_norm (network, "n", last, 5);
  add_conv (network, "b", last, 5, 1, 3, SRGAN_ACTIVATION_NONE, TRUE);
  graph = srgan_graph_new (network, &error);
  g_assert_no_error (error);
  parameters = g_new (gfloat, srgan_graph_get_n_parameters (graph));
  srgan_graph_get_parameters (graph, parameters);
  srgan_graph_set_parameters (graph, parameters);
  finished = srgan_graph_make_network (graph, parameters, "f", &error);
  g_assert_no_error (error);
  g_assert_true (srgan_network_finish (finished, &error));
  g_assert_cmpuint (srgan_network_get_n_layers (finished), ==, 2);
  folded = srgan_graph_new (finished, &error);
  others = g_new (gfloat, srgan_graph_get_n_parameters (folded));
  srgan_graph_get_parameters (folded, others);
  srgan_graph_set_parameters (folded, others);
  state = srgan_graph_state_new (graph, WIDTH, HEIGHT, FALSE);
  folded_state = srgan_graph_state_new (folded, WIDTH, HEIGHT, FALSE);
  srgan_graph_forward (state, input, a);
  srgan_graph_forward (folded_state, input, b);
  for (guint i = 0; i < WIDTH * HEIGHT; i++)
    g_assert_cmpfloat_with_epsilon (a[i], b[i], 1e-5);
  srgan_network_unref (network);
}

/* Strides, even kernels, no padding, a dense head; with a spectral norm. */
static void
test_strided (void)
{
  for (gint spectral = -1; spectral < 4; spectral++) {
    SrganNetwork *network = srgan_network_new ("d", SRGAN_COLOUR_RGB, 1);
    static const struct {
      guint out, kernel, stride;
      SrganPadding padding;
    } convs[] = {{6, 3, 1, SRGAN_PADDING_ZERO}, {5, 4, 2, SRGAN_PADDING_ZERO},
        {7, 3, 2, SRGAN_PADDING_ZERO}, {35, 3, 1, SRGAN_PADDING_NONE},
        {2, 1, 1, SRGAN_PADDING_NONE}};
    gint last = SRGAN_INPUT_NETWORK;
    guint in = 3;

    for (guint i = 0; i < G_N_ELEMENTS (convs); i++) {
      guint n = convs[i].out * in * convs[i].kernel * convs[i].kernel;
      g_autofree gfloat *weight = random_numbers (n, -1, 1);
      g_autofree gfloat *bias = random_numbers (convs[i].out, -1, 1);
      g_autofree gchar *name = g_strdup_printf ("c%u", i);
      SrganLayer layer = {
          .name = name,
          .operation = SRGAN_OPERATION_CONV,
          .n_inputs = 1,
          .inputs = {last},
          .out_channels = convs[i].out,
          .kernel_width = convs[i].kernel,
          .kernel_height = convs[i].kernel,
          .stride = convs[i].stride,
          .groups = 1,
          .padding = convs[i].padding,
          .weight = weight,
          .bias = i % 2 ? bias : NULL,
      };

      for (guint k = 0; k < n; k++)
        weight[k] /= in;
      last = add (network, &layer);
      in = convs[i].out;
    }
    check_batch (network, 3, 12, 12, spectral, 0);
  }
}

/* A whole network with kinks that finite differences stumble over: along the
 * gradient and along random parts of it, where single kinks weigh little. */
static void
check_smoothed (SrganNetwork *network, guint in_channels, guint side,
    const SrganRecipe *discriminator)
{
  GError *error = NULL;
  g_autoptr (SrganGraph) graph = srgan_graph_new (network, &error);
  g_autoptr (SrganBatch) batch = NULL;
  SrganWorkers *workers = srgan_workers_new (2, NULL);
  SrganRandom random = srgan_random_init (8, side, 0);
  guint n_in = PATCHES * side * side * in_channels, n_out, n, n_tensors;
  g_autofree gfloat *input = random_numbers (n_in, 0, 1);
  g_autofree gfloat *output = NULL, *weight = NULL, *parameters = NULL;
  g_autofree gfloat *gradient = NULL, *input_gradient = NULL, *moved = NULL;
  const SrganParameter *tensors;

  g_assert_no_error (error);
  srgan_graph_want_input_gradient (graph);
  for (guint i = 0;
       discriminator != NULL && i < srgan_network_get_n_layers (network); i++)
    if (srgan_design_is_spectral (
            discriminator, srgan_network_get_layer (network, i)))
      srgan_graph_normalise_spectrum (graph, i, 5);
  batch = srgan_batch_new (graph, PATCHES, side, side, workers, NULL);
  g_assert_nonnull (batch);
  n = srgan_graph_get_n_parameters (graph);
  n_out = PATCHES * (guint) srgan_batch_get_output_length (batch);
  parameters = g_new (gfloat, n);
  gradient = g_new0 (gfloat, n);
  moved = g_new (gfloat, MAX (n, n_in));
  input_gradient = g_new (gfloat, n_in);
  output = g_new (gfloat, n_out);
  weight = random_numbers (n_out, -1, 1);
  srgan_graph_get_parameters (graph, parameters);
  srgan_graph_renew_spectra (graph, parameters);
  srgan_graph_set_parameters (graph, parameters);
  srgan_batch_forward (batch, input, output);
  srgan_batch_backward (batch, weight, gradient, input_gradient);
  srgan_graph_finish_gradient (graph, gradient);

  tensors = srgan_graph_get_tensors (graph, &n_tensors);
  for (guint t = 0; t <= n_tensors; t++) {
    gboolean is_input = t == n_tensors;
    guint first = is_input ? 0 : tensors[t].offset;
    guint length = is_input ? n_in : tensors[t].rows * tensors[t].columns;
    const gfloat *numbers = is_input ? input : parameters;
    const gfloat *slopes = is_input ? input_gradient : gradient;
    gdouble size = 0;

    if (!is_input && tensors[t].kind == SRGAN_PARAMETER_STATISTIC)
      continue;
    for (guint i = 0; i < length; i++)
      size += (gdouble) slopes[first + i] * slopes[first + i];
    size = sqrt (size);
    /* a bias before a batch-norm moves nothing */
    if (size < 1e-3)
      continue;
    for (guint round = 0; round < 3; round++) {
      gdouble expected = 0, sides[2] = {0}, difference, step = 4e-4;

      memcpy (moved, numbers, (is_input ? n_in : n) * sizeof (gfloat));
      for (guint k = 0; k < 2; k++) {
        SrganRandom lots = random;

        expected = 0;
        for (guint i = first; i < first + length; i++) {
          gdouble part = round == 0 ? 1 : srgan_random_unit (&lots);

          part *= slopes[i] / size;
          expected += part * slopes[i];
          moved[i] = (gfloat) (numbers[i] + (k == 0 ? step : -step) * part);
        }
        srgan_graph_set_parameters (graph, is_input ? parameters : moved);
        srgan_batch_forward (batch, is_input ? moved : input, output);
        for (guint i = 0; i < n_out; i++)
          sides[k] += (gdouble) output[i] * weight[i];
      }
      srgan_random_next (&random);
      difference = (sides[0] - sides[1]) / (2 * step);
      if (!(fabs (difference - expected) <= .05 * fabs (expected)))
        g_error ("tensor %u of %u (layer %s): gradient %g, difference %g", t,
            n_tensors,
            is_input
                ? "input"
                : srgan_network_get_layer (network, tensors[t].layer)->name,
            expected, difference);
    }
  }
  srgan_workers_free (workers);
  srgan_network_unref (network);
}

/* What puts maps together and takes them apart. */
static void
test_maps (void)
{
  SrganNetwork *network = srgan_network_new ("maps", SRGAN_COLOUR_Y, 1);
  SrganLayer layer = {.n_inputs = 1, .stride = 1, .groups = 1};
  gint a, b, last;

  a = add_conv (
      network, "a", SRGAN_INPUT_NETWORK, 1, 5, 3, SRGAN_ACTIVATION_NONE, TRUE);
  b = add_conv (network, "b", a, 5, 3, 3, SRGAN_ACTIVATION_NONE, TRUE);
  layer.name = (gchar *) "concat";
  layer.operation = SRGAN_OPERATION_CONCAT;
  layer.n_inputs = 3;
  layer.inputs[0] = a;
  layer.inputs[1] = b;
  layer.inputs[2] = SRGAN_INPUT_NETWORK;
  last = add (network, &layer);
  layer.n_inputs = 1;
  layer.name = (gchar *) "slice";
  layer.operation = SRGAN_OPERATION_SLICE;
  layer.inputs[0] = last;
  layer.first = 2;
  layer.out_channels = 6;
  last = add (network, &layer);
  layer.name = (gchar *) "unshuffle";
  layer.operation = SRGAN_OPERATION_PIXEL_UNSHUFFLE;
  layer.inputs[0] = last;
  layer.factor = 2;
  last = add (network, &layer);
  check_batch (network, 1, 12, 8, -1, 0);
}

/* The discriminators and the generator as they are trained, in small. */
static void
test_designs (void)
{
  g_autoptr (SrganRecipe) recipe = srgan_recipe_new ();
  GError *error = NULL;

  recipe->patch = 16;
  recipe->scale = 2;
  recipe->discriminator_channels = 4;
  recipe->colour = SRGAN_COLOUR_RGB;
  recipe->seed = 3;
  for (guint kind = 0; kind <= SRGAN_DISCRIMINATOR_UNET; kind++) {
    SrganNetwork *network;

    recipe->discriminator = kind;
    network = srgan_design_discriminator (recipe, &error);
    g_assert_no_error (error);
    check_smoothed (network, 3, 32, recipe);
  }
  recipe->design = SRGAN_DESIGN_SRRESNET;
  recipe->channels = 5;
  recipe->layers = 2;
  recipe->skip = SRGAN_SKIP_NONE;
  check_smoothed (srgan_design_network (recipe, &error), 3, 8, NULL);
  g_assert_no_error (error);
}

/* Windows of 3x3 in steps of 2, four of them, over a map of @side: what comes
 * out, and where a gradient of 1, 10, 100, 1000 goes: [side][side]. */
static void
check_max_pool (guint side, gboolean ceil_mode, const gfloat *input,
    const gfloat *expected, const gfloat *expected_gradient)
{
  static const gfloat weight[4] = {1, 10, 100, 1000};
  SrganNetwork *network = srgan_network_new ("pool", SRGAN_COLOUR_Y, 1);
  SrganLayer layer = {
      .name = (gchar *) "pool",
      .operation = SRGAN_OPERATION_MAX_POOL,
      .n_inputs = 1,
      .inputs = {SRGAN_INPUT_NETWORK},
      .kernel_width = 3,
      .kernel_height = 3,
      .stride = 2,
      .ceil_mode = ceil_mode,
      .groups = 1,
  };
  g_autoptr (SrganGraph) graph = NULL;
  g_autoptr (SrganGraphState) state = NULL;
  g_autofree gfloat *gradient = g_new (gfloat, side * side);
  gfloat output[4], unused = 0;

  if (ceil_mode)
    srgan_network_set_note (network, "ends", "features");
  add (network, &layer);
  graph = srgan_graph_new (network, NULL);
  srgan_graph_want_input_gradient (graph);
  srgan_graph_set_parameters (graph, &unused);
  state = srgan_graph_state_new (graph, side, side, TRUE);
  srgan_graph_forward (state, input, output);
  g_assert_cmpmem (output, sizeof output, expected, sizeof output);
  srgan_graph_backward (state, weight, NULL);
  srgan_graph_get_input_gradient (state, gradient);
  for (guint i = 0; i < side * side; i++)
    g_assert_cmpfloat (gradient[i], ==, expected_gradient[i]);
  srgan_network_unref (network);
}

/* A pooled map's gradient goes to the largest of each window. */
static void
test_max_pool (void)
{
  static const gfloat input[5 * 5] = {1, 2, 3, 0, 0, 4, 9, 5, 0, 7, 6, 0, 8, 1,
      1, 0, 0, 0, 2, 0, -1, 0, 0, 0, 3};
  static const gfloat expected[4] = {9, 8, 8, 8};
  static const gfloat gradient[5 * 5] = {[6] = 1, [12] = 1110};

  check_max_pool (5, FALSE, input, expected, gradient);
}

/* Likewise where windows reach beyond a map, here of 4x4. */
static void
test_max_pool_ceil (void)
{
  static const gfloat input[4 * 4] = {
      -1, -2, -3, -4, -5, -6, -7, -8, -9, -9, -9, -3, -9, -9, -2, -9};
  static const gfloat expected[4] = {-1, -3, -2, -2};
  static const gfloat gradient[4 * 4] = {[0] = 1, [2] = 10, [14] = 1100};

  check_max_pool (4, TRUE, input, expected, gradient);
}

/* --- Branches ---------------------------------------------------------- */

static SrganNetwork *
new_chain (void)
{
  SrganNetwork *network = srgan_network_new ("chain", SRGAN_COLOUR_RGB, 1);
  gint last = add_conv (
      network, "a", SRGAN_INPUT_NETWORK, 3, 4, 3, SRGAN_ACTIVATION_NONE, TRUE);

  last = add_conv (network, "b", last, 4, 4, 3, SRGAN_ACTIVATION_NONE, FALSE);
  last = add_conv (network, "c", last, 4, 5, 1, SRGAN_ACTIVATION_NONE, TRUE);
  add_conv (network, "d", last, 5, 3, 3, SRGAN_ACTIVATION_NONE, TRUE);
  return network;
}

static void
test_branches (void)
{
  check_batch (new_chain (), 3, 6, 5, -1, 1);
  check_batch (new_chain (), 3, 5, 6, -1, 3);
}

/* What they sum up to at first is the network; and of any numbers, what runs
 * is what is written. */
static void
test_branches_fold (void)
{
  g_autoptr (SrganNetwork) network = new_chain ();
  g_autoptr (SrganGraph) plain = NULL, graph = NULL;
  g_autofree gfloat *wanted = NULL, *parameters = NULL, *found = NULL;
  const guint n = WIDTH * HEIGHT * 3;
  g_autofree gfloat *input = random_numbers (n, -1, 1);
  g_autofree gfloat *a = g_new (gfloat, n), *b = g_new (gfloat, n);
  GError *error = NULL;
  guint n_plain, n_all;

  plain = srgan_graph_new (network, &error);
  g_assert_no_error (error);
  graph = srgan_graph_new (network, &error);
  g_assert_no_error (error);
  g_assert_true (srgan_graph_can_branch (graph, 0));
  g_assert_false (srgan_graph_can_branch (graph, 2)); /* 1x1 */
  for (guint i = 0; i < 4; i++)
    if (i != 2)
      srgan_graph_add_branches (graph, i, 2, 7);
  n_plain = srgan_graph_get_n_parameters (plain);
  n_all = srgan_graph_get_n_parameters (graph);
  wanted = g_new (gfloat, n_plain);
  found = g_new (gfloat, n_plain);
  parameters = g_new (gfloat, n_all);
  srgan_graph_get_parameters (plain, wanted);
  srgan_graph_get_parameters (graph, parameters);

  for (guint round = 0; round < 2; round++) {
    g_autoptr (SrganNetwork) made =
        srgan_graph_make_network (graph, parameters, "made", &error);
    g_autoptr (SrganGraph) again = NULL;
    g_autoptr (SrganGraphState) state = NULL, state_again = NULL;

    g_assert_no_error (error);
    again = srgan_graph_new (made, &error);
    g_assert_no_error (error);
    srgan_graph_get_parameters (again, found);
    if (round == 0)
      for (guint i = 0; i < n_plain; i++)
        g_assert_cmpfloat_with_epsilon (found[i], wanted[i], 1e-6);
    srgan_graph_set_parameters (again, found);
    srgan_graph_set_parameters (graph, parameters);
    state = srgan_graph_state_new (graph, WIDTH, HEIGHT, FALSE);
    state_again = srgan_graph_state_new (again, WIDTH, HEIGHT, FALSE);
    srgan_graph_forward (state, input, a);
    srgan_graph_forward (state_again, input, b);
    g_assert_cmpmem (a, n * sizeof *a, b, n * sizeof *b);
    for (guint i = 0; i < n_all; i++)
      parameters[i] += .2f * (gfloat) sin (i);
  }
}

typedef struct {
  const gchar *path;
  void (*run) (void);
} Test;

static void
run_test (gconstpointer data)
{
  stream = 0;
  ((const Test *) data)->run ();
}

int
main (int argc, char **argv)
{
  static const Test tests[] = {
      {"/train/graph/conv", test_conv},
      {"/train/graph/bf16", test_bf16},
      {"/train/graph/activation", test_activation},
      {"/train/graph/lone-activation", test_lone_activation},
      {"/train/graph/add", test_add},
      {"/train/graph/pixel-shuffle", test_pixel_shuffle},
      {"/train/graph/resize", test_resize},
      {"/train/graph/batch-norm", test_batch_norm},
      {"/train/graph/folded-norm", test_folded_norm},
      {"/train/graph/strided", test_strided},
      {"/train/graph/maps", test_maps},
      {"/train/graph/designs", test_designs},
      {"/train/graph/max-pool", test_max_pool},
      {"/train/graph/max-pool-ceil", test_max_pool_ceil},
      {"/train/graph/branches", test_branches},
      {"/train/graph/branches-fold", test_branches_fold},
  };

  g_test_init (&argc, &argv, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (tests); i++)
    g_test_add_data_func (tests[i].path, &tests[i], run_test);
  return g_test_run ();
}
