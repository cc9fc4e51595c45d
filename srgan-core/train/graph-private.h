/* train: what the files of the graph share.
 *
 * SPDX-License-Identifier: MIT
 */
#pragma once

#include "kernels/bf16.h"
#include "kernels/int8.h"
#include "kernels/kernels.h"
#include "train/convolve.h"
#include "train/graph.h"

G_BEGIN_DECLS

#define NO_TENSOR G_MAXUINT

/* Strides of maps are multiples of so many floats where loops over them want
 * no rest. */
#define SRGAN_GRAPH_CHUNK 4

/* What a convolution needs beside, in a graph that computes in int8. */
typedef struct _SrganQuantised SrganQuantised;

/* A horizontal, a vertical difference, a Laplacian. */
#define SRGAN_N_EDGES 3

/* The branches beside the 3x3 one: offsets of their tensors. */
typedef struct {
  guint width;                 /* channels between first and second; 0: there
                                  are no branches */
  guint first;                 /* 1x1, [width][in] */
  guint second;                /* 3x3, [out][tap][width] */
  guint edges[SRGAN_N_EDGES];  /* 1x1, [out][in] */
  guint scales[SRGAN_N_EDGES]; /* of the fixed filters behind them, [out] */
} SrganBranches;

typedef struct {
  const SrganLayer *description; /* the network's */
  guint weight;                  /* offsets of its tensors, or NO_TENSOR */
  guint bias;
  guint slope;
  guint gain;       /* batch-norm's weight */
  guint statistic;  /* batch-norm's running mean, running variance;
                       a spectral norm's singular vectors, left, right */
  gboolean carries; /* whether a derivative by its result is needed */
  guint stride;     /* floats from pixel to pixel of its maps */
  /* conv on the engine's kernels: the weights packed; turned: flipped, in and
   * out exchanged, which carries gradients back */
  gboolean on_kernels;
  SrganConvolution forward;
  SrganConvolution turned;
  /* the same in bfloat16; without weights: not done so */
  SrganBf16Convolution forward16;
  SrganBf16Convolution turned16;
  /* under a spectral norm: the weight over its largest singular value; in int8:
   * what its codes come to; of branches: their sum */
  gfloat *effective;
  SrganQuantised *quantised; /* or NULL */
  SrganBranches branches;
  guint64 seed; /* of the first singular vectors, or branches */
  gfloat sigma;
} Node;

struct _SrganGraph {
  SrganNetwork *network;
  guint n_nodes;
  Node *nodes;
  gboolean input_carries;
  const SrganKernels *kernels;
  const SrganInt8Kernels *int8; /* NULL: it computes in floats */
  const SrganBf16Kernels *bf16; /* NULL: of single precision */
  guint input_stride;           /* of the input's gradient */
  GArray *tensors;              /* of SrganParameter */
  guint n_parameters;
  guint border; /* of every map: half the largest kernel */
  const gfloat *parameters;
};

/* A map of bytes, or of words, with the border of the map that it stands for.
 */
typedef struct {
  guint8 *data;
  gsize pixel; /* bytes from pixel to pixel */
  gsize pitch; /* and from row to row */
  gsize first; /* where the map begins inside its border */
} SrganCodes;

/* The maps of one node. Without an activation, before and value are one. */
typedef struct {
  SrganMap before;
  SrganMap value;
  SrganMap gradient;
  SrganCodes codes; /* in int8, of what has them */
  gboolean written; /* backward: whether gradient holds anything yet */
  /* batch-norm: this map's own sums, [2][channels], and what the batch made
   * of all its maps': mean, variance forwards; means of the gradient and of
   * its product with the normalised value backwards. totals NULL: the running
   * statistics are used. */
  gdouble *sums;
  const gdouble *totals;
  const gdouble *totals_back;
} NodeState;

struct _SrganGraphState {
  const SrganGraph *graph;
  gboolean backward;
  gboolean bf16;        /* uses the graph's */
  gboolean defer_dense; /* the batch finds the weight gradient of 1x1 maps */
  NodeState input;
  NodeState *nodes;
  gfloat *scratch;
};

/* What an operation does in each direction. */
typedef struct {
  /* NULL, or why this layer cannot be trained */
  const gchar *(*check) (const SrganLayer *layer);
  void (*forward) (SrganGraphState *state, guint index);
  /* from nodes[index].gradient to its inputs' and, unless that is NULL, to the
   * parameters' */
  void (*backward) (
      SrganGraphState *state, guint index, gfloat *parameter_gradient);
  /* Of operations that look at the whole batch: fills nodes[index].sums before
   * forward and before backward. */
  void (*measure) (SrganGraphState *state, guint index);
  void (*measure_back) (SrganGraphState *state, guint index);
} SrganGraphOperation;

const SrganGraphOperation *srgan_graph_get_operation (SrganOperation operation);
gboolean srgan_graph_can_activate (SrganActivation activation);

/* The weight that a convolution works with. */
static inline const gfloat *
srgan_graph_get_weight (const SrganGraph *graph, const Node *node)
{
  return node->effective != NULL ? node->effective
                                 : graph->parameters + node->weight;
}

static inline gboolean
srgan_graph_input_carries (const SrganGraph *graph, gint input)
{
  return input == SRGAN_INPUT_NETWORK ? graph->input_carries
                                      : graph->nodes[input].carries;
}

/* One node in one direction. */
void srgan_graph_node_forward (SrganGraphState *state, guint index);
void srgan_graph_node_backward (
    SrganGraphState *state, guint index, gfloat *parameter_gradient);

/* A node's derivative through its activation, and what belongs to its slopes
 * and biases; what batch-norm's measure_back needs first. */
void srgan_graph_activate (SrganGraphState *state, guint index);
void srgan_graph_activate_back (
    SrganGraphState *state, guint index, gfloat *parameter_gradient);

/* What the kernels are to know of a convolution's derivative by its weight. */
SrganBf16Derivative srgan_graph_get_derivative (
    const Node *node, const SrganMap *input, const SrganMap *gradient);

guint srgan_graph_add_tensor (SrganGraph *graph, guint layer,
    SrganParameterKind kind, guint rows, guint columns);

/* --- branches.c: what convolutions made of branches do otherwise -------- */

/* From the network's weight, in its place already. */
void srgan_branches_get_parameters (
    const Node *node, guint index, gfloat *parameters);
/* The one convolution that they come to. */
void srgan_branches_fold (
    const Node *node, const gfloat *parameters, gfloat *weight);
void srgan_branches_finish_gradient (
    const SrganGraph *graph, const Node *node, gfloat *gradient);

/* --- quantised.c: what graphs that compute in int8 do otherwise --------- */

void srgan_quantised_free (SrganQuantised *quantised);
/* After what is the same for all, of a node that is quantised. */
void srgan_quantised_get_parameters (const Node *node, gfloat *parameters);
gboolean srgan_quantised_set_parameters (SrganGraph *graph, Node *node);
/* Its layer with what @parameters make of it; the arrays are theirs and the
 * node's, and stay until the next call. */
SrganLayer srgan_quantised_get_layer (
    const Node *node, const gfloat *parameters);
void srgan_quantised_finish_gradient (
    const SrganGraph *graph, const Node *node, gfloat *parameter_gradient);
/* The state's maps of codes. FALSE when memory is out. */
gboolean srgan_quantised_init_codes (SrganGraphState *state);
void srgan_codes_clear (SrganCodes *codes);
/* The network's input in codes, from its map of floats. */
void srgan_quantised_load_input (SrganGraphState *state);
void srgan_quantised_forward (SrganGraphState *state, guint index);
/* No gradient where a code is cut off. */
void srgan_quantised_cut_gradient (SrganGraphState *state, guint index);

/* Between a map and [height][width][channels]. */
void srgan_graph_load_map (const SrganMap *map, const gfloat *values);
void srgan_graph_store_map (const SrganMap *map, gfloat *values);
/* target = source, or target += source if @accumulate. */
void srgan_graph_copy_map (
    const SrganMap *target, const SrganMap *source, gboolean accumulate);

G_END_DECLS
