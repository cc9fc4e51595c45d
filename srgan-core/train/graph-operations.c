/* train: what each operation does, forwards and backwards: one table.
 *
 * SPDX-License-Identifier: MIT
 */
#include "train/graph-private.h"

#include <math.h>
#include <string.h>

/* Channels whose sums a loop over pixels keeps in registers. */
#define CHUNK SRGAN_GRAPH_CHUNK

static NodeState *
get_input (SrganGraphState *state, guint index, guint input)
{
  gint i = state->graph->nodes[index].description->inputs[input];

  return i == SRGAN_INPUT_NETWORK ? &state->input : state->nodes + i;
}

/* --- conv -------------------------------------------------------------- */

static const gchar *
check_conv (const SrganLayer *layer)
{
  if (layer->groups != 1)
    return "only one group can be trained";
  if (layer->padding != SRGAN_PADDING_ZERO &&
      layer->padding != SRGAN_PADDING_NONE)
    return "only zero padding, or none, can be trained";
  return NULL;
}

static void
clear_map (const SrganMap *map)
{
  for (guint y = 0; y < map->height; y++)
    memset (srgan_map_row (map, y), 0,
        (gsize) map->width * map->stride * sizeof (gfloat));
}

/* Runs packed weights over a map; @accumulate: added to what @output holds. */
static void
convolve (const SrganGraph *graph, const SrganConvolution *convolution,
    const SrganMap *input, const SrganMap *output, gboolean accumulate,
    gfloat *scratch)
{
  guint kernel = convolution->kernel_height;
  const gfloat *rows[SRGAN_KERNEL_MAX_SIDE];

  for (guint y = 0; y < output->height; y++) {
    gfloat *row = srgan_map_row (output, y);

    for (guint k = 0; k < kernel; k++)
      rows[k] = srgan_map_corner (input, y + k, kernel);
    graph->kernels->convolve_row (
        convolution, rows, accumulate ? scratch : row, output->width);
    if (accumulate)
      graph->kernels->add_row (
          row, row, scratch, output->width * output->stride);
  }
}

/* The same in bfloat16. Each row of the input is rounded once, into as many as
 * the kernel is high, which take turns. */
static void
convolve_bf16 (const SrganGraph *graph, const SrganBf16Convolution *convolution,
    const SrganMap *input, const SrganMap *output, gboolean accumulate,
    gfloat *scratch)
{
  guint kernel = convolution->kernel_height, half = kernel / 2;
  guint n = (output->width + 2 * half) * input->stride;
  guint16 *ring =
      (guint16 *) (scratch + (gsize) output->width * output->stride);
  const void *rows[SRGAN_KERNEL_MAX_SIDE];

  for (guint y = 0; y < output->height + 2 * half; y++) {
    gfloat *row;

    graph->bf16->round_row (
        ring + (gsize) y % kernel * n, srgan_map_corner (input, y, kernel), n);
    if (y < 2 * half)
      continue;
    for (guint k = 0; k < kernel; k++)
      rows[k] = ring + (gsize) ((y - 2 * half + k) % kernel) * n;
    row = srgan_map_row (output, y - 2 * half);
    graph->bf16->convolve_row (
        convolution, rows, accumulate ? scratch : row, output->width);
    if (accumulate)
      graph->kernels->add_row (
          row, row, scratch, output->width * output->stride);
  }
}

/* Whichever of the two the state wants. */
static void
convolve_either (const SrganGraphState *state,
    const SrganConvolution *convolution, const SrganBf16Convolution *in_bf16,
    const SrganMap *input, const SrganMap *output, gboolean accumulate)
{
  if (state->bf16 && in_bf16->weight != NULL)
    convolve_bf16 (
        state->graph, in_bf16, input, output, accumulate, state->scratch);
  else
    convolve (
        state->graph, convolution, input, output, accumulate, state->scratch);
}

/* The derivative by the weight, added to what @weight_gradient holds. */
static void
add_weight_gradient (const SrganGraphState *state, const Node *node,
    const SrganMap *input, const SrganMap *gradient, gfloat *weight_gradient)
{
  guint kernel = node->description->kernel_width;
  SrganBf16Derivative derivative;

  if (node->forward16.weight == NULL) {
    srgan_convolve_weight_gradient (
        input, gradient, kernel, weight_gradient, state->scratch);
    return;
  }
  derivative = srgan_graph_get_derivative (node, input, gradient);
  state->graph->bf16->add_derivative (&derivative,
      srgan_map_corner (input, 0, kernel), srgan_map_row (gradient, 0),
      weight_gradient, state->scratch);
}

static void
forward_conv (SrganGraphState *state, guint index)
{
  const SrganGraph *graph = state->graph;
  const Node *node = graph->nodes + index;
  const SrganMap *input = &get_input (state, index, 0)->value;
  const SrganMap *output = &state->nodes[index].before;

  if (node->on_kernels) {
    convolve_either (
        state, &node->forward, &node->forward16, input, output, FALSE);
    return;
  }
  srgan_convolve_strided (input, srgan_graph_get_weight (graph, node),
      node->bias != NO_TENSOR ? graph->parameters + node->bias : NULL,
      &(SrganConvolveShape) SRGAN_CONVOLVE_SHAPE (node->description), output,
      state->scratch);
}

static void
backward_conv (SrganGraphState *state, guint index, gfloat *parameter_gradient)
{
  const SrganGraph *graph = state->graph;
  const Node *node = graph->nodes + index;
  const SrganLayer *layer = node->description;
  const SrganConvolveShape shape = SRGAN_CONVOLVE_SHAPE (layer);
  const SrganMap *gradient = &state->nodes[index].gradient;
  NodeState *input = get_input (state, index, 0);
  gboolean deferred =
      state->defer_dense && gradient->width * gradient->height == 1;

  if (parameter_gradient != NULL && !deferred) {
    if (node->on_kernels)
      add_weight_gradient (state, node, &input->value, gradient,
          parameter_gradient + node->weight);
    else
      srgan_convolve_strided_weight_gradient (&input->value, gradient, &shape,
          parameter_gradient + node->weight, state->scratch);
  }
  if (!srgan_graph_input_carries (graph, layer->inputs[0]))
    return;
  if (node->on_kernels) {
    convolve_either (state, &node->turned, &node->turned16, gradient,
        &input->gradient, input->written);
  } else {
    if (!input->written)
      clear_map (&input->gradient);
    srgan_convolve_strided_input_gradient (gradient,
        srgan_graph_get_weight (graph, node), &shape, &input->gradient,
        state->scratch);
  }
  input->written = TRUE;
}

/* --- add --------------------------------------------------------------- */

static const gchar *
check_add (const SrganLayer *layer)
{
  return layer->scale_up == 0 ? "a sum of 1x1 maps cannot be trained" : NULL;
}

void
srgan_graph_copy_map (
    const SrganMap *target, const SrganMap *source, gboolean accumulate)
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
    srgan_graph_copy_map (&state->nodes[index].before,
        &get_input (state, index, i)->value, i > 0);
}

static void
backward_add (SrganGraphState *state, guint index, gfloat *parameter_gradient)
{
  const SrganLayer *layer = state->graph->nodes[index].description;

  for (guint i = 0; i < layer->n_inputs; i++) {
    NodeState *input = get_input (state, index, i);

    if (!srgan_graph_input_carries (state->graph, layer->inputs[i]))
      continue;
    srgan_graph_copy_map (
        &input->gradient, &state->nodes[index].gradient, input->written);
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

  if (!srgan_graph_input_carries (state->graph, layer->inputs[0]))
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

static const gchar *
check_resize (const SrganLayer *layer)
{
  return layer->n_inputs > 1
             ? "a resize to another map's size cannot be trained"
             : NULL;
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

  if (!srgan_graph_input_carries (state->graph, layer->inputs[0]))
    return;
  if (!input->written)
    clear_map (&input->gradient);
  resize (layer, &input->gradient, &state->nodes[index].gradient, TRUE);
  input->written = TRUE;
}

/* --- activations ------------------------------------------------------- */

gboolean
srgan_graph_can_activate (SrganActivation activation)
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

void
srgan_graph_activate (SrganGraphState *state, guint index)
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

void
srgan_graph_activate_back (
    SrganGraphState *state, guint index, gfloat *parameter_gradient)
{
  const Node *node = state->graph->nodes + index;
  const SrganMap *before = &state->nodes[index].before;
  const SrganMap *gradient = &state->nodes[index].gradient;
  guint stride = gradient->stride;
  gboolean active = node->description->activation != SRGAN_ACTIVATION_NONE;
  g_autofree gfloat *slope = NULL;
  gfloat *slope_sum, *sum;

  if (!active && (node->bias == NO_TENSOR || parameter_gradient == NULL ||
                     node->gain != NO_TENSOR))
    return;
  slope = g_new0 (gfloat, 3 * stride);
  slope_sum = slope + stride;
  sum = slope + 2 * stride;
  for (guint c = 0; c < gradient->channels; c++)
    slope[c] = active ? get_slope (state->graph, node, c) : 1;
  for (guint y = 0; y < gradient->height; y++)
    state->graph->kernels->activate_back_row (srgan_map_row (gradient, y),
        srgan_map_row (before, y), slope, slope_sum, sum, stride,
        gradient->width);
  if (parameter_gradient == NULL)
    return;
  for (guint c = 0; c < gradient->channels; c++) {
    if (node->slope != NO_TENSOR)
      parameter_gradient[node->slope + c] += slope_sum[c];
    if (node->bias != NO_TENSOR)
      parameter_gradient[node->bias + c] += sum[c];
  }
}

/* --- batch-norm (Ioffe, Szegedy 2015) ----------------------------------- */

/* Where a batch-norm's value is gain (x - mean) scale + shift. */
static void
get_norm (const SrganGraphState *state, guint index, guint channel,
    gfloat *mean, gfloat *scale)
{
  const Node *node = state->graph->nodes + index;
  const gdouble *totals = state->nodes[index].totals;
  const gfloat *running = state->graph->parameters + node->statistic;
  guint channels = node->description->out_channels;
  gdouble variance =
      totals != NULL ? totals[channels + channel] : running[channels + channel];

  *mean = (gfloat) (totals != NULL ? totals[channel] : running[channel]);
  *scale = (gfloat) (1 / sqrt (variance + node->description->activation_low));
}

static void
measure_batch_norm (SrganGraphState *state, guint index)
{
  const SrganMap *input = &get_input (state, index, 0)->value;
  gdouble *sums = state->nodes[index].sums;
  guint channels = input->channels;

  memset (sums, 0, 2 * channels * sizeof (gdouble));
  for (guint y = 0; y < input->height; y++) {
    const gfloat *pixel = srgan_map_row (input, y);

    for (guint x = 0; x < input->width; x++, pixel += input->stride)
      for (guint c = 0; c < channels; c++) {
        sums[c] += pixel[c];
        sums[channels + c] += (gdouble) pixel[c] * pixel[c];
      }
  }
}

static void
forward_batch_norm (SrganGraphState *state, guint index)
{
  const Node *node = state->graph->nodes + index;
  const gfloat *parameters = state->graph->parameters;
  const SrganMap *input = &get_input (state, index, 0)->value;
  const SrganMap *output = &state->nodes[index].before;
  guint channels = input->channels;
  g_autofree gfloat *factor = g_new (gfloat, 2 * channels);
  gfloat *shift = factor + channels;

  for (guint c = 0; c < channels; c++) {
    gfloat mean, scale;

    get_norm (state, index, c, &mean, &scale);
    factor[c] = parameters[node->gain + c] * scale;
    shift[c] = parameters[node->bias + c] - mean * factor[c];
  }
  for (guint y = 0; y < input->height; y++) {
    const gfloat *from = srgan_map_row (input, y);
    gfloat *to = srgan_map_row (output, y);

    for (guint x = 0; x < input->width;
         x++, from += input->stride, to += output->stride)
      for (guint c = 0; c < channels; c++)
        to[c] = factor[c] * from[c] + shift[c];
  }
}

static void
measure_batch_norm_back (SrganGraphState *state, guint index)
{
  const SrganMap *input = &get_input (state, index, 0)->value;
  const SrganMap *gradient = &state->nodes[index].gradient;
  gdouble *sums = state->nodes[index].sums;
  guint channels = input->channels;
  g_autofree gfloat *mean = g_new (gfloat, 2 * channels);
  gfloat *scale = mean + channels;

  memset (sums, 0, 2 * channels * sizeof (gdouble));
  for (guint c = 0; c < channels; c++)
    get_norm (state, index, c, mean + c, scale + c);
  for (guint y = 0; y < input->height; y++) {
    const gfloat *x = srgan_map_row (input, y);
    const gfloat *d = srgan_map_row (gradient, y);

    for (guint i = 0; i < input->width;
         i++, x += input->stride, d += gradient->stride)
      for (guint c = 0; c < channels; c++) {
        sums[c] += d[c];
        sums[channels + c] += (gdouble) d[c] * ((x[c] - mean[c]) * scale[c]);
      }
  }
}

static void
backward_batch_norm (
    SrganGraphState *state, guint index, gfloat *parameter_gradient)
{
  const Node *node = state->graph->nodes + index;
  const gfloat *gain = state->graph->parameters + node->gain;
  NodeState *input = get_input (state, index, 0);
  const SrganMap *gradient = &state->nodes[index].gradient;
  const gdouble *totals = state->nodes[index].totals_back;
  const gdouble *sums = state->nodes[index].sums;
  guint channels = gradient->channels;
  g_autofree gfloat *mean = g_new (gfloat, 4 * channels);
  gfloat *scale = mean + channels, *offset = mean + 2 * channels,
         *slope = mean + 3 * channels;

  /* a state of its own, outside a batch, has not been measured */
  if (state->nodes[index].totals == NULL)
    measure_batch_norm_back (state, index);
  for (guint c = 0; c < channels; c++) {
    get_norm (state, index, c, mean + c, scale + c);
    if (parameter_gradient != NULL) {
      parameter_gradient[node->bias + c] += (gfloat) sums[c];
      parameter_gradient[node->gain + c] += (gfloat) sums[channels + c];
    }
    offset[c] = state->nodes[index].totals != NULL ? (gfloat) totals[c] : 0;
    slope[c] = state->nodes[index].totals != NULL
                   ? (gfloat) totals[channels + c] * scale[c]
                   : 0;
    scale[c] *= gain[c];
    offset[c] *= scale[c];
    slope[c] *= scale[c];
  }
  if (!srgan_graph_input_carries (state->graph, node->description->inputs[0]))
    return;
  for (guint y = 0; y < gradient->height; y++) {
    const gfloat *x = srgan_map_row (&input->value, y);
    const gfloat *d = srgan_map_row (gradient, y);
    gfloat *to = srgan_map_row (&input->gradient, y);

    for (guint i = 0; i < gradient->width; i++) {
      for (guint c = 0; c < channels; c++)
        to[c] = (input->written ? to[c] : 0) + scale[c] * d[c] - offset[c] -
                slope[c] * (x[c] - mean[c]);
      x += input->value.stride;
      d += gradient->stride;
      to += input->gradient.stride;
    }
  }
  input->written = TRUE;
}

/* --- max-pool ---------------------------------------------------------- */

/* The place of the largest of a window; the first of equal ones. */
static gfloat *
find_largest (const SrganLayer *layer, const SrganMap *map, guint x, guint y,
    guint channel)
{
  gfloat *largest = srgan_map_row (map, y * layer->stride) +
                    (gsize) x * layer->stride * map->stride + channel;
  gsize pitch = srgan_map_pitch (map);
  gfloat *corner = largest;
  /* in ceil mode less may be left */
  guint n_rows = MIN (layer->kernel_height, map->height - y * layer->stride);
  guint n_columns = MIN (layer->kernel_width, map->width - x * layer->stride);

  for (guint v = 0; v < n_rows; v++)
    for (guint u = 0; u < n_columns; u++)
      if (corner[v * pitch + (gsize) u * map->stride] > *largest)
        largest = corner + v * pitch + (gsize) u * map->stride;
  return largest;
}

static void
forward_max_pool (SrganGraphState *state, guint index)
{
  const SrganLayer *layer = state->graph->nodes[index].description;
  const SrganMap *input = &get_input (state, index, 0)->value;
  const SrganMap *output = &state->nodes[index].before;

  for (guint y = 0; y < output->height; y++) {
    gfloat *to = srgan_map_row (output, y);

    for (guint x = 0; x < output->width; x++, to += output->stride)
      for (guint c = 0; c < output->channels; c++)
        to[c] = *find_largest (layer, input, x, y, c);
  }
}

static void
backward_max_pool (
    SrganGraphState *state, guint index, gfloat *parameter_gradient)
{
  const SrganLayer *layer = state->graph->nodes[index].description;
  NodeState *input = get_input (state, index, 0);
  const SrganMap *gradient = &state->nodes[index].gradient;

  if (!srgan_graph_input_carries (state->graph, layer->inputs[0]))
    return;
  if (!input->written)
    clear_map (&input->gradient);
  for (guint y = 0; y < gradient->height; y++) {
    const gfloat *from = srgan_map_row (gradient, y);

    for (guint x = 0; x < gradient->width; x++, from += gradient->stride)
      for (guint c = 0; c < gradient->channels; c++) {
        gsize place =
            find_largest (layer, &input->value, x, y, c) - input->value.data;
        gsize pixel = place / input->value.stride;

        input->gradient.data[pixel * input->gradient.stride + c] += from[c];
      }
  }
  input->written = TRUE;
}

/* --- concat, slice ----------------------------------------------------- */

/* The channels of @map from @first on, as many as @like has. */
static SrganMap
take_channels (const SrganMap *map, guint first, guint channels)
{
  SrganMap part = *map;

  part.data += first;
  part.channels = channels;
  return part;
}

/* As srgan_graph_copy_map(), channel by channel: the pixels of the two hold
 * other things beside. */
static void
copy_channels (
    const SrganMap *target, const SrganMap *source, gboolean accumulate)
{
  for (guint y = 0; y < target->height; y++) {
    gfloat *to = srgan_map_row (target, y);
    const gfloat *from = srgan_map_row (source, y);

    for (guint x = 0; x < target->width;
         x++, to += target->stride, from += source->stride)
      for (guint c = 0; c < target->channels; c++)
        to[c] = (accumulate ? to[c] : 0) + from[c];
  }
}

static void
forward_concat (SrganGraphState *state, guint index)
{
  const SrganLayer *layer = state->graph->nodes[index].description;
  guint first = 0;

  for (guint i = 0; i < layer->n_inputs; i++) {
    const SrganMap *input = &get_input (state, index, i)->value;
    SrganMap part =
        take_channels (&state->nodes[index].before, first, input->channels);

    copy_channels (&part, input, FALSE);
    first += input->channels;
  }
}

static void
backward_concat (
    SrganGraphState *state, guint index, gfloat *parameter_gradient)
{
  const SrganLayer *layer = state->graph->nodes[index].description;
  guint first = 0;

  for (guint i = 0; i < layer->n_inputs; i++) {
    NodeState *input = get_input (state, index, i);
    guint channels = input->value.channels;
    SrganMap part =
        take_channels (&state->nodes[index].gradient, first, channels);

    first += channels;
    if (!srgan_graph_input_carries (state->graph, layer->inputs[i]))
      continue;
    copy_channels (&input->gradient, &part, input->written);
    input->written = TRUE;
  }
}

static void
forward_slice (SrganGraphState *state, guint index)
{
  const SrganLayer *layer = state->graph->nodes[index].description;
  SrganMap part = take_channels (
      &get_input (state, index, 0)->value, layer->first, layer->out_channels);

  copy_channels (&state->nodes[index].before, &part, FALSE);
}

static void
backward_slice (SrganGraphState *state, guint index, gfloat *parameter_gradient)
{
  const SrganLayer *layer = state->graph->nodes[index].description;
  NodeState *input = get_input (state, index, 0);
  SrganMap part;

  if (!srgan_graph_input_carries (state->graph, layer->inputs[0]))
    return;
  if (!input->written)
    clear_map (&input->gradient);
  part = take_channels (&input->gradient, layer->first, layer->out_channels);
  copy_channels (&part, &state->nodes[index].gradient, TRUE);
  input->written = TRUE;
}

/* --- pixel-unshuffle --------------------------------------------------- */

/* Both directions: channel (c factor + v) factor + u of @small's pixel (x, y)
 * is channel c of @large's pixel (x factor + u, y factor + v). */
static void
unshuffle (guint factor, const SrganMap *large, const SrganMap *small,
    gboolean back, gboolean accumulate)
{
  for (guint y = 0; y < small->height; y++)
    for (guint v = 0; v < factor; v++) {
      gfloat *here = srgan_map_row (small, y);
      gfloat *there = srgan_map_row (large, y * factor + v);

      for (guint x = 0; x < small->width; x++, here += small->stride)
        for (guint u = 0; u < factor; u++, there += large->stride)
          for (guint c = 0; c < large->channels; c++) {
            gfloat *one = here + (c * factor + v) * factor + u;

            if (back)
              there[c] = (accumulate ? there[c] : 0) + *one;
            else
              *one = there[c];
          }
    }
}

static void
forward_pixel_unshuffle (SrganGraphState *state, guint index)
{
  unshuffle (state->graph->nodes[index].description->factor,
      &get_input (state, index, 0)->value, &state->nodes[index].before, FALSE,
      FALSE);
}

static void
backward_pixel_unshuffle (
    SrganGraphState *state, guint index, gfloat *parameter_gradient)
{
  const SrganLayer *layer = state->graph->nodes[index].description;
  NodeState *input = get_input (state, index, 0);

  if (!srgan_graph_input_carries (state->graph, layer->inputs[0]))
    return;
  unshuffle (layer->factor, &input->gradient, &state->nodes[index].gradient,
      TRUE, input->written);
  input->written = TRUE;
}

/* --- the table --------------------------------------------------------- */

static const SrganGraphOperation operations[SRGAN_N_OPERATIONS] = {
    [SRGAN_OPERATION_CONV] = {check_conv, forward_conv, backward_conv},
    [SRGAN_OPERATION_ADD] = {check_add, forward_add, backward_add},
    [SRGAN_OPERATION_PIXEL_SHUFFLE] = {NULL, forward_pixel_shuffle,
        backward_pixel_shuffle},
    [SRGAN_OPERATION_PIXEL_UNSHUFFLE] = {NULL, forward_pixel_unshuffle,
        backward_pixel_unshuffle},
    [SRGAN_OPERATION_RESIZE] = {check_resize, forward_resize, backward_resize},
    [SRGAN_OPERATION_ACTIVATION] = {NULL, forward_add, backward_add},
    [SRGAN_OPERATION_BATCH_NORM] = {NULL, forward_batch_norm,
        backward_batch_norm, measure_batch_norm, measure_batch_norm_back},
    [SRGAN_OPERATION_MAX_POOL] = {NULL, forward_max_pool, backward_max_pool},
    [SRGAN_OPERATION_CONCAT] = {NULL, forward_concat, backward_concat},
    [SRGAN_OPERATION_SLICE] = {NULL, forward_slice, backward_slice},
};

const SrganGraphOperation *
srgan_graph_get_operation (SrganOperation operation)
{
  return operations + operation;
}

void
srgan_graph_node_forward (SrganGraphState *state, guint index)
{
  const SrganLayer *layer = state->graph->nodes[index].description;

  if (state->graph->nodes[index].quantised != NULL) {
    srgan_quantised_forward (state, index);
    return;
  }
  operations[layer->operation].forward (state, index);
  if (layer->activation != SRGAN_ACTIVATION_NONE)
    srgan_graph_activate (state, index);
}

void
srgan_graph_node_backward (
    SrganGraphState *state, guint index, gfloat *parameter_gradient)
{
  if (state->graph->nodes[index].quantised != NULL)
    srgan_quantised_cut_gradient (state, index);
  srgan_graph_activate_back (state, index, parameter_gradient);
  operations[state->graph->nodes[index].description->operation].backward (
      state, index, parameter_gradient);
}
