/* engine: plans: all decisions and all allocation, once.
 *
 * The algorithm follows from network, frame size and instruction set; the
 * number of threads and the caches only cut the frame into tiles, which cannot
 * change a bit of the output.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/plan.h"

#include <string.h>

#include "base/memory.h"
#include "network/operations.h"

/* Tiles start on its multiples: a whole block of any stage, an even pixel. */
#define TILE_STEP 4
/* Waking a thread and going through a tile's motions, in pixels' time. */
#define TILE_COST 500
/* Of a row of a tile: calling for it, and the rest of a kernel's last block. */
#define ROW_COST 40
/* Of the last tile of each thread, what others wait for it on average. */
#define UNEVENNESS .1
/* Tiles a thread at most. */
#define TILES_PER_THREAD 4
/* Columns narrower than memory asks for that are looked at for the caches. */
#define MORE_COLUMNS 8
/* What the rings of all tiles that run at a time may take, and those of one in
 * any case; more only where tiles would be narrow. */
#define ALL_RING_BYTES (64u << 20)
#define RING_BYTES (16u << 20)
/* Share of the time that rings cost which are far larger than twice the
 * second-level cache (most of a ring is read again before that much has been
 * written): kernels ask for rows ahead of their use. */
#define MISS .06

static gboolean
check_layout (const SrganLayout *layout, GError **error)
{
  const gchar *wrong = NULL;
  guint i;

  if (layout->kind == SRGAN_LAYOUT_TENSOR)
    return TRUE; /* nothing else of it is looked at */
  if ((guint) layout->kind > SRGAN_LAYOUT_TENSOR)
    wrong = "kind";
  else if ((guint) layout->sample > SRGAN_SAMPLE_FLOAT)
    wrong = "sample";
  else if ((guint) layout->fourth > SRGAN_FOURTH_FILLER)
    wrong = "fourth";
  else if (layout->chroma_width_shift > 1 || layout->chroma_height_shift > 1)
    wrong = "chroma shift (0 or 1)";
  else if (layout->kind != SRGAN_LAYOUT_GRAY &&
           (!(layout->matrix_kr > 0) || !(layout->matrix_kb > 0) ||
               !(layout->matrix_kr + layout->matrix_kb < 1)))
    wrong = "matrix_kr and matrix_kb";
  for (i = 0; !wrong && i < SRGAN_MAX_COMPONENTS; i++) {
    gboolean used = i == 0 || (i < 3 && layout->kind != SRGAN_LAYOUT_GRAY) ||
                    (i == 3 && layout->fourth != SRGAN_FOURTH_NONE);

    if (used && (layout->pixel_stride[i] < 1 || layout->pixel_stride[i] > 16))
      wrong = "pixel_stride";
    else if (used && layout->sample == SRGAN_SAMPLE_FLOAT &&
             layout->pixel_stride[i] != 1)
      wrong = "pixel_stride (floats are planar: 1)";
  }
  if (!wrong)
    return TRUE;
  g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_INVALID,
      "The frame's layout has no valid %s", wrong);
  return FALSE;
}

static gboolean
check_size (guint width, guint height, guint scale, GError **error)
{
  if (width >= 1 && height >= 1 && width <= SRGAN_MAX_SIZE / scale &&
      height <= SRGAN_MAX_SIZE / scale)
    return TRUE;
  g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_TOO_LARGE,
      "Frames of %ux%u pixels cannot be enlarged %u times: sides must be 1 to "
      "%d",
      width, height, scale, (gint) (SRGAN_MAX_SIZE / scale));
  return FALSE;
}

/* Where a stage's input has its blocks start, from where the stage's own do:
 * just where its first block begins to read, or just where that ends. */
static gint
get_input_anchor (const SrganStage *stage, guint input, gint anchor,
    gboolean begins, gint before, gint after)
{
  const gint factor = (gint) stage->input_factor[input];
  const gint step = MAX (stage->input_step, 1);
  const gint floor = (anchor - (anchor < 0 ? factor - 1 : 0)) / factor;

  return begins ? floor * step - MAX (before, 0)
                : (floor + (floor * factor < anchor)) * step + MAX (after, 0);
}

/* A stage's blocks cannot all lie as a stage after it reads them: going from
 * stage to stage, a tile reaches further than its layers do, by a block for
 * each, at whichever side the anchors leave it. Columns take it in turns at
 * both sides, so that tiles left and right cost the same. Rows reach no further
 * down than they must: what a block reads ends with a block then, and rings
 * need not hold rows that are for later. */
static void
anchor_blocks (SrganPlan *plan)
{
  g_autofree gint *x = g_new0 (gint, plan->n_stages);
  g_autofree gint *y = g_new0 (gint, plan->n_stages);
  g_autofree gint *depth = g_new0 (gint, plan->n_stages);
  gint i;
  guint j;

  for (i = (gint) plan->sink; i >= 0; i--) {
    SrganStage *stage = &plan->stages[i];
    const gint below = depth[i] + (stage->block > 1);

    stage->anchor_x = (x[i] % stage->block + stage->block) % stage->block;
    stage->anchor_y = y[i] % stage->block;
    for (j = 0; stage->run && j < stage->n_inputs; j++) {
      const guint input = stage->inputs[j];

      /* of several stages that read it, the furthest from the output */
      if (depth[input] > below)
        continue;
      depth[input] = below;
      x[input] = get_input_anchor (stage, j, x[i], below % 2 == 1,
          stage->reach_before_x, stage->reach_after_x);
      y[input] = get_input_anchor (
          stage, j, y[i], FALSE, stage->reach_before_y, stage->reach_after_y);
    }
  }
}

static gboolean
init_stages (SrganPlan *plan, GError **error)
{
  guint i, n_layers = srgan_network_get_n_layers (plan->network);
  SrganStage *source;

  plan->n_stages = n_layers + 2;
  plan->sink = n_layers + 1;
  plan->stages = g_new0 (SrganStage, plan->n_stages);
  source = &plan->stages[SRGAN_STAGE_SOURCE];
  source->channels = source->stride =
      srgan_network_get_colour (plan->network) == SRGAN_COLOUR_Y ? 1 : 3;
  source->block = source->input_step = 1;
  plan->stages[plan->sink].block = plan->stages[plan->sink].input_step = 1;
  if (!srgan_plan_fit (plan, error))
    return FALSE;
  srgan_plan_init_codes (plan);
  for (i = 0; i < n_layers; i++)
    if (!srgan_stage_init (&plan->stages[i + 1], plan, i, error))
      return FALSE;

  plan->packed = srgan_packed_get (plan, error);
  if (!plan->packed)
    return FALSE;
  for (i = 0; i < n_layers; i++) {
    SrganStage *stage = &plan->stages[i + 1];

    stage->convolution = srgan_packed_get_convolution (plan->packed, i);
    stage->int8_convolution =
        srgan_packed_get_int8_convolution (plan->packed, i);
    stage->bf16_convolution =
        srgan_packed_get_bf16_convolution (plan->packed, i);
  }
  srgan_frame_init (plan);
  srgan_plan_init_floats (plan);
  for (i = 1; i < plan->n_stages; i++) {
    const SrganStage *stage = &plan->stages[i];
    guint j;

    /* Only convolutions read beyond the map. */
    if (stage->layer &&
        (stage->layer->operation == SRGAN_OPERATION_CONV ||
            stage->layer->operation == SRGAN_OPERATION_TRANSPOSED_CONV))
      for (j = 0; j < stage->n_inputs; j++) {
        SrganStage *input = &plan->stages[stage->inputs[j]];

        input->margin = MAX (input->margin,
            (guint) (MAX (stage->reach_before_x, stage->reach_after_x) +
                     stage->block - 1));
      }
  }
  anchor_blocks (plan);
  srgan_plan_init_passes (plan);
  return srgan_plan_init_pass_memory (plan, error);
}

/* The pixels of the input that tile @index of the frame enlarges. */
static SrganRegion
get_tile (const SrganPlan *plan, guint index)
{
  gint x = (gint) (index % plan->n_tiles_x) * plan->tile_width;
  gint y = (gint) (index / plan->n_tiles_x) * plan->tile_height;

  return (SrganRegion){x, MIN (x + plan->tile_width, plan->width), y,
      MIN (y + plan->tile_height, plan->height)};
}

/* By how many pixels two tiles side by side overlap, and two above each other,
 * in the source's map. */
static void
get_overlap (SrganTile *tile, gint *x, gint *y)
{
  const SrganPlan *plan = tile->plan;
  const SrganRegion *source = &tile->states[SRGAN_STAGE_SOURCE].region;
  const SrganRegion first = get_tile (plan, 0);
  const SrganRegion last =
      get_tile (plan, plan->n_tiles_x * plan->n_tiles_y - 1);

  srgan_tile_place (tile, &first);
  *x = source->x1;
  *y = source->y1;
  srgan_tile_place (tile, &last);
  *x = MAX (*x - source->x0, 1);
  *y = MAX (*y - source->y0, 1);
}

static gint
divide_up (gint a, gint b)
{
  return (a + b - 1) / b;
}

static gint
align_up (gint a, gint multiple)
{
  return divide_up (a, multiple) * multiple;
}

/* Of one pixel in all of its stage's rings. */
static gsize
get_pixel_bytes (const SrganStage *stage)
{
  gsize bytes = (gsize) stage->code_stride * stage->code_bytes;

  return bytes + (stage->has_floats ? stage->stride * sizeof (gfloat) : 0);
}

/* Bytes that all rings of a tile take for each column of the input. */
static gsize
get_column_bytes (SrganPlan *plan, SrganTile *tile)
{
  const SrganRegion region = get_tile (plan, 0);
  gsize bytes = 0;
  guint i;

  srgan_tile_place (tile, &region);
  srgan_tile_measure (tile);
  for (i = 0; i < plan->sink; i++) {
    SrganStage *stage = &plan->stages[i];

    if (stage->is_single)
      continue;
    if (stage->run)
      bytes += (gsize) ((gdouble) stage->ring_rows * get_pixel_bytes (stage) *
                        stage->width / plan->width);
    stage->ring_rows = 0;
  }
  return MAX (bytes, 1);
}

/* Columns, or rows, that a tile computes beside its own: half of its overlap
 * with its neighbours, on average over the layers. Of the @n tiles in a line
 * the largest, when each has its own thread, else the average one. */
static gdouble
get_more (gint overlap, gint n, gboolean average)
{
  return average ? .5 * overlap * (n - 1) / n : .25 * overlap * MIN (n - 1, 2);
}

/* Pixels' time until the last thread is done with its last tile. */
static gdouble
get_cost (const SrganPlan *plan, gint width, gint height, gint overlap_x,
    gint overlap_y, gsize column_bytes)
{
  const gint columns = divide_up (plan->width, width);
  const gint bands = divide_up (plan->height, height);
  const gint rounds =
      divide_up (columns * bands, (gint) plan->settings.n_threads);
  const gdouble wide = width + get_more (overlap_x, columns, rounds > 1);
  const gdouble rings = wide * (gdouble) column_bytes;
  const gdouble missed =
      MAX (1 - 2 * (gdouble) srgan_cpu_get_l2_size () / rings, 0);
  gdouble high = height + get_more (overlap_y, bands, rounds > 1), tile;

  /* Of two bands the lower one computes three quarters: see anchor_blocks(). */
  if (bands == 2 && rounds == 1)
    high = MAX (
        height + overlap_y / 8., plan->height - height + overlap_y * 3 / 8.);
  tile = (wide + ROW_COST) * high * (1 + MISS * missed) + TILE_COST;

  return tile * (rounds + (plan->settings.n_threads > 1 ? UNEVENNESS : 0));
}

/* Cuts the frame into columns whose rings, all together, do not take too much
 * memory, and further for the caches and for the threads, so that they are done
 * soonest. */
static void
choose_tiles (SrganPlan *plan, SrganTile *tile)
{
  const SrganPlanSettings *settings = &plan->settings;
  const gint step_x = 1 << settings->layout.chroma_width_shift;
  const gint step_y = 1 << settings->layout.chroma_height_shift;
  const gint most = TILES_PER_THREAD * (gint) settings->n_threads;
  gint widest, columns, first, bands, overlap_x, overlap_y;
  gdouble best = G_MAXDOUBLE;
  gsize column_bytes;

  /* Tiles that end inside the frame show how far the network reaches. */
  plan->tile_width = align_up (divide_up (plan->width, 2), TILE_STEP);
  plan->tile_height = align_up (divide_up (plan->height, 2), TILE_STEP);
  plan->n_tiles_x = (guint) divide_up (plan->width, plan->tile_width);
  plan->n_tiles_y = (guint) divide_up (plan->height, plan->tile_height);
  get_overlap (tile, &overlap_x, &overlap_y);
  column_bytes = get_column_bytes (plan, tile);
  widest = (gint) MIN (
      MAX (ALL_RING_BYTES / settings->n_threads, RING_BYTES) / column_bytes,
      SRGAN_MAX_SIZE);
  /* Narrower than that, tiles would be overlap above all. */
  widest = MAX (widest, 2 * overlap_x);

  first = divide_up (plan->width, widest);
  for (columns = first; columns < first + most + MORE_COLUMNS; columns++)
    for (bands = 1; bands <= most; bands++) {
      gint width = align_up (divide_up (plan->width, columns), TILE_STEP);
      gint height = align_up (divide_up (plan->height, bands), TILE_STEP);
      /* The first of two may be higher. */
      const gint highest = height + (bands == 2 ? overlap_y / 4 : 0);

      for (; height <= highest; height += TILE_STEP) {
        gdouble cost =
            get_cost (plan, width, height, overlap_x, overlap_y, column_bytes);

        if (cost < best) {
          best = cost;
          plan->tile_width = width;
          plan->tile_height = height;
        }
      }
    }
  if (settings->tile_width)
    plan->tile_width =
        align_up ((gint) MIN (settings->tile_width, SRGAN_MAX_SIZE), step_x);
  if (settings->tile_height)
    plan->tile_height =
        align_up ((gint) MIN (settings->tile_height, SRGAN_MAX_SIZE), step_y);
  plan->n_tiles_x = (guint) divide_up (plan->width, plan->tile_width);
  plan->n_tiles_y = (guint) divide_up (plan->height, plan->tile_height);
}

/* Whole cache lines. */
static gsize
align_floats (gsize floats)
{
  const gsize line = SRGAN_ALIGNMENT / sizeof (gfloat);

  return (floats + line - 1) / line * line;
}

/* An odd number of them, so that rows of a ring do not fall into the same few
 * sets of the cache. */
static gsize
align_row (gsize floats)
{
  const gsize line = SRGAN_ALIGNMENT / sizeof (gfloat);

  return ((floats + line - 1) / line | 1) * line;
}

static void
measure_width (const SrganTile *tile, gint *widest)
{
  guint i;

  for (i = 0; i < tile->plan->n_stages; i++) {
    const SrganRegion *region = &tile->states[i].region;

    widest[i] = MAX (widest[i], region->x1 - region->x0);
  }
}

/* Pieces for reuse begin where no tile may, and overlap on both sides. */
static void
measure_pieces (const SrganPlan *plan, SrganTile *tile, gint *widest)
{
  SrganRegion piece;
  guint i, period = 1;

  /* Rows of a reduced map lie alike in every so many of the frame. */
  for (i = 0; i < srgan_network_get_n_layers (plan->network); i++)
    period =
        MAX (period, srgan_network_get_layer (plan->network, i)->scale_down);
  for (i = 0; srgan_reuse_get_piece (plan->reuse, i, 0, &piece); i++) {
    srgan_tile_place (tile, &piece);
    measure_width (tile, widest);
  }
  for (i = 0; srgan_reuse_get_piece (plan->reuse, 0, i, &piece); i++) {
    srgan_tile_place (tile, &piece);
    srgan_tile_measure (tile);
    /* From here on, all that changes is where the frame ends. */
    if (tile->states[SRGAN_STAGE_SOURCE].region.y0 > 0 && period-- == 1)
      break;
  }
}

/* Finds each ring's rows and each stage's widest row by placing every tile and
 * going through its motions. */
static void
measure_tiles (SrganPlan *plan, SrganTile *tile)
{
  g_autofree gint *widest = g_new0 (gint, plan->n_stages);
  guint index, i, stride = 1;
  gsize offset = 0, row = 0;

  for (tile->pass = 0; tile->pass < plan->n_passes; tile->pass++)
    for (index = 0; index < plan->n_tiles_x * plan->n_tiles_y; index++) {
      const SrganRegion input = get_tile (plan, index);

      srgan_tile_place (tile, &input);
      measure_width (tile, widest);
      if (index % plan->n_tiles_x == 0) {
        /* Tiles of one line need the same rows, but for those whose part of a
         * smaller map is empty: hence the whole line. */
        const SrganRegion line = {0, plan->width, input.y0, input.y1};

        srgan_tile_place (tile, &line);
        srgan_tile_measure (tile);
      }
    }
  tile->pass = plan->pass;
  if (plan->reuse)
    measure_pieces (plan, tile, widest);
  for (i = 0; i < plan->n_stages; i++) {
    SrganStage *stage = &plan->stages[i];
    gsize floats;

    floats = align_row (
        ((gsize) widest[i] + 2 * stage->margin) * MAX (stage->stride, 1));
    row = MAX (row, floats);
    /* rows of codes are spread out on their way to floats and back */
    row = MAX (row, align_row ((gsize) widest[i] * stage->code_stride));
    stride = MAX (stride, stage->stride);
    if (stage->convolution)
      plan->scratch_floats = MAX (
          plan->scratch_floats, align_floats (stage->convolution->scratch));
    if (stage->scratch)
      plan->scratch_floats = MAX (plan->scratch_floats,
          align_floats (((gsize) widest[i] / stage->input_factor[0] + 1) *
                        stage->scratch));
    if (i == plan->sink || !stage->run || stage->is_single)
      continue;
    stage->row_floats = stage->has_floats ? floats : 0;
    stage->ring_offset = offset;
    offset += stage->row_floats * stage->ring_rows;
    if (stage->has_parts) {
      stage->parts_row_floats =
          align_row (srgan_parts_get_row_floats (stage, widest[i]));
      stage->parts_offset = offset;
      offset += stage->parts_row_floats * srgan_parts_get_ring_rows (stage);
    }
    if (stage->code_type == SRGAN_MAP_FLOATS)
      continue;
    /* kernels may read one code more than a row has */
    floats = align_row (
        (((gsize) widest[i] + 2 * stage->margin) * stage->code_stride + 1) *
            stage->code_bytes / sizeof (gfloat) +
        1);
    stage->code_row_bytes = floats * sizeof (gfloat);
    stage->code_offset = offset;
    offset += floats * (stage->ring_rows + 1);
  }
  /* Room beside the widest row for the taps of an interpolation; components
   * have one float a pixel, and start on whole input pixels. */
  plan->map_row_floats =
      row + align_floats (2 * SRGAN_KERNEL_MAX_TAPS * stride);
  plan->component_floats = align_floats (
      (gsize) MAX (widest[SRGAN_STAGE_SOURCE], widest[plan->sink]) +
      4 * SRGAN_KERNEL_MAX_TAPS);
  plan->arena_floats = offset;
}

static gboolean
init_memory (SrganPlan *plan, GError **error)
{
  /* three components and two chroma rings; blend and restride */
  const guint n_rows = 3 + 2 * SRGAN_CHROMA_ROWS;
  guint i, j;

  plan->zeros = srgan_aligned_alloc (plan->map_row_floats, sizeof (gfloat));
  if (!plan->zeros)
    goto no_memory;
  plan->tile_floats = plan->arena_floats + plan->scratch_floats +
                      2 * plan->map_row_floats +
                      n_rows * plan->component_floats;
  plan->tiles = g_new0 (SrganTile, plan->settings.n_threads);
  for (i = 0; i < plan->settings.n_threads; i++) {
    SrganTile *tile = &plan->tiles[i];
    gfloat *memory;

    tile->plan = plan;
    tile->states = g_new0 (SrganStageState, plan->n_stages);
    tile->arena = memory =
        srgan_aligned_alloc (plan->tile_floats, sizeof (gfloat));
    if (!memory)
      goto no_memory;
    for (j = 0; j < plan->n_stages; j++) {
      const SrganStage *stage = &plan->stages[j];
      SrganStageState *state = &tile->states[j];

      state->ring =
          (stage->is_single ? plan->singles : memory) + stage->ring_offset;
      state->codes = (guint8 *) (memory + stage->code_offset);
      memset (state->codes, stage->code_zero,
          stage->code_row_bytes * (stage->ring_rows + 1));
    }
    tile->scratch = memory += plan->arena_floats;
    tile->blend = memory += plan->scratch_floats;
    tile->restride = memory += plan->map_row_floats;
    memory += plan->map_row_floats;
    for (j = 0; j < 3; j++, memory += plan->component_floats)
      tile->component[j] = memory;
    for (j = 0; j < 2; j++) {
      tile->chroma[j] = memory;
      memory += SRGAN_CHROMA_ROWS * plan->component_floats;
    }
  }
  return TRUE;

no_memory:
  g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_TOO_LARGE,
      "Out of memory for %ux%u pixels on %u threads", plan->settings.width,
      plan->settings.height, plan->settings.n_threads);
  return FALSE;
}

SrganPlan *
srgan_plan_new (
    SrganNetwork *network, const SrganPlanSettings *settings, GError **error)
{
  SrganPlan *plan;
  SrganTile tile = {0};
  g_autofree SrganStageState *states = NULL;

  g_return_val_if_fail (network != NULL && settings != NULL, NULL);

  if (srgan_network_gives_features (network)) {
    g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_UNSUPPORTED,
        "%s gives features, not pictures: it serves training and srgan-eval",
        srgan_network_get_name (network));
    return NULL;
  }
  if (!check_layout (&settings->layout, error) ||
      !check_size (settings->width, settings->height,
          srgan_network_get_scale (network), error))
    return NULL;
  srgan_kernels_init ();

  plan = g_new0 (SrganPlan, 1);
  plan->network = srgan_network_ref (network);
  plan->settings = *settings;
  plan->kernels = srgan_kernels_get (srgan_cpu_get_flags ());
  plan->scale = srgan_network_get_scale (network);
  plan->width = (gint) settings->width;
  plan->height = (gint) settings->height;
  if (plan->settings.layout.kind == SRGAN_LAYOUT_TENSOR)
    plan->settings.layout = (SrganLayout){.kind = SRGAN_LAYOUT_TENSOR,
        .sample = SRGAN_SAMPLE_FLOAT,
        .pixel_stride = {1, 1, 1, 1}};
  if (plan->settings.layout.kind != SRGAN_LAYOUT_YUV)
    plan->settings.layout.chroma_width_shift =
        plan->settings.layout.chroma_height_shift = 0;
  if (plan->settings.layout.kind == SRGAN_LAYOUT_GRAY) {
    /* Unused but for a network in colour, where any matrix will do. */
    plan->settings.layout.matrix_kr = .299;
    plan->settings.layout.matrix_kb = .114;
  }
  if (plan->settings.n_threads == 0)
    plan->settings.n_threads = srgan_cpu_get_n_allowed ();
  if (!srgan_plan_choose_precision (plan, error) || !init_stages (plan, error))
    goto failed;

  tile.plan = plan;
  tile.pass = plan->pass;
  tile.states = states = g_new0 (SrganStageState, plan->n_stages);
  choose_tiles (plan, &tile);
  if (settings->reuse && settings->layout.kind != SRGAN_LAYOUT_TENSOR) {
    GError *failure = NULL;

    plan->reuse = srgan_reuse_new (plan, &tile, &failure);
    if (failure) {
      g_propagate_error (error, failure);
      goto failed;
    }
  }
  measure_tiles (plan, &tile);
  /* Threads that would find no tile are not started. */
  plan->settings.n_threads =
      MIN (plan->settings.n_threads, plan->n_tiles_x * plan->n_tiles_y);
  if (!init_memory (plan, error))
    goto failed;
  plan->workers = srgan_workers_new (plan->settings.n_threads, error);
  if (!plan->workers)
    goto failed;
  return plan;

failed:
  srgan_plan_free (plan);
  return NULL;
}

void
srgan_plan_free (SrganPlan *plan)
{
  guint i;

  if (!plan)
    return;
  if (plan->workers)
    srgan_workers_free (plan->workers);
  srgan_reuse_free (plan->reuse);
  for (i = 0; plan->stages && i < plan->n_stages; i++)
    srgan_stage_clear (&plan->stages[i]);
  g_free (plan->stages);
  for (i = 0; plan->tiles && i < plan->settings.n_threads; i++) {
    g_free (plan->tiles[i].states);
    srgan_aligned_free (plan->tiles[i].arena);
  }
  g_free (plan->tiles);
  srgan_aligned_free (plan->zeros);
  srgan_aligned_free (plan->singles);
  srgan_aligned_free (plan->stores);
  srgan_aligned_free (plan->sums);
  if (plan->packed)
    srgan_packed_unref (plan->packed);
  srgan_network_unref (plan->network);
  g_free (plan);
}

void
srgan_plan_run_region (SrganPlan *plan, guint worker, const SrganRegion *region)
{
  SrganTile *tile = &plan->tiles[worker];

  tile->pass = plan->pass;
  srgan_tile_place (tile, region);
  srgan_tile_run (tile);
  if (plan->pass + 1 == plan->n_passes)
    srgan_frame_run_planes (tile);
}

static void
run_item (gpointer data, guint item, guint worker)
{
  SrganPlan *plan = data;
  const SrganRegion region = get_tile (plan, item);

  srgan_plan_run_region (plan, worker, &region);
}

void
srgan_plan_run_whole (
    SrganPlan *plan, const SrganFrame *input, const SrganFrame *output)
{
  plan->frame_in = input;
  plan->frame_out = output;
  for (plan->pass = 0;; plan->pass++) {
    srgan_workers_run (
        plan->workers, run_item, plan, plan->n_tiles_x * plan->n_tiles_y);
    if (plan->pass + 1 == plan->n_passes)
      break;
    srgan_plan_finish_pass (plan, plan->pass);
  }
  plan->frame_in = plan->frame_out = NULL;
}

void
srgan_plan_run (
    SrganPlan *plan, const SrganFrame *input, const SrganFrame *output)
{
  g_return_if_fail (plan != NULL && input != NULL && output != NULL);

  if (plan->reuse)
    srgan_reuse_run (plan->reuse, input, output);
  else
    srgan_plan_run_whole (plan, input, output);
}

gdouble
srgan_plan_get_reused (SrganPlan *plan)
{
  g_return_val_if_fail (plan != NULL, 0);

  return plan->reuse ? srgan_reuse_get_share (plan->reuse) : 0;
}

void
srgan_plan_get_output_size (SrganPlan *plan, guint *width, guint *height)
{
  g_return_if_fail (plan != NULL && width != NULL && height != NULL);

  *width = (guint) plan->out_width;
  *height = (guint) plan->out_height;
}

gfloat *
srgan_network_run_tensor (SrganNetwork *network, const gfloat *input,
    guint width, guint height, guint n_threads, guint *out_width,
    guint *out_height, GError **error)
{
  const SrganPlanSettings settings = {.width = width,
      .height = height,
      .layout = {.kind = SRGAN_LAYOUT_TENSOR},
      .precision = SRGAN_PRECISION_FP32,
      .n_threads = n_threads};
  const guint channels =
      srgan_network_get_colour (network) == SRGAN_COLOUR_Y ? 1 : 3;
  g_autoptr (SrganPlan) plan = NULL;
  SrganFrame in = {{NULL}, {0}}, out = {{NULL}, {0}};
  gfloat *output;
  guint i;

  g_return_val_if_fail (input != NULL, NULL);

  plan = srgan_plan_new (network, &settings, error);
  if (!plan)
    return NULL;
  srgan_plan_get_output_size (plan, out_width, out_height);
  output = g_try_new (gfloat, (gsize) channels * *out_width * *out_height);
  if (!output) {
    g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_TOO_LARGE,
        "Out of memory for an output of %ux%u pixels", *out_width, *out_height);
    return NULL;
  }
  for (i = 0; i < channels; i++) {
    in.component[i] = (gfloat *) input + (gsize) i * width * height;
    in.stride[i] = width * sizeof (gfloat);
    out.component[i] = output + (gsize) i * *out_width * *out_height;
    out.stride[i] = *out_width * sizeof (gfloat);
  }
  srgan_plan_run (plan, &in, &out);
  return output;
}

void
srgan_plan_get_report (SrganPlan *plan, SrganPlanReport *report)
{
  g_return_if_fail (plan != NULL && report != NULL);

  memset (report, 0, sizeof *report);
  report->kernels = plan->kernels->name;
  report->n_threads = plan->settings.n_threads;
  report->tile_width = (guint) plan->tile_width;
  report->tile_height = (guint) plan->tile_height;
  report->workspace_bytes =
      (plan->settings.n_threads * plan->tile_floats + plan->map_row_floats) *
          sizeof (gfloat) +
      plan->pass_bytes;
  report->kept_bytes = plan->reuse ? srgan_reuse_get_bytes (plan->reuse) : 0;
  report->weight_bytes = srgan_packed_get_bytes (plan->packed);
  report->multiply_adds = srgan_network_get_multiply_adds (plan->network) *
                          plan->width * plan->height;
  report->precision = plan->settings.precision;
}

gboolean
srgan_plan_get_layer_report (
    SrganPlan *plan, guint index, SrganLayerReport *report)
{
  static const gchar *const algorithms[SRGAN_N_ALGORITHMS] = {
      "direct", "winograd", "parts"};
  const SrganStage *stage;
  gdouble costs[SRGAN_N_ALGORITHMS];

  g_return_val_if_fail (plan != NULL && report != NULL, FALSE);

  memset (report, 0, sizeof *report);
  if (index >= srgan_network_get_n_layers (plan->network))
    return FALSE;
  stage = &plan->stages[index + 1];
  report->name = stage->layer->name;
  report->operation = stage->layer->operation;
  if (!stage->run)
    report->algorithm = "fused";
  else if (stage->is_int8)
    report->algorithm = "int8";
  else if (stage->is_bf16)
    report->algorithm = "bf16";
  else if (!stage->convolution)
    report->algorithm = "rows";
  else
    report->algorithm = algorithms[srgan_layer_get_algorithm (
        stage->layer, plan->kernels->lanes)];
  report->precision = stage->is_int8   ? SRGAN_PRECISION_INT8
                      : stage->is_bf16 ? SRGAN_PRECISION_BF16
                                       : SRGAN_PRECISION_FP32;
  srgan_layer_get_costs (stage->layer, plan->kernels->lanes, costs);
  report->direct_cost = costs[SRGAN_ALGORITHM_DIRECT];
  report->winograd_cost = costs[SRGAN_ALGORITHM_WINOGRAD];
  report->parts_cost = costs[SRGAN_ALGORITHM_PARTS];
  report->multiply_adds =
      srgan_layer_get_multiply_adds (stage->layer) * plan->width * plan->height;
  report->ring_rows = stage->run ? stage->ring_rows : 0;
  report->ring_bytes =
      report->ring_rows *
      (stage->row_floats * sizeof (gfloat) + stage->code_row_bytes);
  return TRUE;
}

guint
srgan_engine_get_n_cpus (void)
{
  return srgan_cpu_get_n_allowed ();
}
