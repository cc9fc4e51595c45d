/* tests: what every kernel set must do, without GLib's library, so that a
 * cross-compiled program can check its set too.
 *
 * SPDX-License-Identifier: MIT
 */
#pragma once

#include "kernels/bf16.h"
#include "kernels/int8.h"
#include "kernels/kernels.h"

G_BEGIN_DECLS

guint kernels_check_get_n (void);

/* What check @index is called: the function it is about, mostly. */
const gchar *kernels_check_get_name (guint index);

/* Runs it on @kernels, with @effort times as many random cases as is usual.
 * NULL, or a static string: the case that failed, and how. A read or write
 * outside the described memory ends the program with that string on
 * stderr. */
const gchar *kernels_check_run (
    guint index, const SrganKernels *kernels, guint effort);

/* The same for the int8 sets. */
guint kernels_check_int8_get_n (void);
const gchar *kernels_check_int8_get_name (guint index);
const gchar *kernels_check_int8_run (
    guint index, const SrganInt8Kernels *kernels, guint effort);

/* And for the bfloat16 sets. */
guint kernels_check_bf16_get_n (void);
const gchar *kernels_check_bf16_get_name (guint index);
const gchar *kernels_check_bf16_run (
    guint index, const SrganBf16Kernels *kernels, guint effort);

G_END_DECLS
