/* kernels: convolution by AMX's tiles (see chunks.h), for sets that define what
 * multiplies, multiply_tiles (sum, a, b), and what becomes of the sums,
 * store_block(). Sums are 4 bytes.
 *
 * Four tiles of sums are made at a time: of 2 x 16 pixels and 2 x 16 outputs,
 * or of 4 x 16 pixels. They go through memory and are stored while the tiles of
 * the next block are at work, which have their own unit.
 *
 * SPDX-License-Identifier: MIT
 */
#include "kernels/chunks.h"

#define TILE_ROWS 16
#define TILE_LANES 16 /* sums in a row of a tile */
#define TILE_SUMS (TILE_ROWS * TILE_LANES)
#define TILE_INLINE static inline __attribute__ ((always_inline))

/* A convolution as tiles see it, in bytes. */
typedef struct {
  SrganChunks chunks;
  gsize in_stride; /* from one input pixel to the next */
  guint kernel_height;
  guint n_vectors; /* of 16 outputs */
  /* [n_vectors][kernel_height][n_chunks][n_groups][TILE_LANES][4] */
  const guint8 *weight;
  gconstpointer bias; /* [n_vectors][TILE_LANES], of the sums' type */
} TileConvolution;

/* Sums of @n_tiles tiles of pixels, which begin at x[], and @n_vectors vectors
 * of outputs from @v on. */
typedef struct {
  guint v, n_vectors;
  guint n_tiles;
  guint n_pixels; /* of each tile */
  guint x[4];
  gint32 sum[4][TILE_SUMS] __attribute__ ((aligned (64)));
} TileBlock;

/* Of @block's sums makes those of the row @output; @convolution is what
 * convolve_tiles() was given. */
static void store_block (
    gconstpointer convolution, void *output, const TileBlock *block);

/* LDTILECFG's operand (Intel, Software Developer's Manual, volume 2A). */
typedef struct {
  guint8 palette;
  guint8 start_row;
  guint8 reserved[14];
  guint16 row_bytes[16];
  guint8 rows[16];
} TileConfiguration;

/* Tiles 0 to 3 are sums, 4 and 5 inputs, 6 and 7 weights. */
TILE_INLINE void
configure_tiles (guint n_pixels, guint n_groups)
{
  TileConfiguration configuration = {.palette = 1};
  guint i;

  for (i = 0; i < 8; i++) {
    configuration.rows[i] = (guint8) (i < 6 ? n_pixels : n_groups);
    configuration.row_bytes[i] =
        (guint16) (i == 4 || i == 5 ? 4 * n_groups : 4 * TILE_LANES);
  }
  /* GCC 12 takes it that the intrinsic reads 8 bytes only. */
  __asm__ volatile("" : : "r"(&configuration) : "memory");
  _tile_loadconfig (&configuration);
}

/* Makes the sums of @block up to storing them; @n_tiles and @n_vectors, equal
 * to those of @block, are constants to the compiler. */
TILE_INLINE void
add_up_tiles (const TileConvolution *tiles, const void *const *rows,
    const TileBlock *block, guint n_tiles, guint n_vectors)
{
  const SrganChunks *chunks = &tiles->chunks;
  const gsize in_stride = tiles->in_stride;
  const gsize chunk_size = (gsize) chunks->n_groups * TILE_LANES * 4;
  const gsize vector_size =
      tiles->kernel_height * chunks->n_chunks * chunk_size;
  const guint8 *weight = tiles->weight + block->v * vector_size;
  const guint8 *bias =
      (const guint8 *) tiles->bias + (gsize) block->v * TILE_LANES * 4;
  const guint8 *next_bias = bias + TILE_LANES * 4;

  /* the bias in every row */
  _tile_loadd (0, bias, 0);
  if (n_vectors == 2) {
    _tile_loadd (1, next_bias, 0);
    if (n_tiles == 2) {
      _tile_loadd (2, bias, 0);
      _tile_loadd (3, next_bias, 0);
    }
  } else if (n_tiles == 4) {
    _tile_loadd (1, bias, 0);
    _tile_loadd (2, bias, 0);
    _tile_loadd (3, bias, 0);
  }
  for (guint ky = 0; ky < tiles->kernel_height; ky++)
    for (guint chunk = 0; chunk < chunks->n_chunks; chunk++) {
      const guint8 *input = (const guint8 *) rows[ky] +
                            (gsize) srgan_chunks_get_start (chunks, chunk) * 4;

      _tile_loadd (6, weight, TILE_LANES * 4);
      _tile_loadd (4, input + block->x[0] * in_stride, in_stride);
      multiply_tiles (0, 4, 6);
      if (n_vectors == 2) {
        _tile_loadd (7, weight + vector_size, TILE_LANES * 4);
        multiply_tiles (1, 4, 7);
        if (n_tiles == 2) {
          _tile_loadd (5, input + block->x[1] * in_stride, in_stride);
          multiply_tiles (2, 5, 6);
          multiply_tiles (3, 5, 7);
        }
      } else if (n_tiles == 4) {
        _tile_loadd (5, input + block->x[1] * in_stride, in_stride);
        multiply_tiles (1, 5, 6);
        _tile_loadd (4, input + block->x[2] * in_stride, in_stride);
        multiply_tiles (2, 4, 6);
        _tile_loadd (5, input + block->x[3] * in_stride, in_stride);
        multiply_tiles (3, 5, 6);
      }
      weight += chunk_size;
    }
}

TILE_INLINE void
keep_sums (TileBlock *block)
{
  guint n = block->n_tiles * block->n_vectors;

  _tile_stored (0, block->sum[0], TILE_LANES * 4);
  if (n > 1)
    _tile_stored (1, block->sum[1], TILE_LANES * 4);
  if (n > 2) {
    _tile_stored (2, block->sum[2], TILE_LANES * 4);
    _tile_stored (3, block->sum[3], TILE_LANES * 4);
  }
}

/* A row of @width pixels. The configuration is the thread's: made for a row and
 * given up after it, so that the caller's threads do not carry it. */
static void
convolve_tiles (const TileConvolution *tiles, const void *const *rows,
    guint width, gconstpointer convolution, void *output)
{
  const guint n_pixels = MIN (width, TILE_ROWS);
  const guint n_tiles = (width + n_pixels - 1) / n_pixels;
  TileBlock blocks[2], *block = &blocks[0], *last = NULL;
  guint v, tile, i;

  configure_tiles (n_pixels, tiles->chunks.n_groups);
  for (v = 0; v < tiles->n_vectors; v += last->n_vectors)
    for (tile = 0; tile < n_tiles; tile += last->n_tiles) {
      block->v = v;
      block->n_vectors = MIN (2, tiles->n_vectors - v);
      block->n_tiles = block->n_vectors == 2 ? 2 : 4;
      block->n_pixels = n_pixels;
      if (n_tiles - tile < block->n_tiles)
        block->n_tiles = 1;
      /* The last tile may compute pixels again, to the same bits. */
      for (i = 0; i < block->n_tiles; i++)
        block->x[i] = MIN ((tile + i) * TILE_ROWS, width - n_pixels);

      if (block->n_vectors == 2 && block->n_tiles == 2)
        add_up_tiles (tiles, rows, block, 2, 2);
      else if (block->n_vectors == 2)
        add_up_tiles (tiles, rows, block, 1, 2);
      else if (block->n_tiles == 4)
        add_up_tiles (tiles, rows, block, 4, 1);
      else
        add_up_tiles (tiles, rows, block, 1, 1);
      if (last)
        store_block (convolution, output, last);
      keep_sums (block);
      last = block;
      block = block == &blocks[0] ? &blocks[1] : &blocks[0];
    }
  _tile_release ();
  if (last)
    store_block (convolution, output, last);
}

/* Keeps the unit busy: a set's multiply_add(), of @n_operations a group and
 * sum. */
static gdouble
multiply_tiles_for_long (guint64 n, guint n_operations)
{
  static const guint8 zeros[TILE_SUMS * 4] __attribute__ ((aligned (64)));
  guint64 round;

  configure_tiles (TILE_ROWS, 16);
  _tile_zero (0);
  _tile_zero (1);
  _tile_zero (2);
  _tile_zero (3);
  _tile_loadd (4, zeros, 64);
  _tile_loadd (5, zeros, 64);
  _tile_loadd (6, zeros, 64);
  _tile_loadd (7, zeros, 64);
  for (round = 0; round < n; round++) {
    multiply_tiles (0, 4, 6);
    multiply_tiles (1, 4, 7);
    multiply_tiles (2, 5, 6);
    multiply_tiles (3, 5, 7);
  }
  _tile_release ();
  return (gdouble) n_operations * 4 * TILE_SUMS * 16 * n;
}
