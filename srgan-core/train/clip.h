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

/* Whether 0 is black in the file's luma, not 16. */
SRGAN_API
gboolean srgan_clip_is_full_range (const SrganClip *clip);

/* The next frame, rows without gaps; NULL without an error: there is none left.
 * (transfer full) */
SRGAN_API
guint8 *srgan_clip_read (SrganClip *clip, GError **error);
/* The first frame after the one read last that is shown at @seconds or later:
 * seeks where that is far, else reads on. (transfer full) */
SRGAN_API
guint8 *srgan_clip_read_at (SrganClip *clip, gdouble seconds, GError **error);
/* When the frame read last is shown, in seconds; -1: there was none. */
SRGAN_API
gdouble srgan_clip_get_time (const SrganClip *clip);

/* Whether @path ends as video files do. */
SRGAN_API
gboolean srgan_clip_is_name (const gchar *path);

G_END_DECLS
