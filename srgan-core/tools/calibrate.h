/* tools: srgan-convert --int8: the pictures that calibration looks at.
 *
 * SPDX-License-Identifier: MIT
 */
#pragma once

#include <srgan/srgan-network.h>

G_BEGIN_DECLS

/* Calibrates @network on pictures of @folder, progress on stderr where that is
 * a terminal; Ctrl-C is SRGAN_ERROR_CANCELLED. (transfer full) */
SrganNetwork *tool_calibrate (
    SrganNetwork *network, const gchar *folder, GError **error);

G_END_DECLS
