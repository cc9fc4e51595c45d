/* convert: named tensors as files hold them, and their numbers as float32.
 *
 * SPDX-License-Identifier: MIT
 */
#include "convert/tensor.h"

#include "convert/reader.h"

#include <math.h>
#include <string.h>

/* More than any network in the field has. */
#define MAX_TENSORS 65536

/* --- Numbers ------------------------------------------------------------ */

static guint64
get_uint (const guint8 *item, guint size)
{
  guint64 bits = 0;

  for (guint i = 0; i < size; i++)
    bits |= (guint64) item[i] << 8 * i;
  return bits;
}

static gfloat
float_from_bits (guint32 bits)
{
  gfloat value;

  memcpy (&value, &bits, sizeof value);
  return value;
}

static gfloat
get_float32 (const guint8 *item)
{
  return float_from_bits ((guint32) get_uint (item, 4));
}

static gfloat
get_bfloat16 (const guint8 *item)
{
  return float_from_bits ((guint32) get_uint (item, 2) << 16);
}

/* IEEE 754 binary16. */
static gfloat
get_float16 (const guint8 *item)
{
  guint32 bits = (guint32) get_uint (item, 2);
  guint32 sign = (bits & 0x8000) << 16;
  guint32 exponent = bits >> 10 & 0x1f;
  guint32 fraction = bits & 0x3ff;

  if (exponent == 0x1f) /* infinite or not a number */
    return float_from_bits (sign | 0x7f800000 | fraction << 13);
  if (exponent == 0) { /* fraction * 2^-24 */
    gfloat value = (gfloat) fraction * 0x1p-24f;

    return sign ? -value : value;
  }
  return float_from_bits (sign | (exponent + 112) << 23 | fraction << 13);
}

static gfloat
get_float64 (const guint8 *item)
{
  guint64 bits = get_uint (item, 8);
  gdouble value;

  memcpy (&value, &bits, sizeof value);
  return (gfloat) value;
}

static gfloat
get_int8 (const guint8 *item)
{
  return (gint8) *item;
}

static gfloat
get_uint8 (const guint8 *item)
{
  return *item;
}

static gfloat
get_int16 (const guint8 *item)
{
  return (gint16) get_uint (item, 2);
}

static gfloat
get_uint16 (const guint8 *item)
{
  return (guint16) get_uint (item, 2);
}

static gfloat
get_int32 (const guint8 *item)
{
  return (gfloat) (gint32) get_uint (item, 4);
}

static gfloat
get_uint32 (const guint8 *item)
{
  return (gfloat) (guint32) get_uint (item, 4);
}

static gfloat
get_int64 (const guint8 *item)
{
  return (gfloat) (gint64) get_uint (item, 8);
}

static gfloat
get_uint64 (const guint8 *item)
{
  return (gfloat) get_uint (item, 8);
}

static gfloat
get_bool (const guint8 *item)
{
  return *item != 0;
}

static const struct {
  const gchar *name;
  guint size;
  gfloat (*get) (const guint8 *item);
} dtypes[SRGAN_N_DTYPES] = {
    [SRGAN_DTYPE_FLOAT32] = {"float32", 4, get_float32},
    [SRGAN_DTYPE_FLOAT16] = {"float16", 2, get_float16},
    [SRGAN_DTYPE_BFLOAT16] = {"bfloat16", 2, get_bfloat16},
    [SRGAN_DTYPE_FLOAT64] = {"float64", 8, get_float64},
    [SRGAN_DTYPE_INT8] = {"int8", 1, get_int8},
    [SRGAN_DTYPE_UINT8] = {"uint8", 1, get_uint8},
    [SRGAN_DTYPE_INT16] = {"int16", 2, get_int16},
    [SRGAN_DTYPE_UINT16] = {"uint16", 2, get_uint16},
    [SRGAN_DTYPE_INT32] = {"int32", 4, get_int32},
    [SRGAN_DTYPE_UINT32] = {"uint32", 4, get_uint32},
    [SRGAN_DTYPE_INT64] = {"int64", 8, get_int64},
    [SRGAN_DTYPE_UINT64] = {"uint64", 8, get_uint64},
    [SRGAN_DTYPE_BOOL] = {"bool", 1, get_bool},
};

guint
srgan_dtype_get_size (SrganDtype dtype)
{
  return dtypes[dtype].size;
}

const gchar *
srgan_dtype_to_string (SrganDtype dtype)
{
  return dtypes[dtype].name;
}

gint64
srgan_dtype_get_integer (SrganDtype dtype, const guint8 *item)
{
  guint64 bits = get_uint (item, srgan_dtype_get_size (dtype));

  switch (dtype) {
  case SRGAN_DTYPE_INT8:
    return (gint8) bits;
  case SRGAN_DTYPE_INT16:
    return (gint16) bits;
  case SRGAN_DTYPE_INT32:
    return (gint32) bits;
  default:
    return (gint64) bits;
  }
}

void
srgan_dtype_to_floats (
    SrganDtype dtype, const guint8 *items, gsize n, gfloat *floats)
{
  guint size = dtypes[dtype].size;

#if G_BYTE_ORDER == G_LITTLE_ENDIAN
  if (dtype == SRGAN_DTYPE_FLOAT32) {
    memcpy (floats, items, n * sizeof *floats);
    return;
  }
#endif
  for (gsize i = 0; i < n; i++)
    floats[i] = dtypes[dtype].get (items + i * size);
}

/* --- Tensors ------------------------------------------------------------ */

guint64
srgan_named_tensor_get_n (const SrganNamedTensor *tensor)
{
  guint64 n = 1;

  for (guint i = 0; i < tensor->n_dimensions; i++)
    n *= tensor->dimensions[i];
  return n;
}

gchar *
srgan_named_tensor_format_shape (const SrganNamedTensor *tensor)
{
  GString *text = g_string_new (NULL);

  for (guint i = 0; i < tensor->n_dimensions; i++)
    g_string_append_printf (
        text, "%s%" G_GUINT64_FORMAT, i > 0 ? "x" : "", tensor->dimensions[i]);
  if (tensor->n_dimensions == 0)
    g_string_append (text, "one number");
  return g_string_free (text, FALSE);
}

/* Bytes from offset on that the tensor's items span. */
static guint64
get_span (const SrganNamedTensor *tensor)
{
  guint64 last = 0;

  for (guint i = 0; i < tensor->n_dimensions; i++)
    last += (tensor->dimensions[i] - 1) * tensor->strides[i];
  return (last + 1) * dtypes[tensor->dtype].size;
}

static gboolean
is_contiguous (const SrganNamedTensor *tensor)
{
  guint64 stride = 1;

  for (guint i = tensor->n_dimensions; i-- > 0;) {
    if (tensor->dimensions[i] != 1 && tensor->strides[i] != stride)
      return FALSE;
    stride *= tensor->dimensions[i];
  }
  return TRUE;
}

gfloat *
srgan_named_tensor_get_floats (SrganNamedTensor *tensor, GError **error)
{
  guint64 n = srgan_named_tensor_get_n (tensor);
  guint size = dtypes[tensor->dtype].size;
  g_autofree gchar *quoted = srgan_convert_quote (tensor->name, -1);
  g_autoptr (GBytes) bytes = NULL;
  const guint8 *data;
  gsize n_bytes;
  gfloat *floats;

  bytes = tensor->load (tensor->owner, tensor->storage, error);
  if (bytes == NULL) {
    g_prefix_error (error, "tensor '%s': ", quoted);
    return NULL;
  }
  data = g_bytes_get_data (bytes, &n_bytes);
  if (n > 0 && (tensor->offset > n_bytes ||
                   get_span (tensor) > n_bytes - tensor->offset)) {
    srgan_convert_corrupt (error,
        "tensor '%s': %" G_GUINT64_FORMAT " bytes from byte %" G_GUINT64_FORMAT
        " on are needed, %" G_GSIZE_FORMAT " are there",
        quoted, get_span (tensor), tensor->offset, n_bytes);
    return NULL;
  }
  floats = g_try_new (gfloat, MAX (n, 1));
  if (floats == NULL) {
    srgan_convert_fail (error, SRGAN_ERROR_TOO_LARGE,
        "tensor '%s': no memory for %" G_GUINT64_FORMAT " numbers", quoted, n);
    return NULL;
  }
  tensor->used = TRUE;
  if (n == 0)
    return floats;
  data += tensor->offset;
  if (is_contiguous (tensor)) {
    srgan_dtype_to_floats (tensor->dtype, data, n, floats);
  } else {
    guint64 position[SRGAN_NAMED_TENSOR_MAX_DIMENSIONS] = {0};
    guint64 item = 0;

    for (guint64 i = 0; i < n; i++) {
      floats[i] = dtypes[tensor->dtype].get (data + item * size);
      for (guint j = tensor->n_dimensions; j-- > 0;) {
        item += tensor->strides[j];
        if (++position[j] < tensor->dimensions[j])
          break;
        item -= tensor->dimensions[j] * tensor->strides[j];
        position[j] = 0;
      }
    }
  }
  return floats;
}

/* --- Sets --------------------------------------------------------------- */

static void
free_tensor (gpointer data)
{
  SrganNamedTensor *tensor = data;

  g_free (tensor->name);
  g_free (tensor);
}

static void
free_bytes (gpointer data)
{
  g_bytes_unref (data);
}

SrganTensorSet *
srgan_tensor_set_new (gpointer owner, GDestroyNotify free_owner)
{
  SrganTensorSet *set = g_new0 (SrganTensorSet, 1);

  set->tensors = g_ptr_array_new_with_free_func (free_tensor);
  set->by_name = g_hash_table_new (g_str_hash, g_str_equal);
  set->hints = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  set->kept = g_ptr_array_new_with_free_func (free_bytes);
  set->owner = owner;
  set->free_owner = free_owner;
  return set;
}

void
srgan_tensor_set_free (SrganTensorSet *set)
{
  g_hash_table_unref (set->hints);
  g_hash_table_unref (set->by_name);
  g_ptr_array_unref (set->tensors);
  g_ptr_array_unref (set->kept);
  if (set->free_owner != NULL)
    set->free_owner (set->owner);
  g_free (set);
}

gboolean
srgan_tensor_set_add (SrganTensorSet *set, const SrganNamedTensor *tensor,
    gboolean contiguous, GError **error)
{
  g_autofree gchar *quoted = srgan_convert_quote (tensor->name, -1);
  SrganNamedTensor *copy;
  guint64 n = 1, last = 0;

  if (set->tensors->len >= MAX_TENSORS)
    return srgan_convert_corrupt (
        error, "holds more than %u tensors", MAX_TENSORS);
  if (g_hash_table_contains (set->by_name, tensor->name))
    return srgan_convert_corrupt (error, "tensor '%s': is there twice", quoted);
  if (tensor->n_dimensions > SRGAN_NAMED_TENSOR_MAX_DIMENSIONS)
    return srgan_convert_unsupported (error,
        "tensor '%s': has %u dimensions, more than %u", quoted,
        tensor->n_dimensions, SRGAN_NAMED_TENSOR_MAX_DIMENSIONS);
  copy = g_new (SrganNamedTensor, 1);
  *copy = *tensor;
  copy->name = g_strdup (tensor->name);
  for (guint i = tensor->n_dimensions; i-- > 0;) {
    guint64 dimension = tensor->dimensions[i], distance;

    if (contiguous)
      copy->strides[i] = n;
    if (!g_uint64_checked_mul (&n, n, dimension) ||
        n > SRGAN_NAMED_TENSOR_MAX_NUMBERS ||
        (dimension > 0 && (!g_uint64_checked_mul (
                               &distance, dimension - 1, copy->strides[i]) ||
                              !g_uint64_checked_add (&last, last, distance) ||
                              last > G_MAXUINT32))) {
      free_tensor (copy);
      return srgan_convert_fail (error, SRGAN_ERROR_TOO_LARGE,
          "tensor '%s': its shape asks for more than %" G_GUINT64_FORMAT
          " numbers",
          quoted, SRGAN_NAMED_TENSOR_MAX_NUMBERS);
    }
  }
  copy->used = FALSE;
  g_ptr_array_add (set->tensors, copy);
  g_hash_table_insert (set->by_name, copy->name, copy);
  return TRUE;
}

static GBytes *
load_bytes (gpointer owner, gpointer storage, GError **error)
{
  return g_bytes_ref (storage);
}

gboolean
srgan_tensor_set_add_bytes (SrganTensorSet *set, const gchar *name,
    SrganDtype dtype, guint n_dimensions, const guint64 *dimensions,
    GBytes *bytes, GError **error)
{
  SrganNamedTensor tensor = {
      .name = (gchar *) name,
      .dtype = dtype,
      .n_dimensions = n_dimensions,
      .load = load_bytes,
      .storage = bytes,
  };

  memcpy (tensor.dimensions, dimensions,
      MIN (n_dimensions, SRGAN_NAMED_TENSOR_MAX_DIMENSIONS) *
          sizeof *dimensions);
  if (!srgan_tensor_set_add (set, &tensor, TRUE, error))
    return FALSE;
  g_ptr_array_add (set->kept, g_bytes_ref (bytes));
  return TRUE;
}

SrganNamedTensor *
srgan_tensor_set_find (SrganTensorSet *set, const gchar *name)
{
  return g_hash_table_lookup (set->by_name, name);
}

SrganNamedTensor *
srgan_tensor_set_findf (SrganTensorSet *set, const gchar *format, ...)
{
  g_autofree gchar *name = NULL;
  va_list arguments;

  va_start (arguments, format);
  name = g_strdup_vprintf (format, arguments);
  va_end (arguments);
  return srgan_tensor_set_find (set, name);
}
