/* tests: aligned memory.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/memory.h"

static void
test_aligned (void)
{
  static const gsize sizes[] = {0, 1, 63, 64, 65, 4095, 1 << 20};

  for (guint i = 0; i < G_N_ELEMENTS (sizes); i++) {
    guint8 *memory = srgan_aligned_alloc (sizes[i], 1);

    g_assert_nonnull (memory);
    g_assert_cmpuint ((gsize) memory % SRGAN_ALIGNMENT, ==, 0);
    for (gsize j = 0; j < sizes[i]; j++)
      g_assert_cmpuint (memory[j], ==, 0);
    srgan_aligned_free (memory);
  }
  srgan_aligned_free (NULL);
}

static void
test_overflow (void)
{
  g_assert_null (srgan_aligned_alloc (G_MAXSIZE, 2));
  g_assert_null (srgan_aligned_alloc (G_MAXSIZE / 4 + 1, 4));
  g_assert_null (srgan_aligned_alloc (G_MAXSIZE - 8, 1));
}

gint
main (gint argc, gchar **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/base/memory/aligned", test_aligned);
  g_test_add_func ("/base/memory/overflow", test_overflow);
  return g_test_run ();
}
