/* tools: pictures through a network, and through a bicubic.
 *
 * SPDX-License-Identifier: MIT
 */
#pragma once

#include "train/picture.h"

#include <srgan/srgan.h>

G_BEGIN_DECLS

/* @input at @width x @height, which are @scale times its own, by MATLAB's
 * bicubic. */
SrganPicture *tool_resize (
    const SrganPicture *input, gdouble scale, guint width, guint height);
/* @input as @network enlarges it, or %NULL with @error set. */
SrganPicture *tool_upscale (SrganNetwork *network, guint threads,
    SrganPrecision precision, const SrganPicture *input, GError **error);

G_END_DECLS
