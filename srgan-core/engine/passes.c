/* engine: networks with a mean of a whole map.
 *
 * What depends on a mean must wait until all of the map has been seen. So a
 * frame is run in passes, all tiles in each. A pass makes what can be made by
 * then: the maps whose mean is taken are summed up, those that a later pass
 * reads are stored whole, and only those; nothing is computed twice but what
 * costs little (operations that are no convolutions, on the network's input).
 * Between passes the 1x1 maps are made: the means, and what is computed from
 * them. The last pass ends in the sink; most networks have no other.
 *
 * So that neither tiles nor threads can change a bit, a row is summed up in
 * segments that begin at multiples of SEGMENT, each by one tile, and the sums
 * are added up in the map's order, in double precision.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/plan.h"

#include <string.h>

#include "base/memory.h"

/* Pixels summed up at a time. */
#define SEGMENT 32

static const SrganStage *
get_input (const SrganStage *stage, const SrganPlan *plan)
{
  return &plan->stages[stage->inputs[0]];
}

static gsize
get_n_segments (const SrganStage *input)
{
  return ((gsize) input->width + SEGMENT - 1) / SEGMENT;
}

/* --- running ------------------------------------------------------------- */

/* Of a mean, "rows" are its input's. */
static void
run_mean (const SrganStage *stage, SrganTile *tile, gint row)
{
  const SrganPlan *plan = tile->plan;
  const SrganStage *input = get_input (stage, plan);
  const SrganRegion *own = &tile->states[stage - plan->stages].own;
  gdouble *sums = stage->sums + ((gsize) row * get_n_segments (input) +
                                    (gsize) (own->x0 / SEGMENT)) *
                                    stage->channels;
  gint x;

  for (x = own->x0; x < own->x1; x += SEGMENT) {
    memset (sums, 0, stage->channels * sizeof (gdouble));
    plan->kernels->sum_row (sums, srgan_tile_get_pixel (tile, input, row, x),
        stage->channels, input->stride, (guint) MIN (SEGMENT, own->x1 - x));
    sums += stage->channels;
  }
}

static gboolean
is_mean (const SrganStage *stage)
{
  return stage->run == run_mean;
}

/* The mean of one pixel. */
static void
run_single_mean (const SrganStage *stage, SrganTile *tile, gint row)
{
  memcpy (srgan_tile_get_pixel (tile, stage, 0, 0),
      srgan_tile_get_pixel (tile, get_input (stage, tile->plan), 0, 0),
      stage->stride * sizeof (gfloat));
}

gboolean
srgan_stage_init_global_mean (
    SrganStage *stage, SrganPlan *plan, GError **error)
{
  stage->stride = plan->kernels->get_channel_stride (stage->channels);
  stage->run = get_input (stage, plan)->is_single ? run_single_mean : run_mean;
  return TRUE;
}

static void
finish_mean (SrganPlan *plan, SrganStage *stage)
{
  const SrganStage *input = get_input (stage, plan);
  const gsize n = (gsize) input->height * get_n_segments (input);
  const gdouble n_pixels = (gdouble) input->width * input->height;
  gfloat *mean = srgan_tile_get_pixel (plan->tiles, stage, 0, 0);
  gsize i;
  guint c;

  for (c = 0; c < stage->channels; c++) {
    gdouble sum = 0;

    for (i = 0; i < n; i++)
      sum += stage->sums[i * stage->channels + c];
    mean[c] = (gfloat) (sum / n_pixels);
  }
}

void
srgan_plan_finish_pass (SrganPlan *plan, guint pass)
{
  guint i;

  for (i = 1; i < plan->sink; i++) {
    SrganStage *stage = &plan->stages[i];

    if (!stage->is_single)
      continue;
    plan->tiles[0].states[i].region = (SrganRegion){0, 1, 0, 1};
    if (is_mean (stage) && stage->pass == pass)
      finish_mean (plan, stage);
    else if (!is_mean (stage) && stage->pass == pass + 1)
      stage->run (stage, plan->tiles, 0);
    else
      continue;
    srgan_tile_finish_rows (stage, plan->tiles, 0);
  }
}

/* --- stored maps --------------------------------------------------------- */

gboolean
srgan_stage_is_loaded (const SrganStage *stage, const SrganTile *tile)
{
  return stage->store != NULL && stage->pass < tile->pass;
}

gboolean
srgan_stage_is_target (const SrganStage *stage, const SrganTile *tile)
{
  if (tile->pass + 1 == tile->plan->n_passes)
    return stage == &tile->plan->stages[tile->plan->sink];
  return stage->pass == tile->pass && (stage->store || is_mean (stage));
}

/* The part of @size that belongs to [first, end) of @whole, a partition. */
static void
get_share (gint *first, gint *end, gint size, gint whole)
{
  *first = (gint) ((gint64) *first * size / whole);
  *end = (gint) ((gint64) *end * size / whole);
}

SrganRegion
srgan_stage_get_own (const SrganStage *stage, const SrganTile *tile)
{
  const SrganPlan *plan = tile->plan;
  SrganRegion own = tile->input;
  const SrganStage *map = is_mean (stage) ? get_input (stage, plan) : stage;

  get_share (&own.y0, &own.y1, map->height, plan->height);
  get_share (&own.x0, &own.x1, map->width, plan->width);
  if (is_mean (stage)) {
    /* the segments that begin there */
    own.x0 = (own.x0 + SEGMENT - 1) / SEGMENT * SEGMENT;
    own.x1 = MIN ((own.x1 + SEGMENT - 1) / SEGMENT * SEGMENT, map->width);
  }
  return own;
}

static gfloat *
get_stored (const SrganStage *stage, gint row, gint x)
{
  return stage->store +
         ((gsize) row * (gsize) stage->width + (gsize) x) * stage->stride;
}

void
srgan_stage_load_row (const SrganStage *stage, SrganTile *tile, gint row)
{
  const SrganRegion *region = &tile->states[stage - tile->plan->stages].region;
  const gint first = MAX (region->x0, 0), end = MIN (region->x1, stage->width);

  memcpy (srgan_tile_get_pixel (tile, stage, row, first),
      get_stored (stage, row, first),
      (gsize) (end - first) * stage->stride * sizeof (gfloat));
}

void
srgan_stage_store_row (const SrganStage *stage, SrganTile *tile, gint row)
{
  const SrganRegion *own = &tile->states[stage - tile->plan->stages].own;

  if (row >= own->y0 && row < own->y1 && own->x0 < own->x1)
    memcpy (get_stored (stage, row, own->x0),
        srgan_tile_get_pixel (tile, stage, row, own->x0),
        (gsize) (own->x1 - own->x0) * stage->stride * sizeof (gfloat));
}

/* --- planning ------------------------------------------------------------ */

/* From the network's input alone, without a convolution. */
static gboolean
is_cheap (const SrganPlan *plan, const SrganStage *stage)
{
  guint i;

  if (stage->is_single || stage->layer->operation == SRGAN_OPERATION_CONV ||
      stage->layer->operation == SRGAN_OPERATION_TRANSPOSED_CONV)
    return FALSE;
  for (i = 0; i < stage->n_inputs; i++)
    if (!plan->stages[stage->inputs[i]].is_cheap)
      return FALSE;
  return TRUE;
}

void
srgan_plan_init_passes (SrganPlan *plan)
{
  guint i, j;

  plan->stages[SRGAN_STAGE_SOURCE].is_cheap = TRUE;
  for (i = 1; i < plan->n_stages; i++) {
    SrganStage *stage = &plan->stages[i];

    if (!stage->run)
      continue; /* another stage does its work */
    stage->is_cheap = stage->layer && is_cheap (plan, stage);
    for (j = 0; j < stage->n_inputs; j++) {
      const SrganStage *input = &plan->stages[stage->inputs[j]];

      stage->pass = MAX (stage->pass, input->pass + (is_mean (input) ? 1 : 0));
    }
  }
  plan->pass = plan->stages[plan->sink].pass;
  plan->n_passes = plan->pass + 1;
}

/* The last pass that reads stage @index; its own if none does. */
static guint
get_last_pass (const SrganPlan *plan, guint index)
{
  guint last = plan->stages[index].pass, i, j;

  for (i = index + 1; i < plan->n_stages; i++)
    for (j = 0; plan->stages[i].run && j < plan->stages[i].n_inputs; j++)
      if (plan->stages[i].inputs[j] == index)
        last = MAX (last, plan->stages[i].pass);
  return last;
}

/* A cheap stage is made again whenever it is read, so that what it reads itself
 * is read then, too; that is the source, or cheap. */
static gboolean
is_stored (const SrganPlan *plan, guint index)
{
  const SrganStage *stage = &plan->stages[index];

  return stage->run && !stage->is_single && !stage->is_cheap &&
         get_last_pass (plan, index) > stage->pass;
}

/* Puts each stored map where no other lies that is read in the same pass or
 * between: the first place that is free from its own pass to its last. */
static gsize
place_stores (SrganPlan *plan)
{
  gsize floats = 0;
  guint i, j;

  for (i = 1; i < plan->sink; i++) {
    SrganStage *stage = &plan->stages[i];
    gsize size = (gsize) stage->width * (gsize) stage->height * stage->stride;
    gboolean moved = TRUE;

    if (!is_stored (plan, i))
      continue;
    while (moved) {
      moved = FALSE;
      for (j = 1; j < i; j++) {
        const SrganStage *other = &plan->stages[j];
        gsize length =
            (gsize) other->width * (gsize) other->height * other->stride;

        if (is_stored (plan, j) && get_last_pass (plan, j) >= stage->pass &&
            other->pass <= get_last_pass (plan, i) &&
            other->store_offset < stage->store_offset + size &&
            stage->store_offset < other->store_offset + length) {
          stage->store_offset = other->store_offset + length;
          moved = TRUE;
        }
      }
    }
    floats = MAX (floats, stage->store_offset + size);
  }
  return floats;
}

gboolean
srgan_plan_init_pass_memory (SrganPlan *plan, GError **error)
{
  gsize n_stored = place_stores (plan), n_sums = 0, n_singles = 0;
  guint i;

  for (i = 1; i < plan->sink; i++) {
    const SrganStage *stage = &plan->stages[i];

    if (!stage->is_single)
      continue;
    n_singles += SRGAN_ALIGNMENT / sizeof (gfloat) + stage->stride;
    if (is_mean (stage))
      n_sums += (gsize) get_input (stage, plan)->height *
                get_n_segments (get_input (stage, plan)) * stage->channels;
  }
  plan->pass_bytes =
      (n_stored + n_singles) * sizeof (gfloat) + n_sums * sizeof (gdouble);
  plan->stores = srgan_aligned_alloc (n_stored, sizeof (gfloat));
  plan->singles = srgan_aligned_alloc (n_singles, sizeof (gfloat));
  plan->sums = srgan_aligned_alloc (n_sums, sizeof (gdouble));
  if ((n_stored > 0 && !plan->stores) || (n_singles > 0 && !plan->singles) ||
      (n_sums > 0 && !plan->sums)) {
    g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_TOO_LARGE,
        "Out of memory for the maps of %ux%u pixels that wait for a mean",
        plan->settings.width, plan->settings.height);
    return FALSE;
  }

  n_singles = n_sums = 0;
  for (i = 1; i < plan->sink; i++) {
    SrganStage *stage = &plan->stages[i];

    if (is_stored (plan, i))
      stage->store = plan->stores + stage->store_offset;
    if (!stage->is_single)
      continue;
    stage->ring_rows = 1;
    stage->ring_offset = n_singles;
    n_singles += (stage->stride * sizeof (gfloat) + SRGAN_ALIGNMENT - 1) /
                 SRGAN_ALIGNMENT * SRGAN_ALIGNMENT / sizeof (gfloat);
    if (is_mean (stage)) {
      stage->sums = plan->sums + n_sums;
      n_sums += (gsize) get_input (stage, plan)->height *
                get_n_segments (get_input (stage, plan)) * stage->channels;
    }
  }
  return TRUE;
}
