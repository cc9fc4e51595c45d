/* engine: a network's weights in a kernel set's order, one copy a process.
 *
 * Plans of the same network share it, whatever their frame sizes. The table is
 * locked when plans are made and freed only, never while a frame runs.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/plan.h"

#include <pthread.h>
#include <string.h>

struct _SrganPacked {
  guint n_references; /* under the table's lock */
  SrganNetwork *network;
  const SrganKernels *kernels;
  SrganConvolution *convolutions; /* [n_layers], zero for other layers */
  SrganPacked *next;
};

static pthread_mutex_t table_lock = PTHREAD_MUTEX_INITIALIZER;
static SrganPacked *table;

static void
packed_free (SrganPacked *packed)
{
  guint i;

  for (i = 0; i < srgan_network_get_n_layers (packed->network); i++)
    srgan_convolution_clear (&packed->convolutions[i]);
  g_free (packed->convolutions);
  srgan_network_unref (packed->network);
  g_free (packed);
}

/* The leaky slope per channel that the kernels fuse; NULL for none. The plan
 * has refused all other activations. */
static gfloat *
get_slopes (const SrganLayer *layer)
{
  gfloat *slopes;
  guint i;

  if (layer->activation == SRGAN_ACTIVATION_NONE)
    return NULL;
  slopes = g_new (gfloat, layer->out_channels);
  for (i = 0; i < layer->out_channels; i++)
    switch (layer->activation) {
    case SRGAN_ACTIVATION_RELU:
      slopes[i] = 0;
      break;
    case SRGAN_ACTIVATION_LEAKY_RELU:
      slopes[i] = layer->activation_low;
      break;
    default:
      slopes[i] = layer->slope[i];
      break;
    }
  return slopes;
}

static gboolean
pack (SrganConvolution *convolution, const SrganKernels *kernels,
    const SrganLayer *layer, guint in_stride)
{
  g_autofree gfloat *slopes = get_slopes (layer);

  if (srgan_layer_is_winograd (layer))
    return kernels->pack_winograd (convolution, layer->in_channels, in_stride,
        layer->out_channels, layer->weight, layer->bias, slopes);
  return kernels->pack_convolution (convolution, layer->in_channels, in_stride,
      layer->out_channels, layer->kernel_width, layer->kernel_height,
      layer->weight, layer->bias, slopes);
}

static SrganPacked *
packed_new (SrganNetwork *network, const SrganKernels *kernels,
    const guint *strides, GError **error)
{
  guint i, n_layers = srgan_network_get_n_layers (network);
  SrganPacked *packed = g_new0 (SrganPacked, 1);

  packed->n_references = 1;
  packed->network = srgan_network_ref (network);
  packed->kernels = kernels;
  packed->convolutions = g_new0 (SrganConvolution, n_layers);
  for (i = 0; i < n_layers; i++) {
    const SrganLayer *layer = srgan_network_get_layer (network, i);

    if (layer->operation != SRGAN_OPERATION_CONV)
      continue;
    /* strides[0] is the source's, so that an input index is one off. */
    if (!pack (&packed->convolutions[i], kernels, layer,
            strides[layer->inputs[0] + 1])) {
      g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_TOO_LARGE,
          "Layer \"%s\": out of memory for its weights", layer->name);
      packed_free (packed);
      return NULL;
    }
  }
  return packed;
}

SrganPacked *
srgan_packed_get (SrganNetwork *network, const SrganKernels *kernels,
    const guint *strides, GError **error)
{
  SrganPacked *packed;

  pthread_mutex_lock (&table_lock);
  for (packed = table; packed; packed = packed->next)
    if (packed->network == network && packed->kernels == kernels)
      break;
  if (packed) {
    packed->n_references++;
  } else {
    packed = packed_new (network, kernels, strides, error);
    if (packed) {
      packed->next = table;
      table = packed;
    }
  }
  pthread_mutex_unlock (&table_lock);
  return packed;
}

void
srgan_packed_unref (SrganPacked *packed)
{
  SrganPacked **link;

  pthread_mutex_lock (&table_lock);
  if (--packed->n_references == 0) {
    for (link = &table; *link != packed; link = &(*link)->next)
      ;
    *link = packed->next;
    packed_free (packed);
  }
  pthread_mutex_unlock (&table_lock);
}

const SrganConvolution *
srgan_packed_get_convolution (SrganPacked *packed, guint layer)
{
  return &packed->convolutions[layer];
}

gsize
srgan_packed_get_bytes (SrganPacked *packed)
{
  gsize bytes = 0;
  guint i;

  for (i = 0; i < srgan_network_get_n_layers (packed->network); i++)
    bytes += packed->convolutions[i].bytes;
  return bytes;
}
