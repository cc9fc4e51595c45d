/* tests: what we write as ONNX, in ONNX Runtime, beside our own engine.
 *
 * For machines that have npm's onnxruntime-node where tests/bench/
 * compare-peers.sh --install puts it: in $SRGAN_BENCH/node, by default
 * ~/.cache/srgan-bench/node.
 *
 * SPDX-License-Identifier: MIT
 */
#include "vectors.h"

#include <glib/gstdio.h>
#include <srgan/srgan.h>
#include <string.h>

/* Even, odd, and larger than a tile: one file for all. */
static const guint sizes[][2] = {{48, 32}, {61, 37}, {160, 90}};

static gchar *folder;
static gchar *modules;

static gboolean
find_runtime (void)
{
  const gchar *bench = g_getenv ("SRGAN_BENCH");
  g_autofree gchar *node = g_find_program_in_path ("node");
  g_autofree gchar *package = NULL;

  if (bench != NULL)
    modules = g_build_filename (bench, "node", "node_modules", NULL);
  else
    modules = g_build_filename (
        g_get_user_cache_dir (), "srgan-bench", "node", "node_modules", NULL);
  package = g_build_filename (modules, "onnxruntime-node", NULL);
  return node != NULL && g_file_test (package, G_FILE_TEST_IS_DIR);
}

/* What ONNX Runtime makes of @input with the file @model. */
static Tensor *
run_onnxruntime (const gchar *model, const Tensor *input, guint scale)
{
  g_autofree gchar *script = g_build_filename (g_getenv ("SRGAN_SOURCE_ROOT"),
      "tests", "bench", "run-onnxruntime.js", NULL);
  g_autofree gchar *size =
      g_strdup_printf ("%ux%u", input->width, input->height);
  g_autofree gchar *source = g_build_filename (folder, "input.raw", NULL);
  g_autofree gchar *result = g_build_filename (folder, "output.raw", NULL);
  const gsize n = (gsize) input->channels * input->width * input->height;
  gchar *command[] = {(gchar *) "node", script, (gchar *) model, size, source,
      result, (gchar *) "1", (gchar *) "1", NULL};
  g_auto (GStrv) environment =
      g_environ_setenv (g_get_environ (), "NODE_PATH", modules, TRUE);
  g_autofree gchar *output = NULL, *messages = NULL;
  g_autoptr (GError) error = NULL;
  Tensor *tensor = g_new0 (Tensor, 1);
  gsize length;
  gint status;

  g_assert_true (g_file_set_contents (source, (const gchar *) input->values,
      (gssize) (n * sizeof (gfloat)), NULL));
  g_spawn_sync (NULL, command, environment, G_SPAWN_SEARCH_PATH, NULL, NULL,
      &output, &messages, &status, &error);
  g_assert_no_error (error);
  if (!g_spawn_check_wait_status (status, NULL))
    g_error ("%s", messages);
  tensor->channels = input->channels;
  tensor->width = scale * input->width;
  tensor->height = scale * input->height;
  g_assert_true (
      g_file_get_contents (result, (gchar **) &tensor->values, &length, NULL));
  g_assert_cmpuint (length, ==, n * scale * scale * sizeof (gfloat));
  g_unlink (source);
  g_unlink (result);
  return tensor;
}

/* @network with its 3x3 kernels in the middle of 5x3 ones: the same function,
 * which Winograd's algorithm does not know. */
static SrganNetwork *
make_direct (SrganNetwork *network)
{
  SrganNetwork *direct = srgan_network_new (srgan_network_get_name (network),
      srgan_network_get_colour (network), srgan_network_get_scale (network));
  g_autoptr (GError) error = NULL;

  for (guint i = 0; i < srgan_network_get_n_layers (network); i++) {
    SrganLayer layer = *srgan_network_get_layer (network, i);
    g_autofree gfloat *weight = NULL;

    layer.output_step = NULL;
    layer.output_zero = 0;
    layer.weight_code = layer.weight_step = layer.int8_bias = NULL;
    if (layer.operation == SRGAN_OPERATION_CONV && layer.kernel_width == 3) {
      const gsize n_rows = (gsize) layer.out_channels * layer.in_channels * 3;

      weight = g_new0 (gfloat, n_rows * 5);
      for (gsize row = 0; row < n_rows; row++)
        memcpy (
            weight + row * 5 + 1, layer.weight + row * 3, 3 * sizeof (gfloat));
      layer.kernel_width = 5;
      layer.weight = weight;
    }
    srgan_network_add_layer (direct, &layer, &error);
    g_assert_no_error (error);
  }
  srgan_network_finish (direct, &error);
  g_assert_no_error (error);
  return direct;
}

/* Whether some convolution of @network is run by Winograd's algorithm. */
static gboolean
has_winograd (SrganNetwork *network)
{
  SrganPlanSettings settings = {.width = 160,
      .height = 90,
      .n_threads = 1,
      .precision = SRGAN_PRECISION_FP32,
      .layout = {.kind = SRGAN_LAYOUT_TENSOR}};
  g_autoptr (SrganPlan) plan = srgan_plan_new (network, &settings, NULL);

  for (guint i = 0; i < srgan_network_get_n_layers (network); i++) {
    SrganLayerReport report;

    srgan_plan_get_layer_report (plan, i, &report);
    if (g_strcmp0 (report.algorithm, "winograd") == 0)
      return TRUE;
  }
  return FALSE;
}

static void
test_export (gconstpointer data)
{
  const SrganWriteOptions options = {.half = GPOINTER_TO_INT (data)};
  g_autofree gchar *model = g_build_filename (folder, "model.onnx", NULL);
  g_autoptr (GError) error = NULL;
  g_autoptr (SrganNetwork) network =
      srgan_network_open ("fast-clean-x2", 0, NULL, &error);
  g_autoptr (SrganNetwork) direct = NULL;
  g_autoptr (GRand) random = g_rand_new_with_seed (6);

  g_assert_no_error (error);
  if (modules == NULL) {
    g_test_skip ("no onnxruntime-node here: tests/bench/compare-peers.sh "
                 "--install gets it");
    return;
  }
  srgan_convert_write (network, model, &options, &error);
  g_assert_no_error (error);
  if (options.half) {
    srgan_network_unref (network);
    network = srgan_convert_read (model, NULL, NULL, &error);
    g_assert_no_error (error);
  }
  direct = make_direct (network);
  g_assert_true (has_winograd (network));
  g_assert_false (has_winograd (direct));

  for (guint i = 0; i < G_N_ELEMENTS (sizes); i++) {
    g_autoptr (Tensor) input = g_new0 (Tensor, 1);
    g_autoptr (Tensor) expected = NULL, by_winograd = NULL, by_direct = NULL;
    gdouble winograd_difference, direct_difference;

    input->channels = 1;
    input->width = sizes[i][0];
    input->height = sizes[i][1];
    input->values = g_new (gfloat, (gsize) input->width * input->height);
    for (gsize k = 0; k < (gsize) input->width * input->height; k++)
      input->values[k] = (gfloat) g_rand_double (random);
    expected = run_onnxruntime (model, input, 2);
    by_winograd = tensor_run (network, SRGAN_PRECISION_FP32, input);
    by_direct = tensor_run (direct, SRGAN_PRECISION_FP32, input);
    winograd_difference = tensor_compare (by_winograd, expected);
    direct_difference = tensor_compare (by_direct, expected);
    g_test_message ("%ux%u: direct %.3g, Winograd %.3g", input->width,
        input->height, direct_difference, winograd_difference);
    g_assert_cmpfloat (direct_difference, <=, 1e-5);
    g_assert_cmpfloat (winograd_difference, <=, 1e-4);
  }
  g_unlink (model);
}

gint
main (gint argc, gchar **argv)
{
  gint status;

  g_test_init (&argc, &argv, NULL);
  folder = g_dir_make_tmp ("srgan-onnxruntime-XXXXXX", NULL);
  g_assert_nonnull (folder);
  if (!find_runtime ())
    g_clear_pointer (&modules, g_free);
  g_test_add_data_func (
      "/onnxruntime/fast-clean-x2", GINT_TO_POINTER (FALSE), test_export);
  g_test_add_data_func (
      "/onnxruntime/fast-clean-x2-half", GINT_TO_POINTER (TRUE), test_export);
  status = g_test_run ();
  g_rmdir (folder);
  g_free (folder);
  g_free (modules);
  return status;
}
