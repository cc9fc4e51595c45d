/* train: a graph whose forward passes are the engine's int8 arithmetic.
 *
 * Each convolution is run twice on the same codes: once to the codes that the
 * next one reads, and once to floats before the activation, whose sign the
 * backward pass wants to know. Everything that is not a convolution runs on
 * floats, as in the engine.
 *
 * SPDX-License-Identifier: MIT
 */
#include "train/quantised.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "engine/int8.h"
#include "network/operations.h"
#include "train/graph-private.h"

struct _SrganQuantised {
  SrganInt8Maps
      maps; /* as it computes; its output_type: whether it has codes */
  SrganInt8Convolution coded;   /* to codes, if it has them */
  SrganInt8Convolution floated; /* to floats, without its activation */
  /* Of what reads codes, else NULL: [out], and the codes of the parameters
   * last looked at, in the network's order. */
  gfloat *weight_step;
  gfloat *code;
};

/* --- Checking ---------------------------------------------------------- */

static const gchar *
find_reason (SrganNetwork *network, guint index)
{
  const SrganLayer *layer = srgan_network_get_layer (network, index);
  guint n_layers = srgan_network_get_n_layers (network);
  gboolean is_read = FALSE;

  if (layer->operation != SRGAN_OPERATION_CONV)
    return NULL;
  if (layer->bias == NULL)
    return "a convolution without bias";
  if (layer->stride != 1 || layer->padding != SRGAN_PADDING_ZERO ||
      layer->kernel_width != layer->kernel_height ||
      layer->kernel_width % 2 == 0 ||
      layer->kernel_width > SRGAN_KERNEL_MAX_SIDE)
    return "a convolution that loses pixels or is not square and odd";
  if (layer->activation != SRGAN_ACTIVATION_NONE &&
      layer->activation != SRGAN_ACTIVATION_RELU &&
      layer->activation != SRGAN_ACTIVATION_LEAKY_RELU &&
      layer->activation != SRGAN_ACTIVATION_PRELU)
    return "its activation is not of the leaky kind";
  if (layer->inputs[0] != SRGAN_INPUT_NETWORK &&
      srgan_network_get_layer (network, (guint) layer->inputs[0])
              ->output_step == NULL)
    return "what it reads has no steps";
  for (guint i = index + 1; i < n_layers; i++) {
    const SrganLayer *reader = srgan_network_get_layer (network, i);

    for (guint k = 0; k < reader->n_inputs; k++)
      if (reader->inputs[k] == (gint) index) {
        if (layer->output_step != NULL &&
            reader->operation != SRGAN_OPERATION_CONV)
          return "its codes are read by more than convolutions";
        is_read = TRUE;
      }
  }
  if (layer->output_step != NULL && !is_read)
    return "nothing reads its codes";
  if (layer->output_step == NULL && layer->inputs[0] == SRGAN_INPUT_NETWORK)
    return "it has no steps";
  return NULL;
}

static gboolean
check (SrganNetwork *network, GError **error)
{
  if (srgan_network_get_precision (network) != SRGAN_PRECISION_INT8) {
    g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_UNSUPPORTED,
        "the network \"%s\" has not been quantised, and int8 begins from one "
        "that has: srgan-convert --int8 --calibrate FOLDER makes it so",
        srgan_network_get_name (network));
    return FALSE;
  }
  for (guint i = 0; i < srgan_network_get_n_layers (network); i++) {
    const SrganLayer *layer = srgan_network_get_layer (network, i);
    const gchar *reason = find_reason (network, i);

    if (reason == NULL && layer->operation != SRGAN_OPERATION_CONV &&
        layer->output_step != NULL)
      reason = "only convolutions are trained with codes";
    if (reason != NULL) {
      g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_UNSUPPORTED,
          "layer '%s' (%s) cannot be trained in int8: %s", layer->name,
          srgan_operation_to_string (layer->operation), reason);
      return FALSE;
    }
  }
  return TRUE;
}

/* --- Made of a graph --------------------------------------------------- */

static gsize
count_weights (const SrganLayer *layer)
{
  return (gsize) layer->out_channels * layer->in_channels *
         layer->kernel_width * layer->kernel_height;
}

static SrganQuantised *
quantised_new (const SrganGraph *graph, const Node *node)
{
  const SrganLayer *layer = node->description;
  SrganQuantised *quantised = g_new0 (SrganQuantised, 1);
  SrganInt8Maps *maps = &quantised->maps;

  maps->input_type = SRGAN_MAP_WORDS;
  maps->input_stride = layer->in_channels;
  maps->output_type =
      layer->output_step != NULL ? SRGAN_MAP_BYTES : SRGAN_MAP_FLOATS;
  if (layer->inputs[0] != SRGAN_INPUT_NETWORK) {
    const SrganLayer *input = graph->nodes[layer->inputs[0]].description;
    gsize n = count_weights (layer);
    g_autofree gint8 *code = g_new (gint8, n);

    maps->input_type = SRGAN_MAP_BYTES;
    maps->input_stride = graph->int8->get_channel_stride (layer->in_channels);
    maps->input_step = input->output_step;
    maps->input_zero = (guint8) input->output_zero;
    quantised->code = g_new (gfloat, n);
    quantised->weight_step = g_new (gfloat, layer->out_channels);
    srgan_layer_quantise_weight (
        layer, input->output_step, code, quantised->weight_step);
  }
  return quantised;
}

gboolean
srgan_graph_quantise (SrganGraph *graph, GError **error)
{
  if (!check (graph->network, error))
    return FALSE;
  graph->int8 = srgan_int8_kernels_get (srgan_cpu_get_flags ());
  for (guint i = 0; i < graph->n_nodes; i++) {
    Node *node = graph->nodes + i;

    if (node->description->operation != SRGAN_OPERATION_CONV)
      continue;
    node->quantised = quantised_new (graph, node);
    node->effective = g_new (gfloat, count_weights (node->description));
  }
  return TRUE;
}

void
srgan_quantised_free (SrganQuantised *quantised)
{
  if (quantised == NULL)
    return;
  srgan_int8_convolution_clear (&quantised->coded);
  srgan_int8_convolution_clear (&quantised->floated);
  g_free (quantised->weight_step);
  g_free (quantised->code);
  g_free (quantised);
}

/* --- Parameters -------------------------------------------------------- */

/* What turns weight @i of output @o into what its code is rounded from. */
static gdouble
get_factor (const SrganQuantised *quantised, guint o, guint i)
{
  return (gdouble) quantised->maps.input_step[i] / quantised->weight_step[o];
}

/* The weights that the codes are rounded from: the layer's where those have
 * the codes that it has; others have been trained, and are all there is. */
void
srgan_quantised_get_parameters (const Node *node, gfloat *parameters)
{
  const SrganLayer *layer = node->description;
  const SrganQuantised *quantised = node->quantised;
  guint taps = layer->kernel_width * layer->kernel_height;
  guint in = layer->in_channels;
  g_autofree gint8 *code = NULL;

  if (layer->int8_bias != NULL)
    memcpy (parameters + node->bias, layer->int8_bias,
        layer->out_channels * sizeof (gfloat));
  if (quantised->weight_step == NULL)
    return;
  code = g_new (gint8, count_weights (layer));
  srgan_layer_quantise_weight (
      layer, quantised->maps.input_step, code, quantised->weight_step);
  for (guint o = 0; o < layer->out_channels; o++)
    for (guint i = 0; i < in; i++)
      for (guint t = 0; t < taps; t++) {
        gint8 wanted = code[((gsize) o * in + i) * taps + t];
        gfloat *weight =
            parameters + node->weight + ((gsize) o * taps + t) * in + i;
        gdouble factor = get_factor (quantised, o, i);

        if (rint (CLAMP (*weight * factor, -127, 127)) != wanted)
          *weight = (gfloat) (wanted / factor);
      }
}

static gboolean
pack (const SrganGraph *graph, const SrganLayer *layer, Node *node)
{
  SrganQuantised *quantised = node->quantised;
  SrganInt8Maps maps = quantised->maps;
  g_autofree gfloat *slopes = srgan_layer_get_slopes (layer);

  srgan_int8_convolution_clear (&quantised->coded);
  srgan_int8_convolution_clear (&quantised->floated);
  if (maps.output_type == SRGAN_MAP_BYTES) {
    maps.output_stride = graph->int8->get_channel_stride (layer->out_channels);
    if (!srgan_int8_pack (&quantised->coded, graph->int8, layer, &maps, slopes))
      return FALSE;
  }
  maps.output_type = SRGAN_MAP_FLOATS;
  maps.output_stride = node->stride;
  return srgan_int8_pack (&quantised->floated, graph->int8, layer, &maps, NULL);
}

/* The layer with what the parameters make of it; its arrays are the
 * parameters' and @node's. */
SrganLayer
srgan_quantised_get_layer (const Node *node, const gfloat *parameters)
{
  SrganLayer layer = *node->description;
  SrganQuantised *quantised = node->quantised;
  guint taps = layer.kernel_width * layer.kernel_height;
  guint in = layer.in_channels;

  layer.int8_bias = parameters + node->bias;
  if (quantised->weight_step == NULL)
    return layer;
  for (guint o = 0; o < layer.out_channels; o++)
    for (guint i = 0; i < in; i++)
      for (guint t = 0; t < taps; t++) {
        gdouble value =
            parameters[node->weight + ((gsize) o * taps + t) * in + i] *
            get_factor (quantised, o, i);

        quantised->code[((gsize) o * in + i) * taps + t] =
            (gfloat) rint (CLAMP (value, -127, 127));
      }
  layer.weight_code = quantised->code;
  layer.weight_step = quantised->weight_step;
  return layer;
}

gboolean
srgan_quantised_set_parameters (SrganGraph *graph, Node *node)
{
  SrganLayer layer = srgan_quantised_get_layer (node, graph->parameters);
  const SrganQuantised *quantised = node->quantised;
  guint taps = layer.kernel_width * layer.kernel_height;
  guint in = layer.in_channels;

  /* for the way back */
  for (guint o = 0; o < layer.out_channels; o++)
    for (guint i = 0; i < in; i++)
      for (guint t = 0; t < taps; t++) {
        gsize theirs = ((gsize) o * in + i) * taps + t;

        node->effective[((gsize) o * taps + t) * in + i] =
            quantised->weight_step == NULL
                ? layer.weight[theirs]
                : (gfloat) (layer.weight_code[theirs] /
                            get_factor (quantised, o, i));
      }
  return pack (graph, &layer, node);
}

void
srgan_quantised_finish_gradient (
    const SrganGraph *graph, const Node *node, gfloat *parameter_gradient)
{
  const SrganLayer *layer = node->description;
  const SrganQuantised *quantised = node->quantised;
  const gfloat *weight = graph->parameters + node->weight;
  gfloat *gradient = parameter_gradient + node->weight;
  guint taps = layer->kernel_width * layer->kernel_height;
  guint in = layer->in_channels;
  gsize k = 0;

  if (node->slope != NO_TENSOR)
    memset (parameter_gradient + node->slope, 0,
        layer->out_channels * sizeof (gfloat));
  if (quantised->weight_step == NULL) {
    memset (gradient, 0, count_weights (layer) * sizeof (gfloat));
    return;
  }
  /* what is cut off must not be driven further */
  for (guint o = 0; o < layer->out_channels; o++)
    for (guint t = 0; t < taps; t++)
      for (guint i = 0; i < in; i++, k++)
        if (fabs (weight[k] * get_factor (quantised, o, i)) > 127.5 &&
            weight[k] * gradient[k] < 0)
          gradient[k] = 0;
}

/* --- Maps of codes ----------------------------------------------------- */

static gboolean
init_codes (SrganCodes *codes, const SrganMap *like, guint stride, gsize bytes,
    guint8 zero)
{
  gsize n = (gsize) (like->width + 2 * like->border) *
            (like->height + 2 * like->border) * stride * bytes;

  codes->pixel = stride * bytes;
  codes->pitch = (gsize) (like->width + 2 * like->border) * codes->pixel;
  codes->first = like->border * (codes->pitch + codes->pixel);
  /* kernels read a word behind what they need */
  codes->data = srgan_aligned_alloc (n + sizeof (gint16), 1);
  if (codes->data == NULL)
    return FALSE;
  memset (codes->data, zero, n + sizeof (gint16));
  return TRUE;
}

void
srgan_codes_clear (SrganCodes *codes)
{
  srgan_aligned_free (codes->data);
  codes->data = NULL;
}

static guint8 *
get_codes (const SrganCodes *codes, gssize y, gssize x)
{
  return codes->data + (gssize) codes->first + y * (gssize) codes->pitch +
         x * (gssize) codes->pixel;
}

gboolean
srgan_quantised_init_codes (SrganGraphState *state)
{
  const SrganGraph *graph = state->graph;

  if (graph->int8 == NULL)
    return TRUE;
  if (!init_codes (&state->input.codes, &state->input.value,
          state->input.value.channels, sizeof (gint16), 0))
    return FALSE;
  for (guint i = 0; i < graph->n_nodes; i++) {
    const SrganLayer *layer = graph->nodes[i].description;

    if (graph->nodes[i].quantised != NULL && layer->output_step != NULL &&
        !init_codes (&state->nodes[i].codes, &state->nodes[i].value,
            graph->int8->get_channel_stride (layer->out_channels), 1,
            (guint8) layer->output_zero))
      return FALSE;
  }
  return TRUE;
}

/* --- Passes ------------------------------------------------------------ */

void
srgan_quantised_load_input (SrganGraphState *state)
{
  const SrganMap *map = &state->input.value;

  g_assert (map->stride == map->channels);
  for (guint y = 0; y < map->height; y++)
    state->graph->int8->quantise_words (
        (gint16 *) (gpointer) get_codes (&state->input.codes, y, 0),
        srgan_map_row (map, y), 1 / SRGAN_INT8_INPUT_STEP,
        map->width * map->channels);
}

void
srgan_quantised_forward (SrganGraphState *state, guint index)
{
  const SrganInt8Kernels *int8 = state->graph->int8;
  const Node *node = state->graph->nodes + index;
  const SrganLayer *layer = node->description;
  const SrganQuantised *quantised = node->quantised;
  const SrganCodes *input = layer->inputs[0] == SRGAN_INPUT_NETWORK
                                ? &state->input.codes
                                : &state->nodes[layer->inputs[0]].codes;
  const SrganCodes *output = &state->nodes[index].codes;
  const SrganMap *value = &state->nodes[index].value;
  gssize half = layer->kernel_width / 2;
  const void *rows[SRGAN_KERNEL_MAX_SIDE];

  for (guint y = 0; y < value->height; y++) {
    for (guint k = 0; k < layer->kernel_height; k++)
      rows[k] = get_codes (input, (gssize) y + k - half, -half);
    int8->convolve_row (&quantised->floated, rows,
        srgan_map_row (&state->nodes[index].before, y), value->width);
    if (output->data != NULL)
      int8->convolve_row (
          &quantised->coded, rows, get_codes (output, y, 0), value->width);
  }
  if (output->data == NULL) {
    if (layer->activation != SRGAN_ACTIVATION_NONE)
      srgan_graph_activate (state, index);
    return;
  }
  for (guint y = 0; y < value->height; y++) {
    const guint8 *codes = get_codes (output, y, 0);
    gfloat *to = srgan_map_row (value, y);

    for (guint x = 0; x < value->width;
         x++, codes += output->pixel, to += value->stride)
      for (guint c = 0; c < value->channels; c++)
        to[c] = (gfloat) (codes[c] - (gint) layer->output_zero) *
                layer->output_step[c];
  }
}

void
srgan_quantised_cut_gradient (SrganGraphState *state, guint index)
{
  const SrganMap *gradient = &state->nodes[index].gradient;
  const SrganCodes *codes = &state->nodes[index].codes;

  for (guint y = 0; y < gradient->height && codes->data != NULL; y++) {
    const guint8 *code = get_codes (codes, y, 0);
    gfloat *d = srgan_map_row (gradient, y);

    for (guint x = 0; x < gradient->width;
         x++, code += codes->pixel, d += gradient->stride)
      for (guint c = 0; c < gradient->channels; c++)
        d[c] = code[c] == 0 || code[c] == 255 ? 0 : d[c];
  }
}
