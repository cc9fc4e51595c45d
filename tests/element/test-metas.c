/* tests: what goes along with frames: metas, navigation, latency, pace.
 *
 * SPDX-License-Identifier: MIT
 */
#include "element-test.h"

#include <string.h>

#include "test-networks.h"

static void
set_info (GstHarness *harness, GstVideoInfo *info, guint width, guint height,
    guint fps)
{
  gst_video_info_set_format (info, GST_VIDEO_FORMAT_I420, width, height);
  GST_VIDEO_INFO_FPS_N (info) = fps;
  GST_VIDEO_INFO_FPS_D (info) = 1;
  gst_harness_set_src_caps (harness, gst_video_info_to_caps (info));
}

/* --- Metas ---------------------------------------------------------------- */

GST_START_TEST (test_region)
{
  GstHarness *harness = element_test_new_harness (element_test_model (3), 0);
  GstVideoRegionOfInterestMeta *region;
  GstBuffer *buffer, *output;
  GstStructure *param;
  GstVideoInfo info;
  guint value;

  set_info (harness, &info, 32, 16, 25);
  buffer = element_test_new_frame (&info, 0);
  region = gst_buffer_add_video_region_of_interest_meta (
      buffer, "face", 1, 2, 10, 5);
  region->id = 7;
  region->parent_id = 3;
  gst_video_region_of_interest_meta_add_param (
      region, gst_structure_new ("detection", "sure", G_TYPE_UINT, 93, NULL));
  gst_buffer_add_video_region_of_interest_meta (
      buffer, "all", 0, 0, G_MAXUINT, G_MAXUINT);

  output = gst_harness_push_and_pull (harness, buffer);
  region = gst_buffer_get_video_region_of_interest_meta_id (output, 7);
  fail_unless (region != NULL);
  fail_unless_equals_int (
      region->roi_type, g_quark_from_static_string ("face"));
  fail_unless_equals_int (region->parent_id, 3);
  fail_unless_equals_int (region->x, 3);
  fail_unless_equals_int (region->y, 6);
  fail_unless_equals_int (region->w, 30);
  fail_unless_equals_int (region->h, 15);
  param = gst_video_region_of_interest_meta_get_param (region, "detection");
  fail_unless (param && gst_structure_get_uint (param, "sure", &value));
  fail_unless_equals_int (value, 93);
  fail_unless_equals_int (gst_buffer_get_n_meta (output,
                              GST_VIDEO_REGION_OF_INTEREST_META_API_TYPE),
      2);

  gst_buffer_unref (output);
  gst_harness_teardown (harness);
}
GST_END_TEST;

static GstVideoOverlayComposition *
get_overlay (GstBuffer *buffer)
{
  GstVideoOverlayCompositionMeta *meta =
      gst_buffer_get_video_overlay_composition_meta (buffer);

  fail_unless (meta != NULL);
  return meta->overlay;
}

GST_START_TEST (test_overlay)
{
  GstHarness *harness = element_test_new_harness (element_test_model (2), 0);
  GstVideoOverlayComposition *overlay, *scaled, *next;
  GstVideoOverlayRectangle *rectangle;
  GstBuffer *pixels, *buffer, *output[3];
  GstVideoInfo info;
  gint x, y;
  guint width, height, i;

  pixels = gst_buffer_new_allocate (NULL, 4 * 4 * 4, NULL);
  gst_buffer_memset (pixels, 0, 0x80, 64);
  gst_buffer_add_video_meta (pixels, GST_VIDEO_FRAME_FLAG_NONE,
      GST_VIDEO_OVERLAY_COMPOSITION_FORMAT_RGB, 4, 4);
  rectangle = gst_video_overlay_rectangle_new_raw (
      pixels, -3, 5, 8, 4, GST_VIDEO_OVERLAY_FORMAT_FLAG_NONE);
  overlay = gst_video_overlay_composition_new (rectangle);

  set_info (harness, &info, 32, 16, 25);
  for (i = 0; i < 3; i++) {
    buffer = element_test_new_frame (&info, i);
    if (i == 2) {
      GstVideoOverlayComposition *other =
          gst_video_overlay_composition_copy (overlay);

      gst_buffer_add_video_overlay_composition_meta (buffer, other);
      gst_video_overlay_composition_unref (other);
    } else {
      gst_buffer_add_video_overlay_composition_meta (buffer, overlay);
    }
    output[i] = gst_harness_push_and_pull (harness, buffer);
  }

  scaled = get_overlay (output[0]);
  fail_unless_equals_int (
      gst_video_overlay_composition_n_rectangles (scaled), 1);
  gst_video_overlay_rectangle_get_render_rectangle (
      gst_video_overlay_composition_get_rectangle (scaled, 0), &x, &y, &width,
      &height);
  fail_unless_equals_int (x, -6);
  fail_unless_equals_int (y, 10);
  fail_unless_equals_int (width, 16);
  fail_unless_equals_int (height, 8);

  /* One that stays is one texture, and another is another. */
  next = get_overlay (output[1]);
  fail_unless_equals_int (gst_video_overlay_composition_get_seqnum (next),
      gst_video_overlay_composition_get_seqnum (scaled));
  next = get_overlay (output[2]);
  fail_if (gst_video_overlay_composition_get_seqnum (next) ==
           gst_video_overlay_composition_get_seqnum (scaled));

  /* The one that came in is as it was. */
  gst_video_overlay_rectangle_get_render_rectangle (
      gst_video_overlay_composition_get_rectangle (overlay, 0), &x, &y, &width,
      &height);
  fail_unless_equals_int (x, -3);
  fail_unless_equals_int (width, 8);

  for (i = 0; i < 3; i++)
    gst_buffer_unref (output[i]);
  gst_video_overlay_composition_unref (overlay);
  gst_video_overlay_rectangle_unref (rectangle);
  gst_buffer_unref (pixels);
  gst_harness_teardown (harness);
}
GST_END_TEST;

GST_START_TEST (test_other_metas)
{
  GstHarness *harness = element_test_new_harness (element_test_model (2), 0);
  GstBuffer *buffer, *output;
  GstVideoTimeCode *time;
  GstVideoAFDMeta *afd;
  GstCustomMeta *custom;
  GstVideoInfo info;
  GstCaps *clock = gst_caps_new_empty_simple ("timestamp/x-ntp");
  static const gchar *no_tags[] = {NULL};

  gst_meta_register_custom ("SrganTestMeta", no_tags, NULL, NULL, NULL);

  set_info (harness, &info, 32, 16, 25);
  buffer = element_test_new_frame (&info, 0);
  time = gst_video_time_code_new (
      25, 1, NULL, GST_VIDEO_TIME_CODE_FLAGS_NONE, 1, 2, 3, 4, 0);
  gst_buffer_add_video_time_code_meta (buffer, time);
  gst_buffer_add_video_afd_meta (
      buffer, 0, GST_VIDEO_AFD_SPEC_ATSC_A53, GST_VIDEO_AFD_4_3_FULL_16_9_FULL);
  gst_buffer_add_reference_timestamp_meta (
      buffer, clock, 5 * GST_SECOND, GST_CLOCK_TIME_NONE);
  gst_buffer_add_custom_meta (buffer, "SrganTestMeta");

  output = gst_harness_push_and_pull (harness, buffer);
  fail_unless (gst_buffer_get_video_time_code_meta (output) != NULL);
  fail_unless_equals_int (
      gst_buffer_get_video_time_code_meta (output)->tc.seconds, 3);
  afd = (GstVideoAFDMeta *) gst_buffer_get_meta (
      output, GST_VIDEO_AFD_META_API_TYPE);
  fail_unless (afd && afd->afd == GST_VIDEO_AFD_4_3_FULL_16_9_FULL);
  fail_unless (gst_buffer_get_reference_timestamp_meta (output, clock) != NULL);
  custom = gst_buffer_get_custom_meta (output, "SrganTestMeta");
  fail_unless (custom != NULL);

  gst_video_time_code_free (time);
  gst_caps_unref (clock);
  gst_buffer_unref (output);
  gst_harness_teardown (harness);
}
GST_END_TEST;

/* Overlays may be attached upstream where downstream draws them. */
GST_START_TEST (test_proposed_metas)
{
  GstHarness *harness = element_test_new_harness (element_test_model (2), 0);
  GstVideoInfo info;
  GstQuery *query;
  GstCaps *caps;

  gst_harness_add_propose_allocation_meta (
      harness, GST_VIDEO_OVERLAY_COMPOSITION_META_API_TYPE, NULL);
  gst_harness_add_propose_allocation_meta (
      harness, GST_VIDEO_CROP_META_API_TYPE, NULL);
  set_info (harness, &info, 32, 16, 25);
  caps = gst_video_info_to_caps (&info);
  query = gst_query_new_allocation (caps, TRUE);
  fail_unless (gst_pad_peer_query (harness->srcpad, query));
  fail_unless (gst_query_find_allocation_meta (
      query, GST_VIDEO_OVERLAY_COMPOSITION_META_API_TYPE, NULL));
  fail_if (gst_query_find_allocation_meta (
      query, GST_VIDEO_CROP_META_API_TYPE, NULL));
  fail_unless (
      gst_query_find_allocation_meta (query, GST_VIDEO_META_API_TYPE, NULL));
  gst_query_unref (query);
  gst_caps_unref (caps);
  gst_harness_teardown (harness);
}
GST_END_TEST;

/* --- Navigation ----------------------------------------------------------- */

GST_START_TEST (test_navigation)
{
  GstHarness *harness = element_test_new_harness (element_test_model (4), 0);
  GstVideoInfo info;
  GstEvent *event, *kept;
  gdouble x, y;
  gint button;
  const gchar *key;

  set_info (harness, &info, 32, 16, 25);
  gst_buffer_unref (
      gst_harness_push_and_pull (harness, element_test_new_frame (&info, 0)));
  while ((event = gst_harness_try_pull_upstream_event (harness)))
    gst_event_unref (event);

  /* An event that others still hold is theirs. */
  kept = gst_navigation_event_new_mouse_button_press (
      1, 100.0, 50.0, GST_NAVIGATION_MODIFIER_NONE);
  gst_harness_push_upstream_event (harness, gst_event_ref (kept));
  event = gst_harness_pull_upstream_event (harness);
  fail_unless (
      gst_navigation_event_parse_mouse_button_event (event, &button, &x, &y));
  fail_unless (x == 25.0 && y == 12.5 && button == 1);
  gst_event_unref (event);
  gst_navigation_event_get_coordinates (kept, &x, &y);
  fail_unless (x == 100.0 && y == 50.0);
  gst_event_unref (kept);

  gst_harness_push_upstream_event (
      harness, gst_navigation_event_new_touch_motion (
                   2, 8.0, 4.0, 0.5, GST_NAVIGATION_MODIFIER_NONE));
  event = gst_harness_pull_upstream_event (harness);
  fail_unless (gst_navigation_event_get_coordinates (event, &x, &y));
  fail_unless (x == 2.0 && y == 1.0);
  gst_event_unref (event);

  gst_harness_push_upstream_event (
      harness, gst_navigation_event_new_key_press (
                   "space", GST_NAVIGATION_MODIFIER_NONE));
  event = gst_harness_pull_upstream_event (harness);
  fail_unless (gst_navigation_event_parse_key_event (event, &key));
  fail_unless (g_str_equal (key, "space"));
  gst_event_unref (event);

  gst_harness_teardown (harness);
}
GST_END_TEST;

/* --- Latency and pace ----------------------------------------------------- */

static GstHarness *
new_harness (const gchar *model, guint scale, GstBus **bus)
{
  GstHarness *harness = element_test_new_harness (model, scale);

  *bus = gst_bus_new ();
  gst_element_set_bus (harness->element, *bus);
  return harness;
}

static void
teardown (GstHarness *harness, GstBus *bus)
{
  gst_element_set_bus (harness->element, NULL);
  gst_object_unref (bus);
  gst_harness_teardown (harness);
}

static void
push (GstHarness *harness, const GstVideoInfo *info, guint n)
{
  while (n--)
    gst_buffer_unref (gst_harness_push_and_pull (
        harness, element_test_new_frame (info, n + 1)));
}

GST_START_TEST (test_latency)
{
  GstBus *bus;
  GstHarness *harness = new_harness (element_test_model (2), 0, &bus);
  GstVideoInfo info;
  GstMessage *message;
  GstClockTime latency;
  guint n;

  gst_harness_set_live (harness, TRUE);
  gst_harness_set_upstream_latency (harness, 10 * GST_MSECOND);
  set_info (harness, &info, 64, 48, 25);

  /* Nothing is known before there are frames. */
  fail_unless_equals_uint64 (
      gst_harness_query_latency (harness), 10 * GST_MSECOND);
  push (harness, &info, 20);
  message = element_test_pop (bus, GST_MESSAGE_LATENCY);
  fail_unless (message != NULL);
  gst_message_unref (message);
  latency = gst_harness_query_latency (harness);
  fail_unless (latency > 10 * GST_MSECOND);

  /* And it does not become news with every frame. */
  push (harness, &info, 320);
  for (n = 0; (message = element_test_pop (bus, GST_MESSAGE_LATENCY)); n++)
    gst_message_unref (message);
  fail_unless (n <= 10);

  teardown (harness, bus);
}
GST_END_TEST;

GST_START_TEST (test_no_latency)
{
  GstBus *bus;
  GstHarness *harness = new_harness (element_test_model (2), 0, &bus);
  GstVideoInfo info;

  /* Nobody waits for a pipeline that is not live. */
  gst_harness_set_live (harness, FALSE);
  set_info (harness, &info, 64, 48, 25);
  fail_unless_equals_uint64 (gst_harness_query_latency (harness), 0);
  push (harness, &info, 20);
  fail_unless (element_test_pop (bus, GST_MESSAGE_LATENCY) == NULL);
  fail_unless_equals_uint64 (gst_harness_query_latency (harness), 0);
  teardown (harness, bus);

  /* What passes untouched takes no time. */
  harness = new_harness (NULL, 1, &bus);
  gst_harness_set_live (harness, TRUE);
  gst_harness_set_upstream_latency (harness, 10 * GST_MSECOND);
  set_info (harness, &info, 64, 48, 25);
  push (harness, &info, 20);
  fail_unless (element_test_pop (bus, GST_MESSAGE_LATENCY) == NULL);
  fail_unless_equals_uint64 (
      gst_harness_query_latency (harness), 10 * GST_MSECOND);
  teardown (harness, bus);
}
GST_END_TEST;

/* Frames of ten microseconds cannot be kept up with: one message says so, a
 * warning where frames get lost by it. */
GST_START_TEST (test_pace)
{
  static const struct {
    gboolean live, qos;
    GstMessageType type;
  } cases[] = {
      {FALSE, FALSE, GST_MESSAGE_INFO},
      {TRUE, FALSE, GST_MESSAGE_WARNING},
      {FALSE, TRUE, GST_MESSAGE_WARNING},
  };
  guint i;

  for (i = 0; i < G_N_ELEMENTS (cases); i++) {
    GstBus *bus;
    GstHarness *harness = new_harness (element_test_model (2), 0, &bus);
    GstVideoInfo info;
    GstMessage *message;
    GError *error = NULL;

    gst_harness_set_live (harness, cases[i].live);
    set_info (harness, &info, 64, 48, 100000);
    gst_harness_query_latency (harness);
    push (harness, &info, 1);
    if (cases[i].qos)
      gst_harness_push_upstream_event (
          harness, gst_event_new_qos (GST_QOS_TYPE_OVERFLOW, 0.5, 0, 0));
    push (harness, &info, 200);

    message = element_test_pop (bus, GST_MESSAGE_WARNING | GST_MESSAGE_INFO);
    fail_unless (message != NULL);
    fail_unless_equals_int (GST_MESSAGE_TYPE (message), cases[i].type);
    if (cases[i].type == GST_MESSAGE_INFO)
      gst_message_parse_info (message, &error, NULL);
    else
      gst_message_parse_warning (message, &error, NULL);
    fail_unless (strstr (error->message, "kept up with") != NULL);
    fail_unless (strstr (error->message, "No built-in network") != NULL);
    g_error_free (error);
    gst_message_unref (message);
    fail_unless (
        element_test_pop (bus, GST_MESSAGE_WARNING | GST_MESSAGE_INFO) == NULL);
    teardown (harness, bus);
  }
}
GST_END_TEST;

GST_START_TEST (test_pace_kept)
{
  GstBus *bus;
  GstHarness *harness = new_harness (element_test_model (2), 0, &bus);
  GstVideoInfo info;

  /* A frame a minute. */
  set_info (harness, &info, 64, 48, 25);
  GST_VIDEO_INFO_FPS_N (&info) = 1;
  GST_VIDEO_INFO_FPS_D (&info) = 60;
  gst_harness_set_src_caps (harness, gst_video_info_to_caps (&info));
  push (harness, &info, 100);
  fail_unless (
      element_test_pop (bus, GST_MESSAGE_WARNING | GST_MESSAGE_INFO) == NULL);
  teardown (harness, bus);
}
GST_END_TEST;

/* A large network that takes three times as long as a frame lasts: the message
 * names a small one that would do. */
GST_START_TEST (test_pace_mend)
{
  TestChain chain = {.channels = 64, .n_middle = 4, .seed = 3};
  SrganNetwork *network = test_network_new_chain (&chain);
  gchar *path =
      g_build_filename (element_test_directory (), "large.safetensors", NULL);
  GstBus *bus;
  GstHarness *harness;
  GstVideoInfo info;
  GstStructure *stats;
  GstMessage *message;
  GError *error = NULL;
  const gchar *const *name;
  gboolean any = FALSE;
  gdouble mean;

  for (name = srgan_network_list_builtins (); *name; name++)
    any = any || g_str_has_suffix (*name, "-clean-x2");
  if (!any) {
    g_print ("skipped: no built-in network for clean, twice as large\n");
    srgan_network_unref (network);
    g_free (path);
    return;
  }

  g_assert_true (srgan_network_save (network, path, NULL));
  srgan_network_unref (network);
  harness = new_harness (path, 0, &bus);
  set_info (harness, &info, 64, 48, 25);
  push (harness, &info, 12);
  g_object_get (harness->element, "stats", &stats, NULL);
  gst_structure_get_double (stats, "ms-mean", &mean);
  gst_structure_free (stats);

  set_info (harness, &info, 64, 48, MAX (1, (guint) (3000 / mean)));
  push (harness, &info, 34);
  while ((message = element_test_pop (bus, GST_MESSAGE_INFO))) {
    g_clear_error (&error);
    gst_message_parse_info (message, &error, NULL);
    gst_message_unref (message);
  }
  fail_unless (error != NULL);
  fail_unless (strstr (error->message, "preset=") != NULL &&
                   strstr (error->message, "should keep up") != NULL,
      "%s", error->message);
  g_error_free (error);
  teardown (harness, bus);
  g_free (path);
}
GST_END_TEST;

static Suite *
metas_suite (void)
{
  Suite *suite = suite_create ("metas");
  TCase *tcase = tcase_create ("metas");

  suite_add_tcase (suite, tcase);
  tcase_add_test (tcase, test_region);
  tcase_add_test (tcase, test_overlay);
  tcase_add_test (tcase, test_other_metas);
  tcase_add_test (tcase, test_proposed_metas);
  tcase_add_test (tcase, test_navigation);
  tcase_add_test (tcase, test_latency);
  tcase_add_test (tcase, test_no_latency);
  tcase_add_test (tcase, test_pace);
  tcase_add_test (tcase, test_pace_kept);
  tcase_add_test (tcase, test_pace_mend);
  return suite;
}

ELEMENT_TEST_MAIN ("metas", metas_suite)
