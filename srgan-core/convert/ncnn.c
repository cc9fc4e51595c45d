/* convert: ncnn models: a .param text and the .bin beside it
 * (https://github.com/Tencent/ncnn/wiki/param-and-model-file-structure).
 *
 * Maps have three axes here, channels, height and width. A layer's numbered
 * parameters are its attributes; its weights follow in the .bin in the order of
 * the layers, without names.
 *
 * SPDX-License-Identifier: MIT
 */
#include "convert/graph.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MAGIC "7767517"
#define MAX_PARAMETERS 40
#define MAX_ARRAY 64
#define MAX_BLOBS 64 /* of one layer */

/* What a storage tag may be; any other but 0 is a table of 256 numbers. */
#define TAG_HALF 0x01306b47
#define TAG_INT8 0x000d4b38
#define TAG_FLOAT 0x0002c056

typedef struct {
  gboolean given;
  gdouble value;
  guint n; /* of an array; 0: a number */
  gdouble values[MAX_ARRAY];
} Parameter;

typedef struct {
  const gchar *type;
  const gchar *name;
  guint n_bottoms;
  const gchar *bottoms[MAX_BLOBS];
  guint n_tops;
  const gchar *tops[MAX_BLOBS];
  Parameter parameters[MAX_PARAMETERS];
} Layer;

typedef struct {
  SrganGraph *graph;
  const guint8 *data; /* of the .bin */
  gsize size;
  gsize offset;
  GHashTable *read; /* blobs that some layer reads */
  GPtrArray *made;  /* blobs, in order */
  guint n_parts;    /* made-up names */
} Reader;

/* --- Parameters ---------------------------------------------------------- */

static gint64
get_integer (const Layer *layer, guint id, gint64 standard)
{
  const Parameter *parameter = &layer->parameters[id];

  if (!parameter->given || parameter->n > 0 || parameter->value < -2e9 ||
      parameter->value > 2e9)
    return standard;
  return (gint64) parameter->value;
}

static gdouble
get_number (const Layer *layer, guint id, gdouble standard)
{
  return layer->parameters[id].given ? layer->parameters[id].value : standard;
}

static gboolean
parse_number (const gchar *text, gdouble *value)
{
  gchar *end;

  *value = g_ascii_strtod (text, &end);
  return end != text && (*end == '\0' || *end == ',');
}

/* "id=value" or "-(23300 + id)=n,value,...". */
static gboolean
parse_parameter (Layer *layer, gchar *token, GError **error)
{
  gchar *value = strchr (token, '=');
  Parameter *parameter;
  gint64 id;
  gdouble number;
  gboolean array;

  if (value == NULL)
    return srgan_convert_corrupt (error, "a parameter without '='");
  *value++ = '\0';
  if (!g_ascii_string_to_signed (token, 10, -30000, 30000, &id, NULL))
    return srgan_convert_corrupt (error, "a parameter's number is none");
  array = id <= -23300;
  if (array)
    id = -id - 23300;
  if (id < 0 || id >= MAX_PARAMETERS)
    return srgan_convert_unsupported (
        error, "parameter %d is not known", (gint) id);
  parameter = &layer->parameters[id];
  if (!parse_number (value, &number))
    return srgan_convert_unsupported (
        error, "parameter %d is no number", (gint) id);
  parameter->given = TRUE;
  parameter->value = number;
  if (!array)
    return TRUE;
  if (!(number >= 0. && number <= MAX_ARRAY))
    return srgan_convert_unsupported (
        error, "parameter %d has more than %d numbers", (gint) id, MAX_ARRAY);
  parameter->n = (guint) number;
  for (guint i = 0; i < parameter->n; i++) {
    value = strchr (value, ',');
    if (value == NULL || !parse_number (++value, &parameter->values[i]))
      return srgan_convert_corrupt (
          error, "parameter %d has fewer numbers than it says", (gint) id);
  }
  return TRUE;
}

/* --- Weights ------------------------------------------------------------- */

static const guint8 *
take (Reader *reader, guint64 n, GError **error)
{
  const guint8 *data = reader->data + reader->offset;

  if (n > reader->size - reader->offset) {
    srgan_convert_corrupt (error,
        "its weights lie beyond the .bin's end (is that whole, and the right "
        "one?)");
    return NULL;
  }
  reader->offset += (gsize) n;
  return data;
}

/* @n weights, with a tag before them or plain. @scales: where the tag says
 * int8, set to TRUE: they are to be divided yet. */
static gfloat *
read_weights (Reader *reader, gint64 n, gboolean tagged, gboolean *quantised,
    GError **error)
{
  const guint8 *data;
  guint32 tag = 0;
  gfloat *weights;
  gsize n_bytes;

  if (quantised != NULL)
    *quantised = FALSE;
  if (n < 1 || n > (gint64) SRGAN_NAMED_TENSOR_MAX_NUMBERS) {
    srgan_convert_corrupt (error, "%" G_GINT64_FORMAT " weights cannot be", n);
    return NULL;
  }
  if (tagged) {
    data = take (reader, 4, error);
    if (data == NULL)
      return NULL;
    tag = (guint32) data[0] | (guint32) data[1] << 8 | (guint32) data[2] << 16 |
          (guint32) data[3] << 24;
  }
  n_bytes = tag == TAG_HALF   ? ((gsize) n * 2 + 3) & ~(gsize) 3
            : tag == TAG_INT8 ? ((gsize) n + 3) & ~(gsize) 3
            : tag == 0 || tag == TAG_FLOAT
                ? (gsize) n * 4
                : 1024 + (((gsize) n + 3) & ~(gsize) 3);
  data = take (reader, n_bytes, error);
  if (data == NULL)
    return NULL;
  if (tag == TAG_INT8 && quantised == NULL) {
    srgan_convert_unsupported (error, "weights of 8 bits without scales");
    return NULL;
  }
  weights = g_new (gfloat, n);
  if (tag == TAG_HALF) {
    srgan_dtype_to_floats (SRGAN_DTYPE_FLOAT16, data, (gsize) n, weights);
  } else if (tag == TAG_INT8) {
    srgan_dtype_to_floats (SRGAN_DTYPE_INT8, data, (gsize) n, weights);
    *quantised = TRUE;
  } else if (tag == 0 || tag == TAG_FLOAT) {
    srgan_dtype_to_floats (SRGAN_DTYPE_FLOAT32, data, (gsize) n, weights);
  } else {
    gfloat table[256];

    srgan_dtype_to_floats (SRGAN_DTYPE_FLOAT32, data, 256, table);
    for (gint64 i = 0; i < n; i++)
      weights[i] = table[data[1024 + i]];
  }
  return weights;
}

static SrganConstant *
make_constant (guint rank, const gint64 *dimensions, gint64 n, gfloat *weights)
{
  gfloat *copy;
  SrganConstant *constant =
      srgan_constant_new_numbers (rank, dimensions, 0, &copy);

  g_free (copy);
  constant->n = (gsize) n;
  constant->numbers = weights;
  return constant;
}

/* The next input of @node: a vector of @n weights, shaped [n][1][1] where
 * @of_channels. */
static gboolean
add_vector (Reader *reader, SrganGraphNode *node, gint64 n,
    gboolean of_channels, GError **error)
{
  gint64 dimensions[3] = {n, 1, 1};
  gfloat *weights = read_weights (reader, n, FALSE, NULL, error);

  if (weights == NULL)
    return FALSE;
  srgan_graph_node_add_constant (reader->graph, node,
      make_constant (of_channels ? 3 : 1, dimensions, n, weights));
  return TRUE;
}

/* --- Layers -------------------------------------------------------------- */

static gboolean
unsupported (const Layer *layer, GError **error, const gchar *what)
{
  return srgan_convert_unsupported (error, "%s is not supported", what);
}

/* A node that reads the layer's first blob. */
static SrganGraphNode *
add_node (Reader *reader, const Layer *layer, SrganNodeKind kind)
{
  SrganGraphNode *node =
      srgan_graph_add_node (reader->graph, kind, layer->name);

  srgan_graph_node_add_input (node, layer->bottoms[0]);
  return node;
}

/* Likewise, and makes its first output. */
static SrganGraphNode *
add_whole (Reader *reader, const Layer *layer, SrganNodeKind kind)
{
  SrganGraphNode *node = add_node (reader, layer, kind);

  srgan_graph_node_add_output (node, layer->tops[0]);
  return node;
}

/* Whose output the layer's activation, parameters 9 and 10, takes on to the
 * layer's own. */
static gboolean
add_activation (
    Reader *reader, const Layer *layer, SrganGraphNode *node, GError **error)
{
  gint64 type = get_integer (layer, 9, 0);
  const gdouble *values = layer->parameters[10].values;
  g_autofree gchar *between = NULL;
  SrganGraphNode *activation;
  static const SrganNodeKind kinds[] = {SRGAN_NODE_IDENTITY, SRGAN_NODE_RELU,
      SRGAN_NODE_LEAKY_RELU, SRGAN_NODE_CLIP, SRGAN_NODE_SIGMOID, SRGAN_N_NODES,
      SRGAN_NODE_HARD_SWISH};

  if (type < 0 || type >= (gint64) G_N_ELEMENTS (kinds) ||
      kinds[type] == SRGAN_N_NODES)
    return unsupported (layer, error, "its activation");
  if (type == 0) {
    srgan_graph_node_add_output (node, layer->tops[0]);
    return TRUE;
  }
  between = g_strdup_printf ("\002%u", reader->n_parts++);
  srgan_graph_node_add_output (node, between);
  activation = srgan_graph_add_simple (
      reader->graph, kinds[type], between, layer->tops[0]);
  activation->alpha = values[0];
  activation->beta = values[1];
  if (type == 3)
    for (guint i = 0; i < 2; i++)
      srgan_graph_node_add_constant (
          reader->graph, activation, srgan_constant_new_scalar (values[i]));
  return TRUE;
}

static gboolean
read_conv (Reader *reader, const Layer *layer, GError **error)
{
  gboolean transposed = g_str_has_prefix (layer->type, "Deconv");
  gboolean grouped = g_str_has_suffix (layer->type, "DepthWise");
  gboolean full = strcmp (layer->type, "InnerProduct") == 0;
  gint64 n_out = get_integer (layer, 0, 0);
  gint64 kernel_width = full ? 1 : get_integer (layer, 1, 0);
  gint64 kernel_height = full ? 1 : get_integer (layer, 11, kernel_width);
  gint64 n_weights = get_integer (layer, full ? 2 : 6, 0);
  gint64 has_bias = get_integer (layer, full ? 1 : 5, 0);
  gint64 groups = grouped ? get_integer (layer, 7, 1) : 1;
  gint64 int8 = get_integer (layer, 8, 0);
  gint64 dimensions[4] = {n_out, 0, kernel_height, kernel_width};
  gboolean quantised;
  gfloat *weights;
  g_autofree gfloat *scales = NULL;
  SrganGraphNode *node;
  gint64 per_output;

  if (n_out < 1 || kernel_width < 1 || kernel_height < 1 || groups < 1 ||
      kernel_width > 1024 || kernel_height > 1024 || n_out % groups != 0 ||
      n_weights < 1 || n_weights % (n_out * kernel_width * kernel_height) != 0)
    return srgan_convert_corrupt (error, "its sizes contradict each other");
  dimensions[1] = n_weights / (n_out * kernel_width * kernel_height);
  per_output = n_weights / n_out;
  if (transposed && groups > 1 && dimensions[1] != 1)
    return unsupported (layer, error, "a transposed convolution in groups");
  if (get_integer (layer, transposed ? 28 : 19, 0) != 0)
    return unsupported (layer, error, "a convolution whose weights are a map");

  weights = read_weights (reader, n_weights, TRUE, &quantised, error);
  if (weights == NULL)
    return FALSE;
  node = add_node (
      reader, layer, transposed ? SRGAN_NODE_TRANSPOSED_CONV : SRGAN_NODE_CONV);
  /* out, in: for transposed ones too; one for each group: the same either way
   */
  node->weight_order =
      transposed && groups > 1 ? SRGAN_WEIGHT_IOHW : SRGAN_WEIGHT_OIHW;
  node->groups = groups;
  srgan_graph_node_add_constant (
      reader->graph, node, make_constant (4, dimensions, n_weights, weights));
  if (has_bias != 0 && !add_vector (reader, node, n_out, FALSE, error))
    return FALSE;
  if (int8 != 0) {
    /* one for each output or group, or one for all; then the input's, and the
     * output's where it is to be int8 too */
    gint64 n_scales = grouped ? groups : n_out;

    if (grouped && (int8 == 2 || int8 == 102))
      n_scales = 1;
    scales = read_weights (reader, n_scales, FALSE, NULL, error);
    if (scales == NULL || take (reader, int8 > 100 ? 8 : 4, error) == NULL)
      return FALSE;
    for (gint64 i = 0; quantised && i < n_weights; i++) {
      gint64 out = i / per_output;
      gfloat scale = scales[n_scales == 1 ? 0 : out * n_scales / n_out];

      weights[i] = scale != 0.f ? weights[i] / scale : 0.f;
    }
  } else if (quantised) {
    return srgan_convert_corrupt (error, "weights of 8 bits without scales");
  }
  if (full)
    return add_activation (reader, layer, node, error);

  node->dilations[1] = get_integer (layer, 2, 1);
  node->dilations[0] = get_integer (layer, 12, node->dilations[1]);
  node->strides[1] = get_integer (layer, 3, 1);
  node->strides[0] = get_integer (layer, 13, node->strides[1]);
  node->pads[1] = get_integer (layer, 4, 0);
  node->pads[3] = get_integer (layer, 15, node->pads[1]);
  node->pads[0] = get_integer (layer, 14, node->pads[1]);
  node->pads[2] = get_integer (layer, 16, node->pads[0]);
  if (node->pads[1] == -233 || node->pads[1] == -234)
    node->padding =
        node->pads[1] == -233 ? SRGAN_PADS_SAME : SRGAN_PADS_SAME_LOWER;
  if (transposed) {
    node->output_padding[1] = get_integer (layer, 18, 0);
    node->output_padding[0] = get_integer (layer, 19, node->output_padding[1]);
    if (get_integer (layer, 20, 0) != 0 && node->padding == SRGAN_PADS_GIVEN)
      return unsupported (layer, error, "an output of a fixed size");
  } else if (get_number (layer, 18, 0.) != 0.) {
    return unsupported (layer, error, "padding with another value than 0");
  }
  return add_activation (reader, layer, node, error);
}

static gboolean
read_prelu (Reader *reader, const Layer *layer, GError **error)
{
  SrganGraphNode *node = add_whole (reader, layer, SRGAN_NODE_PRELU);

  return add_vector (reader, node, get_integer (layer, 0, 0), TRUE, error);
}

static gboolean
read_relu (Reader *reader, const Layer *layer, GError **error)
{
  gdouble slope = get_number (layer, 0, 0.);
  SrganGraphNode *node = add_whole (
      reader, layer, slope == 0. ? SRGAN_NODE_RELU : SRGAN_NODE_LEAKY_RELU);

  node->alpha = slope;
  return TRUE;
}

static gboolean
read_clip (Reader *reader, const Layer *layer, GError **error)
{
  SrganGraphNode *node = add_whole (reader, layer, SRGAN_NODE_CLIP);

  for (guint i = 0; i < 2; i++)
    srgan_graph_node_add_constant (reader->graph, node,
        srgan_constant_new_scalar (
            get_number (layer, i, i == 0 ? -G_MAXFLOAT : G_MAXFLOAT)));
  return TRUE;
}

static gboolean
read_simple (Reader *reader, const Layer *layer, GError **error)
{
  static const struct {
    const gchar *type;
    SrganNodeKind kind;
  } kinds[] = {
      {"AbsVal", SRGAN_NODE_ABSOLUTE},
      {"Sigmoid", SRGAN_NODE_SIGMOID},
      {"Swish", SRGAN_NODE_SILU},
      {"TanH", SRGAN_NODE_TANH},
      {"HardSigmoid", SRGAN_NODE_HARD_SIGMOID},
      {"HardSwish", SRGAN_NODE_HARD_SWISH},
  };

  for (guint i = 0; i < G_N_ELEMENTS (kinds); i++)
    if (strcmp (layer->type, kinds[i].type) == 0) {
      SrganGraphNode *node = add_whole (reader, layer, kinds[i].kind);

      node->alpha = get_number (layer, 0, .2);
      node->beta = get_number (layer, 1, .5);
    }
  return TRUE;
}

/* What changes nothing; one blob under several names. */
static gboolean
read_same (Reader *reader, const Layer *layer, GError **error)
{
  for (guint i = 0; i < layer->n_tops; i++)
    srgan_graph_add_simple (
        reader->graph, SRGAN_NODE_IDENTITY, layer->bottoms[0], layer->tops[i]);
  return TRUE;
}

static gboolean
read_binary (Reader *reader, const Layer *layer, GError **error)
{
  static const SrganNodeKind kinds[] = {SRGAN_NODE_ADD, SRGAN_NODE_SUBTRACT,
      SRGAN_NODE_MULTIPLY, SRGAN_NODE_DIVIDE, SRGAN_NODE_MAXIMUM,
      SRGAN_NODE_MINIMUM, SRGAN_NODE_POWER, SRGAN_NODE_SUBTRACT,
      SRGAN_NODE_DIVIDE};
  gint64 type = get_integer (layer, 0, 0);
  gboolean scalar = get_integer (layer, 1, 0) != 0;
  gboolean reversed = type == 7 || type == 8;
  SrganGraphNode *node;

  if (type < 0 || type >= (gint64) G_N_ELEMENTS (kinds))
    return unsupported (layer, error, "its arithmetic");
  if (!scalar && layer->n_bottoms < 2)
    return srgan_convert_corrupt (error, "it needs two inputs");
  node = srgan_graph_add_node (reader->graph, kinds[type], layer->name);
  for (guint i = 0; i < 2; i++) {
    guint at = reversed ? 1 - i : i;

    if (at == 1 && scalar)
      srgan_graph_node_add_constant (reader->graph, node,
          srgan_constant_new_scalar (get_number (layer, 2, 0.)));
    else
      srgan_graph_node_add_input (node, layer->bottoms[at]);
  }
  srgan_graph_node_add_output (node, layer->tops[0]);
  return TRUE;
}

static gboolean
read_unary (Reader *reader, const Layer *layer, GError **error)
{
  static const SrganNodeKind kinds[] = {SRGAN_NODE_ABSOLUTE, SRGAN_NODE_NEGATE,
      SRGAN_NODE_FLOOR, SRGAN_NODE_CEIL, SRGAN_NODE_SQUARE, SRGAN_NODE_SQRT,
      SRGAN_NODE_RECIPROCAL_SQRT, SRGAN_NODE_EXP};
  gint64 type = get_integer (layer, 0, 0);

  if (type == 16)
    add_whole (reader, layer, SRGAN_NODE_TANH);
  else if (type == 15)
    add_whole (reader, layer, SRGAN_NODE_RECIPROCAL);
  else if (type >= 0 && type < (gint64) G_N_ELEMENTS (kinds))
    add_whole (reader, layer, kinds[type]);
  else
    return unsupported (layer, error, "its function");
  return TRUE;
}

static gboolean
read_eltwise (Reader *reader, const Layer *layer, GError **error)
{
  static const SrganNodeKind kinds[] = {
      SRGAN_NODE_MULTIPLY, SRGAN_NODE_ADD, SRGAN_NODE_MAXIMUM};
  gint64 type = get_integer (layer, 0, 0);
  const Parameter *factors = &layer->parameters[1];
  SrganGraphNode *node;

  if (type < 0 || type >= (gint64) G_N_ELEMENTS (kinds))
    return unsupported (layer, error, "its arithmetic");
  if (factors->n > 0 && (type != 1 || factors->n != layer->n_bottoms))
    return srgan_convert_corrupt (error, "other factors than inputs");
  node = srgan_graph_add_node (reader->graph, kinds[type], layer->name);
  for (guint i = 0; i < layer->n_bottoms; i++) {
    g_autofree gchar *between = NULL;
    SrganGraphNode *product;

    if (factors->n == 0) {
      srgan_graph_node_add_input (node, layer->bottoms[i]);
      continue;
    }
    between = g_strdup_printf ("\002%u", reader->n_parts++);
    product = srgan_graph_add_simple (
        reader->graph, SRGAN_NODE_MULTIPLY, layer->bottoms[i], between);
    srgan_graph_node_add_constant (
        reader->graph, product, srgan_constant_new_scalar (factors->values[i]));
    srgan_graph_node_add_input (node, between);
  }
  srgan_graph_node_add_output (node, layer->tops[0]);
  return TRUE;
}

static gboolean
read_concat (Reader *reader, const Layer *layer, GError **error)
{
  SrganGraphNode *node = add_whole (reader, layer, SRGAN_NODE_CONCAT);

  for (guint i = 1; i < layer->n_bottoms; i++)
    srgan_graph_node_add_input (node, layer->bottoms[i]);
  node->axis = get_integer (layer, 0, 0);
  return TRUE;
}

static gboolean
read_slice (Reader *reader, const Layer *layer, GError **error)
{
  const Parameter *sizes = &layer->parameters[0];
  SrganGraphNode *node = add_node (reader, layer, SRGAN_NODE_SPLIT);

  for (guint i = 0; i < layer->n_tops; i++)
    srgan_graph_node_add_output (node, layer->tops[i]);
  node->axis = get_integer (layer, 1, 0);
  if (sizes->n != layer->n_tops)
    return srgan_convert_corrupt (error, "other sizes than outputs");
  /* -233: an equal share of the rest; only where all are */
  for (guint i = 0; i < sizes->n; i++) {
    if ((sizes->values[i] == -233.) != (sizes->values[0] == -233.))
      return unsupported (layer, error, "a mixture of sizes and shares");
    if (!(sizes->values[i] >= 1. && sizes->values[i] < 1e9) &&
        sizes->values[i] != -233.)
      return srgan_convert_corrupt (error, "sizes that cannot be");
    node->list[i] = (gint64) sizes->values[i];
  }
  node->n_list = sizes->n;
  node->has_list = sizes->n > 0 && sizes->values[0] != -233.;
  return TRUE;
}

static gboolean
read_crop (Reader *reader, const Layer *layer, GError **error)
{
  const Parameter *starts = &layer->parameters[9];
  const Parameter *ends = &layer->parameters[10];
  const Parameter *axes = &layer->parameters[11];
  gint64 first[3], last[3], all[3] = {0, 1, 2};
  guint n = 3;
  SrganGraphNode *node;

  if (layer->n_bottoms > 1)
    return unsupported (layer, error, "cutting to the size of another map");
  if (starts->n > 0) {
    n = starts->n;
    if (n > 3 || ends->n != n || (axes->n != n && axes->n != 0))
      return srgan_convert_corrupt (error, "other starts than ends");
    for (guint i = 0; i < n; i++) {
      first[i] = (gint64) CLAMP (starts->values[i], -1e6, 1e6);
      last[i] = ends->values[i] <= -233. || ends->values[i] > 1e6
                    ? G_MAXINT64
                    : (gint64) ends->values[i];
      all[i] = axes->n > 0 ? (gint64) CLAMP (axes->values[i], -9, 9) : i;
    }
  } else {
    for (guint i = 0; i < 3; i++) {
      /* numbered width, height, channels */
      guint id = 2 - i;
      gint64 size = get_integer (layer, 3 + id, 0);

      first[i] = get_integer (layer, id, 0);
      last[i] = -get_integer (layer, 6 + id, 0);
      if (size > 0)
        last[i] = first[i] + size;
      else if (last[i] == 0)
        last[i] = G_MAXINT64;
    }
  }
  node = add_whole (reader, layer, SRGAN_NODE_SLICE);
  srgan_graph_node_add_constant (
      reader->graph, node, srgan_constant_new_vector (first, n));
  srgan_graph_node_add_constant (
      reader->graph, node, srgan_constant_new_vector (last, n));
  srgan_graph_node_add_constant (
      reader->graph, node, srgan_constant_new_vector (all, n));
  return TRUE;
}

static gboolean
read_interp (Reader *reader, const Layer *layer, GError **error)
{
  gint64 type = get_integer (layer, 0, 0);
  gint64 size[2] = {get_integer (layer, 3, 0), get_integer (layer, 4, 0)};
  gint64 two = 2;
  gfloat *scales;
  SrganConstant *constant;
  SrganGraphNode *node;

  if (type < 1 || type > 3 || layer->n_bottoms > 1)
    return unsupported (layer, error, "its way to enlarge");
  node = add_whole (reader, layer, SRGAN_NODE_RESIZE);
  node->filter = type == 1   ? SRGAN_FILTER_NEAREST
                 : type == 2 ? SRGAN_FILTER_BILINEAR
                             : SRGAN_FILTER_BICUBIC;
  node->coordinates = get_integer (layer, 6, 0) != 0
                          ? SRGAN_COORDINATES_ALIGN_CORNERS
                      : type == 1 ? SRGAN_COORDINATES_ASYMMETRIC
                                  : SRGAN_COORDINATES_HALF_PIXEL;
  if (size[0] != 0 || size[1] != 0) {
    srgan_graph_node_add_input (node, NULL);
    srgan_graph_node_add_constant (
        reader->graph, node, srgan_constant_new_vector (size, 2));
    return TRUE;
  }
  constant = srgan_constant_new_numbers (1, &two, 2, &scales);
  scales[0] = (gfloat) get_number (layer, 1, 1.);
  scales[1] = (gfloat) get_number (layer, 2, 1.);
  srgan_graph_node_add_constant (reader->graph, node, constant);
  return TRUE;
}

static gboolean
read_shuffle (Reader *reader, const Layer *layer, GError **error)
{
  gboolean up = strcmp (layer->type, "PixelShuffle") == 0;
  SrganGraphNode *node = add_whole (reader, layer,
      up ? SRGAN_NODE_DEPTH_TO_SPACE : SRGAN_NODE_SPACE_TO_DEPTH);

  node->block = get_integer (layer, 0, 1);
  node->depth_first = get_integer (layer, 1, 0) == 0;
  return TRUE;
}

static gboolean
read_pooling (Reader *reader, const Layer *layer, GError **error)
{
  gboolean averages = get_integer (layer, 0, 0) == 1;
  SrganGraphNode *node;
  gint64 mode = get_integer (layer, 5, 0);

  if (get_integer (layer, 4, 0) != 0) {
    if (!averages)
      return unsupported (layer, error, "the maximum of a whole map");
    node = add_whole (reader, layer, SRGAN_NODE_MEAN);
    node->keep_axes = TRUE;
    return TRUE;
  }
  if (get_integer (layer, 7, 0) != 0)
    return unsupported (layer, error, "adaptive pooling");
  node = add_whole (
      reader, layer, averages ? SRGAN_NODE_AVERAGE_POOL : SRGAN_NODE_MAX_POOL);
  node->kernel[1] = get_integer (layer, 1, 0);
  node->kernel[0] = get_integer (layer, 11, node->kernel[1]);
  node->strides[1] = get_integer (layer, 2, 1);
  node->strides[0] = get_integer (layer, 12, node->strides[1]);
  node->pads[1] = get_integer (layer, 3, 0);
  node->pads[3] = get_integer (layer, 14, node->pads[1]);
  node->pads[0] = get_integer (layer, 13, node->pads[1]);
  node->pads[2] = get_integer (layer, 15, node->pads[0]);
  if (mode == 2 || mode == 3)
    node->padding = SRGAN_PADS_SAME;
  /* full: windows reach beyond the map's end until all of it is in one; where
   * the stride is the kernel, frames are enlarged until it divides them */
  node->ceil_mode = mode == 0 && node->kernel[0] != node->strides[0];
  return TRUE;
}

static gboolean
read_padding (Reader *reader, const Layer *layer, GError **error)
{
  gint64 type = get_integer (layer, 4, 0);
  gint64 amounts[6] = {get_integer (layer, 7, 0), get_integer (layer, 0, 0),
      get_integer (layer, 2, 0), get_integer (layer, 8, 0),
      get_integer (layer, 1, 0), get_integer (layer, 3, 0)};
  SrganGraphNode *node = add_whole (reader, layer, SRGAN_NODE_PAD);

  if (type < 0 || type > 2 || get_integer (layer, 6, 0) != 0)
    return unsupported (layer, error, "its padding");
  node->mode = type == 0   ? SRGAN_PADDING_ZERO
               : type == 1 ? SRGAN_PADDING_EDGE
                           : SRGAN_PADDING_REFLECT;
  srgan_graph_node_add_constant (
      reader->graph, node, srgan_constant_new_vector (amounts, 6));
  srgan_graph_node_add_constant (reader->graph, node,
      srgan_constant_new_scalar (get_number (layer, 5, 0.)));
  return TRUE;
}

static gboolean
read_batch_norm (Reader *reader, const Layer *layer, GError **error)
{
  gint64 n = get_integer (layer, 0, 0);
  gfloat *parts[4] = {NULL};
  /* gain, mean, variance, offset there; gain, offset, mean, variance here */
  static const guint order[4] = {0, 3, 1, 2};
  SrganGraphNode *node = add_whole (reader, layer, SRGAN_NODE_BATCH_NORM);

  node->alpha = get_number (layer, 1, 0.);
  for (guint i = 0; i < 4; i++) {
    parts[i] = read_weights (reader, n, FALSE, NULL, error);
    if (parts[i] == NULL) {
      for (guint j = 0; j < i; j++)
        g_free (parts[j]);
      return FALSE;
    }
  }
  for (guint i = 0; i < 4; i++)
    srgan_graph_node_add_constant (
        reader->graph, node, make_constant (1, &n, n, parts[order[i]]));
  return TRUE;
}

static gboolean
read_scale (Reader *reader, const Layer *layer, GError **error)
{
  gboolean scales = strcmp (layer->type, "Scale") == 0;
  gint64 n = get_integer (layer, 0, 0);
  gboolean has_bias = !scales || get_integer (layer, 1, 0) != 0;
  g_autofree gchar *between = NULL;
  SrganGraphNode *node = NULL;

  if (n == -233 && layer->n_bottoms == 2) {
    node = add_whole (reader, layer, SRGAN_NODE_MULTIPLY);
    srgan_graph_node_add_input (node, layer->bottoms[1]);
    return TRUE;
  }
  if (scales) {
    node = add_node (reader, layer, SRGAN_NODE_MULTIPLY);
    if (!add_vector (reader, node, n, TRUE, error))
      return FALSE;
    if (!has_bias) {
      srgan_graph_node_add_output (node, layer->tops[0]);
      return TRUE;
    }
    between = g_strdup_printf ("\002%u", reader->n_parts++);
    srgan_graph_node_add_output (node, between);
  }
  node = srgan_graph_add_simple (reader->graph, SRGAN_NODE_ADD,
      between != NULL ? between : layer->bottoms[0], layer->tops[0]);
  return add_vector (reader, node, n, TRUE, error);
}

static gboolean
read_constant (Reader *reader, const Layer *layer, GError **error)
{
  gint64 given[4] = {get_integer (layer, 2, 0), get_integer (layer, 11, 0),
      get_integer (layer, 1, 0), get_integer (layer, 0, 0)};
  gint64 dimensions[4];
  guint rank = 0;
  gint64 n = 1;
  gfloat *weights;

  for (guint i = 0; i < 4; i++)
    if (given[i] != 0) {
      if (given[i] < 0 || n > G_MAXINT32 / given[i])
        return srgan_convert_corrupt (error, "a size that cannot be");
      dimensions[rank++] = given[i];
      n *= given[i];
    }
  weights =
      read_weights (reader, n, get_integer (layer, 21, 1) == 0, NULL, error);
  if (weights == NULL)
    return FALSE;
  srgan_graph_add_constant (reader->graph, layer->tops[0],
      make_constant (rank, dimensions, n, weights));
  return TRUE;
}

static gboolean
read_reshape (Reader *reader, const Layer *layer, GError **error)
{
  SrganGraphNode *node = add_whole (reader, layer, SRGAN_NODE_RESHAPE);
  gint64 given[4] = {get_integer (layer, 2, -233),
      get_integer (layer, 11, -233), get_integer (layer, 1, -233),
      get_integer (layer, 0, -233)};

  for (guint i = 0; i < 4; i++)
    if (given[i] != -233)
      node->list[node->n_list++] = given[i];
  node->has_list = TRUE;
  node->keep_zero = TRUE;
  return TRUE;
}

static gboolean
read_permute (Reader *reader, const Layer *layer, GError **error)
{
  /* of width, height and channels in this order, of three axes */
  static const gint64 orders[6][3] = {
      {0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
  gint64 type = get_integer (layer, 0, 0);
  SrganGraphNode *node = add_whole (reader, layer, SRGAN_NODE_TRANSPOSE);

  if (type < 0 || type > 5)
    return unsupported (layer, error, "its order of axes");
  memcpy (node->list, orders[type], sizeof orders[type]);
  node->n_list = 3;
  node->has_list = TRUE;
  return TRUE;
}

static gboolean
read_reduction (Reader *reader, const Layer *layer, GError **error)
{
  gint64 type = get_integer (layer, 0, 0);
  const Parameter *axes = &layer->parameters[3];
  SrganGraphNode *node =
      add_whole (reader, layer, type == 3 ? SRGAN_NODE_MEAN : SRGAN_NODE_SUM);

  if ((type != 3 && type != 0) || get_integer (layer, 1, 1) != 0 ||
      axes->n == 0 || get_number (layer, 2, 1.) != 1.)
    return unsupported (layer, error, "its reduction");
  for (guint i = 0; i < axes->n; i++)
    node->list[i] = (gint64) CLAMP (axes->values[i], -9, 9);
  node->n_list = axes->n;
  node->has_list = TRUE;
  node->keep_axes = TRUE;
  return TRUE;
}

/* What no picture needs but a classifier ends with. */
static gboolean
read_unknown (Reader *reader, const Layer *layer, GError **error)
{
  srgan_graph_add_unknown (
      reader->graph, layer->type, layer->name, layer->tops, layer->n_tops);
  return TRUE;
}

static gboolean
read_input (Reader *reader, const Layer *layer, GError **error)
{
  gint64 dimensions[3] = {get_integer (layer, 2, 0), 0, 0};

  /* the size there is an example */
  srgan_graph_add_input (reader->graph, layer->tops[0], 3, dimensions, FALSE);
  return TRUE;
}

static const struct {
  const gchar *type;
  gboolean (*read) (Reader *reader, const Layer *layer, GError **error);
} readers[] = {
    {"AbsVal", read_simple},
    {"BatchNorm", read_batch_norm},
    {"Bias", read_scale},
    {"BinaryOp", read_binary},
    {"Cast", read_same},
    {"Clip", read_clip},
    {"Concat", read_concat},
    {"Convolution", read_conv},
    {"ConvolutionDepthWise", read_conv},
    {"Crop", read_crop},
    {"Deconvolution", read_conv},
    {"DeconvolutionDepthWise", read_conv},
    {"Dropout", read_same},
    {"Eltwise", read_eltwise},
    {"HardSigmoid", read_simple},
    {"HardSwish", read_simple},
    {"InnerProduct", read_conv},
    {"Input", read_input},
    {"Interp", read_interp},
    {"MemoryData", read_constant},
    {"Noop", read_same},
    {"PReLU", read_prelu},
    {"Padding", read_padding},
    {"Permute", read_permute},
    {"PixelShuffle", read_shuffle},
    {"Pooling", read_pooling},
    {"ReLU", read_relu},
    {"Reduction", read_reduction},
    {"Reorg", read_shuffle},
    {"Reshape", read_reshape},
    {"Scale", read_scale},
    {"Sigmoid", read_simple},
    {"Slice", read_slice},
    {"Softmax", read_unknown},
    {"Split", read_same},
    {"Swish", read_simple},
    {"TanH", read_simple},
    {"UnaryOp", read_unary},
};

/* --- The text ------------------------------------------------------------ */

/* The next word of @line, which is cut; NULL at its end. */
static gchar *
next_word (gchar **line)
{
  gchar *word;

  while (g_ascii_isspace (**line))
    (*line)++;
  if (**line == '\0')
    return NULL;
  word = *line;
  while (**line != '\0' && !g_ascii_isspace (**line))
    (*line)++;
  if (**line != '\0')
    *(*line)++ = '\0';
  return word;
}

static gboolean
parse_count (gchar **line, guint maximum, guint *count)
{
  const gchar *word = next_word (line);
  guint64 value;

  if (word == NULL ||
      !g_ascii_string_to_unsigned (word, 10, 0, maximum, &value, NULL))
    return FALSE;
  *count = (guint) value;
  return TRUE;
}

static gboolean
read_layer (Reader *reader, Layer *layer, gchar *line, GError **error)
{
  gchar *word;

  memset (layer, 0, sizeof *layer);
  layer->type = next_word (&line);
  layer->name = next_word (&line);
  if (layer->type == NULL || layer->name == NULL ||
      !parse_count (&line, MAX_BLOBS, &layer->n_bottoms) ||
      !parse_count (&line, MAX_BLOBS, &layer->n_tops))
    return srgan_convert_corrupt (
        error, "a layer needs a type, a name and its numbers of blobs");
  for (guint i = 0; i < layer->n_bottoms; i++)
    if ((layer->bottoms[i] = next_word (&line)) == NULL)
      return srgan_convert_corrupt (error, "fewer blobs than it says");
  for (guint i = 0; i < layer->n_tops; i++)
    if ((layer->tops[i] = next_word (&line)) == NULL)
      return srgan_convert_corrupt (error, "fewer blobs than it says");
  while ((word = next_word (&line)) != NULL)
    if (!parse_parameter (layer, word, error))
      return FALSE;
  if (layer->n_tops == 0 ||
      (layer->n_bottoms == 0 && strcmp (layer->type, "Input") != 0 &&
          strcmp (layer->type, "MemoryData") != 0))
    return srgan_convert_corrupt (error, "it reads or makes nothing");

  for (guint i = 0; i < layer->n_bottoms; i++)
    g_hash_table_add (reader->read, g_strdup (layer->bottoms[i]));
  for (guint i = 0; i < layer->n_tops; i++)
    g_ptr_array_add (reader->made, g_strdup (layer->tops[i]));
  for (guint i = 0; i < G_N_ELEMENTS (readers); i++)
    if (strcmp (layer->type, readers[i].type) == 0)
      return readers[i].read (reader, layer, error);
  /* its weights, if it has any, are of unknown number */
  return unsupported (layer, error, "a layer of this type");
}

static gboolean
read_text (Reader *reader, SrganSource *source, GError **error)
{
  g_autofree gchar *text =
      g_strndup ((const gchar *) source->data, source->size);
  g_autofree Layer *layer = g_new (Layer, 1);
  gchar *rest = text;
  guint n_lines = 0;

  while (*rest != '\0') {
    gchar *line = rest;
    gsize length = strcspn (rest, "\n");
    g_autofree gchar *start = NULL;

    rest += length;
    if (*rest != '\0')
      *rest++ = '\0';
    if (line[strspn (line, " \t\r")] == '\0')
      continue;
    /* the first two: what it is, and how many layers and blobs it has */
    if (++n_lines <= 2)
      continue;
    if (n_lines > SRGAN_GRAPH_MAX_NODES)
      return srgan_convert_fail (error, SRGAN_ERROR_TOO_LARGE,
          "more than %u layers", SRGAN_GRAPH_MAX_NODES);
    start = srgan_convert_quote (line, (gssize) strcspn (line, "\r"));
    if (!read_layer (reader, layer, line, error)) {
      g_prefix_error (error, "line %u, '%s': ", n_lines, start);
      return FALSE;
    }
  }
  return TRUE;
}

gboolean
srgan_detect_ncnn (SrganSource *source)
{
  return !source->is_folder &&
         srgan_source_has_bytes (source, 0, MAGIC, strlen (MAGIC)) &&
         source->size > strlen (MAGIC) &&
         g_ascii_isspace (source->data[strlen (MAGIC)]);
}

SrganNetwork *
srgan_read_ncnn (SrganSource *source, const SrganConvertOptions *options,
    SrganConvertReport *report, GError **error)
{
  Reader reader = {0};
  g_autofree gchar *base = NULL;
  g_autofree gchar *name = NULL;
  g_autoptr (SrganSource) bin = NULL;
  g_autoptr (SrganGraph) graph = srgan_graph_new (source->name);
  g_autoptr (GHashTable) read =
      g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  g_autoptr (GPtrArray) made = g_ptr_array_new_with_free_func (g_free);

  base = g_path_get_basename (source->path != NULL ? source->path : "x");
  if (g_str_has_suffix (base, ".param"))
    base[strlen (base) - strlen (".param")] = '\0';
  name = g_strdup_printf ("%s.bin", base);
  bin = srgan_source_open_beside (source, name, error);
  if (bin == NULL)
    return NULL;
  if (bin->is_folder) {
    srgan_convert_fail (error, SRGAN_ERROR_READ, "'%s' is a folder", name);
    return NULL;
  }
  reader.graph = graph;
  reader.data = bin->data;
  reader.size = bin->size;
  reader.read = read;
  reader.made = made;
  if (!read_text (&reader, source, error))
    return NULL;
  if (reader.offset != reader.size)
    srgan_report_remark (report,
        "the .bin holds %" G_GSIZE_FORMAT " bytes more than the layers need",
        reader.size - reader.offset);
  for (guint i = 0; i < made->len; i++)
    if (!g_hash_table_contains (read, g_ptr_array_index (made, i)))
      srgan_graph_add_output (graph, g_ptr_array_index (made, i));
  return srgan_graph_build (graph, options, report, error);
}
