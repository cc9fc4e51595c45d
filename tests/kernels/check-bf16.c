/* tests: what every bfloat16 set must do: the arithmetic that bf16.h describes,
 * as closely as sums in single precision allow.
 *
 * Expected values are computed here in double precision, from weights and
 * inputs that are bfloat16 numbers or rounded to them here; memory is guarded
 * as in check.c.
 *
 * SPDX-License-Identifier: MIT
 */
#include "check-private.h"

#include <math.h>
#include <string.h>

typedef struct {
  SrganBf16Layer layer;
  guint width;
} Shape;

static gdouble
widen (guint16 number)
{
  guint32 bits = (guint32) number << 16;
  gfloat value;

  memcpy (&value, &bits, sizeof value);
  return value;
}

/* The nearest number, by what the format is: 8 bits of precision. */
static gdouble
get_nearest (gfloat value)
{
  gint exponent;
  gdouble fraction = frexp (value, &exponent);

  return ldexp (rint (ldexp (fraction, 8)), exponent - 8);
}

static const gfloat *
take_floats (gsize n)
{
  gfloat *values = take (n * sizeof (gfloat));
  gsize i;

  for (i = 0; i < n; i++)
    values[i] = draw_unit ();
  return values;
}

static const guint16 *
take_row (gsize n)
{
  guint16 *row = take (n * sizeof (guint16));
  gsize i;

  /* of either sign, from 2^-16 to 4 */
  for (i = 0; i < n; i++)
    row[i] = (guint16) (draw_range (0x3780, 0x4080) | draw_range (0, 1) << 15);
  return row;
}

static void
check_pixel (const Shape *s, const void *const *rows, gconstpointer output,
    guint x, guint o)
{
  const SrganBf16Layer *layer = &s->layer;
  const gsize at = (gsize) x * layer->out_stride + o;
  gdouble sum = layer->bias ? layer->bias[o] : 0, magnitude = fabs (sum);
  gdouble slope = layer->slope ? layer->slope[o] : 1, got, error;
  guint c, ky, kx;

  for (c = 0; c < layer->in_channels; c++)
    for (ky = 0; ky < layer->kernel_height; ky++)
      for (kx = 0; kx < layer->kernel_width; kx++) {
        gdouble product =
            get_nearest (layer->weight[((o * layer->in_channels + c) *
                                               (gsize) layer->kernel_height +
                                           ky) *
                                           layer->kernel_width +
                                       kx]);

        product *= widen (
            ((const guint16 *) rows[ky])[(x + kx) * layer->in_stride + c]);
        sum += product;
        magnitude += fabs (product);
      }
  error = 2e-6 * magnitude * fmax (1, fabs (slope));
  sum *= sum < 0 ? slope : 1;
  if (layer->to_floats) {
    got = ((const gfloat *) output)[at];
  } else {
    got = widen (((const guint16 *) output)[at]);
    error += fabs (sum) / 256;
  }
  if (!(fabs (got - sum) <= error))
    fail ("pixel %u, channel %u: %.9g, not %.9g", x, o, got, sum);
}

static void
check_shape (const SrganBf16Kernels *kernels, const Shape *shape)
{
  Shape s = *shape;
  SrganBf16Layer *layer = &s.layer;
  SrganBf16Convolution convolution;
  const void *rows[LARGEST_SIDE];
  const gsize size = layer->to_floats ? sizeof (gfloat) : sizeof (guint16);
  guint8 *output, *piece;
  guint ky, x, o, first, n;

  take_back ();
  begin ("bf16 %s: %u (stride %u) to %u channels (stride %u) of %s, %u x %u, "
         "width %u%s%s",
      kernels->name, layer->in_channels, layer->in_stride, layer->out_channels,
      layer->out_stride, layer->to_floats ? "floats" : "bf16",
      layer->kernel_width, layer->kernel_height, s.width,
      layer->bias ? ", bias" : "", layer->slope ? ", slope" : "");
  layer->weight =
      take_floats ((gsize) layer->out_channels * layer->in_channels *
                   layer->kernel_width * layer->kernel_height);
  if (layer->bias)
    layer->bias = take_floats (layer->out_channels);
  if (layer->slope)
    layer->slope = take_floats (layer->out_channels);
  for (ky = 0; ky < layer->kernel_height; ky++)
    rows[ky] = take_row (
        (gsize) (s.width + layer->kernel_width - 1) * layer->in_stride);
  if (!kernels->pack (&convolution, layer))
    fail ("not packed");

  output = take ((gsize) s.width * layer->out_stride * size);
  kernels->convolve_row (&convolution, rows, output, s.width);
  for (x = 0; x < s.width; x++) {
    for (o = 0; o < layer->out_channels; o++)
      check_pixel (&s, rows, output, x, o);
    for (; o < layer->out_stride; o++)
      for (n = 0; n < size; n++)
        if (output[((gsize) x * layer->out_stride + o) * size + n] != 0)
          fail ("pixel %u: padding channel %u is not 0", x, o);
  }

  /* The same pixels from anywhere in the row, with other widths. */
  first = draw_range (0, s.width - 1);
  n = draw_range (1, s.width - first);
  for (ky = 0; ky < layer->kernel_height; ky++)
    rows[ky] = (const guint16 *) rows[ky] + (gsize) first * layer->in_stride;
  piece = take ((gsize) n * layer->out_stride * size);
  kernels->convolve_row (&convolution, rows, piece, n);
  if (memcmp (piece, output + (gsize) first * layer->out_stride * size,
          (gsize) n * layer->out_stride * size) != 0)
    fail ("%u pixels from %u on differ from those of the whole row", n, first);
  srgan_bf16_convolution_clear (&convolution);
  if (convolution.weight || convolution.bias || convolution.slope)
    fail ("not cleared");
}

static const gfloat some; /* stands for "has one" until check_shape() */

static Shape
draw_shape (guint in_channels, guint out_channels)
{
  return (Shape){.width = draw_range (1, 70),
      .layer = {.in_channels = in_channels,
          .in_stride = (in_channels + 1) / 2 * 2,
          .out_channels = out_channels,
          .out_stride = (out_channels + 3) / 4 * 4,
          .kernel_width = 3,
          .kernel_height = 3,
          .bias = draw () & 1 ? &some : NULL,
          .slope = draw () & 1 ? &some : NULL,
          .to_floats = draw () & 1}};
}

/* All pairs of the channel counts that networks have. */
static void
check_channels (const SrganBf16Kernels *kernels, guint effort)
{
  static const guint channels[] = {1, 3, 4, 12, 16, 24, 28, 32, 48, 64};
  guint i, o;

  for (i = 0; i < G_N_ELEMENTS (channels); i++)
    for (o = 0; o < G_N_ELEMENTS (channels); o++) {
      Shape s = draw_shape (channels[i], channels[o]);

      check_shape (kernels, &s);
    }
}

/* Every width that tiles can make something special of. */
static void
check_widths (const SrganBf16Kernels *kernels, guint effort)
{
  static const guint channels[][2] = {{16, 16}, {32, 32}, {20, 36}};
  guint i, width;

  for (i = 0; i < G_N_ELEMENTS (channels); i++)
    for (width = 1; width <= 70; width++) {
      Shape s = draw_shape (channels[i][0], channels[i][1]);

      s.width = width;
      check_shape (kernels, &s);
    }
}

static void
check_shapes (const SrganBf16Kernels *kernels, guint effort)
{
  guint round;

  for (round = 0; round < 100 * effort; round++) {
    Shape s = draw_shape (draw_range (1, 30), draw_range (1, 40));

    s.layer.kernel_width = draw_range (1, LARGEST_SIDE);
    s.layer.kernel_height = draw_range (1, LARGEST_SIDE);
    s.layer.in_stride += 2 * draw_range (0, 3);
    s.layer.out_stride += 2 * draw_range (0, 3);
    check_shape (kernels, &s);
  }
}

static void
check_rows (const SrganBf16Kernels *kernels, guint effort)
{
  guint round, i;

  for (round = 0; round < 100 * effort; round++) {
    guint n = draw_range (0, 150);
    gfloat *input, *back;
    guint16 *output;

    take_back ();
    begin ("bf16 %s: rows of %u", kernels->name, n);
    input = take (n * sizeof (gfloat));
    for (i = 0; i < n; i++) /* halves among them, which are rounded to even */
      input[i] = ldexpf (
          draw () & 1 ? draw_unit () : (gfloat) draw_range (256, 1023) / 512,
          (gint) draw_range (0, 40) - 20);
    output = take (n * sizeof (guint16));
    kernels->round_row (output, input, n);
    back = take (n * sizeof (gfloat));
    kernels->widen_row (back, output, n);
    for (i = 0; i < n; i++)
      if (back[i] != get_nearest (input[i]))
        fail ("%.9g becomes %.9g", input[i], back[i]);
  }
}

static void
check_derivative_shape (
    const SrganBf16Kernels *kernels, const SrganBf16Derivative *d)
{
  const gsize reach = (d->kernel_height - 1) * d->pitch + d->kernel_width - 1;
  const guint taps = d->kernel_width * d->kernel_height;
  const gsize n = (gsize) d->out_channels * taps * d->in_channels;
  const gfloat *input, *gradient;
  gfloat *sums, *before;
  void *scratch;
  gsize i, pixel;

  take_back ();
  begin ("bf16 %s: derivative of %u (stride %u) to %u channels (stride %u), "
         "%u x %u, %" G_GSIZE_FORMAT " pixels, pitch %" G_GSIZE_FORMAT,
      kernels->name, d->in_channels, d->in_stride, d->out_channels,
      d->out_stride, d->kernel_width, d->kernel_height, d->n_pixels, d->pitch);
  /* no more than is described can be read */
  input =
      take_floats ((d->n_pixels + reach - 1) * d->in_stride + d->in_channels);
  gradient = take_floats ((d->n_pixels - 1) * d->out_stride + d->out_channels);
  sums = take (n * sizeof *sums);
  before = take (n * sizeof *before);
  for (i = 0; i < n; i++)
    sums[i] = before[i] = draw_unit ();
  scratch = take (srgan_bf16_derivative_get_scratch (d));
  kernels->add_derivative (d, input, gradient, sums, scratch);

  for (i = 0; i < n; i++) {
    const gsize o = i / d->in_channels / taps, tap = i / d->in_channels % taps;
    const gsize shift =
        tap / d->kernel_width * d->pitch + tap % d->kernel_width;
    gdouble sum = before[i], magnitude = fabs (sum);

    for (pixel = 0; pixel < d->n_pixels; pixel++) {
      gdouble product = get_nearest (gradient[pixel * d->out_stride + o]);

      product *= get_nearest (
          input[(pixel + shift) * d->in_stride + i % d->in_channels]);
      sum += product;
      magnitude += fabs (product);
    }
    if (!(fabs (sums[i] - sum) <= 2e-6 * magnitude))
      fail ("output %u, tap %u, input %u: %.9g, not %.9g", (guint) o,
          (guint) tap, (guint) (i % d->in_channels), sums[i], sum);
  }
}

static void
check_derivatives (const SrganBf16Kernels *kernels, guint effort)
{
  guint round;

  for (round = 0; round < 40 * effort; round++) {
    SrganBf16Derivative d = {.in_channels = draw_range (1, 70),
        .out_channels = draw_range (1, 70),
        .kernel_width = draw_range (1, 5),
        .kernel_height = draw_range (1, 5),
        .pitch = draw_range (1, 60),
        .n_pixels = draw_range (1, 700)};

    d.in_stride = d.in_channels + draw_range (0, 3);
    d.out_stride = d.out_channels + draw_range (0, 3);
    check_derivative_shape (kernels, &d);
  }
}

static void
check_multiply_add (const SrganBf16Kernels *kernels, guint effort)
{
  gdouble once, more;

  begin ("bf16 %s: multiply_add", kernels->name);
  once = kernels->multiply_add (1);
  more = kernels->multiply_add (1000);
  if (once < 2. || more != 1000 * once)
    fail ("%g operations in one round, %g in 1000", once, more);
}

static const struct {
  const gchar *name;
  void (*run) (const SrganBf16Kernels *kernels, guint effort);
} checks[] = {
    {"convolve_row/channels", check_channels},
    {"convolve_row/widths", check_widths},
    {"convolve_row/shapes", check_shapes},
    {"rows", check_rows},
    {"derivatives", check_derivatives},
    {"multiply_add", check_multiply_add},
};

guint
kernels_check_bf16_get_n (void)
{
  return G_N_ELEMENTS (checks);
}

const gchar *
kernels_check_bf16_get_name (guint index)
{
  return checks[index].name;
}

typedef struct {
  guint index;
  const SrganBf16Kernels *kernels;
} Job;

static void
run_job (gconstpointer data, guint effort)
{
  const Job *job = data;

  checks[job->index].run (job->kernels, effort);
}

const gchar *
kernels_check_bf16_run (
    guint index, const SrganBf16Kernels *kernels, guint effort)
{
  const Job job = {index, kernels};

  return run_check (run_job, &job, effort);
}
