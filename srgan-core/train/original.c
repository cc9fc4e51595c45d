/* train: an original, and windows that are cut from it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "train/original.h"

#include <math.h>

#include "train/picture.h"

/* Samples are kept in 1/256 of an 8-bit code. */
#define FRACTION 256

/* @picture as samples. (transfer full) */
static guint16 *
get_samples (const SrganPicture *picture, guint channels)
{
  gsize n = (gsize) picture->width * picture->height;
  guint16 *samples = g_new (guint16, n * channels);

  if (channels == 1) {
    g_autofree gdouble *luma = g_new (gdouble, n);

    srgan_picture_get_luma (picture, luma);
    for (gsize i = 0; i < n; i++)
      samples[i] = (guint16) (luma[i] * FRACTION + .5);
  } else {
    for (gsize i = 0; i < n; i++)
      for (guint c = 0; c < channels; c++)
        samples[c * n + i] = picture->rgb[3 * i + c] * FRACTION;
  }
  return samples;
}

static SrganPicture *
load_picture (const gchar *path, guint smallest, GError **error)
{
  g_autoptr (SrganPicture) picture = srgan_picture_load (path, error);

  if (picture != NULL &&
      (picture->width < smallest || picture->height < smallest)) {
    g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_INVALID,
        "%s is %ux%u: a patch needs %ux%u", path, picture->width,
        picture->height, smallest, smallest);
    return NULL;
  }
  return g_steal_pointer (&picture);
}

static SrganOriginal
make_original (const SrganPicture *picture, guint channels)
{
  return (SrganOriginal){.width = picture->width,
      .height = picture->height,
      .channels = channels,
      .samples = get_samples (picture, channels)};
}

gboolean
srgan_original_read (SrganOriginal *original, const gchar *path, guint channels,
    guint smallest, GError **error)
{
  g_autoptr (SrganPicture) picture = load_picture (path, smallest, error);

  if (picture == NULL)
    return FALSE;
  *original = make_original (picture, channels);
  return TRUE;
}

gboolean
srgan_original_read_pair (SrganOriginal *original, const gchar *path,
    const gchar *input_path, guint channels, guint scale, guint smallest,
    GError **error)
{
  g_autoptr (SrganPicture) picture = load_picture (path, smallest, error);
  g_autoptr (SrganPicture) input = NULL;

  if (picture == NULL)
    return FALSE;
  input = srgan_picture_load (input_path, error);
  if (input == NULL)
    return FALSE;
  if (picture->width / scale != input->width ||
      picture->height / scale != input->height) {
    g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_INVALID,
        "%s is %ux%u and %s %ux%u: not %u times as large (network.scale)", path,
        picture->width, picture->height, input_path, input->width,
        input->height, scale);
    return FALSE;
  }
  srgan_picture_crop (picture, scale);
  *original = make_original (picture, channels);
  original->input = get_samples (input, channels);
  return TRUE;
}

void
srgan_original_take (SrganOriginal *original, const guint8 *frame, guint width,
    guint height, guint channels, gboolean full_range, guint side,
    SrganRandom *random)
{
  guint kept_width = MIN (width, side), kept_height = MIN (height, side);
  guint left = srgan_random_below (random, width - kept_width + 1);
  guint top = srgan_random_below (random, height - kept_height + 1);
  gsize n = (gsize) kept_width * kept_height;
  guint16 *to;

  *original = (SrganOriginal){.width = kept_width,
      .height = kept_height,
      .channels = channels,
      .samples = g_new (guint16, n * channels)};
  to = original->samples;
  for (guint y = 0; y < kept_height; y++) {
    const guint8 *from = frame + ((gsize) (top + y) * width + left) * channels;

    for (guint x = 0; x < kept_width; x++, to++)
      for (guint c = 0; c < channels; c++, from++)
        to[c * n] =
            full_range && channels == 1
                ? (guint16) (16 * FRACTION + *from * 219 * FRACTION / 255)
                : (guint16) (*from * FRACTION);
  }
}

void
srgan_original_clear (gpointer original)
{
  g_free (((SrganOriginal *) original)->samples);
  g_free (((SrganOriginal *) original)->input);
}

/* --- Softening --------------------------------------------------------- */

void
srgan_softening_draw (SrganSoftening *softening, const SrganRecipe *recipe,
    const SrganOriginal *original, guint side, SrganRandom *random)
{
  guint smaller = MIN (original->width, original->height);
  gboolean softened = srgan_random_unit (random) < recipe->softened;
  gboolean blurred = srgan_random_unit (random) < recipe->blurred;

  *softening = (SrganSoftening){.kind = SRGAN_SOFTENING_NONE, .ratio = 1};
  if (!softened || (!blurred && smaller == side))
    return;
  if (blurred) {
    softening->kind = SRGAN_SOFTENING_BLURRED;
    softening->sigma = srgan_random_between (
        random, recipe->blur_sigma[0], recipe->blur_sigma[1]);
  } else {
    gdouble ratio = srgan_random_between (
        random, recipe->reduction[0], recipe->reduction[1]);

    softening->kind = SRGAN_SOFTENING_REDUCED;
    softening->filter = srgan_random_choice (random, recipe->reduction_filter);
    /* a small picture keeps enough for a patch */
    softening->ratio = MIN (MAX (ratio, (gdouble) side / smaller), 1);
  }
}

guint
srgan_softening_get_size (
    const SrganSoftening *softening, guint size, guint side)
{
  if (softening->kind != SRGAN_SOFTENING_REDUCED)
    return size;
  return MAX ((guint) floor (size * softening->ratio + 1e-6), side);
}

static void
cut_window (const SrganOriginal *original, guint channel, gint left, gint top,
    guint width, guint height, gfloat *output)
{
  const guint16 *samples =
      original->samples + (gsize) channel * original->width * original->height;

  for (guint y = 0; y < height; y++) {
    const guint16 *row = samples + (gsize) srgan_resample_mirror (
                                       top + (gint) y, original->height) *
                                       original->width;

    if (left >= 0 && left + width <= original->width) {
      for (guint x = 0; x < width; x++)
        output[x] = row[left + x] * (1.f / FRACTION);
    } else {
      for (guint x = 0; x < width; x++)
        output[x] =
            row[srgan_resample_mirror (left + (gint) x, original->width)] *
            (1.f / FRACTION);
    }
    output += width;
  }
}

void
srgan_original_cut (const SrganOriginal *original, guint channel,
    const SrganSoftening *softening, gint left, gint top, guint side,
    gfloat *output)
{
  g_autofree gfloat *input = NULL, *scratch = NULL;

  if (softening->kind == SRGAN_SOFTENING_NONE) {
    cut_window (original, channel, left, top, side, side, output);
  } else if (softening->kind == SRGAN_SOFTENING_BLURRED) {
    g_autoptr (SrganResampler) blur = srgan_resampler_new_gaussian (
        side, softening->sigma, SRGAN_BLUR_RADIUS);

    input = g_new (gfloat, (gsize) side * side);
    scratch = g_new (gfloat, (gsize) side * side);
    cut_window (original, channel, left, top, side, side, input);
    srgan_resample (blur, blur, input, output, scratch);
  } else {
    /* pixels around the window that the widest filter reaches */
    const guint reach = 6;
    gdouble ratio = softening->ratio;
    gdouble from_x = left / ratio, from_y = top / ratio;
    gint first_x = (gint) floor (from_x) - (gint) reach;
    gint first_y = (gint) floor (from_y) - (gint) reach;
    guint n_in = (guint) ceil (side / ratio) + 2 * reach + 1;
    g_autoptr (SrganResampler) horizontal = srgan_resampler_new (
        softening->filter, n_in, side, ratio, from_x - first_x);
    g_autoptr (SrganResampler) vertical = srgan_resampler_new (
        softening->filter, n_in, side, ratio, from_y - first_y);

    input = g_new (gfloat, (gsize) n_in * n_in);
    scratch = g_new (gfloat, (gsize) side * n_in);
    cut_window (original, channel, first_x, first_y, n_in, n_in, input);
    srgan_resample (horizontal, vertical, input, output, scratch);
  }
}

void
srgan_original_cut_input (const SrganOriginal *original, guint channel,
    guint scale, guint left, guint top, guint side, gfloat *output)
{
  guint width = original->width / scale, height = original->height / scale;
  const guint16 *samples = original->input + (gsize) channel * width * height +
                           (gsize) top * width + left;

  for (guint y = 0; y < side; y++, samples += width)
    for (guint x = 0; x < side; x++)
      *output++ = samples[x] * (1.f / FRACTION);
}

/* --- Light ------------------------------------------------------------- */

void
srgan_codes_to_linear (gfloat *samples, gsize n, gboolean luma)
{
  for (gsize i = 0; i < n; i++)
    samples[i] = srgan_luma_to_linear (
        luma ? samples[i] : 16 + samples[i] * (219 / 255.f));
}

void
srgan_codes_from_linear (gfloat *samples, gsize n, gboolean luma)
{
  for (gsize i = 0; i < n; i++) {
    gfloat code = srgan_linear_to_luma (MAX (samples[i], 0));

    samples[i] = luma ? code : (code - 16) * (255 / 219.f);
  }
}
