/* convert: what a graph computes, as layers of a network.
 *
 * The nodes are run in order, not on numbers but on what is known of them. A
 * value is either a constant, and nodes of constants are computed at once, or a
 * view of a map: a layer of the draft, whose axes may have been split, merged,
 * moved and repeated. A view remembers each of its dimensions as a row of
 * pieces of the map's channels, height and width, so that a reshape splits and
 * merges pieces, a transpose moves them, and in the end the row tells what it
 * was all for: pieces of the channels behind the height's and width's are a
 * pixel shuffle, in whichever order (the channels are put into ours), the other
 * way round it is the inverse, and repeats are nearest-neighbour enlargement.
 *
 * Likewise an elementwise function of a map that is a straight line on either
 * side of zero is kept as its two slopes for each channel: ReLU, leaky and
 * parametric ones in all their spellings become one activation in the end.
 *
 * Sizes are worked out for one size of picture, the one that the file names or
 * one of ours; a graph for one size is thus taken for any.
 *
 * SPDX-License-Identifier: MIT
 */
#include "convert/graph.h"

#include "network/operations.h"

#include <math.h>
#include <string.h>

/* The size of picture where the file leaves it open: different, and both
 * divisible by what networks divide sizes by. */
#define HEIGHT 480
#define WIDTH 672

#define MAX_PIECES 12
#define NO_BOUND 1e6f

/* --- Values -------------------------------------------------------------- */

typedef enum { AXIS_CHANNELS, AXIS_HEIGHT, AXIS_WIDTH, AXIS_REPEAT } Axis;

/* Every @step'th index of @axis, @size of them. */
typedef struct {
  Axis axis;
  gint64 size;
  gint64 step;
} Piece;

/* The product of its pieces' sizes is its own; none: 1. */
typedef struct {
  guint n;
  Piece pieces[MAX_PIECES];
} Dimension;

typedef struct {
  SrganConstant *constant; /* else a view: */
  gint layer;
  guint rank;
  Dimension dimensions[SRGAN_GRAPH_MAX_RANK];
  /* slopes for positive and negative x, for each of the layer's channels; NULL:
   * x itself */
  gfloat *positive;
  gfloat *negative;
  gint settled; /* the layer with them applied, once there is one; else -2 */
} Value;

static void
free_value (gpointer data)
{
  Value *value = data;

  if (value == NULL)
    return;
  srgan_constant_unref (value->constant);
  g_free (value->positive);
  g_free (value->negative);
  g_free (value);
}

static Value *
new_constant_value (SrganConstant *constant)
{
  Value *value = g_new0 (Value, 1);

  value->constant = constant;
  value->settled = -2;
  return value;
}

static Value *
copy_value (const Value *value, guint n_channels)
{
  Value *copy = g_memdup2 (value, sizeof *value);

  if (copy->constant != NULL)
    srgan_constant_ref (copy->constant);
  if (copy->positive != NULL) {
    copy->positive = g_memdup2 (value->positive, n_channels * sizeof (gfloat));
    copy->negative = g_memdup2 (value->negative, n_channels * sizeof (gfloat));
  }
  return copy;
}

static gint64
get_size (const Dimension *dimension)
{
  gint64 size = 1;

  for (guint i = 0; i < dimension->n; i++)
    size *= dimension->pieces[i].size;
  return size;
}

static guint
get_rank (const Value *value)
{
  return value->constant != NULL ? value->constant->rank : value->rank;
}

static gint64
get_dimension (const Value *value, guint axis)
{
  return value->constant != NULL ? value->constant->dimensions[axis]
                                 : get_size (&value->dimensions[axis]);
}

/* FALSE when there are too many. */
static gboolean
add_piece (Dimension *dimension, Axis axis, gint64 size, gint64 step)
{
  if (size == 1)
    return TRUE;
  if (dimension->n == MAX_PIECES)
    return FALSE;
  dimension->pieces[dimension->n++] = (Piece){axis, size, step};
  return TRUE;
}

/* --- The pass ------------------------------------------------------------ */

typedef struct {
  SrganGraph *graph;
  SrganDraft *draft;
  SrganGraphNode *node; /* at work */
  GHashTable *values;   /* name -> Value */
  GHashTable *uses;     /* name -> nodes that still need it */
  guint64 n_computed;   /* numbers in computed constants */
  GError **error;
} Lowering;

G_GNUC_PRINTF (2, 3)
static gboolean
refuse (Lowering *self, const gchar *format, ...)
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

static Value *
refuse_value (Lowering *self, const gchar *text)
{
  refuse (self, "%s", text);
  return NULL;
}

static guint
channels_of (Lowering *self, const Value *value)
{
  return srgan_draft_get_channels (self->draft, value->layer);
}

static Value *
get_input (Lowering *self, guint number)
{
  const gchar *name;

  if (number >= self->node->inputs->len)
    return NULL;
  name = g_ptr_array_index (self->node->inputs, number);
  return name != NULL ? g_hash_table_lookup (self->values, name) : NULL;
}

static SrganConstant *
get_constant (Lowering *self, guint number)
{
  Value *value = get_input (self, number);

  return value != NULL ? value->constant : NULL;
}

static gboolean
may_compute (Lowering *self, guint rank, const gint64 *dimensions, gsize *n)
{
  g_autoptr (GError) error = NULL;

  if (!srgan_constant_count (
          rank, dimensions, SRGAN_GRAPH_MAX_COMPUTED, n, &error))
    return refuse (self, "%s", error->message);
  self->n_computed += *n;
  if (self->n_computed > 2 * (guint64) SRGAN_GRAPH_MAX_COMPUTED)
    return refuse (self, "too many numbers to compute beforehand");
  return TRUE;
}

/* The view of a whole map: which of @rank dimensions are channels, height and
 * width; -1: none. */
static Value *
new_view (Lowering *self, gint layer, guint rank, gint channels, gint height,
    gint width)
{
  Value *value = g_new0 (Value, 1);

  value->layer = layer;
  value->settled = -2;
  value->rank = rank;
  if (channels >= 0)
    add_piece (&value->dimensions[channels], AXIS_CHANNELS,
        srgan_draft_get_channels (self->draft, layer), 1);
  if (srgan_draft_is_single (self->draft, layer))
    return value;
  if (height >= 0)
    add_piece (&value->dimensions[height], AXIS_HEIGHT,
        srgan_draft_get_height (self->draft, layer), 1);
  if (width >= 0)
    add_piece (&value->dimensions[width], AXIS_WIDTH,
        srgan_draft_get_width (self->draft, layer), 1);
  return value;
}

/* Neighbours that are one piece become one. */
static void
merge_pieces (Dimension *dimension)
{
  guint n = 0;

  for (guint i = 0; i < dimension->n; i++) {
    Piece piece = dimension->pieces[i];
    Piece *before = n > 0 ? &dimension->pieces[n - 1] : NULL;

    if (before != NULL && before->axis == piece.axis &&
        (piece.axis == AXIS_REPEAT ||
            before->step == piece.size * piece.step)) {
      before->size *= piece.size;
      before->step = piece.step;
    } else {
      dimension->pieces[n++] = piece;
    }
  }
  dimension->n = n;
}

/* --- Straight lines ------------------------------------------------------ */

/* Applies a value's slopes; gives the layer. */
static gint
settle (Lowering *self, Value *value)
{
  guint n = channels_of (self, value);
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

/* @value through p x for x > 0 and q x below, given for each channel. */
static Value *
apply_slopes (Lowering *self, const Value *value, const gfloat *above,
    const gfloat *below)
{
  guint n = channels_of (self, value);
  Value *result = copy_value (value, n);

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

static Value *
apply_slope (Lowering *self, const Value *value, gfloat above, gfloat below)
{
  guint n = channels_of (self, value);
  g_autofree gfloat *p = g_new (gfloat, n);
  g_autofree gfloat *q = g_new (gfloat, n);

  for (guint i = 0; i < n; i++) {
    p[i] = above;
    q[i] = below;
  }
  return apply_slopes (self, value, p, q);
}

/* The same view of another layer with as many channels. */
static Value *
with_layer (const Value *value, gint layer)
{
  Value *result = g_memdup2 (value, sizeof *value);

  result->layer = layer;
  result->positive = result->negative = NULL;
  result->settled = -2;
  return result;
}

/* --- From views to maps -------------------------------------------------- */

/* Which dimensions hold what; -1: none has more than one. */
typedef struct {
  gint channels, height, width;
} Roles;

static gboolean
has_axis (const Dimension *dimension, Axis axis)
{
  for (guint i = 0; i < dimension->n; i++)
    if (dimension->pieces[i].axis == axis)
      return TRUE;
  return FALSE;
}

/* The dimension that begins with the axis's largest steps. */
static gint
find_axis (const Value *value, Axis axis, gint64 full)
{
  for (guint i = 0; i < value->rank; i++) {
    const Dimension *dimension = &value->dimensions[i];

    if (dimension->n > 0 && dimension->pieces[0].axis == axis &&
        dimension->pieces[0].size * dimension->pieces[0].step == full)
      return (gint) i;
  }
  return -1;
}

static gboolean
find_roles (Lowering *self, const Value *value, Roles *roles)
{
  gint64 height = srgan_draft_get_height (self->draft, value->layer);
  gint64 width = srgan_draft_get_width (self->draft, value->layer);

  roles->channels = roles->height = roles->width = -1;
  if (!srgan_draft_is_single (self->draft, value->layer)) {
    roles->height = find_axis (value, AXIS_HEIGHT, height);
    roles->width = find_axis (value, AXIS_WIDTH, width);
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
get_surplus (const Dimension *dimension, guint first)
{
  gint64 product = 1;

  for (guint i = first; i < dimension->n; i++) {
    if (dimension->pieces[i].axis == AXIS_HEIGHT ||
        dimension->pieces[i].axis == AXIS_WIDTH)
      return 0;
    product *= dimension->pieces[i].size;
  }
  return product;
}

/* Adds a choice of channels to @layer: those that the pieces, outermost first,
 * run through. */
static gint
gather_pieces (Lowering *self, gint layer, const Piece *pieces, guint n)
{
  SrganDraftLayer *gather;
  guint count = 1;
  gboolean same = TRUE;

  for (guint i = 0; i < n; i++) {
    if ((guint64) count * pieces[i].size > SRGAN_MAX_CHANNELS) {
      refuse (self, "more than %u channels", SRGAN_MAX_CHANNELS);
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
      if (pieces[j].axis == AXIS_CHANNELS)
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

/* Makes @value a whole map, in the order of dimensions that it has, adding the
 * layers that its view stands for. */
static gboolean
materialise (Lowering *self, Value *value, Roles *roles)
{
  SrganDraft *draft = self->draft;
  Piece pieces[4 * MAX_PIECES];
  guint n = 0;
  gint64 up, up_width;
  gint layer;
  Dimension *height, *width;
  guint rank = value->rank;
  Value *whole;

  layer = settle (self, value);
  for (guint i = 0; i < rank; i++)
    merge_pieces (&value->dimensions[i]);
  if (!find_roles (self, value, roles))
    return refuse (self,
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
    Dimension none = {0};
    Dimension *channels =
        roles->channels >= 0 ? &value->dimensions[roles->channels] : &none;

    height = &value->dimensions[roles->height];
    width = &value->dimensions[roles->width];
    up = get_surplus (height, 1);
    up_width = get_surplus (width, 1);
    if (has_axis (channels, AXIS_HEIGHT) || has_axis (channels, AXIS_WIDTH)) {
      /* space to depth: [c][dy][dx] in our order */
      SrganDraftLayer *unshuffle;
      gint64 factor = height->pieces[0].step;
      guint n_height = 0, n_width = 0;

      for (guint i = 0; i < channels->n; i++) {
        n_height += channels->pieces[i].axis == AXIS_HEIGHT;
        n_width += channels->pieces[i].axis == AXIS_WIDTH;
        pieces[n++] = channels->pieces[i];
        if (pieces[n - 1].axis == AXIS_HEIGHT) {
          if (pieces[n - 1].size != factor || pieces[n - 1].step != 1)
            n_height = 9;
          pieces[n - 1].step = factor;
          pieces[n - 1].axis = AXIS_CHANNELS;
        } else if (pieces[n - 1].axis == AXIS_WIDTH) {
          if (pieces[n - 1].size != factor || pieces[n - 1].step != 1)
            n_width = 9;
          pieces[n - 1].axis = AXIS_CHANNELS;
        } else {
          pieces[n - 1].step *= factor * factor;
        }
      }
      if (up != 1 || up_width != 1 || n_height != 1 || n_width != 1 ||
          width->pieces[0].step != factor || factor > 16)
        return refuse (
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
        return refuse (
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

  whole = new_view (
      self, layer, rank, roles->channels, roles->height, roles->width);
  g_free (value->positive);
  g_free (value->negative);
  *value = *whole;
  g_free (whole);
  return TRUE;
}

/* A copy of input @number as a whole map; NULL with the error set. */
static Value *
get_map (Lowering *self, guint number, Roles *roles)
{
  Value *input = get_input (self, number);
  Value *map;

  if (input == NULL || input->constant != NULL) {
    refuse (self, "its input %u is %s", number + 1,
        input == NULL ? "missing" : "a constant, not made of the picture");
    return NULL;
  }
  settle (self, input);
  map = copy_value (input, channels_of (self, input));
  if (!materialise (self, map, roles)) {
    free_value (map);
    return NULL;
  }
  return map;
}

/* That height and width lie where the node wants them. */
static gboolean
check_order (Lowering *self, const Value *map, const Roles *roles)
{
  gint rank = (gint) map->rank;
  gint height = self->node->channels_last ? rank - 3 : rank - 2;

  if (srgan_draft_is_single (self->draft, map->layer))
    return TRUE;
  if (roles->height != height || roles->width != height + 1)
    return refuse (self, "its input's axes are not in the order that it takes");
  return TRUE;
}

static Value *
view_like (Lowering *self, gint layer, const Value *map, const Roles *roles)
{
  gint channels = roles->channels;

  /* a map of one channel that gets more: where they would lie */
  if (channels < 0)
    channels = self->node->channels_last ? (gint) map->rank - 1
                                         : MAX ((gint) map->rank - 3, 0);
  return new_view (
      self, layer, map->rank, channels, roles->height, roles->width);
}

/* --- Arithmetic ---------------------------------------------------------- */

/* What @constant is for each channel of @value's layer, if it is the same for
 * all pixels of one. (transfer full) */
static gfloat *
get_channel_numbers (
    Lowering *self, const Value *value, const SrganConstant *constant)
{
  guint n = channels_of (self, value);
  gint64 steps[SRGAN_GRAPH_MAX_RANK];
  gint64 step = 1;
  gint shift = (gint) value->rank - (gint) constant->rank;
  gfloat *numbers;

  if (constant->n == 0) {
    refuse (self, "an empty constant");
    return NULL;
  }
  for (guint i = constant->rank; i-- > 0;) {
    steps[i] = constant->dimensions[i] == 1 ? 0 : step;
    step *= constant->dimensions[i];
  }
  /* the same along an axis that is not of channels? */
  for (guint i = 0; i < constant->rank; i++) {
    gint axis = (gint) i + shift;
    const Dimension *dimension;
    gboolean of_channels = TRUE;
    gsize inner, count;

    if (steps[i] == 0)
      continue;
    if (axis < 0 ||
        get_size (&value->dimensions[axis]) != constant->dimensions[i]) {
      refuse (self, "a constant of a shape that does not fit the map's");
      return NULL;
    }
    dimension = &value->dimensions[axis];
    for (guint j = 0; j < dimension->n; j++)
      of_channels = of_channels && dimension->pieces[j].axis == AXIS_CHANNELS;
    if (of_channels)
      continue;
    inner = (gsize) steps[i];
    count = (gsize) constant->dimensions[i];
    for (gsize j = 0; j < constant->n; j++)
      if (srgan_constant_get (constant, j) !=
          srgan_constant_get (constant, j - j / inner % count * inner)) {
        refuse (self,
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
      const Dimension *dimension;
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
spread_to (Value *value, guint rank, const gint64 *dimensions)
{
  gboolean changed = FALSE;
  gint shift = (gint) value->rank - (gint) rank;

  for (guint i = 0; i < rank; i++) {
    gint axis = (gint) i + shift;

    if (axis >= 0 && dimensions[i] > 1 && value->dimensions[axis].n == 0) {
      add_piece (&value->dimensions[axis], AXIS_REPEAT, dimensions[i], 1);
      changed = TRUE;
    }
  }
  return changed;
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

static gdouble
compute_one (const SrganGraphNode *node, gdouble x)
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

static gint64
to_integer (gdouble x)
{
  return x >= -9e18 && x <= 9e18 ? (gint64) x : 0;
}

/* Walks the elements of a constant as spread to @rank dimensions. */
static gsize
spread_index (const SrganConstant *constant, guint rank,
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

static gboolean
spread_shapes (Lowering *self, const SrganConstant *a, const SrganConstant *b,
    guint *rank, gint64 *dimensions)
{
  *rank = MAX (a->rank, b->rank);
  for (guint i = 0; i < *rank; i++) {
    gint64 x = i < a->rank ? a->dimensions[a->rank - 1 - i] : 1;
    gint64 y = i < b->rank ? b->dimensions[b->rank - 1 - i] : 1;

    if (x != y && x != 1 && y != 1)
      return refuse (self, "constants whose shapes do not fit");
    dimensions[*rank - 1 - i] = x == 1 ? y : x;
  }
  return TRUE;
}

static SrganConstant *
compute_two (Lowering *self, SrganNodeKind kind, const SrganConstant *a,
    const SrganConstant *b)
{
  guint rank;
  gint64 dimensions[SRGAN_GRAPH_MAX_RANK];
  gsize n;
  SrganConstant *result;
  gfloat *numbers = NULL;
  gint64 *integers = NULL;
  gboolean whole = a->integers != NULL && b->integers != NULL;

  if (!spread_shapes (self, a, b, &rank, dimensions) ||
      !may_compute (self, rank, dimensions, &n))
    return NULL;
  if (whole || kind == SRGAN_NODE_EQUAL)
    result = srgan_constant_new_integers (rank, dimensions, n, &integers);
  else
    result = srgan_constant_new_numbers (rank, dimensions, n, &numbers);
  for (gsize i = 0; i < n; i++) {
    gdouble x = srgan_constant_get (a, spread_index (a, rank, dimensions, i));
    gdouble y = srgan_constant_get (b, spread_index (b, rank, dimensions, i));
    gdouble z = compute (kind, x, y);

    if (integers == NULL)
      numbers[i] = (gfloat) z;
    else if (kind == SRGAN_NODE_DIVIDE)
      integers[i] = to_integer (
          y != 0. ? self->node->integer ? trunc (z) : floor (z) : 0.);
    else
      integers[i] = to_integer (z);
  }
  return result;
}

static gboolean
same_view (const Value *a, const Value *b)
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

/* gain x + offset; either may be NULL. Takes both. */
static Value *
add_affine (Lowering *self, Value *value, gfloat *gain, gfloat *offset)
{
  guint n = channels_of (self, value);
  gint layer = settle (self, value);

  if (gain == NULL) {
    gain = g_new (gfloat, n);
    for (guint i = 0; i < n; i++)
      gain[i] = 1.f;
  }
  if (offset == NULL)
    offset = g_new0 (gfloat, n);
  layer = srgan_draft_add_affine (
      self->draft, self->node->name, layer, gain, offset);
  return with_layer (value, layer);
}

static Value *
add_activation (Lowering *self, Value *value, SrganActivation activation,
    gfloat low, gfloat high)
{
  gint layer = settle (self, value);

  layer = srgan_draft_add_activation (
      self->draft, self->node->name, layer, activation, low, high, NULL);
  return with_layer (value, layer);
}

static Value *
clip (Lowering *self, Value *value, gdouble low, gdouble high)
{
  if (isnan (low) || isnan (high) || low > high)
    return refuse_value (self, "bounds that contradict each other");
  if (low == 0. && high >= NO_BOUND)
    return apply_slope (self, value, 1.f, 0.f);
  if (low <= -NO_BOUND && high >= NO_BOUND)
    return copy_value (value, channels_of (self, value));
  return add_activation (self, value, SRGAN_ACTIVATION_CLIP,
      (gfloat) MAX (low, -NO_BOUND), (gfloat) MIN (high, NO_BOUND));
}

/* A map and a constant. */
static Value *
combine_constant (Lowering *self, SrganNodeKind kind, Value *map,
    const SrganConstant *constant, gboolean constant_first)
{
  g_autofree gfloat *numbers = NULL;
  Value *spread = NULL;
  guint n;

  if (constant->rank > map->rank) {
    for (guint i = 0; i < constant->rank - map->rank; i++)
      if (constant->dimensions[i] != 1)
        return refuse_value (self, "a constant of more axes than the map");
  }
  spread = copy_value (map, channels_of (self, map));
  if (spread_to (spread, constant->rank, constant->dimensions)) {
    Roles roles;
    Value *result;

    if (!materialise (self, spread, &roles)) {
      free_value (spread);
      return NULL;
    }
    result = combine_constant (self, kind, spread, constant, constant_first);
    free_value (spread);
    return result;
  }
  free_value (spread);

  n = channels_of (self, map);
  numbers = get_channel_numbers (self, map, constant);
  if (numbers == NULL)
    return NULL;
  switch (kind) {
  case SRGAN_NODE_MULTIPLY:
    return apply_slopes (self, map, numbers, numbers);
  case SRGAN_NODE_DIVIDE:
    if (constant_first)
      return refuse_value (self, "division by a map is not supported");
    for (guint i = 0; i < n; i++)
      numbers[i] = 1.f / numbers[i];
    return apply_slopes (self, map, numbers, numbers);
  case SRGAN_NODE_ADD:
    return add_affine (self, map, NULL, g_steal_pointer (&numbers));
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
    return add_affine (self, map, gain, g_steal_pointer (&numbers));
  }
  case SRGAN_NODE_MAXIMUM:
  case SRGAN_NODE_MINIMUM: {
    gboolean zero = TRUE;

    for (guint i = 0; i < n; i++) {
      if (numbers[i] != numbers[0])
        return refuse_value (self, "bounds that differ between channels");
      zero = zero && numbers[i] == 0.f;
    }
    if (kind == SRGAN_NODE_MAXIMUM)
      return clip (self, map, numbers[0], G_MAXDOUBLE);
    if (zero)
      return apply_slope (self, map, 0.f, 1.f);
    return clip (self, map, -G_MAXDOUBLE, numbers[0]);
  }
  case SRGAN_NODE_POWER: {
    gint layer;
    SrganDraftLayer *product;

    if (constant_first || constant->n == 0 ||
        (numbers[0] != 1.f && numbers[0] != 2.f && numbers[0] != 3.f))
      return refuse_value (self, "only whole powers of a map are supported");
    if (numbers[0] == 1.f)
      return copy_value (map, n);
    layer = settle (self, map);
    product = srgan_draft_add (
        self->draft, SRGAN_DRAFT_LAYER, self->node->name, layer);
    product->layer.operation = SRGAN_OPERATION_MULTIPLY;
    for (gint i = 1; i < (gint) numbers[0]; i++)
      srgan_draft_layer_add_input (product, layer);
    return with_layer (map, (gint) self->draft->layers->len - 1);
  }
  default:
    return refuse_value (self, "not supported for a map and a constant");
  }
}

/* Whether layer @index is the sigmoid of @of. */
static gboolean
is_sigmoid_of (Lowering *self, gint index, gint of)
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

static gboolean
same_size (Lowering *self, gint a, gint b)
{
  return srgan_draft_get_height (self->draft, a) ==
             srgan_draft_get_height (self->draft, b) &&
         srgan_draft_get_width (self->draft, a) ==
             srgan_draft_get_width (self->draft, b);
}

/* Two maps. */
static Value *
combine_maps (Lowering *self, SrganNodeKind kind, Value *a, Value *b)
{
  guint n = channels_of (self, a);
  SrganDraftLayer *layer;
  Value *x = NULL, *y = NULL, *result = NULL;
  Roles roles, other;
  gint index;

  if (kind == SRGAN_NODE_SUBTRACT) {
    Value *negated = apply_slope (self, b, -1.f, -1.f);

    result = combine_maps (self, SRGAN_NODE_ADD, a, negated);
    free_value (negated);
    return result;
  }
  /* of one map: slopes add up */
  if (a->layer == b->layer && same_view (a, b) && kind != SRGAN_NODE_MULTIPLY &&
      kind != SRGAN_NODE_DIVIDE && kind != SRGAN_NODE_POWER) {
    result = a->positive != NULL ? copy_value (a, n)
                                 : apply_slope (self, a, 1.f, 1.f);
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
    return refuse_value (self, "not supported for two maps");

  settle (self, a);
  settle (self, b);
  x = copy_value (a, n);
  y = copy_value (b, channels_of (self, b));
  if (!(same_view (x, y) && n == channels_of (self, y) &&
          same_size (self, x->layer, y->layer) &&
          srgan_draft_is_single (self->draft, x->layer) ==
              srgan_draft_is_single (self->draft, y->layer))) {
    gboolean x_single, y_single;

    if (!materialise (self, x, &roles) || !materialise (self, y, &other))
      goto out;
    x_single = srgan_draft_is_single (self->draft, x->layer);
    y_single = srgan_draft_is_single (self->draft, y->layer);
    /* one channel spreads over many */
    if (channels_of (self, x) != channels_of (self, y)) {
      Value *larger = channels_of (self, x) == 1 ? y : x;
      Value *smaller = larger == y ? x : y;
      Value grown;
      gint at = larger == y ? other.channels : roles.channels;

      at += (gint) smaller->rank - (gint) larger->rank;
      if (channels_of (self, smaller) != 1 || at < 0) {
        refuse (self, "maps of %u and %u channels", channels_of (self, x),
            channels_of (self, y));
        goto out;
      }
      grown = *smaller;
      add_piece (
          &grown.dimensions[at], AXIS_REPEAT, channels_of (self, larger), 1);
      if (!materialise (self, &grown, smaller == x ? &roles : &other))
        goto out;
      *smaller = grown;
    }
    if (!x_single && !y_single &&
        (!same_size (self, x->layer, y->layer) || x->rank != y->rank ||
            roles.height != other.height || roles.width != other.width)) {
      refuse (self,
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
      Value *swap = x;

      x = y;
      y = swap;
    }
  }
  {
    gint first = settle (self, x);
    gint second = settle (self, y);

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
    result = with_layer (x, index);
  }
out:
  free_value (x);
  free_value (y);
  return result;
}

static Value *
combine (Lowering *self, SrganNodeKind kind, Value *a, Value *b)
{
  if (a == NULL || b == NULL)
    return refuse_value (self, "an input is missing");
  if (a->constant != NULL && b->constant != NULL) {
    SrganConstant *constant =
        compute_two (self, kind, a->constant, b->constant);

    return constant != NULL ? new_constant_value (constant) : NULL;
  }
  if (a->constant != NULL)
    return combine_constant (self, kind, b, a->constant, TRUE);
  if (b->constant != NULL)
    return combine_constant (self, kind, a, b->constant, FALSE);
  return combine_maps (self, kind, a, b);
}

static Value *
lower_many (Lowering *self)
{
  Value *result = get_input (self, 0);
  gboolean owned = FALSE;

  if (self->node->inputs->len == 1 && result != NULL)
    return copy_value (
        result, result->constant != NULL ? 0 : channels_of (self, result));
  for (guint i = 1; i < self->node->inputs->len; i++) {
    Value *next = combine (self, self->node->kind, result, get_input (self, i));

    if (owned)
      free_value (result);
    if (next == NULL)
      return NULL;
    result = next;
    owned = TRUE;
  }
  return owned ? result : refuse_value (self, "an input is missing");
}

static Value *
lower_one (Lowering *self)
{
  SrganGraphNode *node = self->node;
  Value *x = get_input (self, 0);

  if (x == NULL)
    return refuse_value (self, "its input is missing");
  if (x->constant != NULL) {
    SrganConstant *constant = x->constant;
    SrganConstant *result;
    gfloat *numbers;
    gint64 *integers;
    gsize n;

    if (!may_compute (self, constant->rank, constant->dimensions, &n))
      return NULL;
    if (constant->integers != NULL) {
      result = srgan_constant_new_integers (
          constant->rank, constant->dimensions, n, &integers);
      for (gsize i = 0; i < n; i++)
        integers[i] =
            to_integer (compute_one (node, (gdouble) constant->integers[i]));
    } else {
      result = srgan_constant_new_numbers (
          constant->rank, constant->dimensions, n, &numbers);
      for (gsize i = 0; i < n; i++)
        numbers[i] = (gfloat) compute_one (node, constant->numbers[i]);
    }
    return new_constant_value (result);
  }
  switch (node->kind) {
  case SRGAN_NODE_NEGATE:
    return apply_slope (self, x, -1.f, -1.f);
  case SRGAN_NODE_ABSOLUTE:
    return apply_slope (self, x, 1.f, -1.f);
  case SRGAN_NODE_RELU:
    return apply_slope (self, x, 1.f, 0.f);
  case SRGAN_NODE_LEAKY_RELU:
    return apply_slope (self, x, 1.f, (gfloat) node->alpha);
  case SRGAN_NODE_SIGMOID:
    return add_activation (self, x, SRGAN_ACTIVATION_SIGMOID, 0, 0);
  case SRGAN_NODE_TANH:
    return add_activation (self, x, SRGAN_ACTIVATION_TANH, 0, 0);
  case SRGAN_NODE_SILU:
    return add_activation (self, x, SRGAN_ACTIVATION_SILU, 0, 0);
  case SRGAN_NODE_SQUARE:
    return combine_maps (self, SRGAN_NODE_MULTIPLY, x, x);
  case SRGAN_NODE_ROUND:
  case SRGAN_NODE_FLOOR:
  case SRGAN_NODE_CEIL:
    /* to whole numbers before a cast: the frame's samples do that */
    return copy_value (x, channels_of (self, x));
  default:
    return refuse_value (self, "the engine has no such function of a map");
  }
}

/* clip (alpha x + beta, 0, 1) */
static Value *
hard_sigmoid (Lowering *self, Value *x)
{
  guint n = channels_of (self, x);
  gfloat *gain = g_new (gfloat, n);
  gfloat *offset = g_new (gfloat, n);
  Value *line, *result;

  for (guint i = 0; i < n; i++) {
    gain[i] = (gfloat) self->node->alpha;
    offset[i] = (gfloat) self->node->beta;
  }
  line = add_affine (self, x, gain, offset);
  result = clip (self, line, 0., 1.);
  free_value (line);
  return result;
}

static Value *
lower_hard (Lowering *self)
{
  Value *x = get_input (self, 0);
  Value *gate, *result;

  if (x == NULL || x->constant != NULL)
    return refuse_value (self, "its input is no map");
  gate = hard_sigmoid (self, x);
  if (gate == NULL || self->node->kind == SRGAN_NODE_HARD_SIGMOID)
    return gate;
  result = combine_maps (self, SRGAN_NODE_MULTIPLY, x, gate);
  free_value (gate);
  return result;
}

static Value *
lower_prelu (Lowering *self)
{
  Value *x = get_input (self, 0);
  SrganConstant *slope = get_constant (self, 1);
  g_autofree gfloat *numbers = NULL;
  g_autofree gfloat *ones = NULL;
  guint n;

  if (x == NULL || x->constant != NULL || slope == NULL)
    return refuse_value (self, "it needs a map and constant slopes");
  n = channels_of (self, x);
  if (slope->n == 1) {
    return apply_slope (self, x, 1.f, (gfloat) srgan_constant_get (slope, 0));
  } else if (slope->rank == 1 && slope->n == n && !self->node->channels_last) {
    /* a vector is of the channels, wherever they lie */
    Value *plain = new_view (self, x->layer, 1, 0, -1, -1);

    numbers = get_channel_numbers (self, plain, slope);
    free_value (plain);
  } else {
    numbers = get_channel_numbers (self, x, slope);
  }
  if (numbers == NULL)
    return NULL;
  ones = g_new (gfloat, n);
  for (guint i = 0; i < n; i++)
    ones[i] = 1.f;
  return apply_slopes (self, x, ones, numbers);
}

static Value *
lower_clip (Lowering *self)
{
  Value *x = get_input (self, 0);
  SrganConstant *low = get_constant (self, 1);
  SrganConstant *high = get_constant (self, 2);
  gdouble a, b;

  if (x == NULL || (get_input (self, 1) != NULL && low == NULL) ||
      (get_input (self, 2) != NULL && high == NULL))
    return refuse_value (self, "it needs constant bounds");
  if ((low != NULL && low->n != 1) || (high != NULL && high->n != 1))
    return refuse_value (self, "bounds that differ between channels");
  a = low != NULL ? srgan_constant_get (low, 0) : -G_MAXDOUBLE;
  b = high != NULL ? srgan_constant_get (high, 0) : G_MAXDOUBLE;
  if (x->constant != NULL) {
    Value one = {.constant = x->constant};
    SrganConstant *bound = srgan_constant_new_scalar (a);
    Value low_value = {.constant = bound};
    Value *first, *second;

    first = combine (self, SRGAN_NODE_MAXIMUM, &one, &low_value);
    srgan_constant_unref (bound);
    if (first == NULL)
      return NULL;
    bound = srgan_constant_new_scalar (b);
    low_value.constant = bound;
    second = combine (self, SRGAN_NODE_MINIMUM, first, &low_value);
    srgan_constant_unref (bound);
    free_value (first);
    return second;
  }
  return clip (self, x, a, b);
}

/* --- Axes ---------------------------------------------------------------- */

/* An axis as files count it, from the end where negative. */
static gboolean
check_axis (Lowering *self, gint64 axis, guint rank, guint *result)
{
  *result = 0;
  if (axis < 0)
    axis += rank;
  if (axis < 0 || axis >= (gint64) rank)
    return refuse (self, "an axis that a tensor of %u axes has not", rank);
  *result = (guint) axis;
  return TRUE;
}

/* The integers of input @number, or the node's own list; FALSE without the
 * error set where there are none. */
static gboolean
get_integers (Lowering *self, guint number, gint64 *integers, guint *n)
{
  SrganConstant *constant = get_constant (self, number);

  if (constant == NULL && number < self->node->inputs->len &&
      g_ptr_array_index (self->node->inputs, number) != NULL)
    return refuse (self, "its input %u is not known beforehand", number + 1);
  if (constant != NULL) {
    if (constant->n > SRGAN_GRAPH_MAX_LIST)
      return refuse (self, "a list that is too long");
    *n = (guint) constant->n;
    for (guint i = 0; i < *n; i++)
      integers[i] = constant->integers != NULL
                        ? constant->integers[i]
                        : to_integer (constant->numbers[i]);
    return TRUE;
  }
  if (!self->node->has_list)
    return FALSE;
  *n = self->node->n_list;
  for (guint i = 0; i < *n; i++)
    integers[i] = self->node->list[i];
  return TRUE;
}

/* Copies @constant's elements into a new shape, element i from
 * place (i, data). */
static Value *
pick (Lowering *self, const SrganConstant *constant, guint rank,
    const gint64 *dimensions, gsize (*place) (gsize i, gpointer data),
    gpointer data)
{
  gsize n;
  gfloat *numbers;
  gint64 *integers;
  SrganConstant *result;

  if (!may_compute (self, rank, dimensions, &n))
    return NULL;
  if (n > 0 && constant->n == 0)
    return refuse_value (self, "an empty constant");
  if (constant->integers != NULL) {
    result = srgan_constant_new_integers (rank, dimensions, n, &integers);
    for (gsize i = 0; i < n; i++)
      integers[i] = constant->integers[place (i, data)];
  } else {
    result = srgan_constant_new_numbers (rank, dimensions, n, &numbers);
    for (gsize i = 0; i < n; i++)
      numbers[i] = constant->numbers[place (i, data)];
  }
  return new_constant_value (result);
}

/* Output index i -> sum of (coordinate * step) + start. */
typedef struct {
  guint rank;
  const gint64 *dimensions;
  gint64 steps[SRGAN_GRAPH_MAX_RANK];
  gint64 starts[SRGAN_GRAPH_MAX_RANK];
  gint64 own[SRGAN_GRAPH_MAX_RANK]; /* the input's dimension, for tiles */
  gint64 strides[SRGAN_GRAPH_MAX_RANK];
} Walk;

static gsize
walk_place (gsize i, gpointer data)
{
  Walk *walk = data;
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

static void
walk_init (Walk *walk, const SrganConstant *constant, guint rank,
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

/* A row of pieces into dimensions of these sizes. */
static gboolean
distribute (Lowering *self, Value *value, guint rank, const gint64 *dimensions)
{
  Piece pieces[SRGAN_GRAPH_MAX_RANK * MAX_PIECES];
  guint n = 0, next = 0;

  for (guint i = 0; i < value->rank; i++) {
    merge_pieces (&value->dimensions[i]);
    for (guint j = 0; j < value->dimensions[i].n; j++)
      pieces[n++] = value->dimensions[i].pieces[j];
  }
  memset (value->dimensions, 0, sizeof value->dimensions);
  value->rank = rank;
  for (guint i = 0; i < rank; i++) {
    gint64 left = dimensions[i];

    while (left > 1) {
      Piece *piece = &pieces[next];

      if (next == n)
        return refuse (self, "a shape that does not fit");
      if (left % piece->size == 0) {
        if (!add_piece (
                &value->dimensions[i], piece->axis, piece->size, piece->step))
          return refuse (self, "too many reshapes");
        left /= piece->size;
        next++;
      } else if (piece->size % left == 0) {
        gint64 inner = piece->size / left;

        if (!add_piece (&value->dimensions[i], piece->axis, left,
                piece->axis == AXIS_REPEAT ? 1 : piece->step * inner))
          return refuse (self, "too many reshapes");
        piece->size = inner;
        left = 1;
      } else {
        return refuse (
            self, "a reshape that mixes the picture's axes is not understood");
      }
    }
    merge_pieces (&value->dimensions[i]);
  }
  if (next != n)
    return refuse (self, "a shape that does not fit");
  return TRUE;
}

static Value *
reshape (Lowering *self, Value *x, guint rank, const gint64 *dimensions)
{
  if (x->constant != NULL) {
    SrganConstant *constant = x->constant;
    gsize n;
    g_autoptr (GError) error = NULL;
    SrganConstant *result;

    if (!srgan_constant_count (rank, dimensions, G_MAXUINT32, &n, &error) ||
        n != constant->n)
      return refuse_value (self, "a shape that does not fit");
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
    return new_constant_value (result);
  } else {
    Value *result = copy_value (x, channels_of (self, x));

    if (!distribute (self, result, rank, dimensions)) {
      free_value (result);
      return NULL;
    }
    return result;
  }
}

static Value *
lower_reshape (Lowering *self)
{
  Value *x = get_input (self, 0);
  gint64 shape[SRGAN_GRAPH_MAX_LIST];
  guint n = 0;
  gint64 total = 1, known = 1;
  gint open = -1;

  if (x == NULL)
    return refuse_value (self, "its input is missing");
  if (!get_integers (self, 1, shape, &n))
    return refuse_value (self, "its shape is not known beforehand");
  if (n > SRGAN_GRAPH_MAX_RANK)
    return refuse_value (self, "more axes than tensors have");
  for (guint i = 0; i < get_rank (x); i++)
    total *= get_dimension (x, i);
  for (guint i = 0; i < n; i++) {
    if (shape[i] == 0 && self->node->keep_zero) {
      if (i >= get_rank (x))
        return refuse_value (self, "a shape that does not fit");
      shape[i] = get_dimension (x, i);
    }
    if (shape[i] == -1) {
      if (open >= 0)
        return refuse_value (self, "a shape with two open axes");
      open = (gint) i;
    } else if (shape[i] < 1 || shape[i] > G_MAXINT32 ||
               known > G_MAXINT32 / shape[i] * (gint64) G_MAXINT32) {
      return refuse_value (self, "a shape that does not fit");
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
  return reshape (self, x, n, shape);
}

static Value *
lower_axes (Lowering *self)
{
  Value *x = get_input (self, 0);
  gint64 axes[SRGAN_GRAPH_MAX_LIST];
  gint64 shape[2 * SRGAN_GRAPH_MAX_RANK];
  gboolean chosen[2 * SRGAN_GRAPH_MAX_RANK] = {FALSE};
  guint n_axes = 0, rank, n = 0;

  if (x == NULL)
    return refuse_value (self, "its input is missing");
  rank = get_rank (x);
  if (self->node->kind == SRGAN_NODE_FLATTEN) {
    guint axis;
    gint64 outer = 1, inner = 1;

    if (self->node->axis == (gint64) rank)
      axis = rank;
    else if (!check_axis (self, self->node->axis, rank, &axis))
      return NULL;
    for (guint i = 0; i < rank; i++)
      *(i < axis ? &outer : &inner) *= get_dimension (x, i);
    shape[0] = outer;
    shape[1] = inner;
    return reshape (self, x, 2, shape);
  }
  if (!get_integers (self, 1, axes, &n_axes)) {
    if (self->node->kind == SRGAN_NODE_UNSQUEEZE)
      return refuse_value (self, "its axes are not known beforehand");
    for (guint i = 0; i < rank; i++)
      if (get_dimension (x, i) == 1)
        axes[n_axes++] = i;
  }
  if (self->node->kind == SRGAN_NODE_UNSQUEEZE) {
    guint next = 0;

    if (n_axes + rank > SRGAN_GRAPH_MAX_RANK)
      return refuse_value (self, "more axes than tensors have");
    for (guint i = 0; i < n_axes; i++) {
      guint axis;

      if (!check_axis (self, axes[i], rank + n_axes, &axis))
        return NULL;
      chosen[axis] = TRUE;
    }
    for (guint i = 0; i < rank + n_axes; i++)
      if (chosen[i])
        shape[n++] = 1;
      else if (next < rank)
        shape[n++] = get_dimension (x, next++);
    return reshape (self, x, n, shape);
  }
  for (guint i = 0; i < n_axes; i++) {
    guint axis;

    if (!check_axis (self, axes[i], rank, &axis))
      return NULL;
    if (get_dimension (x, axis) != 1)
      return refuse_value (self, "an axis of more than one cannot be dropped");
    chosen[axis] = TRUE;
  }
  for (guint i = 0; i < rank; i++)
    if (!chosen[i])
      shape[n++] = get_dimension (x, i);
  return reshape (self, x, n, shape);
}

static Value *
transpose (Lowering *self, Value *x, const gint64 *order, guint n)
{
  guint rank = get_rank (x);
  guint mask = 0;

  if (n != rank)
    return refuse_value (self, "an order of other axes than it has");
  for (guint i = 0; i < n; i++) {
    if (order[i] < 0 || order[i] >= (gint64) rank || mask >> order[i] & 1)
      return refuse_value (self, "an order of axes that is none");
    mask |= 1u << order[i];
  }
  if (x->constant != NULL) {
    gint64 dimensions[SRGAN_GRAPH_MAX_RANK] = {0};
    gint64 strides[SRGAN_GRAPH_MAX_RANK] = {0};
    Walk walk;

    for (guint i = 0; i < n; i++)
      dimensions[i] = x->constant->dimensions[order[i]];
    walk_init (&walk, x->constant, rank, dimensions);
    memcpy (strides, walk.strides, sizeof strides);
    for (guint i = 0; i < n; i++) {
      walk.strides[i] = strides[order[i]];
      walk.own[i] = 0;
    }
    return pick (self, x->constant, rank, dimensions, walk_place, &walk);
  } else {
    Value *result = copy_value (x, channels_of (self, x));

    for (guint i = 0; i < n; i++)
      result->dimensions[i] = x->dimensions[order[i]];
    return result;
  }
}

static Value *
lower_transpose (Lowering *self)
{
  Value *x = get_input (self, 0);
  gint64 order[SRGAN_GRAPH_MAX_LIST];
  guint n = 0;

  if (x == NULL)
    return refuse_value (self, "its input is missing");
  if (!get_integers (self, 1, order, &n)) {
    n = get_rank (x);
    for (guint i = 0; i < n; i++)
      order[i] = n - 1 - i;
  }
  return transpose (self, x, order, n);
}

/* Expand and tile. */
static Value *
lower_repeats (Lowering *self)
{
  Value *x = get_input (self, 0);
  gint64 given[SRGAN_GRAPH_MAX_LIST];
  gint64 dimensions[SRGAN_GRAPH_MAX_RANK];
  gboolean tiles = self->node->kind == SRGAN_NODE_TILE;
  guint n = 0, rank;
  Value *result;

  if (x == NULL)
    return refuse_value (self, "its input is missing");
  if (!get_integers (self, 1, given, &n))
    return refuse_value (self, "its shape is not known beforehand");
  rank = MAX (n, get_rank (x));
  if (rank > SRGAN_GRAPH_MAX_RANK || (tiles && n != get_rank (x)))
    return refuse_value (self, "a shape that does not fit");
  for (guint i = 0; i < rank; i++) {
    gint axis = (gint) i - (gint) (rank - get_rank (x));
    gint given_at = (gint) i - (gint) (rank - n);
    gint64 own = axis >= 0 ? get_dimension (x, (guint) axis) : 1;
    gint64 wanted = given_at >= 0 ? given[given_at] : 1;

    if (tiles && wanted > 0 && wanted < SRGAN_GRAPH_MAX_COMPUTED)
      dimensions[i] = own * wanted;
    else if (!tiles && own == 1 && wanted > 0)
      dimensions[i] = wanted;
    else if (!tiles && (wanted == own || wanted == 1 || wanted == -1))
      dimensions[i] = own;
    else
      return refuse_value (self, "a shape that does not fit");
  }
  if (x->constant != NULL) {
    Walk walk;

    walk_init (&walk, x->constant, rank, dimensions);
    return pick (self, x->constant, rank, dimensions, walk_place, &walk);
  }
  result = copy_value (x, channels_of (self, x));
  memset (result->dimensions, 0, sizeof result->dimensions);
  result->rank = rank;
  for (guint i = 0; i < rank; i++) {
    gint axis = (gint) i - (gint) (rank - x->rank);
    gint64 own = axis >= 0 ? get_size (&x->dimensions[axis]) : 1;
    Dimension *dimension = &result->dimensions[i];
    gboolean fits = add_piece (dimension, AXIS_REPEAT, dimensions[i] / own, 1);

    for (guint j = 0; axis >= 0 && j < x->dimensions[axis].n; j++) {
      const Piece *piece = &x->dimensions[axis].pieces[j];

      fits =
          fits && add_piece (dimension, piece->axis, piece->size, piece->step);
    }
    if (!fits) {
      free_value (result);
      return refuse_value (self, "too many reshapes");
    }
  }
  return result;
}

static Value *
lower_depth_to_space (Lowering *self)
{
  SrganGraphNode *node = self->node;
  Value *x = get_input (self, 0);
  gboolean up = node->kind == SRGAN_NODE_DEPTH_TO_SPACE;
  gint64 b = node->block;
  guint channels, height, rank;
  gint64 shape[SRGAN_GRAPH_MAX_RANK], order[SRGAN_GRAPH_MAX_RANK];
  gint64 final[SRGAN_GRAPH_MAX_RANK];
  guint n = 0;
  Value *split, *moved, *result;
  /* where in the split shape things lie */
  guint at_channel, at_dy, at_dx, at_height, at_width;

  if (x == NULL)
    return refuse_value (self, "its input is missing");
  rank = get_rank (x);
  if (rank < 3 || rank + 2 > SRGAN_GRAPH_MAX_RANK || b < 1 || b > 64)
    return refuse_value (self, "a block of that size cannot be");
  channels = node->channels_last ? rank - 1 : rank - 3;
  height = node->channels_last ? rank - 3 : rank - 2;
  for (guint i = 0; i < rank; i++)
    final[i] = get_dimension (x, i);
  if (up ? final[channels] % (b * b) != 0
         : final[height] % b != 0 || final[height + 1] % b != 0)
    return refuse_value (self, "its block does not divide its input's axes");

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
  split = reshape (self, x, n, shape);
  moved = split != NULL ? transpose (self, split, order, n) : NULL;
  result = moved != NULL ? reshape (self, moved, rank, final) : NULL;
  free_value (split);
  free_value (moved);
  return result;
}

/* --- Parts --------------------------------------------------------------- */

/* Every index of @axis that @indices names. */
static Value *
choose (Lowering *self, Value *x, guint axis, const gint64 *indices, gsize n)
{
  SrganDraftLayer *gather;
  Value *map, *result;
  Roles roles;

  map = copy_value (x, channels_of (self, x));
  if (!materialise (self, map, &roles)) {
    free_value (map);
    return NULL;
  }
  if ((gint) axis == roles.height || (gint) axis == roles.width || n == 0 ||
      n > SRGAN_MAX_CHANNELS) {
    free_value (map);
    return refuse_value (self, "a choice of pixels is not supported");
  }
  gather = srgan_draft_add (
      self->draft, SRGAN_DRAFT_GATHER, self->node->name, map->layer);
  gather->channels = g_new (guint, n);
  gather->layer.out_channels = (guint) n;
  for (gsize i = 0; i < n; i++)
    gather->channels[i] = (guint) indices[i];
  result = new_view (self, (gint) self->draft->layers->len - 1, map->rank,
      (gint) axis, roles.height, roles.width);
  free_value (map);
  return result;
}

/* Cuts @start pixels from the beginning and leaves @size. */
static Value *
crop (Lowering *self, Value *x, guint axis, gint64 start, gint64 size)
{
  SrganDraftLayer *layer;
  Value *map, *result;
  Roles roles;
  gboolean vertical;
  gint64 full = get_dimension (x, axis);

  map = copy_value (x, channels_of (self, x));
  if (!materialise (self, map, &roles)) {
    free_value (map);
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
  result = view_like (self, (gint) self->draft->layers->len - 1, map, &roles);
  free_value (map);
  return result;
}

/* x[..., start : start + size step : step, ...] */
static Value *
slice_axis (Lowering *self, Value *x, guint axis, gint64 start, gint64 step,
    gint64 size)
{
  gint64 full = get_dimension (x, axis);

  if (size < 1)
    return refuse_value (self, "an empty slice");
  if (start == 0 && step == 1 && size == full)
    return copy_value (x, x->constant != NULL ? 0 : channels_of (self, x));
  if (x->constant != NULL) {
    gint64 dimensions[SRGAN_GRAPH_MAX_RANK];
    Walk walk;

    for (guint i = 0; i < x->constant->rank; i++)
      dimensions[i] = x->constant->dimensions[i];
    dimensions[axis] = size;
    walk_init (&walk, x->constant, x->constant->rank, dimensions);
    walk.starts[axis] = start;
    walk.steps[axis] = step;
    return pick (
        self, x->constant, x->constant->rank, dimensions, walk_place, &walk);
  }
  if (has_axis (&x->dimensions[axis], AXIS_HEIGHT) ||
      has_axis (&x->dimensions[axis], AXIS_WIDTH)) {
    if (step != 1)
      return refuse_value (self, "a slice that leaves out pixels");
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
resolve_slice (Lowering *self, gint64 full, gint64 *start, gint64 end,
    gint64 step, gint64 *size)
{
  if (step == 0)
    return refuse (self, "a slice with a step of 0");
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

static Value *
lower_slice (Lowering *self)
{
  Value *x = get_input (self, 0);
  gint64 starts[SRGAN_GRAPH_MAX_LIST], ends[SRGAN_GRAPH_MAX_LIST];
  gint64 axes[SRGAN_GRAPH_MAX_LIST], steps[SRGAN_GRAPH_MAX_LIST];
  guint n = 0, n_ends = 0, n_axes = 0, n_steps = 0;
  Value *result;

  if (x == NULL || !get_integers (self, 1, starts, &n) ||
      !get_integers (self, 2, ends, &n_ends) || n != n_ends)
    return refuse_value (self, "its bounds are not known beforehand");
  self->node->has_list = FALSE;
  if (!get_integers (self, 3, axes, &n_axes)) {
    for (guint i = 0; i < n; i++)
      axes[i] = i;
    n_axes = n;
  }
  if (!get_integers (self, 4, steps, &n_steps)) {
    for (guint i = 0; i < n; i++)
      steps[i] = 1;
    n_steps = n;
  }
  if (n_axes != n || n_steps != n)
    return refuse_value (self, "bounds and axes differ in number");
  result = copy_value (x, x->constant != NULL ? 0 : channels_of (self, x));
  for (guint i = 0; i < n; i++) {
    guint axis;
    gint64 size;
    Value *part;

    if (!check_axis (self, axes[i], get_rank (x), &axis) ||
        !resolve_slice (self, get_dimension (x, axis), &starts[i], ends[i],
            steps[i], &size)) {
      free_value (result);
      return NULL;
    }
    if (self->node->kind == SRGAN_NODE_SLICE_SIZE)
      size = ends[i];
    part = slice_axis (self, result, axis, starts[i], steps[i], size);
    free_value (result);
    result = part;
    if (result == NULL)
      return NULL;
  }
  return result;
}

/* TensorFlow's Slice: sizes instead of ends, -1: the rest. */
static Value *
lower_slice_size (Lowering *self)
{
  Value *x = get_input (self, 0);
  gint64 starts[SRGAN_GRAPH_MAX_LIST], sizes[SRGAN_GRAPH_MAX_LIST];
  guint n = 0, n_sizes = 0;
  Value *result;

  if (x == NULL || !get_integers (self, 1, starts, &n) ||
      !get_integers (self, 2, sizes, &n_sizes) || n != n_sizes ||
      n != get_rank (x))
    return refuse_value (self, "its bounds are not known beforehand");
  result = copy_value (x, x->constant != NULL ? 0 : channels_of (self, x));
  for (guint i = 0; i < n; i++) {
    gint64 full = get_dimension (x, i);
    Value *part = NULL;

    if (sizes[i] == -1 && starts[i] >= 0 && starts[i] <= full)
      sizes[i] = full - starts[i];
    if (starts[i] < 0 || sizes[i] < 0 || sizes[i] > full ||
        starts[i] > full - sizes[i])
      refuse (self, "bounds beyond its input's");
    else
      part = slice_axis (self, result, i, starts[i], 1, sizes[i]);
    free_value (result);
    result = part;
    if (result == NULL)
      return NULL;
  }
  return result;
}

static Value *
lower_strided_slice (Lowering *self)
{
  Value *x = get_input (self, 0);
  gint64 starts[SRGAN_GRAPH_MAX_LIST], ends[SRGAN_GRAPH_MAX_LIST];
  gint64 steps[SRGAN_GRAPH_MAX_LIST];
  gint64 shape[2 * SRGAN_GRAPH_MAX_LIST];
  guint n = 0, n_ends = 0, n_steps = 0, n_shape = 0, axis = 0, rank, n_real = 0;
  const gint64 *masks = self->node->list;
  gboolean ellipsis = FALSE;
  Value *result, *part;

  if (x == NULL || !get_integers (self, 1, starts, &n) ||
      !get_integers (self, 2, ends, &n_ends) || n != n_ends)
    return refuse_value (self, "its bounds are not known beforehand");
  if (self->node->inputs->len < 4) {
    for (guint i = 0; i < n; i++)
      steps[i] = 1;
  } else if (!get_integers (self, 3, steps, &n_steps) || n != n_steps) {
    return refuse_value (self, "its bounds are not known beforehand");
  }
  rank = get_rank (x);
  if (n > 16)
    return refuse_value (self, "more bounds than axes");
  for (guint i = 0; i < n; i++)
    n_real += !(masks[2] >> i & 1) && !(masks[3] >> i & 1);
  if (n_real > rank)
    return refuse_value (self, "more bounds than axes");
  result = copy_value (x, x->constant != NULL ? 0 : channels_of (self, x));
  for (guint i = 0; i < n; i++) {
    gint64 size;

    if (masks[2] >> i & 1) {
      guint n_skipped = ellipsis ? 0 : rank - n_real;

      ellipsis = TRUE;
      for (guint j = 0; j < n_skipped; j++)
        shape[n_shape++] = get_dimension (x, axis++);
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
    if (resolve_slice (self, get_dimension (x, axis), &starts[i], ends[i],
            steps[i], &size))
      part = slice_axis (self, result, axis, starts[i], steps[i], size);
    free_value (result);
    result = part;
    if (result == NULL)
      return NULL;
    if (!(masks[4] >> i & 1))
      shape[n_shape++] = size;
    axis++;
  }
  while (axis < rank)
    shape[n_shape++] = get_dimension (x, axis++);
  if (n_shape > SRGAN_GRAPH_MAX_RANK) {
    free_value (result);
    return refuse_value (self, "more axes than tensors have");
  }
  part = reshape (self, result, n_shape, shape);
  free_value (result);
  return part;
}

static Value *
lower_gather (Lowering *self)
{
  Value *x = get_input (self, 0);
  SrganConstant *indices = get_constant (self, 1);
  guint axis, rank;
  gint64 full;
  g_autofree gint64 *places = NULL;
  gint64 shape[2 * SRGAN_GRAPH_MAX_RANK];
  guint n_shape = 0;
  Value *chosen, *result;

  if (x == NULL || indices == NULL || indices->n == 0)
    return refuse_value (self, "its indices are not known beforehand");
  rank = get_rank (x);
  if (!check_axis (self, self->node->axis, rank, &axis))
    return NULL;
  full = get_dimension (x, axis);
  if (indices->n > SRGAN_GRAPH_MAX_COMPUTED ||
      rank - 1 + indices->rank > SRGAN_GRAPH_MAX_RANK)
    return refuse_value (self, "more indices than supported");
  places = g_new (gint64, indices->n);
  for (gsize i = 0; i < indices->n; i++) {
    places[i] = to_integer (srgan_constant_get (indices, i));
    if (places[i] < 0)
      places[i] += full;
    if (places[i] < 0 || places[i] >= full)
      return refuse_value (self, "an index beyond its input's axis");
  }
  for (guint i = 0; i < rank; i++) {
    if (i != axis)
      shape[n_shape++] = get_dimension (x, i);
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
      *(i < axis ? &outer : &inner) *= i == axis ? 1 : get_dimension (x, i);
    for (guint i = 0; i < n_shape; i++)
      dimensions[i] = shape[i];
    if (!may_compute (self, n_shape, dimensions, &n))
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
    return new_constant_value (constant);
  }
  if (full == 1 && indices->n == 1)
    return reshape (self, x, n_shape, shape);
  chosen = choose (self, x, axis, places, indices->n);
  if (chosen == NULL)
    return NULL;
  result = reshape (self, chosen, n_shape, shape);
  free_value (chosen);
  return result;
}

/* Puts the parts into the outputs' names. */
static gboolean
lower_split (Lowering *self)
{
  SrganGraphNode *node = self->node;
  Value *x = get_input (self, 0);
  gint64 sizes[SRGAN_GRAPH_MAX_LIST];
  guint n = 0, axis;
  gint64 start = 0, full;

  if (x == NULL)
    return refuse (self, "its input is missing");
  if (!check_axis (self, node->axis, get_rank (x), &axis))
    return FALSE;
  full = get_dimension (x, axis);
  if (!get_integers (self, 1, sizes, &n)) {
    gint64 parts = (gint64) node->outputs->len;

    if (self->error != NULL && *self->error != NULL)
      return FALSE;
    if (parts == 0 || parts > SRGAN_GRAPH_MAX_LIST)
      return refuse (self, "more parts than supported");
    n = (guint) parts;
    for (guint i = 0; i < n; i++)
      sizes[i] = MIN ((full + parts - 1) / parts,
          full - (gint64) i * ((full + parts - 1) / parts));
  }
  if (n < node->outputs->len)
    return refuse (self, "fewer parts than outputs");
  for (guint i = 0; i < node->outputs->len; i++) {
    const gchar *name = g_ptr_array_index (node->outputs, i);
    Value *part;

    if (sizes[i] < 1 || sizes[i] > full || start > full - sizes[i])
      return refuse (self, "parts beyond its input's axis");
    part = slice_axis (self, x, axis, start, 1, sizes[i]);
    if (part == NULL)
      return FALSE;
    g_hash_table_replace (self->values, g_strdup (name), part);
    start += sizes[i];
  }
  return TRUE;
}

static Value *
concat_constants (Lowering *self, Value **parts, guint n, guint axis)
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
      return refuse_value (self, "constants whose shapes do not fit");
    for (guint j = 0; j < first->rank; j++)
      if (j != axis && part->dimensions[j] != dimensions[j])
        return refuse_value (self, "constants whose shapes do not fit");
    dimensions[axis] += part->dimensions[axis];
  }
  if (!may_compute (self, first->rank, dimensions, &count))
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
  return new_constant_value (result);
}

static Value *
concat_maps (Lowering *self, Value **parts, guint n, guint axis)
{
  gboolean same = TRUE;
  SrganDraftLayer *layer = NULL;
  Value *result = NULL;
  guint n_channels = 0;
  guint rank = get_rank (parts[0]);

  for (guint i = 0; i < n; i++) {
    if (parts[i]->constant != NULL)
      return refuse_value (self, "a map and a constant in one concatenation");
    if (parts[i]->rank != rank)
      return refuse_value (self, "maps of different numbers of axes");
    settle (self, parts[i]);
    same = same && settle (self, parts[i]) == settle (self, parts[0]) &&
           same_view (parts[i], parts[0]);
  }
  if (same && n > 1) {
    Dimension *dimension;
    gboolean fits;

    result = with_layer (parts[0], settle (self, parts[0]));
    dimension = &result->dimensions[axis];
    memset (dimension, 0, sizeof *dimension);
    fits = add_piece (dimension, AXIS_REPEAT, n, 1);
    for (guint i = 0; i < parts[0]->dimensions[axis].n; i++) {
      const Piece *piece = &parts[0]->dimensions[axis].pieces[i];

      fits =
          fits && add_piece (dimension, piece->axis, piece->size, piece->step);
    }
    if (fits)
      return result;
    free_value (result);
    return refuse_value (self, "too many reshapes");
  }
  for (guint i = 0; i < n; i++) {
    Value *map = copy_value (parts[i], channels_of (self, parts[i]));
    Roles roles;

    if (!materialise (self, map, &roles)) {
      free_value (map);
      free_value (result);
      return NULL;
    }
    if ((gint) axis == roles.height || (gint) axis == roles.width ||
        (roles.channels != (gint) axis && channels_of (self, map) != 1)) {
      free_value (map);
      free_value (result);
      return refuse_value (self, "a concatenation of other than channels");
    }
    n_channels += channels_of (self, map);
    if (i == 0) {
      result = new_view (
          self, map->layer, rank, (gint) axis, roles.height, roles.width);
    } else if (srgan_draft_is_single (self->draft, map->layer) !=
                   srgan_draft_is_single (self->draft, result->layer) ||
               !same_size (self, map->layer, result->layer) ||
               n_channels > SRGAN_MAX_CHANNELS) {
      free_value (map);
      free_value (result);
      return refuse_value (self, "maps of different sizes");
    }
    /* the layer comes after all that the parts still need */
    parts[i]->settled = parts[i]->settled;
    if (layer == NULL) {
      layer = g_new0 (SrganDraftLayer, 1);
      layer->inputs = g_array_new (FALSE, FALSE, sizeof (gint));
    }
    srgan_draft_layer_add_input (layer, map->layer);
    free_value (map);
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
    Dimension *dimension = &result->dimensions[axis];

    memset (dimension, 0, sizeof *dimension);
    add_piece (dimension, AXIS_CHANNELS, n_channels, 1);
  }
  return result;
}

static Value *
lower_concat (Lowering *self)
{
  SrganGraphNode *node = self->node;
  guint n = node->inputs->len;
  gboolean stacks = node->kind == SRGAN_NODE_STACK;
  g_autoptr (GPtrArray) parts = g_ptr_array_new_with_free_func (free_value);
  gboolean constant = TRUE;
  guint axis, rank;

  if (n == 0)
    return refuse_value (self, "nothing to put together");
  for (guint i = 0; i < n; i++) {
    Value *part = get_input (self, i);

    if (part == NULL)
      return refuse_value (self, "an input is missing");
    if (part->constant == NULL)
      settle (self, part);
    constant = constant && part->constant != NULL;
  }
  rank = get_rank (get_input (self, 0)) + stacks;
  if (rank > SRGAN_GRAPH_MAX_RANK ||
      !check_axis (self, node->axis, rank, &axis))
    return refuse_value (self, "an axis that tensors have not");
  for (guint i = 0; i < n; i++) {
    Value *part = get_input (self, i);

    if (stacks) {
      gint64 shape[SRGAN_GRAPH_MAX_RANK + 1];
      Value *raised;

      if (get_rank (part) + 1 != rank)
        return refuse_value (self, "inputs of different numbers of axes");
      for (guint j = 0, k = 0; j < rank; j++)
        shape[j] = j == axis ? 1 : get_dimension (part, k++);
      if (part->constant == NULL) {
        Value plain = *part;

        plain.layer = settle (self, part);
        plain.positive = plain.negative = NULL;
        raised = reshape (self, &plain, rank, shape);
      } else {
        raised = reshape (self, part, rank, shape);
      }
      if (raised == NULL)
        return NULL;
      g_ptr_array_add (parts, raised);
    } else {
      g_ptr_array_add (parts, part->constant != NULL
                                  ? copy_value (part, 0)
                                  : with_layer (part, settle (self, part)));
    }
  }
  if (get_rank (parts->pdata[0]) <= axis)
    return refuse_value (self, "an axis that its inputs have not");
  return constant ? concat_constants (self, (Value **) parts->pdata, n, axis)
                  : concat_maps (self, (Value **) parts->pdata, n, axis);
}

/* --- Products ------------------------------------------------------------ */

/* Where in @order's four axes O, I, H and W lie. */
static const struct {
  guint out, in, height, width;
} weight_axes[] = {
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
get_weights (Lowering *self, const SrganConstant *constant, guint *n_out,
    guint *n_in, guint kernel[2])
{
  SrganGraphNode *node = self->node;
  gboolean transposed = node->kind == SRGAN_NODE_TRANSPOSED_CONV;
  guint o = weight_axes[node->weight_order].out;
  guint i = weight_axes[node->weight_order].in;
  guint h = weight_axes[node->weight_order].height;
  guint w = weight_axes[node->weight_order].width;
  gint64 strides[4] = {1, 1, 1, 1};
  const gint64 *d = constant->dimensions;
  gint64 size[2];
  gfloat *weights, *to;
  guint outer, inner;

  if (constant->rank != 4 || constant->numbers == NULL) {
    refuse (self, "weights of %u axes: convolutions of pictures have 4",
        constant->rank);
    return NULL;
  }
  for (guint j = 3; j-- > 0;)
    strides[j] = strides[j + 1] * d[j + 1];
  for (guint j = 0; j < 2; j++) {
    gint64 side = d[j == 0 ? h : w];

    if (side < 1 || side > SRGAN_MAX_KERNEL_SIDE || node->dilations[j] < 1 ||
        node->dilations[j] > SRGAN_MAX_KERNEL_SIDE ||
        (side - 1) * node->dilations[j] + 1 > SRGAN_MAX_KERNEL_SIDE) {
      refuse (self,
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
    refuse (self, "weights of a size that is not supported");
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
get_bias (Lowering *self, guint number, guint n, gfloat **bias)
{
  SrganConstant *constant = get_constant (self, number);

  *bias = NULL;
  if (get_input (self, number) == NULL)
    return TRUE;
  if (constant == NULL || (constant->n != n && constant->n != 1))
    return refuse (self, "its bias is not %u numbers", n);
  *bias = g_new (gfloat, n);
  for (guint i = 0; i < n; i++)
    (*bias)[i] =
        (gfloat) srgan_constant_get (constant, constant->n == 1 ? 0 : i);
  return TRUE;
}

static Value *
lower_conv (Lowering *self)
{
  SrganGraphNode *node = self->node;
  gboolean transposed = node->kind == SRGAN_NODE_TRANSPOSED_CONV;
  SrganConstant *constant = get_constant (self, 1);
  SrganDraftLayer *layer;
  Value *map, *result;
  Roles roles;
  guint n_out, n_in, kernel[2], groups, n_channels;
  gfloat *weights, *bias;
  gint64 stride = node->strides[0];
  gint sides[SRGAN_N_SIDES];
  gint64 size[2];

  if (constant == NULL)
    return refuse_value (self, "its weights are not known beforehand");
  map = get_map (self, 0, &roles);
  if (map == NULL)
    return NULL;
  if (!check_order (self, map, &roles)) {
    free_value (map);
    return NULL;
  }
  weights = get_weights (self, constant, &n_out, &n_in, kernel);
  if (weights == NULL) {
    free_value (map);
    return NULL;
  }

  n_channels = channels_of (self, map);
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
    refuse (self,
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
        refuse (self, "paddings that are not supported");
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
      refuse (self, "its output would have no pixels");
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
      free_value (map);
      return refuse_value (self,
          "a convolution of a mean with anything but one pixel is not "
          "supported");
    }
    layer->layer.operation = SRGAN_OPERATION_LINEAR;
  } else {
    layer->height = size[0];
    layer->width = size[1];
  }
  result = view_like (self, (gint) self->draft->layers->len - 1, map, &roles);
  free_value (map);
  return result;

failed:
  g_free (weights);
  free_value (map);
  return NULL;
}

static Value *
lower_matmul (Lowering *self)
{
  SrganGraphNode *node = self->node;
  SrganConstant *constant = get_constant (self, 1);
  SrganDraftLayer *layer;
  Value *map, *result;
  Roles roles;
  guint n_in, n_out;
  gfloat *bias;

  if (constant == NULL || constant->rank != 2 || constant->numbers == NULL)
    return refuse_value (self,
        "a product of two maps (attention, as transformers have it) is not "
        "supported");
  n_in = (guint) constant->dimensions[node->transpose_weight ? 1 : 0];
  n_out = (guint) constant->dimensions[node->transpose_weight ? 0 : 1];
  map = get_map (self, 0, &roles);
  if (map == NULL)
    return NULL;
  if (n_in != channels_of (self, map) || n_out < 1 ||
      n_out > SRGAN_MAX_CHANNELS ||
      (roles.channels >= 0 && roles.channels != (gint) map->rank - 1) ||
      !get_bias (self, 2, n_out, &bias)) {
    free_value (map);
    return refuse_value (self, "a matrix that does not fit its input");
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
  result = new_view (self, (gint) self->draft->layers->len - 1, map->rank,
      (gint) map->rank - 1, roles.height, roles.width);
  free_value (map);
  return result;
}

static Value *
lower_batch_norm (Lowering *self)
{
  const SrganConstant *parts[4];
  Value *map, *result;
  Roles roles;
  guint n;
  gfloat *gain, *offset;

  map = get_map (self, 0, &roles);
  if (map == NULL)
    return NULL;
  n = channels_of (self, map);
  for (guint i = 0; i < 4; i++) {
    parts[i] = get_constant (self, i + 1);
    if (parts[i] != NULL && parts[i]->n != n) {
      free_value (map);
      return refuse_value (self, "numbers for other channels than it has");
    }
  }
  if (parts[2] == NULL || parts[3] == NULL) {
    free_value (map);
    return refuse_value (self, "it was not trained to the end: no statistics");
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
  result = add_affine (self, map, gain, offset);
  free_value (map);
  return result;
}

/* --- Neighbourhoods ------------------------------------------------------ */

static Value *
lower_pad (Lowering *self)
{
  SrganGraphNode *node = self->node;
  Value *x = get_input (self, 0);
  SrganConstant *value = get_constant (self, 2);
  gint64 amounts[SRGAN_GRAPH_MAX_LIST], axes[SRGAN_GRAPH_MAX_LIST];
  gint64 lead[SRGAN_GRAPH_MAX_RANK] = {0}, trail[SRGAN_GRAPH_MAX_RANK] = {0};
  guint n = 0, n_axes = 0, rank;
  SrganConstant *given = get_constant (self, 1);
  gboolean pairs = given != NULL && given->rank == 2;
  gboolean adds = FALSE, cuts = FALSE;
  Value *map, *result;
  SrganDraftLayer *layer;
  Roles roles;
  gint top, left, bottom, right;

  if (x == NULL || x->constant != NULL)
    return refuse_value (self, "its input is no map");
  if (!get_integers (self, 1, amounts, &n))
    return refuse_value (self, "its paddings are not known beforehand");
  rank = x->rank;
  if (get_input (self, 3) != NULL) {
    node->has_list = FALSE;
    if (!get_integers (self, 3, axes, &n_axes))
      return refuse_value (self, "its axes are not known beforehand");
  } else {
    for (guint i = 0; i < rank; i++)
      axes[i] = i;
    n_axes = rank;
  }
  if (n != 2 * n_axes)
    return refuse_value (self, "other paddings than axes");
  for (guint i = 0; i < n_axes; i++) {
    guint axis;

    if (!check_axis (self, axes[i], rank, &axis))
      return NULL;
    lead[axis] = pairs ? amounts[2 * i] : amounts[i];
    trail[axis] = pairs ? amounts[2 * i + 1] : amounts[i + n_axes];
  }
  map = get_map (self, 0, &roles);
  if (map == NULL)
    return NULL;
  for (guint i = 0; i < rank; i++) {
    gboolean none = lead[i] == 0 && trail[i] == 0;

    if (!none && (gint) i != roles.height && (gint) i != roles.width) {
      free_value (map);
      return refuse_value (self, "padding of other than pixels");
    }
    if (ABS (lead[i]) > 1024 || ABS (trail[i]) > 1024) {
      free_value (map);
      return refuse_value (self, "paddings that are not supported");
    }
    adds = adds || lead[i] > 0 || trail[i] > 0;
    cuts = cuts || lead[i] < 0 || trail[i] < 0;
  }
  if (!adds && !cuts)
    return map;
  if (adds && cuts) {
    free_value (map);
    return refuse_value (self, "padding on some sides, cutting on others");
  }
  if (adds && node->mode == SRGAN_PADDING_ZERO && value != NULL &&
      value->n > 0 && srgan_constant_get (value, 0) != 0.) {
    free_value (map);
    return refuse_value (self, "padding with another value than 0");
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
    free_value (map);
    return refuse_value (self, "its output would have no pixels");
  }
  result = view_like (self, (gint) self->draft->layers->len - 1, map, &roles);
  free_value (map);
  return result;
}

static Value *
lower_pool (Lowering *self)
{
  SrganGraphNode *node = self->node;
  gboolean averages = node->kind == SRGAN_NODE_AVERAGE_POOL;
  gint64 kernel[2] = {node->kernel[0], node->kernel[1]};
  gint64 stride = node->strides[0];
  SrganDraftLayer *layer;
  Value *map, *result;
  Roles roles;
  gint64 height, width;
  guint n;

  map = get_map (self, 0, &roles);
  if (map == NULL)
    return NULL;
  if (!check_order (self, map, &roles) ||
      srgan_draft_is_single (self->draft, map->layer)) {
    free_value (map);
    return refuse_value (self, "its input is no map in the order it takes");
  }
  height = srgan_draft_get_height (self->draft, map->layer);
  width = srgan_draft_get_width (self->draft, map->layer);
  n = channels_of (self, map);
  layer =
      srgan_draft_add (self->draft, SRGAN_DRAFT_LAYER, node->name, map->layer);
  if (averages && kernel[0] == height && kernel[1] == width) {
    layer->layer.operation = SRGAN_OPERATION_GLOBAL_MEAN;
    layer->single = TRUE;
    layer->height = layer->width = 1;
    result = view_like (self, (gint) self->draft->layers->len - 1, map, &roles);
    free_value (map);
    return result;
  }
  if (kernel[0] < 1 || kernel[0] > SRGAN_MAX_KERNEL_SIDE || kernel[1] < 1 ||
      kernel[1] > SRGAN_MAX_KERNEL_SIDE || stride < 1 || stride > 16 ||
      stride != node->strides[1] || node->dilations[0] != 1 ||
      node->dilations[1] != 1 || kernel[0] > height || kernel[1] > width ||
      (node->padding != SRGAN_PADS_VALID && node->padding != SRGAN_PADS_GIVEN &&
          (kernel[0] != stride || kernel[1] != stride)) ||
      (node->padding == SRGAN_PADS_GIVEN &&
          (node->pads[0] != 0 || node->pads[1] != 0 || node->pads[2] != 0 ||
              node->pads[3] != 0))) {
    free_value (map);
    return refuse_value (
        self, "only pooling without padding and dilation is supported");
  }
  layer->layer.kernel_height = (guint) kernel[0];
  layer->layer.kernel_width = (guint) kernel[1];
  layer->layer.stride = (guint) stride;
  layer->height = (height - kernel[0]) / stride + 1;
  layer->width = (width - kernel[1]) / stride + 1;
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
  result = view_like (self, (gint) self->draft->layers->len - 1, map, &roles);
  free_value (map);
  return result;
}

static Value *
lower_mean (Lowering *self)
{
  SrganGraphNode *node = self->node;
  gboolean sums = node->kind == SRGAN_NODE_SUM;
  gint64 axes[SRGAN_GRAPH_MAX_LIST];
  gboolean chosen[SRGAN_GRAPH_MAX_RANK] = {FALSE};
  gint64 shape[SRGAN_GRAPH_MAX_RANK];
  guint n_axes = 0, n_shape = 0;
  Value *x = get_input (self, 0);
  Value *map, *result;
  Roles roles;
  gint layer;
  gboolean over_pixels;

  if (x == NULL || x->constant != NULL)
    return refuse_value (self, "its input is no map");
  map = get_map (self, 0, &roles);
  if (map == NULL)
    return NULL;
  if (!get_integers (self, 1, axes, &n_axes)) {
    if (roles.height >= 0)
      axes[n_axes++] = roles.height;
    if (roles.width >= 0)
      axes[n_axes++] = roles.width;
  }
  for (guint i = 0; i < n_axes; i++) {
    guint axis;

    if (!check_axis (self, axes[i], map->rank, &axis)) {
      free_value (map);
      return NULL;
    }
    chosen[axis] = TRUE;
  }
  for (guint i = 0; i < map->rank; i++) {
    if (chosen[i] && !node->keep_axes)
      continue;
    shape[n_shape++] = chosen[i] ? 1 : get_dimension (map, i);
  }
  layer = map->layer;
  over_pixels = roles.height >= 0 && chosen[roles.height];
  if (roles.height >= 0 && over_pixels != chosen[roles.width]) {
    free_value (map);
    return refuse_value (self, "a mean of rows or columns is not supported");
  }
  if (over_pixels) {
    SrganDraftLayer *mean;

    if (sums) {
      free_value (map);
      return refuse_value (self, "a sum of all pixels is not supported");
    }
    mean = srgan_draft_add (self->draft, SRGAN_DRAFT_LAYER, node->name, layer);
    mean->layer.operation = SRGAN_OPERATION_GLOBAL_MEAN;
    mean->single = TRUE;
    mean->height = mean->width = 1;
    layer = (gint) self->draft->layers->len - 1;
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
  result = new_view (
      self, layer, map->rank, roles.channels, roles.height, roles.width);
  free_value (map);
  map = reshape (self, result, n_shape, shape);
  free_value (result);
  return map;
}

/* --- Enlarging ----------------------------------------------------------- */

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
resize_by_conv (Lowering *self, gint input, gint64 up, gint64 down)
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
    refuse (self, "a factor that is not supported");
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
find_size (Lowering *self, gint index, gint64 height, gint64 width)
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

static Value *
lower_resize (Lowering *self)
{
  SrganGraphNode *node = self->node;
  SrganConstant *scales = get_constant (self, 1);
  SrganConstant *sizes = get_constant (self, 2);
  Value *map, *result;
  Roles roles;
  gint64 in[2], out[2];
  gint axes[2];
  gint layer;
  gint64 up, down;

  if ((scales == NULL || scales->n == 0) && (sizes == NULL || sizes->n == 0))
    return refuse_value (self, "its factor is not known beforehand");
  map = get_map (self, 0, &roles);
  if (map == NULL)
    return NULL;
  if (srgan_draft_is_single (self->draft, map->layer)) {
    free_value (map);
    return refuse_value (self, "a mean cannot be enlarged");
  }
  axes[0] = roles.height;
  axes[1] = roles.width;
  for (guint i = 0; i < 2; i++) {
    const SrganConstant *given = sizes != NULL && sizes->n > 0 ? sizes : scales;
    gdouble number;
    gint at;

    in[i] = get_dimension (map, (guint) axes[i]);
    /* numbers for all axes, or for height and width */
    at = given->n == map->rank ? axes[i] : given->n == 2 ? (gint) i : -1;
    if (at < 0) {
      free_value (map);
      return refuse_value (self, "factors for other axes than it has");
    }
    number = srgan_constant_get (given, (gsize) at);
    out[i] = to_integer (
        given == sizes ? number : floor ((gdouble) in[i] * number + 1e-3));
    if (out[i] < 1 || out[i] > G_MAXINT32) {
      free_value (map);
      return refuse_value (self, "a size that is not supported");
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
      result =
          view_like (self, (gint) self->draft->layers->len - 1, map, &roles);
      free_value (map);
      return result;
    }
  }
  if (out[0] * down != in[0] * up || out[1] * down != in[1] * up || up > 16 ||
      down > 16) {
    refuse (self,
        "a size of %" G_GINT64_FORMAT "x%" G_GINT64_FORMAT
        " for %" G_GINT64_FORMAT "x%" G_GINT64_FORMAT
        ": only whole factors, the same for width and height, are supported",
        out[1], out[0], in[1], in[0]);
    free_value (map);
    return NULL;
  }
  if (up == 1 && down == 1)
    return map;
  if (node->coordinates == SRGAN_COORDINATES_ALIGN_CORNERS &&
      node->filter != SRGAN_FILTER_NEAREST) {
    free_value (map);
    return refuse_value (self,
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
      free_value (map);
      return NULL;
    }
  }
  result = view_like (self, layer, map, &roles);
  free_value (map);
  return result;
}

/* --- What is known of shapes --------------------------------------------- */

static Value *
lower_shape (Lowering *self)
{
  Value *x = get_input (self, 0);
  gint64 shape[SRGAN_GRAPH_MAX_RANK];
  gint64 first = self->node->first, last = self->node->last;
  gint64 rank;
  guint n = 0;

  if (x == NULL)
    return refuse_value (self, "its input is missing");
  rank = get_rank (x);
  first = CLAMP (first < 0 ? first + rank : first, 0, rank);
  last = CLAMP (last < 0 ? last + rank : last, 0, rank);
  for (gint64 i = first; i < last; i++)
    shape[n++] = get_dimension (x, (guint) i);
  return new_constant_value (srgan_constant_new_vector (shape, n));
}

static Value *
lower_fill (Lowering *self)
{
  gint64 shape[SRGAN_GRAPH_MAX_LIST];
  SrganConstant *value = get_constant (self, 1);
  SrganConstant *constant;
  guint rank = 0;
  gsize n;
  gfloat *numbers;
  gint64 *integers;

  if (!get_integers (self, 0, shape, &rank) || rank > SRGAN_GRAPH_MAX_RANK)
    return refuse_value (self, "its shape is not known beforehand");
  if (!may_compute (self, rank, shape, &n))
    return NULL;
  if (value != NULL && value->n != 1)
    return refuse_value (self, "it is filled with other than one number");
  if (value != NULL && value->integers != NULL) {
    constant = srgan_constant_new_integers (rank, shape, n, &integers);
    for (gsize i = 0; i < n; i++)
      integers[i] = value->integers[0];
  } else {
    constant = srgan_constant_new_numbers (rank, shape, n, &numbers);
    for (gsize i = 0; i < n && value != NULL; i++)
      numbers[i] = value->numbers[0];
  }
  return new_constant_value (constant);
}

static Value *
lower_range (Lowering *self)
{
  gdouble bounds[3];
  gint64 *integers;
  gint64 n;
  SrganConstant *constant;

  for (guint i = 0; i < 3; i++) {
    SrganConstant *bound = get_constant (self, i);

    if (bound == NULL || bound->n != 1)
      return refuse_value (self, "its bounds are not known beforehand");
    bounds[i] = srgan_constant_get (bound, 0);
  }
  n = bounds[2] != 0. ? to_integer (ceil ((bounds[1] - bounds[0]) / bounds[2]))
                      : -1;
  if (n < 0 || n > 65536)
    return refuse_value (self, "a range that is not supported");
  constant = srgan_constant_new_integers (1, &n, (gsize) n, &integers);
  for (gint64 i = 0; i < n; i++)
    integers[i] = to_integer (bounds[0] + (gdouble) i * bounds[2]);
  return new_constant_value (constant);
}

static Value *
lower_cast (Lowering *self)
{
  Value *x = get_input (self, 0);
  SrganConstant *constant, *result;
  gfloat *numbers;
  gint64 *integers;
  gsize n;

  if (x == NULL)
    return refuse_value (self, "its input is missing");
  constant = x->constant;
  if (constant == NULL)
    return copy_value (x, channels_of (self, x));
  if ((constant->integers != NULL) == self->node->integer)
    return copy_value (x, 0);
  if (!may_compute (self, constant->rank, constant->dimensions, &n))
    return NULL;
  if (self->node->integer) {
    result = srgan_constant_new_integers (
        constant->rank, constant->dimensions, n, &integers);
    for (gsize i = 0; i < n; i++)
      integers[i] = to_integer (trunc (constant->numbers[i]));
  } else {
    result = srgan_constant_new_numbers (
        constant->rank, constant->dimensions, n, &numbers);
    for (gsize i = 0; i < n; i++)
      numbers[i] = (gfloat) constant->integers[i];
  }
  return new_constant_value (result);
}

/* Between constants, or whole maps by a condition that is the same for all. */
static Value *
lower_where (Lowering *self)
{
  SrganConstant *condition = get_constant (self, 0);
  Value *x = get_input (self, 1);
  Value *y = get_input (self, 2);
  gboolean all = TRUE, none = TRUE;

  if (condition == NULL || x == NULL || y == NULL)
    return refuse_value (self, "its condition is not known beforehand");
  for (gsize i = 0; i < condition->n; i++) {
    gboolean is = srgan_constant_get (condition, i) != 0.;

    all = all && is;
    none = none && !is;
  }
  if (all || none) {
    Value *chosen = all ? x : y;

    return copy_value (
        chosen, chosen->constant != NULL ? 0 : channels_of (self, chosen));
  }
  if (x->constant != NULL && y->constant != NULL) {
    guint rank, rank_all;
    gint64 dimensions[SRGAN_GRAPH_MAX_RANK], whole[SRGAN_GRAPH_MAX_RANK];
    gint64 *integers;
    gsize n;
    SrganConstant *result;
    SrganConstant shape = {0};

    if (!spread_shapes (self, x->constant, y->constant, &rank, dimensions))
      return NULL;
    shape.rank = rank;
    memcpy (shape.dimensions, dimensions, sizeof dimensions);
    if (!spread_shapes (self, &shape, condition, &rank_all, whole) ||
        !may_compute (self, rank_all, whole, &n))
      return NULL;
    if (x->constant->integers == NULL || y->constant->integers == NULL)
      return refuse_value (self, "a choice between numbers is not supported");
    result = srgan_constant_new_integers (rank_all, whole, n, &integers);
    for (gsize i = 0; i < n; i++) {
      gboolean is = srgan_constant_get (condition,
                        spread_index (condition, rank_all, whole, i)) != 0.;
      const SrganConstant *from = is ? x->constant : y->constant;

      integers[i] = from->integers[spread_index (from, rank_all, whole, i)];
    }
    return new_constant_value (result);
  }
  return refuse_value (self, "a choice by pixel is not supported");
}

static Value *
lower_identity (Lowering *self)
{
  Value *x = get_input (self, 0);

  if (x == NULL)
    return refuse_value (self, "its input is missing");
  return copy_value (x, x->constant != NULL ? 0 : channels_of (self, x));
}

static Value *
lower_two (Lowering *self)
{
  return combine (
      self, self->node->kind, get_input (self, 0), get_input (self, 1));
}

/* --- The table ----------------------------------------------------------- */

static Value *(*const lower_node[SRGAN_N_NODES]) (Lowering *) = {
    [SRGAN_NODE_IDENTITY] = lower_identity,
    [SRGAN_NODE_CAST] = lower_cast,
    [SRGAN_NODE_CONV] = lower_conv,
    [SRGAN_NODE_TRANSPOSED_CONV] = lower_conv,
    [SRGAN_NODE_MATMUL] = lower_matmul,
    [SRGAN_NODE_BATCH_NORM] = lower_batch_norm,
    [SRGAN_NODE_ADD] = lower_many,
    [SRGAN_NODE_SUBTRACT] = lower_two,
    [SRGAN_NODE_MULTIPLY] = lower_many,
    [SRGAN_NODE_DIVIDE] = lower_two,
    [SRGAN_NODE_MINIMUM] = lower_many,
    [SRGAN_NODE_MAXIMUM] = lower_many,
    [SRGAN_NODE_POWER] = lower_two,
    [SRGAN_NODE_MODULO] = lower_two,
    [SRGAN_NODE_EQUAL] = lower_two,
    [SRGAN_NODE_WHERE] = lower_where,
    [SRGAN_NODE_NEGATE] = lower_one,
    [SRGAN_NODE_ABSOLUTE] = lower_one,
    [SRGAN_NODE_SQRT] = lower_one,
    [SRGAN_NODE_RECIPROCAL_SQRT] = lower_one,
    [SRGAN_NODE_RECIPROCAL] = lower_one,
    [SRGAN_NODE_SQUARE] = lower_one,
    [SRGAN_NODE_EXP] = lower_one,
    [SRGAN_NODE_FLOOR] = lower_one,
    [SRGAN_NODE_CEIL] = lower_one,
    [SRGAN_NODE_ROUND] = lower_one,
    [SRGAN_NODE_RELU] = lower_one,
    [SRGAN_NODE_LEAKY_RELU] = lower_one,
    [SRGAN_NODE_PRELU] = lower_prelu,
    [SRGAN_NODE_CLIP] = lower_clip,
    [SRGAN_NODE_SIGMOID] = lower_one,
    [SRGAN_NODE_TANH] = lower_one,
    [SRGAN_NODE_SILU] = lower_one,
    [SRGAN_NODE_HARD_SIGMOID] = lower_hard,
    [SRGAN_NODE_HARD_SWISH] = lower_hard,
    [SRGAN_NODE_CONCAT] = lower_concat,
    [SRGAN_NODE_STACK] = lower_concat,
    [SRGAN_NODE_SLICE] = lower_slice,
    [SRGAN_NODE_STRIDED_SLICE] = lower_strided_slice,
    [SRGAN_NODE_SLICE_SIZE] = lower_slice_size,
    [SRGAN_NODE_GATHER] = lower_gather,
    [SRGAN_NODE_TRANSPOSE] = lower_transpose,
    [SRGAN_NODE_RESHAPE] = lower_reshape,
    [SRGAN_NODE_FLATTEN] = lower_axes,
    [SRGAN_NODE_SQUEEZE] = lower_axes,
    [SRGAN_NODE_UNSQUEEZE] = lower_axes,
    [SRGAN_NODE_EXPAND] = lower_repeats,
    [SRGAN_NODE_TILE] = lower_repeats,
    [SRGAN_NODE_PAD] = lower_pad,
    [SRGAN_NODE_RESIZE] = lower_resize,
    [SRGAN_NODE_DEPTH_TO_SPACE] = lower_depth_to_space,
    [SRGAN_NODE_SPACE_TO_DEPTH] = lower_depth_to_space,
    [SRGAN_NODE_MAX_POOL] = lower_pool,
    [SRGAN_NODE_AVERAGE_POOL] = lower_pool,
    [SRGAN_NODE_MEAN] = lower_mean,
    [SRGAN_NODE_SUM] = lower_mean,
    [SRGAN_NODE_SHAPE] = lower_shape,
    [SRGAN_NODE_FILL] = lower_fill,
    [SRGAN_NODE_RANGE] = lower_range,
};

/* --- The whole ----------------------------------------------------------- */

/* The channels that the input must have where the file does not say: those of
 * the convolution that reads it. */
static gint64
guess_channels (SrganGraph *graph, const gchar *input)
{
  for (guint i = 0; i < graph->nodes->len; i++) {
    SrganGraphNode *node = g_ptr_array_index (graph->nodes, i);
    SrganConstant *weight;

    if (node->kind != SRGAN_NODE_CONV || node->inputs->len < 2 ||
        g_strcmp0 (g_ptr_array_index (node->inputs, 0), input) != 0 ||
        g_ptr_array_index (node->inputs, 1) == NULL)
      continue;
    weight = g_hash_table_lookup (
        graph->constants, g_ptr_array_index (node->inputs, 1));
    if (weight != NULL && weight->rank == 4 && !node->depthwise)
      return weight->dimensions[weight_axes[node->weight_order].in] *
             node->groups;
  }
  return 3;
}

static gboolean
fail_input (Lowering *self, const SrganGraphInput *input, const gchar *text)
{
  g_autofree gchar *name = g_strescape (input->name, NULL);

  g_set_error (self->error, SRGAN_ERROR, SRGAN_ERROR_UNSUPPORTED,
      "input '%.60s': %s", name, text);
  return FALSE;
}

/* Makes @input the network's. */
static gboolean
start (Lowering *self, const SrganGraphInput *input)
{
  gint rank = (gint) input->rank;
  gint channels_at, height_at;
  gint64 channels, height, width;
  Value *value;

  if (self->draft != NULL)
    return fail_input (self, input,
        "the network needs a second input beside the picture; one is "
        "supported");
  if (rank != 3 && rank != 4)
    return fail_input (self, input, "it is no picture: 3 or 4 axes are needed");
  channels_at = input->channels_last ? rank - 1 : rank - 3;
  height_at = input->channels_last ? rank - 3 : rank - 2;
  channels = input->dimensions[channels_at];
  if (channels <= 0)
    channels = guess_channels (self->graph, input->name);
  if (channels != 1 && channels != 3)
    return fail_input (self, input,
        "pictures of 1 or 3 channels are supported, this has another number");
  height = input->dimensions[height_at];
  width = input->dimensions[height_at + 1];
  /* too small to tell anything from, or nonsense: any size will do */
  if (height < 8 || height > 16384)
    height = HEIGHT;
  if (width < 8 || width > 16384)
    width = WIDTH;
  self->draft =
      srgan_draft_new (self->graph->name, (guint) channels, height, width);
  value = new_view (self, SRGAN_INPUT_NETWORK, input->rank, channels_at,
      height_at, height_at + 1);
  g_hash_table_replace (self->values, g_strdup (input->name), value);
  return TRUE;
}

/* Works out @node, whose inputs are known. */
static gboolean
lower (Lowering *self, SrganGraphNode *node)
{
  Value *value;

  self->node = node;
  if (node->kind == SRGAN_NODE_SPLIT)
    return lower_split (self);
  if (lower_node[node->kind] == NULL || node->outputs->len < 1)
    return refuse (self, "no such operation");
  if (self->draft == NULL) {
    /* a place for layers is needed by what has a map only; constants come
     * before the picture in many files */
    for (guint i = 0; i < node->inputs->len; i++) {
      Value *input = get_input (self, i);

      if (input != NULL && input->constant == NULL)
        return refuse (self, "a map without a picture");
    }
  } else if (self->draft->layers->len > SRGAN_DRAFT_MAX_LAYERS) {
    return refuse (self, "more than %u layers", SRGAN_DRAFT_MAX_LAYERS);
  }
  value = lower_node[node->kind](self);
  if (value == NULL)
    return refuse (self, "it cannot be converted");
  g_hash_table_replace (
      self->values, g_strdup (g_ptr_array_index (node->outputs, 0)), value);
  return TRUE;
}

/* Lets go of what nothing else needs: large files' weights lie in memory once.
 */
static void
release_inputs (Lowering *self, SrganGraphNode *node)
{
  for (guint i = 0; i < node->inputs->len; i++) {
    const gchar *name = g_ptr_array_index (node->inputs, i);
    guint uses;

    if (name == NULL)
      continue;
    uses = GPOINTER_TO_UINT (g_hash_table_lookup (self->uses, name));
    if (uses > 1) {
      g_hash_table_insert (
          self->uses, (gpointer) name, GUINT_TO_POINTER (uses - 1));
    } else {
      g_hash_table_remove (self->values, name);
      g_hash_table_remove (self->graph->constants, name);
    }
  }
}

static void
count_use (Lowering *self, const gchar *name)
{
  guint uses;

  if (name == NULL)
    return;
  uses = GPOINTER_TO_UINT (g_hash_table_lookup (self->uses, name));
  g_hash_table_insert (
      self->uses, (gpointer) name, GUINT_TO_POINTER (uses + 1));
}

typedef struct {
  SrganGraphNode *node;
  guint next; /* input to look at */
} Frame;

/* Gets the value of @name and all that it needs, without recursion: graphs may
 * be as deep as they are long. */
static gboolean
evaluate (Lowering *self, const gchar *name, GHashTable *open)
{
  g_autoptr (GArray) stack = g_array_new (FALSE, FALSE, sizeof (Frame));

  for (;;) {
    if (name != NULL && !g_hash_table_contains (self->values, name)) {
      SrganConstant *constant =
          g_hash_table_lookup (self->graph->constants, name);
      SrganGraphNode *node = g_hash_table_lookup (self->graph->makers, name);
      const gchar *unknown = g_hash_table_lookup (self->graph->unknown, name);
      g_autofree gchar *shown = g_strescape (name, NULL);
      gboolean found = FALSE;

      for (guint i = 0; i < self->graph->inputs->len; i++) {
        SrganGraphInput *input = g_ptr_array_index (self->graph->inputs, i);

        if (constant == NULL && g_str_equal (input->name, name)) {
          if (!start (self, input))
            return FALSE;
          found = TRUE;
          break;
        }
      }
      if (found) {
        /* done */
      } else if (constant != NULL) {
        g_hash_table_replace (self->values, g_strdup (name),
            new_constant_value (srgan_constant_ref (constant)));
      } else if (node != NULL) {
        Frame frame = {node, 0};

        if (!g_hash_table_add (open, node)) {
          g_set_error (self->error, SRGAN_ERROR, SRGAN_ERROR_CORRUPT,
              "'%.60s' is made of itself", shown);
          return FALSE;
        }
        g_array_append_val (stack, frame);
      } else {
        g_set_error (self->error, SRGAN_ERROR, SRGAN_ERROR_UNSUPPORTED,
            unknown != NULL ? "operation %s is not supported"
                            : "nothing makes the value '%.60s'",
            unknown != NULL ? unknown : shown);
        return FALSE;
      }
    }
    if (stack->len == 0)
      return TRUE;
    {
      Frame *top = &g_array_index (stack, Frame, stack->len - 1);

      if (top->next < top->node->inputs->len) {
        name = g_ptr_array_index (top->node->inputs, top->next++);
        continue;
      }
      if (!lower (self, top->node))
        return FALSE;
      release_inputs (self, top->node);
      g_array_set_size (stack, stack->len - 1);
      name = NULL;
    }
  }
}

SrganDraft *
srgan_graph_lower (SrganGraph *graph, GError **error)
{
  Lowering self = {.graph = graph};
  g_autoptr (GHashTable) open = g_hash_table_new (NULL, NULL);
  g_autoptr (GError) first_error = NULL;
  g_autoptr (GError) own_error = NULL;
  SrganGraphNode end = {.name = (gchar *) "the output"};
  gint best = -2;
  gint64 best_height = 0;

  if (graph->nodes->len > SRGAN_GRAPH_MAX_NODES) {
    g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_TOO_LARGE,
        "a graph of more than %u nodes", SRGAN_GRAPH_MAX_NODES);
    return NULL;
  }
  srgan_graph_index (graph);
  self.error = &own_error;
  self.values =
      g_hash_table_new_full (g_str_hash, g_str_equal, g_free, free_value);
  self.uses = g_hash_table_new (g_str_hash, g_str_equal);
  for (guint i = 0; i < graph->nodes->len; i++) {
    SrganGraphNode *node = g_ptr_array_index (graph->nodes, i);

    for (guint j = 0; j < node->inputs->len; j++)
      count_use (&self, g_ptr_array_index (node->inputs, j));
  }
  for (guint i = 0; i < graph->outputs->len; i++)
    count_use (&self, g_ptr_array_index (graph->outputs, i));
  for (guint i = 0; i < graph->outputs->len; i++) {
    const gchar *name = g_ptr_array_index (graph->outputs, i);
    Value *value;

    /* of several: the largest picture with the input's channels */
    if (evaluate (&self, name, open)) {
      value = g_hash_table_lookup (self.values, name);
      self.node = &end;
      if (value != NULL && value->constant == NULL) {
        Value *map = NULL;
        Roles roles;

        settle (&self, value);
        map = copy_value (value, channels_of (&self, value));
        if (materialise (&self, map, &roles)) {
          gint64 height = srgan_draft_get_height (self.draft, map->layer);

          if (!srgan_draft_is_single (self.draft, map->layer) &&
              height > best_height &&
              (best < -1 || channels_of (&self, map) == self.draft->channels)) {
            best = map->layer;
            best_height = height;
          }
        }
        free_value (map);
      }
    }
    if (own_error != NULL) {
      if (first_error == NULL)
        first_error = g_steal_pointer (&own_error);
      g_clear_error (&own_error);
    }
  }
  g_hash_table_unref (self.values);
  g_hash_table_unref (self.uses);
  if (best < 0) {
    srgan_draft_free (self.draft);
    if (first_error != NULL)
      g_propagate_error (error, g_steal_pointer (&first_error));
    else
      g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_UNSUPPORTED,
          "no output is made of the picture");
    return NULL;
  }
  /* what came after it leads nowhere */
  g_ptr_array_set_size (self.draft->layers, (guint) best + 1);
  srgan_draft_simplify (self.draft);
  return self.draft;
}
