/* train: resizing and softening planes of floats, as the field does it.
 *
 * Not for frames: the engine's kernels do those. Here every ratio goes, edges
 * are mirrored with the edge pixel repeated, and the bicubic is MATLAB's
 * imresize, antialiased, with which test sets are made.
 *
 * SPDX-License-Identifier: MIT
 */
#pragma once

#include <srgan/srgan-error.h>

G_BEGIN_DECLS

typedef enum {
  SRGAN_RESAMPLE_BICUBIC,  /* Keys 1981, a = -0.5 */
  SRGAN_RESAMPLE_BILINEAR, /* a triangle */
  SRGAN_RESAMPLE_BOX,      /* the mean of the area that a pixel covers */
  SRGAN_RESAMPLE_LANCZOS,  /* a sinc in the window of one three times as wide */
} SrganResampleFilter;

/* One direction of a resize: output i is the sum over t of
 * weight[i * n_taps + t] * input[first[i] + t], where input indices below 0
 * and from n_in on stand for mirrored ones. */
typedef struct {
  guint n_in;
  guint n_out;
  guint n_taps;
  gint *first;
  gfloat *weight;
} SrganResampler;

/**
 * srgan_resampler_new:
 * @scale: output pixels for one input pixel; below 1 the filter is widened by
 *   1 / @scale (antialiased)
 * @offset: where the left edge of the first output pixel lies, in input
 *   pixels; 0 in an ordinary resize
 */
SRGAN_API
SrganResampler *srgan_resampler_new (SrganResampleFilter filter, guint n_in,
    guint n_out, gdouble scale, gdouble offset);
SRGAN_API
void srgan_resampler_free (SrganResampler *resampler);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SrganResampler, srgan_resampler_free)

/* The pixel that stands for pixel @i of @n, inside or out. */
static inline guint
srgan_resample_mirror (gint i, guint n)
{
  gint period = 2 * (gint) n;

  i %= period;
  if (i < 0)
    i += period;
  return (guint) (i < (gint) n ? i : period - 1 - i);
}

/* @input: vertical->n_in rows of horizontal->n_in floats;
 * @output: vertical->n_out rows of horizontal->n_out; @scratch: room for
 * vertical->n_out * horizontal->n_in floats. */
SRGAN_API
void srgan_resample (const SrganResampler *horizontal,
    const SrganResampler *vertical, const gfloat *input, gfloat *output,
    gfloat *scratch);

/* A Gaussian of standard deviation @sigma pixels, cut off at @radius, as a
 * resampler of ratio 1 on @n pixels. */
SRGAN_API
SrganResampler *srgan_resampler_new_gaussian (
    guint n, gdouble sigma, guint radius);

/* score.py's (and MATLAB's) imresize of interleaved 8-bit pixels by the factor
 * n_out / n_in of each side: double precision, result rounded to even and
 * clipped. @scale is the nominal ratio. */
SRGAN_API
void srgan_resample_bytes (const guint8 *input, guint width, guint height,
    guint channels, gdouble scale, guint8 *output, guint out_width,
    guint out_height);

/* Codes of 8-bit limited-range luma to linear light (0 .. 1) and back, by the
 * transfer function of sRGB (IEC 61966-2-1) applied to grey. */
SRGAN_API
gfloat srgan_luma_to_linear (gfloat code);
SRGAN_API
gfloat srgan_linear_to_luma (gfloat light);

G_END_DECLS
