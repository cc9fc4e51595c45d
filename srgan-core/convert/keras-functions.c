/* convert: functions that Keras' models call, and Lambda layers.
 *
 * The same function comes as TFOpLambda ("nn.depth_to_space"), as a
 * TensorFlowOpLayer ("DepthToSpace"), as one of keras.ops and as a layer of
 * somebody's own class ("PixelShuffle"): a name, spelled in many ways, and
 * settings by name or place.
 *
 * SPDX-License-Identifier: MIT
 */
#include "convert/keras.h"

#include <string.h>

/* A Lambda's code and how many bytes of it are looked at. */
#define MAX_CODE (1024 * 1024)

/* --- Settings ------------------------------------------------------------ */

/* The setting of any of @names (ends with NULL): a keyword, a member of the
 * layer's settings or the argument at @position, where not negative. */
static JsonNode *
find_setting (SrganKerasCall *call, gint position, const gchar *const *names)
{
  for (; *names != NULL; names++) {
    JsonNode *node = call->keywords != NULL
                         ? json_object_get_member (call->keywords, *names)
                         : NULL;

    if (node == NULL)
      node = json_object_get_member (call->config, *names);
    if (node != NULL && !JSON_NODE_HOLDS_NULL (node))
      return node;
  }
  if (position >= 0 && position < (gint) call->arguments->len) {
    SrganKerasArgument *argument =
        g_ptr_array_index (call->arguments, position);

    return argument->constant;
  }
  return NULL;
}

#define find(call, position, ...) \
  find_setting (call, position, (const gchar *const[]){__VA_ARGS__, NULL})

static const gchar *
get_text (JsonNode *node)
{
  return node != NULL && JSON_NODE_HOLDS_VALUE (node) &&
                 json_node_get_value_type (node) == G_TYPE_STRING
             ? json_node_get_string (node)
             : NULL;
}

static gboolean
get_flag (JsonNode *node)
{
  return node != NULL && JSON_NODE_HOLDS_VALUE (node) &&
         json_node_get_value_type (node) == G_TYPE_BOOLEAN &&
         json_node_get_boolean (node);
}

/* What the argument at @position, or of that name, is as a value. */
static const gchar *
get_operand (
    SrganKeras *self, SrganKerasCall *call, guint position, const gchar *name)
{
  const gchar *value = srgan_keras_get_value (self, call, position);
  JsonNode *node;

  if (value == NULL)
    value = g_hash_table_lookup (call->keyword_values, name);
  if (value != NULL)
    return value;
  node = call->keywords != NULL ? json_object_get_member (call->keywords, name)
                                : NULL;
  if (node != NULL) {
    SrganConstant *constant = srgan_keras_get_constant (node);

    if (constant != NULL) {
      gchar *own = g_strdup_printf ("%s\001keyword %s", call->output, name);

      srgan_graph_add_constant (self->graph, own, constant);
      g_hash_table_replace (call->keyword_values, g_strdup (name), own);
      return own;
    }
  }
  return NULL;
}

/* --- Kinds of functions -------------------------------------------------- */

typedef gboolean (*Add) (SrganKeras *self, SrganKerasCall *call,
    SrganNodeKind kind, const gchar *function, GError **error);

static gboolean
fail_operands (GError **error)
{
  return srgan_convert_unsupported (error, "its arguments are not understood");
}

static gboolean
add_two (SrganKeras *self, SrganKerasCall *call, SrganNodeKind kind,
    const gchar *function, GError **error)
{
  const gchar *x = get_operand (self, call, 0, "x");
  const gchar *y = get_operand (self, call, 1, "y");
  SrganGraphNode *node;

  if (x == NULL || y == NULL)
    return fail_operands (error);
  node = srgan_keras_add_node (self, call, kind, x, call->output);
  srgan_graph_node_add_input (node, y);
  srgan_keras_set_channels (self, call->output,
      MAX (srgan_keras_get_channels (self, x),
          srgan_keras_get_channels (self, y)));
  for (guint i = 2; i < call->arguments->len && kind == SRGAN_NODE_ADD; i++) {
    const gchar *more = srgan_keras_get_value (self, call, i);

    if (more != NULL)
      srgan_graph_node_add_input (node, more);
  }
  return TRUE;
}

static gboolean
add_one (SrganKeras *self, SrganKerasCall *call, SrganNodeKind kind,
    const gchar *function, GError **error)
{
  const gchar *x = get_operand (self, call, 0, "x");
  SrganGraphNode *node;
  gdouble number;

  if (x == NULL)
    return fail_operands (error);
  node = srgan_keras_add_node (self, call, kind, x, call->output);
  if (kind == SRGAN_NODE_LEAKY_RELU) {
    node->alpha = .2;
    if (srgan_keras_is_number (
            find (call, 1, "alpha", "negative_slope"), &number))
      node->alpha = number;
  } else if (kind == SRGAN_NODE_CAST) {
    const gchar *type = get_text (find (call, 1, "dtype", "DstT"));

    node->integer = type != NULL && (strstr (type, "int") != NULL ||
                                        strstr (type, "INT") != NULL);
  }
  return TRUE;
}

static gboolean
add_clip (SrganKeras *self, SrganKerasCall *call, SrganNodeKind kind,
    const gchar *function, GError **error)
{
  const gchar *x = get_operand (self, call, 0, "x");
  gdouble low = 0., high = 6.;
  SrganGraphNode *node;

  if (x == NULL)
    return fail_operands (error);
  if (strcmp (function, "relu6") != 0 &&
      (!srgan_keras_is_number (find (call, 1, "clip_value_min", "x_min",
                                   "min_value", "a_min", "minval", "minValue"),
           &low) ||
          !srgan_keras_is_number (
              find (call, 2, "clip_value_max", "x_max", "max_value", "a_max",
                  "maxval", "maxValue"),
              &high)))
    return fail_operands (error);
  node = srgan_keras_add_node (self, call, SRGAN_NODE_CLIP, x, call->output);
  srgan_graph_node_add_constant (
      self->graph, node, srgan_constant_new_scalar (low));
  srgan_graph_node_add_constant (
      self->graph, node, srgan_constant_new_scalar (high));
  return TRUE;
}

/* A factor in a name: "x2", "2x", "scale_3". */
static gint64
find_factor (const gchar *name)
{
  for (const gchar *c = name; *c != '\0'; c++) {
    if (*c < '2' || *c > '8' || g_ascii_isdigit (c[1]) ||
        (c > name && g_ascii_isdigit (c[-1])))
      continue;
    if (c[1] == 'x' || (c > name && c[-1] == 'x') ||
        (c >= name + 6 && strncmp (c - 6, "scale_", 6) == 0) ||
        (c >= name + 5 && strncmp (c - 5, "scale", 5) == 0))
      return *c - '0';
  }
  return 0;
}

static gint64
get_factor (SrganKerasCall *call, gint position, const gchar *function)
{
  JsonNode *node = find (call, position, "block_size", "upscale_factor",
      "scale_factor", "scale", "factor", "upsampling_factor", "upscale", "size",
      "block", "r", "ratio", "blockSize", "upsample_factor");
  gdouble number;
  gint64 factor;

  if (node != NULL && JSON_NODE_HOLDS_ARRAY (node) &&
      json_array_get_length (json_node_get_array (node)) > 0)
    node = json_array_get_element (json_node_get_array (node), 0);
  if (srgan_keras_is_number (node, &number) && number >= 1. && number <= 16.)
    return (gint64) number;
  factor = find_factor (function);
  return factor != 0 ? factor : find_factor (call->place.name);
}

static gboolean
add_depth_to_space (SrganKeras *self, SrganKerasCall *call, SrganNodeKind kind,
    const gchar *function, GError **error)
{
  const gchar *x = get_operand (self, call, 0, "input");
  const gchar *format = get_text (find (call, 2, "data_format"));
  gint64 block = get_factor (call, 1, function);
  guint channels;
  SrganGraphNode *node;

  if (x == NULL)
    x = get_operand (self, call, 0, "x");
  if (x == NULL)
    return fail_operands (error);
  channels = srgan_keras_get_channels (self, x);
  /* to a picture, else by the smallest factor */
  for (gint64 r = 2; block == 0 && r <= 4; r++)
    if (channels == 3 * r * r || channels == r * r)
      block = r;
  for (gint64 r = 2; block == 0 && r <= 3; r++)
    if (channels > 0 && channels % (r * r) == 0)
      block = r;
  if (block == 0)
    return srgan_convert_unsupported (
        error, "nothing tells the factor of this pixel shuffle");
  node = srgan_keras_add_node (self, call, kind, x, call->output);
  node->block = block;
  node->channels_last =
      format == NULL ||
      (strcmp (format, "NCHW") != 0 && strcmp (format, "channels_first") != 0);
  srgan_keras_set_channels (self, call->output,
      kind == SRGAN_NODE_DEPTH_TO_SPACE ? channels / (guint) (block * block)
                                        : channels * (guint) (block * block));
  return TRUE;
}

static gboolean
add_concat (SrganKeras *self, SrganKerasCall *call, SrganNodeKind kind,
    const gchar *function, GError **error)
{
  gint last = (gint) call->arguments->len - 1;
  gdouble axis = -1.;
  SrganGraphNode *node = NULL;
  guint channels = 0;

  srgan_keras_is_number (find (call, last, "axis"), &axis);
  if (!(ABS (axis) < SRGAN_GRAPH_MAX_RANK))
    return fail_operands (error);
  for (guint i = 0; i < call->arguments->len; i++) {
    SrganKerasArgument *argument = g_ptr_array_index (call->arguments, i);

    if (argument->constant != NULL)
      continue;
    channels += srgan_keras_get_channels (self, argument->value);
    if (node == NULL)
      node = srgan_keras_add_node (
          self, call, kind, argument->value, call->output);
    else
      srgan_graph_node_add_input (node, argument->value);
  }
  if (node == NULL)
    return fail_operands (error);
  node->axis = (gint64) axis;
  srgan_keras_set_channels (self, call->output, channels);
  return TRUE;
}

static gboolean
has_text (const gchar *text, const gchar *part)
{
  return text != NULL && strstr (text, part) != NULL;
}

/* tf.image.resize () and those before it; to a size, or by a factor that some
 * name tells. */
static gboolean
add_resize (SrganKeras *self, SrganKerasCall *call, SrganNodeKind kind,
    const gchar *function, GError **error)
{
  const gchar *x = get_operand (self, call, 0, "images");
  const gchar *filter = get_text (find (call, 2, "method", "interpolation"));
  gboolean plain =
      strcmp (function, "resize") == 0 || strcmp (function, "resizev2") == 0;
  JsonNode *node = find (call, 1, "size", "sizes", "target_size");
  SrganConstant *size = node != NULL ? srgan_keras_get_constant (node) : NULL;
  SrganGraphNode *resize;

  if (x == NULL)
    x = get_operand (self, call, 0, "x");
  if (x == NULL) {
    srgan_constant_unref (size);
    return fail_operands (error);
  }
  if (filter == NULL)
    filter = function;
  resize = srgan_keras_add_node (self, call, kind, x, call->output);
  resize->filter = has_text (filter, "nearest")   ? SRGAN_FILTER_NEAREST
                   : has_text (filter, "bicubic") ? SRGAN_FILTER_BICUBIC
                                                  : SRGAN_FILTER_BILINEAR;
  resize->coordinates =
      get_flag (find (call, 2, "align_corners"))
          ? SRGAN_COORDINATES_ALIGN_CORNERS
      : plain || get_flag (find (call, -1, "half_pixel_centers"))
          ? SRGAN_COORDINATES_HALF_PIXEL
          : SRGAN_COORDINATES_ASYMMETRIC;
  resize->cubic_a =
      resize->coordinates == SRGAN_COORDINATES_HALF_PIXEL ? -.5 : -.75;
  if (size != NULL && size->n == 2) {
    srgan_graph_node_add_input (resize, NULL);
    srgan_graph_node_add_constant (self->graph, resize, size);
    return TRUE;
  }
  srgan_constant_unref (size);
  {
    gint64 factor = get_factor (call, -1, function);
    const gint64 factors[2] = {factor, factor};

    if (factor == 0)
      return srgan_convert_unsupported (
          error, "nothing tells by how much this enlarges");
    srgan_graph_node_add_constant (
        self->graph, resize, srgan_constant_new_vector (factors, 2));
  }
  return TRUE;
}

static gboolean
add_pad (SrganKeras *self, SrganKerasCall *call, SrganNodeKind kind,
    const gchar *function, GError **error)
{
  const gchar *x = get_operand (self, call, 0, "tensor");
  JsonNode *node = find (call, 1, "paddings", "pad_width");
  const gchar *mode = get_text (find (call, 2, "mode"));
  SrganConstant *amounts =
      node != NULL ? srgan_keras_get_constant (node) : NULL;
  SrganGraphNode *pad;

  if (x == NULL)
    x = get_operand (self, call, 0, "x");
  if (x == NULL || amounts == NULL || amounts->rank != 2 ||
      amounts->integers == NULL) {
    srgan_constant_unref (amounts);
    return fail_operands (error);
  }
  pad = srgan_keras_add_node (self, call, kind, x, call->output);
  if (mode != NULL && g_ascii_strcasecmp (mode, "reflect") == 0)
    pad->mode = SRGAN_PADDING_REFLECT;
  if (mode != NULL && g_ascii_strcasecmp (mode, "edge") == 0)
    pad->mode = SRGAN_PADDING_EDGE;
  if (mode != NULL && g_ascii_strcasecmp (mode, "symmetric") == 0) {
    /* the edge pixel again: by one, that is all */
    pad->mode = SRGAN_PADDING_EDGE;
    for (gsize i = 0; i < amounts->n; i++)
      if (amounts->integers[i] > 1) {
        srgan_constant_unref (amounts);
        return srgan_convert_unsupported (
            error, "symmetric padding by more than one pixel");
      }
  }
  srgan_graph_node_add_constant (self->graph, pad, amounts);
  return TRUE;
}

static gboolean
add_mean (SrganKeras *self, SrganKerasCall *call, SrganNodeKind kind,
    const gchar *function, GError **error)
{
  const gchar *x = get_operand (self, call, 0, "input_tensor");
  JsonNode *node = find (call, 1, "axis", "axes", "reduction_indices");
  SrganConstant *axes = node != NULL ? srgan_keras_get_constant (node) : NULL;
  SrganGraphNode *mean;

  if (x == NULL)
    x = get_operand (self, call, 0, "x");
  if (x == NULL || axes == NULL || axes->n > SRGAN_GRAPH_MAX_RANK) {
    srgan_constant_unref (axes);
    return fail_operands (error);
  }
  mean = srgan_keras_add_node (self, call, kind, x, call->output);
  mean->has_list = TRUE;
  mean->n_list = (guint) axes->n;
  for (gsize i = 0; i < axes->n; i++)
    mean->list[i] =
        (gint64) CLAMP (srgan_constant_get (axes, i), -1000., 1000.);
  mean->keep_axes =
      get_flag (find (call, 2, "keepdims", "keep_dims", "keep_axes"));
  srgan_constant_unref (axes);
  return TRUE;
}

/* Lambdas by which well-known models bring pictures into their range, by the
 * names of their functions (github.com/krasserm/super-resolution,
 * model/common.py). */
static gboolean
add_range (SrganKeras *self, SrganKerasCall *call, SrganNodeKind kind,
    const gchar *function, GError **error)
{
  static const struct {
    const gchar *name;
    gdouble gain;
    gdouble offset[3];
  } ranges[] = {
      {"normalize01", 1. / 255., {0., 0., 0.}},
      {"normalizem11", 1. / 127.5, {-1., -1., -1.}},
      {"denormalizem11", 127.5, {127.5, 127.5, 127.5}},
      {"denormalize01", 255., {0., 0., 0.}},
      /* means of DIV2K */
      {"normalize", 1. / 127.5, {-.8976, -.8742, -.808}},
      {"denormalize", 127.5, {114.444, 111.4605, 103.02}},
  };
  const gchar *x = srgan_keras_get_value (self, call, 0);
  const gint64 n = 3;
  g_autofree gchar *between = g_strconcat (call->output, "\001scaled", NULL);

  for (guint i = 0; i < G_N_ELEMENTS (ranges) && x != NULL; i++) {
    SrganConstant *offset;
    gfloat *numbers;

    if (strcmp (ranges[i].name, function) != 0)
      continue;
    srgan_graph_node_add_constant (self->graph,
        srgan_keras_add_node (self, call, SRGAN_NODE_MULTIPLY, x, between),
        srgan_constant_new_scalar (ranges[i].gain));
    if (ranges[i].offset[0] == ranges[i].offset[1]) {
      offset = srgan_constant_new_scalar (ranges[i].offset[0]);
    } else {
      offset = srgan_constant_new_numbers (1, &n, 3, &numbers);
      for (guint c = 0; c < 3; c++)
        numbers[c] = (gfloat) ranges[i].offset[c];
    }
    srgan_graph_node_add_constant (self->graph,
        srgan_keras_add_node (
            self, call, SRGAN_NODE_ADD, between, call->output),
        offset);
    return TRUE;
  }
  return fail_operands (error);
}

/* UpscalerJS: x beta, 0.2 where the file does not keep it */
static gboolean
add_beta (SrganKeras *self, SrganKerasCall *call, SrganNodeKind kind,
    const gchar *function, GError **error)
{
  const gchar *x = srgan_keras_get_value (self, call, 0);
  gdouble beta = .2;

  if (x == NULL)
    return fail_operands (error);
  srgan_keras_is_number (find (call, -1, "beta"), &beta);
  srgan_graph_node_add_constant (self->graph,
      srgan_keras_add_node (self, call, kind, x, call->output),
      srgan_constant_new_scalar (beta));
  return TRUE;
}

/* --- The table ----------------------------------------------------------- */

/* Names in small letters, without underscores and what is before a dot. */
static const struct {
  const gchar *name;
  SrganNodeKind kind;
  Add add;
} functions[] = {
    {"absolute", SRGAN_NODE_ABSOLUTE, add_one},
    {"add", SRGAN_NODE_ADD, add_two},
    {"addn", SRGAN_NODE_ADD, add_two},
    {"addv2", SRGAN_NODE_ADD, add_two},
    {"biasadd", SRGAN_NODE_ADD, add_two},
    {"cast", SRGAN_NODE_CAST, add_one},
    {"clip", SRGAN_NODE_CLIP, add_clip},
    {"clipbyvalue", SRGAN_NODE_CLIP, add_clip},
    {"concat", SRGAN_NODE_CONCAT, add_concat},
    {"concatenate", SRGAN_NODE_CONCAT, add_concat},
    {"concatv2", SRGAN_NODE_CONCAT, add_concat},
    {"converttotensor", SRGAN_NODE_IDENTITY, add_one},
    {"denormalize", SRGAN_NODE_ADD, add_range},
    {"denormalize01", SRGAN_NODE_ADD, add_range},
    {"denormalizem11", SRGAN_NODE_ADD, add_range},
    {"depthtospace", SRGAN_NODE_DEPTH_TO_SPACE, add_depth_to_space},
    {"divide", SRGAN_NODE_DIVIDE, add_two},
    {"ensureshape", SRGAN_NODE_IDENTITY, add_one},
    {"identity", SRGAN_NODE_IDENTITY, add_one},
    {"leakyrelu", SRGAN_NODE_LEAKY_RELU, add_one},
    {"maximum", SRGAN_NODE_MAXIMUM, add_two},
    {"mean", SRGAN_NODE_MEAN, add_mean},
    {"minimum", SRGAN_NODE_MINIMUM, add_two},
    {"mirrorpad", SRGAN_NODE_PAD, add_pad},
    {"mul", SRGAN_NODE_MULTIPLY, add_two},
    {"multiply", SRGAN_NODE_MULTIPLY, add_two},
    {"multiplybeta", SRGAN_NODE_MULTIPLY, add_beta},
    {"neg", SRGAN_NODE_NEGATE, add_one},
    {"negative", SRGAN_NODE_NEGATE, add_one},
    {"normalize", SRGAN_NODE_ADD, add_range},
    {"normalize01", SRGAN_NODE_ADD, add_range},
    {"normalizem11", SRGAN_NODE_ADD, add_range},
    {"pad", SRGAN_NODE_PAD, add_pad},
    {"padv2", SRGAN_NODE_PAD, add_pad},
    {"pixelshuffle", SRGAN_NODE_DEPTH_TO_SPACE, add_depth_to_space},
    {"pixelshuffler", SRGAN_NODE_DEPTH_TO_SPACE, add_depth_to_space},
    {"realdiv", SRGAN_NODE_DIVIDE, add_two},
    {"reducemean", SRGAN_NODE_MEAN, add_mean},
    {"relu", SRGAN_NODE_RELU, add_one},
    {"relu6", SRGAN_NODE_CLIP, add_clip},
    {"resize", SRGAN_NODE_RESIZE, add_resize},
    {"resizebicubic", SRGAN_NODE_RESIZE, add_resize},
    {"resizebilinear", SRGAN_NODE_RESIZE, add_resize},
    {"resizenearestneighbor", SRGAN_NODE_RESIZE, add_resize},
    {"resizev2", SRGAN_NODE_RESIZE, add_resize},
    {"sigmoid", SRGAN_NODE_SIGMOID, add_one},
    {"silu", SRGAN_NODE_SILU, add_one},
    {"spacetodepth", SRGAN_NODE_SPACE_TO_DEPTH, add_depth_to_space},
    {"sqrt", SRGAN_NODE_SQRT, add_one},
    {"square", SRGAN_NODE_SQUARE, add_one},
    {"stopgradient", SRGAN_NODE_IDENTITY, add_one},
    {"sub", SRGAN_NODE_SUBTRACT, add_two},
    {"subpixel", SRGAN_NODE_DEPTH_TO_SPACE, add_depth_to_space},
    {"subpixelconv2d", SRGAN_NODE_DEPTH_TO_SPACE, add_depth_to_space},
    {"subpixelupscaling", SRGAN_NODE_DEPTH_TO_SPACE, add_depth_to_space},
    {"subtract", SRGAN_NODE_SUBTRACT, add_two},
    {"swish", SRGAN_NODE_SILU, add_one},
    {"tanh", SRGAN_NODE_TANH, add_one},
    {"truediv", SRGAN_NODE_DIVIDE, add_two},
    {"truedivide", SRGAN_NODE_DIVIDE, add_two},
};

/* "tf.nn.depth_to_space" -> "depthtospace" */
static gchar *
simplify_name (const gchar *function)
{
  const gchar *dot = strrchr (function, '.');
  GString *name = g_string_new (NULL);

  for (const gchar *c = dot != NULL ? dot + 1 : function; *c != '\0'; c++)
    if (*c != '_')
      g_string_append_c (name, g_ascii_tolower (*c));
  return g_string_free (name, FALSE);
}

/* TensorFlow's own node: its settings become keywords, its constants
 * arguments; gives the operation, %NULL where it is no node. */
static gchar *
unpack_node (SrganKerasCall *call)
{
  const gchar *text = srgan_keras_get_string (call->config, "node_def");
  g_autoptr (JsonParser) parser = json_parser_new ();
  JsonObject *node = srgan_keras_get_object (call->config, "node_def");
  JsonObject *constants = srgan_keras_get_object (call->config, "constants");
  JsonObject *attributes;
  JsonObjectIter iter;
  const gchar *name, *operation;
  JsonNode *member;

  if (node == NULL && text != NULL)
    node = srgan_json_parse (parser, text, strlen (text), "node_def",
        &srgan_keras_json_limits, NULL);
  operation = srgan_keras_get_string (node, "op");
  if (operation == NULL)
    return NULL;
  if (call->keywords == NULL)
    call->keywords = json_object_new ();
  attributes = srgan_keras_get_object (node, "attr");
  if (attributes != NULL) {
    json_object_iter_init (&iter, attributes);
    while (json_object_iter_next (&iter, &name, &member)) {
      JsonObject *value = JSON_NODE_HOLDS_OBJECT (member)
                              ? json_node_get_object (member)
                              : NULL;
      const gchar *string = srgan_keras_get_string (value, "s");
      const gchar *integer = srgan_keras_get_string (value, "i");

      if (integer != NULL) {
        json_object_set_int_member (
            call->keywords, name, g_ascii_strtoll (integer, NULL, 10));
      } else if (string != NULL) {
        gsize n;
        g_autofree guchar *bytes = g_base64_decode (string, &n);
        g_autofree gchar *decoded = g_strndup ((const gchar *) bytes, n);
        g_autofree gchar *valid = g_utf8_make_valid (decoded, -1);

        json_object_set_string_member (call->keywords, name, valid);
      } else if (value != NULL) {
        static const gchar *const kinds[] = {"i", "f", "b", "type"};

        for (guint i = 0; i < G_N_ELEMENTS (kinds); i++)
          if (json_object_has_member (value, kinds[i]))
            json_object_set_member (call->keywords, name,
                json_node_copy (json_object_get_member (value, kinds[i])));
      }
    }
  }
  /* at their places among the inputs */
  for (guint i = 0; constants != NULL && i < 64; i++) {
    g_autofree gchar *key = g_strdup_printf ("%u", i);
    JsonNode *constant = json_object_get_member (constants, key);
    SrganKerasArgument *argument;

    if (constant == NULL)
      continue;
    argument = g_new0 (SrganKerasArgument, 1);
    argument->constant = constant;
    g_ptr_array_insert (
        call->arguments, (gint) MIN (i, call->arguments->len), argument);
  }
  return g_strdup (operation);
}

gboolean
srgan_keras_add_function (SrganKeras *self, SrganKerasCall *call,
    const gchar *function, gboolean *known, GError **error)
{
  g_autofree gchar *operation = NULL;
  g_autofree gchar *name = NULL;

  *known = FALSE;
  if (strcmp (function, "TensorFlowOpLayer") == 0) {
    operation = unpack_node (call);
    if (operation == NULL)
      return srgan_convert_corrupt (error, "a layer without its operation");
    if (!srgan_keras_add_function (self, call, operation, known, error))
      return FALSE;
    if (!*known) {
      g_autofree gchar *quoted = srgan_convert_quote (operation, -1);

      return srgan_convert_unsupported (
          error, "operation '%s' is not supported", quoted);
    }
    return TRUE;
  }
  name = simplify_name (function);
  for (guint i = 0; i < G_N_ELEMENTS (functions); i++) {
    gsize length = strlen (functions[i].name);
    /* "PixelShuffle2x" */
    gboolean numbered =
        functions[i].add == add_depth_to_space &&
        g_str_has_prefix (name, functions[i].name) &&
        strspn (name + length, "x2345678") == strlen (name + length);

    if (!numbered && strcmp (functions[i].name, name) != 0)
      continue;
    *known = TRUE;
    return functions[i].add (self, call, functions[i].kind, name, error);
  }
  return TRUE;
}

/* --- Lambdas ------------------------------------------------------------- */

/* Whether marshalled code has this name or text: with its length before it
 * (Python/marshal.c: short strings in one byte, others in four). */
static gboolean
has_name (const guint8 *code, gsize n, const gchar *name)
{
  gsize length = strlen (name);

  for (gsize i = 1; i + length <= n; i++)
    if (code[i - 1] == length && memcmp (code + i, name, length) == 0)
      return TRUE;
    else if (i >= 4 && code[i - 4] == length && code[i - 3] == 0 &&
             code[i - 2] == 0 && code[i - 1] == 0 &&
             memcmp (code + i, name, length) == 0)
      return TRUE;
  return FALSE;
}

/* The only whole number from 2 to 8 in it, else 0. */
static gint64
find_only_integer (const guint8 *code, gsize n)
{
  gint64 found = 0;

  for (gsize i = 0; i + 5 <= n; i++) {
    gint64 number;

    if ((code[i] & 0x7f) != 'i' || code[i + 2] != 0 || code[i + 3] != 0 ||
        code[i + 4] != 0 || code[i + 1] < 2 || code[i + 1] > 8)
      continue;
    number = code[i + 1];
    if (found != 0 && found != number)
      return 0;
    found = number;
  }
  return found;
}

/* The code of "lambda x: x OPERATION NUMBER" and nothing else, in the words of
 * Python 3.6 to 3.12: load the first argument, load the number, operate,
 * return. */
static gboolean
find_arithmetic (const guint8 *code, gsize n, SrganNodeKind *kind)
{
  static const struct {
    SrganNodeKind kind;
    guint8 old;      /* opcode, to 3.10 */
    guint8 argument; /* of BINARY_OP, from 3.11 on */
  } operations[] = {
      {SRGAN_NODE_MULTIPLY, 20, 5},
      {SRGAN_NODE_ADD, 23, 0},
      {SRGAN_NODE_SUBTRACT, 24, 10},
      {SRGAN_NODE_DIVIDE, 27, 11},
  };

  for (guint i = 0; i < G_N_ELEMENTS (operations); i++)
    for (guint closure = 0; closure < 2; closure++) {
      guint8 load = closure ? 136 : 100; /* LOAD_DEREF, LOAD_CONST */
      guint8 index = closure ? 0 : 1;
      const guint8 old[] = {
          8, 0, 0, 0, 124, 0, load, index, operations[i].old, 0, 83, 0};
      const guint8 new[] = {12, 0, 0, 0, 151, 0, 124, 0, load, index, 122,
          operations[i].argument, 0, 0, 83, 0};

      for (gsize at = 0; at < n; at++)
        if ((at + sizeof old <= n &&
                memcmp (code + at, old, sizeof old) == 0) ||
            (at + sizeof new <= n &&memcmp (code + at, new, sizeof new) == 0)) {
          *kind = operations[i].kind;
          return TRUE;
        }
    }
  return FALSE;
}

/* The only number that its constants hold: "g" and 8 bytes, or a whole one. */
static gboolean
find_number (const guint8 *code, gsize n, gdouble *number)
{
  guint found = 0;

  /* the constants are a small tuple of None and the number */
  for (gsize i = 0; i + 3 < n; i++) {
    if ((code[i] & 0x7f) != ')' || code[i + 1] != 2 || code[i + 2] != 'N')
      continue;
    if ((code[i + 3] & 0x7f) == 'g' && i + 12 <= n) {
      guint64 bits;

      memcpy (&bits, code + i + 4, sizeof bits);
      bits = GUINT64_FROM_LE (bits);
      memcpy (number, &bits, sizeof bits);
      found++;
    } else if ((code[i + 3] & 0x7f) == 'i' && i + 8 <= n) {
      guint32 bits;

      memcpy (&bits, code + i + 4, sizeof bits);
      *number = (gint32) GUINT32_FROM_LE (bits);
      found++;
    }
  }
  return found == 1 && ABS (*number) < 1e9;
}

static gboolean
add_arithmetic (
    SrganKeras *self, SrganKerasCall *call, SrganNodeKind kind, gdouble number)
{
  srgan_graph_node_add_constant (self->graph,
      srgan_keras_add_node (self, call, kind,
          srgan_keras_get_value (self, call, 0), call->output),
      srgan_constant_new_scalar (number));
  return TRUE;
}

static void
set_factor (SrganKerasCall *call, gint64 factor)
{
  if (call->keywords == NULL)
    call->keywords = json_object_new ();
  json_object_set_int_member (call->keywords, "block_size", factor);
}

/* What the code tells by its names: one function of those that are known. */
static const gchar *
find_function (const guint8 *code, gsize n)
{
  static const gchar *const names[] = {"depth_to_space", "space_to_depth",
      "resize_nearest_neighbor", "resize_bilinear", "resize_bicubic",
      "clip_by_value", "sigmoid", "tanh", "relu", "leaky_relu", "resize",
      "resize_images", "reduce_mean", "concat", "pad", "tile", "reshape",
      "transpose", "conv2d"};
  const gchar *found = NULL;

  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    if (has_name (code, n, names[i])) {
      if (found != NULL)
        return NULL;
      found = names[i];
    }
  return found;
}

/* The numbers that a closure or defaults hold: the only one, else FALSE. */
static gboolean
find_captured (JsonArray *array, gdouble *number)
{
  guint n = 0;

  for (guint i = 0; array != NULL && i < json_array_get_length (array); i++)
    n += srgan_keras_is_number (json_array_get_element (array, i), number);
  return n == 1;
}

static gboolean
add_code (SrganKeras *self, SrganKerasCall *call, const gchar *text,
    JsonArray *defaults, JsonArray *closure, gboolean *known, GError **error)
{
  g_autofree guchar *code = NULL;
  const gchar *function;
  SrganNodeKind kind;
  gdouble number;
  gint64 factor;
  gsize n;

  *known = TRUE;
  if (strlen (text) > MAX_CODE)
    return srgan_convert_fail (
        error, SRGAN_ERROR_TOO_LARGE, "a function of that size");
  code = g_base64_decode (text, &n);
  if (find_arithmetic (code, n, &kind) &&
      (find_number (code, n, &number) || find_captured (closure, &number)))
    return add_arithmetic (self, call, kind, number);
  function = find_function (code, n);
  factor = find_only_integer (code, n);
  if (factor == 0 &&
      (find_captured (closure, &number) || find_captured (defaults, &number)) &&
      number >= 2. && number <= 8.)
    factor = (gint64) number;
  if (function != NULL &&
      (strstr (function, "depth") != NULL ||
          (g_str_has_prefix (function, "resize") &&
              strcmp (function, "resize_images") != 0 && factor != 0))) {
    if (factor != 0)
      set_factor (call, factor);
    if (strcmp (function, "resize") == 0)
      json_object_set_string_member (call->keywords, "method",
          has_name (code, n, "bicubic") || has_name (code, n, "BICUBIC")
              ? "bicubic"
          : has_name (code, n, "nearest") ||
                  has_name (code, n, "NEAREST_NEIGHBOR")
              ? "nearest"
              : "bilinear");
    return srgan_keras_add_function (self, call, function, known, error);
  }
  *known = FALSE;
  return TRUE;
}

/* By the layer's own name: "depth_to_space_1", "tf_pixel_shuffle" */
static const gchar *
find_in_name (const gchar *name)
{
  static const gchar *const parts[][2] = {{"depth_to_space", "depth_to_space"},
      {"depth2space", "depth_to_space"}, {"pixel_shuffle", "depth_to_space"},
      {"pixelshuffle", "depth_to_space"}, {"subpixel", "depth_to_space"},
      {"sub_pixel", "depth_to_space"}, {"shuffler", "depth_to_space"},
      {"space_to_depth", "space_to_depth"}};
  g_autofree gchar *lower = g_ascii_strdown (name, -1);

  for (guint i = 0; i < G_N_ELEMENTS (parts); i++)
    if (strstr (lower, parts[i][0]) != NULL)
      return parts[i][1];
  return NULL;
}

gboolean
srgan_keras_add_lambda (SrganKeras *self, SrganKerasCall *call, GError **error)
{
  JsonNode *node = json_object_get_member (call->config, "function");
  JsonObject *object = srgan_keras_get_object (call->config, "function");
  JsonObject *settings = srgan_keras_get_object (call->config, "arguments");
  JsonArray *array = srgan_keras_get_array (call->config, "function");
  JsonArray *defaults = NULL, *closure = NULL;
  const gchar *function = get_text (node), *code = NULL;
  g_autofree gchar *quoted = NULL;
  gboolean known = FALSE;

  if (settings != NULL) {
    JsonObjectIter iter;
    const gchar *name;
    JsonNode *member;

    if (call->keywords == NULL)
      call->keywords = json_object_new ();
    json_object_iter_init (&iter, settings);
    while (json_object_iter_next (&iter, &name, &member))
      json_object_set_member (call->keywords, name, json_node_copy (member));
  }
  if (object != NULL) {
    JsonObject *inner = srgan_keras_get_object (object, "config");

    function = srgan_keras_get_string (object, "config");
    code = srgan_keras_get_string (inner, "code");
    defaults = srgan_keras_get_array (inner, "defaults");
    closure = srgan_keras_get_array (inner, "closure");
  } else if (array != NULL) {
    JsonNode *parts[3] = {NULL};

    for (guint i = 0; i < MIN (json_array_get_length (array), 3); i++)
      parts[i] = json_array_get_element (array, i);
    code = get_text (parts[0]);
    if (parts[1] != NULL && JSON_NODE_HOLDS_ARRAY (parts[1]))
      defaults = json_node_get_array (parts[1]);
    if (parts[2] != NULL && JSON_NODE_HOLDS_ARRAY (parts[2]))
      closure = json_node_get_array (parts[2]);
  }
  if (function != NULL &&
      !srgan_keras_add_function (self, call, function, &known, error))
    return FALSE;
  if (!known && code != NULL &&
      !add_code (self, call, code, defaults, closure, &known, error))
    return FALSE;
  if (!known) {
    const gchar *named = find_in_name (call->place.name);

    if (named == NULL && function != NULL)
      named = find_in_name (function);
    if (named != NULL &&
        !srgan_keras_add_function (self, call, named, &known, error))
      return FALSE;
  }
  if (known)
    return TRUE;
  quoted =
      srgan_convert_quote (function != NULL ? function : call->place.name, -1);
  return srgan_convert_unsupported (error,
      "a Lambda: its function, '%s', is Python, which is never executed here, "
      "and what it does is not told by its name; export the model to ONNX with "
      "tf2onnx and convert that",
      quoted);
}
