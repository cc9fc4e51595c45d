/* convert: Keras' files: .h5 with or without a topology, and .keras.
 *
 * SPDX-License-Identifier: MIT
 */
#include "convert/keras.h"

#include "convert/archive.h"
#include "convert/range.h"

#include <string.h>

typedef struct {
  JsonObject *model;
  SrganKerasWeights *weights;
  gboolean javascript;
} Topology;

static gboolean
make_graph (SrganGraph *graph, gpointer data, GError **error)
{
  Topology *topology = data;

  return srgan_keras_add_model (
      graph, topology->model, topology->weights, topology->javascript, error);
}

SrganNetwork *
srgan_keras_build (JsonObject *model, SrganKerasWeights *weights,
    gboolean javascript, const gchar *name, const SrganConvertOptions *options,
    SrganConvertReport *report, GError **error)
{
  Topology topology = {model, weights, javascript};

  return srgan_range_build (
      name, make_graph, &topology, options, report, error);
}

/* The network of a topology in @text, with @weights. */
static SrganNetwork *
read_model (const gchar *text, gsize length, SrganKerasWeights *weights,
    const gchar *name, const SrganConvertOptions *options,
    SrganConvertReport *report, GError **error)
{
  g_autoptr (JsonParser) parser = json_parser_new ();
  JsonObject *model = srgan_json_parse (
      parser, text, length, "topology", &srgan_keras_json_limits, error);

  return model != NULL ? srgan_keras_build (model, weights, FALSE, name,
                             options, report, error)
                       : NULL;
}

gboolean
srgan_detect_keras_h5 (SrganSource *source)
{
  return !source->is_folder && srgan_hdf5_detect (source);
}

SrganNetwork *
srgan_read_keras_h5 (SrganSource *source, const SrganConvertOptions *options,
    SrganConvertReport *report, GError **error)
{
  g_autoptr (SrganHdf5) file = srgan_hdf5_read (source, error);
  g_autoptr (SrganKerasWeights) weights = NULL;
  const gchar *topology, *version;

  if (file == NULL)
    return NULL;
  topology = srgan_hdf5_get_text (file, "", "model_config");
  version = srgan_hdf5_get_text (file, "", "keras_version");
  if (version == NULL)
    version = srgan_hdf5_get_text (file, "model_weights", "keras_version");
  if (version != NULL) {
    g_autofree gchar *quoted = srgan_convert_quote (version, -1);

    g_free (report->format);
    report->format = g_strdup_printf ("Keras HDF5 (%s), %s", quoted,
        topology != NULL ? "with its topology" : "weights alone");
  }
  if (topology == NULL)
    return srgan_keras_read_weights (
        file, source->name, options, report, error);
  weights = srgan_keras_weights_new_for_file (file, "model_weights");
  return read_model (topology, strlen (topology), weights, source->name,
      options, report, error);
}

gboolean
srgan_detect_keras_zip (SrganSource *source)
{
  g_autoptr (SrganArchive) archive = NULL;

  if (source->is_folder || !srgan_archive_detect (source))
    return FALSE;
  archive = srgan_archive_open (source, NULL);
  return archive != NULL && srgan_archive_find (archive, "config.json") >= 0 &&
         srgan_archive_find (archive, "model.weights.h5") >= 0;
}

SrganNetwork *
srgan_read_keras_zip (SrganSource *source, const SrganConvertOptions *options,
    SrganConvertReport *report, GError **error)
{
  g_autoptr (SrganArchive) archive = srgan_archive_open (source, error);
  g_autoptr (GBytes) topology = NULL;
  g_autoptr (GBytes) bytes = NULL;
  g_autoptr (SrganSource) inner = NULL;
  g_autoptr (SrganHdf5) file = NULL;
  g_autoptr (SrganKerasWeights) weights = NULL;
  gint config, numbers;

  if (archive == NULL)
    return NULL;
  config = srgan_archive_find (archive, "config.json");
  numbers = srgan_archive_find (archive, "model.weights.h5");
  if (config < 0 || numbers < 0) {
    srgan_convert_corrupt (error, "it has no config.json or no weights");
    return NULL;
  }
  topology = srgan_archive_read (archive, (guint) config, error);
  if (topology == NULL)
    return NULL;
  bytes = srgan_archive_read (archive, (guint) numbers, error);
  if (bytes == NULL)
    return NULL;
  inner = srgan_source_new_for_bytes (bytes, "model.weights.h5", NULL);
  file = srgan_hdf5_read (inner, error);
  if (file == NULL)
    return NULL;
  weights = srgan_keras_weights_new_for_file (file, "");
  return read_model (g_bytes_get_data (topology, NULL),
      g_bytes_get_size (topology), weights, source->name, options, report,
      error);
}
