/* convert: channels that do nothing are dropped from a finished network.
 *
 * SPDX-License-Identifier: MIT
 */
#pragma once

#include <srgan/srgan-convert.h>

G_BEGIN_DECLS

/**
 * srgan_network_prune:
 * @network: (transfer full): a finished network
 * @report: gets a remark of what was dropped
 *
 * Drops each channel whose outgoing weights are all zero, and each that is the
 * same everywhere because its own weights are zero, where all that read it can
 * take that constant in: any layer can where it is 0, a convolution only where
 * it sees it beyond the edges, too (1x1, or not padded with zeros). What comes
 * out is what came out before, and the note "dropped-channels" tells how many
 * there were. A network with steps for int8 and one whose maps are
 * compared stay as they are.
 *
 * Returns: (transfer full): @network itself where it has no such channels
 */
SRGAN_API
SrganNetwork *srgan_network_prune (
    SrganNetwork *network, SrganConvertReport *report);

G_END_DECLS
