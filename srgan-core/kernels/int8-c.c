/* kernels: the int8 reference in plain C. It defines every bit that the int8
 * sets compute, and serves CPUs for which there is no other set.
 *
 * SPDX-License-Identifier: MIT
 */
#include "kernels/int8-private.h"

#include <math.h>

/* Output channels computed side by side. */
#define LANES 4

static gboolean
pack (SrganInt8Convolution *convolution, const SrganInt8Layer *layer)
{
  static const SrganInt8Packing packing = {.lanes = LANES,
      .group = 1,
      .is_wide = TRUE,
      .order = SRGAN_INT8_ORDER_RUN};

  return srgan_int8_convolution_pack (convolution, layer, &packing);
}

/* The products of one kernel row; sums wrap around, as all sets' do, and come
 * to what they should in the end. */
static inline __attribute__ ((always_inline)) void
add_bytes_row (
    guint32 sum[LANES], const guint8 *input, const gint16 *weight, guint n)
{
  guint i, lane;

  for (i = 0; i < n; i++, weight += LANES)
    for (lane = 0; lane < LANES; lane++)
      sum[lane] += (guint32) (input[i] * weight[lane]);
}

static inline __attribute__ ((always_inline)) void
add_words_row (
    guint32 sum[LANES], const gint16 *input, const gint16 *weight, guint n)
{
  guint i, lane;

  for (i = 0; i < n; i++, weight += LANES)
    for (lane = 0; lane < LANES; lane++)
      sum[lane] += (guint32) (input[i] * weight[lane]);
}

/* Rounded to nearest even, within first .. last; NaN gives last. */
static inline gint
round_within (gfloat y, gfloat first, gfloat last)
{
  y = y < last ? y : last;
  y = y > first ? y : first;
  return (gint) rintf (y);
}

static void
convolve_row (const SrganInt8Convolution *convolution, const void *const *rows,
    void *output, guint width)
{
  const gsize in_stride = convolution->in_stride;
  const gsize out_stride = convolution->out_stride;
  const guint n = srgan_int8_get_n_groups (convolution, 1);
  const gint16 *weight = convolution->weight;
  guint channel, x, ky, lane;

  for (channel = 0; channel < out_stride; channel += LANES,
      weight += (gsize) convolution->kernel_height * n * LANES)
    for (x = 0; x < width; x++) {
      const gint16 *tap = weight;
      guint32 sum[LANES];

      for (lane = 0; lane < LANES; lane++)
        sum[lane] = (guint32) convolution->bias[channel + lane];
      for (ky = 0; ky < convolution->kernel_height; ky++, tap += n * LANES)
        if (convolution->input_type == SRGAN_MAP_BYTES)
          add_bytes_row (
              sum, (const guint8 *) rows[ky] + x * in_stride, tap, n);
        else
          add_words_row (
              sum, (const gint16 *) rows[ky] + x * in_stride, tap, n);
      for (lane = 0; lane < LANES; lane++) {
        gint32 total = (gint32) sum[lane];
        gfloat factor = total < 0 ? convolution->negative[channel + lane]
                                  : convolution->positive[channel + lane];
        gfloat y =
            fmaf ((gfloat) total, factor, convolution->addend[channel + lane]);

        if (convolution->output_type == SRGAN_MAP_BYTES)
          ((guint8 *) output)[x * out_stride + channel + lane] =
              (guint8) round_within (y, 0, 255);
        else
          ((gfloat *) output)[x * out_stride + channel + lane] = y;
      }
    }
}

static void
quantise_words (
    gint16 *output, const gfloat *input, gfloat inverse_step, guint n)
{
  guint i;

  for (i = 0; i < n; i++)
    output[i] = (gint16) round_within (input[i] * inverse_step, -32767, 32767);
}

static void
quantise_bytes (guint8 *output, const gfloat *input, gfloat inverse_step,
    guint8 zero, guint n)
{
  guint i;

  for (i = 0; i < n; i++)
    output[i] =
        (guint8) round_within (fmaf (input[i], inverse_step, zero), 0, 255);
}

static void
dequantise_bytes (
    gfloat *output, const guint8 *input, gfloat step, guint8 zero, guint n)
{
  guint i;

  for (i = 0; i < n; i++)
    output[i] = (gfloat) (input[i] - zero) * step;
}

static void
add_bytes (guint8 *output, const guint8 *a, const guint8 *b, gfloat a_factor,
    gfloat b_factor, gfloat addend, guint n)
{
  guint i;

  for (i = 0; i < n; i++)
    output[i] = (guint8) round_within (
        fmaf (a[i], a_factor, fmaf (b[i], b_factor, addend)), 0, 255);
}

static gdouble
multiply_add (guint64 n)
{
  static volatile gint32 sink;
  gint16 code[16], weight[16];
  gint32 sum[16] = {0};
  guint64 round;
  guint i;

  for (i = 0; i < G_N_ELEMENTS (sum); i++) {
    code[i] = 3;
    weight[i] = 2;
  }
  for (round = 0; round < n; round++)
    for (i = 0; i < G_N_ELEMENTS (sum); i++) {
      /* unknown to the compiler, which would multiply once */
      __asm__ volatile("" : "+r"(code[i]));
      sum[i] += code[i] * weight[i];
    }
  for (i = 0; i < G_N_ELEMENTS (sum); i++)
    sink = sum[i];
  (void) sink;
  return 2. * G_N_ELEMENTS (sum) * n;
}

const SrganInt8Kernels srgan_int8_kernels_c = {
    .name = "c",
    .get_channel_stride = srgan_int8_get_channel_stride,
    .pack = pack,
    .convolve_row = convolve_row,
    .quantise_words = quantise_words,
    .quantise_bytes = quantise_bytes,
    .dequantise_bytes = dequantise_bytes,
    .add_bytes = add_bytes,
    .multiply_add = multiply_add,
};
