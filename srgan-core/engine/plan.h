/* engine: what a plan is made of. Internal to the engine.
 *
 * A plan turns the network's layers into stages: the source (rows of the
 * frame, made into the network's input), one stage a layer, and the sink (rows
 * of the network's output, made into rows of the frame; for a tensor, both as
 * they are). A frame is cut into
 * tiles; a tile is run row by row, each stage asking the stages before it for
 * just the rows that it needs next (stages.c). Each stage keeps its newest rows
 * in a ring, so that memory does not grow with the frame, and rows are read
 * while they are near: rings of few channels stay in the second-level cache,
 * and Winograd's kernels ask for those of many before they need them.
 *
 * Rows of the frame are handled in units of 1.0 for the code 255.
 *
 * SPDX-License-Identifier: MIT
 */
#pragma once

#include <srgan/srgan-engine.h>

#include "base/workers.h"
#include "kernels/bf16.h"
#include "kernels/int8.h"
#include "kernels/kernels.h"

G_BEGIN_DECLS

typedef struct _SrganStage SrganStage;
typedef struct _SrganTile SrganTile;
typedef struct _SrganPacked SrganPacked;
typedef struct _SrganReuse SrganReuse;

/* Rows and columns of a map: [x0, x1) x [y0, y1). */
typedef struct {
  gint x0, x1, y0, y1;
} SrganRegion;

/* An affine map of three values: out[i] = offset[i] + matrix[i] . in. */
typedef struct {
  gfloat matrix[3][3];
  gfloat offset[3];
} SrganMix;

/* Any enlargement along one axis: SrganKernels.gather_row's arguments for each
 * pixel of the output, with the edge's pixels repeated by their weights. */
typedef struct {
  guint n_taps;
  gint32 *first;
  gfloat *weight;
} SrganGather;

/* Enlarges one component of the frame by a whole factor. */
typedef struct {
  guint component;
  SrganInterpolation x;
  SrganInterpolation y; /* its weights bring samples to the engine's unit */
  gint width;           /* of the component's plane in the input frame */
  gint height;
} SrganScaler;

/* Computes row @row of the stage's map into the tile's ring; the rows that it
 * needs are there. */
typedef void (*SrganStageFunc) (
    const SrganStage *stage, SrganTile *tile, gint row);

/* Makes pixels [@x0, @x1) of row @row of the frame into the network's input. */
typedef void (*SrganLoadFunc) (const SrganStage *stage, SrganTile *tile,
    gint row, gint x0, gint x1, gfloat *pixels);

#define SRGAN_STAGE_SOURCE 0

struct _SrganStage {
  const SrganLayer *layer; /* NULL: source or sink */
  SrganStageFunc run;      /* NULL: another stage does this one's work */
  guint n_inputs;
  guint inputs[SRGAN_LAYER_MAX_INPUTS]; /* indices of stages */
  guint channels;
  guint stride; /* floats from one pixel to the next */
  gint width;   /* of the whole map */
  gint height;

  /* How far the stage reaches into its inputs (stages.c): output pixel x reads
   * floor ((x + offset) step / factor) - before .. that + after. */
  guint input_factor[SRGAN_LAYER_MAX_INPUTS];
  gint input_step;
  gint offset_x, offset_y;
  gint reach_before_x, reach_after_x;
  gint reach_before_y, reach_after_y;
  /* step / factor is the input's size over the stage's, whatever they are. */
  gboolean fits;

  /* Of a transposed convolution: one for each row that an input row makes. */
  const SrganConvolution *convolution;
  /* Where a convolution's first tap lies against the output pixel's own. */
  gint first_tap_x, first_tap_y;
  /* Pixels are made in blocks of so many, in both directions; block starts lie
   * at @anchor_x and @anchor_y modulo @block in the frame's map, so that a
   * pixel's place in its block, and with it its rounding, is the same in every
   * tile. Blocks may begin before the map and end behind it. */
  gint block;
  gint anchor_x, anchor_y;
  gboolean has_parts; /* see parts.c, which has a ring of its own */
  gsize parts_row_floats;
  gsize parts_offset; /* in a tile's arena, in floats */
  SrganInterpolation interpolation;
  SrganGather gather_x, gather_y;
  gfloat *slope;     /* of an activation that no convolution does; [stride] */
  SrganCurve *curve; /* likewise; at most one of the two */

  gboolean is_single; /* its map is 1x1: in the plan's memory, not a ring */
  guint pass;         /* in which it can be made: see passes.c */
  gboolean is_cheap;  /* made again in each pass that needs it */
  gfloat *store;      /* the whole map, for later passes; or NULL */
  gsize store_offset; /* in the plan's stores, in floats */
  gdouble *sums;      /* of a mean: see passes.c */

  guint ring_rows;
  guint margin;      /* pixels of zeros kept on both sides of a row */
  gsize row_floats;  /* of one ring row, margins and all */
  gsize ring_offset; /* in a tile's arena, in floats */
  gsize scratch;     /* floats of a tile's scratch for each input pixel */

  /* In a plan of lower precision: see precision.c. Beside its ring of floats,
   * or instead, a stage has one of codes, of the same rows, pixels and margins,
   * with one row of nothing but padding behind them. */
  gboolean is_int8;       /* a convolution of int8's codes */
  gboolean is_bf16;       /* of bfloat16's */
  gboolean makes_codes;   /* rather than floats */
  gboolean has_floats;    /* keeps rows as floats, too */
  SrganMapType code_type; /* FLOATS: it keeps no codes */
  guint code_stride;      /* codes from one pixel to the next */
  guint code_bytes;       /* of one code */
  guint8 code_zero;       /* what stands for 0, byte for byte */
  gsize code_row_bytes;   /* of one row, margins and all */
  gsize code_offset;      /* in a tile's arena, in floats */
  const SrganInt8Convolution *int8_convolution;
  const SrganBf16Convolution *bf16_convolution;
};

/* A stage while one tile runs. */
typedef struct {
  SrganRegion region; /* what of its map the tile needs */
  SrganRegion own;    /* what of it the tile alone stores or sums up */
  gint next;          /* the row it makes next */
  gfloat *ring;
  guint8 *codes; /* likewise, of codes */
} SrganStageState;

/* One worker's memory: what it needs to run one tile after another. */
struct _SrganTile {
  struct _SrganPlan *plan;
  SrganRegion input;  /* the tile's pixels of the input frame */
  SrganRegion output; /* and of the output frame */
  guint pass;
  SrganStageState *states; /* one a stage */
  gfloat *arena;
  gfloat *blend;        /* one input row with room beside it */
  gfloat *component[3]; /* rows of the output's width */
  gfloat *chroma[2];    /* rings of SRGAN_CHROMA_ROWS rows */
  gfloat *restride;     /* one row of any map */
  gfloat *scratch;      /* what convolutions work in */
};

/* Output rows of chroma kept while they are averaged down. */
#define SRGAN_CHROMA_ROWS 4

struct _SrganPlan {
  SrganNetwork *network;
  SrganPlanSettings settings;
  const SrganKernels *kernels;
  /* At most one of the two; neither: all is done in floats. */
  const SrganInt8Kernels *int8_kernels;
  const SrganBf16Kernels *bf16_kernels;
  SrganPacked *packed;
  guint scale;
  gint width, height; /* of the input */
  gint out_width, out_height;
  gint frame_x, frame_y; /* where in the source's map the frame begins */

  SrganStage *stages; /* [0] the source, [i + 1] layer i, then the sink */
  guint n_stages;
  guint sink; /* index of the sink */
  guint n_passes;
  guint pass; /* while a frame runs; else the last */

  /* Colour. */
  SrganLoadFunc load_row;
  SrganMix mix_in;                /* components to network values */
  SrganMix mix_out;               /* network values to components */
  gfloat luma_scale, luma_offset; /* component 0 to network value */
  SrganScaler chroma_up[2];       /* to the luma's size, for the source */
  SrganScaler scalers[SRGAN_MAX_COMPONENTS]; /* to the output's size */
  gfloat halve_x[3]; /* chroma down again, for the sink */
  gfloat halve_y[3];

  gint tile_width, tile_height;
  guint n_tiles_x, n_tiles_y;
  SrganTile *tiles;       /* one a worker */
  gsize arena_floats;     /* of a tile's rings */
  gsize tile_floats;      /* of all of a tile's memory */
  gsize scratch_floats;   /* of tile->scratch */
  gsize map_row_floats;   /* of tile->blend, ->restride and zeros: of any map */
  gsize component_floats; /* of one row of tile->component and ->chroma */
  gfloat *zeros;          /* a row of zeros, wide enough for any map */
  gfloat *singles;        /* the 1x1 maps */
  gfloat *stores;         /* whole maps; several in one place, one at a time */
  gdouble *sums;
  gsize pass_bytes; /* of the three */
  SrganWorkers *workers;
  SrganReuse *reuse; /* NULL: every frame is computed whole */

  const SrganFrame *frame_in; /* while a frame runs */
  const SrganFrame *frame_out;
};

/* --- plan.c ------------------------------------------------------------- */

/* Computes all of a frame. */
void srgan_plan_run_whole (
    SrganPlan *plan, const SrganFrame *input, const SrganFrame *output);
/* Computes @region, input pixels of plan->frame_in, as a tile on thread
 * @worker. */
void srgan_plan_run_region (
    SrganPlan *plan, guint worker, const SrganRegion *region);

/* --- algorithm.c --------------------------------------------------------- */

/* How a convolution can be run. */
typedef enum {
  SRGAN_ALGORITHM_DIRECT,
  SRGAN_ALGORITHM_WINOGRAD, /* F(4x4, 3x3) */
  SRGAN_ALGORITHM_PARTS,    /* 3x3 parts by Winograd's: see parts.c */
  SRGAN_N_ALGORITHMS,
} SrganAlgorithm;

/* What each would cost in fp32, in vector multiply-adds an output pixel;
 * negative where it cannot be, or @layer is no convolution. */
void srgan_layer_get_costs (
    const SrganLayer *layer, guint lanes, gdouble costs[SRGAN_N_ALGORITHMS]);
/* The cheapest. */
SrganAlgorithm srgan_layer_get_algorithm (const SrganLayer *layer, guint lanes);

/* --- parts.c ------------------------------------------------------------- */

/* Sets all of a convolution's stage but its stride. */
void srgan_stage_init_parts (SrganStage *stage);
/* The size of the ring of parts, for tiles with rows of @width pixels. */
guint srgan_parts_get_ring_rows (const SrganStage *stage);
gsize srgan_parts_get_row_floats (const SrganStage *stage, gint width);

/* --- stages.c ----------------------------------------------------------- */

/* Makes the stage of layer @index. FALSE with @error naming the layer when
 * this engine does not run its operation. */
gboolean srgan_stage_init (
    SrganStage *stage, SrganPlan *plan, guint index, GError **error);
void srgan_stage_clear (SrganStage *stage);
/* The region of input @input that @region of the stage needs, inside the
 * map. */
SrganRegion srgan_stage_get_input_region (const SrganPlan *plan,
    const SrganStage *stage, guint input, const SrganRegion *region);
/* The rows [first, end) of input @input that the block of rows from @row on
 * needs, inside the map. */
void srgan_stage_get_input_rows (const SrganPlan *plan, const SrganStage *stage,
    guint input, gint row, gint *first, gint *end);
/* Pixel @x of row @row of a stage that has been computed; the shared row of
 * zeros for a row outside the map; of a 1x1 map its pixel. */
gfloat *srgan_tile_get_pixel (
    SrganTile *tile, const SrganStage *stage, gint row, gint x);

/* Input @index of an elementwise stage at its region, with the stage's own
 * stride. */
const gfloat *srgan_tile_get_elements (
    const SrganStage *stage, SrganTile *tile, guint index, gint row);

/* --- maps.c: operations that are no convolutions -------------------------- */

gboolean srgan_stage_init_elementwise (
    SrganStage *stage, SrganPlan *plan, GError **error);
gboolean srgan_stage_init_concat (
    SrganStage *stage, SrganPlan *plan, GError **error);
gboolean srgan_stage_init_slice (
    SrganStage *stage, SrganPlan *plan, GError **error);
gboolean srgan_stage_init_crop (
    SrganStage *stage, SrganPlan *plan, GError **error);
gboolean srgan_stage_init_max_pool (
    SrganStage *stage, SrganPlan *plan, GError **error);
gboolean srgan_stage_init_pixel_unshuffle (
    SrganStage *stage, SrganPlan *plan, GError **error);
/* A resize to the size of another map. */
gboolean srgan_stage_init_fitting (
    SrganStage *stage, SrganPlan *plan, GError **error);

/* --- sizes.c ------------------------------------------------------------- */

/* Sets all maps' sizes, where the frame lies in the source's and the output in
 * the last layer's. */
gboolean srgan_plan_fit (SrganPlan *plan, GError **error);

/* --- passes.c: means of whole maps ---------------------------------------- */

gboolean srgan_stage_init_global_mean (
    SrganStage *stage, SrganPlan *plan, GError **error);
/* Decides in which pass each stage is made, and which are stored. */
void srgan_plan_init_passes (SrganPlan *plan);
gboolean srgan_plan_init_pass_memory (SrganPlan *plan, GError **error);
/* Whether the tile's pass reads the map, made in an earlier one. */
gboolean srgan_stage_is_loaded (const SrganStage *stage, const SrganTile *tile);
/* Whether the tile's pass makes all of the map or sums it up. */
gboolean srgan_stage_is_target (const SrganStage *stage, const SrganTile *tile);
/* The tile's part of the map of a target. */
SrganRegion srgan_stage_get_own (
    const SrganStage *stage, const SrganTile *tile);
void srgan_stage_load_row (const SrganStage *stage, SrganTile *tile, gint row);
void srgan_stage_store_row (const SrganStage *stage, SrganTile *tile, gint row);
/* All tiles have run pass @pass: makes the 1x1 maps that the next one reads. */
void srgan_plan_finish_pass (SrganPlan *plan, guint pass);

/* --- tile.c ------------------------------------------------------------- */

/* Sets @tile to make, in tile->pass, what comes of @input, pixels of the input
 * frame: every stage's region. @input starts where every component has a
 * sample. */
void srgan_tile_place (SrganTile *tile, const SrganRegion *input);
/* Runs it: all of its stages that belong to tile->pass. */
void srgan_tile_run (SrganTile *tile);
/* What all stages have in common once they have made a block of rows: the
 * activation, zeros around. */
void srgan_tile_finish_rows (
    const SrganStage *stage, SrganTile *tile, gint row);
/* Goes through the motions without computing and notes how many rows each
 * stage's ring must hold. */
void srgan_tile_measure (SrganTile *tile);

/* --- frame.c: between the frame's components and the network ------------- */

/* Colour matrices, scalers, and the run functions of source and sink. */
void srgan_frame_init (SrganPlan *plan);
/* The part of a tile that no network touches: chroma beside a luma network,
 * alpha, filler. */
void srgan_frame_run_planes (SrganTile *tile);

/* --- resample.c --------------------------------------------------------- */

/* Enlarges @in_size pixels to @out_size. FALSE when memory is out. */
gboolean srgan_gather_init (
    SrganGather *gather, gint in_size, gint out_size, SrganFilter filter);
void srgan_gather_clear (SrganGather *gather);

/* Output i lies at input i / factor + offset; Keys' cubic with a = -0.5. */
void srgan_interpolation_init (SrganInterpolation *interpolation, guint factor,
    SrganFilter filter, gdouble offset);
/* Row @row of the enlarged component, pixels [x0 * factor, x1 * factor), into
 * @output: x0 and x1 are pixels of the component's plane. */
void srgan_scaler_run (const SrganScaler *scaler, SrganTile *tile, gint row,
    gint x0, gint x1, gfloat *output);
/* Copies the first and the last pixel of [0, @width) outwards. */
void srgan_extend_row (
    gfloat *row, guint stride, gint width, gint before, gint after);

/* --- reuse.c: of the last frame ------------------------------------------ */

/* @tile: one to place, for a plan whose tiles are chosen. NULL without @error
 * for a layout in which bytes lie between samples that are nobody's. */
SrganReuse *srgan_reuse_new (SrganPlan *plan, SrganTile *tile, GError **error);
void srgan_reuse_free (SrganReuse *reuse);
/* As srgan_plan_run_whole(): the same output. */
void srgan_reuse_run (
    SrganReuse *reuse, const SrganFrame *input, const SrganFrame *output);
/* Of the last frame's pixels, those that were not computed: 0 .. 1. */
gdouble srgan_reuse_get_share (const SrganReuse *reuse);
/* The memory that frames are kept in. */
gsize srgan_reuse_get_bytes (const SrganReuse *reuse);
/* The largest region that is ever run from cell @column, @row on. FALSE: there
 * is no such cell. */
gboolean srgan_reuse_get_piece (
    const SrganReuse *reuse, guint column, guint row, SrganRegion *piece);

/* --- precision.c: what is computed in what -------------------------------- */

/* Puts what is to be computed in into the plan's settings. */
gboolean srgan_plan_choose_precision (SrganPlan *plan, GError **error);
/* Before stages are made: which compute with codes, and which keep them. */
void srgan_plan_init_codes (SrganPlan *plan);
/* After: which keep floats. */
void srgan_plan_init_floats (SrganPlan *plan);
/* A convolution of the kind that the kernels of all types of codes know. */
gboolean srgan_layer_is_plain (const SrganLayer *layer);
/* Whether these kernels' slopes can stand for the activation. */
gboolean srgan_layer_is_fused (const SrganLayer *layer);
static inline gboolean
srgan_stage_reads_codes (const SrganStage *stage)
{
  return stage->is_int8 || stage->is_bf16;
}
/* As srgan_tile_get_pixel(), of the ring of codes. */
gpointer srgan_tile_get_code (
    SrganTile *tile, const SrganStage *stage, gint row, gint x);
/* Of a stage that reads codes, for its row @row: where each row of the kernel
 * begins in the input, and how many pixels there are. Returns: where they go.
 */
gpointer srgan_stage_find_codes (const SrganStage *stage, SrganTile *tile,
    gint row, const void *rows[SRGAN_KERNEL_MAX_SIDE], guint *width);
/* A row that is there as codes, as floats, too; and the other way. */
void srgan_stage_make_floats (
    const SrganStage *stage, SrganTile *tile, gint row);
void srgan_stage_make_codes (
    const SrganStage *stage, SrganTile *tile, gint row);
/* Surrounds a row of codes with padding. */
void srgan_stage_end_codes (const SrganStage *stage, SrganTile *tile, gint row);

/* --- int8.c: plans in integers -------------------------------------------- */

void srgan_plan_init_int8 (SrganPlan *plan);
/* Packs layer @index, which is_int8. FALSE when memory is out. */
gboolean srgan_int8_pack_layer (
    SrganInt8Convolution *convolution, const SrganPlan *plan, guint index);
void srgan_stage_run_int8 (const SrganStage *stage, SrganTile *tile, gint row);

/* --- bf16.c: plans in bfloat16 ---------------------------------------------
 */

void srgan_plan_init_bf16 (SrganPlan *plan);
/* Likewise layer @index, which is_bf16. */
gboolean srgan_bf16_pack_layer (
    SrganBf16Convolution *convolution, const SrganPlan *plan, guint index);
void srgan_stage_run_bf16 (const SrganStage *stage, SrganTile *tile, gint row);

/* --- packed.c: weights in the kernels' order, one copy a process --------- */

/* Those of a plan whose stages are made. */
SrganPacked *srgan_packed_get (const SrganPlan *plan, GError **error);
void srgan_packed_unref (SrganPacked *packed);
/* NULL for a layer that has none. */
const SrganConvolution *srgan_packed_get_convolution (
    SrganPacked *packed, guint layer);
const SrganInt8Convolution *srgan_packed_get_int8_convolution (
    SrganPacked *packed, guint layer);
const SrganBf16Convolution *srgan_packed_get_bf16_convolution (
    SrganPacked *packed, guint layer);
/* Input pixels that row @phase of a transposed convolution's @kernel taps, of
 * the stride rows that an input row makes, reads before that row and after. */
void srgan_transposed_get_reach (
    guint kernel, guint stride, guint phase, gint *before, gint *after);
gsize srgan_packed_get_bytes (SrganPacked *packed);

G_END_DECLS
