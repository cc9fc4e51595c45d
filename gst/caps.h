/* gst-srgan: what sizes and formats become of each other at a given factor.
 *
 * SPDX-License-Identifier: MIT
 */
#pragma once

#include <gst/video/video.h>
#include <srgan/srgan-engine.h>

G_BEGIN_DECLS

/* The formats that the element scales, in the order of its preference: those
 * that a luma network runs on without conversion first. */
#define GST_SRGAN_FORMATS                                                     \
  "{ I420, YV12, NV12, NV21, Y42B, Y444, GRAY8, RGB, BGR, RGBx, BGRx, xRGB, " \
  "xBGR, RGBA, BGRA, ARGB, ABGR }"

/* @factor: 1 .. 4, or 0 where it is not known yet: any size then.
 *
 * Returns: (transfer full): what frames of @caps on the pad of @direction
 *   become on the other one. What cannot be scaled (format, interlacing,
 *   memory, size) is left out. */
GstCaps *gst_srgan_caps_transform (
    GstCaps *caps, GstPadDirection direction, guint factor);

/* Makes @output, the fixed caps that frames of the fixed caps @input become,
 * say aloud what those only imply and a larger size would imply otherwise.
 *
 * Returns: (transfer full): @output, with fields added */
GstCaps *gst_srgan_caps_keep_colorimetry (GstCaps *input, GstCaps *output);

/* Whether anything of @caps could be scaled on the sink pad. */
gboolean gst_srgan_caps_can_scale (GstCaps *caps, guint factor);

/* @caps: fixed caps for the sink pad
 *
 * Returns: (transfer full) (nullable): a sentence that says why they cannot be
 *   scaled and what to do about it; %NULL if they can */
gchar *gst_srgan_caps_explain_refusal (GstCaps *caps, guint factor);

G_END_DECLS
