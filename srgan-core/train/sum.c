/* train: sums that do not depend on how their items are dealt out.
 *
 * SPDX-License-Identifier: MIT
 */
#include "train/sum.h"

#include <math.h>
#include <string.h>

/* Values that have one largest and so one quantum. */
#define BLOCK 64

typedef struct {
  guint n_items;
  gsize n_values;
  gdouble n_everywhere; /* items of all processes */
  SrganSumGet get;
  gpointer data;
  gfloat *total;
  gfloat *largest; /* of each block; or NULL: there is one process, and a part
                      is done in one go */
  gdouble *sums;   /* [n_values], likewise */
} Job;

/* Adding and taking away this rounds a number of at most @largest to a multiple
 * of the quantum: 3/2 of the power of two whose last bit that is. */
static gdouble
get_rounder (gdouble largest, gdouble n)
{
  int exponent, bits;

  if (largest == 0)
    return 0;
  if (!isfinite (largest))
    return NAN;
  /* largest < 2^exponent, n <= 2^bits: sums of n stay below 2^53 quanta */
  frexp (largest, &exponent);
  frexp (n, &bits);
  return ldexp (1.5, exponent + bits);
}

/* Raises @largest of each block to what @values have. */
static void
find_largest (const gfloat *values, gsize n, gfloat *largest)
{
  for (gsize first = 0; first < n; first += BLOCK) {
    gsize length = MIN (n - first, BLOCK);
    gfloat lanes[BLOCK] = {0};

    for (gsize k = 0; k < length; k++) {
      gfloat value = fabsf (values[first + k]);

      lanes[k] = value > lanes[k] ? value : lanes[k];
    }
    for (guint k = 0; k < BLOCK; k++)
      largest[first / BLOCK] = MAX (largest[first / BLOCK], lanes[k]);
  }
}

static void
add_rounded (const gfloat *values, gsize n, const gfloat *largest,
    gdouble n_everywhere, gdouble *sums)
{
  for (gsize first = 0; first < n; first += BLOCK) {
    gsize end = MIN (n, first + BLOCK);
    gdouble rounder = get_rounder (largest[first / BLOCK], n_everywhere);

    for (gsize k = first; k < end; k++)
      sums[k] += values[k] + rounder - rounder;
  }
}

static void
find_part (gpointer data, guint item, guint worker)
{
  const Job *job = data;
  gsize first = (gsize) item * SRGAN_SUM_PART;
  gsize n = MIN (SRGAN_SUM_PART, job->n_values - first);
  gfloat scratch[SRGAN_SUM_PART];

  for (guint i = 0; i < job->n_items; i++)
    find_largest (job->get (job->data, i, first, n, scratch), n,
        job->largest + first / BLOCK);
}

static void
add_part (gpointer data, guint item, guint worker)
{
  const Job *job = data;
  gsize first = (gsize) item * SRGAN_SUM_PART;
  gsize n = MIN (SRGAN_SUM_PART, job->n_values - first);
  gfloat scratch[SRGAN_SUM_PART];
  gfloat largest_here[SRGAN_SUM_PART / BLOCK] = {0};
  gdouble sums_here[SRGAN_SUM_PART];
  const gfloat *largest = largest_here;
  gdouble *sums = sums_here;

  if (job->largest != NULL) {
    largest = job->largest + first / BLOCK;
    sums = job->sums + first;
  } else {
    for (guint i = 0; i < job->n_items; i++)
      find_largest (
          job->get (job->data, i, first, n, scratch), n, largest_here);
  }
  memset (sums, 0, n * sizeof (gdouble));
  for (guint i = 0; i < job->n_items; i++)
    add_rounded (job->get (job->data, i, first, n, scratch), n, largest,
        job->n_everywhere, sums);
  if (job->largest == NULL)
    for (gsize k = 0; k < n; k++)
      job->total[first + k] += (gfloat) sums[k];
}

void
srgan_sum_floats (SrganWorkers *workers, SrganRanks *ranks, guint n_items,
    gsize n_values, SrganSumGet get, gpointer data, gfloat *total)
{
  Job job = {n_items, n_values, (gdouble) n_items * srgan_ranks_get_n (ranks),
      get, data, total, NULL, NULL};
  guint n_parts = (guint) ((n_values + SRGAN_SUM_PART - 1) / SRGAN_SUM_PART);
  gsize n_blocks = (n_values + BLOCK - 1) / BLOCK;

  if (srgan_ranks_get_n (ranks) == 1) {
    srgan_workers_run (workers, add_part, &job, n_parts);
    return;
  }
  job.largest = g_new0 (gfloat, n_blocks);
  job.sums = g_new (gdouble, n_values);
  srgan_workers_run (workers, find_part, &job, n_parts);
  srgan_ranks_max_floats (ranks, job.largest, n_blocks);
  srgan_workers_run (workers, add_part, &job, n_parts);
  srgan_ranks_sum (ranks, job.sums, n_values);
  for (gsize k = 0; k < n_values; k++)
    total[k] += (gfloat) job.sums[k];
  g_free (job.largest);
  g_free (job.sums);
}

void
srgan_sum_doubles (SrganRanks *ranks, const gdouble *values, gsize n_items,
    guint n_values, gdouble *sums)
{
  gdouble n_everywhere = (gdouble) n_items * srgan_ranks_get_n (ranks);
  g_autofree gdouble *rounders = g_new0 (gdouble, n_values);

  for (gsize i = 0; i < n_items; i++)
    for (guint k = 0; k < n_values; k++)
      rounders[k] = MAX (rounders[k], fabs (values[i * n_values + k]));
  srgan_ranks_max (ranks, rounders, n_values);
  for (guint k = 0; k < n_values; k++) {
    rounders[k] = get_rounder (rounders[k], n_everywhere);
    sums[k] = 0;
  }
  for (gsize i = 0; i < n_items; i++)
    for (guint k = 0; k < n_values; k++)
      sums[k] += values[i * n_values + k] + rounders[k] - rounders[k];
  srgan_ranks_sum (ranks, sums, n_values);
}
