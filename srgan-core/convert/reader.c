/* convert: the formats that are read, and reading.
 *
 * SPDX-License-Identifier: MIT
 */
#include "convert/reader.h"

#include "convert/prune.h"
#include "network/network-private.h"

#include <string.h>

/* Those that are told by a few bytes come first; what any text could be, last.
 */
static const SrganReader readers[] = {
    {"rsr", ".rsr of the original (SRGAN-Rust, rusty_sr), any layout",
        srgan_detect_rsr, srgan_read_rsr},
    {"pytorch", "PyTorch .pth .pt .ckpt: zip archive", srgan_detect_pytorch_zip,
        srgan_read_pytorch_zip},
    {"pytorch-legacy", "PyTorch .pth .pt: legacy pickle",
        srgan_detect_pytorch_legacy, srgan_read_pytorch_legacy},
    {"safetensors",
        "safetensors: our own, or a PyTorch state dict (.safetensors)",
        srgan_detect_safetensors, srgan_read_safetensors},
    {"keras", "Keras 1 to 3, HDF5 (.h5 .hdf5)", srgan_detect_keras_h5,
        srgan_read_keras_h5},
    {"keras-zip", "Keras 3 (.keras)", srgan_detect_keras_zip,
        srgan_read_keras_zip},
    {"tflite", "TensorFlow Lite (.tflite): floats, halves, integers",
        srgan_detect_tflite, srgan_read_tflite},
    {"onnx", "ONNX, opset 7 to 23 (.onnx)", srgan_detect_onnx, srgan_read_onnx},
    {"ncnn", "ncnn: .param, with the .bin beside it", srgan_detect_ncnn,
        srgan_read_ncnn},
    {"tensorflow-js", "TensorFlow.js: model.json, with its shards beside it",
        srgan_detect_tensorflow_js, srgan_read_tensorflow_js},
    {"waifu2x", "waifu2x, vgg_7 and upconv_7 (.json)", srgan_detect_waifu2x,
        srgan_read_waifu2x},
    {"shader", "mpv user shader: FSRCNNX, ArtCNN, Anime4K, CuNNy (.glsl)",
        srgan_detect_shader, srgan_read_shader},
    {"tensorflow", "TensorFlow frozen graph (.pb)", srgan_detect_tensorflow,
        srgan_read_tensorflow},
    {"saved-model", "TensorFlow SavedModel: a folder, or its saved_model.pb",
        srgan_detect_saved_model, srgan_read_saved_model},
    {"checkpoint",
        "TensorFlow checkpoint: .index with its shards, and .meta if there is",
        srgan_detect_checkpoint, srgan_read_checkpoint},
    {NULL},
};

static const gchar *const range_names[] = {"auto", "0-1", "0-255"};
static const gchar *const order_names[] = {"auto", "rgb", "bgr", "y"};

G_STATIC_ASSERT (G_N_ELEMENTS (range_names) == SRGAN_N_RANGES);
G_STATIC_ASSERT (G_N_ELEMENTS (order_names) == SRGAN_N_ORDERS);

const gchar *
srgan_range_to_string (SrganRange range)
{
  g_return_val_if_fail ((guint) range < SRGAN_N_RANGES, NULL);
  return range_names[range];
}

const gchar *
srgan_order_to_string (SrganOrder order)
{
  g_return_val_if_fail ((guint) order < SRGAN_N_ORDERS, NULL);
  return order_names[order];
}

/* --- Messages ----------------------------------------------------------- */

gboolean
srgan_convert_fail (GError **error, SrganError code, const gchar *format, ...)
{
  va_list arguments;

  va_start (arguments, format);
  if (error != NULL)
    *error = g_error_new_valist (SRGAN_ERROR, (gint) code, format, arguments);
  va_end (arguments);
  return FALSE;
}

gchar *
srgan_convert_quote (const gchar *text, gssize length)
{
  gsize n = length < 0 ? strlen (text) : (gsize) length;
  g_autofree gchar *start = g_strndup (text, MIN (n, 60));

  return g_strescape (start, NULL);
}

void
srgan_report_remark (SrganConvertReport *report, const gchar *format, ...)
{
  va_list arguments;

  if (report->remarks == NULL)
    report->remarks = g_ptr_array_new_with_free_func (g_free);
  va_start (arguments, format);
  g_ptr_array_add (report->remarks, g_strdup_vprintf (format, arguments));
  va_end (arguments);
}

void
srgan_convert_report_clear (SrganConvertReport *report)
{
  g_free (report->format);
  g_free (report->architecture);
  g_free (report->range);
  g_free (report->order);
  g_free (report->licence);
  if (report->remarks != NULL)
    g_ptr_array_unref (report->remarks);
  memset (report, 0, sizeof *report);
}

/* --- Reading ------------------------------------------------------------ */

const SrganReader *
srgan_reader_list (void)
{
  return readers;
}

const SrganReader *
srgan_reader_find (SrganSource *source)
{
  for (const SrganReader *reader = readers; reader->name != NULL; reader++)
    if (reader->detect (source))
      return reader;
  return NULL;
}

const SrganFormat *
srgan_convert_list_formats (void)
{
  static SrganFormat formats[G_N_ELEMENTS (readers)];
  static gsize filled;

  if (g_once_init_enter (&filled)) {
    for (guint i = 0; i < G_N_ELEMENTS (readers); i++) {
      formats[i].name = readers[i].name;
      formats[i].description = readers[i].description;
    }
    g_once_init_leave (&filled, 1);
  }
  return formats;
}

/* A note, where it can be one. */
static void
set_note (SrganNetwork *network, const gchar *key, const gchar *value)
{
  g_autofree gchar *text = NULL;

  if (value == NULL)
    return;
  text = g_utf8_make_valid (value, -1);
  if (strlen (text) <= SRGAN_MAX_NOTE_LENGTH)
    srgan_network_set_note (network, key, text);
}

gboolean
srgan_reader_finish (
    SrganNetwork *network, SrganConvertReport *report, GError **error)
{
  set_note (network, "architecture", report->architecture);
  set_note (network, "converted-from", report->format);
  set_note (network, "licence", report->licence);
  return srgan_network_finish (network, error);
}

SrganNetwork *
srgan_reader_read (SrganSource *source, const SrganConvertOptions *options,
    SrganConvertReport *report, GError **error)
{
  const SrganConvertOptions no_options = {0};
  g_auto (SrganConvertReport) own_report = {0};
  g_autoptr (GError) reason = NULL;
  const SrganReader *reader;
  SrganNetwork *network = NULL;

  if (options == NULL)
    options = &no_options;
  if (report == NULL)
    report = &own_report;
  if (options->scale > 4) {
    srgan_convert_fail (error, SRGAN_ERROR_INVALID,
        "scale: %u is not within 1 to 4", options->scale);
    return NULL;
  }
  reader = srgan_reader_find (source);
  if (reader == NULL) {
    srgan_convert_unsupported (error,
        "%s: is of no model format known here (srgan-convert --formats lists "
        "them)",
        source->name);
    return NULL;
  }
  report->format = g_strdup (reader->description);
  network = reader->read (source, options, report, &reason);
  if (network == NULL) {
    if (!g_str_has_prefix (reason->message, source->name))
      g_prefix_error (&reason, "%s: ", source->name);
    g_propagate_error (error, g_steal_pointer (&reason));
    return NULL;
  }
  if (options->features && !srgan_network_gives_features (network)) {
    srgan_convert_unsupported (error,
        "%s: a feature network is read of a file that holds its graph (ncnn, "
        "ONNX, Keras, TensorFlow, TensorFlow Lite); this is: %s",
        source->name, report->format);
    g_clear_pointer (&network, srgan_network_unref);
    return NULL;
  }
  if (options->scale != 0 &&
      srgan_network_get_scale (network) != options->scale) {
    srgan_convert_fail (error, SRGAN_ERROR_INVALID,
        "%s: --scale %u: the model enlarges by %u", source->name,
        options->scale, srgan_network_get_scale (network));
    g_clear_pointer (&network, srgan_network_unref);
  }
  /* the original's networks are all of one layout, so that they can go back */
  if (network != NULL && !options->keep_channels &&
      reader->read != srgan_read_rsr)
    network = srgan_network_prune (network, report);
  return network;
}

SrganNetwork *
srgan_convert_read (const gchar *path, const SrganConvertOptions *options,
    SrganConvertReport *report, GError **error)
{
  g_autoptr (SrganSource) source = srgan_source_open (path, error);

  if (source == NULL)
    return NULL;
  return srgan_reader_read (source, options, report, error);
}

gboolean
srgan_convert_can_read (const gchar *path)
{
  g_autoptr (SrganSource) source = srgan_source_open (path, NULL);

  return source != NULL && srgan_reader_find (source) != NULL;
}
