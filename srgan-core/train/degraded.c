/* train: an input that has been through a codec, made ahead and kept.
 *
 * SPDX-License-Identifier: MIT
 */
#include "train/degraded.h"

#include <math.h>
#include <string.h>

#include "train/codec.h"

/* The largest input that is kept, a side: of larger originals another place is
 * taken each time. */
#define LARGEST_SIDE 256

SrganLight
srgan_light_draw (
    const SrganRecipe *recipe, gboolean varies, SrganRandom *random)
{
  SrganLight light = {1, 0};

  if (varies && (recipe->brightness[0] != 0 || recipe->brightness[1] != 0 ||
                    recipe->contrast[0] != 1 || recipe->contrast[1] != 1)) {
    light.factor = (gfloat) srgan_random_between (
        random, recipe->contrast[0], recipe->contrast[1]);
    light.offset =
        (gfloat) (255 * srgan_random_between (random, recipe->brightness[0],
                            recipe->brightness[1]));
  }
  return light;
}

void
srgan_light_apply (SrganLight light, gfloat *samples, gsize n)
{
  if (light.factor == 1 && light.offset == 0)
    return;
  for (gsize i = 0; i < n; i++)
    samples[i] = CLAMP (
        (samples[i] - 127.5f) * light.factor + 127.5f + light.offset, 0, 255);
}

SrganResampleFilter
srgan_downscale_get_filter (SrganDownscale downscale, gboolean *linear)
{
  static const struct {
    SrganResampleFilter filter;
    gboolean linear;
  } downscales[SRGAN_N_DOWNSCALES] = {
      [SRGAN_DOWNSCALE_BICUBIC] = {SRGAN_RESAMPLE_BICUBIC, FALSE},
      [SRGAN_DOWNSCALE_BOX] = {SRGAN_RESAMPLE_BOX, FALSE},
      [SRGAN_DOWNSCALE_BILINEAR] = {SRGAN_RESAMPLE_BILINEAR, FALSE},
      [SRGAN_DOWNSCALE_LANCZOS] = {SRGAN_RESAMPLE_LANCZOS, FALSE},
      [SRGAN_DOWNSCALE_BICUBIC_LINEAR] = {SRGAN_RESAMPLE_BICUBIC, TRUE},
      [SRGAN_DOWNSCALE_BOX_LINEAR] = {SRGAN_RESAMPLE_BOX, TRUE},
      [SRGAN_DOWNSCALE_BILINEAR_LINEAR] = {SRGAN_RESAMPLE_BILINEAR, TRUE},
      [SRGAN_DOWNSCALE_LANCZOS_LINEAR] = {SRGAN_RESAMPLE_LANCZOS, TRUE},
  };

  *linear = downscales[downscale].linear;
  return downscales[downscale].filter;
}

guint
srgan_downscale_get_reach (const SrganRecipe *recipe)
{
  guint lanczos =
      1 << SRGAN_DOWNSCALE_LANCZOS | 1 << SRGAN_DOWNSCALE_LANCZOS_LINEAR;

  return (recipe->downscale & lanczos ? 3 : 2) * recipe->scale;
}

gboolean
srgan_recipe_degrades (const SrganRecipe *recipe)
{
  return recipe->x264 > 0 || recipe->jpeg > 0;
}

/* --- A mini-clip ------------------------------------------------------- */

/* A camera's movement: of frame i, i - target steps lie between it and the
 * frame that is learnt from. */
typedef struct {
  guint n_frames;
  guint target;
  gdouble pan[2]; /* input pixels a frame */
  gdouble zoom;   /* factor a frame */
} Motion;

/* A whole number of those from @range[0] to @range[1]. */
static guint
draw_whole (const gdouble *range, SrganRandom *random)
{
  guint low = (guint) range[0];

  return low + srgan_random_below (random, (guint) range[1] - low + 1);
}

static Motion
draw_motion (const SrganRecipe *recipe, SrganRandom *random)
{
  Motion motion;

  motion.n_frames = draw_whole (recipe->x264_frames, random);
  motion.target = srgan_random_below (random, motion.n_frames);
  for (guint i = 0; i < 2; i++)
    motion.pan[i] =
        srgan_random_between (random, -recipe->x264_pan, recipe->x264_pan);
  motion.zoom = srgan_random_between (
      random, 1 - recipe->x264_zoom, 1 + recipe->x264_zoom);
  return motion;
}

/* Frame @frame's magnification. */
static gdouble
get_zoom (const Motion *motion, guint frame)
{
  return pow (motion->zoom, (gdouble) frame - motion->target);
}

/* By how many pixels of the original the frames reach over the target. */
static guint
get_motion_reach (const Motion *motion, guint side, guint scale)
{
  gdouble reach = 0;

  for (guint i = 0; i < motion->n_frames; i++) {
    gdouble distance = fabs ((gdouble) i - motion->target) *
                       MAX (fabs (motion->pan[0]), fabs (motion->pan[1]));

    reach = MAX (
        reach, scale * (distance + side / 2. * (1 / get_zoom (motion, i) - 1)));
  }
  return (guint) ceil (reach);
}

/* Frame @frame of the input, from @large, @window squared, whose target begins
 * at @margin: one resampling for the reduction and the movement together. */
static void
make_frame (const Motion *motion, guint frame, SrganResampleFilter filter,
    const gfloat *large, guint window, guint margin, guint side, guint scale,
    gfloat *output)
{
  gdouble zoom = get_zoom (motion, frame);
  gdouble steps = (gdouble) frame - motion->target;
  gdouble centre = side * scale / 2.;
  SrganResampler *resamplers[2];
  g_autofree gfloat *scratch = g_new (gfloat, (gsize) side * window);

  for (guint i = 0; i < 2; i++)
    resamplers[i] = srgan_resampler_new (filter, window, side, zoom / scale,
        margin + centre - centre / zoom + motion->pan[i] * steps * scale);
  srgan_resample (resamplers[0], resamplers[1], large, output, scratch);
  for (guint i = 0; i < 2; i++)
    srgan_resampler_free (resamplers[i]);
}

static guint8
to_code (gfloat sample)
{
  return (guint8) (CLAMP (sample, 0, 255) + .5f);
}

/* --- The whole --------------------------------------------------------- */

/* @frames: [frame][side][side][channel] */
static void
make_frames (const SrganRecipe *recipe, const SrganOriginal *original,
    const SrganDegraded *degraded, const Motion *motion, SrganRandom *random,
    guint8 *frames)
{
  guint scale = recipe->scale, side = degraded->side;
  guint channels = original->channels;
  gsize n = (gsize) side * side;
  guint margin = srgan_downscale_get_reach (recipe) + SRGAN_BLUR_RADIUS +
                 get_motion_reach (motion, side, scale);
  guint window = side * scale + 2 * margin;
  gsize n_large = (gsize) window * window;
  g_autofree gfloat *large = g_new (gfloat, n_large);
  g_autofree gfloat *small = g_new (gfloat, n);
  gboolean linear;
  SrganResampleFilter filter = srgan_downscale_get_filter (
      srgan_random_choice (random, recipe->downscale), &linear);

  for (guint c = 0; c < channels; c++) {
    srgan_original_cut (original, c, &degraded->softening,
        degraded->left - (gint) margin, degraded->top - (gint) margin, window,
        large);
    srgan_light_apply (degraded->light, large, n_large);
    if (linear)
      srgan_codes_to_linear (large, n_large, channels == 1);
    for (guint i = 0; i < motion->n_frames; i++) {
      guint8 *frame = frames + i * n * channels + c;

      make_frame (motion, i, filter, large, window, margin, side, scale, small);
      if (linear)
        srgan_codes_from_linear (small, n, channels == 1);
      for (gsize k = 0; k < n; k++)
        frame[k * channels] = to_code (small[k]);
    }
  }
}

gboolean
srgan_degraded_new (const SrganRecipe *recipe, const SrganOriginal *original,
    guint smallest, gboolean varies, SrganRandom *random,
    SrganDegraded **result, GError **error)
{
  g_autoptr (SrganDegraded) degraded = NULL;
  g_autofree guint8 *frames = NULL;
  guint scale = recipe->scale, channels = original->channels;
  gdouble lot = srgan_random_unit (random);
  gboolean moving = lot < recipe->x264;
  Motion motion = {.n_frames = 1, .zoom = 1};
  SrganCodecSettings settings = {
      .format = channels == 1 ? SRGAN_CODEC_LUMA : SRGAN_CODEC_RGB};
  guint width, height;
  gsize n;

  *result = NULL;
  if (lot >= recipe->x264 + recipe->jpeg)
    return TRUE;
  degraded = g_new0 (SrganDegraded, 1);
  srgan_softening_draw (
      &degraded->softening, recipe, original, smallest * scale, random);
  width = srgan_softening_get_size (
      &degraded->softening, original->width, smallest * scale);
  height = srgan_softening_get_size (
      &degraded->softening, original->height, smallest * scale);
  degraded->side =
      MIN (MIN (width, height) / scale, MAX (LARGEST_SIDE, smallest));
  degraded->left =
      (gint) srgan_random_below (random, width - degraded->side * scale + 1);
  degraded->top =
      (gint) srgan_random_below (random, height - degraded->side * scale + 1);
  degraded->light = srgan_light_draw (recipe, varies, random);
  if (moving) {
    motion = draw_motion (recipe, random);
    settings.kind = SRGAN_CODEC_X264;
    settings.quality = draw_whole (recipe->x264_crf, random);
    settings.preset = srgan_recipe_get_x264_preset (
        srgan_random_choice (random, recipe->x264_preset));
  } else {
    settings.kind = SRGAN_CODEC_JPEG;
    settings.quality = draw_whole (recipe->jpeg_quality, random);
  }
  settings.width = settings.height = degraded->side;

  n = (gsize) degraded->side * degraded->side;
  frames = g_malloc (n * channels * motion.n_frames);
  make_frames (recipe, original, degraded, &motion, random, frames);
  if (!srgan_codec_run (&settings, frames, motion.n_frames, error))
    return FALSE;
  degraded->input = g_malloc (n * channels);
  for (guint c = 0; c < channels; c++)
    for (gsize i = 0; i < n; i++)
      degraded->input[c * n + i] =
          frames[motion.target * n * channels + i * channels + c];
  *result = g_steal_pointer (&degraded);
  return TRUE;
}

void
srgan_degraded_free (SrganDegraded *degraded)
{
  if (degraded == NULL)
    return;
  g_free (degraded->input);
  g_free (degraded);
}
