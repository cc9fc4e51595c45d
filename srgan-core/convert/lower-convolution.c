/* convert: convolutions, matrices and batch norms.
 *
 * SPDX-License-Identifier: MIT
 */
#include "convert/lower.h"

#include "network/operations.h"

#include <math.h>
#include <string.h>

const SrganWeightAxes srgan_weight_axes[] = {
    [SRGAN_WEIGHT_OIHW] = {0, 1, 2, 3},
    [SRGAN_WEIGHT_IOHW] = {1, 0, 2, 3},
    [SRGAN_WEIGHT_HWIO] = {3, 2, 0, 1},
    [SRGAN_WEIGHT_HWOI] = {2, 3, 0, 1},
    [SRGAN_WEIGHT_OHWI] = {0, 3, 1, 2},
    [SRGAN_WEIGHT_IHWO] = {3, 0, 1, 2},
};

/* A convolution's weights as our layers have them (transfer full); kernels are
 * spread out by the dilations. */
static gfloat *
get_weights (SrganLowering *self, const SrganConstant *constant, guint *n_out,
    guint *n_in, guint kernel[2])
{
  SrganGraphNode *node = self->node;
  gboolean transposed = node->kind == SRGAN_NODE_TRANSPOSED_CONV;
  guint o = srgan_weight_axes[node->weight_order].out;
  guint i = srgan_weight_axes[node->weight_order].in;
  guint h = srgan_weight_axes[node->weight_order].height;
  guint w = srgan_weight_axes[node->weight_order].width;
  gint64 strides[4] = {1, 1, 1, 1};
  const gint64 *d = constant->dimensions;
  gint64 size[2];
  gfloat *weights, *to;
  guint outer, inner;

  if (constant->rank != 4 || constant->numbers == NULL) {
    srgan_lowering_refuse (self,
        "weights of %u axes: convolutions of pictures have 4", constant->rank);
    return NULL;
  }
  for (guint j = 3; j-- > 0;)
    strides[j] = strides[j + 1] * d[j + 1];
  for (guint j = 0; j < 2; j++) {
    gint64 side = d[j == 0 ? h : w];

    if (side < 1 || side > SRGAN_MAX_KERNEL_SIDE || node->dilations[j] < 1 ||
        node->dilations[j] > SRGAN_MAX_KERNEL_SIDE ||
        (side - 1) * node->dilations[j] + 1 > SRGAN_MAX_KERNEL_SIDE) {
      srgan_lowering_refuse (self,
          "a kernel of %" G_GINT64_FORMAT " pixels, %" G_GINT64_FORMAT
          " apart: %u may be",
          side, node->dilations[j], SRGAN_MAX_KERNEL_SIDE);
      return NULL;
    }
    size[j] = (side - 1) * node->dilations[j] + 1;
  }
  if (d[o] < 1 || d[i] < 1 || d[o] > SRGAN_MAX_CHANNELS ||
      d[i] > SRGAN_MAX_CHANNELS ||
      (guint64) d[o] * d[i] * size[0] * size[1] > SRGAN_MAX_WEIGHTS) {
    srgan_lowering_refuse (self, "weights of a size that is not supported");
    return NULL;
  }
  *n_out = (guint) d[o];
  *n_in = (guint) d[i];
  kernel[0] = (guint) size[0];
  kernel[1] = (guint) size[1];
  weights = g_new0 (gfloat, (gsize) d[o] * d[i] * size[0] * size[1]);
  outer = transposed ? i : o;
  inner = transposed ? o : i;
  to = weights;
  for (gint64 a = 0; a < d[outer]; a++)
    for (gint64 b = 0; b < d[inner]; b++, to += size[0] * size[1])
      for (gint64 y = 0; y < d[h]; y++)
        for (gint64 x = 0; x < d[w]; x++)
          to[y * node->dilations[0] * size[1] + x * node->dilations[1]] =
              constant->numbers[a * strides[outer] + b * strides[inner] +
                                y * strides[h] + x * strides[w]];
  return weights;
}

static gboolean
get_bias (SrganLowering *self, guint number, guint n, gfloat **bias)
{
  SrganConstant *constant = srgan_lowering_get_constant (self, number);

  *bias = NULL;
  if (srgan_lowering_get_input (self, number) == NULL)
    return TRUE;
  if (constant == NULL || (constant->n != n && constant->n != 1))
    return srgan_lowering_refuse (self, "its bias is not %u numbers", n);
  *bias = g_new (gfloat, n);
  for (guint i = 0; i < n; i++)
    (*bias)[i] =
        (gfloat) srgan_constant_get (constant, constant->n == 1 ? 0 : i);
  return TRUE;
}

SrganValue *
srgan_lower_conv (SrganLowering *self)
{
  SrganGraphNode *node = self->node;
  gboolean transposed = node->kind == SRGAN_NODE_TRANSPOSED_CONV;
  SrganConstant *constant = srgan_lowering_get_constant (self, 1);
  SrganDraftLayer *layer;
  SrganValue *map, *result;
  SrganRoles roles;
  guint n_out, n_in, kernel[2], groups, n_channels;
  gfloat *weights, *bias;
  gint64 stride = node->strides[0];
  gint sides[SRGAN_N_SIDES];
  gint64 size[2];

  if (constant == NULL)
    return srgan_lowering_refuse_value (
        self, "its weights are not known beforehand");
  map = srgan_lowering_get_map (self, 0, &roles);
  if (map == NULL)
    return NULL;
  if (!srgan_lowering_check_order (self, map, &roles)) {
    srgan_value_free (map);
    return NULL;
  }
  weights = get_weights (self, constant, &n_out, &n_in, kernel);
  if (weights == NULL) {
    srgan_value_free (map);
    return NULL;
  }

  n_channels = srgan_lowering_get_channels (self, map);
  if (node->depthwise) {
    /* [in][multiplier] or [multiplier 1][in multiplier], in this order both */
    groups = n_channels;
    n_out = n_out * n_in;
    n_in = 1;
  } else {
    groups = node->groups > 0 && node->groups <= SRGAN_MAX_CHANNELS
                 ? (guint) node->groups
                 : 0;
    if (groups == 1 && !transposed && n_channels % n_in == 0)
      groups = n_channels / n_in;
    if (transposed)
      n_out *= groups;
  }
  if (groups == 0 || stride < 1 || stride != node->strides[1] || stride > 16 ||
      n_out > SRGAN_MAX_CHANNELS || n_out % groups != 0 ||
      n_channels % groups != 0 ||
      (transposed ? n_in != n_channels : n_in * groups != n_channels)) {
    srgan_lowering_refuse (self,
        "weights for %u channels and %u groups do not fit a map of %u, or "
        "strides %" G_GINT64_FORMAT "x%" G_GINT64_FORMAT " are not supported",
        n_in, groups, n_channels, node->strides[1], node->strides[0]);
    goto failed;
  }
  if (!get_bias (self, 2, n_out, &bias))
    goto failed;

  for (guint i = 0; i < 2; i++) {
    gint64 in = i == 0 ? srgan_draft_get_height (self->draft, map->layer)
                       : srgan_draft_get_width (self->draft, map->layer);
    gint side = (gint) kernel[i];
    gint total, lead = 0, trail = 0;

    if (srgan_draft_is_single (self->draft, map->layer))
      in = 1;
    switch (node->padding) {
    case SRGAN_PADS_GIVEN:
      if (node->pads[i] < 0 || node->pads[i] > 1024 || node->pads[i + 2] < 0 ||
          node->pads[i + 2] > 1024 || node->output_padding[i] < 0 ||
          node->output_padding[i] > 64) {
        srgan_lowering_refuse (self, "paddings that are not supported");
        g_free (bias);
        goto failed;
      }
      lead = (gint) node->pads[i];
      trail = (gint) node->pads[i + 2] -
              (transposed ? (gint) node->output_padding[i] : 0);
      break;
    case SRGAN_PADS_SAME:
    case SRGAN_PADS_SAME_LOWER:
      total =
          transposed
              ? MAX (side - (gint) stride, 0)
              : (gint) MAX (
                    ((in + stride - 1) / stride - 1) * stride + side - in, 0);
      lead = total / 2;
      trail = total - lead;
      if (node->padding == SRGAN_PADS_SAME_LOWER) {
        lead = trail;
        trail = total - lead;
      }
      if (transposed && side < stride)
        trail = side - (gint) stride;
      break;
    case SRGAN_PADS_VALID:
      break;
    }
    sides[i] = lead;
    sides[i + 2] = trail;
    size[i] = transposed ? (in - 1) * stride + side - lead - trail
                         : (in + lead + trail - side) / stride + 1;
    if (size[i] < 1 || size[i] > G_MAXINT32) {
      srgan_lowering_refuse (self, "its output would have no pixels");
      g_free (bias);
      goto failed;
    }
  }

  layer =
      srgan_draft_add (self->draft, SRGAN_DRAFT_LAYER, node->name, map->layer);
  layer->layer.operation =
      transposed ? SRGAN_OPERATION_TRANSPOSED_CONV : SRGAN_OPERATION_CONV;
  layer->layer.out_channels = n_out;
  layer->layer.kernel_height = kernel[0];
  layer->layer.kernel_width = kernel[1];
  layer->layer.stride = (guint) stride;
  layer->layer.groups = groups;
  layer->layer.padding = SRGAN_PADDING_ZERO;
  layer->weight = weights;
  layer->bias = bias;
  memcpy (layer->sides, sides, sizeof sides);
  if (layer->single) {
    if (kernel[0] != 1 || kernel[1] != 1 || groups != 1 || transposed) {
      srgan_value_free (map);
      return srgan_lowering_refuse_value (self,
          "a convolution of a mean with anything but one pixel is not "
          "supported");
    }
    layer->layer.operation = SRGAN_OPERATION_LINEAR;
  } else {
    layer->height = size[0];
    layer->width = size[1];
  }
  result = srgan_lowering_view_like (
      self, (gint) self->draft->layers->len - 1, map, &roles);
  srgan_value_free (map);
  return result;

failed:
  g_free (weights);
  srgan_value_free (map);
  return NULL;
}

SrganValue *
srgan_lower_matmul (SrganLowering *self)
{
  SrganGraphNode *node = self->node;
  SrganConstant *constant = srgan_lowering_get_constant (self, 1);
  SrganDraftLayer *layer;
  SrganValue *map, *result;
  SrganRoles roles;
  guint n_in, n_out;
  gfloat *bias;

  if (constant == NULL || constant->rank != 2 || constant->numbers == NULL)
    return srgan_lowering_refuse_value (self,
        "a product of two maps (attention, as transformers have it) is not "
        "supported");
  n_in = (guint) constant->dimensions[node->transpose_weight ? 1 : 0];
  n_out = (guint) constant->dimensions[node->transpose_weight ? 0 : 1];
  map = srgan_lowering_get_map (self, 0, &roles);
  if (map == NULL)
    return NULL;
  if (n_in != srgan_lowering_get_channels (self, map) || n_out < 1 ||
      n_out > SRGAN_MAX_CHANNELS ||
      (roles.channels >= 0 && roles.channels != (gint) map->rank - 1) ||
      !get_bias (self, 2, n_out, &bias)) {
    srgan_value_free (map);
    return srgan_lowering_refuse_value (
        self, "a matrix that does not fit its input");
  }
  layer =
      srgan_draft_add (self->draft, SRGAN_DRAFT_LAYER, node->name, map->layer);
  layer->layer.operation =
      layer->single ? SRGAN_OPERATION_LINEAR : SRGAN_OPERATION_CONV;
  layer->layer.out_channels = n_out;
  layer->weight = g_new (gfloat, (gsize) n_out * n_in);
  for (guint o = 0; o < n_out; o++)
    for (guint i = 0; i < n_in; i++)
      layer->weight[(gsize) o * n_in + i] =
          constant->numbers[node->transpose_weight ? (gsize) o * n_in + i
                                                   : (gsize) i * n_out + o];
  layer->bias = bias;
  result = srgan_lowering_new_view (self, (gint) self->draft->layers->len - 1,
      map->rank, (gint) map->rank - 1, roles.height, roles.width);
  srgan_value_free (map);
  return result;
}

SrganValue *
srgan_lower_batch_norm (SrganLowering *self)
{
  const SrganConstant *parts[4];
  SrganValue *map, *result;
  SrganRoles roles;
  guint n;
  gfloat *gain, *offset;

  map = srgan_lowering_get_map (self, 0, &roles);
  if (map == NULL)
    return NULL;
  n = srgan_lowering_get_channels (self, map);
  for (guint i = 0; i < 4; i++) {
    parts[i] = srgan_lowering_get_constant (self, i + 1);
    if (parts[i] != NULL && parts[i]->n != n) {
      srgan_value_free (map);
      return srgan_lowering_refuse_value (
          self, "numbers for other channels than it has");
    }
  }
  if (parts[2] == NULL || parts[3] == NULL) {
    srgan_value_free (map);
    return srgan_lowering_refuse_value (
        self, "it was not trained to the end: no statistics");
  }
  gain = g_new (gfloat, n);
  offset = g_new (gfloat, n);
  for (guint i = 0; i < n; i++) {
    gdouble g = parts[0] != NULL ? srgan_constant_get (parts[0], i) : 1.;
    gdouble b = parts[1] != NULL ? srgan_constant_get (parts[1], i) : 0.;

    g /= sqrt (srgan_constant_get (parts[3], i) + self->node->alpha);
    gain[i] = (gfloat) g;
    offset[i] = (gfloat) (b - srgan_constant_get (parts[2], i) * g);
  }
  result = srgan_lowering_add_affine (self, map, gain, offset);
  srgan_draft_get (self->draft, result->layer)->is_norm = TRUE;
  srgan_value_free (map);
  return result;
}
