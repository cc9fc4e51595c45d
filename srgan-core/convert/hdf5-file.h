/* convert: what is in an HDF5 file, read by a program of its own.
 *
 * SPDX-License-Identifier: MIT
 */
#pragma once

#include "convert/source.h"
#include "convert/tensor.h"

G_BEGIN_DECLS

/**
 * SrganHdf5:
 *
 * A file's groups and datasets by their paths, "model_weights/conv2d/kernel",
 * without a slash in front; the root group is "".
 */
typedef struct {
  SrganTensorSet *tensors; /* float32 */
  GHashTable *attributes;  /* "path@name" -> gchar **, ends with %NULL */
  GPtrArray *groups;       /* of gchar: paths, outer before inner */
} SrganHdf5;

/* Whether @source begins as an HDF5 file does. */
SRGAN_API
gboolean srgan_hdf5_detect (SrganSource *source);

/**
 * srgan_hdf5_read:
 * @source: a file
 *
 * Has the file read in a child process with limits on what it may take, see
 * srgan-hdf5.c: whatever becomes of it there, here it is an error.
 *
 * Returns: (transfer full): the content, or %NULL with @error set;
 *   %SRGAN_ERROR_UNSUPPORTED too where this build cannot read HDF5
 */
SRGAN_API
SrganHdf5 *srgan_hdf5_read (SrganSource *source, GError **error);
SRGAN_API
void srgan_hdf5_free (SrganHdf5 *file);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SrganHdf5, srgan_hdf5_free)

/* Gives @n bytes to @to; FALSE with @error set when there are no more. */
typedef gboolean (*SrganHdf5Take) (
    gpointer data, gpointer to, gsize n, GError **error);
/* The content that an answer of srgan-hdf5 tells, which is trusted as little as
 * the file. @limit: bytes of numbers that it may have. For tests. */
SRGAN_API
SrganHdf5 *srgan_hdf5_parse (
    SrganHdf5Take take, gpointer data, guint64 limit, GError **error);

/* An attribute that is one text; %NULL where there is none. */
const gchar *srgan_hdf5_get_text (
    SrganHdf5 *file, const gchar *path, const gchar *name);
/* An attribute that is a list of texts, whole or in the parts "name0", "name1",
 * ... that Keras makes of long ones (transfer container); %NULL likewise. */
GPtrArray *srgan_hdf5_get_list (
    SrganHdf5 *file, const gchar *path, const gchar *name);

G_END_DECLS
