/* convert: what is known beforehand, computed at once.
 *
 * Graphs work out shapes, bounds and factors with the same nodes as pictures.
 *
 * SPDX-License-Identifier: MIT
 */
#include "convert/lower.h"

#include <math.h>
#include <string.h>

/* --- Numbers -------------------------------------------------------------- */

gint64
srgan_lowering_to_integer (gdouble x)
{
  return x >= -9e18 && x <= 9e18 ? (gint64) x : 0;
}

static gdouble
compute (SrganNodeKind kind, gdouble x, gdouble y)
{
  switch (kind) {
  case SRGAN_NODE_ADD:
    return x + y;
  case SRGAN_NODE_SUBTRACT:
    return x - y;
  case SRGAN_NODE_MULTIPLY:
    return x * y;
  case SRGAN_NODE_DIVIDE:
    return x / y;
  case SRGAN_NODE_MINIMUM:
    return MIN (x, y);
  case SRGAN_NODE_MAXIMUM:
    return MAX (x, y);
  case SRGAN_NODE_POWER:
    return pow (x, y);
  case SRGAN_NODE_MODULO:
    return y != 0. ? x - floor (x / y) * y : 0.;
  case SRGAN_NODE_EQUAL:
    return x == y;
  default:
    return 0.;
  }
}

gdouble
srgan_lowering_compute_one (const SrganGraphNode *node, gdouble x)
{
  switch (node->kind) {
  case SRGAN_NODE_NEGATE:
    return -x;
  case SRGAN_NODE_ABSOLUTE:
    return fabs (x);
  case SRGAN_NODE_SQRT:
    return sqrt (x);
  case SRGAN_NODE_RECIPROCAL_SQRT:
    return 1. / sqrt (x);
  case SRGAN_NODE_RECIPROCAL:
    return 1. / x;
  case SRGAN_NODE_SQUARE:
    return x * x;
  case SRGAN_NODE_EXP:
    return exp (x);
  case SRGAN_NODE_FLOOR:
    return floor (x);
  case SRGAN_NODE_CEIL:
    return ceil (x);
  case SRGAN_NODE_ROUND:
    return nearbyint (x);
  case SRGAN_NODE_RELU:
    return MAX (x, 0.);
  case SRGAN_NODE_LEAKY_RELU:
    return x > 0. ? x : node->alpha * x;
  case SRGAN_NODE_SIGMOID:
    return 1. / (1. + exp (-x));
  case SRGAN_NODE_TANH:
    return tanh (x);
  case SRGAN_NODE_SILU:
    return x / (1. + exp (-x));
  default:
    return x;
  }
}

gsize
srgan_lowering_get_spread_index (const SrganConstant *constant, guint rank,
    const gint64 *dimensions, gsize index)
{
  gsize place = 0, step = 1;

  for (guint i = 0; i < constant->rank; i++) {
    guint axis = rank - 1 - i;
    gint64 own = constant->dimensions[constant->rank - 1 - i];

    if (own != 1)
      place += index % (gsize) dimensions[axis] * step;
    step *= (gsize) own;
    index /= (gsize) dimensions[axis];
  }
  return place;
}

gboolean
srgan_lowering_spread_shapes (SrganLowering *self, const SrganConstant *a,
    const SrganConstant *b, guint *rank, gint64 *dimensions)
{
  *rank = MAX (a->rank, b->rank);
  for (guint i = 0; i < *rank; i++) {
    gint64 x = i < a->rank ? a->dimensions[a->rank - 1 - i] : 1;
    gint64 y = i < b->rank ? b->dimensions[b->rank - 1 - i] : 1;

    if (x != y && x != 1 && y != 1)
      return srgan_lowering_refuse (self, "constants whose shapes do not fit");
    dimensions[*rank - 1 - i] = x == 1 ? y : x;
  }
  return TRUE;
}

SrganConstant *
srgan_lowering_compute_two (SrganLowering *self, SrganNodeKind kind,
    const SrganConstant *a, const SrganConstant *b)
{
  guint rank;
  gint64 dimensions[SRGAN_GRAPH_MAX_RANK];
  gsize n;
  SrganConstant *result;
  gfloat *numbers = NULL;
  gint64 *integers = NULL;
  gboolean whole = a->integers != NULL && b->integers != NULL;

  if (!srgan_lowering_spread_shapes (self, a, b, &rank, dimensions) ||
      !srgan_lowering_may_compute (self, rank, dimensions, &n))
    return NULL;
  if (whole || kind == SRGAN_NODE_EQUAL)
    result = srgan_constant_new_integers (rank, dimensions, n, &integers);
  else
    result = srgan_constant_new_numbers (rank, dimensions, n, &numbers);
  for (gsize i = 0; i < n; i++) {
    gdouble x = srgan_constant_get (
        a, srgan_lowering_get_spread_index (a, rank, dimensions, i));
    gdouble y = srgan_constant_get (
        b, srgan_lowering_get_spread_index (b, rank, dimensions, i));
    gdouble z = compute (kind, x, y);

    if (integers == NULL)
      numbers[i] = (gfloat) z;
    else if (kind == SRGAN_NODE_DIVIDE)
      integers[i] = srgan_lowering_to_integer (
          y != 0. ? self->node->integer ? trunc (z) : floor (z) : 0.);
    else
      integers[i] = srgan_lowering_to_integer (z);
  }
  return result;
}

/* --- Places --------------------------------------------------------------- */

gsize
srgan_walk_get_place (gsize i, gpointer data)
{
  SrganWalk *walk = data;
  gint64 place = 0;

  for (guint axis = walk->rank; axis-- > 0;) {
    gint64 at = (gint64) (i % (gsize) walk->dimensions[axis]);

    at = walk->starts[axis] + at * walk->steps[axis];
    if (walk->own[axis] > 0)
      at %= walk->own[axis];
    place += at * walk->strides[axis];
    i /= (gsize) walk->dimensions[axis];
  }
  return (gsize) place;
}

void
srgan_walk_init (SrganWalk *walk, const SrganConstant *constant, guint rank,
    const gint64 *dimensions)
{
  gint64 step = 1;

  memset (walk, 0, sizeof *walk);
  walk->rank = rank;
  walk->dimensions = dimensions;
  for (guint i = 0; i < rank; i++)
    walk->steps[i] = 1;
  for (guint i = constant->rank; i-- > 0 && rank >= constant->rank;) {
    walk->strides[i + rank - constant->rank] = step;
    walk->own[i + rank - constant->rank] = constant->dimensions[i];
    step *= constant->dimensions[i];
  }
}

SrganValue *
srgan_lowering_pick (SrganLowering *self, const SrganConstant *constant,
    guint rank, const gint64 *dimensions,
    gsize (*place) (gsize i, gpointer data), gpointer data)
{
  gsize n;
  gfloat *numbers;
  gint64 *integers;
  SrganConstant *result;

  if (!srgan_lowering_may_compute (self, rank, dimensions, &n))
    return NULL;
  if (n > 0 && constant->n == 0)
    return srgan_lowering_refuse_value (self, "an empty constant");
  if (constant->integers != NULL) {
    result = srgan_constant_new_integers (rank, dimensions, n, &integers);
    for (gsize i = 0; i < n; i++)
      integers[i] = constant->integers[place (i, data)];
  } else {
    result = srgan_constant_new_numbers (rank, dimensions, n, &numbers);
    for (gsize i = 0; i < n; i++)
      numbers[i] = constant->numbers[place (i, data)];
  }
  return srgan_value_new_constant (result);
}

/* --- What is known of shapes ---------------------------------------------- */

SrganValue *
srgan_lower_shape (SrganLowering *self)
{
  SrganValue *x = srgan_lowering_get_input (self, 0);
  gint64 shape[SRGAN_GRAPH_MAX_RANK];
  gint64 first = self->node->first, last = self->node->last;
  gint64 rank;
  guint n = 0;

  if (x == NULL)
    return srgan_lowering_refuse_value (self, "its input is missing");
  rank = srgan_value_get_rank (x);
  first = CLAMP (first < 0 ? first + rank : first, 0, rank);
  last = CLAMP (last < 0 ? last + rank : last, 0, rank);
  for (gint64 i = first; i < last; i++)
    shape[n++] = srgan_value_get_dimension (x, (guint) i);
  return srgan_value_new_constant (srgan_constant_new_vector (shape, n));
}

SrganValue *
srgan_lower_fill (SrganLowering *self)
{
  gint64 shape[SRGAN_GRAPH_MAX_LIST];
  SrganConstant *value = srgan_lowering_get_constant (self, 1);
  SrganConstant *constant;
  guint rank = 0;
  gsize n;
  gfloat *numbers;
  gint64 *integers;

  if (!srgan_lowering_get_integers (self, 0, shape, &rank) ||
      rank > SRGAN_GRAPH_MAX_RANK)
    return srgan_lowering_refuse_value (
        self, "its shape is not known beforehand");
  if (!srgan_lowering_may_compute (self, rank, shape, &n))
    return NULL;
  if (value != NULL && value->n != 1)
    return srgan_lowering_refuse_value (
        self, "it is filled with other than one number");
  if (value != NULL && value->integers != NULL) {
    constant = srgan_constant_new_integers (rank, shape, n, &integers);
    for (gsize i = 0; i < n; i++)
      integers[i] = value->integers[0];
  } else {
    constant = srgan_constant_new_numbers (rank, shape, n, &numbers);
    for (gsize i = 0; i < n && value != NULL; i++)
      numbers[i] = value->numbers[0];
  }
  return srgan_value_new_constant (constant);
}

SrganValue *
srgan_lower_range (SrganLowering *self)
{
  gdouble bounds[3];
  gint64 *integers;
  gint64 n;
  SrganConstant *constant;

  for (guint i = 0; i < 3; i++) {
    SrganConstant *bound = srgan_lowering_get_constant (self, i);

    if (bound == NULL || bound->n != 1)
      return srgan_lowering_refuse_value (
          self, "its bounds are not known beforehand");
    bounds[i] = srgan_constant_get (bound, 0);
  }
  n = bounds[2] != 0. ? srgan_lowering_to_integer (
                            ceil ((bounds[1] - bounds[0]) / bounds[2]))
                      : -1;
  if (n < 0 || n > 65536)
    return srgan_lowering_refuse_value (self, "a range that is not supported");
  constant = srgan_constant_new_integers (1, &n, (gsize) n, &integers);
  for (gint64 i = 0; i < n; i++)
    integers[i] =
        srgan_lowering_to_integer (bounds[0] + (gdouble) i * bounds[2]);
  return srgan_value_new_constant (constant);
}

SrganValue *
srgan_lower_cast (SrganLowering *self)
{
  SrganValue *x = srgan_lowering_get_input (self, 0);
  SrganConstant *constant, *result;
  gfloat *numbers;
  gint64 *integers;
  gsize n;

  if (x == NULL)
    return srgan_lowering_refuse_value (self, "its input is missing");
  constant = x->constant;
  if (constant == NULL)
    return srgan_value_copy (x, srgan_lowering_get_channels (self, x));
  if ((constant->integers != NULL) == self->node->integer)
    return srgan_value_copy (x, 0);
  if (!srgan_lowering_may_compute (
          self, constant->rank, constant->dimensions, &n))
    return NULL;
  if (self->node->integer) {
    result = srgan_constant_new_integers (
        constant->rank, constant->dimensions, n, &integers);
    for (gsize i = 0; i < n; i++)
      integers[i] = srgan_lowering_to_integer (trunc (constant->numbers[i]));
  } else {
    result = srgan_constant_new_numbers (
        constant->rank, constant->dimensions, n, &numbers);
    for (gsize i = 0; i < n; i++)
      numbers[i] = (gfloat) constant->integers[i];
  }
  return srgan_value_new_constant (result);
}

SrganValue *
srgan_lower_where (SrganLowering *self)
{
  SrganConstant *condition = srgan_lowering_get_constant (self, 0);
  SrganValue *x = srgan_lowering_get_input (self, 1);
  SrganValue *y = srgan_lowering_get_input (self, 2);
  gboolean all = TRUE, none = TRUE;

  if (condition == NULL || x == NULL || y == NULL)
    return srgan_lowering_refuse_value (
        self, "its condition is not known beforehand");
  for (gsize i = 0; i < condition->n; i++) {
    gboolean is = srgan_constant_get (condition, i) != 0.;

    all = all && is;
    none = none && !is;
  }
  if (all || none) {
    SrganValue *chosen = all ? x : y;

    return srgan_value_copy (chosen,
        chosen->constant != NULL ? 0
                                 : srgan_lowering_get_channels (self, chosen));
  }
  if (x->constant != NULL && y->constant != NULL) {
    guint rank, rank_all;
    gint64 dimensions[SRGAN_GRAPH_MAX_RANK] = {0};
    gint64 whole[SRGAN_GRAPH_MAX_RANK];
    gint64 *integers;
    gsize n;
    SrganConstant *result;
    SrganConstant shape = {0};

    if (!srgan_lowering_spread_shapes (
            self, x->constant, y->constant, &rank, dimensions))
      return NULL;
    shape.rank = rank;
    memcpy (shape.dimensions, dimensions, sizeof dimensions);
    if (!srgan_lowering_spread_shapes (
            self, &shape, condition, &rank_all, whole) ||
        !srgan_lowering_may_compute (self, rank_all, whole, &n))
      return NULL;
    if (x->constant->integers == NULL || y->constant->integers == NULL)
      return srgan_lowering_refuse_value (
          self, "a choice between numbers is not supported");
    result = srgan_constant_new_integers (rank_all, whole, n, &integers);
    for (gsize i = 0; i < n; i++) {
      gboolean is = srgan_constant_get (
                        condition, srgan_lowering_get_spread_index (
                                       condition, rank_all, whole, i)) != 0.;
      const SrganConstant *from = is ? x->constant : y->constant;

      integers[i] = from->integers[srgan_lowering_get_spread_index (
          from, rank_all, whole, i)];
    }
    return srgan_value_new_constant (result);
  }
  return srgan_lowering_refuse_value (
      self, "a choice by pixel is not supported");
}

SrganValue *
srgan_lower_identity (SrganLowering *self)
{
  SrganValue *x = srgan_lowering_get_input (self, 0);

  if (x == NULL)
    return srgan_lowering_refuse_value (self, "its input is missing");
  return srgan_value_copy (
      x, x->constant != NULL ? 0 : srgan_lowering_get_channels (self, x));
}
