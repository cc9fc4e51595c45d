/* train: the processes that train one network together, over MPI.
 *
 * Every function is for the thread that runs the training alone, and every
 * process must call it at the same point. A NULL SrganRanks stands for one
 * process by itself.
 *
 * SPDX-License-Identifier: MIT
 */
#pragma once

#include <srgan/srgan-error.h>

G_BEGIN_DECLS

typedef struct _SrganRanks SrganRanks;

/* The processes that mpirun started; NULL, without an error, where this one was
 * not started by it or the library was built without MPI. Once in a process. */
SRGAN_API
SrganRanks *srgan_ranks_join (void);
SRGAN_API
void srgan_ranks_leave (SrganRanks *ranks);
/* Ends all processes, this one with them; returns where there is one only. */
SRGAN_API
void srgan_ranks_abort (SrganRanks *ranks);

SRGAN_API
guint srgan_ranks_get_n (const SrganRanks *ranks);
/* This process's number, from 0. */
SRGAN_API
guint srgan_ranks_get_rank (const SrganRanks *ranks);

/* Each value becomes the sum over all processes, the same on each. */
SRGAN_API
void srgan_ranks_sum (SrganRanks *ranks, gdouble *values, gsize n);
/* Likewise the largest. */
SRGAN_API
void srgan_ranks_max (SrganRanks *ranks, gdouble *values, gsize n);
SRGAN_API
void srgan_ranks_max_floats (SrganRanks *ranks, gfloat *values, gsize n);
/* Whether any process says so. */
SRGAN_API
gboolean srgan_ranks_any (SrganRanks *ranks, gboolean here);

G_END_DECLS
