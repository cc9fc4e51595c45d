/* srgan-upscale: a picture of a frame before and after.
 *
 * GStreamer's own converter does the cutting, the bicubic enlargement and the
 * colours of both halves, so that they differ in nothing but the upscaler.
 *
 * SPDX-License-Identifier: MIT
 */
#include "before-after.h"

#include <gst/video/video.h>

/* White between the halves, in pixels. */
#define GAP 4

/* The region's default size, in pixels of the smaller picture. */
#define DEFAULT_WIDTH 240
#define DEFAULT_HEIGHT 240

static void
clamp_region (SrganRegion *region, gint width, gint height)
{
  if (region->width <= 0 || region->height <= 0) {
    region->width = MIN (DEFAULT_WIDTH, width);
    region->height = MIN (DEFAULT_HEIGHT, height);
    region->x = (width - region->width) / 2;
    region->y = (height - region->height) / 2;
  }
  region->x = CLAMP (region->x, 0, width - 1);
  region->y = CLAMP (region->y, 0, height - 1);
  region->width = MIN (region->width, width - region->x);
  region->height = MIN (region->height, height - region->y);
}

/* A blank frame of R'G'B'; unmap it, which frees it too. */
static gboolean
map_new_frame (GstVideoFrame *frame, gint width, gint height)
{
  GstVideoInfo info;
  GstBuffer *buffer;
  gboolean ok;

  gst_video_info_set_format (&info, GST_VIDEO_FORMAT_RGB, width, height);
  buffer = gst_buffer_new_allocate (NULL, info.size, NULL);
  gst_buffer_memset (buffer, 0, 0xff, info.size);
  ok = gst_video_frame_map (frame, &info, buffer, GST_MAP_READWRITE);
  gst_buffer_unref (buffer); /* the mapping holds one */
  return ok;
}

/* Converts @region of @from (NULL: all) to column @x of @to, as large as
 * @width x @height there. */
static void
convert (GstVideoFrame *from, const SrganRegion *region, GstVideoFrame *to,
    gint x, gint width, gint height)
{
  SrganRegion all = {0, 0, from->info.width, from->info.height};
  GstVideoInfo info = from->info;
  GstVideoConverter *converter;

  if (!region)
    region = &all;
  /* It insists on equal rates, which mean nothing here. */
  info.fps_n = to->info.fps_n;
  info.fps_d = to->info.fps_d;
  converter = gst_video_converter_new (&info, &to->info,
      gst_structure_new ("options", GST_VIDEO_CONVERTER_OPT_RESAMPLER_METHOD,
          GST_TYPE_VIDEO_RESAMPLER_METHOD, GST_VIDEO_RESAMPLER_METHOD_CUBIC,
          GST_VIDEO_RESAMPLER_OPT_CUBIC_B, G_TYPE_DOUBLE, 0.0,
          GST_VIDEO_RESAMPLER_OPT_CUBIC_C, G_TYPE_DOUBLE, 0.5,
          GST_VIDEO_CONVERTER_OPT_SRC_X, G_TYPE_INT, region->x,
          GST_VIDEO_CONVERTER_OPT_SRC_Y, G_TYPE_INT, region->y,
          GST_VIDEO_CONVERTER_OPT_SRC_WIDTH, G_TYPE_INT, region->width,
          GST_VIDEO_CONVERTER_OPT_SRC_HEIGHT, G_TYPE_INT, region->height,
          GST_VIDEO_CONVERTER_OPT_DEST_X, G_TYPE_INT, x,
          GST_VIDEO_CONVERTER_OPT_DEST_WIDTH, G_TYPE_INT, width,
          GST_VIDEO_CONVERTER_OPT_DEST_HEIGHT, G_TYPE_INT, height,
          GST_VIDEO_CONVERTER_OPT_FILL_BORDER, G_TYPE_BOOLEAN, FALSE, NULL));
  gst_video_converter_frame (converter, from, to);
  gst_video_converter_free (converter);
}

/* Draws @source's @region, enlarged by @factor, at column @x of @picture. In
 * three steps: GStreamer 1.22's converter garbles what it is to convert, crop
 * and enlarge in one. */
static gboolean
draw (GstSample *source, const SrganRegion *region, gint factor,
    GstVideoFrame *picture, gint x)
{
  gint width = region->width * factor, height = region->height * factor;
  GstVideoInfo info;
  GstVideoFrame frame, coloured, enlarged;

  if (!gst_video_info_from_caps (&info, gst_sample_get_caps (source)) ||
      !gst_video_frame_map (
          &frame, &info, gst_sample_get_buffer (source), GST_MAP_READ))
    return FALSE;
  if (!map_new_frame (&coloured, info.width, info.height)) {
    gst_video_frame_unmap (&frame);
    return FALSE;
  }
  convert (&frame, NULL, &coloured, 0, info.width, info.height);
  gst_video_frame_unmap (&frame);
  if (!map_new_frame (&enlarged, width, height)) {
    gst_video_frame_unmap (&coloured);
    return FALSE;
  }
  convert (&coloured, region, &enlarged, 0, width, height);
  gst_video_frame_unmap (&coloured);
  convert (&enlarged, NULL, picture, x, width, height);
  gst_video_frame_unmap (&enlarged);
  return TRUE;
}

gboolean
srgan_before_after_save (GstSample *before, GstSample *after,
    const SrganRegion *region, const gchar *path, GError **error)
{
  GstVideoInfo small, large, info;
  SrganRegion shown = *region;
  SrganRegion shown_after;
  GstVideoFrame picture;
  GstBuffer *buffer;
  GstCaps *caps;
  GstSample *raw, *png;
  GstMapInfo map;
  gint factor;
  gboolean ok;

  if (!gst_video_info_from_caps (&small, gst_sample_get_caps (before)) ||
      !gst_video_info_from_caps (&large, gst_sample_get_caps (after)) ||
      large.width < small.width) {
    g_set_error_literal (error, GST_CORE_ERROR, GST_CORE_ERROR_FAILED,
        "no two frames for the before/after picture");
    return FALSE;
  }
  factor = large.width / small.width;
  clamp_region (&shown, small.width, small.height);
  shown_after.x = shown.x * factor;
  shown_after.y = shown.y * factor;
  shown_after.width = shown.width * factor;
  shown_after.height = shown.height * factor;

  if (!map_new_frame (
          &picture, shown_after.width * 2 + GAP, shown_after.height)) {
    g_set_error_literal (error, GST_CORE_ERROR, GST_CORE_ERROR_FAILED,
        "cannot map the before/after picture");
    return FALSE;
  }
  info = picture.info;
  buffer = gst_buffer_ref (picture.buffer);
  ok = draw (before, &shown, factor, &picture, 0) &&
       draw (after, &shown_after, 1, &picture, shown_after.width + GAP);
  gst_video_frame_unmap (&picture);
  if (!ok) {
    gst_buffer_unref (buffer);
    g_set_error_literal (error, GST_CORE_ERROR, GST_CORE_ERROR_FAILED,
        "cannot read the frames for the before/after picture");
    return FALSE;
  }

  caps = gst_video_info_to_caps (&info);
  raw = gst_sample_new (buffer, caps, NULL, NULL);
  gst_caps_unref (caps);
  gst_buffer_unref (buffer);
  caps = gst_caps_new_empty_simple ("image/png");
  png = gst_video_convert_sample (raw, caps, 30 * GST_SECOND, error);
  gst_caps_unref (caps);
  gst_sample_unref (raw);
  if (!png)
    return FALSE;
  gst_buffer_map (gst_sample_get_buffer (png), &map, GST_MAP_READ);
  ok = g_file_set_contents (path, (const gchar *) map.data, map.size, error);
  gst_buffer_unmap (gst_sample_get_buffer (png), &map);
  gst_sample_unref (png);
  return ok;
}
