/* kernels: packing for the int8 sets, and the one table that chooses among
 * them.
 *
 * SPDX-License-Identifier: MIT
 */
#include "kernels/int8-private.h"

#include <float.h>
#include <math.h>
#include <pthread.h>
#include <string.h>

#include "base/memory.h"

/* The sets of this build, the better ones later. */
static const SrganInt8Kernels *const sets[] = {
    &srgan_int8_kernels_c,
#ifdef __x86_64__
    &srgan_int8_kernels_avx2,
    &srgan_int8_kernels_avxvnni,
    &srgan_int8_kernels_avx512vnni,
    &srgan_int8_kernels_amx,
#endif
#ifdef __aarch64__
    &srgan_int8_kernels_neon,
    &srgan_int8_kernels_dotprod,
#endif
};
#define N_SETS G_N_ELEMENTS (sets)

/* Each list srgan_int8_kernels_list() can return: the sets whose bits are in
 * the index. */
static const SrganInt8Kernels *lists[1 << N_SETS][N_SETS + 1];

static void
init (void)
{
  guint mask, i, n;

  for (mask = 0; mask < G_N_ELEMENTS (lists); mask++)
    for (i = n = 0; i < N_SETS; i++)
      if (mask & (1u << i))
        lists[mask][n++] = sets[i];
}

/* Whether @flags have what @set needs and the system lets it run. */
static gboolean
is_usable (const SrganInt8Kernels *set, SrganCpuFlags flags)
{
  if ((set->needs & flags) != set->needs)
    return FALSE;
#ifdef __x86_64__
  if (set->needs & SRGAN_CPU_AMX_INT8)
    return srgan_cpu_request_amx ();
#endif
  return TRUE;
}

const SrganInt8Kernels *
srgan_int8_kernels_get (SrganCpuFlags flags)
{
  guint best = N_SETS - 1;

  while (!is_usable (sets[best], flags))
    best--;
  return sets[best];
}

const SrganInt8Kernels *const *
srgan_int8_kernels_list (void)
{
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  SrganCpuFlags flags = srgan_cpu_get_flags ();
  guint mask = 0, i;

  pthread_once (&once, init);
  for (i = 0; i < N_SETS; i++)
    if (is_usable (sets[i], flags))
      mask |= 1u << i;
  return lists[mask];
}

guint
srgan_int8_get_channel_stride (guint channels)
{
  return (channels + 3) / 4 * 4;
}

void
srgan_int8_convolution_clear (SrganInt8Convolution *convolution)
{
  srgan_aligned_free (convolution->weight);
  srgan_aligned_free (convolution->bias);
  srgan_aligned_free (convolution->positive);
  srgan_aligned_free (convolution->negative);
  srgan_aligned_free (convolution->addend);
  memset (convolution, 0, sizeof *convolution);
}

/* ---- Packing ---- */

/* Inputs of one output, padding channels among them: the bytes' sums stay
 * within 2^30, and so do the words', whose weights are chosen for that. */
#define MAX_INPUTS (1u << 15)
/* What the magnitudes of 16-bit weights may add up to: times 32767, 2^30. */
#define WORDS_BUDGET 32767.
/* Larger biases, and larger results, mean nothing. */
#define MAX_BYTES_BIAS (gdouble) (1 << 30)
#define MAX_WORDS_BIAS (gdouble) (1 << 29)
#define MAX_RESULT (gdouble) (1 << 30)

/* The step of output @o's weights, given or, for words, chosen: the rounded
 * codes' magnitudes stay within WORDS_BUDGET. */
static gdouble
get_weight_step (const SrganInt8Layer *layer, guint o, gsize n_inputs)
{
  gdouble sum = 0, largest = 0, step, bias;
  gsize i;

  if (layer->input_type == SRGAN_MAP_BYTES)
    return layer->weight_step[o];
  for (i = 0; i < n_inputs; i++) {
    sum += fabs (layer->weight[o * n_inputs + i]);
    largest = MAX (largest, fabs (layer->weight[o * n_inputs + i]));
  }
  step = sum / (WORDS_BUDGET - n_inputs * .5);
  if (largest >= 127 * step && step > 0)
    step = largest / (127 * floor (largest / (127 * step)));
  bias = layer->bias ? fabs (layer->bias[o]) : 0;
  /* so that the bias can be told in it */
  step = MAX (step, bias / (layer->input_step * MAX_WORDS_BIAS));
  return step > 0 ? step : 1;
}

static gint
get_weight_code (
    const SrganInt8Layer *layer, guint o, gsize n_inputs, gsize i, gdouble step)
{
  if (layer->input_type == SRGAN_MAP_BYTES)
    return MAX (layer->weight_code[o * n_inputs + i], -127);
  return (gint) rint (layer->weight[o * n_inputs + i] / step);
}

static void
store_code (SrganInt8Convolution *convolution, const SrganInt8Packing *packing,
    gsize index, gint code)
{
  if (packing->is_wide)
    ((gint16 *) convolution->weight)[index] = (gint16) code;
  else
    ((gint8 *) convolution->weight)[index] = (gint8) code;
}

/* Where code @at of a group goes, the group being @lane of a vector. */
static gsize
get_place (const SrganInt8Packing *packing, gsize lane, gsize at)
{
  if (packing->is_paired)
    return at / 2 * packing->lanes * 2 + lane * 2 + at % 2;
  return lane * packing->group + at;
}

/* The code for input channel @c, kernel row @ky and column @kx of output @o. */
static void
pack_code (SrganInt8Convolution *convolution, const SrganInt8Packing *packing,
    guint o, guint c, guint ky, guint kx, gint code)
{
  const guint group = packing->group, lanes = packing->lanes;
  const gsize vector = (gsize) lanes * group;
  gsize n_groups = srgan_int8_get_n_groups (convolution, group);
  gsize step, at = c % group;

  switch (packing->order) {
  case SRGAN_INT8_ORDER_RUN:
    step = ((gsize) kx * convolution->in_stride + c) / group;
    at = ((gsize) kx * convolution->in_stride + c) % group;
    break;
  case SRGAN_INT8_ORDER_COLUMNS:
    step = (gsize) (c / group) * convolution->kernel_width + kx;
    break;
  case SRGAN_INT8_ORDER_CHUNKS: {
    SrganChunks chunks = srgan_int8_get_chunks (convolution);

    n_groups = (gsize) chunks.n_chunks * chunks.n_groups;
    step = srgan_chunks_get_place (
        &chunks, (kx * convolution->in_stride + c) / group);
    break;
  }
  default: {
    gsize n = convolution->in_stride / group; /* of a pixel */
    gsize n_vectors = MAX (n / lanes, 1), lane;
    guint first = o / 4 * 4;

    step =
        (gsize) first * convolution->kernel_height * convolution->kernel_width;
    step += (ky * convolution->kernel_width + kx) *
                MIN (4, convolution->out_channels - first) +
            o % 4;
    step = step * n_vectors + c / group / lanes;
    for (lane = c / group % lanes; lane < lanes; lane += n)
      store_code (convolution, packing,
          step * vector + get_place (packing, lane, at), code);
    return;
  }
  }
  step += (o / lanes * convolution->kernel_height + ky) * n_groups;
  store_code (convolution, packing,
      step * vector + get_place (packing, o % lanes, at), code);
}

/* Weights, bias and factors of output @o. */
static void
pack_output (SrganInt8Convolution *convolution, const SrganInt8Layer *layer,
    const SrganInt8Packing *packing, guint o)
{
  const guint kernel_width = layer->kernel_width;
  const guint kernel_height = layer->kernel_height;
  const gboolean from_bytes = layer->input_type == SRGAN_MAP_BYTES;
  const gboolean to_bytes = layer->output_type == SRGAN_MAP_BYTES;
  const gdouble max_bias = from_bytes ? MAX_BYTES_BIAS : MAX_WORDS_BIAS;
  gsize n_inputs = (gsize) layer->in_channels * kernel_width * kernel_height;
  gdouble weight_step = get_weight_step (layer, o, n_inputs);
  gdouble scale = layer->input_step * weight_step;
  gdouble slope = layer->slope ? layer->slope[o] : 1;
  gdouble factor = to_bytes ? scale / layer->output_step : scale;
  gdouble bias, rest, limit;
  gint64 sum = 0, magnitudes = 0;
  guint c, ky, kx;
  gsize i = 0;

  for (c = 0; c < layer->in_channels; c++)
    for (ky = 0; ky < kernel_height; ky++)
      for (kx = 0; kx < kernel_width; kx++, i++) {
        gint code = get_weight_code (layer, o, n_inputs, i, weight_step);

        pack_code (convolution, packing, o, c, ky, kx, code);
        sum += code;
        magnitudes += ABS (code);
      }

  bias = layer->bias ? rint (layer->bias[o] / scale) : 0;
  rest = layer->bias ? layer->bias[o] / scale - bias : 0;
  bias = CLAMP (bias, -max_bias, max_bias);
  convolution->bias[o] = (gint32) bias;
  convolution->addend[o] += (gfloat) (rest * factor);
  if (from_bytes)
    convolution->bias[o] -=
        (gint32) ((layer->input_zero - packing->offset) * sum);

  /* No sum is larger than this. */
  limit = fabs (bias) + magnitudes * (from_bytes ? 255. : 32767.) + 1;
  limit = (to_bytes ? MAX_RESULT : FLT_MAX / 2) / limit;
  convolution->positive[o] = (gfloat) MIN (factor, limit);
  convolution->negative[o] = (gfloat) CLAMP (factor * slope, -limit, limit);
  if (convolution->negative[o] != convolution->positive[o])
    convolution->variant &= ~SRGAN_INT8_LINEAR;
}

gboolean
srgan_int8_convolution_pack (SrganInt8Convolution *convolution,
    const SrganInt8Layer *layer, const SrganInt8Packing *packing)
{
  static const gint forms[] = {[SRGAN_INT8_ORDER_RUN] = 0,
      [SRGAN_INT8_ORDER_COLUMNS] = SRGAN_INT8_COLUMNS,
      [SRGAN_INT8_ORDER_PIXEL] = SRGAN_INT8_NARROW,
      [SRGAN_INT8_ORDER_CHUNKS] = SRGAN_INT8_TILES};
  const guint lanes = packing->lanes;
  gsize n_inputs, n_outputs, n_weight, weight_size;
  guint o;

  *convolution = (SrganInt8Convolution){
      .in_channels = layer->in_channels,
      .in_stride = layer->in_stride,
      .out_channels = layer->out_channels,
      .out_stride = layer->out_stride
                        ? layer->out_stride
                        : srgan_int8_get_channel_stride (layer->out_channels),
      .kernel_width = layer->kernel_width,
      .kernel_height = layer->kernel_height,
      .input_type = layer->input_type,
      .output_type = layer->output_type,
      .variant = SRGAN_INT8_LINEAR | forms[packing->order],
  };
  if (!g_size_checked_mul (&n_inputs, layer->in_stride,
          (gsize) layer->kernel_width * layer->kernel_height) ||
      n_inputs > MAX_INPUTS || layer->out_channels > G_MAXINT / 2 ||
      convolution->out_stride > G_MAXINT / 2) {
    memset (convolution, 0, sizeof *convolution);
    return FALSE;
  }
  n_outputs = ((gsize) convolution->out_stride + lanes - 1) / lanes * lanes;
  n_weight = n_outputs * layer->kernel_height *
             srgan_int8_get_n_groups (convolution, packing->group) *
             packing->group;
  if (packing->order == SRGAN_INT8_ORDER_PIXEL)
    n_weight = n_inputs * layer->out_channels *
               MAX (1, lanes * packing->group / layer->in_stride);
  if (packing->order == SRGAN_INT8_ORDER_CHUNKS) {
    SrganChunks chunks = srgan_int8_get_chunks (convolution);

    n_weight = n_outputs * layer->kernel_height * chunks.n_chunks *
               chunks.n_groups * packing->group;
  }
  weight_size = packing->is_wide ? sizeof (gint16) : sizeof (gint8);
  convolution->weight = srgan_aligned_alloc (n_weight, weight_size);
  convolution->bias = srgan_aligned_alloc (n_outputs, sizeof (gint32));
  convolution->positive = srgan_aligned_alloc (n_outputs, sizeof (gfloat));
  convolution->negative = srgan_aligned_alloc (n_outputs, sizeof (gfloat));
  convolution->addend = srgan_aligned_alloc (n_outputs, sizeof (gfloat));
  convolution->bytes = n_weight * weight_size +
                       n_outputs * (sizeof (gint32) + 3 * sizeof (gfloat));
  if (!convolution->weight || !convolution->bias || !convolution->positive ||
      !convolution->negative || !convolution->addend) {
    srgan_int8_convolution_clear (convolution);
    return FALSE;
  }
  for (o = 0; o < n_outputs; o++)
    convolution->addend[o] =
        layer->output_type == SRGAN_MAP_BYTES ? layer->output_zero : 0;
  for (o = 0; o < layer->out_channels; o++)
    pack_output (convolution, layer, packing, o);
  return TRUE;
}
