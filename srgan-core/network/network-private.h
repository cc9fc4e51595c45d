/* network: what the floor's own files share.
 *
 * SPDX-License-Identifier: MIT
 */
#pragma once

#include "network/operations.h"

G_BEGIN_DECLS

#define SRGAN_MAX_SCALE 4
#define SRGAN_MAX_NAME_LENGTH 128
#define SRGAN_MAX_NOTE_LENGTH 65536

/* Checks @layer as if it were added now and works out its shapes, without its
 * weights. */
SRGAN_API
gboolean srgan_network_infer_layer (
    SrganNetwork *network, SrganLayer *layer, GError **error);

/* The nearest IEEE 754 binary16, halves to even; infinite beyond 65504. */
SRGAN_API
guint16 srgan_half_from_float (gfloat value);

/* That no weight is one that binary16 would make infinite. */
SRGAN_API
gboolean srgan_network_check_half (SrganNetwork *network, GError **error);

gboolean srgan_network_is_finished (SrganNetwork *network);

/* What finish and set_note accept. */
gboolean srgan_network_name_is_valid (const gchar *name);
gboolean srgan_network_note_is_valid (const gchar *key, const gchar *value);

G_END_DECLS
