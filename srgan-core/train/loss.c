/* train: what a training run minimises.
 *
 * SPDX-License-Identifier: MIT
 */
#include "train/loss.h"

#include <math.h>

/* Sums run side by side so that the compiler can keep them in vectors, and are
 * put together in double precision after each block. */
#define LANES 8
#define BLOCK 512

/* The loss of one value: adds to @sum and sets @slope. Inlined for each kind,
 * so that the loop has no branch. */
static inline gfloat
one_value (SrganLossKind kind, gfloat epsilon, gfloat difference, gfloat *slope)
{
  gfloat root;

  switch (kind) {
  case SRGAN_LOSS_L1:
    /* at 0 any slope from -1 to 1 is right */
    *slope = copysignf (1, difference);
    return fabsf (difference);
  case SRGAN_LOSS_CHARBONNIER:
    root = sqrtf (difference * difference + epsilon * epsilon);
    *slope = difference / root;
    return root - epsilon;
  default:
    *slope = 2 * difference;
    return difference * difference;
  }
}

static inline gdouble
all_values (SrganLossKind kind, gfloat epsilon, const gfloat *output,
    const gfloat *target, guint n, gfloat weight, gfloat *gradient)
{
  gdouble total = 0;
  gfloat slope;

  for (guint start = 0; start < n; start += BLOCK) {
    guint end = MIN (n, start + BLOCK);
    guint i = start;
    gfloat sums[LANES] = {0};

    for (; i + LANES <= end; i += LANES)
      for (guint k = 0; k < LANES; k++) {
        sums[k] +=
            one_value (kind, epsilon, output[i + k] - target[i + k], &slope);
        gradient[i + k] = weight * slope;
      }
    for (; i < end; i++) {
      total += one_value (kind, epsilon, output[i] - target[i], &slope);
      gradient[i] = weight * slope;
    }
    for (guint k = 0; k < LANES; k++)
      total += sums[k];
  }
  return total;
}

gdouble
srgan_loss (SrganLossKind kind, gdouble epsilon, const gfloat *output,
    const gfloat *target, guint n, gfloat weight, gfloat *gradient)
{
  gfloat e = (gfloat) epsilon, w = weight / n;

  switch (kind) {
  case SRGAN_LOSS_L1:
    return all_values (SRGAN_LOSS_L1, e, output, target, n, w, gradient) / n;
  case SRGAN_LOSS_CHARBONNIER:
    return all_values (
               SRGAN_LOSS_CHARBONNIER, e, output, target, n, w, gradient) /
           n;
  case SRGAN_LOSS_L2:
    return all_values (SRGAN_LOSS_L2, e, output, target, n, w, gradient) / n;
  case SRGAN_LOSS_ORIGINAL_L1:
    /* 1000 / 255 (sqrt ((255 x)^2 + 1) - 1) = 1000 charbonnier at 1 / 255 */
    return 1000 *
           all_values (SRGAN_LOSS_CHARBONNIER, 1 / 255.f, output, target, n,
               1000 * w, gradient) /
           n;
  default: /* SRGAN_LOSS_ORIGINAL_L2 */
    return 255e3 *
           all_values (
               SRGAN_LOSS_L2, e, output, target, n, 255e3f * w, gradient) /
           n;
  }
}
