/* tests: the checks of every kernel set without GLib's library, for a machine
 * that has only a C library: what run-aarch64.sh cross-compiles.
 *
 * SPDX-License-Identifier: MIT
 */
#include "check.h"

#include <stdio.h>

SrganCpuFlags
srgan_cpu_get_flags (void)
{
#ifdef __aarch64__
  return SRGAN_CPU_NEON;
#else
  return 0;
#endif
}

int
main (void)
{
  const SrganKernels *const *kernels;
  guint n_failed = 0, n = 0, check;

  /* Not the reference, which is the same everywhere: emulation is slow. */
  for (kernels = srgan_kernels_list () + 1; *kernels; kernels++)
    n += kernels_check_get_n ();
  printf ("1..%u\n", n);
  n = 0;
  for (kernels = srgan_kernels_list () + 1; *kernels; kernels++)
    for (check = 0; check < kernels_check_get_n (); check++) {
      const gchar *failure = kernels_check_run (check, *kernels, 1);

      if (failure) {
        printf ("# %s\nnot ", failure);
        n_failed++;
      }
      printf ("ok %u /kernels/%s/%s\n", ++n, (*kernels)->name,
          kernels_check_get_name (check));
      fflush (stdout);
    }
  return n_failed > 0;
}
