/* train: the frames of a video file, decoded by GStreamer.
 *
 * SPDX-License-Identifier: MIT
 */
#include "train/clip.h"

#include <gst/app/app.h>
#include <gst/video/video.h>

#include "train/codec-private.h"

/* How long a file may take to show its first frame, or a decoder for one. */
#define PATIENCE (30 * GST_SECOND)

struct _SrganClip {
  gchar *path;
  GstElement *pipeline;
  GstElement *sink;
  SrganCodecSettings settings; /* of which a frame's size is looked at */
};

static void
set_failure (SrganClip *clip, GError **error)
{
  g_autofree gchar *reason = srgan_codec_describe_failure (clip->pipeline);

  g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_READ,
      "cannot read the video %s: %s", clip->path, reason);
}

SrganClip *
srgan_clip_open (const gchar *path, SrganCodecFormat format, GError **error)
{
  g_autoptr (SrganClip) clip = NULL;
  g_autofree gchar *description = NULL;
  g_autoptr (GstElement) source = NULL;
  g_autoptr (GstSample) sample = NULL;
  GstVideoInfo info;
  GError *cause = NULL;

  if (!gst_init_check (NULL, NULL, &cause)) {
    g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_UNSUPPORTED,
        "GStreamer does not start: %s", cause->message);
    g_error_free (cause);
    return NULL;
  }
  if (!g_file_test (path, G_FILE_TEST_EXISTS)) {
    g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_NOT_FOUND,
        "cannot read the video %s: there is no such file", path);
    return NULL;
  }
  clip = g_new0 (SrganClip, 1);
  clip->path = g_strdup (path);
  clip->settings.format = format;
  description = g_strdup_printf (
      "filesrc name=source ! decodebin ! videoconvert ! "
      "video/x-raw,format=%s ! appsink name=sink sync=false max-buffers=4",
      format == SRGAN_CODEC_RGB ? "RGB" : "I420");
  clip->pipeline = gst_parse_launch (description, &cause);
  if (cause != NULL) {
    g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_UNSUPPORTED,
        "GStreamer cannot run \"%s\": %s", description, cause->message);
    g_error_free (cause);
    return NULL;
  }
  source = gst_bin_get_by_name (GST_BIN (clip->pipeline), "source");
  clip->sink = gst_bin_get_by_name (GST_BIN (clip->pipeline), "sink");
  g_object_set (source, "location", path, NULL);
  gst_element_set_state (clip->pipeline, GST_STATE_PAUSED);
  sample = gst_app_sink_try_pull_preroll (GST_APP_SINK (clip->sink), PATIENCE);
  if (sample == NULL ||
      !gst_video_info_from_caps (&info, gst_sample_get_caps (sample))) {
    set_failure (clip, error);
    return NULL;
  }
  clip->settings.width = (guint) GST_VIDEO_INFO_WIDTH (&info);
  clip->settings.height = (guint) GST_VIDEO_INFO_HEIGHT (&info);
  gst_element_set_state (clip->pipeline, GST_STATE_PLAYING);
  return g_steal_pointer (&clip);
}

void
srgan_clip_free (SrganClip *clip)
{
  if (clip == NULL)
    return;
  if (clip->pipeline != NULL) {
    gst_element_set_state (clip->pipeline, GST_STATE_NULL);
    gst_object_unref (clip->pipeline);
  }
  if (clip->sink != NULL)
    gst_object_unref (clip->sink);
  g_free (clip->path);
  g_free (clip);
}

guint
srgan_clip_get_width (const SrganClip *clip)
{
  return clip->settings.width;
}

guint
srgan_clip_get_height (const SrganClip *clip)
{
  return clip->settings.height;
}

gdouble
srgan_clip_get_duration (const SrganClip *clip)
{
  gint64 duration;

  if (!gst_element_query_duration (
          clip->pipeline, GST_FORMAT_TIME, &duration) ||
      duration < 0)
    return 0;
  return (gdouble) duration / GST_SECOND;
}

gboolean
srgan_clip_seek (SrganClip *clip, gdouble seconds, GError **error)
{
  if (gst_element_seek_simple (clip->pipeline, GST_FORMAT_TIME,
          GST_SEEK_FLAG_FLUSH | GST_SEEK_FLAG_ACCURATE,
          (gint64) (seconds * GST_SECOND)))
    return TRUE;
  g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_READ,
      "cannot go to second %.3f of the video %s", seconds, clip->path);
  return FALSE;
}

guint8 *
srgan_clip_read (SrganClip *clip, GError **error)
{
  g_autoptr (GstSample) sample =
      gst_app_sink_try_pull_sample (GST_APP_SINK (clip->sink), PATIENCE);
  g_autofree guint8 *frame = NULL;

  if (sample == NULL) {
    if (!gst_app_sink_is_eos (GST_APP_SINK (clip->sink)))
      set_failure (clip, error);
    return NULL;
  }
  frame = g_malloc (srgan_codec_get_frame_length (&clip->settings));
  if (!srgan_codec_take_sample (&clip->settings, sample, frame)) {
    g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_READ,
        "cannot read the video %s: its frames change their size", clip->path);
    return NULL;
  }
  return g_steal_pointer (&frame);
}

gboolean
srgan_clip_is_name (const gchar *path)
{
  static const gchar *const endings[] = {".mp4", ".mkv", ".webm", ".mov",
      ".m4v", ".avi", ".ts", ".mpg", ".mpeg", ".ogv", NULL};
  g_autofree gchar *lower = g_ascii_strdown (path, -1);

  for (guint i = 0; endings[i] != NULL; i++)
    if (g_str_has_suffix (lower, endings[i]))
      return TRUE;
  return FALSE;
}
