/* tests: counts what a process takes from the heap; to be preloaded.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>

#define EXPORT __attribute__ ((visibility ("default")))

/* glibc's own, under the names that it keeps for this. */
void *__libc_malloc (size_t size);
void *__libc_calloc (size_t n, size_t size);
void *__libc_realloc (void *memory, size_t size);
void *__libc_memalign (size_t alignment, size_t size);

EXPORT unsigned long srgan_test_get_n_allocations (void);
EXPORT void *memalign (size_t alignment, size_t size);
EXPORT void *valloc (size_t size);

static atomic_ulong n_allocations;

EXPORT unsigned long
srgan_test_get_n_allocations (void)
{
  return n_allocations;
}

EXPORT void *
malloc (size_t size)
{
  n_allocations++;
  return __libc_malloc (size);
}

EXPORT void *
calloc (size_t n, size_t size)
{
  n_allocations++;
  return __libc_calloc (n, size);
}

EXPORT void *
realloc (void *memory, size_t size)
{
  n_allocations++;
  return __libc_realloc (memory, size);
}

EXPORT void *
memalign (size_t alignment, size_t size)
{
  n_allocations++;
  return __libc_memalign (alignment, size);
}

EXPORT void *
aligned_alloc (size_t alignment, size_t size)
{
  n_allocations++;
  return __libc_memalign (alignment, size);
}

EXPORT void *
valloc (size_t size)
{
  n_allocations++;
  return __libc_memalign (4096, size);
}

EXPORT int
posix_memalign (void **memory, size_t alignment, size_t size)
{
  void *result;

  n_allocations++;
  if (alignment % sizeof (void *) || (alignment & (alignment - 1)))
    return EINVAL;
  result = __libc_memalign (alignment, size);
  if (result == NULL)
    return ENOMEM;
  *memory = result;
  return 0;
}
