/* network: a network in memory: built layer by layer, then never changed.
 *
 * SPDX-License-Identifier: MIT
 */
#include "network/network-private.h"

#include "base/memory.h"

#include <math.h>
#include <stdatomic.h>
#include <string.h>

struct _SrganNetwork {
  /* C11 rather than GLib's counter, so that ThreadSanitizer sees it */
  atomic_int n_references;
  gchar *name;
  SrganColour colour;
  guint scale;
  gboolean finished;

  SrganLayer source;     /* the network's input, seen as a layer */
  GPtrArray *layers;     /* of SrganLayer */
  GHashTable *positions; /* name -> index + 1 */
  GHashTable *notes;

  SrganPrecision precision;
  guint64 n_parameters;
  gdouble multiply_adds;
  guint reach;
};

/* --- Layers ------------------------------------------------------------- */

static void
free_layer (gpointer data)
{
  SrganLayer *layer = data;

  for (guint i = 0; i < SRGAN_N_TENSORS; i++)
    srgan_aligned_free ((gpointer) *srgan_layer_get_tensor (layer, i));
  g_free (layer->name);
  g_free (layer);
}

static SrganLayer *
get_layer (SrganNetwork *network, guint index)
{
  return g_ptr_array_index (network->layers, index);
}

static const SrganLayer *
get_input (SrganNetwork *network, gint index)
{
  return index == SRGAN_INPUT_NETWORK ? &network->source
                                      : get_layer (network, (guint) index);
}

static gboolean
is_layer_name (const gchar *name)
{
  if (name == NULL || *name == '\0' || strlen (name) > SRGAN_MAX_NAME_LENGTH)
    return FALSE;
  for (; *name != '\0'; name++)
    if (!g_ascii_isalnum (*name) && *name != '_' && *name != '-')
      return FALSE;
  return TRUE;
}

gboolean
srgan_network_infer_layer (
    SrganNetwork *network, SrganLayer *layer, GError **error)
{
  const SrganLayer *inputs[SRGAN_LAYER_MAX_INPUTS];

  if (!is_layer_name (layer->name) || g_str_equal (layer->name, "input")) {
    g_autofree gchar *printable =
        g_strescape (layer->name != NULL ? layer->name : "", NULL);

    g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_INVALID,
        "name: '%.80s' is none; 1 to %u of A-Z a-z 0-9 _ - are, 'input' is "
        "taken",
        printable, SRGAN_MAX_NAME_LENGTH);
    return FALSE;
  }
  if (g_hash_table_contains (network->positions, layer->name)) {
    g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_INVALID,
        "layer '%s': name: another layer has it", layer->name);
    return FALSE;
  }
  if (network->layers->len >= SRGAN_MAX_LAYERS) {
    g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_INVALID,
        "layer '%s': more than %u layers", layer->name, SRGAN_MAX_LAYERS);
    return FALSE;
  }
  for (guint i = 0; i < MIN (layer->n_inputs, SRGAN_LAYER_MAX_INPUTS); i++) {
    if (layer->inputs[i] != SRGAN_INPUT_NETWORK &&
        (layer->inputs[i] < 0 ||
            (guint) layer->inputs[i] >= network->layers->len)) {
      g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_INVALID,
          "layer '%s': inputs: number %u is not an earlier layer", layer->name,
          i + 1);
      return FALSE;
    }
    inputs[i] = get_input (network, layer->inputs[i]);
  }
  if (!srgan_layer_infer (layer, inputs, error)) {
    g_prefix_error (error, "layer '%s': ", layer->name);
    return FALSE;
  }
  return TRUE;
}

/* What tensors for int8 may hold; a sound step times 255 is a sound float. */
static const gchar *
judge_number (SrganTensor tensor, gfloat number)
{
  switch (tensor) {
  case SRGAN_TENSOR_OUTPUT_STEP:
  case SRGAN_TENSOR_WEIGHT_STEP:
    if (!(number >= 1e-30f && number <= 1e30f))
      return "is no step: 1e-30 to 1e30 is";
    break;
  case SRGAN_TENSOR_WEIGHT_CODE:
    if (number != rintf (number) || !(fabsf (number) <= 127.f))
      return "is no code: a whole number from -127 to 127 is";
    break;
  default:
    break;
  }
  return NULL;
}

static gboolean
check_numbers (SrganLayer *layer, SrganTensor tensor, GError **error)
{
  const gfloat *numbers = *srgan_layer_get_tensor (layer, tensor);
  SrganTensorShape shape;
  guint64 n;

  srgan_layer_get_tensor_shape (layer, tensor, &shape);
  n = numbers != NULL ? srgan_tensor_shape_get_n (&shape) : 0;
  for (guint64 i = 0; i < n; i++) {
    const gchar *wrong = isnan (numbers[i]) ? "is not a number"
                         : !isfinite (numbers[i])
                             ? "is infinite"
                             : judge_number (tensor, numbers[i]);

    if (wrong != NULL) {
      g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_INVALID,
          "layer '%s': %s: number %" G_GUINT64_FORMAT " %s", layer->name,
          srgan_tensor_to_string (tensor), i, wrong);
      return FALSE;
    }
  }
  return TRUE;
}

/* Whether what the layer has for int8 makes sense together. */
static gboolean
check_quantisation (
    SrganNetwork *network, const SrganLayer *layer, GError **error)
{
  const gchar *wrong = NULL;

  if (layer->output_step == NULL && layer->output_zero != 0)
    wrong = "output_zero: is given without output_step";
  else if (layer->weight_code != NULL && layer->weight_step == NULL)
    wrong = "weight_code: is given without weight_step";
  else if (layer->weight_step != NULL &&
           get_input (network, layer->inputs[0])->output_step == NULL)
    wrong = "weight_step: the map that it reads has no output_step";
  if (wrong == NULL)
    return TRUE;
  g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_INVALID, "layer '%s': %s",
      layer->name, wrong);
  return FALSE;
}

/* Puts a checked copy in memory of our own in the tensor's place. */
static gboolean
copy_tensor (SrganLayer *layer, SrganTensor tensor, GError **error)
{
  const gfloat **place = srgan_layer_get_tensor (layer, tensor);
  const gfloat *given = *place;
  SrganTensorShape shape;
  gfloat *copy;
  guint64 n;

  *place = NULL;
  srgan_layer_get_tensor_shape (layer, tensor, &shape);
  n = srgan_tensor_shape_get_n (&shape);
  if (n == 0)
    return TRUE; /* not one of this operation's */
  if (given == NULL) {
    if (!shape.required)
      return TRUE;
    g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_INVALID,
        "layer '%s': %s: is missing", layer->name,
        srgan_tensor_to_string (tensor));
    return FALSE;
  }
  copy = srgan_aligned_alloc (n, sizeof *copy);
  if (copy == NULL) {
    g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_TOO_LARGE,
        "layer '%s': %s: no memory for %" G_GUINT64_FORMAT " numbers",
        layer->name, srgan_tensor_to_string (tensor), n);
    return FALSE;
  }
  memcpy (copy, given, n * sizeof *copy);
  *place = copy;
  return check_numbers (layer, tensor, error);
}

gint
srgan_network_add_layer (
    SrganNetwork *network, const SrganLayer *layer, GError **error)
{
  SrganLayer described = *layer;
  SrganLayer *copy;

  g_return_val_if_fail (!network->finished, -1);

  if (!srgan_network_infer_layer (network, &described, error))
    return -1;

  /* From here on owned: what has been copied is freed with it. */
  copy = g_new (SrganLayer, 1);
  *copy = described;
  copy->name = g_strdup (described.name);
  for (guint i = 0; i < SRGAN_N_TENSORS; i++)
    *srgan_layer_get_tensor (copy, i) = NULL;
  for (guint i = 0; i < SRGAN_N_TENSORS; i++) {
    const gfloat **place = srgan_layer_get_tensor (copy, i);

    *place = *srgan_layer_get_tensor (&described, i);
    if (!copy_tensor (copy, i, error)) {
      free_layer (copy);
      return -1;
    }
  }
  if (!check_quantisation (network, copy, error)) {
    free_layer (copy);
    return -1;
  }
  g_ptr_array_add (network->layers, copy);
  g_hash_table_insert (
      network->positions, copy->name, GUINT_TO_POINTER (network->layers->len));
  return (gint) network->layers->len - 1;
}

/* --- Batch norm --------------------------------------------------------- */

/* Multiplies channel @channel of what @layer gives by @factor. */
static void
scale_channel (SrganLayer *layer, guint channel, gdouble factor)
{
  gfloat *weight = (gfloat *) layer->weight;
  SrganTensorShape shape;
  gsize n_each;

  srgan_layer_get_tensor_shape (layer, SRGAN_TENSOR_WEIGHT, &shape);
  if (layer->operation == SRGAN_OPERATION_TRANSPOSED_CONV) {
    /* [in][out / groups][ky][kx]: group g's inputs give group g's outputs */
    guint in_each = layer->in_channels / layer->groups;
    guint out_each = layer->out_channels / layer->groups;
    guint group = channel / out_each;

    n_each = (gsize) layer->kernel_width * layer->kernel_height;
    for (guint i = group * in_each; i < (group + 1) * in_each; i++)
      for (gsize j = 0; j < n_each; j++)
        weight[((gsize) i * out_each + channel % out_each) * n_each + j] *=
            factor;
    return;
  }
  n_each = srgan_tensor_shape_get_n (&shape) / layer->out_channels;
  for (gsize i = 0; i < n_each; i++)
    weight[channel * n_each + i] *= factor;
}

static guint
count_readers (SrganNetwork *network, gint index)
{
  guint n = 0;

  for (guint i = 0; i < network->layers->len; i++)
    for (guint j = 0; j < get_layer (network, i)->n_inputs; j++)
      n += get_layer (network, i)->inputs[j] == index;
  return n;
}

static gboolean
can_take_factors (const SrganLayer *layer)
{
  return (layer->operation == SRGAN_OPERATION_CONV ||
             layer->operation == SRGAN_OPERATION_TRANSPOSED_CONV ||
             layer->operation == SRGAN_OPERATION_LINEAR) &&
         layer->activation == SRGAN_ACTIVATION_NONE;
}

/* The depthwise 1x1 convolution by ones that can take @norm in. */
static SrganLayer *
make_identity (const SrganLayer *norm)
{
  guint n = norm->in_channels;
  SrganLayer *layer = g_new0 (SrganLayer, 1);
  gfloat *weight = srgan_aligned_alloc (n, sizeof *weight);

  layer->name = g_strdup (norm->name);
  layer->operation = SRGAN_OPERATION_CONV;
  layer->n_inputs = 1;
  layer->inputs[0] = norm->inputs[0];
  layer->in_channels = layer->out_channels = layer->groups = n;
  layer->kernel_width = layer->kernel_height = layer->stride = 1;
  layer->scale_up = norm->scale_up;
  layer->scale_down = norm->scale_down;
  layer->lost_width = norm->lost_width;
  layer->lost_height = norm->lost_height;
  for (guint i = 0; i < n && weight != NULL; i++)
    weight[i] = 1.f;
  layer->weight = weight;
  return layer;
}

/* Takes layer @index, a batch-norm, into the convolution before it, which moves
 * to its place; or else, say after an activation, makes it the depthwise 1x1
 * convolution that it is (Ioffe & Szegedy 2015, section 3.1). */
static gboolean
fold_batch_norm (SrganNetwork *network, guint index, GError **error)
{
  SrganLayer *norm = get_layer (network, index);
  const gfloat *gain = norm->weight;
  const gfloat *offset = gain + norm->in_channels;
  const gfloat *mean = offset + norm->in_channels;
  const gfloat *variance = mean + norm->in_channels;
  gdouble epsilon = norm->activation_low;
  guint n = norm->in_channels;
  gint before = norm->inputs[0];
  gboolean merges;
  SrganLayer *target;
  gfloat *bias;

  for (guint i = 0; i < n; i++)
    if (!(variance[i] + epsilon > 0.)) {
      g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_INVALID,
          "layer '%s': weight: the variance of channel %u is %g, epsilon %g",
          norm->name, i, variance[i], epsilon);
      return FALSE;
    }

  merges = before != SRGAN_INPUT_NETWORK &&
           can_take_factors (get_layer (network, (guint) before)) &&
           count_readers (network, before) == 1;
  if (!merges && norm->scale_up == 0) {
    g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_UNSUPPORTED,
        "layer '%s': operation: a batch-norm of a 1x1 map is supported right "
        "after a linear layer only",
        norm->name);
    return FALSE;
  }
  target = merges ? get_layer (network, (guint) before) : make_identity (norm);
  bias = srgan_aligned_alloc (n, sizeof *bias);
  if (bias == NULL || target->weight == NULL) {
    g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_TOO_LARGE,
        "layer '%s': no memory to fold it", norm->name);
    srgan_aligned_free (bias);
    if (!merges)
      free_layer (target);
    return FALSE;
  }
  if (target->bias != NULL) {
    memcpy (bias, target->bias, n * sizeof *bias);
    srgan_aligned_free ((gpointer) target->bias);
  }
  target->bias = bias;
  for (guint i = 0; i < n; i++) {
    gdouble factor = gain[i] / sqrt (variance[i] + epsilon);

    scale_channel (target, i, factor);
    bias[i] = (gfloat) ((bias[i] - mean[i]) * factor + offset[i]);
  }

  /* The target takes the batch-norm's place; where it was, a gap closes. */
  network->layers->pdata[index] = target;
  free_layer (norm);
  if (merges) {
    g_ptr_array_set_free_func (network->layers, NULL);
    g_ptr_array_remove_index (network->layers, (guint) before);
    g_ptr_array_set_free_func (network->layers, free_layer);
    for (guint i = 0; i < network->layers->len; i++) {
      SrganLayer *layer = get_layer (network, i);

      for (guint j = 0; j < layer->n_inputs; j++)
        if (layer->inputs[j] > before)
          layer->inputs[j]--;
    }
  }

  /* Folding may overflow where neither part did. */
  for (guint i = 0; i < SRGAN_N_TENSORS; i++)
    if (!check_numbers (target, i, error))
      return FALSE;
  return TRUE;
}

static void
index_names (SrganNetwork *network)
{
  g_hash_table_remove_all (network->positions);
  for (guint i = 0; i < network->layers->len; i++)
    g_hash_table_insert (network->positions, get_layer (network, i)->name,
        GUINT_TO_POINTER (i + 1));
}

/* --- The whole ---------------------------------------------------------- */

G_DEFINE_BOXED_TYPE (
    SrganNetwork, srgan_network, srgan_network_ref, srgan_network_unref)

SrganNetwork *
srgan_network_new (const gchar *name, SrganColour colour, guint scale)
{
  SrganNetwork *network = g_new0 (SrganNetwork, 1);

  atomic_init (&network->n_references, 1);
  network->name = g_strdup (name);
  network->colour = colour;
  network->scale = scale;
  network->source.out_channels = colour == SRGAN_COLOUR_Y ? 1 : 3;
  network->source.scale_up = 1;
  network->source.scale_down = 1;
  network->layers = g_ptr_array_new_with_free_func (free_layer);
  network->positions = g_hash_table_new (g_str_hash, g_str_equal);
  network->notes =
      g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  return network;
}

SrganNetwork *
srgan_network_new_like (SrganNetwork *network)
{
  SrganNetwork *copy =
      srgan_network_new (network->name, network->colour, network->scale);
  GHashTableIter iter;
  gpointer key, value;

  g_hash_table_iter_init (&iter, network->notes);
  while (g_hash_table_iter_next (&iter, &key, &value))
    srgan_network_set_note (copy, key, value);
  return copy;
}

SrganNetwork *
srgan_network_ref (SrganNetwork *network)
{
  atomic_fetch_add_explicit (&network->n_references, 1, memory_order_relaxed);
  return network;
}

void
srgan_network_unref (SrganNetwork *network)
{
  if (atomic_fetch_sub_explicit (
          &network->n_references, 1, memory_order_acq_rel) > 1)
    return;
  g_hash_table_unref (network->notes);
  g_hash_table_unref (network->positions);
  g_ptr_array_unref (network->layers);
  g_free (network->name);
  g_free (network);
}

gboolean
srgan_network_name_is_valid (const gchar *name)
{
  if (name == NULL || *name == '\0' || strlen (name) > SRGAN_MAX_NAME_LENGTH ||
      !g_utf8_validate (name, -1, NULL))
    return FALSE;
  for (; *name != '\0'; name = g_utf8_next_char (name))
    if (!g_unichar_isprint (g_utf8_get_char (name)))
      return FALSE;
  return TRUE;
}

gboolean
srgan_network_note_is_valid (const gchar *key, const gchar *value)
{
  if (*key == '\0' || strlen (key) > SRGAN_MAX_NAME_LENGTH)
    return FALSE;
  for (; *key != '\0'; key++)
    if (!g_ascii_islower (*key) && !g_ascii_isdigit (*key) && *key != '-')
      return FALSE;
  return value == NULL || (strlen (value) <= SRGAN_MAX_NOTE_LENGTH &&
                              g_utf8_validate (value, -1, NULL));
}

void
srgan_network_set_note (
    SrganNetwork *network, const gchar *key, const gchar *value)
{
  g_return_if_fail (!network->finished);
  g_return_if_fail (srgan_network_note_is_valid (key, value));

  if (value == NULL)
    g_hash_table_remove (network->notes, key);
  else
    g_hash_table_insert (network->notes, g_strdup (key), g_strdup (value));
}

gboolean
srgan_network_gives_features (SrganNetwork *network)
{
  const gchar *ends = g_hash_table_lookup (network->notes, "ends");

  return ends != NULL && strcmp (ends, "features") == 0;
}

static gboolean
check_ends (SrganNetwork *network, GError **error)
{
  const SrganLayer *last;

  if (!srgan_network_name_is_valid (network->name)) {
    g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_INVALID,
        "name: 1 to %u printable bytes of UTF-8 are needed",
        SRGAN_MAX_NAME_LENGTH);
    return FALSE;
  }
  if ((guint) network->colour >= SRGAN_N_COLOURS) {
    g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_INVALID,
        "colour: %u is no such thing", (guint) network->colour);
    return FALSE;
  }
  if (network->scale < 1 || network->scale > SRGAN_MAX_SCALE) {
    g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_INVALID,
        "scale: %u is not within 1 to %u", network->scale, SRGAN_MAX_SCALE);
    return FALSE;
  }
  if (network->layers->len == 0) {
    g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_INVALID, "layers: is empty");
    return FALSE;
  }
  if (srgan_network_gives_features (network))
    return TRUE;
  last = get_layer (network, network->layers->len - 1);
  if (last->out_channels != network->source.out_channels) {
    g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_INVALID,
        "layer '%s': gives %u channels; the output of a network of colour %s "
        "has %u",
        last->name, last->out_channels,
        srgan_colour_to_string (network->colour), network->source.out_channels);
    return FALSE;
  }
  if (last->scale_up != network->scale || last->scale_down != 1) {
    g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_INVALID,
        "layer '%s': gives %u/%u times the input's size, not the network's "
        "scale, %u",
        last->name, last->scale_up, last->scale_down, network->scale);
    return FALSE;
  }
  return TRUE;
}

/* Sums up; from the last layer back to the input. */
static gboolean
measure (SrganNetwork *network, GError **error)
{
  guint n_layers = network->layers->len;
  g_autofree guint *reaches = g_new0 (guint, n_layers);
  g_autofree gboolean *used = g_new0 (gboolean, n_layers);

  used[n_layers - 1] = TRUE;
  for (guint i = n_layers; i-- > 0;) {
    const SrganLayer *layer = get_layer (network, i);
    const SrganLayer *inputs[SRGAN_LAYER_MAX_INPUTS];
    guint reach;

    for (guint j = 0; j < layer->n_inputs; j++)
      inputs[j] = get_input (network, layer->inputs[j]);
    reach = srgan_layer_get_reach (layer, inputs, reaches[i]);
    if (!used[i]) {
      g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_INVALID,
          "layer '%s': the output does not depend on it", layer->name);
      return FALSE;
    }
    for (guint j = 0; j < layer->n_inputs; j++) {
      gint input = layer->inputs[j];

      if (input == SRGAN_INPUT_NETWORK) {
        network->reach = MAX (network->reach, reach);
      } else {
        reaches[input] = MAX (reaches[input], reach);
        used[input] = TRUE;
      }
    }
    network->multiply_adds += srgan_layer_get_multiply_adds (layer);
    for (guint j = 0; j < SRGAN_N_TENSORS; j++)
      if (srgan_tensor_is_parameter (j) &&
          *srgan_layer_get_tensor ((SrganLayer *) layer, j) != NULL) {
        SrganTensorShape shape;

        srgan_layer_get_tensor_shape (layer, j, &shape);
        network->n_parameters += srgan_tensor_shape_get_n (&shape);
      }
  }
  return TRUE;
}

/* What only the whole shows: who reads a map with steps, and that no layer
 * will be folded into another whose codes then would be wrong. */
static gboolean
check_steps (SrganNetwork *network, GError **error)
{
  for (guint i = 0; i < network->layers->len; i++)
    if (get_layer (network, i)->output_step != NULL)
      network->precision = SRGAN_PRECISION_INT8;
  if (network->precision != SRGAN_PRECISION_INT8)
    return TRUE;
  for (guint i = 0; i < network->layers->len; i++) {
    const SrganLayer *layer = get_layer (network, i);

    if (layer->operation == SRGAN_OPERATION_BATCH_NORM) {
      g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_INVALID,
          "layer '%s': operation: a batch-norm cannot be in a network that has "
          "been quantised; it has to be folded before",
          layer->name);
      return FALSE;
    }
    for (guint j = 0;
         layer->operation != SRGAN_OPERATION_CONV && j < layer->n_inputs; j++) {
      const SrganLayer *input = get_input (network, layer->inputs[j]);

      for (guint c = 1; input->output_step != NULL && c < input->out_channels;
           c++)
        if (input->output_step[c] != input->output_step[0]) {
          g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_INVALID,
              "layer '%s': output_step: is not the same for all channels, "
              "though layer '%s', no convolution, reads it",
              input->name, layer->name);
          return FALSE;
        }
    }
  }
  return TRUE;
}

gboolean
srgan_network_finish (SrganNetwork *network, GError **error)
{
  gboolean folded = TRUE;

  g_return_val_if_fail (!network->finished, FALSE);

  network->precision = SRGAN_PRECISION_FP32;
  if (!check_ends (network, error) || !check_steps (network, error))
    return FALSE;
  for (guint i = 0; i < network->layers->len && folded;) {
    guint n_layers = network->layers->len;

    if (get_layer (network, i)->operation == SRGAN_OPERATION_BATCH_NORM)
      folded = fold_batch_norm (network, i, error);
    /* one less: the next layer has moved here */
    if (network->layers->len == n_layers)
      i++;
  }
  index_names (network);
  if (!folded)
    return FALSE;
  network->n_parameters = 0;
  network->multiply_adds = 0.;
  network->reach = 0;
  if (!measure (network, error))
    return FALSE;
  network->finished = TRUE;
  return TRUE;
}

gboolean
srgan_network_is_finished (SrganNetwork *network)
{
  return network->finished;
}

/* --- Asking it ---------------------------------------------------------- */

const gchar *
srgan_network_get_name (SrganNetwork *network)
{
  return network->name;
}

SrganColour
srgan_network_get_colour (SrganNetwork *network)
{
  return network->colour;
}

guint
srgan_network_get_scale (SrganNetwork *network)
{
  return network->scale;
}

guint
srgan_network_get_n_layers (SrganNetwork *network)
{
  return network->layers->len;
}

const SrganLayer *
srgan_network_get_layer (SrganNetwork *network, guint index)
{
  g_return_val_if_fail (index < network->layers->len, NULL);
  return get_layer (network, index);
}

gint
srgan_network_find_layer (SrganNetwork *network, const gchar *name)
{
  return GPOINTER_TO_INT (g_hash_table_lookup (network->positions, name)) - 1;
}

guint64
srgan_network_get_n_parameters (SrganNetwork *network)
{
  return network->n_parameters;
}

gdouble
srgan_network_get_multiply_adds (SrganNetwork *network)
{
  return network->multiply_adds;
}

guint
srgan_network_get_reach (SrganNetwork *network)
{
  return network->reach;
}

SrganPrecision
srgan_network_get_precision (SrganNetwork *network)
{
  return network->precision;
}

gboolean
srgan_network_get_loss (
    SrganNetwork *network, SrganPrecision precision, gdouble *loss)
{
  g_autofree gchar *key =
      g_strconcat (srgan_precision_to_string (precision), "-loss", NULL);
  const gchar *note = srgan_network_get_note (network, key);
  gchar *end = NULL;

  *loss = 0.;
  if (precision == SRGAN_PRECISION_FP32)
    return TRUE;
  if (note == NULL)
    return FALSE;
  /* a number, and perhaps what it was measured on behind it */
  *loss = g_ascii_strtod (note, &end);
  return end != note && (*end == '\0' || *end == ' ') && isfinite (*loss);
}

const gchar *
srgan_network_get_note (SrganNetwork *network, const gchar *key)
{
  return g_hash_table_lookup (network->notes, key);
}

static gint
compare_strings (gconstpointer a, gconstpointer b)
{
  return strcmp (*(const gchar *const *) a, *(const gchar *const *) b);
}

gchar **
srgan_network_list_notes (SrganNetwork *network)
{
  GPtrArray *keys = g_ptr_array_new ();
  GHashTableIter iter;
  gpointer key;

  g_hash_table_iter_init (&iter, network->notes);
  while (g_hash_table_iter_next (&iter, &key, NULL))
    g_ptr_array_add (keys, g_strdup (key));
  g_ptr_array_sort (keys, compare_strings);
  g_ptr_array_add (keys, NULL);
  return (gchar **) g_ptr_array_free (keys, FALSE);
}
