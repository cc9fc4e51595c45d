/* srgan-upscale: a photograph or a film, upscaled into a file.
 *
 * What pipelines/upscale.sh runs. A program and not a gst-launch line, for
 * what people expect around the pipeline: what is in the file decides how it
 * is built, the result appears whole or not at all, and there is progress with
 * the time left.
 *
 * SPDX-License-Identifier: MIT
 */
#include "before-after.h"
#include "conversion.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <glib/gstdio.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Between two progress lines, in ms: on a terminal, and in a log. */
#define TICK_TERMINAL 250
#define TICK_LOG 5000

#define DISCOVER_TIMEOUT (30 * GST_SECOND)

typedef struct {
  GMainLoop *loop;
  Conversion *conversion;
  GstClockTime duration;
  gboolean terminal; /* progress on one line that is written over */
  gint signal;       /* what stopped us, or 0 */
  GError *error;     /* what went wrong */
  gboolean writing;  /* and whether it was in writing the result */
} Run;

/* --- Saying ------------------------------------------------------------ */

/* Wipes the progress line, where there is one. */
static void
clear_line (Run *run)
{
  if (run->terminal)
    g_print ("\r\033[K");
}

/* "0:07", "1:02:03" */
static gchar *
clock_of (gdouble seconds)
{
  guint64 whole = seconds < 0 ? 0 : seconds + 0.5;

  if (whole >= 3600)
    return g_strdup_printf ("%" G_GUINT64_FORMAT ":%02u:%02u", whole / 3600,
        (guint) (whole / 60 % 60), (guint) (whole % 60));
  return g_strdup_printf (
      "%u:%02u", (guint) (whole / 60), (guint) (whole % 60));
}

static gchar *
describe_input (GstDiscovererInfo *info)
{
  GString *text = g_string_new (NULL);
  GList *videos = gst_discoverer_info_get_video_streams (info);
  GList *audios = gst_discoverer_info_get_audio_streams (info);
  GstDiscovererVideoInfo *video = videos->data;
  g_autoptr (GstCaps) caps = gst_discoverer_stream_info_get_caps (videos->data);
  g_autofree gchar *codec = gst_pb_utils_get_codec_description (caps);
  guint numerator = gst_discoverer_video_info_get_framerate_num (video);
  guint denominator = gst_discoverer_video_info_get_framerate_denom (video);

  g_string_append_printf (text, "%u x %u, %s",
      gst_discoverer_video_info_get_width (video),
      gst_discoverer_video_info_get_height (video), codec);
  if (!gst_discoverer_video_info_is_image (video)) {
    g_autofree gchar *length = clock_of (
        (gdouble) gst_discoverer_info_get_duration (info) / GST_SECOND);

    if (numerator && denominator)
      g_string_append_printf (
          text, ", %.6g frames a second", (gdouble) numerator / denominator);
    g_string_append_printf (text, ", %s", length);
  }
  for (GList *item = audios; item; item = item->next) {
    g_autoptr (GstCaps) audio_caps =
        gst_discoverer_stream_info_get_caps (item->data);
    g_autofree gchar *audio = gst_pb_utils_get_codec_description (audio_caps);

    g_string_append_printf (text, ", %s", audio);
  }
  gst_discoverer_stream_info_list_free (videos);
  gst_discoverer_stream_info_list_free (audios);
  return g_string_free (text, FALSE);
}

static gboolean
print_progress (gpointer data)
{
  Run *run = data;
  ConversionProgress progress;
  gdouble elapsed, done;
  g_autofree gchar *left = NULL;

  conversion_get_progress (run->conversion, &progress);
  if (!progress.n_frames || !GST_CLOCK_TIME_IS_VALID (progress.time) ||
      !run->duration)
    return G_SOURCE_CONTINUE;
  elapsed = (g_get_monotonic_time () - progress.started_at) / 1e6;
  done = CLAMP ((gdouble) progress.time / run->duration, 1e-6, 1.0);
  left = clock_of (elapsed / done - elapsed);
  clear_line (run);
  g_print ("%3.0f %%  %" G_GUINT64_FORMAT
           " frames  %.1f a second (%.2f x real time)  %s left%s",
      100 * done, progress.n_frames, progress.n_frames / elapsed,
      (gdouble) progress.time / GST_SECOND / elapsed, left,
      run->terminal ? "" : "\n");
  return G_SOURCE_CONTINUE;
}

/* What the element made of the settings. */
static void
print_network (Run *run)
{
  g_autoptr (GstStructure) stats = NULL;
  guint n_threads = 0;
  guint64 workspace = 0;

  g_object_get (
      conversion_get_upscaler (run->conversion), "stats", &stats, NULL);
  gst_structure_get (stats, "threads", G_TYPE_UINT, &n_threads,
      "workspace-bytes", G_TYPE_UINT64, &workspace, NULL);
  clear_line (run);
  g_print ("network  %s on %s kernels, %u thread%s, %.1f MiB of workspace\n",
      gst_structure_get_string (stats, "model"),
      gst_structure_get_string (stats, "kernels"), n_threads,
      n_threads == 1 ? "" : "s", workspace / 1048576.0);
}

/* --- Running ----------------------------------------------------------- */

static gboolean
bus_message (GstBus *bus, GstMessage *message, gpointer data)
{
  Run *run = data;

  switch (GST_MESSAGE_TYPE (message)) {
  case GST_MESSAGE_EOS:
    g_main_loop_quit (run->loop);
    break;
  case GST_MESSAGE_ERROR: {
    g_autofree gchar *debug = NULL;

    if (!run->error) {
      gst_message_parse_error (message, &run->error, &debug);
      GST_INFO ("%s: %s", GST_MESSAGE_SRC_NAME (message), debug);
    }
    g_main_loop_quit (run->loop);
    break;
  }
  case GST_MESSAGE_WARNING: {
    g_autoptr (GError) warning = NULL;

    gst_message_parse_warning (message, &warning, NULL);
    clear_line (run);
    g_print ("note     %s\n", warning->message);
    break;
  }
  case GST_MESSAGE_APPLICATION: {
    const GstStructure *note = gst_message_get_structure (message);

    if (gst_structure_has_name (note, "note")) {
      clear_line (run);
      g_print ("note     %s\n", gst_structure_get_string (note, "text"));
    } else if (gst_structure_has_name (note, "started")) {
      print_network (run);
    }
    break;
  }
  case GST_MESSAGE_ELEMENT:
    if (gst_is_missing_plugin_message (message)) {
      g_autofree gchar *missing =
          gst_missing_plugin_message_get_description (message);

      clear_line (run);
      g_print ("note     GStreamer lacks a plugin here: %s\n", missing);
    }
    break;
  default:
    break;
  }
  return G_SOURCE_CONTINUE;
}

static gboolean
interrupted (gpointer data)
{
  Run *run = data;

  run->signal = SIGINT;
  g_main_loop_quit (run->loop);
  return G_SOURCE_CONTINUE;
}

static gboolean
terminated (gpointer data)
{
  Run *run = data;

  run->signal = SIGTERM;
  g_main_loop_quit (run->loop);
  return G_SOURCE_CONTINUE;
}

/* Runs the pipeline to its end. TRUE when it got there. */
static gboolean
run_pipeline (Run *run)
{
  GstElement *pipeline = conversion_get_pipeline (run->conversion);
  g_autoptr (GstBus) bus = gst_element_get_bus (pipeline);
  guint watch = gst_bus_add_watch (bus, bus_message, run);
  guint sources[4];

  sources[0] = g_unix_signal_add (SIGINT, interrupted, run);
  sources[1] = g_unix_signal_add (SIGTERM, terminated, run);
  sources[2] = g_unix_signal_add (SIGHUP, terminated, run);
  sources[3] = g_timeout_add (
      run->terminal ? TICK_TERMINAL : TICK_LOG, print_progress, run);
  /* A failure has been posted on the bus. */
  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  g_main_loop_run (run->loop);
  clear_line (run);
  for (guint i = 0; i < G_N_ELEMENTS (sources); i++)
    g_source_remove (sources[i]);
  g_source_remove (watch);
  return !run->signal && !run->error;
}

static void
print_speed (Run *run)
{
  ConversionProgress progress;
  gdouble seconds;

  conversion_get_progress (run->conversion, &progress);
  seconds = (g_get_monotonic_time () - progress.started_at) / 1e6;
  if (progress.n_frames == 1) {
    g_print ("speed    1 picture of %d x %d in %.2f s\n", progress.width,
        progress.height, seconds);
    return;
  }
  g_print ("speed    %" G_GUINT64_FORMAT
           " frames of %d x %d in %.1f s: %.1f a second",
      progress.n_frames, progress.width, progress.height, seconds,
      progress.n_frames / seconds);
  if (run->duration)
    g_print (
        ", %.2f x real time", (gdouble) run->duration / GST_SECOND / seconds);
  g_print (", encoding included\n");
}

/* --- Files ------------------------------------------------------------- */

static GstDiscovererInfo *
discover (const gchar *path, GError **error)
{
  g_autoptr (GError) cause = NULL;
  g_autofree gchar *uri = NULL;
  g_autoptr (GstDiscoverer) discoverer = NULL;
  g_autoptr (GstDiscovererInfo) info = NULL;
  GList *videos;
  gint file;

  /* The system's own words for what cannot be read. */
  file = g_open (path, O_RDONLY | O_CLOEXEC | O_NONBLOCK, 0);
  if (file < 0) {
    g_set_error (error, G_FILE_ERROR, g_file_error_from_errno (errno),
        "cannot read '%s': %s", path, g_strerror (errno));
    return NULL;
  }
  close (file);
  if (!g_file_test (path, G_FILE_TEST_IS_REGULAR)) {
    g_set_error (
        error, G_FILE_ERROR, G_FILE_ERROR_INVAL, "'%s' is not a file", path);
    return NULL;
  }

  uri = gst_filename_to_uri (path, error);
  if (!uri)
    return NULL;
  discoverer = gst_discoverer_new (DISCOVER_TIMEOUT, error);
  if (!discoverer)
    return NULL;
  info = gst_discoverer_discover_uri (discoverer, uri, &cause);
  if (info &&
      gst_discoverer_info_get_result (info) == GST_DISCOVERER_MISSING_PLUGINS) {
    const gchar **details =
        gst_discoverer_info_get_missing_elements_installer_details (info);

    g_set_error (error, GST_CORE_ERROR, GST_CORE_ERROR_MISSING_PLUGIN,
        "GStreamer lacks a plugin to read '%s'%s%s", path,
        details && details[0] ? ": " : "",
        details && details[0] ? details[0] : "");
    return NULL;
  }
  videos = info ? gst_discoverer_info_get_video_streams (info) : NULL;
  if (cause || !videos) {
    g_set_error (error, GST_STREAM_ERROR, GST_STREAM_ERROR_WRONG_TYPE,
        "'%s' is neither a picture nor a film that can be read here%s%s", path,
        cause ? ": " : "", cause ? cause->message : "");
    gst_discoverer_stream_info_list_free (videos);
    return NULL;
  }
  gst_discoverer_stream_info_list_free (videos);
  return g_steal_pointer (&info);
}

/* Where the result goes: @asked for, or a name of its own in the folder that
 * was asked for. Links are followed, so that renaming replaces the file. */
static gchar *
choose_output (const gchar *input, const gchar *asked,
    const ConversionFormat *format, GError **error)
{
  g_autofree gchar *output = NULL;
  g_autofree gchar *resolved = NULL;
  GStatBuf in, out;
  gchar *real;

  if (g_file_test (asked, G_FILE_TEST_IS_DIR)) {
    g_autofree gchar *base = g_path_get_basename (input);
    g_autofree gchar *name = NULL;
    gchar *dot = strrchr (base, '.');

    if (dot && dot != base)
      *dot = '\0';
    name = g_strdup_printf ("%s-upscaled.%s", base, format->extension);
    output = g_build_filename (asked, name, NULL);
  } else {
    output = g_strdup (asked);
  }
  real = realpath (output, NULL);
  if (real) {
    resolved = g_strdup (real);
    free (real);
  } else {
    resolved = g_steal_pointer (&output);
  }
  if (g_stat (resolved, &out) == 0) {
    if (!S_ISREG (out.st_mode)) {
      g_set_error (error, G_FILE_ERROR, G_FILE_ERROR_INVAL,
          "'%s' is there and is not a file", resolved);
      return NULL;
    }
    if (g_stat (input, &in) == 0 && in.st_dev == out.st_dev &&
        in.st_ino == out.st_ino) {
      g_set_error (error, G_FILE_ERROR, G_FILE_ERROR_INVAL,
          "'%s' would be written over itself: name another result", input);
      return NULL;
    }
  }
  return g_steal_pointer (&resolved);
}

/* An empty file beside @output, with a name of its own and the permissions
 * that @output would get. */
static gchar *
create_part (const gchar *output, GError **error)
{
  g_autofree gchar *directory = g_path_get_dirname (output);
  g_autofree gchar *base = g_path_get_basename (output);
  g_autofree gchar *name = g_strdup_printf (".%.200s.XXXXXX", base);
  g_autofree gchar *part = g_build_filename (directory, name, NULL);
  mode_t mask = umask (0);
  gint file;

  umask (mask);
  file = g_mkstemp_full (part, O_WRONLY | O_CLOEXEC, 0666 & ~mask);
  if (file < 0) {
    g_set_error (error, G_FILE_ERROR, g_file_error_from_errno (errno),
        "cannot write '%s': %s", output, g_strerror (errno));
    return NULL;
  }
  close (file);
  return g_steal_pointer (&part);
}

/* --- The program ------------------------------------------------------- */

static gboolean
parse_region (const gchar *text, SrganRegion *region, GError **error)
{
  if (!text || sscanf (text, "%dx%d+%d+%d", &region->width, &region->height,
                   &region->x, &region->y) == 4)
    return TRUE;
  g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
      "--region takes WIDTHxHEIGHT+X+Y, not '%s'", text);
  return FALSE;
}

static gboolean
check_range (
    const gchar *option, gint value, gint low, gint high, GError **error)
{
  if (value >= low && value <= high)
    return TRUE;
  g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
      "--%s takes %d to %d, not %d", option, low, high, value);
  return FALSE;
}

static gboolean
upscale (Run *run, const gchar *input, const gchar *asked,
    const ConversionSettings *settings, const gchar *before_after,
    const SrganRegion *region, GError **error)
{
  g_autoptr (GstDiscovererInfo) info = NULL;
  g_autofree gchar *output = NULL;
  g_autofree gchar *part = NULL;
  g_autofree gchar *description = NULL;
  const ConversionFormat *format;
  gboolean picture;
  gboolean ok = FALSE;

  info = discover (input, error);
  if (!info)
    return FALSE;
  picture = conversion_is_picture (info);
  run->duration = picture ? 0 : gst_discoverer_info_get_duration (info);
  if (run->duration == GST_CLOCK_TIME_NONE)
    run->duration = 0;

  format = g_file_test (asked, G_FILE_TEST_IS_DIR)
               ? conversion_format_like (info)
               : conversion_format_of_name (asked);
  if (!format || conversion_format_is_picture (format) != picture) {
    g_autofree gchar *known = conversion_list_extensions (picture);

    g_set_error (error, G_FILE_ERROR, G_FILE_ERROR_INVAL,
        "'%s' does not end like a %s that is written here: %s", asked,
        picture ? "picture" : "film", known);
    return FALSE;
  }
  output = choose_output (input, asked, format, error);
  if (!output)
    return FALSE;
  part = create_part (output, error);
  if (!part)
    return FALSE;

  description = describe_input (info);
  g_print ("in       %s: %s\n", input, description);
  g_print ("out      %s\n", output);
  run->conversion = conversion_new (input, info, part, format, settings, error);
  if (!run->conversion)
    goto out;
  if (!run_pipeline (run)) {
    if (run->signal) {
      g_set_error (error, G_FILE_ERROR, G_FILE_ERROR_INTR,
          "stopped; '%s' was not written", output);
    } else {
      g_set_error (error, run->error->domain, run->error->code, "%s: %s",
          run->writing ? output : input, run->error->message);
    }
    goto out;
  }
  print_speed (run);
  /* Closes the file. */
  gst_element_set_state (
      conversion_get_pipeline (run->conversion), GST_STATE_NULL);
  if (g_rename (part, output) != 0) {
    g_set_error (error, G_FILE_ERROR, g_file_error_from_errno (errno),
        "cannot write '%s': %s", output, g_strerror (errno));
    goto out;
  }
  g_print ("result   %s\n", output);
  ok = TRUE;

  if (before_after) {
    GstSample *before, *after;

    ok = conversion_get_kept (run->conversion, &before, &after);
    if (ok) {
      ok = srgan_before_after_save (before, after, region, before_after, error);
      gst_sample_unref (before);
      gst_sample_unref (after);
    } else {
      g_set_error_literal (error, GST_STREAM_ERROR, GST_STREAM_ERROR_FAILED,
          "there was no frame for the before/after picture");
    }
    if (ok)
      g_print ("picture  %s (left: bicubic, right: ours)\n", before_after);
  }

out:
  g_clear_pointer (&run->conversion, conversion_free);
  if (!ok)
    g_unlink (part);
  return ok;
}

int
main (int argc, char **argv)
{
  ConversionSettings settings = {.crf = 18, .jpeg_quality = 95};
  g_autofree gchar *before_after = NULL;
  g_autofree gchar *region_text = NULL;
  SrganRegion region = {0};
  gboolean version = FALSE;
  /* clang-format off */
  const GOptionEntry entries[] = {
    { "scale", 's', 0, G_OPTION_ARG_INT, &settings.scale,
      "How many times larger, 1 to 4 (the model's own, else 2)", "N" },
    { "preset", 'p', 0, G_OPTION_ARG_STRING, &settings.preset,
      "How much work: nano fast medium high ultra srgan (fast)", "NAME" },
    { "tune", 't', 0, G_OPTION_ARG_STRING, &settings.tune,
      "What for: clean video animation detail (clean)", "NAME" },
    { "model", 'm', 0, G_OPTION_ARG_FILENAME, &settings.model,
      "A model file, or a built-in's name (srgan-info lists them)", "MODEL" },
    { "threads", 'j', 0, G_OPTION_ARG_INT, &settings.n_threads,
      "Threads for the network (as many as there are CPUs)", "N" },
    { "crf", 0, 0, G_OPTION_ARG_INT, &settings.crf,
      "Film: H.264 quality, 0 (lossless) to 51 (18)", "N" },
    { "x264-preset", 0, 0, G_OPTION_ARG_STRING, &settings.x264_preset,
      "Film: how much work x264 does (veryfast)", "NAME" },
    { "jpeg-quality", 0, 0, G_OPTION_ARG_INT, &settings.jpeg_quality,
      "Picture: 1 to 100 (95)", "N" },
    { "before-after", 0, 0, G_OPTION_ARG_FILENAME, &before_after,
      "Write a PNG of the middle frame too, left bicubic, right ours",
      "FILE" },
    { "region", 0, 0, G_OPTION_ARG_STRING, &region_text,
      "The part of the frame that it shows (240x240 in the middle)",
      "WxH+X+Y" },
    { "version", 0, 0, G_OPTION_ARG_NONE, &version, "Print the version", NULL },
    { NULL }
  };
  /* clang-format on */
  GOptionContext *options =
      g_option_context_new ("IN OUT - upscale a photograph or a film");
  g_autoptr (GError) error = NULL;
  Run run = {.terminal = isatty (STDOUT_FILENO)};
  gint status = EXIT_SUCCESS;

  setlocale (LC_ALL, "");
  g_option_context_set_summary (options,
      "OUT's ending says what is written: mp4 m4v mov mkv for a film, png jpg "
      "jpeg for\na picture. Where OUT is a folder, the result gets a name like "
      "IN's in it.");
  g_option_context_add_main_entries (options, entries, NULL);
  g_option_context_add_group (options, gst_init_get_option_group ());
  if (!g_option_context_parse (options, &argc, &argv, &error) ||
      (!version && argc != 3) || !parse_region (region_text, &region, &error) ||
      !check_range ("scale", settings.scale, 0, 4, &error) ||
      !check_range ("threads", settings.n_threads, 0, 256, &error) ||
      !check_range ("crf", settings.crf, 0, 51, &error) ||
      !check_range ("jpeg-quality", settings.jpeg_quality, 1, 100, &error)) {
    g_printerr ("srgan-upscale: %s; see --help\n",
        error ? error->message : "IN and OUT are wanted");
    g_option_context_free (options);
    return 2;
  }
  g_option_context_free (options);
  if (version) {
    g_print ("srgan-upscale " PACKAGE_VERSION "\n");
    return EXIT_SUCCESS;
  }

  if (!settings.x264_preset)
    settings.x264_preset = g_strdup ("veryfast");
  settings.keep_a_frame = before_after != NULL;
  run.loop = g_main_loop_new (NULL, FALSE);
  if (!upscale (
          &run, argv[1], argv[2], &settings, before_after, &region, &error)) {
    g_printerr ("srgan-upscale: %s\n", error->message);
    status = run.signal ? 128 + run.signal : EXIT_FAILURE;
  }
  g_clear_error (&run.error);
  g_main_loop_unref (run.loop);
  g_free (settings.preset);
  g_free (settings.tune);
  g_free (settings.model);
  g_free (settings.x264_preset);
  gst_deinit ();
  return status;
}
