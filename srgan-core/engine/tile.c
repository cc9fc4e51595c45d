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

void
srgan_tile_place (SrganTile *tile, guint index)
{
  SrganPlan *plan = tile->plan;
  gint column = (gint) (index % plan->n_tiles_x);
  gint line = (gint) (index / plan->n_tiles_x);
  gint scale = (gint) plan->scale;
  gint i;
  guint j;
  SrganRegion *r = &tile->input;

  r->x0 = column * plan->tile_width;
  r->x1 = MIN (r->x0 + plan->tile_width, plan->width);
  r->y0 = line * plan->tile_height;
  r->y1 = MIN (r->y0 + plan->tile_height, plan->height);
  tile->output =
      (SrganRegion){r->x0 * scale, r->x1 * scale, r->y0 * scale, r->y1 * scale};

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
    } else if (stage->input_factor[0] > 1) {
      /* Whole groups of the pixels that one input pixel makes. */
      gint factor = (gint) stage->input_factor[0];

      state->region.x0 -= state->region.x0 % factor;
      state->region.x1 += (factor - state->region.x1 % factor) % factor;
    }
    state->next = state->region.y0;
    if (state->region.y0 >= state->region.y1)
      continue; /* another stage does its work */
    for (j = 0; j < stage->n_inputs; j++) {
      SrganRegion needed =
          srgan_stage_get_input_region (plan, stage, j, &state->region);

      unite (&tile->states[stage->inputs[j]].region, &needed);
    }
  }
}

/* Ends a row with the zeros that a convolution reads beyond the map. The left
 * margin is never written; the right one lies elsewhere for each tile. */
static void
end_row (const SrganStage *stage, SrganTile *tile, gint row)
{
  const SrganRegion *region = &tile->states[stage - tile->plan->stages].region;

  if (stage->margin)
    memset (srgan_tile_get_pixel (tile, stage, row, region->x1), 0,
        stage->margin * stage->stride * sizeof (gfloat));
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
    gint live = row - MIN (get_oldest_needed (tile, index), row) + 1;

    stage->ring_rows = MAX (stage->ring_rows, (guint) live);
  } else if (stage->run) {
    stage->run (stage, tile, row);
    if (index != tile->plan->sink) {
      if (stage->slope) {
        gfloat *pixels =
            srgan_tile_get_pixel (tile, stage, row, state->region.x0);

        tile->plan->kernels->activate_row (pixels, pixels, stage->slope,
            stage->stride, state->region.x1 - state->region.x0);
      }
      end_row (stage, tile, row);
    }
  }
  state->next++;
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
