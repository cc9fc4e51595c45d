/* convert: what torch.save() writes: a zip archive, or, until 2020, pickles and
 * numbers one after the other.
 *
 * Both hold a pickle of whatever was saved, in which tensors are calls of
 * torch._utils._rebuild_tensor_v2 (storage, offset, size, stride, ...) and
 * storages are persistent identities ('storage', type, key, place, number).
 * See torch/serialization.py. In it we look for dicts of tensors (state dicts)
 * and for modules, whose _parameters, _buffers and _modules make one.
 *
 * SPDX-License-Identifier: MIT
 */
#include "convert/architecture.h"
#include "convert/archive.h"
#include "convert/pickle.h"

#include <string.h>

/* What a pickle may ask to be called. We call none: the first few we know the
 * meaning of, of the others only the name is kept. */
static const gchar *const callables[] = {"torch._utils._rebuild_tensor",
    "torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_parameter",
    "torch._utils._rebuild_parameter_with_state",
    "torch._tensor._rebuild_from_type_v2", "collections.OrderedDict",
    "collections.defaultdict", "collections.Counter", "copyreg._reconstructor",
    "copy_reg._reconstructor", "builtins.set", "builtins.frozenset",
    "builtins.slice", "builtins.range", "builtins.complex",
    "builtins.bytearray", "__builtin__.set", "__builtin__.frozenset",
    "__builtin__.slice", "__builtin__.complex", "__builtin__.bytearray",
    "torch.Size", "torch.device", "torch.nn.parameter.Parameter",
    "torch._C.Generator", "torch.jit._pickle.*", "argparse.Namespace",
    "pathlib.PosixPath", "pathlib.WindowsPath", "pathlib.PurePosixPath",
    "pathlib.PureWindowsPath", "pathlib.Path", "datetime.datetime",
    "datetime.timedelta", "datetime.date", "_codecs.encode",
    "numpy.core.multiarray.scalar", "numpy.core.multiarray._reconstruct",
    "numpy._core.multiarray.scalar", "numpy._core.multiarray._reconstruct",
    "numpy.dtype", "numpy.dtype*", "numpy.ndarray", NULL};

/* Depth of dicts and modules within each other, and how many are looked at. */
#define MAX_DEPTH 64
#define MAX_VISITS 200000
#define MAX_HINTS 4096

static const struct {
  const gchar *name; /* torch.NAMEStorage and torch.NAME */
  const gchar *dtype_name;
  SrganDtype dtype;
} types[] = {
    {"Float", "float32", SRGAN_DTYPE_FLOAT32},
    {"Half", "float16", SRGAN_DTYPE_FLOAT16},
    {"BFloat16", "bfloat16", SRGAN_DTYPE_BFLOAT16},
    {"Double", "float64", SRGAN_DTYPE_FLOAT64},
    {"Char", "int8", SRGAN_DTYPE_INT8},
    {"Byte", "uint8", SRGAN_DTYPE_UINT8},
    {"Short", "int16", SRGAN_DTYPE_INT16},
    {"Int", "int32", SRGAN_DTYPE_INT32},
    {"Long", "int64", SRGAN_DTYPE_INT64},
    {"Bool", "bool", SRGAN_DTYPE_BOOL},
};

/* The bytes that a tensor's numbers lie in. */
typedef struct {
  gchar *key;
  SrganDtype dtype;
  guint64 n;   /* items, as the pickle says */
  gint member; /* of the archive, */
  gsize begin; /*   or where in the file */
  gboolean found;
} Storage;

typedef struct {
  GBytes *bytes;         /* of the file */
  SrganArchive *archive; /* or %NULL for the legacy container */
  gchar *folder;         /* of the archive: "archive/" */
  GHashTable *storages;  /* key -> Storage */
  Storage *last;         /* unpacked last, since tensors may share a storage */
  GBytes *last_bytes;
} File;

static void
free_storage (gpointer data)
{
  Storage *storage = data;

  g_free (storage->key);
  g_free (storage);
}

static void
free_file (gpointer data)
{
  File *file = data;

  g_clear_pointer (&file->last_bytes, g_bytes_unref);
  g_clear_pointer (&file->archive, srgan_archive_free);
  g_hash_table_unref (file->storages);
  g_bytes_unref (file->bytes);
  g_free (file->folder);
  g_free (file);
}

static File *
new_file (SrganSource *source)
{
  File *file = g_new0 (File, 1);

  file->bytes = g_bytes_ref (source->bytes);
  file->storages =
      g_hash_table_new_full (g_str_hash, g_str_equal, NULL, free_storage);
  return file;
}

static GBytes *
load (gpointer owner, gpointer data, GError **error)
{
  File *file = owner;
  Storage *storage = data;

  if (file->archive == NULL)
    return g_bytes_new_from_bytes (file->bytes, storage->begin,
        storage->n * srgan_dtype_get_size (storage->dtype));
  if (file->last != storage) {
    GBytes *bytes =
        srgan_archive_read (file->archive, (guint) storage->member, error);

    if (bytes == NULL)
      return NULL;
    g_clear_pointer (&file->last_bytes, g_bytes_unref);
    file->last_bytes = bytes;
    file->last = storage;
  }
  return g_bytes_ref (file->last_bytes);
}

/* --- Tensors in the pickle ---------------------------------------------- */

/* Whether @value is a tensor; unwraps parameters. */
static const SrganPickleValue *
get_tensor (const SrganPickleValue *value)
{
  for (guint i = 0; i < 4 && value != NULL; i++) {
    if (srgan_pickle_is_object_of (value, "torch._utils._rebuild_tensor*"))
      return value;
    if (srgan_pickle_is_object_of (value, "torch._utils._rebuild_parameter*"))
      value = srgan_pickle_get_item (value->arguments, 0);
    else if (srgan_pickle_is_object_of (
                 value, "torch._tensor._rebuild_from_type_v2")) {
      const SrganPickleValue *function =
          srgan_pickle_get_item (value->arguments, 0);
      const SrganPickleValue *arguments =
          srgan_pickle_get_item (value->arguments, 2);

      /* the call that it stands for */
      if (function == NULL || function->kind != SRGAN_PICKLE_GLOBAL ||
          arguments == NULL || arguments->kind != SRGAN_PICKLE_TUPLE)
        return NULL;
      if (g_str_equal (function->text, "torch._utils._rebuild_tensor_v2"))
        return value;
      value = srgan_pickle_get_item (arguments, 0);
    } else {
      return NULL;
    }
  }
  return NULL;
}

static gboolean
is_int (const SrganPickleValue *value)
{
  return value != NULL && value->kind == SRGAN_PICKLE_INT &&
         value->integer >= 0;
}

static gboolean
find_type (const gchar *global, SrganDtype *dtype)
{
  for (guint i = 0; i < G_N_ELEMENTS (types); i++) {
    g_autofree gchar *storage = g_strdup_printf ("*.%sStorage", types[i].name);
    g_autofree gchar *plain = g_strdup_printf ("torch.%s", types[i].dtype_name);

    if (g_pattern_match_simple (storage, global) ||
        g_str_equal (plain, global)) {
      *dtype = types[i].dtype;
      return TRUE;
    }
  }
  return FALSE;
}

/* The storage that @value names, with the items to skip in it. */
static Storage *
find_storage (
    File *file, const SrganPickleValue *value, guint64 *skipped, GError **error)
{
  const SrganPickleValue *identity, *type, *key, *n, *view;
  Storage *storage;
  SrganDtype dtype;

  *skipped = 0;
  if (value == NULL || value->kind != SRGAN_PICKLE_PERSISTENT) {
    srgan_convert_corrupt (error, "a tensor has no storage");
    return NULL;
  }
  identity = srgan_pickle_get_item (value, 0);
  type = srgan_pickle_get_item (identity, 1);
  key = srgan_pickle_get_item (identity, 2);
  n = srgan_pickle_get_item (identity, 4);
  if (identity->kind != SRGAN_PICKLE_TUPLE || type == NULL ||
      type->kind != SRGAN_PICKLE_GLOBAL || key == NULL ||
      key->kind != SRGAN_PICKLE_TEXT || !is_int (n)) {
    srgan_convert_corrupt (error, "a tensor's storage is not described");
    return NULL;
  }
  if (!find_type (type->text, &dtype)) {
    g_autofree gchar *quoted = srgan_convert_quote (type->text, -1);

    srgan_convert_unsupported (
        error, "tensors of type %s are not read", quoted);
    return NULL;
  }
  /* the legacy container's views: (key, offset, size) */
  view = srgan_pickle_get_item (identity, 5);
  if (view != NULL && view->kind == SRGAN_PICKLE_TUPLE) {
    if (!is_int (srgan_pickle_get_item (view, 1))) {
      srgan_convert_corrupt (error, "a storage's view is not described");
      return NULL;
    }
    *skipped = (guint64) srgan_pickle_get_item (view, 1)->integer;
  }

  storage = g_hash_table_lookup (file->storages, key->text);
  if (storage != NULL) {
    if (storage->dtype != dtype) {
      srgan_convert_unsupported (error, "a storage is used with two types");
      return NULL;
    }
    return storage;
  }
  storage = g_new0 (Storage, 1);
  storage->key = g_strdup (key->text);
  storage->dtype = dtype;
  storage->n = (guint64) n->integer;
  storage->member = -1;
  if (file->archive != NULL) {
    g_autofree gchar *name =
        g_strconcat (file->folder, "data/", storage->key, NULL);

    storage->member = srgan_archive_find (file->archive, name);
    storage->found = storage->member >= 0;
  }
  g_hash_table_insert (file->storages, storage->key, storage);
  return storage;
}

static gboolean
add_tensor (SrganTensorSet *set, File *file, const gchar *name,
    const SrganPickleValue *value, GError **error)
{
  const SrganPickleValue *arguments = value->arguments;
  const SrganPickleValue *offset, *shape, *strides;
  SrganNamedTensor tensor = {
      .name = (gchar *) name,
      .load = load,
      .owner = file,
  };
  Storage *storage;
  guint64 skipped, begin, size;

  if (srgan_pickle_is_object_of (value, "torch._tensor._rebuild_from_type_v2"))
    arguments = srgan_pickle_get_item (arguments, 2);
  offset = srgan_pickle_get_item (arguments, 1);
  shape = srgan_pickle_get_item (arguments, 2);
  strides = srgan_pickle_get_item (arguments, 3);
  storage = find_storage (
      file, srgan_pickle_get_item (arguments, 0), &skipped, error);
  if (storage == NULL)
    return FALSE;
  /* torch.Size (tuple) in some */
  if (shape != NULL && srgan_pickle_is_object_of (shape, "torch.Size"))
    shape = srgan_pickle_get_item (shape->arguments, 0);
  if (!is_int (offset) || shape == NULL || strides == NULL ||
      srgan_pickle_get_n_items (shape) != srgan_pickle_get_n_items (strides))
    return srgan_convert_corrupt (error, "its shape is not described");
  tensor.n_dimensions = srgan_pickle_get_n_items (shape);
  if (tensor.n_dimensions > SRGAN_NAMED_TENSOR_MAX_DIMENSIONS)
    return srgan_convert_unsupported (
        error, "has %u dimensions", tensor.n_dimensions);
  for (guint i = 0; i < tensor.n_dimensions; i++) {
    const SrganPickleValue *length = srgan_pickle_get_item (shape, i);
    const SrganPickleValue *stride = srgan_pickle_get_item (strides, i);

    if (!is_int (length) || !is_int (stride))
      return srgan_convert_corrupt (
          error, "its shape is not of whole numbers from 0 on");
    tensor.dimensions[i] = (guint64) length->integer;
    tensor.strides[i] = (guint64) stride->integer;
  }
  tensor.dtype = storage->dtype;
  tensor.storage = storage;
  size = srgan_dtype_get_size (tensor.dtype);
  if (!g_uint64_checked_add (&begin, (guint64) offset->integer, skipped) ||
      !g_uint64_checked_mul (&tensor.offset, begin, size))
    return srgan_convert_corrupt (error, "its place overflows");
  return srgan_tensor_set_add (set, &tensor, FALSE, error);
}

/* --- Looking for the state dict ------------------------------------------ */

/* A dict of tensors, or a module. */
typedef struct {
  gchar *path; /* "params_ema" */
  const SrganPickleValue *value;
  guint n_tensors;
} Found;

typedef struct {
  GArray *found; /* of Found */
  guint n_visits;
} Search;

static gboolean
is_dict (const SrganPickleValue *value)
{
  return value->kind == SRGAN_PICKLE_DICT ||
         srgan_pickle_is_object_of (value, "collections.*");
}

/* The dict of a module's attributes, or %NULL. */
static const SrganPickleValue *
get_attributes (const SrganPickleValue *value)
{
  const SrganPickleValue *state;

  if (value->kind != SRGAN_PICKLE_OBJECT || get_tensor (value) != NULL)
    return NULL;
  state = value->state;
  if (state != NULL && state->kind == SRGAN_PICKLE_TUPLE)
    state = srgan_pickle_get_item (state, 0);
  return state != NULL && is_dict (state) ? state : NULL;
}

/* Its class: "torch.nn.modules.conv.Conv2d" */
static const gchar *
get_class (const SrganPickleValue *value)
{
  const SrganPickleValue *class = value->callable;

  if (g_str_has_suffix (class->text, "._reconstructor"))
    class = srgan_pickle_get_item (value->arguments, 0);
  return class != NULL && class->kind == SRGAN_PICKLE_GLOBAL ? class->text : "";
}

static gboolean
is_module (const SrganPickleValue *value)
{
  const SrganPickleValue *attributes = get_attributes (value);

  return attributes != NULL &&
         (srgan_pickle_look_up (attributes, "_modules") != NULL ||
             srgan_pickle_look_up (attributes, "_parameters") != NULL ||
             g_str_has_prefix (get_class (value), "__torch__"));
}

static void
search (Search *search_, const SrganPickleValue *value, const gchar *path,
    guint depth)
{
  Found found = {.value = value};

  if (depth > MAX_DEPTH || ++search_->n_visits > MAX_VISITS)
    return;
  if (is_module (value)) {
    found.path = g_strdup (path);
    found.n_tensors = 1;
    g_array_append_val (search_->found, found);
    return;
  }
  if (is_dict (value)) {
    for (guint i = 0; i + 1 < srgan_pickle_get_n_items (value); i += 2) {
      const SrganPickleValue *key = srgan_pickle_get_item (value, i);
      const SrganPickleValue *item = srgan_pickle_get_item (value, i + 1);

      if (key->kind != SRGAN_PICKLE_TEXT) {
        continue;
      } else if (get_tensor (item) != NULL) {
        found.n_tensors++;
      } else {
        g_autofree gchar *inner = *path != '\0'
                                      ? g_strconcat (path, ".", key->text, NULL)
                                      : g_strdup (key->text);

        search (search_, item, inner, depth + 1);
      }
    }
    if (found.n_tensors > 0) {
      found.path = g_strdup (path);
      g_array_append_val (search_->found, found);
    }
  } else if (value->kind == SRGAN_PICKLE_LIST ||
             value->kind == SRGAN_PICKLE_TUPLE) {
    for (guint i = 0; i < srgan_pickle_get_n_items (value); i++)
      search (search_, srgan_pickle_get_item (value, i), path, depth + 1);
  } else if (get_attributes (value) != NULL) {
    search (search_, get_attributes (value), path, depth + 1);
  }
}

/* The better the name, the higher: averaged weights before the last ones, a
 * generator before all else, nothing of a training run's other parts. */
static gint
rate (const Found *found)
{
  static const struct {
    const gchar *pattern;
    gint rating;
  } ratings[] = {
      {"*optim*", -100},
      {"*sched*", -100},
      {"*discriminator*", -100},
      {"*netD*", -100},
      {"*net_d*", -100},
      {"*loss*", -50},
      {"*params_ema", 90},
      {"*ema*", 80},
      {"*params", 70},
      {"*generator*", 60},
      {"*netG*", 60},
      {"*net_g*", 60},
      {"*state_dict*", 50},
      {"*model*", 40},
      {"*net*", 40},
      {"", 30},
  };

  for (guint i = 0; i < G_N_ELEMENTS (ratings); i++)
    if (g_pattern_match_simple (ratings[i].pattern, found->path))
      return ratings[i].rating;
  return 0;
}

static const Found *
choose (const Search *search_, SrganConvertReport *report)
{
  const Found *best = NULL;

  for (guint i = 0; i < search_->found->len; i++) {
    const Found *found = &g_array_index (search_->found, Found, i);

    if (best == NULL || rate (found) > rate (best) ||
        (rate (found) == rate (best) && found->n_tensors > best->n_tensors))
      best = found;
  }
  if (best != NULL && search_->found->len > 1) {
    g_autofree gchar *quoted = srgan_convert_quote (best->path, -1);

    srgan_report_remark (report,
        "of %u groups of tensors in the file, '%s' was taken",
        search_->found->len, quoted);
  }
  return best;
}

static gboolean
add_named (SrganTensorSet *set, File *file, const gchar *prefix,
    const gchar *name, const SrganPickleValue *value, GError **error)
{
  g_autofree gchar *full =
      *prefix != '\0' ? g_strconcat (prefix, ".", name, NULL) : g_strdup (name);

  if (!add_tensor (set, file, full, value, error)) {
    g_autofree gchar *quoted = srgan_convert_quote (full, -1);

    if (error == NULL || strstr ((*error)->message, "tensor '") == NULL)
      g_prefix_error (error, "tensor '%s': ", quoted);
    return FALSE;
  }
  return TRUE;
}

static void
add_hint (SrganTensorSet *set, const gchar *prefix, const gchar *name,
    const SrganPickleValue *value)
{
  gchar *key, *text;

  if (g_hash_table_size (set->hints) >= MAX_HINTS)
    return;
  if (value->kind == SRGAN_PICKLE_INT || value->kind == SRGAN_PICKLE_BOOL)
    text = g_strdup_printf ("%" G_GINT64_FORMAT, value->integer);
  else if (value->kind == SRGAN_PICKLE_FLOAT)
    text = g_strdup_printf ("%.9g", value->number);
  else if (value->kind == SRGAN_PICKLE_TEXT && value->length < 256)
    text = g_strdup (value->text);
  else
    return;
  key =
      *prefix != '\0' ? g_strconcat (prefix, ".", name, NULL) : g_strdup (name);
  g_hash_table_insert (set->hints, key, text);
}

static gboolean
add_module (SrganTensorSet *set, File *file, const SrganPickleValue *module,
    const gchar *prefix, guint depth, guint *n_visits, GError **error)
{
  const SrganPickleValue *attributes = get_attributes (module);
  const gchar *class = get_class (module);

  if (depth > MAX_DEPTH || ++*n_visits > MAX_VISITS)
    return srgan_convert_corrupt (error, "modules nest too deep");
  g_hash_table_insert (set->hints,
      *prefix != '\0' ? g_strconcat (prefix, ".__class__", NULL)
                      : g_strdup ("__class__"),
      g_strdup (
          strrchr (class, '.') != NULL ? strrchr (class, '.') + 1 : class));
  for (guint i = 0; i + 1 < srgan_pickle_get_n_items (attributes); i += 2) {
    const SrganPickleValue *key = srgan_pickle_get_item (attributes, i);
    const SrganPickleValue *value = srgan_pickle_get_item (attributes, i + 1);
    gboolean is_group;

    if (key->kind != SRGAN_PICKLE_TEXT)
      continue;
    is_group = g_str_equal (key->text, "_parameters") ||
               g_str_equal (key->text, "_buffers") ||
               g_str_equal (key->text, "_modules");
    if (!is_group) {
      /* TorchScript keeps them as plain attributes */
      const SrganPickleValue *tensor = get_tensor (value);

      if (tensor != NULL &&
          !add_named (set, file, prefix, key->text, tensor, error))
        return FALSE;
      if (tensor == NULL && is_module (value)) {
        g_autofree gchar *inner =
            *prefix != '\0' ? g_strconcat (prefix, ".", key->text, NULL)
                            : g_strdup (key->text);

        if (!add_module (set, file, value, inner, depth + 1, n_visits, error))
          return FALSE;
      }
      add_hint (set, prefix, key->text, value);
      continue;
    }
    for (guint j = 0; j + 1 < srgan_pickle_get_n_items (value); j += 2) {
      const SrganPickleValue *name = srgan_pickle_get_item (value, j);
      const SrganPickleValue *item = srgan_pickle_get_item (value, j + 1);
      const SrganPickleValue *tensor = get_tensor (item);

      if (name->kind != SRGAN_PICKLE_TEXT)
        continue;
      if (tensor != NULL) {
        if (!add_named (set, file, prefix, name->text, tensor, error))
          return FALSE;
      } else if (is_module (item)) {
        g_autofree gchar *inner =
            *prefix != '\0' ? g_strconcat (prefix, ".", name->text, NULL)
                            : g_strdup (name->text);

        if (!add_module (set, file, item, inner, depth + 1, n_visits, error))
          return FALSE;
      }
    }
  }
  return TRUE;
}

static gboolean
add_dict (SrganTensorSet *set, File *file, const SrganPickleValue *dict,
    GError **error)
{
  for (guint i = 0; i + 1 < srgan_pickle_get_n_items (dict); i += 2) {
    const SrganPickleValue *key = srgan_pickle_get_item (dict, i);
    const SrganPickleValue *tensor =
        get_tensor (srgan_pickle_get_item (dict, i + 1));

    if (key->kind != SRGAN_PICKLE_TEXT)
      continue;
    if (tensor == NULL)
      add_hint (set, "", key->text, srgan_pickle_get_item (dict, i + 1));
    else if (!add_named (set, file, "", key->text, tensor, error))
      return FALSE;
  }
  return TRUE;
}

/* Fills @set from what was saved. */
static gboolean
read_root (SrganTensorSet *set, File *file, const SrganPickle *pickle,
    SrganConvertReport *report, GError **error)
{
  const SrganPickleValue *root = srgan_pickle_get_root (pickle);
  Search found = {g_array_new (FALSE, FALSE, sizeof (Found)), 0};
  const Found *best;
  gboolean done = FALSE;
  guint n_visits = 0;

  search (&found, root, "", 0);
  best = choose (&found, report);
  if (best == NULL) {
    srgan_convert_unsupported (error,
        "no tensor is in it: neither a state dict nor a module was saved");
  } else if (is_module (best->value)) {
    srgan_report_remark (report,
        "a whole module, %s, of which only names and numbers were read",
        get_class (best->value));
    done = add_module (set, file, best->value, "", 0, &n_visits, error);
  } else {
    if (root != best->value && is_dict (root))
      for (guint i = 0; i + 1 < srgan_pickle_get_n_items (root); i += 2)
        if (srgan_pickle_get_item (root, i)->kind == SRGAN_PICKLE_TEXT)
          add_hint (set, "", srgan_pickle_get_item (root, i)->text,
              srgan_pickle_get_item (root, i + 1));
    done = add_dict (set, file, best->value, error);
  }
  for (guint i = 0; i < found.found->len; i++)
    g_free (g_array_index (found.found, Found, i).path);
  g_array_unref (found.found);
  return done;
}

/* Storages without data in the file. */
static gboolean
check_storages (File *file, GError **error)
{
  GHashTableIter iter;
  gpointer value;

  g_hash_table_iter_init (&iter, file->storages);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    if (!((Storage *) value)->found) {
      g_autofree gchar *quoted =
          srgan_convert_quote (((Storage *) value)->key, -1);

      return srgan_convert_corrupt (
          error, "storage '%s': its numbers are not in the file", quoted);
    }
  return TRUE;
}

/* --- The zip archive ------------------------------------------------------ */

/* An archive that cannot be opened, too: for the message that it gets here. */
gboolean
srgan_detect_pytorch_zip (SrganSource *source)
{
  g_autoptr (SrganArchive) archive = NULL;

  if (!srgan_archive_detect (source))
    return FALSE;
  archive = srgan_archive_open (source, NULL);
  return archive == NULL ||
         srgan_archive_find_last_part (archive, "data.pkl") >= 0;
}

SrganNetwork *
srgan_read_pytorch_zip (SrganSource *source, const SrganConvertOptions *options,
    SrganConvertReport *report, GError **error)
{
  File *file = new_file (source);
  g_autoptr (SrganTensorSet) set = srgan_tensor_set_new (file, free_file);
  g_autoptr (SrganPickle) pickle = NULL;
  g_autoptr (GBytes) bytes = NULL;
  g_autofree gchar *order_name = NULL;
  const guint8 *data;
  gint member, order;
  gsize size;

  g_free (report->format);
  report->format = g_strdup ("PyTorch, zip archive");
  file->archive = srgan_archive_open (source, error);
  if (file->archive == NULL)
    return NULL;
  member = srgan_archive_find_last_part (file->archive, "data.pkl");
  file->folder =
      g_strdup (srgan_archive_get_name (file->archive, (guint) member));
  file->folder[strlen (file->folder) - strlen ("data.pkl")] = '\0';
  order_name = g_strconcat (file->folder, "byteorder", NULL);
  order = srgan_archive_find (file->archive, order_name);
  if (order >= 0) {
    g_autoptr (GBytes) text =
        srgan_archive_read (file->archive, (guint) order, error);

    if (text == NULL)
      return NULL;
    data = g_bytes_get_data (text, &size);
    if (size >= 3 && memcmp (data, "big", 3) == 0) {
      srgan_convert_unsupported (error,
          "its numbers are big-endian; save it again on a little-endian "
          "machine");
      return NULL;
    }
  }
  bytes = srgan_archive_read (file->archive, (guint) member, error);
  if (bytes == NULL)
    return NULL;
  data = g_bytes_get_data (bytes, &size);
  pickle = srgan_pickle_parse (data, size, NULL, callables, error);
  if (pickle == NULL || !read_root (set, file, pickle, report, error) ||
      !check_storages (file, error))
    return NULL;
  g_clear_pointer (&pickle, srgan_pickle_free);
  return srgan_architecture_build (set, source->path, options, report, error);
}

/* --- The legacy container ------------------------------------------------- */

/* The pickle of the number 0x1950a86a20f9469cfc6c, which begins the file. */
static const guint8 magic[] = {
    0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19};

/* Any pickle, for the message that it gets here: of protocol 2 on, or one of
 * text that begins with a name. */
gboolean
srgan_detect_pytorch_legacy (SrganSource *source)
{
  gsize i = 1;

  if (source->is_folder || source->size < 4)
    return FALSE;
  if (source->data[0] == 0x80)
    return source->data[1] >= 2 && source->data[1] <= 5;
  if (source->data[0] != 'c')
    return FALSE;
  for (guint n_lines = 0; i < MIN (source->size, 256); i++)
    if (source->data[i] == '\n') {
      if (++n_lines == 2)
        return i + 1 < source->size && strchr ("(pqN)", source->data[i + 1]);
    } else if (!g_ascii_isalnum (source->data[i]) &&
               !strchr ("._", source->data[i])) {
      return FALSE;
    }
  return FALSE;
}

/* Where each storage's numbers lie: behind the last pickle, in the order of its
 * list of keys, each after its number of items. */
static gboolean
place_storages (File *file, const SrganPickleValue *keys, const guint8 *data,
    gsize size, gsize position, GError **error)
{
  if (keys->kind != SRGAN_PICKLE_LIST)
    return srgan_convert_corrupt (error, "the list of storages is none");
  for (guint i = 0; i < srgan_pickle_get_n_items (keys); i++) {
    const SrganPickleValue *key = srgan_pickle_get_item (keys, i);
    Storage *storage;
    guint64 n, n_bytes;

    if (key->kind != SRGAN_PICKLE_TEXT)
      return srgan_convert_corrupt (error, "a storage has no name");
    storage = g_hash_table_lookup (file->storages, key->text);
    if (size - position < sizeof n)
      return srgan_convert_corrupt (error,
          "the file ends before storage %u of %u", i + 1,
          srgan_pickle_get_n_items (keys));
    memcpy (&n, data + position, sizeof n);
    n = GUINT64_FROM_LE (n);
    position += sizeof n;
    if (storage == NULL)
      return srgan_convert_unsupported (error,
          "storage %u of %u is of no tensor that was understood", i + 1,
          srgan_pickle_get_n_items (keys));
    if (!g_uint64_checked_mul (
            &n_bytes, n, srgan_dtype_get_size (storage->dtype)) ||
        n_bytes > size - position)
      return srgan_convert_corrupt (error,
          "the file ends within storage %u of %u, of %" G_GUINT64_FORMAT
          " numbers",
          i + 1, srgan_pickle_get_n_items (keys), n);
    storage->begin = position;
    storage->n = n;
    storage->found = TRUE;
    position += n_bytes;
  }
  return TRUE;
}

/* Notes the storages of all tensors anywhere, also of those that the network is
 * not made of, since their numbers lie between the others'. */
static gboolean
note_storages (File *file, const SrganPickleValue *value, guint depth,
    guint *n_visits, GError **error)
{
  const SrganPickleValue *parts[] = {value->arguments, value->state};
  guint64 skipped;

  if (depth > MAX_DEPTH || ++*n_visits > 4 * MAX_VISITS)
    return srgan_convert_corrupt (error, "nests too deep");
  if (value->kind == SRGAN_PICKLE_PERSISTENT)
    return find_storage (file, value, &skipped, error) != NULL;
  for (guint i = 0; i < srgan_pickle_get_n_items (value); i++)
    if (!note_storages (
            file, srgan_pickle_get_item (value, i), depth + 1, n_visits, error))
      return FALSE;
  for (guint i = 0; i < G_N_ELEMENTS (parts); i++)
    if (parts[i] != NULL &&
        !note_storages (file, parts[i], depth + 1, n_visits, error))
      return FALSE;
  return TRUE;
}

SrganNetwork *
srgan_read_pytorch_legacy (SrganSource *source,
    const SrganConvertOptions *options, SrganConvertReport *report,
    GError **error)
{
  static const gchar *const parts[] = {"the magic number", "the protocol",
      "the system", "the model", "the keys"};
  File *file = new_file (source);
  g_autoptr (SrganTensorSet) set = srgan_tensor_set_new (file, free_file);
  SrganPickle *pickles[G_N_ELEMENTS (parts)] = {NULL};
  const SrganPickleValue *endian;
  SrganNetwork *network = NULL;
  gsize position = 0, used;
  guint n_visits = 0, i;

  g_free (report->format);
  report->format = g_strdup ("PyTorch, legacy pickle");
  for (i = 0; i < G_N_ELEMENTS (parts); i++) {
    pickles[i] = srgan_pickle_parse (source->data + position,
        source->size - position, &used, callables, error);
    if (pickles[i] == NULL) {
      g_prefix_error (error, "%s: ", parts[i]);
      goto done;
    }
    if (i == 0 && !srgan_source_has_bytes (source, 2, magic, sizeof magic)) {
      srgan_convert_unsupported (error,
          "a pickle, but not one that torch.save() wrote; save the state dict "
          "with it");
      goto done;
    }
    position += used;
  }
  endian = srgan_pickle_look_up (
      srgan_pickle_get_root (pickles[2]), "little_endian");
  if (endian != NULL && endian->integer == 0) {
    srgan_convert_unsupported (error,
        "its numbers are big-endian; save it again on a little-endian "
        "machine");
    goto done;
  }
  if (!note_storages (
          file, srgan_pickle_get_root (pickles[3]), 0, &n_visits, error) ||
      !place_storages (file, srgan_pickle_get_root (pickles[4]), source->data,
          source->size, position, error) ||
      !read_root (set, file, pickles[3], report, error) ||
      !check_storages (file, error))
    goto done;
  for (i = 0; i < G_N_ELEMENTS (parts); i++)
    g_clear_pointer (&pickles[i], srgan_pickle_free);
  network =
      srgan_architecture_build (set, source->path, options, report, error);

done:
  for (i = 0; i < G_N_ELEMENTS (parts); i++)
    if (pickles[i] != NULL)
      srgan_pickle_free (pickles[i]);
  return network;
}
