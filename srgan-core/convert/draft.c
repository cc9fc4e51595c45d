/* convert: drafts: layers that are put down, merged and then made a network.
 *
 * SPDX-License-Identifier: MIT
 */
#include "convert/draft.h"

#include "network/network-private.h"

#include <math.h>
#include <string.h>

/* Bounds of a clip that has only one; the most that a network takes. */
#define NO_BOUND 1e6f

/* --- Layers -------------------------------------------------------------- */

static void
free_layer (gpointer data)
{
  SrganDraftLayer *layer = data;

  if (layer == NULL)
    return;
  g_free (layer->layer.name);
  g_array_unref (layer->inputs);
  g_free (layer->weight);
  g_free (layer->bias);
  g_free (layer->slope);
  g_free (layer->channels);
  g_free (layer->steps);
  g_free (layer->int8_bias);
  g_free (layer);
}

SrganDraft *
srgan_draft_new (const gchar *name, guint channels, gint64 height, gint64 width)
{
  SrganDraft *draft = g_new0 (SrganDraft, 1);

  draft->name = g_strdup (name);
  draft->channels = channels;
  draft->height = height;
  draft->width = width;
  draft->layers = g_ptr_array_new_with_free_func (free_layer);
  draft->notes = g_ptr_array_new_with_free_func (g_free);
  return draft;
}

void
srgan_draft_free (SrganDraft *draft)
{
  if (draft == NULL)
    return;
  g_free (draft->name);
  g_ptr_array_unref (draft->layers);
  g_ptr_array_unref (draft->notes);
  g_free (draft);
}

SrganDraftLayer *
srgan_draft_get (SrganDraft *draft, gint index)
{
  return g_ptr_array_index (draft->layers, (guint) index);
}

guint
srgan_draft_get_channels (SrganDraft *draft, gint index)
{
  return index == SRGAN_INPUT_NETWORK
             ? draft->channels
             : srgan_draft_get (draft, index)->layer.out_channels;
}

gint64
srgan_draft_get_height (SrganDraft *draft, gint index)
{
  return index == SRGAN_INPUT_NETWORK ? draft->height
                                      : srgan_draft_get (draft, index)->height;
}

gint64
srgan_draft_get_width (SrganDraft *draft, gint index)
{
  return index == SRGAN_INPUT_NETWORK ? draft->width
                                      : srgan_draft_get (draft, index)->width;
}

gboolean
srgan_draft_is_single (SrganDraft *draft, gint index)
{
  return index != SRGAN_INPUT_NETWORK && srgan_draft_get (draft, index)->single;
}

static gint
get_input (const SrganDraftLayer *layer, guint number)
{
  return g_array_index (layer->inputs, gint, number);
}

static void
set_input (SrganDraftLayer *layer, guint number, gint input)
{
  g_array_index (layer->inputs, gint, number) = input;
}

void
srgan_draft_layer_add_input (SrganDraftLayer *layer, gint input)
{
  g_array_append_val (layer->inputs, input);
}

static SrganDraftLayer *
new_layer (
    SrganDraft *draft, SrganDraftKind kind, const gchar *name, gint input)
{
  SrganDraftLayer *layer = g_new0 (SrganDraftLayer, 1);

  layer->kind = kind;
  layer->layer.name = g_strdup (name);
  layer->layer.stride = layer->layer.groups = 1;
  layer->layer.kernel_width = layer->layer.kernel_height = 1;
  layer->inputs = g_array_new (FALSE, FALSE, sizeof (gint));
  g_array_append_val (layer->inputs, input);
  layer->layer.in_channels = layer->layer.out_channels =
      srgan_draft_get_channels (draft, input);
  layer->single = srgan_draft_is_single (draft, input);
  layer->height = srgan_draft_get_height (draft, input);
  layer->width = srgan_draft_get_width (draft, input);
  return layer;
}

SrganDraftLayer *
srgan_draft_add (
    SrganDraft *draft, SrganDraftKind kind, const gchar *name, gint input)
{
  SrganDraftLayer *layer = new_layer (draft, kind, name, input);

  g_ptr_array_add (draft->layers, layer);
  return layer;
}

gint
srgan_draft_add_affine (SrganDraft *draft, const gchar *name, gint input,
    gfloat *gain, gfloat *offset)
{
  SrganDraftLayer *layer =
      srgan_draft_add (draft, SRGAN_DRAFT_AFFINE, name, input);

  layer->weight = gain;
  layer->bias = offset;
  return (gint) draft->layers->len - 1;
}

gint
srgan_draft_add_activation (SrganDraft *draft, const gchar *name, gint input,
    SrganActivation activation, gfloat low, gfloat high, gfloat *slope)
{
  SrganDraftLayer *layer =
      srgan_draft_add (draft, SRGAN_DRAFT_LAYER, name, input);

  layer->layer.operation = SRGAN_OPERATION_ACTIVATION;
  layer->layer.activation = activation;
  layer->layer.activation_low = low;
  layer->layer.activation_high = high;
  layer->slope = slope;
  return (gint) draft->layers->len - 1;
}

/* --- The two ends -------------------------------------------------------- */

static gint
last_layer (SrganDraft *draft)
{
  return (gint) draft->layers->len - 1;
}

/* Puts @layer, which reads the input, before all that do; its index is 0. */
static void
insert_first (SrganDraft *draft, SrganDraftLayer *layer)
{
  for (guint i = 0; i < draft->layers->len; i++) {
    SrganDraftLayer *other = g_ptr_array_index (draft->layers, i);

    /* the input, -1, becomes layer 0 */
    for (guint j = 0; j < other->inputs->len; j++)
      set_input (other, j, get_input (other, j) + 1);
  }
  g_ptr_array_insert (draft->layers, 0, layer);
}

static void
fill (gfloat **numbers, guint n, gdouble value)
{
  *numbers = g_new (gfloat, n);
  for (guint i = 0; i < n; i++)
    (*numbers)[i] = (gfloat) value;
}

void
srgan_draft_set_mean (SrganDraft *draft, const gdouble *mean)
{
  SrganDraftLayer *first =
      new_layer (draft, SRGAN_DRAFT_AFFINE, "mean", SRGAN_INPUT_NETWORK);

  fill (&first->weight, draft->channels, 1.);
  fill (&first->bias, draft->channels, 0.);
  for (guint i = 0; i < draft->channels; i++)
    first->bias[i] = (gfloat) -mean[i];
  insert_first (draft, first);
}

void
srgan_draft_set_range (SrganDraft *draft, gdouble input_low, gdouble input_high,
    gdouble output_low, gdouble output_high)
{
  guint n_out = srgan_draft_get_channels (draft, last_layer (draft));
  gdouble span = output_high - output_low;

  if (input_low != 0. || input_high != 1.) {
    SrganDraftLayer *first = new_layer (
        draft, SRGAN_DRAFT_AFFINE, "input-range", SRGAN_INPUT_NETWORK);

    fill (&first->weight, draft->channels, input_high - input_low);
    fill (&first->bias, draft->channels, input_low);
    insert_first (draft, first);
  }
  if (!draft->features && (output_low != 0. || output_high != 1.)) {
    SrganDraftLayer *last = srgan_draft_add (
        draft, SRGAN_DRAFT_AFFINE, "output-range", last_layer (draft));

    fill (&last->weight, n_out, 1. / span);
    fill (&last->bias, n_out, -output_low / span);
  }
}

void
srgan_draft_swap_colours (SrganDraft *draft)
{
  static const guint swapped[3] = {2, 1, 0};

  if (draft->channels == 3) {
    SrganDraftLayer *first = new_layer (
        draft, SRGAN_DRAFT_GATHER, "input-order", SRGAN_INPUT_NETWORK);

    first->channels = g_memdup2 (swapped, sizeof swapped);
    insert_first (draft, first);
  }
  if (!draft->features &&
      srgan_draft_get_channels (draft, last_layer (draft)) == 3) {
    SrganDraftLayer *last = srgan_draft_add (
        draft, SRGAN_DRAFT_GATHER, "output-order", last_layer (draft));

    last->channels = g_memdup2 (swapped, sizeof swapped);
  }
}

/* --- Simplifying --------------------------------------------------------- */

/* Removed layers leave a hole, NULL, until compact(). */
typedef struct {
  SrganDraft *draft;
  guint *readers; /* of each layer; the output counts as one */
  gboolean last_round;
} Simplifier;

static SrganDraftLayer *
at (Simplifier *self, gint index)
{
  return index == SRGAN_INPUT_NETWORK ? NULL
                                      : srgan_draft_get (self->draft, index);
}

static gboolean
is_operation (const SrganDraftLayer *layer, SrganOperation operation)
{
  return layer != NULL && layer->kind == SRGAN_DRAFT_LAYER &&
         layer->layer.operation == operation;
}

static void
count_readers (Simplifier *self)
{
  guint n = self->draft->layers->len;

  g_free (self->readers);
  self->readers = g_new0 (guint, n + 1);
  /* from the end, so that what nothing needs does not count */
  self->readers[n - 1] = 1;
  for (guint i = n; i-- > 0;) {
    SrganDraftLayer *layer = g_ptr_array_index (self->draft->layers, i);

    if (layer == NULL || self->readers[i] == 0)
      continue;
    for (guint j = 0; j < layer->inputs->len; j++)
      if (get_input (layer, j) >= 0)
        self->readers[get_input (layer, j)]++;
  }
}

/* @layer gives what @dropped, which comes after it, gave. */
static void
take_step (SrganDraftLayer *layer, const SrganDraftLayer *dropped)
{
  if (dropped->step > 0.f) {
    layer->step = dropped->step;
    layer->zero = dropped->zero;
  }
}

/* Closes the holes and drops what does not lead to the output. */
static void
compact (Simplifier *self)
{
  GPtrArray *layers = self->draft->layers;
  g_autofree gint *moved = g_new (gint, layers->len);
  GPtrArray *kept = g_ptr_array_new_with_free_func (free_layer);

  count_readers (self);
  for (guint i = 0; i < layers->len; i++) {
    SrganDraftLayer *layer = g_ptr_array_index (layers, i);

    moved[i] = -1;
    if (layer == NULL || self->readers[i] == 0) {
      free_layer (layer);
      continue;
    }
    for (guint j = 0; j < layer->inputs->len; j++)
      if (get_input (layer, j) >= 0)
        set_input (layer, j, moved[get_input (layer, j)]);
    moved[i] = (gint) kept->len;
    g_ptr_array_add (kept, layer);
  }
  g_ptr_array_set_free_func (layers, NULL);
  g_ptr_array_unref (layers);
  self->draft->layers = kept;
  count_readers (self);
}

/* Lets all that read layer @index read @other instead, and drops @index. */
static void
replace (Simplifier *self, gint index, gint other)
{
  GPtrArray *layers = self->draft->layers;

  for (guint i = (guint) index + 1; i < layers->len; i++) {
    SrganDraftLayer *layer = g_ptr_array_index (layers, i);

    for (guint j = 0; layer != NULL && j < layer->inputs->len; j++)
      if (get_input (layer, j) == index)
        set_input (layer, j, other);
  }
  if ((guint) index == layers->len - 1 && other >= 0) {
    /* the output itself: what it read takes its place */
    SrganDraftLayer *before = srgan_draft_get (self->draft, other);

    take_step (before, layers->pdata[index]);
    free_layer (layers->pdata[index]);
    layers->pdata[index] = before;
    layers->pdata[other] = NULL;
    for (guint i = (guint) other + 1; i < layers->len; i++) {
      SrganDraftLayer *layer = g_ptr_array_index (layers, i);

      for (guint j = 0; layer != NULL && j < layer->inputs->len; j++)
        if (get_input (layer, j) == other)
          set_input (layer, j, index);
    }
  } else {
    if (other >= 0)
      take_step (layers->pdata[other], layers->pdata[index]);
    free_layer (layers->pdata[index]);
    layers->pdata[index] = NULL;
  }
  count_readers (self);
}

static gboolean
is_identity (Simplifier *self, SrganDraftLayer *layer)
{
  guint n = layer->layer.out_channels;

  switch (layer->kind) {
  case SRGAN_DRAFT_GATHER:
    if (n != layer->layer.in_channels)
      return FALSE;
    for (guint i = 0; i < n; i++)
      if (layer->channels[i] != i)
        return FALSE;
    break;
  case SRGAN_DRAFT_AFFINE:
    for (guint i = 0; i < n; i++)
      if (layer->weight[i] != 1.f || layer->bias[i] != 0.f)
        return FALSE;
    break;
  case SRGAN_DRAFT_PAD:
    for (guint i = 0; i < SRGAN_N_SIDES; i++)
      if (layer->sides[i] != 0)
        return FALSE;
    break;
  case SRGAN_DRAFT_LAYER:
    if (layer->layer.operation == SRGAN_OPERATION_CROP) {
      for (guint i = 0; i < SRGAN_N_SIDES; i++)
        if (layer->sides[i] != 0)
          return FALSE;
    } else if (layer->layer.operation == SRGAN_OPERATION_CONCAT ||
               layer->layer.operation == SRGAN_OPERATION_ADD) {
      if (layer->inputs->len > 1)
        return FALSE;
    } else if (layer->layer.operation == SRGAN_OPERATION_PIXEL_SHUFFLE ||
               layer->layer.operation == SRGAN_OPERATION_PIXEL_UNSHUFFLE ||
               layer->layer.operation == SRGAN_OPERATION_RESIZE) {
      if (layer->layer.factor != 1)
        return FALSE;
    } else {
      return FALSE;
    }
    break;
  }
  return layer->layer.activation == SRGAN_ACTIVATION_NONE;
}

/* Weights for each output channel of a conv or linear layer, in a row. */
static gsize
get_row (const SrganDraftLayer *layer)
{
  return (gsize) (layer->layer.in_channels / layer->layer.groups) *
         layer->layer.kernel_width * layer->layer.kernel_height;
}

static gboolean
is_product (const SrganDraftLayer *layer)
{
  return is_operation (layer, SRGAN_OPERATION_CONV) ||
         is_operation (layer, SRGAN_OPERATION_TRANSPOSED_CONV) ||
         is_operation (layer, SRGAN_OPERATION_LINEAR);
}

/* Multiplies what @layer, a product, gives in @channel. */
static void
scale_output (SrganDraftLayer *layer, guint channel, gdouble factor)
{
  if (layer->layer.operation == SRGAN_OPERATION_TRANSPOSED_CONV) {
    guint in_each = layer->layer.in_channels / layer->layer.groups;
    guint out_each = layer->layer.out_channels / layer->layer.groups;
    guint first = channel / out_each * in_each;
    gsize area = (gsize) layer->layer.kernel_width * layer->layer.kernel_height;

    for (guint i = first; i < first + in_each; i++)
      for (gsize j = 0; j < area; j++)
        layer->weight[((gsize) i * out_each + channel % out_each) * area + j] *=
            factor;
  } else {
    gsize row = get_row (layer);

    for (gsize j = 0; j < row; j++)
      layer->weight[channel * row + j] *= factor;
  }
  if (layer->bias != NULL)
    layer->bias[channel] *= factor;
}

/* The weight of input channel @channel in output channel @output: its first
 * number and how many there are; NULL where it has none. */
static gfloat *
get_kernel (SrganDraftLayer *layer, guint channel, guint output, gsize *area)
{
  guint in_each = layer->layer.in_channels / layer->layer.groups;
  guint out_each = layer->layer.out_channels / layer->layer.groups;

  *area = (gsize) layer->layer.kernel_width * layer->layer.kernel_height;
  if (channel / in_each != output / out_each)
    return NULL;
  if (layer->layer.operation == SRGAN_OPERATION_TRANSPOSED_CONV)
    return layer->weight +
           ((gsize) channel * out_each + output % out_each) * *area;
  return layer->weight + ((gsize) output * in_each + channel % in_each) * *area;
}

/* f (g x) = g f (x) for every g > 0? */
static gboolean
is_homogeneous (SrganActivation activation)
{
  return activation == SRGAN_ACTIVATION_NONE ||
         activation == SRGAN_ACTIVATION_RELU ||
         activation == SRGAN_ACTIVATION_LEAKY_RELU ||
         activation == SRGAN_ACTIVATION_PRELU;
}

static gboolean
is_uniform (const gfloat *numbers, guint n)
{
  for (guint i = 1; i < n; i++)
    if (numbers[i] != numbers[0])
      return FALSE;
  return TRUE;
}

static gboolean
is_zero (const gfloat *numbers, guint n)
{
  return n == 0 || (numbers[0] == 0.f && is_uniform (numbers, n));
}

static gboolean
is_positive (const gfloat *numbers, guint n)
{
  for (guint i = 0; i < n; i++)
    if (!(numbers[i] > 0.f))
      return FALSE;
  return TRUE;
}

/* Its output is multiplied and moved: its bytes stand for other numbers, if
 * still for any. */
static void
scale_step (SrganDraftLayer *layer, const gfloat *gain, const gfloat *offset)
{
  guint n = layer->layer.out_channels;

  if (is_uniform (gain, n) && gain[0] > 0.f && is_zero (offset, n))
    layer->step *= gain[0];
  else
    layer->step = 0.f;
}

/* Puts gain[i] x + offset[i] into what gives layer @index's output, if that is
 * possible and nothing else reads it; with @try_only, says so and does nothing.
 */
static gboolean
absorb (Simplifier *self, gint index, const gfloat *gain, const gfloat *offset,
    gboolean try_only, guint depth)
{
  SrganDraftLayer *layer = at (self, index);
  SrganActivation activation;
  guint n;

  if (layer == NULL || self->readers[index] != 1 || depth > 32)
    return FALSE;
  n = layer->layer.out_channels;
  activation = layer->layer.activation;
  if (activation != SRGAN_ACTIVATION_NONE &&
      (!is_positive (gain, n) || !is_zero (offset, n) ||
          !(is_homogeneous (activation) ||
              (activation == SRGAN_ACTIVATION_CLIP && is_uniform (gain, n)))))
    return FALSE;
  if (!try_only)
    scale_step (layer, gain, offset);
  if (!try_only && activation == SRGAN_ACTIVATION_CLIP) {
    layer->layer.activation_low *= gain[0];
    layer->layer.activation_high *= gain[0];
  }

  if (layer->kind == SRGAN_DRAFT_AFFINE || is_product (layer)) {
    if (try_only)
      return TRUE;
    if (layer->bias == NULL)
      layer->bias = g_new0 (gfloat, n);
    for (guint i = 0; i < n; i++) {
      if (layer->kind == SRGAN_DRAFT_AFFINE) {
        layer->weight[i] *= gain[i];
        layer->bias[i] *= gain[i];
      } else {
        scale_output (layer, i, gain[i]);
      }
      layer->bias[i] += offset[i];
    }
    if (is_product (layer) && is_zero (layer->bias, n))
      g_clear_pointer (&layer->bias, g_free);
    return TRUE;
  }
  if (layer->kind == SRGAN_DRAFT_GATHER) {
    guint n_in = layer->layer.in_channels;
    g_autofree gfloat *wide_gain = NULL;
    g_autofree gfloat *wide_offset = NULL;

    if (!is_uniform (gain, n) || !is_uniform (offset, n))
      return FALSE;
    fill (&wide_gain, n_in, gain[0]);
    fill (&wide_offset, n_in, offset[0]);
    return absorb (self, get_input (layer, 0), wide_gain, wide_offset, try_only,
        depth + 1);
  }
  if (layer->kind != SRGAN_DRAFT_LAYER)
    return FALSE;

  switch (layer->layer.operation) {
  case SRGAN_OPERATION_ACTIVATION:
  case SRGAN_OPERATION_CROP:
  case SRGAN_OPERATION_RESIZE:
    return absorb (
        self, get_input (layer, 0), gain, offset, try_only, depth + 1);
  case SRGAN_OPERATION_PIXEL_SHUFFLE: {
    guint area = layer->layer.factor * layer->layer.factor;
    g_autofree gfloat *wide_gain = g_new (gfloat, n * area);
    g_autofree gfloat *wide_offset = g_new (gfloat, n * area);

    for (guint i = 0; i < n * area; i++) {
      wide_gain[i] = gain[i / area];
      wide_offset[i] = offset[i / area];
    }
    return absorb (self, get_input (layer, 0), wide_gain, wide_offset, try_only,
        depth + 1);
  }
  case SRGAN_OPERATION_ADD: {
    g_autofree gfloat *nothing = g_new0 (gfloat, n);

    for (guint i = 0; i < layer->inputs->len; i++)
      if (!absorb (self, get_input (layer, i), gain, i == 0 ? offset : nothing,
              try_only, depth + 1))
        return FALSE;
    return TRUE;
  }
  default:
    return FALSE;
  }
}

/* The same downwards: what reads through gain and offset takes them itself. */
static gboolean
affine_into_reader (SrganDraftLayer *affine, SrganDraftLayer *reader)
{
  guint n_in = affine->layer.out_channels;
  guint n_out = reader->layer.out_channels;
  gboolean shifts = !is_zero (affine->bias, n_in);
  gsize area;

  if (!is_product (reader))
    return FALSE;
  if (shifts) {
    if (is_operation (reader, SRGAN_OPERATION_TRANSPOSED_CONV))
      return FALSE;
    /* zeros beyond the edge are not shifted */
    if (is_operation (reader, SRGAN_OPERATION_CONV) &&
        reader->layer.padding == SRGAN_PADDING_ZERO)
      for (guint i = 0; i < SRGAN_N_SIDES; i++)
        if (reader->sides[i] != 0)
          return FALSE;
    if (reader->bias == NULL)
      reader->bias = g_new0 (gfloat, n_out);
  }
  for (guint o = 0; o < n_out; o++)
    for (guint c = 0; c < n_in; c++) {
      gfloat *kernel = get_kernel (reader, c, o, &area);

      if (kernel == NULL)
        continue;
      for (gsize i = 0; i < area; i++) {
        if (shifts)
          reader->bias[o] += kernel[i] * affine->bias[c];
        kernel[i] *= affine->weight[c];
      }
    }
  return TRUE;
}

static void
count_affine (Simplifier *self, gboolean is_norm)
{
  if (is_norm)
    self->draft->n_norms++;
  else
    self->draft->n_affine++;
}

static gboolean
merge_affine (Simplifier *self, gint index)
{
  GPtrArray *layers = self->draft->layers;
  SrganDraftLayer *affine = at (self, index);
  gint before = get_input (affine, 0);
  gboolean is_norm = affine->is_norm;
  gboolean changed = FALSE;

  if (absorb (self, before, affine->weight, affine->bias, TRUE, 0)) {
    absorb (self, before, affine->weight, affine->bias, FALSE, 0);
    if (affine->layer.activation == SRGAN_ACTIVATION_NONE) {
      replace (self, index, before);
    } else {
      affine->kind = SRGAN_DRAFT_LAYER;
      affine->layer.operation = SRGAN_OPERATION_ACTIVATION;
      g_clear_pointer (&affine->weight, g_free);
      g_clear_pointer (&affine->bias, g_free);
    }
    count_affine (self, is_norm);
    return TRUE;
  }
  if (affine->layer.activation != SRGAN_ACTIVATION_NONE ||
      (guint) index == layers->len - 1)
    return FALSE;
  for (guint i = (guint) index + 1; i < layers->len; i++) {
    SrganDraftLayer *reader = g_ptr_array_index (layers, i);

    if (reader == NULL || get_input (reader, 0) != index)
      continue;
    if (affine_into_reader (affine, reader)) {
      set_input (reader, 0, before);
      changed = TRUE;
    } else if (is_operation (reader, SRGAN_OPERATION_RESIZE) &&
               reader->layer.activation == SRGAN_ACTIVATION_NONE &&
               reader->inputs->len == 1 && self->readers[index] == 1 &&
               i < layers->len - 1) {
      /* gain and enlarge change places: that may end in a layer beyond */
      SrganDraftLayer *other = affine;

      set_input (reader, 0, before);
      set_input (affine, 0, index);
      affine->height = reader->height;
      affine->width = reader->width;
      layers->pdata[index] = reader;
      layers->pdata[i] = other;
      /* nothing between reads either: the reader was the only one, and was
       * itself read only from behind here */
      count_readers (self);
      return TRUE;
    }
  }
  if (changed) {
    count_affine (self, is_norm);
    count_readers (self);
  }
  return changed;
}

/* --- Channel orders */

/* Makes layer @index give its channels in the order of @channels, if nothing
 * else reads it and it is free to; sets *@result to the layer that does. */
static gboolean
reorder (Simplifier *self, gint index, const guint *channels, guint n,
    gboolean try_only, guint depth)
{
  SrganDraftLayer *layer = at (self, index);
  guint n_before;

  if (layer == NULL || self->readers[index] != 1 || depth > 32)
    return FALSE;
  n_before = layer->layer.out_channels;
  if (layer->layer.activation == SRGAN_ACTIVATION_SPLINE)
    return FALSE;

  if (layer->kind == SRGAN_DRAFT_LAYER &&
      (layer->layer.operation == SRGAN_OPERATION_ADD ||
          layer->layer.operation == SRGAN_OPERATION_MULTIPLY ||
          layer->layer.operation == SRGAN_OPERATION_ACTIVATION ||
          layer->layer.operation == SRGAN_OPERATION_CROP ||
          (layer->layer.operation == SRGAN_OPERATION_RESIZE &&
              layer->inputs->len == 1))) {
    for (guint i = 0; i < layer->inputs->len; i++)
      if (!reorder (
              self, get_input (layer, i), channels, n, try_only, depth + 1))
        return FALSE;
    if (try_only)
      return TRUE;
    layer->layer.in_channels = n;
  } else if (layer->kind == SRGAN_DRAFT_GATHER) {
    guint *composed;

    if (try_only)
      return TRUE;
    composed = g_new (guint, n);
    for (guint i = 0; i < n; i++)
      composed[i] = layer->channels[channels[i]];
    g_free (layer->channels);
    layer->channels = composed;
  } else if ((is_operation (layer, SRGAN_OPERATION_CONV) ||
                 is_operation (layer, SRGAN_OPERATION_LINEAR)) &&
             layer->layer.groups == 1) {
    gsize row = get_row (layer);
    gfloat *weight;

    if (n > 4 * n_before)
      return FALSE;
    if (try_only)
      return TRUE;
    weight = g_new (gfloat, n * row);
    for (guint i = 0; i < n; i++)
      memcpy (weight + i * row, layer->weight + channels[i] * row,
          row * sizeof *weight);
    g_free (layer->weight);
    layer->weight = weight;
    if (layer->bias != NULL) {
      gfloat *bias = g_new (gfloat, n);

      for (guint i = 0; i < n; i++)
        bias[i] = layer->bias[channels[i]];
      g_free (layer->bias);
      layer->bias = bias;
    }
  } else {
    return FALSE;
  }
  layer->layer.out_channels = n;
  if (layer->slope != NULL) {
    gfloat *slope = g_new (gfloat, n);

    for (guint i = 0; i < n; i++)
      slope[i] = layer->slope[channels[i]];
    g_free (layer->slope);
    layer->slope = slope;
  }
  return TRUE;
}

/* What reads channels in another order has its weights in another order. */
static void
gather_into_reader (SrganDraftLayer *gather, SrganDraftLayer *reader)
{
  guint n_in = gather->layer.in_channels;
  guint n_out = reader->layer.out_channels;
  gsize area = (gsize) reader->layer.kernel_width * reader->layer.kernel_height;
  gfloat *weight = g_new0 (gfloat, (gsize) n_in * n_out * area);

  for (guint o = 0; o < n_out; o++)
    for (guint c = 0; c < gather->layer.out_channels; c++) {
      const gfloat *from = get_kernel (reader, c, o, &area);
      gfloat *to = weight + ((gsize) o * n_in + gather->channels[c]) * area;

      for (gsize i = 0; i < area; i++)
        to[i] += from[i];
    }
  g_free (reader->weight);
  reader->weight = weight;
  reader->layer.in_channels = n_in;
}

static gboolean
merge_gather (Simplifier *self, gint index)
{
  GPtrArray *layers = self->draft->layers;
  SrganDraftLayer *gather = at (self, index);
  gint before = get_input (gather, 0);
  guint n = gather->layer.out_channels;

  if (gather->layer.activation != SRGAN_ACTIVATION_NONE)
    return FALSE;
  if (reorder (self, before, gather->channels, n, TRUE, 0)) {
    reorder (self, before, gather->channels, n, FALSE, 0);
    replace (self, index, before);
    self->draft->n_orders++;
    return TRUE;
  }
  if (gather->layer.in_channels > n || (guint) index == layers->len - 1)
    return FALSE;
  for (guint i = (guint) index + 1; i < layers->len; i++) {
    SrganDraftLayer *reader = g_ptr_array_index (layers, i);

    for (guint j = 0; reader != NULL && j < reader->inputs->len; j++)
      if (get_input (reader, j) == index &&
          !((is_operation (reader, SRGAN_OPERATION_CONV) ||
                is_operation (reader, SRGAN_OPERATION_LINEAR)) &&
              reader->layer.groups == 1))
        return FALSE;
  }
  for (guint i = (guint) index + 1; i < layers->len; i++) {
    SrganDraftLayer *reader = g_ptr_array_index (layers, i);

    if (reader != NULL && get_input (reader, 0) == index)
      gather_into_reader (gather, reader);
  }
  replace (self, index, before);
  self->draft->n_orders++;
  return TRUE;
}

/* --- Activations */

static void
get_bounds (const SrganDraftLayer *layer, gfloat *low, gfloat *high)
{
  if (layer->layer.activation == SRGAN_ACTIVATION_RELU) {
    *low = 0.f;
    *high = NO_BOUND;
  } else {
    *low = layer->layer.activation_low;
    *high = layer->layer.activation_high;
  }
}

static gboolean
is_clip (const SrganDraftLayer *layer)
{
  return layer->layer.activation == SRGAN_ACTIVATION_RELU ||
         layer->layer.activation == SRGAN_ACTIVATION_CLIP;
}

static gboolean
merge_activation (Simplifier *self, gint index)
{
  SrganDraftLayer *layer = at (self, index);
  gint before = get_input (layer, 0);
  SrganDraftLayer *producer = at (self, before);

  if (layer->layer.activation == SRGAN_ACTIVATION_CLIP &&
      layer->layer.activation_low == 0.f &&
      layer->layer.activation_high >= NO_BOUND)
    layer->layer.activation = SRGAN_ACTIVATION_RELU;
  if (producer == NULL || self->readers[before] != 1)
    return FALSE;
  if (is_clip (layer) && is_clip (producer)) {
    gfloat low, high, outer_low, outer_high;

    get_bounds (producer, &low, &high);
    get_bounds (layer, &outer_low, &outer_high);
    /* first the inner one's, then the outer one's */
    low = CLAMP (low, outer_low, outer_high);
    high = CLAMP (high, outer_low, outer_high);
    producer->layer.activation = SRGAN_ACTIVATION_CLIP;
    producer->layer.activation_low = low;
    producer->layer.activation_high = high;
    if (low == 0.f && high >= NO_BOUND)
      producer->layer.activation = SRGAN_ACTIVATION_RELU;
    replace (self, index, before);
    return TRUE;
  }
  if (producer->layer.activation != SRGAN_ACTIVATION_NONE ||
      producer->kind == SRGAN_DRAFT_PAD ||
      (producer->kind != SRGAN_DRAFT_LAYER && !self->last_round))
    return FALSE;
  producer->layer.activation = layer->layer.activation;
  producer->layer.activation_low = layer->layer.activation_low;
  producer->layer.activation_high = layer->layer.activation_high;
  producer->slope = g_steal_pointer (&layer->slope);
  replace (self, index, before);
  return TRUE;
}

/* --- Edges */

static gboolean
merge_pad (Simplifier *self, gint index)
{
  GPtrArray *layers = self->draft->layers;
  SrganDraftLayer *pad = at (self, index);
  gint before = get_input (pad, 0);

  if (pad->layer.activation != SRGAN_ACTIVATION_NONE ||
      (guint) index == layers->len - 1)
    return FALSE;
  for (guint i = (guint) index + 1; i < layers->len; i++) {
    SrganDraftLayer *reader = g_ptr_array_index (layers, i);
    gboolean pads = FALSE;

    if (reader == NULL)
      continue;
    for (guint j = 0; j < reader->inputs->len; j++)
      if (get_input (reader, j) == index &&
          !is_operation (reader, SRGAN_OPERATION_CONV))
        return FALSE;
    if (get_input (reader, 0) != index)
      continue;
    for (guint j = 0; j < SRGAN_N_SIDES; j++)
      pads = pads || reader->sides[j] != 0;
    if (pads && (reader->layer.padding != SRGAN_PADDING_ZERO ||
                    pad->layer.padding != SRGAN_PADDING_ZERO))
      return FALSE;
  }
  for (guint i = (guint) index + 1; i < layers->len; i++) {
    SrganDraftLayer *reader = g_ptr_array_index (layers, i);

    if (reader == NULL || get_input (reader, 0) != index)
      continue;
    for (guint j = 0; j < SRGAN_N_SIDES; j++)
      reader->sides[j] += pad->sides[j];
    reader->layer.padding = pad->layer.padding;
  }
  replace (self, index, before);
  self->draft->n_pads++;
  return TRUE;
}

static gboolean
merge_crop (Simplifier *self, gint index)
{
  SrganDraftLayer *crop = at (self, index);
  gint before = get_input (crop, 0);
  SrganDraftLayer *producer = at (self, before);
  gint sign = 1;

  if (producer == NULL || self->readers[before] != 1 ||
      crop->layer.activation != SRGAN_ACTIVATION_NONE)
    return FALSE;
  if (producer->kind == SRGAN_DRAFT_PAD ||
      (is_operation (producer, SRGAN_OPERATION_CONV) &&
          producer->layer.stride == 1)) {
    sign = -1;
    for (guint i = 0; i < SRGAN_N_SIDES; i++)
      if (producer->sides[i] < crop->sides[i])
        return FALSE;
  } else if (!is_operation (producer, SRGAN_OPERATION_TRANSPOSED_CONV) &&
             !is_operation (producer, SRGAN_OPERATION_CROP)) {
    return FALSE;
  }
  for (guint i = 0; i < SRGAN_N_SIDES; i++)
    producer->sides[i] += sign * crop->sides[i];
  producer->height = crop->height;
  producer->width = crop->width;
  replace (self, index, before);
  return TRUE;
}

/* --- Repeated pixels */

/* Puts @layer before layer @index, which becomes @index + 1. */
static void
insert (Simplifier *self, gint index, SrganDraftLayer *layer)
{
  GPtrArray *layers = self->draft->layers;

  for (guint i = 0; i < layers->len; i++) {
    SrganDraftLayer *other = g_ptr_array_index (layers, i);

    for (guint j = 0; other != NULL && j < other->inputs->len; j++)
      if (get_input (other, j) >= index)
        set_input (other, j, get_input (other, j) + 1);
  }
  g_ptr_array_insert (layers, index, layer);
}

static gboolean
repeats (const SrganDraftLayer *layer, guint times)
{
  if (layer == NULL || layer->kind != SRGAN_DRAFT_GATHER ||
      layer->layer.activation != SRGAN_ACTIVATION_NONE ||
      layer->layer.out_channels != layer->layer.in_channels * times)
    return FALSE;
  for (guint i = 0; i < layer->layer.out_channels; i++)
    if (layer->channels[i] != i / times)
      return FALSE;
  return TRUE;
}

/* A shuffle of channels that repeat is nearest-neighbour enlargement: of
 * copies alone, or of a sum that has them in it (Du et al. 2021, "Anchor-based
 * plain net"), where it becomes the sum of both apart. */
static gboolean
merge_shuffle (Simplifier *self, gint index)
{
  SrganDraftLayer *shuffle = at (self, index);
  gint before = get_input (shuffle, 0);
  SrganDraftLayer *sum = at (self, before);
  guint factor = shuffle->layer.factor;
  gboolean found = FALSE;
  guint n_inputs;

  if (repeats (sum, factor * factor)) {
    shuffle->layer.operation = SRGAN_OPERATION_RESIZE;
    shuffle->layer.filter = SRGAN_FILTER_NEAREST;
    shuffle->layer.in_channels = sum->layer.in_channels;
    set_input (shuffle, 0, get_input (sum, 0));
    count_readers (self);
    return TRUE;
  }
  if (!is_operation (sum, SRGAN_OPERATION_ADD) || self->readers[before] != 1 ||
      sum->slope != NULL || shuffle->layer.activation != SRGAN_ACTIVATION_NONE)
    return FALSE;
  for (guint i = 0; i < sum->inputs->len; i++)
    found = found || repeats (at (self, get_input (sum, i)), factor * factor);
  if (!found)
    return FALSE;

  n_inputs = sum->inputs->len;
  for (guint i = 0; i < n_inputs; i++) {
    gint input = get_input (at (self, before), i);
    SrganDraftLayer *each =
        new_layer (self->draft, SRGAN_DRAFT_LAYER, shuffle->layer.name, input);

    each->layer.operation = SRGAN_OPERATION_PIXEL_SHUFFLE;
    each->layer.factor = factor;
    each->layer.out_channels = shuffle->layer.out_channels;
    each->height = shuffle->height;
    each->width = shuffle->width;
    insert (self, before, each);
    before++;
    set_input (at (self, before), i, before - 1);
    index++;
  }
  sum = at (self, before);
  sum->layer.in_channels = sum->layer.out_channels =
      shuffle->layer.out_channels;
  sum->height = shuffle->height;
  sum->width = shuffle->width;
  count_readers (self);
  replace (self, index, before);
  return TRUE;
}

static gboolean
simplify_layer (Simplifier *self, gint index)
{
  SrganDraftLayer *layer = at (self, index);

  if (is_identity (self, layer) &&
      (get_input (layer, 0) >= 0 ||
          (guint) index < self->draft->layers->len - 1) &&
      !((guint) index == self->draft->layers->len - 1 &&
          self->readers[MAX (get_input (layer, 0), 0)] != 1)) {
    replace (self, index, get_input (layer, 0));
    return TRUE;
  }
  switch (layer->kind) {
  case SRGAN_DRAFT_AFFINE:
    return merge_affine (self, index);
  case SRGAN_DRAFT_GATHER:
    return merge_gather (self, index);
  case SRGAN_DRAFT_PAD:
    return merge_pad (self, index);
  case SRGAN_DRAFT_LAYER:
    break;
  }
  switch (layer->layer.operation) {
  case SRGAN_OPERATION_ACTIVATION:
    return merge_activation (self, index);
  case SRGAN_OPERATION_CROP:
    return merge_crop (self, index);
  case SRGAN_OPERATION_PIXEL_SHUFFLE:
    return merge_shuffle (self, index);
  default:
    return FALSE;
  }
}

void
srgan_draft_simplify (SrganDraft *draft)
{
  Simplifier self = {.draft = draft};
  gboolean changed;

  if (draft->layers->len == 0)
    return;
  for (guint round = 0; round < 64; round++) {
    changed = FALSE;
    compact (&self);
    for (gint i = 0; i < (gint) draft->layers->len; i++)
      if (at (&self, i) != NULL && self.readers[i] > 0)
        changed = simplify_layer (&self, i) || changed;
    if (changed)
      continue;
    if (self.last_round)
      break;
    self.last_round = TRUE;
  }
  compact (&self);
  g_free (self.readers);
}

/* --- Making the network -------------------------------------------------- */

typedef struct {
  SrganDraft *draft;
  SrganNetwork *network;
  GHashTable *names;
  gint *indices; /* of each draft layer in the network */
} Finisher;

G_GNUC_PRINTF (3, 4)
static gboolean
refuse (const SrganDraftLayer *layer, GError **error, const gchar *format, ...)
{
  va_list arguments;
  g_autofree gchar *text = NULL;
  g_autofree gchar *name = g_strescape (layer->layer.name, NULL);

  va_start (arguments, format);
  text = g_strdup_vprintf (format, arguments);
  va_end (arguments);
  g_set_error (
      error, SRGAN_ERROR, SRGAN_ERROR_UNSUPPORTED, "'%.60s': %s", name, text);
  return FALSE;
}

/* A layer's name: what it was called, in the letters that we have, once. */
static gchar *
make_name (Finisher *self, const gchar *wanted)
{
  g_autofree gchar *base = NULL;
  gchar *name;
  gsize length = strlen (wanted);

  /* the end tells more than the beginning: "/body/0/conv/Conv" */
  base = g_strdup (length > 60 ? wanted + length - 60 : wanted);
  for (gchar *c = base; *c != '\0'; c++)
    if (!g_ascii_isalnum (*c) && *c != '_' && *c != '-')
      *c = '_';
  while (*base == '_')
    memmove (base, base + 1, strlen (base));
  name =
      g_strdup (*base == '\0' || g_str_equal (base, "input") ? "layer" : base);
  for (guint i = 2; g_hash_table_contains (self->names, name); i++) {
    g_free (name);
    name = g_strdup_printf ("%s-%u", *base == '\0' ? "layer" : base, i);
  }
  g_hash_table_add (self->names, g_strdup (name));
  return name;
}

/* Appends @layer to the network under a name like @wanted. */
static gint
append (Finisher *self, SrganLayer *layer, const gchar *wanted, GError **error)
{
  g_autofree gchar *name = make_name (self, wanted);
  gint index;

  layer->name = name;
  index = srgan_network_add_layer (self->network, layer, error);
  layer->name = NULL;
  return index;
}

static void
take_activation (SrganLayer *layer, const SrganDraftLayer *from)
{
  layer->activation = from->layer.activation;
  layer->activation_low = from->layer.activation_low;
  layer->activation_high = from->layer.activation_high;
  layer->slope = from->slope;
  if (from->steps != NULL) {
    layer->output_step = from->steps;
    layer->output_zero = from->zero;
  }
  layer->int8_bias = from->int8_bias;
}

static gint
index_of (Finisher *self, gint input)
{
  return input < 0 ? SRGAN_INPUT_NETWORK : self->indices[input];
}

/* A kernel with @before zeros before and @after after it on each axis (height,
 * width); NULL where it is itself. */
static gfloat *
widen (const gfloat *weight, gsize n_kernels, SrganLayer *layer,
    const gint before[2], const gint after[2])
{
  guint height = layer->kernel_height + before[0] + after[0];
  guint width = layer->kernel_width + before[1] + after[1];
  gfloat *wide;

  if (height == layer->kernel_height && width == layer->kernel_width)
    return NULL;
  wide = g_new0 (gfloat, n_kernels * height * width);
  for (gsize i = 0; i < n_kernels; i++)
    for (guint y = 0; y < layer->kernel_height; y++)
      memcpy (wide + (i * height + y + before[0]) * width + before[1],
          weight + (i * layer->kernel_height + y) * layer->kernel_width,
          layer->kernel_width * sizeof *wide);
  layer->kernel_height = height;
  layer->kernel_width = width;
  return wide;
}

/* Adds the layer, and after it a crop of @surplus pixels on each side. */
static gint
append_cropped (Finisher *self, SrganLayer *layer, const SrganDraftLayer *from,
    gint surplus, GError **error)
{
  SrganLayer crop = {.operation = SRGAN_OPERATION_CROP,
      .n_inputs = 1,
      .crop = (guint) surplus};
  gint index = append (self, layer, from->layer.name, error);

  if (index < 0 || surplus == 0)
    return index;
  crop.inputs[0] = index;
  return append (self, &crop, from->layer.name, error);
}

/* A network's convolution is centred, see SrganPadding; any other is one whose
 * kernel has zeros on one side. */
static gint
finish_conv (Finisher *self, const SrganDraftLayer *from, GError **error)
{
  SrganLayer layer = from->layer;
  g_autofree gfloat *wide = NULL;
  gint stride = (gint) layer.stride;
  gint kernel[2] = {(gint) layer.kernel_height, (gint) layer.kernel_width};
  gint lead[2] = {from->sides[SRGAN_TOP], from->sides[SRGAN_LEFT]};
  gint trail[2] = {from->sides[SRGAN_BOTTOM], from->sides[SRGAN_RIGHT]};
  gint before[2] = {0}, after[2] = {0};
  gint lacking[2];
  gint surplus = 0;

  layer.n_inputs = 1;
  layer.inputs[0] = index_of (self, get_input (from, 0));
  layer.weight = from->weight;
  layer.bias = from->bias;
  take_activation (&layer, from);

  if (from->single) {
    layer.operation = SRGAN_OPERATION_LINEAR;
    return append (self, &layer, from->layer.name, error);
  }
  if (lead[0] == 0 && lead[1] == 0 && trail[0] == 0 && trail[1] == 0 &&
      (kernel[0] > stride || kernel[1] > stride)) {
    layer.padding = SRGAN_PADDING_NONE;
    return append (self, &layer, from->layer.name, error);
  }

  /* what is padded less than would make the output input / stride large */
  for (guint i = 0; i < 2; i++) {
    lacking[i] = kernel[i] - 1 - lead[i] - trail[i];
    if (lead[i] < 0 || trail[i] < 0 || lacking[i] < 0) {
      refuse (from, error,
          "a convolution that enlarges its input by padding is not supported");
      return -1;
    }
    if (lacking[i] < stride)
      lacking[i] = 0;
  }
  if (lacking[0] != lacking[1] || lacking[0] % 2 != 0 ||
      (lacking[0] != 0 && stride != 1)) {
    refuse (from, error,
        "paddings that make the output %d pixels lower and %d narrower are "
        "not supported",
        lacking[0], lacking[1]);
    return -1;
  }
  surplus = lacking[0] / 2;
  for (guint i = 0; i < 2; i++) {
    /* taps at -lead .. kernel - 1 - lead, within -(k - 1) / 2 .. k / 2 */
    gint first = lead[i] + surplus;
    gint last = kernel[i] - 1 - first;
    gint half = MAX (first, last);

    if (last == first + 1) /* even, centred as it is */
      continue;
    before[i] = half - first;
    after[i] = half - last;
  }
  wide = widen (from->weight,
      (gsize) layer.out_channels * (layer.in_channels / layer.groups), &layer,
      before, after);
  if (wide != NULL)
    layer.weight = wide;
  return append_cropped (self, &layer, from, surplus, error);
}

/* Likewise: of the full output a network cuts half the surplus, rounded up, at
 * the top and left. */
static gint
finish_transposed_conv (
    Finisher *self, const SrganDraftLayer *from, GError **error)
{
  SrganLayer layer = from->layer;
  g_autofree gfloat *wide = NULL;
  gint stride = (gint) layer.stride;
  gint kernel[2] = {(gint) layer.kernel_height, (gint) layer.kernel_width};
  gint cut[2][2] = {{from->sides[SRGAN_TOP], from->sides[SRGAN_BOTTOM]},
      {from->sides[SRGAN_LEFT], from->sides[SRGAN_RIGHT]}};
  gint before[2] = {0}, after[2] = {0};
  gint lost[2];

  for (guint i = 0; i < 2; i++)
    lost[i] = cut[i][0] + cut[i][1] - (kernel[i] - stride);
  if (from->single || lost[0] != lost[1] || lost[0] < 0 || lost[0] % 2 != 0) {
    refuse (from, error,
        "a transposed convolution whose output is %d pixels higher and %d "
        "wider than its stride times the input is not supported",
        -lost[0], -lost[1]);
    return -1;
  }
  for (guint i = 0; i < 2; i++) {
    gint first = cut[i][0] - lost[i] / 2;
    gint last = cut[i][1] - lost[i] / 2;

    if (first < last)
      before[i] = last - first;
    else if (first > last + 1)
      after[i] = first - last - 1;
    if (last + after[i] < 0) {
      /* a kernel smaller than the stride */
      gint more = -(last + after[i]);

      before[i] += more;
      after[i] += more;
    }
  }
  layer.n_inputs = 1;
  layer.inputs[0] = index_of (self, get_input (from, 0));
  layer.weight = from->weight;
  layer.bias = from->bias;
  layer.padding = SRGAN_PADDING_ZERO;
  take_activation (&layer, from);
  wide = widen (from->weight,
      (gsize) layer.in_channels * (layer.out_channels / layer.groups), &layer,
      before, after);
  if (wide != NULL)
    layer.weight = wide;
  return append_cropped (self, &layer, from, lost[0] / 2, error);
}

/* Gain and offset: a 1x1 convolution of each channel by itself, or of a mean a
 * matrix with one number in each row. */
static gint
finish_affine (Finisher *self, const SrganDraftLayer *from, GError **error)
{
  guint n = from->layer.out_channels;
  SrganLayer layer = {.operation = SRGAN_OPERATION_CONV,
      .n_inputs = 1,
      .out_channels = n,
      .kernel_width = 1,
      .kernel_height = 1,
      .groups = n,
      .weight = from->weight};
  g_autofree gfloat *matrix = NULL;

  layer.inputs[0] = index_of (self, get_input (from, 0));
  layer.bias = is_zero (from->bias, n) ? NULL : from->bias;
  take_activation (&layer, from);
  if (from->single) {
    matrix = g_new0 (gfloat, (gsize) n * n);
    for (guint i = 0; i < n; i++)
      matrix[(gsize) i * n + i] = from->weight[i];
    layer.operation = SRGAN_OPERATION_LINEAR;
    layer.weight = matrix;
  }
  return append (self, &layer, from->layer.name, error);
}

static gint
finish_gather (Finisher *self, const SrganDraftLayer *from, GError **error)
{
  guint n = from->layer.out_channels;
  guint n_in = from->layer.in_channels;
  SrganLayer layer = {.n_inputs = 1, .out_channels = n};
  g_autofree gfloat *weight = NULL;
  gboolean contiguous = TRUE;

  layer.inputs[0] = index_of (self, get_input (from, 0));
  take_activation (&layer, from);
  for (guint i = 1; i < n; i++)
    contiguous = contiguous && from->channels[i] == from->channels[0] + i;
  if (contiguous) {
    layer.operation = SRGAN_OPERATION_SLICE;
    layer.first = from->channels[0];
    return append (self, &layer, from->layer.name, error);
  }
  if ((guint64) n * n_in > SRGAN_MAX_WEIGHTS) {
    refuse (from, error, "a choice of %u channels of %u is too large", n, n_in);
    return -1;
  }
  weight = g_new0 (gfloat, (gsize) n * n_in);
  for (guint i = 0; i < n; i++)
    weight[(gsize) i * n_in + from->channels[i]] = 1.f;
  layer.operation =
      from->single ? SRGAN_OPERATION_LINEAR : SRGAN_OPERATION_CONV;
  layer.kernel_width = layer.kernel_height = 1;
  layer.weight = weight;
  return append (self, &layer, from->layer.name, error);
}

/* Sums, products and concatenations of more inputs than a layer takes are made
 * in parts. */
static gint
finish_many (Finisher *self, const SrganDraftLayer *from, GError **error)
{
  guint n = from->inputs->len;
  g_autofree gint *inputs = g_new (gint, n);

  for (guint i = 0; i < n; i++)
    inputs[i] = index_of (self, get_input (from, i));
  for (;;) {
    SrganLayer layer = from->layer;
    guint n_parts = 0;

    if (n <= SRGAN_LAYER_MAX_INPUTS) {
      layer.n_inputs = n;
      memcpy (layer.inputs, inputs, n * sizeof *inputs);
      layer.weight = NULL;
      layer.bias = NULL;
      take_activation (&layer, from);
      return append (self, &layer, from->layer.name, error);
    }
    for (guint i = 0; i < n; i += SRGAN_LAYER_MAX_INPUTS) {
      layer = from->layer;
      layer.activation = SRGAN_ACTIVATION_NONE;
      layer.n_inputs = MIN (n - i, SRGAN_LAYER_MAX_INPUTS);
      memcpy (layer.inputs, inputs + i, layer.n_inputs * sizeof *inputs);
      inputs[n_parts] = layer.n_inputs == 1
                            ? inputs[i]
                            : append (self, &layer, from->layer.name, error);
      if (layer.n_inputs > 1 && inputs[n_parts] < 0)
        return -1;
      n_parts++;
    }
    n = n_parts;
  }
}

static gint
finish_layer (Finisher *self, const SrganDraftLayer *from, GError **error)
{
  SrganLayer layer = from->layer;

  switch (from->kind) {
  case SRGAN_DRAFT_AFFINE:
    return finish_affine (self, from, error);
  case SRGAN_DRAFT_GATHER:
    return finish_gather (self, from, error);
  case SRGAN_DRAFT_PAD:
    refuse (
        from, error, "padding that no convolution takes in is not supported");
    return -1;
  case SRGAN_DRAFT_LAYER:
    break;
  }
  switch (layer.operation) {
  case SRGAN_OPERATION_CONV:
    return finish_conv (self, from, error);
  case SRGAN_OPERATION_TRANSPOSED_CONV:
    return finish_transposed_conv (self, from, error);
  case SRGAN_OPERATION_ADD:
  case SRGAN_OPERATION_MULTIPLY:
  case SRGAN_OPERATION_CONCAT:
    return finish_many (self, from, error);
  case SRGAN_OPERATION_CROP:
    for (guint i = 1; i < SRGAN_N_SIDES; i++)
      if (from->sides[i] != from->sides[0]) {
        refuse (from, error,
            "cropping %d, %d, %d and %d pixels at the top, left, bottom and "
            "right is not supported: only as many on each side",
            from->sides[SRGAN_TOP], from->sides[SRGAN_LEFT],
            from->sides[SRGAN_BOTTOM], from->sides[SRGAN_RIGHT]);
        return -1;
      }
    layer.crop = (guint) from->sides[0];
    break;
  case SRGAN_OPERATION_RESIZE:
    if (from->inputs->len == 2)
      layer.inputs[1] = index_of (self, get_input (from, 1));
    break;
  default:
    break;
  }
  layer.n_inputs =
      layer.operation == SRGAN_OPERATION_RESIZE ? from->inputs->len : 1;
  layer.inputs[0] = index_of (self, get_input (from, 0));
  layer.weight = from->weight;
  layer.bias = from->bias;
  take_activation (&layer, from);
  return append (self, &layer, from->layer.name, error);
}

/* What is within half a unit of the first rounding below a half, which makes it
 * a half, the second then makes a one: for numbers above 0, as ReLU leaves
 * them, that is as if half a unit had been added before one rounding, ours. The
 * unit is 2 to minus the bits of the shift. */
static void
round_twice (SrganDraft *draft)
{
  for (guint i = 0; i < draft->layers->len; i++) {
    SrganDraftLayer *layer = g_ptr_array_index (draft->layers, i);
    guint n = layer->layer.out_channels;
    gint input = get_input (layer, 0);
    /* the picture's own codes are those of 8 bits */
    gdouble step = 1. / 255.;
    gsize row;

    if (!is_operation (layer, SRGAN_OPERATION_CONV) || layer->steps == NULL ||
        !is_clip (layer) ||
        (layer->layer.activation == SRGAN_ACTIVATION_CLIP &&
            layer->layer.activation_low < 0.f))
      continue;
    if (input >= 0) {
      const SrganDraftLayer *before = srgan_draft_get (draft, input);

      if (before->steps == NULL)
        continue;
      step = before->steps[0];
    }
    row = get_row (layer);
    layer->int8_bias = layer->bias != NULL
                           ? g_memdup2 (layer->bias, n * sizeof (gfloat))
                           : g_new0 (gfloat, n);
    for (guint o = 0; o < n; o++) {
      gdouble largest = 0.;
      gint exponent;

      for (gsize j = 0; j < row; j++)
        largest = MAX (largest, fabs (layer->weight[o * row + j]));
      frexp (step * largest / 127. / layer->steps[o], &exponent);
      if (largest > 0. && exponent < 0)
        layer->int8_bias[o] += (gfloat) ldexp (.5 * layer->steps[o], exponent);
    }
  }
}

/* Steps are for those maps that convolutions read, which compute in them. */
static void
spread_steps (SrganDraft *draft)
{
  gboolean any = FALSE;

  for (guint i = 0; i < draft->layers->len; i++) {
    SrganDraftLayer *reader = g_ptr_array_index (draft->layers, i);
    gint input = get_input (reader, 0);
    SrganDraftLayer *layer;

    if (!is_operation (reader, SRGAN_OPERATION_CONV) || input < 0)
      continue;
    layer = srgan_draft_get (draft, input);
    if (!(layer->step > 0.f) || layer->steps != NULL || layer->single)
      continue;
    fill (&layer->steps, layer->layer.out_channels, layer->step);
    any = TRUE;
  }
  if (any)
    g_ptr_array_add (draft->notes,
        g_strdup ("the file's steps for 8-bit integers kept: with "
                  "precision=int8 they are computed in"));
}

/* Whether the layer added last is one of @names, of which it is struck out. */
static gboolean
strike_out (SrganNetwork *network, gchar **names)
{
  const SrganLayer *layer = srgan_network_get_layer (
      network, srgan_network_get_n_layers (network) - 1);

  for (guint i = 0; names[i] != NULL; i++)
    if (strcmp (g_strstrip (names[i]), layer->name) == 0) {
      names[i][0] = '\0';
      return TRUE;
    }
  return FALSE;
}

/* A name that is not struck out, or NULL. */
static const gchar *
find_name (gchar **names)
{
  for (guint i = 0; names[i] != NULL; i++)
    if (names[i][0] != '\0')
      return names[i];
  return NULL;
}

G_GNUC_PRINTF (3, 0)
static void
add_count (SrganDraft *draft, guint n, const gchar *format)
{
  if (n > 0)
    g_ptr_array_add (draft->notes, g_strdup_printf (format, n));
}

static void
add_counts (SrganDraft *draft)
{
  add_count (draft, draft->n_constants,
      "folded %u constants: what does not depend on the picture");
  add_count (draft, draft->n_norms, "folded %u batch norms");
  add_count (
      draft, draft->n_affine, "gains and offsets merged into other layers: %u");
  add_count (draft, draft->n_orders, "channel orders merged into weights: %u");
  add_count (draft, draft->n_pads, "paddings merged into convolutions: %u");
}

SrganNetwork *
srgan_draft_finish (SrganDraft *draft, SrganColour colour, GError **error)
{
  Finisher self = {.draft = draft};
  SrganNetwork *network = NULL;
  guint n = draft->layers->len;
  SrganDraftLayer *output;
  g_auto (GStrv) names = NULL;
  gint64 scale = 1;

  if (n == 0) {
    g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_UNSUPPORTED,
        "the output is the input: there is no network");
    return NULL;
  }
  output = g_ptr_array_index (draft->layers, n - 1);
  if (!draft->features &&
      (output->single || output->layer.out_channels != draft->channels)) {
    g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_UNSUPPORTED,
        "the output has %u channels%s, the input %u: it is no picture",
        output->layer.out_channels, output->single ? " of one pixel" : "",
        draft->channels);
    return NULL;
  }
  /* convolutions without padding lose some pixels */
  if (!draft->features)
    scale = (output->height + draft->height / 2) / draft->height;
  if (scale < 1 || scale > SRGAN_MAX_SCALE) {
    g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_UNSUPPORTED,
        "it enlarges %" G_GINT64_FORMAT " times; 1 to %u can be", scale,
        SRGAN_MAX_SCALE);
    return NULL;
  }

  network = srgan_network_new (draft->name, colour, (guint) scale);
  self.network = network;
  self.names = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  self.indices = g_new (gint, n);
  if (draft->features)
    srgan_network_set_note (network, "ends", "features");
  if (draft->features && draft->feature_layers != NULL) {
    srgan_network_set_note (network, "features", draft->feature_layers);
    names = g_strsplit (draft->feature_layers, ";", -1);
  }
  add_counts (draft);
  spread_steps (draft);
  if (draft->rounds_twice)
    round_twice (draft);
  for (guint i = 0; i < n; i++) {
    SrganDraftLayer *layer = g_ptr_array_index (draft->layers, i);

    self.indices[i] = finish_layer (&self, layer, error);
    if (self.indices[i] < 0) {
      g_clear_pointer (&network, srgan_network_unref);
      break;
    }
    /* the network has its own copy: a large file's weights lie in memory once
     */
    g_clear_pointer (&layer->weight, g_free);
    if (names != NULL && strike_out (network, names) &&
        find_name (names) == NULL) {
      if (i + 1 < n)
        g_ptr_array_add (draft->notes,
            g_strdup_printf ("cut off: %u layers after the last that is "
                             "compared",
                n - i - 1));
      break;
    }
  }
  if (network != NULL && names != NULL && find_name (names) != NULL) {
    g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_INVALID,
        "the network has no layer '%s'; its last is '%s'", find_name (names),
        srgan_network_get_layer (
            network, srgan_network_get_n_layers (network) - 1)
            ->name);
    g_clear_pointer (&network, srgan_network_unref);
  }
  g_hash_table_unref (self.names);
  g_free (self.indices);
  return network;
}
