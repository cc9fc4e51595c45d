/* kernels: the reference in plain C. It defines what every function computes
 * and in which order, and serves CPUs for which there is no other set.
 *
 * The sets for one ISA fuse each multiplication with the addition that follows
 * it. Here each is rounded: without such an instruction, fmaf() is too slow.
 *
 * SPDX-License-Identifier: MIT
 */
#include "kernels/kernels-private.h"

#include <float.h>
#include <math.h>
#include <string.h>

/* Output channels and pixels computed at a time: the smallest vectors there
 * are, and enough of them to hide an addition's latency. GNU C's vectors, which
 * any target has, because compilers do not find them in loops over arrays. */
#define CHANNELS 4
#define PIXELS 6

typedef gfloat Channels __attribute__ ((vector_size (4 * CHANNELS), may_alias));

static guint
get_channel_stride (guint channels)
{
  return (channels + CHANNELS - 1) / CHANNELS * CHANNELS;
}

static gboolean
pack_convolution (SrganConvolution *convolution, guint in_channels,
    guint in_stride, guint out_channels, guint kernel_width,
    guint kernel_height, const gfloat *weight, const gfloat *bias,
    const gfloat *slope)
{
  return srgan_convolution_pack (convolution, in_channels, in_stride,
      out_channels, get_channel_stride (out_channels), kernel_width,
      kernel_height, weight, bias, slope, CHANNELS);
}

static gboolean
pack_grouped (SrganConvolution *convolution, guint in_channels, guint in_stride,
    guint out_channels, guint kernel_width, guint kernel_height, guint stride,
    guint groups, const gfloat *weight, const gfloat *bias, const gfloat *slope)
{
  if (groups == in_channels && groups == out_channels)
    return srgan_convolution_pack_depthwise (convolution, in_channels,
        in_stride, get_channel_stride (out_channels), kernel_width,
        kernel_height, stride, weight, bias, slope);
  if (stride == 1 && groups > 1)
    return srgan_convolution_pack_groups (convolution, in_channels, in_stride,
        out_channels, get_channel_stride (out_channels), kernel_width,
        kernel_height, groups, weight, bias, slope, CHANNELS);
  return srgan_convolution_pack_strided (convolution, in_channels, in_stride,
      out_channels, kernel_width, kernel_height, stride, groups, weight, bias,
      slope, pack_convolution);
}

static inline gfloat
activate (gfloat x, gfloat slope)
{
  return x > 0 ? x : slope * x;
}

/* @n pixels of CHANNELS output channels from @channel on: the sum begins with
 * the bias and takes the taps in the order kernel row, input channel, kernel
 * column. */
static inline __attribute__ ((always_inline)) void
convolve_pixels (const SrganConvolution *convolution, const gfloat *const *rows,
    gfloat *output, guint channel, guint x, guint n)
{
  const guint kernel_width = convolution->kernel_width;
  const guint in_channels = convolution->group_inputs
                                ? convolution->group_inputs
                                : convolution->in_channels;
  const guint first =
      convolution->group_inputs
          ? srgan_convolution_get_first_input (convolution, channel)
          : 0;
  const gsize in_stride = convolution->in_stride;
  const gsize out_stride = convolution->out_stride;
  const gfloat *tap = convolution->weight + (gsize) channel *
                                                convolution->kernel_height *
                                                in_channels * kernel_width;
  Channels sum[PIXELS], weight;
  guint ky, i, kx, p, c;

  for (p = 0; p < n; p++)
    memcpy (&sum[p], convolution->bias + channel, sizeof sum[p]);

  for (ky = 0; ky < convolution->kernel_height; ky++) {
    for (i = 0; i < in_channels; i++) {
      const gfloat *input = rows[ky] + x * in_stride + first + i;

      for (kx = 0; kx < kernel_width; kx++) {
        memcpy (&weight, tap, sizeof weight);
        tap += CHANNELS;
        for (p = 0; p < n; p++)
          sum[p] += input[(kx + p) * in_stride] * weight;
      }
    }
  }

  for (p = 0; p < n; p++)
    for (c = 0; c < CHANNELS; c++)
      output[(x + p) * out_stride + channel + c] =
          activate (sum[p][c], convolution->slope[channel + c]);
}

static void
convolve_depthwise (const SrganConvolution *convolution,
    const gfloat *const *rows, gfloat *output, guint width)
{
  const gsize out_stride = convolution->out_stride;
  gsize x, c, ky, kx;

  for (x = 0; x < width; x++)
    for (c = 0; c < out_stride; c++) {
      const gfloat *weight = convolution->weight + c;
      gfloat sum = convolution->bias[c];

      for (ky = 0;
           c < convolution->out_channels && ky < convolution->kernel_height;
           ky++)
        for (kx = 0; kx < convolution->kernel_width; kx++) {
          sum +=
              rows[ky][(x * convolution->stride + kx) * convolution->in_stride +
                       c] *
              *weight;
          weight += out_stride;
        }
      output[x * out_stride + c] = activate (sum, convolution->slope[c]);
    }
}

static void
convolve_row (const SrganConvolution *convolution, const gfloat *const *rows,
    gfloat *output, guint width)
{
  guint channel, x;

  if (convolution->variant & SRGAN_CONVOLUTION_DEPTHWISE) {
    convolve_depthwise (convolution, rows, output, width);
    return;
  }
  for (channel = 0; channel < convolution->out_stride; channel += CHANNELS) {
    for (x = 0; x + PIXELS <= width; x += PIXELS)
      convolve_pixels (convolution, rows, output, channel, x, PIXELS);
    for (; x < width; x++)
      convolve_pixels (convolution, rows, output, channel, x, 1);
  }
}

/* ---- Winograd's F(4x4, 3x3): see winograd.h ---- */

static gboolean
pack_winograd (SrganConvolution *convolution, guint in_channels,
    guint in_stride, guint out_channels, const gfloat *weight,
    const gfloat *bias, const gfloat *slope)
{
  return srgan_convolution_pack_winograd (convolution, in_channels, in_stride,
      out_channels, get_channel_stride (out_channels), weight, bias, slope,
      CHANNELS, 1, (gsize) 36 * in_stride);
}

/* B^T d, of six values @stride apart. */
static inline void
transform_input (Channels *d, guint stride)
{
  Channels d0 = d[0], d1 = d[stride], d2 = d[2 * stride], d3 = d[3 * stride];
  Channels d4 = d[4 * stride], d5 = d[5 * stride];
  Channels a = -4 * d2 + d4, b = -4 * d1 + d3;
  Channels c = d4 - d2, e = d3 - d1;

  d[0] = 4 * d0 + (-5 * d2 + d4);
  d[stride] = a + b;
  d[2 * stride] = a - b;
  d[3 * stride] = 2 * e + c;
  d[4 * stride] = -2 * e + c;
  d[5 * stride] = 4 * d1 + (-5 * d3 + d5);
}

/* A^T m, likewise, into the first four. */
static inline void
transform_output (Channels *m, guint stride)
{
  Channels m0 = m[0], m5 = m[5 * stride];
  Channels p = m[stride] + m[2 * stride], q = m[stride] - m[2 * stride];
  Channels r = m[3 * stride] + m[4 * stride];
  Channels s = m[3 * stride] - m[4 * stride];

  m[0] = (m0 + p) + r;
  m[stride] = 2 * s + q;
  m[2 * stride] = 4 * r + p;
  m[3 * stride] = 8 * s + q + m5;
}

static void
convolve_winograd (const SrganConvolution *convolution,
    const gfloat *const *rows, gfloat *const *output, guint n_tiles,
    gfloat *scratch)
{
  const guint in_channels = convolution->in_channels;
  const gsize in_stride = convolution->in_stride;
  const gsize out_stride = convolution->out_stride;
  guint t, o, i, y, x, c;

  for (t = 0; t < n_tiles; t++) {
    const gfloat *weight = convolution->weight;

    /* to scratch[input channel / CHANNELS][position] */
    for (i = 0; i < in_stride; i += CHANNELS) {
      Channels *d = (Channels *) scratch + 36 * (i / CHANNELS);

      for (y = 0; y < 6; y++)
        for (x = 0; x < 6; x++)
          memcpy (
              &d[y * 6 + x], rows[y] + (4 * t + x) * in_stride + i, sizeof *d);
      for (x = 0; x < 6; x++)
        transform_input (d + x, 6);
      for (y = 0; y < 6; y++)
        transform_input (d + 6 * y, 1);
    }
    for (o = 0; o < out_stride; o += CHANNELS) {
      Channels m[36];

      for (x = 0; x < 36; x++) {
        Channels sum = {0};

        for (i = 0; i < in_channels; i++, weight += CHANNELS) {
          Channels w;

          memcpy (&w, weight, sizeof w);
          sum += w * scratch[(i / CHANNELS * 36 + x) * CHANNELS + i % CHANNELS];
        }
        m[x] = sum;
      }
      for (x = 0; x < 6; x++)
        transform_output (m + x, 6);
      for (y = 0; y < 4; y++) {
        transform_output (m + 6 * y, 1);
        for (x = 0; x < 4; x++)
          for (c = 0; c < CHANNELS; c++)
            output[y][(4 * t + x) * out_stride + o + c] =
                activate (m[6 * y + x][c] + convolution->bias[o + c],
                    convolution->slope[o + c]);
      }
    }
  }
}

static void
sum_parts_row (const SrganConvolution *convolution, const gfloat *const *rows,
    gfloat *output, guint width)
{
  const guint n = convolution->n_parts;
  const guint channels = convolution->out_channels / (n * n);
  const gfloat *bias = convolution->bias + convolution->out_stride;
  const gfloat *slope = convolution->slope + convolution->out_stride;
  guint x, c, i, j;

  for (x = 0; x < width; x++, output += 4)
    for (c = 0; c < 4; c++) {
      gfloat sum = 0;

      for (j = 0; j < n && c < channels; j++)
        for (i = 0; i < n; i++)
          sum += rows[j][(gsize) (x + 3 * i) * convolution->out_stride +
                         (j * n + i) * channels + c];
      output[c] = c < channels ? activate (sum + bias[c], slope[c]) : 0;
    }
}

static void
add_row (gfloat *output, const gfloat *a, const gfloat *b, guint n)
{
  guint i;

  for (i = 0; i < n; i++)
    output[i] = a[i] + b[i];
}

static void
activate_row (gfloat *output, const gfloat *input, const gfloat *slope,
    guint stride, guint width)
{
  guint x, c;

  for (x = 0; x < width; x++, input += stride, output += stride)
    for (c = 0; c < stride; c++)
      output[c] = activate (input[c], slope[c]);
}

static void
activate_back_row (gfloat *gradient, const gfloat *input, const gfloat *slope,
    gfloat *slope_sum, gfloat *sum, guint stride, guint width)
{
  guint x, c;

  for (x = 0; x < width; x++, input += stride, gradient += stride)
    for (c = 0; c < stride; c++) {
      if (!(input[c] > 0)) {
        slope_sum[c] += gradient[c] * input[c];
        gradient[c] *= slope[c];
      }
      sum[c] += gradient[c];
    }
}

static gfloat
apply_curve (gfloat x, const SrganCurve *curve, guint channel, gsize stride)
{
  const gfloat *c = curve->coefficients + channel;

  switch (curve->kind) {
  case SRGAN_CURVE_SIGMOID:
    return 1 / (1 + expf (-x));
  case SRGAN_CURVE_TANH:
    return tanhf (x);
  case SRGAN_CURVE_SILU:
    return x / (1 + expf (-x));
  case SRGAN_CURVE_CLIP:
    return CLAMP (x, curve->low, curve->high);
  case SRGAN_CURVE_ROOT:
    return sqrtf (MAX (x + curve->low, 0));
  case SRGAN_CURVE_INVERSE_ROOT:
    return 1 / sqrtf (MAX (x + curve->low, FLT_MIN));
  default:
    if (!(x > -1))
      return c[0] + c[stride] * x;
    if (!(x < 1))
      return c[5 * stride] + c[6 * stride] * x;
    return ((c[4 * stride] * x + c[3 * stride]) * x + c[2 * stride]) * x;
  }
}

static void
curve_row (gfloat *output, const gfloat *input, const SrganCurve *curve,
    guint channels, guint stride, guint width)
{
  guint x, c;

  for (x = 0; x < width; x++, input += stride, output += stride) {
    for (c = 0; c < channels; c++)
      output[c] = apply_curve (input[c], curve, c, stride);
    for (; c < stride; c++)
      output[c] = 0;
  }
}

static void
multiply_row (gfloat *output, const gfloat *a, const gfloat *b, guint n)
{
  guint i;

  for (i = 0; i < n; i++)
    output[i] = a[i] * b[i];
}

static void
add_channels_row (gfloat *output, const gfloat *input, const gfloat *vector,
    guint stride, guint width)
{
  guint x, c;

  for (x = 0; x < width; x++, input += stride, output += stride)
    for (c = 0; c < stride; c++)
      output[c] = input[c] + vector[c];
}

static void
multiply_channels_row (gfloat *output, const gfloat *input,
    const gfloat *vector, guint stride, guint width)
{
  guint x, c;

  for (x = 0; x < width; x++, input += stride, output += stride)
    for (c = 0; c < stride; c++)
      output[c] = input[c] * vector[c];
}

static void
copy_channels_row (gfloat *output, guint out_stride, const gfloat *input,
    guint in_stride, guint channels, guint width)
{
  guint x, c;

  for (x = 0; x < width; x++, input += in_stride, output += out_stride)
    for (c = 0; c < channels; c++)
      output[c] = input[c];
}

static void
pool_row (gfloat *output, const gfloat *const *rows, guint n_rows,
    guint kernel_width, guint step, guint stride, guint width)
{
  guint x, ky, kx, c;

  for (x = 0; x < width; x++, output += stride)
    for (c = 0; c < stride; c++) {
      const gsize first = (gsize) x * step * stride + c;
      gfloat largest = rows[0][first];

      for (ky = 0; ky < n_rows; ky++)
        for (kx = 0; kx < kernel_width; kx++)
          largest = MAX (rows[ky][first + (gsize) kx * stride], largest);
      output[c] = largest;
    }
}

static void
sum_row (gdouble *sums, const gfloat *input, guint channels, guint stride,
    guint width)
{
  guint x, c;

  for (x = 0; x < width; x++, input += stride)
    for (c = 0; c < channels; c++)
      sums[c] += input[c];
}

static void
gather_row (gfloat *output, const gfloat *input, gint origin,
    const gint32 *first, const gfloat *weight, guint n_taps, guint stride,
    guint width)
{
  guint x, c, t;

  for (x = 0; x < width; x++, output += stride, weight += n_taps) {
    const gfloat *tap = input + (gssize) (first[x] - origin) * stride;

    for (c = 0; c < stride; c++) {
      gfloat sum = weight[0] * tap[c];

      for (t = 1; t < n_taps; t++)
        sum += weight[t] * tap[(gsize) t * stride + c];
      output[c] = sum;
    }
  }
}

static void
unshuffle_row (gfloat *output, guint out_stride, const gfloat *const *rows,
    guint in_stride, guint factor, guint channels, guint width)
{
  guint x, y, p, c;

  for (x = 0; x < width; x++, output += out_stride) {
    for (c = 0; c < channels; c++)
      for (y = 0; y < factor; y++)
        for (p = 0; p < factor; p++)
          output[(c * factor + y) * factor + p] =
              rows[y][((gsize) x * factor + p) * in_stride + c];
    for (c = channels * factor * factor; c < out_stride; c++)
      output[c] = 0;
  }
}

static void
shuffle_row (gfloat *output, guint out_stride, const gfloat *input,
    guint in_stride, guint factor, guint phase, guint channels, guint width)
{
  guint x, p, c;

  for (x = 0; x < width; x++, input += in_stride) {
    for (p = 0; p < factor; p++, output += out_stride) {
      for (c = 0; c < channels; c++)
        output[c] = input[(c * factor + phase) * factor + p];
      for (; c < out_stride; c++)
        output[c] = 0;
    }
  }
}

/* Not fused in any set: ORC, which does this in the others, cannot. */
static inline gfloat
scale_sample (gfloat x, gfloat scale, gfloat offset)
{
  return x * scale + offset;
}

static inline guint8
store_sample (gfloat x, gfloat scale, gfloat offset)
{
  gfloat code = scale_sample (x, scale, offset);

  /* FALSE for NaN */
  if (!(code > 0))
    return 0;
  return (guint8) ((code < 255 ? code : 255) + .5f);
}

static void
load_row (gfloat *output, guint out_stride, const guint8 *input,
    guint pixel_stride, gfloat scale, gfloat offset, guint width)
{
  guint x;

  for (x = 0; x < width; x++)
    output[(gsize) x * out_stride] =
        scale_sample (input[(gsize) x * pixel_stride], scale, offset);
}

static void
store_row (guint8 *output, guint pixel_stride, const gfloat *input,
    guint in_stride, gfloat scale, gfloat offset, guint width)
{
  guint x;

  for (x = 0; x < width; x++)
    output[(gsize) x * pixel_stride] =
        store_sample (input[(gsize) x * in_stride], scale, offset);
}

static void
store_shuffled_row (guint8 *output, guint pixel_stride, const gfloat *input,
    guint in_stride, const gfloat *base, guint factor, guint phase,
    gfloat scale, gfloat offset, guint width)
{
  guint x, p;

  for (x = 0; x < width; x++, input += in_stride, base += factor)
    for (p = 0; p < factor; p++, output += pixel_stride)
      *output =
          store_sample (input[phase * factor + p] + base[p], scale, offset);
}

static void
blend_rows (gfloat *output, const gfloat *const *rows, const gfloat *weight,
    guint n_rows, guint n)
{
  guint i, t;

  for (i = 0; i < n; i++) {
    gfloat sum = weight[0] * rows[0][i];

    for (t = 1; t < n_rows; t++)
      sum += weight[t] * rows[t][i];
    output[i] = sum;
  }
}

static void
blend_rows_u8 (gfloat *output, const guint8 *const *rows, guint pixel_stride,
    const gfloat *weight, guint n_rows, guint width)
{
  guint x, t;

  for (x = 0; x < width; x++) {
    gfloat sum = weight[0] * rows[0][(gsize) x * pixel_stride];

    for (t = 1; t < n_rows; t++)
      sum += weight[t] * rows[t][(gsize) x * pixel_stride];
    output[x] = sum;
  }
}

static void
interpolate_row (gfloat *output, const gfloat *input,
    const SrganInterpolation *interpolation, guint channels, guint width)
{
  const gssize stride = channels;
  guint x, p, t, c;

  for (x = 0; x < width; x++, input += stride) {
    for (p = 0; p < interpolation->factor; p++, output += stride) {
      const gfloat *weight = interpolation->weight[p];
      const gfloat *tap = input + interpolation->first[p] * stride;

      for (c = 0; c < channels; c++) {
        gfloat sum = weight[0] * tap[c];

        for (t = 1; t < interpolation->n_taps; t++)
          sum += weight[t] * tap[t * stride + c];
        output[c] = sum;
      }
    }
  }
}

static void
halve_row (
    gfloat *output, const gfloat *input, const gfloat weight[3], guint width)
{
  guint x;

  for (x = 0; x < width; x++, input += 2)
    output[x] =
        weight[0] * input[-1] + weight[1] * input[0] + weight[2] * input[1];
}

static void
mix_rows (gfloat *const *output, const gfloat *const *input,
    const gfloat matrix[3][3], const gfloat offset[3], guint n)
{
  guint i, j, x;

  for (x = 0; x < n; x++) {
    gfloat in[3] = {input[0][x], input[1][x], input[2][x]};

    for (i = 0; i < 3; i++) {
      gfloat sum = offset[i];

      for (j = 0; j < 3; j++)
        sum += matrix[i][j] * in[j];
      output[i][x] = sum;
    }
  }
}

static void
interleave_row (
    gfloat *output, guint out_stride, const gfloat *const *input, guint width)
{
  guint x, c;

  for (x = 0; x < width; x++, output += out_stride) {
    for (c = 0; c < 3; c++)
      output[c] = input[c][x];
    for (; c < out_stride; c++)
      output[c] = 0;
  }
}

static void
deinterleave_row (
    gfloat *const *output, const gfloat *input, guint in_stride, guint width)
{
  guint x, c;

  for (x = 0; x < width; x++, input += in_stride)
    for (c = 0; c < 3; c++)
      output[c][x] = input[c];
}

static gdouble
multiply_add (guint64 n)
{
  static volatile gfloat sink;
  gfloat factor = 1.0001f, addend = .9999f;
  gfloat sum[48] = {0};
  guint64 round;
  guint i;

  for (round = 0; round < n; round++)
    for (i = 0; i < G_N_ELEMENTS (sum); i++)
      sum[i] = sum[i] * factor + addend;
  for (i = 0; i < G_N_ELEMENTS (sum); i++)
    sink = sum[i];
  (void) sink;
  return 2. * G_N_ELEMENTS (sum) * n;
}

const SrganKernels srgan_kernels_c = {
    .name = "c",
    .lanes = 1,
    .get_channel_stride = get_channel_stride,
    .pack_convolution = pack_convolution,
    .pack_grouped = pack_grouped,
    .convolve_row = convolve_row,
    .pack_winograd = pack_winograd,
    .convolve_winograd = convolve_winograd,
    .sum_parts_row = sum_parts_row,
    .add_row = add_row,
    .activate_row = activate_row,
    .activate_back_row = activate_back_row,
    .curve_row = curve_row,
    .multiply_row = multiply_row,
    .add_channels_row = add_channels_row,
    .multiply_channels_row = multiply_channels_row,
    .copy_channels_row = copy_channels_row,
    .pool_row = pool_row,
    .sum_row = sum_row,
    .gather_row = gather_row,
    .unshuffle_row = unshuffle_row,
    .shuffle_row = shuffle_row,
    .load_row = load_row,
    .store_row = store_row,
    .store_shuffled_row = store_shuffled_row,
    .blend_rows = blend_rows,
    .blend_rows_u8 = blend_rows_u8,
    .interpolate_row = interpolate_row,
    .halve_row = halve_row,
    .mix_rows = mix_rows,
    .interleave_row = interleave_row,
    .deinterleave_row = deinterleave_row,
    .multiply_add = multiply_add,
};
