/* tests: model files: round trips, what other readers make of them, and files
 * that are wrong in one place each.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test-files.h"
#include "test-networks.h"

#include "network/operations.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <math.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* A folder for the running test. */
static gchar *folder;

static gchar *
in_folder (const gchar *name)
{
  return g_build_filename (folder, name, NULL);
}

static guint
count_files (void)
{
  GDir *dir = g_dir_open (folder, 0, NULL);
  guint n = 0;

  while (g_dir_read_name (dir) != NULL)
    n++;
  g_dir_close (dir);
  return n;
}

static void
set_up (void)
{
  folder = g_dir_make_tmp ("srgan-model-XXXXXX", NULL);
}

static void
tear_down (void)
{
  GDir *dir = g_dir_open (folder, 0, NULL);
  const gchar *name;

  while ((name = g_dir_read_name (dir)) != NULL) {
    g_autofree gchar *path = in_folder (name);

    g_assert_cmpint (g_remove (path), ==, 0);
  }
  g_dir_close (dir);
  g_assert_cmpint (g_rmdir (folder), ==, 0);
  g_free (folder);
}

/* --- Round trips --------------------------------------------------------- */

static void
assert_round_trip (SrganNetwork *network)
{
  g_autofree gchar *path = in_folder ("a.safetensors");
  g_autoptr (GError) error = NULL;
  SrganNetwork *again;
  gchar *first, *second;
  gsize n_first, n_second;

  srgan_network_save (network, path, &error);
  g_assert_no_error (error);
  again = srgan_network_load (path, &error);
  g_assert_no_error (error);
  g_assert_true (test_networks_equal (network, again));
  g_assert_cmpfloat (srgan_network_get_multiply_adds (network), ==,
      srgan_network_get_multiply_adds (again));
  g_assert_cmpuint (srgan_network_get_n_parameters (network), ==,
      srgan_network_get_n_parameters (again));
  g_assert_cmpuint (
      srgan_network_get_reach (network), ==, srgan_network_get_reach (again));

  /* and the same bytes */
  g_file_get_contents (path, &first, &n_first, NULL);
  srgan_network_save (again, path, &error);
  g_assert_no_error (error);
  g_file_get_contents (path, &second, &n_second, NULL);
  g_assert_cmpmem (first, n_first, second, n_second);
  g_assert_cmpuint (count_files (), ==, 1);
  g_free (first);
  g_free (second);
  srgan_network_unref (again);
}

static void
test_round_trip (void)
{
  set_up ();
  for (guint colour = 0; colour < SRGAN_N_COLOURS; colour++)
    for (guint scale = 1; scale <= 4; scale++) {
      TestChain chain = {.colour = colour,
          .scale = scale,
          .channels = 4 + scale,
          .n_middle = scale,
          .activation = (colour * 4 + scale) % SRGAN_N_ACTIVATIONS,
          .padding = scale % 3,
          .skip = scale % SRGAN_N_FILTERS,
          .seed = scale};
      SrganNetwork *network = test_network_new_chain (&chain);

      assert_round_trip (network);
      srgan_network_unref (network);
    }
  tear_down ();
}

static SrganNetwork *
new_quantised_chain (void)
{
  TestChain chain = {
      .channels = 5, .n_middle = 3, .activation = SRGAN_ACTIVATION_PRELU};
  g_autoptr (SrganNetwork) network = test_network_new_chain (&chain);

  return test_network_new_quantised (network, 2);
}

/* A copy in which weights that have codes are what these say. */
static SrganNetwork *
drop_weights (SrganNetwork *network)
{
  SrganNetwork *copy = srgan_network_new_like (network);
  g_autoptr (GError) error = NULL;

  for (guint i = 0; i < srgan_network_get_n_layers (network); i++) {
    SrganLayer layer = *srgan_network_get_layer (network, i);
    g_autofree gfloat *weight = NULL;

    if (layer.weight_code != NULL) {
      weight = g_new (gfloat, layer.out_channels * layer.in_channels *
                                  layer.kernel_width * layer.kernel_height);
      srgan_layer_compute_weight (&layer,
          srgan_network_get_layer (network, (guint) layer.inputs[0])
              ->output_step,
          weight);
      layer.weight = weight;
    }
    g_assert_cmpint (srgan_network_add_layer (copy, &layer, &error), >=, 0);
  }
  g_assert_true (srgan_network_finish (copy, &error));
  return copy;
}

/* Weights that are step times code take a byte each in the file. */
static void
test_coded_weights (void)
{
  g_autoptr (SrganNetwork) network = new_quantised_chain ();
  g_autoptr (SrganNetwork) coded = drop_weights (network);
  g_autoptr (GBytes) large = test_file_from_network (network);
  g_autoptr (GBytes) small = test_file_from_network (coded);
  gsize position;
  g_autofree gchar *header = test_file_get_header (small, &position);

  g_assert_cmpint (
      srgan_network_get_precision (network), ==, SRGAN_PRECISION_INT8);
  g_assert_cmpuint (srgan_network_get_n_layers (coded), ==,
      srgan_network_get_n_layers (network));
  g_assert_cmpuint (g_bytes_get_size (small) + 5 * 5 * 9 * sizeof (gfloat), <=,
      g_bytes_get_size (large));
  g_assert_nonnull (strstr (header, "conv2.weight_code"));
  g_assert_null (strstr (header, "\"conv2.weight\""));
  g_assert_nonnull (strstr (header, "\"conv1.weight\""));
}

static void
test_round_trip_others (void)
{
  SrganNetwork *networks[] = {
      test_network_new_residual (SRGAN_COLOUR_RGB, 4, 16, 3, 1),
      test_network_new_everything (),
      NULL,
      NULL,
      NULL,
  };

  networks[2] = test_network_new_quantised (networks[0], 1);
  networks[3] = new_quantised_chain ();
  networks[4] = drop_weights (networks[3]);
  set_up ();
  for (guint i = 0; i < G_N_ELEMENTS (networks); i++) {
    assert_round_trip (networks[i]);
    srgan_network_unref (networks[i]);
  }
  tear_down ();
}

/* A file that a reader of other make takes as it should, numbers and all. */
static void
test_independent_reader (void)
{
  g_autofree gchar *python = g_find_program_in_path ("python3");
  g_autofree gchar *script =
      g_test_build_filename (G_TEST_DIST, "read-safetensors.py", NULL);
  g_autoptr (SrganNetwork) network = NULL;
  g_autofree gchar *path = NULL, *output = NULL, *messages = NULL;
  g_autoptr (GError) error = NULL;
  gchar *command[4] = {NULL};
  gint status;

  if (python == NULL) {
    g_test_skip ("there is no python3");
    return;
  }
  set_up ();
  path = in_folder ("a.safetensors");
  network = test_network_new_everything ();
  srgan_network_save (network, path, &error);
  g_assert_no_error (error);

  command[0] = python;
  command[1] = script;
  command[2] = path;
  g_spawn_sync (NULL, command, NULL, G_SPAWN_DEFAULT, NULL, NULL, &output,
      &messages, &status, &error);
  g_assert_no_error (error);
  if (!g_spawn_check_wait_status (status, NULL))
    g_error ("%s", messages);
  g_assert_nonnull (strstr (output, "version 1\nname every thing\nscale 2\n"
                                    "colour rgb\n"));
  g_assert_nonnull (strstr (output, "conv.weight F32 12x3x3x5 "));
  g_assert_nonnull (strstr (output, "linear.slope F32 3x12 "));
  g_assert_nonnull (strstr (output, "layer sum add up product conv\n"));
  tear_down ();
}

/* The layout, byte by byte, of the smallest network. */
static void
test_layout (void)
{
  const gfloat weight = -1.5f, bias = .25f;
  const SrganLayer layer = {.name = (gchar *) "c",
      .n_inputs = 1,
      .inputs = {-1},
      .out_channels = 1,
      .kernel_width = 1,
      .kernel_height = 1,
      .weight = &weight,
      .bias = &bias};
  g_autoptr (SrganNetwork) network =
      srgan_network_new ("small", SRGAN_COLOUR_Y, 1);
  g_autoptr (GBytes) file = NULL;
  g_autofree gchar *header = NULL;
  gsize position, size;
  const guint8 *content;

  g_assert_cmpint (srgan_network_add_layer (network, &layer, NULL), ==, 0);
  g_assert_true (srgan_network_finish (network, NULL));
  file = test_file_from_network (network);
  content = g_bytes_get_data (file, &size);
  header = test_file_get_header (file, &position);
  g_assert_cmpuint (position % 8, ==, 0);
  g_assert_cmpuint (size, ==, position + 8);
  /* little-endian IEEE 754 */
  g_assert_cmpmem (content + position, 8, "\0\0\xc0\xbf\0\0\x80\x3e", 8);
  g_assert_nonnull (
      strstr (header, "\"c.weight\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1],"
                      "\"data_offsets\":[0,4]},"
                      "\"c.bias\":{\"dtype\":\"F32\",\"shape\":[1],"
                      "\"data_offsets\":[4,8]}"));
  /* standard values are not spelt out */
  g_assert_null (strstr (header, "stride"));
  g_assert_null (strstr (header, "activation"));
}

/* --- Other storage ------------------------------------------------------- */

#define ONE_LAYER(extra)                                                   \
  "{\\\"version\\\": 1, \\\"name\\\": \\\"n\\\", \\\"scale\\\": 1,"        \
  " \\\"colour\\\": \\\"y\\\", \\\"layers\\\": [{\\\"name\\\": \\\"c\\\"," \
  " \\\"operation\\\": \\\"conv\\\", \\\"inputs\\\": [\\\"input\\\"],"     \
  " \\\"out_channels\\\": 1, \\\"kernel_width\\\": 3,"                     \
  " \\\"kernel_height\\\": 3" extra "}]}"

#define HEADER                                                           \
  "{\"__metadata__\": {\"srgan.network\": \"" ONE_LAYER (                \
      "") "\"},"                                                         \
          " \"c.weight\": {\"dtype\": \"F32\", \"shape\": [1, 1, 3, 3]," \
          " \"data_offsets\": [0, 36]},"                                 \
          " \"c.bias\": {\"dtype\": \"F32\", \"shape\": [1],"            \
          " \"data_offsets\": [36, 40]}}"

static SrganNetwork *
load (const gchar *header, gconstpointer data, gsize n_data, GError **error)
{
  g_autoptr (GBytes) file =
      test_file_new (header, strlen (header), data, n_data);

  return srgan_network_load_bytes (file, "file", error);
}

static void
test_half_precision (void)
{
  /* 9 weights: 1, -2, largest, smallest normal, smallest, 0, -0, .1, pi */
  static const guint16 halves[10] = {0x3c00, 0xc000, 0x7bff, 0x0400, 0x0001,
      0x0000, 0x8000, 0x2e66, 0x4248, 0xb800};
  static const gfloat half_values[10] = {1.f, -2.f, 65504.f, 0x1p-14f, 0x1p-24f,
      0.f, -0.f, 0x1.998p-4f, 3.140625f, -.5f};
  static const guint16 brains[10] = {0x3f80, 0xc000, 0x7f7f, 0x0080, 0x0001,
      0x0000, 0x8000, 0x3dcd, 0x4049, 0xbf00};
  static const gfloat brain_values[10] = {1.f, -2.f, 0x1.fep127f, 0x1p-126f,
      0x1p-133f, 0.f, -0.f, .10009765625f, 3.140625f, -.5f};
  const struct {
    const gchar *name;
    const guint16 *items;
    const gfloat *values;
  } kinds[] = {
      {"\"F16\"", halves, half_values}, {"\"BF16\"", brains, brain_values}};

  for (guint i = 0; i < 2; i++) {
    g_autofree gchar *a = test_replace (HEADER, "\"F32\"", kinds[i].name);
    g_autofree gchar *b = test_replace (a, "\"F32\"", kinds[i].name);
    g_autofree gchar *c = test_replace (b, "[0, 36]", "[0, 18]");
    g_autofree gchar *d = test_replace (c, "[36, 40]", "[18, 20]");
    g_autoptr (GError) error = NULL;
    g_autoptr (SrganNetwork) network = NULL;
    guint8 data[20];

    for (guint j = 0; j < 10; j++) {
      data[2 * j] = kinds[i].items[j] & 0xff;
      data[2 * j + 1] = kinds[i].items[j] >> 8;
    }
    network = load (d, data, 20, &error);
    g_assert_no_error (error);
    g_assert_cmpmem (
        srgan_network_get_layer (network, 0)->weight, 36, kinds[i].values, 36);
    g_assert_cmpfloat (srgan_network_get_layer (network, 0)->bias[0], ==, -.5f);

    /* infinite, not a number */
    data[1] = i == 0 ? 0x7c : 0x7f;
    data[0] = i == 0 ? 0x00 : 0x80;
    g_assert_null (load (d, data, 20, &error));
    g_assert_nonnull (strstr (error->message, "number 0 is infinite"));
    g_clear_error (&error);
    data[0] |= 1;
    g_assert_null (load (d, data, 20, &error));
    g_assert_nonnull (strstr (error->message, "number 0 is not a number"));
  }
}

/* All halves, against their definition. */
static void
test_all_halves (void)
{
  g_autofree gchar *a = test_replace (HEADER, "\"F32\"", "\"F16\"");
  g_autofree gchar *b = test_replace (a, "\"F32\"", "\"F16\"");
  g_autofree gchar *c = test_replace (b, "[0, 36]", "[0, 18]");
  g_autofree gchar *d = test_replace (c, "[36, 40]", "[18, 20]");

  for (guint bits = 0; bits < 65536; bits += 9) {
    guint8 data[20] = {0};
    g_autoptr (SrganNetwork) network = NULL;

    for (guint i = 0; i < 9 && bits + i < 65536; i++)
      if (((bits + i) >> 10 & 31) != 31) {
        data[2 * i] = (bits + i) & 0xff;
        data[2 * i + 1] = (bits + i) >> 8;
      }
    network = load (d, data, 20, NULL);
    g_assert_nonnull (network);
    for (guint i = 0; i < 9 && bits + i < 65536; i++) {
      guint exponent = (bits + i) >> 10 & 31, fraction = (bits + i) & 1023;
      gdouble value = exponent == 0
                          ? ldexp (fraction, -24)
                          : ldexp (1024 + fraction, (gint) exponent - 25);

      if (exponent == 31)
        continue;
      if ((bits + i) >> 15)
        value = -value;
      g_assert_cmpfloat (
          srgan_network_get_layer (network, 0)->weight[i], ==, value);
    }
  }
}

/* Rounded to the nearest, halves to even; what fits stays as it is; what would
 * be infinite is refused. */
static void
test_save_half (void)
{
  static const gfloat given[9] = {1.f, 0x1.002p0f, 0x1.006p0f, -0x1.003p0f,
      65504.f, 65519.f, 0x1p-24f, 0x1.8p-25f, 0x1p-26f};
  static const gfloat rounded[9] = {1.f, 1.f, 0x1.008p0f, -0x1.004p0f, 65504.f,
      65504.f, 0x1p-24f, 0x1p-24f, 0.f};
  const gfloat bias = 0x1.002p0f;
  gfloat large[9] = {0.f, 65520.f};
  SrganLayer layer = {.name = (gchar *) "conv",
      .n_inputs = 1,
      .inputs = {SRGAN_INPUT_NETWORK},
      .out_channels = 1,
      .kernel_width = 3,
      .kernel_height = 3,
      .weight = given,
      .bias = &bias};
  g_autofree gchar *place = g_dir_make_tmp ("srgan-half-XXXXXX", NULL);
  g_autofree gchar *path = g_build_filename (place, "half.safetensors", NULL);
  g_autoptr (GError) error = NULL;

  for (guint i = 0; i < 2; i++) {
    g_autoptr (SrganNetwork) network =
        srgan_network_new ("halved", SRGAN_COLOUR_Y, 1);
    g_autoptr (SrganNetwork) again = NULL, twice = NULL;

    layer.weight = i == 0 ? given : large;
    srgan_network_add_layer (network, &layer, NULL);
    g_assert_true (srgan_network_finish (network, NULL));
    if (i == 1) {
      g_assert_false (srgan_network_save_half (network, path, &error));
      g_assert_error (error, SRGAN_ERROR, SRGAN_ERROR_UNSUPPORTED);
      g_assert_nonnull (strstr (error->message, "layer 'conv' has a weight"));
      break;
    }
    srgan_network_save_half (network, path, &error);
    g_assert_no_error (error);
    again = srgan_network_load (path, &error);
    g_assert_no_error (error);
    g_assert_cmpmem (
        srgan_network_get_layer (again, 0)->weight, 36, rounded, 36);
    g_assert_cmpfloat (srgan_network_get_layer (again, 0)->bias[0], ==, bias);
    g_assert_true (srgan_network_save_half (again, path, NULL));
    twice = srgan_network_load (path, &error);
    g_assert_no_error (error);
    g_assert_true (test_networks_equal (again, twice));
  }
  g_remove (path);
  g_rmdir (place);
}

/* What files say about int8 is no more believed than the rest. */
static void
test_wrong_quantisation (void)
{
  static const struct {
    const gchar *from;
    const gchar *to;
    const gchar *message;
  } cases[] = {
      {"\\\"int8\\\"", "\\\"fp32\\\"", "precision: 'fp32'"},
      {"\\\"int8\\\"", "\\\"int4\\\"", "precision: 'int4'"},
      {"\\\"precision\\\" : \\\"int8\\\",", "", "precision: 'fp32'"},
      {"\\\"int8\\\"", "8", "precision: is not a string"},
      {"\\\"output_zero\\\" : 128", "\\\"output_zero\\\" : 256",
          "layer 'conv0': output_zero"},
      {"\\\"output_zero\\\" : 128", "\\\"output_zero\\\" : -1",
          "layer 'conv0': output_zero"},
      {"conv2.output_step", "conv2.output_stop", "layer 'conv2': output_zero"},
      {"conv1.output_step", "conv1.output_stop", "output_zero"},
      {"conv2.weight_step", "conv2.weight_stop", "weight_code: is given"},
      {"conv2.weight_code\":{\"dtype\":\"I8\"",
          "conv2.weight_code\":{\"dtype\":\"F16\"", "data_offsets"},
      {"conv2.output_step\":{\"dtype\":\"F32\",\"shape\":[5]",
          "conv2.output_step\":{\"dtype\":\"I8\",\"shape\":[20]",
          "tensor 'conv2.output_step'"},
      {"conv2.output_step\":{\"dtype\":\"F32\",\"shape\":[5]",
          "conv2.output_step\":{\"dtype\":\"F32\",\"shape\":[5,1]",
          "tensor 'conv2.output_step': shape"},
      {"conv2.weight_code", "shuffle.weight_code", "weight_code"},
      {"conv2.int8_bias", "shuffle.int8_bias", "no layer has it"},
  };
  g_autoptr (SrganNetwork) network = new_quantised_chain ();
  g_autoptr (GBytes) file = test_file_from_network (network);
  gsize size, position;
  const guint8 *content = g_bytes_get_data (file, &size);
  g_autofree gchar *header = test_file_get_header (file, &position);
  g_autofree guint8 *data = g_memdup2 (content + position, size - position);

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autofree gchar *changed =
        test_replace (header, cases[i].from, cases[i].to);
    g_autoptr (GError) error = NULL;
    g_autoptr (SrganNetwork) wrong =
        load (changed, data, size - position, &error);

    g_assert_null (wrong);
    g_assert_error (error, SRGAN_ERROR, SRGAN_ERROR_CORRUPT);
    g_test_message ("%s", error->message);
    g_assert_nonnull (strstr (error->message, cases[i].message));
  }

  /* The last bytes are codes. */
  for (guint i = 0; i < 2; i++) {
    g_autoptr (GError) error = NULL;
    g_autoptr (SrganNetwork) changed = NULL;

    data[size - position - 1] = i == 0 ? (guint8) -127 : (guint8) -128;
    changed = load (header, data, size - position, &error);
    g_assert_cmpint (changed == NULL, ==, i);
    if (i == 1)
      g_assert_nonnull (strstr (error->message, "is no code"));
  }
}

/* --- Files that are wrong in one place ----------------------------------- */

static void
test_wrong_fields (void)
{
  static const struct {
    const gchar *from;
    const gchar *to;
    SrganError code;
    const gchar *message; /* names the field */
  } cases[] = {
#define CORRUPT(from, to, message)         \
  {                                        \
    from, to, SRGAN_ERROR_CORRUPT, message \
  }
#define UNSUPPORTED(from, to, message)         \
  {                                            \
    from, to, SRGAN_ERROR_UNSUPPORTED, message \
  }
      /* the container */
      CORRUPT ("{\"__metadata__\"", "[\"__metadata__\"", "header: is not JSON"),
      CORRUPT ("]}}", "]}", "header: is not JSON"),
      CORRUPT ("{\"__metadata__\"", "var x = {\"__metadata__\"",
          "header: is not JSON"),
      CORRUPT ("]}}", "]}} {}", "after its end"),
      CORRUPT ("]}}", "]}} 1", "after its end"),
      CORRUPT ("{\"__metadata__\"", "{ /* */ \"__metadata__\"", "header: '/'"),
      CORRUPT ("{\"__metadata__\"", "\xff{\"__metadata__\"", "not UTF-8"),
      UNSUPPORTED ("__metadata__", "metadata", "__metadata__.srgan.network"),
      UNSUPPORTED ("srgan.network", "other", "__metadata__.srgan.network"),
      UNSUPPORTED ("{\"srgan.network\":", "[\"srgan.network\"], \"x\": {\"y\":",
          "__metadata__"),
      CORRUPT (
          ", \"c.bias\"", ", \"c.weight\"", "header: has 'c.weight' twice"),
      CORRUPT (
          "\"c.bias\"", "\"c.other\"", "tensor 'c.other': no layer has it"),
      CORRUPT ("\"c.weight\"", "\"d.weight\"", "tensor 'c.weight': is missing"),
      UNSUPPORTED ("\"F32\"", "\"F64\"", "tensor 'c.weight': dtype: 'F64'"),
      UNSUPPORTED ("\"F32\"", "\"\"", "tensor 'c.weight': dtype"),
      CORRUPT ("\"F32\"", "32", "tensor 'c.weight': dtype"),
      CORRUPT ("\"dtype\"", "\"dtypes\"", "'dtypes' is not known"),
      CORRUPT ("\"F32\"", "\"F32\", \"dtype\": \"F32\"", "has 'dtype' twice"),
      CORRUPT (
          "\"F32\"", "\"F16\"", "tensor 'c.weight': data_offsets: span 36"),
      CORRUPT ("[1, 1, 3, 3]", "[1, 1, 3, 4]", "data_offsets: span 36"),
      CORRUPT (
          "[1, 1, 3, 3]", "[1, 3, 3]", "tensor 'c.weight': shape: is [1x3"),
      CORRUPT (
          "[1, 1, 3, 3]", "[9]", "shape: is [9], its layer needs [1x1x3x3]"),
      CORRUPT ("[1, 1, 3, 3]", "[1, 1, 1, 9]", "shape: is [1x1x1x9]"),
      CORRUPT ("[1, 1, 3, 3]", "[1, 1, 1, 3, 3]", "shape: has 5 dimensions"),
      CORRUPT ("[1, 1, 3, 3]", "[1, 1, -3, -3]", "tensor 'c.weight': shape"),
      CORRUPT ("[1, 1, 3, 3]", "[1, 1, 3.0, 3]", "tensor 'c.weight': shape"),
      CORRUPT ("[1, 1, 3, 3]", "[1, 1, true, 3]", "tensor 'c.weight': shape"),
      CORRUPT ("[1, 1, 3, 3]", "[1, 1, null, 3]", "tensor 'c.weight': shape"),
      CORRUPT ("[1, 1, 3, 3]", "{}", "tensor 'c.weight': shape"),
      CORRUPT ("[1, 1, 3, 3]", "[4294967296, 4294967296, 3, 3]", "overflows"),
      CORRUPT ("[1, 1, 3, 3]", "[9223372036854775807, 1, 3, 3]", "overflows"),
      CORRUPT ("[1, 1, 3, 3]", "[99999999999999999999, 1, 3, 3]", "shape"),
      CORRUPT ("[1, 1, 3, 3]", "[0, 9223372036854775807]", "span 36"),
      CORRUPT (
          "[0, 36]", "[36, 0]", "tensor 'c.weight': data_offsets: 36 to 0"),
      CORRUPT (
          "[0, 36]", "[0, 41]", "tensor 'c.weight': data_offsets: 0 to 41"),
      CORRUPT ("[0, 36]", "[-4, 32]", "tensor 'c.weight': data_offsets"),
      CORRUPT ("[0, 36]", "[0]", "tensor 'c.weight': data_offsets"),
      CORRUPT ("[0, 36]", "[0, 36, 36]", "tensor 'c.weight': data_offsets"),
      CORRUPT ("[0, 36]", "[0, 9223372036854775807]", "data_offsets"),
      CORRUPT ("[0, 36]", "[0, 18446744073709551615]", "data_offsets"),
      CORRUPT ("[0, 36]", "[4, 40]", "data_offsets: begins at 4, leaves a gap"),
      CORRUPT ("[36, 40]", "[32, 36]", "data_offsets: begins at 32, overlaps"),
      CORRUPT ("[36, 40]", "[0, 4]", "overlaps"),
      CORRUPT (
          "{\"dtype\": \"F32\", \"shape\": [1], \"data_offsets\": [36, 40]}",
          "7", "tensor 'c.bias': its entry: is not an object"),
      /* a tensor too few: bytes that nobody describes */
      CORRUPT (", \"c.bias\": {\"dtype\": \"F32\", \"shape\": [1],"
               " \"data_offsets\": [36, 40]}",
          "", "data_offsets: the tensors end at 36, the file at 40"),
      CORRUPT ("\"c.bias\": {\"dtype\"",
          "\"e\": {\"dtype\": \"F32\", \"shape\": [0],"
          " \"data_offsets\": [36, 36]}, \"c.bias\": {\"dtype\"",
          "tensor 'e': no layer has it"),

      /* the description */
      CORRUPT ("{\\\"version", "[\\\"version", "srgan.network: is not JSON"),
      CORRUPT ("\"{\\\"version", "\"", "srgan.network: is not"),
      UNSUPPORTED ("\\\"version\\\": 1", "\\\"version\\\": 2", "version: 2"),
      UNSUPPORTED ("\\\"version\\\": 1", "\\\"version\\\": 0", "version: 0"),
      CORRUPT ("\\\"version\\\": 1", "\\\"version\\\": \\\"1\\\"", "version"),
      CORRUPT ("\\\"version\\\": 1,", "", "version: is missing"),
      CORRUPT ("\\\"version\\\": 1,", "\\\"version\\\": 1, \\\"version\\\": 1,",
          "srgan.network: has 'version' twice"),
      CORRUPT ("\\\"scale\\\": 1", "\\\"scale\\\": 0", "scale: 0"),
      CORRUPT ("\\\"scale\\\": 1", "\\\"scale\\\": 5", "scale: 5"),
      CORRUPT ("\\\"scale\\\": 1", "\\\"scale\\\": 4294967297", "scale"),
      CORRUPT ("\\\"scale\\\": 1", "\\\"scale\\\": 2", "layer 'c': gives 1/1"),
      CORRUPT (
          "\\\"scale\\\": 1", "\\\"scales\\\": 1", "'scales' is not known"),
      CORRUPT ("\\\"y\\\"", "\\\"x\\\"", "colour: 'x'"),
      CORRUPT ("\\\"y\\\"", "\\\"rgb\\\"", "tensor 'c.weight': shape"),
      CORRUPT ("\\\"n\\\"", "\\\"\\\"", "name"),
      CORRUPT ("\\\"n\\\"", "\\\"\\\\n\\\"", "name"),
      CORRUPT ("\\\"n\\\"", "7", "name: is not a string"),
      CORRUPT ("\\\"n\\\"", "\\\"n\\\", \\\"notes\\\": 5", "notes"),
      CORRUPT ("\\\"n\\\"", "\\\"n\\\", \\\"notes\\\": {\\\"a\\\": 5}",
          "notes: a: is not a string"),
      CORRUPT ("\\\"n\\\"", "\\\"n\\\", \\\"notes\\\": {\\\"A b\\\": \\\"\\\"}",
          "notes: 'A b'"),
      CORRUPT ("\\\"layers\\\": [{", "\\\"layers\\\": {\\\"a\\\": [{",
          "srgan.network: is not JSON"),
      CORRUPT ("\\\"layers\\\"", "\\\"layers\\\": {}, \\\"more\\\"",
          "'more' is not known"),
      CORRUPT ("\\\"layers\\\": [", "\\\"layers\\\": [1, ",
          "layer number 1: its entry"),
      CORRUPT (
          "\\\"name\\\": \\\"c\\\",", "", "layer number 1: name: is missing"),
      CORRUPT (
          "\\\"name\\\": \\\"c\\\"", "\\\"name\\\": \\\"input\\\"", "name"),
      CORRUPT ("\\\"name\\\": \\\"c\\\"", "\\\"name\\\": \\\"\\\"", "name"),
      CORRUPT ("\\\"name\\\": \\\"c\\\"", "\\\"name\\\": \\\"d\\\"",
          "tensor 'd.weight': is missing"),
      UNSUPPORTED (
          "\\\"conv\\\"", "\\\"warp\\\"", "layer 'c': operation: 'warp'"),
      CORRUPT ("\\\"conv\\\"", "\\\"pixel-shuffle\\\"", "layer 'c': factor"),
      CORRUPT ("[\\\"input\\\"]", "[]", "layer 'c': inputs"),
      CORRUPT (
          "[\\\"input\\\"]", "[\\\"c\\\"]", "layer 'c': inputs: 'c' is ne"),
      CORRUPT (
          "[\\\"input\\\"]", "[\\\"d\\\"]", "layer 'c': inputs: 'd' is ne"),
      CORRUPT ("[\\\"input\\\"]", "[5]", "layer 'c': inputs: is not a string"),
      CORRUPT ("[\\\"input\\\"]", "\\\"input\\\"", "layer 'c': inputs"),
      CORRUPT ("[\\\"input\\\"]", "[\\\"input\\\", \\\"input\\\"]", "inputs"),
      CORRUPT ("\\\"out_channels\\\": 1", "\\\"out_channels\\\": 2",
          "tensor 'c.weight': shape"),
      CORRUPT ("\\\"out_channels\\\": 1", "\\\"out_channels\\\": 0",
          "layer 'c': out_channels"),
      CORRUPT ("\\\"out_channels\\\": 1", "\\\"out_channels\\\": 4294967297",
          "layer 'c': out_channels"),
      CORRUPT ("\\\"out_channels\\\": 1", "\\\"out_channels\\\": -1",
          "layer 'c': out_channels"),
      CORRUPT ("\\\"out_channels\\\": 1,", "", "out_channels: is missing"),
      CORRUPT ("\\\"kernel_width\\\": 3", "\\\"kernel_width\\\": 64",
          "layer 'c': kernel_width"),
      CORRUPT ("\\\"kernel_width\\\": 3", "\\\"kernel_width\\\": \\\"3\\\"",
          "layer 'c': kernel_width"),
      CORRUPT ("\\\"kernel_width\\\": 3", "\\\"kernel_width\\\": 3.5",
          "layer 'c': kernel_width"),
      CORRUPT ("\\\"kernel_width\\\": 3",
          "\\\"kernel_width\\\": 3, \\\"strid\\\": 1",
          "layer 'c': 'strid' is not known"),
      CORRUPT ("\\\"kernel_width\\\": 3",
          "\\\"kernel_width\\\": 3, \\\"stride\\\": 0", "layer 'c': stride"),
      CORRUPT ("\\\"kernel_width\\\": 3",
          "\\\"kernel_width\\\": 3, \\\"stride\\\": 2", "layer 'c': gives 1/2"),
      CORRUPT ("\\\"kernel_width\\\": 3",
          "\\\"kernel_width\\\": 3, \\\"factor\\\": 2",
          "layer 'c': 'factor' is not known"),
      CORRUPT ("\\\"kernel_width\\\": 3",
          "\\\"kernel_width\\\": 3, \\\"activation_low\\\": 2",
          "layer 'c': 'activation_low' is not known"),
      UNSUPPORTED ("\\\"kernel_width\\\": 3",
          "\\\"kernel_width\\\": 3, \\\"activation\\\": \\\"mish\\\"",
          "layer 'c': activation: 'mish'"),
      UNSUPPORTED ("\\\"kernel_width\\\": 3",
          "\\\"kernel_width\\\": 3, \\\"padding\\\": \\\"wrap\\\"",
          "layer 'c': padding: 'wrap'"),
      CORRUPT ("\\\"kernel_width\\\": 3",
          "\\\"kernel_width\\\": 3, \\\"activation\\\": \\\"prelu\\\"",
          "tensor 'c.slope': is missing"),
      CORRUPT ("\\\"kernel_width\\\": 3",
          "\\\"kernel_width\\\": 3, \\\"activation\\\": \\\"leaky-relu\\\","
          " \\\"activation_low\\\": 1e300",
          "layer 'c': activation_low"),
  };
  const gfloat data[10] = {0.f};
  g_autoptr (GError) error = NULL;
  SrganNetwork *good = load (HEADER, data, sizeof data, &error);

  g_assert_no_error (error);
  srgan_network_unref (good);
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autofree gchar *header =
        test_replace (HEADER, cases[i].from, cases[i].to);
    SrganNetwork *network = load (header, data, sizeof data, &error);

    if (network != NULL)
      g_error ("case %u was taken: %s", i, header);
    g_test_message ("%s", error->message);
    g_assert_error (error, SRGAN_ERROR, cases[i].code);
    g_assert_true (g_str_has_prefix (error->message, "file: "));
    if (strstr (error->message, cases[i].message) == NULL)
      g_error ("case %u: '%s' does not say '%s'", i, error->message,
          cases[i].message);
    g_clear_error (&error);
  }
}

static void
test_wrong_numbers (void)
{
  static const gfloat values[] = {NAN, INFINITY, -INFINITY};

  for (guint i = 0; i < G_N_ELEMENTS (values); i++)
    for (guint j = 0; j < 10; j++) {
      gfloat data[10] = {0.f};
      g_autoptr (GError) error = NULL;

      data[j] = values[i];
      g_assert_null (load (HEADER, data, sizeof data, &error));
      g_assert_error (error, SRGAN_ERROR, SRGAN_ERROR_CORRUPT);
      g_assert_nonnull (strstr (error->message,
          j < 9 ? "layer 'c': weight: number " : "layer 'c': bias: number 0"));
    }
}

/* The first eight bytes. */
static void
test_wrong_length (void)
{
  const gfloat data[10] = {0.f};
  g_autoptr (GBytes) good =
      test_file_new (HEADER, strlen (HEADER), data, sizeof data);
  gsize size;
  const guint8 *content = g_bytes_get_data (good, &size);
  const guint64 lengths[] = {0, 1, 2, strlen (HEADER) - 1, strlen (HEADER) + 1,
      size - 8, size - 7, size, G_MAXINT32, G_MAXUINT32, G_MAXINT64,
      G_MAXUINT64 - 8, G_MAXUINT64};

  for (guint i = 0; i < G_N_ELEMENTS (lengths); i++) {
    guint8 *copy = g_memdup2 (content, size);
    guint64 length = GUINT64_TO_LE (lengths[i]);
    g_autoptr (GBytes) file = NULL;
    g_autoptr (GError) error = NULL;

    memcpy (copy, &length, sizeof length);
    file = g_bytes_new_take (copy, size);
    g_assert_null (srgan_network_load_bytes (file, "file", &error));
    g_assert_error (error, SRGAN_ERROR, SRGAN_ERROR_CORRUPT);
    g_assert_nonnull (strstr (error->message, "header"));
  }
  for (gsize n = 0; n < size; n++) {
    g_autoptr (GBytes) file = g_bytes_new_from_bytes (good, 0, n);
    g_autoptr (GError) error = NULL;

    g_assert_null (srgan_network_load_bytes (file, "file", &error));
    g_assert_error (error, SRGAN_ERROR, SRGAN_ERROR_CORRUPT);
  }
  {
    /* a byte too many */
    guint8 *copy = g_malloc0 (size + 1);
    g_autoptr (GBytes) file = NULL;
    g_autoptr (GError) error = NULL;

    memcpy (copy, content, size);
    file = g_bytes_new_take (copy, size + 1);
    g_assert_null (srgan_network_load_bytes (file, "file", &error));
    g_assert_nonnull (strstr (error->message, "data_offsets"));
  }
}

/* json-glib recurses; 200,000 brackets would end the process. */
static void
test_nesting (void)
{
  static const gchar *const openings[] = {
      "[", "{\"a\":", "{\\\"a\\\":", "[{\"a\":", " [ "};

  for (guint i = 0; i < G_N_ELEMENTS (openings); i++)
    for (guint inner = 0; inner < 2; inner++) {
      GString *text = g_string_new (
          inner ? "{\"__metadata__\": {\"srgan.network\": \"" : "");
      g_autoptr (GError) error = NULL;

      for (guint j = 0; j < 200000; j++)
        g_string_append (text, openings[i]);
      if (inner)
        g_string_append (text, "\"}}");
      g_assert_null (load (text->str, NULL, 0, &error));
      g_assert_error (error, SRGAN_ERROR, SRGAN_ERROR_CORRUPT);
      g_string_free (text, TRUE);
    }
}

/* Much of one thing: refused before much is made of it. */
static void
test_bulk (void)
{
  const struct {
    const gchar *before, *item, *after;
    guint n;
    const gchar *message;
  } cases[] = {
      {"{\"a\": [0", ",0", "]}", 600000, "header: holds more"},
      {"{\"a\": \"", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "\"}", 200000,
          "header: "},
      {"{\"__metadata__\": {\"srgan.network\": \"{\\\"layers\\\": [0", ",0",
          "]}\"}}", 600000, "srgan.network: holds more"},
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    GString *text = g_string_new (cases[i].before);
    g_autoptr (GError) error = NULL;

    for (guint j = 0; j < cases[i].n; j++)
      g_string_append (text, cases[i].item);
    g_string_append (text, cases[i].after);
    g_assert_null (load (text->str, NULL, 0, &error));
    g_assert_error (error, SRGAN_ERROR, SRGAN_ERROR_CORRUPT);
    g_assert_nonnull (strstr (error->message, cases[i].message));
    g_string_free (text, TRUE);
  }
}

/* Keys that all have one hash: "Ab" and "BA" are the same to it. A table of
 * them takes time with the square of its size. */
static void
test_colliding_keys (void)
{
  GString *text = g_string_new ("{");
  g_autoptr (GError) error = NULL;

  for (guint i = 0; i < 65536; i++) {
    g_string_append (text, i > 0 ? ",\"" : "\"");
    for (guint bit = 0; bit < 16; bit++)
      g_string_append (text, i >> bit & 1 ? "Ab" : "BA");
    g_string_append (text, "\":0");
  }
  g_string_append (text, "}");
  g_assert_null (load (text->str, NULL, 0, &error));
  g_assert_error (error, SRGAN_ERROR, SRGAN_ERROR_CORRUPT);
  g_assert_nonnull (strstr (error->message, "members in one object"));
  g_string_free (text, TRUE);
}

/* As many layers as may be, and one more. */
static void
test_most_layers (void)
{
  const gfloat weight = 1.f;
  SrganNetwork *network = srgan_network_new ("deep", SRGAN_COLOUR_Y, 1);
  g_autoptr (GError) error = NULL;
  gchar name[16];
  SrganLayer layer = {.name = name,
      .n_inputs = 1,
      .inputs = {SRGAN_INPUT_NETWORK},
      .out_channels = 1,
      .kernel_width = 1,
      .kernel_height = 1,
      .padding = SRGAN_PADDING_EDGE,
      .activation = SRGAN_ACTIVATION_PRELU,
      .weight = &weight,
      .bias = &weight,
      .slope = &weight};

  for (guint i = 0; i < SRGAN_MAX_LAYERS; i++) {
    g_snprintf (name, sizeof name, "layer%u", i);
    layer.inputs[0] = srgan_network_add_layer (network, &layer, &error);
    g_assert_no_error (error);
  }
  strcpy (name, "last");
  g_assert_cmpint (srgan_network_add_layer (network, &layer, &error), ==, -1);
  g_assert_error (error, SRGAN_ERROR, SRGAN_ERROR_INVALID);
  g_clear_error (&error);
  g_assert_true (srgan_network_finish (network, &error));
  set_up ();
  assert_round_trip (network);
  tear_down ();
  srgan_network_unref (network);
}

/* Every bit of a small file turned over: an error or a network, and a network
 * that is taken can be written again. */
static void
test_bit_flips (void)
{
  const gfloat data[10] = {.5f};
  g_autoptr (GBytes) good =
      test_file_new (HEADER, strlen (HEADER), data, sizeof data);
  gsize size;
  const guint8 *content = g_bytes_get_data (good, &size);
  guint n_taken = 0;

  for (gsize bit = 0; bit < size * 8; bit++) {
    guint8 *copy = g_memdup2 (content, size);
    g_autoptr (GBytes) file = NULL;
    g_autoptr (GError) error = NULL;
    g_autoptr (SrganNetwork) network = NULL;

    copy[bit / 8] ^= (guint8) (1u << bit % 8);
    file = g_bytes_new_take (copy, size);
    network = srgan_network_load_bytes (file, "file", &error);
    if (network == NULL) {
      g_assert_nonnull (error);
      g_assert_true (error->domain == SRGAN_ERROR);
      g_assert_true (g_utf8_validate (error->message, -1, NULL));
    } else {
      g_assert_no_error (error);
      n_taken++;
    }
  }
  /* a weight's bits, a name's letters, spaces between */
  g_test_message ("%u of %" G_GSIZE_FORMAT " taken", n_taken, size * 8);
  g_assert_cmpuint (n_taken, >, 0);
  g_assert_cmpuint (n_taken, <, size * 2);
}

/* --- Paths --------------------------------------------------------------- */

static void
test_load_paths (void)
{
  g_autofree gchar *absent = NULL, *empty = NULL, *pipe = NULL;
  g_autoptr (GError) error = NULL;

  set_up ();
  absent = in_folder ("absent.safetensors");
  empty = in_folder ("empty.safetensors");
  pipe = in_folder ("pipe.safetensors");

  g_assert_null (srgan_network_load (absent, &error));
  g_assert_error (error, SRGAN_ERROR, SRGAN_ERROR_NOT_FOUND);
  g_assert_nonnull (strstr (error->message, absent));
  g_clear_error (&error);

  g_assert_null (srgan_network_load (folder, &error));
  g_assert_error (error, SRGAN_ERROR, SRGAN_ERROR_READ);
  g_clear_error (&error);

  /* must not wait for a writer */
  g_assert_cmpint (mkfifo (pipe, 0600), ==, 0);
  g_assert_null (srgan_network_load (pipe, &error));
  g_assert_error (error, SRGAN_ERROR, SRGAN_ERROR_READ);
  g_clear_error (&error);

  g_file_set_contents (empty, "", 0, NULL);
  g_assert_null (srgan_network_load (empty, &error));
  g_assert_error (error, SRGAN_ERROR, SRGAN_ERROR_CORRUPT);
  g_assert_nonnull (strstr (error->message, empty));
  g_clear_error (&error);

  /* larger than any model; it takes no room */
  g_assert_cmpint (truncate (empty, G_GINT64_CONSTANT (1) << 33), ==, 0);
  g_assert_null (srgan_network_load (empty, &error));
  g_assert_error (error, SRGAN_ERROR, SRGAN_ERROR_TOO_LARGE);
  tear_down ();
}

static void
test_save_paths (void)
{
  TestChain chain = {.channels = 8};
  g_autoptr (SrganNetwork) network = test_network_new_chain (&chain);
  g_autofree gchar *path = NULL, *link = NULL, *pipe = NULL;
  g_autoptr (GError) error = NULL;
  struct stat status;
  gchar *contents;
  mode_t mask;

  set_up ();
  path = in_folder ("a.safetensors");
  link = in_folder ("link.safetensors");
  pipe = in_folder ("pipe.safetensors");

  g_assert_false (
      srgan_network_save (network, "/nonexistent/a.safetensors", &error));
  g_assert_error (error, SRGAN_ERROR, SRGAN_ERROR_WRITE);
  g_assert_nonnull (strstr (error->message, "/nonexistent/a.safetensors"));
  g_clear_error (&error);

  /* the user's mask counts */
  mask = umask (027);
  g_assert_true (srgan_network_save (network, path, &error));
  umask (mask);
  g_assert_cmpint (stat (path, &status), ==, 0);
  g_assert_cmpuint (status.st_mode & 0777, ==, 0640);

  /* a link stays one, what it leads to is replaced */
  g_file_set_contents (path, "old", -1, NULL);
  g_assert_cmpint (symlink (path, link), ==, 0);
  g_assert_true (srgan_network_save (network, link, &error));
  g_assert_true (g_file_test (link, G_FILE_TEST_IS_SYMLINK));
  g_assert_cmpint (stat (path, &status), ==, 0);
  g_assert_cmpint (status.st_size, >, 100);

  /* what is no file stays, too */
  g_assert_cmpint (mkfifo (pipe, 0600), ==, 0);
  g_assert_false (srgan_network_save (network, pipe, &error));
  g_assert_error (error, SRGAN_ERROR, SRGAN_ERROR_WRITE);
  g_clear_error (&error);
  g_assert_cmpint (stat (pipe, &status), ==, 0);
  g_assert_true (S_ISFIFO (status.st_mode));
  g_assert_false (srgan_network_save (network, folder, &error));
  g_assert_error (error, SRGAN_ERROR, SRGAN_ERROR_WRITE);
  g_clear_error (&error);

  /* out of room: the old file stays and nothing is left beside it */
  g_file_set_contents (path, "old", -1, NULL);
  {
    struct rlimit before, small;
    void (*handler) (int) = signal (SIGXFSZ, SIG_IGN);

    g_assert_cmpint (getrlimit (RLIMIT_FSIZE, &before), ==, 0);
    small = before;
    small.rlim_cur = 100;
    g_assert_cmpint (setrlimit (RLIMIT_FSIZE, &small), ==, 0);
    g_assert_false (srgan_network_save (network, path, &error));
    g_assert_cmpint (setrlimit (RLIMIT_FSIZE, &before), ==, 0);
    signal (SIGXFSZ, handler);
  }
  g_assert_error (error, SRGAN_ERROR, SRGAN_ERROR_WRITE);
  g_test_message ("%s", error->message);
  g_assert_true (g_file_get_contents (path, &contents, NULL, NULL));
  g_assert_cmpstr (contents, ==, "old");
  g_free (contents);
  g_assert_cmpuint (count_files (), ==, 3);
  tear_down ();
}

gint
main (gint argc, gchar **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/model-file/round-trip", test_round_trip);
  g_test_add_func ("/model-file/round-trip-others", test_round_trip_others);
  g_test_add_func ("/model-file/coded-weights", test_coded_weights);
  g_test_add_func ("/model-file/wrong-quantisation", test_wrong_quantisation);
  g_test_add_func ("/model-file/independent-reader", test_independent_reader);
  g_test_add_func ("/model-file/layout", test_layout);
  g_test_add_func ("/model-file/half-precision", test_half_precision);
  g_test_add_func ("/model-file/all-halves", test_all_halves);
  g_test_add_func ("/model-file/save-half", test_save_half);
  g_test_add_func ("/model-file/wrong-fields", test_wrong_fields);
  g_test_add_func ("/model-file/wrong-numbers", test_wrong_numbers);
  g_test_add_func ("/model-file/wrong-length", test_wrong_length);
  g_test_add_func ("/model-file/nesting", test_nesting);
  g_test_add_func ("/model-file/bulk", test_bulk);
  g_test_add_func ("/model-file/colliding-keys", test_colliding_keys);
  g_test_add_func ("/model-file/most-layers", test_most_layers);
  g_test_add_func ("/model-file/bit-flips", test_bit_flips);
  g_test_add_func ("/model-file/load-paths", test_load_paths);
  g_test_add_func ("/model-file/save-paths", test_save_paths);
  return g_test_run ();
}
