/* convert: TensorFlow's checkpoints: named tensors in an .index and its shards.
 *
 * The index is a table of LevelDB's (table_format.md there); what it holds and
 * how the shards are named is in tensorflow/core/util/tensor_bundle.
 *
 * SPDX-License-Identifier: MIT
 */
#pragma once

#include "convert/graph.h"
#include "convert/source.h"
#include "convert/tensor.h"

G_BEGIN_DECLS

typedef struct _SrganBundle SrganBundle;

/* A tensor as the index tells of it. */
typedef struct {
  gint type; /* TensorFlow's DataType */
  guint rank;
  gint64 dimensions[SRGAN_GRAPH_MAX_RANK];
  gboolean has_sum;
  guint32 sum;       /* masked CRC-32C of its bytes */
  gboolean in_parts; /* a variable spread over several tensors */
  guint64 shard;
  guint64 offset;
  guint64 size;
} SrganBundleEntry;

/* Whether @source is such a table: by its last bytes. */
gboolean srgan_bundle_detect (SrganSource *source);
/* Reads the index; shards are opened beside @index, which must outlive the
 * bundle, when a tensor of theirs is asked for. */
SrganBundle *srgan_bundle_open (SrganSource *index, GError **error);
void srgan_bundle_free (SrganBundle *bundle);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SrganBundle, srgan_bundle_free)

/* Of gchar, sorted by byte as the index is; owned by @bundle. */
GPtrArray *srgan_bundle_get_keys (SrganBundle *bundle);
/* %NULL: there is no such tensor. */
const SrganBundleEntry *srgan_bundle_find (
    SrganBundle *bundle, const gchar *key);
/* The tensor's bytes, checked against its size and sum (transfer full). */
GBytes *srgan_bundle_read_bytes (
    SrganBundle *bundle, const gchar *key, GError **error);
/* The tensor's numbers (transfer full). */
SrganConstant *srgan_bundle_read (
    SrganBundle *bundle, const gchar *key, GError **error);

/* What is the variable's name in a program ("conv2d/kernel"), by the key that
 * an object-based checkpoint has for it; %NULL: nothing is said. Reads the
 * checkpoint's graph of objects when first asked. */
const gchar *srgan_bundle_get_full_name (SrganBundle *bundle, const gchar *key);
/* The other way. */
const gchar *srgan_bundle_find_full_name (
    SrganBundle *bundle, const gchar *full_name);

/* TensorFlow's DataType as ours; FALSE: not one of numbers that we read. */
gboolean srgan_tensorflow_get_dtype (gint type, SrganDtype *dtype);

G_END_DECLS
