/* Graphs in int8: what they compute is what the engine's int8 plans do, bit for
 * bit; what they learn is written as codes.
 *
 * SPDX-License-Identifier: MIT
 */
#include <srgan/srgan-engine.h>

#include <math.h>
#include <string.h>

#include "network/operations.h"
#include "test-networks.h"
#include "train/quantised.h"
#include "train/random.h"

#define WIDTH 37
#define HEIGHT 23

typedef struct {
  SrganNetwork *network;
  SrganGraph *graph;
  SrganGraphState *state;
  guint n_out;
  guint n_parameters;
  gfloat *input, *output, *parameters;
} Fixture;

static SrganNetwork *
new_network (guint scale, guint channels)
{
  const TestChain chain = {.scale = scale,
      .channels = channels,
      .n_middle = 2,
      .activation = SRGAN_ACTIVATION_PRELU,
      .seed = scale + channels};
  g_autoptr (SrganNetwork) network = test_network_new_chain (&chain);

  return test_network_new_quantised (network, channels);
}

static void
set_up (Fixture *fixture, guint scale, guint channels)
{
  SrganRandom random = srgan_random_init (5, scale, channels);
  GError *error = NULL;

  fixture->network = new_network (scale, channels);
  fixture->graph = srgan_graph_new (fixture->network, &error);
  g_assert_no_error (error);
  srgan_graph_quantise (fixture->graph, &error);
  g_assert_no_error (error);
  fixture->state = srgan_graph_state_new (fixture->graph, WIDTH, HEIGHT, TRUE);
  fixture->n_out = WIDTH * HEIGHT * scale * scale;
  fixture->n_parameters = srgan_graph_get_n_parameters (fixture->graph);
  fixture->input = g_new (gfloat, WIDTH * HEIGHT);
  fixture->output = g_new (gfloat, fixture->n_out);
  fixture->parameters = g_new (gfloat, fixture->n_parameters);
  srgan_graph_get_parameters (fixture->graph, fixture->parameters);
  srgan_graph_set_parameters (fixture->graph, fixture->parameters);
  for (guint i = 0; i < WIDTH * HEIGHT; i++)
    fixture->input[i] = (gfloat) srgan_random_between (&random, 0, 1);
}

static void
tear_down (Fixture *fixture)
{
  srgan_graph_state_free (fixture->state);
  srgan_graph_free (fixture->graph);
  srgan_network_unref (fixture->network);
  g_free (fixture->input);
  g_free (fixture->output);
  g_free (fixture->parameters);
}

/* What a plan of int8 precision makes of the input. */
static gfloat *
run_plan (SrganNetwork *network, const gfloat *input)
{
  const SrganPlanSettings settings = {.width = WIDTH,
      .height = HEIGHT,
      .layout = {.kind = SRGAN_LAYOUT_TENSOR},
      .precision = SRGAN_PRECISION_INT8,
      .n_threads = 1};
  guint scale = srgan_network_get_scale (network);
  gfloat *output = g_new (gfloat, WIDTH * HEIGHT * scale * scale);
  const SrganFrame in = {{(gpointer) input}, {WIDTH * sizeof (gfloat)}};
  const SrganFrame out = {{output}, {WIDTH * scale * sizeof (gfloat)}};
  GError *error = NULL;
  g_autoptr (SrganPlan) plan = srgan_plan_new (network, &settings, &error);

  g_assert_no_error (error);
  srgan_plan_run (plan, &in, &out);
  return output;
}

static void
test_engine (void)
{
  static const guint cases[][2] = {{2, 16}, {3, 8}, {4, 10}};

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autofree gfloat *wanted = NULL;
    Fixture fixture;

    set_up (&fixture, cases[i][0], cases[i][1]);
    wanted = run_plan (fixture.network, fixture.input);
    srgan_graph_forward (fixture.state, fixture.input, fixture.output);
    g_assert_cmpmem (fixture.output, fixture.n_out * sizeof (gfloat), wanted,
        fixture.n_out * sizeof (gfloat));
    tear_down (&fixture);
  }
}

/* What is learned comes back as another network's codes, and fp32 stays. */
static void
test_learned (void)
{
  SrganRandom random = srgan_random_init (6, 0, 0);
  g_autoptr (SrganNetwork) learned = NULL;
  g_autofree gfloat *wanted = NULL;
  guint n_changed = 0;
  GError *error = NULL;
  Fixture fixture;

  set_up (&fixture, 2, 12);
  for (guint i = 0; i < fixture.n_parameters; i++)
    fixture.parameters[i] += (gfloat) srgan_random_between (&random, -.02, .02);
  srgan_graph_set_parameters (fixture.graph, fixture.parameters);
  srgan_graph_forward (fixture.state, fixture.input, fixture.output);
  learned = srgan_graph_make_network (
      fixture.graph, fixture.parameters, "learned", &error);
  g_assert_no_error (error);
  g_assert_true (srgan_network_finish (learned, &error));
  wanted = run_plan (learned, fixture.input);
  g_assert_cmpmem (fixture.output, fixture.n_out * sizeof (gfloat), wanted,
      fixture.n_out * sizeof (gfloat));

  for (guint i = 0; i < srgan_network_get_n_layers (learned); i++) {
    const SrganLayer *was = srgan_network_get_layer (fixture.network, i);
    const SrganLayer *is = srgan_network_get_layer (learned, i);
    gsize n = (gsize) was->in_channels * was->out_channels * was->kernel_width *
              was->kernel_height;

    if (was->operation != SRGAN_OPERATION_CONV)
      continue;
    g_assert_cmpmem (
        is->weight, n * sizeof (gfloat), was->weight, n * sizeof (gfloat));
    g_assert_cmpmem (is->bias, is->out_channels * sizeof (gfloat), was->bias,
        is->out_channels * sizeof (gfloat));
    if (is->activation == SRGAN_ACTIVATION_PRELU)
      g_assert_cmpmem (is->slope, is->out_channels * sizeof (gfloat),
          was->slope, is->out_channels * sizeof (gfloat));
    n_changed += is->int8_bias != NULL;
  }
  g_assert_cmpuint (n_changed, ==, 4);
  tear_down (&fixture);
}

/* Straight through the rounding: nearly the gradient of the same network in
 * floats, whose weights are what the codes come to. */
static void
test_gradient (void)
{
  SrganRandom random = srgan_random_init (8, 0, 0);
  g_autoptr (SrganGraph) other = NULL;
  g_autoptr (SrganGraphState) state = NULL;
  g_autofree gfloat *values = NULL, *gradient = NULL, *wanted = NULL,
                    *weight = NULL;
  const SrganParameter *tensors;
  guint n_tensors;
  GError *error = NULL;
  Fixture fixture;

  set_up (&fixture, 2, 16);
  /* little enough that no code is cut off */
  for (guint i = 0; i < WIDTH * HEIGHT; i++)
    fixture.input[i] *= .25f;
  weight = g_new (gfloat, fixture.n_out);
  for (guint i = 0; i < fixture.n_out; i++)
    weight[i] = (gfloat) srgan_random_between (&random, -1, 1);
  gradient = g_new (gfloat, fixture.n_parameters);
  srgan_graph_forward (fixture.state, fixture.input, NULL);
  srgan_graph_backward (fixture.state, weight, gradient);
  srgan_graph_finish_gradient (fixture.graph, gradient);

  other = srgan_graph_new (fixture.network, &error);
  g_assert_no_error (error);
  values = g_new (gfloat, fixture.n_parameters);
  wanted = g_new (gfloat, fixture.n_parameters);
  /* the values that are rounded: less than half a code away */
  memcpy (values, fixture.parameters, fixture.n_parameters * sizeof (gfloat));
  srgan_graph_set_parameters (other, values);
  state = srgan_graph_state_new (other, WIDTH, HEIGHT, TRUE);
  srgan_graph_forward (state, fixture.input, NULL);
  srgan_graph_backward (state, weight, wanted);

  tensors = srgan_graph_get_tensors (fixture.graph, &n_tensors);
  for (guint t = 0; t < n_tensors; t++) {
    guint n = tensors[t].rows * tensors[t].columns;
    gdouble products[3] = {0};

    for (guint i = tensors[t].offset; i < tensors[t].offset + n; i++) {
      products[0] += (gdouble) gradient[i] * wanted[i];
      products[1] += (gdouble) gradient[i] * gradient[i];
      products[2] += (gdouble) wanted[i] * wanted[i];
    }
    /* fp32's own: the slopes, and the weights that read the input */
    if (tensors[t].kind == SRGAN_PARAMETER_SLOPE ||
        (tensors[t].kind == SRGAN_PARAMETER_WEIGHT && tensors[t].layer == 0)) {
      g_assert_cmpfloat (products[1], ==, 0);
      continue;
    }
    g_test_message ("tensor %u: cosine %.5f, length %.4f", t,
        products[0] / sqrt (products[1] * products[2]),
        sqrt (products[1] / products[2]));
    g_assert_cmpfloat (products[0] / sqrt (products[1] * products[2]), >, .95);
    g_assert_cmpfloat (fabs (log (products[1] / products[2])), <, .1);
  }
  tear_down (&fixture);
}

static void
test_refused (void)
{
  const TestChain chain = {.channels = 8, .n_middle = 1};
  g_autoptr (SrganNetwork) network = test_network_new_chain (&chain);
  g_autoptr (SrganNetwork) residual =
      test_network_new_residual (SRGAN_COLOUR_Y, 2, 8, 1, 1);
  g_autoptr (SrganNetwork) quantised = test_network_new_quantised (residual, 1);
  SrganNetwork *const networks[] = {network, quantised};
  static const gchar *const wanted[] = {"*srgan-convert --int8*",
      "*its codes are read by more than convolutions*"};

  for (guint i = 0; i < G_N_ELEMENTS (networks); i++) {
    g_autoptr (GError) error = NULL;
    g_autoptr (SrganGraph) graph = srgan_graph_new (networks[i], &error);

    g_assert_no_error (error);
    g_assert_false (srgan_graph_quantise (graph, &error));
    g_assert_error (error, SRGAN_ERROR, SRGAN_ERROR_UNSUPPORTED);
    g_test_message ("%s", error->message);
    g_assert_true (g_pattern_match_simple (wanted[i], error->message));
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/quantised/engine", test_engine);
  g_test_add_func ("/quantised/learned", test_learned);
  g_test_add_func ("/quantised/gradient", test_gradient);
  g_test_add_func ("/quantised/refused", test_refused);
  return g_test_run ();
}
