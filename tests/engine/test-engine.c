/* engine: plans against a second opinion in doubles, and against themselves
 * under other tiles and threads.
 *
 * SPDX-License-Identifier: MIT
 */
#include <glib/gstdio.h>
#include <math.h>
#include <pthread.h>
#include <string.h>

#include "bench-networks.h"
#include "frames.h"
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
run (SrganNetwork *network, const TestFrame *input,
    const SrganPlanSettings *settings)
{
  SrganPlanSettings s = {0};

  if (settings)
    s = *settings;
  s.precision = SRGAN_PRECISION_FP32; /* test-int8.c and test-bf16.c: others */
  return test_frame_run (network, &s, input);
}

/* --- the network itself, in floats ---------------------------------------- */

static void
check_against_reference (SrganNetwork *network, gint width, gint height)
{
  g_autoptr (TestFrame) input = test_frame_new_input (network, width, height);
  g_autoptr (TestFrame) output = NULL;
  g_autoptr (Map) in = map_new_from_frame (input);
  guint c, channels = in->channels;
  g_autoptr (Map) out = NULL;
  gdouble worst = 0;
  gint x, y;

  output = run (network, input, NULL);
  out = reference_run (network, in);
  for (c = 0; c < channels; c++)
    for (y = 0; y < out->height; y++)
      for (x = 0; x < out->width; x++)
        worst = MAX (worst,
            fabs (test_frame_get (output, c, x, y) - *map_at (out, c, x, y)));
  g_test_message ("%s, %dx%d: off by %.2g at most",
      srgan_network_get_name (network), width, height, worst);
  /* of an output range of 1; NaN fails too */
  if (!(worst <= 1e-4))
    g_error ("%s, %dx%d: off by %g", srgan_network_get_name (network), width,
        height, worst);
}

static void
test_chains (void)
{
  static const guint channels[] = {3, 8, 12, 16, 24, 32};
  guint scale, filter, i, j;

  for (scale = 1; scale <= 4; scale++)
    for (filter = 0; filter < SRGAN_N_FILTERS; filter++) {
      i = (scale * SRGAN_N_FILTERS + filter) % G_N_ELEMENTS (channels);
      for (j = 0; j < G_N_ELEMENTS (sizes); j++) {
        g_autoptr (SrganNetwork) network =
            new_chain (j % 2 ? SRGAN_COLOUR_Y : SRGAN_COLOUR_RGB, scale,
                channels[i], (SrganFilter) filter);

        check_against_reference (network, sizes[j][0], sizes[j][1]);
      }
    }
}

static void
test_ycbcr (void)
{
  g_autoptr (SrganNetwork) network =
      new_chain (SRGAN_COLOUR_YCBCR, 2, 16, SRGAN_FILTER_BILINEAR);

  check_against_reference (network, 19, 12);
}

static void
test_residual (void)
{
  guint scale;

  for (scale = 1; scale <= 4; scale *= 2) {
    g_autoptr (SrganNetwork) network =
        test_network_new_residual (SRGAN_COLOUR_RGB, scale, 16, 3, scale);

    check_against_reference (network, 1, 1);
    check_against_reference (network, 23, 14);
  }
}

/* Large kernels to few channels, which are run in parts. */
static void
test_parts (void)
{
  guint side, i;

  for (side = 5; side <= 9; side += 2)
    for (i = 0; i < G_N_ELEMENTS (sizes); i++) {
      const TestChain chain = {
          .colour = i % 2 ? SRGAN_COLOUR_Y : SRGAN_COLOUR_RGB,
          .scale = i % 2 ? 2 : 1,
          .channels = 16,
          .n_middle = 1,
          .side = side,
          .activation = SRGAN_ACTIVATION_PRELU,
          .seed = side};
      g_autoptr (SrganNetwork) network = test_network_new_chain (&chain);

      check_against_reference (network, sizes[i][0], sizes[i][1]);
    }
}

/* What engines are compared on. */
static void
test_bench_networks (void)
{
  const BenchNetwork *bench;

  for (bench = bench_networks; bench->name; bench++) {
    GError *error = NULL;
    g_autoptr (SrganNetwork) network =
        bench_network_new (bench->name, FALSE, &error);

    g_assert_no_error (error);
    check_against_reference (network, 13, 9);
  }
}

/* What ships is accurate, Winograd's transforms and all. */
static void
test_builtins (void)
{
  const gchar *const *names = srgan_network_list_builtins ();
  guint i;

  if (!names[0]) {
    g_test_skip ("no networks are built in");
    return;
  }
  for (i = 0; names[i]; i++) {
    GError *error = NULL;
    g_autoptr (SrganNetwork) network =
        srgan_network_open (names[i], 0, NULL, &error);

    g_assert_no_error (error);
    check_against_reference (network, 37, 26);
  }
}

/* --- tiles and threads ---------------------------------------------------- */

static void
test_tiles (void)
{
  static const guint tiles[][3] = {/* width, height, threads */
      {0, 0, 2}, {0, 0, 3}, {0, 0, 8}, {1, 1, 1}, {0, 1, 5}, {2, 0, 4},
      {7, 5, 6}, {16, 2, 7}, {30, 100, 2}};
  guint format, i, kind;

  for (kind = 0; kind < 4; kind++) {
    g_autoptr (SrganNetwork) network =
        kind == 0   ? new_chain (SRGAN_COLOUR_Y, 2, 16, SRGAN_FILTER_NEAREST)
        : kind == 1 ? new_chain (SRGAN_COLOUR_Y, 3, 12, SRGAN_FILTER_BICUBIC)
        : kind == 2 ? new_chain (SRGAN_COLOUR_RGB, 2, 8, SRGAN_FILTER_BILINEAR)
                    : test_network_new_residual (SRGAN_COLOUR_RGB, 4, 16, 1, 5);

    for (format = 0; format < N_FORMATS; format++) {
      const SrganPlanSettings one = {.n_threads = 1};
      SrganLayout layout = format_get_layout ((Format) format);
      g_autoptr (TestFrame) input = NULL;
      g_autoptr (TestFrame) straight = NULL;

      layout.chroma_cosited_y = format % 2;
      input = test_frame_new (&layout, 61, 35);
      test_frame_fill (input, 11);
      straight = run (network, input, &one);
      for (i = 0; i < G_N_ELEMENTS (tiles); i++) {
        const SrganPlanSettings settings = {.tile_width = tiles[i][0],
            .tile_height = tiles[i][1],
            .n_threads = tiles[i][2]};
        g_autoptr (TestFrame) tiled = NULL;

        /* all of them with each network and, in all, with each format */
        if ((i + format + kind) % 3 != 0 && !g_test_thorough ())
          continue;
        tiled = run (network, input, &settings);
        test_frame_assert_equal (straight, tiled);
      }
    }
  }
}

/* --- 8 bits, luma --------------------------------------------------------- */

/* A luma network's Y, for a frame in any range. */
static Map *
run_luma (SrganNetwork *network, const TestFrame *input)
{
  g_autoptr (Map) in = map_new (1, input->width, input->height);
  const SrganLayout *layout = &input->layout;
  gint x, y;

  for (y = 0; y < input->height; y++)
    for (x = 0; x < input->width; x++) {
      gdouble v = test_frame_get (input, 0, x, y);

      if (layout->kind == SRGAN_LAYOUT_RGB)
        v = layout->matrix_kr * v +
            (1 - layout->matrix_kr - layout->matrix_kb) *
                test_frame_get (input, 1, x, y) +
            layout->matrix_kb * test_frame_get (input, 2, x, y);
      if (layout->full_range)
        v = (16 + 219 * v) / 255;
      *map_at (in, 0, x, y) = v;
    }
  return reference_run (network, in);
}

static gdouble
from_network (const SrganLayout *layout, gdouble value)
{
  return layout->full_range ? (value * 255 - 16) / 219 : value;
}

static void
assert_code (
    gdouble found, gdouble wanted, const gchar *format, guint c, gint x, gint y)
{
  gdouble code = CLAMP (wanted, 0, 1) * 255;

  /* Rounded, so half a code, and what floats lose just there. */
  if (!(fabs (found * 255 - code) < .51))
    g_error ("%s: component %u at %d, %d is %g, should be %g", format, c, x, y,
        found * 255, code);
}

/* Where sample @i of the output lies in the input's plane, in the sense of the
 * luma grid: BT.2100's and H.264's figures of chroma siting. */
static gdouble
locate (gint i, gint scale, guint shift, gboolean cosited)
{
  gdouble size = 1 << shift;
  gdouble half = shift > 0 && !cosited ? (size - 1) / 2 : 0;
  gdouble luma_out = i * size + half;
  gdouble luma_in = (luma_out + .5) / scale - .5;

  return (luma_in - half) / size;
}

static void
test_luma_formats (void)
{
  guint format, scale, variant, c;
  gint x, y;

  for (scale = 2; scale <= 4; scale++)
    for (format = 0; format < N_FORMATS; format++)
      for (variant = 0; variant < 4; variant++) {
        g_autoptr (SrganNetwork) network =
            new_chain (SRGAN_COLOUR_Y, scale, 8, SRGAN_FILTER_NEAREST);
        SrganLayout layout = format_get_layout ((Format) format);
        g_autoptr (TestFrame) input = NULL;
        g_autoptr (TestFrame) output = NULL;
        g_autoptr (Map) luma = NULL;
        Map *planes[SRGAN_MAX_COMPONENTS] = {NULL};

        layout.full_range = variant & 1;
        layout.chroma_cosited_x = variant & 1;
        layout.chroma_cosited_y = (variant & 2) != 0;
        if (variant & 2) {
          layout.matrix_kr = .2126;
          layout.matrix_kb = .0722;
        }
        input = test_frame_new (&layout, 21, 13);
        test_frame_fill (input, format + 1);
        output = run (network, input, NULL);
        luma = run_luma (network, input);
        for (c = 0; c < test_frame_get_n_components (input); c++) {
          planes[c] = map_new (1, test_frame_get_width (input, c),
              test_frame_get_height (input, c));
          for (y = 0; y < planes[c]->height; y++)
            for (x = 0; x < planes[c]->width; x++)
              *map_at (planes[c], 0, x, y) = test_frame_get (input, c, x, y);
        }
        for (c = 0; c < test_frame_get_n_components (output); c++) {
          gboolean chroma = layout.kind == SRGAN_LAYOUT_YUV && c > 0;

          for (y = 0; y < test_frame_get_height (output, c); y++)
            for (x = 0; x < test_frame_get_width (output, c); x++) {
              gdouble u = locate (x, (gint) scale,
                  chroma ? layout.chroma_width_shift : 0,
                  layout.chroma_cosited_x);
              gdouble v = locate (y, (gint) scale,
                  chroma ? layout.chroma_height_shift : 0,
                  layout.chroma_cosited_y);
              gdouble wanted = reference_sample (planes[c], 0, u, v);

              if (c == 3 && layout.fourth == SRGAN_FOURTH_FILLER) {
                wanted = 1;
              } else if (layout.kind == SRGAN_LAYOUT_RGB && c < 3) {
                /* The long way: to Y'CbCr, chroma upscaled, and back. */
                gdouble kr = layout.matrix_kr, kb = layout.matrix_kb;
                gdouble r = reference_sample (planes[0], 0, u, v);
                gdouble g = reference_sample (planes[1], 0, u, v);
                gdouble b = reference_sample (planes[2], 0, u, v);
                gdouble old = kr * r + (1 - kr - kb) * g + kb * b;
                gdouble pr = .5 * (r - old) / (1 - kr);
                gdouble pb = .5 * (b - old) / (1 - kb);
                gdouble new = from_network (&layout, *map_at (luma, 0, x, y));
                gdouble red = new + 2 * (1 - kr) * pr;
                gdouble blue = new + 2 * (1 - kb) * pb;

                wanted = c == 0   ? red
                         : c == 2 ? blue
                                  : (new - kr *red - kb *blue) / (1 - kr - kb);
              } else if (c == 0) {
                wanted = from_network (&layout, *map_at (luma, 0, x, y));
              }
              assert_code (test_frame_get (output, c, x, y), wanted,
                  format_names[format], c, x, y);
            }
        }
        for (c = 0; c < SRGAN_MAX_COMPONENTS; c++)
          g_clear_pointer (&planes[c], map_free);
      }
}

/* --- 8 bits, networks of three channels ----------------------------------- */

/* One 1x1 convolution that changes nothing: what comes out is what the
 * conversions did. */
static SrganNetwork *
new_identity (SrganColour colour)
{
  SrganNetwork *network = srgan_network_new ("identity", colour, 1);
  gfloat weight[9] = {1, 0, 0, 0, 1, 0, 0, 0, 1};
  SrganLayer layer = {.name = (gchar *) "same",
      .operation = SRGAN_OPERATION_CONV,
      .n_inputs = 1,
      .inputs = {SRGAN_INPUT_NETWORK},
      .out_channels = 3,
      .kernel_width = 1,
      .kernel_height = 1,
      .stride = 1,
      .groups = 1,
      .weight = weight};
  GError *error = NULL;

  srgan_network_add_layer (network, &layer, &error);
  g_assert_no_error (error);
  srgan_network_finish (network, &error);
  g_assert_no_error (error);
  return network;
}

static void
test_identity (void)
{
  static const SrganColour colours[] = {SRGAN_COLOUR_RGB, SRGAN_COLOUR_YCBCR};
  guint i, format, variant, c;
  gint x, y;

  for (i = 0; i < G_N_ELEMENTS (colours); i++)
    for (format = 0; format < N_FORMATS; format++)
      for (variant = 0; variant < 8; variant++) {
        g_autoptr (SrganNetwork) network = new_identity (colours[i]);
        SrganLayout layout = format_get_layout ((Format) format);
        g_autoptr (TestFrame) input = NULL;
        g_autoptr (TestFrame) output = NULL;

        layout.full_range = variant & 1;
        layout.chroma_cosited_x = (variant & 2) != 0;
        layout.chroma_cosited_y = (variant & 4) != 0;
        if (variant & 4) {
          layout.matrix_kr = .2126;
          layout.matrix_kb = .0722;
        }
        input = test_frame_new (&layout, 27, 15);
        /* Chroma that is a plane comes back through halving and enlarging,
         * but for the edges. */
        for (c = 0; c < test_frame_get_n_components (input); c++)
          for (y = 0; y < test_frame_get_height (input, c); y++)
            for (x = 0; x < test_frame_get_width (input, c); x++)
              test_frame_set (
                  input, c, x, y, (60 + 10 * c + 2 * x + 3 * y) / 255.);
        output = run (network, input, NULL);
        for (c = 0; c < test_frame_get_n_components (input); c++) {
          gint width = test_frame_get_width (input, c);
          gint height = test_frame_get_height (input, c);

          for (y = 2; y < height - 2; y++)
            for (x = 2; x < width - 2; x++) {
              gdouble in = test_frame_get (input, c, x, y) * 255;
              gdouble out = test_frame_get (output, c, x, y) * 255;

              if (c == 3 && layout.fourth == SRGAN_FOURTH_FILLER)
                in = 255;
              if (!(fabs (in - out) <= 1))
                g_error ("%s, network %s, variant %u: component %u at %d, %d "
                         "went in as %g and came out as %g",
                    format_names[format], srgan_colour_to_string (colours[i]),
                    variant, c, x, y, in, out);
            }
        }
      }
}

/* White, black and primaries, written down from BT.601 and BT.709. */
static void
test_codes (void)
{
  static const struct {
    gdouble kr, kb;
    gboolean full_range;
    gint yuv[3], rgb[3];
  } codes[] = {
      {.299, .114, FALSE, {235, 128, 128}, {255, 255, 255}},
      {.299, .114, FALSE, {16, 128, 128}, {0, 0, 0}},
      {.299, .114, FALSE, {81, 90, 240}, {255, 0, 0}},
      {.299, .114, FALSE, {41, 240, 110}, {0, 0, 255}},
      {.2126, .0722, FALSE, {63, 102, 240}, {255, 0, 0}},
      {.2126, .0722, FALSE, {173, 42, 26}, {0, 255, 0}},
      {.299, .114, TRUE, {255, 128, 128}, {255, 255, 255}},
      {.299, .114, TRUE, {76, 85, 255}, {255, 0, 0}},
  };
  g_autoptr (SrganNetwork) network = new_identity (SRGAN_COLOUR_RGB);
  guint i, j;

  for (i = 0; i < G_N_ELEMENTS (codes); i++) {
    SrganLayout layout = format_get_float_layout (FORMAT_Y444);
    g_autoptr (TestFrame) input = NULL;
    g_autoptr (TestFrame) output = NULL;
    /* A network that swaps R and B shows what it was given. */
    SrganLayer swap = *srgan_network_get_layer (network, 0);
    gfloat weight[9] = {0, 0, 1, 0, 1, 0, 1, 0, 0};
    g_autoptr (SrganNetwork) swapper =
        srgan_network_new ("swap", SRGAN_COLOUR_RGB, 1);
    GError *error = NULL;
    gdouble y, pb, pr, r, b, g;

    swap.weight = weight;
    srgan_network_add_layer (swapper, &swap, &error);
    g_assert_no_error (error);
    srgan_network_finish (swapper, &error);
    g_assert_no_error (error);
    layout.matrix_kr = codes[i].kr;
    layout.matrix_kb = codes[i].kb;
    layout.full_range = codes[i].full_range;
    input = test_frame_new (&layout, 3, 2);
    for (j = 0; j < 18; j++)
      test_frame_set (input, j / 6, (gint) (j % 3), (gint) (j / 3 % 2),
          codes[i].yuv[j / 6] / 255.);
    output = run (swapper, input, NULL);
    y = test_frame_get (output, 0, 1, 1) * 255;
    pb = test_frame_get (output, 1, 1, 1) * 255 - 128;
    pr = test_frame_get (output, 2, 1, 1) * 255 - 128;
    y = codes[i].full_range ? y / 255 : (y - 16) / 219;
    pb /= codes[i].full_range ? 255 : 224;
    pr /= codes[i].full_range ? 255 : 224;
    r = y + 2 * (1 - codes[i].kr) * pr;
    b = y + 2 * (1 - codes[i].kb) * pb;
    g = (y - codes[i].kr * r - codes[i].kb * b) /
        (1 - codes[i].kr - codes[i].kb);
    /* Codes are whole numbers: a code of chroma is up to 2 of R or B. */
    g_assert_cmpfloat_with_epsilon (r * 255, codes[i].rgb[2], 2.5);
    g_assert_cmpfloat_with_epsilon (g * 255, codes[i].rgb[1], 2.5);
    g_assert_cmpfloat_with_epsilon (b * 255, codes[i].rgb[0], 2.5);
  }
}

/* --- errors, sharing, memory ---------------------------------------------- */

static void
expect_error (SrganNetwork *network, const SrganPlanSettings *settings,
    gint code, const gchar *word)
{
  GError *error = NULL;
  SrganPlan *plan = srgan_plan_new (network, settings, &error);

  g_assert_null (plan);
  g_assert_error (error, SRGAN_ERROR, code);
  if (!strstr (error->message, word))
    g_error ("\"%s\" does not say \"%s\"", error->message, word);
  g_error_free (error);
}

static void
test_errors (void)
{
  g_autoptr (SrganNetwork) network =
      new_chain (SRGAN_COLOUR_Y, 2, 8, SRGAN_FILTER_NEAREST);
  SrganPlanSettings good = {
      .width = 8, .height = 8, .layout = format_get_layout (FORMAT_I420)};
  SrganPlanSettings bad;

  bad = good;
  bad.width = 0;
  expect_error (network, &bad, SRGAN_ERROR_TOO_LARGE, "0x8");
  bad.width = SRGAN_MAX_SIZE / 2 + 1;
  expect_error (network, &bad, SRGAN_ERROR_TOO_LARGE, "16384x8");
  bad = good;
  bad.layout.pixel_stride[1] = 0;
  expect_error (network, &bad, SRGAN_ERROR_INVALID, "pixel_stride");
  bad = good;
  bad.layout.chroma_width_shift = 2;
  expect_error (network, &bad, SRGAN_ERROR_INVALID, "chroma shift");
  bad = good;
  bad.layout.matrix_kr = NAN;
  expect_error (network, &bad, SRGAN_ERROR_INVALID, "matrix_kr");
}

typedef struct {
  SrganNetwork *network;
  TestFrame *input;
  TestFrame *wanted;
} Stream;

static gpointer
run_stream (gpointer data)
{
  Stream *stream = data;
  guint i;

  for (i = 0; i < 8; i++) {
    const SrganPlanSettings settings = {.n_threads = 2};
    g_autoptr (TestFrame) output =
        run (stream->network, stream->input, &settings);

    test_frame_assert_equal (output, stream->wanted);
  }
  return NULL;
}

static gpointer
run_stream_thread (gpointer data)
{
  return run_stream (data);
}

static void
test_streams (void)
{
  g_autoptr (SrganNetwork) network =
      new_chain (SRGAN_COLOUR_Y, 2, 16, SRGAN_FILTER_NEAREST);
  SrganLayout layout = format_get_layout (FORMAT_NV12);
  pthread_t threads[4];
  Stream streams[4];
  guint i;

  for (i = 0; i < 4; i++) {
    streams[i].network = network;
    streams[i].input = test_frame_new (&layout, 40 + (gint) i, 30);
    test_frame_fill (streams[i].input, i);
    streams[i].wanted = run (network, streams[i].input, NULL);
  }
  for (i = 0; i < 4; i++)
    g_assert_cmpint (
        pthread_create (&threads[i], NULL, run_stream_thread, &streams[i]), ==,
        0);
  for (i = 0; i < 4; i++) {
    pthread_join (threads[i], NULL);
    test_frame_free (streams[i].input);
    test_frame_free (streams[i].wanted);
  }
}

static SrganPlanReport
get_report (SrganNetwork *network, guint width, guint height)
{
  SrganPlanSettings settings = {.width = width,
      .height = height,
      .n_threads = 1,
      .layout = format_get_layout (FORMAT_I420)};
  GError *error = NULL;
  g_autoptr (SrganPlan) plan = srgan_plan_new (network, &settings, &error);
  SrganPlanReport report;

  g_assert_no_error (error);
  srgan_plan_get_report (plan, &report);
  return report;
}

static void
test_report (void)
{
  g_autoptr (SrganNetwork) network =
      new_chain (SRGAN_COLOUR_Y, 2, 16, SRGAN_FILTER_NEAREST);
  SrganPlanReport low = get_report (network, 320, 90);
  SrganPlanReport high = get_report (network, 320, 9000);

  /* Rings, not maps: a frame a hundred times as high needs no more. */
  g_assert_cmpuint (low.workspace_bytes, ==, high.workspace_bytes);
  g_assert_cmpuint (low.workspace_bytes, <, 4 << 20);
  g_assert_cmpuint (low.weight_bytes, >=, 4 * 16 * 16 * 9);
  g_assert_cmpfloat_with_epsilon (low.multiply_adds,
      320. * 90 * srgan_network_get_multiply_adds (network), 1);
  g_assert_cmpuint (low.n_threads, ==, 1);
  g_assert_nonnull (low.kernels);
}

static void
test_layer_report (void)
{
  g_autoptr (SrganNetwork) network =
      new_chain (SRGAN_COLOUR_Y, 2, 16, SRGAN_FILTER_NEAREST);
  SrganPlanSettings settings = {.width = 64,
      .height = 48,
      .n_threads = 1,
      .layout = format_get_layout (FORMAT_GRAY8)};
  g_autoptr (SrganPlan) plan = srgan_plan_new (network, &settings, NULL);
  guint i, n_layers = srgan_network_get_n_layers (network), n_fused = 0;
  gdouble multiply_adds = 0;
  SrganPlanReport whole;
  SrganLayerReport report;

  for (i = 0; i < n_layers; i++) {
    const SrganLayer *layer = srgan_network_get_layer (network, i);

    g_assert_true (srgan_plan_get_layer_report (plan, i, &report));
    g_assert_cmpstr (report.name, ==, layer->name);
    g_assert_cmpint (report.operation, ==, layer->operation);
    g_assert_cmpint (report.precision, ==, SRGAN_PRECISION_FP32);
    if (layer->operation == SRGAN_OPERATION_CONV)
      g_assert_cmpstr (report.algorithm, ==,
          layer->in_channels == 16 && layer->out_channels == 16 ? "winograd"
                                                                : "direct");
    n_fused += g_str_equal (report.algorithm, "fused");
    g_assert_cmpuint (
        report.ring_rows > 0, ==, !g_str_equal (report.algorithm, "fused"));
    multiply_adds += report.multiply_adds;
  }
  /* the pixel shuffle and the sum: the sink does them */
  g_assert_cmpuint (n_fused, ==, 2);
  srgan_plan_get_report (plan, &whole);
  g_assert_cmpfloat_with_epsilon (multiply_adds, whole.multiply_adds, 1);
  g_assert_cmpint (whole.precision, ==, SRGAN_PRECISION_FP32);
  g_assert_false (srgan_plan_get_layer_report (plan, n_layers, &report));
}

/* int8 is not made up for a network that has not been quantised. */
static void
test_not_quantised (void)
{
  g_autoptr (SrganNetwork) network =
      new_chain (SRGAN_COLOUR_Y, 2, 16, SRGAN_FILTER_NEAREST);
  SrganPlanSettings settings = {.width = 64,
      .height = 48,
      .precision = SRGAN_PRECISION_INT8,
      .layout = format_get_layout (FORMAT_GRAY8)};
  GError *error = NULL;

  g_assert_null (srgan_plan_new (network, &settings, &error));
  g_assert_error (error, SRGAN_ERROR, SRGAN_ERROR_UNSUPPORTED);
  g_assert_nonnull (strstr (error->message, "srgan-convert --int8"));
  g_clear_error (&error);
  settings.precision = SRGAN_N_PRECISIONS;
  g_assert_null (srgan_plan_new (network, &settings, &error));
  g_assert_error (error, SRGAN_ERROR, SRGAN_ERROR_INVALID);
  g_clear_error (&error);
}

/* A network that judges pictures makes none; it can be kept in a file. */
static void
test_features (void)
{
  g_autoptr (SrganNetwork) network =
      srgan_network_new ("judge", SRGAN_COLOUR_RGB, 1);
  g_autoptr (SrganNetwork) again = NULL;
  g_autoptr (SrganPlan) plan = NULL;
  g_autofree gchar *folder = g_dir_make_tmp ("srgan-XXXXXX", NULL);
  g_autofree gchar *path = g_build_filename (folder, "j.safetensors", NULL);
  gfloat weight[9 * 3 * 4] = {0};
  SrganLayer layer = {
      .name = (gchar *) "conv",
      .operation = SRGAN_OPERATION_CONV,
      .n_inputs = 1,
      .inputs = {SRGAN_INPUT_NETWORK},
      .out_channels = 4,
      .kernel_width = 3,
      .kernel_height = 3,
      .stride = 2,
      .groups = 1,
      .padding = SRGAN_PADDING_NONE,
      .weight = weight,
  };
  SrganPlanSettings settings = {
      .width = 8,
      .height = 8,
      .layout = {.kind = SRGAN_LAYOUT_RGB,
          .pixel_stride = {3, 3, 3},
          .full_range = TRUE},
  };
  GError *error = NULL;

  g_assert_cmpint (srgan_network_add_layer (network, &layer, &error), ==, 0);
  srgan_network_set_note (network, "ends", "features");
  g_assert_true (srgan_network_finish (network, &error));
  g_assert_true (srgan_network_save (network, path, &error));
  again = srgan_network_load (path, &error);
  g_assert_no_error (error);
  g_assert_true (srgan_network_gives_features (again));
  plan = srgan_plan_new (again, &settings, &error);
  g_assert_null (plan);
  g_assert_error (error, SRGAN_ERROR, SRGAN_ERROR_UNSUPPORTED);
  g_assert_nonnull (strstr (error->message, "judge"));
  g_error_free (error);
  g_remove (path);
  g_rmdir (folder);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/engine/chains", test_chains);
  g_test_add_func ("/engine/ycbcr", test_ycbcr);
  g_test_add_func ("/engine/residual", test_residual);
  g_test_add_func ("/engine/parts", test_parts);
  g_test_add_func ("/engine/bench-networks", test_bench_networks);
  g_test_add_func ("/engine/builtins", test_builtins);
  g_test_add_func ("/engine/tiles", test_tiles);
  g_test_add_func ("/engine/luma-formats", test_luma_formats);
  g_test_add_func ("/engine/identity", test_identity);
  g_test_add_func ("/engine/codes", test_codes);
  g_test_add_func ("/engine/errors", test_errors);
  g_test_add_func ("/engine/streams", test_streams);
  g_test_add_func ("/engine/report", test_report);
  g_test_add_func ("/engine/layer-report", test_layer_report);
  g_test_add_func ("/engine/not-quantised", test_not_quantised);
  g_test_add_func ("/engine/features", test_features);
  return g_test_run ();
}
