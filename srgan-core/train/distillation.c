/* train: learning from a larger network (Hinton et al. 2015).
 *
 * SPDX-License-Identifier: MIT
 */
#include "train/distillation.h"

#include "train/graph.h"

/* What a patch without detail has for its corrections' mean square: half a code
 * of 8 bits. */
#define LEAST_ENERGY (.25 / (255 * 255))

typedef struct {
  SrganGraphState *state;
  gfloat *output;   /* the teacher's */
  gfloat *gradient; /* of one of the losses */
  gfloat *enlarged;
} Thread;

struct _SrganDistillation {
  const SrganRecipe *recipe;
  SrganGraph *graph;
  gfloat *parameters;
  guint n_threads;
  Thread *threads;
  guint channels;
  guint n; /* values of an output */
};

static gboolean
check_teacher (const SrganRecipe *recipe, SrganNetwork *network, GError **error)
{
  guint channels = srgan_network_get_colour (network) == SRGAN_COLOUR_Y ? 1 : 3;

  if (srgan_network_get_scale (network) == recipe->scale &&
      channels == srgan_recipe_get_channels (recipe))
    return TRUE;
  g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_INVALID,
      "distillation.teacher: %s has %u channels and scale %u, the network that "
      "learns %u and %u",
      recipe->teacher, channels, srgan_network_get_scale (network),
      srgan_recipe_get_channels (recipe), recipe->scale);
  return FALSE;
}

SrganDistillation *
srgan_distillation_new (
    const SrganRecipe *recipe, guint n_threads, GError **error)
{
  g_autoptr (SrganDistillation) distillation = g_new0 (SrganDistillation, 1);
  g_autoptr (SrganNetwork) network =
      srgan_network_open (recipe->teacher, recipe->scale, NULL, error);
  guint side = recipe->patch * recipe->scale;

  if (network == NULL) {
    g_prefix_error (error, "distillation.teacher: ");
    return NULL;
  }
  if (!check_teacher (recipe, network, error))
    return NULL;
  distillation->recipe = recipe;
  distillation->graph = srgan_graph_new (network, error);
  if (distillation->graph == NULL) {
    g_prefix_error (error, "distillation.teacher: %s: ", recipe->teacher);
    return NULL;
  }
  if (recipe->precision == SRGAN_TRAIN_BF16)
    srgan_graph_use_bf16 (distillation->graph);
  distillation->parameters =
      g_new (gfloat, srgan_graph_get_n_parameters (distillation->graph));
  srgan_graph_get_parameters (distillation->graph, distillation->parameters);
  srgan_graph_set_parameters (distillation->graph, distillation->parameters);
  distillation->channels = srgan_recipe_get_channels (recipe);
  distillation->n = side * side * distillation->channels;
  distillation->n_threads = n_threads;
  distillation->threads = g_new0 (Thread, n_threads);
  for (guint i = 0; i < n_threads; i++) {
    Thread *thread = distillation->threads + i;

    thread->state = srgan_graph_state_new (
        distillation->graph, recipe->patch, recipe->patch, FALSE);
    thread->output = g_try_new (gfloat, distillation->n);
    thread->gradient = g_try_new (gfloat, distillation->n);
    thread->enlarged = g_try_new (gfloat, distillation->n);
    if (thread->state == NULL || thread->output == NULL ||
        thread->gradient == NULL || thread->enlarged == NULL) {
      g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_TOO_LARGE,
          "distillation.teacher: not enough memory to run %s on patches of "
          "%ux%u",
          recipe->teacher, recipe->patch, recipe->patch);
      return NULL;
    }
    if (recipe->precision == SRGAN_TRAIN_BF16)
      srgan_graph_state_use_bf16 (thread->state);
  }
  return g_steal_pointer (&distillation);
}

void
srgan_distillation_free (SrganDistillation *distillation)
{
  if (distillation == NULL)
    return;
  for (guint i = 0; i < distillation->n_threads; i++) {
    srgan_graph_state_free (distillation->threads[i].state);
    g_free (distillation->threads[i].output);
    g_free (distillation->threads[i].gradient);
    g_free (distillation->threads[i].enlarged);
  }
  g_free (distillation->threads);
  srgan_graph_free (distillation->graph);
  g_free (distillation->parameters);
  g_free (distillation);
}

gdouble
srgan_residual_loss (const gfloat *output, const gfloat *teacher,
    const gfloat *enlarged, guint n, gfloat weight, gfloat *gradient)
{
  gdouble energy = n * LEAST_ENERGY, sum = 0;
  gfloat factor;

  for (guint i = 0; i < n; i++) {
    gfloat correction = teacher[i] - enlarged[i];
    gfloat difference = output[i] - teacher[i];

    energy += correction * correction;
    sum += difference * difference;
  }
  factor = (gfloat) (2 * weight / energy);
  for (guint i = 0; i < n; i++)
    gradient[i] += factor * (output[i] - teacher[i]);
  return sum / energy;
}

/* By repetition. */
static void
enlarge (const SrganDistillation *distillation, const gfloat *input,
    gfloat *enlarged)
{
  guint scale = distillation->recipe->scale;
  guint side = distillation->recipe->patch, channels = distillation->channels;

  for (guint y = 0; y < side * scale; y++)
    for (guint x = 0; x < side * scale; x++)
      for (guint c = 0; c < channels; c++)
        *enlarged++ =
            input[((gsize) (y / scale) * side + x / scale) * channels + c];
}

gdouble
srgan_distillation_evaluate (SrganDistillation *distillation, guint thread,
    const gfloat *input, const gfloat *output, gfloat weight, gfloat *gradient)
{
  const SrganRecipe *recipe = distillation->recipe;
  Thread *own = distillation->threads + thread;
  guint n = distillation->n;
  gdouble loss = 0;

  srgan_graph_forward (own->state, input, own->output);
  if (recipe->teacher_output > 0) {
    loss = recipe->teacher_output *
           srgan_loss (recipe->loss, recipe->charbonnier_epsilon, output,
               own->output, n, (gfloat) (weight * recipe->teacher_output),
               own->gradient);
    for (guint i = 0; i < n; i++)
      gradient[i] += own->gradient[i];
  }
  if (recipe->teacher_residual > 0) {
    enlarge (distillation, input, own->enlarged);
    loss += recipe->teacher_residual *
            srgan_residual_loss (output, own->output, own->enlarged, n,
                (gfloat) (weight * recipe->teacher_residual), gradient);
  }
  return loss;
}
