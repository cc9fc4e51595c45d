/* tests: the int8 set for AMX with tiles made in software.
 *
 * SPDX-License-Identifier: MIT
 */
#include "emulated-tiles.h"

#include "emulated-amx.h"

#define SET kernels_check_emulated_int8
#define SET_NAME "amx-emulated"
#include "kernels/int8-amx.c"
