/* train: a network that can be run forwards and backwards.
 *
 * SPDX-License-Identifier: MIT
 */
#include "train/graph-private.h"

#include <math.h>
#include <string.h>

#include <cblas.h>

#include "base/memory.h"
#include "train/random.h"

/* --- graph ------------------------------------------------------------- */

guint
srgan_graph_add_tensor (SrganGraph *graph, guint layer, SrganParameterKind kind,
    guint rows, guint columns)
{
  SrganParameter tensor = {layer, kind, graph->n_parameters, rows, columns};

  g_array_append_val (graph->tensors, tensor);
  graph->n_parameters += rows * columns;
  return tensor.offset;
}

/* Whether the engine's kernels can run it; others go by im2col. */
static gboolean
is_for_kernels (const SrganLayer *layer)
{
  return layer->kernel_width == layer->kernel_height &&
         layer->kernel_width % 2 == 1 && layer->stride == 1 &&
         layer->kernel_width <= SRGAN_KERNEL_MAX_SIDE &&
         layer->padding == SRGAN_PADDING_ZERO;
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
    const SrganGraphOperation *operation =
        srgan_graph_get_operation (layer->operation);
    Node *node = graph->nodes + i;
    const gchar *reason = NULL;

    if (operation->forward == NULL)
      reason = "this operation cannot be trained";
    else if (!srgan_graph_can_activate (layer->activation))
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
                       : (layer->out_channels + SRGAN_GRAPH_CHUNK - 1) /
                             SRGAN_GRAPH_CHUNK * SRGAN_GRAPH_CHUNK;
    node->weight = node->bias = node->slope = NO_TENSOR;
    node->gain = node->statistic = NO_TENSOR;
    if (layer->operation == SRGAN_OPERATION_CONV) {
      guint length =
          layer->kernel_width * layer->kernel_height * layer->in_channels;

      node->weight = srgan_graph_add_tensor (
          graph, i, SRGAN_PARAMETER_WEIGHT, layer->out_channels, length);
      if (layer->bias != NULL)
        node->bias = srgan_graph_add_tensor (
            graph, i, SRGAN_PARAMETER_BIAS, 1, layer->out_channels);
      node->on_kernels = is_for_kernels (layer);
      if (node->on_kernels)
        graph->border = MAX (graph->border, layer->kernel_width / 2);
      /* what the kernels write: its result, and its input's gradient; whole
       * chunks in every set */
      node->stride = graph->kernels->get_channel_stride (layer->out_channels);
      if (layer->inputs[0] != SRGAN_INPUT_NETWORK)
        graph->nodes[layer->inputs[0]].stride =
            graph->kernels->get_channel_stride (layer->in_channels);
      g_assert (node->stride % SRGAN_GRAPH_CHUNK == 0);
    }
    if (layer->operation == SRGAN_OPERATION_BATCH_NORM) {
      node->gain = srgan_graph_add_tensor (
          graph, i, SRGAN_PARAMETER_GAIN, 1, layer->out_channels);
      node->bias = srgan_graph_add_tensor (
          graph, i, SRGAN_PARAMETER_BIAS, 1, layer->out_channels);
      node->statistic = srgan_graph_add_tensor (
          graph, i, SRGAN_PARAMETER_STATISTIC, 2, layer->out_channels);
    }
    if (layer->activation == SRGAN_ACTIVATION_PRELU)
      node->slope = srgan_graph_add_tensor (
          graph, i, SRGAN_PARAMETER_SLOPE, 1, layer->out_channels);
    node->carries = node->weight != NO_TENSOR || node->slope != NO_TENSOR ||
                    node->gain != NO_TENSOR;
    for (guint k = 0; k < layer->n_inputs; k++)
      node->carries |= srgan_graph_input_carries (graph, layer->inputs[k]);
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
    srgan_bf16_convolution_clear (&graph->nodes[i].forward16);
    srgan_bf16_convolution_clear (&graph->nodes[i].turned16);
    srgan_quantised_free (graph->nodes[i].quantised);
    g_free (graph->nodes[i].effective);
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

static void
get_matrix (const Node *node, guint *rows, guint *columns)
{
  const SrganLayer *layer = node->description;

  *rows = layer->out_channels;
  *columns = layer->in_channels * layer->kernel_width * layer->kernel_height;
}

static void
normalise (gfloat *vector, guint n)
{
  gdouble sum = 0;

  for (guint i = 0; i < n; i++)
    sum += (gdouble) vector[i] * vector[i];
  for (guint i = 0; i < n; i++)
    vector[i] = (gfloat) (vector[i] / MAX (sqrt (sum), 1e-12));
}

void
srgan_graph_get_parameters (const SrganGraph *graph, gfloat *parameters)
{
  for (guint i = 0; i < graph->n_nodes; i++) {
    const Node *node = graph->nodes + i;
    const SrganLayer *layer = node->description;

    if (node->weight != NO_TENSOR)
      reorder_weight (layer, layer->weight, parameters + node->weight, FALSE);
    if (node->gain != NO_TENSOR) {
      /* the network's four rows: weight, bias, mean, variance */
      gsize n = layer->out_channels;

      memcpy (parameters + node->gain, layer->weight, n * sizeof (gfloat));
      memcpy (parameters + node->bias, layer->weight + n, n * sizeof (gfloat));
      memcpy (parameters + node->statistic, layer->weight + 2 * n,
          2 * n * sizeof (gfloat));
    } else if (node->bias != NO_TENSOR)
      memcpy (parameters + node->bias, layer->bias,
          layer->out_channels * sizeof (gfloat));
    if (node->slope != NO_TENSOR)
      memcpy (parameters + node->slope, layer->slope,
          layer->out_channels * sizeof (gfloat));
    if (node->quantised != NULL) {
      srgan_quantised_get_parameters (node, parameters);
    } else if (node->branches.width > 0) {
      srgan_branches_get_parameters (node, i, parameters);
    } else if (node->effective != NULL) {
      SrganRandom random = srgan_random_init (node->seed, i, 0);
      guint rows, columns;

      get_matrix (node, &rows, &columns);
      for (guint k = 0; k < rows + columns; k++)
        parameters[node->statistic + k] =
            (gfloat) srgan_random_between (&random, -1, 1);
      normalise (parameters + node->statistic, rows);
      normalise (parameters + node->statistic + rows, columns);
    }
  }
}

SrganNetwork *
srgan_graph_make_network (const SrganGraph *graph, const gfloat *parameters,
    const gchar *name, GError **error)
{
  /* a network that was but quantised otherwise keeps its notes */
  g_autoptr (SrganNetwork) network =
      graph->int8 != NULL
          ? srgan_network_new_like (graph->network)
          : srgan_network_new (name, srgan_network_get_colour (graph->network),
                srgan_network_get_scale (graph->network));

  for (guint i = 0; i < graph->n_nodes; i++) {
    const Node *node = graph->nodes + i;
    SrganLayer layer = *node->description;
    g_autofree gfloat *weight = NULL;

    if (graph->int8 != NULL) {
      if (node->quantised != NULL)
        layer = srgan_quantised_get_layer (node, parameters);
      if (srgan_network_add_layer (network, &layer, error) < 0)
        return NULL;
      continue;
    }
    if (node->weight != NO_TENSOR) {
      weight = g_new (gfloat, (gsize) layer.out_channels * layer.in_channels *
                                  layer.kernel_width * layer.kernel_height);
      if (node->branches.width > 0) {
        gsize n = (gsize) layer.out_channels * layer.in_channels *
                  layer.kernel_width * layer.kernel_height;
        g_autofree gfloat *sum = g_new (gfloat, n);

        srgan_branches_fold (node, parameters, sum);
        reorder_weight (&layer, sum, weight, TRUE);
      } else {
        reorder_weight (&layer, parameters + node->weight, weight, TRUE);
      }
      layer.weight = weight;
    }
    if (node->gain != NO_TENSOR) {
      gsize n = layer.out_channels;

      weight = g_new (gfloat, 4 * n);
      memcpy (weight, parameters + node->gain, n * sizeof (gfloat));
      memcpy (weight + n, parameters + node->bias, n * sizeof (gfloat));
      memcpy (weight + 2 * n, parameters + node->statistic,
          2 * n * sizeof (gfloat));
      layer.weight = weight;
    } else if (node->bias != NO_TENSOR)
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

/* Input channels from which on a convolution is worth bfloat16: of fewer, the
 * picture's own, much of the precision would be lost; derivatives stand it. */
#define BF16_CHANNELS 8
#define BF16_GRADIENT_CHANNELS 4

gboolean
srgan_graph_use_bf16 (SrganGraph *graph)
{
  graph->bf16 = srgan_bf16_kernels_get (srgan_cpu_get_flags ());
  return graph->bf16->is_faster;
}

/* @weight is in the network's order. Of less than @fewest input channels it
 * stays as it is. */
static gboolean
pack_bf16 (const SrganGraph *graph, SrganBf16Convolution *convolution,
    guint fewest, guint in, guint in_stride, guint out, guint out_stride,
    guint kernel, const gfloat *weight, const gfloat *bias)
{
  SrganBf16Layer layer = {.in_channels = in,
      .in_stride = in_stride,
      .out_channels = out,
      .out_stride = out_stride,
      .kernel_width = kernel,
      .kernel_height = kernel,
      .weight = weight,
      .bias = bias,
      .to_floats = TRUE};

  srgan_bf16_convolution_clear (convolution);
  if (graph->bf16 == NULL || in < fewest || (in_stride | out_stride) % 2 != 0)
    return TRUE;
  return graph->bf16->pack (convolution, &layer);
}

/* Packs the weight of a convolution for both directions. */
static gboolean
pack (SrganGraph *graph, Node *node)
{
  const SrganLayer *layer = node->description;
  guint kernel = layer->kernel_width, taps = kernel * kernel;
  guint in = layer->in_channels, out = layer->out_channels;
  guint value_stride, gradient_stride;
  const gfloat *weight = srgan_graph_get_weight (graph, node);
  const gfloat *bias =
      node->bias != NO_TENSOR ? graph->parameters + node->bias : NULL;
  g_autofree gfloat *ordered = g_new (gfloat, (gsize) out * in * taps);

  get_input_strides (graph, layer, &value_stride, &gradient_stride);
  srgan_convolution_clear (&node->forward);
  srgan_convolution_clear (&node->turned);
  reorder_weight (layer, weight, ordered, TRUE);
  if (!graph->kernels->pack_convolution (&node->forward, in, value_stride, out,
          kernel, kernel, ordered, bias, NULL) ||
      !pack_bf16 (graph, &node->forward16, BF16_CHANNELS, in, value_stride, out,
          node->stride, kernel, ordered, bias))
    return FALSE;
  if (!srgan_graph_input_carries (graph, layer->inputs[0]))
    return TRUE;
  for (guint o = 0; o < out; o++)
    for (guint t = 0; t < taps; t++)
      for (guint i = 0; i < in; i++)
        ordered[((gsize) i * out + o) * taps + taps - 1 - t] =
            weight[((gsize) o * taps + t) * in + i];
  return graph->kernels->pack_convolution (&node->turned, out, node->stride, in,
             kernel, kernel, ordered, NULL, NULL) &&
         pack_bf16 (graph, &node->turned16, BF16_GRADIENT_CHANNELS, out,
             node->stride, in, gradient_stride, kernel, ordered, NULL);
}

gboolean
srgan_graph_needs_batch (const SrganGraph *graph)
{
  for (guint i = 0; i < graph->n_nodes; i++)
    if (graph->nodes[i].gain != NO_TENSOR)
      return TRUE;
  return FALSE;
}

/* --- Spectral norm ----------------------------------------------------- */

static gboolean
is_spectral (const Node *node)
{
  return node->effective != NULL && node->quantised == NULL &&
         node->branches.width == 0;
}

void
srgan_graph_normalise_spectrum (SrganGraph *graph, guint layer, guint64 seed)
{
  Node *node = graph->nodes + layer;
  guint rows, columns;

  g_return_if_fail (node->weight != NO_TENSOR && node->effective == NULL);

  get_matrix (node, &rows, &columns);
  node->statistic = srgan_graph_add_tensor (
      graph, layer, SRGAN_PARAMETER_STATISTIC, 1, rows + columns);
  node->effective = g_new0 (gfloat, (gsize) rows * columns);
  node->seed = seed;
}

void
srgan_graph_renew_spectra (SrganGraph *graph, gfloat *parameters)
{
  for (guint i = 0; i < graph->n_nodes; i++) {
    const Node *node = graph->nodes + i;
    const gfloat *weight = parameters + node->weight;
    guint rows, columns;
    gfloat *left, *right;

    if (!is_spectral (node))
      continue;
    get_matrix (node, &rows, &columns);
    left = parameters + node->statistic;
    right = left + rows;
    cblas_sgemv (CblasRowMajor, CblasTrans, (gint) rows, (gint) columns, 1,
        weight, (gint) columns, left, 1, 0, right, 1);
    normalise (right, columns);
    cblas_sgemv (CblasRowMajor, CblasNoTrans, (gint) rows, (gint) columns, 1,
        weight, (gint) columns, right, 1, 0, left, 1);
    normalise (left, rows);
  }
}

/* effective = weight / (left' weight right) */
static void
divide_by_norm (SrganGraph *graph, Node *node)
{
  const gfloat *weight = graph->parameters + node->weight;
  const gfloat *left = graph->parameters + node->statistic;
  guint rows, columns;
  gdouble sigma = 0;

  get_matrix (node, &rows, &columns);
  for (guint r = 0; r < rows; r++) {
    gdouble sum = 0;

    for (guint c = 0; c < columns; c++)
      sum += (gdouble) weight[(gsize) r * columns + c] * left[rows + c];
    sigma += sum * left[r];
  }
  node->sigma = (gfloat) sigma;
  for (gsize i = 0; i < (gsize) rows * columns; i++)
    node->effective[i] = weight[i] / node->sigma;
}

/* With the vectors taken as constants, sigma = u' W v and E = W / sigma:
 * dL/dW = (G - <G, E> u v') / sigma, G = dL/dE. */
void
srgan_graph_finish_gradient (
    const SrganGraph *graph, gfloat *parameter_gradient)
{
  for (guint i = 0; i < graph->n_nodes; i++) {
    const Node *node = graph->nodes + i;
    gfloat *gradient = parameter_gradient + node->weight;
    const gfloat *left = graph->parameters + node->statistic;
    guint rows, columns;
    gdouble product = 0;

    if (node->quantised != NULL)
      srgan_quantised_finish_gradient (graph, node, parameter_gradient);
    if (node->branches.width > 0)
      srgan_branches_finish_gradient (graph, node, parameter_gradient);
    if (!is_spectral (node))
      continue;
    get_matrix (node, &rows, &columns);
    for (gsize k = 0; k < (gsize) rows * columns; k++)
      product += (gdouble) gradient[k] * node->effective[k];
    for (guint r = 0; r < rows; r++)
      for (guint c = 0; c < columns; c++) {
        gsize k = (gsize) r * columns + c;

        gradient[k] =
            (gradient[k] - (gfloat) product * left[r] * left[rows + c]) /
            node->sigma;
      }
  }
}

/* --- Parameters in ----------------------------------------------------- */

void
srgan_graph_set_parameters (SrganGraph *graph, const gfloat *parameters)
{
  graph->parameters = parameters;
  for (guint i = 0; i < graph->n_nodes; i++) {
    Node *node = graph->nodes + i;

    if (node->quantised != NULL) {
      if (!srgan_quantised_set_parameters (graph, node))
        g_error ("out of memory");
    } else if (node->branches.width > 0) {
      srgan_branches_fold (node, parameters, node->effective);
    } else if (node->effective != NULL) {
      divide_by_norm (graph, node);
    }
    if (node->on_kernels && !pack (graph, node))
      g_error ("out of memory");
  }
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

SrganBf16Derivative
srgan_graph_get_derivative (
    const Node *node, const SrganMap *input, const SrganMap *gradient)
{
  const SrganLayer *layer = node->description;
  gsize pitch = gradient->width + 2 * gradient->border;

  return (SrganBf16Derivative){.in_channels = layer->in_channels,
      .in_stride = input->stride,
      .out_channels = layer->out_channels,
      .out_stride = gradient->stride,
      .kernel_width = layer->kernel_width,
      .kernel_height = layer->kernel_height,
      .pitch = pitch,
      .n_pixels = (gradient->height - 1) * pitch + gradient->width};
}

static gsize
scratch_length (const SrganGraphState *state)
{
  gsize length = 1;

  for (guint i = 0; i < state->graph->n_nodes; i++) {
    const Node *node = state->graph->nodes + i;
    const SrganLayer *layer = node->description;
    SrganMap map = state->nodes[i].before;
    gsize needed;

    if (layer->operation != SRGAN_OPERATION_CONV)
      continue;
    map.channels = layer->in_channels;
    if (node->on_kernels) {
      guint channels = MAX (layer->in_channels, layer->out_channels) + 64;

      /* or a row of a gradient that is added to another, and in bfloat16 the
       * rows that a kernel reads */
      needed = MAX (srgan_convolve_get_scratch (&map, layer->kernel_width),
          (gsize) map.width * channels);
      if (state->graph->bf16 != NULL) {
        SrganBf16Derivative derivative =
            srgan_graph_get_derivative (node, &map, &map);

        needed =
            MAX (needed, (gsize) channels * (map.width + layer->kernel_width) *
                             (1 + (layer->kernel_width + 1) / 2));
        if (state->backward)
          needed =
              MAX (needed, srgan_bf16_derivative_get_scratch (&derivative) /
                               sizeof (gfloat));
      }
    } else
      needed = srgan_convolve_strided_get_scratch (
          &(SrganConvolveShape) SRGAN_CONVOLVE_SHAPE (layer),
          layer->in_channels, map.width);
    length = MAX (length, needed);
  }
  return length;
}

/* The size of a node's map, from its first input's. */
static void
get_size (
    const SrganLayer *layer, const SrganMap *input, guint *width, guint *height)
{
  guint stride = MAX (layer->stride, 1), more;

  *width = input->width;
  *height = input->height;
  switch (layer->operation) {
  case SRGAN_OPERATION_CONV:
  case SRGAN_OPERATION_MAX_POOL:
    if (layer->operation == SRGAN_OPERATION_MAX_POOL ||
        layer->padding == SRGAN_PADDING_NONE) {
      more = layer->ceil_mode != 0 ? stride - 1 : 0;
      *width = input->width + more < layer->kernel_width
                   ? 0
                   : (input->width + more - layer->kernel_width) / stride + 1;
      *height =
          input->height + more < layer->kernel_height
              ? 0
              : (input->height + more - layer->kernel_height) / stride + 1;
    } else {
      *width = (input->width + stride - 1) / stride;
      *height = (input->height + stride - 1) / stride;
    }
    break;
  case SRGAN_OPERATION_PIXEL_SHUFFLE:
  case SRGAN_OPERATION_RESIZE:
    *width *= layer->factor;
    *height *= layer->factor;
    break;
  case SRGAN_OPERATION_PIXEL_UNSHUFFLE:
    *width /= layer->factor;
    *height /= layer->factor;
    break;
  default:
    break;
  }
}

SrganGraphState *
srgan_graph_state_new (
    const SrganGraph *graph, guint width, guint height, gboolean backward)
{
  g_autoptr (SrganGraphState) state = g_new0 (SrganGraphState, 1);
  guint channels = input_channels (graph);

  state->graph = graph;
  state->backward = state->bf16 = backward;
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
    guint map_width, map_height;

    get_size (layer,
        layer->inputs[0] == SRGAN_INPUT_NETWORK
            ? &state->input.value
            : &state->nodes[layer->inputs[0]].value,
        &map_width, &map_height);
    if (map_width == 0 || map_height == 0)
      return NULL;
    if (node->gain != NO_TENSOR)
      maps->sums = g_new0 (gdouble, 2 * layer->out_channels);
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
  if (!srgan_quantised_init_codes (state))
    return NULL;
  state->scratch =
      srgan_aligned_alloc (scratch_length (state), sizeof (gfloat));
  return state->scratch != NULL ? g_steal_pointer (&state) : NULL;
}

void
srgan_graph_state_use_bf16 (SrganGraphState *state)
{
  state->bf16 = TRUE;
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
    srgan_codes_clear (&state->nodes[i].codes);
    g_free (state->nodes[i].sums);
  }
  srgan_codes_clear (&state->input.codes);
  srgan_map_clear (&state->input.value);
  srgan_map_clear (&state->input.gradient);
  srgan_aligned_free (state->scratch);
  g_free (state->nodes);
  g_free (state);
}

void
srgan_graph_load_map (const SrganMap *map, const gfloat *values)
{
  SrganMap flat = *map;

  flat.border = 0;
  flat.stride = map->channels;
  flat.data = (gfloat *) values;
  srgan_graph_copy_map (map, &flat, FALSE);
}

void
srgan_graph_store_map (const SrganMap *map, gfloat *values)
{
  SrganMap flat = *map;

  flat.border = 0;
  flat.stride = map->channels;
  flat.data = values;
  srgan_graph_copy_map (&flat, map, FALSE);
}

void
srgan_graph_forward (
    SrganGraphState *state, const gfloat *input, gfloat *output)
{
  const SrganGraph *graph = state->graph;

  srgan_graph_load_map (&state->input.value, input);
  if (graph->int8 != NULL)
    srgan_quantised_load_input (state);
  for (guint i = 0; i < graph->n_nodes; i++)
    srgan_graph_node_forward (state, i);
  if (output != NULL)
    srgan_graph_store_map (&state->nodes[graph->n_nodes - 1].value, output);
}

const SrganMap *
srgan_graph_get_value (const SrganGraphState *state, guint layer)
{
  return &state->nodes[layer].value;
}

void
srgan_graph_start_backward (SrganGraphState *state)
{
  state->input.written = FALSE;
  for (guint i = 0; i < state->graph->n_nodes; i++)
    state->nodes[i].written = FALSE;
}

const SrganMap *
srgan_graph_get_gradient (SrganGraphState *state, guint layer)
{
  NodeState *node = state->nodes + layer;
  const SrganMap *map = &node->gradient;

  g_return_val_if_fail (map->data != NULL, NULL);

  if (!node->written)
    for (guint y = 0; y < map->height; y++)
      memset (srgan_map_row (map, y), 0,
          (gsize) map->width * map->stride * sizeof (gfloat));
  node->written = TRUE;
  return map;
}

void
srgan_graph_run_backward (SrganGraphState *state, gfloat *parameter_gradient)
{
  for (guint i = state->graph->n_nodes; i-- > 0;)
    /* a layer that nothing uses has no gradient */
    if (state->graph->nodes[i].carries && state->nodes[i].written)
      srgan_graph_node_backward (state, i, parameter_gradient);
}

void
srgan_graph_backward (SrganGraphState *state, const gfloat *output_gradient,
    gfloat *parameter_gradient)
{
  const SrganGraph *graph = state->graph;
  NodeState *last = state->nodes + graph->n_nodes - 1;

  g_return_if_fail (state->backward);

  if (parameter_gradient != NULL)
    memset (parameter_gradient, 0, graph->n_parameters * sizeof (gfloat));
  srgan_graph_start_backward (state);
  srgan_graph_load_map (&last->gradient, output_gradient);
  last->written = TRUE;
  srgan_graph_run_backward (state, parameter_gradient);
}

void
srgan_graph_get_input_gradient (const SrganGraphState *state, gfloat *gradient)
{
  srgan_graph_store_map (&state->input.gradient, gradient);
}
