/* kernels: the arithmetic on rows, one table of functions per ISA.
 *
 * kernels-c.c is the reference that defines every function; kernels-avx2.c,
 * kernels-avx512.c and kernels-neon.c are the same for one ISA each. Nothing
 * else in the project computes on pixels or feature maps of a frame.
 *
 * A feature-map row is [pixel][channel], float32, with `stride` floats from
 * one pixel to the next: the channels padded up as get_channel_stride() says.
 * Padding channels hold zeros. Every function computes each output pixel from
 * its inputs in the same order whatever the width of the row and wherever in
 * it the pixel lies, so that tiling cannot change a bit. Rows need no
 * alignment beyond a float's; SRGAN_ALIGNMENT is faster.
 *
 * Nothing outside the outputs described is written. Reading: a function reads
 * only the pixels described.
 *
 * SPDX-License-Identifier: MIT
 */
#pragma once

#include "base/cpu.h"

G_BEGIN_DECLS

/* Widest kernel side that convolve_row takes. */
#define SRGAN_KERNEL_MAX_SIDE 63
/* Most taps of one interpolation phase, and most phases (the factor). */
#define SRGAN_KERNEL_MAX_TAPS 4
#define SRGAN_KERNEL_MAX_PHASES 16

/* A convolution ready for one kernel set: bias and a leaky activation
 * x > 0 ? x : slope x with a slope per channel (none: 1, relu: 0) fused. */
typedef struct {
  guint in_channels;
  guint in_stride; /* floats from one input pixel to the next */
  guint out_channels;
  guint out_stride;   /* likewise of the output */
  guint kernel_width; /* 1 .. SRGAN_KERNEL_MAX_SIDE */
  guint kernel_height;
  guint stride;       /* input pixels from one output pixel to the next */
  guint groups;       /* which each read a part of the input's channels */
  guint group_inputs; /* the kernel set's own */
  gfloat *weight;     /* in the kernel set's own order */
  gfloat *bias;       /* in the kernel set's own order */
  gfloat *slope;
  gsize bytes;   /* of the three, together */
  gint variant;  /* the kernel set's own */
  gsize scratch; /* floats that convolve_winograd() works in; 0: packed for
                    convolve_row() */
  guint n_parts; /* a side of the square of 3x3 parts that the kernel was cut
                    into: see srgan_convolution_pack_parts(); else 0 */
} SrganConvolution;

/* Activations that convolve_row() does not fuse. */
typedef enum {
  SRGAN_CURVE_SIGMOID, /* 1 / (1 + exp (-x)) */
  SRGAN_CURVE_TANH,
  SRGAN_CURVE_SILU,   /* x sigmoid (x) */
  SRGAN_CURVE_CLIP,   /* to low .. high */
  SRGAN_CURVE_SPLINE, /* c[0] + c[1] x for x <= -1, c[5] + c[6] x for x >= 1,
                         ((c[4] x + c[3]) x + c[2]) x between */
  SRGAN_CURVE_ROOT,   /* sqrt (x + low), 0 where that is negative */
  SRGAN_CURVE_INVERSE_ROOT, /* 1 over it */
} SrganCurveKind;

#define SRGAN_CURVE_COEFFICIENTS 7

typedef struct {
  SrganCurveKind kind;
  gfloat low, high;     /* CLIP; ROOT, INVERSE_ROOT: low */
  gfloat *coefficients; /* SPLINE: c[7][stride], the stride of the row */
} SrganCurve;

/* Interpolation by a whole factor, one direction: output i * factor + p is the
 * sum over t of weight[p][t] * input[i + first[p] + t]. */
typedef struct {
  guint factor; /* 1 .. SRGAN_KERNEL_MAX_PHASES */
  guint n_taps; /* 1 .. SRGAN_KERNEL_MAX_TAPS, the same for all phases */
  gint first[SRGAN_KERNEL_MAX_PHASES]; /* -3 .. 2 */
  gfloat weight[SRGAN_KERNEL_MAX_PHASES][SRGAN_KERNEL_MAX_TAPS];
} SrganInterpolation;

typedef struct {
  const gchar *name; /* "c", "avx2", "avx512", "neon" */
  guint lanes;       /* floats in a vector */

  /* Floats from pixel to pixel of a map that convolve_row writes. */
  guint (*get_channel_stride) (guint channels);

  /* Fills @convolution (its memory from srgan_aligned_alloc(), freed with
   * srgan_convolution_clear()) from weight [out][in][ky][kx], bias [out] or
   * NULL and slope [out] or NULL (1). @in_stride >= @in_channels. FALSE, with
   * @convolution cleared, when memory is out. */
  gboolean (*pack_convolution) (SrganConvolution *convolution,
      guint in_channels, guint in_stride, guint out_channels,
      guint kernel_width, guint kernel_height, const gfloat *weight,
      const gfloat *bias, const gfloat *slope);

  /* As pack_convolution, of any stride and number of groups (which divides both
   * numbers of channels), for convolve_row too: weight
   * [out][in / groups][ky][kx]. */
  gboolean (*pack_grouped) (SrganConvolution *convolution, guint in_channels,
      guint in_stride, guint out_channels, guint kernel_width,
      guint kernel_height, guint stride, guint groups, const gfloat *weight,
      const gfloat *bias, const gfloat *slope);

  /* One output row of @width pixels. rows[ky] points at the input pixel that
   * tap (ky, 0) of the first output pixel reads; each row holds
   * (@width - 1) stride + kernel_width pixels from there, rounded up to whole
   * strides, all of them numbers. */
  void (*convolve_row) (const SrganConvolution *convolution,
      const gfloat *const *rows, gfloat *output, guint width);

  /* As pack_convolution, for convolve_winograd: 3x3, and both strides multiples
   * of the lanes, which more than 8 channels make them. */
  gboolean (*pack_winograd) (SrganConvolution *convolution, guint in_channels,
      guint in_stride, guint out_channels, const gfloat *weight,
      const gfloat *bias, const gfloat *slope);

  /* Four output rows of 4 @n_tiles pixels: tiles of 4x4 by Winograd's
   * F(4x4, 3x3). rows[ky], ky < 6, point at the input pixel that is one up and
   * one left of the first output pixel, and hold 4 @n_tiles + 2 pixels. What a
   * pixel comes to depends on where it lies in its tile, by rounding, but not
   * on the tiles beside it. @scratch holds convolution->scratch floats,
   * aligned to SRGAN_ALIGNMENT. */
  void (*convolve_winograd) (const SrganConvolution *convolution,
      const gfloat *const *rows, gfloat *const *output, guint n_tiles,
      gfloat *scratch);

  /* One row of a convolution in parts, from what convolve_winograd() made of
   * it. rows[j] point at the pixel of row j of parts that part (j, 0) gives the
   * first output pixel, and hold @width + 3 (n_parts - 1) pixels. Writes 4
   * floats a pixel: the channels and zeros. */
  void (*sum_parts_row) (const SrganConvolution *convolution,
      const gfloat *const *rows, gfloat *output, guint width);

  /* output[i] = a[i] + b[i]; output may be a or b. */
  void (*add_row) (gfloat *output, const gfloat *a, const gfloat *b, guint n);

  /* output[i] = x > 0 ? x : slope[channel] x, @slope padded to @stride;
   * output may be the input. */
  void (*activate_row) (gfloat *output, const gfloat *input,
      const gfloat *slope, guint stride, guint width);

  /* The way back through activate_row(): @gradient, the derivative by its
   * output, becomes that by its @input. Adds to sum[channel] what this comes to
   * over the row, and to slope_sum[channel] the derivative by the slope; both
   * have @stride places, and are of training only. */
  void (*activate_back_row) (gfloat *gradient, const gfloat *input,
      const gfloat *slope, gfloat *slope_sum, gfloat *sum, guint stride,
      guint width);

  /* Applies @curve to the channels; padding channels are written as zeros.
   * Within 4 ulps, or 1e-7 absolutely where that is more; output may be the
   * input. NaN gives anything. */
  void (*curve_row) (gfloat *output, const gfloat *input,
      const SrganCurve *curve, guint channels, guint stride, guint width);

  /* output[i] = a[i] * b[i]; output may be a or b. */
  void (*multiply_row) (
      gfloat *output, const gfloat *a, const gfloat *b, guint n);

  /* output[x stride + c] = input[x stride + c] + vector[c], or times it, for
   * c < stride; output may be the input. */
  void (*add_channels_row) (gfloat *output, const gfloat *input,
      const gfloat *vector, guint stride, guint width);
  void (*multiply_channels_row) (gfloat *output, const gfloat *input,
      const gfloat *vector, guint stride, guint width);

  /* output[x out_stride + c] = input[x in_stride + c] for c < channels. */
  void (*copy_channels_row) (gfloat *output, guint out_stride,
      const gfloat *input, guint in_stride, guint channels, guint width);

  /* output[x stride + c] = the largest of rows[ky][(x step + kx) stride + c]
   * for ky < n_rows, kx < kernel_width. */
  void (*pool_row) (gfloat *output, const gfloat *const *rows, guint n_rows,
      guint kernel_width, guint step, guint stride, guint width);

  /* Adds to sums[c], c < channels, the row's pixels in their order. */
  void (*sum_row) (gdouble *sums, const gfloat *input, guint channels,
      guint stride, guint width);

  /* Any enlargement: output[x stride + c] = the sum over t < n_taps <=
   * SRGAN_KERNEL_MAX_TAPS of weight[x n_taps + t] *
   * input[(first[x] - origin + t) stride + c], for c < stride. */
  void (*gather_row) (gfloat *output, const gfloat *input, gint origin,
      const gint32 *first, const gfloat *weight, guint n_taps, guint stride,
      guint width);

  /* Space to depth: output[x out_stride + (c factor + y) factor + p] =
   * rows[y][(x factor + p) in_stride + c] for x < width, y and p < factor,
   * c < channels; padding channels of the output are written as zeros. */
  void (*unshuffle_row) (gfloat *output, guint out_stride,
      const gfloat *const *rows, guint in_stride, guint factor, guint channels,
      guint width);

  /* Depth to space, row @phase of @factor that one input row makes:
   * output[(x factor + p) out_stride + c] =
   *   input[x in_stride + c factor^2 + phase factor + p]
   * for x < width, c < channels; padding channels of the output, if any, are
   * written as zeros. */
  void (*shuffle_row) (gfloat *output, guint out_stride, const gfloat *input,
      guint in_stride, guint factor, guint phase, guint channels, guint width);

  /* 8-bit samples to float: output[x out_stride] =
   * input[x pixel_stride] * scale + offset. */
  void (*load_row) (gfloat *output, guint out_stride, const guint8 *input,
      guint pixel_stride, gfloat scale, gfloat offset, guint width);

  /* Float to 8-bit: output[x pixel_stride] =
   * floor (clamp (input[x in_stride] * scale + offset, 0, 255) + .5);
   * NaN gives 0. */
  void (*store_row) (guint8 *output, guint pixel_stride, const gfloat *input,
      guint in_stride, gfloat scale, gfloat offset, guint width);

  /* What a luma network ends with, in one pass: shuffle_row of one channel,
   * plus the upscaled input, to 8 bits:
   * output[(x factor + p) pixel_stride] = as store_row of
   *   input[x in_stride + phase factor + p] + base[x factor + p]
   * for x < width. */
  void (*store_shuffled_row) (guint8 *output, guint pixel_stride,
      const gfloat *input, guint in_stride, const gfloat *base, guint factor,
      guint phase, gfloat scale, gfloat offset, guint width);

  /* The weighted sum of up to SRGAN_KERNEL_MAX_TAPS rows. */
  void (*blend_rows) (gfloat *output, const gfloat *const *rows,
      const gfloat *weight, guint n_rows, guint n);

  /* The same from 8-bit samples, pixel_stride apart, taken as 0 .. 255. */
  void (*blend_rows_u8) (gfloat *output, const guint8 *const *rows,
      guint pixel_stride, const gfloat *weight, guint n_rows, guint width);

  /* One row enlarged: input[0] is the first pixel that gives outputs, those
   * that the taps reach beside it must exist. @channels floats a pixel on both
   * sides, all of them interpolated. @width input pixels give
   * width * factor output pixels. */
  void (*interpolate_row) (gfloat *output, const gfloat *input,
      const SrganInterpolation *interpolation, guint channels, guint width);

  /* One row at half its width, for subsampled chroma:
   * output[x] = weight[0] input[2x - 1] + weight[1] input[2x]
   *           + weight[2] input[2x + 1]; all three inputs must exist. */
  void (*halve_row) (
      gfloat *output, const gfloat *input, const gfloat weight[3], guint width);

  /* A 3x3 matrix with offsets on three planar rows:
   * output[i][x] = offset[i] + sum over j of matrix[i][j] * input[j][x].
   * Outputs may be the inputs. */
  void (*mix_rows) (gfloat *const *output, const gfloat *const *input,
      const gfloat matrix[3][3], const gfloat offset[3], guint n);

  /* Three planar rows to or from a feature-map row of 3 channels. */
  void (*interleave_row) (gfloat *output, guint out_stride,
      const gfloat *const *input, guint width);
  void (*deinterleave_row) (
      gfloat *const *output, const gfloat *input, guint in_stride, guint width);

  /* @n rounds of as many independent multiply-adds as keep this ISA's FMA
   * units busy, nothing loaded. Returns the floating-point operations done:
   * the peak that srgan-bench compares with. */
  gdouble (*multiply_add) (guint64 n);
} SrganKernels;

/* The best set for @flags: the one place that chooses. */
SRGAN_API
const SrganKernels *srgan_kernels_get (SrganCpuFlags flags);

/* All sets that this CPU can run, NULL-terminated, the reference first. */
SRGAN_API
const SrganKernels *const *srgan_kernels_list (void);

SRGAN_API
void srgan_convolution_clear (SrganConvolution *convolution);

/* Widest kernel of a convolution in parts. */
#define SRGAN_PARTS_MAX_SIDE 9
/* Most channels that it gives. */
#define SRGAN_PARTS_MAX_CHANNELS 4

/* A convolution with a large kernel to few channels as one 3x3 convolution to
 * many: the kernel, with zeros around its end, is n_parts x n_parts kernels of
 * 3x3, each with outputs of its own,
 *   channel (j n_parts + i) out_channels + c,
 * which convolve_winograd() makes all at once and sum_parts_row() adds up.
 * weight [out][in][side][side], @side odd, 5 .. 9; @out_channels at most
 * SRGAN_PARTS_MAX_CHANNELS, more than 8 with all parts together; otherwise as
 * pack_winograd. Bias and slope belong to the sum. */
SRGAN_API
gboolean srgan_convolution_pack_parts (SrganConvolution *convolution,
    const SrganKernels *kernels, guint in_channels, guint in_stride,
    guint out_channels, guint side, const gfloat *weight, const gfloat *bias,
    const gfloat *slope);

/* Compiles the ORC programs, so that no frame has to: call it once, before the
 * first use of a set; harmless again. */
SRGAN_API
void srgan_kernels_init (void);

G_END_DECLS
