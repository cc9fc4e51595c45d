/* tests: srgan-bench: what it says, never how fast anything is.
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
  TestChain chain = {.channels = 16, .n_middle = 1, .scale = 2};
  g_autoptr (SrganNetwork) network = test_network_new_chain (&chain);
  g_autoptr (GError) error = NULL;

  fixture->folder = g_dir_make_tmp ("srgan-bench-XXXXXX", NULL);
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

static JsonNode *
parse (JsonParser *parser, const gchar *text)
{
  g_autoptr (GError) error = NULL;

  json_parser_load_from_data (parser, text, -1, &error);
  g_assert_no_error (error);
  return json_parser_get_root (parser);
}

static void
assert_positive (JsonObject *object, const gchar *name)
{
  g_assert_true (json_object_has_member (object, name));
  g_assert_cmpfloat (json_object_get_double_member (object, name), >, 0);
}

/* Every format, with one thread and with two. */
static void
test_json (Fixture *fixture, gconstpointer data)
{
  static const gchar *const formats[] = {"gray", "i420", "nv12", "rgb"};

  for (guint i = 0; i < G_N_ELEMENTS (formats); i++) {
    g_autofree gchar *output = NULL, *messages = NULL;
    g_autoptr (JsonParser) parser = json_parser_new ();
    JsonObject *result;
    JsonNode *allocations;

    g_assert_cmpint (
        run_tool (&output, &messages, "srgan-bench", "--json", "--model",
            fixture->path, "--size", "37x21", "--seconds", "0", "--format",
            formats[i], "--threads", i & 1 ? "2" : "1", NULL),
        ==, 0);
    g_assert_cmpstr (messages, ==, "");
    result = json_node_get_object (parse (parser, output));
    g_assert_cmpstr (
        json_object_get_string_member (result, "model"), ==, "chain");
    g_assert_cmpstr (
        json_object_get_string_member (result, "format"), ==, formats[i]);
    g_assert_cmpint (json_object_get_int_member (result, "scale"), ==, 2);
    g_assert_cmpint (json_object_get_int_member (result, "width"), ==, 37);
    g_assert_cmpint (json_object_get_int_member (result, "height"), ==, 21);
    /* no more than there are tiles */
    assert_positive (result, "threads");
    g_assert_cmpint (
        json_object_get_int_member (result, "threads"), <=, 1 + (i & 1));
    /* 9 (16 + 256 + 16 * 4) a pixel */
    g_assert_cmpfloat (
        json_object_get_double_member (result, "multiply_adds_per_frame"), ==,
        37 * 21 * 9. * (16 + 256 + 64));
    assert_positive (result, "frames");
    assert_positive (result, "ms_p50");
    g_assert_cmpfloat (json_object_get_double_member (result, "ms_p95"), >=,
        json_object_get_double_member (result, "ms_p50"));
    assert_positive (result, "gflops");
    assert_positive (result, "peak_gflops");
    assert_positive (result, "peak_share");
    assert_positive (result, "workspace_bytes");
    assert_positive (result, "weight_bytes");
    assert_positive (result, "tile_width");
    assert_positive (result, "tile_height");
    g_assert_true (json_object_has_member (result, "kernels"));
    /* null where another allocator is in the way */
    allocations = json_object_get_member (result, "allocations_per_frame");
    g_assert_nonnull (allocations);
    if (!json_node_is_null (allocations))
      g_assert_cmpfloat (json_node_get_double (allocations), ==, 0);
  }
}

static void
test_text (Fixture *fixture, gconstpointer data)
{
  g_autofree gchar *output = NULL, *messages = NULL;

  g_assert_cmpint (
      run_tool (&output, &messages, "srgan-bench", "-m", fixture->path, "-S",
          "64x48", "-d", "0", "-t", "1", NULL),
      ==, 0);
  g_assert_cmpstr (messages, ==, "");
  g_assert_true (g_str_has_prefix (output, "chain, 64x48 to 128x96, i420; "));
  g_assert_nonnull (strstr (output, "1 thread\n"));
  g_assert_nonnull (strstr (output, " ms a frame (p50), "));
  g_assert_nonnull (strstr (output, " % of the peak of "));
  g_assert_nonnull (strstr (output, " bytes of workspace, "));
  g_assert_nonnull (strstr (output, "\nallocations "));
}

static void
test_kernels (Fixture *fixture, gconstpointer data)
{
  g_autofree gchar *output = NULL, *messages = NULL;
  g_autoptr (JsonParser) parser = json_parser_new ();
  JsonArray *results;

  g_assert_cmpint (run_tool (&output, &messages, "srgan-bench", "--kernels",
                       "--json", "--seconds", "0", NULL),
      ==, 0);
  g_assert_cmpstr (messages, ==, "");
  results = json_node_get_array (parse (parser, output));
  g_assert_cmpuint (json_array_get_length (results), >, 0);
  for (guint i = 0; i < json_array_get_length (results); i++) {
    JsonObject *result = json_array_get_object_element (results, i);

    if (i == 0)
      g_assert_cmpstr (
          json_object_get_string_member (result, "kernels"), ==, "c");
    assert_positive (result, "in_channels");
    assert_positive (result, "out_channels");
    assert_positive (result, "gflops");
    assert_positive (result, "peak_gflops");
    assert_positive (result, "peak_share");
  }
}

static void
test_errors (Fixture *fixture, gconstpointer data)
{
  static const struct {
    const gchar *arguments;
    gint status;
    const gchar *says; /* first on stderr */
  } cases[] = {
      {"--size 3x", 2, "srgan-bench: --size takes WxH, 1x1 to "},
      {"--size 0x7", 2, "srgan-bench: --size takes WxH, 1x1 to "},
      {"--size=-3x7", 2, "srgan-bench: --size takes WxH, 1x1 to "},
      {"--size 3x7y", 2, "srgan-bench: --size takes WxH, 1x1 to "},
      {"--size 99999x7", 2, "srgan-bench: --size takes WxH, 1x1 to "},
      {"--format yuv", 2, "srgan-bench: --format takes gray, "},
      {"--scale 5", 2, "srgan-bench: --scale takes 1 to 4, "},
      {"--threads=-1", 2, "srgan-bench: --threads takes 1 to "},
      {"--seconds=-1", 2, "srgan-bench: --seconds takes 0 to "},
      {"--markdown", 2, "srgan-bench: --markdown goes with --suite"},
      {"something", 2, "srgan-bench: "},
      {"--no-such-option", 2, "srgan-bench: "},
      {"--model ./none.safetensors", 1, "srgan-bench: "},
      {"--kernels -d 0 > /dev/full", 1, "srgan-bench: standard output: "},
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autofree gchar *messages = NULL;

    g_assert_cmpint (
        run_tool_in_shell (NULL, &messages, "srgan-bench", cases[i].arguments),
        ==, cases[i].status);
    if (!g_str_has_prefix (messages, cases[i].says))
      g_test_message ("%s: %s", cases[i].arguments, messages);
    g_assert_true (g_str_has_prefix (messages, cases[i].says));
  }
}

/* A scale that is not the model's, a size whose output no frame can have. */
static void
test_contradictions (Fixture *fixture, gconstpointer data)
{
  g_autofree gchar *messages = NULL, *too_large = NULL;

  g_assert_cmpint (run_tool (NULL, &messages, "srgan-bench", "--model",
                       fixture->path, "--scale", "3", NULL),
      ==, 1);
  g_assert_true (g_str_has_prefix (messages, "srgan-bench: "));
  g_assert_cmpint (run_tool (NULL, &too_large, "srgan-bench", "--model",
                       fixture->path, "--size", "32000x2", NULL),
      ==, 1);
  g_assert_true (g_str_has_prefix (too_large, "srgan-bench: "));
}

/* What runs each layer, with the costs that were compared. */
static void
test_explain (Fixture *fixture, gconstpointer data)
{
  g_autofree gchar *output = NULL, *text = NULL, *messages = NULL;
  g_autoptr (JsonParser) parser = json_parser_new ();
  JsonObject *result;
  JsonArray *layers;
  gdouble multiply_adds = 0;

  g_assert_cmpint (run_tool (&output, &messages, "srgan-bench", "--explain",
                       "--json", "--model", "g4", "--size", "8x8", "--format",
                       "rgb", "--seconds", "0", NULL),
      ==, 0);
  g_assert_cmpstr (messages, ==, "");
  result = json_node_get_object (parse (parser, output));
  layers = json_object_get_array_member (result, "layers");
  for (guint i = 0; i < json_array_get_length (layers); i++) {
    JsonObject *layer = json_array_get_object_element (layers, i);
    const gchar *algorithm = json_object_get_string_member (layer, "algorithm");

    multiply_adds += json_object_get_double_member (layer, "multiply_adds");
    g_assert_cmpstr (
        json_object_get_string_member (layer, "precision"), ==, "fp32");
    if (strcmp (algorithm, "winograd") == 0)
      g_assert_cmpfloat (json_object_get_double_member (layer, "winograd_cost"),
          <, json_object_get_double_member (layer, "direct_cost"));
    else if (strcmp (algorithm, "direct") == 0)
      assert_positive (layer, "direct_cost");
  }
  g_assert_cmpfloat (multiply_adds, ==,
      json_object_get_double_member (result, "multiply_adds_per_frame"));

  g_assert_cmpint (run_tool (&text, NULL, "srgan-bench", "--explain", "--model",
                       fixture->path, "--size", "8x8", "--seconds", "0", NULL),
      ==, 0);
  g_assert_nonnull (strstr (text, "\nconv0 "));
}

static void
test_suite (Fixture *fixture, gconstpointer data)
{
  g_autofree gchar *output = NULL, *messages = NULL;
  g_autoptr (JsonParser) parser = json_parser_new ();
  JsonObject *suite;
  JsonArray *results, *peaks;

  g_assert_cmpint (run_tool (&output, &messages, "srgan-bench", "--suite",
                       "--json", "--size", "16x12", "--seconds", "0", NULL),
      ==, 0);
  g_assert_cmpstr (messages, ==, "");
  suite = json_node_get_object (parse (parser, output));
  peaks = json_object_get_array_member (suite, "peaks");
  g_assert_cmpuint (json_array_get_length (peaks), >=, 4);
  for (guint i = 0; i < json_array_get_length (peaks); i++)
    assert_positive (json_array_get_object_element (peaks, i), "gflops");
  results = json_object_get_array_member (suite, "results");
  g_assert_cmpuint (json_array_get_length (results), >=, 2 * 4);
  for (guint i = 0; i < json_array_get_length (results); i++) {
    JsonObject *result = json_array_get_object_element (results, i);

    assert_positive (result, "ms_p50");
    assert_positive (result, "peak_share");
    if (i == 0)
      g_assert_cmpstr (
          json_object_get_string_member (result, "model"), ==, "g1");
  }
}

/* The README's table. */
static void
test_markdown (Fixture *fixture, gconstpointer data)
{
  g_autofree gchar *output = NULL;

  g_assert_cmpint (run_tool (&output, NULL, "srgan-bench", "--suite",
                       "--markdown", "--model", "fast-clean-x2", "--size",
                       "16x12", "--seconds", "0", NULL),
      ==, 0);
  g_assert_true (g_str_has_prefix (output, "Bare multiply-adds, 2 threads: "));
  g_assert_true (g_regex_match_simple (
      "\\n\\| fast-clean-x2 \\| 16 × 12 (\\| \\d+\\.\\d ms \\| \\d+\\.\\d ms "
      "\\| \\d+ % ){2,}\\|\\n$",
      output, 0, 0));
}

int
main (int argc, char **argv)
{
  static const struct {
    const gchar *path;
    void (*test) (Fixture *fixture, gconstpointer data);
  } tests[] = {
      {"/srgan-bench/json", test_json},
      {"/srgan-bench/text", test_text},
      {"/srgan-bench/kernels", test_kernels},
      {"/srgan-bench/explain", test_explain},
      {"/srgan-bench/suite", test_suite},
      {"/srgan-bench/markdown", test_markdown},
      {"/srgan-bench/errors", test_errors},
      {"/srgan-bench/contradictions", test_contradictions},
  };

  g_test_init (&argc, &argv, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (tests); i++)
    g_test_add (tests[i].path, Fixture, NULL, set_up, tests[i].test, tear_down);
  return g_test_run ();
}
