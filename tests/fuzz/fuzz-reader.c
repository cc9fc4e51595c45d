/* tests: a model reader on bytes that mean harm.
 *
 * With clang's libFuzzer (-fsanitize=fuzzer, main() left out by
 * -DLIBFUZZER) a target for the reader named by READER. Without, a program
 * that reads each file it is given many times, changed at random each time:
 *
 *   fuzz-NAME COUNT FILE...
 *
 * Whatever comes, reading ends with a network or with an error of ours.
 *
 * SPDX-License-Identifier: MIT
 */
#include "convert/prune.h"
#include "convert/reader.h"

#include <glib/gstdio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

gint LLVMFuzzerTestOneInput (const guint8 *data, gsize size);

/* Models that are several files: those of a seed stand one behind the other,
 * with this between. */
static const guint8 mark[] = {0, 0, 'P', 'A', 'R', 'T', 0, 0};

static const struct {
  const gchar *reader;
  const gchar *files[3]; /* the model, and those beside it */
} parts[] = {
    {"ncnn", {"fuzz_x2.param", "fuzz_x2.bin"}},
    {"tensorflow-js", {"model.json", "group1-shard1of1.bin"}},
    {"checkpoint",
        {"fuzz_x2.index", "fuzz_x2.data-00000-of-00001", "fuzz_x2.meta"}},
};

static gchar *folder; /* for what lies beside */

static void
remove_folder (void)
{
  for (guint i = 0; i < G_N_ELEMENTS (parts); i++)
    for (guint j = 0; j < G_N_ELEMENTS (parts[i].files); j++)
      if (parts[i].files[j] != NULL) {
        g_autofree gchar *path =
            g_build_filename (folder, parts[i].files[j], NULL);

        g_unlink (path);
      }
  g_rmdir (folder);
}

/* The model's own bytes; the others become files. */
static gsize
write_parts (
    const guint8 *data, gsize size, const gchar *const *files, gchar **path)
{
  gsize own = size, start = 0;

  if (folder == NULL) {
    folder = g_dir_make_tmp ("srgan-fuzz-XXXXXX", NULL);
    atexit (remove_folder);
  }
  *path = g_build_filename (folder, files[0], NULL);
  for (guint i = 0; i < G_N_ELEMENTS (parts[0].files) && start <= size; i++) {
    const guint8 *end = memmem (data + start, size - start, mark, sizeof mark);
    gsize length = end != NULL ? (gsize) (end - data) - start : size - start;

    if (i == 0) {
      own = length;
    } else if (files[i] != NULL) {
      g_autofree gchar *beside = g_build_filename (folder, files[i], NULL);
      FILE *file = fopen (beside, "wb");

      if (file == NULL || fwrite (data + start, 1, length, file) != length ||
          fclose (file) != 0)
        abort ();
    }
    if (end == NULL)
      break;
    start += length + sizeof mark;
  }
  return own;
}

gint
LLVMFuzzerTestOneInput (const guint8 *data, gsize size)
{
  const SrganConvertOptions options = {.scale = 0};
  g_autofree gchar *path = NULL;
  g_autoptr (GBytes) bytes = NULL;
  g_autoptr (SrganSource) source = NULL;

  for (guint i = 0; i < G_N_ELEMENTS (parts); i++)
    if (strcmp (parts[i].reader, READER) == 0)
      size = write_parts (data, size, parts[i].files, &path);
  /* an allocation of its own, so that reading beyond it is seen */
  bytes = g_bytes_new (data, size);
  source = srgan_source_new_for_bytes (bytes, "fuzz_x2", path);
  for (const SrganReader *reader = srgan_reader_list (); reader->name != NULL;
       reader++) {
    g_auto (SrganConvertReport) report = {0};
    g_autoptr (GError) error = NULL;
    SrganNetwork *network;

    if (strcmp (reader->name, READER) != 0 || !reader->detect (source))
      continue;
    network = reader->read (source, &options, &report, &error);
    if (network != NULL)
      srgan_network_unref (srgan_network_prune (network, &report));
    else if (error == NULL || error->domain != SRGAN_ERROR ||
             !g_utf8_validate (error->message, -1, NULL))
      abort ();
  }
  return 0;
}

#ifndef LIBFUZZER
static void
change (GByteArray *file, GRand *rand)
{
  guint at = (guint) g_rand_int_range (rand, 0, (gint) file->len);
  guint near = MIN (at, 4096u);

  switch (g_rand_int_range (rand, 0, 6)) {
  case 0:
    file->data[at] ^= (guint8) (1 << g_rand_int_range (rand, 0, 8));
    break;
  case 1: /* where headers and pickles are */
    file->data[near % file->len] = (guint8) g_rand_int_range (rand, 0, 256);
    break;
  case 2:
    g_byte_array_set_size (file, MAX (at, 1));
    break;
  case 3:
    memset (file->data + at, 0xff, MIN (8u, file->len - at));
    break;
  case 4:
    g_byte_array_remove_range (file, at, MIN (7u, file->len - at));
    break;
  default:
    memmove (file->data + near % file->len, file->data + at,
        MIN (16u, file->len - MAX (at, near % file->len)));
    break;
  }
}

gint
main (gint argc, gchar **argv)
{
  GRand *rand = g_rand_new_with_seed (1);
  gint count = argc > 1 ? atoi (argv[1]) : 0;

  for (gint i = 2; i < argc; i++) {
    g_autofree gchar *contents = NULL;
    gsize size;

    if (!g_file_get_contents (argv[i], &contents, &size, NULL) || size == 0) {
      g_printerr ("%s: cannot be read\n", argv[i]);
      return 1;
    }
    LLVMFuzzerTestOneInput ((const guint8 *) contents, size);
    for (gint j = 0; j < count; j++) {
      g_autoptr (GByteArray) file = g_byte_array_new ();
      gint n = g_rand_int_range (rand, 1, 4);

      g_byte_array_append (file, (const guint8 *) contents, (guint) size);
      for (gint k = 0; k < n && file->len > 1; k++)
        change (file, rand);
      LLVMFuzzerTestOneInput (file->data, file->len);
    }
  }
  g_rand_free (rand);
  return 0;
}
#endif
