/* network: the model file.
 *
 * A safetensors container (https://github.com/huggingface/safetensors#format):
 * the header's length as 8 bytes, little-endian; the header, JSON that gives
 * each tensor's type, shape and place; the tensors, end to end. Our description
 * is JSON, too, in the header's __metadata__ under "srgan.network", which must
 * be a string:
 *
 *   { "version": 1, "name": "fast-clean-x2", "scale": 2, "colour": "y",
 *     "precision": "int8",
 *     "notes": { "licence": "MIT", ... },
 *     "layers": [
 *       { "name": "conv0", "operation": "conv", "inputs": [ "input" ],
 *         "out_channels": 16, "kernel_width": 3, "kernel_height": 3,
 *         "activation": "prelu" }, ... ] }
 *
 * A layer names the attributes of its operation, see network/operations.c;
 * those that have their standard value may be left out. Its tensors are
 * NAME.weight, NAME.bias and NAME.slope, laid out as #SrganLayer says, written
 * as F32, weights on request as F16, and read as F32, F16 or BF16. A network
 * that can be run in integers says so ("precision": "int8", else "fp32", which
 * may be left out) and has, for those layers that are, NAME.output_step,
 * NAME.weight_step and NAME.int8_bias besides and NAME.weight_code as I8. Where
 * these codes and steps give the weights exactly, NAME.weight is left out.
 *
 * Nothing in a file is believed: every number is checked before it is used, and
 * what reading may take in memory is bounded by the file's own size.
 *
 * SPDX-License-Identifier: MIT
 */
#include "network/json.h"
#include "network/network-private.h"

#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <json-glib/json-glib.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define METADATA "__metadata__"
#define DESCRIPTION "srgan.network"
#define VERSION 1

/* SRGAN_MAX_LAYERS layers need less than each of these. */
#define MAX_HEADER_BYTES (4 * 1024 * 1024)

static const SrganJsonLimits json_limits = {
    .n_bytes = MAX_HEADER_BYTES,
    .n_values = 64 * 1024,
    .n_members = 4096,
    .depth = 16, /* the description nests 4 deep */
};

/* A quarter of a billion weights: twice any network in the field. */
#define MAX_FILE_BYTES (G_GUINT64_CONSTANT (1) << 30)

/* Where the tensors begin: whole cache lines, for those who map the file. */
#define DATA_ALIGNMENT 64

G_GNUC_PRINTF (3, 4)
static gboolean
refuse (GError **error, SrganError code, const gchar *format, ...)
{
  va_list arguments;

  va_start (arguments, format);
  if (error != NULL)
    *error = g_error_new_valist (SRGAN_ERROR, (gint) code, format, arguments);
  va_end (arguments);
  return FALSE;
}

#define corrupt(error, ...) refuse (error, SRGAN_ERROR_CORRUPT, __VA_ARGS__)

/* What a message may show of a file's text. */
static gchar *
quote (const gchar *text)
{
  g_autofree gchar *start = g_strndup (text, 60);

  return g_strescape (start, NULL);
}

/* --- JSON --------------------------------------------------------------- */

/* The following read one value each; @what names it in messages. */

static gboolean
read_uint (JsonNode *node, guint64 *value, GError **error, const gchar *what)
{
  /* -O3 does not see that what is refused is not used */
  *value = 0;
  if (node == NULL)
    return corrupt (error, "%s: is missing", what);
  if (!JSON_NODE_HOLDS_VALUE (node) ||
      json_node_get_value_type (node) != G_TYPE_INT64 ||
      json_node_get_int (node) < 0)
    return corrupt (error, "%s: is not a whole number from 0 on", what);
  *value = (guint64) json_node_get_int (node);
  return TRUE;
}

static const gchar *
read_string (JsonNode *node, GError **error, const gchar *what)
{
  if (node == NULL) {
    corrupt (error, "%s: is missing", what);
    return NULL;
  }
  if (!JSON_NODE_HOLDS_VALUE (node) ||
      json_node_get_value_type (node) != G_TYPE_STRING) {
    corrupt (error, "%s: is not a string", what);
    return NULL;
  }
  return json_node_get_string (node);
}

static JsonArray *
read_array (JsonNode *node, GError **error, const gchar *what)
{
  if (node == NULL) {
    corrupt (error, "%s: is missing", what);
    return NULL;
  }
  if (!JSON_NODE_HOLDS_ARRAY (node)) {
    corrupt (error, "%s: is not a list", what);
    return NULL;
  }
  return json_node_get_array (node);
}

static JsonObject *
read_object (JsonNode *node, GError **error, const gchar *what)
{
  if (node == NULL) {
    corrupt (error, "%s: is missing", what);
    return NULL;
  }
  if (!JSON_NODE_HOLDS_OBJECT (node)) {
    corrupt (error, "%s: is not an object", what);
    return NULL;
  }
  return json_node_get_object (node);
}

/* No member of @object but those named, so that a misspelt one is not
 * overlooked. */
static gboolean
check_members (JsonObject *object, const gchar *const *known, GError **error)
{
  JsonObjectIter iter;
  const gchar *name;

  json_object_iter_init (&iter, object);
  while (json_object_iter_next (&iter, &name, NULL))
    if (!g_strv_contains (known, name)) {
      g_autofree gchar *quoted = quote (name);

      return corrupt (error, "'%s' is not known", quoted);
    }
  return TRUE;
}

/* --- Tensors ------------------------------------------------------------ */

typedef struct {
  gchar *name;
  guint n_dimensions;
  guint64 dimensions[SRGAN_TENSOR_MAX_DIMENSIONS];
  guint64 begin; /* bytes from the first tensor's */
  guint64 end;
  gboolean used;
  /* How it is stored. */
  guint item_size;
  gfloat (*get) (const guint8 *item);
} Tensor;

static void
free_tensor (gpointer data)
{
  Tensor *tensor = data;

  g_free (tensor->name);
  g_free (tensor);
}

static gfloat
float_from_bits (guint32 bits)
{
  gfloat value;

  memcpy (&value, &bits, sizeof value);
  return value;
}

static gfloat
get_f32 (const guint8 *item)
{
  guint32 bits;

  memcpy (&bits, item, sizeof bits);
  return float_from_bits (GUINT32_FROM_LE (bits));
}

static gfloat
get_bf16 (const guint8 *item)
{
  return float_from_bits ((guint32) item[1] << 24 | (guint32) item[0] << 16);
}

/* IEEE 754 binary16. */
static gfloat
get_f16 (const guint8 *item)
{
  guint bits = (guint) item[1] << 8 | item[0];
  guint32 sign = (guint32) (bits & 0x8000) << 16;
  guint exponent = bits >> 10 & 0x1f;
  guint32 fraction = bits & 0x3ff;

  if (exponent == 0x1f) /* infinite or not a number */
    return float_from_bits (sign | 0x7f800000 | fraction << 13);
  if (exponent == 0) { /* fraction * 2^-24 */
    gfloat value = (gfloat) fraction * 0x1p-24f;

    return sign ? -value : value;
  }
  return float_from_bits (sign | (exponent + 112) << 23 | fraction << 13);
}

guint16
srgan_half_from_float (gfloat value)
{
  guint16 sign = signbit (value) ? 0x8000 : 0;
  gdouble magnitude = fabs ((gdouble) value);
  gint exponent;
  gdouble steps;

  if (isnan (value))
    return sign | 0x7e00;
  if (magnitude >= 65520.) /* what rounds beyond 65504 */
    return sign | 0x7c00;
  if (magnitude == 0.) /* has no exponent */
    return sign;
  /* The spacing is 2^-24 below 2^-14, else 2^-10 of the power of two below;
   * steps of it then count on through the exponents. rint() rounds halves to
   * even. */
  frexp (magnitude, &exponent);
  exponent = MAX (exponent - 1, -14);
  steps = rint (ldexp (magnitude, 10 - exponent));
  return sign | (guint16) ((gint) steps + (exponent + 14) * 1024);
}

static gfloat
get_i8 (const guint8 *item)
{
  return (gint8) *item;
}

static const struct {
  const gchar *name;
  guint item_size;
  gfloat (*get) (const guint8 *item);
} storages[] = {
    {"F32", 4, get_f32},
    {"F16", 2, get_f16},
    {"BF16", 2, get_bf16},
    {"I8", 1, get_i8},
};

static gboolean
read_tensor (Tensor *tensor, JsonNode *node, guint64 data_size, GError **error)
{
  static const gchar *const known[] = {"dtype", "shape", "data_offsets", NULL};
  JsonObject *object = read_object (node, error, "its entry");
  const gchar *dtype;
  JsonArray *array;
  guint64 n_bytes;

  if (object == NULL || !check_members (object, known, error))
    return FALSE;

  dtype =
      read_string (json_object_get_member (object, "dtype"), error, "dtype");
  if (dtype == NULL)
    return FALSE;
  for (guint i = 0; i < G_N_ELEMENTS (storages); i++)
    if (strcmp (dtype, storages[i].name) == 0) {
      tensor->item_size = storages[i].item_size;
      tensor->get = storages[i].get;
    }
  if (tensor->get == NULL) {
    g_autofree gchar *quoted = quote (dtype);

    return refuse (error, SRGAN_ERROR_UNSUPPORTED,
        "dtype: '%s' is not one of F32, F16, BF16 and I8", quoted);
  }

  array = read_array (json_object_get_member (object, "shape"), error, "shape");
  if (array == NULL)
    return FALSE;
  tensor->n_dimensions = json_array_get_length (array);
  if (tensor->n_dimensions > SRGAN_TENSOR_MAX_DIMENSIONS)
    return corrupt (error, "shape: has %u dimensions, more than %u",
        tensor->n_dimensions, SRGAN_TENSOR_MAX_DIMENSIONS);
  n_bytes = tensor->item_size;
  for (guint i = 0; i < tensor->n_dimensions; i++) {
    if (!read_uint (json_array_get_element (array, i), &tensor->dimensions[i],
            error, "shape"))
      return FALSE;
    if (!g_uint64_checked_mul (&n_bytes, n_bytes, tensor->dimensions[i]))
      return corrupt (error, "shape: its product overflows");
  }

  array = read_array (
      json_object_get_member (object, "data_offsets"), error, "data_offsets");
  if (array == NULL)
    return FALSE;
  if (json_array_get_length (array) != 2)
    return corrupt (error, "data_offsets: are not two");
  if (!read_uint (json_array_get_element (array, 0), &tensor->begin, error,
          "data_offsets") ||
      !read_uint (json_array_get_element (array, 1), &tensor->end, error,
          "data_offsets"))
    return FALSE;
  if (tensor->begin > tensor->end || tensor->end > data_size)
    return corrupt (error,
        "data_offsets: %" G_GUINT64_FORMAT " to %" G_GUINT64_FORMAT
        " lie outside the file's %" G_GUINT64_FORMAT " bytes of tensors",
        tensor->begin, tensor->end, data_size);
  if (tensor->end - tensor->begin != n_bytes)
    return corrupt (error,
        "data_offsets: span %" G_GUINT64_FORMAT " bytes, its shape needs "
        "%" G_GUINT64_FORMAT,
        tensor->end - tensor->begin, n_bytes);
  return TRUE;
}

static gint
compare_tensors (gconstpointer a, gconstpointer b)
{
  const Tensor *in_a = *(const Tensor *const *) a;
  const Tensor *in_b = *(const Tensor *const *) b;

  if (in_a->begin != in_b->begin)
    return in_a->begin < in_b->begin ? -1 : 1;
  return in_a->end < in_b->end ? -1 : in_a->end > in_b->end;
}

/* All tensors of the header, by name. */
static GHashTable *
read_tensors (JsonObject *header, guint64 data_size, GError **error)
{
  g_autoptr (GHashTable) tensors =
      g_hash_table_new_full (g_str_hash, g_str_equal, NULL, free_tensor);
  g_autoptr (GPtrArray) order = g_ptr_array_new ();
  JsonObjectIter iter;
  const gchar *name;
  JsonNode *node;
  guint64 end = 0;

  json_object_iter_init (&iter, header);
  while (json_object_iter_next (&iter, &name, &node)) {
    Tensor *tensor;

    if (strcmp (name, METADATA) == 0)
      continue;
    tensor = g_new0 (Tensor, 1);
    tensor->name = g_strdup (name);
    g_hash_table_insert (tensors, tensor->name, tensor);
    g_ptr_array_add (order, tensor);
    if (!read_tensor (tensor, node, data_size, error)) {
      g_autofree gchar *quoted = quote (name);

      g_prefix_error (error, "tensor '%s': ", quoted);
      return NULL;
    }
  }

  /* End to end, so that no byte is read twice and none hides anything. */
  g_ptr_array_sort (order, compare_tensors);
  for (guint i = 0; i < order->len; i++) {
    Tensor *tensor = g_ptr_array_index (order, i);

    if (tensor->begin != end) {
      g_autofree gchar *quoted = quote (tensor->name);

      corrupt (error,
          "tensor '%s': data_offsets: begins at %" G_GUINT64_FORMAT ", %s "
          "the one before it at %" G_GUINT64_FORMAT,
          quoted, tensor->begin,
          tensor->begin < end ? "overlaps what ends" : "leaves a gap after",
          end);
      return NULL;
    }
    end = tensor->end;
  }
  if (end != data_size) {
    corrupt (error,
        "data_offsets: the tensors end at %" G_GUINT64_FORMAT ", the file at "
        "%" G_GUINT64_FORMAT,
        end, data_size);
    return NULL;
  }
  return g_steal_pointer (&tensors);
}

/* The numbers of layer's tensor, which the caller frees with
 * srgan_aligned_free(); *numbers is NULL where an optional one is absent. */
static gboolean
take_tensor (const SrganLayer *layer, SrganTensor which, GHashTable *tensors,
    const guint8 *data, gfloat **numbers, GError **error)
{
  g_autofree gchar *name =
      g_strconcat (layer->name, ".", srgan_tensor_to_string (which), NULL);
  Tensor *tensor = g_hash_table_lookup (tensors, name);
  SrganTensorShape shape;
  gboolean same;
  guint64 n;

  *numbers = NULL;
  srgan_layer_get_tensor_shape (layer, which, &shape);
  if (shape.n_dimensions == 0)
    return TRUE; /* if there is one, nobody uses it: told at the end */
  if (tensor == NULL) {
    g_autofree gchar *code = g_strconcat (layer->name, ".",
        srgan_tensor_to_string (SRGAN_TENSOR_WEIGHT_CODE), NULL);

    return !shape.required ||
           (which == SRGAN_TENSOR_WEIGHT &&
               g_hash_table_contains (tensors, code)) ||
           corrupt (error, "tensor '%s': is missing", name);
  }
  if ((tensor->get == get_i8) != (which == SRGAN_TENSOR_WEIGHT_CODE))
    return corrupt (error,
        "tensor '%s': dtype: I8 is for weight_code alone, "
        "and weight_code is I8",
        name);

  same = tensor->n_dimensions == shape.n_dimensions;
  for (guint i = 0; i < shape.n_dimensions && same; i++)
    same = tensor->dimensions[i] == shape.dimensions[i];
  if (!same) {
    g_autoptr (GString) wanted = g_string_new (NULL);
    g_autoptr (GString) found = g_string_new (NULL);

    for (guint i = 0; i < shape.n_dimensions; i++)
      g_string_append_printf (
          wanted, "%s%u", i > 0 ? "x" : "", shape.dimensions[i]);
    for (guint i = 0; i < tensor->n_dimensions; i++)
      g_string_append_printf (found, "%s%" G_GUINT64_FORMAT, i > 0 ? "x" : "",
          tensor->dimensions[i]);
    return corrupt (error, "tensor '%s': shape: is [%s], its layer needs [%s]",
        name, found->str, wanted->str);
  }

  tensor->used = TRUE;
  n = srgan_tensor_shape_get_n (&shape);
  *numbers = srgan_aligned_alloc (n, sizeof **numbers);
  if (*numbers == NULL)
    return refuse (error, SRGAN_ERROR_TOO_LARGE,
        "tensor '%s': no memory for %" G_GUINT64_FORMAT " numbers", name, n);
  for (guint64 i = 0; i < n; i++)
    (*numbers)[i] = tensor->get (data + tensor->begin + i * tensor->item_size);
  return TRUE;
}

/* --- Description -------------------------------------------------------- */

/* The enumerator that @to_string names so; -1: none. */
static gint
find_nick (
    const gchar *nick, guint n_values, const gchar *(*to_string) (guint value))
{
  for (guint i = 0; i < n_values; i++)
    if (strcmp (nick, to_string (i)) == 0)
      return (gint) i;
  return -1;
}

static const gchar *
operation_to_string (guint value)
{
  return srgan_operation_to_string (value);
}

static const gchar *
colour_to_string (guint value)
{
  return srgan_colour_to_string (value);
}

static gboolean
read_attribute (
    SrganLayer *layer, SrganAttribute attribute, JsonNode *node, GError **error)
{
  const SrganAttributeInfo *info = srgan_attribute_get_info (attribute);
  const gchar *nick;
  guint64 value;
  gint found;

  if (node == NULL) {
    if (info->given)
      return corrupt (error, "%s: is missing", info->name);
    srgan_layer_set_attribute (layer, attribute, info->standard);
    return TRUE;
  }
  switch (info->kind) {
  case SRGAN_ATTRIBUTE_UINT:
    if (!read_uint (node, &value, error, info->name))
      return FALSE;
    /* before it is cut to 32 bits; 0 is no other word for 1 here */
    if (value < info->minimum || value > info->maximum)
      return corrupt (error, "%s: %" G_GUINT64_FORMAT " is not within %g to %g",
          info->name, value, info->minimum, info->maximum);
    srgan_layer_set_attribute (layer, attribute, (gdouble) value);
    return TRUE;
  case SRGAN_ATTRIBUTE_FLOAT:
    if (!JSON_NODE_HOLDS_VALUE (node) ||
        (json_node_get_value_type (node) != G_TYPE_DOUBLE &&
            json_node_get_value_type (node) != G_TYPE_INT64))
      return corrupt (error, "%s: is not a number", info->name);
    srgan_layer_set_attribute (layer, attribute, json_node_get_double (node));
    return TRUE;
  case SRGAN_ATTRIBUTE_ENUM:
    nick = read_string (node, error, info->name);
    if (nick == NULL)
      return FALSE;
    found = find_nick (nick, info->n_values, info->to_string);
    if (found < 0) {
      g_autofree gchar *quoted = quote (nick);

      return refuse (error, SRGAN_ERROR_UNSUPPORTED, "%s: '%s' is not known",
          info->name, quoted);
    }
    srgan_layer_set_attribute (layer, attribute, found);
    return TRUE;
  default:
    g_assert_not_reached ();
  }
}

static gboolean
read_inputs (
    SrganNetwork *network, SrganLayer *layer, JsonNode *node, GError **error)
{
  JsonArray *array = read_array (node, error, "inputs");

  if (array == NULL)
    return FALSE;
  layer->n_inputs = json_array_get_length (array);
  if (layer->n_inputs > SRGAN_LAYER_MAX_INPUTS)
    return corrupt (error, "inputs: are %u, more than %u", layer->n_inputs,
        SRGAN_LAYER_MAX_INPUTS);
  for (guint i = 0; i < layer->n_inputs; i++) {
    const gchar *name =
        read_string (json_array_get_element (array, i), error, "inputs");

    if (name == NULL)
      return FALSE;
    if (strcmp (name, "input") == 0) {
      layer->inputs[i] = SRGAN_INPUT_NETWORK;
      continue;
    }
    layer->inputs[i] = srgan_network_find_layer (network, name);
    if (layer->inputs[i] < 0) {
      g_autofree gchar *quoted = quote (name);

      return corrupt (error,
          "inputs: '%s' is neither 'input' nor a layer before this one",
          quoted);
    }
  }
  return TRUE;
}

/* All but the weights. @name is for messages and is set as soon as known. */
static gboolean
describe_layer (SrganNetwork *network, SrganLayer *layer, JsonNode *node,
    const gchar **name, GError **error)
{
  JsonObject *object = read_object (node, error, "its entry");
  const gchar *known[3 + SRGAN_N_ATTRIBUTES + 1] = {
      "name", "operation", "inputs"};
  const gchar *nick;
  guint n_known = 3;
  gint operation;

  if (object == NULL)
    return FALSE;
  *name = read_string (json_object_get_member (object, "name"), error, "name");
  if (*name == NULL)
    return FALSE;
  layer->name = (gchar *) *name;

  nick = read_string (
      json_object_get_member (object, "operation"), error, "operation");
  if (nick == NULL)
    return FALSE;
  operation = find_nick (nick, SRGAN_N_OPERATIONS, operation_to_string);
  if (operation < 0) {
    g_autofree gchar *quoted = quote (nick);

    return refuse (
        error, SRGAN_ERROR_UNSUPPORTED, "operation: '%s' is not known", quoted);
  }
  layer->operation = (SrganOperation) operation;
  if (!read_inputs (
          network, layer, json_object_get_member (object, "inputs"), error))
    return FALSE;

  /* The activation comes before its bounds in the table, so that whether they
   * apply is known in time. */
  for (guint i = 0; i < SRGAN_N_ATTRIBUTES; i++) {
    const gchar *key = srgan_attribute_get_info (i)->name;

    if (!srgan_layer_has_attribute (layer, i))
      continue;
    known[n_known++] = key;
    if (!read_attribute (layer, i, json_object_get_member (object, key), error))
      return FALSE;
  }
  return check_members (object, known, error) &&
         srgan_network_infer_layer (network, layer, error);
}

/* Weights that the file holds as codes alone. */
static gboolean
make_weights (SrganNetwork *network, const SrganLayer *layer, gfloat **weight,
    GError **error)
{
  const SrganLayer *input =
      layer->inputs[0] == SRGAN_INPUT_NETWORK
          ? NULL
          : srgan_network_get_layer (network, (guint) layer->inputs[0]);
  SrganTensorShape shape;

  if (layer->weight_step == NULL)
    return corrupt (error, "layer '%s': weight_step: is missing", layer->name);
  if (input == NULL || input->output_step == NULL)
    return corrupt (error,
        "layer '%s': weight_code: the map that it reads has no output_step",
        layer->name);
  srgan_layer_get_tensor_shape (layer, SRGAN_TENSOR_WEIGHT, &shape);
  *weight =
      srgan_aligned_alloc (srgan_tensor_shape_get_n (&shape), sizeof **weight);
  if (*weight == NULL)
    return refuse (error, SRGAN_ERROR_TOO_LARGE,
        "layer '%s': no memory for its weights", layer->name);
  srgan_layer_compute_weight (layer, input->output_step, *weight);
  return TRUE;
}

static gboolean
read_layer (SrganNetwork *network, JsonNode *node, guint number,
    GHashTable *tensors, const guint8 *data, GError **error)
{
  SrganLayer layer = {0};
  const gchar *name = NULL;
  gfloat *numbers[SRGAN_N_TENSORS] = {NULL};
  gboolean done = TRUE;

  if (!describe_layer (network, &layer, node, &name, error)) {
    g_autofree gchar *quoted = name != NULL ? quote (name) : NULL;

    /* some of these errors name the layer already */
    if (error != NULL && !g_str_has_prefix ((*error)->message, "layer '")) {
      if (quoted != NULL)
        g_prefix_error (error, "layer '%s': ", quoted);
      else
        g_prefix_error (error, "layer number %u: ", number + 1);
    }
    return FALSE;
  }
  for (guint i = 0; i < SRGAN_N_TENSORS && done; i++) {
    done = take_tensor (&layer, i, tensors, data, &numbers[i], error);
    *srgan_layer_get_tensor (&layer, i) = numbers[i];
  }
  if (done && layer.weight == NULL && layer.weight_code != NULL) {
    done = make_weights (network, &layer, &numbers[SRGAN_TENSOR_WEIGHT], error);
    layer.weight = numbers[SRGAN_TENSOR_WEIGHT];
  }
  done = done && srgan_network_add_layer (network, &layer, error) >= 0;
  for (guint i = 0; i < SRGAN_N_TENSORS; i++)
    srgan_aligned_free (numbers[i]);
  return done;
}

/* What the file says of itself must be so. */
static gboolean
check_precision (SrganNetwork *network, JsonNode *node, GError **error)
{
  const gchar *actual =
      srgan_precision_to_string (srgan_network_get_precision (network));
  const gchar *nick = srgan_precision_to_string (SRGAN_PRECISION_FP32);

  if (node != NULL)
    nick = read_string (node, error, "precision");
  if (nick == NULL)
    return FALSE;
  if (strcmp (nick, actual) != 0) {
    g_autofree gchar *quoted = quote (nick);

    return corrupt (error,
        "precision: '%s' is what the file says, '%s' what its layers are made "
        "for",
        quoted, actual);
  }
  return TRUE;
}

static gboolean
read_notes (SrganNetwork *network, JsonNode *node, GError **error)
{
  JsonObject *notes;
  JsonObjectIter iter;
  const gchar *key;

  if (node == NULL)
    return TRUE;
  notes = read_object (node, error, "notes");
  if (notes == NULL)
    return FALSE;
  json_object_iter_init (&iter, notes);
  while (json_object_iter_next (&iter, &key, &node)) {
    g_autofree gchar *quoted = quote (key);
    const gchar *value = read_string (node, error, quoted);

    if (value == NULL) {
      g_prefix_error (error, "notes: ");
      return FALSE;
    }
    if (!srgan_network_note_is_valid (key, value))
      return corrupt (error,
          "notes: '%s': a key is of a-z 0-9 -, a value of at most %u bytes",
          quoted, SRGAN_MAX_NOTE_LENGTH);
    srgan_network_set_note (network, key, value);
  }
  return TRUE;
}

static SrganNetwork *
read_description (JsonObject *description, GHashTable *tensors,
    const guint8 *data, GError **error)
{
  static const gchar *const known[] = {"version", "name", "scale", "colour",
      "precision", "notes", "layers", NULL};
  g_autoptr (SrganNetwork) network = NULL;
  const gchar *name, *nick;
  guint64 version, scale;
  JsonArray *layers;
  gint colour;

  if (!read_uint (json_object_get_member (description, "version"), &version,
          error, "version"))
    return NULL;
  if (version != VERSION) {
    refuse (error, SRGAN_ERROR_UNSUPPORTED,
        "version: %" G_GUINT64_FORMAT " is not %u, the one that this "
        "srgan-core reads",
        version, VERSION);
    return NULL;
  }
  if (!check_members (description, known, error))
    return NULL;
  name =
      read_string (json_object_get_member (description, "name"), error, "name");
  if (name == NULL)
    return NULL;
  if (!read_uint (json_object_get_member (description, "scale"), &scale, error,
          "scale"))
    return NULL;
  nick = read_string (
      json_object_get_member (description, "colour"), error, "colour");
  if (nick == NULL)
    return NULL;
  colour = find_nick (nick, SRGAN_N_COLOURS, colour_to_string);
  if (colour < 0) {
    g_autofree gchar *quoted = quote (nick);

    corrupt (error, "colour: '%s' is not y, rgb or ycbcr", quoted);
    return NULL;
  }
  layers = read_array (
      json_object_get_member (description, "layers"), error, "layers");
  if (layers == NULL)
    return NULL;

  network = srgan_network_new (
      name, (SrganColour) colour, (guint) MIN (scale, G_MAXUINT));
  if (!read_notes (
          network, json_object_get_member (description, "notes"), error))
    return NULL;
  for (guint i = 0; i < json_array_get_length (layers); i++)
    if (!read_layer (network, json_array_get_element (layers, i), i, tensors,
            data, error))
      return NULL;
  if (!srgan_network_finish (network, error) ||
      !check_precision (
          network, json_object_get_member (description, "precision"), error))
    return NULL;
  return g_steal_pointer (&network);
}

static SrganNetwork *
read_file (const guint8 *file, gsize size, const gchar *name_for_errors,
    GError **error)
{
  g_autoptr (JsonParser) header_parser = json_parser_new ();
  g_autoptr (JsonParser) description_parser = json_parser_new ();
  g_autoptr (GHashTable) tensors = NULL;
  g_autoptr (SrganNetwork) network = NULL;
  JsonObject *header, *metadata, *description;
  const gchar *text;
  const guint8 *data;
  guint64 header_size;
  GHashTableIter iter;
  gpointer value;

  if (size < sizeof header_size) {
    corrupt (error, "header length: the file ends within it");
    return NULL;
  }
  memcpy (&header_size, file, sizeof header_size);
  header_size = GUINT64_FROM_LE (header_size);
  if (header_size > size - sizeof header_size) {
    corrupt (error,
        "header length: %" G_GUINT64_FORMAT " bytes are more than the file has"
        " (is it a .safetensors file, and whole?)",
        header_size);
    return NULL;
  }
  data = file + sizeof header_size + header_size;

  header = srgan_json_parse (header_parser,
      (const gchar *) file + sizeof header_size, header_size, "header",
      &json_limits, error);
  if (header == NULL)
    return NULL;

  if (!json_object_has_member (header, METADATA) ||
      !JSON_NODE_HOLDS_OBJECT (json_object_get_member (header, METADATA)) ||
      !json_object_has_member (
          json_object_get_object_member (header, METADATA), DESCRIPTION)) {
    refuse (error, SRGAN_ERROR_UNSUPPORTED,
        METADATA "." DESCRIPTION ": is missing: a safetensors file of another "
                 "program; make one of ours of it: srgan-convert \"%s\" "
                 "model.safetensors",
        name_for_errors);
    return NULL;
  }
  metadata = json_object_get_object_member (header, METADATA);
  text = read_string (json_object_get_member (metadata, DESCRIPTION), error,
      METADATA "." DESCRIPTION);
  if (text == NULL)
    return NULL;
  description = srgan_json_parse (description_parser, text, strlen (text),
      DESCRIPTION, &json_limits, error);
  if (description == NULL)
    return NULL;

  tensors =
      read_tensors (header, size - sizeof header_size - header_size, error);
  if (tensors == NULL)
    return NULL;
  network = read_description (description, tensors, data, error);
  if (network == NULL)
    return NULL;

  g_hash_table_iter_init (&iter, tensors);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    if (!((Tensor *) value)->used) {
      g_autofree gchar *quoted = quote (((Tensor *) value)->name);

      corrupt (error, "tensor '%s': no layer has it", quoted);
      return NULL;
    }
  return g_steal_pointer (&network);
}

/* --- Reading ------------------------------------------------------------ */

SrganNetwork *
srgan_network_load_bytes (
    GBytes *bytes, const gchar *name_for_errors, GError **error)
{
  gsize size;
  const guint8 *file = g_bytes_get_data (bytes, &size);
  g_autoptr (GError) reason = NULL;
  SrganNetwork *network = read_file (file, size, name_for_errors, &reason);

  if (network == NULL) {
    /* what is wrong to say to the library is, in a file, a broken file */
    if (g_error_matches (reason, SRGAN_ERROR, SRGAN_ERROR_INVALID))
      reason->code = SRGAN_ERROR_CORRUPT;
    g_propagate_prefixed_error (
        error, g_steal_pointer (&reason), "%s: ", name_for_errors);
  }
  return network;
}

SrganNetwork *
srgan_network_load (const gchar *path, GError **error)
{
  g_autofree gchar *shown = g_filename_display_name (path);
  g_autoptr (GBytes) bytes = NULL;
  SrganNetwork *network = NULL;
  struct stat status;
  gchar *contents = NULL;
  gsize n_read = 0;
  gint saved;
  /* not blocking: a pipe must not hang us before it is seen to be one */
  gint file = open (path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

  if (file < 0 || fstat (file, &status) != 0) {
    saved = errno;
    refuse (error,
        saved == ENOENT || saved == ENOTDIR ? SRGAN_ERROR_NOT_FOUND
                                            : SRGAN_ERROR_READ,
        "%s: %s", shown, g_strerror (saved));
    goto done;
  }
  if (!S_ISREG (status.st_mode)) {
    refuse (error, SRGAN_ERROR_READ, "%s: is not a file", shown);
    goto done;
  }
  if ((guint64) status.st_size > MAX_FILE_BYTES) {
    refuse (error, SRGAN_ERROR_TOO_LARGE,
        "%s: %" G_GUINT64_FORMAT " bytes are more than a model may have", shown,
        (guint64) status.st_size);
    goto done;
  }
  /* Read rather than mapped: all of it is copied anyway, and a mapped file that
   * someone overwrites meanwhile would kill the process. */
  contents = g_try_malloc (MAX ((gsize) status.st_size, 1));
  if (contents == NULL) {
    refuse (error, SRGAN_ERROR_TOO_LARGE, "%s: no memory to read it", shown);
    goto done;
  }
  while (n_read < (gsize) status.st_size) {
    gssize n = read (file, contents + n_read, status.st_size - n_read);

    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0) {
      saved = errno;
      refuse (error, SRGAN_ERROR_READ, "%s: %s", shown, g_strerror (saved));
      goto done;
    }
    if (n == 0)
      break; /* has become shorter */
    n_read += (gsize) n;
  }
  bytes = g_bytes_new_take (g_steal_pointer (&contents), n_read);
  network = srgan_network_load_bytes (bytes, shown, error);

done:
  g_free (contents);
  if (file >= 0)
    close (file);
  return network;
}

/* --- Writing ------------------------------------------------------------ */

static void
add_string (JsonBuilder *builder, const gchar *name, const gchar *value)
{
  json_builder_set_member_name (builder, name);
  json_builder_add_string_value (builder, value);
}

static void
add_uint (JsonBuilder *builder, const gchar *name, guint64 value)
{
  json_builder_set_member_name (builder, name);
  json_builder_add_int_value (builder, (gint64) value);
}

static void
write_layer (JsonBuilder *builder, SrganNetwork *network, guint index)
{
  const SrganLayer *layer = srgan_network_get_layer (network, index);

  json_builder_begin_object (builder);
  add_string (builder, "name", layer->name);
  add_string (
      builder, "operation", srgan_operation_to_string (layer->operation));
  json_builder_set_member_name (builder, "inputs");
  json_builder_begin_array (builder);
  for (guint i = 0; i < layer->n_inputs; i++)
    json_builder_add_string_value (builder,
        layer->inputs[i] == SRGAN_INPUT_NETWORK
            ? "input"
            : srgan_network_get_layer (network, (guint) layer->inputs[i])
                  ->name);
  json_builder_end_array (builder);

  for (guint i = 0; i < SRGAN_N_ATTRIBUTES; i++) {
    const SrganAttributeInfo *info = srgan_attribute_get_info (i);
    gdouble value = srgan_layer_get_attribute (layer, i);

    if (!srgan_layer_has_attribute (layer, i) ||
        (!info->given && value == info->standard))
      continue;
    if (info->kind == SRGAN_ATTRIBUTE_UINT) {
      add_uint (builder, info->name, (guint64) value);
    } else if (info->kind == SRGAN_ATTRIBUTE_ENUM) {
      add_string (builder, info->name, info->to_string ((guint) value));
    } else {
      json_builder_set_member_name (builder, info->name);
      json_builder_add_double_value (builder, value);
    }
  }
  json_builder_end_object (builder);
}

/* What @builder has built, as text. */
static gchar *
generate (JsonBuilder *builder, gboolean pretty)
{
  g_autoptr (JsonGenerator) generator = json_generator_new ();
  JsonNode *root = json_builder_get_root (builder);
  gchar *text;

  json_generator_set_pretty (generator, pretty);
  json_generator_set_indent (generator, 1);
  json_generator_set_root (generator, root);
  text = json_generator_to_data (generator, NULL);
  json_node_unref (root);
  return text;
}

static gchar *
write_description (SrganNetwork *network)
{
  g_autoptr (JsonBuilder) builder = json_builder_new ();
  g_auto (GStrv) notes = srgan_network_list_notes (network);

  json_builder_begin_object (builder);
  add_uint (builder, "version", VERSION);
  add_string (builder, "name", srgan_network_get_name (network));
  add_uint (builder, "scale", srgan_network_get_scale (network));
  add_string (builder, "colour",
      srgan_colour_to_string (srgan_network_get_colour (network)));
  if (srgan_network_get_precision (network) != SRGAN_PRECISION_FP32)
    add_string (builder, "precision",
        srgan_precision_to_string (srgan_network_get_precision (network)));
  json_builder_set_member_name (builder, "notes");
  json_builder_begin_object (builder);
  for (guint i = 0; notes[i] != NULL; i++)
    add_string (builder, notes[i], srgan_network_get_note (network, notes[i]));
  json_builder_end_object (builder);
  json_builder_set_member_name (builder, "layers");
  json_builder_begin_array (builder);
  for (guint i = 0; i < srgan_network_get_n_layers (network); i++)
    write_layer (builder, network, i);
  json_builder_end_array (builder);
  json_builder_end_object (builder);
  return generate (builder, TRUE);
}

/* A tensor that a file is to hold. */
typedef struct {
  const SrganLayer *layer;
  SrganTensor tensor;
  const gfloat *numbers;
  guint64 n;
  guint item_size;
} Item;

/* Whether codes and steps say what the weights say. */
static gboolean
is_coded (SrganNetwork *network, const SrganLayer *layer)
{
  g_autofree gfloat *weight = NULL;
  const SrganLayer *input;
  SrganTensorShape shape;
  guint64 n;

  if (layer->weight_code == NULL)
    return FALSE;
  input = srgan_network_get_layer (network, (guint) layer->inputs[0]);
  srgan_layer_get_tensor_shape (layer, SRGAN_TENSOR_WEIGHT, &shape);
  n = srgan_tensor_shape_get_n (&shape);
  weight = g_new (gfloat, n);
  srgan_layer_compute_weight (layer, input->output_step, weight);
  return memcmp (weight, layer->weight, n * sizeof *weight) == 0;
}

/* In the order of the file: the smallest numbers last, so that all are aligned.
 */
static GArray *
list_items (SrganNetwork *network, gboolean half)
{
  static const guint item_sizes[] = {sizeof (gfloat), sizeof (guint16), 1};
  GArray *items = g_array_new (FALSE, FALSE, sizeof (Item));

  for (guint pass = 0; pass < G_N_ELEMENTS (item_sizes); pass++)
    for (guint i = 0; i < srgan_network_get_n_layers (network); i++) {
      const SrganLayer *layer = srgan_network_get_layer (network, i);

      for (guint j = 0; j < SRGAN_N_TENSORS; j++) {
        Item item = {.layer = layer,
            .tensor = j,
            .numbers = *srgan_layer_get_tensor ((SrganLayer *) layer, j),
            .item_size = j == SRGAN_TENSOR_WEIGHT_CODE      ? 1
                         : half && j == SRGAN_TENSOR_WEIGHT ? sizeof (guint16)
                                                            : sizeof (gfloat)};
        SrganTensorShape shape;

        if (item.numbers == NULL || item.item_size != item_sizes[pass] ||
            (j == SRGAN_TENSOR_WEIGHT && is_coded (network, layer)))
          continue;
        srgan_layer_get_tensor_shape (layer, j, &shape);
        item.n = srgan_tensor_shape_get_n (&shape);
        g_array_append_val (items, item);
      }
    }
  return items;
}

/* The header as it is written, the length in front included; adds up in
 * @data_size what follows it. */
static GByteArray *
write_header (SrganNetwork *network, GArray *items, guint64 *data_size)
{
  g_autoptr (JsonBuilder) builder = json_builder_new ();
  g_autofree gchar *description = write_description (network);
  g_autofree gchar *text = NULL;
  GByteArray *header = g_byte_array_new ();
  guint64 length;

  *data_size = 0;
  json_builder_begin_object (builder);
  json_builder_set_member_name (builder, METADATA);
  json_builder_begin_object (builder);
  add_string (builder, DESCRIPTION, description);
  json_builder_end_object (builder);
  for (guint i = 0; i < items->len; i++) {
    const Item *item = &g_array_index (items, Item, i);
    g_autofree gchar *name = g_strconcat (
        item->layer->name, ".", srgan_tensor_to_string (item->tensor), NULL);
    SrganTensorShape shape;

    srgan_layer_get_tensor_shape (item->layer, item->tensor, &shape);
    json_builder_set_member_name (builder, name);
    json_builder_begin_object (builder);
    add_string (builder, "dtype",
        item->item_size == 1                  ? "I8"
        : item->item_size == sizeof (guint16) ? "F16"
                                              : "F32");
    json_builder_set_member_name (builder, "shape");
    json_builder_begin_array (builder);
    for (guint k = 0; k < shape.n_dimensions; k++)
      json_builder_add_int_value (builder, shape.dimensions[k]);
    json_builder_end_array (builder);
    json_builder_set_member_name (builder, "data_offsets");
    json_builder_begin_array (builder);
    json_builder_add_int_value (builder, (gint64) *data_size);
    *data_size += item->n * item->item_size;
    json_builder_add_int_value (builder, (gint64) *data_size);
    json_builder_end_array (builder);
    json_builder_end_object (builder);
  }
  json_builder_end_object (builder);
  text = generate (builder, FALSE);

  length = strlen (text);
  length += (DATA_ALIGNMENT - (sizeof length + length) % DATA_ALIGNMENT) %
            DATA_ALIGNMENT;
  g_byte_array_set_size (header, sizeof length + length);
  memset (header->data, ' ', header->len);
  memcpy (header->data + sizeof length, text, strlen (text));
  length = GUINT64_TO_LE (length);
  memcpy (header->data, &length, sizeof length);
  return header;
}

gboolean
srgan_network_check_half (SrganNetwork *network, GError **error)
{
  for (guint i = 0; i < srgan_network_get_n_layers (network); i++) {
    const SrganLayer *layer = srgan_network_get_layer (network, i);
    SrganTensorShape shape;
    guint64 n;

    if (layer->weight == NULL)
      continue;
    srgan_layer_get_tensor_shape (layer, SRGAN_TENSOR_WEIGHT, &shape);
    n = srgan_tensor_shape_get_n (&shape);
    for (guint64 k = 0; k < n; k++)
      if (fabsf (layer->weight[k]) >= 65520.f)
        return refuse (error, SRGAN_ERROR_UNSUPPORTED,
            "layer '%s' has a weight of %g: half precision ends at 65504",
            layer->name, layer->weight[k]);
  }
  return TRUE;
}

static gboolean
save (SrganNetwork *network, gboolean half, const gchar *path, GError **error)
{
  g_autofree gchar *shown = g_filename_display_name (path);
  g_autoptr (GArray) items = NULL;
  g_autoptr (GByteArray) file = NULL;
  g_autoptr (GError) reason = NULL;
  guint64 data_size, position;
  struct stat status;
  gchar *target = NULL;

  g_return_val_if_fail (srgan_network_is_finished (network), FALSE);

  if (half && !srgan_network_check_half (network, error)) {
    g_prefix_error (error, "%s: ", shown);
    return FALSE;
  }

  /* What is renamed over would be lost: a device, or the link instead of the
   * file that it leads to. */
  if (stat (path, &status) == 0) {
    if (!S_ISREG (status.st_mode))
      return refuse (
          error, SRGAN_ERROR_WRITE, "%s: exists and is not a file", shown);
    target = realpath (path, NULL);
  }

  items = list_items (network, half);
  file = write_header (network, items, &data_size);
  position = file->len;
  if (file->len - sizeof (guint64) > MAX_HEADER_BYTES ||
      position + data_size > MIN (MAX_FILE_BYTES, G_MAXINT)) {
    free (target);
    return refuse (error, SRGAN_ERROR_TOO_LARGE,
        "%s: the network is larger than a model file may be", shown);
  }
  g_byte_array_set_size (file, (guint) (position + data_size));
  for (guint i = 0; i < items->len; i++) {
    const Item *item = &g_array_index (items, Item, i);

    for (guint64 k = 0; k < item->n; k++) {
      guint32 bits;

      if (item->item_size == 1) {
        file->data[position++] = (guint8) (gint8) item->numbers[k];
        continue;
      }
      if (item->item_size == sizeof (guint16)) {
        guint16 rounded = srgan_half_from_float (item->numbers[k]);

        file->data[position++] = (guint8) rounded;
        file->data[position++] = (guint8) (rounded >> 8);
        continue;
      }
      memcpy (&bits, &item->numbers[k], sizeof bits);
      bits = GUINT32_TO_LE (bits);
      memcpy (file->data + position, &bits, sizeof bits);
      position += sizeof bits;
    }
  }

  /* Under a temporary name beside it, then renamed. */
  g_file_set_contents_full (target != NULL ? target : path,
      (const gchar *) file->data, (gssize) file->len,
      G_FILE_SET_CONTENTS_CONSISTENT | G_FILE_SET_CONTENTS_DURABLE, 0666,
      &reason);
  free (target);
  if (reason != NULL)
    return refuse (error, SRGAN_ERROR_WRITE, "%s", reason->message);
  return TRUE;
}

gboolean
srgan_network_save (SrganNetwork *network, const gchar *path, GError **error)
{
  return save (network, FALSE, path, error);
}

gboolean
srgan_network_save_half (
    SrganNetwork *network, const gchar *path, GError **error)
{
  return save (network, TRUE, path, error);
}
