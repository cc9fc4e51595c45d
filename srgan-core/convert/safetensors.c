/* convert: safetensors (https://github.com/huggingface/safetensors#format): our
 * own, or a state dict as PyTorch's people publish them.
 *
 * SPDX-License-Identifier: MIT
 */
#include "convert/architecture.h"
#include "convert/reader.h"
#include "network/json.h"

#include <string.h>

#define METADATA "__metadata__"

/* A state dict of 16,000 tensors needs less. */
static const SrganJsonLimits limits = {
    .n_bytes = 16 * 1024 * 1024,
    .n_values = 512 * 1024,
    .n_members = 16384,
    .depth = 16,
};

static const struct {
  const gchar *name;
  SrganDtype dtype;
} dtypes[] = {
    {"F32", SRGAN_DTYPE_FLOAT32},
    {"F16", SRGAN_DTYPE_FLOAT16},
    {"BF16", SRGAN_DTYPE_BFLOAT16},
    {"F64", SRGAN_DTYPE_FLOAT64},
    {"I8", SRGAN_DTYPE_INT8},
    {"U8", SRGAN_DTYPE_UINT8},
    {"I16", SRGAN_DTYPE_INT16},
    {"U16", SRGAN_DTYPE_UINT16},
    {"I32", SRGAN_DTYPE_INT32},
    {"U32", SRGAN_DTYPE_UINT32},
    {"I64", SRGAN_DTYPE_INT64},
    {"U64", SRGAN_DTYPE_UINT64},
    {"BOOL", SRGAN_DTYPE_BOOL},
};

static guint64
get_header_size (SrganSource *source)
{
  guint64 size;

  memcpy (&size, source->data, sizeof size);
  return GUINT64_FROM_LE (size);
}

/* No magic number: a length, then a JSON object. A file cut short within its
 * header is still taken for one, for the message that it gets here. */
gboolean
srgan_detect_safetensors (SrganSource *source)
{
  gsize i = 8;

  if (source->is_folder || source->size < 10)
    return FALSE;
  if (get_header_size (source) > G_GUINT64_CONSTANT (1) << 40)
    return FALSE;
  while (i < source->size && i < 64 && source->data[i] == ' ')
    i++;
  if (source->data[i] != '{')
    return FALSE;
  for (i++; i < source->size && g_ascii_isspace (source->data[i]); i++)
    ;
  return i < source->size && (source->data[i] == '"' || source->data[i] == '}');
}

static GBytes *
load (gpointer owner, gpointer storage, GError **error)
{
  return g_bytes_ref (owner);
}

/* A list of whole numbers from 0 on. */
static gboolean
read_numbers (JsonObject *entry, const gchar *member, guint max,
    guint64 *numbers, guint *n, GError **error)
{
  JsonNode *node = json_object_get_member (entry, member);
  JsonArray *array;

  if (node == NULL || !JSON_NODE_HOLDS_ARRAY (node))
    return srgan_convert_corrupt (error, "%s: is not a list", member);
  array = json_node_get_array (node);
  *n = json_array_get_length (array);
  if (*n > max)
    return srgan_convert_corrupt (
        error, "%s: has %u numbers, more than %u", member, *n, max);
  for (guint i = 0; i < *n; i++) {
    JsonNode *item = json_array_get_element (array, i);

    if (!JSON_NODE_HOLDS_VALUE (item) ||
        json_node_get_value_type (item) != G_TYPE_INT64 ||
        json_node_get_int (item) < 0)
      return srgan_convert_corrupt (
          error, "%s: is not of whole numbers from 0 on", member);
    numbers[i] = (guint64) json_node_get_int (item);
  }
  return TRUE;
}

static gboolean
read_tensor (SrganTensorSet *set, const gchar *name, JsonNode *node,
    guint64 data_begin, guint64 data_size, GError **error)
{
  SrganNamedTensor tensor = {
      .name = (gchar *) name,
      .load = load,
      .owner = set->owner,
  };
  guint64 offsets[2], n_bytes;
  const gchar *dtype;
  JsonObject *entry;
  guint n, i;

  if (!JSON_NODE_HOLDS_OBJECT (node))
    return srgan_convert_corrupt (error, "its entry: is not an object");
  entry = json_node_get_object (node);
  dtype = json_object_get_string_member_with_default (entry, "dtype", "");
  for (i = 0; i < G_N_ELEMENTS (dtypes); i++)
    if (strcmp (dtype, dtypes[i].name) == 0)
      break;
  if (i == G_N_ELEMENTS (dtypes)) {
    g_autofree gchar *quoted = srgan_convert_quote (dtype, -1);

    return srgan_convert_unsupported (
        error, "dtype: '%s' is not known", quoted);
  }
  tensor.dtype = dtypes[i].dtype;
  if (!read_numbers (entry, "shape", SRGAN_NAMED_TENSOR_MAX_DIMENSIONS,
          tensor.dimensions, &tensor.n_dimensions, error) ||
      !read_numbers (entry, "data_offsets", 2, offsets, &n, error))
    return FALSE;
  n_bytes = srgan_dtype_get_size (tensor.dtype);
  for (i = 0; i < tensor.n_dimensions; i++)
    if (!g_uint64_checked_mul (&n_bytes, n_bytes, tensor.dimensions[i]))
      return srgan_convert_corrupt (error, "shape: its product overflows");
  if (n != 2 || offsets[0] > offsets[1] || offsets[1] > data_size)
    return srgan_convert_corrupt (error,
        "data_offsets: lie outside the file's %" G_GUINT64_FORMAT
        " bytes of tensors",
        data_size);
  if (offsets[1] - offsets[0] != n_bytes)
    return srgan_convert_corrupt (error,
        "data_offsets: span %" G_GUINT64_FORMAT " bytes, its shape needs "
        "%" G_GUINT64_FORMAT,
        offsets[1] - offsets[0], n_bytes);
  tensor.offset = data_begin + offsets[0];
  return srgan_tensor_set_add (set, &tensor, TRUE, error);
}

static void
unref_bytes (gpointer bytes)
{
  g_bytes_unref (bytes);
}

SrganNetwork *
srgan_read_safetensors (SrganSource *source, const SrganConvertOptions *options,
    SrganConvertReport *report, GError **error)
{
  g_autoptr (JsonParser) parser = json_parser_new ();
  g_autoptr (SrganTensorSet) set = NULL;
  guint64 header_size = get_header_size (source);
  JsonObject *header, *metadata = NULL;
  JsonObjectIter iter;
  const gchar *name;
  JsonNode *node;

  if (header_size > source->size - 8) {
    srgan_convert_corrupt (error,
        "header length: %" G_GUINT64_FORMAT " bytes are more than the file has"
        " (is it whole?)",
        header_size);
    return NULL;
  }
  header = srgan_json_parse (parser, (const gchar *) source->data + 8,
      header_size, "header", &limits, error);
  if (header == NULL)
    return NULL;
  node = json_object_get_member (header, METADATA);
  if (node != NULL && JSON_NODE_HOLDS_OBJECT (node))
    metadata = json_node_get_object (node);

  g_free (report->format);
  if (metadata != NULL && json_object_has_member (metadata, "srgan.network")) {
    SrganNetwork *network;

    report->format = g_strdup ("gst-srgan's own safetensors");
    network = srgan_network_load_bytes (source->bytes, source->name, error);
    if (network != NULL) {
      report->architecture =
          g_strdup (srgan_network_get_note (network, "architecture"));
      report->licence = g_strdup (srgan_network_get_note (network, "licence"));
      report->range = g_strdup ("0-1");
      report->order = g_strdup (
          srgan_colour_to_string (srgan_network_get_colour (network)));
    }
    return network;
  }
  report->format = g_strdup ("safetensors state dict");

  set = srgan_tensor_set_new (g_bytes_ref (source->bytes), unref_bytes);
  json_object_iter_init_ordered (&iter, header);
  while (json_object_iter_next_ordered (&iter, &name, &node))
    if (strcmp (name, METADATA) != 0 &&
        !read_tensor (set, name, node, 8 + header_size,
            source->size - 8 - header_size, error)) {
      g_autofree gchar *quoted = srgan_convert_quote (name, -1);

      g_prefix_error (error, "tensor '%s': ", quoted);
      return NULL;
    }
  if (metadata != NULL) {
    json_object_iter_init_ordered (&iter, metadata);
    while (json_object_iter_next_ordered (&iter, &name, &node))
      if (JSON_NODE_HOLDS_VALUE (node) &&
          json_node_get_value_type (node) == G_TYPE_STRING)
        g_hash_table_insert (set->hints, g_strdup (name),
            g_strdup (json_node_get_string (node)));
    report->licence = g_strdup (g_hash_table_lookup (set->hints, "license"));
  }
  return srgan_architecture_build (set, source->path, options, report, error);
}
