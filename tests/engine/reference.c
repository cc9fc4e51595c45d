/* A second opinion on the engine: the same network, whole maps, doubles, no
 * cleverness.
 *
 * SPDX-License-Identifier: MIT
 */
#include "reference.h"

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

static Map *
run_conv (const SrganLayer *layer, Map *in)
{
  Map *out = map_new (layer->out_channels, in->width, in->height);
  gint kw = (gint) layer->kernel_width, kh = (gint) layer->kernel_height;
  guint o, i;
  gint x, y, kx, ky;

  for (o = 0; o < out->channels; o++)
    for (y = 0; y < out->height; y++)
      for (x = 0; x < out->width; x++) {
        gdouble sum = layer->bias ? layer->bias[o] : 0;

        for (i = 0; i < in->channels; i++)
          for (ky = 0; ky < kh; ky++)
            for (kx = 0; kx < kw; kx++) {
              gint u = x + kx - (kw - 1) / 2, v = y + ky - (kh - 1) / 2;

              if (u >= 0 && v >= 0 && u < in->width && v < in->height)
                sum +=
                    *map_at (in, i, u, v) *
                    layer->weight[((o * in->channels + i) * kh + ky) * kw + kx];
            }
        *map_at (out, o, x, y) = sum;
      }
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
run_resize (const SrganLayer *layer, Map *in)
{
  gint f = (gint) layer->factor, x, y;
  Map *out = map_new (in->channels, in->width * f, in->height * f);
  guint c;

  for (c = 0; c < out->channels; c++)
    for (y = 0; y < out->height; y++)
      for (x = 0; x < out->width; x++) {
        gdouble u = (x + .5) / f - .5, v = (y + .5) / f - .5;

        *map_at (out, c, x, y) =
            layer->filter == SRGAN_FILTER_NEAREST
                ? *map_at (in, c, x / f, y / f)
                : sample (in, c, u, v,
                      layer->filter == SRGAN_FILTER_BILINEAR ? triangle
                                                             : reference_cubic);
      }
  return out;
}

static Map *
run_sum (const SrganLayer *layer, Map **inputs)
{
  Map *out = map_new (inputs[0]->channels, inputs[0]->width, inputs[0]->height);
  gsize n = (gsize) out->channels * out->width * out->height, j;
  guint i;

  for (i = 0; i < layer->n_inputs; i++)
    for (j = 0; j < n; j++)
      out->values[j] += inputs[i]->values[j];
  return out;
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

        if (*v > 0)
          continue;
        switch (layer->activation) {
        case SRGAN_ACTIVATION_NONE:
          break;
        case SRGAN_ACTIVATION_RELU:
          *v = 0;
          break;
        case SRGAN_ACTIVATION_LEAKY_RELU:
          *v *= layer->activation_low;
          break;
        case SRGAN_ACTIVATION_PRELU:
          *v *= layer->slope[c];
          break;
        default:
          g_assert_not_reached ();
        }
      }
}

Map *
reference_run (SrganNetwork *network, Map *input)
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
      maps[i] = run_conv (layer, inputs[0]);
      break;
    case SRGAN_OPERATION_ADD:
    case SRGAN_OPERATION_ACTIVATION:
      maps[i] = run_sum (layer, inputs);
      break;
    case SRGAN_OPERATION_PIXEL_SHUFFLE:
      maps[i] = run_shuffle (layer, inputs[0]);
      break;
    case SRGAN_OPERATION_RESIZE:
      maps[i] = run_resize (layer, inputs[0]);
      break;
    default:
      g_assert_not_reached ();
    }
    run_activation (layer, maps[i]);
  }
  output = maps[n - 1];
  for (i = 0; i + 1 < n; i++)
    map_free (maps[i]);
  g_free (maps);
  return output;
}
