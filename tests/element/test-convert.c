/* tests: a model of another program, converted by srgan-convert, live.
 *
 * SPDX-License-Identifier: MIT
 */
#include "element-test.h"

#include <glib/gstdio.h>

/* Returns: (transfer full) (nullable): a file of the original's */
static gchar *
find_original (const gchar *name)
{
  const gchar *shared = g_getenv ("SRGAN_SHARED");
  gchar *path;

  if (shared)
    path = g_build_filename (shared, "interop", "rsr", name, NULL);
  else
    path = g_build_filename (g_getenv ("SRGAN_SOURCE_ROOT"), "..", "shared",
        "interop", "rsr", name, NULL);
  if (!g_file_test (path, G_FILE_TEST_EXISTS)) {
    g_print ("skipped: no %s\n", path);
    g_clear_pointer (&path, g_free);
  }
  return path;
}

/* Decodes the picture @name, through @elements, into R, G and B. (transfer
 * full) */
static guint8 *
decode (const gchar *name, const gchar *elements, gsize *size)
{
  gchar *path = find_original (name);
  gchar *raw = g_build_filename (element_test_directory (), "picture", NULL);
  gchar *description =
      g_strdup_printf ("filesrc location=\"%s\" ! pngdec ! videoconvert ! "
                       "video/x-raw,format=RGB ! %s filesink location=\"%s\"",
          path, elements, raw);
  gchar *debug = NULL;
  GError *error = element_test_launch (description, &debug);
  gchar *pixels;

  fail_unless (error == NULL, "%s", error ? error->message : "");
  g_assert_true (g_file_get_contents (raw, &pixels, size, NULL));
  g_remove (raw);
  g_free (debug);
  g_free (description);
  g_free (raw);
  g_free (path);
  return (guint8 *) pixels;
}

/* The original's own model makes of the original's own picture what it did
 * there: within one code, every pixel. */
GST_START_TEST (test_original)
{
  gchar *source = find_original ("L1_x4_UCID_x1node.rsr");
  gchar *model, *element, *messages = NULL;
  gchar *command[4] = {NULL};
  guint8 *expected, *output;
  gsize n_expected, n_output, i;
  GError *error = NULL;
  gint status, largest = 0;

  if (!source)
    return;
  model = g_build_filename (element_test_directory (), "r.safetensors", NULL);
  command[0] =
      g_build_filename (g_getenv ("SRGAN_TOOLS"), "srgan-convert", NULL);
  command[1] = source;
  command[2] = model;
  g_spawn_sync (NULL, command, NULL, G_SPAWN_STDOUT_TO_DEV_NULL, NULL, NULL,
      NULL, &messages, &status, &error);
  g_assert_no_error (error);
  fail_unless (g_spawn_check_wait_status (status, NULL), "%s", messages);

  element = g_strdup_printf ("srganupscale model=\"%s\" !", model);
  output = decode ("butterfly_lr.png", element, &n_output);
  expected = decode ("butterfly_x4_UCID.png", "", &n_expected);
  fail_unless_equals_uint64 (n_output, n_expected);
  for (i = 0; i < n_output; i++)
    largest = MAX (largest, ABS (output[i] - expected[i]));
  fail_unless (largest <= 1, "%d codes", largest);

  g_remove (model);
  g_free (output);
  g_free (expected);
  g_free (element);
  g_free (messages);
  g_free (command[0]);
  g_free (model);
  g_free (source);
}
GST_END_TEST;

static Suite *
convert_suite (void)
{
  Suite *suite = suite_create ("convert");
  TCase *tcase = tcase_create ("originals");

  suite_add_tcase (suite, tcase);
  tcase_add_test (tcase, test_original);
  return suite;
}

ELEMENT_TEST_MAIN ("convert", convert_suite, "png", "videoconvertscale")
