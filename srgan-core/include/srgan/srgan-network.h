/* srgan-core: networks: their description, weights, file and built-ins.
 *
 * A network is a list of layers in the order in which they can be computed.
 * Each layer has a name, one operation and named inputs; the last layer's
 * output is the network's. A finished network never changes, may be shared by
 * any number of threads and is reference counted.
 *
 * SPDX-License-Identifier: MIT
 */
#pragma once

#include <glib-object.h>
#include <srgan/srgan-error.h>

G_BEGIN_DECLS

/* What a feature map holds at the network's two ends. Nicks: y, rgb, ycbcr. */
typedef enum {
  SRGAN_COLOUR_Y,     /* 1 channel: luma */
  SRGAN_COLOUR_RGB,   /* 3 channels: R'G'B' */
  SRGAN_COLOUR_YCBCR, /* 3 channels: Y' Cb Cr, chroma centred on 0.5 */
  SRGAN_N_COLOURS,
} SrganColour;

/* The operations; network/operations.c is the one table of what each takes.
 * Files name them by the nick in the comment. */
typedef enum {
  SRGAN_OPERATION_CONV,            /* conv */
  SRGAN_OPERATION_TRANSPOSED_CONV, /* transposed-conv */
  SRGAN_OPERATION_LINEAR,          /* linear: a matrix on a 1x1 map */
  SRGAN_OPERATION_GLOBAL_MEAN,     /* global-mean: the map's mean, 1x1 */
  SRGAN_OPERATION_MAX_POOL,        /* max-pool */
  SRGAN_OPERATION_ADD,             /* add: elementwise; 1x1 maps spread */
  SRGAN_OPERATION_MULTIPLY,        /* multiply: likewise */
  SRGAN_OPERATION_CONCAT,          /* concat: along channels */
  SRGAN_OPERATION_SLICE,           /* slice: channels [first, first + out) */
  SRGAN_OPERATION_CROP,            /* crop: `crop` pixels off each side */
  SRGAN_OPERATION_PIXEL_SHUFFLE,   /* pixel-shuffle: depth to space */
  SRGAN_OPERATION_PIXEL_UNSHUFFLE, /* pixel-unshuffle: space to depth */
  SRGAN_OPERATION_RESIZE,     /* resize: enlarges by `factor`; with a second
                                 input, to that one's size, whatever the
                                 frame's (its values are not read) */
  SRGAN_OPERATION_ACTIVATION, /* activation: nothing but that */
  SRGAN_OPERATION_BATCH_NORM, /* batch-norm: folded on load */
  SRGAN_N_OPERATIONS,
} SrganOperation;

/* Applied to a layer's result, per channel. Nicks as in the comment. */
typedef enum {
  SRGAN_ACTIVATION_NONE,         /* none */
  SRGAN_ACTIVATION_RELU,         /* relu */
  SRGAN_ACTIVATION_LEAKY_RELU,   /* leaky-relu: slope `activation_low` */
  SRGAN_ACTIVATION_PRELU,        /* prelu: tensor NAME.slope, [out] */
  SRGAN_ACTIVATION_SILU,         /* silu: x * sigmoid (x) */
  SRGAN_ACTIVATION_CLIP,         /* clip: to activation_low .. _high */
  SRGAN_ACTIVATION_TANH,         /* tanh */
  SRGAN_ACTIVATION_SIGMOID,      /* sigmoid */
  SRGAN_ACTIVATION_SPLINE,       /* spline: tensor NAME.slope, [3][out]: the
                                    slopes at x <= -1, 0 and x >= 1 */
  SRGAN_ACTIVATION_ROOT,         /* root: of x + `activation_low` (0 below) */
  SRGAN_ACTIVATION_INVERSE_ROOT, /* inverse-root: 1 over that: with means of
                                    squares, a norm */
  SRGAN_N_ACTIVATIONS,
} SrganActivation;

/* What a convolution reads beyond the map's edge. Where it pads, output (x, y)
 * is centred on input (x, y) * stride: of the kernel_width - 1 pixels that are
 * lacking, (kernel_width - 1) / 2, rounded down, lie to the left, the rest to
 * the right; likewise above and below. */
typedef enum {
  SRGAN_PADDING_ZERO,    /* zero: zeros, output as large as the input */
  SRGAN_PADDING_EDGE,    /* edge: the edge pixel repeated */
  SRGAN_PADDING_REFLECT, /* reflect: mirrored, edge not repeated */
  SRGAN_PADDING_NONE,    /* none: nothing, the output is smaller */
  SRGAN_N_PADDINGS,
} SrganPadding;

/* How a resize interpolates; half-pixel centres, edges repeated. */
typedef enum {
  SRGAN_FILTER_NEAREST,  /* nearest */
  SRGAN_FILTER_BILINEAR, /* bilinear */
  SRGAN_FILTER_BICUBIC,  /* bicubic: Keys 1981, a = -0.5 */
  SRGAN_N_FILTERS,
} SrganFilter;

/* The numbers that a network is computed in. Nicks as in the comment. */
typedef enum {
  SRGAN_PRECISION_AUTO, /* auto: left to the engine */
  SRGAN_PRECISION_FP32, /* fp32: single precision */
  SRGAN_PRECISION_INT8, /* int8: 8-bit integers wherever that is possible */
  SRGAN_PRECISION_BF16, /* bf16: products of bfloat16, sums of fp32 */
  SRGAN_N_PRECISIONS,
} SrganPrecision;

#define SRGAN_LAYER_MAX_INPUTS 16

/* An index in SrganLayer.inputs that stands for the network's own input. */
#define SRGAN_INPUT_NETWORK (-1)

/**
 * SrganLayer:
 *
 * One layer. Read it from a finished network, or fill one for
 * srgan_network_add_layer(), which copies everything it points to.
 */
typedef struct {
  gchar *name; /* unique, [A-Za-z0-9_-]+; not "input" */
  SrganOperation operation;
  guint n_inputs;                      /* 1 .. SRGAN_LAYER_MAX_INPUTS */
  gint inputs[SRGAN_LAYER_MAX_INPUTS]; /* indices of earlier layers, or
                                          SRGAN_INPUT_NETWORK. Of the layers
                                          named all, and the last one alone,
                                          must lead to the output */
  guint out_channels; /* conv, transposed-conv, linear, slice: given;
                         all others: worked out */
  guint kernel_width; /* conv, transposed-conv, max-pool */
  guint kernel_height;
  guint stride;         /* conv, transposed-conv, max-pool; 0 is taken as 1 */
  guint groups;         /* conv, transposed-conv; 0 is taken as 1 */
  SrganPadding padding; /* conv; transposed-conv gives stride times its input
                           (of the kernel - stride surplus, half, rounded up,
                           is cut at the left and top), max-pool does not pad */
  guint ceil_mode;      /* max-pool: 1: windows may reach beyond the right and
                           lower edge, where only what is in the map counts, so
                           that none of its pixels is left out; 0: they may not.
                           The stride may not exceed the kernel then */
  guint factor;       /* pixel-shuffle, pixel-unshuffle, resize of one input */
  SrganFilter filter; /* resize */
  guint first;        /* slice: the first channel taken */
  guint crop;         /* crop: pixels off each side */
  SrganActivation activation;
  gfloat activation_low;  /* leaky-relu: slope; clip: lower bound;
                             root, inverse-root: what is added to x */
  gfloat activation_high; /* clip: upper bound */

  /* Weights, float32, owned by the network; NULL where a layer has none.
   * conv: [out][in / groups][ky][kx] (cross-correlation, as PyTorch's);
   * transposed-conv: [in][out / groups][ky][kx]; linear: [out][in];
   * batch-norm: [4][channels]: weight, bias, running mean, running variance,
   * epsilon in activation_low (so it takes no activation of its own). */
  const gfloat *weight;
  const gfloat *bias;  /* [out] or NULL */
  const gfloat *slope; /* prelu [out], spline [3][out], else NULL */

  /* What a plan of int8 precision needs besides; other plans do not look at
   * it. NULL where a layer has none. A map with steps is kept in bytes:
   * value = output_step[channel] * (byte - output_zero), 0 <= byte <= 255. If
   * anything but a convolution reads it, all of its steps are the same. */
  const gfloat *output_step; /* [out], above 0 */
  guint output_zero;         /* 0 .. 255 */
  /* conv of a map with steps: sum of products times weight_step[out], with
   * codes that are whole numbers, -127 .. 127, laid out as the weights:
   * weight[out][in] is about weight_step[out] code[out][in] / step[in], step
   * being the input's. Without codes the nearest are taken, without
   * weight_step the smallest that no weight exceeds. */
  const gfloat *weight_code;
  const gfloat *weight_step; /* [out], above 0 */
  const gfloat *int8_bias;   /* conv, [out]: in the place of bias */

  /* Worked out when the layer is added. */
  guint in_channels; /* the sum over the inputs for concat */
  guint scale_up;    /* size against the network's input: */
  guint scale_down;  /*   up / down, in lowest terms; 0 / 1 for 1x1 */
  guint lost_width;  /* pixels by which the map is smaller than that, both */
  guint lost_height; /*   sides together: padding none, crop, max-pool */
} SrganLayer;

typedef struct _SrganNetwork SrganNetwork;

#define SRGAN_TYPE_NETWORK (srgan_network_get_type ())
SRGAN_API
GType srgan_network_get_type (void);

SRGAN_API
SrganNetwork *srgan_network_ref (SrganNetwork *network);
SRGAN_API
void srgan_network_unref (SrganNetwork *network);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SrganNetwork, srgan_network_unref)

/* --- Getting one ------------------------------------------------------- */

/**
 * srgan_network_open:
 * @model: a built-in's name ("fast-clean-x2", or "fast-clean" for the scale
 *   asked for), or the path of a model file (anything with a '/' or ending in
 *   ".safetensors")
 * @scale: the scale wanted, 2 .. 4, or 0: the model's own (a built-in named
 *   without its scale: 2)
 * @note: (out) (optional) (nullable): set to a sentence for the user where
 *   another built-in than the one asked for was taken, else %NULL
 *
 * A built-in that does not exist falls back to the nearest of the same scale
 * that costs no more. A @scale that contradicts a model is
 * %SRGAN_ERROR_INVALID.
 *
 * Returns: (transfer full): the network, or %NULL with @error set
 */
SRGAN_API
SrganNetwork *srgan_network_open (
    const gchar *model, guint scale, gchar **note, GError **error);

/* Reads a model file (transfer full). Every number in it is distrusted. */
SRGAN_API
SrganNetwork *srgan_network_load (const gchar *path, GError **error);
SRGAN_API
SrganNetwork *srgan_network_load_bytes (
    GBytes *bytes, const gchar *name_for_errors, GError **error);

/* Writes a model file under a temporary name and renames it. */
SRGAN_API
gboolean srgan_network_save (
    SrganNetwork *network, const gchar *path, GError **error);
/* Likewise with the weights as IEEE 754 binary16, rounded to the nearest: half
 * as large. Biases and slopes, few and added to large sums, stay as they are.
 * %SRGAN_ERROR_UNSUPPORTED when a weight is beyond what binary16 can hold. */
SRGAN_API
gboolean srgan_network_save_half (
    SrganNetwork *network, const gchar *path, GError **error);

/* Names of the embedded networks, PRESET-TUNE-xSCALE, cheapest first:
 * %NULL-terminated, owned by the library. */
SRGAN_API
const gchar *const *srgan_network_list_builtins (void);

/* The presets (how much work) and tunes (what for), in the order of their
 * cost; %NULL-terminated, owned by the library. */
SRGAN_API
const gchar *const *srgan_network_list_presets (void);
SRGAN_API
const gchar *const *srgan_network_list_tunes (void);

/* --- Asking it --------------------------------------------------------- */

SRGAN_API
const gchar *srgan_network_get_name (SrganNetwork *network);
SRGAN_API
SrganColour srgan_network_get_colour (SrganNetwork *network);
/* 1 .. 4: how many times larger the output is. */
SRGAN_API
guint srgan_network_get_scale (SrganNetwork *network);
SRGAN_API
guint srgan_network_get_n_layers (SrganNetwork *network);
SRGAN_API
const SrganLayer *srgan_network_get_layer (SrganNetwork *network, guint index);
/* -1 when there is no such layer. */
SRGAN_API
gint srgan_network_find_layer (SrganNetwork *network, const gchar *name);
/* Learned numbers. */
SRGAN_API
guint64 srgan_network_get_n_parameters (SrganNetwork *network);
/* Multiply-adds of the convolutions for each pixel of the network's input. */
SRGAN_API
gdouble srgan_network_get_multiply_adds (SrganNetwork *network);
/* How many input pixels on each side an output pixel depends on, at most;
 * G_MAXUINT for a network with a path through a mean of the whole frame. */
SRGAN_API
guint srgan_network_get_reach (SrganNetwork *network);
/* %SRGAN_PRECISION_INT8 when some layer's map has steps: the network can be
 * run in integers; else %SRGAN_PRECISION_FP32. */
SRGAN_API
SrganPrecision srgan_network_get_precision (SrganNetwork *network);
/* What the network is known to lose, in dB of PSNR, when it is run in
 * @precision instead of fp32: the note "int8-loss" for int8, "bf16-loss" for
 * bf16. FALSE where nobody
 * has measured it. */
SRGAN_API
gboolean srgan_network_get_loss (
    SrganNetwork *network, SrganPrecision precision, gdouble *loss);
/* A note: "training-data", "recipe", "licence", "range", "scores", ...;
 * %NULL where there is none. */
SRGAN_API
const gchar *srgan_network_get_note (SrganNetwork *network, const gchar *key);
/* Whether the note "ends" says "features": the network's last layer may then
 * give any map. Such a network judges pictures, for training and for scores;
 * no plan can be made of it. */
SRGAN_API
gboolean srgan_network_gives_features (SrganNetwork *network);
/* The keys of all notes, %NULL-terminated, sorted; free with g_strfreev(). */
SRGAN_API
gchar **srgan_network_list_notes (SrganNetwork *network);

/* --- Making one -------------------------------------------------------- */

/**
 * srgan_network_new:
 * @name: what to call it
 * @colour: what goes in and comes out
 * @scale: 1 .. 4
 *
 * Starts an empty network: add layers, then srgan_network_finish(). Values are
 * R'G'B', or Y'CbCr in the limited range of BT.601 8-bit codes over 255 (luma
 * 16/255 .. 235/255): the range in which the field's luma networks are trained
 * and scored. The engine maps other ranges to it.
 *
 * Returns: (transfer full): a network that only its maker may touch until it
 *   is finished
 */
SRGAN_API
SrganNetwork *srgan_network_new (
    const gchar *name, SrganColour colour, guint scale);

/* Starts an empty network with the name, colour, scale and notes of @network:
 * for one that differs in some layers. (transfer full) */
SRGAN_API
SrganNetwork *srgan_network_new_like (SrganNetwork *network);

/* Adds a copy of @layer, with its weights; attributes that its operation does
 * not take are ignored. Returns: the layer's index, or -1 with @error naming
 * the layer and the field. */
SRGAN_API
gint srgan_network_add_layer (
    SrganNetwork *network, const SrganLayer *layer, GError **error);
/* @key is [a-z0-9-]+; a @value of %NULL takes the note away. */
SRGAN_API
void srgan_network_set_note (
    SrganNetwork *network, const gchar *key, const gchar *value);
/* Checks the whole and folds each batch-norm into the layer before it (or,
 * where that cannot be, makes it a 1x1 convolution), so that layers may have
 * other indices afterwards; from here on the network never changes. */
SRGAN_API
gboolean srgan_network_finish (SrganNetwork *network, GError **error);

/* --- Names of enumerators, as files and programs spell them ------------ */

SRGAN_API
const gchar *srgan_operation_to_string (SrganOperation operation);
SRGAN_API
const gchar *srgan_activation_to_string (SrganActivation activation);
SRGAN_API
const gchar *srgan_padding_to_string (SrganPadding padding);
SRGAN_API
const gchar *srgan_filter_to_string (SrganFilter filter);
SRGAN_API
const gchar *srgan_colour_to_string (SrganColour colour);
SRGAN_API
const gchar *srgan_precision_to_string (SrganPrecision precision);

G_END_DECLS
