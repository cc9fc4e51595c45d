/* convert: TensorFlow's operations and tensors as nodes of a graph.
 *
 * SPDX-License-Identifier: MIT
 */
#include "convert/tensorflow.h"

#include <string.h>

typedef SrganTensorflowScope Scope;
typedef Srgan__Tf__Node Node;
typedef Srgan__Tf__Attribute Attribute;
typedef Srgan__Tf__Tensor Tensor;

/* --- Tensors ------------------------------------------------------------- */

/* DataType (tensorflow/core/framework/types.proto) */
enum {
  TYPE_FLOAT = 1,
  TYPE_DOUBLE = 2,
  TYPE_UINT8 = 4,
  TYPE_STRING = 7,
  TYPE_BFLOAT16 = 14,
  TYPE_HALF = 19
};

static const struct {
  gboolean known;
  SrganDtype dtype;
} types[] = {
    [TYPE_FLOAT] = {TRUE, SRGAN_DTYPE_FLOAT32},
    [TYPE_DOUBLE] = {TRUE, SRGAN_DTYPE_FLOAT64},
    [3] = {TRUE, SRGAN_DTYPE_INT32},
    [TYPE_UINT8] = {TRUE, SRGAN_DTYPE_UINT8},
    [5] = {TRUE, SRGAN_DTYPE_INT16},
    [6] = {TRUE, SRGAN_DTYPE_INT8},
    [9] = {TRUE, SRGAN_DTYPE_INT64},
    [10] = {TRUE, SRGAN_DTYPE_BOOL},
    [TYPE_BFLOAT16] = {TRUE, SRGAN_DTYPE_BFLOAT16},
    [17] = {TRUE, SRGAN_DTYPE_UINT16},
    [TYPE_HALF] = {TRUE, SRGAN_DTYPE_FLOAT16},
};

gboolean
srgan_tensorflow_get_dtype (gint type, SrganDtype *dtype)
{
  if (type < 0 || type >= (gint) G_N_ELEMENTS (types) || !types[type].known)
    return FALSE;
  *dtype = types[type].dtype;
  return TRUE;
}

static gboolean
is_real (gint type)
{
  return type == TYPE_FLOAT || type == TYPE_DOUBLE || type == TYPE_BFLOAT16 ||
         type == TYPE_HALF;
}

/* The number @index of those that a tensor lists one by one. */
static gdouble
get_listed (const Tensor *tensor, gsize index)
{
  if (tensor->n_float_val > 0)
    return tensor->float_val[MIN (index, tensor->n_float_val - 1)];
  if (tensor->n_double_val > 0)
    return tensor->double_val[MIN (index, tensor->n_double_val - 1)];
  if (tensor->n_int_val > 0)
    return tensor->int_val[MIN (index, tensor->n_int_val - 1)];
  if (tensor->n_int64_val > 0)
    return (gdouble) tensor->int64_val[MIN (index, tensor->n_int64_val - 1)];
  if (tensor->n_bool_val > 0)
    return tensor->bool_val[MIN (index, tensor->n_bool_val - 1)];
  if (tensor->n_half_val > 0) {
    gint32 bits = tensor->half_val[MIN (index, tensor->n_half_val - 1)];
    guint8 item[2] = {bits & 255, bits >> 8 & 255};
    gfloat number;

    srgan_dtype_to_floats (types[tensor->dtype].dtype, item, 1, &number);
    return number;
  }
  return 0.;
}

static SrganConstant *
read_tensor (const Tensor *tensor, GError **error)
{
  gint64 dimensions[SRGAN_GRAPH_MAX_RANK];
  gint type = tensor->dtype;
  SrganConstant *constant;
  SrganDtype dtype;
  gfloat *numbers = NULL;
  gint64 *integers = NULL;
  guint rank = 0;
  gsize n;

  if (tensor->tensor_shape != NULL) {
    if (tensor->tensor_shape->n_dim > SRGAN_GRAPH_MAX_RANK) {
      srgan_convert_corrupt (
          error, "a tensor of more than %u axes", SRGAN_GRAPH_MAX_RANK);
      return NULL;
    }
    rank = (guint) tensor->tensor_shape->n_dim;
    for (guint i = 0; i < rank; i++)
      dimensions[i] = tensor->tensor_shape->dim[i]->size;
  }
  if (!srgan_tensorflow_get_dtype (type, &dtype)) {
    srgan_convert_unsupported (error, "data type %d is not supported", type);
    return NULL;
  }
  if (!srgan_constant_count (
          rank, dimensions, SRGAN_NAMED_TENSOR_MAX_NUMBERS, &n, error))
    return NULL;
  if (tensor->has_tensor_content && tensor->tensor_content.len > 0) {
    if (tensor->tensor_content.len != n * srgan_dtype_get_size (dtype)) {
      srgan_convert_corrupt (error,
          "a tensor of %" G_GSIZE_FORMAT " bytes, whose shape needs "
          "%" G_GSIZE_FORMAT,
          tensor->tensor_content.len, n * srgan_dtype_get_size (dtype));
      return NULL;
    }
  } else if (n > SRGAN_GRAPH_MAX_COMPUTED) {
    /* one number may stand for all: a few bytes for any size */
    srgan_convert_fail (error, SRGAN_ERROR_TOO_LARGE,
        "a constant of %" G_GSIZE_FORMAT " equal numbers", n);
    return NULL;
  }
  if (is_real (type))
    constant = srgan_constant_new_numbers (rank, dimensions, n, &numbers);
  else
    constant = srgan_constant_new_integers (rank, dimensions, n, &integers);
  if (!(tensor->has_tensor_content && tensor->tensor_content.len > 0)) {
    for (gsize i = 0; i < n; i++)
      if (numbers != NULL)
        numbers[i] = (gfloat) get_listed (tensor, i);
      else
        integers[i] = (gint64) get_listed (tensor, i);
  } else if (numbers != NULL) {
    srgan_dtype_to_floats (dtype, tensor->tensor_content.data, n, numbers);
  } else {
    for (gsize i = 0; i < n; i++)
      integers[i] = srgan_dtype_get_integer (dtype,
          tensor->tensor_content.data + i * srgan_dtype_get_size (dtype));
  }
  return constant;
}

/* --- Attributes ---------------------------------------------------------- */

const Attribute *
srgan_tensorflow_find (const Node *node, const gchar *key)
{
  for (gsize i = 0; i < node->n_attr; i++)
    if (g_strcmp0 (node->attr[i]->key, key) == 0)
      return node->attr[i]->value;
  return NULL;
}

static gboolean
is_string (const Node *node, const gchar *key, const gchar *value)
{
  const Attribute *attribute = srgan_tensorflow_find (node, key);

  return attribute != NULL && attribute->s.len == strlen (value) &&
         memcmp (attribute->s.data, value, attribute->s.len) == 0;
}

static gboolean
is_true (const Node *node, const gchar *key)
{
  const Attribute *attribute = srgan_tensorflow_find (node, key);

  return attribute != NULL && attribute->b;
}

static gint64
get_int (const Node *node, const gchar *key, gint64 standard)
{
  const Attribute *attribute = srgan_tensorflow_find (node, key);

  return attribute != NULL && attribute->has_i ? attribute->i : standard;
}

static gdouble
get_float (const Node *node, const gchar *key, gdouble standard)
{
  const Attribute *attribute = srgan_tensorflow_find (node, key);

  return attribute != NULL && attribute->has_f ? attribute->f : standard;
}

/* The height's and width's of a list of four. */
static void
get_sides (
    const Node *node, const gchar *key, gboolean channels_last, gint64 sides[2])
{
  const Attribute *attribute = srgan_tensorflow_find (node, key);
  guint first = channels_last ? 1 : 2;

  if (attribute == NULL || attribute->list == NULL || attribute->list->n_i != 4)
    return;
  sides[0] = attribute->list->i[first];
  sides[1] = attribute->list->i[first + 1];
}

/* --- Names --------------------------------------------------------------- */

/* Outputs that have a name of their own beside the first, in functions, where
 * "node:name:number" counts from 0 for each name. */
static const gchar *const further_outputs[] = {"batch_mean", "batch_variance",
    "reserve_space_1", "reserve_space_2", "reserve_space_3", "indices", "idx",
    "count", "backprop"};

gchar *
srgan_tensorflow_parse_input (
    const Scope *scope, const gchar *input, gint *number)
{
  const gchar *first = strchr (input, ':');
  const gchar *last = strrchr (input, ':');
  guint64 n = 0;

  *number = 0;
  if (*input == '^')
    return NULL;
  if (first == NULL)
    return g_strdup (input);
  if (g_ascii_string_to_unsigned (last + 1, 10, 0, 65535, &n, NULL))
    *number = (gint) n;
  else
    *number = -1;
  for (guint i = 0; i < G_N_ELEMENTS (further_outputs) && first != last; i++)
    if (strncmp (first + 1, further_outputs[i], (gsize) (last - first - 1)) ==
            0 &&
        strlen (further_outputs[i]) == (gsize) (last - first - 1))
      *number = -1;
  return g_strndup (input, (gsize) (first - input));
}

gchar *
srgan_tensorflow_get_value (const Scope *scope, const gchar *node, gint number)
{
  if (number == 0)
    return g_strconcat (scope->prefix, node, NULL);
  return g_strdup_printf ("%s%s:%d", scope->prefix, node, number);
}

gchar *
srgan_tensorflow_get_input (const Scope *scope, const gchar *input)
{
  gint number;
  g_autofree gchar *node = srgan_tensorflow_parse_input (scope, input, &number);

  return node != NULL ? srgan_tensorflow_get_value (scope, node, number) : NULL;
}

/* --- Nodes --------------------------------------------------------------- */

static SrganConstant *
get_constant (const Scope *scope, const SrganGraphNode *to, guint input)
{
  const gchar *name =
      input < to->inputs->len ? g_ptr_array_index (to->inputs, input) : NULL;

  return name != NULL
             ? g_hash_table_lookup (scope->reader->graph->constants, name)
             : NULL;
}

/* Takes input @input, a constant, for the node's axis. */
static gboolean
take_axis (const Scope *scope, SrganGraphNode *to, guint input)
{
  SrganConstant *constant = get_constant (scope, to, input);

  if (constant == NULL || constant->n != 1)
    return FALSE;
  to->axis = (gint64) srgan_constant_get (constant, 0);
  g_ptr_array_remove_index (to->inputs, input);
  return TRUE;
}

typedef gboolean (*Translate) (
    const Scope *scope, const Node *node, SrganGraphNode *to);

static gboolean
translate_conv (const Scope *scope, const Node *node, SrganGraphNode *to)
{
  const Attribute *explicit_pads =
      srgan_tensorflow_find (node, "explicit_paddings");

  to->channels_last = !is_string (node, "data_format", "NCHW");
  to->weight_order = SRGAN_WEIGHT_HWIO;
  get_sides (node, "strides", to->channels_last, to->strides);
  get_sides (node, "dilations", to->channels_last, to->dilations);
  get_sides (node, "ksize", to->channels_last, to->kernel);
  if (is_string (node, "padding", "SAME")) {
    to->padding = SRGAN_PADS_SAME;
  } else if (is_string (node, "padding", "VALID")) {
    to->padding = SRGAN_PADS_VALID;
  } else {
    guint first = to->channels_last ? 2 : 4;

    if (explicit_pads == NULL || explicit_pads->list == NULL ||
        explicit_pads->list->n_i != 8)
      return FALSE;
    for (guint i = 0; i < 2; i++) {
      to->pads[i] = explicit_pads->list->i[first + 2 * i];
      to->pads[i + 2] = explicit_pads->list->i[first + 2 * i + 1];
    }
  }
  return TRUE;
}

static gboolean
translate_depthwise (const Scope *scope, const Node *node, SrganGraphNode *to)
{
  if (!translate_conv (scope, node, to))
    return FALSE;
  to->weight_order = SRGAN_WEIGHT_HWOI;
  to->depthwise = TRUE;
  return TRUE;
}

/* (size, weight, x) */
static gboolean
translate_transposed (const Scope *scope, const Node *node, SrganGraphNode *to)
{
  if (!translate_conv (scope, node, to) || to->inputs->len != 3)
    return FALSE;
  to->weight_order = SRGAN_WEIGHT_HWOI;
  g_ptr_array_insert (to->inputs, 0, g_ptr_array_steal_index (to->inputs, 2));
  g_ptr_array_remove_index (to->inputs, 1);
  return TRUE;
}

static gboolean
translate_bias (const Scope *scope, const Node *node, SrganGraphNode *to)
{
  return !is_string (node, "data_format", "NCHW");
}

static gboolean
translate_leaky_relu (const Scope *scope, const Node *node, SrganGraphNode *to)
{
  to->alpha = get_float (node, "alpha", .2);
  return TRUE;
}

static gboolean
translate_relu6 (const Scope *scope, const Node *node, SrganGraphNode *to)
{
  srgan_graph_node_add_constant (
      scope->reader->graph, to, srgan_constant_new_scalar (0.));
  srgan_graph_node_add_constant (
      scope->reader->graph, to, srgan_constant_new_scalar (6.));
  return TRUE;
}

static gboolean
translate_concat (const Scope *scope, const Node *node, SrganGraphNode *to)
{
  return to->inputs->len > 1 && take_axis (scope, to, to->inputs->len - 1);
}

static gboolean
translate_stack (const Scope *scope, const Node *node, SrganGraphNode *to)
{
  to->axis = get_int (node, "axis", 0);
  return TRUE;
}

static gboolean
translate_split (const Scope *scope, const Node *node, SrganGraphNode *to)
{
  gint64 n = get_int (node, "num_split", 0);
  gboolean sized = strcmp (node->op, "SplitV") == 0;

  if (n < 1 || n > SRGAN_GRAPH_MAX_LIST || to->inputs->len < 2)
    return FALSE;
  for (gint64 i = 1; i < n; i++) {
    g_autofree gchar *name =
        srgan_tensorflow_get_value (scope, node->name, (gint) i);

    srgan_graph_node_add_output (to, name);
  }
  return take_axis (scope, to, sized ? 2 : 0);
}

static gboolean
translate_gather (const Scope *scope, const Node *node, SrganGraphNode *to)
{
  return to->inputs->len < 3 || take_axis (scope, to, 2);
}

static gboolean
translate_strided_slice (
    const Scope *scope, const Node *node, SrganGraphNode *to)
{
  static const gchar *const keys[] = {"begin_mask", "end_mask", "ellipsis_mask",
      "new_axis_mask", "shrink_axis_mask"};

  for (guint i = 0; i < G_N_ELEMENTS (keys); i++)
    to->list[i] = get_int (node, keys[i], 0);
  return TRUE;
}

static gboolean
translate_squeeze (const Scope *scope, const Node *node, SrganGraphNode *to)
{
  const Attribute *attribute = srgan_tensorflow_find (node, "squeeze_dims");

  if (attribute == NULL)
    attribute = srgan_tensorflow_find (node, "axis");
  if (attribute == NULL || attribute->list == NULL || attribute->list->n_i == 0)
    return TRUE;
  to->has_list = TRUE;
  to->n_list = (guint) MIN (attribute->list->n_i, SRGAN_GRAPH_MAX_LIST);
  for (guint i = 0; i < to->n_list; i++)
    to->list[i] = attribute->list->i[i];
  return TRUE;
}

/* Symmetric padding repeats the edge pixel: by one pixel, that is all. */
static gboolean
translate_mirror_pad (const Scope *scope, const Node *node, SrganGraphNode *to)
{
  SrganConstant *amounts = get_constant (scope, to, 1);

  if (is_string (node, "mode", "REFLECT")) {
    to->mode = SRGAN_PADDING_REFLECT;
    return TRUE;
  }
  to->mode = SRGAN_PADDING_EDGE;
  for (gsize i = 0; amounts != NULL && i < amounts->n; i++)
    if (srgan_constant_get (amounts, i) > 1.)
      return FALSE;
  return amounts != NULL;
}

static gboolean
translate_resize (const Scope *scope, const Node *node, SrganGraphNode *to)
{
  to->filter =
      g_str_has_prefix (node->op, "ResizeNearest")    ? SRGAN_FILTER_NEAREST
      : g_str_has_prefix (node->op, "ResizeBilinear") ? SRGAN_FILTER_BILINEAR
                                                      : SRGAN_FILTER_BICUBIC;
  to->coordinates =
      is_true (node, "align_corners")        ? SRGAN_COORDINATES_ALIGN_CORNERS
      : is_true (node, "half_pixel_centers") ? SRGAN_COORDINATES_HALF_PIXEL
                                             : SRGAN_COORDINATES_ASYMMETRIC;
  /* the newer way has the other curve, too (resize_bicubic_op.cc) */
  to->cubic_a = to->coordinates == SRGAN_COORDINATES_HALF_PIXEL ? -.5 : -.75;
  if (to->inputs->len != 2)
    return FALSE;
  g_ptr_array_insert (to->inputs, 1, NULL);
  return TRUE;
}

static gboolean
translate_depth_to_space (
    const Scope *scope, const Node *node, SrganGraphNode *to)
{
  to->channels_last = !is_string (node, "data_format", "NCHW");
  to->block = get_int (node, "block_size", 1);
  return TRUE;
}

static gboolean
translate_mean (const Scope *scope, const Node *node, SrganGraphNode *to)
{
  to->keep_axes = is_true (node, "keep_dims");
  return TRUE;
}

static gboolean
translate_batch_norm (const Scope *scope, const Node *node, SrganGraphNode *to)
{
  to->channels_last = !is_string (node, "data_format", "NCHW");
  to->alpha = get_float (node, "epsilon", 1e-4);
  return !is_true (node, "is_training");
}

static gboolean
translate_matmul (const Scope *scope, const Node *node, SrganGraphNode *to)
{
  to->transpose_weight = is_true (node, "transpose_b");
  return !is_true (node, "transpose_a");
}

static gboolean
translate_cast (const Scope *scope, const Node *node, SrganGraphNode *to)
{
  const Attribute *attribute = srgan_tensorflow_find (node, "DstT");

  to->integer = attribute != NULL && !is_real (attribute->type);
  return TRUE;
}

static const struct {
  const gchar *name;
  SrganNodeKind kind;
  Translate translate;
} operations[] = {
    {"Abs", SRGAN_NODE_ABSOLUTE, NULL},
    {"Add", SRGAN_NODE_ADD, NULL},
    {"AddN", SRGAN_NODE_ADD, NULL},
    {"AddV2", SRGAN_NODE_ADD, NULL},
    {"AvgPool", SRGAN_NODE_AVERAGE_POOL, translate_conv},
    {"BiasAdd", SRGAN_NODE_ADD, translate_bias},
    {"Cast", SRGAN_NODE_CAST, translate_cast},
    {"Ceil", SRGAN_NODE_CEIL, NULL},
    {"ClipByValue", SRGAN_NODE_CLIP, NULL},
    {"ConcatV2", SRGAN_NODE_CONCAT, translate_concat},
    {"Conv2D", SRGAN_NODE_CONV, translate_conv},
    {"Conv2DBackpropInput", SRGAN_NODE_TRANSPOSED_CONV, translate_transposed},
    {"DepthToSpace", SRGAN_NODE_DEPTH_TO_SPACE, translate_depth_to_space},
    {"DepthwiseConv2dNative", SRGAN_NODE_CONV, translate_depthwise},
    {"Div", SRGAN_NODE_DIVIDE, NULL},
    {"Exp", SRGAN_NODE_EXP, NULL},
    {"ExpandDims", SRGAN_NODE_UNSQUEEZE, NULL},
    {"Fill", SRGAN_NODE_FILL, NULL},
    {"Floor", SRGAN_NODE_FLOOR, NULL},
    {"FloorDiv", SRGAN_NODE_DIVIDE, NULL},
    {"FusedBatchNorm", SRGAN_NODE_BATCH_NORM, translate_batch_norm},
    {"FusedBatchNormV2", SRGAN_NODE_BATCH_NORM, translate_batch_norm},
    {"FusedBatchNormV3", SRGAN_NODE_BATCH_NORM, translate_batch_norm},
    {"GatherV2", SRGAN_NODE_GATHER, translate_gather},
    {"Identity", SRGAN_NODE_IDENTITY, NULL},
    {"LeakyRelu", SRGAN_NODE_LEAKY_RELU, translate_leaky_relu},
    {"MatMul", SRGAN_NODE_MATMUL, translate_matmul},
    {"MaxPool", SRGAN_NODE_MAX_POOL, translate_conv},
    {"Maximum", SRGAN_NODE_MAXIMUM, NULL},
    {"Mean", SRGAN_NODE_MEAN, translate_mean},
    {"Minimum", SRGAN_NODE_MINIMUM, NULL},
    {"MirrorPad", SRGAN_NODE_PAD, translate_mirror_pad},
    {"Mul", SRGAN_NODE_MULTIPLY, NULL},
    {"Neg", SRGAN_NODE_NEGATE, NULL},
    {"Pack", SRGAN_NODE_STACK, translate_stack},
    {"Pad", SRGAN_NODE_PAD, NULL},
    {"PadV2", SRGAN_NODE_PAD, NULL},
    {"PlaceholderWithDefault", SRGAN_NODE_IDENTITY, NULL},
    {"Pow", SRGAN_NODE_POWER, NULL},
    {"Range", SRGAN_NODE_RANGE, NULL},
    {"ReadVariableOp", SRGAN_NODE_IDENTITY, NULL},
    {"RealDiv", SRGAN_NODE_DIVIDE, NULL},
    {"Relu", SRGAN_NODE_RELU, NULL},
    {"Relu6", SRGAN_NODE_CLIP, translate_relu6},
    {"Reshape", SRGAN_NODE_RESHAPE, NULL},
    {"ResizeBicubic", SRGAN_NODE_RESIZE, translate_resize},
    {"ResizeBilinear", SRGAN_NODE_RESIZE, translate_resize},
    {"ResizeNearestNeighbor", SRGAN_NODE_RESIZE, translate_resize},
    {"Round", SRGAN_NODE_ROUND, NULL},
    {"Rsqrt", SRGAN_NODE_RECIPROCAL_SQRT, NULL},
    {"Shape", SRGAN_NODE_SHAPE, NULL},
    {"Sigmoid", SRGAN_NODE_SIGMOID, NULL},
    {"Slice", SRGAN_NODE_SLICE_SIZE, NULL},
    {"SpaceToDepth", SRGAN_NODE_SPACE_TO_DEPTH, translate_depth_to_space},
    {"Split", SRGAN_NODE_SPLIT, translate_split},
    {"SplitV", SRGAN_NODE_SPLIT, translate_split},
    {"Sqrt", SRGAN_NODE_SQRT, NULL},
    {"Square", SRGAN_NODE_SQUARE, NULL},
    {"Squeeze", SRGAN_NODE_SQUEEZE, translate_squeeze},
    {"StopGradient", SRGAN_NODE_IDENTITY, NULL},
    {"StridedSlice", SRGAN_NODE_STRIDED_SLICE, translate_strided_slice},
    {"Sub", SRGAN_NODE_SUBTRACT, NULL},
    {"Sum", SRGAN_NODE_SUM, translate_mean},
    {"Tanh", SRGAN_NODE_TANH, NULL},
    {"Tile", SRGAN_NODE_TILE, NULL},
    {"Transpose", SRGAN_NODE_TRANSPOSE, NULL},
};

void
srgan_tensorflow_add_input (
    const Scope *scope, const Node *node, const Srgan__Tf__Shape *shape)
{
  const Attribute *attribute = srgan_tensorflow_find (node, "shape");
  const Attribute *type = srgan_tensorflow_find (node, "dtype");
  g_autofree gchar *name = srgan_tensorflow_get_value (scope, node->name, 0);
  gint64 dimensions[SRGAN_GRAPH_MAX_RANK] = {0};
  guint rank = 4;
  gboolean last = TRUE;

  if (attribute != NULL && attribute->shape != NULL &&
      !attribute->shape->unknown_rank && attribute->shape->n_dim > 0)
    shape = attribute->shape;
  if (shape != NULL && !shape->unknown_rank && shape->n_dim > 0) {
    rank = (guint) MIN (shape->n_dim, SRGAN_GRAPH_MAX_RANK);
    for (guint i = 0; i < rank; i++)
      dimensions[i] = shape->dim[i]->size;
  }
  if (rank == 4 || rank == 3)
    last = !((dimensions[rank - 3] == 1 || dimensions[rank - 3] == 3) &&
             dimensions[rank - 1] != 1 && dimensions[rank - 1] != 3);
  srgan_graph_add_input (scope->reader->graph, name, rank, dimensions, last);
  if (type != NULL && type->type == TYPE_UINT8)
    scope->reader->graph->input_high = 255.;
}

gboolean
srgan_tensorflow_add_constant (
    const Scope *scope, const Node *node, GError **error)
{
  const Attribute *value = srgan_tensorflow_find (node, "value");
  SrganConstant *constant;
  g_autofree gchar *name = NULL;

  if (value == NULL || value->tensor == NULL ||
      value->tensor->dtype == TYPE_STRING)
    return TRUE;
  constant = read_tensor (value->tensor, error);
  if (constant == NULL) {
    g_autofree gchar *quoted = srgan_convert_quote (node->name, -1);

    g_prefix_error (error, "node '%s': ", quoted);
    return FALSE;
  }
  name = srgan_tensorflow_get_value (scope, node->name, 0);
  srgan_graph_add_constant (scope->reader->graph, name, constant);
  return TRUE;
}

void
srgan_tensorflow_add_node (const Scope *scope, const Node *node)
{
  g_autofree gchar *name = srgan_tensorflow_get_value (scope, node->name, 0);
  const gchar *value = name;
  SrganGraphNode *to = NULL;

  for (guint i = 0; i < G_N_ELEMENTS (operations); i++) {
    if (strcmp (operations[i].name, node->op) != 0)
      continue;
    to = srgan_graph_add_node (
        scope->reader->graph, operations[i].kind, node->name);
    for (gsize j = 0; j < node->n_input; j++) {
      g_autofree gchar *input =
          srgan_tensorflow_get_input (scope, node->input[j]);

      if (input != NULL)
        srgan_graph_node_add_input (to, input);
    }
    srgan_graph_node_add_output (to, name);
    if (operations[i].translate == NULL ||
        operations[i].translate (scope, node, to))
      return;
    g_ptr_array_set_size (to->outputs, 0);
    break;
  }
  srgan_graph_add_unknown (
      scope->reader->graph, node->op, node->name, &value, 1);
}
