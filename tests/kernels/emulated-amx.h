/* tests: the int8 set for AMX with tiles made in software.
 *
 * SPDX-License-Identifier: MIT
 */
#pragma once

#include "kernels/int8.h"

/* Needs AVX-512 VNNI in truth, whatever .needs says. */
extern const SrganInt8Kernels kernels_check_emulated_amx;
