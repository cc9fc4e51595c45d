/* train: sums over all patches of all processes that come out the same to the
 * last bit however the patches are dealt out: to two processes or one, to any
 * number of threads.
 *
 * Floating-point sums depend on their order, so each number is first rounded to
 * a multiple of a power of two, the same for all that are added, and so large
 * that double precision holds any sum of them exactly (Demmel, Nguyen 2013,
 * "Fast Reproducible Floating-Point Summation"). For that the largest number is
 * sought first. What is lost lies 2^40 and more below it.
 *
 * SPDX-License-Identifier: MIT
 */
#pragma once

#include "base/workers.h"
#include "train/ranks.h"

G_BEGIN_DECLS

/* Values that an SrganSumGet is asked for at most. */
#define SRGAN_SUM_PART 4096

/* Values @first .. @first + @n - 1 of the array that @item stands for: where
 * they lie, or made in @scratch. Called on any of the workers' threads. */
typedef const gfloat *(*SrganSumGet) (
    gpointer data, guint item, gsize first, gsize n, gfloat *scratch);

/* Adds to @total [n_values] the sum over items 0 .. @n_items - 1, as many on
 * each process, of all processes' arrays. */
SRGAN_API
void srgan_sum_floats (SrganWorkers *workers, SrganRanks *ranks, guint n_items,
    gsize n_values, SrganSumGet get, gpointer data, gfloat *total);

/* sums [n_values] = the same of a few doubles, @values [n_items][n_values]. */
SRGAN_API
void srgan_sum_doubles (SrganRanks *ranks, const gdouble *values, gsize n_items,
    guint n_values, gdouble *sums);

G_END_DECLS
