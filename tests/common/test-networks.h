/* tests: networks with seeded random weights, of the kinds that we run.
 *
 * SPDX-License-Identifier: MIT
 */
#pragma once

#include <srgan/srgan-network.h>

G_BEGIN_DECLS

/* A plain chain: conv colour -> channels, n_middle times conv channels ->
 * channels, conv channels -> colour * scale^2, all side x side; pixel shuffle;
 * plus the input enlarged. What is zero takes the value in brackets. */
typedef struct {
  SrganColour colour; /* (Y) */
  guint scale;        /* 1 .. 4 (2) */
  guint channels;     /* (16) */
  guint n_middle;
  guint side;                 /* (3) */
  SrganActivation activation; /* of all convolutions but the last (none) */
  SrganPadding padding;       /* (zero); none is not for this */
  SrganFilter skip;           /* how the input is enlarged (nearest) */
  guint32 seed;
} TestChain;

/* The output stays near the enlarged input: within some 0.2. */
SrganNetwork *test_network_new_chain (const TestChain *chain);

/* SRResNet's shape (Ledig et al. 2017): conv 9x9, PReLU; n_blocks residual
 * blocks; conv and a skip around them all; for each factor of 2 in scale
 * (1, 2 or 4), a conv to 4 times the channels, pixel shuffle, PReLU; conv 9x9.
 */
SrganNetwork *test_network_new_residual (SrganColour colour, guint scale,
    guint channels, guint n_blocks, guint32 seed);

/* A copy of @network in which the maps of all convolutions but the last have
 * steps, if a convolution reads them, and so have those of additions of such
 * maps: channels' own where convolutions alone read them. Every other
 * convolution has codes, and a bias of its own for int8. The steps are for maps
 * within some +-2. */
SrganNetwork *test_network_new_quantised (SrganNetwork *network, guint32 seed);

/* Adds @layer with random weights of the right shapes; aborts when it cannot
 * be added. @layer's own weights are not looked at. @gain times the size that
 * keeps the variance of what passes through (He et al. 2015). */
gint test_network_add_random_layer (
    SrganNetwork *network, const SrganLayer *layer, gdouble gain, GRand *rand);

/* Whether all that the two hold is equal, bit for bit; reports the first
 * difference through g_test_message(). */
gboolean test_networks_equal (SrganNetwork *a, SrganNetwork *b);

G_END_DECLS
