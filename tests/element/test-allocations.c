/* tests: a frame in the steady state takes nothing from the heap.
 *
 * The program plays the same pipeline for 200 and for 1200 frames in processes
 * of their own, in which count-allocations.c stands before malloc() and its
 * kin: the two counts must not differ. That a pipeline without srganupscale
 * has that property is checked first.
 *
 * SPDX-License-Identifier: MIT
 */
#include "element-test.h"

#include <dlfcn.h>
#include <stdlib.h>

static gchar *program;

/* The child: `PROGRAM play N-FRAMES CAPS ELEMENT`. */
static int
play (guint n_frames, const gchar *caps, const gchar *element)
{
  unsigned long (*get_n_allocations) (void) =
      dlsym (RTLD_DEFAULT, "srgan_test_get_n_allocations");
  gchar *description = g_strdup_printf (
      "videotestsrc pattern=black num-buffers=%u ! %s ! %s ! fakesink",
      n_frames, caps, element);
  GError *error;

  if (get_n_allocations == NULL)
    return 2;
  error = element_test_launch (description, NULL);
  if (error) {
    g_printerr ("%s\n", error->message);
    return 3;
  }
  g_free (description);

  g_print ("%lu\n", get_n_allocations ());
  return 0;
}

static gulong
count (guint n_frames, const gchar *caps, const gchar *element)
{
  gchar *n = g_strdup_printf ("%u", n_frames);
  gchar *arguments[] = {
      program, (gchar *) "play", n, (gchar *) caps, (gchar *) element, NULL};
  gchar **environment = g_environ_setenv (
      g_get_environ (), "LD_PRELOAD", COUNT_ALLOCATIONS, TRUE);
  gchar *output = NULL;
  GError *error = NULL;
  gint status;

  environment =
      g_environ_setenv (environment, "G_SLICE", "always-malloc", TRUE);
  g_spawn_sync (NULL, arguments, environment, G_SPAWN_DEFAULT, NULL, NULL,
      &output, NULL, &status, &error);
  g_assert_no_error (error);
  fail_unless (g_spawn_check_wait_status (status, NULL), "%s", element);

  n_frames = strtoul (output, NULL, 10);
  g_free (output);
  g_strfreev (environment);
  g_free (n);
  return n_frames;
}

static void
assert_no_slope (const gchar *caps, const gchar *element)
{
  gulong few = count (200, caps, element);
  gulong many = count (1200, caps, element);

  g_print ("%s | %s: %lu allocations for 200 frames, %lu for 1200\n", caps,
      element, few, many);
  /* Threads that meet in another order may cost a handful, but frames not. */
  fail_unless (many <= few + 10, "%s, %s: %.3f allocations a frame", caps,
      element, ((gdouble) many - few) / 1000);
}

GST_START_TEST (test_without)
{
  assert_no_slope ("video/x-raw,format=I420,width=64,height=48", "identity");
}
GST_END_TEST;

static const struct {
  const gchar *format;
  gboolean rgb_network;
  guint n_threads;
} cases[] = {
    {"I420", FALSE, 1},
    {"I420", FALSE, 2},
    {"NV12", FALSE, 2},
    {"I420", TRUE, 2},
    {"RGB", FALSE, 2},
    {"BGRA", TRUE, 2},
    {"GRAY8", FALSE, 2},
};

GST_START_TEST (test_frames)
{
  const gchar *model = cases[__i__].rgb_network ? element_test_rgb_model (2)
                                                : element_test_model (2);
  gchar *caps = g_strdup_printf (
      "video/x-raw,format=%s,width=64,height=48", cases[__i__].format);
  gchar *element = g_strdup_printf (
      "srganupscale model=%s n-threads=%u", model, cases[__i__].n_threads);

  assert_no_slope (caps, element);
  g_free (element);
  g_free (caps);
}
GST_END_TEST;

static Suite *
allocations_suite (void)
{
  Suite *suite = suite_create ("allocations");
  TCase *tcase = tcase_create ("allocations");

  suite_add_tcase (suite, tcase);
  tcase_add_test (tcase, test_without);
  tcase_add_loop_test (tcase, test_frames, 0, G_N_ELEMENTS (cases));
  return suite;
}

int
main (int argc, char **argv)
{
  static const gchar *const plugins[] = {"coreelements", "videotestsrc"};
  int result;

  program = argv[0];
  if (argc == 5 && g_str_equal (argv[1], "play")) {
    int one = 1;

    if (!element_test_init (&one, &argv, plugins, G_N_ELEMENTS (plugins)))
      return 77;
    result = play (atoi (argv[2]), argv[3], argv[4]);
  } else {
    if (!element_test_init (&argc, &argv, plugins, G_N_ELEMENTS (plugins)))
      return 77;
    result =
        gst_check_run_suite (allocations_suite (), "allocations", __FILE__);
  }
  element_test_cleanup ();
  return result;
}
