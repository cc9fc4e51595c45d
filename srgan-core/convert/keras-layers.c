/* convert: Keras' layers, one function for each kind.
 *
 * SPDX-License-Identifier: MIT
 */
#include "convert/keras.h"

#include <math.h>
#include <string.h>

/* --- Settings ------------------------------------------------------------ */

static gboolean
is_channels_first (SrganKerasCall *call)
{
  return g_strcmp0 (srgan_keras_get_string (call->config, "data_format"),
             "channels_first") == 0 ||
         g_strcmp0 (
             srgan_keras_get_string (call->config, "dim_ordering"), "th") == 0;
}

/* Member @name, or @old, as Keras 1 called it. */
static const gchar *
pick (SrganKerasCall *call, const gchar *name, const gchar *old)
{
  return old != NULL && !json_object_has_member (call->config, name) ? old
                                                                     : name;
}

/* A variable that there has to be. */
static SrganConstant *
take (SrganKeras *self, SrganKerasCall *call, const gchar *const *names,
    guint number, GError **error)
{
  GError *reason = NULL;
  SrganConstant *constant = srgan_keras_weights_find (
      self->weights, &call->place, names, number, &reason);

  if (constant == NULL && reason == NULL)
    srgan_convert_corrupt (
        &reason, "the file has no weights '%s' for it", names[0]);
  if (constant == NULL)
    g_propagate_error (error, reason);
  return constant;
}

static const gchar *const kernel_names[] = {
    "kernel", "W", "depthwise_kernel", NULL};
static const gchar *const depthwise_names[] = {
    "depthwise_kernel", "kernel", NULL};
static const gchar *const pointwise_names[] = {"pointwise_kernel", NULL};
static const gchar *const bias_names[] = {"bias", "b", NULL};

/* --- Activations --------------------------------------------------------- */

/* Adds bounds; NULL: none. */
static void
add_bounds (SrganKeras *self, SrganGraphNode *node, const gdouble *low,
    const gdouble *high)
{
  if (low != NULL)
    srgan_graph_node_add_constant (
        self->graph, node, srgan_constant_new_scalar (*low));
  else
    srgan_graph_node_add_input (node, NULL);
  if (high != NULL)
    srgan_graph_node_add_constant (
        self->graph, node, srgan_constant_new_scalar (*high));
}

static gboolean
fail_activation (const gchar *name, GError **error)
{
  g_autofree gchar *quoted = srgan_convert_quote (name, -1);

  return srgan_convert_unsupported (
      error, "activation '%s' is not supported", quoted);
}

static gboolean
add_relu (SrganKeras *self, SrganKerasCall *call, const gchar *value,
    const gchar *output, JsonObject *config, GError **error)
{
  gdouble high = srgan_keras_get_number (config, "max_value", -1.);
  gdouble slope = srgan_keras_get_number (config, "negative_slope", 0.);
  gdouble zero = 0.;
  JsonArray *slopes = srgan_keras_get_array (config, "negative_slope");
  JsonArray *highs = srgan_keras_get_array (config, "max_value");

  /* lists of one: some versions wrote NumPy's scalars so */
  if (slopes != NULL && json_array_get_length (slopes) == 1)
    srgan_keras_is_number (json_array_get_element (slopes, 0), &slope);
  if (highs != NULL && json_array_get_length (highs) == 1)
    srgan_keras_is_number (json_array_get_element (highs, 0), &high);
  if (srgan_keras_get_number (config, "threshold", 0.) != 0.)
    return srgan_convert_unsupported (
        error, "ReLU with a threshold is not supported");
  if (high < 0. && slope == 0.) {
    srgan_keras_add_node (self, call, SRGAN_NODE_RELU, value, output);
  } else if (slope == 0.) {
    add_bounds (self,
        srgan_keras_add_node (self, call, SRGAN_NODE_CLIP, value, output),
        &zero, &high);
  } else if (high < 0.) {
    srgan_keras_add_node (self, call, SRGAN_NODE_LEAKY_RELU, value, output)
        ->alpha = slope;
  } else {
    g_autofree gchar *between = g_strconcat (output, "\001unbounded", NULL);

    srgan_keras_add_node (self, call, SRGAN_NODE_LEAKY_RELU, value, between)
        ->alpha = slope;
    add_bounds (self,
        srgan_keras_add_node (self, call, SRGAN_NODE_CLIP, between, output),
        NULL, &high);
  }
  return TRUE;
}

static gboolean
add_leaky_relu (SrganKeras *self, SrganKerasCall *call, const gchar *value,
    const gchar *output, JsonObject *config, gdouble standard)
{
  srgan_keras_add_node (self, call, SRGAN_NODE_LEAKY_RELU, value, output)
      ->alpha = srgan_keras_get_number (config, "negative_slope",
      srgan_keras_get_number (config, "alpha", standard));
  return TRUE;
}

/* x times sigmoid (x), and the like, are one node. */
static gboolean
add_named_activation (SrganKeras *self, SrganKerasCall *call, const gchar *name,
    const gchar *value, const gchar *output, GError **error)
{
  static const struct {
    const gchar *name;
    SrganNodeKind kind;
  } plain[] = {
      {"linear", SRGAN_NODE_IDENTITY},
      {"relu", SRGAN_NODE_RELU},
      {"tanh", SRGAN_NODE_TANH},
      {"sigmoid", SRGAN_NODE_SIGMOID},
      {"swish", SRGAN_NODE_SILU},
      {"silu", SRGAN_NODE_SILU},
  };
  gboolean swish;

  for (guint i = 0; i < G_N_ELEMENTS (plain); i++)
    if (strcmp (plain[i].name, name) == 0) {
      srgan_keras_add_node (self, call, plain[i].kind, value, output);
      return TRUE;
    }
  if (strcmp (name, "relu6") == 0) {
    gdouble low = 0., high = 6.;

    add_bounds (self,
        srgan_keras_add_node (self, call, SRGAN_NODE_CLIP, value, output), &low,
        &high);
    return TRUE;
  }
  if (strcmp (name, "leaky_relu") == 0)
    return add_leaky_relu (self, call, value, output, NULL, .2);
  swish = strcmp (name, "hard_swish") == 0 || strcmp (name, "hard_silu") == 0;
  if (swish || strcmp (name, "hard_sigmoid") == 0) {
    SrganGraphNode *node = srgan_keras_add_node (self, call,
        swish ? SRGAN_NODE_HARD_SWISH : SRGAN_NODE_HARD_SIGMOID, value, output);

    /* Keras 3 took over the other definition */
    node->alpha = self->keras_3 || swish ? 1. / 6. : .2;
    node->beta = .5;
    return TRUE;
  }
  return fail_activation (name, error);
}

gboolean
srgan_keras_add_activation (SrganKeras *self, SrganKerasCall *call,
    JsonNode *activation, const gchar *value, const gchar *output,
    GError **error)
{
  const gchar *name = NULL;
  JsonObject *object, *config;

  if (activation == NULL || JSON_NODE_HOLDS_NULL (activation))
    return add_named_activation (self, call, "linear", value, output, error);
  if (JSON_NODE_HOLDS_VALUE (activation) &&
      json_node_get_value_type (activation) == G_TYPE_STRING)
    return add_named_activation (
        self, call, json_node_get_string (activation), value, output, error);
  if (!JSON_NODE_HOLDS_OBJECT (activation))
    return srgan_convert_corrupt (error, "an activation without a name");
  object = json_node_get_object (activation);
  name = srgan_keras_get_string (object, "class_name");
  config = srgan_keras_get_object (object, "config");
  if (g_strcmp0 (name, "ReLU") == 0)
    return add_relu (self, call, value, output, config, error);
  if (g_strcmp0 (name, "LeakyReLU") == 0)
    return add_leaky_relu (self, call, value, output, config, .3);
  if (g_strcmp0 (name, "Activation") == 0)
    return srgan_keras_add_activation (self, call,
        json_object_get_member (config != NULL ? config : object, "activation"),
        value, output, error);
  /* {"class_name": "function", "config": "relu"} */
  if (config == NULL) {
    const gchar *function = srgan_keras_get_string (object, "config");

    if (function != NULL)
      name = function;
  }
  return name != NULL
             ? add_named_activation (self, call, name, value, output, error)
             : fail_activation ("", error);
}

/* Whether the layer's own activation does anything. */
static gboolean
is_active (SrganKerasCall *call)
{
  JsonNode *node = json_object_get_member (call->config, "activation");

  return node != NULL && !JSON_NODE_HOLDS_NULL (node) &&
         !(JSON_NODE_HOLDS_VALUE (node) &&
             json_node_get_value_type (node) == G_TYPE_STRING &&
             strcmp (json_node_get_string (node), "linear") == 0);
}

/* --- Convolutions -------------------------------------------------------- */

typedef gboolean (*Add) (
    SrganKeras *self, SrganKerasCall *call, const gchar *value, GError **error);

static gboolean
set_geometry (SrganKeras *self, SrganKerasCall *call, SrganGraphNode *node,
    GError **error)
{
  const gchar *padding = srgan_keras_get_string (
      call->config, pick (call, "padding", "border_mode"));

  node->channels_last = !is_channels_first (call);
  srgan_keras_get_pair (
      call->config, pick (call, "strides", "subsample"), node->strides);
  srgan_keras_get_pair (call->config,
      pick (call, "dilation_rate", "atrous_rate"), node->dilations);
  if (padding == NULL || g_ascii_strcasecmp (padding, "valid") == 0) {
    node->padding = SRGAN_PADS_VALID;
  } else if (g_ascii_strcasecmp (padding, "same") == 0) {
    node->padding = SRGAN_PADS_SAME;
  } else {
    g_autofree gchar *quoted = srgan_convert_quote (padding, -1);

    return srgan_convert_unsupported (
        error, "padding '%s' is not supported", quoted);
  }
  return TRUE;
}

/* The convolution's own activation, between @raw, which is given, and the
 * call's output. */
static gboolean
finish_activation (
    SrganKeras *self, SrganKerasCall *call, const gchar *raw, GError **error)
{
  if (raw == call->output)
    return TRUE;
  srgan_keras_set_channels (
      self, call->output, srgan_keras_get_channels (self, raw));
  return srgan_keras_add_activation (self, call,
      json_object_get_member (call->config, "activation"), raw, call->output,
      error);
}

static gboolean
add_bias (SrganKeras *self, SrganKerasCall *call, SrganGraphNode *node,
    guint number, GError **error)
{
  SrganConstant *bias;

  if (!srgan_keras_get_boolean (
          call->config, pick (call, "use_bias", "bias"), TRUE))
    return TRUE;
  bias = take (self, call, bias_names, number, error);
  if (bias == NULL)
    return FALSE;
  srgan_graph_node_add_constant (self->graph, node, bias);
  return TRUE;
}

static gboolean
add_conv_kind (SrganKeras *self, SrganKerasCall *call, const gchar *value,
    SrganNodeKind kind, gboolean depthwise, GError **error)
{
  g_autofree gchar *between = g_strconcat (call->output, "\001linear", NULL);
  const gchar *raw = is_active (call) ? between : call->output;
  SrganGraphNode *node;
  SrganConstant *kernel =
      take (self, call, depthwise ? depthwise_names : kernel_names, 0, error);
  guint channels;

  if (kernel == NULL)
    return FALSE;
  node = srgan_keras_add_node (self, call, kind, value, raw);
  channels =
      kernel->rank != 4 ? 0
      : depthwise ? (guint) (kernel->dimensions[2] * kernel->dimensions[3])
      : kind == SRGAN_NODE_TRANSPOSED_CONV ? (guint) kernel->dimensions[2]
                                           : (guint) kernel->dimensions[3];
  srgan_graph_node_add_constant (self->graph, node, kernel);
  node->weight_order = depthwise || kind == SRGAN_NODE_TRANSPOSED_CONV
                           ? SRGAN_WEIGHT_HWOI
                           : SRGAN_WEIGHT_HWIO;
  node->depthwise = depthwise;
  srgan_keras_set_channels (self, raw, channels);
  node->groups = (gint64) CLAMP (
      srgan_keras_get_number (call->config, "groups", 1.), 1., 65536.);
  return set_geometry (self, call, node, error) &&
         add_bias (self, call, node, 1, error) &&
         finish_activation (self, call, raw, error);
}

static gboolean
add_conv (
    SrganKeras *self, SrganKerasCall *call, const gchar *value, GError **error)
{
  if (g_strcmp0 (srgan_keras_get_string (call->config, "dim_ordering"), "th") ==
      0)
    return srgan_convert_unsupported (error,
        "weights in Theano's order (dim_ordering 'th') are not supported; load "
        "the model with Keras 2 and save it again");
  return add_conv_kind (self, call, value, SRGAN_NODE_CONV, FALSE, error);
}

static gboolean
add_depthwise (
    SrganKeras *self, SrganKerasCall *call, const gchar *value, GError **error)
{
  return add_conv_kind (self, call, value, SRGAN_NODE_CONV, TRUE, error);
}

static gboolean
add_transposed (
    SrganKeras *self, SrganKerasCall *call, const gchar *value, GError **error)
{
  gint64 surplus[2];

  if (srgan_keras_get_pair (call->config, "output_padding", surplus) &&
      (surplus[0] != 0 || surplus[1] != 0))
    return srgan_convert_unsupported (error, "output_padding is not supported");
  return add_conv_kind (
      self, call, value, SRGAN_NODE_TRANSPOSED_CONV, FALSE, error);
}

static gboolean
add_separable (
    SrganKeras *self, SrganKerasCall *call, const gchar *value, GError **error)
{
  g_autofree gchar *middle = g_strconcat (call->output, "\001depthwise", NULL);
  g_autofree gchar *between = g_strconcat (call->output, "\001linear", NULL);
  const gchar *raw = is_active (call) ? between : call->output;
  SrganGraphNode *node;
  SrganConstant *kernel = take (self, call, depthwise_names, 0, error);

  if (kernel == NULL)
    return FALSE;
  node = srgan_keras_add_node (self, call, SRGAN_NODE_CONV, value, middle);
  srgan_graph_node_add_constant (self->graph, node, kernel);
  node->weight_order = SRGAN_WEIGHT_HWOI;
  node->depthwise = TRUE;
  if (!set_geometry (self, call, node, error))
    return FALSE;
  kernel = take (self, call, pointwise_names, 1, error);
  if (kernel == NULL)
    return FALSE;
  node = srgan_keras_add_node (self, call, SRGAN_NODE_CONV, middle, raw);
  if (kernel->rank == 4)
    srgan_keras_set_channels (self, raw, (guint) kernel->dimensions[3]);
  srgan_graph_node_add_constant (self->graph, node, kernel);
  node->weight_order = SRGAN_WEIGHT_HWIO;
  node->channels_last = !is_channels_first (call);
  node->padding = SRGAN_PADS_VALID;
  return add_bias (self, call, node, 2, error) &&
         finish_activation (self, call, raw, error);
}

static gboolean
add_dense (
    SrganKeras *self, SrganKerasCall *call, const gchar *value, GError **error)
{
  g_autofree gchar *between = g_strconcat (call->output, "\001linear", NULL);
  const gchar *raw = is_active (call) ? between : call->output;
  SrganConstant *kernel = take (self, call, kernel_names, 0, error);
  SrganGraphNode *node;

  if (kernel == NULL)
    return FALSE;
  node = srgan_keras_add_node (self, call, SRGAN_NODE_MATMUL, value, raw);
  if (kernel->rank == 2)
    srgan_keras_set_channels (self, raw, (guint) kernel->dimensions[1]);
  srgan_graph_node_add_constant (self->graph, node, kernel);
  return add_bias (self, call, node, 1, error) &&
         finish_activation (self, call, raw, error);
}

/* --- Numbers for each channel -------------------------------------------- */

static gboolean
add_batch_norm (
    SrganKeras *self, SrganKerasCall *call, const gchar *value, GError **error)
{
  static const gchar *const names[4][4] = {{"gamma", NULL}, {"beta", NULL},
      {"moving_mean", "running_mean", NULL},
      {"moving_variance", "running_std", "running_variance", NULL}};
  SrganGraphNode *node = srgan_keras_add_node (
      self, call, SRGAN_NODE_BATCH_NORM, value, call->output);
  JsonArray *axes = srgan_keras_get_array (call->config, "axis");
  gdouble axis = srgan_keras_get_number (call->config, "axis", -1.);
  guint number = 0;

  if (axes != NULL && json_array_get_length (axes) == 1)
    srgan_keras_is_number (json_array_get_element (axes, 0), &axis);
  node->channels_last = axis != 1.;
  node->alpha = srgan_keras_get_number (call->config, "epsilon", 1e-3);
  for (guint i = 0; i < 4; i++) {
    SrganConstant *numbers;

    if ((i == 0 && !srgan_keras_get_boolean (call->config, "scale", TRUE)) ||
        (i == 1 && !srgan_keras_get_boolean (call->config, "center", TRUE))) {
      srgan_graph_node_add_input (node, NULL);
      continue;
    }
    numbers = take (self, call, names[i], number++, error);
    if (numbers == NULL)
      return FALSE;
    srgan_graph_node_add_constant (self->graph, node, numbers);
  }
  return TRUE;
}

static gboolean
add_prelu (
    SrganKeras *self, SrganKerasCall *call, const gchar *value, GError **error)
{
  static const gchar *const names[] = {"alpha", "alphas", NULL};
  SrganConstant *alpha = take (self, call, names, 0, error);
  SrganConstant *vector;
  gint64 n = 0;
  gsize step = 1;
  gfloat *numbers;

  if (alpha == NULL)
    return FALSE;
  /* shared_axes leaves 1 in place of height and width */
  if (alpha->rank >= 1)
    n = alpha->dimensions[alpha->rank - 1];
  if (alpha->rank == 3 && n == 1 && alpha->dimensions[1] == 1)
    n = alpha->dimensions[0];
  if (n < 1 || (gsize) n > alpha->n || alpha->n % (gsize) n != 0 ||
      alpha->numbers == NULL) {
    srgan_constant_unref (alpha);
    return srgan_convert_corrupt (error, "slopes of a shape that fits no map");
  }
  for (gsize i = 0; i < alpha->n; i++)
    if (alpha->numbers[i] != alpha->numbers[i % (gsize) n * step]) {
      srgan_constant_unref (alpha);
      return srgan_convert_unsupported (error,
          "slopes of each pixel's own (PReLU without shared_axes=[1, 2]) fit "
          "one size of picture alone");
    }
  vector = srgan_constant_new_numbers (1, &n, (gsize) n, &numbers);
  memcpy (numbers, alpha->numbers, (gsize) n * sizeof *numbers);
  srgan_constant_unref (alpha);
  {
    SrganGraphNode *node = srgan_keras_add_node (
        self, call, SRGAN_NODE_PRELU, value, call->output);

    node->channels_last = FALSE; /* a vector: of the channels */
    srgan_graph_node_add_constant (self->graph, node, vector);
  }
  return TRUE;
}

/* gain x + offset */
static gboolean
add_line (SrganKeras *self, SrganKerasCall *call, const gchar *value,
    SrganConstant *gain, SrganConstant *offset)
{
  g_autofree gchar *between = g_strconcat (call->output, "\001scaled", NULL);

  srgan_graph_node_add_constant (self->graph,
      srgan_keras_add_node (self, call, SRGAN_NODE_MULTIPLY, value, between),
      gain);
  srgan_graph_node_add_constant (self->graph,
      srgan_keras_add_node (self, call, SRGAN_NODE_ADD, between, call->output),
      offset);
  return TRUE;
}

static gboolean
add_rescaling (
    SrganKeras *self, SrganKerasCall *call, const gchar *value, GError **error)
{
  SrganConstant *gain =
      srgan_keras_get_constant (json_object_get_member (call->config, "scale"));
  SrganConstant *offset = srgan_keras_get_constant (
      json_object_get_member (call->config, "offset"));

  return add_line (self, call, value,
      gain != NULL ? gain : srgan_constant_new_scalar (1.),
      offset != NULL ? offset : srgan_constant_new_scalar (0.));
}

static gboolean
add_normalization (
    SrganKeras *self, SrganKerasCall *call, const gchar *value, GError **error)
{
  static const gchar *const mean_names[] = {"mean", NULL};
  static const gchar *const variance_names[] = {"variance", NULL};
  SrganConstant *mean, *variance, *gain;
  gfloat *gains, *offsets;
  gint64 n;

  mean = take (self, call, mean_names, 0, error);
  variance = mean != NULL ? take (self, call, variance_names, 1, error) : NULL;
  if (variance == NULL || mean->n != variance->n || mean->n < 1) {
    srgan_constant_unref (mean);
    if (variance != NULL) {
      srgan_constant_unref (variance);
      srgan_convert_corrupt (error, "other means than variances");
    }
    return FALSE;
  }
  n = (gint64) mean->n;
  gain = srgan_constant_new_numbers (1, &n, mean->n, &gains);
  {
    SrganConstant *offset =
        srgan_constant_new_numbers (1, &n, mean->n, &offsets);

    for (gint64 i = 0; i < n; i++) {
      gdouble deviation =
          MAX (sqrt (MAX (srgan_constant_get (variance, (gsize) i), 0.)), 1e-7);

      gains[i] = (gfloat) (1. / deviation);
      offsets[i] = (gfloat) (-srgan_constant_get (mean, (gsize) i) / deviation);
    }
    srgan_constant_unref (mean);
    srgan_constant_unref (variance);
    return add_line (self, call, value, gain, offset);
  }
}

/* --- Several maps -------------------------------------------------------- */

static gboolean
add_joined (SrganKeras *self, SrganKerasCall *call, SrganNodeKind kind,
    const gchar *output, GError **error)
{
  const gchar *first = srgan_keras_get_value (self, call, 0);
  guint channels = srgan_keras_get_channels (self, first);
  SrganGraphNode *node = srgan_keras_add_node (self, call, kind, first, output);

  for (guint i = 1; i < call->arguments->len; i++) {
    const gchar *value = srgan_keras_get_value (self, call, i);

    if (value == NULL)
      return srgan_convert_unsupported (
          error, "its input %u is not understood", i + 1);
    srgan_graph_node_add_input (node, value);
    if (kind == SRGAN_NODE_CONCAT)
      channels += srgan_keras_get_channels (self, value);
    else
      channels = MAX (channels, srgan_keras_get_channels (self, value));
  }
  srgan_keras_set_channels (self, output, channels);
  return TRUE;
}

static gboolean
add_sum (
    SrganKeras *self, SrganKerasCall *call, const gchar *value, GError **error)
{
  return add_joined (self, call, SRGAN_NODE_ADD, call->output, error);
}

static gboolean
add_difference (
    SrganKeras *self, SrganKerasCall *call, const gchar *value, GError **error)
{
  if (call->arguments->len != 2)
    return srgan_convert_corrupt (error, "it has other inputs than two");
  return add_joined (self, call, SRGAN_NODE_SUBTRACT, call->output, error);
}

static gboolean
add_product (
    SrganKeras *self, SrganKerasCall *call, const gchar *value, GError **error)
{
  return add_joined (self, call, SRGAN_NODE_MULTIPLY, call->output, error);
}

/* max (a, b) = a + max (b - a, 0); min (a, b) = a - max (a - b, 0) */
static gboolean
add_extreme (
    SrganKeras *self, SrganKerasCall *call, gboolean largest, GError **error)
{
  g_autofree gchar *value = g_strdup (srgan_keras_get_value (self, call, 0));

  for (guint i = 1; i < call->arguments->len; i++) {
    const gchar *other = srgan_keras_get_value (self, call, i);
    g_autofree gchar *between =
        g_strdup_printf ("%s\001difference %u", call->output, i);
    g_autofree gchar *above =
        g_strdup_printf ("%s\001above %u", call->output, i);
    g_autofree gchar *result =
        i + 1 == call->arguments->len
            ? g_strdup (call->output)
            : g_strdup_printf ("%s\001extreme %u", call->output, i);

    if (other == NULL || value == NULL)
      return srgan_convert_unsupported (
          error, "its input %u is not understood", i + 1);
    srgan_graph_node_add_input (
        srgan_keras_add_node (
            self, call, SRGAN_NODE_SUBTRACT, largest ? other : value, between),
        largest ? value : other);
    srgan_keras_add_node (self, call, SRGAN_NODE_RELU, between, above);
    srgan_graph_node_add_input (
        srgan_keras_add_node (self, call,
            largest ? SRGAN_NODE_ADD : SRGAN_NODE_SUBTRACT, value, result),
        above);
    g_free (value);
    value = g_steal_pointer (&result);
  }
  return TRUE;
}

static gboolean
add_largest (
    SrganKeras *self, SrganKerasCall *call, const gchar *value, GError **error)
{
  return add_extreme (self, call, TRUE, error);
}

static gboolean
add_smallest (
    SrganKeras *self, SrganKerasCall *call, const gchar *value, GError **error)
{
  return add_extreme (self, call, FALSE, error);
}

static gboolean
add_average (
    SrganKeras *self, SrganKerasCall *call, const gchar *value, GError **error)
{
  g_autofree gchar *between = g_strconcat (call->output, "\001sum", NULL);

  if (!add_joined (self, call, SRGAN_NODE_ADD, between, error))
    return FALSE;
  srgan_graph_node_add_constant (self->graph,
      srgan_keras_add_node (
          self, call, SRGAN_NODE_MULTIPLY, between, call->output),
      srgan_constant_new_scalar (1. / MAX (call->arguments->len, 1)));
  return TRUE;
}

static gboolean
add_concat_along (
    SrganKeras *self, SrganKerasCall *call, gdouble axis, GError **error)
{
  if (!(ABS (axis) < SRGAN_GRAPH_MAX_RANK))
    return srgan_convert_corrupt (error, "an axis that no map has");
  if (!add_joined (self, call, SRGAN_NODE_CONCAT, call->output, error))
    return FALSE;
  ((SrganGraphNode *) g_ptr_array_index (
       self->graph->nodes, self->graph->nodes->len - 1))
      ->axis = (gint64) axis;
  return TRUE;
}

static gboolean
add_concat (
    SrganKeras *self, SrganKerasCall *call, const gchar *value, GError **error)
{
  return add_concat_along (
      self, call, srgan_keras_get_number (call->config, "axis", -1.), error);
}

/* Keras 1's layer for all of these. */
static gboolean
add_merge (
    SrganKeras *self, SrganKerasCall *call, const gchar *value, GError **error)
{
  const gchar *mode = srgan_keras_get_string (call->config, "mode");

  if (g_strcmp0 (mode, "sum") == 0)
    return add_sum (self, call, value, error);
  if (g_strcmp0 (mode, "mul") == 0)
    return add_product (self, call, value, error);
  if (g_strcmp0 (mode, "ave") == 0)
    return add_average (self, call, value, error);
  if (g_strcmp0 (mode, "max") == 0)
    return add_largest (self, call, value, error);
  if (g_strcmp0 (mode, "concat") == 0)
    return add_concat_along (self, call,
        srgan_keras_get_number (call->config, "concat_axis", -1.), error);
  return srgan_convert_unsupported (error, "this mode is not supported");
}

/* --- Sizes --------------------------------------------------------------- */

/* Top, bottom, left and right out of n, [h, w], [t, b, l, r] or [[t, b],
 * [l, r]]. */
static gboolean
get_sides (JsonObject *config, const gchar *name, gint64 sides[4])
{
  JsonArray *array = srgan_keras_get_array (config, name);
  SrganConstant *constant;

  if (srgan_keras_get_pair (config, name, sides)) {
    sides[2] = sides[3] = sides[1];
    sides[1] = sides[0];
    return TRUE;
  }
  constant = array != NULL ? srgan_keras_get_constant (
                                 json_object_get_member (config, name))
                           : NULL;
  if (constant == NULL || constant->n != 4 || constant->integers == NULL) {
    srgan_constant_unref (constant);
    return FALSE;
  }
  for (guint i = 0; i < 4; i++)
    sides[i] = constant->integers[i];
  srgan_constant_unref (constant);
  return TRUE;
}

static gboolean
add_sides (SrganKeras *self, SrganKerasCall *call, const gchar *value,
    const gchar *name, gint sign, SrganPadding mode, GError **error)
{
  const gint64 shape[2] = {4, 2};
  guint first = is_channels_first (call) ? 2 : 1;
  SrganGraphNode *node;
  SrganConstant *amounts;
  gint64 sides[4], *integers;

  if (!get_sides (call->config, name, sides))
    return srgan_convert_unsupported (
        error, "its '%s' is not understood", name);
  node = srgan_keras_add_node (self, call, SRGAN_NODE_PAD, value, call->output);
  node->mode = mode;
  amounts = srgan_constant_new_integers (2, shape, 8, &integers);
  for (guint i = 0; i < 4; i++)
    integers[2 * first + i] = sign * CLAMP (sides[i], -100000, 100000);
  srgan_graph_node_add_constant (self->graph, node, amounts);
  return TRUE;
}

static gboolean
add_padding (
    SrganKeras *self, SrganKerasCall *call, const gchar *value, GError **error)
{
  return add_sides (self, call, value, "padding", 1, SRGAN_PADDING_ZERO, error);
}

/* Of many people's own making, always of this name and setting. */
static gboolean
add_reflection (
    SrganKeras *self, SrganKerasCall *call, const gchar *value, GError **error)
{
  return add_sides (
      self, call, value, "padding", 1, SRGAN_PADDING_REFLECT, error);
}

static gboolean
add_cropping (
    SrganKeras *self, SrganKerasCall *call, const gchar *value, GError **error)
{
  return add_sides (
      self, call, value, "cropping", -1, SRGAN_PADDING_ZERO, error);
}

static gboolean
set_filter (
    SrganKeras *self, SrganGraphNode *node, const gchar *name, GError **error)
{
  /* tf.image.resize () of TensorFlow 2; TensorFlow.js took over the older
   * way */
  node->coordinates = self->javascript ? SRGAN_COORDINATES_ASYMMETRIC
                                       : SRGAN_COORDINATES_HALF_PIXEL;
  node->cubic_a = -.5;
  if (name == NULL || strcmp (name, "nearest") == 0) {
    node->filter = SRGAN_FILTER_NEAREST;
  } else if (strcmp (name, "bilinear") == 0) {
    node->filter = SRGAN_FILTER_BILINEAR;
  } else if (strcmp (name, "bicubic") == 0) {
    node->filter = SRGAN_FILTER_BICUBIC;
  } else {
    g_autofree gchar *quoted = srgan_convert_quote (name, -1);

    return srgan_convert_unsupported (
        error, "interpolation '%s' is not supported", quoted);
  }
  return TRUE;
}

static gboolean
add_upsampling (
    SrganKeras *self, SrganKerasCall *call, const gchar *value, GError **error)
{
  gint64 size[2] = {2, 2};
  SrganGraphNode *node =
      srgan_keras_add_node (self, call, SRGAN_NODE_RESIZE, value, call->output);

  srgan_keras_get_pair (call->config, "size", size);
  node->channels_last = !is_channels_first (call);
  srgan_graph_node_add_constant (
      self->graph, node, srgan_constant_new_vector (size, 2));
  return set_filter (self, node,
      srgan_keras_get_string (call->config, "interpolation"), error);
}

static gboolean
add_resizing (
    SrganKeras *self, SrganKerasCall *call, const gchar *value, GError **error)
{
  gint64 size[2], other[2];
  SrganGraphNode *node;
  const gchar *filter = srgan_keras_get_string (call->config, "interpolation");

  if (!srgan_keras_get_pair (call->config, "height", size) ||
      !srgan_keras_get_pair (call->config, "width", other))
    return srgan_convert_corrupt (error, "it has no size");
  size[1] = other[0];
  node =
      srgan_keras_add_node (self, call, SRGAN_NODE_RESIZE, value, call->output);
  srgan_graph_node_add_input (node, NULL);
  srgan_graph_node_add_constant (
      self->graph, node, srgan_constant_new_vector (size, 2));
  return set_filter (self, node, filter != NULL ? filter : "bilinear", error);
}

static gboolean
add_pool (SrganKeras *self, SrganKerasCall *call, const gchar *value,
    SrganNodeKind kind, GError **error)
{
  SrganGraphNode *node =
      srgan_keras_add_node (self, call, kind, value, call->output);

  node->kernel[0] = node->kernel[1] = 2;
  srgan_keras_get_pair (call->config, "pool_size", node->kernel);
  node->strides[0] = node->kernel[0];
  node->strides[1] = node->kernel[1];
  return set_geometry (self, call, node, error);
}

static gboolean
add_max_pool (
    SrganKeras *self, SrganKerasCall *call, const gchar *value, GError **error)
{
  return add_pool (self, call, value, SRGAN_NODE_MAX_POOL, error);
}

static gboolean
add_average_pool (
    SrganKeras *self, SrganKerasCall *call, const gchar *value, GError **error)
{
  return add_pool (self, call, value, SRGAN_NODE_AVERAGE_POOL, error);
}

static gboolean
add_global_mean (
    SrganKeras *self, SrganKerasCall *call, const gchar *value, GError **error)
{
  SrganGraphNode *node =
      srgan_keras_add_node (self, call, SRGAN_NODE_MEAN, value, call->output);

  node->has_list = TRUE;
  node->n_list = 2;
  node->list[0] = is_channels_first (call) ? 2 : 1;
  node->list[1] = node->list[0] + 1;
  node->keep_axes = srgan_keras_get_boolean (call->config, "keepdims", FALSE);
  return TRUE;
}

static gboolean
get_list (JsonArray *array, gint64 *list, guint *n)
{
  *n = json_array_get_length (array);
  if (*n >= SRGAN_GRAPH_MAX_RANK)
    return FALSE;
  for (guint i = 0; i < *n; i++) {
    gdouble number;

    if (!srgan_keras_is_number (json_array_get_element (array, i), &number) ||
        !(ABS (number) < 1e9))
      return FALSE;
    list[i] = (gint64) number;
  }
  return TRUE;
}

static gboolean
add_reshape (
    SrganKeras *self, SrganKerasCall *call, const gchar *value, GError **error)
{
  JsonArray *shape = srgan_keras_get_array (call->config, "target_shape");
  SrganGraphNode *node = srgan_keras_add_node (
      self, call, SRGAN_NODE_RESHAPE, value, call->output);
  guint n;

  if (shape == NULL || !get_list (shape, node->list + 1, &n))
    return srgan_convert_corrupt (error, "it has no shape");
  node->has_list = TRUE;
  node->keep_zero = TRUE;
  node->n_list = n + 1;
  if (n > 0 && node->list[n] > 0)
    srgan_keras_set_channels (self, call->output, (guint) node->list[n]);
  return TRUE;
}

static gboolean
add_permute (
    SrganKeras *self, SrganKerasCall *call, const gchar *value, GError **error)
{
  JsonArray *order = srgan_keras_get_array (call->config, "dims");
  SrganGraphNode *node = srgan_keras_add_node (
      self, call, SRGAN_NODE_TRANSPOSE, value, call->output);
  guint n;

  if (order == NULL || !get_list (order, node->list + 1, &n))
    return srgan_convert_corrupt (error, "it has no order");
  node->has_list = TRUE;
  node->n_list = n + 1;
  return TRUE;
}

/* --- By themselves ------------------------------------------------------- */

static gboolean
add_identity (
    SrganKeras *self, SrganKerasCall *call, const gchar *value, GError **error)
{
  srgan_keras_add_node (self, call, SRGAN_NODE_IDENTITY, value, call->output);
  return TRUE;
}

static gboolean
add_activation (
    SrganKeras *self, SrganKerasCall *call, const gchar *value, GError **error)
{
  return srgan_keras_add_activation (self, call,
      json_object_get_member (call->config, "activation"), value, call->output,
      error);
}

static gboolean
add_relu_layer (
    SrganKeras *self, SrganKerasCall *call, const gchar *value, GError **error)
{
  return add_relu (self, call, value, call->output, call->config, error);
}

static gboolean
add_leaky_relu_layer (
    SrganKeras *self, SrganKerasCall *call, const gchar *value, GError **error)
{
  return add_leaky_relu (self, call, value, call->output, call->config, .3);
}

static gboolean
add_lambda (
    SrganKeras *self, SrganKerasCall *call, const gchar *value, GError **error)
{
  return srgan_keras_add_lambda (self, call, error);
}

/* TensorFlow's functions as layers: which one is a setting. (TensorFlow's
 * operations are found like any class's name.) */
static gboolean
add_function_layer (
    SrganKeras *self, SrganKerasCall *call, const gchar *value, GError **error)
{
  const gchar *function = srgan_keras_get_string (call->config, "function");
  g_autofree gchar *quoted = NULL;
  gboolean known;

  if (function == NULL)
    return srgan_convert_corrupt (error, "a function without a name");
  if (!srgan_keras_add_function (self, call, function, &known, error))
    return FALSE;
  if (known)
    return TRUE;
  quoted = srgan_convert_quote (function, -1);
  return srgan_convert_unsupported (
      error, "function '%s' is not supported", quoted);
}

static const struct {
  const gchar *name;
  Add add;
  gboolean joins; /* several maps */
} layers[] = {
    {"Activation", add_activation},
    {"ActivityRegularization", add_identity},
    {"Add", add_sum, TRUE},
    {"AtrousConvolution2D", add_conv},
    {"Average", add_average, TRUE},
    {"AveragePooling2D", add_average_pool},
    {"BatchNormalization", add_batch_norm},
    {"BatchNormalizationV1", add_batch_norm},
    {"BatchNormalizationV2", add_batch_norm},
    {"Concatenate", add_concat},
    {"Conv2D", add_conv},
    {"Conv2DTranspose", add_transposed},
    {"Convolution2D", add_conv},
    {"Convolution2DTranspose", add_transposed},
    {"Cropping2D", add_cropping},
    {"Deconvolution2D", add_transposed},
    {"Dense", add_dense},
    {"DepthwiseConv2D", add_depthwise},
    {"Dropout", add_identity},
    {"GaussianDropout", add_identity},
    {"GaussianNoise", add_identity},
    {"GlobalAveragePooling2D", add_global_mean},
    {"Identity", add_identity},
    {"Lambda", add_lambda},
    {"LeakyReLU", add_leaky_relu_layer},
    {"MaxPooling2D", add_max_pool},
    {"Maximum", add_largest, TRUE},
    {"Merge", add_merge},
    {"Minimum", add_smallest, TRUE},
    {"Multiply", add_product, TRUE},
    {"Normalization", add_normalization},
    {"PReLU", add_prelu},
    {"Permute", add_permute},
    {"ReLU", add_relu_layer},
    {"ReflectionPadding2D", add_reflection},
    {"Rescaling", add_rescaling},
    {"Reshape", add_reshape},
    {"Resizing", add_resizing},
    {"SeparableConv2D", add_separable},
    {"SpatialDropout2D", add_identity},
    {"Subtract", add_difference, TRUE},
    {"SyncBatchNormalization", add_batch_norm},
    {"TFOpLambda", add_function_layer},
    {"UpSampling2D", add_upsampling},
    {"ZeroPadding2D", add_padding},
};

gboolean
srgan_keras_add_call (SrganKeras *self, SrganKerasCall *call, GError **error)
{
  const gchar *value = srgan_keras_get_value (self, call, 0);
  const gchar *class_name = call->place.class_name;
  gboolean known = FALSE, any = FALSE, constants = FALSE;

  for (guint i = 0; i < call->arguments->len; i++) {
    SrganKerasArgument *argument = g_ptr_array_index (call->arguments, i);

    constants = constants || argument->constant != NULL;
    any = any || srgan_keras_get_value (self, call, i) != NULL;
  }
  if (!any && g_hash_table_size (call->keyword_values) == 0)
    return srgan_convert_corrupt (error, "it is called with nothing");
  for (guint i = 0; i < G_N_ELEMENTS (layers); i++)
    if (strcmp (layers[i].name, class_name) == 0 && value != NULL) {
      /* Keras 3's functions have the names of layers, but may be called with
       * constants, and by keyword */
      if (layers[i].joins && (call->arguments->len < 2 || constants))
        break;
      return layers[i].add (self, call, value, error);
    }
  if (!srgan_keras_add_function (self, call, class_name, &known, error))
    return FALSE;
  if (known)
    return TRUE;
  return srgan_convert_unsupported (error,
      "layers of this class are not supported; if the class is your own, "
      "export "
      "the model to ONNX with tf2onnx and convert that");
}
