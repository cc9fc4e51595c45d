/* convert: Keras' weights by layer and name, in the ways in which files keep
 * them.
 *
 * SPDX-License-Identifier: MIT
 */
#include "convert/keras.h"

#include <string.h>

struct _SrganKerasWeights {
  SrganHdf5 *file; /* or: */
  SrganTensorSet *set;
  const gchar *root;
  gboolean by_class; /* Keras 3's way */
};

static gchar *
join (const gchar *path, const gchar *name)
{
  return *path != '\0' ? g_strconcat (path, "/", name, NULL) : g_strdup (name);
}

SrganKerasWeights *
srgan_keras_weights_new_for_file (SrganHdf5 *file, const gchar *root)
{
  SrganKerasWeights *weights = g_new0 (SrganKerasWeights, 1);
  g_autoptr (GPtrArray) names = srgan_hdf5_get_list (file, root, "layer_names");

  weights->file = file;
  weights->root = root;
  weights->by_class = names == NULL;
  return weights;
}

SrganKerasWeights *
srgan_keras_weights_new_for_set (SrganTensorSet *set)
{
  SrganKerasWeights *weights = g_new0 (SrganKerasWeights, 1);

  weights->set = set;
  return weights;
}

void
srgan_keras_weights_free (SrganKerasWeights *weights)
{
  g_free (weights);
}

/* --- By name ------------------------------------------------------------- */

/* Whether "model/conv2d/kernel:0" is layer @layer's variable; of any layer
 * where that is NULL. Keras 1 writes "convolution2d_1_W:0". */
static gboolean
is_variable (const gchar *path, const gchar *layer, const gchar *const *names)
{
  g_auto (GStrv) parts = g_strsplit (path, "/", -1);
  guint n = g_strv_length (parts);
  gchar *last, *end;

  if (n == 0 || (layer != NULL && (n < 2 || strcmp (parts[n - 2], layer) != 0)))
    return FALSE;
  last = parts[n - 1];
  end = strchr (last, ':');
  if (end != NULL)
    *end = '\0';
  for (; *names != NULL; names++) {
    gsize length = strlen (*names);

    if (g_str_has_prefix (last, *names) &&
        (last[length] == '\0' ||
            (last[length] == '_' && g_ascii_isdigit (last[length + 1]))))
      return TRUE;
    if (g_str_has_suffix (last, *names) && strlen (last) > length &&
        last[strlen (last) - length - 1] == '_')
      return TRUE;
  }
  return FALSE;
}

static SrganNamedTensor *
find_by_name (SrganKerasWeights *weights, const SrganKerasPlace *place,
    const gchar *const *names)
{
  const SrganKerasPlace *outermost = place;
  g_autofree gchar *group = NULL;
  g_autoptr (GPtrArray) list = NULL;

  if (weights->set != NULL) {
    for (guint i = 0; i < weights->set->tensors->len; i++) {
      SrganNamedTensor *tensor = g_ptr_array_index (weights->set->tensors, i);

      if (is_variable (tensor->name, place->name, names))
        return tensor;
    }
    return NULL;
  }
  while (outermost->outer != NULL)
    outermost = outermost->outer;
  group = join (weights->root, outermost->name);
  list = srgan_hdf5_get_list (weights->file, group, "weight_names");
  for (guint i = 0; list != NULL && i < list->len; i++) {
    const gchar *name = g_ptr_array_index (list, i);
    g_autofree gchar *path = NULL;

    /* all that the group of a layer by itself holds is that layer's */
    if (!is_variable (name, place == outermost ? NULL : place->name, names))
      continue;
    path = join (group, name);
    return srgan_tensor_set_find (weights->file->tensors, path);
  }
  return NULL;
}

/* --- By class ------------------------------------------------------------ */

/* "Conv2DTranspose" -> "conv2d_transpose", as keras/utils/naming.py does */
static gchar *
to_snake_case (const gchar *name)
{
  GString *text = g_string_new (NULL);

  for (const gchar *c = name; *c != '\0'; c++) {
    gboolean capital = g_ascii_isupper (*c);

    if (!g_ascii_isalnum (*c) && *c != '_')
      continue;
    if (c > name && capital &&
        (g_ascii_islower (c[1]) || g_ascii_islower (c[-1])) && c[-1] != '_')
      g_string_append_c (text, '_');
    g_string_append_c (text, g_ascii_tolower (*c));
  }
  return g_string_free (text, FALSE);
}

typedef struct {
  const gchar *path;
  guint64 number;
} Numbered;

static gint
compare_numbered (gconstpointer a, gconstpointer b)
{
  const Numbered *x = a, *y = b;

  return x->number < y->number ? -1 : x->number > y->number;
}

/* The group of @place in @container, whose groups are named "conv2d",
 * "conv2d_1", ...; some versions leave numbers out. */
static const gchar *
find_group (
    SrganHdf5 *file, const gchar *container, const SrganKerasPlace *place)
{
  g_autofree gchar *snake = to_snake_case (place->class_name);
  g_autofree gchar *prefix = g_strconcat (container, "/", NULL);
  g_autoptr (GArray) found = g_array_new (FALSE, FALSE, sizeof (Numbered));
  gsize length = strlen (snake);
  const gchar *named = NULL;

  for (guint i = 0; i < file->groups->len; i++) {
    const gchar *path = g_ptr_array_index (file->groups, i);
    const gchar *last;
    Numbered group = {path, 0};

    if (!g_str_has_prefix (path, prefix))
      continue;
    last = path + strlen (prefix);
    if (strchr (last, '/') != NULL)
      continue;
    if (strcmp (last, place->name) == 0)
      named = path;
    if (!g_str_has_prefix (last, snake))
      continue;
    if (last[length] == '_' && g_ascii_isdigit (last[length + 1])) {
      gchar *end;

      group.number = g_ascii_strtoull (last + length + 1, &end, 10);
      if (*end != '\0')
        continue;
    } else if (last[length] != '\0') {
      continue;
    }
    g_array_append_val (found, group);
  }
  g_array_sort (found, compare_numbered);
  if (place->number < found->len)
    return g_array_index (found, Numbered, place->number).path;
  return named;
}

/* The path of the group that holds the layers of the model @place is in. */
static const gchar *
find_place (SrganKerasWeights *weights, const SrganKerasPlace *place)
{
  static const gchar *const containers[] = {
      "layers", "_layer_checkpoint_dependencies"};
  const gchar *outer =
      place->outer != NULL ? find_place (weights, place->outer) : weights->root;

  for (guint i = 0; outer != NULL && i < G_N_ELEMENTS (containers); i++) {
    g_autofree gchar *container = join (outer, containers[i]);
    const gchar *group = find_group (weights->file, container, place);

    if (group != NULL)
      return group;
  }
  return NULL;
}

/* --- Either -------------------------------------------------------------- */

SrganConstant *
srgan_keras_weights_find (SrganKerasWeights *weights,
    const SrganKerasPlace *place, const gchar *const *names, guint number,
    GError **error)
{
  SrganNamedTensor *tensor = NULL;
  gint64 dimensions[SRGAN_NAMED_TENSOR_MAX_DIMENSIONS];
  g_autoptr (GBytes) bytes = NULL;
  g_autofree gfloat *numbers = NULL;
  gsize n;

  if (weights->by_class) {
    const gchar *group = find_place (weights, place);

    if (group != NULL)
      tensor = srgan_tensor_set_findf (
          weights->file->tensors, "%s/vars/%u", group, number);
  } else {
    tensor = find_by_name (weights, place, names);
  }
  if (tensor == NULL)
    return NULL;
  for (guint i = 0; i < tensor->n_dimensions; i++)
    dimensions[i] = (gint64) tensor->dimensions[i];
  n = (gsize) srgan_named_tensor_get_n (tensor);
  if (tensor->dtype == SRGAN_DTYPE_FLOAT32 && tensor->offset == 0 &&
      G_BYTE_ORDER == G_LITTLE_ENDIAN) {
    bytes = tensor->load (tensor->owner, tensor->storage, error);
    if (bytes == NULL)
      return NULL;
    if (g_bytes_get_size (bytes) == n * sizeof (gfloat) &&
        GPOINTER_TO_SIZE (g_bytes_get_data (bytes, NULL)) % sizeof (gfloat) ==
            0) {
      tensor->used = TRUE;
      return srgan_constant_new_shared (tensor->n_dimensions, dimensions, n,
          g_bytes_get_data (bytes, NULL), bytes);
    }
  }
  {
    SrganConstant *constant;
    gfloat *to;

    numbers = srgan_named_tensor_get_floats (tensor, error);
    if (numbers == NULL)
      return NULL;
    constant =
        srgan_constant_new_numbers (tensor->n_dimensions, dimensions, n, &to);
    memcpy (to, numbers, n * sizeof *to);
    return constant;
  }
}
