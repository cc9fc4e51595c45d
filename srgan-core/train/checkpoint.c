/* train: where a run stands, on disk: a serialised GVariant of type a{sv}.
 *
 * SPDX-License-Identifier: MIT
 */
#include "train/checkpoint.h"

#include <gio/gio.h>
#include <string.h>

#define FORMAT "srgan-train checkpoint 1"

static void
add_floats (GVariantDict *dict, const gchar *key, const gfloat *values, gsize n)
{
  g_variant_dict_insert_value (dict, key,
      g_variant_new_fixed_array (
          G_VARIANT_TYPE_BYTE, values, n * sizeof (gfloat), 1));
}

gboolean
srgan_checkpoint_save (
    const SrganCheckpoint *checkpoint, const gchar *path, GError **error)
{
  g_auto (GVariantDict) dict = G_VARIANT_DICT_INIT (NULL);
  g_autoptr (GVariant) variant = NULL;
  g_autofree gchar *recipe = srgan_recipe_to_string (checkpoint->recipe, FALSE);
  GError *cause = NULL;

  g_variant_dict_insert (&dict, "format", "s", FORMAT);
  g_variant_dict_insert (&dict, "recipe", "s", recipe);
  g_variant_dict_insert (&dict, "step", "u", checkpoint->step);
  g_variant_dict_insert (&dict, "best", "d", checkpoint->best);
  g_variant_dict_insert (&dict, "stale", "u", checkpoint->stale);
  g_variant_dict_insert (&dict, "n-patches", "u", checkpoint->n_patches);
  add_floats (
      &dict, "parameters", checkpoint->parameters, checkpoint->n_parameters);
  add_floats (&dict, "average", checkpoint->average, checkpoint->n_parameters);
  add_floats (&dict, "state", checkpoint->state, checkpoint->n_state);
  if (checkpoint->rival != NULL) {
    add_floats (&dict, "rival", checkpoint->rival, checkpoint->n_rival);
    add_floats (&dict, "rival-state", checkpoint->rival_state,
        checkpoint->n_rival_state);
  }
  variant = g_variant_ref_sink (g_variant_dict_end (&dict));

  if (!g_file_set_contents_full (path, g_variant_get_data (variant),
          (gssize) g_variant_get_size (variant),
          G_FILE_SET_CONTENTS_CONSISTENT | G_FILE_SET_CONTENTS_DURABLE, 0666,
          &cause)) {
    g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_WRITE,
        "cannot write the checkpoint %s: %s", path, cause->message);
    g_error_free (cause);
    return FALSE;
  }
  return TRUE;
}

static gboolean
get_floats (GVariantDict *dict, const gchar *key, gfloat *values, gsize n)
{
  g_autoptr (GVariant) variant =
      g_variant_dict_lookup_value (dict, key, G_VARIANT_TYPE_BYTESTRING);
  gconstpointer data;
  gsize length;

  if (variant == NULL)
    return FALSE;
  data = g_variant_get_fixed_array (variant, &length, 1);
  if (length != n * sizeof (gfloat))
    return FALSE;
  memcpy (values, data, length);
  return TRUE;
}

/* All settings that can change the result; those that say where things lie and
 * how many threads share the work cannot. */
static const gchar *const harmless[][2] = {
    {"network", "name"},
    {"data", "folder"},
    {"data", "pairs"},
    {"data", "prefetch-threads"},
    {"training", "threads"},
    {"validation", "folder"},
    {"validation", "patience"},
    {"validation", "features"},
    {"validation", "feature-layers"},
};

/* The first setting in which @recipe, as the checkpoint spells it, differs from
 * @wanted, as a text for the user; NULL where there is none. A setting that is
 * younger than the checkpoint had its default then. */
static gchar *
find_difference (const gchar *text, const SrganRecipe *wanted)
{
  g_autoptr (GKeyFile) file = g_key_file_new ();
  g_autoptr (GKeyFile) current = g_key_file_new ();
  g_autoptr (SrganRecipe) recipe = srgan_recipe_new ();
  g_autofree gchar *all = srgan_recipe_to_string (wanted, FALSE);
  g_auto (GStrv) groups = NULL;

  g_key_file_load_from_data (file, text, strlen (text), G_KEY_FILE_NONE, NULL);
  g_key_file_load_from_data (current, all, strlen (all), G_KEY_FILE_NONE, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (harmless); i++)
    g_key_file_remove_key (current, harmless[i][0], harmless[i][1], NULL);
  g_key_file_remove_group (current, "output", NULL);

  groups = g_key_file_get_groups (current, NULL);
  for (guint g = 0; groups[g] != NULL; g++) {
    g_auto (GStrv) keys = g_key_file_get_keys (current, groups[g], NULL, NULL);

    for (guint k = 0; keys[k] != NULL; k++) {
      g_autofree gchar *value =
          g_key_file_get_string (current, groups[g], keys[k], NULL);
      g_autofree gchar *then =
          g_key_file_get_string (file, groups[g], keys[k], NULL);

      /* spelt as today's are, or at the default */
      if (then == NULL ||
          srgan_recipe_set (recipe, groups[g], keys[k], then, NULL)) {
        g_free (then);
        then = srgan_recipe_get (recipe, groups[g], keys[k]);
      }
      if (strcmp (value, then) != 0)
        return g_strdup_printf (
            "its %s.%s is '%s', not '%s'", groups[g], keys[k], then, value);
    }
  }
  return NULL;
}

gboolean
srgan_checkpoint_load (
    SrganCheckpoint *checkpoint, const gchar *path, GError **error)
{
  g_autofree gchar *contents = NULL;
  g_autofree gchar *format = NULL;
  g_autofree gchar *recipe = NULL;
  g_autofree gchar *difference = NULL;
  g_autoptr (GVariant) variant = NULL;
  g_auto (GVariantDict) dict = G_VARIANT_DICT_INIT (NULL);
  gsize length;
  guint n_patches;
  GError *cause = NULL;

  if (!g_file_get_contents (path, &contents, &length, &cause)) {
    g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_READ,
        "cannot read the checkpoint %s: %s", path, cause->message);
    g_error_free (cause);
    return FALSE;
  }
  variant = g_variant_ref_sink (g_variant_new_from_data (
      G_VARIANT_TYPE_VARDICT, contents, length, FALSE, NULL, NULL));
  g_variant_dict_clear (&dict);
  g_variant_dict_init (&dict, variant);
  if (!g_variant_dict_lookup (&dict, "format", "s", &format) ||
      strcmp (format, FORMAT) != 0 ||
      !g_variant_dict_lookup (&dict, "recipe", "s", &recipe) ||
      !g_variant_dict_lookup (&dict, "step", "u", &checkpoint->step) ||
      !g_variant_dict_lookup (&dict, "best", "d", &checkpoint->best)) {
    g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_CORRUPT,
        "%s is not a checkpoint of this program, or is cut short: "
        "remove it to start anew",
        path);
    return FALSE;
  }
  difference = find_difference (recipe, checkpoint->recipe);
  if (difference != NULL) {
    g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_INVALID,
        "the checkpoint %s is of another recipe (%s): remove it to start anew, "
        "or name another file in output.checkpoint",
        path, difference);
    return FALSE;
  }
  /* both younger than the format */
  if (!g_variant_dict_lookup (&dict, "stale", "u", &checkpoint->stale))
    checkpoint->stale = 0;
  if (g_variant_dict_lookup (&dict, "n-patches", "u", &n_patches) &&
      n_patches != checkpoint->n_patches) {
    g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_INVALID,
        "the checkpoint %s is of steps of %u patches, not %u: start as many "
        "processes as then",
        path, n_patches, checkpoint->n_patches);
    return FALSE;
  }
  if (checkpoint->prepare != NULL &&
      !checkpoint->prepare (checkpoint, checkpoint->data, error))
    return FALSE;
  if (!get_floats (&dict, "parameters", checkpoint->parameters,
          checkpoint->n_parameters) ||
      !get_floats (
          &dict, "average", checkpoint->average, checkpoint->n_parameters) ||
      !get_floats (&dict, "state", checkpoint->state, checkpoint->n_state) ||
      (checkpoint->rival != NULL &&
          (!get_floats (
               &dict, "rival", checkpoint->rival, checkpoint->n_rival) ||
              !get_floats (&dict, "rival-state", checkpoint->rival_state,
                  checkpoint->n_rival_state)))) {
    g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_CORRUPT,
        "the checkpoint %s is damaged: remove it to start anew", path);
    return FALSE;
  }
  return TRUE;
}
