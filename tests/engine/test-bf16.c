/* engine: plans of bf16 precision: against the arithmetic in doubles, and
 * against themselves with other threads and tiles.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <string.h>

#include "base/cpu.h"
#include "frames.h"
#include "kernels/bf16.h"
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

  return test_network_new_chain (&chain);
}

static TestFrame *
run (SrganNetwork *network, const TestFrame *input, guint n_threads,
    guint tile_width, guint tile_height)
{
  const SrganPlanSettings settings = {.precision = SRGAN_PRECISION_BF16,
      .n_threads = n_threads,
      .tile_width = tile_width,
      .tile_height = tile_height};

  return test_frame_run (network, &settings, input);
}

/* --- against doubles ----------------------------------------------------- */

/* What 8 bits of precision come to in a few layers, of values within 1: an
 * input, a weight or an edge in the wrong place costs ten times that. */
static void
check_against_reference (SrganNetwork *network, gint width, gint height)
{
  g_autoptr (TestFrame) input = test_frame_new_input (network, width, height);
  g_autoptr (TestFrame) output = NULL;
  g_autoptr (Map) in = map_new_from_frame (input);
  guint c, channels = in->channels;
  g_autoptr (Map) out = NULL;
  gdouble largest = 0;
  gint x, y;

  output = run (network, input, 0, 0, 0);
  out = reference_run (network, in);
  for (c = 0; c < channels; c++)
    for (y = 0; y < out->height; y++)
      for (x = 0; x < out->width; x++) {
        gdouble error =
            fabs (test_frame_get (output, c, x, y) - *map_at (out, c, x, y));

        if (!(error <= .02))
          g_error ("%s, %dx%d: channel %u at %d, %d is off by %g",
              srgan_network_get_name (network), width, height, c, x, y, error);
        largest = MAX (largest, error);
      }
  g_test_message ("%s, %dx%d: off by %.2g at most",
      srgan_network_get_name (network), width, height, largest);
}

static void
test_chains (void)
{
  static const guint channels[] = {3, 16, 20, 17, 24, 32, 18};
  guint i;

  for (i = 0; i < G_N_ELEMENTS (sizes); i++) {
    g_autoptr (SrganNetwork) network =
        new_chain (i % 2 ? SRGAN_COLOUR_Y : SRGAN_COLOUR_RGB, 1 + i % 4,
            channels[i], (SrganFilter) (i % SRGAN_N_FILTERS));

    check_against_reference (network, sizes[i][0], sizes[i][1]);
  }
}

/* Sums of maps, an activation of its own, a shuffle amid the layers: on
 * floats, and back. */
static void
test_residual (void)
{
  guint scale;

  for (scale = 1; scale <= 4; scale *= 2) {
    g_autoptr (SrganNetwork) network =
        test_network_new_residual (SRGAN_COLOUR_Y, scale, 16, 2, scale);

    check_against_reference (network, 3, 2);
    check_against_reference (network, 23, 14);
  }
}

/* --- the same bits ------------------------------------------------------- */

static void
check_same (SrganNetwork *network, gint width, gint height)
{
  SrganLayout layout = format_get_layout (FORMAT_GRAY8);
  g_autoptr (TestFrame) input = test_frame_new (&layout, width, height);
  g_autoptr (TestFrame) wanted = NULL;
  guint i;
  gint x, y;

  test_frame_fill (input, 5);
  wanted = run (network, input, 1, 0, 0);
  for (i = 1; i < 5; i++) {
    g_autoptr (TestFrame) output =
        run (network, input, i, i % 2 ? 8 : 0, i % 2 ? 4 + 8 * (i % 4) : 0);

    for (y = 0; y < wanted->height; y++)
      for (x = 0; x < wanted->width; x++)
        g_assert_cmpfloat (test_frame_get (wanted, 0, x, y), ==,
            test_frame_get (output, 0, x, y));
  }
}

static void
test_same (void)
{
  g_autoptr (SrganNetwork) chain =
      new_chain (SRGAN_COLOUR_Y, 2, 32, SRGAN_FILTER_NEAREST);
  g_autoptr (SrganNetwork) residual =
      test_network_new_residual (SRGAN_COLOUR_Y, 2, 16, 2, 2);
  guint i;

  for (i = 0; i < G_N_ELEMENTS (sizes); i++)
    check_same (chain, sizes[i][0], sizes[i][1]);
  check_same (residual, 37, 21);
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
      .precision = SRGAN_PRECISION_BF16,
      .layout = format_get_layout (FORMAT_GRAY8)};
  g_autoptr (SrganPlan) plan = srgan_plan_new (network, &settings, NULL);
  SrganPlanReport whole;
  SrganLayerReport report;
  guint i, n = 0;

  srgan_plan_get_report (plan, &whole);
  g_assert_cmpint (whole.precision, ==, SRGAN_PRECISION_BF16);
  for (i = 0; srgan_plan_get_layer_report (plan, i, &report); i++)
    if (report.operation == SRGAN_OPERATION_CONV && i > 0) {
      g_assert_cmpstr (report.algorithm, ==, "bf16");
      g_assert_cmpint (report.precision, ==, SRGAN_PRECISION_BF16);
      n++;
    } else {
      g_assert_cmpint (report.precision, ==, SRGAN_PRECISION_FP32);
    }
  g_assert_cmpuint (n, ==, 3);
}

/* "auto" is bf16 where that is known to lose next to nothing and where there
 * are tiles. */
static void
test_auto (void)
{
  static const struct {
    const gchar *note;
    gboolean good;
  } cases[] = {{NULL, FALSE}, {"0.03", FALSE}, {"0.02", TRUE},
      {"0.0001 dB on 16 pictures held back", TRUE}, {"small", FALSE}};
  gboolean is_faster =
      srgan_bf16_kernels_get (srgan_cpu_get_flags ())->is_faster;
  guint i, j;

  for (i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autoptr (SrganNetwork) chain =
        new_chain (SRGAN_COLOUR_Y, 2, 16, SRGAN_FILTER_NEAREST);
    g_autoptr (SrganNetwork) network = srgan_network_new_like (chain);
    SrganPlanSettings settings = {
        .width = 8, .height = 8, .layout = format_get_layout (FORMAT_GRAY8)};
    g_autoptr (SrganPlan) plan = NULL;
    SrganPlanReport report;

    for (j = 0; j < srgan_network_get_n_layers (chain); j++)
      srgan_network_add_layer (
          network, srgan_network_get_layer (chain, j), NULL);
    if (cases[i].note)
      srgan_network_set_note (network, "bf16-loss", cases[i].note);
    g_assert_true (srgan_network_finish (network, NULL));
    plan = srgan_plan_new (network, &settings, NULL);
    srgan_plan_get_report (plan, &report);
    g_assert_cmpint (report.precision, ==,
        cases[i].good && is_faster ? SRGAN_PRECISION_BF16
                                   : SRGAN_PRECISION_FP32);
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/bf16/chains", test_chains);
  g_test_add_func ("/bf16/residual", test_residual);
  g_test_add_func ("/bf16/same", test_same);
  g_test_add_func ("/bf16/report", test_report);
  g_test_add_func ("/bf16/auto", test_auto);
  return g_test_run ();
}
