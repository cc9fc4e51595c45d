/* kernels: convolution by AMX's tiles, a part of int8-vector.h.
 *
 * A tile of inputs holds 16 pixels; of each a chunk, up to 64 neighbouring
 * bytes of the kernel row that begins there, so that the tiles of two columns
 * of the kernel overlap in memory and nothing is rearranged. A tile of weights
 * holds that chunk's for 16 outputs. Four tiles of sums are made at a time: of
 * 2 x 16 pixels and 2 x 16 outputs, or of 4 x 16 pixels.
 *
 * Sums go through memory. They are scaled and stored while the tiles of the
 * next block are at work, which have their own unit.
 *
 * SPDX-License-Identifier: MIT
 */

#define TILE_ROWS 16
#define TILE_SUMS (TILE_ROWS * LANES)

/* LDTILECFG's operand (Intel, Software Developer's Manual, volume 2A). */
typedef struct {
  guint8 palette;
  guint8 start_row;
  guint8 reserved[14];
  guint16 row_bytes[16];
  guint8 rows[16];
} TileConfiguration;

/* Tiles 0 to 3 are sums, 4 and 5 inputs, 6 and 7 weights. */
INLINE void
configure_tiles (guint n_pixels, guint n_groups)
{
  TileConfiguration configuration = {.palette = 1};
  guint i;

  for (i = 0; i < 8; i++) {
    configuration.rows[i] = (guint8) (i < 6 ? n_pixels : n_groups);
    configuration.row_bytes[i] =
        (guint16) (i == 4 || i == 5 ? 4 * n_groups : 4 * LANES);
  }
  /* GCC 12 takes it that the intrinsic reads 8 bytes only. */
  __asm__ volatile("" : : "r"(&configuration) : "memory");
  _tile_loadconfig (&configuration);
}

/* Sums of @n_tiles tiles of pixels, which begin at x[], and @n_vectors vectors
 * of outputs from @v on. */
typedef struct {
  guint v, n_vectors;
  guint n_tiles;
  guint x[4];
  gint32 sum[4][TILE_SUMS] __attribute__ ((aligned (64)));
} TileBlock;

/* Makes the sums of @block up to storing them; @n_tiles and @n_vectors, equal
 * to those of @block, are constants to the compiler. */
INLINE void
add_up_tiles (const SrganInt8Convolution *convolution,
    const guint8 *const *rows, const TileBlock *block, guint n_tiles,
    guint n_vectors)
{
  const gsize in_stride = convolution->in_stride;
  const SrganInt8Chunks chunks = srgan_int8_get_chunks (convolution);
  const gsize chunk_size = (gsize) chunks.n_groups * LANES * 4;
  const gsize vector_size =
      convolution->kernel_height * chunks.n_chunks * chunk_size;
  const guint8 *weight =
      (const guint8 *) convolution->weight + block->v * vector_size;
  const gint32 *bias = convolution->bias + block->v * LANES;

  /* the bias in every row */
  _tile_loadd (0, bias, 0);
  if (n_vectors == 2) {
    _tile_loadd (1, bias + LANES, 0);
    if (n_tiles == 2) {
      _tile_loadd (2, bias, 0);
      _tile_loadd (3, bias + LANES, 0);
    }
  } else if (n_tiles == 4) {
    _tile_loadd (1, bias, 0);
    _tile_loadd (2, bias, 0);
    _tile_loadd (3, bias, 0);
  }
  for (guint ky = 0; ky < convolution->kernel_height; ky++)
    for (guint chunk = 0; chunk < chunks.n_chunks; chunk++) {
      const guint8 *input =
          rows[ky] + srgan_int8_get_chunk_start (&chunks, chunk) * 4;

      _tile_loadd (6, weight, LANES * 4);
      _tile_loadd (4, input + block->x[0] * in_stride, in_stride);
      _tile_dpbusd (0, 4, 6);
      if (n_vectors == 2) {
        _tile_loadd (7, weight + vector_size, LANES * 4);
        _tile_dpbusd (1, 4, 7);
        if (n_tiles == 2) {
          _tile_loadd (5, input + block->x[1] * in_stride, in_stride);
          _tile_dpbusd (2, 5, 6);
          _tile_dpbusd (3, 5, 7);
        }
      } else if (n_tiles == 4) {
        _tile_loadd (5, input + block->x[1] * in_stride, in_stride);
        _tile_dpbusd (1, 5, 6);
        _tile_loadd (4, input + block->x[2] * in_stride, in_stride);
        _tile_dpbusd (2, 4, 6);
        _tile_loadd (5, input + block->x[3] * in_stride, in_stride);
        _tile_dpbusd (3, 5, 6);
      }
      weight += chunk_size;
    }
}

INLINE void
store_tiles (TileBlock *block)
{
  guint n = block->n_tiles * block->n_vectors;

  _tile_stored (0, block->sum[0], LANES * 4);
  if (n > 1)
    _tile_stored (1, block->sum[1], LANES * 4);
  if (n > 2) {
    _tile_stored (2, block->sum[2], LANES * 4);
    _tile_stored (3, block->sum[3], LANES * 4);
  }
}

INLINE void
scale_tiles (const SrganInt8Convolution *convolution, void *output,
    const TileBlock *block, guint n_pixels, gboolean is_linear)
{
  for (guint tile = 0; tile < block->n_tiles; tile++)
    for (guint i = 0; i < block->n_vectors; i++) {
      const gint32 *sums = block->sum[tile * block->n_vectors + i];
      const guint v = block->v + i, x = block->x[tile];
      guint p = 0;

      for (; p + 4 <= n_pixels; p += 4) {
        IntVector sum[4];

        UNROLL
        for (guint j = 0; j < 4; j++)
          sum[j] = load_integers (sums + (p + j) * LANES);
        store_sums (convolution, output, sum, v, x + p, 4, is_linear);
      }
      for (; p < n_pixels; p++) {
        IntVector sum = load_integers (sums + p * LANES);

        store_sums (convolution, output, &sum, v, x + p, 1, is_linear);
      }
    }
}

NOINLINE void
scale_block (const SrganInt8Convolution *convolution, void *output,
    const TileBlock *block, guint n_pixels)
{
  if (convolution->variant & SRGAN_INT8_LINEAR)
    scale_tiles (convolution, output, block, n_pixels, TRUE);
  else
    scale_tiles (convolution, output, block, n_pixels, FALSE);
}

/* The configuration is the thread's: made for a row and given up after it, so
 * that the caller's threads do not carry it. */
static void
convolve_tiles (const SrganInt8Convolution *convolution,
    const guint8 *const *rows, void *output, guint width)
{
  const guint n_pixels = MIN (width, TILE_ROWS);
  const guint n_tiles = (width + n_pixels - 1) / n_pixels;
  const guint n_vectors = (convolution->out_stride + LANES - 1) / LANES;
  TileBlock blocks[2], *block = &blocks[0], *last = NULL;
  guint v, tile, i;

  configure_tiles (n_pixels, srgan_int8_get_chunks (convolution).n_groups);
  for (v = 0; v < n_vectors; v += block->n_vectors)
    for (tile = 0; tile < n_tiles; tile += last->n_tiles) {
      block->v = v;
      block->n_vectors = MIN (2, n_vectors - v);
      block->n_tiles = block->n_vectors == 2 ? 2 : 4;
      if (n_tiles - tile < block->n_tiles)
        block->n_tiles = 1;
      /* The last tile may compute pixels again, to the same bits. */
      for (i = 0; i < block->n_tiles; i++)
        block->x[i] = MIN ((tile + i) * TILE_ROWS, width - n_pixels);

      if (block->n_vectors == 2 && block->n_tiles == 2)
        add_up_tiles (convolution, rows, block, 2, 2);
      else if (block->n_vectors == 2)
        add_up_tiles (convolution, rows, block, 1, 2);
      else if (block->n_tiles == 4)
        add_up_tiles (convolution, rows, block, 4, 1);
      else
        add_up_tiles (convolution, rows, block, 1, 1);
      if (last)
        scale_block (convolution, output, last, n_pixels);
      store_tiles (block);
      last = block;
      block = block == &blocks[0] ? &blocks[1] : &blocks[0];
      block->n_vectors = last->n_vectors;
    }
  _tile_release ();
  if (last)
    scale_block (convolution, output, last, n_pixels);
}

/* Whether tiles serve @layer better than vectors: kernel rows that fill half a
 * chunk. */
static gboolean
suits_tiles (const SrganInt8Layer *layer)
{
  return layer->input_type == SRGAN_MAP_BYTES &&
         layer->kernel_width * layer->in_stride >= 32;
}

static gdouble
multiply_add (guint64 n)
{
  static gint8 codes[TILE_SUMS * 4] __attribute__ ((aligned (64)));
  guint64 round;

  configure_tiles (TILE_ROWS, 16);
  _tile_zero (0);
  _tile_zero (1);
  _tile_zero (2);
  _tile_zero (3);
  _tile_loadd (4, codes, 64);
  _tile_loadd (5, codes, 64);
  _tile_loadd (6, codes, 64);
  _tile_loadd (7, codes, 64);
  for (round = 0; round < n; round++) {
    _tile_dpbusd (0, 4, 6);
    _tile_dpbusd (1, 4, 7);
    _tile_dpbusd (2, 5, 6);
    _tile_dpbusd (3, 5, 7);
  }
  _tile_release ();
  return 2. * 4 * TILE_SUMS * 64 * n;
}
