/* convert: a PyTorch state dict out, as safetensors.
 *
 * A state dict means something only beside the code of a network, so it is
 * written for one that people have: SRVGGNetCompact, a chain of 3x3
 * convolutions and PReLUs, a pixel shuffle, and the enlarged picture added. Our
 * own networks are such.
 *
 * SPDX-License-Identifier: MIT
 */
#include "convert/reader.h"
#include "convert/write.h"
#include "network/network-private.h"

#include <json-glib/json-glib.h>
#include <string.h>

typedef struct {
  JsonBuilder *builder;
  GByteArray *data;
  gboolean half;
} Writer;

static void
put_tensor (Writer *writer, guint index, const gchar *part, const gfloat *from,
    guint n_dimensions, const guint *dimensions)
{
  g_autofree gchar *name = g_strdup_printf ("body.%u.%s", index, part);
  guint begin = writer->data->len;
  gsize n = 1;

  json_builder_set_member_name (writer->builder, name);
  json_builder_begin_object (writer->builder);
  json_builder_set_member_name (writer->builder, "dtype");
  json_builder_add_string_value (writer->builder, writer->half ? "F16" : "F32");
  json_builder_set_member_name (writer->builder, "shape");
  json_builder_begin_array (writer->builder);
  for (guint i = 0; i < n_dimensions; i++) {
    json_builder_add_int_value (writer->builder, dimensions[i]);
    n *= dimensions[i];
  }
  json_builder_end_array (writer->builder);
  for (gsize i = 0; i < n; i++) {
    if (writer->half) {
      guint16 half =
          GUINT16_TO_LE (srgan_half_from_float (from != NULL ? from[i] : 0.f));

      g_byte_array_append (writer->data, (const guint8 *) &half, sizeof half);
    } else {
      gfloat number = from != NULL ? from[i] : 0.f;
      guint32 bits;

      memcpy (&bits, &number, sizeof bits);
      bits = GUINT32_TO_LE (bits);
      g_byte_array_append (writer->data, (const guint8 *) &bits, sizeof bits);
    }
  }
  json_builder_set_member_name (writer->builder, "data_offsets");
  json_builder_begin_array (writer->builder);
  json_builder_add_int_value (writer->builder, begin);
  json_builder_add_int_value (writer->builder, writer->data->len);
  json_builder_end_array (writer->builder);
  json_builder_end_object (writer->builder);
}

/* Whether layer @index is such a convolution of the chain. */
static gboolean
is_link (SrganNetwork *network, guint index, gboolean is_last)
{
  const SrganLayer *layer = srgan_network_get_layer (network, index);

  return layer->operation == SRGAN_OPERATION_CONV &&
         layer->inputs[0] == (gint) index - 1 && layer->kernel_width == 3 &&
         layer->kernel_height == 3 && layer->stride == 1 &&
         layer->groups == 1 && layer->padding == SRGAN_PADDING_ZERO &&
         layer->activation ==
             (is_last ? SRGAN_ACTIVATION_NONE : SRGAN_ACTIVATION_PRELU);
}

static gboolean
is_srvggnet (SrganNetwork *network)
{
  guint n = srgan_network_get_n_layers (network);
  const SrganLayer *shuffle, *base, *sum;

  if (n < 5)
    return FALSE;
  shuffle = srgan_network_get_layer (network, n - 3);
  base = srgan_network_get_layer (network, n - 2);
  sum = srgan_network_get_layer (network, n - 1);
  for (guint i = 0; i + 3 < n; i++)
    if (!is_link (network, i, i + 4 == n))
      return FALSE;
  return shuffle->operation == SRGAN_OPERATION_PIXEL_SHUFFLE &&
         shuffle->inputs[0] == (gint) n - 4 &&
         shuffle->activation == SRGAN_ACTIVATION_NONE &&
         base->operation == SRGAN_OPERATION_RESIZE && base->n_inputs == 1 &&
         base->inputs[0] == SRGAN_INPUT_NETWORK &&
         base->filter == SRGAN_FILTER_NEAREST &&
         base->activation == SRGAN_ACTIVATION_NONE &&
         sum->operation == SRGAN_OPERATION_ADD && sum->n_inputs == 2 &&
         sum->activation == SRGAN_ACTIVATION_NONE &&
         ((sum->inputs[0] == (gint) n - 3 && sum->inputs[1] == (gint) n - 2) ||
             (sum->inputs[0] == (gint) n - 2 &&
                 sum->inputs[1] == (gint) n - 3));
}

GBytes *
srgan_write_pytorch (
    SrganNetwork *network, const SrganWriteOptions *options, GError **error)
{
  g_autoptr (JsonBuilder) builder = json_builder_new ();
  g_autoptr (JsonGenerator) generator = json_generator_new ();
  g_autofree gchar *text = NULL;
  Writer writer = {builder, NULL, options->half};
  const gchar *licence = srgan_network_get_note (network, "licence");
  GByteArray *file;
  JsonNode *root;
  guint64 length;
  gsize n;

  if (!is_srvggnet (network)) {
    srgan_convert_unsupported (error,
        "a state dict means something only beside the code of a network: it is "
        "written for SRVGGNetCompact, which this network is not; write .onnx");
    return NULL;
  }
  writer.data = g_byte_array_new ();
  json_builder_begin_object (builder);
  json_builder_set_member_name (builder, "__metadata__");
  json_builder_begin_object (builder);
  json_builder_set_member_name (builder, "format");
  json_builder_add_string_value (builder, "pt");
  if (licence != NULL) {
    json_builder_set_member_name (builder, "license");
    json_builder_add_string_value (builder, licence);
  }
  json_builder_end_object (builder);
  for (guint i = 0; i + 3 < srgan_network_get_n_layers (network); i++) {
    const SrganLayer *layer = srgan_network_get_layer (network, i);
    const guint shape[] = {layer->out_channels, layer->in_channels, 3, 3};

    put_tensor (&writer, 2 * i, "weight", layer->weight, 4, shape);
    put_tensor (&writer, 2 * i, "bias", layer->bias, 1, shape);
    if (layer->slope != NULL)
      put_tensor (&writer, 2 * i + 1, "weight", layer->slope, 1, shape);
  }
  json_builder_end_object (builder);
  root = json_builder_get_root (builder);
  json_generator_set_root (generator, root);
  text = json_generator_to_data (generator, &n);
  json_node_unref (root);

  length = (n + 7) / 8 * 8;
  file = g_byte_array_new ();
  g_byte_array_set_size (file, (guint) (sizeof length + length));
  memset (file->data, ' ', file->len);
  memcpy (file->data + sizeof length, text, n);
  length = GUINT64_TO_LE (length);
  memcpy (file->data, &length, sizeof length);
  g_byte_array_append (file, writer.data->data, writer.data->len);
  g_byte_array_unref (writer.data);
  return g_byte_array_free_to_bytes (file);
}
