/* convert: where a model comes from: a mapped file or a folder, with limits.
 *
 * SPDX-License-Identifier: MIT
 */
#pragma once

#include <gio/gio.h>
#include <srgan/srgan-error.h>

G_BEGIN_DECLS

/* No model file in the field is larger. */
#define SRGAN_SOURCE_MAX_BYTES (G_GUINT64_CONSTANT (2) << 30)

/**
 * SrganSource:
 *
 * A file's bytes, which stay where they are as long as the source lives, or a
 * folder. Read only.
 */
typedef struct {
  gchar *path; /* %NULL for bytes in memory */
  gchar *name; /* for messages */
  gboolean is_folder;
  const guint8 *data; /* of a file; never %NULL for one */
  gsize size;
  GBytes *bytes; /* what owns @data; %NULL for a folder */
} SrganSource;

/* Maps the file, or notes the folder, at @path; the error names it. */
SRGAN_API
SrganSource *srgan_source_open (const gchar *path, GError **error);
/* Bytes in memory: a part of another file, a test. @path is where files that
 * they refer to would lie beside, or %NULL for none. */
SRGAN_API
SrganSource *srgan_source_new_for_bytes (
    GBytes *bytes, const gchar *name, const gchar *path);
SRGAN_API
void srgan_source_free (SrganSource *source);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SrganSource, srgan_source_free)

/* Opens what a file refers to: @name, relative to the folder that @source is or
 * lies in, with '/' between. A name that leads out of that folder, by "..", as
 * an absolute path or through a symbolic link, is %SRGAN_ERROR_UNSUPPORTED. */
SRGAN_API
SrganSource *srgan_source_open_beside (
    SrganSource *source, const gchar *name, GError **error);

/* Whether the file begins with these bytes, from @offset on. */
SRGAN_API
gboolean srgan_source_has_bytes (
    SrganSource *source, gsize offset, const void *bytes, gsize n);

/* The file as text up to its end or @max bytes: for telling formats apart.
 * Not zero-terminated; %NULL when it holds a zero byte or is no UTF-8. */
SRGAN_API
const gchar *srgan_source_peek_text (
    SrganSource *source, gsize max, gsize *length);

G_END_DECLS
