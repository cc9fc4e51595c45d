/* convert: TensorFlow Lite's .tflite: floats, halves, and integers, which are
 * read as the real numbers that they stand for.
 *
 * Fields by number are those of tensorflow/lite/schema/schema.fbs.
 *
 * SPDX-License-Identifier: MIT
 */
#include "convert/flatbuffer.h"
#include "convert/graph.h"
#include "convert/tensor.h"

#include <math.h>
#include <string.h>

typedef struct {
  SrganSource *source;
  SrganFlatBuffer buffer;
  SrganFlatVector codes; /* of operators */
  SrganFlatVector buffers;
  SrganFlatVector tensors;
  SrganGraph *graph;
  guint64 left; /* bytes of weights that may still be read */
} Reader;

/* One operator, as it is translated. */
typedef struct {
  Reader *reader;
  SrganFlatTable options;
  SrganFlatVector inputs, outputs; /* of tensors' numbers */
  SrganGraphNode *to;
} Operator;

enum { TYPE_FLOAT32 = 0, TYPE_INT32 = 2, TYPE_UINT8 = 3, TYPE_INT8 = 9 };

/* By TensorType. */
static const struct {
  gboolean known;
  gboolean real;
  SrganDtype dtype;
} types[] = {
    [TYPE_FLOAT32] = {TRUE, TRUE, SRGAN_DTYPE_FLOAT32},
    [1] = {TRUE, TRUE, SRGAN_DTYPE_FLOAT16},
    [TYPE_INT32] = {TRUE, FALSE, SRGAN_DTYPE_INT32},
    [TYPE_UINT8] = {TRUE, FALSE, SRGAN_DTYPE_UINT8},
    [4] = {TRUE, FALSE, SRGAN_DTYPE_INT64},
    [6] = {TRUE, FALSE, SRGAN_DTYPE_BOOL},
    [7] = {TRUE, FALSE, SRGAN_DTYPE_INT16},
    [TYPE_INT8] = {TRUE, FALSE, SRGAN_DTYPE_INT8},
    [10] = {TRUE, TRUE, SRGAN_DTYPE_FLOAT64},
    [15] = {TRUE, FALSE, SRGAN_DTYPE_UINT32},
    [16] = {TRUE, FALSE, SRGAN_DTYPE_UINT16},
    [18] = {TRUE, TRUE, SRGAN_DTYPE_BFLOAT16},
};

/* ActivationFunctionType */
enum {
  ACTIVATION_NONE,
  ACTIVATION_RELU,
  ACTIVATION_RELU_N1_TO_1,
  ACTIVATION_RELU6,
  ACTIVATION_TANH
};

/* --- Tensors ------------------------------------------------------------- */

static SrganFlatTable
get_tensor (Reader *self, gint64 number)
{
  if (number < 0 || (guint64) number >= self->tensors.n)
    return (SrganFlatTable){0};
  return srgan_flat_vector_get_table (
      &self->buffer, self->tensors, (gsize) number);
}

/* Values are called by their tensors' numbers: names may be there twice. */
static gchar *
get_value (gint64 number)
{
  return g_strdup_printf ("%" G_GINT64_FORMAT, number);
}

/* For messages: a converted model's names are lists of what was fused. */
static gchar *
get_name (Reader *self, gint64 number)
{
  g_autofree gchar *name =
      srgan_flat_get_string (&self->buffer, get_tensor (self, number), 3);
  gchar *valid;

  if (name == NULL || *name == '\0')
    return get_value (number);
  valid = g_utf8_make_valid (name, -1);
  valid[strcspn (valid, ";")] = '\0';
  return valid;
}

static guint
get_shape (Reader *self, SrganFlatTable tensor, gint64 *dimensions)
{
  SrganFlatVector shape = srgan_flat_get_vector (&self->buffer, tensor, 0, 4);
  SrganFlatVector open = srgan_flat_get_vector (&self->buffer, tensor, 7, 4);

  /* with the signature's -1 where any size will do */
  if (open.n == shape.n)
    shape = open;
  for (gsize i = 0; i < MIN (shape.n, SRGAN_GRAPH_MAX_RANK); i++)
    dimensions[i] = srgan_flat_vector_get_int (&self->buffer, shape, i);
  return (guint) MIN (shape.n, SRGAN_GRAPH_MAX_RANK + 1);
}

/* real = scale (code - zero), for all or for each index of an axis. */
typedef struct {
  SrganFlatVector scales;
  SrganFlatVector zeros;
  guint axis;
} Quantisation;

static gboolean
get_quantisation (
    Reader *self, SrganFlatTable tensor, Quantisation *quantisation)
{
  SrganFlatTable table = srgan_flat_get_table (&self->buffer, tensor, 4);
  gint64 axis = srgan_flat_get_int (&self->buffer, table, 6, 0);

  quantisation->scales = srgan_flat_get_vector (&self->buffer, table, 2, 4);
  quantisation->zeros = srgan_flat_get_vector (&self->buffer, table, 3, 8);
  quantisation->axis = axis >= 0 && axis < SRGAN_GRAPH_MAX_RANK
                           ? (guint) axis
                           : SRGAN_GRAPH_MAX_RANK;
  return quantisation->scales.n > 0;
}

static void
get_step (Reader *self, const Quantisation *quantisation, gsize index,
    gdouble *scale, gdouble *zero)
{
  gsize n = quantisation->zeros.n;

  *scale = srgan_flat_vector_get_float (&self->buffer, quantisation->scales,
      quantisation->scales.n > 1 ? index : 0);
  *zero = n == 0 ? 0.
                 : (gdouble) srgan_flat_vector_get_long (
                       &self->buffer, quantisation->zeros, n > 1 ? index : 0);
}

static gboolean
dequantise (Reader *self, const Quantisation *quantisation, guint rank,
    const gint64 *dimensions, gsize n, gfloat *numbers, GError **error)
{
  gsize inner = 1;
  gsize count = MAX (quantisation->scales.n, quantisation->zeros.n);

  if (count > 1) {
    if (quantisation->axis >= rank ||
        (gsize) dimensions[quantisation->axis] != count ||
        (quantisation->zeros.n > 1 && quantisation->zeros.n != count) ||
        (quantisation->scales.n > 1 && quantisation->scales.n != count))
      return srgan_convert_corrupt (
          error, "scales for another axis than the tensor has");
    for (guint i = quantisation->axis + 1; i < rank; i++)
      inner *= (gsize) dimensions[i];
  }
  for (gsize i = 0; i < n; i++) {
    gdouble scale, zero;

    get_step (self, quantisation, i / inner % count, &scale, &zero);
    numbers[i] = (gfloat) (scale * (numbers[i] - zero));
  }
  return TRUE;
}

/* The bytes of a tensor's buffer; FALSE with @n 0 where it has none: it is no
 * constant. */
static gboolean
get_bytes (Reader *self, SrganFlatTable tensor, gsize *offset, gsize *n)
{
  gint64 number = srgan_flat_get_int (&self->buffer, tensor, 2, 0);
  SrganFlatTable buffer;
  SrganFlatVector data;
  guint64 far, size;

  *n = 0;
  if (number <= 0 || (guint64) number >= self->buffers.n)
    return FALSE;
  buffer = srgan_flat_vector_get_table (
      &self->buffer, self->buffers, (gsize) number);
  data = srgan_flat_get_vector (&self->buffer, buffer, 0, 1);
  *offset = data.position;
  *n = data.n;
  /* of a large file: behind the FlatBuffer */
  far = srgan_flat_get_long (&self->buffer, buffer, 1);
  size = srgan_flat_get_long (&self->buffer, buffer, 2);
  if (far > 1 && far <= self->source->size &&
      size <= self->source->size - far) {
    *offset = (gsize) far;
    *n = (gsize) size;
  }
  return *n > 0;
}

static SrganConstant *
read_constant (Reader *self, SrganFlatTable tensor, gsize offset, gsize n_bytes,
    GError **error)
{
  gint64 dimensions[SRGAN_GRAPH_MAX_RANK] = {0};
  guint rank = get_shape (self, tensor, dimensions);
  guint8 type = srgan_flat_get_byte (&self->buffer, tensor, 1);
  const guint8 *data = self->source->data + offset;
  Quantisation quantisation;
  SrganConstant *constant;
  gfloat *numbers;
  gint64 *integers;
  gboolean quantised;
  gsize n;

  if (type >= G_N_ELEMENTS (types) || !types[type].known) {
    srgan_convert_unsupported (
        error, "weights of type %u are not supported", type);
    return NULL;
  }
  if (srgan_flat_has (&self->buffer, tensor, 6)) {
    srgan_convert_unsupported (
        error, "sparse weights are not supported: convert without pruning");
    return NULL;
  }
  if (rank > SRGAN_GRAPH_MAX_RANK) {
    srgan_convert_corrupt (
        error, "a tensor of more than %u axes", SRGAN_GRAPH_MAX_RANK);
    return NULL;
  }
  if (!srgan_constant_count (
          rank, dimensions, SRGAN_NAMED_TENSOR_MAX_NUMBERS, &n, error))
    return NULL;
  if (n_bytes != n * srgan_dtype_get_size (types[type].dtype)) {
    srgan_convert_corrupt (error,
        "%" G_GSIZE_FORMAT " bytes of weights, their shape needs "
        "%" G_GSIZE_FORMAT,
        n_bytes, n * srgan_dtype_get_size (types[type].dtype));
    return NULL;
  }
  /* tensors may share a buffer, but not any number of them */
  if (n_bytes > self->left) {
    srgan_convert_fail (error, SRGAN_ERROR_TOO_LARGE,
        "its tensors together are many times larger than the file");
    return NULL;
  }
  self->left -= n_bytes;
  quantised = get_quantisation (self, tensor, &quantisation);
#if G_BYTE_ORDER == G_LITTLE_ENDIAN
  if (type == TYPE_FLOAT32 && GPOINTER_TO_SIZE (data) % sizeof (gfloat) == 0)
    return srgan_constant_new_shared (rank, dimensions, n,
        (const gfloat *) (gconstpointer) data, self->source->bytes);
#endif
  if (types[type].real || quantised) {
    constant = srgan_constant_new_numbers (rank, dimensions, n, &numbers);
    srgan_dtype_to_floats (types[type].dtype, data, n, numbers);
    if (!types[type].real &&
        !dequantise (self, &quantisation, rank, dimensions, n, numbers, error))
      g_clear_pointer (&constant, srgan_constant_unref);
    return constant;
  }
  constant = srgan_constant_new_integers (rank, dimensions, n, &integers);
  for (gsize i = 0; i < n; i++)
    integers[i] = srgan_dtype_get_integer (
        types[type].dtype, data + i * srgan_dtype_get_size (types[type].dtype));
  return constant;
}

/* Puts tensor @number into the graph if it is a constant and not there yet. */
static gboolean
add_constant (Reader *self, gint64 number, GError **error)
{
  SrganFlatTable tensor = get_tensor (self, number);
  g_autofree gchar *value = get_value (number);
  SrganConstant *constant;
  gsize offset, n;

  if (tensor.position == 0 || !get_bytes (self, tensor, &offset, &n) ||
      g_hash_table_contains (self->graph->constants, value))
    return TRUE;
  constant = read_constant (self, tensor, offset, n, error);
  if (constant == NULL) {
    g_autofree gchar *name = get_name (self, number);
    g_autofree gchar *quoted = srgan_convert_quote (name, -1);

    g_prefix_error (error, "tensor '%s': ", quoted);
    return FALSE;
  }
  srgan_graph_add_constant (self->graph, value, constant);
  return TRUE;
}

/* --- Operators ----------------------------------------------------------- */

static gint64
get_option (const Operator *op, guint field, gint64 standard)
{
  return srgan_flat_get_int (&op->reader->buffer, op->options, field, standard);
}

static guint8
get_byte_option (const Operator *op, guint field)
{
  return srgan_flat_get_byte (&op->reader->buffer, op->options, field);
}

static void
set_list (const Operator *op, SrganFlatVector vector)
{
  if (vector.position == 0)
    return;
  op->to->has_list = TRUE;
  op->to->n_list = (guint) MIN (vector.n, SRGAN_GRAPH_MAX_LIST);
  for (guint i = 0; i < op->to->n_list; i++)
    op->to->list[i] =
        srgan_flat_vector_get_int (&op->reader->buffer, vector, i);
}

static SrganConstant *
get_constant (const Operator *op, guint input)
{
  const gchar *name = input < op->to->inputs->len
                          ? g_ptr_array_index (op->to->inputs, input)
                          : NULL;

  return name != NULL ? g_hash_table_lookup (op->reader->graph->constants, name)
                      : NULL;
}

/* Takes input @input, a constant, for the node's axis. */
static gboolean
take_axis (const Operator *op, guint input)
{
  SrganConstant *constant = get_constant (op, input);

  if (constant == NULL || constant->n != 1)
    return FALSE;
  op->to->axis = (gint64) srgan_constant_get (constant, 0);
  g_ptr_array_remove_index (op->to->inputs, input);
  return TRUE;
}

static void
add_bounds (const Operator *op, SrganGraphNode *to, gdouble low, gdouble high)
{
  srgan_graph_node_add_constant (
      op->reader->graph, to, srgan_constant_new_scalar (low));
  srgan_graph_node_add_constant (
      op->reader->graph, to, srgan_constant_new_scalar (high));
}

typedef gboolean (*Translate) (Operator *op);

static void
set_window (Operator *op, guint dilations)
{
  op->to->padding =
      get_byte_option (op, 0) == 0 ? SRGAN_PADS_SAME : SRGAN_PADS_VALID;
  op->to->strides[1] = get_option (op, 1, 1);
  op->to->strides[0] = get_option (op, 2, 1);
  if (dilations > 0) {
    op->to->dilations[1] = get_option (op, dilations, 1);
    op->to->dilations[0] = get_option (op, dilations + 1, 1);
  }
}

static gboolean
translate_conv (Operator *op)
{
  op->to->weight_order = SRGAN_WEIGHT_OHWI;
  set_window (op, 4);
  return TRUE;
}

static gboolean
translate_depthwise (Operator *op)
{
  op->to->weight_order = SRGAN_WEIGHT_IHWO;
  op->to->depthwise = TRUE;
  set_window (op, 5);
  return TRUE;
}

/* (size, weight, x, [bias]) */
static gboolean
translate_transposed (Operator *op)
{
  GPtrArray *inputs = op->to->inputs;

  if (inputs->len < 3)
    return FALSE;
  op->to->weight_order = SRGAN_WEIGHT_OHWI;
  set_window (op, 0);
  g_ptr_array_insert (inputs, 0, g_ptr_array_steal_index (inputs, 2));
  g_ptr_array_remove_index (inputs, 1);
  return TRUE;
}

static gboolean
translate_pool (Operator *op)
{
  set_window (op, 0);
  op->to->kernel[1] = get_option (op, 3, 1);
  op->to->kernel[0] = get_option (op, 4, 1);
  return TRUE;
}

/* The matrix is [out][in]; weights may be shuffled for a processor. */
static gboolean
translate_fully_connected (Operator *op)
{
  op->to->transpose_weight = TRUE;
  return get_byte_option (op, 1) == 0;
}

static gboolean
translate_block (Operator *op)
{
  op->to->block = get_option (op, 0, 1);
  return TRUE;
}

static gboolean
translate_concat (Operator *op)
{
  op->to->axis = get_option (op, 0, 0);
  return TRUE;
}

static gboolean
translate_pack (Operator *op)
{
  op->to->axis = get_option (op, 1, 0);
  return TRUE;
}

static gboolean
translate_split (Operator *op)
{
  return take_axis (op, 0);
}

static gboolean
translate_split_sizes (Operator *op)
{
  return take_axis (op, 2);
}

/* A split whose parts lose the axis. */
static gboolean
translate_unpack (Operator *op)
{
  SrganGraph *graph = op->reader->graph;

  op->to->axis = get_option (op, 1, 0);
  for (guint i = 0; i < op->to->outputs->len; i++) {
    gchar *value = op->to->outputs->pdata[i];
    gchar *part = g_strconcat (value, "/part", NULL);
    SrganGraphNode *squeeze =
        srgan_graph_add_simple (graph, SRGAN_NODE_SQUEEZE, part, value);

    squeeze->has_list = TRUE;
    squeeze->n_list = 1;
    squeeze->list[0] = op->to->axis;
    op->to->outputs->pdata[i] = part;
    g_free (value);
  }
  return TRUE;
}

static gboolean
translate_gather (Operator *op)
{
  op->to->axis = get_option (op, 0, 0);
  return get_option (op, 1, 0) == 0;
}

static gboolean
translate_reshape (Operator *op)
{
  if (op->to->inputs->len < 2)
    set_list (
        op, srgan_flat_get_vector (&op->reader->buffer, op->options, 0, 4));
  return TRUE;
}

static gboolean
translate_squeeze (Operator *op)
{
  SrganFlatVector axes =
      srgan_flat_get_vector (&op->reader->buffer, op->options, 0, 4);

  if (axes.n > 0)
    set_list (op, axes);
  return TRUE;
}

static gboolean
translate_strided_slice (Operator *op)
{
  for (guint i = 0; i < 5; i++)
    op->to->list[i] = get_option (op, i, 0);
  return get_byte_option (op, 5) == 0;
}

static gboolean
translate_reduce (Operator *op)
{
  op->to->keep_axes = get_byte_option (op, 0) != 0;
  return TRUE;
}

static gboolean
translate_leaky_relu (Operator *op)
{
  op->to->alpha = srgan_flat_get_float (&op->reader->buffer, op->options, 0);
  return TRUE;
}

static gboolean
translate_relu6 (Operator *op)
{
  add_bounds (op, op->to, 0., 6.);
  return TRUE;
}

static gboolean
translate_relu_1 (Operator *op)
{
  add_bounds (op, op->to, -1., 1.);
  return TRUE;
}

static gboolean
translate_hard_swish (Operator *op)
{
  op->to->alpha = 1. / 6.;
  op->to->beta = .5;
  return TRUE;
}

/* Symmetric padding repeats the edge pixel: by one pixel, that is all. */
static gboolean
translate_mirror_pad (Operator *op)
{
  SrganConstant *amounts = get_constant (op, 1);

  op->to->mode =
      get_byte_option (op, 0) == 0 ? SRGAN_PADDING_REFLECT : SRGAN_PADDING_EDGE;
  for (gsize i = 0;
       op->to->mode == SRGAN_PADDING_EDGE && amounts != NULL && i < amounts->n;
       i++)
    if (srgan_constant_get (amounts, i) > 1.)
      return FALSE;
  return amounts != NULL;
}

static gboolean
set_resize (Operator *op, SrganFilter filter, guint field)
{
  op->to->filter = filter;
  op->to->coordinates =
      get_byte_option (op, field)       ? SRGAN_COORDINATES_ALIGN_CORNERS
      : get_byte_option (op, field + 1) ? SRGAN_COORDINATES_HALF_PIXEL
                                        : SRGAN_COORDINATES_ASYMMETRIC;
  if (op->to->inputs->len != 2)
    return FALSE;
  g_ptr_array_insert (op->to->inputs, 1, NULL);
  return TRUE;
}

static gboolean
translate_bilinear (Operator *op)
{
  return set_resize (op, SRGAN_FILTER_BILINEAR, 2);
}

static gboolean
translate_nearest (Operator *op)
{
  return set_resize (op, SRGAN_FILTER_NEAREST, 0);
}

static gboolean
translate_cast (Operator *op)
{
  guint8 type = get_byte_option (op, 1);

  op->to->integer = type < G_N_ELEMENTS (types) && !types[type].real;
  return TRUE;
}

/* @fused: the field of the options that names an activation, less 1; 0: none.
 */
#define FUSED(field) ((field) + 1)

static const struct {
  gint code;
  const gchar *name;
  SrganNodeKind kind;
  Translate translate;
  guint fused;
} operators[] = {
    {0, "ADD", SRGAN_NODE_ADD, NULL, FUSED (0)},
    {1, "AVERAGE_POOL_2D", SRGAN_NODE_AVERAGE_POOL, translate_pool, FUSED (5)},
    {2, "CONCATENATION", SRGAN_NODE_CONCAT, translate_concat, FUSED (1)},
    {3, "CONV_2D", SRGAN_NODE_CONV, translate_conv, FUSED (3)},
    {4, "DEPTHWISE_CONV_2D", SRGAN_NODE_CONV, translate_depthwise, FUSED (4)},
    {5, "DEPTH_TO_SPACE", SRGAN_NODE_DEPTH_TO_SPACE, translate_block, 0},
    {6, "DEQUANTIZE", SRGAN_NODE_IDENTITY, NULL, 0},
    {8, "FLOOR", SRGAN_NODE_FLOOR, NULL, 0},
    {9, "FULLY_CONNECTED", SRGAN_NODE_MATMUL, translate_fully_connected,
        FUSED (0)},
    {14, "LOGISTIC", SRGAN_NODE_SIGMOID, NULL, 0},
    {17, "MAX_POOL_2D", SRGAN_NODE_MAX_POOL, translate_pool, FUSED (5)},
    {18, "MUL", SRGAN_NODE_MULTIPLY, NULL, FUSED (0)},
    {19, "RELU", SRGAN_NODE_RELU, NULL, 0},
    {20, "RELU_N1_TO_1", SRGAN_NODE_CLIP, translate_relu_1, 0},
    {21, "RELU6", SRGAN_NODE_CLIP, translate_relu6, 0},
    {22, "RESHAPE", SRGAN_NODE_RESHAPE, translate_reshape, 0},
    {23, "RESIZE_BILINEAR", SRGAN_NODE_RESIZE, translate_bilinear, 0},
    {26, "SPACE_TO_DEPTH", SRGAN_NODE_SPACE_TO_DEPTH, translate_block, 0},
    {28, "TANH", SRGAN_NODE_TANH, NULL, 0},
    {34, "PAD", SRGAN_NODE_PAD, NULL, 0},
    {36, "GATHER", SRGAN_NODE_GATHER, translate_gather, 0},
    {39, "TRANSPOSE", SRGAN_NODE_TRANSPOSE, NULL, 0},
    {40, "MEAN", SRGAN_NODE_MEAN, translate_reduce, 0},
    {41, "SUB", SRGAN_NODE_SUBTRACT, NULL, FUSED (0)},
    {42, "DIV", SRGAN_NODE_DIVIDE, NULL, FUSED (0)},
    {43, "SQUEEZE", SRGAN_NODE_SQUEEZE, translate_squeeze, 0},
    {45, "STRIDED_SLICE", SRGAN_NODE_STRIDED_SLICE, translate_strided_slice, 0},
    {47, "EXP", SRGAN_NODE_EXP, NULL, 0},
    {49, "SPLIT", SRGAN_NODE_SPLIT, translate_split, 0},
    {53, "CAST", SRGAN_NODE_CAST, translate_cast, 0},
    {54, "PRELU", SRGAN_NODE_PRELU, NULL, 0},
    {55, "MAXIMUM", SRGAN_NODE_MAXIMUM, NULL, 0},
    {57, "MINIMUM", SRGAN_NODE_MINIMUM, NULL, 0},
    {59, "NEG", SRGAN_NODE_NEGATE, NULL, 0},
    {60, "PADV2", SRGAN_NODE_PAD, NULL, 0},
    {65, "SLICE", SRGAN_NODE_SLICE_SIZE, NULL, 0},
    {67, "TRANSPOSE_CONV", SRGAN_NODE_TRANSPOSED_CONV, translate_transposed,
        FUSED (3)},
    {69, "TILE", SRGAN_NODE_TILE, NULL, 0},
    {70, "EXPAND_DIMS", SRGAN_NODE_UNSQUEEZE, NULL, 0},
    {74, "SUM", SRGAN_NODE_SUM, translate_reduce, 0},
    {75, "SQRT", SRGAN_NODE_SQRT, NULL, 0},
    {76, "RSQRT", SRGAN_NODE_RECIPROCAL_SQRT, NULL, 0},
    {77, "SHAPE", SRGAN_NODE_SHAPE, NULL, 0},
    {78, "POW", SRGAN_NODE_POWER, NULL, 0},
    {83, "PACK", SRGAN_NODE_STACK, translate_pack, 0},
    {88, "UNPACK", SRGAN_NODE_SPLIT, translate_unpack, 0},
    {90, "FLOOR_DIV", SRGAN_NODE_DIVIDE, NULL, 0},
    {92, "SQUARE", SRGAN_NODE_SQUARE, NULL, 0},
    {94, "FILL", SRGAN_NODE_FILL, NULL, 0},
    {95, "FLOOR_MOD", SRGAN_NODE_MODULO, NULL, 0},
    {96, "RANGE", SRGAN_NODE_RANGE, NULL, 0},
    {97, "RESIZE_NEAREST_NEIGHBOR", SRGAN_NODE_RESIZE, translate_nearest, 0},
    {98, "LEAKY_RELU", SRGAN_NODE_LEAKY_RELU, translate_leaky_relu, 0},
    {100, "MIRROR_PAD", SRGAN_NODE_PAD, translate_mirror_pad, 0},
    {101, "ABS", SRGAN_NODE_ABSOLUTE, NULL, 0},
    {102, "SPLIT_V", SRGAN_NODE_SPLIT, translate_split_sizes, 0},
    {104, "CEIL", SRGAN_NODE_CEIL, NULL, 0},
    {114, "QUANTIZE", SRGAN_NODE_IDENTITY, NULL, 0},
    {116, "ROUND", SRGAN_NODE_ROUND, NULL, 0},
    {117, "HARD_SWISH", SRGAN_NODE_HARD_SWISH, translate_hard_swish, 0},
    {130, "BROADCAST_TO", SRGAN_NODE_EXPAND, NULL, 0},
};

/* Where output @number is kept in bytes: the operator gives it before that. */
static void
add_step (Operator *op, guint number)
{
  Reader *self = op->reader;
  SrganFlatTable tensor = get_tensor (
      self, srgan_flat_vector_get_int (&self->buffer, op->outputs, number));
  guint8 type = srgan_flat_get_byte (&self->buffer, tensor, 1);
  gchar *value = op->to->outputs->pdata[number];
  gchar *before;
  SrganGraphNode *node;
  Quantisation quantisation;
  gdouble step, zero;

  if ((type != TYPE_INT8 && type != TYPE_UINT8) ||
      !get_quantisation (self, tensor, &quantisation) ||
      quantisation.scales.n != 1)
    return;
  get_step (self, &quantisation, 0, &step, &zero);
  before = g_strconcat (value, "/real", NULL);
  node =
      srgan_graph_add_simple (self->graph, SRGAN_NODE_QUANTISE, before, value);
  node->alpha = step;
  node->beta = zero + (type == TYPE_INT8 ? 128. : 0.);
  op->to->outputs->pdata[number] = before;
  g_free (value);
}

/* The activation that is part of the operator: a node of its own behind it. */
static gboolean
add_activation (Operator *op, guint8 activation)
{
  static const SrganNodeKind kinds[] = {
      [ACTIVATION_RELU] = SRGAN_NODE_RELU,
      [ACTIVATION_RELU_N1_TO_1] = SRGAN_NODE_CLIP,
      [ACTIVATION_RELU6] = SRGAN_NODE_CLIP,
      [ACTIVATION_TANH] = SRGAN_NODE_TANH,
  };
  gchar *value = op->to->outputs->pdata[0];
  gchar *before;
  SrganGraphNode *node;

  if (activation == ACTIVATION_NONE)
    return TRUE;
  if (activation >= G_N_ELEMENTS (kinds))
    return FALSE;
  before = g_strconcat (value, "/linear", NULL);
  node = srgan_graph_add_simple (
      op->reader->graph, kinds[activation], before, value);
  g_free (node->name);
  node->name = g_strdup (op->to->name);
  if (activation == ACTIVATION_RELU6)
    add_bounds (op, node, 0., 6.);
  else if (activation == ACTIVATION_RELU_N1_TO_1)
    add_bounds (op, node, -1., 1.);
  op->to->outputs->pdata[0] = before;
  g_free (value);
  return TRUE;
}

/* Operator code @index, and what it is called. */
static gint
get_code (Reader *self, gint64 index, gchar **name)
{
  SrganFlatTable code;
  gint builtin;

  *name = NULL;
  if (index < 0 || (guint64) index >= self->codes.n)
    return -1;
  code =
      srgan_flat_vector_get_table (&self->buffer, self->codes, (gsize) index);
  /* the older field has a byte, and later ones their own */
  builtin = MAX ((gint8) srgan_flat_get_byte (&self->buffer, code, 0),
      (gint) srgan_flat_get_int (&self->buffer, code, 3, 0));
  *name = srgan_flat_get_string (&self->buffer, code, 1);
  if (*name == NULL)
    *name = g_strdup_printf ("builtin operator %d", builtin);
  return builtin;
}

static gboolean
translate (Operator *op, gint code)
{
  Reader *self = op->reader;

  for (guint i = 0; i < G_N_ELEMENTS (operators); i++) {
    if (operators[i].code != code)
      continue;
    op->to->kind = operators[i].kind;
    if (operators[i].translate != NULL && !operators[i].translate (op))
      return FALSE;
    return operators[i].fused == 0 ||
           add_activation (op, srgan_flat_get_byte (&self->buffer, op->options,
                                   operators[i].fused - 1));
  }
  return FALSE;
}

static gboolean
read_operator (Reader *self, SrganFlatTable table, GError **error)
{
  SrganFlatBuffer *buffer = &self->buffer;
  Operator op = {.reader = self,
      .options = srgan_flat_get_table (buffer, table, 4),
      .inputs = srgan_flat_get_vector (buffer, table, 1, 4),
      .outputs = srgan_flat_get_vector (buffer, table, 2, 4)};
  g_autofree gchar *name = NULL;
  g_autofree gchar *operation = NULL;
  gint code =
      get_code (self, srgan_flat_get_int (buffer, table, 0, 0), &operation);

  if (op.outputs.n == 0)
    return TRUE;
  if (op.inputs.n > SRGAN_GRAPH_MAX_NODES ||
      op.outputs.n > SRGAN_GRAPH_MAX_LIST)
    return srgan_convert_fail (error, SRGAN_ERROR_TOO_LARGE,
        "an operator of %" G_GSIZE_FORMAT " inputs and %" G_GSIZE_FORMAT
        " outputs",
        op.inputs.n, op.outputs.n);
  name = get_name (self, srgan_flat_vector_get_int (buffer, op.outputs, 0));
  op.to = srgan_graph_add_node (self->graph, SRGAN_NODE_IDENTITY, name);
  op.to->channels_last = TRUE;
  for (gsize i = 0; i < op.inputs.n; i++) {
    gint number = srgan_flat_vector_get_int (buffer, op.inputs, i);
    g_autofree gchar *value = number >= 0 ? get_value (number) : NULL;

    srgan_graph_node_add_input (op.to, value);
    if (number >= 0 && !add_constant (self, number, error))
      return FALSE;
  }
  for (gsize i = 0; i < op.outputs.n; i++) {
    g_autofree gchar *value =
        get_value (srgan_flat_vector_get_int (buffer, op.outputs, i));

    srgan_graph_node_add_output (op.to, value);
    add_step (&op, (guint) i);
  }
  if (!translate (&op, code)) {
    srgan_graph_add_unknown (self->graph, operation, name,
        (const gchar *const *) op.to->outputs->pdata, op.to->outputs->len);
    g_ptr_array_set_size (op.to->outputs, 0);
  }
  return TRUE;
}

/* --- The whole ----------------------------------------------------------- */

/* The values that the codes of a quantised picture stand for, where they are
 * those that pictures have: calibration finds them nearly. */
static gboolean
get_range (Reader *self, SrganFlatTable tensor, gdouble *low, gdouble *high)
{
  static const gdouble ranges[][2] = {{0., 255.}, {0., 1.}, {-1., 1.}};
  guint8 type = srgan_flat_get_byte (&self->buffer, tensor, 1);
  gdouble first = type == TYPE_INT8 ? -128. : 0.;
  Quantisation quantisation;
  gdouble scale, zero;

  if (type != TYPE_INT8 && type != TYPE_UINT8)
    return FALSE;
  if (!get_quantisation (self, tensor, &quantisation)) {
    *low = first;
    *high = first + 255.;
    return TRUE;
  }
  get_step (self, &quantisation, 0, &scale, &zero);
  for (guint i = 0; i < G_N_ELEMENTS (ranges); i++) {
    gdouble slack = .02 * (ranges[i][1] - ranges[i][0]);

    if (fabs (scale * (first - zero) - ranges[i][0]) <= slack &&
        fabs (scale * (first + 255. - zero) - ranges[i][1]) <= slack) {
      *low = ranges[i][0];
      *high = ranges[i][1];
      return TRUE;
    }
  }
  return FALSE;
}

static gboolean
read_model (Reader *self, GError **error)
{
  SrganFlatBuffer *buffer = &self->buffer;
  SrganFlatTable model = srgan_flat_get_root (buffer);
  SrganFlatVector graphs = srgan_flat_get_vector (buffer, model, 2, 4);
  SrganFlatVector ends, nodes;
  SrganFlatTable graph;

  self->codes = srgan_flat_get_vector (buffer, model, 1, 4);
  self->buffers = srgan_flat_get_vector (buffer, model, 4, 4);
  if (graphs.n == 0)
    return srgan_convert_corrupt (
        error, "there is no graph in it (is the file whole?)");
  graph = srgan_flat_vector_get_table (buffer, graphs, 0);
  self->tensors = srgan_flat_get_vector (buffer, graph, 0, 4);
  nodes = srgan_flat_get_vector (buffer, graph, 3, 4);
  if (nodes.n > SRGAN_GRAPH_MAX_NODES)
    return srgan_convert_fail (error, SRGAN_ERROR_TOO_LARGE,
        "more than %u operators", SRGAN_GRAPH_MAX_NODES);
  ends = srgan_flat_get_vector (buffer, graph, 1, 4);
  for (gsize i = 0; i < MIN (ends.n, SRGAN_GRAPH_MAX_LIST); i++) {
    gint number = srgan_flat_vector_get_int (buffer, ends, i);
    SrganFlatTable tensor = get_tensor (self, number);
    gint64 dimensions[SRGAN_GRAPH_MAX_RANK] = {0};
    guint rank = get_shape (self, tensor, dimensions);
    g_autofree gchar *value = get_value (number);

    srgan_graph_add_input (self->graph, value, rank, dimensions, TRUE);
    get_range (self, tensor, &self->graph->input_low, &self->graph->input_high);
  }
  ends = srgan_flat_get_vector (buffer, graph, 2, 4);
  for (gsize i = 0; i < MIN (ends.n, SRGAN_GRAPH_MAX_LIST); i++) {
    gint number = srgan_flat_vector_get_int (buffer, ends, i);
    g_autofree gchar *value = get_value (number);

    srgan_graph_add_output (self->graph, value);
    get_range (self, get_tensor (self, number), &self->graph->output_low,
        &self->graph->output_high);
  }
  for (gsize i = 0; i < nodes.n; i++)
    if (!read_operator (
            self, srgan_flat_vector_get_table (buffer, nodes, i), error))
      return FALSE;
  if (buffer->broken)
    return srgan_convert_corrupt (
        error, "something in it lies beyond its end (is the file whole?)");
  return TRUE;
}

gboolean
srgan_detect_tflite (SrganSource *source)
{
  return srgan_source_has_bytes (source, 4, "TFL3", 4);
}

SrganNetwork *
srgan_read_tflite (SrganSource *source, const SrganConvertOptions *options,
    SrganConvertReport *report, GError **error)
{
  Reader reader = {.source = source,
      .buffer = {source->data, source->size, FALSE},
      .left = 2 * (guint64) source->size};
  SrganNetwork *network = NULL;

  reader.graph = srgan_graph_new (source->name);
  reader.graph->rounds_twice = TRUE;
  if (read_model (&reader, error))
    network = srgan_graph_build (reader.graph, options, report, error);
  srgan_graph_free (reader.graph);
  return network;
}
