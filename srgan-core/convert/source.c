/* convert: where a model comes from: a mapped file or a folder, with limits.
 *
 * Files are mapped rather than read: telling a folder's formats apart then
 * costs a page of each, and a model is in memory once. (Whoever cuts a file off
 * while it is being converted ends the program.)
 *
 * SPDX-License-Identifier: MIT
 */
#include "convert/source.h"

#include "convert/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const guint8 nothing[1];

static SrganSource *
new_source (GBytes *bytes, const gchar *name, const gchar *path)
{
  SrganSource *source = g_new0 (SrganSource, 1);

  source->name = g_strdup (name);
  source->path = g_strdup (path);
  if (bytes != NULL) {
    source->bytes = g_bytes_ref (bytes);
    source->data = g_bytes_get_data (bytes, &source->size);
    if (source->data == NULL)
      source->data = nothing;
  }
  return source;
}

SrganSource *
srgan_source_new_for_bytes (GBytes *bytes, const gchar *name, const gchar *path)
{
  return new_source (bytes, name, path);
}

SrganSource *
srgan_source_open (const gchar *path, GError **error)
{
  g_autofree gchar *name = g_filename_display_name (path);
  g_autoptr (GMappedFile) mapped = NULL;
  g_autoptr (GBytes) bytes = NULL;
  g_autoptr (GError) reason = NULL;
  SrganSource *source = NULL;
  struct stat status;
  /* not blocking: a pipe must not hang us before it is seen to be one */
  gint file = open (path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

  if (file < 0 || fstat (file, &status) != 0) {
    gint saved = errno;

    srgan_convert_fail (error,
        saved == ENOENT || saved == ENOTDIR ? SRGAN_ERROR_NOT_FOUND
                                            : SRGAN_ERROR_READ,
        "%s: %s", name, g_strerror (saved));
  } else if (S_ISDIR (status.st_mode)) {
    source = new_source (NULL, name, path);
    source->is_folder = TRUE;
  } else if (!S_ISREG (status.st_mode)) {
    srgan_convert_fail (
        error, SRGAN_ERROR_READ, "%s: is neither a file nor a folder", name);
  } else if ((guint64) status.st_size > SRGAN_SOURCE_MAX_BYTES) {
    srgan_convert_fail (error, SRGAN_ERROR_TOO_LARGE,
        "%s: %" G_GUINT64_FORMAT " bytes are more than a model may have", name,
        (guint64) status.st_size);
  } else {
    mapped = g_mapped_file_new_from_fd (file, FALSE, &reason);
    if (mapped == NULL) {
      srgan_convert_fail (
          error, SRGAN_ERROR_READ, "%s: %s", name, reason->message);
    } else {
      bytes = g_mapped_file_get_bytes (mapped);
      source = new_source (bytes, name, path);
    }
  }
  if (file >= 0)
    close (file);
  return source;
}

void
srgan_source_free (SrganSource *source)
{
  if (source->bytes != NULL)
    g_bytes_unref (source->bytes);
  g_free (source->path);
  g_free (source->name);
  g_free (source);
}

SrganSource *
srgan_source_open_beside (
    SrganSource *source, const gchar *name, GError **error)
{
  g_autofree gchar *quoted = srgan_convert_quote (name, -1);
  g_auto (GStrv) parts = g_strsplit (name, "/", -1);
  g_autofree gchar *folder = NULL;
  g_autofree gchar *path = NULL;
  gchar *real_folder, *real_path;
  SrganSource *opened = NULL;

  if (source->path == NULL) {
    srgan_convert_unsupported (error,
        "'%s': the model refers to another file, and there is no folder to "
        "look for it in",
        quoted);
    return NULL;
  }
  /* the backslash for names that were made elsewhere */
  if (*name == '\0' || g_path_is_absolute (name) || strchr (name, '\\') ||
      g_strv_contains ((const gchar *const *) parts, "..")) {
    srgan_convert_unsupported (error,
        "'%s': refused: the model refers to a file outside its own folder",
        quoted);
    return NULL;
  }
  folder = source->is_folder ? g_strdup (source->path)
                             : g_path_get_dirname (source->path);
  path = g_build_filename (folder, name, NULL);
  real_folder = realpath (folder, NULL);
  real_path = realpath (path, NULL);
  if (real_folder == NULL || real_path == NULL) {
    gint saved = errno;

    srgan_convert_fail (error,
        saved == ENOENT ? SRGAN_ERROR_NOT_FOUND : SRGAN_ERROR_READ,
        "'%s', which the model refers to: %s", quoted, g_strerror (saved));
  } else if (!g_str_has_prefix (real_path, real_folder) ||
             (real_path[strlen (real_folder)] != '/' &&
                 !g_str_has_suffix (real_folder, "/"))) {
    srgan_convert_unsupported (error,
        "'%s': refused: a link that leads out of the model's folder", quoted);
  } else {
    opened = srgan_source_open (real_path, error);
  }
  free (real_folder);
  free (real_path);
  return opened;
}

gboolean
srgan_source_has_bytes (
    SrganSource *source, gsize offset, const void *bytes, gsize n)
{
  return !source->is_folder && offset <= source->size &&
         n <= source->size - offset &&
         memcmp (source->data + offset, bytes, n) == 0;
}

const gchar *
srgan_source_peek_text (SrganSource *source, gsize max, gsize *length)
{
  const gchar *text = (const gchar *) source->data;
  const gchar *end;

  if (source->is_folder)
    return NULL;
  *length = MIN (max, source->size);
  if (memchr (text, 0, *length) != NULL)
    return NULL;
  /* the limit may cut a character in two */
  if (!g_utf8_validate_len (text, *length, &end) &&
      (*length == source->size || (gsize) (text + *length - end) >= 4))
    return NULL;
  *length = (gsize) (end - text);
  return text;
}
