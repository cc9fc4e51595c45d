/* tests: srgan-info, and what all programs have from tool.c.
 *
 * SPDX-License-Identifier: MIT
 */
#include "run-tool.h"
#include "test-networks.h"

#include <glib/gstdio.h>
#include <json-glib/json-glib.h>
#include <string.h>

typedef struct {
  gchar *folder;
  gchar *path;
} Fixture;

static void
set_up (Fixture *fixture, gconstpointer data)
{
  TestChain chain = {.channels = 16,
      .n_middle = 4,
      .scale = 3,
      .activation = SRGAN_ACTIVATION_PRELU};
  g_autoptr (SrganNetwork) network = test_network_new_chain (&chain);
  g_autoptr (GError) error = NULL;

  fixture->folder = g_dir_make_tmp ("srgan-info-XXXXXX", NULL);
  fixture->path = g_build_filename (fixture->folder, "m.safetensors", NULL);
  srgan_network_save (network, fixture->path, &error);
  g_assert_no_error (error);
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
  g_remove (fixture->path);
  g_rmdir (fixture->folder);
  g_free (fixture->path);
  g_free (fixture->folder);
}

static JsonObject *
parse (JsonParser *parser, const gchar *text)
{
  g_autoptr (GError) error = NULL;

  json_parser_load_from_data (parser, text, -1, &error);
  g_assert_no_error (error);
  return json_node_get_object (json_parser_get_root (parser));
}

static void
test_list (Fixture *fixture, gconstpointer data)
{
  const gchar *const *names = srgan_network_list_builtins ();
  g_autofree gchar *output = NULL, *messages = NULL, *json = NULL;
  g_autoptr (JsonParser) parser = json_parser_new ();
  JsonArray *networks;

  g_assert_cmpint (run_tool (&output, &messages, "srgan-info", NULL), ==, 0);
  g_assert_cmpstr (messages, ==, "");
  g_assert_true (g_str_has_prefix (output, "NAME"));
  g_assert_cmpint (run_tool (&json, NULL, "srgan-info", "--json", NULL), ==, 0);
  networks = json_object_get_array_member (parse (parser, json), "networks");
  for (guint i = 0; names[i] != NULL; i++) {
    g_assert_nonnull (strstr (output, names[i]));
    g_assert_cmpstr (json_object_get_string_member (
                         json_array_get_object_element (networks, i), "name"),
        ==, names[i]);
  }
  g_assert_cmpuint (
      json_array_get_length (networks), ==, g_strv_length ((gchar **) names));
}

static void
test_model (Fixture *fixture, gconstpointer data)
{
  g_autofree gchar *output = NULL, *messages = NULL;

  g_assert_cmpint (
      run_tool (&output, &messages, "srgan-info", fixture->path, NULL), ==, 0);
  g_assert_cmpstr (messages, ==, "");
  g_assert_true (g_str_has_prefix (output, "chain: x3, y\n"));
  g_assert_nonnull (strstr (output, "\nconv0     conv           input"));
  g_assert_nonnull (strstr (output, "3x3, activation prelu"));
  g_assert_nonnull (strstr (output, "shuffle + enlarged"));
  /* 9 (16 + 4 * 256 + 16 * 9) */
  g_assert_nonnull (
      strstr (output, "multiply-adds for each input pixel: 10656\n"));
  g_assert_nonnull (strstr (output, "parameters: 10,825\n"));
  g_assert_nonnull (strstr (output, "receptive field: 13x13 input pixels\n"));
}

static void
test_model_json (Fixture *fixture, gconstpointer data)
{
  g_autofree gchar *output = NULL;
  g_autoptr (JsonParser) parser = json_parser_new ();
  JsonObject *network, *layer;
  JsonArray *layers;

  g_assert_cmpint (
      run_tool (&output, NULL, "srgan-info", "--json", fixture->path, NULL), ==,
      0);
  network = parse (parser, output);
  g_assert_cmpstr (json_object_get_string_member (network, "colour"), ==, "y");
  g_assert_cmpint (json_object_get_int_member (network, "scale"), ==, 3);
  g_assert_cmpint (
      json_object_get_int_member (network, "parameters"), ==, 10825);
  g_assert_cmpint (
      json_object_get_int_member (network, "receptive_field"), ==, 13);
  layers = json_object_get_array_member (network, "layers");
  g_assert_cmpuint (json_array_get_length (layers), ==, 9);
  layer = json_array_get_object_element (layers, 5);
  g_assert_cmpint (json_object_get_int_member (layer, "out_channels"), ==, 9);
  g_assert_cmpint (
      json_object_get_int_member (layer, "parameters"), ==, 16 * 9 * 9 + 9);
}

/* Notes of several lines are indented; a file cannot command the terminal. */
static void
test_notes (Fixture *fixture, gconstpointer data)
{
  const gfloat weight = 1.f;
  const SrganLayer layer = {.name = (gchar *) "c",
      .n_inputs = 1,
      .inputs = {SRGAN_INPUT_NETWORK},
      .out_channels = 1,
      .kernel_width = 1,
      .kernel_height = 1,
      .weight = &weight};
  g_autoptr (SrganNetwork) network =
      srgan_network_new ("noted", SRGAN_COLOUR_Y, 1);
  g_autofree gchar *output = NULL;

  g_assert_cmpint (srgan_network_add_layer (network, &layer, NULL), ==, 0);
  srgan_network_set_note (network, "recipe", "[a]\nb=c\n\n[d]\n");
  srgan_network_set_note (network, "scores",
      "\033[2J\302\233"
      "39 dB");
  g_assert_true (srgan_network_finish (network, NULL));
  g_assert_true (srgan_network_save (network, fixture->path, NULL));
  g_assert_cmpint (
      run_tool (&output, NULL, "srgan-info", fixture->path, NULL), ==, 0);
  g_assert_nonnull (strstr (output, "\nrecipe:\n  [a]\n  b=c\n\n  [d]\n"));
  g_assert_nonnull (strstr (output, "\nscores: ?[2J?39 dB\n"));
}

/* Exit codes, and where what is said goes. */
static void
test_errors (Fixture *fixture, gconstpointer data)
{
  g_autofree gchar *broken =
      g_build_filename (fixture->folder, "broken.safetensors", NULL);
  const struct {
    const gchar *arguments[4];
    gint code;
    const gchar *message;
  } cases[] = {
      {{"--nonsense"}, 2, "Unknown option"},
      {{"one", "two"}, 2, "'two' is too much"},
      {{"--scale=x", "fast-clean"}, 2, "x"},
      {{"--scale=-1", "fast-clean"}, 2, "--scale -1"},
      {{"--scale=2"}, 2, "--scale needs a MODEL"},
      {{"nonsense"}, 1, "'nonsense' is no built-in network"},
      {{"./nonsense.safetensors"}, 1, "./nonsense.safetensors: No such"},
      {{broken}, 1, "header"},
      {{fixture->path, "--scale=2"}, 1, "scale: 2 contradicts"},
      {{"--scale=7", fixture->path}, 1, "scale: 7"},
      {{"--", "-x.safetensors"}, 1, "-x.safetensors: No such file"},
  };

  g_assert_true (g_file_set_contents (broken, "hello, world", -1, NULL));
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autofree gchar *output = NULL, *messages = NULL;
    gint code =
        run_tool (&output, &messages, "srgan-info", cases[i].arguments[0],
            cases[i].arguments[1], cases[i].arguments[2], NULL);

    g_test_message ("%s", messages);
    g_assert_cmpint (code, ==, cases[i].code);
    g_assert_cmpstr (output, ==, "");
    g_assert_true (g_str_has_prefix (messages, "srgan-info: "));
    g_assert_nonnull (strstr (messages, cases[i].message));
    g_assert_cmpint (
        strstr (messages, "Try 'srgan-info --help'.") != NULL, ==, code == 2);
  }
  g_remove (broken);
}

static void
test_help (Fixture *fixture, gconstpointer data)
{
  g_autofree gchar *output = NULL, *messages = NULL, *version = NULL;

  g_assert_cmpint (
      run_tool (&output, &messages, "srgan-info", "--help", NULL), ==, 0);
  g_assert_nonnull (strstr (output, "[MODEL]"));
  g_assert_nonnull (strstr (output, "--json"));
  g_assert_cmpstr (messages, ==, "");
  g_assert_cmpint (
      run_tool (&version, NULL, "srgan-info", "--version", NULL), ==, 0);
  g_assert_true (g_str_has_prefix (version, "srgan-info (gst-srgan) "));
}

/* Output that cannot be written is a failure. */
static void
test_full_disk (Fixture *fixture, gconstpointer data)
{
  g_autofree gchar *messages = NULL;

  if (!g_file_test ("/dev/full", G_FILE_TEST_EXISTS)) {
    g_test_skip ("there is no /dev/full");
    return;
  }
  g_assert_cmpint (
      run_tool_in_shell (NULL, &messages, "srgan-info", "> /dev/full"), ==, 1);
  g_assert_nonnull (strstr (messages, "srgan-info: standard output: "));
}

gint
main (gint argc, gchar **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(name, function) \
  g_test_add ("/srgan-info/" name, Fixture, NULL, set_up, function, tear_down)
  ADD ("list", test_list);
  ADD ("model", test_model);
  ADD ("model-json", test_model_json);
  ADD ("notes", test_notes);
  ADD ("errors", test_errors);
  ADD ("help", test_help);
  ADD ("full-disk", test_full_disk);
  return g_test_run ();
}
