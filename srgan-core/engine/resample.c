/* engine: interpolation by whole factors: of chroma and alpha beside a luma
 * network, of a network's resize layers.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/plan.h"

#include <math.h>
#include <string.h>

/* Keys, "Cubic convolution interpolation for digital image processing", IEEE
 * Trans. ASSP 29 (1981), a = -0.5. */
static gdouble
cubic (gdouble x)
{
  x = fabs (x);
  if (x <= 1)
    return (1.5 * x - 2.5) * x * x + 1;
  if (x < 2)
    return ((-0.5 * x + 2.5) * x - 4) * x + 2;
  return 0;
}

void
srgan_interpolation_init (SrganInterpolation *interpolation, guint factor,
    SrganFilter filter, gdouble offset)
{
  guint phase, tap;

  memset (interpolation, 0, sizeof *interpolation);
  interpolation->factor = factor;
  if (factor == 1 && offset == 0)
    filter = SRGAN_FILTER_NEAREST; /* the same, and one tap */
  switch (filter) {
  case SRGAN_FILTER_NEAREST:
    interpolation->n_taps = 1;
    break;
  case SRGAN_FILTER_BILINEAR:
    interpolation->n_taps = 2;
    break;
  default:
    interpolation->n_taps = 4;
    break;
  }
  for (phase = 0; phase < factor; phase++) {
    gdouble position = (gdouble) phase / factor + offset;
    gint whole = (gint) floor (position);
    gdouble fraction = position - whole;

    switch (interpolation->n_taps) {
    case 1:
      interpolation->first[phase] = 0;
      interpolation->weight[phase][0] = 1;
      break;
    case 2:
      interpolation->first[phase] = whole;
      interpolation->weight[phase][0] = (gfloat) (1 - fraction);
      interpolation->weight[phase][1] = (gfloat) fraction;
      break;
    default:
      interpolation->first[phase] = whole - 1;
      for (tap = 0; tap < 4; tap++)
        interpolation->weight[phase][tap] = (gfloat) cubic (fraction + 1 - tap);
      break;
    }
  }
}

gboolean
srgan_gather_init (
    SrganGather *gather, gint in_size, gint out_size, SrganFilter filter)
{
  const gint n_taps = filter == SRGAN_FILTER_NEAREST    ? 1
                      : filter == SRGAN_FILTER_BILINEAR ? 2
                                                        : 4;
  const gint n_kept = MIN (n_taps, in_size);
  gint i, tap;

  gather->n_taps = (guint) n_kept;
  gather->first = g_try_new (gint32, out_size);
  gather->weight = g_try_new0 (gfloat, (gsize) out_size * n_kept);
  if (!gather->first || !gather->weight)
    return FALSE;
  for (i = 0; i < out_size; i++) {
    gdouble position = (i + .5) * in_size / out_size - .5;
    gint whole = (gint) floor (position);
    gdouble fraction = position - whole;
    gint first = n_taps == 1 ? (gint) ((gint64) i * in_size / out_size)
                             : whole - (n_taps / 2 - 1);
    gint kept = CLAMP (first, 0, in_size - n_kept);

    gather->first[i] = kept;
    for (tap = 0; tap < n_taps; tap++) {
      gint at = CLAMP (first + tap, 0, in_size - 1);
      gdouble weight = n_taps == 1   ? 1
                       : n_taps == 2 ? (tap == 0 ? 1 - fraction : fraction)
                                     : cubic (fraction + 1 - tap);

      gather->weight[(gsize) i * n_kept + (at - kept)] += (gfloat) weight;
    }
  }
  return TRUE;
}

void
srgan_gather_clear (SrganGather *gather)
{
  g_clear_pointer (&gather->first, g_free);
  g_clear_pointer (&gather->weight, g_free);
}

void
srgan_extend_row (
    gfloat *row, guint stride, gint width, gint before, gint after)
{
  const gfloat *last = row + (gsize) (width - 1) * stride;
  gint i;

  for (i = 1; i <= before; i++)
    memcpy (row - (gsize) i * stride, row, stride * sizeof (gfloat));
  for (i = 0; i < after; i++)
    memcpy (row + (gsize) (width + i) * stride, last, stride * sizeof (gfloat));
}

void
srgan_scaler_run (const SrganScaler *scaler, SrganTile *tile, gint row, gint x0,
    gint x1, gfloat *output)
{
  const SrganPlan *plan = tile->plan;
  const SrganKernels *kernels = plan->kernels;
  const SrganLayout *layout = &plan->settings.layout;
  const SrganFrame *frame = plan->frame_in;
  guint component = scaler->component;
  guint pixel_stride = layout->pixel_stride[component];
  gint y = row / (gint) scaler->y.factor;
  guint phase = row % (gint) scaler->y.factor;
  /* The taps reach 2 to the left and 2 to the right at most. */
  gint from = MAX (x0 - 2, 0);
  gint to = MIN (x1 + 2, scaler->width);
  gfloat *blend = tile->blend + SRGAN_KERNEL_MAX_TAPS;
  const gfloat *weight = scaler->y.weight[phase];
  gconstpointer rows[SRGAN_KERNEL_MAX_TAPS] = {NULL};
  guint tap;

  for (tap = 0; tap < scaler->y.n_taps; tap++) {
    gint r =
        CLAMP (y + scaler->y.first[phase] + (gint) tap, 0, scaler->height - 1);
    const guint8 *line = (const guint8 *) frame->component[component] +
                         (gsize) r * frame->stride[component];

    rows[tap] = layout->sample == SRGAN_SAMPLE_FLOAT
                    ? (gconstpointer) ((const gfloat *) line + from)
                    : (gconstpointer) (line + (gsize) from * pixel_stride);
  }
  if (layout->sample == SRGAN_SAMPLE_FLOAT)
    kernels->blend_rows (blend, (const gfloat *const *) rows, weight,
        scaler->y.n_taps, to - from);
  else
    kernels->blend_rows_u8 (blend, (const guint8 *const *) rows, pixel_stride,
        weight, scaler->y.n_taps, to - from);
  srgan_extend_row (
      blend, 1, to - from, from == 0 ? 2 : 0, to == scaler->width ? 2 : 0);
  kernels->interpolate_row (
      output, blend + (x0 - from), &scaler->x, 1, x1 - x0);
}
