/* engine: what a plan computes in, and the rows of its codes.
 *
 * In a plan of lower precision, convolutions that suit it (int8.c, bf16.c) read
 * codes instead of floats; all other operations run on floats as ever. A stage
 * keeps its rows as whoever reads them wants them: as codes, as floats or,
 * converted once when the row is made, as both. The skip around a network's
 * layers so stays exact, outside of all this.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "engine/int8.h"
#include "engine/plan.h"

/* --- Choosing ------------------------------------------------------------ */

/* Most that "auto" gives up, in dB. */
#define MAX_INT8_LOSS .1
#define MAX_BF16_LOSS .02

static gboolean
has_mean (SrganNetwork *network)
{
  guint i;

  for (i = 0; i < srgan_network_get_n_layers (network); i++)
    if (srgan_network_get_layer (network, i)->operation ==
        SRGAN_OPERATION_GLOBAL_MEAN)
      return TRUE;
  return FALSE;
}

static gboolean
loses_little (SrganNetwork *network, SrganPrecision precision, gdouble most)
{
  gdouble loss;

  return srgan_network_get_loss (network, precision, &loss) && loss <= most;
}

/* Kernels are asked for last: that may ask the system for the right to tiles.
 */
static SrganPrecision
choose (SrganNetwork *network, SrganCpuFlags flags)
{
  if (has_mean (network))
    return SRGAN_PRECISION_FP32;
  if (srgan_network_get_precision (network) == SRGAN_PRECISION_INT8 &&
      loses_little (network, SRGAN_PRECISION_INT8, MAX_INT8_LOSS) &&
      srgan_int8_kernels_get (flags)->is_faster)
    return SRGAN_PRECISION_INT8;
  if (loses_little (network, SRGAN_PRECISION_BF16, MAX_BF16_LOSS) &&
      srgan_bf16_kernels_get (flags)->is_faster)
    return SRGAN_PRECISION_BF16;
  return SRGAN_PRECISION_FP32;
}

gboolean
srgan_plan_choose_precision (SrganPlan *plan, GError **error)
{
  const SrganCpuFlags flags = srgan_cpu_get_flags ();
  SrganNetwork *network = plan->network;
  const gchar *name = srgan_network_get_name (network);
  SrganPrecision *precision = &plan->settings.precision;

  if ((guint) *precision >= SRGAN_N_PRECISIONS) {
    g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_INVALID,
        "precision: %u is no such thing", *precision);
    return FALSE;
  }
  if (*precision == SRGAN_PRECISION_AUTO)
    *precision = choose (network, flags);
  if (*precision == SRGAN_PRECISION_FP32)
    return TRUE;
  if (*precision == SRGAN_PRECISION_INT8 &&
      srgan_network_get_precision (network) != SRGAN_PRECISION_INT8) {
    g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_UNSUPPORTED,
        "precision: the network \"%s\" has not been quantised; "
        "srgan-convert --int8 --calibrate FOLDER makes a file of it that has",
        name);
    return FALSE;
  }
  if (has_mean (network)) {
    g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_UNSUPPORTED,
        "precision: the network \"%s\" has a mean of the whole frame, which "
        "is not run in %s",
        name, srgan_precision_to_string (*precision));
    return FALSE;
  }
  if (*precision == SRGAN_PRECISION_INT8)
    plan->int8_kernels = srgan_int8_kernels_get (flags);
  else
    plan->bf16_kernels = srgan_bf16_kernels_get (flags);
  return TRUE;
}

gboolean
srgan_layer_is_plain (const SrganLayer *layer)
{
  return layer->operation == SRGAN_OPERATION_CONV && layer->stride == 1 &&
         layer->groups == 1 && layer->scale_up > 0 &&
         (layer->padding == SRGAN_PADDING_ZERO ||
             layer->padding == SRGAN_PADDING_NONE);
}

gboolean
srgan_layer_is_fused (const SrganLayer *layer)
{
  return layer->activation == SRGAN_ACTIVATION_NONE ||
         layer->activation == SRGAN_ACTIVATION_RELU ||
         layer->activation == SRGAN_ACTIVATION_LEAKY_RELU ||
         layer->activation == SRGAN_ACTIVATION_PRELU;
}

void
srgan_plan_init_codes (SrganPlan *plan)
{
  if (plan->int8_kernels)
    srgan_plan_init_int8 (plan);
  else if (plan->bf16_kernels)
    srgan_plan_init_bf16 (plan);
}

void
srgan_plan_init_floats (SrganPlan *plan)
{
  guint i, j;

  /* What makes floats keeps them: rows are converted from there. */
  for (i = 0; i < plan->n_stages; i++)
    plan->stages[i].has_floats = !plan->stages[i].makes_codes;
  for (i = 1; i < plan->n_stages; i++)
    for (j = 0; j < plan->stages[i].n_inputs &&
                !srgan_stage_reads_codes (&plan->stages[i]);
         j++)
      plan->stages[plan->stages[i].inputs[j]].has_floats = TRUE;
}

/* --- Rows ---------------------------------------------------------------- */

gpointer
srgan_tile_get_code (SrganTile *tile, const SrganStage *stage, gint row, gint x)
{
  const SrganStageState *state = &tile->states[stage - tile->plan->stages];
  /* Behind the ring lies a row that is never written. */
  gsize line = row < 0 || row >= stage->height
                   ? stage->ring_rows
                   : (gsize) (row % (gint) stage->ring_rows);

  return state->codes + line * stage->code_row_bytes +
         (gsize) (x - state->region.x0 + (gint) stage->margin) *
             stage->code_stride * stage->code_bytes;
}

gpointer
srgan_stage_find_codes (const SrganStage *stage, SrganTile *tile, gint row,
    const void *rows[SRGAN_KERNEL_MAX_SIDE], guint *width)
{
  const SrganPlan *plan = tile->plan;
  const SrganStage *input = &plan->stages[stage->inputs[0]];
  const SrganRegion *region = &tile->states[stage - plan->stages].region;
  guint ky;

  for (ky = 0; ky < stage->layer->kernel_height; ky++)
    rows[ky] = srgan_tile_get_code (tile, input,
        row + stage->first_tap_y + (gint) ky, region->x0 + stage->first_tap_x);
  *width = (guint) (region->x1 - region->x0);
  return stage->makes_codes
             ? srgan_tile_get_code (tile, stage, row, region->x0)
             : srgan_tile_get_pixel (tile, stage, row, region->x0);
}

/* @n floats of a stage's codes. */
static void
widen (const SrganStage *stage, const SrganPlan *plan, gfloat *output,
    gconstpointer codes, guint n)
{
  if (stage->code_type == SRGAN_MAP_BF16)
    plan->bf16_kernels->widen_row (output, codes, n);
  else
    plan->int8_kernels->dequantise_bytes (
        output, codes, stage->layer->output_step[0], stage->code_zero, n);
}

/* @n codes of a stage's floats. */
static void
encode (const SrganStage *stage, const SrganPlan *plan, gpointer codes,
    const gfloat *input, guint n)
{
  switch (stage->code_type) {
  case SRGAN_MAP_BF16:
    plan->bf16_kernels->round_row (codes, input, n);
    break;
  case SRGAN_MAP_WORDS:
    plan->int8_kernels->quantise_words (
        codes, input, 1 / SRGAN_INT8_INPUT_STEP, n);
    break;
  default:
    plan->int8_kernels->quantise_bytes (
        codes, input, 1 / stage->layer->output_step[0], stage->code_zero, n);
  }
}

void
srgan_stage_make_floats (const SrganStage *stage, SrganTile *tile, gint row)
{
  const SrganPlan *plan = tile->plan;
  const SrganRegion *region = &tile->states[stage - plan->stages].region;
  const guint width = (guint) (region->x1 - region->x0);
  gfloat *pixels = srgan_tile_get_pixel (tile, stage, row, region->x0);
  const guint8 *codes = srgan_tile_get_code (tile, stage, row, region->x0);

  if (stage->stride == stage->code_stride) {
    widen (stage, plan, pixels, codes, width * stage->stride);
    return;
  }
  widen (stage, plan, tile->restride, codes, width * stage->code_stride);
  plan->kernels->shuffle_row (pixels, stage->stride, tile->restride,
      stage->code_stride, 1, 0, stage->channels, width);
}

void
srgan_stage_make_codes (const SrganStage *stage, SrganTile *tile, gint row)
{
  const SrganPlan *plan = tile->plan;
  const SrganRegion *region = &tile->states[stage - plan->stages].region;
  const gint end = MIN (region->x1, stage->width);
  const gint first = MAX (region->x0, 0);
  const guint width = (guint) (end - first);
  const gfloat *pixels = srgan_tile_get_pixel (tile, stage, row, first);
  guint8 *codes = srgan_tile_get_code (tile, stage, row, first);

  if (stage->stride != stage->code_stride) {
    plan->kernels->shuffle_row (tile->restride, stage->code_stride, pixels,
        stage->stride, 1, 0, stage->channels, width);
    pixels = tile->restride;
  }
  encode (stage, plan, codes, pixels, width * stage->code_stride);
}

void
srgan_stage_end_codes (const SrganStage *stage, SrganTile *tile, gint row)
{
  const SrganRegion *region = &tile->states[stage - tile->plan->stages].region;
  const gsize pixel = (gsize) stage->code_stride * stage->code_bytes;
  gint end = MIN (region->x1, stage->width);

  if (region->x0 < 0)
    memset (srgan_tile_get_code (tile, stage, row, region->x0),
        stage->code_zero, (gsize) -region->x0 * pixel);
  memset (srgan_tile_get_code (tile, stage, row, end), stage->code_zero,
      (gsize) (region->x1 - end + (gint) stage->margin) * pixel);
}
