/* engine: one tile: its regions, and the order in which rows are made.
 *
 * The sink asks for its rows from the top; every stage, before it makes a row,
 * has its inputs make theirs up to the last row that it reads. So a row is made
 * just before it is first needed, and may be forgotten as soon as no stage will
 * read it again: srgan_tile_measure() runs the same order without computing and
 * finds how many rows that is.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/plan.h"

#include <string.h>

static void
unite (SrganRegion *a, const SrganRegion *b)
{
  if (a->x0 >= a->x1 || a->y0 >= a->y1) {
    *a = *b;
    return;
  }
  a->x0 = MIN (a->x0, b->x0);
  a->x1 = MAX (a->x1, b->x1);
  a->y0 = MIN (a->y0, b->y0);
  a->y1 = MAX (a->y1, b->y1);
}

static gint
modulo (gint a, gint b)
{
  gint rest = a % b;

  return rest < 0 ? rest + b : rest;
}

/* Widens [first, end) to whole blocks, or to whole groups of the pixels that
 * one input pixel makes. */
static void
align_span (gint *first, gint *end, gint block, gint anchor)
{
  *first -= modulo (*first - anchor, block);
  *end += modulo (anchor - *end, block);
}

void
srgan_tile_place (SrganTile *tile, const SrganRegion *input)
{
  SrganPlan *plan = tile->plan;
  gint scale = (gint) plan->scale;
  gint i;
  guint j;

  tile->input = *input;
  tile->output = (SrganRegion){input->x0 * scale, input->x1 * scale,
      input->y0 * scale, input->y1 * scale};

  for (i = 0; i < (gint) plan->n_stages; i++)
    tile->states[i].region = (SrganRegion){0};
  for (i = (gint) plan->sink; i >= 0; i--) {
    const SrganStage *stage = &plan->stages[i];
    SrganStageState *state = &tile->states[i];

    if ((guint) i == plan->sink) {
      state->region = tile->output;
      /* Chroma that lies on a luma sample is averaged over its neighbours. */
      if (plan->halve_x[0] != 0)
        state->region.x0 = MAX (state->region.x0 - 1, 0);
      if (plan->halve_y[0] != 0)
        state->region.y0 = MAX (state->region.y0 - 1, 0);
    }
    if (state->region.y0 >= state->region.y1)
      continue; /* another stage does its work */
    if (stage->block > 1) {
      align_span (
          &state->region.x0, &state->region.x1, stage->block, stage->anchor);
      align_span (
          &state->region.y0, &state->region.y1, stage->block, stage->anchor);
    } else if ((guint) i != plan->sink && stage->input_factor[0] > 1) {
      align_span (&state->region.x0, &state->region.x1,
          (gint) stage->input_factor[0], 0);
    }
    state->next = state->region.y0;
    for (j = 0; j < stage->n_inputs; j++) {
      SrganRegion needed =
          srgan_stage_get_input_region (plan, stage, j, &state->region);

      unite (&tile->states[stage->inputs[j]].region, &needed);
    }
  }
}

/* Surrounds a row with the zeros that a convolution reads beyond the map.
 * Those left of a row that begins with the map are never written; all others
 * lie elsewhere for each tile. */
static void
end_row (const SrganStage *stage, SrganTile *tile, gint row)
{
  const SrganRegion *region = &tile->states[stage - tile->plan->stages].region;
  const gsize pixel = stage->stride * sizeof (gfloat);
  gint end = MIN (region->x1, stage->width);

  if (region->x0 < 0)
    memset (srgan_tile_get_pixel (tile, stage, row, region->x0), 0,
        (gsize) -region->x0 * pixel);
  memset (srgan_tile_get_pixel (tile, stage, row, end), 0,
      (gsize) (region->x1 - end + (gint) stage->margin) * pixel);
}

static void make_rows (
    SrganTile *tile, guint index, gint end, gboolean measure);

/* The oldest row of stage @index that a stage after it has yet to read. */
static gint
get_oldest_needed (SrganTile *tile, guint index)
{
  SrganPlan *plan = tile->plan;
  gint oldest = G_MAXINT;
  guint i, j;

  for (i = index + 1; i < plan->n_stages; i++) {
    const SrganStage *stage = &plan->stages[i];
    const SrganStageState *state = &tile->states[i];

    if (state->next >= state->region.y1)
      continue;
    for (j = 0; j < stage->n_inputs; j++)
      if (stage->inputs[j] == index) {
        gint first, last;

        srgan_stage_get_input_rows (plan, stage, j, state->next, &first, &last);
        oldest = MIN (oldest, first);
      }
  }
  return oldest;
}

/* What all stages have in common once they have made a block of rows. */
static void
finish_rows (const SrganStage *stage, SrganTile *tile, gint row)
{
  const SrganRegion *region = &tile->states[stage - tile->plan->stages].region;
  gint y;

  for (y = MAX (row, 0); y < MIN (row + stage->block, stage->height); y++) {
    gfloat *pixels = srgan_tile_get_pixel (tile, stage, y, region->x0);

    if (stage->slope)
      tile->plan->kernels->activate_row (
          pixels, pixels, stage->slope, stage->stride, region->x1 - region->x0);
    end_row (stage, tile, y);
  }
}

static void
make_row (SrganTile *tile, guint index, gboolean measure)
{
  SrganStage *stage = &tile->plan->stages[index];
  SrganStageState *state = &tile->states[index];
  gint row = state->next;
  guint i;

  for (i = 0; i < stage->n_inputs; i++) {
    gint first, end;

    srgan_stage_get_input_rows (tile->plan, stage, i, row, &first, &end);
    make_rows (tile, stage->inputs[i], end, measure);
  }
  if (measure) {
    gint live = row + stage->block - MIN (get_oldest_needed (tile, index), row);

    stage->ring_rows = MAX (stage->ring_rows, (guint) live);
  } else if (stage->run) {
    stage->run (stage, tile, row);
    if (index != tile->plan->sink)
      finish_rows (stage, tile, row);
  }
  state->next += stage->block;
}

static void
make_rows (SrganTile *tile, guint index, gint end, gboolean measure)
{
  SrganStageState *state = &tile->states[index];

  end = MIN (end, state->region.y1);
  while (state->next < end)
    make_row (tile, index, measure);
}

void
srgan_tile_run (SrganTile *tile)
{
  guint sink = tile->plan->sink;

  make_rows (tile, sink, tile->states[sink].region.y1, FALSE);
}

void
srgan_tile_measure (SrganTile *tile)
{
  guint sink = tile->plan->sink;

  make_rows (tile, sink, tile->states[sink].region.y1, TRUE);
}
