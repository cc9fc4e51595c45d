/* kernels: what the files of the int8 sets share.
 *
 * SPDX-License-Identifier: MIT
 */
#pragma once

#include "kernels/chunks.h"
#include "kernels/int8.h"
#include "kernels/kernels.h"

G_BEGIN_DECLS

/* Bits of SrganInt8Convolution.variant. */
enum {
  /* The activation is the identity: negative is positive. */
  SRGAN_INT8_LINEAR = 1 << 0,
  /* Lanes hold input channels instead of output channels: weights are in the
   * order of SRGAN_INT8_ORDER_PIXEL. */
  SRGAN_INT8_NARROW = 1 << 1,
  /* Weights are in the order of SRGAN_INT8_ORDER_COLUMNS. */
  SRGAN_INT8_COLUMNS = 1 << 2,
  /* Likewise of SRGAN_INT8_ORDER_CHUNKS. */
  SRGAN_INT8_TILES = 1 << 3,
};

typedef enum {
  /* As the codes lie in a row: the kernel_width in_stride codes of a kernel row
   * follow each other. */
  SRGAN_INT8_ORDER_RUN,
  /* The columns of the kernel innermost: one code loaded serves them all.
   * in_stride is a multiple of the group. */
  SRGAN_INT8_ORDER_COLUMNS,
  /* For few outputs: as the codes lie in a pixel, which is a number of groups
   * that divides @lanes or is a multiple of them:
   * [out / 4][ky][kx][out % 4][group of codes][code in group]. A pixel of fewer
   * groups than lanes is there as often as it fills them. */
  SRGAN_INT8_ORDER_PIXEL,
  /* As SRGAN_INT8_ORDER_RUN, but a kernel row is cut as chunks.h says. */
  SRGAN_INT8_ORDER_CHUNKS,
} SrganInt8Order;

/* How a set wants its weights: as SRGAN_INT8_ORDER_PIXEL says, or
 * [out / lanes][ky][group of codes, in @order][out % lanes][code in group],
 * zero-padded, gint8 or, with @is_wide, gint16. */
typedef struct {
  guint lanes; /* of bias and factors, too */
  guint group; /* codes that one multiply-add instruction takes for one sum */
  gboolean is_wide;
  /* In each vector of 4 lanes, of bytes in groups of 4: codes 0 and 1 of all
   * groups, then codes 2 and 3. */
  gboolean is_paired;
  SrganInt8Order order;
  gint offset; /* what the set takes from each byte before it multiplies */
} SrganInt8Packing;

/* Groups of a kernel row. */
static inline guint
srgan_int8_get_n_groups (const SrganInt8Convolution *convolution, guint group)
{
  return (convolution->kernel_width * convolution->in_stride + group - 1) /
         group;
}

/* A kernel row of bytes. */
static inline SrganChunks
srgan_int8_get_chunks (const SrganInt8Convolution *convolution)
{
  return srgan_chunks_cut (srgan_int8_get_n_groups (convolution, 4));
}

/* Everything that pack() does. */
gboolean srgan_int8_convolution_pack (SrganInt8Convolution *convolution,
    const SrganInt8Layer *layer, const SrganInt8Packing *packing);

guint srgan_int8_get_channel_stride (guint channels);

extern const SrganInt8Kernels srgan_int8_kernels_c;
extern const SrganInt8Kernels srgan_int8_kernels_avx2;
extern const SrganInt8Kernels srgan_int8_kernels_avxvnni;
extern const SrganInt8Kernels srgan_int8_kernels_avx512vnni;
extern const SrganInt8Kernels srgan_int8_kernels_amx;
extern const SrganInt8Kernels srgan_int8_kernels_neon;
extern const SrganInt8Kernels srgan_int8_kernels_dotprod;

G_END_DECLS
