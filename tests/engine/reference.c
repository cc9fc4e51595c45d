/* A second opinion on the engine: the same network, whole maps, doubles, no
 * cleverness.
 *
 * SPDX-License-Identifier: MIT
 */
#include "reference.h"

#include "network/operations.h"

#include <math.h>

Map *
map_new (guint channels, gint width, gint height)
{
  Map *map = g_new0 (Map, 1);

  map->channels = channels;
  map->width = width;
  map->height = height;
  map->values = g_new0 (gdouble, (gsize) channels * width * height);
  return map;
}

Map *
map_new_from_frame (const TestFrame *frame)
{
  guint channels = test_frame_get_n_components (frame), c;
  Map *map = map_new (channels, frame->width, frame->height);
  gint x, y;

  for (c = 0; c < channels; c++)
    for (y = 0; y < frame->height; y++)
      for (x = 0; x < frame->width; x++)
        *map_at (map, c, x, y) = test_frame_get (frame, c, x, y);
  return map;
}

void
map_free (Map *map)
{
  g_free (map->values);
  g_free (map);
}

gdouble *
map_at (Map *map, guint channel, gint x, gint y)
{
  return &map->values[((gsize) channel * map->height + y) * map->width + x];
}

static gdouble
map_read (Map *map, guint channel, gint x, gint y)
{
  return *map_at (map, channel, CLAMP (x, 0, map->width - 1),
      CLAMP (y, 0, map->height - 1));
}

gdouble
reference_cubic (gdouble x)
{
  const gdouble a = -.5;

  x = fabs (x);
  if (x < 1)
    return (a + 2) * x * x * x - (a + 3) * x * x + 1;
  if (x < 2)
    return a * x * x * x - 5 * a * x * x + 8 * a * x - 4 * a;
  return 0;
}

static gdouble
triangle (gdouble x)
{
  return MAX (0, 1 - fabs (x));
}

static gdouble
sample (Map *map, guint channel, gdouble x, gdouble y, gdouble (*f) (gdouble))
{
  gint x0 = (gint) floor (x), y0 = (gint) floor (y), i, j;
  gdouble sum = 0;

  for (j = y0 - 1; j <= y0 + 2; j++)
    for (i = x0 - 1; i <= x0 + 2; i++)
      sum += f (x - i) * f (y - j) * map_read (map, channel, i, j);
  return sum;
}

gdouble
reference_sample (Map *map, guint channel, gdouble x, gdouble y)
{
  return sample (map, channel, x, y, reference_cubic);
}

/* The pixel as @padding has it; 0 beyond a map that nothing surrounds. */
static gdouble
map_read_padded (Map *map, guint channel, gint x, gint y, SrganPadding padding)
{
  if (x >= 0 && y >= 0 && x < map->width && y < map->height)
    return *map_at (map, channel, x, y);
  switch (padding) {
  case SRGAN_PADDING_EDGE:
    return map_read (map, channel, x, y);
  case SRGAN_PADDING_REFLECT:
    x = x < 0 ? -x : x >= map->width ? 2 * (map->width - 1) - x : x;
    y = y < 0 ? -y : y >= map->height ? 2 * (map->height - 1) - y : y;
    return map_read (map, channel, x, y);
  default:
    return 0;
  }
}

static Map *
run_conv (const SrganLayer *layer, Map *in)
{
  gint kw = (gint) layer->kernel_width, kh = (gint) layer->kernel_height;
  gint s = (gint) layer->stride;
  gboolean pads = layer->padding != SRGAN_PADDING_NONE;
  gint left = pads ? (kw - 1) / 2 : 0, top = pads ? (kh - 1) / 2 : 0;
  Map *out = map_new (layer->out_channels,
      pads ? (in->width + s - 1) / s : (in->width - kw) / s + 1,
      pads ? (in->height + s - 1) / s : (in->height - kh) / s + 1);
  guint each_in = in->channels / layer->groups;
  guint each_out = out->channels / layer->groups;
  guint o, i;
  gint x, y, kx, ky;

  for (o = 0; o < out->channels; o++)
    for (y = 0; y < out->height; y++)
      for (x = 0; x < out->width; x++) {
        gdouble sum = layer->bias ? layer->bias[o] : 0;

        for (i = 0; i < each_in; i++)
          for (ky = 0; ky < kh; ky++)
            for (kx = 0; kx < kw; kx++)
              sum += map_read_padded (in, o / each_out * each_in + i,
                         x * s + kx - left, y * s + ky - top, layer->padding) *
                     layer->weight[((o * each_in + i) * kh + ky) * kw + kx];
        *map_at (out, o, x, y) = sum;
      }
  return out;
}

/* Each input pixel adds its kernel to the output. */
static Map *
run_transposed_conv (const SrganLayer *layer, Map *in)
{
  gint kw = (gint) layer->kernel_width, kh = (gint) layer->kernel_height;
  gint s = (gint) layer->stride;
  gint left = (kw - s + 1) / 2, top = (kh - s + 1) / 2;
  Map *out = map_new (layer->out_channels, in->width * s, in->height * s);
  guint each_in = in->channels / layer->groups;
  guint each_out = out->channels / layer->groups;
  guint o, i;
  gint x, y, kx, ky;

  for (o = 0; o < out->channels; o++) {
    for (y = 0; y < out->height; y++)
      for (x = 0; x < out->width; x++)
        *map_at (out, o, x, y) = layer->bias ? layer->bias[o] : 0;
    for (i = o / each_out * each_in; i < (o / each_out + 1) * each_in; i++)
      for (y = 0; y < in->height; y++)
        for (x = 0; x < in->width; x++)
          for (ky = 0; ky < kh; ky++)
            for (kx = 0; kx < kw; kx++) {
              gint u = x * s + kx - left, v = y * s + ky - top;

              if (u >= 0 && v >= 0 && u < out->width && v < out->height)
                *map_at (out, o, u, v) +=
                    *map_at (in, i, x, y) *
                    layer->weight[((i * each_out + o % each_out) * kh + ky) *
                                      kw +
                                  kx];
            }
  }
  return out;
}

static Map *
run_linear (const SrganLayer *layer, Map *in)
{
  Map *out = map_new (layer->out_channels, 1, 1);
  guint o, i;

  for (o = 0; o < out->channels; o++) {
    out->values[o] = layer->bias ? layer->bias[o] : 0;
    for (i = 0; i < in->channels; i++)
      out->values[o] += in->values[i] * layer->weight[o * in->channels + i];
  }
  return out;
}

static Map *
run_global_mean (Map *in)
{
  Map *out = map_new (in->channels, 1, 1);
  gint x, y;
  guint c;

  for (c = 0; c < in->channels; c++)
    for (y = 0; y < in->height; y++)
      for (x = 0; x < in->width; x++)
        out->values[c] +=
            *map_at (in, c, x, y) / ((gdouble) in->width * in->height);
  return out;
}

static Map *
run_max_pool (const SrganLayer *layer, Map *in)
{
  gint kw = (gint) layer->kernel_width, kh = (gint) layer->kernel_height;
  gint s = (gint) layer->stride, x, y, kx, ky;
  gint more = layer->ceil_mode ? s - 1 : 0;
  Map *out = map_new (in->channels, (in->width + more - kw) / s + 1,
      (in->height + more - kh) / s + 1);
  guint c;

  for (c = 0; c < out->channels; c++)
    for (y = 0; y < out->height; y++)
      for (x = 0; x < out->width; x++) {
        gdouble largest = *map_at (in, c, x * s, y * s);

        for (ky = 0; ky < kh; ky++)
          for (kx = 0; kx < kw; kx++)
            if (x * s + kx < in->width && y * s + ky < in->height)
              largest = MAX (largest, *map_at (in, c, x * s + kx, y * s + ky));
        *map_at (out, c, x, y) = largest;
      }
  return out;
}

static Map *
run_concat (const SrganLayer *layer, Map **inputs)
{
  Map *out = map_new (layer->out_channels, inputs[0]->width, inputs[0]->height);
  gdouble *to = out->values;
  guint i;

  for (i = 0; i < layer->n_inputs; i++) {
    gsize n = (gsize) inputs[i]->channels * out->width * out->height, j;

    for (j = 0; j < n; j++)
      *to++ = inputs[i]->values[j];
  }
  return out;
}

/* Channels from @first on, of the map less @crop pixels on each side. */
static Map *
run_part (const SrganLayer *layer, Map *in, guint first, gint crop)
{
  Map *out = map_new (
      layer->out_channels, in->width - 2 * crop, in->height - 2 * crop);
  gint x, y;
  guint c;

  for (c = 0; c < out->channels; c++)
    for (y = 0; y < out->height; y++)
      for (x = 0; x < out->width; x++)
        *map_at (out, c, x, y) = *map_at (in, first + c, x + crop, y + crop);
  return out;
}

static Map *
run_unshuffle (const SrganLayer *layer, Map *in)
{
  gint f = (gint) layer->factor, x, y;
  Map *out = map_new (layer->out_channels, in->width / f, in->height / f);
  guint c;

  for (c = 0; c < in->channels; c++)
    for (y = 0; y < out->height * f; y++)
      for (x = 0; x < out->width * f; x++)
        *map_at (out, c * f * f + (y % f) * f + x % f, x / f, y / f) =
            *map_at (in, c, x, y);
  return out;
}

static Map *
run_shuffle (const SrganLayer *layer, Map *in)
{
  gint f = (gint) layer->factor, x, y;
  Map *out = map_new (layer->out_channels, in->width * f, in->height * f);
  guint c;

  for (c = 0; c < out->channels; c++)
    for (y = 0; y < out->height; y++)
      for (x = 0; x < out->width; x++)
        *map_at (out, c, x, y) =
            *map_at (in, c * f * f + (y % f) * f + x % f, x / f, y / f);
  return out;
}

static Map *
run_resize (Map *in, SrganFilter filter, gint width, gint height)
{
  Map *out = map_new (in->channels, width, height);
  gint x, y;
  guint c;

  for (c = 0; c < out->channels; c++)
    for (y = 0; y < height; y++)
      for (x = 0; x < width; x++) {
        gdouble u = (x + .5) * in->width / width - .5;
        gdouble v = (y + .5) * in->height / height - .5;

        *map_at (out, c, x, y) =
            filter == SRGAN_FILTER_NEAREST
                ? *map_at (
                      in, c, x * in->width / width, y * in->height / height)
                : sample (in, c, u, v,
                      filter == SRGAN_FILTER_BILINEAR ? triangle
                                                      : reference_cubic);
      }
  return out;
}

static Map *
run_elementwise (const SrganLayer *layer, Map **inputs)
{
  gboolean adds = layer->operation != SRGAN_OPERATION_MULTIPLY;
  Map *out, *whole = inputs[0];
  gint x, y;
  guint i, c;

  for (i = 0; i < layer->n_inputs; i++)
    if (layer->scale_up != 0 &&
        inputs[i]->width * inputs[i]->height > whole->width * whole->height)
      whole = inputs[i];
  out = map_new (whole->channels, whole->width, whole->height);
  for (c = 0; c < out->channels; c++)
    for (y = 0; y < out->height; y++)
      for (x = 0; x < out->width; x++)
        for (i = 0; i < layer->n_inputs; i++) {
          gdouble in = map_read (inputs[i], c, x, y); /* spreads a 1x1 map */

          if (i == 0)
            *map_at (out, c, x, y) = in;
          else if (adds)
            *map_at (out, c, x, y) += in;
          else
            *map_at (out, c, x, y) *= in;
        }
  return out;
}

/* As the original system has it, written from its formula. */
static gdouble
spline (gdouble x, gdouble l, gdouble c, gdouble r)
{
  if (x <= -1)
    return -2. / 3 * (c - 1.5 * l * x - .875 * l - .125 * r);
  if (x >= 1)
    return 2. / 3 * (c + 1.5 * r * x - .125 * l - .875 * r);
  return -1. / 3 *
         (c * x * x * x - 3 * c * x - .5 * (l + r) * x * x * x +
             .75 * (l - r) * x * x);
}

static gdouble
activate (const SrganLayer *layer, guint c, gdouble v)
{
  switch (layer->activation) {
  case SRGAN_ACTIVATION_RELU:
    return MAX (v, 0);
  case SRGAN_ACTIVATION_LEAKY_RELU:
    return v > 0 ? v : layer->activation_low * v;
  case SRGAN_ACTIVATION_PRELU:
    return v > 0 ? v : layer->slope[c] * v;
  case SRGAN_ACTIVATION_SILU:
    return v / (1 + exp (-v));
  case SRGAN_ACTIVATION_CLIP:
    return CLAMP (v, layer->activation_low, layer->activation_high);
  case SRGAN_ACTIVATION_TANH:
    return tanh (v);
  case SRGAN_ACTIVATION_SIGMOID:
    return 1 / (1 + exp (-v));
  case SRGAN_ACTIVATION_ROOT:
    return sqrt (MAX (v + layer->activation_low, 0));
  case SRGAN_ACTIVATION_INVERSE_ROOT:
    return 1 / sqrt (MAX (v + layer->activation_low, 1e-30));
  case SRGAN_ACTIVATION_SPLINE:
    return spline (v, layer->slope[c], layer->slope[layer->out_channels + c],
        layer->slope[2 * layer->out_channels + c]);
  default:
    return v;
  }
}

static void
run_activation (const SrganLayer *layer, Map *map)
{
  guint c;
  gint x, y;

  for (c = 0; c < map->channels; c++)
    for (y = 0; y < map->height; y++)
      for (x = 0; x < map->width; x++) {
        gdouble *v = map_at (map, c, x, y);

        *v = activate (layer, c, *v);
      }
}

/* A convolution as int8 has it: weights that are codes times steps. */
static Map *
run_quantised_conv (SrganNetwork *network, const SrganLayer *layer, Map *in)
{
  const SrganLayer *input =
      layer->inputs[0] == SRGAN_INPUT_NETWORK
          ? NULL
          : srgan_network_get_layer (network, (guint) layer->inputs[0]);
  const guint n_each =
      layer->in_channels * layer->kernel_width * layer->kernel_height;
  const guint n = layer->out_channels * n_each;
  g_autofree gint8 *code = g_new (gint8, n);
  g_autofree gfloat *step = g_new (gfloat, layer->out_channels);
  g_autofree gfloat *weight = g_memdup2 (layer->weight, n * sizeof (gfloat));
  SrganLayer quantised = *layer;
  guint i;

  if (input && input->output_step) {
    srgan_layer_quantise_weight (layer, input->output_step, code, step);
    for (i = 0; i < n; i++)
      weight[i] =
          code[i] * step[i / n_each] /
          input->output_step[i % n_each /
                             (layer->kernel_width * layer->kernel_height)];
  }
  quantised.weight = weight;
  if (layer->int8_bias)
    quantised.bias = layer->int8_bias;
  return run_conv (&quantised, in);
}

static void
snap (const SrganLayer *layer, Map *map)
{
  guint c;
  gint x, y;

  for (c = 0; c < map->channels; c++)
    for (y = 0; y < map->height; y++)
      for (x = 0; x < map->width; x++) {
        gdouble *value = map_at (map, c, x, y);
        gdouble byte = rint (*value / layer->output_step[c]) +
                       (gdouble) layer->output_zero;

        *value = (CLAMP (byte, 0, 255) - (gdouble) layer->output_zero) *
                 layer->output_step[c];
      }
}

static Map *
run_layers (SrganNetwork *network, Map *input, gboolean int8)
{
  guint i, j, n = srgan_network_get_n_layers (network);
  Map **maps = g_new0 (Map *, n);
  Map *output;

  for (i = 0; i < n; i++) {
    const SrganLayer *layer = srgan_network_get_layer (network, i);
    Map *inputs[SRGAN_LAYER_MAX_INPUTS];

    for (j = 0; j < layer->n_inputs; j++)
      inputs[j] = layer->inputs[j] == SRGAN_INPUT_NETWORK
                      ? input
                      : maps[layer->inputs[j]];
    switch (layer->operation) {
    case SRGAN_OPERATION_CONV:
      maps[i] = int8 ? run_quantised_conv (network, layer, inputs[0])
                     : run_conv (layer, inputs[0]);
      break;
    case SRGAN_OPERATION_TRANSPOSED_CONV:
      maps[i] = run_transposed_conv (layer, inputs[0]);
      break;
    case SRGAN_OPERATION_LINEAR:
      maps[i] = run_linear (layer, inputs[0]);
      break;
    case SRGAN_OPERATION_GLOBAL_MEAN:
      maps[i] = run_global_mean (inputs[0]);
      break;
    case SRGAN_OPERATION_MAX_POOL:
      maps[i] = run_max_pool (layer, inputs[0]);
      break;
    case SRGAN_OPERATION_ADD:
    case SRGAN_OPERATION_MULTIPLY:
    case SRGAN_OPERATION_ACTIVATION:
      maps[i] = run_elementwise (layer, inputs);
      break;
    case SRGAN_OPERATION_CONCAT:
      maps[i] = run_concat (layer, inputs);
      break;
    case SRGAN_OPERATION_SLICE:
      maps[i] = run_part (layer, inputs[0], layer->first, 0);
      break;
    case SRGAN_OPERATION_CROP:
      maps[i] = run_part (layer, inputs[0], 0, (gint) layer->crop);
      break;
    case SRGAN_OPERATION_PIXEL_SHUFFLE:
      maps[i] = run_shuffle (layer, inputs[0]);
      break;
    case SRGAN_OPERATION_PIXEL_UNSHUFFLE:
      maps[i] = run_unshuffle (layer, inputs[0]);
      break;
    case SRGAN_OPERATION_RESIZE:
      maps[i] = run_resize (inputs[0], layer->filter,
          layer->n_inputs == 2 ? inputs[1]->width
                               : inputs[0]->width * (gint) layer->factor,
          layer->n_inputs == 2 ? inputs[1]->height
                               : inputs[0]->height * (gint) layer->factor);
      break;
    default:
      g_assert_not_reached (); /* batch-norm is folded */
    }
    run_activation (layer, maps[i]);
    if (int8 && layer->output_step)
      snap (layer, maps[i]);
  }
  output = maps[n - 1];
  for (i = 0; i + 1 < n; i++)
    map_free (maps[i]);
  g_free (maps);
  return output;
}

Map *
reference_run (SrganNetwork *network, Map *input)
{
  return run_layers (network, input, FALSE);
}

Map *
reference_run_int8 (SrganNetwork *network, Map *input)
{
  return run_layers (network, input, TRUE);
}
