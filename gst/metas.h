/* gst-srgan: what goes along with frames, at their new size.
 *
 * SPDX-License-Identifier: MIT
 */
#pragma once

#include <gst/video/video.h>

G_BEGIN_DECLS

/* Whether a meta of @api holds for an enlarged frame too, as it is or scaled:
 * neither places nor orientation nor colours change. */
gboolean gst_srgan_meta_can_stay (GType api);

/* Whether it has sizes in it. */
gboolean gst_srgan_meta_is_of_size (GType api);

/* Adds @region, @factor times as large, to @buffer. */
void gst_srgan_scale_region (GstBuffer *buffer,
    const GstVideoRegionOfInterestMeta *region, guint factor);

/* Returns: (transfer full): @overlay, drawn @factor times as large */
GstVideoOverlayComposition *gst_srgan_scale_overlay (
    GstVideoOverlayComposition *overlay, guint factor);

G_END_DECLS
