/* train: pictures on disk, as 8-bit R'G'B'.
 *
 * SPDX-License-Identifier: MIT
 */
#pragma once

#include <srgan/srgan-error.h>

G_BEGIN_DECLS

/* @rgb: width * height pixels of three bytes, no gaps between rows. */
typedef struct {
  guint width;
  guint height;
  guint8 *rgb;
} SrganPicture;

SRGAN_API
SrganPicture *srgan_picture_new (guint width, guint height);
/* Reads what gdk-pixbuf can: PNG, JPEG, WebP, BMP, TIFF, ... Transparency is
 * dropped: the colours are taken as they lie. The error names the file. */
SRGAN_API
SrganPicture *srgan_picture_load (const gchar *path, GError **error);
/* Writes a PNG under a temporary name and renames it. */
SRGAN_API
gboolean srgan_picture_save (
    const SrganPicture *picture, const gchar *path, GError **error);
SRGAN_API
void srgan_picture_free (SrganPicture *picture);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SrganPicture, srgan_picture_free)

/* Cuts @picture at the right and below to a multiple of @factor. */
SRGAN_API
void srgan_picture_crop (SrganPicture *picture, guint factor);

/* Y' of BT.601 in the limited range, in 8-bit codes (16 .. 235), not rounded:
 * what MATLAB's rgb2ycbcr gives before it rounds. One value for each pixel. */
SRGAN_API
void srgan_picture_get_luma (const SrganPicture *picture, gdouble *luma);

typedef enum {
  SRGAN_LIST_RECURSIVE = 1 << 0, /* subfolders, too */
  SRGAN_LIST_CLIPS = 1 << 1,     /* video files, too: srgan_clip_is_name() */
} SrganListFlags;

/* Paths of the pictures in @folder, by the names' endings, sorted. An empty
 * result is an error that names the folder and says what else is in it. */
SRGAN_API
GPtrArray *srgan_picture_list (
    const gchar *folder, SrganListFlags flags, GError **error);

G_END_DECLS
