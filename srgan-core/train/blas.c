/* train: OpenBLAS at its real speed.
 *
 * SPDX-License-Identifier: MIT
 */
#include "train/blas.h"

#include <cblas.h>
#include <string.h>
#include <unistd.h>

#include "base/cpu.h"

void
srgan_blas_choose_core (gchar **argv)
{
  SrganCpuFlags flags = srgan_cpu_get_flags ();
  const gchar *core = flags & SRGAN_CPU_AVX512 ? "SkylakeX"
                      : flags & SRGAN_CPU_AVX2 ? "Haswell"
                                               : NULL;

  if (core == NULL || g_getenv ("OPENBLAS_CORETYPE") != NULL ||
      strcmp (openblas_get_corename (), "Prescott") != 0)
    return;
  g_setenv ("OPENBLAS_CORETYPE", core, TRUE);
  execv ("/proc/self/exe", argv);
  /* no /proc: slow is better than not at all */
}

const gchar *
srgan_blas_init (void)
{
  openblas_set_num_threads (1);
  return openblas_get_corename ();
}
