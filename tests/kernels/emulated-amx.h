/* tests: the sets for AMX with tiles made in software.
 *
 * SPDX-License-Identifier: MIT
 */
#pragma once

#include "kernels/bf16.h"
#include "kernels/int8.h"

/* Needs AVX-512 VNNI in truth, whatever .needs says. */
extern const SrganInt8Kernels kernels_check_emulated_int8;
/* Needs AVX-512 and its conversion to bfloat16. */
extern const SrganBf16Kernels kernels_check_emulated_bf16;
