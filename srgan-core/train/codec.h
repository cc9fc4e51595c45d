/* train: frames through a lossy codec and back, as people's material has been.
 *
 * GStreamer does it: x264enc and whichever H.264 decoder is there, jpegenc and
 * jpegdec. One thread each, so that the same frames give the same bytes.
 *
 * SPDX-License-Identifier: MIT
 */
#pragma once

#include <srgan/srgan-error.h>

G_BEGIN_DECLS

typedef enum {
  SRGAN_CODEC_X264,
  SRGAN_CODEC_JPEG,
} SrganCodecKind;

/* What frames hold: luma codes of the limited range, or R'G'B' pixel by pixel,
 * or planes of 4:2:0 one after the other, chroma of (size + 1) / 2. */
typedef enum {
  SRGAN_CODEC_LUMA,
  SRGAN_CODEC_RGB,
  SRGAN_CODEC_420,
} SrganCodecFormat;

typedef struct {
  SrganCodecKind kind;
  SrganCodecFormat format;
  guint quality;       /* x264: CRF; JPEG: 1 .. 100 */
  const gchar *preset; /* x264's: "medium" */
  guint width;
  guint height;
} SrganCodecSettings;

/* Bytes of one frame, rows without gaps. */
SRGAN_API
gsize srgan_codec_get_frame_length (const SrganCodecSettings *settings);

/* Fails, naming what is missing and the package that has it, where the codec
 * cannot be had. */
SRGAN_API
gboolean srgan_codec_check (SrganCodecKind kind, GError **error);

/* Encodes @n_frames, one after the other in @frames, as one stream of 25 a
 * second, and puts what is decoded in their place. Any number of threads may
 * call it. */
SRGAN_API
gboolean srgan_codec_run (const SrganCodecSettings *settings, guint8 *frames,
    guint n_frames, GError **error);

G_END_DECLS
