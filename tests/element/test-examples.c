/* tests: the example programs run, and fail as a program should.
 *
 * SPDX-License-Identifier: MIT
 */
#include <glib.h>
#include <string.h>
#include <sys/wait.h>

/* Runs upscale-frames with @arguments. Returns: its exit status; what it
 * printed is in @output and @errors. */
static gint
run (const gchar *arguments, gchar **output, gchar **errors)
{
  gchar *line = g_strdup_printf ("'%s' %s", UPSCALE_FRAMES, arguments);
  GError *error = NULL;
  gint status;

  g_assert_true (
      g_spawn_command_line_sync (line, output, errors, &status, &error));
  g_assert_no_error (error);
  g_test_message ("%s\n%s%s", line, *output, *errors);
  g_free (line);
  g_assert_true (WIFEXITED (status));
  return WEXITSTATUS (status);
}

static void
assert_run (const gchar *arguments, gint status, const gchar *words)
{
  gchar *output, *errors;

  g_assert_cmpint (run (arguments, &output, &errors), ==, status);
  if (status == 0)
    g_assert_nonnull (strstr (output, words));
  else
    g_assert_nonnull (strstr (errors, words));
  g_free (errors);
  g_free (output);
}

static void
test_frames (void)
{
  assert_run ("--frames 12", 0, "12 frames; the last is");
}

static void
test_errors (void)
{
  assert_run ("--scale 9", 1, "it goes from 1 to 4");
  assert_run ("/nowhere/at-all.mp4", 1, "not found");
  assert_run ("--unheard-of", 1, "--unheard-of");
}

static void
test_clip (void)
{
  const gchar *shared = g_getenv ("SRGAN_SHARED");
  gchar *clip, *arguments;

  if (shared)
    clip = g_build_filename (shared, "clips", "mdn_flower.mp4", NULL);
  else
    clip = g_build_filename (g_getenv ("SRGAN_SOURCE_ROOT"), "..", "shared",
        "clips", "mdn_flower.mp4", NULL);

  if (g_file_test (clip, G_FILE_TEST_EXISTS)) {
    arguments = g_strdup_printf ("--frames 3 '%s'", clip);
    assert_run (arguments, 0, "3 frames; the last is");
    g_free (arguments);
  } else {
    g_test_skip ("no shared/clips/mdn_flower.mp4");
  }
  g_free (clip);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/examples/frames", test_frames);
  g_test_add_func ("/examples/errors", test_errors);
  g_test_add_func ("/examples/clip", test_clip);
  return g_test_run ();
}
