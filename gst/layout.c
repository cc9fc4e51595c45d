/* gst-srgan: GStreamer's description of a frame, put in the engine's terms.
 *
 * GstVideoFormatInfo says of any format where the first sample of each
 * component is and how far apart samples lie, and that is all that the engine
 * asks: there is no table of formats here.
 *
 * SPDX-License-Identifier: MIT
 */
#include "layout.h"

/* The fourth byte of RGBx and its kin belongs to no component in
 * GstVideoFormatInfo: it is the one that R, G and B leave free.
 * Returns: its offset within a pixel, or -1 */
static gint
filler_offset (const GstVideoFormatInfo *format)
{
  gint free_offset = 0 + 1 + 2 + 3;
  guint i;

  if (!GST_VIDEO_FORMAT_INFO_IS_RGB (format) ||
      GST_VIDEO_FORMAT_INFO_N_COMPONENTS (format) != 3 ||
      GST_VIDEO_FORMAT_INFO_PSTRIDE (format, 0) != 4)
    return -1;

  for (i = 0; i < 3; i++)
    free_offset -= GST_VIDEO_FORMAT_INFO_POFFSET (format, i);

  return free_offset;
}

void
gst_srgan_layout_from_info (SrganLayout *layout, const GstVideoInfo *info)
{
  const GstVideoFormatInfo *format = info->finfo;
  guint i;

  memset (layout, 0, sizeof (*layout));
  layout->sample = SRGAN_SAMPLE_UINT8;

  for (i = 0; i < GST_VIDEO_FORMAT_INFO_N_COMPONENTS (format); i++)
    layout->pixel_stride[i] = GST_VIDEO_FORMAT_INFO_PSTRIDE (format, i);

  if (GST_VIDEO_FORMAT_INFO_HAS_ALPHA (format)) {
    layout->fourth = SRGAN_FOURTH_ALPHA;
  } else if (filler_offset (format) >= 0) {
    layout->fourth = SRGAN_FOURTH_FILLER;
    layout->pixel_stride[3] = layout->pixel_stride[0];
  }

  if (GST_VIDEO_FORMAT_INFO_IS_GRAY (format)) {
    layout->kind = SRGAN_LAYOUT_GRAY;
  } else if (GST_VIDEO_FORMAT_INFO_IS_RGB (format)) {
    layout->kind = SRGAN_LAYOUT_RGB;
  } else {
    layout->kind = SRGAN_LAYOUT_YUV;
    layout->chroma_width_shift = GST_VIDEO_FORMAT_INFO_W_SUB (format, 1);
    layout->chroma_height_shift = GST_VIDEO_FORMAT_INFO_H_SUB (format, 1);
    /* An unknown siting counts as centred, as it does in GStreamer's own
     * converter. */
    layout->chroma_cosited_x =
        (info->chroma_site & GST_VIDEO_CHROMA_SITE_H_COSITED) != 0;
    layout->chroma_cosited_y =
        (info->chroma_site & GST_VIDEO_CHROMA_SITE_V_COSITED) != 0;
  }

  /* RGB streams have no matrix of their own, and a luma network needs one to
   * see their luma: BT.601's, which such networks were trained with whatever
   * the primaries. The same for streams that do not say. */
  if (!gst_video_color_matrix_get_Kr_Kb (
          info->colorimetry.matrix, &layout->matrix_kr, &layout->matrix_kb))
    gst_video_color_matrix_get_Kr_Kb (
        GST_VIDEO_COLOR_MATRIX_BT601, &layout->matrix_kr, &layout->matrix_kb);

  switch (info->colorimetry.range) {
  case GST_VIDEO_COLOR_RANGE_0_255:
    layout->full_range = TRUE;
    break;
  case GST_VIDEO_COLOR_RANGE_16_235:
    layout->full_range = FALSE;
    break;
  default:
    layout->full_range = layout->kind == SRGAN_LAYOUT_RGB;
    break;
  }
}

gboolean
gst_srgan_frame_from_mapped (
    SrganFrame *frame, const GstVideoFrame *mapped, const GstVideoInfo *info)
{
  const GstVideoFormatInfo *format = info->finfo;
  gint filler = filler_offset (format);
  guint i;

  for (i = 0; i < GST_VIDEO_FORMAT_INFO_N_COMPONENTS (format); i++) {
    guint plane = GST_VIDEO_FORMAT_INFO_PLANE (format, i);
    /* Without GstVideoMeta all planes lie in one mapping. */
    const GstMapInfo *map = &mapped->map[mapped->meta ? plane : 0];
    gsize width = GST_VIDEO_INFO_COMP_WIDTH (info, i);
    gsize height = GST_VIDEO_INFO_COMP_HEIGHT (info, i);
    gsize start, end;

    frame->component[i] = GST_VIDEO_FRAME_COMP_DATA (mapped, i);
    frame->stride[i] = GST_VIDEO_FRAME_COMP_STRIDE (mapped, i);

    start = (guint8 *) frame->component[i] - map->data;
    end = start + (height - 1) * frame->stride[i] +
          (width - 1) * GST_VIDEO_FORMAT_INFO_PSTRIDE (format, i) + 1;
    if (GST_VIDEO_FRAME_COMP_STRIDE (mapped, i) < 0 || end > map->size)
      return FALSE;
  }

  if (filler >= 0) {
    frame->component[3] =
        (guint8 *) GST_VIDEO_FRAME_PLANE_DATA (mapped, 0) + filler;
    frame->stride[3] = frame->stride[0];
  }

  return TRUE;
}
