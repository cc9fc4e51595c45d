/* srgan-train: what it does with the mistakes people make, Ctrl-C, a full disk.
 *
 * SPDX-License-Identifier: MIT
 */
#include "run-tool.h"
#include "train/codec.h"
#include "train/pictures.h"

#include <gio/gio.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <srgan/srgan-network.h>
#include <string.h>

/* Options for a network that is trained in no time. */
#define SMALL                                                                  \
  "-s", "network.channels=4", "-s", "network.layers=1", "-s", "data.patch=12", \
      "-s", "training.batch=4", "-s", "data.held-back=0.3", "-t", "1"

typedef struct {
  gchar *pictures;
  gchar *folder;
  gchar *output;
} Fixture;

static void
set_up (Fixture *fixture, gconstpointer data)
{
  fixture->pictures = test_folder_new (8, 96);
  fixture->folder = test_folder_new (0, 0);
  fixture->output = g_build_filename (fixture->folder, "out.safetensors", NULL);
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
  test_folder_remove (fixture->pictures);
  test_folder_remove (fixture->folder);
  g_free (fixture->pictures);
  g_free (fixture->folder);
  g_free (fixture->output);
}

static void
assert_mentions (const gchar *text, const gchar *word)
{
  if (strstr (text, word) == NULL)
    g_error ("'%s' does not mention '%s'", text, word);
}

static void
test_run (Fixture *fixture, gconstpointer data)
{
  g_autofree gchar *output = NULL, *messages = NULL;
  g_autoptr (SrganNetwork) network = NULL;
  GError *error = NULL;

  g_assert_cmpint (run_tool (&output, &messages, "srgan-train", "-d",
                       fixture->pictures, "-o", fixture->output, "-n", "30",
                       "-s", "output.validation-interval=10", SMALL, NULL),
      ==, 0);
  g_assert_cmpstr (messages, ==, "");
  assert_mentions (output, "held back");
  assert_mentions (output, "step 10/30");
  assert_mentions (output, "patches/s");
  assert_mentions (output, "PSNR-Y");
  assert_mentions (output, "left");
  network = srgan_network_load (fixture->output, &error);
  g_assert_no_error (error);
}

static void
test_quiet (Fixture *fixture, gconstpointer data)
{
  g_autofree gchar *output = NULL;

  g_assert_cmpint (
      run_tool (&output, NULL, "srgan-train", "-d", fixture->pictures, "-o",
          fixture->output, "-n", "3", "-q", SMALL, NULL),
      ==, 0);
  g_assert_cmpstr (output, ==, "");
}

/* A recipe from a file, and options that are stronger. */
static void
test_recipe (Fixture *fixture, gconstpointer data)
{
  g_autofree gchar *path = g_build_filename (fixture->folder, "r.conf", NULL);
  g_autofree gchar *output = NULL, *messages = NULL;
  g_autofree gchar *nothing = NULL;

  g_assert_true (
      g_file_set_contents (path, "[training]\nsteps=77\nbatch=3\n", -1, NULL));
  g_assert_cmpint (
      run_tool (&output, NULL, "srgan-train", path, "-n", "5", "--seed", "0",
          "-s", "network.scale=3", "--print-config", NULL),
      ==, 0);
  assert_mentions (output, "\nsteps=5\n");
  assert_mentions (output, "\nbatch=3\n");
  assert_mentions (output, "\nscale=3\n");
  assert_mentions (output, "\nseed=0\n");

  g_assert_true (g_file_set_contents (path, "[training]\nstep=77\n", -1, NULL));
  g_assert_cmpint (
      run_tool (&nothing, &messages, "srgan-train", path, NULL), ==, 2);
  assert_mentions (messages, "'step'");
  assert_mentions (messages, path);
}

static void
test_mistakes (Fixture *fixture, gconstpointer data)
{
  g_autofree gchar *texts = g_build_filename (fixture->folder, "texts", NULL);
  g_autofree gchar *empty = g_build_filename (fixture->folder, "empty", NULL);
  g_autofree gchar *notes = g_build_filename (texts, "notes.txt", NULL);
  const struct {
    const gchar *arguments[6];
    gint status;
    const gchar *said;
  } mistakes[] = {
      {{NULL}, 1, "--data"},
      {{NULL}, 1, "--pairs"},
      {{"-d", empty}, 1, "empty: the folder is empty"},
      {{"-d", texts}, 1, "none of its 1 files"},
      {{"-d", notes}, 1, "notes.txt"},
      {{"--pairs", texts}, 2, "--pairs takes two folders"},
      {{"--pairs", "a;b", "c"}, 2, "--pairs takes two folders"},
      {{"--pairs", empty, fixture->pictures}, 1, "empty: the folder is empty"},
      {{"-s", "data.pairs=a;b;c"}, 1, "data.pairs"},
      {{"-s", "data.x264-crf=18.5;23"}, 2, "whole numbers"},
      {{"-s", "data.x264-frames=3;3.5"}, 2, "whole numbers"},
      {{"-s", "data.jpeg-quality=60;95.5"}, 2, "whole numbers"},
      {{"-d", "/no/such/folder"}, 1, "/no/such/folder"},
      {{"-d", fixture->pictures, "-o", "/no/such/folder/x"}, 1,
          "/no/such/folder"},
      {{"-d", fixture->pictures, "-o", fixture->folder}, 1, "folder"},
      {{"/no/such/recipe"}, 2, "/no/such/recipe"},
      {{"a.conf", "b.conf"}, 2, "b.conf"},
      {{"-s", "training.step=3"}, 2, "'step'"},
      {{"-s", "steps=3"}, 2, "GROUP.KEY=VALUE"},
      {{"-s", "training.steps"}, 2, "GROUP.KEY=VALUE"},
      {{"-s", "training.steps=-3"}, 2, "training.steps"},
      {{"-n", "many"}, 2, "many"},
      {{"-d", fixture->pictures, "--steps=0"}, 1, "training.steps"},
      {{"--nonsense"}, 2, "nonsense"},
  };

  g_assert_cmpint (g_mkdir (texts, 0777), ==, 0);
  g_assert_cmpint (g_mkdir (empty, 0777), ==, 0);
  g_assert_true (g_file_set_contents (notes, "text", -1, NULL));
  for (guint i = 0; i < G_N_ELEMENTS (mistakes); i++) {
    const gchar *const *a = mistakes[i].arguments;
    g_autofree gchar *output = NULL, *messages = NULL;

    g_assert_cmpint (
        run_tool (&output, &messages, "srgan-train", a[0], a[0] ? a[1] : NULL,
            a[1] ? a[2] : NULL, a[2] ? a[3] : NULL, NULL),
        ==, mistakes[i].status);
    g_assert_true (g_str_has_prefix (messages, "srgan-train: "));
    assert_mentions (messages, mistakes[i].said);
  }
}

/* A folder whose only picture is one pixel. */
static void
test_one_pixel (Fixture *fixture, gconstpointer data)
{
  g_autoptr (SrganPicture) picture = srgan_picture_new (1, 1);
  g_autofree gchar *path = g_build_filename (fixture->folder, "dot.png", NULL);
  g_autofree gchar *output = NULL, *messages = NULL;

  g_assert_true (srgan_picture_save (picture, path, NULL));
  g_assert_cmpint (run_tool (&output, &messages, "srgan-train", "-d",
                       fixture->folder, "-o", fixture->output, NULL),
      ==, 1);
  assert_mentions (output, "dot.png is 1x1");
  assert_mentions (messages, fixture->folder);
}

/* Ctrl-C, once: a checkpoint, from which the same command goes on. */
static void
test_interrupt (Fixture *fixture, gconstpointer data)
{
  g_autofree gchar *tool =
      g_build_filename (g_getenv ("SRGAN_TOOLS"), "srgan-train", NULL);
  g_autofree gchar *checkpoint = g_strconcat (fixture->output, ".ckpt", NULL);
  g_autofree gchar *output = NULL, *again = NULL;
  g_autoptr (GSubprocess) process = NULL;
  g_autoptr (GDataInputStream) lines = NULL;
  GError *error = NULL;

  /* long, so that it cannot be over before */
  process = g_subprocess_new (
      G_SUBPROCESS_FLAGS_STDOUT_PIPE | G_SUBPROCESS_FLAGS_STDERR_SILENCE,
      &error, tool, "-d", fixture->pictures, "-o", fixture->output, "-n",
      "50000000", "-s", "output.validation-interval=1", SMALL, NULL);
  g_assert_no_error (error);
  lines = g_data_input_stream_new (g_subprocess_get_stdout_pipe (process));
  for (;;) {
    g_autofree gchar *line =
        g_data_input_stream_read_line (lines, NULL, NULL, NULL);

    g_assert_nonnull (line);
    if (g_str_has_prefix (line, "step 3/"))
      break;
  }
  g_assert_false (g_file_test (checkpoint, G_FILE_TEST_EXISTS));
  g_subprocess_send_signal (process, SIGINT);
  /* whoever is not read from stands still */
  for (;;) {
    g_autofree gchar *line =
        g_data_input_stream_read_line (lines, NULL, NULL, NULL);

    if (line == NULL)
      break;
  }
  g_assert_true (g_subprocess_wait (process, NULL, NULL));
  g_assert_true (g_subprocess_get_if_exited (process));
  g_assert_cmpint (g_subprocess_get_exit_status (process), ==, 1);
  g_assert_true (g_file_test (checkpoint, G_FILE_TEST_EXISTS));

  /* another length is another recipe: it says which setting, and goes on only
   * with the one it has */
  g_assert_cmpint (
      run_tool (&output, &again, "srgan-train", "-d", fixture->pictures, "-o",
          fixture->output, "-n", "5", SMALL, NULL),
      ==, 1);
  assert_mentions (again, "training.steps");
}

/* Waits until @path exists. */
static void
wait_for_file (const gchar *path)
{
  for (guint i = 0; i < 30000; i++) {
    if (g_file_test (path, G_FILE_TEST_EXISTS))
      return;
    g_usleep (1000);
  }
  g_error ("%s did not come", path);
}

/* Killed, it goes on from its last checkpoint, to the bit, whatever was done to
 * the pictures. */
static void
test_killed (Fixture *fixture, gconstpointer data)
{
  g_autofree gchar *tool =
      g_build_filename (g_getenv ("SRGAN_TOOLS"), "srgan-train", NULL);
  g_autofree gchar *checkpoint = g_strconcat (fixture->output, ".ckpt", NULL);
  g_autofree gchar *straight =
      g_build_filename (fixture->folder, "straight.safetensors", NULL);
  g_autofree gchar *a = NULL, *b = NULL, *output = NULL;
  gboolean codecs = srgan_codec_check (SRGAN_CODEC_X264, NULL) &&
                    srgan_codec_check (SRGAN_CODEC_JPEG, NULL);
  const gchar *x264 = codecs ? "data.x264=0.4" : "data.x264=0";
  const gchar *jpeg = codecs ? "data.jpeg=0.3" : "data.jpeg=0";
  g_autoptr (GSubprocess) process = NULL;
  gsize length_a, length_b;
  GError *error = NULL;

  g_assert_cmpint (run_tool (NULL, NULL, "srgan-train", "-d", fixture->pictures,
                       "-o", straight, "-q", "-n", "40", "-s", x264, "-s", jpeg,
                       "-s", "data.softened=0.8", "-s",
                       "output.checkpoint-interval=7", SMALL, NULL),
      ==, 0);
  process = g_subprocess_new (
      G_SUBPROCESS_FLAGS_STDOUT_SILENCE | G_SUBPROCESS_FLAGS_STDERR_SILENCE,
      &error, tool, "-d", fixture->pictures, "-o", fixture->output, "-n", "40",
      "-s", x264, "-s", jpeg, "-s", "data.softened=0.8", "-s",
      "output.checkpoint-interval=7", SMALL, NULL);
  g_assert_no_error (error);
  wait_for_file (checkpoint);
  g_subprocess_force_exit (process);
  g_subprocess_wait (process, NULL, NULL);

  g_assert_cmpint (run_tool (&output, NULL, "srgan-train", "-d",
                       fixture->pictures, "-o", fixture->output, "-n", "40",
                       "-s", x264, "-s", jpeg, "-s", "data.softened=0.8", "-s",
                       "output.checkpoint-interval=7", SMALL, NULL),
      ==, 0);
  assert_mentions (output, "continuing");
  g_assert_true (g_file_get_contents (straight, &a, &length_a, NULL));
  g_assert_true (g_file_get_contents (fixture->output, &b, &length_b, NULL));
  g_assert_cmpmem (a, length_a, b, length_b);
}

/* Pairs alone; and what is set in vain is said. */
static void
test_pairs (Fixture *fixture, gconstpointer data)
{
  g_autofree gchar *small = g_build_filename (fixture->folder, "LR", NULL);
  g_autofree gchar *output = NULL, *config = NULL;

  g_assert_cmpint (g_mkdir (small, 0777), ==, 0);
  for (guint i = 0; i < 7; i++) {
    g_autoptr (SrganPicture) picture = srgan_picture_new (48, 48);
    g_autofree gchar *path = g_strdup_printf ("%s/scene%u_0.png", small, i);

    g_assert_true (srgan_picture_save (picture, path, NULL));
  }
  g_assert_cmpint (
      run_tool (&output, NULL, "srgan-train", "--pairs", small,
          fixture->pictures, "-o", fixture->output, "-n", "3", "-s",
          "data.softened=0", "-s", "data.blurred=0.1", SMALL, NULL),
      ==, 0);
  assert_mentions (output, "1 left out");
  assert_mentions (output, "scene7_0.png");
  assert_mentions (output, "data.blurred=0.1 does nothing: data.softened");
  g_assert_cmpint (run_tool (&config, NULL, "srgan-train", "-p", "--pairs", "a",
                       "b", "--pairs", "c", "d", NULL),
      ==, 0);
  assert_mentions (config, "\npairs=a;b;c;d\n");
}

/* Where no more can be written, the last good files stay. */
static void
test_full (Fixture *fixture, gconstpointer data)
{
  g_autofree gchar *before = NULL, *after = NULL, *messages = NULL;
  g_autofree gchar *output = NULL, *first = NULL;
  g_autofree gchar *line = NULL;
  g_autofree gchar *tool =
      g_build_filename (g_getenv ("SRGAN_TOOLS"), "srgan-train", NULL);
  g_autofree gchar *checkpoint = g_strconcat (fixture->output, ".ckpt", NULL);
  gsize length_before, length_after;
  g_autoptr (GDir) dir = NULL;
  guint n_files = 0;

  g_assert_cmpint (
      run_tool (&first, NULL, "srgan-train", "-d", fixture->pictures, "-o",
          fixture->output, "-n", "4", SMALL, NULL),
      ==, 0);
  g_assert_true (
      g_file_get_contents (fixture->output, &before, &length_before, NULL));
  /* no file larger than one block: what a full disk does, but for its name */
  line = g_strdup_printf (
      "--version >/dev/null; trap '' XFSZ; ulimit -f 1; '%s' -d '%s' -o '%s' "
      "-n 5 -s network.channels=8 -s data.patch=12 -s training.batch=4 "
      "-s data.held-back=0.3 -t 1 -s output.checkpoint='%s/b.ckpt'",
      tool, fixture->pictures, fixture->output, fixture->folder);
  g_assert_cmpint (
      run_tool_in_shell (&output, &messages, "srgan-train", line), ==, 1);
  assert_mentions (messages, fixture->output);
  g_assert_true (
      g_file_get_contents (fixture->output, &after, &length_after, NULL));
  g_assert_cmpmem (before, length_before, after, length_after);
  /* nothing half-written beside them */
  dir = g_dir_open (fixture->folder, 0, NULL);
  while (g_dir_read_name (dir) != NULL)
    n_files++;
  g_assert_cmpuint (n_files, ==, 2);
  g_assert_true (g_file_test (checkpoint, G_FILE_TEST_EXISTS));
}

static void
test_help (Fixture *fixture, gconstpointer data)
{
  g_autofree gchar *output = NULL, *config = NULL;

  g_assert_cmpint (
      run_tool (&output, NULL, "srgan-train", "--help", NULL), ==, 0);
  assert_mentions (output, "--data");
  assert_mentions (output, "checkpoint");
  g_assert_cmpint (
      run_tool (&config, NULL, "srgan-train", "--print-config", NULL), ==, 0);
  assert_mentions (config, "# share of patches");
}

int
main (int argc, char **argv)
{
  static const struct {
    const gchar *path;
    void (*test) (Fixture *, gconstpointer);
  } tests[] = {
      {"/tools/srgan-train/run", test_run},
      {"/tools/srgan-train/quiet", test_quiet},
      {"/tools/srgan-train/recipe", test_recipe},
      {"/tools/srgan-train/mistakes", test_mistakes},
      {"/tools/srgan-train/one-pixel", test_one_pixel},
      {"/tools/srgan-train/interrupt", test_interrupt},
      {"/tools/srgan-train/killed", test_killed},
      {"/tools/srgan-train/pairs", test_pairs},
      {"/tools/srgan-train/full", test_full},
      {"/tools/srgan-train/help", test_help},
  };

  g_test_init (&argc, &argv, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (tests); i++)
    g_test_add (tests[i].path, Fixture, NULL, set_up, tests[i].test, tear_down);
  return g_test_run ();
}
