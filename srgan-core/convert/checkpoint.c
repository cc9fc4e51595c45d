/* convert: TensorFlow's checkpoints: an .index with its shards, and the graph
 * that was trained (.meta) where it lies beside them.
 *
 * SPDX-License-Identifier: MIT
 */
#include "convert/architecture.h"
#include "convert/protobuf.h"
#include "convert/tensorflow.h"

#include <string.h>

#define STATE_FILE "checkpoint"
#define STATE_KEY "model_checkpoint_path: \""

/* --- Which file ---------------------------------------------------------- */

/* MetaGraphDef: what it is, a graph, how it is saved, ... */
static gboolean
looks_like_meta (SrganSource *source)
{
  guint found[32];

  return !source->is_folder && source->size > 16 &&
         srgan_protobuf_looks_like (
             source->data, source->size, ".2222222", 256, found) &&
         found[1] == 1 && found[2] == 1;
}

/* The name of the newest checkpoint in a "checkpoint" file, or NULL. */
static gchar *
read_state (SrganSource *source)
{
  gsize length;
  const gchar *text = srgan_source_peek_text (source, 65536, &length);
  g_autofree gchar *copy = NULL;
  gchar *start, *end;

  if (text == NULL || length < strlen (STATE_KEY) ||
      memcmp (text, STATE_KEY, strlen (STATE_KEY)) != 0)
    return NULL;
  copy = g_strndup (text, length);
  start = copy + strlen (STATE_KEY);
  end = strchr (start, '"');
  if (end == NULL)
    return NULL;
  *end = '\0';
  /* written where the model was trained, which is not here */
  return g_path_is_absolute (start) || strchr (start, '\\') != NULL
             ? g_path_get_basename (start)
             : g_strdup (start);
}

gboolean
srgan_detect_checkpoint (SrganSource *source)
{
  g_autofree gchar *name = NULL;

  if (source->is_folder) {
    g_autoptr (SrganSource) state =
        srgan_source_open_beside (source, STATE_FILE, NULL);

    name = state != NULL ? read_state (state) : NULL;
  } else if (srgan_bundle_detect (source) || looks_like_meta (source)) {
    return TRUE;
  } else {
    name = read_state (source);
  }
  return name != NULL;
}

/* The index that @source is or tells of; @stem: its name without the ending. */
static SrganSource *
open_index (SrganSource *source, gchar **stem, GError **error)
{
  g_autoptr (SrganSource) state = NULL;
  g_autofree gchar *name = NULL;
  gchar *dot;

  if (source->is_folder) {
    state = srgan_source_open_beside (source, STATE_FILE, error);
    if (state == NULL)
      return NULL;
    *stem = read_state (state);
  } else {
    *stem = read_state (source);
  }
  if (*stem == NULL) {
    *stem = g_path_get_basename (
        source->path != NULL ? source->path : source->name);
    dot = strrchr (*stem, '.');
    if (dot != NULL &&
        (strcmp (dot, ".index") == 0 || strcmp (dot, ".meta") == 0))
      *dot = '\0';
  }
  if (srgan_bundle_detect (source))
    return srgan_source_new_for_bytes (
        source->bytes, source->name, source->path);
  name = g_strconcat (*stem, ".index", NULL);
  return srgan_source_open_beside (source, name, error);
}

/* --- Without a graph ----------------------------------------------------- */

static GBytes *
load_tensor (gpointer owner, gpointer storage, GError **error)
{
  return srgan_bundle_read_bytes (owner, storage, error);
}

/* What optimizers and programs keep beside the network. */
static gboolean
is_aside (const gchar *key)
{
  static const gchar *const parts[] = {".OPTIMIZER_SLOT", "optimizer/", "/Adam",
      "/Momentum", "/RMSProp", "beta1_power", "beta2_power", "global_step",
      "save_counter", "keras_api/", "_CHECKPOINTABLE"};

  for (guint i = 0; i < G_N_ELEMENTS (parts); i++)
    if (strstr (key, parts[i]) != NULL)
      return TRUE;
  return FALSE;
}

/* TensorFlow's name as a state dict has it: "conv1/kernel" is "conv1.weight".
 */
static gchar *
translate_name (SrganBundle *bundle, const gchar *key)
{
  static const gchar *const words[][2] = {{"kernel", "weight"},
      {"weights", "weight"}, {"W", "weight"}, {"gamma", "weight"},
      {"alpha", "weight"}, {"beta", "bias"}, {"biases", "bias"}, {"b", "bias"},
      {"moving_mean", "running_mean"}, {"moving_variance", "running_var"}};
  const gchar *full_name = srgan_bundle_get_full_name (bundle, key);
  g_autofree gchar *name = g_strdup (full_name != NULL ? full_name : key);
  g_auto (GStrv) parts = NULL;
  gchar *end = strstr (name, "/.ATTRIBUTES");
  guint n;

  if (end != NULL)
    *end = '\0';
  parts = g_strsplit (name, "/", -1);
  n = g_strv_length (parts);
  for (guint i = 0; n > 0 && i < G_N_ELEMENTS (words); i++)
    if (strcmp (parts[n - 1], words[i][0]) == 0) {
      g_free (parts[n - 1]);
      parts[n - 1] = g_strdup (words[i][1]);
    }
  return g_strjoinv (".", parts);
}

/* Adds the tensor, a kernel's axes in a state dict's order. */
static gboolean
add_tensor (
    SrganTensorSet *set, SrganBundle *bundle, const gchar *key, GError **error)
{
  static const guint order[4] = {3, 2, 0, 1};
  const SrganBundleEntry *entry = srgan_bundle_find (bundle, key);
  g_autofree gchar *name = translate_name (bundle, key);
  SrganNamedTensor tensor = {.name = name,
      .n_dimensions = entry->rank,
      .load = load_tensor,
      .owner = bundle,
      .storage = (gpointer) key};
  guint64 strides[SRGAN_GRAPH_MAX_RANK];
  guint64 step = 1;

  if (!srgan_tensorflow_get_dtype (entry->type, &tensor.dtype) ||
      entry->in_parts || srgan_tensor_set_find (set, name) != NULL)
    return TRUE;
  for (guint i = entry->rank; i-- > 0;) {
    strides[i] = step;
    if (entry->dimensions[i] < 0 ||
        (entry->dimensions[i] > 0 && step > SRGAN_NAMED_TENSOR_MAX_NUMBERS /
                                                (guint64) entry->dimensions[i]))
      return srgan_convert_fail (error, SRGAN_ERROR_TOO_LARGE,
          "a tensor of more numbers than any may have");
    step *= (guint64) entry->dimensions[i];
  }
  for (guint i = 0; i < entry->rank; i++) {
    guint from = entry->rank == 4 ? order[i] : i;

    tensor.dimensions[i] = (guint64) entry->dimensions[from];
    tensor.strides[i] = strides[from];
  }
  return srgan_tensor_set_add (set, &tensor, FALSE, error);
}

/* By the names and shapes of its variables, as state dicts are. */
static SrganNetwork *
read_alone (SrganSource *source, SrganBundle *bundle,
    const SrganConvertOptions *options, SrganConvertReport *report,
    GError **error)
{
  g_autoptr (SrganTensorSet) set = srgan_tensor_set_new (NULL, NULL);
  GPtrArray *keys = srgan_bundle_get_keys (bundle);
  SrganNetwork *network;

  for (guint i = 0; i < keys->len; i++)
    if (!is_aside (keys->pdata[i]) &&
        !add_tensor (set, bundle, keys->pdata[i], error))
      return NULL;
  network =
      srgan_architecture_build (set, source->name, options, report, error);
  if (network == NULL)
    g_prefix_error (error,
        "a checkpoint alone has no graph (put the .meta of the same name "
        "beside it, or save the model as a SavedModel); ");
  return network;
}

SrganNetwork *
srgan_read_checkpoint (SrganSource *source, const SrganConvertOptions *options,
    SrganConvertReport *report, GError **error)
{
  g_autofree gchar *stem = NULL;
  g_autofree gchar *meta_name = NULL;
  g_autoptr (SrganSource) index = open_index (source, &stem, error);
  g_autoptr (SrganSource) meta = NULL;
  g_autoptr (SrganBundle) bundle = NULL;
  g_autoptr (GError) reason = NULL;
  SrganNetwork *network = NULL;

  if (index == NULL)
    return NULL;
  bundle = srgan_bundle_open (index, error);
  if (bundle == NULL)
    return NULL;
  meta_name = g_strconcat (stem, ".meta", NULL);
  if (options->architecture == NULL)
    meta = srgan_source_open_beside (source, meta_name, NULL);
  if (meta == NULL)
    return read_alone (source, bundle, options, report, error);
  network =
      srgan_tensorflow_read_training (meta, bundle, options, report, &reason);
  if (network != NULL)
    return network;
  network = read_alone (source, bundle, options, report, error);
  if (network == NULL)
    g_prefix_error (error, "its graph, .meta: %s; ", reason->message);
  return network;
}
