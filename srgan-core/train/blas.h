/* train: OpenBLAS at its real speed.
 *
 * SPDX-License-Identifier: MIT
 */
#pragma once

#include <srgan/srgan-error.h>

G_BEGIN_DECLS

/* For programs, at the start of main(): OpenBLAS chooses its kernels when it
 * is loaded, and releases older than the processor (Debian 12's 0.3.21 and
 * anything newer than Zen 3 or Ice Lake) fall back to those of 2004, a sixth
 * of the speed. Where that happened, and the user has not chosen, this starts
 * the program anew with OPENBLAS_CORETYPE set; else it returns. */
SRGAN_API
void srgan_blas_choose_core (gchar **argv);

/* The kernels in use, and one thread a call from here on: we share work out
 * by patches. */
SRGAN_API
const gchar *srgan_blas_init (void);

G_END_DECLS
