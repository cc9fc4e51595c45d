/* engine: between the frame's components and the network: source and sink.
 *
 * Where the bytes go. A luma network on a YUV frame reads the Y plane row by
 * row into the first ring and writes rows of the output's Y plane; chroma and
 * alpha are interpolated from input plane to output plane. A luma network on
 * an RGB frame upscales all three components by cubic interpolation and adds to
 * each the same correction, the network's luma less the interpolated luma:
 * what converting to Y'CbCr, upscaling chroma and converting back comes to,
 * since all of that but the network is linear. A network of three channels gets
 * and gives whole pixels; chroma is brought to the luma's size and back.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/plan.h"

#include <string.h>

/* --- colour -------------------------------------------------------------- */

/* An affine map in double precision, while maps are composed. */
typedef struct {
  gdouble m[3][3];
  gdouble o[3];
} Affine;

static const Affine identity = {{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}, {0, 0, 0}};

/* b after a */
static Affine
compose (const Affine *b, const Affine *a)
{
  Affine c;
  gint i, j, k;

  for (i = 0; i < 3; i++) {
    c.o[i] = b->o[i];
    for (k = 0; k < 3; k++)
      c.o[i] += b->m[i][k] * a->o[k];
    for (j = 0; j < 3; j++) {
      c.m[i][j] = 0;
      for (k = 0; k < 3; k++)
        c.m[i][j] += b->m[i][k] * a->m[k][j];
    }
  }
  return c;
}

static Affine
invert (const Affine *a)
{
  Affine b;
  gdouble determinant;
  gint i, j;

  for (i = 0; i < 3; i++)
    for (j = 0; j < 3; j++) {
      gint r0 = (j + 1) % 3, r1 = (j + 2) % 3;
      gint c0 = (i + 1) % 3, c1 = (i + 2) % 3;

      b.m[i][j] = a->m[r0][c0] * a->m[r1][c1] - a->m[r0][c1] * a->m[r1][c0];
    }
  determinant =
      a->m[0][0] * b.m[0][0] + a->m[0][1] * b.m[1][0] + a->m[0][2] * b.m[2][0];
  for (i = 0; i < 3; i++)
    for (j = 0; j < 3; j++)
      b.m[i][j] /= determinant;
  for (i = 0; i < 3; i++) {
    b.o[i] = 0;
    for (j = 0; j < 3; j++)
      b.o[i] -= b.m[i][j] * a->o[j];
  }
  return b;
}

/* R'G'B' in 0 .. 1 to Y' in 0 .. 1 and Pb, Pr in -.5 .. .5 (BT.601 2.5). */
static Affine
rgb_to_ypbpr (gdouble kr, gdouble kb)
{
  gdouble kg = 1 - kr - kb;
  gdouble b = .5 / (1 - kb), r = .5 / (1 - kr);
  Affine a = {{{kr, kg, kb}, {-kr * b, -kg * b, .5}, {.5, -kg * r, -kb * r}},
      {0, 0, 0}};

  return a;
}

/* Y'PbPr or R'G'B' to codes in units of 255 (BT.601 and BT.709: 219 steps of
 * luma from 16, 224 of chroma around 128). */
static Affine
to_codes (gboolean yuv, gboolean full_range)
{
  Affine a = identity;
  gint i;

  for (i = 0; i < 3; i++)
    if (yuv && i > 0) {
      a.m[i][i] = full_range ? 1 : 224. / 255;
      a.o[i] = 128. / 255;
    } else if (!full_range) {
      a.m[i][i] = 219. / 255;
      a.o[i] = 16. / 255;
    }
  return a;
}

static SrganMix
to_mix (const Affine *a)
{
  SrganMix mix;
  gint i, j;

  for (i = 0; i < 3; i++) {
    mix.offset[i] = (gfloat) a->o[i];
    for (j = 0; j < 3; j++)
      mix.matrix[i][j] = (gfloat) a->m[i][j];
  }
  return mix;
}

static void
init_colour (SrganPlan *plan)
{
  const SrganLayout *layout = &plan->settings.layout;
  gboolean network_rgb =
      srgan_network_get_colour (plan->network) == SRGAN_COLOUR_RGB;
  gboolean frame_rgb = layout->kind == SRGAN_LAYOUT_RGB;
  Affine matrix = rgb_to_ypbpr (layout->matrix_kr, layout->matrix_kb);
  Affine frame = to_codes (!frame_rgb, layout->full_range);
  Affine network = to_codes (!network_rgb, network_rgb);
  Affine between = identity, in, out;
  gint i;

  if (frame_rgb && !network_rgb)
    between = matrix;
  else if (!frame_rgb && network_rgb)
    between = invert (&matrix);
  in = invert (&frame);
  in = compose (&between, &in);
  in = compose (&network, &in);
  out = invert (&in);
  if (layout->kind == SRGAN_LAYOUT_GRAY)
    for (i = 0; i < 3; i++) {
      /* No chroma: as though it were 128, whatever the row of zeros says. */
      in.o[i] += (in.m[i][1] + in.m[i][2]) * 128. / 255;
      in.m[i][1] = in.m[i][2] = 0;
    }
  plan->luma_scale = (gfloat) in.m[0][0];
  plan->luma_offset = (gfloat) in.o[0];
  plan->mix_in = to_mix (&in);
  plan->mix_out = to_mix (&out);

  if (srgan_network_get_colour (plan->network) == SRGAN_COLOUR_Y && frame_rgb) {
    /* What run_sink_luma_rgb() wants: each component less the luma, in the
     * network's unit. */
    gdouble unit = layout->full_range ? 219. / 255 : 1;
    Affine less = identity;
    gint j;

    for (i = 0; i < 3; i++)
      for (j = 0; j < 3; j++)
        less.m[i][j] = ((i == j) - matrix.m[0][j]) * unit;
    plan->luma_scale = (gfloat) unit;
    plan->luma_offset = (gfloat) (layout->full_range ? 16. / 255 : 0);
    plan->mix_out = to_mix (&less);
  } else if (srgan_network_get_colour (plan->network) == SRGAN_COLOUR_Y) {
    Affine luma = identity;

    luma.m[0][0] = 1 / in.m[0][0];
    luma.o[0] = -in.o[0] / in.m[0][0];
    plan->mix_out = to_mix (&luma);
  }
}

/* --- reading ------------------------------------------------------------- */

static guint
get_width_shift (const SrganLayout *layout, guint component)
{
  return layout->kind == SRGAN_LAYOUT_YUV && (component == 1 || component == 2)
             ? layout->chroma_width_shift
             : 0;
}

static guint
get_height_shift (const SrganLayout *layout, guint component)
{
  return layout->kind == SRGAN_LAYOUT_YUV && (component == 1 || component == 2)
             ? layout->chroma_height_shift
             : 0;
}

static gint
shift_up (gint size, guint shift)
{
  return (size + (1 << shift) - 1) >> shift;
}

static guint
get_n_components (const SrganLayout *layout)
{
  return layout->kind == SRGAN_LAYOUT_GRAY ? 1 : 3;
}

/* Pixels [x0, x1) of a row of a component, at the luma's size. */
static const gfloat *
load_component (SrganTile *tile, guint component, gint row, gint x0, gint x1)
{
  const SrganPlan *plan = tile->plan;
  const SrganLayout *layout = &plan->settings.layout;
  gfloat *output = tile->component[component];
  const guint8 *line;

  if (component >= get_n_components (layout))
    return plan->zeros;
  if (get_width_shift (layout, component) > 0 ||
      get_height_shift (layout, component) > 0) {
    const SrganScaler *scaler = &plan->chroma_up[component - 1];
    gint factor = (gint) scaler->x.factor;
    gint from = x0 / factor;

    srgan_scaler_run (
        scaler, tile, row, from, (x1 + factor - 1) / factor, output);
    return output + (x0 - from * factor);
  }
  line = (const guint8 *) plan->frame_in->component[component] +
         (gsize) row * plan->frame_in->stride[component];
  if (layout->sample == SRGAN_SAMPLE_FLOAT)
    return (const gfloat *) line + x0;
  plan->kernels->load_row (output, 1,
      line + (gsize) x0 * layout->pixel_stride[component],
      layout->pixel_stride[component], 1.f / 255, 0, x1 - x0);
  return output;
}

/* 8-bit luma as it lies. */
static void
load_luma (const SrganStage *stage, SrganTile *tile, gint row, gint x0, gint x1,
    gfloat *pixels)
{
  const SrganPlan *plan = tile->plan;
  const SrganFrame *frame = plan->frame_in;
  guint pixel_stride = plan->settings.layout.pixel_stride[0];

  plan->kernels->load_row (pixels, stage->stride,
      (const guint8 *) frame->component[0] + (gsize) row * frame->stride[0] +
          (gsize) x0 * pixel_stride,
      pixel_stride, plan->luma_scale / 255, plan->luma_offset,
      (guint) (x1 - x0));
}

static void
load_mix (const SrganStage *stage, SrganTile *tile, gint row, gint x0, gint x1,
    gfloat *pixels)
{
  const SrganPlan *plan = tile->plan;
  gfloat *output[3] = {
      tile->component[0], tile->component[1], tile->component[2]};
  const gfloat *input[3];
  guint i, width = (guint) (x1 - x0);

  for (i = 0; i < 3; i++)
    input[i] = load_component (tile, i, row, x0, x1);
  if (stage->channels == 1)
    output[0] = pixels;
  plan->kernels->mix_rows (
      output, input, plan->mix_in.matrix, plan->mix_in.offset, width);
  if (stage->channels == 3)
    plan->kernels->interleave_row (
        pixels, stage->stride, (const gfloat *const *) output, width);
}

static void
load_tensor (const SrganStage *stage, SrganTile *tile, gint row, gint x0,
    gint x1, gfloat *pixels)
{
  const SrganPlan *plan = tile->plan;
  const gfloat *input[3] = {NULL};
  guint i;

  for (i = 0; i < stage->channels; i++)
    input[i] = (const gfloat *) ((const guint8 *) plan->frame_in->component[i] +
                                 (gsize) row * plan->frame_in->stride[i]) +
               x0;
  if (stage->channels == 1)
    memcpy (pixels, input[0], (gsize) (x1 - x0) * sizeof (gfloat));
  else
    plan->kernels->interleave_row (
        pixels, stage->stride, input, (guint) (x1 - x0));
}

/* A row of the network's input: the frame's, its edge pixels repeated where the
 * network needs more than the frame (see sizes.c). */
static void
run_source (const SrganStage *stage, SrganTile *tile, gint row)
{
  const SrganPlan *plan = tile->plan;
  const SrganRegion *region = &tile->states[SRGAN_STAGE_SOURCE].region;
  const gint x0 = MAX (region->x0 - plan->frame_x, 0);
  const gint x1 = MIN (region->x1 - plan->frame_x, plan->width);
  gfloat *pixels = srgan_tile_get_pixel (tile, stage, row, x0 + plan->frame_x);

  plan->load_row (stage, tile, CLAMP (row - plan->frame_y, 0, plan->height - 1),
      x0, x1, pixels);
  srgan_extend_row (pixels, stage->stride, x1 - x0,
      x0 + plan->frame_x - region->x0, region->x1 - (x1 + plan->frame_x));
}

/* --- writing ------------------------------------------------------------- */

/* Pixel @x of a row of a component of the output; floats are planar. */
static gpointer
get_output (const SrganPlan *plan, guint component, gint row, gint x)
{
  const SrganLayout *layout = &plan->settings.layout;
  gsize size = layout->sample == SRGAN_SAMPLE_FLOAT ? sizeof (gfloat) : 1;

  return (guint8 *) plan->frame_out->component[component] +
         (gsize) row * plan->frame_out->stride[component] +
         (gsize) x * layout->pixel_stride[component] * size;
}

/* Values times @scale plus @offset. */
static void
store_component (SrganTile *tile, guint component, gint row, gint x,
    const gfloat *values, guint stride, guint width, gfloat scale,
    gfloat offset)
{
  const SrganPlan *plan = tile->plan;
  const SrganLayout *layout = &plan->settings.layout;
  gpointer output = get_output (plan, component, row, x);

  if (layout->sample == SRGAN_SAMPLE_FLOAT) {
    const SrganMix mix = {
        {{scale, 0, 0}, {0, 1, 0}, {0, 0, 1}}, {offset, 0, 0}};
    gfloat *rows[3] = {output, tile->restride, tile->restride};

    plan->kernels->shuffle_row (output, 1, values, stride, 1, 0, 1, width);
    if (scale != 1 || offset != 0)
      plan->kernels->mix_rows (
          rows, (const gfloat *const *) rows, mix.matrix, mix.offset, width);
    return;
  }
  plan->kernels->store_row (output, layout->pixel_stride[component], values,
      stride, scale * 255, offset * 255, width);
}

/* Rows of the network's output, or of what makes it, at the sink's region. */
static const gfloat *
get_sink_pixels (
    const SrganStage *sink, SrganTile *tile, guint input, gint row, gint x)
{
  gint factor = (gint) sink->input_factor[input];

  return srgan_tile_get_pixel (tile, &tile->plan->stages[sink->inputs[input]],
      (row + sink->offset_y) / factor, (x + sink->offset_x) / factor);
}

static void
run_sink_tensor (const SrganStage *stage, SrganTile *tile, gint row)
{
  const SrganPlan *plan = tile->plan;
  const SrganStage *input = &plan->stages[stage->inputs[0]];
  const SrganRegion *output = &tile->output;
  const gfloat *pixels = get_sink_pixels (stage, tile, 0, row, output->x0);
  const guint width = (guint) (output->x1 - output->x0);
  gfloat *rows[3] = {NULL};
  guint i;

  for (i = 0; i < input->channels; i++)
    rows[i] = get_output (plan, i, row, output->x0);
  if (input->channels == 1)
    plan->kernels->copy_channels_row (
        rows[0], 1, pixels, input->stride, 1, width);
  else
    plan->kernels->deinterleave_row (rows, pixels, input->stride, width);
}

/* The network ends in pixel shuffle plus resized input, and both run here: its
 * channels are the frame's components, or the first of them. */
static void
run_sink_shuffled (const SrganStage *stage, SrganTile *tile, gint row)
{
  const SrganPlan *plan = tile->plan;
  const SrganKernels *kernels = plan->kernels;
  const SrganLayout *layout = &plan->settings.layout;
  const SrganRegion *output = &tile->output;
  const SrganStage *input = &plan->stages[stage->inputs[0]];
  const SrganStage *resize = &plan->stages[stage->inputs[1]];
  guint factor = stage->input_factor[0];
  guint phase = (guint) row % factor;
  guint width = (guint) (output->x1 - output->x0);
  const gfloat *pixels = get_sink_pixels (stage, tile, 0, row, output->x0);
  const gfloat *base[3] = {
      get_sink_pixels (stage, tile, 1, row, output->x0), NULL, NULL};
  guint i, n = resize->channels;

  if (n == 3) {
    kernels->deinterleave_row (tile->component, base[0], resize->stride, width);
    for (i = 0; i < n; i++)
      base[i] = tile->component[i];
  }
  for (i = 0; i < n; i++, pixels += factor * factor) {
    gpointer row_out = get_output (plan, i, row, output->x0);
    gfloat scale = plan->mix_out.matrix[i][i];
    gfloat offset = plan->mix_out.offset[i];

    if (layout->sample == SRGAN_SAMPLE_UINT8) {
      kernels->store_shuffled_row (row_out, layout->pixel_stride[i], pixels,
          input->stride, base[i], factor, phase, 255 * scale, 255 * offset,
          width / factor);
    } else {
      gboolean is_sample = scale == 1 && offset == 0;

      kernels->shuffle_row (tile->restride, 1, pixels, input->stride, factor,
          phase, 1, width / factor);
      kernels->add_row (
          is_sample ? row_out : tile->restride, tile->restride, base[i], width);
      if (!is_sample)
        store_component (
            tile, i, row, output->x0, tile->restride, 1, width, scale, offset);
    }
  }
}

static void
run_sink_luma (const SrganStage *stage, SrganTile *tile, gint row)
{
  const SrganPlan *plan = tile->plan;
  const SrganRegion *output = &tile->output;

  store_component (tile, 0, row, output->x0,
      get_sink_pixels (stage, tile, 0, row, output->x0),
      plan->stages[stage->inputs[0]].stride, output->x1 - output->x0,
      plan->mix_out.matrix[0][0], plan->mix_out.offset[0]);
}

static void
run_sink_luma_rgb (const SrganStage *stage, SrganTile *tile, gint row)
{
  const SrganPlan *plan = tile->plan;
  const SrganKernels *kernels = plan->kernels;
  const SrganStage *input = &plan->stages[stage->inputs[0]];
  const SrganRegion *output = &tile->output;
  guint i, width = (guint) (output->x1 - output->x0);
  const gfloat *luma = get_sink_pixels (stage, tile, 0, row, output->x0);

  for (i = 0; i < 3; i++)
    srgan_scaler_run (&plan->scalers[i], tile, row, tile->input.x0,
        tile->input.x1, tile->component[i]);
  kernels->mix_rows (tile->component, (const gfloat *const *) tile->component,
      plan->mix_out.matrix, plan->mix_out.offset, width);
  if (input->stride != 1) {
    kernels->shuffle_row (
        tile->restride, 1, luma, input->stride, 1, 0, 1, width);
    luma = tile->restride;
  }
  for (i = 0; i < 3; i++) {
    kernels->add_row (tile->component[i], tile->component[i], luma, width);
    store_component (tile, i, row, output->x0, tile->component[i], 1, width,
        1 / plan->luma_scale, -plan->luma_offset / plan->luma_scale);
  }
}

static gfloat *
get_chroma_row (SrganTile *tile, guint index, gint row)
{
  return tile->chroma[index] +
         (gsize) (row % SRGAN_CHROMA_ROWS) * tile->plan->component_floats;
}

/* Averages the newest rows of chroma down to one row of the plane. */
static void
store_chroma (const SrganStage *stage, SrganTile *tile, guint index, gint row)
{
  const SrganPlan *plan = tile->plan;
  const SrganLayout *layout = &plan->settings.layout;
  const SrganRegion *region = &tile->states[plan->sink].region;
  const SrganRegion *output = &tile->output;
  guint shift = layout->chroma_width_shift;
  gint x0 = output->x0 >> shift, x1 = shift_up (output->x1, shift);
  gint width = region->x1 - region->x0;
  gfloat *blend = tile->blend + SRGAN_KERNEL_MAX_TAPS;
  const gfloat *rows[3];
  gint t;

  if (layout->chroma_height_shift == 0) {
    rows[0] = get_chroma_row (tile, index, row);
    memcpy (blend, rows[0], (gsize) width * sizeof (gfloat));
  } else {
    gint first = plan->halve_y[0] != 0 ? 0 : 1;

    for (t = 0; t < 3; t++)
      rows[t] = get_chroma_row (
          tile, index, CLAMP (2 * row - 1 + t, 0, plan->out_height - 1));
    plan->kernels->blend_rows (blend, rows + first, plan->halve_y + first,
        (guint) (3 - first), (guint) width);
  }
  if (shift > 0) {
    srgan_extend_row (blend, 1, width, 1, 1);
    plan->kernels->halve_row (tile->component[index + 1],
        blend + (2 * x0 - region->x0), plan->halve_x, (guint) (x1 - x0));
    blend = tile->component[index + 1];
  }
  store_component (tile, index + 1, row, x0, blend, 1, (guint) (x1 - x0), 1, 0);
}

static void
run_sink_mix (const SrganStage *stage, SrganTile *tile, gint row)
{
  const SrganPlan *plan = tile->plan;
  const SrganKernels *kernels = plan->kernels;
  const SrganLayout *layout = &plan->settings.layout;
  const SrganStage *input = &plan->stages[stage->inputs[0]];
  const SrganRegion *region = &tile->states[plan->sink].region;
  const SrganRegion *output = &tile->output;
  guint i, width = (guint) (region->x1 - region->x0);
  gint skip = output->x0 - region->x0;

  kernels->deinterleave_row (tile->component,
      get_sink_pixels (stage, tile, 0, row, region->x0), input->stride, width);
  kernels->mix_rows (tile->component, (const gfloat *const *) tile->component,
      plan->mix_out.matrix, plan->mix_out.offset, width);
  for (i = 0; i < get_n_components (layout); i++)
    if (get_width_shift (layout, i) > 0 || get_height_shift (layout, i) > 0)
      memcpy (get_chroma_row (tile, i - 1, row), tile->component[i],
          width * sizeof (gfloat));
    else if (row >= output->y0)
      store_component (tile, i, row, output->x0, tile->component[i] + skip, 1,
          (guint) (output->x1 - output->x0), 1, 0);
  if (get_n_components (layout) < 3 || row < output->y0)
    return;
  if (layout->chroma_height_shift > 0) {
    /* Both rows of a pair are there, or the frame ends. */
    if (row % 2 == 0 && row != plan->out_height - 1)
      return;
    row /= 2;
  } else if (layout->chroma_width_shift == 0) {
    return;
  }
  store_chroma (stage, tile, 0, row);
  store_chroma (stage, tile, 1, row);
}

/* --- beside the network -------------------------------------------------- */

static void
run_plane (SrganTile *tile, guint component)
{
  const SrganPlan *plan = tile->plan;
  const SrganLayout *layout = &plan->settings.layout;
  guint x_shift = get_width_shift (layout, component);
  guint y_shift = get_height_shift (layout, component);
  gint scale = (gint) plan->scale;
  /* Tiles start where chroma has a sample, and end there or at the edge. */
  gint x0 = tile->input.x0 >> x_shift;
  gint x1 = shift_up (tile->input.x1, x_shift);
  gint y0 = (tile->input.y0 >> y_shift) * scale;
  gint y1 = MIN (shift_up (tile->input.y1, y_shift) * scale,
      shift_up (plan->out_height, y_shift));
  gint width =
      MIN (x1 * scale, shift_up (plan->out_width, x_shift)) - x0 * scale;
  gint row;

  for (row = y0; row < y1; row++) {
    srgan_scaler_run (
        &plan->scalers[component], tile, row, x0, x1, tile->component[0]);
    store_component (tile, component, row, x0 * scale, tile->component[0], 1,
        (guint) width, 1, 0);
  }
}

void
srgan_frame_run_planes (SrganTile *tile)
{
  const SrganPlan *plan = tile->plan;
  const SrganLayout *layout = &plan->settings.layout;
  const SrganRegion *output = &tile->output;
  gint row;

  if (layout->kind == SRGAN_LAYOUT_TENSOR)
    return;
  if (layout->kind == SRGAN_LAYOUT_YUV &&
      srgan_network_get_colour (plan->network) == SRGAN_COLOUR_Y) {
    run_plane (tile, 1);
    run_plane (tile, 2);
  }
  switch (layout->fourth) {
  case SRGAN_FOURTH_ALPHA:
    run_plane (tile, 3);
    break;
  case SRGAN_FOURTH_FILLER:
    for (row = output->y0; row < output->y1; row++)
      store_component (tile, 3, row, output->x0, plan->zeros, 1,
          (guint) (output->x1 - output->x0), 0, 1);
    break;
  default:
    break;
  }
}

/* --- making -------------------------------------------------------------- */

/* An interpolation by @factor of samples whose plane is subsampled by
 * 2^@shift: a centred sample's grid keeps the frame's edges, a cosited one's
 * first sample lies on the first luma sample, which moves by
 * (1 - factor) / (2 factor) luma pixels. */
static void
init_scaler_axis (SrganInterpolation *interpolation, guint factor, guint shift,
    gboolean cosited)
{
  gdouble offset = (1. - factor) / (2. * factor);

  if (cosited)
    offset /= 1 << shift;
  srgan_interpolation_init (
      interpolation, factor, SRGAN_FILTER_BICUBIC, offset);
}

static void
init_scaler (SrganScaler *scaler, const SrganPlan *plan, guint component)
{
  const SrganLayout *layout = &plan->settings.layout;
  guint phase, tap;

  scaler->component = component;
  scaler->width = shift_up (plan->width, get_width_shift (layout, component));
  scaler->height =
      shift_up (plan->height, get_height_shift (layout, component));
  if (layout->sample == SRGAN_SAMPLE_FLOAT)
    return;
  for (phase = 0; phase < SRGAN_KERNEL_MAX_PHASES; phase++)
    for (tap = 0; tap < SRGAN_KERNEL_MAX_TAPS; tap++)
      scaler->y.weight[phase][tap] /= 255;
}

static void
init_scalers (SrganPlan *plan)
{
  const SrganLayout *layout = &plan->settings.layout;
  guint i;

  for (i = 0; i < SRGAN_MAX_COMPONENTS; i++) {
    SrganScaler *scaler = &plan->scalers[i];
    guint x_shift = get_width_shift (layout, i);
    guint y_shift = get_height_shift (layout, i);

    init_scaler_axis (&scaler->x, plan->scale, x_shift,
        x_shift > 0 && layout->chroma_cosited_x);
    init_scaler_axis (&scaler->y, plan->scale, y_shift,
        y_shift > 0 && layout->chroma_cosited_y);
    init_scaler (scaler, plan, i);
  }
  for (i = 0; i < 2; i++) {
    SrganScaler *scaler = &plan->chroma_up[i];
    guint x_factor = 1u << get_width_shift (layout, i + 1);
    guint y_factor = 1u << get_height_shift (layout, i + 1);

    srgan_interpolation_init (&scaler->x, x_factor, SRGAN_FILTER_BICUBIC,
        layout->chroma_cosited_x ? 0 : .5 / x_factor - .5);
    srgan_interpolation_init (&scaler->y, y_factor, SRGAN_FILTER_BICUBIC,
        layout->chroma_cosited_y ? 0 : .5 / y_factor - .5);
    init_scaler (scaler, plan, i + 1);
  }
}

static void
init_halving (gfloat *weight, gboolean cosited)
{
  weight[0] = cosited ? .25f : 0;
  weight[1] = .5f;
  weight[2] = cosited ? .25f : .5f;
}

/* Whether the network ends in pixel-shuffle + resize, made for the sink
 * alone. Fills @shuffle and @resize with their stages. */
static gboolean
find_shuffled_end (const SrganPlan *plan, guint *shuffle, guint *resize)
{
  const SrganStage *add = &plan->stages[plan->sink - 1];
  guint i, j;

  if (!add->layer || add->layer->operation != SRGAN_OPERATION_ADD ||
      add->n_inputs != 2 || add->slope || add->curve ||
      (add->channels != 1 && add->channels != 3))
    return FALSE;
  for (i = 0; i < 2; i++) {
    const SrganStage *a = &plan->stages[add->inputs[i]];
    const SrganStage *b = &plan->stages[add->inputs[1 - i]];

    if (a->layer && b->layer && a != b &&
        a->layer->operation == SRGAN_OPERATION_PIXEL_SHUFFLE && !a->slope &&
        !a->curve && !b->is_single && b->stride == b->channels)
      break;
  }
  if (i == 2)
    return FALSE;
  *shuffle = add->inputs[i];
  *resize = add->inputs[1 - i];
  for (i = 0; i < plan->sink - 1; i++)
    for (j = 0; j < plan->stages[i].n_inputs; j++)
      if (plan->stages[i].inputs[j] == *shuffle)
        return FALSE;
  return TRUE;
}

void
srgan_frame_init (SrganPlan *plan)
{
  const SrganLayout *layout = &plan->settings.layout;
  SrganStage *source = &plan->stages[SRGAN_STAGE_SOURCE];
  SrganStage *sink = &plan->stages[plan->sink];
  gboolean luma = srgan_network_get_colour (plan->network) == SRGAN_COLOUR_Y;
  gboolean bytes = layout->sample == SRGAN_SAMPLE_UINT8;
  guint shuffle, resize;

  init_colour (plan);
  init_scalers (plan);
  source->run = run_source;
  plan->load_row = layout->kind == SRGAN_LAYOUT_TENSOR ? load_tensor
                   : luma && bytes && layout->kind != SRGAN_LAYOUT_RGB
                       ? load_luma
                       : load_mix;

  sink->n_inputs = 1;
  sink->inputs[0] = plan->sink - 1;
  sink->input_factor[0] = 1;
  if (layout->kind == SRGAN_LAYOUT_TENSOR) {
    sink->run = run_sink_tensor;
    return;
  }
  if ((luma ? bytes && layout->kind != SRGAN_LAYOUT_RGB
            : layout->kind == SRGAN_LAYOUT_RGB &&
                  srgan_network_get_colour (plan->network) ==
                      SRGAN_COLOUR_RGB) &&
      sink->offset_x == 0 && sink->offset_y == 0 &&
      find_shuffled_end (plan, &shuffle, &resize)) {
    sink->run = run_sink_shuffled;
    sink->n_inputs = 2;
    sink->inputs[0] = plan->stages[shuffle].inputs[0];
    sink->input_factor[0] = plan->stages[shuffle].layer->factor;
    sink->inputs[1] = resize;
    sink->input_factor[1] = 1;
    plan->stages[shuffle].run = NULL;
    plan->stages[plan->sink - 1].run = NULL;
  } else if (!luma) {
    sink->run = run_sink_mix;
    init_halving (plan->halve_x,
        layout->chroma_width_shift > 0 && layout->chroma_cosited_x);
    init_halving (plan->halve_y,
        layout->chroma_height_shift > 0 && layout->chroma_cosited_y);
  } else if (layout->kind == SRGAN_LAYOUT_RGB) {
    sink->run = run_sink_luma_rgb;
  } else {
    sink->run = run_sink_luma;
  }
}
