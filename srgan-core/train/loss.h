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
} SrganLossKind;

/* The mean loss over @n values. @gradient receives its derivative by each of
 * @output, times @weight. */
SRGAN_API
gdouble srgan_loss (SrganLossKind kind, gdouble epsilon, const gfloat *output,
    const gfloat *target, guint n, gfloat weight, gfloat *gradient);

G_END_DECLS
