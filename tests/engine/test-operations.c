/* engine: each operation, in small networks that need it, against the second
 * opinion in doubles, and against itself under other tiles and threads.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <string.h>

#include "frames.h"
#include "reference.h"
#include "test-networks.h"

#define MAX_LAYERS 16

/* A network: layers in order, inputs as indices; a layer without inputs reads
 * the one before it (the first: the network's input). The names are made. */
typedef struct {
  const gchar *name;
  SrganColour colour;
  guint scale; /* 0: 1 */
  SrganLayer layers[MAX_LAYERS];
} Case;

/* Most layers of the cases. */
#define CONV(side, out)                                      \
  .operation = SRGAN_OPERATION_CONV, .kernel_width = (side), \
  .kernel_height = (side), .out_channels = (out)
#define TRANSPOSED(side, factor, out)                                   \
  .operation = SRGAN_OPERATION_TRANSPOSED_CONV, .kernel_width = (side), \
  .kernel_height = (side), .stride = (factor), .out_channels = (out)
#define OF(name) .operation = SRGAN_OPERATION_##name
#define ACT(name) .activation = SRGAN_ACTIVATION_##name
#define FROM1(a) .n_inputs = 1, .inputs = {a}
#define FROM2(a, b) .n_inputs = 2, .inputs = {a, b}
#define FROM3(a, b, c) .n_inputs = 3, .inputs = {a, b, c}

static SrganNetwork *
build (const Case *c, guint32 seed)
{
  SrganNetwork *network =
      srgan_network_new (c->name, c->colour, MAX (c->scale, 1));
  GRand *rand = g_rand_new_with_seed (seed);
  GError *error = NULL;
  guint i;

  for (i = 0; i < MAX_LAYERS; i++) {
    SrganLayer layer = c->layers[i];
    gchar name[8];

    if (layer.operation == 0 && layer.out_channels == 0)
      break;
    g_snprintf (name, sizeof name, "l%u", i);
    layer.name = name;
    if (layer.n_inputs == 0) {
      layer.n_inputs = 1;
      layer.inputs[0] = (gint) i - 1;
    }
    test_network_add_random_layer (network, &layer, .7, rand);
  }
  srgan_network_finish (network, &error);
  g_assert_no_error (error);
  g_rand_free (rand);
  return network;
}

static guint
get_n_channels (SrganNetwork *network)
{
  return srgan_network_get_colour (network) == SRGAN_COLOUR_Y ? 1 : 3;
}

static gfloat *
make_input (guint channels, gint width, gint height)
{
  GRand *rand = g_rand_new_with_seed (5);
  gfloat *input = g_new (gfloat, (gsize) channels * width * height);
  gsize i;

  for (i = 0; i < (gsize) channels * width * height; i++)
    input[i] = (gfloat) g_rand_double_range (rand, -.2, 1.2);
  g_rand_free (rand);
  return input;
}

static void
check_tensor (SrganNetwork *network, gint width, gint height)
{
  guint channels = get_n_channels (network), out_width, out_height;
  g_autofree gfloat *input = make_input (channels, width, height);
  g_autofree gfloat *output = NULL;
  g_autoptr (Map) in = map_new (channels, width, height);
  g_autoptr (Map) out = NULL;
  gdouble worst = 0, largest = 1;
  GError *error = NULL;
  gsize i, n;

  for (i = 0; i < (gsize) channels * width * height; i++)
    in->values[i] = input[i];
  output = srgan_network_run_tensor (
      network, input, width, height, 2, &out_width, &out_height, &error);
  g_assert_no_error (error);
  out = reference_run (network, in);
  g_assert_cmpuint (out_width, ==, out->width);
  g_assert_cmpuint (out_height, ==, out->height);
  n = (gsize) out->channels * out->width * out->height;
  for (i = 0; i < n; i++) {
    worst = MAX (worst, fabs (output[i] - out->values[i]));
    largest = MAX (largest, fabs (out->values[i]));
    if (!isfinite (output[i]))
      worst = G_MAXDOUBLE;
  }
  g_test_message ("%s, %dx%d: off by %.2g at most",
      srgan_network_get_name (network), width, height, worst);
  if (!(worst <= 1e-5 * largest))
    g_error ("%s, %dx%d: off by %g", srgan_network_get_name (network), width,
        height, worst);
}

/* The same bits in any tiles, on any number of threads. */
static void
check_tiles (SrganNetwork *network, gint width, gint height)
{
  static const guint tiles[][3] = {/* width, height, threads */
      {0, 0, 1}, {0, 0, 3}, {1, 1, 2}, {0, 3, 2}, {5, 0, 2}, {16, 8, 4},
      {13, 7, 1}};
  guint channels = get_n_channels (network), i, c, w, h;
  g_autofree gfloat *input = make_input (channels, width, height);
  g_autofree gfloat *first = NULL;

  for (i = 0; i < G_N_ELEMENTS (tiles); i++) {
    const SrganPlanSettings settings = {.width = (guint) width,
        .height = (guint) height,
        .layout = {.kind = SRGAN_LAYOUT_TENSOR},
        .tile_width = tiles[i][0],
        .tile_height = tiles[i][1],
        .n_threads = tiles[i][2]};
    GError *error = NULL;
    g_autoptr (SrganPlan) plan = srgan_plan_new (network, &settings, &error);
    SrganFrame in = {{NULL}, {0}}, out = {{NULL}, {0}};
    gfloat *output;
    guint round;

    g_assert_no_error (error);
    srgan_plan_get_output_size (plan, &w, &h);
    output = g_new0 (gfloat, (gsize) channels * w * h);
    for (c = 0; c < channels; c++) {
      in.component[c] = input + (gsize) c * width * height;
      in.stride[c] = width * sizeof (gfloat);
      out.component[c] = output + (gsize) c * w * h;
      out.stride[c] = w * sizeof (gfloat);
    }
    /* A plan's second frame is like its first. */
    for (round = 0; round < (i % 3 == 0 || g_test_thorough () ? 2 : 1);
         round++) {
      srgan_plan_run (plan, &in, &out);
      if (first &&
          memcmp (first, output, (gsize) channels * w * h * sizeof (gfloat)))
        g_error ("%s: tiles of %ux%u on %u threads, frame %u: other bits",
            srgan_network_get_name (network), tiles[i][0], tiles[i][1],
            tiles[i][2], round + 1);
      if (!first)
        first = g_memdup2 (output, (gsize) channels * w * h * sizeof (gfloat));
    }
    g_free (output);
  }
}

static void
check_case (const Case *c)
{
  g_autoptr (SrganNetwork) network = build (c, 3);

  check_tensor (network, 24, 24);
  check_tensor (network, 36, 48);
  check_tensor (network, 120, 24);
  check_tiles (network, g_test_thorough () ? 72 : 48, 36);
}

/* --- activations ---------------------------------------------------------- */

static void
test_activations (void)
{
  guint activation, channels;

  /* Roots are too steep near 0 to compare what rounding has moved there: they
   * are tested on means of squares, below. */
  for (activation = 1; activation < SRGAN_ACTIVATION_ROOT; activation++)
    for (channels = 3; channels <= 20; channels += 17) {
      /* fused or after a convolution, after another operation, alone */
      const Case c = {srgan_activation_to_string (activation), SRGAN_COLOUR_RGB,
          1,
          {{CONV (3, channels), .activation = activation,
               .activation_low = -.2f, .activation_high = .4f},
              {CONV (3, channels)},
              {OF (ADD), FROM2 (0, 1), .activation = activation,
                  .activation_low = .1f, .activation_high = .5f},
              {CONV (1, 3)},
              {OF (ACTIVATION), .activation = activation,
                  .activation_low = -.3f, .activation_high = .3f}}};

      check_case (&c);
    }
}

/* --- elementwise, channels, edges ----------------------------------------- */

static void
test_maps (void)
{
  static const Case cases[] = {
      {"gate", SRGAN_COLOUR_RGB, 2,
          {{CONV (3, 28)}, {CONV (3, 28), ACT (SILU)}, {CONV (3, 28)},
              {OF (ACTIVATION), ACT (SIGMOID)}, {OF (ADD), FROM2 (2, 0)},
              {OF (MULTIPLY), FROM2 (3, 4)}, {CONV (3, 12)},
              {OF (PIXEL_SHUFFLE), .factor = 2}}},
      {"many", SRGAN_COLOUR_RGB, 1,
          {{CONV (1, 3)}, {CONV (3, 3)},
              {OF (MULTIPLY), FROM3 (-1, 0, 1), ACT (TANH)},
              {OF (ADD), FROM3 (-1, 2, -1)}}},
      {"concat", SRGAN_COLOUR_RGB, 1,
          {{CONV (3, 16), ACT (RELU)}, {OF (CONCAT), FROM2 (0, -1)},
              {CONV (3, 5), ACT (RELU)}, {OF (CONCAT), FROM3 (2, 1, 0)},
              {CONV (3, 17)}, {OF (SLICE), .first = 2, .out_channels = 9},
              {OF (SLICE), FROM1 (4), .first = 7, .out_channels = 10},
              {OF (CONCAT), FROM3 (5, 6, -1), ACT (LEAKY_RELU)},
              {CONV (1, 3)}}},
      {"slice-input", SRGAN_COLOUR_RGB, 1,
          {{OF (SLICE), .first = 1, .out_channels = 2},
              {OF (SLICE), FROM1 (-1), .first = 2, .out_channels = 1},
              {OF (CONCAT), FROM2 (1, 0), ACT (CLIP), .activation_high = 1}}},
      {"valid", SRGAN_COLOUR_RGB, 1,
          {{CONV (3, 16), .padding = SRGAN_PADDING_NONE, ACT (LEAKY_RELU),
               .activation_low = .1f},
              {CONV (3, 16), .padding = SRGAN_PADDING_NONE},
              {OF (CROP), FROM1 (0), .crop = 1}, {OF (ADD), FROM2 (1, 2)},
              {CONV (5, 3), .padding = SRGAN_PADDING_NONE}}},
      {"crop", SRGAN_COLOUR_Y, 2,
          {{CONV (3, 4)}, {OF (PIXEL_SHUFFLE), .factor = 2},
              {OF (CROP), .crop = 3}}},
      {"unshuffle", SRGAN_COLOUR_RGB, 2,
          {{OF (PIXEL_UNSHUFFLE), .factor = 2}, {CONV (3, 24), ACT (PRELU)},
              {CONV (3, 48)}, {OF (PIXEL_SHUFFLE), .factor = 4},
              {OF (RESIZE), FROM1 (-1), .factor = 2},
              {OF (ADD), FROM2 (3, 4)}}},
      {"unshuffle-3", SRGAN_COLOUR_Y, 1,
          {{CONV (3, 5)}, {OF (PIXEL_UNSHUFFLE), .factor = 3}, {CONV (3, 9)},
              {OF (PIXEL_SHUFFLE), .factor = 3}}},
      {"resize-5", SRGAN_COLOUR_RGB, 1,
          {{OF (PIXEL_UNSHUFFLE), .factor = 6}, {CONV (1, 7)},
              {OF (RESIZE), .factor = 6, .filter = SRGAN_FILTER_BICUBIC},
              {CONV (1, 3)}}},
      {"resize-12", SRGAN_COLOUR_RGB, 1,
          {{CONV (3, 4), .stride = 12}, {OF (SLICE), .out_channels = 3},
              {OF (RESIZE), .factor = 12, .filter = SRGAN_FILTER_BILINEAR},
              {OF (ADD), FROM2 (2, -1)}}},
  };
  guint i;

  for (i = 0; i < G_N_ELEMENTS (cases); i++)
    check_case (&cases[i]);
}

/* Attention as in RLFN, which no whole factor brings back. */
static void
test_fitting (void)
{
  guint filter;

  for (filter = 0; filter < SRGAN_N_FILTERS; filter++) {
    const Case c = {"fitting", SRGAN_COLOUR_RGB, 1,
        {{CONV (3, 16)},
            {CONV (3, 16), .stride = 2, .padding = SRGAN_PADDING_NONE},
            {OF (MAX_POOL), .kernel_width = 7, .kernel_height = 7, .stride = 3},
            {CONV (3, 16)}, {OF (RESIZE), FROM2 (3, 0), .filter = filter},
            {OF (ADD), FROM2 (4, 0)}, {CONV (1, 16), ACT (SIGMOID)},
            {OF (MULTIPLY), FROM2 (6, 0)}, {CONV (3, 3)}}};
    g_autoptr (SrganNetwork) network = build (&c, 9);

    check_tensor (network, 15, 15);
    check_tensor (network, 32, 25);
    check_tensor (network, 101, 67);
    /* What a tile must read here is many times the tile: one filter may do. */
    if (filter == SRGAN_FILTER_BILINEAR || g_test_thorough ()) {
      check_case (&c);
      check_tiles (network, 101, 67);
    }
  }
}

static void
test_max_pool (void)
{
  static const Case cases[] = {
      {"pool-3-1", SRGAN_COLOUR_RGB, 1,
          {{OF (MAX_POOL), .kernel_width = 3, .kernel_height = 2}}},
      {"pool-2-2", SRGAN_COLOUR_RGB, 1,
          {{CONV (3, 20)},
              {OF (MAX_POOL), .kernel_width = 2, .kernel_height = 2,
                  .stride = 2},
              {CONV (3, 12)}, {OF (PIXEL_SHUFFLE), .factor = 2}}},
      {"pool-3-2-ceil", SRGAN_COLOUR_RGB, 1,
          {{CONV (3, 20)},
              {OF (MAX_POOL), .kernel_width = 3, .kernel_height = 3,
                  .stride = 2, .ceil_mode = 1},
              {CONV (3, 12)}, {OF (PIXEL_SHUFFLE), .factor = 2}}},
      {"pool-5-4-ceil", SRGAN_COLOUR_RGB, 1,
          {{OF (MAX_POOL), .kernel_width = 5, .kernel_height = 4, .stride = 4,
               .ceil_mode = 1},
              {CONV (3, 48)}, {OF (PIXEL_SHUFFLE), .factor = 4}}},
  };
  guint i;

  for (i = 0; i < G_N_ELEMENTS (cases); i++)
    check_case (&cases[i]);
}

/* --- convolutions --------------------------------------------------------- */

/* Shapes that one convolution of many in a row would not try. */
static void
test_convolutions (void)
{
  static const guint channels[][3] = {/* in, out, groups */
      {3, 16, 1}, {16, 16, 1}, {16, 3, 1}, {20, 40, 1}, {16, 16, 16}, {3, 3, 3},
      {20, 20, 20}, {48, 48, 48}, {16, 32, 4}, {64, 64, 2}, {20, 10, 5},
      {6, 12, 6}, {64, 48, 16}};
  static const guint sides[][3] = {/* width, height, stride */
      {3, 3, 1}, {3, 3, 2}, {5, 5, 1}, {4, 4, 2}, {4, 2, 1}, {1, 1, 3},
      {5, 3, 4}, {2, 2, 2}};
  guint i, j, padding, kind = 0;

  for (i = 0; i < G_N_ELEMENTS (channels); i++)
    for (j = 0; j < G_N_ELEMENTS (sides); j++, kind++) {
      guint stride = sides[j][2];
      Case c = {"convolution", SRGAN_COLOUR_RGB, 1, {{CONV (1, 0)}}};

      padding = kind % SRGAN_N_PADDINGS;
      c.layers[0].out_channels = channels[i][0];
      c.layers[1] = (SrganLayer){CONV (1, 0), ACT (PRELU)};
      c.layers[1].out_channels = channels[i][1];
      c.layers[1].kernel_width = sides[j][0];
      c.layers[1].kernel_height = sides[j][1];
      c.layers[1].stride = stride;
      c.layers[1].groups = channels[i][2];
      c.layers[1].padding = padding;
      c.layers[2] = (SrganLayer){CONV (3, 0)};
      c.layers[2].out_channels = 3 * stride * stride;
      if (stride > 1)
        c.layers[3] = (SrganLayer){OF (PIXEL_SHUFFLE), .factor = stride};
      g_test_message ("%u to %u channels, %u groups, %ux%u / %u, padding %s",
          channels[i][0], channels[i][1], channels[i][2], sides[j][0],
          sides[j][1], stride, srgan_padding_to_string (padding));
      {
        g_autoptr (SrganNetwork) network = build (&c, i);

        check_tensor (network, 24, 36);
        if (kind % 3 == 0)
          check_tiles (network, 48, 24);
      }
    }
}

/* What lies beyond the edges, of Winograd's and of direct kernels, of maps as
 * small as may be, and of maps that two convolutions read differently. */
static void
test_paddings (void)
{
  guint padding, side, channels;

  for (padding = 0; padding < SRGAN_N_PADDINGS; padding++)
    for (side = 3; side <= 6; side++)
      for (channels = 8; channels <= 16; channels += 8) {
        const Case c = {"padding", SRGAN_COLOUR_RGB, 1,
            {{CONV (1, channels)},
                {CONV (side, channels), .padding = padding, ACT (RELU)},
                {CONV (side, channels), FROM1 (0),
                    .padding = padding == SRGAN_PADDING_NONE
                                   ? SRGAN_PADDING_NONE
                                   : SRGAN_PADDING_REFLECT},
                {OF (ADD), FROM2 (1, 2)}, {CONV (3, 3), .padding = padding}}};
        g_autoptr (SrganNetwork) network = build (&c, side);

        check_case (&c);
        if (padding != SRGAN_PADDING_NONE) {
          check_tensor (network, 4, 5);
          check_tensor (network, 33, 4);
        }
        if (padding == SRGAN_PADDING_ZERO || padding == SRGAN_PADDING_NONE)
          continue;
        check_tiles (network, 21, 18);
      }
}

static void
test_large_kernels (void)
{
  static const Case cases[] = {
      {"11", SRGAN_COLOUR_RGB, 1, {{CONV (11, 16)}, {CONV (13, 3)}}},
      {"63", SRGAN_COLOUR_Y, 1, {{CONV (63, 1)}}},
      {"63-edge", SRGAN_COLOUR_Y, 1,
          {{CONV (63, 1), .padding = SRGAN_PADDING_EDGE}}},
  };
  guint i;

  for (i = 0; i < G_N_ELEMENTS (cases); i++)
    check_case (&cases[i]);
}

static void
test_transposed (void)
{
  guint side, factor;

  for (factor = 1; factor <= 4; factor++)
    for (side = factor; side <= 9; side++) {
      const Case narrow = {"transposed", SRGAN_COLOUR_RGB, factor,
          {{CONV (3, 16)}, {TRANSPOSED (side, factor, 3), ACT (PRELU)}}};
      const Case wide = {"transposed-wide", SRGAN_COLOUR_Y, factor,
          {{TRANSPOSED (side, factor, 20), ACT (SILU)}, {CONV (3, 1)}}};
      const Case grouped = {"transposed-groups", SRGAN_COLOUR_RGB, factor,
          {{TRANSPOSED (side, factor, 3), .groups = 3}}};
      g_autoptr (SrganNetwork) small = build (&narrow, side);

      check_case (&narrow);
      check_case (&wide);
      check_case (&grouped);
      check_tensor (small, 1, 1);
      check_tensor (small, 3, 2);
    }
}

/* --- means of the whole frame --------------------------------------------- */

static void
test_means (void)
{
  static const Case cases[] = {
      {"gate", SRGAN_COLOUR_RGB, 2,
          {{CONV (3, 16)}, {OF (GLOBAL_MEAN)},
              {OF (LINEAR), .out_channels = 4, ACT (RELU)},
              {OF (LINEAR), .out_channels = 16, ACT (SIGMOID)},
              {OF (MULTIPLY), FROM2 (3, 0)}, {CONV (3, 12)},
              {OF (PIXEL_SHUFFLE), .factor = 2},
              {OF (RESIZE), FROM1 (-1), .factor = 2,
                  .filter = SRGAN_FILTER_BILINEAR},
              {OF (ADD), FROM2 (6, 7)}}},
      /* two blocks of a residual network with channel attention */
      {"rcan", SRGAN_COLOUR_RGB, 1,
          {{CONV (3, 20)}, {CONV (3, 20)}, {OF (GLOBAL_MEAN)},
              {OF (LINEAR), .out_channels = 20, ACT (SIGMOID)},
              {OF (MULTIPLY), FROM2 (1, 3)}, {OF (ADD), FROM2 (0, 4)},
              {CONV (3, 20)}, {OF (GLOBAL_MEAN)},
              {OF (LINEAR), .out_channels = 20, ACT (SIGMOID)},
              {OF (MULTIPLY), FROM2 (6, 8)}, {OF (ADD), FROM2 (5, 9)},
              {CONV (3, 3), .padding = SRGAN_PADDING_EDGE},
              {OF (ADD), FROM2 (11, -1)}}},
      /* the original system's global nodes */
      {"global-nodes", SRGAN_COLOUR_RGB, 2,
          {{OF (GLOBAL_MEAN)}, {OF (LINEAR), .out_channels = 6, ACT (SPLINE)},
              {CONV (3, 12), FROM1 (-1)},
              {OF (LINEAR), FROM1 (1), .out_channels = 12},
              {OF (ADD), FROM2 (2, 3), ACT (SPLINE)}, {OF (GLOBAL_MEAN)},
              {OF (LINEAR), .out_channels = 24, ACT (SPLINE)},
              {CONV (3, 12), FROM1 (4)},
              {OF (LINEAR), FROM1 (6), .out_channels = 12},
              {OF (LINEAR), FROM1 (1), .out_channels = 12},
              {CONV (3, 12), FROM1 (-1)},
              {.n_inputs = 4, .inputs = {7, 8, 9, 10}, OF (ADD)},
              {OF (PIXEL_SHUFFLE), .factor = 2},
              {OF (RESIZE), FROM1 (-1), .factor = 2,
                  .filter = SRGAN_FILTER_BILINEAR},
              {OF (ADD), FROM2 (12, 13)}}},
      /* instance norm: a mean taken away, divided by the deviation; the
       * deviation itself as a gate */
      {"deviation", SRGAN_COLOUR_RGB, 1,
          {{CONV (3, 6)}, {OF (GLOBAL_MEAN)}, {OF (LINEAR), .out_channels = 6},
              {OF (ADD), FROM2 (0, 2)}, {OF (MULTIPLY), FROM2 (3, 3)},
              {OF (GLOBAL_MEAN), ACT (INVERSE_ROOT), .activation_low = .1f},
              {OF (MULTIPLY), FROM2 (3, 5), ACT (RELU)},
              {OF (GLOBAL_MEAN), FROM1 (4), ACT (ROOT)},
              {OF (MULTIPLY), FROM2 (6, 7)}, {CONV (3, 3)}}},
      /* 1x1 maps by all that may be done with them; means of other sizes */
      {"singles", SRGAN_COLOUR_RGB, 1,
          {{OF (PIXEL_UNSHUFFLE), .factor = 2}, {OF (GLOBAL_MEAN), ACT (TANH)},
              {OF (GLOBAL_MEAN)}, {OF (SLICE), .first = 1, .out_channels = 5},
              {OF (CONCAT), FROM2 (3, 2)}, {OF (ACTIVATION), ACT (SIGMOID)},
              {OF (LINEAR), .out_channels = 12}, {OF (MULTIPLY), FROM2 (6, 2)},
              {OF (ADD), FROM2 (7, 6)}, {OF (ADD), FROM3 (8, 0, 0)},
              {OF (GLOBAL_MEAN)}, {OF (MULTIPLY), FROM3 (10, 9, 8)},
              {OF (PIXEL_SHUFFLE), .factor = 2}}},
  };
  guint i;

  for (i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autoptr (SrganNetwork) network = build (&cases[i], 7);

    check_case (&cases[i]);
    check_tensor (network, 2, 2);
    check_tensor (network, 98, 34);
    check_tiles (network, 98, 34);
  }
}

/* --- frames that do not fit ----------------------------------------------- */

static const Case unfit[] = {
    {"valid", SRGAN_COLOUR_Y, 1,
        {{CONV (3, 16), .padding = SRGAN_PADDING_NONE, ACT (LEAKY_RELU),
             .activation_low = .1f},
            {CONV (4, 8), .padding = SRGAN_PADDING_NONE},
            {CONV (3, 1), .padding = SRGAN_PADDING_NONE}}},
    {"waifu2x", SRGAN_COLOUR_Y, 2,
        {{CONV (3, 16), .padding = SRGAN_PADDING_NONE},
            {CONV (3, 16), .padding = SRGAN_PADDING_NONE},
            {TRANSPOSED (4, 2, 1)}, {OF (CROP), .crop = 3}}},
    {"unshuffle", SRGAN_COLOUR_Y, 2,
        {{OF (PIXEL_UNSHUFFLE), .factor = 2}, {CONV (3, 16)},
            {OF (PIXEL_SHUFFLE), .factor = 4}}},
    {"hourglass", SRGAN_COLOUR_Y, 1,
        {{CONV (3, 8), .stride = 3}, {CONV (3, 9), .stride = 2},
            {OF (PIXEL_SHUFFLE), .factor = 3},
            {OF (RESIZE), .factor = 2, .filter = SRGAN_FILTER_BILINEAR},
            {OF (ADD), FROM2 (3, -1)}}},
    {"shuffled-end", SRGAN_COLOUR_Y, 2,
        {{CONV (3, 4), .padding = SRGAN_PADDING_NONE},
            {OF (PIXEL_SHUFFLE), .factor = 2},
            {OF (CROP), FROM1 (-1), .crop = 1}, {OF (RESIZE), .factor = 2},
            {OF (ADD), FROM2 (1, 3)}}},
};

/* The frame with its edges repeated around it, as few as give an output with
 * all of the frame in it, to a multiple of @multiple; of the output the middle,
 * and where that may be either of two, the one to the left. */
static Map *
run_surrounded (SrganNetwork *network, Map *frame, gint multiple)
{
  const SrganLayer *last = srgan_network_get_layer (
      network, srgan_network_get_n_layers (network) - 1);
  gint scale = (gint) srgan_network_get_scale (network);
  gint lost = (gint) last->lost_width / 2;
  gint before = (lost + scale - 1) / scale;
  gint more = before * scale - lost + (gint) last->lost_width, x, y;
  gint width = frame->width + (more + scale - 1) / scale;
  gint height = frame->height + (more + scale - 1) / scale;
  g_autoptr (Map) in = NULL;
  g_autoptr (Map) all = NULL;
  Map *out = map_new (1, frame->width * scale, frame->height * scale);

  width = (width + multiple - 1) / multiple * multiple;
  height = (height + multiple - 1) / multiple * multiple;
  in = map_new (1, width, height);
  for (y = 0; y < height; y++)
    for (x = 0; x < width; x++)
      *map_at (in, 0, x, y) =
          *map_at (frame, 0, CLAMP (x - before, 0, frame->width - 1),
              CLAMP (y - before, 0, frame->height - 1));
  all = reference_run (network, in);
  for (y = 0; y < out->height; y++)
    for (x = 0; x < out->width; x++)
      *map_at (out, 0, x, y) = *map_at (
          all, 0, x + before * scale - lost, y + before * scale - lost);
  return out;
}

static void
test_frames (void)
{
  static const gint sizes[][2] = {{1, 1}, {2, 9}, {23, 14}, {25, 21}, {48, 24}};
  static const guint tiles[][3] = {{0, 0, 1}, {2, 2, 2}, {6, 0, 3}, {8, 4, 2}};
  static const gint multiples[] = {1, 1, 2, 6, 1}; /* of the networks above */
  guint i, j, t, bytes;

  for (i = 0; i < G_N_ELEMENTS (unfit); i++)
    for (j = 0; j < G_N_ELEMENTS (sizes); j++)
      for (bytes = 0; bytes < 2; bytes++) {
        g_autoptr (SrganNetwork) network = build (&unfit[i], 1);
        SrganLayout layout = bytes ? format_get_layout (FORMAT_I420)
                                   : format_get_float_layout (FORMAT_GRAY8);
        gint width = sizes[j][0], height = sizes[j][1], x, y;
        gint scale = (gint) srgan_network_get_scale (network);
        g_autoptr (Map) luma = map_new (1, width, height);
        g_autoptr (Map) wanted = NULL;
        g_autoptr (TestFrame) input = test_frame_new (&layout, width, height);
        g_autoptr (TestFrame) first = NULL;

        test_frame_fill (input, 2);
        for (y = 0; y < height; y++)
          for (x = 0; x < width; x++)
            *map_at (luma, 0, x, y) = test_frame_get (input, 0, x, y);
        wanted = run_surrounded (network, luma, multiples[i]);
        for (t = 0; t < G_N_ELEMENTS (tiles); t++) {
          const SrganPlanSettings settings = {.width = (guint) width,
              .height = (guint) height,
              .layout = layout,
              .tile_width = tiles[t][0],
              .tile_height = tiles[t][1],
              .n_threads = tiles[t][2]};
          GError *error = NULL;
          g_autoptr (SrganPlan) plan =
              srgan_plan_new (network, &settings, &error);
          g_autoptr (TestFrame) output =
              test_frame_new (&layout, width * scale, height * scale);
          guint w, h;

          g_assert_no_error (error);
          srgan_plan_get_output_size (plan, &w, &h);
          g_assert_cmpuint (w, ==, width * scale);
          g_assert_cmpuint (h, ==, height * scale);
          srgan_plan_run (plan, &input->frame, &output->frame);
          test_frame_check_guards (output);
          for (y = 0; y < output->height; y++)
            for (x = 0; x < output->width; x++) {
              gdouble value = *map_at (wanted, 0, x, y);
              gdouble got = test_frame_get (output, 0, x, y);
              gdouble bound = bytes ? .51 / 255 : 1e-5;

              if (bytes)
                value = CLAMP (value, 0, 1);
              if (!(fabs (got - value) <= bound))
                g_error ("%s, %dx%d, tiles of %ux%u: %d, %d is %g, not %g",
                    unfit[i].name, width, height, tiles[t][0], tiles[t][1], x,
                    y, got, value);
            }
          if (first)
            test_frame_assert_equal (first, output);
          else
            first = g_steal_pointer (&output);
        }
      }
}

/* Frames of which a patch changes: a plan that reuses the rest makes the same
 * bits, wherever the patch lies against the reduced maps' pixels. */
static void
test_reuse (void)
{
  static const Case global = {"global", SRGAN_COLOUR_Y, 1,
      {{CONV (3, 8)}, {OF (GLOBAL_MEAN)}, {OF (MULTIPLY), FROM2 (0, 1)},
          {CONV (3, 1)}}};
  static const Case fitting = {"fitting", SRGAN_COLOUR_Y, 1,
      {{CONV (3, 8), .stride = 2, .padding = SRGAN_PADDING_NONE},
          {OF (RESIZE), FROM2 (0, -1), .filter = SRGAN_FILTER_BILINEAR},
          {CONV (3, 1)}}};
  const Case *cases[G_N_ELEMENTS (unfit) + 2];
  const SrganLayout layout = format_get_layout (FORMAT_I420);
  guint i, t;

  for (i = 0; i < G_N_ELEMENTS (unfit); i++)
    cases[i] = &unfit[i];
  cases[i++] = &global;
  cases[i++] = &fitting;
  for (i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autoptr (SrganNetwork) network = build (cases[i], 1);
    gint scale = (gint) srgan_network_get_scale (network), x, y;
    SrganPlanSettings settings = {
        .width = 250, .height = 158, .layout = layout, .n_threads = 2};
    GError *error = NULL;
    g_autoptr (SrganPlan) plan = srgan_plan_new (network, &settings, &error);
    g_autoptr (SrganPlan) reusing = NULL;
    g_autoptr (TestFrame) input = test_frame_new (&layout, 250, 158);
    g_autoptr (TestFrame) output =
        test_frame_new (&layout, 250 * scale, 158 * scale);
    g_autoptr (TestFrame) reused =
        test_frame_new (&layout, 250 * scale, 158 * scale);
    GRand *rand = g_rand_new_with_seed (i);
    gdouble most = 0;

    g_assert_no_error (error);
    settings.reuse = TRUE;
    reusing = srgan_plan_new (network, &settings, &error);
    g_assert_no_error (error);
    test_frame_fill (input, 2);
    for (t = 0; t < 40; t++) {
      gint left = g_rand_int_range (rand, 0, 250);
      gint top = g_rand_int_range (rand, 0, 158);

      for (y = top; y < MIN (top + 9, 158); y++)
        for (x = left; x < MIN (left + 9, 250); x++)
          test_frame_set (input, 0, x, y, g_rand_double (rand));
      srgan_plan_run (plan, &input->frame, &output->frame);
      srgan_plan_run (reusing, &input->frame, &reused->frame);
      test_frame_assert_equal (output, reused);
      most = MAX (most, srgan_plan_get_reused (reusing));
    }
    g_test_message ("%s: %.0f %% reused", cases[i]->name, 100 * most);
    if (cases[i] == &global || cases[i] == &fitting)
      g_assert_cmpfloat (most, ==, 0);
    else
      g_assert_cmpfloat (most, >, .5);
    g_rand_free (rand);
  }
}

static void
test_tensor_errors (void)
{
  g_autoptr (SrganNetwork) network = build (&unfit[2], 1);
  g_autofree gfloat *input = make_input (1, 9, 8);
  guint width, height;
  GError *error = NULL;

  g_assert_null (srgan_network_run_tensor (
      network, input, 9, 8, 1, &width, &height, &error));
  g_assert_error (error, SRGAN_ERROR, SRGAN_ERROR_UNSUPPORTED);
  g_assert_nonnull (strstr (error->message, "pixel-unshuffle"));
  g_assert_nonnull (strstr (error->message, "9 pixels wide"));
  g_error_free (error);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/engine/operations/activations", test_activations);
  g_test_add_func ("/engine/operations/maps", test_maps);
  g_test_add_func ("/engine/operations/fitting", test_fitting);
  g_test_add_func ("/engine/operations/max-pool", test_max_pool);
  g_test_add_func ("/engine/operations/convolutions", test_convolutions);
  g_test_add_func ("/engine/operations/paddings", test_paddings);
  g_test_add_func ("/engine/operations/large-kernels", test_large_kernels);
  g_test_add_func ("/engine/operations/transposed", test_transposed);
  g_test_add_func ("/engine/operations/means", test_means);
  g_test_add_func ("/engine/operations/frames", test_frames);
  g_test_add_func ("/engine/operations/reuse", test_reuse);
  g_test_add_func ("/engine/operations/tensor-errors", test_tensor_errors);
  return g_test_run ();
}
