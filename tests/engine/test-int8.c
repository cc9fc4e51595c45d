/* engine: plans of int8 precision: against the arithmetic in doubles, and
 * against themselves on every instruction set, with other threads and tiles.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <string.h>

#include "base/cpu.h"
#include "frames.h"
#include "kernels/int8.h"
#include "reference.h"
#include "test-networks.h"

static const gint sizes[][2] = {
    {1, 1}, {1, 7}, {9, 1}, {2, 2}, {5, 3}, {33, 17}, {70, 41}};

static SrganNetwork *
new_chain (SrganColour colour, guint scale, guint channels, SrganFilter skip)
{
  const TestChain chain = {.colour = colour,
      .scale = scale,
      .channels = channels,
      .n_middle = 2,
      .activation = SRGAN_ACTIVATION_PRELU,
      .skip = skip,
      .seed = 7 + scale + channels};
  g_autoptr (SrganNetwork) network = test_network_new_chain (&chain);

  return test_network_new_quantised (network, channels);
}

static SrganNetwork *
new_residual (guint scale)
{
  g_autoptr (SrganNetwork) network =
      test_network_new_residual (SRGAN_COLOUR_Y, scale, 16, 2, scale);

  return test_network_new_quantised (network, scale);
}

static TestFrame *
run (SrganNetwork *network, const TestFrame *input, SrganPrecision precision,
    guint n_threads, guint tile_width, guint tile_height)
{
  const SrganPlanSettings settings = {.precision = precision,
      .n_threads = n_threads,
      .tile_width = tile_width,
      .tile_height = tile_height};

  return test_frame_run (network, &settings, input);
}

/* --- against doubles ----------------------------------------------------- */

static void
check_against_reference (
    SrganNetwork *network, gint width, gint height, gdouble max_error)
{
  g_autoptr (TestFrame) input = test_frame_new_input (network, width, height);
  g_autoptr (TestFrame) output = NULL;
  g_autoptr (Map) in = map_new_from_frame (input);
  guint c, channels = in->channels;
  g_autoptr (Map) out = NULL;
  g_autoptr (Map) fp32 = NULL;
  gdouble error = 0, loss = 0, own_loss = 0;
  gint x, y;

  for (c = 0; c < channels; c++)
    for (y = 0; y < height; y++)
      for (x = 0; x < width; x++)
        /* as finely as the engine takes it: else codes tip over */
        *map_at (in, c, x, y) = rint (*map_at (in, c, x, y) * 16320) / 16320;
  output = run (network, input, SRGAN_PRECISION_INT8, 0, 0, 0);
  out = reference_run_int8 (network, in);
  fp32 = reference_run (network, in);
  for (c = 0; c < channels; c++)
    for (y = 0; y < out->height; y++)
      for (x = 0; x < out->width; x++) {
        gdouble wanted = *map_at (out, c, x, y);

        error += pow (test_frame_get (output, c, x, y) - wanted, 2);
        own_loss +=
            pow (test_frame_get (output, c, x, y) - *map_at (fp32, c, x, y), 2);
        loss += pow (*map_at (fp32, c, x, y) - wanted, 2);
      }
  g_test_message ("%s, %dx%d: %.3g of the quantisation's own error",
      srgan_network_get_name (network), width, height, sqrt (error / loss));
  /* The first layer's weights are of 12 to 15 bits, not of 24: here and there a
   * code tips over to the next one, which may be much of a tiny frame. NaN
   * fails, too. */
  if (!(error <= max_error * loss && own_loss <= 1.5 * loss) &&
      !(sqrt (error) <= .005))
    g_error ("%s, %dx%d: off by %g, int8 itself by %g",
        srgan_network_get_name (network), width, height, sqrt (error),
        sqrt (loss));
}

static void
test_chains (void)
{
  static const guint channels[] = {3, 8, 12, 16, 24, 32, 5};
  guint i;

  for (i = 0; i < G_N_ELEMENTS (sizes); i++) {
    g_autoptr (SrganNetwork) network =
        new_chain (i % 2 ? SRGAN_COLOUR_Y : SRGAN_COLOUR_RGB, 1 + i % 4,
            channels[i], (SrganFilter) (i % SRGAN_N_FILTERS));

    check_against_reference (network, sizes[i][0], sizes[i][1], .2);
  }
}

/* Sums of maps, an activation of its own, a shuffle amid the layers: on
 * floats, and back. */
/* In so many layers, codes that tip over tip others. */
static void
test_residual (void)
{
  guint scale;

  for (scale = 1; scale <= 4; scale *= 2) {
    g_autoptr (SrganNetwork) network = new_residual (scale);

    check_against_reference (network, 7, 5, .6);
    check_against_reference (network, 23, 14, .6);
  }
}

/* --- the same bits ------------------------------------------------------- */

static const gchar *const masks[] = {"scalar", "avx2", "avxvnni", "avx512",
    "avx512vnni", "neon", "dotprod", NULL};

/* Chroma is not the network's: it is interpolated in floats. */
static void
assert_equal_luma (const TestFrame *a, const TestFrame *b)
{
  gint x, y;

  for (y = 0; y < a->height; y++)
    for (x = 0; x < a->width; x++)
      if (test_frame_get (a, 0, x, y) != test_frame_get (b, 0, x, y))
        g_error ("luma differs at %d, %d: %g, %g", x, y,
            test_frame_get (a, 0, x, y), test_frame_get (b, 0, x, y));
}

static void
check_same (SrganNetwork *network, Format format, gint width, gint height)
{
  const SrganLayout layout = format_get_layout (format);
  g_autoptr (TestFrame) input = test_frame_new (&layout, width, height);
  g_autoptr (TestFrame) wanted = NULL;
  guint i;

  test_frame_fill (input, 5);
  wanted = run (network, input, SRGAN_PRECISION_INT8, 1, 0, 0);
  for (i = 0; masks[i]; i++) {
    g_autoptr (TestFrame) output = NULL;

    g_setenv ("SRGAN_CPU", masks[i], TRUE);
    output = run (network, input, SRGAN_PRECISION_INT8, 1 + i % 3,
        i % 2 ? 8 : 0, i % 2 ? 4 + 8 * (i % 4) : 0);
    g_unsetenv ("SRGAN_CPU");
    assert_equal_luma (wanted, output);
  }
}

static void
test_same_chains (void)
{
  static const guint channels[] = {16, 5, 32, 8};
  guint i, j;

  for (i = 0; i < G_N_ELEMENTS (channels); i++) {
    g_autoptr (SrganNetwork) network = new_chain (
        SRGAN_COLOUR_Y, 2 + i % 3, channels[i], SRGAN_FILTER_NEAREST);

    for (j = 0; j < G_N_ELEMENTS (sizes); j++)
      check_same (network, j % 2 ? FORMAT_GRAY8 : FORMAT_I420, sizes[j][0],
          sizes[j][1]);
  }
}

static void
test_same_builtins (void)
{
  const gchar *const *names = srgan_network_list_builtins ();
  guint i, n = 0;

  for (i = 0; names[i]; i++) {
    g_autoptr (SrganNetwork) network =
        srgan_network_open (names[i], 0, NULL, NULL);

    if (srgan_network_get_precision (network) != SRGAN_PRECISION_INT8)
      continue;
    check_same (network, FORMAT_GRAY8, 67, 45);
    check_same (network, FORMAT_I420, 31, 18);
    n++;
  }
  if (n == 0)
    g_test_skip ("no built-in network has been quantised");
}

static void
test_same_residual (void)
{
  g_autoptr (SrganNetwork) network = new_residual (2);

  check_same (network, FORMAT_GRAY8, 37, 21);
}

/* --- what is decided ----------------------------------------------------- */

static void
test_report (void)
{
  g_autoptr (SrganNetwork) network =
      new_chain (SRGAN_COLOUR_Y, 2, 16, SRGAN_FILTER_NEAREST);
  SrganPlanSettings settings = {.width = 64,
      .height = 48,
      .n_threads = 1,
      .precision = SRGAN_PRECISION_INT8,
      .layout = format_get_layout (FORMAT_GRAY8)};
  g_autoptr (SrganPlan) plan = srgan_plan_new (network, &settings, NULL);
  SrganPlanReport whole;
  SrganLayerReport report;
  guint i;

  srgan_plan_get_report (plan, &whole);
  g_assert_cmpint (whole.precision, ==, SRGAN_PRECISION_INT8);
  for (i = 0; srgan_plan_get_layer_report (plan, i, &report); i++)
    if (report.operation == SRGAN_OPERATION_CONV) {
      g_assert_cmpstr (report.algorithm, ==, "int8");
      g_assert_cmpint (report.precision, ==, SRGAN_PRECISION_INT8);
      g_assert_cmpuint (report.ring_rows, >, 0);
      /* bytes: a few rows of 16 channels and some pixels around */
      g_assert_cmpuint (
          report.ring_bytes, <, (report.ring_rows + 2) * (64 + 16) * 16);
    } else {
      g_assert_cmpint (report.precision, ==, SRGAN_PRECISION_FP32);
    }
}

static SrganPrecision
get_choice (SrganNetwork *network)
{
  const SrganPlanSettings settings = {
      .width = 8, .height = 8, .layout = format_get_layout (FORMAT_GRAY8)};
  g_autoptr (SrganPlan) plan = srgan_plan_new (network, &settings, NULL);
  SrganPlanReport report;

  srgan_plan_get_report (plan, &report);
  return report.precision;
}

/* "auto" is int8 where that is known to lose little and to be faster. */
static void
test_auto (void)
{
  static const struct {
    const gchar *note;
    gboolean good;
  } cases[] = {{NULL, FALSE}, {"0.2", FALSE}, {"0.1", TRUE}, {"0.04", TRUE},
      {"-0.01", TRUE}, {"small", FALSE}};
  gboolean is_faster =
      srgan_int8_kernels_get (srgan_cpu_get_flags ())->is_faster;
  guint i, j;

  for (i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autoptr (SrganNetwork) chain =
        new_chain (SRGAN_COLOUR_Y, 2, 16, SRGAN_FILTER_NEAREST);
    g_autoptr (SrganNetwork) network = srgan_network_new_like (chain);

    for (j = 0; j < srgan_network_get_n_layers (chain); j++)
      srgan_network_add_layer (
          network, srgan_network_get_layer (chain, j), NULL);
    if (cases[i].note)
      srgan_network_set_note (network, "int8-loss", cases[i].note);
    g_assert_true (srgan_network_finish (network, NULL));
    g_assert_cmpint (get_choice (network), ==,
        cases[i].good && is_faster ? SRGAN_PRECISION_INT8
                                   : SRGAN_PRECISION_FP32);
    g_setenv ("SRGAN_CPU", "scalar", TRUE);
    g_assert_cmpint (get_choice (network), ==, SRGAN_PRECISION_FP32);
    g_unsetenv ("SRGAN_CPU");
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/int8/chains", test_chains);
  g_test_add_func ("/int8/residual", test_residual);
  g_test_add_func ("/int8/same-chains", test_same_chains);
  g_test_add_func ("/int8/same-builtins", test_same_builtins);
  g_test_add_func ("/int8/same-residual", test_same_residual);
  g_test_add_func ("/int8/report", test_report);
  g_test_add_func ("/int8/auto", test_auto);
  return g_test_run ();
}
