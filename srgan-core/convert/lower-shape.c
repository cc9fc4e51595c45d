/* convert: nodes that split, merge, move and repeat axes.
 *
 * On a map they only rewrite its view: what the rearrangements amount to, a
 * pixel shuffle perhaps, is found when the view is made a map again.
 *
 * SPDX-License-Identifier: MIT
 */
#include "convert/lower.h"

#include <string.h>

/* A row of pieces into dimensions of these sizes. */
static gboolean
distribute (SrganLowering *self, SrganValue *value, guint rank,
    const gint64 *dimensions)
{
  SrganPiece pieces[SRGAN_GRAPH_MAX_RANK * SRGAN_MAX_PIECES];
  guint n = 0, next = 0;

  for (guint i = 0; i < value->rank; i++) {
    srgan_dimension_merge (&value->dimensions[i]);
    for (guint j = 0; j < value->dimensions[i].n; j++)
      pieces[n++] = value->dimensions[i].pieces[j];
  }
  memset (value->dimensions, 0, sizeof value->dimensions);
  value->rank = rank;
  for (guint i = 0; i < rank; i++) {
    gint64 left = dimensions[i];

    while (left > 1) {
      SrganPiece *piece = &pieces[next];

      if (next == n)
        return srgan_lowering_refuse (self, "a shape that does not fit");
      if (left % piece->size == 0) {
        if (!srgan_dimension_add_piece (
                &value->dimensions[i], piece->axis, piece->size, piece->step))
          return srgan_lowering_refuse (self, "too many reshapes");
        left /= piece->size;
        next++;
      } else if (piece->size % left == 0) {
        gint64 inner = piece->size / left;

        if (!srgan_dimension_add_piece (&value->dimensions[i], piece->axis,
                left,
                piece->axis == SRGAN_AXIS_REPEAT ? 1 : piece->step * inner))
          return srgan_lowering_refuse (self, "too many reshapes");
        piece->size = inner;
        left = 1;
      } else {
        return srgan_lowering_refuse (
            self, "a reshape that mixes the picture's axes is not understood");
      }
    }
    srgan_dimension_merge (&value->dimensions[i]);
  }
  if (next != n)
    return srgan_lowering_refuse (self, "a shape that does not fit");
  return TRUE;
}

SrganValue *
srgan_lowering_reshape (
    SrganLowering *self, SrganValue *x, guint rank, const gint64 *dimensions)
{
  if (x->constant != NULL) {
    SrganConstant *constant = x->constant;
    gsize n;
    g_autoptr (GError) error = NULL;
    SrganConstant *result;

    if (!srgan_constant_count (rank, dimensions, G_MAXUINT32, &n, &error) ||
        n != constant->n)
      return srgan_lowering_refuse_value (self, "a shape that does not fit");
    /* the same numbers: shared */
    result = g_memdup2 (constant, sizeof *constant);
    result->n_references = 1;
    result->rank = rank;
    for (guint i = 0; i < rank; i++)
      result->dimensions[i] = dimensions[i];
    if (constant->owner != NULL) {
      g_bytes_ref (constant->owner);
    } else {
      gsize bytes = MAX (n, 1) * (constant->integers != NULL ? sizeof (gint64)
                                                             : sizeof (gfloat));

      result->numbers = g_memdup2 (constant->numbers, bytes);
      result->integers = g_memdup2 (constant->integers, bytes);
    }
    return srgan_value_new_constant (result);
  } else {
    SrganValue *result =
        srgan_value_copy (x, srgan_lowering_get_channels (self, x));

    if (!distribute (self, result, rank, dimensions)) {
      srgan_value_free (result);
      return NULL;
    }
    return result;
  }
}

SrganValue *
srgan_lower_reshape (SrganLowering *self)
{
  SrganValue *x = srgan_lowering_get_input (self, 0);
  gint64 shape[SRGAN_GRAPH_MAX_LIST];
  guint n = 0;
  gint64 total = 1, known = 1;
  gint open = -1;

  if (x == NULL)
    return srgan_lowering_refuse_value (self, "its input is missing");
  if (!srgan_lowering_get_integers (self, 1, shape, &n))
    return srgan_lowering_refuse_value (
        self, "its shape is not known beforehand");
  if (n > SRGAN_GRAPH_MAX_RANK)
    return srgan_lowering_refuse_value (self, "more axes than tensors have");
  for (guint i = 0; i < srgan_value_get_rank (x); i++)
    total *= srgan_value_get_dimension (x, i);
  for (guint i = 0; i < n; i++) {
    if (shape[i] == 0 && self->node->keep_zero) {
      if (i >= srgan_value_get_rank (x))
        return srgan_lowering_refuse_value (self, "a shape that does not fit");
      shape[i] = srgan_value_get_dimension (x, i);
    }
    if (shape[i] == -1) {
      if (open >= 0)
        return srgan_lowering_refuse_value (self, "a shape with two open axes");
      open = (gint) i;
    } else if (shape[i] < 1 || shape[i] > G_MAXINT32 ||
               known > G_MAXINT32 / shape[i] * (gint64) G_MAXINT32) {
      return srgan_lowering_refuse_value (self, "a shape that does not fit");
    } else {
      known *= shape[i];
    }
  }
  /* a network for batches of a fixed size takes one picture */
  if (open < 0 && n > 0 && known != total && x->constant == NULL &&
      shape[0] > 1 && known / shape[0] == total)
    shape[0] = 1;
  if (open >= 0)
    shape[open] = total / MAX (known, 1);
  return srgan_lowering_reshape (self, x, n, shape);
}

SrganValue *
srgan_lower_axes (SrganLowering *self)
{
  SrganValue *x = srgan_lowering_get_input (self, 0);
  gint64 axes[SRGAN_GRAPH_MAX_LIST];
  gint64 shape[2 * SRGAN_GRAPH_MAX_RANK];
  gboolean chosen[2 * SRGAN_GRAPH_MAX_RANK] = {FALSE};
  guint n_axes = 0, rank, n = 0;

  if (x == NULL)
    return srgan_lowering_refuse_value (self, "its input is missing");
  rank = srgan_value_get_rank (x);
  if (self->node->kind == SRGAN_NODE_FLATTEN) {
    guint axis;
    gint64 outer = 1, inner = 1;

    if (self->node->axis == (gint64) rank)
      axis = rank;
    else if (!srgan_lowering_check_axis (self, self->node->axis, rank, &axis))
      return NULL;
    for (guint i = 0; i < rank; i++)
      *(i < axis ? &outer : &inner) *= srgan_value_get_dimension (x, i);
    shape[0] = outer;
    shape[1] = inner;
    return srgan_lowering_reshape (self, x, 2, shape);
  }
  if (!srgan_lowering_get_integers (self, 1, axes, &n_axes)) {
    if (self->node->kind == SRGAN_NODE_UNSQUEEZE)
      return srgan_lowering_refuse_value (
          self, "its axes are not known beforehand");
    for (guint i = 0; i < rank; i++)
      if (srgan_value_get_dimension (x, i) == 1)
        axes[n_axes++] = i;
  }
  if (self->node->kind == SRGAN_NODE_UNSQUEEZE) {
    guint next = 0;

    if (n_axes + rank > SRGAN_GRAPH_MAX_RANK)
      return srgan_lowering_refuse_value (self, "more axes than tensors have");
    for (guint i = 0; i < n_axes; i++) {
      guint axis;

      if (!srgan_lowering_check_axis (self, axes[i], rank + n_axes, &axis))
        return NULL;
      chosen[axis] = TRUE;
    }
    for (guint i = 0; i < rank + n_axes; i++)
      if (chosen[i])
        shape[n++] = 1;
      else if (next < rank)
        shape[n++] = srgan_value_get_dimension (x, next++);
    return srgan_lowering_reshape (self, x, n, shape);
  }
  for (guint i = 0; i < n_axes; i++) {
    guint axis;

    if (!srgan_lowering_check_axis (self, axes[i], rank, &axis))
      return NULL;
    if (srgan_value_get_dimension (x, axis) != 1)
      return srgan_lowering_refuse_value (
          self, "an axis of more than one cannot be dropped");
    chosen[axis] = TRUE;
  }
  for (guint i = 0; i < rank; i++)
    if (!chosen[i])
      shape[n++] = srgan_value_get_dimension (x, i);
  return srgan_lowering_reshape (self, x, n, shape);
}

SrganValue *
srgan_lowering_transpose (
    SrganLowering *self, SrganValue *x, const gint64 *order, guint n)
{
  guint rank = srgan_value_get_rank (x);
  guint mask = 0;

  if (n != rank)
    return srgan_lowering_refuse_value (
        self, "an order of other axes than it has");
  for (guint i = 0; i < n; i++) {
    if (order[i] < 0 || order[i] >= (gint64) rank || mask >> order[i] & 1)
      return srgan_lowering_refuse_value (
          self, "an order of axes that is none");
    mask |= 1u << order[i];
  }
  if (x->constant != NULL) {
    gint64 dimensions[SRGAN_GRAPH_MAX_RANK] = {0};
    gint64 strides[SRGAN_GRAPH_MAX_RANK] = {0};
    SrganWalk walk;

    for (guint i = 0; i < n; i++)
      dimensions[i] = x->constant->dimensions[order[i]];
    srgan_walk_init (&walk, x->constant, rank, dimensions);
    memcpy (strides, walk.strides, sizeof strides);
    for (guint i = 0; i < n; i++) {
      walk.strides[i] = strides[order[i]];
      walk.own[i] = 0;
    }
    return srgan_lowering_pick (
        self, x->constant, rank, dimensions, srgan_walk_get_place, &walk);
  } else {
    SrganValue *result =
        srgan_value_copy (x, srgan_lowering_get_channels (self, x));

    for (guint i = 0; i < n; i++)
      result->dimensions[i] = x->dimensions[order[i]];
    return result;
  }
}

SrganValue *
srgan_lower_transpose (SrganLowering *self)
{
  SrganValue *x = srgan_lowering_get_input (self, 0);
  gint64 order[SRGAN_GRAPH_MAX_LIST];
  guint n = 0;

  if (x == NULL)
    return srgan_lowering_refuse_value (self, "its input is missing");
  if (!srgan_lowering_get_integers (self, 1, order, &n)) {
    n = srgan_value_get_rank (x);
    for (guint i = 0; i < n; i++)
      order[i] = n - 1 - i;
  }
  return srgan_lowering_transpose (self, x, order, n);
}

SrganValue *
srgan_lower_repeats (SrganLowering *self)
{
  SrganValue *x = srgan_lowering_get_input (self, 0);
  gint64 given[SRGAN_GRAPH_MAX_LIST];
  gint64 dimensions[SRGAN_GRAPH_MAX_RANK];
  gboolean tiles = self->node->kind == SRGAN_NODE_TILE;
  guint n = 0, rank;
  SrganValue *result;

  if (x == NULL)
    return srgan_lowering_refuse_value (self, "its input is missing");
  if (!srgan_lowering_get_integers (self, 1, given, &n))
    return srgan_lowering_refuse_value (
        self, "its shape is not known beforehand");
  rank = MAX (n, srgan_value_get_rank (x));
  if (rank > SRGAN_GRAPH_MAX_RANK || (tiles && n != srgan_value_get_rank (x)))
    return srgan_lowering_refuse_value (self, "a shape that does not fit");
  for (guint i = 0; i < rank; i++) {
    gint axis = (gint) i - (gint) (rank - srgan_value_get_rank (x));
    gint given_at = (gint) i - (gint) (rank - n);
    gint64 own = axis >= 0 ? srgan_value_get_dimension (x, (guint) axis) : 1;
    gint64 wanted = given_at >= 0 ? given[given_at] : 1;

    if (tiles && wanted > 0 && wanted < SRGAN_GRAPH_MAX_COMPUTED)
      dimensions[i] = own * wanted;
    else if (!tiles && own == 1 && wanted > 0)
      dimensions[i] = wanted;
    else if (!tiles && (wanted == own || wanted == 1 || wanted == -1))
      dimensions[i] = own;
    else
      return srgan_lowering_refuse_value (self, "a shape that does not fit");
  }
  if (x->constant != NULL) {
    SrganWalk walk;

    srgan_walk_init (&walk, x->constant, rank, dimensions);
    return srgan_lowering_pick (
        self, x->constant, rank, dimensions, srgan_walk_get_place, &walk);
  }
  result = srgan_value_copy (x, srgan_lowering_get_channels (self, x));
  memset (result->dimensions, 0, sizeof result->dimensions);
  result->rank = rank;
  for (guint i = 0; i < rank; i++) {
    gint axis = (gint) i - (gint) (rank - x->rank);
    gint64 own =
        axis >= 0 ? srgan_dimension_get_size (&x->dimensions[axis]) : 1;
    SrganDimension *dimension = &result->dimensions[i];
    gboolean fits = srgan_dimension_add_piece (
        dimension, SRGAN_AXIS_REPEAT, dimensions[i] / own, 1);

    for (guint j = 0; axis >= 0 && j < x->dimensions[axis].n; j++) {
      const SrganPiece *piece = &x->dimensions[axis].pieces[j];

      fits = fits && srgan_dimension_add_piece (
                         dimension, piece->axis, piece->size, piece->step);
    }
    if (!fits) {
      srgan_value_free (result);
      return srgan_lowering_refuse_value (self, "too many reshapes");
    }
  }
  return result;
}

SrganValue *
srgan_lower_depth_to_space (SrganLowering *self)
{
  SrganGraphNode *node = self->node;
  SrganValue *x = srgan_lowering_get_input (self, 0);
  gboolean up = node->kind == SRGAN_NODE_DEPTH_TO_SPACE;
  gint64 b = node->block;
  guint channels, height, rank;
  gint64 shape[SRGAN_GRAPH_MAX_RANK], order[SRGAN_GRAPH_MAX_RANK];
  gint64 final[SRGAN_GRAPH_MAX_RANK];
  guint n = 0;
  SrganValue *split, *moved, *result;
  /* where in the split shape things lie */
  guint at_channel, at_dy, at_dx, at_height, at_width;

  if (x == NULL)
    return srgan_lowering_refuse_value (self, "its input is missing");
  rank = srgan_value_get_rank (x);
  if (rank < 3 || rank + 2 > SRGAN_GRAPH_MAX_RANK || b < 1 || b > 64)
    return srgan_lowering_refuse_value (self, "a block of that size cannot be");
  channels = node->channels_last ? rank - 1 : rank - 3;
  height = node->channels_last ? rank - 3 : rank - 2;
  for (guint i = 0; i < rank; i++)
    final[i] = srgan_value_get_dimension (x, i);
  if (up ? final[channels] % (b * b) != 0
         : final[height] % b != 0 || final[height + 1] % b != 0)
    return srgan_lowering_refuse_value (
        self, "its block does not divide its input's axes");

  at_channel = at_dy = at_dx = at_height = at_width = 0;
  for (guint i = 0; i < rank; i++) {
    if (i == channels && up) {
      if (node->depth_first) {
        at_channel = n;
        shape[n++] = final[i] / (b * b);
      }
      at_dy = n;
      shape[n++] = b;
      at_dx = n;
      shape[n++] = b;
      if (!node->depth_first) {
        at_channel = n;
        shape[n++] = final[i] / (b * b);
      }
    } else if (i == channels) {
      at_channel = n;
      shape[n++] = final[i];
    } else if (i == height || i == height + 1) {
      *(i == height ? &at_height : &at_width) = n;
      shape[n++] = up ? final[i] : final[i] / b;
      if (!up) {
        *(i == height ? &at_dy : &at_dx) = n;
        shape[n++] = b;
      }
    } else {
      shape[n++] = final[i];
    }
  }
  n = 0;
  for (guint i = 0; i < rank; i++) {
    if (i == channels && up) {
      order[n++] = at_channel;
      final[i] /= b * b;
    } else if (i == channels) {
      if (node->depth_first)
        order[n++] = at_channel;
      order[n++] = at_dy;
      order[n++] = at_dx;
      if (!node->depth_first)
        order[n++] = at_channel;
      final[i] *= b * b;
    } else if (i == height) {
      order[n++] = at_height;
      if (up)
        order[n++] = at_dy;
      final[i] = up ? final[i] * b : final[i] / b;
    } else if (i == height + 1) {
      order[n++] = at_width;
      if (up)
        order[n++] = at_dx;
      final[i] = up ? final[i] * b : final[i] / b;
    } else {
      /* before the split one, so at the same place */
      order[n++] = i;
    }
  }
  split = srgan_lowering_reshape (self, x, n, shape);
  moved =
      split != NULL ? srgan_lowering_transpose (self, split, order, n) : NULL;
  result =
      moved != NULL ? srgan_lowering_reshape (self, moved, rank, final) : NULL;
  srgan_value_free (split);
  srgan_value_free (moved);
  return result;
}
