/* convert: zip archives in memory, with limits on what they unpack to.
 *
 * SPDX-License-Identifier: MIT
 */
#include "convert/archive.h"

#include "convert/reader.h"

#include <string.h>
#include <zip.h>

#define MAX_MEMBERS 65536
/* Trained weights shrink by a tenth when deflated; half of them zero, or a
 * JSON text, by a few times. */
#define MAX_RATIO 8
#define MIN_LIMIT (16 * 1024 * 1024)

struct _SrganArchive {
  GBytes *bytes;
  zip_t *zip;
  guint n_members;
  /* What may still be unpacked; members may be asked for again, but not over
   * and over. */
  guint64 left;
};

gboolean
srgan_archive_detect (SrganSource *source)
{
  return srgan_source_has_bytes (source, 0, "PK\3\4", 4);
}

void
srgan_archive_free (SrganArchive *archive)
{
  if (archive->zip != NULL)
    zip_discard (archive->zip);
  g_bytes_unref (archive->bytes);
  g_free (archive);
}

SrganArchive *
srgan_archive_open (SrganSource *source, GError **error)
{
  g_autoptr (SrganArchive) archive = g_new0 (SrganArchive, 1);
  guint64 limit, total = 0;
  zip_source_t *from;
  zip_error_t reason;
  zip_int64_t n;

  archive->bytes = g_bytes_ref (source->bytes);
  zip_error_init (&reason);
  from = zip_source_buffer_create (source->data, source->size, 0, &reason);
  if (from != NULL) {
    archive->zip = zip_open_from_source (from, ZIP_RDONLY, &reason);
    if (archive->zip == NULL)
      zip_source_free (from);
  }
  if (archive->zip == NULL) {
    srgan_convert_corrupt (error, "zip archive: %s (is the file whole?)",
        zip_error_strerror (&reason));
    zip_error_fini (&reason);
    return NULL;
  }
  zip_error_fini (&reason);

  n = zip_get_num_entries (archive->zip, 0);
  if (n < 0 || n > MAX_MEMBERS) {
    srgan_convert_corrupt (
        error, "zip archive: has more than %u members", MAX_MEMBERS);
    return NULL;
  }
  archive->n_members = (guint) n;
  limit = MAX ((guint64) source->size * MAX_RATIO, MIN_LIMIT);
  limit = MIN (limit, SRGAN_SOURCE_MAX_BYTES);
  for (guint i = 0; i < archive->n_members; i++) {
    zip_stat_t status;

    if (zip_stat_index (archive->zip, i, 0, &status) != 0 ||
        !(status.valid & ZIP_STAT_SIZE) || !(status.valid & ZIP_STAT_NAME)) {
      srgan_convert_corrupt (
          error, "zip archive: member %u has no name or size", i);
      return NULL;
    }
    if (!g_uint64_checked_add (&total, total, status.size) || total > limit) {
      srgan_convert_fail (error, SRGAN_ERROR_TOO_LARGE,
          "zip archive: refused: its members unpack to more than "
          "%" G_GUINT64_FORMAT " bytes, from a file of %" G_GSIZE_FORMAT
          ": no weights shrink like that",
          limit, source->size);
      return NULL;
    }
  }
  archive->left = 2 * limit;
  return g_steal_pointer (&archive);
}

guint
srgan_archive_get_n_members (SrganArchive *archive)
{
  return archive->n_members;
}

const gchar *
srgan_archive_get_name (SrganArchive *archive, guint index)
{
  const gchar *name = zip_get_name (archive->zip, index, 0);

  return name != NULL ? name : "";
}

gint
srgan_archive_find (SrganArchive *archive, const gchar *name)
{
  return (gint) zip_name_locate (archive->zip, name, 0);
}

gint
srgan_archive_find_last_part (SrganArchive *archive, const gchar *name)
{
  g_autofree gchar *ending = g_strconcat ("/", name, NULL);

  for (guint i = 0; i < archive->n_members; i++) {
    const gchar *member = srgan_archive_get_name (archive, i);

    if (g_str_equal (member, name) || g_str_has_suffix (member, ending))
      return (gint) i;
  }
  return -1;
}

GBytes *
srgan_archive_read (SrganArchive *archive, guint index, GError **error)
{
  g_autofree gchar *quoted =
      srgan_convert_quote (srgan_archive_get_name (archive, index), -1);
  gchar *contents = NULL;
  zip_file_t *file = NULL;
  zip_stat_t status;
  guint64 n_read = 0;
  gchar beyond;
  gboolean whole = FALSE;

  if (zip_stat_index (archive->zip, index, 0, &status) != 0 ||
      !(status.valid & ZIP_STAT_SIZE)) {
    srgan_convert_corrupt (error, "zip member '%s': has no size", quoted);
    return NULL;
  }
  if (status.size > archive->left) {
    srgan_convert_fail (error, SRGAN_ERROR_TOO_LARGE,
        "zip member '%s': is asked for again and again", quoted);
    return NULL;
  }
  archive->left -= status.size;
  contents = g_try_malloc (MAX (status.size, 1));
  if (contents == NULL) {
    srgan_convert_fail (error, SRGAN_ERROR_TOO_LARGE,
        "zip member '%s': no memory for its %" G_GUINT64_FORMAT " bytes",
        quoted, (guint64) status.size);
    return NULL;
  }
  file = zip_fopen_index (archive->zip, index, 0);
  if (file != NULL) {
    while (n_read < status.size) {
      zip_int64_t n = zip_fread (file, contents + n_read, status.size - n_read);

      if (n <= 0)
        break;
      n_read += (guint64) n;
    }
    /* the checksum is compared at the end */
    whole = n_read == status.size && zip_fread (file, &beyond, 1) == 0;
  }
  if (!whole) {
    srgan_convert_corrupt (error, "zip member '%s': %s", quoted,
        file != NULL && n_read == status.size
            ? "its checksum or size is wrong: the file is damaged"
            : "cannot be unpacked: the file is damaged, cut short or "
              "encrypted");
    g_clear_pointer (&contents, g_free);
  }
  if (file != NULL)
    zip_fclose (file);
  return contents != NULL ? g_bytes_new_take (contents, status.size) : NULL;
}
