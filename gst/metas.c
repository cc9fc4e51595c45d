/* gst-srgan: what goes along with frames, at their new size.
 *
 * SPDX-License-Identifier: MIT
 */
#include "metas.h"

gboolean
gst_srgan_meta_is_of_size (GType api)
{
  return gst_meta_api_type_has_tag (
      api, g_quark_from_static_string (GST_META_TAG_VIDEO_SIZE_STR));
}

/* Neither the place nor the orientation nor the colours of anything change; a
 * meta that also depends on something else no longer holds. */
gboolean
gst_srgan_meta_can_stay (GType api)
{
  static const gchar *const kept[] = {GST_META_TAG_VIDEO_STR,
      GST_META_TAG_VIDEO_ORIENTATION_STR, GST_META_TAG_VIDEO_COLORSPACE_STR,
      GST_META_TAG_VIDEO_SIZE_STR, NULL};
  const gchar *const *tag = gst_meta_api_type_get_tags (api);

  for (; tag && *tag; tag++)
    if (!g_strv_contains (kept, *tag))
      return FALSE;
  return TRUE;
}

static guint
scale_coordinate (guint value, guint factor)
{
  return MIN ((guint64) value * factor, G_MAXUINT);
}

/* GstVideoRegionOfInterestMeta's own transform loses the parameters (1.22). */
void
gst_srgan_scale_region (
    GstBuffer *buffer, const GstVideoRegionOfInterestMeta *region, guint factor)
{
  GstVideoRegionOfInterestMeta *scaled;
  GList *param;

  scaled = gst_buffer_add_video_region_of_interest_meta_id (buffer,
      region->roi_type, scale_coordinate (region->x, factor),
      scale_coordinate (region->y, factor),
      scale_coordinate (region->w, factor),
      scale_coordinate (region->h, factor));
  scaled->id = region->id;
  scaled->parent_id = region->parent_id;
  for (param = region->params; param; param = param->next)
    gst_video_region_of_interest_meta_add_param (
        scaled, gst_structure_copy (param->data));
}

GstVideoOverlayComposition *
gst_srgan_scale_overlay (GstVideoOverlayComposition *overlay, guint factor)
{
  GstVideoOverlayComposition *scaled =
      gst_video_overlay_composition_copy (overlay);
  guint i;

  for (i = 0; i < gst_video_overlay_composition_n_rectangles (scaled); i++) {
    GstVideoOverlayRectangle *rectangle =
        gst_video_overlay_composition_get_rectangle (scaled, i);
    gint x, y;
    guint width, height;

    gst_video_overlay_rectangle_get_render_rectangle (
        rectangle, &x, &y, &width, &height);
    gst_video_overlay_rectangle_set_render_rectangle (
        rectangle, x * factor, y * factor, width * factor, height * factor);
  }
  return scaled;
}
