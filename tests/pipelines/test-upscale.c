/* tests: srgan-upscale on what people have.
 *
 * SPDX-License-Identifier: MIT
 */
#include "run-tool.h"
#include "test-networks.h"

#include <gst/gst.h>
#include <gst/pbutils/pbutils.h>
#include <gst/video/video.h>

#include <glib/gstdio.h>
#include <math.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static gchar *folder; /* this program's own, and current */

/* --- Files in ---------------------------------------------------------- */

/* Plays @pipeline to its end. FALSE, and the test skipped, where GStreamer
 * lacks something for it here. */
static gboolean
play (GstElement *pipeline)
{
  g_autoptr (GstBus) bus = gst_element_get_bus (pipeline);
  g_autoptr (GstMessage) message = NULL;

  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  message = gst_bus_timed_pop_filtered (
      bus, 60 * GST_SECOND, GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
  g_assert_nonnull (message);
  if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_ERROR) {
    g_autoptr (GError) error = NULL;

    gst_message_parse_error (message, &error, NULL);
    g_error ("%s", error->message);
  }
  gst_element_set_state (pipeline, GST_STATE_NULL);
  return TRUE;
}

static gboolean
make (const gchar *launch)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GstElement) pipeline =
      gst_parse_launch_full (launch, NULL, GST_PARSE_FLAG_FATAL_ERRORS, &error);

  if (g_error_matches (
          error, GST_PARSE_ERROR, GST_PARSE_ERROR_NO_SUCH_ELEMENT)) {
    g_test_skip (error->message);
    return FALSE;
  }
  g_assert_no_error (error);
  return play (pipeline);
}

/* --- Files out --------------------------------------------------------- */

typedef struct {
  gint width, height;
  GArray *times;    /* of the video's frames, sorted, ns */
  GChecksum *audio; /* of its compressed bytes */
  gchar *audio_type;
  guint n_audio_buffers;
} Content;

static void
content_clear (Content *content)
{
  g_clear_pointer (&content->times, g_array_unref);
  g_clear_pointer (&content->audio, g_checksum_free);
  g_clear_pointer (&content->audio_type, g_free);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Content, content_clear)

static void
take_video (GstElement *sink, GstBuffer *buffer, GstPad *pad, Content *content)
{
  g_autoptr (GstEvent) event =
      gst_pad_get_sticky_event (pad, GST_EVENT_SEGMENT, 0);
  g_autoptr (GstCaps) caps = gst_pad_get_current_caps (pad);
  const GstSegment *segment;
  GstClockTime time;

  gst_event_parse_segment (event, &segment);
  time = gst_segment_to_running_time (
      segment, GST_FORMAT_TIME, GST_BUFFER_PTS (buffer));
  g_array_append_val (content->times, time);
  gst_structure_get (gst_caps_get_structure (caps, 0), "width", G_TYPE_INT,
      &content->width, "height", G_TYPE_INT, &content->height, NULL);
}

static void
take_audio (GstElement *sink, GstBuffer *buffer, GstPad *pad, Content *content)
{
  g_autoptr (GstCaps) caps = gst_pad_get_current_caps (pad);
  GstMapInfo map;

  gst_buffer_map (buffer, &map, GST_MAP_READ);
  g_checksum_update (content->audio, map.data, map.size);
  gst_buffer_unmap (buffer, &map);
  content->n_audio_buffers++;
  if (!content->audio_type)
    content->audio_type =
        g_strdup (gst_structure_get_name (gst_caps_get_structure (caps, 0)));
}

static void
stream_found (GstElement *parser, GstPad *pad, Content *content)
{
  g_autoptr (GstCaps) caps = gst_pad_query_caps (pad, NULL);
  GstElement *sink = gst_element_factory_make ("fakesink", NULL);
  g_autoptr (GstPad) sink_pad = gst_element_get_static_pad (sink, "sink");

  /* One thread feeds all sinks: none may wait for the others. */
  g_object_set (
      sink, "sync", FALSE, "async", FALSE, "signal-handoffs", TRUE, NULL);
  if (g_str_has_prefix (
          gst_structure_get_name (gst_caps_get_structure (caps, 0)), "audio"))
    g_signal_connect (sink, "handoff", G_CALLBACK (take_audio), content);
  else
    g_signal_connect (sink, "handoff", G_CALLBACK (take_video), content);
  gst_bin_add (GST_BIN (GST_OBJECT_PARENT (parser)), sink);
  gst_element_sync_state_with_parent (sink);
  g_assert_cmpint (gst_pad_link (pad, sink_pad), ==, GST_PAD_LINK_OK);
}

static gint
compare_times (gconstpointer a, gconstpointer b)
{
  GstClockTime first = *(const GstClockTime *) a;
  GstClockTime second = *(const GstClockTime *) b;

  return (first > second) - (first < second);
}

/* Reads a film without decoding it. */
static void
read_film (const gchar *path, Content *content)
{
  g_autoptr (GstElement) pipeline = gst_pipeline_new (NULL);
  GstElement *source = gst_element_factory_make ("filesrc", NULL);
  GstElement *parser = gst_element_factory_make ("parsebin", NULL);

  memset (content, 0, sizeof *content);
  content->times = g_array_new (FALSE, FALSE, sizeof (GstClockTime));
  content->audio = g_checksum_new (G_CHECKSUM_SHA1);
  g_object_set (source, "location", path, NULL);
  gst_bin_add_many (GST_BIN (pipeline), source, parser, NULL);
  gst_element_link (source, parser);
  g_signal_connect (parser, "pad-added", G_CALLBACK (stream_found), content);
  play (pipeline);
  g_array_sort (content->times, compare_times);
}

static void
read_picture (const gchar *path, gint *width, gint *height)
{
  g_autoptr (GError) error = NULL;
  g_autofree gchar *uri = gst_filename_to_uri (path, &error);
  g_autoptr (GstDiscoverer) discoverer =
      gst_discoverer_new (10 * GST_SECOND, &error);
  g_autoptr (GstDiscovererInfo) info =
      gst_discoverer_discover_uri (discoverer, uri, &error);
  GList *streams;

  g_assert_no_error (error);
  streams = gst_discoverer_info_get_video_streams (info);
  g_assert_nonnull (streams);
  *width = gst_discoverer_video_info_get_width (streams->data);
  *height = gst_discoverer_video_info_get_height (streams->data);
  gst_discoverer_stream_info_list_free (streams);
}

/* The same frames at the same times, @scale times larger. */
static void
check_frames (const Content *in, const Content *out, gint scale)
{
  g_assert_cmpint (out->width, ==, in->width * scale);
  g_assert_cmpint (out->height, ==, in->height * scale);
  g_assert_cmpuint (out->times->len, ==, in->times->len);
  for (guint i = 0; i < in->times->len; i++) {
    GstClockTimeDiff difference =
        GST_CLOCK_DIFF (g_array_index (in->times, GstClockTime, i),
            g_array_index (out->times, GstClockTime, i));

    g_assert_cmpint (ABS (difference), <=, GST_MSECOND);
  }
}

/* --- Running it -------------------------------------------------------- */

/* Runs it on @in; it must succeed. Returns what it said; free it. */
static gchar *
upscale (const gchar *in, const gchar *out, const gchar *option)
{
  g_autofree gchar *messages = NULL;
  gchar *said;
  gint status = run_tool (&said, &messages, "srgan-upscale",
      "--model=model-x2.safetensors", in, out, option, NULL);

  if (status != 0)
    g_test_message ("%s%s", said, messages);
  g_assert_cmpint (status, ==, 0);
  return said;
}

/* Runs it on what cannot be done: it must fail, say @words, and leave nothing
 * at @out. */
static void
refuse (
    const gchar *in, const gchar *out, const gchar *option, const gchar *words)
{
  g_autofree gchar *said = NULL;
  g_autofree gchar *messages = NULL;
  gint status =
      run_tool (&said, &messages, "srgan-upscale", in, out, option, NULL);

  g_test_message ("%s", messages);
  g_assert_cmpint (status, !=, 0);
  g_assert_nonnull (strstr (messages, words));
}

/* How many files lie in @path, hidden ones too. */
static guint
count_files (const gchar *path)
{
  GDir *directory = g_dir_open (path, 0, NULL);
  guint n = 0;

  while (g_dir_read_name (directory))
    n++;
  g_dir_close (directory);
  return n;
}

/* --- Films ------------------------------------------------------------- */

#define RAW "videotestsrc num-buffers=12 ! video/x-raw,width=64,height=48,"
#define FILM RAW "format=I420 "

static void
test_film (void)
{
  g_auto (Content) in = {0}, out = {0};
  g_autofree gchar *said = NULL;

  if (!make (FILM "! x264enc ! mux. audiotestsrc num-buffers=20 ! "
                  "avenc_aac ! mux. mp4mux name=mux ! "
                  "filesink location=film.mp4"))
    return;
  said = upscale ("film.mp4", "film-out.mp4", NULL);
  g_assert_nonnull (strstr (said, "film-out.mp4"));
  g_assert_null (strstr (said, "note"));
  read_film ("film.mp4", &in);
  read_film ("film-out.mp4", &out);
  g_assert_cmpuint (in.times->len, ==, 12);
  check_frames (&in, &out, 2);
  /* The audio is the same, byte for byte. */
  g_assert_cmpuint (in.n_audio_buffers, >, 0);
  g_assert_cmpuint (out.n_audio_buffers, ==, in.n_audio_buffers);
  g_assert_cmpstr (
      g_checksum_get_string (out.audio), ==, g_checksum_get_string (in.audio));
}

static void
test_audio_encoded_anew (void)
{
  g_auto (Content) in = {0}, out = {0};
  g_autofree gchar *said = NULL;

  if (!make (FILM "! x264enc ! mux. audiotestsrc num-buffers=20 ! "
                  "flacenc ! mux. matroskamux name=mux ! "
                  "filesink location=flac.mkv"))
    return;
  said = upscale ("flac.mkv", "flac.mp4", NULL);
  g_assert_nonnull (strstr (said, "encoded anew"));
  read_film ("flac.mkv", &in);
  read_film ("flac.mp4", &out);
  check_frames (&in, &out, 2);
  g_assert_cmpstr (out.audio_type, ==, "audio/mpeg");

  /* A container that can hold it. */
  g_free (g_steal_pointer (&said));
  content_clear (&out);
  said = upscale ("flac.mkv", "flac-out.mkv", NULL);
  g_assert_null (strstr (said, "encoded anew"));
  read_film ("flac-out.mkv", &out);
  g_assert_cmpstr (
      g_checksum_get_string (out.audio), ==, g_checksum_get_string (in.audio));
}

/* Turns a film of one stream by 90 degrees clockwise, as telephones do: by the
 * matrix in its track header (ISO/IEC 14496-12, 8.3.2), which mp4mux leaves at
 * identity. */
static void
turn_film (const gchar *path, guint32 height)
{
  guint32 turned[9] = {
      0, 0x10000, 0, -0x10000, 0, 0, height << 16, 0, 0x40000000};
  g_autofree gchar *data = NULL;
  gchar *header;
  gsize size;

  g_assert_true (g_file_get_contents (path, &data, &size, NULL));
  header = memmem (data, size, "tkhd", 4);
  g_assert_nonnull (header);
  g_assert_cmpint (header[4], ==, 0); /* the version */
  for (guint i = 0; i < G_N_ELEMENTS (turned); i++)
    turned[i] = GUINT32_TO_BE (turned[i]);
  memcpy (header + 44, turned, sizeof turned);
  g_assert_true (g_file_set_contents (path, data, size, NULL));
}

static void
test_rotated (void)
{
  g_auto (Content) out = {0};
  g_autofree gchar *said = NULL;

  if (!make (FILM "! x264enc ! mp4mux ! filesink location=rotated.mp4"))
    return;
  turn_film ("rotated.mp4", 48);
  said = upscale ("rotated.mp4", "rotated-out.mp4", NULL);
  g_assert_nonnull (strstr (said, "upright"));
  read_film ("rotated-out.mp4", &out);
  g_assert_cmpint (out.width, ==, 96);
  g_assert_cmpint (out.height, ==, 128);
}

/* Frames at times as a telephone has them when it gets dark. */
static void
test_variable_rate (void)
{
  static const guint steps[] = {33, 33, 34, 50, 67, 33, 100, 33, 34, 66};
  g_auto (Content) in = {0}, out = {0};
  g_autoptr (GError) error = NULL;
  g_autoptr (GstElement) pipeline = gst_parse_launch_full (
      "appsrc name=frames format=time caps=video/x-raw,format=I420,width=64,"
      "height=48,framerate=30/1 ! x264enc ! mp4mux ! "
      "filesink location=variable.mp4",
      NULL, GST_PARSE_FLAG_FATAL_ERRORS, &error);
  g_autofree gchar *said = NULL;
  GstElement *frames;
  GstFlowReturn flow;
  GstClockTime time = 0;

  if (!pipeline) {
    g_test_skip (error->message);
    return;
  }
  frames = gst_bin_get_by_name (GST_BIN (pipeline), "frames");
  for (guint i = 0; i < 2 * G_N_ELEMENTS (steps); i++) {
    GstBuffer *buffer = gst_buffer_new_allocate (NULL, 64 * 48 * 3 / 2, NULL);

    gst_buffer_memset (buffer, 0, 10 * i, -1);
    GST_BUFFER_PTS (buffer) = time;
    GST_BUFFER_DURATION (buffer) =
        steps[i % G_N_ELEMENTS (steps)] * GST_MSECOND;
    time += GST_BUFFER_DURATION (buffer);
    g_signal_emit_by_name (frames, "push-buffer", buffer, &flow);
    gst_buffer_unref (buffer);
  }
  g_signal_emit_by_name (frames, "end-of-stream", &flow);
  gst_object_unref (frames);
  play (pipeline);

  said = upscale ("variable.mp4", "variable-out.mp4", NULL);
  g_assert_nonnull (strstr (said, "rate varies"));
  read_film ("variable.mp4", &in);
  read_film ("variable-out.mp4", &out);
  g_assert_cmpuint (in.times->len, ==, 2 * G_N_ELEMENTS (steps));
  check_frames (&in, &out, 2);
}

static void
test_ten_bits (void)
{
  g_auto (Content) in = {0}, out = {0};
  g_autofree gchar *said = NULL;

  if (!make (RAW "format=I420_10LE ! x264enc ! h264parse ! mp4mux ! "
                 "filesink location=ten.mp4"))
    return;
  said = upscale ("ten.mp4", "ten-out.mp4", NULL);
  g_assert_nonnull (strstr (said, "10-bit"));
  read_film ("ten.mp4", &in);
  read_film ("ten-out.mp4", &out);
  check_frames (&in, &out, 2);
}

static void
test_hevc (void)
{
  g_auto (Content) in = {0}, out = {0};
  g_autofree gchar *said = NULL;

  if (!make (FILM "! x265enc ! h265parse ! mp4mux ! "
                  "filesink location=hevc.mp4"))
    return;
  said = upscale ("hevc.mp4", "hevc-out.mp4", NULL);
  read_film ("hevc.mp4", &in);
  read_film ("hevc-out.mp4", &out);
  check_frames (&in, &out, 2);
}

static void
test_interlaced (void)
{
  g_auto (Content) out = {0};
  g_autofree gchar *said = NULL;

  if (!make ("videotestsrc num-buffers=24 ! "
             "video/x-raw,format=I420,width=64,height=48 ! interlace ! x264enc "
             "interlaced=true ! h264parse ! mp4mux ! "
             "filesink location=interlaced.mp4"))
    return;
  said = upscale ("interlaced.mp4", "interlaced-out.mp4", NULL);
  g_assert_nonnull (strstr (said, "interlaced"));
  read_film ("interlaced-out.mp4", &out);
  g_assert_cmpint (out.width, ==, 128);
}

/* H.264 in 4:2:0 has even sides only; a name may hold anything. */
static void
test_odd (void)
{
  g_auto (Content) out = {0};
  g_autofree gchar *said = NULL;
  g_autofree gchar *messages = NULL;

  if (!make ("videotestsrc num-buffers=3 ! "
             "video/x-raw,format=Y444,width=33,height=31 ! x264enc ! "
             "matroskamux ! filesink location=odd.mkv"))
    return;
  g_rename ("odd.mkv", "it's \"odd\" %d \xc3\xa9.mkv");
  g_assert_cmpint (run_tool (&said, &messages, "srgan-upscale",
                       "--model=model-x3.safetensors",
                       "it's \"odd\" %d \xc3\xa9.mkv", ".", NULL),
      ==, 0);
  g_assert_nonnull (strstr (said, "cropped"));
  read_film ("it's \"odd\" %d \xc3\xa9-upscaled.mkv", &out);
  g_assert_cmpint (out.width, ==, 98);
  g_assert_cmpint (out.height, ==, 92);
  g_assert_cmpuint (out.times->len, ==, 3);
}

/* --- Pictures ---------------------------------------------------------- */

static void
test_pictures (void)
{
  static const gchar *const pairs[][2] = {
      {"a.png", "a-out.png"},
      {"a.jpg", "a-out.jpg"},
      {"a.jpg", "a-out.png"},
      {"a.png", "a-out.jpeg"},
      {"a.webp", "a-webp.png"},
  };
  gint width, height;

  if (!make ("videotestsrc num-buffers=1 ! video/x-raw,width=51,height=35 ! "
             "tee name=t ! queue ! pngenc ! filesink location=a.png "
             "t. ! queue ! jpegenc ! filesink location=a.jpg "
             "t. ! queue ! webpenc ! filesink location=a.webp"))
    return;
  for (guint i = 0; i < G_N_ELEMENTS (pairs); i++) {
    g_free (upscale (pairs[i][0], pairs[i][1], NULL));
    read_picture (pairs[i][1], &width, &height);
    g_assert_cmpint (width, ==, 102);
    g_assert_cmpint (height, ==, 70);
  }
}

/* A camera held upright says so in EXIF. */
static void
test_picture_rotated (void)
{
  g_autofree gchar *said = NULL;
  gint width, height;

  if (!make ("videotestsrc num-buffers=1 ! video/x-raw,width=52,height=36 ! "
             "taginject tags=image-orientation=rotate-90 ! jpegenc ! "
             "jifmux ! filesink location=upright.jpg"))
    return;
  said = upscale ("upright.jpg", "upright.png", NULL);
  read_picture ("upright.png", &width, &height);
  g_assert_cmpint (width, ==, 72);
  g_assert_cmpint (height, ==, 104);
}

/* Pearson's r of two halves of rows of @width samples. */
static gdouble
correlate_halves (const guint8 *samples, gsize n_rows, gsize width, gsize half)
{
  gdouble n = n_rows * half, a = 0, b = 0, aa = 0, bb = 0, ab = 0;

  for (gsize y = 0; y < n_rows; y++) {
    const guint8 *row = samples + y * width;

    for (gsize x = 0; x < half; x++) {
      gdouble left = row[x], right = row[width - half + x];

      a += left;
      b += right;
      aa += left * left;
      bb += right * right;
      ab += left * right;
    }
  }
  return (n * ab - a * b) / sqrt ((n * aa - a * a) * (n * bb - b * b));
}

/* Both halves show the same, in size and in what is on them. */
static void
test_before_after (void)
{
  g_autofree gchar *pixels = NULL;
  g_autofree gchar *said = NULL;
  gint width, height;
  gsize size;

  if (!make ("videotestsrc num-buffers=1 ! "
             "video/x-raw,format=I420,width=52,height=36 ! jpegenc ! "
             "filesink location=before.jpg"))
    return;
  g_free (upscale ("before.jpg", "after.png", "--before-after=both.png"));
  read_picture ("both.png", &width, &height);
  g_assert_cmpint (width, ==, 2 * 104 + 4);
  g_assert_cmpint (height, ==, 72);
  if (!make ("filesrc location=both.png ! pngdec ! videoconvert ! "
             "video/x-raw,format=RGB ! filesink location=both.rgb"))
    return;
  g_assert_true (g_file_get_contents ("both.rgb", &pixels, &size, NULL));
  g_assert_cmpuint (size, ==, width * height * 3);
  g_assert_cmpfloat (
      correlate_halves ((guint8 *) pixels, height, width * 3, 104 * 3), >, 0.9);

  /* A part of it, cut at the frame's edge. */
  g_assert_cmpint (
      run_tool (&said, NULL, "srgan-upscale", "--model=model-x2.safetensors",
          "before.jpg", "after.png", "--before-after=both.png",
          "--region=20x30+40+10", NULL),
      ==, 0);
  read_picture ("both.png", &width, &height);
  g_assert_cmpint (width, ==, 2 * 24 + 4);
  g_assert_cmpint (height, ==, 52);
}

/* --- What cannot be done ----------------------------------------------- */

static void
test_refused (void)
{
  guint n;

  if (!make ("videotestsrc num-buffers=1 ! video/x-raw,width=52,height=36 ! "
             "pngenc ! filesink location=good.png"))
    return;
  g_assert_true (g_file_set_contents ("text.mp4", "not a film", -1, NULL));
  g_assert_true (g_file_set_contents ("empty.png", "", -1, NULL));
  n = count_files (".");
  refuse ("none.mp4", "out.mp4", NULL, "none.mp4");
  refuse ("text.mp4", "out.mp4", NULL, "text.mp4");
  refuse ("empty.png", "out.png", NULL, "empty.png");
  refuse (".", "out.mp4", NULL, "not a file");
  refuse ("good.png", "out.mp4", NULL, "png");
  refuse ("good.png", "none/out.png", NULL, "none/out.png");
  refuse ("good.png", "good.png", NULL, "over itself");
  refuse ("good.png", "./good.png", NULL, "over itself");
  refuse ("good.png", "out.png", "--preset=quick", "fast");
  refuse ("good.png", "out.png", "--scale=5", "scale");
  refuse ("good.png", "out.png", "--model=none.safetensors", "none");
  refuse ("good.png", "/dev/null", NULL, "/dev/null");
  refuse ("good.png", NULL, NULL, "--help");
  g_assert_cmpuint (count_files ("."), ==, n);
}

/* Ctrl-C in the midst of it: nothing is left, and what was there stays. */
static void
test_interrupted (void)
{
  g_autofree gchar *tool =
      g_build_filename (g_getenv ("SRGAN_TOOLS"), "srgan-upscale", NULL);
  const gchar *command[] = {tool, "--model=model-x2.safetensors",
      "--x264-preset=placebo", "long.mp4", "interrupted/out.mp4", NULL};
  g_autofree gchar *old = NULL;
  g_autoptr (GError) error = NULL;
  gchar said[4096] = "";
  gsize n_said = 0;
  gint status, output;
  GPid pid;

  if (!make ("videotestsrc num-buffers=300 pattern=snow ! "
             "video/x-raw,format=I420,width=320,height=240 ! "
             "x264enc speed-preset=ultrafast ! mp4mux ! "
             "filesink location=long.mp4"))
    return;
  g_assert_cmpint (g_mkdir ("interrupted", 0777), ==, 0);
  g_assert_true (g_file_set_contents ("interrupted/out.mp4", "old", -1, NULL));
  g_spawn_async_with_pipes (NULL, (gchar **) command, NULL,
      G_SPAWN_DO_NOT_REAP_CHILD, NULL, NULL, &pid, NULL, &output, NULL, &error);
  g_assert_no_error (error);
  /* Once the network is named, the pipeline runs. */
  while (!strstr (said, "network")) {
    gssize n = read (output, said + n_said, sizeof said - 1 - n_said);

    g_assert_cmpint (n, >, 0);
    n_said += n;
    said[n_said] = '\0';
  }
  g_assert_cmpuint (count_files ("interrupted"), >, 1);
  g_assert_cmpint (kill (pid, SIGINT), ==, 0);
  g_assert_cmpint (waitpid (pid, &status, 0), ==, pid);
  close (output);
  g_assert_true (WIFEXITED (status));
  g_assert_cmpint (WEXITSTATUS (status), ==, 128 + SIGINT);
  g_assert_cmpuint (count_files ("interrupted"), ==, 1);
  g_assert_true (g_file_get_contents ("interrupted/out.mp4", &old, NULL, NULL));
  g_assert_cmpstr (old, ==, "old");
}

/* --- The program ------------------------------------------------------- */

static void
save_models (void)
{
  for (guint scale = 2; scale <= 3; scale++) {
    g_autoptr (SrganNetwork) network = test_network_new_chain (
        &(TestChain){.scale = scale, .channels = 4, .seed = scale});
    g_autofree gchar *name = g_strdup_printf ("model-x%u.safetensors", scale);
    g_autoptr (GError) error = NULL;

    srgan_network_save (network, name, &error);
    g_assert_no_error (error);
  }
}

/* Only files and one folder of files lie in it. */
static void
remove_folder (const gchar *path)
{
  GDir *directory = g_dir_open (path, 0, NULL);
  const gchar *name;

  while ((name = g_dir_read_name (directory))) {
    g_autofree gchar *file = g_build_filename (path, name, NULL);

    if (g_file_test (file, G_FILE_TEST_IS_DIR))
      remove_folder (file);
    else
      g_unlink (file);
  }
  g_dir_close (directory);
  g_rmdir (path);
}

int
main (int argc, char **argv)
{
  gint result;

  g_test_init (&argc, &argv, NULL);
  gst_init (&argc, &argv);
  folder = g_dir_make_tmp ("srgan-upscale-XXXXXX", NULL);
  g_assert_nonnull (folder);
  g_assert_cmpint (g_chdir (folder), ==, 0);
  save_models ();

  g_test_add_func ("/upscale/film", test_film);
  g_test_add_func ("/upscale/audio-encoded-anew", test_audio_encoded_anew);
  g_test_add_func ("/upscale/rotated", test_rotated);
  g_test_add_func ("/upscale/variable-rate", test_variable_rate);
  g_test_add_func ("/upscale/ten-bits", test_ten_bits);
  g_test_add_func ("/upscale/hevc", test_hevc);
  g_test_add_func ("/upscale/interlaced", test_interlaced);
  g_test_add_func ("/upscale/odd", test_odd);
  g_test_add_func ("/upscale/pictures", test_pictures);
  g_test_add_func ("/upscale/picture-rotated", test_picture_rotated);
  g_test_add_func ("/upscale/before-after", test_before_after);
  g_test_add_func ("/upscale/refused", test_refused);
  g_test_add_func ("/upscale/interrupted", test_interrupted);
  result = g_test_run ();

  g_assert_cmpint (g_chdir ("/"), ==, 0);
  remove_folder (folder);
  g_free (folder);
  return result;
}
