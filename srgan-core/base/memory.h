/* base: aligned memory.
 *
 * SPDX-License-Identifier: MIT
 */
#pragma once

#include <srgan/srgan-error.h>

G_BEGIN_DECLS

/* A cache line, and the widest vector. */
#define SRGAN_ALIGNMENT 64

/* n * size zeroed bytes, aligned to SRGAN_ALIGNMENT; NULL when the product
 * overflows or memory is out: for sizes that come from a file or from caps,
 * where aborting the host is no answer. Free with srgan_aligned_free(). */
SRGAN_API
gpointer srgan_aligned_alloc (gsize n, gsize size);
SRGAN_API
void srgan_aligned_free (gpointer memory);

G_END_DECLS
