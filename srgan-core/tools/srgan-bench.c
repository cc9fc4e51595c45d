/* tools: srgan-bench: how fast a network runs here, and how near that is to
 * what the processor could do.
 *
 * Frames and bare multiply-adds (the peak) are timed in turns, so that whatever
 * else the machine does slows both.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <srgan/srgan.h>

#include "base/memory.h"
#include "base/workers.h"
#include "kernels/kernels.h"
#include "tool.h"

/* ---- Allocations ----
 *
 * These stand in front of the C library's for the whole program, the libraries
 * it loads included, and count. */

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define CAN_COUNT 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define CAN_COUNT 0
#endif
#endif
#ifndef CAN_COUNT
#ifdef __GLIBC__
#define CAN_COUNT 1
#else
#define CAN_COUNT 0
#endif
#endif

static atomic_ullong n_allocations;

#if CAN_COUNT

void *__libc_malloc (size_t size);
void *__libc_calloc (size_t n, size_t size);
void *__libc_realloc (void *memory, size_t size);
void *__libc_memalign (size_t alignment, size_t size);

SRGAN_API
void *
malloc (size_t size)
{
  atomic_fetch_add_explicit (&n_allocations, 1, memory_order_relaxed);
  return __libc_malloc (size);
}

SRGAN_API
void *
calloc (size_t n, size_t size)
{
  atomic_fetch_add_explicit (&n_allocations, 1, memory_order_relaxed);
  return __libc_calloc (n, size);
}

SRGAN_API
void *
realloc (void *memory, size_t size)
{
  atomic_fetch_add_explicit (&n_allocations, 1, memory_order_relaxed);
  return __libc_realloc (memory, size);
}

SRGAN_API
void *
aligned_alloc (size_t alignment, size_t size)
{
  atomic_fetch_add_explicit (&n_allocations, 1, memory_order_relaxed);
  return __libc_memalign (alignment, size);
}

SRGAN_API
int
posix_memalign (void **memory, size_t alignment, size_t size)
{
  void *new;

  if (alignment % sizeof (void *) != 0 || (alignment & (alignment - 1)) != 0 ||
      alignment == 0)
    return EINVAL;
  atomic_fetch_add_explicit (&n_allocations, 1, memory_order_relaxed);
  new = __libc_memalign (alignment, size);
  if (new == NULL)
    return ENOMEM;
  *memory = new;
  return 0;
}

#endif

/* ---- Options ---- */

static gchar *model;
static gchar *size;
static gchar *format;
static gint scale;
static gint threads;
static gdouble seconds = 3;
static gboolean as_json;
static gboolean only_kernels;

static const GOptionEntry entries[] = {
    {"model", 'm', 0, G_OPTION_ARG_FILENAME, &model,
        "A built-in's name or a model file (default: fast-clean)", "MODEL"},
    {"scale", 's', 0, G_OPTION_ARG_INT, &scale,
        "Times larger (default: the model's, else 2)", "S"},
    {"size", 'S', 0, G_OPTION_ARG_STRING, &size,
        "Of the input, in pixels (default: 960x540)", "WxH"},
    {"threads", 't', 0, G_OPTION_ARG_INT, &threads,
        "Threads (default: the CPUs that the process may use)", "N"},
    {"format", 'f', 0, G_OPTION_ARG_STRING, &format,
        "gray, i420, nv12 or rgb (default: i420)", "FORMAT"},
    {"seconds", 'd', 0, G_OPTION_ARG_DOUBLE, &seconds,
        "How long to measure (default: 3)", "SECONDS"},
    {"json", 'j', 0, G_OPTION_ARG_NONE, &as_json,
        "Print JSON for other programs", NULL},
    {"kernels", 'k', 0, G_OPTION_ARG_NONE, &only_kernels,
        "Measure the convolution kernels alone, on one thread", NULL},
    {NULL},
};

/* ---- Time ---- */

static gdouble
get_seconds (void)
{
  return g_get_monotonic_time () * 1e-6;
}

static gint
compare_numbers (gconstpointer a, gconstpointer b)
{
  gdouble x = *(const gdouble *) a, y = *(const gdouble *) b;

  return (x > y) - (x < y);
}

/* The smallest value that @share of them do not exceed; sorts @values. */
static gdouble
get_percentile (GArray *values, gdouble share)
{
  guint rank = (guint) ceil (share * values->len);

  g_array_sort (values, compare_numbers);
  return g_array_index (values, gdouble, MAX (rank, 1) - 1);
}

/* On a terminal, for what takes longer than one likes to wait in the dark. */
static void
show_progress (gdouble done, gdouble left)
{
  static gdouble last;
  gdouble now = get_seconds ();

  if (!isatty (STDERR_FILENO) || (left > 0 && now - last < .25))
    return;
  last = now;
  if (left > 0)
    g_printerr ("\rsrgan-bench: %3.0f %%, %.0f s left ", 100 * done, left);
  else
    g_printerr ("\r\033[K");
}

/* ---- The peak ---- */

typedef struct {
  const SrganKernels *kernels;
  guint64 n_rounds;
  gdouble operations; /* of one item */
} Peak;

static void
run_peak (gpointer data, guint item, guint worker)
{
  Peak *peak = data;
  gdouble operations = peak->kernels->multiply_add (peak->n_rounds);

  if (worker == 0)
    peak->operations = operations;
}

/* Operations a second, all workers together. The first call finds out how many
 * rounds take about @duration, the others correct that. */
static gdouble
measure_peak (SrganWorkers *workers, Peak *peak, gdouble duration)
{
  guint n = srgan_workers_get_n_threads (workers);
  gdouble elapsed;

  for (;;) {
    guint64 n_rounds = peak->n_rounds;
    gdouble start = get_seconds ();

    srgan_workers_run (workers, run_peak, peak, n);
    elapsed = get_seconds () - start;
    peak->n_rounds = (guint64) (n_rounds * CLAMP (duration / elapsed, .5, 2));
    if (elapsed >= duration / 2)
      return n * peak->operations / elapsed;
  }
}

/* ---- Frames ---- */

typedef struct {
  SrganFrame frame;
  gpointer memory[SRGAN_MAX_COMPONENTS];
  gsize bytes[SRGAN_MAX_COMPONENTS];
} Picture;

static gboolean
get_layout (const gchar *name, SrganLayout *layout)
{
  *layout = (SrganLayout){
      .kind = SRGAN_LAYOUT_YUV,
      .pixel_stride = {1, 1, 1},
      .chroma_width_shift = 1,
      .chroma_height_shift = 1,
      .chroma_cosited_x = TRUE,
      .matrix_kr = .2126, /* BT.709 */
      .matrix_kb = .0722,
  };
  if (strcmp (name, "i420") == 0)
    return TRUE;
  if (strcmp (name, "nv12") == 0) {
    layout->pixel_stride[1] = layout->pixel_stride[2] = 2;
    return TRUE;
  }
  layout->chroma_width_shift = layout->chroma_height_shift = 0;
  layout->chroma_cosited_x = FALSE;
  if (strcmp (name, "gray") == 0) {
    layout->kind = SRGAN_LAYOUT_GRAY;
    return TRUE;
  }
  if (strcmp (name, "rgb") == 0) {
    layout->kind = SRGAN_LAYOUT_RGB;
    layout->full_range = TRUE;
    for (guint i = 0; i < 3; i++)
      layout->pixel_stride[i] = 3;
    return TRUE;
  }
  return FALSE;
}

static void
picture_clear (Picture *picture)
{
  for (guint i = 0; i < SRGAN_MAX_COMPONENTS; i++)
    srgan_aligned_free (picture->memory[i]);
}

/* Components that lie in one plane follow each other in it. */
static gboolean
picture_init (
    Picture *picture, const SrganLayout *layout, guint width, guint height)
{
  guint n = layout->kind == SRGAN_LAYOUT_GRAY ? 1 : 3, first = 0;

  *picture = (Picture){0};
  for (guint i = 0; i < n; i++) {
    guint shift_x = i > 0 ? layout->chroma_width_shift : 0;
    guint shift_y = i > 0 ? layout->chroma_height_shift : 0;
    gsize columns = (width + (1u << shift_x) - 1) >> shift_x;
    gsize rows = (height + (1u << shift_y) - 1) >> shift_y;

    if (i == 0 || i - first == layout->pixel_stride[i]) {
      first = i;
      picture->frame.stride[i] =
          (columns * layout->pixel_stride[i] + SRGAN_ALIGNMENT - 1) /
          SRGAN_ALIGNMENT * SRGAN_ALIGNMENT;
      picture->bytes[i] = rows * picture->frame.stride[i];
      picture->memory[i] = srgan_aligned_alloc (picture->bytes[i], 1);
      if (picture->memory[i] == NULL) {
        picture_clear (picture);
        return FALSE;
      }
    }
    picture->frame.stride[i] = picture->frame.stride[first];
    picture->frame.component[i] =
        (guint8 *) picture->memory[first] + (i - first);
  }
  return TRUE;
}

/* Slopes and some noise: nothing that arithmetic could find easy. */
static void
picture_fill (Picture *picture)
{
  guint32 state = 1;

  for (guint i = 0; i < SRGAN_MAX_COMPONENTS; i++) {
    guint8 *sample = picture->memory[i];

    for (gsize x = 0; x < picture->bytes[i]; x++) {
      state = state * 1664525 + 1013904223;
      sample[x] = 40 + x / 8 % 160 + (state >> 28);
    }
  }
}

typedef struct {
  guint width, height;
  guint n_frames;
  gdouble ms_p50, ms_p95;
  gdouble operations; /* a second */
  gdouble peak;       /* likewise */
  gdouble share;
  gdouble allocations; /* a frame; negative: not known */
  SrganPlanReport report;
} Result;

/* Turns of frames and of the peak, some 50 ms each, for @seconds in all. */
static void
measure_frames (SrganPlan *plan, const SrganFrame *input,
    const SrganFrame *output, SrganWorkers *workers,
    const SrganKernels *kernels, Result *result)
{
  const gdouble operations = 2 * result->report.multiply_adds;
  Peak peak = {.kernels = kernels, .n_rounds = 100000};
  GArray *times = g_array_sized_new (FALSE, FALSE, sizeof (gdouble), 4096);
  GArray *rates = g_array_sized_new (FALSE, FALSE, sizeof (gdouble), 256);
  GArray *peaks = g_array_sized_new (FALSE, FALSE, sizeof (gdouble), 256);
  GArray *shares = g_array_sized_new (FALSE, FALSE, sizeof (gdouble), 256);
  gdouble start, turn = .05;
  guint64 allocations = 0;

  /* The first frames find cold caches and sleeping threads. */
  for (guint i = 0; i < 2; i++)
    srgan_plan_run (plan, input, output);
  measure_peak (workers, &peak, turn);

  start = get_seconds ();
  while (shares->len < 3 || get_seconds () - start < seconds) {
    gdouble turn_start = get_seconds (), last = turn_start, rate, share;
    guint n = 0;

    do {
      guint64 before = atomic_load (&n_allocations);
      gdouble now, ms;

      srgan_plan_run (plan, input, output);
      now = get_seconds ();
      allocations += atomic_load (&n_allocations) - before;
      ms = 1000 * (now - last);
      g_array_append_val (times, ms);
      last = now;
      n++;
    } while (last - turn_start < turn);
    rate = n * operations / (last - turn_start);
    g_array_append_val (rates, rate);
    share = measure_peak (workers, &peak, turn);
    g_array_append_val (peaks, share);
    share = rate / share;
    g_array_append_val (shares, share);
    if (seconds > 2)
      show_progress (
          (get_seconds () - start) / seconds, start + seconds - get_seconds ());
  }
  show_progress (1, 0);

  result->n_frames = times->len;
  result->ms_p50 = get_percentile (times, .5);
  result->ms_p95 = get_percentile (times, .95);
  result->operations = get_percentile (rates, .5);
  result->peak = get_percentile (peaks, .5);
  result->share = get_percentile (shares, .5);
  result->allocations = CAN_COUNT ? (gdouble) allocations / times->len : -1;
  g_array_unref (times);
  g_array_unref (rates);
  g_array_unref (peaks);
  g_array_unref (shares);
}

/* ---- Output ---- */

static void
print_result (SrganNetwork *network, const Result *result)
{
  const SrganPlanReport *report = &result->report;
  guint by = srgan_network_get_scale (network);

  if (as_json) {
    JsonBuilder *builder = json_builder_new ();

    json_builder_begin_object (builder);
    tool_json_add_string (builder, "model", srgan_network_get_name (network));
    tool_json_add_count (builder, "scale", by);
    tool_json_add_count (builder, "width", result->width);
    tool_json_add_count (builder, "height", result->height);
    tool_json_add_string (builder, "format", format);
    tool_json_add_string (builder, "kernels", report->kernels);
    tool_json_add_count (builder, "threads", report->n_threads);
    tool_json_add_count (builder, "frames", result->n_frames);
    tool_json_add_number (builder, "ms_p50", result->ms_p50);
    tool_json_add_number (builder, "ms_p95", result->ms_p95);
    tool_json_add_number (builder, "gflops", result->operations * 1e-9);
    tool_json_add_number (builder, "peak_gflops", result->peak * 1e-9);
    tool_json_add_number (builder, "peak_share", result->share);
    tool_json_add_number (
        builder, "multiply_adds_per_frame", report->multiply_adds);
    tool_json_add_count (builder, "workspace_bytes", report->workspace_bytes);
    tool_json_add_count (builder, "weight_bytes", report->weight_bytes);
    tool_json_add_count (builder, "tile_width", report->tile_width);
    tool_json_add_count (builder, "tile_height", report->tile_height);
    json_builder_set_member_name (builder, "allocations_per_frame");
    if (result->allocations < 0)
      json_builder_add_null_value (builder);
    else
      json_builder_add_double_value (builder, result->allocations);
    json_builder_end_object (builder);
    tool_json_print (builder);
    g_object_unref (builder);
    return;
  }
  printf ("%s, %ux%u to %ux%u, %s; %s kernels, %u thread%s\n",
      srgan_network_get_name (network), result->width, result->height,
      result->width * by, result->height * by, format, report->kernels,
      report->n_threads, report->n_threads == 1 ? "" : "s");
  printf ("time        %.2f ms a frame (p50), %.2f ms (p95): %.1f frames a "
          "second; %u frames\n",
      result->ms_p50, result->ms_p95, 1000 / result->ms_p50, result->n_frames);
  printf ("arithmetic  %.1f GFLOP/s, %.1f %% of the peak of %.1f GFLOP/s\n",
      result->operations * 1e-9, 100 * result->share, result->peak * 1e-9);
  printf ("memory      %" G_GSIZE_FORMAT " bytes of workspace, %" G_GSIZE_FORMAT
          " bytes of weights; tiles of %ux%u\n",
      report->workspace_bytes, report->weight_bytes, report->tile_width,
      report->tile_height);
  if (result->allocations >= 0)
    printf ("allocations %g a frame\n", result->allocations);
  else
    printf ("allocations not counted in this build\n");
}

/* ---- --kernels ---- */

static const guint shapes[][2] = {
    {1, 16}, {3, 16}, {16, 16}, {16, 4}, {16, 9}, {32, 32}, {64, 64}};

#define KERNELS_WIDTH 192    /* pixels */
#define KERNELS_TURNS 21     /* of each shape, by default: at the most */
#define KERNELS_SECONDS .004 /* and so long, twice */

/* What this thread has been given: a kernel alone waits for nothing, and
 * whoever else wants the processor is of no interest. */
static gdouble
get_cpu_seconds (void)
{
  struct timespec time;

  clock_gettime (CLOCK_THREAD_CPUTIME_ID, &time);
  return time.tv_sec + time.tv_nsec * 1e-9;
}

typedef struct {
  gdouble operations; /* a second */
  gdouble peak;
  gdouble share;
} Rate;

/* A 3x3 convolution whose rows stay in the first-level cache, and
 * multiply-adds, in turns. FALSE when memory is out. */
static gboolean
measure_convolution (const SrganKernels *kernels, guint in_channels,
    guint out_channels, Rate *median)
{
  const guint in_stride = in_channels <= 3
                              ? in_channels
                              : kernels->get_channel_stride (in_channels);
  const gsize n_weights = (gsize) 9 * in_channels * out_channels;
  const gsize row_floats = (gsize) in_stride * (KERNELS_WIDTH + 2);
  gfloat *weight = srgan_aligned_alloc (n_weights, sizeof (gfloat));
  gfloat *slope = srgan_aligned_alloc (out_channels, sizeof (gfloat));
  gfloat *input = srgan_aligned_alloc (3 * row_floats, sizeof (gfloat));
  gfloat *output = NULL;
  SrganConvolution convolution = {0};
  const guint n_turns = CLAMP (seconds * 7, 3, KERNELS_TURNS);
  gdouble rates[KERNELS_TURNS], peaks[KERNELS_TURNS], shares[KERNELS_TURNS];

  if (weight != NULL && slope != NULL && input != NULL &&
      kernels->pack_convolution (&convolution, in_channels, in_stride,
          out_channels, 3, 3, weight, NULL, slope))
    output = srgan_aligned_alloc (
        (gsize) KERNELS_WIDTH * convolution.out_stride, sizeof (gfloat));
  if (output != NULL) {
    const gfloat *rows[3] = {input, input + row_floats, input + 2 * row_floats};

    for (guint turn = 0; turn < n_turns; turn++) {
      gdouble start = get_cpu_seconds (), elapsed, operations = 0;

      do {
        for (guint i = 0; i < 8; i++)
          kernels->convolve_row (&convolution, rows, output, KERNELS_WIDTH);
        operations += 8 * 2. * n_weights * KERNELS_WIDTH;
        elapsed = get_cpu_seconds () - start;
      } while (elapsed < KERNELS_SECONDS);
      rates[turn] = operations / elapsed;

      operations = 0;
      start = get_cpu_seconds ();
      do {
        operations += kernels->multiply_add (10000);
        elapsed = get_cpu_seconds () - start;
      } while (elapsed < KERNELS_SECONDS);
      peaks[turn] = operations / elapsed;
      shares[turn] = rates[turn] / peaks[turn];
    }
    qsort (rates, n_turns, sizeof *rates, compare_numbers);
    qsort (peaks, n_turns, sizeof *peaks, compare_numbers);
    qsort (shares, n_turns, sizeof *shares, compare_numbers);
    *median =
        (Rate){rates[n_turns / 2], peaks[n_turns / 2], shares[n_turns / 2]};
  }
  srgan_convolution_clear (&convolution);
  srgan_aligned_free (weight);
  srgan_aligned_free (slope);
  srgan_aligned_free (input);
  srgan_aligned_free (output);
  return output != NULL;
}

static gint
bench_kernels (void)
{
  const SrganKernels *const *kernels = srgan_kernels_list ();
  const gdouble start = get_seconds ();
  guint n = 0, n_done = 0;
  JsonBuilder *builder = json_builder_new ();
  ToolTable *table = tool_table_new ("lrrrr");

  tool_table_add (table, g_strdup ("kernels"), g_strdup ("3x3"),
      g_strdup ("GFLOP/s"), g_strdup ("peak"), g_strdup ("share"));
  json_builder_begin_array (builder);
  while (kernels[n] != NULL)
    n++;
  n *= G_N_ELEMENTS (shapes);
  for (; *kernels != NULL; kernels++) {
    for (guint i = 0; i < G_N_ELEMENTS (shapes); i++) {
      Rate rate;

      if (!measure_convolution (*kernels, shapes[i][0], shapes[i][1], &rate)) {
        tool_warn ("out of memory");
        return TOOL_EXIT_FAILED;
      }
      tool_table_add (table, g_strdup ((*kernels)->name),
          g_strdup_printf ("%u to %u", shapes[i][0], shapes[i][1]),
          g_strdup_printf ("%.1f", rate.operations * 1e-9),
          g_strdup_printf ("%.1f", rate.peak * 1e-9),
          g_strdup_printf ("%.1f %%", 100 * rate.share));
      json_builder_begin_object (builder);
      tool_json_add_string (builder, "kernels", (*kernels)->name);
      tool_json_add_count (builder, "in_channels", shapes[i][0]);
      tool_json_add_count (builder, "out_channels", shapes[i][1]);
      tool_json_add_number (builder, "gflops", rate.operations * 1e-9);
      tool_json_add_number (builder, "peak_gflops", rate.peak * 1e-9);
      tool_json_add_number (builder, "peak_share", rate.share);
      json_builder_end_object (builder);
      n_done++;
      if (seconds > 2)
        show_progress ((gdouble) n_done / n,
            (get_seconds () - start) / n_done * (n - n_done));
    }
  }
  show_progress (1, 0);
  json_builder_end_array (builder);
  if (as_json) {
    tool_json_print (builder);
    g_object_unref (builder);
    tool_table_free (table);
  } else {
    tool_table_print (table);
    g_object_unref (builder);
  }
  return tool_finish ();
}

/* ---- The whole ---- */

static const SrganKernels *
find_kernels (const gchar *name)
{
  const SrganKernels *const *kernels = srgan_kernels_list ();

  while (strcmp ((*kernels)->name, name) != 0)
    kernels++;
  return *kernels;
}

static gint
bench_network (const SrganPlanSettings *settings)
{
  GError *error = NULL;
  gchar *note = NULL;
  SrganNetwork *network = srgan_network_open (
      model != NULL ? model : "fast-clean", (guint) scale, &note, &error);
  SrganPlan *plan = NULL;
  SrganWorkers *workers = NULL;
  Picture input = {0}, output = {0};
  Result result = {.width = settings->width, .height = settings->height};
  gint status = TOOL_EXIT_FAILED;

  if (network == NULL)
    return tool_fail (error);
  if (note != NULL)
    tool_warn ("%s", note);
  g_free (note);

  plan = srgan_plan_new (network, settings, &error);
  if (plan == NULL) {
    tool_fail (error);
    goto done;
  }
  srgan_plan_get_report (plan, &result.report);
  workers = srgan_workers_new (result.report.n_threads, &error);
  if (workers == NULL) {
    tool_fail (error);
    goto done;
  }
  if (!picture_init (
          &input, &settings->layout, settings->width, settings->height) ||
      !picture_init (&output, &settings->layout,
          settings->width * srgan_network_get_scale (network),
          settings->height * srgan_network_get_scale (network))) {
    tool_warn (
        "no memory for frames of %ux%u", settings->width, settings->height);
    goto done;
  }
  picture_fill (&input);
  measure_frames (plan, &input.frame, &output.frame, workers,
      find_kernels (result.report.kernels), &result);
  print_result (network, &result);
  status = tool_finish ();

done:
  picture_clear (&input);
  picture_clear (&output);
  if (workers != NULL)
    srgan_workers_free (workers);
  if (plan != NULL)
    srgan_plan_free (plan);
  srgan_network_unref (network);
  return status;
}

int
main (int argc, char **argv)
{
  SrganPlanSettings settings = {0};
  gint status, end = 0;

  tool_parse (&argc, &argv, "srgan-bench", NULL,
      "Measures how fast a network runs on this machine.",
      "GFLOP/s count the multiply-adds that the network describes, two each; "
      "the\npeak is what bare multiply-adds reach on as many threads, measured "
      "in turns\nwith the frames. Kernels that need fewer (Winograd) can pass "
      "it.\nSRGAN_CPU=scalar|avx2|avxvnni|avx512|avx512vnni|neon|dotprod "
      "limits the\ninstructions used.\n",
      entries, 0, 0);

  if (size == NULL)
    size = g_strdup ("960x540");
  if (format == NULL)
    format = g_strdup ("i420");
  if (sscanf (size, "%ux%u%n", &settings.width, &settings.height, &end) != 2 ||
      size[end] != '\0' || strchr (size, '-') != NULL || settings.width < 1 ||
      settings.height < 1 || settings.width > SRGAN_MAX_SIZE ||
      settings.height > SRGAN_MAX_SIZE)
    tool_usage_error ("--size takes WxH, 1x1 to %ux%u, not '%s'",
        SRGAN_MAX_SIZE, SRGAN_MAX_SIZE, size);
  if (!get_layout (format, &settings.layout))
    tool_usage_error (
        "--format takes gray, i420, nv12 or rgb, not '%s'", format);
  if (scale < 0 || scale > 4)
    tool_usage_error ("--scale takes 1 to 4, not %d", scale);
  if (threads < 0 || threads > 1024)
    tool_usage_error ("--threads takes 1 to 1024, not %d", threads);
  if (!(seconds >= 0 && seconds <= 3600))
    tool_usage_error ("--seconds takes 0 to 3600, not %g", seconds);
  settings.n_threads = (guint) threads;

  status = only_kernels ? bench_kernels () : bench_network (&settings);
  g_free (model);
  g_free (size);
  g_free (format);
  return status;
}
