/* train: what a run tells other programs.
 *
 * An event file is a run of TFRecords, each a Protocol Buffers message "Event"
 * (tensorflow/core/util/event.proto); the few fields used are written by hand.
 *
 * SPDX-License-Identifier: MIT
 */
#include "train/log.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct _SrganLog {
  gchar *folder;
  gchar *lines_path;
  gchar *events_path;
  FILE *lines;
  FILE *events;
};

/* --- Event files ------------------------------------------------------- */

guint32
srgan_crc32c (gconstpointer data, gsize length)
{
  const guint8 *bytes = data;
  guint32 crc = 0xffffffff;

  for (gsize i = 0; i < length; i++) {
    crc ^= bytes[i];
    for (guint k = 0; k < 8; k++)
      crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
  }
  return ~crc;
}

/* TFRecord's: so that a checksum of data that holds checksums is no accident.
 */
static guint32
mask (guint32 crc)
{
  return (crc >> 15 | crc << 17) + 0xa282ead8;
}

static void
add_varint (GByteArray *message, guint64 value)
{
  guint8 byte;

  do {
    byte = (value & 0x7f) | (value > 0x7f ? 0x80 : 0);
    g_byte_array_append (message, &byte, 1);
    value >>= 7;
  } while (value > 0);
}

/* Kinds of fields on the wire. */
enum { WIRE_VARINT = 0, WIRE_64_BITS = 1, WIRE_BYTES = 2, WIRE_32_BITS = 5 };

static void
add_field (GByteArray *message, guint number, guint wire)
{
  add_varint (message, number << 3 | wire);
}

static void
add_bytes (GByteArray *message, guint number, gconstpointer bytes, gsize length)
{
  add_field (message, number, WIRE_BYTES);
  add_varint (message, length);
  g_byte_array_append (message, bytes, (guint) length);
}

static void
add_count (GByteArray *message, guint number, guint64 value)
{
  add_field (message, number, WIRE_VARINT);
  add_varint (message, value);
}

static void
add_double (GByteArray *message, guint number, gdouble value)
{
  guint64 bits;

  memcpy (&bits, &value, sizeof bits);
  bits = GUINT64_TO_LE (bits);
  add_field (message, number, WIRE_64_BITS);
  g_byte_array_append (message, (const guint8 *) &bits, sizeof bits);
}

static void
add_float (GByteArray *message, guint number, gfloat value)
{
  guint32 bits;

  memcpy (&bits, &value, sizeof bits);
  bits = GUINT32_TO_LE (bits);
  add_field (message, number, WIRE_32_BITS);
  g_byte_array_append (message, (const guint8 *) &bits, sizeof bits);
}

/* An Event of a moment: wall_time = 1, step = 2. */
static GByteArray *
start_event (guint step)
{
  GByteArray *event = g_byte_array_new ();

  add_double (event, 1, g_get_real_time () * 1e-6);
  add_count (event, 2, step);
  return event;
}

static gboolean
fail (const gchar *path, GError **error)
{
  g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_WRITE, "cannot write %s: %s",
      path, g_strerror (errno));
  return FALSE;
}

/* Writes and frees @event. */
static gboolean
write_event (SrganLog *log, GByteArray *event, GError **error)
{
  guint64 length = GUINT64_TO_LE ((guint64) event->len);
  guint32 length_crc = GUINT32_TO_LE (mask (srgan_crc32c (&length, 8)));
  guint32 crc = GUINT32_TO_LE (mask (srgan_crc32c (event->data, event->len)));
  gboolean done = fwrite (&length, 8, 1, log->events) == 1 &&
                  fwrite (&length_crc, 4, 1, log->events) == 1 &&
                  fwrite (event->data, event->len, 1, log->events) == 1 &&
                  fwrite (&crc, 4, 1, log->events) == 1 &&
                  fflush (log->events) == 0;

  g_byte_array_unref (event);
  return done || fail (log->events_path, error);
}

/* --- The log ----------------------------------------------------------- */

/* Cuts off the line that a crash, or a full disk, left without an end. */
static void
mend_lines (FILE *lines)
{
  gint c;
  glong whole = 0;

  rewind (lines);
  while ((c = getc (lines)) != EOF)
    if (c == '\n')
      whole = ftell (lines);
  /* what cannot be cut stays */
  if (ftruncate (fileno (lines), whole) != 0)
    return;
  fseek (lines, 0, SEEK_END);
}

SrganLog *
srgan_log_new (const gchar *folder, GError **error)
{
  g_autoptr (SrganLog) log = g_new0 (SrganLog, 1);
  g_autofree gchar *name = g_strdup_printf (
      "events.out.tfevents.%010" G_GINT64_FORMAT ".%s.%d.srgan",
      g_get_real_time () / G_USEC_PER_SEC, g_get_host_name (), (int) getpid ());
  GByteArray *event;

  if (g_mkdir_with_parents (folder, 0777) != 0) {
    fail (folder, error);
    return NULL;
  }
  log->folder = g_strdup (folder);
  log->lines_path = g_build_filename (folder, "log.jsonl", NULL);
  log->events_path = g_build_filename (folder, name, NULL);
  log->lines = g_fopen (log->lines_path, "a+");
  if (log->lines == NULL) {
    fail (log->lines_path, error);
    return NULL;
  }
  mend_lines (log->lines);
  log->events = g_fopen (log->events_path, "ab");
  if (log->events == NULL) {
    fail (log->events_path, error);
    return NULL;
  }
  event = start_event (0);
  add_bytes (event, 3, "brain.Event:2", 13); /* file_version */
  return write_event (log, event, error) ? g_steal_pointer (&log) : NULL;
}

void
srgan_log_free (SrganLog *log)
{
  if (log == NULL)
    return;
  if (log->lines != NULL)
    fclose (log->lines);
  if (log->events != NULL)
    fclose (log->events);
  g_free (log->folder);
  g_free (log->lines_path);
  g_free (log->events_path);
  g_free (log);
}

gboolean
srgan_log_add (SrganLog *log, guint step, const SrganLogNumber *numbers,
    guint n, GError **error)
{
  g_autoptr (GString) line = g_string_new (NULL);
  g_autoptr (GByteArray) summary = g_byte_array_new ();
  GByteArray *event;
  gchar buffer[G_ASCII_DTOSTR_BUF_SIZE];

  g_string_printf (line, "{\"step\": %u", step);
  for (guint i = 0; i < n; i++) {
    g_autoptr (GByteArray) value = g_byte_array_new ();

    if (!isfinite (numbers[i].value))
      continue;
    g_ascii_formatd (buffer, sizeof buffer, "%.9g", numbers[i].value);
    g_string_append_printf (line, ", \"%s\": %s", numbers[i].name, buffer);
    /* Summary.Value: tag = 1, simple_value = 2 */
    add_bytes (value, 1, numbers[i].name, strlen (numbers[i].name));
    add_float (value, 2, (gfloat) numbers[i].value);
    add_bytes (summary, 1, value->data, value->len);
  }
  g_string_append (line, "}\n");
  if (fputs (line->str, log->lines) < 0 || fflush (log->lines) != 0)
    return fail (log->lines_path, error);
  event = start_event (step);
  add_bytes (event, 5, summary->data, summary->len); /* summary */
  return write_event (log, event, error);
}

gboolean
srgan_log_add_picture (
    SrganLog *log, guint step, const SrganPicture *picture, GError **error)
{
  g_autofree gchar *name = g_strdup_printf ("preview-%07u.png", step);
  g_autofree gchar *path = g_build_filename (log->folder, name, NULL);
  g_autofree gchar *png = NULL;
  g_autoptr (GByteArray) image = g_byte_array_new ();
  g_autoptr (GByteArray) value = g_byte_array_new ();
  g_autoptr (GByteArray) summary = g_byte_array_new ();
  GByteArray *event;
  gsize length;

  if (!srgan_picture_save (picture, path, error))
    return FALSE;
  if (!g_file_get_contents (path, &png, &length, NULL))
    return fail (path, error);
  /* Summary.Image: height = 1, width = 2, colorspace = 3 (3: RGB), encoded
   * string = 4; Summary.Value: tag = 1, image = 4 */
  add_count (image, 1, picture->height);
  add_count (image, 2, picture->width);
  add_count (image, 3, 3);
  add_bytes (image, 4, png, length);
  add_bytes (value, 1, "preview", 7);
  add_bytes (value, 4, image->data, image->len);
  add_bytes (summary, 1, value->data, value->len);
  event = start_event (step);
  add_bytes (event, 5, summary->data, summary->len);
  return write_event (log, event, error);
}
