/* convert: the values of a graph under way: constants, and views of maps.
 *
 * lower.h says what a view is; here are its making, the straight lines on it,
 * and its way back to a whole map.
 *
 * SPDX-License-Identifier: MIT
 */
#include "convert/lower.h"

#include "network/operations.h"

/* --- Values --------------------------------------------------------------- */

void
srgan_value_free (gpointer data)
{
  SrganValue *value = data;

  if (value == NULL)
    return;
  srgan_constant_unref (value->constant);
  g_free (value->positive);
  g_free (value->negative);
  g_free (value);
}

SrganValue *
srgan_value_new_constant (SrganConstant *constant)
{
  SrganValue *value = g_new0 (SrganValue, 1);

  value->constant = constant;
  value->settled = -2;
  return value;
}

SrganValue *
srgan_value_copy (const SrganValue *value, guint n_channels)
{
  SrganValue *copy = g_memdup2 (value, sizeof *value);

  if (copy->constant != NULL)
    srgan_constant_ref (copy->constant);
  if (copy->positive != NULL) {
    copy->positive = g_memdup2 (value->positive, n_channels * sizeof (gfloat));
    copy->negative = g_memdup2 (value->negative, n_channels * sizeof (gfloat));
  }
  return copy;
}

gint64
srgan_dimension_get_size (const SrganDimension *dimension)
{
  gint64 size = 1;

  for (guint i = 0; i < dimension->n; i++)
    size *= dimension->pieces[i].size;
  return size;
}

guint
srgan_value_get_rank (const SrganValue *value)
{
  return value->constant != NULL ? value->constant->rank : value->rank;
}

gint64
srgan_value_get_dimension (const SrganValue *value, guint axis)
{
  return value->constant != NULL
             ? value->constant->dimensions[axis]
             : srgan_dimension_get_size (&value->dimensions[axis]);
}

gboolean
srgan_dimension_add_piece (
    SrganDimension *dimension, SrganAxis axis, gint64 size, gint64 step)
{
  if (size == 1)
    return TRUE;
  if (dimension->n == SRGAN_MAX_PIECES)
    return FALSE;
  dimension->pieces[dimension->n++] = (SrganPiece){axis, size, step};
  return TRUE;
}

gboolean
srgan_value_same_view (const SrganValue *a, const SrganValue *b)
{
  if (a->rank != b->rank)
    return FALSE;
  for (guint i = 0; i < a->rank; i++) {
    if (a->dimensions[i].n != b->dimensions[i].n)
      return FALSE;
    for (guint j = 0; j < a->dimensions[i].n; j++)
      if (a->dimensions[i].pieces[j].axis != b->dimensions[i].pieces[j].axis ||
          a->dimensions[i].pieces[j].size != b->dimensions[i].pieces[j].size ||
          a->dimensions[i].pieces[j].step != b->dimensions[i].pieces[j].step)
        return FALSE;
  }
  return TRUE;
}

/* --- The pass ------------------------------------------------------------- */

gboolean
srgan_lowering_refuse (SrganLowering *self, const gchar *format, ...)
{
  va_list arguments;
  g_autofree gchar *text = NULL;
  g_autofree gchar *name = g_strescape (self->node->name, NULL);

  va_start (arguments, format);
  text = g_strdup_vprintf (format, arguments);
  va_end (arguments);
  if (self->error != NULL && *self->error == NULL)
    g_set_error (self->error, SRGAN_ERROR, SRGAN_ERROR_UNSUPPORTED,
        "node '%.60s': %s", name, text);
  return FALSE;
}

SrganValue *
srgan_lowering_refuse_value (SrganLowering *self, const gchar *text)
{
  srgan_lowering_refuse (self, "%s", text);
  return NULL;
}

guint
srgan_lowering_get_channels (SrganLowering *self, const SrganValue *value)
{
  return srgan_draft_get_channels (self->draft, value->layer);
}

SrganValue *
srgan_lowering_get_input (SrganLowering *self, guint number)
{
  const gchar *name;

  if (number >= self->node->inputs->len)
    return NULL;
  name = g_ptr_array_index (self->node->inputs, number);
  return name != NULL ? g_hash_table_lookup (self->values, name) : NULL;
}

SrganConstant *
srgan_lowering_get_constant (SrganLowering *self, guint number)
{
  SrganValue *value = srgan_lowering_get_input (self, number);

  return value != NULL ? value->constant : NULL;
}

gboolean
srgan_lowering_may_compute (
    SrganLowering *self, guint rank, const gint64 *dimensions, gsize *n)
{
  g_autoptr (GError) error = NULL;

  if (!srgan_constant_count (
          rank, dimensions, SRGAN_GRAPH_MAX_COMPUTED, n, &error))
    return srgan_lowering_refuse (self, "%s", error->message);
  self->n_computed += *n;
  if (self->n_computed > 2 * (guint64) SRGAN_GRAPH_MAX_COMPUTED)
    return srgan_lowering_refuse (
        self, "too many numbers to compute beforehand");
  return TRUE;
}

SrganValue *
srgan_lowering_new_view (SrganLowering *self, gint layer, guint rank,
    gint channels, gint height, gint width)
{
  SrganValue *value = g_new0 (SrganValue, 1);

  value->layer = layer;
  value->settled = -2;
  value->rank = rank;
  if (channels >= 0)
    srgan_dimension_add_piece (&value->dimensions[channels],
        SRGAN_AXIS_CHANNELS, srgan_draft_get_channels (self->draft, layer), 1);
  if (srgan_draft_is_single (self->draft, layer))
    return value;
  if (height >= 0)
    srgan_dimension_add_piece (&value->dimensions[height], SRGAN_AXIS_HEIGHT,
        srgan_draft_get_height (self->draft, layer), 1);
  if (width >= 0)
    srgan_dimension_add_piece (&value->dimensions[width], SRGAN_AXIS_WIDTH,
        srgan_draft_get_width (self->draft, layer), 1);
  return value;
}

void
srgan_dimension_merge (SrganDimension *dimension)
{
  guint n = 0;

  for (guint i = 0; i < dimension->n; i++) {
    SrganPiece piece = dimension->pieces[i];
    SrganPiece *before = n > 0 ? &dimension->pieces[n - 1] : NULL;

    if (before != NULL && before->axis == piece.axis &&
        (piece.axis == SRGAN_AXIS_REPEAT ||
            before->step == piece.size * piece.step)) {
      before->size *= piece.size;
      before->step = piece.step;
    } else {
      dimension->pieces[n++] = piece;
    }
  }
  dimension->n = n;
}

gboolean
srgan_lowering_same_size (SrganLowering *self, gint a, gint b)
{
  return srgan_draft_get_height (self->draft, a) ==
             srgan_draft_get_height (self->draft, b) &&
         srgan_draft_get_width (self->draft, a) ==
             srgan_draft_get_width (self->draft, b);
}

gboolean
srgan_lowering_check_axis (
    SrganLowering *self, gint64 axis, guint rank, guint *result)
{
  *result = 0;
  if (axis < 0)
    axis += rank;
  if (axis < 0 || axis >= (gint64) rank)
    return srgan_lowering_refuse (
        self, "an axis that a tensor of %u axes has not", rank);
  *result = (guint) axis;
  return TRUE;
}

gboolean
srgan_lowering_get_integers (
    SrganLowering *self, guint number, gint64 *integers, guint *n)
{
  SrganConstant *constant = srgan_lowering_get_constant (self, number);

  if (constant == NULL && number < self->node->inputs->len &&
      g_ptr_array_index (self->node->inputs, number) != NULL)
    return srgan_lowering_refuse (
        self, "its input %u is not known beforehand", number + 1);
  if (constant != NULL) {
    if (constant->n > SRGAN_GRAPH_MAX_LIST)
      return srgan_lowering_refuse (self, "a list that is too long");
    *n = (guint) constant->n;
    for (guint i = 0; i < *n; i++)
      integers[i] = constant->integers != NULL
                        ? constant->integers[i]
                        : srgan_lowering_to_integer (constant->numbers[i]);
    return TRUE;
  }
  if (!self->node->has_list)
    return FALSE;
  *n = self->node->n_list;
  for (guint i = 0; i < *n; i++)
    integers[i] = self->node->list[i];
  return TRUE;
}

/* --- Straight lines ------------------------------------------------------- */

gint
srgan_lowering_settle (SrganLowering *self, SrganValue *value)
{
  guint n = srgan_lowering_get_channels (self, value);
  const gchar *name = self->node->name;
  gfloat *sign, *slope, *gain;
  gboolean turned = FALSE, curved = FALSE, scaled = FALSE;
  gint layer = value->layer;

  if (value->positive == NULL)
    return value->layer;
  if (value->settled != -2)
    return value->settled;

  /* p x for x > 0, n x below: p prelu (x; n / p); or, where p is 0, of -x */
  sign = g_new (gfloat, n);
  slope = g_new (gfloat, n);
  gain = g_new (gfloat, n);
  for (guint i = 0; i < n; i++) {
    gfloat p = value->positive[i];
    gfloat q = value->negative[i];

    sign[i] = 1.f;
    slope[i] = 1.f;
    gain[i] = p;
    if (p == q) {
      /* a gain */
    } else if (p != 0.f) {
      slope[i] = q / p;
    } else {
      sign[i] = -1.f;
      slope[i] = 0.f;
      gain[i] = -q;
    }
    turned = turned || sign[i] != 1.f;
    curved = curved || slope[i] != 1.f;
    scaled = scaled || gain[i] != 1.f;
  }
  if (turned)
    layer = srgan_draft_add_affine (
        self->draft, name, layer, g_steal_pointer (&sign), g_new0 (gfloat, n));
  if (curved) {
    gboolean same = TRUE;

    for (guint i = 1; i < n; i++)
      same = same && slope[i] == slope[0];
    if (same && slope[0] == 0.f)
      layer = srgan_draft_add_activation (
          self->draft, name, layer, SRGAN_ACTIVATION_RELU, 0, 0, NULL);
    else if (same)
      layer = srgan_draft_add_activation (self->draft, name, layer,
          SRGAN_ACTIVATION_LEAKY_RELU, slope[0], 0, NULL);
    else
      layer = srgan_draft_add_activation (self->draft, name, layer,
          SRGAN_ACTIVATION_PRELU, 0, 0, g_steal_pointer (&slope));
  }
  if (scaled)
    layer = srgan_draft_add_affine (
        self->draft, name, layer, g_steal_pointer (&gain), g_new0 (gfloat, n));
  g_free (sign);
  g_free (slope);
  g_free (gain);
  value->settled = layer;
  return layer;
}

SrganValue *
srgan_lowering_apply_slopes (SrganLowering *self, const SrganValue *value,
    const gfloat *above, const gfloat *below)
{
  guint n = srgan_lowering_get_channels (self, value);
  SrganValue *result = srgan_value_copy (value, n);

  result->settled = -2;
  if (result->positive == NULL) {
    result->positive = g_memdup2 (above, n * sizeof *above);
    result->negative = g_memdup2 (below, n * sizeof *below);
    return result;
  }
  for (guint i = 0; i < n; i++) {
    gfloat *p = &result->positive[i];
    gfloat *q = &result->negative[i];

    *p *= *p >= 0.f ? above[i] : below[i];
    /* q x with x < 0 is positive when q is negative */
    *q *= *q < 0.f ? above[i] : below[i];
  }
  return result;
}

SrganValue *
srgan_lowering_apply_slope (
    SrganLowering *self, const SrganValue *value, gfloat above, gfloat below)
{
  guint n = srgan_lowering_get_channels (self, value);
  g_autofree gfloat *p = g_new (gfloat, n);
  g_autofree gfloat *q = g_new (gfloat, n);

  for (guint i = 0; i < n; i++) {
    p[i] = above;
    q[i] = below;
  }
  return srgan_lowering_apply_slopes (self, value, p, q);
}

SrganValue *
srgan_value_with_layer (const SrganValue *value, gint layer)
{
  SrganValue *result = g_memdup2 (value, sizeof *value);

  result->layer = layer;
  result->positive = result->negative = NULL;
  result->settled = -2;
  return result;
}

/* --- From views to maps --------------------------------------------------- */

gboolean
srgan_dimension_has_axis (const SrganDimension *dimension, SrganAxis axis)
{
  for (guint i = 0; i < dimension->n; i++)
    if (dimension->pieces[i].axis == axis)
      return TRUE;
  return FALSE;
}

/* The dimension that begins with the axis's largest steps. */
static gint
find_axis (const SrganValue *value, SrganAxis axis, gint64 full)
{
  for (guint i = 0; i < value->rank; i++) {
    const SrganDimension *dimension = &value->dimensions[i];

    if (dimension->n > 0 && dimension->pieces[0].axis == axis &&
        dimension->pieces[0].size * dimension->pieces[0].step == full)
      return (gint) i;
  }
  return -1;
}

static gboolean
find_roles (SrganLowering *self, const SrganValue *value, SrganRoles *roles)
{
  gint64 height = srgan_draft_get_height (self->draft, value->layer);
  gint64 width = srgan_draft_get_width (self->draft, value->layer);

  roles->channels = roles->height = roles->width = -1;
  if (!srgan_draft_is_single (self->draft, value->layer)) {
    roles->height = find_axis (value, SRGAN_AXIS_HEIGHT, height);
    roles->width = find_axis (value, SRGAN_AXIS_WIDTH, width);
    if (roles->height < 0 || roles->width < 0 || roles->height == roles->width)
      return FALSE;
  }
  for (guint i = 0; i < value->rank; i++) {
    if ((gint) i == roles->height || (gint) i == roles->width)
      continue;
    if (value->dimensions[i].n > 0) {
      if (roles->channels >= 0)
        return FALSE;
      roles->channels = (gint) i;
    }
  }
  /* of one channel: beside height and width, where there is room */
  if (roles->channels < 0 && roles->height >= 0) {
    if (roles->height > 0 && (roles->height > 1 || value->rank == 3))
      roles->channels = roles->height - 1;
    else if (roles->width + 1 < (gint) value->rank)
      roles->channels = roles->width + 1;
    else if (roles->height > 0)
      roles->channels = roles->height - 1;
  }
  return TRUE;
}

/* The products of the pieces of a dimension from piece @first on, which must
 * not be the height's or width's; 0: they are. */
static gint64
get_surplus (const SrganDimension *dimension, guint first)
{
  gint64 product = 1;

  for (guint i = first; i < dimension->n; i++) {
    if (dimension->pieces[i].axis == SRGAN_AXIS_HEIGHT ||
        dimension->pieces[i].axis == SRGAN_AXIS_WIDTH)
      return 0;
    product *= dimension->pieces[i].size;
  }
  return product;
}

/* Adds a choice of channels to @layer: those that the pieces, outermost first,
 * run through. */
static gint
gather_pieces (
    SrganLowering *self, gint layer, const SrganPiece *pieces, guint n)
{
  SrganDraftLayer *gather;
  guint count = 1;
  gboolean same = TRUE;

  for (guint i = 0; i < n; i++) {
    if ((guint64) count * pieces[i].size > SRGAN_MAX_CHANNELS) {
      srgan_lowering_refuse (self, "more than %u channels", SRGAN_MAX_CHANNELS);
      return -2;
    }
    count *= pieces[i].size;
  }
  gather = srgan_draft_add (
      self->draft, SRGAN_DRAFT_GATHER, self->node->name, layer);
  gather->channels = g_new0 (guint, count);
  gather->layer.out_channels = count;
  for (guint i = 0; i < count; i++) {
    guint rest = i;
    guint channel = 0;

    for (guint j = n; j-- > 0;) {
      if (pieces[j].axis == SRGAN_AXIS_CHANNELS)
        channel += rest % pieces[j].size * pieces[j].step;
      rest /= pieces[j].size;
    }
    gather->channels[i] = channel;
    same = same && channel == i;
  }
  if (same && count == gather->layer.in_channels) {
    g_ptr_array_set_size (self->draft->layers, self->draft->layers->len - 1);
    return layer;
  }
  return (gint) self->draft->layers->len - 1;
}

gboolean
srgan_lowering_materialise (
    SrganLowering *self, SrganValue *value, SrganRoles *roles)
{
  SrganDraft *draft = self->draft;
  SrganPiece pieces[4 * SRGAN_MAX_PIECES];
  guint n = 0;
  gint64 up, up_width;
  gint layer;
  SrganDimension *height, *width;
  guint rank = value->rank;
  SrganValue *whole;

  layer = srgan_lowering_settle (self, value);
  for (guint i = 0; i < rank; i++)
    srgan_dimension_merge (&value->dimensions[i]);
  if (!find_roles (self, value, roles))
    return srgan_lowering_refuse (self,
        "its input's axes are in an order that is no picture's: only pixel "
        "shuffles and their like are understood");

  if (srgan_draft_is_single (draft, layer)) {
    if (roles->channels >= 0) {
      layer =
          gather_pieces (self, layer, value->dimensions[roles->channels].pieces,
              value->dimensions[roles->channels].n);
      if (layer == -2)
        return FALSE;
    }
  } else {
    SrganDimension none = {0};
    SrganDimension *channels =
        roles->channels >= 0 ? &value->dimensions[roles->channels] : &none;

    height = &value->dimensions[roles->height];
    width = &value->dimensions[roles->width];
    up = get_surplus (height, 1);
    up_width = get_surplus (width, 1);
    if (srgan_dimension_has_axis (channels, SRGAN_AXIS_HEIGHT) ||
        srgan_dimension_has_axis (channels, SRGAN_AXIS_WIDTH)) {
      /* space to depth: [c][dy][dx] in our order */
      SrganDraftLayer *unshuffle;
      gint64 factor = height->pieces[0].step;
      guint n_height = 0, n_width = 0;

      for (guint i = 0; i < channels->n; i++) {
        n_height += channels->pieces[i].axis == SRGAN_AXIS_HEIGHT;
        n_width += channels->pieces[i].axis == SRGAN_AXIS_WIDTH;
        pieces[n++] = channels->pieces[i];
        if (pieces[n - 1].axis == SRGAN_AXIS_HEIGHT) {
          if (pieces[n - 1].size != factor || pieces[n - 1].step != 1)
            n_height = 9;
          pieces[n - 1].step = factor;
          pieces[n - 1].axis = SRGAN_AXIS_CHANNELS;
        } else if (pieces[n - 1].axis == SRGAN_AXIS_WIDTH) {
          if (pieces[n - 1].size != factor || pieces[n - 1].step != 1)
            n_width = 9;
          pieces[n - 1].axis = SRGAN_AXIS_CHANNELS;
        } else {
          pieces[n - 1].step *= factor * factor;
        }
      }
      if (up != 1 || up_width != 1 || n_height != 1 || n_width != 1 ||
          width->pieces[0].step != factor || factor > 16)
        return srgan_lowering_refuse (
            self, "a rearrangement of pixels that is not understood");
      unshuffle =
          srgan_draft_add (draft, SRGAN_DRAFT_LAYER, self->node->name, layer);
      unshuffle->layer.operation = SRGAN_OPERATION_PIXEL_UNSHUFFLE;
      unshuffle->layer.factor = (guint) factor;
      unshuffle->layer.out_channels *= factor * factor;
      unshuffle->height = height->pieces[0].size;
      unshuffle->width = width->pieces[0].size;
      layer = gather_pieces (self, (gint) draft->layers->len - 1, pieces, n);
      if (layer == -2)
        return FALSE;
    } else {
      if (height->pieces[0].step != 1 || width->pieces[0].step != 1 ||
          up != up_width || up < 1 || up > 16)
        return srgan_lowering_refuse (
            self, "a rearrangement of pixels that is not understood");
      for (guint i = 0; i < channels->n; i++)
        pieces[n++] = channels->pieces[i];
      for (guint i = 1; i < height->n; i++)
        pieces[n++] = height->pieces[i];
      for (guint i = 1; i < width->n; i++)
        pieces[n++] = width->pieces[i];
      layer = gather_pieces (self, layer, pieces, n);
      if (layer == -2)
        return FALSE;
      if (up > 1) {
        SrganDraftLayer *shuffle =
            srgan_draft_add (draft, SRGAN_DRAFT_LAYER, self->node->name, layer);

        shuffle->layer.operation = SRGAN_OPERATION_PIXEL_SHUFFLE;
        shuffle->layer.factor = (guint) up;
        shuffle->layer.out_channels /= up * up;
        shuffle->height *= up;
        shuffle->width *= up;
        layer = (gint) draft->layers->len - 1;
      }
    }
  }

  whole = srgan_lowering_new_view (
      self, layer, rank, roles->channels, roles->height, roles->width);
  g_free (value->positive);
  g_free (value->negative);
  *value = *whole;
  g_free (whole);
  return TRUE;
}

SrganValue *
srgan_lowering_get_map (SrganLowering *self, guint number, SrganRoles *roles)
{
  SrganValue *input = srgan_lowering_get_input (self, number);
  SrganValue *map;

  if (input == NULL || input->constant != NULL) {
    srgan_lowering_refuse (self, "its input %u is %s", number + 1,
        input == NULL ? "missing" : "a constant, not made of the picture");
    return NULL;
  }
  srgan_lowering_settle (self, input);
  map = srgan_value_copy (input, srgan_lowering_get_channels (self, input));
  if (!srgan_lowering_materialise (self, map, roles)) {
    srgan_value_free (map);
    return NULL;
  }
  return map;
}

gboolean
srgan_lowering_check_order (
    SrganLowering *self, const SrganValue *map, const SrganRoles *roles)
{
  gint rank = (gint) map->rank;
  gint height = self->node->channels_last ? rank - 3 : rank - 2;

  if (srgan_draft_is_single (self->draft, map->layer))
    return TRUE;
  if (roles->height != height || roles->width != height + 1)
    return srgan_lowering_refuse (
        self, "its input's axes are not in the order that it takes");
  return TRUE;
}

SrganValue *
srgan_lowering_view_like (SrganLowering *self, gint layer,
    const SrganValue *map, const SrganRoles *roles)
{
  gint channels = roles->channels;

  /* a map of one channel that gets more: where they would lie */
  if (channels < 0)
    channels = self->node->channels_last ? (gint) map->rank - 1
                                         : MAX ((gint) map->rank - 3, 0);
  return srgan_lowering_new_view (
      self, layer, map->rank, channels, roles->height, roles->width);
}
