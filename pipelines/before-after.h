/* srgan-upscale: a picture of a frame before and after.
 *
 * SPDX-License-Identifier: MIT
 */
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

/* Which part of the frame to show, in pixels of the smaller picture; a width
 * of 0: its middle. */
typedef struct {
  gint x, y, width, height;
} SrganRegion;

/**
 * srgan_before_after_save:
 * @before: a raw video frame
 * @after: the same frame, larger
 * @region: what to show; what lies outside the frame is cut off
 * @path: where to write a PNG
 *
 * Writes the region twice, side by side, at the size it has in @after: left as
 * bicubic interpolation enlarges it, right as it is in @after.
 */
gboolean srgan_before_after_save (GstSample *before, GstSample *after,
    const SrganRegion *region, const gchar *path, GError **error);

G_END_DECLS
