/* tests: what the checks of all kernel sets share: cases, random numbers and
 * guarded memory.
 *
 * SPDX-License-Identifier: MIT
 */
#pragma once

#include "check.h"

G_BEGIN_DECLS

/* What memory holds that was not written. */
#define PATTERN 0xa5

typedef void (*CheckFunction) (gconstpointer data, guint effort);

/* Runs @check on @data; NULL, or a static string that says what failed. */
const gchar *run_check (CheckFunction check, gconstpointer data, guint effort);

/* Names the case that follows. */
void begin (const gchar *format, ...) __attribute__ ((format (printf, 1, 2)));

/* Ends the check. */
void fail (const gchar *format, ...)
    __attribute__ ((format (printf, 1, 2), noreturn));

/* Sides of kernels that are tried; larger ones differ in nothing but time. */
#define LARGEST_SIDE 9

/* check-maps.c */
void check_grouped (const SrganKernels *kernels, guint effort);
void check_curves (const SrganKernels *kernels, guint effort);
void check_products (const SrganKernels *kernels, guint effort);
void check_copy (const SrganKernels *kernels, guint effort);
void check_pool (const SrganKernels *kernels, guint effort);
void check_sum (const SrganKernels *kernels, guint effort);
void check_gather (const SrganKernels *kernels, guint effort);
void check_unshuffle (const SrganKernels *kernels, guint effort);

/* Random numbers: any, first .. last, -1 .. 1. */
guint32 draw (void);
guint draw_range (guint first, guint last);
gfloat draw_unit (void);

/* @bytes of memory filled with PATTERN, against an inaccessible page before or
 * behind it, until take_back(), which a case begins with. */
gpointer take (gsize bytes);
void take_back (void);

gboolean is_pattern (gconstpointer memory, gsize bytes);

G_END_DECLS
