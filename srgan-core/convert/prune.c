/* convert: channels that do nothing are dropped from a finished network.
 *
 * Forwards: which channels are the same number everywhere. Backwards: which the
 * output needs. Channels that cannot go alone, since a layer reads one by one
 * what another gives (a sum, a pixel shuffle), are needed together.
 *
 * SPDX-License-Identifier: MIT
 */
#include "convert/prune.h"

#include "convert/reader.h"
#include "network/operations.h"

#include <math.h>
#include <string.h>

typedef struct {
  SrganNetwork *network;
  guint n_layers;
  guint *first;       /* of each layer, its channel 0 in the arrays below */
  gboolean *constant; /* the channel is `value` everywhere */
  gdouble *value;
  gboolean *needed;
  GArray **readers; /* of each layer: guint, layers */
  GArray *queue;    /* of guint: channels whose needs are not yet followed */
} Pruner;

static const SrganLayer *
get_layer (const Pruner *self, guint index)
{
  return srgan_network_get_layer (self->network, index);
}

static guint
count_channels (const Pruner *self, gint index)
{
  if (index == SRGAN_INPUT_NETWORK)
    return srgan_network_get_colour (self->network) == SRGAN_COLOUR_Y ? 1 : 3;
  return get_layer (self, (guint) index)->out_channels;
}

/* --- Products ------------------------------------------------------------- */

typedef enum {
  PRODUCT_NONE,      /* the layer is none */
  PRODUCT_FREE,      /* any channel of its input, any of its output */
  PRODUCT_DEPTHWISE, /* each channel by itself */
  PRODUCT_GROUPED,   /* none may go */
} Product;

static Product
get_product (const SrganLayer *layer)
{
  if (layer->operation == SRGAN_OPERATION_LINEAR)
    return PRODUCT_FREE;
  if (layer->operation != SRGAN_OPERATION_CONV &&
      layer->operation != SRGAN_OPERATION_TRANSPOSED_CONV)
    return PRODUCT_NONE;
  if (layer->groups == layer->in_channels &&
      layer->in_channels == layer->out_channels)
    return PRODUCT_DEPTHWISE;
  return layer->groups == 1 ? PRODUCT_FREE : PRODUCT_GROUPED;
}

static gsize
get_area (const SrganLayer *layer)
{
  return layer->operation == SRGAN_OPERATION_LINEAR
             ? 1
             : (gsize) layer->kernel_width * layer->kernel_height;
}

/* The kernel from input channel @in to output channel @out. */
static const gfloat *
get_kernel (const SrganLayer *layer, guint in, guint out)
{
  gsize at;

  if (get_product (layer) == PRODUCT_DEPTHWISE)
    at = out;
  else if (layer->operation == SRGAN_OPERATION_TRANSPOSED_CONV)
    at = (gsize) in * layer->out_channels + out;
  else
    at = (gsize) out * layer->in_channels + in;
  return layer->weight + at * get_area (layer);
}

static gboolean
is_zero (const gfloat *numbers, gsize n)
{
  for (gsize i = 0; i < n; i++)
    if (numbers[i] != 0.f)
      return FALSE;
  return TRUE;
}

static gdouble
sum_up (const gfloat *numbers, gsize n)
{
  gdouble sum = 0.;

  for (gsize i = 0; i < n; i++)
    sum += numbers[i];
  return sum;
}

/* Whether a constant that @layer, a product, reads is a constant in what it
 * gives: at the edges, too. */
static gboolean
takes_constant (const SrganLayer *layer, gdouble value)
{
  if (value == 0. || layer->operation == SRGAN_OPERATION_LINEAR)
    return TRUE;
  return layer->operation == SRGAN_OPERATION_CONV &&
         (layer->padding != SRGAN_PADDING_ZERO || get_area (layer) == 1);
}

/* --- Constants ------------------------------------------------------------ */

/* Whether what an activation makes of @x is known here. */
static gboolean
activate (const SrganLayer *layer, guint channel, gdouble *x)
{
  switch (layer->activation) {
  case SRGAN_ACTIVATION_NONE:
    return TRUE;
  case SRGAN_ACTIVATION_RELU:
    *x = MAX (*x, 0.);
    return TRUE;
  case SRGAN_ACTIVATION_LEAKY_RELU:
    *x *= *x < 0. ? layer->activation_low : 1.;
    return TRUE;
  case SRGAN_ACTIVATION_PRELU:
    *x *= *x < 0. ? layer->slope[channel] : 1.;
    return TRUE;
  case SRGAN_ACTIVATION_CLIP:
    *x = MIN (MAX (*x, layer->activation_low), layer->activation_high);
    return TRUE;
  case SRGAN_ACTIVATION_SILU:
    *x /= 1. + exp (-*x);
    return TRUE;
  case SRGAN_ACTIVATION_SIGMOID:
    *x = 1. / (1. + exp (-*x));
    return TRUE;
  case SRGAN_ACTIVATION_TANH:
    *x = tanh (*x);
    return TRUE;
  default:
    return FALSE;
  }
}

/* Whether channel @channel of input @number of @layer is a constant. */
static gboolean
get_constant (const Pruner *self, const SrganLayer *layer, guint number,
    guint channel, gdouble *value)
{
  guint at;

  if (layer->inputs[number] == SRGAN_INPUT_NETWORK)
    return FALSE;
  at = self->first[layer->inputs[number]] + channel;
  *value = self->value[at];
  return self->constant[at];
}

static gboolean
find_product (
    const Pruner *self, const SrganLayer *layer, guint out, gdouble *sum)
{
  Product product = get_product (layer);
  gsize area = get_area (layer);
  guint begin = product == PRODUCT_DEPTHWISE ? out : 0;
  guint end = product == PRODUCT_DEPTHWISE ? out + 1 : layer->in_channels;
  gdouble value;

  if (product == PRODUCT_GROUPED)
    return FALSE;
  *sum = layer->bias != NULL ? layer->bias[out] : 0.;
  for (guint in = begin; in < end; in++) {
    const gfloat *kernel = get_kernel (layer, in, out);

    if (is_zero (kernel, area))
      continue;
    if (!get_constant (self, layer, 0, in, &value) ||
        !takes_constant (layer, value))
      return FALSE;
    *sum += value * sum_up (kernel, area);
  }
  return TRUE;
}

/* Of sums, products and concatenations. */
static gboolean
find_many (
    const Pruner *self, const SrganLayer *layer, guint out, gdouble *result)
{
  gboolean all = TRUE;
  gdouble value;

  *result = layer->operation == SRGAN_OPERATION_MULTIPLY ? 1. : 0.;
  for (guint i = 0; i < layer->n_inputs; i++) {
    if (!get_constant (self, layer, i, out, &value)) {
      all = FALSE;
    } else if (layer->operation == SRGAN_OPERATION_ADD) {
      *result += value;
    } else if (value == 0.) {
      *result = 0.;
      return TRUE;
    } else {
      *result *= value;
    }
  }
  return all;
}

/* Which channel of which input channel @out of @layer is made of: the first of
 * them, and how many there are in a row. Not for products. */
static void
find_origin (const Pruner *self, const SrganLayer *layer, guint out,
    guint *number, guint *channel, guint *n)
{
  guint area = layer->factor * layer->factor;

  *number = 0;
  *channel = out;
  *n = 1;
  switch (layer->operation) {
  case SRGAN_OPERATION_CONCAT:
    for (;; (*number)++) {
      guint channels = count_channels (self, layer->inputs[*number]);

      if (*channel < channels)
        return;
      *channel -= channels;
    }
  case SRGAN_OPERATION_SLICE:
    *channel += layer->first;
    break;
  case SRGAN_OPERATION_PIXEL_SHUFFLE:
    *channel *= area;
    *n = area;
    break;
  case SRGAN_OPERATION_PIXEL_UNSHUFFLE:
    *channel /= area;
    break;
  default:
    break;
  }
}

static gboolean
find_constant (
    const Pruner *self, const SrganLayer *layer, guint out, gdouble *value)
{
  guint number, channel, n;
  gdouble other;

  if (get_product (layer) != PRODUCT_NONE)
    return find_product (self, layer, out, value);
  if (layer->operation == SRGAN_OPERATION_ADD ||
      layer->operation == SRGAN_OPERATION_MULTIPLY)
    return find_many (self, layer, out, value);
  find_origin (self, layer, out, &number, &channel, &n);
  if (!get_constant (self, layer, number, channel, value))
    return FALSE;
  for (guint i = 1; i < n; i++)
    if (!get_constant (self, layer, number, channel + i, &other) ||
        other != *value)
      return FALSE;
  return TRUE;
}

/* --- Needs ---------------------------------------------------------------- */

static void
need (Pruner *self, gint layer, guint channel)
{
  guint at;

  if (layer == SRGAN_INPUT_NETWORK)
    return;
  at = self->first[layer] + channel;
  if (self->needed[at])
    return;
  self->needed[at] = TRUE;
  g_array_append_val (self->queue, at);
}

static void
need_all (Pruner *self, gint layer)
{
  for (guint i = 0; i < count_channels (self, layer); i++)
    need (self, layer, i);
}

/* What channel @out of layer @index is made of. */
static void
need_inputs (Pruner *self, guint index, guint out)
{
  const SrganLayer *layer = get_layer (self, index);
  guint number, channel, n;
  gdouble value;

  switch (get_product (layer)) {
  case PRODUCT_GROUPED:
    need_all (self, layer->inputs[0]);
    return;
  case PRODUCT_DEPTHWISE:
    need (self, layer->inputs[0], out);
    return;
  case PRODUCT_FREE:
    for (guint in = 0; in < layer->in_channels; in++)
      if (!(get_constant (self, layer, 0, in, &value) &&
              takes_constant (layer, value)) &&
          !is_zero (get_kernel (layer, in, out), get_area (layer)))
        need (self, layer->inputs[0], in);
    return;
  case PRODUCT_NONE:
    break;
  }
  if (layer->operation == SRGAN_OPERATION_ADD ||
      layer->operation == SRGAN_OPERATION_MULTIPLY) {
    for (guint i = 0; i < layer->n_inputs; i++)
      need (self, layer->inputs[i], out);
    return;
  }
  find_origin (self, layer, out, &number, &channel, &n);
  for (guint i = 0; i < n; i++)
    need (self, layer->inputs[number], channel + i);
}

/* What layer @index gives whether it is needed or not, since channel @channel
 * of layer @before (or of the network's input) is there. */
static void
need_outputs (Pruner *self, guint index, gint before, guint channel)
{
  const SrganLayer *layer = get_layer (self, index);
  guint area = layer->factor * layer->factor;
  guint offset = 0;

  switch (get_product (layer)) {
  case PRODUCT_GROUPED:
    need_all (self, (gint) index);
    return;
  case PRODUCT_DEPTHWISE:
    need (self, (gint) index, channel);
    return;
  case PRODUCT_FREE:
    return;
  case PRODUCT_NONE:
    break;
  }
  switch (layer->operation) {
  case SRGAN_OPERATION_CONCAT:
    for (guint i = 0; i < layer->n_inputs; i++) {
      if (layer->inputs[i] == before)
        need (self, (gint) index, offset + channel);
      offset += count_channels (self, layer->inputs[i]);
    }
    break;
  case SRGAN_OPERATION_SLICE:
    if (channel >= layer->first && channel < layer->first + layer->out_channels)
      need (self, (gint) index, channel - layer->first);
    break;
  case SRGAN_OPERATION_PIXEL_SHUFFLE:
    need (self, (gint) index, channel / area);
    break;
  case SRGAN_OPERATION_PIXEL_UNSHUFFLE:
    for (guint i = 0; i < area; i++)
      need (self, (gint) index, channel * area + i);
    break;
  case SRGAN_OPERATION_RESIZE:
    /* of a second input only the size is looked at */
    if (layer->inputs[0] == before)
      need (self, (gint) index, channel);
    break;
  default:
    need (self, (gint) index, channel);
    break;
  }
}

static void
follow_needs (Pruner *self)
{
  while (self->queue->len > 0) {
    guint at = g_array_index (self->queue, guint, self->queue->len - 1);
    guint index = 0;

    g_array_set_size (self->queue, self->queue->len - 1);
    /* the layer whose channel it is */
    for (guint step = 1u << 31; step > 0; step >>= 1)
      if (index + step < self->n_layers && self->first[index + step] <= at)
        index += step;
    need_inputs (self, index, at - self->first[index]);
    for (guint i = 0; i < self->readers[index]->len; i++)
      need_outputs (self, g_array_index (self->readers[index], guint, i),
          (gint) index, at - self->first[index]);
  }
}

static gboolean
is_needed (const Pruner *self, gint layer, guint channel)
{
  return layer == SRGAN_INPUT_NETWORK ||
         self->needed[self->first[layer] + channel];
}

/* Of the first @n channels. */
static guint
count_needed (const Pruner *self, gint layer, guint n)
{
  guint sum = 0;

  for (guint i = 0; i < n; i++)
    sum += is_needed (self, layer, i);
  return sum;
}

static void
find_needs (Pruner *self)
{
  gboolean changed;

  need_all (self, (gint) self->n_layers - 1);
  for (guint i = 0; i < self->n_layers; i++) {
    const SrganLayer *layer = get_layer (self, i);

    for (guint j = 0; j < layer->n_inputs; j++)
      if (layer->inputs[j] == SRGAN_INPUT_NETWORK)
        for (guint c = 0; c < count_channels (self, SRGAN_INPUT_NETWORK); c++)
          need_outputs (self, i, SRGAN_INPUT_NETWORK, c);
    if (get_product (layer) == PRODUCT_GROUPED) {
      need_all (self, layer->inputs[0]);
      need_all (self, (gint) i);
    }
  }
  /* a layer has one channel at least */
  do {
    changed = FALSE;
    follow_needs (self);
    for (guint i = 0; i < self->n_layers; i++)
      if (count_needed (self, (gint) i, get_layer (self, i)->out_channels) ==
          0) {
        need (self, (gint) i, 0);
        changed = TRUE;
      }
  } while (changed);
}

/* --- What is left --------------------------------------------------------- */

/* Rows of a tensor [n_rows][out]. */
static gfloat *
pick_channels (
    const Pruner *self, guint index, const gfloat *numbers, guint n_rows)
{
  guint n = get_layer (self, index)->out_channels;
  gfloat *picked = g_new (gfloat, (gsize) n_rows * n);
  gsize at = 0;

  for (guint row = 0; row < n_rows; row++)
    for (guint i = 0; i < n; i++)
      if (is_needed (self, (gint) index, i))
        picked[at++] = numbers[(gsize) row * n + i];
  return picked;
}

static gfloat *
pick_kernels (const Pruner *self, guint index)
{
  const SrganLayer *layer = get_layer (self, index);
  gboolean transposed = layer->operation == SRGAN_OPERATION_TRANSPOSED_CONV;
  guint n_outer = transposed ? layer->in_channels : layer->out_channels;
  guint n_inner = transposed ? layer->out_channels : layer->in_channels;
  gint outer = transposed ? layer->inputs[0] : (gint) index;
  gint inner = transposed ? (gint) index : layer->inputs[0];
  gsize area = get_area (layer);
  gfloat *weight =
      g_new (gfloat, (gsize) layer->in_channels * layer->out_channels * area);
  gfloat *to = weight;

  for (guint i = 0; i < n_outer; i++)
    for (guint j = 0; is_needed (self, outer, i) && j < n_inner; j++)
      if (is_needed (self, inner, j)) {
        memcpy (to, layer->weight + ((gsize) i * n_inner + j) * area,
            area * sizeof *to);
        to += area;
      }
  return weight;
}

/* The bias of a free product, with the constants in it that will not be there;
 * NULL for none. */
static gfloat *
make_bias (const Pruner *self, const SrganLayer *layer)
{
  g_autofree gfloat *bias = g_new0 (gfloat, layer->out_channels);
  gboolean any = layer->bias != NULL;

  for (guint out = 0; out < layer->out_channels; out++) {
    gdouble sum = layer->bias != NULL ? layer->bias[out] : 0.;

    for (guint in = 0; in < layer->in_channels; in++) {
      gdouble value = 0.;

      if (is_needed (self, layer->inputs[0], in) ||
          !get_constant (self, layer, 0, in, &value) || value == 0.)
        continue;
      sum += value * sum_up (get_kernel (layer, in, out), get_area (layer));
      any = TRUE;
    }
    bias[out] = (gfloat) sum;
  }
  return any ? g_steal_pointer (&bias) : NULL;
}

static gboolean
add_layer (const Pruner *self, guint index, SrganNetwork *to)
{
  const SrganLayer *layer = get_layer (self, index);
  Product product = get_product (layer);
  g_autofree gfloat *weight = NULL, *full_bias = NULL, *bias = NULL;
  g_autofree gfloat *slope = NULL;
  SrganLayer copy = *layer;

  copy.out_channels = count_needed (self, (gint) index, layer->out_channels);
  if (layer->operation == SRGAN_OPERATION_SLICE)
    copy.first = count_needed (self, layer->inputs[0], layer->first);
  if (product == PRODUCT_FREE) {
    copy.weight = weight = pick_kernels (self, index);
    full_bias = make_bias (self, layer);
  } else if (product == PRODUCT_DEPTHWISE) {
    guint n = layer->out_channels;
    gsize area = get_area (layer);
    guint kept = 0;

    copy.groups = copy.out_channels;
    copy.weight = weight = g_new (gfloat, n * area);
    for (guint i = 0; i < n; i++)
      if (is_needed (self, (gint) index, i))
        memcpy (weight + kept++ * area, layer->weight + i * area,
            area * sizeof *weight);
  }
  if (full_bias == NULL && layer->bias != NULL)
    full_bias =
        g_memdup2 (layer->bias, layer->out_channels * sizeof *layer->bias);
  if (full_bias != NULL)
    copy.bias = bias = pick_channels (self, index, full_bias, 1);
  if (layer->slope != NULL)
    copy.slope = slope = pick_channels (self, index, layer->slope,
        layer->activation == SRGAN_ACTIVATION_SPLINE ? 3 : 1);
  return srgan_network_add_layer (to, &copy, NULL) >= 0;
}

/* NULL: every channel is needed, or the rest cannot do without. */
static SrganNetwork *
make_network (const Pruner *self, SrganConvertReport *report)
{
  g_autoptr (SrganNetwork) to = NULL;
  g_autofree gchar *note = NULL;
  guint n_dropped = 0, n_layers = 0;

  for (guint i = 0; i < self->n_layers; i++) {
    const SrganLayer *layer = get_layer (self, i);
    guint n = layer->out_channels -
              count_needed (self, (gint) i, layer->out_channels);

    /* what is not computed in other layers follows from these */
    if (n == 0 || get_product (layer) == PRODUCT_NONE)
      continue;
    n_dropped += n;
    n_layers++;
  }
  if (n_dropped == 0)
    return NULL;
  to = srgan_network_new_like (self->network);
  note = g_strdup_printf ("%u", n_dropped);
  srgan_network_set_note (to, "dropped-channels", note);
  for (guint i = 0; i < self->n_layers; i++)
    if (!add_layer (self, i, to))
      return NULL;
  if (!srgan_network_finish (to, NULL))
    return NULL;
  srgan_report_remark (report, "dropped %u dead channel%s in %u layer%s",
      n_dropped, n_dropped > 1 ? "s" : "", n_layers, n_layers > 1 ? "s" : "");
  return g_steal_pointer (&to);
}

SrganNetwork *
srgan_network_prune (SrganNetwork *network, SrganConvertReport *report)
{
  Pruner self = {
      .network = network, .n_layers = srgan_network_get_n_layers (network)};
  SrganNetwork *pruned = NULL;
  guint n = 0;

  if (srgan_network_get_precision (network) == SRGAN_PRECISION_INT8 ||
      srgan_network_gives_features (network))
    return network;
  self.first = g_new (guint, self.n_layers);
  self.readers = g_new (GArray *, self.n_layers);
  self.queue = g_array_new (FALSE, FALSE, sizeof (guint));
  for (guint i = 0; i < self.n_layers; i++) {
    self.first[i] = n;
    n += get_layer (&self, i)->out_channels;
    self.readers[i] = g_array_new (FALSE, FALSE, sizeof (guint));
  }
  self.constant = g_new0 (gboolean, n);
  self.value = g_new0 (gdouble, n);
  self.needed = g_new0 (gboolean, n);
  for (guint i = 0; i < self.n_layers; i++) {
    const SrganLayer *layer = get_layer (&self, i);

    for (guint j = 0; j < layer->n_inputs; j++)
      if (layer->inputs[j] != SRGAN_INPUT_NETWORK)
        g_array_append_val (self.readers[layer->inputs[j]], i);
    for (guint c = 0; c < layer->out_channels; c++) {
      gdouble *value = &self.value[self.first[i] + c];

      self.constant[self.first[i] + c] =
          find_constant (&self, layer, c, value) && activate (layer, c, value);
    }
  }
  find_needs (&self);
  pruned = make_network (&self, report);
  for (guint i = 0; i < self.n_layers; i++)
    g_array_unref (self.readers[i]);
  g_array_unref (self.queue);
  g_free (self.readers);
  g_free (self.first);
  g_free (self.constant);
  g_free (self.value);
  g_free (self.needed);
  if (pruned == NULL)
    return network;
  srgan_network_unref (network);
  return pruned;
}
