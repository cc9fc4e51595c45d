/* tests: runs one of our programs.
 *
 * SPDX-License-Identifier: MIT
 */
#include "run-tool.h"

#include <sys/wait.h>

static gchar *
find_tool (const gchar *name)
{
  const gchar *folder = g_getenv ("SRGAN_TOOLS");

  g_assert_nonnull (folder);
  return g_build_filename (folder, name, NULL);
}

static gint
run (gchar **command, gchar **output, gchar **messages)
{
  g_autoptr (GError) error = NULL;
  gint status;

  g_spawn_sync (NULL, command, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, output,
      messages, &status, &error);
  g_assert_no_error (error);
  if (!WIFEXITED (status))
    g_error ("%s was ended by signal %d", command[0],
        WIFSIGNALED (status) ? WTERMSIG (status) : 0);
  return WEXITSTATUS (status);
}

gint
run_tool (gchar **output, gchar **messages, const gchar *name, ...)
{
  g_autoptr (GPtrArray) command = g_ptr_array_new ();
  g_autofree gchar *tool = find_tool (name);
  va_list arguments;
  gchar *argument = tool;

  va_start (arguments, name);
  do {
    g_ptr_array_add (command, argument);
    argument = va_arg (arguments, gchar *);
  } while (argument != NULL);
  va_end (arguments);
  g_ptr_array_add (command, NULL);
  return run ((gchar **) command->pdata, output, messages);
}

gint
run_tool_in_shell (
    gchar **output, gchar **messages, const gchar *name, const gchar *arguments)
{
  g_autofree gchar *tool = find_tool (name);
  g_autofree gchar *quoted = g_shell_quote (tool);
  g_autofree gchar *line = g_strdup_printf ("%s %s", quoted, arguments);
  gchar *command[] = {(gchar *) "/bin/sh", (gchar *) "-c", line, NULL};

  return run (command, output, messages);
}
