/* train: losses that look at more than one pixel: SSIM, MS-SSIM, and the
 * distance in the Fourier domain. Each with its derivative.
 *
 * SPDX-License-Identifier: MIT
 */
#pragma once

#include <srgan/srgan-error.h>

G_BEGIN_DECLS

/* Sides below this have no SSIM. */
#define SRGAN_SSIM_WINDOW 11

/* 1 - SSIM (Wang et al. 2004) of planes of values whose white is 1, its window
 * at the positions where it lies inside; with @n_scales > 1, 1 - MS-SSIM (Wang
 * et al. 2003) of so many scales, or as many as fit, its exponents made to
 * sum to 1. Adds @weight times the derivative by @output to @gradient, whose
 * pixels, as those of the planes, are @step floats apart. */
SRGAN_API
gdouble srgan_ssim_loss (const gfloat *output, const gfloat *target,
    guint width, guint height, guint step, guint n_scales, gfloat weight,
    gfloat *gradient);

/* Two halves of equal weight, of the planes' orthonormal Fourier transforms X
 * and Y: the mean of | |X| - |Y| |, which does not ask where things lie, and
 * that of |X - Y|, which does. After Fuoli et al. 2021 (arXiv 2106.00783),
 * whose second half is the difference of the angles. Likewise. */
SRGAN_API
gdouble srgan_fourier_loss (const gfloat *output, const gfloat *target,
    guint width, guint height, guint step, gfloat weight, gfloat *gradient);

G_END_DECLS
