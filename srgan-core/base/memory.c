/* base: aligned memory.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

gpointer
srgan_aligned_alloc (gsize n, gsize size)
{
  gsize bytes;
  gpointer memory = NULL;

  /* Whole cache lines, so that no two allocations share one. */
  if (!g_size_checked_mul (&bytes, n, size) ||
      !g_size_checked_add (&bytes, bytes, SRGAN_ALIGNMENT - 1))
    return NULL;
  bytes &= ~(gsize) (SRGAN_ALIGNMENT - 1);
  if (bytes == 0)
    bytes = SRGAN_ALIGNMENT;
  if (posix_memalign (&memory, SRGAN_ALIGNMENT, bytes) != 0)
    return NULL;
  return memset (memory, 0, bytes);
}

void
srgan_aligned_free (gpointer memory)
{
  free (memory);
}
