/* train: the processes that train one network together, over MPI.
 *
 * SPDX-License-Identifier: MIT
 */
#include "train/ranks.h"

#ifdef SRGAN_HAVE_MPI
#include <mpi.h>
#endif

/* MPI counts in ints; and a part this large costs no more for being one. */
#define PART (1 << 24)

struct _SrganRanks {
  guint n;
  guint rank;
};

SrganRanks *
srgan_ranks_join (void)
{
#ifdef SRGAN_HAVE_MPI
  SrganRanks *ranks;
  int provided, n, rank;

  /* what Open MPI's, MPICH's and Intel's starters, and Slurm, leave behind:
   * without a starter MPI_Init() would spend a second on making one process
   * of one */
  if (g_getenv ("OMPI_COMM_WORLD_SIZE") == NULL &&
      g_getenv ("PMI_SIZE") == NULL && g_getenv ("PMIX_RANK") == NULL)
    return NULL;
  if (MPI_Init_thread (NULL, NULL, MPI_THREAD_FUNNELED, &provided) !=
      MPI_SUCCESS)
    return NULL;
  MPI_Comm_size (MPI_COMM_WORLD, &n);
  MPI_Comm_rank (MPI_COMM_WORLD, &rank);
  ranks = g_new (SrganRanks, 1);
  ranks->n = (guint) n;
  ranks->rank = (guint) rank;
  return ranks;
#else
  return NULL;
#endif
}

void
srgan_ranks_leave (SrganRanks *ranks)
{
  if (ranks == NULL)
    return;
#ifdef SRGAN_HAVE_MPI
  MPI_Finalize ();
#endif
  g_free (ranks);
}

void
srgan_ranks_abort (SrganRanks *ranks)
{
#ifdef SRGAN_HAVE_MPI
  if (srgan_ranks_get_n (ranks) > 1)
    MPI_Abort (MPI_COMM_WORLD, 1);
#endif
}

guint
srgan_ranks_get_n (const SrganRanks *ranks)
{
  return ranks != NULL ? ranks->n : 1;
}

guint
srgan_ranks_get_rank (const SrganRanks *ranks)
{
  return ranks != NULL ? ranks->rank : 0;
}

#ifdef SRGAN_HAVE_MPI
static void
reduce (SrganRanks *ranks, gpointer values, gsize n, gsize size,
    MPI_Datatype type, MPI_Op operation)
{
  for (gchar *next = values; ranks != NULL && n > 0;) {
    gsize part = MIN (n, PART);

    MPI_Allreduce (
        MPI_IN_PLACE, next, (int) part, type, operation, MPI_COMM_WORLD);
    next += part * size;
    n -= part;
  }
}
#endif

void
srgan_ranks_sum (SrganRanks *ranks, gdouble *values, gsize n)
{
#ifdef SRGAN_HAVE_MPI
  reduce (ranks, values, n, sizeof *values, MPI_DOUBLE, MPI_SUM);
#endif
}

void
srgan_ranks_max (SrganRanks *ranks, gdouble *values, gsize n)
{
#ifdef SRGAN_HAVE_MPI
  reduce (ranks, values, n, sizeof *values, MPI_DOUBLE, MPI_MAX);
#endif
}

void
srgan_ranks_max_floats (SrganRanks *ranks, gfloat *values, gsize n)
{
#ifdef SRGAN_HAVE_MPI
  reduce (ranks, values, n, sizeof *values, MPI_FLOAT, MPI_MAX);
#endif
}

gboolean
srgan_ranks_any (SrganRanks *ranks, gboolean here)
{
  gdouble n = here ? 1 : 0;

  srgan_ranks_sum (ranks, &n, 1);
  return n > 0;
}
