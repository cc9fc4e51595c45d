/* train: PSNR and SSIM of the luma, as papers on super-resolution measure.
 *
 * SSIM: Wang, Bovik, Sheikh, Simoncelli 2004, 11 x 11 Gaussian window of
 * sigma 1.5, K1 = .01, K2 = .03, over the positions where it lies inside.
 *
 * SPDX-License-Identifier: MIT
 */
#include "train/score.h"

#include <math.h>

#define WINDOW 11

static void
make_window (gdouble window[WINDOW])
{
  gdouble sum = 0;

  for (gint i = 0; i < WINDOW; i++) {
    gdouble x = i - WINDOW / 2;

    window[i] = exp (-x * x / (2 * 1.5 * 1.5));
    sum += window[i];
  }
  for (gint i = 0; i < WINDOW; i++)
    window[i] /= sum;
}

/* The window's five moments of one output row: columns first, into @sums (5
 * rows of @width), so that both directions are one-dimensional. */
static gdouble
ssim (
    const gdouble *a, const gdouble *b, guint stride, guint width, guint height)
{
  const gdouble c1 = .01 * 255 * .01 * 255, c2 = .03 * 255 * .03 * 255;
  gdouble window[WINDOW], total = 0;
  guint out_width, out_height;
  g_autofree gdouble *sums = NULL;

  if (width < WINDOW || height < WINDOW)
    return NAN;
  out_width = width - WINDOW + 1;
  out_height = height - WINDOW + 1;
  sums = g_new (gdouble, 5 * (gsize) width);
  make_window (window);

  for (guint y = 0; y < out_height; y++) {
    for (guint x = 0; x < width; x++) {
      gdouble sa = 0, sb = 0, saa = 0, sbb = 0, sab = 0;

      for (guint t = 0; t < WINDOW; t++) {
        gdouble p = a[(gsize) (y + t) * stride + x];
        gdouble q = b[(gsize) (y + t) * stride + x];
        gdouble w = window[t];

        sa += w * p;
        sb += w * q;
        saa += w * p * p;
        sbb += w * q * q;
        sab += w * p * q;
      }
      sums[x] = sa;
      sums[width + x] = sb;
      sums[2 * (gsize) width + x] = saa;
      sums[3 * (gsize) width + x] = sbb;
      sums[4 * (gsize) width + x] = sab;
    }
    for (guint x = 0; x < out_width; x++) {
      gdouble m[5] = {0};

      for (guint k = 0; k < 5; k++)
        for (guint t = 0; t < WINDOW; t++)
          m[k] += window[t] * sums[(gsize) k * width + x + t];
      total += ((2 * m[0] * m[1] + c1) * (2 * (m[4] - m[0] * m[1]) + c2)) /
               ((m[0] * m[0] + m[1] * m[1] + c1) *
                   (m[2] - m[0] * m[0] + m[3] - m[1] * m[1] + c2));
    }
  }
  return total / ((gdouble) out_width * out_height);
}

SrganScore
srgan_score_luma (const gdouble *reference, const gdouble *plane, guint width,
    guint height, guint border)
{
  SrganScore score = {NAN, NAN};
  gsize first = (gsize) border * width + border;
  gdouble sum = 0;

  if (width <= 2 * border || height <= 2 * border)
    return score;
  reference += first;
  plane += first;
  for (guint y = 0; y < height - 2 * border; y++)
    for (guint x = 0; x < width - 2 * border; x++) {
      gdouble difference =
          reference[(gsize) y * width + x] - plane[(gsize) y * width + x];

      sum += difference * difference;
    }
  sum /= (gdouble) (width - 2 * border) * (height - 2 * border);
  score.psnr = sum == 0 ? 99 : 10 * log10 (255. * 255. / sum);
  score.ssim =
      ssim (reference, plane, width, width - 2 * border, height - 2 * border);
  return score;
}

SrganScore
srgan_score_pictures (
    const SrganPicture *reference, const SrganPicture *picture, guint border)
{
  gsize n = (gsize) reference->width * reference->height;
  g_autofree gdouble *a = g_new (gdouble, n);
  g_autofree gdouble *b = g_new (gdouble, n);

  g_return_val_if_fail (reference->width == picture->width &&
                            reference->height == picture->height,
      ((SrganScore){NAN, NAN}));
  srgan_picture_get_luma (reference, a);
  srgan_picture_get_luma (picture, b);
  return srgan_score_luma (a, b, reference->width, reference->height, border);
}
