/* tests: which built-in network one gets, and that those embedded are good.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test-networks.h"

#include "network/builtins.h"

#include <glib/gstdio.h>
#include <pthread.h>
#include <string.h>

/* --- The rule ------------------------------------------------------------ */

static const gchar *const names[] = {"nano-clean-x2", "nano-video-x2",
    "fast-clean-x2", "fast-clean-x4", "fast-detail-x4", "high-clean-x2",
    "high-video-x4", "srgan-detail-x4", NULL};

static void
test_choice (void)
{
  static const struct {
    const gchar *model;
    guint scale;
    const gchar *chosen;
    gboolean costs_more; /* for a note that says so */
  } cases[] = {
      /* the very one */
      {"fast-clean-x2", 0, "fast-clean-x2"},
      {"fast-clean-x2", 2, "fast-clean-x2"},
      {"fast-clean", 0, "fast-clean-x2"},
      {"fast-clean", 2, "fast-clean-x2"},
      {"fast-clean", 4, "fast-clean-x4"},
      {"srgan-detail", 4, "srgan-detail-x4"},
      /* same tune, cheaper preset, the nearest */
      {"medium-clean", 2, "fast-clean-x2"},
      {"ultra-clean-x2", 0, "high-clean-x2"},
      {"high-clean", 4, "fast-clean-x4"},
      {"high-video", 2, "nano-video-x2"},
      {"ultra-video", 4, "high-video-x4"},
      {"high-detail", 4, "fast-detail-x4"},
      /* tune clean */
      {"fast-animation", 2, "fast-clean-x2"},
      {"medium-animation", 4, "fast-clean-x4"},
      {"nano-animation", 2, "nano-clean-x2"},
      {"fast-video", 4, "fast-clean-x4"},
      {"srgan-detail", 2, "high-clean-x2"},
      /* nothing costs as little: the cheapest, same tune first, then clean */
      {"nano-clean", 4, "fast-clean-x4", TRUE},
      {"nano-detail", 4, "fast-detail-x4", TRUE},
      {"nano-video", 4, "fast-clean-x4", TRUE},
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autofree gchar *note = NULL;
    g_autoptr (GError) error = NULL;
    const gchar *chosen = srgan_builtins_choose (
        names, cases[i].model, cases[i].scale, &note, &error);

    g_assert_no_error (error);
    g_assert_cmpstr (chosen, ==, cases[i].chosen);
    if (g_str_has_prefix (chosen, cases[i].model)) {
      g_assert_null (note);
    } else {
      g_test_message ("%s", note);
      g_assert_nonnull (strstr (note, cases[i].model));
      g_assert_nonnull (strstr (note, chosen));
      g_assert_cmpint (
          strstr (note, "costs as little") != NULL, ==, cases[i].costs_more);
    }
    /* without a note */
    g_assert_true (srgan_builtins_choose (names, cases[i].model, cases[i].scale,
                       NULL, NULL) == chosen);
  }
}

/* Other tunes come last, in their order. */
static void
test_other_tunes (void)
{
  static const gchar *const few[] = {
      "fast-animation-x2", "fast-detail-x2", "high-detail-x2", NULL};

  g_assert_cmpstr (srgan_builtins_choose (few, "fast-clean", 2, NULL, NULL), ==,
      "fast-animation-x2");
  g_assert_cmpstr (srgan_builtins_choose (few, "ultra-clean", 2, NULL, NULL),
      ==, "fast-animation-x2");
  g_assert_cmpstr (srgan_builtins_choose (few, "nano-detail", 2, NULL, NULL),
      ==, "fast-detail-x2");
}

static void
test_choice_refused (void)
{
  static const gchar *const nothing[] = {NULL};
  static const struct {
    const gchar *model;
    guint scale;
    SrganError code;
    const gchar *message;
  } cases[] = {
      {"fast-clean-x2", 4, SRGAN_ERROR_INVALID, "scale: 4 contradicts"},
      {"fast-clean", 3, SRGAN_ERROR_NOT_FOUND, "enlarges 3 times"},
      {"fast-clean-x3", 0, SRGAN_ERROR_NOT_FOUND, "enlarges 3 times"},
      {"fast-clean-x5", 0, SRGAN_ERROR_NOT_FOUND, "no built-in network"},
      {"fast-clean-x0", 0, SRGAN_ERROR_NOT_FOUND, "no built-in network"},
      {"fast-clean-x22", 0, SRGAN_ERROR_NOT_FOUND, "no built-in network"},
      {"fast-clean-2", 0, SRGAN_ERROR_NOT_FOUND, "no built-in network"},
      {"fast-clean-x2-x2", 0, SRGAN_ERROR_NOT_FOUND, "no built-in network"},
      {"fast", 0, SRGAN_ERROR_NOT_FOUND, "PRESET-TUNE"},
      {"", 0, SRGAN_ERROR_NOT_FOUND, "no built-in network"},
      {"-", 0, SRGAN_ERROR_NOT_FOUND, "no built-in network"},
      {"quick-clean", 0, SRGAN_ERROR_NOT_FOUND, "nano, fast, medium"},
      {"fast-blurry", 0, SRGAN_ERROR_NOT_FOUND, "clean, video, animation"},
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autofree gchar *note = NULL;
    g_autoptr (GError) error = NULL;

    g_assert_null (srgan_builtins_choose (
        names, cases[i].model, cases[i].scale, &note, &error));
    g_assert_error (error, SRGAN_ERROR, cases[i].code);
    g_assert_null (note);
    g_assert_nonnull (strstr (error->message, cases[i].message));
    g_assert_null (srgan_builtins_choose (
        nothing, cases[i].model, cases[i].scale, NULL, NULL));
  }
  g_assert_null (srgan_builtins_choose (nothing, "fast-clean", 2, NULL, NULL));
}

static void
test_order (void)
{
  const gchar *shuffled[] = {"srgan-detail-x4", "fast-clean-x4",
      "nano-video-x2", "fast-detail-x4", "high-video-x4", "nano-clean-x2",
      "high-clean-x2", "fast-clean-x2"};

  qsort (shuffled, G_N_ELEMENTS (shuffled), sizeof *shuffled,
      srgan_builtin_name_compare);
  for (guint i = 0; i < G_N_ELEMENTS (shuffled); i++)
    g_assert_cmpstr (shuffled[i], ==, names[i]);
}

/* --- What is embedded ---------------------------------------------------- */

/* Whatever is built in loads, is what its name says, costs more with a higher
 * preset, and says where it comes from. */
static void
test_embedded (void)
{
  const gchar *const *builtins = srgan_network_list_builtins ();
  gdouble costs[16][5] = {{0.}};

  g_assert_nonnull (builtins);
  g_assert_true (builtins == srgan_network_list_builtins ());
  for (guint i = 0; builtins[i] != NULL; i++) {
    SrganBuiltinName parsed;
    g_autofree gchar *note = NULL;
    g_autoptr (GError) error = NULL;
    g_autoptr (SrganNetwork) network =
        srgan_network_open (builtins[i], 0, &note, &error);
    g_autoptr (SrganNetwork) again = NULL;
    gdouble cost;

    g_assert_no_error (error);
    g_assert_null (note);
    g_assert_true (srgan_builtin_name_parse (builtins[i], &parsed, NULL));
    g_assert_cmpstr (srgan_network_get_name (network), ==, builtins[i]);
    g_assert_cmpuint (srgan_network_get_scale (network), ==, parsed.scale);
    g_assert_cmpstr (srgan_network_get_note (network, "licence"), ==, "MIT");
    g_assert_nonnull (srgan_network_get_note (network, "training-data"));
    g_assert_nonnull (srgan_network_get_note (network, "recipe"));
    g_assert_nonnull (srgan_network_get_note (network, "scores"));

    cost = srgan_network_get_multiply_adds (network);
    for (guint j = 0; j < parsed.preset; j++)
      g_assert_cmpfloat (cost, >, costs[j][parsed.scale]);
    costs[parsed.preset][parsed.scale] =
        MAX (cost, costs[parsed.preset][parsed.scale]);

    /* one for all */
    again = srgan_network_open (builtins[i], parsed.scale, NULL, &error);
    g_assert_no_error (error);
    g_assert_true (again == network);
  }
  if (builtins[0] == NULL)
    g_test_skip ("nothing is built in");
}

static gpointer
open_all (gpointer data)
{
  const gchar *const *builtins = srgan_network_list_builtins ();

  for (guint i = 0; builtins[i] != NULL; i++) {
    SrganNetwork *network = srgan_network_open (builtins[i], 0, NULL, NULL);

    g_assert_nonnull (network);
    srgan_network_unref (network);
  }
  return NULL;
}

static void
test_threads (void)
{
  pthread_t threads[4];

  for (guint i = 0; i < 4; i++)
    g_assert_cmpint (pthread_create (&threads[i], NULL, open_all, NULL), ==, 0);
  for (guint i = 0; i < 4; i++)
    pthread_join (threads[i], NULL);
}

static void
test_open (void)
{
  TestChain chain = {.channels = 4, .scale = 3};
  g_autoptr (SrganNetwork) network = test_network_new_chain (&chain);
  g_autofree gchar *folder = g_dir_make_tmp ("srgan-open-XXXXXX", NULL);
  g_autofree gchar *path = g_build_filename (folder, "m.safetensors", NULL);
  g_autofree gchar *bare = g_build_filename (folder, "m", NULL);
  g_autoptr (GError) error = NULL;

  g_assert_true (srgan_network_save (network, path, NULL));
  for (guint scale = 0; scale <= 5; scale++) {
    g_autofree gchar *note = NULL;
    SrganNetwork *opened = srgan_network_open (path, scale, &note, &error);

    g_assert_null (note);
    if (scale == 0 || scale == 3) {
      g_assert_no_error (error);
      g_assert_true (test_networks_equal (network, opened));
      srgan_network_unref (opened);
    } else {
      g_assert_null (opened);
      g_assert_error (error, SRGAN_ERROR, SRGAN_ERROR_INVALID);
      g_clear_error (&error);
    }
  }
  g_assert_null (srgan_network_open ("m.safetensors", 0, NULL, &error));
  g_assert_error (error, SRGAN_ERROR, SRGAN_ERROR_NOT_FOUND);
  g_clear_error (&error);
  g_assert_null (srgan_network_open (bare, 0, NULL, &error));
  g_assert_error (error, SRGAN_ERROR, SRGAN_ERROR_NOT_FOUND);
  g_clear_error (&error);
  g_assert_null (srgan_network_open ("nonsense", 0, NULL, &error));
  g_assert_error (error, SRGAN_ERROR, SRGAN_ERROR_NOT_FOUND);
  g_remove (path);
  g_rmdir (folder);
}

gint
main (gint argc, gchar **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/builtins/choice", test_choice);
  g_test_add_func ("/builtins/other-tunes", test_other_tunes);
  g_test_add_func ("/builtins/choice-refused", test_choice_refused);
  g_test_add_func ("/builtins/order", test_order);
  g_test_add_func ("/builtins/threads", test_threads);
  g_test_add_func ("/builtins/embedded", test_embedded);
  g_test_add_func ("/builtins/open", test_open);
  return g_test_run ();
}
