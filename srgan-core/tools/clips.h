/* tools: networks scored on compressed video.
 *
 * SPDX-License-Identifier: MIT
 */
#pragma once

#include "train/score.h"

#include <srgan/srgan.h>

G_BEGIN_DECLS

typedef struct {
  const gchar *path;
  guint crf;
  guint n_frames; /* from the start; 0: all */
  guint scale;
  guint threads;
  SrganPrecision precision;
} ToolClipSettings;

/* Reduces the luma and chroma of the clip with MATLAB's bicubic, sends it
 * through x264, and scores the luma of what each of @networks makes of it, and
 * then Lanczos and bicubic enlargement: @scores, one more than those by two,
 * means over the frames. Returns the number of frames, 0 with @error set. */
guint tool_score_clip (const ToolClipSettings *settings,
    SrganNetwork **networks, guint n_networks, SrganScore *scores,
    GError **error);

G_END_DECLS
