/* kernels: 3x3 convolutions by Winograd's F(4x4, 3x3), for every set for one
 * ISA; included by kernels-vector.h.
 *
 * A tile of 4x4 outputs takes 36 multiplications a pair of channels instead of
 * 144: inputs (6x6) and weights are transformed, multiplied position by
 * position, which is a matrix product over the channels for many tiles at once,
 * and transformed back. Lavin and Gray, "Fast Algorithms for Convolutional
 * Neural Networks", CVPR 2016, section 4.3, whose points 0, 1, -1, 2, -2 these
 * are.
 *
 * SPDX-License-Identifier: MIT
 */

/* Vectors of output channels in one matrix product, and tiles: as many sums as
 * registers hold beside two weights and an input. */
#define PRODUCT_VECTORS 2
#if SUMS >= 20
#define PAIR_TILES 12
#define SINGLE_TILES 24
#else
#define PAIR_TILES 6
#define SINGLE_TILES 12
#endif
/* Tiles whose columns are transformed before their rows are: these stay in the
 * first-level cache. */
#define COLUMN_TILES 6

/* Weights are asked for so many floats before their use: those of many layers
 * of many channels, used in turns, come from beyond the second-level cache,
 * and what the processor fetches by itself comes too late. */
#define WEIGHTS_AHEAD 1024
#define LINE_FLOATS 16
/* Rows of so many floats a pixel, too: those read and those written. */
#define WIDE_STRIDE 48
#define PIXELS_AHEAD 8
#define TILES_AHEAD 2

/* Loaded once, and not again for each use. */
#ifdef __aarch64__
#define KEEP_VECTOR(x) __asm__("" : "+w"(x))
#else
#define KEEP_VECTOR(x) __asm__("" : "+v"(x))
#endif

/* Tiles that are gone through together. Weights of many channels are to stay in
 * the second-level cache from one strip to the next, beside what lies between
 * the three steps; few channels are better read less often. */
INLINE guint
get_strip_tiles (gsize in_stride)
{
  return in_stride <= 16 ? 24 : 12;
}

/* B^T d of six values. */
INLINE void
transform_input (Vector d[6])
{
  const Vector four = fill_vector (4), five = fill_vector (-5);
  const Vector two = fill_vector (2), minus_two = fill_vector (-2);
  const Vector minus_four = fill_vector (-4);
  Vector first =
      multiply_add_vector (four, d[0], multiply_add_vector (five, d[2], d[4]));
  Vector last =
      multiply_add_vector (four, d[1], multiply_add_vector (five, d[3], d[5]));
  Vector a = multiply_add_vector (minus_four, d[2], d[4]);
  Vector b = multiply_add_vector (minus_four, d[1], d[3]);
  Vector c = d[4] - d[2], e = d[3] - d[1];

  d[0] = first;
  d[1] = a + b;
  d[2] = a - b;
  d[3] = multiply_add_vector (two, e, c);
  d[4] = multiply_add_vector (minus_two, e, c);
  d[5] = last;
}

/* A^T m of six values, into the first four. */
INLINE void
transform_output (Vector m[6])
{
  const Vector two = fill_vector (2), four = fill_vector (4);
  const Vector eight = fill_vector (8);
  Vector p = m[1] + m[2], q = m[1] - m[2];
  Vector r = m[3] + m[4], s = m[3] - m[4];

  m[0] = (m[0] + p) + r;
  m[1] = multiply_add_vector (two, s, q);
  m[2] = multiply_add_vector (four, r, p);
  m[3] = multiply_add_vector (eight, s, q) + m[5];
}

/* From one tile to the next: a cache line more than 36 positions, so that the
 * same position of many tiles does not fall into few sets of the cache. */
INLINE gsize
get_tile_floats (gsize stride)
{
  return 36 * stride + 16;
}

/* Inputs of @n <= COLUMN_TILES tiles, from pixel @x on, to
 * @v[tile][position][channel]. @columns holds what was transformed downwards,
 * once for both tiles that share a column. */
INLINE void
transform_inputs (const SrganConvolution *convolution,
    const gfloat *const *rows, gfloat *v, gfloat *columns, guint x, guint n)
{
  const gsize stride = convolution->in_stride;
  const gsize row = (4 * COLUMN_TILES + 2) * LANES;
  const gsize tile = get_tile_floats (stride);

  for (guint c = 0; c < stride; c += LANES) {
    const gfloat *input[6];

    UNROLL
    for (guint y = 0; y < 6; y++)
      input[y] = rows[y] + x * stride + c;
    for (guint i = 0; i < 4 * n + 2; i++) {
      Vector d[6];

      UNROLL
      for (guint y = 0; y < 6; y++) {
        d[y] = load_vector (input[y] + i * stride);
        KEEP_VECTOR (d[y]);
        if (stride >= WIDE_STRIDE)
          __builtin_prefetch (input[y] + (i + PIXELS_AHEAD) * stride);
      }
      transform_input (d);
      UNROLL
      for (guint y = 0; y < 6; y++)
        store_vector (columns + y * row + i * LANES, d[y]);
    }
    for (guint t = 0; t < n; t++)
      for (guint y = 0; y < 6; y++) {
        gfloat *product = v + t * tile + y * 6 * stride + c;
        Vector d[6];

        UNROLL
        for (guint i = 0; i < 6; i++) {
          d[i] = load_vector (columns + y * row + (4 * t + i) * LANES);
          KEEP_VECTOR (d[i]);
        }
        transform_input (d);
        UNROLL
        for (guint i = 0; i < 6; i++)
          store_vector (product + i * stride, d[i]);
      }
  }
}

/* What the next strip reads and writes: asked for line by line while this one
 * is multiplied, which leaves the caches idle. Rows of wide maps of many
 * channels come from beyond the second-level cache; waiting for them took as
 * long as transforming them. */
typedef struct {
  const gfloat *rows[6 + 4]; /* read, then written */
  gsize floats[2];           /* of each row read, and of each written */
  guint row;                 /* the first of which something is left */
  gsize done;                /* floats of it */
} Ahead;

/* The next @floats of it; @other, which is in the cache, when all is done. */
INLINE const gfloat *
get_piece (Ahead *ahead, const gfloat *other, gsize floats)
{
  const gfloat *piece;

  if (ahead->row >= G_N_ELEMENTS (ahead->rows))
    return other;
  piece = ahead->rows[ahead->row] + ahead->done;
  ahead->done += floats;
  if (ahead->done >= ahead->floats[ahead->row >= 6]) {
    ahead->row++;
    ahead->done = 0;
  }
  return piece;
}

/* One position of @n tiles and @vectors vectors of output channels, both
 * constants to the compiler, from @v[channel] to @m[vector] of each tile. A
 * line at @ahead is asked for with each input channel. */
INLINE void
multiply_block (const gfloat *weight, const gfloat *v, gfloat *m, gsize tile,
    guint in_channels, const gfloat *ahead, guint n, guint vectors)
{
  Vector sum[SINGLE_TILES][PRODUCT_VECTORS];
  /* One pointer for three tiles: that far processors multiply an index. */
  const gfloat *input[(SINGLE_TILES + 2) / 3];

  UNROLL
  for (guint t = 0; t < n; t += 3)
    input[t / 3] = v + t * tile;
  UNROLL
  for (guint t = 0; t < n; t++) {
    UNROLL
    for (guint k = 0; k < vectors; k++)
      sum[t][k] = (Vector){0};
  }
  for (guint i = 0; i < in_channels; i++, weight += vectors * LANES) {
    Vector w[PRODUCT_VECTORS];

    UNROLL
    for (guint k = 0; k < vectors; k++) {
      w[k] = load_vector (weight + k * LANES);
      if (k * LANES % LINE_FLOATS == 0)
        __builtin_prefetch (weight + k * LANES + WEIGHTS_AHEAD);
    }
    /* To the second-level cache alone: the first has no room. */
    __builtin_prefetch (ahead + (gsize) i * LINE_FLOATS, 0, 2);
    UNROLL
    for (guint t = 0; t < n; t++) {
      Vector in = fill_vector (input[t / 3][t % 3 * tile]);

      UNROLL
      for (guint k = 0; k < vectors; k++)
        sum[t][k] = multiply_add_vector (in, w[k], sum[t][k]);
    }
    UNROLL
    for (guint t = 0; t < n; t += 3) {
      input[t / 3]++;
      /* Moved on, not worked out anew: see convolve_block(). */
      __asm__("" : "+r"(input[t / 3]));
    }
  }
  UNROLL
  for (guint t = 0; t < n; t++) {
    UNROLL
    for (guint k = 0; k < vectors; k++)
      store_vector (
          m + t * get_tile_floats (vectors * LANES) + k * LANES, sum[t][k]);
  }
}

/* Each a function of its own: see convolve_vector(). */
typedef void (*MultiplyBlock) (const gfloat *weight, const gfloat *v, gfloat *m,
    gsize tile, guint in_channels, const gfloat *ahead);

#define DEFINE_MULTIPLY_BLOCK(size, n, vectors)                          \
  NOINLINE void multiply_##size##_##vectors (const gfloat *weight,       \
      const gfloat *v, gfloat *m, gsize tile, guint in_channels,         \
      const gfloat *ahead)                                               \
  {                                                                      \
    multiply_block (weight, v, m, tile, in_channels, ahead, n, vectors); \
  }

DEFINE_MULTIPLY_BLOCK (whole, PAIR_TILES, 2)
DEFINE_MULTIPLY_BLOCK (half, PAIR_TILES / 2, 2)
DEFINE_MULTIPLY_BLOCK (two, 2, 2)
DEFINE_MULTIPLY_BLOCK (one, 1, 2)
DEFINE_MULTIPLY_BLOCK (whole, SINGLE_TILES, 1)
DEFINE_MULTIPLY_BLOCK (half, SINGLE_TILES / 2, 1)
DEFINE_MULTIPLY_BLOCK (two, 2, 1)
DEFINE_MULTIPLY_BLOCK (one, 1, 1)

/* All positions of @n tiles and @vectors vectors, to
 * @m[tile][position][vector]. */
INLINE void
multiply_tiles (const SrganConvolution *convolution, const gfloat *weight,
    const gfloat *v, gfloat *m, guint n, guint vectors, Ahead *ahead)
{
  static const MultiplyBlock blocks[PRODUCT_VECTORS][4] = {
      {multiply_whole_1, multiply_half_1, multiply_two_1, multiply_one_1},
      {multiply_whole_2, multiply_half_2, multiply_two_2, multiply_one_2}};
  const guint whole = vectors == 2 ? PAIR_TILES : SINGLE_TILES;
  const guint sizes[] = {whole, whole / 2, 2, 1};
  const guint in_channels = convolution->in_channels;
  const gsize tile = get_tile_floats (convolution->in_stride);
  const gsize m_tile = get_tile_floats (vectors * LANES);

  for (guint position = 0; position < 36; position++) {
    guint t = 0;

    while (t < n) {
      guint size = 0;

      /* The last block may compute tiles once more, to the same bits. */
      while (sizes[size] > n || (size < 1 && sizes[size + 1] >= n - t))
        size++;
      t = MIN (t, n - sizes[size]);
      blocks[vectors - 1][size](weight, v + t * tile, m + t * m_tile, tile,
          in_channels,
          get_piece (ahead, weight, (gsize) in_channels * LINE_FLOATS));
      t += sizes[size];
    }
    weight += (gsize) in_channels * vectors * LANES;
    v += convolution->in_stride;
    m += vectors * LANES;
  }
}

/* Column @i of a product, transformed downwards. */
INLINE void
transform_column (Vector d[6], const gfloat *m, gsize position, guint i)
{
  UNROLL
  for (guint y = 0; y < 6; y++)
    d[y] = load_vector (m + (y * 6 + i) * position);
  transform_output (d);
}

/* One of the @vectors products of @n tiles to pixels, its first channel being
 * @o. Columns come in the order that leaves least to be kept: the second
 * half of transform_output() is spread over them. */
INLINE void
transform_outputs (const SrganConvolution *convolution, const gfloat *m,
    gfloat *const *output, guint x, guint o, guint n, guint vectors)
{
  const gsize stride = convolution->out_stride;
  const gsize position = vectors * LANES;
  const Vector bias = load_vector (convolution->bias + o);
  const Vector slope = load_vector (convolution->slope + o);
  const Vector two = fill_vector (2), four = fill_vector (4);
  const Vector eight = fill_vector (8);

  for (guint t = 0; t < n; t++, m += get_tile_floats (position)) {
    const gsize first = (x + 4 * t) * stride + o;
    Vector p[4], q[4], r[4], s[4], a[6], b[6];

    if (stride >= WIDE_STRIDE) {
      UNROLL
      for (guint y = 0; y < 4; y++) {
        UNROLL
        for (guint i = 0; i < 4; i++)
          __builtin_prefetch (
              output[y] + first + (4 * TILES_AHEAD + i) * stride, 1);
      }
    }
    transform_column (a, m, position, 1);
    transform_column (b, m, position, 2);
    UNROLL
    for (guint y = 0; y < 4; y++) {
      p[y] = a[y] + b[y];
      q[y] = a[y] - b[y];
    }
    transform_column (a, m, position, 3);
    transform_column (b, m, position, 4);
    UNROLL
    for (guint y = 0; y < 4; y++) {
      gfloat *pixel = output[y] + first;

      r[y] = a[y] + b[y];
      s[y] = a[y] - b[y];
      store_vector (pixel + stride,
          activate_vector (
              multiply_add_vector (two, s[y], q[y]) + bias, slope));
      store_vector (pixel + 2 * stride,
          activate_vector (
              multiply_add_vector (four, r[y], p[y]) + bias, slope));
    }
    transform_column (a, m, position, 0);
    transform_column (b, m, position, 5);
    UNROLL
    for (guint y = 0; y < 4; y++) {
      gfloat *pixel = output[y] + first;

      store_vector (
          pixel, activate_vector ((a[y] + p[y]) + r[y] + bias, slope));
      store_vector (pixel + 3 * stride,
          activate_vector (
              multiply_add_vector (eight, s[y], q[y]) + b[y] + bias, slope));
    }
  }
}

/* @n <= @strip tiles of @n_tiles, from tile @first on. */
static void
convolve_strip (const SrganConvolution *convolution, const gfloat *const *rows,
    gfloat *const *output, gfloat *scratch, guint strip, guint first, guint n,
    guint n_tiles)
{
  const gsize next = 4 * (gsize) (first + n);
  Ahead ahead = {.floats = {4 * (gsize) n * convolution->in_stride,
                     4 * (gsize) n * convolution->out_stride},
      .row = first + n < n_tiles ? 0 : G_N_ELEMENTS (ahead.rows)};
  const gsize tile = get_tile_floats (convolution->in_stride);
  gfloat *m = scratch;
  gfloat *columns = m + strip * get_tile_floats (PRODUCT_VECTORS * LANES);
  gfloat *v = columns + 6 * (4 * COLUMN_TILES + 2) * LANES;
  const gfloat *weight = convolution->weight;
  const guint n_vectors = convolution->out_stride / LANES;

  for (guint y = 0; y < 6; y++)
    ahead.rows[y] = rows[y] + (next + 2) * convolution->in_stride;
  for (guint y = 0; y < 4; y++)
    ahead.rows[6 + y] = output[y] + next * convolution->out_stride;
  for (guint t = 0; t < n; t += COLUMN_TILES)
    transform_inputs (convolution, rows, v + t * tile, columns, 4 * (first + t),
        MIN (n - t, COLUMN_TILES));
  for (guint k = 0; k < n_vectors; k += PRODUCT_VECTORS) {
    const guint vectors = MIN (PRODUCT_VECTORS, n_vectors - k);

    multiply_tiles (convolution, weight, v, m, n, vectors, &ahead);
    for (guint j = 0; j < vectors; j++)
      transform_outputs (convolution, m + j * LANES, output, 4 * first,
          (k + j) * LANES, n, vectors);
    weight += (gsize) 36 * convolution->in_channels * vectors * LANES;
  }
}

static void
convolve_winograd (const SrganConvolution *convolution,
    const gfloat *const *rows, gfloat *const *output, guint n_tiles,
    gfloat *scratch)
{
  const guint strip = get_strip_tiles (convolution->in_stride);
  guint first, n;

  for (first = 0; first < n_tiles; first += n) {
    /* What is left is made to fill blocks, if need be by tiles that have been
     * computed before: that gives the same bits. */
    n = n_tiles - first > strip / 2 ? strip : strip / 2;
    n = MIN (n, n_tiles);
    first = MIN (first, n_tiles - n);
    convolve_strip (
        convolution, rows, output, scratch, strip, first, n, n_tiles);
  }
}

static gboolean
pack_winograd (SrganConvolution *convolution, guint in_channels,
    guint in_stride, guint out_channels, const gfloat *weight,
    const gfloat *bias, const gfloat *slope)
{
  const gsize scratch =
      get_strip_tiles (in_stride) * (get_tile_floats (PRODUCT_VECTORS * LANES) +
                                        get_tile_floats (in_stride)) +
      6 * (4 * COLUMN_TILES + 2) * LANES;

  return srgan_convolution_pack_winograd (convolution, in_channels, in_stride,
      out_channels, get_channel_stride (out_channels), weight, bias, slope,
      LANES, PRODUCT_VECTORS, scratch);
}
