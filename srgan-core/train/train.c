/* train: the run itself.
 *
 * Each patch of a step is one item for the worker threads, with its own place
 * for the gradient; the places are summed in the patches' order, so that the
 * result does not depend on which thread did what.
 *
 * SPDX-License-Identifier: MIT
 */
#include <srgan/srgan-train.h>

#include <errno.h>
#include <glib/gstdio.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "base/cpu.h"
#include "base/workers.h"
#include "train/blas.h"
#include "train/checkpoint.h"
#include "train/dataset.h"
#include "train/design.h"
#include "train/graph.h"
#include "train/loss.h"
#include "train/optimizer.h"
#include "train/score.h"

/* The loss told is a mean over so many steps. */
#define LOSS_WINDOW 100

typedef struct {
  const SrganRecipe *recipe;
  GCancellable *cancellable;
  SrganTrainFunc progress;
  gpointer user_data;

  gchar *output;
  gchar *checkpoint_path;

  SrganDataset *dataset;
  SrganPrefetch *prefetch;
  SrganGraph *graph;
  SrganOptimizer *optimizer;
  SrganWorkers *workers;
  guint n_threads;
  SrganGraphState **states;            /* one a thread */
  SrganGraphState **validation_states; /* likewise */

  guint n_parameters;
  gfloat *parameters;
  gfloat *average;   /* running mean of the parameters */
  gfloat *gradients; /* [batch][n_parameters] */
  gfloat *outputs;   /* [thread][target]: network output, then gradient */
  gsize input_length;
  gsize target_length;
  const gfloat *inputs; /* the step's batch */
  const gfloat *targets;
  gdouble *losses; /* [batch] */
  SrganScore *scores;

  guint step; /* steps done */
  gdouble best;
  gdouble window[LOSS_WINDOW]; /* losses of steps */
  guint n_window;
  guint first_step; /* of this process */
  gint64 start_time;
} Run;

static void
run_clear (Run *run)
{
  srgan_prefetch_free (run->prefetch);
  srgan_dataset_free (run->dataset);
  for (guint i = 0; i < run->n_threads; i++) {
    if (run->states != NULL)
      srgan_graph_state_free (run->states[i]);
    if (run->validation_states != NULL)
      srgan_graph_state_free (run->validation_states[i]);
  }
  g_free (run->states);
  g_free (run->validation_states);
  srgan_graph_free (run->graph);
  srgan_optimizer_free (run->optimizer);
  if (run->workers != NULL)
    srgan_workers_free (run->workers);
  g_free (run->output);
  g_free (run->checkpoint_path);
  g_free (run->parameters);
  g_free (run->average);
  g_free (run->gradients);
  g_free (run->outputs);
  g_free (run->losses);
  g_free (run->scores);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Run, run_clear)

static void
tell (const gchar *message, gpointer data)
{
  Run *run = data;
  SrganTrainProgress progress = {
      .message = message,
      .step = run->step,
      .n_steps = run->recipe->steps,
      .seconds_left = -1,
  };

  if (run->progress != NULL)
    run->progress (&progress, run->user_data);
}

/* --- Preparing --------------------------------------------------------- */

/* Takes over the tensors of @start that have a namesake of their shape. */
static guint
take_over (Run *run, SrganNetwork *start, GError **error)
{
  g_autoptr (SrganGraph) other = srgan_graph_new (start, error);
  const SrganParameter *tensors, *others;
  guint n_tensors, n_others, n_taken = 0;
  g_autofree gfloat *values = NULL;
  SrganNetwork *network;

  if (other == NULL)
    return 0;
  network = srgan_graph_get_network (run->graph);
  values = g_new (gfloat, srgan_graph_get_n_parameters (other));
  srgan_graph_get_parameters (other, values);
  tensors = srgan_graph_get_tensors (run->graph, &n_tensors);
  others = srgan_graph_get_tensors (other, &n_others);
  for (guint i = 0; i < n_tensors; i++)
    for (guint k = 0; k < n_others; k++)
      if (tensors[i].kind == others[k].kind &&
          tensors[i].rows == others[k].rows &&
          tensors[i].columns == others[k].columns &&
          strcmp (srgan_network_get_layer (network, tensors[i].layer)->name,
              srgan_network_get_layer (start, others[k].layer)->name) == 0) {
        memcpy (run->parameters + tensors[i].offset, values + others[k].offset,
            (gsize) tensors[i].rows * tensors[i].columns * sizeof (gfloat));
        n_taken++;
      }
  if (n_taken == 0)
    g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_INVALID,
        "network.start: %s has no layer of the same name and shape",
        run->recipe->start);
  return n_taken;
}

static gboolean
make_graph (Run *run, GError **error)
{
  const SrganRecipe *recipe = run->recipe;
  g_autoptr (SrganNetwork) network = srgan_design_network (recipe, error);
  const SrganParameter *tensors;
  guint n_tensors;

  if (network == NULL)
    return FALSE;
  run->graph = srgan_graph_new (network, error);
  if (run->graph == NULL)
    return FALSE;
  run->n_parameters = srgan_graph_get_n_parameters (run->graph);
  run->parameters = g_new (gfloat, run->n_parameters);
  run->average = g_new (gfloat, run->n_parameters);
  srgan_graph_get_parameters (run->graph, run->parameters);
  if (recipe->start[0] != '\0') {
    g_autoptr (SrganNetwork) start =
        srgan_network_open (recipe->start, 0, NULL, error);
    g_autofree gchar *message = NULL;
    guint n_taken;

    if (start == NULL)
      return FALSE;
    n_taken = take_over (run, start, error);
    if (n_taken == 0)
      return FALSE;
    srgan_graph_get_tensors (run->graph, &n_tensors);
    message = g_strdup_printf (
        "%u of %u tensors taken from %s", n_taken, n_tensors, recipe->start);
    tell (message, run);
  }
  memcpy (run->average, run->parameters, run->n_parameters * sizeof (gfloat));
  tensors = srgan_graph_get_tensors (run->graph, &n_tensors);
  run->optimizer = srgan_optimizer_new (recipe, tensors, n_tensors);
  return TRUE;
}

static SrganCheckpoint
describe_checkpoint (Run *run)
{
  SrganCheckpoint checkpoint = {
      .recipe = run->recipe,
      .step = run->step,
      .best = run->best,
      .parameters = run->parameters,
      .average = run->average,
      .n_parameters = run->n_parameters,
  };

  checkpoint.state =
      srgan_optimizer_get_state (run->optimizer, &checkpoint.n_state);
  return checkpoint;
}

static gboolean
save_checkpoint (Run *run, GError **error)
{
  SrganCheckpoint checkpoint = describe_checkpoint (run);

  return srgan_checkpoint_save (&checkpoint, run->checkpoint_path, error);
}

static gboolean
continue_checkpoint (Run *run, GError **error)
{
  SrganCheckpoint checkpoint = describe_checkpoint (run);
  g_autofree gchar *message = NULL;

  if (!g_file_test (run->checkpoint_path, G_FILE_TEST_EXISTS))
    return TRUE;
  if (!srgan_checkpoint_load (&checkpoint, run->checkpoint_path, error))
    return FALSE;
  run->step = checkpoint.step;
  run->best = checkpoint.best;
  message = g_strdup_printf (
      "continuing %s after step %u", run->checkpoint_path, run->step);
  tell (message, run);
  return TRUE;
}

static gboolean
make_states (Run *run, GError **error)
{
  const SrganRecipe *recipe = run->recipe;
  guint side = srgan_dataset_get_validation_patch (run->dataset);
  gsize largest;

  run->workers = srgan_workers_new (run->n_threads, error);
  if (run->workers == NULL)
    return FALSE;
  run->states = g_new0 (SrganGraphState *, run->n_threads);
  run->validation_states = g_new0 (SrganGraphState *, run->n_threads);
  for (guint i = 0; i < run->n_threads; i++) {
    run->states[i] =
        srgan_graph_state_new (run->graph, recipe->patch, recipe->patch, TRUE);
    run->validation_states[i] =
        srgan_graph_state_new (run->graph, side, side, FALSE);
    if (run->states[i] == NULL || run->validation_states[i] == NULL) {
      g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_TOO_LARGE,
          "not enough memory for patches of %ux%u and %u channels",
          recipe->patch, recipe->patch, recipe->channels);
      return FALSE;
    }
  }
  run->input_length = (gsize) recipe->patch * recipe->patch;
  run->target_length = run->input_length * recipe->scale * recipe->scale;
  largest = MAX (
      run->target_length, (gsize) side * side * recipe->scale * recipe->scale);
  run->outputs = g_new (gfloat, 2 * largest * run->n_threads);
  run->gradients = g_new (gfloat, (gsize) run->n_parameters * recipe->batch);
  run->losses = g_new0 (gdouble, recipe->batch);
  run->scores =
      g_new0 (SrganScore, srgan_dataset_get_n_validation (run->dataset));
  return TRUE;
}

/* Whether a file can be made where @path says: known at once, and not when
 * there is something to lose. */
static gboolean
check_writable (const gchar *path, const gchar *setting, GError **error)
{
  g_autofree gchar *folder = g_path_get_dirname (path);

  if (g_file_test (path, G_FILE_TEST_IS_DIR))
    g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_WRITE,
        "%s: %s is a folder; name a file", setting, path);
  else if (g_access (folder, W_OK | X_OK) != 0)
    g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_WRITE,
        "%s: cannot write to the folder %s: %s", setting, folder,
        g_strerror (errno));
  else
    return TRUE;
  return FALSE;
}

/* --- Steps ------------------------------------------------------------- */

static void
train_patch (gpointer data, guint item, guint worker)
{
  Run *run = data;
  const SrganRecipe *recipe = run->recipe;
  gfloat *output = run->outputs + 2 * run->target_length * worker;
  gfloat *gradient = output + run->target_length;

  srgan_graph_forward (
      run->states[worker], run->inputs + item * run->input_length, output);
  run->losses[item] = srgan_loss (recipe->loss, recipe->charbonnier_epsilon,
      output, run->targets + item * run->target_length,
      (guint) run->target_length, 1.f / recipe->batch, gradient);
  srgan_graph_backward (run->states[worker], gradient,
      run->gradients + (gsize) item * run->n_parameters);
}

/* One step; returns its loss, which may be no number: then nothing was
 * changed. */
static gdouble
make_step (Run *run)
{
  const SrganRecipe *recipe = run->recipe;
  gdouble loss = 0;
  gfloat keep;

  srgan_prefetch_next (run->prefetch, &run->inputs, &run->targets);
  srgan_graph_set_parameters (run->graph, run->parameters);
  srgan_workers_run (run->workers, train_patch, run, recipe->batch);
  for (guint i = 0; i < recipe->batch; i++)
    loss += run->losses[i] / recipe->batch;
  if (!isfinite (loss))
    return loss;

  for (guint i = 1; i < recipe->batch; i++) {
    const gfloat *gradient = run->gradients + (gsize) i * run->n_parameters;

    for (guint k = 0; k < run->n_parameters; k++)
      run->gradients[k] += gradient[k];
  }
  srgan_optimizer_step (
      run->optimizer, run->step, run->parameters, run->gradients);

  /* a short memory at first, when the weights still run away from it */
  keep = (gfloat) MIN (recipe->average, (1. + run->step) / (10. + run->step));
  for (guint k = 0; k < run->n_parameters; k++)
    run->average[k] = keep * run->average[k] + (1 - keep) * run->parameters[k];
  run->step++;
  run->window[run->n_window++ % LOSS_WINDOW] = loss;
  return loss;
}

static void
validate_picture (gpointer data, guint item, guint worker)
{
  Run *run = data;
  guint scale = run->recipe->scale;
  guint side = srgan_dataset_get_validation_patch (run->dataset);
  gsize n = (gsize) side * scale * side * scale;
  g_autofree gfloat *input = g_new (gfloat, (gsize) side * side);
  g_autofree gfloat *target = g_new (gfloat, n);
  g_autofree gfloat *output = g_new (gfloat, n);
  g_autofree gdouble *a = g_new (gdouble, n);
  g_autofree gdouble *b = g_new (gdouble, n);

  srgan_dataset_make_validation_patch (run->dataset, item, input, target);
  srgan_graph_forward (run->validation_states[worker], input, output);
  for (gsize i = 0; i < n; i++) {
    a[i] = target[i] * 255.;
    b[i] = CLAMP (output[i], 0, 1) * 255.;
  }
  run->scores[item] =
      srgan_score_luma (a, b, side * scale, side * scale, scale);
}

static SrganScore
validate (Run *run)
{
  guint n = srgan_dataset_get_n_validation (run->dataset);
  SrganScore mean = {0, 0};

  srgan_graph_set_parameters (run->graph, run->average);
  srgan_workers_run (run->workers, validate_picture, run, n);
  for (guint i = 0; i < n; i++) {
    mean.psnr += run->scores[i].psnr / n;
    mean.ssim += run->scores[i].ssim / n;
  }
  return mean;
}

/* --- Output ------------------------------------------------------------ */

static gboolean
write_network (Run *run, SrganScore score, GError **error)
{
  const SrganRecipe *recipe = run->recipe;
  g_autoptr (SrganNetwork) network =
      srgan_graph_make_network (run->graph, run->average, recipe->name, error);
  g_autofree gchar *text = srgan_recipe_to_string (recipe, FALSE);
  g_autofree gchar *scores = NULL;
  g_autofree gchar *steps = NULL;
  g_autoptr (GKeyFile) file = g_key_file_new ();
  g_autofree gchar *portable = NULL;

  if (network == NULL)
    return FALSE;
  /* the settings, not where things lay on the machine that trained */
  g_key_file_load_from_data (file, text, strlen (text), G_KEY_FILE_NONE, NULL);
  g_key_file_remove_key (file, "data", "folder", NULL);
  g_key_file_remove_group (file, "output", NULL);
  if (recipe->start[0] != '\0') {
    g_autofree gchar *name = g_path_get_basename (recipe->start);

    g_key_file_set_string (file, "network", "start", name);
  }
  portable = g_key_file_to_data (file, NULL, NULL);
  scores = g_strdup_printf (
      "%.3f dB, SSIM %.4f on the pictures held back", score.psnr, score.ssim);
  steps = g_strdup_printf ("%u of %u", run->step, recipe->steps);
  srgan_network_set_note (network, "recipe", portable);
  srgan_network_set_note (network, "scores", scores);
  srgan_network_set_note (network, "steps", steps);
  srgan_network_set_note (
      network, "range", "luma of BT.601, limited range, code / 255");
  if (recipe->training_data[0] != '\0')
    srgan_network_set_note (network, "training-data", recipe->training_data);
  if (recipe->licence[0] != '\0')
    srgan_network_set_note (network, "licence", recipe->licence);
  return srgan_network_finish (network, error) &&
         srgan_network_save (network, run->output, error);
}

static void
report (Run *run, gboolean validated, SrganScore score, gboolean best)
{
  const SrganRecipe *recipe = run->recipe;
  guint n = MIN (run->n_window, LOSS_WINDOW);
  gdouble seconds = (g_get_monotonic_time () - run->start_time) * 1e-6;
  gdouble steps_per_second =
      (run->step - run->first_step) / MAX (seconds, 1e-6);
  SrganTrainProgress progress = {
      .step = run->step,
      .n_steps = recipe->steps,
      .learning_rate = recipe->learning_rate * srgan_optimizer_get_rate (recipe,
                                                   MAX (run->step, 1) - 1),
      .images_per_second = steps_per_second * recipe->batch,
      .seconds_left = steps_per_second > 0
                          ? (recipe->steps - run->step) / steps_per_second
                          : -1,
      .validated = validated,
      .psnr = score.psnr,
      .ssim = score.ssim,
      .best = best,
  };

  for (guint i = 0; i < n; i++)
    progress.loss += run->window[i] / n;
  if (run->progress != NULL)
    run->progress (&progress, run->user_data);
}

gboolean
srgan_train (const SrganRecipe *recipe, GCancellable *cancellable,
    SrganTrainFunc progress, gpointer user_data, GError **error)
{
  g_auto (Run) run = {
      .recipe = recipe,
      .cancellable = cancellable,
      .progress = progress,
      .user_data = user_data,
  };

  if (!srgan_recipe_check (recipe, error))
    return FALSE;
  srgan_blas_init ();
  run.n_threads =
      recipe->threads > 0 ? recipe->threads : srgan_cpu_get_n_allowed ();
  run.n_threads = MIN (run.n_threads, recipe->batch);
  run.best = -G_MAXDOUBLE;
  run.output = recipe->output[0] != '\0'
                   ? g_strdup (recipe->output)
                   : g_strconcat (recipe->name, ".safetensors", NULL);
  run.checkpoint_path = recipe->checkpoint[0] != '\0'
                            ? g_strdup (recipe->checkpoint)
                            : g_strconcat (run.output, ".ckpt", NULL);
  if (!check_writable (run.output, "output.file", error) ||
      !check_writable (run.checkpoint_path, "output.checkpoint", error) ||
      !make_graph (&run, error) || !continue_checkpoint (&run, error))
    return FALSE;
  run.dataset = srgan_dataset_new (recipe, cancellable, tell, &run, error);
  if (run.dataset == NULL)
    return FALSE;
  {
    g_autofree gchar *message =
        g_strdup_printf ("%u pictures to train on, %u held back, %u left out",
            srgan_dataset_get_n_training (run.dataset),
            srgan_dataset_get_n_validation (run.dataset),
            srgan_dataset_get_n_left_out (run.dataset));

    tell (message, &run);
  }
  if (!make_states (&run, error))
    return FALSE;

  run.first_step = run.step;
  run.start_time = g_get_monotonic_time ();
  run.prefetch = srgan_prefetch_new (run.dataset, recipe, run.step);
  while (run.step < recipe->steps) {
    gboolean due, best = FALSE;
    SrganScore score = {0, 0};

    if (!isfinite (make_step (&run))) {
      g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_INVALID,
          "the loss is no longer a number at step %u: lower "
          "training.learning-rate or set training.clip; %s and %s are as they "
          "last were",
          run.step + 1, run.checkpoint_path, run.output);
      return FALSE;
    }
    due = run.step % recipe->validation_interval == 0 ||
          run.step == recipe->steps;
    if (due) {
      score = validate (&run);
      best = score.psnr > run.best;
      if (best) {
        if (!write_network (&run, score, error))
          return FALSE;
        run.best = score.psnr;
      }
    }
    report (&run, due, score, best);

    if (g_cancellable_is_cancelled (cancellable)) {
      if (!save_checkpoint (&run, error))
        return FALSE;
      g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_CANCELLED,
          "stopped after step %u: the same command continues from %s", run.step,
          run.checkpoint_path);
      return FALSE;
    }
    if ((run.step % recipe->checkpoint_interval == 0 ||
            run.step == recipe->steps) &&
        !save_checkpoint (&run, error))
      return FALSE;
  }
  return TRUE;
}
