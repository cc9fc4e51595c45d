/* convert: nodes that take maps apart and put them together.
 *
 * SPDX-License-Identifier: MIT
 */
#include "convert/lower.h"

#include "network/operations.h"

#include <string.h>

/* Every index of @axis that @indices names. */
static SrganValue *
choose (SrganLowering *self, SrganValue *x, guint axis, const gint64 *indices,
    gsize n)
{
  SrganDraftLayer *gather;
  SrganValue *map, *result;
  SrganRoles roles;

  map = srgan_value_copy (x, srgan_lowering_get_channels (self, x));
  if (!srgan_lowering_materialise (self, map, &roles)) {
    srgan_value_free (map);
    return NULL;
  }
  if ((gint) axis == roles.height || (gint) axis == roles.width || n == 0 ||
      n > SRGAN_MAX_CHANNELS) {
    srgan_value_free (map);
    return srgan_lowering_refuse_value (
        self, "a choice of pixels is not supported");
  }
  gather = srgan_draft_add (
      self->draft, SRGAN_DRAFT_GATHER, self->node->name, map->layer);
  gather->channels = g_new (guint, n);
  gather->layer.out_channels = (guint) n;
  for (gsize i = 0; i < n; i++)
    gather->channels[i] = (guint) indices[i];
  result = srgan_lowering_new_view (self, (gint) self->draft->layers->len - 1,
      map->rank, (gint) axis, roles.height, roles.width);
  srgan_value_free (map);
  return result;
}

/* Cuts @start pixels from the beginning and leaves @size. */
static SrganValue *
crop (SrganLowering *self, SrganValue *x, guint axis, gint64 start, gint64 size)
{
  SrganDraftLayer *layer;
  SrganValue *map, *result;
  SrganRoles roles;
  gboolean vertical;
  gint64 full = srgan_value_get_dimension (x, axis);

  map = srgan_value_copy (x, srgan_lowering_get_channels (self, x));
  if (!srgan_lowering_materialise (self, map, &roles)) {
    srgan_value_free (map);
    return NULL;
  }
  vertical = (gint) axis == roles.height;
  layer = srgan_draft_add (
      self->draft, SRGAN_DRAFT_LAYER, self->node->name, map->layer);
  layer->layer.operation = SRGAN_OPERATION_CROP;
  layer->sides[vertical ? SRGAN_TOP : SRGAN_LEFT] = (gint) start;
  layer->sides[vertical ? SRGAN_BOTTOM : SRGAN_RIGHT] =
      (gint) (full - start - size);
  *(vertical ? &layer->height : &layer->width) = size;
  result = srgan_lowering_view_like (
      self, (gint) self->draft->layers->len - 1, map, &roles);
  srgan_value_free (map);
  return result;
}

/* x[..., start : start + size step : step, ...] */
static SrganValue *
slice_axis (SrganLowering *self, SrganValue *x, guint axis, gint64 start,
    gint64 step, gint64 size)
{
  gint64 full = srgan_value_get_dimension (x, axis);

  if (size < 1)
    return srgan_lowering_refuse_value (self, "an empty slice");
  if (start == 0 && step == 1 && size == full)
    return srgan_value_copy (
        x, x->constant != NULL ? 0 : srgan_lowering_get_channels (self, x));
  if (x->constant != NULL) {
    gint64 dimensions[SRGAN_GRAPH_MAX_RANK];
    SrganWalk walk;

    for (guint i = 0; i < x->constant->rank; i++)
      dimensions[i] = x->constant->dimensions[i];
    dimensions[axis] = size;
    srgan_walk_init (&walk, x->constant, x->constant->rank, dimensions);
    walk.starts[axis] = start;
    walk.steps[axis] = step;
    return srgan_lowering_pick (self, x->constant, x->constant->rank,
        dimensions, srgan_walk_get_place, &walk);
  }
  if (srgan_dimension_has_axis (&x->dimensions[axis], SRGAN_AXIS_HEIGHT) ||
      srgan_dimension_has_axis (&x->dimensions[axis], SRGAN_AXIS_WIDTH)) {
    if (step != 1)
      return srgan_lowering_refuse_value (
          self, "a slice that leaves out pixels");
    return crop (self, x, axis, start, size);
  } else {
    g_autofree gint64 *indices = g_new (gint64, size);

    for (gint64 i = 0; i < size; i++)
      indices[i] = start + i * step;
    return choose (self, x, axis, indices, (gsize) size);
  }
}

/* As languages do: bounds from the end where negative, cut to what there is. */
static gboolean
resolve_slice (SrganLowering *self, gint64 full, gint64 *start, gint64 end,
    gint64 step, gint64 *size)
{
  if (step == 0)
    return srgan_lowering_refuse (self, "a slice with a step of 0");
  if (*start < 0)
    *start = *start < -full ? -1 : *start + full;
  if (end < 0)
    end = end < -full ? -1 : end + full;
  if (step > 0) {
    *start = CLAMP (*start, 0, full);
    end = CLAMP (end, 0, full);
    *size = end > *start ? (end - *start - 1) / step + 1 : 0;
  } else {
    *start = CLAMP (*start, -1, full - 1);
    end = CLAMP (end, -1, full - 1);
    *size = *start > end ? (*start - end - 1) / -step + 1 : 0;
  }
  return TRUE;
}

SrganValue *
srgan_lower_slice (SrganLowering *self)
{
  SrganValue *x = srgan_lowering_get_input (self, 0);
  gint64 starts[SRGAN_GRAPH_MAX_LIST], ends[SRGAN_GRAPH_MAX_LIST];
  gint64 axes[SRGAN_GRAPH_MAX_LIST], steps[SRGAN_GRAPH_MAX_LIST];
  guint n = 0, n_ends = 0, n_axes = 0, n_steps = 0;
  SrganValue *result;

  if (x == NULL || !srgan_lowering_get_integers (self, 1, starts, &n) ||
      !srgan_lowering_get_integers (self, 2, ends, &n_ends) || n != n_ends)
    return srgan_lowering_refuse_value (
        self, "its bounds are not known beforehand");
  self->node->has_list = FALSE;
  if (!srgan_lowering_get_integers (self, 3, axes, &n_axes)) {
    for (guint i = 0; i < n; i++)
      axes[i] = i;
    n_axes = n;
  }
  if (!srgan_lowering_get_integers (self, 4, steps, &n_steps)) {
    for (guint i = 0; i < n; i++)
      steps[i] = 1;
    n_steps = n;
  }
  if (n_axes != n || n_steps != n)
    return srgan_lowering_refuse_value (
        self, "bounds and axes differ in number");
  result = srgan_value_copy (
      x, x->constant != NULL ? 0 : srgan_lowering_get_channels (self, x));
  for (guint i = 0; i < n; i++) {
    guint axis;
    gint64 size;
    SrganValue *part;

    if (!srgan_lowering_check_axis (
            self, axes[i], srgan_value_get_rank (x), &axis) ||
        !resolve_slice (self, srgan_value_get_dimension (x, axis), &starts[i],
            ends[i], steps[i], &size)) {
      srgan_value_free (result);
      return NULL;
    }
    if (self->node->kind == SRGAN_NODE_SLICE_SIZE)
      size = ends[i];
    part = slice_axis (self, result, axis, starts[i], steps[i], size);
    srgan_value_free (result);
    result = part;
    if (result == NULL)
      return NULL;
  }
  return result;
}

SrganValue *
srgan_lower_slice_size (SrganLowering *self)
{
  SrganValue *x = srgan_lowering_get_input (self, 0);
  gint64 starts[SRGAN_GRAPH_MAX_LIST], sizes[SRGAN_GRAPH_MAX_LIST];
  guint n = 0, n_sizes = 0;
  SrganValue *result;

  if (x == NULL || !srgan_lowering_get_integers (self, 1, starts, &n) ||
      !srgan_lowering_get_integers (self, 2, sizes, &n_sizes) || n != n_sizes ||
      n != srgan_value_get_rank (x))
    return srgan_lowering_refuse_value (
        self, "its bounds are not known beforehand");
  result = srgan_value_copy (
      x, x->constant != NULL ? 0 : srgan_lowering_get_channels (self, x));
  for (guint i = 0; i < n; i++) {
    gint64 full = srgan_value_get_dimension (x, i);
    SrganValue *part = NULL;

    if (sizes[i] == -1 && starts[i] >= 0 && starts[i] <= full)
      sizes[i] = full - starts[i];
    if (starts[i] < 0 || sizes[i] < 0 || sizes[i] > full ||
        starts[i] > full - sizes[i])
      srgan_lowering_refuse (self, "bounds beyond its input's");
    else
      part = slice_axis (self, result, i, starts[i], 1, sizes[i]);
    srgan_value_free (result);
    result = part;
    if (result == NULL)
      return NULL;
  }
  return result;
}

SrganValue *
srgan_lower_strided_slice (SrganLowering *self)
{
  SrganValue *x = srgan_lowering_get_input (self, 0);
  gint64 starts[SRGAN_GRAPH_MAX_LIST], ends[SRGAN_GRAPH_MAX_LIST];
  gint64 steps[SRGAN_GRAPH_MAX_LIST];
  gint64 shape[2 * SRGAN_GRAPH_MAX_LIST];
  guint n = 0, n_ends = 0, n_steps = 0, n_shape = 0, axis = 0, rank, n_real = 0;
  const gint64 *masks = self->node->list;
  gboolean ellipsis = FALSE;
  SrganValue *result, *part;

  if (x == NULL || !srgan_lowering_get_integers (self, 1, starts, &n) ||
      !srgan_lowering_get_integers (self, 2, ends, &n_ends) || n != n_ends)
    return srgan_lowering_refuse_value (
        self, "its bounds are not known beforehand");
  if (self->node->inputs->len < 4) {
    for (guint i = 0; i < n; i++)
      steps[i] = 1;
  } else if (!srgan_lowering_get_integers (self, 3, steps, &n_steps) ||
             n != n_steps) {
    return srgan_lowering_refuse_value (
        self, "its bounds are not known beforehand");
  }
  rank = srgan_value_get_rank (x);
  if (n > 16)
    return srgan_lowering_refuse_value (self, "more bounds than axes");
  for (guint i = 0; i < n; i++)
    n_real += !(masks[2] >> i & 1) && !(masks[3] >> i & 1);
  if (n_real > rank)
    return srgan_lowering_refuse_value (self, "more bounds than axes");
  result = srgan_value_copy (
      x, x->constant != NULL ? 0 : srgan_lowering_get_channels (self, x));
  for (guint i = 0; i < n; i++) {
    gint64 size;

    if (masks[2] >> i & 1) {
      guint n_skipped = ellipsis ? 0 : rank - n_real;

      ellipsis = TRUE;
      for (guint j = 0; j < n_skipped; j++)
        shape[n_shape++] = srgan_value_get_dimension (x, axis++);
      continue;
    }
    if (masks[3] >> i & 1) {
      shape[n_shape++] = 1;
      continue;
    }
    if (masks[0] >> i & 1)
      starts[i] = steps[i] > 0 ? 0 : G_MAXINT64;
    if (masks[1] >> i & 1)
      ends[i] = steps[i] > 0 ? G_MAXINT64 : -G_MAXINT64;
    if (masks[4] >> i & 1) {
      ends[i] = starts[i] == -1 ? G_MAXINT64 : starts[i] + 1;
      steps[i] = 1;
    }
    part = NULL;
    if (resolve_slice (self, srgan_value_get_dimension (x, axis), &starts[i],
            ends[i], steps[i], &size))
      part = slice_axis (self, result, axis, starts[i], steps[i], size);
    srgan_value_free (result);
    result = part;
    if (result == NULL)
      return NULL;
    if (!(masks[4] >> i & 1))
      shape[n_shape++] = size;
    axis++;
  }
  while (axis < rank)
    shape[n_shape++] = srgan_value_get_dimension (x, axis++);
  if (n_shape > SRGAN_GRAPH_MAX_RANK) {
    srgan_value_free (result);
    return srgan_lowering_refuse_value (self, "more axes than tensors have");
  }
  part = srgan_lowering_reshape (self, result, n_shape, shape);
  srgan_value_free (result);
  return part;
}

SrganValue *
srgan_lower_gather (SrganLowering *self)
{
  SrganValue *x = srgan_lowering_get_input (self, 0);
  SrganConstant *indices = srgan_lowering_get_constant (self, 1);
  guint axis, rank;
  gint64 full;
  g_autofree gint64 *places = NULL;
  gint64 shape[2 * SRGAN_GRAPH_MAX_RANK];
  guint n_shape = 0;
  SrganValue *chosen, *result;

  if (x == NULL || indices == NULL || indices->n == 0)
    return srgan_lowering_refuse_value (
        self, "its indices are not known beforehand");
  rank = srgan_value_get_rank (x);
  if (!srgan_lowering_check_axis (self, self->node->axis, rank, &axis))
    return NULL;
  full = srgan_value_get_dimension (x, axis);
  if (indices->n > SRGAN_GRAPH_MAX_COMPUTED ||
      rank - 1 + indices->rank > SRGAN_GRAPH_MAX_RANK)
    return srgan_lowering_refuse_value (self, "more indices than supported");
  places = g_new (gint64, indices->n);
  for (gsize i = 0; i < indices->n; i++) {
    places[i] = srgan_lowering_to_integer (srgan_constant_get (indices, i));
    if (places[i] < 0)
      places[i] += full;
    if (places[i] < 0 || places[i] >= full)
      return srgan_lowering_refuse_value (
          self, "an index beyond its input's axis");
  }
  for (guint i = 0; i < rank; i++) {
    if (i != axis)
      shape[n_shape++] = srgan_value_get_dimension (x, i);
    for (guint j = 0; i == axis && j < indices->rank; j++)
      shape[n_shape++] = indices->dimensions[j];
  }
  if (x->constant != NULL) {
    gint64 dimensions[SRGAN_GRAPH_MAX_RANK];
    gint64 inner = 1, outer = 1;
    gsize n;
    SrganConstant *constant;
    gfloat *numbers = NULL;
    gint64 *integers = NULL;

    for (guint i = 0; i < rank; i++)
      *(i < axis ? &outer : &inner) *=
          i == axis ? 1 : srgan_value_get_dimension (x, i);
    for (guint i = 0; i < n_shape; i++)
      dimensions[i] = shape[i];
    if (!srgan_lowering_may_compute (self, n_shape, dimensions, &n))
      return NULL;
    if (x->constant->integers != NULL)
      constant =
          srgan_constant_new_integers (n_shape, dimensions, n, &integers);
    else
      constant = srgan_constant_new_numbers (n_shape, dimensions, n, &numbers);
    n = 0;
    for (gint64 i = 0; i < outer; i++)
      for (gsize j = 0; j < indices->n; j++)
        for (gint64 k = 0; k < inner; k++, n++) {
          gsize from = (gsize) ((i * full + places[j]) * inner + k);

          if (integers != NULL)
            integers[n] = x->constant->integers[from];
          else
            numbers[n] = x->constant->numbers[from];
        }
    return srgan_value_new_constant (constant);
  }
  if (full == 1 && indices->n == 1)
    return srgan_lowering_reshape (self, x, n_shape, shape);
  chosen = choose (self, x, axis, places, indices->n);
  if (chosen == NULL)
    return NULL;
  result = srgan_lowering_reshape (self, chosen, n_shape, shape);
  srgan_value_free (chosen);
  return result;
}

gboolean
srgan_lower_split (SrganLowering *self)
{
  SrganGraphNode *node = self->node;
  SrganValue *x = srgan_lowering_get_input (self, 0);
  gint64 sizes[SRGAN_GRAPH_MAX_LIST];
  guint n = 0, axis;
  gint64 start = 0, full;

  if (x == NULL)
    return srgan_lowering_refuse (self, "its input is missing");
  if (!srgan_lowering_check_axis (
          self, node->axis, srgan_value_get_rank (x), &axis))
    return FALSE;
  full = srgan_value_get_dimension (x, axis);
  if (!srgan_lowering_get_integers (self, 1, sizes, &n)) {
    gint64 parts = (gint64) node->outputs->len;

    if (self->error != NULL && *self->error != NULL)
      return FALSE;
    if (parts == 0 || parts > SRGAN_GRAPH_MAX_LIST)
      return srgan_lowering_refuse (self, "more parts than supported");
    n = (guint) parts;
    for (guint i = 0; i < n; i++)
      sizes[i] = MIN ((full + parts - 1) / parts,
          full - (gint64) i * ((full + parts - 1) / parts));
  }
  if (n < node->outputs->len)
    return srgan_lowering_refuse (self, "fewer parts than outputs");
  for (guint i = 0; i < node->outputs->len; i++) {
    const gchar *name = g_ptr_array_index (node->outputs, i);
    SrganValue *part;

    if (sizes[i] < 1 || sizes[i] > full || start > full - sizes[i])
      return srgan_lowering_refuse (self, "parts beyond its input's axis");
    part = slice_axis (self, x, axis, start, 1, sizes[i]);
    if (part == NULL)
      return FALSE;
    g_hash_table_replace (self->values, g_strdup (name), part);
    start += sizes[i];
  }
  return TRUE;
}

static SrganValue *
concat_constants (SrganLowering *self, SrganValue **parts, guint n, guint axis)
{
  SrganConstant *first = parts[0]->constant;
  gint64 dimensions[SRGAN_GRAPH_MAX_RANK];
  gboolean whole = TRUE;
  gint64 outer = 1;
  gsize count, filled = 0;
  gfloat *numbers = NULL;
  gint64 *integers = NULL;
  SrganConstant *result;

  for (guint i = 0; i < first->rank; i++) {
    dimensions[i] = first->dimensions[i];
    outer *= i < axis ? dimensions[i] : 1;
  }
  dimensions[axis] = 0;
  for (guint i = 0; i < n; i++) {
    SrganConstant *part = parts[i]->constant;

    whole = whole && part->integers != NULL;
    if (part->rank != first->rank)
      return srgan_lowering_refuse_value (
          self, "constants whose shapes do not fit");
    for (guint j = 0; j < first->rank; j++)
      if (j != axis && part->dimensions[j] != dimensions[j])
        return srgan_lowering_refuse_value (
            self, "constants whose shapes do not fit");
    dimensions[axis] += part->dimensions[axis];
  }
  if (!srgan_lowering_may_compute (self, first->rank, dimensions, &count))
    return NULL;
  if (whole)
    result =
        srgan_constant_new_integers (first->rank, dimensions, count, &integers);
  else
    result =
        srgan_constant_new_numbers (first->rank, dimensions, count, &numbers);
  for (gint64 i = 0; i < outer; i++)
    for (guint j = 0; j < n; j++) {
      SrganConstant *part = parts[j]->constant;
      gsize inner = part->n / (gsize) outer;

      for (gsize k = 0; k < inner; k++, filled++) {
        gdouble x = srgan_constant_get (part, (gsize) i * inner + k);

        if (whole)
          integers[filled] = part->integers[(gsize) i * inner + k];
        else
          numbers[filled] = (gfloat) x;
      }
    }
  return srgan_value_new_constant (result);
}

static SrganValue *
concat_maps (SrganLowering *self, SrganValue **parts, guint n, guint axis)
{
  gboolean same = TRUE;
  SrganDraftLayer *layer = NULL;
  SrganValue *result = NULL;
  guint n_channels = 0;
  guint rank = srgan_value_get_rank (parts[0]);

  for (guint i = 0; i < n; i++) {
    if (parts[i]->constant != NULL)
      return srgan_lowering_refuse_value (
          self, "a map and a constant in one concatenation");
    if (parts[i]->rank != rank)
      return srgan_lowering_refuse_value (
          self, "maps of different numbers of axes");
    srgan_lowering_settle (self, parts[i]);
    same = same &&
           srgan_lowering_settle (self, parts[i]) ==
               srgan_lowering_settle (self, parts[0]) &&
           srgan_value_same_view (parts[i], parts[0]);
  }
  if (same && n > 1) {
    SrganDimension *dimension;
    gboolean fits;

    result = srgan_value_with_layer (
        parts[0], srgan_lowering_settle (self, parts[0]));
    dimension = &result->dimensions[axis];
    memset (dimension, 0, sizeof *dimension);
    fits = srgan_dimension_add_piece (dimension, SRGAN_AXIS_REPEAT, n, 1);
    for (guint i = 0; i < parts[0]->dimensions[axis].n; i++) {
      const SrganPiece *piece = &parts[0]->dimensions[axis].pieces[i];

      fits = fits && srgan_dimension_add_piece (
                         dimension, piece->axis, piece->size, piece->step);
    }
    if (fits)
      return result;
    srgan_value_free (result);
    return srgan_lowering_refuse_value (self, "too many reshapes");
  }
  for (guint i = 0; i < n; i++) {
    SrganValue *map = srgan_value_copy (
        parts[i], srgan_lowering_get_channels (self, parts[i]));
    SrganRoles roles;

    if (!srgan_lowering_materialise (self, map, &roles)) {
      srgan_value_free (map);
      srgan_value_free (result);
      return NULL;
    }
    if ((gint) axis == roles.height || (gint) axis == roles.width ||
        (roles.channels != (gint) axis &&
            srgan_lowering_get_channels (self, map) != 1)) {
      srgan_value_free (map);
      srgan_value_free (result);
      return srgan_lowering_refuse_value (
          self, "a concatenation of other than channels");
    }
    n_channels += srgan_lowering_get_channels (self, map);
    if (i == 0) {
      result = srgan_lowering_new_view (
          self, map->layer, rank, (gint) axis, roles.height, roles.width);
    } else if (srgan_draft_is_single (self->draft, map->layer) !=
                   srgan_draft_is_single (self->draft, result->layer) ||
               !srgan_lowering_same_size (self, map->layer, result->layer) ||
               n_channels > SRGAN_MAX_CHANNELS) {
      srgan_value_free (map);
      srgan_value_free (result);
      return srgan_lowering_refuse_value (self, "maps of different sizes");
    }
    /* the layer comes after all that the parts still need */
    parts[i]->settled = parts[i]->settled;
    if (layer == NULL) {
      layer = g_new0 (SrganDraftLayer, 1);
      layer->inputs = g_array_new (FALSE, FALSE, sizeof (gint));
    }
    srgan_draft_layer_add_input (layer, map->layer);
    srgan_value_free (map);
  }
  {
    GArray *inputs = layer->inputs;
    SrganDraftLayer *concat;

    g_free (layer);
    concat = srgan_draft_add (self->draft, SRGAN_DRAFT_LAYER, self->node->name,
        g_array_index (inputs, gint, 0));
    for (guint i = 1; i < inputs->len; i++)
      srgan_draft_layer_add_input (concat, g_array_index (inputs, gint, i));
    g_array_unref (inputs);
    concat->layer.operation = SRGAN_OPERATION_CONCAT;
    concat->layer.in_channels = concat->layer.out_channels = n_channels;
  }
  result->layer = (gint) self->draft->layers->len - 1;
  {
    SrganDimension *dimension = &result->dimensions[axis];

    memset (dimension, 0, sizeof *dimension);
    srgan_dimension_add_piece (dimension, SRGAN_AXIS_CHANNELS, n_channels, 1);
  }
  return result;
}

SrganValue *
srgan_lower_concat (SrganLowering *self)
{
  SrganGraphNode *node = self->node;
  guint n = node->inputs->len;
  gboolean stacks = node->kind == SRGAN_NODE_STACK;
  g_autoptr (GPtrArray) parts =
      g_ptr_array_new_with_free_func (srgan_value_free);
  gboolean constant = TRUE;
  guint axis, rank;

  if (n == 0)
    return srgan_lowering_refuse_value (self, "nothing to put together");
  for (guint i = 0; i < n; i++) {
    SrganValue *part = srgan_lowering_get_input (self, i);

    if (part == NULL)
      return srgan_lowering_refuse_value (self, "an input is missing");
    if (part->constant == NULL)
      srgan_lowering_settle (self, part);
    constant = constant && part->constant != NULL;
  }
  rank = srgan_value_get_rank (srgan_lowering_get_input (self, 0)) + stacks;
  if (rank > SRGAN_GRAPH_MAX_RANK ||
      !srgan_lowering_check_axis (self, node->axis, rank, &axis))
    return srgan_lowering_refuse_value (self, "an axis that tensors have not");
  for (guint i = 0; i < n; i++) {
    SrganValue *part = srgan_lowering_get_input (self, i);

    if (stacks) {
      gint64 shape[SRGAN_GRAPH_MAX_RANK + 1];
      SrganValue *raised;

      if (srgan_value_get_rank (part) + 1 != rank)
        return srgan_lowering_refuse_value (
            self, "inputs of different numbers of axes");
      for (guint j = 0, k = 0; j < rank; j++)
        shape[j] = j == axis ? 1 : srgan_value_get_dimension (part, k++);
      if (part->constant == NULL) {
        SrganValue plain = *part;

        plain.layer = srgan_lowering_settle (self, part);
        plain.positive = plain.negative = NULL;
        raised = srgan_lowering_reshape (self, &plain, rank, shape);
      } else {
        raised = srgan_lowering_reshape (self, part, rank, shape);
      }
      if (raised == NULL)
        return NULL;
      g_ptr_array_add (parts, raised);
    } else {
      g_ptr_array_add (parts, part->constant != NULL
                                  ? srgan_value_copy (part, 0)
                                  : srgan_value_with_layer (part,
                                        srgan_lowering_settle (self, part)));
    }
  }
  if (srgan_value_get_rank (parts->pdata[0]) <= axis)
    return srgan_lowering_refuse_value (
        self, "an axis that its inputs have not");
  return constant
             ? concat_constants (self, (SrganValue **) parts->pdata, n, axis)
             : concat_maps (self, (SrganValue **) parts->pdata, n, axis);
}
