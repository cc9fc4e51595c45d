/* train: the frames of a video file, decoded by GStreamer.
 *
 * SPDX-License-Identifier: MIT
 */
#pragma once

#include "train/codec.h"

G_BEGIN_DECLS

typedef struct _SrganClip SrganClip;

/* @format: SRGAN_CODEC_RGB or SRGAN_CODEC_420, 8 bits. The error names the
 * file. */
SRGAN_API
SrganClip *srgan_clip_open (
    const gchar *path, SrganCodecFormat format, GError **error);
SRGAN_API
void srgan_clip_free (SrganClip *clip);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SrganClip, srgan_clip_free)

SRGAN_API
guint srgan_clip_get_width (const SrganClip *clip);
SRGAN_API
guint srgan_clip_get_height (const SrganClip *clip);
/* Seconds; 0: unknown. */
SRGAN_API
gdouble srgan_clip_get_duration (const SrganClip *clip);

/* Goes to the frame at @seconds, to be read next. */
SRGAN_API
gboolean srgan_clip_seek (SrganClip *clip, gdouble seconds, GError **error);
/* The next frame, rows without gaps; NULL without an error: there is none left.
 * (transfer full) */
SRGAN_API
guint8 *srgan_clip_read (SrganClip *clip, GError **error);

/* Whether @path ends as video files do. */
SRGAN_API
gboolean srgan_clip_is_name (const gchar *path);

G_END_DECLS
