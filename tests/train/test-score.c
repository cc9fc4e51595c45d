/* Resampling and scores against numbers that the field's own tools gave: made
 * with shared/quality/score.py, which follows MATLAB.
 *
 * SPDX-License-Identifier: MIT
 */
#include "train/score.h"

#include <math.h>
#include <string.h>

#include "pictures.h"
#include "train/resample.h"

static void
check_resize (SrganPicture *picture, gdouble scale, guint width, guint height,
    guint channel, const guint8 *expected)
{
  g_autofree guint8 *output = g_new (guint8, width * height * 3);

  srgan_resample_bytes (picture->rgb, picture->width, picture->height, 3, scale,
      output, width, height);
  for (guint i = 0; i < width * height; i++)
    g_assert_cmpuint (output[3 * i + channel], ==, expected[i]);
}

static void
test_bicubic (void)
{
  static const guint8 half[] = {9, 56, 162, 151, 146, 147, 40, 116, 165, 131,
      139, 122, 72, 162, 127, 133, 129, 150, 110, 133, 112, 146, 153, 122};
  static const guint8 third[] = {26, 138, 150, 141, 88, 145, 126, 138};
  static const guint8 quarter[] = {56, 150, 139, 115, 135, 137};
  static const guint8 twice[] = {29, 31, 34, 41, 53, 59, 33, 35, 38, 47, 59, 66,
      40, 43, 48, 58, 73, 80, 44, 47, 53, 64, 79, 87};
  g_autoptr (SrganPicture) picture = test_picture_new_pattern (12, 8);
  g_autoptr (SrganPicture) tiny = test_picture_new_pattern (3, 2);

  check_resize (picture, 1 / 2., 6, 4, 0, half);
  check_resize (picture, 1 / 4., 3, 2, 0, quarter);
  check_resize (tiny, 2, 6, 4, 1, twice);
  srgan_picture_crop (picture, 3);
  g_assert_cmpuint (picture->width, ==, 12);
  g_assert_cmpuint (picture->height, ==, 6);
  check_resize (picture, 1 / 3., 4, 2, 0, third);
}

/* Planes of floats go through the same arithmetic. */
static void
test_planes (void)
{
  g_autoptr (SrganPicture) picture = test_picture_new_pattern (24, 24);
  guint8 bytes[12 * 12];
  gfloat plane[24 * 24], output[12 * 12], scratch[12 * 24];
  g_autoptr (SrganResampler) down =
      srgan_resampler_new (SRGAN_RESAMPLE_BICUBIC, 24, 12, .5, 0);
  guint8 red[24 * 24];

  for (guint i = 0; i < 24 * 24; i++)
    plane[i] = red[i] = picture->rgb[3 * i];
  srgan_resample_bytes (red, 24, 24, 1, .5, bytes, 12, 12);
  srgan_resample (down, down, plane, output, scratch);
  for (guint i = 0; i < 12 * 12; i++)
    g_assert_cmpfloat_with_epsilon (CLAMP (output[i], 0, 255), bytes[i], .501);
}

/* Of any filter at any ratio the weights sum to one and lie symmetrically. */
static void
test_weights (void)
{
  static const gdouble scales[] = {.5, 1 / 3., .25, .6, .734, 1, 2};

  for (guint f = SRGAN_RESAMPLE_BICUBIC; f <= SRGAN_RESAMPLE_BOX; f++)
    for (guint s = 0; s < G_N_ELEMENTS (scales); s++) {
      guint n = (guint) (60 * scales[s]);
      g_autoptr (SrganResampler) resampler =
          srgan_resampler_new (f, 60, n, scales[s], 0);

      for (guint i = 0; i < n; i++) {
        const gfloat *weight = resampler->weight + i * resampler->n_taps;
        gdouble sum = 0, centre = 0;

        for (guint t = 0; t < resampler->n_taps; t++) {
          sum += weight[t];
          centre += weight[t] * (resampler->first[i] + (gdouble) t);
        }
        g_assert_cmpfloat_with_epsilon (sum, 1, 1e-5);
        /* a straight line stays one, but for the sampled wide filters */
        g_assert_cmpfloat_with_epsilon (
            centre, (i + .5) / scales[s] - .5, f == 0 ? .05 : .5);
      }
    }
}

static void
test_box (void)
{
  static const gfloat input[] = {0, 4, 8, 12, 100, 200};
  gfloat output[3], scratch[6];
  g_autoptr (SrganResampler) half =
      srgan_resampler_new (SRGAN_RESAMPLE_BOX, 6, 3, .5, 0);
  g_autoptr (SrganResampler) two_thirds =
      srgan_resampler_new (SRGAN_RESAMPLE_BOX, 6, 4, 2 / 3., 0);
  g_autoptr (SrganResampler) same =
      srgan_resampler_new (SRGAN_RESAMPLE_BOX, 1, 1, 1, 0);
  gfloat more[4];

  srgan_resample (half, same, input, output, scratch);
  g_assert_cmpfloat_with_epsilon (output[0], 2, 1e-5);
  g_assert_cmpfloat_with_epsilon (output[1], 10, 1e-5);
  g_assert_cmpfloat_with_epsilon (output[2], 150, 1e-5);
  /* one and a half pixels each */
  srgan_resample (two_thirds, same, input, more, scratch);
  g_assert_cmpfloat_with_epsilon (more[0], (0 + 4 / 2.) / 1.5, 1e-4);
  g_assert_cmpfloat_with_epsilon (more[1], (4 / 2. + 8) / 1.5, 1e-4);
  g_assert_cmpfloat_with_epsilon (more[2], (12 + 100 / 2.) / 1.5, 1e-4);
  g_assert_cmpfloat_with_epsilon (more[3], (100 / 2. + 200) / 1.5, 1e-4);
}

/* A point spreads to what the Gaussian is. */
static void
test_gaussian (void)
{
  gfloat input[15] = {0}, output[15], scratch[15];
  g_autoptr (SrganResampler) blur = srgan_resampler_new_gaussian (15, 1, 4);
  g_autoptr (SrganResampler) same =
      srgan_resampler_new (SRGAN_RESAMPLE_BOX, 1, 1, 1, 0);

  input[7] = 1;
  srgan_resample (blur, same, input, output, scratch);
  g_assert_cmpfloat_with_epsilon (output[7], .3989, 2e-4);
  g_assert_cmpfloat_with_epsilon (output[8], .2420, 2e-4);
  g_assert_cmpfloat_with_epsilon (output[5], .0540, 2e-4);
  g_assert_cmpfloat (output[2], ==, 0);
}

static void
test_linear_light (void)
{
  for (gfloat code = 16; code <= 235; code += 1)
    g_assert_cmpfloat_with_epsilon (
        srgan_linear_to_luma (srgan_luma_to_linear (code)), code, .01);
  g_assert_cmpfloat_with_epsilon (srgan_luma_to_linear (16), 0, 1e-6);
  g_assert_cmpfloat_with_epsilon (srgan_luma_to_linear (235), 1, 1e-6);
  /* sRGB 0.5 is a fifth of the light */
  g_assert_cmpfloat_with_epsilon (
      srgan_luma_to_linear (16 + 219 * .5f), .2140, 1e-3);
}

static void
test_scores (void)
{
  g_autoptr (SrganPicture) a = test_picture_new_smooth (32, 24, 0);
  g_autoptr (SrganPicture) b = test_picture_new_smooth (32, 24, 3);
  g_autoptr (SrganPicture) c = test_picture_new_pattern (32, 24);
  SrganScore score = srgan_score_pictures (a, b, 2);

  g_assert_cmpfloat_with_epsilon (score.psnr, 32.983089, 1e-5);
  g_assert_cmpfloat_with_epsilon (score.ssim, 0.872113961, 1e-6);
  score = srgan_score_pictures (c, a, 3);
  g_assert_cmpfloat_with_epsilon (score.psnr, 13.102567, 1e-5);
  g_assert_cmpfloat_with_epsilon (score.ssim, 0.021958597, 1e-6);
  score = srgan_score_pictures (a, a, 0);
  g_assert_cmpfloat (score.psnr, ==, 99);
  g_assert_cmpfloat_with_epsilon (score.ssim, 1, 1e-9);
  /* nothing left to measure */
  g_assert_true (isnan (srgan_score_pictures (a, a, 12).psnr));
  g_assert_true (isnan (srgan_score_pictures (a, a, 9).ssim));
}

static void
test_luma (void)
{
  static const guint8 colours[][3] = {
      {0, 0, 0}, {255, 255, 255}, {255, 0, 0}, {0, 255, 0}, {0, 0, 255}};
  static const gdouble lumas[] = {16, 235, 81.481, 144.553, 40.966};
  g_autoptr (SrganPicture) picture = srgan_picture_new (5, 1);
  gdouble luma[5];

  memcpy (picture->rgb, colours, sizeof colours);
  srgan_picture_get_luma (picture, luma);
  for (guint i = 0; i < 5; i++)
    g_assert_cmpfloat_with_epsilon (luma[i], lumas[i], 1e-9);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/train/score/bicubic", test_bicubic);
  g_test_add_func ("/train/score/planes", test_planes);
  g_test_add_func ("/train/score/weights", test_weights);
  g_test_add_func ("/train/score/box", test_box);
  g_test_add_func ("/train/score/gaussian", test_gaussian);
  g_test_add_func ("/train/score/linear-light", test_linear_light);
  g_test_add_func ("/train/score/scores", test_scores);
  g_test_add_func ("/train/score/luma", test_luma);
  return g_test_run ();
}
