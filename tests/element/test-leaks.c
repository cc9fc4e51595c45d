/* tests: nothing that GStreamer counts is left behind.
 *
 * Run with GST_TRACERS=leaks and its log in GST_DEBUG_FILE: after everything
 * was torn down, the log must name no object that is still alive.
 *
 * SPDX-License-Identifier: MIT
 */
#include "element-test.h"

#include <glib/gstdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void
play (const gchar *before, const gchar *properties, const gchar *after)
{
  gchar *description = g_strdup_printf (
      "videotestsrc num-buffers=5 ! %s ! srganupscale %s ! %s ! fakesink",
      before, properties, after);
  GError *error = element_test_launch (description, NULL);

  g_clear_error (&error);
  g_free (description);
}

/* Everything that holds something: pools, networks, metas, failures half way.
 */
GST_START_TEST (test_all)
{
  gchar *model = g_strdup_printf ("model=%s", element_test_model (2));
  GstHarness *harness;
  GstVideoOverlayComposition *overlay;
  GstVideoOverlayRectangle *rectangle;
  GstBuffer *pixels, *buffer;
  GstStructure *stats;
  GstVideoInfo info;
  guint i;

  play ("video/x-raw,width=32,height=16", model, "identity");
  play ("video/x-raw,width=32,height=16", model, "video/x-raw,width=65");
  play ("video/x-raw,format=I420_10LE", model, "identity");
  play ("video/x-raw,width=32,height=16", "model=nothing", "identity");
  play ("video/x-raw,width=32,height=16", "model=/no/thing.safetensors",
      "identity");
  play ("video/x-raw,width=32,height=16", "scale=1", "identity");

  harness = element_test_new_harness (element_test_model (2), 0);
  gst_harness_add_propose_allocation_meta (
      harness, GST_VIDEO_META_API_TYPE, NULL);
  gst_video_info_set_format (&info, GST_VIDEO_FORMAT_I420, 32, 16);
  gst_harness_set_src_caps (harness, gst_video_info_to_caps (&info));

  pixels = gst_buffer_new_allocate (NULL, 4 * 4 * 4, NULL);
  gst_buffer_add_video_meta (pixels, GST_VIDEO_FRAME_FLAG_NONE,
      GST_VIDEO_OVERLAY_COMPOSITION_FORMAT_RGB, 4, 4);
  rectangle = gst_video_overlay_rectangle_new_raw (
      pixels, 0, 0, 4, 4, GST_VIDEO_OVERLAY_FORMAT_FLAG_NONE);
  overlay = gst_video_overlay_composition_new (rectangle);
  for (i = 0; i < 4; i++) {
    GstVideoRegionOfInterestMeta *region;

    buffer = element_test_new_frame (&info, i);
    region = gst_buffer_add_video_region_of_interest_meta (
        buffer, "face", 1, 2, 3, 4);
    gst_video_region_of_interest_meta_add_param (
        region, gst_structure_new_empty ("param"));
    gst_buffer_add_video_overlay_composition_meta (buffer, overlay);
    gst_buffer_unref (gst_harness_push_and_pull (harness, buffer));
    g_object_set (
        harness->element, "model", element_test_model (2 + i % 2), NULL);
    g_object_get (harness->element, "stats", &stats, NULL);
    gst_structure_free (stats);
  }
  gst_harness_push_upstream_event (
      harness, gst_navigation_event_new_mouse_move (
                   1.0, 2.0, GST_NAVIGATION_MODIFIER_NONE));
  gst_video_overlay_composition_unref (overlay);
  gst_video_overlay_rectangle_unref (rectangle);
  gst_buffer_unref (pixels);
  gst_harness_teardown (harness);
  g_free (model);
}
GST_END_TEST;

static Suite *
leaks_suite (void)
{
  Suite *suite = suite_create ("leaks");
  TCase *tcase = tcase_create ("leaks");

  suite_add_tcase (suite, tcase);
  tcase_add_test (tcase, test_all);
  return suite;
}

static gboolean failed;
static GstCaps *left_behind;

/* Runs after gst_deinit(), at which the tracer writes what it found. */
static void
judge (void)
{
  const gchar *path = g_getenv ("GST_DEBUG_FILE");
  gchar *log, **line, **lines;
  guint n_alive = 0;

  if (!g_file_get_contents (path, &log, NULL, NULL)) {
    g_printerr ("no log in %s\n", path);
    _exit (1);
  }
  lines = g_strsplit (log, "\n", -1);
  for (line = lines; *line; line++)
    if (strstr (*line, "object-alive, type-name") &&
        strstr (*line, "new format string") == NULL) {
      g_print ("%s\n", *line);
      n_alive++;
    }
  g_print ("%u left behind\n", n_alive);
  g_strfreev (lines);
  g_free (log);
  g_remove (path);

  if (failed)
    _exit (1);
  /* One that is meant is seen. */
  _exit (n_alive == (left_behind ? 1 : 0) ? 0 : 1);
}

int
main (int argc, char **argv)
{
  static const gchar *const plugins[] = {"coreelements", "videotestsrc"};

  if (g_getenv ("GST_DEBUG_FILE") == NULL)
    return 77;
  /* The last to be registered runs first. */
  atexit (judge);
  if (!element_test_init (&argc, &argv, plugins, G_N_ELEMENTS (plugins)))
    _exit (77);
  failed = gst_check_run_suite (leaks_suite (), "leaks", __FILE__) != 0;
  element_test_cleanup ();
  if (g_getenv ("SRGAN_TEST_LEAK"))
    left_behind = gst_caps_new_empty_simple ("left/behind");
  return 0;
}
