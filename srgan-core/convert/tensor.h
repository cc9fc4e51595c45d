/* convert: named tensors as files hold them, and their numbers as float32.
 *
 * Data stays where it lies until it is asked for, so that a file's tensors are
 * in memory one at a time.
 *
 * SPDX-License-Identifier: MIT
 */
#pragma once

#include <gio/gio.h>
#include <srgan/srgan-error.h>

G_BEGIN_DECLS

typedef enum {
  SRGAN_DTYPE_FLOAT32,
  SRGAN_DTYPE_FLOAT16,
  SRGAN_DTYPE_BFLOAT16,
  SRGAN_DTYPE_FLOAT64,
  SRGAN_DTYPE_INT8,
  SRGAN_DTYPE_UINT8,
  SRGAN_DTYPE_INT16,
  SRGAN_DTYPE_UINT16,
  SRGAN_DTYPE_INT32,
  SRGAN_DTYPE_UINT32,
  SRGAN_DTYPE_INT64,
  SRGAN_DTYPE_UINT64,
  SRGAN_DTYPE_BOOL, /* a byte */
  SRGAN_N_DTYPES,
} SrganDtype;

SRGAN_API
guint srgan_dtype_get_size (SrganDtype dtype);
SRGAN_API
const gchar *srgan_dtype_to_string (SrganDtype dtype);

/* Turns @n little-endian items, with no alignment promised, into floats. */
SRGAN_API
void srgan_dtype_to_floats (
    SrganDtype dtype, const guint8 *items, gsize n, gfloat *floats);

/* One little-endian item of an integer type; unsigned ones of 64 bits wrap. */
gint64 srgan_dtype_get_integer (SrganDtype dtype, const guint8 *item);

#define SRGAN_NAMED_TENSOR_MAX_DIMENSIONS 8

/* The most numbers that a tensor may hold. */
#define SRGAN_NAMED_TENSOR_MAX_NUMBERS (G_GUINT64_CONSTANT (1) << 28)

/**
 * SrganTensorLoad:
 *
 * Gives the bytes that a tensor's data lies in (transfer full), or %NULL with
 * @error set.
 */
typedef GBytes *(*SrganTensorLoad) (
    gpointer owner, gpointer storage, GError **error);

/**
 * SrganNamedTensor:
 *
 * Items lie in the bytes that @load gives, from @offset bytes on, item
 * (i, j, ...) at i * strides[0] + j * strides[1] + ... items from there.
 */
typedef struct {
  gchar *name;
  SrganDtype dtype;
  guint n_dimensions; /* 0: a single number */
  guint64 dimensions[SRGAN_NAMED_TENSOR_MAX_DIMENSIONS];
  guint64 strides[SRGAN_NAMED_TENSOR_MAX_DIMENSIONS];
  guint64 offset;
  gboolean used; /* something was made of it */

  SrganTensorLoad load;
  gpointer owner; /* not owned */
  gpointer storage;
} SrganNamedTensor;

/* Its number of numbers; checked when it was added to a set. */
SRGAN_API
guint64 srgan_named_tensor_get_n (const SrganNamedTensor *tensor);
/* "64x3x3x3" */
SRGAN_API
gchar *srgan_named_tensor_format_shape (const SrganNamedTensor *tensor);
/* Its numbers in row-major order; free with g_free(). Marks it as used. */
SRGAN_API
gfloat *srgan_named_tensor_get_floats (
    SrganNamedTensor *tensor, GError **error);

/**
 * SrganTensorSet:
 *
 * Tensors by name, in the order of the file.
 */
typedef struct {
  GPtrArray *tensors; /* of SrganNamedTensor */
  GHashTable *by_name;
  GHashTable *hints; /* of gchar *: what else the file says, by names like
                        "upscale": a state dict's settings, a module's class */
  GPtrArray *kept;   /* of GBytes */
  gpointer owner;    /* what the tensors' data lies in */
  GDestroyNotify free_owner;
} SrganTensorSet;

SRGAN_API
SrganTensorSet *srgan_tensor_set_new (
    gpointer owner, GDestroyNotify free_owner);
SRGAN_API
void srgan_tensor_set_free (SrganTensorSet *set);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SrganTensorSet, srgan_tensor_set_free)

/* Adds a copy of @tensor (its name too) after checking that its size stays
 * within limits; a name that exists already is an error. Strides are set to row
 * major where @contiguous. */
SRGAN_API
gboolean srgan_tensor_set_add (SrganTensorSet *set,
    const SrganNamedTensor *tensor, gboolean contiguous, GError **error);
/* Row-major tensor whose items lie in @bytes, which it holds. */
SRGAN_API
gboolean srgan_tensor_set_add_bytes (SrganTensorSet *set, const gchar *name,
    SrganDtype dtype, guint n_dimensions, const guint64 *dimensions,
    GBytes *bytes, GError **error);
SRGAN_API
SrganNamedTensor *srgan_tensor_set_find (
    SrganTensorSet *set, const gchar *name);
/* The same, the name made as by printf. */
SRGAN_API
SrganNamedTensor *srgan_tensor_set_findf (
    SrganTensorSet *set, const gchar *format, ...) G_GNUC_PRINTF (2, 3);

G_END_DECLS
