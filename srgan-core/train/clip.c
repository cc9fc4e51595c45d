/* train: the frames of a video file, decoded by GStreamer.
 *
 * SPDX-License-Identifier: MIT
 */
#include "train/clip.h"

#include <gst/app/app.h>
#include <gst/video/video.h>

#include "train/codec-private.h"

/* How long a file may take to show its first frame, or a decoder for one, and
 * how long after something has failed; in slices of so many nanoseconds, after
 * each of which it is asked whether it has. */
#define SLICE (50 * GST_MSECOND)
#define PATIENCE 600
#define FAILED_PATIENCE 40

/* Seconds that are rather read than skipped: a seek begins at the key frame
 * before, which is as far away in most files. */
#define FAR 5.

/* Seconds that a frame may come too early and still be the one. */
#define EARLY 1e-3

struct _SrganClip {
  gchar *path;
  GstElement *pipeline;
  GstElement *sink;
  SrganCodecSettings settings; /* of which a frame's size is looked at */
  gboolean full_range;
  gdouble time;   /* of the frame read last, -1: none */
  gchar *failure; /* what the pipeline said, or NULL */
};

/* The next sample, or the first, which stays the next; NULL without an error:
 * there is none left. What was decoded before something failed comes out first,
 * however the threads ran. (transfer full) */
static GstSample *
wait_for_sample (SrganClip *clip, gboolean first, GError **error)
{
  GstAppSink *sink = GST_APP_SINK (clip->sink);

  for (guint waited = 0; waited < PATIENCE; waited++) {
    GstSample *sample = first ? gst_app_sink_try_pull_preroll (sink, SLICE)
                              : gst_app_sink_try_pull_sample (sink, SLICE);

    if (sample != NULL)
      return sample;
    if (clip->failure == NULL) {
      clip->failure = srgan_codec_describe_failure (clip->pipeline);
      if (clip->failure != NULL)
        waited = MAX (waited, PATIENCE - FAILED_PATIENCE);
    }
    if (first && clip->failure != NULL)
      break;
    if (gst_app_sink_is_eos (sink)) {
      if (clip->failure == NULL)
        return NULL;
      break;
    }
  }
  g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_READ,
      "cannot read the video %s: %s", clip->path,
      clip->failure != NULL ? clip->failure : "no frame came out");
  return NULL;
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
  clip->time = -1;
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
  sample = wait_for_sample (clip, TRUE, &cause);
  if (cause != NULL) {
    g_propagate_error (error, cause);
    return NULL;
  }
  if (sample == NULL ||
      !gst_video_info_from_caps (&info, gst_sample_get_caps (sample))) {
    g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_READ,
        "cannot read the video %s: there is no frame in it", path);
    return NULL;
  }
  clip->settings.width = (guint) GST_VIDEO_INFO_WIDTH (&info);
  clip->settings.height = (guint) GST_VIDEO_INFO_HEIGHT (&info);
  clip->full_range =
      GST_VIDEO_INFO_COLORIMETRY (&info).range == GST_VIDEO_COLOR_RANGE_0_255;
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
  g_free (clip->failure);
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
srgan_clip_is_full_range (const SrganClip *clip)
{
  return clip->full_range;
}

gdouble
srgan_clip_get_time (const SrganClip *clip)
{
  return clip->time;
}

/* Notes when @sample is shown. */
static void
note_time (SrganClip *clip, GstSample *sample)
{
  GstClockTime time =
      gst_segment_to_stream_time (gst_sample_get_segment (sample),
          GST_FORMAT_TIME, GST_BUFFER_PTS (gst_sample_get_buffer (sample)));

  /* a file that says nothing has 25 a second */
  clip->time = GST_CLOCK_TIME_IS_VALID (time) ? (gdouble) time / GST_SECOND
                                              : MAX (clip->time, 0) + .04;
}

/* The frame in @sample. */
static guint8 *
take_sample (SrganClip *clip, GstSample *sample, GError **error)
{
  g_autofree guint8 *frame =
      g_malloc (srgan_codec_get_frame_length (&clip->settings));

  if (!srgan_codec_take_sample (&clip->settings, sample, frame)) {
    g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_READ,
        "cannot read the video %s: its frames change their size", clip->path);
    return NULL;
  }
  return g_steal_pointer (&frame);
}

guint8 *
srgan_clip_read (SrganClip *clip, GError **error)
{
  g_autoptr (GstSample) sample = wait_for_sample (clip, FALSE, error);

  if (sample == NULL)
    return NULL;
  note_time (clip, sample);
  return take_sample (clip, sample, error);
}

guint8 *
srgan_clip_read_at (SrganClip *clip, gdouble seconds, GError **error)
{
  /* A decoder says of the frame that is on at the place gone to that it begins
   * there: that place is one that is too early. */
  if (seconds > clip->time + FAR &&
      !gst_element_seek_simple (clip->pipeline, GST_FORMAT_TIME,
          GST_SEEK_FLAG_FLUSH | GST_SEEK_FLAG_ACCURATE,
          (gint64) ((seconds - 10 * EARLY) * GST_SECOND))) {
    g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_READ,
        "cannot go to second %.3f of the video %s", seconds, clip->path);
    return NULL;
  }
  for (;;) {
    g_autoptr (GstSample) sample = wait_for_sample (clip, FALSE, error);

    if (sample == NULL)
      return NULL;
    note_time (clip, sample);
    if (clip->time > seconds - EARLY)
      return take_sample (clip, sample, error);
  }
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
