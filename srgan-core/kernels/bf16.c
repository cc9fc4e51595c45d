/* kernels: packing for the bfloat16 sets, and the one table that chooses among
 * them.
 *
 * SPDX-License-Identifier: MIT
 */
#include "kernels/bf16-private.h"

#include "base/memory.h"

/* The sets of this build, the better one later, and without that. */
static const SrganBf16Kernels *const sets[] = {&srgan_bf16_kernels_c,
#ifdef __x86_64__
    &srgan_bf16_kernels_amx,
#endif
    NULL};
static const SrganBf16Kernels *const reference[] = {
    &srgan_bf16_kernels_c, NULL};
#define BEST (G_N_ELEMENTS (sets) - 2)

static gboolean
is_usable (const SrganBf16Kernels *set, SrganCpuFlags flags)
{
  if ((set->needs & flags) != set->needs)
    return FALSE;
#ifdef __x86_64__
  if (set->needs & SRGAN_CPU_AMX_BF16)
    return srgan_cpu_request_amx ();
#endif
  return TRUE;
}

const SrganBf16Kernels *
srgan_bf16_kernels_get (SrganCpuFlags flags)
{
  return is_usable (sets[BEST], flags) ? sets[BEST] : reference[0];
}

const SrganBf16Kernels *const *
srgan_bf16_kernels_list (void)
{
  return is_usable (sets[BEST], srgan_cpu_get_flags ()) ? sets : reference;
}

void
srgan_bf16_convolution_clear (SrganBf16Convolution *convolution)
{
  srgan_aligned_free (convolution->weight);
  srgan_aligned_free (convolution->bias);
  srgan_aligned_free (convolution->slope);
  memset (convolution, 0, sizeof *convolution);
}

gsize
srgan_bf16_derivative_get_scratch (const SrganBf16Derivative *derivative)
{
  const SrganBf16Tiling tiling = srgan_bf16_get_tiling (derivative);
  const gsize tiles =
      tiling.n_sums * sizeof (gfloat) +
      SRGAN_BF16_LANES * sizeof (guint16) *
          (tiling.n_out * SRGAN_BF16_STRIP + 4 * tiling.n_in * tiling.n_pairs);
  /* the reference's rounded maps */
  const gsize maps =
      ((derivative->n_pixels + tiling.reach) * derivative->in_channels +
          derivative->n_pixels * derivative->out_channels) *
      sizeof (guint16);

  return MAX (tiles, maps);
}

/* ---- Packing ---- */

/* Numbers of a kernel, padding channels among them, and channels: what sizes
 * can be computed of without care. */
#define MAX_NUMBERS (1u << 24)

static void
pack_output (SrganBf16Convolution *convolution, const SrganBf16Layer *layer,
    const SrganChunks *chunks, guint o)
{
  const gsize n_groups = (gsize) chunks->n_chunks * chunks->n_groups;
  const gfloat *weight = layer->weight + (gsize) o * layer->in_channels *
                                             layer->kernel_height *
                                             layer->kernel_width;
  guint c, ky, kx;

  for (c = 0; c < layer->in_channels; c++)
    for (ky = 0; ky < layer->kernel_height; ky++)
      for (kx = 0; kx < layer->kernel_width; kx++) {
        const guint number = kx * layer->in_stride + c;
        gsize group = o / SRGAN_BF16_LANES * layer->kernel_height + ky;

        group = group * n_groups + srgan_chunks_get_place (chunks, number / 2);
        convolution
            ->weight[(group * SRGAN_BF16_LANES + o % SRGAN_BF16_LANES) * 2 +
                     number % 2] = srgan_bf16_round (*weight++);
      }
  convolution->bias[o] = layer->bias ? layer->bias[o] : 0;
  convolution->slope[o] = layer->slope ? layer->slope[o] : 1;
}

gboolean
srgan_bf16_convolution_pack (
    SrganBf16Convolution *convolution, const SrganBf16Layer *layer)
{
  SrganChunks chunks;
  gsize n_outputs, n_weights;
  guint o;

  *convolution = (SrganBf16Convolution){.in_channels = layer->in_channels,
      .in_stride = layer->in_stride,
      .out_channels = layer->out_channels,
      .out_stride = layer->out_stride,
      .kernel_width = layer->kernel_width,
      .kernel_height = layer->kernel_height,
      .to_floats = layer->to_floats};
  if (layer->in_stride > MAX_NUMBERS / layer->kernel_width ||
      layer->out_stride > MAX_NUMBERS) {
    memset (convolution, 0, sizeof *convolution);
    return FALSE;
  }
  chunks = srgan_bf16_get_chunks (convolution);
  n_outputs = (layer->out_stride + SRGAN_BF16_LANES - 1) / SRGAN_BF16_LANES *
              SRGAN_BF16_LANES;
  n_weights =
      n_outputs * layer->kernel_height * chunks.n_chunks * chunks.n_groups * 2;
  convolution->weight = srgan_aligned_alloc (n_weights, sizeof (guint16));
  convolution->bias = srgan_aligned_alloc (n_outputs, sizeof (gfloat));
  convolution->slope = srgan_aligned_alloc (n_outputs, sizeof (gfloat));
  convolution->bytes =
      n_weights * sizeof (guint16) + 2 * n_outputs * sizeof (gfloat);
  if (!convolution->weight || !convolution->bias || !convolution->slope) {
    srgan_bf16_convolution_clear (convolution);
    return FALSE;
  }
  for (o = 0; o < layer->out_channels; o++)
    pack_output (convolution, layer, &chunks, o);
  return TRUE;
}
