/* Logs: JSON lines that a parser takes, records whose checksums hold.
 *
 * SPDX-License-Identifier: MIT
 */
#include "train/log.h"

#include <glib/gstdio.h>
#include <math.h>
#include <string.h>

#include "pictures.h"

/* RFC 3720, appendix B.4. */
static void
test_checksum (void)
{
  guint8 zeros[32] = {0}, ones[32], rising[32];

  for (guint i = 0; i < 32; i++) {
    ones[i] = 0xff;
    rising[i] = (guint8) i;
  }
  g_assert_cmphex (srgan_crc32c (zeros, 32), ==, 0x8a9136aa);
  g_assert_cmphex (srgan_crc32c (ones, 32), ==, 0x62a8ab43);
  g_assert_cmphex (srgan_crc32c (rising, 32), ==, 0x46dd794e);
}

static guint32
read_32 (const gchar *data)
{
  guint32 value;

  memcpy (&value, data, 4);
  return GUINT32_FROM_LE (value);
}

static guint32
masked (gconstpointer data, gsize length)
{
  guint32 crc = srgan_crc32c (data, length);

  return (crc >> 15 | crc << 17) + 0xa282ead8;
}

static void
test_files (void)
{
  const SrganLogNumber numbers[] = {
      {"loss", .5}, {"psnr", NAN}, {"rate", 1e-4}};
  g_autofree gchar *parent = test_folder_new (0, 0);
  g_autofree gchar *folder = g_build_filename (parent, "a", "log", NULL);
  g_autofree gchar *lines = g_build_filename (folder, "log.jsonl", NULL);
  g_autofree gchar *preview =
      g_build_filename (folder, "preview-0000009.png", NULL);
  g_autofree gchar *text = NULL, *events = NULL;
  g_autoptr (SrganPicture) picture = srgan_picture_new (6, 2);
  g_autoptr (SrganPicture) again = NULL;
  g_autoptr (GDir) dir = NULL;
  const gchar *name;
  GError *error = NULL;
  gsize length, n_records = 0;

  for (guint i = 0; i < 2; i++) {
    g_autoptr (SrganLog) log = srgan_log_new (folder, &error);

    g_assert_no_error (error);
    g_assert_true (srgan_log_add (log, 7 + i, numbers, 3, &error));
    if (i == 1) {
      g_assert_true (srgan_log_add_picture (log, 9, picture, &error));
    } else {
      /* as a crash leaves it */
      FILE *file = g_fopen (lines, "a");

      fputs ("{\"step\": 8, \"lo", file);
      fclose (file);
    }
  }
  g_assert_true (g_file_get_contents (lines, &text, NULL, NULL));
  g_assert_cmpstr (text, ==,
      "{\"step\": 7, \"loss\": 0.5, \"rate\": 0.0001}\n"
      "{\"step\": 8, \"loss\": 0.5, \"rate\": 0.0001}\n");
  again = srgan_picture_load (preview, &error);
  g_assert_no_error (error);

  dir = g_dir_open (folder, 0, NULL);
  while ((name = g_dir_read_name (dir)) != NULL) {
    g_autofree gchar *path = g_build_filename (folder, name, NULL);

    if (!g_str_has_prefix (name, "events.out.tfevents."))
      continue;
    g_clear_pointer (&events, g_free);
    g_assert_true (g_file_get_contents (path, &events, &length, NULL));
    for (gsize at = 0; at < length; n_records++) {
      gsize n = read_32 (events + at);

      g_assert_cmpuint (at + n + 16, <=, length);
      g_assert_cmphex (read_32 (events + at + 8), ==, masked (events + at, 8));
      g_assert_cmphex (
          read_32 (events + at + 12 + n), ==, masked (events + at + 12, n));
      at += n + 16;
    }
  }
  /* two processes' or one second's: a version each, two lines, a picture */
  g_assert_cmpuint (n_records, ==, 5);
  test_folder_remove (parent);
}

/* A folder that cannot be made is named. */
static void
test_unwritable (void)
{
  GError *error = NULL;

  g_assert_null (srgan_log_new ("/dev/null/log", &error));
  g_assert_error (error, SRGAN_ERROR, SRGAN_ERROR_WRITE);
  g_assert_nonnull (strstr (error->message, "/dev/null/log"));
  g_error_free (error);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/train/log/checksum", test_checksum);
  g_test_add_func ("/train/log/files", test_files);
  g_test_add_func ("/train/log/unwritable", test_unwritable);
  return g_test_run ();
}
