/* tests: each kernel set that this CPU can run against what kernels.h says,
 * and the table that chooses among them.
 *
 * SPDX-License-Identifier: MIT
 */
#include "check.h"
#include "emulated-amx.h"

#include <string.h>

static const struct {
  const gchar *name;
  SrganCpuFlags needs;
} sets[] = {
    {"c", 0},
#if defined(__x86_64__)
    {"avx2", SRGAN_CPU_AVX2},
    {"avx512", SRGAN_CPU_AVX2 | SRGAN_CPU_AVX512},
#elif defined(__aarch64__)
    {"neon", SRGAN_CPU_NEON},
#endif
};

/* The same of the int8 sets. */
static const struct {
  const gchar *name;
  SrganCpuFlags needs;
} int8_sets[] = {
    {"c", 0},
#if defined(__x86_64__)
    {"avx2", SRGAN_CPU_AVX2},
    {"avxvnni", SRGAN_CPU_AVX2 | SRGAN_CPU_AVX_VNNI},
    {"avx512vnni", SRGAN_CPU_AVX2 | SRGAN_CPU_AVX512 | SRGAN_CPU_AVX512_VNNI},
    {"amx", SRGAN_CPU_AVX2 | SRGAN_CPU_AVX512 | SRGAN_CPU_AVX512_VNNI |
                SRGAN_CPU_AMX_INT8},
    {"amx-emulated", SRGAN_CPU_AVX2 | SRGAN_CPU_AVX512 | SRGAN_CPU_AVX512_VNNI},
#elif defined(__aarch64__)
    {"neon", SRGAN_CPU_NEON},
    {"dotprod", SRGAN_CPU_NEON | SRGAN_CPU_DOTPROD},
#endif
};

/* And of those for bfloat16. */
static const struct {
  const gchar *name;
  SrganCpuFlags needs;
} bf16_sets[] = {
    {"c", 0},
#if defined(__x86_64__)
    {"amx", SRGAN_CPU_AVX2 | SRGAN_CPU_AVX512 | SRGAN_CPU_AVX512_VNNI |
                SRGAN_CPU_AMX_INT8 | SRGAN_CPU_AMX_BF16},
    {"amx-emulated", 0},
#endif
};

typedef struct {
  guint set;
  guint check;
} Case;

static const SrganKernels *
find_set (const gchar *name)
{
  const SrganKernels *const *kernels;

  for (kernels = srgan_kernels_list (); *kernels; kernels++)
    if (strcmp ((*kernels)->name, name) == 0)
      return *kernels;
  return NULL;
}

static void
test_check (gconstpointer data)
{
  const Case *test = data;
  const SrganKernels *kernels = find_set (sets[test->set].name);
  const gchar *failure;

  if (!kernels) {
    g_autofree gchar *reason = g_strdup_printf (
        "this CPU, or SRGAN_CPU, does not offer %s", sets[test->set].name);

    g_test_skip (reason);
    return;
  }
  failure =
      kernels_check_run (test->check, kernels, g_test_thorough () ? 20 : 1);
  if (failure)
    g_test_message ("%s", failure);
  g_assert_cmpstr (failure, ==, NULL);
}

/* Whether this process may use a set that needs @needs. */
static gboolean
is_permitted (SrganCpuFlags needs)
{
  return !(needs & SRGAN_CPU_AMX_INT8) || srgan_cpu_request_amx ();
}

static const SrganInt8Kernels *
find_int8_set (const gchar *name)
{
  const SrganInt8Kernels *const *kernels;

#ifdef __x86_64__
  if (strcmp (name, "amx-emulated") == 0)
    return srgan_cpu_get_flags () & SRGAN_CPU_AVX512_VNNI
               ? &kernels_check_emulated_int8
               : NULL;
#endif

  for (kernels = srgan_int8_kernels_list (); *kernels; kernels++)
    if (strcmp ((*kernels)->name, name) == 0)
      return *kernels;
  return NULL;
}

static void
test_int8_check (gconstpointer data)
{
  const Case *test = data;
  const SrganInt8Kernels *kernels = find_int8_set (int8_sets[test->set].name);
  const gchar *failure;

  if (!kernels) {
    g_autofree gchar *reason = g_strdup_printf (
        "this CPU, or SRGAN_CPU, does not offer %s", int8_sets[test->set].name);

    g_test_skip (reason);
    return;
  }
  failure = kernels_check_int8_run (
      test->check, kernels, g_test_thorough () ? 20 : 1);
  if (failure)
    g_test_message ("%s", failure);
  g_assert_cmpstr (failure, ==, NULL);
}

static const SrganBf16Kernels *
find_bf16_set (const gchar *name)
{
  const SrganBf16Kernels *const *kernels;

#ifdef __x86_64__
  if (strcmp (name, "amx-emulated") == 0)
    return srgan_cpu_get_flags () & SRGAN_CPU_AVX512 &&
                   __builtin_cpu_supports ("avx512bf16")
               ? &kernels_check_emulated_bf16
               : NULL;
#endif

  for (kernels = srgan_bf16_kernels_list (); *kernels; kernels++)
    if (strcmp ((*kernels)->name, name) == 0)
      return *kernels;
  return NULL;
}

static void
test_bf16_check (gconstpointer data)
{
  const Case *test = data;
  const SrganBf16Kernels *kernels = find_bf16_set (bf16_sets[test->set].name);
  const gchar *failure;

  if (!kernels) {
    g_autofree gchar *reason = g_strdup_printf (
        "this CPU, or SRGAN_CPU, does not offer %s", bf16_sets[test->set].name);

    g_test_skip (reason);
    return;
  }
  failure = kernels_check_bf16_run (
      test->check, kernels, g_test_thorough () ? 20 : 1);
  if (failure)
    g_test_message ("%s", failure);
  g_assert_cmpstr (failure, ==, NULL);
}

/* AMX's set where the CPU and the system let it run, else the reference. */
static void
test_bf16_choice (void)
{
  SrganCpuFlags flags = srgan_cpu_get_flags ();
  const SrganBf16Kernels *const *list = srgan_bf16_kernels_list ();
  gboolean has_tiles = flags & SRGAN_CPU_AMX_BF16 && srgan_cpu_request_amx ();

  g_assert_cmpstr (srgan_bf16_kernels_get (0)->name, ==, "c");
  g_assert_cmpstr (
      srgan_bf16_kernels_get (flags)->name, ==, has_tiles ? "amx" : "c");
  g_assert_cmpstr (list[0]->name, ==, "c");
  if (has_tiles)
    g_assert_true (list[1] == srgan_bf16_kernels_get (flags));
  g_assert_null (list[1 + has_tiles]);
}

/* Each int8 set is chosen for the flags that it needs and is in the list where
 * the CPU has them. */
static void
test_int8_choice (void)
{
  SrganCpuFlags flags = srgan_cpu_get_flags ();
  const SrganInt8Kernels *const *list = srgan_int8_kernels_list ();
  const gchar *last = NULL;
  guint i, n = 0;

  for (i = 0; i < G_N_ELEMENTS (int8_sets); i++) {
    SrganCpuFlags needs = int8_sets[i].needs;

    if (strcmp (int8_sets[i].name, "amx-emulated") == 0 ||
        !is_permitted (needs))
      continue;
    last = int8_sets[i].name;
    g_assert_cmpstr (
        srgan_int8_kernels_get (needs)->name, ==, int8_sets[i].name);
    if ((needs & flags) != needs)
      continue;
    g_assert_nonnull (list[n]);
    g_assert_cmpstr (list[n++]->name, ==, int8_sets[i].name);
  }
  g_assert_null (list[n]);
  g_assert_true (srgan_int8_kernels_get (flags) == list[n - 1]);
  g_assert_cmpstr (srgan_int8_kernels_get (~0u)->name, ==, last);
}

/* Each set is chosen for the flags that it needs, and no better one. */
static void
test_get (void)
{
  guint i;

  for (i = 0; i < G_N_ELEMENTS (sets); i++)
    g_assert_cmpstr (srgan_kernels_get (sets[i].needs)->name, ==, sets[i].name);
  g_assert_cmpstr (
      srgan_kernels_get (~0u)->name, ==, sets[G_N_ELEMENTS (sets) - 1].name);
  /* AVX-512 alone, which no CPU has, must not choose it. */
  g_assert_cmpstr (srgan_kernels_get (0)->name, ==, "c");
}

static void
test_list (void)
{
  SrganCpuFlags flags = srgan_cpu_get_flags ();
  const SrganKernels *const *list = srgan_kernels_list ();
  guint i, n = 0;

  for (i = 0; i < G_N_ELEMENTS (sets); i++) {
    if ((sets[i].needs & flags) != sets[i].needs)
      continue;
    g_assert_nonnull (list[n]);
    g_assert_cmpstr (list[n++]->name, ==, sets[i].name);
  }
  g_assert_null (list[n]);
  g_assert_true (srgan_kernels_get (flags) == list[n - 1]);
}

/* In a process of its own: SRGAN_CPU is read anew, and no test may be left
 * with another one's. */
static void
test_mask (void)
{
  if (g_test_subprocess ()) {
    g_setenv ("SRGAN_CPU", "scalar", TRUE);
    g_assert_cmpstr (srgan_kernels_list ()[0]->name, ==, "c");
    g_assert_null (srgan_kernels_list ()[1]);
    return;
  }
  g_test_trap_subprocess (NULL, 0, G_TEST_SUBPROCESS_DEFAULT);
  g_test_trap_assert_passed ();
}

/* Every entry of every table. */
static void
test_complete (void)
{
  const SrganKernels *const *list;

  for (list = srgan_kernels_list (); *list; list++) {
    gconstpointer
        entries[(sizeof (SrganKernels) -
                    G_STRUCT_OFFSET (SrganKernels, get_channel_stride)) /
                sizeof (gpointer)];
    guint i;

    memcpy (entries, &(*list)->get_channel_stride, sizeof entries);
    for (i = 0; i < G_N_ELEMENTS (entries); i++)
      g_assert_nonnull (entries[i]);
  }
}

static void
test_int8_complete (void)
{
  const SrganInt8Kernels *const *list;

  for (list = srgan_int8_kernels_list (); *list; list++) {
    gconstpointer
        entries[(sizeof (SrganInt8Kernels) -
                    G_STRUCT_OFFSET (SrganInt8Kernels, get_channel_stride)) /
                sizeof (gpointer)];
    guint i;

    memcpy (entries, &(*list)->get_channel_stride, sizeof entries);
    for (i = 0; i < G_N_ELEMENTS (entries); i++)
      g_assert_nonnull (entries[i]);
  }
}

/* Sizes that no memory holds are refused, not wrapped around. */
static void
test_too_large (void)
{
  const SrganKernels *const *list;

  for (list = srgan_kernels_list (); *list; list++) {
    SrganConvolution convolution;

    g_assert_false ((*list)->pack_convolution (
        &convolution, 1u << 31, 1u << 31, 1u << 31, 9, 9, NULL, NULL, NULL));
    g_assert_null (convolution.weight);
    g_assert_false ((*list)->pack_winograd (
        &convolution, 1u << 31, 1u << 31, 1u << 31, NULL, NULL, NULL));
    g_assert_null (convolution.weight);
  }
}

/* Likewise of int8: more channels than a sum holds, outputs without number. */
static void
test_int8_too_large (void)
{
  const SrganInt8Kernels *const *list;
  const SrganInt8Layer layers[] = {
      {.in_channels = 1u << 15, .in_stride = 1u << 15, .out_channels = 1},
      {.in_channels = 1u << 31, .in_stride = 1u << 31, .out_channels = 1},
      {.in_channels = 4, .in_stride = 1u << 31, .out_channels = 1},
      {.in_channels = 4, .in_stride = 4, .out_channels = 1u << 31},
      {.in_channels = 4,
          .in_stride = 4,
          .out_channels = 1,
          .out_stride = 1u << 31},
  };
  guint i;

  for (list = srgan_int8_kernels_list (); *list; list++)
    for (i = 0; i < G_N_ELEMENTS (layers); i++) {
      SrganInt8Layer layer = layers[i];
      SrganInt8Convolution convolution;

      layer.kernel_width = layer.kernel_height = 3;
      layer.input_type = layer.output_type = SRGAN_MAP_BYTES;
      g_assert_false ((*list)->pack (&convolution, &layer));
      g_assert_null (convolution.weight);
    }
}

int
main (int argc, char **argv)
{
  static Case cases[64 * G_N_ELEMENTS (sets)];
  static Case int8_cases[64 * G_N_ELEMENTS (int8_sets)];
  static Case bf16_cases[64 * G_N_ELEMENTS (bf16_sets)];
  Case *test = cases;
  guint set, check;

  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/kernels/get", test_get);
  g_test_add_func ("/kernels/list", test_list);
  g_test_add_func ("/kernels/mask", test_mask);
  g_test_add_func ("/kernels/complete", test_complete);
  g_test_add_func ("/kernels/too-large", test_too_large);
  g_test_add_func ("/kernels/int8/choice", test_int8_choice);
  g_test_add_func ("/kernels/int8/complete", test_int8_complete);
  g_test_add_func ("/kernels/int8/too-large", test_int8_too_large);
  g_test_add_func ("/kernels/bf16/choice", test_bf16_choice);
  g_assert_cmpuint (kernels_check_get_n (), <=, 64);
  for (set = 0; set < G_N_ELEMENTS (sets); set++) {
    for (check = 0; check < kernels_check_get_n (); check++, test++) {
      g_autofree gchar *path = g_strdup_printf (
          "/kernels/%s/%s", sets[set].name, kernels_check_get_name (check));

      *test = (Case){set, check};
      g_test_add_data_func (path, test, test_check);
    }
  }
  g_assert_cmpuint (kernels_check_int8_get_n (), <=, 64);
  test = int8_cases;
  for (set = 0; set < G_N_ELEMENTS (int8_sets); set++) {
    for (check = 0; check < kernels_check_int8_get_n (); check++, test++) {
      g_autofree gchar *path = g_strdup_printf ("/kernels/int8/%s/%s",
          int8_sets[set].name, kernels_check_int8_get_name (check));

      *test = (Case){set, check};
      g_test_add_data_func (path, test, test_int8_check);
    }
  }
  g_assert_cmpuint (kernels_check_bf16_get_n (), <=, 64);
  test = bf16_cases;
  for (set = 0; set < G_N_ELEMENTS (bf16_sets); set++) {
    for (check = 0; check < kernels_check_bf16_get_n (); check++, test++) {
      g_autofree gchar *path = g_strdup_printf ("/kernels/bf16/%s/%s",
          bf16_sets[set].name, kernels_check_bf16_get_name (check));

      *test = (Case){set, check};
      g_test_add_data_func (path, test, test_bf16_check);
    }
  }
  return g_test_run ();
}
