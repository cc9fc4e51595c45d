/* train: what a training run minimises.
 *
 * SPDX-License-Identifier: MIT
 */
#pragma once

#include <srgan/srgan-error.h>

G_BEGIN_DECLS

typedef enum {
  SRGAN_LOSS_L1,          /* mean |d| */
  SRGAN_LOSS_CHARBONNIER, /* mean sqrt (d^2 + epsilon^2) - epsilon */
  SRGAN_LOSS_L2,          /* mean d^2 */
  /* as the original system (SRGAN-Rust) defines and calls them, d in codes: */
  SRGAN_LOSS_ORIGINAL_L1, /* 1000 / 255 mean (sqrt (d^2 + 1) - 1) */
  SRGAN_LOSS_ORIGINAL_L2, /* 2000 / 255 mean d^2 / 2 */
} SrganLossKind;

/* The mean loss over @n values. @gradient receives its derivative by each of
 * @output, times @weight. */
SRGAN_API
gdouble srgan_loss (SrganLossKind kind, gdouble epsilon, const gfloat *output,
    const gfloat *target, guint n, gfloat weight, gfloat *gradient);

G_END_DECLS
