/* convert: what kind of network a graph turned out to be.
 *
 * SPDX-License-Identifier: MIT
 */
#pragma once

#include <srgan/srgan-network.h>

G_BEGIN_DECLS

/* "FSRCNN, 56 channels, 8 convolutions": the family, told from the layers, or
 * @name (nullable) where the caller knows better. For a finished network. */
gchar *srgan_family_describe (SrganNetwork *network, const gchar *name);

G_END_DECLS
