/* engine: by which algorithm a convolution is run.
 *
 * A model of the kernels' costs, in vector multiply-adds an output pixel: what
 * the sums take, and what the transforms around them do, as it was measured
 * where everything lies in the first-level cache. It looks at the layer and at
 * the width of a vector, never at sizes or threads, so that these cannot change
 * a bit of the output.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/plan.h"

/* Of one tile of 4x4 pixels, for each of its 16: transforming a vector of
 * input channels; transforming a vector of output channels, with bias,
 * activation and stores. */
#define TRANSFORM_INPUT 9.
#define TRANSFORM_OUTPUT 11.
/* 36 products for 16 pixels. */
#define WINOGRAD_PRODUCTS (36. / 16)
/* Loads and stores beside the sums of a direct convolution. */
#define DIRECT_OVERHEAD 1.1
/* Where lanes hold input channels, sums of lanes are made in the end: for each
 * output channel. */
#define NARROW_SUM 2.
/* Adding up one quad of a convolution in parts, beside what its store takes. */
#define PART_SUM 1.
#define PART_STORE 3.

static gdouble
get_n_vectors (guint channels, guint lanes)
{
  return (channels + lanes - 1) / lanes;
}

static gdouble
get_direct_cost (const SrganLayer *layer, guint lanes)
{
  const gdouble taps = (gdouble) layer->kernel_width * layer->kernel_height;
  const gdouble wide = taps * layer->in_channels *
                       get_n_vectors (layer->out_channels, lanes) *
                       DIRECT_OVERHEAD;
  const gdouble narrow = taps * get_n_vectors (layer->in_channels, lanes) *
                             layer->out_channels * DIRECT_OVERHEAD +
                         NARROW_SUM * layer->out_channels;

  return MIN (wide, narrow);
}

/* 3x3 from @in to @out channels. */
static gdouble
get_winograd_cost (guint in, guint out, guint lanes)
{
  return WINOGRAD_PRODUCTS * in * get_n_vectors (out, lanes) +
         TRANSFORM_INPUT * get_n_vectors (in, lanes) +
         TRANSFORM_OUTPUT * get_n_vectors (out, lanes);
}

/* Fewer channels do not fill vectors: see SrganKernels.pack_winograd. */
static gboolean
fills_vectors (guint channels)
{
  return channels > 8;
}

void
srgan_layer_get_costs (
    const SrganLayer *layer, guint lanes, gdouble costs[SRGAN_N_ALGORITHMS])
{
  const guint side = layer->kernel_width;
  const guint n_parts = (side + 2) / 3;
  const guint n_outputs = n_parts * n_parts * layer->out_channels;
  guint i;

  for (i = 0; i < SRGAN_N_ALGORITHMS; i++)
    costs[i] = -1;
  if (layer->operation != SRGAN_OPERATION_CONV)
    return;
  costs[SRGAN_ALGORITHM_DIRECT] = get_direct_cost (layer, lanes);
  if (layer->kernel_height != side || layer->stride != 1 ||
      layer->groups != 1 || !fills_vectors (layer->in_channels))
    return;
  if (side == 3 && fills_vectors (layer->out_channels))
    costs[SRGAN_ALGORITHM_WINOGRAD] =
        get_winograd_cost (layer->in_channels, layer->out_channels, lanes);
  if (side >= 5 && side <= SRGAN_PARTS_MAX_SIDE && side % 2 == 1 &&
      layer->out_channels <= SRGAN_PARTS_MAX_CHANNELS &&
      fills_vectors (n_outputs) && layer->padding == SRGAN_PADDING_ZERO)
    costs[SRGAN_ALGORITHM_PARTS] =
        get_winograd_cost (layer->in_channels, n_outputs, lanes) +
        PART_SUM * n_parts * n_parts + PART_STORE;
}

SrganAlgorithm
srgan_layer_get_algorithm (const SrganLayer *layer, guint lanes)
{
  gdouble costs[SRGAN_N_ALGORITHMS];
  SrganAlgorithm best = SRGAN_ALGORITHM_DIRECT, i;

  srgan_layer_get_costs (layer, lanes, costs);
  for (i = SRGAN_ALGORITHM_DIRECT + 1; i < SRGAN_N_ALGORITHMS; i++)
    if (costs[i] >= 0 && costs[i] < costs[best])
      best = i;
  return best;
}
