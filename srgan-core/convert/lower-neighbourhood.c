/* convert: padding, pooling and means.
 *
 * SPDX-License-Identifier: MIT
 */
#include "convert/lower.h"

#include "network/operations.h"

SrganValue *
srgan_lower_pad (SrganLowering *self)
{
  SrganGraphNode *node = self->node;
  SrganValue *x = srgan_lowering_get_input (self, 0);
  SrganConstant *value = srgan_lowering_get_constant (self, 2);
  gint64 amounts[SRGAN_GRAPH_MAX_LIST], axes[SRGAN_GRAPH_MAX_LIST];
  gint64 lead[SRGAN_GRAPH_MAX_RANK] = {0}, trail[SRGAN_GRAPH_MAX_RANK] = {0};
  guint n = 0, n_axes = 0, rank;
  SrganConstant *given = srgan_lowering_get_constant (self, 1);
  gboolean pairs = given != NULL && given->rank == 2;
  gboolean adds = FALSE, cuts = FALSE;
  SrganValue *map, *result;
  SrganDraftLayer *layer;
  SrganRoles roles;
  gint top, left, bottom, right;

  if (x == NULL || x->constant != NULL)
    return srgan_lowering_refuse_value (self, "its input is no map");
  if (!srgan_lowering_get_integers (self, 1, amounts, &n))
    return srgan_lowering_refuse_value (
        self, "its paddings are not known beforehand");
  rank = x->rank;
  if (srgan_lowering_get_input (self, 3) != NULL) {
    node->has_list = FALSE;
    if (!srgan_lowering_get_integers (self, 3, axes, &n_axes))
      return srgan_lowering_refuse_value (
          self, "its axes are not known beforehand");
  } else {
    for (guint i = 0; i < rank; i++)
      axes[i] = i;
    n_axes = rank;
  }
  if (n != 2 * n_axes)
    return srgan_lowering_refuse_value (self, "other paddings than axes");
  for (guint i = 0; i < n_axes; i++) {
    guint axis;

    if (!srgan_lowering_check_axis (self, axes[i], rank, &axis))
      return NULL;
    lead[axis] = pairs ? amounts[2 * i] : amounts[i];
    trail[axis] = pairs ? amounts[2 * i + 1] : amounts[i + n_axes];
  }
  map = srgan_lowering_get_map (self, 0, &roles);
  if (map == NULL)
    return NULL;
  for (guint i = 0; i < rank; i++) {
    gboolean none = lead[i] == 0 && trail[i] == 0;

    if (!none && (gint) i != roles.height && (gint) i != roles.width) {
      srgan_value_free (map);
      return srgan_lowering_refuse_value (self, "padding of other than pixels");
    }
    if (ABS (lead[i]) > 1024 || ABS (trail[i]) > 1024) {
      srgan_value_free (map);
      return srgan_lowering_refuse_value (
          self, "paddings that are not supported");
    }
    adds = adds || lead[i] > 0 || trail[i] > 0;
    cuts = cuts || lead[i] < 0 || trail[i] < 0;
  }
  if (!adds && !cuts)
    return map;
  if (adds && cuts) {
    srgan_value_free (map);
    return srgan_lowering_refuse_value (
        self, "padding on some sides, cutting on others");
  }
  if (adds && node->mode == SRGAN_PADDING_ZERO && value != NULL &&
      value->n > 0 && srgan_constant_get (value, 0) != 0.) {
    srgan_value_free (map);
    return srgan_lowering_refuse_value (
        self, "padding with another value than 0");
  }
  top = (gint) lead[roles.height];
  bottom = (gint) trail[roles.height];
  left = (gint) lead[roles.width];
  right = (gint) trail[roles.width];
  layer = srgan_draft_add (self->draft,
      adds ? SRGAN_DRAFT_PAD : SRGAN_DRAFT_LAYER, node->name, map->layer);
  layer->layer.operation = SRGAN_OPERATION_CROP;
  layer->layer.padding = node->mode;
  layer->sides[SRGAN_TOP] = ABS (top);
  layer->sides[SRGAN_LEFT] = ABS (left);
  layer->sides[SRGAN_BOTTOM] = ABS (bottom);
  layer->sides[SRGAN_RIGHT] = ABS (right);
  layer->height += top + bottom;
  layer->width += left + right;
  if (layer->height < 1 || layer->width < 1) {
    srgan_value_free (map);
    return srgan_lowering_refuse_value (
        self, "its output would have no pixels");
  }
  result = srgan_lowering_view_like (
      self, (gint) self->draft->layers->len - 1, map, &roles);
  srgan_value_free (map);
  return result;
}

SrganValue *
srgan_lower_pool (SrganLowering *self)
{
  SrganGraphNode *node = self->node;
  gboolean averages = node->kind == SRGAN_NODE_AVERAGE_POOL;
  gint64 kernel[2] = {node->kernel[0], node->kernel[1]};
  gint64 stride = node->strides[0];
  gint64 more = node->ceil_mode ? stride - 1 : 0;
  SrganDraftLayer *layer;
  SrganValue *map, *result;
  SrganRoles roles;
  gint64 height, width;
  guint n;

  map = srgan_lowering_get_map (self, 0, &roles);
  if (map == NULL)
    return NULL;
  if (!srgan_lowering_check_order (self, map, &roles) ||
      srgan_draft_is_single (self->draft, map->layer)) {
    srgan_value_free (map);
    return srgan_lowering_refuse_value (
        self, "its input is no map in the order it takes");
  }
  height = srgan_draft_get_height (self->draft, map->layer);
  width = srgan_draft_get_width (self->draft, map->layer);
  n = srgan_lowering_get_channels (self, map);
  layer =
      srgan_draft_add (self->draft, SRGAN_DRAFT_LAYER, node->name, map->layer);
  if (averages && kernel[0] == height && kernel[1] == width) {
    layer->layer.operation = SRGAN_OPERATION_GLOBAL_MEAN;
    layer->single = TRUE;
    layer->height = layer->width = 1;
    result = srgan_lowering_view_like (
        self, (gint) self->draft->layers->len - 1, map, &roles);
    srgan_value_free (map);
    return result;
  }
  if (kernel[0] < 1 || kernel[0] > SRGAN_MAX_KERNEL_SIDE || kernel[1] < 1 ||
      kernel[1] > SRGAN_MAX_KERNEL_SIDE || stride < 1 || stride > 16 ||
      stride != node->strides[1] || node->dilations[0] != 1 ||
      node->dilations[1] != 1 || kernel[0] > height || kernel[1] > width ||
      (node->ceil_mode &&
          (averages || kernel[0] < stride || kernel[1] < stride)) ||
      (node->padding != SRGAN_PADS_VALID && node->padding != SRGAN_PADS_GIVEN &&
          (kernel[0] != stride || kernel[1] != stride)) ||
      (node->padding == SRGAN_PADS_GIVEN &&
          (node->pads[0] != 0 || node->pads[1] != 0 || node->pads[2] != 0 ||
              node->pads[3] != 0))) {
    srgan_value_free (map);
    return srgan_lowering_refuse_value (self,
        "only pooling without padding and dilation is supported, with "
        "ceil_mode only of maxima");
  }
  layer->layer.kernel_height = (guint) kernel[0];
  layer->layer.kernel_width = (guint) kernel[1];
  layer->layer.stride = (guint) stride;
  layer->layer.ceil_mode = node->ceil_mode;
  layer->height = (height + more - kernel[0]) / stride + 1;
  layer->width = (width + more - kernel[1]) / stride + 1;
  if (averages) {
    gsize area = (gsize) (kernel[0] * kernel[1]);

    layer->layer.operation = SRGAN_OPERATION_CONV;
    layer->layer.groups = n;
    layer->weight = g_new (gfloat, n * area);
    for (gsize i = 0; i < n * area; i++)
      layer->weight[i] = 1.f / (gfloat) area;
  } else {
    layer->layer.operation = SRGAN_OPERATION_MAX_POOL;
  }
  result = srgan_lowering_view_like (
      self, (gint) self->draft->layers->len - 1, map, &roles);
  srgan_value_free (map);
  return result;
}

/* The only node that reads what the node at work gives, or NULL. */
static SrganGraphNode *
find_reader (SrganLowering *self)
{
  const gchar *name = g_ptr_array_index (self->node->outputs, 0);

  if (GPOINTER_TO_UINT (g_hash_table_lookup (self->uses, name)) != 1)
    return NULL;
  for (guint i = 0; i < self->graph->nodes->len; i++) {
    SrganGraphNode *node = g_ptr_array_index (self->graph->nodes, i);

    if (node->inputs->len > 0 &&
        g_strcmp0 (g_ptr_array_index (node->inputs, 0), name) == 0)
      return node;
  }
  return NULL;
}

/* A sum (or mean) of rows alone, of which the next node takes that of columns,
 * as IMDN's authors write it, is left to that. */
static gboolean
leave_to_reader (SrganLowering *self, guint axis)
{
  SrganGraphNode *reader = self->node->keep_axes ? find_reader (self) : NULL;

  if (reader == NULL || reader->kind != self->node->kind ||
      self->node->joined != 0 || !reader->keep_axes)
    return FALSE;
  reader->joined = axis + 1;
  return TRUE;
}

SrganValue *
srgan_lower_mean (SrganLowering *self)
{
  SrganGraphNode *node = self->node;
  gboolean sums = node->kind == SRGAN_NODE_SUM;
  gint64 axes[SRGAN_GRAPH_MAX_LIST];
  gboolean chosen[SRGAN_GRAPH_MAX_RANK] = {FALSE};
  gint64 shape[SRGAN_GRAPH_MAX_RANK];
  guint n_axes = 0, n_shape = 0;
  SrganValue *x = srgan_lowering_get_input (self, 0);
  SrganValue *map, *result;
  SrganRoles roles;
  gint layer;
  gboolean over_pixels;

  if (x == NULL || x->constant != NULL)
    return srgan_lowering_refuse_value (self, "its input is no map");
  map = srgan_lowering_get_map (self, 0, &roles);
  if (map == NULL)
    return NULL;
  if (!srgan_lowering_get_integers (self, 1, axes, &n_axes)) {
    if (roles.height >= 0)
      axes[n_axes++] = roles.height;
    if (roles.width >= 0)
      axes[n_axes++] = roles.width;
  }
  for (guint i = 0; i < n_axes; i++) {
    guint axis;

    if (!srgan_lowering_check_axis (self, axes[i], map->rank, &axis)) {
      srgan_value_free (map);
      return NULL;
    }
    chosen[axis] = TRUE;
  }
  if (node->joined > 0 && node->joined <= map->rank)
    chosen[node->joined - 1] = TRUE;
  for (guint i = 0; i < map->rank; i++) {
    if (chosen[i] && !node->keep_axes)
      continue;
    shape[n_shape++] = chosen[i] ? 1 : srgan_value_get_dimension (map, i);
  }
  layer = map->layer;
  over_pixels = roles.height >= 0 && chosen[roles.height];
  if (roles.height >= 0 && over_pixels != chosen[roles.width]) {
    if (n_axes == 1 && leave_to_reader (self,
                           (guint) (over_pixels ? roles.height : roles.width)))
      return map;
    srgan_value_free (map);
    return srgan_lowering_refuse_value (
        self, "a mean of rows or columns is not supported");
  }
  if (over_pixels) {
    SrganDraftLayer *mean;
    gdouble area = (gdouble) srgan_draft_get_height (self->draft, layer) *
                   (gdouble) srgan_draft_get_width (self->draft, layer);
    guint n = srgan_draft_get_channels (self->draft, layer);

    mean = srgan_draft_add (self->draft, SRGAN_DRAFT_LAYER, node->name, layer);
    mean->layer.operation = SRGAN_OPERATION_GLOBAL_MEAN;
    mean->single = TRUE;
    mean->height = mean->width = 1;
    layer = (gint) self->draft->layers->len - 1;
    if (sums) {
      /* of pictures of this size: what divides by that is for it, too */
      gfloat *gain = g_new (gfloat, n);

      for (guint i = 0; i < n; i++)
        gain[i] = (gfloat) area;
      layer = srgan_draft_add_affine (
          self->draft, node->name, layer, gain, g_new0 (gfloat, n));
      srgan_draft_get (self->draft, layer)->n_pixels = area;
    }
  }
  if (roles.channels >= 0 && chosen[roles.channels]) {
    guint n = srgan_draft_get_channels (self->draft, layer);
    SrganDraftLayer *mean =
        srgan_draft_add (self->draft, SRGAN_DRAFT_LAYER, node->name, layer);

    mean->layer.operation =
        mean->single ? SRGAN_OPERATION_LINEAR : SRGAN_OPERATION_CONV;
    mean->layer.out_channels = 1;
    mean->weight = g_new (gfloat, n);
    for (guint i = 0; i < n; i++)
      mean->weight[i] = sums ? 1.f : 1.f / (gfloat) n;
    layer = (gint) self->draft->layers->len - 1;
  }
  result = srgan_lowering_new_view (
      self, layer, map->rank, roles.channels, roles.height, roles.width);
  srgan_value_free (map);
  map = srgan_lowering_reshape (self, result, n_shape, shape);
  srgan_value_free (result);
  return map;
}
