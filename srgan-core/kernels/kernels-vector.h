/* kernels: the source of every set for one ISA.
 *
 * A file that includes this is compiled for its ISA and defines before:
 *   SET, SET_NAME   the table's symbol and name
 *   LANES           floats in a vector: 4, 8 or 16
 *   SUMS            vectors of sums that registers can hold beside 3 weights
 *                   and an input
 *   NARROW_PIXELS   so many pixels x 4 vectors can registers hold beside
 *                   NARROW_PIXELS inputs and a weight; 4 NARROW_PIXELS is a
 *                   multiple of LANES
 *   multiply_add_vector(a, b, c)  a b + c in one rounding
 *   activate_vector(x, slope)     x > 0 ? x : slope x
 *   repeat_quad(p)                the four floats at p, repeated
 *
 * Sums are made in an order that LANES does not enter into, so that all sets
 * give the same bits.
 *
 * SPDX-License-Identifier: MIT
 */
#include <float.h>
#include <string.h>

#include "kernels/kernels-private.h"
#include "kernels/pixels.h"

#define INLINE static inline __attribute__ ((always_inline))
/* Keeps an inner loop's registers apart from those of the code around it. */
#define NOINLINE static __attribute__ ((noinline))

/* Before a loop of a constant number of rounds over an array that is to become
 * registers. */
#ifdef __clang__
#define UNROLL _Pragma ("clang loop unroll(full)")
#else
#define UNROLL _Pragma ("GCC unroll 32")
#endif

typedef gfloat Vector __attribute__ ((vector_size (4 * LANES)));
typedef gint32 IntVector __attribute__ ((vector_size (4 * LANES)));
typedef guint8 ByteVector __attribute__ ((vector_size (LANES)));
typedef gfloat Quad __attribute__ ((vector_size (16)));
typedef gfloat Pair __attribute__ ((vector_size (8)));
typedef gint32 QuadMask __attribute__ ((vector_size (16)));
typedef gfloat UnalignedVector
    __attribute__ ((vector_size (4 * LANES), aligned (4), may_alias));
typedef gfloat UnalignedQuad
    __attribute__ ((vector_size (16), aligned (4), may_alias));

typedef gfloat UnalignedPair
    __attribute__ ((vector_size (8), aligned (4), may_alias));

/* Permutations of two vectors; x(q) stands for four indices. */
#define LANE_INDICES_4(x) x (0)
#define LANE_INDICES_8(x) x (0), x (1)
#define LANE_INDICES_16(x) x (0), x (1), x (2), x (3)
#define LANE_INDICES__(lanes, x) LANE_INDICES_##lanes (x)
#define LANE_INDICES_(lanes, x) LANE_INDICES__ (lanes, x)
#define PERMUTE(a, b, x) \
  __builtin_shufflevector (a, b, LANE_INDICES_ (LANES, x))

/* Rows that need a stop between two loops make it after so many samples: small
 * enough to stay in the first-level cache. */
#define CHUNK 256

INLINE Vector
load_vector (const gfloat *p)
{
  return *(const UnalignedVector *) p;
}

INLINE void
store_vector (gfloat *p, Vector v)
{
  *(UnalignedVector *) p = v;
}

INLINE Vector
fill_vector (gfloat x)
{
  return x - (Vector){0};
}

/* The first @n of a vector's floats; @n is 4 or 8. */
INLINE void
store_part (gfloat *p, Vector v, guint n)
{
#if LANES == 16
  if (n == 8)
    memcpy (p, &v, 8 * sizeof (gfloat));
  else
#endif
    memcpy (p, &v, 4 * sizeof (gfloat));
}

INLINE gfloat
multiply_add_scalar (gfloat a, gfloat b, gfloat c)
{
  return __builtin_fmaf (a, b, c);
}

/* ---- Convolution, lanes hold output channels ----
 *
 * Registers hold the sums of SUMS neighbouring pixels. Each input value is
 * broadcast once for three horizontal taps, so that a multiply-add costs less
 * than half a load. */

/* @n_taps horizontal taps of one input channel, for @n pixels; 1 .. 3 taps. */
INLINE void
add_taps (Vector *sum, const gfloat *input, gsize in_stride,
    const gfloat *weight, guint n, guint n_taps)
{
  Vector w[3];

  UNROLL
  for (guint tap = 0; tap < n_taps; tap++)
    w[tap] = load_vector (weight + tap * LANES);
  UNROLL
  for (guint x = 0; x < n + n_taps - 1; x++, input += in_stride) {
    Vector in = fill_vector (*input);

    UNROLL
    for (guint tap = 0; tap < n_taps; tap++)
      if (x >= tap && x - tap < n)
        sum[x - tap] = multiply_add_vector (in, w[tap], sum[x - tap]);
  }
}

/* @n pixels of the output channels in vector @v, from pixel @x on. @n and, if
 * not 0, @fixed_width, the kernel's width, are constants to the compiler. */
INLINE void
convolve_block (const SrganConvolution *convolution, const gfloat *const *rows,
    gfloat *output, guint v, guint x, guint n, guint fixed_width)
{
  const guint kernel_width =
      fixed_width ? fixed_width : convolution->kernel_width;
  const guint in_channels = convolution->in_channels;
  const gsize in_stride = convolution->in_stride;
  const gsize out_stride = convolution->out_stride;
  const guint n_lanes = MIN (LANES, out_stride - v * LANES);
  const Vector bias = load_vector (convolution->bias + v * LANES);
  const gfloat *weight =
      convolution->weight + (gsize) v * convolution->kernel_height *
                                in_channels * kernel_width * LANES;
  Vector sum[SUMS];

  UNROLL
  for (guint p = 0; p < n; p++)
    sum[p] = bias;

  for (guint ky = 0; ky < convolution->kernel_height; ky++) {
    const gfloat *input = rows[ky] + x * in_stride;

    for (guint i = 0; i < in_channels; i++, input++) {
      if (fixed_width) {
        add_taps (sum, input, in_stride, weight, n, fixed_width);
        weight += fixed_width * LANES;
      } else {
        const gfloat *tap = input;
        guint left = kernel_width;

        for (; left >= 3; left -= 3) {
          add_taps (sum, tap, in_stride, weight, n, 3);
          tap += 3 * in_stride;
          weight += 3 * LANES;
        }
        for (; left > 0; left--) {
          add_taps (sum, tap, in_stride, weight, n, 1);
          tap += in_stride;
          weight += LANES;
        }
      }
    }
  }

  output += x * out_stride + v * LANES;
  if (!(convolution->variant & SRGAN_CONVOLUTION_LINEAR)) {
    const Vector slope = load_vector (convolution->slope + v * LANES);

    UNROLL
    for (guint p = 0; p < n; p++)
      sum[p] = activate_vector (sum[p], slope);
  }
  UNROLL
  for (guint p = 0; p < n; p++) {
    if (n_lanes == LANES)
      store_vector (output, sum[p]);
    else
      store_part (output, sum[p], n_lanes);
    output += out_stride;
    /* One pointer that is moved on: a compiler that works out n of them
     * beforehand has no registers for them. */
    __asm__("" : "+r"(output));
  }
}

typedef void (*ConvolveBlock) (const SrganConvolution *convolution,
    const gfloat *const *rows, gfloat *output, guint v, guint x);

#define DEFINE_CONVOLVE_BLOCK(size, n, width)                         \
  NOINLINE void convolve_##size##_##width (                           \
      const SrganConvolution *convolution, const gfloat *const *rows, \
      gfloat *output, guint v, guint x)                               \
  {                                                                   \
    convolve_block (convolution, rows, output, v, x, n, width);       \
  }
#define DEFINE_CONVOLVE_BLOCKS(width)              \
  DEFINE_CONVOLVE_BLOCK (whole, SUMS, width)       \
  DEFINE_CONVOLVE_BLOCK (half, SUMS / 2, width)    \
  DEFINE_CONVOLVE_BLOCK (quarter, SUMS / 4, width) \
  DEFINE_CONVOLVE_BLOCK (single, 1, width)

DEFINE_CONVOLVE_BLOCKS (0)
DEFINE_CONVOLVE_BLOCKS (1)
DEFINE_CONVOLVE_BLOCKS (3)

static void
convolve_vector (const SrganConvolution *convolution, const gfloat *const *rows,
    gfloat *output, guint v, guint width)
{
  static const guint sizes[] = {SUMS, SUMS / 2, SUMS / 4, 1};
#define CONVOLVE_BLOCKS(width)                                               \
  {                                                                          \
    convolve_whole_##width, convolve_half_##width, convolve_quarter_##width, \
        convolve_single_##width                                              \
  }
  static const ConvolveBlock any_width[] = CONVOLVE_BLOCKS (0);
  static const ConvolveBlock width_1[] = CONVOLVE_BLOCKS (1);
  static const ConvolveBlock width_3[] = CONVOLVE_BLOCKS (3);
  const ConvolveBlock *blocks = convolution->kernel_width == 3   ? width_3
                                : convolution->kernel_width == 1 ? width_1
                                                                 : any_width;
  guint x = 0, s;

  for (; x + SUMS <= width; x += SUMS)
    blocks[0](convolution, rows, output, v, x);
  while (x < width) {
    guint left = width - x;

    /* The smallest block that reaches the end, begun earlier if it is too long
     * (computing a pixel again gives the same bits); in a row too short for
     * that the largest that fits. */
    for (s = G_N_ELEMENTS (sizes) - 1; s > 0 && sizes[s] < left; s--)
      ;
    while (sizes[s] > width)
      s++;
    x = MIN (x, width - sizes[s]);
    blocks[s](convolution, rows, output, v, x);
    x += sizes[s];
  }
}

/* ---- Convolution to few channels, lanes hold input channels ----
 *
 * Where the outputs would leave lanes idle: 16 partial sums an output, of the
 * input channels that are equal modulo 16, added up as a tree in the end:
 * those 8 apart first, then 4, 2, 1. With fewer lanes than 16 the input
 * channels are gone through in parts of LANES, so that the sums are the same.
 * Outputs are made in groups of 4. */

#define NARROW_MAX_OUTPUTS 9
#define NARROW_MIN_INPUTS 12
#define PARTIAL_SUMS 16
#define PARTS (PARTIAL_SUMS / LANES)
/* Those 8 input channels apart follow each other. */
static const guint part_order[] = {
#if PARTS == 4
    0, 2, 1, 3
#else
    0, 1
#endif
};
#define GROUP 4

static gboolean
is_narrow (guint in_channels, guint in_stride, guint out_channels)
{
  return out_channels <= NARROW_MAX_OUTPUTS &&
         in_channels >= NARROW_MIN_INPUTS && in_stride % LANES == 0;
}

/* The weights in the order of their use:
 * [group][part][ky][block of PARTIAL_SUMS][kx][output][lane]. */
static gboolean
pack_narrow (SrganConvolution *convolution, guint in_channels, guint in_stride,
    guint out_channels, guint kernel_width, guint kernel_height,
    const gfloat *weight, const gfloat *bias, const gfloat *slope,
    guint out_stride)
{
  gsize n_weight;
  gfloat *packed;

  memset (convolution, 0, sizeof *convolution);
  if (!g_size_checked_mul (&n_weight, in_stride, out_channels) ||
      !g_size_checked_mul (
          &n_weight, n_weight, (gsize) kernel_width * kernel_height) ||
      !srgan_convolution_alloc (convolution, in_channels, in_stride,
          out_channels, out_stride, kernel_width, kernel_height, n_weight,
          out_stride, bias, slope))
    return FALSE;
  convolution->variant |= SRGAN_CONVOLUTION_NARROW;

  packed = convolution->weight;
  for (guint group = 0; group < out_channels; group += GROUP)
    for (guint part = 0; part < PARTS; part++)
      for (gsize ky = 0; ky < kernel_height; ky++)
        for (guint block = part_order[part] * LANES; block < in_stride;
             block += PARTIAL_SUMS)
          for (gsize kx = 0; kx < kernel_width; kx++)
            for (gsize o = group; o < MIN (group + GROUP, out_channels); o++)
              for (guint i = block; i < block + LANES; i++)
                *packed++ =
                    i < in_channels
                        ? weight[((o * in_channels + i) * kernel_height + ky) *
                                     kernel_width +
                                 kx]
                        : 0;
  return TRUE;
}

/* One tap of one block of input channels; all but the weights constants.
 * Returns the weights that come next. */
INLINE const gfloat *
add_narrow_tap (Vector sum[][GROUP], const gfloat *input, gsize in_stride,
    const gfloat *weight, guint n, guint n_outputs)
{
  Vector in[NARROW_PIXELS];

  UNROLL
  for (guint p = 0; p < n; p++)
    in[p] = load_vector (input + p * in_stride);
  UNROLL
  for (guint o = 0; o < n_outputs; o++, weight += LANES) {
    Vector w = load_vector (weight);

    UNROLL
    for (guint p = 0; p < n; p++)
      sum[p][o] = multiply_add_vector (in[p], w, sum[p][o]);
  }
  return weight;
}

/* The partial sums of one part for @n pixels and @n_outputs <= GROUP outputs,
 * both constants, as is @fixed_width. Returns the weights that come next. */
INLINE const gfloat *
sum_part (Vector sum[][GROUP], const SrganConvolution *convolution,
    const gfloat *const *rows, const gfloat *weight, guint part, guint x,
    guint n, guint n_outputs, guint fixed_width)
{
  const guint kernel_width =
      fixed_width ? fixed_width : convolution->kernel_width;
  const gsize in_stride = convolution->in_stride;
  const guint first = part_order[part] * LANES;

  UNROLL
  for (guint p = 0; p < NARROW_PIXELS; p++) {
    UNROLL
    for (guint o = 0; o < GROUP; o++)
      sum[p][o] = (Vector){0};
  }

  for (guint ky = 0; ky < convolution->kernel_height; ky++) {
    const gfloat *input = rows[ky] + x * in_stride;

    for (guint block = first; block < in_stride; block += PARTIAL_SUMS) {
      const gfloat *tap = input + block;

      if (fixed_width == 3) {
        UNROLL
        for (guint kx = 0; kx < 3; kx++)
          weight = add_narrow_tap (
              sum, tap + kx * in_stride, in_stride, weight, n, n_outputs);
      } else {
        for (guint kx = 0; kx < kernel_width; kx++)
          weight = add_narrow_tap (
              sum, tap + kx * in_stride, in_stride, weight, n, n_outputs);
      }
    }
  }
  return weight;
}

/* In each quad q of the result: floats 0, 1 of quad q of a and of b; floats
 * 2, 3; the even ones; the odd ones. */
#define FIRST_TWO(q) 4 * q, 4 * q + 1, LANES + 4 * q, LANES + 4 * q + 1
#define LAST_TWO(q) 4 * q + 2, 4 * q + 3, LANES + 4 * q + 2, LANES + 4 * q + 3
#define EVEN_TWO(q) 4 * q, 4 * q + 2, LANES + 4 * q, LANES + 4 * q + 2
#define ODD_TWO(q) 4 * q + 1, 4 * q + 3, LANES + 4 * q + 1, LANES + 4 * q + 3

/* Adds up what sum_part() made, for all pixels: result[pixel][output]. */
INLINE void
add_up (
    Vector result[4 * NARROW_PIXELS / LANES], Vector sum[NARROW_PIXELS][GROUP])
{
#if LANES == 16
#define LOW_HALVES 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23
#define HIGH_HALVES 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31
#define EVEN_QUADS 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27
#define ODD_QUADS 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31
  Vector u[4], v[2], w;

  UNROLL
  for (guint p = 0; p < 4; p++) {
    /* 8 apart: outputs 0 and 1, 2 and 3 in half a vector each */
    Vector a = __builtin_shufflevector (sum[p][0], sum[p][1], LOW_HALVES) +
               __builtin_shufflevector (sum[p][0], sum[p][1], HIGH_HALVES);
    Vector b = __builtin_shufflevector (sum[p][2], sum[p][3], LOW_HALVES) +
               __builtin_shufflevector (sum[p][2], sum[p][3], HIGH_HALVES);

    /* 4 apart: one quad an output */
    u[p] = __builtin_shufflevector (a, b, EVEN_QUADS) +
           __builtin_shufflevector (a, b, ODD_QUADS);
  }
  /* 2 apart, then neighbours: quad o holds output o of all pixels */
  v[0] = PERMUTE (u[0], u[1], FIRST_TWO) + PERMUTE (u[0], u[1], LAST_TWO);
  v[1] = PERMUTE (u[2], u[3], FIRST_TWO) + PERMUTE (u[2], u[3], LAST_TWO);
  w = PERMUTE (v[0], v[1], EVEN_TWO) + PERMUTE (v[0], v[1], ODD_TWO);
  result[0] = __builtin_shufflevector (
      w, w, 0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
#elif LANES == 8
#define LOW_HALVES 0, 1, 2, 3, 8, 9, 10, 11
#define HIGH_HALVES 4, 5, 6, 7, 12, 13, 14, 15
  Vector v[2], w;

  UNROLL
  for (guint p = 0; p < 2; p++) {
    /* 4 apart: outputs 0 and 1, 2 and 3 in a quad each */
    Vector a = __builtin_shufflevector (sum[p][0], sum[p][1], LOW_HALVES) +
               __builtin_shufflevector (sum[p][0], sum[p][1], HIGH_HALVES);
    Vector b = __builtin_shufflevector (sum[p][2], sum[p][3], LOW_HALVES) +
               __builtin_shufflevector (sum[p][2], sum[p][3], HIGH_HALVES);

    v[p] = PERMUTE (a, b, FIRST_TWO) + PERMUTE (a, b, LAST_TWO);
  }
  /* quad 0: outputs 0, 2 of both pixels; quad 1: outputs 1, 3 */
  w = PERMUTE (v[0], v[1], EVEN_TWO) + PERMUTE (v[0], v[1], ODD_TWO);
  result[0] = __builtin_shufflevector (w, w, 0, 4, 1, 5, 2, 6, 3, 7);
#else
  UNROLL
  for (guint p = 0; p < NARROW_PIXELS; p++) {
    Vector *s = sum[p];
    Vector a = PERMUTE (s[0], s[1], FIRST_TWO) + PERMUTE (s[0], s[1], LAST_TWO);
    Vector b = PERMUTE (s[2], s[3], FIRST_TWO) + PERMUTE (s[2], s[3], LAST_TWO);

    result[p] = PERMUTE (a, b, EVEN_TWO) + PERMUTE (a, b, ODD_TWO);
  }
#endif
}

INLINE void
add_sums (Vector sum[NARROW_PIXELS][GROUP], Vector more[NARROW_PIXELS][GROUP])
{
  UNROLL
  for (guint p = 0; p < NARROW_PIXELS; p++) {
    UNROLL
    for (guint o = 0; o < GROUP; o++)
      sum[p][o] += more[p][o];
  }
}

/* @n pixels, NARROW_PIXELS or 1, of the @n_outputs channels from @group on. */
INLINE void
convolve_narrow_block (const SrganConvolution *convolution,
    const gfloat *const *rows, gfloat *output, const gfloat *weight,
    Vector bias, Vector slope, guint x, guint n, guint n_outputs,
    guint fixed_width)
{
  const gsize out_stride = convolution->out_stride;
  Vector sum[NARROW_PIXELS][GROUP];
  Vector result[4 * NARROW_PIXELS / LANES];

  weight = sum_part (
      sum, convolution, rows, weight, 0, x, n, n_outputs, fixed_width);
#if PARTS >= 2
  {
    Vector more[NARROW_PIXELS][GROUP];

    weight = sum_part (
        more, convolution, rows, weight, 1, x, n, n_outputs, fixed_width);
    add_sums (sum, more);
  }
#endif
#if PARTS == 4
  {
    Vector more[NARROW_PIXELS][GROUP], even[NARROW_PIXELS][GROUP];

    weight = sum_part (
        even, convolution, rows, weight, 2, x, n, n_outputs, fixed_width);
    weight = sum_part (
        more, convolution, rows, weight, 3, x, n, n_outputs, fixed_width);
    add_sums (even, more);
    add_sums (sum, even);
  }
#endif
  add_up (result, sum);

  output += x * out_stride;
  UNROLL
  for (guint v = 0; v < G_N_ELEMENTS (result); v++)
    result[v] = activate_vector (result[v] + bias, slope);
  if (n == NARROW_PIXELS && out_stride == GROUP) {
    UNROLL
    for (guint v = 0; v < G_N_ELEMENTS (result); v++)
      store_vector (output + v * LANES, result[v]);
  } else {
    UNROLL
    for (guint p = 0; p < n; p++)
      memcpy (output + p * out_stride, (gfloat *) result + p * GROUP,
          GROUP * sizeof (gfloat));
  }
}

INLINE void
convolve_narrow_group (const SrganConvolution *convolution,
    const gfloat *const *rows, gfloat *output, const gfloat *weight,
    guint group, guint width, guint n_outputs, guint fixed_width)
{
  const Vector bias = repeat_quad (convolution->bias + group);
  const Vector slope = repeat_quad (convolution->slope + group);
  guint x;

  output += group;
  if (width < NARROW_PIXELS) {
    for (x = 0; x < width; x++)
      convolve_narrow_block (
          convolution, rows, output, weight, bias, slope, x, 1, n_outputs, 0);
    return;
  }
  /* The last block may compute pixels a second time, to the same bits. */
  for (x = 0; x < width; x += NARROW_PIXELS)
    convolve_narrow_block (convolution, rows, output, weight, bias, slope,
        MIN (x, width - NARROW_PIXELS), NARROW_PIXELS, n_outputs, fixed_width);
}

#define DEFINE_NARROW_GROUP(n_outputs)                                    \
  NOINLINE void convolve_narrow_##n_outputs (                             \
      const SrganConvolution *convolution, const gfloat *const *rows,     \
      gfloat *output, const gfloat *weight, guint group, guint width)     \
  {                                                                       \
    if (convolution->kernel_width == 3)                                   \
      convolve_narrow_group (                                             \
          convolution, rows, output, weight, group, width, n_outputs, 3); \
    else                                                                  \
      convolve_narrow_group (                                             \
          convolution, rows, output, weight, group, width, n_outputs, 0); \
  }

DEFINE_NARROW_GROUP (1)
DEFINE_NARROW_GROUP (2)
DEFINE_NARROW_GROUP (3)
DEFINE_NARROW_GROUP (4)

static void
convolve_narrow (const SrganConvolution *convolution, const gfloat *const *rows,
    gfloat *output, guint width)
{
  static void (*const groups[]) (const SrganConvolution *convolution,
      const gfloat *const *rows, gfloat *output, const gfloat *weight,
      guint group, guint width) = {NULL, convolve_narrow_1, convolve_narrow_2,
      convolve_narrow_3, convolve_narrow_4};
  const gfloat *weight = convolution->weight;
  const gsize per_output = (gsize) convolution->in_stride *
                           convolution->kernel_width *
                           convolution->kernel_height;
  guint group, x;

  for (group = 0; group < convolution->out_channels; group += GROUP) {
    groups[MIN (GROUP, convolution->out_channels - group)](
        convolution, rows, output, weight, group, width);
    weight += GROUP * per_output;
  }
  for (; group < convolution->out_stride; group += GROUP)
    for (x = 0; x < width; x++)
      memset (output + (gsize) x * convolution->out_stride + group, 0,
          GROUP * sizeof (gfloat));
}

static void convolve_depthwise (const SrganConvolution *convolution,
    const gfloat *const *rows, gfloat *output, guint width);
static void convolve_groups (const SrganConvolution *convolution,
    const gfloat *const *rows, gfloat *output, guint width);

static void
convolve_row (const SrganConvolution *convolution, const gfloat *const *rows,
    gfloat *output, guint width)
{
  guint v;

  if (convolution->variant & SRGAN_CONVOLUTION_DEPTHWISE) {
    convolve_depthwise (convolution, rows, output, width);
    return;
  }
  if (convolution->group_inputs) {
    convolve_groups (convolution, rows, output, width);
    return;
  }
  if (convolution->variant & SRGAN_CONVOLUTION_NARROW) {
    convolve_narrow (convolution, rows, output, width);
    return;
  }
  for (v = 0; v * LANES < convolution->out_stride; v++)
    convolve_vector (convolution, rows, output, v, width);
}

static guint
get_channel_stride (guint channels)
{
  if (channels <= 4)
    return 4;
  if (channels <= 8)
    return 8;
  return (channels + LANES - 1) / LANES * LANES;
}

static gboolean
pack_convolution (SrganConvolution *convolution, guint in_channels,
    guint in_stride, guint out_channels, guint kernel_width,
    guint kernel_height, const gfloat *weight, const gfloat *bias,
    const gfloat *slope)
{
  guint out_stride = get_channel_stride (out_channels);

  if (is_narrow (in_channels, in_stride, out_channels))
    return pack_narrow (convolution, in_channels, in_stride, out_channels,
        kernel_width, kernel_height, weight, bias, slope, out_stride);
  return srgan_convolution_pack (convolution, in_channels, in_stride,
      out_channels, out_stride, kernel_width, kernel_height, weight, bias,
      slope, LANES);
}

#include "kernels/curves.h"
#include "kernels/depthwise.h"
#include "kernels/winograd.h"

/* ---- Convolutions in parts ---- */

/* @n, a constant, is the side of the square of parts. */
INLINE void
sum_parts (const SrganConvolution *convolution, const gfloat *const *rows,
    gfloat *output, guint width, guint n)
{
  const gsize stride = convolution->out_stride;
  const guint channels = convolution->out_channels / (n * n);
  const Quad bias = *(const UnalignedQuad *) (convolution->bias + stride);
  const Quad slope = *(const UnalignedQuad *) (convolution->slope + stride);
  const QuadMask is_used = (QuadMask){0, 1, 2, 3} < (gint32) channels;

  for (guint x = 0; x < width; x++, output += 4) {
    Quad sum = {0};

    UNROLL
    for (guint j = 0; j < n; j++) {
      UNROLL
      for (guint i = 0; i < n; i++)
        sum += *(const UnalignedQuad *) (rows[j] + (x + 3 * i) * stride +
                                         (j * n + i) * channels);
    }
    sum += bias;
    sum = (Quad) (((sum > 0) & (QuadMask) sum) |
                  (~(sum > 0) & (QuadMask) (sum * slope)));
    *(UnalignedQuad *) output = (Quad) ((QuadMask) sum & is_used);
  }
}

static void
sum_parts_row (const SrganConvolution *convolution, const gfloat *const *rows,
    gfloat *output, guint width)
{
  if (convolution->n_parts == 3)
    sum_parts (convolution, rows, output, width, 3);
  else
    sum_parts (convolution, rows, output, width, 2);
}

/* ---- Rows ---- */

static void
add_row (gfloat *output, const gfloat *a, const gfloat *b, guint n)
{
  guint i;

  for (i = 0; i + LANES <= n; i += LANES)
    store_vector (output + i, load_vector (a + i) + load_vector (b + i));
  for (; i < n; i++)
    output[i] = a[i] + b[i];
}

static void
activate_row (gfloat *output, const gfloat *input, const gfloat *slope,
    guint stride, guint width)
{
  guint x, c;

  if (stride == 4) {
    const Vector slopes = repeat_quad (slope);
    gsize i, n = (gsize) width * 4;

    for (i = 0; i + LANES <= n; i += LANES)
      store_vector (
          output + i, activate_vector (load_vector (input + i), slopes));
    for (; i < n; i++)
      output[i] = input[i] > 0 ? input[i] : slope[i % 4] * input[i];
    return;
  }
  for (x = 0; x < width; x++, input += stride, output += stride) {
    for (c = 0; c + LANES <= stride; c += LANES)
      store_vector (output + c,
          activate_vector (load_vector (input + c), load_vector (slope + c)));
    for (; c < stride; c++)
      output[c] = input[c] > 0 ? input[c] : slope[c] * input[c];
  }
}

/* The channels of one vector, from @c on, of either width: the sums stay in
 * registers for all of the row. */
#define ACTIVATE_BACK(Type, IntType)                                  \
  {                                                                   \
    Type slopes, slope_sums, sums;                                    \
                                                                      \
    memcpy (&slopes, slope + c, sizeof slopes);                       \
    memcpy (&slope_sums, slope_sum + c, sizeof slope_sums);           \
    memcpy (&sums, sum + c, sizeof sums);                             \
    for (x = 0; x < width; x++) {                                     \
      Type value, back;                                               \
      IntType above;                                                  \
                                                                      \
      memcpy (&value, input + (gsize) x * stride + c, sizeof value);  \
      memcpy (&back, gradient + (gsize) x * stride + c, sizeof back); \
      above = value > 0;                                              \
      slope_sums += back * (Type) (~above & (IntType) value);         \
      back = (Type) ((above & (IntType) back) |                       \
                     (~above & (IntType) (back * slopes)));           \
      sums += back;                                                   \
      memcpy (gradient + (gsize) x * stride + c, &back, sizeof back); \
    }                                                                 \
    memcpy (slope_sum + c, &slope_sums, sizeof slope_sums);           \
    memcpy (sum + c, &sums, sizeof sums);                             \
  }

static void
activate_back_row (gfloat *gradient, const gfloat *input, const gfloat *slope,
    gfloat *slope_sum, gfloat *sum, guint stride, guint width)
{
  guint x, c;

  for (c = 0; c + LANES <= stride; c += LANES)
    ACTIVATE_BACK (Vector, IntVector)
  for (; c + 4 <= stride; c += 4)
    ACTIVATE_BACK (Quad, QuadMask)
  for (; c < stride; c++)
    for (x = 0; x < width; x++) {
      gfloat *back = gradient + (gsize) x * stride + c;
      const gfloat value = input[(gsize) x * stride + c];

      slope_sum[c] += *back * (value > 0 ? 0 : value);
      *back *= value > 0 ? 1 : slope[c];
      sum[c] += *back;
    }
}

static void
multiply_row (gfloat *output, const gfloat *a, const gfloat *b, guint n)
{
  guint i;

  for (i = 0; i + LANES <= n; i += LANES)
    store_vector (output + i, load_vector (a + i) * load_vector (b + i));
  for (; i < n; i++)
    output[i] = a[i] * b[i];
}

static void
add_channels_row (gfloat *output, const gfloat *input, const gfloat *vector,
    guint stride, guint width)
{
  guint x, c;

  for (x = 0; x < width; x++, input += stride, output += stride) {
    for (c = 0; c + LANES <= stride; c += LANES)
      store_vector (
          output + c, load_vector (input + c) + load_vector (vector + c));
    for (; c < stride; c++)
      output[c] = input[c] + vector[c];
  }
}

static void
multiply_channels_row (gfloat *output, const gfloat *input,
    const gfloat *vector, guint stride, guint width)
{
  guint x, c;

  for (x = 0; x < width; x++, input += stride, output += stride) {
    for (c = 0; c + LANES <= stride; c += LANES)
      store_vector (
          output + c, load_vector (input + c) * load_vector (vector + c));
    for (; c < stride; c++)
      output[c] = input[c] * vector[c];
  }
}

static void
copy_channels_row (gfloat *output, guint out_stride, const gfloat *input,
    guint in_stride, guint channels, guint width)
{
  guint x, c;

  for (x = 0; x < width; x++, input += in_stride, output += out_stride) {
    for (c = 0; c + LANES <= channels; c += LANES)
      store_vector (output + c, load_vector (input + c));
    for (; c < channels; c++)
      output[c] = input[c];
  }
}

static void
pool_row (gfloat *output, const gfloat *const *rows, guint n_rows,
    guint kernel_width, guint step, guint stride, guint width)
{
  guint x, ky, kx, c;

  for (x = 0; x < width; x++, output += stride) {
    const gsize first = (gsize) x * step * stride;

    for (c = 0; c + LANES <= stride; c += LANES) {
      Vector largest = load_vector (rows[0] + first + c);

      for (ky = 0; ky < n_rows; ky++)
        for (kx = 0; kx < kernel_width; kx++) {
          Vector in = load_vector (rows[ky] + first + kx * stride + c);

          largest = select_vector (in > largest, in, largest);
        }
      store_vector (output + c, largest);
    }
    for (; c < stride; c++) {
      gfloat largest = rows[0][first + c];

      for (ky = 0; ky < n_rows; ky++)
        for (kx = 0; kx < kernel_width; kx++)
          largest = MAX (rows[ky][first + kx * stride + c], largest);
      output[c] = largest;
    }
  }
}

/* Channels whose sums are kept while a row is gone through. */
#define SUM_CHANNELS 8

static void
sum_row (gdouble *sums, const gfloat *input, guint channels, guint stride,
    guint width)
{
  typedef gdouble Doubles
      __attribute__ ((vector_size (8 * SUM_CHANNELS), may_alias));
  typedef gfloat Floats __attribute__ ((vector_size (4 * SUM_CHANNELS)));
  guint c = 0, x;

  for (; c + SUM_CHANNELS <= channels; c += SUM_CHANNELS) {
    Doubles sum;
    Floats in;

    memcpy (&sum, sums + c, sizeof sum);
    for (x = 0; x < width; x++) {
      memcpy (&in, input + (gsize) x * stride + c, sizeof in);
      sum += __builtin_convertvector(in, Doubles);
    }
    memcpy (sums + c, &sum, sizeof sum);
  }
  for (; c < channels; c++)
    for (x = 0; x < width; x++)
      sums[c] += input[(gsize) x * stride + c];
}

static void
gather_row (gfloat *output, const gfloat *input, gint origin,
    const gint32 *first, const gfloat *weight, guint n_taps, guint stride,
    guint width)
{
  guint x, c, t;

  for (x = 0; x < width; x++, output += stride, weight += n_taps) {
    const gfloat *in = input + (gssize) (first[x] - origin) * stride;

    for (c = 0; c + LANES <= stride; c += LANES) {
      Vector sum = weight[0] * load_vector (in + c);

      for (t = 1; t < n_taps; t++)
        sum = multiply_add_vector (fill_vector (weight[t]),
            load_vector (in + (gsize) t * stride + c), sum);
      store_vector (output + c, sum);
    }
    for (; c < stride; c++) {
      gfloat sum = weight[0] * in[c];

      for (t = 1; t < n_taps; t++)
        sum = multiply_add_scalar (weight[t], in[(gsize) t * stride + c], sum);
      output[c] = sum;
    }
  }
}

static void
unshuffle_row (gfloat *output, guint out_stride, const gfloat *const *rows,
    guint in_stride, guint factor, guint channels, guint width)
{
  const guint n = channels * factor * factor;
  guint x, y, p, c;

  for (x = 0; x < width; x++, output += out_stride) {
    for (y = 0; y < factor; y++) {
      const gfloat *in = rows[y] + (gsize) x * factor * in_stride;

      for (p = 0; p < factor; p++, in += in_stride)
        for (c = 0; c < channels; c++)
          output[(c * factor + y) * factor + p] = in[c];
    }
    for (c = n; c < out_stride; c++)
      output[c] = 0;
  }
}

/* Indices of floats 0 and 1 of every four of two vectors. */
#define FIRST_PAIRS(q) 8 * q, 8 * q + 1, 8 * q + 4, 8 * q + 5

/* output[x factor + p] = input[x in_stride + phase factor + p] for @n pixels,
 * plus base[x factor + p] unless @base is NULL to the compiler. */
INLINE void
shuffle_channel (gfloat *restrict output, const gfloat *restrict input,
    guint in_stride, const gfloat *restrict base, guint factor, guint phase,
    guint n)
{
  guint x = 0, p;

  input += phase * factor;
  if (factor == 2 && in_stride == 4) {
    /* not into the second half of the last pixel, which need not exist: both
     * loads begin with the phase's first float */
    for (; x + LANES / 2 < n; x += LANES / 2) {
      Vector v = PERMUTE (load_vector (input + 4 * x),
          load_vector (input + 4 * x + LANES), FIRST_PAIRS);

      if (base)
        v += load_vector (base + 2 * x);
      store_vector (output + 2 * x, v);
    }
  } else if (factor == 2) {
    for (; x < n; x++) {
      Pair pair = *(const UnalignedPair *) (input + (gsize) x * in_stride);

      if (base)
        pair += *(const UnalignedPair *) (base + 2 * x);
      *(UnalignedPair *) (output + 2 * x) = pair;
    }
  } else if (factor == 4) {
    for (; x < n; x++) {
      Quad q = *(const UnalignedQuad *) (input + (gsize) x * in_stride);

      if (base)
        q += *(const UnalignedQuad *) (base + 4 * x);
      *(UnalignedQuad *) (output + 4 * x) = q;
    }
  }
  for (; x < n; x++)
    for (p = 0; p < factor; p++)
      output[x * factor + p] =
          base ? input[(gsize) x * in_stride + p] + base[x * factor + p]
               : input[(gsize) x * in_stride + p];
}

/* Four pixels of three channels, planar, to interleaved. */
INLINE void
store_three_channels (gfloat *output, Quad a, Quad b, Quad c)
{
  Quad ab = __builtin_shufflevector (a, b, 0, 4, 1, 5);
  Quad bc = __builtin_shufflevector (b, c, 1, 5, 2, 6);
  Quad ca = __builtin_shufflevector (c, a, 2, 7, 3, 0);

  *(UnalignedQuad *) output = __builtin_shufflevector (
      ab, __builtin_shufflevector (c, a, 0, 5, 0, 5), 0, 1, 4, 5);
  *(UnalignedQuad *) (output + 4) = __builtin_shufflevector (
      bc, __builtin_shufflevector (a, b, 2, 6, 2, 6), 0, 1, 4, 5);
  *(UnalignedQuad *) (output + 8) = __builtin_shufflevector (
      ca, __builtin_shufflevector (b, c, 3, 7, 3, 7), 0, 1, 4, 5);
}

/* Three channels without padding. The pairs that factor 2 loads lie inside of
 * what a pixel has: each ends with its phase. */
INLINE void
shuffle_three_channels (gfloat *output, const gfloat *input, gsize in_stride,
    guint factor, guint phase, guint width)
{
  guint x = 0, p, c;

  input += phase * factor;
  if (factor == 4)
    for (; x < width; x++, input += in_stride, output += 12)
      store_three_channels (output, *(const UnalignedQuad *) input,
          *(const UnalignedQuad *) (input + 16),
          *(const UnalignedQuad *) (input + 32));
  else if (factor == 2)
    for (; x + 2 <= width; x += 2, input += 2 * in_stride, output += 12) {
      const gfloat *next = input + in_stride;
      Pair a[2] = {
          *(const UnalignedPair *) input, *(const UnalignedPair *) next};
      Pair b[2] = {*(const UnalignedPair *) (input + 4),
          *(const UnalignedPair *) (next + 4)};
      Pair d[2] = {*(const UnalignedPair *) (input + 8),
          *(const UnalignedPair *) (next + 8)};

      store_three_channels (output,
          __builtin_shufflevector (a[0], a[1], 0, 1, 2, 3),
          __builtin_shufflevector (b[0], b[1], 0, 1, 2, 3),
          __builtin_shufflevector (d[0], d[1], 0, 1, 2, 3));
    }
  for (; x < width; x++, input += in_stride)
    for (p = 0; p < factor; p++)
      for (c = 0; c < 3; c++)
        *output++ = input[c * factor * factor + p];
}

/* Indices of floats 2 and 3 of every four of two vectors, of the even and of
 * the odd ones. */
#define LAST_PAIRS(q) 8 * q + 2, 8 * q + 3, 8 * q + 6, 8 * q + 7
#define EVEN_FLOATS(q) 8 * q, 8 * q + 2, 8 * q + 4, 8 * q + 6
#define ODD_FLOATS(q) 8 * q + 1, 8 * q + 3, 8 * q + 5, 8 * q + 7

/* Whole vectors of channels, factor 2; @phase is a constant. */
INLINE void
shuffle_vectors (gfloat *output, const gfloat *input, gsize in_stride,
    guint phase, guint channels, guint width)
{
  for (guint x = 0; x < width; x++, input += in_stride, output += 2 * channels)
    for (guint c = 0; c < channels; c += LANES) {
      const gfloat *in = input + 4 * c;
      Vector a = load_vector (in), b = load_vector (in + LANES);
      Vector d = load_vector (in + 2 * LANES), e = load_vector (in + 3 * LANES);
      Vector low, high;

      if (phase == 0) {
        low = PERMUTE (a, b, FIRST_PAIRS);
        high = PERMUTE (d, e, FIRST_PAIRS);
      } else {
        low = PERMUTE (a, b, LAST_PAIRS);
        high = PERMUTE (d, e, LAST_PAIRS);
      }
      store_vector (output + c, PERMUTE (low, high, EVEN_FLOATS));
      store_vector (output + channels + c, PERMUTE (low, high, ODD_FLOATS));
    }
}

static void
shuffle_row (gfloat *output, guint out_stride, const gfloat *input,
    guint in_stride, guint factor, guint phase, guint channels, guint width)
{
  guint x, p, c;

  if (channels == 1 && out_stride == 1) {
    shuffle_channel (output, input, in_stride, NULL, factor, phase, width);
    return;
  }
  if (channels == 3 && out_stride == 3) {
    shuffle_three_channels (output, input, in_stride, factor, phase, width);
    return;
  }
  if (factor == 2 && channels % LANES == 0 && out_stride == channels) {
    if (phase == 0)
      shuffle_vectors (output, input, in_stride, 0, channels, width);
    else
      shuffle_vectors (output, input, in_stride, 1, channels, width);
    return;
  }
  input += phase * factor;
  for (x = 0; x < width; x++, input += in_stride) {
    for (p = 0; p < factor; p++, output += out_stride) {
      const gfloat *in = input + p;

      for (c = 0; c < channels; c++, in += factor * factor)
        output[c] = *in;
      for (; c < out_stride; c++)
        output[c] = 0;
    }
  }
}

/* Bytes @pixel_stride apart, side by side; @n <= CHUNK. */
INLINE void
gather_samples (guint8 *restrict output, const guint8 *restrict input,
    guint pixel_stride, guint n)
{
  guint i;

  switch (pixel_stride) {
  case 1:
    memcpy (output, input, n);
    break;
  case 2:
    for (i = 0; i < n; i++)
      output[i] = input[2 * i];
    break;
  case 3:
    for (i = 0; i < n; i++)
      output[i] = input[3 * i];
    break;
  case 4:
    for (i = 0; i < n; i++)
      output[i] = input[4 * i];
    break;
  default:
    for (i = 0; i < n; i++)
      output[i] = input[(gsize) i * pixel_stride];
    break;
  }
}

static void
load_row (gfloat *output, guint out_stride, const guint8 *input,
    guint pixel_stride, gfloat scale, gfloat offset, guint width)
{
  if (out_stride == 1 && pixel_stride == 1) {
    srgan_pixels_load_row (output, input, scale, offset, width);
    return;
  }
  while (width > 0) {
    guint n = MIN (width, CHUNK), i;
    guint8 samples[CHUNK];
    gfloat values[CHUNK];

    gather_samples (samples, input, pixel_stride, n);
    if (out_stride == 1) {
      srgan_pixels_load_row (output, samples, scale, offset, n);
      output += n;
    } else {
      srgan_pixels_load_row (values, samples, scale, offset, n);
      for (i = 0; i < n; i++, output += out_stride)
        *output = values[i];
    }
    input += (gsize) n * pixel_stride;
    width -= n;
  }
}

/* @n <= CHUNK values to bytes @pixel_stride apart. Returns where the next one
 * goes. */
INLINE guint8 *
store_chunk (guint8 *output, guint pixel_stride, const gfloat *values,
    gfloat scale, gfloat offset, guint n)
{
  guint8 samples[CHUNK];
  guint i;

  if (pixel_stride == 1) {
    srgan_pixels_store_row (output, values, scale, offset, n);
    return output + n;
  }
  srgan_pixels_store_row (samples, values, scale, offset, n);
  for (i = 0; i < n; i++, output += pixel_stride)
    *output = samples[i];
  return output;
}

static void
store_row (guint8 *output, guint pixel_stride, const gfloat *input,
    guint in_stride, gfloat scale, gfloat offset, guint width)
{
  while (width > 0) {
    guint n = MIN (width, CHUNK), i;
    gfloat values[CHUNK];

    if (in_stride == 1) {
      output = store_chunk (output, pixel_stride, input, scale, offset, n);
      input += n;
    } else {
      for (i = 0; i < n; i++, input += in_stride)
        values[i] = *input;
      output = store_chunk (output, pixel_stride, values, scale, offset, n);
    }
    width -= n;
  }
}

/* LANES samples as ORC's srgan_pixels_store makes them, which for the row that
 * every frame ends with would take a tenth of the frame's time (x4). */
INLINE void
store_samples (guint8 *output, Vector in, gfloat scale, gfloat offset)
{
  const Vector zero = {0}, largest = fill_vector (255);
  Vector code = in * scale + offset;
  IntVector is_positive = code > zero; /* not for NaN */
  IntVector is_inside = code < largest;
  ByteVector samples;

  code = (Vector) (is_positive & ((is_inside & (IntVector) code) |
                                     (~is_inside & (IntVector) largest)));
  samples = __builtin_convertvector(
      __builtin_convertvector(code + .5f, IntVector), ByteVector);
  memcpy (output, &samples, sizeof samples);
}

static void
store_shuffled_row (guint8 *output, guint pixel_stride, const gfloat *input,
    guint in_stride, const gfloat *base, guint factor, guint phase,
    gfloat scale, gfloat offset, guint width)
{
  while (width > 0) {
    guint n = MIN (width, CHUNK / factor), n_samples = n * factor, i;
    gfloat values[CHUNK];
    guint8 samples[CHUNK];

    /* so that the last vector, too, holds numbers */
    store_vector (values + (n_samples - 1) / LANES * LANES, (Vector){0});
    shuffle_channel (values, input, in_stride, base, factor, phase, n);
    for (i = 0; i < n_samples; i += LANES)
      store_samples (samples + i, load_vector (values + i), scale, offset);
    if (pixel_stride == 1)
      memcpy (output, samples, n_samples);
    else
      for (i = 0; i < n_samples; i++)
        output[(gsize) i * pixel_stride] = samples[i];
    output += (gsize) n_samples * pixel_stride;
    input += (gsize) n * in_stride;
    base += n_samples;
    width -= n;
  }
}

/* The weighted sum of @n_rows rows, a constant. */
INLINE void
blend_fixed (gfloat *restrict output, const gfloat *const *rows,
    const gfloat *weight, guint n_rows, guint n)
{
  guint i, t;

  for (i = 0; i + LANES <= n; i += LANES) {
    Vector sum = weight[0] * load_vector (rows[0] + i);

    UNROLL
    for (t = 1; t < n_rows; t++)
      sum = multiply_add_vector (
          fill_vector (weight[t]), load_vector (rows[t] + i), sum);
    store_vector (output + i, sum);
  }
  for (; i < n; i++) {
    gfloat sum = weight[0] * rows[0][i];

    UNROLL
    for (t = 1; t < n_rows; t++)
      sum = multiply_add_scalar (weight[t], rows[t][i], sum);
    output[i] = sum;
  }
}

static void
blend_rows (gfloat *output, const gfloat *const *rows, const gfloat *weight,
    guint n_rows, guint n)
{
  switch (n_rows) {
  case 1:
    blend_fixed (output, rows, weight, 1, n);
    break;
  case 2:
    blend_fixed (output, rows, weight, 2, n);
    break;
  case 3:
    blend_fixed (output, rows, weight, 3, n);
    break;
  case 4:
    blend_fixed (output, rows, weight, 4, n);
    break;
  }
}

static void
blend_rows_u8 (gfloat *output, const guint8 *const *rows, guint pixel_stride,
    const gfloat *weight, guint n_rows, guint width)
{
  gsize x;
  guint t, i;

  for (x = 0; x < width; x += CHUNK) {
    guint n = MIN (width - x, CHUNK);
    guint8 samples[SRGAN_KERNEL_MAX_TAPS][CHUNK];
    gfloat values[SRGAN_KERNEL_MAX_TAPS][CHUNK];
    const gfloat *chunk[SRGAN_KERNEL_MAX_TAPS];

    for (t = 0; t < n_rows; t++) {
      gather_samples (samples[t], rows[t] + x * pixel_stride, pixel_stride, n);
      for (i = 0; i < n; i++)
        values[t][i] = samples[t][i];
      chunk[t] = values[t];
    }
    blend_rows (output + x, chunk, weight, n_rows, n);
  }
}

/* @n pixels of @channels floats of each of @factor phases, interleaved; both
 * constants. */
INLINE void
interleave_phases (gfloat *restrict output, const gfloat phases[][CHUNK],
    guint factor, guint channels, guint n)
{
  guint x, p, c;

  for (x = 0; x < n; x++) {
    UNROLL
    for (p = 0; p < factor; p++) {
      UNROLL
      for (c = 0; c < channels; c++)
        output[(x * factor + p) * channels + c] = phases[p][x * channels + c];
    }
  }
}

INLINE void
interleave_channels (gfloat *output, const gfloat phases[][CHUNK], guint factor,
    guint channels, guint n)
{
  switch (channels) {
  case 1:
    interleave_phases (output, phases, factor, 1, n);
    break;
  case 2:
    interleave_phases (output, phases, factor, 2, n);
    break;
  case 3:
    interleave_phases (output, phases, factor, 3, n);
    break;
  case 4:
    interleave_phases (output, phases, factor, 4, n);
    break;
  }
}

static void
interpolate_row (gfloat *output, const gfloat *input,
    const SrganInterpolation *interpolation, guint channels, guint width)
{
  const guint factor = interpolation->factor;
  const gssize stride = channels;
  const guint pixels = channels > 4 ? 1 : CHUNK / channels;
  gfloat phases[SRGAN_KERNEL_MAX_PHASES][CHUNK];
  guint p, t;

  while (width > 0) {
    guint n = MIN (width, pixels);

    for (p = 0; p < factor; p++) {
      const gfloat *taps[SRGAN_KERNEL_MAX_TAPS] = {NULL};

      for (t = 0; t < interpolation->n_taps; t++)
        taps[t] = input + (interpolation->first[p] + (gint) t) * stride;
      /* Many channels fill vectors where they belong. */
      blend_rows (channels > 4 ? output + p * stride : phases[p], taps,
          interpolation->weight[p], interpolation->n_taps, n * channels);
    }
    if (channels <= 4) {
      switch (factor) {
      case 1:
        interleave_channels (output, phases, 1, channels, n);
        break;
      case 2:
        interleave_channels (output, phases, 2, channels, n);
        break;
      case 3:
        interleave_channels (output, phases, 3, channels, n);
        break;
      case 4:
        interleave_channels (output, phases, 4, channels, n);
        break;
      default:
        for (p = 0; p < factor; p++)
          copy_channels_row (output + p * stride, factor * channels, phases[p],
              channels, channels, n);
        break;
      }
    }
    input += n * stride;
    output += n * stride * factor;
    width -= n;
  }
}

static void
halve_row (
    gfloat *output, const gfloat *input, const gfloat weight[3], guint width)
{
  const Vector first = fill_vector (weight[0]);
  const Vector second = fill_vector (weight[1]);
  const Vector third = fill_vector (weight[2]);
  guint x;

  for (x = 0; x + LANES <= width; x += LANES, input += 2 * LANES) {
    Vector before = PERMUTE (
        load_vector (input - 1), load_vector (input - 1 + LANES), EVEN_FLOATS);
    Vector low = load_vector (input), high = load_vector (input + LANES);

    store_vector (
        output + x, multiply_add_vector (third, PERMUTE (low, high, ODD_FLOATS),
                        multiply_add_vector (second,
                            PERMUTE (low, high, EVEN_FLOATS), first * before)));
  }
  for (; x < width; x++, input += 2)
    output[x] = multiply_add_scalar (weight[2], input[1],
        multiply_add_scalar (weight[1], input[0], weight[0] * input[-1]));
}

static void
mix_rows (gfloat *const *output, const gfloat *const *input,
    const gfloat matrix[3][3], const gfloat offset[3], guint n)
{
  guint i, j, x;

  for (x = 0; x + LANES <= n; x += LANES) {
    Vector in[3] = {load_vector (input[0] + x), load_vector (input[1] + x),
        load_vector (input[2] + x)};

    UNROLL
    for (i = 0; i < 3; i++) {
      Vector sum = fill_vector (offset[i]);

      UNROLL
      for (j = 0; j < 3; j++)
        sum = multiply_add_vector (fill_vector (matrix[i][j]), in[j], sum);
      store_vector (output[i] + x, sum);
    }
  }
  for (; x < n; x++) {
    gfloat in[3] = {input[0][x], input[1][x], input[2][x]};

    for (i = 0; i < 3; i++) {
      gfloat sum = offset[i];

      for (j = 0; j < 3; j++)
        sum = multiply_add_scalar (matrix[i][j], in[j], sum);
      output[i][x] = sum;
    }
  }
}

static void
interleave_row (
    gfloat *output, guint out_stride, const gfloat *const *input, guint width)
{
  gfloat *restrict out = output;
  const gfloat *restrict a = input[0], *restrict b = input[1],
                         *restrict c = input[2];
  guint x, i;

  if (out_stride == 4) {
    for (x = 0; x < width; x++, out += 4) {
      out[0] = a[x];
      out[1] = b[x];
      out[2] = c[x];
      out[3] = 0;
    }
    return;
  }
  for (x = 0; x < width; x++, out += out_stride) {
    out[0] = a[x];
    out[1] = b[x];
    out[2] = c[x];
    for (i = 3; i < out_stride; i++)
      out[i] = 0;
  }
}

/* Index of component @c of pixel @i of three vectors of interleaved pixels: in
 * the first two, then in those and the third. */
#define FROM_TWO(c, i) (3 * (i) + (c) < 2 * LANES ? 3 * (i) + (c) : 0)
#define FROM_THREE(c, i) \
  (3 * (i) + (c) < 2 * LANES ? (i) : 3 * (i) + (c) -LANES)
#define FOUR_FROM(from, c, q) \
  from (c, 4 * q), from (c, 4 * q + 1), from (c, 4 * q + 2), from (c, 4 * q + 3)
#define FIRST_FROM_TWO(q) FOUR_FROM (FROM_TWO, 0, q)
#define FIRST_FROM_THREE(q) FOUR_FROM (FROM_THREE, 0, q)
#define SECOND_FROM_TWO(q) FOUR_FROM (FROM_TWO, 1, q)
#define SECOND_FROM_THREE(q) FOUR_FROM (FROM_THREE, 1, q)
#define THIRD_FROM_TWO(q) FOUR_FROM (FROM_TWO, 2, q)
#define THIRD_FROM_THREE(q) FOUR_FROM (FROM_THREE, 2, q)

static void
deinterleave_row (
    gfloat *const *output, const gfloat *input, guint in_stride, guint width)
{
  const gfloat *restrict in = input;
  gfloat *restrict a = output[0], *restrict b = output[1],
                   *restrict c = output[2];
  guint x = 0;

  if (in_stride == 3)
    for (; x + LANES <= width; x += LANES, in += 3 * LANES) {
      Vector u = load_vector (in), v = load_vector (in + LANES);
      Vector w = load_vector (in + 2 * LANES);

      store_vector (
          a + x, PERMUTE (PERMUTE (u, v, FIRST_FROM_TWO), w, FIRST_FROM_THREE));
      store_vector (b + x,
          PERMUTE (PERMUTE (u, v, SECOND_FROM_TWO), w, SECOND_FROM_THREE));
      store_vector (
          c + x, PERMUTE (PERMUTE (u, v, THIRD_FROM_TWO), w, THIRD_FROM_THREE));
    }
  for (; x < width; x++, in += in_stride) {
    a[x] = in[0];
    b[x] = in[1];
    c[x] = in[2];
  }
}

/* Independent chains: two units with a latency of 4 to 6 cycles. */
#define CHAINS MAX (SUMS, 12)

static gdouble
multiply_add (guint64 n)
{
  static volatile gfloat sink;
  const Vector factor = fill_vector (.9999f), addend = fill_vector (1.0001f);
  Vector sum[CHAINS];
  guint64 round;
  guint i;

  UNROLL
  for (i = 0; i < CHAINS; i++)
    sum[i] = fill_vector (i);
  for (round = 0; round < n; round++)
    UNROLL
  for (i = 0; i < CHAINS; i++)
    sum[i] = multiply_add_vector (factor, addend, sum[i]);
  UNROLL
  for (i = 1; i < CHAINS; i++)
    sum[0] += sum[i];
  sink = sum[0][0];
  (void) sink;
  return 2. * LANES * CHAINS * n;
}

const SrganKernels SET = {
    .name = SET_NAME,
    .lanes = LANES,
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
