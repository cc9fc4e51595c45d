/* Recipes: every key there and back, and errors that name what is wrong.
 *
 * SPDX-License-Identifier: MIT
 */
#include <srgan/srgan-train.h>

#include <glib/gstdio.h>
#include <string.h>

#include "train/recipe.h"

static gchar *
write_recipe (const gchar *text)
{
  gchar *path;
  gint file = g_file_open_tmp ("recipe-XXXXXX.conf", &path, NULL);

  g_assert_cmpint (file, >=, 0);
  g_close (file, NULL);
  g_assert_true (g_file_set_contents (path, text, -1, NULL));
  return path;
}

/* What is printed can be read again, and says the same. */
static void
test_round_trip (void)
{
  g_autoptr (SrganRecipe) recipe = srgan_recipe_new ();
  g_autoptr (SrganRecipe) other = srgan_recipe_new ();
  g_autofree gchar *text = NULL, *plain = NULL, *again = NULL, *path = NULL;
  GError *error = NULL;

  srgan_recipe_set (recipe, "data", "blur-sigma", "0.1;0.7", &error);
  g_assert_no_error (error);
  srgan_recipe_set (recipe, "data", "downscale", "box;bicubic-linear", &error);
  g_assert_no_error (error);
  srgan_recipe_set (recipe, "training", "learning-rate", "1e-4", &error);
  g_assert_no_error (error);
  srgan_recipe_set (
      recipe, "output", "training-data", "a, b; c = \xc3\xa4", &error);
  g_assert_no_error (error);

  text = srgan_recipe_to_string (recipe, TRUE);
  plain = srgan_recipe_to_string (recipe, FALSE);
  path = write_recipe (text);
  g_assert_true (srgan_recipe_load (other, path, &error));
  g_assert_no_error (error);
  again = srgan_recipe_to_string (other, FALSE);
  g_assert_cmpstr (plain, ==, again);
  g_remove (path);
}

static void
test_get (void)
{
  g_autoptr (SrganRecipe) recipe = srgan_recipe_new ();
  g_autofree gchar *choice = srgan_recipe_get (recipe, "training", "loss");
  g_autofree gchar *number =
      srgan_recipe_get (recipe, "training", "learning-rate");
  g_autofree gchar *range = srgan_recipe_get (recipe, "data", "blur-sigma");

  g_assert_cmpstr (choice, ==, "l1");
  g_assert_cmpstr (number, ==, "0.003");
  g_assert_cmpstr (range, ==, "0.4;0.6");
  g_assert_null (srgan_recipe_get (recipe, "training", "no-such"));
}

static void
test_errors (void)
{
  static const struct {
    const gchar *group, *key, *value, *said;
  } wrong[] = {
      {"training", "learning-rat", "1", "learning-rat"},
      {"training", "learning-rat", "1", "warm-up"}, /* lists what there is */
      {"trainin", "steps", "1", "[trainin]"},
      {"training", "steps", "-1", "training.steps"},
      {"training", "steps", "2.5", "whole number"},
      {"training", "steps", "many", "many"},
      {"training", "steps", "", "training.steps"},
      {"training", "learning-rate", "nan", "learning-rate"},
      {"training", "learning-rate", "0,003", "0 .. 1"},
      {"training", "loss", "l3", "charbonnier"},
      {"network", "scale", "5", "1 .. 4"},
      {"data", "softened", "1.5", "0 .. 1"},
      {"data", "blur-sigma", "0.6;0.4", "LOW;HIGH"},
      {"data", "blur-sigma", "0.6", "LOW;HIGH"},
      {"data", "downscale", "bicubic;sinc", "box-linear"},
      {"data", "downscale", "", "data.downscale"},
      {"data", "flips", "yes", "true or false"},
  };

  for (guint i = 0; i < G_N_ELEMENTS (wrong); i++) {
    g_autoptr (SrganRecipe) recipe = srgan_recipe_new ();
    g_autoptr (GError) error = NULL;

    g_assert_false (srgan_recipe_set (
        recipe, wrong[i].group, wrong[i].key, wrong[i].value, &error));
    g_assert_error (error, SRGAN_ERROR, SRGAN_ERROR_INVALID);
    if (strstr (error->message, wrong[i].said) == NULL)
      g_error ("'%s' does not mention %s", error->message, wrong[i].said);
  }
}

/* Every key that does not hold a text refuses one, by its name. */
static void
test_nonsense (void)
{
  g_autoptr (SrganRecipe) recipe = srgan_recipe_new ();
  g_autoptr (GKeyFile) file = g_key_file_new ();
  g_autofree gchar *text = srgan_recipe_to_string (recipe, TRUE);
  g_auto (GStrv) groups = NULL;
  guint n_refused = 0;

  g_key_file_load_from_data (
      file, text, strlen (text), G_KEY_FILE_KEEP_COMMENTS, NULL);
  groups = g_key_file_get_groups (file, NULL);
  for (guint g = 0; groups[g] != NULL; g++) {
    g_auto (GStrv) keys = g_key_file_get_keys (file, groups[g], NULL, NULL);

    for (guint k = 0; keys[k] != NULL; k++) {
      g_autofree gchar *comment =
          g_key_file_get_comment (file, groups[g], keys[k], NULL);
      g_autofree gchar *name = g_strconcat (groups[g], ".", keys[k], NULL);
      g_autoptr (GError) error = NULL;

      g_assert_nonnull (comment);
      if (strstr (comment, "(text)") != NULL)
        continue;
      g_assert_false (
          srgan_recipe_set (recipe, groups[g], keys[k], "nonsense", &error));
      g_assert_error (error, SRGAN_ERROR, SRGAN_ERROR_INVALID);
      g_assert_nonnull (strstr (error->message, name));
      n_refused++;
    }
  }
  g_assert_cmpuint (n_refused, >, 80);
}

/* What other settings make idle is said, and nothing else. */
static void
test_idle (void)
{
  static const struct {
    const gchar *group, *key, *value, *said;
  } steps[] = {
      {"data", "x264-crf", "20;21",
          "data.x264-crf=20;21 does nothing: "
          "data.x264 is '0'"},
      {"data", "x264", "0.5", NULL},
      {"data", "variants", "3", NULL},
      {"data", "x264", "0", "data.x264-crf"},
      {"data", "x264-crf", "18;35", "data.variants"},
      {"data", "jpeg", "0.1", NULL},
      {"training", "loss", "l2", NULL},
      {"training", "charbonnier-epsilon", "0.1", "training.loss is 'l2'"},
      {"training", "loss", "charbonnier", NULL},
      {"features", "seed", "7", "features.seed"},
      {"adversarial", "steps", "7", NULL},
  };
  g_autoptr (SrganRecipe) recipe = srgan_recipe_new ();

  for (guint i = 0; i < G_N_ELEMENTS (steps); i++) {
    g_auto (GStrv) lines = NULL;
    g_autofree gchar *all = NULL;
    GError *error = NULL;

    srgan_recipe_set (
        recipe, steps[i].group, steps[i].key, steps[i].value, &error);
    g_assert_no_error (error);
    lines = srgan_recipe_find_idle (recipe);
    all = g_strjoinv (" ", lines);
    if (steps[i].said == NULL)
      g_assert_cmpstr (all, ==, "");
    else if (strstr (all, steps[i].said) == NULL)
      g_error ("'%s' does not mention %s", all, steps[i].said);
  }
}

static void
test_files (void)
{
  static const struct {
    const gchar *text, *said;
  } wrong[] = {
      {"[data]\npatch=48\n[data]\nptch=3\n", "ptch"},
      {"[nonsense]\nkey=1\n", "nonsense"},
      {"key without a group\n", "recipe"},
      {"[training]\nsteps\n", "recipe"},
      {"[data]\nfolder=\xff\xfe\n", "folder"},
  };

  for (guint i = 0; i < G_N_ELEMENTS (wrong); i++) {
    g_autoptr (SrganRecipe) recipe = srgan_recipe_new ();
    g_autoptr (GError) error = NULL;
    g_autofree gchar *path = write_recipe (wrong[i].text);

    g_assert_false (srgan_recipe_load (recipe, path, &error));
    g_assert_nonnull (error);
    g_assert_nonnull (strstr (error->message, path));
    if (strstr (error->message, wrong[i].said) == NULL)
      g_error ("'%s' does not mention %s", error->message, wrong[i].said);
    g_remove (path);
  }
  {
    g_autoptr (SrganRecipe) recipe = srgan_recipe_new ();
    g_autoptr (GError) error = NULL;

    g_assert_false (srgan_recipe_load (recipe, "/no/such/recipe", &error));
    g_assert_error (error, SRGAN_ERROR, SRGAN_ERROR_NOT_FOUND);
  }
}

/* The recipes of the networks that we ship. */
static void
test_ours (void)
{
  g_autofree gchar *folder = g_build_filename (
      g_getenv ("SRGAN_SOURCE_ROOT"), "srgan-core", "models", "recipes", NULL);
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  const gchar *name;

  g_assert_nonnull (dir);
  while ((name = g_dir_read_name (dir)) != NULL) {
    g_autoptr (SrganRecipe) recipe = srgan_recipe_new ();
    g_autofree gchar *path = g_build_filename (folder, name, NULL);
    g_autofree gchar *expected = NULL;
    g_autofree gchar *network = NULL;
    GError *error = NULL;

    g_assert_true (srgan_recipe_load (recipe, path, &error));
    g_assert_no_error (error);
    network = srgan_recipe_get (recipe, "network", "name");
    expected = g_strconcat (network, ".conf", NULL);
    g_assert_cmpstr (name, ==, expected);
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/train/recipe/round-trip", test_round_trip);
  g_test_add_func ("/train/recipe/get", test_get);
  g_test_add_func ("/train/recipe/errors", test_errors);
  g_test_add_func ("/train/recipe/nonsense", test_nonsense);
  g_test_add_func ("/train/recipe/idle", test_idle);
  g_test_add_func ("/train/recipe/files", test_files);
  g_test_add_func ("/train/recipe/ours", test_ours);
  return g_test_run ();
}
