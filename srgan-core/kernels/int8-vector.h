/* kernels: the source of every int8 set for one ISA.
 *
 * A file that includes this is compiled for its ISA and defines before:
 *   SET, SET_NAME, NEEDS, IS_FASTER   the table's symbol and first fields
 *   LANES           sums in a vector: 4, 8 or 16
 *   SUMS            vectors of sums that registers can hold beside 3 weights
 *                   and an input
 *   GROUP           input channels that one dot_bytes() adds to each sum
 *   WIDE            whether bytes become words before they are multiplied:
 *                   GROUP is 2 then, dot_bytes() dot_words()
 *   PAIRED          how weights of bytes lie: see SrganInt8Packing
 *   NARROW_VECTORS  so many times 4 vectors of sums can registers hold beside
 *                   NARROW_VECTORS inputs and a weight
 *   OFFSET          what load_group() takes from each byte
 *   load_group(p)   the GROUP bytes at p, in each lane
 *   load_pixels(p)  the 4 LANES bytes at p, GROUP codes in each lane
 *   dot_bytes(sum, in, weight)   sum + the products, added up, of each lane
 *   dot_words(sum, in, weight)   the same of 2 words a lane
 *   multiply_add_vector(a, b, c)  a b + c in one rounding
 *   select_factor(sum, negative, positive)  negative in lanes of sum < 0
 *   round_vector(y)  floats to integers, to nearest even
 *   pack_quad(a, b, c, d)   to bytes, saturating, a first
 *   store_part(p, quad, i)  of pack_quad()'s result the bytes of a (i = 0), b
 *                           (1), c or d; i is a constant
 *   store_some_lanes(p, quad, i, n)  likewise the first n, a multiple of 4
 *   hide_vector(v)          makes v unknown to the compiler
 *   TILES           if defined, that AMX's tiles serve where they suit
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "kernels/int8-private.h"

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

/* Codes of words in the 32 bits that a group takes. */
#define WORDS_GROUP 2
/* Bytes of a code as it is multiplied. */
#define CODE_SIZE (WIDE ? 2 : 1)

typedef gfloat Vector __attribute__ ((vector_size (4 * LANES)));
typedef gint32 IntVector __attribute__ ((vector_size (4 * LANES)));
typedef gint16 WordVector __attribute__ ((vector_size (2 * LANES)));
typedef guint8 ByteVector __attribute__ ((vector_size (LANES)));
typedef guint8 Quad __attribute__ ((vector_size (4 * LANES)));
typedef gfloat UnalignedVector
    __attribute__ ((vector_size (4 * LANES), aligned (4), may_alias));
typedef gint32 UnalignedIntVector
    __attribute__ ((vector_size (4 * LANES), aligned (1), may_alias));

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

INLINE IntVector
load_integers (gconstpointer p)
{
  return *(const UnalignedIntVector *) p;
}

INLINE Vector
fill_vector (gfloat x)
{
  return x - (Vector){0};
}

/* Permutations of two vectors; x(q) stands for four indices. */
#define LANE_INDICES_4(x) x (0)
#define LANE_INDICES_8(x) x (0), x (1)
#define LANE_INDICES_16(x) x (0), x (1), x (2), x (3)
#define LANE_INDICES__(lanes, x) LANE_INDICES_##lanes (x)
#define LANE_INDICES_(lanes, x) LANE_INDICES__ (lanes, x)
#define PERMUTE(a, b, x) \
  __builtin_shufflevector (a, b, LANE_INDICES_ (LANES, x))

/* The 32 bits at @p in each lane. */
INLINE IntVector
repeat_group (gconstpointer p)
{
  gint32 bits;

  memcpy (&bits, p, sizeof bits);
  return bits - (IntVector){0};
}

/* ---- What becomes of sums ---- */

typedef struct {
  Vector positive, negative, addend;
} Factors;

INLINE Factors
load_factors (const SrganInt8Convolution *convolution, guint channel)
{
  return (Factors){load_vector (convolution->positive + channel),
      load_vector (convolution->negative + channel),
      load_vector (convolution->addend + channel)};
}

INLINE Vector
scale_sum (IntVector sum, const Factors *factors, gboolean is_linear)
{
  Vector factor = factors->positive;

  if (!is_linear)
    factor = select_factor (sum, factors->negative, factors->positive);
  return multiply_add_vector (
      __builtin_convertvector(sum, Vector), factor, factors->addend);
}

/* The first @n of a vector's floats; @n is a multiple of 4. */
INLINE void
store_floats (gfloat *p, Vector v, guint n)
{
  if (n == LANES)
    store_vector (p, v);
  else
    for (guint i = 0; i < n; i += 4)
      memcpy (p + i, (const gfloat *) &v + i, 4 * sizeof (gfloat));
}

/* Four pixels' bytes, or the first @n of them, a constant; of each the first
 * @n_lanes, a multiple of 4. */
INLINE void
store_bytes (guint8 *p, gsize out_stride, Quad quad, guint n, guint n_lanes)
{
  if (n_lanes < LANES) {
    store_some_lanes (p, quad, 0, n_lanes);
    if (n > 1)
      store_some_lanes (p + out_stride, quad, 1, n_lanes);
    if (n > 2)
      store_some_lanes (p + 2 * out_stride, quad, 2, n_lanes);
    if (n > 3)
      store_some_lanes (p + 3 * out_stride, quad, 3, n_lanes);
    return;
  }
  if (n == 4 && out_stride == LANES) {
    memcpy (p, &quad, sizeof quad);
    return;
  }
  store_part (p, quad, 0);
  if (n > 1)
    store_part (p + out_stride, quad, 1);
  if (n > 2)
    store_part (p + 2 * out_stride, quad, 2);
  if (n > 3)
    store_part (p + 3 * out_stride, quad, 3);
}

/* @n pixels' sums of vector @v to the output, from pixel @x on. */
INLINE void
store_sums (const SrganInt8Convolution *convolution, void *output,
    const IntVector *sum, guint v, guint x, guint n, gboolean is_linear)
{
  const Factors factors = load_factors (convolution, v * LANES);
  const gsize out_stride = convolution->out_stride;
  const guint n_lanes = MIN (LANES, out_stride - v * LANES);
  gsize at = x * out_stride + v * LANES;

  if (convolution->output_type == SRGAN_MAP_FLOATS) {
    gfloat *floats = (gfloat *) output + at;

    UNROLL
    for (guint p = 0; p < n; p++) {
      store_floats (floats, scale_sum (sum[p], &factors, is_linear), n_lanes);
      floats += out_stride;
    }
  } else {
    guint8 *bytes = (guint8 *) output + at;

    UNROLL
    for (guint p = 0; p < n; p += 4) {
      IntVector y[4];

      UNROLL
      for (guint i = 0; i < 4; i++)
        y[i] = p + i < n
                   ? round_vector (scale_sum (sum[p + i], &factors, is_linear))
                   : (IntVector){0};
      store_bytes (bytes, out_stride, pack_quad (y[0], y[1], y[2], y[3]),
          MIN (4, n - p), n_lanes);
      bytes += 4 * out_stride;
      /* One pointer that is moved on: see kernels-vector.h. */
      __asm__("" : "+r"(bytes));
    }
  }
}

/* ---- Convolution, lanes hold output channels ----
 *
 * Registers hold the sums of SUMS neighbouring pixels. */

/* The three columns of one group of input channels, for @n pixels: each group
 * is loaded once for all columns. */
INLINE void
add_columns (IntVector *sum, const guint8 *input, gsize pixel_size,
    const guint8 *weight, guint n)
{
  IntVector w[3];

  UNROLL
  for (guint column = 0; column < 3; column++)
    w[column] = load_integers (weight + column * LANES * 4);
  UNROLL
  for (guint x = 0; x < n + 2; x++, input += pixel_size) {
    IntVector in = load_group (input);

    UNROLL
    for (guint column = 0; column < 3; column++)
      if (x >= column && x - column < n)
        sum[x - column] = dot_bytes (in, w[column], sum[x - column]);
  }
}

/* One group of the codes of a kernel row. */
INLINE void
add_group (IntVector *sum, const guint8 *input, gsize pixel_size,
    const guint8 *weight, guint n, gboolean is_bytes)
{
  IntVector w = load_integers (weight);

  UNROLL
  for (guint p = 0; p < n; p++, input += pixel_size)
    sum[p] = is_bytes ? dot_bytes (load_group (input), w, sum[p])
                      : dot_words (repeat_group (input), w, sum[p]);
}

typedef enum {
  FORM_COLUMNS, /* bytes, three columns */
  FORM_BYTES,
  FORM_WORDS,
} Form;

/* @n pixels of the output channels in vector @v, from pixel @x on; @n and @form
 * are constants to the compiler. */
INLINE void
convolve_block (const SrganInt8Convolution *convolution,
    const guint8 *const *rows, void *output, guint v, guint x, guint n,
    Form form)
{
  const gsize pixel_size =
      convolution->in_stride * (form == FORM_WORDS ? 2 : CODE_SIZE);
  const guint n_groups = srgan_int8_get_n_groups (
      convolution, form == FORM_WORDS ? WORDS_GROUP : GROUP);
  const gsize row_size = (gsize) n_groups * LANES * 4;
  const IntVector bias = load_integers (convolution->bias + v * LANES);
  const guint8 *weight = (const guint8 *) convolution->weight +
                         v * convolution->kernel_height * row_size;
  IntVector sum[SUMS];

  UNROLL
  for (guint p = 0; p < n; p++)
    sum[p] = bias;

  for (guint ky = 0; ky < convolution->kernel_height; ky++) {
    const guint8 *input = rows[ky] + x * pixel_size;

    if (form == FORM_COLUMNS)
      for (guint i = 0; i < n_groups; i += 3) {
        add_columns (sum, input, pixel_size, weight, n);
        input += 4;
        weight += 3 * LANES * 4;
      }
    else
      for (guint i = 0; i < n_groups; i++) {
        add_group (sum, input, pixel_size, weight, n, form == FORM_BYTES);
        input += 4;
        weight += LANES * 4;
      }
  }

  if (convolution->variant & SRGAN_INT8_LINEAR)
    store_sums (convolution, output, sum, v, x, n, TRUE);
  else
    store_sums (convolution, output, sum, v, x, n, FALSE);
}

typedef void (*ConvolveBlock) (const SrganInt8Convolution *convolution,
    const guint8 *const *rows, void *output, guint v, guint x);

#define DEFINE_CONVOLVE_BLOCK(name, n, form)                              \
  NOINLINE void convolve_##name (const SrganInt8Convolution *convolution, \
      const guint8 *const *rows, void *output, guint v, guint x)          \
  {                                                                       \
    convolve_block (convolution, rows, output, v, x, n, form);            \
  }
#define DEFINE_CONVOLVE_BLOCKS(name, form)                               \
  DEFINE_CONVOLVE_BLOCK (name##_whole, SUMS, form)                       \
  DEFINE_CONVOLVE_BLOCK (name##_half, SUMS / 2, form)                    \
  DEFINE_CONVOLVE_BLOCK (name##_quarter, SUMS / 4, form)                 \
  DEFINE_CONVOLVE_BLOCK (name##_single, 1, form)                         \
  static const ConvolveBlock name##_blocks[] = {convolve_##name##_whole, \
      convolve_##name##_half, convolve_##name##_quarter,                 \
      convolve_##name##_single};

DEFINE_CONVOLVE_BLOCKS (columns, FORM_COLUMNS)
DEFINE_CONVOLVE_BLOCKS (bytes, FORM_BYTES)
DEFINE_CONVOLVE_BLOCKS (words, FORM_WORDS)

static void
convolve_vector (const SrganInt8Convolution *convolution,
    const guint8 *const *rows, void *output, guint v, guint width)
{
  static const guint sizes[] = {SUMS, SUMS / 2, SUMS / 4, 1};
  const ConvolveBlock *blocks =
      convolution->input_type == SRGAN_MAP_WORDS  ? words_blocks
      : convolution->variant & SRGAN_INT8_COLUMNS ? columns_blocks
                                                  : bytes_blocks;
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
 * Where the outputs would leave lanes idle: a pixel is SPAN times 4 groups of
 * codes, and each has a partial sum of its own, all added up in the end.
 * Outputs are made in fours. */

/* Above, lanes of outputs are as fast. */
#define NARROW_MAX_OUTPUTS (LANES / 2)
/* Groups in fours that a vector holds, and a block. */
#define FOURS (LANES / 4)
#define BLOCK_FOURS (NARROW_VECTORS * FOURS)
#define MAX_SPAN 4

/* Fours of groups in a pixel; 0 when the narrow form does not suit. */
static guint
get_span (const SrganInt8Layer *layer)
{
  gsize span = (gsize) layer->in_stride * CODE_SIZE / 16;

  if (layer->input_type != SRGAN_MAP_BYTES ||
      layer->out_channels > NARROW_MAX_OUTPUTS ||
      (layer->out_stride != 0 &&
          layer->out_stride !=
              srgan_int8_get_channel_stride (layer->out_channels)) ||
      layer->in_stride * CODE_SIZE % 16 != 0 ||
      (span != 1 && span != 2 && span != 4) || BLOCK_FOURS % span != 0)
    return 0;
  return (guint) span;
}

/* In each four of the result: groups 0 and 1 of a and of b, in turns; the
 * others; those of two such results. */
#define FIRST_TWO(q) 4 * q, LANES + 4 * q, 4 * q + 1, LANES + 4 * q + 1
#define LAST_TWO(q) 4 * q + 2, LANES + 4 * q + 2, 4 * q + 3, LANES + 4 * q + 3
#define FIRST_PAIR(q) 4 * q, 4 * q + 1, LANES + 4 * q, LANES + 4 * q + 1
#define LAST_PAIR(q) 4 * q + 2, 4 * q + 3, LANES + 4 * q + 2, LANES + 4 * q + 3

/* Each four's groups added up, of the four outputs beside each other. */
INLINE IntVector
add_up_fours (const IntVector *sum)
{
  IntVector a =
      PERMUTE (sum[0], sum[1], FIRST_TWO) + PERMUTE (sum[0], sum[1], LAST_TWO);
  IntVector b =
      PERMUTE (sum[2], sum[3], FIRST_TWO) + PERMUTE (sum[2], sum[3], LAST_TWO);

  return PERMUTE (a, b, FIRST_PAIR) + PERMUTE (a, b, LAST_PAIR);
}

/* Neighbouring fours added up. */
INLINE IntVector
add_up_neighbours (IntVector a, IntVector b)
{
#if LANES == 16
  return __builtin_shufflevector (
             a, b, 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27) +
         __builtin_shufflevector (
             a, b, 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31);
#elif LANES == 8
  return __builtin_shufflevector (a, b, 0, 1, 2, 3, 8, 9, 10, 11) +
         __builtin_shufflevector (a, b, 4, 5, 6, 7, 12, 13, 14, 15);
#else
  return a + b;
#endif
}

INLINE IntVector
repeat_four (gconstpointer p)
{
#if LANES == 4
  return load_integers (p);
#else
  Quad four = {0};

  memcpy (&four, p, 16);
#if LANES == 16
  return __builtin_shufflevector ((IntVector) four, (IntVector) four, 0, 1, 2,
      3, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3);
#else
  return __builtin_shufflevector (
      (IntVector) four, (IntVector) four, 0, 1, 2, 3, 0, 1, 2, 3);
#endif
#endif
}

/* BLOCK_FOURS / @span pixels from @x on, of the @n_outputs channels from @first
 * on; @span and @n_outputs are constants to the compiler. */
INLINE void
convolve_narrow_block (const SrganInt8Convolution *convolution,
    const guint8 *const *rows, void *output, const guint8 *weight, guint first,
    guint x, guint span, guint n_outputs)
{
  const guint n_weights = MAX (span / FOURS, 1); /* vectors a pixel */
  const guint n_pixels = BLOCK_FOURS / span;
  const gsize pixel_size = 16 * span;
  const gsize out_stride = convolution->out_stride;
  const IntVector bias = repeat_four (convolution->bias + first);
  const Factors factors = {(Vector) repeat_four (convolution->positive + first),
      (Vector) repeat_four (convolution->negative + first),
      (Vector) repeat_four (convolution->addend + first)};
  IntVector sum[NARROW_VECTORS][4], total[NARROW_VECTORS];
  guint n_vectors = NARROW_VECTORS;

  UNROLL
  for (guint v = 0; v < NARROW_VECTORS; v++) {
    UNROLL
    for (guint o = 0; o < 4; o++)
      sum[v][o] = (IntVector){0};
  }

  for (guint ky = 0; ky < convolution->kernel_height; ky++) {
    const guint8 *input = rows[ky] + x * pixel_size;

    for (guint kx = 0; kx < convolution->kernel_width; kx++) {
      IntVector in[NARROW_VECTORS];

      UNROLL
      for (guint v = 0; v < NARROW_VECTORS; v++)
        in[v] = load_pixels (input + v * LANES * 4);
      UNROLL
      for (guint o = 0; o < n_outputs; o++) {
        UNROLL
        for (guint i = 0; i < n_weights; i++, weight += LANES * 4) {
          IntVector w = load_integers (weight);

          UNROLL
          for (guint v = i; v < NARROW_VECTORS; v += n_weights)
            sum[v][o] = dot_bytes (in[v], w, sum[v][o]);
        }
      }
      input += pixel_size;
    }
  }

  UNROLL
  for (guint v = 0; v < NARROW_VECTORS; v++)
    total[v] = add_up_fours (sum[v]);
  UNROLL
  for (guint part = 1; part < span; part *= 2) {
    UNROLL
    for (guint v = 0; v < MAX (NARROW_VECTORS / 2, 1); v++)
      if (2 * v < n_vectors)
        total[v] = add_up_neighbours (
            total[2 * v], total[MIN (2 * v + 1, n_vectors - 1)]);
    n_vectors = MAX (n_vectors / 2, 1);
  }

  UNROLL
  for (guint v = 0; v < NARROW_VECTORS; v++)
    if (v < n_vectors) {
      Vector y = scale_sum (
          total[v] + bias, &factors, convolution->variant & SRGAN_INT8_LINEAR);
      gsize at = (x + v * FOURS) * out_stride + first;

      if (convolution->output_type == SRGAN_MAP_FLOATS) {
        gfloat *floats = (gfloat *) output + at;

        if (out_stride == 4 && n_pixels >= FOURS)
          store_vector (floats, y);
        else {
          UNROLL
          for (guint p = 0; p < MIN (FOURS, n_pixels); p++)
            memcpy (floats + p * out_stride, (const gfloat *) &y + p * 4, 16);
        }
      } else {
        IntVector codes = round_vector (y);
        Quad quad = pack_quad (codes, codes, codes, codes);
        guint8 *bytes = (guint8 *) output + at;

        UNROLL
        for (guint p = 0; p < MIN (FOURS, n_pixels); p++)
          memcpy (bytes + p * out_stride, (const guint8 *) &quad + p * 4, 4);
      }
    }
}

typedef void (*ConvolveNarrow) (const SrganInt8Convolution *convolution,
    const guint8 *const *rows, void *output, const guint8 *weight, guint first,
    guint width);

/* A row of at least one block's width; the last block may compute pixels a
 * second time, to the same bits. */
#define DEFINE_NARROW(span, n_outputs)                                    \
  NOINLINE void convolve_narrow_##span##_##n_outputs (                    \
      const SrganInt8Convolution *convolution, const guint8 *const *rows, \
      void *output, const guint8 *weight, guint first, guint width)       \
  {                                                                       \
    const guint n_pixels = MAX (BLOCK_FOURS / span, 1);                   \
                                                                          \
    for (guint x = 0; x < width; x += n_pixels)                           \
      convolve_narrow_block (convolution, rows, output, weight, first,    \
          MIN (x, width - n_pixels), span, n_outputs);                    \
  }

#define DEFINE_NARROWS(span) \
  DEFINE_NARROW (span, 1)    \
  DEFINE_NARROW (span, 2)    \
  DEFINE_NARROW (span, 3)    \
  DEFINE_NARROW (span, 4)

DEFINE_NARROWS (1)
DEFINE_NARROWS (2)
DEFINE_NARROWS (4)

static void
convolve_narrow (const SrganInt8Convolution *convolution,
    const guint8 *const *rows, void *output, guint width)
{
#define NARROWS(span)                                          \
  {                                                            \
    convolve_narrow_##span##_1, convolve_narrow_##span##_2,    \
        convolve_narrow_##span##_3, convolve_narrow_##span##_4 \
  }
  static const ConvolveNarrow narrows[][4] = {
      NARROWS (1), NARROWS (2), NARROWS (4)};
  const guint span = convolution->in_stride * CODE_SIZE / 16;
  const gsize per_output = (gsize) convolution->kernel_height *
                           convolution->kernel_width * MAX (span / FOURS, 1) *
                           LANES * 4;
  const guint8 *weight = convolution->weight;
  guint first;

  for (first = 0; first < convolution->out_channels; first += 4) {
    guint n_outputs = MIN (4, convolution->out_channels - first);

    narrows[span / 2][n_outputs - 1](
        convolution, rows, output, weight, first, width);
    weight += n_outputs * per_output;
  }
}

/* A row shorter than a block, on copies that are as long. */
NOINLINE void
convolve_short_narrow (const SrganInt8Convolution *convolution,
    const guint8 *const *rows, void *output, guint width)
{
  const gsize pixel_size = (gsize) convolution->in_stride * CODE_SIZE;
  const guint n_pixels = BLOCK_FOURS * 16 / pixel_size;
  const gsize out_size =
      convolution->out_stride *
      (convolution->output_type == SRGAN_MAP_BYTES ? 1 : sizeof (gfloat));
  guint8 input[SRGAN_KERNEL_MAX_SIDE]
              [(BLOCK_FOURS + MAX_SPAN * SRGAN_KERNEL_MAX_SIDE) * 16];
  gfloat pixels[BLOCK_FOURS * 12];
  const guint8 *copies[SRGAN_KERNEL_MAX_SIDE];
  guint ky;

  memset (input, 0, sizeof input);
  for (ky = 0; ky < convolution->kernel_height; ky++) {
    memcpy (input[ky], rows[ky],
        (width + convolution->kernel_width - 1) * pixel_size);
    copies[ky] = input[ky];
  }
  convolve_narrow (convolution, copies, pixels, n_pixels);
  memcpy (output, pixels, width * out_size);
}

#ifdef TILES
#include "kernels/int8-tiles.h"
#endif

/* ---- Rows of the kernel's types ---- */

static void
convolve_pixels (const SrganInt8Convolution *convolution,
    const guint8 *const *rows, void *output, guint width)
{
  guint v;

#ifdef TILES
  if (convolution->variant & SRGAN_INT8_TILES) {
    if (width > 0)
      convolve_by_tiles (convolution, rows, output, width);
    return;
  }
#endif
  if (convolution->variant & SRGAN_INT8_NARROW) {
    if (width * convolution->in_stride * CODE_SIZE < BLOCK_FOURS * 16)
      convolve_short_narrow (convolution, rows, output, width);
    else
      convolve_narrow (convolution, rows, output, width);
    return;
  }
  for (v = 0; v * LANES < convolution->out_stride; v++)
    convolve_vector (convolution, rows, output, v, width);
}

#if WIDE
/* Bytes of a row of pixels made words, for all rows of the kernel: beside one
 * vector's weights within a first-level cache. */
#define WIDENED_SIZE (20 * 1024)

static void
widen_row (gint16 *restrict output, const guint8 *restrict input, gsize n)
{
  gsize i;

  for (i = 0; i < n; i++)
    output[i] = input[i];
}

static void
convolve_widened (const SrganInt8Convolution *convolution,
    const void *const *rows, void *output, guint width)
{
  const guint kernel_width = convolution->kernel_width;
  const gsize column_size =
      (gsize) convolution->in_stride * convolution->kernel_height * 2;
  /* At least one pixel's, which is 64 KiB at the most. */
  const guint n_columns = MAX (WIDENED_SIZE / column_size, kernel_width);
  const guint n_widened = n_columns - (kernel_width - 1);
  gint16 widened[n_columns * column_size / 2];
  const guint8 *pixels[SRGAN_KERNEL_MAX_SIDE];
  const gsize out_size =
      convolution->output_type == SRGAN_MAP_BYTES ? 1 : sizeof (gfloat);
  guint x, ky;

  for (x = 0; x < width; x += n_widened) {
    guint n = MIN (width - x, n_widened);
    gsize length = (gsize) (n + kernel_width - 1) * convolution->in_stride;

    for (ky = 0; ky < convolution->kernel_height; ky++) {
      gint16 *row = widened + ky * length;

      widen_row (row,
          (const guint8 *) rows[ky] + (gsize) x * convolution->in_stride,
          length);
      pixels[ky] = (const guint8 *) row;
    }
    convolve_pixels (convolution, pixels,
        (guint8 *) output + x * convolution->out_stride * out_size, n);
  }
}
#endif

static void
convolve_row (const SrganInt8Convolution *convolution, const void *const *rows,
    void *output, guint width)
{
#if WIDE
  if (convolution->input_type == SRGAN_MAP_BYTES) {
    convolve_widened (convolution, rows, output, width);
    return;
  }
#endif
  convolve_pixels (convolution, (const guint8 *const *) rows, output, width);
}

static gboolean
pack (SrganInt8Convolution *convolution, const SrganInt8Layer *layer)
{
  SrganInt8Packing packing = {.lanes = LANES,
      .group = WORDS_GROUP,
      .is_wide = TRUE,
      .order = SRGAN_INT8_ORDER_RUN};

  if (layer->input_type == SRGAN_MAP_BYTES) {
    packing.group = GROUP;
    packing.is_wide = WIDE;
    packing.is_paired = PAIRED;
    packing.offset = OFFSET;
    if (get_span (layer) != 0)
      packing.order = SRGAN_INT8_ORDER_PIXEL;
    else if (layer->kernel_width == 3)
      packing.order = SRGAN_INT8_ORDER_COLUMNS;
#ifdef TILES
    if (suits_tiles (layer))
      packing.order = SRGAN_INT8_ORDER_CHUNKS;
#endif
  }
  return srgan_int8_convolution_pack (convolution, layer, &packing);
}

/* ---- Rows ---- */

/* Within first .. last and rounded; NaN gives last. */
INLINE IntVector
round_within (Vector y, Vector first, Vector last)
{
  IntVector is_below = y < last, is_above;

  y = (Vector) ((is_below & (IntVector) y) | (~is_below & (IntVector) last));
  is_above = y > first;
  y = (Vector) ((is_above & (IntVector) y) | (~is_above & (IntVector) first));
  return round_vector (y);
}

/* Rows are computed in whole vectors, the last of which works on copies. */
#define FOR_VECTORS(i, n) \
  for (guint i = 0, left = n; i < n; i += LANES, left -= LANES)

INLINE Vector
load_some (const gfloat *p, guint n)
{
  Vector v = {0};

  if (n >= LANES)
    return load_vector (p);
  memcpy (&v, p, n * sizeof (gfloat));
  return v;
}

INLINE Vector
load_some_bytes (const guint8 *p, guint n)
{
  ByteVector bytes = {0};

  memcpy (&bytes, p, n >= LANES ? LANES : n);
  return __builtin_convertvector(
      __builtin_convertvector(bytes, IntVector), Vector);
}

INLINE void
store_some (void *p, gconstpointer v, guint n, gsize size)
{
  if (n >= LANES)
    memcpy (p, v, LANES * size);
  else
    memcpy (p, v, n * size);
}

static void
quantise_words (
    gint16 *output, const gfloat *input, gfloat inverse_step, guint n)
{
  const Vector first = fill_vector (-32767), last = fill_vector (32767);

  FOR_VECTORS (i, n)
  {
    WordVector words = __builtin_convertvector(
        round_within (load_some (input + i, left) * inverse_step, first, last),
        WordVector);

    store_some (output + i, &words, left, sizeof *output);
  }
}

INLINE void
store_codes (guint8 *output, Vector y, guint n)
{
  ByteVector bytes = __builtin_convertvector(
      round_within (y, (Vector){0}, fill_vector (255)), ByteVector);

  store_some (output, &bytes, n, 1);
}

static void
quantise_bytes (guint8 *output, const gfloat *input, gfloat inverse_step,
    guint8 zero, guint n)
{
  const Vector factor = fill_vector (inverse_step), addend = fill_vector (zero);

  FOR_VECTORS (i, n)
  store_codes (output + i,
      multiply_add_vector (load_some (input + i, left), factor, addend), left);
}

static void
dequantise_bytes (
    gfloat *output, const guint8 *input, gfloat step, guint8 zero, guint n)
{
  const Vector offset = fill_vector (zero);

  FOR_VECTORS (i, n)
  {
    Vector values = (load_some_bytes (input + i, left) - offset) * step;

    store_some (output + i, &values, left, sizeof *output);
  }
}

static void
add_bytes (guint8 *output, const guint8 *a, const guint8 *b, gfloat a_factor,
    gfloat b_factor, gfloat addend, guint n)
{
  const Vector fa = fill_vector (a_factor), fb = fill_vector (b_factor);
  const Vector fc = fill_vector (addend);

  FOR_VECTORS (i, n)
  store_codes (output + i,
      multiply_add_vector (load_some_bytes (a + i, left), fa,
          multiply_add_vector (load_some_bytes (b + i, left), fb, fc)),
      left);
}

#ifndef TILES
/* Independent chains: two units with a latency of 4 to 6 cycles. */
#define CHAINS 12

static gdouble
multiply_add (guint64 n)
{
  static volatile gint32 sink;
  IntVector code = 0x03030303 - (IntVector){0};
  IntVector weight = 0x02020202 - (IntVector){0};
  IntVector sum[CHAINS];
  guint64 round;
  guint i;

  hide_vector (weight);
  UNROLL
  for (i = 0; i < CHAINS; i++) {
    sum[i] = (IntVector){0};
    hide_vector (sum[i]);
  }
  for (round = 0; round < n; round++) {
    UNROLL
    for (i = 0; i < CHAINS; i++) {
      hide_vector (code);
      sum[i] = dot_bytes (code, weight, sum[i]);
    }
  }
  UNROLL
  for (i = 1; i < CHAINS; i++)
    sum[0] ^= sum[i];
  sink = sum[0][0];
  (void) sink;
  return 2. * GROUP * LANES * CHAINS * n;
}
#endif

const SrganInt8Kernels SET = {
    .name = SET_NAME,
    .needs = NEEDS,
    .is_faster = IS_FASTER,
    .get_channel_stride = srgan_int8_get_channel_stride,
    .pack = pack,
    .convolve_row = convolve_row,
    .quantise_words = quantise_words,
    .quantise_bytes = quantise_bytes,
    .dequantise_bytes = dequantise_bytes,
    .add_bytes = add_bytes,
    .multiply_add = multiply_add,
};
