/* convert: arithmetic of maps and constants, and functions of each number.
 *
 * SPDX-License-Identifier: MIT
 */
#include "convert/lower.h"

#include "network/operations.h"

#include <math.h>

#define NO_BOUND 1e6f

/* What @constant is for each channel of @value's layer, if it is the same for
 * all pixels of one. (transfer full) */
static gfloat *
get_channel_numbers (
    SrganLowering *self, const SrganValue *value, const SrganConstant *constant)
{
  guint n = srgan_lowering_get_channels (self, value);
  gint64 steps[SRGAN_GRAPH_MAX_RANK];
  gint64 step = 1;
  gint shift = (gint) value->rank - (gint) constant->rank;
  gfloat *numbers;

  if (constant->n == 0) {
    srgan_lowering_refuse (self, "an empty constant");
    return NULL;
  }
  for (guint i = constant->rank; i-- > 0;) {
    steps[i] = constant->dimensions[i] == 1 ? 0 : step;
    step *= constant->dimensions[i];
  }
  /* the same along an axis that is not of channels? */
  for (guint i = 0; i < constant->rank; i++) {
    gint axis = (gint) i + shift;
    const SrganDimension *dimension;
    gboolean of_channels = TRUE;
    gsize inner, count;

    if (steps[i] == 0)
      continue;
    if (axis < 0 || srgan_dimension_get_size (&value->dimensions[axis]) !=
                        constant->dimensions[i]) {
      srgan_lowering_refuse (
          self, "a constant of a shape that does not fit the map's");
      return NULL;
    }
    dimension = &value->dimensions[axis];
    for (guint j = 0; j < dimension->n; j++)
      of_channels =
          of_channels && dimension->pieces[j].axis == SRGAN_AXIS_CHANNELS;
    if (of_channels)
      continue;
    inner = (gsize) steps[i];
    count = (gsize) constant->dimensions[i];
    for (gsize j = 0; j < constant->n; j++)
      if (srgan_constant_get (constant, j) !=
          srgan_constant_get (constant, j - j / inner % count * inner)) {
        srgan_lowering_refuse (self,
            "a constant that differs from pixel to pixel: the network is for "
            "one size of picture");
        return NULL;
      }
    steps[i] = 0;
  }

  numbers = g_new (gfloat, n);
  for (guint c = 0; c < n; c++) {
    gsize index = 0;

    for (guint i = 0; i < constant->rank; i++) {
      const SrganDimension *dimension;
      gint64 place = 0;

      if (steps[i] == 0)
        continue;
      dimension = &value->dimensions[(gint) i + shift];
      for (guint j = 0; j < dimension->n; j++)
        place = place * dimension->pieces[j].size +
                c / dimension->pieces[j].step % dimension->pieces[j].size;
      index += (gsize) (place * steps[i]);
    }
    numbers[c] = (gfloat) srgan_constant_get (constant, index);
  }
  return numbers;
}

/* Makes room for a constant that is larger than the map where that has one
 * channel: what is repeated. */
static gboolean
spread_to (SrganValue *value, guint rank, const gint64 *dimensions)
{
  gboolean changed = FALSE;
  gint shift = (gint) value->rank - (gint) rank;

  for (guint i = 0; i < rank; i++) {
    gint axis = (gint) i + shift;

    if (axis >= 0 && dimensions[i] > 1 && value->dimensions[axis].n == 0) {
      srgan_dimension_add_piece (
          &value->dimensions[axis], SRGAN_AXIS_REPEAT, dimensions[i], 1);
      changed = TRUE;
    }
  }
  return changed;
}

SrganValue *
srgan_lowering_add_affine (
    SrganLowering *self, SrganValue *value, gfloat *gain, gfloat *offset)
{
  guint n = srgan_lowering_get_channels (self, value);
  gint layer = srgan_lowering_settle (self, value);

  if (gain == NULL) {
    gain = g_new (gfloat, n);
    for (guint i = 0; i < n; i++)
      gain[i] = 1.f;
  }
  if (offset == NULL)
    offset = g_new0 (gfloat, n);
  layer = srgan_draft_add_affine (
      self->draft, self->node->name, layer, gain, offset);
  return srgan_value_with_layer (value, layer);
}

static SrganValue *
add_activation (SrganLowering *self, SrganValue *value,
    SrganActivation activation, gfloat low, gfloat high)
{
  gint layer = srgan_lowering_settle (self, value);

  layer = srgan_draft_add_activation (
      self->draft, self->node->name, layer, activation, low, high, NULL);
  return srgan_value_with_layer (value, layer);
}

static SrganValue *
clip (SrganLowering *self, SrganValue *value, gdouble low, gdouble high)
{
  if (isnan (low) || isnan (high) || low > high)
    return srgan_lowering_refuse_value (
        self, "bounds that contradict each other");
  if (low == 0. && high >= NO_BOUND)
    return srgan_lowering_apply_slope (self, value, 1.f, 0.f);
  if (low <= -NO_BOUND && high >= NO_BOUND)
    return srgan_value_copy (value, srgan_lowering_get_channels (self, value));
  return add_activation (self, value, SRGAN_ACTIVATION_CLIP,
      (gfloat) MAX (low, -NO_BOUND), (gfloat) MIN (high, NO_BOUND));
}

/* A sum of all pixels is a mean once it is divided by their number. */
static void
divide_sum (SrganLowering *self, const SrganValue *map, gdouble factor)
{
  SrganDraftLayer *sum =
      map->layer >= 0 ? srgan_draft_get (self->draft, map->layer) : NULL;

  if (sum != NULL && fabs (sum->n_pixels * factor - 1.) < 1e-3)
    sum->n_pixels = 0.;
}

/* A map and a constant. */
static SrganValue *
combine_constant (SrganLowering *self, SrganNodeKind kind, SrganValue *map,
    const SrganConstant *constant, gboolean constant_first)
{
  g_autofree gfloat *numbers = NULL;
  SrganValue *spread = NULL;
  guint n;

  if (constant->rank > map->rank) {
    for (guint i = 0; i < constant->rank - map->rank; i++)
      if (constant->dimensions[i] != 1)
        return srgan_lowering_refuse_value (
            self, "a constant of more axes than the map");
  }
  spread = srgan_value_copy (map, srgan_lowering_get_channels (self, map));
  if (spread_to (spread, constant->rank, constant->dimensions)) {
    SrganRoles roles;
    SrganValue *result;

    if (!srgan_lowering_materialise (self, spread, &roles)) {
      srgan_value_free (spread);
      return NULL;
    }
    result = combine_constant (self, kind, spread, constant, constant_first);
    srgan_value_free (spread);
    return result;
  }
  srgan_value_free (spread);

  n = srgan_lowering_get_channels (self, map);
  numbers = get_channel_numbers (self, map, constant);
  if (numbers == NULL)
    return NULL;
  if (kind == SRGAN_NODE_MULTIPLY)
    divide_sum (self, map, numbers[0]);
  else if (kind == SRGAN_NODE_DIVIDE)
    divide_sum (self, map, 1. / numbers[0]);
  switch (kind) {
  case SRGAN_NODE_MULTIPLY:
    return srgan_lowering_apply_slopes (self, map, numbers, numbers);
  case SRGAN_NODE_DIVIDE:
    if (constant_first)
      return srgan_lowering_refuse_value (
          self, "division by a map is not supported");
    for (guint i = 0; i < n; i++)
      numbers[i] = 1.f / numbers[i];
    return srgan_lowering_apply_slopes (self, map, numbers, numbers);
  case SRGAN_NODE_ADD:
    return srgan_lowering_add_affine (
        self, map, NULL, g_steal_pointer (&numbers));
  case SRGAN_NODE_SUBTRACT: {
    gfloat *gain = NULL;

    if (constant_first) {
      gain = g_new (gfloat, n);
      for (guint i = 0; i < n; i++)
        gain[i] = -1.f;
    } else {
      for (guint i = 0; i < n; i++)
        numbers[i] = -numbers[i];
    }
    return srgan_lowering_add_affine (
        self, map, gain, g_steal_pointer (&numbers));
  }
  case SRGAN_NODE_MAXIMUM:
  case SRGAN_NODE_MINIMUM: {
    gboolean zero = TRUE;

    for (guint i = 0; i < n; i++) {
      if (numbers[i] != numbers[0])
        return srgan_lowering_refuse_value (
            self, "bounds that differ between channels");
      zero = zero && numbers[i] == 0.f;
    }
    if (kind == SRGAN_NODE_MAXIMUM)
      return clip (self, map, numbers[0], G_MAXDOUBLE);
    if (zero)
      return srgan_lowering_apply_slope (self, map, 0.f, 1.f);
    return clip (self, map, -G_MAXDOUBLE, numbers[0]);
  }
  case SRGAN_NODE_POWER: {
    gint layer;
    SrganDraftLayer *product;
    gboolean same = TRUE;

    for (guint i = 1; i < n; i++)
      same = same && numbers[i] == numbers[0];
    if (!constant_first && same && fabsf (numbers[0]) == .5f)
      return add_activation (self, map,
          numbers[0] > 0.f ? SRGAN_ACTIVATION_ROOT
                           : SRGAN_ACTIVATION_INVERSE_ROOT,
          0, 0);
    if (constant_first || constant->n == 0 || !same ||
        (numbers[0] != 1.f && numbers[0] != 2.f && numbers[0] != 3.f))
      return srgan_lowering_refuse_value (
          self, "only the powers 1, 2, 3, 1/2 and -1/2 of a map are supported");
    if (numbers[0] == 1.f)
      return srgan_value_copy (map, n);
    layer = srgan_lowering_settle (self, map);
    product = srgan_draft_add (
        self->draft, SRGAN_DRAFT_LAYER, self->node->name, layer);
    product->layer.operation = SRGAN_OPERATION_MULTIPLY;
    for (gint i = 1; i < (gint) numbers[0]; i++)
      srgan_draft_layer_add_input (product, layer);
    return srgan_value_with_layer (map, (gint) self->draft->layers->len - 1);
  }
  default:
    return srgan_lowering_refuse_value (
        self, "not supported for a map and a constant");
  }
}

/* Whether layer @index is the sigmoid of @of. */
static gboolean
is_sigmoid_of (SrganLowering *self, gint index, gint of)
{
  SrganDraftLayer *layer;

  if (index < 0)
    return FALSE;
  layer = srgan_draft_get (self->draft, index);
  return layer->kind == SRGAN_DRAFT_LAYER &&
         layer->layer.operation == SRGAN_OPERATION_ACTIVATION &&
         layer->layer.activation == SRGAN_ACTIVATION_SIGMOID &&
         g_array_index (layer->inputs, gint, 0) == of;
}

/* Two maps. */
static SrganValue *
combine_maps (
    SrganLowering *self, SrganNodeKind kind, SrganValue *a, SrganValue *b)
{
  guint n = srgan_lowering_get_channels (self, a);
  SrganDraftLayer *layer;
  SrganValue *x = NULL, *y = NULL, *result = NULL;
  SrganRoles roles, other;
  gint index;

  if (kind == SRGAN_NODE_SUBTRACT) {
    SrganValue *negated = srgan_lowering_apply_slope (self, b, -1.f, -1.f);

    result = combine_maps (self, SRGAN_NODE_ADD, a, negated);
    srgan_value_free (negated);
    return result;
  }
  /* of one map: slopes add up */
  if (a->layer == b->layer && srgan_value_same_view (a, b) &&
      kind != SRGAN_NODE_MULTIPLY && kind != SRGAN_NODE_DIVIDE &&
      kind != SRGAN_NODE_POWER) {
    result = a->positive != NULL
                 ? srgan_value_copy (a, n)
                 : srgan_lowering_apply_slope (self, a, 1.f, 1.f);
    result->settled = -2;
    for (guint i = 0; i < n; i++) {
      gfloat p = b->positive != NULL ? b->positive[i] : 1.f;
      gfloat q = b->positive != NULL ? b->negative[i] : 1.f;
      gfloat *rp = &result->positive[i];
      gfloat *rq = &result->negative[i];

      if (kind == SRGAN_NODE_ADD) {
        *rp += p;
        *rq += q;
      } else if (kind == SRGAN_NODE_MAXIMUM) {
        *rp = MAX (*rp, p);
        *rq = MIN (*rq, q);
      } else {
        *rp = MIN (*rp, p);
        *rq = MAX (*rq, q);
      }
    }
    return result;
  }
  if (kind != SRGAN_NODE_ADD && kind != SRGAN_NODE_MULTIPLY)
    return srgan_lowering_refuse_value (self, "not supported for two maps");

  srgan_lowering_settle (self, a);
  srgan_lowering_settle (self, b);
  x = srgan_value_copy (a, n);
  y = srgan_value_copy (b, srgan_lowering_get_channels (self, b));
  if (!(srgan_value_same_view (x, y) &&
          n == srgan_lowering_get_channels (self, y) &&
          srgan_lowering_same_size (self, x->layer, y->layer) &&
          srgan_draft_is_single (self->draft, x->layer) ==
              srgan_draft_is_single (self->draft, y->layer))) {
    gboolean x_single, y_single;

    if (!srgan_lowering_materialise (self, x, &roles) ||
        !srgan_lowering_materialise (self, y, &other))
      goto out;
    x_single = srgan_draft_is_single (self->draft, x->layer);
    y_single = srgan_draft_is_single (self->draft, y->layer);
    /* one channel spreads over many */
    if (srgan_lowering_get_channels (self, x) !=
        srgan_lowering_get_channels (self, y)) {
      SrganValue *larger = srgan_lowering_get_channels (self, x) == 1 ? y : x;
      SrganValue *smaller = larger == y ? x : y;
      SrganValue grown;
      gint at = larger == y ? other.channels : roles.channels;

      at += (gint) smaller->rank - (gint) larger->rank;
      if (srgan_lowering_get_channels (self, smaller) != 1 || at < 0) {
        srgan_lowering_refuse (self, "maps of %u and %u channels",
            srgan_lowering_get_channels (self, x),
            srgan_lowering_get_channels (self, y));
        goto out;
      }
      grown = *smaller;
      srgan_dimension_add_piece (&grown.dimensions[at], SRGAN_AXIS_REPEAT,
          srgan_lowering_get_channels (self, larger), 1);
      if (!srgan_lowering_materialise (
              self, &grown, smaller == x ? &roles : &other))
        goto out;
      *smaller = grown;
    }
    if (!x_single && !y_single &&
        (!srgan_lowering_same_size (self, x->layer, y->layer) ||
            x->rank != y->rank || roles.height != other.height ||
            roles.width != other.width)) {
      srgan_lowering_refuse (self,
          "maps of %" G_GINT64_FORMAT "x%" G_GINT64_FORMAT
          " and %" G_GINT64_FORMAT "x%" G_GINT64_FORMAT " pixels",
          srgan_draft_get_width (self->draft, x->layer),
          srgan_draft_get_height (self->draft, x->layer),
          srgan_draft_get_width (self->draft, y->layer),
          srgan_draft_get_height (self->draft, y->layer));
      goto out;
    }
    /* the whole map first: its view is the result's */
    if (x_single && !y_single) {
      SrganValue *swap = x;

      x = y;
      y = swap;
    }
  }
  {
    gint first = srgan_lowering_settle (self, x);
    gint second = srgan_lowering_settle (self, y);

    if (kind == SRGAN_NODE_MULTIPLY &&
        (is_sigmoid_of (self, first, second) ||
            is_sigmoid_of (self, second, first))) {
      index = srgan_draft_add_activation (self->draft, self->node->name,
          is_sigmoid_of (self, first, second) ? second : first,
          SRGAN_ACTIVATION_SILU, 0, 0, NULL);
    } else {
      layer = srgan_draft_add (
          self->draft, SRGAN_DRAFT_LAYER, self->node->name, first);
      layer->layer.operation = kind == SRGAN_NODE_ADD
                                   ? SRGAN_OPERATION_ADD
                                   : SRGAN_OPERATION_MULTIPLY;
      srgan_draft_layer_add_input (layer, second);
      index = (gint) self->draft->layers->len - 1;
    }
    result = srgan_value_with_layer (x, index);
  }
out:
  srgan_value_free (x);
  srgan_value_free (y);
  return result;
}

SrganValue *
srgan_lowering_combine (
    SrganLowering *self, SrganNodeKind kind, SrganValue *a, SrganValue *b)
{
  if (a == NULL || b == NULL)
    return srgan_lowering_refuse_value (self, "an input is missing");
  if (a->constant != NULL && b->constant != NULL) {
    SrganConstant *constant =
        srgan_lowering_compute_two (self, kind, a->constant, b->constant);

    return constant != NULL ? srgan_value_new_constant (constant) : NULL;
  }
  if (a->constant != NULL)
    return combine_constant (self, kind, b, a->constant, TRUE);
  if (b->constant != NULL)
    return combine_constant (self, kind, a, b->constant, FALSE);
  return combine_maps (self, kind, a, b);
}

SrganValue *
srgan_lower_many (SrganLowering *self)
{
  SrganValue *result = srgan_lowering_get_input (self, 0);
  gboolean owned = FALSE;

  if (self->node->inputs->len == 1 && result != NULL)
    return srgan_value_copy (result,
        result->constant != NULL ? 0
                                 : srgan_lowering_get_channels (self, result));
  for (guint i = 1; i < self->node->inputs->len; i++) {
    SrganValue *next = srgan_lowering_combine (
        self, self->node->kind, result, srgan_lowering_get_input (self, i));

    if (owned)
      srgan_value_free (result);
    if (next == NULL)
      return NULL;
    result = next;
    owned = TRUE;
  }
  return owned ? result
               : srgan_lowering_refuse_value (self, "an input is missing");
}

SrganValue *
srgan_lower_one (SrganLowering *self)
{
  SrganGraphNode *node = self->node;
  SrganValue *x = srgan_lowering_get_input (self, 0);

  if (x == NULL)
    return srgan_lowering_refuse_value (self, "its input is missing");
  if (x->constant != NULL) {
    SrganConstant *constant = x->constant;
    SrganConstant *result;
    gfloat *numbers;
    gint64 *integers;
    gsize n;

    if (!srgan_lowering_may_compute (
            self, constant->rank, constant->dimensions, &n))
      return NULL;
    if (constant->integers != NULL) {
      result = srgan_constant_new_integers (
          constant->rank, constant->dimensions, n, &integers);
      for (gsize i = 0; i < n; i++)
        integers[i] = srgan_lowering_to_integer (
            srgan_lowering_compute_one (node, (gdouble) constant->integers[i]));
    } else {
      result = srgan_constant_new_numbers (
          constant->rank, constant->dimensions, n, &numbers);
      for (gsize i = 0; i < n; i++)
        numbers[i] =
            (gfloat) srgan_lowering_compute_one (node, constant->numbers[i]);
    }
    return srgan_value_new_constant (result);
  }
  switch (node->kind) {
  case SRGAN_NODE_NEGATE:
    return srgan_lowering_apply_slope (self, x, -1.f, -1.f);
  case SRGAN_NODE_ABSOLUTE:
    return srgan_lowering_apply_slope (self, x, 1.f, -1.f);
  case SRGAN_NODE_RELU:
    return srgan_lowering_apply_slope (self, x, 1.f, 0.f);
  case SRGAN_NODE_LEAKY_RELU:
    return srgan_lowering_apply_slope (self, x, 1.f, (gfloat) node->alpha);
  case SRGAN_NODE_SIGMOID:
    return add_activation (self, x, SRGAN_ACTIVATION_SIGMOID, 0, 0);
  case SRGAN_NODE_TANH:
    return add_activation (self, x, SRGAN_ACTIVATION_TANH, 0, 0);
  case SRGAN_NODE_SILU:
    return add_activation (self, x, SRGAN_ACTIVATION_SILU, 0, 0);
  case SRGAN_NODE_SQRT:
    return add_activation (self, x, SRGAN_ACTIVATION_ROOT, 0, 0);
  case SRGAN_NODE_RECIPROCAL_SQRT:
    return add_activation (self, x, SRGAN_ACTIVATION_INVERSE_ROOT, 0, 0);
  case SRGAN_NODE_SQUARE:
    return combine_maps (self, SRGAN_NODE_MULTIPLY, x, x);
  case SRGAN_NODE_ROUND:
  case SRGAN_NODE_FLOOR:
  case SRGAN_NODE_CEIL:
    /* to whole numbers before a cast: the frame's samples do that */
    return srgan_value_copy (x, srgan_lowering_get_channels (self, x));
  default:
    return srgan_lowering_refuse_value (
        self, "the engine has no such function of a map");
  }
}

/* clip (alpha x + beta, 0, 1) */
static SrganValue *
hard_sigmoid (SrganLowering *self, SrganValue *x)
{
  guint n = srgan_lowering_get_channels (self, x);
  gfloat *gain = g_new (gfloat, n);
  gfloat *offset = g_new (gfloat, n);
  SrganValue *line, *result;

  for (guint i = 0; i < n; i++) {
    gain[i] = (gfloat) self->node->alpha;
    offset[i] = (gfloat) self->node->beta;
  }
  line = srgan_lowering_add_affine (self, x, gain, offset);
  result = clip (self, line, 0., 1.);
  srgan_value_free (line);
  return result;
}

SrganValue *
srgan_lower_hard (SrganLowering *self)
{
  SrganValue *x = srgan_lowering_get_input (self, 0);
  SrganValue *gate, *result;

  if (x == NULL || x->constant != NULL)
    return srgan_lowering_refuse_value (self, "its input is no map");
  gate = hard_sigmoid (self, x);
  if (gate == NULL || self->node->kind == SRGAN_NODE_HARD_SIGMOID)
    return gate;
  result = combine_maps (self, SRGAN_NODE_MULTIPLY, x, gate);
  srgan_value_free (gate);
  return result;
}

SrganValue *
srgan_lower_prelu (SrganLowering *self)
{
  SrganValue *x = srgan_lowering_get_input (self, 0);
  SrganConstant *slope = srgan_lowering_get_constant (self, 1);
  g_autofree gfloat *numbers = NULL;
  g_autofree gfloat *ones = NULL;
  guint n;

  if (x == NULL || x->constant != NULL || slope == NULL)
    return srgan_lowering_refuse_value (
        self, "it needs a map and constant slopes");
  n = srgan_lowering_get_channels (self, x);
  if (slope->n == 1) {
    return srgan_lowering_apply_slope (
        self, x, 1.f, (gfloat) srgan_constant_get (slope, 0));
  } else if (slope->rank == 1 && slope->n == n && !self->node->channels_last) {
    /* a vector is of the channels, wherever they lie */
    SrganValue *plain = srgan_lowering_new_view (self, x->layer, 1, 0, -1, -1);

    numbers = get_channel_numbers (self, plain, slope);
    srgan_value_free (plain);
  } else {
    numbers = get_channel_numbers (self, x, slope);
  }
  if (numbers == NULL)
    return NULL;
  ones = g_new (gfloat, n);
  for (guint i = 0; i < n; i++)
    ones[i] = 1.f;
  return srgan_lowering_apply_slopes (self, x, ones, numbers);
}

SrganValue *
srgan_lower_clip (SrganLowering *self)
{
  SrganValue *x = srgan_lowering_get_input (self, 0);
  SrganConstant *low = srgan_lowering_get_constant (self, 1);
  SrganConstant *high = srgan_lowering_get_constant (self, 2);
  gdouble a, b;

  if (x == NULL ||
      (srgan_lowering_get_input (self, 1) != NULL && low == NULL) ||
      (srgan_lowering_get_input (self, 2) != NULL && high == NULL))
    return srgan_lowering_refuse_value (self, "it needs constant bounds");
  if ((low != NULL && low->n != 1) || (high != NULL && high->n != 1))
    return srgan_lowering_refuse_value (
        self, "bounds that differ between channels");
  a = low != NULL ? srgan_constant_get (low, 0) : -G_MAXDOUBLE;
  b = high != NULL ? srgan_constant_get (high, 0) : G_MAXDOUBLE;
  if (x->constant != NULL) {
    SrganValue one = {.constant = x->constant};
    SrganConstant *bound = srgan_constant_new_scalar (a);
    SrganValue low_value = {.constant = bound};
    SrganValue *first, *second;

    first = srgan_lowering_combine (self, SRGAN_NODE_MAXIMUM, &one, &low_value);
    srgan_constant_unref (bound);
    if (first == NULL)
      return NULL;
    bound = srgan_constant_new_scalar (b);
    low_value.constant = bound;
    second =
        srgan_lowering_combine (self, SRGAN_NODE_MINIMUM, first, &low_value);
    srgan_constant_unref (bound);
    srgan_value_free (first);
    return second;
  }
  return clip (self, x, a, b);
}

SrganValue *
srgan_lower_two (SrganLowering *self)
{
  return srgan_lowering_combine (self, self->node->kind,
      srgan_lowering_get_input (self, 0), srgan_lowering_get_input (self, 1));
}

/* Notes the step with the layer; its numbers stay what they are. */
SrganValue *
srgan_lower_quantise (SrganLowering *self)
{
  SrganValue *x = srgan_lowering_get_input (self, 0);
  gdouble step = self->node->alpha;
  gdouble zero = self->node->beta;
  gint index;

  if (x == NULL || x->constant != NULL)
    return srgan_lower_identity (self);
  index = srgan_lowering_settle (self, x);
  if (index >= 0 && step > 0. && step < NO_BOUND && zero >= 0. &&
      zero <= 255.) {
    SrganDraftLayer *layer = srgan_draft_get (self->draft, index);

    if (layer->step == 0.f) {
      layer->step = (gfloat) step;
      layer->zero = (guint) zero;
    }
  }
  return srgan_value_with_layer (x, index);
}
