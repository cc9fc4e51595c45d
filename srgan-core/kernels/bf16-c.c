/* kernels: the bfloat16 reference in plain C, for checks and for what has been
 * asked for by name on a CPU without tiles.
 *
 * SPDX-License-Identifier: MIT
 */
#include "kernels/bf16-private.h"

#define LANES SRGAN_BF16_LANES

/* The products of one kernel row. */
static inline __attribute__ ((always_inline)) void
add_row (gfloat sum[LANES], const guint16 *input, const guint16 *weight,
    const SrganChunks *chunks)
{
  guint chunk, group, lane;

  for (chunk = 0; chunk < chunks->n_chunks; chunk++) {
    const guint16 *pair = input + 2 * srgan_chunks_get_start (chunks, chunk);

    for (group = 0; group < chunks->n_groups;
         group++, pair += 2, weight += 2 * LANES) {
      const gfloat first = srgan_bf16_widen (pair[0]);
      const gfloat second = srgan_bf16_widen (pair[1]);

      for (lane = 0; lane < LANES; lane++)
        sum[lane] += first * srgan_bf16_widen (weight[2 * lane]) +
                     second * srgan_bf16_widen (weight[2 * lane + 1]);
    }
  }
}

static void
convolve_row (const SrganBf16Convolution *convolution, const void *const *rows,
    void *output, guint width)
{
  const gsize in_stride = convolution->in_stride;
  const gsize out_stride = convolution->out_stride;
  const SrganChunks chunks = srgan_bf16_get_chunks (convolution);
  const gsize row_weights =
      (gsize) chunks.n_chunks * chunks.n_groups * 2 * LANES;
  const guint16 *weight = convolution->weight;
  guint channel, x, ky, lane;

  for (channel = 0; channel < out_stride;
       channel += LANES, weight += convolution->kernel_height * row_weights)
    for (x = 0; x < width; x++) {
      gfloat sum[LANES];
      guint n = (guint) MIN (LANES, out_stride - channel);

      memcpy (sum, convolution->bias + channel, sizeof sum);
      for (ky = 0; ky < convolution->kernel_height; ky++)
        add_row (sum, (const guint16 *) rows[ky] + x * in_stride,
            weight + ky * row_weights, &chunks);
      for (lane = 0; lane < LANES; lane++)
        sum[lane] *= sum[lane] < 0 ? convolution->slope[channel + lane] : 1;
      if (convolution->to_floats)
        memcpy (
            (gfloat *) output + x * out_stride + channel, sum, n * sizeof *sum);
      else
        for (lane = 0; lane < n; lane++)
          ((guint16 *) output)[x * out_stride + channel + lane] =
              srgan_bf16_round (sum[lane]);
    }
}

static void
round_row (guint16 *output, const gfloat *input, guint n)
{
  guint i;

  for (i = 0; i < n; i++)
    output[i] = srgan_bf16_round (input[i]);
}

static void
widen_row (gfloat *output, const guint16 *input, guint n)
{
  guint i;

  for (i = 0; i < n; i++)
    output[i] = srgan_bf16_widen (input[i]);
}

static void
round_map (guint16 *output, const gfloat *map, guint channels, guint stride,
    gsize n_pixels)
{
  gsize pixel;

  for (pixel = 0; pixel < n_pixels; pixel++)
    round_row (output + pixel * channels, map + pixel * stride, channels);
}

static void
add_derivative (const SrganBf16Derivative *derivative, const gfloat *input,
    const gfloat *gradient, gfloat *weight_gradient, void *scratch)
{
  const gsize n = derivative->n_pixels;
  const gsize reach = srgan_bf16_get_tiling (derivative).reach;
  const guint in = derivative->in_channels, out = derivative->out_channels;
  guint16 *inputs = scratch, *outputs = inputs + (n + reach) * in;
  gsize pixel;
  guint o, ky, kx, i;

  round_map (inputs, input, in, derivative->in_stride, n + reach);
  round_map (outputs, gradient, out, derivative->out_stride, n);
  for (pixel = 0; pixel < n; pixel++)
    for (o = 0; o < out; o++) {
      const gfloat slope = srgan_bf16_widen (outputs[pixel * out + o]);
      gfloat *sum = weight_gradient + (gsize) o * derivative->kernel_height *
                                          derivative->kernel_width * in;

      for (ky = 0; ky < derivative->kernel_height; ky++)
        for (kx = 0; kx < derivative->kernel_width; kx++, sum += in) {
          const guint16 *value =
              inputs + (pixel + ky * derivative->pitch + kx) * in;

          for (i = 0; i < in; i++)
            sum[i] += slope * srgan_bf16_widen (value[i]);
        }
    }
}

static gdouble
multiply_add (guint64 n)
{
  static volatile gfloat sink;
  gfloat sum[LANES] = {0}, factor = 1;
  guint64 round;
  guint i;

  for (round = 0; round < n; round++) {
    /* unknown to the compiler, which would multiply once */
    __asm__ volatile("" : "+r"(factor));
    for (i = 0; i < LANES; i++)
      sum[i] += factor * .5f;
  }
  for (i = 0; i < LANES; i++)
    sink = sum[i];
  (void) sink;
  return 2. * LANES * n;
}

const SrganBf16Kernels srgan_bf16_kernels_c = {
    .name = "c",
    .pack = srgan_bf16_convolution_pack,
    .convolve_row = convolve_row,
    .round_row = round_row,
    .widen_row = widen_row,
    .add_derivative = add_derivative,
    .multiply_add = multiply_add,
};
