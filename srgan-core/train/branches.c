/* train: convolutions that are trained as several branches in one.
 *
 * The edge-oriented block of ECBSR (Zhang, Zeng, Zhang 2021): beside the 3x3
 * convolution a 1x1 and a 3x3 one after the other, and three of 1x1 with a
 * fixed filter behind them: Sobel's two and the Laplacian. All are linear, so
 * that their sum is one 3x3 convolution: it is made of them before each
 * forward pass, which costs what the plain network costs, and its gradient is
 * carried back to them afterwards, as SESR does (Bhardwaj et al. 2022).
 *
 * Two things of the published block are left out, since they change nothing
 * here. The branches have no biases of their own: those come to one number an
 * output. And there is no identity: it is a constant, and the 3x3 branch, which
 * starts as what the others lack, would start with it taken away again.
 *
 * SPDX-License-Identifier: MIT
 */
#include "train/graph-private.h"

#include <cblas.h>
#include <math.h>

#include "train/random.h"

#define TAPS 9

/* The first numbers of the scales: the edges come in slowly. */
#define FIRST_SCALE 1e-3

static const gfloat edges[SRGAN_N_EDGES][TAPS] = {
    {1, 0, -1, 2, 0, -2, 1, 0, -1},
    {1, 2, 1, 0, 0, 0, -1, -2, -1},
    {0, 1, 0, 1, -4, 1, 0, 1, 0},
};

gboolean
srgan_graph_can_branch (const SrganGraph *graph, guint layer)
{
  const Node *node = graph->nodes + layer;

  return node->weight != NO_TENSOR && node->description->kernel_width == 3 &&
         node->description->kernel_height == 3;
}

void
srgan_graph_add_branches (
    SrganGraph *graph, guint layer, guint width, guint64 seed)
{
  Node *node = graph->nodes + layer;
  const SrganLayer *description = node->description;
  guint in = description->in_channels, out = description->out_channels;
  SrganBranches *branches = &node->branches;

  g_return_if_fail (srgan_graph_can_branch (graph, layer));
  g_return_if_fail (node->effective == NULL && width > 0);

  branches->width = width * out;
  branches->first = srgan_graph_add_tensor (
      graph, layer, SRGAN_PARAMETER_BRANCH, branches->width, in);
  branches->second = srgan_graph_add_tensor (
      graph, layer, SRGAN_PARAMETER_BRANCH, out, TAPS * branches->width);
  for (guint e = 0; e < SRGAN_N_EDGES; e++) {
    branches->edges[e] =
        srgan_graph_add_tensor (graph, layer, SRGAN_PARAMETER_BRANCH, out, in);
    branches->scales[e] =
        srgan_graph_add_tensor (graph, layer, SRGAN_PARAMETER_GAIN, 1, out);
  }
  node->effective = g_new0 (gfloat, (gsize) out * TAPS * in);
  node->seed = seed;
}

/* weight += what the branches beside the 3x3 one come to. Its order is ours,
 * [out][tap][in]: for the second branch a product of two matrices. */
static void
add_branches (const Node *node, const gfloat *parameters, gfloat *weight)
{
  const SrganBranches *branches = &node->branches;
  guint in = node->description->in_channels;
  guint out = node->description->out_channels;

  cblas_sgemm (CblasRowMajor, CblasNoTrans, CblasNoTrans, (gint) (out * TAPS),
      (gint) in, (gint) branches->width, 1, parameters + branches->second,
      (gint) branches->width, parameters + branches->first, (gint) in, 1,
      weight, (gint) in);
  for (guint e = 0; e < SRGAN_N_EDGES; e++)
    for (guint o = 0; o < out; o++) {
      const gfloat *edge = parameters + branches->edges[e] + (gsize) o * in;
      gfloat scale = parameters[branches->scales[e] + o];

      for (guint t = 0; t < TAPS; t++)
        for (guint i = 0; i < in; i++)
          weight[((gsize) o * TAPS + t) * in + i] +=
              scale * edges[e][t] * edge[i];
    }
}

void
srgan_branches_fold (const Node *node, const gfloat *parameters, gfloat *weight)
{
  gsize n = (gsize) node->description->out_channels * TAPS *
            node->description->in_channels;

  for (gsize k = 0; k < n; k++)
    weight[k] = parameters[node->weight + k];
  add_branches (node, parameters, weight);
}

static void
draw (SrganRandom *random, gfloat *values, guint n, gdouble bound)
{
  for (guint k = 0; k < n; k++)
    values[k] = (gfloat) srgan_random_between (random, -bound, bound);
}

/* The branches as any convolutions start; the 3x3 one, which is the network's
 * weight, less what they come to: their sum is the network's weight. */
void
srgan_branches_get_parameters (
    const Node *node, guint index, gfloat *parameters)
{
  const SrganBranches *branches = &node->branches;
  guint in = node->description->in_channels;
  guint out = node->description->out_channels;
  gsize n = (gsize) out * TAPS * in;
  g_autofree gfloat *sum = g_new0 (gfloat, n);
  SrganRandom random = srgan_random_init (node->seed, index, 0);

  draw (&random, parameters + branches->first, branches->width * in,
      1 / sqrt (in));
  draw (&random, parameters + branches->second, out * TAPS * branches->width,
      1 / sqrt (TAPS * branches->width));
  for (guint e = 0; e < SRGAN_N_EDGES; e++) {
    draw (&random, parameters + branches->edges[e], out * in, 1 / sqrt (in));
    draw (&random, parameters + branches->scales[e], out, FIRST_SCALE);
  }
  add_branches (node, parameters, sum);
  for (gsize k = 0; k < n; k++)
    parameters[node->weight + k] -= sum[k];
}

/* The gradient of the sum is that of the 3x3 branch as it stands. */
void
srgan_branches_finish_gradient (
    const SrganGraph *graph, const Node *node, gfloat *gradient)
{
  const SrganBranches *branches = &node->branches;
  const gfloat *parameters = graph->parameters;
  const gfloat *whole = gradient + node->weight;
  guint in = node->description->in_channels;
  guint out = node->description->out_channels;
  gint rows = (gint) (out * TAPS), width = (gint) branches->width;

  cblas_sgemm (CblasRowMajor, CblasNoTrans, CblasTrans, rows, width, (gint) in,
      1, whole, (gint) in, parameters + branches->first, (gint) in, 0,
      gradient + branches->second, width);
  cblas_sgemm (CblasRowMajor, CblasTrans, CblasNoTrans, width, (gint) in, rows,
      1, parameters + branches->second, width, whole, (gint) in, 0,
      gradient + branches->first, (gint) in);
  for (guint e = 0; e < SRGAN_N_EDGES; e++)
    for (guint o = 0; o < out; o++) {
      const gfloat *edge = parameters + branches->edges[e] + (gsize) o * in;
      gfloat *to = gradient + branches->edges[e] + (gsize) o * in;
      gfloat scale = parameters[branches->scales[e] + o];
      gdouble sum = 0;

      for (guint i = 0; i < in; i++) {
        gdouble slope = 0;

        for (guint t = 0; t < TAPS; t++)
          slope +=
              (gdouble) edges[e][t] * whole[((gsize) o * TAPS + t) * in + i];
        to[i] = (gfloat) (scale * slope);
        sum += slope * edge[i];
      }
      gradient[branches->scales[e] + o] = (gfloat) sum;
    }
}
