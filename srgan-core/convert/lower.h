/* convert: for the files lower*.c: what is known of a graph's values.
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
 * Functions srgan_lower_* make the value of the node at work and give %NULL
 * with the error set where there is none.
 *
 * SPDX-License-Identifier: MIT
 */
#pragma once

#include "convert/draft.h"
#include "convert/graph.h"

G_BEGIN_DECLS

#define SRGAN_MAX_PIECES 12

/* --- Values --------------------------------------------------------------- */

typedef enum {
  SRGAN_AXIS_CHANNELS,
  SRGAN_AXIS_HEIGHT,
  SRGAN_AXIS_WIDTH,
  SRGAN_AXIS_REPEAT
} SrganAxis;

/* Every @step'th index of @axis, @size of them. */
typedef struct {
  SrganAxis axis;
  gint64 size;
  gint64 step;
} SrganPiece;

/* The product of its pieces' sizes is its own; none: 1. */
typedef struct {
  guint n;
  SrganPiece pieces[SRGAN_MAX_PIECES];
} SrganDimension;

typedef struct {
  SrganConstant *constant; /* else a view: */
  gint layer;
  guint rank;
  SrganDimension dimensions[SRGAN_GRAPH_MAX_RANK];
  /* slopes for positive and negative x, for each of the layer's channels; NULL:
   * x itself */
  gfloat *positive;
  gfloat *negative;
  gint settled; /* the layer with them applied, once there is one; else -2 */
} SrganValue;

/* Which dimensions hold what; -1: none has more than one. */
typedef struct {
  gint channels, height, width;
} SrganRoles;

/* --- The pass ------------------------------------------------------------- */

typedef struct {
  SrganGraph *graph;
  SrganDraft *draft;
  SrganGraphNode *node; /* at work */
  GHashTable *values;   /* name -> SrganValue */
  GHashTable *uses;     /* name -> nodes that still need it */
  guint64 n_computed;   /* numbers in computed constants */
  guint n_constants;    /* nodes that gave one */
  GError **error;
} SrganLowering;

/* --- Values and views (lower-value.c) ------------------------------------- */

void srgan_value_free (gpointer data);
SrganValue *srgan_value_new_constant (SrganConstant *constant);
/* @n_channels: of its layer; 0 for a constant. */
SrganValue *srgan_value_copy (const SrganValue *value, guint n_channels);
gint64 srgan_dimension_get_size (const SrganDimension *dimension);
guint srgan_value_get_rank (const SrganValue *value);
gint64 srgan_value_get_dimension (const SrganValue *value, guint axis);
/* Adds one behind the others; FALSE when there are too many. */
gboolean srgan_dimension_add_piece (
    SrganDimension *dimension, SrganAxis axis, gint64 size, gint64 step);
gboolean srgan_value_same_view (const SrganValue *a, const SrganValue *b);
/* Sets the error, that the node at work has this wrong, unless there is one;
 * gives FALSE. */
G_GNUC_PRINTF (2, 3)
gboolean srgan_lowering_refuse (SrganLowering *self, const gchar *format, ...);
/* Likewise; gives %NULL. */
SrganValue *srgan_lowering_refuse_value (
    SrganLowering *self, const gchar *text);
/* Those of its layer. */
guint srgan_lowering_get_channels (
    SrganLowering *self, const SrganValue *value);
/* %NULL: there is none. */
SrganValue *srgan_lowering_get_input (SrganLowering *self, guint number);
/* %NULL: there is none, or it is a map. */
SrganConstant *srgan_lowering_get_constant (SrganLowering *self, guint number);
/* That a constant of this shape is not too much to compute; its count. */
gboolean srgan_lowering_may_compute (
    SrganLowering *self, guint rank, const gint64 *dimensions, gsize *n);
/* The view of a whole map: which of @rank dimensions are channels, height and
 * width; -1: none. */
SrganValue *srgan_lowering_new_view (SrganLowering *self, gint layer,
    guint rank, gint channels, gint height, gint width);
/* Neighbours that are one piece become one. */
void srgan_dimension_merge (SrganDimension *dimension);
/* Whether two layers' maps are of one height and width. */
gboolean srgan_lowering_same_size (SrganLowering *self, gint a, gint b);
/* An axis as files count it, from the end where negative. */
gboolean srgan_lowering_check_axis (
    SrganLowering *self, gint64 axis, guint rank, guint *result);
/* The integers of input @number, or the node's own list; FALSE without the
 * error set where there are none. */
gboolean srgan_lowering_get_integers (
    SrganLowering *self, guint number, gint64 *integers, guint *n);
/* Applies a value's slopes; gives the layer. */
gint srgan_lowering_settle (SrganLowering *self, SrganValue *value);
/* @value through p x for x > 0 and q x below, given for each channel. */
SrganValue *srgan_lowering_apply_slopes (SrganLowering *self,
    const SrganValue *value, const gfloat *above, const gfloat *below);
/* Likewise, the same for all. */
SrganValue *srgan_lowering_apply_slope (
    SrganLowering *self, const SrganValue *value, gfloat above, gfloat below);
/* The same view of another layer with as many channels. */
SrganValue *srgan_value_with_layer (const SrganValue *value, gint layer);
gboolean srgan_dimension_has_axis (
    const SrganDimension *dimension, SrganAxis axis);
/* Makes @value a whole map, in the order of dimensions that it has, adding the
 * layers that its view stands for. */
gboolean srgan_lowering_materialise (
    SrganLowering *self, SrganValue *value, SrganRoles *roles);
/* A copy of input @number as a whole map; NULL with the error set. */
SrganValue *srgan_lowering_get_map (
    SrganLowering *self, guint number, SrganRoles *roles);
/* That height and width lie where the node wants them. */
gboolean srgan_lowering_check_order (
    SrganLowering *self, const SrganValue *map, const SrganRoles *roles);
/* @layer's whole map with its axes where @map's are. */
SrganValue *srgan_lowering_view_like (SrganLowering *self, gint layer,
    const SrganValue *map, const SrganRoles *roles);

/* --- Constants (lower-constant.c) ----------------------------------------- */

/* Output index i -> sum of (coordinate * step) + start. */
typedef struct {
  guint rank;
  const gint64 *dimensions;
  gint64 steps[SRGAN_GRAPH_MAX_RANK];
  gint64 starts[SRGAN_GRAPH_MAX_RANK];
  gint64 own[SRGAN_GRAPH_MAX_RANK]; /* the input's dimension, for tiles */
  gint64 strides[SRGAN_GRAPH_MAX_RANK];
} SrganWalk;

/* Nonsense for an integer is 0. */
gint64 srgan_lowering_to_integer (gdouble x);
gdouble srgan_lowering_compute_one (const SrganGraphNode *node, gdouble x);
/* Walks the elements of a constant as spread to @rank dimensions. */
gsize srgan_lowering_get_spread_index (const SrganConstant *constant,
    guint rank, const gint64 *dimensions, gsize index);
/* The shape that both spread to. */
gboolean srgan_lowering_spread_shapes (SrganLowering *self,
    const SrganConstant *a, const SrganConstant *b, guint *rank,
    gint64 *dimensions);
/* Of two constants, spread to each other. */
SrganConstant *srgan_lowering_compute_two (SrganLowering *self,
    SrganNodeKind kind, const SrganConstant *a, const SrganConstant *b);
/* For srgan_lowering_pick(); @data: the walk. */
gsize srgan_walk_get_place (gsize i, gpointer data);
/* All of @constant, in its own order; change it from there. */
void srgan_walk_init (SrganWalk *walk, const SrganConstant *constant,
    guint rank, const gint64 *dimensions);
/* Copies @constant's elements into a new shape, element i from
 * place (i, data). */
SrganValue *srgan_lowering_pick (SrganLowering *self,
    const SrganConstant *constant, guint rank, const gint64 *dimensions,
    gsize (*place) (gsize i, gpointer data), gpointer data);
SrganValue *srgan_lower_shape (SrganLowering *self);
SrganValue *srgan_lower_fill (SrganLowering *self);
SrganValue *srgan_lower_range (SrganLowering *self);
SrganValue *srgan_lower_cast (SrganLowering *self);
/* Between constants, or whole maps by a condition that is the same for all. */
SrganValue *srgan_lower_where (SrganLowering *self);
SrganValue *srgan_lower_identity (SrganLowering *self);

/* --- Arithmetic (lower-elementwise.c) ------------------------------------- */

/* gain x + offset; either may be NULL. Takes both. */
SrganValue *srgan_lowering_add_affine (
    SrganLowering *self, SrganValue *value, gfloat *gain, gfloat *offset);
/* Whatever @a and @b are. */
SrganValue *srgan_lowering_combine (
    SrganLowering *self, SrganNodeKind kind, SrganValue *a, SrganValue *b);
SrganValue *srgan_lower_two (SrganLowering *self);
SrganValue *srgan_lower_quantise (SrganLowering *self);
/* Of two or more inputs. */
SrganValue *srgan_lower_many (SrganLowering *self);
SrganValue *srgan_lower_one (SrganLowering *self);
SrganValue *srgan_lower_hard (SrganLowering *self);
SrganValue *srgan_lower_prelu (SrganLowering *self);
SrganValue *srgan_lower_clip (SrganLowering *self);

/* --- Axes (lower-shape.c) ------------------------------------------------- */

SrganValue *srgan_lowering_reshape (
    SrganLowering *self, SrganValue *x, guint rank, const gint64 *dimensions);
SrganValue *srgan_lower_reshape (SrganLowering *self);
SrganValue *srgan_lower_axes (SrganLowering *self);
SrganValue *srgan_lowering_transpose (
    SrganLowering *self, SrganValue *x, const gint64 *order, guint n);
SrganValue *srgan_lower_transpose (SrganLowering *self);
/* Expand and tile. */
SrganValue *srgan_lower_repeats (SrganLowering *self);
SrganValue *srgan_lower_depth_to_space (SrganLowering *self);

/* --- Parts (lower-part.c) ------------------------------------------------- */

SrganValue *srgan_lower_slice (SrganLowering *self);
/* TensorFlow's Slice: sizes instead of ends, -1: the rest. */
SrganValue *srgan_lower_slice_size (SrganLowering *self);
SrganValue *srgan_lower_strided_slice (SrganLowering *self);
SrganValue *srgan_lower_gather (SrganLowering *self);
/* Puts the parts into the outputs' names. */
gboolean srgan_lower_split (SrganLowering *self);
SrganValue *srgan_lower_concat (SrganLowering *self);

/* --- Products (lower-convolution.c) --------------------------------------- */

/* Where in a weight order's four axes O, I, H and W lie. */
typedef struct {
  guint out, in, height, width;
} SrganWeightAxes;

/* For each SrganWeightOrder. */
extern const SrganWeightAxes srgan_weight_axes[];

SrganValue *srgan_lower_conv (SrganLowering *self);
SrganValue *srgan_lower_matmul (SrganLowering *self);
SrganValue *srgan_lower_batch_norm (SrganLowering *self);

/* --- Neighbourhoods (lower-neighbourhood.c) ------------------------------- */

SrganValue *srgan_lower_pad (SrganLowering *self);
SrganValue *srgan_lower_pool (SrganLowering *self);
SrganValue *srgan_lower_mean (SrganLowering *self);

/* --- Enlarging (lower-resample.c) ----------------------------------------- */

SrganValue *srgan_lower_resize (SrganLowering *self);

G_END_DECLS
