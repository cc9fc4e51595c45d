/* convert: a network that is being made: layers that can still change.
 *
 * Readers put down what a file says, layer by layer, including three kinds that
 * a network does not have (a gain and offset for each channel, any choice of
 * channels, padding by itself); srgan_draft_simplify() merges these into their
 * neighbours, srgan_draft_finish() makes the network.
 *
 * SPDX-License-Identifier: MIT
 */
#pragma once

#include <srgan/srgan-network.h>

G_BEGIN_DECLS

/* Layers that a draft may hold before it is simplified. */
#define SRGAN_DRAFT_MAX_LAYERS 20000

typedef enum {
  SRGAN_DRAFT_LAYER,  /* as `layer.operation` says */
  SRGAN_DRAFT_GATHER, /* output channel i is input channel channels[i] */
  SRGAN_DRAFT_AFFINE, /* weight[i] x + bias[i] in each channel */
  SRGAN_DRAFT_PAD,    /* `sides` pixels more, from layer.padding */
} SrganDraftKind;

/* The edges of a map in the order of SrganDraftLayer.sides. */
enum { SRGAN_TOP, SRGAN_LEFT, SRGAN_BOTTOM, SRGAN_RIGHT, SRGAN_N_SIDES };

typedef struct {
  SrganDraftKind kind;
  /* name, operation and attributes; in_channels and out_channels are always
   * right; inputs, weights, crop and the rest below are here instead. stride
   * and groups are at least 1. */
  SrganLayer layer;
  GArray *inputs; /* of gint, any number; SRGAN_INPUT_NETWORK for the input */
  gfloat *weight; /* owned; as SrganLayer lays them out, [out] for affine */
  gfloat *bias;
  gfloat *slope;
  guint *channels;  /* gather: [out] */
  gboolean is_norm; /* affine: it was a batch norm */
  gdouble n_pixels; /* affine: it makes sums of means over so many, by which
                       nothing has divided yet */
  /* conv: pixels padded (layer.padding says with what; none: not used);
   * transposed-conv: cut of the full (n - 1) stride + kernel; crop: cut; pad:
   * added */
  gint sides[SRGAN_N_SIDES];
  /* The map in bytes, where the file says so: step (byte - zero), the same for
   * all channels; 0: it does not. */
  gfloat step;
  guint zero;
  /* for the network's layer, [out] */
  gfloat *steps;
  gfloat *int8_bias;
  /* Of the map, were the input as large as the draft says; 1 x 1 with `single`
   * for a mean. */
  gboolean single;
  gint64 height;
  gint64 width;
} SrganDraftLayer;

typedef struct {
  gchar *name;
  guint channels; /* of the input: 1 or 3 */
  gint64 height;  /* sizes for which the draft is worked out */
  gint64 width;
  GPtrArray *layers;           /* of SrganDraftLayer; the last is the output */
  GPtrArray *notes;            /* of gchar: what was done, for the user */
  gboolean features;           /* the output is any map, no picture */
  const gchar *feature_layers; /* features: the network ends with the last of
                                  these, as they will be called, with ;
                                  between; %NULL: with the last of all */
  /* Sums in integers become codes by TensorFlow Lite's arithmetic: times a
   * fraction, rounded, then shifted to the right and rounded again. */
  gboolean rounds_twice;
  /* counts that become notes in the end */
  guint n_constants; /* nodes of the graph that do not depend on the picture */
  guint n_norms;     /* batch norms that other layers took in */
  guint n_affine;    /* other gains and offsets */
  guint n_orders;    /* of channels */
  guint n_pads;
} SrganDraft;

SrganDraft *srgan_draft_new (
    const gchar *name, guint channels, gint64 height, gint64 width);
void srgan_draft_free (SrganDraft *draft);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SrganDraft, srgan_draft_free)

/* Appends a layer that reads @input (give it more by srgan_draft_layer_add_
 * input()), with in_channels and size of that input's map: out_channels too, to
 * be set by the caller where they differ. Index: draft->layers->len - 1. */
SrganDraftLayer *srgan_draft_add (
    SrganDraft *draft, SrganDraftKind kind, const gchar *name, gint input);
void srgan_draft_layer_add_input (SrganDraftLayer *layer, gint input);
SrganDraftLayer *srgan_draft_get (SrganDraft *draft, gint index);
guint srgan_draft_get_channels (SrganDraft *draft, gint index);
gint64 srgan_draft_get_height (SrganDraft *draft, gint index);
gint64 srgan_draft_get_width (SrganDraft *draft, gint index);
gboolean srgan_draft_is_single (SrganDraft *draft, gint index);

/* Whole layers, for which @weight etc. are transferred. Return the index. */
gint srgan_draft_add_affine (SrganDraft *draft, const gchar *name, gint input,
    gfloat *gain, gfloat *offset);
gint srgan_draft_add_activation (SrganDraft *draft, const gchar *name,
    gint input, SrganActivation activation, gfloat low, gfloat high,
    gfloat *slope);

/* Subtracts @mean of each channel of the input. */
void srgan_draft_set_mean (SrganDraft *draft, const gdouble *mean);
/* What the numbers of a picture are in the network's own terms: @low for black
 * and @high for white; puts gains before and after that make them 0 and 1. */
void srgan_draft_set_range (SrganDraft *draft, gdouble input_low,
    gdouble input_high, gdouble output_low, gdouble output_high);
/* Blue first, in and out. */
void srgan_draft_swap_colours (SrganDraft *draft);

/* Removes what does nothing, merges gains, channel orders, paddings and
 * activations into their neighbours. */
void srgan_draft_simplify (SrganDraft *draft);

/**
 * srgan_draft_finish:
 * @draft: a simplified draft; @notes gets what was left out
 * @colour: what goes in and comes out
 *
 * Returns: (transfer full): the network, not yet finished, so that notes can be
 *   set; %NULL with @error set when a layer has no equal
 */
SrganNetwork *srgan_draft_finish (
    SrganDraft *draft, SrganColour colour, GError **error);

G_END_DECLS
