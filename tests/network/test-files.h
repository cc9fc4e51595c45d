/* tests: model files made by hand, to be spoiled.
 *
 * SPDX-License-Identifier: MIT
 */
#pragma once

#include <srgan/srgan-network.h>

G_BEGIN_DECLS

/* A network with one layer of every operation and every activation. */
SrganNetwork *test_network_new_everything (void);

/* @header and @data (n_data bytes) as a file, without any padding. */
GBytes *test_file_new (
    const gchar *header, gsize header_length, gconstpointer data, gsize n_data);

/* What srgan_network_save() writes for @network. */
GBytes *test_file_from_network (SrganNetwork *network);

/* The header's text of @file, and where its tensors begin. */
gchar *test_file_get_header (GBytes *file, gsize *data_position);

/* @text with its first @from replaced by @to; aborts when there is none. */
gchar *test_replace (const gchar *text, const gchar *from, const gchar *to);

G_END_DECLS
