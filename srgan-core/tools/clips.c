/* tools: networks scored on compressed video.
 *
 * SPDX-License-Identifier: MIT
 */
#include "clips.h"

#include "train/clip.h"
#include "train/resample.h"

#include <math.h>
#include <string.h>

/* The clip in memory, 4:2:0. */
typedef struct {
  guint width; /* cut to a multiple of twice the scale */
  guint height;
  GByteArray *luma;  /* of the original, frame after frame */
  GByteArray *small; /* frames for the codec */
  guint n_frames;
} Clip;

static void
clip_clear (Clip *clip)
{
  g_clear_pointer (&clip->luma, g_byte_array_unref);
  g_clear_pointer (&clip->small, g_byte_array_unref);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Clip, clip_clear)

/* One plane cut and reduced, onto the end of clip->small. */
static void
add_plane (Clip *clip, const guint8 *plane, guint stride, guint width,
    guint height, guint scale, gboolean keep)
{
  g_autofree guint8 *cut = g_malloc ((gsize) width * height);
  guint before = clip->small->len;

  for (guint y = 0; y < height; y++)
    memcpy (cut + (gsize) y * width, plane + (gsize) y * stride, width);
  if (keep)
    g_byte_array_append (clip->luma, cut, width * height);
  g_byte_array_set_size (
      clip->small, before + width / scale * (height / scale));
  srgan_resample_bytes (cut, width, height, 1, 1. / scale,
      clip->small->data + before, width / scale, height / scale);
}

static gboolean
read_clip (Clip *clip, const ToolClipSettings *settings, GError **error)
{
  g_autoptr (SrganClip) file =
      srgan_clip_open (settings->path, SRGAN_CODEC_420, error);
  guint multiple = 2 * settings->scale;
  guint width, height;
  GError *cause = NULL;

  if (file == NULL)
    return FALSE;
  width = srgan_clip_get_width (file);
  height = srgan_clip_get_height (file);
  clip->width = width / multiple * multiple;
  clip->height = height / multiple * multiple;
  clip->luma = g_byte_array_new ();
  clip->small = g_byte_array_new ();
  if (MIN (clip->width, clip->height) < multiple + 11) {
    g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_INVALID,
        "%s is too small to be scored at scale %u: %ux%u", settings->path,
        settings->scale, width, height);
    return FALSE;
  }
  while (settings->n_frames == 0 || clip->n_frames < settings->n_frames) {
    g_autofree guint8 *frame = srgan_clip_read (file, &cause);
    const guint8 *plane = frame;

    if (frame == NULL)
      break;
    if ((guint64) (clip->n_frames + 1) * clip->width * clip->height >
        G_MAXUINT / 2) {
      g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_TOO_LARGE,
          "%s does not fit into memory: score its first with --frames",
          settings->path);
      return FALSE;
    }
    add_plane (
        clip, plane, width, clip->width, clip->height, settings->scale, TRUE);
    plane += (gsize) width * height;
    for (guint c = 0; c < 2; c++) {
      guint stride = (width + 1) / 2, rows = (height + 1) / 2;

      add_plane (clip, plane, stride, clip->width / 2, clip->height / 2,
          settings->scale, FALSE);
      plane += (gsize) stride * rows;
    }
    clip->n_frames++;
  }
  if (cause != NULL)
    g_propagate_error (error, cause);
  else if (clip->n_frames == 0)
    g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_CORRUPT,
        "there is no frame in %s", settings->path);
  return cause == NULL && clip->n_frames > 0;
}

static SrganPlan *
make_plan (const ToolClipSettings *settings, SrganNetwork *network, guint width,
    guint height, GError **error)
{
  SrganPlanSettings plan = {
      .width = width,
      .height = height,
      .n_threads = settings->threads,
      .precision = settings->precision,
      .layout = {.kind = SRGAN_LAYOUT_GRAY,
          .sample = SRGAN_SAMPLE_UINT8,
          .pixel_stride = {1},
          .matrix_kr = .299,
          .matrix_kb = .114},
  };

  return srgan_plan_new (network, &plan, error);
}

/* The plane enlarged by @filter, rounded. */
static void
enlarge (const guint8 *small, guint width, guint height, guint scale,
    SrganResampleFilter filter, guint8 *large)
{
  gsize n_small = (gsize) width * height, n_large = n_small * scale * scale;
  g_autofree gfloat *input = g_new (gfloat, n_small);
  g_autofree gfloat *output = g_new (gfloat, n_large);
  g_autofree gfloat *scratch = g_new (gfloat, n_small * scale);
  g_autoptr (SrganResampler) horizontal =
      srgan_resampler_new (filter, width, width * scale, scale, 0);
  g_autoptr (SrganResampler) vertical =
      srgan_resampler_new (filter, height, height * scale, scale, 0);

  for (gsize i = 0; i < n_small; i++)
    input[i] = small[i];
  srgan_resample (horizontal, vertical, input, output, scratch);
  for (gsize i = 0; i < n_large; i++)
    large[i] = (guint8) CLAMP (rintf (output[i]), 0, 255);
}

static SrganScore
score_planes (
    const guint8 *a, const guint8 *b, guint width, guint height, guint border)
{
  gsize n = (gsize) width * height;
  g_autofree gdouble *first = g_new (gdouble, n);
  g_autofree gdouble *second = g_new (gdouble, n);

  for (gsize i = 0; i < n; i++) {
    first[i] = a[i];
    second[i] = b[i];
  }
  return srgan_score_luma (first, second, width, height, border);
}

guint
tool_score_clip (const ToolClipSettings *settings, SrganNetwork **networks,
    guint n_networks, SrganScore *scores, GError **error)
{
  g_auto (Clip) clip = {0};
  g_autoptr (GPtrArray) plans =
      g_ptr_array_new_with_free_func ((GDestroyNotify) srgan_plan_free);
  g_autofree guint8 *large = NULL;
  guint scale = settings->scale;
  SrganCodecSettings codec = {.kind = SRGAN_CODEC_X264,
      .format = SRGAN_CODEC_420,
      .quality = settings->crf,
      .preset = "medium"};

  if (!srgan_codec_check (SRGAN_CODEC_X264, error) ||
      !read_clip (&clip, settings, error))
    return 0;
  codec.width = clip.width / scale;
  codec.height = clip.height / scale;
  if (!srgan_codec_run (&codec, clip.small->data, clip.n_frames, error))
    return 0;
  for (guint m = 0; m < n_networks; m++) {
    SrganPlan *plan =
        make_plan (settings, networks[m], codec.width, codec.height, error);

    if (plan == NULL)
      return 0;
    g_ptr_array_add (plans, plan);
  }

  memset (scores, 0, (n_networks + 2) * sizeof *scores);
  large = g_malloc ((gsize) clip.width * clip.height);
  for (guint i = 0; i < clip.n_frames; i++) {
    guint8 *small =
        clip.small->data + i * srgan_codec_get_frame_length (&codec);
    const guint8 *luma = clip.luma->data + (gsize) i * clip.width * clip.height;
    SrganFrame from = {.component = {small}, .stride = {codec.width}};
    SrganFrame to = {.component = {large}, .stride = {clip.width}};

    for (guint m = 0; m < n_networks + 2; m++) {
      SrganScore score;

      if (m < n_networks)
        srgan_plan_run (plans->pdata[m], &from, &to);
      else
        enlarge (small, codec.width, codec.height, scale,
            m == n_networks ? SRGAN_RESAMPLE_LANCZOS : SRGAN_RESAMPLE_BICUBIC,
            large);
      score = score_planes (luma, large, clip.width, clip.height, scale);
      scores[m].psnr += score.psnr / clip.n_frames;
      scores[m].ssim += score.ssim / clip.n_frames;
    }
  }
  return clip.n_frames;
}
