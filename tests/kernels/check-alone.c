/* tests: the checks of every kernel set without GLib's library, for a machine
 * that has only a C library: what run-aarch64.sh cross-compiles.
 *
 * SPDX-License-Identifier: MIT
 */
#include "check.h"

#include <stdio.h>
#ifdef __aarch64__
#include <sys/auxv.h>
#include <asm/hwcap.h>
#endif

SrganCpuFlags
srgan_cpu_get_flags (void)
{
#ifdef __aarch64__
  return SRGAN_CPU_NEON |
         (getauxval (AT_HWCAP) & HWCAP_ASIMDDP ? SRGAN_CPU_DOTPROD : 0);
#else
  return 0;
#endif
}

static guint n_cases, n_failed;

static void
report (const gchar *kind, const gchar *set, const gchar *check,
    const gchar *failure)
{
  if (failure) {
    printf ("# %s\nnot ", failure);
    n_failed++;
  }
  printf ("ok %u /kernels%s/%s/%s\n", ++n_cases, kind, set, check);
  fflush (stdout);
}

int
main (void)
{
  /* Not the references, which are the same everywhere: emulation is slow. */
  const SrganKernels *const *kernels = srgan_kernels_list () + 1;
  const SrganInt8Kernels *const *int8 = srgan_int8_kernels_list () + 1;
  guint check;

  for (; *kernels; kernels++)
    for (check = 0; check < kernels_check_get_n (); check++)
      report ("", (*kernels)->name, kernels_check_get_name (check),
          kernels_check_run (check, *kernels, 1));
  for (; *int8; int8++)
    for (check = 0; check < kernels_check_int8_get_n (); check++)
      report ("/int8", (*int8)->name, kernels_check_int8_get_name (check),
          kernels_check_int8_run (check, *int8, 1));
  printf ("1..%u\n", n_cases);
  return n_failed > 0;
}
