/* base: what the processor can do and how much of it this process may use.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/cpu.h"
#include "base/cpu-private.h"

#include <errno.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>
#include <sys/syscall.h>
#elif defined(__aarch64__)
#include <sys/auxv.h>
/* <asm/hwcap.h>, where the C library does not have it */
#ifndef HWCAP_ASIMDDP
#define HWCAP_ASIMDDP (1 << 20)
#endif
#endif

/* Where the kernel does not tell: what a current core has at the least. */
#define FALLBACK_L2_SIZE (512 * 1024)

#if defined(__x86_64__) || defined(__i386__)
/* What compilers' __builtin_cpu_supports() does not know: bits of CPUID's leaf
 * 7 (Intel, Software Developer's Manual, volume 2A). The registers are those
 * of AVX2 or AVX-512, which the system is known to save. */
static SrganCpuFlags
detect_vnni (SrganCpuFlags flags)
{
  guint eax, ebx, ecx, edx, n_subleaves;

  if (!__get_cpuid_count (7, 0, &eax, &ebx, &ecx, &edx))
    return 0;
  n_subleaves = eax;
  if (!(ecx & (1u << 11)))
    flags &= ~SRGAN_CPU_AVX512;
  eax = 0;
  if (n_subleaves >= 1)
    __get_cpuid_count (7, 1, &eax, &ebx, &ecx, &edx);
  if (!(eax & (1u << 4)))
    flags &= ~SRGAN_CPU_AVX2;
  return (flags & SRGAN_CPU_AVX512 ? SRGAN_CPU_AVX512_VNNI : 0) |
         (flags & SRGAN_CPU_AVX2 ? SRGAN_CPU_AVX_VNNI : 0);
}
#endif

#ifdef __x86_64__
/* Tiles and their products of bytes and of bfloat16, likewise; the system must
 * save both parts of the tiles' state (bits 17 and 18 of XCR0). */
static SrganCpuFlags
detect_amx (void)
{
  guint eax = 0, ebx, ecx, edx, low, high, n_subleaves;
  SrganCpuFlags flags = SRGAN_CPU_AMX_INT8;

  if (!__get_cpuid_count (7, 0, &n_subleaves, &ebx, &ecx, &edx) ||
      !(edx & (1u << 24)) || !(edx & (1u << 25)))
    return 0;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  if ((low & (3u << 17)) != 3u << 17)
    return 0;
  if (edx & (1u << 22) && n_subleaves >= 1) {
    __get_cpuid_count (7, 1, &eax, &ebx, &ecx, &edx);
    if (eax & (1u << 5))
      flags |= SRGAN_CPU_AMX_BF16;
  }
  return flags;
}
#endif

static SrganCpuFlags
detect (void)
{
  SrganCpuFlags flags = 0;

#if defined(__x86_64__) || defined(__i386__)
  /* These ask CPUID and, through XGETBV, whether the system saves the wide
   * registers. */
  __builtin_cpu_init ();
  if (__builtin_cpu_supports ("avx2") && __builtin_cpu_supports ("fma")) {
    flags |= SRGAN_CPU_AVX2;
    if (__builtin_cpu_supports ("avx512f") &&
        __builtin_cpu_supports ("avx512bw") &&
        __builtin_cpu_supports ("avx512dq") &&
        __builtin_cpu_supports ("avx512vl"))
      flags |= SRGAN_CPU_AVX512;
    flags |= detect_vnni (flags);
#ifdef __x86_64__
    if (flags & SRGAN_CPU_AVX512_VNNI)
      flags |= detect_amx ();
#endif
  }
#elif defined(__aarch64__)
  flags |= SRGAN_CPU_NEON; /* part of the architecture */
  if (getauxval (AT_HWCAP) & HWCAP_ASIMDDP)
    flags |= SRGAN_CPU_DOTPROD;
#endif
  return flags;
}

SrganCpuFlags
srgan_cpu_get_flags (void)
{
  static const struct {
    const gchar *name;
    SrganCpuFlags mask;
  } masks[] = {
      {"scalar", 0},
      {"c", 0},
      {"avx2", SRGAN_CPU_AVX2},
      {"avxvnni", SRGAN_CPU_AVX2 | SRGAN_CPU_AVX_VNNI},
      {"avx512", SRGAN_CPU_AVX2 | SRGAN_CPU_AVX512},
      {"avx512vnni", SRGAN_CPU_AVX2 | SRGAN_CPU_AVX_VNNI | SRGAN_CPU_AVX512 |
                         SRGAN_CPU_AVX512_VNNI},
      {"amx", SRGAN_CPU_AVX2 | SRGAN_CPU_AVX_VNNI | SRGAN_CPU_AVX512 |
                  SRGAN_CPU_AVX512_VNNI | SRGAN_CPU_AMX_INT8 |
                  SRGAN_CPU_AMX_BF16},
      {"neon", SRGAN_CPU_NEON},
      {"dotprod", SRGAN_CPU_NEON | SRGAN_CPU_DOTPROD},
  };
  static atomic_flag warned = ATOMIC_FLAG_INIT;
  const gchar *wanted = g_getenv ("SRGAN_CPU");

  if (wanted == NULL || *wanted == '\0')
    return detect ();
  for (guint i = 0; i < G_N_ELEMENTS (masks); i++)
    if (g_ascii_strcasecmp (wanted, masks[i].name) == 0)
      return detect () & masks[i].mask;
  if (!atomic_flag_test_and_set (&warned))
    g_warning ("SRGAN_CPU=%s is not known and ignored; it may be scalar, avx2, "
               "avxvnni, avx512, avx512vnni, amx, neon or dotprod",
        wanted);
  return detect ();
}

gboolean
srgan_cpu_request_amx (void)
{
#if defined(__x86_64__) && defined(__linux__)
  /* <asm/prctl.h> and the kernel's fpu/types.h, where headers are older */
  enum { REQUEST_PERMISSION = 0x1023, FEATURE_TILE_DATA = 18 };

  return (detect () & SRGAN_CPU_AMX_INT8) &&
         syscall (SYS_arch_prctl, REQUEST_PERMISSION, FEATURE_TILE_DATA) == 0;
#else
  return FALSE;
#endif
}

/* "1024K\n" as sysfs writes it, in bytes; 0 when it is not that. */
static gsize
parse_cache_size (const gchar *text)
{
  gchar *end;
  guint64 size = g_ascii_strtoull (text, &end, 10);

  if (end == text || size > G_MAXUINT32)
    return 0;
  if (*end == 'K')
    size *= 1024;
  else if (*end == 'M')
    size *= 1024 * 1024;
  return (gsize) size;
}

gsize
srgan_cpu_get_l2_size (void)
{
  gsize size = 0;
  glong told = -1;

#ifdef _SC_LEVEL2_CACHE_SIZE
  told = sysconf (_SC_LEVEL2_CACHE_SIZE);
#endif
  if (told > 0)
    return (gsize) told;

  /* glibc asks the processor, which on ARM may not answer; Linux learns it
   * from the firmware. */
  for (guint i = 0; i < 8 && size == 0; i++) {
    g_autofree gchar *level = NULL, *text = NULL;
    gchar path[80];

    g_snprintf (path, sizeof path,
        "/sys/devices/system/cpu/cpu0/cache/index%u/level", i);
    if (!g_file_get_contents (path, &level, NULL, NULL))
      break;
    if (level[0] != '2')
      continue;
    g_snprintf (path, sizeof path,
        "/sys/devices/system/cpu/cpu0/cache/index%u/size", i);
    if (g_file_get_contents (path, &text, NULL, NULL))
      size = parse_cache_size (text);
  }
  return size > 0 ? size : FALLBACK_L2_SIZE;
}

/* CPUs in this process's affinity mask; 0 when the system does not tell. */
static guint
count_affinity (void)
{
  /* The kernel refuses a mask smaller than its own. */
  for (gint n_cpus = 1024; n_cpus <= 1024 * 1024; n_cpus *= 4) {
    cpu_set_t *set = CPU_ALLOC (n_cpus);
    gsize size = CPU_ALLOC_SIZE (n_cpus);
    gint count = 0, failed;

    if (set == NULL)
      return 0;
    CPU_ZERO_S (size, set);
    failed = sched_getaffinity (0, size, set) != 0 ? errno : 0;
    if (!failed)
      count = CPU_COUNT_S (size, set);
    CPU_FREE (set);
    if (failed != EINVAL)
      return (guint) count;
  }
  return 0;
}

/* The limit that one control group sets, in CPUs; 0 when it sets none. */
static gdouble
read_group_limit (const gchar *folder, gboolean unified)
{
  g_autofree gchar *first = NULL, *second = NULL;
  gchar *quota_text, *period_text, *end;
  gdouble quota, period;

  if (unified) {
    /* "max 100000" or "150000 100000" (Documentation/admin-guide/cgroup-v2) */
    g_autofree gchar *path = g_build_filename (folder, "cpu.max", NULL);

    if (!g_file_get_contents (path, &first, NULL, NULL))
      return 0.;
    quota_text = first;
    period_text = strchr (first, ' ');
    if (period_text == NULL)
      return 0.;
  } else {
    /* -1 is no limit (Documentation/scheduler/sched-bwc) */
    g_autofree gchar *quota_path =
        g_build_filename (folder, "cpu.cfs_quota_us", NULL);
    g_autofree gchar *period_path =
        g_build_filename (folder, "cpu.cfs_period_us", NULL);

    if (!g_file_get_contents (quota_path, &first, NULL, NULL) ||
        !g_file_get_contents (period_path, &second, NULL, NULL))
      return 0.;
    quota_text = first;
    period_text = second;
  }
  quota = g_ascii_strtod (quota_text, &end);
  if (end == quota_text)
    return 0.;
  period = g_ascii_strtod (period_text, &end);
  if (end == period_text || !(quota > 0.) || !(period > 0.))
    return 0.;
  return quota / period;
}

/* The tightest limit of @group below @mount and of its parents up to @mount
 * itself, which in a container is often the only one there. */
static gdouble
read_limit_upwards (const gchar *mount, const gchar *group, gboolean unified)
{
  g_autofree gchar *path = g_strdup (group);
  gdouble limit = 0.;

  for (;;) {
    g_autofree gchar *folder = g_build_filename (mount, path, NULL);
    gdouble found = read_group_limit (folder, unified);
    gchar *slash;

    if (found > 0. && (limit == 0. || found < limit))
      limit = found;
    slash = strrchr (path, '/');
    if (slash == NULL)
      return limit;
    *slash = '\0';
  }
}

gdouble
srgan_cpu_read_quota (const gchar *membership_path, const gchar *mount)
{
  g_autofree gchar *text = NULL;
  g_auto (GStrv) lines = NULL;
  gdouble limit = 0.;

  if (!g_file_get_contents (membership_path, &text, NULL, NULL))
    return 0.;
  lines = g_strsplit (text, "\n", -1);
  for (guint i = 0; lines[i] != NULL; i++) {
    /* "0::/user.slice" (v2) or "4:cpu,cpuacct:/docker/ab12" (v1) */
    g_auto (GStrv) fields = g_strsplit (lines[i], ":", 3);
    gdouble found = 0.;

    if (g_strv_length (fields) != 3 || strstr (fields[2], "..") != NULL)
      continue;
    if (fields[1][0] == '\0') {
      found = read_limit_upwards (mount, fields[2], TRUE);
    } else {
      g_auto (GStrv) controllers = g_strsplit (fields[1], ",", -1);

      if (g_strv_contains ((const gchar *const *) controllers, "cpu")) {
        g_autofree gchar *joint = g_build_filename (mount, fields[1], NULL);
        g_autofree gchar *alone = g_build_filename (mount, "cpu", NULL);

        found = read_limit_upwards (joint, fields[2], FALSE);
        if (found == 0.)
          found = read_limit_upwards (alone, fields[2], FALSE);
      }
    }
    if (found > 0. && (limit == 0. || found < limit))
      limit = found;
  }
  return limit;
}

guint
srgan_cpu_get_n_allowed (void)
{
  guint n_cpus = count_affinity ();
  gdouble quota = srgan_cpu_read_quota ("/proc/self/cgroup", "/sys/fs/cgroup");

  if (n_cpus == 0) {
    glong online = sysconf (_SC_NPROCESSORS_ONLN);

    n_cpus = online > 0 ? (guint) online : 1;
  }
  /* Rounded up: half a CPU more is worth a thread. */
  if (quota > 0. && quota < n_cpus) {
    guint whole = (guint) quota;

    n_cpus = whole + (quota > whole);
  }
  return MAX (n_cpus, 1);
}
