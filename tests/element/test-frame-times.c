/* tests: how long frames took (gst/frame-times.c).
 *
 * SPDX-License-Identifier: MIT
 */
#include "element-test.h"
#include "frame-times.h"

GST_START_TEST (test_empty)
{
  GstSrganFrameTimes times = {0};
  GstSrganFrameTimesSummary summary;

  gst_srgan_frame_times_summarise (&times, 10, &summary);
  fail_unless_equals_int (summary.n_frames, 0);
  fail_unless_equals_uint64 (summary.max, 0);
}
GST_END_TEST;

GST_START_TEST (test_summary)
{
  GstSrganFrameTimes times = {0};
  GstSrganFrameTimesSummary summary;
  guint i;

  /* 100, 99, ... 1 ms */
  for (i = 0; i < 100; i++)
    gst_srgan_frame_times_add (&times, (100 - i) * GST_MSECOND);

  gst_srgan_frame_times_summarise (&times, GST_SRGAN_N_FRAME_TIMES, &summary);
  fail_unless_equals_int (summary.n_frames, 100);
  fail_unless_equals_uint64 (summary.mean, 50500 * GST_USECOND);
  fail_unless_equals_uint64 (summary.p50, 50 * GST_MSECOND);
  fail_unless_equals_uint64 (summary.p95, 95 * GST_MSECOND);
  fail_unless_equals_uint64 (summary.max, 100 * GST_MSECOND);

  /* The latest alone. */
  gst_srgan_frame_times_summarise (&times, 10, &summary);
  fail_unless_equals_int (summary.n_frames, 10);
  fail_unless_equals_uint64 (summary.max, 10 * GST_MSECOND);

  gst_srgan_frame_times_reset (&times);
  gst_srgan_frame_times_add (&times, 3 * GST_MSECOND);
  gst_srgan_frame_times_summarise (&times, 10, &summary);
  fail_unless_equals_int (summary.n_frames, 1);
  fail_unless_equals_uint64 (summary.p50, 3 * GST_MSECOND);
  fail_unless_equals_uint64 (summary.p95, 3 * GST_MSECOND);
}
GST_END_TEST;

/* The ring forgets what is old, and takes what no frame ever takes. */
GST_START_TEST (test_ring)
{
  GstSrganFrameTimes times = {0};
  GstSrganFrameTimesSummary summary;
  guint i;

  gst_srgan_frame_times_add (&times, GST_CLOCK_TIME_NONE);
  gst_srgan_frame_times_summarise (&times, 10, &summary);
  fail_unless_equals_uint64 (summary.max, G_MAXUINT32 * GST_USECOND);

  for (i = 0; i < 3 * GST_SRGAN_N_FRAME_TIMES; i++)
    gst_srgan_frame_times_add (&times, 2 * GST_MSECOND);
  gst_srgan_frame_times_summarise (&times, G_MAXUINT, &summary);
  fail_unless_equals_int (summary.n_frames, GST_SRGAN_N_FRAME_TIMES);
  fail_unless_equals_uint64 (summary.max, 2 * GST_MSECOND);
  fail_unless_equals_uint64 (summary.mean, 2 * GST_MSECOND);
}
GST_END_TEST;

static Suite *
frame_times_suite (void)
{
  Suite *suite = suite_create ("frame-times");
  TCase *tcase = tcase_create ("frame-times");

  suite_add_tcase (suite, tcase);
  tcase_add_test (tcase, test_empty);
  tcase_add_test (tcase, test_summary);
  tcase_add_test (tcase, test_ring);
  return suite;
}

ELEMENT_TEST_MAIN ("frame-times", frame_times_suite)
