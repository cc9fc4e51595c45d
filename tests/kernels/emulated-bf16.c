/* tests: the bfloat16 set for AMX with tiles made in software.
 *
 * SPDX-License-Identifier: MIT
 */
#include "emulated-tiles.h"

#include "emulated-amx.h"

#define SET kernels_check_emulated_bf16
#define SET_NAME "amx-emulated"
#include "kernels/bf16-amx.c"
