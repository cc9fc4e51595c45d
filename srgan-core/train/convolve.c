/* train: convolution and its derivative by the weight, by im2col and OpenBLAS.
 *
 * A band of rows is taken as one run of pixels, the border pixels between its
 * rows included: then the band is one matrix product, whatever the width. What
 * that writes into the border is put back to zero; what it reads there from a
 * gradient is zero.
 *
 * SPDX-License-Identifier: MIT
 */
#include "train/convolve.h"

#include <cblas.h>
#include <string.h>

#include "base/memory.h"

/* A band's im2col matrix should stay in the second-level cache. */
#define BAND_BYTES (256 * 1024)

gboolean
srgan_map_init (SrganMap *map, guint width, guint height, guint channels,
    guint stride, guint border)
{
  map->width = width;
  map->height = height;
  map->channels = channels;
  map->stride = stride;
  map->border = border;
  map->data = srgan_aligned_alloc (
      (gsize) (height + 2 * border) * (width + 2 * border) * stride,
      sizeof (gfloat));
  return map->data != NULL;
}

void
srgan_map_clear (SrganMap *map)
{
  srgan_aligned_free (map->data);
  map->data = NULL;
}

static guint
band_rows (const SrganMap *map, guint kernel)
{
  gsize row_bytes = (gsize) (map->width + 2 * map->border) * map->channels *
                    kernel * kernel * sizeof (gfloat);

  return MAX (1, MIN (BAND_BYTES / MAX (row_bytes, 1), map->height));
}

gsize
srgan_convolve_get_scratch (const SrganMap *map, guint kernel)
{
  return (gsize) band_rows (map, kernel) * (map->width + 2 * map->border) *
         map->channels * kernel * kernel;
}

/* Pixels in a band of @rows rows: from its first to its last inside. */
static gsize
band_pixels (const SrganMap *map, guint rows)
{
  return (gsize) (rows - 1) * (map->width + 2 * map->border) + map->width;
}

/* Lays out the neighbourhoods of @n pixels from the first of row @y. */
static void
lay_out (const SrganMap *map, guint y, gsize n, guint kernel, gfloat *matrix)
{
  gsize pitch = srgan_map_pitch (map);
  guint channels = map->channels;
  gsize part = (gsize) kernel * channels;
  const gfloat *corner = srgan_map_corner (map, y, kernel);

  /* constant lengths become a few moves: our own networks' cases */
  if (kernel == 3 && channels == 16 && map->stride == 16) {
    for (gsize i = 0; i < n; i++, corner += 16, matrix += 144) {
      memcpy (matrix, corner, 48 * sizeof (gfloat));
      memcpy (matrix + 48, corner + pitch, 48 * sizeof (gfloat));
      memcpy (matrix + 96, corner + 2 * pitch, 48 * sizeof (gfloat));
    }
  } else if (kernel == 3 && channels == 1 && map->stride == 1) {
    for (gsize i = 0; i < n; i++, corner++, matrix += 9) {
      memcpy (matrix, corner, 3 * sizeof (gfloat));
      memcpy (matrix + 3, corner + pitch, 3 * sizeof (gfloat));
      memcpy (matrix + 6, corner + 2 * pitch, 3 * sizeof (gfloat));
    }
  } else if (channels == map->stride) {
    for (gsize i = 0; i < n; i++, corner += channels)
      for (guint k = 0; k < kernel; k++, matrix += part)
        memcpy (matrix, corner + k * pitch, part * sizeof (gfloat));
  } else {
    for (gsize i = 0; i < n; i++, corner += map->stride)
      for (guint k = 0; k < kernel; k++)
        for (guint j = 0; j < kernel; j++, matrix += channels)
          memcpy (matrix, corner + k * pitch + (gsize) j * map->stride,
              channels * sizeof (gfloat));
  }
}

static void
clear_gaps (const SrganMap *map, guint y, guint rows)
{
  for (guint i = 0; i + 1 < rows; i++)
    memset (srgan_map_row (map, y + i) + (gsize) map->width * map->stride, 0,
        2 * (gsize) map->border * map->stride * sizeof (gfloat));
}

void
srgan_convolve (const SrganMap *input, const gfloat *weight, guint kernel,
    const SrganMap *output, gfloat *scratch)
{
  guint step = band_rows (input, kernel);
  gint length = (gint) (kernel * kernel * input->channels);
  gint out = (gint) output->channels;

  for (guint y = 0; y < input->height; y += step) {
    guint rows = MIN (step, input->height - y);
    gsize n = band_pixels (input, rows);

    lay_out (input, y, n, kernel, scratch);
    cblas_sgemm (CblasRowMajor, CblasNoTrans, CblasTrans, (gint) n, out, length,
        1, scratch, length, weight, length, 0, srgan_map_row (output, y),
        (gint) output->stride);
    clear_gaps (output, y, rows);
  }
}

void
srgan_convolve_weight_gradient (const SrganMap *input,
    const SrganMap *output_gradient, guint kernel, gfloat *weight_gradient,
    gfloat *scratch)
{
  guint step = band_rows (input, kernel);
  gint length = (gint) (kernel * kernel * input->channels);
  gint out = (gint) output_gradient->channels;

  for (guint y = 0; y < input->height; y += step) {
    guint rows = MIN (step, input->height - y);
    gsize n = band_pixels (input, rows);

    lay_out (input, y, n, kernel, scratch);
    cblas_sgemm (CblasRowMajor, CblasTrans, CblasNoTrans, out, length, (gint) n,
        1, srgan_map_row (output_gradient, y), (gint) output_gradient->stride,
        scratch, length, 1, weight_gradient, length);
  }
}

/* --- Any stride, any kernel -------------------------------------------- */

gsize
srgan_convolve_strided_get_scratch (
    const SrganConvolveShape *shape, guint in_channels, guint output_width)
{
  return (gsize) shape->width * shape->height * in_channels * output_width;
}

/* Between row @y's neighbourhoods, [pixel][ky][kx][in], and the map that they
 * are of: copied out, or, if @back, added to it. */
static void
exchange_row (const SrganMap *map, const SrganConvolveShape *shape, guint y,
    guint width, gfloat *matrix, gboolean back)
{
  guint channels = map->channels;

  for (guint x = 0; x < width; x++)
    for (guint v = 0; v < shape->height; v++) {
      gint row = (gint) (y * shape->stride + v) - (gint) shape->top;
      gboolean inside = row >= 0 && row < (gint) map->height;

      for (guint u = 0; u < shape->width; u++, matrix += channels) {
        gint column = (gint) (x * shape->stride + u) - (gint) shape->left;
        gfloat *pixel;

        if (!inside || column < 0 || column >= (gint) map->width) {
          if (!back)
            memset (matrix, 0, channels * sizeof (gfloat));
          continue;
        }
        pixel = srgan_map_row (map, row) + (gsize) column * map->stride;
        if (back)
          for (guint c = 0; c < channels; c++)
            pixel[c] += matrix[c];
        else
          memcpy (matrix, pixel, channels * sizeof (gfloat));
      }
    }
}

void
srgan_convolve_strided (const SrganMap *input, const gfloat *weight,
    const gfloat *bias, const SrganConvolveShape *shape, const SrganMap *output,
    gfloat *scratch)
{
  gint length = (gint) (shape->width * shape->height * input->channels);

  for (guint y = 0; y < output->height; y++) {
    gfloat *row = srgan_map_row (output, y);

    exchange_row (input, shape, y, output->width, scratch, FALSE);
    for (guint x = 0; bias != NULL && x < output->width; x++)
      memcpy (row + (gsize) x * output->stride, bias,
          output->channels * sizeof (gfloat));
    cblas_sgemm (CblasRowMajor, CblasNoTrans, CblasTrans, (gint) output->width,
        (gint) output->channels, length, 1, scratch, length, weight, length,
        bias != NULL, row, (gint) output->stride);
  }
}

void
srgan_convolve_strided_weight_gradient (const SrganMap *input,
    const SrganMap *output_gradient, const SrganConvolveShape *shape,
    gfloat *weight_gradient, gfloat *scratch)
{
  gint length = (gint) (shape->width * shape->height * input->channels);

  for (guint y = 0; y < output_gradient->height; y++) {
    exchange_row (input, shape, y, output_gradient->width, scratch, FALSE);
    cblas_sgemm (CblasRowMajor, CblasTrans, CblasNoTrans,
        (gint) output_gradient->channels, length, (gint) output_gradient->width,
        1, srgan_map_row (output_gradient, y), (gint) output_gradient->stride,
        scratch, length, 1, weight_gradient, length);
  }
}

void
srgan_convolve_strided_input_gradient (const SrganMap *output_gradient,
    const gfloat *weight, const SrganConvolveShape *shape,
    const SrganMap *input_gradient, gfloat *scratch)
{
  gint length =
      (gint) (shape->width * shape->height * input_gradient->channels);

  for (guint y = 0; y < output_gradient->height; y++) {
    cblas_sgemm (CblasRowMajor, CblasNoTrans, CblasNoTrans,
        (gint) output_gradient->width, length, (gint) output_gradient->channels,
        1, srgan_map_row (output_gradient, y), (gint) output_gradient->stride,
        weight, length, 0, scratch, length);
    exchange_row (
        input_gradient, shape, y, output_gradient->width, scratch, TRUE);
  }
}
