/* engine: a plan that reuses the last frame against one that does not: the same
 * bits, whatever a clip does.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "frames.h"
#include "test-networks.h"

/* --- clips ---------------------------------------------------------------- */

typedef enum {
  STEP_REPEAT,
  STEP_EDIT,  /* a small patch */
  STEP_EDITS, /* several, of single samples too */
  STEP_SCROLL,
  STEP_NOISE, /* on half of the frame */
  STEP_CUT,
  N_STEPS,
} Step;

static void
edit (TestFrame *frame, GRand *random, gint largest)
{
  guint c = (guint) g_rand_int_range (
      random, 0, (gint) test_frame_get_n_components (frame));
  gint width = test_frame_get_width (frame, c);
  gint height = test_frame_get_height (frame, c);
  gint x0 = g_rand_int_range (random, 0, width);
  gint y0 = g_rand_int_range (random, 0, height);
  gint x1 = x0 + g_rand_int_range (random, 1, largest + 1);
  gint y1 = y0 + g_rand_int_range (random, 1, largest + 1);
  gint x, y;

  for (y = y0; y < MIN (y1, height); y++)
    for (x = x0; x < MIN (x1, width); x++)
      test_frame_set (frame, c, x, y, g_rand_double (random));
}

/* Up, by rows that chroma has too. */
static void
scroll (TestFrame *frame, gint n_rows)
{
  guint c;
  gint x, y;

  for (c = 0; c < test_frame_get_n_components (frame); c++) {
    gint height = test_frame_get_height (frame, c);
    gint by = height < frame->height ? n_rows / 2 : n_rows;

    for (y = 0; y + by < height; y++)
      for (x = 0; x < test_frame_get_width (frame, c); x++)
        test_frame_set (frame, c, x, y, test_frame_get (frame, c, x, y + by));
  }
}

static void
add_noise (TestFrame *frame, GRand *random)
{
  guint c;
  gint x, y;

  for (c = 0; c < test_frame_get_n_components (frame); c++)
    for (y = 0; y < test_frame_get_height (frame, c); y++)
      for (x = 0; x < test_frame_get_width (frame, c) / 2; x++)
        test_frame_set (frame, c, x, y,
            test_frame_get (frame, c, x, y) +
                g_rand_double_range (random, -.02, .02));
}

static void
take_step (TestFrame *frame, Step step, GRand *random)
{
  gint i;

  switch (step) {
  case STEP_EDIT:
    edit (frame, random, 9);
    break;
  case STEP_EDITS:
    for (i = g_rand_int_range (random, 2, 200); i > 0; i--)
      edit (frame, random, 1 + i % 5);
    break;
  case STEP_SCROLL:
    scroll (frame, 2 * g_rand_int_range (random, 1, 8));
    break;
  case STEP_NOISE:
    add_noise (frame, random);
    break;
  case STEP_CUT:
    test_frame_fill (frame, g_rand_int (random));
    break;
  default:
    break;
  }
}

/* --- two plans ------------------------------------------------------------ */

typedef struct {
  SrganPlan *whole;
  SrganPlan *reusing;
  TestFrame *wanted;
  TestFrame *found;
  TestFrame *input;
} Pair;

static SrganPlan *
new_plan (SrganNetwork *network, SrganPlanSettings settings, gboolean reuse)
{
  GError *error = NULL;
  SrganPlan *plan;

  settings.reuse = reuse;
  plan = srgan_plan_new (network, &settings, &error);
  g_assert_no_error (error);
  return plan;
}

static void
pair_init (Pair *pair, SrganNetwork *network, const SrganLayout *layout,
    gint width, gint height, const SrganPlanSettings *settings)
{
  SrganPlanSettings s = {0};
  gint scale = (gint) srgan_network_get_scale (network);

  if (settings)
    s = *settings;
  s.layout = *layout;
  s.width = (guint) width;
  s.height = (guint) height;
  pair->reusing = new_plan (network, s, TRUE);
  s.n_threads = 1;
  s.tile_width = s.tile_height = 0;
  pair->whole = new_plan (network, s, FALSE);
  pair->wanted = test_frame_new (layout, width * scale, height * scale);
  pair->found = test_frame_new (layout, width * scale, height * scale);
  pair->input = test_frame_new (layout, width, height);
  test_frame_fill (pair->input, 5);
}

static void
pair_clear (Pair *pair)
{
  srgan_plan_free (pair->whole);
  srgan_plan_free (pair->reusing);
  test_frame_free (pair->wanted);
  test_frame_free (pair->found);
  test_frame_free (pair->input);
}

/* Runs both on the input. The output that was is overwritten: nothing may come
 * from there. */
static gdouble
pair_run (Pair *pair)
{
  gsize i;

  for (i = 0; i < pair->found->size; i++)
    if (pair->found->written[i])
      pair->found->memory[i] = 0x5a;
  srgan_plan_run (pair->whole, &pair->input->frame, &pair->wanted->frame);
  srgan_plan_run (pair->reusing, &pair->input->frame, &pair->found->frame);
  /* Samples and guards; when they differ, says where. */
  if (memcmp (pair->wanted->memory, pair->found->memory, pair->found->size))
    test_frame_assert_equal (pair->wanted, pair->found);
  test_frame_check_guards (pair->found);
  test_frame_check_guards (pair->input);
  return srgan_plan_get_reused (pair->reusing);
}

static void
check_clip (SrganNetwork *network, const SrganLayout *layout, gint width,
    gint height, const SrganPlanSettings *settings, guint32 seed, guint n)
{
  g_autoptr (GRand) random = g_rand_new_with_seed (seed);
  Pair pair;
  guint i;

  pair_init (&pair, network, layout, width, height, settings);
  for (i = 0; i < n; i++) {
    pair_run (&pair);
    take_step (
        pair.input, (Step) g_rand_int_range (random, 0, N_STEPS), random);
  }
  pair_run (&pair);
  /* And nothing has changed. */
  g_assert_cmpfloat (pair_run (&pair), ==, 1);
  pair_clear (&pair);
}

static SrganNetwork *
new_network (guint kind)
{
  TestChain chain = {.scale = 2,
      .channels = 16,
      .n_middle = 2,
      .activation = SRGAN_ACTIVATION_PRELU,
      .seed = 3};

  switch (kind) {
  case 0:
    break;
  case 1:
    chain.scale = 3;
    chain.channels = 8;
    chain.skip = SRGAN_FILTER_BICUBIC;
    break;
  case 2:
    chain.colour = SRGAN_COLOUR_RGB;
    chain.channels = 12;
    break;
  default:
    return test_network_new_residual (SRGAN_COLOUR_RGB, 4, 16, 3, 5);
  }
  return test_network_new_chain (&chain);
}

/* --- tests ---------------------------------------------------------------- */

static void
test_formats (void)
{
  static const gint sizes[][2] = {{1, 1}, {17, 5}, {63, 49}, {95, 81}};
  const guint n_sizes = G_N_ELEMENTS (sizes) - !g_test_thorough ();
  guint format, kind, i;

  for (kind = 0; kind < 4; kind++) {
    g_autoptr (SrganNetwork) network = new_network (kind);

    for (format = 0; format < N_FORMATS; format++)
      for (i = 0; i < n_sizes; i++) {
        SrganLayout layout = format_get_layout ((Format) format);
        const SrganPlanSettings settings = {.n_threads = 1 + (i + format) % 3};

        layout.chroma_cosited_y = format % 2;
        check_clip (network, &layout, sizes[i][0], sizes[i][1], &settings,
            format + 10 * i, g_test_thorough () ? 12 : 8);
      }
  }
}

static void
test_floats (void)
{
  g_autoptr (SrganNetwork) luma = new_network (0);
  g_autoptr (SrganNetwork) colour = new_network (2);
  const SrganLayout yuv = format_get_float_layout (FORMAT_I420);
  const SrganLayout rgb = format_get_float_layout (FORMAT_RGB);

  check_clip (luma, &yuv, 99, 70, NULL, 1, 20);
  check_clip (colour, &rgb, 99, 70, NULL, 2, 20);
}

/* However a frame is cut, and by however many threads. */
static void
test_tiles (void)
{
  static const guint tiles[][3] = {/* width, height, threads */
      {0, 0, 1}, {0, 0, 2}, {0, 0, 7}, {4, 4, 2}, {30, 20, 3}, {64, 0, 2},
      {100, 300, 1}, {0, 16, 5}};
  guint kind, i;

  for (kind = 0; kind < 4; kind++) {
    g_autoptr (SrganNetwork) network = new_network (kind);

    for (i = 0; i < G_N_ELEMENTS (tiles); i++) {
      const SrganLayout layout =
          format_get_layout (i % 2 ? FORMAT_NV12 : FORMAT_I420);
      const SrganPlanSettings settings = {.tile_width = tiles[i][0],
          .tile_height = tiles[i][1],
          .n_threads = tiles[i][2]};

      if (g_test_thorough ())
        check_clip (network, &layout, kind < 3 ? 201 : 101, 147, &settings,
            100 + i, kind < 3 ? 12 : 6);
      else
        check_clip (network, &layout, kind < 3 ? 137 : 101, 99, &settings,
            100 + i, kind < 3 ? 8 : 4);
    }
  }
}

static void
test_builtins (void)
{
  const gchar *const *names = srgan_network_list_builtins ();
  const SrganLayout layout = format_get_layout (FORMAT_I420);
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
    if (g_test_thorough ())
      check_clip (network, &layout, 150, 100, NULL, i, 8);
    else
      check_clip (network, &layout, 100, 70, NULL, i, 4);
  }
}

/* What is reused, where that is known. */
static void
test_share (void)
{
  g_autoptr (SrganNetwork) network = new_network (0);
  const SrganLayout layout = format_get_layout (FORMAT_I420);
  Pair pair;
  guint i;
  gint x, y;

  pair_init (&pair, network, &layout, 320, 200, NULL);
  g_assert_cmpfloat (pair_run (&pair), ==, 0);
  g_assert_cmpfloat (pair_run (&pair), ==, 1);

  /* A sample in the middle of a cell, whose neighbours it does reach. */
  test_frame_set (pair.input, 0, 168, 104, 1);
  g_assert_cmpfloat (pair_run (&pair), >=, 1 - 9 * 256. / (320 * 200));
  test_frame_set (pair.input, 2, 84, 52, 1);
  g_assert_cmpfloat (pair_run (&pair), >=, 1 - 9 * 256. / (320 * 200));
  /* Two far apart are not made one. */
  test_frame_set (pair.input, 0, 3, 3, 1);
  test_frame_set (pair.input, 0, 316, 196, 1);
  g_assert_cmpfloat (pair_run (&pair), >=, 1 - 8 * 256. / (320 * 200));

  /* Bars beside the picture. */
  for (i = 0; i < 3; i++) {
    for (y = 0; y < 200; y++)
      for (x = 0; x < 160; x++)
        test_frame_set (pair.input, 0, x, y, (x * y + 7 * (gint) i) % 50 / 50.);
    g_assert_cmpfloat (pair_run (&pair), >=, .4);
  }

  test_frame_fill (pair.input, 77);
  g_assert_cmpfloat (pair_run (&pair), ==, 0);
  g_assert_cmpfloat (pair_run (&pair), ==, 1);
  pair_clear (&pair);
}

/* A clip in which nothing repeats for long, and then something does: it takes
 * a frame to find out, and a frame to have something to reuse. */
static void
test_patience (void)
{
  g_autoptr (SrganNetwork) network = new_network (0);
  const SrganLayout layout = format_get_layout (FORMAT_NV12);
  Pair pair;
  guint32 i;

  pair_init (&pair, network, &layout, 70, 60, NULL);
  for (i = 0; i < 20; i++) {
    test_frame_fill (pair.input, i);
    g_assert_cmpfloat (pair_run (&pair), ==, 0);
  }
  g_assert_cmpfloat (pair_run (&pair), ==, 1);
  for (i = 0; i < 50; i++) {
    test_frame_fill (pair.input, i);
    g_assert_cmpfloat (pair_run (&pair), ==, 0);
  }
  g_assert_cmpfloat (pair_run (&pair), ==, 0);
  g_assert_cmpfloat (pair_run (&pair), ==, 1);
  pair_clear (&pair);
}

/* The same bytes are another picture once R and B have changed places; and one
 * whose components lie apart is run as well. */
static void
test_order (void)
{
  g_autoptr (SrganNetwork) network = new_network (2);
  SrganLayout layout = format_get_layout (FORMAT_RGB);
  SrganFrame in, out;
  gpointer red;
  Pair pair;
  guint i;

  pair_init (&pair, network, &layout, 64, 48, NULL);
  pair_run (&pair);
  g_assert_cmpfloat (pair_run (&pair), ==, 1);
  in = pair.input->frame;
  for (i = 0; i < 2; i++) {
    red = pair.input->frame.component[0];
    pair.input->frame.component[0] = pair.input->frame.component[2];
    pair.input->frame.component[2] = red;
    g_assert_cmpfloat (pair_run (&pair), ==, 0);
  }
  out = pair.found->frame;
  for (i = 0; i < 2; i++) {
    red = pair.found->frame.component[0];
    pair.found->frame.component[0] = pair.found->frame.component[2];
    pair.found->frame.component[2] = red;
    g_assert_cmpfloat (pair_run (&pair), ==, 0);
  }
  g_assert_cmpfloat (pair_run (&pair), ==, 1);
  g_assert_cmpmem (&in, sizeof in, &pair.input->frame, sizeof in);
  g_assert_cmpmem (&out, sizeof out, &pair.found->frame, sizeof out);

  /* Three planes of every third byte: legal, and kept as it cannot be. */
  {
    g_autoptr (TestFrame) apart = test_frame_new (&layout, 64 * 3, 48);

    pair.input->frame.component[2] =
        (guint8 *) apart->frame.component[0] + 64 * 3;
    pair.input->frame.stride[2] = apart->frame.stride[0];
    for (i = 0; i < 2; i++)
      g_assert_cmpfloat (pair_run (&pair), ==, 0);
    pair.input->frame = in;
  }
  pair_run (&pair);
  g_assert_cmpfloat (pair_run (&pair), ==, 1);
  pair_clear (&pair);

  /* Y of YUY2, with bytes between that are another component's. */
  layout = format_get_layout (FORMAT_GRAY8);
  layout.pixel_stride[0] = 2;
  pair_init (&pair, network, &layout, 64, 48, NULL);
  for (i = 0; i < 3; i++)
    g_assert_cmpfloat (pair_run (&pair), ==, 0);
  pair_clear (&pair);
}

static void
test_memory (void)
{
  g_autoptr (SrganNetwork) network = new_network (0);
  SrganPlanSettings settings = {.width = 320,
      .height = 200,
      .n_threads = 1,
      .layout = format_get_layout (FORMAT_I420)};
  g_autoptr (SrganPlan) whole = new_plan (network, settings, FALSE);
  g_autoptr (SrganPlan) reusing = new_plan (network, settings, TRUE);
  SrganPlanReport report;

  srgan_plan_get_report (whole, &report);
  g_assert_cmpuint (report.kept_bytes, ==, 0);
  srgan_plan_get_report (reusing, &report);
  g_assert_cmpuint (report.kept_bytes, >=, 5 * 320 * 200 * 3 / 2);
  g_assert_cmpuint (report.kept_bytes, <, 6 * 320 * 200 * 3 / 2);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/reuse/formats", test_formats);
  g_test_add_func ("/reuse/floats", test_floats);
  g_test_add_func ("/reuse/tiles", test_tiles);
  g_test_add_func ("/reuse/builtins", test_builtins);
  g_test_add_func ("/reuse/share", test_share);
  g_test_add_func ("/reuse/patience", test_patience);
  g_test_add_func ("/reuse/order", test_order);
  g_test_add_func ("/reuse/memory", test_memory);
  return g_test_run ();
}
