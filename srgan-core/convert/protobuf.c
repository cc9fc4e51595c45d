/* convert: unpacking protocol buffers that strangers wrote.
 *
 * SPDX-License-Identifier: MIT
 */
#include "convert/protobuf.h"

#include <string.h>

/* Before each piece, its size: freeing gives it back to the budget. */
#define PREFIX 16

static void *
allocate (void *data, size_t size)
{
  SrganProtobuf *self = data;
  guint8 *piece;

  if (size > G_MAXSIZE - PREFIX || size + PREFIX > self->left)
    return NULL;
  piece = g_try_malloc (size + PREFIX);
  if (piece == NULL)
    return NULL;
  self->left -= size + PREFIX;
  memcpy (piece, &size, sizeof size);
  return piece + PREFIX;
}

static void
release (void *data, void *pointer)
{
  SrganProtobuf *self = data;
  guint8 *piece = pointer;
  size_t size;

  if (piece == NULL)
    return;
  piece -= PREFIX;
  memcpy (&size, piece, sizeof size);
  self->left += size + PREFIX;
  g_free (piece);
}

void
srgan_protobuf_init (SrganProtobuf *protobuf, gsize size)
{
  protobuf->allocator.alloc = allocate;
  protobuf->allocator.free = release;
  protobuf->allocator.allocator_data = protobuf;
  /* tensors are bytes, copied once; nodes are small */
  protobuf->left = (guint64) size + size / 2 + 48 * 1024 * 1024;
}

static gboolean
read_varint (const guint8 *data, gsize size, gsize *offset, guint64 *value)
{
  *value = 0;
  for (guint shift = 0; shift < 64; shift += 7) {
    guint8 byte;

    if (*offset >= size)
      return FALSE;
    byte = data[(*offset)++];
    *value |= (guint64) (byte & 127) << shift;
    if (byte < 128)
      return TRUE;
  }
  return FALSE;
}

gboolean
srgan_protobuf_looks_like (const guint8 *data, gsize size, const gchar *types,
    guint max_fields, guint n_found[32])
{
  gsize offset = 0;
  gsize n_types = strlen (types);

  memset (n_found, 0, 32 * sizeof *n_found);
  for (guint i = 0; i < max_fields && offset < size; i++) {
    guint64 key, value;

    if (!read_varint (data, size, &offset, &key) || key >> 3 == 0 ||
        key >> 3 >= n_types || (guint64) (types[key >> 3] - '0') != (key & 7))
      return FALSE;
    if (key >> 3 < 32)
      n_found[key >> 3]++;
    switch (key & 7) {
    case 0:
      if (!read_varint (data, size, &offset, &value))
        return FALSE;
      break;
    case 2:
      if (!read_varint (data, size, &offset, &value))
        return FALSE;
      /* a file cut short is still one of this kind */
      offset = value > size - offset ? size : offset + (gsize) value;
      break;
    default:
      return FALSE;
    }
  }
  return size > 0;
}
