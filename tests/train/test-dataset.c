/* Patches: what they show, that they are a function of the step alone, and
 * which pictures are held back.
 *
 * SPDX-License-Identifier: MIT
 */
#include "train/dataset.h"

#include <math.h>
#include <string.h>

#include <gdk-pixbuf/gdk-pixbuf.h>
#include <glib/gstdio.h>
#include <gst/app/app.h>
#include <gst/gst.h>

#include "pictures.h"
#include "train/clip.h"
#include "train/codec.h"
#include "train/picture.h"
#include "train/resample.h"

#define PATCH 16

static void
set (SrganRecipe *recipe, const gchar *group, const gchar *key,
    const gchar *value)
{
  GError *error = NULL;

  srgan_recipe_set (recipe, group, key, value, &error);
  g_assert_no_error (error);
}

static SrganRecipe *
make_recipe (const gchar *folder, const gchar *scale)
{
  SrganRecipe *recipe = srgan_recipe_new ();

  set (recipe, "network", "scale", scale);
  set (recipe, "data", "folder", folder);
  set (recipe, "data", "patch", "16");
  set (recipe, "training", "batch", "5");
  return recipe;
}

static SrganDataset *
open_dataset (const SrganRecipe *recipe)
{
  GError *error = NULL;
  SrganDataset *dataset = srgan_dataset_new (recipe, NULL, NULL, NULL, &error);

  g_assert_no_error (error);
  return dataset;
}

/* The target reduced again is the input, but near its edges, where the input
 * knows of what lies beyond. */
static void
test_pairs (void)
{
  static const gchar *const scales[] = {"2", "3", "4"};
  g_autofree gchar *folder = test_folder_new (6, 200);

  for (guint s = 0; s < G_N_ELEMENTS (scales); s++) {
    g_autoptr (SrganRecipe) recipe = make_recipe (folder, scales[s]);
    g_autoptr (SrganDataset) dataset = open_dataset (recipe);
    guint scale = recipe->scale, side = PATCH * scale;
    g_autofree gfloat *input = g_new (gfloat, PATCH * PATCH);
    g_autofree gfloat *again = g_new (gfloat, PATCH * PATCH);
    g_autofree gfloat *target = g_new (gfloat, side * side);
    g_autofree gfloat *scratch = g_new (gfloat, PATCH * side);
    g_autoptr (SrganResampler) down = srgan_resampler_new (
        SRGAN_RESAMPLE_BICUBIC, side, PATCH, 1. / scale, 0);

    for (guint step = 0; step < 40; step++) {
      srgan_dataset_make_patch (dataset, step, step % 5, input, target);
      srgan_resample (down, down, target, again, scratch);
      for (guint y = 2; y < PATCH - 2; y++)
        for (guint x = 2; x < PATCH - 2; x++)
          g_assert_cmpfloat_with_epsilon (
              input[y * PATCH + x], CLAMP (again[y * PATCH + x], 0, 1), 2e-5);
      for (guint i = 0; i < side * side; i++)
        g_assert_true (target[i] > -.1 && target[i] < 1.1);
    }
  }
  test_folder_remove (folder);
}

/* Every share of softening and every way down gives patches of the picture's
 * brightness. */
static void
test_ways (void)
{
  static const gchar *const ways[] = {"bicubic", "box", "bicubic-linear",
      "box-linear", "bilinear", "lanczos", "bilinear-linear", "lanczos-linear"};
  g_autofree gchar *folder = test_folder_new (4, 200);
  gfloat input[PATCH * PATCH], target[PATCH * PATCH * 4];

  for (guint w = 0; w < G_N_ELEMENTS (ways); w++)
    for (guint blurred = 0; blurred < 2; blurred++) {
      g_autoptr (SrganRecipe) recipe = make_recipe (folder, "2");
      g_autoptr (SrganDataset) dataset = NULL;

      set (recipe, "data", "downscale", ways[w]);
      set (recipe, "data", "softened", "1");
      set (recipe, "data", "blurred", blurred ? "1" : "0");
      set (recipe, "data", "round", "true");
      dataset = open_dataset (recipe);
      for (guint step = 0; step < 20; step++) {
        gdouble small = 0, large = 0;

        srgan_dataset_make_patch (dataset, step, 0, input, target);
        for (guint i = 0; i < PATCH * PATCH; i++) {
          small += input[i] / (PATCH * PATCH);
          g_assert_cmpfloat_with_epsilon (
              input[i] * 255, rint (input[i] * 255), 1e-3);
        }
        for (guint i = 0; i < PATCH * PATCH * 4; i++)
          large += target[i] / (PATCH * PATCH * 4);
        g_assert_cmpfloat_with_epsilon (small, large, .03);
      }
    }
  test_folder_remove (folder);
}

static void
test_prefetch (void)
{
  static const gchar *const threads[] = {"1", "3"};
  g_autofree gchar *folder = test_folder_new (4, 120);
  gfloat input[PATCH * PATCH], target[PATCH * PATCH * 4];

  for (guint t = 0; t < G_N_ELEMENTS (threads); t++) {
    g_autoptr (SrganRecipe) recipe = make_recipe (folder, "2");
    g_autoptr (SrganDataset) dataset = NULL;
    g_autoptr (SrganPrefetch) prefetch = NULL;

    set (recipe, "data", "prefetch-threads", threads[t]);
    dataset = open_dataset (recipe);
    prefetch = srgan_prefetch_new (dataset, recipe, 7, 0);
    for (guint step = 7; step < 40; step++) {
      const gfloat *inputs, *targets;

      srgan_prefetch_next (prefetch, &inputs, &targets);
      for (guint i = 0; i < recipe->batch; i++) {
        srgan_dataset_make_patch (dataset, step, i, input, target);
        g_assert_cmpmem (
            input, sizeof input, inputs + i * PATCH * PATCH, sizeof input);
        g_assert_cmpmem (target, sizeof target, targets + i * PATCH * PATCH * 4,
            sizeof target);
      }
    }
  }
  test_folder_remove (folder);
}

/* The mean distance, in codes, of inputs and their reduced targets, of one
 * channel, edges left out. */
static gdouble
measure_distance (SrganDataset *dataset, guint channels, guint channel)
{
  const guint side = 2 * PATCH;
  g_autofree gfloat *input = g_new (gfloat, PATCH * PATCH * channels);
  g_autofree gfloat *target = g_new (gfloat, side * side * channels);
  g_autofree gfloat *plane = g_new (gfloat, side * side);
  g_autofree gfloat *again = g_new (gfloat, PATCH * PATCH);
  g_autofree gfloat *scratch = g_new (gfloat, PATCH * side);
  g_autoptr (SrganResampler) down =
      srgan_resampler_new (SRGAN_RESAMPLE_BICUBIC, side, PATCH, .5, 0);
  gdouble sum = 0;
  guint n = 0;

  for (guint step = 0; step < 40; step++) {
    srgan_dataset_make_patch (dataset, step, 0, input, target);
    for (guint i = 0; i < side * side; i++)
      plane[i] = target[i * channels + channel];
    srgan_resample (down, down, plane, again, scratch);
    for (guint y = 2; y < PATCH - 2; y++)
      for (guint x = 2; x < PATCH - 2; x++, n++)
        sum += fabsf (
            input[(y * PATCH + x) * channels + channel] - again[y * PATCH + x]);
  }
  g_assert_true (srgan_dataset_check (dataset, NULL));
  return 255 * sum / n;
}

/* What a codec leaves lies where its target lies, in its colours, the closer
 * the better the quality, and is the same whenever it is made. */
static void
test_degraded (void)
{
  static const struct {
    const gchar *key, *range, *good, *bad;
  } codecs[] = {
      {"x264", "x264-crf", "1;2", "38;40"},
      {"jpeg", "jpeg-quality", "98;99", "8;10"},
  };
  static const gchar *const colours[] = {"y", "rgb"};
  g_autofree gchar *folder = test_folder_new (3, 101);

  if (!srgan_codec_check (SRGAN_CODEC_X264, NULL) ||
      !srgan_codec_check (SRGAN_CODEC_JPEG, NULL)) {
    g_test_skip ("GStreamer's codecs are not installed");
    test_folder_remove (folder);
    return;
  }
  for (guint c = 0; c < G_N_ELEMENTS (codecs); c++)
    for (guint rgb = 0; rgb < 2; rgb++) {
      guint channels = rgb ? 3 : 1;
      g_autoptr (SrganRecipe) recipe = make_recipe (folder, "2");
      g_autoptr (SrganDataset) first = NULL, second = NULL;
      gfloat a[PATCH * PATCH * 3], b[PATCH * PATCH * 3];
      gfloat target[PATCH * PATCH * 4 * 3];
      gdouble good[3];

      set (recipe, "network", "colour", colours[rgb]);
      set (recipe, "data", "softened", "0.7");
      set (recipe, "data", "x264-preset", "veryfast");
      set (recipe, "data", codecs[c].key, "1");
      set (recipe, "data", codecs[c].range, codecs[c].good);
      first = open_dataset (recipe);
      for (guint k = 0; k < channels; k++) {
        good[k] = measure_distance (first, channels, k);
        /* the colours of 4:2:0 have half the pixels */
        g_assert_cmpfloat (good[k], <, rgb ? 12 : 2);
      }

      second = open_dataset (recipe);
      for (guint step = 30; step-- > 0;) {
        srgan_dataset_make_patch (first, step, 3, a, target);
        srgan_dataset_make_patch (second, step, 3, b, target);
        g_assert_cmpmem (a, PATCH * PATCH * channels * sizeof (gfloat), b,
            PATCH * PATCH * channels * sizeof (gfloat));
      }
      srgan_dataset_free (g_steal_pointer (&second));

      set (recipe, "data", codecs[c].range, codecs[c].bad);
      second = open_dataset (recipe);
      for (guint k = 0; k < channels; k++)
        g_assert_cmpfloat (
            measure_distance (second, channels, k), >, 1.3 * good[k]);
    }
  test_folder_remove (folder);
}

static void
count_messages (const gchar *message, gpointer data)
{
  if (g_str_has_prefix (message, "reading: "))
    return; /* a slow machine */
  g_assert_true (g_str_has_prefix (message, "left out: "));
  (*(guint *) data)++;
}

static void
add_file (const gchar *folder, const gchar *name, const gchar *contents)
{
  g_autofree gchar *path = g_build_filename (folder, name, NULL);

  g_assert_true (g_file_set_contents (path, contents, -1, NULL));
}

static void
add_picture (const gchar *folder, const gchar *name, guint width, guint height)
{
  g_autoptr (SrganPicture) picture = test_picture_new_scene (width, height, 1);
  g_autofree gchar *path = g_build_filename (folder, name, NULL);

  g_assert_true (srgan_picture_save (picture, path, NULL));
}

/* --- Pairs ------------------------------------------------------------- */

/* @n pairs in two new folders of @folder, the larger each of the smaller's
 * pixels four times. Returns data.pairs. (transfer full) */
static gchar *
add_pairs (const gchar *folder, guint n, const gchar *suffix)
{
  g_autofree gchar *small = g_build_filename (folder, "LR", NULL);
  g_autofree gchar *large = g_build_filename (folder, "Base", NULL);

  g_mkdir (small, 0777);
  g_mkdir (large, 0777);
  for (guint i = 0; i < n; i++) {
    g_autoptr (SrganPicture) input = test_picture_new_scene (60, 40, i);
    g_autoptr (SrganPicture) target = srgan_picture_new (120, 80);
    g_autofree gchar *input_path =
        g_strdup_printf ("%s/scene%u%s.png", small, i, suffix);
    g_autofree gchar *path = g_strdup_printf ("%s/scene%u.png", large, i);

    for (guint y = 0; y < target->height; y++)
      for (guint x = 0; x < target->width; x++)
        memcpy (target->rgb + 3 * (y * target->width + x),
            input->rgb + 3 * (y / 2 * input->width + x / 2), 3);
    g_assert_true (srgan_picture_save (input, input_path, NULL));
    g_assert_true (srgan_picture_save (target, path, NULL));
  }
  return g_strdup_printf ("%s;%s/", small, large);
}

/* Pixels lie where they lay, whatever the recipe does to pictures. */
static void
test_ready_pairs (void)
{
  static const gchar *const suffixes[] = {"", "x2"};

  for (guint s = 0; s < G_N_ELEMENTS (suffixes); s++) {
    g_autofree gchar *folder = test_folder_new (0, 0);
    g_autofree gchar *pairs = add_pairs (folder, 6, suffixes[s]);
    g_autoptr (SrganRecipe) recipe = make_recipe ("", "2");
    g_autoptr (SrganDataset) dataset = NULL;
    guint channels = s == 0 ? 1 : 3;
    gfloat input[PATCH * PATCH * 3], target[PATCH * PATCH * 4 * 3];

    set (recipe, "network", "colour", s == 0 ? "y" : "rgb");
    set (recipe, "data", "pairs", pairs);
    set (recipe, "data", "softened", "1");
    set (recipe, "data", "downscale", "lanczos-linear");
    set (recipe, "data", "brightness", "-0.1;0.1");
    dataset = open_dataset (recipe);
    for (guint step = 0; step < 40; step++) {
      srgan_dataset_make_patch (dataset, step, 1, input, target);
      for (guint y = 0; y < 2 * PATCH; y++)
        for (guint x = 0; x < 2 * PATCH; x++)
          for (guint c = 0; c < channels; c++)
            g_assert_cmpfloat (target[(y * 2 * PATCH + x) * channels + c], ==,
                input[(y / 2 * PATCH + x / 2) * channels + c]);
    }
    for (guint i = 0; i < srgan_dataset_get_n_validation (dataset); i++) {
      guint side = srgan_dataset_get_validation_patch (dataset);
      g_autofree gfloat *small = g_new (gfloat, side * side * channels);
      g_autofree gfloat *large = g_new (gfloat, side * side * 4 * channels);

      srgan_dataset_make_validation_patch (dataset, i, small, large);
      for (guint x = 0; x < 2 * side; x++)
        g_assert_cmpfloat (large[x * channels], ==, small[x / 2 * channels]);
    }
    test_folder_remove (folder);
  }
}

/* --- Videos ------------------------------------------------------------ */

/* A frame a second, number i of luma 16 + 3 i. */
#define CLIP_SIDE 80
#define CLIP_SECONDS 60

static void
add_clip (const gchar *path)
{
  g_autofree gchar *description = g_strdup_printf (
      "appsrc name=in format=time "
      "caps=video/x-raw,format=I420,width=%u,height=%u,framerate=1/1 ! "
      "x264enc key-int-max=8 pass=qual quantizer=4 speed-preset=ultrafast ! "
      "matroskamux ! filesink location=\"%s\"",
      CLIP_SIDE, CLIP_SIDE, path);
  GError *error = NULL;
  g_autoptr (GstElement) pipeline = gst_parse_launch (description, &error);
  g_autoptr (GstElement) in = NULL;
  g_autoptr (GstBus) bus = NULL;
  const guint n = CLIP_SIDE * CLIP_SIDE;

  g_assert_no_error (error);
  in = gst_bin_get_by_name (GST_BIN (pipeline), "in");
  bus = gst_element_get_bus (pipeline);
  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  for (guint i = 0; i < CLIP_SECONDS; i++) {
    GstBuffer *buffer = gst_buffer_new_allocate (NULL, n * 3 / 2, NULL);

    gst_buffer_memset (buffer, 0, (guint8) (16 + 3 * i), n);
    gst_buffer_memset (buffer, n, 128, n / 2);
    GST_BUFFER_PTS (buffer) = i * GST_SECOND;
    GST_BUFFER_DURATION (buffer) = GST_SECOND;
    gst_app_src_push_buffer (GST_APP_SRC (in), buffer);
  }
  gst_app_src_end_of_stream (GST_APP_SRC (in));
  gst_message_unref (gst_bus_timed_pop_filtered (
      bus, GST_CLOCK_TIME_NONE, GST_MESSAGE_EOS | GST_MESSAGE_ERROR));
  gst_element_set_state (pipeline, GST_STATE_NULL);
}

/* The number of the frame that has this luma. */
static gint
find_frame (gdouble luma)
{
  return (gint) rint ((luma - 16) / 3);
}

/* Read in a row or gone to, the frames are the same. */
static void
check_seeking (const gchar *path)
{
  static const gdouble times[] = {0, .5, 1, 1.5, 5, 5.4, 17, 41.9, 42, 58.1};
  GError *error = NULL;
  g_autoptr (SrganClip) clip = srgan_clip_open (path, SRGAN_CODEC_420, &error);
  guint8 *frame;

  g_assert_no_error (error);
  g_assert_cmpfloat_with_epsilon (
      srgan_clip_get_duration (clip), CLIP_SECONDS, 1.1);
  for (guint i = 0; i < G_N_ELEMENTS (times); i++) {
    gint expected = (gint) ceil (times[i]);

    if (srgan_clip_get_time (clip) >= times[i])
      continue;
    frame = srgan_clip_read_at (clip, times[i], &error);
    g_assert_no_error (error);
    g_assert_cmpint (find_frame (frame[CLIP_SIDE + 1]), ==, expected);
    g_assert_cmpfloat_with_epsilon (srgan_clip_get_time (clip), expected, 1e-3);
    g_free (frame);
  }
  frame = srgan_clip_read_at (clip, CLIP_SECONDS + 1, &error);
  g_assert_no_error (error);
  g_assert_null (frame);
}

static gint
find_frame_of_patch (const gfloat *input)
{
  return find_frame (input[PATCH + 1] * 255);
}

/* Frames of all of the file, those held back not beside those learnt from. */
static void
check_clip_dataset (const gchar *path, const gchar *frames, gboolean twice)
{
  g_autoptr (SrganRecipe) recipe = make_recipe (path, "2");
  g_autoptr (SrganDataset) dataset = NULL, again = NULL;
  gboolean learnt[CLIP_SECONDS + 1] = {FALSE}, held_back[CLIP_SECONDS + 1];
  gfloat a[PATCH * PATCH], b[PATCH * PATCH], target[PATCH * PATCH * 4];
  guint side, n_learnt = 0, last = 0;

  set (recipe, "data", "softened", "0");
  set (recipe, "data", "video-frames", frames);
  set (recipe, "data", "video-crop", "48");
  dataset = open_dataset (recipe);
  if (twice)
    again = open_dataset (recipe);
  for (guint step = 600; step-- > 0;) {
    srgan_dataset_make_patch (dataset, step, 0, a, target);
    learnt[find_frame_of_patch (a)] = TRUE;
    if (again == NULL || step >= 40)
      continue;
    srgan_dataset_make_patch (again, step, 0, b, target);
    g_assert_cmpmem (a, sizeof a, b, sizeof b);
  }
  memset (held_back, 0, sizeof held_back);
  side = srgan_dataset_get_validation_patch (dataset);
  g_assert_cmpuint (side, ==, 24);
  for (guint i = 0; i < srgan_dataset_get_n_validation (dataset); i++) {
    g_autofree gfloat *small = g_new (gfloat, side * side);
    g_autofree gfloat *large = g_new (gfloat, side * side * 4);

    srgan_dataset_make_validation_patch (dataset, i, small, large);
    held_back[find_frame (small[0] * 255)] = TRUE;
  }
  for (guint i = 0; i <= CLIP_SECONDS; i++) {
    n_learnt += learnt[i];
    g_assert_false (learnt[i] && held_back[i]);
    if (i > 0) {
      g_assert_false (learnt[i] && held_back[i - 1]);
      g_assert_false (learnt[i - 1] && held_back[i]);
    }
    if (learnt[i] || held_back[i])
      last = i;
  }
  g_assert_cmpuint (n_learnt, ==, srgan_dataset_get_n_training (dataset));
  g_assert_cmpuint (last, >, CLIP_SECONDS - 12);
}

static void
note_message (const gchar *message, gpointer data)
{
  g_string_append (data, message);
}

static void
test_videos (void)
{
  g_autofree gchar *folder = test_folder_new (3, 96);
  g_autofree gchar *path = g_build_filename (folder, "clip.mkv", NULL);
  g_autofree gchar *broken = g_build_filename (folder, "broken.mp4", NULL);
  g_autoptr (SrganRecipe) recipe = make_recipe (folder, "2");
  g_autoptr (SrganDataset) dataset = NULL;
  g_autoptr (GString) messages = g_string_new (NULL);
  GError *error = NULL;

  if (!srgan_codec_check (SRGAN_CODEC_X264, NULL)) {
    g_test_skip ("GStreamer's codecs are not installed");
    test_folder_remove (folder);
    return;
  }
  add_clip (path);
  check_seeking (path);
  /* more than there are: read in a row */
  check_clip_dataset (path, "100", FALSE);
  check_clip_dataset (path, "20", TRUE);

  /* among pictures, in colours, beside what cannot be played */
  g_assert_true (g_file_set_contents (broken, "this is no video", -1, NULL));
  set (recipe, "network", "colour", "rgb");
  set (recipe, "data", "video-frames", "20");
  dataset = srgan_dataset_new (recipe, NULL, note_message, messages, &error);
  g_assert_no_error (error);
  g_assert_nonnull (strstr (messages->str, broken));
  g_assert_cmpuint (srgan_dataset_get_n_left_out (dataset), ==, 1);
  g_assert_cmpuint (srgan_dataset_get_n_training (dataset) +
                        srgan_dataset_get_n_validation (dataset),
      >=, 3 + 17);

  /* cut short: what is there is used, and the rest counted */
  srgan_dataset_free (g_steal_pointer (&dataset));
  {
    g_autofree gchar *contents = NULL;
    gsize length;

    g_assert_true (g_file_get_contents (path, &contents, &length, NULL));
    g_assert_true (
        g_file_set_contents (broken, contents, (gssize) length / 2, NULL));
  }
  dataset = srgan_dataset_new (recipe, NULL, note_message, messages, &error);
  g_assert_no_error (error);
  g_assert_nonnull (strstr (messages->str, "left out: the rest after"));
  g_assert_cmpuint (srgan_dataset_get_n_left_out (dataset), ==, 1);

  /* alone: the reason itself */
  g_assert_true (g_file_set_contents (broken, "this is no video", -1, NULL));
  set (recipe, "data", "folder", broken);
  g_assert_null (srgan_dataset_new (recipe, NULL, NULL, NULL, &error));
  g_assert_error (error, SRGAN_ERROR, SRGAN_ERROR_READ);
  g_assert_nonnull (strstr (error->message, broken));
  g_clear_error (&error);
  test_folder_remove (folder);
}

/* --- Files -------------------------------------------------------------- */

/* Every kind of picture file. */
static void
test_formats (void)
{
  static const gchar *const kinds[] = {"png", "jpeg", "bmp", "tiff", "webp"};
  g_autofree gchar *folder = test_folder_new (0, 0);
  g_autoptr (SrganPicture) picture = test_picture_new_smooth (64, 48, 0);
  g_autoptr (GdkPixbuf) pixbuf =
      gdk_pixbuf_new_from_data (picture->rgb, GDK_COLORSPACE_RGB, FALSE, 8,
          picture->width, picture->height, 3 * picture->width, NULL, NULL);
  g_autoptr (GPtrArray) paths = NULL;
  guint n = 0;
  GError *error = NULL;

  for (guint i = 0; i < G_N_ELEMENTS (kinds); i++) {
    g_autofree gchar *name = g_strconcat ("picture.", kinds[i], NULL);
    g_autofree gchar *path = g_build_filename (folder, name, NULL);
    g_autoptr (SrganPicture) read = NULL;
    guint64 sum = 0;

    if (!gdk_pixbuf_save (pixbuf, path, kinds[i], &error, NULL)) {
      /* WebP's loader is a package of its own */
      g_assert_cmpstr (kinds[i], ==, "webp");
      g_test_message ("%s", error->message);
      g_clear_error (&error);
      g_remove (path);
      continue;
    }
    n++;
    read = srgan_picture_load (path, &error);
    g_assert_no_error (error);
    g_assert_cmpuint (read->width, ==, picture->width);
    g_assert_cmpuint (read->height, ==, picture->height);
    for (guint k = 0; k < 3 * picture->width * picture->height; k++)
      sum += (guint) ABS (read->rgb[k] - picture->rgb[k]);
    /* JPEG and WebP have half of the colours' pixels */
    g_assert_cmpuint (
        sum, <=, (i == 1 || i == 4) * 8 * 3 * picture->width * picture->height);
  }
  paths = srgan_picture_list (folder, 0, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (paths->len, ==, n);
  test_folder_remove (folder);
}

/* Broken and small ones are named, counted and left out; the rest trains. */
static void
test_left_out (void)
{
  g_autofree gchar *folder = test_folder_new (5, 100);
  g_autoptr (SrganRecipe) recipe = make_recipe (folder, "2");
  g_autoptr (SrganDataset) dataset = NULL;
  GError *error = NULL;
  guint n = 0;

  set (recipe, "data", "held-back", "0.2");
  add_file (folder, "broken.png", "this is no picture");
  add_file (folder, "empty.jpg", "");
  add_file (folder, "notes.txt", "not looked at");
  add_picture (folder, "dot.png", 1, 1);
  add_picture (folder, "narrow.png", 300, 20);
  for (guint i = 0; i < 20; i++) {
    g_autofree gchar *name = g_strdup_printf ("large%u_%u.png", i / 2, i % 2);

    add_picture (folder, name, 200, 200);
  }
  dataset = srgan_dataset_new (recipe, NULL, count_messages, &n, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (n, ==, srgan_dataset_get_n_left_out (dataset));
  g_assert_cmpuint (n, ==, 4);
  g_assert_cmpuint (srgan_dataset_get_n_training (dataset) +
                        srgan_dataset_get_n_validation (dataset) + n,
      ==, 29);
  g_assert_cmpuint (srgan_dataset_get_n_validation (dataset), >, 0);
  test_folder_remove (folder);
}

/* What is held back, or lies in a folder of its own, up to the maximum. */
static void
test_validation (void)
{
  g_autofree gchar *folder = test_folder_new (9, 96);
  g_autofree gchar *others = test_folder_new (5, 96);
  g_autoptr (SrganRecipe) recipe = make_recipe (folder, "2");
  SrganDataset *dataset;

  set (recipe, "data", "held-back", "0.7");
  set (recipe, "data", "validation-pictures", "2");
  dataset = open_dataset (recipe);
  g_assert_cmpuint (srgan_dataset_get_n_validation (dataset), ==, 2);
  g_assert_cmpuint (srgan_dataset_get_n_training (dataset), <, 7);
  srgan_dataset_free (dataset);

  set (recipe, "validation", "folder", others);
  set (recipe, "data", "validation-pictures", "3");
  dataset = open_dataset (recipe);
  g_assert_cmpuint (srgan_dataset_get_n_validation (dataset), ==, 3);
  g_assert_cmpuint (srgan_dataset_get_n_training (dataset), ==, 9);
  srgan_dataset_free (dataset);
  test_folder_remove (folder);
  test_folder_remove (others);
}

/* Of pairs: without a namesake on either side, of another size, broken. */
static void
test_pairs_left_out (void)
{
  g_autofree gchar *folder = test_folder_new (0, 0);
  g_autofree gchar *pairs = add_pairs (folder, 5, "");
  g_autoptr (SrganRecipe) recipe = make_recipe ("", "2");
  g_autoptr (SrganDataset) dataset = NULL;
  g_autoptr (GString) messages = g_string_new (NULL);
  static const gchar *const names[] = {
      "lonely", "alone", "LR/odd.png", "Base/odd.png", "broken"};
  GError *error = NULL;

  add_picture (folder, "LR/lonely.png", 60, 40);
  add_picture (folder, "Base/alone.png", 120, 80);
  add_picture (folder, "LR/odd.png", 60, 40);
  add_picture (folder, "Base/odd.png", 120, 82);
  add_picture (folder, "Base/broken.png", 120, 80);
  add_file (folder, "LR/broken.png", "this is no picture");
  /* a row that modcrop would cut off is no mistake */
  add_picture (folder, "LR/more.png", 60, 40);
  add_picture (folder, "Base/more.png", 121, 81);
  set (recipe, "data", "pairs", pairs);
  dataset = srgan_dataset_new (recipe, NULL, note_message, messages, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (srgan_dataset_get_n_left_out (dataset), ==, 4);
  g_assert_cmpuint (srgan_dataset_get_n_training (dataset) +
                        srgan_dataset_get_n_validation (dataset),
      ==, 6);
  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    g_assert_nonnull (strstr (messages->str, names[i]));
  test_folder_remove (folder);
}

static void
test_errors (void)
{
  g_autofree gchar *folder = test_folder_new (0, 0);
  g_autoptr (SrganRecipe) recipe = make_recipe (folder, "2");
  g_autoptr (GError) error = NULL;

  g_assert_null (srgan_dataset_new (recipe, NULL, NULL, NULL, &error));
  g_assert_error (error, SRGAN_ERROR, SRGAN_ERROR_NOT_FOUND);
  g_assert_nonnull (strstr (error->message, folder));
  g_assert_nonnull (strstr (error->message, "empty"));
  g_clear_error (&error);

  add_file (folder, "a.txt", "text");
  g_assert_null (srgan_dataset_new (recipe, NULL, NULL, NULL, &error));
  g_assert_error (error, SRGAN_ERROR, SRGAN_ERROR_NOT_FOUND);
  g_assert_nonnull (strstr (error->message, "none of its 1 files"));
  g_clear_error (&error);

  add_picture (folder, "dot.png", 1, 1);
  g_assert_null (srgan_dataset_new (recipe, NULL, NULL, NULL, &error));
  g_assert_error (error, SRGAN_ERROR, SRGAN_ERROR_INVALID);
  g_assert_nonnull (strstr (error->message, folder));
  g_clear_error (&error);
  test_folder_remove (folder);

  g_assert_null (srgan_dataset_new (recipe, NULL, NULL, NULL, &error));
  g_assert_error (error, SRGAN_ERROR, SRGAN_ERROR_NOT_FOUND);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/train/dataset/pairs", test_pairs);
  g_test_add_func ("/train/dataset/ways", test_ways);
  g_test_add_func ("/train/dataset/degraded", test_degraded);
  g_test_add_func ("/train/dataset/prefetch", test_prefetch);
  g_test_add_func ("/train/dataset/ready-pairs", test_ready_pairs);
  g_test_add_func ("/train/dataset/videos", test_videos);
  g_test_add_func ("/train/dataset/formats", test_formats);
  g_test_add_func ("/train/dataset/left-out", test_left_out);
  g_test_add_func ("/train/dataset/validation", test_validation);
  g_test_add_func ("/train/dataset/pairs-left-out", test_pairs_left_out);
  g_test_add_func ("/train/dataset/errors", test_errors);
  return g_test_run ();
}
