/* train: convolution and its derivative by the weight, by im2col and OpenBLAS.
 *
 * A map is [row][pixel][channel], float32, with `border` pixels of zeros
 * around it, which stand for zero padding: each function reads them and
 * leaves the borders of what it writes zero.
 *
 * A weight matrix is [out][ky][kx][in]: one row for each output channel, in
 * the order in which im2col lays a pixel's neighbourhood out.
 *
 * SPDX-License-Identifier: MIT
 */
#pragma once

#include <srgan/srgan-error.h>

G_BEGIN_DECLS

typedef struct {
  guint width;
  guint height;
  guint channels;
  guint stride; /* floats from pixel to pixel; beyond the channels: zeros */
  guint border;
  gfloat *data; /* the border's first pixel */
} SrganMap;

/* All zeros. FALSE when memory is out. */
SRGAN_API
gboolean srgan_map_init (SrganMap *map, guint width, guint height,
    guint channels, guint stride, guint border);
SRGAN_API
void srgan_map_clear (SrganMap *map);

/* Floats from row to row. */
static inline gsize
srgan_map_pitch (const SrganMap *map)
{
  return (gsize) (map->width + 2 * map->border) * map->stride;
}

/* The first pixel inside the border of row @y. */
static inline gfloat *
srgan_map_row (const SrganMap *map, guint y)
{
  return map->data + (map->border + y) * srgan_map_pitch (map) +
         (gsize) map->border * map->stride;
}

/* The pixel that tap (0, 0) of row @y's first output reads, of a kernel of
 * @kernel, odd, by @kernel. */
static inline gfloat *
srgan_map_corner (const SrganMap *map, guint y, guint kernel)
{
  return map->data + (map->border + y - kernel / 2) * srgan_map_pitch (map) +
         (gsize) (map->border - kernel / 2) * map->stride;
}

/* Floats of scratch memory that the functions below need for maps like
 * @map, whose channels may be fewer. */
SRGAN_API
gsize srgan_convolve_get_scratch (const SrganMap *map, guint kernel);

/* output = convolution of @input with @weight [out][k][k][in], k odd and
 * k / 2 <= border; the two maps have one size and border. Training runs
 * convolutions on the engine's kernels; this is what tests compare them with.
 */
SRGAN_API
void srgan_convolve (const SrganMap *input, const gfloat *weight, guint kernel,
    const SrganMap *output, gfloat *scratch);

/* Adds the derivative by the weight to @weight_gradient, from the input and
 * the derivative by the output. */
SRGAN_API
void srgan_convolve_weight_gradient (const SrganMap *input,
    const SrganMap *output_gradient, guint kernel, gfloat *weight_gradient,
    gfloat *scratch);

/* --- Any stride, any kernel -------------------------------------------- */

/* Output (x, y) reads inputs from (x stride - left, y stride - top) on; what
 * lies outside the map is zero. Borders are not used. */
typedef struct {
  guint width; /* of the kernel */
  guint height;
  guint stride;
  guint left; /* pixels of padding */
  guint top;
} SrganConvolveShape;

/* The shape of a layer of the network's description. */
#define SRGAN_CONVOLVE_SHAPE(layer)                                 \
  {                                                                 \
    (layer)->kernel_width, (layer)->kernel_height, (layer)->stride, \
        (layer)->padding == SRGAN_PADDING_NONE                      \
            ? 0                                                     \
            : ((layer)->kernel_width - 1) / 2,                      \
        (layer)->padding == SRGAN_PADDING_NONE                      \
            ? 0                                                     \
            : ((layer)->kernel_height - 1) / 2                      \
  }

/* Floats of scratch memory for one row of @output_width pixels. */
SRGAN_API
gsize srgan_convolve_strided_get_scratch (
    const SrganConvolveShape *shape, guint in_channels, guint output_width);

/* output = convolution of @input with @weight [out][ky][kx][in], plus @bias
 * (NULL: none). */
SRGAN_API
void srgan_convolve_strided (const SrganMap *input, const gfloat *weight,
    const gfloat *bias, const SrganConvolveShape *shape, const SrganMap *output,
    gfloat *scratch);

/* Adds the derivative by the weight to @weight_gradient. */
SRGAN_API
void srgan_convolve_strided_weight_gradient (const SrganMap *input,
    const SrganMap *output_gradient, const SrganConvolveShape *shape,
    gfloat *weight_gradient, gfloat *scratch);

/* Adds the derivative by the input to @input_gradient. */
SRGAN_API
void srgan_convolve_strided_input_gradient (const SrganMap *output_gradient,
    const gfloat *weight, const SrganConvolveShape *shape,
    const SrganMap *input_gradient, gfloat *scratch);

G_END_DECLS
