/* convert: a model's values, found by trying.
 *
 * SPDX-License-Identifier: MIT
 */
#include "convert/range.h"

#include <math.h>
#include <srgan/srgan-engine.h>

/* Pictures to try; smaller for networks that take long. */
#define SIDE 32
#define SMALL_SIDE 16
#define MANY_PARAMETERS 2000000

static const gdouble greys[] = {.2, .5, .8};

/* To be taken, another range than the usual one must come as near as that to
 * giving greys back, and a few times nearer than the usual one. */
#define NEAR .06
#define NEARER .35

static const struct {
  gdouble input_low, input_high;
  gdouble output_low, output_high;
} ranges[] = {
    {0., 1., 0., 1.},
    {0., 255., 0., 255.},
    {-1., 1., -1., 1.},
    {0., 1., -1., 1.},
};

/* How far from flat grey the middle of the output is, as a part of its range.
 */
static gdouble
try_range (SrganNetwork *network, gdouble input_low, gdouble input_high,
    gdouble output_low, gdouble output_high)
{
  guint channels = srgan_network_get_colour (network) == SRGAN_COLOUR_Y ? 1 : 3;
  guint side = srgan_network_get_n_parameters (network) > MANY_PARAMETERS
                   ? SMALL_SIDE
                   : SIDE;
  gsize n = (gsize) channels * side * side;
  g_autofree gfloat *input = g_new (gfloat, n);
  gdouble worst = 0.;

  for (guint i = 0; i < G_N_ELEMENTS (greys); i++) {
    g_autofree gfloat *output = NULL;
    guint width, height;

    for (gsize j = 0; j < n; j++)
      input[j] = (gfloat) (input_low + greys[i] * (input_high - input_low));
    output = srgan_network_run_tensor (
        network, input, side, side, 0, &width, &height, NULL);
    if (output == NULL || width < 4 || height < 4)
      return G_MAXDOUBLE;
    for (guint c = 0; c < channels; c++) {
      gdouble sum = 0.;
      guint count = 0;

      for (guint y = height / 3; y < height - height / 3; y++)
        for (guint x = width / 3; x < width - width / 3; x++, count++)
          sum += output[((gsize) c * height + y) * width + x];
      sum = (sum / MAX (count, 1) - output_low) / (output_high - output_low);
      sum = fabs (sum - greys[i]);
      if (!(sum <= worst))
        worst = sum;
    }
  }
  return isfinite (worst) ? worst : G_MAXDOUBLE;
}

gdouble
srgan_range_try (SrganNetwork *network)
{
  return try_range (network, 0., 1., 0., 1.);
}

static gboolean
ends_with_tanh (SrganNetwork *network)
{
  const SrganLayer *last = srgan_network_get_layer (
      network, srgan_network_get_n_layers (network) - 1);

  return last->activation == SRGAN_ACTIVATION_TANH;
}

SrganNetwork *
srgan_range_build (const gchar *name, SrganGraphMake make, gpointer data,
    const SrganConvertOptions *options, SrganConvertReport *report,
    GError **error)
{
  g_autoptr (SrganGraph) graph = srgan_graph_new (name);
  g_auto (SrganConvertReport) first_report = {0};
  gdouble off[G_N_ELEMENTS (ranges)];
  SrganNetwork *network;
  guint usual, best = 0;

  if (!make (graph, data, error))
    return NULL;
  if (options->range != SRGAN_RANGE_AUTO || graph->input_high != 0. ||
      options->features)
    return srgan_graph_build (graph, options, report, error);
  network = srgan_graph_build (graph, options, &first_report, error);
  if (network == NULL)
    return NULL;
  usual = ends_with_tanh (network) ? 2 : 0;
  for (guint i = 0; i < G_N_ELEMENTS (ranges); i++) {
    off[i] = try_range (network, ranges[i].input_low, ranges[i].input_high,
        ranges[i].output_low, ranges[i].output_high);
    if (off[i] < off[best])
      best = i;
  }
  if (off[best] > NEAR || off[best] > NEARER * off[usual])
    best = usual;
  if (best != usual)
    srgan_report_remark (report,
        "its values are %g-%g in, %g-%g out: flat greys come back to %.2g of "
        "the range, at the usual %g-%g to %.2g (--range says otherwise)",
        ranges[best].input_low, ranges[best].input_high,
        ranges[best].output_low, ranges[best].output_high, off[best],
        ranges[usual].input_low, ranges[usual].input_high, off[usual]);
  srgan_network_unref (network);
  /* the graph's weights have gone into that network */
  srgan_graph_free (g_steal_pointer (&graph));
  graph = srgan_graph_new (name);
  if (!make (graph, data, error))
    return NULL;
  graph->input_low = ranges[best].input_low;
  graph->input_high = ranges[best].input_high;
  graph->output_low = ranges[best].output_low;
  graph->output_high = ranges[best].output_high;
  return srgan_graph_build (graph, options, report, error);
}
