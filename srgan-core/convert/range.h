/* convert: a model's values, found by trying.
 *
 * SPDX-License-Identifier: MIT
 */
#pragma once

#include "convert/graph.h"

G_BEGIN_DECLS

/* What a flat grey picture becomes, at worst, as a part of the range: of a
 * network that takes and gives 0 .. 1. G_MAXDOUBLE where it cannot be run. */
gdouble srgan_range_try (SrganNetwork *network);

/**
 * SrganGraphMake:
 *
 * Fills @graph, in the same way each time; %FALSE with @error set.
 */
typedef gboolean (*SrganGraphMake) (
    SrganGraph *graph, gpointer data, GError **error);

/**
 * srgan_range_build:
 * @make: makes the model's graph, of values that the file does not tell
 *
 * Like srgan_graph_build(), but where neither the file nor @options tell what
 * values the model takes and gives, flat grey pictures are put through it: one
 * that enlarges gives them back. 0 .. 1 is taken (-1 .. 1 where the last layer
 * is a tanh) unless another range is clearly the model's own; the report says
 * so.
 */
SrganNetwork *srgan_range_build (const gchar *name, SrganGraphMake make,
    gpointer data, const SrganConvertOptions *options,
    SrganConvertReport *report, GError **error);

G_END_DECLS
