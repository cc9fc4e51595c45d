/* convert: TensorFlow.js: model.json and the shards beside it.
 *
 * A layers-model holds Keras' topology; a graph-model TensorFlow's GraphDef
 * spelled in JSON, which is put into the form of a frozen graph, weights
 * included, for the reader of these. The format of the weights:
 * tfjs-converter/docs and tfjs-core/src/io/types.ts.
 *
 * SPDX-License-Identifier: MIT
 */
#include "convert/keras.h"

#include <string.h>

#define MAX_SHARDS 4096

static const SrganJsonLimits limits = {
    .n_bytes = 32 * 1024 * 1024,
    .n_values = 1500000,
    .n_members = 4096,
    .depth = SRGAN_JSON_MAX_DEPTH,
};

/* --- Weights ------------------------------------------------------------- */

static const struct {
  const gchar *name;
  SrganDtype dtype;
} dtypes[] = {
    {"float32", SRGAN_DTYPE_FLOAT32},
    {"float16", SRGAN_DTYPE_FLOAT16},
    {"int32", SRGAN_DTYPE_INT32},
    {"uint8", SRGAN_DTYPE_UINT8},
    {"uint16", SRGAN_DTYPE_UINT16},
    {"bool", SRGAN_DTYPE_BOOL},
};

static gboolean
find_dtype (const gchar *name, SrganDtype *dtype)
{
  for (guint i = 0; name != NULL && i < G_N_ELEMENTS (dtypes); i++)
    if (strcmp (dtypes[i].name, name) == 0) {
      *dtype = dtypes[i].dtype;
      return TRUE;
    }
  return FALSE;
}

/* The shards of a group, one after the other. */
static GBytes *
open_shards (SrganSource *source, JsonArray *paths, GError **error)
{
  g_autoptr (GHashTable) seen =
      g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  g_autoptr (GPtrArray) shards =
      g_ptr_array_new_with_free_func ((GDestroyNotify) srgan_source_free);
  guint n = json_array_get_length (paths);
  guint64 total = 0;
  guint8 *joined;
  gsize at = 0;

  if (n > MAX_SHARDS) {
    srgan_convert_corrupt (error, "more than %d shards", MAX_SHARDS);
    return NULL;
  }
  for (guint i = 0; i < n; i++) {
    JsonNode *node = json_array_get_element (paths, i);
    const gchar *path = JSON_NODE_HOLDS_VALUE (node) &&
                                json_node_get_value_type (node) == G_TYPE_STRING
                            ? json_node_get_string (node)
                            : NULL;
    SrganSource *shard;

    /* one shard again and again is more than the disk holds */
    if (path == NULL || !g_hash_table_add (seen, g_strdup (path))) {
      srgan_convert_corrupt (error, "a shard without a name, or named twice");
      return NULL;
    }
    shard = srgan_source_open_beside (source, path, error);
    if (shard == NULL)
      return NULL;
    g_ptr_array_add (shards, shard);
    if (shard->is_folder) {
      srgan_convert_corrupt (error, "%s: is a folder", shard->name);
      return NULL;
    }
    total += shard->size;
  }
  if (n == 1)
    return g_bytes_ref (((SrganSource *) g_ptr_array_index (shards, 0))->bytes);
  joined =
      total <= SRGAN_SOURCE_MAX_BYTES ? g_try_malloc (MAX (total, 1)) : NULL;
  if (joined == NULL) {
    srgan_convert_fail (error, SRGAN_ERROR_TOO_LARGE,
        "no memory for shards of %" G_GUINT64_FORMAT " bytes", total);
    return NULL;
  }
  for (guint i = 0; i < n; i++) {
    const SrganSource *shard = g_ptr_array_index (shards, i);

    memcpy (joined + at, shard->data, shard->size);
    at += shard->size;
  }
  return g_bytes_new_take (joined, total);
}

/* code scale + min */
static GBytes *
dequantise (
    JsonObject *quantisation, SrganDtype dtype, const guint8 *items, gsize n)
{
  gdouble scale = srgan_keras_get_number (quantisation, "scale", 1.);
  gdouble low = srgan_keras_get_number (quantisation, "min", 0.);
  gfloat *numbers = g_try_new (gfloat, MAX (n, 1));

  if (numbers == NULL)
    return NULL;
  srgan_dtype_to_floats (dtype, items, n, numbers);
  if (dtype != SRGAN_DTYPE_FLOAT16)
    for (gsize i = 0; i < n; i++)
      numbers[i] = (gfloat) (numbers[i] * scale + low);
  return g_bytes_new_take (numbers, n * sizeof *numbers);
}

/* One entry of the manifest, whose bytes begin at @at in @shards. */
static gboolean
add_weight (SrganTensorSet *set, JsonObject *entry, GBytes *shards, gsize *at,
    GError **error)
{
  const gchar *name = srgan_keras_get_string (entry, "name");
  const gchar *type = srgan_keras_get_string (entry, "dtype");
  JsonArray *shape = srgan_keras_get_array (entry, "shape");
  JsonObject *quantisation = srgan_keras_get_object (entry, "quantization");
  guint64 dimensions[SRGAN_NAMED_TENSOR_MAX_DIMENSIONS];
  g_autofree gchar *quoted = NULL;
  g_autoptr (GBytes) bytes = NULL;
  SrganDtype dtype, stored;
  guint64 n = 1, n_bytes;
  gsize size;
  const guint8 *data = g_bytes_get_data (shards, &size);
  guint rank;

  if (name == NULL || shape == NULL)
    return srgan_convert_corrupt (error, "weights without a name or shape");
  quoted = srgan_convert_quote (name, -1);
  rank = json_array_get_length (shape);
  if (rank > SRGAN_NAMED_TENSOR_MAX_DIMENSIONS)
    return srgan_convert_corrupt (error, "'%s': %u dimensions", quoted, rank);
  for (guint i = 0; i < rank; i++) {
    gdouble dimension;

    if (!srgan_keras_is_number (
            json_array_get_element (shape, i), &dimension) ||
        !(dimension >= 0. && dimension < 1e9))
      return srgan_convert_corrupt (error, "'%s': no such shape", quoted);
    dimensions[i] = (guint64) dimension;
    if (!g_uint64_checked_mul (&n, n, dimensions[i]) ||
        n > SRGAN_NAMED_TENSOR_MAX_NUMBERS)
      return srgan_convert_fail (error, SRGAN_ERROR_TOO_LARGE,
          "'%s': its shape asks for more than %" G_GUINT64_FORMAT " numbers",
          quoted, SRGAN_NAMED_TENSOR_MAX_NUMBERS);
  }
  if (g_strcmp0 (type, "string") == 0) {
    /* text, each with its length before it: no weights */
    for (guint64 i = 0; i < n; i++) {
      guint32 length;

      if (size - *at < sizeof length)
        return srgan_convert_corrupt (error, "'%s': is cut short", quoted);
      memcpy (&length, data + *at, sizeof length);
      *at += sizeof length;
      length = GUINT32_FROM_LE (length);
      if (length > size - *at)
        return srgan_convert_corrupt (error, "'%s': is cut short", quoted);
      *at += length;
    }
    return TRUE;
  }
  if (!find_dtype (type, &dtype))
    return srgan_convert_unsupported (
        error, "'%s': its data type is not supported", quoted);
  stored = dtype;
  if (quantisation != NULL &&
      !find_dtype (srgan_keras_get_string (quantisation, "dtype"), &stored))
    return srgan_convert_unsupported (
        error, "'%s': its quantisation is not supported", quoted);
  n_bytes = n * srgan_dtype_get_size (stored);
  if (n_bytes > size - *at)
    return srgan_convert_corrupt (error,
        "'%s': %" G_GUINT64_FORMAT " bytes are needed, the shards have "
        "%" G_GSIZE_FORMAT " left",
        quoted, n_bytes, size - *at);
  if (quantisation != NULL) {
    bytes = dequantise (quantisation, stored, data + *at, n);
    if (bytes == NULL)
      return srgan_convert_fail (
          error, SRGAN_ERROR_TOO_LARGE, "'%s': no memory", quoted);
    dtype = SRGAN_DTYPE_FLOAT32;
  } else {
    bytes = g_bytes_new_from_bytes (shards, *at, n_bytes);
  }
  *at += n_bytes;
  return srgan_tensor_set_add_bytes (
      set, name, dtype, rank, dimensions, bytes, error);
}

static gboolean
add_weights (
    SrganSource *source, JsonObject *root, SrganTensorSet *set, GError **error)
{
  JsonArray *groups = srgan_keras_get_array (root, "weightsManifest");

  if (groups == NULL)
    return srgan_convert_corrupt (error, "it has no weightsManifest");
  for (guint i = 0; i < json_array_get_length (groups); i++) {
    JsonNode *node = json_array_get_element (groups, i);
    JsonObject *group =
        JSON_NODE_HOLDS_OBJECT (node) ? json_node_get_object (node) : NULL;
    JsonArray *paths = srgan_keras_get_array (group, "paths");
    JsonArray *weights = srgan_keras_get_array (group, "weights");
    g_autoptr (GBytes) shards = NULL;
    gsize at = 0;

    if (paths == NULL || weights == NULL)
      return srgan_convert_corrupt (error, "weights without files");
    shards = open_shards (source, paths, error);
    if (shards == NULL)
      return FALSE;
    for (guint j = 0; j < json_array_get_length (weights); j++) {
      node = json_array_get_element (weights, j);
      if (!JSON_NODE_HOLDS_OBJECT (node))
        return srgan_convert_corrupt (error, "weights without a name");
      if (!add_weight (set, json_node_get_object (node), shards, &at, error))
        return FALSE;
    }
  }
  return TRUE;
}

/* --- Protocol buffers ---------------------------------------------------- */

static void
put_varint (GByteArray *to, guint64 number)
{
  guint8 byte;

  do {
    byte = number & 0x7f;
    number >>= 7;
    if (number != 0)
      byte |= 0x80;
    g_byte_array_append (to, &byte, 1);
  } while (number != 0);
}

static void
put_number (GByteArray *to, guint field, gint64 number)
{
  put_varint (to, field << 3);
  put_varint (to, (guint64) number);
}

static void
put_float (GByteArray *to, guint field, gdouble number)
{
  gfloat single = (gfloat) number;
  guint32 bits;

  memcpy (&bits, &single, sizeof bits);
  bits = GUINT32_TO_LE (bits);
  put_varint (to, field << 3 | 5);
  g_byte_array_append (to, (const guint8 *) &bits, sizeof bits);
}

static void
put_bytes (GByteArray *to, guint field, gconstpointer data, gsize n)
{
  put_varint (to, field << 3 | 2);
  put_varint (to, n);
  g_byte_array_append (to, data, (guint) n);
}

static void
put_message (GByteArray *to, guint field, GByteArray *message)
{
  put_bytes (to, field, message->data, message->len);
}

static void
put_text (GByteArray *to, guint field, const gchar *text)
{
  put_bytes (to, field, text, strlen (text));
}

/* --- GraphDef ------------------------------------------------------------ */

typedef struct {
  SrganTensorSet *set;
  GByteArray *graph;
  guint n_nodes;
} Writer;

/* DataType (tensorflow/core/framework/types.proto) */
static const struct {
  const gchar *name;
  gint number;
} types[] = {
    {"DT_FLOAT", 1},
    {"DT_DOUBLE", 2},
    {"DT_INT32", 3},
    {"DT_UINT8", 4},
    {"DT_INT16", 5},
    {"DT_INT8", 6},
    {"DT_STRING", 7},
    {"DT_INT64", 9},
    {"DT_BOOL", 10},
    {"DT_BFLOAT16", 14},
    {"DT_UINT16", 17},
    {"DT_HALF", 19},
};

static const gchar *
as_text (JsonNode *node)
{
  return node != NULL && JSON_NODE_HOLDS_VALUE (node) &&
                 json_node_get_value_type (node) == G_TYPE_STRING
             ? json_node_get_string (node)
             : NULL;
}

/* Whole numbers of 64 bits come as text. */
static gint64
as_integer (JsonNode *node)
{
  const gchar *text = as_text (node);
  gdouble number;

  if (text != NULL)
    return g_ascii_strtoll (text, NULL, 10);
  return srgan_keras_is_number (node, &number) && ABS (number) < 9e15
             ? (gint64) number
             : 0;
}

static gint
as_type (JsonNode *node)
{
  const gchar *text = as_text (node);

  for (guint i = 0; text != NULL && i < G_N_ELEMENTS (types); i++)
    if (strcmp (types[i].name, text) == 0)
      return types[i].number;
  return text != NULL ? 0 : (gint) CLAMP (as_integer (node), 0, 1000);
}

static gdouble
as_number (JsonNode *node)
{
  const gchar *text = as_text (node);
  gdouble number = 0.;

  if (text != NULL)
    return g_ascii_strtod (text, NULL);
  srgan_keras_is_number (node, &number);
  return number;
}

/* Bytes come in base 64. */
static void
put_base64 (GByteArray *to, guint field, const gchar *text)
{
  gsize n;
  g_autofree guchar *bytes = g_base64_decode (text, &n);

  put_bytes (to, field, bytes, n);
}

static void
put_shape (GByteArray *to, guint field, JsonObject *shape)
{
  g_autoptr (GByteArray) message = g_byte_array_new ();
  JsonArray *dimensions = srgan_keras_get_array (shape, "dim");

  for (guint i = 0;
       dimensions != NULL && i < json_array_get_length (dimensions); i++) {
    JsonNode *node = json_array_get_element (dimensions, i);
    JsonNode *size =
        JSON_NODE_HOLDS_OBJECT (node)
            ? json_object_get_member (json_node_get_object (node), "size")
            : NULL;
    g_autoptr (GByteArray) dimension = g_byte_array_new ();

    put_number (dimension, 1, as_integer (size));
    put_message (message, 2, dimension);
  }
  if (srgan_keras_get_boolean (shape, "unknownRank", FALSE))
    put_number (message, 3, 1);
  put_message (to, field, message);
}

static void
put_list (GByteArray *to, guint field, JsonObject *list)
{
  static const gchar *const names[] = {"s", "i", "f", "b", "type", "shape"};
  g_autoptr (GByteArray) message = g_byte_array_new ();

  for (guint i = 0; i < G_N_ELEMENTS (names); i++) {
    JsonArray *array = srgan_keras_get_array (list, names[i]);

    for (guint j = 0; array != NULL && j < json_array_get_length (array); j++) {
      JsonNode *node = json_array_get_element (array, j);

      switch (i) {
      case 0:
        put_base64 (message, 2, as_text (node) != NULL ? as_text (node) : "");
        break;
      case 2:
        put_float (message, 4, as_number (node));
        break;
      case 3:
        put_number (message, 5,
            JSON_NODE_HOLDS_VALUE (node) && json_node_get_boolean (node));
        break;
      case 4:
        put_number (message, 6, as_type (node));
        break;
      case 5:
        put_shape (message, 7,
            JSON_NODE_HOLDS_OBJECT (node) ? json_node_get_object (node) : NULL);
        break;
      default:
        put_number (message, 3, as_integer (node));
        break;
      }
    }
  }
  put_message (to, field, message);
}

static void
put_attribute (GByteArray *node, const gchar *name, GByteArray *value)
{
  g_autoptr (GByteArray) entry = g_byte_array_new ();

  put_text (entry, 1, name);
  put_message (entry, 2, value);
  put_message (node, 5, entry);
}

static void
put_attributes (GByteArray *node, JsonObject *attributes)
{
  JsonObjectIter iter;
  const gchar *name;
  JsonNode *member;

  if (attributes == NULL)
    return;
  json_object_iter_init (&iter, attributes);
  while (json_object_iter_next (&iter, &name, &member)) {
    g_autoptr (GByteArray) value = g_byte_array_new ();
    JsonObject *object;

    if (!JSON_NODE_HOLDS_OBJECT (member))
      continue;
    object = json_node_get_object (member);
    if (json_object_has_member (object, "list"))
      put_list (value, 1, srgan_keras_get_object (object, "list"));
    else if (json_object_has_member (object, "s"))
      put_base64 (value, 2,
          srgan_keras_get_string (object, "s") != NULL
              ? srgan_keras_get_string (object, "s")
              : "");
    else if (json_object_has_member (object, "i"))
      put_number (value, 3, as_integer (json_object_get_member (object, "i")));
    else if (json_object_has_member (object, "f"))
      put_float (value, 4, as_number (json_object_get_member (object, "f")));
    else if (json_object_has_member (object, "b"))
      put_number (value, 5, srgan_keras_get_boolean (object, "b", FALSE));
    else if (json_object_has_member (object, "type"))
      put_number (value, 6, as_type (json_object_get_member (object, "type")));
    else if (json_object_has_member (object, "shape"))
      put_shape (value, 7, srgan_keras_get_object (object, "shape"));
    else
      continue;
    put_attribute (node, name, value);
  }
}

/* A node with @inputs (ends with NULL); @attributes as JSON, or NULL. */
static void
put_node (Writer *self, const gchar *name, const gchar *operation,
    const gchar *const *inputs, JsonObject *attributes)
{
  g_autoptr (GByteArray) node = g_byte_array_new ();

  put_text (node, 1, name);
  put_text (node, 2, operation);
  for (; *inputs != NULL; inputs++)
    put_text (node, 3, *inputs);
  put_attributes (node, attributes);
  put_message (self->graph, 1, node);
  self->n_nodes++;
}

#define put_simple_node(self, name, operation, ...) \
  put_node (                                        \
      self, name, operation, (const gchar *const[]){__VA_ARGS__, NULL}, NULL)

/* The weights of a Const lie in the manifest, under its name. */
static gboolean
put_constant (Writer *self, const gchar *name, GError **error)
{
  SrganNamedTensor *tensor = srgan_tensor_set_find (self->set, name);
  g_autoptr (GByteArray) node = NULL;
  g_autoptr (GByteArray) message = NULL;
  g_autoptr (GByteArray) shape = NULL;
  g_autoptr (GByteArray) value = NULL;
  g_autoptr (GBytes) bytes = NULL;
  gconstpointer data;
  gint type = 1;
  gsize n;

  if (tensor == NULL)
    return TRUE; /* text, which nothing of ours reads */
  bytes = tensor->load (tensor->owner, tensor->storage, error);
  if (bytes == NULL)
    return FALSE;
  switch (tensor->dtype) {
  case SRGAN_DTYPE_FLOAT16:
    type = 19;
    break;
  case SRGAN_DTYPE_INT32:
    type = 3;
    break;
  case SRGAN_DTYPE_UINT8:
    type = 4;
    break;
  case SRGAN_DTYPE_UINT16:
    type = 17;
    break;
  case SRGAN_DTYPE_BOOL:
    type = 10;
    break;
  default:
    break;
  }
  node = g_byte_array_new ();
  message = g_byte_array_new ();
  shape = g_byte_array_new ();
  value = g_byte_array_new ();
  for (guint i = 0; i < tensor->n_dimensions; i++) {
    g_autoptr (GByteArray) dimension = g_byte_array_new ();

    put_number (dimension, 1, (gint64) tensor->dimensions[i]);
    put_message (shape, 2, dimension);
  }
  data = g_bytes_get_data (bytes, &n);
  put_number (message, 1, type);
  put_message (message, 2, shape);
  put_bytes (message, 4, data, n);
  put_message (value, 8, message);
  put_text (node, 1, name);
  put_text (node, 2, "Const");
  put_attribute (node, "value", value);
  put_message (self->graph, 1, node);
  self->n_nodes++;
  return TRUE;
}

/* max (x, 0) - alpha max (-x, 0): TensorFlow has no word for it, its
 * optimiser for TensorFlow.js has */
static void
put_prelu (Writer *self, const gchar *name, const gchar *x, const gchar *alpha)
{
  g_autofree gchar *above = g_strconcat (name, "/above", NULL);
  g_autofree gchar *turned = g_strconcat (name, "/turned", NULL);
  g_autofree gchar *below = g_strconcat (name, "/below", NULL);
  g_autofree gchar *scaled = g_strconcat (name, "/scaled", NULL);

  put_simple_node (self, above, "Relu", x);
  put_simple_node (self, turned, "Neg", x);
  put_simple_node (self, below, "Relu", turned);
  put_simple_node (self, scaled, "Mul", below, alpha);
  put_simple_node (self, name, "Sub", above, scaled);
}

static const struct {
  const gchar *fused;
  const gchar *plain;
} fusions[] = {
    {"_FusedConv2D", "Conv2D"},
    {"FusedConv2D", "Conv2D"},
    {"_FusedDepthwiseConv2dNative", "DepthwiseConv2dNative"},
    {"FusedDepthwiseConv2dNative", "DepthwiseConv2dNative"},
    {"_FusedMatMul", "MatMul"},
};

/* One node for a convolution, its bias and its activation: (x, weight, what
 * the steps of fused_ops need, in their order). */
static gboolean
put_fused (Writer *self, const gchar *name, const gchar *operation,
    const gchar *const *inputs, JsonObject *attributes, GError **error)
{
  JsonArray *steps = srgan_keras_get_array (
      srgan_keras_get_object (
          srgan_keras_get_object (attributes, "fused_ops"), "list"),
      "s");
  guint n_inputs = g_strv_length ((gchar **) inputs), next = 2;
  guint n = steps != NULL ? json_array_get_length (steps) : 0;
  g_autofree gchar *value = NULL;

  if (n_inputs < 2)
    return srgan_convert_corrupt (error, "a node with too few inputs");
  for (guint i = 0; i <= n; i++) {
    g_autofree gchar *result =
        i == n ? g_strdup (name) : g_strdup_printf ("%s/step%u", name, i);
    g_autofree gchar *step = NULL;

    if (i == 0) {
      put_node (self, result, operation,
          (const gchar *const[]){inputs[0], inputs[1], NULL}, attributes);
    } else {
      const gchar *text = as_text (json_array_get_element (steps, i - 1));
      gsize length = 0;
      g_autofree guchar *bytes =
          g_base64_decode (text != NULL ? text : "", &length);

      step = g_strndup ((const gchar *) bytes, length);
      if (strcmp (step, "BiasAdd") == 0 && next < n_inputs) {
        put_simple_node (self, result, "BiasAdd", value, inputs[next++]);
      } else if (strcmp (step, "Prelu") == 0 && next < n_inputs) {
        put_prelu (self, result, value, inputs[next++]);
      } else if (strcmp (step, "LeakyRelu") == 0) {
        g_autoptr (JsonObject) settings = json_object_new ();
        JsonObject *alpha = json_object_new ();

        json_object_set_double_member (alpha, "f",
            as_number (
                json_object_get_member (attributes, "leakyrelu_alpha") != NULL
                    ? json_object_get_member (
                          srgan_keras_get_object (
                              attributes, "leakyrelu_alpha"),
                          "f")
                    : NULL));
        json_object_set_object_member (settings, "alpha", alpha);
        put_node (self, result, "LeakyRelu",
            (const gchar *const[]){value, NULL}, settings);
      } else if (strcmp (step, "FusedBatchNorm") == 0 ||
                 strcmp (step, "BiasAdd") == 0 || strcmp (step, "Prelu") == 0) {
        g_autofree gchar *quoted = srgan_convert_quote (step, -1);

        return srgan_convert_unsupported (
            error, "'%s' within a convolution is not supported", quoted);
      } else {
        put_simple_node (self, result, step, value);
      }
    }
    g_free (value);
    value = g_steal_pointer (&result);
  }
  return TRUE;
}

static gboolean
put_json_node (Writer *self, JsonObject *node, GError **error)
{
  const gchar *name = srgan_keras_get_string (node, "name");
  const gchar *operation = srgan_keras_get_string (node, "op");
  JsonArray *list = srgan_keras_get_array (node, "input");
  JsonObject *attributes = srgan_keras_get_object (node, "attr");
  g_autoptr (GPtrArray) inputs = g_ptr_array_new ();

  if (name == NULL || operation == NULL)
    return srgan_convert_corrupt (error, "a node without a name");
  if (strcmp (operation, "Const") == 0)
    return put_constant (self, name, error);
  for (guint i = 0; list != NULL && i < json_array_get_length (list); i++) {
    const gchar *input = as_text (json_array_get_element (list, i));

    if (input == NULL)
      return srgan_convert_corrupt (error, "an input without a name");
    g_ptr_array_add (inputs, (gpointer) input);
  }
  g_ptr_array_add (inputs, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (fusions); i++)
    if (strcmp (fusions[i].fused, operation) == 0)
      return put_fused (self, name, fusions[i].plain,
          (const gchar *const *) inputs->pdata, attributes, error);
  if (strcmp (operation, "Prelu") == 0 && inputs->len == 3)
    put_prelu (self, name, g_ptr_array_index (inputs, 0),
        g_ptr_array_index (inputs, 1));
  else
    put_node (self, name, operation, (const gchar *const *) inputs->pdata,
        attributes);
  return TRUE;
}

static SrganNetwork *
read_graph (SrganSource *source, JsonArray *nodes, SrganTensorSet *set,
    const SrganConvertOptions *options, SrganConvertReport *report,
    GError **error)
{
  Writer self = {.set = set, .graph = g_byte_array_new ()};
  g_autoptr (GBytes) bytes = NULL;
  g_autoptr (SrganSource) inner = NULL;
  gboolean done = TRUE;

  for (guint i = 0; done && i < json_array_get_length (nodes); i++) {
    JsonNode *node = json_array_get_element (nodes, i);

    /* the constants that the manifest holds may not be named over and over */
    if (!JSON_NODE_HOLDS_OBJECT (node))
      done = srgan_convert_corrupt (error, "a node that is no object");
    else if (self.n_nodes > SRGAN_GRAPH_MAX_NODES ||
             self.graph->len > G_MAXINT32)
      done = srgan_convert_fail (
          error, SRGAN_ERROR_TOO_LARGE, "more nodes than a network has");
    else
      done = put_json_node (&self, json_node_get_object (node), error);
  }
  bytes = g_byte_array_free_to_bytes (self.graph);
  if (!done)
    return NULL;
  inner = srgan_source_new_for_bytes (bytes, source->name, NULL);
  return srgan_read_tensorflow (inner, options, report, error);
}

/* --- The file ------------------------------------------------------------ */

gboolean
srgan_detect_tensorflow_js (SrganSource *source)
{
  gsize length;
  const gchar *text = source->is_folder
                          ? NULL
                          : srgan_source_peek_text (source, 65536, &length);
  g_autofree gchar *start = NULL;

  if (text == NULL)
    return FALSE;
  start = g_strndup (text, length);
  return *g_strchug (start) == '{' &&
         (strstr (start, "\"modelTopology\"") != NULL ||
             strstr (start, "\"weightsManifest\"") != NULL);
}

SrganNetwork *
srgan_read_tensorflow_js (SrganSource *source,
    const SrganConvertOptions *options, SrganConvertReport *report,
    GError **error)
{
  g_autoptr (JsonParser) parser = json_parser_new ();
  g_autoptr (SrganTensorSet) set = srgan_tensor_set_new (NULL, NULL);
  g_autoptr (SrganKerasWeights) weights = NULL;
  JsonObject *root, *topology, *model;
  JsonArray *nodes;

  root = srgan_json_parse (parser, (const gchar *) source->data, source->size,
      "model", &limits, error);
  if (root == NULL)
    return NULL;
  topology = srgan_keras_get_object (root, "modelTopology");
  if (topology == NULL) {
    srgan_convert_corrupt (error, "it has no modelTopology");
    return NULL;
  }
  if (!add_weights (source, root, set, error))
    return NULL;
  nodes = srgan_keras_get_array (topology, "node");
  g_free (report->format);
  report->format = g_strdup (nodes != NULL ? "TensorFlow.js graph model"
                                           : "TensorFlow.js layers model");
  if (nodes != NULL)
    return read_graph (source, nodes, set, options, report, error);
  weights = srgan_keras_weights_new_for_set (set);
  model = srgan_keras_get_object (topology, "model_config");
  return srgan_keras_build (model != NULL ? model : topology, weights, TRUE,
      source->name, options, report, error);
}
