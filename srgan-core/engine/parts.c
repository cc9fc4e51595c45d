/* engine: convolutions with large kernels to few channels, in 3x3 parts.
 *
 * The last layer of SRResNet and its kin, 9x9 from 64 channels to 3, would take
 * as long as a third of all others. It is cut into 3x3 kernels of 3 pixels'
 * distance, each with outputs of its own: one 3x3 convolution from 64 channels
 * to 27, for which Winograd's algorithm needs a quarter of the time, and whose
 * outputs, shifted, add up to the layer's. See
 * srgan_convolution_pack_parts().
 *
 * The stage makes four rows at a time, as Winograd's do, and keeps the newest
 * rows of parts in a ring of its own. Of a kernel that reaches r pixels to
 * either side, part i lies 3 i + 1 - r pixels after the output pixel.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/plan.h"

/* Rows, and columns, of parts that the stage's block reads before and after
 * itself. */
static gint
get_before (const SrganLayer *layer)
{
  return (gint) (layer->kernel_width - 1) / 2 - 1;
}

static gint
get_after (const SrganLayer *layer)
{
  const gint n_parts = (gint) (layer->kernel_width + 2) / 3;

  return 3 * (n_parts - 1) - get_before (layer);
}

/* Blocks of four rows of parts that lie before the newest that a block of the
 * stage reads, which ends with the last row that it reads. */
static gint
get_n_older (const SrganLayer *layer)
{
  return (get_before (layer) + get_after (layer) + 3) / 4;
}

guint
srgan_parts_get_ring_rows (const SrganStage *stage)
{
  return (guint) (4 * (get_n_older (stage->layer) + 1));
}

gsize
srgan_parts_get_row_floats (const SrganStage *stage, gint width)
{
  return (gsize) (width + 4 * get_n_older (stage->layer)) *
         stage->convolution->out_stride;
}

/* Column @x of row @row of parts. */
static gfloat *
get_pixel (const SrganStage *stage, SrganTile *tile, gint row, gint x)
{
  const SrganStageState *state = &tile->states[stage - tile->plan->stages];
  const gint n_older = get_n_older (stage->layer);
  const gint first = state->region.x0 + get_after (stage->layer) - 4 * n_older;
  const gint n_rows = 4 * (n_older + 1);
  gint index = row % n_rows;

  return tile->arena + stage->parts_offset +
         (gsize) (index < 0 ? index + n_rows : index) *
             stage->parts_row_floats +
         (gsize) (x - first) * stage->convolution->out_stride;
}

static void
make_parts (const SrganStage *stage, SrganTile *tile, gint row)
{
  const SrganPlan *plan = tile->plan;
  const SrganStage *input = &plan->stages[stage->inputs[0]];
  const SrganRegion *region = &tile->states[stage - plan->stages].region;
  const gint n_older = get_n_older (stage->layer);
  const gint x = region->x0 + get_after (stage->layer) - 4 * n_older;
  const gfloat *rows[6];
  gfloat *output[4];
  gint i;

  for (i = 0; i < 6; i++)
    rows[i] = srgan_tile_get_pixel (tile, input, row - 1 + i, x - 1);
  for (i = 0; i < 4; i++)
    output[i] = get_pixel (stage, tile, row + i, x);
  plan->kernels->convolve_winograd (stage->convolution, rows, output,
      (guint) (region->x1 - region->x0) / 4 + (guint) n_older, tile->scratch);
}

static void
run_parts (const SrganStage *stage, SrganTile *tile, gint row)
{
  const SrganPlan *plan = tile->plan;
  const SrganRegion *region = &tile->states[stage - plan->stages].region;
  const gint newest = row + get_after (stage->layer);
  const gint before = get_before (stage->layer);
  gint i, y;
  guint j;

  /* The first block of a tile finds none of them. */
  for (i = row == region->y0 ? get_n_older (stage->layer) : 0; i >= 0; i--)
    make_parts (stage, tile, newest - 4 * i);
  for (y = MAX (row, 0); y < MIN (row + 4, stage->height); y++) {
    const gfloat *rows[SRGAN_PARTS_MAX_SIDE / 3];

    for (j = 0; j < stage->convolution->n_parts; j++)
      rows[j] = get_pixel (
          stage, tile, y - before + 3 * (gint) j, region->x0 - before);
    plan->kernels->sum_parts_row (stage->convolution, rows,
        srgan_tile_get_pixel (tile, stage, y, region->x0),
        (guint) (region->x1 - region->x0));
  }
}

void
srgan_stage_init_parts (SrganStage *stage)
{
  const gint after = get_after (stage->layer);

  /* From the first row that the oldest block of parts reads to the last that
   * the newest does. */
  stage->reach_before_x = stage->reach_before_y =
      4 * get_n_older (stage->layer) + 1 - after;
  stage->reach_after_x = stage->reach_after_y = after + 1;
  stage->block = 4;
  stage->has_parts = TRUE;
  stage->run = run_parts;
}
