/* kernels: what the files of this floor share.
 *
 * SPDX-License-Identifier: MIT
 */
#pragma once

#include "kernels/kernels.h"

G_BEGIN_DECLS

/* Bits of SrganConvolution.variant. */
enum {
  /* The activation is the identity and need not be computed. */
  SRGAN_CONVOLUTION_LINEAR = 1 << 0,
  /* Lanes hold input channels instead of output channels. */
  SRGAN_CONVOLUTION_NARROW = 1 << 1,
  /* Lanes hold channels, each read by one output only. */
  SRGAN_CONVOLUTION_DEPTHWISE = 1 << 2,
};

/* Allocates @n_weight floats and @n_outputs for bias and slope each, copies the
 * two, zero-padded, and sets everything but the weights' values. FALSE when
 * memory is out. */
gboolean srgan_convolution_alloc (SrganConvolution *convolution,
    guint in_channels, guint in_stride, guint out_channels, guint out_stride,
    guint kernel_width, guint kernel_height, gsize n_weight, gsize n_outputs,
    const gfloat *bias, const gfloat *slope);

/* Packs for the convolution whose lanes hold output channels:
 * weight[out / lanes][ky][in][kx][out % lanes], zero-padded. */
gboolean srgan_convolution_pack (SrganConvolution *convolution,
    guint in_channels, guint in_stride, guint out_channels, guint out_stride,
    guint kernel_width, guint kernel_height, const gfloat *weight,
    const gfloat *bias, const gfloat *slope, guint lanes);

/* Packs for convolve_winograd the transformed weights:
 * weight[group][position][in][out in group], zero-padded to whole @lanes, where
 * a group is @vectors times @lanes output channels, the last one what is left;
 * @scratch is how many floats the set needs for its work. */
gboolean srgan_convolution_pack_winograd (SrganConvolution *convolution,
    guint in_channels, guint in_stride, guint out_channels, guint out_stride,
    const gfloat *weight, const gfloat *bias, const gfloat *slope, guint lanes,
    guint vectors, gsize scratch);

/* Packs one filter a channel: weight[ky][kx][out_stride], zero-padded. */
gboolean srgan_convolution_pack_depthwise (SrganConvolution *convolution,
    guint channels, guint in_stride, guint out_stride, guint kernel_width,
    guint kernel_height, guint stride, const gfloat *weight, const gfloat *bias,
    const gfloat *slope);

/* Packs groups of a convolution of stride 1 as srgan_convolution_pack() does,
 * but for each vector of outputs only the group_inputs channels from
 * srgan_convolution_get_first_input() on. */
gboolean srgan_convolution_pack_groups (SrganConvolution *convolution,
    guint in_channels, guint in_stride, guint out_channels, guint out_stride,
    guint kernel_width, guint kernel_height, guint groups, const gfloat *weight,
    const gfloat *bias, const gfloat *slope, guint lanes);
guint srgan_convolution_get_first_input (
    const SrganConvolution *convolution, guint output);

/* Packs any other by @pack: groups as one, full of zeros; a stride by taking
 * as many pixels side by side for one pixel of as many times the channels, of
 * which the kernel is narrower and the stride 1. */
gboolean srgan_convolution_pack_strided (SrganConvolution *convolution,
    guint in_channels, guint in_stride, guint out_channels, guint kernel_width,
    guint kernel_height, guint stride, guint groups, const gfloat *weight,
    const gfloat *bias, const gfloat *slope,
    gboolean (*pack) (SrganConvolution *convolution, guint in_channels,
        guint in_stride, guint out_channels, guint kernel_width,
        guint kernel_height, const gfloat *weight, const gfloat *bias,
        const gfloat *slope));

extern const SrganKernels srgan_kernels_c;
extern const SrganKernels srgan_kernels_avx2;
extern const SrganKernels srgan_kernels_avx512;
extern const SrganKernels srgan_kernels_neon;

G_END_DECLS
