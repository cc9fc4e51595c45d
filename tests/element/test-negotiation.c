/* tests: srganupscale among its neighbours: who chooses what, who says why not.
 *
 * SPDX-License-Identifier: MIT
 */
#include "element-test.h"

#include <string.h>

/* `srganupscale` with a small model, for descriptions of pipelines. */
static const gchar *
upscaler (guint scale)
{
  static gchar *text = NULL;

  g_free (text);
  text = g_strdup_printf (
      "srganupscale name=u model=%s", element_test_model (scale));
  return text;
}

static GError *
launch (const gchar *before, guint scale, const gchar *after)
{
  gchar *description =
      g_strdup_printf ("videotestsrc num-buffers=3 ! %s%s ! %s ! fakesink",
          before, upscaler (scale), after);
  GError *error = element_test_launch (description, NULL);

  g_free (description);
  return error;
}

/* What runs at the end of a successful negotiation. */
static void
assert_negotiates (const gchar *before, guint scale, const gchar *after,
    const gchar *sink_caps)
{
  gchar *description =
      g_strdup_printf ("videotestsrc num-buffers=1 ! %s%s ! %s ! fakesink",
          before, upscaler (scale), after);
  GstElement *pipeline = gst_parse_launch (description, NULL);
  GstElement *element = gst_bin_get_by_name (GST_BIN (pipeline), "u");
  GstPad *pad = gst_element_get_static_pad (element, "sink");
  GstCaps *caps, *expected = gst_caps_from_string (sink_caps);

  gst_element_set_state (pipeline, GST_STATE_PAUSED);
  fail_unless_equals_int (
      gst_element_get_state (pipeline, NULL, NULL, 60 * GST_SECOND),
      GST_STATE_CHANGE_SUCCESS);
  caps = gst_pad_get_current_caps (pad);
  fail_unless (caps && gst_caps_can_intersect (caps, expected),
      "%s: %" GST_PTR_FORMAT, description, caps);
  gst_element_set_state (pipeline, GST_STATE_NULL);

  gst_caps_unref (caps);
  gst_caps_unref (expected);
  gst_object_unref (pad);
  gst_object_unref (element);
  gst_object_unref (pipeline);
  g_free (description);
}

/* The size that downstream wants decides the size that upstream makes. */
GST_START_TEST (test_reverse)
{
  assert_negotiates ("", 2, "video/x-raw,width=640,height=480",
      "video/x-raw,width=320,height=240");
  assert_negotiates ("", 3, "video/x-raw,width=[1,100],height=99",
      "video/x-raw,width=[1,33],height=33");
  assert_negotiates ("", 4, "video/x-raw,width={641,640},height=480",
      "video/x-raw,width=160,height=120");
  assert_negotiates ("videoscale ! ", 2, "video/x-raw,width=50,height=30",
      "video/x-raw,width=25,height=15");
}
GST_END_TEST;

/* The formats that downstream takes, in its order. */
GST_START_TEST (test_reverse_format)
{
  assert_negotiates (
      "", 2, "video/x-raw,format=xBGR", "video/x-raw,format=xBGR");
  assert_negotiates ("videoconvert ! ", 2, "video/x-raw,format=GRAY8",
      "video/x-raw,format=GRAY8");
  assert_negotiates (
      "video/x-raw,format=NV21 ! ", 2, "identity", "video/x-raw,format=NV21");
}
GST_END_TEST;

/* No size in between: no flow, rather than a picture of another size. */
GST_START_TEST (test_impossible_size)
{
  GError *error = launch ("", 2, "video/x-raw,width=641,height=480");

  g_assert_error (error, GST_STREAM_ERROR, GST_STREAM_ERROR_FAILED);
  g_error_free (error);
}
GST_END_TEST;

/* Frames in other formats are converted by who can, unasked. */
GST_START_TEST (test_converter_helps)
{
  static const gchar *const formats[] = {"I420_10LE", "P010_10LE", "YUY2",
      "AYUV", "ARGB64_LE", "GRAY16_LE", "v210"};
  guint i;

  for (i = 0; i < G_N_ELEMENTS (formats); i++) {
    gchar *before =
        g_strdup_printf ("video/x-raw,format=%s,width=32,height=32 ! "
                         "videoconvert ! ",
            formats[i]);
    GError *error = launch (before, 2, "identity");

    g_assert_no_error (error);
    g_free (before);
  }
}
GST_END_TEST;

/* And where there is no one: a reason, and the mend, instead of a bare
 * "not negotiated". */
GST_START_TEST (test_format_refused)
{
  static const struct {
    const gchar *format;
    const gchar *words;
  } cases[] = {
      {"I420_10LE", "10-bit video (I420_10LE)"},
      {"P010_10LE", "10-bit video (P010_10LE)"},
      {"I422_12LE", "12-bit video (I422_12LE)"},
      {"YUY2", "in the format YUY2"},
  };
  guint i;

  for (i = 0; i < G_N_ELEMENTS (cases); i++) {
    gchar *before = g_strdup_printf (
        "video/x-raw,format=%s,width=32,height=32 ! ", cases[i].format);
    GError *error = launch (before, 2, "identity");

    element_test_assert_error (
        error, GST_CORE_ERROR, GST_CORE_ERROR_NEGOTIATION, cases[i].words);
    fail_unless (strstr (error->message, "videoconvert") != NULL);
    g_error_free (error);
    g_free (before);
  }
}
GST_END_TEST;

/* What downstream would take does not matter to it. */
GST_START_TEST (test_format_refused_before_size)
{
  GError *error =
      launch ("video/x-raw,format=I420_10LE,width=32,height=32 ! queue ! ", 2,
          "video/x-raw,width=64,height=64");

  element_test_assert_error (
      error, GST_CORE_ERROR, GST_CORE_ERROR_NEGOTIATION, "10-bit");
  g_error_free (error);
}
GST_END_TEST;

GST_START_TEST (test_interlaced_refused)
{
  static const gchar *const modes[] = {"interleaved", "mixed"};
  guint i;

  for (i = 0; i < G_N_ELEMENTS (modes); i++) {
    gchar *before = g_strdup_printf (
        "video/x-raw,format=I420,width=32,height=32 ! capssetter "
        "caps=video/x-raw,interlace-mode=%s ! ",
        modes[i]);
    GError *error = launch (before, 2, "identity");

    element_test_assert_error (
        error, GST_CORE_ERROR, GST_CORE_ERROR_NEGOTIATION, "! deinterlace !");
    g_error_free (error);
    g_free (before);

    /* A converter cannot help it, and does not hide it. */
    before = g_strdup_printf (
        "video/x-raw,format=YUY2,width=32,height=32 ! capssetter "
        "caps=video/x-raw,interlace-mode=%s ! videoconvert ! ",
        modes[i]);
    error = launch (before, 2, "identity");
    element_test_assert_error (
        error, GST_CORE_ERROR, GST_CORE_ERROR_NEGOTIATION, "! deinterlace !");
    g_error_free (error);
    g_free (before);
  }
}
GST_END_TEST;

GST_START_TEST (test_deinterlacer_helps)
{
  GError *error =
      launch ("video/x-raw,format=I420,width=32,height=32 ! capssetter "
              "caps=video/x-raw,interlace-mode=interleaved ! deinterlace ! ",
          2, "identity");

  g_assert_no_error (error);
}
GST_END_TEST;

GST_START_TEST (test_size_refused)
{
  GError *error = launch (
      "video/x-raw,format=GRAY8,width=16384,height=2 ! ", 2, "identity");

  element_test_assert_error (error, GST_CORE_ERROR, GST_CORE_ERROR_NEGOTIATION,
      "16384 x 2 pixels cannot be scaled 2 times");
  g_error_free (error);
}
GST_END_TEST;

/* The refusal comes with the caps, mid-stream too. */
GST_START_TEST (test_refused_mid_stream)
{
  GstHarness *harness = element_test_new_harness (element_test_model (2), 0);
  GstBus *bus = gst_bus_new ();
  GstMessage *message;
  GError *error;
  GstVideoInfo info;
  GstCaps *caps;

  gst_element_set_bus (harness->element, bus);
  gst_video_info_set_format (&info, GST_VIDEO_FORMAT_I420, 16, 16);
  gst_harness_set_src_caps (harness, gst_video_info_to_caps (&info));
  gst_buffer_unref (
      gst_harness_push_and_pull (harness, element_test_new_frame (&info, 0)));
  fail_unless (element_test_pop (bus, GST_MESSAGE_ERROR) == NULL);

  caps = gst_caps_from_string (
      "video/x-raw,format=I420_10LE,width=16,height=16,framerate=0/1");
  gst_harness_push_event (harness, gst_event_new_caps (caps));
  gst_caps_unref (caps);
  message = element_test_pop (bus, GST_MESSAGE_ERROR);
  fail_unless (message != NULL);
  gst_message_parse_error (message, &error, NULL);
  element_test_assert_error (
      error, GST_CORE_ERROR, GST_CORE_ERROR_NEGOTIATION, "10-bit");
  g_error_free (error);
  gst_message_unref (message);

  gst_element_set_bus (harness->element, NULL);
  gst_object_unref (bus);
  gst_harness_teardown (harness);
}
GST_END_TEST;

/* What the pads say of themselves: alone everything, so that linking does not
 * fail before there is a bus to say why; between neighbours the truth. */
GST_START_TEST (test_caps_query)
{
  GstElement *element = gst_element_factory_make ("srganupscale", NULL);
  GstPad *pad = gst_element_get_static_pad (element, "sink");
  GstCaps *ten_bit = gst_caps_from_string ("video/x-raw,format=I420_10LE");
  GstCaps *caps = gst_pad_query_caps (pad, NULL);
  GstHarness *harness;

  fail_unless (gst_caps_can_intersect (caps, ten_bit));
  gst_caps_unref (caps);
  gst_object_unref (pad);
  gst_object_unref (element);

  harness = element_test_new_harness (element_test_model (2), 0);
  gst_harness_play (harness);
  caps = gst_pad_peer_query_caps (harness->srcpad, NULL);
  /* The harness' own pads take anything, so upstream has the choice. */
  fail_if (gst_caps_can_intersect (caps, ten_bit));
  gst_caps_unref (caps);
  fail_if (gst_pad_peer_query_accept_caps (harness->srcpad, ten_bit));

  gst_caps_unref (ten_bit);
  gst_harness_teardown (harness);
}
GST_END_TEST;

/* Up and down the states, with the pads in between coming and going. */
GST_START_TEST (test_states)
{
  gchar *description = g_strdup_printf (
      "videotestsrc ! video/x-raw,width=16,height=16 ! %s ! fakesink",
      upscaler (2));
  GstElement *pipeline = gst_parse_launch (description, NULL);
  static const GstState states[] = {GST_STATE_READY, GST_STATE_PAUSED,
      GST_STATE_READY, GST_STATE_NULL, GST_STATE_PAUSED, GST_STATE_PLAYING,
      GST_STATE_PAUSED, GST_STATE_PLAYING, GST_STATE_NULL, GST_STATE_PLAYING,
      GST_STATE_NULL};
  guint i;

  for (i = 0; i < G_N_ELEMENTS (states); i++) {
    fail_if (gst_element_set_state (pipeline, states[i]) ==
             GST_STATE_CHANGE_FAILURE);
    fail_unless_equals_int (
        gst_element_get_state (pipeline, NULL, NULL, 60 * GST_SECOND),
        GST_STATE_CHANGE_SUCCESS);
  }
  gst_object_unref (pipeline);
  g_free (description);
}
GST_END_TEST;

static Suite *
negotiation_suite (void)
{
  Suite *suite = suite_create ("negotiation");
  TCase *tcase = tcase_create ("negotiation");

  suite_add_tcase (suite, tcase);
  tcase_add_test (tcase, test_reverse);
  tcase_add_test (tcase, test_reverse_format);
  tcase_add_test (tcase, test_impossible_size);
  tcase_add_test (tcase, test_converter_helps);
  tcase_add_test (tcase, test_format_refused);
  tcase_add_test (tcase, test_format_refused_before_size);
  tcase_add_test (tcase, test_interlaced_refused);
  tcase_add_test (tcase, test_deinterlacer_helps);
  tcase_add_test (tcase, test_size_refused);
  tcase_add_test (tcase, test_refused_mid_stream);
  tcase_add_test (tcase, test_caps_query);
  tcase_add_test (tcase, test_states);
  return suite;
}

ELEMENT_TEST_MAIN ("negotiation", negotiation_suite, "videotestsrc",
    "videoconvertscale", "deinterlace", "debug")
