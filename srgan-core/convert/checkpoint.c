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

static SrganNetwork *
read_alone (SrganSource *source, SrganBundle *bundle,
    const SrganConvertOptions *options, SrganConvertReport *report,
    GError **error)
{
  srgan_convert_unsupported (error,
      "a checkpoint alone has no graph: put the .meta of the same name beside "
      "it, or save the model as a SavedModel");
  return NULL;
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
