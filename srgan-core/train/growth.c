/* train: a network that goes on from a smaller one.
 *
 * Net2Net (Chen, Goodfellow, Shlens 2016, arXiv 1511.05641): more channels and
 * more layers that at first change nothing. The paper's channels are copies of
 * others; ours are drawn as any network's are, and nothing reads them yet, so
 * that no two have to be told apart by noise. Added layers hand on the channels
 * that @start had.
 *
 * SPDX-License-Identifier: MIT
 */
#include "train/growth.h"

#include <string.h>

/* A chain's convolutions, one reading the other. */
typedef struct {
  guint n;
  const SrganLayer **layers;
  guint widest; /* channels between two of them, at most */
} Chain;

static void
chain_clear (Chain *chain)
{
  g_free (chain->layers);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Chain, chain_clear)

static gboolean
find_chain (SrganNetwork *network, Chain *chain, GError **error)
{
  guint n_layers = srgan_network_get_n_layers (network);
  gint last = SRGAN_INPUT_NETWORK;

  chain->layers = g_new (const SrganLayer *, n_layers);
  for (guint i = 0; i < n_layers; i++) {
    const SrganLayer *layer = srgan_network_get_layer (network, i);

    if (layer->operation != SRGAN_OPERATION_CONV)
      continue;
    if (layer->inputs[0] != last || layer->groups > 1 || layer->stride > 1 ||
        layer->padding != SRGAN_PADDING_ZERO) {
      g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_INVALID,
          "network.grow: %s is no chain of convolutions: %s does not follow "
          "the one before it",
          srgan_network_get_name (network), layer->name);
      return FALSE;
    }
    if (chain->n > 0)
      chain->widest = MAX (chain->widest, layer->in_channels);
    chain->layers[chain->n++] = layer;
    last = (gint) i;
  }
  return TRUE;
}

static gboolean
check (const Chain *to, const Chain *from, const gchar *name, GError **error)
{
  const SrganLayer *first = to->layers[0];
  const gchar *reason = NULL;

  if (from->n < 2)
    reason = "it has less than two convolutions";
  else if (from->n > to->n)
    reason = "it has more convolutions than network.layers asks for";
  else if (from->widest > to->widest)
    reason = "it has more channels than network.channels asks for";
  for (guint i = 0; reason == NULL && i < from->n; i++) {
    const SrganLayer *layer = from->layers[i];

    if (layer->kernel_width != first->kernel_width ||
        layer->kernel_height != first->kernel_height)
      reason = "its convolutions are of another size";
    else if (i + 1 < from->n &&
             (layer->activation != first->activation ||
                 layer->activation_low != first->activation_low))
      reason = "its activation is not that of network.activation";
  }
  if (reason == NULL && from->layers[0]->in_channels != first->in_channels)
    reason = "its input is not that of network.colour";
  if (reason == NULL && from->n < to->n &&
      first->activation != SRGAN_ACTIVATION_PRELU &&
      first->activation != SRGAN_ACTIVATION_RELU)
    reason = "it has fewer convolutions than network.layers asks for, and what "
             "network.activation makes of one that is added cannot be undone";
  if (reason != NULL)
    g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_INVALID,
        "network.grow: %s cannot be grown: %s", name, reason);
  return reason == NULL;
}

/* A layer of the larger network, and room for what it gets. */
typedef struct {
  SrganLayer layer;
  gfloat *weight;
  gfloat *bias;
  gfloat *slope;
} Grown;

static gfloat *
get_kernel (const Grown *grown, guint out, guint in)
{
  const SrganLayer *layer = &grown->layer;

  return grown->weight + ((gsize) out * layer->in_channels + in) *
                             layer->kernel_width * layer->kernel_height;
}

/* The outputs that @from has are made of what it makes them of. */
static void
take (Grown *grown, const SrganLayer *from)
{
  guint taps = from->kernel_width * from->kernel_height;

  for (guint out = 0; out < from->out_channels; out++) {
    memset (get_kernel (grown, out, 0), 0,
        (gsize) grown->layer.in_channels * taps * sizeof (gfloat));
    memcpy (get_kernel (grown, out, 0),
        from->weight + (gsize) out * from->in_channels * taps,
        (gsize) from->in_channels * taps * sizeof (gfloat));
    grown->bias[out] = from->bias != NULL ? from->bias[out] : 0;
    if (from->slope != NULL)
      grown->slope[out] = from->slope[out];
  }
}

/* The first @n channels go through as they come. */
static void
hand_on (Grown *grown, guint n)
{
  guint width = grown->layer.kernel_width, height = grown->layer.kernel_height;

  for (guint out = 0; out < n; out++) {
    memset (get_kernel (grown, out, 0), 0,
        (gsize) grown->layer.in_channels * width * height * sizeof (gfloat));
    get_kernel (grown, out, out)[(height - 1) / 2 * width + (width - 1) / 2] =
        1;
    grown->bias[out] = 0;
    if (grown->layer.slope != NULL)
      grown->slope[out] = 1;
  }
}

/* How many of @from's inner convolutions are among the first @n inner ones of
 * @to: those that are added are spread evenly. */
static guint
count_taken (const Chain *to, const Chain *from, guint n)
{
  guint all = to->n - 2;

  return n == 0 ? 0 : (2 * n * (from->n - 2) + all) / (2 * all);
}

/* Which of @from's convolutions @to's number @i is, or -1: one that is added.
 */
static gint
find_origin (const Chain *to, const Chain *from, guint i)
{
  if (i == 0)
    return 0;
  if (i == to->n - 1)
    return (gint) from->n - 1;
  return count_taken (to, from, i) > count_taken (to, from, i - 1)
             ? (gint) count_taken (to, from, i)
             : -1;
}

static gint
add_grown (SrganNetwork *network, const Chain *to, const Chain *from, guint i,
    GError **error)
{
  const SrganLayer *layer = to->layers[i];
  gsize n_outputs = layer->out_channels;
  gsize n_weights = n_outputs * layer->in_channels * layer->kernel_width *
                    layer->kernel_height;
  g_autofree gfloat *weight =
      g_memdup2 (layer->weight, n_weights * sizeof (gfloat));
  g_autofree gfloat *bias =
      g_memdup2 (layer->bias, n_outputs * sizeof (gfloat));
  g_autofree gfloat *slope =
      g_memdup2 (layer->slope, n_outputs * sizeof (gfloat));
  Grown grown = {*layer, weight, bias, slope};
  gint origin = find_origin (to, from, i);

  if (origin < 0)
    hand_on (&grown, from->widest);
  else if (i + 1 < to->n ||
           from->layers[origin]->out_channels == layer->out_channels)
    take (&grown, from->layers[origin]);
  grown.layer.weight = weight;
  grown.layer.bias = bias;
  grown.layer.slope = slope;
  return srgan_network_add_layer (network, &grown.layer, error);
}

SrganNetwork *
srgan_grow_network (SrganNetwork *design, SrganNetwork *start, GError **error)
{
  g_autoptr (SrganNetwork) network = srgan_network_new_like (design);
  g_auto (Chain) to = {0, NULL, 0};
  g_auto (Chain) from = {0, NULL, 0};
  guint next = 0;

  if (!find_chain (design, &to, error) || !find_chain (start, &from, error) ||
      !check (&to, &from, srgan_network_get_name (start), error))
    return NULL;
  for (guint i = 0; i < srgan_network_get_n_layers (design); i++) {
    const SrganLayer *layer = srgan_network_get_layer (design, i);
    gint added = layer->operation == SRGAN_OPERATION_CONV
                     ? add_grown (network, &to, &from, next++, error)
                     : srgan_network_add_layer (network, layer, error);

    if (added < 0)
      return NULL;
  }
  return g_steal_pointer (&network);
}
