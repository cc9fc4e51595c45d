/* base: threads that stay, and share the items of a job.
 *
 * Made once, woken for each job; a job allocates nothing. Synchronised with
 * pthreads and C11 atomics, so that ThreadSanitizer sees all of it.
 *
 * SPDX-License-Identifier: MIT
 */
#pragma once

#include <srgan/srgan-error.h>

G_BEGIN_DECLS

typedef struct _SrganWorkers SrganWorkers;

/* Called for each item, on any of the threads. @worker is 0 .. n_threads - 1
 * and never the same for two calls at once: it picks the thread's memory. */
typedef void (*SrganWorkersFunc) (gpointer data, guint item, guint worker);

/* @n_threads counts the thread that calls srgan_workers_run(): 1 starts none.
 * NULL with @error set when a thread cannot be started. */
SRGAN_API
SrganWorkers *srgan_workers_new (guint n_threads, GError **error);
SRGAN_API
void srgan_workers_free (SrganWorkers *workers);
SRGAN_API
guint srgan_workers_get_n_threads (SrganWorkers *workers);

/* Calls @function for items 0 .. n_items - 1, handed out in order to whichever
 * thread is free, and returns when all are done. The caller's thread works
 * too (as worker 0). One caller at a time. */
SRGAN_API
void srgan_workers_run (SrganWorkers *workers, SrganWorkersFunc function,
    gpointer data, guint n_items);

G_END_DECLS
