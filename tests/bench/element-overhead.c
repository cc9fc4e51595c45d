/* tests: what the element takes beyond the bare engine, for
 * element-overhead.sh.
 *
 *   element-overhead WxH THREADS ROUNDS FRAMES
 *
 * Rounds of the same frames through srganupscale and through a plan of the
 * same network, in turns in one process, so that whatever else the machine
 * does meets both. Frames change from one to the next: nothing is reused.
 * Prints medians of processor time and of wall time a frame, and of the rounds'
 * ratios less 1: the overhead.
 *
 * SPDX-License-Identifier: MIT
 */
#include <gst/check/gstharness.h>
#include <gst/gst.h>
#include <srgan/srgan.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MODEL "fast-clean"
#define SCALE 2
#define N_INPUTS 2

typedef struct {
  guint width, height;
  gsize bytes;
  GstHarness *harness;
  GstBuffer *inputs[N_INPUTS];
  SrganPlan *plan;
  guint8 *output;
} Bench;

typedef struct {
  gdouble cpu, wall; /* milliseconds a frame */
} Times;

static gdouble
get_ms (clockid_t clock)
{
  struct timespec time;

  clock_gettime (clock, &time);
  return time.tv_sec * 1e3 + time.tv_nsec * 1e-6;
}

static gint
compare_numbers (gconstpointer a, gconstpointer b)
{
  const gdouble x = *(const gdouble *) a, y = *(const gdouble *) b;

  return (x > y) - (x < y);
}

static gdouble
get_median (gdouble *values, guint n)
{
  qsort (values, n, sizeof *values, compare_numbers);
  return values[n / 2];
}

/* Planes of I420, tightly packed as the caps of such sizes have them. */
static void
set_planes (SrganFrame *frame, guint8 *pixels, gsize width, gsize height)
{
  frame->component[0] = pixels;
  frame->component[1] = pixels + width * height;
  frame->component[2] = pixels + width * height * 5 / 4;
  frame->stride[0] = width;
  frame->stride[1] = frame->stride[2] = width / 2;
}

static void
run_element (Bench *bench, guint n_frames)
{
  for (guint i = 0; i < n_frames; i++) {
    GstBuffer *output = gst_harness_push_and_pull (
        bench->harness, gst_buffer_ref (bench->inputs[i % N_INPUTS]));

    if (output == NULL)
      g_error ("the element gave no frame");
    gst_buffer_unref (output);
  }
}

static void
run_engine (Bench *bench, guint n_frames)
{
  SrganFrame in = {{NULL}, {0}}, out = {{NULL}, {0}};

  set_planes (&out, bench->output, (gsize) bench->width * SCALE,
      (gsize) bench->height * SCALE);
  for (guint i = 0; i < n_frames; i++) {
    GstMapInfo map;

    gst_buffer_map (bench->inputs[i % N_INPUTS], &map, GST_MAP_READ);
    set_planes (&in, map.data, bench->width, bench->height);
    srgan_plan_run (bench->plan, &in, &out);
    gst_buffer_unmap (bench->inputs[i % N_INPUTS], &map);
  }
}

static Times
measure (
    Bench *bench, void (*run) (Bench *bench, guint n_frames), guint n_frames)
{
  const gdouble cpu = get_ms (CLOCK_PROCESS_CPUTIME_ID);
  const gdouble wall = get_ms (CLOCK_MONOTONIC);

  run (bench, n_frames);
  return (Times){(get_ms (CLOCK_PROCESS_CPUTIME_ID) - cpu) / n_frames,
      (get_ms (CLOCK_MONOTONIC) - wall) / n_frames};
}

static void
init_inputs (Bench *bench)
{
  guint32 state = 1;

  bench->bytes = (gsize) bench->width * bench->height * 3 / 2;
  for (guint i = 0; i < N_INPUTS; i++) {
    guint8 *pixels = g_malloc (bench->bytes);

    for (gsize k = 0; k < bench->bytes; k++) {
      state = state * 1664525 + 1013904223;
      pixels[k] = (guint8) (40 + k / 8 % 160 + (state >> 28) + i);
    }
    bench->inputs[i] = gst_buffer_new_wrapped (pixels, bench->bytes);
  }
}

static gboolean
init (Bench *bench, guint n_threads, GError **error)
{
  g_autofree gchar *caps = g_strdup_printf (
      "video/x-raw,format=I420,width=%u,height=%u,framerate=25/1,"
      "colorimetry=bt709,chroma-site=mpeg2",
      bench->width, bench->height);
  SrganPlanSettings settings = {.width = bench->width,
      .height = bench->height,
      .layout = {.kind = SRGAN_LAYOUT_YUV,
          .pixel_stride = {1, 1, 1},
          .chroma_width_shift = 1,
          .chroma_height_shift = 1,
          .chroma_cosited_x = TRUE,
          .matrix_kr = .2126,
          .matrix_kb = .0722},
      .n_threads = n_threads};
  g_autoptr (SrganNetwork) network =
      srgan_network_open (MODEL, SCALE, NULL, error);
  GstElement *element = gst_element_factory_make ("srganupscale", NULL);

  if (network == NULL)
    return FALSE;
  bench->plan = srgan_plan_new (network, &settings, error);
  if (bench->plan == NULL)
    return FALSE;
  if (element == NULL)
    g_error ("no srganupscale: see element-overhead.sh");
  g_object_set (
      element, "model", MODEL, "scale", SCALE, "n-threads", n_threads, NULL);
  bench->harness = gst_harness_new_with_element (element, "sink", "src");
  gst_object_unref (element);
  gst_harness_set_src_caps_str (bench->harness, caps);
  bench->output = g_malloc (bench->bytes * SCALE * SCALE);
  return TRUE;
}

int
main (int argc, char **argv)
{
  Bench bench = {0};
  GError *error = NULL;
  guint n_threads, n_rounds, n_frames;
  g_autofree gdouble *values = NULL;
  SrganPlanReport report;

  gst_init (NULL, NULL);
  if (argc != 5 ||
      sscanf (argv[1], "%ux%u", &bench.width, &bench.height) != 2 ||
      bench.width % 8 != 0 || bench.height % 2 != 0 ||
      (n_threads = (guint) atoi (argv[2])) < 1 ||
      (n_rounds = (guint) atoi (argv[3])) < 1 ||
      (n_frames = (guint) atoi (argv[4])) < 1) {
    fprintf (stderr, "element-overhead: see element-overhead.sh; the width is "
                     "to be a multiple of 8, the height of 2\n");
    return 2;
  }
  init_inputs (&bench);
  if (!init (&bench, n_threads, &error)) {
    fprintf (stderr, "element-overhead: %s\n", error->message);
    return 1;
  }
  /* caches, threads, pools; and the engine finds out that nothing repeats */
  run_element (&bench, n_frames);
  run_engine (&bench, n_frames);

  values = g_new (gdouble, 6 * n_rounds);
  for (guint i = 0; i < n_rounds; i++) {
    Times times[2];

    for (guint j = 0; j < 2; j++) {
      const guint which = (i + j) % 2;

      times[which] =
          measure (&bench, which ? run_engine : run_element, n_frames);
    }
    values[i] = times[0].cpu;
    values[n_rounds + i] = times[1].cpu;
    values[2 * n_rounds + i] = times[0].cpu / times[1].cpu;
    values[3 * n_rounds + i] = times[0].wall;
    values[4 * n_rounds + i] = times[1].wall;
    values[5 * n_rounds + i] = times[0].wall / times[1].wall;
  }
  srgan_plan_get_report (bench.plan, &report);
  printf ("%s, %ux%u I420, times %u; %s, %s kernels, %u threads; medians of %u "
          "rounds of %u frames\n",
      MODEL, bench.width, bench.height, SCALE,
      srgan_precision_to_string (report.precision), report.kernels,
      report.n_threads, n_rounds, n_frames);
  for (guint i = 0; i < 2; i++) {
    gdouble *row = values + 3 * i * n_rounds;

    printf ("%-15s element %.2f ms, engine %.2f ms, overhead %+.1f %%\n",
        i ? "wall time" : "processor time", get_median (row, n_rounds),
        get_median (row + n_rounds, n_rounds),
        100 * (get_median (row + 2 * n_rounds, n_rounds) - 1));
  }
  gst_harness_teardown (bench.harness);
  srgan_plan_free (bench.plan);
  for (guint i = 0; i < N_INPUTS; i++)
    gst_buffer_unref (bench.inputs[i]);
  g_free (bench.output);
  return 0;
}
