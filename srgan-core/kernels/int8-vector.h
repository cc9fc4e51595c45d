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
 *   OFFSET          what load_group() takes from each byte
 *   load_group(p)   the GROUP bytes at p, in each lane
 *   dot_bytes(sum, in, weight)   sum + the products, added up, of each lane
 *   dot_words(sum, in, weight)   the same of 2 words a lane
 *   multiply_add_vector(a, b, c)  a b + c in one rounding
 *   select_factor(sum, negative, positive)  negative in lanes of sum < 0
 *   round_vector(y)  floats to integers, to nearest even
 *   pack_quad(a, b, c, d)   to bytes, saturating, a first
 *   store_part(p, quad, i)  of pack_quad()'s result the bytes of a (i = 0), b
 *                           (1), c or d; i is a constant
 *   hide_vector(v)          makes v unknown to the compiler
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
      fill_vector (convolution->addend)};
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
    for (guint i = 0; i < n; i++)
      for (guint lane = 0; lane < n_lanes; lane += 4)
        memcpy (p + i * out_stride + lane,
            (const guint8 *) &quad + i * LANES + lane, 4);
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

static void
convolve_pixels (const SrganInt8Convolution *convolution,
    const guint8 *const *rows, void *output, guint width)
{
  guint v;

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
    if (layer->kernel_width == 3)
      packing.order = SRGAN_INT8_ORDER_COLUMNS;
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

/* Independent chains: two units with a latency of 4 to 6 cycles. */
#define CHAINS 12

static gdouble
multiply_add (guint64 n)
{
  static volatile gint32 sink;
  IntVector code = (sink + 0x03030303) - (IntVector){0};
  const IntVector weight = (sink + 0x02020202) - (IntVector){0};
  IntVector sum[CHAINS];
  guint64 round;
  guint i;

  UNROLL
  for (i = 0; i < CHAINS; i++)
    sum[i] = (IntVector){0};
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
  sink = sum[0][0] & 0;
  return 2. * GROUP * LANES * CHAINS * n;
}

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
