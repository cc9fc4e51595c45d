/* convert: FlatBuffers that strangers wrote: every step within bounds.
 *
 * SPDX-License-Identifier: MIT
 */
#include "convert/flatbuffer.h"

#include <string.h>

/* The little-endian number of @n bytes at @position; 0 outside. */
static guint64
read_number (SrganFlatBuffer *buffer, gsize position, gsize n)
{
  guint64 number = 0;

  if (position > buffer->size || n > buffer->size - position) {
    buffer->broken = TRUE;
    return 0;
  }
  for (gsize i = n; i-- > 0;)
    number = number << 8 | buffer->data[position + i];
  return number;
}

static gfloat
to_float (guint64 bits)
{
  guint32 word = (guint32) bits;
  gfloat number;

  memcpy (&number, &word, sizeof number);
  return number;
}

/* What the offset at @position leads to; 0: outside. */
static gsize
follow (SrganFlatBuffer *buffer, gsize position)
{
  gsize offset = (gsize) read_number (buffer, position, 4);

  if (offset == 0 || position > buffer->size ||
      offset > buffer->size - position) {
    buffer->broken = TRUE;
    return 0;
  }
  return position + offset;
}

/* Where the field's own bytes are; 0: absent. */
static gsize
find_field (SrganFlatBuffer *buffer, SrganFlatTable table, guint field)
{
  gint64 list;
  gsize size, offset;

  if (table.position == 0)
    return 0;
  list = (gint64) table.position -
         (gint32) read_number (buffer, table.position, 4);
  if (list < 0 || (guint64) list > buffer->size) {
    buffer->broken = TRUE;
    return 0;
  }
  size = (gsize) read_number (buffer, (gsize) list, 2);
  if (4 + 2 * (gsize) field + 2 > size)
    return 0;
  offset = (gsize) read_number (buffer, (gsize) list + 4 + 2 * field, 2);
  return offset != 0 ? table.position + offset : 0;
}

SrganFlatTable
srgan_flat_get_root (SrganFlatBuffer *buffer)
{
  return (SrganFlatTable){follow (buffer, 0)};
}

gboolean
srgan_flat_has (SrganFlatBuffer *buffer, SrganFlatTable table, guint field)
{
  return find_field (buffer, table, field) != 0;
}

gint64
srgan_flat_get_int (
    SrganFlatBuffer *buffer, SrganFlatTable table, guint field, gint64 standard)
{
  gsize at = find_field (buffer, table, field);

  return at != 0 ? (gint32) read_number (buffer, at, 4) : standard;
}

guint8
srgan_flat_get_byte (SrganFlatBuffer *buffer, SrganFlatTable table, guint field)
{
  gsize at = find_field (buffer, table, field);

  return at != 0 ? (guint8) read_number (buffer, at, 1) : 0;
}

guint64
srgan_flat_get_long (SrganFlatBuffer *buffer, SrganFlatTable table, guint field)
{
  gsize at = find_field (buffer, table, field);

  return at != 0 ? read_number (buffer, at, 8) : 0;
}

gfloat
srgan_flat_get_float (
    SrganFlatBuffer *buffer, SrganFlatTable table, guint field)
{
  gsize at = find_field (buffer, table, field);

  return at != 0 ? to_float (read_number (buffer, at, 4)) : 0.f;
}

SrganFlatTable
srgan_flat_get_table (
    SrganFlatBuffer *buffer, SrganFlatTable table, guint field)
{
  gsize at = find_field (buffer, table, field);

  return (SrganFlatTable){at != 0 ? follow (buffer, at) : 0};
}

SrganFlatVector
srgan_flat_get_vector (
    SrganFlatBuffer *buffer, SrganFlatTable table, guint field, gsize size)
{
  gsize at = find_field (buffer, table, field);
  SrganFlatVector vector = {0, 0};

  if (at != 0)
    at = follow (buffer, at);
  if (at == 0)
    return vector;
  vector.n = (gsize) read_number (buffer, at, 4);
  vector.position = at + 4;
  if (vector.position > buffer->size ||
      vector.n > (buffer->size - vector.position) / size) {
    buffer->broken = TRUE;
    return (SrganFlatVector){0, 0};
  }
  return vector;
}

gchar *
srgan_flat_get_string (
    SrganFlatBuffer *buffer, SrganFlatTable table, guint field)
{
  SrganFlatVector text = srgan_flat_get_vector (buffer, table, field, 1);

  return text.position != 0
             ? g_strndup ((const gchar *) buffer->data + text.position, text.n)
             : NULL;
}

SrganFlatTable
srgan_flat_vector_get_table (
    SrganFlatBuffer *buffer, SrganFlatVector vector, gsize index)
{
  return (SrganFlatTable){follow (buffer, vector.position + 4 * index)};
}

gint32
srgan_flat_vector_get_int (
    SrganFlatBuffer *buffer, SrganFlatVector vector, gsize index)
{
  return (gint32) read_number (buffer, vector.position + 4 * index, 4);
}

gint64
srgan_flat_vector_get_long (
    SrganFlatBuffer *buffer, SrganFlatVector vector, gsize index)
{
  return (gint64) read_number (buffer, vector.position + 8 * index, 8);
}

gfloat
srgan_flat_vector_get_float (
    SrganFlatBuffer *buffer, SrganFlatVector vector, gsize index)
{
  return to_float (read_number (buffer, vector.position + 4 * index, 4));
}
