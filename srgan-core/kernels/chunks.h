/* kernels: how a kernel row is cut for AMX's tiles, whatever their type.
 *
 * A tile of inputs holds, of each of 16 pixels, one chunk: up to 64
 * neighbouring bytes of the kernel row that begins there, so that the tiles of
 * two columns of the kernel overlap in memory and nothing is rearranged. A tile
 * of weights holds that chunk's for 16 outputs. Bytes come in groups of 4,
 * which one multiply-add takes: 4 codes of int8 or 2 numbers of bfloat16.
 *
 * SPDX-License-Identifier: MIT
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* All chunks are as long; the last one begins earlier where they do not come
 * out even, and has weights of zero for what it has in common with the one
 * before. */
typedef struct {
  guint n_chunks;
  guint n_groups; /* of a chunk, <= 16 */
  guint n;        /* of the row */
} SrganChunks;

/* Of a kernel row of @n groups. */
static inline SrganChunks
srgan_chunks_cut (guint n)
{
  SrganChunks chunks = {.n = n};

  chunks.n_chunks = (n + 15) / 16;
  chunks.n_groups = (n + chunks.n_chunks - 1) / chunks.n_chunks;
  return chunks;
}

/* The first group of a chunk. */
static inline guint
srgan_chunks_get_start (const SrganChunks *chunks, guint chunk)
{
  return MIN (chunk * chunks->n_groups, chunks->n - chunks->n_groups);
}

/* Where among the groups of all chunks that of the row's group @group is whose
 * weight counts. */
static inline guint
srgan_chunks_get_place (const SrganChunks *chunks, guint group)
{
  guint chunk = MIN (group / chunks->n_groups, chunks->n_chunks - 1);

  return chunk * chunks->n_groups + group -
         srgan_chunks_get_start (chunks, chunk);
}

G_END_DECLS
