/* convert: unpacking protocol buffers that strangers wrote.
 *
 * SPDX-License-Identifier: MIT
 */
#pragma once

#include <glib.h>
#include <protobuf-c/protobuf-c.h>

G_BEGIN_DECLS

/**
 * SrganProtobuf:
 *
 * An allocator with a budget: a few bytes of a file can ask for a hundred times
 * as much memory.
 */
typedef struct {
  ProtobufCAllocator allocator;
  guint64 left; /* bytes that may still be asked for */
} SrganProtobuf;

/* A budget for a file of @size bytes. */
void srgan_protobuf_init (SrganProtobuf *protobuf, gsize size);

/* Whether @size bytes at @data look like a message: fields one after the other
 * up to the end, or for @max_fields of them, numbered within @mask's bits and
 * of the wire types that @types gives for them (a digit each, by number; '.'
 * for none). Cheap: lengths are skipped, not looked into. @n_found: how many
 * fields of each number there were. */
gboolean srgan_protobuf_looks_like (const guint8 *data, gsize size,
    const gchar *types, guint max_fields, guint n_found[32]);

G_END_DECLS
