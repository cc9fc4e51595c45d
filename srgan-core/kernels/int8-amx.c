/* kernels: the int8 set for AMX's tiles, with AVX-512 VNNI for what they do not
 * suit.
 *
 * tests/kernels/emulated-amx.c compiles this file with tiles made in software.
 *
 * SPDX-License-Identifier: MIT
 */
#include <immintrin.h>

#ifndef SET
#define SET srgan_int8_kernels_amx
#define SET_NAME "amx"
#endif
#define NEEDS                                                  \
  (SRGAN_CPU_AVX2 | SRGAN_CPU_AVX512 | SRGAN_CPU_AVX512_VNNI | \
      SRGAN_CPU_AMX_INT8)
#define IS_FASTER TRUE
#define TILES 1

#include "kernels/int8-512.h"
