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

#include "network/operations.h"

struct _SrganPacked {
  guint n_references; /* under the table's lock */
  SrganNetwork *network;
  const SrganKernels *kernels;
  const SrganInt8Kernels *int8_kernels; /* at most one of the two */
  const SrganBf16Kernels *bf16_kernels;
  guint *first; /* [n_layers + 1]: each layer's first convolution */
  SrganConvolution *convolutions;
  /* One a layer, zero for others; or NULL. */
  SrganInt8Convolution *int8_convolutions;
  SrganBf16Convolution *bf16_convolutions;
  SrganPacked *next;
};

static pthread_mutex_t table_lock = PTHREAD_MUTEX_INITIALIZER;
static SrganPacked *table;

static guint
get_n_layers (const SrganPacked *packed)
{
  return srgan_network_get_n_layers (packed->network);
}

static void
packed_free (SrganPacked *packed)
{
  guint i;

  for (i = 0; i < packed->first[get_n_layers (packed)]; i++)
    srgan_convolution_clear (&packed->convolutions[i]);
  for (i = 0; packed->int8_convolutions && i < get_n_layers (packed); i++)
    srgan_int8_convolution_clear (&packed->int8_convolutions[i]);
  for (i = 0; packed->bf16_convolutions && i < get_n_layers (packed); i++)
    srgan_bf16_convolution_clear (&packed->bf16_convolutions[i]);
  g_free (packed->convolutions);
  g_free (packed->int8_convolutions);
  g_free (packed->bf16_convolutions);
  g_free (packed->first);
  srgan_network_unref (packed->network);
  g_free (packed);
}

static gboolean
pack_conv (SrganConvolution *convolution, const SrganKernels *kernels,
    const SrganLayer *layer, guint in_stride)
{
  g_autofree gfloat *slopes = srgan_layer_get_slopes (layer);

  switch (srgan_layer_get_algorithm (layer, kernels->lanes)) {
  case SRGAN_ALGORITHM_WINOGRAD:
    return kernels->pack_winograd (convolution, layer->in_channels, in_stride,
        layer->out_channels, layer->weight, layer->bias, slopes);
  case SRGAN_ALGORITHM_PARTS:
    return srgan_convolution_pack_parts (convolution, kernels,
        layer->in_channels, in_stride, layer->out_channels, layer->kernel_width,
        layer->weight, layer->bias, slopes);
  default:
    break;
  }
  if (layer->stride == 1 && layer->groups == 1)
    return kernels->pack_convolution (convolution, layer->in_channels,
        in_stride, layer->out_channels, layer->kernel_width,
        layer->kernel_height, layer->weight, layer->bias, slopes);
  return kernels->pack_grouped (convolution, layer->in_channels, in_stride,
      layer->out_channels, layer->kernel_width, layer->kernel_height,
      layer->stride, layer->groups, layer->weight, layer->bias, slopes);
}

static gboolean
pack_linear (SrganConvolution *convolution, const SrganKernels *kernels,
    const SrganLayer *layer, guint in_stride)
{
  g_autofree gfloat *slopes = srgan_layer_get_slopes (layer);

  return kernels->pack_convolution (convolution, layer->in_channels, in_stride,
      layer->out_channels, 1, 1, layer->weight, layer->bias, slopes);
}

/* Output o of a transposed convolution gets weight k of input i where
 * i stride + k = o + cut: so of the outputs that are @phase modulo the stride
 * every stride-th weight, backwards. The first of these, and the input that it
 * is of, against the one that the output lies in. */
static guint
get_first_weight (guint kernel, guint stride, guint phase, gint *input)
{
  const guint cut = (kernel - stride + 1) / 2;

  *input = (gint) ((phase + cut) / stride);
  return (phase + cut) % stride;
}

void
srgan_transposed_get_reach (
    guint kernel, guint stride, guint phase, gint *before, gint *after)
{
  guint first = get_first_weight (kernel, stride, phase, after);

  *before = (gint) ((kernel - 1 - first) / stride) - *after;
}

/* Row @phase of those that a row of the input makes: a convolution whose output
 * channels are those of stride pixels. */
static gboolean
pack_transposed_row (SrganConvolution *convolution, const SrganKernels *kernels,
    const SrganLayer *layer, guint in_stride, guint phase)
{
  const guint stride = layer->stride, out = layer->out_channels;
  const guint out_each = out / layer->groups;
  const guint in_each = layer->in_channels / layer->groups;
  g_autofree gfloat *slopes = srgan_layer_get_slopes (layer);
  g_autofree gfloat *all_slopes = g_new (gfloat, out * stride);
  g_autofree gfloat *bias = g_new0 (gfloat, out * stride);
  g_autofree gfloat *weight = NULL;
  gint before = 0, after = 0, before_y, after_y, row;
  guint width, height, first_y, x, o, i, ky;

  first_y = get_first_weight (layer->kernel_height, stride, phase, &row);
  srgan_transposed_get_reach (
      layer->kernel_height, stride, phase, &before_y, &after_y);
  height = (guint) (before_y + after_y + 1);
  for (x = 0; x < stride; x++) {
    gint b, a;

    srgan_transposed_get_reach (layer->kernel_width, stride, x, &b, &a);
    before = MAX (before, b);
    after = MAX (after, a);
  }
  width = (guint) (before + after + 1);

  weight = g_try_new0 (
      gfloat, (gsize) out * stride * layer->in_channels * width * height);
  if (!weight)
    return FALSE;
  for (x = 0; x < stride; x++) {
    gint input;
    guint first_x = get_first_weight (layer->kernel_width, stride, x, &input),
          kx;

    for (o = 0; o < out; o++) {
      const guint to = x * out + o;
      const guint group = o / out_each;

      bias[to] = layer->bias ? layer->bias[o] : 0;
      all_slopes[to] = slopes ? slopes[o] : 1;
      for (i = group * in_each; i < (group + 1) * in_each; i++)
        for (ky = 0; ky < height; ky++)
          for (kx = first_x; kx < layer->kernel_width; kx += stride) {
            /* tap @ky reads row ky - before_y, whose weight lies as many
             * strides before the first row's as it lies behind */
            const guint from_y =
                first_y + stride * (guint) (row + before_y - (gint) ky);
            const guint tap =
                (guint) (before + input - (gint) ((kx - first_x) / stride));

            weight[(((gsize) to * layer->in_channels + i) * height + ky) *
                       width +
                   tap] = layer->weight[(((gsize) i * out_each + o % out_each) *
                                                layer->kernel_height +
                                            from_y) *
                                            layer->kernel_width +
                                        kx];
          }
    }
  }
  return kernels->pack_convolution (convolution, layer->in_channels, in_stride,
      out * stride, width, height, weight, bias, slopes ? all_slopes : NULL);
}

static guint
get_n_convolutions (const SrganLayer *layer)
{
  switch (layer->operation) {
  case SRGAN_OPERATION_CONV:
  case SRGAN_OPERATION_LINEAR:
    return 1;
  case SRGAN_OPERATION_TRANSPOSED_CONV:
    return layer->stride;
  default:
    return 0;
  }
}

/* All of a layer's. */
static gboolean
pack (SrganConvolution *convolutions, const SrganKernels *kernels,
    const SrganLayer *layer, guint in_stride)
{
  guint phase;

  switch (layer->operation) {
  case SRGAN_OPERATION_CONV:
    return pack_conv (convolutions, kernels, layer, in_stride);
  case SRGAN_OPERATION_LINEAR:
    return pack_linear (convolutions, kernels, layer, in_stride);
  case SRGAN_OPERATION_TRANSPOSED_CONV:
    for (phase = 0; phase < layer->stride; phase++)
      if (!pack_transposed_row (
              &convolutions[phase], kernels, layer, in_stride, phase))
        return FALSE;
    return TRUE;
  default:
    return TRUE;
  }
}

/* Of a layer that reads codes. */
static gboolean
pack_codes (SrganPacked *packed, const SrganPlan *plan, guint index)
{
  return plan->stages[index + 1].is_int8
             ? srgan_int8_pack_layer (
                   &packed->int8_convolutions[index], plan, index)
             : srgan_bf16_pack_layer (
                   &packed->bf16_convolutions[index], plan, index);
}

static SrganPacked *
packed_new (const SrganPlan *plan, GError **error)
{
  SrganNetwork *network = plan->network;
  guint i, n_layers = srgan_network_get_n_layers (network);
  SrganPacked *packed = g_new0 (SrganPacked, 1);

  packed->n_references = 1;
  packed->network = srgan_network_ref (network);
  packed->kernels = plan->kernels;
  packed->int8_kernels = plan->int8_kernels;
  packed->bf16_kernels = plan->bf16_kernels;
  packed->first = g_new0 (guint, n_layers + 1);
  for (i = 0; i < n_layers; i++)
    packed->first[i + 1] =
        packed->first[i] +
        (srgan_stage_reads_codes (&plan->stages[i + 1])
                ? 0
                : get_n_convolutions (srgan_network_get_layer (network, i)));
  /* one more, so that the place of none has an address, too */
  packed->convolutions = g_new0 (SrganConvolution, packed->first[n_layers] + 1);
  if (plan->int8_kernels)
    packed->int8_convolutions = g_new0 (SrganInt8Convolution, n_layers);
  if (plan->bf16_kernels)
    packed->bf16_convolutions = g_new0 (SrganBf16Convolution, n_layers);
  for (i = 0; i < n_layers; i++) {
    const SrganLayer *layer = srgan_network_get_layer (network, i);
    const SrganStage *stage = &plan->stages[i + 1];

    if (!(srgan_stage_reads_codes (stage)
                ? pack_codes (packed, plan, i)
                : pack (&packed->convolutions[packed->first[i]], plan->kernels,
                      layer, plan->stages[stage->inputs[0]].stride))) {
      g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_TOO_LARGE,
          "Layer \"%s\": out of memory for its weights", layer->name);
      packed_free (packed);
      return NULL;
    }
  }
  return packed;
}

SrganPacked *
srgan_packed_get (const SrganPlan *plan, GError **error)
{
  SrganPacked *packed;

  pthread_mutex_lock (&table_lock);
  for (packed = table; packed; packed = packed->next)
    if (packed->network == plan->network && packed->kernels == plan->kernels &&
        packed->int8_kernels == plan->int8_kernels &&
        packed->bf16_kernels == plan->bf16_kernels)
      break;
  if (packed) {
    packed->n_references++;
  } else {
    packed = packed_new (plan, error);
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
  if (packed->first[layer] == packed->first[layer + 1])
    return NULL;
  return &packed->convolutions[packed->first[layer]];
}

const SrganInt8Convolution *
srgan_packed_get_int8_convolution (SrganPacked *packed, guint layer)
{
  if (!packed->int8_convolutions || !packed->int8_convolutions[layer].weight)
    return NULL;
  return &packed->int8_convolutions[layer];
}

const SrganBf16Convolution *
srgan_packed_get_bf16_convolution (SrganPacked *packed, guint layer)
{
  if (!packed->bf16_convolutions || !packed->bf16_convolutions[layer].weight)
    return NULL;
  return &packed->bf16_convolutions[layer];
}

gsize
srgan_packed_get_bytes (SrganPacked *packed)
{
  gsize bytes = 0;
  guint i;

  for (i = 0; i < packed->first[get_n_layers (packed)]; i++)
    bytes += packed->convolutions[i].bytes;
  for (i = 0; packed->int8_convolutions && i < get_n_layers (packed); i++)
    bytes += packed->int8_convolutions[i].bytes;
  for (i = 0; packed->bf16_convolutions && i < get_n_layers (packed); i++)
    bytes += packed->bf16_convolutions[i].bytes;
  return bytes;
}
