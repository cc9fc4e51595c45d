/* convert: zip archives in memory, with limits on what they unpack to.
 *
 * SPDX-License-Identifier: MIT
 */
#pragma once

#include "convert/source.h"

G_BEGIN_DECLS

typedef struct _SrganArchive SrganArchive;

/* Whether @source begins as a zip archive does. */
SRGAN_API
gboolean srgan_archive_detect (SrganSource *source);

/* Opens the archive; its members together may unpack to a few times its size
 * at most, which weights never reach and zip bombs do. */
SRGAN_API
SrganArchive *srgan_archive_open (SrganSource *source, GError **error);
SRGAN_API
void srgan_archive_free (SrganArchive *archive);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SrganArchive, srgan_archive_free)

SRGAN_API
guint srgan_archive_get_n_members (SrganArchive *archive);
/* With its folders; owned by the archive. */
SRGAN_API
const gchar *srgan_archive_get_name (SrganArchive *archive, guint index);
/* -1 where there is none. */
SRGAN_API
gint srgan_archive_find (SrganArchive *archive, const gchar *name);
/* The first member whose name is @name or ends in "/" and @name; -1. */
SRGAN_API
gint srgan_archive_find_last_part (SrganArchive *archive, const gchar *name);
/* The member unpacked (transfer full). */
SRGAN_API
GBytes *srgan_archive_read (SrganArchive *archive, guint index, GError **error);

G_END_DECLS
