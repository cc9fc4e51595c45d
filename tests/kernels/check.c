/* tests: what every kernel set must do.
 *
 * Expected values are computed here, in double precision and straight from the
 * formulas of kernels.h, so that the reference in C is checked as the others
 * are. Every input and output lies against a page that cannot be accessed, now
 * with its end and now with its start, and what outputs leave out must keep
 * the pattern it is filled with.
 *
 * SPDX-License-Identifier: MIT
 */
#include "check-private.h"

#include <fenv.h>
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kernels/kernels-private.h"

/* ---- Cases and how they fail ---- */

static gchar current[512]; /* the case being run */
static gchar message[1024];
static jmp_buf failed;

void
begin (const gchar *format, ...)
{
  va_list args;

  va_start (args, format);
  vsnprintf (current, sizeof current, format, args);
  va_end (args);
}

void
fail (const gchar *format, ...)
{
  int n = snprintf (message, sizeof message, "%s: ", current);
  va_list args;

  va_start (args, format);
  vsnprintf (message + n, sizeof message - n, format, args);
  va_end (args);
  longjmp (failed, 1);
}

static void
on_fault (int number)
{
  static const gchar text[] = "\nBail out! access outside the memory of: ";

  if (write (STDERR_FILENO, text, sizeof text - 1) < 0 ||
      write (STDERR_FILENO, current, strlen (current)) < 0 ||
      write (STDERR_FILENO, "\n", 1) < 0)
    _exit (99);
  signal (number, SIG_DFL);
  raise (number);
}

/* ---- Random numbers: the same ones everywhere (xorshift32) ---- */

static guint32 state;

guint32
draw (void)
{
  state ^= state << 13;
  state ^= state >> 17;
  state ^= state << 5;
  return state;
}

/* first .. last */
guint
draw_range (guint first, guint last)
{
  return first + draw () % (last - first + 1);
}

gfloat
draw_unit (void)
{
  return (gint32) draw () / 2147483648.f;
}

typedef enum {
  VALUES_UNIT,
  VALUES_WIDE,  /* magnitudes from 1e-12 to 1e12 */
  VALUES_TINY,  /* denormal */
  VALUES_ZERO,  /* of both signs */
  VALUES_CODES, /* around the rounding of 8-bit codes */
  N_VALUES,
} Values;

static gfloat
draw_value (Values values)
{
  switch (values) {
  case VALUES_WIDE:
    return draw_unit () * powf (10, draw_range (0, 24) - 12.f);
  case VALUES_TINY:
    return draw_unit () * FLT_MIN;
  case VALUES_ZERO:
    return draw () & 1 ? 0.f : -0.f;
  case VALUES_CODES:
    return draw_range (0, 520) * .5f - 2 + draw_range (0, 2) * 1e-5f;
  default:
    return draw_unit ();
  }
}

/* ---- Guarded memory ---- */

#define N_REGIONS 32
#define REGION_SIZE (1 << 21)

static guint8 *regions[N_REGIONS];
static guint n_used;

static void
init_regions (void)
{
  gsize page = sysconf (_SC_PAGESIZE);
  guint i;

  for (i = 0; i < N_REGIONS; i++) {
    guint8 *region = mmap (NULL, REGION_SIZE + 2 * page, PROT_NONE,
        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (region == MAP_FAILED ||
        mprotect (region + page, REGION_SIZE, PROT_READ | PROT_WRITE) != 0) {
      perror ("mmap");
      exit (99);
    }
    regions[i] = region + page;
  }
}

void
take_back (void)
{
  n_used = 0;
}

/* @bytes of memory filled with PATTERN, against an inaccessible page before or
 * behind it; until the next case. */
gpointer
take (gsize bytes)
{
  guint8 *region = regions[n_used++];

  if (n_used > N_REGIONS || bytes > REGION_SIZE)
    fail ("the test asks for too much memory");
  if (draw () & 1)
    region += REGION_SIZE - bytes;
  return memset (region, PATTERN, bytes);
}

static gfloat *
take_floats (gsize n)
{
  return take (n * sizeof (gfloat));
}

static gfloat *
take_values (gsize n, Values values)
{
  gfloat *memory = take_floats (n);
  gsize i;

  for (i = 0; i < n; i++)
    memory[i] = draw_value (values);
  return memory;
}

static guint8 *
take_samples (gsize n)
{
  guint8 *memory = take (n);
  gsize i;

  for (i = 0; i < n; i++)
    memory[i] = draw () >> 8;
  return memory;
}

gboolean
is_pattern (gconstpointer memory, gsize bytes)
{
  const guint8 *byte = memory;

  while (bytes-- > 0)
    if (*byte++ != PATTERN)
      return FALSE;
  return TRUE;
}

/* A row of pixels, @n of every @stride floats of a pixel described; the last
 * pixel's rest need not exist. */
static gsize
get_length (guint n, guint stride, guint width)
{
  return width == 0 ? 0 : (gsize) (width - 1) * stride + n;
}

/* ---- Comparing ---- */

/* A sum of @n products in any order, each operation rounded once, is wrong by
 * (n + 1) u times the sum of the magnitudes at most, u half an ulp of 1
 * (Higham, Accuracy and Stability of Numerical Algorithms, 4.2 and 3.1), and
 * by a denormal's rounding an operation. */
static gdouble
get_bound (guint n, gdouble magnitudes)
{
  return (n + 2) * (FLT_EPSILON / 2 * 1.001 * magnitudes + 1.5e-45);
}

static void
compare (gfloat got, gdouble expected, gdouble bound, const gchar *where,
    guint x, guint c)
{
  if (!(fabs (got - expected) <= bound))
    fail ("%s pixel %u, channel %u: %.9g, not %.9g within %.3g", where, x, c,
        got, expected, bound);
}

static void
compare_bits (
    const gfloat *got, const gfloat *expected, gsize n, const gchar *what)
{
  gsize i;

  if (memcmp (got, expected, n * sizeof (gfloat)) == 0)
    return;
  for (i = 0; memcmp (got + i, expected + i, sizeof (gfloat)) == 0; i++)
    ;
  fail ("%s: float %" G_GSIZE_FORMAT " is %.9g, not %.9g", what, i, got[i],
      expected[i]);
}

static gboolean
is_fused (const SrganKernels *kernels)
{
  return strcmp (kernels->name, "c") != 0;
}

/* ---- convolve_row ---- */

typedef struct {
  guint in_channels;
  guint in_stride;
  guint out_channels;
  guint kernel_width;
  guint kernel_height;
  guint width;
  Values values;
  gboolean has_bias;
  gboolean has_slope;
} Shape;

/* The weights as pack_convolution() takes them, and the input rows. */
typedef struct {
  gfloat *weight;
  gfloat *bias;
  gfloat *slope;
  gfloat *rows[SRGAN_KERNEL_MAX_SIDE];
} Problem;

static void
begin_shape (const SrganKernels *kernels, const Shape *s)
{
  n_used = 0;
  begin ("%s: %u (stride %u) to %u channels, %u x %u, width %u, values %d%s%s",
      kernels->name, s->in_channels, s->in_stride, s->out_channels,
      s->kernel_width, s->kernel_height, s->width, s->values,
      s->has_bias ? ", bias" : "", s->has_slope ? ", slope" : "");
}

static void
make_problem (Problem *problem, const Shape *s)
{
  guint n_in = s->width + s->kernel_width - 1, ky, x, i;

  problem->weight = take_values ((gsize) s->out_channels * s->in_channels *
                                     s->kernel_width * s->kernel_height,
      s->values == VALUES_WIDE ? VALUES_WIDE : VALUES_UNIT);
  problem->bias = s->has_bias ? take_values (s->out_channels, s->values) : NULL;
  problem->slope =
      s->has_slope ? take_values (s->out_channels, VALUES_UNIT) : NULL;
  for (ky = 0; ky < s->kernel_height; ky++) {
    /* Padding channels hold zeros and may be read. */
    gfloat *row = take_floats ((gsize) n_in * s->in_stride);

    for (x = 0; x < n_in; x++)
      for (i = 0; i < s->in_stride; i++)
        row[x * s->in_stride + i] =
            i < s->in_channels ? draw_value (s->values) : 0;
    problem->rows[ky] = row;
  }
}

static gfloat
get_weight (const Problem *problem, const Shape *s, guint o, guint i, guint ky,
    guint kx)
{
  return problem->weight[((o * s->in_channels + i) * s->kernel_height + ky) *
                             s->kernel_width +
                         kx];
}

/* Against the sum in double precision. */
static void
compare_sum (
    const Problem *problem, const Shape *s, guint o, guint x, gfloat got)
{
  gdouble sum = problem->bias ? problem->bias[o] : 0;
  gdouble slope = problem->slope ? problem->slope[o] : 1;
  gdouble magnitudes = fabs (sum);
  guint n = s->in_channels * s->kernel_width * s->kernel_height, ky, i, kx;

  for (ky = 0; ky < s->kernel_height; ky++)
    for (i = 0; i < s->in_channels; i++)
      for (kx = 0; kx < s->kernel_width; kx++) {
        gdouble term = (gdouble) get_weight (problem, s, o, i, ky, kx) *
                       problem->rows[ky][(x + kx) * s->in_stride + i];

        sum += term;
        magnitudes += fabs (term);
      }
  /* A sum that may have either sign may take either slope. */
  compare (got, sum > 0 ? sum : slope * sum,
      2 * MAX (1, fabs (slope)) * get_bound (n + 1, magnitudes), "output", x,
      o);
}

/* The order of summation that kernels-vector.h describes, one output. */
static gfloat
sum_in_order (const Problem *problem, const Shape *s, guint o, guint x,
    gboolean is_narrow)
{
  gfloat bias = problem->bias ? problem->bias[o] : 0;
  gfloat slope = problem->slope ? problem->slope[o] : 1;
  gfloat sum;
  guint ky, i, kx, n;

  if (is_narrow) {
    gfloat partial[16] = {0};

    for (ky = 0; ky < s->kernel_height; ky++)
      for (kx = 0; kx < s->kernel_width; kx++)
        for (i = 0; i < s->in_channels; i++)
          partial[i % 16] = 0;
    for (i = 0; i < 16; i++)
      for (ky = 0; ky < s->kernel_height; ky++)
        for (n = i; n < s->in_channels; n += 16)
          for (kx = 0; kx < s->kernel_width; kx++)
            partial[i] = fmaf (problem->rows[ky][(x + kx) * s->in_stride + n],
                get_weight (problem, s, o, n, ky, kx), partial[i]);
    for (n = 8; n > 0; n /= 2)
      for (i = 0; i < n; i++)
        partial[i] += partial[i + n];
    sum = partial[0] + bias;
  } else {
    sum = bias;
    for (ky = 0; ky < s->kernel_height; ky++)
      for (i = 0; i < s->in_channels; i++)
        for (kx = 0; kx < s->kernel_width; kx++)
          sum = fmaf (problem->rows[ky][(x + kx) * s->in_stride + i],
              get_weight (problem, s, o, i, ky, kx), sum);
  }
  return sum > 0 ? sum : slope * sum;
}

static void
check_shape (const SrganKernels *kernels, const Shape *s)
{
  SrganConvolution convolution;
  Problem problem;
  gfloat *output, *piece;
  guint out_stride, x, o, first;

  begin_shape (kernels, s);
  make_problem (&problem, s);
  if (!kernels->pack_convolution (&convolution, s->in_channels, s->in_stride,
          s->out_channels, s->kernel_width, s->kernel_height, problem.weight,
          problem.bias, problem.slope))
    fail ("not packed");
  out_stride = convolution.out_stride;
  if (out_stride != kernels->get_channel_stride (s->out_channels) ||
      out_stride < s->out_channels)
    fail ("output stride %u", out_stride);
  if (convolution.in_channels != s->in_channels ||
      convolution.in_stride != s->in_stride ||
      convolution.out_channels != s->out_channels ||
      convolution.kernel_width != s->kernel_width ||
      convolution.kernel_height != s->kernel_height || convolution.bytes == 0)
    fail ("packed as something else");

  output = take_floats ((gsize) s->width * out_stride);
  kernels->convolve_row (
      &convolution, (const gfloat *const *) problem.rows, output, s->width);
  for (x = 0; x < s->width; x++) {
    const gfloat *pixel = output + (gsize) x * out_stride;

    for (o = 0; o < s->out_channels; o++) {
      compare_sum (&problem, s, o, x, pixel[o]);
      if (is_fused (kernels)) {
        gfloat expected = sum_in_order (
            &problem, s, o, x, convolution.variant & SRGAN_CONVOLUTION_NARROW);

        /* The sign of zero is free. */
        if (pixel[o] != expected)
          fail ("pixel %u, channel %u: %.9g, in order %.9g", x, o, pixel[o],
              expected);
      }
    }
    for (; o < out_stride; o++)
      if (pixel[o] != 0)
        fail ("pixel %u, padding channel %u: %g", x, o, pixel[o]);
  }

  /* In pieces, wherever they lie: the same bits, and nothing around them. */
  piece = take_floats ((gsize) (s->width + 2) * out_stride);
  for (first = 0; first < s->width;) {
    guint n = draw_range (1, s->width - first), ky;
    const gfloat *rows[SRGAN_KERNEL_MAX_SIDE];

    for (ky = 0; ky < s->kernel_height; ky++)
      rows[ky] = problem.rows[ky] + (gsize) first * s->in_stride;
    memset (piece, PATTERN, (n + 2) * out_stride * sizeof (gfloat));
    kernels->convolve_row (&convolution, rows, piece + out_stride, n);
    compare_bits (piece + out_stride, output + (gsize) first * out_stride,
        (gsize) n * out_stride, "a piece");
    if (!is_pattern (piece, out_stride * sizeof (gfloat)) ||
        !is_pattern (
            piece + (gsize) (n + 1) * out_stride, out_stride * sizeof (gfloat)))
      fail ("a piece of %u pixels from %u on writes beside it", n, first);
    first += n;
  }
  srgan_convolution_clear (&convolution);
  if (convolution.weight || convolution.bias || convolution.slope)
    fail ("not cleared");
}

static void
check_convolve_widths (const SrganKernels *kernels, guint effort)
{
  static const guint channels[][2] = {{1, 16}, {3, 16}, {16, 16}, {16, 4},
      {16, 9}, {16, 1}, {12, 3}, {20, 2}, {32, 7}, {9, 33}, {4, 4}};
  Shape s = {.kernel_width = 3,
      .kernel_height = 3,
      .has_bias = TRUE,
      .has_slope = TRUE};
  guint i;

  for (i = 0; i < G_N_ELEMENTS (channels); i++) {
    s.in_channels = channels[i][0];
    s.out_channels = channels[i][1];
    s.in_stride = s.in_channels <= 3
                      ? s.in_channels
                      : kernels->get_channel_stride (s.in_channels);
    for (s.width = 1; s.width <= 67; s.width++)
      check_shape (kernels, &s);
  }
}

static void
check_convolve_shapes (const SrganKernels *kernels, guint effort)
{
  guint round;

  for (round = 0; round < 400 * effort; round++) {
    Shape s = {
        .in_channels = draw_range (1, round % 4 ? 20 : 70),
        .out_channels = draw_range (1, round % 3 ? 20 : 70),
        .kernel_width = draw_range (1, LARGEST_SIDE),
        .kernel_height = draw_range (1, LARGEST_SIDE),
        .width = draw_range (1, 40),
        .values = draw_range (0, N_VALUES - 1),
        .has_bias = draw () & 1,
        .has_slope = draw () & 1,
    };

    switch (draw () % 4) {
    case 0:
      s.in_stride = s.in_channels;
      break;
    case 1:
      s.in_stride = s.in_channels + draw_range (0, 5);
      break;
    default:
      s.in_stride = kernels->get_channel_stride (s.in_channels);
      break;
    }
    check_shape (kernels, &s);
  }
}

/* A value that is not a number must not spread beyond its reach. */
static void
check_convolve_nan (const SrganKernels *kernels, guint effort)
{
  guint round;

  for (round = 0; round < 40 * effort; round++) {
    Shape s = {.in_channels = 16,
        .in_stride = 16,
        .out_channels = draw_range (1, 16),
        .kernel_width = draw_range (1, 5),
        .kernel_height = 3,
        .width = draw_range (1, 60)};
    SrganConvolution convolution;
    Problem problem;
    gfloat *output;
    guint at, x, o;

    begin_shape (kernels, &s);
    make_problem (&problem, &s);
    at = draw_range (0, s.width + s.kernel_width - 2);
    problem.rows[draw () % 3][at * 16 + draw () % 16] = NAN;
    if (!kernels->pack_convolution (&convolution, 16, 16, s.out_channels,
            s.kernel_width, 3, problem.weight, NULL, NULL))
      fail ("not packed");
    output = take_floats ((gsize) s.width * convolution.out_stride);
    kernels->convolve_row (
        &convolution, (const gfloat *const *) problem.rows, output, s.width);
    for (x = 0; x < s.width; x++)
      for (o = 0; o < s.out_channels; o++)
        if (isnan (output[x * convolution.out_stride + o]) !=
            (x <= at && at < x + s.kernel_width))
          fail ("NaN at %u: pixel %u, channel %u is %g", at, x, o,
              output[x * convolution.out_stride + o]);
    srgan_convolution_clear (&convolution);
  }
}

/* ---- convolve_winograd ---- */

/* The transforms of Lavin and Gray's F(4x4, 3x3), in the order that winograd.h
 * describes, of values @stride apart. */
static void
transform_in_order (gfloat *d, guint stride, gboolean is_output)
{
  gfloat v[6];
  guint i;

  for (i = 0; i < 6; i++)
    v[i] = d[i * stride];
  if (is_output) {
    gfloat p = v[1] + v[2], q = v[1] - v[2], r = v[3] + v[4], t = v[3] - v[4];

    d[0] = (v[0] + p) + r;
    d[stride] = fmaf (2, t, q);
    d[2 * stride] = fmaf (4, r, p);
    d[3 * stride] = fmaf (8, t, q) + v[5];
  } else {
    gfloat a = fmaf (-4, v[2], v[4]), b = fmaf (-4, v[1], v[3]);
    gfloat c = v[4] - v[2], e = v[3] - v[1];

    d[0] = fmaf (4, v[0], fmaf (-5, v[2], v[4]));
    d[stride] = a + b;
    d[2 * stride] = a - b;
    d[3 * stride] = fmaf (2, e, c);
    d[4 * stride] = fmaf (-2, e, c);
    d[5 * stride] = fmaf (4, v[1], fmaf (-5, v[3], v[5]));
  }
}

/* Output channel @o of tile @t, from weights that kernels.c transformed, which
 * the comparison with plain sums below checks. */
static void
tile_in_order (gfloat m[36], const SrganConvolution *convolution,
    gfloat *const *rows, guint lanes, guint o, guint t)
{
  guint in_channels = convolution->in_channels, i, x, y;
  /* Packed for two vectors of outputs at once, the last group for what is
   * left. */
  guint first = o / (2 * lanes) * 2 * lanes;
  guint group = MIN (2 * lanes, convolution->out_stride - first);
  const gfloat *weight =
      convolution->weight + first * 36 * in_channels + o - first;

  memset (m, 0, 36 * sizeof (gfloat));
  for (i = 0; i < in_channels; i++) {
    gfloat d[36];

    for (y = 0; y < 6; y++)
      for (x = 0; x < 6; x++)
        d[y * 6 + x] = rows[y][(4 * t + x) * convolution->in_stride + i];
    for (x = 0; x < 6; x++)
      transform_in_order (d + x, 6, FALSE);
    for (y = 0; y < 6; y++)
      transform_in_order (d + 6 * y, 1, FALSE);
    for (x = 0; x < 36; x++)
      m[x] = fmaf (d[x], weight[(x * in_channels + i) * group], m[x]);
  }
  for (x = 0; x < 6; x++)
    transform_in_order (m + x, 6, TRUE);
  for (y = 0; y < 4; y++)
    transform_in_order (m + 6 * y, 1, TRUE);
}

/* The transforms enlarge what they round before they make it smaller again:
 * their result may be off by so many times what a plain sum's may be, in
 * epsilons of the sum of the weights' magnitudes times the largest input.
 * Random cases reach 9. */
#define WINOGRAD_GROWTH 20

static void
check_tiles (const SrganKernels *kernels, guint in_channels, guint out_channels,
    guint n_tiles, Values values)
{
  Shape s = {.in_channels = in_channels,
      .in_stride = kernels->get_channel_stride (in_channels),
      .out_channels = out_channels,
      .kernel_width = 3,
      .kernel_height = 6, /* rows of input */
      .width = 4 * n_tiles,
      .values = values,
      .has_bias = draw () & 1,
      .has_slope = draw () & 1};
  SrganConvolution convolution;
  Problem problem;
  gfloat *output[4], *piece[4], *scratch;
  gfloat largest = 0;
  gsize stride, n;
  guint x, y, o, i, ky, kx, first;

  begin_shape (kernels, &s);
  make_problem (&problem, &s);
  if (!kernels->pack_winograd (&convolution, in_channels, s.in_stride,
          out_channels, problem.weight, problem.bias, problem.slope))
    fail ("not packed");
  if (convolution.scratch == 0 || convolution.bytes == 0)
    fail ("packed as something else");
  s.kernel_height = 3;
  stride = convolution.out_stride;
  n = s.width * stride;
  for (y = 0; y < 4; y++)
    output[y] = take_floats (n);
  scratch = take_floats (convolution.scratch + 16);
  scratch = (gfloat *) (((gsize) scratch + 63) / 64 * 64);
  kernels->convolve_winograd (&convolution,
      (const gfloat *const *) problem.rows, output, n_tiles, scratch);

  for (y = 0; y < 6; y++)
    for (x = 0; x < (s.width + 2) * s.in_stride; x++)
      largest = MAX (largest, fabsf (problem.rows[y][x]));
  for (o = 0; o < out_channels; o++) {
    gdouble bias = problem.bias ? problem.bias[o] : 0;
    gdouble slope = problem.slope ? problem.slope[o] : 1;
    gdouble weights = 0;

    for (i = 0; i < in_channels * 9; i++)
      weights += fabs (problem.weight[o * in_channels * 9 + i]);
    for (y = 0; y < 4; y++)
      for (x = 0; x < s.width; x++) {
        gdouble sum = bias;

        for (ky = 0; ky < 3; ky++)
          for (i = 0; i < in_channels; i++)
            for (kx = 0; kx < 3; kx++)
              sum += (gdouble) get_weight (&problem, &s, o, i, ky, kx) *
                     problem.rows[y + ky][(x + kx) * s.in_stride + i];
        compare (output[y][x * stride + o], sum > 0 ? sum : slope * sum,
            WINOGRAD_GROWTH * FLT_EPSILON * weights * largest +
                FLT_EPSILON * fabs (bias) + 1e-43,
            "output", x, o);
      }
    if (is_fused (kernels))
      for (i = 0; i < n_tiles; i++) {
        gfloat m[36];

        tile_in_order (m, &convolution, problem.rows, kernels->lanes, o, i);
        for (y = 0; y < 4; y++)
          for (x = 0; x < 4; x++) {
            gfloat sum = m[y * 6 + x] + (gfloat) bias;
            gfloat got = output[y][(4 * i + x) * stride + o];

            sum = sum > 0 ? sum : (gfloat) slope * sum;
            if (got != sum)
              fail ("tile %u, pixel %u, %u, channel %u: %.9g, in order %.9g", i,
                  x, y, o, got, sum);
          }
      }
  }
  for (o = out_channels; o < stride; o++)
    for (y = 0; y < 4; y++)
      for (x = 0; x < s.width; x++)
        if (output[y][x * stride + o] != 0)
          fail ("padding channel %u: %g", o, output[y][x * stride + o]);

  /* In pieces: the same bits, and nothing around them. */
  for (y = 0; y < 4; y++)
    piece[y] = take_floats (n + 2 * stride);
  for (first = 0; first < n_tiles;) {
    guint part = draw_range (1, n_tiles - first);
    const gfloat *rows[6];
    gfloat *pixels[4];

    for (y = 0; y < 6; y++)
      rows[y] = problem.rows[y] + (gsize) 4 * first * s.in_stride;
    for (y = 0; y < 4; y++) {
      memset (piece[y], PATTERN, (n + 2 * stride) * sizeof (gfloat));
      pixels[y] = piece[y] + stride;
    }
    kernels->convolve_winograd (&convolution, rows, pixels, part, scratch);
    for (y = 0; y < 4; y++) {
      compare_bits (pixels[y], output[y] + 4 * first * stride,
          4 * part * stride, "a piece");
      if (!is_pattern (piece[y], stride * sizeof (gfloat)) ||
          !is_pattern (pixels[y] + 4 * part * stride, stride * sizeof (gfloat)))
        fail ("a piece of %u tiles from %u on writes beside it", part, first);
    }
    first += part;
  }
  srgan_convolution_clear (&convolution);
}

static void
check_winograd (const SrganKernels *kernels, guint effort)
{
  static const guint channels[][2] = {
      {16, 16}, {12, 12}, {13, 31}, {24, 40}, {32, 32}, {64, 16}};
  static const guint tiles[] = {1, 2, 3, 4, 5, 7, 8, 9, 12, 19};
  guint i, j;

  for (i = 0; i < G_N_ELEMENTS (channels); i++)
    for (j = 0; j < G_N_ELEMENTS (tiles); j++)
      check_tiles (kernels, channels[i][0], channels[i][1], tiles[j],
          j % 5 == 4 ? VALUES_ZERO : VALUES_UNIT);
}

/* ---- srgan_convolution_pack_parts, sum_parts_row ---- */

/* Winograd's four rows of parts around each output row, and their sum. */
static void
check_parts_shape (const SrganKernels *kernels, guint in_channels,
    guint out_channels, guint side, guint width)
{
  const guint n = (side + 2) / 3, n_tiles = (width + 3 * (n - 1) + 3) / 4;
  Shape s = {.in_channels = in_channels,
      .in_stride = kernels->get_channel_stride (in_channels),
      .out_channels = out_channels,
      .kernel_width = side,
      .kernel_height = side,
      /* so that the last tile has inputs */
      .width = 4 * n_tiles + 2 - 3 * (n - 1),
      .values = VALUES_UNIT,
      .has_bias = draw () & 1,
      .has_slope = draw () & 1};
  SrganConvolution convolution;
  Problem problem;
  const gfloat *rows[SRGAN_KERNEL_MAX_SIDE / 3];
  gfloat *parts[4], *scratch, *output, *zeros;
  gfloat largest = 0;
  guint x, y, o, i, j, kx, ky;

  begin_shape (kernels, &s);
  make_problem (&problem, &s);
  if (!srgan_convolution_pack_parts (&convolution, kernels, in_channels,
          s.in_stride, out_channels, side, problem.weight, problem.bias,
          problem.slope))
    fail ("not packed");
  if (convolution.n_parts != n ||
      convolution.out_channels != n * n * out_channels)
    fail ("%u parts a side, %u channels", convolution.n_parts,
        convolution.out_channels);
  scratch = take_floats (convolution.scratch + 16);
  scratch = (gfloat *) (((gsize) scratch + 63) / 64 * 64);
  zeros = take_values ((gsize) (4 * n_tiles + 2) * s.in_stride, VALUES_ZERO);
  for (j = 0; j < n; j++) {
    const gfloat *in[6];

    for (y = 0; y < 4; y++)
      parts[y] = take_floats ((gsize) 4 * n_tiles * convolution.out_stride);
    /* the part's kernel is centred on its row 1; beyond the kernel, its
     * weights are zeros */
    for (y = 0; y < 6; y++)
      in[y] = 3 * j + y < side ? problem.rows[3 * j + y] : zeros;
    kernels->convolve_winograd (&convolution, in, parts, n_tiles, scratch);
    rows[j] = parts[0];
  }
  output = take_floats (4 * width);
  kernels->sum_parts_row (&convolution, rows, output, width);

  for (y = 0; y < side; y++)
    for (x = 0; x < (width + side - 1) * s.in_stride; x++)
      largest = MAX (largest, fabsf (problem.rows[y][x]));
  for (x = 0; x < width; x++)
    for (o = 0; o < 4; o++) {
      gdouble slope = problem.slope && o < out_channels ? problem.slope[o] : 1;
      gdouble sum = 0, weights = 0;

      for (ky = 0; ky < side && o < out_channels; ky++)
        for (i = 0; i < in_channels; i++)
          for (kx = 0; kx < side; kx++) {
            gdouble weight = get_weight (&problem, &s, o, i, ky, kx);

            weights += fabs (weight);
            sum += weight * problem.rows[ky][(x + kx) * s.in_stride + i];
          }
      if (problem.bias && o < out_channels)
        sum += problem.bias[o];
      compare (output[4 * x + o], sum > 0 ? sum : slope * sum,
          WINOGRAD_GROWTH * FLT_EPSILON * (weights * largest + fabs (sum)),
          "output", x, o);
    }
  srgan_convolution_clear (&convolution);
}

static void
check_parts (const SrganKernels *kernels, guint effort)
{
  static const guint shapes[][3] = {/* in, out, side */
      {64, 3, 9}, {16, 1, 9}, {32, 4, 5}, {12, 3, 7}, {16, 3, 5}, {24, 2, 9}};
  static const guint widths[] = {1, 2, 5, 17, 40};
  guint i, j;

  for (i = 0; i < G_N_ELEMENTS (shapes); i++)
    for (j = 0; j < G_N_ELEMENTS (widths); j++)
      check_parts_shape (
          kernels, shapes[i][0], shapes[i][1], shapes[i][2], widths[j]);
}

/* ---- Rows ---- */

static guint
draw_width (guint round)
{
  return round < 67 ? round + 1 : draw_range (1, 700);
}

static void
check_add (const SrganKernels *kernels, guint effort)
{
  guint round, i;

  for (round = 0; round < 100 * effort; round++) {
    guint n = draw_width (round);
    gfloat *a, *b, *output;
    gfloat *expected;

    n_used = 0;
    begin ("%s: add_row of %u", kernels->name, n);
    a = take_values (n, VALUES_WIDE);
    b = take_values (n, VALUES_WIDE);
    output = take_floats (n);
    expected = take_floats (n);
    for (i = 0; i < n; i++)
      expected[i] = a[i] + b[i];
    kernels->add_row (output, a, b, n);
    compare_bits (output, expected, n, "sum");
    if (round & 1)
      kernels->add_row (a, a, b, n);
    else
      kernels->add_row (b, a, b, n);
    compare_bits (round & 1 ? a : b, expected, n, "in place");
  }
}

static void
check_activate (const SrganKernels *kernels, guint effort)
{
  guint round, i;

  for (round = 0; round < 200 * effort; round++) {
    guint width = draw_range (1, 50);
    guint stride = round & 1 ? kernels->get_channel_stride (draw_range (1, 40))
                             : draw_range (1, 40);
    gsize n = (gsize) width * stride;
    gfloat *input, *slope, *output, *expected;

    n_used = 0;
    begin ("%s: activate_row of %u, stride %u", kernels->name, width, stride);
    input = take_values (n, round % 3 ? VALUES_UNIT : VALUES_ZERO);
    slope = take_values (stride, VALUES_UNIT);
    output = take_floats (n);
    expected = take_floats (n);
    for (i = 0; i < n; i++)
      expected[i] = input[i] > 0 ? input[i] : slope[i % stride] * input[i];
    kernels->activate_row (output, input, slope, stride, width);
    compare_bits (output, expected, n, "activated");
    kernels->activate_row (input, input, slope, stride, width);
    compare_bits (input, expected, n, "in place");
  }
}

static void
check_activate_back (const SrganKernels *kernels, guint effort)
{
  guint round, x, c;

  for (round = 0; round < 200 * effort; round++) {
    guint width = draw_range (1, 50);
    guint stride = round & 1 ? kernels->get_channel_stride (draw_range (1, 40))
                             : draw_range (1, 40);
    gsize n = (gsize) width * stride;
    gfloat *gradient, *input, *slope, *sums[2], *back;

    n_used = 0;
    begin (
        "%s: activate_back_row of %u, stride %u", kernels->name, width, stride);
    gradient = take_values (n, VALUES_UNIT);
    input = take_values (n, round % 3 ? VALUES_UNIT : VALUES_ZERO);
    slope = take_values (stride, VALUES_UNIT);
    sums[0] = take_values (stride, VALUES_ZERO);
    sums[1] = take_values (stride, VALUES_ZERO);
    back = take_floats (n);
    memcpy (back, gradient, n * sizeof *back);
    for (c = 0; c < stride; c++)
      sums[0][c] = sums[1][c] = (gfloat) c;
    kernels->activate_back_row (
        back, input, slope, sums[0], sums[1], stride, width);
    for (c = 0; c < stride; c++) {
      gdouble slope_sum = c, sum = c;

      for (x = 0; x < width; x++) {
        const gsize i = (gsize) x * stride + c;

        slope_sum += input[i] > 0 ? 0 : (gdouble) gradient[i] * input[i];
        compare (back[i], gradient[i] * (input[i] > 0 ? 1 : slope[c]), 0,
            "gradient", x, c);
        sum += back[i];
      }
      compare (sums[0][c], slope_sum, 1e-5 * (c + width), "slope", 0, c);
      compare (sums[1][c], sum, 1e-5 * (c + width), "sum", 0, c);
    }
  }
}

static void
check_shuffle (const SrganKernels *kernels, guint effort)
{
  guint round, x, p, c;

  for (round = 0; round < 300 * effort; round++) {
    guint factor = draw_range (1, 4), channels = draw_range (1, 20);
    guint phase = draw_range (0, factor - 1);
    guint in_stride = channels * factor * factor + draw_range (0, 3);
    guint out_stride = channels + draw_range (0, 4);
    guint width = draw_range (1, 40);
    gfloat *input, *output;

    if (round & 1) { /* as a luma network's last map lies */
      channels = out_stride = 1;
      in_stride = kernels->get_channel_stride (factor * factor);
    }
    n_used = 0;
    begin ("%s: shuffle_row of %u, %u channels (strides %u, %u), factor %u, "
           "phase %u",
        kernels->name, width, channels, in_stride, out_stride, factor, phase);
    input = take_values (
        get_length (channels * factor * factor, in_stride, width), VALUES_UNIT);
    output = take_floats ((gsize) width * factor * out_stride);
    kernels->shuffle_row (
        output, out_stride, input, in_stride, factor, phase, channels, width);
    for (x = 0; x < width; x++)
      for (p = 0; p < factor; p++)
        for (c = 0; c < out_stride; c++) {
          gfloat got = output[(x * factor + p) * out_stride + c];
          gfloat expected = c < channels
                                ? input[x * in_stride + c * factor * factor +
                                        phase * factor + p]
                                : 0;

          if (got != expected)
            fail ("pixel %u + %u, channel %u: %g, not %g", x, p, c, got,
                expected);
        }
  }
}

/* In two roundings, which a compiler may not fuse. */
static gfloat
scale_value (gfloat x, gfloat scale, gfloat offset)
{
  volatile gfloat product = x * scale;

  return product + offset;
}

static void
check_load (const SrganKernels *kernels, guint effort)
{
  static const gfloat scales[][2] = {
      {1, 0}, {1 / 255.f, 0}, {1 / 219.f, -16 / 219.f}, {-2.5f, 1000}};
  guint round, x;

  for (round = 0; round < 300 * effort; round++) {
    guint width = draw_width (round);
    guint pixel_stride = round & 1 ? 1 : draw_range (1, 5);
    guint out_stride = round & 2 ? 1 : draw_range (1, 5);
    const gfloat *scale = scales[draw () % 4];
    gsize length = get_length (1, out_stride, width);
    guint8 *input;
    gfloat *output;

    n_used = 0;
    begin ("%s: load_row of %u, strides %u and %u, scale %g", kernels->name,
        width, pixel_stride, out_stride, scale[0]);
    input = take_samples (get_length (1, pixel_stride, width));
    output = take_floats (length);
    kernels->load_row (
        output, out_stride, input, pixel_stride, scale[0], scale[1], width);
    for (x = 0; x < length; x++) {
      if (x % out_stride) {
        if (!is_pattern (output + x, sizeof (gfloat)))
          fail ("float %u written", x);
      } else {
        gfloat expected = scale_value (
            input[x / out_stride * pixel_stride], scale[0], scale[1]);

        if (output[x] != expected)
          fail (
              "pixel %u: %.9g, not %.9g", x / out_stride, output[x], expected);
      }
    }
  }
}

static guint8
get_sample (gfloat x, gfloat scale, gfloat offset)
{
  gfloat code = scale_value (x, scale, offset);

  if (isnan (code))
    return 0;
  return (guint8) floorf (CLAMP (code, 0, 255) + .5f);
}

/* What is easily got wrong among random values. */
static gfloat
draw_code (gfloat scale)
{
  static const gfloat special[] = {NAN, -NAN, INFINITY, -INFINITY, FLT_MAX,
      -FLT_MAX, 0, -0.f, .5f, .49999997f, -.5f, 254.5f, 254.49998f, 255, 255.5f,
      256, 1e10f, -1e10f, 2147483648.f, 65536.f, FLT_MIN, -FLT_MIN / 2};

  if (draw () % 4 == 0)
    return special[draw () % G_N_ELEMENTS (special)] / scale;
  return draw_value (VALUES_CODES) / scale;
}

static void
compare_samples (const guint8 *output, guint pixel_stride, guint width,
    const guint8 *expected)
{
  gsize length = get_length (1, pixel_stride, width), i;

  for (i = 0; i < length; i++) {
    guint8 sample = i % pixel_stride ? PATTERN : expected[i / pixel_stride];

    if (output[i] != sample)
      fail ("byte %" G_GSIZE_FORMAT ": %u, not %u", i, output[i], sample);
  }
}

static void
check_store (const SrganKernels *kernels, guint effort)
{
  static const gfloat scales[][2] = {{1, 0}, {255, 0}, {219, 16}, {1, .25f}};
  guint round, x;

  for (round = 0; round < 300 * effort; round++) {
    guint width = draw_width (round);
    guint pixel_stride = round & 1 ? 1 : draw_range (1, 5);
    guint in_stride = round & 2 ? 1 : draw_range (1, 5);
    const gfloat *scale = scales[draw () % 4];
    gfloat *input;
    guint8 *output, *expected;

    n_used = 0;
    begin ("%s: store_row of %u, strides %u and %u, scale %g", kernels->name,
        width, in_stride, pixel_stride, scale[0]);
    input = take_floats (get_length (1, in_stride, width));
    output = take (get_length (1, pixel_stride, width));
    expected = take (width);
    for (x = 0; x < width; x++) {
      input[x * in_stride] = draw_code (scale[0]);
      expected[x] = get_sample (input[x * in_stride], scale[0], scale[1]);
    }
    kernels->store_row (
        output, pixel_stride, input, in_stride, scale[0], scale[1], width);
    compare_samples (output, pixel_stride, width, expected);
  }
}

static void
check_store_shuffled (const SrganKernels *kernels, guint effort)
{
  guint round, x, p;

  for (round = 0; round < 400 * effort; round++) {
    guint factor = draw_range (1, 4), phase = draw_range (0, factor - 1);
    guint in_stride = round & 1 ? kernels->get_channel_stride (factor * factor)
                                : factor * factor + draw_range (0, 4);
    guint pixel_stride = round & 2 ? 1 : draw_range (1, 5);
    guint width = draw_width (round / 4);
    gfloat scale = round & 4 ? 1 : 219, offset = round & 4 ? 0 : 16;
    gfloat *input, *base;
    guint8 *output, *expected;

    n_used = 0;
    begin ("%s: store_shuffled_row of %u, strides %u and %u, factor %u, phase "
           "%u",
        kernels->name, width, in_stride, pixel_stride, factor, phase);
    input = take_values (
        get_length (factor * factor, in_stride, width), VALUES_UNIT);
    base = take_values (width * factor, VALUES_UNIT);
    output = take (get_length (1, pixel_stride, width * factor));
    expected = take (width * factor);
    for (x = 0; x < width; x++)
      for (p = 0; p < factor; p++) {
        gfloat *in = input + x * in_stride + phase * factor + p;

        if (draw () & 1)
          *in = draw_code (scale);
        expected[x * factor + p] =
            get_sample (*in + base[x * factor + p], scale, offset);
      }
    kernels->store_shuffled_row (output, pixel_stride, input, in_stride, base,
        factor, phase, scale, offset, width);
    compare_samples (output, pixel_stride, width * factor, expected);
  }
}

/* The sum that blend_rows and interpolate_row make, with its bound. */
static void
compare_blend (const SrganKernels *kernels, gfloat got, const gfloat *weight,
    const gfloat *taps, guint n, guint x, guint c)
{
  gdouble sum = 0, magnitudes = 0;
  gfloat in_order = weight[0] * taps[0];
  guint t;

  for (t = 0; t < n; t++) {
    sum += (gdouble) weight[t] * taps[t];
    magnitudes += fabs ((gdouble) weight[t] * taps[t]);
    if (t > 0)
      in_order = fmaf (weight[t], taps[t], in_order);
  }
  compare (got, sum, get_bound (n, magnitudes), "blend", x, c);
  if (is_fused (kernels) && got != in_order)
    fail ("pixel %u, channel %u: %.9g, in order %.9g", x, c, got, in_order);
}

static void
check_blend (const SrganKernels *kernels, guint effort)
{
  guint round, t, x;

  for (round = 0; round < 200 * effort; round++) {
    guint n = draw_width (round);
    guint n_rows = draw_range (1, SRGAN_KERNEL_MAX_TAPS);
    const gfloat *rows[SRGAN_KERNEL_MAX_TAPS];
    gfloat *weight, *output;

    n_used = 0;
    begin ("%s: blend_rows of %u, %u rows", kernels->name, n, n_rows);
    weight = take_values (n_rows, VALUES_UNIT);
    for (t = 0; t < n_rows; t++)
      rows[t] = take_values (n, round % N_VALUES);
    output = take_floats (n);
    kernels->blend_rows (output, rows, weight, n_rows, n);
    for (x = 0; x < n; x++) {
      gfloat taps[SRGAN_KERNEL_MAX_TAPS] = {0};

      for (t = 0; t < n_rows; t++)
        taps[t] = rows[t][x];
      compare_blend (kernels, output[x], weight, taps, n_rows, x, 0);
    }
  }
}

static void
check_blend_u8 (const SrganKernels *kernels, guint effort)
{
  guint round, t, x;

  for (round = 0; round < 200 * effort; round++) {
    guint width = draw_width (round);
    guint n_rows = draw_range (1, SRGAN_KERNEL_MAX_TAPS);
    guint pixel_stride = round & 1 ? 1 : draw_range (1, 5);
    const guint8 *rows[SRGAN_KERNEL_MAX_TAPS];
    gfloat *weight, *output;

    n_used = 0;
    begin ("%s: blend_rows_u8 of %u, stride %u, %u rows", kernels->name, width,
        pixel_stride, n_rows);
    weight = take_values (n_rows, VALUES_UNIT);
    for (t = 0; t < n_rows; t++)
      rows[t] = take_samples (get_length (1, pixel_stride, width));
    output = take_floats (width);
    kernels->blend_rows_u8 (output, rows, pixel_stride, weight, n_rows, width);
    for (x = 0; x < width; x++) {
      gfloat taps[SRGAN_KERNEL_MAX_TAPS] = {0};

      for (t = 0; t < n_rows; t++)
        taps[t] = rows[t][x * pixel_stride];
      compare_blend (kernels, output[x], weight, taps, n_rows, x, 0);
    }
  }
}

static void
check_interpolate (const SrganKernels *kernels, guint effort)
{
  guint round, p, t, x, c;

  for (round = 0; round < 300 * effort; round++) {
    SrganInterpolation interpolation = {
        .factor = draw_range (1, SRGAN_KERNEL_MAX_PHASES),
        .n_taps = draw_range (1, SRGAN_KERNEL_MAX_TAPS),
    };
    guint channels = round & 1 ? 1 : draw_range (1, 20);
    guint width = channels > 4 ? draw_range (1, 20) : draw_width (round / 2);
    gint first = G_MAXINT, last = 0;
    gfloat *input, *output;

    n_used = 0;
    begin ("%s: interpolate_row of %u, %u channels, factor %u, %u taps",
        kernels->name, width, channels, interpolation.factor,
        interpolation.n_taps);
    for (p = 0; p < interpolation.factor; p++) {
      interpolation.first[p] = (gint) draw_range (0, 5) - 3;
      first = MIN (first, interpolation.first[p]);
      last = MAX (last, interpolation.first[p] + (gint) interpolation.n_taps);
      for (t = 0; t < interpolation.n_taps; t++)
        interpolation.weight[p][t] = draw_unit ();
    }
    /* Pixels that no tap reaches do not exist. */
    last = MAX (last - 1, first);
    input = take_values (
        (gsize) (width + last - first) * channels, round % N_VALUES);
    input -= first * (gint) channels;
    output = take_floats ((gsize) width * interpolation.factor * channels);
    kernels->interpolate_row (output, input, &interpolation, channels, width);
    for (x = 0; x < width; x++)
      for (p = 0; p < interpolation.factor; p++)
        for (c = 0; c < channels; c++) {
          gfloat taps[SRGAN_KERNEL_MAX_TAPS] = {0};

          for (t = 0; t < interpolation.n_taps; t++)
            taps[t] = input[((gint) x + interpolation.first[p] + (gint) t) *
                                (gint) channels +
                            (gint) c];
          compare_blend (kernels,
              output[(x * interpolation.factor + p) * channels + c],
              interpolation.weight[p], taps, interpolation.n_taps,
              x * interpolation.factor + p, c);
        }
  }
}

static void
check_halve (const SrganKernels *kernels, guint effort)
{
  guint round, x;

  for (round = 0; round < 100 * effort; round++) {
    guint width = draw_width (round);
    gfloat *input, *output, *weight;

    n_used = 0;
    begin ("%s: halve_row to %u", kernels->name, width);
    weight = take_values (3, VALUES_UNIT);
    input = take_values (2 * (gsize) width + 1, round % N_VALUES);
    output = take_floats (width);
    kernels->halve_row (output, input + 1, weight, width);
    for (x = 0; x < width; x++)
      compare_blend (kernels, output[x], weight, input + 2 * x, 3, x, 0);
  }
}

static void
check_mix (const SrganKernels *kernels, guint effort)
{
  guint round, i, j, x;

  for (round = 0; round < 100 * effort; round++) {
    guint n = draw_width (round);
    gfloat *input[3], *output[3];
    gfloat matrix[3][3], offset[3];

    n_used = 0;
    begin ("%s: mix_rows of %u", kernels->name, n);
    for (i = 0; i < 3; i++) {
      input[i] = take_values (n, round % N_VALUES);
      output[i] = take_floats (n);
      offset[i] = draw_unit ();
      for (j = 0; j < 3; j++)
        matrix[i][j] = draw_unit ();
    }
    kernels->mix_rows (output, (const gfloat *const *) input,
        (const gfloat (*)[3]) matrix, offset, n);
    for (i = 0; i < 3; i++)
      for (x = 0; x < n; x++) {
        gdouble sum = offset[i], magnitudes = fabs (sum);
        gfloat in_order = offset[i];

        for (j = 0; j < 3; j++) {
          gdouble term = (gdouble) matrix[i][j] * input[j][x];

          sum += term;
          magnitudes += fabs (term);
          in_order = fmaf (matrix[i][j], input[j][x], in_order);
        }
        compare (output[i][x], sum, get_bound (4, magnitudes), "mix", x, i);
        if (is_fused (kernels) && output[i][x] != in_order)
          fail ("pixel %u, row %u: %.9g, in order %.9g", x, i, output[i][x],
              in_order);
      }
    kernels->mix_rows (input, (const gfloat *const *) input,
        (const gfloat (*)[3]) matrix, offset, n);
    for (i = 0; i < 3; i++)
      compare_bits (input[i], output[i], n, "in place");
  }
}

static void
check_interleave (const SrganKernels *kernels, guint effort)
{
  guint round, x, c;

  for (round = 0; round < 150 * effort; round++) {
    guint width = draw_width (round), stride = draw_range (3, 17);
    gfloat *planes[3], *back[3], *pixels;

    if (round & 1)
      stride = round & 2 ? 3 : 4;
    n_used = 0;
    begin ("%s: (de)interleave_row of %u, stride %u", kernels->name, width,
        stride);
    for (c = 0; c < 3; c++) {
      planes[c] = take_values (width, VALUES_UNIT);
      back[c] = take_floats (width);
    }
    pixels = take_floats ((gsize) width * stride);
    kernels->interleave_row (
        pixels, stride, (const gfloat *const *) planes, width);
    for (x = 0; x < width; x++)
      for (c = 0; c < stride; c++)
        if (pixels[x * stride + c] != (c < 3 ? planes[c][x] : 0))
          fail ("pixel %u, channel %u: %g", x, c, pixels[x * stride + c]);
    kernels->deinterleave_row (back, pixels, stride, width);
    for (c = 0; c < 3; c++)
      compare_bits (back[c], planes[c], width, "there and back");
  }
}

static void
check_multiply_add (const SrganKernels *kernels, guint effort)
{
  gdouble once, more;

  begin ("%s: multiply_add", kernels->name);
  once = kernels->multiply_add (1);
  more = kernels->multiply_add (1000);
  if (once < 2. * kernels->lanes || more != 1000 * once)
    fail ("%g operations in one round, %g in 1000", once, more);
}

static void
check_channel_stride (const SrganKernels *kernels, guint effort)
{
  guint channels, last = 0;

  begin ("%s: get_channel_stride", kernels->name);
  for (channels = 1; channels <= 300; channels++) {
    guint stride = kernels->get_channel_stride (channels);

    if (stride < channels || stride < last || stride % 4 != 0 ||
        stride - channels >= MAX (4, kernels->lanes) ||
        kernels->get_channel_stride (stride) != stride)
      fail ("%u for %u channels", stride, channels);
    last = stride;
  }
}

/* The thread is somebody else's: denormals must work as before, and numbers be
 * rounded as before. */
static void
check_mode (void)
{
  volatile gfloat denormal = FLT_MIN / 2, normal = FLT_MIN;

  if (denormal * 2 == 0 || normal * .5f == 0 || fegetround () != FE_TONEAREST)
    fail ("the floating-point mode has changed");
}

static const struct {
  const gchar *name;
  void (*run) (const SrganKernels *kernels, guint effort);
} checks[] = {
    {"get_channel_stride", check_channel_stride},
    {"convolve_row/widths", check_convolve_widths},
    {"convolve_row/shapes", check_convolve_shapes},
    {"convolve_row/nan", check_convolve_nan},
    {"convolve_winograd", check_winograd},
    {"sum_parts_row", check_parts},
    {"add_row", check_add},
    {"activate_row", check_activate},
    {"activate_back_row", check_activate_back},
    {"convolve_row/groups", check_grouped},
    {"curve_row", check_curves},
    {"products", check_products},
    {"copy_channels_row", check_copy},
    {"pool_row", check_pool},
    {"sum_row", check_sum},
    {"gather_row", check_gather},
    {"unshuffle_row", check_unshuffle},
    {"shuffle_row", check_shuffle},
    {"load_row", check_load},
    {"store_row", check_store},
    {"store_shuffled_row", check_store_shuffled},
    {"blend_rows", check_blend},
    {"blend_rows_u8", check_blend_u8},
    {"interpolate_row", check_interpolate},
    {"halve_row", check_halve},
    {"mix_rows", check_mix},
    {"interleave_row", check_interleave},
    {"multiply_add", check_multiply_add},
};

guint
kernels_check_get_n (void)
{
  return G_N_ELEMENTS (checks);
}

const gchar *
kernels_check_get_name (guint index)
{
  return checks[index].name;
}

const gchar *
run_check (CheckFunction check, gconstpointer data, guint effort)
{
  if (regions[0] == NULL) {
    init_regions ();
    signal (SIGSEGV, on_fault);
    signal (SIGBUS, on_fault);
  }
  state = 2463534242u; /* xorshift's usual seed */
  if (setjmp (failed) != 0)
    return message;
  check (data, effort);
  check_mode ();
  return NULL;
}

typedef struct {
  guint index;
  const SrganKernels *kernels;
} Job;

static void
run_job (gconstpointer data, guint effort)
{
  const Job *job = data;

  checks[job->index].run (job->kernels, effort);
}

const gchar *
kernels_check_run (guint index, const SrganKernels *kernels, guint effort)
{
  const Job job = {index, kernels};

  return run_check (run_job, &job, effort);
}
