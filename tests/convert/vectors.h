/* tests: lists of models, each with a picture and what the network makes of it.
 *
 * SPDX-License-Identifier: MIT
 */
#pragma once

#include <json-glib/json-glib.h>
#include <srgan/srgan-convert.h>

G_BEGIN_DECLS

/* A planar tensor [channel][y][x]. */
typedef struct {
  guint channels;
  guint width;
  guint height;
  gfloat *values;
} Tensor;

/* Of zeros. */
Tensor *tensor_new (guint channels, guint width, guint height);
void tensor_free (Tensor *tensor);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Tensor, tensor_free)

/* Reads a .npy file of float32, [c][y][x] or, when @channels_last, [y][x][c].
 * Aborts when it is anything else. */
Tensor *tensor_load_npy (const gchar *path, gboolean channels_last);
/* A PNG as R'G'B', or as its one channel, over 255. */
Tensor *tensor_load_png (const gchar *path, guint channels);

/* Runs @network and gives its own output; aborts on failure. */
Tensor *tensor_run (
    SrganNetwork *network, SrganPrecision precision, const Tensor *input);

/* The largest absolute difference; aborts when sizes differ. */
gdouble tensor_compare (const Tensor *a, const Tensor *b);

/* The "entries" of FOLDER/LIST.json, or %NULL where there is none. Free
 * @parser afterwards. */
JsonArray *vectors_load (JsonParser *parser, const gchar *folder);

/* Converts the entry's model, runs it and compares; fails the test where it is
 * not within the entry's tolerance. */
void vectors_check (const gchar *folder, JsonObject *entry);

G_END_DECLS
