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

/* Files that mean harm, each of which has to be refused. */
static void
test_harmful (void)
{
  g_autofree gchar *home = g_build_filename (folder, "harmful", NULL);
  g_autoptr (GError) error = NULL;
  g_autoptr (GDir) files = g_dir_open (home, 0, &error);
  const gchar *name;

  g_assert_no_error (error);
  while ((name = g_dir_read_name (files)) != NULL) {
    g_autofree gchar *path = g_build_filename (home, name, NULL);
    SrganNetwork *network = srgan_convert_read (path, NULL, NULL, &error);

    g_assert_null (network);
    g_assert_cmpuint (error->domain, ==, SRGAN_ERROR);
    g_test_message ("%s", error->message);
    /* by its reader, not because nobody knew it */
    g_assert_null (strstr (error->message, "no model format"));
    g_clear_error (&error);
  }
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
  g_test_add_func ("/architectures/harmful", test_harmful);
  status = g_test_run ();
  g_free (folder);
  return status;
}
