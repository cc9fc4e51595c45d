/* gst-srgan: an example: enlarged frames in a program of one's own.
 *
 * Plays a video through srganupscale and hands each enlarged frame to a
 * function, which here only measures how bright it is; with --window, a window
 * shows them instead. A line tells how far it is and how long frames take.
 *
 *   upscale-frames [--preset PRESET] [--tune TUNE] [--scale N] [--frames N]
 *                  [--window] [FILE]
 *
 * Without FILE: a test picture. To build it outside this repository:
 *
 *   cc upscale-frames.c -o upscale-frames $(pkg-config --cflags --libs \
 *     gstreamer-1.0 gstreamer-app-1.0 gstreamer-video-1.0)
 *
 * The element is found at run time, among the plugins that GStreamer has: where
 * it is not installed, GST_PLUGIN_PATH names the folder that it is in.
 *
 * SPDX-License-Identifier: MIT
 */
#include <glib-unix.h>
#include <gst/app/gstappsink.h>
#include <gst/gst.h>
#include <gst/video/video.h>
#include <stdlib.h>
#include <unistd.h>

typedef struct {
  GMainLoop *loop;
  GstElement *pipeline;
  GstElement *upscaler;
  gint max_frames; /* 0: all */
  gint n_frames;   /* counted by the streaming thread, read by the main one */
  gdouble brightness; /* of the last frame; for after the streaming is over */
  gboolean failed;
} Program;

/* Runs in the streaming thread: what takes long here holds up the video. */
static GstFlowReturn
take_frame (GstAppSink *sink, gpointer data)
{
  Program *program = data;
  GstSample *sample = gst_app_sink_pull_sample (sink);
  GstVideoInfo info;
  GstVideoFrame frame;
  guint64 sum = 0;
  gint x, y, n;

  if (sample == NULL)
    return GST_FLOW_EOS;

  if (program->max_frames > 0 &&
      g_atomic_int_get (&program->n_frames) == program->max_frames) {
    gst_sample_unref (sample);
    return GST_FLOW_EOS;
  }

  /* Mapped as a frame, not as a block of bytes: rows may be padded. */
  if (!gst_video_info_from_caps (&info, gst_sample_get_caps (sample)) ||
      !gst_video_frame_map (
          &frame, &info, gst_sample_get_buffer (sample), GST_MAP_READ)) {
    gst_sample_unref (sample);
    return GST_FLOW_ERROR;
  }
  for (y = 0; y < GST_VIDEO_FRAME_HEIGHT (&frame); y++) {
    const guint8 *row = (guint8 *) GST_VIDEO_FRAME_PLANE_DATA (&frame, 0) +
                        y * GST_VIDEO_FRAME_PLANE_STRIDE (&frame, 0);

    for (x = 0; x < GST_VIDEO_FRAME_WIDTH (&frame); x++)
      sum += row[x];
  }
  program->brightness = (gdouble) sum / GST_VIDEO_FRAME_WIDTH (&frame) /
                        GST_VIDEO_FRAME_HEIGHT (&frame);
  gst_video_frame_unmap (&frame);
  gst_sample_unref (sample);

  n = g_atomic_int_add (&program->n_frames, 1) + 1;
  if (n != program->max_frames)
    return GST_FLOW_OK;

  /* Only the main thread may stop a pipeline: it is told to. */
  gst_element_post_message (
      GST_ELEMENT (sink), gst_message_new_application (GST_OBJECT (sink),
                              gst_structure_new_empty ("enough")));
  return GST_FLOW_EOS;
}

static gboolean
show_progress (gpointer data)
{
  Program *program = data;
  gint64 position = 0, duration = 0;
  GstStructure *stats;
  gdouble ms;

  gst_element_query_position (program->pipeline, GST_FORMAT_TIME, &position);
  gst_element_query_duration (program->pipeline, GST_FORMAT_TIME, &duration);
  g_object_get (program->upscaler, "stats", &stats, NULL);
  gst_structure_get_double (stats, "ms-mean", &ms);

  g_printerr ("%s%.1f s of %.1f s, %.1f ms a frame by %s%s",
      isatty (STDERR_FILENO) ? "\r" : "",
      MAX (position, 0) / (gdouble) GST_SECOND,
      MAX (duration, 0) / (gdouble) GST_SECOND, ms,
      gst_structure_get_string (stats, "model"),
      isatty (STDERR_FILENO) ? "   " : "\n");
  gst_structure_free (stats);
  return G_SOURCE_CONTINUE;
}

static gboolean
take_message (GstBus *bus, GstMessage *message, gpointer data)
{
  Program *program = data;
  GError *error = NULL;
  gchar *debug = NULL;

  switch (GST_MESSAGE_TYPE (message)) {
  case GST_MESSAGE_ERROR:
    /* The text is meant for people; the rest for whoever mends it. */
    gst_message_parse_error (message, &error, &debug);
    g_printerr ("\n%s: %s\n", GST_MESSAGE_SRC_NAME (message), error->message);
    if (debug)
      GST_INFO ("%s", debug);
    program->failed = TRUE;
    g_main_loop_quit (program->loop);
    break;
  case GST_MESSAGE_WARNING:
    gst_message_parse_warning (message, &error, &debug);
    g_printerr ("\n%s: %s\n", GST_MESSAGE_SRC_NAME (message), error->message);
    break;
  case GST_MESSAGE_LATENCY:
    /* srganupscale has measured how long it takes. */
    gst_bin_recalculate_latency (GST_BIN (program->pipeline));
    break;
  case GST_MESSAGE_APPLICATION:
  case GST_MESSAGE_EOS:
    g_main_loop_quit (program->loop);
    break;
  default:
    break;
  }

  g_clear_error (&error);
  g_free (debug);
  return G_SOURCE_CONTINUE;
}

/* Ctrl-C ends the stream, and all that was begun is finished. */
static gboolean
interrupt (gpointer data)
{
  Program *program = data;

  gst_element_send_event (program->pipeline, gst_event_new_eos ());
  return G_SOURCE_CONTINUE;
}

static GstElement *
make_pipeline (const gchar *file, gboolean window, GError **error)
{
  GString *description = g_string_new (NULL);
  GstElement *pipeline;

  if (file)
    g_string_append (description, "uridecodebin name=source ");
  else
    g_string_append (description, "videotestsrc num-buffers=100 "
                                  "! video/x-raw,width=320,height=240 ");
  /* deinterlace lets progressive video pass, and videoconvert what is in a
   * format that can be taken as it is. */
  g_string_append (description,
      "! deinterlace ! videoconvert ! srganupscale name=upscaler ! ");
  if (window)
    g_string_append (description, "videoconvert ! autovideosink");
  else
    g_string_append (description,
        "videoconvert ! video/x-raw,format={I420,GRAY8} "
        "! appsink name=sink sync=false max-buffers=2");

  pipeline = gst_parse_launch_full (
      description->str, NULL, GST_PARSE_FLAG_FATAL_ERRORS, error);
  g_string_free (description, TRUE);

  /* A name set as a property needs no quoting. */
  if (pipeline && file) {
    GstElement *source = gst_bin_get_by_name (GST_BIN (pipeline), "source");
    gchar *uri = gst_filename_to_uri (file, error);

    g_object_set (source, "uri", uri, NULL);
    gst_object_unref (source);
    if (uri == NULL)
      gst_clear_object (&pipeline);
    g_free (uri);
  }
  return pipeline;
}

int
main (int argc, char **argv)
{
  Program program = {NULL};
  gchar *preset = NULL, *tune = NULL, **files = NULL;
  gint scale = 0;
  gboolean window = FALSE;
  const GOptionEntry entries[] = {
      {"preset", 0, 0, G_OPTION_ARG_STRING, &preset,
          "How much work a frame is worth: nano, fast, ...", "PRESET"},
      {"tune", 0, 0, G_OPTION_ARG_STRING, &tune,
          "What kind of picture to expect: clean, video, ...", "TUNE"},
      {"scale", 0, 0, G_OPTION_ARG_INT, &scale, "How many times as large (2)",
          "N"},
      {"frames", 0, 0, G_OPTION_ARG_INT, &program.max_frames,
          "Stop after so many frames", "N"},
      {"window", 0, 0, G_OPTION_ARG_NONE, &window,
          "Show them in a window, in time", NULL},
      {G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &files, NULL,
          "[FILE]"},
      {NULL},
  };
  GOptionContext *context = g_option_context_new ("- enlarged frames");
  GError *error = NULL;
  GstElement *sink;
  GstBus *bus;
  guint progress, watch, signal_watch;

  g_option_context_add_main_entries (context, entries, NULL);
  g_option_context_add_group (context, gst_init_get_option_group ());
  if (!g_option_context_parse (context, &argc, &argv, &error))
    goto failed;
  if (scale < 0 || scale > 4) {
    g_set_error (&error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
        "--scale %d: it goes from 1 to 4", scale);
    goto failed;
  }

  program.pipeline = make_pipeline (files ? files[0] : NULL, window, &error);
  if (program.pipeline == NULL)
    goto failed;

  program.upscaler =
      gst_bin_get_by_name (GST_BIN (program.pipeline), "upscaler");
  g_object_set (program.upscaler, "scale", scale, NULL);
  /* By their names, as on a command line. */
  if (preset)
    gst_util_set_object_arg (G_OBJECT (program.upscaler), "preset", preset);
  if (tune)
    gst_util_set_object_arg (G_OBJECT (program.upscaler), "tune", tune);

  sink = gst_bin_get_by_name (GST_BIN (program.pipeline), "sink");
  if (sink) {
    GstAppSinkCallbacks callbacks = {.new_sample = take_frame};

    gst_app_sink_set_callbacks (
        GST_APP_SINK (sink), &callbacks, &program, NULL);
    gst_object_unref (sink);
  }

  program.loop = g_main_loop_new (NULL, FALSE);
  bus = gst_element_get_bus (program.pipeline);
  watch = gst_bus_add_watch (bus, take_message, &program);
  progress = g_timeout_add (500, show_progress, &program);
  signal_watch = g_unix_signal_add (SIGINT, interrupt, &program);

  gst_element_set_state (program.pipeline, GST_STATE_PLAYING);
  g_main_loop_run (program.loop);
  if (!program.failed)
    show_progress (&program);
  /* Waits until the streaming threads are done. */
  gst_element_set_state (program.pipeline, GST_STATE_NULL);

  if (!program.failed && !window)
    g_print ("%d frames; the last is %.1f bright\n", program.n_frames,
        program.brightness);

  g_source_remove (signal_watch);
  g_source_remove (progress);
  g_source_remove (watch);
  gst_object_unref (bus);
  g_main_loop_unref (program.loop);
  gst_object_unref (program.upscaler);
  gst_object_unref (program.pipeline);
  g_option_context_free (context);
  g_strfreev (files);
  g_free (preset);
  g_free (tune);
  return program.failed ? EXIT_FAILURE : EXIT_SUCCESS;

failed:
  g_printerr ("upscale-frames: %s\n", error->message);
  if (g_error_matches (error, GST_PARSE_ERROR, GST_PARSE_ERROR_NO_SUCH_ELEMENT))
    g_printerr ("An element that is not installed can be named to GStreamer by "
                "GST_PLUGIN_PATH.\n");
  g_error_free (error);
  g_option_context_free (context);
  g_strfreev (files);
  g_free (preset);
  g_free (tune);
  return EXIT_FAILURE;
}
