/* tests: what base tells of the processor and of this process's share.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/cpu.h"
#include "base/cpu-private.h"

#include <glib/gstdio.h>
#include <sched.h>

static void
test_mask (void)
{
  SrganCpuFlags all;

  g_unsetenv ("SRGAN_CPU");
  all = srgan_cpu_get_flags ();
  g_test_message ("flags 0x%x, L2 %" G_GSIZE_FORMAT " KiB, %u CPUs", all,
      srgan_cpu_get_l2_size () / 1024, srgan_cpu_get_n_allowed ());
  if (all & (SRGAN_CPU_AVX512 | SRGAN_CPU_AVX_VNNI))
    g_assert_true (all & SRGAN_CPU_AVX2);
  if (all & SRGAN_CPU_AVX512_VNNI)
    g_assert_true (all & SRGAN_CPU_AVX512);
  if (all & SRGAN_CPU_AMX_INT8)
    g_assert_true (all & SRGAN_CPU_AVX512_VNNI);
  if (all & SRGAN_CPU_DOTPROD)
    g_assert_true (all & SRGAN_CPU_NEON);

  g_setenv ("SRGAN_CPU", "scalar", TRUE);
  g_assert_cmpuint (srgan_cpu_get_flags (), ==, 0);
  g_setenv ("SRGAN_CPU", "c", TRUE);
  g_assert_cmpuint (srgan_cpu_get_flags (), ==, 0);
  g_setenv ("SRGAN_CPU", "avx2", TRUE);
  g_assert_cmpuint (srgan_cpu_get_flags (), ==, all & SRGAN_CPU_AVX2);
  g_setenv ("SRGAN_CPU", "AVX512", TRUE);
  g_assert_cmpuint (
      srgan_cpu_get_flags (), ==, all & (SRGAN_CPU_AVX2 | SRGAN_CPU_AVX512));
  g_setenv ("SRGAN_CPU", "avxvnni", TRUE);
  g_assert_cmpuint (
      srgan_cpu_get_flags (), ==, all & (SRGAN_CPU_AVX2 | SRGAN_CPU_AVX_VNNI));
  g_setenv ("SRGAN_CPU", "avx512vnni", TRUE);
  g_assert_cmpuint (srgan_cpu_get_flags (), ==,
      all & (SRGAN_CPU_AVX2 | SRGAN_CPU_AVX_VNNI | SRGAN_CPU_AVX512 |
                SRGAN_CPU_AVX512_VNNI));
  g_setenv ("SRGAN_CPU", "amx", TRUE);
  g_assert_cmpuint (srgan_cpu_get_flags (), ==, all);
  g_setenv ("SRGAN_CPU", "neon", TRUE);
  g_assert_cmpuint (srgan_cpu_get_flags (), ==, all & SRGAN_CPU_NEON);
  g_setenv ("SRGAN_CPU", "dotprod", TRUE);
  g_assert_cmpuint (
      srgan_cpu_get_flags (), ==, all & (SRGAN_CPU_NEON | SRGAN_CPU_DOTPROD));
  g_setenv ("SRGAN_CPU", "", TRUE);
  g_assert_cmpuint (srgan_cpu_get_flags (), ==, all);

  /* warned of once */
  g_setenv ("SRGAN_CPU", "sse9", TRUE);
  g_test_expect_message ("srgan-core", G_LOG_LEVEL_WARNING, "*SRGAN_CPU=sse9*");
  g_assert_cmpuint (srgan_cpu_get_flags (), ==, all);
  g_test_assert_expected_messages ();
  g_assert_cmpuint (srgan_cpu_get_flags (), ==, all);
  g_unsetenv ("SRGAN_CPU");
}

/* Refused or not, again and again alike, and never where there are no tiles. */
static void
test_amx (void)
{
  gboolean granted = srgan_cpu_request_amx ();

  g_assert_cmpint (srgan_cpu_request_amx (), ==, granted);
  if (!(srgan_cpu_get_flags () & SRGAN_CPU_AMX_INT8)) {
    g_assert_false (granted);
    g_test_skip ("this CPU, or its system, does not offer AMX");
  }
}

static void
test_l2_size (void)
{
  g_assert_cmpuint (srgan_cpu_get_l2_size (), >=, 32 * 1024);
  g_assert_cmpuint (srgan_cpu_get_l2_size (), <=, 1024 * 1024 * 1024);
}

static void
test_affinity (void)
{
  cpu_set_t before, one;
  gint first = 0;

  g_assert_cmpuint (srgan_cpu_get_n_allowed (), >=, 1);
  if (sched_getaffinity (0, sizeof before, &before) != 0) {
    g_test_skip ("more CPUs than a cpu_set_t holds");
    return;
  }
  while (!CPU_ISSET (first, &before))
    first++;
  CPU_ZERO (&one);
  CPU_SET (first, &one);
  g_assert_cmpint (sched_setaffinity (0, sizeof one, &one), ==, 0);
  g_assert_cmpuint (srgan_cpu_get_n_allowed (), ==, 1);
  g_assert_cmpint (sched_setaffinity (0, sizeof before, &before), ==, 0);
}

static void
write_file (const gchar *root, const gchar *path, const gchar *text)
{
  g_autofree gchar *full = g_build_filename (root, path, NULL);
  g_autofree gchar *folder = g_path_get_dirname (full);

  g_assert_cmpint (g_mkdir_with_parents (folder, 0700), ==, 0);
  g_assert_true (g_file_set_contents (full, text, -1, NULL));
}

static void
remove_tree (const gchar *path)
{
  GDir *folder = g_dir_open (path, 0, NULL);

  if (folder != NULL) {
    const gchar *name;

    while ((name = g_dir_read_name (folder)) != NULL) {
      g_autofree gchar *child = g_build_filename (path, name, NULL);

      remove_tree (child);
    }
    g_dir_close (folder);
  }
  g_assert_cmpint (g_remove (path), ==, 0);
}

static void
test_quota (void)
{
  static const struct {
    const gchar *membership;
    const gchar *files[7]; /* path, text, ... */
    gdouble expected;
  } cases[] = {
      /* v2, as seen from a host: the tightest of the group and its parents */
      {"0::/a/b\n",
          {"a/cpu.max", "150000 100000\n", "a/b/cpu.max", "max 100000\n"}, 1.5},
      {"0::/a/b\n",
          {"a/cpu.max", "400000 100000\n", "a/b/cpu.max", "50000 100000\n"},
          .5},
      /* v2, in a container */
      {"0::/\n", {"cpu.max", "200000 100000\n"}, 2.},
      {"0::/elsewhere\n", {"cpu.max", "300000 100000\n"}, 3.},
      {"0::/\n", {"cpu.max", "max 100000\n"}, 0.},
      /* v1, its controllers mounted together or alone */
      {"4:cpu,cpuacct:/docker/ab\n3:memory:/docker/ab\n",
          {"cpu,cpuacct/docker/ab/cpu.cfs_quota_us", "250000\n",
              "cpu,cpuacct/docker/ab/cpu.cfs_period_us", "100000\n"},
          2.5},
      {"4:cpu,cpuacct:/docker/ab\n",
          {"cpu/cpu.cfs_quota_us", "10000\n", "cpu/cpu.cfs_period_us",
              "100000\n"},
          .1},
      {"4:cpuset:/\n2:cpu:/\n",
          {"cpu/cpu.cfs_quota_us", "-1\n", "cpu/cpu.cfs_period_us", "100000\n"},
          0.},
      /* nonsense */
      {"", {NULL}, 0.},
      {"0::/../../etc\n", {"cpu.max", "100000 100000\n"}, 0.},
      {"0::/\n", {"cpu.max", "100000\n"}, 0.},
      {"0::/\n", {"cpu.max", "100000 0\n"}, 0.},
      {"0::/\n", {"cpu.max", ""}, 0.},
      {"0::/\n", {"cpu.max", "-5 x\n"}, 0.},
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autofree gchar *root = g_dir_make_tmp ("srgan-quota-XXXXXX", NULL);
    g_autofree gchar *membership = g_build_filename (root, "self", NULL);

    write_file (root, "self", cases[i].membership);
    for (guint j = 0; cases[i].files[j] != NULL; j += 2)
      write_file (root, cases[i].files[j], cases[i].files[j + 1]);
    g_test_message ("case %u", i);
    g_assert_cmpfloat (
        srgan_cpu_read_quota (membership, root), ==, cases[i].expected);
    remove_tree (root);
  }
  g_assert_cmpfloat (
      srgan_cpu_read_quota ("/nonexistent/a", "/nonexistent/b"), ==, 0.);
}

gint
main (gint argc, gchar **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/base/cpu/mask", test_mask);
  g_test_add_func ("/base/cpu/amx", test_amx);
  g_test_add_func ("/base/cpu/l2-size", test_l2_size);
  g_test_add_func ("/base/cpu/affinity", test_affinity);
  g_test_add_func ("/base/cpu/quota", test_quota);
  return g_test_run ();
}
