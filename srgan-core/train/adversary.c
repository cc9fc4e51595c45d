/* train: the discriminator, and how it learns.
 *
 * SPDX-License-Identifier: MIT
 */
#include "train/adversary.h"

#include <math.h>
#include <string.h>

#include "train/batch.h"
#include "train/design.h"
#include "train/optimizer.h"

enum { REAL, MADE };

struct _SrganAdversary {
  const SrganRecipe *recipe;
  SrganRecipe settings; /* the optimizer's; its texts are the recipe's */
  SrganRanks *ranks;
  SrganGraph *graph;
  SrganOptimizer *optimizer;
  SrganBatch *batches[2];
  gsize n_verdicts; /* of a batch */
  gsize n_values;   /* likewise: of its patches */
  gsize n_parameters;
  gfloat *parameters;
  gfloat *gradient;        /* [n_parameters] */
  gfloat *verdicts;        /* [2][n_verdicts] */
  gfloat *slopes;          /* [3][n_verdicts]: real, made, generator's */
  gfloat *values_gradient; /* [n_values] */
};

SrganAdversary *
srgan_adversary_new (const SrganRecipe *recipe, SrganWorkers *workers,
    SrganRanks *ranks, GError **error)
{
  g_autoptr (SrganAdversary) adversary = g_new0 (SrganAdversary, 1);
  g_autoptr (SrganNetwork) network = srgan_design_discriminator (recipe, error);
  guint side = recipe->patch * recipe->scale, n_tensors;
  const SrganParameter *tensors;

  if (network == NULL)
    return NULL;
  adversary->recipe = recipe;
  adversary->ranks = ranks;
  adversary->graph = srgan_graph_new (network, error);
  if (adversary->graph == NULL)
    return NULL;
  for (guint i = 0; i < srgan_network_get_n_layers (network); i++)
    if (srgan_design_is_spectral (recipe, srgan_network_get_layer (network, i)))
      srgan_graph_normalise_spectrum (adversary->graph, i, recipe->seed);
  srgan_graph_want_input_gradient (adversary->graph);

  adversary->n_parameters = srgan_graph_get_n_parameters (adversary->graph);
  adversary->parameters = g_new (gfloat, adversary->n_parameters);
  adversary->gradient = g_new (gfloat, adversary->n_parameters);
  srgan_graph_get_parameters (adversary->graph, adversary->parameters);
  for (guint i = 0; i < 2; i++) {
    adversary->batches[i] = srgan_batch_new (
        adversary->graph, recipe->batch, side, side, workers, ranks);
    if (adversary->batches[i] == NULL) {
      g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_TOO_LARGE,
          "not enough memory for a discriminator of %u channels on %u patches "
          "of %ux%u: lower adversarial.channels, training.batch or data.patch",
          recipe->discriminator_channels, recipe->batch, side, side);
      return NULL;
    }
  }
  adversary->n_verdicts =
      recipe->batch * srgan_batch_get_output_length (adversary->batches[0]);
  adversary->n_values =
      (gsize) recipe->batch * side * side * srgan_recipe_get_channels (recipe);
  adversary->verdicts = g_new (gfloat, 2 * adversary->n_verdicts);
  adversary->slopes = g_new (gfloat, 3 * adversary->n_verdicts);
  adversary->values_gradient = g_new (gfloat, adversary->n_values);

  adversary->settings = *recipe;
  srgan_recipe_set_adversarial_rates (
      &adversary->settings, recipe->discriminator_learning_rate);
  tensors = srgan_graph_get_tensors (adversary->graph, &n_tensors);
  adversary->optimizer =
      srgan_optimizer_new (&adversary->settings, tensors, n_tensors, workers);
  return g_steal_pointer (&adversary);
}

void
srgan_adversary_free (SrganAdversary *adversary)
{
  if (adversary == NULL)
    return;
  for (guint i = 0; i < 2; i++)
    srgan_batch_free (adversary->batches[i]);
  srgan_optimizer_free (adversary->optimizer);
  srgan_graph_free (adversary->graph);
  g_free (adversary->parameters);
  g_free (adversary->gradient);
  g_free (adversary->verdicts);
  g_free (adversary->slopes);
  g_free (adversary->values_gradient);
  g_free (adversary);
}

SrganAdversarialLoss
srgan_adversary_step (SrganAdversary *adversary, guint step, const gfloat *real,
    const gfloat *made, gfloat *made_gradient)
{
  const SrganRecipe *recipe = adversary->recipe;
  gsize n = adversary->n_verdicts;
  gfloat *verdicts[2] = {adversary->verdicts, adversary->verdicts + n};
  gfloat *slopes[3] = {
      adversary->slopes, adversary->slopes + n, adversary->slopes + 2 * n};
  gfloat weight = (gfloat) recipe->adversarial_weight;
  SrganAdversarialLoss loss;

  srgan_graph_renew_spectra (adversary->graph, adversary->parameters);
  srgan_graph_set_parameters (adversary->graph, adversary->parameters);
  srgan_batch_forward (adversary->batches[REAL], real, verdicts[REAL]);
  srgan_batch_forward (adversary->batches[MADE], made, verdicts[MADE]);
  loss = srgan_adversarial_loss (recipe->adversarial_form, adversary->ranks,
      verdicts[REAL], verdicts[MADE], n, slopes[0], slopes[1], slopes[2]);
  if (!isfinite (loss.discriminator) || !isfinite (loss.generator))
    return loss;

  srgan_batch_backward (
      adversary->batches[MADE], slopes[2], NULL, adversary->values_gradient);
  for (gsize i = 0; i < adversary->n_values; i++)
    made_gradient[i] += weight * adversary->values_gradient[i];

  memset (adversary->gradient, 0, adversary->n_parameters * sizeof (gfloat));
  for (guint i = 0; i < 2; i++)
    srgan_batch_backward (
        adversary->batches[i], slopes[i], adversary->gradient, NULL);
  srgan_graph_finish_gradient (adversary->graph, adversary->gradient);
  srgan_optimizer_step (
      adversary->optimizer, step, adversary->parameters, adversary->gradient);
  for (guint i = 0; i < 2; i++)
    srgan_batch_update_statistics (
        adversary->batches[i], adversary->parameters);
  return loss;
}

gfloat *
srgan_adversary_get_parameters (SrganAdversary *adversary, gsize *n)
{
  *n = adversary->n_parameters;
  return adversary->parameters;
}

gfloat *
srgan_adversary_get_state (SrganAdversary *adversary, gsize *n)
{
  return srgan_optimizer_get_state (adversary->optimizer, n);
}
