/* train: resizing and softening planes of floats, as the field does it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "train/resample.h"

#include <math.h>
#include <string.h>

/* Half the width of a filter at ratio 1. */
static gdouble
filter_reach (SrganResampleFilter filter)
{
  switch (filter) {
  case SRGAN_RESAMPLE_BICUBIC:
    return 2;
  case SRGAN_RESAMPLE_BILINEAR:
    return 1;
  case SRGAN_RESAMPLE_LANCZOS:
    return 3;
  default:
    return .5;
  }
}

static gdouble
filter_value (SrganResampleFilter filter, gdouble x)
{
  gdouble a = fabs (x);

  switch (filter) {
  case SRGAN_RESAMPLE_BICUBIC:
    if (a <= 1)
      return (1.5 * a - 2.5) * a * a + 1;
    return a < 2 ? ((-.5 * a + 2.5) * a - 4) * a + 2 : 0;
  case SRGAN_RESAMPLE_BILINEAR:
    return a < 1 ? 1 - a : 0;
  case SRGAN_RESAMPLE_LANCZOS:
    if (a < 1e-9)
      return 1;
    return a < 3
               ? 3 * sin (G_PI * a) * sin (G_PI * a / 3) / (G_PI * a * G_PI * a)
               : 0;
  default:
    return a < .5 ? 1 : 0;
  }
}

/* A pixel's part in [left, right), for the box: sampling its steps at pixel
 * centres would lose what the area covers of the outer pixels. */
static gdouble
overlap (gdouble left, gdouble right, gint pixel)
{
  return MAX (MIN (right, pixel + 1.) - MAX (left, (gdouble) pixel), 0);
}

static SrganResampler *
resampler_alloc (guint n_in, guint n_out, guint n_taps)
{
  SrganResampler *resampler = g_new (SrganResampler, 1);

  resampler->n_in = n_in;
  resampler->n_out = n_out;
  resampler->n_taps = n_taps;
  resampler->first = g_new (gint, n_out);
  resampler->weight = g_new0 (gfloat, (gsize) n_out * n_taps);
  return resampler;
}

/* The taps of the output pixel centred on @centre (in input pixels, the first
 * pixel's centre being 0): sets @first and @n_taps weights. */
static void
make_taps (SrganResampleFilter filter, gdouble centre, gdouble scale,
    guint n_taps, gint *first, gdouble *weight)
{
  gdouble shrink = MIN (scale, 1);
  gdouble reach = filter_reach (filter) / shrink;
  gdouble sum = 0;

  *first = (gint) floor (centre - reach + (1 - 1e-9));
  if (filter == SRGAN_RESAMPLE_BOX)
    *first = (gint) floor (centre - reach + .5 + 1e-9);
  for (guint t = 0; t < n_taps; t++) {
    gint pixel = *first + (gint) t;

    if (filter == SRGAN_RESAMPLE_BOX)
      weight[t] = overlap (centre - reach + .5, centre + reach + .5, pixel);
    else
      weight[t] = filter_value (filter, shrink * (centre - pixel));
    sum += weight[t];
  }
  for (guint t = 0; t < n_taps; t++)
    weight[t] /= sum;
}

static guint
count_taps (SrganResampleFilter filter, gdouble scale)
{
  return (guint) ceil (2 * filter_reach (filter) / MIN (scale, 1) - 1e-9) + 1;
}

SrganResampler *
srgan_resampler_new (SrganResampleFilter filter, guint n_in, guint n_out,
    gdouble scale, gdouble offset)
{
  guint n_taps = count_taps (filter, scale);
  SrganResampler *resampler = resampler_alloc (n_in, n_out, n_taps);
  g_autofree gdouble *weight = g_new (gdouble, n_taps);

  for (guint i = 0; i < n_out; i++) {
    make_taps (filter, (i + .5) / scale - .5 + offset, scale, n_taps,
        resampler->first + i, weight);
    for (guint t = 0; t < n_taps; t++)
      resampler->weight[(gsize) i * n_taps + t] = (gfloat) weight[t];
  }
  return resampler;
}

SrganResampler *
srgan_resampler_new_gaussian (guint n, gdouble sigma, guint radius)
{
  SrganResampler *resampler = resampler_alloc (n, n, 2 * radius + 1);
  g_autofree gdouble *weight = g_new (gdouble, resampler->n_taps);
  gdouble sum = 0;

  for (guint t = 0; t < resampler->n_taps; t++) {
    gdouble x = (gdouble) t - radius;

    weight[t] = exp (-x * x / (2 * sigma * sigma));
    sum += weight[t];
  }
  for (guint i = 0; i < n; i++) {
    resampler->first[i] = (gint) i - (gint) radius;
    for (guint t = 0; t < resampler->n_taps; t++)
      resampler->weight[(gsize) i * resampler->n_taps + t] =
          (gfloat) (weight[t] / sum);
  }
  return resampler;
}

void
srgan_resampler_free (SrganResampler *resampler)
{
  if (resampler == NULL)
    return;
  g_free (resampler->first);
  g_free (resampler->weight);
  g_free (resampler);
}

void
srgan_resample (const SrganResampler *horizontal,
    const SrganResampler *vertical, const gfloat *input, gfloat *output,
    gfloat *scratch)
{
  guint width = horizontal->n_in;
  guint out_width = horizontal->n_out;
  guint n_taps = vertical->n_taps;
  gint before = 0, after = 0;
  g_autofree gfloat *row = NULL;

  for (guint y = 0; y < vertical->n_out; y++) {
    gfloat *sum = scratch + (gsize) y * width;

    memset (sum, 0, sizeof *sum * width);
    for (guint t = 0; t < n_taps; t++) {
      gfloat weight = vertical->weight[(gsize) y * n_taps + t];
      const gfloat *in = input + (gsize) srgan_resample_mirror (
                                     vertical->first[y] + t, vertical->n_in) *
                                     width;

      if (weight != 0)
        for (guint x = 0; x < width; x++)
          sum[x] += weight * in[x];
    }
  }

  /* a row at a time, its edges mirrored beside it so that no tap asks */
  n_taps = horizontal->n_taps;
  for (guint x = 0; x < out_width; x++) {
    before = MAX (before, -horizontal->first[x]);
    after = MAX (after, horizontal->first[x] + (gint) n_taps - (gint) width);
  }
  row = g_new (gfloat, before + width + after);
  for (guint y = 0; y < vertical->n_out; y++) {
    const gfloat *weight = horizontal->weight;

    memcpy (row + before, scratch + (gsize) y * width, width * sizeof *row);
    for (gint i = 1; i <= before; i++)
      row[before - i] = row[before + srgan_resample_mirror (-i, width)];
    for (gint i = 0; i < after; i++)
      row[before + (gint) width + i] =
          row[before + srgan_resample_mirror ((gint) width + i, width)];
    for (guint x = 0; x < out_width; x++, weight += n_taps) {
      const gfloat *in = row + before + horizontal->first[x];
      gfloat sums[4] = {0};
      guint t = 0;

      /* four sums, for the compiler to keep in one vector */
      for (; t + 4 <= n_taps; t += 4)
        for (guint k = 0; k < 4; k++)
          sums[k] += weight[t + k] * in[t + k];
      for (; t < n_taps; t++)
        sums[0] += weight[t] * in[t];
      output[(gsize) y * out_width + x] =
          (sums[0] + sums[1]) + (sums[2] + sums[3]);
    }
  }
}

/* MATLAB resizes rows first, then columns, in double and without rounding in
 * between; score.py follows it. */
void
srgan_resample_bytes (const guint8 *input, guint width, guint height,
    guint channels, gdouble scale, guint8 *output, guint out_width,
    guint out_height)
{
  guint n_taps = count_taps (SRGAN_RESAMPLE_BICUBIC, scale);
  g_autofree gdouble *weight = g_new (gdouble, n_taps);
  gsize row_length = (gsize) width * channels;
  g_autofree gdouble *between = g_new0 (gdouble, row_length * out_height);
  gint first;

  for (guint y = 0; y < out_height; y++) {
    gdouble *row = between + y * row_length;

    make_taps (SRGAN_RESAMPLE_BICUBIC, (y + .5) / scale - .5, scale, n_taps,
        &first, weight);
    for (guint t = 0; t < n_taps; t++) {
      const guint8 *in =
          input + srgan_resample_mirror (first + t, height) * row_length;

      for (gsize i = 0; i < row_length; i++)
        row[i] += weight[t] * in[i];
    }
  }
  for (guint x = 0; x < out_width; x++) {
    make_taps (SRGAN_RESAMPLE_BICUBIC, (x + .5) / scale - .5, scale, n_taps,
        &first, weight);
    for (guint y = 0; y < out_height; y++)
      for (guint c = 0; c < channels; c++) {
        const gdouble *row = between + y * row_length + c;
        gdouble sum = 0;

        for (guint t = 0; t < n_taps; t++)
          sum +=
              weight[t] *
              row[(gsize) srgan_resample_mirror (first + t, width) * channels];
        output[((gsize) y * out_width + x) * channels + c] =
            (guint8) CLAMP (nearbyint (sum), 0, 255);
      }
  }
}

gfloat
srgan_luma_to_linear (gfloat code)
{
  gfloat x = (code - 16) / 219;

  return x <= .04045f ? x / 12.92f : powf ((x + .055f) / 1.055f, 2.4f);
}

gfloat
srgan_linear_to_luma (gfloat light)
{
  gfloat x = light <= .0031308f ? light * 12.92f
                                : 1.055f * powf (light, 1 / 2.4f) - .055f;

  return 16 + 219 * x;
}
