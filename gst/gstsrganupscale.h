/* gst-srgan: srganupscale, an element that enlarges video with a network.
 *
 * SPDX-License-Identifier: MIT
 */
#pragma once

#include <gst/gst.h>
#include <gst/video/gstvideofilter.h>

G_BEGIN_DECLS

/**
 * GstSrganPreset:
 * @GST_SRGAN_PRESET_NANO: for the smallest machines
 * @GST_SRGAN_PRESET_FAST: video as it plays, on an ordinary CPU
 * @GST_SRGAN_PRESET_MEDIUM: more detail for more work
 * @GST_SRGAN_PRESET_HIGH: for large machines, and for files
 * @GST_SRGAN_PRESET_ULTRA: for single pictures, and for patience
 * @GST_SRGAN_PRESET_SRGAN: the network of the SRGAN paper
 *
 * How much work a frame is worth.
 */
typedef enum {
  GST_SRGAN_PRESET_NANO,
  GST_SRGAN_PRESET_FAST,
  GST_SRGAN_PRESET_MEDIUM,
  GST_SRGAN_PRESET_HIGH,
  GST_SRGAN_PRESET_ULTRA,
  GST_SRGAN_PRESET_SRGAN,
} GstSrganPreset;

#define GST_TYPE_SRGAN_PRESET (gst_srgan_preset_get_type ())
GType gst_srgan_preset_get_type (void);

/**
 * GstSrganTune:
 * @GST_SRGAN_TUNE_CLEAN: pictures that are small and otherwise clean
 * @GST_SRGAN_TUNE_VIDEO: live action as codecs leave it
 * @GST_SRGAN_TUNE_ANIMATION: drawn lines and flat colours
 * @GST_SRGAN_TUNE_DETAIL: texture made up where it is lost
 *
 * What the network was trained for.
 */
typedef enum {
  GST_SRGAN_TUNE_CLEAN,
  GST_SRGAN_TUNE_VIDEO,
  GST_SRGAN_TUNE_ANIMATION,
  GST_SRGAN_TUNE_DETAIL,
} GstSrganTune;

#define GST_TYPE_SRGAN_TUNE (gst_srgan_tune_get_type ())
GType gst_srgan_tune_get_type (void);

/* Of SrganPrecision. */
#define GST_TYPE_SRGAN_PRECISION (gst_srgan_precision_get_type ())
GType gst_srgan_precision_get_type (void);

#define GST_TYPE_SRGAN_UPSCALE (gst_srgan_upscale_get_type ())
G_DECLARE_FINAL_TYPE (
    GstSrganUpscale, gst_srgan_upscale, GST, SRGAN_UPSCALE, GstVideoFilter)

GST_ELEMENT_REGISTER_DECLARE (srganupscale);

G_END_DECLS
