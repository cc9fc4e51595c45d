/* network: the operations: what each takes, gives and costs.
 *
 * SPDX-License-Identifier: MIT
 */
#include "network/operations.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

/* --- Enumerators' names -------------------------------------------------- */

static const gchar *const padding_names[] = {"zero", "edge", "reflect", "none"};
static const gchar *const filter_names[] = {"nearest", "bilinear", "bicubic"};
static const gchar *const colour_names[] = {"y", "rgb", "ycbcr"};
static const gchar *const precision_names[] = {"auto", "fp32", "int8", "bf16"};
static const gchar *const tensor_names[] = {"weight", "bias", "slope",
    "output_step", "weight_code", "weight_step", "int8_bias"};

G_STATIC_ASSERT (G_N_ELEMENTS (padding_names) == SRGAN_N_PADDINGS);
G_STATIC_ASSERT (G_N_ELEMENTS (filter_names) == SRGAN_N_FILTERS);
G_STATIC_ASSERT (G_N_ELEMENTS (colour_names) == SRGAN_N_COLOURS);
G_STATIC_ASSERT (G_N_ELEMENTS (precision_names) == SRGAN_N_PRECISIONS);
G_STATIC_ASSERT (G_N_ELEMENTS (tensor_names) == SRGAN_N_TENSORS);

const gchar *
srgan_padding_to_string (SrganPadding padding)
{
  g_return_val_if_fail ((guint) padding < SRGAN_N_PADDINGS, NULL);
  return padding_names[padding];
}

const gchar *
srgan_filter_to_string (SrganFilter filter)
{
  g_return_val_if_fail ((guint) filter < SRGAN_N_FILTERS, NULL);
  return filter_names[filter];
}

const gchar *
srgan_colour_to_string (SrganColour colour)
{
  g_return_val_if_fail ((guint) colour < SRGAN_N_COLOURS, NULL);
  return colour_names[colour];
}

const gchar *
srgan_precision_to_string (SrganPrecision precision)
{
  g_return_val_if_fail ((guint) precision < SRGAN_N_PRECISIONS, NULL);
  return precision_names[precision];
}

gboolean
srgan_tensor_is_parameter (SrganTensor tensor)
{
  return tensor <= SRGAN_TENSOR_SLOPE;
}

const gchar *
srgan_tensor_to_string (SrganTensor tensor)
{
  g_return_val_if_fail ((guint) tensor < SRGAN_N_TENSORS, NULL);
  return tensor_names[tensor];
}

/* --- Activations --------------------------------------------------------- */

static const struct {
  const gchar *nick;
  guint n_slopes; /* rows of the tensor NAME.slope */
  gboolean low;   /* takes activation_low */
  gboolean high;  /* takes activation_high */
} activations[SRGAN_N_ACTIVATIONS] = {
    [SRGAN_ACTIVATION_NONE] = {"none"},
    [SRGAN_ACTIVATION_RELU] = {"relu"},
    [SRGAN_ACTIVATION_LEAKY_RELU] = {"leaky-relu", .low = TRUE},
    [SRGAN_ACTIVATION_PRELU] = {"prelu", .n_slopes = 1},
    [SRGAN_ACTIVATION_SILU] = {"silu"},
    [SRGAN_ACTIVATION_CLIP] = {"clip", .low = TRUE, .high = TRUE},
    [SRGAN_ACTIVATION_TANH] = {"tanh"},
    [SRGAN_ACTIVATION_SIGMOID] = {"sigmoid"},
    [SRGAN_ACTIVATION_SPLINE] = {"spline", .n_slopes = 3},
    [SRGAN_ACTIVATION_ROOT] = {"root", .low = TRUE},
    [SRGAN_ACTIVATION_INVERSE_ROOT] = {"inverse-root", .low = TRUE},
};

const gchar *
srgan_activation_to_string (SrganActivation activation)
{
  g_return_val_if_fail ((guint) activation < SRGAN_N_ACTIVATIONS, NULL);
  return activations[activation].nick;
}

/* --- Attributes ---------------------------------------------------------- */

static const gchar *
padding_to_string (guint value)
{
  return srgan_padding_to_string (value);
}

static const gchar *
filter_to_string (guint value)
{
  return srgan_filter_to_string (value);
}

static const gchar *
activation_to_string (guint value)
{
  return srgan_activation_to_string (value);
}

#define FIELD(field) offsetof (SrganLayer, field)

static const SrganAttributeInfo attributes[SRGAN_N_ATTRIBUTES] = {
    [SRGAN_ATTRIBUTE_OUT_CHANNELS] = {"out_channels", SRGAN_ATTRIBUTE_UINT,
        FIELD (out_channels), 1, SRGAN_MAX_CHANNELS, .given = TRUE},
    [SRGAN_ATTRIBUTE_KERNEL_WIDTH] = {"kernel_width", SRGAN_ATTRIBUTE_UINT,
        FIELD (kernel_width), 1, SRGAN_MAX_KERNEL_SIDE, .given = TRUE},
    [SRGAN_ATTRIBUTE_KERNEL_HEIGHT] = {"kernel_height", SRGAN_ATTRIBUTE_UINT,
        FIELD (kernel_height), 1, SRGAN_MAX_KERNEL_SIDE, .given = TRUE},
    [SRGAN_ATTRIBUTE_STRIDE] = {"stride", SRGAN_ATTRIBUTE_UINT, FIELD (stride),
        1, 16, .standard = 1},
    [SRGAN_ATTRIBUTE_GROUPS] = {"groups", SRGAN_ATTRIBUTE_UINT, FIELD (groups),
        1, SRGAN_MAX_CHANNELS, .standard = 1},
    [SRGAN_ATTRIBUTE_PADDING] = {"padding", SRGAN_ATTRIBUTE_ENUM,
        FIELD (padding), .n_values = SRGAN_N_PADDINGS,
        .to_string = padding_to_string},
    [SRGAN_ATTRIBUTE_CEIL_MODE] = {"ceil_mode", SRGAN_ATTRIBUTE_UINT,
        FIELD (ceil_mode), 0, 1},
    [SRGAN_ATTRIBUTE_FACTOR] = {"factor", SRGAN_ATTRIBUTE_UINT, FIELD (factor),
        1, 16, .given = TRUE},
    [SRGAN_ATTRIBUTE_FILTER] = {"filter", SRGAN_ATTRIBUTE_ENUM, FIELD (filter),
        .given = TRUE, .n_values = SRGAN_N_FILTERS,
        .to_string = filter_to_string},
    [SRGAN_ATTRIBUTE_FIRST] = {"first", SRGAN_ATTRIBUTE_UINT, FIELD (first), 0,
        SRGAN_MAX_CHANNELS},
    [SRGAN_ATTRIBUTE_CROP] = {"crop", SRGAN_ATTRIBUTE_UINT, FIELD (crop), 1,
        1024, .given = TRUE},
    [SRGAN_ATTRIBUTE_ACTIVATION] = {"activation", SRGAN_ATTRIBUTE_ENUM,
        FIELD (activation), .n_values = SRGAN_N_ACTIVATIONS,
        .to_string = activation_to_string},
    [SRGAN_ATTRIBUTE_ACTIVATION_LOW] = {"activation_low", SRGAN_ATTRIBUTE_FLOAT,
        FIELD (activation_low), -1e6, 1e6},
    [SRGAN_ATTRIBUTE_ACTIVATION_HIGH] = {"activation_high",
        SRGAN_ATTRIBUTE_FLOAT, FIELD (activation_high), -1e6, 1e6},
    [SRGAN_ATTRIBUTE_EPSILON] = {"epsilon", SRGAN_ATTRIBUTE_FLOAT,
        FIELD (activation_low), 0, 1, .given = TRUE},
    [SRGAN_ATTRIBUTE_OUTPUT_ZERO] = {"output_zero", SRGAN_ATTRIBUTE_UINT,
        FIELD (output_zero), 0, 255},
};

const SrganAttributeInfo *
srgan_attribute_get_info (SrganAttribute attribute)
{
  return &attributes[attribute];
}

gdouble
srgan_layer_get_attribute (const SrganLayer *layer, SrganAttribute attribute)
{
  const SrganAttributeInfo *info = &attributes[attribute];

  if (info->kind == SRGAN_ATTRIBUTE_FLOAT)
    return G_STRUCT_MEMBER (gfloat, layer, info->offset);
  return G_STRUCT_MEMBER (guint, layer, info->offset);
}

void
srgan_layer_set_attribute (
    SrganLayer *layer, SrganAttribute attribute, gdouble value)
{
  const SrganAttributeInfo *info = &attributes[attribute];

  if (info->kind == SRGAN_ATTRIBUTE_FLOAT)
    G_STRUCT_MEMBER (gfloat, layer, info->offset) = (gfloat) value;
  else
    G_STRUCT_MEMBER (guint, layer, info->offset) = (guint) value;
}

/* --- Maps ---------------------------------------------------------------- */

G_GNUC_PRINTF (2, 3)
static gboolean
refuse (GError **error, const gchar *format, ...)
{
  va_list arguments;

  va_start (arguments, format);
  if (error != NULL)
    *error = g_error_new_valist (
        SRGAN_ERROR, SRGAN_ERROR_INVALID, format, arguments);
  va_end (arguments);
  return FALSE;
}

static guint
greatest_common_divisor (guint a, guint b)
{
  while (b != 0) {
    guint rest = a % b;

    a = b;
    b = rest;
  }
  return a;
}

static gboolean
is_single (const SrganLayer *layer)
{
  return layer->scale_up == 0;
}

/* A map of the same size as @input's. */
static void
keep_size (SrganLayer *layer, const SrganLayer *input)
{
  layer->scale_up = input->scale_up;
  layer->scale_down = input->scale_down;
  layer->lost_width = input->lost_width;
  layer->lost_height = input->lost_height;
}

/* One up / down times as large. What is lost is set by the caller. */
static gboolean
change_size (SrganLayer *layer, const SrganLayer *input, guint up, guint down,
    GError **error)
{
  guint divisor;

  if (is_single (input))
    return refuse (error, "inputs: a 1x1 map cannot be resized");
  up *= input->scale_up;
  down *= input->scale_down;
  divisor = greatest_common_divisor (up, down);
  layer->scale_up = up / divisor;
  layer->scale_down = down / divisor;
  return TRUE;
}

/* The common checks of what comes out. */
static gboolean
check_size (const SrganLayer *layer, GError **error)
{
  if (layer->out_channels < 1 || layer->out_channels > SRGAN_MAX_CHANNELS)
    return refuse (error, "out_channels: %u come out; 1 to %u may",
        layer->out_channels, SRGAN_MAX_CHANNELS);
  if (layer->scale_up > SRGAN_MAX_MAP_SCALE ||
      layer->scale_down > SRGAN_MAX_MAP_SCALE)
    return refuse (error,
        "scale: the map is %u/%u times as large as the network's input; "
        "%u/1 to 1/%u may be",
        layer->scale_up, layer->scale_down, SRGAN_MAX_MAP_SCALE,
        SRGAN_MAX_MAP_SCALE);
  if (layer->lost_width > SRGAN_MAX_LOST || layer->lost_height > SRGAN_MAX_LOST)
    return refuse (error, "padding: more than %u pixels are lost at the edges",
        SRGAN_MAX_LOST);
  return TRUE;
}

static gboolean
infer_conv (SrganLayer *layer, const SrganLayer *const *inputs, GError **error)
{
  const SrganLayer *input = inputs[0];
  guint stride = layer->stride;

  if (layer->in_channels % layer->groups != 0 ||
      layer->out_channels % layer->groups != 0)
    return refuse (error, "groups: %u does not divide %u channels in, %u out",
        layer->groups, layer->in_channels, layer->out_channels);
  if (!change_size (layer, input, 1, stride, error))
    return FALSE;
  /* W - lost pixels, W a multiple of the stride, give
   * ceil ((W - lost) / stride) with padding and
   * floor ((W - lost - kernel) / stride) + 1 without. */
  if (layer->padding == SRGAN_PADDING_NONE) {
    layer->lost_width =
        (input->lost_width + layer->kernel_width + stride - 1) / stride - 1;
    layer->lost_height =
        (input->lost_height + layer->kernel_height + stride - 1) / stride - 1;
  } else {
    layer->lost_width = input->lost_width / stride;
    layer->lost_height = input->lost_height / stride;
  }
  return TRUE;
}

static gboolean
infer_transposed_conv (
    SrganLayer *layer, const SrganLayer *const *inputs, GError **error)
{
  const SrganLayer *input = inputs[0];

  if (layer->in_channels % layer->groups != 0 ||
      layer->out_channels % layer->groups != 0)
    return refuse (error, "groups: %u does not divide %u channels in, %u out",
        layer->groups, layer->in_channels, layer->out_channels);
  if (layer->kernel_width < layer->stride ||
      layer->kernel_height < layer->stride)
    return refuse (error, "stride: %u is more than the kernel's %ux%u",
        layer->stride, layer->kernel_width, layer->kernel_height);
  if (!change_size (layer, input, layer->stride, 1, error))
    return FALSE;
  layer->lost_width = input->lost_width * layer->stride;
  layer->lost_height = input->lost_height * layer->stride;
  return TRUE;
}

static gboolean
infer_linear (
    SrganLayer *layer, const SrganLayer *const *inputs, GError **error)
{
  if (!is_single (inputs[0]))
    return refuse (error, "inputs: a 1x1 map is needed, as global-mean gives");
  keep_size (layer, inputs[0]);
  return TRUE;
}

static gboolean
infer_global_mean (
    SrganLayer *layer, const SrganLayer *const *inputs, GError **error)
{
  layer->out_channels = layer->in_channels;
  layer->scale_up = 0;
  layer->scale_down = 1;
  layer->lost_width = 0;
  layer->lost_height = 0;
  return TRUE;
}

static gboolean
infer_max_pool (
    SrganLayer *layer, const SrganLayer *const *inputs, GError **error)
{
  layer->out_channels = layer->in_channels;
  layer->groups = 1;
  layer->padding = SRGAN_PADDING_NONE;
  if (!infer_conv (layer, inputs, error))
    return FALSE;
  layer->padding = SRGAN_PADDING_ZERO;
  if (layer->ceil_mode == 0)
    return TRUE;
  if (layer->kernel_width < layer->stride ||
      layer->kernel_height < layer->stride)
    return refuse (error,
        "ceil_mode: the stride, %u, is more than the kernel's %ux%u",
        layer->stride, layer->kernel_width, layer->kernel_height);
  /* ceil ((W - lost - kernel) / stride) + 1 */
  layer->lost_width =
      (inputs[0]->lost_width + layer->kernel_width) / layer->stride - 1;
  layer->lost_height =
      (inputs[0]->lost_height + layer->kernel_height) / layer->stride - 1;
  return TRUE;
}

/* Maps of one size and number of channels, and 1x1 maps. */
static gboolean
infer_elementwise (
    SrganLayer *layer, const SrganLayer *const *inputs, GError **error)
{
  const SrganLayer *whole = inputs[0];

  for (guint i = 1; i < layer->n_inputs; i++)
    if (is_single (whole))
      whole = inputs[i];
  for (guint i = 0; i < layer->n_inputs; i++) {
    if (inputs[i]->out_channels != whole->out_channels)
      return refuse (error, "inputs: number %u has %u channels, others %u",
          i + 1, inputs[i]->out_channels, whole->out_channels);
    if (!is_single (inputs[i]) &&
        (inputs[i]->scale_up != whole->scale_up ||
            inputs[i]->scale_down != whole->scale_down ||
            inputs[i]->lost_width != whole->lost_width ||
            inputs[i]->lost_height != whole->lost_height))
      return refuse (error,
          "inputs: number %u is %u/%u times the network's input less %ux%u, "
          "another %u/%u less %ux%u",
          i + 1, inputs[i]->scale_up, inputs[i]->scale_down,
          inputs[i]->lost_width, inputs[i]->lost_height, whole->scale_up,
          whole->scale_down, whole->lost_width, whole->lost_height);
  }
  layer->in_channels = whole->out_channels;
  layer->out_channels = whole->out_channels;
  keep_size (layer, whole);
  return TRUE;
}

static gboolean
infer_concat (
    SrganLayer *layer, const SrganLayer *const *inputs, GError **error)
{
  for (guint i = 1; i < layer->n_inputs; i++)
    if (inputs[i]->scale_up != inputs[0]->scale_up ||
        inputs[i]->scale_down != inputs[0]->scale_down ||
        inputs[i]->lost_width != inputs[0]->lost_width ||
        inputs[i]->lost_height != inputs[0]->lost_height)
      return refuse (
          error, "inputs: number %u is not of the first one's size", i + 1);
  layer->out_channels = layer->in_channels;
  keep_size (layer, inputs[0]);
  return TRUE;
}

static gboolean
infer_slice (SrganLayer *layer, const SrganLayer *const *inputs, GError **error)
{
  if (layer->first + layer->out_channels > layer->in_channels)
    return refuse (error, "first: channels %u to %u of %u do not exist",
        layer->first, layer->first + layer->out_channels - 1,
        layer->in_channels);
  keep_size (layer, inputs[0]);
  return TRUE;
}

static gboolean
infer_crop (SrganLayer *layer, const SrganLayer *const *inputs, GError **error)
{
  if (is_single (inputs[0]))
    return refuse (error, "inputs: a 1x1 map cannot be cropped");
  layer->out_channels = layer->in_channels;
  keep_size (layer, inputs[0]);
  layer->lost_width += 2 * layer->crop;
  layer->lost_height += 2 * layer->crop;
  return TRUE;
}

static gboolean
infer_pixel_shuffle (
    SrganLayer *layer, const SrganLayer *const *inputs, GError **error)
{
  guint area = layer->factor * layer->factor;

  if (layer->in_channels % area != 0)
    return refuse (error, "factor: %u squared does not divide %u channels",
        layer->factor, layer->in_channels);
  layer->out_channels = layer->in_channels / area;
  if (!change_size (layer, inputs[0], layer->factor, 1, error))
    return FALSE;
  layer->lost_width = inputs[0]->lost_width * layer->factor;
  layer->lost_height = inputs[0]->lost_height * layer->factor;
  return TRUE;
}

static gboolean
infer_pixel_unshuffle (
    SrganLayer *layer, const SrganLayer *const *inputs, GError **error)
{
  if (inputs[0]->lost_width % layer->factor != 0 ||
      inputs[0]->lost_height % layer->factor != 0)
    return refuse (error, "factor: %u does not divide the %ux%u pixels lost",
        layer->factor, inputs[0]->lost_width, inputs[0]->lost_height);
  layer->out_channels = layer->in_channels * layer->factor * layer->factor;
  if (!change_size (layer, inputs[0], 1, layer->factor, error))
    return FALSE;
  layer->lost_width = inputs[0]->lost_width / layer->factor;
  layer->lost_height = inputs[0]->lost_height / layer->factor;
  return TRUE;
}

static gboolean
infer_resize (
    SrganLayer *layer, const SrganLayer *const *inputs, GError **error)
{
  layer->in_channels = layer->out_channels = inputs[0]->out_channels;
  if (layer->n_inputs == 2) {
    if (is_single (inputs[0]) || is_single (inputs[1]))
      return refuse (error, "inputs: a 1x1 map cannot be resized");
    keep_size (layer, inputs[1]);
    return TRUE;
  }
  if (!change_size (layer, inputs[0], layer->factor, 1, error))
    return FALSE;
  layer->lost_width = inputs[0]->lost_width * layer->factor;
  layer->lost_height = inputs[0]->lost_height * layer->factor;
  return TRUE;
}

static gboolean
infer_same (SrganLayer *layer, const SrganLayer *const *inputs, GError **error)
{
  layer->out_channels = layer->in_channels;
  keep_size (layer, inputs[0]);
  return TRUE;
}

/* --- Tensors ------------------------------------------------------------- */

static void
shape_conv (const SrganLayer *layer, SrganTensorShape *shape)
{
  shape->n_dimensions = 4;
  shape->dimensions[0] = layer->out_channels;
  shape->dimensions[1] = layer->in_channels / layer->groups;
  shape->dimensions[2] = layer->kernel_height;
  shape->dimensions[3] = layer->kernel_width;
}

static void
shape_transposed_conv (const SrganLayer *layer, SrganTensorShape *shape)
{
  shape->n_dimensions = 4;
  shape->dimensions[0] = layer->in_channels;
  shape->dimensions[1] = layer->out_channels / layer->groups;
  shape->dimensions[2] = layer->kernel_height;
  shape->dimensions[3] = layer->kernel_width;
}

static void
shape_linear (const SrganLayer *layer, SrganTensorShape *shape)
{
  shape->n_dimensions = 2;
  shape->dimensions[0] = layer->out_channels;
  shape->dimensions[1] = layer->in_channels;
}

static void
shape_batch_norm (const SrganLayer *layer, SrganTensorShape *shape)
{
  shape->n_dimensions = 2;
  shape->dimensions[0] = 4;
  shape->dimensions[1] = layer->in_channels;
}

/* --- Multiply-adds for a pixel of a convolution's map -------------------- */

/* The weights, each once for an output pixel. */
static gdouble
cost_conv (const SrganLayer *layer)
{
  return (gdouble) layer->out_channels * (layer->in_channels / layer->groups) *
         layer->kernel_width * layer->kernel_height;
}

/* The weights, each once for an input pixel. */
static gdouble
cost_transposed_conv (const SrganLayer *layer)
{
  return (gdouble) layer->in_channels * (layer->out_channels / layer->groups) *
         layer->kernel_width * layer->kernel_height /
         (layer->stride * layer->stride);
}

/* --- Reach --------------------------------------------------------------- */

static guint
divide_up (guint64 a, guint64 b)
{
  return (guint) (a / b + (a % b != 0));
}

static guint
reach_conv (
    const SrganLayer *layer, const SrganLayer *const *inputs, guint reach)
{
  /* Where a later layer enlarges the map again, its pixels lie up to
   * stride - 1 away from the one that the kernel is centred on. */
  return reach * layer->stride +
         MAX (layer->kernel_width, layer->kernel_height) / 2 + layer->stride -
         1;
}

static guint
reach_transposed_conv (
    const SrganLayer *layer, const SrganLayer *const *inputs, guint reach)
{
  guint side = MAX (layer->kernel_width, layer->kernel_height);
  guint cut = divide_up (side - layer->stride, 2);

  return MAX (divide_up (reach + cut, layer->stride),
      (reach + side - 1 - cut) / layer->stride);
}

static guint
reach_max_pool (
    const SrganLayer *layer, const SrganLayer *const *inputs, guint reach)
{
  return reach * layer->stride +
         MAX (layer->kernel_width, layer->kernel_height) - 1;
}

static guint
reach_global (
    const SrganLayer *layer, const SrganLayer *const *inputs, guint reach)
{
  return G_MAXUINT;
}

static guint
reach_pixel_shuffle (
    const SrganLayer *layer, const SrganLayer *const *inputs, guint reach)
{
  return divide_up (reach, layer->factor);
}

static guint
reach_pixel_unshuffle (
    const SrganLayer *layer, const SrganLayer *const *inputs, guint reach)
{
  return reach * layer->factor + layer->factor - 1;
}

static guint
reach_resize (
    const SrganLayer *layer, const SrganLayer *const *inputs, guint reach)
{
  static const guint taps[] = {
      [SRGAN_FILTER_NEAREST] = 0,
      [SRGAN_FILTER_BILINEAR] = 1,
      [SRGAN_FILTER_BICUBIC] = 2,
  };

  if (layer->n_inputs == 2) {
    /* A map that lost pixels is stretched over what it lost, which moves its
     * pixels by as many at most. */
    guint64 up = (guint64) inputs[0]->scale_up * layer->scale_down;
    guint64 down = (guint64) inputs[0]->scale_down * layer->scale_up;

    return (guint) ((reach * up + down - 1) / down) +
           MAX (inputs[0]->lost_width, inputs[0]->lost_height) +
           divide_up (MAX (layer->lost_width, layer->lost_height) * up, down) +
           taps[layer->filter] + 1;
  }
  if (layer->factor == 1)
    return reach;
  return divide_up (reach, layer->factor) + taps[layer->filter];
}

/* --- The table ----------------------------------------------------------- */

#define TAKES(attribute) (1u << SRGAN_ATTRIBUTE_##attribute)
#define KERNEL (TAKES (KERNEL_WIDTH) | TAKES (KERNEL_HEIGHT))

static const struct {
  const gchar *nick;
  guint max_inputs;
  guint min_inputs;
  guint attributes;
  gboolean has_bias;
  gboolean needs_activation;
  /* Works out what the common part of srgan_layer_infer() does not; in_channels
   * is the sum over the inputs. */
  gboolean (*infer) (
      SrganLayer *layer, const SrganLayer *const *inputs, GError **error);
  /* Of the tensor NAME.weight; NULL: there is none. */
  void (*weight_shape) (const SrganLayer *layer, SrganTensorShape *shape);
  /* Multiply-adds for a pixel of the layer's map; NULL: none worth counting. */
  gdouble (*cost) (const SrganLayer *layer);
  /* See srgan_layer_get_reach(); NULL: as far as the output is read. */
  guint (*reach) (
      const SrganLayer *layer, const SrganLayer *const *inputs, guint reach);
} operations[SRGAN_N_OPERATIONS] = {
    [SRGAN_OPERATION_CONV] = {"conv", 1, 1,
        TAKES (OUT_CHANNELS) | KERNEL | TAKES (STRIDE) | TAKES (GROUPS) |
            TAKES (PADDING) | TAKES (ACTIVATION),
        .has_bias = TRUE, .infer = infer_conv, .weight_shape = shape_conv,
        .cost = cost_conv, .reach = reach_conv},
    [SRGAN_OPERATION_TRANSPOSED_CONV] = {"transposed-conv", 1, 1,
        TAKES (OUT_CHANNELS) | KERNEL | TAKES (STRIDE) | TAKES (GROUPS) |
            TAKES (ACTIVATION),
        .has_bias = TRUE, .infer = infer_transposed_conv,
        .weight_shape = shape_transposed_conv, .cost = cost_transposed_conv,
        .reach = reach_transposed_conv},
    [SRGAN_OPERATION_LINEAR] = {"linear", 1, 1,
        TAKES (OUT_CHANNELS) | TAKES (ACTIVATION), .has_bias = TRUE,
        .infer = infer_linear, .weight_shape = shape_linear},
    [SRGAN_OPERATION_GLOBAL_MEAN] = {"global-mean", 1, 1, TAKES (ACTIVATION),
        .infer = infer_global_mean, .reach = reach_global},
    [SRGAN_OPERATION_MAX_POOL] = {"max-pool", 1, 1,
        KERNEL | TAKES (STRIDE) | TAKES (CEIL_MODE) | TAKES (ACTIVATION),
        .infer = infer_max_pool, .reach = reach_max_pool},
    [SRGAN_OPERATION_ADD] = {"add", SRGAN_LAYER_MAX_INPUTS, 2,
        TAKES (ACTIVATION), .infer = infer_elementwise},
    [SRGAN_OPERATION_MULTIPLY] = {"multiply", SRGAN_LAYER_MAX_INPUTS, 2,
        TAKES (ACTIVATION), .infer = infer_elementwise},
    [SRGAN_OPERATION_CONCAT] = {"concat", SRGAN_LAYER_MAX_INPUTS, 2,
        TAKES (ACTIVATION), .infer = infer_concat},
    [SRGAN_OPERATION_SLICE] = {"slice", 1, 1,
        TAKES (OUT_CHANNELS) | TAKES (FIRST) | TAKES (ACTIVATION),
        .infer = infer_slice},
    [SRGAN_OPERATION_CROP] = {"crop", 1, 1, TAKES (CROP) | TAKES (ACTIVATION),
        .infer = infer_crop},
    [SRGAN_OPERATION_PIXEL_SHUFFLE] = {"pixel-shuffle", 1, 1,
        TAKES (FACTOR) | TAKES (ACTIVATION), .infer = infer_pixel_shuffle,
        .reach = reach_pixel_shuffle},
    [SRGAN_OPERATION_PIXEL_UNSHUFFLE] = {"pixel-unshuffle", 1, 1,
        TAKES (FACTOR) | TAKES (ACTIVATION), .infer = infer_pixel_unshuffle,
        .reach = reach_pixel_unshuffle},
    [SRGAN_OPERATION_RESIZE] = {"resize", 2, 1,
        TAKES (FACTOR) | TAKES (FILTER) | TAKES (ACTIVATION),
        .infer = infer_resize, .reach = reach_resize},
    [SRGAN_OPERATION_ACTIVATION] = {"activation", 1, 1, TAKES (ACTIVATION),
        .needs_activation = TRUE, .infer = infer_same},
    [SRGAN_OPERATION_BATCH_NORM] = {"batch-norm", 1, 1, TAKES (EPSILON),
        .infer = infer_same, .weight_shape = shape_batch_norm},
};

const gchar *
srgan_operation_to_string (SrganOperation operation)
{
  g_return_val_if_fail ((guint) operation < SRGAN_N_OPERATIONS, NULL);
  return operations[operation].nick;
}

void
srgan_operation_get_n_inputs (
    SrganOperation operation, guint *minimum, guint *maximum)
{
  *minimum = operations[operation].min_inputs;
  *maximum = operations[operation].max_inputs;
}

gboolean
srgan_layer_has_attribute (const SrganLayer *layer, SrganAttribute attribute)
{
  guint taken = operations[layer->operation].attributes | TAKES (OUTPUT_ZERO);

  if (taken & TAKES (ACTIVATION)) {
    if (activations[layer->activation].low)
      taken |= TAKES (ACTIVATION_LOW);
    if (activations[layer->activation].high)
      taken |= TAKES (ACTIVATION_HIGH);
  }
  if (layer->operation == SRGAN_OPERATION_RESIZE && layer->n_inputs > 1)
    taken &= ~TAKES (FACTOR);
  return (taken >> attribute & 1) != 0;
}

static gboolean
check_attribute (SrganLayer *layer, SrganAttribute attribute, GError **error)
{
  const SrganAttributeInfo *info = &attributes[attribute];
  gdouble value = srgan_layer_get_attribute (layer, attribute);

  if (info->kind == SRGAN_ATTRIBUTE_ENUM) {
    if (value >= info->n_values)
      return refuse (error, "%s: %.0f is no such thing", info->name, value);
    return TRUE;
  }
  if (value == 0. && !info->given && info->standard != 0.) {
    srgan_layer_set_attribute (layer, attribute, info->standard);
    return TRUE;
  }
  /* said so that NaN fails */
  if (!(value >= info->minimum && value <= info->maximum))
    return refuse (error, "%s: %g is not within %g to %g", info->name, value,
        info->minimum, info->maximum);
  return TRUE;
}

gboolean
srgan_layer_infer (
    SrganLayer *layer, const SrganLayer *const *inputs, GError **error)
{
  if ((guint) layer->operation >= SRGAN_N_OPERATIONS)
    return refuse (
        error, "operation: %u is no such thing", (guint) layer->operation);
  if (layer->n_inputs < operations[layer->operation].min_inputs ||
      layer->n_inputs > operations[layer->operation].max_inputs)
    return refuse (error, "inputs: %s takes %u to %u, not %u",
        operations[layer->operation].nick,
        operations[layer->operation].min_inputs,
        operations[layer->operation].max_inputs, layer->n_inputs);

  /* The activation first: it says which of its bounds apply. */
  if (!(operations[layer->operation].attributes & TAKES (ACTIVATION)))
    layer->activation = SRGAN_ACTIVATION_NONE;
  else if (!check_attribute (layer, SRGAN_ATTRIBUTE_ACTIVATION, error))
    return FALSE;
  if (operations[layer->operation].needs_activation &&
      layer->activation == SRGAN_ACTIVATION_NONE)
    return refuse (error, "activation: an activation layer needs one");
  for (guint i = 0; i < SRGAN_N_ATTRIBUTES; i++)
    if (srgan_layer_has_attribute (layer, i)) {
      if (!check_attribute (layer, i, error))
        return FALSE;
    } else if (i != SRGAN_ATTRIBUTE_EPSILON &&
               !(i == SRGAN_ATTRIBUTE_ACTIVATION_LOW &&
                   srgan_layer_has_attribute (
                       layer, SRGAN_ATTRIBUTE_EPSILON))) {
      srgan_layer_set_attribute (layer, i, attributes[i].standard);
    }
  if (layer->activation == SRGAN_ACTIVATION_CLIP &&
      layer->activation_low > layer->activation_high)
    return refuse (error, "activation_low: %g is above activation_high, %g",
        layer->activation_low, layer->activation_high);

  layer->in_channels = 0;
  for (guint i = 0; i < layer->n_inputs; i++)
    layer->in_channels += inputs[i]->out_channels;
  if (!operations[layer->operation].infer (layer, inputs, error) ||
      !check_size (layer, error))
    return FALSE;

  for (guint i = 0; i < SRGAN_N_TENSORS; i++) {
    SrganTensorShape shape;

    srgan_layer_get_tensor_shape (layer, i, &shape);
    if (srgan_tensor_shape_get_n (&shape) > SRGAN_MAX_WEIGHTS)
      return refuse (error, "%s: %" G_GUINT64_FORMAT " numbers are too many",
          tensor_names[i], srgan_tensor_shape_get_n (&shape));
  }
  return TRUE;
}

void
srgan_layer_get_tensor_shape (
    const SrganLayer *layer, SrganTensor tensor, SrganTensorShape *shape)
{
  guint n_slopes = activations[layer->activation].n_slopes;

  memset (shape, 0, sizeof *shape);
  switch (tensor) {
  case SRGAN_TENSOR_WEIGHT:
    shape->required = TRUE;
    if (operations[layer->operation].weight_shape != NULL)
      operations[layer->operation].weight_shape (layer, shape);
    break;
  case SRGAN_TENSOR_BIAS:
    if (operations[layer->operation].has_bias) {
      shape->n_dimensions = 1;
      shape->dimensions[0] = layer->out_channels;
    }
    break;
  case SRGAN_TENSOR_SLOPE:
    shape->required = TRUE;
    if (n_slopes > 1)
      shape->dimensions[shape->n_dimensions++] = n_slopes;
    if (n_slopes > 0)
      shape->dimensions[shape->n_dimensions++] = layer->out_channels;
    break;
  case SRGAN_TENSOR_WEIGHT_CODE:
    if (layer->operation == SRGAN_OPERATION_CONV)
      shape_conv (layer, shape);
    break;
  case SRGAN_TENSOR_WEIGHT_STEP:
  case SRGAN_TENSOR_INT8_BIAS:
    if (layer->operation != SRGAN_OPERATION_CONV)
      break;
    shape->n_dimensions = 1;
    shape->dimensions[0] = layer->out_channels;
    break;
  case SRGAN_TENSOR_OUTPUT_STEP:
    shape->n_dimensions = 1;
    shape->dimensions[0] = layer->out_channels;
    break;
  default:
    g_assert_not_reached ();
  }
}

guint64
srgan_tensor_shape_get_n (const SrganTensorShape *shape)
{
  guint64 n = shape->n_dimensions > 0;

  /* cannot overflow: 16384^2 * 63^2 < 2^40 */
  for (guint i = 0; i < shape->n_dimensions; i++)
    n *= shape->dimensions[i];
  return n;
}

const gfloat **
srgan_layer_get_tensor (SrganLayer *layer, SrganTensor tensor)
{
  switch (tensor) {
  case SRGAN_TENSOR_WEIGHT:
    return &layer->weight;
  case SRGAN_TENSOR_BIAS:
    return &layer->bias;
  case SRGAN_TENSOR_SLOPE:
    return &layer->slope;
  case SRGAN_TENSOR_OUTPUT_STEP:
    return &layer->output_step;
  case SRGAN_TENSOR_WEIGHT_CODE:
    return &layer->weight_code;
  case SRGAN_TENSOR_WEIGHT_STEP:
    return &layer->weight_step;
  case SRGAN_TENSOR_INT8_BIAS:
    return &layer->int8_bias;
  default:
    g_assert_not_reached ();
  }
}

/* The step of the map that weight @index of output @out is multiplied with. */
static gdouble
get_weight_input_step (
    const SrganLayer *layer, const gfloat *input_step, guint out, gsize index)
{
  guint in_each = layer->in_channels / layer->groups;
  guint group = out / (layer->out_channels / layer->groups);

  return input_step[group * in_each +
                    index / (layer->kernel_width * layer->kernel_height)];
}

static gsize
count_weights_each (const SrganLayer *layer)
{
  return (gsize) (layer->in_channels / layer->groups) * layer->kernel_width *
         layer->kernel_height;
}

void
srgan_layer_quantise_weight (const SrganLayer *layer, const gfloat *input_step,
    gint8 *code, gfloat *step)
{
  gsize n_each = count_weights_each (layer);

  for (guint out = 0; out < layer->out_channels; out++) {
    const gfloat *weight = layer->weight + out * n_each;
    gdouble largest = 0.;

    for (gsize i = 0; i < n_each; i++)
      largest = MAX (largest,
          fabs (weight[i]) * get_weight_input_step (layer, input_step, out, i));
    step[out] = layer->weight_step != NULL ? layer->weight_step[out]
                                           : (gfloat) (largest / 127.);
    if (!(step[out] >= G_MINFLOAT))
      step[out] = 1.f; /* all weights are 0 */
    for (gsize i = 0; i < n_each; i++) {
      gdouble value = weight[i] *
                      get_weight_input_step (layer, input_step, out, i) /
                      step[out];

      if (layer->weight_code != NULL)
        value = layer->weight_code[out * n_each + i];
      code[out * n_each + i] = (gint8) rint (CLAMP (value, -127., 127.));
    }
  }
}

void
srgan_layer_compute_weight (
    const SrganLayer *layer, const gfloat *input_step, gfloat *weight)
{
  gsize n_each = count_weights_each (layer);

  for (guint out = 0; out < layer->out_channels; out++)
    for (gsize i = 0; i < n_each; i++)
      weight[out * n_each + i] =
          (gfloat) ((gdouble) layer->weight_code[out * n_each + i] *
                    layer->weight_step[out] /
                    get_weight_input_step (layer, input_step, out, i));
}

gfloat *
srgan_layer_get_slopes (const SrganLayer *layer)
{
  gfloat *slopes;

  if (layer->activation != SRGAN_ACTIVATION_RELU &&
      layer->activation != SRGAN_ACTIVATION_LEAKY_RELU &&
      layer->activation != SRGAN_ACTIVATION_PRELU)
    return NULL;
  slopes = g_new (gfloat, layer->out_channels);
  for (guint i = 0; i < layer->out_channels; i++)
    switch (layer->activation) {
    case SRGAN_ACTIVATION_RELU:
      slopes[i] = 0;
      break;
    case SRGAN_ACTIVATION_LEAKY_RELU:
      slopes[i] = layer->activation_low;
      break;
    default:
      slopes[i] = layer->slope[i];
      break;
    }
  return slopes;
}

gdouble
srgan_layer_get_multiply_adds (const SrganLayer *layer)
{
  gdouble scale = (gdouble) layer->scale_up / layer->scale_down;

  if (operations[layer->operation].cost == NULL)
    return 0.;
  return operations[layer->operation].cost (layer) * scale * scale;
}

guint
srgan_layer_get_reach (
    const SrganLayer *layer, const SrganLayer *const *inputs, guint reach)
{
  if (reach > G_MAXINT / (SRGAN_MAX_MAP_SCALE * 2)) /* includes G_MAXUINT */
    return G_MAXUINT;
  if (operations[layer->operation].reach == NULL)
    return reach;
  return operations[layer->operation].reach (layer, inputs, reach);
}
