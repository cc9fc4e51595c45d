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

/* Tiles in one matrix product: as many sums as registers hold beside a weight
 * and an input, and few enough for all 36 products to stay in the first-level
 * cache with 16 channels. */
#define TILES 8

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

/* Inputs of @n tiles to @v[position][tile][channel]. @strip holds the columns,
 * transformed downwards once for both tiles that share them. */
INLINE void
transform_inputs (const SrganConvolution *convolution,
    const gfloat *const *rows, gfloat *v, gfloat *strip, guint x, guint n)
{
  const gsize stride = convolution->in_stride;
  const guint columns = 4 * n + 2;

  for (guint c = 0; c < stride; c += LANES) {
    for (guint i = 0; i < columns; i++) {
      Vector d[6];

      UNROLL
      for (guint y = 0; y < 6; y++)
        d[y] = load_vector (rows[y] + (x + i) * stride + c);
      transform_input (d);
      UNROLL
      for (guint y = 0; y < 6; y++)
        store_vector (strip + (y * columns + i) * LANES, d[y]);
    }
    for (guint y = 0; y < 6; y++)
      for (guint t = 0; t < n; t++) {
        Vector d[6];

        UNROLL
        for (guint i = 0; i < 6; i++)
          d[i] = load_vector (strip + (y * columns + 4 * t + i) * LANES);
        transform_input (d);
        UNROLL
        for (guint i = 0; i < 6; i++)
          store_vector (v + ((y * 6 + i) * n + t) * stride + c, d[i]);
      }
  }
}

/* Products of @n tiles for one vector of output channels, to
 * @m[position][tile]. */
INLINE void
multiply_tiles (const SrganConvolution *convolution, const gfloat *weight,
    const gfloat *v, gfloat *m, guint n)
{
  const gsize stride = convolution->in_stride;

  for (guint position = 0; position < 36; position++, v += n * stride) {
    Vector sum[TILES];

    UNROLL
    for (guint t = 0; t < n; t++)
      sum[t] = (Vector){0};
    for (guint i = 0; i < convolution->in_channels; i++, weight += LANES) {
      Vector w = load_vector (weight);

      UNROLL
      for (guint t = 0; t < n; t++)
        sum[t] =
            multiply_add_vector (fill_vector (v[t * stride + i]), w, sum[t]);
    }
    UNROLL
    for (guint t = 0; t < n; t++, m += LANES)
      store_vector (m, sum[t]);
  }
}

/* Products of @n tiles to pixels, from channel @o on. */
INLINE void
transform_outputs (const SrganConvolution *convolution, const gfloat *m,
    gfloat *const *output, guint x, guint o, guint n)
{
  const gsize stride = convolution->out_stride;
  const Vector bias = load_vector (convolution->bias + o);
  const Vector slope = load_vector (convolution->slope + o);

  for (guint t = 0; t < n; t++) {
    Vector square[4][6];

    UNROLL
    for (guint i = 0; i < 6; i++) {
      Vector d[6];

      UNROLL
      for (guint y = 0; y < 6; y++)
        d[y] = load_vector (m + ((y * 6 + i) * n + t) * LANES);
      transform_output (d);
      UNROLL
      for (guint y = 0; y < 4; y++)
        square[y][i] = d[y];
    }
    UNROLL
    for (guint y = 0; y < 4; y++) {
      gfloat *pixel = output[y] + (x + 4 * t) * stride + o;

      transform_output (square[y]);
      UNROLL
      for (guint i = 0; i < 4; i++)
        store_vector (
            pixel + i * stride, activate_vector (square[y][i] + bias, slope));
    }
  }
}

/* @n tiles, a constant to the compiler, from tile @first on. */
INLINE void
convolve_tiles (const SrganConvolution *convolution, const gfloat *const *rows,
    gfloat *const *output, gfloat *scratch, guint first, guint n)
{
  const gsize n_weight = (gsize) 36 * convolution->in_channels * LANES;
  gfloat *m = scratch;
  gfloat *strip = m + 36 * TILES * LANES;
  gfloat *v = strip + 6 * (4 * TILES + 2) * LANES;
  const gfloat *weight = convolution->weight;

  transform_inputs (convolution, rows, v, strip, 4 * first, n);
  for (guint o = 0; o < convolution->out_stride; o += LANES) {
    multiply_tiles (convolution, weight, v, m, n);
    transform_outputs (convolution, m, output, 4 * first, o, n);
    weight += n_weight;
  }
}

/* Each number of tiles a function of its own: see convolve_vector(). */
#define CONVOLVE_TILES(n)                                                  \
  NOINLINE void convolve_##n##_tiles (const SrganConvolution *convolution, \
      const gfloat *const *rows, gfloat *const *output, gfloat *scratch,   \
      guint first)                                                         \
  {                                                                        \
    convolve_tiles (convolution, rows, output, scratch, first, n);         \
  }

CONVOLVE_TILES (8)
CONVOLVE_TILES (4)
CONVOLVE_TILES (2)
CONVOLVE_TILES (1)

static void
convolve_winograd (const SrganConvolution *convolution,
    const gfloat *const *rows, gfloat *const *output, guint n_tiles,
    gfloat *scratch)
{
  guint done = 0;

  for (; done + TILES <= n_tiles; done += TILES)
    convolve_8_tiles (convolution, rows, output, scratch, done);
  /* What is left, the last tiles once more if there are enough: computing a
   * tile again gives the same bits. */
  if (done < n_tiles && n_tiles >= TILES) {
    convolve_8_tiles (convolution, rows, output, scratch, n_tiles - TILES);
    return;
  }
  if (n_tiles - done >= 4) {
    convolve_4_tiles (convolution, rows, output, scratch, done);
    done += 4;
  }
  if (n_tiles - done >= 2) {
    convolve_2_tiles (convolution, rows, output, scratch, done);
    done += 2;
  }
  if (n_tiles - done >= 1)
    convolve_1_tiles (convolution, rows, output, scratch, done);
}

static gboolean
pack_winograd (SrganConvolution *convolution, guint in_channels,
    guint in_stride, guint out_channels, const gfloat *weight,
    const gfloat *bias, const gfloat *slope)
{
  return srgan_convolution_pack_winograd (convolution, in_channels, in_stride,
      out_channels, get_channel_stride (out_channels), weight, bias, slope,
      LANES,
      36 * TILES * LANES + 6 * (4 * TILES + 2) * LANES +
          (gsize) 36 * TILES * in_stride);
}
