/* A second opinion on the engine: the same network, whole maps, doubles, no
 * cleverness.
 *
 * SPDX-License-Identifier: MIT
 */
#pragma once

#include <srgan/srgan.h>

#include "frames.h"

G_BEGIN_DECLS

/* A planar map: [channel][y][x]. */
typedef struct {
  guint channels;
  gint width;
  gint height;
  gdouble *values;
} Map;

Map *map_new (guint channels, gint width, gint height);
/* All samples of a frame whose components are of one size. */
Map *map_new_from_frame (const TestFrame *frame);
void map_free (Map *map);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Map, map_free)

gdouble *map_at (Map *map, guint channel, gint x, gint y);

/* Runs @network, of any operations, on @input. */
Map *reference_run (SrganNetwork *network, Map *input);

/* The same in int8, all but the rounding of floats on the way: maps that have
 * steps hold multiples of them, weights of what reads these are codes. */
Map *reference_run_int8 (SrganNetwork *network, Map *input);

/* Keys' cubic (a = -0.5), written anew. */
gdouble reference_cubic (gdouble x);

/* The plane at position (x, y), edges repeated, by cubic interpolation. */
gdouble reference_sample (Map *map, guint channel, gdouble x, gdouble y);

G_END_DECLS
