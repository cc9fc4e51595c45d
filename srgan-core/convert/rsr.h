/* convert: the original's network (rusty_sr, SRGAN-Rust): which tensors it has.
 *
 * Hidden layers i = 0 .. 2^log_depth - 2 and a last one, "expand". Layer i
 * reads what came out 1, 2, 4, ... layers ago wherever i + 1 is a multiple of
 * that, and sums a 3x3 convolution of each. With global nodes, each map's means
 * over the whole frame go through a matrix and a curve into a vector, and that
 * through another matrix adds to the layers that read the map.
 *
 * SPDX-License-Identifier: MIT
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

#define SRGAN_RSR_CHANNELS 3
#define SRGAN_RSR_MAX_LOG_DEPTH 6
#define SRGAN_RSR_MAX_JUMPS (SRGAN_RSR_MAX_LOG_DEPTH + 1)

typedef struct {
  guint factor;
  guint width;
  guint log_depth;
  guint global_factor; /* vector's length for each channel; 0: no vectors */
  gboolean linear_bias;
} SrganRsrShape;

/* What a tensor is. */
typedef enum {
  SRGAN_RSR_INPUT_MATRIX, /* [in][out], of the picture's means */
  SRGAN_RSR_INPUT_CURVE,  /* [3][1][n] */
  SRGAN_RSR_BIAS,         /* [1][1][1][out] */
  SRGAN_RSR_CONV,         /* [out][y][x][in] */
  SRGAN_RSR_GLOBAL,       /* [in][out] */
  SRGAN_RSR_CURVE,        /* [3][1][1][1][out] */
  SRGAN_RSR_MATRIX,       /* [in][out], of the layer's means */
  SRGAN_RSR_MATRIX_BIAS,  /* [1][n] */
  SRGAN_RSR_MATRIX_CURVE, /* [3][1][n] */
} SrganRsrKind;

typedef struct {
  SrganRsrKind kind;
  guint layer;
  guint jump; /* CONV, GLOBAL: how many maps ago */
  guint n_dimensions;
  guint64 dimensions[5];
} SrganRsrTensor;

/* All tensors in the order of the file; of SrganRsrTensor, to be freed. */
GArray *srgan_rsr_list_tensors (const SrganRsrShape *shape);

/* The jumps of layer @layer, nearest first; returns their number. */
guint srgan_rsr_get_jumps (guint layer, guint *jumps);
/* Channels that come out of layer @layer. */
guint srgan_rsr_get_channels (const SrganRsrShape *shape, guint layer);
/* Channels of map @index: 0 is the picture, i + 1 comes out of layer i. */
guint srgan_rsr_get_map_channels (const SrganRsrShape *shape, guint index);

G_END_DECLS
