/* tests: AMX's tiles made in software, for machines that have none: what a file
 * of a set sees instead of the intrinsics when it is included after this. A
 * wrong use of a tile ends the program, as it would there.
 *
 * SPDX-License-Identifier: MIT
 */
#pragma once

#include <glib.h>
#include <immintrin.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
  guint8 palette, start_row, reserved[14];
  guint16 row_bytes[16];
  guint8 rows[16];
} Configuration;

static Configuration loaded;
static guint8 emulated[8][16][64] __attribute__ ((aligned (64)));

static void
load_configuration (const void *memory)
{
  guint i;

  memcpy (&loaded, memory, sizeof loaded);
  if (loaded.palette != 1 || loaded.start_row != 0)
    abort ();
  for (i = 0; i < 16; i++)
    if (loaded.rows[i] > 16 || loaded.row_bytes[i] > 64 ||
        (i >= 8 && (loaded.rows[i] || loaded.row_bytes[i])))
      abort ();
  memset (emulated, 0, sizeof emulated);
}

static void
check_tile (guint tile)
{
  if (loaded.palette != 1 || loaded.rows[tile] == 0 ||
      loaded.row_bytes[tile] == 0)
    abort ();
}

static void
release (void)
{
  memset (&loaded, 0, sizeof loaded);
}

static void
set_zero (guint tile)
{
  check_tile (tile);
  memset (emulated[tile], 0, sizeof emulated[tile]);
}

static void
load (guint tile, const void *memory, gsize stride)
{
  guint row;

  set_zero (tile);
  for (row = 0; row < loaded.rows[tile]; row++)
    memcpy (emulated[tile][row], (const guint8 *) memory + row * stride,
        loaded.row_bytes[tile]);
}

static void
store (guint tile, void *memory, gsize stride)
{
  guint row;

  check_tile (tile);
  for (row = 0; row < loaded.rows[tile]; row++)
    memcpy ((guint8 *) memory + row * stride, emulated[tile][row],
        loaded.row_bytes[tile]);
}

/* Whether @a by @b fits @sum: groups of 4 bytes. */
static void
check_product (guint sum, guint a, guint b)
{
  check_tile (sum);
  check_tile (a);
  check_tile (b);
  if (loaded.rows[sum] != loaded.rows[a] ||
      loaded.row_bytes[sum] != loaded.row_bytes[b] ||
      loaded.row_bytes[a] != loaded.rows[b] * 4)
    abort ();
}

/* Unsigned bytes of @a by signed ones of @b. */
static inline void
multiply_bytes (guint sum, guint a, guint b)
{
  guint row, group, column, i;

  check_product (sum, a, b);
  for (row = 0; row < loaded.rows[sum]; row++)
    for (group = 0; group < loaded.rows[b]; group++) {
      guint32 *sums = (guint32 *) emulated[sum][row];

      for (column = 0; column < loaded.row_bytes[sum] / 4u; column++)
        for (i = 0; i < 4; i++)
          sums[column] +=
              (guint32) (emulated[a][row][group * 4 + i] *
                         (gint8) emulated[b][group][column * 4 + i]);
    }
}

/* Numbers of bfloat16, in single precision: first and second ones of the groups
 * are added up apart. */
static inline void
multiply_bf16 (guint sum, guint a, guint b)
{
  guint row, group, column, i;

  check_product (sum, a, b);
  for (row = 0; row < loaded.rows[sum]; row++)
    for (column = 0; column < loaded.row_bytes[sum] / 4u; column++) {
      gfloat *total = (gfloat *) emulated[sum][row] + column;
      gfloat part[2] = {0};

      for (group = 0; group < loaded.rows[b]; group++)
        for (i = 0; i < 2; i++) {
          guint32 bits[2];
          gfloat factor[2];

          bits[0] = (guint32) ((guint16 *) emulated[a][row])[group * 2 + i]
                    << 16;
          bits[1] = (guint32) ((guint16 *) emulated[b][group])[column * 2 + i]
                    << 16;
          memcpy (factor, bits, sizeof factor);
          part[i] = fmaf (factor[0], factor[1], part[i]);
        }
      *total += part[0] + part[1];
    }
}

#undef _tile_loadconfig
#undef _tile_release
#undef _tile_zero
#undef _tile_loadd
#undef _tile_stored
#undef _tile_dpbusd
#undef _tile_dpbf16ps
#define _tile_loadconfig(memory) load_configuration (memory)
#define _tile_release() release ()
#define _tile_zero(tile) set_zero (tile)
#define _tile_loadd(tile, memory, stride) load (tile, memory, stride)
#define _tile_stored(tile, memory, stride) store (tile, memory, stride)
#define _tile_dpbusd(sum, a, b) multiply_bytes (sum, a, b)
#define _tile_dpbf16ps(sum, a, b) multiply_bf16 (sum, a, b)
