/* tests: channels that do nothing are dropped, and nothing else changes.
 *
 * SPDX-License-Identifier: MIT
 */
#include "convert/prune.h"
#include "vectors.h"

#include <string.h>

/* A network that is being made, of numbers of chance. */
typedef struct {
  SrganNetwork *network;
  GRand *rand;
  gdouble dead; /* the share of channels whose weights are zero */
  guint n_layers;
  gint unread[64]; /* layers that nothing reads yet */
  guint n_unread;
} Maker;

static void
make_start (Maker *maker, guint32 seed, gdouble dead)
{
  memset (maker, 0, sizeof *maker);
  maker->network = srgan_network_new ("made", SRGAN_COLOUR_RGB, 2);
  maker->rand = g_rand_new_with_seed (seed);
  maker->dead = dead;
}

static guint
get_channels (Maker *maker, gint index)
{
  return index < 0 ? 3
                   : srgan_network_get_layer (maker->network, (guint) index)
                         ->out_channels;
}

static gint
add (Maker *maker, SrganLayer *layer)
{
  g_autoptr (GError) error = NULL;
  g_autofree gchar *name = g_strdup_printf ("layer-%u", maker->n_layers++);
  gint index;

  layer->name = name;
  index = srgan_network_add_layer (maker->network, layer, &error);
  g_assert_no_error (error);
  for (guint i = 0; i < layer->n_inputs; i++)
    for (guint j = 0; j < maker->n_unread; j++)
      if (maker->unread[j] == layer->inputs[i])
        maker->unread[j--] = maker->unread[--maker->n_unread];
  maker->unread[maker->n_unread++] = index;
  return index;
}

static gfloat *
make_numbers (Maker *maker, gsize n)
{
  gfloat *numbers = g_new (gfloat, n);

  for (gsize i = 0; i < n; i++)
    numbers[i] = (gfloat) g_rand_double_range (maker->rand, -.3, .3);
  return numbers;
}

static gint
add_conv (Maker *maker, gint input, guint out, guint side, guint groups,
    SrganPadding padding, SrganActivation activation)
{
  guint in = get_channels (maker, input);
  gsize row = (gsize) in / groups * side * side;
  g_autofree gfloat *weight = make_numbers (maker, out * row);
  g_autofree gfloat *bias = make_numbers (maker, out);
  g_autofree gfloat *slope = make_numbers (maker, 3 * out);
  SrganLayer layer = {.operation = SRGAN_OPERATION_CONV,
      .n_inputs = 1,
      .inputs = {input},
      .out_channels = out,
      .kernel_width = side,
      .kernel_height = side,
      .groups = groups,
      .padding = padding,
      .activation = activation,
      .activation_low = .1f,
      .activation_high = .5f,
      .weight = weight,
      .bias = bias,
      .slope = slope};

  for (guint o = 0; o < out; o++)
    if (g_rand_double (maker->rand) < maker->dead) {
      memset (weight + o * row, 0, row * sizeof *weight);
      /* one that ReLU cuts, one that is nothing, one that stays */
      bias[o] = (gfloat) (g_rand_int_range (maker->rand, -1, 2)) * .2f;
    }
  for (guint i = 0; groups == 1 && i < in; i++)
    if (g_rand_double (maker->rand) < maker->dead)
      for (guint o = 0; o < out; o++)
        memset (weight + o * row + (gsize) i * side * side, 0,
            (gsize) side * side * sizeof *weight);
  return add (maker, &layer);
}

static gint
add_plain (Maker *maker, SrganOperation operation, gint a, gint b)
{
  SrganLayer layer = {.operation = operation,
      .n_inputs = b == a ? 1 : 2,
      .inputs = {a, b},
      .factor = 2,
      .filter = SRGAN_FILTER_NEAREST};

  return add (maker, &layer);
}

/* Ends the network with what enlarges by 2 to 3 channels. */
static SrganNetwork *
make_end (Maker *maker)
{
  SrganLayer concat = {.operation = SRGAN_OPERATION_CONCAT};
  g_autoptr (GError) error = NULL;
  gint last;

  g_assert_cmpuint (maker->n_unread, <=, SRGAN_LAYER_MAX_INPUTS);
  concat.n_inputs = maker->n_unread;
  memcpy (concat.inputs, maker->unread, maker->n_unread * sizeof (gint));
  last = maker->n_unread == 1 ? maker->unread[0] : add (maker, &concat);
  last = add_conv (maker, last, 12, 3, 1, SRGAN_PADDING_ZERO, 0);
  add_plain (maker, SRGAN_OPERATION_PIXEL_SHUFFLE, last, last);
  srgan_network_finish (maker->network, &error);
  g_assert_no_error (error);
  g_rand_free (maker->rand);
  return maker->network;
}

/* Prunes and compares; gives the network that is left. */
static SrganNetwork *
check (SrganNetwork *network)
{
  g_auto (SrganConvertReport) report = {0};
  g_autoptr (Tensor) input = tensor_new (3, 17, 13);
  g_autoptr (Tensor) before = NULL;
  g_autoptr (Tensor) after = NULL;
  guint64 n_before = srgan_network_get_n_parameters (network);
  guint64 n_after;

  for (gsize i = 0; i < 3 * 17 * 13; i++)
    input->values[i] = (gfloat) (i * 37 % 101) / 100.f;
  before = tensor_run (network, SRGAN_PRECISION_FP32, input);
  network = srgan_network_prune (network, &report);
  n_after = srgan_network_get_n_parameters (network);
  after = tensor_run (network, SRGAN_PRECISION_FP32, input);
  g_assert_cmpfloat (tensor_compare (before, after), <=, 1e-5);
  g_assert_cmpuint (n_after, <=, n_before);
  /* said where it was done, and only there */
  g_assert_cmpint (report.remarks != NULL, ==, n_after < n_before);
  g_assert_cmpint (srgan_network_get_note (network, "dropped-channels") != NULL,
      ==, n_after < n_before);
  return network;
}

/* What may go and what must stay, by name. */
static void
test_chain (void)
{
  Maker maker;
  SrganNetwork *network;
  gfloat *weight, *bias;

  make_start (&maker, 1, 0.);
  add_conv (&maker, -1, 6, 3, 1, SRGAN_PADDING_ZERO, SRGAN_ACTIVATION_RELU);
  add_conv (&maker, 0, 5, 3, 1, SRGAN_PADDING_ZERO, SRGAN_ACTIVATION_RELU);
  add_conv (&maker, 1, 4, 1, 1, SRGAN_PADDING_ZERO, SRGAN_ACTIVATION_NONE);
  /* the numbers are still its maker's */
  weight = (gfloat *) srgan_network_get_layer (maker.network, 0)->weight;
  bias = (gfloat *) srgan_network_get_layer (maker.network, 0)->bias;
  memset (weight, 0, 4 * 27 * sizeof *weight);
  bias[0] = -1.f; /* cut by ReLU: goes */
  bias[1] = 0.f;  /* goes */
  bias[2] = .5f;  /* zeros beyond the edges are not .5: stays */
  bias[3] = .25f; /* goes: nothing reads it, see below */
  weight = (gfloat *) srgan_network_get_layer (maker.network, 1)->weight;
  for (guint o = 0; o < 5; o++)
    memset (weight + (o * 6 + 3) * 9, 0, 9 * sizeof *weight);
  /* a constant that the 1x1 convolution takes in: goes */
  memset (weight, 0, 6 * 9 * sizeof *weight);
  bias = (gfloat *) srgan_network_get_layer (maker.network, 1)->bias;
  bias[0] = .5f;
  network = check (make_end (&maker));
  g_assert_cmpuint (srgan_network_get_layer (network, 0)->out_channels, ==, 3);
  g_assert_cmpuint (srgan_network_get_layer (network, 1)->out_channels, ==, 4);
  g_assert_cmpuint (srgan_network_get_layer (network, 2)->out_channels, ==, 4);
  g_assert_cmpstr (
      srgan_network_get_note (network, "dropped-channels"), ==, "4");
  srgan_network_unref (network);
}

/* A sum keeps a channel that any of its parts has. */
static void
test_sum (void)
{
  Maker maker;
  SrganNetwork *network;
  gfloat *weight;

  make_start (&maker, 2, 0.);
  add_conv (&maker, -1, 4, 3, 1, SRGAN_PADDING_ZERO, SRGAN_ACTIVATION_NONE);
  add_conv (&maker, 0, 4, 3, 1, SRGAN_PADDING_ZERO, SRGAN_ACTIVATION_NONE);
  add_plain (&maker, SRGAN_OPERATION_ADD, 0, 1);
  weight = (gfloat *) srgan_network_get_layer (maker.network, 1)->weight;
  memset (weight, 0, 36 * sizeof *weight);
  network = check (make_end (&maker));
  g_assert_cmpuint (srgan_network_get_layer (network, 1)->out_channels, ==, 4);
  g_assert_null (srgan_network_get_note (network, "dropped-channels"));
  srgan_network_unref (network);
}

/* Where nothing is left of a layer, one channel is. */
static void
test_nothing (void)
{
  Maker maker;
  SrganNetwork *network;

  make_start (&maker, 3, 1.);
  add_conv (&maker, -1, 4, 3, 1, SRGAN_PADDING_ZERO, SRGAN_ACTIVATION_NONE);
  add_conv (&maker, 0, 4, 3, 1, SRGAN_PADDING_ZERO, SRGAN_ACTIVATION_NONE);
  network = check (make_end (&maker));
  g_assert_cmpuint (srgan_network_get_layer (network, 0)->out_channels, ==, 1);
  srgan_network_unref (network);
}

/* Networks of chance, of whatever operations there are. */
static void
test_chance (void)
{
  guint n_pruned = 0;

  for (guint32 seed = 0; seed < 60; seed++) {
    Maker maker;
    GRand *rand = g_rand_new_with_seed (1000 + seed);
    SrganNetwork *network;
    gint map;

    make_start (&maker, seed, g_rand_double_range (rand, .05, .5));
    map = add_conv (&maker, -1, 8, 3, 1, SRGAN_PADDING_ZERO, 0);
    for (guint i = 0; i < 8; i++) {
      guint n = get_channels (&maker, map);
      gint before = g_rand_int_range (rand, 0, (gint) maker.n_layers);
      SrganPadding padding =
          (SrganPadding) g_rand_int_range (rand, 0, SRGAN_PADDING_NONE);
      SrganActivation activation =
          (SrganActivation) g_rand_int_range (rand, 0, SRGAN_ACTIVATION_ROOT);
      gboolean fits = before != map && get_channels (&maker, before) == n;

      switch (g_rand_int_range (rand, 0, 8)) {
      case 0:
        map = add_conv (&maker, map, n, 3, n, padding, activation);
        break;
      case 1:
        if (n % 2 == 0)
          map = add_conv (&maker, map, n, 3, 2, padding, activation);
        break;
      case 2:
        if (fits)
          map = add_plain (&maker, SRGAN_OPERATION_ADD, before, map);
        break;
      case 3:
        if (fits)
          map = add_plain (&maker, SRGAN_OPERATION_MULTIPLY, before, map);
        break;
      case 4:
        if (before != map && n < 24)
          map = add_plain (&maker, SRGAN_OPERATION_CONCAT, before, map);
        break;
      case 5: {
        SrganLayer slice = {.operation = SRGAN_OPERATION_SLICE,
            .n_inputs = 1,
            .inputs = {map},
            .first = n / 4,
            .out_channels = MAX (n / 2, 1)};

        map = add (&maker, &slice);
        break;
      }
      case 6:
        map = add_conv (&maker, map, 6, 1, 1, padding, activation);
        break;
      default:
        map = add_conv (&maker, map, 8, 3, 1, padding, activation);
        break;
      }
    }
    if (seed % 3 == 0 && get_channels (&maker, map) >= 4) {
      /* there and back again */
      map = add_conv (&maker, map, 8, 3, 1, SRGAN_PADDING_EDGE, 0);
      map = add_plain (&maker, SRGAN_OPERATION_PIXEL_SHUFFLE, map, map);
      map = add_plain (&maker, SRGAN_OPERATION_PIXEL_UNSHUFFLE, map, map);
    }
    if (seed % 4 == 0) {
      gint mean = add_plain (&maker, SRGAN_OPERATION_GLOBAL_MEAN, map, map);

      map = add_plain (&maker, SRGAN_OPERATION_MULTIPLY, map, mean);
    }
    network = check (make_end (&maker));
    n_pruned += srgan_network_get_note (network, "dropped-channels") != NULL;
    srgan_network_unref (network);
    g_rand_free (rand);
  }
  g_test_message ("%u of 60 networks had dead channels", n_pruned);
  g_assert_cmpuint (n_pruned, >=, 30);
}

gint
main (gint argc, gchar **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/prune/chain", test_chain);
  g_test_add_func ("/prune/sum", test_sum);
  g_test_add_func ("/prune/nothing", test_nothing);
  g_test_add_func ("/prune/chance", test_chance);
  return g_test_run ();
}
