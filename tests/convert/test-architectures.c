/* tests: every architecture at another width, depth and scale than published
 * networks have, against an implementation of its own.
 *
 * SPDX-License-Identifier: MIT
 */
#include "vectors.h"

#include <string.h>

static gchar *folder;

static void
test_entry (gconstpointer data)
{
  vectors_check (folder, (JsonObject *) data);
}

gint
main (gint argc, gchar **argv)
{
  g_autoptr (JsonParser) parser = json_parser_new ();
  JsonArray *entries;
  gint status;

  g_test_init (&argc, &argv, NULL);
  /* made by make-models.py when the tests were built */
  folder = g_test_build_filename (G_TEST_BUILT, "models", NULL);
  entries = vectors_load (parser, folder);
  if (entries == NULL) {
    g_print ("1..0 # SKIP the models were not made: numpy is lacking\n");
    g_free (folder);
    return 0;
  }
  for (guint i = 0; i < json_array_get_length (entries); i++) {
    JsonObject *entry = json_array_get_object_element (entries, i);
    g_autofree gchar *path = g_strconcat (
        "/architectures/", json_object_get_string_member (entry, "id"), NULL);

    g_test_add_data_func (path, entry, test_entry);
  }
  status = g_test_run ();
  g_free (folder);
  return status;
}
