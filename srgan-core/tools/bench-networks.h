/* tools: the networks that engines are compared on, with seeded random weights.
 *
 * What a network costs does not depend on what it has learned. These four span
 * the shapes that people run; srgan-bench --suite measures them, and
 * tests/bench writes them out for other engines.
 *
 * SPDX-License-Identifier: MIT
 */
#pragma once

#include <srgan/srgan-network.h>

G_BEGIN_DECLS

typedef struct {
  const gchar *name;
  const gchar *summary;
  guint scale;
  guint width, height; /* of the frame that it is measured on, in pixels */
} BenchNetwork;

/* g1 .. g4; ends with a NULL name. All take and give R'G'B'.
 *
 * g1, g2, g3: conv 3x3 3 -> n, m times conv 3x3 n -> n, each with PReLU, conv
 * 3x3 to 3 scale^2, pixel shuffle, plus the input repeated; (n, m) = (16, 4),
 * (32, 8), (64, 16), the last being the shape of realesr-animevideov3.
 *
 * g4: the generator of SRResNet and SRGAN (Ledig et al. 2017), batch norms
 * folded: conv 9x9 3 -> 64, 16 residual blocks, 2 times conv 3x3 64 -> 256 and
 * pixel shuffle, conv 9x9 64 -> 3. */
extern const BenchNetwork bench_networks[];

/* Whether a network is called so. */
gboolean bench_network_exists (const gchar *name);

/* @leaky: leaky ReLU of slope 0.1 in the place of every PReLU, for engines
 * that fuse no other into 8-bit convolutions.
 *
 * The same weights on every machine. Returns: (transfer full): the network, of
 * the name asked for, or %NULL with @error set. */
SrganNetwork *bench_network_new (
    const gchar *name, gboolean leaky, GError **error);

/* The leaky twin, made ready for int8 on noise: for timings, and to tell sense
 * from nonsense. Returns: (transfer full): the network or %NULL with @error
 * set: %SRGAN_ERROR_UNSUPPORTED in a build without the conversion library. */
SrganNetwork *bench_network_new_int8 (const gchar *name, GError **error);

G_END_DECLS
