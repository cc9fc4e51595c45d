/* tests: other people's models, and what other programs make of a picture with
 * them.
 *
 * SPDX-License-Identifier: MIT
 */
#include "vectors.h"

#include <glib/gstdio.h>
#include <srgan/srgan.h>
#include <string.h>

static gchar *
get_folder (void)
{
  const gchar *shared = g_getenv ("SRGAN_SHARED");

  return shared != NULL ? g_build_filename (shared, "interop", NULL)
                        : g_build_filename (g_getenv ("SRGAN_SOURCE_ROOT"),
                              "..", "shared", "interop", NULL);
}

static void
test_entry (gconstpointer data)
{
  g_autofree gchar *folder = get_folder ();

  vectors_check (folder, (JsonObject *) data);
}

/* --- The original's models
 * ------------------------------------------------------ */

typedef struct {
  const gchar *model;
  const gchar *input;
  const gchar *output;
} Original;

static const Original originals[] = {
    {"L1_x4_UCID_x1node.rsr", "butterfly64_lr.npy", "butterfly64_UCID_f32.npy"},
    {"tiny_f2_w4_d2_g2.rsr", "tiny_f2_w4_d2_g2_in.npy",
        "tiny_f2_w4_d2_g2_out.npy"},
    {"tiny_f2_w4_d2_g2_q.rsr", "tiny_f2_w4_d2_g2_in.npy",
        "tiny_f2_w4_d2_g2_q_out.npy"},
    {"tiny_f3_w5_d3_g0.rsr", "tiny_f3_w5_d3_g0_in.npy",
        "tiny_f3_w5_d3_g0_out.npy"},
    {"tiny_f3_w5_d3_g0_q.rsr", "tiny_f3_w5_d3_g0_in.npy",
        "tiny_f3_w5_d3_g0_q_out.npy"},
};

static gchar *
find_original (const gchar *name)
{
  g_autofree gchar *folder = get_folder ();

  return g_build_filename (folder, "rsr", name, NULL);
}

static SrganNetwork *
read_original (const gchar *name)
{
  g_autofree gchar *path = find_original (name);
  g_autoptr (GError) error = NULL;
  SrganNetwork *network = srgan_convert_read (path, NULL, NULL, &error);

  g_assert_no_error (error);
  return network;
}

static void
test_original (gconstpointer data)
{
  const Original *original = data;
  g_autoptr (SrganNetwork) network = read_original (original->model);
  g_autofree gchar *input_path = find_original (original->input);
  g_autofree gchar *output_path = find_original (original->output);
  g_autoptr (Tensor) input = tensor_load_npy (input_path, TRUE);
  g_autoptr (Tensor) expected = tensor_load_npy (output_path, TRUE);
  g_autoptr (Tensor) output = tensor_run (network, SRGAN_PRECISION_FP32, input);
  gdouble difference = tensor_compare (output, expected);

  g_test_message ("largest difference %.3g", difference);
  g_assert_cmpfloat (difference, <=, 1e-4);
}

/* What is left of @network in a .rsr and read again. */
static SrganNetwork *
through_rsr (SrganNetwork *network, gboolean quantise)
{
  const SrganWriteOptions options = {
      .target = SRGAN_TARGET_RSR, .quantise = quantise};
  g_autofree gchar *folder = g_dir_make_tmp ("srgan-rsr-XXXXXX", NULL);
  g_autofree gchar *path = g_build_filename (folder, "again.rsr", NULL);
  g_autoptr (GError) error = NULL;
  SrganNetwork *again;

  srgan_convert_write (network, path, &options, &error);
  g_assert_no_error (error);
  again = srgan_convert_read (path, NULL, NULL, &error);
  g_assert_no_error (error);
  g_unlink (path);
  g_rmdir (folder);
  return again;
}

/* The same layers, and numbers that differ by less than @bits bits' worth. */
static void
assert_alike (SrganNetwork *a, SrganNetwork *b, guint bits)
{
  g_assert_cmpuint (
      srgan_network_get_n_layers (a), ==, srgan_network_get_n_layers (b));
  for (guint i = 0; i < srgan_network_get_n_layers (a); i++) {
    const SrganLayer *x = srgan_network_get_layer (a, i);
    const SrganLayer *y = srgan_network_get_layer (b, i);
    gsize n = (gsize) x->out_channels * x->in_channels;
    gsize area = x->operation == SRGAN_OPERATION_CONV
                     ? (gsize) x->kernel_width * x->kernel_height
                     : 1;

    g_assert_cmpstr (x->name, ==, y->name);
    g_assert_cmpint (x->operation, ==, y->operation);
    g_assert_cmpuint (x->out_channels, ==, y->out_channels);
    for (gsize j = 0; x->weight != NULL && j < n * area; j++) {
      guint32 p, q;

      memcpy (&p, x->weight + j, sizeof p);
      memcpy (&q, y->weight + j, sizeof q);
      if (bits == 0) {
        g_assert_cmpuint (p, ==, q);
      } else {
        g_assert_cmpuint (ABS ((gint64) p - q), <, 1u << bits);
        g_assert_cmpuint (q & ((1u << bits) - 1), ==, 0);
      }
    }
  }
}

/* There and back again is exact; with 12 bits less it is so the second time. */
static void
test_original_again (gconstpointer data)
{
  const Original *original = data;
  g_autoptr (SrganNetwork) network = read_original (original->model);
  g_autoptr (SrganNetwork) again = through_rsr (network, FALSE);
  g_autoptr (SrganNetwork) quantised = through_rsr (network, TRUE);
  g_autoptr (SrganNetwork) twice = through_rsr (quantised, TRUE);

  assert_alike (network, again, 0);
  assert_alike (network, quantised, 12);
  assert_alike (quantised, twice, 0);
}

/* A whole picture through the frames' path, at 1 and at 2 threads. */
static void
test_original_picture (void)
{
  g_autoptr (SrganNetwork) network = read_original ("L1_x4_UCID_x1node.rsr");
  g_autofree gchar *input_path = find_original ("butterfly_lr.png");
  g_autofree gchar *output_path = find_original ("butterfly_x4_UCID.png");
  g_autoptr (Tensor) input = tensor_load_png (input_path, 3);
  g_autoptr (Tensor) expected = tensor_load_png (output_path, 3);
  gsize n_in = (gsize) input->width * input->height;
  gsize n_out = (gsize) expected->width * expected->height;
  g_autofree guint8 *source = g_malloc (3 * n_in);
  g_autofree guint8 *first = g_malloc (3 * n_out);
  g_autofree guint8 *second = g_malloc (3 * n_out);
  guint8 *const results[2] = {first, second};

  g_assert_cmpuint (expected->width, ==, 4 * input->width);
  g_assert_cmpuint (expected->height, ==, 4 * input->height);
  for (guint c = 0; c < 3; c++)
    for (gsize i = 0; i < n_in; i++)
      source[3 * i + c] = (guint8) (input->values[c * n_in + i] * 255.f + .5f);
  for (guint n_threads = 1; n_threads <= 2; n_threads++) {
    g_autoptr (GError) error = NULL;
    g_autoptr (SrganPlan) plan = NULL;
    SrganPlanSettings settings = {
        .width = input->width,
        .height = input->height,
        .n_threads = n_threads,
        .layout = {.kind = SRGAN_LAYOUT_RGB,
            .pixel_stride = {3, 3, 3},
            .matrix_kr = .299,
            .matrix_kb = .114,
            .full_range = TRUE},
    };
    SrganFrame in = {{source, source + 1, source + 2},
        {3 * input->width, 3 * input->width, 3 * input->width}};
    guint8 *result = results[n_threads - 1];
    SrganFrame out = {{result, result + 1, result + 2},
        {3 * expected->width, 3 * expected->width, 3 * expected->width}};
    gint largest = 0;

    plan = srgan_plan_new (network, &settings, &error);
    g_assert_no_error (error);
    srgan_plan_run (plan, &in, &out);
    for (guint c = 0; c < 3; c++)
      for (gsize i = 0; i < n_out; i++) {
        gint code = (gint) (expected->values[c * n_out + i] * 255.f + .5f);

        largest = MAX (largest, ABS (code - result[3 * i + c]));
      }
    g_test_message ("%u threads: largest difference %d", n_threads, largest);
    g_assert_cmpint (largest, <=, 1);
  }
  g_assert_cmpmem (results[0], 3 * n_out, results[1], 3 * n_out);
}

gint
main (gint argc, gchar **argv)
{
  g_autoptr (JsonParser) parser = json_parser_new ();
  g_autofree gchar *folder = get_folder ();
  JsonArray *entries;

  g_test_init (&argc, &argv, NULL);
  entries = vectors_load (parser, folder);
  if (entries == NULL) {
    g_print ("1..0 # SKIP the vectors, shared/interop, are not here\n");
    return 0;
  }
  for (guint i = 0; i < json_array_get_length (entries); i++) {
    JsonObject *entry = json_array_get_object_element (entries, i);
    g_autofree gchar *path = g_strconcat (
        "/interop/", json_object_get_string_member (entry, "id"), NULL);

    g_test_add_data_func (path, entry, test_entry);
  }
  for (guint i = 0; i < G_N_ELEMENTS (originals); i++) {
    g_autofree gchar *path =
        g_strconcat ("/interop/rsr/", originals[i].model, NULL);
    g_autofree gchar *again =
        g_strconcat ("/interop/rsr-again/", originals[i].model, NULL);

    g_test_add_data_func (path, &originals[i], test_original);
    g_test_add_data_func (again, &originals[i], test_original_again);
  }
  g_test_add_func ("/interop/rsr/picture", test_original_picture);
  return g_test_run ();
}
