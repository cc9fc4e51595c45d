/* train: the run itself.
 *
 * Each patch of a step is one item for the worker threads, with its own place
 * for the gradient; the places are summed as sum.h says, so that the result
 * does not depend on which thread or process did what. Where patches see each
 * other (batch-norm, a discriminator) a SrganBatch holds all of them at once.
 *
 * Two phases follow each other: fidelity, then, if the recipe has one, the
 * adversarial phase, which starts from the running mean of the first's weights.
 *
 * SPDX-License-Identifier: MIT
 */
#include "train/train.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "base/cpu.h"
#include "base/workers.h"
#include "train/adversary.h"
#include "train/batch.h"
#include "train/blas.h"
#include "train/checkpoint.h"
#include "train/criterion.h"
#include "train/dataset.h"
#include "train/design.h"
#include "train/distillation.h"
#include "train/graph.h"
#include "train/growth.h"
#include "train/log.h"
#include "train/loss.h"
#include "train/optimizer.h"
#include "train/quantised.h"
#include "train/random.h"
#include "train/score.h"
#include "train/sum.h"

/* The loss told is a mean over so many steps. */
#define LOSS_WINDOW 100

/* How far what the feature network is shown is shifted, at most: it halves
 * pictures, seldom more than four times; and the stream of random numbers. */
#define FURTHEST_SHIFT 15
#define SHIFT_STREAM (G_MAXUINT64 - 3)

typedef struct {
  const SrganRecipe *recipe;
  GCancellable *cancellable;
  SrganTrainFunc progress;
  gpointer user_data;

  gchar *output;
  gchar *fidelity_output; /* the same where there is but one phase */
  gchar *checkpoint_path;

  SrganDataset *dataset;
  SrganPrefetch *prefetch;
  SrganGraph *graph;
  SrganOptimizer *optimizer;
  SrganRecipe rates; /* the optimizer's; its texts are the recipe's */
  SrganWorkers *workers;
  SrganRanks *ranks;
  guint n_threads;
  SrganGraphState **states;            /* one a thread; or */
  SrganBatch *batch;                   /* all patches at once */
  SrganGraphState **validation_states; /* one a thread */
  SrganFeatures *features;             /* of the perceptual loss, or NULL */
  SrganCriterion criterion;
  SrganCriterionState **criterion_states; /* one a thread */
  SrganFeatures *judge;                   /* or NULL */
  SrganFeaturesState **judge_states;      /* one a thread */
  SrganDistillation *distillation;        /* in the fidelity phase, or NULL */
  SrganAdversary *adversary;              /* in its phase */
  guint channels;                         /* of what goes in and comes out */

  guint n_parameters;
  gfloat *parameters;
  gfloat *average;   /* running mean of the parameters */
  gfloat *written;   /* what of it a file holds */
  gfloat *gradient;  /* of a step */
  gfloat *gradients; /* of its patches, [batch][n_parameters]; with a batch
                        NULL */
  /* [thread][target]: network output, then gradient; with a batch all outputs,
   * then all gradients */
  gfloat *outputs;
  gsize input_length;
  gsize target_length;
  const gfloat *inputs; /* the step's batch */
  const gfloat *targets;
  gdouble *losses; /* [batch] */
  SrganScore *scores;
  gdouble *distances;

  SrganLog *log;   /* or NULL */
  gfloat *preview; /* of the first picture validated, if there is a log:
                      input, output, target */
  guint step;      /* steps done */
  guint stale;     /* validations since the best */
  gdouble best;
  gdouble fp32_psnr; /* of training in int8: what the same network has */
  gdouble window[LOSS_WINDOW]; /* losses of steps */
  guint n_window;
  SrganAdversarialLoss adversarial; /* of the last step */
  guint first_step;                 /* of this process */
  gint64 start_time;
} Run;

/* What differs from one phase to the next. */
static void
clear_phase (Run *run)
{
  for (guint i = 0; i < run->n_threads; i++) {
    if (run->states != NULL)
      srgan_graph_state_free (run->states[i]);
    if (run->criterion_states != NULL)
      srgan_criterion_state_free (run->criterion_states[i]);
  }
  g_clear_pointer (&run->distillation, srgan_distillation_free);
  g_clear_pointer (&run->states, g_free);
  g_clear_pointer (&run->criterion_states, g_free);
  g_clear_pointer (&run->batch, srgan_batch_free);
  g_clear_pointer (&run->outputs, g_free);
  g_clear_pointer (&run->gradients, g_free);
}

static void
run_clear (Run *run)
{
  srgan_prefetch_free (run->prefetch);
  srgan_dataset_free (run->dataset);
  clear_phase (run);
  for (guint i = 0; i < run->n_threads; i++) {
    if (run->validation_states != NULL)
      srgan_graph_state_free (run->validation_states[i]);
    if (run->judge_states != NULL)
      srgan_features_state_free (run->judge_states[i]);
  }
  g_free (run->validation_states);
  g_free (run->judge_states);
  srgan_features_free (run->judge);
  srgan_features_free (run->features);
  srgan_adversary_free (run->adversary);
  srgan_graph_free (run->graph);
  srgan_optimizer_free (run->optimizer);
  if (run->workers != NULL)
    srgan_workers_free (run->workers);
  g_free (run->output);
  g_free (run->fidelity_output);
  g_free (run->checkpoint_path);
  g_free (run->parameters);
  g_free (run->average);
  g_free (run->written);
  g_free (run->gradient);
  g_free (run->losses);
  g_free (run->scores);
  g_free (run->distances);
  srgan_log_free (run->log);
  g_free (run->preview);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Run, run_clear)

static void
tell (const gchar *message, gpointer data)
{
  Run *run = data;
  SrganTrainProgress progress = {
      .message = message,
      .step = run->step,
      .n_steps = srgan_recipe_get_n_steps (run->recipe),
      .seconds_left = -1,
      .distance = NAN,
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
        "network.start: %s has no layer of the same name and shape (a smaller "
        "chain can be grown: network.grow)",
        run->recipe->start);
  return n_taken;
}

/* The feature network at @path, which @setting names, or, that being empty, one
 * of random weights. */
static SrganFeatures *
open_features (const gchar *setting, const gchar *path, const gchar *layers,
    guint channels, guint seed, guint colour, GError **error)
{
  g_autoptr (SrganNetwork) network = NULL;
  SrganFeatures *features = NULL;

  if (*path != '\0')
    network = srgan_network_open (path, 0, NULL, error);
  if (*path == '\0' || network != NULL)
    features =
        srgan_features_new (network, layers, channels, seed, colour, error);
  if (features == NULL)
    g_prefix_error (error, "%s: ", setting);
  return features;
}

/* Weights of the recipe's network, some of them those of the start. */
static gboolean
make_float_graph (Run *run, SrganNetwork *start, GError **error)
{
  const SrganRecipe *recipe = run->recipe;
  g_autoptr (SrganNetwork) network = srgan_design_network (recipe, error);
  g_autofree gchar *message = NULL;
  guint n_tensors, n_taken;

  if (network != NULL && start != NULL && recipe->grow) {
    SrganNetwork *grown = srgan_grow_network (network, start, error);

    srgan_network_unref (network);
    network = grown;
  }
  if (network == NULL)
    return FALSE;
  run->graph = srgan_graph_new (network, error);
  if (run->graph == NULL)
    return FALSE;
  if (recipe->precision == SRGAN_TRAIN_BF16 &&
      !srgan_graph_use_bf16 (run->graph))
    tell ("training.precision=bf16: this processor has no tiles (AMX) for it: "
          "fp32 is faster here",
        run);
  run->n_parameters = srgan_graph_get_n_parameters (run->graph);
  run->parameters = g_new (gfloat, run->n_parameters);
  srgan_graph_get_parameters (run->graph, run->parameters);
  if (start == NULL)
    return TRUE;
  if (recipe->grow) {
    message = g_strdup_printf ("grown from %s", recipe->start);
  } else {
    n_taken = take_over (run, start, error);
    if (n_taken == 0)
      return FALSE;
    srgan_graph_get_tensors (run->graph, &n_tensors);
    message = g_strdup_printf (
        "%u of %u tensors taken from %s", n_taken, n_tensors, recipe->start);
  }
  tell (message, run);
  return TRUE;
}

/* The same network, its 3x3 convolutions in branches. */
static gboolean
make_blocks (Run *run, GError **error)
{
  const SrganRecipe *recipe = run->recipe;
  g_autoptr (SrganNetwork) network = srgan_graph_make_network (
      run->graph, run->parameters, recipe->name, error);
  SrganGraph *graph;

  if (network == NULL)
    return FALSE;
  graph = srgan_graph_new (network, error);
  if (graph == NULL)
    return FALSE;
  srgan_graph_free (run->graph);
  run->graph = graph;
  for (guint i = 0; i < srgan_network_get_n_layers (network); i++)
    if (srgan_graph_can_branch (graph, i))
      srgan_graph_add_branches (graph, i, recipe->block_width, recipe->seed);
  run->n_parameters = srgan_graph_get_n_parameters (graph);
  g_free (run->parameters);
  run->parameters = g_new (gfloat, run->n_parameters);
  srgan_graph_get_parameters (graph, run->parameters);
  return TRUE;
}

/* The start itself: its codes are what is to be trained. */
static gboolean
make_int8_graph (Run *run, SrganNetwork *start, GError **error)
{
  guint channels = srgan_network_get_colour (start) == SRGAN_COLOUR_Y ? 1 : 3;

  if (srgan_network_get_scale (start) != run->recipe->scale ||
      channels != run->channels) {
    g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_INVALID,
        "training.precision=int8 trains network.start itself: %s has %u "
        "channels and scale %u, not the %u and %u of network.colour and "
        "network.scale",
        run->recipe->start, channels, srgan_network_get_scale (start),
        run->channels, run->recipe->scale);
    return FALSE;
  }
  run->graph = srgan_graph_new (start, error);
  if (run->graph == NULL || !srgan_graph_quantise (run->graph, error))
    return FALSE;
  run->n_parameters = srgan_graph_get_n_parameters (run->graph);
  run->parameters = g_new (gfloat, run->n_parameters);
  srgan_graph_get_parameters (run->graph, run->parameters);
  return TRUE;
}

static gboolean
make_graph (Run *run, GError **error)
{
  const SrganRecipe *recipe = run->recipe;
  g_autoptr (SrganNetwork) start = NULL;
  const SrganParameter *tensors;
  guint n_tensors;

  if (recipe->start[0] != '\0') {
    start = srgan_network_open (recipe->start, 0, NULL, error);
    if (start == NULL) {
      g_prefix_error (error, "network.start: ");
      return FALSE;
    }
  }
  if (!(recipe->precision == SRGAN_TRAIN_INT8
              ? make_int8_graph (run, start, error)
              : make_float_graph (run, start, error)))
    return FALSE;
  if (recipe->blocks == SRGAN_BLOCKS_ECB && !make_blocks (run, error))
    return FALSE;
  run->average = g_new (gfloat, run->n_parameters);
  run->written = g_new (gfloat, run->n_parameters);
  run->gradient = g_new (gfloat, run->n_parameters);
  memcpy (run->average, run->parameters, run->n_parameters * sizeof (gfloat));
  run->rates = *recipe;
  tensors = srgan_graph_get_tensors (run->graph, &n_tensors);
  run->optimizer =
      srgan_optimizer_new (&run->rates, tensors, n_tensors, run->workers);
  return TRUE;
}

/* The adversarial phase's opponents: at its start, or when a checkpoint of it
 * is continued. */
static gboolean
make_opponents (Run *run, GError **error)
{
  const SrganParameter *tensors;
  guint n_tensors;

  run->adversary =
      srgan_adversary_new (run->recipe, run->workers, run->ranks, error);
  if (run->adversary == NULL)
    return FALSE;
  srgan_recipe_set_adversarial_rates (
      &run->rates, run->recipe->adversarial_learning_rate);
  srgan_optimizer_free (run->optimizer);
  tensors = srgan_graph_get_tensors (run->graph, &n_tensors);
  run->optimizer =
      srgan_optimizer_new (&run->rates, tensors, n_tensors, run->workers);
  return TRUE;
}

static void
describe_states (SrganCheckpoint *checkpoint, Run *run)
{
  checkpoint->state =
      srgan_optimizer_get_state (run->optimizer, &checkpoint->n_state);
  if (run->adversary != NULL) {
    checkpoint->rival =
        srgan_adversary_get_parameters (run->adversary, &checkpoint->n_rival);
    checkpoint->rival_state =
        srgan_adversary_get_state (run->adversary, &checkpoint->n_rival_state);
  }
}

/* Before a checkpoint's arrays are read: its step says which there are. */
static gboolean
prepare_states (SrganCheckpoint *checkpoint, gpointer data, GError **error)
{
  Run *run = data;

  if (checkpoint->step > run->recipe->steps && !make_opponents (run, error))
    return FALSE;
  describe_states (checkpoint, run);
  return TRUE;
}

static SrganCheckpoint
describe_checkpoint (Run *run)
{
  SrganCheckpoint checkpoint = {
      .recipe = run->recipe,
      .step = run->step,
      .stale = run->stale,
      .n_patches = run->recipe->batch * srgan_ranks_get_n (run->ranks),
      .best = run->best,
      .parameters = run->parameters,
      .average = run->average,
      .n_parameters = run->n_parameters,
      .prepare = prepare_states,
      .data = run,
  };

  describe_states (&checkpoint, run);
  return checkpoint;
}

static gboolean
fail_for_divergence (Run *run, guint step, GError **error)
{
  g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_INVALID,
      "the loss is no longer a number at step %u: lower "
      "training.learning-rate or set training.clip; %s and %s are as they "
      "last were",
      step, run->checkpoint_path, run->output);
  return FALSE;
}

static gboolean
save_checkpoint (Run *run, GError **error)
{
  SrganCheckpoint checkpoint = describe_checkpoint (run);

  /* what a finite loss may leave, and the next step would find */
  for (guint k = 0; k < run->n_parameters; k++)
    if (!isfinite (run->parameters[k]) || !isfinite (run->average[k]))
      return fail_for_divergence (run, run->step, error);
  if (srgan_ranks_get_rank (run->ranks) > 0)
    return TRUE;
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
  run->stale = checkpoint.stale;
  message = g_strdup_printf (
      "continuing %s after step %u", run->checkpoint_path, run->step);
  tell (message, run);
  return TRUE;
}

static gboolean
fail_for_memory (Run *run, GError **error)
{
  g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_TOO_LARGE,
      "not enough memory for patches of %ux%u and %u channels",
      run->recipe->patch, run->recipe->patch, run->recipe->channels);
  return FALSE;
}

/* What the phase that run->step lies in trains with. */
static gboolean
make_phase (Run *run, GError **error)
{
  const SrganRecipe *recipe = run->recipe;
  gboolean adversarial =
      run->step >= recipe->steps && recipe->adversarial_steps > 0;
  const gdouble *weights =
      adversarial ? recipe->adversarial_weights : recipe->weights;
  guint patch = recipe->patch, side = patch * recipe->scale;

  clear_phase (run);
  if (adversarial && run->adversary == NULL && !make_opponents (run, error))
    return FALSE;
  run->criterion = (SrganCriterion){
      .kind = recipe->loss,
      .epsilon = recipe->charbonnier_epsilon,
      .pixel = weights[SRGAN_TERM_PIXEL],
      .ssim = weights[SRGAN_TERM_SSIM],
      .ms_ssim = weights[SRGAN_TERM_MS_SSIM],
      .fourier = weights[SRGAN_TERM_FOURIER],
      .perceptual = weights[SRGAN_TERM_PERCEPTUAL],
      .features = recipe->feature_form,
  };
  if (run->criterion.perceptual > 0 && run->features == NULL) {
    run->features = open_features ("features.model", recipe->features,
        recipe->feature_layers, recipe->feature_channels, recipe->feature_seed,
        recipe->colour, error);
    if (run->features == NULL)
      return FALSE;
  }
  run->criterion_states = g_new0 (SrganCriterionState *, run->n_threads);
  for (guint i = 0; i < run->n_threads; i++) {
    run->criterion_states[i] = srgan_criterion_state_new (
        &run->criterion, run->features, side, side, run->channels, error);
    if (run->criterion_states[i] == NULL)
      return FALSE;
  }

  if (!adversarial && recipe->teacher[0] != '\0') {
    run->distillation = srgan_distillation_new (recipe, run->n_threads, error);
    if (run->distillation == NULL)
      return FALSE;
  }

  if (adversarial || srgan_graph_needs_batch (run->graph)) {
    run->batch = srgan_batch_new (
        run->graph, recipe->batch, patch, patch, run->workers, run->ranks);
    if (run->batch == NULL)
      return fail_for_memory (run, error);
    run->outputs = g_try_new (gfloat, 2 * run->target_length * recipe->batch);
  } else {
    run->states = g_new0 (SrganGraphState *, run->n_threads);
    for (guint i = 0; i < run->n_threads; i++) {
      run->states[i] = srgan_graph_state_new (run->graph, patch, patch, TRUE);
      if (run->states[i] == NULL)
        return fail_for_memory (run, error);
    }
    run->outputs = g_try_new (gfloat, 2 * run->target_length * run->n_threads);
    run->gradients =
        g_try_new (gfloat, (gsize) run->n_parameters * recipe->batch);
  }
  return (run->outputs != NULL &&
             (run->gradients != NULL || run->batch != NULL)) ||
         fail_for_memory (run, error);
}

static gboolean
make_states (Run *run, GError **error)
{
  const SrganRecipe *recipe = run->recipe;
  guint side = srgan_dataset_get_validation_patch (run->dataset);
  guint n = srgan_dataset_get_n_validation (run->dataset);

  run->validation_states = g_new0 (SrganGraphState *, run->n_threads);
  for (guint i = 0; i < run->n_threads; i++) {
    run->validation_states[i] =
        srgan_graph_state_new (run->graph, side, side, FALSE);
    if (run->validation_states[i] == NULL)
      return fail_for_memory (run, error);
  }
  if (recipe->judge[0] != '\0') {
    run->judge = open_features ("validation.features", recipe->judge,
        recipe->judge_layers, 0, 0, recipe->colour, error);
    if (run->judge == NULL)
      return FALSE;
    run->judge_states = g_new0 (SrganFeaturesState *, run->n_threads);
    for (guint i = 0; i < run->n_threads; i++) {
      run->judge_states[i] = srgan_features_state_new (
          run->judge, side * recipe->scale, side * recipe->scale, FALSE, error);
      if (run->judge_states[i] == NULL)
        return FALSE;
    }
  }
  run->input_length = (gsize) recipe->patch * recipe->patch * run->channels;
  run->target_length = run->input_length * recipe->scale * recipe->scale;
  run->losses = g_new0 (gdouble, recipe->batch);
  run->scores = g_new0 (SrganScore, n);
  run->distances = g_new0 (gdouble, n);
  return make_phase (run, error);
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

/* The loss of patch @item, whose derivative goes to @gradient. */
static void
judge_output (
    Run *run, guint item, guint worker, const gfloat *output, gfloat *gradient)
{
  /* the step's loss is the mean over the patches of all processes */
  gfloat weight = 1.f / (run->recipe->batch * srgan_ranks_get_n (run->ranks));
  guint64 patch = (guint64) run->recipe->batch *
                      (run->step * srgan_ranks_get_n (run->ranks) +
                          srgan_ranks_get_rank (run->ranks)) +
                  item;
  SrganRandom random =
      srgan_random_init (run->recipe->seed, SHIFT_STREAM, patch);
  guint x = srgan_random_below (&random, FURTHEST_SHIFT + 1);

  srgan_criterion_state_shift (run->criterion_states[worker], x,
      srgan_random_below (&random, FURTHEST_SHIFT + 1));
  run->losses[item] = srgan_criterion_evaluate (run->criterion_states[worker],
      output, run->targets + item * run->target_length, weight, gradient);
  if (run->distillation != NULL)
    run->losses[item] += srgan_distillation_evaluate (run->distillation, worker,
        run->inputs + item * run->input_length, output, weight, gradient);
}

static void
train_patch (gpointer data, guint item, guint worker)
{
  Run *run = data;
  gfloat *output = run->outputs + 2 * run->target_length * worker;
  gfloat *gradient = output + run->target_length;

  srgan_graph_forward (
      run->states[worker], run->inputs + item * run->input_length, output);
  judge_output (run, item, worker, output, gradient);
  srgan_graph_backward (run->states[worker], gradient,
      run->gradients + (gsize) item * run->n_parameters);
}

static const gfloat *
get_gradient (gpointer data, guint item, gsize first, gsize n, gfloat *scratch)
{
  const Run *run = data;

  return run->gradients + (gsize) item * run->n_parameters + first;
}

/* The same in two halves, for all patches at once. */
static void
judge_patch (gpointer data, guint item, guint worker)
{
  Run *run = data;
  gsize place = item * run->target_length;

  judge_output (run, item, worker, run->outputs + place,
      run->outputs + run->recipe->batch * run->target_length + place);
}

/* The gradient of a step, of all processes, into run->gradient. */
static gdouble
find_gradient (Run *run)
{
  const SrganRecipe *recipe = run->recipe;
  gfloat *slopes = run->outputs + recipe->batch * run->target_length;
  gdouble loss = 0;

  srgan_graph_set_parameters (run->graph, run->parameters);
  if (run->batch == NULL) {
    srgan_workers_run (run->workers, train_patch, run, recipe->batch);
  } else {
    srgan_batch_forward (run->batch, run->inputs, run->outputs);
    srgan_workers_run (run->workers, judge_patch, run, recipe->batch);
  }
  for (guint i = 0; i < recipe->batch; i++)
    loss += run->losses[i] / recipe->batch;
  if (srgan_ranks_get_n (run->ranks) > 1) {
    srgan_ranks_sum (run->ranks, &loss, 1);
    loss /= srgan_ranks_get_n (run->ranks);
  }
  if (!isfinite (loss))
    return loss;

  memset (run->gradient, 0, run->n_parameters * sizeof (gfloat));
  if (run->batch != NULL) {
    if (run->adversary != NULL) {
      run->adversarial = srgan_adversary_step (run->adversary,
          run->step - recipe->steps, run->targets, run->outputs, slopes);
      loss += recipe->adversarial_weight * run->adversarial.generator;
      if (!isfinite (run->adversarial.discriminator) || !isfinite (loss))
        return NAN;
    }
    srgan_batch_backward (run->batch, slopes, run->gradient, NULL);
    srgan_graph_finish_gradient (run->graph, run->gradient);
    srgan_batch_update_statistics (run->batch, run->parameters);
    return loss;
  }
  srgan_sum_floats (run->workers, run->ranks, recipe->batch, run->n_parameters,
      get_gradient, run, run->gradient);
  srgan_graph_finish_gradient (run->graph, run->gradient);
  return loss;
}

/* One step; returns its loss, which may be no number: then nothing was
 * changed. */
static gdouble
make_step (Run *run)
{
  const SrganRecipe *recipe = run->recipe;
  gdouble loss;
  gfloat keep;

  srgan_prefetch_next (run->prefetch, &run->inputs, &run->targets);
  loss = find_gradient (run);
  if (!isfinite (loss))
    return loss;

  srgan_optimizer_step (run->optimizer,
      run->adversary != NULL ? run->step - recipe->steps : run->step,
      run->parameters, run->gradient);

  /* a short memory at first, when the weights still run away from it */
  keep = (gfloat) MIN (recipe->average, (1. + run->step) / (10. + run->step));
  for (guint k = 0; k < run->n_parameters; k++)
    run->average[k] = keep * run->average[k] + (1 - keep) * run->parameters[k];
  run->step++;
  run->window[run->n_window++ % LOSS_WINDOW] = loss;
  return loss;
}

/* 8-bit codes of BT.601 luma, of a picture of ours. */
static void
get_luma (const gfloat *picture, guint channels, gsize n, gdouble *luma)
{
  for (gsize i = 0; i < n; i++, picture += channels)
    luma[i] = channels == 1 ? CLAMP (picture[0], 0, 1) * 255.
                            : 16 + 65.481 * CLAMP (picture[0], 0, 1) +
                                  128.553 * CLAMP (picture[1], 0, 1) +
                                  24.966 * CLAMP (picture[2], 0, 1);
}

static void
validate_picture (gpointer data, guint item, guint worker)
{
  Run *run = data;
  guint scale = run->recipe->scale;
  guint side = srgan_dataset_get_validation_patch (run->dataset);
  gsize n = (gsize) side * scale * side * scale;
  g_autofree gfloat *input =
      g_new (gfloat, (gsize) side * side * run->channels);
  g_autofree gfloat *target = g_new (gfloat, n * run->channels);
  g_autofree gfloat *output = g_new (gfloat, n * run->channels);
  g_autofree gdouble *a = g_new (gdouble, n);
  g_autofree gdouble *b = g_new (gdouble, n);

  srgan_dataset_make_validation_patch (run->dataset, item, input, target);
  srgan_graph_forward (run->validation_states[worker], input, output);
  get_luma (target, run->channels, n, a);
  get_luma (output, run->channels, n, b);
  run->scores[item] =
      srgan_score_luma (a, b, side * scale, side * scale, scale);
  if (item == 0 && run->preview != NULL) {
    gsize n_small = (gsize) side * side;

    memcpy (run->preview, input, n_small * run->channels * sizeof (gfloat));
    memcpy (run->preview + n_small * run->channels, output,
        n * run->channels * sizeof (gfloat));
    memcpy (run->preview + (n_small + n) * run->channels, target,
        n * run->channels * sizeof (gfloat));
  }
  if (run->judge != NULL) {
    srgan_features_set_target (run->judge_states[worker], target);
    run->distances[item] =
        srgan_features_distance (run->judge_states[worker], output);
  }
}

static SrganScore
score_pictures (Run *run, gdouble *distance)
{
  guint n = srgan_dataset_get_n_validation (run->dataset);
  SrganScore mean = {0, 0};

  *distance = run->judge != NULL ? 0 : NAN;
  srgan_workers_run (run->workers, validate_picture, run, n);
  for (guint i = 0; i < n; i++) {
    mean.psnr += run->scores[i].psnr / n;
    mean.ssim += run->scores[i].ssim / n;
    if (run->judge != NULL)
      *distance += run->distances[i] / n;
  }
  return mean;
}

/* What will be written: the mean, or, as SRGAN-Rust's quantised files have it,
 * its numbers rounded to 11 bits behind the first. */
static void
round_average (Run *run)
{
  memcpy (run->written, run->average, run->n_parameters * sizeof (gfloat));
  for (guint k = 0; run->recipe->quantised && k < run->n_parameters; k++) {
    guint32 bits;

    memcpy (&bits, run->written + k, sizeof bits);
    bits = (bits + 0x800) & ~0xfffu;
    memcpy (run->written + k, &bits, sizeof bits);
  }
}

/* @distance: NAN where nothing measures it. */
static SrganScore
validate (Run *run, gdouble *distance)
{
  round_average (run);
  srgan_graph_set_parameters (run->graph, run->written);
  return score_pictures (run, distance);
}

/* What training in int8 begins with, and what it can hope for. */
static gboolean
score_start (Run *run, GError **error)
{
  g_autoptr (SrganGraph) graph =
      srgan_graph_new (srgan_graph_get_network (run->graph), error);
  SrganGraphState **states = run->validation_states;
  g_autofree gfloat *parameters = NULL;
  g_autofree gchar *message = NULL;
  guint side = srgan_dataset_get_validation_patch (run->dataset);
  gboolean done = TRUE;
  gdouble distance;

  if (graph == NULL)
    return FALSE;
  parameters = g_new (gfloat, run->n_parameters);
  srgan_graph_get_parameters (graph, parameters);
  srgan_graph_set_parameters (graph, parameters);
  run->validation_states = g_new0 (SrganGraphState *, run->n_threads);
  for (guint i = 0; i < run->n_threads && done; i++) {
    run->validation_states[i] =
        srgan_graph_state_new (graph, side, side, FALSE);
    done = run->validation_states[i] != NULL;
  }
  if (done)
    run->fp32_psnr = score_pictures (run, &distance).psnr;
  for (guint i = 0; i < run->n_threads; i++)
    srgan_graph_state_free (run->validation_states[i]);
  g_free (run->validation_states);
  run->validation_states = states;
  if (!done)
    return fail_for_memory (run, error);

  message = g_strdup_printf (
      "%s: %.3f dB on the pictures held back in fp32, %.3f in int8",
      run->recipe->start, run->fp32_psnr, validate (run, &distance).psnr);
  tell (message, run);
  return TRUE;
}

/* --- The log ----------------------------------------------------------- */

/* A picture of ours to bytes, from column @left of @picture on. */
static void
put_picture (const Run *run, const gfloat *values, guint side, guint left,
    SrganPicture *picture)
{
  for (guint y = 0; y < side; y++)
    for (guint x = 0; x < side; x++) {
      const gfloat *from = values + ((gsize) y * side + x) * run->channels;
      guint8 *to = picture->rgb + 3 * ((gsize) y * picture->width + left + x);

      for (guint c = 0; c < 3; c++) {
        gfloat value = run->channels == 1 ? (from[0] * 255 - 16) * (255 / 219.f)
                                          : from[c] * 255;

        to[c] = (guint8) (CLAMP (value, 0, 255) + .5f);
      }
    }
}

/* Input enlarged by bicubic interpolation | output | target. */
static gboolean
log_preview (Run *run, GError **error)
{
  guint small = srgan_dataset_get_validation_patch (run->dataset);
  guint large = small * run->recipe->scale;
  gsize n = (gsize) large * large * run->channels;
  const gfloat *output = run->preview + (gsize) small * small * run->channels;
  g_autoptr (SrganPicture) input = srgan_picture_new (small, small);
  g_autoptr (SrganPicture) enlarged = srgan_picture_new (large, large);
  g_autoptr (SrganPicture) all = srgan_picture_new (3 * large, large);

  put_picture (run, run->preview, small, 0, input);
  srgan_resample_bytes (input->rgb, small, small, 3, run->recipe->scale,
      enlarged->rgb, large, large);
  for (guint y = 0; y < large; y++)
    memcpy (all->rgb + (gsize) 9 * y * large,
        enlarged->rgb + (gsize) 3 * y * large, (gsize) 3 * large);
  put_picture (run, output, large, large, all);
  put_picture (run, output + n, large, 2 * large, all);
  return srgan_log_add_picture (run->log, run->step, all, error);
}

static gboolean
log_progress (Run *run, const SrganTrainProgress *progress, GError **error)
{
  gdouble validated = progress->validated ? 0 : NAN;
  gdouble adversarial = progress->adversarial ? 0 : NAN;
  const SrganLogNumber numbers[] = {
      {"loss", progress->loss},
      {"learning-rate", progress->learning_rate},
      {"images-per-second", progress->images_per_second},
      {"generator-loss", progress->generator_loss + adversarial},
      {"discriminator-loss", progress->discriminator_loss + adversarial},
      {"psnr", progress->psnr + validated},
      {"ssim", progress->ssim + validated},
      {"perceptual-distance", progress->distance},
  };

  return srgan_log_add (
      run->log, run->step, numbers, G_N_ELEMENTS (numbers), error);
}

/* --- Output ------------------------------------------------------------ */

/* The settings, not where things lay on the machine that trained. */
static gchar *
get_portable_recipe (const SrganRecipe *recipe)
{
  g_autofree gchar *text = srgan_recipe_to_string (recipe, FALSE);
  g_autoptr (GKeyFile) file = g_key_file_new ();
  const struct {
    const gchar *group, *key, *path;
  } paths[] = {
      {"network", "start", recipe->start},
      {"distillation", "teacher", recipe->teacher},
      {"features", "model", recipe->features},
      {"validation", "features", recipe->judge},
  };

  g_key_file_load_from_data (file, text, strlen (text), G_KEY_FILE_NONE, NULL);
  g_key_file_remove_key (file, "data", "folder", NULL);
  g_key_file_remove_key (file, "data", "pairs", NULL);
  g_key_file_remove_group (file, "output", NULL);
  for (guint i = 0; i < G_N_ELEMENTS (paths); i++)
    if (paths[i].path[0] != '\0') {
      g_autofree gchar *name = g_path_get_basename (paths[i].path);

      g_key_file_set_string (file, paths[i].group, paths[i].key, name);
    }
  return g_key_file_to_data (file, NULL, NULL);
}

static void
set_notes (Run *run, SrganNetwork *network, SrganScore score, gdouble distance)
{
  const SrganRecipe *recipe = run->recipe;
  g_autofree gchar *portable = get_portable_recipe (recipe);
  g_autofree gchar *scores = NULL;
  g_autofree gchar *distances = NULL;
  g_autofree gchar *steps = NULL;

  scores = g_strdup_printf (
      "%.3f dB, SSIM %.4f on the pictures held back", score.psnr, score.ssim);
  if (!isnan (distance)) {
    g_autofree gchar *name = g_path_get_basename (recipe->judge);

    distances = g_strdup_printf (
        "%.4f by %s on the pictures held back", distance, name);
    srgan_network_set_note (network, "perceptual-distance", distances);
  }
  steps = g_strdup_printf (
      "%u of %u", run->step, srgan_recipe_get_n_steps (recipe));
  srgan_network_set_note (network, "recipe", portable);
  srgan_network_set_note (network, "scores", scores);
  srgan_network_set_note (network, "steps", steps);
  srgan_network_set_note (network, "range",
      run->channels == 1 ? "luma of BT.601, limited range, code / 255"
                         : "R'G'B' of sRGB, code / 255");
  if (recipe->training_data[0] != '\0')
    srgan_network_set_note (network, "training-data", recipe->training_data);
  if (recipe->licence[0] != '\0')
    srgan_network_set_note (network, "licence", recipe->licence);
}

/* What was trained in int8 has the notes of its start, which tell of fp32. */
static void
set_int8_notes (Run *run, SrganNetwork *network, SrganScore score)
{
  g_autofree gchar *portable = get_portable_recipe (run->recipe);
  g_autofree gchar *steps = g_strdup_printf (
      "%u of %u", run->step, srgan_recipe_get_n_steps (run->recipe));
  gchar number[G_ASCII_DTOSTR_BUF_SIZE];
  g_autofree gchar *loss = g_strdup_printf ("%s dB on %u pictures held back",
      g_ascii_formatd (
          number, sizeof number, "%.4f", run->fp32_psnr - score.psnr),
      srgan_dataset_get_n_validation (run->dataset));

  srgan_network_set_note (network, "int8-recipe", portable);
  srgan_network_set_note (network, "int8-steps", steps);
  srgan_network_set_note (network, "int8-loss", loss);
}

static gboolean
write_network (Run *run, SrganScore score, gdouble distance, GError **error)
{
  g_autoptr (SrganNetwork) network = srgan_graph_make_network (
      run->graph, run->written, run->recipe->name, error);

  if (network == NULL)
    return FALSE;
  if (run->recipe->precision == SRGAN_TRAIN_INT8)
    set_int8_notes (run, network, score);
  else
    set_notes (run, network, score, distance);
  return srgan_network_finish (network, error) &&
         srgan_network_save (network,
             run->adversary == NULL ? run->fidelity_output : run->output,
             error);
}

static gboolean
report (Run *run, gboolean validated, SrganScore score, gdouble distance,
    gboolean best, GError **error)
{
  const SrganRecipe *recipe = run->recipe;
  guint n_steps = srgan_recipe_get_n_steps (recipe);
  guint phase_step =
      run->adversary != NULL ? run->step - recipe->steps : run->step;
  guint n = MIN (run->n_window, LOSS_WINDOW);
  gdouble seconds = (g_get_monotonic_time () - run->start_time) * 1e-6;
  gdouble steps_per_second =
      (run->step - run->first_step) / MAX (seconds, 1e-6);
  SrganTrainProgress progress = {
      .step = run->step,
      .n_steps = n_steps,
      .learning_rate =
          run->rates.learning_rate *
          srgan_optimizer_get_rate (&run->rates, MAX (phase_step, 1) - 1),
      .images_per_second =
          steps_per_second * recipe->batch * srgan_ranks_get_n (run->ranks),
      .seconds_left =
          steps_per_second > 0 ? (n_steps - run->step) / steps_per_second : -1,
      .adversarial = run->adversary != NULL,
      .generator_loss = run->adversarial.generator,
      .discriminator_loss = run->adversarial.discriminator,
      .distance = distance,
      .validated = validated,
      .psnr = score.psnr,
      .ssim = score.ssim,
      .best = best,
  };

  for (guint i = 0; i < n; i++)
    progress.loss += run->window[i] / n;
  if (run->progress != NULL)
    run->progress (&progress, run->user_data);
  if (run->log == NULL || (!validated && run->step % recipe->log_interval != 0))
    return TRUE;
  return log_progress (run, &progress, error) &&
         (!validated || log_preview (run, error));
}

/* @path with @suffix before its ending. */
static gchar *
add_to_name (const gchar *path, const gchar *suffix)
{
  const gchar *name = strrchr (path, G_DIR_SEPARATOR);
  const gchar *dot = strrchr (name != NULL ? name : path, '.');
  gsize length = dot != NULL ? (gsize) (dot - path) : strlen (path);

  return g_strdup_printf (
      "%.*s%s%s", (int) length, path, suffix, path + length);
}

/* From the fidelity phase to the adversarial one. */
static gboolean
change_phase (Run *run, GError **error)
{
  memcpy (run->parameters, run->average, run->n_parameters * sizeof (gfloat));
  if (!make_phase (run, error))
    return FALSE;
  tell ("the adversarial phase begins", run);
  return TRUE;
}

gboolean
srgan_train (const SrganRecipe *recipe, GCancellable *cancellable,
    SrganTrainFunc progress, gpointer user_data, GError **error)
{
  return srgan_train_together (
      recipe, NULL, cancellable, progress, user_data, error);
}

/* Scores and, where that is due, keeps the weights. On all processes, so that
 * they agree; the first alone looks. */
static gboolean
validate_and_keep (Run *run, SrganScore *score, gdouble *distance,
    gboolean *best, GError **error)
{
  gdouble psnr = 0;

  if (srgan_ranks_get_rank (run->ranks) == 0) {
    *score = validate (run, distance);
    psnr = score->psnr;
  }
  srgan_ranks_sum (run->ranks, &psnr, 1);
  /* pictures that please have no higher PSNR: there the last are kept */
  *best = run->adversary != NULL || psnr > run->best;
  run->stale = *best ? 0 : run->stale + 1;
  if (!*best)
    return TRUE;
  if (srgan_ranks_get_rank (run->ranks) == 0 &&
      !write_network (run, *score, *distance, error))
    return FALSE;
  if (run->adversary == NULL)
    run->best = psnr;
  return TRUE;
}

/* Whether it is time to stop early; says so. */
static gboolean
is_stale (Run *run)
{
  g_autofree gchar *message =
      g_strdup_printf ("stopped early: no better weights in %u validations "
                       "(validation.patience)",
          run->stale);

  if (run->recipe->patience == 0 || run->stale < run->recipe->patience)
    return FALSE;
  tell (message, run);
  return TRUE;
}

gboolean
srgan_train_together (const SrganRecipe *recipe, SrganRanks *ranks,
    GCancellable *cancellable, SrganTrainFunc progress, gpointer user_data,
    GError **error)
{
  g_auto (Run) run = {
      .recipe = recipe,
      .ranks = ranks,
      .cancellable = cancellable,
      .progress = srgan_ranks_get_rank (ranks) == 0 ? progress : NULL,
      .user_data = user_data,
  };

  guint n_steps = srgan_recipe_get_n_steps (recipe);
  g_auto (GStrv) idle = NULL;

  if (!srgan_recipe_check (recipe, error))
    return FALSE;
  idle = srgan_recipe_find_idle (recipe);
  for (guint i = 0; idle[i] != NULL; i++)
    tell (idle[i], &run);
  srgan_blas_init ();
  run.n_threads =
      recipe->threads > 0 ? recipe->threads : srgan_cpu_get_n_allowed ();
  run.n_threads = MIN (run.n_threads, recipe->batch);
  run.channels = srgan_recipe_get_channels (recipe);
  run.adversarial = (SrganAdversarialLoss){NAN, NAN};
  run.best = -G_MAXDOUBLE;
  run.output = recipe->output[0] != '\0'
                   ? g_strdup (recipe->output)
                   : g_strconcat (recipe->name, ".safetensors", NULL);
  run.checkpoint_path = recipe->checkpoint[0] != '\0'
                            ? g_strdup (recipe->checkpoint)
                            : g_strconcat (run.output, ".ckpt", NULL);
  run.fidelity_output = recipe->adversarial_steps > 0
                            ? add_to_name (run.output, "-fidelity")
                            : g_strdup (run.output);
  run.workers = srgan_workers_new (run.n_threads, error);
  if (run.workers == NULL)
    return FALSE;
  if (!check_writable (run.output, "output.file", error) ||
      !check_writable (run.checkpoint_path, "output.checkpoint", error) ||
      !make_graph (&run, error) || !continue_checkpoint (&run, error))
    return FALSE;
  if (is_stale (&run))
    return TRUE;
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
  if (!make_states (&run, error) ||
      (recipe->precision == SRGAN_TRAIN_INT8 && !score_start (&run, error)))
    return FALSE;
  if (recipe->log_folder[0] != '\0' && srgan_ranks_get_rank (ranks) == 0) {
    guint small = srgan_dataset_get_validation_patch (run.dataset);

    run.log = srgan_log_new (recipe->log_folder, error);
    if (run.log == NULL)
      return FALSE;
    run.preview = g_new0 (gfloat, (gsize) small * small * run.channels *
                                      (1 + 2 * recipe->scale * recipe->scale));
  }

  run.first_step = run.step;
  run.start_time = g_get_monotonic_time ();
  run.prefetch = srgan_prefetch_new (
      run.dataset, recipe, run.step, srgan_ranks_get_rank (run.ranks));
  while (run.step < n_steps) {
    gboolean due, cancelled, best = FALSE;
    SrganScore score = {0, 0};
    gdouble distance = NAN;

    if (run.step == recipe->steps && !change_phase (&run, error))
      return FALSE;
    if (!isfinite (make_step (&run)))
      return fail_for_divergence (&run, run.step + 1, error);
    if (!srgan_dataset_check (run.dataset, error))
      return FALSE;
    due = run.step % recipe->validation_interval == 0 ||
          run.step == recipe->steps || run.step == n_steps;
    if (due && !validate_and_keep (&run, &score, &distance, &best, error))
      return FALSE;
    if (!report (&run, due, score, distance, best, error))
      return FALSE;

    cancelled = g_cancellable_is_cancelled (cancellable);
    if (srgan_ranks_get_n (ranks) > 1)
      cancelled = srgan_ranks_any (ranks, cancelled);
    if (cancelled) {
      if (!save_checkpoint (&run, error))
        return FALSE;
      g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_CANCELLED,
          "stopped after step %u: the same command continues from %s", run.step,
          run.checkpoint_path);
      return FALSE;
    }
    if ((run.step % recipe->checkpoint_interval == 0 || run.step == n_steps) &&
        !save_checkpoint (&run, error))
      return FALSE;
    if (due && is_stale (&run))
      return save_checkpoint (&run, error);
  }
  return TRUE;
}
