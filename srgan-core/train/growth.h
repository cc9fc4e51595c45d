/* train: a network that goes on from a smaller one.
 *
 * SPDX-License-Identifier: MIT
 */
#pragma once

#include <srgan/srgan-network.h>

G_BEGIN_DECLS

/**
 * srgan_grow_network:
 * @design: a chain of convolutions with first weights
 * @start: a chain with no more convolutions and no more channels
 *
 * What is not a convolution, the skip for one, stays @design's. Of another
 * scale than @design, @start gives all but its last convolution.
 *
 * Returns: (transfer full): @design, with such weights that it computes what
 *   @start does, or %NULL with @error set: %SRGAN_ERROR_INVALID
 */
SRGAN_API
SrganNetwork *srgan_grow_network (
    SrganNetwork *design, SrganNetwork *start, GError **error);

G_END_DECLS
