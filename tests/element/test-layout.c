/* tests: formats in the engine's terms (gst/layout.c).
 *
 * GStreamer's own unpackers say where a sample belongs.
 *
 * SPDX-License-Identifier: MIT
 */
#include "element-test.h"
#include "caps.h"
#include "layout.h"

#include <string.h>

/* The formats that the element takes: *n of them. */
static GstVideoFormat
get_format (guint index, guint *n)
{
  GstCaps *caps =
      gst_caps_from_string ("video/x-raw,format=" GST_SRGAN_FORMATS);
  const GValue *list =
      gst_structure_get_value (gst_caps_get_structure (caps, 0), "format");
  GstVideoFormat format = gst_video_format_from_string (
      g_value_get_string (gst_value_list_get_value (list, index)));

  if (n)
    *n = gst_value_list_get_size (list);
  gst_caps_unref (caps);
  return format;
}

/* Writes through the engine's pointers, reads with GStreamer's unpacker. */
static void
check_places (const GstVideoInfo *info)
{
  const GstVideoFormatInfo *finfo = info->finfo;
  GstBuffer *buffer =
      gst_buffer_new_allocate (NULL, GST_VIDEO_INFO_SIZE (info), NULL);
  guint width = GST_VIDEO_INFO_WIDTH (info);
  guint height = GST_VIDEO_INFO_HEIGHT (info);
  guint8 *line = g_malloc (width * 4);
  guint n_components, c, x, y;
  SrganLayout layout;
  SrganFrame frame = {0};
  GstVideoFrame mapped;

  gst_buffer_memset (buffer, 0, 0, GST_VIDEO_INFO_SIZE (info));
  fail_unless (gst_video_frame_map (&mapped, info, buffer, GST_MAP_READWRITE));
  gst_srgan_layout_from_info (&layout, info);
  fail_unless (gst_srgan_frame_from_mapped (&frame, &mapped, info));

  n_components = layout.kind == SRGAN_LAYOUT_GRAY ? 1 : 3;
  if (layout.fourth == SRGAN_FOURTH_ALPHA)
    n_components = 4;
  fail_unless_equals_int (
      n_components, GST_VIDEO_FORMAT_INFO_N_COMPONENTS (finfo));

  for (c = 0; c < n_components; c++) {
    gboolean chroma = layout.kind == SRGAN_LAYOUT_YUV && (c == 1 || c == 2);
    guint shift_x = chroma ? layout.chroma_width_shift : 0;
    guint shift_y = chroma ? layout.chroma_height_shift : 0;

    for (y = 0; y < height; y++)
      for (x = 0; x < width; x++) {
        guint8 value = 1 + (c * 83 + x * 7 + y * 29) % 255;
        guint8 *sample = (guint8 *) frame.component[c] +
                         (y >> shift_y) * frame.stride[c] +
                         (x >> shift_x) * layout.pixel_stride[c];

        *sample = value;
        finfo->unpack_func (finfo, GST_VIDEO_PACK_FLAG_NONE, line, mapped.data,
            mapped.info.stride, 0, y, width);
        /* Unpacked, alpha comes first. */
        fail_unless_equals_int (line[4 * x + (c == 3 ? 0 : c + 1)], value);
      }
  }

  if (layout.fourth == SRGAN_FOURTH_FILLER) {
    /* Nothing that R, G or B are read from. */
    guint8 *filler = frame.component[3];

    fail_unless_equals_int (layout.pixel_stride[3], 4);
    fail_unless_equals_int (frame.stride[3], frame.stride[0]);
    for (c = 0; c < 3; c++)
      fail_unless (filler != frame.component[c]);
    fail_unless (filler >= (guint8 *) mapped.data[0] &&
                 filler < (guint8 *) mapped.data[0] + 4);
  }

  gst_video_frame_unmap (&mapped);
  g_free (line);
  gst_buffer_unref (buffer);
}

GST_START_TEST (test_places)
{
  static const guint sizes[][2] = {{1, 1}, {2, 2}, {5, 3}, {8, 7}};
  guint n, i, j;

  get_format (0, &n);
  for (i = 0; i < n; i++)
    for (j = 0; j < G_N_ELEMENTS (sizes); j++) {
      GstVideoInfo info;

      gst_video_info_set_format (
          &info, get_format (i, NULL), sizes[j][0], sizes[j][1]);
      check_places (&info);
    }
}
GST_END_TEST;

GST_START_TEST (test_fourth)
{
  static const struct {
    const gchar *format;
    SrganFourth fourth;
  } cases[] = {
      {"I420", SRGAN_FOURTH_NONE},
      {"GRAY8", SRGAN_FOURTH_NONE},
      {"RGB", SRGAN_FOURTH_NONE},
      {"BGR", SRGAN_FOURTH_NONE},
      {"RGBx", SRGAN_FOURTH_FILLER},
      {"xBGR", SRGAN_FOURTH_FILLER},
      {"RGBA", SRGAN_FOURTH_ALPHA},
      {"ABGR", SRGAN_FOURTH_ALPHA},
  };
  guint i;

  for (i = 0; i < G_N_ELEMENTS (cases); i++) {
    GstVideoInfo info;
    SrganLayout layout;

    gst_video_info_set_format (
        &info, gst_video_format_from_string (cases[i].format), 4, 4);
    gst_srgan_layout_from_info (&layout, &info);
    fail_unless_equals_int (layout.fourth, cases[i].fourth);
  }
}
GST_END_TEST;

static void
get_layout (const gchar *caps_string, SrganLayout *layout)
{
  GstCaps *caps = gst_caps_from_string (caps_string);
  GstVideoInfo info;

  fail_unless (gst_video_info_from_caps (&info, caps), "%s", caps_string);
  gst_srgan_layout_from_info (layout, &info);
  gst_caps_unref (caps);
}

GST_START_TEST (test_colorimetry)
{
  SrganLayout layout;

  get_layout (
      "video/x-raw,format=I420,width=8,height=8,colorimetry=bt709", &layout);
  fail_unless (layout.matrix_kr == 0.2126 && layout.matrix_kb == 0.0722);
  fail_if (layout.full_range);

  get_layout (
      "video/x-raw,format=NV12,width=8,height=8,colorimetry=1:4:0:0", &layout);
  fail_unless (layout.matrix_kr == 0.2990 && layout.matrix_kb == 0.1140);
  fail_unless (layout.full_range);

  get_layout (
      "video/x-raw,format=Y444,width=8,height=8,colorimetry=bt2020", &layout);
  fail_unless (layout.matrix_kr == 0.2627 && layout.matrix_kb == 0.0593);

  /* RGB has no matrix: BT.601's, which luma networks are trained with. */
  get_layout (
      "video/x-raw,format=RGB,width=8,height=8,colorimetry=sRGB", &layout);
  fail_unless (layout.matrix_kr == 0.2990 && layout.matrix_kb == 0.1140);
  fail_unless (layout.full_range);

  /* Unless it says otherwise. */
  get_layout (
      "video/x-raw,format=BGRA,width=8,height=8,colorimetry=2:1:0:0", &layout);
  fail_if (layout.full_range);
}
GST_END_TEST;

GST_START_TEST (test_chroma_site)
{
  SrganLayout layout;

  get_layout (
      "video/"
      "x-raw,format=I420,width=8,height=8,colorimetry=bt601,chroma-site=mpeg2",
      &layout);
  fail_unless (layout.chroma_cosited_x && !layout.chroma_cosited_y);
  get_layout (
      "video/"
      "x-raw,format=I420,width=8,height=8,colorimetry=bt601,chroma-site=jpeg",
      &layout);
  fail_unless (!layout.chroma_cosited_x && !layout.chroma_cosited_y);
  get_layout ("video/"
              "x-raw,format=NV12,width=8,height=8,colorimetry=bt601,chroma-"
              "site=cosited",
      &layout);
  fail_unless (layout.chroma_cosited_x && layout.chroma_cosited_y);
}
GST_END_TEST;

/* A buffer whose description promises more than its memory holds. */
GST_START_TEST (test_short_memory)
{
  GstVideoInfo info;
  GstVideoFrame mapped;
  SrganFrame frame;
  GstBuffer *buffer;
  gsize offset[4] = {0, 8 * 8, 8 * 8 + 4 * 4};
  gint stride[4] = {8, 4, 4};

  gst_video_info_set_format (&info, GST_VIDEO_FORMAT_I420, 8, 8);
  buffer = gst_buffer_new_allocate (NULL, 8 * 8 * 3 / 2, NULL);
  gst_buffer_add_video_meta_full (buffer, GST_VIDEO_FRAME_FLAG_NONE,
      GST_VIDEO_FORMAT_I420, 8, 8, 3, offset, stride);

  fail_unless (gst_video_frame_map (&mapped, &info, buffer, GST_MAP_READ));
  fail_unless (gst_srgan_frame_from_mapped (&frame, &mapped, &info));
  gst_video_frame_unmap (&mapped);

  gst_buffer_get_video_meta (buffer)->stride[2] = 5;
  fail_unless (gst_video_frame_map (&mapped, &info, buffer, GST_MAP_READ));
  fail_if (gst_srgan_frame_from_mapped (&frame, &mapped, &info));
  gst_video_frame_unmap (&mapped);

  gst_buffer_get_video_meta (buffer)->stride[2] = 4;
  gst_buffer_get_video_meta (buffer)->offset[2] += 1;
  fail_unless (gst_video_frame_map (&mapped, &info, buffer, GST_MAP_READ));
  fail_if (gst_srgan_frame_from_mapped (&frame, &mapped, &info));
  gst_video_frame_unmap (&mapped);

  gst_buffer_get_video_meta (buffer)->offset[2] -= 1;
  gst_buffer_get_video_meta (buffer)->stride[0] = -8;
  fail_unless (gst_video_frame_map (&mapped, &info, buffer, GST_MAP_READ));
  fail_if (gst_srgan_frame_from_mapped (&frame, &mapped, &info));
  gst_video_frame_unmap (&mapped);

  gst_buffer_unref (buffer);
}
GST_END_TEST;

static Suite *
layout_suite (void)
{
  Suite *suite = suite_create ("layout");
  TCase *tcase = tcase_create ("layout");

  suite_add_tcase (suite, tcase);
  tcase_add_test (tcase, test_places);
  tcase_add_test (tcase, test_fourth);
  tcase_add_test (tcase, test_colorimetry);
  tcase_add_test (tcase, test_chroma_site);
  tcase_add_test (tcase, test_short_memory);
  return suite;
}

ELEMENT_TEST_MAIN ("layout", layout_suite)
