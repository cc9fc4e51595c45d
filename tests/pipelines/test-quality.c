/* tests: what srganupscale makes of real film: every frame at its time, in
 * the same colours, and nearer to the original than Lanczos.
 *
 * SPDX-License-Identifier: MIT
 */
#include <gst/gst.h>
#include <gst/video/video.h>

#include <math.h>

/* Frames looked at without `-m thorough`. */
#define FEW_FRAMES 24

/* Pixels at the edge that do not count: scalers differ there. */
#define EDGE 8

/* What the network has to gain over Lanczos, in dB. */
#define GAIN 0.8

typedef struct {
  const gchar *name;
  gint width, height; /* cropped to multiples of 2 * scale */
  guint start;        /* in s: some begin in the dark */
} Clip;

static const Clip clips[] = {
    {"bbb_480p_30s.mp4", 852, 480, 12},
    {"mdn_flower.mp4", 960, 540, 2},
    {"dog_eating.mp4", 640, 360, 4},
    {"intel_car.mp4", 768, 432, 4},
};

static gchar *
find_clip (const gchar *name)
{
  const gchar *shared = g_getenv ("SRGAN_SHARED");
  g_autofree gchar *beside =
      g_build_filename (g_getenv ("SRGAN_SOURCE_ROOT"), "..", "shared", NULL);

  return g_build_filename (shared ? shared : beside, "clips", name, NULL);
}

static GstSample *
pull (GstElement *pipeline, const gchar *sink)
{
  g_autoptr (GstElement) element =
      gst_bin_get_by_name (GST_BIN (pipeline), sink);
  GstSample *sample;

  g_signal_emit_by_name (element, "pull-sample", &sample);
  return sample;
}

/* The mean squared difference of two frames' luma, in codes. */
static gdouble
compare_luma (GstSample *a, GstSample *b)
{
  GstVideoInfo info;
  GstVideoFrame first, second;
  gdouble sum = 0;
  gint width, height;

  g_assert_true (gst_video_info_from_caps (&info, gst_sample_get_caps (a)));
  g_assert_true (gst_video_frame_map (
      &first, &info, gst_sample_get_buffer (a), GST_MAP_READ));
  g_assert_true (gst_video_info_from_caps (&info, gst_sample_get_caps (b)));
  g_assert_true (gst_video_frame_map (
      &second, &info, gst_sample_get_buffer (b), GST_MAP_READ));
  width = GST_VIDEO_FRAME_WIDTH (&first);
  height = GST_VIDEO_FRAME_HEIGHT (&first);
  g_assert_cmpint (width, ==, GST_VIDEO_FRAME_WIDTH (&second));
  g_assert_cmpint (height, ==, GST_VIDEO_FRAME_HEIGHT (&second));
  for (gint y = EDGE; y < height - EDGE; y++) {
    const guint8 *p = (guint8 *) GST_VIDEO_FRAME_PLANE_DATA (&first, 0) +
                      (gsize) y * GST_VIDEO_FRAME_PLANE_STRIDE (&first, 0);
    const guint8 *q = (guint8 *) GST_VIDEO_FRAME_PLANE_DATA (&second, 0) +
                      (gsize) y * GST_VIDEO_FRAME_PLANE_STRIDE (&second, 0);
    guint64 row = 0;

    for (gint x = EDGE; x < width - EDGE; x++)
      row += (p[x] - q[x]) * (p[x] - q[x]);
    sum += row;
  }
  gst_video_frame_unmap (&first);
  gst_video_frame_unmap (&second);
  return sum / ((gdouble) (width - 2 * EDGE) * (height - 2 * EDGE));
}

static gdouble
psnr (gdouble mean_square)
{
  return 10 * log10 (255.0 * 255.0 / mean_square);
}

static void
check_same_signal (GstSample *original, GstSample *ours)
{
  GstVideoInfo a, b;

  gst_video_info_from_caps (&a, gst_sample_get_caps (original));
  gst_video_info_from_caps (&b, gst_sample_get_caps (ours));
  g_assert_true (
      gst_video_colorimetry_is_equal (&a.colorimetry, &b.colorimetry));
  g_assert_cmpint (a.chroma_site, ==, b.chroma_site);
  g_assert_cmpint (a.fps_n, ==, b.fps_n);
  g_assert_cmpint (a.fps_d, ==, b.fps_d);
  g_assert_cmpint (a.par_n, ==, b.par_n);
  g_assert_cmpint (a.par_d, ==, b.par_d);
}

/* The original beside itself reduced to half and enlarged again in two ways,
 * frame by frame. */
static void
test_clip (gconstpointer data)
{
  const Clip *clip = data;
  g_autofree gchar *path = find_clip (clip->name);
  g_autofree gchar *launch = NULL;
  g_autoptr (GstElement) pipeline = NULL;
  g_autoptr (GstElement) source = NULL;
  g_autoptr (GError) error = NULL;
  gdouble lanczos_sum = 0, ours_sum = 0, lanczos_psnr, ours_psnr;
  guint n = 0;

  if (!g_file_test (path, G_FILE_TEST_EXISTS)) {
    g_test_skip ("no shared clips here");
    return;
  }
  launch = g_strdup_printf (
      "filesrc name=source ! decodebin ! videoconvert ! "
      "video/x-raw,format=I420 ! videocrop name=crop ! "
      "video/x-raw,width=%d,height=%d ! tee name=whole ! queue ! "
      "appsink name=original sync=false max-buffers=2 "
      "whole. ! queue ! videoscale method=catrom ! "
      "video/x-raw,width=%d,height=%d ! tee name=half ! queue ! "
      "videoscale method=lanczos ! video/x-raw,width=%d,height=%d ! "
      "appsink name=lanczos sync=false max-buffers=2 "
      "half. ! queue ! srganupscale preset=fast scale=2 ! "
      "appsink name=ours sync=false max-buffers=2",
      clip->width, clip->height, clip->width / 2, clip->height / 2, clip->width,
      clip->height);
  pipeline =
      gst_parse_launch_full (launch, NULL, GST_PARSE_FLAG_FATAL_ERRORS, &error);
  if (g_error_matches (
          error, GST_PARSE_ERROR, GST_PARSE_ERROR_NO_SUCH_ELEMENT)) {
    g_test_skip (error->message);
    return;
  }
  g_assert_no_error (error);
  source = gst_bin_get_by_name (GST_BIN (pipeline), "source");
  g_object_set (source, "location", path, NULL);
  g_object_unref (source);
  source = gst_bin_get_by_name (GST_BIN (pipeline), "crop");
  g_object_set (source, "left", 0, "right", -1, "bottom", -1, NULL);
  if (!g_test_thorough ()) {
    gst_element_set_state (pipeline, GST_STATE_PAUSED);
    g_assert_cmpint (
        gst_element_get_state (pipeline, NULL, NULL, GST_CLOCK_TIME_NONE), ==,
        GST_STATE_CHANGE_SUCCESS);
    g_assert_true (gst_element_seek_simple (pipeline, GST_FORMAT_TIME,
        GST_SEEK_FLAG_FLUSH | GST_SEEK_FLAG_KEY_UNIT,
        clip->start * GST_SECOND));
  }
  gst_element_set_state (pipeline, GST_STATE_PLAYING);

  for (; g_test_thorough () || n < FEW_FRAMES; n++) {
    g_autoptr (GstSample) original = pull (pipeline, "original");
    g_autoptr (GstSample) lanczos = pull (pipeline, "lanczos");
    g_autoptr (GstSample) ours = pull (pipeline, "ours");

    /* All end together. */
    g_assert_true (!original == !ours);
    if (!original)
      break;
    if (n == 0)
      check_same_signal (original, ours);
    g_assert_cmpuint (GST_BUFFER_PTS (gst_sample_get_buffer (original)), ==,
        GST_BUFFER_PTS (gst_sample_get_buffer (ours)));
    g_assert_cmpuint (GST_BUFFER_DURATION (gst_sample_get_buffer (original)),
        ==, GST_BUFFER_DURATION (gst_sample_get_buffer (ours)));
    lanczos_sum += compare_luma (original, lanczos);
    ours_sum += compare_luma (original, ours);
  }
  gst_element_set_state (pipeline, GST_STATE_NULL);
  g_assert_cmpuint (n, >=, FEW_FRAMES);
  lanczos_psnr = psnr (lanczos_sum / n);
  ours_psnr = psnr (ours_sum / n);
  g_test_message ("%u frames: Lanczos %.2f dB, ours %.2f dB: %+.2f dB", n,
      lanczos_psnr, ours_psnr, ours_psnr - lanczos_psnr);
  g_assert_cmpfloat (ours_psnr - lanczos_psnr, >=, GAIN);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  gst_init (&argc, &argv);
  for (guint i = 0; i < G_N_ELEMENTS (clips); i++) {
    g_autofree gchar *path = g_strdup_printf ("/quality/%s", clips[i].name);

    g_test_add_data_func (path, &clips[i], test_clip);
  }
  return g_test_run ();
}
