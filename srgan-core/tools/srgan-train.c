/* tools: srgan-train: trains a network as a recipe says.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tool.h"
#include "train/blas.h"
#include "train/train.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <srgan/srgan-train.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

typedef struct {
  gboolean quiet;
  gboolean terminal;
  gint64 last_line; /* when progress was last shown */
  gboolean line_open;
} Display;

static void
close_line (Display *display)
{
  if (display->line_open)
    g_print ("\n");
  display->line_open = FALSE;
}

static gchar *
format_time (gdouble seconds)
{
  guint s = (guint) seconds;

  if (seconds < 0)
    return g_strdup ("--:--");
  return g_strdup_printf ("%u:%02u:%02u", s / 3600, s / 60 % 60, s % 60);
}

static void
show_progress (const SrganTrainProgress *progress, gpointer data)
{
  Display *display = data;
  gint64 now = g_get_monotonic_time ();
  g_autofree gchar *left = NULL;

  if (display->quiet)
    return;
  if (progress->message != NULL) {
    close_line (display);
    g_print ("%s\n", progress->message);
    return;
  }
  /* a log gets a line for each validation, a terminal one that moves */
  if (!progress->validated &&
      (!display->terminal || now - display->last_line < G_USEC_PER_SEC / 4))
    return;
  display->last_line = now;
  left = format_time (progress->seconds_left);
  g_print ("%sstep %u/%u  loss %.6f  rate %.2e  %.0f patches/s  %s left",
      display->terminal ? "\r\033[K" : "", progress->step, progress->n_steps,
      progress->loss, progress->learning_rate, progress->images_per_second,
      left);
  display->line_open = TRUE;
  if (progress->adversarial)
    g_print ("  generator %.4f  discriminator %.4f", progress->generator_loss,
        progress->discriminator_loss);
  if (progress->validated) {
    g_print ("  PSNR-Y %.3f dB  SSIM %.4f", progress->psnr, progress->ssim);
    if (!isnan (progress->distance))
      g_print ("  perceptual distance %.4f", progress->distance);
    if (progress->best)
      g_print (progress->adversarial ? "  written" : "  best: written");
    close_line (display);
  }
}

/* "group.key=value" */
static gboolean
set_from_text (SrganRecipe *recipe, const gchar *text, GError **error)
{
  const gchar *dot = strchr (text, '.');
  const gchar *equals = strchr (text, '=');
  g_autofree gchar *group = NULL, *key = NULL;

  if (dot == NULL || equals == NULL || dot > equals) {
    g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_INVALID,
        "--set takes GROUP.KEY=VALUE, not '%s'", text);
    return FALSE;
  }
  group = g_strndup (text, dot - text);
  key = g_strndup (dot + 1, equals - dot - 1);
  return srgan_recipe_set (recipe, group, key, equals + 1, error);
}

/* From the signal handler, which may do no more than this, to a thread that
 * cancels. (Blocking the signals and waiting for them would not do: OpenBLAS's
 * threads, older than main(), would still be killed by them.) */
static int signal_pipe[2];

/* The first Ctrl-C asks for a checkpoint, the second kills as usual. */
static void
on_signal (int number)
{
  struct sigaction action = {.sa_handler = SIG_DFL};
  gssize written = write (signal_pipe[1], "", 1);

  (void) written;
  sigaction (SIGINT, &action, NULL);
  sigaction (SIGTERM, &action, NULL);
}

static gpointer
wait_for_signal (gpointer data)
{
  g_autoptr (GCancellable) cancellable = data;
  gchar byte;
  gssize n;

  do
    n = read (signal_pipe[0], &byte, 1);
  while (n < 0 && errno == EINTR);
  if (n == 1) {
    g_printerr ("\nsrgan-train: saving; again to stop at once\n");
    g_cancellable_cancel (cancellable);
  }
  return NULL;
}

static void
catch_signals (GCancellable *cancellable)
{
  struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
  struct sigaction before;

  if (pipe (signal_pipe) != 0)
    return;
  g_thread_unref (
      g_thread_new ("signals", wait_for_signal, g_object_ref (cancellable)));
  /* who runs us in the background may have said that Ctrl-C is not for us */
  sigaction (SIGINT, NULL, &before);
  if (before.sa_handler != SIG_IGN)
    sigaction (SIGINT, &action, NULL);
  sigaction (SIGTERM, &action, NULL);
}

static gchar *data_folder, *output, *start, *log_folder, *pairs;
static gchar **sets;
static gint steps, threads, seed;
static gboolean quiet, print_config;

/* What was given of the numbers, whose every value may be meant. */
static gboolean steps_given, threads_given, seed_given;

static gboolean
take_number (
    const gchar *option, const gchar *text, gpointer data, GError **error)
{
  const struct {
    const gchar *option;
    gint *number;
    gboolean *given;
  } numbers[] = {
      {"--steps", &steps, &steps_given},
      {"-n", &steps, &steps_given},
      {"--threads", &threads, &threads_given},
      {"-t", &threads, &threads_given},
      {"--seed", &seed, &seed_given},
  };
  gint64 value;

  if (!g_ascii_string_to_signed (text, 10, 0, G_MAXINT, &value, error)) {
    g_prefix_error (error, "%s: ", option);
    return FALSE;
  }
  for (guint i = 0; i < G_N_ELEMENTS (numbers); i++)
    if (strcmp (option, numbers[i].option) == 0) {
      *numbers[i].number = (gint) value;
      *numbers[i].given = TRUE;
    }
  return TRUE;
}

/* --pairs is taken by take_pairs(), which left this one. */
static gboolean
refuse_pairs (
    const gchar *option, const gchar *text, gpointer data, GError **error)
{
  g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
      "%s takes two folders, which have no ; in their names: --pairs X/LR "
      "X/Base",
      option);
  return FALSE;
}

static gboolean
is_pair_folder (const gchar *argument)
{
  return argument[0] != '-' && strchr (argument, ';') == NULL;
}

/* Takes each "--pairs LR BASE" out of @argv, which GLib's options, of one value
 * each, cannot: they are appended to pairs as the key has them. */
static void
take_pairs (gint *argc, gchar **argv)
{
  GString *list = g_string_new (NULL);
  gint n = 1, i;

  for (i = 1; i < *argc && strcmp (argv[i], "--") != 0; i++) {
    if (strcmp (argv[i], "--pairs") == 0 && i + 2 < *argc &&
        is_pair_folder (argv[i + 1]) && is_pair_folder (argv[i + 2])) {
      g_string_append_printf (
          list, "%s%s;%s", list->len > 0 ? ";" : "", argv[i + 1], argv[i + 2]);
      i += 2;
    } else {
      argv[n++] = argv[i];
    }
  }
  while (i < *argc)
    argv[n++] = argv[i++];
  argv[n] = NULL;
  *argc = n;
  pairs = g_string_free (list, list->len == 0);
}

static const GOptionEntry entries[] = {
    {"data", 'd', 0, G_OPTION_ARG_FILENAME, &data_folder,
        "The training pictures and videos: a folder, or a video (data.folder)",
        "FOLDER"},
    {"pairs", 0, 0, G_OPTION_ARG_CALLBACK, (gpointer) refuse_pairs,
        "Pictures reduced by others and what they were, matched by name; "
        "repeat (data.pairs)",
        "LR BASE"},
    {"output", 'o', 0, G_OPTION_ARG_FILENAME, &output,
        "The model file to write (output.file)", "FILE"},
    {"start", 0, 0, G_OPTION_ARG_FILENAME, &start,
        "A model to begin from (network.start)", "MODEL"},
    {"log-dir", 'l', 0, G_OPTION_ARG_FILENAME, &log_folder,
        "Write JSON lines, TensorBoard events and previews (output.log-dir)",
        "FOLDER"},
    {"steps", 'n', 0, G_OPTION_ARG_CALLBACK, (gpointer) take_number,
        "Steps in all (training.steps)", "N"},
    {"threads", 't', 0, G_OPTION_ARG_CALLBACK, (gpointer) take_number,
        "Threads; 0: all CPUs (training.threads)", "N"},
    {"seed", 0, 0, G_OPTION_ARG_CALLBACK, (gpointer) take_number,
        "Of first weights and patches (training.seed)", "N"},
    {"set", 's', 0, G_OPTION_ARG_STRING_ARRAY, &sets, "Any setting; repeat",
        "GROUP.KEY=VALUE"},
    {"print-config", 'p', 0, G_OPTION_ARG_NONE, &print_config,
        "Print all settings with what they mean, and stop", NULL},
    {"quiet", 'q', 0, G_OPTION_ARG_NONE, &quiet, "Print errors only", NULL},
    {NULL},
};

/* The recipe's settings, then those of the options. */
static gboolean
make_recipe (SrganRecipe *recipe, const gchar *path, GError **error)
{
  g_autofree gchar *steps_text = g_strdup_printf ("%d", steps);
  g_autofree gchar *threads_text = g_strdup_printf ("%d", threads);
  g_autofree gchar *seed_text = g_strdup_printf ("%d", seed);
  const struct {
    const gchar *group, *key, *value;
    gboolean given;
  } options[] = {
      {"data", "folder", data_folder, data_folder != NULL},
      {"data", "pairs", pairs, pairs != NULL},
      {"output", "file", output, output != NULL},
      {"network", "start", start, start != NULL},
      {"output", "log-dir", log_folder, log_folder != NULL},
      {"training", "steps", steps_text, steps_given},
      {"training", "threads", threads_text, threads_given},
      {"training", "seed", seed_text, seed_given},
  };

  if (path != NULL && !srgan_recipe_load (recipe, path, error))
    return FALSE;
  for (guint i = 0; i < G_N_ELEMENTS (options); i++)
    if (options[i].given && !srgan_recipe_set (recipe, options[i].group,
                                options[i].key, options[i].value, error))
      return FALSE;
  for (guint i = 0; sets != NULL && sets[i] != NULL; i++)
    if (!set_from_text (recipe, sets[i], error))
      return FALSE;
  return TRUE;
}

int
main (int argc, char **argv)
{
  g_autoptr (SrganRecipe) recipe = srgan_recipe_new ();
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  SrganRanks *ranks;
  Display display = {0};
  gboolean done;
  GError *error = NULL;

  srgan_blas_choose_core (argv);
  take_pairs (&argc, argv);
  tool_parse (&argc, &argv, "srgan-train", "[RECIPE.conf]",
      "Trains a super-resolution network on pictures, videos, or pairs.",
      "Settings come from the recipe, then from the options. A run that was\n"
      "stopped goes on from its checkpoint (output.checkpoint, else the\n"
      "output's name with .ckpt) when the same command is given again.\n"
      "Example:\n  srgan-train fast-clean-x2.conf --data PHOTOGRAPHS",
      entries, 0, 1);
  if (!make_recipe (recipe, argc > 1 ? argv[1] : NULL, &error)) {
    tool_fail (error);
    return TOOL_EXIT_USAGE;
  }
  if (print_config) {
    g_autofree gchar *text = srgan_recipe_to_string (recipe, TRUE);

    g_print ("%s", text);
    return tool_finish ();
  }

  catch_signals (cancellable);
  display.quiet = quiet;
  display.terminal = isatty (STDOUT_FILENO);
  if (!quiet)
    g_print ("OpenBLAS kernels: %s\n", srgan_blas_init ());
  ranks = srgan_ranks_join ();
  if (srgan_ranks_get_n (ranks) > 1 && srgan_ranks_get_rank (ranks) == 0 &&
      !quiet)
    g_print ("%u processes\n", srgan_ranks_get_n (ranks));
  done = srgan_train_together (
      recipe, ranks, cancellable, show_progress, &display, &error);
  close_line (&display);
  if (!done) {
    gboolean cancelled =
        g_error_matches (error, SRGAN_ERROR, SRGAN_ERROR_CANCELLED);
    gint status = TOOL_EXIT_FAILED;

    /* all stop together when they are told to; else the others would wait */
    if (cancelled && srgan_ranks_get_rank (ranks) > 0)
      g_clear_error (&error);
    else
      status = tool_fail (error);
    if (!cancelled)
      srgan_ranks_abort (ranks);
    srgan_ranks_leave (ranks);
    return status;
  }
  srgan_ranks_leave (ranks);
  return tool_finish ();
}
