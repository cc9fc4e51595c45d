/* gst-srgan: how long frames took: a ring of fixed size.
 *
 * SPDX-License-Identifier: MIT
 */
#include "frame-times.h"

void
gst_srgan_frame_times_reset (GstSrganFrameTimes *times)
{
  times->n_frames = 0;
}

void
gst_srgan_frame_times_add (GstSrganFrameTimes *times, GstClockTime time)
{
  times->times[times->n_frames % GST_SRGAN_N_FRAME_TIMES] =
      MIN (time / GST_USECOND, G_MAXUINT32);
  times->n_frames++;
}

void
gst_srgan_frame_times_summarise (const GstSrganFrameTimes *times,
    guint n_frames, GstSrganFrameTimesSummary *summary)
{
  guint32 sorted[GST_SRGAN_N_FRAME_TIMES];
  guint64 sum = 0;
  guint n, i;

  memset (summary, 0, sizeof (*summary));
  n = MIN (n_frames, MIN (times->n_frames, GST_SRGAN_N_FRAME_TIMES));
  if (n == 0)
    return;

  /* Sorted as they are taken: the C library's qsort() may allocate, and a few
   * dozen numbers do not need it. */
  for (i = 0; i < n; i++) {
    guint32 time =
        times->times[(times->n_frames - 1 - i) % GST_SRGAN_N_FRAME_TIMES];
    guint place = i;

    for (; place > 0 && sorted[place - 1] > time; place--)
      sorted[place] = sorted[place - 1];
    sorted[place] = time;
    sum += time;
  }

  summary->n_frames = n;
  summary->mean = sum * GST_USECOND / n;
  summary->p50 = (GstClockTime) sorted[(n - 1) / 2] * GST_USECOND;
  summary->p95 = (GstClockTime) sorted[(n * 95 + 99) / 100 - 1] * GST_USECOND;
  summary->max = (GstClockTime) sorted[n - 1] * GST_USECOND;
}
