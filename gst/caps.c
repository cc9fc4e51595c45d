/* gst-srgan: what sizes and formats become of each other at a given factor.
 *
 * An integer factor keeps everything but width and height: the pixel aspect
 * ratio, the colorimetry, the siting, and every field that this file has never
 * heard of.
 *
 * SPDX-License-Identifier: MIT
 */
#include "caps.h"

/* Sizes that an odd multiplication could overflow are handled in gint64, and
 * ranges never get a step: GStreamer 1.22 aborts on [ 2, 32766, 2 ] when it
 * simplifies caps. A range on the larger side therefore also holds sizes that
 * are no multiple; those are dropped as soon as they are fixed. */
static gboolean
enlarge_size (const GValue *size, GValue *result, guint factor)
{
  gint64 low, high;

  if (G_VALUE_HOLDS_INT (size)) {
    low = high = g_value_get_int (size);
  } else if (GST_VALUE_HOLDS_INT_RANGE (size)) {
    low = gst_value_get_int_range_min (size);
    high = gst_value_get_int_range_max (size);
  } else {
    return FALSE;
  }

  low = MAX (low, 1) * factor;
  high = MIN (high, SRGAN_MAX_SIZE / factor) * factor;
  if (low > high)
    return FALSE;

  if (low == high) {
    g_value_init (result, G_TYPE_INT);
    g_value_set_int (result, low);
  } else {
    g_value_init (result, GST_TYPE_INT_RANGE);
    gst_value_set_int_range (result, low, high);
  }
  return TRUE;
}

static gboolean
reduce_size (const GValue *size, GValue *result, guint factor)
{
  gint64 low, high;

  if (G_VALUE_HOLDS_INT (size)) {
    low = high = g_value_get_int (size);
  } else if (GST_VALUE_HOLDS_INT_RANGE (size)) {
    low = gst_value_get_int_range_min (size);
    high = gst_value_get_int_range_max (size);
  } else {
    return FALSE;
  }

  /* An output size is reached exactly or not at all. */
  low = (MAX (low, 1) + factor - 1) / factor;
  high = MIN (high, SRGAN_MAX_SIZE) / factor;
  if (low > high)
    return FALSE;

  if (low == high) {
    g_value_init (result, G_TYPE_INT);
    g_value_set_int (result, low);
  } else {
    g_value_init (result, GST_TYPE_INT_RANGE);
    gst_value_set_int_range (result, low, high);
  }
  return TRUE;
}

static gboolean
transform_size (
    const GValue *size, GValue *result, GstPadDirection direction, guint factor)
{
  guint i;

  if (!GST_VALUE_HOLDS_LIST (size)) {
    if (direction == GST_PAD_SINK)
      return enlarge_size (size, result, factor);
    return reduce_size (size, result, factor);
  }

  g_value_init (result, GST_TYPE_LIST);
  for (i = 0; i < gst_value_list_get_size (size); i++) {
    GValue one = G_VALUE_INIT;

    if (transform_size (
            gst_value_list_get_value (size, i), &one, direction, factor))
      gst_value_list_append_and_take_value (result, &one);
  }

  switch (gst_value_list_get_size (result)) {
  case 0:
    g_value_unset (result);
    return FALSE;
  case 1: {
    GValue one = G_VALUE_INIT;

    g_value_init (&one, G_VALUE_TYPE (gst_value_list_get_value (result, 0)));
    g_value_copy (gst_value_list_get_value (result, 0), &one);
    g_value_unset (result);
    *result = one;
    return TRUE;
  }
  default:
    return TRUE;
  }
}

static gboolean
transform_size_field (GstStructure *structure, const gchar *field,
    GstPadDirection direction, guint factor)
{
  const GValue *size = gst_structure_get_value (structure, field);
  GValue any = G_VALUE_INIT, result = G_VALUE_INIT;
  gboolean possible;

  /* Absent means any. */
  g_value_init (&any, GST_TYPE_INT_RANGE);
  gst_value_set_int_range (&any, 1, SRGAN_MAX_SIZE);
  if (size == NULL)
    size = &any;

  possible = transform_size (size, &result, direction, factor);
  if (possible)
    gst_structure_take_value (structure, field, &result);

  g_value_unset (&any);
  return possible;
}

/* Narrows @field to what it has in common with @allowed. */
static gboolean
restrict_field (
    GstStructure *structure, const gchar *field, const GValue *allowed)
{
  const GValue *present = gst_structure_get_value (structure, field);
  GValue common = G_VALUE_INIT;

  if (present == NULL) {
    gst_structure_set_value (structure, field, allowed);
    return TRUE;
  }
  if (!gst_value_intersect (&common, present, allowed))
    return FALSE;

  gst_structure_take_value (structure, field, &common);
  return TRUE;
}

static gboolean
restrict_format (GstStructure *structure)
{
  static gsize once = 0;
  static GValue formats = G_VALUE_INIT;

  if (g_once_init_enter (&once)) {
    g_value_init (&formats, GST_TYPE_LIST);
    gst_value_deserialize (&formats, GST_SRGAN_FORMATS);
    g_once_init_leave (&once, 1);
  }

  return restrict_field (structure, "format", &formats);
}

/* Interlaced frames are two pictures in one. The field stays absent where it
 * is absent: caps of progressive video need not name it, and a subset check
 * against caps that do would fail. */
static gboolean
restrict_interlacing (GstStructure *structure)
{
  GValue progressive = G_VALUE_INIT;
  gboolean possible;

  if (!gst_structure_has_field (structure, "interlace-mode"))
    return TRUE;

  g_value_init (&progressive, G_TYPE_STRING);
  g_value_set_static_string (&progressive, "progressive");
  possible = restrict_field (structure, "interlace-mode", &progressive);
  g_value_unset (&progressive);
  return possible;
}

/* Frames that lie in memory which can simply be mapped, with or without
 * overlays beside them. */
static gboolean
features_can_scale (GstCapsFeatures *features)
{
  guint i;

  if (features == NULL)
    return TRUE;
  if (gst_caps_features_is_any (features))
    return FALSE;

  for (i = 0; i < gst_caps_features_get_size (features); i++) {
    const gchar *feature = gst_caps_features_get_nth (features, i);

    if (!g_str_equal (feature, GST_CAPS_FEATURE_MEMORY_SYSTEM_MEMORY) &&
        !g_str_equal (
            feature, GST_CAPS_FEATURE_META_GST_VIDEO_OVERLAY_COMPOSITION))
      return FALSE;
  }
  return TRUE;
}

GstCaps *
gst_srgan_caps_transform (
    GstCaps *caps, GstPadDirection direction, guint factor)
{
  GstCaps *result = gst_caps_new_empty ();
  guint i;

  for (i = 0; i < gst_caps_get_size (caps); i++) {
    GstCapsFeatures *features = gst_caps_get_features (caps, i);
    GstStructure *structure;
    gboolean possible;

    if (!features_can_scale (features))
      continue;

    structure = gst_structure_copy (gst_caps_get_structure (caps, i));
    possible = restrict_format (structure) && restrict_interlacing (structure);
    if (possible && factor == 0) {
      gst_structure_set (structure, "width", GST_TYPE_INT_RANGE, 1,
          SRGAN_MAX_SIZE, "height", GST_TYPE_INT_RANGE, 1, SRGAN_MAX_SIZE,
          NULL);
    } else if (possible) {
      possible = transform_size_field (structure, "width", direction, factor) &&
                 transform_size_field (structure, "height", direction, factor);
    }

    if (!possible ||
        gst_caps_is_subset_structure_full (result, structure, features)) {
      gst_structure_free (structure);
      continue;
    }
    gst_caps_append_structure_full (
        result, structure, features ? gst_caps_features_copy (features) : NULL);
  }

  return result;
}

/* Without a colorimetry, YUV of up to 576 rows is taken for BT.601 with centred
 * chroma and of more rows for BT.709 with chroma on the left: video that grows
 * past that line would change its colours. */
GstCaps *
gst_srgan_caps_keep_colorimetry (GstCaps *input, GstCaps *output)
{
  GstVideoInfo in_info, out_info;
  gchar *colorimetry;

  if (!gst_video_info_from_caps (&in_info, input) ||
      !gst_video_info_from_caps (&out_info, output) ||
      (gst_video_colorimetry_is_equal (
           &in_info.colorimetry, &out_info.colorimetry) &&
          in_info.chroma_site == out_info.chroma_site))
    return output;

  output = gst_caps_make_writable (output);
  colorimetry = gst_video_colorimetry_to_string (&in_info.colorimetry);
  if (colorimetry && !gst_structure_has_field (
                         gst_caps_get_structure (output, 0), "colorimetry"))
    gst_caps_set_simple (
        output, "colorimetry", G_TYPE_STRING, colorimetry, NULL);
  g_free (colorimetry);

  if (in_info.chroma_site != GST_VIDEO_CHROMA_SITE_UNKNOWN &&
      !gst_structure_has_field (
          gst_caps_get_structure (output, 0), "chroma-site")) {
    gchar *site = gst_video_chroma_site_to_string (in_info.chroma_site);

    if (site)
      gst_caps_set_simple (output, "chroma-site", G_TYPE_STRING, site, NULL);
    g_free (site);
  }

  return output;
}

gboolean
gst_srgan_caps_can_scale (GstCaps *caps, guint factor)
{
  GstCaps *scaled;
  gboolean possible;

  if (gst_caps_is_any (caps))
    return TRUE;

  scaled = gst_srgan_caps_transform (caps, GST_PAD_SINK, factor);
  possible = !gst_caps_is_empty (scaled);
  gst_caps_unref (scaled);
  return possible;
}

gchar *
gst_srgan_caps_explain_refusal (GstCaps *caps, guint factor)
{
  const GstStructure *structure = gst_caps_get_structure (caps, 0);
  GstCapsFeatures *features = gst_caps_get_features (caps, 0);
  const gchar *interlacing, *format_name;
  GstVideoFormat format;
  GstStructure *copy;
  gboolean taken;
  gint width, height;

  interlacing = gst_structure_get_string (structure, "interlace-mode");
  if (interlacing && !g_str_equal (interlacing, "progressive"))
    return g_strdup_printf (
        "Interlaced video (interlace-mode=%s) cannot be scaled: put "
        "deinterlace in front (... ! deinterlace ! srganupscale).",
        interlacing);

  if (!features_can_scale (features)) {
    gchar *names = gst_caps_features_to_string (features);
    gchar *reason = g_strdup_printf (
        "Frames in %s cannot be scaled: put the element in front that brings "
        "them into system memory (gldownload, vapostproc, cudadownload, ...).",
        names);

    g_free (names);
    return reason;
  }

  copy = gst_structure_copy (structure);
  taken = restrict_format (copy);
  gst_structure_free (copy);
  if (!taken) {
    const GstVideoFormatInfo *info;

    format_name = gst_structure_get_string (structure, "format");
    format = gst_video_format_from_string (format_name);
    info = gst_video_format_get_info (format);
    if (format != GST_VIDEO_FORMAT_UNKNOWN &&
        GST_VIDEO_FORMAT_INFO_N_COMPONENTS (info) > 0 &&
        GST_VIDEO_FORMAT_INFO_DEPTH (info, 0) > 8)
      return g_strdup_printf (
          "%u-bit video (%s) cannot be scaled yet: put videoconvert in front, "
          "which makes it 8-bit (... ! videoconvert ! srganupscale).",
          GST_VIDEO_FORMAT_INFO_DEPTH (info, 0), format_name);

    return g_strdup_printf (
        "Video in the format %s cannot be scaled: put videoconvert in front "
        "(... ! videoconvert ! srganupscale).",
        format_name);
  }

  if (gst_structure_get_int (structure, "width", &width) &&
      gst_structure_get_int (structure, "height", &height) && factor > 0 &&
      (width > SRGAN_MAX_SIZE / (gint) factor ||
          height > SRGAN_MAX_SIZE / (gint) factor))
    return g_strdup_printf (
        "%d x %d pixels cannot be scaled %u times: no side of the result may "
        "exceed %d pixels. Choose a smaller scale or a smaller picture.",
        width, height, factor, SRGAN_MAX_SIZE);

  return NULL;
}
