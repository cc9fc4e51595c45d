/* convert: .rsr out, for networks of the original's kind.
 *
 * Always in the newer layout, with a bias in front of each curve of global
 * nodes: zeros where the network has none.
 *
 * SPDX-License-Identifier: MIT
 */
#include "convert/reader.h"
#include "convert/rsr.h"
#include "convert/write.h"

#include <lzma.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
  SrganNetwork *network;
  SrganRsrShape shape;
  gboolean quantise;
  GByteArray *payload;
} Writer;

static const SrganLayer *
find (Writer *writer, const gchar *format, guint a, guint b)
{
  g_auto (GStrv) parts = g_strsplit (format, "%u", -1);
  g_autofree gchar *name =
      parts[1] == NULL ? g_strdup (format)
      : parts[2] == NULL
          ? g_strdup_printf ("%s%u%s", parts[0], a, parts[1])
          : g_strdup_printf ("%s%u%s%u%s", parts[0], a, parts[1], b, parts[2]);
  gint index = srgan_network_find_layer (writer->network, name);

  return index >= 0 ? srgan_network_get_layer (writer->network, (guint) index)
                    : NULL;
}

static void
put_uint (Writer *writer, guint64 value, guint size)
{
  for (guint i = 0; i < size; i++) {
    guint8 byte = (guint8) (value >> 8 * i);

    g_byte_array_append (writer->payload, &byte, 1);
  }
}

static void
put_number (Writer *writer, gfloat number)
{
  guint32 bits;

  memcpy (&bits, &number, sizeof bits);
  if (writer->quantise)
    bits &= 0xfffff000;
  put_uint (writer, bits, 4);
}

/* Where channel @channel of layer @layer lies in ours; see rsr.c. */
static guint
get_place (const SrganRsrShape *shape, guint layer, guint channel)
{
  guint area = shape->factor * shape->factor;

  return layer + 1 == 1u << shape->log_depth
             ? channel % SRGAN_RSR_CHANNELS * area +
                   channel / SRGAN_RSR_CHANNELS
             : channel;
}

static const SrganLayer *
find_conv (Writer *writer, guint layer)
{
  return layer + 1 == 1u << writer->shape.log_depth
             ? find (writer, "expand", 0, 0)
             : find (writer, "conv%u", layer, 0);
}

/* The layer that tensor @tensor's numbers are of, if it has that shape. */
static const SrganLayer *
find_holder (Writer *writer, const SrganRsrTensor *tensor)
{
  const SrganRsrShape *shape = &writer->shape;
  const SrganLayer *holder = NULL;
  guint out = srgan_rsr_get_channels (shape, tensor->layer), in = 0;
  guint jumps[32], n_jumps = srgan_rsr_get_jumps (tensor->layer, jumps);

  switch (tensor->kind) {
  case SRGAN_RSR_CONV:
  case SRGAN_RSR_BIAS:
    holder = find_conv (writer, tensor->layer);
    for (guint i = 0; i < n_jumps; i++)
      in += srgan_rsr_get_map_channels (shape, tensor->layer + 1 - jumps[i]);
    break;
  case SRGAN_RSR_GLOBAL:
    holder = find (writer, "global%u-%u", tensor->layer, tensor->jump);
    in = (guint) tensor->dimensions[0];
    break;
  case SRGAN_RSR_CURVE:
    return find (writer, shape->global_factor > 0 ? "layer%u" : "conv%u",
        tensor->layer, 0);
  case SRGAN_RSR_INPUT_MATRIX:
  case SRGAN_RSR_INPUT_CURVE:
    holder = find (writer, "vector%u", 0, 0);
    in = SRGAN_RSR_CHANNELS;
    out = shape->global_factor * SRGAN_RSR_CHANNELS;
    break;
  default:
    holder = find (writer, "vector%u", tensor->layer + 1, 0);
    in = out;
    out *= shape->global_factor;
    break;
  }
  return holder != NULL && holder->in_channels == in &&
                 holder->out_channels == out
             ? holder
             : NULL;
}

static gboolean
put_tensor (Writer *writer, const SrganRsrTensor *tensor)
{
  const SrganLayer *holder = find_holder (writer, tensor);
  const SrganRsrShape *shape = &writer->shape;
  guint64 n = 1;

  if (holder == NULL || holder->weight == NULL) {
    /* a sum with global nodes has a curve and no weight */
    if (holder == NULL || tensor->kind != SRGAN_RSR_CURVE)
      return FALSE;
  }
  put_uint (writer, 1, 1);
  put_uint (writer, tensor->n_dimensions, 8);
  for (guint i = 0; i < tensor->n_dimensions; i++) {
    put_uint (writer, tensor->dimensions[i], 8);
    n *= tensor->dimensions[i];
  }
  put_uint (writer, n, 8);
  switch (tensor->kind) {
  case SRGAN_RSR_CONV: {
    guint out = (guint) tensor->dimensions[0];
    guint in = (guint) tensor->dimensions[3], from = 0;
    guint jumps[32], n_jumps = srgan_rsr_get_jumps (tensor->layer, jumps);

    for (guint i = 0; i < n_jumps && jumps[i] != tensor->jump; i++)
      from += srgan_rsr_get_map_channels (shape, tensor->layer + 1 - jumps[i]);
    if (holder->kernel_width != 3 || holder->kernel_height != 3)
      return FALSE;
    for (guint o = 0; o < out; o++)
      for (guint tap = 0; tap < 9; tap++)
        for (guint c = 0; c < in; c++)
          put_number (writer,
              holder->weight[((gsize) get_place (shape, tensor->layer, o) *
                                     holder->in_channels +
                                 from + c) *
                                 9 +
                             tap]);
    return TRUE;
  }
  case SRGAN_RSR_BIAS:
    for (guint o = 0; o < n; o++)
      put_number (
          writer, holder->bias != NULL
                      ? holder->bias[get_place (shape, tensor->layer, o)]
                      : 0.f);
    return TRUE;
  case SRGAN_RSR_GLOBAL:
  case SRGAN_RSR_MATRIX:
  case SRGAN_RSR_INPUT_MATRIX: {
    guint in = (guint) tensor->dimensions[0];
    guint out = (guint) tensor->dimensions[1];

    for (guint c = 0; c < in; c++)
      for (guint o = 0; o < out; o++) {
        guint row = tensor->kind == SRGAN_RSR_GLOBAL
                        ? get_place (shape, tensor->layer, o)
                        : o;

        put_number (writer, holder->weight[(gsize) row * in + c]);
      }
    return TRUE;
  }
  case SRGAN_RSR_MATRIX_BIAS:
    for (guint o = 0; o < n; o++)
      put_number (writer, holder->bias != NULL ? holder->bias[o] : 0.f);
    return TRUE;
  default:
    if (holder->activation != SRGAN_ACTIVATION_SPLINE ||
        n != 3 * (guint64) holder->out_channels)
      return FALSE;
    for (guint i = 0; i < n; i++)
      put_number (writer, holder->slope[i]);
    return TRUE;
  }
}

/* Reads the shape off the layers' names and channels, as rsr.c gives them. */
static gboolean
find_shape (Writer *writer)
{
  SrganRsrShape *shape = &writer->shape;
  const SrganLayer *first = find (writer, "conv%u", 0, 0);
  const SrganLayer *vector = find (writer, "vector%u", 0, 0);
  guint n_hidden = 0;

  while (find (writer, "conv%u", n_hidden, 0) != NULL)
    n_hidden++;
  if (find (writer, "expand", 0, 0) == NULL ||
      find (writer, "base", 0, 0) == NULL || first == NULL ||
      srgan_network_get_colour (writer->network) != SRGAN_COLOUR_RGB)
    return FALSE;
  shape->factor = srgan_network_get_scale (writer->network);
  shape->width = first->out_channels;
  while (1u << shape->log_depth < n_hidden + 1)
    shape->log_depth++;
  if (vector != NULL)
    shape->global_factor = vector->out_channels / SRGAN_RSR_CHANNELS;
  shape->linear_bias = shape->global_factor > 0;
  return 1u << shape->log_depth == n_hidden + 1 &&
         shape->log_depth <= SRGAN_RSR_MAX_LOG_DEPTH;
}

static GBytes *
compress (const GByteArray *payload)
{
  g_autofree guint8 *shuffled = g_malloc (payload->len);
  gsize size = lzma_stream_buffer_bound (payload->len), at = 0, written = 0;
  guint8 *file = g_malloc (size);

  for (guint i = 0; i < 4; i++)
    for (gsize j = i; j < payload->len; j += 4)
      shuffled[at++] = payload->data[j];
  /* as the original does */
  if (lzma_easy_buffer_encode (7, LZMA_CHECK_CRC64, NULL, shuffled,
          payload->len, file, &written, size) != LZMA_OK) {
    g_free (file);
    return NULL;
  }
  return g_bytes_new_take (g_realloc (file, written), written);
}

GBytes *
srgan_write_rsr (
    SrganNetwork *network, const SrganWriteOptions *options, GError **error)
{
  Writer writer = {
      .network = network,
      .quantise = options->quantise,
      .payload = g_byte_array_new (),
  };
  g_autoptr (GArray) tensors = NULL;
  gboolean fits = find_shape (&writer);
  GBytes *bytes = NULL;

  if (fits) {
    tensors = srgan_rsr_list_tensors (&writer.shape);
    put_uint (&writer, writer.shape.factor, 4);
    put_uint (&writer, writer.shape.width, 4);
    put_uint (&writer, writer.shape.log_depth, 4);
    put_uint (&writer, writer.shape.global_factor, 4);
    put_uint (&writer, tensors->len, 8);
    for (guint i = 0; i < tensors->len && fits; i++)
      fits = put_tensor (&writer, &g_array_index (tensors, SrganRsrTensor, i));
  }
  if (!fits) {
    srgan_convert_unsupported (error,
        "the network is not of the original's kind, the only one that .rsr can "
        "hold; write .safetensors or .onnx");
  } else {
    bytes = compress (writer.payload);
    if (bytes == NULL)
      srgan_convert_fail (
          error, SRGAN_ERROR_WRITE, "xz: it could not be compressed");
  }
  g_byte_array_unref (writer.payload);
  return bytes;
}
