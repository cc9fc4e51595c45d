/* convert: ONNX models, opset 7 to 23 (https://onnx.ai/onnx/operators/).
 *
 * SPDX-License-Identifier: MIT
 */
#include "convert/graph.h"
#include "convert/protobuf.h"

#include "onnx.pb-c.h"

#include <string.h>

typedef Srgan__Onnx__Model Model;
typedef Srgan__Onnx__Node Node;
typedef Srgan__Onnx__Attribute Attribute;
typedef Srgan__Onnx__Tensor Tensor;
typedef Srgan__Onnx__Function Function;

/* Nodes' functions inside of functions */
#define MAX_DEPTH 16

typedef struct {
  SrganSource *source;
  Model *model;
  SrganProtobuf protobuf;
  SrganGraph *graph;
  gint64 opset;
  guint n_nodes;
} Reader;

/* --- Tensors ------------------------------------------------------------- */

/* TensorProto.DataType */
enum {
  TYPE_FLOAT = 1,
  TYPE_STRING = 8,
  TYPE_FLOAT16 = 10,
  TYPE_DOUBLE = 11,
  TYPE_BFLOAT16 = 16,
};

static const struct {
  gboolean known;
  SrganDtype dtype;
} types[] = {
    [TYPE_FLOAT] = {TRUE, SRGAN_DTYPE_FLOAT32},
    [2] = {TRUE, SRGAN_DTYPE_UINT8},
    [3] = {TRUE, SRGAN_DTYPE_INT8},
    [4] = {TRUE, SRGAN_DTYPE_UINT16},
    [5] = {TRUE, SRGAN_DTYPE_INT16},
    [6] = {TRUE, SRGAN_DTYPE_INT32},
    [7] = {TRUE, SRGAN_DTYPE_INT64},
    [9] = {TRUE, SRGAN_DTYPE_BOOL},
    [TYPE_FLOAT16] = {TRUE, SRGAN_DTYPE_FLOAT16},
    [TYPE_DOUBLE] = {TRUE, SRGAN_DTYPE_FLOAT64},
    [12] = {TRUE, SRGAN_DTYPE_UINT32},
    [13] = {TRUE, SRGAN_DTYPE_UINT64},
    [TYPE_BFLOAT16] = {TRUE, SRGAN_DTYPE_BFLOAT16},
};

static gboolean
is_real (gint type)
{
  return type == TYPE_FLOAT || type == TYPE_FLOAT16 || type == TYPE_DOUBLE ||
         type == TYPE_BFLOAT16;
}

/* A constant of little-endian items. Those that are floats already stay where
 * they are, in @bytes. */
static SrganConstant *
constant_from_bytes (guint rank, const gint64 *dimensions, gsize n, gint type,
    GBytes *bytes, gsize offset)
{
  const guint8 *items =
      (const guint8 *) g_bytes_get_data (bytes, NULL) + offset;
  SrganDtype dtype = types[type].dtype;
  SrganConstant *constant;
  gfloat *numbers;
  gint64 *integers;

  if (dtype == SRGAN_DTYPE_FLOAT32 && G_BYTE_ORDER == G_LITTLE_ENDIAN &&
      (gsize) items % sizeof (gfloat) == 0)
    return srgan_constant_new_shared (
        rank, dimensions, n, (const gfloat *) (gconstpointer) items, bytes);
  if (is_real (type)) {
    constant = srgan_constant_new_numbers (rank, dimensions, n, &numbers);
    srgan_dtype_to_floats (dtype, items, n, numbers);
    return constant;
  }
  constant = srgan_constant_new_integers (rank, dimensions, n, &integers);
  for (gsize i = 0; i < n; i++)
    integers[i] = srgan_dtype_get_integer (
        dtype, items + i * srgan_dtype_get_size (dtype));
  return constant;
}

/* The part of a file beside the model that a tensor names. */
static GBytes *
open_external (
    Reader *reader, const Tensor *tensor, gsize n_bytes, GError **error)
{
  const gchar *location = NULL;
  guint64 offset = 0, length = n_bytes;
  g_autoptr (SrganSource) source = NULL;

  for (gsize i = 0; i < tensor->n_external_data; i++) {
    const gchar *key = tensor->external_data[i]->key;
    const gchar *value = tensor->external_data[i]->value;

    if (key == NULL || value == NULL)
      continue;
    if (strcmp (key, "location") == 0)
      location = value;
    else if ((strcmp (key, "offset") == 0 &&
                 !g_ascii_string_to_unsigned (
                     value, 10, 0, G_MAXINT64, &offset, error)) ||
             (strcmp (key, "length") == 0 &&
                 !g_ascii_string_to_unsigned (
                     value, 10, 0, G_MAXINT64, &length, error)))
      return NULL;
  }
  if (location == NULL) {
    srgan_convert_corrupt (error, "it names no file for its data");
    return NULL;
  }
  source = srgan_source_open_beside (reader->source, location, error);
  if (source == NULL)
    return NULL;
  if (source->is_folder || offset > source->size || length < n_bytes ||
      n_bytes > source->size - offset) {
    srgan_convert_corrupt (error,
        "its data lies beyond the end of '%s' (is that whole?)", source->name);
    return NULL;
  }
  return g_bytes_new_from_bytes (source->bytes, (gsize) offset, n_bytes);
}

typedef struct {
  SrganProtobuf *protobuf;
  guint8 *data;
} Raw;

static void
free_raw (gpointer data)
{
  Raw *raw = data;

  raw->protobuf->allocator.free (raw->protobuf, raw->data);
  g_free (raw);
}

static SrganConstant *
read_tensor_data (Reader *reader, Tensor *tensor, GError **error)
{
  gint64 dimensions[SRGAN_GRAPH_MAX_RANK];
  guint rank = (guint) tensor->n_dims;
  gint type = tensor->data_type;
  SrganConstant *constant;
  g_autoptr (GBytes) bytes = NULL;
  gfloat *numbers;
  gint64 *integers;
  gsize n, size, n_given;

  if (tensor->n_dims > SRGAN_GRAPH_MAX_RANK) {
    srgan_convert_corrupt (error, "%" G_GSIZE_FORMAT " axes; %u may be",
        tensor->n_dims, SRGAN_GRAPH_MAX_RANK);
    return NULL;
  }
  for (guint i = 0; i < rank; i++)
    dimensions[i] = tensor->dims[i];
  if (type < 0 || type >= (gint) G_N_ELEMENTS (types) || !types[type].known) {
    srgan_convert_unsupported (error, "data type %d is not supported", type);
    return NULL;
  }
  if (!srgan_constant_count (
          rank, dimensions, SRGAN_NAMED_TENSOR_MAX_NUMBERS, &n, error))
    return NULL;
  size = srgan_dtype_get_size (types[type].dtype);

  if (tensor->data_location == 1 || tensor->n_external_data > 0) {
    bytes = open_external (reader, tensor, n * size, error);
    if (bytes == NULL)
      return NULL;
    return constant_from_bytes (rank, dimensions, n, type, bytes, 0);
  }
  if (tensor->has_raw_data && (tensor->raw_data.len > 0 || n == 0)) {
    if (tensor->raw_data.len != n * size) {
      srgan_convert_corrupt (error,
          "%" G_GSIZE_FORMAT " bytes of data; its shape and type need "
          "%" G_GSIZE_FORMAT,
          tensor->raw_data.len, n * size);
      return NULL;
    }
    if (n * size > 0) {
      /* taken over, not copied: freed when the weights are a layer's */
      Raw *raw = g_new (Raw, 1);

      raw->protobuf = &reader->protobuf;
      raw->data = tensor->raw_data.data;
      bytes = g_bytes_new_with_free_func (
          raw->data, tensor->raw_data.len, free_raw, raw);
      tensor->raw_data.data = NULL;
      tensor->raw_data.len = 0;
      tensor->has_raw_data = FALSE;
    } else {
      bytes = g_bytes_new (NULL, 0);
    }
    return constant_from_bytes (rank, dimensions, n, type, bytes, 0);
  }

  n_given = type == TYPE_FLOAT         ? tensor->n_float_data
            : type == TYPE_DOUBLE      ? tensor->n_double_data
            : type == 7                ? tensor->n_int64_data
            : type == 12 || type == 13 ? tensor->n_uint64_data
                                       : tensor->n_int32_data;
  if (n_given != n) {
    srgan_convert_corrupt (error,
        "%" G_GSIZE_FORMAT " numbers; its shape needs %" G_GSIZE_FORMAT,
        n_given, n);
    return NULL;
  }
  if (is_real (type)) {
    constant = srgan_constant_new_numbers (rank, dimensions, n, &numbers);
    for (gsize i = 0; i < n; i++) {
      guint8 half[2];

      if (type == TYPE_FLOAT) {
        numbers[i] = tensor->float_data[i];
      } else if (type == TYPE_DOUBLE) {
        numbers[i] = (gfloat) tensor->double_data[i];
      } else {
        /* the bits of a half in an int32 */
        half[0] = tensor->int32_data[i] & 255;
        half[1] = tensor->int32_data[i] >> 8 & 255;
        srgan_dtype_to_floats (types[type].dtype, half, 1, &numbers[i]);
      }
    }
    return constant;
  }
  constant = srgan_constant_new_integers (rank, dimensions, n, &integers);
  for (gsize i = 0; i < n; i++)
    integers[i] = type == 7                  ? tensor->int64_data[i]
                  : type == 12 || type == 13 ? (gint64) tensor->uint64_data[i]
                                             : tensor->int32_data[i];
  return constant;
}

static SrganConstant *
read_tensor (Reader *reader, Tensor *tensor, GError **error)
{
  SrganConstant *constant = read_tensor_data (reader, tensor, error);

  if (constant == NULL) {
    g_autofree gchar *name =
        srgan_convert_quote (tensor->name != NULL ? tensor->name : "", -1);

    g_prefix_error (error, "tensor '%s': ", name);
  }
  return constant;
}

/* --- Attributes ---------------------------------------------------------- */

static Attribute *
find (const Node *node, const gchar *name)
{
  for (gsize i = 0; i < node->n_attribute; i++)
    if (g_strcmp0 (node->attribute[i]->name, name) == 0)
      return node->attribute[i];
  return NULL;
}

static gint64
get_int (const Node *node, const gchar *name, gint64 standard)
{
  Attribute *attribute = find (node, name);

  return attribute != NULL ? attribute->i : standard;
}

static gdouble
get_float (const Node *node, const gchar *name, gdouble standard)
{
  Attribute *attribute = find (node, name);

  return attribute != NULL ? attribute->f : standard;
}

static gboolean
is_string (const Node *node, const gchar *name, const gchar *value)
{
  Attribute *attribute = find (node, name);

  return attribute != NULL && attribute->s.len == strlen (value) &&
         memcmp (attribute->s.data, value, attribute->s.len) == 0;
}

static gboolean
has_string (const Node *node, const gchar *name)
{
  Attribute *attribute = find (node, name);

  return attribute != NULL && attribute->s.len > 0;
}

/* The first @n of a list into @integers, which keeps its own where there are
 * none. */
static void
get_ints (const Node *node, const gchar *name, gint64 *integers, guint n)
{
  Attribute *attribute = find (node, name);

  for (guint i = 0; attribute != NULL && i < MIN (n, attribute->n_ints); i++)
    integers[i] = attribute->ints[i];
}

static void
take_list (SrganGraphNode *to, const Node *node, const gchar *name)
{
  Attribute *attribute = find (node, name);

  if (attribute == NULL)
    return;
  to->has_list = TRUE;
  to->n_list = (guint) MIN (attribute->n_ints, SRGAN_GRAPH_MAX_LIST);
  for (guint i = 0; i < to->n_list; i++)
    to->list[i] = attribute->ints[i];
}

/* --- Nodes --------------------------------------------------------------- */

/* How a node is put down; FALSE: not supported, as it is. */
typedef gboolean (*Translate) (
    Reader *reader, const Node *node, SrganGraphNode *to);

/* An attribute that later versions have as input: it becomes one. */
static void
add_ints_as_input (
    Reader *reader, const Node *node, SrganGraphNode *to, const gchar *name)
{
  Attribute *attribute = find (node, name);

  if (attribute == NULL)
    srgan_graph_node_add_input (to, NULL);
  else
    srgan_graph_node_add_constant (reader->graph, to,
        srgan_constant_new_vector (attribute->ints, attribute->n_ints));
}

static gboolean
translate_conv (Reader *reader, const Node *node, SrganGraphNode *to)
{
  to->weight_order = to->kind == SRGAN_NODE_TRANSPOSED_CONV ? SRGAN_WEIGHT_IOHW
                                                            : SRGAN_WEIGHT_OIHW;
  to->groups = get_int (node, "group", 1);
  get_ints (node, "strides", to->strides, 2);
  get_ints (node, "dilations", to->dilations, 2);
  get_ints (node, "pads", to->pads, 4);
  get_ints (node, "kernel_shape", to->kernel, 2);
  get_ints (node, "output_padding", to->output_padding, 2);
  if (is_string (node, "auto_pad", "SAME_UPPER"))
    to->padding = SRGAN_PADS_SAME;
  else if (is_string (node, "auto_pad", "SAME_LOWER"))
    to->padding = SRGAN_PADS_SAME_LOWER;
  else if (is_string (node, "auto_pad", "VALID"))
    to->padding = SRGAN_PADS_VALID;
  to->ceil_mode = get_int (node, "ceil_mode", 0) != 0;
  return find (node, "output_shape") == NULL;
}

static gboolean
translate_axis_0 (Reader *reader, const Node *node, SrganGraphNode *to)
{
  to->axis = get_int (node, "axis", 0);
  return TRUE;
}

static gboolean
translate_gemm (Reader *reader, const Node *node, SrganGraphNode *to)
{
  to->transpose_weight = get_int (node, "transB", 0) != 0;
  return get_int (node, "transA", 0) == 0 &&
         get_float (node, "alpha", 1.) == 1. &&
         get_float (node, "beta", 1.) == 1.;
}

static gboolean
translate_batch_norm (Reader *reader, const Node *node, SrganGraphNode *to)
{
  to->alpha = get_float (node, "epsilon", 1e-5);
  return get_int (node, "training_mode", 0) == 0;
}

static gboolean
translate_leaky_relu (Reader *reader, const Node *node, SrganGraphNode *to)
{
  to->alpha = get_float (node, "alpha", .01);
  return TRUE;
}

static gboolean
translate_hard_sigmoid (Reader *reader, const Node *node, SrganGraphNode *to)
{
  gboolean swish = to->kind == SRGAN_NODE_HARD_SWISH;

  to->alpha = swish ? 1. / 6. : get_float (node, "alpha", .2);
  to->beta = swish ? .5 : get_float (node, "beta", .5);
  return TRUE;
}

static gboolean
translate_clip (Reader *reader, const Node *node, SrganGraphNode *to)
{
  static const gchar *const names[] = {"min", "max"};

  for (guint i = 0; reader->opset < 11 && i < 2; i++)
    if (find (node, names[i]) != NULL)
      srgan_graph_node_add_constant (reader->graph, to,
          srgan_constant_new_scalar (get_float (node, names[i], 0.)));
    else
      srgan_graph_node_add_input (to, NULL);
  return TRUE;
}

static gboolean
translate_slice (Reader *reader, const Node *node, SrganGraphNode *to)
{
  if (reader->opset < 10) {
    add_ints_as_input (reader, node, to, "starts");
    add_ints_as_input (reader, node, to, "ends");
    add_ints_as_input (reader, node, to, "axes");
  }
  return TRUE;
}

static gboolean
translate_split (Reader *reader, const Node *node, SrganGraphNode *to)
{
  to->axis = get_int (node, "axis", 0);
  take_list (to, node, "split");
  return TRUE;
}

static gboolean
translate_axes (Reader *reader, const Node *node, SrganGraphNode *to)
{
  take_list (to, node, "axes");
  to->axis = get_int (node, "axis", 1); /* of Flatten */
  return TRUE;
}

static gboolean
translate_mean (Reader *reader, const Node *node, SrganGraphNode *to)
{
  take_list (to, node, "axes");
  to->keep_axes = get_int (node, "keepdims", 1) != 0;
  return get_int (node, "noop_with_empty_axes", 0) == 0 || to->has_list ||
         node->n_input > 1;
}

static gboolean
translate_transpose (Reader *reader, const Node *node, SrganGraphNode *to)
{
  take_list (to, node, "perm");
  return TRUE;
}

static gboolean
translate_reshape (Reader *reader, const Node *node, SrganGraphNode *to)
{
  take_list (to, node, "shape");
  to->keep_zero = get_int (node, "allowzero", 0) == 0;
  return TRUE;
}

static gboolean
translate_pad (Reader *reader, const Node *node, SrganGraphNode *to)
{
  if (reader->opset < 11) {
    add_ints_as_input (
        reader, node, to, find (node, "pads") != NULL ? "pads" : "paddings");
    if (find (node, "value") != NULL)
      srgan_graph_node_add_constant (reader->graph, to,
          srgan_constant_new_scalar (get_float (node, "value", 0.)));
  }
  if (is_string (node, "mode", "reflect"))
    to->mode = SRGAN_PADDING_REFLECT;
  else if (is_string (node, "mode", "edge"))
    to->mode = SRGAN_PADDING_EDGE;
  else
    return !has_string (node, "mode") || is_string (node, "mode", "constant");
  return TRUE;
}

static gboolean
translate_resize (Reader *reader, const Node *node, SrganGraphNode *to)
{
  const gchar *mode = "coordinate_transformation_mode";
  Attribute *scales = find (node, "scales");
  gboolean old = reader->opset < 11 || strcmp (node->op_type, "Resize") != 0;
  const gchar *roi = NULL, *factors = NULL, *sizes = NULL;

  to->filter = is_string (node, "mode", "cubic") ? SRGAN_FILTER_BICUBIC
               : is_string (node, "mode", "linear") ||
                       is_string (node, "mode", "bilinear")
                   ? SRGAN_FILTER_BILINEAR
                   : SRGAN_FILTER_NEAREST;
  to->cubic_a = get_float (node, "cubic_coeff_a", -.75);
  if (old || is_string (node, mode, "asymmetric"))
    to->coordinates = SRGAN_COORDINATES_ASYMMETRIC;
  else if (is_string (node, mode, "align_corners"))
    to->coordinates = SRGAN_COORDINATES_ALIGN_CORNERS;
  else if (has_string (node, mode) && !is_string (node, mode, "half_pixel") &&
           !is_string (node, mode, "half_pixel_symmetric") &&
           !is_string (node, mode, "pytorch_half_pixel"))
    return FALSE;
  if (get_int (node, "exclude_outside", 0) != 0 ||
      get_int (node, "antialias", 0) != 0 || find (node, "axes") != NULL)
    return FALSE;
  /* of nearest ones: rounding down at whole distances, or to the nearest half
   * pixel, is repeating pixels; other roundings of i / s shift them */
  if (to->filter == SRGAN_FILTER_NEAREST && !old &&
      to->coordinates == SRGAN_COORDINATES_ASYMMETRIC &&
      !is_string (node, "nearest_mode", "floor"))
    to->coordinates = SRGAN_COORDINATES_HALF_PIXEL;

  /* (x, scales), or (x, roi, scales, sizes) */
  if (to->inputs->len > 1) {
    if (old) {
      factors = g_ptr_array_index (to->inputs, 1);
    } else {
      roi = g_ptr_array_index (to->inputs, 1);
      if (to->inputs->len > 2)
        factors = g_ptr_array_index (to->inputs, 2);
      if (to->inputs->len > 3)
        sizes = g_ptr_array_index (to->inputs, 3);
    }
  }
  {
    g_autofree gchar *kept_factors = g_strdup (factors);
    g_autofree gchar *kept_sizes = g_strdup (sizes);

    (void) roi;
    g_ptr_array_set_size (to->inputs, MIN (to->inputs->len, 1));
    if (scales != NULL) {
      gint64 n = (gint64) scales->n_floats;
      gfloat *numbers;
      SrganConstant *constant =
          srgan_constant_new_numbers (1, &n, scales->n_floats, &numbers);

      memcpy (numbers, scales->floats, scales->n_floats * sizeof *numbers);
      srgan_graph_node_add_constant (reader->graph, to, constant);
    } else {
      srgan_graph_node_add_input (to, kept_factors);
    }
    srgan_graph_node_add_input (to, kept_sizes);
  }
  return TRUE;
}

static gboolean
translate_depth_to_space (Reader *reader, const Node *node, SrganGraphNode *to)
{
  to->block = get_int (node, "blocksize", 1);
  to->depth_first = is_string (node, "mode", "CRD");
  return TRUE;
}

static gboolean
translate_cast (Reader *reader, const Node *node, SrganGraphNode *to)
{
  to->integer = !is_real ((gint) get_int (node, "to", TYPE_FLOAT));
  return TRUE;
}

static gboolean
translate_shape (Reader *reader, const Node *node, SrganGraphNode *to)
{
  to->first = get_int (node, "start", 0);
  to->last = get_int (node, "end", G_MAXINT64);
  return TRUE;
}

static gboolean
translate_divide (Reader *reader, const Node *node, SrganGraphNode *to)
{
  to->integer = TRUE; /* towards zero, between integers */
  return TRUE;
}

static gboolean
translate_fill (Reader *reader, const Node *node, SrganGraphNode *to)
{
  Attribute *value = find (node, "value");

  if (value != NULL && value->t != NULL) {
    SrganConstant *constant = read_tensor (reader, value->t, NULL);

    if (constant == NULL)
      return FALSE;
    srgan_graph_node_add_constant (reader->graph, to, constant);
  }
  return TRUE;
}

static gboolean
translate_global_mean (Reader *reader, const Node *node, SrganGraphNode *to)
{
  to->keep_axes = TRUE;
  return TRUE;
}

static gboolean
translate_dropout (Reader *reader, const Node *node, SrganGraphNode *to)
{
  g_ptr_array_set_size (to->inputs, MIN (to->inputs->len, 1));
  return TRUE;
}

static const struct {
  const gchar *name;
  SrganNodeKind kind;
  Translate translate;
} operations[] = {
    {"Abs", SRGAN_NODE_ABSOLUTE, NULL},
    {"Add", SRGAN_NODE_ADD, NULL},
    {"AveragePool", SRGAN_NODE_AVERAGE_POOL, translate_conv},
    {"BatchNormalization", SRGAN_NODE_BATCH_NORM, translate_batch_norm},
    {"Cast", SRGAN_NODE_CAST, translate_cast},
    {"Ceil", SRGAN_NODE_CEIL, NULL},
    {"Clip", SRGAN_NODE_CLIP, translate_clip},
    {"Concat", SRGAN_NODE_CONCAT, translate_axis_0},
    {"ConstantOfShape", SRGAN_NODE_FILL, translate_fill},
    {"Conv", SRGAN_NODE_CONV, translate_conv},
    {"ConvTranspose", SRGAN_NODE_TRANSPOSED_CONV, translate_conv},
    {"DepthToSpace", SRGAN_NODE_DEPTH_TO_SPACE, translate_depth_to_space},
    {"Div", SRGAN_NODE_DIVIDE, translate_divide},
    {"Dropout", SRGAN_NODE_IDENTITY, translate_dropout},
    {"Equal", SRGAN_NODE_EQUAL, NULL},
    {"Exp", SRGAN_NODE_EXP, NULL},
    {"Expand", SRGAN_NODE_EXPAND, NULL},
    {"Flatten", SRGAN_NODE_FLATTEN, translate_axes},
    {"Floor", SRGAN_NODE_FLOOR, NULL},
    {"Gather", SRGAN_NODE_GATHER, translate_axis_0},
    {"Gemm", SRGAN_NODE_MATMUL, translate_gemm},
    {"GlobalAveragePool", SRGAN_NODE_MEAN, translate_global_mean},
    {"HardSigmoid", SRGAN_NODE_HARD_SIGMOID, translate_hard_sigmoid},
    {"HardSwish", SRGAN_NODE_HARD_SWISH, translate_hard_sigmoid},
    {"Identity", SRGAN_NODE_IDENTITY, NULL},
    {"LeakyRelu", SRGAN_NODE_LEAKY_RELU, translate_leaky_relu},
    {"MatMul", SRGAN_NODE_MATMUL, NULL},
    {"Max", SRGAN_NODE_MAXIMUM, NULL},
    {"MaxPool", SRGAN_NODE_MAX_POOL, translate_conv},
    {"Min", SRGAN_NODE_MINIMUM, NULL},
    {"Mod", SRGAN_NODE_MODULO, NULL},
    {"Mul", SRGAN_NODE_MULTIPLY, NULL},
    {"Neg", SRGAN_NODE_NEGATE, NULL},
    {"PRelu", SRGAN_NODE_PRELU, NULL},
    {"Pad", SRGAN_NODE_PAD, translate_pad},
    {"Pow", SRGAN_NODE_POWER, NULL},
    {"Range", SRGAN_NODE_RANGE, NULL},
    {"Reciprocal", SRGAN_NODE_RECIPROCAL, NULL},
    {"ReduceMean", SRGAN_NODE_MEAN, translate_mean},
    {"ReduceSum", SRGAN_NODE_SUM, translate_mean},
    {"Relu", SRGAN_NODE_RELU, NULL},
    {"Reshape", SRGAN_NODE_RESHAPE, translate_reshape},
    {"Resize", SRGAN_NODE_RESIZE, translate_resize},
    {"Round", SRGAN_NODE_ROUND, NULL},
    {"Shape", SRGAN_NODE_SHAPE, translate_shape},
    {"Sigmoid", SRGAN_NODE_SIGMOID, NULL},
    {"Slice", SRGAN_NODE_SLICE, translate_slice},
    {"SpaceToDepth", SRGAN_NODE_SPACE_TO_DEPTH, translate_depth_to_space},
    {"Split", SRGAN_NODE_SPLIT, translate_split},
    {"Sqrt", SRGAN_NODE_SQRT, NULL},
    {"Squeeze", SRGAN_NODE_SQUEEZE, translate_axes},
    {"Sub", SRGAN_NODE_SUBTRACT, NULL},
    {"Sum", SRGAN_NODE_ADD, NULL},
    {"Swish", SRGAN_NODE_SILU, NULL},
    {"Tanh", SRGAN_NODE_TANH, NULL},
    {"Tile", SRGAN_NODE_TILE, NULL},
    {"Transpose", SRGAN_NODE_TRANSPOSE, translate_transpose},
    {"Unsqueeze", SRGAN_NODE_UNSQUEEZE, translate_axes},
    {"Upsample", SRGAN_NODE_RESIZE, translate_resize},
    {"Where", SRGAN_NODE_WHERE, NULL},
};

static SrganConstant *
read_constant (Reader *reader, const Node *node, GError **error)
{
  Attribute *attribute;
  gfloat *numbers;
  gint64 *integers;
  gint64 n;
  SrganConstant *constant;

  if ((attribute = find (node, "value")) != NULL && attribute->t != NULL)
    return read_tensor (reader, attribute->t, error);
  if ((attribute = find (node, "value_float")) != NULL)
    return srgan_constant_new_scalar (attribute->f);
  if ((attribute = find (node, "value_int")) != NULL) {
    constant = srgan_constant_new_integers (0, NULL, 1, &integers);
    integers[0] = attribute->i;
    return constant;
  }
  if ((attribute = find (node, "value_ints")) != NULL)
    return srgan_constant_new_vector (attribute->ints, attribute->n_ints);
  if ((attribute = find (node, "value_floats")) != NULL) {
    n = (gint64) attribute->n_floats;
    constant =
        srgan_constant_new_numbers (1, &n, attribute->n_floats, &numbers);
    if (n > 0)
      memcpy (numbers, attribute->floats, n * sizeof *numbers);
    return constant;
  }
  srgan_convert_unsupported (error, "a constant of another kind than numbers");
  return NULL;
}

/* A name of the function's own, or one that its caller gave. */
static gchar *
rename (GHashTable *names, const gchar *prefix, const gchar *name)
{
  const gchar *given = names != NULL ? g_hash_table_lookup (names, name) : NULL;

  if (given != NULL)
    return g_strdup (given);
  return g_strdup_printf ("%s%s", prefix, name);
}

static gboolean read_nodes (Reader *reader, Node **nodes, gsize n,
    GHashTable *names, const gchar *prefix, guint depth, GError **error);

static Function *
find_function (Reader *reader, const Node *node)
{
  for (gsize i = 0; i < reader->model->n_functions; i++) {
    Function *function = reader->model->functions[i];

    if (g_strcmp0 (function->name, node->op_type) == 0 &&
        g_strcmp0 (function->domain != NULL ? function->domain : "",
            node->domain != NULL ? node->domain : "") == 0)
      return function;
  }
  return NULL;
}

/* The function's nodes in the call's place. */
static gboolean
inline_function (Reader *reader, const Function *function, const Node *node,
    GHashTable *names, const gchar *prefix, guint depth, GError **error)
{
  g_autoptr (GHashTable) inner =
      g_hash_table_new_full (g_str_hash, g_str_equal, NULL, g_free);
  g_autofree gchar *inner_prefix =
      g_strdup_printf ("%s%u/", prefix, reader->n_nodes);

  if (depth >= MAX_DEPTH) {
    srgan_convert_corrupt (error, "functions more than %d deep", MAX_DEPTH);
    return FALSE;
  }
  for (gsize i = 0; i < function->n_input; i++)
    g_hash_table_insert (inner, function->input[i],
        i < node->n_input && *node->input[i] != '\0'
            ? rename (names, prefix, node->input[i])
            : g_strdup (""));
  for (gsize i = 0; i < MIN (function->n_output, node->n_output); i++)
    g_hash_table_insert (
        inner, function->output[i], rename (names, prefix, node->output[i]));
  return read_nodes (reader, function->node, function->n_node, inner,
      inner_prefix, depth + 1, error);
}

static gboolean
read_node (Reader *reader, Node *node, GHashTable *names, const gchar *prefix,
    guint depth, GError **error)
{
  const gchar *type = node->op_type != NULL ? node->op_type : "";
  gboolean standard = node->domain == NULL || *node->domain == '\0' ||
                      strcmp (node->domain, "ai.onnx") == 0;
  g_autoptr (GPtrArray) outputs = g_ptr_array_new_with_free_func (g_free);
  const gchar *name =
      node->name != NULL && *node->name != '\0' ? node->name : type;
  Function *function = find_function (reader, node);

  if (++reader->n_nodes > SRGAN_GRAPH_MAX_NODES) {
    srgan_convert_fail (error, SRGAN_ERROR_TOO_LARGE, "more than %u nodes",
        SRGAN_GRAPH_MAX_NODES);
    return FALSE;
  }
  if (function != NULL)
    return inline_function (
        reader, function, node, names, prefix, depth, error);
  for (gsize i = 0; i < node->n_output; i++)
    g_ptr_array_add (outputs, rename (names, prefix, node->output[i]));

  if (standard && strcmp (type, "Constant") == 0 && outputs->len == 1) {
    SrganConstant *constant = read_constant (reader, node, error);

    if (constant == NULL)
      return FALSE;
    srgan_graph_add_constant (
        reader->graph, g_ptr_array_index (outputs, 0), constant);
    return TRUE;
  }
  for (guint i = 0; standard && i < G_N_ELEMENTS (operations); i++) {
    SrganGraphNode *to;

    if (strcmp (operations[i].name, type) != 0)
      continue;
    to = srgan_graph_add_node (reader->graph, operations[i].kind, name);
    for (gsize j = 0; j < node->n_input; j++) {
      g_autofree gchar *input = *node->input[j] != '\0'
                                    ? rename (names, prefix, node->input[j])
                                    : NULL;

      srgan_graph_node_add_input (to, input);
    }
    if (operations[i].translate == NULL ||
        operations[i].translate (reader, node, to)) {
      for (guint j = 0; j < outputs->len; j++)
        srgan_graph_node_add_output (to, g_ptr_array_index (outputs, j));
      return TRUE;
    }
    break;
  }
  srgan_graph_add_unknown (reader->graph, type, name,
      (const gchar *const *) outputs->pdata, outputs->len);
  return TRUE;
}

static gboolean
read_nodes (Reader *reader, Node **nodes, gsize n, GHashTable *names,
    const gchar *prefix, guint depth, GError **error)
{
  for (gsize i = 0; i < n; i++)
    if (!read_node (reader, nodes[i], names, prefix, depth, error))
      return FALSE;
  return TRUE;
}

/* --- The model ----------------------------------------------------------- */

static void
read_input (Reader *reader, const Srgan__Onnx__ValueInfo *info)
{
  gint64 dimensions[SRGAN_GRAPH_MAX_RANK] = {0};
  const Srgan__Onnx__TensorType *type =
      info->type != NULL ? info->type->tensor_type : NULL;
  guint rank = 4;
  gboolean last = FALSE;

  if (type != NULL && type->shape != NULL) {
    rank = (guint) MIN (type->shape->n_dim, SRGAN_GRAPH_MAX_RANK);
    for (guint i = 0; i < rank; i++)
      dimensions[i] = type->shape->dim[i]->has_dim_value
                          ? type->shape->dim[i]->dim_value
                          : 0;
  }
  if (rank == 3 || rank == 4) {
    gint64 first_size = dimensions[rank - 3];
    gint64 last_size = dimensions[rank - 1];

    last = first_size != 1 && first_size != 3 &&
           (last_size == 1 || last_size == 3);
  }
  srgan_graph_add_input (reader->graph, info->name, rank, dimensions, last);
  /* whole numbers are codes */
  if (type != NULL && type->elem_type == 2)
    reader->graph->input_high = 255.;
}

static gboolean
read_model (Reader *reader, SrganConvertReport *report, GError **error)
{
  Model *model = reader->model;
  Srgan__Onnx__Graph *graph = model->graph;

  if (graph == NULL) {
    srgan_convert_corrupt (error, "there is no graph in it");
    return FALSE;
  }
  for (gsize i = 0; i < model->n_opset_import; i++) {
    const gchar *domain = model->opset_import[i]->domain;

    if (domain == NULL || *domain == '\0' || strcmp (domain, "ai.onnx") == 0)
      reader->opset = model->opset_import[i]->version;
  }
  g_free (report->format);
  report->format =
      g_strdup_printf ("ONNX, opset %" G_GINT64_FORMAT, reader->opset);
  for (gsize i = 0; i < model->n_metadata_props; i++)
    srgan_report_licence (
        report, model->metadata_props[i]->key, model->metadata_props[i]->value);
  srgan_report_licence (report, NULL, model->doc_string);
  srgan_report_licence (report, NULL, graph->doc_string);

  for (gsize i = 0; i < graph->n_initializer; i++) {
    Tensor *tensor = graph->initializer[i];
    SrganConstant *constant = read_tensor (reader, tensor, error);

    if (constant == NULL)
      return FALSE;
    srgan_graph_add_constant (
        reader->graph, tensor->name != NULL ? tensor->name : "", constant);
  }
  for (gsize i = 0; i < graph->n_input; i++)
    if (graph->input[i]->name != NULL &&
        !srgan_graph_has_value (reader->graph, graph->input[i]->name))
      read_input (reader, graph->input[i]);
  if (!read_nodes (reader, graph->node, graph->n_node, NULL, "", 0, error))
    return FALSE;
  for (gsize i = 0; i < graph->n_output; i++)
    if (graph->output[i]->name != NULL)
      srgan_graph_add_output (reader->graph, graph->output[i]->name);
  return TRUE;
}

gboolean
srgan_detect_onnx (SrganSource *source)
{
  guint found[32];

  /* Model's wire types by field number; a graph (7), and a version (1) or an
   * operator set (8): other protocol buffers differ in one of these. */
  return !source->is_folder &&
         srgan_protobuf_looks_like (source->data, source->size,
             ".02220222.....2.....2....22", 4096, found) &&
         found[7] == 1 && (found[1] == 1 || found[8] >= 1);
}

SrganNetwork *
srgan_read_onnx (SrganSource *source, const SrganConvertOptions *options,
    SrganConvertReport *report, GError **error)
{
  Reader reader = {.source = source};
  SrganNetwork *network = NULL;

  srgan_protobuf_init (&reader.protobuf, source->size);
  reader.model = srgan__onnx__model__unpack (
      &reader.protobuf.allocator, source->size, source->data);
  if (reader.model == NULL) {
    srgan_convert_corrupt (error,
        "it is cut short, is no valid protocol buffer, or asks for more memory "
        "than its size warrants");
    return NULL;
  }
  reader.graph = srgan_graph_new (source->name);
  if (read_model (&reader, report, error)) {
    /* what is left of it: names */
    srgan__onnx__model__free_unpacked (
        reader.model, &reader.protobuf.allocator);
    reader.model = NULL;
    network = srgan_graph_build (reader.graph, options, report, error);
  }
  srgan_graph_free (reader.graph);
  if (reader.model != NULL)
    srgan__onnx__model__free_unpacked (
        reader.model, &reader.protobuf.allocator);
  return network;
}
