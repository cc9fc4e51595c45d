/* convert: a network as a file's graph has it, before it is one of ours.
 *
 * A reader of a format that carries a graph (ONNX, TensorFlow, ncnn, ...) fills
 * a SrganGraph: named values, constants and nodes, in the words that ONNX uses
 * for them (https://onnx.ai/onnx/operators/), in any order and in either axis
 * order; srgan_graph_lower() works out what it computes, see convert/lower.h,
 * and gives the draft of a network, see convert/draft.h.
 *
 * SPDX-License-Identifier: MIT
 */
#pragma once

#include "convert/draft.h"
#include "convert/reader.h"

G_BEGIN_DECLS

/* Beyond these a graph is taken for nonsense. */
#define SRGAN_GRAPH_MAX_NODES 20000
#define SRGAN_GRAPH_MAX_RANK 8
#define SRGAN_GRAPH_MAX_LIST 64
/* Numbers in a constant that a node computes, not one that lies in a file. */
#define SRGAN_GRAPH_MAX_COMPUTED (1u << 26)

/* --- Constants ----------------------------------------------------------- */

/**
 * SrganConstant:
 *
 * A tensor that is known: weights, or a shape's arithmetic. Row-major. Either
 * @numbers or @integers is set. Reference counted; never changed once shared.
 */
typedef struct {
  guint n_references;
  guint rank;
  gint64 dimensions[SRGAN_GRAPH_MAX_RANK];
  gsize n; /* the product */
  const gfloat *numbers;
  const gint64 *integers;
  GBytes *owner; /* of the above; NULL: g_free() frees them */
} SrganConstant;

/* The product of @dimensions; FALSE with @error set when one of them is
 * negative or it exceeds @limit. */
gboolean srgan_constant_count (guint rank, const gint64 *dimensions,
    guint64 limit, gsize *n, GError **error);
/* Room for numbers (@integers NULL in the result) or integers, which the caller
 * fills through the pointer. */
SrganConstant *srgan_constant_new_numbers (
    guint rank, const gint64 *dimensions, gsize n, gfloat **numbers);
SrganConstant *srgan_constant_new_integers (
    guint rank, const gint64 *dimensions, gsize n, gint64 **integers);
/* @n integers as a vector; a number or integer of rank 0. */
SrganConstant *srgan_constant_new_vector (const gint64 *integers, gsize n);
SrganConstant *srgan_constant_new_scalar (gdouble number);
/* Numbers that lie in @owner, aligned for gfloat, in this machine's order. */
SrganConstant *srgan_constant_new_shared (guint rank, const gint64 *dimensions,
    gsize n, const gfloat *numbers, GBytes *owner);
SrganConstant *srgan_constant_ref (SrganConstant *constant);
void srgan_constant_unref (SrganConstant *constant);
gdouble srgan_constant_get (const SrganConstant *constant, gsize index);

/* --- Nodes --------------------------------------------------------------- */

/* In parentheses: the inputs, those in brackets may be absent; then attributes,
 * fields of SrganGraphNode. Maps may lie as NCHW or, with `channels_last`,
 * NHWC. */
typedef enum {
  SRGAN_NODE_IDENTITY,        /* (x): any that changes no number */
  SRGAN_NODE_CAST,            /* (x); integer: to whole numbers */
  SRGAN_NODE_QUANTISE,        /* (x): x in bytes: alpha (byte - beta) */
  SRGAN_NODE_CONV,            /* (x, weight, [bias]) strides dilations pads
                                 padding groups weight_order channels_last */
  SRGAN_NODE_TRANSPOSED_CONV, /* (x, weight, [bias]) the same; output_padding */
  SRGAN_NODE_MATMUL,          /* (x, weight, [bias]) transpose_weight */
  SRGAN_NODE_BATCH_NORM,      /* (x, gain, offset, mean, variance) alpha: the
                                 epsilon; channels_last */
  SRGAN_NODE_ADD,             /* (x, ...) */
  SRGAN_NODE_SUBTRACT,        /* (x, y) */
  SRGAN_NODE_MULTIPLY,        /* (x, ...) */
  SRGAN_NODE_DIVIDE,          /* (x, y) */
  SRGAN_NODE_MINIMUM,         /* (x, ...) */
  SRGAN_NODE_MAXIMUM,         /* (x, ...) */
  SRGAN_NODE_POWER,           /* (x, y) */
  SRGAN_NODE_MODULO,          /* (x, y) */
  SRGAN_NODE_EQUAL,           /* (x, y) */
  SRGAN_NODE_WHERE,           /* (condition, x, y) */
  SRGAN_NODE_NEGATE,          /* (x) and so on, elementwise: */
  SRGAN_NODE_ABSOLUTE,
  SRGAN_NODE_SQRT,
  SRGAN_NODE_RECIPROCAL_SQRT,
  SRGAN_NODE_RECIPROCAL,
  SRGAN_NODE_SQUARE,
  SRGAN_NODE_EXP,
  SRGAN_NODE_FLOOR,
  SRGAN_NODE_CEIL,
  SRGAN_NODE_ROUND,
  SRGAN_NODE_RELU,
  SRGAN_NODE_LEAKY_RELU,   /* (x) alpha: the slope */
  SRGAN_NODE_PRELU,        /* (x, slope) */
  SRGAN_NODE_CLIP,         /* (x, [low], [high]) */
  SRGAN_NODE_SIGMOID,      /* (x) */
  SRGAN_NODE_TANH,         /* (x) */
  SRGAN_NODE_SILU,         /* (x) */
  SRGAN_NODE_HARD_SIGMOID, /* (x): clip (alpha x + beta, 0, 1) */
  SRGAN_NODE_HARD_SWISH,   /* (x): x times the above */
  SRGAN_NODE_CONCAT,       /* (x, ...) axis */
  SRGAN_NODE_STACK,        /* (x, ...) axis: concat along a new one */
  SRGAN_NODE_SPLIT,        /* (x, [sizes]) axis: as many as there are outputs */
  SRGAN_NODE_SLICE,        /* (x, starts, ends, [axes], [steps]) */
  SRGAN_NODE_STRIDED_SLICE,  /* (x, starts, ends, [steps]); list: TensorFlow's
                                begin, end, ellipsis, new and shrink masks */
  SRGAN_NODE_SLICE_SIZE,     /* (x, starts, sizes): TensorFlow's Slice */
  SRGAN_NODE_GATHER,         /* (x, indices) axis */
  SRGAN_NODE_TRANSPOSE,      /* (x, [order]); list: the order, else reversed */
  SRGAN_NODE_RESHAPE,        /* (x, [shape]); list; keep_zero: 0 is itself */
  SRGAN_NODE_FLATTEN,        /* (x) axis */
  SRGAN_NODE_SQUEEZE,        /* (x, [axes]); list */
  SRGAN_NODE_UNSQUEEZE,      /* (x, [axes]); list */
  SRGAN_NODE_EXPAND,         /* (x, shape) */
  SRGAN_NODE_TILE,           /* (x, repeats) */
  SRGAN_NODE_PAD,            /* (x, amounts, [value], [axes]) mode; amounts as
                                ONNX has them, or TensorFlow's [rank][2] */
  SRGAN_NODE_RESIZE,         /* (x, [scales], [sizes]) filter coordinates
                                cubic_a: of all axes, or of the last that there
                                are numbers for; channels_last: of H and W */
  SRGAN_NODE_DEPTH_TO_SPACE, /* (x) block channels_last depth_first */
  SRGAN_NODE_SPACE_TO_DEPTH, /* (x) block channels_last depth_first */
  SRGAN_NODE_MAX_POOL,       /* (x) kernel strides pads padding channels_last
                                ceil_mode */
  SRGAN_NODE_AVERAGE_POOL,   /* (x) likewise */
  SRGAN_NODE_MEAN,           /* (x, [axes]); list; keep_axes; no axes: all but
                                batch and channels */
  SRGAN_NODE_SUM,            /* likewise */
  SRGAN_NODE_SHAPE,          /* (x) first, last: axes */
  SRGAN_NODE_FILL,           /* (shape, [value]) */
  SRGAN_NODE_RANGE,          /* (start, end, step) */
  SRGAN_N_NODES,
} SrganNodeKind;

/* Where a convolution's weights have their axes: O the channels that come out
 * (of a group, for transposed ones), I those that go in (of a group, for the
 * others), H and W the kernel's. */
typedef enum {
  SRGAN_WEIGHT_OIHW, /* ONNX, PyTorch, ncnn */
  SRGAN_WEIGHT_IOHW, /* ONNX and PyTorch, transposed */
  SRGAN_WEIGHT_HWIO, /* TensorFlow */
  SRGAN_WEIGHT_HWOI, /* TensorFlow, transposed; depthwise: O are the channels
                        that go in and I how many come out for each */
  SRGAN_WEIGHT_OHWI, /* TensorFlow Lite */
  SRGAN_WEIGHT_IHWO, /* TensorFlow Lite, depthwise: I is 1 */
} SrganWeightOrder;

typedef enum {
  SRGAN_PADS_GIVEN,      /* pads */
  SRGAN_PADS_SAME,       /* output = input / stride, surplus at the end */
  SRGAN_PADS_SAME_LOWER, /* surplus at the beginning */
  SRGAN_PADS_VALID,      /* none */
} SrganPads;

/* Where sample i of the result lies in the input, s times as small. */
typedef enum {
  SRGAN_COORDINATES_HALF_PIXEL,    /* (i + 1/2) / s - 1/2 */
  SRGAN_COORDINATES_ASYMMETRIC,    /* i / s */
  SRGAN_COORDINATES_ALIGN_CORNERS, /* i (n - 1) / (s n - 1) */
} SrganCoordinates;

typedef struct {
  SrganNodeKind kind;
  gchar *name;        /* for messages and the layer's name */
  GPtrArray *inputs;  /* of gchar: names of values; NULL where absent */
  GPtrArray *outputs; /* likewise */

  gboolean channels_last;
  SrganWeightOrder weight_order;
  gboolean depthwise; /* conv: groups are the channels that go in */
  gint64 groups;
  gint64 kernel[2];  /* height, width */
  gint64 strides[2]; /* height, width */
  gint64 dilations[2];
  gint64 pads[4]; /* top, left, bottom, right */
  SrganPads padding;
  gint64 output_padding[2];
  gboolean ceil_mode; /* pooling: windows may reach beyond the map's end */
  gboolean transpose_weight;
  gint64 axis;
  gint64 list[SRGAN_GRAPH_MAX_LIST];
  guint n_list;
  gboolean has_list;
  gboolean keep_zero;
  gboolean keep_axes;
  guint joined; /* mean, sum: an axis, counted from 1, over which the node
                   before has left the same to it; set by lowering */
  gboolean integer;
  gboolean depth_first; /* channel = c block^2 + (dy block + dx), PyTorch's, not
                           (dy block + dx) c_out + c */
  gint64 block;
  gint64 first, last; /* shape: axes first to last, not last itself */
  gdouble alpha, beta;
  SrganPadding mode; /* pad: zero, edge or reflect */
  SrganFilter filter;
  SrganCoordinates coordinates;
  gdouble cubic_a;
} SrganGraphNode;

/* --- Graphs -------------------------------------------------------------- */

typedef struct _SrganGraph SrganGraph;

SrganGraph *srgan_graph_new (const gchar *name);
void srgan_graph_free (SrganGraph *graph);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SrganGraph, srgan_graph_free)

/* The picture: @dimensions in the value's own order, 0 or less where the file
 * leaves one open. Of several inputs that are given the one that the output
 * needs counts. */
void srgan_graph_add_input (SrganGraph *graph, const gchar *name, guint rank,
    const gint64 *dimensions, gboolean channels_last);
/* (transfer full): @constant */
void srgan_graph_add_constant (
    SrganGraph *graph, const gchar *name, SrganConstant *constant);
gboolean srgan_graph_has_value (SrganGraph *graph, const gchar *name);
/* A node with standard attributes, to be filled by the caller; owned by
 * @graph. */
SrganGraphNode *srgan_graph_add_node (
    SrganGraph *graph, SrganNodeKind kind, const gchar *name);
void srgan_graph_node_add_input (SrganGraphNode *node, const gchar *value);
void srgan_graph_node_add_output (SrganGraphNode *node, const gchar *value);
/* The next input is a constant of its own: (transfer full) @constant. */
void srgan_graph_node_add_constant (
    SrganGraph *graph, SrganGraphNode *node, SrganConstant *constant);
/* A node of one input and output that differ in name. */
SrganGraphNode *srgan_graph_add_simple (SrganGraph *graph, SrganNodeKind kind,
    const gchar *input, const gchar *output);
void srgan_graph_add_output (SrganGraph *graph, const gchar *name);
/* A node that the engine has nothing for: an error where the output needs
 * it. */
void srgan_graph_add_unknown (SrganGraph *graph, const gchar *operation,
    const gchar *name, const gchar *const *outputs, guint n_outputs);

/* After the last node: makes values' names lead to the nodes that make them. */
void srgan_graph_index (SrganGraph *graph);

/* For lower*.c and tests. */
typedef struct {
  gchar *name;
  guint rank;
  gint64 dimensions[SRGAN_GRAPH_MAX_RANK];
  gboolean channels_last;
} SrganGraphInput;

struct _SrganGraph {
  gchar *name;
  GPtrArray *inputs;     /* of SrganGraphInput */
  GPtrArray *nodes;      /* of SrganGraphNode */
  GPtrArray *outputs;    /* of gchar */
  GHashTable *constants; /* name -> SrganConstant */
  GHashTable *makers;    /* name of a value -> SrganGraphNode */
  GHashTable *unknown;   /* name of a value -> what makes it, in words */
  guint n_own;           /* constants without a name so far */

  gboolean features; /* srgan_graph_lower(): the output is the last map */
  /* What the file tells of the values at both ends; high 0: nothing. */
  gdouble input_low, input_high;
  gdouble output_low, output_high;
  gboolean blue_first;
  gboolean ycbcr;        /* three channels are luma and chroma */
  gboolean rounds_twice; /* see SrganDraft */
};

/**
 * srgan_graph_lower:
 * @graph: what a reader has made of a file
 *
 * Works out what the graph's output is as layers of a network.
 *
 * Returns: (transfer full): the draft, simplified, or %NULL with @error naming
 *   the node that has no equal and why
 */
SrganDraft *srgan_graph_lower (SrganGraph *graph, GError **error);

/* Lowers @graph, fits both ends to our values and finishes the network: what a
 * reader's last call is. */
SrganNetwork *srgan_graph_build (SrganGraph *graph,
    const SrganConvertOptions *options, SrganConvertReport *report,
    GError **error);
/* Likewise from a draft that was made without a graph, whose values at the ends
 * @graph tells (without nodes). */
SrganNetwork *srgan_graph_finish (SrganGraph *graph, SrganDraft *draft,
    const SrganConvertOptions *options, SrganConvertReport *report,
    GError **error);

/* Sets report->licence from a named text of the file, if it is one. */
void srgan_report_licence (
    SrganConvertReport *report, const gchar *name, const gchar *text);

G_END_DECLS
