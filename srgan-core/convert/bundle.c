/* convert: TensorFlow's checkpoints: named tensors in an .index and its shards.
 *
 * SPDX-License-Identifier: MIT
 */
#include "convert/bundle.h"

#include "convert/protobuf.h"
#include "convert/reader.h"

#include "tensorflow.pb-c.h"

#include <string.h>

/* An index has a line for each tensor, not the tensors. */
#define MAX_INDEX_BYTES (32u << 20)
/* All keys, all values and all blocks unpacked. */
#define MAX_UNPACKED_BYTES (64u << 20)
#define MAX_KEY_BYTES 4096
#define MAX_ENTRIES 100000
#define FOOTER_BYTES 48
/* After a block: how it is compressed, and its sum. */
#define TRAILER_BYTES 5

static const guint8 magic[8] = {0x57, 0xfb, 0x80, 0x8b, 0x24, 0x75, 0x47, 0xdb};

#define OBJECTS_KEY "_CHECKPOINTABLE_OBJECT_GRAPH"

struct _SrganBundle {
  SrganSource *index; /* not owned */
  gchar *stem;        /* of the shards' names */
  guint n_shards;
  GPtrArray *keys;     /* of gchar */
  GHashTable *entries; /* key -> SrganBundleEntry; keys are @keys' */
  GHashTable *shards;  /* number -> SrganSource */
  guint64 left;        /* bytes that may still be unpacked */

  gboolean has_names;
  GHashTable *full_names; /* key -> full name */
  GHashTable *by_name;    /* full name -> key */
};

/* --- Bytes --------------------------------------------------------------- */

typedef struct {
  const guint8 *data;
  gsize size;
} Span;

static gboolean
read_varint (Span *span, guint64 *value)
{
  *value = 0;
  for (guint shift = 0; shift < 64 && span->size > 0; shift += 7) {
    guint8 byte = *span->data++;

    span->size--;
    *value |= (guint64) (byte & 127) << shift;
    if (byte < 128)
      return TRUE;
  }
  return FALSE;
}

static guint32
read_32 (const guint8 *data)
{
  return (guint32) data[0] | (guint32) data[1] << 8 | (guint32) data[2] << 16 |
         (guint32) data[3] << 24;
}

/* CRC-32C (Castagnoli, RFC 3720 appendix B.4), as tables and shards have it,
 * eight bytes at a time. */
static const guint32 (*get_sum_table (void))[256]
{
  static guint32 table[8][256];
  static gsize filled;

  if (g_once_init_enter (&filled)) {
    for (guint i = 0; i < 256; i++) {
      guint32 sum = i;

      for (guint j = 0; j < 8; j++)
        sum = sum >> 1 ^ (sum & 1 ? 0x82f63b78u : 0);
      table[0][i] = sum;
    }
    for (guint i = 0; i < 256; i++)
      for (guint j = 1; j < 8; j++)
        table[j][i] = table[j - 1][i] >> 8 ^ table[0][table[j - 1][i] & 255];
    g_once_init_leave (&filled, 1);
  }
  return (const guint32 (*)[256]) table;
}

static guint32
get_masked_sum (const guint8 *data, gsize n)
{
  const guint32 (*table)[256] = get_sum_table ();
  guint32 sum = ~0u;

  for (; n >= 8; n -= 8, data += 8) {
    guint32 low = sum ^ read_32 (data), high = read_32 (data + 4);

    sum = table[7][low & 255] ^ table[6][low >> 8 & 255] ^
          table[5][low >> 16 & 255] ^ table[4][low >> 24] ^
          table[3][high & 255] ^ table[2][high >> 8 & 255] ^
          table[1][high >> 16 & 255] ^ table[0][high >> 24];
  }
  for (; n > 0; n--)
    sum = sum >> 8 ^ table[0][(sum ^ *data++) & 255];
  sum = ~sum;
  /* LevelDB's mask: sums of what holds sums are poor ones */
  return (sum >> 15 | sum << 17) + 0xa282ead8u;
}

/* Snappy's format_description.txt: a length, then literals and copies. */
static GByteArray *
unpack_snappy (Span packed, guint64 limit)
{
  GByteArray *bytes;
  guint64 length;

  if (!read_varint (&packed, &length) || length > limit)
    return NULL;
  bytes = g_byte_array_new ();
  while (packed.size > 0) {
    guint8 tag = *packed.data++;
    gsize n, extra, offset = 0;

    packed.size--;
    if ((tag & 3) == 0) {
      n = tag >> 2;
      extra = n < 60 ? 0 : n - 59;
      if (extra > packed.size)
        break;
      if (extra > 0) {
        n = 0;
        for (gsize i = 0; i < extra; i++)
          n |= (gsize) packed.data[i] << 8 * i;
      }
      n++;
      packed.data += extra;
      packed.size -= extra;
      if (n > packed.size || n > length - bytes->len)
        break;
      g_byte_array_append (bytes, packed.data, (guint) n);
      packed.data += n;
      packed.size -= n;
      continue;
    }
    extra = (tag & 3) == 1 ? 1 : (tag & 3) == 2 ? 2 : 4;
    if (extra > packed.size)
      break;
    for (gsize i = 0; i < extra; i++)
      offset |= (gsize) packed.data[i] << 8 * i;
    packed.data += extra;
    packed.size -= extra;
    if ((tag & 3) == 1) {
      n = 4 + (tag >> 2 & 7);
      offset |= (gsize) (tag >> 5) << 8;
    } else {
      n = 1 + (tag >> 2);
    }
    if (offset == 0 || offset > bytes->len || n > length - bytes->len)
      break;
    /* byte by byte: a copy may read what it writes */
    for (gsize i = 0; i < n; i++) {
      guint8 byte = bytes->data[bytes->len - offset];

      g_byte_array_append (bytes, &byte, 1);
    }
  }
  if (packed.size > 0 || bytes->len != length) {
    g_byte_array_unref (bytes);
    return NULL;
  }
  return bytes;
}

/* --- The table ----------------------------------------------------------- */

typedef gboolean (*Visit) (SrganBundle *self, const gchar *key, gsize n_key,
    Span value, GError **error);

static gboolean
fail_table (GError **error, const gchar *what)
{
  return srgan_convert_corrupt (
      error, "checkpoint index: %s (is the file whole?)", what);
}

/* The entries of a block's @content: keys share their beginning with the one
 * before. */
static gboolean
visit_entries (SrganBundle *self, Span content, Visit visit, GError **error)
{
  g_autoptr (GString) key = g_string_new (NULL);
  guint64 n_restarts;

  if (content.size < 4)
    return fail_table (error, "a block without an end");
  /* where keys begin anew, for those who look for one: we read them all */
  n_restarts = read_32 (content.data + content.size - 4);
  if (n_restarts > (content.size - 4) / 4)
    return fail_table (error, "a block of more restarts than bytes");
  content.size -= 4 * (gsize) (n_restarts + 1);
  while (content.size > 0) {
    guint64 n_shared, n_own, n_value;
    Span value;

    if (!read_varint (&content, &n_shared) || !read_varint (&content, &n_own) ||
        !read_varint (&content, &n_value) || n_shared > key->len ||
        n_own > content.size || n_value > content.size - n_own)
      return fail_table (error, "an entry beyond its block");
    if (n_shared + n_own > MAX_KEY_BYTES)
      return fail_table (error, "a name of more than 4096 bytes");
    if (n_shared + n_own + n_value > self->left)
      return srgan_convert_fail (error, SRGAN_ERROR_TOO_LARGE,
          "checkpoint index: unpacks to more than %u MB",
          MAX_UNPACKED_BYTES >> 20);
    self->left -= n_shared + n_own + n_value;
    g_string_truncate (key, (gsize) n_shared);
    g_string_append_len (key, (const gchar *) content.data, (gssize) n_own);
    value.data = content.data + n_own;
    value.size = (gsize) n_value;
    content.data += n_own + n_value;
    content.size -= (gsize) (n_own + n_value);
    if (!visit (self, key->str, key->len, value, error))
      return FALSE;
  }
  return TRUE;
}

/* The block that @handle leads to. Its sum is compared when all else was found
 * right, so that nobody needs a right sum to try the rest. */
static gboolean
visit_block (SrganBundle *self, Span handle, Visit visit, GError **error)
{
  g_autoptr (GByteArray) unpacked = NULL;
  const SrganSource *index = self->index;
  guint64 offset, size;
  const guint8 *block;
  Span content;

  if (!read_varint (&handle, &offset) || !read_varint (&handle, &size) ||
      offset > index->size || size > index->size - offset ||
      index->size - offset - size < TRAILER_BYTES)
    return fail_table (error, "a block beyond its end");
  block = index->data + offset;
  content.data = block;
  content.size = (gsize) size;
  if (block[size] == 1) {
    unpacked = unpack_snappy (content, self->left);
    if (unpacked == NULL)
      return fail_table (error, "a block that Snappy did not make");
    self->left -= unpacked->len;
    content.data = unpacked->data;
    content.size = unpacked->len;
  } else if (block[size] != 0) {
    return srgan_convert_unsupported (error,
        "checkpoint index: compression %u is not supported", block[size]);
  }
  if (!visit_entries (self, content, visit, error))
    return FALSE;
  if (get_masked_sum (block, (gsize) size + 1) != read_32 (block + size + 1))
    return fail_table (error, "a block's checksum does not match");
  return TRUE;
}

static gboolean
read_header (SrganBundle *self, Span value, GError **error)
{
  SrganProtobuf protobuf;
  Srgan__Tf__BundleHeader *header;
  gboolean done = TRUE;

  srgan_protobuf_init (&protobuf, value.size);
  header = srgan__tf__bundle_header__unpack (
      &protobuf.allocator, value.size, value.data);
  if (header == NULL)
    return fail_table (error, "no valid header");
  if (header->endianness != 0)
    done = srgan_convert_unsupported (error,
        "a checkpoint of a big-endian machine: save it again on another");
  else if (header->num_shards < 1 || header->num_shards > 99999)
    done = fail_table (error, "a number of shards that cannot be");
  else
    self->n_shards = (guint) header->num_shards;
  srgan__tf__bundle_header__free_unpacked (header, &protobuf.allocator);
  return done;
}

static gboolean
visit_tensor (SrganBundle *self, const gchar *key, gsize n_key, Span value,
    GError **error)
{
  SrganProtobuf protobuf;
  Srgan__Tf__BundleEntry *message;
  SrganBundleEntry *entry;
  gchar *name;

  if (n_key == 0)
    return read_header (self, value, error);
  if (self->keys->len >= MAX_ENTRIES)
    return srgan_convert_fail (error, SRGAN_ERROR_TOO_LARGE,
        "checkpoint index: more than %u tensors", MAX_ENTRIES);
  if (memchr (key, 0, n_key) != NULL || !g_utf8_validate_len (key, n_key, NULL))
    return fail_table (error, "a name that is no text");
  if (g_hash_table_contains (self->entries, key))
    return fail_table (error, "a name that is there twice");
  srgan_protobuf_init (&protobuf, value.size);
  message = srgan__tf__bundle_entry__unpack (
      &protobuf.allocator, value.size, value.data);
  if (message == NULL)
    return fail_table (error, "an entry that tells of no tensor");
  entry = g_new0 (SrganBundleEntry, 1);
  name = g_strdup (key);
  g_ptr_array_add (self->keys, name);
  g_hash_table_insert (self->entries, name, entry);
  entry->type = message->dtype;
  entry->in_parts = message->n_slices > 0;
  entry->has_sum = message->has_crc32c;
  entry->sum = message->crc32c;
  entry->shard = (guint64) message->shard_id;
  entry->offset = (guint64) message->offset;
  entry->size = (guint64) message->size;
  if (message->shape != NULL) {
    /* one that nobody asks for may be as odd as it likes */
    entry->in_parts |= message->shape->n_dim > SRGAN_GRAPH_MAX_RANK;
    entry->rank = (guint) MIN (message->shape->n_dim, SRGAN_GRAPH_MAX_RANK);
    for (guint i = 0; i < entry->rank; i++)
      entry->dimensions[i] = message->shape->dim[i]->size;
  }
  srgan__tf__bundle_entry__free_unpacked (message, &protobuf.allocator);
  return TRUE;
}

static gboolean
visit_index (SrganBundle *self, const gchar *key, gsize n_key, Span value,
    GError **error)
{
  return visit_block (self, value, visit_tensor, error);
}

/* --- Opening ------------------------------------------------------------- */

gboolean
srgan_bundle_detect (SrganSource *source)
{
  return !source->is_folder && source->size >= FOOTER_BYTES &&
         srgan_source_has_bytes (
             source, source->size - sizeof magic, magic, sizeof magic);
}

static void
free_source (gpointer data)
{
  srgan_source_free (data);
}

void
srgan_bundle_free (SrganBundle *bundle)
{
  g_free (bundle->stem);
  g_ptr_array_unref (bundle->keys);
  g_hash_table_unref (bundle->entries);
  g_hash_table_unref (bundle->shards);
  g_hash_table_unref (bundle->full_names);
  g_hash_table_unref (bundle->by_name);
  g_free (bundle);
}

/* What the shards' names begin with: the index's without its ending. */
static gchar *
get_stem (SrganSource *index)
{
  gchar *stem =
      g_path_get_basename (index->path != NULL ? index->path : index->name);

  if (g_str_has_suffix (stem, ".index"))
    stem[strlen (stem) - strlen (".index")] = '\0';
  return stem;
}

SrganBundle *
srgan_bundle_open (SrganSource *index, GError **error)
{
  g_autoptr (SrganBundle) self = g_new0 (SrganBundle, 1);
  guint64 ignored;
  Span footer;

  self->index = index;
  self->stem = get_stem (index);
  self->left = MAX_UNPACKED_BYTES;
  self->keys = g_ptr_array_new_with_free_func (g_free);
  self->entries = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, g_free);
  self->shards = g_hash_table_new_full (NULL, NULL, NULL, free_source);
  self->full_names =
      g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  self->by_name =
      g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  if (!srgan_bundle_detect (index)) {
    fail_table (error, "it does not end as one");
    return NULL;
  }
  if (index->size > MAX_INDEX_BYTES) {
    srgan_convert_fail (error, SRGAN_ERROR_TOO_LARGE,
        "checkpoint index: more than %u MB", MAX_INDEX_BYTES >> 20);
    return NULL;
  }
  footer.data = index->data + index->size - FOOTER_BYTES;
  footer.size = FOOTER_BYTES - sizeof magic;
  /* the place of an index of filters, which there are none of, then ours */
  if (!read_varint (&footer, &ignored) || !read_varint (&footer, &ignored)) {
    fail_table (error, "its end is broken");
    return NULL;
  }
  if (!visit_block (self, footer, visit_index, error))
    return NULL;
  if (self->n_shards == 0) {
    fail_table (error, "there is no header");
    return NULL;
  }
  return g_steal_pointer (&self);
}

/* --- Tensors ------------------------------------------------------------- */

GPtrArray *
srgan_bundle_get_keys (SrganBundle *bundle)
{
  return bundle->keys;
}

const SrganBundleEntry *
srgan_bundle_find (SrganBundle *bundle, const gchar *key)
{
  return g_hash_table_lookup (bundle->entries, key);
}

static SrganSource *
open_shard (SrganBundle *self, guint64 number, GError **error)
{
  g_autofree gchar *name = NULL;
  gpointer key = GUINT_TO_POINTER ((guint) number + 1);
  SrganSource *shard;

  if (number >= self->n_shards) {
    srgan_convert_corrupt (error, "lies in shard %" G_GUINT64_FORMAT " of %u",
        number, self->n_shards);
    return NULL;
  }
  shard = g_hash_table_lookup (self->shards, key);
  if (shard != NULL)
    return shard;
  name = g_strdup_printf (
      "%s.data-%05u-of-%05u", self->stem, (guint) number, self->n_shards);
  shard = srgan_source_open_beside (self->index, name, error);
  if (shard != NULL)
    g_hash_table_insert (self->shards, key, shard);
  return shard;
}

GBytes *
srgan_bundle_read_bytes (SrganBundle *self, const gchar *key, GError **error)
{
  const SrganBundleEntry *entry = srgan_bundle_find (self, key);
  g_autofree gchar *quoted = srgan_convert_quote (key, -1);
  SrganSource *shard;

  if (entry == NULL) {
    srgan_convert_corrupt (
        error, "variable '%s' is not in the checkpoint", quoted);
    return NULL;
  }
  if (entry->in_parts) {
    srgan_convert_unsupported (error,
        "variable '%s' is kept in parts, which is not supported: save the "
        "model again without a partitioner",
        quoted);
    return NULL;
  }
  shard = open_shard (self, entry->shard, error);
  if (shard == NULL) {
    g_prefix_error (error, "variable '%s': ", quoted);
    return NULL;
  }
  if (entry->offset > shard->size ||
      entry->size > shard->size - entry->offset) {
    srgan_convert_corrupt (error,
        "variable '%s' lies beyond the end of its shard (is it whole?)",
        quoted);
    return NULL;
  }
  if (entry->has_sum && get_masked_sum (shard->data + entry->offset,
                            (gsize) entry->size) != entry->sum) {
    srgan_convert_corrupt (
        error, "variable '%s': its checksum does not match", quoted);
    return NULL;
  }
  return g_bytes_new_from_bytes (
      shard->bytes, (gsize) entry->offset, (gsize) entry->size);
}

SrganConstant *
srgan_bundle_read (SrganBundle *self, const gchar *key, GError **error)
{
  g_autoptr (GBytes) bytes = srgan_bundle_read_bytes (self, key, error);
  const SrganBundleEntry *entry = srgan_bundle_find (self, key);
  g_autofree gchar *quoted = srgan_convert_quote (key, -1);
  SrganDtype dtype;
  SrganConstant *constant;
  const guint8 *data;
  gfloat *numbers;
  gsize n, size;

  if (bytes == NULL)
    return NULL;
  if (!srgan_tensorflow_get_dtype (entry->type, &dtype)) {
    srgan_convert_unsupported (error,
        "variable '%s': data type %d is not supported", quoted, entry->type);
    return NULL;
  }
  if (!srgan_constant_count (entry->rank, entry->dimensions,
          SRGAN_NAMED_TENSOR_MAX_NUMBERS, &n, error)) {
    g_prefix_error (error, "variable '%s': ", quoted);
    return NULL;
  }
  data = g_bytes_get_data (bytes, &size);
  if (size != n * srgan_dtype_get_size (dtype)) {
    srgan_convert_corrupt (error,
        "variable '%s' has %" G_GSIZE_FORMAT
        " bytes, its shape needs %" G_GSIZE_FORMAT,
        quoted, size, n * srgan_dtype_get_size (dtype));
    return NULL;
  }
#if G_BYTE_ORDER == G_LITTLE_ENDIAN
  if (dtype == SRGAN_DTYPE_FLOAT32 && n > 0 &&
      GPOINTER_TO_SIZE (data) % sizeof (gfloat) == 0)
    return srgan_constant_new_shared (entry->rank, entry->dimensions, n,
        (const gfloat *) (gconstpointer) data, bytes);
#endif
  constant =
      srgan_constant_new_numbers (entry->rank, entry->dimensions, n, &numbers);
  srgan_dtype_to_floats (dtype, data, n, numbers);
  return constant;
}

/* --- Names --------------------------------------------------------------- */

/* A tensor of one string: its length, a sum of that, its bytes. */
static GBytes *
read_string (SrganBundle *self, const gchar *key)
{
  g_autoptr (GBytes) bytes = srgan_bundle_read_bytes (self, key, NULL);
  guint64 length;
  gsize total;
  Span span;

  if (bytes == NULL)
    return NULL;
  span.data = g_bytes_get_data (bytes, &span.size);
  total = span.size;
  if (!read_varint (&span, &length) || span.size < 4 || length != span.size - 4)
    return NULL;
  return g_bytes_new_from_bytes (bytes, total - span.size + 4, (gsize) length);
}

/* Where it is missing or broken, there are no names, and that is all. */
static void
read_names (SrganBundle *self)
{
  g_autoptr (GBytes) bytes = NULL;
  Srgan__Tf__ObjectGraph *objects;
  SrganProtobuf protobuf;
  const guint8 *data;
  gsize size;

  self->has_names = TRUE;
  if (srgan_bundle_find (self, OBJECTS_KEY) == NULL)
    return;
  bytes = read_string (self, OBJECTS_KEY);
  if (bytes == NULL)
    return;
  data = g_bytes_get_data (bytes, &size);
  if (size > MAX_INDEX_BYTES)
    return;
  srgan_protobuf_init (&protobuf, size);
  objects = srgan__tf__object_graph__unpack (&protobuf.allocator, size, data);
  if (objects == NULL)
    return;
  for (gsize i = 0; i < objects->n_nodes; i++)
    for (gsize j = 0; j < objects->nodes[i]->n_attributes; j++) {
      const Srgan__Tf__ObjectAttribute *attribute =
          objects->nodes[i]->attributes[j];
      const gchar *name = attribute->full_name;
      const gchar *key = attribute->checkpoint_key;

      if (name == NULL || *name == '\0' || key == NULL ||
          !g_utf8_validate (name, -1, NULL) ||
          srgan_bundle_find (self, key) == NULL)
        continue;
      g_hash_table_replace (self->full_names, g_strdup (key), g_strdup (name));
      if (!g_hash_table_contains (self->by_name, name))
        g_hash_table_insert (self->by_name, g_strdup (name), g_strdup (key));
    }
  srgan__tf__object_graph__free_unpacked (objects, &protobuf.allocator);
}

const gchar *
srgan_bundle_get_full_name (SrganBundle *self, const gchar *key)
{
  if (!self->has_names)
    read_names (self);
  return g_hash_table_lookup (self->full_names, key);
}

const gchar *
srgan_bundle_find_full_name (SrganBundle *self, const gchar *full_name)
{
  if (!self->has_names)
    read_names (self);
  return g_hash_table_lookup (self->by_name, full_name);
}
