/* tools: what every program here does alike: options, errors, exit codes,
 * tables.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tool.h"

#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const gchar *program = "srgan";

void
tool_parse (gint *argc, gchar ***argv, const gchar *name,
    const gchar *parameters, const gchar *summary, const gchar *description,
    const GOptionEntry *entries, gint min_arguments, gint max_arguments)
{
  gboolean version = FALSE;
  const GOptionEntry common[] = {
      {"version", 0, 0, G_OPTION_ARG_NONE, &version,
          "Print the version and exit", NULL},
      {NULL},
  };
  GOptionContext *context = g_option_context_new (parameters);
  g_autoptr (GError) error = NULL;
  gboolean parsed;

  program = name;
  g_set_prgname (name);
  setlocale (LC_ALL, "");
  setlocale (LC_NUMERIC, "C");

  g_option_context_set_summary (context, summary);
  g_option_context_set_description (context, description);
  g_option_context_add_main_entries (context, entries, NULL);
  g_option_context_add_main_entries (context, common, NULL);
  parsed = g_option_context_parse (context, argc, argv, &error);
  g_option_context_free (context);
  if (!parsed)
    tool_usage_error ("%s", error->message);
  if (version) {
    g_print ("%s (gst-srgan) " SRGAN_VERSION "\n", name);
    exit (tool_finish ());
  }

  /* what "--" left, in front of parameters that begin with '-' */
  if (*argc > 1 && strcmp ((*argv)[1], "--") == 0) {
    memmove (*argv + 1, *argv + 2, (gsize) (*argc - 1) * sizeof **argv);
    (*argc)--;
  }
  if (*argc - 1 < min_arguments)
    tool_usage_error ("something is missing: %s", parameters);
  if (*argc - 1 > max_arguments)
    tool_usage_error ("'%s' is too much", (*argv)[max_arguments + 1]);
}

void
tool_warn (const gchar *format, ...)
{
  g_autofree gchar *message = NULL;
  va_list arguments;

  va_start (arguments, format);
  message = g_strdup_vprintf (format, arguments);
  va_end (arguments);
  g_printerr ("%s: %s\n", program, message);
}

void
tool_usage_error (const gchar *format, ...)
{
  va_list arguments;
  gchar *message;

  va_start (arguments, format);
  message = g_strdup_vprintf (format, arguments);
  va_end (arguments);
  g_printerr ("%s: %s\nTry '%s --help'.\n", program, message, program);
  g_free (message); /* exit() ends no scope */
  exit (TOOL_EXIT_USAGE);
}

gint
tool_fail (GError *error)
{
  tool_warn ("%s", error->message);
  g_error_free (error);
  return TOOL_EXIT_FAILED;
}

gint
tool_finish (void)
{
  if (fflush (stdout) == 0 && !ferror (stdout))
    return 0;
  tool_warn ("standard output: %s", g_strerror (errno));
  return TOOL_EXIT_FAILED;
}

gchar *
tool_make_printable (const gchar *text)
{
  GString *printable = g_string_new (NULL);

  for (; *text != '\0'; text = g_utf8_next_char (text)) {
    gunichar character = g_utf8_get_char (text);

    if (g_unichar_iscntrl (character) && character != '\n' && character != '\t')
      character = '?';
    g_string_append_unichar (printable, character);
  }
  return g_string_free (printable, FALSE);
}

/* --- Tables ------------------------------------------------------------- */

struct _ToolTable {
  gchar *alignment;
  guint n_columns;
  GPtrArray *cells; /* row after row */
};

static void
free_cell (gpointer cell)
{
  g_free (cell);
}

ToolTable *
tool_table_new (const gchar *alignment)
{
  ToolTable *table = g_new0 (ToolTable, 1);

  table->alignment = g_strdup (alignment);
  table->n_columns = (guint) strlen (alignment);
  table->cells = g_ptr_array_new_with_free_func (free_cell);
  return table;
}

void
tool_table_add (ToolTable *table, gchar *cell, ...)
{
  va_list cells;

  va_start (cells, cell);
  for (guint i = 0; i < table->n_columns; i++) {
    g_ptr_array_add (table->cells, cell != NULL ? cell : g_strdup (""));
    if (i + 1 < table->n_columns)
      cell = va_arg (cells, gchar *);
  }
  va_end (cells);
}

void
tool_table_free (ToolTable *table)
{
  g_ptr_array_unref (table->cells);
  g_free (table->alignment);
  g_free (table);
}

void
tool_table_print (ToolTable *table)
{
  g_autofree glong *widths = g_new0 (glong, table->n_columns);

  for (guint i = 0; i < table->cells->len; i++) {
    glong width = g_utf8_strlen (g_ptr_array_index (table->cells, i), -1);
    guint column = i % table->n_columns;

    widths[column] = MAX (widths[column], width);
  }
  for (guint i = 0; i < table->cells->len; i += table->n_columns) {
    g_autoptr (GString) line = g_string_new (NULL);

    for (guint j = 0; j < table->n_columns; j++) {
      const gchar *cell = g_ptr_array_index (table->cells, i + j);
      gint space = (gint) (widths[j] - g_utf8_strlen (cell, -1));

      if (j > 0)
        g_string_append (line, "  ");
      if (table->alignment[j] == 'r')
        g_string_append_printf (line, "%*s%s", space, "", cell);
      else
        g_string_append_printf (line, "%s%*s", cell, space, "");
    }
    g_strchomp (line->str);
    g_print ("%s\n", line->str);
  }
  tool_table_free (table);
}

gchar *
tool_format_count (guint64 count)
{
  g_autofree gchar *digits = g_strdup_printf ("%" G_GUINT64_FORMAT, count);
  GString *text = g_string_new (NULL);
  gsize n = strlen (digits);

  for (gsize i = 0; i < n; i++) {
    if (i > 0 && (n - i) % 3 == 0)
      g_string_append_c (text, ',');
    g_string_append_c (text, digits[i]);
  }
  return g_string_free (text, FALSE);
}

void
tool_json_add_string (
    JsonBuilder *builder, const gchar *name, const gchar *value)
{
  json_builder_set_member_name (builder, name);
  json_builder_add_string_value (builder, value);
}

void
tool_json_add_count (JsonBuilder *builder, const gchar *name, guint64 value)
{
  json_builder_set_member_name (builder, name);
  json_builder_add_int_value (builder, (gint64) value);
}

void
tool_json_add_number (JsonBuilder *builder, const gchar *name, gdouble value)
{
  json_builder_set_member_name (builder, name);
  json_builder_add_double_value (builder, value);
}

void
tool_json_print (JsonBuilder *builder)
{
  g_autoptr (JsonGenerator) generator = json_generator_new ();
  JsonNode *root = json_builder_get_root (builder);
  g_autofree gchar *text = NULL;

  json_generator_set_pretty (generator, TRUE);
  json_generator_set_root (generator, root);
  text = json_generator_to_data (generator, NULL);
  g_print ("%s\n", text);
  json_node_unref (root);
}
