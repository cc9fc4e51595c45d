/* tests: frames through srganupscale: formats, sizes, strides, what is kept.
 *
 * SPDX-License-Identifier: MIT
 */
#include "element-test.h"

#include <string.h>

static const gchar *const yuv420_formats[] = {"I420", "YV12", "NV12", "NV21"};
static const gchar *const rgb_formats[] = {"RGB", "BGR", "RGBx", "BGRx", "xRGB",
    "xBGR", "RGBA", "BGRA", "ARGB", "ABGR"};
static const gchar *const other_formats[] = {"Y42B", "Y444", "GRAY8"};

static void
set_format (GstVideoInfo *info, const gchar *format, guint width, guint height)
{
  gst_video_info_set_format (
      info, gst_video_format_from_string (format), width, height);
  GST_VIDEO_INFO_FPS_N (info) = 25;
  GST_VIDEO_INFO_FPS_D (info) = 1;
}

static void
set_src_info (GstHarness *harness, const GstVideoInfo *info)
{
  gst_harness_set_src_caps (harness, gst_video_info_to_caps (info));
}

/* What came out has the size, the format and the length that it should. */
static void
check_output (GstHarness *harness, const GstVideoInfo *info, guint scale,
    GstBuffer *output, GstVideoInfo *out_info)
{
  GstCaps *caps = gst_pad_get_current_caps (harness->sinkpad);

  fail_unless (caps && gst_video_info_from_caps (out_info, caps));
  fail_unless_equals_int (
      GST_VIDEO_INFO_FORMAT (out_info), GST_VIDEO_INFO_FORMAT (info));
  fail_unless_equals_int (
      GST_VIDEO_INFO_WIDTH (out_info), GST_VIDEO_INFO_WIDTH (info) * scale);
  fail_unless_equals_int (
      GST_VIDEO_INFO_HEIGHT (out_info), GST_VIDEO_INFO_HEIGHT (info) * scale);
  fail_unless_equals_int (
      gst_buffer_get_size (output), GST_VIDEO_INFO_SIZE (out_info));
  gst_caps_unref (caps);
}

/* The pixels that come out for frame @seed. */
static guint8 *
upscale (const gchar *model, guint scale, const gchar *format, guint width,
    guint height, guint seed, gsize *size)
{
  GstHarness *harness = element_test_new_harness (model, scale);
  GstVideoInfo info, out_info;
  GstBuffer *output;
  guint8 *pixels;

  set_format (&info, format, width, height);
  set_src_info (harness, &info);
  output =
      gst_harness_push_and_pull (harness, element_test_new_frame (&info, seed));
  fail_unless (output != NULL);
  check_output (harness, &info, scale, output, &out_info);
  pixels = element_test_dup_pixels (&out_info, output, size);

  gst_buffer_unref (output);
  gst_harness_teardown (harness);
  return pixels;
}

/* All formats x sizes x scales; a harness renegotiates from one to the next. */
static void
check_sizes (const gchar *format)
{
  static const guint sizes[][2] = {
      {1, 1}, {2, 1}, {1, 2}, {3, 3}, {7, 2}, {16, 9}, {33, 17}, {70, 5}};
  guint scale, i;

  for (scale = 1; scale <= 4; scale++) {
    GstHarness *harness =
        element_test_new_harness (element_test_model (scale), scale);

    for (i = 0; i < G_N_ELEMENTS (sizes); i++) {
      GstVideoInfo info, out_info;
      GstBuffer *output;

      set_format (&info, format, sizes[i][0], sizes[i][1]);
      set_src_info (harness, &info);
      output = gst_harness_push_and_pull (
          harness, element_test_new_frame (&info, i));
      fail_unless (output != NULL, "%s, %u x %u, scale %u", format, sizes[i][0],
          sizes[i][1], scale);
      check_output (harness, &info, scale, output, &out_info);
      gst_buffer_unref (output);
    }
    gst_harness_teardown (harness);
  }
}

GST_START_TEST (test_sizes_yuv420)
{
  check_sizes (yuv420_formats[__i__]);
}
GST_END_TEST;

GST_START_TEST (test_sizes_rgb)
{
  check_sizes (rgb_formats[__i__]);
}
GST_END_TEST;

GST_START_TEST (test_sizes_other)
{
  check_sizes (other_formats[__i__]);
}
GST_END_TEST;

/* The same picture in another order of bytes is the same picture. */
GST_START_TEST (test_yuv420_alike)
{
  gsize size, other_size;
  guint8 *pixels, *other;
  guint i;

  pixels = upscale (element_test_model (2), 2, "I420", 37, 21, 5, &size);
  for (i = 1; i < G_N_ELEMENTS (yuv420_formats); i++) {
    other = upscale (
        element_test_model (2), 2, yuv420_formats[i], 37, 21, 5, &other_size);
    fail_unless_equals_uint64 (other_size, size);
    fail_unless (memcmp (pixels, other, size) == 0, "%s", yuv420_formats[i]);
    g_free (other);
  }
  g_free (pixels);
}
GST_END_TEST;

GST_START_TEST (test_rgb_alike)
{
  /* By a network in RGB, and by one in luma. */
  const gchar *model =
      __i__ == 0 ? element_test_rgb_model (2) : element_test_model (2);
  gsize size, other_size, alpha_size = 0;
  guint8 *pixels, *other, *alpha = NULL;
  guint i;

  pixels = upscale (model, 2, "RGB", 37, 21, 6, &size);
  for (i = 1; i < G_N_ELEMENTS (rgb_formats); i++) {
    other = upscale (model, 2, rgb_formats[i], 37, 21, 6, &other_size);
    /* R, G and B; alpha follows where there is any. */
    fail_unless (other_size == size || other_size == size / 3 * 4);
    fail_unless (memcmp (pixels, other, size) == 0, "%s", rgb_formats[i]);
    if (other_size > size) {
      if (alpha == NULL) {
        alpha_size = other_size - size;
        alpha = g_malloc (alpha_size);
        memcpy (alpha, other + size, alpha_size);
      }
      fail_unless (
          memcmp (alpha, other + size, alpha_size) == 0, "%s", rgb_formats[i]);
    }
    g_free (other);
  }
  g_free (alpha);
  g_free (pixels);
}
GST_END_TEST;

/* Luma is luma, whatever comes with it. */
GST_START_TEST (test_luma_alike)
{
  const guint n = 37 * 2 * 21 * 2;
  gsize size;
  guint8 *pixels, *other;
  guint i;

  pixels = upscale (element_test_model (2), 2, "Y444", 37, 21, 7, &size);
  for (i = 0; i < G_N_ELEMENTS (other_formats); i++) {
    /* Grey is full range by default, so its network sees other numbers. */
    if (g_str_equal (other_formats[i], "GRAY8"))
      continue;
    other =
        upscale (element_test_model (2), 2, other_formats[i], 37, 21, 7, &size);
    fail_unless (memcmp (pixels, other, n) == 0, "%s", other_formats[i]);
    g_free (other);
  }
  other = upscale (element_test_model (2), 2, "I420", 37, 21, 7, &size);
  fail_unless (memcmp (pixels, other, n) == 0);
  g_free (other);
  g_free (pixels);
}
GST_END_TEST;

/* The x of RGBx is opaque to whoever takes it for alpha; alpha is the picture's
 * own, enlarged: transparent stays transparent. */
GST_START_TEST (test_fourth_byte)
{
  static const struct {
    const gchar *format;
    guint offset;
    guint8 in;
    guint8 out;
  } cases[] = {
      {"RGBx", 3, 0, 255},
      {"BGRx", 3, 7, 255},
      {"xRGB", 0, 0, 255},
      {"xBGR", 0, 255, 255},
      {"RGBA", 3, 0, 0},
      {"BGRA", 3, 255, 255},
      {"ARGB", 0, 93, 93},
      {"ABGR", 0, 0, 0},
  };
  guint i, j;

  for (i = 0; i < G_N_ELEMENTS (cases); i++) {
    GstHarness *harness = element_test_new_harness (element_test_model (2), 0);
    GstVideoInfo info;
    GstBuffer *buffer;
    GstMapInfo map;

    set_format (&info, cases[i].format, 9, 5);
    set_src_info (harness, &info);
    buffer = element_test_new_frame (&info, i);
    gst_buffer_map (buffer, &map, GST_MAP_WRITE);
    for (j = cases[i].offset; j < map.size; j += 4)
      map.data[j] = cases[i].in;
    gst_buffer_unmap (buffer, &map);

    buffer = gst_harness_push_and_pull (harness, buffer);
    gst_buffer_map (buffer, &map, GST_MAP_READ);
    for (j = cases[i].offset; j < map.size; j += 4)
      fail_unless (map.data[j] == cases[i].out, "%s", cases[i].format);
    gst_buffer_unmap (buffer, &map);
    gst_buffer_unref (buffer);
    gst_harness_teardown (harness);
  }
}
GST_END_TEST;

/* The same frame with gaps between its rows, planes in an odd order and each
 * in memory of its own. */
static GstBuffer *
new_padded_frame (const GstVideoInfo *info, guint seed)
{
  GstBuffer *tight = element_test_new_frame (info, seed);
  GstBuffer *padded = gst_buffer_new ();
  gsize offset[GST_VIDEO_MAX_PLANES] = {0}, total = 0;
  gint stride[GST_VIDEO_MAX_PLANES] = {0};
  GstVideoFrame from, to;
  gint plane;

  for (plane = 0; plane < (gint) GST_VIDEO_INFO_N_PLANES (info); plane++) {
    gint comp[GST_VIDEO_MAX_COMPONENTS];
    gsize size;
    GstMapInfo map;
    GstMemory *memory;

    gst_video_format_info_component (info->finfo, plane, comp);
    stride[plane] = GST_VIDEO_INFO_COMP_WIDTH (info, comp[0]) *
                        GST_VIDEO_INFO_COMP_PSTRIDE (info, comp[0]) +
                    1 + 2 * plane;
    offset[plane] = total + 3;
    /* Nothing after the last pixel of the last row. */
    size = 3 + stride[plane] * GST_VIDEO_INFO_COMP_HEIGHT (info, comp[0]) - 1 -
           2 * plane;
    memory = gst_allocator_alloc (NULL, size, NULL);
    gst_memory_map (memory, &map, GST_MAP_WRITE);
    memset (map.data, 0xa5, map.size);
    gst_memory_unmap (memory, &map);
    gst_buffer_append_memory (padded, memory);
    total += size;
  }
  gst_buffer_add_video_meta_full (padded, GST_VIDEO_FRAME_FLAG_NONE,
      GST_VIDEO_INFO_FORMAT (info), GST_VIDEO_INFO_WIDTH (info),
      GST_VIDEO_INFO_HEIGHT (info), GST_VIDEO_INFO_N_PLANES (info), offset,
      stride);

  fail_unless (gst_video_frame_map (&from, info, tight, GST_MAP_READ));
  fail_unless (gst_video_frame_map (&to, info, padded, GST_MAP_WRITE));
  gst_video_frame_copy (&to, &from);
  gst_video_frame_unmap (&to);
  gst_video_frame_unmap (&from);
  gst_buffer_copy_into (padded, tight, GST_BUFFER_COPY_TIMESTAMPS, 0, -1);
  gst_buffer_unref (tight);
  return padded;
}

GST_START_TEST (test_padded_input)
{
  static const gchar *const formats[] = {
      "I420", "NV12", "Y42B", "GRAY8", "RGB", "xBGR", "ARGB"};
  const gchar *format = formats[__i__];
  GstHarness *harness = element_test_new_harness (element_test_model (3), 0);
  GstVideoInfo info, out_info;
  GstBuffer *output;
  gsize size, padded_size;
  guint8 *pixels, *padded;

  pixels = upscale (element_test_model (3), 3, format, 19, 11, 9, &size);

  set_format (&info, format, 19, 11);
  set_src_info (harness, &info);
  output = gst_harness_push_and_pull (harness, new_padded_frame (&info, 9));
  fail_unless (output != NULL);
  check_output (harness, &info, 3, output, &out_info);
  padded = element_test_dup_pixels (&out_info, output, &padded_size);
  fail_unless_equals_uint64 (size, padded_size);
  fail_unless (memcmp (pixels, padded, size) == 0, "%s", format);

  g_free (padded);
  g_free (pixels);
  gst_buffer_unref (output);
  gst_harness_teardown (harness);
}
GST_END_TEST;

/* A frame that is larger than its caps say: what is beyond is not looked at. */
GST_START_TEST (test_larger_frame)
{
  GstHarness *harness = element_test_new_harness (element_test_model (2), 0);
  GstVideoInfo info, large, out_info;
  GstBuffer *buffer, *output;
  gsize size, other_size;
  guint8 *pixels, *other;

  pixels = upscale (element_test_model (2), 2, "I420", 20, 10, 3, &size);

  set_format (&info, "I420", 20, 10);
  set_format (&large, "I420", 24, 16);
  set_src_info (harness, &info);
  buffer = element_test_new_frame (&large, 3);
  gst_buffer_add_video_meta_full (buffer, GST_VIDEO_FRAME_FLAG_NONE,
      GST_VIDEO_FORMAT_I420, 24, 16, 3, large.offset, large.stride);
  output = gst_harness_push_and_pull (harness, buffer);
  fail_unless (output != NULL);
  check_output (harness, &info, 2, output, &out_info);
  other = element_test_dup_pixels (&out_info, output, &other_size);
  fail_unless_equals_uint64 (size, other_size);
  fail_unless (memcmp (pixels, other, size) == 0);

  g_free (other);
  g_free (pixels);
  gst_buffer_unref (output);
  gst_harness_teardown (harness);
}
GST_END_TEST;

/* Rows are padded for who reads GstVideoMeta, and for nobody else. */
GST_START_TEST (test_padded_output)
{
  GstVideoInfo info, out_info;
  gsize size, padded_size;
  guint8 *pixels, *padded;
  GstHarness *harness = element_test_new_harness (element_test_model (2), 0);
  GstVideoMeta *meta;
  GstBuffer *output;
  GstCaps *caps;
  guint i;

  pixels = upscale (element_test_model (2), 2, "I420", 35, 21, 4, &size);

  gst_harness_add_propose_allocation_meta (
      harness, GST_VIDEO_META_API_TYPE, NULL);
  set_format (&info, "I420", 35, 21);
  set_src_info (harness, &info);
  output =
      gst_harness_push_and_pull (harness, element_test_new_frame (&info, 4));
  fail_unless (output != NULL);
  meta = gst_buffer_get_video_meta (output);
  fail_unless (meta != NULL);
  for (i = 0; i < meta->n_planes; i++)
    fail_unless_equals_int (meta->stride[i] % 64, 0);

  caps = gst_pad_get_current_caps (harness->sinkpad);
  gst_video_info_from_caps (&out_info, caps);
  gst_caps_unref (caps);
  padded = element_test_dup_pixels (&out_info, output, &padded_size);
  fail_unless_equals_uint64 (size, padded_size);
  fail_unless (memcmp (pixels, padded, size) == 0);

  g_free (padded);
  g_free (pixels);
  gst_buffer_unref (output);
  gst_harness_teardown (harness);
}
GST_END_TEST;

/* Upstream is offered a pool, aligned for the kernels, and may pad rows. */
GST_START_TEST (test_proposed_pool)
{
  GstHarness *harness = element_test_new_harness (element_test_model (2), 0);
  GstVideoInfo info;
  GstCaps *caps;
  GstQuery *query;
  GstAllocationParams params;
  GstBufferPool *pool;
  guint size, min, max;

  set_format (&info, "I420", 35, 21);
  set_src_info (harness, &info);

  caps = gst_video_info_to_caps (&info);
  query = gst_query_new_allocation (caps, TRUE);
  fail_unless (gst_pad_peer_query (harness->srcpad, query));
  fail_unless (
      gst_query_find_allocation_meta (query, GST_VIDEO_META_API_TYPE, NULL));
  fail_if (gst_query_find_allocation_meta (
      query, GST_VIDEO_CROP_META_API_TYPE, NULL));
  fail_unless (gst_query_get_n_allocation_params (query) == 1);
  gst_query_parse_nth_allocation_param (query, 0, NULL, &params);
  fail_unless_equals_int (params.align, 63);
  fail_unless (gst_query_get_n_allocation_pools (query) == 1);
  gst_query_parse_nth_allocation_pool (query, 0, &pool, &size, &min, &max);
  fail_unless (pool != NULL);
  fail_unless_equals_int (size, GST_VIDEO_INFO_SIZE (&info));

  gst_object_unref (pool);
  gst_query_unref (query);
  gst_caps_unref (caps);
  gst_harness_teardown (harness);
}
GST_END_TEST;

/* Everything about a buffer but its pixels. */
GST_START_TEST (test_kept)
{
  GstHarness *harness = element_test_new_harness (element_test_model (2), 0);
  GstBuffer *buffer, *output;
  GstCaps *caps, *expected;
  GstVideoInfo info;

  set_format (&info, "I420", 16, 16);
  gst_harness_set_src_caps_str (harness,
      "video/x-raw,format=I420,width=16,height=16,framerate=30000/1001,"
      "pixel-aspect-ratio=16/11,colorimetry=bt709,chroma-site=mpeg2,"
      "interlace-mode=progressive");

  buffer = element_test_new_frame (&info, 1);
  GST_BUFFER_PTS (buffer) = 1234567;
  GST_BUFFER_DTS (buffer) = 1234000;
  GST_BUFFER_DURATION (buffer) = 33366667;
  GST_BUFFER_OFFSET (buffer) = 7;
  GST_BUFFER_OFFSET_END (buffer) = 8;
  GST_BUFFER_FLAG_SET (
      buffer, GST_BUFFER_FLAG_MARKER | GST_BUFFER_FLAG_DROPPABLE |
                  GST_BUFFER_FLAG_CORRUPTED | GST_BUFFER_FLAG_GAP);
  output = gst_harness_push_and_pull (harness, buffer);
  fail_unless_equals_uint64 (GST_BUFFER_PTS (output), 1234567);
  fail_unless_equals_uint64 (GST_BUFFER_DTS (output), 1234000);
  fail_unless_equals_uint64 (GST_BUFFER_DURATION (output), 33366667);
  fail_unless_equals_uint64 (GST_BUFFER_OFFSET (output), 7);
  fail_unless_equals_uint64 (GST_BUFFER_OFFSET_END (output), 8);
  fail_unless (GST_BUFFER_FLAG_IS_SET (output, GST_BUFFER_FLAG_MARKER));
  fail_unless (GST_BUFFER_FLAG_IS_SET (output, GST_BUFFER_FLAG_DROPPABLE));
  fail_unless (GST_BUFFER_FLAG_IS_SET (output, GST_BUFFER_FLAG_CORRUPTED));
  /* There is a picture in it now. */
  fail_if (GST_BUFFER_FLAG_IS_SET (output, GST_BUFFER_FLAG_GAP));
  gst_buffer_unref (output);

  caps = gst_pad_get_current_caps (harness->sinkpad);
  expected = gst_caps_from_string (
      "video/x-raw,format=I420,width=32,height=32,framerate=30000/1001,"
      "pixel-aspect-ratio=16/11,colorimetry=bt709,chroma-site=mpeg2,"
      "interlace-mode=progressive");
  fail_unless (gst_caps_is_strictly_equal (caps, expected));
  gst_caps_unref (expected);
  gst_caps_unref (caps);
  gst_harness_teardown (harness);
}
GST_END_TEST;

/* With scale=1 a buffer is not even touched, whatever is in it. */
GST_START_TEST (test_passthrough)
{
  static const gchar *const caps[] = {
      "video/x-raw,format=I420,width=16,height=16,framerate=25/1",
      "video/x-raw,format=I420_10LE,width=16,height=16,framerate=25/1",
      "video/x-raw,format=YUY2,width=16,height=16,framerate=25/1,"
      "interlace-mode=interleaved",
      "video/x-raw(memory:DMABuf),format=NV12,width=16,height=16,framerate=25/"
      "1",
  };
  guint i, j;

  for (i = 0; i < G_N_ELEMENTS (caps); i++)
    /* Of no model, and of one that would enlarge. */
    for (j = 0; j < 2; j++) {
      GstHarness *harness =
          element_test_new_harness (j ? element_test_model (2) : NULL, 1);
      GstBuffer *buffer = gst_buffer_new_allocate (NULL, 1024, NULL);
      GstBuffer *output;

      gst_harness_set_src_caps_str (harness, caps[i]);
      output = gst_harness_push_and_pull (harness, buffer);
      fail_unless (output == buffer, "%s", caps[i]);
      gst_buffer_unref (output);
      gst_harness_teardown (harness);
    }
}
GST_END_TEST;

/* A network that restores without enlarging does run at scale 1. */
GST_START_TEST (test_restoration)
{
  GstHarness *harness = element_test_new_harness (element_test_model (1), 1);
  GstVideoInfo info;
  GstBuffer *buffer, *output;

  set_format (&info, "I420", 16, 16);
  set_src_info (harness, &info);
  buffer = element_test_new_frame (&info, 1);
  output = gst_harness_push_and_pull (harness, gst_buffer_ref (buffer));
  fail_unless (output != NULL && output != buffer);
  gst_buffer_unref (output);
  gst_buffer_unref (buffer);
  gst_harness_teardown (harness);
}
GST_END_TEST;

/* Threads are nobody's business but the clock's. */
GST_START_TEST (test_threads)
{
  GstVideoInfo info, out_info;
  guint8 *reference = NULL, *pixels;
  gsize size;
  guint n;

  set_format (&info, "NV12", 61, 47);
  for (n = 1; n <= 4; n++) {
    GstHarness *harness = element_test_new_harness (element_test_model (2), 0);
    GstBuffer *output;

    g_object_set (harness->element, "n-threads", n, NULL);
    set_src_info (harness, &info);
    output =
        gst_harness_push_and_pull (harness, element_test_new_frame (&info, 2));
    check_output (harness, &info, 2, output, &out_info);
    pixels = element_test_dup_pixels (&out_info, output, &size);
    if (reference == NULL) {
      reference = pixels;
    } else {
      fail_unless (memcmp (reference, pixels, size) == 0);
      g_free (pixels);
    }
    gst_buffer_unref (output);
    gst_harness_teardown (harness);
  }
  g_free (reference);
}
GST_END_TEST;

/* Pixels that came before give the same frames as pixels computed anew, also
 * when the caller has written over its buffers since. */
GST_START_TEST (test_reuse)
{
  static const guint seeds[] = {1, 1, 2, 2, 2, 1};
  GstHarness *harnesses[2];
  GstVideoInfo info, out_info;
  GstStructure *stats;
  gdouble reused[2];
  guint i, j;

  set_format (&info, "I420", 160, 96);
  for (j = 0; j < 2; j++) {
    harnesses[j] = element_test_new_harness (element_test_model (2), 0);
    g_object_set (harnesses[j]->element, "reuse", j == 1, NULL);
    set_src_info (harnesses[j], &info);
  }
  for (i = 0; i < G_N_ELEMENTS (seeds); i++) {
    guint8 *pixels[2];
    gsize size;

    for (j = 0; j < 2; j++) {
      GstBuffer *output, *buffer = element_test_new_frame (&info, seeds[i]);

      gst_buffer_memset (buffer, 160 * 40 + 10 * i, (guint8) (50 * i), 9);
      output =
          gst_harness_push_and_pull (harnesses[j], gst_buffer_ref (buffer));
      fail_unless (output != NULL);
      check_output (harnesses[j], &info, 2, output, &out_info);
      pixels[j] = element_test_dup_pixels (&out_info, output, &size);
      gst_buffer_memset (buffer, 0, 99, gst_buffer_get_size (buffer));
      gst_buffer_unref (buffer);
      fail_unless (gst_buffer_is_writable (output));
      gst_buffer_memset (output, 0, 99, gst_buffer_get_size (output));
      gst_buffer_unref (output);
    }
    fail_unless (memcmp (pixels[0], pixels[1], size) == 0, "frame %u", i);
    g_free (pixels[0]);
    g_free (pixels[1]);
  }
  for (j = 0; j < 2; j++) {
    g_object_get (harnesses[j]->element, "stats", &stats, NULL);
    fail_unless (gst_structure_get_double (stats, "reused", &reused[j]));
    gst_structure_free (stats);
    gst_harness_teardown (harnesses[j]);
  }
  fail_unless (reused[0] == 0);
  /* Three frames of six are all but the same as the one before. */
  fail_unless (reused[1] > .2 && reused[1] < .5, "%g", reused[1]);
}
GST_END_TEST;

static Suite *
frames_suite (void)
{
  Suite *suite = suite_create ("frames");
  TCase *tcase = tcase_create ("frames");

  suite_add_tcase (suite, tcase);
  tcase_add_loop_test (
      tcase, test_sizes_yuv420, 0, G_N_ELEMENTS (yuv420_formats));
  tcase_add_loop_test (tcase, test_sizes_rgb, 0, G_N_ELEMENTS (rgb_formats));
  tcase_add_loop_test (
      tcase, test_sizes_other, 0, G_N_ELEMENTS (other_formats));
  tcase_add_test (tcase, test_yuv420_alike);
  tcase_add_loop_test (tcase, test_rgb_alike, 0, 2);
  tcase_add_test (tcase, test_luma_alike);
  tcase_add_test (tcase, test_fourth_byte);
  tcase_add_loop_test (tcase, test_padded_input, 0, 7);
  tcase_add_test (tcase, test_larger_frame);
  tcase_add_test (tcase, test_padded_output);
  tcase_add_test (tcase, test_proposed_pool);
  tcase_add_test (tcase, test_kept);
  tcase_add_test (tcase, test_passthrough);
  tcase_add_test (tcase, test_restoration);
  tcase_add_test (tcase, test_threads);
  tcase_add_test (tcase, test_reuse);
  return suite;
}

ELEMENT_TEST_MAIN ("frames", frames_suite)
