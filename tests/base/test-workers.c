/* tests: threads that share the items of a job. Worth running under
 * ThreadSanitizer.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/workers.h"

#include <fenv.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#define MAX_THREADS 8
#define MAX_ITEMS 1000

typedef struct {
  guint n_threads;
  guint calls[MAX_ITEMS]; /* plain: one item belongs to one thread */
  guint per_worker[MAX_THREADS];
  atomic_bool busy[MAX_THREADS];
  atomic_uint wrong;
  guint last[MAX_THREADS];
} Count;

static void
count (gpointer data, guint item, guint worker)
{
  Count *counts = data;

  if (worker >= counts->n_threads ||
      atomic_exchange (&counts->busy[worker], TRUE)) {
    atomic_fetch_add (&counts->wrong, 1);
    return;
  }
  counts->calls[item]++;
  counts->per_worker[worker]++;
  if (item < counts->last[worker]) /* handed out in order */
    atomic_fetch_add (&counts->wrong, 1);
  counts->last[worker] = item;
  atomic_store (&counts->busy[worker], FALSE);
}

static void
test_every_item_once (void)
{
  static const guint n_items[] = {0, 1, 2, 3, 7, 8, 64, MAX_ITEMS};

  for (guint n_threads = 1; n_threads <= MAX_THREADS; n_threads++) {
    SrganWorkers *workers = srgan_workers_new (n_threads, NULL);

    g_assert_nonnull (workers);
    g_assert_cmpuint (srgan_workers_get_n_threads (workers), ==, n_threads);
    for (guint round = 0; round < 200; round++) {
      guint n = n_items[round % G_N_ELEMENTS (n_items)];
      Count counts;

      memset (&counts, 0, sizeof counts);
      counts.n_threads = n_threads;
      srgan_workers_run (workers, count, &counts, n);
      g_assert_cmpuint (atomic_load (&counts.wrong), ==, 0);
      for (guint i = 0; i < MAX_ITEMS; i++)
        g_assert_cmpuint (counts.calls[i], ==, i < n ? 1 : 0);
      /* let them fall asleep now and then */
      if (round % 40 == 39)
        g_usleep (2000);
    }
    srgan_workers_free (workers);
  }
  srgan_workers_free (NULL);
}

/* Jobs in quick succession with their data on the stack: a thread that wakes
 * late must touch neither. */
static void
store (gpointer data, guint item, guint worker)
{
  ((guint *) data)[item] = item + 1;
}

static void
test_succession (void)
{
  SrganWorkers *workers = srgan_workers_new (4, NULL);

  for (guint round = 0; round < 20000; round++) {
    guint n = 2 + round % 5;
    guint *values = g_new0 (guint, n);

    srgan_workers_run (workers, store, values, n);
    for (guint i = 0; i < n; i++)
      g_assert_cmpuint (values[i], ==, i + 1);
    g_free (values);
  }
  srgan_workers_free (workers);
}

static void
test_start_and_stop (void)
{
  for (guint round = 0; round < 200; round++) {
    SrganWorkers *workers = srgan_workers_new (1 + round % 6, NULL);
    guint values[16] = {0};

    if (round % 2)
      srgan_workers_run (workers, store, values, 16);
    srgan_workers_free (workers);
  }
}

/* Two sets of threads at once, as two streams have them. */
static gpointer
stream (gpointer data)
{
  test_succession ();
  return NULL;
}

static void
test_streams (void)
{
  pthread_t other;

  g_assert_cmpint (pthread_create (&other, NULL, stream, NULL), ==, 0);
  test_succession ();
  pthread_join (other, NULL);
}

typedef struct {
  pthread_barrier_t barrier;
  gchar name[2][16];
  gint rounding[2];
  gboolean blocked[2];
} Environment;

static void
look_around (gpointer data, guint item, guint worker)
{
  Environment *environment = data;
  sigset_t mask;

  pthread_barrier_wait (&environment->barrier); /* one item each */
  pthread_getname_np (pthread_self (), environment->name[worker], 16);
  environment->rounding[worker] = fegetround ();
  pthread_sigmask (SIG_BLOCK, NULL, &mask);
  environment->blocked[worker] =
      sigismember (&mask, SIGUSR1) == 1 && sigismember (&mask, SIGTERM) == 1;
}

static void
test_environment (void)
{
  SrganWorkers *workers;
  Environment environment;
  gchar before[16], after[16];
  gint round_before = fegetround ();

  pthread_getname_np (pthread_self (), before, sizeof before);
  fesetround (FE_UPWARD);
  workers = srgan_workers_new (2, NULL);
  pthread_barrier_init (&environment.barrier, NULL, 2);
  srgan_workers_run (workers, look_around, &environment, 2);
  g_assert_cmpint (fegetround (), ==, FE_UPWARD);
  fesetround (round_before);

  g_assert_cmpint (environment.rounding[0], ==, FE_TONEAREST);
  g_assert_cmpint (environment.rounding[1], ==, FE_TONEAREST);
  g_assert_cmpstr (environment.name[1], ==, "srgan-1");
  g_assert_true (environment.blocked[1]);
  g_assert_false (environment.blocked[0]);
  pthread_getname_np (pthread_self (), after, sizeof after);
  g_assert_cmpstr (before, ==, after);

  pthread_barrier_destroy (&environment.barrier);
  srgan_workers_free (workers);
}

/* Waiting threads sleep: the process's CPU time stands still. */
static void
test_idle (void)
{
  SrganWorkers *workers = srgan_workers_new (4, NULL);
  struct timespec start, end;
  guint values[16];
  gdouble used;

  srgan_workers_run (workers, store, values, 16);
  g_usleep (20000);
  clock_gettime (CLOCK_PROCESS_CPUTIME_ID, &start);
  g_usleep (300000);
  clock_gettime (CLOCK_PROCESS_CPUTIME_ID, &end);
  used = (end.tv_sec - start.tv_sec) + (end.tv_nsec - start.tv_nsec) * 1e-9;
  /* one thread that spins would use .3 s wherever it gets a CPU at all */
  g_assert_cmpfloat (used, <, .05);
  srgan_workers_free (workers);
}

gint
main (gint argc, gchar **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/base/workers/every-item-once", test_every_item_once);
  g_test_add_func ("/base/workers/succession", test_succession);
  g_test_add_func ("/base/workers/start-and-stop", test_start_and_stop);
  g_test_add_func ("/base/workers/streams", test_streams);
  g_test_add_func ("/base/workers/environment", test_environment);
  g_test_add_func ("/base/workers/idle", test_idle);
  return g_test_run ();
}
