/* tests: what every kernel set must do on feature maps beyond plain
 * convolutions: groups, strides, curves, and what moves or gathers channels.
 *
 * SPDX-License-Identifier: MIT
 */
#include "check-private.h"

#include <float.h>
#include <math.h>
#include <string.h>

/* Random floats in -@range .. @range. */
static gfloat *
take_floats (gsize n, gfloat range)
{
  gfloat *memory = take (n * sizeof (gfloat));
  gsize i;

  for (i = 0; i < n; i++)
    memory[i] = draw_unit () * range;
  return memory;
}

static gfloat *
take_output (gsize n)
{
  return take (n * sizeof (gfloat));
}

static void
compare (gfloat got, gdouble wanted, gdouble bound, guint x, guint c)
{
  if (!(fabs (got - wanted) <= bound))
    fail ("pixel %u, channel %u: %.9g, not %.9g within %.3g", x, c, got, wanted,
        bound);
}

/* --- pack_grouped --------------------------------------------------------- */

void
check_grouped (const SrganKernels *kernels, guint effort)
{
  guint round;

  for (round = 0; round < 400 * effort; round++) {
    guint groups = draw_range (1, round % 2 ? 6 : 40);
    guint in_each = round % 3 ? draw_range (1, 9) : 1;
    guint out_each = round % 3 ? draw_range (1, 9) : 1;
    guint in = groups * in_each, out = groups * out_each;
    guint width = draw_range (1, 40), stride = draw_range (1, 4);
    guint kw = draw_range (1, 5), kh = draw_range (1, 5);
    guint in_stride = draw () & 1 ? in : kernels->get_channel_stride (in);
    gsize n_in =
        (gsize) (width - 1) * stride + (kw + stride - 1) / stride * stride;
    SrganConvolution convolution;
    gfloat *weight, *bias, *slope, *output, *piece;
    const gfloat *rows[5], *parts[5];
    guint x, o, i, ky, kx, first, n;

    take_back ();
    begin ("%s: %u (stride %u) to %u channels, %u groups, %ux%u / %u, width %u",
        kernels->name, in, in_stride, out, groups, kw, kh, stride, width);
    weight = take_floats ((gsize) out * in_each * kw * kh, 1);
    bias = draw () & 1 ? take_floats (out, 1) : NULL;
    slope = draw () & 1 ? take_floats (out, 1) : NULL;
    for (ky = 0; ky < kh; ky++) {
      gfloat *row = take_floats (n_in * in_stride, 1);

      for (x = 0; x < n_in; x++)
        for (i = in; i < in_stride; i++)
          row[(gsize) x * in_stride + i] = 0;
      rows[ky] = row;
    }
    if (!kernels->pack_grouped (&convolution, in, in_stride, out, kw, kh,
            stride, groups, weight, bias, slope))
      fail ("not packed");
    if (convolution.out_stride != kernels->get_channel_stride (out))
      fail ("output stride %u", convolution.out_stride);
    output = take_output ((gsize) width * convolution.out_stride);
    kernels->convolve_row (&convolution, rows, output, width);
    for (x = 0; x < width; x++)
      for (o = 0; o < convolution.out_stride; o++) {
        gdouble sum = bias && o < out ? bias[o] : 0, magnitudes = fabs (sum);

        for (ky = 0; o < out && ky < kh; ky++)
          for (i = 0; i < in_each; i++)
            for (kx = 0; kx < kw; kx++) {
              gdouble term =
                  (gdouble) weight[((o * in_each + i) * kh + ky) * kw + kx] *
                  rows[ky][(gsize) (x * stride + kx) * in_stride +
                           o / out_each * in_each + i];

              sum += term;
              magnitudes += fabs (term);
            }
        if (o < out && sum < 0 && slope)
          sum *= slope[o];
        /* Zeros count among what a sum may be of. */
        compare (output[(gsize) x * convolution.out_stride + o], sum,
            (in_each * kw * kh + 3) * FLT_EPSILON * magnitudes, x, o);
      }

    /* In pieces: the same bits, and nothing around them. */
    piece = take_output ((gsize) (width + 2) * convolution.out_stride);
    for (first = 0; first < width; first += n) {
      const gsize pixel = convolution.out_stride * sizeof (gfloat);

      n = draw_range (1, width - first);
      for (ky = 0; ky < kh; ky++)
        parts[ky] = rows[ky] + (gsize) first * stride * in_stride;
      memset (piece, PATTERN, (n + 2) * pixel);
      kernels->convolve_row (
          &convolution, parts, piece + convolution.out_stride, n);
      if (memcmp (piece + convolution.out_stride,
              output + (gsize) first * convolution.out_stride, n * pixel) != 0)
        fail ("a piece of %u pixels from %u on has other bits", n, first);
      if (!is_pattern (piece, pixel) ||
          !is_pattern (piece + (gsize) (n + 1) * convolution.out_stride, pixel))
        fail ("a piece of %u pixels from %u on writes beside it", n, first);
    }
    srgan_convolution_clear (&convolution);
  }
}

/* --- curve_row ------------------------------------------------------------ */

static gdouble
apply_curve (const SrganCurve *curve, gdouble x, guint c, guint stride)
{
  const gfloat *k = curve->coefficients;

  switch (curve->kind) {
  case SRGAN_CURVE_SIGMOID:
    return 1 / (1 + exp (-x));
  case SRGAN_CURVE_TANH:
    return tanh (x);
  case SRGAN_CURVE_SILU:
    return x / (1 + exp (-x));
  case SRGAN_CURVE_CLIP:
    return CLAMP (x, curve->low, curve->high);
  case SRGAN_CURVE_ROOT:
    return sqrt (MAX ((gfloat) x + curve->low, 0));
  case SRGAN_CURVE_INVERSE_ROOT:
    return 1 / sqrt (MAX ((gfloat) x + curve->low, FLT_MIN));
  default:
    if (x <= -1)
      return k[c] + k[stride + c] * x;
    if (x >= 1)
      return k[5 * stride + c] + k[6 * stride + c] * x;
    return ((k[4 * stride + c] * x + k[3 * stride + c]) * x +
               k[2 * stride + c]) *
           x;
  }
}

void
check_curves (const SrganKernels *kernels, guint effort)
{
  static const gfloat ranges[] = {1e-6f, .5f, 3, 20, 200, 1e30f};
  guint round;

  for (round = 0; round < 600 * effort; round++) {
    guint channels = draw_range (1, 40), width = draw_range (1, 30), x, c;
    guint stride =
        draw () & 1 ? channels : kernels->get_channel_stride (channels);
    gfloat range = ranges[round / 7 % G_N_ELEMENTS (ranges)];
    SrganCurve curve = {.kind = round % 7, .low = -.3f, .high = .7f};
    gfloat *input, *output;

    take_back ();
    begin ("%s: curve %u of %u channels, stride %u, width %u, up to %g",
        kernels->name, curve.kind, channels, stride, width, range);
    if (curve.kind == SRGAN_CURVE_SPLINE)
      curve.coefficients = take_floats (7 * stride, 1);
    input = take_floats ((gsize) width * stride, range);
    output = take_output ((gsize) width * stride);
    kernels->curve_row (output, input, &curve, channels, stride, width);
    for (x = 0; x < width; x++)
      for (c = 0; c < stride; c++) {
        gdouble in = input[(gsize) x * stride + c];
        gdouble wanted = c < channels ? apply_curve (&curve, in, c, stride) : 0;
        gdouble bound = MAX (1e-7, 4 * FLT_EPSILON * fabs (wanted));

        if (curve.kind == SRGAN_CURVE_SPLINE)
          bound = 8 * FLT_EPSILON * (1 + fabs (in));
        compare (output[(gsize) x * stride + c], c < channels ? wanted : 0,
            c < channels ? bound : 0, x, c);
      }
    kernels->curve_row (input, input, &curve, channels, stride, width);
    if (memcmp (input, output, (gsize) width * stride * sizeof (gfloat)) != 0)
      fail ("other bits in place");
  }
}

/* --- rows ------------------------------------------------------------------
 */

void
check_products (const SrganKernels *kernels, guint effort)
{
  guint round;

  for (round = 0; round < 200 * effort; round++) {
    guint stride = draw_range (1, 40), width = draw_range (1, 30), i;
    guint n = stride * width;
    gfloat *a, *b, *vector, *product, *sum, *scaled;

    take_back ();
    begin ("%s: elementwise of %u channels, width %u", kernels->name, stride,
        width);
    a = take_floats (n, 1e3f);
    b = take_floats (n, 1e3f);
    vector = take_floats (stride, 1e3f);
    product = take_output (n);
    sum = take_output (n);
    scaled = take_output (n);
    kernels->multiply_row (product, a, b, n);
    kernels->add_channels_row (sum, a, vector, stride, width);
    kernels->multiply_channels_row (scaled, a, vector, stride, width);
    for (i = 0; i < n; i++) {
      compare (product[i], a[i] * b[i], 0, i / stride, i % stride);
      compare (sum[i], a[i] + vector[i % stride], 0, i / stride, i % stride);
      compare (scaled[i], a[i] * vector[i % stride], 0, i / stride, i % stride);
    }
    kernels->multiply_row (b, a, b, n);
    if (memcmp (b, product, n * sizeof (gfloat)) != 0)
      fail ("multiply_row: other bits in place");
    memcpy (b, a, n * sizeof (gfloat));
    kernels->add_channels_row (b, b, vector, stride, width);
    kernels->multiply_channels_row (a, a, vector, stride, width);
    if (memcmp (b, sum, n * sizeof (gfloat)) != 0 ||
        memcmp (a, scaled, n * sizeof (gfloat)) != 0)
      fail ("other bits in place");
  }
}

void
check_copy (const SrganKernels *kernels, guint effort)
{
  guint round;

  for (round = 0; round < 200 * effort; round++) {
    guint channels = draw_range (1, 40), width = draw_range (1, 30), x, c;
    guint in_stride = round % 8 ? channels + draw_range (0, 9) : 0;
    guint out_stride = channels + draw_range (0, 9);
    gsize n_in = (gsize) (width - 1) * in_stride + channels;
    gsize n_out = (gsize) (width - 1) * out_stride + channels;
    gfloat *input, *output;

    take_back ();
    begin ("%s: copy_channels_row of %u, strides %u to %u, width %u",
        kernels->name, channels, in_stride, out_stride, width);
    input = take_floats (n_in, 1);
    output = take_output (n_out);
    kernels->copy_channels_row (
        output, out_stride, input, in_stride, channels, width);
    for (x = 0; x < width; x++) {
      const gfloat *pixel = output + (gsize) x * out_stride;

      for (c = 0; c < channels; c++)
        compare (pixel[c], input[(gsize) x * in_stride + c], 0, x, c);
      if (x + 1 < width && !is_pattern (pixel + channels,
                               (out_stride - channels) * sizeof (gfloat)))
        fail ("pixel %u: channels beside are written", x);
    }
  }
}

void
check_pool (const SrganKernels *kernels, guint effort)
{
  guint round;

  for (round = 0; round < 200 * effort; round++) {
    guint stride = draw_range (1, 40), width = draw_range (1, 20), x, c, y, k;
    guint n_rows = draw_range (1, 7), side = draw_range (1, 7);
    guint step = draw_range (1, 4);
    const gfloat *rows[7];
    gfloat *output;

    take_back ();
    begin ("%s: pool_row of %u channels, %ux%u / %u, width %u", kernels->name,
        stride, side, n_rows, step, width);
    for (y = 0; y < n_rows; y++)
      rows[y] = take_floats ((gsize) ((width - 1) * step + side) * stride, 1);
    output = take_output ((gsize) width * stride);
    kernels->pool_row (output, rows, n_rows, side, step, stride, width);
    for (x = 0; x < width; x++)
      for (c = 0; c < stride; c++) {
        gfloat largest = -1;

        for (y = 0; y < n_rows; y++)
          for (k = 0; k < side; k++)
            largest =
                MAX (largest, rows[y][(gsize) (x * step + k) * stride + c]);
        compare (output[(gsize) x * stride + c], largest, 0, x, c);
      }
  }
}

void
check_sum (const SrganKernels *kernels, guint effort)
{
  guint round;

  for (round = 0; round < 200 * effort; round++) {
    guint channels = draw_range (1, 40), width = draw_range (1, 40), x, c;
    guint stride = channels + draw_range (0, 5);
    gdouble *sums;
    gfloat *input;

    take_back ();
    begin ("%s: sum_row of %u channels, stride %u, width %u", kernels->name,
        channels, stride, width);
    input = take_floats ((gsize) (width - 1) * stride + channels, 1);
    sums = take (channels * sizeof (gdouble));
    for (c = 0; c < channels; c++)
      sums[c] = c;
    kernels->sum_row (sums, input, channels, stride, width);
    for (c = 0; c < channels; c++) {
      gdouble sum = c;

      for (x = 0; x < width; x++)
        sum += input[(gsize) x * stride + c];
      if (sums[c] != sum)
        fail ("channel %u: %.17g, not %.17g", c, sums[c], sum);
    }
  }
}

void
check_gather (const SrganKernels *kernels, guint effort)
{
  guint round;

  for (round = 0; round < 200 * effort; round++) {
    guint stride = draw_range (1, 40), width = draw_range (1, 30), x, c, t;
    guint n_taps = draw_range (1, SRGAN_KERNEL_MAX_TAPS);
    guint n_in = n_taps + draw_range (0, 20), origin = draw_range (0, 9);
    gfloat *input, *weight, *output;
    gint32 *first;

    take_back ();
    begin ("%s: gather_row of %u channels, %u taps, width %u", kernels->name,
        stride, n_taps, width);
    input = take_floats ((gsize) n_in * stride, 1);
    weight = take_floats ((gsize) width * n_taps, 1);
    first = take (width * sizeof (gint32));
    output = take_output ((gsize) width * stride);
    for (x = 0; x < width; x++)
      first[x] = (gint32) (origin + draw_range (0, n_in - n_taps));
    kernels->gather_row (
        output, input, (gint) origin, first, weight, n_taps, stride, width);
    for (x = 0; x < width; x++)
      for (c = 0; c < stride; c++) {
        gdouble sum = 0, magnitudes = 0;

        for (t = 0; t < n_taps; t++) {
          gdouble term =
              (gdouble) weight[x * n_taps + t] *
              input[((guint) first[x] - origin + t) * (gsize) stride + c];

          sum += term;
          magnitudes += fabs (term);
        }
        compare (output[(gsize) x * stride + c], sum,
            (n_taps + 1) * FLT_EPSILON * magnitudes, x, c);
      }
  }
}

void
check_unshuffle (const SrganKernels *kernels, guint effort)
{
  guint round;

  for (round = 0; round < 200 * effort; round++) {
    guint channels = draw_range (1, 9), width = draw_range (1, 20);
    guint factor = draw_range (1, 5), in_stride = channels + draw_range (0, 4);
    guint n = channels * factor * factor, out_stride = n + draw_range (0, 4);
    guint x, y, p, c;
    const gfloat *rows[5];
    gfloat *output;

    take_back ();
    begin ("%s: unshuffle_row of %u channels by %u, width %u", kernels->name,
        channels, factor, width);
    for (y = 0; y < factor; y++)
      rows[y] =
          take_floats ((gsize) (width * factor - 1) * in_stride + channels, 1);
    output = take_output ((gsize) width * out_stride);
    kernels->unshuffle_row (
        output, out_stride, rows, in_stride, factor, channels, width);
    for (x = 0; x < width; x++) {
      const gfloat *pixel = output + (gsize) x * out_stride;

      for (c = 0; c < channels; c++)
        for (y = 0; y < factor; y++)
          for (p = 0; p < factor; p++)
            compare (pixel[(c * factor + y) * factor + p],
                rows[y][(gsize) (x * factor + p) * in_stride + c], 0, x, c);
      for (c = n; c < out_stride; c++)
        compare (pixel[c], 0, 0, x, c);
    }
  }
}
