/* gst-srgan: GStreamer's description of a frame, put in the engine's terms.
 *
 * SPDX-License-Identifier: MIT
 */
#pragma once

#include <gst/video/video.h>
#include <srgan/srgan-engine.h>

G_BEGIN_DECLS

/* Fills @layout from format, colorimetry and chroma siting of @info, whose
 * components must be whole bytes of raw video. */
void gst_srgan_layout_from_info (SrganLayout *layout, const GstVideoInfo *info);

/* Points @frame at the components of a mapped frame, of which the top left
 * width x height pixels of @info are used. Returns: FALSE when the mapped
 * memory ends before they do. */
gboolean gst_srgan_frame_from_mapped (
    SrganFrame *frame, const GstVideoFrame *mapped, const GstVideoInfo *info);

G_END_DECLS
