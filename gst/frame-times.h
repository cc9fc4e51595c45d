/* gst-srgan: how long frames took: a ring of fixed size.
 *
 * Adding a time allocates nothing. A ring has no lock of its own.
 *
 * SPDX-License-Identifier: MIT
 */
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

#define GST_SRGAN_N_FRAME_TIMES 128

typedef struct {
  guint64 n_frames;                       /* since the last reset */
  guint32 times[GST_SRGAN_N_FRAME_TIMES]; /* the latest, in microseconds */
} GstSrganFrameTimes;

/* Of the frames that are in the ring; all 0 when there are none. */
typedef struct {
  guint n_frames;
  GstClockTime mean;
  GstClockTime p50;
  GstClockTime p95;
  GstClockTime max;
} GstSrganFrameTimesSummary;

void gst_srgan_frame_times_reset (GstSrganFrameTimes *times);
void gst_srgan_frame_times_add (GstSrganFrameTimes *times, GstClockTime time);

/* Summarises the latest @n_frames, or fewer where there are fewer. */
void gst_srgan_frame_times_summarise (const GstSrganFrameTimes *times,
    guint n_frames, GstSrganFrameTimesSummary *summary);

G_END_DECLS
