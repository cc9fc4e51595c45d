/* convert: FlatBuffers that strangers wrote: every step within bounds.
 *
 * The layout is that of FlatBuffers' internals.html: tables with a list of
 * their fields' places, vectors with a count before them, offsets forward.
 * What is missing or out of bounds reads as absent: 0, an empty vector, no
 * table.
 *
 * SPDX-License-Identifier: MIT
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct {
  const guint8 *data;
  gsize size;
  gboolean broken; /* something pointed outside */
} SrganFlatBuffer;

/* Places in the buffer; position 0 is none. */
typedef struct {
  gsize position;
} SrganFlatTable;

typedef struct {
  gsize position; /* of the first item */
  gsize n;
} SrganFlatVector;

SrganFlatTable srgan_flat_get_root (SrganFlatBuffer *buffer);
gboolean srgan_flat_has (
    SrganFlatBuffer *buffer, SrganFlatTable table, guint field);
gint64 srgan_flat_get_int (SrganFlatBuffer *buffer, SrganFlatTable table,
    guint field, gint64 standard); /* 32 bits */
guint8 srgan_flat_get_byte (
    SrganFlatBuffer *buffer, SrganFlatTable table, guint field);
guint64 srgan_flat_get_long (
    SrganFlatBuffer *buffer, SrganFlatTable table, guint field);
gfloat srgan_flat_get_float (
    SrganFlatBuffer *buffer, SrganFlatTable table, guint field);
SrganFlatTable srgan_flat_get_table (
    SrganFlatBuffer *buffer, SrganFlatTable table, guint field);
/* Of items of @size bytes: all of them lie in the buffer. */
SrganFlatVector srgan_flat_get_vector (
    SrganFlatBuffer *buffer, SrganFlatTable table, guint field, gsize size);
/* Text, perhaps not UTF-8, cut at a zero (transfer full); %NULL: none. */
gchar *srgan_flat_get_string (
    SrganFlatBuffer *buffer, SrganFlatTable table, guint field);

/* Items of vectors; @index within. */
SrganFlatTable srgan_flat_vector_get_table (
    SrganFlatBuffer *buffer, SrganFlatVector vector, gsize index);
gint32 srgan_flat_vector_get_int (
    SrganFlatBuffer *buffer, SrganFlatVector vector, gsize index);
gint64 srgan_flat_vector_get_long (
    SrganFlatBuffer *buffer, SrganFlatVector vector, gsize index);
gfloat srgan_flat_vector_get_float (
    SrganFlatBuffer *buffer, SrganFlatVector vector, gsize index);

G_END_DECLS
