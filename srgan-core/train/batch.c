/* train: a network run on a whole batch of patches.
 *
 * SPDX-License-Identifier: MIT
 */
#include "train/batch.h"

#include <string.h>

#include "train/graph-private.h"
#include "train/sum.h"

/* How far running statistics move in a step (PyTorch's default). */
#define MOMENTUM .1

struct _SrganBatch {
  const SrganGraph *graph;
  guint n;
  guint n_everywhere; /* patches of all processes */
  SrganWorkers *workers;
  SrganRanks *ranks;
  SrganGraphState **states; /* one a patch */
  gdouble **totals;         /* of each node, or NULL */
  gdouble **totals_back;
  gboolean *dense;       /* of each node: a convolution that gives one pixel */
  gfloat **dense_inputs; /* of each such: what went in, of each patch */
  gsize input_length;
  gsize output_length;
  gsize n_parameters;
  gfloat *gradients; /* [n][n_parameters] */

  /* of the job under way */
  guint first, last; /* nodes: first .. last - 1 */
  gboolean begun;    /* whether an earlier part of it has run */
  const gfloat *inputs;
  gfloat *outputs;
  const gfloat *output_gradients;
  gfloat *parameter_gradient;
  gfloat *input_gradients;
};

static const SrganGraphOperation *
get_operation (const SrganBatch *batch, guint index)
{
  return srgan_graph_get_operation (
      batch->graph->nodes[index].description->operation);
}

SrganBatch *
srgan_batch_new (const SrganGraph *graph, guint n, guint width, guint height,
    SrganWorkers *workers, SrganRanks *ranks)
{
  g_autoptr (SrganBatch) batch = g_new0 (SrganBatch, 1);
  const SrganMap *map;

  batch->graph = graph;
  batch->n = n;
  batch->n_everywhere = n * srgan_ranks_get_n (ranks);
  batch->workers = workers;
  batch->ranks = ranks;
  batch->states = g_new0 (SrganGraphState *, n);
  batch->totals = g_new0 (gdouble *, graph->n_nodes);
  batch->totals_back = g_new0 (gdouble *, graph->n_nodes);
  batch->dense = g_new0 (gboolean, graph->n_nodes);
  batch->dense_inputs = g_new0 (gfloat *, graph->n_nodes);
  for (guint i = 0; i < n; i++) {
    batch->states[i] = srgan_graph_state_new (graph, width, height, TRUE);
    if (batch->states[i] == NULL)
      return NULL;
    batch->states[i]->defer_dense = TRUE;
  }

  for (guint i = 0; i < graph->n_nodes; i++) {
    const SrganLayer *layer = graph->nodes[i].description;

    map = &batch->states[0]->nodes[i].before;
    if (get_operation (batch, i)->measure != NULL) {
      batch->totals[i] = g_new0 (gdouble, 2 * layer->out_channels);
      batch->totals_back[i] = g_new0 (gdouble, 2 * layer->out_channels);
      for (guint k = 0; k < n; k++) {
        batch->states[k]->nodes[i].totals = batch->totals[i];
        batch->states[k]->nodes[i].totals_back = batch->totals_back[i];
      }
    }
    batch->dense[i] = layer->operation == SRGAN_OPERATION_CONV &&
                      map->width * map->height == 1;
    if (batch->dense[i])
      batch->dense_inputs[i] =
          g_new (gfloat, (gsize) n * layer->kernel_width *
                             layer->kernel_height * layer->in_channels);
  }

  map = &batch->states[0]->input.value;
  batch->input_length = (gsize) map->width * map->height * map->channels;
  map = &batch->states[0]->nodes[graph->n_nodes - 1].value;
  batch->output_length = (gsize) map->width * map->height * map->channels;
  batch->n_parameters = graph->n_parameters;
  /* dense layers' places are never touched but in the first: address space */
  batch->gradients = g_try_new (gfloat, batch->n_parameters * n);
  return batch->gradients != NULL ? g_steal_pointer (&batch) : NULL;
}

void
srgan_batch_free (SrganBatch *batch)
{
  if (batch == NULL)
    return;
  for (guint i = 0; i < batch->n; i++)
    srgan_graph_state_free (batch->states[i]);
  for (guint i = 0; i < batch->graph->n_nodes; i++) {
    g_free (batch->totals[i]);
    g_free (batch->totals_back[i]);
    g_free (batch->dense_inputs[i]);
  }
  g_free (batch->states);
  g_free (batch->totals);
  g_free (batch->totals_back);
  g_free (batch->dense);
  g_free (batch->dense_inputs);
  g_free (batch->gradients);
  g_free (batch);
}

gsize
srgan_batch_get_output_length (const SrganBatch *batch)
{
  return batch->output_length;
}

/* --- Sums over the batch ----------------------------------------------- */

/* The mean over all pixels of all maps of what node @index measured. */
static void
gather (SrganBatch *batch, guint index, gdouble *totals)
{
  const SrganMap *map = &batch->states[0]->nodes[index].value;
  guint n_sums = 2 * map->channels;
  gdouble count = (gdouble) map->width * map->height * batch->n_everywhere;
  g_autofree gdouble *sums = g_new (gdouble, (gsize) batch->n * n_sums);

  for (guint i = 0; i < batch->n; i++)
    memcpy (sums + i * n_sums, batch->states[i]->nodes[index].sums,
        n_sums * sizeof (gdouble));
  srgan_sum_doubles (batch->ranks, sums, batch->n, n_sums, totals);
  for (guint k = 0; k < n_sums; k++)
    totals[k] /= count;
}

/* --- Forwards ---------------------------------------------------------- */

static void
forward_patch (gpointer data, guint item, guint worker)
{
  SrganBatch *batch = data;
  SrganGraphState *state = batch->states[item];
  guint n_nodes = batch->graph->n_nodes;

  if (!batch->begun)
    srgan_graph_load_map (
        &state->input.value, batch->inputs + item * batch->input_length);
  for (guint i = batch->first; i < batch->last; i++)
    srgan_graph_node_forward (state, i);
  if (batch->last < n_nodes)
    get_operation (batch, batch->last)->measure (state, batch->last);
  else
    srgan_graph_store_map (&state->nodes[n_nodes - 1].value,
        batch->outputs + item * batch->output_length);
}

void
srgan_batch_forward (SrganBatch *batch, const gfloat *inputs, gfloat *outputs)
{
  guint n_nodes = batch->graph->n_nodes;

  batch->inputs = inputs;
  batch->outputs = outputs;
  batch->begun = FALSE;
  for (batch->first = 0;; batch->first = batch->last) {
    /* up to the next batch-norm, which has then been measured */
    batch->last = batch->first + (batch->begun ? 1 : 0);
    while (batch->last < n_nodes && batch->totals[batch->last] == NULL)
      batch->last++;
    srgan_workers_run (batch->workers, forward_patch, batch, batch->n);
    if (batch->last == n_nodes)
      break;

    {
      gdouble *totals = batch->totals[batch->last];
      guint channels =
          batch->graph->nodes[batch->last].description->out_channels;

      gather (batch, batch->last, totals);
      /* the mean of squares becomes the variance */
      for (guint c = 0; c < channels; c++)
        totals[channels + c] =
            MAX (totals[channels + c] - totals[c] * totals[c], 0);
    }
    batch->begun = TRUE;
  }
}

/* --- Backwards --------------------------------------------------------- */

/* Clears what a patch's gradient is to hold: all but dense layers' weights. */
static void
clear_gradient (const SrganBatch *batch, gfloat *gradient)
{
  const SrganGraph *graph = batch->graph;

  for (guint i = 0; i < graph->tensors->len; i++) {
    const SrganParameter *tensor =
        &g_array_index (graph->tensors, SrganParameter, i);

    if (!batch->dense[tensor->layer] || tensor->kind != SRGAN_PARAMETER_WEIGHT)
      memset (gradient + tensor->offset, 0,
          (gsize) tensor->rows * tensor->columns * sizeof (gfloat));
  }
}

static void
backward_patch (gpointer data, guint item, guint worker)
{
  SrganBatch *batch = data;
  SrganGraphState *state = batch->states[item];
  NodeState *end = state->nodes + batch->graph->n_nodes - 1;
  gfloat *gradient = batch->parameter_gradient != NULL
                         ? batch->gradients + item * batch->n_parameters
                         : NULL;

  if (!batch->begun) {
    if (gradient != NULL)
      clear_gradient (batch, gradient);
    srgan_graph_start_backward (state);
    srgan_graph_load_map (
        &end->gradient, batch->output_gradients + item * batch->output_length);
    end->written = TRUE;
  }
  for (guint i = batch->last; i-- > batch->first;)
    if (batch->graph->nodes[i].carries && state->nodes[i].written)
      srgan_graph_node_backward (state, i, gradient);
  if (batch->first > 0) {
    guint norm = batch->first - 1;

    get_operation (batch, norm)->measure_back (state, norm);
  } else if (batch->input_gradients != NULL) {
    srgan_graph_store_map (&state->input.gradient,
        batch->input_gradients + item * batch->input_length);
  }
}

/* A batch's place for a patch's gradient, but for weights of dense layers:
 * those are made here, products of what went in and the derivative by what came
 * out. */
static const gfloat *
get_gradient (gpointer data, guint item, gsize first, gsize n, gfloat *scratch)
{
  const SrganBatch *batch = data;
  const SrganGraph *graph = batch->graph;
  const gfloat *gradient = batch->gradients + item * batch->n_parameters;
  const gfloat *result = gradient + first;

  for (guint t = 0; t < graph->tensors->len; t++) {
    const SrganParameter *tensor =
        &g_array_index (graph->tensors, SrganParameter, t);
    gsize columns = tensor->columns;
    gsize start = MAX (first, tensor->offset);
    gsize end =
        MIN (first + n, tensor->offset + (gsize) tensor->rows * columns);
    const gfloat *slopes, *values;

    if (!batch->dense[tensor->layer] ||
        tensor->kind != SRGAN_PARAMETER_WEIGHT || start >= end)
      continue;
    if (result != scratch) {
      /* around such a layer's weights others may lie */
      if (start > first || end < first + n)
        memcpy (scratch, result, n * sizeof (gfloat));
      result = scratch;
    }
    slopes =
        srgan_map_row (&batch->states[item]->nodes[tensor->layer].gradient, 0);
    values = batch->dense_inputs[tensor->layer] + item * columns;
    for (gsize k = start; k < end;) {
      gsize row = (k - tensor->offset) / columns;
      gsize column = (k - tensor->offset) % columns;
      gsize length = MIN (end - k, columns - column);

      for (gsize c = 0; c < length; c++)
        scratch[k - first + c] = slopes[row] * values[column + c];
      k += length;
    }
  }
  return result;
}

/* What went into dense layers, in the order of their weights. */
static void
lay_out_dense (SrganBatch *batch)
{
  for (guint i = 0; i < batch->graph->n_nodes; i++)
    for (guint item = 0; batch->dense[i] && item < batch->n; item++) {
      gint input = batch->graph->nodes[i].description->inputs[0];
      const SrganGraphState *state = batch->states[item];
      const SrganMap *map = input == SRGAN_INPUT_NETWORK
                                ? &state->input.value
                                : &state->nodes[input].value;

      srgan_graph_store_map (
          map, batch->dense_inputs[i] +
                   (gsize) item * map->width * map->height * map->channels);
    }
}

void
srgan_batch_backward (SrganBatch *batch, const gfloat *output_gradients,
    gfloat *parameter_gradient, gfloat *input_gradients)
{
  guint n_nodes = batch->graph->n_nodes;

  batch->output_gradients = output_gradients;
  batch->parameter_gradient = parameter_gradient;
  batch->input_gradients = input_gradients;
  batch->begun = FALSE;
  for (batch->last = n_nodes;; batch->last = batch->first) {
    /* down to the next batch-norm, first - 1, which has then been measured */
    batch->first = batch->last - (batch->begun ? 1 : 0);
    while (batch->first > 0 && batch->totals[batch->first - 1] == NULL)
      batch->first--;
    srgan_workers_run (batch->workers, backward_patch, batch, batch->n);
    if (batch->first == 0)
      break;
    gather (batch, batch->first - 1, batch->totals_back[batch->first - 1]);
    batch->begun = TRUE;
  }
  if (parameter_gradient == NULL)
    return;

  lay_out_dense (batch);
  srgan_sum_floats (batch->workers, batch->ranks, batch->n, batch->n_parameters,
      get_gradient, batch, parameter_gradient);
}

void
srgan_batch_update_statistics (const SrganBatch *batch, gfloat *parameters)
{
  for (guint i = 0; i < batch->graph->n_nodes; i++) {
    const Node *node = batch->graph->nodes + i;
    const SrganMap *map = &batch->states[0]->nodes[i].value;
    gdouble count = (gdouble) map->width * map->height * batch->n_everywhere;
    guint channels = node->description->out_channels;

    if (batch->totals[i] == NULL)
      continue;
    for (guint c = 0; c < 2 * channels; c++) {
      gfloat *running = parameters + node->statistic + c;
      gdouble now = batch->totals[i][c];

      /* variances without the bias of the mean's being theirs */
      if (c >= channels && count > 1)
        now *= count / (count - 1);
      *running = (gfloat) (*running + MOMENTUM * (now - *running));
    }
  }
}
