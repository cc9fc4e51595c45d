/* tools: what every program here does alike: options, errors, exit codes,
 * tables.
 *
 * Results go to stdout, everything else to stderr, errors as "PROGRAM: ...".
 * Exit codes: 0 done, 1 it failed, 2 it was called wrongly.
 *
 * SPDX-License-Identifier: MIT
 */
#pragma once

#include <glib.h>
#include <json-glib/json-glib.h>

G_BEGIN_DECLS

#define TOOL_EXIT_FAILED 1
#define TOOL_EXIT_USAGE 2

/**
 * tool_parse:
 * @name: the program's, "srgan-info"
 * @parameters: (nullable): what follows the options: "[MODEL]"
 * @summary: a sentence on what it does, for --help
 * @description: (nullable): more, below the options: examples, the environment
 * @entries: its options; --help and --version are added
 * @min_arguments, @max_arguments: how many parameters it takes
 *
 * Sets the locale (but for numbers, which are written and read as C does) and
 * takes the options out of @argv; what is left are @argc - 1 parameters. Does
 * not return from --help and --version (exit code 0) nor when called wrongly
 * (2, after saying how).
 */
void tool_parse (gint *argc, gchar ***argv, const gchar *name,
    const gchar *parameters, const gchar *summary, const gchar *description,
    const GOptionEntry *entries, gint min_arguments, gint max_arguments);

/* Says on stderr how the program was called wrongly; exits with 2. */
void tool_usage_error (const gchar *format, ...)
    G_GNUC_PRINTF (1, 2) G_GNUC_NORETURN;

/* "PROGRAM: message" on stderr. */
void tool_warn (const gchar *format, ...) G_GNUC_PRINTF (1, 2);

/* Says @error on stderr and frees it. Returns: TOOL_EXIT_FAILED, to return from
 * main(). */
gint tool_fail (GError *error);

/* Returns: 0, or TOOL_EXIT_FAILED, with a message, when stdout could not take
 * all that was printed (a full disk): for main() to return at the end. */
gint tool_finish (void);

/* A copy of @text, UTF-8 out of a file, that is safe to print on a terminal:
 * control characters but newlines and tabs become '?'. */
gchar *tool_make_printable (const gchar *text);

/* --- Tables ------------------------------------------------------------- */

typedef struct _ToolTable ToolTable;

/* @alignment: a letter a column, 'l' or 'r'. */
ToolTable *tool_table_new (const gchar *alignment);
/* A row: as many cells as columns, %NULL for an empty one; ownership of each
 * is taken. */
void tool_table_add (ToolTable *table, gchar *cell, ...);
/* Prints it to stdout and frees it. */
void tool_table_print (ToolTable *table);
void tool_table_free (ToolTable *table);

/* --- JSON --------------------------------------------------------------- */

/* A member of the object that @builder is in. */
void tool_json_add_string (
    JsonBuilder *builder, const gchar *name, const gchar *value);
void tool_json_add_count (
    JsonBuilder *builder, const gchar *name, guint64 value);
void tool_json_add_number (
    JsonBuilder *builder, const gchar *name, gdouble value);
/* Prints what was built to stdout. */
void tool_json_print (JsonBuilder *builder);

/* 1234567 as "1,234,567". */
gchar *tool_format_count (guint64 count);

G_END_DECLS
