/* train: losses that look at more than one pixel.
 *
 * SPDX-License-Identifier: MIT
 */
#include "train/similarity.h"

#include <cblas.h>
#include <math.h>
#include <string.h>

#define WINDOW SRGAN_SSIM_WINDOW
#define MOST_SCALES 5

/* --- SSIM -------------------------------------------------------------- */

/* What SSIM asks of a place: the weighted means of x, y, x x, y y, x y. */
enum { MEAN_X, MEAN_Y, MEAN_XX, MEAN_YY, MEAN_XY, N_MEANS };

static void
make_window (gfloat window[WINDOW])
{
  gdouble sum = 0, values[WINDOW];

  for (gint i = 0; i < WINDOW; i++) {
    gdouble x = i - WINDOW / 2;

    values[i] = exp (-x * x / (2 * 1.5 * 1.5));
    sum += values[i];
  }
  for (gint i = 0; i < WINDOW; i++)
    window[i] = (gfloat) (values[i] / sum);
}

/* The window's mean at every place where it lies inside; @output may not be
 * @input; @scratch holds a plane. */
static void
filter (const gfloat window[WINDOW], const gfloat *input, guint width,
    guint height, gfloat *output, gfloat *scratch)
{
  guint out_width = width - WINDOW + 1, out_height = height - WINDOW + 1;

  for (guint y = 0; y < height; y++)
    for (guint x = 0; x < out_width; x++) {
      gfloat sum = 0;

      for (guint t = 0; t < WINDOW; t++)
        sum += window[t] * input[(gsize) y * width + x + t];
      scratch[(gsize) y * out_width + x] = sum;
    }
  memset (output, 0, (gsize) out_width * out_height * sizeof (gfloat));
  for (guint y = 0; y < out_height; y++)
    for (guint t = 0; t < WINDOW; t++)
      for (guint x = 0; x < out_width; x++)
        output[(gsize) y * out_width + x] +=
            window[t] * scratch[(gsize) (y + t) * out_width + x];
}

/* Its transpose: from the places back to the pixels. */
static void
filter_back (const gfloat window[WINDOW], const gfloat *input, guint width,
    guint height, gfloat *output, gfloat *scratch)
{
  guint out_width = width - WINDOW + 1, out_height = height - WINDOW + 1;

  memset (scratch, 0, (gsize) out_width * height * sizeof (gfloat));
  for (guint y = 0; y < out_height; y++)
    for (guint t = 0; t < WINDOW; t++)
      for (guint x = 0; x < out_width; x++)
        scratch[(gsize) (y + t) * out_width + x] +=
            window[t] * input[(gsize) y * out_width + x];
  memset (output, 0, (gsize) width * height * sizeof (gfloat));
  for (guint y = 0; y < height; y++)
    for (guint t = 0; t < WINDOW; t++)
      for (guint x = 0; x < out_width; x++)
        output[(gsize) y * width + x + t] +=
            window[t] * scratch[(gsize) y * out_width + x];
}

/* The mean over all places of SSIM, or of its contrast-structure part alone;
 * @slopes receives its derivative by @x. */
static gdouble
measure (const gfloat *x, const gfloat *y, guint width, guint height,
    gboolean with_luminance, gfloat *slopes)
{
  const gdouble c1 = .01 * .01, c2 = .03 * .03;
  gsize n = (gsize) width * height;
  gsize places = (gsize) (width - WINDOW + 1) * (height - WINDOW + 1);
  g_autofree gfloat *memory = g_new (gfloat, n * (N_MEANS + 4));
  gfloat *means[N_MEANS], *scratch, *product, *back[3], window[WINDOW];
  gdouble total = 0;

  for (guint i = 0; i < N_MEANS; i++)
    means[i] = memory + i * n;
  scratch = memory + N_MEANS * n;
  product = scratch + n;
  make_window (window);
  filter (window, x, width, height, means[MEAN_X], scratch);
  filter (window, y, width, height, means[MEAN_Y], scratch);
  for (gsize i = 0; i < n; i++)
    product[i] = x[i] * x[i];
  filter (window, product, width, height, means[MEAN_XX], scratch);
  for (gsize i = 0; i < n; i++)
    product[i] = y[i] * y[i];
  filter (window, product, width, height, means[MEAN_YY], scratch);
  for (gsize i = 0; i < n; i++)
    product[i] = x[i] * y[i];
  filter (window, product, width, height, means[MEAN_XY], scratch);

  /* the means' derivatives take the means' places */
  for (gsize i = 0; i < places; i++) {
    gdouble mx = means[MEAN_X][i], my = means[MEAN_Y][i];
    gdouble a1 = 2 * mx * my + c1, b1 = mx * mx + my * my + c1;
    gdouble a2 = 2 * (means[MEAN_XY][i] - mx * my) + c2;
    gdouble b2 = means[MEAN_XX][i] - mx * mx + means[MEAN_YY][i] - my * my + c2;
    gdouble l = with_luminance ? a1 / b1 : 1;
    gdouble by_cross = 2 * l / b2;           /* by the covariance */
    gdouble by_square = -l * a2 / (b2 * b2); /* by x's variance */
    gdouble by_mean = -my * by_cross - 2 * mx * by_square;

    if (with_luminance)
      by_mean += a2 / b2 * (2 * my - 2 * mx * l) / b1;
    total += l * a2 / b2;
    means[MEAN_X][i] = (gfloat) (by_mean / places);
    means[MEAN_XX][i] = (gfloat) (by_square / places);
    means[MEAN_XY][i] = (gfloat) (by_cross / places);
  }
  back[0] = means[MEAN_Y];
  back[1] = means[MEAN_YY];
  back[2] = product;
  filter_back (window, means[MEAN_X], width, height, back[0], scratch);
  filter_back (window, means[MEAN_XX], width, height, back[1], scratch);
  filter_back (window, means[MEAN_XY], width, height, back[2], scratch);
  for (gsize i = 0; i < n; i++)
    slopes[i] = back[0][i] + 2 * x[i] * back[1][i] + y[i] * back[2][i];
  return total / places;
}

/* Means of 2x2 pixels. */
static void
halve (const gfloat *input, guint width, guint height, gfloat *output)
{
  for (guint y = 0; y < height / 2; y++)
    for (guint x = 0; x < width / 2; x++) {
      const gfloat *p = input + (gsize) 2 * y * width + 2 * x;

      *output++ = .25f * (p[0] + p[1] + p[width] + p[width + 1]);
    }
}

gdouble
srgan_ssim_loss (const gfloat *output, const gfloat *target, guint width,
    guint height, guint step, guint n_scales, gfloat weight, gfloat *gradient)
{
  /* Wang, Simoncelli, Bovik 2003 */
  static const gdouble exponents[MOST_SCALES] = {
      .0448, .2856, .3001, .2363, .1333};
  gsize n = (gsize) width * height;
  g_autofree gfloat *memory = NULL;
  gfloat *x[MOST_SCALES], *y[MOST_SCALES], *slopes[MOST_SCALES];
  gdouble means[MOST_SCALES], sum = 0, product = 1;
  guint most = 1;

  while (most < MIN (n_scales, MOST_SCALES) &&
         MIN (width, height) >> most >= WINDOW)
    most++;
  memory = g_new (gfloat, 6 * n);
  for (guint s = 0; s < most; s++) {
    guint w = width >> s, h = height >> s;

    /* the scales together are less than 4/3 of the first */
    x[s] = s == 0 ? memory
                  : x[s - 1] + (gsize) (width >> (s - 1)) * (height >> (s - 1));
    y[s] = x[s] + 2 * n;
    slopes[s] = x[s] + 4 * n;
    if (s == 0) {
      for (gsize i = 0; i < n; i++) {
        x[0][i] = output[i * step];
        y[0][i] = target[i * step];
      }
    } else {
      halve (x[s - 1], width >> (s - 1), height >> (s - 1), x[s]);
      halve (y[s - 1], width >> (s - 1), height >> (s - 1), y[s]);
    }
    means[s] = measure (x[s], y[s], w, h, s + 1 == most, slopes[s]);
    sum += exponents[s];
  }
  for (guint s = 0; s < most; s++) {
    /* a picture that looks like its negative has no root */
    means[s] = MAX (means[s], 1e-4);
    product *= most == 1 ? means[s] : pow (means[s], exponents[s] / sum);
  }

  /* from the smallest scale up: each one's own slope plus what comes from
   * below, through the means of 2x2 */
  for (guint s = most; s-- > 0;) {
    guint w = width >> s, h = height >> s;
    gfloat factor =
        (gfloat) (most == 1 ? 1 : product * exponents[s] / sum / means[s]);

    for (gsize i = 0; i < (gsize) w * h; i++)
      slopes[s][i] *= factor;
    if (s + 1 < most)
      for (guint v = 0; v < h / 2 * 2; v++)
        for (guint u = 0; u < w / 2 * 2; u++)
          slopes[s][(gsize) v * w + u] +=
              .25f * slopes[s + 1][(gsize) (v / 2) * (w / 2) + u / 2];
  }
  for (gsize i = 0; i < n; i++)
    gradient[i * step] -= weight * slopes[0][i];
  return 1 - product;
}

/* --- Fourier ----------------------------------------------------------- */

/* Cosines and sines of the transform of @n values, [n][n], symmetric. */
static void
make_waves (guint n, gfloat *cosines, gfloat *sines)
{
  gdouble scale = 1 / sqrt (n);

  for (guint i = 0; i < n; i++)
    for (guint k = 0; k < n; k++) {
      gdouble angle = 2 * G_PI * (i * k % n) / n;

      cosines[(gsize) i * n + k] = (gfloat) (scale * cos (angle));
      sines[(gsize) i * n + k] = (gfloat) (scale * sin (angle));
    }
}

/* output = factor left input right + keep output; left [h][h], right [w][w] */
static void
multiply (const gfloat *left, const gfloat *input, const gfloat *right,
    guint width, guint height, gfloat factor, gfloat keep, gfloat *output,
    gfloat *scratch)
{
  gint w = (gint) width, h = (gint) height;

  cblas_sgemm (CblasRowMajor, CblasNoTrans, CblasNoTrans, h, w, h, 1, left, h,
      input, w, 0, scratch, w);
  cblas_sgemm (CblasRowMajor, CblasNoTrans, CblasNoTrans, h, w, w, factor,
      scratch, w, right, w, keep, output, w);
}

gdouble
srgan_fourier_loss (const gfloat *output, const gfloat *target, guint width,
    guint height, guint step, gfloat weight, gfloat *gradient)
{
  /* so that the derivative of a length of 0 is a number */
  const gdouble tiny = 1e-6;
  gsize n = (gsize) width * height;
  g_autofree gfloat *waves =
      g_new (gfloat, 2 * ((gsize) width * width + (gsize) height * height));
  g_autofree gfloat *memory = g_new (gfloat, 6 * n);
  gfloat *cw = waves, *sw = cw + (gsize) width * width,
         *ch = sw + (gsize) width * width, *sh = ch + (gsize) height * height;
  gfloat *plane = memory, *scratch = memory + n;
  gfloat *real[2] = {memory + 2 * n, memory + 4 * n};
  gfloat *imaginary[2] = {memory + 3 * n, memory + 5 * n};
  gdouble total = 0;

  make_waves (width, cw, sw);
  make_waves (height, ch, sh);
  for (guint k = 0; k < 2; k++) {
    const gfloat *values = k == 0 ? output : target;

    for (gsize i = 0; i < n; i++)
      plane[i] = values[i * step];
    /* (C - i S) plane (C - i S) */
    multiply (ch, plane, cw, width, height, 1, 0, real[k], scratch);
    multiply (sh, plane, sw, width, height, -1, 1, real[k], scratch);
    multiply (ch, plane, sw, width, height, -1, 0, imaginary[k], scratch);
    multiply (sh, plane, cw, width, height, -1, 1, imaginary[k], scratch);
  }
  for (gsize i = 0; i < n; i++) {
    gdouble a = real[0][i], b = imaginary[0][i];
    gdouble da = a - real[1][i], db = b - imaginary[1][i];
    gdouble length = sqrt (a * a + b * b + tiny * tiny);
    gdouble other =
        sqrt ((gdouble) real[1][i] * real[1][i] +
              (gdouble) imaginary[1][i] * imaginary[1][i] + tiny * tiny);
    gdouble apart = sqrt (da * da + db * db + tiny * tiny);
    gdouble sign = length > other ? .5 : -.5;

    total += .5 * (fabs (length - other) + apart);
    real[0][i] = (gfloat) ((sign * a / length + .5 * da / apart) / n);
    imaginary[0][i] = (gfloat) ((sign * b / length + .5 * db / apart) / n);
  }
  /* the transpose: both matrices are symmetric */
  multiply (ch, real[0], cw, width, height, 1, 0, plane, scratch);
  multiply (sh, real[0], sw, width, height, -1, 1, plane, scratch);
  multiply (ch, imaginary[0], sw, width, height, -1, 1, plane, scratch);
  multiply (sh, imaginary[0], cw, width, height, -1, 1, plane, scratch);
  for (gsize i = 0; i < n; i++)
    gradient[i * step] += weight * plane[i];
  return total / n;
}
