/* kernels: the int8 set for AVX-512 with VNNI.
 *
 * SPDX-License-Identifier: MIT
 */
#include <immintrin.h>

#define SET srgan_int8_kernels_avx512vnni
#define SET_NAME "avx512vnni"
#define NEEDS (SRGAN_CPU_AVX2 | SRGAN_CPU_AVX512 | SRGAN_CPU_AVX512_VNNI)
#define IS_FASTER TRUE

#include "kernels/int8-512.h"
