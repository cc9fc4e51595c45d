/* kernels: convolution in bfloat16, one table of functions per ISA.
 *
 * Beside the sets of kernels.h and int8.h, for the plans that multiply in
 * bfloat16: the upper half of a single-precision number, of 8 bits' precision.
 * Sums, biases and activations are of single precision. bf16-c.c is the
 * reference; what it is for is AMX, whose tiles multiply 16 times as many
 * bfloat16 numbers a cycle as vectors do of single precision. Vectors of
 * bfloat16 (vdpbf16ps, bfdot), and those of half precision (AVX-512 FP16,
 * NEON), multiply twice as many at best: no more than Winograd's convolution in
 * single precision saves, which cannot be had of so few bits. There are no sets
 * of those.
 *
 * Maps. A row is [pixel][channel]; a pixel is an even number of values.
 *
 * Convolution.
 *
 *   sum = bias + sum over taps and input channels of weight * input
 *   y = sum < 0 ? sum * slope : sum
 *
 * Each product is exact; in which order they are added, and whether denormal
 * numbers count as 0, is the set's own. A map of bfloat16 gets y rounded to
 * nearest even. Everything must be finite: padding has weights of 0.
 *
 * As in kernels.h, no output depends on where in the row it lies, nothing
 * outside the outputs is written and only the pixels described are read. Rows
 * need the alignment of their type; SRGAN_ALIGNMENT is faster.
 *
 * SPDX-License-Identifier: MIT
 */
#pragma once

#include "base/cpu.h"

G_BEGIN_DECLS

/* A convolution as a network has it: stride 1, one group. */
typedef struct {
  guint in_channels;
  guint in_stride; /* values from one input pixel to the next, even */
  guint out_channels;
  guint out_stride;   /* likewise of the output, of whichever type */
  guint kernel_width; /* 1 .. SRGAN_KERNEL_MAX_SIDE */
  guint kernel_height;
  const gfloat *weight; /* [out][in][ky][kx], rounded to bfloat16 by pack() */
  const gfloat *bias;   /* [out], or NULL */
  const gfloat *slope;  /* [out], or NULL: 1 */
  gboolean to_floats;   /* the output is a map of floats, not of bfloat16 */
} SrganBf16Layer;

/* A convolution ready for one set. */
typedef struct {
  guint in_channels;
  guint in_stride;
  guint out_channels;
  guint out_stride;
  guint kernel_width;
  guint kernel_height;
  gboolean to_floats;
  guint16 *weight; /* see bf16-private.h */
  gfloat *bias;    /* whole vectors, zero beyond out_channels */
  gfloat *slope;
  gsize bytes; /* of the three arrays, together */
} SrganBf16Convolution;

/* A convolution's derivative by its weight: the products of its input and of
 * the derivative by its output, both maps of floats, added up over a run of
 * pixels. A run may be rows one after the other, borders between them included,
 * where one of the two is zero. */
typedef struct {
  guint in_channels;
  guint in_stride; /* floats from one pixel of the input to the next */
  guint out_channels;
  guint out_stride;
  guint kernel_width; /* 1 .. SRGAN_KERNEL_MAX_SIDE */
  guint kernel_height;
  gsize pitch;    /* pixels from a row to the next, the same of both maps */
  gsize n_pixels; /* of the run */
} SrganBf16Derivative;

typedef struct {
  const gchar *name;
  /* What the set needs of the CPU. */
  SrganCpuFlags needs;
  /* Whether a 3x3 convolution of 16 channels and more takes less time than the
   * best fp32 set of the same CPU: what chooses by speed asks. */
  gboolean is_faster;

  /* Fills @convolution (freed with srgan_bf16_convolution_clear()). FALSE, with
   * @convolution cleared, when memory is out. */
  gboolean (*pack) (
      SrganBf16Convolution *convolution, const SrganBf16Layer *layer);

  /* One output row of @width pixels. rows[ky] points at the input pixel that
   * tap (ky, 0) of the first output pixel reads; each row holds
   * @width + kernel_width - 1 pixels from there. Padding channels of the output
   * get 0. */
  void (*convolve_row) (const SrganBf16Convolution *convolution,
      const void *const *rows, void *output, guint width);

  /* Floats to bfloat16, rounded to nearest even. */
  void (*round_row) (guint16 *output, const gfloat *input, guint n);
  /* And back, exactly. */
  void (*widen_row) (gfloat *output, const guint16 *input, guint n);

  /* Adds to @weight_gradient, [out][ky][kx][in] of floats, the sum over the run
   * of gradient[pixel][out] * input[pixel + ky * pitch + kx][in], factors
   * rounded to bfloat16. @input points at what tap (0, 0) of the first pixel
   * reads. @scratch: srgan_bf16_derivative_get_scratch() bytes, at
   * SRGAN_ALIGNMENT. */
  void (*add_derivative) (const SrganBf16Derivative *derivative,
      const gfloat *input, const gfloat *gradient, gfloat *weight_gradient,
      void *scratch);

  /* @n rounds of independent multiply-adds that keep this ISA's units busy,
   * nothing loaded. Returns the operations done, two a multiply-add. */
  gdouble (*multiply_add) (guint64 n);
} SrganBf16Kernels;

/* The best set for @flags. Where that is AMX's, asks the system for the right
 * to use tiles, for the whole process (srgan_cpu_request_amx()): call it when a
 * plan is to run in bfloat16. Refused, the reference serves. */
SRGAN_API
const SrganBf16Kernels *srgan_bf16_kernels_get (SrganCpuFlags flags);

/* All sets that this CPU can run, NULL-terminated, the reference first. Asks
 * for tiles likewise. */
SRGAN_API
const SrganBf16Kernels *const *srgan_bf16_kernels_list (void);

/* Bytes that any set's add_derivative() works in. */
SRGAN_API
gsize srgan_bf16_derivative_get_scratch (const SrganBf16Derivative *derivative);

SRGAN_API
void srgan_bf16_convolution_clear (SrganBf16Convolution *convolution);

G_END_DECLS
