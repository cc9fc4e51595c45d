/* base: threads that stay, and share the items of a job.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/workers.h"

#include <fenv.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

/* Looks at a variable before a thread goes to sleep: some ten microseconds,
 * which bridges the gap between two jobs of one frame and is nothing beside
 * the gap between two frames. */
#define SPIN_COUNT 1000

typedef struct {
  SrganWorkers *workers;
  guint index; /* 1 .. n_threads - 1 */
  pthread_t thread;
} Worker;

typedef struct {
  SrganWorkersFunc function;
  gpointer data;
  guint n_items;
  guint32 number;
} Job;

struct _SrganWorkers {
  guint n_threads;
  guint n_started;
  Worker *worker;

  pthread_mutex_t mutex; /* guards what follows, up to the atomics */
  pthread_cond_t started;
  pthread_cond_t finished;
  Job job;
  guint n_asleep;
  gboolean caller_asleep;
  gboolean quit;

  /* The job's number in the upper half, its next item in the lower: a thread
   * that wakes late can neither take an item of a job it does not know nor
   * keep the caller waiting. */
  _Atomic guint64 ticket;
  _Atomic guint32 n_done;
};

static inline void
relax (void)
{
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause ();
#elif defined(__aarch64__)
  __asm__ volatile("isb");
#endif
}

static inline guint32
get_number (SrganWorkers *workers)
{
  return (
      guint32) (atomic_load_explicit (&workers->ticket, memory_order_acquire) >>
                32);
}

/* Does items of @job until none is left. */
static void
work (SrganWorkers *workers, const Job *job, guint index)
{
  guint64 ticket =
      atomic_load_explicit (&workers->ticket, memory_order_acquire);

  for (;;) {
    guint32 item = (guint32) ticket;
    guint32 n_done;

    if ((guint32) (ticket >> 32) != job->number || item >= job->n_items)
      return;
    if (!atomic_compare_exchange_weak_explicit (&workers->ticket, &ticket,
            ticket + 1, memory_order_acq_rel, memory_order_acquire))
      continue;

    job->function (job->data, item, index);

    n_done =
        atomic_fetch_add_explicit (&workers->n_done, 1, memory_order_acq_rel) +
        1;
    if (n_done == job->n_items) {
      if (index > 0) {
        pthread_mutex_lock (&workers->mutex);
        if (workers->caller_asleep)
          pthread_cond_signal (&workers->finished);
        pthread_mutex_unlock (&workers->mutex);
      }
      return;
    }
    ticket = atomic_load_explicit (&workers->ticket, memory_order_acquire);
  }
}

static gpointer
worker_main (gpointer data)
{
  Worker *worker = data;
  SrganWorkers *workers = worker->workers;
  guint32 seen = 0;
  gchar name[16];

  g_snprintf (name, sizeof name, "srgan-%u", worker->index);
  pthread_setname_np (pthread_self (), name);
  fesetenv (FE_DFL_ENV);

  for (;;) {
    Job job;
    gboolean quit;

    for (guint i = 0; i < SPIN_COUNT && get_number (workers) == seen; i++)
      relax ();

    pthread_mutex_lock (&workers->mutex);
    while (workers->job.number == seen && !workers->quit) {
      workers->n_asleep++;
      pthread_cond_wait (&workers->started, &workers->mutex);
      workers->n_asleep--;
    }
    job = workers->job;
    quit = workers->quit;
    pthread_mutex_unlock (&workers->mutex);
    if (quit)
      return NULL;

    seen = job.number;
    work (workers, &job, worker->index);
  }
}

SrganWorkers *
srgan_workers_new (guint n_threads, GError **error)
{
  SrganWorkers *workers;
  sigset_t all, before;
  gint failed = 0;

  g_return_val_if_fail (n_threads >= 1, NULL);

  workers = g_new0 (SrganWorkers, 1);
  workers->n_threads = n_threads;
  workers->worker = g_new0 (Worker, n_threads);
  pthread_mutex_init (&workers->mutex, NULL);
  pthread_cond_init (&workers->started, NULL);
  pthread_cond_init (&workers->finished, NULL);
  atomic_init (&workers->ticket, 0);
  atomic_init (&workers->n_done, 0);

  /* Signals are the host's business: its handlers must not run on our threads,
   * which inherit the mask that holds here. */
  sigfillset (&all);
  pthread_sigmask (SIG_SETMASK, &all, &before);
  for (guint i = 1; i < n_threads && failed == 0; i++) {
    Worker *worker = &workers->worker[i];

    worker->workers = workers;
    worker->index = i;
    failed = pthread_create (&worker->thread, NULL, worker_main, worker);
    if (failed == 0)
      workers->n_started++;
  }
  pthread_sigmask (SIG_SETMASK, &before, NULL);

  if (failed != 0) {
    g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_TOO_LARGE,
        "Thread %u of %u cannot be started: %s; ask for fewer threads",
        workers->n_started + 2, n_threads, g_strerror (failed));
    srgan_workers_free (workers);
    return NULL;
  }
  return workers;
}

void
srgan_workers_free (SrganWorkers *workers)
{
  if (workers == NULL)
    return;

  pthread_mutex_lock (&workers->mutex);
  workers->quit = TRUE;
  pthread_cond_broadcast (&workers->started);
  pthread_mutex_unlock (&workers->mutex);
  for (guint i = 1; i <= workers->n_started; i++)
    pthread_join (workers->worker[i].thread, NULL);

  pthread_cond_destroy (&workers->finished);
  pthread_cond_destroy (&workers->started);
  pthread_mutex_destroy (&workers->mutex);
  g_free (workers->worker);
  g_free (workers);
}

guint
srgan_workers_get_n_threads (SrganWorkers *workers)
{
  return workers->n_threads;
}

static void
share (SrganWorkers *workers, SrganWorkersFunc function, gpointer data,
    guint n_items)
{
  Job job;

  pthread_mutex_lock (&workers->mutex);
  workers->job.function = function;
  workers->job.data = data;
  workers->job.n_items = n_items;
  workers->job.number++;
  job = workers->job;
  atomic_store_explicit (&workers->n_done, 0, memory_order_relaxed);
  atomic_store_explicit (
      &workers->ticket, (guint64) job.number << 32, memory_order_release);
  if (workers->n_asleep > 0) {
    if (n_items == 2)
      pthread_cond_signal (&workers->started);
    else
      pthread_cond_broadcast (&workers->started);
  }
  pthread_mutex_unlock (&workers->mutex);

  work (workers, &job, 0);

  for (guint i = 0; i < SPIN_COUNT; i++) {
    if (atomic_load_explicit (&workers->n_done, memory_order_acquire) ==
        n_items)
      return;
    relax ();
  }
  pthread_mutex_lock (&workers->mutex);
  workers->caller_asleep = TRUE;
  while (
      atomic_load_explicit (&workers->n_done, memory_order_acquire) != n_items)
    pthread_cond_wait (&workers->finished, &workers->mutex);
  workers->caller_asleep = FALSE;
  pthread_mutex_unlock (&workers->mutex);
}

void
srgan_workers_run (SrganWorkers *workers, SrganWorkersFunc function,
    gpointer data, guint n_items)
{
  fenv_t before;

  /* The host's thread may round otherwise or flush denormals; the result must
   * not depend on which thread computes what. */
  fegetenv (&before);
  fesetenv (FE_DFL_ENV);
  if (workers->n_started == 0 || n_items <= 1)
    for (guint item = 0; item < n_items; item++)
      function (data, item, 0);
  else
    share (workers, function, data, n_items);
  fesetenv (&before);
}
