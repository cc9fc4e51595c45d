/* Patches: what they show, that they are a function of the step alone, and
 * which pictures are held back.
 *
 * SPDX-License-Identifier: MIT
 */
#include "train/dataset.h"

#include <math.h>
#include <string.h>

#include "pictures.h"
#include "train/codec.h"
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

static void
test_errors (void)
{
  g_autofree gchar *folder = test_folder_new (0, 0);
  g_autoptr (SrganRecipe) recipe = make_recipe (folder, "2");
  g_autoptr (GError) error = NULL;

  g_assert_null (srgan_dataset_new (recipe, NULL, NULL, NULL, &error));
  g_assert_error (error, SRGAN_ERROR, SRGAN_ERROR_NOT_FOUND);
  g_assert_nonnull (strstr (error->message, folder));
  g_clear_error (&error);

  add_file (folder, "a.txt", "text");
  g_assert_null (srgan_dataset_new (recipe, NULL, NULL, NULL, &error));
  g_assert_error (error, SRGAN_ERROR, SRGAN_ERROR_NOT_FOUND);
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
  g_test_add_func ("/train/dataset/left-out", test_left_out);
  g_test_add_func ("/train/dataset/errors", test_errors);
  return g_test_run ();
}
