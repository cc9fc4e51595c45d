/* train: what codec.c and clip.c share: frames of ours out of GStreamer's.
 *
 * SPDX-License-Identifier: MIT
 */
#pragma once

#include <gst/gst.h>

#include "train/codec.h"

G_BEGIN_DECLS

/* Copies the frame in @sample, which may be larger at the right and below, to
 * @frame. FALSE: it is smaller, or cannot be mapped. */
gboolean srgan_codec_take_sample (
    const SrganCodecSettings *settings, GstSample *sample, guint8 *frame);

/* What @pipeline says went wrong, told once; NULL: nothing. (transfer full) */
gchar *srgan_codec_describe_failure (GstElement *pipeline);

G_END_DECLS
