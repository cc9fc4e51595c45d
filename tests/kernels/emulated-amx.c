/* tests: the int8 set for AMX with tiles made in software, for machines that
 * have none. A wrong use of a tile ends the program, as it would there.
 *
 * SPDX-License-Identifier: MIT
 */
#include <immintrin.h>
#include <stdlib.h>
#include <string.h>

#include "emulated-amx.h"

typedef struct {
  guint8 palette, start_row, reserved[14];
  guint16 row_bytes[16];
  guint8 rows[16];
} Configuration;

static Configuration loaded;
static guint8 tiles[8][16][64];

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
  memset (tiles, 0, sizeof tiles);
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
  memset (tiles[tile], 0, sizeof tiles[tile]);
}

static void
load (guint tile, const void *memory, gsize stride)
{
  guint row;

  set_zero (tile);
  for (row = 0; row < loaded.rows[tile]; row++)
    memcpy (tiles[tile][row], (const guint8 *) memory + row * stride,
        loaded.row_bytes[tile]);
}

static void
store (guint tile, void *memory, gsize stride)
{
  guint row;

  check_tile (tile);
  for (row = 0; row < loaded.rows[tile]; row++)
    memcpy ((guint8 *) memory + row * stride, tiles[tile][row],
        loaded.row_bytes[tile]);
}

/* Unsigned bytes of @a by signed ones of @b. */
static void
multiply (guint sum, guint a, guint b)
{
  guint row, group, column, i;

  check_tile (sum);
  check_tile (a);
  check_tile (b);
  if (loaded.rows[sum] != loaded.rows[a] ||
      loaded.row_bytes[sum] != loaded.row_bytes[b] ||
      loaded.row_bytes[a] != loaded.rows[b] * 4)
    abort ();
  for (row = 0; row < loaded.rows[sum]; row++)
    for (group = 0; group < loaded.rows[b]; group++) {
      guint32 *sums = (guint32 *) tiles[sum][row];

      for (column = 0; column < loaded.row_bytes[sum] / 4u; column++)
        for (i = 0; i < 4; i++)
          sums[column] += (guint32) (tiles[a][row][group * 4 + i] *
                                     (gint8) tiles[b][group][column * 4 + i]);
    }
}

#undef _tile_loadconfig
#undef _tile_release
#undef _tile_zero
#undef _tile_loadd
#undef _tile_stored
#undef _tile_dpbusd
#define _tile_loadconfig(memory) load_configuration (memory)
#define _tile_release() release ()
#define _tile_zero(tile) set_zero (tile)
#define _tile_loadd(tile, memory, stride) load (tile, memory, stride)
#define _tile_stored(tile, memory, stride) store (tile, memory, stride)
#define _tile_dpbusd(sum, a, b) multiply (sum, a, b)

#define SET kernels_check_emulated_amx
#define SET_NAME "amx-emulated"
#include "kernels/int8-amx.c"
