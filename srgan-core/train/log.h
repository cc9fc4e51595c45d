/* train: what a run tells other programs: JSON lines, TensorBoard's event file,
 * previews.
 *
 * SPDX-License-Identifier: MIT
 */
#pragma once

#include "train/picture.h"

G_BEGIN_DECLS

typedef struct _SrganLog SrganLog;

/* A named number of a step; those that are NAN are left out. */
typedef struct {
  const gchar *name;
  gdouble value;
} SrganLogNumber;

/* Makes @folder if needed. Lines are added to its log.jsonl; each process
 * begins an event file of its own, as TensorBoard wants it. */
SRGAN_API
SrganLog *srgan_log_new (const gchar *folder, GError **error);
SRGAN_API
void srgan_log_free (SrganLog *log);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SrganLog, srgan_log_free)

/* Both files have it when this returns; %SRGAN_ERROR_WRITE naming the file
 * otherwise. */
SRGAN_API
gboolean srgan_log_add (SrganLog *log, guint step,
    const SrganLogNumber *numbers, guint n, GError **error);
/* Writes preview-STEP.png, and shows it to TensorBoard. */
SRGAN_API
gboolean srgan_log_add_picture (
    SrganLog *log, guint step, const SrganPicture *picture, GError **error);

/* CRC-32C (Castagnoli), the checksum of event files. */
SRGAN_API
guint32 srgan_crc32c (gconstpointer data, gsize length);

G_END_DECLS
