/* train: PSNR and SSIM of the luma, as papers on super-resolution measure.
 *
 * SPDX-License-Identifier: MIT
 */
#pragma once

#include "train/picture.h"

G_BEGIN_DECLS

typedef struct {
  gdouble psnr; /* dB against a peak of 255 codes; 99 for equal planes */
  gdouble ssim; /* Wang et al. 2004; NAN where less than 11 pixels are left */
} SrganScore;

/* Compares two planes of 8-bit luma codes after shaving @border pixels off
 * each side. */
SRGAN_API
SrganScore srgan_score_luma (const gdouble *reference, const gdouble *plane,
    guint width, guint height, guint border);

/* The same of two pictures of one size. */
SRGAN_API
SrganScore srgan_score_pictures (
    const SrganPicture *reference, const SrganPicture *picture, guint border);

G_END_DECLS
