/* kernels: integer arithmetic on rows, one table of functions per ISA.
 *
 * Beside the sets of kernels.h, for the plans that compute a network in
 * integers. int8-c.c is the reference; every other set gives its results bit
 * for bit, floats included, so that an int8 plan looks the same on every
 * machine. int8.c packs and chooses.
 *
 * Maps. A row of a quantised map is [pixel][channel], one code a channel:
 *
 *   bytes    value = step (byte - zero), 0 <= byte <= 255. A byte "zero" is the
 *            value 0 exactly: that is what a convolution's padding holds. 128
 *            makes the range symmetric; an activation that leaves few negative
 *            values does better with less. A pixel is a multiple of 4 bytes.
 *   words    value = step code, -32767 <= code <= 32767, gint16: the network's
 *            input, which 8 bits would be too few for. Any channels a pixel.
 *   floats   value.
 *
 * Convolution. Each output begins with sums of products of codes, in 32-bit
 * integers, exact in any order:
 *
 *   sum = bias + sum over taps and input channels of weight code
 *         (of bytes: weight (byte - zero), -127 <= weight <= 127)
 *
 * then, in single precision with one rounding to nearest even an operation,
 *
 *   y = fmaf ((float) sum, sum < 0 ? negative : positive, addend)
 *
 * with positive = input_step weight_step / output_step, negative = that times
 * the slope of the (leaky, parametric) ReLU, addend = the output's zero. A map
 * of bytes gets y rounded to nearest even and clamped to 0 .. 255. A map of
 * floats gets y, of output_step 1 and zero 0. bias is the layer's bias in units
 * of input_step weight_step, rounded; what that left, times positive, is added
 * to addend.
 *
 * As in kernels.h, no output depends on where in the row it lies, nothing
 * outside the outputs is written and only the pixels described are read. Rows
 * of bytes need no alignment, words and floats theirs; SRGAN_ALIGNMENT is
 * faster.
 *
 * SPDX-License-Identifier: MIT
 */
#pragma once

#include "base/cpu.h"

G_BEGIN_DECLS

typedef enum {
  SRGAN_MAP_FLOATS,
  SRGAN_MAP_BYTES,
  SRGAN_MAP_WORDS,
  SRGAN_MAP_BF16, /* of bf16.h; no set here knows it */
} SrganMapType;

/* A convolution as a network has it: stride 1, one group; what pack() takes.
 * Its input is a map of bytes or of words, its output of bytes or floats. */
typedef struct {
  guint in_channels;
  guint in_stride; /* codes from one input pixel to the next, >= in_channels;
                      of bytes a multiple of 4 */
  guint out_channels;
  guint out_stride;   /* likewise, a multiple of 4; 0: get_channel_stride() */
  guint kernel_width; /* 1 .. SRGAN_KERNEL_MAX_SIDE */
  guint kernel_height;

  SrganMapType input_type;
  gfloat input_step;
  guint8 input_zero; /* of bytes */

  /* Input of bytes: weight = weight_step[out] code, [out][in][ky][kx]. */
  const gint8 *weight_code;
  const gfloat *weight_step;
  /* Input of words: the weights themselves, [out][in][ky][kx]; pack() makes
   * 16-bit codes of them, with as small a step as the sums allow of which the
   * largest weight is a multiple of 127: 12 to 15 bits of that are kept, and
   * weights that were 8-bit codes stay exact. */
  const gfloat *weight;

  const gfloat *bias;  /* [out], or NULL */
  const gfloat *slope; /* [out], or NULL: 1 */

  SrganMapType output_type;
  gfloat output_step; /* of bytes */
  guint8 output_zero;
} SrganInt8Layer;

/* A convolution ready for one set. */
typedef struct {
  guint in_channels;
  guint in_stride;
  guint out_channels;
  guint out_stride;
  guint kernel_width;
  guint kernel_height;
  SrganMapType input_type;
  SrganMapType output_type;
  gpointer weight;  /* in the set's own order and type */
  gint32 *bias;     /* what a sum of weight x byte or weight x word begins with:
                       the term of input_zero is in it */
  gfloat *positive; /* factors of sums >= 0 */
  gfloat *negative; /* and of those below */
  gfloat *addend;
  gsize bytes;  /* of the five arrays, together */
  gint variant; /* the set's own */
} SrganInt8Convolution;

typedef struct {
  const gchar *name;
  /* What the set needs of the CPU. */
  SrganCpuFlags needs;
  /* Whether a 3x3 convolution of 16 to 64 channels takes less time than the
   * best fp32 set of the same CPU with Winograd: what chooses by speed asks. */
  gboolean is_faster;

  /* Codes or floats from pixel to pixel of a map that convolve_row writes,
   * unless the layer says otherwise: the next multiple of 4. */
  guint (*get_channel_stride) (guint channels);

  /* Fills @convolution (freed with srgan_int8_convolution_clear()). FALSE, with
   * @convolution cleared, when memory is out or when the sums of so many
   * channels could leave 32 bits (more than 2^15 taps x in_stride).
   *
   * Steps are positive numbers. What is too large for the arithmetic is cut
   * off: a bias at 2^30 input_step weight_step (2^29 of words), a factor that
   * could take y out of +- 2^30 at that. */
  gboolean (*pack) (
      SrganInt8Convolution *convolution, const SrganInt8Layer *layer);

  /* One output row of @width pixels. rows[ky] points at the input pixel that
   * tap (ky, 0) of the first output pixel reads; each row holds
   * @width + kernel_width - 1 pixels from there and, of words, one code more,
   * of any value. Padding channels of the output get the value 0. */
  void (*convolve_row) (const SrganInt8Convolution *convolution,
      const void *const *rows, void *output, guint width);

  /* Floats to words: output[i] = input[i] * inverse_step, rounded to nearest
   * even, within +- 32767; NaN gives 32767. @inverse_step is 1 / step. */
  void (*quantise_words) (
      gint16 *output, const gfloat *input, gfloat inverse_step, guint n);

  /* Floats to bytes: output[i] = fmaf (input[i], inverse_step, zero), rounded
   * to nearest even, within 0 .. 255; NaN gives 255. */
  void (*quantise_bytes) (guint8 *output, const gfloat *input,
      gfloat inverse_step, guint8 zero, guint n);

  /* Bytes to floats: output[i] = (input[i] - zero) * step. */
  void (*dequantise_bytes) (
      gfloat *output, const guint8 *input, gfloat step, guint8 zero, guint n);

  /* The sum of two maps of bytes, as bytes:
   * output[i] = fmaf (a[i], a_factor, fmaf (b[i], b_factor, addend)), rounded
   * to nearest even, within 0 .. 255; output may be a or b. With the steps and
   * zeros of the three maps: a_factor = a_step / output_step, b_factor likewise
   * and addend = output_zero - a_factor a_zero - b_factor b_zero. The factors'
   * and the addend's magnitudes are below 2^20. */
  void (*add_bytes) (guint8 *output, const guint8 *a, const guint8 *b,
      gfloat a_factor, gfloat b_factor, gfloat addend, guint n);

  /* @n rounds of as many independent multiply-adds of 8-bit codes as keep this
   * ISA's units busy, nothing loaded. Returns the operations done, two a
   * multiply-add: the peak that srgan-bench compares with. */
  gdouble (*multiply_add) (guint64 n);
} SrganInt8Kernels;

/* The best set for @flags. Where that is AMX's, asks the system for the right
 * to use tiles, for the whole process (srgan_cpu_request_amx()): call it when a
 * plan is to run in int8. Refused, the next best set serves. */
SRGAN_API
const SrganInt8Kernels *srgan_int8_kernels_get (SrganCpuFlags flags);

/* All sets that this CPU can run, NULL-terminated, the reference first, the
 * best last. Asks for tiles likewise. */
SRGAN_API
const SrganInt8Kernels *const *srgan_int8_kernels_list (void);

SRGAN_API
void srgan_int8_convolution_clear (SrganInt8Convolution *convolution);

G_END_DECLS
