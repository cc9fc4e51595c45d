/* convert: waifu2x's own models in JSON: a list of convolutions, vgg_7 and
 * upconv_7 (https://github.com/nagadomi/waifu2x).
 *
 * SPDX-License-Identifier: MIT
 */
#include "convert/graph.h"

#include "network/json.h"

#include <string.h>

/* Half a million weights, each a value. */
static const SrganJsonLimits limits = {
    .n_bytes = 32 * 1024 * 1024,
    .n_values = 1500000,
    .n_members = 64,
    .depth = 8,
};

/* Between layers, all but the last (src/.../srcnn.lua) */
#define SLOPE .1

static gint64
get_integer (JsonObject *object, const gchar *name, gint64 standard)
{
  JsonNode *node = json_object_get_member (object, name);

  if (node == NULL || !JSON_NODE_HOLDS_VALUE (node))
    return standard;
  return json_node_get_int (node);
}

/* Reads lists within lists of @n numbers in all into @numbers, and the lengths
 * on the way down into @lengths, which must be the same everywhere. */
static gboolean
read_numbers (JsonNode *node, guint depth, gint64 *lengths, gfloat *numbers,
    gsize n, gsize *filled, GError **error)
{
  JsonArray *array;

  if (depth == 0) {
    if (!JSON_NODE_HOLDS_VALUE (node) || *filled >= n)
      return srgan_convert_corrupt (error, "weights that are no numbers");
    numbers[(*filled)++] = (gfloat) json_node_get_double (node);
    return TRUE;
  }
  if (!JSON_NODE_HOLDS_ARRAY (node))
    return srgan_convert_corrupt (error, "weights that are no list");
  array = json_node_get_array (node);
  if (json_array_get_length (array) != (guint) lengths[0])
    return srgan_convert_corrupt (error, "weights in lists of %u and of %d",
        json_array_get_length (array), (gint) lengths[0]);
  for (guint i = 0; i < json_array_get_length (array); i++)
    if (!read_numbers (json_array_get_element (array, i), depth - 1,
            lengths + 1, numbers, n, filled, error))
      return FALSE;
  return TRUE;
}

static SrganConstant *
read_tensor (JsonNode *node, guint depth, GError **error)
{
  gint64 dimensions[4] = {0};
  JsonNode *inner = node;
  SrganConstant *constant;
  gfloat *numbers;
  gsize n, filled = 0;

  for (guint i = 0; i < depth; i++) {
    JsonArray *array;

    if (inner == NULL || !JSON_NODE_HOLDS_ARRAY (inner) ||
        json_array_get_length (json_node_get_array (inner)) == 0) {
      srgan_convert_corrupt (error, "weights that are no list");
      return NULL;
    }
    array = json_node_get_array (inner);
    dimensions[i] = json_array_get_length (array);
    inner = json_array_get_element (array, 0);
  }
  if (!srgan_constant_count (depth, dimensions, limits.n_values, &n, error))
    return NULL;
  constant = srgan_constant_new_numbers (depth, dimensions, n, &numbers);
  if (!read_numbers (node, depth, dimensions, numbers, n, &filled, error)) {
    srgan_constant_unref (constant);
    return NULL;
  }
  return constant;
}

/* Layer @index of @n, from value "@index" to the next. */
static gboolean
read_layer (
    SrganGraph *graph, JsonObject *object, guint index, guint n, GError **error)
{
  g_autofree gchar *from = g_strdup_printf ("%u", index);
  g_autofree gchar *between = g_strdup_printf ("conv%u", index + 1);
  g_autofree gchar *to = g_strdup_printf ("%u", index + 1);
  const gchar *class_name = NULL;
  JsonNode *node = json_object_get_member (object, "class_name");
  gboolean transposed;
  SrganGraphNode *conv;
  SrganConstant *weight, *bias;

  if (node != NULL && JSON_NODE_HOLDS_VALUE (node))
    class_name = json_node_get_string (node);
  transposed =
      class_name != NULL && strstr (class_name, "FullConvolution") != NULL;
  if (class_name != NULL && strstr (class_name, "Convolution") == NULL) {
    g_autofree gchar *quoted = srgan_convert_quote (class_name, -1);

    return srgan_convert_unsupported (
        error, "a layer of class '%s' is not supported", quoted);
  }
  weight = read_tensor (json_object_get_member (object, "weight"), 4, error);
  if (weight == NULL)
    return FALSE;
  conv = srgan_graph_add_simple (graph,
      transposed ? SRGAN_NODE_TRANSPOSED_CONV : SRGAN_NODE_CONV, from,
      index + 1 == n ? "output" : between);
  srgan_graph_node_add_constant (graph, conv, weight);
  conv->weight_order = transposed ? SRGAN_WEIGHT_IOHW : SRGAN_WEIGHT_OIHW;
  bias = read_tensor (json_object_get_member (object, "bias"), 1, error);
  if (bias == NULL)
    return FALSE;
  srgan_graph_node_add_constant (graph, conv, bias);
  conv->strides[0] = get_integer (object, "dH", 1);
  conv->strides[1] = get_integer (object, "dW", 1);
  conv->pads[0] = conv->pads[2] = get_integer (object, "padH", 0);
  conv->pads[1] = conv->pads[3] = get_integer (object, "padW", 0);
  conv->output_padding[0] = get_integer (object, "adjH", 0);
  conv->output_padding[1] = get_integer (object, "adjW", 0);
  if (index == 0) {
    gint64 dimensions[3] = {
        get_integer (object, "nInputPlane", weight->dimensions[1]), 0, 0};

    srgan_graph_add_input (graph, from, 3, dimensions, FALSE);
  }
  if (index + 1 < n)
    srgan_graph_add_simple (graph, SRGAN_NODE_LEAKY_RELU, between, to)->alpha =
        SLOPE;
  return TRUE;
}

gboolean
srgan_detect_waifu2x (SrganSource *source)
{
  gsize length;
  const gchar *text =
      source->is_folder ? NULL : srgan_source_peek_text (source, 4096, &length);
  g_autofree gchar *start = NULL;

  if (text == NULL)
    return FALSE;
  start = g_strndup (text, length);
  return *g_strchug (start) == '[' && start[1] != '\0' &&
         *g_strchug (start + 1) == '{' &&
         (strstr (start, "\"nInputPlane\"") != NULL ||
             strstr (start, "\"model_config\"") != NULL ||
             strstr (start, "\"weight\"") != NULL);
}

SrganNetwork *
srgan_read_waifu2x (SrganSource *source, const SrganConvertOptions *options,
    SrganConvertReport *report, GError **error)
{
  g_autoptr (JsonParser) parser = json_parser_new ();
  g_autoptr (SrganGraph) graph = srgan_graph_new (source->name);
  g_autoptr (GString) text = NULL;
  JsonObject *root, *first;
  JsonArray *layers;
  JsonNode *node;
  guint n;

  if (source->size > limits.n_bytes) {
    srgan_convert_fail (error, SRGAN_ERROR_TOO_LARGE,
        "it is larger than any model of this kind");
    return NULL;
  }
  text = g_string_sized_new (source->size + 16);
  g_string_append (text, "{\"layers\":");
  g_string_append_len (
      text, (const gchar *) source->data, (gssize) source->size);
  g_string_append_c (text, '}');
  root =
      srgan_json_parse (parser, text->str, text->len, "model", &limits, error);
  if (root == NULL)
    return NULL;
  node = json_object_get_member (root, "layers");
  if (node == NULL || !JSON_NODE_HOLDS_ARRAY (node)) {
    srgan_convert_corrupt (error, "it is no list of layers");
    return NULL;
  }
  layers = json_node_get_array (node);
  n = json_array_get_length (layers);
  for (guint i = 0; i < n; i++) {
    node = json_array_get_element (layers, i);
    if (!JSON_NODE_HOLDS_OBJECT (node)) {
      srgan_convert_corrupt (error, "layer %u is no object", i);
      return NULL;
    }
    if (!read_layer (graph, json_node_get_object (node), i, n, error)) {
      g_prefix_error (error, "layer %u: ", i);
      return NULL;
    }
  }
  if (n > 0) {
    first = json_array_get_object_element (layers, 0);
    node = json_object_get_member (first, "model_config");
    if (node != NULL && JSON_NODE_HOLDS_OBJECT (node)) {
      JsonNode *name =
          json_object_get_member (json_node_get_object (node), "arch_name");

      if (name != NULL && JSON_NODE_HOLDS_VALUE (name) &&
          json_node_get_string (name) != NULL) {
        g_autofree gchar *quoted =
            srgan_convert_quote (json_node_get_string (name), -1);

        report->architecture = g_strdup_printf ("waifu2x %s", quoted);
      }
    }
  }
  srgan_graph_add_output (graph, "output");
  return srgan_graph_build (graph, options, report, error);
}
