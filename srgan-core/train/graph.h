/* train: a network that can be run forwards and backwards.
 *
 * All learned numbers lie in one array of floats, so that optimiser, mean and
 * checkpoint need to know nothing of layers.
 *
 * SPDX-License-Identifier: MIT
 */
#pragma once

#include <srgan/srgan-network.h>

#include "train/convolve.h"

G_BEGIN_DECLS

typedef struct _SrganGraph SrganGraph;
typedef struct _SrganGraphState SrganGraphState;

typedef enum {
  SRGAN_PARAMETER_WEIGHT, /* [rows = out][columns = ky, kx, in] */
  SRGAN_PARAMETER_BIAS,   /* [1][out] */
  SRGAN_PARAMETER_SLOPE,  /* [1][out] */
  SRGAN_PARAMETER_GAIN,   /* [1][out]: batch-norm's weight, a branch's scale */
  SRGAN_PARAMETER_BRANCH, /* a matrix: the weight of a branch beside WEIGHT */
  /* not learned, but kept: batch-norm's running mean and variance, [2][out];
   * a spectral norm's singular vectors, left, then right, [1][out + in] */
  SRGAN_PARAMETER_STATISTIC,
} SrganParameterKind;

/* Where one tensor lies in the array. */
typedef struct {
  guint layer;
  SrganParameterKind kind;
  guint offset;
  guint rows;
  guint columns;
} SrganParameter;

/* A network in, or %SRGAN_ERROR_UNSUPPORTED with the layer named. One that is
 * finished has its batch-norms folded away; one that is not keeps them, and may
 * end in a map of any size: discriminators and feature networks do. */
SRGAN_API
SrganGraph *srgan_graph_new (SrganNetwork *network, GError **error);
SRGAN_API
void srgan_graph_free (SrganGraph *graph);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SrganGraph, srgan_graph_free)

/* The network that it was made of; owned by the graph. */
SRGAN_API
SrganNetwork *srgan_graph_get_network (const SrganGraph *graph);
SRGAN_API
guint srgan_graph_get_n_parameters (const SrganGraph *graph);
/* The tensors, in the order of their offsets; owned by the graph. */
SRGAN_API
const SrganParameter *srgan_graph_get_tensors (
    const SrganGraph *graph, guint *n_tensors);
/* The network's weights into an array, and an array's into a new network of
 * the same layers, unfinished: notes can be added. Of a quantised graph it has
 * the name, the notes and the weights of fp32 that it was made of. */
SRGAN_API
void srgan_graph_get_parameters (const SrganGraph *graph, gfloat *parameters);
SRGAN_API
SrganNetwork *srgan_graph_make_network (const SrganGraph *graph,
    const gfloat *parameters, const gchar *name, GError **error);

/* Takes new values for the learned numbers; @parameters must stay until the
 * next call. */
SRGAN_API
void srgan_graph_set_parameters (SrganGraph *graph, const gfloat *parameters);

/* Makes convolutions of @graph, which is new, multiply in bfloat16, forwards
 * and back, in states that run backward and in those that ask for it. Sums and
 * maps are of single precision, and so are convolutions of fewer than 8
 * channels. Returns whether this CPU is faster so: whether it has AMX's tiles.
 */
SRGAN_API
gboolean srgan_graph_use_bf16 (SrganGraph *graph);

/* Whether patches see each other: a batch-norm is left. */
SRGAN_API
gboolean srgan_graph_needs_batch (const SrganGraph *graph);

/* Puts the weights of layer @layer, a convolution, under a spectral norm
 * (Miyato et al. 2018): divided by an estimate of their largest singular value.
 * Before any parameters are set. */
SRGAN_API
void srgan_graph_normalise_spectrum (
    SrganGraph *graph, guint layer, guint64 seed);
/* One step of power iteration: renews the singular vectors in @parameters. */
SRGAN_API
void srgan_graph_renew_spectra (SrganGraph *graph, gfloat *parameters);
/* Whether layer @layer is a convolution that can be made of branches: 3x3. */
SRGAN_API
gboolean srgan_graph_can_branch (const SrganGraph *graph, guint layer);
/* Makes it the sum of several (branches.c), of which one has @width times the
 * layer's outputs in between: more to learn, for the same arithmetic. The
 * first parameters sum up to the network's weight, whatever @seed draws; a
 * network that is made of parameters has their sum. Before any are set. */
SRGAN_API
void srgan_graph_add_branches (
    SrganGraph *graph, guint layer, guint width, guint64 seed);

/* Makes a sum of gradients that srgan_graph_backward() gave that of the weights
 * before their spectral norm, or before they were quantised or summed up. */
SRGAN_API
void srgan_graph_finish_gradient (
    const SrganGraph *graph, gfloat *parameter_gradient);

/* One thread's memory for maps of @width x @height input pixels; without
 * @backward for forward passes only. NULL when memory is out. */
SRGAN_API
SrganGraphState *srgan_graph_state_new (
    const SrganGraph *graph, guint width, guint height, gboolean backward);
/* Makes a state for forward passes use the bfloat16 that its graph was made
 * for: what it gives only teaches, and is not measured. */
SRGAN_API
void srgan_graph_state_use_bf16 (SrganGraphState *state);
SRGAN_API
void srgan_graph_state_free (SrganGraphState *state);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SrganGraphState, srgan_graph_state_free)

/* Runs the network on @input [height][width][channels]; @output, which may be
 * NULL, receives the last layer's map. A batch-norm takes its running
 * statistics: in training, SrganBatch runs networks that have one. */
SRGAN_API
void srgan_graph_forward (
    SrganGraphState *state, const gfloat *input, gfloat *output);

/* After a forward pass: from the derivative by each output value, the
 * derivative by each learned number, written to @parameter_gradient; that may
 * be NULL if only the input's is wanted. */
SRGAN_API
void srgan_graph_backward (SrganGraphState *state,
    const gfloat *output_gradient, gfloat *parameter_gradient);

/* Losses on several layers: what a layer gave; where the derivative by it goes
 * (zeros at first) after srgan_graph_start_backward(); then
 * srgan_graph_run_backward(), which adds to @parameter_gradient. The maps'
 * padding channels must stay zero. */
SRGAN_API
const SrganMap *srgan_graph_get_value (
    const SrganGraphState *state, guint layer);
SRGAN_API
void srgan_graph_start_backward (SrganGraphState *state);
SRGAN_API
const SrganMap *srgan_graph_get_gradient (SrganGraphState *state, guint layer);
SRGAN_API
void srgan_graph_run_backward (
    SrganGraphState *state, gfloat *parameter_gradient);

/* After a backward pass the derivative by the network's input,
 * [height][width][channels], of a graph told so with
 * srgan_graph_want_input_gradient() before its states were made. */
SRGAN_API
void srgan_graph_want_input_gradient (SrganGraph *graph);
SRGAN_API
void srgan_graph_get_input_gradient (
    const SrganGraphState *state, gfloat *gradient);

G_END_DECLS
