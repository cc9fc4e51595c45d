/* train: a network that can be run forwards and backwards.
 *
 * SPDX-License-Identifier: MIT
 */
#include "train/graph.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "kernels/kernels.h"
#include "train/convolve.h"

#define NO_TENSOR G_MAXUINT

/* Channels whose sums a loop over pixels keeps in registers. */
#define CHUNK 4

typedef struct {
  const SrganLayer *description; /* the network's */
  guint weight;                  /* offsets of its tensors, or NO_TENSOR */
  guint bias;
  guint slope;
  gboolean carries; /* whether a derivative by its result is needed */
  guint stride;     /* floats from pixel to pixel of its maps */
  /* conv: the weights packed for the kernels; turned: flipped, in and out
   * exchanged, which carries gradients back */
  SrganConvolution forward;
  SrganConvolution turned;
} Node;

struct _SrganGraph {
  SrganNetwork *network;
  guint n_nodes;
  Node *nodes;
  gboolean input_carries;
  const SrganKernels *kernels;
  guint input_stride; /* of the input's gradient */
  GArray *tensors;    /* of SrganParameter */
  guint n_parameters;
  guint border; /* of every map: half the largest kernel */
  const gfloat *parameters;
};

/* The maps of one node. Without an activation, before and value are one. */
typedef struct {
  SrganMap before;
  SrganMap value;
  SrganMap gradient;
  gboolean written; /* backward: whether gradient holds anything yet */
} NodeState;

struct _SrganGraphState {
  const SrganGraph *graph;
  gboolean backward;
  NodeState input;
  NodeState *nodes;
  gfloat *scratch;
};

/* What an operation does in each direction. */
typedef struct {
  /* NULL, or why this layer cannot be trained */
  const gchar *(*check) (const SrganLayer *layer);
  void (*forward) (SrganGraphState *state, guint index);
  /* from nodes[index].gradient to its inputs' and to the parameters' */
  void (*backward) (
      SrganGraphState *state, guint index, gfloat *parameter_gradient);
} Operation;

static const Operation operations[SRGAN_N_OPERATIONS];

static NodeState *
get_input (SrganGraphState *state, guint index, guint input)
{
  gint i = state->graph->nodes[index].description->inputs[input];

  return i == SRGAN_INPUT_NETWORK ? &state->input : state->nodes + i;
}

static gboolean
input_carries (const SrganGraph *graph, gint input)
{
  return input == SRGAN_INPUT_NETWORK ? graph->input_carries
                                      : graph->nodes[input].carries;
}

/* --- conv -------------------------------------------------------------- */

static const gchar *
check_conv (const SrganLayer *layer)
{
  if (layer->kernel_width != layer->kernel_height ||
      layer->kernel_width % 2 == 0)
    return "only square kernels of odd size can be trained";
  if (layer->stride != 1 || layer->groups != 1)
    return "only stride 1 and one group can be trained";
  if (layer->kernel_width > SRGAN_KERNEL_MAX_SIDE)
    return "its kernel is too large";
  if (layer->padding != SRGAN_PADDING_ZERO)
    return "only zero padding can be trained";
  return NULL;
}

/* Runs packed weights over a map; @accumulate: added to what @output holds. */
static void
convolve (const SrganGraph *graph, const SrganConvolution *convolution,
    const SrganMap *input, const SrganMap *output, gboolean accumulate,
    gfloat *scratch)
{
  guint half = convolution->kernel_height / 2;
  const gfloat *rows[SRGAN_KERNEL_MAX_SIDE];

  for (guint y = 0; y < output->height; y++) {
    gfloat *row = srgan_map_row (output, y);

    for (guint k = 0; k < convolution->kernel_height; k++)
      rows[k] = srgan_map_row (input, 0) +
                ((gssize) y + k - half) * (gssize) srgan_map_pitch (input) -
                (gssize) half * input->stride;
    graph->kernels->convolve_row (
        convolution, rows, accumulate ? scratch : row, output->width);
    if (accumulate)
      graph->kernels->add_row (
          row, row, scratch, output->width * output->stride);
  }
}

static void
forward_conv (SrganGraphState *state, guint index)
{
  convolve (state->graph, &state->graph->nodes[index].forward,
      &get_input (state, index, 0)->value, &state->nodes[index].before, FALSE,
      state->scratch);
}

static void
backward_conv (SrganGraphState *state, guint index, gfloat *parameter_gradient)
{
  const Node *node = state->graph->nodes + index;
  const SrganMap *gradient = &state->nodes[index].gradient;
  NodeState *input = get_input (state, index, 0);

  srgan_convolve_weight_gradient (&input->value, gradient,
      node->description->kernel_width, parameter_gradient + node->weight,
      state->scratch);
  if (input_carries (state->graph, node->description->inputs[0])) {
    convolve (state->graph, &node->turned, gradient, &input->gradient,
        input->written, state->scratch);
    input->written = TRUE;
  }
}

/* --- add --------------------------------------------------------------- */

static const gchar *
check_add (const SrganLayer *layer)
{
  return layer->scale_up == 0 ? "a sum of 1x1 maps cannot be trained" : NULL;
}

/* target = source, or target += source if @accumulate. */
static void
copy_map (const SrganMap *target, const SrganMap *source, gboolean accumulate)
{
  guint n = target->width * target->stride;

  for (guint y = 0; y < target->height; y++) {
    gfloat *to = srgan_map_row (target, y);
    const gfloat *from = srgan_map_row (source, y);

    if (target->stride != source->stride) {
      for (guint x = 0; x < target->width;
           x++, to += target->stride, from += source->stride)
        for (guint c = 0; c < target->channels; c++)
          to[c] = (accumulate ? to[c] : 0) + from[c];
    } else if (accumulate) {
      for (guint i = 0; i < n; i++)
        to[i] += from[i];
    } else {
      memcpy (to, from, n * sizeof (gfloat));
    }
  }
}

static void
forward_add (SrganGraphState *state, guint index)
{
  const SrganLayer *layer = state->graph->nodes[index].description;

  for (guint i = 0; i < layer->n_inputs; i++)
    copy_map (&state->nodes[index].before, &get_input (state, index, i)->value,
        i > 0);
}

static void
backward_add (SrganGraphState *state, guint index, gfloat *parameter_gradient)
{
  const SrganLayer *layer = state->graph->nodes[index].description;

  for (guint i = 0; i < layer->n_inputs; i++) {
    NodeState *input = get_input (state, index, i);

    if (!input_carries (state->graph, layer->inputs[i]))
      continue;
    copy_map (&input->gradient, &state->nodes[index].gradient, input->written);
    input->written = TRUE;
  }
}

/* --- pixel-shuffle ----------------------------------------------------- */

static void
forward_pixel_shuffle (SrganGraphState *state, guint index)
{
  guint factor = state->graph->nodes[index].description->factor;
  const SrganMap *input = &get_input (state, index, 0)->value;
  const SrganMap *output = &state->nodes[index].before;
  guint channels = output->channels;

  for (guint y = 0; y < output->height; y++) {
    const gfloat *from =
        srgan_map_row (input, y / factor) + y % factor * factor;
    gfloat *to = srgan_map_row (output, y);

    for (guint x = 0; x < input->width; x++, from += input->stride)
      for (guint p = 0; p < factor; p++, to += output->stride)
        for (guint c = 0; c < channels; c++)
          to[c] = from[c * factor * factor + p];
  }
}

static void
backward_pixel_shuffle (
    SrganGraphState *state, guint index, gfloat *parameter_gradient)
{
  const SrganLayer *layer = state->graph->nodes[index].description;
  guint factor = layer->factor;
  NodeState *input = get_input (state, index, 0);
  const SrganMap *gradient = &state->nodes[index].gradient;
  guint channels = gradient->channels;

  if (!input_carries (state->graph, layer->inputs[0]))
    return;
  for (guint y = 0; y < gradient->height; y++) {
    gfloat *to =
        srgan_map_row (&input->gradient, y / factor) + y % factor * factor;
    const gfloat *from = srgan_map_row (gradient, y);

    for (guint x = 0; x < input->gradient.width;
         x++, to += input->gradient.stride)
      for (guint p = 0; p < factor; p++, from += gradient->stride)
        for (guint c = 0; c < channels; c++)
          to[c * factor * factor + p] =
              (input->written ? to[c * factor * factor + p] : 0) + from[c];
  }
  input->written = TRUE;
}

/* --- resize ------------------------------------------------------------ */

#define RESIZE_TAPS 4

/* Output i * factor + p is the sum over t of weight[p][t] times input
 * i + first[p] + t, clamped to the edge: half-pixel centres. */
static void
make_phases (const SrganLayer *layer, gint *first, gfloat weight[][RESIZE_TAPS])
{
  for (guint p = 0; p < layer->factor; p++) {
    gdouble centre = (p + .5) / layer->factor - .5;
    gdouble base = floor (centre), x = centre - base;

    memset (weight[p], 0, sizeof weight[p]);
    switch (layer->filter) {
    case SRGAN_FILTER_NEAREST:
      first[p] = 0;
      weight[p][0] = 1;
      break;
    case SRGAN_FILTER_BILINEAR:
      first[p] = (gint) base;
      weight[p][0] = (gfloat) (1 - x);
      weight[p][1] = (gfloat) x;
      break;
    default: /* Keys 1981, a = -0.5 */
      first[p] = (gint) base - 1;
      for (gint t = 0; t < RESIZE_TAPS; t++) {
        gdouble a = fabs (x - (t - 1));

        weight[p][t] = (gfloat) (a <= 1 ? (1.5 * a - 2.5) * a * a + 1
                                        : ((-.5 * a + 2.5) * a - 4) * a + 2);
      }
    }
  }
}

static guint
count_resize_taps (SrganFilter filter)
{
  return filter == SRGAN_FILTER_NEAREST    ? 1
         : filter == SRGAN_FILTER_BILINEAR ? 2
                                           : RESIZE_TAPS;
}

/* Both directions: each output pixel meets each of its taps once, taking the
 * value (@back FALSE) or leaving its gradient there. */
static void
resize (const SrganLayer *layer, const SrganMap *small, const SrganMap *large,
    gboolean back)
{
  guint factor = layer->factor, channels = small->channels;
  guint n_taps = count_resize_taps (layer->filter);
  g_autofree gint *first = g_new (gint, factor);
  g_autofree gfloat (*weight)[RESIZE_TAPS] =
      g_malloc_n (factor, sizeof *weight);

  make_phases (layer, first, weight);
  for (guint y = 0; y < large->height; y++) {
    gfloat *out = srgan_map_row (large, y);

    if (!back)
      memset (out, 0, (gsize) large->width * large->stride * sizeof (gfloat));
    for (guint u = 0; u < n_taps; u++) {
      gint row = (gint) (y / factor) + first[y % factor] + (gint) u;
      gfloat *in =
          srgan_map_row (small, CLAMP (row, 0, (gint) small->height - 1));

      for (guint x = 0; x < large->width; x++)
        for (guint t = 0; t < n_taps; t++) {
          gint column = (gint) (x / factor) + first[x % factor] + (gint) t;
          gfloat *tap =
              in + (gsize) CLAMP (column, 0, (gint) small->width - 1) *
                       small->stride;
          gfloat *pixel = out + (gsize) x * large->stride;
          gfloat w = weight[y % factor][u] * weight[x % factor][t];

          for (guint c = 0; c < channels; c++)
            if (back)
              tap[c] += w * pixel[c];
            else
              pixel[c] += w * tap[c];
        }
    }
  }
}

/* The common case: a luma network's input, each pixel repeated. */
static void
repeat_pixels (const SrganMap *small, const SrganMap *large, guint factor)
{
  for (guint y = 0; y < large->height; y += factor) {
    const gfloat *in = srgan_map_row (small, y / factor);
    gfloat *out = srgan_map_row (large, y);

    for (guint x = 0; x < small->width; x++)
      for (guint p = 0; p < factor; p++)
        *out++ = in[x];
    for (guint p = 1; p < factor; p++)
      memcpy (srgan_map_row (large, y + p), srgan_map_row (large, y),
          large->width * sizeof (gfloat));
  }
}

static void
forward_resize (SrganGraphState *state, guint index)
{
  const SrganLayer *layer = state->graph->nodes[index].description;
  const SrganMap *small = &get_input (state, index, 0)->value;
  const SrganMap *large = &state->nodes[index].before;

  if (layer->filter == SRGAN_FILTER_NEAREST && small->stride == 1 &&
      large->stride == 1) {
    repeat_pixels (small, large, layer->factor);
    return;
  }
  resize (state->graph->nodes[index].description,
      &get_input (state, index, 0)->value, &state->nodes[index].before, FALSE);
}

static void
backward_resize (
    SrganGraphState *state, guint index, gfloat *parameter_gradient)
{
  const SrganLayer *layer = state->graph->nodes[index].description;
  NodeState *input = get_input (state, index, 0);

  if (!input_carries (state->graph, layer->inputs[0]))
    return;
  if (!input->written)
    for (guint y = 0; y < input->gradient.height; y++)
      memset (srgan_map_row (&input->gradient, y), 0,
          (gsize) input->gradient.width * input->gradient.stride *
              sizeof (gfloat));
  resize (layer, &input->gradient, &state->nodes[index].gradient, TRUE);
  input->written = TRUE;
}

/* --- activations ------------------------------------------------------- */

static gboolean
is_trainable (SrganActivation activation)
{
  return activation == SRGAN_ACTIVATION_NONE ||
         activation == SRGAN_ACTIVATION_RELU ||
         activation == SRGAN_ACTIVATION_LEAKY_RELU ||
         activation == SRGAN_ACTIVATION_PRELU;
}

/* The slope below zero of a channel. */
static gfloat
get_slope (const SrganGraph *graph, const Node *node, guint channel)
{
  if (node->slope != NO_TENSOR)
    return graph->parameters[node->slope + channel];
  return node->description->activation == SRGAN_ACTIVATION_LEAKY_RELU
             ? node->description->activation_low
             : 0;
}

static void
activate (SrganGraphState *state, guint index)
{
  const Node *node = state->graph->nodes + index;
  const SrganMap *before = &state->nodes[index].before;
  const SrganMap *value = &state->nodes[index].value;
  g_autofree gfloat *slope = g_new0 (gfloat, value->stride);

  for (guint c = 0; c < value->channels; c++)
    slope[c] = get_slope (state->graph, node, c);
  for (guint y = 0; y < value->height; y++)
    state->graph->kernels->activate_row (srgan_map_row (value, y),
        srgan_map_row (before, y), slope, value->stride, value->width);
}

/* A chunk in a register: what the compiler makes of an array has branches. */
typedef gfloat Chunk __attribute__ ((vector_size (CHUNK * sizeof (gfloat))));
typedef gint32 ChunkMask
    __attribute__ ((vector_size (CHUNK * sizeof (gint32))));

/* Turns the derivative by the value into that by what it was before, for one
 * chunk of a row's channels, and adds what belongs to their slopes and biases
 * to @slope_sum and @sum. */
static inline void
activate_back_row (const gfloat *x, gfloat *d, guint stride, guint width,
    const gfloat *slope, gfloat *slope_sum, gfloat *sum)
{
  const Chunk one = {1, 1, 1, 1};
  Chunk s, a, b;

  memcpy (&s, slope, sizeof s);
  memcpy (&a, slope_sum, sizeof a);
  memcpy (&b, sum, sizeof b);
  for (guint i = 0; i < width; i++, x += stride, d += stride) {
    Chunk value, back;
    ChunkMask above;

    memcpy (&value, x, sizeof value);
    memcpy (&back, d, sizeof back);
    above = value > 0;
    a += back * (Chunk) (~above & (ChunkMask) value);
    back *= (Chunk) ((above & (ChunkMask) one) | (~above & (ChunkMask) s));
    b += back;
    memcpy (d, &back, sizeof back);
  }
  memcpy (slope_sum, &a, sizeof a);
  memcpy (sum, &b, sizeof b);
}

/* Takes a node's gradient back through its activation, and adds what belongs
 * to its slopes and biases. */
static void
activate_back (SrganGraphState *state, guint index, gfloat *parameter_gradient)
{
  const Node *node = state->graph->nodes + index;
  const SrganMap *before = &state->nodes[index].before;
  const SrganMap *gradient = &state->nodes[index].gradient;
  guint stride = gradient->stride;
  gboolean active = node->description->activation != SRGAN_ACTIVATION_NONE;
  g_autofree gfloat *slope = NULL;
  gfloat *slope_sum, *sum;

  if (!active && node->bias == NO_TENSOR)
    return;
  slope = g_new0 (gfloat, 3 * stride);
  slope_sum = slope + stride;
  sum = slope + 2 * stride;
  for (guint c = 0; c < gradient->channels; c++)
    slope[c] = active ? get_slope (state->graph, node, c) : 1;
  for (guint y = 0; y < gradient->height; y++) {
    const gfloat *x = srgan_map_row (before, y);
    gfloat *d = srgan_map_row (gradient, y);

    for (guint c = 0; c < stride; c += CHUNK)
      activate_back_row (x + c, d + c, stride, gradient->width, slope + c,
          slope_sum + c, sum + c);
  }
  for (guint c = 0; c < gradient->channels; c++) {
    if (node->slope != NO_TENSOR)
      parameter_gradient[node->slope + c] += slope_sum[c];
    if (node->bias != NO_TENSOR)
      parameter_gradient[node->bias + c] += sum[c];
  }
}

/* --- the table --------------------------------------------------------- */

static const Operation operations[SRGAN_N_OPERATIONS] = {
    [SRGAN_OPERATION_CONV] = {check_conv, forward_conv, backward_conv},
    [SRGAN_OPERATION_ADD] = {check_add, forward_add, backward_add},
    [SRGAN_OPERATION_PIXEL_SHUFFLE] = {NULL, forward_pixel_shuffle,
        backward_pixel_shuffle},
    [SRGAN_OPERATION_RESIZE] = {NULL, forward_resize, backward_resize},
    [SRGAN_OPERATION_ACTIVATION] = {NULL, forward_add, backward_add},
};

/* --- graph ------------------------------------------------------------- */

static guint
add_tensor (SrganGraph *graph, guint layer, SrganParameterKind kind, guint rows,
    guint columns)
{
  SrganParameter tensor = {layer, kind, graph->n_parameters, rows, columns};

  g_array_append_val (graph->tensors, tensor);
  graph->n_parameters += rows * columns;
  return tensor.offset;
}

SrganGraph *
srgan_graph_new (SrganNetwork *network, GError **error)
{
  g_autoptr (SrganGraph) graph = g_new0 (SrganGraph, 1);

  graph->network = srgan_network_ref (network);
  graph->tensors = g_array_new (FALSE, FALSE, sizeof (SrganParameter));
  graph->n_nodes = srgan_network_get_n_layers (network);
  graph->nodes = g_new0 (Node, graph->n_nodes);
  srgan_kernels_init ();
  graph->kernels = srgan_kernels_get (srgan_cpu_get_flags ());
  graph->input_stride = graph->kernels->get_channel_stride (
      srgan_network_get_colour (network) == SRGAN_COLOUR_Y ? 1 : 3);

  for (guint i = 0; i < graph->n_nodes; i++) {
    const SrganLayer *layer = srgan_network_get_layer (network, i);
    const Operation *operation = operations + layer->operation;
    Node *node = graph->nodes + i;
    const gchar *reason = NULL;

    if (operation->forward == NULL)
      reason = "this operation cannot be trained";
    else if (!is_trainable (layer->activation))
      reason = "this activation cannot be trained";
    else if (operation->check != NULL)
      reason = operation->check (layer);
    if (reason != NULL) {
      g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_UNSUPPORTED,
          "layer '%s' (%s, activation %s): %s", layer->name,
          srgan_operation_to_string (layer->operation),
          srgan_activation_to_string (layer->activation), reason);
      return NULL;
    }

    node->description = layer;
    /* whole chunks, so that loops over them need no rest */
    node->stride = layer->activation == SRGAN_ACTIVATION_NONE
                       ? layer->out_channels
                       : (layer->out_channels + CHUNK - 1) / CHUNK * CHUNK;
    node->weight = node->bias = node->slope = NO_TENSOR;
    if (layer->operation == SRGAN_OPERATION_CONV) {
      guint length =
          layer->kernel_width * layer->kernel_height * layer->in_channels;

      node->weight = add_tensor (
          graph, i, SRGAN_PARAMETER_WEIGHT, layer->out_channels, length);
      if (layer->bias != NULL)
        node->bias =
            add_tensor (graph, i, SRGAN_PARAMETER_BIAS, 1, layer->out_channels);
      graph->border = MAX (graph->border, layer->kernel_width / 2);
      /* what the kernels write: its result, and its input's gradient; whole
       * chunks in every set */
      node->stride = graph->kernels->get_channel_stride (layer->out_channels);
      if (layer->inputs[0] != SRGAN_INPUT_NETWORK)
        graph->nodes[layer->inputs[0]].stride =
            graph->kernels->get_channel_stride (layer->in_channels);
      g_assert (node->stride % CHUNK == 0);
    }
    if (layer->activation == SRGAN_ACTIVATION_PRELU)
      node->slope =
          add_tensor (graph, i, SRGAN_PARAMETER_SLOPE, 1, layer->out_channels);
    node->carries = node->weight != NO_TENSOR || node->slope != NO_TENSOR;
    for (guint k = 0; k < layer->n_inputs; k++)
      node->carries |= input_carries (graph, layer->inputs[k]);
  }
  return g_steal_pointer (&graph);
}

void
srgan_graph_free (SrganGraph *graph)
{
  if (graph == NULL)
    return;
  for (guint i = 0; i < graph->n_nodes; i++) {
    srgan_convolution_clear (&graph->nodes[i].forward);
    srgan_convolution_clear (&graph->nodes[i].turned);
  }
  g_free (graph->nodes);
  g_array_unref (graph->tensors);
  srgan_network_unref (graph->network);
  g_free (graph);
}

SrganNetwork *
srgan_graph_get_network (const SrganGraph *graph)
{
  return graph->network;
}

guint
srgan_graph_get_n_parameters (const SrganGraph *graph)
{
  return graph->n_parameters;
}

const SrganParameter *
srgan_graph_get_tensors (const SrganGraph *graph, guint *n_tensors)
{
  *n_tensors = graph->tensors->len;
  return (const SrganParameter *) graph->tensors->data;
}

/* Between the network's [out][in][ky][kx] and our [out][ky][kx][in]. */
static void
reorder_weight (const SrganLayer *layer, const gfloat *from, gfloat *to,
    gboolean to_network)
{
  guint taps = layer->kernel_width * layer->kernel_height;
  guint in = layer->in_channels;

  for (guint o = 0; o < layer->out_channels; o++)
    for (guint i = 0; i < in; i++)
      for (guint t = 0; t < taps; t++) {
        gsize theirs = ((gsize) o * in + i) * taps + t;
        gsize ours = ((gsize) o * taps + t) * in + i;

        if (to_network)
          to[theirs] = from[ours];
        else
          to[ours] = from[theirs];
      }
}

void
srgan_graph_get_parameters (const SrganGraph *graph, gfloat *parameters)
{
  for (guint i = 0; i < graph->n_nodes; i++) {
    const Node *node = graph->nodes + i;
    const SrganLayer *layer = node->description;

    if (node->weight != NO_TENSOR)
      reorder_weight (layer, layer->weight, parameters + node->weight, FALSE);
    if (node->bias != NO_TENSOR)
      memcpy (parameters + node->bias, layer->bias,
          layer->out_channels * sizeof (gfloat));
    if (node->slope != NO_TENSOR)
      memcpy (parameters + node->slope, layer->slope,
          layer->out_channels * sizeof (gfloat));
  }
}

SrganNetwork *
srgan_graph_make_network (const SrganGraph *graph, const gfloat *parameters,
    const gchar *name, GError **error)
{
  g_autoptr (SrganNetwork) network =
      srgan_network_new (name, srgan_network_get_colour (graph->network),
          srgan_network_get_scale (graph->network));

  for (guint i = 0; i < graph->n_nodes; i++) {
    const Node *node = graph->nodes + i;
    SrganLayer layer = *node->description;
    g_autofree gfloat *weight = NULL;

    if (node->weight != NO_TENSOR) {
      weight = g_new (gfloat, (gsize) layer.out_channels * layer.in_channels *
                                  layer.kernel_width * layer.kernel_height);
      reorder_weight (&layer, parameters + node->weight, weight, TRUE);
      layer.weight = weight;
    }
    if (node->bias != NO_TENSOR)
      layer.bias = parameters + node->bias;
    if (node->slope != NO_TENSOR)
      layer.slope = parameters + node->slope;
    if (srgan_network_add_layer (network, &layer, error) < 0)
      return NULL;
  }
  return g_steal_pointer (&network);
}

/* The stride of the value and of the gradient of a layer's first input. */
static void
get_input_strides (const SrganGraph *graph, const SrganLayer *layer,
    guint *value, guint *gradient)
{
  if (layer->inputs[0] == SRGAN_INPUT_NETWORK) {
    *value = layer->in_channels;
    *gradient = graph->input_stride;
  } else {
    *value = *gradient = graph->nodes[layer->inputs[0]].stride;
  }
}

/* Packs the weight of a convolution for both directions. */
static gboolean
pack (SrganGraph *graph, Node *node)
{
  const SrganLayer *layer = node->description;
  guint kernel = layer->kernel_width, taps = kernel * kernel;
  guint in = layer->in_channels, out = layer->out_channels;
  guint value_stride, gradient_stride;
  const gfloat *weight = graph->parameters + node->weight;
  g_autofree gfloat *ordered = g_new (gfloat, (gsize) out * in * taps);

  get_input_strides (graph, layer, &value_stride, &gradient_stride);
  srgan_convolution_clear (&node->forward);
  srgan_convolution_clear (&node->turned);
  reorder_weight (layer, weight, ordered, TRUE);
  if (!graph->kernels->pack_convolution (&node->forward, in, value_stride, out,
          kernel, kernel, ordered,
          node->bias != NO_TENSOR ? graph->parameters + node->bias : NULL,
          NULL))
    return FALSE;
  if (!input_carries (graph, layer->inputs[0]))
    return TRUE;
  for (guint o = 0; o < out; o++)
    for (guint t = 0; t < taps; t++)
      for (guint i = 0; i < in; i++)
        ordered[((gsize) i * out + o) * taps + taps - 1 - t] =
            weight[((gsize) o * taps + t) * in + i];
  return graph->kernels->pack_convolution (&node->turned, out, node->stride, in,
      kernel, kernel, ordered, NULL, NULL);
}

void
srgan_graph_set_parameters (SrganGraph *graph, const gfloat *parameters)
{
  graph->parameters = parameters;
  for (guint i = 0; i < graph->n_nodes; i++)
    if (graph->nodes[i].weight != NO_TENSOR && !pack (graph, graph->nodes + i))
      g_error ("out of memory");
}

void
srgan_graph_want_input_gradient (SrganGraph *graph)
{
  graph->input_carries = TRUE;
  for (guint i = 0; i < graph->n_nodes; i++)
    graph->nodes[i].carries = TRUE;
}

/* --- state ------------------------------------------------------------- */

static guint
input_channels (const SrganGraph *graph)
{
  return srgan_network_get_colour (graph->network) == SRGAN_COLOUR_Y ? 1 : 3;
}

static gsize
scratch_length (const SrganGraphState *state)
{
  gsize length = 1;

  for (guint i = 0; i < state->graph->n_nodes; i++) {
    const SrganLayer *layer = state->graph->nodes[i].description;
    SrganMap map = state->nodes[i].before;

    if (layer->operation != SRGAN_OPERATION_CONV)
      continue;
    map.channels = layer->in_channels;
    length =
        MAX (length, srgan_convolve_get_scratch (&map, layer->kernel_width));
    /* a row of a gradient that is added to another */
    length = MAX (length, (gsize) map.width * (layer->in_channels + 64));
  }
  return length;
}

SrganGraphState *
srgan_graph_state_new (
    const SrganGraph *graph, guint width, guint height, gboolean backward)
{
  g_autoptr (SrganGraphState) state = g_new0 (SrganGraphState, 1);
  guint channels = input_channels (graph);

  state->graph = graph;
  state->backward = backward;
  state->nodes = g_new0 (NodeState, graph->n_nodes);
  if (!srgan_map_init (&state->input.value, width, height, channels, channels,
          graph->border))
    return NULL;
  if (backward && graph->input_carries &&
      !srgan_map_init (&state->input.gradient, width, height, channels,
          graph->input_stride, graph->border))
    return NULL;

  for (guint i = 0; i < graph->n_nodes; i++) {
    const Node *node = graph->nodes + i;
    const SrganLayer *layer = node->description;
    NodeState *maps = state->nodes + i;
    guint map_width = width * layer->scale_up / layer->scale_down;
    guint map_height = height * layer->scale_up / layer->scale_down;

    if (!srgan_map_init (&maps->value, map_width, map_height,
            layer->out_channels, node->stride, graph->border))
      return NULL;
    if (layer->activation == SRGAN_ACTIVATION_NONE)
      maps->before = maps->value;
    else if (!srgan_map_init (&maps->before, map_width, map_height,
                 layer->out_channels, node->stride, graph->border))
      return NULL;
    if (backward && node->carries &&
        !srgan_map_init (&maps->gradient, map_width, map_height,
            layer->out_channels, node->stride, graph->border))
      return NULL;
  }
  state->scratch =
      srgan_aligned_alloc (scratch_length (state), sizeof (gfloat));
  return state->scratch != NULL ? g_steal_pointer (&state) : NULL;
}

void
srgan_graph_state_free (SrganGraphState *state)
{
  if (state == NULL)
    return;
  for (guint i = 0; i < state->graph->n_nodes; i++) {
    if (state->nodes[i].before.data != state->nodes[i].value.data)
      srgan_map_clear (&state->nodes[i].before);
    srgan_map_clear (&state->nodes[i].value);
    srgan_map_clear (&state->nodes[i].gradient);
  }
  srgan_map_clear (&state->input.value);
  srgan_map_clear (&state->input.gradient);
  srgan_aligned_free (state->scratch);
  g_free (state->nodes);
  g_free (state);
}

/* Between a map and [height][width][channels]. */
static void
load_map (const SrganMap *map, const gfloat *values)
{
  SrganMap flat = *map;

  flat.border = 0;
  flat.stride = map->channels;
  flat.data = (gfloat *) values;
  copy_map (map, &flat, FALSE);
}

static void
store_map (const SrganMap *map, gfloat *values)
{
  SrganMap flat = *map;

  flat.border = 0;
  flat.stride = map->channels;
  flat.data = values;
  copy_map (&flat, map, FALSE);
}

void
srgan_graph_forward (
    SrganGraphState *state, const gfloat *input, gfloat *output)
{
  const SrganGraph *graph = state->graph;

  load_map (&state->input.value, input);
  for (guint i = 0; i < graph->n_nodes; i++) {
    const SrganLayer *layer = graph->nodes[i].description;

    operations[layer->operation].forward (state, i);
    if (layer->activation != SRGAN_ACTIVATION_NONE)
      activate (state, i);
  }
  store_map (&state->nodes[graph->n_nodes - 1].value, output);
}

void
srgan_graph_backward (SrganGraphState *state, const gfloat *output_gradient,
    gfloat *parameter_gradient)
{
  const SrganGraph *graph = state->graph;
  NodeState *last = state->nodes + graph->n_nodes - 1;

  g_return_if_fail (state->backward);

  memset (parameter_gradient, 0, graph->n_parameters * sizeof (gfloat));
  state->input.written = FALSE;
  for (guint i = 0; i < graph->n_nodes; i++)
    state->nodes[i].written = FALSE;
  load_map (&last->gradient, output_gradient);
  last->written = TRUE;

  for (guint i = graph->n_nodes; i-- > 0;) {
    const Node *node = graph->nodes + i;

    /* a layer that nothing uses has no gradient */
    if (!node->carries || !state->nodes[i].written)
      continue;
    activate_back (state, i, parameter_gradient);
    operations[node->description->operation].backward (
        state, i, parameter_gradient);
  }
}

void
srgan_graph_get_input_gradient (const SrganGraphState *state, gfloat *gradient)
{
  store_map (&state->input.gradient, gradient);
}
