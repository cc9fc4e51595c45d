/* tests: srgan-convert as a user runs it: what it says, what it writes, and
 * what it leaves behind when something goes wrong.
 *
 * SPDX-License-Identifier: MIT
 */
#include "run-tool.h"
#include "test-networks.h"

#ifdef HAVE_TRAIN
#include "train/pictures.h"
#endif

#include <glib/gstdio.h>
#include <json-glib/json-glib.h>
#include <signal.h>
#include <srgan/srgan-convert.h>
#include <string.h>
#include <sys/wait.h>

typedef struct {
  gchar *folder;
} Fixture;

static void
set_up (Fixture *fixture, gconstpointer data)
{
  fixture->folder = g_dir_make_tmp ("srgan-convert-XXXXXX", NULL);
  g_assert_nonnull (fixture->folder);
}

static void
remove_all (const gchar *path)
{
  GDir *folder = g_dir_open (path, 0, NULL);
  const gchar *name;

  while (folder != NULL && (name = g_dir_read_name (folder)) != NULL) {
    g_autofree gchar *inside = g_build_filename (path, name, NULL);

    remove_all (inside);
  }
  if (folder != NULL)
    g_dir_close (folder);
  g_remove (path);
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
  remove_all (fixture->folder);
  g_free (fixture->folder);
}

static gchar *
in_folder (Fixture *fixture, const gchar *name)
{
  return g_build_filename (fixture->folder, name, NULL);
}

static gint
compare_names (gconstpointer a, gconstpointer b)
{
  return strcmp (*(const gchar *const *) a, *(const gchar *const *) b);
}

/* What the fixture's folder holds, sorted, joined by spaces. */
static gchar *
list_folder (Fixture *fixture)
{
  g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func (g_free);
  GDir *folder = g_dir_open (fixture->folder, 0, NULL);
  const gchar *name;

  while ((name = g_dir_read_name (folder)) != NULL)
    g_ptr_array_add (names, g_strdup (name));
  g_dir_close (folder);
  g_ptr_array_sort (names, compare_names);
  g_ptr_array_add (names, NULL);
  return g_strjoinv (" ", (gchar **) names->pdata);
}

/* A built-in: an SRVGGNetCompact of luma. */
static SrganNetwork *
open_builtin (void)
{
  g_autoptr (GError) error = NULL;
  SrganNetwork *network = srgan_network_open ("fast-clean-x2", 0, NULL, &error);

  g_assert_no_error (error);
  return network;
}

static SrganNetwork *
new_rgb (void)
{
  const TestChain chain = {.colour = SRGAN_COLOUR_RGB,
      .channels = 8,
      .n_middle = 1,
      .activation = SRGAN_ACTIVATION_RELU};

  return test_network_new_chain (&chain);
}

/* Writes @network, which is unreffed, as @target. (transfer full): the path */
static gchar *
write_model (Fixture *fixture, const gchar *name, SrganTarget target,
    SrganNetwork *network)
{
  const SrganWriteOptions options = {.target = target};
  gchar *path = in_folder (fixture, name);
  g_autoptr (GError) error = NULL;

  srgan_convert_write (network, path, &options, &error);
  g_assert_no_error (error);
  srgan_network_unref (network);
  return path;
}

static SrganNetwork *
load (const gchar *path)
{
  g_autoptr (GError) error = NULL;
  SrganNetwork *network = srgan_network_load (path, &error);

  g_assert_no_error (error);
  return network;
}

static void
assert_mentions (const gchar *text, const gchar *words)
{
  if (strstr (text, words) == NULL)
    g_error ("'%s' does not mention '%s'", text, words);
}

/* Runs it with --json and @arguments (and NULL); parses what it prints. */
static JsonObject *
run_json (JsonParser *parser, gint expected, const gchar *first,
    const gchar *second, const gchar *third, const gchar *fourth)
{
  g_autofree gchar *output = NULL;
  g_autoptr (GError) error = NULL;

  g_assert_cmpint (run_tool (&output, NULL, "srgan-convert", "--json", first,
                       second, third, fourth, NULL),
      ==, expected);
  json_parser_load_from_data (parser, output, -1, &error);
  g_assert_no_error (error);
  return json_node_get_object (json_parser_get_root (parser));
}

/* Runs it with @arguments, up to four, to end with code @expected. What it says
 * on stderr: (transfer full) */
static gchar *
run_quietly (gint expected, const gchar *first, const gchar *second,
    const gchar *third, const gchar *fourth)
{
  g_autofree gchar *output = NULL;
  gchar *messages = NULL;

  g_assert_cmpint (run_tool (&output, &messages, "srgan-convert", first, second,
                       third, fourth, NULL),
      ==, expected);
  return messages;
}

/* --- What a file is ------------------------------------------------------ */

/* Names lie; contents do not. */
static void
test_detect (Fixture *fixture, gconstpointer data)
{
  static const struct {
    const gchar *name;
    SrganTarget target;
    const gchar *format;
  } cases[] = {
      {"weights.onnx", SRGAN_TARGET_PYTORCH, "safetensors state dict"},
      {"model.pth", SRGAN_TARGET_ONNX, "ONNX"},
      {"no-ending", SRGAN_TARGET_SRGAN, "gst-srgan's own"},
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autofree gchar *path =
        write_model (fixture, cases[i].name, cases[i].target, open_builtin ());
    g_autofree gchar *output = NULL, *messages = NULL;

    g_assert_cmpint (
        run_tool (&output, &messages, "srgan-convert", "--inspect", path, NULL),
        ==, 0);
    g_assert_cmpstr (messages, ==, "");
    assert_mentions (output, "format:        ");
    assert_mentions (output, cases[i].format);
    assert_mentions (output, "\nscale:         2\n");
    assert_mentions (output, "\ncolour:        y\n");
  }
}

static void
test_inspect (Fixture *fixture, gconstpointer data)
{
  g_autoptr (SrganNetwork) network = open_builtin ();
  g_autofree gchar *path = write_model (
      fixture, "m.safetensors", SRGAN_TARGET_PYTORCH, open_builtin ());
  g_autofree gchar *output = NULL, *names = NULL;
  g_autoptr (JsonParser) parser = json_parser_new ();
  JsonObject *object;

  g_assert_cmpint (
      run_tool (&output, NULL, "srgan-convert", "-i", path, NULL), ==, 0);
  assert_mentions (output, "\narchitecture:  SRVGGNetCompact");
  assert_mentions (output, " parameters, ");
  assert_mentions (output, " multiply-adds for each pixel\n");
  assert_mentions (output, "\nrange:         0-1\n");
  assert_mentions (output, "\nlicence:       ");

  object = run_json (parser, 0, "--inspect", path, NULL, NULL);
  g_assert_cmpstr (json_object_get_string_member (object, "file"), ==, path);
  g_assert_true (
      g_str_has_prefix (json_object_get_string_member (object, "architecture"),
          "SRVGGNetCompact"));
  g_assert_cmpstr (json_object_get_string_member (object, "range"), ==, "0-1");
  g_assert_cmpstr (json_object_get_string_member (object, "colour"), ==, "y");
  g_assert_cmpstr (json_object_get_string_member (object, "licence"), ==,
      srgan_network_get_note (network, "licence"));
  g_assert_cmpint (json_object_get_int_member (object, "scale"), ==, 2);
  g_assert_cmpint (json_object_get_int_member (object, "parameters"), ==,
      srgan_network_get_n_parameters (network));
  g_assert_cmpfloat (
      json_object_get_double_member (object, "multiply_adds_per_pixel"), ==,
      srgan_network_get_multiply_adds (network));
  g_assert_false (json_object_has_member (object, "output"));
  /* it writes nothing */
  names = list_folder (fixture);
  g_assert_cmpstr (names, ==, "m.safetensors");
}

/* --- What its options change --------------------------------------------- */

static void
test_options (Fixture *fixture, gconstpointer data)
{
  g_autofree gchar *path = write_model (fixture, "m.onnx", SRGAN_TARGET_ONNX,
      test_network_new_residual (SRGAN_COLOUR_RGB, 2, 8, 1, 1));
  g_autofree gchar *dict = write_model (
      fixture, "m.safetensors", SRGAN_TARGET_PYTORCH, open_builtin ());
  g_autofree gchar *plain = in_folder (fixture, "plain.safetensors");
  g_autofree gchar *swapped = in_folder (fixture, "swapped.safetensors");
  g_autoptr (JsonParser) parser = json_parser_new ();
  g_autoptr (SrganNetwork) a = NULL, b = NULL;
  const SrganLayer *x, *y;
  JsonObject *object;

  object = run_json (parser, 0, "--range=0-255", "-i", path, NULL);
  g_assert_cmpstr (
      json_object_get_string_member (object, "range"), ==, "0-255");
  object = run_json (parser, 0, "--scale=2", "-i", path, NULL);
  g_assert_cmpint (json_object_get_int_member (object, "scale"), ==, 2);
  object = run_json (parser, 0, "--arch=srvggnet", "-i", dict, NULL);
  g_assert_true (
      g_str_has_prefix (json_object_get_string_member (object, "architecture"),
          "SRVGGNetCompact"));

  object = run_json (parser, 0, "--colour=rgb", path, plain, NULL);
  g_assert_cmpstr (json_object_get_string_member (object, "output"), ==, plain);
  object = run_json (parser, 0, "--colour=bgr", path, swapped, NULL);
  g_assert_cmpstr (json_object_get_string_member (object, "colour"), ==, "bgr");
  /* blue first is merged into the first convolution: no layer is added */
  a = load (plain);
  b = load (swapped);
  x = srgan_network_get_layer (a, 0);
  y = srgan_network_get_layer (b, 0);
  g_assert_cmpuint (x->in_channels, ==, 3);
  for (guint o = 0; o < x->out_channels; o++)
    for (guint c = 0; c < 3; c++)
      g_assert_cmpmem (x->weight + (o * 3 + c) * 81, 81 * sizeof (gfloat),
          y->weight + (o * 3 + 2 - c) * 81, 81 * sizeof (gfloat));
}

/* Half precision: rounded once, then the same for ever; and it plays. */
static void
test_half (Fixture *fixture, gconstpointer data)
{
  static const gchar *const endings[] = {"safetensors", "onnx"};
  g_autofree gchar *whole = write_model (
      fixture, "whole.safetensors", SRGAN_TARGET_SRGAN, new_rgb ());
  g_autoptr (SrganNetwork) network = load (whole);
  GStatBuf large, small;

  for (guint i = 0; i < G_N_ELEMENTS (endings); i++) {
    g_autofree gchar *name = g_strdup_printf ("half.%s", endings[i]);
    g_autofree gchar *half = in_folder (fixture, name);
    g_autofree gchar *again = in_folder (fixture, "again.safetensors");
    g_autoptr (SrganNetwork) first = NULL, second = NULL;
    g_autofree gchar *messages = NULL;

    messages = run_quietly (0, "--half", whole, half, NULL);
    g_assert_cmpstr (messages, ==, "");
    g_free (run_quietly (0, "--half", half, again, NULL));
    first = srgan_convert_read (half, NULL, NULL, NULL);
    second = load (again);
    for (guint j = 0; j < 3; j++) {
      const SrganLayer *x = srgan_network_get_layer (network, j);
      const SrganLayer *y = srgan_network_get_layer (first, j);
      const SrganLayer *z = srgan_network_get_layer (second, j);
      gsize n = (gsize) x->out_channels * x->in_channels * 9;

      for (gsize k = 0; k < n; k++)
        g_assert_cmpfloat (ABS (x->weight[k] - y->weight[k]), <=,
            ABS (x->weight[k]) * 0x1p-11f + 0x1p-25f);
      g_assert_cmpmem (
          y->weight, n * sizeof *y->weight, z->weight, n * sizeof *z->weight);
    }
    if (i == 0) {
      g_assert_true (test_networks_equal (first, second));
      g_assert_cmpint (g_stat (whole, &large), ==, 0);
      g_assert_cmpint (g_stat (half, &small), ==, 0);
      g_assert_cmpint (large.st_size - small.st_size, >, large.st_size / 4);
    }
  }
}

/* A channel that does nothing goes, but not from what has one layout. */
static void
test_channels (Fixture *fixture, gconstpointer data)
{
  g_autoptr (SrganNetwork) builtin = open_builtin ();
  SrganNetwork *network = srgan_network_new_like (builtin);
  g_autofree gchar *model = NULL;
  g_autofree gchar *less = in_folder (fixture, "less.safetensors");
  g_autofree gchar *dict = in_folder (fixture, "dict.safetensors");
  g_autofree gchar *messages = NULL, *output = NULL;
  g_autoptr (SrganNetwork) first = NULL, second = NULL;
  g_autoptr (GError) error = NULL;

  for (guint i = 0; i < srgan_network_get_n_layers (builtin); i++) {
    SrganLayer layer = *srgan_network_get_layer (builtin, i);
    gsize row = (gsize) layer.in_channels * 9;
    g_autofree gfloat *weight = NULL;

    /* what is ready for int8 stays as it is */
    layer.output_step = layer.weight_step = layer.weight_code = NULL;
    layer.int8_bias = NULL;
    layer.output_zero = 0;
    if (i == 1) {
      /* channel 2 is not looked at */
      weight =
          g_memdup2 (layer.weight, layer.out_channels * row * sizeof *weight);
      for (guint o = 0; o < layer.out_channels; o++)
        memset (weight + o * row + 2 * 9, 0, 9 * sizeof *weight);
      layer.weight = weight;
    }
    srgan_network_add_layer (network, &layer, &error);
    g_assert_no_error (error);
  }
  srgan_network_finish (network, &error);
  g_assert_no_error (error);
  model = write_model (fixture, "m.safetensors", SRGAN_TARGET_SRGAN, network);

  g_assert_cmpint (
      run_tool (&output, NULL, "srgan-convert", model, less, NULL), ==, 0);
  assert_mentions (output, "dropped 1 dead channel in 1 layer\n");
  first = load (less);
  g_assert_cmpuint (srgan_network_get_layer (first, 0)->out_channels, ==,
      srgan_network_get_layer (builtin, 0)->out_channels - 1);
  g_free (run_quietly (0, "--to=pytorch", model, dict, NULL));
  second = srgan_convert_read (
      dict, &(SrganConvertOptions){.keep_channels = TRUE}, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (srgan_network_get_n_parameters (second), ==,
      srgan_network_get_n_parameters (builtin));
  /* what was dropped cannot come back */
  messages = run_quietly (1, "--to=rsr", less, dict, NULL);
  assert_mentions (messages, "channels that did nothing were dropped");
}

/* --- What it refuses ------------------------------------------------------ */

static void
test_errors (Fixture *fixture, gconstpointer data)
{
  g_autofree gchar *model =
      write_model (fixture, "m.onnx", SRGAN_TARGET_ONNX, new_rgb ());
  g_autofree gchar *dict = write_model (
      fixture, "d.safetensors", SRGAN_TARGET_PYTORCH, open_builtin ());
  g_autofree gchar *text = in_folder (fixture, "notes.txt");
  g_autofree gchar *cut = in_folder (fixture, "cut.safetensors");
  g_autofree gchar *missing = in_folder (fixture, "missing.pth");
  g_autofree gchar *output = in_folder (fixture, "out.safetensors");
  g_autofree gchar *nowhere = in_folder (fixture, "no/such/out.safetensors");
  g_autofree gchar *under_file = in_folder (fixture, "m.onnx/out.safetensors");
  g_autofree gchar *unknown = in_folder (fixture, "out.xyz");
  g_autofree gchar *rsr = in_folder (fixture, "out.rsr");
  g_autofree gchar *before = NULL;
  const struct {
    const gchar *arguments[5];
    gint code;
    const gchar *message; /* after the file that it is about */
    const gchar *file;
  } cases[] = {
      {{NULL}, 2, "something is missing", NULL},
      {{model}, 2, "OUT, or --inspect", NULL},
      {{"-i", model, output}, 2, "--inspect writes nothing", NULL},
      {{"--range=1-2", "-i", model}, 2, "is none of auto, 0-1, 0-255", NULL},
      {{"--colour=grey", "-i", model}, 2, "is none of auto, rgb, bgr, y", NULL},
      {{"--to=tflite", model, output}, 2, "is none of", NULL},
      {{"--scale=5", "-i", model}, 2, "--scale 5 is not within 1 to 4", NULL},
      {{"--int8", model, output}, 2, "--int8 and --calibrate", NULL},
      {{"--mean=1,2,3", "-i", model}, 2, "--mean go with --features", NULL},
      {{"--features", "--mean=1,2", "-i", model}, 2, "three numbers", NULL},
      {{"--features", "-i", dict}, 1, "that holds its graph", dict},
      {{"-i", missing}, 1, "No such file", missing},
      {{"-i", text}, 1, "no model format known here (srgan-convert --formats",
          text},
      {{"-i", cut}, 1, "is it whole?", cut},
      {{"--scale=3", "-i", model}, 1, "the model enlarges by 2", model},
      {{"--colour=y", "-i", model}, 1, "y was asked for", model},
      {{"--arch=nonsense", "-i", dict}, 1, "nonsense", dict},
      {{"--arch=rrdbnet", "-i", dict}, 1, "tensor", dict},
      {{model, unknown}, 1, "does not say what to write: see --to", unknown},
      {{model, nowhere}, 1, "make it first", nowhere},
      {{model, under_file}, 1, "make it first", under_file},
      {{model, model}, 1, "would be lost: give OUT another name", model},
      {{model, fixture->folder}, 1, "does not say what to write",
          fixture->folder},
      {{model, rsr}, 1, "not of the original's kind", rsr},
      {{"--half", model, rsr}, 1, "no half precision, see --quantise", rsr},
      {{"--quantise", model, output}, 1, "only .rsr is quantised", output},
      {{"--to=pytorch", model, output}, 1, "write .onnx", output},
      {{"--verify", text, model, output}, 1, "notes.txt", NULL},
  };

  g_assert_true (g_file_set_contents (text, "hello, world\n", -1, NULL));
  g_assert_true (g_file_set_contents (
      cut, "\x00\x10\0\0\0\0\0\0{\"a\":{\"dtype\"", 20, NULL));
  before = list_folder (fixture);
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autofree gchar *printed = NULL, *messages = NULL, *after = NULL;
    gint code = run_tool (&printed, &messages, "srgan-convert",
        cases[i].arguments[0], cases[i].arguments[1], cases[i].arguments[2],
        cases[i].arguments[3], NULL);

    g_test_message ("%s", messages);
#ifndef HAVE_TRAIN
    if (strstr (messages, "libsrgan-train") != NULL)
      continue;
#endif
    g_assert_cmpint (code, ==, cases[i].code);
    g_assert_cmpstr (printed, ==, "");
    g_assert_true (g_str_has_prefix (messages, "srgan-convert: "));
    assert_mentions (messages, cases[i].message);
    if (cases[i].file != NULL)
      assert_mentions (messages, cases[i].file);
    /* nothing is left behind */
    after = list_folder (fixture);
    g_assert_cmpstr (after, ==, before);
  }
}

/* A failure leaves what was there before as it was. */
static void
test_kept (Fixture *fixture, gconstpointer data)
{
  g_autofree gchar *bad = in_folder (fixture, "bad.onnx");
  g_autofree gchar *output = in_folder (fixture, "out.safetensors");
  g_autofree gchar *contents = NULL, *names = NULL;

  g_assert_true (g_file_set_contents (bad, "\x08\x07\x3a\x7f", 4, NULL));
  g_assert_true (g_file_set_contents (output, "precious", -1, NULL));
  g_free (run_quietly (1, bad, output, NULL, NULL));
  g_assert_true (g_file_get_contents (output, &contents, NULL, NULL));
  g_assert_cmpstr (contents, ==, "precious");
  names = list_folder (fixture);
  g_assert_cmpstr (names, ==, "bad.onnx out.safetensors");
}

/* A device is not renamed over. */
static void
test_device (Fixture *fixture, gconstpointer data)
{
  g_autofree gchar *model =
      write_model (fixture, "m.onnx", SRGAN_TARGET_ONNX, new_rgb ());
  g_autofree gchar *messages = NULL;

  messages = run_quietly (1, "--to=srgan", model, "/dev/null", NULL);
  assert_mentions (messages, "/dev/null: exists and is not a file");
}

/* Whenever it is interrupted, there is the whole output or none, and nothing
 * else. */
static void
test_interrupted (Fixture *fixture, gconstpointer data)
{
  g_autofree gchar *model = write_model (fixture, "m.onnx", SRGAN_TARGET_ONNX,
      test_network_new_residual (SRGAN_COLOUR_RGB, 4, 64, 4, 1));
  g_autofree gchar *output = in_folder (fixture, "out.safetensors");
  g_autofree gchar *tool =
      g_build_filename (g_getenv ("SRGAN_TOOLS"), "srgan-convert", NULL);
  gchar *command[] = {tool, model, output, NULL};
  g_autoptr (SrganNetwork) whole = NULL;
  guint n_interrupted = 0;

  /* what it writes undisturbed: an activation behind a shuffle goes before it,
   * with more slopes */
  g_free (run_quietly (0, model, output, NULL, NULL));
  whole = load (output);

  for (guint i = 0; i < 24; i++) {
    g_autofree gchar *names = NULL;
    g_autoptr (GError) error = NULL;
    GPid child;
    gint status;

    g_unlink (output);
    g_spawn_async (NULL, command, NULL,
        G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_STDOUT_TO_DEV_NULL, NULL, NULL,
        &child, &error);
    g_assert_no_error (error);
    g_usleep (i * 3000);
    kill (child, SIGINT);
    g_assert_cmpint (waitpid (child, &status, 0), ==, child);
    n_interrupted += WIFSIGNALED (status) && WTERMSIG (status) == SIGINT;
    names = list_folder (fixture);
    if (strcmp (names, "m.onnx") != 0) {
      g_autoptr (SrganNetwork) written = NULL;

      g_assert_cmpstr (names, ==, "m.onnx out.safetensors");
      written = load (output);
      g_assert_cmpuint (srgan_network_get_n_parameters (written), ==,
          srgan_network_get_n_parameters (whole));
    }
  }
  g_test_message ("%u of 24 were interrupted", n_interrupted);
  g_assert_cmpuint (n_interrupted, >, 0);
}

/* --- A folder ------------------------------------------------------------ */

static void
test_folder (Fixture *fixture, gconstpointer data)
{
  g_autofree gchar *models = in_folder (fixture, "models");
  g_autofree gchar *output = in_folder (fixture, "out/of/it");
  g_autofree gchar *a = NULL, *b = NULL, *bad = NULL, *text = NULL;
  g_autofree gchar *printed = NULL, *messages = NULL;
  g_autofree gchar *a_out = NULL, *b_out = NULL, *bad_out = NULL;
  g_autoptr (SrganNetwork) first = NULL, second = NULL;
  g_autoptr (JsonParser) parser = json_parser_new ();
  JsonArray *rows;
  JsonObject *object, *row;

  g_assert_cmpint (g_mkdir (models, 0777), ==, 0);
  a = write_model (fixture, "models/a.onnx", SRGAN_TARGET_ONNX, new_rgb ());
  b = write_model (
      fixture, "models/b.pth", SRGAN_TARGET_PYTORCH, open_builtin ());
  bad = in_folder (fixture, "models/bad.safetensors");
  text = in_folder (fixture, "models/README.md");
  g_assert_true (g_file_set_contents (
      bad, "\x00\x10\0\0\0\0\0\0{\"a\":{\"dtype\"", 20, NULL));
  g_assert_true (g_file_set_contents (text, "models of mine\n", -1, NULL));

  g_assert_cmpint (
      run_tool (&printed, &messages, "srgan-convert", models, output, NULL), ==,
      1);
  assert_mentions (messages, "1 of 3 models failed");
  assert_mentions (printed, "MODEL");
  assert_mentions (printed, "a.onnx");
  assert_mentions (printed, "SRVGGNetCompact");
  assert_mentions (printed, "is it whole?");
  assert_mentions (printed, "converted");
  g_assert_null (strstr (printed, "README"));
  a_out = g_build_filename (output, "a.safetensors", NULL);
  b_out = g_build_filename (output, "b.safetensors", NULL);
  bad_out = g_build_filename (output, "bad.safetensors", NULL);
  first = load (a_out);
  second = load (b_out);
  g_assert_false (g_file_test (bad_out, G_FILE_TEST_EXISTS));

  object = run_json (parser, 1, "--inspect", models, NULL, NULL);
  g_assert_cmpint (json_object_get_int_member (object, "n_failed"), ==, 1);
  rows = json_object_get_array_member (object, "models");
  g_assert_cmpuint (json_array_get_length (rows), ==, 3);
  row = json_array_get_object_element (rows, 2);
  assert_mentions (
      json_object_get_string_member (row, "error"), "bad.safetensors");

  /* without it all is well; into itself, the good is not lost */
  g_unlink (bad);
  g_clear_pointer (&printed, g_free);
  g_assert_cmpint (
      run_tool (&printed, NULL, "srgan-convert", models, output, NULL), ==, 0);
  g_free (run_quietly (0, models, models, NULL, NULL));
  g_clear_pointer (&messages, g_free);
  messages = run_quietly (1, models, models, NULL, NULL);
  assert_mentions (messages, "2 of 4 models failed");
}

/* --- With pictures -------------------------------------------------------- */

#ifdef HAVE_TRAIN
static void
test_verify (Fixture *fixture, gconstpointer data)
{
  g_autofree gchar *model =
      write_model (fixture, "m.onnx", SRGAN_TARGET_ONNX, open_builtin ());
  g_autofree gchar *output = in_folder (fixture, "out.safetensors");
  g_autofree gchar *picture = in_folder (fixture, "p.png");
  g_autofree gchar *beside = in_folder (fixture, "out.safetensors.verify.png");
  g_autoptr (SrganPicture) scene = test_picture_new_scene (128, 96, 1);
  g_autoptr (SrganPicture) both = NULL;
  g_autoptr (JsonParser) parser = json_parser_new ();
  g_autofree gchar *names = NULL, *rsr = in_folder (fixture, "out.rsr");
  g_autoptr (GError) error = NULL;
  JsonObject *object;
  gdouble ours, bicubic;

  g_assert_true (srgan_picture_save (scene, picture, NULL));
  object = run_json (parser, 0, "--verify", picture, model, output);
  ours = json_object_get_double_member (object, "verified_psnr");
  bicubic = json_object_get_double_member (object, "bicubic_psnr");
  g_test_message ("%.2f dB, bicubic %.2f dB", ours, bicubic);
  g_assert_cmpfloat (bicubic, >, 10.);
  g_assert_cmpfloat (ours, >, bicubic);
  both = srgan_picture_load (beside, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (both->width, ==, 256);
  g_assert_cmpuint (both->height, ==, 96);

  /* no picture of what could not be written */
  g_free (run_quietly (1, "--verify", picture, model, rsr));
  names = list_folder (fixture);
  g_assert_cmpstr (
      names, ==, "m.onnx out.safetensors out.safetensors.verify.png p.png");
}

static void
test_int8 (Fixture *fixture, gconstpointer data)
{
  g_autofree gchar *model =
      write_model (fixture, "m.onnx", SRGAN_TARGET_ONNX, new_rgb ());
  g_autofree gchar *output = in_folder (fixture, "out.safetensors");
  g_autofree gchar *none = in_folder (fixture, "none.safetensors");
  g_autofree gchar *option = NULL, *messages = NULL;
  gchar *pictures = test_folder_new (3, 64);
  g_autoptr (SrganNetwork) network = NULL;
  gdouble loss;

  option = g_strconcat ("--calibrate=", pictures, NULL);
  g_free (run_quietly (0, "--int8", option, model, output));
  network = load (output);
  g_assert_cmpint (
      srgan_network_get_precision (network), ==, SRGAN_PRECISION_INT8);
  g_assert_true (srgan_network_get_loss (network, SRGAN_PRECISION_INT8, &loss));

  messages = run_quietly (1, "--int8", "--calibrate=/no/such", model, none);
  assert_mentions (messages, "/no/such");
  g_assert_false (g_file_test (none, G_FILE_TEST_EXISTS));
  test_folder_remove (pictures);
  g_free (pictures);
}
#endif

/* The library's own quantisation: fp32 stays as it was; who cancels, cancels.
 */
static gboolean
stop (gdouble done, gpointer user_data)
{
  g_assert_cmpfloat (done, >=, 0.);
  g_assert_cmpfloat (done, <=, 1.);
  return ++*(guint *) user_data < 2;
}

static void
test_quantise (Fixture *fixture, gconstpointer data)
{
  enum { SIDE = 24, N = 3 };
  g_autoptr (SrganNetwork) network = new_rgb ();
  g_autoptr (SrganNetwork) quantised = NULL;
  g_autoptr (GError) error = NULL;
  SrganCalibration samples[N];
  GRand *random = g_rand_new_with_seed (1);
  gdouble loss = -1.;
  guint n_calls = 0;

  for (guint i = 0; i < N; i++) {
    gfloat *input = g_new (gfloat, 3 * SIDE * SIDE);
    gfloat *target = g_new (gfloat, 3 * 4 * SIDE * SIDE);

    for (guint j = 0; j < 3 * SIDE * SIDE; j++)
      input[j] = (gfloat) g_rand_double (random);
    for (guint c = 0; c < 3; c++)
      for (guint y = 0; y < 2 * SIDE; y++)
        for (guint x = 0; x < 2 * SIDE; x++)
          target[(c * 2 * SIDE + y) * 2 * SIDE + x] =
              input[(c * SIDE + y / 2) * SIDE + x / 2];
    samples[i] = (SrganCalibration){SIDE, SIDE, input, target};
  }
  quantised = srgan_convert_quantise (
      network, samples, N, TRUE, NULL, NULL, &loss, &error);
  g_assert_no_error (error);
  g_assert_cmpint (
      srgan_network_get_precision (quantised), ==, SRGAN_PRECISION_INT8);
  g_assert_nonnull (srgan_network_get_note (quantised, "int8-loss"));
  g_assert_cmpfloat (loss, <, 10.);
  for (guint i = 0; i < 3; i++) {
    const SrganLayer *x = srgan_network_get_layer (network, i);
    const SrganLayer *y = srgan_network_get_layer (quantised, i);
    gsize n = (gsize) x->out_channels * x->in_channels * 9 * sizeof (gfloat);

    g_assert_cmpmem (x->weight, n, y->weight, n);
  }
  g_assert_null (srgan_convert_quantise (
      network, samples, N, TRUE, stop, &n_calls, &loss, &error));
  g_assert_error (error, SRGAN_ERROR, SRGAN_ERROR_CANCELLED);
  for (guint i = 0; i < N; i++) {
    g_free ((gpointer) samples[i].input);
    g_free ((gpointer) samples[i].target);
  }
  g_rand_free (random);
}

static void
test_help (Fixture *fixture, gconstpointer data)
{
  g_autofree gchar *output = NULL, *formats = NULL;
  const SrganFormat *const tables[] = {
      srgan_convert_list_formats (), srgan_convert_list_architectures ()};

  g_assert_cmpint (
      run_tool (&output, NULL, "srgan-convert", "--help", NULL), ==, 0);
  assert_mentions (output, "IN [OUT]");
  g_assert_cmpint (
      run_tool (&formats, NULL, "srgan-convert", "--formats", NULL), ==, 0);
  for (guint i = 0; i < G_N_ELEMENTS (tables); i++)
    for (const SrganFormat *row = tables[i]; row->name != NULL; row++)
      assert_mentions (formats, row->description);
}

gint
main (gint argc, gchar **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(name, function) \
  g_test_add (              \
      "/srgan-convert/" name, Fixture, NULL, set_up, function, tear_down)
  ADD ("detect", test_detect);
  ADD ("inspect", test_inspect);
  ADD ("options", test_options);
  ADD ("half", test_half);
  ADD ("channels", test_channels);
  ADD ("errors", test_errors);
  ADD ("kept", test_kept);
  ADD ("device", test_device);
  ADD ("interrupted", test_interrupted);
  ADD ("folder", test_folder);
#ifdef HAVE_TRAIN
  ADD ("verify", test_verify);
  ADD ("int8", test_int8);
#endif
  ADD ("quantise", test_quantise);
  ADD ("help", test_help);
  return g_test_run ();
}
