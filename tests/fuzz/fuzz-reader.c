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
#include "convert/reader.h"

#include <stdlib.h>
#include <string.h>

gint LLVMFuzzerTestOneInput (const guint8 *data, gsize size);

gint
LLVMFuzzerTestOneInput (const guint8 *data, gsize size)
{
  const SrganConvertOptions options = {.scale = 0};
  /* an allocation of its own, so that reading beyond it is seen */
  g_autoptr (GBytes) bytes = g_bytes_new (data, size);
  g_autoptr (SrganSource) source =
      srgan_source_new_for_bytes (bytes, "fuzz_x2", NULL);

  for (const SrganReader *reader = srgan_reader_list (); reader->name != NULL;
       reader++) {
    g_auto (SrganConvertReport) report = {0};
    g_autoptr (GError) error = NULL;
    SrganNetwork *network;

    if (strcmp (reader->name, READER) != 0 || !reader->detect (source))
      continue;
    network = reader->read (source, &options, &report, &error);
    if (network != NULL)
      srgan_network_unref (network);
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
