/* convert: enlarging and reducing by a fixed filter.
 *
 * SPDX-License-Identifier: MIT
 */
#include "convert/lower.h"

#include "network/operations.h"

#include <math.h>

/* Keys 1981 */
static gdouble
cubic (gdouble x, gdouble a)
{
  x = fabs (x);
  if (x < 1.)
    return ((a + 2.) * x - (a + 3.)) * x * x + 1.;
  if (x < 2.)
    return a * (((x - 5.) * x + 8.) * x - 4.);
  return 0.;
}

#define MAX_TAPS 64

/* The weights with which samples first .. first + n - 1, counted from the one
 * at the output's own place, make an output at @place. */
static void
get_taps (const SrganGraphNode *node, gdouble place, gint *first, guint *n,
    gdouble *taps)
{
  gint base = (gint) floor (place);
  gdouble rest = place - base;

  switch (node->filter) {
  case SRGAN_FILTER_NEAREST:
    *first = node->coordinates == SRGAN_COORDINATES_HALF_PIXEL
                 ? (gint) ceil (place - .5)
                 : base;
    *n = 1;
    taps[0] = 1.;
    break;
  case SRGAN_FILTER_BILINEAR:
    *first = base;
    *n = rest > 0. ? 2 : 1;
    taps[0] = 1. - rest;
    taps[1] = rest;
    break;
  default:
    *first = base - 1;
    *n = 4;
    for (gint i = 0; i < 4; i++)
      taps[i] = cubic (i - 1 - rest, node->cubic_a);
    break;
  }
}

/* Enlarging by @up, or reducing by @down, as a convolution of each channel by
 * itself with a kernel for each of the @up x @up pixels that one becomes. */
static gint
resize_by_conv (SrganLowering *self, gint input, gint64 up, gint64 down)
{
  SrganGraphNode *node = self->node;
  SrganDraftLayer *layer;
  guint n = srgan_draft_get_channels (self->draft, input);
  gdouble taps[16][MAX_TAPS] = {{0.}};
  gint low = 0, high = 0;
  guint side;
  gfloat *weight;

  for (gint pass = 0; pass < 2; pass++)
    for (gint64 phase = 0; phase < up; phase++) {
      gdouble place = node->coordinates == SRGAN_COORDINATES_ASYMMETRIC
                          ? (gdouble) phase * down / up
                          : ((gdouble) phase + .5) * (gdouble) down / up - .5;
      gdouble own[4];
      gint first;
      guint count;

      get_taps (node, place, &first, &count, own);
      if (pass == 0) {
        low = MIN (low, first);
        high = MAX (high, first + (gint) count - 1);
      } else {
        for (guint i = 0; i < count; i++)
          taps[phase][first - low + (gint) i] = own[i];
      }
    }
  side = (guint) (high - low + 1);
  if (side > MAX_TAPS || side > SRGAN_MAX_KERNEL_SIDE ||
      n * up * up > SRGAN_MAX_CHANNELS) {
    srgan_lowering_refuse (self, "a factor that is not supported");
    return -2;
  }
  layer = srgan_draft_add (self->draft, SRGAN_DRAFT_LAYER, node->name, input);
  layer->layer.operation = SRGAN_OPERATION_CONV;
  layer->layer.padding = SRGAN_PADDING_EDGE;
  layer->layer.out_channels = n * (guint) (up * up);
  layer->layer.groups = n;
  layer->layer.kernel_width = layer->layer.kernel_height = side;
  layer->layer.stride = (guint) down;
  layer->sides[SRGAN_TOP] = layer->sides[SRGAN_LEFT] = -low;
  layer->sides[SRGAN_BOTTOM] = layer->sides[SRGAN_RIGHT] =
      MAX (high - (gint) down + 1, 0);
  layer->height /= down;
  layer->width /= down;
  layer->weight = weight =
      g_new (gfloat, (gsize) layer->layer.out_channels * side * side);
  for (guint c = 0; c < n; c++)
    for (gint64 dy = 0; dy < up; dy++)
      for (gint64 dx = 0; dx < up; dx++)
        for (guint y = 0; y < side; y++)
          for (guint x = 0; x < side; x++)
            *weight++ = (gfloat) (taps[dy][y] * taps[dx][x]);
  if (up > 1) {
    SrganDraftLayer *shuffle = srgan_draft_add (self->draft, SRGAN_DRAFT_LAYER,
        node->name, (gint) self->draft->layers->len - 1);

    shuffle->layer.operation = SRGAN_OPERATION_PIXEL_SHUFFLE;
    shuffle->layer.factor = (guint) up;
    shuffle->layer.out_channels = n;
    shuffle->height *= up;
    shuffle->width *= up;
  }
  return (gint) self->draft->layers->len - 1;
}

/* A map of that size among those that layer @index is made of; -2: none. */
static gint
find_size (SrganLowering *self, gint index, gint64 height, gint64 width)
{
  g_autofree gboolean *leads = g_new0 (gboolean, index + 1);

  leads[index] = TRUE;
  for (gint i = index; i >= 0; i--) {
    SrganDraftLayer *layer = srgan_draft_get (self->draft, i);

    if (!leads[i])
      continue;
    if (layer->height == height && layer->width == width && !layer->single)
      return i;
    for (guint j = 0; j < layer->inputs->len; j++) {
      gint input = g_array_index (layer->inputs, gint, j);

      if (input >= 0)
        leads[input] = TRUE;
    }
  }
  return self->draft->height == height && self->draft->width == width
             ? SRGAN_INPUT_NETWORK
             : -2;
}

SrganValue *
srgan_lower_resize (SrganLowering *self)
{
  SrganGraphNode *node = self->node;
  SrganConstant *scales = srgan_lowering_get_constant (self, 1);
  SrganConstant *sizes = srgan_lowering_get_constant (self, 2);
  SrganValue *map, *result;
  SrganRoles roles;
  gint64 in[2], out[2];
  gint axes[2];
  gint layer;
  gint64 up, down;

  if ((scales == NULL || scales->n == 0) && (sizes == NULL || sizes->n == 0))
    return srgan_lowering_refuse_value (
        self, "its factor is not known beforehand");
  map = srgan_lowering_get_map (self, 0, &roles);
  if (map == NULL)
    return NULL;
  if (srgan_draft_is_single (self->draft, map->layer)) {
    srgan_value_free (map);
    return srgan_lowering_refuse_value (self, "a mean cannot be enlarged");
  }
  axes[0] = roles.height;
  axes[1] = roles.width;
  for (guint i = 0; i < 2; i++) {
    const SrganConstant *given = sizes != NULL && sizes->n > 0 ? sizes : scales;
    gdouble number;
    gint at;

    in[i] = srgan_value_get_dimension (map, (guint) axes[i]);
    /* numbers for all axes, or for height and width */
    at = given->n == map->rank ? axes[i] : given->n == 2 ? (gint) i : -1;
    if (at < 0) {
      srgan_value_free (map);
      return srgan_lowering_refuse_value (
          self, "factors for other axes than it has");
    }
    number = srgan_constant_get (given, (gsize) at);
    out[i] = srgan_lowering_to_integer (
        given == sizes ? number : floor ((gdouble) in[i] * number + 1e-3));
    if (out[i] < 1 || out[i] > G_MAXINT32) {
      srgan_value_free (map);
      return srgan_lowering_refuse_value (self, "a size that is not supported");
    }
  }
  up = out[0] / in[0];
  down = in[0] / out[0];
  if (up >= 1)
    down = 1;
  else
    up = 1;
  /* whatever the picture's size: to that of a map that this one is made of, as
   * attention does that looks at a smaller one */
  if (out[0] * down != in[0] * up || out[1] * down != in[1] * up) {
    gint like = find_size (self, map->layer, out[0], out[1]);

    if (like != -2 && node->coordinates == SRGAN_COORDINATES_HALF_PIXEL &&
        node->filter == SRGAN_FILTER_BILINEAR) {
      SrganDraftLayer *resize = srgan_draft_add (
          self->draft, SRGAN_DRAFT_LAYER, node->name, map->layer);

      resize->layer.operation = SRGAN_OPERATION_RESIZE;
      resize->layer.filter = node->filter;
      srgan_draft_layer_add_input (resize, like);
      resize->height = out[0];
      resize->width = out[1];
      result = srgan_lowering_view_like (
          self, (gint) self->draft->layers->len - 1, map, &roles);
      srgan_value_free (map);
      return result;
    }
  }
  if (out[0] * down != in[0] * up || out[1] * down != in[1] * up || up > 16 ||
      down > 16) {
    srgan_lowering_refuse (self,
        "a size of %" G_GINT64_FORMAT "x%" G_GINT64_FORMAT
        " for %" G_GINT64_FORMAT "x%" G_GINT64_FORMAT
        ": only whole factors, the same for width and height, are supported",
        out[1], out[0], in[1], in[0]);
    srgan_value_free (map);
    return NULL;
  }
  if (up == 1 && down == 1)
    return map;
  if (node->coordinates == SRGAN_COORDINATES_ALIGN_CORNERS &&
      node->filter != SRGAN_FILTER_NEAREST) {
    srgan_value_free (map);
    return srgan_lowering_refuse_value (self,
        "enlarging with aligned corners depends on the picture's size and is "
        "not supported");
  }
  if (up > 1 && (node->filter == SRGAN_FILTER_NEAREST ||
                    (node->coordinates == SRGAN_COORDINATES_HALF_PIXEL &&
                        (node->filter == SRGAN_FILTER_BILINEAR ||
                            node->cubic_a == -.5)))) {
    SrganDraftLayer *resize = srgan_draft_add (
        self->draft, SRGAN_DRAFT_LAYER, node->name, map->layer);

    resize->layer.operation = SRGAN_OPERATION_RESIZE;
    resize->layer.filter = node->filter;
    resize->layer.factor = (guint) up;
    resize->height = out[0];
    resize->width = out[1];
    layer = (gint) self->draft->layers->len - 1;
  } else {
    layer = resize_by_conv (self, map->layer, up, down);
    if (layer == -2) {
      srgan_value_free (map);
      return NULL;
    }
  }
  result = srgan_lowering_view_like (self, layer, map, &roles);
  srgan_value_free (map);
  return result;
}
