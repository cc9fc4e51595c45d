/* srgan-eval: agrees with the protocol's own script, and with what we claim of
 * our networks.
 *
 * SPDX-License-Identifier: MIT
 */
#include "run-tool.h"
#include "train/pictures.h"

#include <json-glib/json-glib.h>
#include <srgan/srgan-network.h>
#include <stdio.h>
#include <string.h>

static gchar *
get_shared (const gchar *path)
{
  const gchar *shared = g_getenv ("SRGAN_SHARED");
  g_autofree gchar *beside = NULL;

  if (shared == NULL) {
    beside =
        g_build_filename (g_getenv ("SRGAN_SOURCE_ROOT"), "..", "shared", NULL);
    shared = beside;
  }
  return g_build_filename (shared, path, NULL);
}

/* The folder of a test set, or NULL after saying that it is not there. */
static gchar *
find_set (const gchar *name)
{
  g_autofree gchar *path = g_build_filename ("test", name, NULL);
  gchar *folder = get_shared (path);

  if (!g_file_test (folder, G_FILE_TEST_IS_DIR)) {
    g_test_skip ("no shared/test here");
    g_clear_pointer (&folder, g_free);
  }
  return folder;
}

static void
assert_mentions (const gchar *text, const gchar *word)
{
  if (strstr (text, word) == NULL)
    g_error ("'%s' does not mention '%s'", text, word);
}

/* Runs srgan-eval --json; the mean of @what ("network", "bicubic"). */
static void
evaluate (const gchar *folder, const gchar *scale, const gchar *model,
    const gchar *what, const gchar *precision, gdouble *psnr, gdouble *ssim)
{
  g_autofree gchar *output = NULL, *messages = NULL;
  g_autoptr (JsonParser) parser = json_parser_new ();
  JsonObject *object;
  gint status =
      run_tool (&output, &messages, "srgan-eval", "--json", "--hr", folder,
          "--scale", scale, "--model", model, "--precision", precision, NULL);

  g_assert_cmpstr (messages, ==, "");
  g_assert_cmpint (status, ==, 0);
  g_assert_true (json_parser_load_from_data (parser, output, -1, NULL));
  object = json_node_get_object (json_parser_get_root (parser));
  g_assert_cmpint (json_object_get_int_member (object, "scale"), ==,
      g_ascii_strtoll (scale, NULL, 10));
  object = json_object_get_object_member (object, "mean");
  object = json_object_get_object_member (object, what);
  *psnr = json_object_get_double_member (object, "psnr");
  *ssim = json_object_get_double_member (object, "ssim");
}

/* score.py's last line: "mean of   5    33.682 dB  0.9305". FALSE where it
 * cannot run here. */
static gboolean
run_script (const gchar *verb, const gchar *scale, const gchar *hr,
    const gchar *sr, gdouble *psnr, gdouble *ssim)
{
  g_autofree gchar *script = get_shared ("quality/score.py");
  gchar *command[] = {(gchar *) "/usr/bin/python3", script, (gchar *) verb,
      (gchar *) scale, (gchar *) hr, (gchar *) sr, NULL};
  g_autofree gchar *output = NULL;
  gchar *mean;
  gint status, n;

  if (!g_file_test (script, G_FILE_TEST_EXISTS) ||
      !g_spawn_sync (NULL, command, NULL, G_SPAWN_DEFAULT, NULL, NULL, &output,
          NULL, &status, NULL) ||
      status != 0)
    return FALSE;
  mean = strstr (output, "mean of");
  return mean != NULL &&
         sscanf (mean, "mean of %d %lf dB %lf", &n, psnr, ssim) == 3;
}

/* Known numbers of the literature's protocol. */
static void
test_bicubic (void)
{
  g_autofree gchar *folder = find_set ("Set5");
  gdouble psnr, ssim;

  if (folder == NULL)
    return;
  evaluate (folder, "2", "bicubic", "bicubic", "auto", &psnr, &ssim);
  g_assert_cmpfloat_with_epsilon (psnr, 33.682, .002);
  g_assert_cmpfloat_with_epsilon (ssim, .9305, .0001);
  evaluate (folder, "4", "bicubic", "bicubic", "auto", &psnr, &ssim);
  g_assert_cmpfloat_with_epsilon (psnr, 28.431, .002);
  g_assert_cmpfloat_with_epsilon (ssim, .8113, .0001);
}

/* On pictures of our own the script says the same, odd sizes included, of
 * bicubic and of what the engine made. */
static void
test_script (void)
{
  static const gchar *const scales[] = {"2", "3", "4"};
  g_autofree gchar *folder = test_folder_new (3, 83);
  g_autofree gchar *saved = test_folder_new (0, 0);

  for (guint s = 0; s < G_N_ELEMENTS (scales); s++) {
    gdouble psnr, ssim, their_psnr, their_ssim;
    g_autofree gchar *table = NULL;

    if (!run_script (
            "bicubic", scales[s], folder, NULL, &their_psnr, &their_ssim)) {
      g_test_skip ("score.py cannot run here");
      break;
    }
    evaluate (folder, scales[s], "bicubic", "bicubic", "auto", &psnr, &ssim);
    g_assert_cmpfloat_with_epsilon (psnr, their_psnr, .01);
    g_assert_cmpfloat_with_epsilon (ssim, their_ssim, .0002);

    g_assert_cmpint (run_tool (&table, NULL, "srgan-eval", "--hr", folder, "-s",
                         scales[s], "-m", "fast-clean", "--save", saved, NULL),
        ==, 0);
    g_assert_true (run_script (
        "compare", scales[s], folder, saved, &their_psnr, &their_ssim));
    evaluate (folder, scales[s], "fast-clean", "network", "auto", &psnr, &ssim);
    g_assert_cmpfloat_with_epsilon (psnr, their_psnr, .01);
    g_assert_cmpfloat_with_epsilon (ssim, their_ssim, .0002);
  }
  test_folder_remove (folder);
  test_folder_remove (saved);
}

/* What the README says of the built-in networks, at least. */
static void
test_builtins (void)
{
  static const struct {
    const gchar *set, *scale;
    gdouble psnr;
  } claims[] = {{"Set5", "2", 37.265}, {"Set14", "2", 32.84},
      {"Set5", "3", 33.23}, {"Set14", "3", 29.58}, {"Set5", "4", 30.90},
      {"Set14", "4", 27.80}};

  for (guint i = 0; i < G_N_ELEMENTS (claims); i++) {
    g_autofree gchar *folder = find_set (claims[i].set);
    gdouble psnr, int8, ssim;

    if (folder == NULL)
      return;
    evaluate (
        folder, claims[i].scale, "fast-clean", "network", "fp32", &psnr, &ssim);
    g_test_message ("%s x%s: %.3f dB", claims[i].set, claims[i].scale, psnr);
    g_assert_cmpfloat (psnr, >=, claims[i].psnr);
    /* int8 loses .1 dB at most */
    evaluate (
        folder, claims[i].scale, "fast-clean", "network", "int8", &int8, &ssim);
    g_test_message ("int8: %.3f dB", int8 - psnr);
    g_assert_cmpfloat (int8, >=, psnr - .1);
  }
}

static void
test_table (void)
{
  g_autofree gchar *folder = test_folder_new (2, 60);
  g_autofree gchar *output = NULL;

  g_assert_cmpint (
      run_tool (&output, NULL, "srgan-eval", "--hr", folder, NULL), ==, 0);
  assert_mentions (output, "scene0_0");
  assert_mentions (output, "scene1_0");
  assert_mentions (output, "mean of 2");
  assert_mentions (output, "bicubic");
  test_folder_remove (folder);
}

/* One convolution, which sees pixels rise and fall. */
static gchar *
write_features (const gchar *folder)
{
  static const gfloat weight[9 * 3] = {-1, 0, 1, -2, 0, 2, -1, 0, 1};
  g_autoptr (SrganNetwork) network =
      srgan_network_new ("features", SRGAN_COLOUR_RGB, 1);
  const SrganLayer layer = {
      .name = (gchar *) "conv",
      .operation = SRGAN_OPERATION_CONV,
      .n_inputs = 1,
      .inputs = {SRGAN_INPUT_NETWORK},
      .out_channels = 1,
      .kernel_width = 3,
      .kernel_height = 3,
      .stride = 1,
      .groups = 1,
      .padding = SRGAN_PADDING_NONE,
      .activation = SRGAN_ACTIVATION_RELU,
      .weight = weight,
  };
  gchar *path = g_build_filename (folder, "features.safetensors", NULL);
  GError *error = NULL;

  srgan_network_add_layer (network, &layer, &error);
  srgan_network_set_note (network, "ends", "features");
  srgan_network_finish (network, &error);
  srgan_network_save (network, path, &error);
  g_assert_no_error (error);
  return path;
}

/* Each enlargement has its own distance. */
static void
test_features (void)
{
  g_autofree gchar *folder = test_folder_new (2, 60);
  g_autofree gchar *elsewhere = test_folder_new (0, 0);
  g_autofree gchar *features = write_features (elsewhere);
  g_autofree gchar *output = NULL, *table = NULL, *messages = NULL;
  g_autoptr (JsonParser) parser = json_parser_new ();
  JsonObject *mean, *score;
  gdouble distances[2];

  g_assert_cmpint (run_tool (&output, NULL, "srgan-eval", "--json", "--hr",
                       folder, "-m", "fast-clean", "-f", features, NULL),
      ==, 0);
  g_assert_true (json_parser_load_from_data (parser, output, -1, NULL));
  mean = json_object_get_object_member (
      json_node_get_object (json_parser_get_root (parser)), "mean");
  score = json_object_get_object_member (mean, "network");
  distances[0] = json_object_get_double_member (score, "perceptual-distance");
  score = json_object_get_object_member (mean, "bicubic");
  distances[1] = json_object_get_double_member (score, "perceptual-distance");
  g_assert_cmpfloat (distances[0], >, 0);
  g_assert_cmpfloat (distances[1], >, 0);
  g_assert_cmpfloat (distances[0], !=, distances[1]);

  g_assert_cmpint (run_tool (&table, NULL, "srgan-eval", "--hr", folder, "-f",
                       features, NULL),
      ==, 0);
  assert_mentions (table, "distance");
  g_assert_cmpint (run_tool (NULL, &messages, "srgan-eval", "--hr", folder,
                       "-f", "/no/such.safetensors", NULL),
      ==, 1);
  assert_mentions (messages, "/no/such.safetensors");
  test_folder_remove (folder);
  test_folder_remove (elsewhere);
}

static void
test_mistakes (void)
{
  g_autofree gchar *folder = test_folder_new (1, 60);
  g_autofree gchar *empty = test_folder_new (0, 0);
  g_autofree gchar *broken = g_build_filename (folder, "broken.png", NULL);
  const struct {
    const gchar *arguments[6];
    gint status;
    const gchar *said;
  } mistakes[] = {
      {{NULL}, 2, "--hr"},
      {{"--hr", folder, "-s", "7"}, 2, "7"},
      {{"--hr", folder, "-t", "-1"}, 2, "-1"},
      {{"--hr", empty}, 1, empty},
      {{"--hr", "/no/such/folder"}, 1, "/no/such/folder"},
      {{"--hr", folder, "-m", "no-such-network"}, 1, "no-such-network"},
      {{"--hr", folder, "-m", "/no/such.safetensors"}, 1, "/no/such"},
      {{"--hr", folder, "too-much"}, 2, "too-much"},
      /* one of two cannot be read: named, and the exit code says so */
      {{"--hr", folder}, 1, "broken.png"},
  };

  for (guint i = 0; i < G_N_ELEMENTS (mistakes); i++) {
    const gchar *const *a = mistakes[i].arguments;
    g_autofree gchar *output = NULL, *messages = NULL;

    if (i + 1 == G_N_ELEMENTS (mistakes))
      g_assert_true (g_file_set_contents (broken, "no picture", -1, NULL));
    g_assert_cmpint (
        run_tool (&output, &messages, "srgan-eval", a[0], a[0] ? a[1] : NULL,
            a[1] ? a[2] : NULL, a[2] ? a[3] : NULL, NULL),
        ==, mistakes[i].status);
    g_assert_true (g_str_has_prefix (messages, "srgan-eval: "));
    assert_mentions (messages, mistakes[i].said);
  }
  test_folder_remove (folder);
  test_folder_remove (empty);
}

/* Pictures that leave nothing inside the border. */
static void
test_small (void)
{
  g_autofree gchar *folder = test_folder_new (2, 14);
  g_autofree gchar *output = NULL, *messages = NULL;

  g_assert_cmpint (
      run_tool (&output, &messages, "srgan-eval", "--hr", folder, NULL), ==, 1);
  assert_mentions (messages, "14x14");
  test_folder_remove (folder);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/tools/srgan-eval/bicubic", test_bicubic);
  g_test_add_func ("/tools/srgan-eval/script", test_script);
  g_test_add_func ("/tools/srgan-eval/builtins", test_builtins);
  g_test_add_func ("/tools/srgan-eval/table", test_table);
  g_test_add_func ("/tools/srgan-eval/features", test_features);
  g_test_add_func ("/tools/srgan-eval/mistakes", test_mistakes);
  g_test_add_func ("/tools/srgan-eval/small", test_small);
  return g_test_run ();
}
