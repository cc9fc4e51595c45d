/* engine: reuse of the last frame: only what may have changed is computed.
 *
 * The plan keeps the last frame that it was given, and the last that it made,
 * in memory of its own: no frame of the caller's is held or read back. A new
 * frame is compared with the kept one, sample by sample, in cells of some
 * pixels; a cell of the output is dirty when any cell that its pixels reach to
 * has changed. "Reach" is what a tile placed there would read, whole blocks of
 * Winograd's included, so that a clean cell would come out as the very bits
 * that are kept. Dirty cells are gathered in rectangles, each is run as a tile
 * into the kept output, and that is copied out.
 *
 * Comparing stops at a cell's first difference, and the output is kept only
 * while frames do repeat now and then: a stream in which nothing does costs
 * next to nothing. The samples alone decide, so that no seek, gap or error can
 * make what is kept wrong.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/plan.h"

#include <string.h>

#include "base/memory.h"

/* The side of a cell in input pixels: a whole number of tile steps. */
#define CELL 16
/* Frames without a repeat after which the output is no longer kept: animation
 * draws every second or third frame anew. */
#define PATIENCE 32
/* Where there would be more, cells are taken together. */
#define MAX_RECTANGLES 64
/* What a piece costs however small it is, in pixels' time. */
#define PIECE_COST 500
/* The share of a whole frame's cost from which on that is run instead. */
#define WORTHWHILE .95

/* Samples that lie side by side: of one component, or of several in turns.
 * Their rows are compared and copied as bytes. */
typedef struct {
  guint first, end; /* components [first, end) */
  guint shift_x, shift_y;
  gint width, height;
  gsize unit;   /* bytes from a sample to the next of the same component */
  gsize stride; /* of the kept rows */
  guint8 *memory;
} Plane;

/* What is kept of one frame. */
typedef struct {
  gint scale; /* pixels for one of the input's */
  gsize sample_bytes;
  guint n_planes;
  Plane planes[SRGAN_MAX_COMPONENTS];
  gsize bytes;
  gboolean valid;
  /* From the first byte of a component's plane to its first sample. */
  gsize offset[SRGAN_MAX_COMPONENTS];
} Kept;

/* A caller's frame as planes. */
typedef struct {
  guint8 *base[SRGAN_MAX_COMPONENTS];
  gsize stride[SRGAN_MAX_COMPONENTS];
  gsize row_bytes[SRGAN_MAX_COMPONENTS];
} Planes;

/* Cells [first, end) in one direction. */
typedef struct {
  gint first, end;
} Span;

/* Dirty cells, and how they are cut for the threads. */
typedef struct {
  SrganRegion cells;
  gdouble cost;
  gint piece_width, piece_height; /* in cells */
  guint n_columns, n_bands;
} Rectangle;

struct _SrganReuse {
  SrganPlan *plan;
  Kept input;
  Kept output;
  guint n_quiet; /* frames since the last repeat */
  gdouble share; /* reused of the last frame */

  gint n_cells_x, n_cells_y;
  gboolean local; /* FALSE: every output pixel needs the whole input */
  Span *columns;  /* of the input, that a column of the output needs */
  Span *rows;
  gint reach;     /* pixels beyond a piece, on each side */
  gint max_width; /* of a piece, in cells */

  guint8 *changed; /* one a cell: of the input */
  guint8 *spread;  /* rows of it grown to the sides */
  guint8 *dirty;   /* one a cell: of the output */
  guint n_rectangles;
  Rectangle rectangles[MAX_RECTANGLES];

  Planes in; /* while a frame runs */
  Planes out;
};

/* --- planes -------------------------------------------------------------- */

static gboolean
is_used (const SrganLayout *layout, guint component, gboolean filler)
{
  if (component == 3)
    return layout->fourth == SRGAN_FOURTH_ALPHA ||
           (filler && layout->fourth == SRGAN_FOURTH_FILLER);
  return component == 0 || layout->kind != SRGAN_LAYOUT_GRAY;
}

/* Gathers the components that share a plane. Returns: whether they fill it, so
 * that its bytes can be copied whatever they are. */
static gboolean
init_planes (Kept *kept, const SrganPlan *plan, gint scale, gboolean filler)
{
  const SrganLayout *layout = &plan->settings.layout;
  gboolean full = TRUE;
  guint i;

  kept->scale = scale;
  kept->sample_bytes =
      layout->sample == SRGAN_SAMPLE_FLOAT ? sizeof (gfloat) : 1;
  for (i = 0; i < SRGAN_MAX_COMPONENTS; i++) {
    gboolean chroma = layout->kind == SRGAN_LAYOUT_YUV && (i == 1 || i == 2);
    guint shift_x = chroma ? layout->chroma_width_shift : 0;
    guint shift_y = chroma ? layout->chroma_height_shift : 0;
    gsize unit = layout->pixel_stride[i] * kept->sample_bytes;
    Plane *plane = &kept->planes[kept->n_planes];

    if (!is_used (layout, i, filler))
      continue;
    if (kept->n_planes > 0 && layout->pixel_stride[i] > 1 &&
        plane[-1].unit == unit && plane[-1].shift_x == shift_x &&
        plane[-1].shift_y == shift_y) {
      plane[-1].end = i + 1;
      continue;
    }
    *plane = (Plane){.first = i,
        .end = i + 1,
        .shift_x = shift_x,
        .shift_y = shift_y,
        .width = (plan->width * scale + (1 << shift_x) - 1) >> shift_x,
        .height = (plan->height * scale + (1 << shift_y) - 1) >> shift_y,
        .unit = unit};
    kept->n_planes++;
  }
  for (i = 0; i < kept->n_planes; i++) {
    const Plane *plane = &kept->planes[i];
    guint j, n = 0;

    for (j = plane->first; j < plane->end; j++)
      n += is_used (layout, j, filler);
    full &= n * kept->sample_bytes == plane->unit;
  }
  return full;
}

static gboolean
allocate_planes (Kept *kept)
{
  guint i;

  for (i = 0; i < kept->n_planes; i++) {
    Plane *plane = &kept->planes[i];

    plane->stride = ((gsize) plane->width * plane->unit + SRGAN_ALIGNMENT - 1) /
                    SRGAN_ALIGNMENT * SRGAN_ALIGNMENT;
    plane->memory = srgan_aligned_alloc ((gsize) plane->height, plane->stride);
    if (!plane->memory)
      return FALSE;
    kept->bytes += (gsize) plane->height * plane->stride;
  }
  return TRUE;
}

static void
free_planes (Kept *kept)
{
  guint i;

  for (i = 0; i < kept->n_planes; i++)
    srgan_aligned_free (kept->planes[i].memory);
}

/* Finds the planes of @frame. What is kept of another order of components is
 * forgotten. Returns: FALSE when components of one plane lie apart. */
static gboolean
find_planes (SrganReuse *reuse, Kept *kept, const SrganFrame *frame,
    gboolean filler, Planes *planes)
{
  const SrganLayout *layout = &reuse->plan->settings.layout;
  guint i, j;

  for (i = 0; i < kept->n_planes; i++) {
    const Plane *plane = &kept->planes[i];
    guint8 *base = NULL;
    gsize extent = 0;

    for (j = plane->first; j < plane->end; j++)
      if (is_used (layout, j, filler)) {
        guint8 *component = frame->component[j];

        base = base ? MIN (base, component) : component;
      }
    for (j = plane->first; j < plane->end; j++) {
      gsize offset;

      if (!is_used (layout, j, filler))
        continue;
      offset = (gsize) ((guint8 *) frame->component[j] - base);
      if (offset + kept->sample_bytes > plane->unit ||
          frame->stride[j] != frame->stride[plane->first]) {
        kept->valid = FALSE;
        return FALSE;
      }
      if (offset != kept->offset[j])
        kept->valid = FALSE;
      kept->offset[j] = offset;
      extent = MAX (extent, offset + kept->sample_bytes);
    }
    planes->base[i] = base;
    planes->stride[i] = frame->stride[plane->first];
    planes->row_bytes[i] = (gsize) (plane->width - 1) * plane->unit + extent;
  }
  return TRUE;
}

/* Rows of @plane that belong to row @row of cells. */
static Span
get_plane_rows (
    const SrganReuse *reuse, const Kept *kept, const Plane *plane, gint row)
{
  gint height = (CELL >> plane->shift_y) * kept->scale;

  return (Span){row * height,
      row + 1 == reuse->n_cells_y ? plane->height : (row + 1) * height};
}

/* --- comparing ----------------------------------------------------------- */

/* Marks what differs among cells [first, end) of one row of samples. */
static void
compare_cells (guint8 *changed, gint first, gint end, const guint8 *a,
    const guint8 *b, gsize cell_bytes, gsize row_bytes)
{
  gsize from = (gsize) first * cell_bytes;
  gint i;

  if (memcmp (a + from, b + from,
          MIN ((gsize) end * cell_bytes, row_bytes) - from) == 0)
    return;
  for (i = first; i < end; i++) {
    from = (gsize) i * cell_bytes;
    if (memcmp (
            a + from, b + from, MIN (from + cell_bytes, row_bytes) - from) != 0)
      changed[i] = TRUE;
  }
}

/* The end of the run of cells like @first. */
static gint
find_run (const guint8 *cells, gint first, gint end)
{
  const guint8 *other =
      memchr (cells + first, !cells[first], (gsize) (end - first));

  return other ? (gint) (other - cells) : end;
}

/* Finds what has changed in row @item of cells, and keeps that. */
static void
compare_item (gpointer data, guint item, guint worker)
{
  SrganReuse *reuse = data;
  const Kept *kept = &reuse->input;
  gint n = reuse->n_cells_x, first, end, y;
  guint8 *changed = reuse->changed + (gsize) item * (gsize) n;
  guint i;

  memset (changed, !kept->valid, (gsize) n);
  for (i = 0; i < kept->n_planes; i++) {
    const Plane *plane = &kept->planes[i];
    const gsize cell_bytes = (CELL >> plane->shift_x) * plane->unit;
    const Span rows = get_plane_rows (reuse, kept, plane, (gint) item);

    for (y = rows.first; y < rows.end; y++) {
      if (!memchr (changed, FALSE, (gsize) n))
        break;
      for (first = 0; first < n; first = end) {
        end = find_run (changed, first, n);
        if (!changed[first])
          compare_cells (changed, first, end,
              reuse->in.base[i] + (gsize) y * reuse->in.stride[i],
              plane->memory + (gsize) y * plane->stride, cell_bytes,
              reuse->in.row_bytes[i]);
      }
    }
  }
  for (i = 0; i < kept->n_planes; i++) {
    const Plane *plane = &kept->planes[i];
    const gsize cell_bytes = (CELL >> plane->shift_x) * plane->unit;
    const Span rows = get_plane_rows (reuse, kept, plane, (gint) item);

    for (first = 0; first < n; first = end) {
      gsize from = (gsize) first * cell_bytes, to;

      end = find_run (changed, first, n);
      to = MIN ((gsize) end * cell_bytes, reuse->in.row_bytes[i]);
      for (y = rows.first; changed[first] && y < rows.end; y++)
        memcpy (plane->memory + (gsize) y * plane->stride + from,
            reuse->in.base[i] + (gsize) y * reuse->in.stride[i] + from,
            to - from);
    }
  }
}

/* Makes dirty what reaches to changed cells. Returns: the number of cells */
static guint
spread_changes (SrganReuse *reuse)
{
  const gint n_x = reuse->n_cells_x, n_y = reuse->n_cells_y;
  const gsize n = (gsize) n_x * (gsize) n_y;
  guint n_dirty = 0;
  gint x, y, i;

  if (!memchr (reuse->changed, TRUE, n)) {
    memset (reuse->dirty, FALSE, n);
    return 0;
  }
  if (!reuse->local || !memchr (reuse->changed, FALSE, n)) {
    memset (reuse->dirty, TRUE, n);
    return (guint) n;
  }
  for (y = 0; y < n_y; y++) {
    const guint8 *changed = reuse->changed + (gsize) y * (gsize) n_x;
    guint8 *spread = reuse->spread + (gsize) y * (gsize) n_x;

    for (x = 0; x < n_x; x++) {
      const Span *span = &reuse->columns[x];

      spread[x] = memchr (changed + span->first, TRUE,
                      (gsize) (span->end - span->first)) != NULL;
    }
  }
  for (y = 0; y < n_y; y++) {
    const Span *span = &reuse->rows[y];
    guint8 *dirty = reuse->dirty + (gsize) y * (gsize) n_x;

    memset (dirty, FALSE, (gsize) n_x);
    for (i = span->first; i < span->end; i++)
      for (x = 0; x < n_x; x++)
        dirty[x] |= reuse->spread[(gsize) i * (gsize) n_x + (gsize) x];
    for (x = 0; x < n_x; x++)
      n_dirty += dirty[x];
  }
  return n_dirty;
}

/* --- rectangles ---------------------------------------------------------- */

static gint
divide_up (gint a, gint b)
{
  return (a + b - 1) / b;
}

/* Pixels' time of a piece of so many pixels. Half of what it overlaps with its
 * surroundings, on average over the layers, is computed on each side. */
static gdouble
get_piece_cost (const SrganReuse *reuse, gdouble width, gdouble height)
{
  return (width + reuse->reach) * (height + reuse->reach) + PIECE_COST;
}

static gdouble
get_cost (const SrganReuse *reuse, const SrganRegion *cells)
{
  gint width = cells->x1 - cells->x0, n = 1;

  if (width > reuse->max_width)
    n = divide_up (width, reuse->max_width);
  return n * get_piece_cost (reuse, (gdouble) width * CELL / n,
                 (gdouble) (cells->y1 - cells->y0) * CELL);
}

static gdouble
get_whole_cost (const SrganReuse *reuse)
{
  const SrganPlan *plan = reuse->plan;
  guint n_x = plan->n_tiles_x, n_y = plan->n_tiles_y;
  gint reach = reuse->reach;

  /* The frame's own edges overlap with nothing. */
  return n_x * n_y *
         get_piece_cost (reuse,
             (gdouble) plan->width / n_x - (n_x > 1 ? 0 : reach),
             (gdouble) plan->height / n_y - (n_y > 1 ? 0 : reach));
}

static SrganRegion
unite (const SrganRegion *a, const SrganRegion *b)
{
  return (SrganRegion){MIN (a->x0, b->x0), MAX (a->x1, b->x1),
      MIN (a->y0, b->y0), MAX (a->y1, b->y1)};
}

static gboolean
overlap (const SrganRegion *a, const SrganRegion *b)
{
  return a->x0 < b->x1 && b->x0 < a->x1 && a->y0 < b->y1 && b->y0 < a->y1;
}

/* Merges until no two overlap (threads must not write the same pixels) and no
 * merger gains anything. */
static void
merge_rectangles (SrganReuse *reuse)
{
  Rectangle *r = reuse->rectangles;
  gboolean merged;
  guint i, j;

  do {
    merged = FALSE;
    for (i = 0; i < reuse->n_rectangles; i++)
      for (j = i + 1; j < reuse->n_rectangles; j++) {
        const SrganRegion both = unite (&r[i].cells, &r[j].cells);
        const gdouble cost = get_cost (reuse, &both);

        if (!overlap (&r[i].cells, &r[j].cells) && cost > r[i].cost + r[j].cost)
          continue;
        r[i].cells = both;
        r[i].cost = cost;
        r[j] = r[--reuse->n_rectangles];
        merged = TRUE;
        j = i; /* it is another one now */
      }
  } while (merged);
}

/* Adds a run of cells: to the rectangle that ends just above and is as wide, or
 * as one of its own. Returns: FALSE when there is no room */
static gboolean
add_run (SrganReuse *reuse, const SrganRegion *run)
{
  guint i;

  for (i = 0; i < reuse->n_rectangles; i++) {
    SrganRegion *cells = &reuse->rectangles[i].cells;

    if (cells->y1 == run->y0 && cells->x0 == run->x0 && cells->x1 == run->x1) {
      cells->y1 = run->y1;
      return TRUE;
    }
  }
  if (reuse->n_rectangles == MAX_RECTANGLES)
    return FALSE;
  reuse->rectangles[reuse->n_rectangles++].cells = *run;
  return TRUE;
}

/* Covers the dirty cells with rectangles of @step x @step cells. Returns: FALSE
 * when there would be too many */
static gboolean
add_runs (SrganReuse *reuse, gint step)
{
  const gint n_x = reuse->n_cells_x, n_y = reuse->n_cells_y;
  const gint n = divide_up (n_x, step);
  guint8 *line = reuse->spread; /* has served by now */
  gint x, y, row, first, end;

  reuse->n_rectangles = 0;
  for (row = 0; row < n_y; row += step) {
    memset (line, FALSE, (gsize) n);
    for (y = row; y < MIN (row + step, n_y); y++)
      for (x = 0; x < n_x; x++)
        line[x / step] |= reuse->dirty[(gsize) y * (gsize) n_x + (gsize) x];
    for (first = 0; first < n; first = end) {
      SrganRegion run;

      end = find_run (line, first, n);
      run = (SrganRegion){
          first * step, MIN (end * step, n_x), row, MIN (row + step, n_y)};
      if (line[first] && !add_run (reuse, &run))
        return FALSE;
    }
  }
  return TRUE;
}

/* Returns: the cost of the rectangles */
static gdouble
find_rectangles (SrganReuse *reuse)
{
  gdouble cost = 0;
  gint step = 1;
  guint i;

  while (!add_runs (reuse, step))
    step *= 2;
  for (i = 0; i < reuse->n_rectangles; i++)
    reuse->rectangles[i].cost = get_cost (reuse, &reuse->rectangles[i].cells);
  merge_rectangles (reuse);
  for (i = 0; i < reuse->n_rectangles; i++)
    cost += reuse->rectangles[i].cost;
  return cost;
}

/* Cuts the rectangles so that each thread has its share. Returns: the number of
 * pieces */
static guint
cut_rectangles (SrganReuse *reuse, gdouble cost)
{
  const gdouble fair = cost / reuse->plan->settings.n_threads;
  guint i, n = 0;

  for (i = 0; i < reuse->n_rectangles; i++) {
    Rectangle *r = &reuse->rectangles[i];
    gint width = r->cells.x1 - r->cells.x0;
    gint height = r->cells.y1 - r->cells.y0;
    gint columns = divide_up (width, reuse->max_width);
    gint bands = (gint) (r->cost / fair / columns + .5);

    /* Bands lower than the reach would be overlap above all. */
    bands = CLAMP (bands, 1, MAX (height * CELL / MAX (reuse->reach, CELL), 1));
    r->piece_width = divide_up (width, columns);
    r->piece_height = divide_up (height, bands);
    r->n_columns = (guint) divide_up (width, r->piece_width);
    r->n_bands = (guint) divide_up (height, r->piece_height);
    n += r->n_columns * r->n_bands;
  }
  return n;
}

/* The share of the frame that lies in no rectangle. */
static gdouble
get_share (const SrganReuse *reuse)
{
  gsize covered = 0;
  guint i;

  for (i = 0; i < reuse->n_rectangles; i++) {
    const SrganRegion *cells = &reuse->rectangles[i].cells;
    gint width = MIN (cells->x1 * CELL, reuse->plan->width) - cells->x0 * CELL;
    gint height =
        MIN (cells->y1 * CELL, reuse->plan->height) - cells->y0 * CELL;

    covered += (gsize) width * (gsize) height;
  }
  return 1 - (gdouble) covered / reuse->plan->width / reuse->plan->height;
}

/* --- running ------------------------------------------------------------- */

static void
run_piece (gpointer data, guint item, guint worker)
{
  SrganReuse *reuse = data;
  const SrganPlan *plan = reuse->plan;
  const Rectangle *r = reuse->rectangles;
  SrganRegion input;

  for (; item >= r->n_columns * r->n_bands; r++)
    item -= r->n_columns * r->n_bands;
  input.x0 = r->cells.x0 + (gint) (item % r->n_columns) * r->piece_width;
  input.y0 = r->cells.y0 + (gint) (item / r->n_columns) * r->piece_height;
  input.x1 = MIN (input.x0 + r->piece_width, r->cells.x1);
  input.y1 = MIN (input.y0 + r->piece_height, r->cells.y1);
  input.x0 *= CELL;
  input.y0 *= CELL;
  input.x1 = MIN (input.x1 * CELL, plan->width);
  input.y1 = MIN (input.y1 * CELL, plan->height);
  srgan_plan_run_region (reuse->plan, worker, &input);
}

/* Copies row @item of cells of the kept output out. */
static void
copy_item (gpointer data, guint item, guint worker)
{
  SrganReuse *reuse = data;
  const Kept *kept = &reuse->output;
  guint i;
  gint y;

  for (i = 0; i < kept->n_planes; i++) {
    const Plane *plane = &kept->planes[i];
    const Span rows = get_plane_rows (reuse, kept, plane, (gint) item);

    for (y = rows.first; y < rows.end; y++)
      memcpy (reuse->out.base[i] + (gsize) y * reuse->out.stride[i],
          plane->memory + (gsize) y * plane->stride, reuse->out.row_bytes[i]);
  }
}

/* The kept output as a frame. */
static SrganFrame
get_kept_frame (const Kept *kept)
{
  SrganFrame frame = {{NULL}, {0}};
  guint i, j;

  for (i = 0; i < kept->n_planes; i++)
    for (j = kept->planes[i].first; j < kept->planes[i].end; j++) {
      frame.component[j] = kept->planes[i].memory + kept->offset[j];
      frame.stride[j] = kept->planes[i].stride;
    }
  return frame;
}

void
srgan_reuse_run (
    SrganReuse *reuse, const SrganFrame *input, const SrganFrame *output)
{
  SrganPlan *plan = reuse->plan;
  const guint n_rows = (guint) reuse->n_cells_y;
  gdouble cost = G_MAXDOUBLE;
  gboolean repeats = FALSE, can_keep, had_input;
  SrganFrame kept;

  reuse->share = 0;
  can_keep = find_planes (reuse, &reuse->output, output, TRUE, &reuse->out);
  if (!find_planes (reuse, &reuse->input, input, FALSE, &reuse->in) ||
      !can_keep) {
    reuse->input.valid = reuse->output.valid = FALSE;
    srgan_plan_run_whole (plan, input, output);
    return;
  }

  had_input = reuse->input.valid;
  srgan_workers_run (plan->workers, compare_item, reuse, n_rows);
  reuse->input.valid = TRUE;
  if (had_input && spread_changes (reuse) < n_rows * (guint) reuse->n_cells_x) {
    cost = find_rectangles (reuse);
    repeats = cost < WORTHWHILE * get_whole_cost (reuse);
  }
  reuse->n_quiet = repeats ? 0 : MIN (reuse->n_quiet + 1, PATIENCE);
  if (reuse->n_quiet == PATIENCE) {
    reuse->output.valid = FALSE;
    srgan_plan_run_whole (plan, input, output);
    return;
  }

  kept = get_kept_frame (&reuse->output);
  if (repeats && reuse->output.valid) {
    guint n_pieces = cut_rectangles (reuse, cost);

    plan->frame_in = input;
    plan->frame_out = &kept;
    srgan_workers_run (plan->workers, run_piece, reuse, n_pieces);
    plan->frame_in = plan->frame_out = NULL;
    reuse->share = get_share (reuse);
  } else {
    srgan_plan_run_whole (plan, input, &kept);
    reuse->output.valid = TRUE;
  }
  srgan_workers_run (plan->workers, copy_item, reuse, n_rows);
}

gdouble
srgan_reuse_get_share (const SrganReuse *reuse)
{
  return reuse->share;
}

gsize
srgan_reuse_get_bytes (const SrganReuse *reuse)
{
  return reuse->input.bytes + reuse->output.bytes;
}

/* --- making -------------------------------------------------------------- */

/* The cells that hold pixels [first, end) with @more on both sides. */
static Span
get_span (gint first, gint end, gint more, gint n_cells)
{
  first = MAX (first - more, 0) / CELL;
  end = divide_up (end + more, CELL);
  return (Span){first, MIN (end, n_cells)};
}

static Span
unite_spans (Span a, Span b)
{
  return (Span){MIN (a.first, b.first), MAX (a.end, b.end)};
}

/* Whether a cell of the output needs few of the input, wherever it lies: not
 * where a mean is taken, nor where maps lie on each other as the frame's size
 * has it, so that the rows to be kept are not the same everywhere. */
static gboolean
is_local (const SrganPlan *plan)
{
  guint i;

  for (i = 0; i < plan->n_stages; i++)
    if (plan->stages[i].fits)
      return FALSE;
  return srgan_network_get_reach (plan->network) != G_MAXUINT;
}

/* Finds which input each column and row of cells needs by placing tiles. */
static void
init_spans (SrganReuse *reuse, SrganTile *tile)
{
  const SrganPlan *plan = reuse->plan;
  const SrganLayout *layout = &plan->settings.layout;
  const gboolean colour =
      srgan_network_get_colour (plan->network) != SRGAN_COLOUR_Y;
  /* Interpolation, of chroma to the luma's size or of what is scaled beside the
   * network, reaches two samples to each side. */
  const gint beside_x = 2 << layout->chroma_width_shift;
  const gint beside_y = 2 << layout->chroma_height_shift;
  const gint chroma_x = colour && layout->chroma_width_shift ? beside_x + 1 : 0;
  const gint chroma_y =
      colour && layout->chroma_height_shift ? beside_y + 1 : 0;
  const SrganRegion *source = &tile->states[SRGAN_STAGE_SOURCE].region;
  gint i;

  for (i = 0; i < MAX (reuse->n_cells_x, reuse->n_cells_y); i++) {
    gint x = MIN (i, reuse->n_cells_x - 1), y = MIN (i, reuse->n_cells_y - 1);
    const SrganRegion cell = {x * CELL, MIN ((x + 1) * CELL, plan->width),
        y * CELL, MIN ((y + 1) * CELL, plan->height)};

    srgan_tile_place (tile, &cell);
    reuse->columns[x] =
        unite_spans (get_span (cell.x0, cell.x1, beside_x, reuse->n_cells_x),
            get_span (source->x0 - plan->frame_x, source->x1 - plan->frame_x,
                chroma_x, reuse->n_cells_x));
    reuse->rows[y] =
        unite_spans (get_span (cell.y0, cell.y1, beside_y, reuse->n_cells_y),
            get_span (source->y0 - plan->frame_y, source->y1 - plan->frame_y,
                chroma_y, reuse->n_cells_y));
    reuse->reach =
        MAX (reuse->reach, MAX (source->x1 - plan->frame_x - cell.x1,
                               source->y1 - plan->frame_y - cell.y1));
  }
}

SrganReuse *
srgan_reuse_new (SrganPlan *plan, SrganTile *tile, GError **error)
{
  SrganReuse *reuse = g_new0 (SrganReuse, 1);
  gsize n;

  reuse->plan = plan;
  init_planes (&reuse->input, plan, 1, FALSE);
  if (!init_planes (&reuse->output, plan, (gint) plan->scale, TRUE)) {
    g_free (reuse);
    return NULL;
  }
  if (!allocate_planes (&reuse->input) || !allocate_planes (&reuse->output)) {
    g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_TOO_LARGE,
        "Out of memory for keeping frames of %dx%d pixels", plan->width,
        plan->height);
    srgan_reuse_free (reuse);
    return NULL;
  }

  reuse->n_cells_x = divide_up (plan->width, CELL);
  reuse->n_cells_y = divide_up (plan->height, CELL);
  reuse->local = is_local (plan);
  reuse->max_width = MAX (plan->tile_width / CELL, 1);
  n = (gsize) reuse->n_cells_x * (gsize) reuse->n_cells_y;
  reuse->changed = g_malloc0 (n);
  reuse->spread = g_malloc0 (n);
  reuse->dirty = g_malloc0 (n);
  reuse->columns = g_new0 (Span, reuse->n_cells_x);
  reuse->rows = g_new0 (Span, reuse->n_cells_y);
  init_spans (reuse, tile);
  return reuse;
}

void
srgan_reuse_free (SrganReuse *reuse)
{
  if (!reuse)
    return;
  free_planes (&reuse->input);
  free_planes (&reuse->output);
  g_free (reuse->changed);
  g_free (reuse->spread);
  g_free (reuse->dirty);
  g_free (reuse->columns);
  g_free (reuse->rows);
  g_free (reuse);
}

gboolean
srgan_reuse_get_piece (
    const SrganReuse *reuse, guint column, guint row, SrganRegion *piece)
{
  const SrganPlan *plan = reuse->plan;
  gint x = (gint) column * CELL, y = (gint) row * CELL;

  if (x >= plan->width || y >= plan->height)
    return FALSE;
  *piece = (SrganRegion){
      x, MIN (x + reuse->max_width * CELL, plan->width), y, plan->height};
  return TRUE;
}
