/* srgan-upscale: the GStreamer pipeline from one file to another.
 *
 *   filesrc ! parsebin ! multiqueue
 *     video ! decodebin ! videoconvert ! 8 bits ! deinterlace ! videoflip !
 *       queue ! srganupscale ! queue ! encoder ! muxer or picture
 *     audio ! muxer, as it is where the container can hold it, else
 *       ! decodebin ! audioconvert ! audioresample ! encoder ! muxer
 *   muxer ! filesink
 *
 * Frames keep the times that they have, so a variable frame rate stays one.
 *
 * SPDX-License-Identifier: MIT
 */
#include "conversion.h"

#include <gst/video/video.h>
#include <string.h>

/* What srganupscale takes, the dearer to convert to the later. */
#define EIGHT_BITS                                                        \
  "video/x-raw, format = (string) { I420, NV12, Y42B, Y444, YV12, NV21, " \
  "GRAY8, RGB, BGR, RGBx, BGRx, xRGB, xBGR, RGBA, BGRA, ARGB, ABGR }"

/* Compressed data that may wait for the other streams: an encoder holds back
 * seconds of video, and some files interleave badly. */
#define MAX_WAITING_BYTES (256 << 20)

/* Frames between two threads. */
#define MAX_WAITING_FRAMES 4

struct _Conversion {
  GstElement *pipeline;
  GstElement *waiting; /* multiqueue */
  GstElement *decoder; /* the first video stream's */
  GstElement *eight_bits;
  GstElement *upscaler;
  GstElement *crop;
  GstElement *muxer; /* NULL for a picture */
  GstElement *sink;
  const ConversionFormat *format;
  gboolean has_video;
  gboolean keep_a_frame;
  GstClockTime half; /* of the film's duration */

  GMutex lock; /* what follows is shared with the streaming threads */
  GHashTable *noted;
  GstVideoInfo decoded;
  GstClockTime first_time; /* the first frame's: some containers count from
                              elsewhere than 0 */
  GstClockTime previous_time;
  guint n_odd_steps;
  ConversionProgress progress;
  GstSample *before, *after;
};

/* clang-format off */
static const ConversionFormat formats[] = {
  { "mp4", "video/quicktime, variant = iso", "mp4mux", "x264enc", "avenc_aac" },
  { "m4v", NULL, "mp4mux", "x264enc", "avenc_aac" },
  { "mov", "video/quicktime", "qtmux", "x264enc", "avenc_aac" },
  { "mkv", "video/x-matroska", "matroskamux", "x264enc", "opusenc" },
  { "png", "image/png", NULL, "pngenc", NULL },
  { "jpg", "image/jpeg", NULL, "jpegenc", NULL },
  { "jpeg", NULL, NULL, "jpegenc", NULL },
};
/* clang-format on */

/* --- Formats ----------------------------------------------------------- */

gboolean
conversion_format_is_picture (const ConversionFormat *format)
{
  return format->muxer == NULL;
}

const ConversionFormat *
conversion_format_of_name (const gchar *name)
{
  const gchar *dot = strrchr (name, '.');

  if (!dot || strchr (dot, '/'))
    return NULL;
  for (guint i = 0; i < G_N_ELEMENTS (formats); i++) {
    if (!g_ascii_strcasecmp (dot + 1, formats[i].extension))
      return &formats[i];
  }
  return NULL;
}

gboolean
conversion_is_picture (GstDiscovererInfo *info)
{
  GList *streams = gst_discoverer_info_get_video_streams (info);
  gboolean picture =
      streams && gst_discoverer_video_info_is_image (streams->data);

  gst_discoverer_stream_info_list_free (streams);
  return picture;
}

const ConversionFormat *
conversion_format_like (GstDiscovererInfo *info)
{
  gboolean picture = conversion_is_picture (info);
  GstDiscovererStreamInfo *stream = gst_discoverer_info_get_stream_info (info);
  GstCaps *caps = stream ? gst_discoverer_stream_info_get_caps (stream) : NULL;
  const ConversionFormat *first = NULL, *like = NULL;

  for (guint i = 0; i < G_N_ELEMENTS (formats) && !like; i++) {
    if (conversion_format_is_picture (&formats[i]) != picture ||
        !formats[i].caps)
      continue;
    if (!first)
      first = &formats[i];
    if (caps) {
      g_autoptr (GstCaps) own = gst_caps_from_string (formats[i].caps);

      if (gst_caps_is_subset (caps, own))
        like = &formats[i];
    }
  }
  g_clear_pointer (&caps, gst_caps_unref);
  g_clear_pointer (&stream, gst_object_unref);
  return like ? like : first;
}

gchar *
conversion_list_extensions (gboolean pictures)
{
  GString *list = g_string_new (NULL);

  for (guint i = 0; i < G_N_ELEMENTS (formats); i++) {
    if (conversion_format_is_picture (&formats[i]) == pictures)
      g_string_append_printf (
          list, "%s%s", list->len ? " " : "", formats[i].extension);
  }
  return g_string_free (list, FALSE);
}

/* --- Notes ------------------------------------------------------------- */

/* Tells the program once of something that does not pass as it was. @key is a
 * static string. */
static void G_GNUC_PRINTF (3, 4)
    note (Conversion *self, const gchar *key, const gchar *format, ...)
{
  g_autofree gchar *text = NULL;
  gboolean new;
  va_list arguments;

  g_mutex_lock (&self->lock);
  new = g_hash_table_add (self->noted, (gpointer) key);
  g_mutex_unlock (&self->lock);
  if (!new)
    return;
  va_start (arguments, format);
  text = g_strdup_vprintf (format, arguments);
  va_end (arguments);
  gst_element_post_message (self->pipeline,
      gst_message_new_application (GST_OBJECT (self->pipeline),
          gst_structure_new ("note", "text", G_TYPE_STRING, text, NULL)));
}

/* --- Building blocks --------------------------------------------------- */

/* Adds a new element to the pipeline. */
static GstElement *
add (Conversion *self, const gchar *factory, GError **error)
{
  GstElement *element = gst_element_factory_make (factory, NULL);

  if (!element) {
    g_set_error (error, GST_CORE_ERROR, GST_CORE_ERROR_MISSING_PLUGIN,
        "GStreamer has no element '%s' here: install its plugin "
        "(pipelines/install-packages.sh knows where from)",
        factory);
    return NULL;
  }
  gst_bin_add (GST_BIN (self->pipeline), element);
  return element;
}

/* Adds elements and links them in a row; the last name is followed by NULL.
 * Returns the first and last. */
static gboolean
add_row (Conversion *self, GstElement **first, GstElement **last,
    GError **error, ...)
{
  GstElement *previous = NULL;
  const gchar *factory;
  va_list names;
  gboolean ok = TRUE;

  va_start (names, error);
  while (ok && (factory = va_arg (names, const gchar *))) {
    GstElement *element = add (self, factory, error);

    if (!element) {
      ok = FALSE;
    } else if (previous && !gst_element_link (previous, element)) {
      g_set_error (error, GST_CORE_ERROR, GST_CORE_ERROR_NEGOTIATION,
          "cannot link %s to %s", GST_OBJECT_NAME (previous), factory);
      ok = FALSE;
    } else if (!previous) {
      *first = element;
    }
    previous = element;
  }
  va_end (names);
  *last = previous;
  return ok;
}

/* Sets an enumeration by its nick; an error where there is no such one. */
static gboolean
set_by_nick (GstElement *element, const gchar *property, const gchar *nick,
    GError **error)
{
  GParamSpec *spec =
      g_object_class_find_property (G_OBJECT_GET_CLASS (element), property);
  GEnumClass *values;
  GString *known;

  if (!nick)
    return TRUE;
  g_return_val_if_fail (spec && G_IS_PARAM_SPEC_ENUM (spec), FALSE);
  values = G_PARAM_SPEC_ENUM (spec)->enum_class;
  if (g_enum_get_value_by_nick (values, nick)) {
    gst_util_set_object_arg (G_OBJECT (element), property, nick);
    return TRUE;
  }
  known = g_string_new (NULL);
  for (guint i = 0; i < values->n_values; i++)
    g_string_append_printf (known, " %s", values->values[i].value_nick);
  g_set_error (error, GST_LIBRARY_ERROR, GST_LIBRARY_ERROR_SETTINGS,
      "no %s '%s'; there are:%s", property, nick, known->str);
  g_string_free (known, TRUE);
  return FALSE;
}

static GstPad *
request_muxer_pad (Conversion *self, const gchar *sort, GstCaps *caps)
{
  GstElementFactory *factory = gst_element_get_factory (self->muxer);
  const GList *item = gst_element_factory_get_static_pad_templates (factory);

  for (; item; item = item->next) {
    GstStaticPadTemplate *description = item->data;
    g_autoptr (GstCaps) taken = NULL;

    if (description->direction != GST_PAD_SINK ||
        !g_str_has_prefix (description->name_template, sort))
      continue;
    taken = gst_static_pad_template_get_caps (description);
    if (!caps || gst_caps_is_subset (caps, taken)) {
      return gst_element_request_pad (self->muxer,
          gst_element_get_pad_template (
              self->muxer, description->name_template),
          NULL, NULL);
    }
  }
  return NULL;
}

static gboolean
link_pad_to (GstPad *pad, GstElement *element)
{
  g_autoptr (GstPad) sink = gst_element_get_static_pad (element, "sink");

  return gst_pad_link (pad, sink) == GST_PAD_LINK_OK;
}

/* A pad of decodebin goes to the element that waits for it. */
static void
decoder_pad_added (GstElement *decoder, GstPad *pad, GstElement *next)
{
  link_pad_to (pad, next);
}

/* --- What passes by ---------------------------------------------------- */

/* Colours that a small picture does not state are BT.601's by convention, and
 * a large one's are BT.709's: state them before the size changes. */
static void
keep_colorimetry (Conversion *self, GstCaps *caps, const GstVideoInfo *info)
{
  g_autoptr (GstCaps) wanted = gst_caps_from_string (EIGHT_BITS);
  g_autofree gchar *colorimetry =
      gst_video_colorimetry_to_string (&info->colorimetry);
  GstStructure *structure = gst_caps_get_structure (caps, 0);

  if (GST_VIDEO_INFO_IS_YUV (info) && colorimetry &&
      !gst_structure_has_field (structure, "colorimetry"))
    gst_caps_set_simple (
        wanted, "colorimetry", G_TYPE_STRING, colorimetry, NULL);
  g_object_set (self->eight_bits, "caps", wanted, NULL);
}

/* Colour formats that we do not treat in their own way. */
static void
note_decoded (Conversion *self, const GstVideoInfo *info)
{
  guint depth = GST_VIDEO_FORMAT_INFO_DEPTH (info->finfo, 0);

  if (depth > 8)
    note (self, "depth", "%u-bit video (%s) is upscaled in 8 bits", depth,
        gst_video_format_to_string (GST_VIDEO_INFO_FORMAT (info)));
  if (GST_VIDEO_INFO_IS_INTERLACED (info))
    note (self, "interlaced",
        "interlaced: every field becomes a frame (deinterlace)");
  if (info->colorimetry.transfer == GST_VIDEO_TRANSFER_SMPTE2084 ||
      info->colorimetry.transfer == GST_VIDEO_TRANSFER_ARIB_STD_B67)
    note (self, "hdr", "HDR is kept as it is signalled, not tone mapped");
}

/* How far a frame's step is from the frame rate that the file states: beyond
 * what the rounding to milliseconds in some containers explains. */
static void
note_step (Conversion *self, GstClockTime time)
{
  GstClockTime nominal = GST_CLOCK_TIME_NONE, previous;
  gboolean variable = FALSE;

  g_mutex_lock (&self->lock);
  previous = self->previous_time;
  self->previous_time = time;
  if (GST_VIDEO_INFO_FPS_N (&self->decoded) > 0)
    nominal = gst_util_uint64_scale (GST_SECOND,
        GST_VIDEO_INFO_FPS_D (&self->decoded),
        GST_VIDEO_INFO_FPS_N (&self->decoded));
  if (GST_CLOCK_TIME_IS_VALID (previous) && GST_CLOCK_TIME_IS_VALID (time)) {
    if (!GST_CLOCK_TIME_IS_VALID (nominal))
      variable = TRUE;
    else if (ABS (GST_CLOCK_DIFF (previous, time) - (gint64) nominal) >
             MAX (2 * (gint64) GST_MSECOND, (gint64) nominal / 8))
      variable = ++self->n_odd_steps >= 3;
  }
  g_mutex_unlock (&self->lock);
  if (variable)
    note (self, "variable",
        "the frame rate varies: every frame keeps its own time");
}

static GstPadProbeReturn
watch_decoded (GstPad *pad, GstPadProbeInfo *probe, gpointer data)
{
  Conversion *self = data;
  GstEvent *event;

  if (probe->type & GST_PAD_PROBE_TYPE_BUFFER) {
    note_step (self, GST_BUFFER_PTS (GST_PAD_PROBE_INFO_BUFFER (probe)));
    return GST_PAD_PROBE_OK;
  }
  event = GST_PAD_PROBE_INFO_EVENT (probe);
  if (GST_EVENT_TYPE (event) == GST_EVENT_CAPS) {
    GstCaps *caps;
    GstVideoInfo info;

    gst_event_parse_caps (event, &caps);
    if (gst_video_info_from_caps (&info, caps)) {
      g_mutex_lock (&self->lock);
      self->decoded = info;
      g_mutex_unlock (&self->lock);
      note_decoded (self, &info);
      keep_colorimetry (self, caps, &info);
    }
  } else if (GST_EVENT_TYPE (event) == GST_EVENT_TAG) {
    GstTagList *tags;
    g_autofree gchar *orientation = NULL;

    gst_event_parse_tag (event, &tags);
    if (gst_tag_list_get_string (
            tags, GST_TAG_IMAGE_ORIENTATION, &orientation) &&
        g_strcmp0 (orientation, "rotate-0") != 0)
      note (self, "rotated", "turned upright (the file says %s)", orientation);
  }
  return GST_PAD_PROBE_OK;
}

static GstSample *
sample_of (GstPad *pad, GstBuffer *buffer)
{
  g_autoptr (GstCaps) caps = gst_pad_get_current_caps (pad);

  return gst_sample_new (buffer, caps, NULL, NULL);
}

/* Whether a frame is the one to keep: the first, until the middle is there. */
static gboolean
is_to_keep (Conversion *self, GstSample *kept, GstClockTime time)
{
  if (!self->keep_a_frame)
    return FALSE;
  if (!kept)
    return TRUE;
  return GST_CLOCK_TIME_IS_VALID (time) &&
         GST_BUFFER_PTS (gst_sample_get_buffer (kept)) <
             self->first_time + self->half &&
         time >= self->first_time + self->half;
}

static GstPadProbeReturn
watch_frame_in (GstPad *pad, GstPadProbeInfo *probe, gpointer data)
{
  Conversion *self = data;
  GstBuffer *buffer = GST_PAD_PROBE_INFO_BUFFER (probe);

  g_mutex_lock (&self->lock);
  if (!self->progress.started_at) {
    self->progress.started_at = g_get_monotonic_time ();
    self->first_time =
        GST_BUFFER_PTS_IS_VALID (buffer) ? GST_BUFFER_PTS (buffer) : 0;
  }
  if (is_to_keep (self, self->before, GST_BUFFER_PTS (buffer))) {
    g_clear_pointer (&self->before, gst_sample_unref);
    self->before = sample_of (pad, buffer);
  }
  g_mutex_unlock (&self->lock);
  return GST_PAD_PROBE_OK;
}

static GstPadProbeReturn
watch_frame_out (GstPad *pad, GstPadProbeInfo *probe, gpointer data)
{
  Conversion *self = data;

  if (probe->type & GST_PAD_PROBE_TYPE_BUFFER) {
    GstBuffer *buffer = GST_PAD_PROBE_INFO_BUFFER (probe);
    gboolean first;

    g_mutex_lock (&self->lock);
    first = self->progress.n_frames++ == 0;
    if (GST_BUFFER_PTS_IS_VALID (buffer))
      self->progress.time = GST_BUFFER_PTS (buffer) - self->first_time;
    if (is_to_keep (self, self->after, GST_BUFFER_PTS (buffer))) {
      g_clear_pointer (&self->after, gst_sample_unref);
      self->after = sample_of (pad, buffer);
    }
    g_mutex_unlock (&self->lock);
    if (first)
      gst_element_post_message (self->pipeline,
          gst_message_new_application (GST_OBJECT (self->pipeline),
              gst_structure_new_empty ("started")));
  } else if (GST_EVENT_TYPE (GST_PAD_PROBE_INFO_EVENT (probe)) ==
             GST_EVENT_CAPS) {
    GstCaps *caps;
    GstVideoInfo info;

    gst_event_parse_caps (GST_PAD_PROBE_INFO_EVENT (probe), &caps);
    if (gst_video_info_from_caps (&info, caps)) {
      g_mutex_lock (&self->lock);
      self->progress.width = info.width;
      self->progress.height = info.height;
      g_mutex_unlock (&self->lock);
      if (self->crop) {
        /* 4:2:0 in H.264 wants even sides. */
        g_object_set (self->crop, "right", info.width & 1, "bottom",
            info.height & 1, NULL);
        if ((info.width | info.height) & 1)
          note (self, "odd", "cropped to %d x %d: H.264 wants even sides",
              info.width & ~1, info.height & ~1);
      }
    }
  }
  return GST_PAD_PROBE_OK;
}

static void
watch (Conversion *self, GstElement *element, const gchar *name,
    GstPadProbeType types, GstPadProbeCallback callback)
{
  g_autoptr (GstPad) pad = gst_element_get_static_pad (element, name);

  gst_pad_add_probe (pad, types, callback, self, NULL);
}

/* --- The video's way --------------------------------------------------- */

static GstElement *
add_caps_filter (Conversion *self, const gchar *caps_string, GError **error)
{
  GstElement *filter = add (self, "capsfilter", error);

  if (filter)
    gst_util_set_object_arg (G_OBJECT (filter), "caps", caps_string);
  return filter;
}

static gboolean
set_encoder (Conversion *self, GstElement *encoder,
    const ConversionSettings *settings, GError **error)
{
  const gchar *name = self->format->video_encoder;

  if (!strcmp (name, "x264enc")) {
    /* "qual" is x264's CRF, and quantizer its value. */
    g_object_set (encoder, "quantizer", settings->crf, NULL);
    return set_by_nick (encoder, "pass", "qual", error) &&
           set_by_nick (encoder, "speed-preset", settings->x264_preset, error);
  }
  /* One picture: end the stream after it. */
  g_object_set (encoder, "snapshot", TRUE, NULL);
  if (!strcmp (name, "jpegenc"))
    g_object_set (encoder, "quality", settings->jpeg_quality, NULL);
  return TRUE;
}

/* From the decoder to the file or muxer. */
static gboolean
build_video (
    Conversion *self, const ConversionSettings *settings, GError **error)
{
  GstElement *first, *last, *turn, *queue, *tail, *convert, *encoder;
  GstElement *encoded_caps;
  gboolean film = self->muxer != NULL;

  self->decoder = add (self, "decodebin", error);
  if (!self->decoder ||
      !add_row (self, &first, &convert, error, "videoconvert", NULL))
    return FALSE;
  self->eight_bits = add_caps_filter (self, EIGHT_BITS, error);
  if (!self->eight_bits ||
      !add_row (self, &turn, &queue, error, "videoflip", "queue", NULL))
    return FALSE;
  gst_util_set_object_arg (G_OBJECT (turn), "video-direction", "auto");
  gst_element_link (convert, self->eight_bits);
  last = self->eight_bits;
  if (film) {
    /* In films of mixed sorts the frames themselves say which they are; it
     * lets progressive ones pass. */
    GstElement *deinterlace = add (self, "deinterlace", error);

    if (!deinterlace)
      return FALSE;
    gst_element_link (last, deinterlace);
    last = deinterlace;
  }
  gst_element_link (last, turn);

  self->upscaler = add (self, "srganupscale", NULL);
  if (!self->upscaler) {
    g_set_error_literal (error, GST_CORE_ERROR, GST_CORE_ERROR_MISSING_PLUGIN,
        "GStreamer does not find srganupscale: install it, or start this "
        "through pipelines/upscale.sh or in `meson devenv`");
    return FALSE;
  }
  if (!set_by_nick (self->upscaler, "preset", settings->preset, error) ||
      !set_by_nick (self->upscaler, "tune", settings->tune, error))
    return FALSE;
  g_object_set (self->upscaler, "model", settings->model, "scale",
      settings->scale, "n-threads", settings->n_threads, NULL);

  if (!add_row (self, &tail, &convert, error, "queue", "videoconvert", NULL))
    return FALSE;
  encoder = add (self, self->format->video_encoder, error);
  /* Players take H.264 in 4:2:0 only; JPEG files are BT.601 in full range. */
  encoded_caps = add_caps_filter (self,
      film ? "video/x-raw, format = (string) { I420, NV12 }"
           : (!strcmp (self->format->video_encoder, "jpegenc")
                     ? "video/x-raw, format = (string) { I420, Y42B, Y444, "
                       "GRAY8 }, colorimetry = (string) 1:4:0:0"
                     : "ANY"),
      error);
  if (!encoder || !encoded_caps)
    return FALSE;
  if (!set_encoder (self, encoder, settings, error))
    return FALSE;
  g_object_set (queue, "max-size-buffers", MAX_WAITING_FRAMES, "max-size-bytes",
      0, "max-size-time", (guint64) 0, NULL);
  g_object_set (tail, "max-size-buffers", MAX_WAITING_FRAMES, "max-size-bytes",
      0, "max-size-time", (guint64) 0, NULL);

  if (!gst_element_link (queue, self->upscaler) ||
      !gst_element_link (self->upscaler, tail)) {
    g_set_error_literal (error, GST_CORE_ERROR, GST_CORE_ERROR_NEGOTIATION,
        "cannot link srganupscale");
    return FALSE;
  }
  last = convert;
  if (film) {
    self->crop = add (self, "videocrop", error);
    if (!self->crop)
      return FALSE;
    gst_element_link (last, self->crop);
    last = self->crop;
  }
  if (!gst_element_link_many (last, encoded_caps, encoder, NULL)) {
    g_set_error (error, GST_CORE_ERROR, GST_CORE_ERROR_NEGOTIATION,
        "cannot link %s", self->format->video_encoder);
    return FALSE;
  }
  if (film) {
    GstElement *parse = add (self, "h264parse", error);
    g_autoptr (GstPad) source = NULL;
    g_autoptr (GstPad) wanted = NULL;

    if (!parse)
      return FALSE;
    gst_element_link (encoder, parse);
    source = gst_element_get_static_pad (parse, "src");
    wanted = request_muxer_pad (self, "video", NULL);
    if (!wanted || gst_pad_link (source, wanted) != GST_PAD_LINK_OK) {
      g_set_error (error, GST_CORE_ERROR, GST_CORE_ERROR_NEGOTIATION,
          "cannot link the video to %s", self->format->muxer);
      return FALSE;
    }
  } else {
    gst_element_link (encoder, self->sink);
  }

  watch (self, first, "sink",
      GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM,
      watch_decoded);
  watch (
      self, self->upscaler, "sink", GST_PAD_PROBE_TYPE_BUFFER, watch_frame_in);
  watch (self, self->upscaler, "src",
      GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM,
      watch_frame_out);
  g_signal_connect (
      self->decoder, "pad-added", G_CALLBACK (decoder_pad_added), first);
  return TRUE;
}

/* --- Streams of the file ----------------------------------------------- */

/* Elements added while the pipeline runs start with it. */
static void
start_with_pipeline (GstElement *first, ...)
{
  va_list more;

  va_start (more, first);
  for (GstElement *element = first; element;
       element = va_arg (more, GstElement *))
    gst_element_sync_state_with_parent (element);
  va_end (more);
}

/* A stream that has no place in the result is read and let fall. */
static void
drop_stream (Conversion *self, GstPad *pad)
{
  GstElement *sink = add (self, "fakesink", NULL);

  g_object_set (sink, "sync", FALSE, "async", FALSE, NULL);
  start_with_pipeline (sink, NULL);
  link_pad_to (pad, sink);
}

static void
link_audio (Conversion *self, GstPad *pad, GstCaps *caps)
{
  g_autoptr (GstCaps) aac =
      gst_caps_from_string ("audio/mpeg, mpegversion = (int) { 2, 4 }");
  GstPad *wanted = request_muxer_pad (self, "audio", caps);
  g_autoptr (GError) error = NULL;
  g_autofree gchar *codec = NULL;
  GstElement *decoder, *first, *last;

  if (wanted) {
    gst_pad_link (pad, wanted);
    gst_object_unref (wanted);
    return;
  }

  /* AAC out of a transport stream or a bare file: framed otherwise, that is
   * all. */
  if (gst_caps_is_subset (caps, aac)) {
    g_autoptr (GstCaps) framed =
        gst_caps_from_string ("audio/mpeg, mpegversion = (int) 4, "
                              "stream-format = (string) raw, channels = 2, "
                              "rate = 48000");

    wanted = request_muxer_pad (self, "audio", framed);
    if (wanted && add_row (self, &first, &last, &error, "aacparse", NULL)) {
      g_autoptr (GstPad) source = gst_element_get_static_pad (last, "src");

      gst_pad_link (source, wanted);
      gst_object_unref (wanted);
      start_with_pipeline (first, NULL);
      link_pad_to (pad, first);
      return;
    }
  }

  /* Wants fixed caps, which not every parser shows at once. */
  caps = gst_caps_fixate (gst_caps_copy (caps));
  codec = gst_pb_utils_get_codec_description (caps);
  gst_caps_unref (caps);
  note (self, "audio", "audio (%s) is encoded anew: %s cannot hold it", codec,
      self->format->extension);
  decoder = add (self, "decodebin", &error);
  wanted = request_muxer_pad (self, "audio", NULL);
  if (decoder && wanted &&
      add_row (self, &first, &last, &error, "audioconvert", "audioresample",
          self->format->audio_encoder, NULL)) {
    g_autoptr (GstPad) source = gst_element_get_static_pad (last, "src");

    gst_pad_link (source, wanted);
    gst_object_unref (wanted);
    g_signal_connect (
        decoder, "pad-added", G_CALLBACK (decoder_pad_added), first);
    gst_bin_sync_children_states (GST_BIN (self->pipeline));
    link_pad_to (pad, decoder);
    return;
  }
  g_clear_object (&wanted);
  note (self, "no audio", "audio is lost: %s",
      error ? error->message : "nothing takes it");
  drop_stream (self, pad);
}

/* A stream out of the parser: into the multiqueue, and from there on its way.
 * parsebin shows all its streams before it lets any data pass. */
static void
parser_pad_added (GstElement *parser, GstPad *pad, Conversion *self)
{
  g_autoptr (GstCaps) caps = gst_pad_get_current_caps (pad);
  const gchar *media;
  g_autoptr (GstPad) waiting = NULL;
  g_autoptr (GstPad) next = NULL;
  g_autofree gchar *name = NULL;

  if (!caps)
    caps = gst_pad_query_caps (pad, NULL);
  media = gst_structure_get_name (gst_caps_get_structure (caps, 0));

  waiting = gst_element_request_pad_simple (self->waiting, "sink_%u");
  name = g_strdup_printf ("src_%s", GST_OBJECT_NAME (waiting) + 5);
  next = gst_element_get_static_pad (self->waiting, name);
  gst_pad_link (pad, waiting);

  if ((g_str_has_prefix (media, "video/") ||
          g_str_has_prefix (media, "image/")) &&
      !self->has_video) {
    GstElement *first = self->decoder;

    self->has_video = TRUE;
    /* Only the parser reads the orientation that a camera noted. */
    if (!strcmp (media, "image/jpeg") && !self->muxer) {
      first = add (self, "jpegparse", NULL);
      if (first) {
        gst_element_link (first, self->decoder);
        start_with_pipeline (first, NULL);
      } else {
        first = self->decoder;
      }
    }
    link_pad_to (next, first);
  } else if (g_str_has_prefix (media, "audio/") && self->muxer) {
    link_audio (self, next, caps);
  } else {
    if (g_str_has_prefix (media, "video/"))
      note (self, "videos", "only the first of several video streams is kept");
    else
      note (self, "others", "not kept: %s", media);
    drop_stream (self, next);
  }
}

/* --- The whole --------------------------------------------------------- */

Conversion *
conversion_new (const gchar *input, GstDiscovererInfo *info,
    const gchar *output, const ConversionFormat *format,
    const ConversionSettings *settings, GError **error)
{
  g_autoptr (Conversion) self = g_new0 (Conversion, 1);
  GstElement *source, *parser;

  g_mutex_init (&self->lock);
  self->pipeline = gst_pipeline_new ("srgan-upscale");
  self->format = format;
  self->noted = g_hash_table_new (g_str_hash, g_str_equal);
  self->previous_time = GST_CLOCK_TIME_NONE;
  self->progress.time = GST_CLOCK_TIME_NONE;
  self->keep_a_frame = settings->keep_a_frame;
  self->half = gst_discoverer_info_get_duration (info) / 2;

  if (!(source = add (self, "filesrc", error)) ||
      !(parser = add (self, "parsebin", error)) ||
      !(self->waiting = add (self, "multiqueue", error)) ||
      !(self->sink = add (self, "filesink", error)))
    return NULL;
  g_object_set (source, "location", input, NULL);
  g_object_set (self->sink, "location", output, NULL);
  /* Grows by buffers while another stream has none; bytes bound it. */
  g_object_set (self->waiting, "max-size-bytes", MAX_WAITING_BYTES,
      "max-size-buffers", 64, "max-size-time", (guint64) 0, NULL);
  gst_element_link (source, parser);
  g_signal_connect (parser, "pad-added", G_CALLBACK (parser_pad_added), self);

  if (format->muxer) {
    self->muxer = add (self, format->muxer, error);
    if (!self->muxer)
      return NULL;
    gst_element_link (self->muxer, self->sink);
    if (g_object_class_find_property (
            G_OBJECT_GET_CLASS (self->muxer), "faststart")) {
      g_autofree gchar *beside = g_strconcat (output, ".data", NULL);

      /* The index first, for players on the net; its helper file beside the
       * result, where there is room, not in /tmp. */
      g_object_set (
          self->muxer, "faststart", TRUE, "faststart-file", beside, NULL);
    }
  }
  if (!build_video (self, settings, error))
    return NULL;
  return g_steal_pointer (&self);
}

void
conversion_free (Conversion *self)
{
  if (self->pipeline)
    gst_element_set_state (self->pipeline, GST_STATE_NULL);
  g_clear_pointer (&self->before, gst_sample_unref);
  g_clear_pointer (&self->after, gst_sample_unref);
  g_clear_pointer (&self->pipeline, gst_object_unref);
  g_clear_pointer (&self->noted, g_hash_table_unref);
  g_mutex_clear (&self->lock);
  g_free (self);
}

GstElement *
conversion_get_pipeline (Conversion *self)
{
  return self->pipeline;
}

GstElement *
conversion_get_upscaler (Conversion *self)
{
  return self->upscaler;
}

gboolean
conversion_is_writer (Conversion *self, GstObject *object)
{
  return object == GST_OBJECT (self->sink) ||
         (self->muxer && object == GST_OBJECT (self->muxer));
}

void
conversion_get_progress (Conversion *self, ConversionProgress *progress)
{
  g_mutex_lock (&self->lock);
  *progress = self->progress;
  g_mutex_unlock (&self->lock);
}

gboolean
conversion_get_kept (Conversion *self, GstSample **before, GstSample **after)
{
  gboolean kept;

  g_mutex_lock (&self->lock);
  kept = self->before && self->after;
  if (kept) {
    *before = gst_sample_ref (self->before);
    *after = gst_sample_ref (self->after);
  }
  g_mutex_unlock (&self->lock);
  return kept;
}
