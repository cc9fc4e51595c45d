/* tools: the networks that engines are compared on, with seeded random weights.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench-networks.h"

#include <math.h>
#include <srgan/srgan.h>
#include <string.h>

#ifdef HAVE_CONVERT
#include <srgan/srgan-convert.h>
#endif

const BenchNetwork bench_networks[] = {
    {"g1", "16 channels, 4 hidden layers", 2, 960, 540},
    {"g2", "32 channels, 8 hidden layers", 4, 480, 270},
    {"g3", "64 channels, 16 hidden layers", 4, 480, 270},
    {"g4", "SRGAN's generator", 4, 480, 270},
    {NULL, NULL, 0, 0, 0},
};

/* A network in the making; once @index is -1 nothing is added any more. */
typedef struct {
  SrganNetwork *network;
  GRand *rand;
  gboolean leaky;
  gint index; /* of the layer added last */
  GError **error;
} Builder;

/* Uniform numbers of the mean and the standard deviation asked for. */
static gfloat *
make_numbers (GRand *rand, gsize n, gdouble mean, gdouble deviation)
{
  const gdouble half = sqrt (3) * deviation;
  gfloat *numbers = g_new (gfloat, n);

  for (gsize i = 0; i < n; i++)
    numbers[i] = (gfloat) (mean + half * (2 * g_rand_double (rand) - 1));
  return numbers;
}

static gint
add_layer (Builder *builder, SrganLayer *layer, const gchar *name, guint number)
{
  gchar *full =
      number > 0 ? g_strdup_printf ("%s%u", name, number) : g_strdup (name);

  layer->name = full;
  if (layer->activation == SRGAN_ACTIVATION_PRELU && builder->leaky) {
    layer->activation = SRGAN_ACTIVATION_LEAKY_RELU;
    layer->activation_low = .1f;
  }
  if (builder->index >= SRGAN_INPUT_NETWORK)
    builder->index =
        srgan_network_add_layer (builder->network, layer, builder->error);
  if (builder->index < 0)
    builder->index = SRGAN_INPUT_NETWORK - 1;
  g_free (full);
  return builder->index;
}

/* @gain times the deviation that keeps the variance (He et al. 2015). */
static gint
add_conv (Builder *builder, const gchar *name, guint number, gint input,
    guint in_channels, guint out_channels, guint side, gboolean activate,
    gdouble gain)
{
  const guint n_summed = in_channels * side * side;
  gfloat *weight = make_numbers (builder->rand, (gsize) n_summed * out_channels,
      0, gain * sqrt (2. / n_summed));
  gfloat *bias = make_numbers (builder->rand, out_channels, 0, .05);
  gfloat *slope = make_numbers (builder->rand, out_channels, .175, .07);
  SrganLayer layer = {
      .operation = SRGAN_OPERATION_CONV,
      .n_inputs = 1,
      .inputs = {input},
      .out_channels = out_channels,
      .kernel_width = side,
      .kernel_height = side,
      .padding = SRGAN_PADDING_ZERO,
      .activation = activate ? SRGAN_ACTIVATION_PRELU : SRGAN_ACTIVATION_NONE,
      .weight = weight,
      .bias = bias,
      .slope = slope,
  };
  gint index = add_layer (builder, &layer, name, number);

  g_free (weight);
  g_free (bias);
  g_free (slope);
  return index;
}

static gint
add_sum (Builder *builder, const gchar *name, guint number, gint a, gint b)
{
  SrganLayer layer = {
      .operation = SRGAN_OPERATION_ADD, .n_inputs = 2, .inputs = {a, b}};

  return add_layer (builder, &layer, name, number);
}

/* @channels of the result are activated; 0: none. */
static gint
add_shuffle (Builder *builder, const gchar *name, guint number, gint input,
    guint factor, guint channels)
{
  gfloat *slope = make_numbers (builder->rand, MAX (channels, 1), .175, .07);
  SrganLayer layer = {
      .operation = SRGAN_OPERATION_PIXEL_SHUFFLE,
      .n_inputs = 1,
      .inputs = {input},
      .factor = factor,
      .activation =
          channels > 0 ? SRGAN_ACTIVATION_PRELU : SRGAN_ACTIVATION_NONE,
      .slope = slope,
  };
  gint index = add_layer (builder, &layer, name, number);

  g_free (slope);
  return index;
}

static void
build_chain (Builder *builder, guint scale, guint channels, guint n_hidden)
{
  SrganLayer resize = {
      .operation = SRGAN_OPERATION_RESIZE,
      .n_inputs = 1,
      .inputs = {SRGAN_INPUT_NETWORK},
      .factor = scale,
      .filter = SRGAN_FILTER_NEAREST,
  };
  gint last = add_conv (
      builder, "first", 0, SRGAN_INPUT_NETWORK, 3, channels, 3, TRUE, 1);
  gint shuffled;

  for (guint i = 1; i <= n_hidden; i++)
    last =
        add_conv (builder, "hidden", i, last, channels, channels, 3, TRUE, 1);
  last = add_conv (
      builder, "last", 0, last, channels, 3 * scale * scale, 3, FALSE, .2);
  shuffled = add_shuffle (builder, "shuffle", 0, last, scale, 0);
  last = add_layer (builder, &resize, "repeat", 0);
  add_sum (builder, "sum", 0, shuffled, last);
}

static void
build_residual (Builder *builder)
{
  gint first =
      add_conv (builder, "first", 0, SRGAN_INPUT_NETWORK, 3, 64, 9, TRUE, 1);
  gint last = first, inner;

  for (guint i = 1; i <= 16; i++) {
    inner = add_conv (builder, "inner", i, last, 64, 64, 3, TRUE, 1);
    inner = add_conv (builder, "outer", i, inner, 64, 64, 3, FALSE, .3);
    last = add_sum (builder, "block", i, inner, last);
  }
  last = add_conv (builder, "after", 0, last, 64, 64, 3, FALSE, 1);
  last = add_sum (builder, "skip", 0, last, first);
  for (guint i = 1; i <= 2; i++) {
    last = add_conv (builder, "widen", i, last, 64, 256, 3, FALSE, 1);
    last = add_shuffle (builder, "shuffle", i, last, 2, 64);
  }
  add_conv (builder, "last", 0, last, 64, 3, 9, FALSE, .2);
}

gboolean
bench_network_exists (const gchar *name)
{
  for (const BenchNetwork *bench = bench_networks; bench->name; bench++)
    if (strcmp (bench->name, name) == 0)
      return TRUE;
  return FALSE;
}

SrganNetwork *
bench_network_new (const gchar *name, gboolean leaky, GError **error)
{
  Builder builder = {.leaky = leaky, .error = error};
  const BenchNetwork *bench = bench_networks;
  g_autofree gchar *full_name = NULL;

  while (bench->name && strcmp (bench->name, name) != 0)
    bench++;
  g_return_val_if_fail (bench->name != NULL, NULL);

  full_name = g_strconcat (name, leaky ? "-leaky" : "", NULL);
  builder.network =
      srgan_network_new (full_name, SRGAN_COLOUR_RGB, bench->scale);
  builder.rand = g_rand_new_with_seed (7);
  builder.index = SRGAN_INPUT_NETWORK;
  if (strcmp (name, "g1") == 0)
    build_chain (&builder, 2, 16, 4);
  else if (strcmp (name, "g2") == 0)
    build_chain (&builder, 4, 32, 8);
  else if (strcmp (name, "g3") == 0)
    build_chain (&builder, 4, 64, 16);
  else
    build_residual (&builder);
  g_rand_free (builder.rand);
  if (builder.index < 0 || !srgan_network_finish (builder.network, error)) {
    srgan_network_unref (builder.network);
    return NULL;
  }
  return builder.network;
}

#ifdef HAVE_CONVERT
/* Pixels of a sample each way; samples, the last of which is held back. */
#define SIDE 16
#define N_SAMPLES 3

SrganNetwork *
bench_network_new_int8 (const gchar *name, GError **error)
{
  g_autoptr (SrganNetwork) network = bench_network_new (name, TRUE, error);
  SrganCalibration samples[N_SAMPLES];
  SrganNetwork *quantised = NULL;
  GRand *rand = g_rand_new_with_seed (8);
  gdouble loss;
  gsize n;

  if (network) {
    n = (gsize) 3 * SIDE * SIDE;
    for (guint i = 0; i < N_SAMPLES; i++)
      samples[i] = (SrganCalibration){SIDE, SIDE,
          make_numbers (rand, n, .5, sqrt (1. / 12)),
          make_numbers (rand,
              n * srgan_network_get_scale (network) *
                  srgan_network_get_scale (network),
              .5, sqrt (1. / 12))};
    quantised = srgan_convert_quantise (
        network, samples, N_SAMPLES, FALSE, NULL, NULL, &loss, error);
    for (guint i = 0; i < N_SAMPLES; i++) {
      g_free ((gpointer) samples[i].input);
      g_free ((gpointer) samples[i].target);
    }
  }
  g_rand_free (rand);
  return quantised;
}
#else
SrganNetwork *
bench_network_new_int8 (const gchar *name, GError **error)
{
  g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_UNSUPPORTED,
      "%s in int8: this build is without the conversion library, which "
      "calibrates",
      name);
  return NULL;
}
#endif
