/* Frames for the engine's tests: any layout, with guarded memory around every
 * row.
 *
 * SPDX-License-Identifier: MIT
 */
#pragma once

#include <srgan/srgan.h>

G_BEGIN_DECLS

typedef struct {
  SrganLayout layout;
  SrganFrame frame;
  gint width;
  gint height;
  guint8 *memory;
  gsize size;
  guint8 *written; /* 1 for each byte that is part of a sample */
} TestFrame;

/* What the element would make of GStreamer's formats. */
typedef enum {
  FORMAT_GRAY8,
  FORMAT_I420,
  FORMAT_NV12,
  FORMAT_Y42B,
  FORMAT_Y444,
  FORMAT_RGB,
  FORMAT_RGBA,
  FORMAT_RGBX,
  N_FORMATS,
} Format;

extern const gchar *const format_names[N_FORMATS];

/* 8-bit, limited range BT.601 for YUV, full range for RGB, MPEG-2 siting. */
SrganLayout format_get_layout (Format format);
/* Planar floats instead of bytes. */
SrganLayout format_get_float_layout (Format format);

/* Zeroed samples; everything else holds a pattern. */
TestFrame *test_frame_new (const SrganLayout *layout, gint width, gint height);
void test_frame_free (TestFrame *frame);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (TestFrame, test_frame_free)

guint test_frame_get_n_components (const TestFrame *frame);
gint test_frame_get_width (const TestFrame *frame, guint component);
gint test_frame_get_height (const TestFrame *frame, guint component);

/* A sample in units of 1.0 for code 255. */
gdouble test_frame_get (
    const TestFrame *frame, guint component, gint x, gint y);
void test_frame_set (
    TestFrame *frame, guint component, gint x, gint y, gdouble value);

/* A picture with edges, gradients and noise, @seed's own. */
void test_frame_fill (TestFrame *frame, guint32 seed);

/* Planar floats of what @network works on, filled. */
TestFrame *test_frame_new_input (
    SrganNetwork *network, gint width, gint height);
/* What @network makes of @input, by a plan of @settings but for its size and
 * layout, which are @input's. Fails when a guard has changed. */
TestFrame *test_frame_run (SrganNetwork *network,
    const SrganPlanSettings *settings, const TestFrame *input);

/* Fails when a byte that is no sample has changed. */
void test_frame_check_guards (const TestFrame *frame);
/* Fails when a sample differs. */
void test_frame_assert_equal (const TestFrame *a, const TestFrame *b);

G_END_DECLS
