/* tests: model files made by hand, to be spoiled.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test-files.h"

#include "test-networks.h"

#include <glib/gstdio.h>
#include <string.h>

SrganNetwork *
test_network_new_everything (void)
{
  SrganNetwork *network =
      srgan_network_new ("every thing", SRGAN_COLOUR_RGB, 2);
  GRand *rand = g_rand_new_with_seed (5);
  g_autoptr (GError) error = NULL;
  /* inputs by name, "" is the network's */
  const struct {
    SrganLayer layer;
    const gchar *inputs[3];
  } layers[] = {
      {{.name = (gchar *) "conv",
           .operation = SRGAN_OPERATION_CONV,
           .out_channels = 12,
           .kernel_width = 5,
           .kernel_height = 3,
           .padding = SRGAN_PADDING_REFLECT,
           .activation = SRGAN_ACTIVATION_PRELU},
          {""}},
      {{.name = (gchar *) "grouped",
           .operation = SRGAN_OPERATION_CONV,
           .out_channels = 12,
           .kernel_width = 3,
           .kernel_height = 3,
           .groups = 3,
           .padding = SRGAN_PADDING_EDGE,
           .activation = SRGAN_ACTIVATION_LEAKY_RELU,
           .activation_low = .1f},
          {"conv"}},
      {{.name = (gchar *) "norm",
           .operation = SRGAN_OPERATION_BATCH_NORM,
           .activation_low = 1e-5f},
          {"grouped"}},
      {{.name = (gchar *) "relu",
           .operation = SRGAN_OPERATION_ACTIVATION,
           .activation = SRGAN_ACTIVATION_RELU},
          {"norm"}},
      {{.name = (gchar *) "mean", .operation = SRGAN_OPERATION_GLOBAL_MEAN},
          {"relu"}},
      {{.name = (gchar *) "linear",
           .operation = SRGAN_OPERATION_LINEAR,
           .out_channels = 12,
           .activation = SRGAN_ACTIVATION_SPLINE},
          {"mean"}},
      {{.name = (gchar *) "product",
           .operation = SRGAN_OPERATION_MULTIPLY,
           .activation = SRGAN_ACTIVATION_TANH},
          {"relu", "linear"}},
      {{.name = (gchar *) "pool",
           .operation = SRGAN_OPERATION_MAX_POOL,
           .kernel_width = 2,
           .kernel_height = 2,
           .stride = 2,
           .ceil_mode = 1},
          {"product"}},
      {{.name = (gchar *) "up",
           .operation = SRGAN_OPERATION_TRANSPOSED_CONV,
           .out_channels = 12,
           .kernel_width = 4,
           .kernel_height = 4,
           .stride = 2,
           .groups = 2,
           .activation = SRGAN_ACTIVATION_SILU},
          {"pool"}},
      {{.name = (gchar *) "sum",
           .operation = SRGAN_OPERATION_ADD,
           .activation = SRGAN_ACTIVATION_SIGMOID},
          {"up", "product", "conv"}},
      {{.name = (gchar *) "both", .operation = SRGAN_OPERATION_CONCAT},
          {"sum", "conv"}},
      {{.name = (gchar *) "slice",
           .operation = SRGAN_OPERATION_SLICE,
           .first = 6,
           .out_channels = 12},
          {"both"}},
      {{.name = (gchar *) "shuffle",
           .operation = SRGAN_OPERATION_PIXEL_SHUFFLE,
           .factor = 2,
           .activation = SRGAN_ACTIVATION_ROOT,
           .activation_low = .5f},
          {"slice"}},
      {{.name = (gchar *) "unshuffle",
           .operation = SRGAN_OPERATION_PIXEL_UNSHUFFLE,
           .factor = 2},
          {"shuffle"}},
      {{.name = (gchar *) "resize",
           .operation = SRGAN_OPERATION_RESIZE,
           .factor = 2,
           .filter = SRGAN_FILTER_BICUBIC,
           .activation = SRGAN_ACTIVATION_INVERSE_ROOT,
           .activation_low = 1e-5f},
          {"unshuffle"}},
      {{.name = (gchar *) "valid",
           .operation = SRGAN_OPERATION_CONV,
           .out_channels = 3,
           .kernel_width = 3,
           .kernel_height = 3,
           .padding = SRGAN_PADDING_NONE,
           .activation = SRGAN_ACTIVATION_CLIP,
           .activation_low = -.25f,
           .activation_high = 1.25f},
          {"resize"}},
      {{.name = (gchar *) "crop", .operation = SRGAN_OPERATION_CROP, .crop = 1},
          {"valid"}},
  };
  gboolean operations[SRGAN_N_OPERATIONS] = {FALSE};
  gboolean activations[SRGAN_N_ACTIVATIONS] = {FALSE};

  for (guint i = 0; i < G_N_ELEMENTS (layers); i++) {
    SrganLayer layer = layers[i].layer;

    for (; layer.n_inputs < 3 && layers[i].inputs[layer.n_inputs] != NULL;
         layer.n_inputs++)
      layer.inputs[layer.n_inputs] =
          srgan_network_find_layer (network, layers[i].inputs[layer.n_inputs]);
    test_network_add_random_layer (network, &layer, 1., rand);
    operations[layer.operation] = TRUE;
    activations[layer.activation] = TRUE;
  }
  for (guint i = 0; i < SRGAN_N_OPERATIONS; i++)
    g_assert_true (operations[i]);
  for (guint i = 0; i < SRGAN_N_ACTIVATIONS; i++)
    g_assert_true (activations[i]);
  srgan_network_set_note (network, "licence", "MIT");
  srgan_network_set_note (
      network, "recipe", "lines\nand \"quotes\", \\ and \xc3\xa4\xe2\x82\xac");
  srgan_network_set_note (network, "empty", "");
  srgan_network_finish (network, &error);
  g_assert_no_error (error);
  g_rand_free (rand);
  return network;
}

GBytes *
test_file_new (
    const gchar *header, gsize header_length, gconstpointer data, gsize n_data)
{
  guint64 length = GUINT64_TO_LE ((guint64) header_length);
  GByteArray *file = g_byte_array_new ();

  g_byte_array_append (file, (const guint8 *) &length, sizeof length);
  g_byte_array_append (file, (const guint8 *) header, (guint) header_length);
  if (n_data > 0)
    g_byte_array_append (file, data, (guint) n_data);
  return g_byte_array_free_to_bytes (file);
}

GBytes *
test_file_from_network (SrganNetwork *network)
{
  g_autofree gchar *folder = g_dir_make_tmp ("srgan-file-XXXXXX", NULL);
  g_autofree gchar *path = g_build_filename (folder, "a.safetensors", NULL);
  g_autoptr (GError) error = NULL;
  gchar *contents;
  gsize length;

  srgan_network_save (network, path, &error);
  g_assert_no_error (error);
  g_file_get_contents (path, &contents, &length, &error);
  g_assert_no_error (error);
  g_assert_cmpint (g_remove (path), ==, 0);
  g_assert_cmpint (g_rmdir (folder), ==, 0); /* nothing else in it */
  return g_bytes_new_take (contents, length);
}

gchar *
test_file_get_header (GBytes *file, gsize *data_position)
{
  const gchar *content = g_bytes_get_data (file, NULL);
  guint64 length;

  memcpy (&length, content, sizeof length);
  length = GUINT64_FROM_LE (length);
  *data_position = sizeof length + length;
  return g_strndup (content + sizeof length, length);
}

gchar *
test_replace (const gchar *text, const gchar *from, const gchar *to)
{
  const gchar *found = strstr (text, from);

  if (found == NULL)
    g_error ("'%s' is not in '%s'", from, text);
  return g_strdup_printf (
      "%.*s%s%s", (gint) (found - text), text, to, found + strlen (from));
}
