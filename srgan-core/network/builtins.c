/* network: the built-in networks: listed, chosen, opened.
 *
 * They are model files in a GResource (see srgan-core/models). Each is read
 * once, when it is first asked for, and kept for the life of the process, so
 * that all streams share one; nothing else is read.
 *
 * SPDX-License-Identifier: MIT
 */
#include "network/builtins.h"

#include "models/srgan-models.h"
#include "network/network-private.h"

#include <pthread.h>
#include <string.h>

#define FOLDER "/org/gst-srgan/models"
#define SUFFIX ".safetensors"
#define DEFAULT_SCALE 2

static const gchar *const presets[] = {
    "nano", "fast", "medium", "high", "ultra", "srgan", NULL};
static const gchar *const tunes[] = {
    "clean", "video", "animation", "detail", NULL};

const gchar *const *
srgan_network_list_presets (void)
{
  return presets;
}

const gchar *const *
srgan_network_list_tunes (void)
{
  return tunes;
}

/* --- Names -------------------------------------------------------------- */

/* @word's place in @words; -1: none. */
static gint
find_word (const gchar *const *words, const gchar *word)
{
  for (gint i = 0; words[i] != NULL; i++)
    if (strcmp (words[i], word) == 0)
      return i;
  return -1;
}

gboolean
srgan_builtin_name_parse (
    const gchar *name, SrganBuiltinName *parsed, GError **error)
{
  g_auto (GStrv) parts = g_strsplit (name, "-", 4);
  guint n_parts = g_strv_length (parts);
  g_autofree gchar *known_presets = g_strjoinv (", ", (gchar **) presets);
  g_autofree gchar *known_tunes = g_strjoinv (", ", (gchar **) tunes);
  gint preset = n_parts > 0 ? find_word (presets, parts[0]) : -1;
  gint tune = n_parts > 1 ? find_word (tunes, parts[1]) : -1;
  guint scale = 0;

  if (n_parts == 3 && parts[2][0] == 'x' && parts[2][1] >= '1' &&
      parts[2][1] <= '0' + SRGAN_MAX_SCALE && parts[2][2] == '\0')
    scale = (guint) (parts[2][1] - '0');
  if (n_parts < 2 || n_parts > 3 || (n_parts == 3 && scale == 0) ||
      preset < 0 || tune < 0) {
    g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_NOT_FOUND,
        "'%s' is no built-in network: that is PRESET-TUNE or "
        "PRESET-TUNE-xSCALE, with a preset of %s and a tune of %s; a model "
        "file is given with a '/' in its path or ends in " SUFFIX,
        name, known_presets, known_tunes);
    return FALSE;
  }
  parsed->preset = (guint) preset;
  parsed->tune = (guint) tune;
  parsed->scale = scale;
  return TRUE;
}

gint
srgan_builtin_name_compare (gconstpointer a, gconstpointer b)
{
  SrganBuiltinName in_a, in_b;

  if (!srgan_builtin_name_parse (*(const gchar *const *) a, &in_a, NULL) ||
      !srgan_builtin_name_parse (*(const gchar *const *) b, &in_b, NULL))
    g_return_val_if_reached (0);
  if (in_a.preset != in_b.preset)
    return in_a.preset < in_b.preset ? -1 : 1;
  if (in_a.tune != in_b.tune)
    return in_a.tune < in_b.tune ? -1 : 1;
  return (gint) in_a.scale - (gint) in_b.scale;
}

/* How far @candidate is from @asked; the lower, the better. */
static guint
get_distance (const SrganBuiltinName *candidate, const SrganBuiltinName *asked)
{
  guint n_presets = G_N_ELEMENTS (presets), n_tunes = G_N_ELEMENTS (tunes);
  guint tune = candidate->tune == asked->tune ? 0 : candidate->tune + 1;

  if (candidate->preset <= asked->preset)
    return tune * n_presets + asked->preset - candidate->preset;
  /* costs more: behind all that do not */
  return n_presets * (n_tunes + 1) + candidate->preset * (n_tunes + 1) + tune;
}

const gchar *
srgan_builtins_choose (const gchar *const *names, const gchar *model,
    guint scale, gchar **note, GError **error)
{
  SrganBuiltinName asked, found = {0};
  const gchar *best = NULL;
  guint best_distance = G_MAXUINT;

  if (note != NULL)
    *note = NULL;
  if (!srgan_builtin_name_parse (model, &asked, error))
    return NULL;
  if (asked.scale != 0 && scale != 0 && asked.scale != scale) {
    g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_INVALID,
        "scale: %u contradicts the network '%s'; leave one of them out", scale,
        model);
    return NULL;
  }
  if (asked.scale == 0)
    asked.scale = scale != 0 ? scale : DEFAULT_SCALE;

  for (guint i = 0; names[i] != NULL; i++) {
    SrganBuiltinName candidate;
    guint distance;

    if (!srgan_builtin_name_parse (names[i], &candidate, NULL) ||
        candidate.scale != asked.scale)
      continue;
    distance = get_distance (&candidate, &asked);
    if (distance < best_distance) {
      best_distance = distance;
      best = names[i];
      found = candidate;
    }
  }
  if (best == NULL) {
    g_autofree gchar *all = g_strjoinv (", ", (gchar **) names);

    g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_NOT_FOUND,
        "scale: no built-in network enlarges %u times; built in are: %s",
        asked.scale, names[0] != NULL ? all : "none");
    return NULL;
  }
  if (best_distance > 0 && note != NULL)
    *note = g_strdup_printf (found.preset <= asked.preset
                                 ? "%s-%s-x%u is not built in; %s is used "
                                   "instead"
                                 : "%s-%s-x%u is not built in, nor is anything "
                                   "that costs as little; %s is used instead",
        presets[asked.preset], tunes[asked.tune], asked.scale, best);
  return best;
}

/* --- What is embedded --------------------------------------------------- */

static pthread_once_t listed = PTHREAD_ONCE_INIT;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* guards networks */
static GPtrArray *builtins;     /* names, sorted, NULL-terminated */
static SrganNetwork **networks; /* one each, NULL until asked for */

static void
list_builtins (void)
{
  g_auto (GStrv) files = g_resource_enumerate_children (
      srgan_models_get_resource (), FOLDER, 0, NULL);

  builtins = g_ptr_array_new ();
  /* no folder: nothing is embedded */
  for (guint i = 0; files != NULL && files[i] != NULL; i++) {
    SrganBuiltinName parsed;
    gchar *name;

    if (!g_str_has_suffix (files[i], SUFFIX))
      continue;
    name = g_strndup (files[i], strlen (files[i]) - strlen (SUFFIX));
    if (srgan_builtin_name_parse (name, &parsed, NULL) && parsed.scale != 0)
      g_ptr_array_add (builtins, name);
    else
      g_free (name);
  }
  g_ptr_array_sort (builtins, srgan_builtin_name_compare);
  networks = g_new0 (SrganNetwork *, builtins->len + 1);
  g_ptr_array_add (builtins, NULL);
}

const gchar *const *
srgan_network_list_builtins (void)
{
  pthread_once (&listed, list_builtins);
  return (const gchar *const *) builtins->pdata;
}

static SrganNetwork *
open_builtin (const gchar *name, GError **error)
{
  gint index = find_word (srgan_network_list_builtins (), name);
  g_autofree gchar *path = g_strconcat (FOLDER "/", name, SUFFIX, NULL);
  SrganNetwork *network;

  pthread_mutex_lock (&mutex);
  if (networks[index] == NULL) {
    g_autoptr (GBytes) bytes =
        g_resource_lookup_data (srgan_models_get_resource (), path,
            G_RESOURCE_LOOKUP_FLAGS_NONE, error);

    if (bytes != NULL)
      networks[index] = srgan_network_load_bytes (bytes, name, error);
  }
  network = networks[index];
  if (network != NULL)
    srgan_network_ref (network);
  pthread_mutex_unlock (&mutex);
  return network;
}

SrganNetwork *
srgan_network_open (
    const gchar *model, guint scale, gchar **note, GError **error)
{
  const gchar *name;

  if (note != NULL)
    *note = NULL;
  if (scale > SRGAN_MAX_SCALE) {
    g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_INVALID,
        "scale: %u is not within 1 to %u, or 0 for the model's own", scale,
        SRGAN_MAX_SCALE);
    return NULL;
  }
  if (strchr (model, '/') != NULL || g_str_has_suffix (model, SUFFIX)) {
    SrganNetwork *network = srgan_network_load (model, error);

    if (network != NULL && scale != 0 &&
        srgan_network_get_scale (network) != scale) {
      g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_INVALID,
          "scale: %u contradicts %s, which enlarges %u times", scale, model,
          srgan_network_get_scale (network));
      g_clear_pointer (&network, srgan_network_unref);
    }
    return network;
  }
  name = srgan_builtins_choose (
      srgan_network_list_builtins (), model, scale, note, error);
  return name != NULL ? open_builtin (name, error) : NULL;
}
