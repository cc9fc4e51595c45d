/* tests: tells ThreadSanitizer of GLib's locks.
 *
 * GLib builds its mutexes and conditions on futexes, and Debian's GLib is not
 * instrumented: to ThreadSanitizer, whatever they protect looks unprotected.
 * These stand before GLib's own in the test programs and say what happens, so
 * that the element's use of the object lock is checked rather than suppressed.
 *
 * SPDX-License-Identifier: MIT
 */
#include <dlfcn.h>
#include <glib-object.h>

#undef g_object_unref
#undef g_once_init_enter
#undef g_once_init_leave

#define EXPORT __attribute__ ((visibility ("default")))

/* libtsan's: what happened before a release is visible after the acquire. */
void __tsan_acquire (void *address);
void __tsan_release (void *address);

/* GLib's own function of that name, looked up once. */
#define REAL(name)                                                      \
  static __typeof__ (name) *real;                                       \
  __typeof__ (name) *found = __atomic_load_n (&real, __ATOMIC_RELAXED); \
  if (found == NULL) {                                                  \
    found = (__typeof__ (name) *) dlsym (RTLD_NEXT, #name);             \
    __atomic_store_n (&real, found, __ATOMIC_RELAXED);                  \
  }

EXPORT void
g_mutex_lock (GMutex *mutex)
{
  REAL (g_mutex_lock);
  found (mutex);
  __tsan_acquire (mutex);
}

EXPORT gboolean
g_mutex_trylock (GMutex *mutex)
{
  REAL (g_mutex_trylock);
  if (!found (mutex))
    return FALSE;
  __tsan_acquire (mutex);
  return TRUE;
}

EXPORT void
g_mutex_unlock (GMutex *mutex)
{
  REAL (g_mutex_unlock);
  __tsan_release (mutex);
  found (mutex);
}

EXPORT void
g_rec_mutex_lock (GRecMutex *mutex)
{
  REAL (g_rec_mutex_lock);
  found (mutex);
  __tsan_acquire (mutex);
}

EXPORT gboolean
g_rec_mutex_trylock (GRecMutex *mutex)
{
  REAL (g_rec_mutex_trylock);
  if (!found (mutex))
    return FALSE;
  __tsan_acquire (mutex);
  return TRUE;
}

EXPORT void
g_rec_mutex_unlock (GRecMutex *mutex)
{
  REAL (g_rec_mutex_unlock);
  __tsan_release (mutex);
  found (mutex);
}

EXPORT void
g_cond_wait (GCond *cond, GMutex *mutex)
{
  REAL (g_cond_wait);
  __tsan_release (mutex);
  found (cond, mutex);
  __tsan_acquire (mutex);
}

EXPORT gboolean
g_cond_wait_until (GCond *cond, GMutex *mutex, gint64 end_time)
{
  gboolean signalled;

  REAL (g_cond_wait_until);
  __tsan_release (mutex);
  signalled = found (cond, mutex, end_time);
  __tsan_acquire (mutex);
  return signalled;
}

/* What a thread has done to an object happens before its last reference is
 * dropped by another one. */
EXPORT void
g_object_unref (gpointer object)
{
  REAL (g_object_unref);
  __tsan_release (object);
  __tsan_acquire (object);
  found (object);
}

EXPORT void
g_once_init_leave (volatile void *location, gsize result)
{
  REAL (g_once_init_leave);
  __tsan_release ((void *) location);
  found (location, result);
}

EXPORT gboolean
g_once_init_enter (volatile void *location)
{
  gboolean enter;

  REAL (g_once_init_enter);
  enter = found (location);
  __tsan_acquire ((void *) location);
  return enter;
}

/* A thread pool hands its jobs over by locks inside of GLib, where these here
 * are not asked: so the job itself says that it was handed over. */
static gint handed_over;

typedef struct {
  GFunc func;
  gpointer data;
} Worker;

static void
work (gpointer job, gpointer data)
{
  Worker *worker = data;

  __tsan_acquire (&handed_over);
  worker->func (job, worker->data);
}

EXPORT GThreadPool *
g_thread_pool_new (GFunc func, gpointer user_data, gint max_threads,
    gboolean exclusive, GError **error)
{
  Worker *worker = g_new (Worker, 1); /* for as long as the program runs */

  REAL (g_thread_pool_new);
  worker->func = func;
  worker->data = user_data;
  return found (work, worker, max_threads, exclusive, error);
}

EXPORT gboolean
g_thread_pool_push (GThreadPool *pool, gpointer data, GError **error)
{
  REAL (g_thread_pool_push);
  __tsan_release (&handed_over);
  return found (pool, data, error);
}
