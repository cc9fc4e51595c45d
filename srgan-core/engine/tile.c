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

static gboolean
is_empty (const SrganRegion *region)
{
  return region->x0 >= region->x1 || region->y0 >= region->y1;
}

static void
unite (SrganRegion *a, const SrganRegion *b)
{
  if (is_empty (a)) {
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
  gint i;
  guint j;

  tile->input = *input;
  tile->output = srgan_stage_get_own (&plan->stages[plan->sink], tile);

  for (i = 0; i < (gint) plan->n_stages; i++) {
    SrganStageState *state = &tile->states[i];

    state->region = state->own = (SrganRegion){0};
    state->next = 0;
    if ((guint) i != plan->sink &&
        srgan_stage_is_target (&plan->stages[i], tile)) {
      state->own = srgan_stage_get_own (&plan->stages[i], tile);
      if (is_empty (&state->own))
        state->own = (SrganRegion){0};
      state->region = state->own;
    }
  }
  for (i = (gint) plan->sink; i >= 0; i--) {
    const SrganStage *stage = &plan->stages[i];
    SrganStageState *state = &tile->states[i];

    if ((guint) i == plan->sink && srgan_stage_is_target (stage, tile) &&
        !is_empty (&tile->output)) {
      state->region = tile->output;
      /* Chroma that lies on a luma sample is averaged over its neighbours. */
      if (plan->halve_x[0] != 0)
        state->region.x0 = MAX (state->region.x0 - 1, 0);
      if (plan->halve_y[0] != 0)
        state->region.y0 = MAX (state->region.y0 - 1, 0);
    }
    if (state->region.y0 >= state->region.y1)
      continue; /* another stage or pass does its work */
    if (stage->block > 1) {
      align_span (
          &state->region.x0, &state->region.x1, stage->block, stage->anchor_x);
      align_span (
          &state->region.y0, &state->region.y1, stage->block, stage->anchor_y);
    } else if (i == SRGAN_STAGE_SOURCE) {
      /* At least one pixel of the frame, which those around it repeat. */
      state->region.x0 =
          MIN (state->region.x0, plan->frame_x + plan->width - 1);
      state->region.x1 = MAX (state->region.x1, plan->frame_x + 1);
      state->region.y0 =
          MIN (state->region.y0, plan->frame_y + plan->height - 1);
      state->region.y1 = MAX (state->region.y1, plan->frame_y + 1);
    } else if ((guint) i != plan->sink && stage->input_factor[0] > 1) {
      align_span (&state->region.x0, &state->region.x1,
          (gint) stage->input_factor[0], 0);
    }
    state->next = state->region.y0;
    if (srgan_stage_is_loaded (stage, tile))
      continue;
    for (j = 0; j < stage->n_inputs; j++) {
      SrganRegion needed;

      if (plan->stages[stage->inputs[j]].is_single)
        continue;
      needed = srgan_stage_get_input_region (plan, stage, j, &state->region);
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

    if (state->next >= state->region.y1 || srgan_stage_is_loaded (stage, tile))
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

void
srgan_tile_finish_rows (const SrganStage *stage, SrganTile *tile, gint row)
{
  const SrganKernels *kernels = tile->plan->kernels;
  const SrganRegion *region = &tile->states[stage - tile->plan->stages].region;
  const guint width = (guint) (region->x1 - region->x0);
  gint y;

  for (y = MAX (row, 0); y < MIN (row + stage->block, stage->height); y++) {
    gfloat *pixels = srgan_tile_get_pixel (tile, stage, y, region->x0);

    if (stage->makes_codes && stage->has_floats)
      srgan_stage_make_floats (stage, tile, y);
    if (stage->slope)
      kernels->activate_row (
          pixels, pixels, stage->slope, stage->stride, width);
    else if (stage->curve)
      kernels->curve_row (
          pixels, pixels, stage->curve, stage->channels, stage->stride, width);
    if (stage->code_type != SRGAN_MAP_FLOATS) {
      if (!stage->makes_codes)
        srgan_stage_make_codes (stage, tile, y);
      srgan_stage_end_codes (stage, tile, y);
    }
    if (stage->has_floats)
      end_row (stage, tile, y);
    if (stage->store)
      srgan_stage_store_row (stage, tile, y);
  }
}

static void
load_rows (const SrganStage *stage, SrganTile *tile, gint row)
{
  gint y;

  for (y = MAX (row, 0); y < MIN (row + stage->block, stage->height); y++) {
    srgan_stage_load_row (stage, tile, y);
    end_row (stage, tile, y);
  }
}

static void
make_row (SrganTile *tile, guint index, gboolean measure)
{
  SrganPlan *plan = tile->plan;
  SrganStage *stage = &plan->stages[index];
  SrganStageState *state = &tile->states[index];
  const gboolean is_loaded = srgan_stage_is_loaded (stage, tile);
  gint row = state->next;
  guint i;

  for (i = 0; i < stage->n_inputs && !is_loaded; i++) {
    gint first, end;

    if (plan->stages[stage->inputs[i]].is_single)
      continue;
    srgan_stage_get_input_rows (plan, stage, i, row, &first, &end);
    make_rows (tile, stage->inputs[i], end, measure);
  }
  if (measure) {
    gint live = row + stage->block - MIN (get_oldest_needed (tile, index), row);

    if (!stage->is_single)
      stage->ring_rows = MAX (stage->ring_rows, (guint) live);
  } else if (is_loaded) {
    load_rows (stage, tile, row);
  } else if (stage->run) {
    stage->run (stage, tile, row);
    if (index != plan->sink && !stage->is_single)
      srgan_tile_finish_rows (stage, tile, row);
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

/* The sink, or all that an earlier pass is for, side by side, so that no map
 * waits long for the last of those that read it. */
static void
make_targets (SrganTile *tile, gboolean measure)
{
  SrganPlan *plan = tile->plan;
  const gint height = tile->input.y1 - tile->input.y0;
  gint row;
  guint i;

  if (tile->pass + 1 == plan->n_passes) {
    make_rows (tile, plan->sink, tile->states[plan->sink].region.y1, measure);
    return;
  }
  for (row = 1; row <= height; row++)
    for (i = 1; i < plan->sink; i++) {
      const SrganRegion *own = &tile->states[i].own;

      if (own->y0 < own->y1)
        make_rows (tile, i,
            own->y0 + (gint) ((gint64) (own->y1 - own->y0) * row / height),
            measure);
    }
}

void
srgan_tile_run (SrganTile *tile)
{
  make_targets (tile, FALSE);
}

void
srgan_tile_measure (SrganTile *tile)
{
  make_targets (tile, TRUE);
}
