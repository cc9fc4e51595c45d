/* kernels: ORC's conversions between 8-bit samples and floats, contiguous, with
 * the caller's floating-point mode kept. Inputs and outputs must not overlap.
 *
 * SPDX-License-Identifier: MIT
 */
#pragma once

#ifdef __SSE__
#include <xmmintrin.h>
#endif

#include <glib.h>

#include "kernels/pixels-orc.h"

/* Programs that ORC 0.4.33 makes of floating-point operations for SSE switch
 * to flushing denormals to zero and return without switching back: the thread
 * is the host's, and its sums would come out differently afterwards. */
static inline guint
srgan_pixels_save_mode (void)
{
#ifdef __SSE__
  return _mm_getcsr ();
#else
  return 0;
#endif
}

static inline void
srgan_pixels_restore_mode (guint mode)
{
#ifdef __SSE__
  _mm_setcsr (mode);
#else
  (void) mode;
#endif
}

/* output[i] = input[i] scale + offset, in two roundings. */
static inline void
srgan_pixels_load_row (
    gfloat *output, const guint8 *input, gfloat scale, gfloat offset, guint n)
{
  guint mode = srgan_pixels_save_mode ();

  srgan_pixels_load (output, input, scale, offset, n);
  srgan_pixels_restore_mode (mode);
}

/* The nearest code to input[i] scale + offset, NaN is 0. */
static inline void
srgan_pixels_store_row (
    guint8 *output, const gfloat *input, gfloat scale, gfloat offset, guint n)
{
  guint mode = srgan_pixels_save_mode ();

  srgan_pixels_store (output, input, scale, offset, n);
  srgan_pixels_restore_mode (mode);
}
