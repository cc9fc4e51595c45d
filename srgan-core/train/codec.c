/* train: frames through a lossy codec and back.
 *
 * SPDX-License-Identifier: MIT
 */
#include "train/codec-private.h"

#include <gst/app/app.h>
#include <gst/video/video.h>
#include <math.h>
#include <string.h>

/* Milliseconds that a frame may take before the pipeline counts as stuck. */
#define PATIENCE 60000

static const gchar *const h264_decoders[] = {
    "avdec_h264 max-threads=1", "openh264dec"};

static gboolean
has_element (const gchar *name)
{
  g_autofree gchar *word = g_strndup (name, strcspn (name, " "));
  GstElementFactory *factory = gst_element_factory_find (word);

  if (factory != NULL)
    gst_object_unref (factory);
  return factory != NULL;
}

/* NULL: there is none. */
static const gchar *
find_decoder (void)
{
  for (guint i = 0; i < G_N_ELEMENTS (h264_decoders); i++)
    if (has_element (h264_decoders[i]))
      return h264_decoders[i];
  return NULL;
}

gboolean
srgan_codec_check (SrganCodecKind kind, GError **error)
{
  const gchar *missing = NULL, *package = NULL;
  GError *cause = NULL;

  if (!gst_init_check (NULL, NULL, &cause)) {
    g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_UNSUPPORTED,
        "GStreamer does not start: %s", cause->message);
    g_error_free (cause);
    return FALSE;
  }
  if (kind == SRGAN_CODEC_X264 && !has_element ("x264enc")) {
    missing = "x264enc";
    package = "gstreamer1.0-plugins-ugly";
  } else if (kind == SRGAN_CODEC_X264 && find_decoder () == NULL) {
    missing = "avdec_h264";
    package = "gstreamer1.0-libav";
  } else if (kind == SRGAN_CODEC_JPEG &&
             !(has_element ("jpegenc") && has_element ("jpegdec"))) {
    missing = "jpegenc";
    package = "gstreamer1.0-plugins-good";
  } else if (!has_element ("videoconvert") || !has_element ("appsrc")) {
    missing = "videoconvert";
    package = "gstreamer1.0-plugins-base";
  }
  if (missing == NULL)
    return TRUE;
  g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_UNSUPPORTED,
      "GStreamer's element %s is missing: on Debian install %s", missing,
      package);
  return FALSE;
}

static guint
get_n_planes (const SrganCodecSettings *settings)
{
  return settings->format == SRGAN_CODEC_420 ? 3 : 1;
}

/* Bytes of a row of plane @plane of a frame of ours, and its rows. */
static void
measure_plane (const SrganCodecSettings *settings, guint plane,
    guint *row_length, guint *n_rows)
{
  guint halves = plane > 0 ? 1 : 0;

  *row_length = ((settings->width + halves) >> halves) *
                (settings->format == SRGAN_CODEC_RGB ? 3 : 1);
  *n_rows = (settings->height + halves) >> halves;
}

gsize
srgan_codec_get_frame_length (const SrganCodecSettings *settings)
{
  gsize length = 0;

  for (guint p = 0; p < get_n_planes (settings); p++) {
    guint row_length, n_rows;

    measure_plane (settings, p, &row_length, &n_rows);
    length += (gsize) row_length * n_rows;
  }
  return length;
}

/* H.264's 4:2:0 wants even sides, and jpegenc reads to the ends of JPEG's
 * blocks, whatever lies there. */
static guint
round_up (const SrganCodecSettings *settings, guint side)
{
  guint multiple = settings->kind == SRGAN_CODEC_JPEG ? 16 : 2;

  return (side + multiple - 1) / multiple * multiple;
}

/* What is more than our frame repeats its last pixels. */
static GstBuffer *
make_buffer (
    const SrganCodecSettings *settings, GstVideoInfo *info, const guint8 *frame)
{
  GstBuffer *buffer =
      gst_buffer_new_allocate (NULL, GST_VIDEO_INFO_SIZE (info), NULL);
  guint pixel = settings->format == SRGAN_CODEC_RGB ? 3 : 1;
  GstVideoFrame mapped;

  gst_buffer_memset (buffer, 0, 128, GST_VIDEO_INFO_SIZE (info));
  if (!gst_video_frame_map (&mapped, info, buffer, GST_MAP_WRITE))
    g_assert_not_reached (); /* memory of our own */
  for (guint p = 0; p < get_n_planes (settings); p++) {
    guint row_length, n_rows;
    guint n_rows_there = GST_VIDEO_FRAME_COMP_HEIGHT (&mapped, p);
    guint row_length_there = GST_VIDEO_FRAME_COMP_WIDTH (&mapped, p) * pixel;

    measure_plane (settings, p, &row_length, &n_rows);
    for (guint y = 0; y < n_rows_there; y++) {
      const guint8 *from = frame + (gsize) MIN (y, n_rows - 1) * row_length;
      guint8 *to = (guint8 *) GST_VIDEO_FRAME_PLANE_DATA (&mapped, p) +
                   (gsize) y * GST_VIDEO_FRAME_PLANE_STRIDE (&mapped, p);

      memcpy (to, from, row_length);
      for (guint x = row_length; x < row_length_there; x++)
        to[x] = to[x - pixel];
    }
    frame += (gsize) row_length * n_rows;
  }
  gst_video_frame_unmap (&mapped);
  return buffer;
}

gboolean
srgan_codec_take_sample (
    const SrganCodecSettings *settings, GstSample *sample, guint8 *frame)
{
  GstVideoInfo info;
  GstVideoFrame mapped;

  if (!gst_video_info_from_caps (&info, gst_sample_get_caps (sample)) ||
      GST_VIDEO_INFO_WIDTH (&info) < (gint) settings->width ||
      GST_VIDEO_INFO_HEIGHT (&info) < (gint) settings->height ||
      !gst_video_frame_map (
          &mapped, &info, gst_sample_get_buffer (sample), GST_MAP_READ))
    return FALSE;
  for (guint p = 0; p < get_n_planes (settings); p++) {
    guint row_length, n_rows;

    measure_plane (settings, p, &row_length, &n_rows);
    for (guint y = 0; y < n_rows; y++) {
      memcpy (frame,
          (guint8 *) GST_VIDEO_FRAME_PLANE_DATA (&mapped, p) +
              (gsize) y * GST_VIDEO_FRAME_PLANE_STRIDE (&mapped, p),
          row_length);
      frame += row_length;
    }
  }
  gst_video_frame_unmap (&mapped);
  return TRUE;
}

/* JPEG's luma is of the full range. */
static void
convert_range (
    guint8 *luma, gsize n, gdouble before, gdouble factor, gdouble after)
{
  guint8 table[256];

  for (guint i = 0; i < 256; i++)
    table[i] = (guint8) CLAMP (rint ((i - before) * factor + after), 0, 255);
  for (gsize i = 0; i < n; i++)
    luma[i] = table[luma[i]];
}

gchar *
srgan_codec_describe_failure (GstElement *pipeline)
{
  g_autoptr (GstBus) bus = gst_element_get_bus (pipeline);
  g_autoptr (GstMessage) message =
      gst_bus_pop_filtered (bus, GST_MESSAGE_ERROR);
  g_autoptr (GError) cause = NULL;

  if (message == NULL)
    return NULL;
  gst_message_parse_error (message, &cause, NULL);
  return g_strdup (cause->message);
}

static gchar *
describe_pipeline (const SrganCodecSettings *settings)
{
  gboolean jpeg = settings->kind == SRGAN_CODEC_JPEG;
  gboolean rgb = settings->format == SRGAN_CODEC_RGB;
  g_autofree gchar *codec = NULL;

  /* without cpu-independent, vectors of the macroblock tree's sums go astray:
   * not even the same processor gives the same bytes twice (x264 0.164) */
  codec =
      jpeg ? g_strdup_printf ("jpegenc quality=%u ! jpegdec", settings->quality)
           : g_strdup_printf ("x264enc threads=1 pass=qual quantizer=%u "
                              "vbv-buf-capacity=0 speed-preset=%s "
                              "option-string=cpu-independent=1 ! %s",
                 settings->quality, settings->preset, find_decoder ());
  return g_strdup_printf ("appsrc name=in format=time max-bytes=0 ! %s%s %s ! "
                          "%s ! appsink name=out sync=false max-buffers=0",
      rgb ? "videoconvert ! video/x-raw,format=I420" : "",
      !rgb   ? ""
      : jpeg ? ",colorimetry=1:4:0:0 !" /* BT.601, full range */
             : " !",
      codec, rgb ? "videoconvert ! video/x-raw,format=RGB" : "video/x-raw");
}

static gboolean
exchange (const SrganCodecSettings *settings, GstElement *pipeline,
    guint8 *frames, guint n_frames)
{
  g_autoptr (GstElement) in = gst_bin_get_by_name (GST_BIN (pipeline), "in");
  g_autoptr (GstElement) out = gst_bin_get_by_name (GST_BIN (pipeline), "out");
  gsize length = srgan_codec_get_frame_length (settings);
  GstVideoInfo info;
  g_autoptr (GstCaps) caps = NULL;

  gst_video_info_set_format (&info,
      settings->format == SRGAN_CODEC_RGB ? GST_VIDEO_FORMAT_RGB
                                          : GST_VIDEO_FORMAT_I420,
      round_up (settings, settings->width),
      round_up (settings, settings->height));
  info.fps_n = 25;
  info.fps_d = 1;
  caps = gst_video_info_to_caps (&info);
  gst_app_src_set_caps (GST_APP_SRC (in), caps);
  if (gst_element_set_state (pipeline, GST_STATE_PLAYING) ==
      GST_STATE_CHANGE_FAILURE)
    return FALSE;
  for (guint i = 0; i < n_frames; i++) {
    GstBuffer *buffer = make_buffer (settings, &info, frames + i * length);

    GST_BUFFER_PTS (buffer) = gst_util_uint64_scale (i, GST_SECOND, 25);
    GST_BUFFER_DURATION (buffer) = GST_SECOND / 25;
    if (gst_app_src_push_buffer (GST_APP_SRC (in), buffer) != GST_FLOW_OK)
      return FALSE;
  }
  gst_app_src_end_of_stream (GST_APP_SRC (in));
  for (guint i = 0; i < n_frames; i++) {
    g_autoptr (GstSample) sample = gst_app_sink_try_pull_sample (
        GST_APP_SINK (out), PATIENCE * GST_MSECOND);

    if (sample == NULL ||
        !srgan_codec_take_sample (settings, sample, frames + i * length))
      return FALSE;
  }
  return TRUE;
}

gboolean
srgan_codec_run (const SrganCodecSettings *settings, guint8 *frames,
    guint n_frames, GError **error)
{
  g_autofree gchar *description = NULL;
  g_autoptr (GstElement) pipeline = NULL;
  gboolean full_range = settings->kind == SRGAN_CODEC_JPEG &&
                        settings->format == SRGAN_CODEC_LUMA;
  gsize n = srgan_codec_get_frame_length (settings) * n_frames;
  GError *cause = NULL;
  gboolean done;

  if (!srgan_codec_check (settings->kind, error))
    return FALSE;
  description = describe_pipeline (settings);
  pipeline = gst_parse_launch (description, &cause);
  if (cause != NULL) {
    g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_UNSUPPORTED,
        "GStreamer cannot run \"%s\": %s", description, cause->message);
    g_error_free (cause);
    return FALSE;
  }
  if (full_range)
    convert_range (frames, n, 16, 255 / 219., 0);
  done = exchange (settings, pipeline, frames, n_frames);
  if (!done) {
    g_autofree gchar *reason = srgan_codec_describe_failure (pipeline);

    g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_UNSUPPORTED,
        "GStreamer failed on frames of %ux%u in \"%s\": %s", settings->width,
        settings->height, description,
        reason != NULL ? reason : "no frame came out");
  }
  gst_element_set_state (pipeline, GST_STATE_NULL);
  if (full_range)
    convert_range (frames, n, 0, 219 / 255., 16);
  return done;
}
