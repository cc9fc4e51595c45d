/* convert: ONNX out: opset 17, any height and width.
 *
 * Input and output are float32 [1][c][height][width] with the network's values.
 *
 * SPDX-License-Identifier: MIT
 */
#include "convert/reader.h"
#include "convert/write.h"
#include "network/network-private.h"
#include "network/operations.h"
#include "onnx.pb-c.h"

#include <string.h>

#define OPSET 17
#define IR_VERSION 8
/* TensorProto.DataType and AttributeProto.AttributeType */
#define TYPE_FLOAT 1
#define TYPE_INT64 7
#define TYPE_FLOAT16 10
#define ATTRIBUTE_FLOAT 1
#define ATTRIBUTE_INT 2
#define ATTRIBUTE_STRING 3
#define ATTRIBUTE_INTS 7

typedef struct {
  SrganNetwork *network;
  gboolean half;
  GPtrArray *owned; /* all memory that the message points to */
  GPtrArray *nodes;
  GPtrArray *tensors;
  guint n_names;
  const gchar *prefix; /* of names: the layer's */
  GError *error;
} Writer;

static gpointer
keep (Writer *writer, gpointer memory)
{
  g_ptr_array_add (writer->owned, memory);
  return memory;
}

static gchar *
new_name (Writer *writer)
{
  return keep (
      writer, g_strdup_printf ("%s_%u", writer->prefix, ++writer->n_names));
}

/* --- Tensors ------------------------------------------------------------- */

static gchar *
add_tensor (Writer *writer, gint type, gsize item_size, guint n_dimensions,
    const gint64 *dimensions, gconstpointer data)
{
  Srgan__Onnx__Tensor *tensor = keep (writer, g_new (Srgan__Onnx__Tensor, 1));
  gsize n = 1;

  srgan__onnx__tensor__init (tensor);
  for (guint i = 0; i < n_dimensions; i++)
    n *= (gsize) dimensions[i];
  tensor->n_dims = n_dimensions;
  tensor->dims =
      keep (writer, g_memdup2 (dimensions, n_dimensions * sizeof *dimensions));
  tensor->has_data_type = TRUE;
  tensor->data_type = type;
  tensor->name = new_name (writer);
  tensor->has_raw_data = TRUE;
  tensor->raw_data.len = n * item_size;
  tensor->raw_data.data = (guint8 *) data;
  g_ptr_array_add (writer->tensors, tensor);
  return tensor->name;
}

/* Numbers that stay where they are until the message is packed. With half
 * precision they are stored so and cast where they are used. */
static gchar *add_node (Writer *writer, const gchar *type, guint n_inputs,
    const gchar *const *inputs, Srgan__Onnx__Node **node);
static void set_int (
    Writer *writer, Srgan__Onnx__Node *node, const gchar *name, gint64 value);

static gchar *
add_floats (Writer *writer, guint n_dimensions, const gint64 *dimensions,
    const gfloat *numbers)
{
  gsize n = 1;

  for (guint i = 0; i < n_dimensions; i++)
    n *= (gsize) dimensions[i];
#if G_BYTE_ORDER == G_BIG_ENDIAN
#error "raw_data is little-endian"
#endif
  if (writer->half) {
    guint16 *halves = keep (writer, g_new (guint16, MAX (n, 1)));
    Srgan__Onnx__Node *cast;
    const gchar *name;
    gchar *result;

    for (gsize i = 0; i < n; i++)
      halves[i] = srgan_half_from_float (numbers[i]);
    name =
        add_tensor (writer, TYPE_FLOAT16, 2, n_dimensions, dimensions, halves);
    result = add_node (writer, "Cast", 1, &name, &cast);
    set_int (writer, cast, "to", TYPE_FLOAT);
    return result;
  }
  return add_tensor (
      writer, TYPE_FLOAT, sizeof *numbers, n_dimensions, dimensions, numbers);
}

static gchar *
add_vector (Writer *writer, guint n, const gfloat *numbers)
{
  const gint64 dimensions[] = {n};

  return add_floats (writer, 1, dimensions, numbers);
}

/* [n][1][1], to go with a map's channels */
static gchar *
add_channels (Writer *writer, guint n, const gfloat *numbers)
{
  const gint64 dimensions[] = {n, 1, 1};

  return add_floats (writer, 3, dimensions, numbers);
}

/* Never in half precision. */
static gchar *
add_number (Writer *writer, gfloat number)
{
  gfloat *kept = keep (writer, g_memdup2 (&number, sizeof number));

  return add_tensor (writer, TYPE_FLOAT, sizeof number, 0, NULL, kept);
}

static gchar *
add_ints (Writer *writer, guint n, const gint64 *ints)
{
  const gint64 dimensions[] = {n};
  gint64 *kept = keep (writer, g_memdup2 (ints, n * sizeof *ints));

  return add_tensor (writer, TYPE_INT64, sizeof *ints, 1, dimensions, kept);
}

/* --- Nodes --------------------------------------------------------------- */

static gchar *
add_node (Writer *writer, const gchar *type, guint n_inputs,
    const gchar *const *inputs, Srgan__Onnx__Node **node)
{
  Srgan__Onnx__Node *added = keep (writer, g_new (Srgan__Onnx__Node, 1));

  srgan__onnx__node__init (added);
  added->op_type = (gchar *) type;
  added->name = new_name (writer);
  added->n_input = n_inputs;
  added->input = keep (writer, g_memdup2 (inputs, n_inputs * sizeof *inputs));
  added->n_output = 1;
  added->output = keep (writer, g_new (gchar *, 1));
  added->output[0] = new_name (writer);
  g_ptr_array_add (writer->nodes, added);
  if (node != NULL)
    *node = added;
  return added->output[0];
}

static gchar *
add_unary (Writer *writer, const gchar *type, const gchar *input)
{
  return add_node (writer, type, 1, &input, NULL);
}

static gchar *
add_binary (Writer *writer, const gchar *type, const gchar *a, const gchar *b)
{
  const gchar *inputs[] = {a, b};

  return add_node (writer, type, 2, inputs, NULL);
}

static Srgan__Onnx__Attribute *
add_attribute (
    Writer *writer, Srgan__Onnx__Node *node, const gchar *name, gint type)
{
  Srgan__Onnx__Attribute *attribute =
      keep (writer, g_new (Srgan__Onnx__Attribute, 1));

  if (node->attribute == NULL)
    node->attribute = keep (writer, g_new (Srgan__Onnx__Attribute *, 8));
  g_assert (node->n_attribute < 8);
  srgan__onnx__attribute__init (attribute);
  attribute->name = (gchar *) name;
  attribute->has_type = TRUE;
  attribute->type = type;
  node->attribute[node->n_attribute++] = attribute;
  return attribute;
}

static void
set_int (
    Writer *writer, Srgan__Onnx__Node *node, const gchar *name, gint64 value)
{
  Srgan__Onnx__Attribute *attribute =
      add_attribute (writer, node, name, ATTRIBUTE_INT);

  attribute->has_i = TRUE;
  attribute->i = value;
}

static void
set_float (
    Writer *writer, Srgan__Onnx__Node *node, const gchar *name, gfloat value)
{
  Srgan__Onnx__Attribute *attribute =
      add_attribute (writer, node, name, ATTRIBUTE_FLOAT);

  attribute->has_f = TRUE;
  attribute->f = value;
}

static void
set_string (Writer *writer, Srgan__Onnx__Node *node, const gchar *name,
    const gchar *value)
{
  Srgan__Onnx__Attribute *attribute =
      add_attribute (writer, node, name, ATTRIBUTE_STRING);

  attribute->has_s = TRUE;
  attribute->s.len = strlen (value);
  attribute->s.data = (guint8 *) value;
}

static void
set_ints (Writer *writer, Srgan__Onnx__Node *node, const gchar *name, guint n,
    const gint64 *values)
{
  Srgan__Onnx__Attribute *attribute =
      add_attribute (writer, node, name, ATTRIBUTE_INTS);

  attribute->n_ints = n;
  attribute->ints = keep (writer, g_memdup2 (values, n * sizeof *values));
}

/* --- Activations --------------------------------------------------------- */

/* The spline in its three parts, see SRGAN_ACTIVATION_SPLINE. */
static gchar *
add_spline (Writer *writer, const SrganLayer *layer, const gchar *x)
{
  guint n = layer->out_channels;
  gfloat *c = keep (writer, g_new (gfloat, 7 * (gsize) n));
  const gchar *k[7], *low, *middle, *high, *inputs[3];

  for (guint i = 0; i < n; i++) {
    gdouble left = layer->slope[i], centre = layer->slope[n + i];
    gdouble right = layer->slope[2 * n + i];

    c[i] = (gfloat) (-2 * (centre - .875 * left - .125 * right) / 3);
    c[n + i] = (gfloat) left;
    c[2 * n + i] = (gfloat) centre;
    c[3 * n + i] = (gfloat) ((right - left) / 4);
    c[4 * n + i] = (gfloat) ((left + right) / 6 - centre / 3);
    c[5 * n + i] = (gfloat) (2 * (centre - .125 * left - .875 * right) / 3);
    c[6 * n + i] = (gfloat) right;
  }
  for (guint i = 0; i < 7; i++)
    k[i] = add_channels (writer, n, c + i * (gsize) n);
  low = add_binary (writer, "Add", add_binary (writer, "Mul", x, k[1]), k[0]);
  high = add_binary (writer, "Add", add_binary (writer, "Mul", x, k[6]), k[5]);
  middle =
      add_binary (writer, "Add", add_binary (writer, "Mul", x, k[4]), k[3]);
  middle =
      add_binary (writer, "Add", add_binary (writer, "Mul", x, middle), k[2]);
  middle = add_binary (writer, "Mul", x, middle);
  inputs[0] =
      add_binary (writer, "GreaterOrEqual", x, add_number (writer, 1.f));
  inputs[1] = high;
  inputs[2] = middle;
  middle = add_node (writer, "Where", 3, inputs, NULL);
  inputs[0] = add_binary (writer, "LessOrEqual", x, add_number (writer, -1.f));
  inputs[1] = low;
  inputs[2] = middle;
  return add_node (writer, "Where", 3, inputs, NULL);
}

static gchar *
add_activation (Writer *writer, const SrganLayer *layer, gchar *x)
{
  Srgan__Onnx__Node *node;
  const gchar *inputs[3] = {x};

  switch (layer->activation) {
  case SRGAN_ACTIVATION_NONE:
    return x;
  case SRGAN_ACTIVATION_RELU:
    return add_unary (writer, "Relu", x);
  case SRGAN_ACTIVATION_LEAKY_RELU:
    x = add_node (writer, "LeakyRelu", 1, inputs, &node);
    set_float (writer, node, "alpha", layer->activation_low);
    return x;
  case SRGAN_ACTIVATION_PRELU:
    return add_binary (writer, "PRelu", x,
        add_channels (writer, layer->out_channels, layer->slope));
  case SRGAN_ACTIVATION_SILU:
    return add_binary (writer, "Mul", x, add_unary (writer, "Sigmoid", x));
  case SRGAN_ACTIVATION_CLIP:
    inputs[1] = add_number (writer, layer->activation_low);
    inputs[2] = add_number (writer, layer->activation_high);
    return add_node (writer, "Clip", 3, inputs, NULL);
  case SRGAN_ACTIVATION_TANH:
    return add_unary (writer, "Tanh", x);
  case SRGAN_ACTIVATION_SIGMOID:
    return add_unary (writer, "Sigmoid", x);
  case SRGAN_ACTIVATION_SPLINE:
    return add_spline (writer, layer, x);
  case SRGAN_ACTIVATION_ROOT:
  case SRGAN_ACTIVATION_INVERSE_ROOT:
    x = add_binary (
        writer, "Add", x, add_number (writer, layer->activation_low));
    x = add_unary (writer, "Sqrt", add_unary (writer, "Relu", x));
    return layer->activation == SRGAN_ACTIVATION_ROOT
               ? x
               : add_unary (writer, "Reciprocal", x);
  default:
    srgan_convert_unsupported (&writer->error,
        "layer '%s': activation %s is not written as ONNX", layer->name,
        srgan_activation_to_string (layer->activation));
    return x;
  }
}

/* --- Layers -------------------------------------------------------------- */

static gchar *
add_conv (Writer *writer, const SrganLayer *layer, const gchar *input)
{
  gboolean transposed = layer->operation == SRGAN_OPERATION_TRANSPOSED_CONV;
  gboolean linear = layer->operation == SRGAN_OPERATION_LINEAR;
  gint64 width = linear ? 1 : layer->kernel_width;
  gint64 height = linear ? 1 : layer->kernel_height;
  gint64 stride = MAX (layer->stride, 1), groups = MAX (layer->groups, 1);
  const gint64 shape[] = {transposed ? layer->in_channels : layer->out_channels,
      transposed ? layer->out_channels / groups : layer->in_channels / groups,
      height, width};
  const gint64 kernel[] = {height, width}, strides[] = {stride, stride};
  gint64 pads[4] = {0}; /* top, left, bottom, right */
  const gchar *inputs[3] = {input};
  Srgan__Onnx__Node *node;
  gchar *output;

  if (transposed) {
    pads[0] = (height - stride + 1) / 2;
    pads[1] = (width - stride + 1) / 2;
    pads[2] = height - stride - pads[0];
    pads[3] = width - stride - pads[1];
  } else if (!linear && layer->padding != SRGAN_PADDING_NONE) {
    pads[0] = (height - 1) / 2;
    pads[1] = (width - 1) / 2;
    pads[2] = height - 1 - pads[0];
    pads[3] = width - 1 - pads[1];
  }
  if (!transposed && !linear &&
      (layer->padding == SRGAN_PADDING_EDGE ||
          layer->padding == SRGAN_PADDING_REFLECT)) {
    const gint64 all[] = {0, 0, pads[0], pads[1], 0, 0, pads[2], pads[3]};

    inputs[0] = input;
    inputs[1] = add_ints (writer, 8, all);
    inputs[0] = add_node (writer, "Pad", 2, inputs, &node);
    set_string (writer, node, "mode",
        layer->padding == SRGAN_PADDING_EDGE ? "edge" : "reflect");
    memset (pads, 0, sizeof pads);
  }
  inputs[1] = add_floats (writer, 4, shape, layer->weight);
  if (layer->bias != NULL)
    inputs[2] = add_vector (writer, layer->out_channels, layer->bias);
  output = add_node (writer, transposed ? "ConvTranspose" : "Conv",
      layer->bias != NULL ? 3 : 2, inputs, &node);
  set_ints (writer, node, "kernel_shape", 2, kernel);
  set_ints (writer, node, "strides", 2, strides);
  set_ints (writer, node, "pads", 4, pads);
  set_int (writer, node, "group", groups);
  return output;
}

static gchar *
add_slice (Writer *writer, const gchar *input, guint n, const gint64 *starts,
    const gint64 *ends, const gint64 *axes)
{
  const gchar *inputs[] = {input, add_ints (writer, n, starts),
      add_ints (writer, n, ends), add_ints (writer, n, axes)};

  return add_node (writer, "Slice", 4, inputs, NULL);
}

static gchar *
add_resize (Writer *writer, const SrganLayer *layer, const gchar *const *maps)
{
  static const gchar *const modes[] = {"nearest", "linear", "cubic"};
  const gfloat scales[] = {
      1.f, 1.f, (gfloat) layer->factor, (gfloat) layer->factor};
  const gint64 n_scales = 4;
  const gchar *inputs[4] = {maps[0], "", "", ""};
  Srgan__Onnx__Node *node;
  guint n = 3;
  gchar *output;

  if (layer->n_inputs == 2) {
    /* to the height and width of another map */
    const gint64 first = 2, last = 4, axis = 0;
    const gint64 start[] = {1, layer->out_channels};
    const gchar *parts[2];

    parts[0] = add_ints (writer, 2, start);
    parts[1] = add_slice (
        writer, add_unary (writer, "Shape", maps[1]), 1, &first, &last, &axis);
    inputs[3] = add_node (writer, "Concat", 2, parts, &node);
    set_int (writer, node, "axis", 0);
    n = 4;
  } else {
    gfloat *kept = keep (writer, g_memdup2 (scales, sizeof scales));

    inputs[2] =
        add_tensor (writer, TYPE_FLOAT, sizeof *kept, 1, &n_scales, kept);
  }
  output = add_node (writer, "Resize", n, inputs, &node);
  set_string (writer, node, "mode", modes[layer->filter]);
  if (layer->filter == SRGAN_FILTER_NEAREST && layer->n_inputs == 1) {
    set_string (writer, node, "coordinate_transformation_mode", "asymmetric");
    set_string (writer, node, "nearest_mode", "floor");
  } else {
    set_string (writer, node, "coordinate_transformation_mode", "half_pixel");
    if (layer->filter == SRGAN_FILTER_BICUBIC)
      set_float (writer, node, "cubic_coeff_a", -.5f);
  }
  return output;
}

/* ONNX counts the pixels of a block before the channels; we the other way. */
static gchar *
add_unshuffle (Writer *writer, const SrganLayer *layer, const gchar *input)
{
  guint area = layer->factor * layer->factor, n = layer->in_channels;
  g_autofree gint64 *order = g_new (gint64, (gsize) n * area);
  const gchar *inputs[] = {input, NULL};
  Srgan__Onnx__Node *node;
  gchar *output = add_node (writer, "SpaceToDepth", 1, inputs, &node);

  set_int (writer, node, "blocksize", layer->factor);
  if (n == 1)
    return output;
  for (guint i = 0; i < n; i++)
    for (guint j = 0; j < area; j++)
      order[i * area + j] = (gint64) j * n + i;
  inputs[0] = output;
  inputs[1] = add_ints (writer, n * area, order);
  output = add_node (writer, "Gather", 2, inputs, &node);
  set_int (writer, node, "axis", 1);
  return output;
}

static gchar *
add_layer (Writer *writer, const SrganLayer *layer, const gchar *const *maps)
{
  Srgan__Onnx__Node *node;
  gchar *output;

  switch (layer->operation) {
  case SRGAN_OPERATION_CONV:
  case SRGAN_OPERATION_TRANSPOSED_CONV:
  case SRGAN_OPERATION_LINEAR:
    output = add_conv (writer, layer, maps[0]);
    break;
  case SRGAN_OPERATION_GLOBAL_MEAN:
    output = add_unary (writer, "GlobalAveragePool", maps[0]);
    break;
  case SRGAN_OPERATION_MAX_POOL: {
    const gint64 kernel[] = {layer->kernel_height, layer->kernel_width};
    const gint64 strides[] = {layer->stride, layer->stride};

    output = add_node (writer, "MaxPool", 1, maps, &node);
    set_ints (writer, node, "kernel_shape", 2, kernel);
    set_ints (writer, node, "strides", 2, strides);
    set_int (writer, node, "ceil_mode", layer->ceil_mode);
    break;
  }
  case SRGAN_OPERATION_ADD:
  case SRGAN_OPERATION_MULTIPLY:
    output = (gchar *) maps[0];
    for (guint i = 1; i < layer->n_inputs; i++)
      output = add_binary (writer,
          layer->operation == SRGAN_OPERATION_ADD ? "Add" : "Mul", output,
          maps[i]);
    break;
  case SRGAN_OPERATION_CONCAT:
    output = add_node (writer, "Concat", layer->n_inputs, maps, &node);
    set_int (writer, node, "axis", 1);
    break;
  case SRGAN_OPERATION_SLICE: {
    const gint64 start = layer->first;
    const gint64 end = (gint64) layer->first + layer->out_channels, axis = 1;

    output = add_slice (writer, maps[0], 1, &start, &end, &axis);
    break;
  }
  case SRGAN_OPERATION_CROP: {
    const gint64 starts[] = {layer->crop, layer->crop};
    const gint64 ends[] = {-starts[0], -starts[1]}, axes[] = {2, 3};

    output = add_slice (writer, maps[0], 2, starts, ends, axes);
    break;
  }
  case SRGAN_OPERATION_PIXEL_SHUFFLE:
    output = add_node (writer, "DepthToSpace", 1, maps, &node);
    set_int (writer, node, "blocksize", layer->factor);
    set_string (writer, node, "mode", "CRD");
    break;
  case SRGAN_OPERATION_PIXEL_UNSHUFFLE:
    output = add_unshuffle (writer, layer, maps[0]);
    break;
  case SRGAN_OPERATION_RESIZE:
    output = add_resize (writer, layer, maps);
    break;
  case SRGAN_OPERATION_ACTIVATION:
    output = (gchar *) maps[0];
    break;
  default:
    srgan_convert_unsupported (&writer->error,
        "layer '%s': operation %s is not written as ONNX", layer->name,
        srgan_operation_to_string (layer->operation));
    return NULL;
  }
  return add_activation (writer, layer, output);
}

/* --- The model ----------------------------------------------------------- */

/* A float tensor of 1 x @channels x any height x any width. */
static Srgan__Onnx__ValueInfo *
new_value (Writer *writer, const gchar *name, guint channels,
    const gchar *height, const gchar *width)
{
  Srgan__Onnx__ValueInfo *value =
      keep (writer, g_new (Srgan__Onnx__ValueInfo, 1));
  Srgan__Onnx__Type *type = keep (writer, g_new (Srgan__Onnx__Type, 1));
  Srgan__Onnx__TensorType *tensor =
      keep (writer, g_new (Srgan__Onnx__TensorType, 1));
  Srgan__Onnx__TensorShape *shape =
      keep (writer, g_new (Srgan__Onnx__TensorShape, 1));

  srgan__onnx__value_info__init (value);
  srgan__onnx__type__init (type);
  srgan__onnx__tensor_type__init (tensor);
  srgan__onnx__tensor_shape__init (shape);
  value->name = (gchar *) name;
  value->type = type;
  type->tensor_type = tensor;
  tensor->has_elem_type = TRUE;
  tensor->elem_type = TYPE_FLOAT;
  tensor->shape = shape;
  shape->n_dim = 4;
  shape->dim = keep (writer, g_new (Srgan__Onnx__Dimension *, 4));
  for (guint i = 0; i < 4; i++) {
    shape->dim[i] = keep (writer, g_new (Srgan__Onnx__Dimension, 1));
    srgan__onnx__dimension__init (shape->dim[i]);
    if (i < 2) {
      shape->dim[i]->has_dim_value = TRUE;
      shape->dim[i]->dim_value = i == 0 ? 1 : channels;
    } else {
      shape->dim[i]->dim_param = (gchar *) (i == 2 ? height : width);
    }
  }
  return value;
}

static GBytes *
pack (Writer *writer, guint channels)
{
  Srgan__Onnx__Model model = SRGAN__ONNX__MODEL__INIT;
  Srgan__Onnx__Graph graph = SRGAN__ONNX__GRAPH__INIT;
  Srgan__Onnx__OperatorSetId opset = SRGAN__ONNX__OPERATOR_SET_ID__INIT;
  Srgan__Onnx__OperatorSetId *opsets[] = {&opset};
  Srgan__Onnx__ValueInfo *inputs[] = {
      new_value (writer, "input", channels, "height", "width")};
  Srgan__Onnx__ValueInfo *outputs[] = {
      new_value (writer, "output", channels, "out_height", "out_width")};
  g_auto (GStrv) notes = srgan_network_list_notes (writer->network);
  g_autoptr (GPtrArray) entries = g_ptr_array_new ();
  guint8 *file;
  gsize size;

  for (guint i = 0; notes[i] != NULL; i++) {
    Srgan__Onnx__StringEntry *entry =
        keep (writer, g_new (Srgan__Onnx__StringEntry, 1));

    srgan__onnx__string_entry__init (entry);
    entry->key = notes[i];
    entry->value = (gchar *) srgan_network_get_note (writer->network, notes[i]);
    g_ptr_array_add (entries, entry);
  }
  graph.name = (gchar *) srgan_network_get_name (writer->network);
  graph.n_node = writer->nodes->len;
  graph.node = (Srgan__Onnx__Node **) writer->nodes->pdata;
  graph.n_initializer = writer->tensors->len;
  graph.initializer = (Srgan__Onnx__Tensor **) writer->tensors->pdata;
  graph.n_input = 1;
  graph.input = inputs;
  graph.n_output = 1;
  graph.output = outputs;
  opset.domain = (gchar *) "";
  opset.has_version = TRUE;
  opset.version = OPSET;
  model.has_ir_version = TRUE;
  model.ir_version = IR_VERSION;
  model.producer_name = (gchar *) "gst-srgan";
  model.graph = &graph;
  model.n_opset_import = 1;
  model.opset_import = opsets;
  model.n_metadata_props = entries->len;
  model.metadata_props = (Srgan__Onnx__StringEntry **) entries->pdata;
  size = srgan__onnx__model__get_packed_size (&model);
  file = g_try_malloc (size);
  if (file == NULL) {
    srgan_convert_fail (
        &writer->error, SRGAN_ERROR_TOO_LARGE, "no memory to write it");
    return NULL;
  }
  srgan__onnx__model__pack (&model, file);
  return g_bytes_new_take (file, size);
}

GBytes *
srgan_write_onnx (
    SrganNetwork *network, const SrganWriteOptions *options, GError **error)
{
  guint n = srgan_network_get_n_layers (network);
  g_autofree gchar **outputs = g_new0 (gchar *, n);
  Writer writer = {
      .network = network,
      .half = options->half,
      .owned = g_ptr_array_new_with_free_func (g_free),
      .nodes = g_ptr_array_new (),
      .tensors = g_ptr_array_new (),
  };
  GBytes *bytes = NULL;

  for (guint i = 0; i < n && writer.error == NULL; i++) {
    const SrganLayer *layer = srgan_network_get_layer (network, i);
    const gchar *maps[SRGAN_LAYER_MAX_INPUTS];

    writer.prefix = layer->name;
    for (guint j = 0; j < layer->n_inputs; j++)
      maps[j] = layer->inputs[j] == SRGAN_INPUT_NETWORK
                    ? "input"
                    : outputs[layer->inputs[j]];
    outputs[i] = add_layer (&writer, layer, maps);
  }
  if (writer.error == NULL && writer.nodes->len > 0) {
    Srgan__Onnx__Node *last =
        g_ptr_array_index (writer.nodes, writer.nodes->len - 1);

    /* the last node gives what the last layer does */
    last->output[0] = (gchar *) "output";
    bytes = pack (
        &writer, srgan_network_get_colour (network) == SRGAN_COLOUR_Y ? 1 : 3);
  }
  g_ptr_array_unref (writer.tensors);
  g_ptr_array_unref (writer.nodes);
  g_ptr_array_unref (writer.owned);
  if (writer.error != NULL)
    g_propagate_error (error, writer.error);
  return bytes;
}
