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
#include "bench-networks.h"
#include "kernels/bf16.h"
#include "kernels/int8.h"
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
static gboolean whole_suite;
static gboolean as_markdown;
static gboolean explain;
static gchar *precision_name;
static gboolean only_reuse;

static const GOptionEntry entries[] = {
    {"model", 'm', 0, G_OPTION_ARG_FILENAME, &model,
        "A built-in's name, a model file, or g1 to g4: random weights in the "
        "shapes\nthat engines are compared on, in int8 with leaky ReLU "
        "(default: "
        "fast-clean)",
        "MODEL"},
    {"scale", 's', 0, G_OPTION_ARG_INT, &scale,
        "Times larger (default: the model's, else 2)", "S"},
    {"size", 'S', 0, G_OPTION_ARG_STRING, &size,
        "Of the input, in pixels (default: 960x540; the suite: what gives "
        "1080p)",
        "WxH"},
    {"threads", 't', 0, G_OPTION_ARG_INT, &threads,
        "Threads (default: the CPUs that the process may use)", "N"},
    {"format", 'f', 0, G_OPTION_ARG_STRING, &format,
        "gray, i420, nv12 or rgb (default: i420)", "FORMAT"},
    {"seconds", 'd', 0, G_OPTION_ARG_DOUBLE, &seconds,
        "How long to measure (default: 3)", "SECONDS"},
    {"json", 'j', 0, G_OPTION_ARG_NONE, &as_json,
        "Print JSON for other programs", NULL},
    {"precision", 'p', 0, G_OPTION_ARG_STRING, &precision_name,
        "auto, fp32, int8 or bf16 (default: auto)", "PRECISION"},
    {"explain", 'e', 0, G_OPTION_ARG_NONE, &explain,
        "Say how the plan runs each layer, and why", NULL},
    {"suite", 0, 0, G_OPTION_ARG_NONE, &whole_suite,
        "Measure g1 to g4 and all built-ins, or --model alone, on one thread "
        "and "
        "on\ntwo, in every precision that they have",
        NULL},
    {"markdown", 0, 0, G_OPTION_ARG_NONE, &as_markdown,
        "The suite: print a table in Markdown, a line for each network", NULL},
    {"kernels", 'k', 0, G_OPTION_ARG_NONE, &only_kernels,
        "Measure the convolution kernels alone, on one thread", NULL},
    {"reuse", 'r', 0, G_OPTION_ARG_NONE, &only_reuse,
        "Measure clips that repeat, with reuse of the last frame and without",
        NULL},
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
  gdouble (*multiply_add) (guint64 n); /* a kernel set's */
  guint64 n_rounds;
  gdouble operations; /* of one item */
} Peak;

static void
run_peak (gpointer data, guint item, guint worker)
{
  Peak *peak = data;
  gdouble operations = peak->multiply_add (peak->n_rounds);

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
  guint unit; /* bytes from a sample of component 0 to the next */
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

  *picture = (Picture){.unit = layout->pixel_stride[0]};
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

/* The best that this processor does in the plan's precision. */
static Peak
get_peak (const SrganPlanReport *report)
{
  Peak peak = {.n_rounds = 100000};

  const SrganCpuFlags flags = srgan_cpu_get_flags ();

  if (report->precision == SRGAN_PRECISION_INT8)
    peak.multiply_add = srgan_int8_kernels_get (flags)->multiply_add;
  else if (report->precision == SRGAN_PRECISION_BF16)
    peak.multiply_add = srgan_bf16_kernels_get (flags)->multiply_add;
  else
    peak.multiply_add = srgan_kernels_get (flags)->multiply_add;
  return peak;
}

/* Turns of frames and of the peak, some 50 ms each, for @seconds in all. */
static void
measure_frames (SrganPlan *plan, const SrganFrame *input,
    const SrganFrame *output, SrganWorkers *workers, Result *result)
{
  const gdouble operations = 2 * result->report.multiply_adds;
  Peak peak = get_peak (&result->report);
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

/* Members of the object that @builder is in. */
static void
add_result (JsonBuilder *builder, SrganNetwork *network, const gchar *layout,
    const Result *result)
{
  const SrganPlanReport *report = &result->report;

  tool_json_add_string (builder, "model", srgan_network_get_name (network));
  tool_json_add_count (builder, "scale", srgan_network_get_scale (network));
  tool_json_add_count (builder, "width", result->width);
  tool_json_add_count (builder, "height", result->height);
  tool_json_add_string (builder, "format", layout);
  tool_json_add_string (
      builder, "precision", srgan_precision_to_string (report->precision));
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
}

static void
print_result (SrganNetwork *network, const Result *result)
{
  const SrganPlanReport *report = &result->report;
  guint by = srgan_network_get_scale (network);

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

/* ---- --reuse ---- */

#define CURSOR 32      /* pixels, both ways */
#define REUSE_TURNS 41 /* frames of each clip that are measured, at least */
/* Frames before that: the engine has found out what repeats. */
#define REUSE_WARM_UP 40

typedef enum {
  CLIP_STILL,
  CLIP_CURSOR, /* still but for a patch that moves, as on a screen */
  CLIP_NOISE,  /* nothing repeats */
  N_CLIPS,
} Clip;

static const gchar *const clip_names[N_CLIPS] = {"still", "cursor", "noise"};

/* Draws the patch on luma, or lifts it off again: twice is never. */
static void
draw_cursor (Picture *picture, const Result *frame, guint number)
{
  const guint width = MIN (frame->width, CURSOR);
  const guint height = MIN (frame->height, CURSOR);
  const guint x = 7 * number % (frame->width - width + 1);
  const guint y = 3 * number % (frame->height - height + 1);
  const gsize unit = picture->unit;

  for (guint row = y; row < y + height; row++) {
    guint8 *line = (guint8 *) picture->frame.component[0] +
                   row * picture->frame.stride[0] + x * unit;

    for (guint i = 0; i < width; i++)
      line[i * unit] ^= 0xff;
  }
}

static void
advance_clip (Clip clip, Picture *picture, const Result *frame, guint number)
{
  switch (clip) {
  case CLIP_CURSOR:
    if (number > 0)
      draw_cursor (picture, frame, number - 1);
    draw_cursor (picture, frame, number);
    break;
  case CLIP_NOISE:
    for (guint i = 0; i < SRGAN_MAX_COMPONENTS; i++)
      for (gsize x = 0; x < picture->bytes[i]; x++)
        ((guint8 *) picture->memory[i])[x] += 1 + x % 3;
    break;
  default:
    break;
  }
}

static gboolean
pictures_equal (const Picture *a, const Picture *b)
{
  for (guint i = 0; i < SRGAN_MAX_COMPONENTS; i++)
    if (a->bytes[i] > 0 && memcmp (a->memory[i], b->memory[i], a->bytes[i]))
      return FALSE;
  return TRUE;
}

typedef struct {
  gdouble whole_ms; /* medians */
  gdouble reuse_ms;
  gdouble share; /* reused, on average */
  guint n_frames;
} ReuseResult;

/* Plays @clip to both plans, frame by frame in turns. FALSE when their outputs
 * differ. */
static gboolean
measure_clip (Clip clip, SrganPlan *const plans[2], Picture *input,
    Picture outputs[2], const Result *frame, ReuseResult *result)
{
  const gdouble start = get_seconds ();
  GArray *times[2];
  gboolean equal = TRUE;

  *result = (ReuseResult){0};
  for (guint i = 0; i < 2; i++)
    times[i] = g_array_sized_new (FALSE, FALSE, sizeof (gdouble), 4096);
  picture_fill (input);
  for (guint n = 0; equal && (n < REUSE_WARM_UP + REUSE_TURNS ||
                                 get_seconds () - start < seconds / N_CLIPS);
       n++) {
    advance_clip (clip, input, frame, n);
    for (guint i = 0; i < 2; i++) {
      guint which = (n + i) % 2;
      gdouble before = get_seconds (), ms;

      srgan_plan_run (plans[which], &input->frame, &outputs[which].frame);
      ms = 1000 * (get_seconds () - before);
      if (n >= REUSE_WARM_UP)
        g_array_append_val (times[which], ms);
    }
    if (n >= REUSE_WARM_UP)
      result->share += srgan_plan_get_reused (plans[1]);
    equal = pictures_equal (&outputs[0], &outputs[1]);
  }
  result->n_frames = MAX (times[0]->len, 1);
  result->share /= result->n_frames;
  if (equal) {
    result->whole_ms = get_percentile (times[0], .5);
    result->reuse_ms = get_percentile (times[1], .5);
  }
  for (guint i = 0; i < 2; i++)
    g_array_unref (times[i]);
  return equal;
}

static void
add_clip (JsonBuilder *builder, ToolTable *table, Clip clip,
    const ReuseResult *result)
{
  tool_table_add (table, g_strdup (clip_names[clip]),
      g_strdup_printf ("%.2f", result->whole_ms),
      g_strdup_printf ("%.2f", result->reuse_ms),
      g_strdup_printf ("%.2f", result->whole_ms / result->reuse_ms),
      g_strdup_printf ("%.1f %%", 100 * result->share));
  json_builder_begin_object (builder);
  tool_json_add_string (builder, "clip", clip_names[clip]);
  tool_json_add_count (builder, "frames", result->n_frames);
  tool_json_add_number (builder, "ms_whole", result->whole_ms);
  tool_json_add_number (builder, "ms_reuse", result->reuse_ms);
  tool_json_add_number (builder, "share_reused", result->share);
  json_builder_end_object (builder);
}

static gint
bench_reuse (const SrganPlanSettings *given)
{
  GError *error = NULL;
  gchar *note = NULL;
  SrganNetwork *network = srgan_network_open (
      model != NULL ? model : "fast-clean", (guint) scale, &note, &error);
  SrganPlanSettings settings = *given;
  SrganPlan *plans[2] = {NULL};
  Picture input = {0}, outputs[2] = {input, input};
  const Result frame_size = {.width = given->width, .height = given->height};
  JsonBuilder *builder = json_builder_new ();
  ToolTable *table = tool_table_new ("lrrrr");
  gint status = TOOL_EXIT_FAILED;
  gboolean memory;

  tool_table_add (table, g_strdup ("clip"), g_strdup ("whole ms"),
      g_strdup ("reuse ms"), g_strdup ("times"), g_strdup ("reused"));
  json_builder_begin_array (builder);
  if (network == NULL) {
    tool_fail (error);
    goto done;
  }
  if (note != NULL)
    tool_warn ("%s", note);
  memory =
      picture_init (&input, &settings.layout, settings.width, settings.height);
  for (guint i = 0; i < 2; i++) {
    guint by = srgan_network_get_scale (network);

    settings.reuse = i == 1;
    plans[i] = srgan_plan_new (network, &settings, &error);
    if (plans[i] == NULL) {
      tool_fail (error);
      goto done;
    }
    memory = memory && picture_init (&outputs[i], &settings.layout,
                           settings.width * by, settings.height * by);
  }
  if (!memory) {
    tool_warn (
        "no memory for frames of %ux%u", settings.width, settings.height);
    goto done;
  }
  for (guint clip = 0; clip < N_CLIPS; clip++) {
    ReuseResult result;

    if (!measure_clip (
            (Clip) clip, plans, &input, outputs, &frame_size, &result)) {
      tool_warn ("%s: the outputs differ", clip_names[clip]);
      goto done;
    }
    add_clip (builder, table, (Clip) clip, &result);
    if (seconds > 2)
      show_progress (
          (clip + 1.) / N_CLIPS, seconds * (N_CLIPS - clip - 1) / N_CLIPS);
  }
  show_progress (1, 0);
  json_builder_end_array (builder);
  if (as_json)
    tool_json_print (builder);
  else
    tool_table_print (g_steal_pointer (&table));
  status = tool_finish ();

done:
  g_object_unref (builder);
  g_clear_pointer (&table, tool_table_free);
  picture_clear (&input);
  for (guint i = 0; i < 2; i++) {
    picture_clear (&outputs[i]);
    g_clear_pointer (&plans[i], srgan_plan_free);
  }
  g_clear_pointer (&network, srgan_network_unref);
  g_free (note);
  return status;
}

/* ---- Layers ---- */

static gchar *
format_cost (gdouble cost)
{
  return cost < 0 ? NULL : g_strdup_printf ("%.0f", cost);
}

static void
print_layers (SrganPlan *plan)
{
  ToolTable *table = tool_table_new ("llllrrrrrr");
  SrganLayerReport layer;

  tool_table_add (table, g_strdup ("layer"), g_strdup ("operation"),
      g_strdup ("algorithm"), g_strdup ("precision"), g_strdup ("GFLOP"),
      g_strdup ("direct"), g_strdup ("winograd"), g_strdup ("parts"),
      g_strdup ("rows"), g_strdup ("KiB"));
  for (guint i = 0; srgan_plan_get_layer_report (plan, i, &layer); i++)
    tool_table_add (table, g_strdup (layer.name),
        g_strdup (srgan_operation_to_string (layer.operation)),
        g_strdup (layer.algorithm),
        g_strdup (srgan_precision_to_string (layer.precision)),
        layer.multiply_adds > 0
            ? g_strdup_printf ("%.2f", 2e-9 * layer.multiply_adds)
            : NULL,
        format_cost (layer.direct_cost), format_cost (layer.winograd_cost),
        format_cost (layer.parts_cost),
        layer.ring_rows > 0 ? g_strdup_printf ("%u", layer.ring_rows) : NULL,
        layer.ring_rows > 0 ? g_strdup_printf ("%.0f", layer.ring_bytes / 1024.)
                            : NULL);
  printf ("\n");
  tool_table_print (table);
  printf (
      "\nIn columns direct, winograd and parts stands what a convolution is "
      "expected to\ncost in fp32, in vector multiply-adds an output pixel: "
      "the least is taken. rows\nand KiB: what a tile keeps of the layer's "
      "map.\n");
}

static void
add_layers (JsonBuilder *builder, SrganPlan *plan)
{
  SrganLayerReport layer;

  json_builder_set_member_name (builder, "layers");
  json_builder_begin_array (builder);
  for (guint i = 0; srgan_plan_get_layer_report (plan, i, &layer); i++) {
    const struct {
      const gchar *name;
      gdouble cost;
    } costs[] = {{"direct_cost", layer.direct_cost},
        {"winograd_cost", layer.winograd_cost},
        {"parts_cost", layer.parts_cost}};

    json_builder_begin_object (builder);
    tool_json_add_string (builder, "name", layer.name);
    tool_json_add_string (
        builder, "operation", srgan_operation_to_string (layer.operation));
    tool_json_add_string (builder, "algorithm", layer.algorithm);
    tool_json_add_string (
        builder, "precision", srgan_precision_to_string (layer.precision));
    tool_json_add_number (builder, "multiply_adds", layer.multiply_adds);
    for (guint j = 0; j < G_N_ELEMENTS (costs); j++)
      if (costs[j].cost >= 0)
        tool_json_add_number (builder, costs[j].name, costs[j].cost);
    tool_json_add_count (builder, "ring_rows", layer.ring_rows);
    tool_json_add_count (builder, "ring_bytes", layer.ring_bytes);
    json_builder_end_object (builder);
  }
  json_builder_end_array (builder);
}

/* ---- Networks ---- */

/* g1 to g4 in int8 are the leaky twins. */
static SrganNetwork *
open_network (
    const gchar *name, guint by, SrganPrecision precision, GError **error)
{
  gchar *note = NULL;
  SrganNetwork *network;

  if (bench_network_exists (name)) {
    network = precision == SRGAN_PRECISION_INT8
                  ? bench_network_new_int8 (name, error)
                  : bench_network_new (name, FALSE, error);
    if (network != NULL && by != 0 && by != srgan_network_get_scale (network)) {
      g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_INVALID,
          "%s enlarges %u times, not %u: leave --scale out", name,
          srgan_network_get_scale (network), by);
      g_clear_pointer (&network, srgan_network_unref);
    }
    return network;
  }
  network = srgan_network_open (name, by, &note, error);
  if (network != NULL && note != NULL)
    tool_warn ("%s", note);
  g_free (note);
  return network;
}

/* @plan: (out): for the caller to free, where there is no error. */
static gboolean
measure_network (SrganNetwork *network, const SrganPlanSettings *settings,
    SrganPlan **plan, Result *result, GError **error)
{
  const guint by = srgan_network_get_scale (network);
  SrganWorkers *workers = NULL;
  Picture input = {0}, output = {0};
  gboolean is_done = FALSE;

  *result = (Result){.width = settings->width, .height = settings->height};
  *plan = srgan_plan_new (network, settings, error);
  if (*plan == NULL)
    return FALSE;
  srgan_plan_get_report (*plan, &result->report);
  workers = srgan_workers_new (result->report.n_threads, error);
  if (workers == NULL)
    goto done;
  if (!picture_init (
          &input, &settings->layout, settings->width, settings->height) ||
      !picture_init (&output, &settings->layout, settings->width * by,
          settings->height * by)) {
    g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_TOO_LARGE,
        "no memory for frames of %ux%u", settings->width, settings->height);
    goto done;
  }
  picture_fill (&input);
  measure_frames (*plan, &input.frame, &output.frame, workers, result);
  is_done = TRUE;

done:
  picture_clear (&input);
  picture_clear (&output);
  if (workers != NULL)
    srgan_workers_free (workers);
  if (!is_done)
    g_clear_pointer (plan, srgan_plan_free);
  return is_done;
}

static gint
bench_network (const SrganPlanSettings *settings)
{
  GError *error = NULL;
  SrganNetwork *network = open_network (model != NULL ? model : "fast-clean",
      (guint) scale, settings->precision, &error);
  SrganPlan *plan = NULL;
  Result result;

  if (network == NULL)
    return tool_fail (error);
  if (!measure_network (network, settings, &plan, &result, &error)) {
    srgan_network_unref (network);
    return tool_fail (error);
  }
  if (as_json) {
    JsonBuilder *builder = json_builder_new ();

    json_builder_begin_object (builder);
    add_result (builder, network, format, &result);
    if (explain)
      add_layers (builder, plan);
    json_builder_end_object (builder);
    tool_json_print (builder);
    g_object_unref (builder);
  } else {
    print_result (network, &result);
    if (explain)
      print_layers (plan);
  }
  srgan_plan_free (plan);
  srgan_network_unref (network);
  return tool_finish ();
}

/* ---- --suite ---- */

/* Whether bf16 is worth a line. */
static gboolean
has_bf16 (void)
{
  return srgan_bf16_kernels_get (srgan_cpu_get_flags ())->is_faster;
}

/* What --markdown tells of a network. */
typedef struct {
  gchar *name;
  guint width, height;               /* of the input, in pixels */
  gdouble ms[SRGAN_N_PRECISIONS][2]; /* by one thread, by two */
  gdouble share[SRGAN_N_PRECISIONS]; /* of the peak, by two */
} SuiteRow;

typedef struct {
  JsonBuilder *builder;
  ToolTable *table;
  GArray *rows;                     /* of SuiteRow */
  gdouble peak[SRGAN_N_PRECISIONS]; /* of two threads, operations a second */
} Suite;

static void
suite_row_clear (gpointer data)
{
  SuiteRow *row = data;

  g_free (row->name);
}

/* The row of those that a network's precisions go to. */
static void
suite_add_row (Suite *suite, const gchar *name, guint width, guint height)
{
  SuiteRow row = {.name = g_strdup (name), .width = width, .height = height};

  g_array_append_val (suite->rows, row);
}

static void
suite_print_markdown (const Suite *suite)
{
  static const SrganPrecision precisions[] = {
      SRGAN_PRECISION_FP32, SRGAN_PRECISION_INT8, SRGAN_PRECISION_BF16};
  const guint n = has_bf16 () ? 3 : 2;

  g_print ("Bare multiply-adds, 2 threads:");
  for (guint i = 0; i < n; i++)
    g_print ("%s %.0f GFLOP/s in %s", i > 0 ? "," : "",
        suite->peak[precisions[i]] * 1e-9,
        srgan_precision_to_string (precisions[i]));
  g_print ("\n\n| network | frame in |");
  for (guint i = 0; i < n; i++)
    g_print (" %s, 1 thread | 2 threads | of peak |",
        srgan_precision_to_string (precisions[i]));
  g_print ("\n|---|---|");
  for (guint i = 0; i < n; i++)
    g_print ("--:|--:|--:|");
  g_print ("\n");
  for (guint j = 0; j < suite->rows->len; j++) {
    const SuiteRow *row = &g_array_index (suite->rows, SuiteRow, j);

    g_print ("| %s | %u × %u |", row->name, row->width, row->height);
    for (guint i = 0; i < n; i++) {
      const gdouble *ms = row->ms[precisions[i]];

      if (ms[0] > 0)
        g_print (" %.1f ms | %.1f ms | %.0f %% |", ms[0], ms[1],
            100 * row->share[precisions[i]]);
      else
        g_print (" – | – | – |");
    }
    g_print ("\n");
  }
}

static gboolean
suite_add_peaks (Suite *suite, GError **error)
{
  static const SrganPlanReport reports[] = {{.precision = SRGAN_PRECISION_FP32},
      {.precision = SRGAN_PRECISION_INT8}, {.precision = SRGAN_PRECISION_BF16}};
  const SrganCpuFlags flags = srgan_cpu_get_flags ();
  const gchar *const names[] = {srgan_kernels_get (flags)->name,
      srgan_int8_kernels_get (flags)->name,
      srgan_bf16_kernels_get (flags)->name};

  json_builder_set_member_name (suite->builder, "peaks");
  json_builder_begin_array (suite->builder);
  for (guint i = 0; i < (has_bf16 () ? 3 : 2); i++)
    for (guint n_threads = 1; n_threads <= 2; n_threads++) {
      SrganWorkers *workers = srgan_workers_new (n_threads, error);
      Peak peak = get_peak (&reports[i]);
      gdouble rates[5];

      if (workers == NULL)
        return FALSE;
      for (guint turn = 0; turn < G_N_ELEMENTS (rates); turn++)
        rates[turn] = measure_peak (workers, &peak, MIN (seconds, 1) / 10);
      srgan_workers_free (workers);
      qsort (rates, G_N_ELEMENTS (rates), sizeof *rates, compare_numbers);
      suite->peak[reports[i].precision] = rates[G_N_ELEMENTS (rates) / 2];

      json_builder_begin_object (suite->builder);
      tool_json_add_string (suite->builder, "precision",
          srgan_precision_to_string (reports[i].precision));
      tool_json_add_string (suite->builder, "kernels", names[i]);
      tool_json_add_count (suite->builder, "threads", n_threads);
      tool_json_add_number (
          suite->builder, "gflops", rates[G_N_ELEMENTS (rates) / 2] * 1e-9);
      json_builder_end_object (suite->builder);
      tool_table_add (suite->table, g_strdup ("bare multiply-adds"),
          g_strdup (names[i]),
          g_strdup (srgan_precision_to_string (reports[i].precision)),
          g_strdup_printf ("%u", n_threads), NULL,
          g_strdup_printf ("%.0f", rates[G_N_ELEMENTS (rates) / 2] * 1e-9),
          NULL, NULL, NULL, NULL);
    }
  json_builder_end_array (suite->builder);
  return TRUE;
}

/* One network on one thread, then on two; nothing in a precision that it does
 * not have. */
static gboolean
suite_add_network (Suite *suite, SrganNetwork *network, const gchar *layout,
    guint width, guint height, SrganPrecision precision, GError **error)
{
  SuiteRow *row = &g_array_index (suite->rows, SuiteRow, suite->rows->len - 1);
  gdouble alone = 0, alone_peak = 0;

  for (guint n_threads = 1; n_threads <= 2; n_threads++) {
    SrganPlanSettings settings = {.width = width,
        .height = height,
        .precision = precision,
        .n_threads = n_threads};
    SrganPlan *plan = NULL;
    GError *failure = NULL;
    gchar *scaling = NULL;
    Result result;

    get_layout (layout, &settings.layout);
    if (!measure_network (network, &settings, &plan, &result, &failure)) {
      if (g_error_matches (failure, SRGAN_ERROR, SRGAN_ERROR_UNSUPPORTED) &&
          precision != SRGAN_PRECISION_FP32) {
        g_error_free (failure);
        return TRUE;
      }
      g_propagate_error (error, failure);
      return FALSE;
    }
    srgan_plan_free (plan);
    row->ms[precision][n_threads - 1] = result.ms_p50;
    row->share[precision] = result.share;
    if (n_threads == 1) {
      alone = result.ms_p50;
      alone_peak = result.peak;
    } else {
      scaling = g_strdup_printf (
          "%.2f of %.2f", alone / result.ms_p50, result.peak / alone_peak);
    }

    json_builder_begin_object (suite->builder);
    add_result (suite->builder, network, layout, &result);
    json_builder_end_object (suite->builder);
    tool_table_add (suite->table, g_strdup (srgan_network_get_name (network)),
        g_strdup_printf ("%ux%u to %ux%u", width, height,
            width * srgan_network_get_scale (network),
            height * srgan_network_get_scale (network)),
        g_strdup (srgan_precision_to_string (result.report.precision)),
        g_strdup_printf ("%u", n_threads),
        g_strdup_printf ("%.2f", result.ms_p50),
        g_strdup_printf ("%.0f", result.operations * 1e-9),
        g_strdup_printf ("%.0f", result.peak * 1e-9),
        g_strdup_printf ("%.0f %%", 100 * result.share), scaling,
        g_strdup_printf ("%.1f", result.report.workspace_bytes / 1048576.));
  }
  return TRUE;
}

static gboolean
suite_add_precisions (Suite *suite, SrganNetwork *network, const gchar *layout,
    guint width, guint height, GError **error)
{
  suite_add_row (suite, srgan_network_get_name (network), width, height);
  return suite_add_network (suite, network, layout, width, height,
             SRGAN_PRECISION_FP32, error) &&
         suite_add_network (suite, network, layout, width, height,
             SRGAN_PRECISION_INT8, error) &&
         (!has_bf16 () || suite_add_network (suite, network, layout, width,
                              height, SRGAN_PRECISION_BF16, error));
}

/* One of g1 to g4, and its twin for int8 where this build has one. */
static gboolean
suite_add_bench (Suite *suite, const BenchNetwork *bench,
    const SrganPlanSettings *frame, GError **error)
{
  static const SrganPrecision precisions[] = {
      SRGAN_PRECISION_FP32, SRGAN_PRECISION_INT8};
  const guint width = frame ? frame->width : bench->width;
  const guint height = frame ? frame->height : bench->height;
  gboolean is_done = TRUE;

  suite_add_row (suite, bench->name, width, height);
  for (guint i = 0; is_done && i < G_N_ELEMENTS (precisions); i++) {
    GError *failure = NULL;
    SrganNetwork *network =
        open_network (bench->name, 0, precisions[i], &failure);

    if (network != NULL) {
      is_done = suite_add_network (
          suite, network, "rgb", width, height, precisions[i], error);
      srgan_network_unref (network);
    } else if (precisions[i] != SRGAN_PRECISION_FP32 &&
               g_error_matches (
                   failure, SRGAN_ERROR, SRGAN_ERROR_UNSUPPORTED)) {
      tool_warn ("%s", failure->message);
      g_error_free (failure);
    } else {
      g_propagate_error (error, failure);
      is_done = FALSE;
    }
  }
  return is_done;
}

/* A built-in or a model file, up to 1080p where @frame does not say. */
static gboolean
suite_add_named (Suite *suite, const gchar *name, guint by,
    const SrganPlanSettings *frame, GError **error)
{
  SrganNetwork *network = open_network (name, by, SRGAN_PRECISION_AUTO, error);
  gboolean is_done;

  if (network == NULL)
    return FALSE;
  is_done = suite_add_precisions (suite, network, "i420",
      frame ? frame->width : 1920 / srgan_network_get_scale (network),
      frame ? frame->height : 1080 / srgan_network_get_scale (network), error);
  srgan_network_unref (network);
  return is_done;
}

/* @frame: (nullable): the size of all frames, instead of their own. */
static gint
bench_suite (const SrganPlanSettings *frame)
{
  const gchar *const *names = srgan_network_list_builtins ();
  Suite suite = {json_builder_new (), tool_table_new ("lllrrrrrrr"),
      g_array_new (FALSE, TRUE, sizeof (SuiteRow))};
  GError *error = NULL;
  gboolean is_done;

  g_array_set_clear_func (suite.rows, suite_row_clear);
  tool_table_add (suite.table, g_strdup ("network"), g_strdup ("frame"),
      g_strdup ("precision"), g_strdup ("threads"), g_strdup ("ms"),
      g_strdup ("GFLOP/s"), g_strdup ("peak"), g_strdup ("share"),
      g_strdup ("scaling"), g_strdup ("MiB"));
  json_builder_begin_object (suite.builder);
  is_done = suite_add_peaks (&suite, &error);
  json_builder_set_member_name (suite.builder, "results");
  json_builder_begin_array (suite.builder);
  for (const BenchNetwork *bench = bench_networks; is_done && bench->name;
       bench++)
    if (model == NULL || strcmp (model, bench->name) == 0)
      is_done = suite_add_bench (&suite, bench, frame, &error);
  if (model == NULL)
    for (; is_done && *names != NULL; names++)
      is_done = suite_add_named (&suite, *names, 0, frame, &error);
  else if (is_done && !bench_network_exists (model))
    is_done = suite_add_named (&suite, model, (guint) scale, frame, &error);
  json_builder_end_array (suite.builder);
  json_builder_end_object (suite.builder);
  if (is_done && as_json)
    tool_json_print (suite.builder);
  else if (is_done && as_markdown)
    suite_print_markdown (&suite);
  if (is_done && !as_json && !as_markdown)
    tool_table_print (suite.table);
  else
    tool_table_free (suite.table);
  g_array_unref (suite.rows);
  g_object_unref (suite.builder);
  return is_done ? tool_finish () : tool_fail (error);
}

/* ---- The whole ---- */

/* Sets @precision; FALSE when @name is none that the engine has. */
static gboolean
get_precision (const gchar *name, SrganPrecision *precision)
{
  for (guint i = 0; i < SRGAN_N_PRECISIONS; i++)
    if (strcmp (name, srgan_precision_to_string ((SrganPrecision) i)) == 0) {
      *precision = (SrganPrecision) i;
      return TRUE;
    }
  return FALSE;
}

int
main (int argc, char **argv)
{
  SrganPlanSettings settings = {0};
  gboolean has_size;
  gint status, end = 0;

  tool_parse (&argc, &argv, "srgan-bench", NULL,
      "Measures how fast a network runs on this machine.",
      "GFLOP/s count the multiply-adds that the network describes, two each; "
      "the\npeak is what bare multiply-adds reach on as many threads, measured "
      "in turns\nwith the frames. Kernels that need fewer (Winograd) can pass "
      "it.\nSRGAN_CPU=scalar|avx2|avxvnni|avx512|avx512vnni|amx|neon|dotprod "
      "limits the\ninstructions used.\n",
      entries, 0, 0);

  has_size = size != NULL;
  if (!has_size)
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
  if (precision_name != NULL &&
      !get_precision (precision_name, &settings.precision))
    tool_usage_error (
        "--precision takes auto, fp32, int8 or bf16, not '%s'", precision_name);
  if (as_markdown && (!whole_suite || as_json))
    tool_usage_error ("--markdown goes with --suite, and not with --json");
  settings.n_threads = (guint) threads;

  if (only_kernels)
    status = bench_kernels ();
  else if (whole_suite)
    status = bench_suite (has_size ? &settings : NULL);
  else if (only_reuse)
    status = bench_reuse (&settings);
  else
    status = bench_network (&settings);
  g_free (precision_name);
  g_free (model);
  g_free (size);
  g_free (format);
  return status;
}
