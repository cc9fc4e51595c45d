/* kernels: the one table that chooses, and what all sets share.
 *
 * SPDX-License-Identifier: MIT
 */
#include "kernels/kernels-private.h"

#include <pthread.h>
#include <string.h>

#include "base/memory.h"
#include "kernels/pixels-orc.h"

/* The sets of this build, each with what it needs, the better ones later. */
static const struct {
  SrganCpuFlags needs;
  const SrganKernels *kernels;
} sets[] = {
    {0, &srgan_kernels_c},
#ifdef __x86_64__
    {SRGAN_CPU_AVX2, &srgan_kernels_avx2},
    {SRGAN_CPU_AVX2 | SRGAN_CPU_AVX512, &srgan_kernels_avx512},
#endif
#ifdef __aarch64__
    {SRGAN_CPU_NEON, &srgan_kernels_neon},
#endif
};

/* Each list srgan_kernels_list() can return: the first n sets, for every n. A
 * set's needs include those of the sets before it on the same architecture, so
 * what a CPU can run is always such a beginning. */
static const SrganKernels *lists[G_N_ELEMENTS (sets)][G_N_ELEMENTS (sets) + 1];

static void
init (void)
{
  guint n, i;

  srgan_pixels_init ();
  for (n = 0; n < G_N_ELEMENTS (sets); n++)
    for (i = 0; i <= n; i++)
      lists[n][i] = sets[i].kernels;
}

void
srgan_kernels_init (void)
{
  static pthread_once_t once = PTHREAD_ONCE_INIT;

  pthread_once (&once, init);
}

static guint
find_best (SrganCpuFlags flags)
{
  guint best = 0;

  while (best + 1 < G_N_ELEMENTS (sets) &&
         (sets[best + 1].needs & flags) == sets[best + 1].needs)
    best++;
  return best;
}

const SrganKernels *
srgan_kernels_get (SrganCpuFlags flags)
{
  srgan_kernels_init ();
  return sets[find_best (flags)].kernels;
}

const SrganKernels *const *
srgan_kernels_list (void)
{
  srgan_kernels_init ();
  return lists[find_best (srgan_cpu_get_flags ())];
}

void
srgan_convolution_clear (SrganConvolution *convolution)
{
  srgan_aligned_free (convolution->weight);
  srgan_aligned_free (convolution->bias);
  srgan_aligned_free (convolution->slope);
  memset (convolution, 0, sizeof *convolution);
}

gboolean
srgan_convolution_alloc (SrganConvolution *convolution, guint in_channels,
    guint in_stride, guint out_channels, guint out_stride, guint kernel_width,
    guint kernel_height, gsize n_weight, gsize n_outputs, const gfloat *bias,
    const gfloat *slope)
{
  guint o;

  *convolution = (SrganConvolution){
      .in_channels = in_channels,
      .in_stride = in_stride,
      .out_channels = out_channels,
      .out_stride = out_stride,
      .kernel_width = kernel_width,
      .kernel_height = kernel_height,
      .stride = 1,
      .groups = 1,
      .weight = srgan_aligned_alloc (n_weight, sizeof (gfloat)),
      .bias = srgan_aligned_alloc (n_outputs, sizeof (gfloat)),
      .slope = srgan_aligned_alloc (n_outputs, sizeof (gfloat)),
      .bytes = (n_weight + 2 * n_outputs) * sizeof (gfloat),
  };
  if (!convolution->weight || !convolution->bias || !convolution->slope) {
    srgan_convolution_clear (convolution);
    return FALSE;
  }
  convolution->variant = SRGAN_CONVOLUTION_LINEAR;
  for (o = 0; o < out_channels; o++) {
    convolution->bias[o] = bias ? bias[o] : 0;
    convolution->slope[o] = slope ? slope[o] : 1;
    if (convolution->slope[o] != 1)
      convolution->variant &= ~SRGAN_CONVOLUTION_LINEAR;
  }
  return TRUE;
}

gboolean
srgan_convolution_pack (SrganConvolution *convolution, guint in_channels,
    guint in_stride, guint out_channels, guint out_stride, guint kernel_width,
    guint kernel_height, const gfloat *weight, const gfloat *bias,
    const gfloat *slope, guint lanes)
{
  gsize n_taps = (gsize) kernel_width * kernel_height;
  gsize n_outputs = ((gsize) out_channels + lanes - 1) / lanes * lanes;
  gsize n_weight, o, i, kx, ky;

  memset (convolution, 0, sizeof *convolution);
  if (!g_size_checked_mul (&n_weight, n_outputs, in_channels) ||
      !g_size_checked_mul (&n_weight, n_weight, n_taps) ||
      !srgan_convolution_alloc (convolution, in_channels, in_stride,
          out_channels, out_stride, kernel_width, kernel_height, n_weight,
          n_outputs, bias, slope))
    return FALSE;
  for (o = 0; o < out_channels; o++)
    for (i = 0; i < in_channels; i++)
      for (ky = 0; ky < kernel_height; ky++)
        for (kx = 0; kx < kernel_width; kx++)
          convolution
              ->weight[((((o / lanes) * kernel_height + ky) * in_channels + i) *
                               kernel_width +
                           kx) *
                           lanes +
                       o % lanes] =
              weight[((o * in_channels + i) * kernel_height + ky) *
                         kernel_width +
                     kx];
  return TRUE;
}

gboolean
srgan_convolution_pack_depthwise (SrganConvolution *convolution, guint channels,
    guint in_stride, guint out_stride, guint kernel_width, guint kernel_height,
    guint stride, const gfloat *weight, const gfloat *bias, const gfloat *slope)
{
  gsize n_taps = (gsize) kernel_width * kernel_height;
  gsize tap, c;

  memset (convolution, 0, sizeof *convolution);
  if (!srgan_convolution_alloc (convolution, channels, in_stride, channels,
          out_stride, kernel_width, kernel_height, n_taps * out_stride,
          out_stride, bias, slope))
    return FALSE;
  convolution->stride = stride;
  convolution->groups = channels;
  convolution->variant |= SRGAN_CONVOLUTION_DEPTHWISE;
  for (tap = 0; tap < n_taps; tap++)
    for (c = 0; c < channels; c++)
      convolution->weight[tap * out_stride + c] = weight[c * n_taps + tap];
  return TRUE;
}

guint
srgan_convolution_get_first_input (
    const SrganConvolution *convolution, guint output)
{
  guint out_each = convolution->out_channels / convolution->groups;
  guint in_each = convolution->in_channels / convolution->groups;

  return MIN (output / out_each * in_each,
      convolution->in_channels - convolution->group_inputs);
}

gboolean
srgan_convolution_pack_groups (SrganConvolution *convolution, guint in_channels,
    guint in_stride, guint out_channels, guint out_stride, guint kernel_width,
    guint kernel_height, guint groups, const gfloat *weight, const gfloat *bias,
    const gfloat *slope, guint lanes)
{
  const guint out_each = out_channels / groups, in_each = in_channels / groups;
  const gsize n_taps = (gsize) kernel_width * kernel_height;
  SrganConvolution description = {.in_channels = in_channels,
      .out_channels = out_channels,
      .groups = groups};
  gfloat *spread;
  gsize n_weight;
  guint v, o;

  memset (convolution, 0, sizeof *convolution);
  for (v = 0; v < out_channels; v += lanes) {
    guint last = MIN (v + lanes, out_channels) - 1;

    description.group_inputs = MAX (description.group_inputs,
        (last / out_each - v / out_each + 1) * in_each);
  }
  if (!g_size_checked_mul (&n_weight, out_channels, description.group_inputs) ||
      !g_size_checked_mul (&n_weight, n_weight, n_taps))
    return FALSE;
  spread = srgan_aligned_alloc (n_weight, sizeof (gfloat));
  if (!spread)
    return FALSE;
  for (o = 0; o < out_channels; o++) {
    guint skip = o / out_each * in_each - srgan_convolution_get_first_input (
                                              &description, o / lanes * lanes);

    memcpy (spread + ((gsize) o * description.group_inputs + skip) * n_taps,
        weight + (gsize) o * in_each * n_taps,
        in_each * n_taps * sizeof (gfloat));
  }
  if (srgan_convolution_pack (convolution, description.group_inputs, in_stride,
          out_channels, out_stride, kernel_width, kernel_height, spread, bias,
          slope, lanes)) {
    convolution->in_channels = in_channels;
    convolution->groups = groups;
    convolution->group_inputs = description.group_inputs;
  }
  srgan_aligned_free (spread);
  return convolution->weight != NULL;
}

gboolean
srgan_convolution_pack_strided (SrganConvolution *convolution,
    guint in_channels, guint in_stride, guint out_channels, guint kernel_width,
    guint kernel_height, guint stride, guint groups, const gfloat *weight,
    const gfloat *bias, const gfloat *slope,
    gboolean (*pack) (SrganConvolution *convolution, guint in_channels,
        guint in_stride, guint out_channels, guint kernel_width,
        guint kernel_height, const gfloat *weight, const gfloat *bias,
        const gfloat *slope))
{
  const guint in_each = in_channels / groups, out_each = out_channels / groups;
  /* The last of the pixels taken together ends with its channels. */
  const gsize n_inputs = (gsize) (stride - 1) * in_stride + in_channels;
  const guint width = (kernel_width + stride - 1) / stride;
  gfloat *wide;
  gsize n_weight, o, i, ky, kx;

  memset (convolution, 0, sizeof *convolution);
  if (!g_size_checked_mul (&n_weight, n_inputs, out_channels) ||
      !g_size_checked_mul (&n_weight, n_weight, (gsize) width * kernel_height))
    return FALSE;
  wide = srgan_aligned_alloc (n_weight, sizeof (gfloat));
  if (!wide)
    return FALSE;
  for (o = 0; o < out_channels; o++)
    for (i = 0; i < in_each; i++)
      for (ky = 0; ky < kernel_height; ky++)
        for (kx = 0; kx < kernel_width; kx++) {
          gsize input = kx % stride * in_stride + o / out_each * in_each + i;

          wide[((o * n_inputs + input) * kernel_height + ky) * width +
               kx / stride] =
              weight[((o * in_each + i) * kernel_height + ky) * kernel_width +
                     kx];
        }
  pack (convolution, (guint) n_inputs, stride * in_stride, out_channels, width,
      kernel_height, wide, bias, slope);
  srgan_aligned_free (wide);
  return convolution->weight != NULL;
}

/* G w G^T of Lavin and Gray, in double precision: the weights are transformed
 * once, so that only rounding to float is lost. */
static void
transform_weight (gdouble u[36], const gfloat *weight)
{
  static const gdouble g[6][3] = {
      {1. / 4, 0, 0},
      {-1. / 6, -1. / 6, -1. / 6},
      {-1. / 6, 1. / 6, -1. / 6},
      {1. / 24, 1. / 12, 1. / 6},
      {1. / 24, -1. / 12, 1. / 6},
      {0, 0, 1},
  };
  guint y, x, ky, kx;

  for (y = 0; y < 6; y++)
    for (x = 0; x < 6; x++) {
      gdouble sum = 0;

      for (ky = 0; ky < 3; ky++)
        for (kx = 0; kx < 3; kx++)
          sum += g[y][ky] * g[x][kx] * weight[ky * 3 + kx];
      u[y * 6 + x] = sum;
    }
}

gboolean
srgan_convolution_pack_winograd (SrganConvolution *convolution,
    guint in_channels, guint in_stride, guint out_channels, guint out_stride,
    const gfloat *weight, const gfloat *bias, const gfloat *slope, guint lanes,
    guint vectors, gsize scratch)
{
  gsize n_outputs = ((gsize) out_channels + lanes - 1) / lanes * lanes;
  gsize group = (gsize) lanes * vectors;
  gsize n_weight, o, i, position;

  memset (convolution, 0, sizeof *convolution);
  if (!g_size_checked_mul (&n_weight, n_outputs, in_channels) ||
      !g_size_checked_mul (&n_weight, n_weight, 36) ||
      !srgan_convolution_alloc (convolution, in_channels, in_stride,
          out_channels, out_stride, 3, 3, n_weight, n_outputs, bias, slope))
    return FALSE;
  convolution->scratch = scratch;
  for (o = 0; o < out_channels; o++)
    for (i = 0; i < in_channels; i++) {
      /* The last group may be narrower. */
      gsize first = o / group * group;
      gsize width = MIN (group, n_outputs - first);
      gfloat *packed = convolution->weight + first * 36 * in_channels +
                       i * width + o % group;
      gdouble u[36];

      transform_weight (u, weight + (o * in_channels + i) * 9);
      for (position = 0; position < 36; position++)
        packed[position * in_channels * width] = (gfloat) u[position];
    }
  return TRUE;
}

/* @values, or @rest where there are none, behind as many of @rest as there are
 * channels of all parts. */
static gfloat *
append_values (guint n_outputs, const gfloat *values, guint n, gfloat rest)
{
  gfloat *all =
      srgan_aligned_alloc (n_outputs + SRGAN_PARTS_MAX_CHANNELS, sizeof *all);
  guint i;

  for (i = 0; all && i < n_outputs; i++)
    all[i] = rest;
  for (i = 0; all && i < n; i++)
    all[n_outputs + i] = values ? values[i] : rest;
  return all;
}

gboolean
srgan_convolution_pack_parts (SrganConvolution *convolution,
    const SrganKernels *kernels, guint in_channels, guint in_stride,
    guint out_channels, guint side, const gfloat *weight, const gfloat *bias,
    const gfloat *slope)
{
  const guint n = (side + 2) / 3;
  /* sum_parts_row() reads four floats at each part, also at the last. */
  const guint n_outputs =
      n * n * out_channels + SRGAN_PARTS_MAX_CHANNELS - out_channels;
  gfloat *part, *all_bias, *all_slope;
  gsize n_weight, o, i, y, x;

  memset (convolution, 0, sizeof *convolution);
  if (!g_size_checked_mul (&n_weight, n_outputs, in_channels) ||
      !g_size_checked_mul (&n_weight, n_weight, 9))
    return FALSE;
  part = srgan_aligned_alloc (n_weight, sizeof (gfloat));
  if (!part)
    return FALSE;
  for (o = 0; o < out_channels; o++)
    for (i = 0; i < in_channels; i++)
      for (y = 0; y < side; y++)
        for (x = 0; x < side; x++) {
          gsize output = (y / 3 * n + x / 3) * out_channels + o;

          part[(output * in_channels + i) * 9 + y % 3 * 3 + x % 3] =
              weight[((o * in_channels + i) * side + y) * side + x];
        }
  if (!kernels->pack_winograd (
          convolution, in_channels, in_stride, n_outputs, part, NULL, NULL)) {
    srgan_aligned_free (part);
    return FALSE;
  }
  srgan_aligned_free (part);

  all_bias = append_values (convolution->out_stride, bias, out_channels, 0);
  all_slope = append_values (convolution->out_stride, slope, out_channels, 1);
  srgan_aligned_free (convolution->bias);
  srgan_aligned_free (convolution->slope);
  convolution->bias = all_bias;
  convolution->slope = all_slope;
  convolution->bytes += 2 * SRGAN_PARTS_MAX_CHANNELS * sizeof (gfloat);
  convolution->n_parts = n;
  convolution->out_channels = n * n * out_channels;
  if (!all_bias || !all_slope) {
    srgan_convolution_clear (convolution);
    return FALSE;
  }
  return TRUE;
}
